//! `proxdiff sweep`: a space of strengths on a hold-out split or on folds, the best points shown.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use clap::Args;

use crate::cli::arguments::values;
use crate::cli::arguments::{
    DataArguments, FoldArguments, Format, HypergradientArguments, OutputArguments,
    ProblemArguments, RuntimeArguments, SearchName, SolverArguments, SpaceArguments,
    StoreArguments,
};
use crate::cli::configuration::{
    Defaults, Planned, Rows, Study, planned, points, settings, studies,
};
use crate::cli::failure::Failure;
use crate::cli::output::{
    Report, Summary, by_criterion, printable_lines, write_or_show, write_report,
};
use crate::cli::overwriting;
use crate::cli::progress::Progress;
use crate::cli::runtime::{Interruption, Runtime};
use crate::cli::whole::write_whole;
use crate::error::Error;
use crate::kinds::Precision;
use crate::store::{self, Store};
use crate::sweep::run::{Folds, Monitor, Run};

/// The examples of `--help`.
pub const EXAMPLES: &str = "\
Examples:
  proxdiff sweep                         the embedded data on the default grid
  proxdiff sweep data.csv --l1 log:1e-3:1:20 --l2 0,0.01,0.1 --best 5
  proxdiff sweep digits.svm --loss multinomial --val-fraction 0.2 --seed 7
  proxdiff sweep data.csv --format csv --out grid.csv
  proxdiff sweep data.csv --cv 5 --alpha frac:1e-3:1:100 --l1-ratio 0.1,0.9 \\
      --store sweep.db
  proxdiff sweep --config sweep.toml --store part-3.db --shard 3/8

With --cv, --folds, --store, --config, --shard, --alpha or --search the sweep is planned as cells, a point on \
a fold each, and the output is a summary: the best point by its mean over folds, and the one with the \
smallest support within one standard error of it. With --format csv it is one row a cell. \
An interrupted sweep with a store goes on with the same command.

Points are ranked by the criterion, the loss on held-out rows. At a minimum inside the grid the \
hypergradient is near zero; its sign says where to look for better strengths.";

/// The flags of `sweep`.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub data: DataArguments,
    #[command(flatten)]
    pub problem: ProblemArguments,
    #[command(flatten)]
    pub space: SpaceArguments,
    #[command(flatten)]
    pub folds: FoldArguments,
    #[command(flatten)]
    pub hypergradient: HypergradientArguments,
    #[command(flatten)]
    pub solver: SolverArguments,
    #[command(flatten)]
    pub runtime: RuntimeArguments,
    #[command(flatten)]
    pub store: StoreArguments,
    #[command(flatten)]
    pub output: OutputArguments,

    /// How many of the best points a table shows, for every target; JSON and CSV hold all points.
    #[arg(long, value_name = "N", default_value_t = 10, help_heading = "Output",
          value_parser = values::whole, allow_hyphen_values = true)]
    best: usize,

    /// Show the coefficients: in a table of the best points, in JSON and CSV of all.
    #[arg(long, help_heading = "Output")]
    coefficients: bool,
}

impl Arguments {
    /// The configuration file.
    pub fn config_file(&self) -> Option<&Path> {
        self.store.config.as_deref()
    }

    /// True when any flag asks for more than one grid on one hold-out split.
    pub fn is_planned(&self) -> bool {
        let (folds, store, space) = (&self.folds, &self.store, &self.space);
        folds.cv.is_some()
            || folds.stratified
            || folds.repeats.is_some()
            || folds.group_column.is_some()
            || folds.folds.is_some()
            || store.config.is_some()
            || store.write_config.is_some()
            || store.store.is_some()
            || store.shard.is_some()
            || store.keep_solutions
            || store.report.is_some()
            || store.name.is_some()
            || space.alpha.is_some()
            || space.l1_ratio.is_some()
            || space.samples.is_some()
            || space.search != SearchName::Grid
    }
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.is_planned() {
        check_output(arguments)?;
        run_plan(arguments)
    } else {
        run_grid(arguments)
    }
}

/// Refuses what a planned sweep would ignore.
fn check_output(arguments: &Arguments) -> Result<(), Failure> {
    let refuse = |what: &str, problem: &str, remedy: &str| {
        let error = crate::Error::value(what, problem, remedy);
        Err(Failure::from(error))
    };
    if arguments.coefficients {
        return refuse(
            "--coefficients",
            "a sweep over folds or with a store prints a summary",
            "add --store FILE --keep-solutions, which keeps them for every cell",
        );
    }
    let store = &arguments.store;
    if store.keep_solutions && store.store.is_none() && store.report.is_none() {
        return refuse(
            "--keep-solutions",
            "there is no store to keep them in and no report to draw them in",
            "add --store FILE or --report FOLDER",
        );
    }
    let extension = arguments
        .output
        .out
        .as_ref()
        .and_then(|out| out.extension());
    let is_table = |extension: &std::ffi::OsStr| extension == "parquet" || extension == "jsonl";
    if arguments.output.format.is_none() && extension.is_some_and(is_table) {
        return refuse(
            "--out",
            "sweep writes tables, CSV and JSON",
            "keep the results with --store FILE and write them with 'proxdiff runs export FILE --out …'",
        );
    }
    Ok(())
}

/// A plan of cells, in a store or in memory.
fn run_plan(arguments: &Arguments) -> Result<(), Failure> {
    let begin = std::time::Instant::now();
    let described = studies(arguments)?;
    overwriting::check_sweep(&described.matches)?;
    // What concerns the whole run may stand in the file too.
    let common = described.studies.first().unwrap_or(arguments);
    let runtime = Runtime::new(&common.runtime, common.solver.time_budget)?;
    Interruption {
        first: None,
        last: "interrupted while the sweep was planned: nothing has changed; repeat the command"
            .into(),
    }
    .answer();
    let planned = runtime.pool().install(|| planned(&described))?;
    let Planned {
        plan,
        studies,
        compressions,
    } = &planned;
    if let Some(path) = &arguments.store.write_config {
        write_whole(path, plan.configuration.as_bytes())
            .map_err(|source| Failure::unwritable("--write-config", path, &source))?;
    }
    Interruption {
        first: Some(
            "interrupted: the running batches are finished first; interrupt again to end at once"
                .into(),
        ),
        last: format!("ended at once; {}", how_to_go_on(common)),
    }
    .answer();
    let monitor = Arc::new(Monitor::new(plan));
    let devices = runtime.devices();
    let run = Run {
        plan,
        studies,
        compressions,
        pool: runtime.pool(),
        stop: runtime.control(),
        shard: common.store.shard.unwrap_or((0, 1)),
        devices: &devices,
        monitor: &monitor,
    };
    let (folds, mut store) = begin_with(&run, common.store.store.as_deref())?;
    let before = store.tally()?;
    let ran = {
        let _progress = Progress::start((plan, &store), &monitor, &before, &runtime.device());
        let _reporter = Reporter::start(common);
        run.execute_from(folds, &mut store)
    };
    let device = runtime.device();
    let summary = |seconds: Option<f64>| {
        Summary::new(plan, &store, (&device, runtime.precision), seconds)?
            .of_shard(&store, common.store.shard)
    };
    if !store.is_in_place() {
        // What it holds is kept nowhere else: print what can be printed, whatever came of the rest.
        let seconds = Some(begin.elapsed().as_secs_f64());
        let printed = summary(seconds).and_then(|s| present(common, &s.without_place(), &store));
        if let Err(failure) = ran.map_err(Failure::from).and(printed) {
            log::warn!("{}", failure.message());
        }
        return Err(Error::store(
            store.path(),
            "the store was deleted or replaced while the sweep ran: its results are only what is printed",
            "repeat the command with another --store FILE",
        )
        .into());
    }
    ran?;
    let summary = summary(Some(begin.elapsed().as_secs_f64()))?;
    present(common, &summary, &store)?;
    conclude(common, &runtime, &summary)
}

/// Writes the report and the summary where and how the flags say.
fn present(arguments: &Arguments, summary: &Summary<'_>, store: &Store) -> Result<(), Failure> {
    // What cannot be written must not keep the rest from being said.
    let reported = match &arguments.store.report {
        Some(folder) => write_report(summary, store, "--report", folder),
        None => Ok(()),
    };
    let table = || summary.table(arguments.best);
    let text = match arguments.output.format() {
        Format::Json => summary.json(),
        Format::Table => printable_lines(&table()).into_owned(),
        Format::Csv => {
            let mut text = Vec::new();
            store::export(store, store::Rows::Cells, store::Format::Csv, &mut text)?;
            String::from_utf8_lossy(&text).into_owned()
        }
    };
    write_or_show(&text, arguments.output.out.as_deref(), table)?;
    reported
}

/// The store, and the folds that the workers of a new one begin with: one waits for the disk, the
/// others for the processor.
fn begin_with<'a>(run: &Run<'a>, path: Option<&Path>) -> Result<(Folds<'a>, Store), Failure> {
    let is_whole = run.shard == (0, 1);
    let is_new = is_whole && path.is_none_or(|path| !path.exists());
    let mut folds = None;
    let store = run.pool.in_place_scope(|scope| {
        if is_new {
            scope.spawn(|_| folds = Some(run.first_folds()));
        }
        match path {
            Some(path) => Store::open(path, run.plan),
            None => Store::in_memory(run.plan),
        }
    })?;
    Ok((folds.transpose()?.unwrap_or_default(), store))
}

/// Writes the report of a sweep with a store anew from time to time, while it runs.
struct Reporter {
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Reporter {
    /// How often the report is written.
    const INTERVAL: Duration = Duration::from_secs(20);

    fn start(arguments: &Arguments) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let places = (&arguments.store.store, &arguments.store.report);
        let thread = if let (Some(store), Some(folder)) = places {
            let (store, folder, done) = (store.clone(), folder.clone(), Arc::clone(&done));
            let report = move || {
                std::thread::park_timeout(Self::INTERVAL);
                while !done.load(Ordering::Relaxed) {
                    if let Err(failure) = report_so_far(&store, "--report", &folder) {
                        let why = failure.message();
                        log::warn!("the report of the running sweep is not written: {why}");
                    }
                    std::thread::park_timeout(Self::INTERVAL);
                }
            };
            let started = std::thread::Builder::new().spawn(report);
            if let Err(error) = &started {
                log::warn!("the report is written at the end alone: {error}");
            }
            started.ok()
        } else {
            None
        };
        Self { done, thread }
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A report that failed has nothing to say about the sweep.
            let _ = thread.join();
        }
    }
}

/// The report of what a store holds now.
pub fn report_so_far(store: &Path, flag: &str, folder: &Path) -> Result<(), Failure> {
    let store = Store::read(store)?;
    let plan = store.plan()?;
    let summary = Summary::new(&plan, &store, ("", Precision::F64), None)?;
    write_report(&summary, &store, flag, folder)
}

/// What a sweep that was interrupted has kept, and how it goes on.
fn how_to_go_on(arguments: &Arguments) -> String {
    match &arguments.store.store {
        Some(path) => format!(
            "the same command goes on from there with --store {}",
            path.display()
        ),
        None => "with --store FILE a sweep goes on where it stopped".into(),
    }
}

/// What the exit status says about a summary that has been printed.
fn conclude(
    arguments: &Arguments,
    runtime: &Runtime,
    summary: &Summary<'_>,
) -> Result<(), Failure> {
    let tally = &summary.tally;
    let (own, all) = summary.own_cells();
    if own < all && runtime.control().should_stop() {
        let whose = if arguments.store.shard.is_some() {
            " of the shard"
        } else {
            ""
        };
        let why = if runtime.is_interrupted() {
            "interrupted"
        } else {
            "--time-budget is spent"
        };
        return Err(Failure::Outcome(format!(
            "{why}: {own} of {all} cells{whose} are finished; {}",
            how_to_go_on(arguments)
        )));
    }
    let done = tally.cells_done;
    let converged = tally
        .statuses
        .iter()
        .filter(|(name, _)| name == "converged")
        .map(|(_, count)| count)
        .sum::<usize>();
    if arguments.solver.strict && converged < done {
        return Err(Failure::Outcome(format!(
            "{} of {done} cells did not converge; raise --max-steps (nsid, sid: --stochastic-steps), give a --tol that they reach, or drop --strict",
            done - converged
        )));
    }
    Ok(())
}

/// One grid on one hold-out split.
fn run_grid(arguments: &Arguments) -> Result<(), Failure> {
    let settings = settings(
        &arguments.problem,
        &arguments.data,
        &arguments.solver,
        Some(&arguments.hypergradient),
    )?;
    let runtime = Runtime::new(&arguments.runtime, arguments.solver.time_budget)?;
    let study = Study::read(&arguments.data, &arguments.problem, true)?;
    let prepared = study.prepare(Rows::HeldOut)?;
    let points = points(&arguments.problem, &prepared.problem, Defaults::Grid)?;
    let outcomes = runtime.evaluate(&prepared.problem, &points, &settings)?;

    let ranked = by_criterion(&outcomes);
    let best: Vec<usize> = (0..prepared.problem.train.targets.len())
        .flat_map(|target| {
            let outcomes = &outcomes;
            let of_target = move |&at: &usize| outcomes[at].point.target == target;
            ranked
                .iter()
                .copied()
                .filter(of_target)
                .take(arguments.best)
        })
        .collect();
    Report {
        study: &study,
        prepared: &prepared,
        settings: &settings,
        runtime: &runtime,
        outcomes: &outcomes,
        best: Some(&best),
        coefficients: arguments.coefficients,
        diagnostics: arguments.hypergradient.diagnostics,
    }
    .write(&arguments.output)?;
    runtime.conclude(&outcomes, arguments.solver.strict)
}

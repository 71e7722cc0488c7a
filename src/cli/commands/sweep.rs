//! `proxdiff sweep`: a space of strengths on a hold-out split or on folds, the best points shown.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::ArgMatches;

use crate::cli::arguments::sweep::Arguments;
use crate::cli::arguments::{Format, SearchName};
use crate::cli::configuration::{self, Described, Planned, Prepared, planned};
use crate::cli::failure::Failure;
use crate::cli::origin::Origin;
use crate::cli::output::{
    FittedTarget, Rendered, Report, ReportFolder, Summary, by_criterion, open_store, report_so_far,
    write_or_show, write_report,
};
use crate::cli::output_guard;
use crate::cli::printable::printable_lines;
use crate::cli::progress::{Follower, Progress};
use crate::cli::runtime::{Interruption, Runtime};
use crate::cli::whole::write_whole;
use crate::error::Error;
use crate::hypergrad::Outcome;
use crate::problem::Point;
use crate::sweep::cells::{CellStore, MemoryCells};
use crate::sweep::export::{self, export_with};
use crate::sweep::record::Shard;
use crate::sweep::run::{Folds, Keep, Monitor, Run};

mod fitted;
mod information;
mod polish;

/// The interval at which the report of a running sweep is written.
const REPORT: Duration = Duration::from_secs(20);

/// Runs the command that `words` make, whose flags and matches these are.
pub fn run(arguments: &Arguments, matches: &ArgMatches, words: &[OsString]) -> Result<(), Failure> {
    let begin = Instant::now();
    check_output(arguments)?;
    let described = Described::of(arguments, matches, words)?;
    let parts = described.studies.iter().map(|study| &study.matches);
    output_guard::check_configured("sweep", parts)?;
    // Settings of the whole run may stand in the file too.
    let common = described
        .studies
        .first()
        .map_or(arguments, |study| &study.arguments);
    let all = described.studies.iter().map(|study| &study.arguments);
    for study in std::iter::once(common).chain(all) {
        if common.polish {
            polish::check(study)?;
        }
        if common.information {
            information::check(study)?;
        }
    }
    let runtime = Runtime::new(&common.runtime, common.solver.time_budget)?;
    let planned = runtime.pool().install(|| planned(&described))?;
    let single = planned.single(common);
    if arguments.coefficients && single.is_none() {
        return Err(Failure::from(Error::value(
            "--coefficients",
            "a sweep over folds or with a store prints a summary",
            "add --store FILE --keep-solutions, which keeps them for every cell",
        )));
    }
    if let Some(path) = &arguments.store.configuration.write_config {
        write_whole(path, planned.plan.configuration.as_bytes())
            .map_err(|source| Failure::unwritable("--write-config", path, &source))?;
    }
    let sweep = Sweep {
        origin: Origin::of(words),
        arguments: common,
        runtime: &runtime,
        planned: &planned,
        single: single.as_ref(),
        begin,
    };
    sweep.run()
}

/// Refuses outputs that would not be what they are called.
fn check_output(arguments: &Arguments) -> Result<(), Failure> {
    let refuse = |what: &str, problem: &str, remedy: &str| {
        let error = Error::value(what, problem, remedy);
        Err(Failure::from(error))
    };
    let store = &arguments.store;
    if store.keep_solutions && store.store.is_none() && store.report.is_none() {
        return refuse(
            "--keep-solutions",
            "there is no store to keep them in and no report to draw them in",
            "add --store FILE or --report FOLDER",
        );
    }
    let out = arguments.output.out.as_ref();
    let extension = out.and_then(|out| out.extension());
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

/// A sweep that is about to run.
struct Sweep<'a> {
    arguments: &'a Arguments,
    runtime: &'a Runtime,
    planned: &'a Planned<'a>,
    /// The names and the problem of the only fold, where its outcomes are kept whole.
    single: Option<&'a (&'a configuration::Study<'a>, Prepared)>,
    begin: Instant,
    /// The command, for its report.
    origin: Origin,
}

impl Sweep<'_> {
    fn run(&self) -> Result<(), Failure> {
        let (arguments, plan, runtime) = (self.arguments, &self.planned.plan, self.runtime);
        let (keep, devices) = match self.single {
            None => (Keep::Cells, runtime.devices()),
            Some((_, prepared)) => {
                let keep = if arguments.coefficients {
                    Keep::Solutions
                } else {
                    Keep::Outcomes
                };
                let points = self.points();
                let settings = &self.planned.studies[0].settings;
                let problem = &prepared.problem.problem;
                (
                    keep,
                    vec![runtime.choose_device(problem, &points, settings)?],
                )
            }
        };
        if self.single.is_none() {
            Interruption {
                first: Some(
                    "interrupted: the running batches are finished first; interrupt again to end at once"
                        .into(),
                ),
                last: format!("ended at once; {}", self.how_to_go_on()),
            }
            .answer();
        } else {
            Interruption::of_a_computation().answer();
        }
        let monitor = Arc::new(Monitor::new(plan));
        let run = Run {
            plan,
            studies: &self.planned.studies,
            compressions: &self.planned.compressions,
            problems: &self.planned.problems,
            pool: runtime.pool(),
            stop: runtime.control(),
            shard: arguments.store.shard.unwrap_or(Shard::WHOLE),
            devices: &devices,
            keep,
            monitor: &monitor,
        };
        let (folds, mut cells) = begin_with(&run, arguments.store.store.as_deref())?;
        let ran = {
            let _progress = if self.single.is_some() {
                runtime.progress(plan.cell_count())
            } else {
                Progress::start(plan, &*cells, &monitor, &runtime.device())?
            };
            let _reporter = reporter(arguments, &self.origin);
            run.execute_from(folds, &mut *cells)
        };
        let device = runtime.device();
        let summary = || -> Result<Summary<'_>, Failure> {
            Summary::new(plan, &*cells, &device, runtime.precision)?
                .after(self.begin.elapsed().as_secs_f64())
                .of_shard(&*cells, arguments.store.shard)
        };
        if !cells.is_in_place() {
            // The results are nowhere else: print what can be printed, whatever came of the rest.
            let printed = summary().and_then(|s| self.present(&s.without_place(), &*cells, &[]));
            if let Err(failure) = ran.map_err(Failure::from).and(printed) {
                log::warn!("{}", failure.message());
            }
            return Err(Error::store(
                cells.file().unwrap_or(Path::new("")),
                "the store was deleted or replaced while the sweep ran: its results are only what is printed",
                "repeat the command with another --store FILE",
            )
            .into());
        }
        ran?;
        let summary = summary()?;
        let summary = if arguments.information {
            let found = information::of_points(plan, &self.planned.studies, runtime)?;
            summary.with_information(found)
        } else {
            summary
        };
        let summary = if arguments.polish {
            let polished = polish::polished(plan, &self.planned.studies, runtime, &summary);
            summary.with_polished(polished)
        } else {
            summary
        };
        let fits = if arguments.store.report.is_some() && arguments.store.shard.is_none() {
            fitted::at_choices(plan, &self.planned.studies, runtime, &summary)
        } else {
            Vec::new()
        };
        self.present(&summary, &*cells, &fits)?;
        self.conclude(&summary)
    }

    /// The points of the only study.
    fn points(&self) -> Vec<Point> {
        let points = self.planned.plan.studies[0].points.iter();
        points
            .map(|point| Point::new(point.l1, point.l2).of_target(point.target))
            .collect()
    }

    /// Writes the report and the summary where and how the flags say.
    fn present(
        &self,
        summary: &Summary<'_>,
        cells: &dyn CellStore,
        fits: &[Vec<Result<FittedTarget, String>>],
    ) -> Result<(), Failure> {
        let arguments = self.arguments;
        // A report that cannot be written must not keep the rest from being said.
        let folder = ReportFolder::of(arguments.store.report.as_deref(), &self.origin);
        let write = |folder| write_report(summary, cells, fits, &folder);
        let reported = folder.map_or(Ok(()), write);
        let outcomes: Vec<&Outcome> = match self.single {
            None => Vec::new(),
            Some(_) => summary.outcomes(),
        };
        let best = best_of_targets(&outcomes, arguments.best);
        let report = self.single.map(|(study, prepared)| Report {
            study,
            prepared,
            settings: &self.planned.studies[0].settings,
            runtime: self.runtime,
            outcomes: &outcomes,
            best: Some(&best),
            coefficients: arguments.coefficients,
            diagnostics: arguments.hypergradient.diagnostics,
            beside: None,
        });
        let table = || match &report {
            Some(report) => report.table() + &summary.remarks(),
            None => summary.table(arguments.best),
        };
        let text = match (arguments.output.format(), &report) {
            (Format::Json, _) => summary.json(report.as_ref()),
            (Format::Table, _) => printable_lines(&table()).into_owned(),
            (Format::Csv, Some(report)) if is_plain(arguments) => {
                report.csv_with(&summary.information_columns())
            }
            (Format::Csv, _) => {
                let mut text = Vec::new();
                let (rows, format) = (export::Rows::Cells, export::Format::Csv);
                let beside = summary.information();
                export_with(&self.planned.plan, cells, rows, format, beside, &mut text)?;
                String::from_utf8_lossy(&text).into_owned()
            }
        };
        write_or_show(&text, arguments.output.out.as_deref(), table)?;
        reported
    }

    /// Advice on how a sweep that was interrupted goes on.
    fn how_to_go_on(&self) -> String {
        match &self.arguments.store.store {
            Some(path) => format!(
                "the same command goes on from there with --store {}",
                path.display()
            ),
            None => "with --store FILE a sweep goes on where it stopped".into(),
        }
    }

    /// The exit status that a summary asks for that has been printed.
    fn conclude(&self, summary: &Summary<'_>) -> Result<(), Failure> {
        let (runtime, tally) = (self.runtime, &summary.tally);
        let (own, all) = summary.own_cells();
        let done = tally.cells_done;
        let is_converged = |(name, _): &&(String, usize)| name == "converged";
        let converged: usize = tally
            .statuses
            .iter()
            .filter(is_converged)
            .map(|s| s.1)
            .sum();
        if self.single.is_some() && own == all {
            return runtime.conclude_points(converged, all, self.arguments.solver.strict);
        }
        if own < all && runtime.control().should_stop() {
            let whose = if self.arguments.store.shard.is_some() {
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
                self.how_to_go_on()
            )));
        }
        if self.arguments.solver.strict && converged < done {
            return Err(Failure::Outcome(format!(
                "{} of {done} cells did not converge; raise --max-steps (nsid, sid: --stochastic-steps), give a --tol that they reach, or drop --strict",
                done - converged
            )));
        }
        Ok(())
    }
}

/// The numbers of the best points of every target, best first.
fn best_of_targets(outcomes: &[&Outcome], count: usize) -> Vec<usize> {
    let ranked = by_criterion(outcomes);
    let targets = outcomes
        .iter()
        .map(|o| o.point.target + 1)
        .max()
        .unwrap_or(0);
    let of_target = |target| {
        let ranked = ranked.iter().copied();
        ranked
            .filter(move |&at| outcomes[at].point.target == target)
            .take(count)
    };
    (0..targets).flat_map(of_target).collect()
}

/// Whether CSV has the columns of `hypergrad`: for a grid of strengths on a hold-out split that nothing
/// else describes or keeps. Those of an export are for all others.
fn is_plain(arguments: &Arguments) -> bool {
    let (folds, store, space) = (&arguments.folds, &arguments.store, &arguments.space);
    let is_kept = store.report.is_some() || store.name.is_some() || store.keep_solutions;
    let described = &store.configuration;
    let is_described = described.config.is_some() || described.write_config.is_some();
    let is_ratio = space.alpha.is_some() || space.l1_ratio.is_some();
    let has_folds = folds.cv.is_some() || folds.folds.is_some();
    !is_kept && !is_described && !is_ratio && !has_folds && space.search == SearchName::Grid
}

/// The place of the cells, and the folds that the workers of a new one begin with: one waits for the
/// disk, the others for the processor.
fn begin_with<'a>(
    run: &Run<'a>,
    path: Option<&Path>,
) -> Result<(Folds<'a>, Box<dyn CellStore>), Failure> {
    let is_new = run.shard == Shard::WHOLE && path.is_none_or(|path| !path.exists());
    let mut folds = None;
    let cells = run
        .pool
        .in_place_scope(|scope| -> Result<Box<dyn CellStore>, Error> {
            if is_new {
                scope.spawn(|_| folds = Some(run.first_folds()));
            }
            Ok(match path {
                Some(path) => open_store(path, run.plan)?,
                None => Box::new(MemoryCells::new(run.plan)),
            })
        })?;
    Ok((folds.transpose()?.unwrap_or_default(), cells))
}

/// Writes the report of a sweep with a store again from time to time, while it runs.
fn reporter(arguments: &Arguments, origin: &Origin) -> Option<Follower> {
    let origin = origin.clone();
    let (store, folder) = (
        arguments.store.store.clone()?,
        arguments.store.report.clone()?,
    );
    Some(Follower::start(REPORT, move || {
        let folder = ReportFolder {
            place: &folder,
            flag: "--report",
            origin: &origin,
        };
        if let Err(failure) = report_so_far(&store, &folder) {
            let why = failure.message();
            log::warn!("the report of the running sweep is not written: {why}");
        }
    }))
}

//! `fit --from`: the point that a sweep in a store has chosen, fitted to all rows.

use std::path::PathBuf;

use clap::ArgMatches;

use super::choice::{Wanted, choices, held_out, on_all_rows};
use super::subject::Subject;
use crate::cli::arguments::fit::Arguments;
use crate::cli::arguments::{ProblemArguments, sweep};
use crate::cli::configuration::{GivenBeside, Parts, stored, study_of};
use crate::cli::failure::Failure;
use crate::cli::output::{checked, swept};
use crate::cli::runtime::Runtime;
use crate::error::Error;
use crate::store::Store;
use crate::sweep::plan::penalty_setting;
use crate::sweep::record::Study as Record;
use crate::sweep::stages::Stages;
use crate::sweep::summary::summarize_by;

/// Flags of `fit` that have nothing to do with the sweep.
const OWN: [&str; 10] = [
    "choice",
    "by",
    "from",
    "study",
    "out",
    "force",
    "format",
    "coefficients",
    "report",
    "x-test",
];
/// The same where they need another.
const OF_TEST: &str = "y-test";

/// A study in a store.
pub(super) struct Stored {
    path: PathBuf,
    store: Store,
    number: usize,
    record: Record,
    /// The flags of the sweep, but for those of the command line.
    pub arguments: sweep::Arguments,
}

impl Stored {
    /// The study that the flags name, if any.
    pub fn read(arguments: &Arguments, matches: &ArgMatches) -> Result<Option<Self>, Failure> {
        let Some(path) = &arguments.choosing.from else {
            return Ok(None);
        };
        let store = checked(path)?;
        let remedy = "name the store of a sweep, or fit a tuning's best point by 'proxdiff tune --model DIR'";
        let mut plan = swept(&store, remedy)?;
        let number = number(
            arguments,
            plan.studies.iter().map(|study| study.name.as_str()),
        )?;
        let own: Vec<&str> = OWN.into_iter().chain([OF_TEST]).collect();
        // infallible: the words were those of the command
        let (command, matches) = matches.subcommand().expect("a command");
        let given = GivenBeside {
            command,
            matches,
            own: &own,
        };
        let found = stored(path, &plan.configuration, number, given)?;
        Ok(Some(Self {
            path: path.clone(),
            store,
            number,
            record: plan.studies.swap_remove(number),
            arguments: found,
        }))
    }

    /// The fit to all rows at the points that are chosen.
    pub fn chosen(&self, own: &Arguments, runtime: &Runtime) -> Result<Subject<'_>, Failure> {
        let (arguments, record) = (&self.arguments, &self.record);
        let wanted = Wanted::of(&own.choosing, &arguments.problem)?;
        let made = study_of(Parts {
            data: &arguments.data,
            problem: &arguments.problem,
            solver: &arguments.solver,
            hypergradient: None,
            folds: &arguments.folds,
            precision: arguments.runtime.result_precision(),
            name: None,
            keep_solutions: false,
            stages: Stages {
                adaptive: arguments.stages.adaptive(),
                relax: record.relax(),
            },
            resamples: Some(&arguments.resamples),
            set_aside: 0.0,
            fall_back: false,
            factors: &[],
        })?;
        let penalty = penalty_setting(&made.study.specification.penalty);
        if !record.settings.lines().any(|line| line == penalty) {
            return Err(Error::store(
                &self.path,
                format!(
                    "it was swept with another penalty than {} now",
                    penalty_files(&arguments.problem)
                ),
                "put back what the file held when it was swept, or sweep anew with another --store",
            )
            .into());
        }
        if made.study.fingerprint() != record.fingerprint {
            let problem = &arguments.problem;
            let beside = named(&[("--l2-file", &problem.l2_file), ("--prior", &problem.prior)]);
            let beside = beside.map_or(String::new(), |files| format!(", with {files},"));
            return Err(Error::store(
                &self.path,
                format!(
                    "it was made with other data than {}{beside} holds now",
                    made.study.source
                ),
                "name the file that was swept, as in 'proxdiff fit DATA --from STORE', or sweep the data anew \
                 with another --store",
            )
            .into());
        }
        let summaries = summarize_by(&self.store, self.number, record, wanted.by)?;
        if summaries.is_empty() {
            return Err(Error::store(
                &self.path,
                "no point is done on all folds yet, so that none can be chosen",
                "let the sweep go on by its own command first",
            )
            .into());
        }
        if summaries.len() < record.points.len() {
            log::warn!(
                "{}: {} of {} points are done on all folds, and the choice is among these",
                self.path.display(),
                summaries.len(),
                record.points.len()
            );
        }
        let (points, chosen) = choices(record, &summaries, wanted)?;
        let held_out = match own.report {
            Some(_) => held_out(&made.study, &points, runtime),
            None => Vec::new(),
        };
        Ok(Subject {
            prepared: on_all_rows(made.study)?,
            study: made.names,
            shares: vec![record.relax(); points.len()],
            points,
            chosen: Some(chosen),
            held_out,
            set_aside: None,
        })
    }
}

/// The files that say the penalty, and that they do.
fn penalty_files(problem: &ProblemArguments) -> String {
    let files = [
        ("--l1-file", &problem.l1_file),
        ("--coefficient-bounds", &problem.coefficient_bounds),
        ("--groups", &problem.groups),
    ];
    match named(&files) {
        Some(files) => format!("{files} says"),
        None => "its flags say".into(),
    }
}

/// Flags with their files, of those that are given; `None` without any.
fn named(files: &[(&str, &Option<PathBuf>)]) -> Option<String> {
    let given: Vec<String> = files
        .iter()
        .filter_map(|(flag, file)| Some(format!("{flag} {}", file.as_ref()?.display())))
        .collect();
    (!given.is_empty()).then(|| given.join(" or "))
}

/// The number of the study that --study names, or of the only one.
fn number<'a>(
    arguments: &Arguments,
    names: impl Iterator<Item = &'a str>,
) -> Result<usize, Failure> {
    let names: Vec<&str> = names.collect();
    let all = names.join(", ");
    match &arguments.choosing.study {
        Some(wanted) => names.iter().position(|name| name == wanted).ok_or_else(|| {
            Failure::usage(format!(
                "--study: the store has no study \"{wanted}\"; name one of: {all}"
            ))
        }),
        None if names.len() > 1 => Err(Failure::usage(format!(
            "--from: the store has {} studies; name one of them with --study: {all}",
            names.len()
        ))),
        None => Ok(0),
    }
}

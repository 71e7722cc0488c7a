//! The machine of a command: threads, device, budget, interruption and progress.

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::arguments::RuntimeArguments;
use super::device_choice::DeviceChoice;
use super::failure::Failure;
use super::progress::Progress;
use crate::control::Control;
use crate::error::Error;
use crate::exec::Device;
use crate::hypergrad::{Evaluator, Outcome, Settings};
use crate::kinds::{Precision, Status};
use crate::problem::{Point, Problem};
use crate::sweep::study::FoldProblem;

/// Checked threads and device, with the control of what they compute.
pub struct Runtime {
    pool: rayon::ThreadPool,
    control: Control,
    /// The precision of results.
    pub precision: Precision,
    device_choice: DeviceChoice,
}

impl Runtime {
    /// Checks device and threads; Ctrl-C cancels what this runtime computes, and before it computes
    /// ends the process. The time budget starts now.
    pub fn new(arguments: &RuntimeArguments, time_budget: Option<f64>) -> Result<Self, Failure> {
        let device_choice = DeviceChoice::new(arguments)?;
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(arguments.threads)
            .build()
            .map_err(|error| {
                Error::value(
                    "--threads",
                    format!("{} cannot be started: {error}", arguments.threads),
                    "ask for fewer threads",
                )
            })?;
        let mut control = Control::new();
        // A budget past what a Duration holds is no limit.
        if let Some(Ok(budget)) = time_budget.map(Duration::try_from_secs_f64) {
            control = control.with_time_budget(budget);
        }
        cancel_on_interrupt(&control);
        Ok(Self {
            pool,
            control,
            precision: arguments.result_precision(),
            device_choice,
        })
    }

    /// The device's name in outputs: where `auto` had to choose, what it chose last.
    pub fn device(&self) -> String {
        self.device_choice.name()
    }

    /// The devices that were asked for; the CPU where none was.
    pub fn devices(&self) -> Vec<Device> {
        self.device_choice.devices()
    }

    /// The threads that compute.
    pub fn pool(&self) -> &rayon::ThreadPool {
        &self.pool
    }

    /// Cancelled by Ctrl-C and by the time budget.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// The number of worker threads.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// True once the user has interrupted.
    pub fn is_interrupted(&self) -> bool {
        self.control.is_cancelled()
    }

    /// Solves and differentiates, with a progress bar on a terminal.
    pub fn evaluate(
        &self,
        problem: &Problem,
        points: &[Point],
        settings: &Settings,
    ) -> Result<Vec<Outcome>, Failure> {
        Interruption::of_a_computation().answer();
        let _progress = self.progress(points.len());
        let settings = Settings {
            threads: self.threads(),
            device: self.device_choice.device(problem, points, settings)?,
            ..settings.clone()
        };
        let evaluate = || {
            Evaluator::new(problem)
                .settings(&settings)
                .precision(self.precision)
                .control(&self.control)
                .run(points)
        };
        Ok(self.pool.install(evaluate)?)
    }

    /// Outcomes of a problem, each relaxed by its share of the lasso if it has one.
    pub fn relaxed(
        &self,
        problem: &FoldProblem,
        settings: &Settings,
        outcomes: Vec<Outcome>,
        shares: &[Option<f64>],
    ) -> Result<Vec<Outcome>, Failure> {
        let settings = Settings {
            threads: self.threads(),
            precision: self.precision,
            ..settings.clone()
        };
        let mut relaxed = Vec::with_capacity(outcomes.len());
        for (outcome, share) in outcomes.into_iter().zip(shares) {
            let one = vec![outcome];
            relaxed.extend(match *share {
                None => one,
                Some(share) => {
                    let solve = || problem.relaxed(&settings, &self.control, one, share);
                    self.pool.install(solve)?
                }
            });
        }
        Ok(relaxed)
    }

    /// Solves a single point, also after an interruption: it is what the rest was for.
    pub fn evaluate_last(
        &self,
        problem: &Problem,
        point: Point,
        settings: &Settings,
    ) -> Result<Outcome, Failure> {
        let settings = Settings {
            threads: self.threads(),
            ..settings.clone()
        };
        let evaluator = Evaluator::new(problem)
            .settings(&settings)
            .precision(self.precision);
        let outcomes = self.pool.install(|| evaluator.run(&[point]))?;
        // infallible: one point has one outcome
        Ok(outcomes.into_iter().next().expect("an outcome"))
    }

    /// A progress bar on a terminal of `total` parts that the control counts.
    pub fn progress(&self, total: usize) -> Progress {
        let (control, before) = (self.control.clone(), self.control.finished());
        Progress::bar(total, "{bar:40} {pos}/{len}, {elapsed}", move |bar| {
            bar.set_position((control.finished() - before) as u64);
        })
    }

    /// The device for some points of a problem.
    pub fn choose_device(
        &self,
        problem: &Problem,
        points: &[Point],
        settings: &Settings,
    ) -> Result<Device, Failure> {
        self.device_choice.device(problem, points, settings)
    }

    /// Any other work, in this runtime's threads, with a progress bar on a terminal. The control
    /// counts `total` finished parts.
    pub fn run<T: Send>(
        &self,
        total: usize,
        work: impl FnOnce(&Control) -> crate::Result<T> + Send,
    ) -> Result<T, Failure> {
        self.run_answering(Interruption::of_a_computation(), total, work)
    }

    /// The same with another answer to Ctrl-C.
    pub fn run_answering<T: Send>(
        &self,
        interruption: Interruption,
        total: usize,
        work: impl FnOnce(&Control) -> crate::Result<T> + Send,
    ) -> Result<T, Failure> {
        interruption.answer();
        let _progress = self.progress(total);
        Ok(self.pool.install(|| work(&self.control))?)
    }

    /// The exit status that outcomes ask for that have been printed.
    pub fn conclude(&self, outcomes: &[Outcome], strict: bool) -> Result<(), Failure> {
        let converged = |outcome: &&Outcome| outcome.status == Status::Converged;
        let done = outcomes.iter().filter(converged).count();
        self.conclude_points(done, outcomes.len(), strict)
    }

    /// The same for points of which `done` have converged.
    pub fn conclude_points(&self, done: usize, all: usize, strict: bool) -> Result<(), Failure> {
        if self.is_interrupted() {
            return Err(Failure::Outcome(format!(
                "interrupted: {done} of {all} points had converged"
            )));
        }
        if strict && done < all {
            return Err(Failure::Outcome(format!(
                "{} of {all} points did not converge; raise --max-steps (nsid, sid: \
                 --stochastic-steps) or --time-budget, give a --tol that they reach, or drop --strict",
                all - done
            )));
        }
        Ok(())
    }
}

/// The answer to an interruption.
#[derive(Debug, Clone)]
pub struct Interruption {
    /// Said at the first one, which lets end what is running; `None` where nothing is worth waiting
    /// for and the process ends at once.
    pub first: Option<String>,
    /// Said before the process ends at once.
    pub last: String,
}

static INTERRUPTION: Mutex<Interruption> = Mutex::new(Interruption {
    first: None,
    last: String::new(),
});

impl Interruption {
    /// Of what comes before a computation, such as reading the data, which may wait for ever.
    fn of_a_beginning() -> Self {
        Self {
            first: None,
            last: "interrupted before anything was computed; repeat the command".into(),
        }
    }

    /// Of a computation whose part is printed.
    pub fn of_a_computation() -> Self {
        Self {
            first: Some(
                "interrupted: what is known will be printed; interrupt again to end at once".into(),
            ),
            last: "ended at once, without a result; repeat the command".into(),
        }
    }

    /// Answers interruptions from now on.
    pub fn answer(self) {
        *INTERRUPTION.lock().unwrap_or_else(PoisonError::into_inner) = self;
    }
}

/// Signals that follow each other faster are one: some programs (`timeout`) signal a process and then
/// its group.
const ONE_INTERRUPTION: Duration = Duration::from_millis(150);

/// The first Ctrl-C (or SIGTERM) of a computation cancels, so that what is known is printed; the second
/// ends the process. Each is acknowledged at once: a running batch may take its time.
fn cancel_on_interrupt(control: &Control) {
    static CURRENT: OnceLock<Control> = OnceLock::new();
    Interruption::of_a_beginning().answer();
    // One handler serves the process; a command makes one runtime.
    if CURRENT.set(control.clone()).is_err() {
        return;
    }
    let mut last: Option<Instant> = None;
    let installed = ctrlc::set_handler(move || {
        if last.is_some_and(|last| last.elapsed() < ONE_INTERRUPTION) {
            return;
        }
        last = Some(Instant::now());
        let Some(control) = CURRENT.get() else {
            return;
        };
        let answer = INTERRUPTION.lock().unwrap_or_else(PoisonError::into_inner);
        match &answer.first {
            Some(first) if !control.is_cancelled() => {
                control.cancel();
                say(first);
            }
            _ => {
                say(&format!("error: {}", answer.last));
                std::process::exit(1);
            }
        }
    });
    if let Err(error) = installed {
        log::warn!("Ctrl-C will end the program at once: {error}");
    }
}

/// A line on standard error, in place of a progress bar where one is drawn.
fn say(line: &str) {
    let clear = if std::io::stderr().is_terminal() {
        "\r\x1b[2K"
    } else {
        ""
    };
    // Standard error may be closed: then there is nobody to tell.
    let _ = writeln!(std::io::stderr().lock(), "{clear}{line}");
}

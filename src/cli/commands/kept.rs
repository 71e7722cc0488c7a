//! The store of a command whose search keeps its evaluations.

use std::path::Path;

use crate::cli::failure::Failure;
use crate::cli::output::open_tuning;
use crate::cli::runtime::Interruption;
use crate::error::Error;
use crate::sweep::record::Plan;
use crate::tune::EvaluationStore;

/// A store that was opened, where there is one.
pub struct KeptStore<'a>(Option<Opened<'a>>);

struct Opened<'a> {
    path: &'a Path,
    store: Box<dyn EvaluationStore>,
}

impl<'a> KeptStore<'a> {
    /// The store of a path with the plan, which is made only for it: a new one, or that of an earlier run.
    pub fn open(
        path: Option<&'a Path>,
        plan: impl FnOnce() -> Result<Plan, Failure>,
    ) -> Result<Self, Failure> {
        let open = |path| -> Result<_, Failure> {
            let store = open_tuning(path, &plan()?)?;
            Ok(Opened { path, store })
        };
        Ok(Self(path.map(open).transpose()?))
    }

    /// The place that keeps evaluations.
    pub fn place(&self) -> Option<&dyn EvaluationStore> {
        self.0.as_ref().map(|opened| &*opened.store)
    }

    /// Gives back what was leased and not done.
    pub fn release(&self) -> Result<(), Error> {
        self.place().map_or(Ok(()), |store| store.release())
    }

    /// Refuses a store that was deleted or replaced meanwhile.
    pub fn check_place(&self, what: &str) -> Result<(), Failure> {
        match &self.0 {
            Some(Opened { path, store }) if !store.is_in_place() => Err(Error::store(
                path,
                format!(
                    "the store was deleted or replaced while the {what} ran: its evaluations are lost"
                ),
                "repeat the command with another --store FILE",
            )
            .into()),
            _ => Ok(()),
        }
    }

    /// Advice on how what was interrupted goes on, behind what was said; nothing without a store.
    pub fn how_to_go_on(&self) -> String {
        let Some(opened) = &self.0 else {
            return String::new();
        };
        format!("; {}", goes_on(opened.path))
    }

    /// The answer to Ctrl-C.
    pub fn interruption(&self) -> Interruption {
        let answer = Interruption::of_a_computation();
        match &self.0 {
            None => answer,
            Some(opened) => Interruption {
                last: format!("ended at once; {}", goes_on(opened.path)),
                ..answer
            },
        }
    }
}

fn goes_on(store: &Path) -> String {
    format!(
        "the same command goes on from there with --store {}",
        store.display()
    )
}

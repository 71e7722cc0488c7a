//! `fit --from` of a build without the feature `store`: there are no stores.

use clap::ArgMatches;

use super::subject::Subject;
use crate::cli::arguments::fit::Arguments;
use crate::cli::arguments::sweep;
use crate::cli::failure::Failure;
use crate::cli::runtime::Runtime;
use crate::error::Error;

/// A study in a store: there is none.
pub(super) struct Stored {
    /// The flags of a sweep.
    pub arguments: sweep::Arguments,
}

impl Stored {
    /// The study that the flags name: an error, if they name one.
    pub fn read(arguments: &Arguments, _: &ArgMatches) -> Result<Option<Self>, Failure> {
        match arguments.choosing.from {
            None => Ok(None),
            Some(_) => Err(missing()),
        }
    }

    /// The fit at its points: an error.
    pub fn chosen(&self, _: &Arguments, _: &Runtime) -> Result<Subject<'_>, Failure> {
        Err(missing())
    }
}

fn missing() -> Failure {
    Failure::from(Error::unsupported(
        "--from in this build",
        "build proxdiff with the feature `store`, or give the strengths",
    ))
}

//! Preparations that evaluations of one problem share, made when first needed.

use std::sync::OnceLock;

use crate::map::spectrum::Spectrum;
use crate::path::{self, CriterionColumns};
use crate::problem::Problem;

use super::sizes::Sizes;

/// The spectrum of a problem's Hessian, its rows as the path solver wants them, and their sizes.
///
/// Made once beside a problem and handed to every evaluation of that same problem.
#[derive(Debug, Default)]
pub struct Prepared {
    spectrum: OnceLock<Spectrum>,
    path: OnceLock<path::Prepared<f64>>,
    criterion: OnceLock<CriterionColumns>,
    sizes: OnceLock<Sizes>,
}

impl Prepared {
    pub(super) fn spectrum(&self, problem: &Problem) -> &Spectrum {
        self.spectrum.get_or_init(|| Spectrum::of(problem))
    }

    pub(super) fn path(&self, problem: &Problem) -> &path::Prepared<f64> {
        self.path.get_or_init(|| path::Prepared::new(problem))
    }

    pub(super) fn criterion(&self, problem: &Problem) -> &CriterionColumns {
        self.criterion
            .get_or_init(|| CriterionColumns::new(problem))
    }

    pub(super) fn sizes(&self, problem: &Problem) -> &Sizes {
        self.sizes.get_or_init(|| Sizes::of(problem))
    }
}

//! Preparations that evaluations of one problem share, made when first needed.

use std::marker::PhantomData;
use std::sync::OnceLock;

use crate::map::spectrum::Spectrum;
use crate::path::{self, CriterionColumns, DesignColumns};
use crate::problem::Problem;
use crate::real::{Family, Real};

use super::normal::NormalEquations;
use super::sizes::Sizes;

/// The spectrum of a problem's Hessian, its rows as the path solver wants them, and their sizes.
///
/// Made once beside a problem and handed to every evaluation of that same problem.
#[derive(Debug, Default)]
pub struct Prepared {
    spectrum: OnceLock<Spectrum>,
    single: Rows<f32>,
    double: Rows<f64>,
    criterion_columns: OnceLock<DesignColumns<f64>>,
    criterion: OnceLock<CriterionColumns>,
    sizes: OnceLock<Sizes>,
    normal_equations: OnceLock<Option<NormalEquations>>,
}

/// The rows as the path solver wants them, in one precision.
#[derive(Debug)]
struct Rows<R> {
    columns: OnceLock<DesignColumns<R>>,
    path: OnceLock<path::Prepared<R>>,
}

impl<R> Default for Rows<R> {
    fn default() -> Self {
        Self {
            columns: OnceLock::new(),
            path: OnceLock::new(),
        }
    }
}

/// The family of preparations by precision.
struct RowsOf<'a>(PhantomData<&'a ()>);

impl<'a> Family for RowsOf<'a> {
    type Of<R: Real> = &'a Rows<R>;
}

impl Prepared {
    /// Preparations for a problem on the same design as this one, whose columns they share.
    pub(crate) fn beside(&self, problem: &Problem) -> Self {
        Self {
            double: Rows {
                columns: OnceLock::from(self.columns(problem).clone()),
                path: OnceLock::new(),
            },
            criterion_columns: OnceLock::from(self.criterion_columns(problem).clone()),
            ..Self::default()
        }
    }

    pub(super) fn spectrum(&self, problem: &Problem) -> &Spectrum {
        self.spectrum.get_or_init(|| Spectrum::of(problem))
    }

    /// The rows as the path solver wants them; `base` is what was prepared for a problem of the same design.
    pub(super) fn path<R: Real>(&self, problem: &Problem, base: &Self) -> &path::Prepared<R> {
        let prepare = || path::Prepared::new(problem, base.columns(problem));
        self.rows().path.get_or_init(prepare)
    }

    pub(super) fn criterion(&self, problem: &Problem, base: &Self) -> &CriterionColumns {
        let prepare = || CriterionColumns::new(problem, base.criterion_columns(problem));
        self.criterion.get_or_init(prepare)
    }

    /// The normal equations, where they are formed; `base` as for [`Self::path`].
    pub(super) fn normal_equations(
        &self,
        problem: &Problem,
        base: &Self,
    ) -> Option<&NormalEquations> {
        let made = self.normal_equations.get_or_init(|| {
            NormalEquations::of(
                problem,
                self.path(problem, base),
                self.criterion(problem, base),
            )
        });
        made.as_ref()
    }

    pub(super) fn sizes(&self, problem: &Problem) -> &Sizes {
        self.sizes.get_or_init(|| Sizes::of(problem))
    }

    fn columns<R: Real>(&self, problem: &Problem) -> &DesignColumns<R> {
        let columns = &self.rows().columns;
        columns.get_or_init(|| DesignColumns::of(&problem.train))
    }

    fn criterion_columns(&self, problem: &Problem) -> &DesignColumns<f64> {
        let (train, criterion) = (&problem.train, &problem.criterion.sample);
        if std::sync::Arc::ptr_eq(&train.design, &criterion.design) {
            return self.columns(problem);
        }
        let columns = &self.criterion_columns;
        columns.get_or_init(|| DesignColumns::of(criterion))
    }

    fn rows<R: Real>(&self) -> &Rows<R> {
        R::from_f64::<RowsOf<'_>>(&self.double).unwrap_or_else(|_| {
            let single = R::from_f32::<RowsOf<'_>>(&self.single);
            // infallible: there are two precisions
            single.unwrap_or_else(|_| unreachable!("a third precision"))
        })
    }
}

//! The stages of a tuning with vectors: what their entries have in common, then everything from there.

use rayon::prelude::*;

use super::Tuner;
use crate::error::Result;
use crate::hypergrad::{Outcome, Settings};
use crate::sweep::study::Study;
use crate::tune::chosen::Fold;
use crate::tune::guard::{Guard, Nest, nests};
use crate::tune::hyperparameter::Hyperparameter;
use crate::tune::kept::Kept;
use crate::tune::objective::Objective;
use crate::tune::outcome::{Guarded, Start, Tuned, TuningStatus};
use crate::tune::starts::starts;
use crate::tune::tuning::{Searched, Tuning};
use crate::tune::variables::Space;

/// The ρ that nested folds choose among, times the number of variables.
const RHOS: [f64; 5] = [0.1, 0.3, 1.0, 3.0, 10.0];
/// Evaluations of every tuning within nested folds.
const NESTED_EVALUATIONS: usize = 60;

/// The reason why the best of the first stage is returned.
#[derive(Debug, Clone, Copy)]
enum Unmoved {
    /// Evaluations have ended.
    NoEvaluations,
    /// Time has ended.
    Stopped,
    /// There was no solution where everything starts.
    Unsolved,
    /// Nothing better was found.
    NoBetter,
}

impl Unmoved {
    /// The remark; `names` are those of variables that are no strengths.
    fn remark(self, names: Option<&str>) -> String {
        let Some(names) = names else {
            return self.remark_on_strengths().into();
        };
        match self {
            Self::NoEvaluations => {
                format!("no evaluations are left for {names}: raise --max-evaluations")
            }
            Self::Stopped => format!(
                "the tuning was stopped before {names} could be chosen, and the best point without is \
                 returned: allow more time"
            ),
            Self::Unsolved => format!(
                "no point with {names} had a solution with its derivative, and the best one without is \
                 returned: start elsewhere, raise the lower bounds or --max-steps"
            ),
            Self::NoBetter => format!(
                "no point with {names} was found that is better than the best one without, which is \
                 returned: raise --max-evaluations, or leave out --start"
            ),
        }
    }

    /// The remark where only strengths are tuned.
    fn remark_on_strengths(self) -> &'static str {
        match self {
            Self::NoEvaluations => {
                "no evaluations are left for a vector of strengths: raise --max-evaluations"
            }
            Self::Stopped => {
                "the tuning was stopped before the strengths of each could be chosen, and the best \
                 common strength is returned: allow more time"
            }
            Self::Unsolved => {
                "no vector of strengths had a solution with its derivative, and the best common strength is \
                 returned: start elsewhere, raise the lower bounds or --max-steps"
            }
            Self::NoBetter => {
                "no vector of strengths was found that is better than the best common strength, which \
                 is returned: raise --max-evaluations, or leave out --start"
            }
        }
    }
}

impl Tuner<'_> {
    /// Tunes the strengths that all have in common with half of the evaluations, then everything from
    /// there. That is returned where it is better: vectors with a guard, also on rows that nothing was
    /// tuned on.
    pub(super) fn run_stages(
        &self,
        tuning: &Tuning<'_>,
        common: &Space,
        study: Option<&Study>,
    ) -> Result<Tuned> {
        let scalar = Tuning {
            space: common,
            objective: tuning.objective.clone(),
            budget: (self.resources.max_evaluations / 2).max(1),
            // Models look from everywhere: the common strength is their first place alone, unless it is returned.
            looks_around: !tuning.has_models(),
            ..*tuning
        };
        let mut searched = scalar.run()?;
        let left = self.resources.max_evaluations - searched.search.spent();
        let names = self.names_beyond_strengths();
        let names = names.as_deref();
        let vectors = tuning.space.vectors();
        let count: usize = vectors.iter().map(|vector| vector.entries.len()).sum();
        let of_common = |searched: &Searched, why: Option<Unmoved>| -> Result<Tuned> {
            let mut tuned = scalar.finish(searched)?;
            tuned.scalar_criterion = (count > 0).then_some(tuned.criterion);
            if let Some(Unmoved::NoEvaluations | Unmoved::Stopped) = why {
                // The first stage may have come to its end, the tuning has not.
                tuned.status = TuningStatus::BudgetSpent;
            }
            tuned.remarks.extend(why.map(|why| why.remark(names)));
            Ok(tuned)
        };
        if left == 0 {
            return of_common(&searched, Some(Unmoved::NoEvaluations));
        }
        let guarded = match study {
            Some(study)
                if count > 0 && self.guards(count) && !self.resources.control.should_stop() =>
            {
                Some(self.nested(study, count)?)
            }
            _ => None,
        };
        // A search that was stopped has compared nothing.
        if self.resources.control.should_stop() {
            return of_common(&searched, Some(Unmoved::Stopped));
        }
        if let Some(guarded) = &guarded
            && guarded.returns_scalar
        {
            scalar.go_on(&mut searched, left)?;
            if !scalar.looks_around {
                scalar.take_last_look(&mut searched)?;
            }
            let mut tuned = of_common(&searched, None)?;
            tuned.keep(guarded.clone(), names);
            return Ok(tuned);
        }
        let rho = guarded.as_ref().map_or(0.0, |guarded| guarded.rho);
        let vector = Tuning {
            objective: tuning.objective.penalized(vectors, rho),
            budget: left,
            ..*tuning
        };
        let best = searched.search.outcome();
        let Some(best) = best.map(|best| (common.chosen(&best.place), best.value)) else {
            return scalar.finish(&searched);
        };
        let (point, best) = best;
        let each = vector.run_from(&starts(&vector, common, &point)?)?;
        let Some(found) = each.search.outcome() else {
            let why = if self.resources.control.should_stop() {
                Unmoved::Stopped
            } else {
                Unmoved::Unsolved
            };
            let mut tuned = of_common(&searched, Some(why))?;
            if let Some(guarded) = guarded {
                tuned.keep(guarded.with_scalar(true), names);
            }
            return Ok(tuned);
        };
        let is_better = found.value <= best;
        let of_scalar = scalar.finish(&searched)?;
        let of_each = vector.finish(&each)?;
        let evaluations = of_scalar.evaluations + of_each.evaluations;
        let starts = ranked(
            [&each, &searched],
            [of_each.starts.clone(), of_scalar.starts.clone()],
        );
        let (criterion, coarse) = (of_scalar.criterion, of_scalar.coarse_evaluations);
        let mut tuned = if is_better { of_each } else { of_scalar };
        if !is_better
            && self.resources.control.should_stop()
            && found.status == TuningStatus::BudgetSpent
        {
            tuned.status = TuningStatus::BudgetSpent;
        }
        tuned.evaluations = evaluations;
        tuned.coarse_evaluations = coarse;
        tuned.starts = starts;
        tuned.scalar_criterion = (count > 0).then_some(criterion);
        if let Some(guarded) = guarded {
            tuned.keep(guarded.with_scalar(!is_better), names);
        } else if self.guard == Guard::None && count > 1 && is_better {
            tuned.remarks.push(format!(
                "{count} variables are tuned without a guard: the criterion is no estimate of the error on other rows"
            ));
        }
        if !is_better {
            tuned.remarks.push(Unmoved::NoBetter.remark(names));
        }
        Ok(tuned)
    }

    /// The names of variables of the second stage alone that are no strengths; `None` where there are none.
    fn names_beyond_strengths(&self) -> Option<String> {
        let first = self.in_common();
        let is_later =
            |h: &Hyperparameter| !h.is_strength() && !first.iter().any(|v| v.hyperparameter == *h);
        let others = self.variables.iter().map(|v| v.hyperparameter);
        let others = others.filter(is_later).map(|h| h.name());
        let names: Vec<&str> = others.collect();
        (!names.is_empty()).then(|| names.join(", "))
    }

    /// The choice of ρ, and between vector and scalar, by nested folds.
    fn nested(&self, study: &Study, count: usize) -> Result<Guarded> {
        let rhos: Vec<f64> = match self.guard {
            Guard::Rho(rho) => vec![rho],
            _ => RHOS.iter().map(|rho| rho / count as f64).collect(),
        };
        let nests = nests(study)?;
        let kept = self.kept(Some(study))?;
        let of_nest = |(number, nest): (usize, &Nest)| {
            let kept = kept.as_ref().map(|kept| kept.of_outer_fold(number));
            self.outer_criteria(nest, &rhos, kept.as_ref())
        };
        let table = nests.par_iter().enumerate().map(of_nest);
        let table: Vec<Vec<f64>> = table.collect::<Result<_>>()?;
        Ok(Guarded::of(&table, &rhos))
    }

    /// On the outer rows of a nest: the criterion of the scalar that was tuned on the inner ones, and that
    /// of the vector for every ρ; NaN where there is no solution.
    fn outer_criteria(
        &self,
        nest: &Nest,
        rhos: &[f64],
        kept: Option<&Kept<'_>>,
    ) -> Result<Vec<f64>> {
        let problems = self.with_strengths(nest.inner.clone())?;
        let outer = self.with_strengths(vec![nest.outer.clone()])?.remove(0);
        let criterion = self.criterion(&problems, None, kept);
        let space = self.space(&self.variables, &problems)?;
        let common = self.common_space(&space, &problems)?;
        let scalar = Tuning {
            space: &common,
            criterion: &criterion,
            objective: Objective::of(&problems[0]),
            budget: NESTED_EVALUATIONS,
            looks_around: true,
            progress: None,
        };
        let Some(found) = scalar.run()?.search.outcome() else {
            return Ok(vec![f64::NAN; rhos.len() + 1]);
        };
        let mut points = vec![common.chosen(&found.place)];
        let base = Tuning {
            space: &space,
            ..scalar
        };
        let places = starts(&base, &common, &points[0])?;
        for &rho in rhos {
            let vector = Tuning {
                objective: base.objective.penalized(space.vectors(), rho),
                ..base
            };
            let found = vector.run_from(&places)?.search.outcome();
            points
                .push(found.map_or_else(|| points[0].clone(), |found| space.chosen(&found.place)));
        }
        let settings = Settings {
            method: None,
            ..criterion.settings.clone()
        };
        let outcomes =
            Fold::new(&outer).evaluate(&settings, &self.resources.control, &points, None)?;
        let solved = |outcome: &Outcome| {
            if outcome.is_solved() {
                outcome.criterion
            } else {
                f64::NAN
            }
        };
        Ok(outcomes.iter().map(solved).collect())
    }
}

/// The starts of two searches, the best first.
fn ranked(searched: [&Searched; 2], starts: [Vec<Start>; 2]) -> Vec<Start> {
    let values = searched.into_iter().flat_map(Searched::values);
    let mut all: Vec<(f64, Start)> = values.zip(starts.into_iter().flatten()).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all.into_iter().map(|(_, start)| start).collect()
}

impl Tuned {
    /// Keeps the choice of a guard, and says what it was.
    fn keep(&mut self, guarded: Guarded, names: Option<&str>) {
        let estimate = guarded.estimate();
        self.nested_criterion = estimate.is_finite().then_some(estimate);
        self.remarks.push(guarded.remark(names));
        self.guarded = Some(guarded);
    }
}

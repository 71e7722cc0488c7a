//! The choice among points: the minimum of the mean criterion, and the one-standard-error choices.

use super::record::{Number, Study};
use super::summary::PointSummary;

/// The distance of a mean support from the smallest at which it still counts as equal.
const EQUAL_SUPPORT: f64 = 0.5;

/// A rule by which one point of a target is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The best mean.
    Best,
    /// The sparsest within one standard error of the best.
    OneStandardError,
    /// The strongest within one standard error of the best on the path of the best, as glmnet's
    /// `lambda.1se`.
    GlmnetOneStandardError,
}

/// The choice among the points of one target; places are into the summaries.
///
/// Candidates are the points with the fewest cells that failed, which are those without any unless every
/// point has some: a mean that lacks a fold is not to be compared with one over all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// The target.
    pub target: usize,
    /// The smallest mean criterion; at equal ones the smaller mean support, then the first.
    pub best: usize,
    /// Among the points whose mean is at most the best's mean plus its standard error, the one with
    /// the smallest mean support. Supports within half a coefficient of the smallest count as equal,
    /// and so do all of a ridge or a box; among equals the largest l1 is taken, then the largest λ₂,
    /// then the smallest mean. `None` with a single fold.
    pub one_standard_error: Option<usize>,
    /// The same where the support does not count, among the points on the path of the best: those of
    /// its l1 ratio, or of its λ₂, and for a ridge or a box all. `None` with a single fold.
    pub glmnet_one_standard_error: Option<usize>,
}

impl Choice {
    /// The place of the point that a rule chooses; `None` without a standard error.
    #[must_use]
    pub fn by(&self, rule: Rule) -> Option<usize> {
        match rule {
            Rule::Best => Some(self.best),
            Rule::OneStandardError => self.one_standard_error,
            Rule::GlmnetOneStandardError => self.glmnet_one_standard_error,
        }
    }
}

/// The choices for every target that has a point with a finite criterion.
#[must_use]
pub fn choose(study: &Study, summaries: &[PointSummary]) -> Vec<Choice> {
    choose_by(study, summaries, Number::Criterion)
}

/// The same by another number, with the standard errors of its means in the summaries; of one that is
/// better the larger it is, the largest mean is the best.
#[must_use]
pub fn choose_by(study: &Study, summaries: &[PointSummary], by: Number) -> Vec<Choice> {
    (0..study.targets.len())
        .filter_map(|target| choose_for(target, study, summaries, by))
        .collect()
}

fn choose_for(
    target: usize,
    study: &Study,
    summaries: &[PointSummary],
    by: Number,
) -> Option<Choice> {
    let sign = if by.is_better_larger() { -1.0 } else { 1.0 };
    let mean = |at: &usize| sign * summaries[*at].means[by];
    let support = |at: &usize| summaries[*at].means[Number::Support];
    let point = |at: &usize| &study.points[summaries[*at].point];
    let mut candidates: Vec<usize> = (0..summaries.len())
        .filter(|at| point(at).target == target && mean(at).is_finite())
        .collect();
    let fewest = candidates.iter().map(|&at| summaries[at].failed).min()?;
    candidates.retain(|&at| summaries[at].failed == fewest);
    let best = candidates.iter().copied().min_by(|a, b| {
        mean(a)
            .total_cmp(&mean(b))
            .then(support(a).total_cmp(&support(b)))
            .then(a.cmp(b))
    })?;
    let error = summaries[best].standard_error;
    if !error.is_finite() {
        return Some(Choice {
            target,
            best,
            one_standard_error: None,
            glmnet_one_standard_error: None,
        });
    }
    let limit = mean(&best) + error;
    candidates.retain(|at| mean(at) <= limit);
    let smallest = candidates.iter().map(support).fold(f64::INFINITY, f64::min);
    let ignores_support = has_no_sparsity(target, study);
    // No strength is a negative zero once it has been stored.
    let l1 = |at: &usize| point(at).l1 + 0.0;
    let l2 = |at: &usize| point(at).l2 + 0.0;
    let strongest = |among: &dyn Fn(&usize) -> bool| {
        let among = candidates.iter().copied().filter(among);
        among.min_by(|a, b| {
            l1(b)
                .total_cmp(&l1(a))
                .then(l2(b).total_cmp(&l2(a)))
                .then(mean(a).total_cmp(&mean(b)))
                .then(a.cmp(b))
        })
    };
    let is_sparse = |at: &usize| ignores_support || support(at) <= smallest + EQUAL_SUPPORT;
    let is_on_path = |at: &usize| match (point(at).ratio, point(&best).ratio) {
        (Some(own), Some(of_best)) => own.1 == of_best.1,
        _ => ignores_support || l2(at) == l2(&best),
    };
    Some(Choice {
        target,
        best,
        one_standard_error: strongest(&is_sparse),
        glmnet_one_standard_error: strongest(&is_on_path),
    })
}

/// Whether nothing in the study makes coefficients zero: a ridge, or a box, whose support counts those
/// between the bounds.
fn has_no_sparsity(target: usize, study: &Study) -> bool {
    let is_box = study
        .settings
        .lines()
        .any(|line| line.starts_with("penalty = box"));
    let mut points = study.points.iter().filter(|point| point.target == target);
    is_box || points.all(|point| point.l1 == 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Status;
    use crate::sweep::record::{Numbers, PlanPoint};

    fn summary(point: usize, mean: f64, error: f64, support: f64) -> PointSummary {
        let mut means = Numbers::default();
        means[Number::Criterion] = mean;
        means[Number::Support] = support;
        PointSummary {
            point,
            folds: 5,
            failed: 0,
            means,
            standard_error: error,
            status: Status::Converged,
            hypergradient_l1_vector: Vec::new(),
            criteria: Vec::new(),
            warnings: Vec::new(),
            single: None,
        }
    }

    fn study(points: usize) -> Study {
        let point = PlanPoint {
            l1: 1.0,
            l2: 0.0,
            ratio: None,
            target: 0,
        };
        Study {
            targets: vec!["y".into()],
            points: vec![point; points],
            ..Study::default()
        }
    }

    #[test]
    fn the_sparser_model_within_one_standard_error_is_taken() {
        // Sparser towards the front; the last is beyond the best, as dense as can be.
        let summaries = [
            summary(0, 9.0, 0.1, 0.0),
            summary(1, 1.4, 0.1, 2.0),
            summary(2, 1.5, 0.1, 3.0),
            summary(3, 1.0, 0.45, 6.0),
            summary(4, 1.1, 0.1, 9.0),
        ];
        let choice = choose(&study(5), &summaries)[0];
        assert_eq!(choice.best, 3);
        assert_eq!(choice.one_standard_error, Some(1), "not the denser 4");
    }

    /// A study of points with these strengths.
    fn study_of(strengths: &[(f64, f64)], settings: &str) -> Study {
        let mut study = study(strengths.len());
        for (point, &(l1, l2)) in study.points.iter_mut().zip(strengths) {
            (point.l1, point.l2) = (l1, l2);
        }
        study.settings = settings.into();
        study
    }

    #[test]
    fn among_equal_supports_the_strongest_is_taken() {
        // A mean support over folds need not fall with l1.
        let strengths = [(0.3, 0.0), (0.2, 0.0), (0.1, 0.0), (0.05, 0.0)];
        let of = |supports: [f64; 4]| {
            let means = [1.3, 1.2, 1.1, 1.0];
            let one = |at: usize| summary(at, means[at], 0.5, supports[at]);
            let summaries = [0, 1, 2, 3].map(one);
            choose(&study_of(&strengths, ""), &summaries)[0].one_standard_error
        };
        assert_eq!(of([3.4, 3.2, 3.1, 3.0]), Some(0), "within a half");
        assert_eq!(of([3.6, 3.5, 3.1, 3.0]), Some(1));
        assert_eq!(of([3.0, 3.0, 2.0, 3.0]), Some(2));
        // Equal l1: the larger λ₂, then the smaller mean.
        let strengths = [(0.2, 0.1), (0.2, 0.3), (0.2, 0.3), (0.1, 9.0)];
        let summaries = [0, 1, 2, 3].map(|at| summary(at, 1.0 - 0.1 * at as f64, 0.5, 2.0));
        let choice = choose(&study_of(&strengths, ""), &summaries)[0];
        assert_eq!((choice.best, choice.one_standard_error), (3, Some(2)));
    }

    #[test]
    fn all_supports_of_a_ridge_or_a_box_are_equal() {
        let strengths = [(0.0, 10.0), (0.0, 3.0), (0.0, 1.0)];
        let summaries = [
            summary(0, 2.0, 0.5, 9.0),
            summary(1, 1.4, 0.5, 8.0),
            summary(2, 1.0, 0.5, 5.0),
        ];
        let of = |strengths: &[(f64, f64)], settings: &str| {
            choose(&study_of(strengths, settings), &summaries)[0].one_standard_error
        };
        assert_eq!(of(&strengths, "penalty = elastic-net"), Some(1));
        let with_l1 = [(0.1, 10.0), (0.1, 3.0), (0.1, 1.0)];
        assert_eq!(of(&with_l1, "penalty = elastic-net"), Some(2));
        assert_eq!(of(&with_l1, "penalty = box (0123)"), Some(1));
    }

    #[test]
    fn a_point_with_cells_that_failed_is_no_candidate() {
        let mut summaries = [
            summary(0, 1.0, 0.5, 1.0),
            summary(1, 1.5, 0.4, 5.0),
            summary(2, 1.6, 0.4, 4.0),
        ];
        summaries[0].failed = 1;
        let choice = |summaries: &[PointSummary]| {
            let choice = choose(&study(3), summaries)[0];
            (choice.best, choice.one_standard_error)
        };
        assert_eq!(choice(&summaries), (1, Some(2)));
        // Where every point has some, those with the fewest.
        summaries[1].failed = 2;
        summaries[2].failed = 2;
        assert_eq!(choice(&summaries), (0, Some(0)));
    }

    #[test]
    fn ties_and_points_without_a_value() {
        let summaries = [
            summary(0, f64::NAN, f64::NAN, 0.0),
            summary(1, 2.0, 0.5, 4.0),
            summary(2, 2.0, 0.1, 3.0),
            summary(3, 2.05, 0.1, 3.0),
        ];
        let choice = choose(&study(4), &summaries)[0];
        assert_eq!((choice.best, choice.one_standard_error), (2, Some(2)));
        let single = [summary(0, 1.0, f64::NAN, 1.0)];
        assert_eq!(choose(&study(1), &single)[0].one_standard_error, None);
        assert!(choose(&study(1), &summaries[..1]).is_empty());
    }

    #[test]
    fn the_strongest_on_the_path_of_the_best_is_taken_whatever_its_support() {
        let strengths = [(0.4, 0.1), (0.3, 0.1), (0.2, 0.1), (0.5, 0.2)];
        // The sparsest is neither the strongest nor on the path.
        let summaries = [
            summary(0, 1.4, 0.5, 5.0),
            summary(1, 1.2, 0.5, 4.0),
            summary(2, 1.0, 0.5, 4.0),
            summary(3, 1.3, 0.5, 1.0),
        ];
        let mut study = study_of(&strengths, "");
        let choice = choose(&study, &summaries)[0];
        assert_eq!(choice.by(Rule::Best), Some(2));
        assert_eq!(choice.by(Rule::OneStandardError), Some(3));
        assert_eq!(choice.by(Rule::GlmnetOneStandardError), Some(0));
        // A path of one ratio has another λ₂ at each point.
        for (point, ratio) in study.points.iter_mut().zip([0.9, 0.5, 0.5, 0.9]) {
            point.ratio = Some((1.0, ratio));
        }
        let choice = choose(&study, &summaries)[0];
        assert_eq!(choice.glmnet_one_standard_error, Some(1));
        let ridges = study_of(&[(0.0, 2.0), (0.0, 1.0), (0.0, 0.5), (0.0, 9.0)], "");
        let choice = choose(&ridges, &summaries)[0];
        assert_eq!(choice.glmnet_one_standard_error, Some(3));
    }

    #[test]
    fn of_a_score_the_largest_is_the_best() {
        let mut summaries = [
            summary(0, 9.0, 0.1, 1.0),
            summary(1, 8.0, 0.1, 2.0),
            summary(2, 7.0, 0.1, 3.0),
        ];
        for (summary, auc) in summaries.iter_mut().zip([0.85, 0.9, 0.6]) {
            summary.means[Number::Auc] = auc;
        }
        let choice = choose_by(&study(3), &summaries, Number::Auc)[0];
        assert_eq!((choice.best, choice.one_standard_error), (1, Some(0)));
        // An error is best where it is smallest.
        let choice = choose_by(&study(3), &summaries, Number::Criterion)[0];
        assert_eq!(choice.best, 2);
        assert!(choose_by(&study(3), &summaries, Number::Mae).is_empty());
    }
}

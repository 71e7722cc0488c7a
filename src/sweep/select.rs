//! Which point to take: the minimum of the mean criterion, and the one-standard-error choice.

use crate::store::{Number, PointSummary, Study};

/// The choice among the points of one target; places are into the summaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// The target.
    pub target: usize,
    /// The smallest mean criterion; at equal ones the smaller mean support, then the first.
    pub best: usize,
    /// Among the points whose mean is at most the best's mean plus its standard error, the one with
    /// the smallest mean support; at equal ones the smaller mean. `None` with a single fold.
    pub one_standard_error: Option<usize>,
}

/// The choices for every target that has a point with a finite criterion.
#[must_use]
pub fn choose(study: &Study, summaries: &[PointSummary]) -> Vec<Choice> {
    let mean = |at: &usize| summaries[*at].means[Number::Criterion];
    let support = |at: &usize| summaries[*at].means[Number::Support];
    (0..study.targets.len())
        .filter_map(|target| {
            let candidates: Vec<usize> = (0..summaries.len())
                .filter(|&at| study.points[summaries[at].point].target == target)
                .filter(|at| mean(at).is_finite())
                .collect();
            let best = candidates.iter().copied().min_by(|a, b| {
                mean(a)
                    .total_cmp(&mean(b))
                    .then(support(a).total_cmp(&support(b)))
                    .then(a.cmp(b))
            })?;
            let error = summaries[best].standard_error;
            let one_standard_error = if error.is_finite() {
                let limit = mean(&best) + error;
                candidates
                    .iter()
                    .copied()
                    .filter(|at| mean(at) <= limit)
                    .min_by(|a, b| {
                        support(a)
                            .total_cmp(&support(b))
                            .then(mean(a).total_cmp(&mean(b)))
                            .then(a.cmp(b))
                    })
            } else {
                None
            };
            Some(Choice {
                target,
                best,
                one_standard_error,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Status;
    use crate::store::{Numbers, PlanPoint};

    fn summary(point: usize, mean: f64, error: f64, support: f64) -> PointSummary {
        let mut means = Numbers::default();
        means[Number::Criterion] = mean;
        means[Number::Support] = support;
        PointSummary {
            point,
            folds: 5,
            means,
            standard_error: error,
            status: Status::Converged,
            hypergradient_l1_vector: Vec::new(),
            criteria: Vec::new(),
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
}

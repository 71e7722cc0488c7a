//! The objective φ of a tuning, made of the criterion and of what keeps many strengths together.

use std::ops::Range;

use super::criterion::Evaluated;
use super::descent::Value;
use crate::model::loss::Loss;
use crate::problem::Problem;
use crate::real::sum_of;

/// The function that is minimised over θ, the logarithms of strengths:
///
/// ```text
/// φ(θ) = log Ē + ½ ρ Σ_j (θ_j − θ̄)²
/// ```
///
/// with −log(−Ē) in place of log Ē where the criterion is to be large, and Ē itself of a quadratic form,
/// which has any sign. The sum is over the variables of one vector, θ̄ their mean.
#[derive(Debug, Clone)]
pub(super) struct Objective {
    scale: Scale,
    /// The variables that are kept together, and ρ.
    together: Option<(Range<usize>, f64)>,
}

#[derive(Debug, Clone, Copy)]
enum Scale {
    /// The sign of the criterion's loss.
    Logarithm(f64),
    Plain,
}

impl Objective {
    /// That of a problem's criterion alone.
    pub(super) fn of(problem: &Problem) -> Self {
        let scale = if problem.criterion().loss == Loss::Quadratic {
            Scale::Plain
        } else {
            Scale::Logarithm(problem.criterion().sign.factor())
        };
        Self {
            scale,
            together: None,
        }
    }

    /// The same with variables kept together by ρ.
    pub(super) fn together(&self, variables: Range<usize>, rho: f64) -> Self {
        Self {
            together: (rho > 0.0).then_some((variables, rho)),
            ..self.clone()
        }
    }

    /// φ and its slope at a place, of a criterion and its slope there; `None` where one is missing.
    pub(super) fn value(&self, place: &[f64], evaluated: &Evaluated) -> Option<Value> {
        let slope = evaluated.slope.as_ref()?;
        let criterion = evaluated.criterion;
        let mut value = match self.scale {
            Scale::Plain => Value {
                value: criterion,
                slope: slope.clone(),
            },
            // A criterion of zero cannot be improved.
            Scale::Logarithm(_) if criterion == 0.0 => Value {
                value: f64::MIN_POSITIVE.ln(),
                slope: vec![0.0; slope.len()],
            },
            Scale::Logarithm(sign) => Value {
                value: sign * (sign * criterion).ln(),
                slope: slope.iter().map(|s| s / (sign * criterion)).collect(),
            },
        };
        if let Some((range, rho)) = &self.together {
            let own = &place[range.clone()];
            let mean = mean(own);
            value.value += self.apart(place);
            for (slope, x) in value.slope[range.clone()].iter_mut().zip(own) {
                *slope += rho * (x - mean);
            }
        }
        let is_finite = value.value.is_finite() && value.slope.iter().all(|s| s.is_finite());
        is_finite.then_some(value)
    }

    /// The part of φ that keeps variables together.
    fn apart(&self, place: &[f64]) -> f64 {
        let Some((range, rho)) = &self.together else {
            return 0.0;
        };
        let own = &place[range.clone()];
        let mean = mean(own);
        0.5 * rho * sum_of(own.len(), |at| (own[at] - mean).powi(2))
    }

    /// Ē of a value φ at a place.
    pub(super) fn criterion(&self, place: &[f64], value: f64) -> f64 {
        let value = value - self.apart(place);
        match self.scale {
            Scale::Plain => value,
            Scale::Logarithm(sign) => sign * (sign * value).exp(),
        }
    }
}

fn mean(values: &[f64]) -> f64 {
    sum_of(values.len(), |at| values[at]) / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluated(criterion: f64, slope: Vec<f64>) -> Evaluated {
        Evaluated {
            criterion,
            by_fold: vec![criterion],
            slope: Some(slope),
            warm: Vec::new(),
            kink_margin: None,
            not_unique: None,
        }
    }

    fn objective(sign: f64) -> Objective {
        Objective {
            scale: Scale::Logarithm(sign),
            together: None,
        }
    }

    #[test]
    fn logarithms_there_and_back() {
        for (sign, criterion) in [(1.0, 3.0), (-1.0, -3.0)] {
            let value = objective(sign)
                .value(&[0.0], &evaluated(criterion, vec![6.0]))
                .unwrap();
            assert!((value.value - sign * 3f64.ln()).abs() < 1e-15);
            // d(sign·log(sign·E)) = dE/(sign·E)
            assert!((value.slope[0] - 2.0).abs() < 1e-15);
            assert!((objective(sign).criterion(&[0.0], value.value) - criterion).abs() < 1e-12);
        }
        assert!(
            objective(1.0)
                .value(&[0.0], &evaluated(f64::NAN, vec![1.0]))
                .is_none()
        );
        assert_eq!(
            objective(1.0)
                .value(&[0.0], &evaluated(0.0, vec![1.0]))
                .unwrap()
                .slope,
            [0.0]
        );
    }

    #[test]
    fn what_is_apart_costs_and_its_slope_is_exact() {
        let objective = objective(1.0).together(0..3, 0.7);
        let at = |place: &[f64]| {
            objective
                .value(place, &evaluated(1.0, vec![0.0; 4]))
                .unwrap()
        };
        let place = [0.5, -1.0, 2.0, 9.0];
        let value = at(&place);
        for j in 0..4 {
            let (mut up, mut down) = (place, place);
            up[j] += 1e-6;
            down[j] -= 1e-6;
            let difference = (at(&up).value - at(&down).value) / 2e-6;
            assert!((difference - value.slope[j]).abs() < 1e-8, "{j}");
        }
        assert!((objective.criterion(&place, value.value) - 1.0).abs() < 1e-12);
        assert_eq!(at(&[2.0, 2.0, 2.0, 5.0]).value, 0.0);
    }
}

//! The objective φ of a tuning: the criterion, and a penalty on how far the strengths of a vector spread.

use std::sync::{Arc, OnceLock};

use super::criterion::Evaluated;
use super::descent::Value;
use super::spread::Spread;
use crate::model::loss::Loss;
use crate::problem::Problem;
use crate::real::sum_of;

/// The function that is minimised over θ, the logarithms of strengths or a prior in its unit:
///
/// ```text
/// φ(θ) = log Ē + ½ ρ Σ_j (θ_j − θ̄)²
/// ```
///
/// with −log(−Ē) in place of log Ē where the criterion is to be large, and Ē/|Ē₀| of a quadratic form,
/// which has any sign: Ē₀ is the first criterion that is not zero. The sum is over the variables of every
/// vector, θ̄ the mean of its own, or of a prior its start.
#[derive(Debug, Clone)]
pub(super) struct Objective {
    scale: Scale,
    spread: Option<SpreadPenalty>,
}

#[derive(Debug, Clone)]
enum Scale {
    /// The logarithm, and the sign of the criterion's loss.
    Logarithm(f64),
    /// Multiples of a unit, |Ē₀|, which all clones of an objective share.
    Units(Arc<OnceLock<f64>>),
}

/// The logarithm that stands for a criterion of zero.
fn log_of_zero() -> f64 {
    f64::MIN_POSITIVE.ln()
}

impl Scale {
    /// The scaled criterion, and what its derivatives are divided by; `None` where these are zero.
    fn scaled(&self, criterion: f64) -> (f64, Option<f64>) {
        match self {
            Self::Units(unit) => {
                let unit = if criterion.is_finite() && criterion != 0.0 {
                    *unit.get_or_init(|| criterion.abs())
                } else {
                    unit.get().copied().unwrap_or(1.0)
                };
                (criterion / unit, Some(unit))
            }
            // The least that a loss can be, and the worst of what is to be large.
            Self::Logarithm(sign) if criterion == 0.0 => (sign * log_of_zero(), None),
            Self::Logarithm(sign) => {
                let size = sign * criterion;
                (sign * size.ln(), Some(size))
            }
        }
    }

    /// The criterion of a scaled one.
    fn criterion(&self, scaled: f64) -> f64 {
        match self {
            Self::Units(unit) => scaled * unit.get().copied().unwrap_or(1.0),
            Self::Logarithm(sign) if sign * scaled <= log_of_zero() => 0.0,
            Self::Logarithm(sign) => sign * (sign * scaled).exp(),
        }
    }
}

/// ½ ρ Σ_j (θ_j − θ̄)² over the variables of every vector.
#[derive(Debug, Clone)]
struct SpreadPenalty {
    vectors: Vec<Spread>,
    rho: f64,
}

impl SpreadPenalty {
    fn value(&self, place: &[f64]) -> f64 {
        let of_vector = |vector: &Spread| {
            let own = vector.differences(place);
            0.5 * self.rho * sum_of(own.len(), |at| own[at].powi(2))
        };
        self.vectors.iter().map(of_vector).sum()
    }

    /// Adds so many times its slope.
    fn add_slope(&self, factor: f64, place: &[f64], slope: &mut [f64]) {
        for vector in &self.vectors {
            let own = vector.differences(place);
            for (slope, x) in slope[vector.entries.clone()].iter_mut().zip(own) {
                *slope += factor * self.rho * x;
            }
        }
    }
}

impl Objective {
    /// The objective of a problem's criterion alone.
    pub(super) fn of(problem: &Problem) -> Self {
        let scale = if problem.criterion().loss == Loss::Quadratic {
            Scale::Units(Arc::default())
        } else {
            Scale::Logarithm(problem.criterion().sign.factor())
        };
        Self {
            scale,
            spread: None,
        }
    }

    /// The same with a penalty ρ on how far the variables of vectors spread.
    pub(super) fn penalized(&self, vectors: Vec<Spread>, rho: f64) -> Self {
        Self {
            spread: (rho > 0.0).then_some(SpreadPenalty { vectors, rho }),
            ..self.clone()
        }
    }

    /// Whether there is such a penalty.
    pub(super) fn is_penalized(&self) -> bool {
        self.spread.is_some()
    }

    /// φ and its slope at a place, of a criterion and its slope there; `None` where one is missing.
    pub(super) fn value(&self, place: &[f64], evaluated: &Evaluated) -> Option<Value> {
        let slope = evaluated.slope.as_ref()?;
        let mut value = self.of_criterion(evaluated.criterion, slope)?;
        if let Some(spread) = &self.spread {
            value.value += spread.value(place);
            spread.add_slope(1.0, place, &mut value.slope);
        }
        value.is_finite().then_some(value)
    }

    /// The scaled criterion and its slope, without any penalty; `None` where one is not finite.
    pub(super) fn of_criterion(&self, criterion: f64, slope: &[f64]) -> Option<Value> {
        let (value, size) = self.scale.scaled(criterion);
        let slope = slope.iter().map(|s| size.map_or(0.0, |size| s / size));
        let value = Value {
            value,
            slope: slope.collect(),
        };
        value.is_finite().then_some(value)
    }

    /// Ē of a value φ at a place.
    pub(super) fn criterion(&self, place: &[f64], value: f64) -> f64 {
        let spread = self
            .spread
            .as_ref()
            .map_or(0.0, |spread| spread.value(place));
        self.scale.criterion(value - spread)
    }

    /// The slope of the criterion's part of φ, of the slope of φ at a place.
    pub(super) fn criterion_slope(&self, place: &[f64], slope: &[f64]) -> Vec<f64> {
        let mut slope = slope.to_vec();
        if let Some(spread) = &self.spread {
            spread.add_slope(-1.0, place, &mut slope);
        }
        slope
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;
    use crate::tune::spread::About;

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
            spread: None,
        }
    }

    fn spread(entries: Range<usize>, about: About) -> Spread {
        Spread { entries, about }
    }

    /// Classes' weights are kept near their mean, with that of the first class, which has no place.
    #[test]
    fn the_first_class_counts_too() {
        let objective = objective(1.0).penalized(vec![spread(0..2, About::MeanWithZero)], 0.6);
        let at = |place: &[f64]| {
            objective
                .value(place, &evaluated(1.0, vec![0.0; 2]))
                .unwrap()
        };
        let value = at(&[1.0, -4.0]);
        // The mean of 0, 1 and −4 is −1.
        assert!((value.value - 0.3 * (1.0 + 4.0 + 9.0)).abs() < 1e-12);
        assert!((value.slope[0] - 1.2).abs() < 1e-12 && (value.slope[1] + 1.8).abs() < 1e-12);
    }

    /// A prior is kept near its start, a vector of strengths near its mean.
    #[test]
    fn a_prior_is_kept_near_its_start() {
        let own = spread(1..3, About::Place(vec![1.0, -2.0]));
        let objective = objective(1.0).penalized(vec![own], 0.5);
        let at = |place: &[f64]| {
            objective
                .value(place, &evaluated(1.0, vec![0.0; 3]))
                .unwrap()
        };
        assert_eq!(at(&[7.0, 1.0, -2.0]).value, 0.0);
        let value = at(&[7.0, 3.0, -3.0]);
        assert_eq!((value.value, value.slope), (1.25, vec![0.0, 1.0, -0.5]));
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
    fn what_is_spread_costs_and_its_slope_is_exact() {
        let objective = objective(1.0).penalized(vec![spread(0..3, About::Mean)], 0.7);
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
        // The criterion's own slope is zero here.
        for slope in objective.criterion_slope(&place, &value.slope) {
            assert_eq!(slope, 0.0);
        }
    }

    /// A loss of zero is the best of what is to be small, and the worst of what is to be large.
    #[test]
    fn zero_is_at_the_right_end() {
        for (sign, other) in [(1.0, 1e-300), (-1.0, -1e-300)] {
            let objective = objective(sign);
            let zero = objective.value(&[0.0], &evaluated(0.0, vec![1.0])).unwrap();
            let other = objective
                .value(&[0.0], &evaluated(other, vec![1.0]))
                .unwrap();
            assert_eq!(zero.value < other.value, sign > 0.0);
            assert_eq!(zero.slope, [0.0]);
            assert_eq!(objective.criterion(&[0.0], zero.value), 0.0);
        }
    }

    #[test]
    fn a_form_of_any_sign_is_in_units_of_its_first_value() {
        let objective = Objective {
            scale: Scale::Units(Arc::default()),
            spread: None,
        };
        let at = |criterion: f64| {
            objective
                .value(&[0.0], &evaluated(criterion, vec![8.0]))
                .unwrap()
        };
        // Zero says nothing of the unit.
        assert_eq!(at(0.0).value, 0.0);
        let first = at(-4e6);
        assert_eq!((first.value, first.slope[0]), (-1.0, 2e-6));
        let later = objective.penalized(vec![spread(0..1, About::Mean)], 3.0);
        let second = later.value(&[0.0], &evaluated(6e6, vec![0.0])).unwrap();
        assert_eq!(second.value, 1.5);
        assert_eq!(later.criterion(&[0.0], 1.5), 6e6);
    }
}

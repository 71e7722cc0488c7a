//! The set of perturbations that a budget allows.

use crate::data::Dense;
use crate::data::random::Random;
use crate::linalg::vector::norm;

/// The norm in which a row's perturbation is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Norm {
    /// Every entry on its own.
    #[default]
    LInf,
    /// The Euclidean length of a row's perturbation.
    L2,
}

impl Norm {
    /// The name that flags and JSON use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LInf => "linf",
            Self::L2 => "l2",
        }
    }

    /// The dual norm of a slope: how fast the criterion grows per unit of budget.
    #[must_use]
    pub fn dual(self, slope: &[f64]) -> f64 {
        match self {
            Self::LInf => slope.iter().map(|s| s.abs()).sum(),
            Self::L2 => norm(slope),
        }
    }
}

/// Perturbations of at most `radius` per row that keep values in a range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ball {
    /// The norm.
    pub norm: Norm,
    /// The budget.
    pub radius: f64,
    /// The values that x + P may take.
    pub range: Option<(f64, f64)>,
}

impl Ball {
    /// A random perturbation: ℓ∞ uniform in the cube, ℓ2 uniform in the ball; kept in the range.
    #[must_use]
    pub fn draw(&self, base: &Dense, random: &mut Random) -> Vec<f64> {
        self.draw_with(base, random, false)
    }

    /// A random perturbation that spends the whole budget: a corner of the cube, a point of the
    /// sphere; kept in the range.
    #[must_use]
    pub fn draw_on_boundary(&self, base: &Dense, random: &mut Random) -> Vec<f64> {
        self.draw_with(base, random, true)
    }

    fn draw_with(&self, base: &Dense, random: &mut Random, on_boundary: bool) -> Vec<f64> {
        let d = base.columns;
        let mut out = Vec::with_capacity(base.values.len());
        for i in 0..base.rows {
            match self.norm {
                Norm::LInf => {
                    let entry = |_| match 2.0 * random.uniform() - 1.0 {
                        share if on_boundary => self.radius.copysign(share),
                        share => self.radius * share,
                    };
                    out.extend((0..d).map(entry));
                }
                Norm::L2 => {
                    let start = out.len();
                    out.extend((0..d).map(|_| random.normal()));
                    let share = random.uniform().powf(1.0 / d as f64);
                    let length = self.radius * if on_boundary { 1.0 } else { share };
                    let row = &mut out[start..];
                    let drawn = norm(row);
                    row.iter_mut().for_each(|p| *p *= length / drawn);
                }
            }
            self.keep_in_range(base.row(i), &mut out[i * d..]);
        }
        out
    }

    /// The nearest perturbation that is allowed: exactly so for ℓ∞; for ℓ2 the range is met first
    /// and the length after, which leaves the range met when it holds the row itself.
    pub fn project(&self, base: &Dense, perturbation: &mut [f64]) {
        for (i, p) in perturbation.chunks_exact_mut(base.columns).enumerate() {
            match self.norm {
                Norm::LInf => p
                    .iter_mut()
                    .for_each(|p| *p = p.clamp(-self.radius, self.radius)),
                Norm::L2 => {}
            }
            self.keep_in_range(base.row(i), p);
            if self.norm == Norm::L2 {
                let spent = norm(p);
                if spent > self.radius {
                    p.iter_mut().for_each(|p| *p *= self.radius / spent);
                }
            }
        }
    }

    /// Moves a perturbation by `length` along the steepest ascent of its norm.
    pub fn ascend(&self, slope: &[f64], length: f64, d: usize, perturbation: &mut [f64]) {
        for (p, slope) in perturbation.chunks_exact_mut(d).zip(slope.chunks_exact(d)) {
            match self.norm {
                Norm::LInf => {
                    for (p, s) in p.iter_mut().zip(slope) {
                        if *s != 0.0 {
                            *p += length * s.signum();
                        }
                    }
                }
                Norm::L2 => {
                    let norm = Norm::L2.dual(slope);
                    if norm > 0.0 {
                        for (p, s) in p.iter_mut().zip(slope) {
                            *p += length * s / norm;
                        }
                    }
                }
            }
        }
    }

    fn keep_in_range(&self, row: &[f64], perturbation: &mut [f64]) {
        if let Some((low, high)) = self.range {
            for (p, &x) in perturbation.iter_mut().zip(row) {
                *p = p.clamp(low - x, high - x);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Dense {
        Dense::new(2, 3, vec![0.0, 0.9, -0.95, 0.5, -0.5, 1.0]).unwrap()
    }

    fn allowed(ball: &Ball, p: &[f64]) -> bool {
        let base = base();
        let within = p.chunks_exact(3).all(|p| match ball.norm {
            Norm::LInf => p.iter().all(|p| p.abs() <= ball.radius + 1e-12),
            Norm::L2 => Norm::L2.dual(p) <= ball.radius + 1e-12,
        });
        let in_range = ball.range.is_none_or(|(low, high)| {
            let valid = |(p, x): (&f64, &f64)| (low - 1e-12..=high + 1e-12).contains(&(p + x));
            p.iter().zip(&base.values).all(valid)
        });
        within && in_range
    }

    #[test]
    fn draws_and_projections_are_allowed_and_the_projection_is_idempotent() {
        let mut random = Random::new(1, 0);
        for norm in [Norm::LInf, Norm::L2] {
            for range in [None, Some((-1.0, 1.0))] {
                let ball = Ball {
                    norm,
                    radius: 0.3,
                    range,
                };
                assert!(allowed(&ball, &ball.draw(&base(), &mut random)));
                let outer = ball.draw_on_boundary(&base(), &mut random);
                assert!(allowed(&ball, &outer));
                if range.is_none() {
                    let spends_all = |p: &[f64]| match norm {
                        Norm::LInf => p.iter().all(|p| p.abs() == ball.radius),
                        Norm::L2 => (Norm::L2.dual(p) / ball.radius - 1.0).abs() < 1e-14,
                    };
                    assert!(outer.chunks_exact(3).all(spends_all), "{outer:?}");
                    assert!(outer.iter().any(|p| *p < 0.0) && outer.iter().any(|p| *p > 0.0));
                }
                let mut p: Vec<f64> = (0..6).map(|_| 2.0 * random.normal()).collect();
                ball.project(&base(), &mut p);
                assert!(allowed(&ball, &p), "{ball:?} {p:?}");
                let once = p.clone();
                ball.project(&base(), &mut p);
                let close = once.iter().zip(&p).all(|(a, b)| (a - b).abs() < 1e-15);
                assert!(close);
                // Something is left of it.
                assert!(Norm::L2.dual(&p) > 0.05);
            }
        }
    }

    #[test]
    fn the_ascent_gains_the_dual_norm_per_unit_of_length() {
        let slope = [0.5, -2.0, 0.0, 1.0, 1.0, -1.0];
        for norm in [Norm::LInf, Norm::L2] {
            let ball = Ball {
                norm,
                radius: 1.0,
                range: None,
            };
            let mut p = vec![0.0; 6];
            ball.ascend(&slope, 0.1, 3, &mut p);
            let gain: f64 = p.iter().zip(&slope).map(|(p, s)| p * s).sum();
            let dual: f64 = slope.chunks_exact(3).map(|s| norm.dual(s)).sum();
            assert!((gain - 0.1 * dual).abs() < 1e-14);
        }
    }
}

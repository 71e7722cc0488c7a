//! Spaces of hyperparameters: what a sweep evaluates, before it knows the data.
//!
//! An [`Axis`] is a list of values, of ranges, or of both. A [`Space`] has an axis for each
//! strength, in one of two parametrisations,
//!
//! ```text
//! strengths   l1, λ₂
//! ratio       l1 = α ρ ,  λ₂ = α (1 − ρ)          α: alpha, ρ: l1_ratio, as in scikit-learn
//! ```
//!
//! and becomes points by a grid, at random, or by a Sobol sequence.

use std::str::FromStr;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::sobol::Sobol;
use crate::error::{Error, Result};

/// The most values that one axis may name: a slip such as `log:1e-3:1:1e9` is a mistake.
const LONGEST_AXIS: usize = 1_000_000;

/// A hair above a fraction of l1_max, so that at 1 rounding lets no coefficient in.
const ABOVE: f64 = 1.0 + 1e-12;

/// One entry of an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Entry {
    Value(f64),
    Range {
        spacing: Spacing,
        low: f64,
        high: f64,
        count: usize,
    },
}

/// The spacing of the values of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spacing {
    /// Equally.
    Linear,
    /// Equally in the logarithm.
    Logarithmic,
    /// Equally in the logarithm, in units of l1_max of the data.
    Fraction,
}

/// Values of one hyperparameter: numbers and ranges `log:LO:HI:N`, `lin:LO:HI:N`, `frac:LO:HI:N`,
/// separated by commas. They are finite and not negative.
///
/// `frac` is a logarithmic range in units of l1_max, the smallest l1 at which all coefficients
/// are zero.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    entries: Vec<Entry>,
}

impl Axis {
    /// An axis of these values.
    #[must_use]
    pub fn of_values(values: &[f64]) -> Self {
        Self {
            entries: values.iter().map(|&value| Entry::Value(value)).collect(),
        }
    }

    /// True when the values depend on l1_max of the data.
    #[must_use]
    pub fn needs_l1_max(&self) -> bool {
        let is_fraction = |entry: &Entry| {
            matches!(
                entry,
                Entry::Range {
                    spacing: Spacing::Fraction,
                    ..
                }
            )
        };
        self.entries.iter().any(is_fraction)
    }

    /// The values in the order of the text; fractions are of `l1_max`.
    #[must_use]
    pub fn values(&self, l1_max: f64) -> Vec<f64> {
        self.values_by(&|fraction| fraction * l1_max)
    }

    /// The same with the value of a fraction of l1_max.
    fn values_by(&self, of_fraction: &dyn Fn(f64) -> f64) -> Vec<f64> {
        let mut values = Vec::new();
        for entry in &self.entries {
            match *entry {
                Entry::Value(value) => values.push(value),
                Entry::Range {
                    spacing,
                    low,
                    high,
                    count,
                } => values.extend((0..count).map(|at| {
                    let share = match count {
                        1 => 0.0,
                        _ => at as f64 / (count - 1) as f64,
                    };
                    spacing.value(low, high, share, of_fraction)
                })),
            }
        }
        values
    }

    /// The number of its values.
    fn count(&self) -> usize {
        let of_entry = |entry: &Entry| match entry {
            Entry::Value(_) => 1,
            Entry::Range { count, .. } => *count,
        };
        self.entries.iter().map(of_entry).sum()
    }

    /// The value at a share of the way, for random and Sobol points: through a range, or one of
    /// the listed values; several entries share the way equally.
    fn at_share(&self, share: f64, of_fraction: &dyn Fn(f64) -> f64) -> f64 {
        let count = self.entries.len();
        let scaled = share * count as f64;
        let entry = (scaled as usize).min(count - 1);
        match self.entries[entry] {
            Entry::Value(value) => value,
            Entry::Range {
                spacing, low, high, ..
            } => spacing.value(low, high, scaled - entry as f64, of_fraction),
        }
    }
}

impl Spacing {
    /// The value at a share of the way from `low` to `high`; both ends are exact.
    fn value(self, low: f64, high: f64, share: f64, of_fraction: &dyn Fn(f64) -> f64) -> f64 {
        let logarithmic = || match share {
            0.0 => low,
            1.0 => high,
            _ => low * (high / low).powf(share),
        };
        match self {
            Self::Linear if share == 1.0 => high,
            Self::Linear => low + (high - low) * share,
            Self::Logarithmic => logarithmic(),
            Self::Fraction => of_fraction(ABOVE * logarithmic()),
        }
    }
}

impl FromStr for Axis {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let mut entries = Vec::new();
        let mut length = 0usize;
        for item in text.split(',') {
            let item = item.trim();
            let entry = match item.split_once(':') {
                Some(("log", range)) => range_of("log", Spacing::Logarithmic, range)?,
                Some(("lin", range)) => range_of("lin", Spacing::Linear, range)?,
                Some(("frac", range)) => range_of("frac", Spacing::Fraction, range)?,
                _ => Entry::Value(strength(item)?),
            };
            length += match entry {
                Entry::Value(_) => 1,
                Entry::Range { count, .. } => count,
            };
            if length > LONGEST_AXIS {
                return Err(format!("more than {LONGEST_AXIS} values; give fewer"));
            }
            entries.push(entry);
        }
        Ok(Self { entries })
    }
}

fn range_of(name: &str, spacing: Spacing, range: &str) -> std::result::Result<Entry, String> {
    let parts: Vec<&str> = range.split(':').collect();
    // One fraction is a range of one.
    let parts = match parts.as_slice() {
        &[value] if spacing == Spacing::Fraction => vec![value, value, "1"],
        _ => parts,
    };
    let &[low, high, count] = parts.as_slice() else {
        let kind = match spacing {
            Spacing::Linear => "linear",
            Spacing::Logarithmic => "logarithmic",
            Spacing::Fraction => "relative",
        };
        return Err(format!(
            "a {kind} grid is {name}:LO:HI:N; for example {name}:1e-3:1:10"
        ));
    };
    let (low, high) = (strength(low)?, strength(high)?);
    let count: usize = count
        .parse()
        .ok()
        .filter(|&n| n > 0 && n <= LONGEST_AXIS)
        .ok_or_else(|| {
            format!("'{count}' is not a number of values; give one from 1 to {LONGEST_AXIS}")
        })?;
    if spacing != Spacing::Linear && (low == 0.0 || high == 0.0) {
        return Err(format!(
            "a logarithmic grid cannot hold 0; list 0 apart, as in 0,{name}:1e-3:1:10"
        ));
    }
    let is_reached = (high / low).is_finite() && (low / high).is_finite();
    if spacing != Spacing::Linear && !is_reached {
        return Err(format!(
            "{low:e} and {high:e} are too far apart for a logarithmic grid; bring its ends closer"
        ));
    }
    Ok(Entry::Range {
        spacing,
        low,
        high,
        count,
    })
}

fn strength(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok(value),
        Ok(value) => Err(format!(
            "{value} is not a strength; give a finite number, zero or more"
        )),
        Err(_) => Err(format!(
            "'{text}' is not a number; give a strength, zero or more"
        )),
    }
}

/// The ways to choose points from a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Search {
    /// All pairs, the second axis fastest.
    #[default]
    Grid,
    /// This many points, independent and uniform over the axes.
    Random {
        /// Number of points.
        samples: usize,
    },
    /// This many points of a Sobol sequence with a random digital shift.
    Sobol {
        /// Number of points.
        samples: usize,
    },
}

/// The two parametrisations of the elastic net's strengths.
#[derive(Debug, Clone, PartialEq)]
pub enum Axes {
    /// l1 and λ₂ themselves.
    Strengths {
        /// l1.
        l1: Axis,
        /// λ₂; fractions are of l1_max at λ₂ = 0.
        l2: Axis,
    },
    /// l1 = α ρ, λ₂ = α (1 − ρ).
    Ratio {
        /// α; fractions are such that l1 = α ρ is that fraction of l1_max at λ₂ = α (1 − ρ).
        alpha: Axis,
        /// ρ, greater than 0 and at most 1.
        l1_ratio: Axis,
    },
}

impl Axes {
    /// The slow axis and the fast one.
    fn pair(&self) -> (&Axis, &Axis) {
        match self {
            Self::Strengths { l1, l2 } => (l1, l2),
            Self::Ratio { alpha, l1_ratio } => (alpha, l1_ratio),
        }
    }
}

/// A space of hyperparameters and the way in which it is searched.
#[derive(Debug, Clone, PartialEq)]
pub struct Space {
    /// The axes.
    pub axes: Axes,
    /// The way in which points are chosen.
    pub search: Search,
    /// Seed of random points and of the shift of Sobol points.
    pub seed: u64,
}

/// A point of a space.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpacePoint {
    /// l1.
    pub l1: f64,
    /// λ₂.
    pub l2: f64,
    /// α and ρ, where these were asked for.
    pub ratio: Option<(f64, f64)>,
    /// Points of equal `series` differ in l1 (or α) alone: they form a path. `None` where every
    /// point has its own λ₂ or ρ.
    pub series: Option<usize>,
}

/// The most points of one space: more is a slip.
const MOST_POINTS: usize = 10_000_000;

impl Space {
    /// The points, in the order of the plan; `l1_max` is that of the data at a λ₂.
    ///
    /// # Errors
    /// [`Error::Value`] for a ratio that is not in (0, 1], no points, or too many, and for a fraction
    /// of l1_max that no α reaches.
    pub fn points(&self, l1_max: &dyn Fn(f64) -> f64) -> Result<Vec<SpacePoint>> {
        match self.search {
            Search::Grid => self.grid(l1_max),
            Search::Random { samples } => {
                let mut generator = ChaCha8Rng::seed_from_u64(self.seed);
                self.sampled(samples, l1_max, || generator.random())
            }
            Search::Sobol { samples } => {
                let mut sequence = Sobol::new(self.seed);
                self.sampled(samples, l1_max, || sequence.next_pair())
            }
        }
    }

    /// The number of points.
    ///
    /// # Errors
    /// [`Error::Value`] for none, or too many.
    pub fn count(&self) -> Result<usize> {
        let (slow, fast) = self.axes.pair();
        let count = match self.search {
            Search::Grid => slow.count().saturating_mul(fast.count()),
            Search::Random { samples } | Search::Sobol { samples } => samples,
        };
        check_count(count)?;
        Ok(count)
    }

    /// True when the points depend on l1_max of the data.
    #[must_use]
    pub fn needs_l1_max(&self) -> bool {
        let (slow, fast) = self.axes.pair();
        slow.needs_l1_max() || fast.needs_l1_max()
    }

    fn grid(&self, l1_max: &dyn Fn(f64) -> f64) -> Result<Vec<SpacePoint>> {
        self.count()?;
        let (slow, fast) = self.axes.pair();
        // A fraction depends on λ₂ or ρ: its values are taken for each.
        let fast_values = fast.values(l1_max(0.0));
        let slow_values: Vec<Vec<f64>> = fast_values
            .iter()
            .map(|&value| slow.values_by(&|fraction| self.of_fraction(fraction, l1_max, value)))
            .collect();
        let length = slow.count();
        let mut points = Vec::with_capacity(length * fast_values.len());
        for at in 0..length {
            for (series, &fast) in fast_values.iter().enumerate() {
                points.push(self.point(slow_values[series][at], fast, Some(series))?);
            }
        }
        Ok(points)
    }

    fn sampled(
        &self,
        samples: usize,
        l1_max: &dyn Fn(f64) -> f64,
        mut next: impl FnMut() -> [f64; 2],
    ) -> Result<Vec<SpacePoint>> {
        self.count()?;
        let (slow, fast) = self.axes.pair();
        (0..samples)
            .map(|_| {
                let [a, b] = next();
                let fast = fast.at_share(b, &|fraction| fraction * l1_max(0.0));
                let slow = slow.at_share(a, &|fraction| self.of_fraction(fraction, l1_max, fast));
                self.point(slow, fast, None)
            })
            .collect()
    }

    /// The value of the slow axis at a fraction of l1_max, for one of the fast axis.
    fn of_fraction(&self, fraction: f64, l1_max: &dyn Fn(f64) -> f64, fast: f64) -> f64 {
        match self.axes {
            Axes::Strengths { .. } => fraction * l1_max(fast),
            Axes::Ratio { .. } => alpha_of(fraction, l1_max, fast),
        }
    }

    fn point(&self, slow: f64, fast: f64, series: Option<usize>) -> Result<SpacePoint> {
        match self.axes {
            Axes::Strengths { .. } => Ok(SpacePoint {
                l1: slow,
                l2: fast,
                ratio: None,
                series,
            }),
            Axes::Ratio { .. } => {
                if !(fast > 0.0 && fast <= 1.0) {
                    return Err(Error::value(
                        "l1 ratio",
                        format!("{fast} is not a share of the penalty"),
                        "give numbers greater than 0 and at most 1; for a ridge alone use --l1 0 with --l2",
                    ));
                }
                if !slow.is_finite() {
                    return Err(Error::value(
                        "alpha",
                        format!(
                            "at the l1 ratio {fast} no alpha has the fraction of l1_max, which the prior raises \
                             faster than l1 grows"
                        ),
                        "give alpha as numbers or as log:LO:HI:N, or a larger --l1-ratio",
                    ));
                }
                Ok(SpacePoint {
                    l1: slow * fast,
                    l2: slow * (1.0 - fast),
                    ratio: Some((slow, fast)),
                    series,
                })
            }
        }
    }
}

/// The smallest α with α ρ = fraction · l1_max(α (1 − ρ)); infinite where there is none.
///
/// l1_max is convex in λ₂, so that the left side less the right is concave, and below zero at α = 0.
fn alpha_of(fraction: f64, l1_max: &dyn Fn(f64) -> f64, ratio: f64) -> f64 {
    let reached = |alpha: f64| fraction * l1_max(alpha * (1.0 - ratio)) / ratio;
    let mut high = reached(0.0);
    // Exact where l1_max does not depend on λ₂.
    if reached(high) == high {
        return high;
    }
    while reached(high) > high {
        high *= 2.0;
        if !high.is_finite() {
            return f64::INFINITY;
        }
    }
    let mut low = 0.0;
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return high;
        }
        if reached(middle) > middle {
            low = middle;
        } else {
            high = middle;
        }
    }
}

fn check_count(count: usize) -> Result<()> {
    if (1..=MOST_POINTS).contains(&count) {
        return Ok(());
    }
    Err(Error::value(
        "hyperparameters",
        format!("they make {count} points"),
        format!("give 1 to {MOST_POINTS} points: shorter lists, or fewer --samples"),
    ))
}

#[cfg(test)]
mod tests;

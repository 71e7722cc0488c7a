//! The penalty of one coordinate, and of a block of coordinates: a row of the table with its numbers.

use super::Shrink;
use crate::real::Real;

/// The face of a penalty that a coordinate is on: 0 where it is held fixed, its sign where the
/// penalty has one slope on either side, [`FREE`] where it moves freely.
pub type Face = i8;

/// The face of a coordinate that moves freely.
pub const FREE: Face = 2;

/// The bound that holds a coordinate of u.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Neither: u lies strictly inside.
    Inside,
    /// u is at the upper bound, or above.
    Upper,
    /// u is at the lower bound, or below.
    Lower,
}

/// A row of the table of penalties: functions of one coordinate. γ is the step of the map, `strength`
/// that of the [`Term`], u the argument of the prox.
pub trait CoordinatePenalty {
    /// The penalty at w, 0 where it is an indicator.
    fn value<R: Real>(term: &Term<R>, w: R) -> R;

    /// prox of γ·penalty at u; a NaN survives.
    fn prox<R: Real>(term: &Term<R>, u: R, gamma: R) -> R;

    /// D at u: true where the derivative of the prox is 1, false where it is 0.
    fn keeps<R: Real>(term: &Term<R>, u: R, gamma: R) -> bool;

    /// ∂prox/∂strength over γ.
    #[inline(always)]
    fn strength_slope<R: Real>(_term: &Term<R>, _u: R, _gamma: R) -> R {
        R::zero()
    }

    /// The bound that holds u.
    #[inline(always)]
    fn side<R: Real>(_term: &Term<R>, _u: R, _gamma: R) -> Side {
        Side::Inside
    }

    /// argmin over t of ½a(t − w)² + g(t − w) + penalty(t), for a > 0.
    fn minimizer<R: Real>(term: &Term<R>, a: R, w: R, g: R) -> R;

    /// The same for a = 0, where there is a minimiser other than w.
    #[inline(always)]
    fn flat_minimizer<R: Real>(_term: &Term<R>, w: R, _g: R) -> R {
        w
    }

    /// The face that w is on.
    fn face<R: Real>(term: &Term<R>, w: R) -> Face;

    /// The derivative of the penalty on a face.
    #[inline(always)]
    fn face_slope<R: Real>(_term: &Term<R>, _face: Face) -> R {
        R::zero()
    }

    /// w brought back to the closure of its face, where it left it.
    #[inline(always)]
    fn project<R: Real>(_term: &Term<R>, _face: Face, w: R) -> R {
        w
    }

    /// The least subgradient of g·w + penalty at w, signed: 0 at the optimum.
    fn distance<R: Real>(term: &Term<R>, w: R, g: R) -> R;

    /// The strength that holds a coordinate at zero, or at the value next to zero that it may have,
    /// against a = −gradient: the dual gauge.
    fn pull<R: Real>(term: &Term<R>, a: R) -> R;

    /// a where nothing bounds the way that it pulls, so that a dual point has to do so; otherwise 0.
    #[inline(always)]
    fn unbounded<R: Real>(_term: &Term<R>, a: R) -> R {
        a
    }

    /// sup over w of aw − ½λ₂w² − penalty(w); `slack` is the rounding of a.
    #[inline(always)]
    fn conjugate<R: Real>(term: &Term<R>, a: R, l2: R, slack: R) -> R {
        conjugate_beyond(Self::pull(term, a) - term.strength, l2, slack)
    }

    /// The distance of u to the nearest kink of the prox; infinite without one.
    #[inline(always)]
    fn kink_distance<R: Real>(term: &Term<R>, u: R, gamma: R) -> R {
        num_traits::Float::abs(Self::pull(term, u) - gamma * term.strength)
    }

    /// True where w counts as one of the support.
    #[inline(always)]
    fn is_in_support<R: Real>(_term: &Term<R>, w: R) -> bool {
        w != R::zero()
    }

    /// The nearest feasible value.
    #[inline(always)]
    fn feasible<R: Real>(_term: &Term<R>, w: R) -> R {
        w
    }
}

/// max(x, 0); a NaN survives.
#[inline(always)]
fn positive<R: Real>(x: R) -> R {
    if x > R::zero() || x.is_nan() {
        x
    } else {
        R::zero()
    }
}

/// The larger of two numbers, or NaN where one is.
pub(crate) fn larger(a: f64, b: f64) -> f64 {
    if b > a || b.is_nan() { b } else { a }
}

/// The conjugate of a gauge times its strength plus ½λ₂‖·‖², where the dual gauge exceeds the strength
/// by `excess`.
#[inline(always)]
fn conjugate_beyond<R: Real>(excess: R, l2: R, slack: R) -> R {
    let excess = positive(excess);
    if l2 > R::zero() {
        excess * excess / (R::of(2.0) * l2)
    } else if excess <= slack {
        R::zero()
    } else {
        R::infinity()
    }
}

/// Declares the rows: the enum, its shaders, and the dispatch from a row to its functions.
macro_rules! rows {
    ($dollar:tt $($row:ident: $tag:literal = $name:literal),* $(,)?) => {
        /// The rows of the table of coordinate penalties.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Row {
            $(#[doc = concat!("The row `", $name, "`.")] $row = $tag),*
        }

        impl Row {
            /// All rows.
            pub const ALL: &'static [Self] = &[$(Self::$row),*];

            /// The row of a tag, the inverse of `row as u32`.
            ///
            /// # Panics
            /// When no row has the tag.
            #[must_use]
            pub fn of_tag(tag: u32) -> Self {
                let found = Self::ALL.iter().copied().find(|&row| row as u32 == tag);
                found.unwrap_or_else(|| panic!("{tag} is the tag of no row"))
            }

            /// The name in shaders.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$row => $name),*
                }
            }

            /// The functions of the row in WGSL, each with the name of the row in front.
            #[must_use]
            pub fn shader(self) -> &'static str {
                match self {
                    $(Self::$row => include_str!(concat!(
                        env!("CARGO_MANIFEST_DIR"), "/shaders/penalty/", $name, ".wgsl"
                    ))),*
                }
            }
        }

        /// Names the functions of a row `Table` in an expression: one loop per row, no branch inside.
        macro_rules! with_row {
            ($dollar value:expr, $dollar table:ident => $dollar body:expr) => {
                match $dollar value {
                    $($crate::model::penalty::Row::$row => {
                        use $crate::model::penalty::{CoordinatePenalty as _, $row as $dollar table};
                        $dollar body
                    })*
                }
            };
        }
        pub(crate) use with_row;
    };
}

rows! { $
    SoftThreshold: 0 = "soft_threshold",
    NonNegative: 1 = "non_negative",
    Interval: 2 = "interval",
    Free: 3 = "free",
    Bounded: 4 = "bounded",
}

/// A row with its numbers: what one coordinate pays.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term<R> {
    /// The row.
    pub row: Row,
    /// l1 times the coordinate's own strength.
    pub strength: R,
    /// The lower bound.
    pub lower: R,
    /// The upper bound.
    pub upper: R,
}

impl<R: Real> Term<R> {
    /// No penalty.
    #[must_use]
    pub fn free() -> Self {
        Self::with_strength(Row::Free, R::zero())
    }

    /// A row without bounds.
    #[inline(always)]
    #[must_use]
    pub fn with_strength(row: Row, strength: R) -> Self {
        Self {
            row,
            strength,
            lower: R::neg_infinity(),
            upper: R::infinity(),
        }
    }

    /// lower ≤ w ≤ upper.
    #[must_use]
    pub fn interval(lower: R, upper: R) -> Self {
        Self {
            row: Row::Interval,
            strength: R::zero(),
            lower,
            upper,
        }
    }

    /// [`CoordinatePenalty::value`].
    #[inline(always)]
    pub fn value(&self, w: R) -> R {
        with_row!(self.row, Table => Table::value(self, w))
    }

    /// [`CoordinatePenalty::prox`].
    #[inline(always)]
    pub fn prox(&self, u: R, gamma: R) -> R {
        with_row!(self.row, Table => Table::prox(self, u, gamma))
    }

    /// [`CoordinatePenalty::keeps`].
    #[inline(always)]
    pub fn keeps(&self, u: R, gamma: R) -> bool {
        with_row!(self.row, Table => Table::keeps(self, u, gamma))
    }

    /// [`CoordinatePenalty::strength_slope`].
    #[inline(always)]
    pub fn strength_slope(&self, u: R, gamma: R) -> R {
        with_row!(self.row, Table => Table::strength_slope(self, u, gamma))
    }

    /// [`CoordinatePenalty::side`].
    #[inline(always)]
    pub fn side(&self, u: R, gamma: R) -> Side {
        with_row!(self.row, Table => Table::side(self, u, gamma))
    }

    /// [`CoordinatePenalty::minimizer`], or [`CoordinatePenalty::flat_minimizer`] without curvature.
    #[inline(always)]
    pub fn minimizer(&self, a: R, w: R, g: R) -> R {
        if a > R::zero() {
            with_row!(self.row, Table => Table::minimizer(self, a, w, g))
        } else {
            with_row!(self.row, Table => Table::flat_minimizer(self, w, g))
        }
    }

    /// [`CoordinatePenalty::face`].
    #[inline(always)]
    pub fn face(&self, w: R) -> Face {
        with_row!(self.row, Table => Table::face(self, w))
    }

    /// [`CoordinatePenalty::face_slope`].
    #[inline(always)]
    pub fn face_slope(&self, face: Face) -> R {
        with_row!(self.row, Table => Table::face_slope(self, face))
    }

    /// [`CoordinatePenalty::project`].
    #[inline(always)]
    pub fn project(&self, face: Face, w: R) -> R {
        with_row!(self.row, Table => Table::project(self, face, w))
    }

    /// [`CoordinatePenalty::distance`].
    #[inline(always)]
    pub fn distance(&self, w: R, g: R) -> R {
        with_row!(self.row, Table => Table::distance(self, w, g))
    }

    /// [`CoordinatePenalty::pull`].
    #[inline(always)]
    pub fn pull(&self, a: R) -> R {
        with_row!(self.row, Table => Table::pull(self, a))
    }

    /// [`CoordinatePenalty::unbounded`].
    #[inline(always)]
    pub fn unbounded(&self, a: R) -> R {
        with_row!(self.row, Table => Table::unbounded(self, a))
    }

    /// [`CoordinatePenalty::kink_distance`].
    #[inline(always)]
    pub fn kink_distance(&self, u: R, gamma: R) -> R {
        with_row!(self.row, Table => Table::kink_distance(self, u, gamma))
    }

    /// [`CoordinatePenalty::is_in_support`].
    #[inline(always)]
    pub fn is_in_support(&self, w: R) -> bool {
        with_row!(self.row, Table => Table::is_in_support(self, w))
    }

    /// [`CoordinatePenalty::feasible`].
    #[inline(always)]
    pub fn feasible(&self, w: R) -> R {
        with_row!(self.row, Table => Table::feasible(self, w))
    }
}

impl Term<f64> {
    /// w, or the bound that it cannot be told from in a precision.
    #[inline(always)]
    #[must_use]
    pub fn snapped<R: Real>(&self, w: f64) -> f64 {
        let rounded = R::of(w);
        if R::of(self.lower) == rounded {
            self.lower
        } else if R::of(self.upper) == rounded {
            self.upper
        } else {
            w
        }
    }
}

/// The penalty of a block of coordinates: what each pays by itself, plus norm·‖w_g‖₂.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlockPenalty<R> {
    /// The penalty of each coordinate by itself.
    pub coordinate: Term<R>,
    /// The strength of the norm of the block; 0 without one.
    pub norm: R,
}

impl<R: Real> From<Term<R>> for BlockPenalty<R> {
    fn from(coordinate: Term<R>) -> Self {
        Self {
            coordinate,
            norm: R::zero(),
        }
    }
}

impl<R: Real> BlockPenalty<R> {
    /// The penalty in another precision.
    #[must_use]
    pub fn to<T: Real>(&self) -> BlockPenalty<T> {
        let of = |value: R| T::of(value.to_f64());
        BlockPenalty {
            coordinate: Term {
                row: self.coordinate.row,
                strength: of(self.coordinate.strength),
                lower: of(self.coordinate.lower),
                upper: of(self.coordinate.upper),
            },
            norm: of(self.norm),
        }
    }

    /// True where the norm of the block has a strength.
    #[inline(always)]
    #[must_use]
    pub fn is_group(&self) -> bool {
        self.norm > R::zero()
    }

    /// True without any penalty.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.coordinate.row == Row::Free && !self.is_group()
    }

    /// τ/‖w‖ of a group with ‖w‖ = `norm`: the gradient of its norm is this times w, its Hessian this
    /// times I − ŵŵᵀ. 0 where there is no norm, and at w = 0; a NaN survives.
    #[inline(always)]
    #[must_use]
    pub fn norm_pull(&self, norm: R) -> R {
        if !self.is_group() || norm == R::zero() {
            R::zero()
        } else {
            self.norm / norm
        }
    }

    /// The largest slope that a coordinate pays.
    #[must_use]
    pub fn slope(&self) -> R {
        self.coordinate.strength + self.norm
    }

    /// The block at u: the group's shrinkage, with s = prox of the coordinates; see [`Shrink`].
    #[inline(always)]
    pub fn shrink(&self, u: impl Iterator<Item = R>, gamma: R) -> Shrink<R> {
        let mut squares = R::zero();
        for u in u {
            let s = self.coordinate.prox(u, gamma);
            squares += s * s;
        }
        Shrink::new(squares, gamma * self.norm)
    }
}

impl BlockPenalty<f64> {
    /// The dual gauge less the norm's strength: positive where w = 0 is not optimal against a = −gradient.
    #[must_use]
    pub fn excess(&self, a: impl Iterator<Item = f64>) -> f64 {
        let beyond = |a: f64| positive(self.coordinate.pull(a) - self.coordinate.strength);
        let square: f64 = a.map(|a| beyond(a).powi(2)).sum();
        square.sqrt() - self.norm
    }

    /// The factor on all strengths from which on w = 0 is optimal against a = −gradient; 0 without a
    /// strength.
    #[must_use]
    pub fn vanishing_factor(&self, a: &[f64]) -> f64 {
        let Term { strength, .. } = self.coordinate;
        let gauge = || {
            let pulls = a.iter().map(|&a| self.coordinate.pull(a));
            pulls.fold(0.0, larger)
        };
        if self.norm == 0.0 {
            return if strength > 0.0 {
                gauge() / strength
            } else {
                0.0
            };
        }
        let norm = a.iter().map(|a| a * a).sum::<f64>().sqrt();
        if strength == 0.0 {
            return norm / self.norm;
        }
        // The excess falls in the factor: bisection between bounds by either strength alone.
        let excess = |factor: f64| {
            let scaled = Self {
                coordinate: Term {
                    strength: factor * strength,
                    ..self.coordinate
                },
                norm: factor * self.norm,
            };
            scaled.excess(a.iter().copied())
        };
        let (mut low, mut high) = (0.0, (norm / self.norm).min(gauge() / strength));
        // Each step halves the interval: 100 leave no digit of any start.
        for _ in 0..100 {
            let middle = 0.5 * (low + high);
            if excess(middle) > 0.0 {
                low = middle;
            } else {
                high = middle;
            }
        }
        high
    }

    /// sup over w of Σ_j (a_j w_j − ½λ₂_j w_j²) − penalty(w) over the block, given every (a_j, λ₂_j);
    /// `slack` is the rounding of a.
    #[must_use]
    pub fn conjugate(&self, members: impl Iterator<Item = (f64, f64)> + Clone, slack: f64) -> f64 {
        let term = &self.coordinate;
        if !self.is_group() {
            return members
                .map(|(a, l2)| with_row!(term.row, Table => Table::conjugate(term, a, l2, slack)))
                .sum();
        }
        let mut ridges = members.clone().map(|(_, l2)| l2);
        let first = ridges.next().unwrap_or_default();
        if ridges.all(|l2| l2 == first) {
            return conjugate_beyond(self.excess(members.map(|(a, _)| a)), first, slack);
        }
        self.conjugate_of_ridges(members, slack)
    }

    /// The conjugate of a group whose coordinates have different λ₂: with b what their own strengths
    /// leave of |a|, min over ‖s‖ ≤ τ of Σ (b_j − s_j)²/(2λ₂_j).
    ///
    /// A coordinate without ridge has s_j = b_j. The others have s_j = t b_j/(t + λ₂_j), with t ≥ 0 as
    /// large as ‖s‖ ≤ τ allows, and infinite where ‖b‖ ≤ τ.
    fn conjugate_of_ridges(
        &self,
        members: impl Iterator<Item = (f64, f64)> + Clone,
        slack: f64,
    ) -> f64 {
        let strength = self.coordinate.strength;
        let beyond = |a: f64| positive(self.coordinate.pull(a) - strength);
        let rest = members.map(|(a, l2)| (beyond(a), l2));
        let fixed = rest.clone().filter(|&(_, l2)| l2 == 0.0);
        let fixed: f64 = fixed.map(|(b, _)| b * b).sum();
        if fixed.sqrt() > self.norm + slack {
            return f64::INFINITY;
        }
        let room = positive(self.norm * self.norm - fixed);
        let rest = rest.filter(|&(_, l2)| l2 > 0.0);
        let square = |t: f64| {
            let s = rest.clone().map(|(b, l2)| b * (t / (t + l2)));
            s.map(|s| s * s).sum::<f64>()
        };
        if rest.clone().map(|(b, _)| b * b).sum::<f64>() <= room {
            return 0.0;
        }
        let (mut low, mut high) = (
            0.0,
            rest.clone().fold(0.0, |most, (_, l2)| larger(most, l2)),
        );
        while square(high) <= room && high < f64::MAX / 4.0 {
            (low, high) = (high, 2.0 * high);
        }
        // Each step halves the interval: 200 leave no digit of any start. At its lower end ‖s‖ is at
        // most τ, so that what comes out is never below the conjugate.
        for _ in 0..200 {
            let middle = 0.5 * (low + high);
            if square(middle) > room {
                high = middle;
            } else {
                low = middle;
            }
        }
        // (b − s)²/(2λ₂) with b − s = bλ₂/(t + λ₂).
        let share = |(b, l2): (f64, f64)| 0.5 * l2 * (b / (low + l2)).powi(2);
        rest.map(share).sum()
    }
}

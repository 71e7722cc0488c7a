//! The trajectory of the Picard iteration that reverse ITD walks back: iterates in a ring, or, where
//! they suffice, two bits per coordinate that say on which piece of the prox u lay.

use super::kernel;
use crate::exec::{Arguments, LANES, row, row_mut};
use crate::model::penalty::{Row, Side, Term};
use crate::real::Real;

kernel! {
    /// ring[counter mod slots] ← X.
    RING_STORE = ring_store(x, counter) -> (ring) [coordinates, slots]
}

kernel! {
    /// X ← ring[counter mod slots].
    RING_LOAD = ring_load(ring, counter) -> (x) [coordinates, slots]
}

kernel! {
    /// counter ← counter − 1.
    RETREAT = retreat() -> (counter) []
}

kernel! {
    /// active ← 1 where first ≤ counter < last, else 0.
    WINDOW = window(first, last, counter) -> (active) []
}

kernel! {
    /// X ← active ? X : 0 in out.
    MASKED_COPY = masked_copy(x, active) -> (out) [coordinates]
}

kernel! {
    /// ring[counter mod slots] ← the piece of every coordinate of u: 0 flat (D = 0), 1 above, 2
    /// below, 3 D = 1 without a sign; for the box 0 free, 1 at the upper, 2 at the lower bound.
    PIECE_STORE = piece_store(u, strengths, l1, gamma, bounds, counter) -> (ring) [penalized, slots, penalty]
}

kernel! {
    /// From ring[counter mod slots]: Y = D·α on the pieces, and out ← out + (∂G/∂strength)ᵀα (box:
    /// out holds the lower and the upper bound).
    PIECE_VJP = piece_vjp(ring, alpha, gamma, counter) -> (y, out) [coordinates, penalized, slots, penalty]
}

/// Coordinates whose pieces share a word.
pub const PIECES_PER_WORD: usize = 16;

/// The slot of the ring that the counter points to.
#[inline(always)]
fn slot(counter: &[u32], slots: usize) -> usize {
    counter[0] as usize % slots
}

/// Twin of [`RING_STORE`].
fn ring_store<R: Real>(arguments: &mut Arguments<'_, R>) {
    let [p, slots] = arguments.parameters();
    let at = slot(arguments.input(1).words(), slots) * p * LANES;
    let x = arguments.input(0).real();
    arguments.output(0)[at..at + p * LANES].copy_from_slice(&x[..p * LANES]);
}

/// Twin of [`RING_LOAD`].
fn ring_load<R: Real>(arguments: &mut Arguments<'_, R>) {
    let [p, slots] = arguments.parameters();
    let at = slot(arguments.input(1).words(), slots) * p * LANES;
    let ring = arguments.input(0).real();
    arguments.output(0)[..p * LANES].copy_from_slice(&ring[at..at + p * LANES]);
}

/// Twin of [`RETREAT`].
fn retreat<R: Real>(arguments: &mut Arguments<'_, R>) {
    arguments
        .output_words(0)
        .iter_mut()
        .for_each(|count| *count = count.wrapping_sub(1));
}

/// Twin of [`WINDOW`].
fn window<R: Real>(arguments: &mut Arguments<'_, R>) {
    let (first, last, counter) = (arguments.input(0), arguments.input(1), arguments.input(2));
    for lane in 0..LANES {
        let now = counter.word(0, lane);
        let inside = first.word(0, lane) <= now && now < last.word(0, lane);
        arguments.output_words(0)[lane] = u32::from(inside);
    }
}

/// Twin of [`MASKED_COPY`].
fn masked_copy<R: Real>(arguments: &mut Arguments<'_, R>) {
    let p = arguments.parameter(0);
    let (x, active) = (arguments.input(0).real(), arguments.input(1));
    let out = arguments.output(0);
    for j in 0..p {
        let x = row(x, j);
        *row_mut(out, j) = std::array::from_fn(|lane| {
            if active.word(0, lane) != 0 {
                x[lane]
            } else {
                R::zero()
            }
        });
    }
}

/// The piece of one coordinate; see [`PIECE_STORE`].
#[inline(always)]
fn piece<R: Real>(term: &Term<R>, u: R, gamma: R) -> u32 {
    if term.row == Row::Interval {
        return match term.side(u, gamma) {
            Side::Inside => 0,
            Side::Upper => 1,
            Side::Lower => 2,
        };
    }
    let slope = term.strength_slope(u, gamma);
    if slope < R::zero() {
        1
    } else if slope > R::zero() {
        2
    } else if term.keeps(u, gamma) {
        3
    } else {
        0
    }
}

/// Twin of [`PIECE_STORE`].
fn piece_store<R: Real>(arguments: &mut Arguments<'_, R>) {
    let [p, slots] = arguments.parameters();
    let penalty = Row::of_tag(arguments.parameter(2) as u32);
    let (u, strengths) = (arguments.input(0).real(), arguments.input(1));
    let (l1, gamma) = (arguments.input(2).row(0), arguments.input(3).row(0));
    let bounds = arguments.input(4).real();
    let words = p.div_ceil(PIECES_PER_WORD);
    let at = slot(arguments.input(5).words(), slots) * words;
    let ring = arguments.output_words(0);
    for word in 0..words {
        let mut packed = [0u32; LANES];
        for j in word * PIECES_PER_WORD..((word + 1) * PIECES_PER_WORD).min(p) {
            let (u, strength) = (row(u, j), strengths.row(j));
            for lane in 0..LANES {
                let term = Term {
                    row: penalty,
                    strength: l1[lane] * strength[lane],
                    lower: bounds[0],
                    upper: bounds[1],
                };
                packed[lane] |= piece(&term, u[lane], gamma[lane]) << (2 * (j % PIECES_PER_WORD));
            }
        }
        *row_mut(ring, at + word) = packed;
    }
}

/// Twin of [`PIECE_VJP`].
fn piece_vjp<R: Real>(arguments: &mut Arguments<'_, R>) {
    let [p, penalized] = arguments.parameters();
    let (slots, penalty) = (arguments.parameter(2), arguments.parameter(3));
    let (ring, alpha) = (arguments.input(0).words(), arguments.input(1).real());
    let gamma = arguments.input(2).row(0);
    let words = penalized.div_ceil(PIECES_PER_WORD);
    let at = slot(arguments.input(3).words(), slots) * words;
    let is_box = Row::of_tag(penalty as u32) == Row::Interval;
    let mut bounds = if is_box {
        let out = arguments.output(1);
        [row(out, 0), row(out, 1)]
    } else {
        [[R::zero(); LANES]; 2]
    };
    for j in 0..p {
        let alpha = row(alpha, j);
        if j >= penalized {
            *row_mut(arguments.output(0), j) = alpha;
            continue;
        }
        let packed: [u32; LANES] = std::array::from_fn(|lane| {
            ring[(at + j / PIECES_PER_WORD) * LANES + lane] >> (2 * (j % PIECES_PER_WORD)) & 3
        });
        let y = row_mut(arguments.output(0), j);
        for lane in 0..LANES {
            let inside = if is_box {
                packed[lane] == 0
            } else {
                packed[lane] != 0
            };
            y[lane] = if inside { alpha[lane] } else { R::zero() };
        }
        if is_box {
            for lane in 0..LANES {
                match packed[lane] {
                    1 => bounds[1][lane] += alpha[lane],
                    2 => bounds[0][lane] += alpha[lane],
                    _ => {}
                }
            }
        } else {
            let out = row_mut(arguments.output(1), j);
            for lane in 0..LANES {
                match packed[lane] {
                    1 => out[lane] -= gamma[lane] * alpha[lane],
                    2 => out[lane] += gamma[lane] * alpha[lane],
                    _ => {}
                }
            }
        }
    }
    if is_box {
        let out = arguments.output(1);
        *row_mut(out, 0) = bounds[0];
        *row_mut(out, 1) = bounds[1];
    }
}

//! The stop rule and the step schedules: everything about time, one state per problem.

use super::kernel;
use crate::exec::{Arguments, LANES, row_mut};
use crate::kinds::Status;
use crate::real::Real;

kernel! {
    /// Updates `active`, `status` and `steps` from this step's residual.
    ///
    /// `rule` holds: tolerance relative to `scale` (below zero never met); the rounding level
    /// relative to `scale`; the improvement that counts; the end relative to `scale`, below which a
    /// rising residual is rounding multiplied. `limit` is the most steps of each problem,
    /// `history` holds the first and the best residual. At the rounding level a problem has converged
    /// when no step of the last `window`, nor of the last quarter of all, was an improvement: a slow
    /// rate, which improves by more in a quarter of its steps, is not taken for rounding.
    STOP = stop(residual, scale, rule, limit) -> (active, status, steps, idle, history) [window, patience]
}

kernel! {
    /// Momentum of FISTA with the gradient restart of O'Donoghue and Candès (2015):
    /// Y ← W + ((t − 1)/t')(W − W_old), t' = (1 + √(1 + 4t²))/2, and t' = 1 after a restart; then
    /// W_old ← W. Only where active.
    MOMENTUM = momentum(w, active) -> (y, old, t) [coordinates]
}

kernel! {
    /// η = β/(κ + i) at step i; a constant step has β = η and a negative κ.
    SCHEDULE = schedule(beta, kappa, counter) -> (eta) []
}

/// Status of a word on the device.
#[must_use]
pub fn status_of(word: u32) -> Status {
    match word {
        1 => Status::Converged,
        2 => Status::BudgetSpent,
        3 => Status::Stalled,
        4 => Status::Diverged,
        5 => Status::NonFinite,
        _ => Status::Running,
    }
}

/// Growth of the residual past its first value that counts as divergence.
const DIVERGENCE: f64 = 1e8;

/// A residual that has been below its end and then rises by so much: going on would only make it
/// worse. Conjugate gradient past its end multiplies rounding.
const RISE: f64 = 1e2;
/// A residual this many times the rounding level has risen by more than rounding: it diverges.
const CEILING: f64 = 1e3;

fn is_past_its_end<R: Real>(residual: R, best: R, end: R) -> bool {
    best <= end && residual > R::of(RISE) * best && residual <= R::of(CEILING) * end
}

/// Twin of [`STOP`].
fn stop<R: Real>(arguments: &mut Arguments<'_, R>) {
    let (residual, scale) = (arguments.input(0).row(0), arguments.input(1).row(0));
    let rule = arguments.input(2).real();
    let (tolerance, rounding, improvement, end) = (rule[0], rule[1], rule[2], rule[3]);
    let limit = arguments.input(3);
    let (window, patience) = (arguments.parameters[0], arguments.parameters[1]);
    for lane in 0..LANES {
        if arguments.output_words(0)[lane] == 0 {
            continue;
        }
        let residual = residual[lane];
        let steps = arguments.output_words(2);
        steps[lane] += 1;
        let steps = steps[lane];
        let history = arguments.output(4);
        if steps == 1 {
            history[lane] = residual;
            history[LANES + lane] = R::infinity();
        }
        let first = history[lane];
        let idle = if residual < improvement * history[LANES + lane] {
            history[LANES + lane] = residual;
            0
        } else {
            arguments.output_words(3)[lane] + 1
        };
        let best = arguments.output(4)[LANES + lane];
        arguments.output_words(3)[lane] = idle;
        let status = if !num_traits::Float::is_finite(residual) {
            Status::NonFinite
        } else if tolerance >= R::zero()
            && (residual <= tolerance * scale[lane]
                || is_past_its_end(residual, best, end * scale[lane]))
        {
            Status::Converged
        } else if residual > R::of(DIVERGENCE) * first && first > R::zero() {
            Status::Diverged
        } else if idle >= window && idle >= steps / 4 && best <= rounding * scale[lane] {
            Status::Converged
        } else if idle >= patience {
            Status::Stalled
        } else if steps >= limit.word(0, lane) {
            Status::BudgetSpent
        } else {
            continue;
        };
        arguments.output_words(0)[lane] = 0;
        arguments.output_words(1)[lane] = status as u32;
    }
}

/// Twin of [`MOMENTUM`].
fn momentum<R: Real>(arguments: &mut Arguments<'_, R>) {
    let p = arguments.parameter(0);
    let (w, active) = (arguments.input(0).real(), arguments.input(1));
    let mut ascent = [R::zero(); LANES];
    for j in 0..p {
        for lane in 0..LANES {
            let at = j * LANES + lane;
            let (y, old) = (arguments.output(0)[at], arguments.output(1)[at]);
            ascent[lane] += (y - w[at]) * (w[at] - old);
        }
    }
    let mut factor = [R::zero(); LANES];
    let t = row_mut(arguments.output(2), 0);
    for lane in 0..LANES {
        if active.word(0, lane) == 0 {
            continue;
        }
        if ascent[lane] > R::zero() {
            t[lane] = R::one();
            continue;
        }
        let four = R::of(4.0);
        let next =
            R::of(0.5) * (R::one() + num_traits::Float::sqrt(R::one() + four * t[lane] * t[lane]));
        factor[lane] = (t[lane] - R::one()) / next;
        t[lane] = next;
    }
    for j in 0..p {
        for lane in 0..LANES {
            if active.word(0, lane) == 0 {
                continue;
            }
            let at = j * LANES + lane;
            let old = arguments.output(1)[at];
            arguments.output(0)[at] = w[at] + factor[lane] * (w[at] - old);
            arguments.output(1)[at] = w[at];
        }
    }
}

/// Twin of [`SCHEDULE`].
fn schedule<R: Real>(arguments: &mut Arguments<'_, R>) {
    let (beta, kappa) = (arguments.input(0).row(0), arguments.input(1).row(0));
    let counter = arguments.input(2);
    *row_mut(arguments.output(0), 0) = std::array::from_fn(|lane| {
        if kappa[lane] < R::zero() {
            beta[lane]
        } else {
            beta[lane] / (kappa[lane] + R::of(f64::from(counter.word(0, lane))))
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn past_its_end_is_a_rise_from_rounding_within_rounding() {
        let end = 1e-15;
        assert!(is_past_its_end(2e-14, 1e-16, end));
        // Still near the best; the best not at its end; beyond rounding, which may be divergence.
        assert!(!is_past_its_end(9e-15, 1e-16, end));
        assert!(!is_past_its_end(9e-13, 2e-15, end));
        assert!(!is_past_its_end(2e-12, 1e-16, end));
        assert!(!is_past_its_end(f64::NAN, 1e-16, end));
    }
}

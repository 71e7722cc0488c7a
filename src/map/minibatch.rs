//! Which rows a stochastic step sees: drawn on the host, so that every device sees the same.
//!
//! A draw is a function of (seed, stream, step) alone. Without replacement an epoch is a random
//! permutation, cut into minibatches of the same size; the rows left over at its end are dropped,
//! which keeps the estimator unbiased. Independent draws take a new random subset every step.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of minibatches.
#[derive(Debug, Clone)]
pub struct Draws {
    seed: u64,
    stream: u64,
    rows: usize,
    batch: usize,
    independent: bool,
    /// The epoch whose permutation is at hand.
    epoch: Option<(usize, Vec<u32>)>,
}

impl Draws {
    /// Minibatches of `batch` (at most `rows`) of `rows` rows.
    #[must_use]
    pub fn new(seed: u64, stream: u64, rows: usize, batch: usize, independent: bool) -> Self {
        Self {
            seed,
            stream,
            rows,
            batch: batch.min(rows),
            independent,
            epoch: None,
        }
    }

    /// Rows in a minibatch.
    #[must_use]
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// The rows of step `step`.
    pub fn rows(&mut self, step: usize) -> &[u32] {
        let (epoch, start) = if self.independent {
            (step, 0)
        } else {
            let per_epoch = self.rows / self.batch;
            (step / per_epoch, step % per_epoch * self.batch)
        };
        let count = if self.independent {
            self.batch
        } else {
            self.rows
        };
        let stale = self.epoch.as_ref().is_none_or(|(at, _)| *at != epoch);
        if stale {
            // The previous epoch's buffer is used again: only its order is drawn anew.
            let mut order = self
                .epoch
                .take()
                .map_or_else(|| (0..self.rows as u32).collect(), |(_, order)| order);
            let mut random = ChaCha12Rng::seed_from_u64(self.seed);
            random.set_stream(self.stream);
            random.set_word_pos((epoch as u128) << 40);
            reset_and_shuffle(&mut order, count, &mut random);
            self.epoch = Some((epoch, order));
        }
        // infallible: set just above.
        let (_, order) = self.epoch.as_ref().expect("an epoch is at hand");
        &order[start..start + self.batch]
    }

    /// How often each row is drawn in the first `steps` steps.
    pub fn counts(&mut self, steps: usize) -> Vec<f64> {
        let mut counts = vec![0.0; self.rows];
        for step in 0..steps {
            self.rows(step)
                .iter()
                .for_each(|&i| counts[i as usize] += 1.0);
        }
        counts
    }
}

/// The first `count` places of `order` become a random selection without replacement, a function of
/// `random` alone (Fisher and Yates).
fn reset_and_shuffle(order: &mut [u32], count: usize, random: &mut ChaCha12Rng) {
    order
        .iter_mut()
        .enumerate()
        .for_each(|(i, row)| *row = i as u32);
    let rows = order.len();
    for at in 0..count.min(rows.saturating_sub(1)) {
        let other = at + below(rows - at, random);
        order.swap(at, other);
    }
}

/// A uniform number below `bound`, without bias (Lemire 2019).
fn below(bound: usize, random: &mut ChaCha12Rng) -> usize {
    let bound = bound as u64;
    loop {
        let wide = u128::from(random.next_u64()) * u128::from(bound);
        if (wide as u64) >= bound.wrapping_neg() % bound {
            return (wide >> 64) as usize;
        }
    }
}

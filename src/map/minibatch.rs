//! Rows of stochastic steps: drawn on the host, so that every device sees the same.
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
    batch: usize,
    independent: bool,
    /// Independent draws: 0, 1, 2, … between draws. Else the permutation of the epoch at hand.
    order: Vec<u32>,
    /// The epoch (independent: the step) at hand.
    at: Option<usize>,
    /// Independent draws: the rows of the step at hand.
    chosen: Vec<u32>,
}

impl Draws {
    /// Minibatches of `batch` (at most `rows`) of `rows` rows.
    #[must_use]
    pub fn new(seed: u64, stream: u64, rows: usize, batch: usize, independent: bool) -> Self {
        let order = (0..rows as u32).collect();
        Self {
            seed,
            stream,
            batch: batch.min(rows),
            independent,
            order,
            at: None,
            chosen: Vec::new(),
        }
    }

    /// Rows in a minibatch.
    #[must_use]
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// The rows of step `step`. An independent draw costs what its rows cost.
    pub fn rows(&mut self, step: usize) -> &[u32] {
        if self.independent {
            if self.at != Some(step) {
                self.draw_independent(step);
            }
            return &self.chosen;
        }
        let per_epoch = self.order.len() / self.batch;
        let (epoch, start) = (step / per_epoch, step % per_epoch * self.batch);
        if self.at != Some(epoch) {
            let mut random = self.random(epoch);
            self.order
                .iter_mut()
                .enumerate()
                .for_each(|(i, row)| *row = i as u32);
            for at in 0..self.order.len() {
                let other = at + below(self.order.len() - at, &mut random);
                self.order.swap(at, other);
            }
            self.at = Some(epoch);
        }
        &self.order[start..start + self.batch]
    }

    /// A random subset of `batch` rows: the first steps of a shuffle, which is then undone.
    fn draw_independent(&mut self, step: usize) {
        let mut random = self.random(step);
        let rows = self.order.len();
        let swaps: Vec<usize> = (0..self.batch)
            .map(|at| {
                let other = at + below(rows - at, &mut random);
                self.order.swap(at, other);
                other
            })
            .collect();
        self.chosen.clear();
        self.chosen.extend_from_slice(&self.order[..self.batch]);
        for (at, other) in swaps.into_iter().enumerate().rev() {
            self.order.swap(at, other);
        }
        self.at = Some(step);
    }

    /// The generator of one epoch or step.
    fn random(&self, at: usize) -> ChaCha12Rng {
        let mut random = ChaCha12Rng::seed_from_u64(self.seed);
        random.set_stream(self.stream);
        random.set_word_pos((at as u128) << 40);
        random
    }

    /// How often each row is drawn in the first `steps` steps; `None` when `interrupted` says so,
    /// which is asked now and then.
    pub fn counts(&mut self, steps: usize, interrupted: impl Fn() -> bool) -> Option<Vec<f64>> {
        let mut counts = vec![0.0; self.order.len()];
        for step in 0..steps {
            if step % 256 == 255 && interrupted() {
                return None;
            }
            self.rows(step)
                .iter()
                .for_each(|&i| counts[i as usize] += 1.0);
        }
        Some(counts)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(rows: &[u32]) -> Vec<u32> {
        let mut rows = rows.to_vec();
        rows.sort_unstable();
        rows
    }

    #[test]
    fn an_epoch_is_a_permutation_cut_into_minibatches() {
        let mut draws = Draws::new(3, 0, 20, 5, false);
        for epoch in 0..3 {
            let all: Vec<u32> = (0..4)
                .flat_map(|at| draws.rows(4 * epoch + at).to_vec())
                .collect();
            assert_eq!(sorted(&all), (0..20).collect::<Vec<u32>>());
            assert_ne!(all, sorted(&all));
        }
    }

    #[test]
    fn a_draw_depends_on_seed_stream_and_step_alone() {
        for independent in [false, true] {
            let fresh = |seed, stream, step| {
                Draws::new(seed, stream, 23, 4, independent)
                    .rows(step)
                    .to_vec()
            };
            let mut draws = Draws::new(7, 1, 23, 4, independent);
            for step in [9, 2, 17, 2, 0] {
                assert_eq!(draws.rows(step), fresh(7, 1, step));
            }
            assert_ne!(fresh(7, 1, 2), fresh(8, 1, 2));
            assert_ne!(fresh(7, 1, 2), fresh(7, 2, 2));
            assert_ne!(fresh(7, 1, 2), fresh(7, 1, 3));
        }
    }

    #[test]
    fn independent_draws_are_subsets_and_uniform() {
        let mut draws = Draws::new(1, 0, 10, 3, true);
        for step in 0..50 {
            let mut rows = sorted(draws.rows(step));
            rows.dedup();
            assert_eq!(rows.len(), 3);
        }
        // Each row is drawn with probability 0.3: 4000 draws, standard deviation 29.
        for count in Draws::new(1, 0, 10, 3, true)
            .counts(4000, || false)
            .unwrap()
        {
            assert!((count - 1200.0).abs() < 150.0, "{count}");
        }
    }
}

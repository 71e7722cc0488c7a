//! Random numbers for experiments: uniform, normal, subsets.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Random numbers of one stream: the same on every machine.
#[derive(Debug, Clone)]
pub struct Random {
    source: ChaCha12Rng,
    /// The second number of the last pair of normal ones.
    spare: Option<f64>,
}

impl Random {
    /// The stream of a seed and a purpose.
    #[must_use]
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut source = ChaCha12Rng::seed_from_u64(seed);
        source.set_stream(stream);
        Self {
            source,
            spare: None,
        }
    }

    /// Uniform on [0, 1).
    pub fn uniform(&mut self) -> f64 {
        (self.source.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Standard normal (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        let (sine, cosine) = (std::f64::consts::TAU * self.uniform()).sin_cos();
        self.spare = Some(radius * sine);
        radius * cosine
    }

    /// A random permutation's first `count` of `0..all`, ascending.
    pub fn subset(&mut self, all: usize, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..all).collect();
        let count = count.min(all);
        for at in 0..count {
            let other = at + (self.uniform() * (all - at) as f64) as usize;
            order.swap(at, other.min(all - 1));
        }
        order.truncate(count);
        order.sort_unstable();
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subsets_are_distinct_and_ascend() {
        let mut random = Random::new(5, 0);
        let rows = random.subset(50, 20);
        assert_eq!(rows.len(), 20);
        assert!(rows.windows(2).all(|pair| pair[0] < pair[1]) && rows[19] < 50);
        assert_eq!(random.subset(3, 9), [0, 1, 2]);
    }
}

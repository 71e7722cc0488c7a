//! Meta-learning and cleaning: the gain over closed forms and other ways on made data, and what is refused.

mod cleaning;
mod meta;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Normal numbers by Box and Muller.
struct Normal(ChaCha8Rng);

impl Normal {
    fn of_seed(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    fn one(&mut self) -> f64 {
        let (u, v): (f64, f64) = (self.0.random::<f64>().max(1e-300), self.0.random());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }

    fn vector(&mut self, length: usize) -> Vec<f64> {
        (0..length).map(|_| self.one()).collect()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

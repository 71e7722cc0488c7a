//! The Sobol sequence in two dimensions (Sobol 1967; direction numbers of Joe and Kuo 2008), in
//! Gray-code order, with a random digital shift: every stretch of 2^k points that starts at a
//! multiple of 2^k has exactly one point in each of 2^k equal boxes.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Digits of a coordinate.
const BITS: usize = 52;

/// A shifted Sobol sequence.
pub(super) struct Sobol {
    directions: [[u64; BITS]; 2],
    state: [u64; 2],
    count: u64,
}

impl Sobol {
    /// The sequence whose shift is drawn from this seed.
    pub(super) fn new(seed: u64) -> Self {
        // Dimension 1 is van der Corput's: v_k = 2^-k. Dimension 2 has the primitive polynomial
        // x + 1 and m_1 = 1: m_k = 2 m_{k−1} xor m_{k−1}.
        let mut directions = [[0; BITS]; 2];
        let mut m = 1u64;
        for k in 0..BITS {
            let place = BITS - 1 - k;
            directions[0][k] = 1 << place;
            // m is odd and below 2^(k+1): the product fits.
            directions[1][k] = m << place;
            m = (m << 1) ^ m;
        }
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        let shift = || generator.random::<u64>() >> (64 - BITS);
        Self {
            directions,
            state: std::array::from_fn({
                let mut shift = shift;
                move |_| shift()
            }),
            count: 0,
        }
    }

    /// The next point of the unit square, both sides less than 1.
    pub(super) fn next_pair(&mut self) -> [f64; 2] {
        let unit = (1u64 << BITS) as f64;
        let pair = self.state.map(|digits| digits as f64 / unit);
        let bit = (self.count.trailing_ones() as usize).min(BITS - 1);
        for (state, directions) in self.state.iter_mut().zip(&self.directions) {
            *state ^= directions[bit];
        }
        self.count += 1;
        pair
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_elementary_box_has_one_point() {
        let mut sequence = Sobol::new(11);
        for _ in 0..3 {
            let points: Vec<[f64; 2]> = (0..64).map(|_| sequence.next_pair()).collect();
            for log_width in 0..=6 {
                let (wide, high) = (1 << log_width, 64 >> log_width);
                let mut hits = vec![0; 64];
                for [x, y] in &points {
                    let column = (x * wide as f64) as usize;
                    let row = (y * high as f64) as usize;
                    hits[column * high + row] += 1;
                }
                assert!(hits.iter().all(|&h| h == 1), "{wide} × {high}");
            }
        }
    }
}

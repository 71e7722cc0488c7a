//! A map of your own: a small equilibrium network, trained by hypergradients.
//!
//! Its hidden state w is not computed by layers. It is the fixed point of one layer,
//!
//! ```text
//! w = relu(A w + B x + b) ,   ‖A‖ < 1 ,       prediction c·w + d ,
//! ```
//!
//! and the derivative of the error with respect to λ = (A, B, b, c, d) is a hypergradient:
//! ∇f = ∂₂E + ∂₂Φᵀv with (I − ∂₁Φᵀ)v = ∂₁E. Nothing is stored of the iteration that found w.
//!
//! Run it with `cargo run --example equilibrium_network`.

use proxdiff::hypergrad::WarmStart;
use proxdiff::hypergrad::host::{
    HostCriterion, HostMethod, HostOutcome, HostProblem, HostSettings,
};
use proxdiff::{Control, HostMap, Result};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Units of the hidden state.
const UNITS: usize = 8;
/// Entries of a row of (A, B, b): the unit's weights of (w, x, 1).
const WIDTH: usize = UNITS + 2;
/// Entries of (A, B, b); behind them in λ are those of c, and d.
const LAYER: usize = UNITS * WIDTH;

/// Φ, for all inputs at once: w holds the hidden states of x₁, x₂, … one after the other.
struct Layer {
    inputs: Vec<f64>,
}

impl Layer {
    /// A w + B x + b of one input: what relu is applied to.
    fn preactivation(&self, row: usize, w: &[f64], lambda: &[f64]) -> [f64; UNITS] {
        std::array::from_fn(|unit| {
            let weights = &lambda[unit * WIDTH..(unit + 1) * WIDTH];
            let recurrent: f64 = state(w, row).iter().zip(weights).map(|(w, a)| w * a).sum();
            recurrent + weights[UNITS] * self.inputs[row] + weights[UNITS + 1]
        })
    }
}

/// The hidden state of one input.
fn state(w: &[f64], row: usize) -> &[f64] {
    &w[row * UNITS..(row + 1) * UNITS]
}

// What the library needs: Φ and the products with its derivatives. The derivative of relu at 0 is
// taken as 0, in both products alike.
impl HostMap for Layer {
    fn coordinates(&self) -> usize {
        UNITS * self.inputs.len()
    }

    fn hyperparameters(&self) -> usize {
        LAYER + UNITS + 1
    }

    fn apply(&self, w: &[f64], lambda: &[f64], out: &mut [f64]) {
        for (row, out) in out.chunks_exact_mut(UNITS).enumerate() {
            let u = self.preactivation(row, w, lambda);
            // Written so that a NaN stays one: f64::max would hide it.
            for (out, u) in out.iter_mut().zip(u) {
                *out = if u < 0.0 { 0.0 } else { u };
            }
        }
    }

    fn jvp(&self, w: &[f64], lambda: &[f64], dw: &[f64], direction: &[f64], out: &mut [f64]) {
        for (row, out) in out.chunks_exact_mut(UNITS).enumerate() {
            let u = self.preactivation(row, w, lambda);
            for (unit, out) in out.iter_mut().enumerate() {
                if u[unit] > 0.0 {
                    let (weights, change) = (&lambda[unit * WIDTH..], &direction[unit * WIDTH..]);
                    let through_state: f64 = (0..UNITS)
                        .map(|k| weights[k] * state(dw, row)[k] + change[k] * state(w, row)[k])
                        .sum();
                    *out = through_state + change[UNITS] * self.inputs[row] + change[UNITS + 1];
                }
            }
        }
    }

    fn vjp(&self, w: &[f64], lambda: &[f64], v: &[f64], dw: &mut [f64], dlambda: &mut [f64]) {
        for (row, dw) in dw.chunks_exact_mut(UNITS).enumerate() {
            let u = self.preactivation(row, w, lambda);
            for unit in 0..UNITS {
                if u[unit] > 0.0 {
                    let z = state(v, row)[unit];
                    let weights = &lambda[unit * WIDTH..];
                    let of_weights = &mut dlambda[unit * WIDTH..];
                    for k in 0..UNITS {
                        dw[k] += weights[k] * z;
                        of_weights[k] += state(w, row)[k] * z;
                    }
                    of_weights[UNITS] += self.inputs[row] * z;
                    of_weights[UNITS + 1] += z;
                }
            }
        }
    }
}

/// E = 1/(2n) Σ (c·w_i + d − y_i)², which depends on λ through w and through c and d themselves.
struct SquaredError {
    targets: Vec<f64>,
}

impl SquaredError {
    fn error(&self, row: usize, w: &[f64], lambda: &[f64]) -> f64 {
        let readout = &lambda[LAYER..];
        let sum: f64 = state(w, row).iter().zip(readout).map(|(w, c)| w * c).sum();
        sum + readout[UNITS] - self.targets[row]
    }
}

impl HostCriterion for SquaredError {
    fn value(&self, w: &[f64], lambda: &[f64]) -> f64 {
        let n = self.targets.len();
        let squares: f64 = (0..n).map(|row| self.error(row, w, lambda).powi(2)).sum();
        squares / (2.0 * n as f64)
    }

    fn gradient(&self, w: &[f64], lambda: &[f64], out: &mut [f64]) {
        let n = self.targets.len() as f64;
        for (row, out) in out.chunks_exact_mut(UNITS).enumerate() {
            let error = self.error(row, w, lambda) / n;
            for (out, c) in out.iter_mut().zip(&lambda[LAYER..]) {
                *out = error * c;
            }
        }
    }

    fn hyper_gradient(&self, w: &[f64], lambda: &[f64], out: &mut [f64]) {
        let n = self.targets.len();
        for row in 0..n {
            let error = self.error(row, w, lambda) / n as f64;
            for (out, w) in out[LAYER..].iter_mut().zip(state(w, row)) {
                *out += error * w;
            }
            out[LAYER + UNITS] += error;
        }
    }
}

fn main() -> Result<()> {
    // A curve to learn from 32 points of it.
    let inputs: Vec<f64> = (0..32).map(|i| f64::from(i) / 15.5 - 1.0).collect();
    let targets = inputs.iter().map(|x| (3.0 * x).sin() + 0.5 * x).collect();
    let problem = HostProblem::new(Layer { inputs }, SquaredError { targets })?;
    let control = Control::new();

    // Three networks that start from different weights: one batch.
    let mut networks: Vec<Vec<f64>> = (0..3).map(initial_weights).collect();
    let settings = HostSettings {
        tolerance: Some(1e-8),
        ..HostSettings::default()
    };
    let mut optimizers: Vec<Adam> = networks.iter().map(|n| Adam::new(n.len())).collect();
    let mut warm: Option<Vec<WarmStart>> = None;
    println!("Training three networks: the error E, and the steps to the fixed point of the first");
    println!("  epoch    network 1    network 2    network 3    steps  linear");
    for epoch in 0..=200 {
        let outcomes =
            problem.solve_and_differentiate(&networks, &settings, warm.as_deref(), &control)?;
        if epoch % 25 == 0 {
            print!("  {epoch:5}");
            outcomes.iter().for_each(|o| print!("{:13.6}", o.criterion));
            println!("{:9}{:8}", outcomes[0].steps, outcomes[0].linear_steps);
        }
        for ((network, optimizer), outcome) in
            networks.iter_mut().zip(&mut optimizers).zip(&outcomes)
        {
            optimizer.step(network, &outcome.hypergradient);
            contract(network);
        }
        // The next fixed points and adjoints are near these.
        warm = Some(outcomes.iter().map(HostOutcome::warm_start).collect());
    }

    println!("\nThe hypergradient of network 1 by every method, to rounding");
    println!(
        "  method             dE/dA₁₁       dE/dB₁       dE/db₁       dE/dc₁    steps  linear"
    );
    for method in HostMethod::ALL {
        let settings = HostSettings {
            method,
            ..HostSettings::default()
        };
        let result = problem.solve_and_differentiate(&networks[..1], &settings, None, &control);
        match result {
            Ok(outcomes) => {
                let HostOutcome {
                    hypergradient: g,
                    steps,
                    linear_steps,
                    ..
                } = &outcomes[0];
                print!("  {:12}", method.name());
                for entry in [g[0], g[UNITS], g[UNITS + 1], g[LAYER]] {
                    print!("{:13.9}", entry);
                }
                println!("{steps:9}{linear_steps:8}");
            }
            // The operator of a network is not symmetric.
            Err(error) => println!("  {:12}  {error}", method.name()),
        }
    }
    Ok(())
}

/// Random weights, the same for the same network.
fn initial_weights(network: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(network);
    let mut lambda: Vec<f64> = (0..LAYER + UNITS + 1)
        .map(|_| rng.random_range(-1.0..1.0))
        .collect();
    contract(&mut lambda);
    lambda
}

/// Makes Φ a contraction: ‖A‖₂ ≤ ‖A‖_F ≤ 0.9, and |relu(a) − relu(b)| ≤ |a − b|.
fn contract(lambda: &mut [f64]) {
    let rows = || (0..UNITS).map(|unit| unit * WIDTH..unit * WIDTH + UNITS);
    let squares: f64 = rows()
        .map(|row| lambda[row].iter().map(|a| a * a).sum::<f64>())
        .sum();
    let factor = (0.9 / squares.sqrt()).min(1.0);
    rows().for_each(|row| lambda[row].iter_mut().for_each(|a| *a *= factor));
}

/// Adam (Kingma and Ba 2015), which any optimiser could stand in for.
struct Adam {
    mean: Vec<f64>,
    square: Vec<f64>,
    steps: i32,
}

impl Adam {
    fn new(size: usize) -> Self {
        Self {
            mean: vec![0.0; size],
            square: vec![0.0; size],
            steps: 0,
        }
    }

    fn step(&mut self, x: &mut [f64], gradient: &[f64]) {
        const RATE: f64 = 0.02;
        self.steps += 1;
        let unbias = |decay: f64| 1.0 - decay.powi(self.steps);
        for (k, g) in gradient.iter().enumerate() {
            self.mean[k] = 0.9 * self.mean[k] + 0.1 * g;
            self.square[k] = 0.99 * self.square[k] + 0.01 * g * g;
            let scale = (self.square[k] / unbias(0.99)).sqrt() + 1e-8;
            x[k] -= RATE * self.mean[k] / unbias(0.9) / scale;
        }
    }
}

//! Classifiers from a few pictures each: heads on frozen features, around a prior that many tasks share.
//!
//! ```sh
//! cargo run --release --example meta_heads            # 10 tasks
//! cargo run --release --example meta_heads -- 1000    # a thousand fits a step
//! ```
//!
//! Handwritten digits of 8 × 8 pixels go through a layer of random features that nothing changes. A task has five
//! of the ten digits, three pictures of each, and a scanner of its own, whose pixels have gains of their own. Its
//! head is a multinomial regression on the features; what all heads have in common, the prior c and the ridge λ₂
//! around it, is learned by hypergradients from other pictures of the tasks. Tasks of pictures and scanners that
//! nothing was learned from show what that is worth.

use proxdiff::data::Matrix;
use proxdiff::data::embedded::digits;
use proxdiff::prelude::*;
use proxdiff::tune::{Guard, MetaLearning};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const CLASSES: usize = 10;
/// Digits of a task.
const WAYS: usize = 5;
/// Pictures of each digit that a head learns from, and that judge it.
const SHOTS: usize = 3;
const JUDGES: usize = 3;
/// Random features, beside a constant one for the intercepts.
const FEATURES: usize = 8;
/// The spread of a scanner's gains.
const SPREAD: f64 = 0.3;

/// Pictures by their digits.
struct Pictures {
    of_digit: Vec<Vec<Vec<f64>>>,
}

/// The layer that nothing changes: max(0, R x), and 1.
struct Layer {
    weights: Vec<Vec<f64>>,
}

impl Layer {
    fn random(pixels: usize, rng: &mut ChaCha8Rng) -> Self {
        let scale = (pixels as f64).sqrt();
        let mut row = || (0..pixels).map(|_| normal(rng) / scale).collect();
        Self {
            weights: (0..FEATURES).map(|_| row()).collect(),
        }
    }

    fn features(&self, picture: &[f64], gains: &[f64]) -> Vec<f64> {
        let one = |weights: &Vec<f64>| {
            let seen = picture.iter().zip(gains).map(|(pixel, gain)| pixel * gain);
            let sum: f64 = seen
                .zip(weights)
                .map(|(pixel, weight)| pixel * weight)
                .sum();
            sum.max(0.0)
        };
        let features = self.weights.iter().map(one);
        features.chain(std::iter::once(1.0)).collect()
    }
}

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
}

/// A task: some digits as a scanner of its own sees them, each class by its digit. A head lacks the other classes,
/// whose coefficients are then those of the prior, less what its own pictures say.
fn task(pictures: &Pictures, layer: &Layer, rng: &mut ChaCha8Rng) -> Result<Problem> {
    let pixels = layer.weights[0].len();
    let gains: Vec<f64> = (0..pixels).map(|_| 1.0 + SPREAD * normal(rng)).collect();
    let mut ways: Vec<usize> = (0..CLASSES).collect();
    ways.shuffle(rng);
    let (mut x, mut y, mut x_val, mut y_val) = (vec![], vec![], vec![], vec![]);
    for &digit in &ways[..WAYS] {
        let own = &pictures.of_digit[digit];
        let mut order: Vec<usize> = (0..own.len()).collect();
        order.shuffle(rng);
        for (number, &at) in order[..SHOTS + JUDGES].iter().enumerate() {
            let (x, y) = match number < SHOTS {
                true => (&mut x, &mut y),
                false => (&mut x_val, &mut y_val),
            };
            x.push(layer.features(&own[at], &gains));
            y.push(digit as f64);
        }
    }
    let builder = ProblemBuilder::new(Loss::Multinomial, &x, &y).classes(CLASSES);
    let builder = builder.validation(&x_val, &y_val);
    builder.standardize(false).intercept(false).build()
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let count: usize = match std::env::args().nth(1) {
        Some(text) => text.parse()?,
        None => 10,
    };
    let (images, labels) = digits()?;
    let Matrix::Dense(images) = images else {
        return Err("the pictures are dense".into());
    };
    // Two thirds of the pictures for the tasks that are learned from, the others for fresh ones.
    let part = |keep: &dyn Fn(usize) -> bool| {
        let mut of_digit = vec![Vec::new(); CLASSES];
        for row in (0..images.rows).filter(|&row| keep(row)) {
            let pixels = images.row(row).iter().map(|pixel| pixel / 16.0).collect();
            of_digit[labels[row] as usize].push(pixels);
        }
        Pictures { of_digit }
    };
    let (known, unseen) = (part(&|row| row % 3 > 0), part(&|row| row % 3 == 0));
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let layer = Layer::random(images.columns, &mut rng);
    let mut tasks = |pictures: &Pictures, count: usize| -> Result<Vec<Problem>> {
        (0..count)
            .map(|_| task(pictures, &layer, &mut rng))
            .collect()
    };
    let training = tasks(&known, count)?;
    let fresh = tasks(&unseen, 20)?;

    // The fresh tasks say what the prior is worth; a guard would learn it five times more.
    let learning = MetaLearning::new(&training).test_tasks(&fresh);
    let learned = learning.guard(Guard::None).max_evaluations(20).run()?;
    let error = learned.error.ok_or("there are fresh tasks")?;
    println!(
        "{count} tasks of {WAYS} digits × {SHOTS} pictures, {} coefficients each: {} steps, λ₂ = {:.3}",
        learned.prior.len(),
        learned.evaluations,
        learned.l2
    );
    let percent = |error: f64| 100.0 * (1.0 - error);
    println!("accuracy on {} fresh tasks", fresh.len());
    println!("  heads around the prior    {:.1} %", percent(error.meta));
    println!("  heads alone               {:.1} %", percent(error.alone));
    println!(
        "  the mean of all heads     {:.1} %",
        percent(error.mean_of_solutions)
    );
    Ok(())
}

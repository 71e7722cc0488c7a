//! How robust is a classifier of handwritten digits against perturbed training pictures?
//!
//! ```sh
//! cargo run --release --example poison_digits
//! ```
//!
//! Multinomial regression on 1797 digits of 8 × 8 pixels. 30 % of the training pictures may change,
//! every pixel by at most the budget: once at random, once along the hypergradient of the
//! validation loss. The model is trained anew on each, and tested on digits that neither the model
//! nor the attack has seen. For measuring models of one's own.

use std::error::Error;

use proxdiff::data::{Dense, Matrix, Scaling};
use proxdiff::loss::Loss;
use proxdiff::paper::digits::Digits;
use proxdiff::poison::figures;
use proxdiff::poison::{Settings, Subject, measure};
use proxdiff::problem::Rows;
use proxdiff::{Control, Point, Specification};

/// The digits numbered `range`, as rows.
fn rows(digits: &Digits, range: std::ops::Range<usize>) -> Rows {
    let part = digits.select(&range.collect::<Vec<usize>>());
    Rows {
        matrix: Matrix::Dense(part.pixels),
        targets: vec![part.labels],
        weights: None,
        offset: None,
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let digits = Digits::embedded()?;
    let train = rows(&digits, 0..600);
    let mut specification = Specification::new(Loss::Multinomial, train.matrix, train.targets);
    specification.classes = digits.classes;
    specification.scaling = Scaling {
        intercept: true,
        standardize: false,
    };
    specification.validation = Some(rows(&digits, 600..1200));
    let subject = Subject {
        specification,
        point: Point::new(0.002, 0.01),
        test: Some(rows(&digits, 1200..1797)),
    };
    let settings = Settings {
        budgets: vec![0.25, 0.5],
        range: Some((-1.0, 1.0)),
        share: 0.3,
        ..Settings::default()
    };
    let measurement = measure(&subject, &settings, &Control::new())?;

    let accuracy = |score: Option<proxdiff::poison::Score>| {
        100.0 * score.and_then(|score| score.accuracy).unwrap_or(f64::NAN)
    };
    println!(
        "accuracy on test digits, {} of 600 training pictures changed",
        measurement.rows.len()
    );
    println!(
        "clean                        {:.1} %",
        accuracy(measurement.clean.test)
    );
    for at in &measurement.budgets {
        for (run, measured) in at.random.iter().enumerate() {
            let value = accuracy(measured.test);
            println!(
                "budget {:.2}, at random {}     {value:.1} %",
                at.budget,
                run + 1
            );
        }
        println!(
            "budget {:.2}, poisoned        {:.1} %",
            at.budget,
            accuracy(at.poisoned.test)
        );
    }
    let (row, slope) = measurement.row_slopes[0];
    println!("the training picture that matters most is number {row} (slope {slope:.3})");

    // The pictures that matter most, as they are, as poisoned, and what was added.
    let pixels: &Dense = &digits.pixels;
    if let Some(png) = figures::picture_grid(pixels, &measurement, 8)? {
        let file = std::env::temp_dir().join("poisoned_digits.png");
        std::fs::write(&file, png)?;
        println!("pictures: {}", file.display());
    }
    Ok(())
}

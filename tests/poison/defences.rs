//! Defences: what is left of an attack where the defender tunes, trims or cleans.

use proxdiff::data::{Dense, Matrix};
use proxdiff::hypergrad::Evaluator;
use proxdiff::loss::Loss;
use proxdiff::poison::{
    Choice, Defences, Measured, Measurement, Settings, Subject, measure, perturbed,
};
use proxdiff::problem::Rows;
use proxdiff::{Control, Point, Problem, Specification};

use crate::problems::Random;

/// Rows of 6 features with a linear predictor and noise; as classes by its sign.
fn rows(random: &mut Random, truth: &[f64], n: usize, noise: f64, as_classes: bool) -> Rows {
    let x = random.vector(n * truth.len());
    let of_row = |x: &[f64], e: f64| {
        let z: f64 = x.iter().zip(truth).map(|(x, w)| x * w).sum::<f64>() + noise * e;
        if as_classes { 1f64.copysign(z) } else { z }
    };
    let e = random.vector(n);
    let y = x.chunks(truth.len()).zip(e).map(|(x, e)| of_row(x, e));
    Rows {
        targets: vec![y.collect()],
        matrix: Matrix::Dense(Dense::new(n, truth.len(), x.clone()).unwrap()),
        weights: None,
        offset: None,
    }
}

fn subject(loss: Loss, noise: f64, point: Point, seed: u64) -> Subject {
    let mut random = Random::new(seed);
    let mut truth = random.vector(6);
    truth.extend([0.0; 2]);
    let mut part = |n: usize| rows(&mut random, &truth, n, noise, loss.is_classification());
    let (train, validation, test) = (part(120), part(80), part(400));
    let mut specification = Specification::new(loss, train.matrix, train.targets);
    specification.validation = Some(validation);
    Subject {
        specification,
        point,
        test: Some(test),
    }
}

fn attack(subject: &Subject, budget: f64, seed: u64, defences: Defences) -> Measurement {
    attack_share(subject, 0.2, budget, seed, defences)
}

fn attack_share(
    subject: &Subject,
    share: f64,
    budget: f64,
    seed: u64,
    defences: Defences,
) -> Measurement {
    let settings = Settings {
        budgets: vec![budget],
        share,
        seed,
        defences,
        ..Settings::default()
    };
    measure(subject, &settings, &Control::new()).unwrap()
}

fn loss(measured: &Measured) -> f64 {
    measured.test.unwrap().loss
}

const TRIM: Defences = Defences {
    tune: false,
    trim: true,
    clean: false,
};

/// The error on test rows: far below that of the undefended model, and near that of clean data.
#[test]
fn trimming_defends_a_regression() {
    for seed in 0..3 {
        let subject = subject(Loss::Squared, 0.3, Point::new(0.001, 0.01), seed);
        let found = attack(&subject, 1.5, seed, TRIM);
        let at = &found.budgets[0];
        let [clean, poisoned] = [found.clean, at.poisoned].map(|m| m.test.unwrap().rmse.unwrap());
        let trim = at.defended.as_ref().unwrap().trim.unwrap();
        let defended = trim.scores.test.unwrap().rmse.unwrap();
        assert!(
            poisoned > 1.5 * clean && defended < 0.7 * poisoned,
            "{seed}: clean {clean}, poisoned {poisoned}, defended {defended}"
        );
        assert!(trim.found > 0.8 && trim.discarded == 24, "{seed}: {trim:?}");
        // On clean data it costs little.
        let unharmed = found.defended.as_ref().unwrap().trim.unwrap().scores;
        assert!(loss(&unharmed) < 1.3 * loss(&found.clean), "{seed}");
        assert!(at.defended_random.as_ref().unwrap().trim.is_some());
    }
}

/// Of classes it is the loss of each row that decides: reliable where a tenth of the rows has moved.
#[test]
fn trimming_defends_a_classifier() {
    for seed in 0..3 {
        let subject = subject(Loss::Logistic, 0.3, Point::new(0.001, 0.01), seed);
        let found = attack_share(&subject, 0.1, 1.5, seed, TRIM);
        let at = &found.budgets[0];
        let trim = at.defended.as_ref().unwrap().trim.unwrap();
        let (poisoned, defended) = (loss(&at.poisoned), loss(&trim.scores));
        assert!(
            poisoned > 1.3 * loss(&found.clean) && defended < 0.8 * poisoned,
            "{seed}: {poisoned} {defended}, {trim:?}"
        );
        // More than by chance.
        assert!(trim.found > 0.4, "{seed}: {trim:?}");
    }
}

/// Rows that the validation rows speak against lose weight, for numbers and for classes.
#[test]
fn cleaning_defends() {
    let clean = Defences {
        clean: true,
        ..Defences::default()
    };
    for kind in [Loss::Squared, Loss::Logistic] {
        for seed in 0..3 {
            let subject = subject(kind, 0.3, Point::new(0.001, 0.01), seed);
            let found = attack(&subject, 1.5, seed, clean);
            let at = &found.budgets[0];
            let cleaned = at.defended.as_ref().unwrap().clean.unwrap();
            let (poisoned, defended) = (loss(&at.poisoned), loss(&cleaned.scores));
            assert!(
                defended < 0.95 * poisoned,
                "{kind:?} {seed}: {poisoned} {defended}"
            );
            let others = cleaned.others.unwrap();
            assert!(cleaned.is_better && cleaned.moved < others, "{cleaned:?}");
        }
    }
}

/// The tuned strengths do at least as well on the validation rows, and the attack loses slope.
#[test]
fn tuning_defends() {
    let tune = Defences {
        tune: true,
        ..Defences::default()
    };
    for kind in [Loss::Squared, Loss::Logistic] {
        let subject = subject(kind, 1.0, Point::new(0.002, 0.001), 5);
        let found = attack(&subject, 0.5, 0, tune);
        let at = &found.budgets[0];
        let sets = [
            (found.clean, &found.defended),
            (at.worst_random, &at.defended_random),
            (at.poisoned, &at.defended),
        ];
        for (fixed, defended) in sets {
            let tuned = defended.as_ref().unwrap().retuned.unwrap();
            let losses = [tuned.scores.validation.loss, fixed.validation.loss];
            assert!(losses[0] <= losses[1], "{kind:?}: {losses:?}");
            let (slope, before) = (tuned.slope.unwrap(), tuned.slope_fixed.unwrap());
            assert!(slope > 0.0 && before > 0.0, "{slope} {before}");
            assert!(tuned.l1 > 0.0 && tuned.l2 > 0.0);
        }
        let tuned = at.defended.as_ref().unwrap().retuned.unwrap();
        // What was tuned on poisoned data differs from the fixed strengths, and undoes a part of the attack.
        assert!(tuned.l1 != 0.002 && tuned.l2 != 0.001);
        assert!(tuned.scores.validation.loss < 0.999 * at.poisoned.validation.loss);
    }
}

/// The features are those of a fit to the data that were saved.
#[test]
fn stability_is_that_of_the_fits() {
    let subject = subject(Loss::Squared, 1.0, Point::new(0.15, 0.01), 2);
    let found = attack(&subject, 1.0, 0, Defences::default());
    let at = &found.budgets[0];
    assert!(found.defended.is_none() && at.defended.is_none());
    let chosen = |matrix: Matrix| -> Vec<bool> {
        let mut specification = subject.specification.clone();
        specification.train.matrix = matrix;
        let problem = Problem::new(specification).unwrap();
        let evaluator = Evaluator::new(&problem).method(None);
        let outcome = evaluator.run(std::slice::from_ref(&subject.point)).unwrap();
        outcome[0].solution[..8].iter().map(|w| *w != 0.0).collect()
    };
    let Matrix::Dense(x) = &subject.specification.train.matrix else {
        panic!("dense expected")
    };
    let clean = chosen(Matrix::Dense(x.clone()));
    let moved = perturbed(x, &found.rows, &at.perturbation.values);
    let poisoned = chosen(Matrix::Dense(moved));
    let size = |choice: &[bool]| choice.iter().filter(|c| **c).count();
    assert_eq!(found.clean.features, size(&clean));
    assert_eq!(at.poisoned.features, size(&poisoned));
    let both = clean
        .iter()
        .zip(&poisoned)
        .filter(|(a, b)| **a && **b)
        .count();
    let union = size(&clean) + size(&poisoned) - both;
    let expected = both as f64 / union as f64;
    assert_eq!(at.poisoned.stability.jaccard, Some(expected));
    assert_eq!(found.clean.stability.jaccard, Some(1.0));
    // The attack changes what is chosen.
    assert!(clean != poisoned, "{clean:?}");
}

/// What no data allow is said before any fit.
#[test]
fn a_defence_that_cannot_be_is_an_error() {
    let mut subject = subject(Loss::Squared, 0.3, Point::new(0.001, 0.01), 0);
    let settings = |choice: Choice, share: f64| Settings {
        choice,
        share,
        steps: 1,
        restarts: 1,
        defences: TRIM,
        ..Settings::default()
    };
    let refused = |subject: &Subject, settings: &Settings, parts: [&str; 2]| {
        let control = Control::new();
        // A fit would be interrupted.
        control.cancel();
        let error = measure(subject, settings, &control).unwrap_err();
        for part in parts {
            assert!(error.to_string().contains(part), "{part}: {error}");
        }
    };
    let whole = "TRIM leaves out as many rows as moved, and 120 of 120 do";
    for choice in [Choice::Random, Choice::Influence] {
        let parts = [
            whole,
            "give a smaller --share, or leave trim out of --defence",
        ];
        refused(&subject, &settings(choice, 1.0), parts);
    }
    let named = Choice::Named((0..120).collect());
    refused(&subject, &settings(named, 0.1), [whole, "--rows"]);
    // Rows without a weight do not count.
    let weights: Vec<f64> = (0..120).map(|i| f64::from(u8::from(i < 20))).collect();
    subject.specification.train.weights = Some(weights);
    let named = Choice::Named((0..20).collect());
    refused(&subject, &settings(named, 0.1), ["20 of 20", "--rows"]);
    let influence = settings(Choice::Influence, 0.5);
    refused(&subject, &influence, ["20 of 20", "--share"]);
}

/// Rows without a weight are neither left out nor missed. Where no other moves there is a reason, and the measurement
/// goes on.
#[test]
fn rows_without_a_weight_do_not_move() {
    let mut subject = subject(Loss::Squared, 0.3, Point::new(0.001, 0.01), 0);
    let weights: Vec<f64> = (0..120).map(|i| f64::from(u8::from(i % 4 != 0))).collect();
    subject.specification.train.weights = Some(weights);
    let settings = |rows: Vec<usize>| Settings {
        budgets: vec![1.0, 2.0],
        choice: Choice::Named(rows),
        defences: Defences {
            clean: true,
            ..TRIM
        },
        ..Settings::default()
    };
    let measured = |rows| measure(&subject, &settings(rows), &Control::new()).unwrap();
    // A quarter of them has none.
    let found = measured((0..40).collect());
    let defended = found.budgets[0].defended.as_ref().unwrap();
    let trim = defended.trim.unwrap();
    assert_eq!(trim.discarded, 30);
    let count = 30.0 * trim.found;
    assert!(
        (count - count.round()).abs() < 1e-9 && defended.failed.is_empty(),
        "{trim:?}"
    );
    let cleaned = defended.clean.unwrap();
    assert!((0.0..=1.0).contains(&cleaned.moved) && cleaned.others.is_some());
    let found = measured(vec![0, 4, 8]);
    assert_eq!(found.budgets.len(), 2);
    let defended = found.budgets[1].defended.as_ref().unwrap();
    assert!(defended.trim.is_none() && defended.clean.is_none());
    let names: Vec<&str> = defended.failed.iter().map(|f| f.defence).collect();
    assert_eq!(names, ["trim", "clean"]);
    assert!(
        defended.failed[0]
            .reason
            .contains("none of them has a weight")
    );
}

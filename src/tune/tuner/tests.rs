//! Tunings of what is no strength: stationary points, folds, guards, and what is refused.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::model::loss::Loss;
use crate::sweep::folds::{Dealing, k_folds};
use crate::tune::kept::tests::KeepsNothing;
use crate::tune::{Batch, BatchClaim, BatchResult, TuningStatus};

/// A generator of numbers between −1 and 1.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}

/// Rows of a linear model, and its targets with noise.
fn rows(count: usize, features: usize, seed: u64) -> (Vec<Vec<f64>>, Vec<f64>) {
    let mut noise = Noise(seed);
    let x: Vec<Vec<f64>> = (0..count)
        .map(|_| (0..features).map(|_| noise.next()).collect())
        .collect();
    let y = x
        .iter()
        .map(|x| 2.0 * x[0] - 1.5 * x[1] + 0.7 * x[2] + 0.8 * noise.next())
        .collect();
    (x, y)
}

fn linear(seed: u64) -> Problem {
    let ((x, y), (x_val, y_val)) = (rows(20, 4, seed), rows(60, 4, seed + 1));
    let problem = Problem::elastic_net(&x, &y).validation(&x_val, &y_val);
    problem.build().unwrap()
}

/// The best status, and whether it is a stationary one.
fn assert_stationary(tuned: &Tuned) {
    assert!(
        matches!(
            tuned.status,
            TuningStatus::Stationary | TuningStatus::StationaryKink
        ),
        "{:?} {:?}",
        tuned.status,
        tuned.remarks
    );
    assert!(tuned.projected_slope < 1e-5, "{}", tuned.projected_slope);
}

/// A prior is tuned alone and beside strengths, on held-out rows and over folds, and fits better than none.
#[test]
fn a_prior_is_tuned() {
    let problem = linear(3);
    let folds = k_folds(20, 4, 1, Dealing::Plain, 0).unwrap();
    for (variables, folds) in [
        (vec![Variable::prior()], None),
        (vec![Variable::prior(), Variable::l1()], None),
        (
            vec![Variable::prior(), Variable::l1(), Variable::l2()],
            None,
        ),
        (vec![Variable::l1_each(), Variable::prior()], None),
        (vec![Variable::prior()], Some(folds)),
    ] {
        let mut tuner = Tuner::new(&problem)
            .variables(variables.clone())
            .at(Point::new(0.1, 0.5))
            .guard(Guard::None);
        if let Some(folds) = folds {
            tuner = tuner.folds(folds);
        }
        let tuned = tuner.run().unwrap();
        assert_stationary(&tuned);
        let prior = tuned.point.prior().unwrap();
        assert_eq!(prior.len(), 4);
        assert!(tuned.criterion < 0.999 * tuned.scalar_criterion.unwrap());
        let own = tuned.variables.last().unwrap();
        assert_eq!(own.values, prior);
        assert!(
            tuned.remarks[0].contains("without a guard"),
            "{:?}",
            tuned.remarks
        );
    }
}

/// A guard keeps a prior near its start, and returns the point without one where that is as good on rows that
/// nothing was tuned on.
#[test]
fn a_prior_is_guarded() {
    // A prior has nothing to say where the rows to learn from are many.
    let (x, y) = rows(90, 7, 5);
    let problem = Problem::elastic_net(&x[..80], &y[..80]).validation(&x[80..], &y[80..]);
    let problem = problem.build().unwrap();
    let tuner = Tuner::new(&problem)
        .variables([Variable::prior()])
        .at(Point::new(0.01, 0.02));
    let free = tuner.clone().guard(Guard::None).run().unwrap();
    let guarded = tuner.clone().run().unwrap();
    let choice = guarded.guarded.unwrap();
    assert!(choice.returns_scalar, "{choice:?}");
    assert_eq!(guarded.point.prior(), None);
    assert_eq!(guarded.status, TuningStatus::Stationary);
    assert!(free.criterion < guarded.criterion);
    assert!(
        guarded
            .remarks
            .iter()
            .any(|r| r.contains("the best point without is returned")),
        "{:?}",
        guarded.remarks
    );
    // Where a strong ridge pulls the coefficients from where they belong, it has.
    let strong = tuner.at(Point::new(0.0, 3.0)).run().unwrap();
    let choice = strong.guarded.unwrap();
    assert!(!choice.returns_scalar, "{choice:?}");
    assert!(strong.criterion < 0.9 * strong.scalar_criterion.unwrap());
    assert!(strong.penalized_slope.unwrap() < 1e-5);
    assert!(choice.nested < choice.nested_scalar);
}

/// Training targets of a linear model of which some are far off, and clean held-out ones.
fn with_outliers(seed: u64) -> Problem {
    let ((x, mut y), (x_val, y_val)) = (rows(40, 4, seed), rows(60, 4, seed + 1));
    for (i, y) in y.iter_mut().enumerate() {
        if i % 5 == 0 {
            *y += 9.0;
        }
    }
    let problem = Problem::huber(&x, &y, 2.0).validation(&x_val, &y_val);
    problem.criterion(Loss::Squared).build().unwrap()
}

/// δ is tuned alone on a coarse stage, beside one strength, and beside more from their best point.
#[test]
fn delta_is_tuned() {
    let problem = with_outliers(11);
    let of_squares = Tuner::new(&problem.clone().with_huber_delta(1e6).unwrap())
        .run()
        .unwrap();
    for (variables, folds) in [
        (vec![Variable::huber_delta()], None),
        (vec![Variable::l2(), Variable::huber_delta()], None),
        (
            vec![Variable::l1(), Variable::l2(), Variable::huber_delta()],
            None,
        ),
        (vec![Variable::l1_each(), Variable::huber_delta()], None),
        (vec![Variable::huber_delta(), Variable::prior()], None),
        (
            vec![Variable::huber_delta(), Variable::l2()],
            Some(k_folds(40, 4, 1, Dealing::Plain, 0).unwrap()),
        ),
    ] {
        let mut tuner = Tuner::new(&problem)
            .variables(variables.clone())
            .at(Point::new(0.02, 0.1))
            .guard(Guard::None);
        if let Some(folds) = &folds {
            tuner = tuner.folds(folds.clone());
        }
        let tuned = tuner.run().unwrap();
        let names: Vec<&str> = variables.iter().map(|v| v.hyperparameter.name()).collect();
        assert_stationary(&tuned);
        let delta = tuned.huber_delta.unwrap();
        if folds.is_none() {
            assert!(delta < 3.0, "{names:?} {delta}");
            assert!(tuned.criterion < 0.9 * of_squares.criterion, "{names:?}");
            // The criterion is that of the problem with this delta at this point.
            let own = with_vectors(problem.clone(), &variables).unwrap();
            let restated = tuned.restated(own).unwrap();
            assert_eq!(restated.loss(), Loss::Huber { delta });
            let again = crate::hypergrad::Evaluator::new(&restated)
                .run(&[tuned.point])
                .unwrap();
            assert!((again[0].criterion / tuned.criterion - 1.0).abs() < 1e-10);
        }
    }
}

/// The same bits come out for any number of threads, also where points choose problems of their own.
#[test]
fn deltas_are_tuned_alike_by_any_number_of_threads() {
    let problem = with_outliers(12);
    let tuned = |threads: usize| {
        let settings = Settings {
            threads,
            ..Settings::default()
        };
        Tuner::new(&problem)
            .variables([Variable::l1(), Variable::l2(), Variable::huber_delta()])
            .settings(&settings)
            .run()
            .unwrap()
    };
    assert_eq!(tuned(1), tuned(2));
}

/// Few rows of the second class to learn from, and as many of both to tune on, of numbers that overlap.
fn unbalanced(classes: usize) -> Problem {
    let mut noise = Noise(21);
    let mut sample = |share: usize, count: usize| {
        let labels: Vec<usize> = (0..count)
            .map(|i| {
                if i % share == 0 {
                    1 + i / share % (classes - 1)
                } else {
                    0
                }
            })
            .collect();
        let x: Vec<Vec<f64>> = labels
            .iter()
            .map(|&label| {
                (0..3)
                    .map(|j| f64::from(u8::from(label == j)) + 1.2 * noise.next())
                    .collect()
            })
            .collect();
        let code = |&label: &usize| match (classes, label) {
            (2, 0) => -1.0,
            (_, label) => label as f64,
        };
        let y: Vec<f64> = labels.iter().map(code).collect();
        (x, y)
    };
    let ((x, y), (x_val, y_val)) = (sample(8, 120), sample(2, 80));
    let problem = match classes {
        2 => Problem::logistic(&x, &y),
        _ => Problem::multinomial(&x, &y),
    };
    problem.validation(&x_val, &y_val).build().unwrap()
}

/// Weights of classes are tuned alone and beside strengths, and find that the rare ones count for more.
#[test]
fn weights_of_classes_are_tuned() {
    for (classes, variables) in [
        (2, vec![Variable::class_weights()]),
        (3, vec![Variable::class_weights()]),
        (2, vec![Variable::class_weights(), Variable::l2()]),
        (
            3,
            vec![Variable::l1(), Variable::class_weights(), Variable::l2()],
        ),
        (
            2,
            vec![Variable::class_weights(), Variable::prior(), Variable::l2()],
        ),
    ] {
        let problem = unbalanced(classes);
        let tuned = Tuner::new(&problem)
            .variables(variables.clone())
            .at(Point::new(0.001, 0.01))
            .guard(Guard::None)
            .run()
            .unwrap();
        let names: Vec<&str> = variables.iter().map(|v| v.hyperparameter.name()).collect();
        assert_stationary(&tuned);
        let weights = tuned.class_weights.as_deref().unwrap();
        assert!(weights.len() == classes && weights[0] == 1.0);
        assert!(
            weights[1..].iter().all(|w| *w > 1.5),
            "{names:?} {weights:?}"
        );
        assert!(
            tuned.criterion < 0.95 * tuned.scalar_criterion.unwrap(),
            "{names:?}"
        );
        let restated = tuned.restated(problem.clone()).unwrap();
        let again = crate::hypergrad::Evaluator::new(&restated)
            .run(&[tuned.point])
            .unwrap();
        assert!((again[0].criterion / tuned.criterion - 1.0).abs() < 1e-9);
    }
    // Over folds the shares are those of the rows to learn from: there is nothing to be gained.
    let problem = unbalanced(2);
    let tuned = Tuner::new(&problem)
        .variables([Variable::class_weights()])
        .at(Point::new(0.0, 0.01))
        .folds(k_folds(120, 4, 1, Dealing::Plain, 0).unwrap())
        .run()
        .unwrap();
    assert_stationary(&tuned);
    assert_eq!(tuned.fold_criteria.len(), 4);
    assert!(tuned.criterion <= tuned.scalar_criterion.unwrap());
}

#[test]
fn nothing_is_not_tuned() {
    let error = Tuner::new(&linear(1)).variables([]).run().unwrap_err();
    assert!(error.to_string().contains("nothing to tune"), "{error}");
}

/// A place in memory that keeps evaluations.
#[derive(Debug, Default)]
struct Memory {
    kept: Mutex<HashMap<String, Vec<u8>>>,
    computed: AtomicUsize,
}

impl EvaluationStore for Memory {
    fn claim(&self, batch: &Batch) -> crate::Result<BatchClaim> {
        let known = self.kept.lock().unwrap().get(&batch.key).cloned();
        Ok(known.map_or(BatchClaim::Own, BatchClaim::Known))
    }

    fn keep(&self, batch: &Batch, result: &BatchResult) -> crate::Result<()> {
        self.computed.fetch_add(1, Ordering::Relaxed);
        let mut kept = self.kept.lock().unwrap();
        assert!(
            kept.insert(batch.key.clone(), result.bytes.clone())
                .is_none()
        );
        Ok(())
    }

    fn give_back(&self, _: &Batch) -> crate::Result<()> {
        Ok(())
    }

    fn unreadable(&self, batch: &Batch) -> Error {
        panic!("{batch:?} cannot be read")
    }
}

#[test]
fn any_place_keeps_evaluations_and_nothing_is_computed_twice() {
    let problem = linear(3);
    let variables = [Variable::l1(), Variable::l2()];
    let plain = Tuner::new(&problem).variables(variables.clone());
    let memory = Memory::default();
    let tuner = plain.clone().store(&memory);
    let first = tuner.run().unwrap();
    assert_eq!(first, plain.run().unwrap());
    let computed = memory.computed.load(Ordering::Relaxed);
    assert!(computed > 1);
    assert_eq!(tuner.run().unwrap(), first);
    assert_eq!(memory.computed.load(Ordering::Relaxed), computed);
    // Half of it is forgotten: the rest stays as it was.
    memory
        .kept
        .lock()
        .unwrap()
        .retain(|key, _| key.as_str() < "8");
    let kept = memory.kept.lock().unwrap().len();
    assert_eq!(tuner.run().unwrap(), first);
    let again = memory.computed.load(Ordering::Relaxed) - computed;
    assert_eq!(again, computed - kept);
    // Another problem is another tuning, whose evaluations are its own.
    let other = linear(4);
    let tuner = Tuner::new(&other).variables(variables).store(&memory);
    let plans = [plain.plan(String::new()), tuner.plan(String::new())];
    let [one, two] = plans.map(|plan| plan.unwrap().studies.remove(0));
    assert_eq!(one.settings, two.settings);
    assert_ne!(one.fingerprint, two.fingerprint);
    assert_ne!(tuner.run().unwrap().criterion, first.criterion);
}

#[test]
fn a_tuning_that_ends_in_its_guard_has_spent_its_budget() {
    let (x, y) = rows(40, 8, 3);
    let problem = Problem::elastic_net(&x, &y).build().unwrap();
    let control = Control::new();
    let store = KeepsNothing(control.clone());
    let tuned = Tuner::new(&problem)
        .variables([Variable::l2_each()])
        .folds(k_folds(40, 4, 1, Dealing::Plain, 0).unwrap())
        .store(&store)
        .control(&control)
        .run()
        .unwrap();
    assert!(control.is_cancelled() && tuned.criterion.is_finite());
    assert_eq!(tuned.status, TuningStatus::BudgetSpent);
}

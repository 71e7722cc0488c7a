//! Poisoning as a measurement: slopes against finite differences, budgets, and what attacks do.

#[path = "../common/mod.rs"]
mod common;
mod defences;
#[path = "../properties/problems.rs"]
#[allow(dead_code)] // each test program uses its own part
mod problems;

use proxdiff::data::{Dense, Matrix, embedded, numbers};
use proxdiff::hypergrad::minibatch::{At, row_derivatives};
use proxdiff::hypergrad::{Evaluator, Settings as Solve};
use proxdiff::kinds::{Method, Status, Wrt};
use proxdiff::loss::Loss;
use proxdiff::map::spectrum::Spectrum;
use proxdiff::paper::digits::Digits;
use proxdiff::poison::{Choice, Measured, Norm, Settings, Subject, adjoint, measure, perturbed};
use proxdiff::problem::{Perturbation, Rows, Sign};
use proxdiff::{Control, Point, Problem, Specification};

use problems::{KINDS, LOSSES, Recipe};

fn slopes(problem: &Problem, point: &Point, w: &[f64]) -> Vec<f64> {
    let at = At {
        point,
        w,
        step: Spectrum::of(problem).step(point.l2),
    };
    let z = adjoint(problem, at, &Control::new()).unwrap();
    let found = row_derivatives(problem, at, &z, &[Wrt::Perturbation]).unwrap();
    found.perturbation.unwrap()
}

fn solve(problem: &Problem, point: &Point) -> (Vec<f64>, f64) {
    let settings = Solve::default().method(None);
    let control = Control::new();
    let outcome = Evaluator::new(problem)
        .settings(&settings)
        .control(&control)
        .run(std::slice::from_ref(point))
        .unwrap()
        .remove(0);
    (outcome.solution, outcome.criterion)
}

#[test]
fn slopes_are_the_golden_ones() {
    let case = common::case("g_poison_200x20x3", 0);
    for golden in &case.points {
        let (w, _) = solve(&case.problem, &golden.point.clone());
        let found = slopes(&case.problem, &golden.point.clone(), &w);
        let error = common::relative_error(&found, golden.perturbation.as_ref().unwrap());
        assert!(error < 1e-9, "{:?}: {error:e}", golden.point);
    }
}

fn digit_rows(digits: &Digits, range: std::ops::Range<usize>) -> Rows {
    let part = digits.select(&range.collect::<Vec<_>>());
    Rows {
        matrix: Matrix::Dense(part.pixels),
        targets: vec![part.labels],
        weights: None,
        offset: None,
    }
}

/// A classifier of small digits with intercept and standardisation: 60 rows train.
fn classifier() -> Subject {
    let digits = Digits::draw(400, 6, 2);
    let train = digit_rows(&digits, 0..120);
    let mut specification = Specification::new(Loss::Multinomial, train.matrix, train.targets);
    specification.classes = 10;
    specification.validation = Some(digit_rows(&digits, 120..240));
    Subject {
        specification,
        point: Point::new(0.005, 0.02),
        test: Some(digit_rows(&digits, 240..400)),
    }
}

fn regressor() -> Subject {
    let data = embedded::diabetes().unwrap();
    let rows = |chosen: Vec<usize>| {
        let part = data.select_rows(&chosen);
        Rows {
            targets: vec![numbers(&part.targets[0]).unwrap()],
            matrix: part.matrix,
            weights: None,
            offset: None,
        }
    };
    let train = rows((0..200).collect());
    let mut specification = Specification::new(Loss::Squared, train.matrix, train.targets);
    specification.validation = Some(rows((200..320).collect()));
    Subject {
        specification,
        point: Point::new(1.0, 0.05),
        test: Some(rows((320..442).collect())),
    }
}

/// Central differences of the criterion, the centre and scale staying those of the clean data.
#[test]
fn slopes_are_finite_differences() {
    for subject in [classifier(), regressor()] {
        let d = subject.specification.train.matrix.columns();
        let rows = vec![3, 17, 40];
        let problem = |values: &[f64]| {
            let mut specification = subject.specification.clone();
            specification.sign = Sign::Maximize;
            specification.perturbation = Some(Perturbation {
                rows: rows.clone(),
                values: Dense::new(3, d, values.to_vec()).unwrap(),
            });
            Problem::new(specification).unwrap()
        };
        let start: Vec<f64> = (0..3 * d).map(|at| 0.01 * (at % 5) as f64).collect();
        let at_start = problem(&start);
        let (w, _) = solve(&at_start, &subject.point);
        let found = slopes(&at_start, &subject.point, &w);
        assert!(found.iter().all(|g| g.is_finite()), "{found:?}");
        let largest = found.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
        for at in [0, d / 2, d + 1, 2 * d + d / 3, 3 * d - 1] {
            let step = 1e-4;
            let value = |sign: f64| {
                let mut moved = start.clone();
                moved[at] += sign * step;
                solve(&problem(&moved), &subject.point).1
            };
            let difference = (value(1.0) - value(-1.0)) / (2.0 * step);
            let error = (found[at] - difference).abs();
            assert!(
                error < 1e-6 * largest,
                "{at}: {} against {difference}",
                found[at]
            );
        }
    }
}

fn quick(budget: f64) -> Settings {
    Settings {
        budgets: vec![budget],
        share: 0.3,
        steps: 6,
        ..Settings::default()
    }
}

#[test]
fn an_attack_does_more_than_chance_within_its_budget() {
    for (subject, budget, range) in [
        (classifier(), 0.5, Some((-1.0, 1.0))),
        (regressor(), 2.0, None),
    ] {
        for norm in [Norm::LInf, Norm::L2] {
            let settings = Settings {
                norm,
                range,
                ..quick(if norm == Norm::L2 {
                    2.0 * budget
                } else {
                    budget
                })
            };
            let control = Control::new();
            let found = measure(&subject, &settings, &control).unwrap();
            // Attacks are counted, not the fits that they consist of.
            assert_eq!(
                control.finished(),
                settings.budgets.len() * settings.restarts
            );
            let at = &found.budgets[0];
            let clean = found.clean.validation.loss;
            assert!(at.random.iter().all(|m| m.validation.loss.is_finite()));
            let worst = |all: &[Measured]| {
                let losses = all.iter().map(|m| m.validation.loss);
                losses.fold(f64::NEG_INFINITY, f64::max)
            };
            // As many of each, and the worst of each.
            assert_eq!(at.random.len(), at.attacks.len());
            let chance = at.worst_random.validation.loss;
            assert_eq!(chance, worst(&at.random));
            assert_eq!(at.poisoned.validation.loss, worst(&at.attacks));
            let poisoned = at.poisoned.validation.loss;
            assert!(
                poisoned - clean > 2.0 * (chance - clean) && poisoned > clean,
                "{norm:?}: clean {clean}, chance {chance}, poisoned {poisoned}"
            );
            let Matrix::Dense(x) = &subject.specification.train.matrix else {
                panic!("dense expected")
            };
            let after = perturbed(x, &found.rows, &at.perturbation.values);
            for i in 0..x.rows {
                let moved: Vec<f64> = after
                    .row(i)
                    .iter()
                    .zip(x.row(i))
                    .map(|(a, b)| a - b)
                    .collect();
                assert!(moved.iter().all(|p| p.is_finite()), "row {i}: {moved:?}");
                let size = match norm {
                    Norm::LInf => moved.iter().fold(0.0, |m: f64, p| m.max(p.abs())),
                    Norm::L2 => Norm::L2.dual(&moved),
                };
                let allowed = if found.rows.contains(&i) {
                    at.budget
                } else {
                    0.0
                };
                assert!(size <= allowed * (1.0 + 1e-9), "row {i} moved by {size}");
            }
            if let Some((low, high)) = range {
                let inside = |x: &f64| (low - 1e-12..=high + 1e-12).contains(x);
                assert!(after.values.iter().all(inside));
            }
            // The best of an ascent is at least its start.
            for (trace, attack) in at.traces.iter().zip(&at.attacks) {
                assert!(trace.iter().all(|loss| loss.is_finite()) && trace.len() == 7);
                assert!(attack.validation.loss.is_finite());
            }
        }
    }
}

/// Every loss of rows with every penalty, with an intercept, standardised columns, weights of rows and classes,
/// and a prior.
#[test]
fn every_model_is_attacked() {
    let losses = LOSSES.iter().filter(|loss| **loss != Loss::Quadratic);
    for (at, &loss) in losses.enumerate() {
        for (number, kind) in KINDS.into_iter().enumerate() {
            let recipe = Recipe {
                targets: 1,
                perturbed: false,
                rows: 40,
                ..Recipe::new(loss, kind, (10 * at + number) as u64).full()
            };
            let subject = Subject {
                specification: recipe.specification(),
                point: Point::new(0.01, 0.1),
                test: None,
            };
            let settings = Settings {
                steps: 4,
                ..quick(0.3)
            };
            let found = measure(&subject, &settings, &Control::new()).unwrap();
            let (clean, poisoned) = (found.clean, found.budgets[0].poisoned);
            let rise = poisoned.validation.loss - clean.validation.loss;
            assert!(rise > 0.0, "{loss:?} {kind:?}: {clean:?} {poisoned:?}");
            let classifies = loss.is_classification();
            assert_eq!(poisoned.validation.accuracy.is_some(), classifies);
            assert_eq!(poisoned.validation.rmse.is_some(), !classifies);
            assert!(poisoned.validation.headline().is_finite());
            let all = found.budgets[0].attacks.iter().chain([&clean]);
            assert!(all.into_iter().all(|m| m.status == Status::Converged));
        }
    }
}

/// Starts are one batch: what one finds does not depend on how many there are.
#[test]
fn attacks_do_not_see_each_other() {
    let subject = regressor();
    let found = |restarts: usize| {
        let settings = Settings {
            restarts,
            tolerance: 1e-12,
            ..quick(1.0)
        };
        measure(&subject, &settings, &Control::new()).unwrap()
    };
    let (one, three) = (found(1), found(3));
    let (one, three) = (&one.budgets[0], &three.budgets[0]);
    assert_eq!((three.attacks.len(), three.traces.len()), (3, 3));
    let error = common::relative_error(&three.traces[0], &one.traces[0]);
    assert!(error < 1e-8, "{error:e}");
    // Every start has an ascent of its own, and the worst of them counts.
    assert!(three.traces[1] != three.traces[0] && three.traces[2] != three.traces[1]);
    assert!(three.poisoned.validation.loss >= one.poisoned.validation.loss - 1e-9);
}

#[test]
fn rows_are_chosen_as_asked() {
    let subject = classifier();
    let with = |choice: Choice| {
        let settings = Settings {
            choice,
            share: 0.1,
            steps: 2,
            ..quick(0.2)
        };
        measure(&subject, &settings, &Control::new()).unwrap()
    };
    let named = with(Choice::Named(vec![7, 3]));
    assert_eq!(named.rows, [3, 7]);
    let (random, influence) = (with(Choice::Random), with(Choice::Influence));
    assert_eq!((random.rows.len(), influence.rows.len()), (12, 12));
    // The rows with the largest slopes have, in the mean, larger ones than rows at random.
    let mean = |ranking: &[(usize, f64)]| ranking.iter().map(|r| r.1).sum::<f64>() / 12.0;
    assert!(mean(&influence.row_slopes) > 1.3 * mean(&random.row_slopes));
    assert!(
        influence
            .row_slopes
            .windows(2)
            .all(|pair| pair[0].1 >= pair[1].1)
    );
    assert!(
        influence
            .feature_slopes
            .windows(2)
            .all(|pair| pair[0].1 >= pair[1].1)
    );
}

/// NSID finds about what the exact adjoint finds.
#[test]
fn the_stochastic_attack_works_too() {
    let subject = classifier();
    let exact = measure(&subject, &quick(0.5), &Control::new()).unwrap();
    let settings = Settings {
        method: Method::Nsid,
        stochastic: (1000, 30),
        ..quick(0.5)
    };
    let control = Control::new();
    let sampled = measure(&subject, &settings, &control).unwrap();
    assert_eq!(
        control.finished(),
        settings.budgets.len() * settings.restarts
    );
    let rise = |m: &proxdiff::poison::Measurement| {
        m.budgets[0].poisoned.validation.loss - m.clean.validation.loss
    };
    assert!(
        rise(&sampled) > 0.7 * rise(&exact),
        "{} of {}",
        rise(&sampled),
        rise(&exact)
    );
}

#[test]
fn what_cannot_be_measured_is_an_error_with_a_remedy() {
    let subject = classifier();
    let refused = |settings: &Settings, part: &str| {
        let message = measure(&subject, settings, &Control::new())
            .unwrap_err()
            .to_string();
        assert!(message.contains(part), "{message}");
    };
    refused(&quick(0.0), "greater than zero");
    refused(
        &Settings {
            steps: 0,
            ..quick(0.1)
        },
        "at least 1",
    );
    refused(
        &Settings {
            share: 1.5,
            ..quick(0.1)
        },
        "share",
    );
    refused(
        &Settings {
            range: Some((0.0, 1.0)),
            ..quick(0.1)
        },
        "outside 0:1",
    );
    refused(
        &Settings {
            method: Method::Sid,
            ..quick(0.1)
        },
        "nsid",
    );
    let named = |rows: Vec<usize>| Settings {
        choice: Choice::Named(rows),
        ..quick(0.1)
    };
    refused(&named(vec![]), "name at least one");
    refused(&named(vec![120]), "row 120 of 120");
    refused(&named(vec![5, 5]), "named twice");
    let mut without = subject.clone();
    without.specification.validation = None;
    assert!(measure(&without, &quick(0.1), &Control::new()).is_err());
    let control = Control::new();
    control.cancel();
    let stopped = measure(&subject, &quick(0.1), &control);
    assert!(
        matches!(stopped, Err(proxdiff::Error::Interrupted { .. })),
        "{stopped:?}"
    );
}

/// What is measured when an interruption comes is returned.
#[test]
fn budgets_measured_before_an_interruption_are_kept() {
    let subject = classifier();
    let settings = Settings {
        budgets: vec![0.1; 300],
        restarts: 1,
        ..quick(0.1)
    };
    let control = Control::new();
    let found = std::thread::scope(|scope| {
        scope.spawn(|| {
            // The first budget is done where the second attack is.
            while control.finished() < 2 {
                std::thread::yield_now();
            }
            control.cancel();
        });
        measure(&subject, &settings, &control).unwrap()
    });
    let (done, all) = (found.budgets.len(), settings.budgets.len());
    assert!(done > 0 && done < all, "{done} of {all}");
    assert!(
        found
            .budgets
            .iter()
            .all(|at| at.poisoned.validation.loss.is_finite())
    );
}

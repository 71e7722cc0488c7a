//! The tuner against long searches from many starts, on surfaces with many local minima.

use proxdiff::prelude::*;
use proxdiff::sweep::folds::{Dealing, k_folds};
use proxdiff::sweep::study::Study;
use proxdiff::tune::{Guard, Tuner, TuningStatus, Variable};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Standard normal numbers.
struct Normal(ChaCha8Rng);

impl Normal {
    fn uniform(&mut self) -> f64 {
        ((self.0.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    fn next(&mut self) -> f64 {
        let (u, v) = (self.uniform(), self.uniform());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }
}

/// Rows of neighbouring features with correlation ½, fifteen of which count, and noise of half the
/// signal's size.
fn rows(count: usize, features: usize, seed: u64) -> (Vec<Vec<f64>>, Vec<f64>) {
    let mut normal = Normal(ChaCha8Rng::seed_from_u64(seed));
    let mut counts: Vec<f64> = (0..features).map(|j| f64::from(u8::from(j < 15))).collect();
    counts.shuffle(&mut normal.0);
    let mut x = Vec::new();
    for _ in 0..count {
        let mut row = vec![normal.next()];
        for j in 1..features {
            row.push(0.5 * row[j - 1] + 0.75f64.sqrt() * normal.next());
        }
        x.push(row);
    }
    let signal: Vec<f64> = x
        .iter()
        .map(|row| row.iter().zip(&counts).map(|(x, c)| x * c).sum())
        .collect();
    let noise: Vec<f64> = (0..count).map(|_| normal.next()).collect();
    let size = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>().sqrt();
    let share = 0.5 * size(&signal) / size(&noise);
    let y = signal
        .iter()
        .zip(&noise)
        .map(|(s, e)| s + share * e)
        .collect();
    (x, y)
}

fn problem(seed: u64) -> Problem {
    split(100, 20, 250, seed)
}

fn split(train: usize, held_out: usize, features: usize, seed: u64) -> Problem {
    let (x, y) = rows(train + held_out, features, seed);
    Problem::elastic_net(&x[..train], &y[..train])
        .validation(&x[train..], &y[train..])
        .intercept(false)
        .standardize(false)
        .build()
        .unwrap()
}

/// The best of ten random starts of 50 evaluations each, and of six from the best of a 10 × 10 grid.
fn long_search(tuner: &Tuner<'_>, seed: u64) -> f64 {
    let found = tuner.clone().max_evaluations(1).run().unwrap();
    let at = |axis: usize, share: f64| {
        let variable = &found.variables[axis];
        let at = variable.lower * (variable.upper / variable.lower).powf(share);
        at.clamp(variable.lower, variable.upper)
    };
    let from = |l1: f64, l2: f64, budget: usize| {
        let variables = [Variable::l1().from(l1), Variable::l2().from(l2)];
        let tuned = tuner
            .clone()
            .variables(variables)
            .max_evaluations(budget)
            .run()
            .unwrap();
        tuned.criterion
    };
    let mut normal = Normal(ChaCha8Rng::seed_from_u64(1000 + seed));
    let mut best = f64::INFINITY;
    for _ in 0..10 {
        let (l1, l2) = (at(0, normal.uniform()), at(1, normal.uniform()));
        best = best.min(from(l1, l2, 50));
    }
    let mut grid: Vec<(f64, f64, f64)> = (0..100)
        .map(|i| {
            let (l1, l2) = (
                at(0, f64::from(i / 10) / 9.0),
                at(1, f64::from(i % 10) / 9.0),
            );
            (from(l1, l2, 1), l1, l2)
        })
        .collect();
    grid.sort_by(|a, b| a.0.total_cmp(&b.0));
    for &(_, l1, l2) in &grid[..6] {
        best = best.min(from(l1, l2, 50));
    }
    best
}

#[test]
fn a_hold_out_is_tuned_as_well_as_by_a_long_search() {
    for seed in 0..6 {
        let problem = problem(seed);
        let tuner = Tuner::new(&problem);
        let best = long_search(&tuner, seed);
        let tuned = tuner.run().unwrap();
        let excess = tuned.criterion / best - 1.0;
        assert!(excess < 1e-4, "seed {seed}: {excess:e}, {tuned:?}");
        assert!(tuned.evaluations <= 400);
    }
}

/// Kinks divide the way along l1 into valleys: none near by is deeper than the one that is returned.
///
/// For the last three the coarse stage and its descents alone end 8e-4 to 4e-3 above.
#[test]
fn no_valley_beside_the_best_is_deeper() {
    for (train, held_out, features, seed) in [
        (100, 20, 250, 4),
        (100, 20, 250, 14),
        (60, 10, 150, 13),
        (52, 8, 200, 59),
        (80, 10, 120, 45),
    ] {
        let problem = split(train, held_out, features, seed);
        let tuned = Tuner::new(&problem).run().unwrap();
        let l1 = &tuned.variables[0];
        let points: Vec<Point> = (0..401)
            .map(|k| tuned.point.l1 * 2f64.powf(f64::from(k - 200) / 100.0))
            .map(|along| Point::new(along.clamp(l1.lower, l1.upper), tuned.point.l2))
            .collect();
        let outcomes = Evaluator::new(&problem).method(None).run(&points).unwrap();
        let criteria = outcomes.iter().map(|outcome| outcome.criterion);
        let least = criteria.fold(f64::INFINITY, f64::min);
        let excess = tuned.criterion / least - 1.0;
        assert!(
            excess < 1e-5,
            "{features} features, seed {seed}: {excess:e}"
        );
    }
}

#[test]
fn folds_are_tuned_as_well_as_by_a_long_search() {
    for seed in 0..2 {
        let problem = problem(seed);
        let folds = k_folds(100, 5, 1, Dealing::Plain, seed).unwrap();
        let tuner = Tuner::new(&problem).folds(folds);
        let best = long_search(&tuner, seed);
        let tuned = tuner.run().unwrap();
        let excess = tuned.criterion / best - 1.0;
        assert!(excess < 1e-4, "seed {seed}: {excess:e}");
        assert_eq!(tuned.fold_criteria.len(), 5);
    }
}

#[test]
fn the_best_never_gets_worse_with_more_evaluations() {
    let problem = problem(3);
    let mut before = f64::INFINITY;
    for start in [0.5, 0.1] {
        let variables = [Variable::l1().from(start), Variable::l2().from(0.01)];
        for budget in [1, 3, 10, 30] {
            let tuner = Tuner::new(&problem)
                .variables(variables.clone())
                .max_evaluations(budget);
            let tuned = tuner.run().unwrap();
            assert!(tuned.criterion <= before * (1.0 + 1e-12));
            before = tuned.criterion;
        }
        before = f64::INFINITY;
    }
}

#[test]
fn an_adversary_maximises() {
    let (x, y) = rows(60, 5, 1);
    let state = || Problem::elastic_net(&x[..40], &y[..40]).validation(&x[40..], &y[40..]);
    let adversary = state().sign(Sign::Maximize).build().unwrap();
    let worst = Tuner::new(&adversary).run().unwrap();
    let friend = state().build().unwrap();
    let best = Tuner::new(&friend).run().unwrap();
    assert!(worst.criterion < 0.0 && -worst.criterion > 2.0 * best.criterion);
}

#[test]
fn a_cancelled_run_keeps_the_best_or_says_that_there_is_none() {
    let problem = problem(1);
    let control = Control::new();
    control.cancel();
    let error = Tuner::new(&problem)
        .control(&control)
        .run()
        .unwrap_err()
        .to_string();
    assert!(error.contains("stopped before any point"), "{error}");
    // Cancelled while it runs: the progress says when.
    let control = Control::new();
    let tuner = Tuner::new(&problem).control(&control);
    let progress = tuner.progress();
    let tuned = std::thread::scope(|scope| {
        scope.spawn(|| {
            while progress.best().is_none() {
                std::thread::yield_now();
            }
            control.cancel();
        });
        tuner.run()
    })
    .unwrap();
    assert!(tuned.criterion.is_finite());
    let (best, _) = progress.best().unwrap();
    assert!(tuned.criterion <= best * (1.0 + 1e-9));
    assert_eq!(tuned.status, TuningStatus::BudgetSpent);
    assert!(tuned.evaluations < 400);
}

/// A strength for each coefficient fits a few rows by chance; the guard returns the common strength, or a
/// vector that is better on rows that nothing was tuned on.
#[test]
fn many_strengths_are_guarded() {
    let (x, y) = rows(160, 30, 5);
    let problem = Problem::elastic_net(&x[..40], &y[..40])
        .validation(&x[40..60], &y[40..60])
        .build()
        .unwrap();
    let scalar = Tuner::new(&problem)
        .variables([Variable::l1()])
        .run()
        .unwrap();
    let each = Tuner::new(&problem).variables([Variable::l1_each()]);
    let free = each.clone().guard(Guard::None).run().unwrap();
    let guarded = each.run().unwrap();
    assert!(
        free.criterion < 0.7 * scalar.criterion,
        "{} {}",
        free.criterion,
        scalar.criterion
    );
    assert!(
        free.remarks
            .iter()
            .any(|remark| remark.contains("without a guard"))
    );
    let choice = guarded.guarded.clone().unwrap();
    let gain = choice.nested_scalar - choice.nested;
    assert_eq!(choice.returns_scalar, gain <= choice.standard_error);
    let nested = if choice.returns_scalar {
        choice.nested_scalar
    } else {
        choice.nested
    };
    assert_eq!(guarded.nested_criterion, Some(nested));
    assert_eq!(guarded.point.strengths().is_some(), !choice.returns_scalar);
    // The error of the refits on rows that nothing has seen.
    let fresh = Problem::weighted(&x[..40], &y[..40], &[1.0; 30])
        .validation(&x[60..], &y[60..])
        .build()
        .unwrap();
    let error = |tuned: &proxdiff::tune::Tuned| {
        let outcomes = Evaluator::new(&fresh)
            .method(None)
            .run(std::slice::from_ref(&tuned.point))
            .unwrap();
        outcomes[0].criterion
    };
    assert!(
        error(&guarded) <= 1.02 * error(&scalar),
        "{} {}",
        error(&guarded),
        error(&scalar)
    );
    // The same bits for any threads.
    let threads = |count: usize| {
        let mut settings = Settings::default();
        settings.threads = count;
        let tuner = Tuner::new(&problem)
            .variables([Variable::l1_each()])
            .settings(&settings);
        tuner.run().unwrap()
    };
    assert_eq!(threads(1), threads(3));
}

#[test]
fn groups_and_folds_take_a_vector_too() {
    let (x, y) = rows(60, 12, 8);
    let labels: Vec<u32> = (0..12).map(|j| j / 4).collect();
    let problem = Problem::group(&x, &y, &labels).build().unwrap();
    let folds = k_folds(60, 4, 1, Dealing::Plain, 1).unwrap();
    let tuned = Tuner::new(&problem)
        .folds(folds)
        .variables([Variable::l1_group(), Variable::l2()])
        .run()
        .unwrap();
    // Three strengths need no guard.
    assert!(tuned.guarded.is_none() && tuned.nested_criterion.is_none());
    assert_eq!(tuned.variables[0].values.len(), 3);
    assert_eq!(tuned.point.strengths().unwrap(), tuned.variables[0].values);
    assert!(tuned.criterion <= tuned.scalar_criterion.unwrap() * (1.0 + 1e-9));
}

/// A hold-out of 60 rows, on which a strength for each coefficient is tuned.
fn of_each(seed: u64) -> Problem {
    let (x, y) = rows(60, 30, seed);
    Problem::elastic_net(&x[..40], &y[..40])
        .validation(&x[40..], &y[40..])
        .build()
        .unwrap()
}

/// A given ρ is no reason to return what is worse on rows that nothing was tuned on.
#[test]
fn a_guard_of_given_strength_chooses_too() {
    let mut returned = Vec::new();
    for seed in [5, 6, 10] {
        let problem = of_each(seed);
        for rho in [1e-4, 10.0] {
            let tuned = Tuner::new(&problem)
                .variables([Variable::l1_each()])
                .guard(Guard::Rho(rho))
                .run()
                .unwrap();
            let choice = tuned.guarded.unwrap();
            let gain = choice.nested_scalar - choice.nested;
            assert_eq!(choice.rho, rho);
            assert_eq!(choice.returns_scalar, gain <= choice.standard_error);
            assert_eq!(tuned.point.strengths().is_none(), choice.returns_scalar);
            returned.push(choice.returns_scalar);
        }
    }
    assert!(
        returned.contains(&true) && returned.contains(&false),
        "{returned:?}"
    );
    for rho in [-1.0, f64::NAN, f64::INFINITY] {
        let problem = problem(1);
        let tuner = Tuner::new(&problem).guard(Guard::Rho(rho));
        let error = tuner.run().unwrap_err().to_string();
        assert!(error.contains("zero or more"), "{error}");
    }
}

/// What is stopped within nested folds has chosen nothing, and says so.
#[test]
fn a_guard_that_is_stopped_returns_the_common_strength() {
    let problem = of_each(5);
    let common = Tuner::new(&problem)
        .variables([Variable::l1()])
        .max_evaluations(200)
        .run()
        .unwrap();
    let control = Control::new();
    let tuner = Tuner::new(&problem)
        .variables([Variable::l1_each()])
        .control(&control);
    let progress = tuner.progress();
    let tuned = std::thread::scope(|scope| {
        scope.spawn(|| {
            // Nested folds follow the common strength; their evaluations are not counted.
            while progress.evaluations() < common.evaluations {
                std::thread::yield_now();
            }
            control.cancel();
        });
        tuner.run()
    })
    .unwrap();
    assert_eq!((tuned.guarded, tuned.nested_criterion), (None, None));
    assert!((tuned.criterion / common.criterion - 1.0).abs() < 1e-12);
    assert!(
        tuned
            .remarks
            .iter()
            .any(|remark| remark.contains("stopped before")),
        "{:?}",
        tuned.remarks
    );
}

#[test]
fn a_start_that_leads_nowhere_is_no_worse_than_the_common_strength() {
    let problem = of_each(5);
    let from = |start: f64| {
        let probe = Tuner::new(&problem)
            .variables([Variable::l1()])
            .max_evaluations(1)
            .run()
            .unwrap();
        let upper = probe.variables[0].upper;
        Tuner::new(&problem)
            .variables([Variable::l1_each().from(start * upper)])
            .guard(Guard::None)
            .run()
            .unwrap()
    };
    for start in [0.999, 0.3] {
        let tuned = from(start);
        let scalar = tuned.scalar_criterion.unwrap();
        assert!(tuned.criterion <= scalar * (1.0 + 1e-12));
        let criteria: Vec<f64> = tuned.starts.iter().map(|start| start.criterion).collect();
        assert!(criteria.is_sorted() && criteria.len() >= 2, "{criteria:?}");
        assert!((criteria[0] / tuned.criterion - 1.0).abs() < 1e-9);
        assert_eq!(tuned.starts[0].status, tuned.status);
    }
}

#[test]
fn the_order_of_variables_changes_nothing() {
    let problem = problem(2);
    let of = |variables: [Variable; 2]| {
        let tuner = Tuner::new(&problem).variables(variables);
        tuner.max_evaluations(60).run().unwrap()
    };
    assert_eq!(
        of([Variable::l1(), Variable::l2()]),
        of([Variable::l2(), Variable::l1()])
    );
}

#[test]
fn folds_of_a_study_may_be_dealt_anew() {
    let (x, y) = rows(60, 8, 4);
    let problem = Problem::elastic_net(&x, &y).build().unwrap();
    let deal = |count: usize| k_folds(60, count, 1, Dealing::Plain, 3).unwrap();
    let study = Study::new(problem.specification().unwrap(), deal(3));
    let own = Tuner::of_study(&study).max_evaluations(40).run().unwrap();
    assert_eq!(own.fold_criteria.len(), 3);
    let anew = Tuner::of_study(&study)
        .folds(deal(4))
        .max_evaluations(40)
        .run()
        .unwrap();
    let direct = Tuner::new(&problem)
        .folds(deal(4))
        .max_evaluations(40)
        .run()
        .unwrap();
    assert_eq!(anew, direct);
}

/// A quadratic form has any sign and size: its tuning is the same in other units.
#[test]
fn a_quadratic_form_is_tuned_in_any_units() {
    let size = 6;
    let form = |shift: f64, unit: f64| -> Vec<Vec<f64>> {
        let entry = |i: usize, j: usize| {
            let off = (shift + (i * j) as f64).sin() / (1.0 + i.abs_diff(j) as f64);
            unit * if i == j {
                3.0 + 0.2 * i as f64
            } else {
                0.5 * off
            }
        };
        (0..size)
            .map(|i| (0..size).map(|j| entry(i, j)).collect())
            .collect()
    };
    let side = |shift: f64, unit: f64| -> Vec<f64> {
        (0..size)
            .map(|i| unit * (shift + 1.7 * i as f64).cos())
            .collect()
    };
    let tuned = |unit: f64| {
        let problem = Problem::quadratic(&form(0.0, unit), &side(0.0, unit))
            .validation(&form(0.3, unit), &side(0.4, unit))
            .build()
            .unwrap();
        Tuner::new(&problem).run().unwrap()
    };
    let one = tuned(1.0);
    assert!(one.criterion < 0.0, "{one:?}");
    for unit in [1e-9, 1e9] {
        let other = tuned(unit);
        assert_eq!(one.status, other.status);
        assert!((other.criterion / (unit * one.criterion) - 1.0).abs() < 1e-9);
        let l1 = other.point.l1 / (unit * one.point.l1);
        assert!((l1 - 1.0).abs() < 1e-4, "{l1}");
    }
}

/// Points to start from are for strengths in common.
#[test]
fn points_to_start_from_are_descended_from() {
    let problem = problem(6);
    let l1 = 0.1 * problem.l1_max(0, 0.0);
    let starts = [Point::new(l1, 0.01), Point::new(0.3 * l1, 0.1)];
    let tuned = Tuner::new(&problem).starts(starts.clone()).run().unwrap();
    assert_eq!((tuned.starts.len(), tuned.coarse_evaluations), (2, 0));
    let outcomes = Evaluator::new(&problem).method(None).run(&starts).unwrap();
    for outcome in outcomes {
        assert!(tuned.criterion < outcome.criterion);
    }
    let vector = Tuner::new(&problem).variables([Variable::l1_each()]);
    let error = vector.starts(starts).run().unwrap_err().to_string();
    assert!(error.contains("a vector of strengths"), "{error}");
}

/// A point that is no start, or one that would not be descended from as it is.
#[test]
fn points_that_are_no_starts_are_refused() {
    let problem = problem(6);
    let l1 = 0.1 * problem.l1_max(0, 0.0);
    let good = Point::new(l1, 0.01);
    let common = [Variable::l1(), Variable::l2()];
    let given = [Variable::l1().from(l1), Variable::l2()];
    for (variables, point, message) in [
        (
            common.clone(),
            Point::new(f64::NAN, 0.01),
            "l1 of a point is NaN",
        ),
        (
            common.clone(),
            Point::new(l1, -0.5),
            "l2 of a point is -0.5",
        ),
        (common.clone(), Point::new(f64::INFINITY, 0.0), "finite"),
        (
            common.clone(),
            Point::new(1.0, 0.01).with_strengths(vec![l1; 250]),
            "of its own",
        ),
        (common, good.clone().of_target(1), "of target 1"),
        (given, good.clone(), "beside them"),
    ] {
        let tuner = Tuner::new(&problem).variables(variables);
        let error = tuner.starts([good.clone(), point]).run().unwrap_err();
        assert!(error.to_string().contains(message), "{message}: {error}");
    }
}

/// A vector without a solution where it starts was not stopped: that is said, and the common strength is
/// returned.
#[test]
fn a_vector_without_a_solution_says_so() {
    let (x, y) = rows(40, 60, 9);
    let problem = Problem::elastic_net(&x[..25], &y[..25])
        .validation(&x[25..], &y[25..])
        .build()
        .unwrap();
    let l1_max = problem.l1_max(0, 0.0);
    let mut settings = Settings::default();
    // Enough for the large strengths that are in common, and not for the smallest of each.
    settings.max_steps = 5;
    let tuned = Tuner::new(&problem)
        .variables([Variable::l1_each()
            .within(1e-6 * l1_max, 0.999 * l1_max)
            .from(1e-6 * l1_max)])
        .guard(Guard::None)
        .settings(&settings)
        .run()
        .unwrap();
    assert_eq!(tuned.scalar_criterion, Some(tuned.criterion));
    assert!(tuned.point.strengths().is_none());
    let remark = tuned.remarks.last().unwrap();
    assert!(remark.contains("had a solution"), "{remark}");
}

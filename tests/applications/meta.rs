//! Tasks around a common mean: w_t = μ + 0.3 z, y = x·w_t + noise of deviation 1, x and z normal.

use crate::{Normal, dot};
use proxdiff::data::Matrix;
use proxdiff::hypergrad::Evaluator;
use proxdiff::prelude::*;
use proxdiff::problem::Sign;
use proxdiff::tune::{Guard, MetaLearning, MetaPrior, MetaVariable, TuningStatus};

const FEATURES: usize = 8;
const SPREAD: f64 = 0.3;

fn rows(normal: &mut Normal, w: &[f64], count: usize) -> (Vec<Vec<f64>>, Vec<f64>) {
    let x: Vec<Vec<f64>> = (0..count).map(|_| normal.vector(FEATURES)).collect();
    let y = x.iter().map(|x| dot(x, w) + normal.one()).collect();
    (x, y)
}

fn task(normal: &mut Normal, mean: &[f64], training: usize, loss: Loss) -> Problem {
    let w: Vec<f64> = mean.iter().map(|m| m + SPREAD * normal.one()).collect();
    let (x, mut y) = rows(normal, &w, training);
    let (x_val, mut y_val) = rows(normal, &w, 20);
    if loss != Loss::Squared {
        for y in y.iter_mut().chain(&mut y_val) {
            *y = if *y > 0.0 { 1.0 } else { -1.0 };
        }
    }
    let builder = ProblemBuilder::new(loss, &x, &y).validation(&x_val, &y_val);
    builder.standardize(false).intercept(false).build().unwrap()
}

fn made(seed: u64, count: usize, loss: Loss) -> (Vec<f64>, Vec<Problem>) {
    made_of(seed, count, 12, loss)
}

fn made_of(seed: u64, count: usize, rows: usize, loss: Loss) -> (Vec<f64>, Vec<Problem>) {
    let mut normal = Normal::of_seed(seed);
    let mean = normal.vector(FEATURES);
    let tasks = (0..count)
        .map(|_| task(&mut normal, &mean, rows, loss))
        .collect();
    (mean, tasks)
}

/// The rows of all tasks as one problem.
fn all_rows(tasks: &[Problem]) -> Problem {
    let specifications = tasks.iter().map(|task| task.specification().unwrap());
    let of = |rows: &proxdiff::problem::Rows| -> (Vec<Vec<f64>>, Vec<f64>) {
        let Matrix::Dense(matrix) = &rows.matrix else {
            panic!("rows in full")
        };
        let x = matrix.values.chunks(matrix.columns).map(<[f64]>::to_vec);
        (x.collect(), rows.targets[0].clone())
    };
    let (mut training, mut held_out) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    for one in specifications {
        let (x, y) = of(&one.train);
        training.0.extend(x);
        training.1.extend(y);
        let (x, y) = of(one.validation.as_ref().unwrap());
        held_out.0.extend(x);
        held_out.1.extend(y);
    }
    let builder = ProblemBuilder::new(Loss::Squared, &training.0, &training.1);
    let builder = builder.validation(&held_out.0, &held_out.1);
    builder.standardize(false).intercept(false).build().unwrap()
}

/// The mean squared error of fits at a point on the held-out rows of tasks.
fn error(tasks: &[Problem], point: &Point) -> f64 {
    let of = |task: &Problem| {
        let outcomes = Evaluator::new(task)
            .method(None)
            .run(std::slice::from_ref(point));
        2.0 * outcomes.unwrap()[0].criterion
    };
    tasks.iter().map(of).sum::<f64>() / tasks.len() as f64
}

#[test]
fn the_gain_is_that_of_the_oracle() {
    for seed in 0..10 {
        let (mean, tasks) = made(seed, 240, Loss::Squared);
        let (training, test) = tasks.split_at(160);
        let pooled = all_rows(training);
        let learning = MetaLearning::new(training).test_tasks(test);
        let learned = learning.pooled(&pooled).run().unwrap();
        let found = learned.error.unwrap();
        // The common model is off by the spread of the tasks, which is 0.09 for each feature.
        let margin = found.pooled.unwrap() - found.meta;
        assert!(margin > 0.1, "seed {seed}: {margin}");
        // The posterior mean of w_t under its own prior.
        let ridge = 1.0 / (12.0 * SPREAD * SPREAD);
        let oracle = error(test, &Point::new(0.0, ridge).with_prior(mean));
        let (gain, best) = (found.alone - found.meta, found.alone - oracle);
        assert!(best > 0.3, "seed {seed}: {best}");
        assert!(gain >= 0.95 * best, "seed {seed}: {gain} of {best}");
        assert!(found.meta < found.mean_of_solutions, "seed {seed}");
        let own = Point::new(learned.l1, learned.l2).with_prior(learned.prior.clone());
        assert!((error(test, &own) - found.meta).abs() < 1e-9 * found.meta);
    }
}

#[test]
fn the_slope_vanishes_at_the_prior_by_finite_differences() {
    let (_, tasks) = made(3, 12, Loss::Logistic);
    let learned = MetaLearning::new(&tasks).guard(Guard::None).run().unwrap();
    assert!(
        matches!(
            learned.status,
            TuningStatus::Stationary | TuningStatus::AtBound
        ),
        "{:?}",
        learned.status
    );
    let value = |prior: &[f64], l2: f64| {
        let point = Point::new(0.0, l2).with_prior(prior.to_vec());
        let of = |task: &Problem| {
            let outcomes = Evaluator::new(task)
                .method(None)
                .run(std::slice::from_ref(&point));
            outcomes.unwrap()[0].criterion
        };
        (tasks.iter().map(of).sum::<f64>() / tasks.len() as f64).ln()
    };
    let here = value(&learned.prior, learned.l2);
    assert!((here - learned.criterion.ln()).abs() < 1e-9);
    let largest = learned.prior.iter().fold(0.0f64, |a, c| a.max(c.abs()));
    for at in 0..FEATURES {
        let moved = |by: f64| {
            let mut prior = learned.prior.clone();
            prior[at] += by;
            value(&prior, learned.l2)
        };
        let h = 1e-4 * largest;
        let slope = (moved(h) - moved(-h)) / (2.0 * h) * largest;
        assert!(slope.abs() < 1e-5, "{at}: {slope}");
    }
    if learned.status == TuningStatus::Stationary {
        let along = |by: f64| value(&learned.prior, learned.l2 * f64::exp(by));
        let slope = (along(1e-4) - along(-1e-4)) / 2e-4;
        assert!(slope.abs() < 1e-5, "{slope}");
    }
}

#[test]
fn strengths_alone_are_learned_too() {
    let (_, tasks) = made(5, 40, Loss::Squared);
    let learned = MetaLearning::new(&tasks)
        .variables([MetaVariable::L1, MetaVariable::L2])
        .run()
        .unwrap();
    assert!(learned.prior.iter().all(|c| *c == 0.0));
    let around = |l1: f64, l2: f64| error(&tasks, &Point::new(l1, l2));
    let here = around(learned.l1, learned.l2);
    for factor in [0.7, 1.4] {
        assert!(here <= around(factor * learned.l1, learned.l2) * (1.0 + 1e-6));
        assert!(here <= around(learned.l1, factor * learned.l2) * (1.0 + 1e-6));
    }
}

#[test]
fn a_common_scale_may_be_that_of_the_tasks_themselves() {
    let mut normal = Normal::of_seed(8);
    let x: Vec<Vec<f64>> = (0..30).map(|_| normal.vector(3)).collect();
    let scale = [1.0, 10.0, 0.1];
    let stretch = |x: &[Vec<f64>]| -> Vec<Vec<f64>> {
        let row = |row: &Vec<f64>| row.iter().zip(scale).map(|(x, s)| x * s).collect();
        x.iter().map(row).collect()
    };
    let targets: Vec<Vec<f64>> = (0..12)
        .map(|_| {
            let w: Vec<f64> = [1.0, -2.0, 0.5]
                .iter()
                .map(|m| m + SPREAD * normal.one())
                .collect();
            x.iter().map(|x| dot(x, &w) + normal.one()).collect()
        })
        .collect();
    let learned = |x: &[Vec<f64>]| {
        let task = |y: &Vec<f64>| {
            let builder = Problem::elastic_net(&x[..20], &y[..20]);
            builder.validation(&x[20..], &y[20..]).build().unwrap()
        };
        let tasks: Vec<Problem> = targets.iter().map(task).collect();
        MetaLearning::new(&tasks).run().unwrap()
    };
    let (plain, stretched) = (learned(&x), learned(&stretch(&x)));
    let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
    assert!(
        close(&plain.prior, &stretched.prior),
        "{plain:?} {stretched:?}"
    );
    assert!(close(
        &plain.mean_of_solutions,
        &stretched.mean_of_solutions
    ));
}

#[test]
fn a_guard_measures_on_tasks_that_nothing_was_learned_from() {
    let (_, tasks) = made(11, 5, Loss::Squared);
    // At a strength that is given, so that nothing but the prior depends on the tasks.
    let at = Point::new(0.0, 0.5);
    let of_prior = |tasks: &[Problem], guard: Guard| {
        let learning = MetaLearning::new(tasks).variables([MetaVariable::Prior]);
        learning.at(at.clone()).guard(guard).run().unwrap()
    };
    let found = of_prior(&tasks, Guard::Auto).nested.unwrap();
    // Of five tasks each is left out once.
    let without = |left_out: usize| -> [f64; 3] {
        let mut others = tasks.clone();
        let own = [others.remove(left_out)];
        let learned = of_prior(&others, Guard::None);
        assert!(learned.nested.is_none());
        let of = |prior: &[f64]| error(&own, &at.clone().with_prior(prior.to_vec())) / 2.0;
        let none = [0.0; FEATURES];
        [
            of(&learned.prior),
            of(&learned.mean_of_solutions),
            of(&none),
        ]
    };
    let each: Vec<[f64; 3]> = (0..5).map(without).collect();
    let mean = |way: usize| each.iter().map(|one| one[way]).sum::<f64>() / 5.0;
    assert!(
        (found.learned / mean(0) - 1.0).abs() < 1e-7,
        "{found:?} {each:?}"
    );
    assert!(
        (found.around_mean / mean(1) - 1.0).abs() < 1e-9,
        "{found:?} {each:?}"
    );
    assert!(
        (found.alone / mean(2) - 1.0).abs() < 1e-9,
        "{found:?} {each:?}"
    );
    let other = if mean(1) < mean(2) { 1 } else { 2 };
    let gains: Vec<f64> = each.iter().map(|one| one[other] - one[0]).collect();
    let gain = gains.iter().sum::<f64>() / 5.0;
    let squares: f64 = gains.iter().map(|one| (one - gain).powi(2)).sum();
    let standard_error = (squares / 4.0 / 5.0).sqrt();
    assert!(
        (found.standard_error / standard_error - 1.0).abs() < 1e-6,
        "{found:?}"
    );
    assert_eq!(found.returns == MetaPrior::Learned, gain > standard_error);
}

#[test]
fn a_guard_of_few_tasks_returns_what_is_better_on_others() {
    let mut sums = [0.0; 2];
    for seed in 0..6 {
        // Fewer tasks than coefficients.
        let (_, tasks) = made(100 + seed, 126, Loss::Squared);
        let (training, test) = tasks.split_at(6);
        let run = |guard: Guard| {
            let learning = MetaLearning::new(training).test_tasks(test);
            learning.guard(guard).run().unwrap()
        };
        let (guarded, free) = (run(Guard::Auto), run(Guard::None));
        let (nested, error) = (guarded.nested.unwrap(), guarded.error.unwrap());
        match nested.returns {
            MetaPrior::Learned => assert_eq!(guarded.prior, free.prior),
            MetaPrior::MeanOfSolutions => {
                assert_eq!(guarded.prior, guarded.mean_of_solutions);
                assert_eq!(Some(error.meta), error.around_mean);
            }
            MetaPrior::Zero => {
                assert!(guarded.prior.iter().all(|c| *c == 0.0));
                assert_eq!(error.meta, error.alone);
            }
        }
        sums[0] += error.meta;
        sums[1] += free.error.unwrap().meta;
    }
    assert!(sums[0] < sums[1], "{sums:?}");
}

#[test]
fn a_guard_returns_a_prior_that_is_worth_it() {
    // The solutions of four rows for eight features are far from what they have in common, and so is their mean.
    let (_, tasks) = made_of(21, 160, 4, Loss::Squared);
    let learning = MetaLearning::new(&tasks[..60]).test_tasks(&tasks[60..]);
    let learned = learning.run().unwrap();
    let (nested, error) = (learned.nested.unwrap(), learned.error.unwrap());
    assert_eq!(nested.returns, MetaPrior::Learned, "{nested:?}");
    assert!(error.meta < error.around_mean.unwrap(), "{error:?}");
    // An honest estimate: that of the test tasks, whose errors are twice the loss.
    assert!(
        (2.0 * nested.learned / error.meta - 1.0).abs() < 0.15,
        "{nested:?} {error:?}"
    );
    // Of many tasks there is none.
    let (_, many) = made(22, 100, Loss::Squared);
    let all = MetaLearning::new(&many).max_evaluations(10).run().unwrap();
    assert!(all.nested.is_none());
}

#[test]
fn splits_of_a_task_are_left_out_together() {
    let (_, tasks) = made(31, 6, Loss::Squared);
    let twice: Vec<Problem> = tasks
        .iter()
        .flat_map(|task| [task.clone(), task.clone()])
        .collect();
    let once = MetaLearning::new(&tasks).run().unwrap();
    let split = MetaLearning::new(&twice).splits(2).run().unwrap();
    let (once, split) = (once.nested.unwrap(), split.nested.unwrap());
    for (a, b) in [(once.learned, split.learned), (once.alone, split.alone)] {
        assert!((a / b - 1.0).abs() < 1e-6, "{once:?} {split:?}");
    }
    assert!((once.standard_error / split.standard_error - 1.0).abs() < 1e-4);
    // Two tasks cannot be compared, and of one nothing can be learned.
    let pair = MetaLearning::new(&twice[..4]).splits(2).run().unwrap();
    assert!(pair.nested.unwrap().learned.is_nan());
    assert!(
        pair.remarks[0].contains("too few to compare"),
        "{:?}",
        pair.remarks
    );
}

#[test]
fn tasks_may_lack_classes_of_others() {
    let mut normal = Normal::of_seed(41);
    let centres: Vec<Vec<f64>> = (0..4).map(|_| normal.vector(3)).collect();
    let mut task = |classes: [usize; 2], intercept: bool| {
        let mut draw = |count: usize| {
            let y: Vec<f64> = (0..count).map(|at| classes[at % 2] as f64).collect();
            let row = |y: &f64| -> Vec<f64> {
                let centre = &centres[*y as usize];
                centre.iter().map(|c| 2.0 * c + normal.one()).collect()
            };
            (y.iter().map(row).collect::<Vec<_>>(), y)
        };
        let ((x, y), (x_val, y_val)) = (draw(6), draw(10));
        let builder = ProblemBuilder::new(Loss::Multinomial, &x, &y).classes(4);
        let builder = builder.validation(&x_val, &y_val);
        builder.standardize(false).intercept(intercept).build()
    };
    let pairs = [[0, 1], [1, 2], [2, 3], [3, 0], [0, 2], [1, 3]];
    let mut tasks = Vec::new();
    for _ in 0..12 {
        tasks.extend(pairs.iter().map(|pair| task(*pair, false).unwrap()));
    }
    let (training, test) = tasks.split_at(60);
    let learned = MetaLearning::new(training).test_tasks(test).run().unwrap();
    let error = learned.error.unwrap();
    assert_eq!(learned.prior.len(), 12);
    assert!(error.meta <= error.alone, "{error:?}");
    // The prior knows all classes: a task of one pair gains from the others.
    let slope = |at: usize, by: f64| {
        let mut prior = learned.prior.clone();
        prior[at] += by;
        let point = Point::new(learned.l1, learned.l2).with_prior(prior);
        let of = |task: &Problem| {
            let run = Evaluator::new(task)
                .method(None)
                .run(std::slice::from_ref(&point));
            run.unwrap()[0].criterion
        };
        training.iter().map(of).sum::<f64>() / training.len() as f64
    };
    let point = Point::new(learned.l1, learned.l2).with_prior(learned.prior.clone());
    let mut exact = [0.0; 12];
    for task in training {
        let settings = Settings::default().wrt([proxdiff::kinds::Wrt::Prior]);
        let outcomes = Evaluator::new(task)
            .settings(&settings)
            .run(std::slice::from_ref(&point));
        let gradient = outcomes.unwrap()[0]
            .hypergradient
            .clone()
            .unwrap()
            .prior
            .unwrap();
        exact
            .iter_mut()
            .zip(&gradient)
            .for_each(|(sum, g)| *sum += g / training.len() as f64);
    }
    for (at, exact) in exact.iter().enumerate() {
        let difference = (slope(at, 1e-4) - slope(at, -1e-4)) / 2e-4;
        assert!(
            (difference - exact).abs() < 1e-6,
            "{at}: {difference} {exact}"
        );
    }
    // The free intercept of a class without rows has no best value.
    let text = task([0, 1], true).unwrap_err().to_string();
    assert!(
        text.contains("2 of 4 classes") && text.contains("--no-intercept"),
        "{text}"
    );
}

#[test]
fn threads_change_no_bit() {
    let (_, tasks) = made(7, 10, Loss::Squared);
    let run = |threads: usize| {
        let settings = Settings::default().threads(threads);
        MetaLearning::new(&tasks)
            .settings(&settings)
            .run()
            .unwrap()
            .prior
    };
    assert_eq!(run(1), run(2));
}

#[test]
fn what_does_not_fit_is_refused() {
    let (_, tasks) = made(1, 4, Loss::Squared);
    let (_, others) = made(1, 2, Loss::Logistic);
    let refused = |run: proxdiff::Result<proxdiff::tune::MetaLearned>, words: &str| {
        let text = run.unwrap_err().to_string();
        assert!(text.contains(words), "{text}");
    };
    refused(MetaLearning::new(&tasks[..1]).run(), "too few");
    refused(MetaLearning::new(&[]).run(), "too few");
    refused(
        MetaLearning::new(&tasks).max_evaluations(0).run(),
        "nothing can be learned",
    );
    refused(
        MetaLearning::new(&tasks).variables([]).run(),
        "nothing is to be learned",
    );
    let twice = [MetaVariable::Prior, MetaVariable::Prior];
    refused(
        MetaLearning::new(&tasks).variables(twice).run(),
        "named twice",
    );
    let alone = MetaLearning::new(&tasks).variables([MetaVariable::Prior]);
    refused(alone.run(), "l2 = 0");
    refused(
        MetaLearning::new(&tasks).test_tasks(&others).run(),
        "another loss",
    );
    refused(
        MetaLearning::new(&tasks).guard(Guard::Rho(1.0)).run(),
        "with a rho",
    );
    refused(
        MetaLearning::new(&tasks).splits(3).run(),
        "no tasks of 3 each",
    );
    refused(MetaLearning::new(&tasks).splits(0).run(), "splits");
    refused(MetaLearning::new(&tasks).splits(4).run(), "too few");
    let largest = MetaLearning::new(&tasks).max_evaluations(1).run().unwrap();
    assert_eq!(largest.evaluations, 1);
    let mut adverse = tasks[0].specification().unwrap();
    adverse.sign = Sign::Maximize;
    let adverse = [tasks[1].clone(), Problem::new(adverse).unwrap()];
    refused(MetaLearning::new(&adverse).run(), "maximised");
    let mut normal = Normal::of_seed(2);
    let x: Vec<Vec<f64>> = (0..9).map(|_| normal.vector(3)).collect();
    let y = normal.vector(9);
    let state = |standardize: bool, validation: bool| {
        let builder = Problem::elastic_net(&x[..6], &y[..6]).standardize(standardize);
        let builder = if validation {
            builder.validation(&x[6..], &y[6..])
        } else {
            builder
        };
        builder.build().unwrap()
    };
    let pair = |problem: Problem| [state(false, true), problem];
    let narrow = [tasks[0].clone(), state(false, true)];
    refused(MetaLearning::new(&narrow).run(), "same columns");
    refused(
        MetaLearning::new(&pair(state(false, false))).run(),
        "training rows",
    );
    refused(
        MetaLearning::new(&pair(state(true, true))).run(),
        "another scale",
    );
}

//! The same bits for any packing into batches and any number of threads.

use proxdiff::data::{Dense, Matrix};
use proxdiff::hypergrad::{
    Evaluator, MinibatchSteps, Outcome, Settings, StochasticSettings, WarmStart,
};
use proxdiff::kinds::{Method, Precision, Solver, Status};
use proxdiff::loss::Loss;
use proxdiff::problem::Rows;
use proxdiff::{Point, Problem, Specification};

use super::methods::settings;
use super::problems::{Kind, Random, Recipe};

/// Bits as text: NaN equals itself here.
fn text(outcome: &Outcome) -> String {
    format!("{outcome:?}")
}

fn run(
    problem: &Problem,
    points: &[Point],
    settings: &Settings,
    precision: Precision,
) -> Vec<String> {
    Evaluator::new(problem)
        .settings(settings)
        .precision(precision)
        .run(points)
        .unwrap()
        .iter()
        .map(text)
        .collect()
}

fn check(recipe: &Recipe, settings: &Settings, precision: Precision) {
    let problem = recipe.problem();
    // Strengths from strong to none, so that problems end at very different times.
    let points: Vec<Point> = recipe
        .points(41)
        .into_iter()
        .enumerate()
        .map(|(at, mut point)| {
            point.l1 *= 3.0 * 0.8f64.powi(at as i32);
            point.l2 *= 0.93f64.powi(at as i32);
            point
        })
        .collect();
    let one = settings.clone().threads(1);
    let whole = run(&problem, &points, &one, precision);
    let many = settings.clone().threads(4);
    assert_eq!(
        run(&problem, &points, &many, precision),
        whole,
        "{recipe:?}, {settings:?}: threads"
    );

    let mut order: Vec<usize> = (0..points.len()).collect();
    let mut random = Random::new(recipe.seed);
    for at in (1..order.len()).rev() {
        order.swap(at, random.below(at + 1));
    }
    let permuted: Vec<Point> = order.iter().map(|&at| points[at].clone()).collect();
    for (found, &at) in run(&problem, &permuted, &one, precision).iter().zip(&order) {
        assert_eq!(
            found, &whole[at],
            "{recipe:?}, {settings:?}: point {at} permuted"
        );
    }
    for at in [0, 7, 16, 29, 40] {
        let alone = run(&problem, &points[at..=at], &one, precision);
        assert_eq!(
            alone[0], whole[at],
            "{recipe:?}, {settings:?}: point {at} alone"
        );
    }
}

fn recipe(loss: Loss, kind: Kind) -> Recipe {
    Recipe {
        rows: 19,
        features: 5,
        ..Recipe::new(loss, kind, 300).full()
    }
}

#[test]
fn fast_path() {
    for (loss, kind) in [
        (Loss::Squared, Kind::Weighted),
        (Loss::Multinomial, Kind::Group),
    ] {
        let recipe = recipe(loss, kind);
        check(
            &recipe,
            &settings(&recipe, Method::Direct, Solver::Auto),
            Precision::F64,
        );
        check(
            &recipe,
            &settings(&recipe, Method::AidCg, Solver::Auto),
            Precision::F64,
        );
    }
}

#[test]
fn recordings() {
    for (loss, kind) in [
        (Loss::Squared, Kind::ElasticNet),
        (Loss::Logistic, Kind::GroupStrengths),
    ] {
        let recipe = recipe(loss, kind);
        check(
            &recipe,
            &settings(&recipe, Method::AidCg, Solver::Fista),
            Precision::F64,
        );
        check(
            &recipe,
            &settings(&recipe, Method::AidFp, Solver::Ista),
            Precision::F64,
        );
    }
    let recipe = recipe(Loss::Huber { delta: 0.7 }, Kind::Box);
    check(
        &recipe,
        &settings(&recipe, Method::AidFp, Solver::Fista),
        Precision::F32,
    );
}

#[test]
fn iterative_differentiation() {
    let recipe = recipe(Loss::Squared, Kind::ElasticNet);
    let few = |method| {
        settings(&recipe, method, Solver::Auto)
            .wrt(vec![proxdiff::kinds::Wrt::L1, proxdiff::kinds::Wrt::L2])
    };
    check(&recipe, &few(Method::ItdForward), Precision::F64);
    check(&recipe, &few(Method::ItdReverse), Precision::F64);
}

/// Some problems run out of their budget of conjugate gradient steps, others do not.
#[test]
fn a_budget_that_some_spend() {
    let recipe = Recipe {
        features: 14,
        ..recipe(Loss::Logistic, Kind::ElasticNet)
    };
    let short = settings(&recipe, Method::AidCg, Solver::Fista).max_steps(8);
    check(&recipe, &short, Precision::F64);
}

/// Iterations that rest at once while their derivatives do not, after different numbers of steps.
#[test]
fn derivatives_that_settle_late() {
    let curvatures = [1.0, 1.9, 2.0, 2.1, 3.0];
    let mut q = vec![0.0; 25];
    curvatures
        .iter()
        .enumerate()
        .for_each(|(j, h)| q[6 * j] = *h);
    let q = Matrix::Dense(Dense::new(5, 5, q).unwrap());
    // The step is ½: a right-hand side along curvature 2 is solved by one step.
    let targets = vec![
        vec![0.0; 5],
        vec![0.0, 0.0, 2.0, 0.0, 0.0],
        vec![0.0, 0.0, 0.0, 1.0, 0.0],
    ];
    let mut specification = Specification::new(Loss::Quadratic, q.clone(), targets);
    specification.validation = Some(Rows {
        matrix: q,
        targets: vec![vec![1.0, -2.0, 0.5, 3.0, 1.0]; 3],
        weights: None,
        offset: None,
    });
    let problem = Problem::new(specification).unwrap();
    let points: Vec<Point> = (0..3)
        .map(|target| Point::new(0.0, 0.0).of_target(target))
        .collect();
    let settings = Settings::default().method(Method::ItdReverse);
    let whole = run(&problem, &points, &settings, Precision::F64);
    for at in 0..3 {
        let alone = run(&problem, &points[at..=at], &settings, Precision::F64);
        assert_eq!(alone[0], whole[at], "point {at} alone");
    }
}

#[test]
fn minibatches() {
    let recipe = recipe(Loss::Squared, Kind::ElasticNet);
    let stochastic = StochasticSettings {
        batch: 6,
        steps: 150,
        schedule: MinibatchSteps::Constant { eta: 0.2 },
        ..StochasticSettings::default()
    };
    let nsid = settings(&recipe, Method::Nsid, Solver::Auto).stochastic(stochastic.clone());
    check(&recipe, &nsid, Precision::F64);
    let solver = settings(&recipe, Method::AidFp, Solver::Stochastic)
        .stochastic(stochastic)
        .tolerance(0.05)
        .max_steps(2000);
    check(&recipe, &solver, Precision::F64);
}

#[test]
fn a_nan_start_marks_its_own_problem_alone() {
    for solver in [Solver::Ista, Solver::Fista] {
        let recipe = recipe(Loss::Logistic, Kind::Group);
        let problem = recipe.problem();
        let points = recipe.points(20);
        let settings = settings(&recipe, Method::AidFp, solver);
        let p = problem.coordinates();
        let mut warm = vec![
            WarmStart {
                w: vec![0.0; p],
                v: Vec::new()
            };
            20
        ];
        let solve = |warm: &[WarmStart]| {
            Evaluator::new(&problem)
                .settings(&settings)
                .warm_starts(warm.to_vec())
                .run(&points)
                .unwrap()
        };
        let clean = solve(&warm);
        warm[11].w[p - 1] = f64::NAN;
        for (at, (found, clean)) in solve(&warm).iter().zip(&clean).enumerate() {
            if at == 11 {
                assert_eq!(found.status, Status::NonFinite, "{solver:?}");
            } else {
                assert_eq!(text(found), text(clean), "{solver:?}: problem {at}");
            }
        }
    }
}

//! The list of engines: which one serves a request, that they agree, and what an interrupted one
//! leaves.

use std::time::Duration;

use proxdiff::hypergrad::{EngineName, MinibatchSteps, StochasticSettings};
use proxdiff::prelude::*;

use super::problems::{Kind, Recipe, relative};

fn engines(recipe: &Recipe, settings: &Settings) -> (EngineName, Option<EngineName>) {
    let problem = recipe.problem();
    let points = recipe.points(1);
    let evaluator = Evaluator::new(&problem).settings(settings);
    let engines = evaluator.run(&points).unwrap()[0].engines;
    (engines.solve, engines.adjoint)
}

#[test]
fn the_first_engine_that_serves_a_request_is_named() {
    use EngineName::{FusedPath, Path, Recorded, Sampled};
    let squared = Recipe::new(Loss::Squared, Kind::ElasticNet, 700);
    let logistic = Recipe::new(Loss::Logistic, Kind::ElasticNet, 701);
    let group = Recipe::new(Loss::Squared, Kind::Group, 702);
    let sparse = Recipe {
        sparse: true,
        ..squared
    };
    let by = |method: Method| {
        let stochastic = StochasticSettings {
            batch: 5,
            steps: 20,
            schedule: MinibatchSteps::Constant { eta: 0.3 },
            ..StochasticSettings::default()
        };
        Settings::default().method(method).stochastic(stochastic)
    };
    let cg = Settings::default();
    for (recipe, settings, expected) in [
        (&squared, &cg, (FusedPath, Some(FusedPath))),
        (&squared, &cg.clone().method(None), (FusedPath, None)),
        (&squared, &cg.clone().contraction(true), (Path, Some(Path))),
        (
            &squared,
            &cg.clone().precision(Precision::F32),
            (Path, Some(Path)),
        ),
        (&logistic, &cg, (Path, Some(Path))),
        (&group, &cg, (Path, Some(Path))),
        (
            &squared,
            &cg.clone().solver(Solver::Fista),
            (Recorded, Some(Recorded)),
        ),
        (
            &squared,
            &by(Method::Direct).solver(Solver::Fista),
            (Recorded, Some(Path)),
        ),
        (&squared, &by(Method::AidFp), (Path, Some(Recorded))),
        (
            &squared,
            &by(Method::ItdForward),
            (Recorded, Some(Recorded)),
        ),
        (&squared, &by(Method::Nsid), (Path, Some(Sampled))),
        (&logistic, &by(Method::Sid), (Path, Some(Sampled))),
        (&group, &by(Method::Nsid), (Path, Some(Recorded))),
        (&sparse, &by(Method::Nsid), (Path, Some(Recorded))),
    ] {
        assert_eq!(
            engines(recipe, settings),
            expected,
            "{recipe:?} {settings:?}"
        );
    }
}

/// The numbers of a point do not depend on the engine but for rounding.
#[test]
fn engines_agree() {
    let recipe = Recipe::new(Loss::Squared, Kind::Weighted, 703);
    let problem = recipe.problem();
    let points = recipe.points(4);
    let run = |settings: &Settings| {
        let outcomes = Evaluator::new(&problem)
            .settings(settings)
            .run(&points)
            .unwrap();
        let numbers = |outcome: &Outcome| {
            let gradient = outcome.gradient().unwrap();
            let l1 = gradient.l1.as_ref().unwrap().iter().copied();
            let others = [gradient.l2_value().unwrap(), outcome.criterion];
            outcome
                .solution
                .iter()
                .copied()
                .chain(l1)
                .chain(others)
                .collect::<Vec<f64>>()
        };
        outcomes.iter().map(numbers).collect::<Vec<_>>()
    };
    let fused = run(&Settings::default());
    let others = [
        Settings::default().contraction(true),
        Settings::default().solver(Solver::Fista),
        Settings::default().method(Method::AidFp),
    ];
    for settings in others {
        for (found, expected) in run(&settings).iter().zip(&fused) {
            let error = relative(found, expected, 1e-12);
            assert!(error < 1e-9, "{settings:?}: {error:e}");
        }
    }
}

/// The estimate so far is an outcome whose budget is spent.
#[test]
fn interrupted_minibatches_leave_an_estimate() {
    let recipe = Recipe::new(Loss::Squared, Kind::ElasticNet, 704);
    let problem = recipe.problem();
    let steps = 1 << 40;
    let stochastic = StochasticSettings {
        batch: 5,
        steps,
        freeze: Some(10),
        schedule: MinibatchSteps::Constant { eta: 0.3 },
        ..StochasticSettings::default()
    };
    let settings = Settings::default()
        .method(Method::Nsid)
        .stochastic(stochastic);
    let control = Control::new().with_time_budget(Duration::from_millis(300));
    let evaluator = Evaluator::new(&problem)
        .settings(&settings)
        .control(&control);
    let outcome = &evaluator.run(&recipe.points(1)).unwrap()[0];
    assert_eq!(outcome.engines.adjoint, Some(EngineName::Sampled));
    assert_eq!(outcome.status, Status::BudgetSpent);
    assert!(0 < outcome.linear_steps && outcome.linear_steps < steps);
    assert!(outcome.gradient().unwrap().is_finite());
}

/// A hypergradient that is not there is an error with the reason.
#[test]
fn a_missing_gradient_says_why() {
    let recipe = Recipe::new(Loss::Squared, Kind::ElasticNet, 705);
    let problem = recipe.problem();
    let evaluator = Evaluator::new(&problem).method(None);
    let outcome = &evaluator.run(&recipe.points(1)).unwrap()[0];
    let error = outcome.gradient().unwrap_err().to_string();
    assert!(error.contains("name a method"), "{error}");
}

/// Labels of two shifted clouds, four features.
fn clouds() -> (Vec<Vec<f64>>, Vec<f64>) {
    let mut random = super::problems::Random::new(706);
    let labels: Vec<f64> = (0..30)
        .map(|i| if i % 2 == 0 { 1.0 } else { -1.0 })
        .collect();
    let row = |label: &f64| {
        let mut x = random.vector(4);
        x[0] += label;
        x
    };
    (labels.iter().map(row).collect(), labels)
}

/// The multipliers of the dual give a plane that the primal's optimality conditions know: rows inside
/// the margin have the multiplier C, rows beyond it none.
#[test]
fn a_support_vector_machine_in_its_dual_is_optimal() {
    let (x, y) = clouds();
    let bound = 0.5;
    let problem = Problem::svm_dual(&x, &y, bound).build().unwrap();
    let outcome = &Evaluator::new(&problem)
        .method(None)
        .run(&[Point::new(0.0, 0.0)])
        .unwrap()[0];
    let multipliers = &outcome.solution;
    let weight = |j: usize| -> f64 {
        let rows = multipliers.iter().zip(&y).zip(&x);
        rows.map(|((a, y), x)| a * y * x[j]).sum()
    };
    let plane: Vec<f64> = (0..4).map(weight).collect();
    let mut bounded = 0;
    for ((&a, y), x) in multipliers.iter().zip(&y).zip(&x) {
        let margin = y * x.iter().zip(&plane).map(|(x, w)| x * w).sum::<f64>();
        let fits = match a {
            0.0 => margin >= 1.0 - 1e-7,
            a if a == bound => {
                bounded += 1;
                margin <= 1.0 + 1e-7
            }
            _ => (margin - 1.0).abs() < 1e-7,
        };
        assert!(fits, "multiplier {a}, margin {margin}");
    }
    assert!(0 < bounded && bounded < 30);
}

/// All forms of the same rows give the same outcome; what does not fit is an error of `build`.
#[test]
fn problems_are_built_from_any_form() {
    let (x, y) = clouds();
    let run = |builder: ProblemBuilder| {
        let problem = builder.build().unwrap();
        Evaluator::new(&problem)
            .run(&[Point::new(0.05, 0.1)])
            .unwrap()
            .remove(0)
    };
    let expected = run(Problem::logistic(&x, &y).validation(&x, &y));
    let values = x.concat();
    let shaped = RowMajor {
        rows: 30,
        columns: 4,
        values: &values,
    };
    assert_eq!(
        run(Problem::logistic(&shaped, &y).validation(&shaped, &y)),
        expected
    );
    let entries: Vec<(usize, usize, f64)> = values
        .iter()
        .enumerate()
        .map(|(at, &x)| (at / 4, at % 4, x))
        .collect();
    let triplets = Triplets {
        rows: 30,
        columns: 4,
        entries: &entries,
    };
    let sparse = run(Problem::logistic(&triplets, &y).validation(&triplets, &y));
    assert!(relative(&sparse.solution, &expected.solution, 1e-12) < 1e-9);
    let weighted = run(Problem::logistic(&x, &y)
        .weighted(&[1.0; 4])
        .validation(&x, &y));
    assert!(relative(&weighted.solution, &expected.solution, 1e-12) < 1e-9);
    let adversary = run(Problem::logistic(&x, &y)
        .validation(&x, &y)
        .sign(Sign::Maximize));
    assert_eq!(adversary.criterion, -expected.criterion);

    let short = Problem::logistic(&x, &y[1..]).build();
    assert!(matches!(short, Err(Error::Shape { .. })));
    let three = Problem::elastic_net(&x, &y).weighted(&[1.0; 3]).build();
    assert!(matches!(three, Err(Error::Shape { .. })));
    let outside = Problem::elastic_net(&triplets, &y)
        .validation_weights(&[1.0])
        .build();
    assert!(matches!(outside, Err(Error::Unsupported { .. })));
}

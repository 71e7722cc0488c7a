//! Batches whose points bring strengths, priors and row weights of their own: each point is the
//! problem that states them.

use proxdiff::hypergrad::{Evaluator, MinibatchSteps, Outcome, Settings, StochasticSettings};
use proxdiff::kinds::{Method, Precision, Solver, Status, Wrt};
use proxdiff::loss::Loss;
use proxdiff::penalty::Penalty;
use proxdiff::{Error, Point, Problem};

use super::problems::{KINDS, Kind, LOSSES, Recipe, parts, relative};
use super::vectors::Vectors;

/// The problem that states what a point has of its own, and the point without it.
fn stated(recipe: &Recipe, point: &Point) -> (Problem, Point) {
    let mut specification = recipe.specification();
    if let Some(own) = point.strengths() {
        let penalty = specification.penalty.clone();
        specification.penalty = penalty.with_strengths(own.to_vec());
    }
    if let Some(own) = point.ridge() {
        let ridge = specification.ridge.unwrap();
        specification.ridge = Some(ridge.with_strengths(own.to_vec()).unwrap());
    }
    if let Some(own) = point.prior() {
        specification.prior = Some(own.to_vec());
    }
    if let Some(own) = point.weights() {
        specification.train.weights = Some(own.to_vec());
        specification.weight_factors = None;
    }
    if let (Some(own), Some(validation)) =
        (point.criterion_weights(), &mut specification.validation)
    {
        validation.weights = Some(own.to_vec());
    }
    let plain = Point::new(point.l1, point.l2).of_target(point.target);
    (Problem::new(specification).unwrap(), plain)
}

fn recipes() -> Vec<Recipe> {
    let mut recipes = Vec::new();
    for (at, loss) in LOSSES.into_iter().enumerate() {
        for (k, kind) in KINDS.into_iter().enumerate() {
            let full = Recipe::new(loss, kind, 900 + (7 * at + k) as u64).full();
            recipes.push(Recipe {
                sparse: (at + k) % 3 == 0,
                // Own weights leave centre and scale of the columns; a stated problem would measure
                // others, which only matter to penalised coefficients where there is a scale.
                intercept: full.intercept && (at + k) % 2 == 0,
                standardize: false,
                ridges: (at + k) % 2 == 1,
                ..full
            });
        }
    }
    recipes
}

fn run(problem: &Problem, points: &[Point], settings: &Settings, p: Precision) -> Vec<Outcome> {
    Evaluator::new(problem)
        .settings(settings)
        .precision(p)
        .run(points)
        .unwrap()
}

/// Compares an outcome with that of the stated problem.
fn compare(context: &str, found: (&Problem, &Outcome), expected: (&Problem, &Outcome), to: f64) {
    let ((problem, found), (other, expected)) = (found, expected);
    assert_eq!(found.status, expected.status, "{context}");
    assert_eq!(found.support, expected.support, "{context}: support");
    let target = expected.point.target;
    let [(w, mut b), (w_stated, mut b_stated)] = [
        problem.in_data_units(&found.solution, target),
        other.in_data_units(&expected.solution, target),
    ];
    // What multinomial intercepts have in common is a convention, and depends on the centre.
    for b in [&mut b, &mut b_stated].into_iter().filter(|b| b.len() > 1) {
        let mean = b.iter().sum::<f64>() / b.len() as f64;
        b.iter_mut().for_each(|b| *b -= mean);
    }
    for (name, a, b) in [
        ("coefficients", w, w_stated),
        ("intercepts", b, b_stated),
        ("criterion", vec![found.criterion], vec![expected.criterion]),
        ("objective", vec![found.objective], vec![expected.objective]),
    ] {
        let error = relative(&a, &b, 1e-3);
        assert!(error < to, "{context}: {name} differ by {error:.1e}");
    }
    let (Some(a), Some(b)) = (&found.hypergradient, &expected.hypergradient) else {
        assert_eq!(found.hypergradient, expected.hypergradient, "{context}");
        return;
    };
    let (a, b) = (parts(a), parts(b));
    assert_eq!(a.len(), b.len(), "{context}: parts");
    for ((name, a), (other, b)) in a.iter().zip(&b) {
        assert_eq!(name, other);
        let error = relative(a, b, 1e-4);
        assert!(error < to, "{context}: {name} differs by {error:.1e}");
    }
}

fn check(recipe: &Recipe, settings: &Settings, precision: Precision, tolerance: f64) {
    let problem = recipe.problem();
    let vectors = Vectors::of(&problem, recipe.seed);
    // More points than lanes; their parts are not in step with either.
    let points: Vec<Point> = recipe
        .points(21)
        .into_iter()
        .enumerate()
        .map(|(at, point)| vectors.give(recipe, point, 11 * at))
        .collect();
    let found = run(&problem, &points, settings, precision);
    for (at, (point, found)) in points.iter().zip(&found).enumerate() {
        assert_eq!(&found.point, point);
        let (stated, plain) = stated(recipe, point);
        let expected = &run(&stated, &[plain], settings, precision)[0];
        let context = format!(
            "{recipe:?} #{at}: {:?} of {:?}",
            settings.method, settings.solver
        );
        compare(&context, (&problem, found), (&stated, expected), tolerance);
    }
}

fn by(recipe: &Recipe, method: Method, solver: Solver) -> Settings {
    Settings::default()
        .method(method)
        .solver(solver)
        .wrt(recipe.wrt())
}

#[test]
fn every_point_is_the_problem_that_it_states() {
    for recipe in recipes() {
        for settings in [
            by(&recipe, Method::AidCg, Solver::Auto),
            by(&recipe, Method::Direct, Solver::Auto),
            by(&recipe, Method::AidFp, Solver::Fista),
        ] {
            check(&recipe, &settings, Precision::F64, 1e-8);
        }
        // The engine of small squared-loss problems has these derivatives only.
        let fused = Settings::default().wrt(vec![Wrt::L1, Wrt::L2, Wrt::Prior]);
        check(&recipe, &fused, Precision::F64, 1e-8);
    }
}

#[test]
fn iterative_differentiation_too() {
    for recipe in recipes().into_iter().step_by(3) {
        // An intercept without a ridge may take many steps.
        let recipe = Recipe {
            intercept: false,
            ..recipe
        };
        for method in [Method::ItdForward, Method::ItdReverse] {
            let settings = by(&recipe, method, Solver::Auto).max_steps(20_000);
            check(&recipe, &settings, Precision::F64, 1e-7);
        }
    }
}

#[test]
fn single_precision_too() {
    for recipe in recipes().into_iter().step_by(2) {
        let recipe = Recipe {
            intercept: false,
            ..recipe
        };
        let settings = by(&recipe, Method::AidFp, Solver::Fista)
            .tolerance(1e-5)
            .wrt(vec![Wrt::L1, Wrt::L2]);
        check(&recipe, &settings, Precision::F32, 2e-2);
    }
}

#[test]
fn minibatches_draw_the_weights_of_every_point() {
    for loss in [Loss::Squared, Loss::Logistic, Loss::Multinomial] {
        let recipe = Recipe::new(loss, Kind::Weighted, 950);
        let stochastic = StochasticSettings {
            batch: 5,
            steps: 50,
            schedule: MinibatchSteps::Constant { eta: 0.3 },
            ..StochasticSettings::default()
        };
        for method in [Method::Nsid, Method::Sid] {
            let settings = Settings::default()
                .method(method)
                .stochastic(stochastic.clone())
                .wrt(vec![Wrt::L1, Wrt::L2, Wrt::SampleWeights]);
            let settings = if method == Method::Sid {
                settings.wrt(vec![Wrt::L1, Wrt::L2])
            } else {
                settings
            };
            let problem = recipe.problem();
            let vectors = Vectors::of(&problem, 951);
            let points: Vec<Point> = recipe
                .points(5)
                .into_iter()
                .enumerate()
                .map(|(at, point)| vectors.give(&recipe, point, 13 * at + 5))
                .collect();
            let found = run(&problem, &points, &settings, Precision::F64);
            for (point, found) in points.iter().zip(&found) {
                let (stated, plain) = stated(&recipe, point);
                let expected = &run(&stated, &[plain], &settings, Precision::F64)[0];
                let context = format!("{loss:?}, {method:?}");
                compare(&context, (&problem, found), (&stated, expected), 1e-8);
            }
        }
    }
}

/// A path of strengths is a path for points with vectors of their own as well.
#[test]
fn points_that_share_vectors_are_one_path() {
    let recipe = Recipe {
        rows: 40,
        features: 60,
        ..Recipe::new(Loss::Logistic, Kind::Weighted, 960)
    };
    let problem = recipe.problem();
    let vectors = Vectors::of(&problem, 961);
    let first = vectors.give(&recipe, Point::new(0.2, 0.001), 5);
    let path: Vec<Point> = (0..20)
        .map(|k| {
            let mut point = first.clone();
            point.l1 *= 0.8f64.powi(k);
            point
        })
        .collect();
    let settings = Settings::default().method(None);
    let together = run(&problem, &path, &settings, Precision::F64);
    let steps = |outcomes: &[Outcome]| outcomes.iter().map(|o| o.steps).sum::<usize>();
    let alone: Vec<Outcome> = path
        .iter()
        .flat_map(|point| {
            run(
                &problem,
                std::slice::from_ref(point),
                &settings,
                Precision::F64,
            )
        })
        .collect();
    assert!(together.iter().all(|o| o.status == Status::Converged));
    assert!(steps(&together) < steps(&alone));
}

#[test]
fn what_does_not_fit_is_refused() {
    let recipe = Recipe::new(Loss::Logistic, Kind::ElasticNet, 970);
    let problem = recipe.problem();
    let (n, p) = (problem.train().rows(), problem.penalized());
    let point = || Point::new(0.1, 0.1);
    let refused = |problem: &Problem, point: Point| {
        let found = Evaluator::new(problem).run(&[point]);
        found.expect_err("the point does not fit")
    };
    let message = |error: &Error| error.to_string();

    let vector = refused(&problem, point().with_strengths(vec![1.0; p]));
    assert!(
        message(&vector).contains("weighted penalty"),
        "{}",
        message(&vector)
    );
    let weighted = problem
        .clone()
        .with_penalty(Penalty::Weighted {
            strengths: vec![1.0; p],
        })
        .unwrap();
    for strengths in [vec![1.0; p - 1], vec![-1.0; p], vec![f64::NAN; p]] {
        let error = refused(&weighted, point().with_strengths(strengths));
        assert!(message(&error).contains("strengths"), "{}", message(&error));
    }
    for prior in [vec![0.0; p + 1], vec![f64::INFINITY; p]] {
        let error = refused(&problem, point().with_prior(prior));
        assert!(message(&error).contains("prior"), "{}", message(&error));
    }
    for weights in [vec![1.0; n + 1], vec![0.0; n], vec![-1.0; n]] {
        let error = refused(&problem, point().with_weights(weights));
        assert!(
            message(&error).contains("weights of a point"),
            "{}",
            message(&error)
        );
    }
    let form = Recipe::new(Loss::Quadratic, Kind::ElasticNet, 971).problem();
    let error = refused(&form, point().with_weights(vec![1.0; form.train().rows()]));
    assert!(message(&error).contains("no rows"), "{}", message(&error));
    let error = refused(&problem, point().with_criterion_weights(vec![1.0; 3]));
    assert!(
        message(&error).contains("criterion weights"),
        "{}",
        message(&error)
    );
}

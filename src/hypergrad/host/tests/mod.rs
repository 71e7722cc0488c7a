//! Maps with known derivatives, by every method.

mod maps;

use super::*;
use maps::{
    Distance, Linear, Network, add_product, add_transposed, network, nonnormal, ridge, solve,
};

fn run<M: HostMap + 'static>(
    problem: &HostProblem<M, Distance>,
    batch: &[Vec<f64>],
    method: HostMethod,
    warm: Option<&[WarmStart]>,
) -> Vec<HostOutcome> {
    let settings = HostSettings {
        method,
        ..HostSettings::default()
    };
    problem
        .solve_and_differentiate(batch, &settings, warm, &Control::new())
        .unwrap()
}

fn relative_error(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    let error = norm(&mut found.iter().zip(expected).map(|(f, e)| f - e))
        / norm(&mut expected.iter().copied());
    assert!(!error.is_nan(), "{found:?} {expected:?}");
    error
}

/// Every outcome converged, with a hypergradient near `expected`.
fn check(method: HostMethod, outcomes: &[HostOutcome], expected: &[Vec<f64>], tolerance: f64) {
    assert_eq!(outcomes.len(), expected.len());
    for (at, (outcome, expected)) in outcomes.iter().zip(expected).enumerate() {
        let place = format!("{} #{at}: {:?}", method.name(), outcome.status);
        assert_eq!(outcome.status, Status::Converged, "{place}");
        let error = relative_error(&outcome.hypergradient, expected);
        assert!(error < tolerance, "{place}, error {error:.1e}");
        let itd = matches!(method, HostMethod::ItdForward | HostMethod::ItdReverse);
        assert_eq!(outcome.linear_residual.is_none(), itd);
        assert!(outcome.linear_residual.unwrap_or(0.0) < 1e-13, "{place}");
        assert_eq!(outcome.adjoint.is_empty(), itd);
        assert!(outcome.residual < 1e-13, "{place} {}", outcome.residual);
    }
}

/// The methods that every map allows.
fn general_methods() -> impl Iterator<Item = HostMethod> {
    HostMethod::ALL
        .into_iter()
        .filter(|&method| method != HostMethod::AidCg)
}

#[test]
fn a_linear_map_has_its_closed_form() {
    let (problem, batch) = nonnormal(LinearStructure::General);
    let Linear { a, b, c, .. } = problem.map();
    let p = c.len();
    let identity = |i: usize, j: usize| f64::from(u8::from(i == j));
    let system: Vec<f64> = (0..p * p)
        .map(|at| identity(at / p, at % p) - a[at])
        .collect();
    let transposed: Vec<f64> = (0..p * p).map(|at| system[at % p * p + at / p]).collect();
    let closed = |lambda: &Vec<f64>| {
        let mut rhs = c.clone();
        add_product(b, lambda, &mut rhs);
        let w = solve(&system, &rhs);
        let mut gradient = vec![0.0; p];
        problem.criterion().gradient(&w, lambda, &mut gradient);
        let v = solve(&transposed, &gradient);
        let mut total: Vec<f64> = lambda.iter().map(|l| 0.3 * l).collect();
        add_transposed(b, &v, &mut total);
        (w, v, total)
    };
    let expected: Vec<_> = batch.iter().map(closed).collect();
    let totals: Vec<_> = expected.iter().map(|(_, _, total)| total.clone()).collect();
    for method in general_methods() {
        let outcomes = run(&problem, &batch, method, None);
        check(method, &outcomes, &totals, 1e-12);
        for (outcome, (w, v, _)) in outcomes.iter().zip(&expected) {
            assert!(relative_error(&outcome.solution, w) < 1e-13);
            assert!(outcome.adjoint.is_empty() || relative_error(&outcome.adjoint, v) < 1e-12);
        }
    }
}

/// dE/dλ by central differences of fourth order, each w(λ) solved to rounding.
fn differences<M: HostMap + 'static>(
    problem: &HostProblem<M, Distance>,
    lambda: &[f64],
) -> Vec<f64> {
    let step = 1e-3;
    let weights = [(-2.0, 1.0), (-1.0, -8.0), (1.0, 8.0), (2.0, -1.0)];
    let shifted: Vec<Vec<f64>> = (0..lambda.len())
        .flat_map(|j| {
            weights.iter().map(move |(shift, _)| {
                let mut lambda = lambda.to_vec();
                lambda[j] += shift * step;
                lambda
            })
        })
        .collect();
    run(problem, &shifted, HostMethod::AidGmres, None)
        .chunks_exact(weights.len())
        .map(|values| {
            let sum: f64 = values
                .iter()
                .zip(weights)
                .map(|(outcome, (_, weight))| weight * outcome.criterion)
                .sum();
            sum / (12.0 * step)
        })
        .collect()
}

#[test]
fn hypergradients_of_a_network_are_finite_differences() {
    let (problem, batch) = network();
    // Kinks within the differences' reach are not for this test: it needs a few problems without.
    let batch = &batch[..4];
    let expected: Vec<Vec<f64>> = batch
        .iter()
        .map(|lambda| differences(&problem, lambda))
        .collect();
    for method in general_methods() {
        check(method, &run(&problem, batch, method, None), &expected, 1e-7);
    }
}

#[test]
fn hypergradients_of_a_gradient_step_are_finite_differences() {
    let (problem, batch) = ridge();
    let expected: Vec<Vec<f64>> = batch
        .iter()
        .map(|lambda| differences(&problem, lambda))
        .collect();
    for method in HostMethod::ALL {
        check(
            method,
            &run(&problem, &batch, method, None),
            &expected,
            1e-7,
        );
    }
}

#[test]
fn all_methods_agree() {
    let (problem, batch) = network();
    let reference: Vec<Vec<f64>> = run(&problem, &batch, HostMethod::AidGmres, None)
        .into_iter()
        .map(|outcome| outcome.hypergradient)
        .collect();
    for method in general_methods() {
        check(
            method,
            &run(&problem, &batch, method, None),
            &reference,
            1e-9,
        );
    }
    let (problem, batch) = ridge();
    let reference: Vec<Vec<f64>> = run(&problem, &batch, HostMethod::AidGmres, None)
        .into_iter()
        .map(|outcome| outcome.hypergradient)
        .collect();
    for method in HostMethod::ALL {
        check(
            method,
            &run(&problem, &batch, method, None),
            &reference,
            1e-9,
        );
    }
}

#[test]
fn a_problem_has_the_same_bits_in_any_batch_and_on_any_threads() {
    let (problem, batch) = network();
    for method in general_methods() {
        let whole = run(&problem, &batch, method, None);
        for (at, lambda) in batch.iter().enumerate().step_by(5) {
            assert_eq!(
                run(&problem, std::slice::from_ref(lambda), method, None)[0],
                whole[at]
            );
        }
        let settings = HostSettings {
            method,
            threads: 1,
            ..HostSettings::default()
        };
        let single = problem
            .solve_and_differentiate(&batch, &settings, None, &Control::new())
            .unwrap();
        assert_eq!(single, whole);
    }
}

#[test]
fn a_problem_goes_on_for_as_long_as_it_does_alone() {
    let (problem, batch) = network();
    // From near its end w comes to rest before its derivative, sooner or later.
    let warm: Vec<WarmStart> = run(&problem, &batch, HostMethod::AidGmres, None)
        .into_iter()
        .enumerate()
        .map(|(at, outcome)| WarmStart {
            w: outcome
                .solution
                .iter()
                .map(|w| w + 10.0_f64.powi(-4 * (at as i32 % 4)))
                .collect(),
            v: Vec::new(),
        })
        .collect();
    let whole = run(&problem, &batch, HostMethod::ItdReverse, Some(&warm));
    let steps: std::collections::BTreeSet<usize> = whole.iter().map(|o| o.steps).collect();
    assert!(steps.len() > 1, "all alike: {steps:?}");
    for (at, lambda) in batch.iter().enumerate() {
        let alone = run(
            &problem,
            std::slice::from_ref(lambda),
            HostMethod::ItdReverse,
            Some(&warm[at..=at]),
        );
        assert_eq!(alone[0], whole[at], "#{at}");
    }
}

#[test]
fn warm_starts_save_steps() {
    let (problem, batch) = network();
    let near: Vec<Vec<f64>> = batch
        .iter()
        .map(|lambda| lambda.iter().map(|l| l * (1.0 + 1e-9)).collect())
        .collect();
    for method in general_methods() {
        let warm: Vec<WarmStart> = run(&problem, &batch, HostMethod::AidGmres, None)
            .iter()
            .map(HostOutcome::warm_start)
            .collect();
        let settings = HostSettings {
            method,
            tolerance: Some(1e-12),
            ..HostSettings::default()
        };
        let steps = |warm: Option<&[WarmStart]>| {
            let outcomes = problem
                .solve_and_differentiate(&near, &settings, warm, &Control::new())
                .unwrap();
            assert!(outcomes.iter().all(|o| o.status == Status::Converged));
            let sum = |of: fn(&HostOutcome) -> usize| outcomes.iter().map(of).sum::<usize>();
            (sum(|o| o.steps), sum(|o| o.linear_steps))
        };
        let (cold, warm) = (steps(None), steps(Some(&warm)));
        let itd = matches!(method, HostMethod::ItdForward | HostMethod::ItdReverse);
        if itd {
            // The derivative takes its steps wherever w starts.
            assert!(warm.0 > 0, "{method:?}: {cold:?} {warm:?}");
        } else {
            assert!(2 * warm.0 < cold.0, "{method:?}: {cold:?} {warm:?}");
            // Krylov methods take few products from anywhere.
            let factor = if method == HostMethod::AidFp { 2 } else { 1 };
            assert!(factor * warm.1 < cold.1, "{method:?}: {cold:?} {warm:?}");
        }
    }
}

#[test]
fn iterative_differentiation_is_right_from_a_warm_start_too() {
    let (problem, batch) = network();
    let outcomes = run(&problem, &batch, HostMethod::AidGmres, None);
    let reference: Vec<Vec<f64>> = outcomes.iter().map(|o| o.hypergradient.clone()).collect();
    let warm: Vec<WarmStart> = outcomes.iter().map(HostOutcome::warm_start).collect();
    for method in [HostMethod::ItdForward, HostMethod::ItdReverse] {
        let found = run(&problem, &batch, method, Some(&warm));
        check(method, &found, &reference, 1e-9);
    }
}

#[test]
fn exactly_as_many_steps_as_asked_for() {
    let (problem, batch) = network();
    // With t steps ITD forward and reverse differentiate the same w_t, far from the fixed point.
    let settings = |method| HostSettings {
        method,
        tolerance: Some(0.0),
        max_steps: 5,
        ..HostSettings::default()
    };
    let by = |method| {
        problem
            .solve_and_differentiate(&batch, &settings(method), None, &Control::new())
            .unwrap()
    };
    let (forward, reverse) = (by(HostMethod::ItdForward), by(HostMethod::ItdReverse));
    for (forward, reverse) in forward.iter().zip(&reverse) {
        assert_eq!((forward.steps, reverse.steps), (5, 5));
        assert_eq!(forward.status, Status::BudgetSpent);
        assert!(relative_error(&forward.hypergradient, &reverse.hypergradient) < 1e-13);
    }
    assert!(forward.iter().any(|outcome| outcome.residual > 1e-3));
}

#[test]
fn conjugate_gradient_needs_a_declaration() {
    let (problem, batch) = network();
    let settings = HostSettings {
        method: HostMethod::AidCg,
        ..HostSettings::default()
    };
    let error = problem
        .solve_and_differentiate(&batch, &settings, None, &Control::new())
        .unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }));
    assert!(error.to_string().contains("GMRES"), "{error}");
}

#[test]
fn conjugate_gradient_on_a_false_declaration_is_not_called_converged() {
    let (problem, batch) = nonnormal(LinearStructure::SymmetricPositiveDefinite);
    for outcome in run(&problem, &batch, HostMethod::AidCg, None) {
        assert_eq!(outcome.status, Status::Stalled);
        assert!(outcome.linear_residual.unwrap() > 1e-6);
    }
}

#[test]
fn a_problem_that_is_not_finite_is_marked_alone() {
    let (problem, mut batch) = network();
    batch[7][0] = f64::NAN;
    for method in general_methods() {
        let outcomes = run(&problem, &batch, method, None);
        let mut without = batch.clone();
        without[7] = batch[6].clone();
        let clean = run(&problem, &without, method, None);
        for (at, (outcome, clean)) in outcomes.iter().zip(&clean).enumerate() {
            if at == 7 {
                assert_eq!(outcome.status, Status::NonFinite, "{method:?}");
            } else {
                assert_eq!(outcome, clean, "{method:?} #{at}");
            }
        }
    }
}

#[test]
fn a_map_that_does_not_contract_is_not_called_converged() {
    let (p, q) = (3, 1.5);
    let map = Linear {
        a: (0..p * p)
            .map(|at| if at % p == at / p { q } else { 0.0 })
            .collect(),
        b: vec![1.0; p],
        c: vec![1.0; p],
        structure: LinearStructure::General,
    };
    let criterion = Distance {
        target: vec![0.0; p],
        rho: 0.0,
    };
    let problem = HostProblem::new(map, criterion).unwrap();
    for method in general_methods() {
        let outcome = &run(&problem, &[vec![0.5]], method, None)[0];
        assert!(
            matches!(outcome.status, Status::Diverged | Status::NonFinite),
            "{method:?}: {:?}",
            outcome.status
        );
    }
}

#[test]
fn a_budget_that_runs_out_and_a_cancelled_control_are_outcomes() {
    let (problem, batch) = network();
    let cancelled = Control::new();
    cancelled.cancel();
    for method in general_methods() {
        let settings = HostSettings {
            method,
            max_steps: 3,
            ..HostSettings::default()
        };
        for (settings, control) in [
            (&settings, &Control::new()),
            (
                &HostSettings {
                    max_steps: 1000,
                    ..settings.clone()
                },
                &cancelled,
            ),
        ] {
            let outcomes = problem
                .solve_and_differentiate(&batch, settings, None, control)
                .unwrap();
            for outcome in outcomes {
                assert_eq!(outcome.status, Status::BudgetSpent, "{method:?}");
                assert!(outcome.linear_steps <= 3, "{method:?}");
            }
        }
    }
}

#[test]
fn wrong_lengths_and_settings_are_errors() {
    let (problem, batch) = network();
    let good = HostSettings::default();
    let attempt = |batch: &[Vec<f64>], settings: &HostSettings, warm: Option<&[WarmStart]>| {
        problem
            .solve_and_differentiate(batch, settings, warm, &Control::new())
            .map(|outcomes| outcomes.len())
    };
    let is_shape = |result: Result<usize>| matches!(result, Err(Error::Shape { .. }));
    let is_value = |result: Result<usize>| matches!(result, Err(Error::Value { .. }));
    assert_eq!(attempt(&[], &good, None).unwrap(), 0);
    assert!(is_shape(attempt(&[vec![1.0]], &good, None)));
    let short = vec![WarmStart::default(); batch.len()];
    assert!(is_shape(attempt(&batch, &good, Some(&short))));
    let p = problem.map().coordinates();
    let start = |v: usize| WarmStart {
        w: vec![0.0; p],
        v: vec![0.0; v],
    };
    assert!(is_shape(attempt(&batch, &good, Some(&[start(p)]))));
    assert!(is_shape(attempt(&batch[..1], &good, Some(&[start(1)]))));
    assert_eq!(attempt(&batch[..1], &good, Some(&[start(0)])).unwrap(), 1);
    for tolerance in [-1.0, f64::NAN, f64::INFINITY] {
        let settings = HostSettings {
            tolerance: Some(tolerance),
            ..good.clone()
        };
        assert!(is_value(attempt(&batch, &settings, None)));
    }
    for settings in [
        HostSettings {
            max_steps: 0,
            ..good.clone()
        },
        HostSettings {
            restart: 0,
            ..good.clone()
        },
    ] {
        assert!(is_value(attempt(&batch, &settings, None)));
    }
    let empty = Network {
        units: 0,
        inputs: vec![vec![1.0]],
    };
    let criterion = Distance {
        target: vec![],
        rho: 0.0,
    };
    assert!(matches!(
        HostProblem::new(empty, criterion),
        Err(Error::Value { .. })
    ));
}

#[test]
fn a_map_of_unknown_type_serves() {
    let map: Arc<dyn HostMap> = Arc::new(network().0.map().clone());
    let (typed, batch) = network();
    let criterion = Distance {
        target: typed.criterion().target.clone(),
        rho: 0.05,
    };
    let problem = HostProblem::shared(map, criterion).unwrap();
    let outcomes = problem
        .solve_and_differentiate(&batch, &HostSettings::default(), None, &Control::new())
        .unwrap();
    assert_eq!(outcomes, run(&typed, &batch, HostMethod::AidGmres, None));
}

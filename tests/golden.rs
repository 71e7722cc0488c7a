//! Every golden case by every method: solutions, hypergradients, objectives, criteria.

mod common;

use common::{Case, all_cases, relative_error};
use proxdiff::hypergrad::{Evaluator, Outcome, Settings};
use proxdiff::kinds::{Method, Precision, Solver, Status, Wrt};

/// Evaluates a case by a method.
fn outcomes(case: &Case, method: Method, solver: Solver, precision: Precision) -> Vec<Outcome> {
    let mut settings = Settings::default().method(method).solver(solver);
    // Forward ITD carries a problem per direction, 1 200 of them for the perturbation: that is checked
    // at the points that converge fast; reverse ITD checks it at every point.
    let few_steps = case
        .points
        .iter()
        .all(|golden| golden.aidfp_iterations < 80.0);
    if !case.problem.perturbed_rows().is_empty() && (method != Method::ItdForward || few_steps) {
        settings.wrt.push(Wrt::Perturbation);
    }
    let points: Vec<_> = case
        .points
        .iter()
        .map(|golden| golden.point.clone())
        .collect();
    Evaluator::new(&case.problem)
        .settings(&settings)
        .precision(precision)
        .run(&points)
        .unwrap()
}

/// The largest of the hypergradient's relative errors: (l1, l2) together, and the perturbation.
fn hypergradient_error(outcome: &Outcome, golden: &common::GoldenPoint) -> f64 {
    let found = outcome.hypergradient.as_ref().expect("a hypergradient");
    let flat = |l1: &[f64], l2: f64| l1.iter().copied().chain([l2]).collect::<Vec<f64>>();
    let mut error = relative_error(
        &flat(
            found.l1.as_ref().unwrap().as_slice(),
            found.l2_value().unwrap(),
        ),
        &flat(&golden.l1, golden.l2),
    );
    if let (Some(expected), Some(found)) = (&golden.perturbation, &found.perturbation) {
        error = error.max(relative_error(found, expected));
    }
    error
}

/// Whether an outcome agrees with its golden point, where `error` and `w` are the errors of its
/// hypergradient and solution. Each condition says what must hold, so that NaN meets none.
fn is_good(
    outcome: &Outcome,
    golden: &common::GoldenPoint,
    error: f64,
    w: f64,
    tolerance: f64,
    exact: bool,
) -> bool {
    let near = |found: f64, expected: f64, tolerance: f64| {
        (found - expected).abs() <= tolerance * expected.abs()
    };
    let is_exact = w <= 1e-9
        && outcome.status == Status::Converged
        && near(outcome.objective, golden.objective, 1e-9)
        && near(outcome.criterion, golden.criterion, 1e-8);
    error <= tolerance && (!exact || is_exact)
}

/// The check itself: an outcome that is golden passes, and no number of it may be NaN.
#[test]
fn not_a_number_is_not_golden() {
    let case = common::case("a_enet_published", 0);
    let golden = &case.points[0];
    let outcome = outcomes(&case, Method::Direct, Solver::Auto, Precision::F64).swap_remove(0);
    let good = |outcome: &Outcome, error, w| is_good(outcome, golden, error, w, 1e-7, true);
    assert!(good(&outcome, 0.0, 0.0));
    assert!(!good(&outcome, f64::NAN, 0.0));
    assert!(!good(&outcome, 0.0, f64::NAN));
    let mut wrong = outcome.clone();
    wrong.objective = f64::NAN;
    assert!(!good(&wrong, 0.0, 0.0));
    wrong = outcome.clone();
    wrong.criterion = f64::NAN;
    assert!(!good(&wrong, 0.0, 0.0));
}

/// Checks every case by one method; `applies` says at which points, with which tolerance.
fn check(
    method: Method,
    solver: Solver,
    precision: Precision,
    tolerance: f64,
    applies: impl Fn(&common::GoldenPoint) -> bool,
) {
    let mut failures = Vec::new();
    let mut checked = 0;
    for mut case in all_cases() {
        // Only what is to be checked is computed: hard points take fixed-point methods their whole budget.
        case.points.retain(&applies);
        if case.points.is_empty() {
            continue;
        }
        let found = outcomes(&case, method, solver, precision);
        for (at, (outcome, golden)) in found.iter().zip(&case.points).enumerate() {
            checked += 1;
            let error = hypergradient_error(outcome, golden);
            let w = relative_error(&outcome.solution, &golden.w);
            let exact = precision == Precision::F64;
            if !is_good(outcome, golden, error, w, tolerance, exact) {
                failures.push(format!(
                    "{} #{at} l1={} l2={}: hypergradient {error:.1e}, w {w:.1e}, {:?}, steps {}+{}, residual {:.1e}, \
                     linear {:?}, condition {:.1e}",
                    case.name,
                    golden.point.l1,
                    golden.point.l2,
                    outcome.status,
                    outcome.steps,
                    outcome.linear_steps,
                    outcome.residual,
                    outcome.linear_residual,
                    golden.condition
                ));
            }
        }
    }
    assert!(checked > 50, "only {checked} points were checked");
    assert!(
        failures.is_empty(),
        "{} of {checked}:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// The points at which fixed-point methods must be accurate.
fn moderate(golden: &common::GoldenPoint) -> bool {
    golden.aidfp_iterations <= 20_000.0 && golden.condition < 1e4
}

#[test]
fn direct() {
    check(Method::Direct, Solver::Auto, Precision::F64, 1e-7, |_| true);
}

#[test]
fn aid_cg() {
    check(Method::AidCg, Solver::Auto, Precision::F64, 1e-7, |_| true);
}

#[test]
fn aid_cg_of_recordings() {
    check(Method::AidCg, Solver::Fista, Precision::F64, 1e-6, moderate);
}

#[test]
fn aid_fp() {
    check(Method::AidFp, Solver::Auto, Precision::F64, 1e-6, moderate);
}

#[test]
fn itd_forward() {
    check(
        Method::ItdForward,
        Solver::Auto,
        Precision::F64,
        1e-6,
        moderate,
    );
}

#[test]
fn itd_reverse() {
    check(
        Method::ItdReverse,
        Solver::Auto,
        Precision::F64,
        1e-6,
        moderate,
    );
}

#[test]
fn single_precision() {
    check(
        Method::AidCg,
        Solver::Auto,
        Precision::F32,
        1e-4,
        |golden| golden.condition < 1e3,
    );
}

/// At l1 = l1_max exactly the solution is zero, and the hypergradient is one selection of the
/// conservative derivative: between the two one-sided derivatives, and not certified.
#[test]
fn at_an_exact_kink_a_selection_is_returned() {
    let case = common::case("i_l1max_exact_kink", 0);
    let text =
        std::fs::read_to_string(common::golden_dir().join("i_l1max_exact_kink/case.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    for method in [
        Method::Direct,
        Method::AidCg,
        Method::AidFp,
        Method::ItdForward,
        Method::ItdReverse,
    ] {
        for (at, outcome) in outcomes(&case, method, Solver::Auto, Precision::F64)
            .iter()
            .enumerate()
        {
            assert_eq!(outcome.status, Status::Converged);
            assert!(outcome.solution.iter().all(|w| *w == 0.0));
            assert!(!outcome.certified && !outcome.warnings.is_empty());
            let found = outcome.hypergradient.as_ref().expect("a selection");
            let left = &json["points"][at]["hypergradient_left"];
            let between = |value: f64, right: f64, left: &serde_json::Value| {
                let left = left.as_f64().unwrap();
                right.min(left) - 1e-12 <= value && value <= right.max(left) + 1e-12
            };
            let golden = &case.points[at];
            assert!(
                between(
                    found.l1.as_ref().unwrap().as_slice()[0],
                    golden.l1[0],
                    &left["l1"]
                ),
                "{method:?}"
            );
            assert!(
                between(found.l2_value().unwrap(), golden.l2, &left["l2"]),
                "{method:?}"
            );
        }
    }
}

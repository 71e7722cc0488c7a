//! Solutions checked by hand: the optimality conditions in plain loops, whatever the solver.

use proxdiff::hypergrad::{Evaluator, Outcome, Settings};
use proxdiff::kinds::{Solver, Status};
use proxdiff::loss::Loss;
use proxdiff::penalty::Penalty;
use proxdiff::{Point, Problem};

use super::methods::recipes;
use super::problems::relative;

/// Row i of X̂ in plain numbers, from the columns of the design.
fn rows_of(problem: &Problem) -> Vec<Vec<f64>> {
    let design = &problem.train().design;
    let mut rows = vec![vec![0.0; design.columns()]; design.rows()];
    for j in 0..design.columns() {
        let mut unit = vec![0.0; design.columns()];
        unit[j] = 1.0;
        for (row, value) in rows.iter_mut().zip(design.apply(&unit)) {
            row[j] = value;
        }
    }
    rows
}

/// ∇loss(w) + λ₂(w − c) by the formulas of the losses.
fn gradient(problem: &Problem, point: Point, w: &[f64]) -> Vec<f64> {
    let rows = rows_of(problem);
    let (n, c, y) = (
        rows.len(),
        problem.classes(),
        &problem.train().targets[point.target],
    );
    let mut g = vec![0.0; w.len()];
    for i in 0..n {
        let z: Vec<f64> = (0..c)
            .map(|k| {
                rows[i]
                    .iter()
                    .enumerate()
                    .map(|(j, x)| x * w[j * c + k])
                    .sum()
            })
            .collect();
        let s = problem.train().weights[i] / n as f64;
        if problem.loss() == Loss::Quadratic {
            g[i] = z[0] - y[i];
            continue;
        }
        let total: f64 = z.iter().map(|z| z.exp()).sum();
        for k in 0..c {
            let r = match problem.loss() {
                Loss::Squared => z[0] - y[i],
                Loss::Logistic => -y[i] / (1.0 + (y[i] * z[0]).exp()),
                Loss::Huber { delta } => (z[0] - y[i]).clamp(-delta, delta),
                Loss::SquaredHinge => -y[i] * larger(1.0 - y[i] * z[0], 0.0),
                Loss::Multinomial => z[k].exp() / total - if y[i] == k as f64 { 1.0 } else { 0.0 },
                Loss::Poisson => z[0].exp() - y[i],
                Loss::Gamma => 1.0 - y[i] / z[0].exp(),
                Loss::Tweedie { power } => {
                    let mean = z[0].exp();
                    (mean - y[i]) * mean.powf(1.0 - power)
                }
                Loss::Quadratic => unreachable!(),
            };
            for (j, x) in rows[i].iter().enumerate() {
                g[j * c + k] += s * r * x;
            }
        }
    }
    for j in 0..problem.penalized() {
        g[j] += problem.ridges(&point).at(j)
            * (w[j] - problem.prior().as_ref().map_or(0.0, |prior| prior[j]));
    }
    g
}

/// The larger of two numbers, or NaN where one is, which `f64::max` would drop.
fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.max(b)
    }
}

/// The distance of −g from the subdifferential of the penalty at w, largest over coordinates.
pub fn violation(problem: &Problem, point: Point, w: &[f64]) -> f64 {
    let g = gradient(problem, point.clone(), w);
    let strengths = problem.effective_strengths(point.l1);
    let penalized = problem.penalized();
    let mut worst = g[penalized..]
        .iter()
        .fold(0.0f64, |worst, g| larger(worst, g.abs()));
    if let Some(groups) = problem.penalty().groups() {
        // Coordinates that pay by themselves share a strength, before those of the groups.
        let (shared, strengths) = strengths.split_at(problem.penalty().shared_strengths());
        let own = shared.first().copied().unwrap_or(0.0);
        for (at, l1) in strengths.iter().enumerate() {
            let members = groups.members(at).iter().map(|&j| j as usize);
            let norm = |of: &dyn Fn(usize) -> f64| {
                members.clone().map(|j| of(j).powi(2)).sum::<f64>().sqrt()
            };
            let size = norm(&|j| w[j]);
            let off = if size == 0.0 {
                norm(&|j| (g[j].abs() - own).max(0.0)) - l1
            } else {
                norm(&|j| match w[j] {
                    0.0 => (g[j].abs() - own).max(0.0),
                    w => g[j] + l1 * w / size + own * w.signum(),
                })
            };
            worst = larger(worst, off);
        }
        return if worst.is_nan() { f64::INFINITY } else { worst };
    }
    for j in 0..penalized {
        let off = match *problem.penalty() {
            Penalty::Bounded {
                ref lower,
                ref upper,
                ..
            } => {
                // The slopes of the objective to the right and to the left, within the bounds.
                let (lower, upper, own) = (lower[j], upper[j], strengths[j]);
                let right = g[j] + if w[j] < 0.0 { -own } else { own };
                let left = g[j] + if w[j] > 0.0 { own } else { -own };
                match w[j] {
                    w if !(lower <= w && w <= upper) => f64::INFINITY,
                    _ if lower == upper => 0.0,
                    w if w == lower => -right,
                    w if w == upper => left,
                    _ => larger(-right, left),
                }
            }
            Penalty::Box { lower, upper } if w[j] == lower && lower < upper => -g[j],
            Penalty::Box { upper, .. } if w[j] == upper => g[j],
            Penalty::Box { lower, upper } if lower < w[j] && w[j] < upper => g[j].abs(),
            Penalty::Box { .. } => f64::INFINITY,
            Penalty::NonNegative if w[j] < 0.0 => f64::INFINITY,
            Penalty::NonNegative if w[j] == 0.0 => -(g[j] + strengths[j]),
            Penalty::NonNegative => (g[j] + strengths[j]).abs(),
            _ if w[j] == 0.0 => g[j].abs() - strengths[j],
            _ => (g[j] + strengths[j] * w[j].signum()).abs(),
        };
        worst = larger(worst, off);
    }
    if worst.is_nan() { f64::INFINITY } else { worst }
}

/// Solves without differentiating.
fn solutions(problem: &Problem, points: &[Point], solver: Solver) -> Vec<Outcome> {
    let settings = Settings::default().solver(solver).method(None);
    Evaluator::new(problem)
        .settings(&settings)
        .run(points)
        .unwrap()
}

#[test]
fn every_solver_meets_the_optimality_conditions() {
    for recipe in recipes() {
        let problem = recipe.problem();
        let points = recipe.points(4);
        let mut first: Option<Vec<Outcome>> = None;
        for solver in [Solver::Path, Solver::Ista, Solver::Fista] {
            let found = solutions(&problem, &points, solver);
            for outcome in &found {
                assert_eq!(outcome.status, Status::Converged, "{recipe:?}, {solver:?}");
                let violation = violation(&problem, outcome.point.clone(), &outcome.solution);
                assert!(
                    violation < 1e-11,
                    "{recipe:?}, {solver:?}: violation {violation:.1e}"
                );
            }
            if let Some(first) = &first {
                for (a, b) in found.iter().zip(first) {
                    let error = relative(&a.solution, &b.solution, 1e-3);
                    assert!(
                        error < 1e-9,
                        "{recipe:?}: {solver:?} against the path {error:.1e}"
                    );
                }
            } else {
                first = Some(found);
            }
        }
    }
}

#[test]
fn a_wrong_solution_violates_the_conditions() {
    for recipe in recipes() {
        let problem = recipe.problem();
        let point = &recipe.points(1)[0];
        let mut w = solutions(&problem, std::slice::from_ref(point), Solver::Path)[0]
            .solution
            .clone();
        let at = (0..w.len())
            .max_by(|&a, &b| w[a].abs().total_cmp(&w[b].abs()))
            .unwrap();
        w[at] *= 1.0 - 1e-6;
        assert!(violation(&problem, point.clone(), &w) > 1e-9, "{recipe:?}");
    }
}

#[test]
fn not_a_number_violates_the_conditions() {
    for recipe in recipes() {
        let problem = recipe.problem();
        let point = &recipe.points(1)[0];
        let solution = &solutions(&problem, std::slice::from_ref(point), Solver::Path)[0].solution;
        for at in 0..solution.len() {
            let mut w = solution.clone();
            w[at] = f64::NAN;
            assert_eq!(
                violation(&problem, point.clone(), &w),
                f64::INFINITY,
                "{recipe:?}"
            );
        }
    }
}

//! Iterative differentiation and the Neumann series, step by step against recursions written out.

use proxdiff::hypergrad::{Evaluator, Outcome, Settings, WarmStart};
use proxdiff::kinds::{Method, Solver, Wrt};
use proxdiff::loss::Loss;
use proxdiff::map::spectrum::Spectrum;
use proxdiff::{Point, Problem};

use super::methods::{outcomes, parts};
use super::problems::{Kind, Recipe, relative};

/// Φ of an elastic net with squared or logistic loss, in plain loops over a dense design.
struct Plain<'a> {
    problem: &'a Problem,
    point: Point,
    gamma: f64,
    x: Vec<Vec<f64>>,
}

impl<'a> Plain<'a> {
    fn new(problem: &'a Problem, point: Point) -> Self {
        Self {
            problem,
            point: point.clone(),
            gamma: Spectrum::of(problem).step(point.l2).gamma,
            x: dense(&problem.train().design.matrix),
        }
    }

    /// u = T(w).
    fn inner(&self, w: &[f64]) -> Vec<f64> {
        let y = &self.problem.train().targets[0];
        let r: Vec<f64> = self
            .x
            .iter()
            .zip(y)
            .map(|(x, y)| self.slope(dot(x, w), *y) / self.x.len() as f64)
            .collect();
        (0..w.len())
            .map(|j| {
                let gradient: f64 = self.x.iter().zip(&r).map(|(x, r)| x[j] * r).sum();
                w[j] - self.gamma * (gradient + self.point.l2 * w[j])
            })
            .collect()
    }

    fn slope(&self, z: f64, y: f64) -> f64 {
        match self.problem.loss() {
            Loss::Logistic => -y / (1.0 + (y * z).exp()),
            _ => z - y,
        }
    }

    fn bend(&self, z: f64) -> f64 {
        match self.problem.loss() {
            Loss::Logistic => 1.0 / ((1.0 + z.exp()) * (1.0 + (-z).exp())),
            _ => 1.0,
        }
    }

    fn threshold(&self) -> f64 {
        self.gamma * self.point.l1
    }

    fn step(&self, w: &[f64]) -> Vec<f64> {
        let t = self.threshold();
        self.inner(w)
            .iter()
            .map(|u| u.signum() * (u.abs() - t).max(0.0))
            .collect()
    }

    fn mask(&self, w: &[f64]) -> Vec<f64> {
        self.inner(w)
            .iter()
            .map(|u| {
                if u.abs() > self.threshold() {
                    u.signum()
                } else {
                    0.0
                }
            })
            .collect()
    }

    /// (I − γA) v at w.
    fn shrink(&self, w: &[f64], v: &[f64]) -> Vec<f64> {
        let n = self.x.len() as f64;
        let q: Vec<f64> = self
            .x
            .iter()
            .map(|x| self.bend(dot(x, w)) * dot(x, v) / n)
            .collect();
        (0..v.len())
            .map(|j| {
                let a: f64 = self.x.iter().zip(&q).map(|(x, q)| x[j] * q).sum();
                v[j] - self.gamma * (a + self.point.l2 * v[j])
            })
            .collect()
    }

    /// ∂₁Φᵀ v at w.
    fn vjp(&self, w: &[f64], v: &[f64]) -> Vec<f64> {
        let masked: Vec<f64> = self
            .mask(w)
            .iter()
            .zip(v)
            .map(|(m, v)| m.abs() * v)
            .collect();
        self.shrink(w, &masked)
    }

    /// ∂₂Φᵀ v at w for (l1, λ₂).
    fn hyper(&self, w: &[f64], v: &[f64]) -> [f64; 2] {
        let mask = self.mask(w);
        let l1: f64 = mask.iter().zip(v).map(|(m, v)| m * v).sum();
        let l2: f64 = mask
            .iter()
            .zip(v)
            .zip(w)
            .map(|((m, v), w)| m.abs() * v * w)
            .sum();
        [-self.gamma * l1, -self.gamma * l2]
    }

    /// ∂₁E at w.
    fn criterion(&self, w: &[f64]) -> Vec<f64> {
        let sample = &self.problem.criterion().sample;
        let x = dense(&sample.design.matrix);
        let n = x.len() as f64;
        let mut g = vec![0.0; w.len()];
        for (i, x) in x.iter().enumerate() {
            let r = sample.weights[i] * self.slope(dot(x, w), sample.targets[0][i]) / n;
            g.iter_mut().zip(x).for_each(|(g, x)| *g += r * x);
        }
        g
    }

    fn iterates(&self, steps: usize) -> Vec<Vec<f64>> {
        let mut all = vec![vec![0.0; self.problem.coordinates()]];
        for t in 0..steps {
            all.push(self.step(&all[t]));
        }
        all
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn dense(matrix: &proxdiff::data::Matrix) -> Vec<Vec<f64>> {
    let mut rows = vec![vec![0.0; matrix.columns()]; matrix.rows()];
    matrix.for_each_entry(|i, j, x| rows[i][j] = x);
    rows
}

fn problems() -> Vec<(Recipe, Problem, Point)> {
    [(Loss::Squared, 400), (Loss::Logistic, 401)]
        .into_iter()
        .map(|(loss, seed)| {
            let recipe = Recipe {
                features: 4,
                rows: 12,
                ..Recipe::new(loss, Kind::ElasticNet, seed)
            };
            (recipe, recipe.problem(), Point::new(0.05, 0.05))
        })
        .collect()
}

fn exactly(steps: usize, method: Method) -> Settings {
    Settings::default()
        .solver(Solver::Ista)
        .method(method)
        .tolerance(0.0)
        .max_steps(steps)
}

fn gradient(outcome: &Outcome) -> Vec<f64> {
    parts(outcome.hypergradient.as_ref().unwrap())
        .into_iter()
        .flat_map(|(_, part)| part)
        .collect()
}

const STEPS: [usize; 7] = [1, 2, 3, 17, 127, 128, 130];

#[test]
fn iterates_and_adjoints_are_those_written_out() {
    for (recipe, problem, point) in problems() {
        let plain = Plain::new(&problem, point.clone());
        for steps in STEPS {
            let found = &outcomes(
                &problem,
                std::slice::from_ref(&point),
                &exactly(steps, Method::AidFp),
            )[0];
            let w = plain.iterates(steps).pop().unwrap();
            assert_eq!(
                (found.steps, found.linear_steps),
                (steps, steps),
                "{recipe:?}"
            );
            assert!(
                relative(&found.solution, &w, 1e-3) < 1e-12,
                "{recipe:?}: w after {steps} steps"
            );
            // v ← ∂₁Φᵀv + ∂₁E, as often as steps were allowed.
            let e = plain.criterion(&w);
            let mut v = vec![0.0; w.len()];
            for _ in 0..steps {
                v = plain
                    .vjp(&w, &v)
                    .iter()
                    .zip(&e)
                    .map(|(a, b)| a + b)
                    .collect();
            }
            assert!(
                relative(&found.adjoint, &v, 1e-3) < 1e-11,
                "{recipe:?}: v after {steps} steps"
            );
            assert!(
                relative(&gradient(found), &plain.hyper(&w, &v), 1e-3) < 1e-11,
                "{recipe:?}: {steps} steps"
            );
        }
    }
}

#[test]
fn derivatives_of_the_iteration_are_those_written_out() {
    for (recipe, problem, point) in problems() {
        let plain = Plain::new(&problem, point.clone());
        for steps in STEPS {
            let iterates = plain.iterates(steps);
            let mut alpha = plain.criterion(&iterates[steps]);
            let mut expected = [0.0; 2];
            for w in iterates[..steps].iter().rev() {
                let part = plain.hyper(w, &alpha);
                expected = [expected[0] + part[0], expected[1] + part[1]];
                alpha = plain.vjp(w, &alpha);
            }
            for method in [Method::ItdForward, Method::ItdReverse] {
                let found = &outcomes(
                    &problem,
                    std::slice::from_ref(&point),
                    &exactly(steps, method),
                )[0];
                assert_eq!(found.steps, steps);
                let error = relative(&gradient(found), &expected, 1e-3);
                assert!(
                    error < 1e-11,
                    "{recipe:?}: {method:?} of {steps} steps {error:.1e}"
                );
            }
        }
    }
}

#[test]
fn truncation_keeps_the_last_steps() {
    for (recipe, problem, point) in problems() {
        let plain = Plain::new(&problem, point.clone());
        let truncated = |steps: usize, keep: Option<usize>| {
            let settings = exactly(steps, Method::ItdReverse).truncate(keep);
            gradient(&outcomes(&problem, std::slice::from_ref(&point), &settings)[0])
        };
        for steps in STEPS {
            let all = truncated(steps, None);
            assert_eq!(truncated(steps, Some(steps)), all, "{recipe:?}");
            assert_eq!(truncated(steps, Some(steps + 1000)), all, "{recipe:?}");
        }
        // In the middle of a segment, across its border, and within the first.
        let iterates = plain.iterates(300);
        for keep in [1, 2, 43, 44, 45, 180] {
            let mut alpha = plain.criterion(&iterates[300]);
            let mut expected = [0.0; 2];
            for w in iterates[300 - keep..300].iter().rev() {
                let part = plain.hyper(w, &alpha);
                expected = [expected[0] + part[0], expected[1] + part[1]];
                alpha = plain.vjp(w, &alpha);
            }
            let error = relative(&truncated(300, Some(keep)), &expected, 1e-3);
            assert!(
                error < 1e-11,
                "{recipe:?}: the last {keep} of 300 steps {error:.1e}"
            );
        }
    }
}

/// Where w has come to rest, the last k steps are the first k terms of the Neumann series.
#[test]
fn truncation_at_rest_is_the_neumann_series() {
    for (recipe, problem, point) in problems() {
        let rest = &outcomes(
            &problem,
            std::slice::from_ref(&point),
            &exactly(4000, Method::AidFp),
        )[0];
        for terms in [1, 2, 5, 20] {
            let settings = exactly(4000, Method::ItdReverse).truncate(terms);
            let truncated =
                gradient(&outcomes(&problem, std::slice::from_ref(&point), &settings)[0]);
            let warm = [WarmStart {
                w: rest.solution.clone(),
                v: Vec::new(),
            }];
            let series = Evaluator::new(&problem)
                .settings(&exactly(terms, Method::AidFp))
                .warm_starts(warm.to_vec())
                .run(std::slice::from_ref(&point))
                .unwrap();
            let error = relative(&truncated, &gradient(&series[0]), 1e-3);
            assert!(error < 1e-10, "{recipe:?}: {terms} terms {error:.1e}");
        }
    }
}

/// Two bits per coordinate and step against iterates from checkpoints.
#[test]
fn pieces_are_checkpoints() {
    for (loss, kind, part) in [
        (Loss::Squared, Kind::ElasticNet, Wrt::L1),
        (Loss::Squared, Kind::Weighted, Wrt::L1),
        (Loss::Squared, Kind::NonNegative, Wrt::L1),
        (Loss::Squared, Kind::Box, Wrt::BoxBounds),
        (Loss::Quadratic, Kind::Box, Wrt::BoxBounds),
        (Loss::Quadratic, Kind::Weighted, Wrt::L1),
    ] {
        let wanted = if part == Wrt::L1 { "l1" } else { "box bounds" };
        // More coordinates than share a word.
        let recipe = Recipe {
            features: 19,
            rows: 40,
            ..Recipe::new(loss, kind, 420).full()
        };
        let problem = recipe.problem();
        let points = recipe.points(18);
        for (steps, truncate) in [(1, None), (129, None), (300, None), (300, Some(150))] {
            let run = |wrt: Vec<Wrt>| {
                let settings = exactly(steps, Method::ItdReverse)
                    .wrt(wrt)
                    .truncate(truncate);
                outcomes(&problem, &points, &settings)
            };
            for (a, b) in run(vec![part]).iter().zip(&run(vec![part, Wrt::L2])) {
                let (a, b) = (
                    a.hypergradient.as_ref().unwrap(),
                    b.hypergradient.as_ref().unwrap(),
                );
                let select = |h| {
                    parts(h)
                        .into_iter()
                        .find(|(name, _)| *name == wanted)
                        .unwrap()
                        .1
                };
                let (a, b) = (select(a), select(b));
                assert!(
                    b.iter().any(|x| *x != 0.0),
                    "{recipe:?}: nothing to compare"
                );
                assert!(
                    relative(&a, &b, 1e-6) < 1e-12,
                    "{recipe:?}: {steps} steps, the last {truncate:?}"
                );
            }
        }
    }
}

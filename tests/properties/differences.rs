//! Hypergradients against central differences of the criterion, solving anew at every point.

use proxdiff::hypergrad::Settings;
use proxdiff::kinds::{Method, Solver, Wrt};
use proxdiff::loss::Loss;
use proxdiff::penalty::Penalty;
use proxdiff::{Point, Problem};

use super::methods::{outcomes, parts, recipes, settings};
use super::optimality::violation;
use super::problems::{Random, Recipe};

/// The criterion at a solution that meets the optimality conditions.
fn criterion(problem: &Problem, point: Point) -> f64 {
    let solve = Settings::default().method(None);
    let outcome = &outcomes(problem, std::slice::from_ref(&point), &solve)[0];
    assert!(violation(problem, point, &outcome.solution) < 1e-11);
    outcome.criterion
}

/// The problem and the point moved by `by` in a direction of one hyperparameter.
fn moved(
    recipe: &Recipe,
    problem: &Problem,
    point: Point,
    wrt: Wrt,
    direction: &[f64],
    by: f64,
) -> (Problem, Point) {
    let (mut problem, mut point) = (problem.clone(), point);
    let add = |values: &mut [f64], unit: f64| {
        values
            .iter_mut()
            .zip(direction)
            .for_each(|(x, d)| *x += by * d / unit);
    };
    match wrt {
        Wrt::L1 => {
            let penalty = problem.penalty().clone();
            if penalty.has_strength_vector() {
                // The derivative is in the effective strengths l1·strength.
                let mut strengths = penalty.strengths(problem.penalized());
                add(&mut strengths, point.l1);
                problem = problem
                    .with_penalty(penalty.with_strengths(strengths))
                    .unwrap();
            } else {
                point.l1 += by * direction[0];
            }
        }
        Wrt::L2 => match problem.ridge().cloned() {
            None => point.l2 += by * direction[0],
            Some(ridge) => {
                let mut strengths = ridge.strengths().to_vec();
                add(&mut strengths, point.l2);
                let moved = ridge.with_strengths(strengths).unwrap();
                problem = problem.with_ridge(moved).unwrap();
            }
        },
        Wrt::Prior => {
            let mut prior = problem.prior().unwrap().to_vec();
            add(&mut prior, 1.0);
            problem = problem.with_prior(prior).unwrap();
        }
        Wrt::SampleWeights | Wrt::ClassWeights => {
            // The user's weights; the normalisation to mean 1 belongs to the derivative, means and scales do not.
            let mut weights: Vec<f64> = problem
                .train()
                .weights
                .iter()
                .map(|s| s * problem.weight_unit())
                .collect();
            let factors = recipe.specification().weight_factors;
            let factor = |row: usize| factors.as_ref().map_or(1.0, |factors| factors[row]);
            let labels = &problem.train().targets[point.target];
            let class = |y: f64| (if recipe.classes() > 1 { y } else { y.max(0.0) }) as usize;
            for (row, weight) in weights.iter_mut().enumerate() {
                if wrt == Wrt::ClassWeights {
                    *weight *= 1.0 + by * direction[class(labels[row])] / factor(row);
                } else {
                    *weight += by * direction[row] * factor(row);
                }
            }
            let mean = weights.iter().sum::<f64>() / weights.len() as f64;
            let normalized = weights.iter().map(|w| w / mean).collect();
            problem = problem.with_weights(normalized).unwrap();
        }
        Wrt::Perturbation => {
            let mut specification = recipe.specification();
            add(
                &mut specification.perturbation.as_mut().unwrap().values.values,
                1.0,
            );
            problem = Problem::new(specification).unwrap();
        }
        Wrt::HuberDelta => {
            let mut specification = recipe.specification();
            if let Loss::Huber { delta } = specification.loss {
                // That of the criterion stays.
                specification.criterion = Some(specification.loss);
                specification.loss = Loss::Huber {
                    delta: delta + by * direction[0],
                };
            }
            problem = Problem::new(specification).unwrap();
        }
        Wrt::BoxBounds => {
            if let Penalty::Bounded { .. } = problem.penalty() {
                // Bounds of the scaled columns; derivatives are in those of the data.
                let scale = problem.features().scale.clone();
                let mut penalty = problem.penalty().clone();
                if let Penalty::Bounded { lower, upper, .. } = &mut penalty {
                    let classes = recipe.classes();
                    for (at, d) in direction.iter().enumerate() {
                        let j = at % lower.len();
                        let bounds = if at < lower.len() {
                            &mut *lower
                        } else {
                            &mut *upper
                        };
                        bounds[j] += by * d * scale[j / classes];
                    }
                }
                problem = problem.with_penalty(penalty).unwrap();
            }
            if let &Penalty::Box { lower, upper } = problem.penalty() {
                let moved = Penalty::Box {
                    lower: lower + by * direction[0],
                    upper: upper + by * direction[1],
                };
                problem = problem.with_penalty(moved).unwrap();
            }
        }
    }
    (problem, point)
}

#[test]
fn every_hypergradient_is_a_derivative() {
    let mut checked = 0;
    for recipe in recipes() {
        let recipe = Recipe {
            prior: true,
            ..recipe
        };
        let problem = recipe.problem();
        for (at, point) in recipe.points(2).iter().enumerate() {
            let found = &outcomes(
                &problem,
                std::slice::from_ref(point),
                &settings(&recipe, Method::AidFp, Solver::Fista),
            )[0];
            let hypergradient = parts(found.hypergradient.as_ref().unwrap());
            let mut random = Random::new(recipe.seed + at as u64);
            for (&wrt, (name, gradient)) in recipe.wrt().iter().zip(&hypergradient) {
                let mut direction = random.vector(gradient.len());
                if wrt == Wrt::L1 && problem.penalty().has_strength_vector() {
                    // A strength of zero has only a right derivative.
                    let strengths = problem.effective_strengths(1.0);
                    direction
                        .iter_mut()
                        .zip(strengths)
                        .for_each(|(d, s)| *d = if s == 0.0 { 0.0 } else { *d });
                }
                if let (Wrt::BoxBounds, Penalty::Bounded { lower, upper, .. }) =
                    (wrt, problem.penalty())
                {
                    // At a bound of zero l1 may hold the coefficient: then one side alone moves it. Where
                    // two bounds are one number, neither moves alone.
                    let p = lower.len();
                    for (at, d) in direction.iter_mut().enumerate() {
                        let (j, own) = (at % p, if at < p { lower } else { upper });
                        if own[j] == 0.0 || lower[j] == upper[j] {
                            *d = 0.0;
                        }
                    }
                }
                if let (Wrt::L2, Some(ridge)) = (wrt, problem.ridge()) {
                    let strengths = direction.iter_mut().zip(ridge.strengths());
                    let zeros = strengths.filter(|(_, s)| **s == 0.0);
                    zeros.for_each(|(d, _)| *d = 0.0);
                }
                let slope: f64 = gradient.iter().zip(&direction).map(|(g, d)| g * d).sum();
                let terms: f64 = gradient
                    .iter()
                    .zip(&direction)
                    .map(|(g, d)| (g * d).abs())
                    .sum();
                let h = 3e-6;
                let at = |by: f64| {
                    let (problem, point) =
                        moved(&recipe, &problem, point.clone(), wrt, &direction, by);
                    criterion(&problem, point)
                };
                let difference = (at(h) - at(-h)) / (2.0 * h);
                let error = (difference - slope).abs() / terms.max(1e-3);
                checked += 1;
                assert!(
                    error < 1e-6,
                    "{recipe:?} at {point:?}, {name}: {slope} against differences {difference}: {error:.1e}"
                );
            }
        }
    }
    assert!(checked > 200);
}

//! The sparse group lasso: golden values by every method, and finite differences on random problems.
//!
//! The golden values are from a dense solver of its own in double precision (accelerated proximal
//! gradient to the last bit, the adjoint by a dense solve), whose derivatives agree with its own
//! central differences to eight digits.

use proxdiff::data::{Dense, Matrix};
use proxdiff::hypergrad::{Evaluator, Outcome, Settings};
use proxdiff::kinds::{Method, Precision, Solver, Status, Wrt};
use proxdiff::loss::Loss;
use proxdiff::map::spectrum::Spectrum;
use proxdiff::penalty::{Groups, Penalty};
use proxdiff::problem::Rows;
use proxdiff::{Point, Problem, Specification};

const FEATURES: usize = 12;
const STRENGTHS: [f64; 5] = [1.0, 0.5, 1.0, 1.5, 0.75];

struct Golden {
    loss: Loss,
    point: Point,
    w: [f64; FEATURES],
    objective: f64,
    criterion: f64,
    strengths: [f64; 5],
    ridge: f64,
}

fn golden() -> [Golden; 2] {
    [
        Golden {
            loss: Loss::Squared,
            point: Point::new(0.12, 0.05),
            w: [
                1.0781421454655327,
                -1.671460768546084,
                0.0,
                0.0,
                0.0,
                0.0,
                0.0,
                0.0,
                0.0,
                0.17966418234280548,
                0.2251681683483379,
                -0.350536199909153,
            ],
            objective: 1.0091064083780132,
            criterion: 0.6184116973569911,
            strengths: [
                1.9866844284852072,
                0.01866215418306298,
                0.0,
                0.0,
                1.0010644450737451,
            ],
            ridge: 0.4913152846441144,
        },
        Golden {
            loss: Loss::Logistic,
            point: Point::new(0.02, 0.01),
            w: [
                0.7270364924352446,
                -1.7613303851680528,
                0.0,
                0.4225714375798314,
                -0.0786895208764784,
                0.0,
                0.0,
                0.0,
                0.0,
                0.930289928867917,
                0.3792665918632938,
                -0.5156013632677642,
            ],
            objective: 0.46060684580997485,
            criterion: 0.3283376926116858,
            strengths: [
                6.106249595326087,
                0.24483219220539082,
                1.9721803527841129,
                0.0,
                2.2525461800377315,
            ],
            ridge: 3.857846712374236,
        },
    ]
}

/// Rows of a smooth design, with targets of a sparse model and a disturbance.
fn rows(count: usize, phase: f64, disturbance: f64, loss: Loss) -> Rows {
    const TRUTH: [f64; FEATURES] = [1.5, -2.0, 0.0, 0.8, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.5, -0.7];
    let mut values = Vec::new();
    for i in 0..count {
        for j in 0..FEATURES {
            let (i, j) = (i as f64, j as f64);
            values.push((1.3 * i + 0.7 * j * j + 0.31 * i * j + phase).sin());
        }
    }
    let target = |(i, x): (usize, &[f64])| {
        let clean: f64 = x.iter().zip(TRUTH).map(|(x, w)| x * w).sum();
        let i = i as f64;
        let y = clean + 0.3 * (2.1 * i * i + disturbance).cos();
        match loss {
            Loss::Logistic if y > 0.0 => 1.0,
            Loss::Logistic => -1.0,
            _ => y,
        }
    };
    let targets = values.chunks_exact(FEATURES).enumerate().map(target);
    Rows {
        targets: vec![targets.collect()],
        matrix: Matrix::Dense(Dense::new(count, FEATURES, values).unwrap()),
        weights: None,
        offset: None,
    }
}

fn problem(loss: Loss, strengths: &[f64]) -> Problem {
    let train = rows(40, 0.0, 0.1, loss);
    let mut specification = Specification::new(loss, train.matrix, train.targets);
    specification.validation = Some(rows(25, 0.5, 0.9, loss));
    specification.scaling.intercept = false;
    specification.scaling.standardize = false;
    let groups = Groups::consecutive(FEATURES, 3).unwrap();
    specification.penalty = Penalty::sparse_group(groups, Some(strengths.to_vec()));
    Problem::new(specification).unwrap()
}

fn outcome(problem: &Problem, point: Point, settings: &Settings) -> Outcome {
    Evaluator::new(problem)
        .settings(settings)
        .run(&[point])
        .unwrap()
        .remove(0)
}

fn relative(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    let difference = norm(&mut found.iter().zip(expected).map(|(a, b)| a - b));
    difference / norm(&mut expected.iter().copied())
}

fn check(golden: &Golden, settings: &Settings, tolerance: f64) {
    let found = outcome(
        &problem(golden.loss, &STRENGTHS),
        golden.point.clone(),
        settings,
    );
    let name = format!(
        "{:?} by {:?}, {:?}",
        golden.loss, settings.method, settings.solver
    );
    assert_eq!(found.status, Status::Converged, "{name}");
    let near = |a: f64, b: f64| (a - b).abs() <= tolerance * b.abs();
    assert!(
        relative(&found.solution, &golden.w) <= tolerance,
        "{name}: {:?}",
        found.solution
    );
    assert!(
        near(found.objective, golden.objective),
        "{name}: {}",
        found.objective
    );
    assert!(
        near(found.criterion, golden.criterion),
        "{name}: {}",
        found.criterion
    );
    let gradient = found.gradient().unwrap();
    let l1 = gradient.l1.as_ref().unwrap();
    assert!(
        relative(l1.as_slice(), &golden.strengths) <= 10.0 * tolerance,
        "{name}: {l1:?}"
    );
    assert!(
        relative(&[gradient.l2_value().unwrap()], &[golden.ridge]) <= 10.0 * tolerance,
        "{name}"
    );
    assert_eq!(
        found.support,
        golden.w.iter().filter(|w| **w != 0.0).count()
    );
    assert!(found.certified, "{name}: {:?}", found.kink_margin);
}

#[test]
fn every_method_finds_the_golden_values() {
    for golden in &golden() {
        for (method, solver) in [
            (Method::AidCg, Solver::Auto),
            (Method::Direct, Solver::Auto),
            (Method::AidFp, Solver::Auto),
            (Method::AidCg, Solver::Fista),
            (Method::AidFp, Solver::Ista),
            (Method::ItdForward, Solver::Auto),
            (Method::ItdReverse, Solver::Auto),
        ] {
            let settings = Settings::default().method(method).solver(solver);
            check(golden, &settings, 1e-10);
        }
        let single = Settings::default()
            .precision(Precision::F32)
            .solver(Solver::Fista);
        let single = outcome(
            &problem(golden.loss, &STRENGTHS),
            golden.point.clone(),
            &single,
        );
        assert!(relative(&single.solution, &golden.w) < 1e-5);
    }
}

#[test]
fn both_kinds_of_strengths_are_differentiated() {
    let settings = Settings::default();
    for (loss, l1, l2) in [(Loss::Squared, 0.2, 0.01), (Loss::Logistic, 0.015, 0.05)] {
        let point = Point::new(l1, l2);
        let found = outcome(&problem(loss, &STRENGTHS), point.clone(), &settings);
        let slopes = found.gradient().unwrap().l1.clone().unwrap();
        for s in 0..STRENGTHS.len() {
            let at = |step: f64| {
                let mut strengths = STRENGTHS;
                strengths[s] += step / l1;
                outcome(&problem(loss, &strengths), point.clone(), &settings).criterion
            };
            let h = 1e-5 * l1;
            let expected = (at(h) - at(-h)) / (2.0 * h);
            let error = (slopes.as_slice()[s] - expected).abs();
            assert!(
                error < 1e-6 * (1.0 + expected.abs()),
                "{loss:?}, {s}: {slopes:?} {expected}"
            );
        }
    }
}

#[test]
fn above_l1_max_all_is_zero_and_just_below_not() {
    for loss in [Loss::Squared, Loss::Logistic] {
        let problem = problem(loss, &STRENGTHS);
        let l1_max = problem.l1_max(0, 0.1);
        let support = |share: f64| {
            let point = Point::new(share * l1_max, 0.1);
            outcome(&problem, point, &Settings::default().wrt(vec![Wrt::L2])).support
        };
        assert_eq!(support(1.0 + 1e-9), 0);
        assert!(support(1.0 - 1e-3) > 0);
    }
}

/// With one kind of strength zero it is the group lasso, or the lasso.
#[test]
fn without_one_kind_of_strength_it_is_the_other_penalty() {
    let groups = || Groups::consecutive(FEATURES, 3).unwrap();
    let with = |penalty: Penalty| {
        let train = rows(40, 0.0, 0.1, Loss::Squared);
        let mut specification = Specification::new(Loss::Squared, train.matrix, train.targets);
        specification.validation = Some(rows(25, 0.5, 0.9, Loss::Squared));
        specification.penalty = penalty;
        let problem = Problem::new(specification).unwrap();
        outcome(&problem, Point::new(0.2, 0.05), &Settings::default())
    };
    let sum = |outcome: &Outcome, range: std::ops::Range<usize>| -> f64 {
        let l1 = outcome.gradient().unwrap().l1.clone().unwrap();
        let end = range.end.min(l1.as_slice().len());
        l1.as_slice()[range.start..end].iter().sum()
    };
    let group = with(Penalty::Group {
        groups: groups(),
        strengths: None,
    });
    let found = with(Penalty::sparse_group(
        groups(),
        Some(vec![0.0, 1.0, 1.0, 1.0, 1.0]),
    ));
    assert!(relative(&found.solution, &group.solution) < 1e-12);
    assert!((sum(&found, 1..5) / sum(&group, 0..1) - 1.0).abs() < 1e-9);
    let lasso = with(Penalty::ElasticNet);
    let found = with(Penalty::sparse_group(
        groups(),
        Some(vec![1.0, 0.0, 0.0, 0.0, 0.0]),
    ));
    assert!(relative(&found.solution, &lasso.solution) < 1e-12);
    assert!((sum(&found, 0..1) / sum(&lasso, 0..1) - 1.0).abs() < 1e-9);
}

/// Groups of one coordinate make it the weighted lasso, also where columns are screened.
#[test]
fn groups_of_one_are_the_weighted_lasso() {
    let (n, d) = (30, 401);
    let entry = |i: usize, j: usize| (1.3 * i as f64 + 0.7 * (j * j) as f64).sin();
    let values: Vec<f64> = (0..n * d).map(|at| entry(at / d, at % d)).collect();
    let y: Vec<f64> = (0..n)
        .map(|i| 2.0 * entry(i, 3) - entry(i, 200) + 0.1 * entry(i, 77))
        .collect();
    let with = |penalty: Penalty| {
        let matrix = Matrix::Dense(Dense::new(n, d, values.clone()).unwrap());
        let mut specification = Specification::new(Loss::Squared, matrix, vec![y.clone()]);
        specification.penalty = penalty;
        let problem = Problem::new(specification).unwrap();
        let l1_max = problem.l1_max(0, 0.0);
        let points = [0.5, 0.2, 0.1].map(|share| Point::new(share * l1_max, 1e-3));
        let outcomes = Evaluator::new(&problem).run(&points).unwrap();
        outcomes.into_iter().map(|o| (o.status, o.solution))
    };
    let groups = Groups::consecutive(d, 1).unwrap();
    let strength = |j: usize| 0.5 + (j % 3) as f64 * 0.25;
    let strengths: Vec<f64> = (0..d).map(strength).collect();
    let composed = std::iter::once(0.4)
        .chain(strengths.iter().copied())
        .collect();
    let found = with(Penalty::sparse_group(groups, Some(composed)));
    let expected = with(Penalty::Weighted {
        strengths: strengths.iter().map(|s| 0.4 + s).collect(),
    });
    for ((status, found), (_, expected)) in found.zip(expected) {
        assert_eq!(status, Status::Converged);
        assert!(expected.iter().any(|w| *w != 0.0));
        assert!(relative(&found, &expected) < 1e-9);
    }
}

/// Where the coordinates' strength is zero, a coefficient at zero is a kink in it.
#[test]
fn a_shared_strength_of_zero_has_kinks_at_zero_coefficients() {
    let problem = problem(Loss::Squared, &[0.0, 1.0, 1.0, 1.0, 1.0]);
    let point = Point::new(0.12, 0.05);
    let found = outcome(&problem, point.clone(), &Settings::default());
    let gamma = Spectrum::of(&problem).step(point.l2).gamma;
    let active = found.solution.iter().filter(|w| **w != 0.0);
    let nearest = active.fold(f64::INFINITY, |least, w| least.min(w.abs()));
    assert!(found.kink_margin.unwrap() <= nearest / gamma * (1.0 + 1e-12));
    // Without a derivative in the strengths it is none.
    let other = outcome(&problem, point, &Settings::default().wrt(vec![Wrt::L2]));
    assert!(other.kink_margin.unwrap() >= found.kink_margin.unwrap());
}

#[cfg(feature = "cli")]
#[test]
fn the_program_takes_it() {
    let run = |flags: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_proxdiff"));
        command.args(["hypergrad", "--example", "--penalty", "sparse-group"]);
        command.args(flags).output().unwrap()
    };
    let flags = ["--group-size", "5", "--l1", "1", "--l2", "0.1"];
    let output = run(&[&flags[..], &["--format", "json"]].concat());
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let l1 = &json["points"][0]["hypergradient"]["l1"];
    // The coordinates' strength and those of two groups.
    assert_eq!(l1.as_array().map(Vec::len), Some(3), "{text}");
    let output = run(&["--l1", "1"]);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("needs its groups"), "{text}");
}

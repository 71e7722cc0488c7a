//! The path kernel: held to its twin on random quadratics, and its engine to the CPU's f64.

use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use proxdiff::exec::Device;
use proxdiff::exec::gpu::{Gpu, GpuOptions, Regime};
use proxdiff::exec::walks::{Limits, Quadratic, Reference, Segment, WalkPoint, Walked};
use proxdiff::hypergrad::{EngineName, Evaluator, Outcome, Settings};
use proxdiff::kernel::path_kernel::walk;
use proxdiff::kinds::{Precision, Solver, Status};
use proxdiff::loss::Loss;
use proxdiff::model::penalty::Row;
use proxdiff::penalty::Penalty;
use proxdiff::{Control, Point, Problem};

use crate::common::relative_error;
use crate::device;
use crate::problems::{Kind, Random, Recipe};

/// XᵀX/n of random rows with neighbours that correlate, Xᵀy/n, and ½yᵀy/n.
struct Equations {
    gram: Vec<f64>,
    linear: Vec<f64>,
    constant: f64,
}

fn equations(d: usize, draws: &mut Random) -> Equations {
    let n = 2 * d + 7;
    let mut equations = Equations {
        gram: vec![0.0; d * d],
        linear: vec![0.0; d],
        constant: 0.0,
    };
    for _ in 0..n {
        let mut x = draws.vector(d);
        for j in 1..d {
            x[j] += 0.4 * x[j - 1];
        }
        let signal = (0..d).step_by(3).map(|j| x[j] * (1.0 + (j % 4) as f64));
        let y = signal.sum::<f64>() + draws.signed();
        for i in 0..d {
            for j in 0..d {
                equations.gram[i * d + j] += x[i] * x[j] / n as f64;
            }
            equations.linear[i] += x[i] * y / n as f64;
        }
        equations.constant += 0.5 * y * y / n as f64;
    }
    equations
}

/// A problem whose numbers are those of f32, in f64.
fn quadratic(d: usize, row: Row, weighted: bool, seed: u64) -> Quadratic<f64> {
    let mut draws = Random::new(seed);
    let (mut train, mut outer) = (equations(d, &mut draws), equations(d, &mut draws));
    // The engine takes targets in units of what one column explains.
    let explained = (0..d).map(|j| train.linear[j].abs() / train.gram[j * d + j].sqrt());
    let unit = explained.fold(0.0, f64::max);
    for equations in [&mut train, &mut outer] {
        equations.linear.iter_mut().for_each(|b| *b /= unit);
        equations.constant /= unit * unit;
    }
    let single = |x: Vec<f64>| -> Vec<f64> { x.iter().map(|&x| f64::from(x as f32)).collect() };
    // At r = 0 the gradient is −linear.
    let reference = |equations: &Equations| Reference {
        at: vec![0.0; d],
        gradient: single(equations.linear.iter().map(|b| -b).collect()),
        value: f64::from(equations.constant as f32),
    };
    let strengths = (0..d).map(|j| [0.0, 0.5, 1.0, 2.0][(j + 1) % 4]).collect();
    Quadratic {
        features: d,
        row,
        bounds: [-0.25, 0.5],
        loss: reference(&train),
        criterion: reference(&outer),
        gram: single(train.gram).into(),
        linear: single(train.linear),
        strengths: weighted.then_some(strengths),
        held_out: single(outer.gram).into(),
        held_out_linear: single(outer.linear),
    }
}

fn to_single(problem: &Quadratic<f64>) -> Quadratic<f32> {
    let single = |x: &[f64]| -> Vec<f32> { x.iter().map(|&x| x as f32).collect() };
    let reference = |reference: &Reference<f64>| Reference {
        at: single(&reference.at),
        gradient: single(&reference.gradient),
        value: reference.value as f32,
    };
    Quadratic {
        features: problem.features,
        row: problem.row,
        bounds: problem.bounds.map(|bound| bound as f32),
        gram: single(&problem.gram).into(),
        linear: single(&problem.linear),
        strengths: problem.strengths.as_deref().map(single),
        loss: reference(&problem.loss),
        held_out: single(&problem.held_out).into(),
        held_out_linear: single(&problem.held_out_linear),
        criterion: reference(&problem.criterion),
    }
}

fn points_of(problem: &Quadratic<f64>, count: usize) -> Vec<WalkPoint<f64>> {
    let largest = problem
        .linear
        .iter()
        .fold(0.0f64, |most, b| most.max(b.abs()));
    let of = |k: usize| {
        let single = |x: f64| f64::from(x as f32);
        let l2 = single([0.3, 0.03, 0.4][k % 3]);
        WalkPoint {
            l1: single(largest * 0.9 * 0.93f64.powi(k as i32)),
            l2,
            gamma: single(1.0 / (1.0 + l2)),
        }
    };
    (0..count).map(of).collect()
}

fn single_points(points: &[WalkPoint<f64>]) -> Vec<WalkPoint<f32>> {
    let of = |p: &WalkPoint<f64>| WalkPoint {
        l1: p.l1 as f32,
        l2: p.l2 as f32,
        gamma: p.gamma as f32,
    };
    points.iter().map(of).collect()
}

fn segments(points: usize, length: usize) -> Vec<Segment> {
    let of = |first: usize| Segment {
        first: first as u32,
        count: length.min(points - first) as u32,
    };
    (0..points).step_by(length).map(of).collect()
}

const SINGLE: Limits<f32> = Limits {
    distance: f32::EPSILON,
    adjoint: Some(2.0 * f32::EPSILON),
    most: 50_000,
};

/// Holds vectors and numbers to the exact ones, and says how many points were left out: at a kink, or without an
/// adjoint.
fn hold(found: &Walked<f32>, exact: &Walked<f64>, d: usize) -> usize {
    let mut left_out = 0;
    for (at, (f, e)) in found.numbers.iter().zip(&exact.numbers).enumerate() {
        assert_eq!(f.reached, 1.0, "point {at}");
        // An adjoint that ran out of the trips of a dispatch says so.
        let is_told = f.linear_residual > 1e-5 * f.gradient;
        if is_told || e.kink.min(e.zero_kink) < 1e-4 {
            left_out += 1;
            continue;
        }
        let widened = |x: &[f32]| -> Vec<f64> { x.iter().map(|&x| f64::from(x)).collect() };
        let range = 2 * d * at..2 * d * (at + 1);
        let (w, v) = (&exact.vectors[range.clone()], &found.vectors[range]);
        let [(w, z), (found_w, found_z)] = [
            (w[..d].to_vec(), w[d..].to_vec()),
            (widened(&v[..d]), widened(&v[d..])),
        ];
        let gradient = [e.along_l1, e.along_l2];
        let found_gradient = [f64::from(f.along_l1), f64::from(f.along_l2)];
        let values = [e.objective, e.criterion];
        let found_values = [f64::from(f.objective), f64::from(f.criterion)];
        assert_eq!(f64::from(f.support), e.support, "support of point {at}");
        for (what, error, allowed) in [
            ("w", relative_error(&found_w, &w), 1e-5),
            ("v", relative_error(&found_z, &z), 1e-4),
            ("h", relative_error(&found_gradient, &gradient), 1e-4),
            ("values", relative_error(&found_values, &values), 1e-5),
            // Distances to kinks are known to the size of the terms.
            (
                "kink",
                (f64::from(f.kink.min(1e6)) - e.kink.min(1e6)).abs() / e.terms.max(1.0),
                1e-5,
            ),
        ] {
            assert!(
                error < allowed,
                "{what} of point {at}, d = {d}: {error:.1e}"
            );
        }
        // What is left is told as it is: small, and not less than it is.
        assert!(
            f.residual < 1e-4 && f.gap >= 0.0 && f.gap < 1e-8,
            "point {at}: {f:?}"
        );
        assert!(f.distance <= 16.0 * f32::EPSILON, "point {at}: {f:?}");
    }
    left_out
}

/// Kernel and twin on quadratics of any shape, by teams that are subgroups and by workgroups.
fn twins(options: GpuOptions) -> Result<(), Failed> {
    let gpu = device::open(options);
    let exact_limits = Limits {
        distance: 1e-13,
        adjoint: Some(1e-13),
        most: 200_000,
    };
    let rows = [
        (Row::SoftThreshold, false),
        (Row::SoftThreshold, true),
        (Row::NonNegative, false),
        (Row::Interval, false),
    ];
    let (mut checked, mut left_out) = (0, 0);
    for (seed, d) in [1, 3, 8, 13, 33, 57, 100, 131].into_iter().enumerate() {
        for (row, weighted) in rows {
            let problem = quadratic(d, row, weighted, 17 + seed as u64);
            let points = points_of(&problem, 24);
            let whole = segments(points.len(), points.len());
            let exact = walk(&problem, &points, &whole, &exact_limits);
            let (single, single_points) = (to_single(&problem), single_points(&points));
            for length in [1, 7] {
                let segments = segments(points.len(), length);
                let found = gpu.walk(&single, &single_points, &segments, &SINGLE, true)?;
                left_out += hold(&found, &exact, d);
                checked += points.len();
            }
        }
    }
    assert!(
        left_out * 12 < checked,
        "{left_out} of {checked} are at kinks"
    );
    Ok(())
}

/// The twin in f32 is as good as the kernel.
fn twin_in_single() -> Result<(), Failed> {
    let problem = quadratic(33, Row::SoftThreshold, false, 5);
    let points = points_of(&problem, 30);
    let alone = segments(points.len(), 1);
    let exact = walk(
        &problem,
        &points,
        &alone,
        &Limits {
            distance: 1e-13,
            adjoint: Some(1e-13),
            most: 200_000,
        },
    );
    let found = walk(
        &to_single(&problem),
        &single_points(&points),
        &alone,
        &SINGLE,
    );
    hold(&found, &exact, 33);
    Ok(())
}

/// Segments that are too long for the trips of one dispatch go on in the next.
fn long_segments() -> Result<(), Failed> {
    let gpu = device::open(GpuOptions::default());
    let problem = quadratic(40, Row::SoftThreshold, false, 9);
    let few = points_of(&problem, 25);
    let points: Vec<WalkPoint<f64>> = (0..3_000).map(|k| few[k * few.len() / 3_000]).collect();
    let whole = segments(points.len(), points.len());
    let single = to_single(&problem);
    let found = gpu.walk(&single, &single_points(&points), &whole, &SINGLE, false)?;
    assert!(found.vectors.is_empty());
    assert!(found.numbers.iter().all(|n| n.reached == 1.0));
    let alone = segments(points.len(), 1);
    let apart = gpu.walk(&single, &single_points(&points), &alone, &SINGLE, false)?;
    for (at, (a, b)) in found.numbers.iter().zip(&apart.numbers).enumerate() {
        let error = relative_error(
            &[f64::from(a.objective), f64::from(a.criterion)],
            &[f64::from(b.objective), f64::from(b.criterion)],
        );
        assert!(error < 1e-5, "point {at}: {error:.1e}");
    }
    Ok(())
}

fn evaluator(problem: &Problem, options: GpuOptions) -> Evaluator<'_> {
    Evaluator::new(problem)
        .settings(&Settings::default().device(Device::Gpu(device::open(options))))
        .precision(Precision::F32)
}

/// Problems that the kernel serves, of every penalty and with and without an intercept.
fn recipes() -> Vec<Recipe> {
    let kinds = [
        Kind::ElasticNet,
        Kind::Weighted,
        Kind::NonNegative,
        Kind::Box,
    ];
    let shapes = [(40, 6), (90, 23), (150, 61)];
    let mut recipes = Vec::new();
    for (k, kind) in kinds.into_iter().enumerate() {
        for (s, (rows, features)) in shapes.into_iter().enumerate() {
            recipes.push(Recipe {
                rows,
                features,
                sparse: s == 1,
                intercept: s != 0,
                standardize: s == 2,
                weights: s == 1,
                targets: 1 + s % 2,
                ..Recipe::new(Loss::Squared, kind, (31 * k + 7 * s) as u64)
            });
        }
        recipes.push(Recipe {
            features: 12,
            ..Recipe::new(Loss::Quadratic, kind, 90 + k as u64)
        });
    }
    recipes
}

/// Outcomes of the engine against those of the CPU in f64.
fn points_of_problems() -> Result<(), Failed> {
    let (mut checked, mut others) = (0, 0);
    for recipe in recipes() {
        let problem = recipe.problem();
        let points = recipe.points(40);
        let exact = Evaluator::new(&problem).run(&points)?;
        let found = evaluator(&problem, GpuOptions::default()).run(&points)?;
        for (at, (found, exact)) in found.iter().zip(&exact).enumerate() {
            let what = format!("{recipe:?} #{at} {found:?}");
            others += usize::from(found.engines.solve != EngineName::PathKernel);
            if exact.status != Status::Converged
                || exact.kink_margin.is_some_and(|margin| margin < 1e-4)
            {
                continue;
            }
            checked += 1;
            assert_eq!(found.status, Status::Converged, "{what}");
            assert_eq!(found.support, exact.support, "{what}");
            let w = relative_error(&found.solution, &exact.solution);
            assert!(w < 1e-5, "w {w:.1e}: {what}");
            let flat = |outcome: &Outcome| -> Vec<f64> {
                let parts = outcome.hypergradient.iter().flat_map(|h| h.parts());
                parts.flat_map(|part| part.values.to_vec()).collect()
            };
            let h = relative_error(&flat(found), &flat(exact));
            assert!(h < 1e-4, "h {h:.1e}: {what}");
            let v = relative_error(&found.adjoint, &exact.adjoint);
            assert!(v < 1e-3, "v {v:.1e}: {what}");
            let values = [found.objective, found.criterion];
            let e = relative_error(&values, &[exact.objective, exact.criterion]);
            assert!(e < 1e-5, "values {e:.1e}: {what}");
        }
    }
    assert!(checked > 400, "only {checked} points were checked");
    assert!(others * 10 < checked, "{others} points were left to others");
    Ok(())
}

/// The same bits alone, in any batch and order, from any start, and whether coefficients are kept or not.
fn same_bits() -> Result<(), Failed> {
    let recipe = Recipe {
        rows: 90,
        features: 23,
        ..Recipe::new(Loss::Squared, Kind::ElasticNet, 3)
    };
    let problem = recipe.problem();
    let points = recipe.points(30);
    let evaluator = evaluator(&problem, GpuOptions::default());
    let together = evaluator.run(&points)?;
    let engine = |outcome: &Outcome| outcome.engines.solve;
    assert!(together.iter().all(|o| engine(o) == EngineName::PathKernel));
    for at in [0, 7, 29] {
        assert_eq!(evaluator.run(&points[at..=at])?, together[at..=at]);
    }
    let backwards: Vec<Point> = points.iter().rev().cloned().collect();
    let mut reversed = evaluator.run(&backwards)?;
    reversed.reverse();
    assert_eq!(reversed, together);
    let warm = together
        .iter()
        .rev()
        .map(Outcome::warm_start)
        .collect::<Vec<_>>();
    assert_eq!(evaluator.clone().warm_starts(warm).run(&points)?, together);
    let gpu = Device::Gpu(device::open(GpuOptions::default()));
    let settings = Settings::default().device(gpu).solutions(false);
    let lean = evaluator
        .clone()
        .settings(&settings)
        .precision(Precision::F32)
        .run(&points)?;
    for (mut whole, lean) in together.into_iter().zip(lean) {
        assert!(!whole.solution.is_empty() && !whole.adjoint.is_empty());
        (whole.solution, whole.adjoint) = (Vec::new(), Vec::new());
        assert_eq!(whole, lean);
    }
    Ok(())
}

/// Points that the kernel does not bring to rounding have another engine, and every status is honest.
fn left_over() -> Result<(), Failed> {
    // Two columns that are almost one, and no ridge: condition 10⁸.
    let mut draws = Random::new(4);
    let x: Vec<Vec<f64>> = (0..60)
        .map(|_| {
            let row = draws.vector(3);
            vec![row[0], row[0] + 1e-4 * row[1], row[2]]
        })
        .collect();
    let y: Vec<f64> = x
        .iter()
        .map(|x| x[0] - x[2] + 0.1 * draws.signed())
        .collect();
    let problem = Problem::elastic_net(&x, &y).build()?;
    let points = [Point::new(1e-6, 0.0), Point::new(0.05, 0.1)];
    let found = evaluator(&problem, GpuOptions::default()).run(&points)?;
    let exact = Evaluator::new(&problem).run(&points)?;
    assert_eq!(found[1].engines.solve, EngineName::PathKernel);
    for (found, exact) in found.iter().zip(&exact) {
        let off = relative_error(&found.solution, &exact.solution);
        let honest = found.status != Status::Converged || off < 1e-2;
        assert!(honest, "{off:.1e}: {found:?}");
    }
    assert_ne!(found[0].engines.solve, EngineName::PathKernel);
    Ok(())
}

/// Columns that are equal share their coefficient, with little ridge and with none.
fn equal_columns() -> Result<(), Failed> {
    let mut draws = Random::new(5);
    let x: Vec<Vec<f64>> = (0..60)
        .map(|_| {
            let row = draws.vector(3);
            vec![row[0], row[1], row[0], row[2]]
        })
        .collect();
    let y: Vec<f64> = x
        .iter()
        .map(|x| x[0] - x[1] + 0.1 * draws.signed())
        .collect();
    let problem = Problem::elastic_net(&x, &y).build()?;
    let points = [0.0, 1e-6, 1e-5, 1.0].map(|l2| Point::new(0.1, l2));
    let found = evaluator(&problem, GpuOptions::default()).run(&points)?;
    let exact = Evaluator::new(&problem).run(&points)?;
    for (found, exact) in found.iter().zip(&exact) {
        let off = relative_error(&found.solution, &exact.solution);
        let honest = found.status != Status::Converged || off < 1e-2;
        assert!(honest, "{off:.1e}: {found:?}");
    }
    assert_eq!(found[3].engines.solve, EngineName::PathKernel);
    Ok(())
}

/// What chooses the engine: the solver, the regime, the loss of the criterion, the width.
fn choice() -> Result<(), Failed> {
    let recipe = Recipe::new(Loss::Squared, Kind::ElasticNet, 11);
    let problem = recipe.problem();
    let points = recipe.points(2);
    let engine = |settings: &Settings, options: GpuOptions| -> Result<EngineName, Failed> {
        let settings = settings.clone().device(Device::Gpu(device::open(options)));
        let run = Evaluator::new(&problem)
            .settings(&settings)
            .precision(Precision::F32)
            .control(&Control::new())
            .run(&points)?;
        Ok(run[0].engines.solve)
    };
    let (auto, plain) = (Settings::default(), GpuOptions::default());
    assert_eq!(engine(&auto, plain)?, EngineName::PathKernel);
    let measured = auto.clone().contraction(true);
    assert_eq!(engine(&measured, plain)?, EngineName::PathKernel);
    let fista = auto.clone().solver(Solver::Fista);
    assert_eq!(engine(&fista, plain)?, EngineName::Recorded);
    let matrix = GpuOptions {
        regime: Regime::Matrix,
        ..plain
    };
    assert_eq!(engine(&auto, matrix)?, EngineName::Recorded);
    let gpu: Arc<Gpu> = device::open(plain);
    assert!(gpu.walks(256) && !gpu.walks(257) && !gpu.walks(0));
    assert!(matches!(problem.penalty(), Penalty::ElasticNet));
    Ok(())
}

pub fn trials() -> Vec<Trial> {
    let trial = |name: &str, run: fn() -> Result<(), Failed>| {
        Trial::test(format!("path_kernel::{name}"), run)
    };
    let workgroups = || {
        twins(GpuOptions {
            without_subgroups: true,
            ..GpuOptions::default()
        })
    };
    vec![
        trial("twins", || twins(GpuOptions::default())),
        trial("twins_in_workgroups", workgroups),
        trial("twin_in_single", twin_in_single),
        trial("long_segments", long_segments),
        trial("points_of_problems", points_of_problems),
        trial("same_bits", same_bits),
        trial("left_over", left_over),
        trial("equal_columns", equal_columns),
        trial("choice", choice),
    ]
}

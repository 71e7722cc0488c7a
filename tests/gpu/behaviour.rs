//! What the device must do beyond its kernels: agree with the CPU on every loss and penalty, narrow
//! and split batches, stream designs, keep a NaN to itself, and survive its own failures.

use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use proxdiff::data::Matrix;
use proxdiff::exec::gpu::{Gpu, GpuOptions, Regime};
use proxdiff::exec::{Device, Executor, GpuExecutor, Recording, Scope};
use proxdiff::hypergrad::{Evaluator, Outcome, Settings, StochasticSettings, WarmStart};
use proxdiff::kernel::step::COMBINE;
use proxdiff::kinds::{Method, Precision, Solver, Status};
use proxdiff::loss::Loss;
use proxdiff::{Control, Error, Point, Problem};

use crate::common::relative_error;
use crate::device;
use crate::problems::{Kind, Recipe, parts, recipes};
use crate::vectors::Vectors;

fn on(options: GpuOptions) -> Device {
    Device::Gpu(device::open(options))
}

fn single(problem: &Problem, points: &[Point], settings: &Settings) -> Vec<Outcome> {
    run(problem, points, settings, Precision::F32)
}

fn run(
    problem: &Problem,
    points: &[Point],
    settings: &Settings,
    precision: Precision,
) -> Vec<Outcome> {
    Evaluator::new(problem)
        .settings(settings)
        .precision(precision)
        .run(points)
        .unwrap()
}

/// The relative errors of solution, criterion and every part of the hypergradient. That of λ₂ is a
/// sum that may cancel: it is measured together with that of l1, as for the golden cases.
fn errors(found: &Outcome, expected: &Outcome) -> Vec<(&'static str, f64)> {
    let mut errors = vec![
        ("w", relative_error(&found.solution, &expected.solution)),
        (
            "E",
            relative_error(&[found.criterion], &[expected.criterion]),
        ),
    ];
    let (Some(found), Some(expected)) = (&found.hypergradient, &expected.hypergradient) else {
        if found.hypergradient != expected.hypergradient {
            errors.push(("one has no hypergradient", f64::INFINITY));
        }
        return errors;
    };
    let (mut together, mut expected_together) = (Vec::new(), Vec::new());
    for ((name, found), (_, expected)) in parts(found).into_iter().zip(parts(expected)) {
        if matches!(name, "l1" | "l2") {
            together.extend(found);
            expected_together.extend(expected);
        } else {
            errors.push((name, relative_error(&found, &expected)));
        }
    }
    errors.push(("l1 and l2", relative_error(&together, &expected_together)));
    errors
}

fn distance(found: &Outcome, expected: &Outcome) -> f64 {
    errors(found, expected)
        .iter()
        .map(|(_, error)| *error)
        .fold(0.0, f64::max)
}

/// How far f32 may be from f64: a few times as far as the CPU's f32 is.
const SLACK: f64 = 8.0;
/// What it may be off by anyway.
const FLOOR: f64 = 1e-4;

/// Holds outcomes in f32 to the CPU's: `rough` in f32, `exact` in f64.
fn agree(
    found: &[Outcome],
    rough: &[Outcome],
    exact: &[Outcome],
    what: &str,
) -> Result<(), Failed> {
    assert_eq!((found.len(), rough.len()), (exact.len(), exact.len()));
    for (at, found) in found.iter().enumerate() {
        let (error, usual) = (
            distance(found, &exact[at]),
            distance(&rough[at], &exact[at]),
        );
        assert!(
            usual < 0.05,
            "{what} #{at}: f32 does not suffice for this problem"
        );
        if error > FLOOR.max(SLACK * usual) {
            let steps = (found.status, found.steps, rough[at].steps);
            let (off, usual) = (errors(found, &exact[at]), errors(&rough[at], &exact[at]));
            return Err(format!("{what} #{at}: {off:?}, usual {usual:?}, {steps:?}").into());
        }
    }
    Ok(())
}

/// The CPU's outcomes in f32 and in f64, by the same recordings.
fn on_the_cpu(problem: &Problem, points: &[Point], settings: &Settings) -> [Vec<Outcome>; 2] {
    // What the device takes for `auto`; ITD is of the Picard iteration and of no other.
    let solver = match (settings.solver, settings.method) {
        (Solver::Auto, Some(Method::AidCg)) => Solver::Fista,
        (solver, _) => solver,
    };
    let settings = settings.clone().device(Device::Cpu).solver(solver);
    [Precision::F32, Precision::F64].map(|precision| run(problem, points, &settings, precision))
}

/// Solves on the device and holds the outcomes to the CPU's.
fn check(
    problem: &Problem,
    points: &[Point],
    settings: &Settings,
    what: &str,
) -> Result<(), Failed> {
    let found = single(problem, points, settings);
    let [rough, exact] = on_the_cpu(problem, points, settings);
    agree(&found, &rough, &exact, what)
}

/// A problem of moderate size whose points take very different numbers of steps.
fn uneven() -> (Problem, Vec<Point>) {
    let recipe = Recipe {
        rows: 60,
        features: 20,
        ..Recipe::new(Loss::Squared, Kind::ElasticNet, 7)
    };
    let points = (0..40)
        .map(|at| Point::new(0.01, 3e-3 * 1.25f64.powi(at)))
        .collect();
    (recipe.problem(), points)
}

fn settings_on(device: Device) -> Settings {
    Settings::default().device(device)
}

/// Every loss and penalty by a method, in f32 on the device.
fn every_recipe(settings: fn(&Recipe) -> Settings, options: GpuOptions) -> Result<(), Failed> {
    for recipe in recipes() {
        let settings = settings(&recipe).device(on(options));
        if settings.method == Some(Method::Nsid) && recipe.loss == Loss::Quadratic {
            continue; // a quadratic form has no rows to draw
        }
        let points = recipe.points(5);
        check(
            &recipe.problem(),
            &points,
            &settings,
            &format!("{recipe:?}"),
        )?;
    }
    Ok(())
}

/// Points with strengths, priors and row weights of their own, by a method, in f32 on the device.
fn points_of_their_own(settings: fn(&Recipe) -> Settings) -> Result<(), Failed> {
    for recipe in recipes() {
        let settings = settings(&recipe).device(on(GpuOptions::default()));
        if settings.method == Some(Method::Nsid) && recipe.loss == Loss::Quadratic {
            continue; // a quadratic form has no rows to draw
        }
        let problem = recipe.problem();
        let vectors = Vectors::of(&problem, recipe.seed);
        let give = |(at, point)| vectors.give(&recipe, point, 11 * at + 5);
        let points: Vec<Point> = recipe.points(5).into_iter().enumerate().map(give).collect();
        check(&problem, &points, &settings, &format!("{recipe:?}"))?;
    }
    Ok(())
}

fn aid_cg(recipe: &Recipe) -> Settings {
    Settings::default().solver(Solver::Fista).wrt(recipe.wrt())
}

fn itd(recipe: &Recipe) -> Settings {
    Settings::default()
        .method(Method::ItdForward)
        .tolerance(0.0)
        .max_steps(40)
        .wrt(recipe.wrt())
}

fn itd_reverse(recipe: &Recipe) -> Settings {
    itd(recipe).method(Method::ItdReverse)
}

/// A hundred steps of NSID with constant steps, on one stream.
fn nsid(recipe: &Recipe) -> Settings {
    aid_cg(recipe)
        .method(Method::Nsid)
        .stochastic(StochasticSettings {
            batch: 4,
            seed: 5,
            steps: 100,
            freeze: Some(20),
            schedule: proxdiff::hypergrad::MinibatchSteps::Constant { eta: 0.3 },
            ..StochasticSettings::default()
        })
}

/// A sparse minibatch of more entries than one invocation may walk through.
fn long_minibatches() -> Result<(), Failed> {
    let recipe = Recipe {
        sparse: true,
        rows: 3_000,
        features: 60,
        ..Recipe::new(Loss::Logistic, Kind::ElasticNet, 17)
    };
    let problem = recipe.problem();
    let settings = settings_on(on(GpuOptions::default()))
        .solver(Solver::Fista)
        .tolerance(1e-6)
        .method(Method::Nsid)
        .stochastic(StochasticSettings {
            batch: 2_900,
            seed: 3,
            steps: 20,
            schedule: proxdiff::hypergrad::MinibatchSteps::Constant { eta: 0.2 },
            ..StochasticSettings::default()
        });
    check(&problem, &recipe.points(2), &settings, "long minibatches")
}

/// A group that is too much for one invocation of a software driver is refused, a smaller one is right.
fn huge_groups() -> Result<(), Failed> {
    let gpu = device::open(GpuOptions::default());
    for features in [7_400, 20_000] {
        let row = |i: usize| (0..features).map(move |j| ((i * 31 + j * 17) % 13) as f64 - 6.0);
        let x: Vec<Vec<f64>> = (0..6).map(|i| row(i).collect()).collect();
        let y: Vec<f64> = x.iter().map(|x| 0.1 * x[0] - 0.2 * x[1]).collect();
        let problem = Problem::group(&x, &y, &vec![0; features]).build()?;
        let points = [Point::new(0.1 * problem.l1_max(0, 0.0), 0.1)];
        let settings = settings_on(on(GpuOptions::default()))
            .solver(Solver::Fista)
            .tolerance(1e-4);
        if gpu.trip_limit() >= 8 * features {
            check(&problem, &points, &settings, "huge groups")?;
            continue;
        }
        let found = Evaluator::new(&problem)
            .settings(&settings)
            .precision(Precision::F32)
            .run(&points);
        let message = found.expect_err("the group is too large").to_string();
        assert!(
            message.contains(&format!("a group of {features} coefficients")),
            "{message}"
        );
    }
    Ok(())
}

fn compaction() -> Result<(), Failed> {
    let (problem, points) = uneven();
    let settings = settings_on(on(GpuOptions::default()))
        .solver(Solver::Fista)
        .tolerance(1e-5);
    let together = single(&problem, &points, &settings);
    let steps = |outcome: &Outcome| outcome.steps;
    let (least, most) = (
        together.iter().map(steps).min(),
        together.iter().map(steps).max(),
    );
    assert!(
        most > least.map(|least| 2 * least),
        "steps {least:?} to {most:?}"
    );
    let [rough, exact] = on_the_cpu(&problem, &points, &settings);
    agree(&together, &rough, &exact, "together")?;
    for at in [0, 13, 39] {
        let alone = single(&problem, &points[at..=at], &settings);
        agree(&alone, &rough[at..=at], &exact[at..=at], "alone")?;
    }
    Ok(())
}

/// Batches that do not fit are split; a problem that does not fit at all goes to the CPU.
fn splitting() -> Result<(), Failed> {
    let (problem, points) = uneven();
    for buffer_limit in [40_000, 64] {
        let options = GpuOptions {
            buffer_limit,
            ..GpuOptions::default()
        };
        let settings = settings_on(on(options));
        check(
            &problem,
            &points,
            &settings,
            &format!("{buffer_limit} bytes"),
        )?;
    }
    Ok(())
}

/// Designs in pages and streamed from the host, in full passes and in minibatches.
fn streaming() -> Result<(), Failed> {
    let (problem, points) = uneven();
    let recipe = Recipe::new(Loss::Squared, Kind::ElasticNet, 7);
    let ways = [
        GpuOptions {
            page_limit: 2_000,
            ..GpuOptions::default()
        },
        GpuOptions {
            design_limit: 2_000,
            ..GpuOptions::default()
        },
    ];
    for base in [aid_cg(&recipe), nsid(&recipe)] {
        let limited = base.max_steps(300);
        for options in ways {
            let settings = limited.clone().device(on(options));
            check(
                &problem,
                &points[20..24],
                &settings,
                &format!("{options:?}"),
            )?;
        }
    }
    Ok(())
}

/// A design in f16 is the design with its entries rounded.
fn half_design() -> Result<(), Failed> {
    let recipe = Recipe {
        rows: 60,
        features: 20,
        ..Recipe::new(Loss::Logistic, Kind::ElasticNet, 8)
    };
    let round = |matrix: &mut Matrix| {
        if let Matrix::Dense(dense) = matrix {
            let half = |x: f64| half::f16::from_f64(x).to_f64();
            dense.values.iter_mut().for_each(|x| *x = half(*x));
        }
    };
    let points = recipe.points(3);
    let exact = recipe.problem();
    let mut specification = recipe.specification();
    round(&mut specification.train.matrix);
    if let Some(validation) = &mut specification.validation {
        round(&mut validation.matrix);
    }
    let rounded = Problem::new(specification).unwrap();
    for without_native_f16 in [false, true] {
        let options = GpuOptions {
            half_design: true,
            without_native_f16,
            ..GpuOptions::default()
        };
        let settings = settings_on(on(options));
        let found = single(&exact, &points, &settings);
        let [rough, mut expected] = on_the_cpu(&rounded, &points, &settings);
        // The criterion is evaluated in f64 of the data as they are.
        let pairs = expected.iter_mut().zip(&found);
        pairs.for_each(|(expected, found)| expected.criterion = found.criterion);
        agree(&found, &rough, &expected, "rounded")?;
        let plain = run(&exact, &points, &Settings::default(), Precision::F64);
        let changed = found.iter().zip(&plain).any(|(a, b)| distance(a, b) > 1e-5);
        assert!(changed, "rounding the design must show");
    }
    Ok(())
}

fn nan_stays_alone() -> Result<(), Failed> {
    let gpu = device::open(GpuOptions::default());
    let mut executor = GpuExecutor::new(&gpu, 5).unwrap();
    let rows = 7;
    let mut room = || executor.allocate(Scope::PerProblem, rows);
    let (a, b, out) = (room(), room(), room());
    let factor = executor.allocate(Scope::Shared, 1);
    let mut values = vec![1.0f32; 5 * rows];
    values[2 * rows + 3] = f32::NAN;
    executor.upload(a, &values);
    executor.upload(b, &values);
    executor.upload(factor, &[2.0]);
    let mut recording = Recording::new();
    recording.dispatch(
        &COMBINE,
        &[a.into(), b.into(), factor.into()],
        &[out.into()],
        &[rows],
    );
    executor.run(&recording, 1).unwrap();
    let found = executor.download(out).unwrap();
    for (at, value) in found.iter().enumerate() {
        assert_eq!(value.is_nan(), at == 2 * rows + 3, "entry {at}");
    }
    let (problem, points) = uneven();
    let p = problem.coordinates();
    let mut warm = vec![
        WarmStart {
            w: vec![0.0; p],
            v: Vec::new()
        };
        points.len()
    ];
    warm[3].w[1] = f64::NAN;
    let settings = settings_on(on(GpuOptions::default())).solver(Solver::Fista);
    let control = Control::new();
    let outcomes = Evaluator::new(&problem)
        .settings(&settings)
        .precision(Precision::F32)
        .warm_starts(warm.clone())
        .control(&control)
        .run(&points);
    for (at, outcome) in outcomes.unwrap().iter().enumerate() {
        assert_eq!(
            outcome.status == Status::NonFinite,
            at == 3,
            "{at}: {:?}",
            outcome.status
        );
    }
    Ok(())
}

/// A device that is lost is opened anew, and the work is done.
fn lost_device() -> Result<(), Failed> {
    let (problem, points) = uneven();
    let gpu = Gpu::open(0, GpuOptions::default()).unwrap();
    gpu.lose();
    let refused = GpuExecutor::new(&gpu, 1).err().unwrap();
    assert!(matches!(refused, Error::Device { .. }), "{refused}");
    check(
        &problem,
        &points,
        &settings_on(Device::Gpu(gpu)),
        "reopened",
    )
}

fn several_devices() -> Result<(), Failed> {
    let (problem, points) = uneven();
    let second: Arc<Gpu> = Gpu::open(0, GpuOptions::default()).unwrap();
    let both = Device::Several(vec![
        on(GpuOptions::default()),
        Device::Gpu(second),
        Device::Cpu,
    ]);
    check(&problem, &points, &settings_on(both), "several devices")
}

fn refused() -> Result<(), Failed> {
    let (problem, points) = uneven();
    for (method, solver) in [
        (Method::ItdReverse, Solver::Auto),
        (Method::Nsid, Solver::Auto),
        (Method::AidCg, Solver::Path),
    ] {
        let settings = settings_on(on(GpuOptions::default()))
            .method(method)
            .solver(solver);
        let found = Evaluator::new(&problem).settings(&settings).run(&points);
        assert!(
            matches!(found, Err(Error::Unsupported { .. })),
            "{method:?}"
        );
    }
    Ok(())
}

pub fn trials() -> Vec<Trial> {
    let plain = GpuOptions::default();
    let resident = GpuOptions {
        regime: Regime::Resident,
        ..plain
    };
    let trial = |name: &str, run: fn() -> Result<(), Failed>| {
        Trial::test(format!("behaviour::{name}"), run)
    };
    let recipes = |name: &str, settings: fn(&Recipe) -> Settings, options| {
        Trial::test(format!("recipes::{name}"), move || {
            every_recipe(settings, options)
        })
    };
    vec![
        recipes("aid_cg", aid_cg, plain),
        recipes("aid_cg_resident", aid_cg, resident),
        recipes("itd_forward", itd, plain),
        recipes("itd_reverse", itd_reverse, plain),
        recipes("nsid", nsid, plain),
        trial("own_aid_cg", || points_of_their_own(aid_cg)),
        trial("own_itd_forward", || points_of_their_own(itd)),
        trial("own_nsid", || points_of_their_own(nsid)),
        trial("compaction", compaction),
        trial("splitting", splitting),
        trial("streaming", streaming),
        trial("long_minibatches", long_minibatches),
        trial("huge_groups", huge_groups),
        trial("half_design", half_design),
        trial("nan_stays_alone", nan_stays_alone),
        trial("lost_device", lost_device),
        trial("several_devices", several_devices),
        trial("refused", refused),
    ]
}

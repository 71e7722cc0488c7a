//! Poisoning on the device: slopes against finite differences, and attacks against those of the CPU.

use libtest_mimic::{Failed, Trial};
use proxdiff::exec::Device;
use proxdiff::exec::gpu::GpuOptions;
use proxdiff::hypergrad::minibatch::{At, row_derivatives};
use proxdiff::hypergrad::{Evaluator, Settings as Solve};
use proxdiff::kinds::{Method, Precision, Wrt};
use proxdiff::loss::Loss;
use proxdiff::map::spectrum::Spectrum;
use proxdiff::poison::{Settings, Subject, adjoint, measure};
use proxdiff::problem::{Perturbation, Sign};
use proxdiff::{Control, Point, Problem};

use crate::common::relative_error;
use crate::device;
use crate::problems::{Kind, Recipe};
use proxdiff::data::Dense;

/// Losses of numbers and of classes.
const LOSSES: [Loss; 4] = [
    Loss::Squared,
    Loss::Logistic,
    Loss::Multinomial,
    Loss::Poisson,
];

fn subject(loss: Loss) -> Subject {
    let recipe = Recipe {
        targets: 1,
        perturbed: false,
        rows: 40,
        ..Recipe::new(loss, Kind::ElasticNet, 7).full()
    };
    Subject {
        specification: recipe.specification(),
        point: Point::new(0.01, 0.1),
        test: None,
    }
}

fn gpu() -> Device {
    Device::Gpu(device::open(GpuOptions::default()))
}

/// Central differences of the criterion of fits on the device, and the slopes at such a fit.
fn slopes() -> Result<(), Failed> {
    for loss in LOSSES {
        let subject = subject(loss);
        let d = subject.specification.train.matrix.columns();
        let problem = |values: &[f64]| {
            let mut specification = subject.specification.clone();
            specification.sign = Sign::Maximize;
            specification.perturbation = Some(Perturbation {
                rows: vec![3, 17],
                values: Dense::new(2, d, values.to_vec()).unwrap(),
            });
            Problem::new(specification).unwrap()
        };
        let settings = Solve::default().method(None).device(gpu());
        let solve = |problem: &Problem| {
            let points = std::slice::from_ref(&subject.point);
            let evaluator = Evaluator::new(problem).settings(&settings);
            let mut outcomes = evaluator.precision(Precision::F64).run(points).unwrap();
            outcomes.remove(0)
        };
        let start: Vec<f64> = (0..2 * d).map(|at| 0.02 * (at % 5) as f64).collect();
        let at_start = problem(&start);
        let fit = solve(&at_start);
        let at = At {
            point: &subject.point,
            w: &fit.solution,
            step: Spectrum::of(&at_start).step(subject.point.l2),
        };
        let z = adjoint(&at_start, at, &Control::new())?;
        let found = row_derivatives(&at_start, at, &z, &[Wrt::Perturbation])?;
        let found = found.perturbation.ok_or("no slopes")?;
        let places = [0, d / 2, d + 1, 2 * d - 1];
        let differences = places.map(|place| {
            let value = |by: f64| {
                let mut moved = start.clone();
                moved[place] += by;
                solve(&problem(&moved)).criterion
            };
            (value(1e-4) - value(-1e-4)) / 2e-4
        });
        let error = relative_error(&places.map(|place| found[place]), &differences);
        assert!(error < 1e-6, "{loss:?}: {error:e}");
    }
    Ok(())
}

/// The same ascent as on the CPU, whose batch of starts the device fits.
fn attacks() -> Result<(), Failed> {
    for loss in LOSSES {
        let found = |device: Device| {
            let settings = Settings {
                budgets: vec![0.3],
                share: 0.2,
                steps: 3,
                restarts: 3,
                tolerance: 1e-12,
                device,
                ..Settings::default()
            };
            measure(&subject(loss), &settings, &Control::new()).unwrap()
        };
        let (on_device, on_cpu) = (found(gpu()), found(Device::Cpu));
        let [on_device, on_cpu] = [&on_device, &on_cpu].map(|found| &found.budgets[0]);
        for (a, b) in on_device.traces.iter().zip(&on_cpu.traces) {
            let error = relative_error(a, b);
            assert!(error < 1e-9, "{loss:?}: {error:e}");
        }
        let moved = [on_device, on_cpu].map(|at| &at.perturbation.values);
        let error = relative_error(moved[0], moved[1]);
        assert!(error < 1e-9, "{loss:?}: perturbations differ by {error:e}");
    }
    Ok(())
}

/// Minibatches are drawn on the CPU alone.
fn minibatches() -> Result<(), Failed> {
    let settings = Settings {
        method: Method::Nsid,
        device: gpu(),
        ..Settings::default()
    };
    match measure(&subject(Loss::Logistic), &settings, &Control::new()) {
        Err(error) if error.to_string().contains("use aid-cg") => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("poison::slopes", slopes),
        Trial::test("poison::attacks", attacks),
        Trial::test("poison::minibatches", minibatches),
    ]
}

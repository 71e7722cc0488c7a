//! The published experiments through the library: their numbers, rates and biases.

use proxdiff::Control;
use proxdiff::kinds::Precision;
use proxdiff::paper::digits::Digits;
use proxdiff::paper::{Curve, CurveMethod, Record, deterministic, poisoning, stochastic};

fn curve(record: &Record, setting: usize, method: CurveMethod) -> &Curve {
    record.settings[setting].curve(method).unwrap()
}

fn at(curve: &Curve, x: f64) -> f64 {
    let place = curve.x.iter().position(|&other| other == x).unwrap();
    curve.error[place]
}

/// The least-squares slope of log y against log x.
fn slope(x: &[f64], y: &[f64]) -> f64 {
    let (x, y): (Vec<f64>, Vec<f64>) = x.iter().zip(y).map(|(x, y)| (x.ln(), y.ln())).unzip();
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (mx, my) = (mean(&x), mean(&y));
    let covariance: f64 = x.iter().zip(&y).map(|(x, y)| (x - mx) * (y - my)).sum();
    covariance / x.iter().map(|x| (x - mx).powi(2)).sum::<f64>()
}

#[test]
fn the_deterministic_experiment_has_the_published_numbers() {
    let (options, control) = (deterministic::Options::default(), Control::new());
    let record = deterministic::run(&options, &control).unwrap();
    let curves = options.settings.len() * deterministic::METHODS.len();
    assert_eq!(control.finished(), curves);
    assert_eq!(record.settings.len(), 2);
    let first = &record.settings[0];
    assert_eq!((first.l1, first.l2), (0.02, 0.002));
    assert_eq!(
        (first.support_identified_at, first.support),
        (Some(175), 46)
    );
    assert_eq!(record.settings[1].support_identified_at, Some(587));
    let [itd, fp, cg, plain] = deterministic::METHODS.map(|method| curve(&record, 0, method));
    assert_eq!(fp.x, (0..=500).map(f64::from).collect::<Vec<_>>());
    assert_eq!(curve(&record, 1, CurveMethod::AidFp).x.len(), 201);

    for (curve, levels) in [(fp, [175, 242, 312, 382]), (itd, [213, 278, 346, 416])] {
        for (level, step) in [1e-2, 1e-4, 1e-6, 1e-8].into_iter().zip(levels) {
            let first = curve.first_at(level).unwrap();
            let near = (first - f64::from(step)).abs() <= 1.0;
            assert!(near, "{level:e}: {first}, expected {step}");
        }
    }
    let steps = [200.0, 240.0, 280.0, 320.0, 400.0, 500.0];
    let published = [
        (fp, [1.69e-3, 1.13e-4, 7.92e-6, 5.71e-7, 3.0e-9, 4.4e-12]),
        (itd, [2.49e-2, 1.34e-3, 8.33e-5, 5.62e-6, 2.8e-8, 3.9e-11]),
    ];
    for (curve, errors) in published {
        for (step, error) in steps.into_iter().zip(errors) {
            let ratio = at(curve, step) / error;
            assert!((ratio - 1.0).abs() < 0.05, "t = {step}: ratio {ratio}");
        }
    }
    // Fitted rates per step, and AID-FP's lead, which is one digit.
    let rate = |curve: &Curve| (at(curve, 400.0) / at(curve, 200.0)).powf(1.0 / 200.0);
    assert!((rate(fp) - 0.936).abs() < 2e-3 && (rate(itd) - 0.934).abs() < 2e-3);
    for step in steps {
        let lead = at(itd, step) / at(fp, step);
        assert!((8.0..16.0).contains(&lead), "t = {step}: {lead}");
    }
    // On the support conjugate gradient is limited by w alone; on the whole system it stalls.
    assert!(at(cg, 400.0) < 1e-8);
    let after = &plain.error[200..];
    assert!(after.iter().all(|e| (1e-3..5e-2).contains(e)), "{after:?}");
    // Before the support is identified errors are large and do not fall.
    assert!(fp.error[10..80].iter().all(|&e| e > 1.0));
}

#[test]
fn a_new_design_behaves_alike() {
    let options = deterministic::Options {
        seed: Some(5),
        ..deterministic::Options::default()
    };
    let record = deterministic::run(&options, &Control::new()).unwrap();
    let first = &record.settings[0];
    let identified = first.support_identified_at.unwrap();
    assert!((50..450).contains(&identified), "{identified}");
    let [itd, fp, _, plain] = deterministic::METHODS.map(|method| curve(&record, 0, method));
    let fall = |curve: &Curve| curve.error[500] / curve.error[identified];
    assert!(fall(fp) < 1e-2 && fall(itd) < 1e-1 && fp.error[500] < itd.error[500]);
    assert!(plain.error[500] > 100.0 * fp.error[500]);
}

fn small(runs: usize) -> stochastic::Options {
    stochastic::Options {
        seed: 1,
        runs,
        samples: 10_000,
        checkpoints: vec![100, 200, 400, 800, 1600, 3200],
        multiplier: 1.0,
        ..stochastic::Options::default()
    }
}

fn run(options: &stochastic::Options) -> Record {
    let control = Control::new();
    let record = stochastic::run(options, Precision::F64, &control).unwrap();
    let runs = options.runs * options.checkpoints.len() * options.methods.len();
    assert_eq!(control.finished(), runs);
    record
}

fn squares(curve: &Curve) -> Vec<f64> {
    curve.rms.as_ref().unwrap().iter().map(|e| e * e).collect()
}

/// With independent draws the squared error falls as 1/k, k and J growing together.
#[test]
fn nsid_falls_as_one_over_k() {
    let options = stochastic::Options {
        independent: true,
        methods: vec![CurveMethod::NsidDecreasing],
        ..small(208)
    };
    let record = run(&options);
    let nsid = curve(&record, 0, CurveMethod::NsidDecreasing);
    let steps: Vec<f64> = options.checkpoints.iter().map(|&k| k as f64).collect();
    let slope = slope(&steps, &squares(nsid));
    assert!((slope + 1.0).abs() <= 0.2, "slope {slope}: {:?}", nsid.rms);
}

/// Without replacement it falls at least as fast; SID stays at its bias, a constant step at a level
/// that falls with the step.
#[test]
fn sid_stays_at_its_bias_and_constant_steps_at_their_level() {
    let options = small(16);
    let record = run(&options);
    let [nsid, constant, sid, _] = stochastic::METHODS.map(|method| curve(&record, 0, method));
    let steps: Vec<f64> = options.checkpoints.iter().map(|&k| k as f64).collect();
    let fitted = slope(&steps, &squares(nsid));
    assert!(fitted <= -0.85, "slope {fitted}");
    let last = |curve: &Curve| curve.rms.as_ref().unwrap()[5];
    assert!(
        last(sid) > 3.0 * last(nsid),
        "{:?} against {:?}",
        sid.rms,
        nsid.rms
    );
    let bias = sid.rms.as_ref().unwrap();
    assert!(bias[5] > 0.7 * bias[3], "still falling: {bias:?}");
    let level = constant.rms.as_ref().unwrap();
    assert!(
        level[5] > 0.5 * level[3] && level[5] > 2.0 * last(nsid),
        "{level:?}"
    );
    let finer = run(&stochastic::Options {
        methods: vec![CurveMethod::NsidConstant],
        multiplier: 0.1,
        ..options
    });
    let finer = last(curve(&finer, 0, CurveMethod::NsidConstant));
    assert!(finer < 0.7 * level[5], "{finer:e} against {:e}", level[5]);
}

/// The recordings, which run on any device, give the same curves as the fast path.
#[test]
fn recordings_give_the_same_curves() {
    let options = stochastic::Options {
        checkpoints: vec![20, 90],
        ..small(3)
    };
    let recorded = stochastic::Options {
        recorded: Some(proxdiff::hypergrad::Settings::default()),
        ..options.clone()
    };
    let (fast, recorded) = (run(&options), run(&recorded));
    for (a, b) in fast.settings[0]
        .curves
        .iter()
        .zip(&recorded.settings[0].curves)
    {
        assert_eq!((a.method, a.x.len()), (b.method, b.x.len()));
        for (a, b) in a.error.iter().zip(&b.error) {
            assert!((a - b).abs() <= 1e-8 * a, "{a:e} against {b:e}");
        }
    }
}

/// Digits made at run time: NSID approaches the exact perturbation hypergradient, SID does not.
#[test]
fn poisoning_separates_nsid_from_sid() {
    let digits = Digits::draw(600, 10, 3);
    let options = poisoning::Options {
        runs: 4,
        batch: 30,
        checkpoints: vec![200, 1000, 3999],
        ..poisoning::Options::default()
    };
    let problem = poisoning::problem(&digits, &options).unwrap();
    assert_eq!(
        (problem.train().rows(), problem.perturbed_rows().len()),
        (300, 90)
    );
    let run = |precision| poisoning::run(&digits, &options, precision, &Control::new()).unwrap();
    let record = run(Precision::F64);
    let last = |method| *curve(&record, 0, method).error.last().unwrap();
    let (nsid, sid) = (
        last(CurveMethod::NsidDecreasing),
        last(CurveMethod::SidDecreasing),
    );
    assert!(nsid < 0.1 && sid > 3.0 * nsid, "NSID {nsid:e}, SID {sid:e}");
    let single = run(Precision::F32);
    let [a, b] = [&record, &single].map(|r| curve(r, 0, CurveMethod::NsidDecreasing).error[2]);
    assert!((a - b).abs() < 1e-3 * a + 1e-5, "f64 {a:e}, f32 {b:e}");
    // AID-FP with full batches converges to the same hypergradient.
    let fp = curve(&record, 0, CurveMethod::AidFp);
    assert!(fp.error.last().unwrap() < &1e-3, "{:?}", fp.error);
}

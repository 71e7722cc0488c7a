//! The fast minibatch form of NSID and SID: against the recordings, draw for draw, and against
//! the golden cases.

mod common;

use proxdiff::hypergrad::minibatch::{At, Request, Sampling, minibatch};
use proxdiff::hypergrad::{
    Evaluator, Hypergradient, MinibatchSteps, Settings, StochasticSettings, sampled_curve,
};
use proxdiff::kinds::{Method, Wrt};
use proxdiff::map::spectrum::Spectrum;
use proxdiff::real::Real;
use proxdiff::{Control, Point, Problem};

fn solve(problem: &Problem, point: Point) -> Vec<f64> {
    let settings = Settings::default().method(None);
    let control = Control::new();
    let outcomes = Evaluator::new(problem)
        .settings(&settings)
        .control(&control)
        .run(&[point]);
    outcomes.unwrap().remove(0).solution
}

fn flat(hypergradient: &Hypergradient) -> Vec<f64> {
    let h = hypergradient.clone();
    [
        h.l1.iter().flatten().copied().collect::<Vec<f64>>(),
        h.l2_value().into_iter().collect(),
        h.prior.unwrap_or_default(),
        h.sample_weights.unwrap_or_default(),
        h.perturbation.unwrap_or_default(),
    ]
    .concat()
}

fn fast<R: Real>(
    problem: &Problem,
    point: Point,
    requests: &[Request],
    sampling: &Sampling,
) -> Vec<Vec<f64>> {
    let w = solve(problem, point.clone());
    let at = At {
        point: &point,
        w: &w,
        step: Spectrum::of(problem).step(point.l2),
    };
    minibatch::<R, _>(
        problem,
        &[at],
        requests,
        sampling,
        &Control::new(),
        |_, h| flat(&h),
    )
    .unwrap()
}

#[test]
fn minibatches_that_are_stopped_are_interrupted_and_not_unsupported() {
    let case = common::case("a_enet_published", 0);
    let point = &case.points[0].point;
    let at = At {
        point,
        w: &solve(&case.problem, point.clone()),
        step: Spectrum::of(&case.problem).step(point.l2),
    };
    let control = Control::new();
    control.cancel();
    for freeze in [1, 1000] {
        let request = Request {
            at: 0,
            seed: 1,
            steps: 10,
            freeze,
            schedule: SCHEDULES[0],
        };
        let sampling = Sampling {
            batch: 2,
            independent: false,
            frozen: freeze > 1,
            wrt: vec![Wrt::L1],
        };
        let stopped = minibatch::<f64, _>(
            &case.problem,
            &[at],
            &[request],
            &sampling,
            &control,
            |_, h| flat(&h),
        );
        assert!(
            matches!(stopped, Err(proxdiff::Error::Interrupted { .. })),
            "{stopped:?}"
        );
    }
}

const SCHEDULES: [MinibatchSteps; 2] = [
    MinibatchSteps::Constant { eta: 0.3 },
    MinibatchSteps::Decreasing {
        multiplier: 1.0,
        shift: 2.0,
    },
];

/// Every step of every seed, as the recordings take it: the same minibatches, the same arithmetic
/// but for the order of sums.
fn agrees_with_recordings(name: &str, method: Method, wrt: &[Wrt]) {
    let case = common::case(name, 0);
    let point = &case.points[0].point;
    let (seeds, checkpoints, freeze) = ([3, 8], [1, 40, 130], 25);
    for schedule in SCHEDULES {
        for independent in [false, true] {
            let stochastic = StochasticSettings {
                batch: 17,
                independent,
                schedule,
                freeze: Some(freeze),
                ..StochasticSettings::default()
            };
            let settings = Settings::default()
                .method(method)
                .wrt(wrt.to_vec())
                .stochastic(stochastic);
            let control = Control::new();
            let recorded = sampled_curve(
                &case.problem,
                point,
                &seeds,
                &checkpoints,
                &settings,
                &control,
            )
            .unwrap();
            let requests: Vec<Request> = checkpoints
                .iter()
                .flat_map(|&steps| {
                    seeds.map(|seed| Request {
                        at: 0,
                        seed,
                        steps,
                        freeze,
                        schedule,
                    })
                })
                .collect();
            let sampling = Sampling {
                batch: 17,
                independent,
                frozen: method == Method::Nsid,
                wrt: wrt.to_vec(),
            };
            let found = fast::<f64>(&case.problem, point.clone(), &requests, &sampling);
            let expected: Vec<Vec<f64>> = recorded.iter().flatten().map(flat).collect();
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(&expected) {
                let error = common::relative_error(found, expected);
                assert!(error < 1e-10, "{name} {method:?} {schedule:?}: {error:e}");
            }
            // Seeds differ, and so do steps.
            assert!(common::relative_error(&found[0], &found[1]) > 1e-6);
            assert!(common::relative_error(&found[0], &found[2]) > 1e-6);
        }
    }
}

#[test]
fn nsid_is_what_the_recordings_compute() {
    let strengths = [Wrt::L1, Wrt::L2, Wrt::Prior, Wrt::SampleWeights];
    for name in [
        "b_enet_400x60",
        "c_logistic_300x80",
        "d_multinomial_400x40x5",
    ] {
        agrees_with_recordings(name, Method::Nsid, &strengths);
    }
    agrees_with_recordings("e_weighted_200x50", Method::Nsid, &strengths);
    agrees_with_recordings("g_poison_200x20x3", Method::Nsid, &[Wrt::Perturbation]);
}

#[test]
fn sid_is_what_the_recordings_compute() {
    let strengths = [Wrt::L1, Wrt::L2, Wrt::Prior];
    for name in ["b_enet_400x60", "d_multinomial_400x40x5"] {
        agrees_with_recordings(name, Method::Sid, &strengths);
    }
}

/// With all rows in every minibatch and η = 1 a step of either is a step of AID-FP, whose limit the
/// golden case knows; also for the perturbation, 10 of whose rows are trained on.
#[test]
fn full_minibatches_reach_the_golden_perturbation() {
    let case = common::case("g_poison_200x20x3", 0);
    for golden in &case.points {
        for frozen in [true, false] {
            let request = Request {
                at: 0,
                seed: 0,
                steps: 4000,
                freeze: 2,
                schedule: MinibatchSteps::Constant { eta: 1.0 },
            };
            let sampling = Sampling {
                batch: 200,
                independent: false,
                frozen,
                wrt: vec![Wrt::L1, Wrt::L2, Wrt::Perturbation],
            };
            let expected = [
                golden.l1.clone(),
                vec![golden.l2],
                golden.perturbation.clone().unwrap(),
            ]
            .concat();
            let found = fast::<f64>(&case.problem, golden.point.clone(), &[request], &sampling);
            let error = common::relative_error(&found[0], &expected);
            assert!(
                error < 1e-8,
                "{:?}, frozen {frozen}: {error:e}",
                golden.point
            );
            let found = fast::<f32>(&case.problem, golden.point.clone(), &[request], &sampling);
            let error = common::relative_error(&found[0], &expected);
            assert!(error < 1e-3, "{:?} in f32: {error:e}", golden.point);
        }
    }
}

/// Small minibatches: the mean over many independent runs is near the golden perturbation, and
/// nearer than single runs are.
#[test]
fn the_sampled_perturbation_is_unbiased() {
    let case = common::case("g_poison_200x20x3", 0);
    let golden = &case.points[0];
    let requests: Vec<Request> = (0..64)
        .map(|seed| Request {
            at: 0,
            seed,
            steps: 1000,
            // Enough that D is that of the whole data.
            freeze: 20_000,
            schedule: MinibatchSteps::Constant { eta: 0.1 },
        })
        .collect();
    let sampling = Sampling {
        batch: 20,
        independent: true,
        frozen: true,
        wrt: vec![Wrt::Perturbation],
    };
    let found = fast::<f64>(&case.problem, golden.point.clone(), &requests, &sampling);
    let exact = golden.perturbation.as_ref().unwrap();
    let mut errors: Vec<f64> = found
        .iter()
        .map(|g| common::relative_error(g, exact))
        .collect();
    errors.sort_by(f64::total_cmp);
    let mean: Vec<f64> = (0..exact.len())
        .map(|j| found.iter().map(|g| g[j]).sum::<f64>() / found.len() as f64)
        .collect();
    let of_mean = common::relative_error(&mean, exact);
    // Averaging 64 divides the noise by 8; half of that leaves room for chance.
    assert!(
        of_mean < errors[32] / 4.0,
        "{of_mean:e}, single {:e}",
        errors[32]
    );
}

/// The same bits for any number of threads.
#[test]
fn threads_do_not_matter() {
    let case = common::case("d_multinomial_400x40x5", 0);
    let requests: Vec<Request> = (0..3)
        .map(|seed| Request {
            at: 0,
            seed,
            steps: 50,
            freeze: 9,
            schedule: SCHEDULES[0],
        })
        .collect();
    let sampling = Sampling {
        batch: 311,
        independent: false,
        frozen: true,
        wrt: vec![Wrt::L1, Wrt::L2],
    };
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let point = &case.points[0].point;
        pool.install(|| fast::<f64>(&case.problem, point.clone(), &requests, &sampling))
    };
    assert_eq!(run(1), run(3));
}

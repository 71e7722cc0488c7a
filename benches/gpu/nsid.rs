//! NSID: minibatch steps of the adjoint, rows drawn on the host and read on the device.

use std::sync::Arc;
use std::time::Instant;

use proxdiff::data::{Dense, Matrix, Scaling};
use proxdiff::exec::gpu::Gpu;
use proxdiff::exec::{Buf, Device, Executor, Recording, Scope, Twinned};
use proxdiff::iterate::stochastic::{
    LinearState, Schedule, Streams, record_linear_step, run_steps,
};
use proxdiff::loss::Loss;
use proxdiff::map::loss_rows::{BatchRows, LossRows};
use proxdiff::map::minibatch::Draws;
use proxdiff::map::operator::per_problem;
use proxdiff::map::sampled_rows::SampledRows;
use proxdiff::map::spectrum::Spectrum;
use proxdiff::map::{FixedPointMap, ProxGrad};
use proxdiff::problem::Members;
use proxdiff::real::{convert, widen};
use proxdiff::{Control, Point, Problem, Specification};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::report::{Report, Timed};
use super::{Checked, Size};

/// Rows of a minibatch, and minibatches whose rows travel at once.
const BATCH: usize = 100;
const RING: usize = 128;

fn problem(n: usize, d: usize) -> Checked<(Problem, Vec<f64>)> {
    let mut random = ChaCha12Rng::seed_from_u64(7);
    let mut uniform = || 2.0 * ((random.next_u64() >> 11) as f64 / (1u64 << 53) as f64) - 1.0;
    let w: Vec<f64> = (0..d)
        .map(|j| if j % 3 == 0 { uniform() } else { 0.0 })
        .collect();
    let values: Vec<f64> = (0..n * d).map(|_| uniform()).collect();
    let y = values
        .chunks_exact(d)
        .map(|x| x.iter().zip(&w).map(|(x, w)| x * w).sum::<f64>() + 0.1 * uniform())
        .collect();
    let matrix = Dense {
        rows: n,
        columns: d,
        values,
    };
    let mut specification = Specification::new(Loss::Squared, Matrix::Dense(matrix), vec![y]);
    specification.scaling = Scaling {
        intercept: false,
        standardize: false,
    };
    Ok((Problem::new(specification)?, w))
}

/// The iteration on an executor, ready to step.
struct Steps<R: Twinned> {
    executor: Box<dyn Executor<R>>,
    sample: SampledRows,
    streams: Streams,
    step: Recording<R>,
    v: Buf,
    taken: usize,
}

impl<R: Twinned> Steps<R> {
    fn new(device: &Device, problem: &Problem, points: &[Point], w: &[f64]) -> Checked<Self> {
        let spectrum = Spectrum::of(problem);
        let mut executor = device.executor::<R>(points.len())?;
        let members = Members::of(problem, points);
        let gamma: Vec<f64> = points.iter().map(|p| spectrum.step(p.l2).gamma).collect();
        let map = ProxGrad::new(&mut executor, &members, points, &gamma, false)?;
        let held_out = problem.criterion();
        let criterion = LossRows::upload(
            &mut executor,
            &held_out.sample,
            &BatchRows {
                loss: held_out.loss,
                classes: problem.classes(),
                sign: held_out.sign.factor(),
                points,
                sample: &|_| &held_out.sample,
            },
            None,
        );
        let p = map.coordinates;
        let mut room = |rows| executor.allocate(Scope::PerProblem, rows);
        let (at, gradient, v, dv, next, eta) =
            (room(p), room(p), room(p), room(p), room(p), room(1));
        let all: Vec<f64> = points.iter().flat_map(|_| w.iter().copied()).collect();
        executor.upload(at, &convert::<R>(&all));
        // Linearised at the point that made the data, with D frozen at the full batch's u; E is
        // taken from another point, or its gradient would be noise alone.
        let mut prepare = Recording::new();
        criterion.gradient(&mut prepare, map.zero(), criterion.scale, gradient);
        map.linearize(&mut prepare, at);
        executor.run(&prepare, 1)?;
        let steps = |value: f64| vec![value; points.len()];
        let state = LinearState {
            w: at,
            criterion: gradient,
            v,
            dv,
            next,
            schedule: Schedule {
                beta: per_problem(&mut executor, 1, &steps(0.1)),
                kappa: per_problem(&mut executor, 1, &steps(-1.0)),
                step: eta,
            },
        };
        let n = problem.train().rows();
        let streams = Streams::new(vec![Draws::new(11, 0, n, BATCH.min(n), false)]);
        let sample = SampledRows::new(&mut executor, &map, BATCH.min(n), RING, streams.scope());
        let mut step = Recording::new();
        record_linear_step(&mut step, &map, &sample, &state, true);
        Ok(Self {
            executor,
            sample,
            streams,
            step,
            v,
            taken: 0,
        })
    }

    /// Takes `count` steps and returns v.
    fn advance(&mut self, count: usize) -> Checked<Vec<f64>> {
        let control = Control::new();
        self.taken += run_steps(
            &mut self.executor,
            &self.step,
            &self.sample,
            &mut self.streams,
            self.taken..self.taken + count,
            &control,
        )?;
        Ok(widen(&self.executor.download(self.v)?))
    }
}

/// Rows of minibatches per second.
pub fn rows_per_second(gpu: &Arc<Gpu>, size: Size, report: &mut Report) -> Checked<()> {
    report.section("NSID steps, minibatches of 100 rows shared by all problems");
    let (n, d) = size.pick((300, 20), (5000, 100), (200_000, 256));
    let steps = size.pick(130, 256, 4096);
    let (problem, w) = problem(n, d)?;
    let device = Device::Gpu(Arc::clone(gpu));
    for count in size.pick(vec![5], vec![64], vec![64, 1024, 8192]) {
        let points: Vec<Point> = (0..count)
            .map(|k| Point::new(0.02 * (1.0 + k as f64 / count as f64), 0.05))
            .collect();
        let mut on_device = Steps::<f32>::new(&device, &problem, &points, &w)?;
        // The first hundred steps against f64 on the CPU: the same minibatches, the same steps.
        let few = points.len().min(16);
        let mut exact = Steps::<f64>::new(&Device::Cpu, &problem, &points[..few], &w)?;
        let (found, expected) = (on_device.advance(100)?, exact.advance(100)?);
        let largest = expected.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
        let mut error = 0.0_f64;
        for (found, expected) in found.iter().zip(&expected) {
            let difference = (found - expected).abs() / largest;
            // `max` would drop a NaN.
            if difference > error || difference.is_nan() {
                error = difference;
            }
        }
        if error.is_nan() || error > 1e-4 {
            return Err(format!("NSID differs by {error:.1e} from f64 after 100 steps").into());
        }
        gpu.start_clock();
        let start = Instant::now();
        on_device.advance(steps)?;
        let seconds = start.elapsed().as_secs_f64();
        let work = gpu.stop_clock()?;
        let timed = Timed {
            name: format!("n = {n}, d = {d}, B = {count}"),
            problems: count,
            seconds,
            work,
            note: String::new(),
        };
        report.rows(&timed, steps * BATCH, error);
    }
    Ok(())
}

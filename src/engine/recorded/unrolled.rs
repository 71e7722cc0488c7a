//! Iterative differentiation (ITD): the Picard iteration itself is differentiated.
//!
//! ```text
//! forward   Ẇ ← ∂₁Φ(w_t) Ẇ + ∂₂Φ(w_t)
//! reverse   α = ∂₁E ;  for every step backwards  g += ∂₂Φ(w_k)ᵀα ,  α ← ∂₁Φ(w_k)ᵀα
//! ```
//!
//! Forward carries one direction of the hyperparameters per problem of the batch. Reverse needs
//! what the iteration passed through: two bits per coordinate and step where the loss is quadratic
//! and only strengths or bounds are differentiated, else the iterates, recomputed from checkpoints.

use std::collections::BTreeMap;

use crate::control::Control;
use crate::data::Matrix;
use crate::error::Result;
use crate::exec::{Buf, Executor, Recording, Scope, Twinned, WordBuf};
use crate::iterate::tangent::TangentPicard;
use crate::iterate::{Progress, Stop, StopRule, drive};
use crate::kernel::sampled::ADVANCE;
use crate::kernel::step::{DISTANCE, SELECT};
use crate::kernel::trace::PIECES_PER_WORD;
use crate::kinds::{Precision, Status, Wrt};
use crate::loss::Loss;
use crate::map::FixedPointMap;
use crate::map::hyper_sums::Tangents;
use crate::map::spectrum::Spectrum;
use crate::penalty::Penalty;
use crate::problem::{Point, Problem};
use crate::real::{Real, widen};

use super::backwards::{Adjoint, Backwards, SEGMENT, record_pieces, record_replay};
use super::workspace::{Stage, norms};
use crate::engine::accumulator::{Direction, RawSums, directions};
use crate::engine::settings::Settings;

/// What ITD returns for one point.
#[derive(Debug, Clone)]
pub struct Unrolled {
    /// w_T, p scaled coordinates.
    pub w: Vec<f64>,
    /// How the iteration (and its derivative) ended.
    pub progress: Progress,
    /// dE/dλ in the form of the kernels' sums.
    /// `None` when the run was interrupted before it was complete.
    pub sums: Option<RawSums>,
}

/// Lanes of forward ITD that run at once.
const FORWARD_LANES: usize = 2048;
/// Points of reverse ITD that run at once: their trajectories are held together.
const REVERSE_POINTS: usize = 64;

/// The tolerance from which on the Gram form, whose rounding is that of the squares, serves in f32.
const GRAM_TOLERANCE_F32: f64 = 1e-5;

/// True when the Gram form serves: n > p, no derivative that needs the rows, and f64 or a tolerance
/// that its rounding in f32 cannot spoil.
pub fn gram_serves<R: Real>(problem: &Problem, settings: &Settings) -> bool {
    let wrt = &settings.wrt;
    let rows_needed = wrt.contains(&Wrt::SampleWeights) || wrt.contains(&Wrt::Perturbation);
    let coarse = settings.tolerance.is_some_and(|t| t >= GRAM_TOLERANCE_F32);
    problem.loss == Loss::Squared
        && matches!(problem.train.design.matrix, Matrix::Dense(_))
        && problem.train.rows() > problem.coordinates() / 2
        && problem.coordinates() <= 4096
        && (R::PRECISION == Precision::F64 || coarse)
        && !rows_needed
}

/// ITD of every point, forward.
///
/// # Errors
/// When the executor fails.
pub fn forward<R: Twinned>(
    problem: &Problem,
    points: &[Point],
    spectrum: &Spectrum,
    settings: &Settings,
    control: &Control,
) -> Result<Vec<Unrolled>> {
    let directions = directions(problem, &settings.wrt);
    let lanes: Vec<(usize, Direction)> = (0..points.len())
        .flat_map(|point| directions.iter().map(move |&direction| (point, direction)))
        .collect();
    let mut outcomes: Vec<Option<Unrolled>> = vec![None; points.len()];
    let mut earliest = vec![usize::MAX; points.len()];
    for chunk in lanes.chunks(FORWARD_LANES) {
        let chunk_points: Vec<Point> = chunk.iter().map(|(point, _)| points[*point]).collect();
        let mut stage = Stage::<R>::new(
            problem,
            &chunk_points,
            spectrum,
            gram_serves::<R>(problem, settings),
            &settings.device,
        )?;
        let (progress, derivatives) = forward_chunk(&mut stage, chunk, settings, control)?;
        let w = widen(&stage.executor.download(stage.w)?);
        let p = stage.map.coordinates;
        for (lane, &(point, direction)) in chunk.iter().enumerate() {
            let reached = &w[lane * p..(lane + 1) * p];
            let steps = progress[lane].steps;
            let entry = outcomes[point].get_or_insert_with(|| Unrolled {
                w: reached.to_vec(),
                progress: progress[lane],
                sums: Some(RawSums::zeros(problem, &settings.wrt)),
            });
            // Lanes of another chunk may have gone further. What holds of the earliest iterate, its
            // residual and its certificate, holds of all.
            if steps < earliest[point] {
                earliest[point] = steps;
                entry.w.copy_from_slice(reached);
            }
            entry.progress.status = entry.progress.status.worse(progress[lane].status);
            entry.progress.steps = entry.progress.steps.max(steps);
            if let Some(sums) = &mut entry.sums {
                sums.set(direction, derivatives[lane]);
            }
        }
    }
    Ok(outcomes.into_iter().flatten().collect())
}

fn forward_chunk<R: Twinned>(
    stage: &mut Stage<'_, R>,
    lanes: &[(usize, Direction)],
    settings: &Settings,
    control: &Control,
) -> Result<(Vec<Progress>, Vec<f64>)> {
    let tangents = stage
        .map
        .allocate_tangents(&mut stage.executor, &settings.wrt);
    upload_tangents(stage, &tangents, lanes);
    let scales = stage.scales()?;
    let stop = Stop::new(
        &mut stage.executor,
        StopRule {
            tolerance: settings.tolerance,
            max_steps: settings.max_steps,
        },
    );
    stop.reset(&mut stage.executor);
    // The stop rule sees a residual that is relative already.
    stage
        .executor
        .upload(stop.scale, &vec![R::one(); lanes.len()]);
    let w_scale = stage.executor.allocate(Scope::PerProblem, 1);
    stage.executor.upload(w_scale, &scales);
    let p = stage.map.coordinates;
    let iteration = TangentPicard::new(&mut stage.executor, &stage.map, &stop, stage.w, w_scale);
    let tangent = iteration.tangent;
    let mut progress = drive(&mut stage.executor, &iteration, &stop, control)?;
    let left = steps_left(lanes, &progress);
    if left.iter().any(|&steps| steps > 0) {
        let rule = StopRule {
            tolerance: Some(0.0),
            max_steps: settings.max_steps,
        };
        let rest = Stop::new(&mut stage.executor, rule);
        rest.reset(&mut stage.executor);
        rest.limit_each(&mut stage.executor, &left);
        let ones = vec![R::one(); lanes.len()];
        stage.executor.upload(rest.scale, &ones);
        let iteration = iteration.under(&rest);
        let continued = drive(&mut stage.executor, &iteration, &rest, control)?;
        for (progress, continued) in progress.iter_mut().zip(continued) {
            progress.steps += continued.steps;
            if continued.status == Status::NonFinite {
                progress.status = continued.status;
            }
        }
    }
    stage.linearize()?;
    let gradients = stage.executor.download(stage.criterion_gradient)?;
    let tangents = stage.executor.download(tangent)?;
    let derivatives = gradients
        .chunks_exact(p)
        .zip(tangents.chunks_exact(p))
        .map(|(e, t)| e.iter().zip(t).map(|(&e, &t)| Real::to_f64(e * t)).sum())
        .collect();
    Ok((progress, derivatives))
}

/// How many steps every lane is behind the one of its point that took most.
///
/// The lanes of a point run the same iteration, each until its own derivative is at rest. They end
/// at one w, so that what is said of w holds for every derivative.
fn steps_left(lanes: &[(usize, Direction)], progress: &[Progress]) -> Vec<usize> {
    let mut most: BTreeMap<usize, usize> = BTreeMap::new();
    for ((point, _), progress) in lanes.iter().zip(progress) {
        let most = most.entry(*point).or_default();
        *most = progress.steps.max(*most);
    }
    let behind = |((point, _), progress): (&(usize, Direction), &Progress)| {
        if progress.status == Status::NonFinite {
            0
        } else {
            most[point] - progress.steps
        }
    };
    lanes.iter().zip(progress).map(behind).collect()
}

pub fn upload_tangents<R: Twinned>(
    stage: &mut Stage<'_, R>,
    tangents: &Tangents,
    lanes: &[(usize, Direction)],
) {
    let mut fill = |buf: Buf, entries: &dyn Fn(Direction, &mut [R])| {
        let mut values = vec![R::zero(); buf.rows() * lanes.len()];
        if buf.rows() > 0 {
            for (row, (_, direction)) in values.chunks_exact_mut(buf.rows()).zip(lanes) {
                entries(*direction, row);
            }
        }
        stage.executor.upload(buf, &values);
    };
    let one_at = |row: &mut [R], at: usize| row[at] = R::one();
    fill(tangents.strengths, &|direction, row| match direction {
        Direction::Strength => row.fill(R::one()),
        Direction::StrengthOf(at) => one_at(row, at),
        _ => {}
    });
    fill(tangents.ridge, &|direction, row| {
        if direction == Direction::Ridge {
            one_at(row, 0);
        }
    });
    fill(tangents.prior, &|direction, row| {
        if let Direction::Prior(at) = direction {
            one_at(row, at);
        }
    });
    fill(tangents.bounds, &|direction, row| {
        if let Direction::Bound(at) = direction {
            one_at(row, at);
        }
    });
    if let Some(weights) = tangents.weights {
        fill(weights, &|direction, row| {
            if let Direction::Weight(at) = direction {
                one_at(row, at);
            }
        });
    }
    if let Some(perturbation) = tangents.perturbation {
        fill(perturbation, &|direction, row| {
            if let Direction::Perturbation(at) = direction {
                one_at(row, at);
            }
        });
    }
}

/// ITD of every point, reverse; only the last `settings.truncate` steps where that is set.
///
/// # Errors
/// When the executor fails.
pub fn reverse<R: Twinned>(
    problem: &Problem,
    points: &[Point],
    spectrum: &Spectrum,
    settings: &Settings,
    control: &Control,
) -> Result<Vec<Unrolled>> {
    let mut outcomes = Vec::with_capacity(points.len());
    for chunk in points.chunks(REVERSE_POINTS) {
        outcomes.extend(reverse_converged::<R>(
            problem, chunk, spectrum, settings, control,
        )?);
    }
    Ok(outcomes)
}

/// What is left of α at the first step, relative to ∂₁E, below which further steps change nothing
/// that the arithmetic could show.
fn adjoint_floor<R: Real>() -> f64 {
    10.0 * Real::to_f64(<R as num_traits::Float>::epsilon()).sqrt() * 1e-3
}

/// Runs reverse ITD until the derivative has converged too: where w came to rest before its
/// derivative did, the iteration is continued to twice as many steps or more.
fn reverse_converged<R: Twinned>(
    problem: &Problem,
    points: &[Point],
    spectrum: &Spectrum,
    settings: &Settings,
    control: &Control,
) -> Result<Vec<Unrolled>> {
    let mut run = reverse_chunk::<R>(problem, points, spectrum, settings, control)?;
    let mut unsettled: Vec<usize> = (0..points.len()).collect();
    while settings.tolerance.is_none() && settings.truncate.is_none() && !control.should_stop() {
        unsettled.retain(|&at| {
            let (outcome, left) = &run[at];
            outcome.progress.status == Status::Converged
                && *left > adjoint_floor::<R>()
                && outcome.progress.steps < settings.max_steps
        });
        if unsettled.is_empty() {
            break;
        }
        // A power of two of each point's own: its steps must not depend on its neighbours.
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for &at in &unsettled {
            let steps = 2 * run[at].0.progress.steps.next_power_of_two();
            let group = groups.entry(steps.min(settings.max_steps)).or_default();
            group.push(at);
        }
        for (steps, group) in groups {
            let again: Vec<Point> = group.iter().map(|&at| points[at]).collect();
            let mut longer = settings.clone();
            longer.tolerance = Some(0.0);
            longer.max_steps = steps;
            let continued = reverse_chunk::<R>(problem, &again, spectrum, &longer, control)?;
            for (&at, outcome) in group.iter().zip(continued) {
                // A run that was not continued would not be the next time either.
                if outcome.0.progress.steps <= run[at].0.progress.steps {
                    unsettled.retain(|&other| other != at);
                }
                run[at] = outcome;
                // w was at rest before, and a continuation takes as many steps as it is given.
                let status = &mut run[at].0.progress.status;
                if *status == Status::BudgetSpent && !control.should_stop() {
                    *status = Status::Converged;
                }
            }
        }
    }
    Ok(run
        .into_iter()
        .map(|(mut outcome, left)| {
            let unfinished = settings.tolerance.is_none() && settings.truncate.is_none();
            if unfinished && left > adjoint_floor::<R>() {
                outcome.progress.status = outcome.progress.status.worse(Status::BudgetSpent);
            }
            outcome
        })
        .collect())
}

/// What a trajectory is kept as.
enum Trace {
    /// Pieces of the prox, packed; the segments' words are on the host.
    Pieces {
        ring: WordBuf,
        segments: Vec<Vec<u32>>,
    },
    /// Iterates; the segments' first ones are on the host.
    Iterates { ring: Buf, starts: Vec<Vec<f64>> },
}

/// True where two bits per coordinate and step suffice.
fn pieces_suffice(problem: &Problem, wrt: &[Wrt]) -> bool {
    problem.loss.is_quadratic()
        && !matches!(problem.penalty, Penalty::Group { .. })
        && wrt.iter().all(|wrt| match wrt {
            Wrt::L1 => !matches!(problem.penalty, Penalty::Box { .. }),
            Wrt::BoxBounds => matches!(problem.penalty, Penalty::Box { .. }),
            _ => false,
        })
}

/// One run of reverse ITD; with each outcome what is left of α at the first step.
fn reverse_chunk<R: Twinned>(
    problem: &Problem,
    points: &[Point],
    spectrum: &Spectrum,
    settings: &Settings,
    control: &Control,
) -> Result<Vec<(Unrolled, f64)>> {
    let mut stage = Stage::<R>::new(
        problem,
        points,
        spectrum,
        gram_serves::<R>(problem, settings),
        &settings.device,
    )?;
    stage.map.allocate_sums(&mut stage.executor, &settings.wrt);
    let scales = stage.scales()?;
    let stop = Stop::new(
        &mut stage.executor,
        StopRule {
            tolerance: settings.tolerance,
            max_steps: settings.max_steps,
        },
    );
    stop.reset(&mut stage.executor);
    stage.executor.upload(stop.scale, &scales);
    let counter = stage.executor.allocate_words(Scope::PerProblem, 1);
    let (p, penalized) = (stage.map.coordinates, stage.map.penalized);
    let mut trace = if pieces_suffice(problem, &settings.wrt) {
        let words = penalized.div_ceil(PIECES_PER_WORD);
        Trace::Pieces {
            ring: stage
                .executor
                .allocate_words(Scope::PerProblem, SEGMENT * words),
            segments: Vec::new(),
        }
    } else {
        Trace::Iterates {
            ring: stage.executor.allocate(Scope::PerProblem, SEGMENT * p),
            starts: Vec::new(),
        }
    };

    // Forwards, a segment at a time.
    let mut step = Recording::new();
    stage.map.apply(&mut step, stage.w, stage.next);
    if let Trace::Pieces { ring, .. } = &trace {
        record_pieces(&mut step, &stage.map, counter, *ring);
    }
    let inputs = [stage.next.into(), stage.w.into(), stage.map.gamma.into()];
    step.dispatch(&DISTANCE, &inputs, &[stop.residual.into()], &[p]);
    step.dispatch(
        &SELECT,
        &[stage.next.into(), stop.active.into()],
        &[stage.w.into()],
        &[p],
    );
    stop.record(&mut step);
    step.dispatch(&ADVANCE, &[], &[counter.into()], &[]);
    loop {
        if let Trace::Iterates { starts, .. } = &mut trace {
            starts.push(widen(&stage.executor.download(stage.w)?));
        }
        stage.executor.run(&step, SEGMENT)?;
        if let Trace::Pieces { ring, segments } = &mut trace {
            segments.push(stage.executor.download_words(*ring)?);
        }
        let active = stage.executor.download_words(stop.active)?;
        if active.iter().all(|&flag| flag == 0) || control.should_stop() {
            break;
        }
    }
    let progress = stop.progress(&stage.executor)?;
    let solution = widen(&stage.executor.download(stage.w)?);

    // Backwards from α = ∂₁E at w_T.
    stage.linearize()?;
    let criterion = stage.executor.download(stage.criterion_gradient)?;
    stage.executor.upload(stage.v, &criterion);
    let window = Backwards::new(
        &mut stage.executor,
        p,
        &progress,
        settings.truncate,
        counter,
    );
    let mut complete = true;
    match &trace {
        Trace::Pieces { ring, segments } => {
            let mut back = Recording::new();
            window.record_pieces(&mut back, &stage, *ring, &problem.penalty);
            for (index, words) in segments.iter().enumerate().rev() {
                if control.should_stop() {
                    complete = false;
                    break;
                }
                stage.executor.upload_words(*ring, words);
                window.set_counter(&mut stage.executor, (index + 1) * SEGMENT);
                stage.executor.run(&back, SEGMENT)?;
            }
        }
        Trace::Iterates { ring, starts } => {
            let mut replay = Recording::new();
            let (w, next) = (stage.w, stage.next);
            record_replay(&mut replay, &stage.map, (w, next), counter, *ring);
            let mut back = Recording::new();
            let adjoint = Adjoint {
                w,
                alpha: stage.v,
                zero: stage.map.zero(),
                one: stage.one,
            };
            window.record_iterates(&mut back, &stage.map, *ring, &adjoint);
            for (index, start) in starts.iter().enumerate().rev() {
                if control.should_stop() {
                    complete = false;
                    break;
                }
                stage.set_solution(start);
                window.set_counter(&mut stage.executor, index * SEGMENT);
                stage.executor.run(&replay, SEGMENT)?;
                stage.executor.run(&back, SEGMENT)?;
            }
        }
    }
    let left = norms(&stage.executor.download(stage.v)?, p);
    let total = norms(&criterion, p);
    let sums = RawSums::download(&stage.executor, &stage.map.sums, points.len())?;
    Ok(sums
        .into_iter()
        .enumerate()
        .map(|(at, sums)| {
            let w = solution[at * p..(at + 1) * p].to_vec();
            let left = Real::to_f64(left[at]) / Real::to_f64(total[at]).max(f64::MIN_POSITIVE);
            (
                Unrolled {
                    w,
                    progress: Progress {
                        status: if complete {
                            progress[at].status
                        } else {
                            progress[at].status.worse(Status::BudgetSpent)
                        },
                        ..progress[at]
                    },
                    sums: complete.then_some(sums),
                },
                left,
            )
        })
        .collect())
}

//! Iterative differentiation (ITD): the Picard iteration itself is differentiated.
//!
//! ```text
//! forward   Ẇ ← ∂₁Φ(w_t) Ẇ + ∂₂Φ(w_t)
//! reverse   α = ∂₁E ;  for every step backwards  g += ∂₂Φ(w_k)ᵀα ,  α ← ∂₁Φ(w_k)ᵀα
//! ```
//!
//! Forward carries one direction of the hyperparameters per problem of the batch. Reverse needs
//! what the iteration passed through: two bits per coordinate and step where the family's pieces
//! suffice, else the iterates, recomputed from checkpoints.

use std::collections::BTreeMap;

use crate::control::Control;
use crate::error::Result;
use crate::exec::{Buf, Executor, Recording, Scope, Twinned, WordBuf};
use crate::iterate::tangent::TangentPicard;
use crate::iterate::{Progress, StopRule, drive};
use crate::kernel::sampled::ADVANCE;
use crate::kernel::step::{DISTANCE, SELECT};
use crate::kinds::Status;
use crate::map::FixedPointMap;
use crate::real::{Real, widen};

use super::backwards::{Adjoint, Backwards, Iterate, SEGMENT, record_replay};
use super::workspace::{Criterion, Workspace, norms};

/// A family of problems whose Picard iteration can be differentiated: points of a problem of data, or
/// hyperparameters of a user's map. Its members are numbered.
pub trait Unrollable<R: Twinned> {
    /// Φ of a batch of members.
    type Map: FixedPointMap<R>;
    /// E of a batch of members.
    type Criterion: Criterion<R>;
    /// dE/dλ of one member, as the family wants it.
    type Sums;

    /// Number of directions that span the hyperparameters.
    fn directions(&self) -> usize;

    /// Some members on an executor, w where their iteration starts.
    ///
    /// # Errors
    /// When the executor fails.
    fn workspace(&self, members: &[usize]) -> Result<WorkspaceOf<R, Self>>;

    /// The scale that changes of w are relative to, for every member of a workspace.
    ///
    /// # Errors
    /// When the executor fails.
    fn scales(&self, workspace: &mut WorkspaceOf<R, Self>, members: &[usize]) -> Result<Vec<R>>;

    /// Sets the tangents λ̇ of a workspace: one direction for each of its members.
    fn set_tangents(&self, workspace: &mut WorkspaceOf<R, Self>, directions: &[usize]);

    /// The derivatives along all directions as sums.
    fn of_directions(&self, derivatives: &[f64]) -> Self::Sums;

    /// Allocates what [`Unrollable::sums`] reads, where the map has not done so.
    fn allocate_sums(&self, _workspace: &mut WorkspaceOf<R, Self>) {}

    /// The sums that the map of a workspace has added up.
    ///
    /// # Errors
    /// When the executor fails.
    fn sums(&self, workspace: &WorkspaceOf<R, Self>) -> Result<Vec<Self::Sums>>;

    /// Words per step that say on which pieces u lies; `None` where iterates must be kept.
    fn piece_words(&self, _map: &Self::Map) -> Option<usize> {
        None
    }

    /// Records the pieces of a step into `ring`.
    fn record_pieces(
        &self,
        _recording: &mut Recording<R>,
        _map: &Self::Map,
        _counter: WordBuf,
        _ring: WordBuf,
    ) {
    }

    /// Records a step back of `alpha` from the pieces in `ring`.
    fn record_pieces_back(
        &self,
        _recording: &mut Recording<R>,
        _map: &Self::Map,
        _backwards: &Backwards,
        _alpha: Buf,
        _ring: WordBuf,
    ) {
    }
}

/// The workspace of a family.
pub type WorkspaceOf<R, U> =
    Workspace<R, <U as Unrollable<R>>::Map, <U as Unrollable<R>>::Criterion>;

/// The result of ITD for one member.
#[derive(Debug, Clone)]
pub struct Unrolled<S> {
    /// w_T, p coordinates.
    pub w: Vec<f64>,
    /// The end of the iteration and of its derivative.
    pub progress: Progress,
    /// dE/dλ; `None` when the run was interrupted before it was complete.
    pub sums: Option<S>,
}

/// Limits of ITD.
#[derive(Debug, Clone, Copy)]
pub struct Unrolling<'a> {
    /// The stop rule of w.
    pub rule: StopRule,
    /// Reverse through the last steps only; `None`: through all.
    pub truncate: Option<usize>,
    /// The rest of α that may be left at the first step, relative to ∂₁E: beyond it reverse ITD takes
    /// more steps. `None` takes those that w takes.
    pub floor: Option<f64>,
    /// Pairs of a member and a direction that run forward at once.
    pub pairs: usize,
    /// Members that run in reverse at once: their trajectories are held together.
    pub members: usize,
    /// Cancellation and time budget.
    pub control: &'a Control,
}

/// The rest of α at the first step, relative to ∂₁E, below which further steps change nothing
/// that the arithmetic could show.
pub fn adjoint_floor<R: Real>() -> f64 {
    10.0 * Real::to_f64(<R as num_traits::Float>::epsilon()).sqrt() * 1e-3
}

/// A member of a family with one direction of its hyperparameters.
#[derive(Clone, Copy)]
struct Pair {
    member: usize,
    direction: usize,
}

/// The state of a member while its pairs run.
#[derive(Clone)]
struct Forward {
    w: Vec<f64>,
    /// The steps that led to `w`.
    earliest: usize,
    progress: Progress,
    derivatives: Vec<f64>,
}

/// ITD of all members, forward.
///
/// # Errors
/// When the executor fails.
pub fn forward<R: Twinned, U: Unrollable<R>>(
    family: &U,
    members: usize,
    unrolling: &Unrolling<'_>,
) -> Result<Vec<Unrolled<U::Sums>>> {
    let directions = family.directions();
    let pairs: Vec<Pair> = (0..members)
        .flat_map(|member| (0..directions).map(move |direction| Pair { member, direction }))
        .collect();
    let mut found: Vec<Option<Forward>> = vec![None; members];
    for chunk in pairs.chunks(unrolling.pairs) {
        let (workspace, progress, derivatives) = forward_chunk(family, chunk, unrolling)?;
        let w = workspace.vectors(workspace.w)?;
        for (lane, pair) in chunk.iter().enumerate() {
            let steps = progress[lane].steps;
            let member = found[pair.member].get_or_insert_with(|| Forward {
                w: Vec::new(),
                earliest: usize::MAX,
                progress: progress[lane],
                derivatives: vec![0.0; directions],
            });
            // Pairs of another chunk may have gone further. What holds of the earliest iterate, its
            // residual and its certificate, holds of all.
            if steps < member.earliest {
                member.earliest = steps;
                member.w.clone_from(&w[lane]);
            }
            member.progress.status = member.progress.status.worse(progress[lane].status);
            member.progress.steps = member.progress.steps.max(steps);
            member.derivatives[pair.direction] = derivatives[lane];
        }
    }
    let unrolled = |member: Forward| Unrolled {
        w: member.w,
        progress: member.progress,
        sums: Some(family.of_directions(&member.derivatives)),
    };
    Ok(found.into_iter().flatten().map(unrolled).collect())
}

type ForwardChunk<R, U> = (WorkspaceOf<R, U>, Vec<Progress>, Vec<f64>);

/// The pairs of one run, how each ended, and ∂₁Eᵀẇ of each.
fn forward_chunk<R: Twinned, U: Unrollable<R>>(
    family: &U,
    pairs: &[Pair],
    unrolling: &Unrolling<'_>,
) -> Result<ForwardChunk<R, U>> {
    let (rule, control) = (unrolling.rule, unrolling.control);
    let members: Vec<usize> = pairs.iter().map(|pair| pair.member).collect();
    let directions: Vec<usize> = pairs.iter().map(|pair| pair.direction).collect();
    let mut workspace = family.workspace(&members)?;
    family.set_tangents(&mut workspace, &directions);
    let scales = family.scales(&mut workspace, &members)?;
    // The stop rule sees a residual that is relative already.
    let ones = vec![R::one(); pairs.len()];
    let stop = workspace.stop(rule, &ones);
    let w_scale = workspace.executor.allocate(Scope::PerProblem, 1);
    workspace.executor.upload(w_scale, &scales);
    let map = &workspace.map;
    let iteration = TangentPicard::new(&mut workspace.executor, map, &stop, workspace.w, w_scale);
    let tangent = iteration.tangent;
    let mut progress = drive(&mut workspace.executor, &iteration, &stop, control)?;
    let left = steps_left(pairs, &progress);
    if left.iter().any(|&steps| steps > 0) {
        let rest =
            crate::iterate::Stop::new(&mut workspace.executor, StopRule::exactly(rule.max_steps));
        rest.reset(&mut workspace.executor);
        rest.limit_each(&mut workspace.executor, &left);
        workspace.executor.upload(rest.scale, &ones);
        let iteration = iteration.under(&rest);
        let continued = drive(&mut workspace.executor, &iteration, &rest, control)?;
        for (progress, continued) in progress.iter_mut().zip(continued) {
            progress.steps += continued.steps;
            if continued.status == Status::NonFinite {
                progress.status = continued.status;
            }
        }
    }
    workspace.linearize()?;
    let gradients = workspace.executor.download(workspace.criterion_gradient)?;
    let tangents = workspace.executor.download(tangent)?;
    let p = workspace.coordinates();
    let derivatives = gradients
        .chunks_exact(p)
        .zip(tangents.chunks_exact(p))
        .map(|(e, t)| e.iter().zip(t).map(|(&e, &t)| Real::to_f64(e * t)).sum())
        .collect();
    Ok((workspace, progress, derivatives))
}

/// The steps that every pair is behind the one of its member that took most.
///
/// The pairs of a member run the same iteration, each until its own derivative is at rest. All stop
/// at the same w, so that its status applies to each derivative.
fn steps_left(pairs: &[Pair], progress: &[Progress]) -> Vec<usize> {
    let mut most: BTreeMap<usize, usize> = BTreeMap::new();
    for (pair, progress) in pairs.iter().zip(progress) {
        let most = most.entry(pair.member).or_default();
        *most = progress.steps.max(*most);
    }
    let behind = |(pair, progress): (&Pair, &Progress)| {
        if progress.status == Status::NonFinite {
            0
        } else {
            most[&pair.member] - progress.steps
        }
    };
    pairs.iter().zip(progress).map(behind).collect()
}

/// A run of reverse ITD of one member.
struct Reverse<S> {
    unrolled: Unrolled<S>,
    /// The rest of α at the first step, relative to ∂₁E.
    left: f64,
}

/// ITD of all members, reverse, until the derivative has converged too: where w came to rest before
/// its derivative did, the iteration is continued to twice as many steps or more.
///
/// # Errors
/// When the executor fails.
pub fn reverse<R: Twinned, U: Unrollable<R>>(
    family: &U,
    members: usize,
    unrolling: &Unrolling<'_>,
) -> Result<Vec<Unrolled<U::Sums>>> {
    let (rule, control) = (unrolling.rule, unrolling.control);
    let mut unsettled: Vec<usize> = (0..members).collect();
    let mut runs = reverse_all(family, &unsettled, rule, unrolling)?;
    let floor = unrolling.floor.unwrap_or(f64::INFINITY);
    loop {
        unsettled.retain(|&at| {
            let progress = &runs[at].unrolled.progress;
            progress.status == Status::Converged
                && runs[at].left > floor
                && progress.steps < rule.max_steps
        });
        if unsettled.is_empty() || control.should_stop() {
            break;
        }
        // A power of two of each member's own: its steps must not depend on its neighbours.
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for &at in &unsettled {
            let steps = 2 * runs[at].unrolled.progress.steps.next_power_of_two();
            let group = groups.entry(steps.min(rule.max_steps)).or_default();
            group.push(at);
        }
        for (steps, group) in groups {
            let longer = StopRule::exactly(steps);
            let continued = reverse_all(family, &group, longer, unrolling)?;
            for (&at, mut run) in group.iter().zip(continued) {
                // A run that was not continued would not be the next time either.
                if run.unrolled.progress.steps <= runs[at].unrolled.progress.steps {
                    unsettled.retain(|&other| other != at);
                }
                // w was at rest before, and a continuation takes as many steps as it is given.
                let status = &mut run.unrolled.progress.status;
                if *status == Status::BudgetSpent && !control.should_stop() {
                    *status = Status::Converged;
                }
                runs[at] = run;
            }
        }
    }
    let finish = |mut run: Reverse<U::Sums>| {
        if run.left > floor {
            let status = &mut run.unrolled.progress.status;
            *status = status.worse(Status::BudgetSpent);
        }
        run.unrolled
    };
    Ok(runs.into_iter().map(finish).collect())
}

/// One run of some members, in chunks.
fn reverse_all<R: Twinned, U: Unrollable<R>>(
    family: &U,
    members: &[usize],
    rule: StopRule,
    unrolling: &Unrolling<'_>,
) -> Result<Vec<Reverse<U::Sums>>> {
    let mut runs = Vec::with_capacity(members.len());
    for chunk in members.chunks(unrolling.members) {
        runs.extend(reverse_chunk(family, chunk, rule, unrolling)?);
    }
    Ok(runs)
}

/// A trajectory, as it is kept.
enum Trace {
    /// Pieces of the prox, packed; the segments' words are on the host.
    Pieces {
        ring: WordBuf,
        segments: Vec<Vec<u32>>,
    },
    /// Iterates; the segments' first ones are on the host.
    Iterates { ring: Buf, starts: Vec<Vec<f64>> },
}

fn reverse_chunk<R: Twinned, U: Unrollable<R>>(
    family: &U,
    members: &[usize],
    rule: StopRule,
    unrolling: &Unrolling<'_>,
) -> Result<Vec<Reverse<U::Sums>>> {
    let mut workspace = family.workspace(members)?;
    family.allocate_sums(&mut workspace);
    let scales = family.scales(&mut workspace, members)?;
    let stop = workspace.stop(rule, &scales);
    let executor = &mut workspace.executor;
    let counter = executor.allocate_words(Scope::PerProblem, 1);
    let p = workspace.map.coordinates();
    let mut trace = match family.piece_words(&workspace.map) {
        Some(words) => Trace::Pieces {
            ring: executor.allocate_words(Scope::PerProblem, SEGMENT * words),
            segments: Vec::new(),
        },
        None => Trace::Iterates {
            ring: executor.allocate(Scope::PerProblem, SEGMENT * p),
            starts: Vec::new(),
        },
    };

    // Forwards, a segment at a time.
    let mut step = Recording::new();
    let (w, next) = (workspace.w, workspace.next);
    workspace.map.apply(&mut step, w, next);
    if let Trace::Pieces { ring, .. } = &trace {
        family.record_pieces(&mut step, &workspace.map, counter, *ring);
    }
    let inputs = [next.into(), w.into(), workspace.map.gamma().into()];
    step.dispatch(&DISTANCE, &inputs, &[stop.residual.into()], &[p]);
    let inputs = [next.into(), stop.active.into()];
    step.dispatch(&SELECT, &inputs, &[w.into()], &[p]);
    stop.record(&mut step);
    step.dispatch(&ADVANCE, &[], &[counter.into()], &[]);
    loop {
        if let Trace::Iterates { starts, .. } = &mut trace {
            starts.push(widen(&workspace.executor.download(w)?));
        }
        workspace.executor.run(&step, SEGMENT)?;
        if let Trace::Pieces { ring, segments } = &mut trace {
            segments.push(workspace.executor.download_words(*ring)?);
        }
        let active = workspace.executor.download_words(stop.active)?;
        if active.iter().all(|&flag| flag == 0) || unrolling.control.should_stop() {
            break;
        }
    }
    let progress = stop.progress(&workspace.executor)?;
    let solution = workspace.vectors(w)?;

    // Backwards from α = ∂₁E at w_T.
    workspace.linearize()?;
    let gradient = workspace.executor.download(workspace.criterion_gradient)?;
    workspace.executor.upload(workspace.v, &gradient);
    let truncate = unrolling.truncate;
    let window = Backwards::new(&mut workspace.executor, p, &progress, truncate, counter);
    let complete = walk_back(family, &mut workspace, &window, &trace, unrolling.control)?;
    let left = norms(&workspace.executor.download(workspace.v)?, p);
    let total = norms(&gradient, p);
    let sums = family.sums(&workspace)?;
    let finish = |(at, (sums, w)): (usize, (U::Sums, Vec<f64>))| {
        let mut progress = progress[at];
        if !complete {
            progress.status = progress.status.worse(Status::BudgetSpent);
        }
        Reverse {
            unrolled: Unrolled {
                w,
                progress,
                sums: complete.then_some(sums),
            },
            left: Real::to_f64(left[at]) / Real::to_f64(total[at]).max(f64::MIN_POSITIVE),
        }
    };
    Ok(sums
        .into_iter()
        .zip(solution)
        .enumerate()
        .map(finish)
        .collect())
}

/// Takes α in the workspace's v back through a trajectory; false where the control stopped it.
fn walk_back<R: Twinned, U: Unrollable<R>>(
    family: &U,
    workspace: &mut WorkspaceOf<R, U>,
    window: &Backwards,
    trace: &Trace,
    control: &Control,
) -> Result<bool> {
    let (w, next, alpha) = (workspace.w, workspace.next, workspace.v);
    let mut back = Recording::new();
    match trace {
        Trace::Pieces { ring, segments } => {
            family.record_pieces_back(&mut back, &workspace.map, window, alpha, *ring);
            for (index, words) in segments.iter().enumerate().rev() {
                if control.should_stop() {
                    return Ok(false);
                }
                workspace.executor.upload_words(*ring, words);
                window.set_counter(&mut workspace.executor, (index + 1) * SEGMENT);
                workspace.executor.run(&back, SEGMENT)?;
            }
        }
        Trace::Iterates { ring, starts } => {
            let mut replay = Recording::new();
            let iterate = Iterate {
                w,
                next,
                counter: window.counter,
            };
            record_replay(&mut replay, &workspace.map, &iterate, *ring);
            let adjoint = Adjoint {
                w,
                alpha,
                zero: workspace.zero,
                one: workspace.one,
            };
            window.record_iterates(&mut back, &workspace.map, *ring, &adjoint);
            for (index, start) in starts.iter().enumerate().rev() {
                if control.should_stop() {
                    return Ok(false);
                }
                workspace.set_solution(start);
                window.set_counter(&mut workspace.executor, index * SEGMENT);
                workspace.executor.run(&replay, SEGMENT)?;
                workspace.executor.run(&back, SEGMENT)?;
            }
        }
    }
    Ok(true)
}

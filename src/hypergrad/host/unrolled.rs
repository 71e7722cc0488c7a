//! Iterative differentiation of a user's map: the same iterations as for every other map, over
//! [`HostedMap`](crate::map::host::HostedMap).

use std::collections::BTreeMap;

use super::{
    Differentiated, HostCriterion, HostProblem, HostSettings, HostStage, NOT_SOLVED, WarmStart,
};
use crate::control::Control;
use crate::engine::recorded::backwards::{Adjoint, Backwards, SEGMENT, record_replay};
use crate::engine::recorded::workspace::norms;
use crate::error::Result;
use crate::exec::{Executor, Recording, Scope};
use crate::iterate::picard::Picard;
use crate::iterate::tangent::TangentPicard;
use crate::iterate::{Iteration, Progress, StopRule, drive};
use crate::kernel::sampled::ADVANCE;
use crate::kinds::Status;
use crate::map::host::HostMap;

/// Numbers that the problems of a run may hold together.
const ROOM: usize = 1 << 25;

/// What is left of α at the first step, relative to ∂₁E, below which further steps change nothing
/// that the arithmetic could show.
const ADJOINT_FLOOR: f64 = 1e-14;

/// An outcome of a run of reverse ITD, and what is left of α at its first step.
type Walked = (Differentiated, f64);

impl<M: HostMap + ?Sized + 'static, C: HostCriterion> HostProblem<M, C> {
    /// Forward ITD: a problem of the executor for every pair of a λ and one of its entries.
    pub(super) fn forward(
        &self,
        hyperparameters: &[Vec<f64>],
        settings: &HostSettings,
        warm: Option<&[WarmStart]>,
        control: &Control,
    ) -> Result<Vec<Differentiated>> {
        let (p, m) = (self.map.coordinates(), self.map.hyperparameters());
        let lanes: Vec<(usize, usize)> = (0..hyperparameters.len())
            .flat_map(|problem| (0..m).map(move |entry| (problem, entry)))
            .collect();
        let mut outcomes: Vec<Option<Differentiated>> = Vec::new();
        outcomes.resize_with(hyperparameters.len(), || None);
        for chunk in lanes.chunks((ROOM / (8 * (p + m))).max(1)) {
            let lambdas: Vec<Vec<f64>> = chunk
                .iter()
                .map(|&(problem, _)| hyperparameters[problem].clone())
                .collect();
            let starts =
                warm.map(|warm| chunk.iter().map(|&(problem, _)| &warm[problem]).collect());
            let mut stage = HostStage::new(&self.map, lambdas.iter(), starts);
            let mut directions = vec![0.0; chunk.len() * m];
            for (row, &(_, entry)) in directions.chunks_exact_mut(m).zip(chunk) {
                row[entry] = 1.0;
            }
            stage.executor.upload(stage.map.tangents, &directions);
            let scales = stage.scales()?;
            let w_scale = stage.executor.allocate(Scope::PerProblem, 1);
            stage.executor.upload(w_scale, &scales);
            let stop = stage.stop(settings.rule(), &vec![1.0; chunk.len()]);
            let iteration =
                TangentPicard::new(&mut stage.executor, &stage.map, &stop, stage.w, w_scale);
            let tangent = iteration.tangent;
            let progress = drive(&mut stage.executor, &iteration, &stop, control)?;
            let residuals = stage.residuals()?;
            let w = stage.executor.download(stage.w)?;
            let tangents = stage.executor.download(tangent)?;
            let gradients = self.criterion_gradients(&lambdas, &w);
            for (lane, &(problem, entry)) in chunk.iter().enumerate() {
                let range = lane * p..(lane + 1) * p;
                let outcome = outcomes[problem].get_or_insert_with(|| Differentiated {
                    w: w[range.clone()].to_vec(),
                    v: Vec::new(),
                    through_w: vec![0.0; m],
                    progress: progress[lane],
                    linear: NOT_SOLVED,
                    residual: residuals[lane],
                    linear_residual: None,
                });
                let so_far = &mut outcome.progress;
                so_far.status = so_far.status.worse(progress[lane].status);
                so_far.steps = so_far.steps.max(progress[lane].steps);
                outcome.through_w[entry] = gradients[range.clone()]
                    .iter()
                    .zip(&tangents[range])
                    .map(|(e, t)| e * t)
                    .sum();
            }
        }
        Ok(outcomes.into_iter().flatten().collect())
    }

    /// Reverse ITD, until the derivative has converged too: where w came to rest before its
    /// derivative did, as from a good warm start, the iteration is continued to twice as many
    /// steps.
    pub(super) fn reverse(
        &self,
        hyperparameters: &[Vec<f64>],
        settings: &HostSettings,
        warm: Option<&[WarmStart]>,
        control: &Control,
    ) -> Result<Vec<Differentiated>> {
        let mut walked = self.walk(hyperparameters, settings.rule(), warm, control)?;
        let exactly = settings.tolerance == Some(0.0);
        let floor = settings.tolerance.unwrap_or(0.0).max(ADJOINT_FLOOR);
        let unsettled = |(outcome, left): &Walked| {
            !exactly && outcome.progress.status == Status::Converged && *left > floor
        };
        while !control.should_stop() {
            // To a power of two of each problem's own steps, which must not depend on its neighbours.
            let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
            for (at, run) in walked.iter().enumerate() {
                let steps = run.0.progress.steps;
                if unsettled(run) && steps < settings.max_steps {
                    let longer = (2 * steps.next_power_of_two()).min(settings.max_steps);
                    groups.entry(longer).or_default().push(at);
                }
            }
            if groups.is_empty() {
                break;
            }
            for (steps, again) in groups {
                let longer = StopRule {
                    tolerance: Some(0.0),
                    max_steps: steps,
                };
                let lambdas: Vec<Vec<f64>> = again
                    .iter()
                    .map(|&at| hyperparameters[at].clone())
                    .collect();
                let starts: Option<Vec<WarmStart>> =
                    warm.map(|warm| again.iter().map(|&at| warm[at].clone()).collect());
                let continued = self.walk(&lambdas, longer, starts.as_deref(), control)?;
                for (&at, mut outcome) in again.iter().zip(continued) {
                    // w had converged already; it only moved closer.
                    let status = &mut outcome.0.progress.status;
                    if *status == Status::BudgetSpent && !control.should_stop() {
                        *status = Status::Converged;
                    }
                    walked[at] = outcome;
                }
            }
        }
        for run in &mut walked {
            if unsettled(run) {
                run.0.progress.status = Status::BudgetSpent;
            }
        }
        Ok(walked.into_iter().map(|(outcome, _)| outcome).collect())
    }

    /// There and back again, in runs of as many problems as there is room for.
    fn walk(
        &self,
        hyperparameters: &[Vec<f64>],
        rule: StopRule,
        warm: Option<&[WarmStart]>,
        control: &Control,
    ) -> Result<Vec<Walked>> {
        let together = (ROOM / (SEGMENT * self.map.coordinates())).max(1);
        let mut walked = Vec::with_capacity(hyperparameters.len());
        for (at, chunk) in hyperparameters.chunks(together).enumerate() {
            let starts = warm.map(|warm| {
                warm[at * together..at * together + chunk.len()]
                    .iter()
                    .collect()
            });
            let stage = HostStage::new(&self.map, chunk.iter(), starts);
            walked.extend(self.walk_stage(stage, chunk, rule, control)?);
        }
        Ok(walked)
    }

    fn walk_stage(
        &self,
        mut stage: HostStage<M>,
        hyperparameters: &[Vec<f64>],
        rule: StopRule,
        control: &Control,
    ) -> Result<Vec<Walked>> {
        let p = stage.coordinates();
        let scales = stage.scales()?;
        let stop = stage.stop(rule, &scales);
        let counter = stage.executor.allocate_words(Scope::PerProblem, 1);

        // Forwards, keeping the first iterate of every segment.
        let picard = Picard::new(&mut stage.executor, &stage.map, &stop, stage.w);
        let mut step = Recording::new();
        picard.step(&mut step);
        step.dispatch(&ADVANCE, &[], &[counter.into()], &[]);
        let mut starts = Vec::new();
        let mut running = true;
        while running && !control.should_stop() {
            starts.push(stage.executor.download(stage.w)?);
            stage.executor.run(&step, SEGMENT)?;
            let active = stage.executor.download_words(stop.active)?;
            running = active.iter().any(|&flag| flag != 0);
        }
        let progress: Vec<Progress> = stop.progress(&stage.executor)?;
        let residuals = stage.residuals()?;
        let w = stage.executor.download(stage.w)?;

        // Backwards from α = ∂₁E at w_T, every segment computed anew.
        let gradients = self.criterion_gradients(hyperparameters, &w);
        let mut room = |rows: usize| stage.executor.allocate(Scope::PerProblem, rows);
        let (alpha, ring) = (room(p), room(SEGMENT * p));
        stage.executor.upload(alpha, &gradients);
        let window = Backwards::new(&mut stage.executor, p, &progress, None, counter);
        let mut replay = Recording::new();
        record_replay(
            &mut replay,
            &stage.map,
            (stage.w, stage.next),
            counter,
            ring,
        );
        let mut back = Recording::new();
        let adjoint = Adjoint {
            w: stage.w,
            alpha,
            zero: stage.map.zero,
            one: stage.map.one,
        };
        window.record_iterates(&mut back, &stage.map, ring, &adjoint);
        for (segment, start) in starts.iter().enumerate().rev() {
            stage.executor.upload(stage.w, start);
            window.set_counter(&mut stage.executor, segment * SEGMENT);
            stage.executor.run(&replay, SEGMENT)?;
            stage.executor.run(&back, SEGMENT)?;
        }
        let left = norms(&stage.executor.download(alpha)?, p);
        let total = norms(&gradients, p);
        let sums = stage.executor.download(stage.map.sums)?;
        let m = self.map.hyperparameters();
        Ok((0..hyperparameters.len())
            .map(|at| {
                let outcome = Differentiated {
                    w: w[at * p..(at + 1) * p].to_vec(),
                    v: Vec::new(),
                    through_w: sums[at * m..(at + 1) * m].to_vec(),
                    progress: progress[at],
                    linear: NOT_SOLVED,
                    residual: residuals[at],
                    linear_residual: None,
                };
                (outcome, left[at] / total[at].max(f64::MIN_POSITIVE))
            })
            .collect())
    }
}

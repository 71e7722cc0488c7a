//! NSID and SID on the CPU at the price of a minibatch's rows.
//!
//! ```text
//! ū ← (1/J) Σ_j T̂(w, ξ_j) ,  D ← ∂₁G(ū) ,  v ← 0
//! v ← (1 − η_i) v + η_i ( ∂₁T̂(w, ξ'_i)ᵀ D v + ∂₁E )                                  NSID
//! ∂₂G(ū)ᵀv + [ (1/J) Σ_j ∂₂T̂(w, ξ_j) ]ᵀ D v                                          result
//! ```
//!
//! SID takes D at every minibatch's own u instead, and averages ∂₂Φ̂ᵀv over J minibatches.
//!
//! All requests of a seed share their minibatches, so that a step is two matrix products: its rows
//! times the columns D v of all of them, and back. Requests that also share solution, D and
//! schedule are one column, read at several steps. The recordings compute the same estimator
//! on any device; here nothing is padded, residuals and curvatures at w are formed once, and the
//! outer map must act coordinate by coordinate.

use rayon::prelude::*;

use crate::control::Control;
use crate::engine::accumulator::Accumulator;
use crate::engine::outcome::Hypergradient;
use crate::engine::settings::MinibatchSteps;
use crate::error::{Error, Result};
use crate::kinds::Wrt;
use crate::map::minibatch::Draws;
use crate::problem::Problem;
use crate::real::{Real, widen};

pub mod adjoint;
mod derivative;
mod request;
mod rows;
mod sampler;

use derivative::Derivative;
use request::{Frozen, interrupted};
use rows::{Linearization, Rows};

pub use request::{At, Estimate, Request, Sampling};
use sampler::{Column, Sampler};

/// Columns that are sampled together: wide products, and a working set that stays in the cache.
const COLUMNS: usize = 256;

/// Computes every request and hands each result to `finish`, which keeps of it what it wants.
///
/// Results are in the order of `requests`. Runs in the caller's thread pool; the same bits come
/// out for any number of threads.
///
/// # Errors
/// [`Error::Unsupported`] for sparse data, quadratic forms and group penalties (use an
/// `Evaluator`); [`Error::Interrupted`] when `control` stops; [`Error::Value`] and
/// [`Error::Shape`] for solutions and requests that do not fit.
pub fn minibatch<R: Real, T: Send>(
    problem: &Problem,
    solutions: &[At<'_>],
    requests: &[Request],
    sampling: &Sampling,
    control: &Control,
    finish: impl Fn(usize, Hypergradient) -> T + Sync,
) -> Result<Vec<T>> {
    let whole = |at: usize, estimate: Estimate| {
        let is_whole = estimate.steps == requests[at].steps;
        is_whole.then(|| finish(at, estimate.hypergradient))
    };
    let found = estimate::<R, _>(problem, solutions, requests, sampling, control, whole)?;
    found
        .into_iter()
        .collect::<Option<_>>()
        .ok_or_else(interrupted)
}

/// The same, where an interruption leaves estimates of fewer steps.
fn estimate<R: Real, T: Send>(
    problem: &Problem,
    solutions: &[At<'_>],
    requests: &[Request],
    sampling: &Sampling,
    control: &Control,
    finish: impl Fn(usize, Estimate) -> T + Sync,
) -> Result<Vec<T>> {
    let rows = Rows::new(problem)?;
    if problem.penalty.groups().is_some() {
        return Err(Error::unsupported(
            "fast minibatches of the group penalty",
            "use evaluate with the method nsid or sid",
        ));
    }
    check(problem, solutions, requests, sampling)?;
    let linearizations = rows.linearize::<R>(solutions);
    let mut seeds: Vec<u64> = requests.iter().map(|request| request.seed).collect();
    seeds.sort_unstable();
    seeds.dedup();
    let results: Vec<Vec<(usize, T)>> = seeds
        .par_iter()
        .map(|&seed| {
            let wanted = (0..requests.len())
                .filter(|&at| requests[at].seed == seed)
                .collect();
            let group = Group {
                rows: &rows,
                linearizations: &linearizations,
                requests,
                sampling,
                control,
                seed,
            };
            group.run(wanted, &finish)
        })
        .collect::<Result<_>>()?;
    let mut results: Vec<(usize, T)> = results.into_iter().flatten().collect();
    results.sort_unstable_by_key(|&(at, _)| at);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

/// −γ ∂₂(∇loss)ᵀz over all rows, in f64: the derivatives in sample weights and perturbation that
/// belong to an adjoint z = Dv of a caller's.
///
/// # Errors
/// [`Error::Unsupported`] for sparse data and quadratic forms, [`Error::Shape`] for vectors that do
/// not have p coordinates.
pub fn row_derivatives(
    problem: &Problem,
    at: At<'_>,
    z: &[f64],
    wrt: &[Wrt],
) -> Result<Hypergradient> {
    let rows = Rows::new(problem)?;
    if z.len() != problem.coordinates() {
        return Err(Error::shape(
            "adjoint",
            format!("{} coordinates", problem.coordinates()),
            z.len().to_string(),
            "give one value per scaled coefficient, intercepts last",
        ));
    }
    check(problem, &[at], &[], &Sampling::of_rows(rows.n))?;
    let linearization = &rows.linearize::<f64>(&[at])[0];
    let derivative = Derivative {
        rows: &rows,
        linearization,
        wrt,
    };
    let mut sums = Accumulator::zeros(problem, wrt);
    let share = (rows.n as f64).recip();
    let all: Vec<(u32, f64)> = (0..rows.n as u32).map(|i| (i, share)).collect();
    derivative.add_rows(z, &all, &mut sums);
    Ok(sums.finish(problem, wrt, at.point.target, Some(at.w)))
}

fn check(
    problem: &Problem,
    solutions: &[At<'_>],
    requests: &[Request],
    sampling: &Sampling,
) -> Result<()> {
    let p = problem.coordinates();
    solutions
        .iter()
        .try_for_each(|at| problem.check_points(std::slice::from_ref(at.point)))?;
    if let Some(at) = solutions.iter().find(|at| at.w.len() != p) {
        return Err(Error::shape(
            "solution",
            format!("{p} coordinates"),
            at.w.len().to_string(),
            "give scaled coefficients, intercepts last",
        ));
    }
    let fits = |request: &Request| {
        request.at < solutions.len()
            && request.freeze > 0
            && match request.schedule {
                MinibatchSteps::Constant { eta } => eta > 0.0 && eta.is_finite(),
                MinibatchSteps::Decreasing { multiplier, shift } => {
                    let contracts = solutions[request.at].step.contraction < 1.0;
                    multiplier > 0.0 && shift > 0.0 && shift.is_finite() && contracts
                }
            }
    };
    if sampling.batch == 0 || !requests.iter().all(fits) {
        return Err(Error::value(
            "stochastic hypergradient",
            "a request without solution, rows, freezing draws, positive steps or contraction",
            "name a solution, at least 1 row and 1 draw; with decreasing steps choose l2 > 0",
        ));
    }
    Ok(())
}

/// The requests of one seed.
struct Group<'a, 'p, R> {
    rows: &'a Rows<'p>,
    linearizations: &'a [Linearization<'p, R>],
    requests: &'a [Request],
    sampling: &'a Sampling,
    control: &'a Control,
    seed: u64,
}

impl<'a, 'p, R: Real> Group<'a, 'p, R> {
    fn draws(&self, stream: u64) -> Draws {
        let batch = self.sampling.batch.min(self.rows.n);
        Draws::new(
            self.seed,
            stream,
            self.rows.n,
            batch,
            self.sampling.independent,
        )
    }

    fn run<T: Send>(
        &self,
        wanted: Vec<usize>,
        finish: &(impl Fn(usize, Estimate) -> T + Sync),
    ) -> Result<Vec<(usize, T)>> {
        let frozen = if self.sampling.frozen {
            self.freeze(&wanted)?
        } else {
            Vec::new()
        };
        let columns = self.columns(&wanted, &frozen);
        let together = (COLUMNS / self.rows.c).max(1);
        let finished: Vec<Vec<(usize, T)>> = columns
            .par_chunks(together)
            .map(|columns| {
                let sampler = Sampler::new(
                    self.rows,
                    self.linearizations,
                    columns,
                    self.sampling.frozen,
                );
                let (snapshots, taken) = sampler.run(self.draws(0), self.control);
                self.finish(columns, &frozen, &snapshots, taken, finish)
            })
            .collect::<Result<_>>()?;
        Ok(finished.into_iter().flatten().collect())
    }

    /// The counts of every row in J minibatches, and D at ū, for every distinct (solution, J).
    fn freeze(&self, wanted: &[usize]) -> Result<Vec<Frozen<'a, 'p>>> {
        let mut pairs: Vec<(usize, usize)> = wanted
            .iter()
            .map(|&at| (self.requests[at].freeze, self.requests[at].at))
            .collect();
        pairs.sort_unstable();
        pairs.dedup();
        let mut draws = self.draws(1);
        let mut counts = vec![0.0; self.rows.n];
        let mut drawn = 0;
        let mut all: Vec<(usize, Vec<f64>)> = Vec::new();
        for &(freeze, _) in &pairs {
            if all.last().is_some_and(|last| last.0 == freeze) {
                continue;
            }
            while drawn < freeze {
                if drawn % 256 == 255 && self.control.should_stop() {
                    return Err(interrupted());
                }
                draws
                    .rows(drawn)
                    .iter()
                    .for_each(|&i| counts[i as usize] += 1.0);
                drawn += 1;
            }
            all.push((freeze, counts.clone()));
        }
        let batch = draws.batch();
        Ok(pairs
            .par_iter()
            .map(|&(freeze, at)| {
                // infallible: every freeze of `pairs` was counted above.
                let place = all.partition_point(|&(other, _)| other < freeze);
                let counts = &all[place].1;
                let total = (batch * freeze) as f64;
                let linearization = &self.linearizations[at];
                let gradient = self.rows.averaged_gradient(linearization, counts, total);
                Frozen {
                    at,
                    freeze,
                    counts: counts.clone(),
                    total,
                    outer: Rows::outer(linearization, &gradient),
                }
            })
            .collect())
    }

    /// Requests that share one column, because nothing that decides its course differs; the longest first.
    fn columns(&self, wanted: &[usize], frozen: &[Frozen<'_, '_>]) -> Vec<Column> {
        let mut columns: Vec<Column> = Vec::new();
        for &request in wanted {
            let Request {
                at,
                steps,
                freeze,
                schedule,
                ..
            } = self.requests[request];
            let found = frozen.iter().position(|f| f.at == at && f.freeze == freeze);
            let mask = found.map(|found| &frozen[found].outer.keeps);
            let same = |column: &&mut Column| {
                column.at == at && column.schedule == schedule && column.mask.as_ref() == mask
            };
            let stop = (steps, request, found);
            match columns.iter_mut().find(same) {
                Some(column) => column.stops.push(stop),
                None => columns.push(Column {
                    at,
                    schedule,
                    mask: mask.cloned(),
                    stops: vec![stop],
                }),
            }
        }
        for column in &mut columns {
            column.stops.sort_unstable();
        }
        columns.sort_by_key(|column| std::cmp::Reverse(column.last()));
        columns
    }

    /// From every v to its hypergradient.
    fn finish<T: Send>(
        &self,
        columns: &[Column],
        frozen: &[Frozen<'_, '_>],
        snapshots: &[Vec<Vec<R>>],
        taken: usize,
        finish: &(impl Fn(usize, Estimate) -> T + Sync),
    ) -> Result<Vec<(usize, T)>> {
        let problem = self.rows.problem;
        let mut finished = Vec::new();
        let hand_out = |at: &Linearization<R>, request: usize, sums: Accumulator, v: &[R]| {
            let estimate = Estimate {
                hypergradient: sums.finish(
                    problem,
                    &self.sampling.wrt,
                    at.point.target,
                    Some(&at.w),
                ),
                v: widen(v),
                steps: taken.min(self.requests[request].steps),
            };
            let result = finish(request, estimate);
            self.control.report_finished(1);
            (request, result)
        };
        for (column, snapshots) in columns.iter().zip(snapshots) {
            let at = &self.linearizations[column.at];
            let derivative = Derivative {
                rows: self.rows,
                linearization: at,
                wrt: &self.sampling.wrt,
            };
            if column.mask.is_some() {
                let results = column.stops.par_iter().zip(snapshots).map(|(stop, v)| {
                    let mut sums = Accumulator::zeros(problem, &self.sampling.wrt);
                    if let Some(frozen) = stop.2.map(|at| &frozen[at]) {
                        derivative.averaged(v, frozen, &mut sums);
                    }
                    hand_out(at, stop.1, sums, v)
                });
                finished.extend(results.collect::<Vec<_>>());
            } else {
                let stops: Vec<(usize, usize)> = column
                    .stops
                    .iter()
                    .map(|&(_, request, _)| (request, self.requests[request].freeze))
                    .collect();
                let freezes: Vec<usize> = stops.iter().map(|stop| stop.1).collect();
                let sums = derivative.sampled(snapshots, &freezes, self.draws(1), self.control)?;
                for (((request, _), sums), v) in stops.into_iter().zip(sums).zip(snapshots) {
                    finished.push(hand_out(at, request, sums, v));
                }
            }
        }
        Ok(finished)
    }
}

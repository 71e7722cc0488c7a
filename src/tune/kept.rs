//! Evaluations that are kept: what a tuning was told before is not computed again.
//!
//! A search is deterministic, and so is what it asks for. A batch of points on one fold is kept under a key of
//! everything that decides its result: the tuning's study, the fold, the device, the bits of all points, and those of
//! the solutions that it starts from. A tuning that begins again asks for the same batches, is answered from what is
//! kept as far as that goes, and goes on from there to the same bits.

use std::fmt::Debug;
use std::hash::Hasher;
use std::time::{Duration, Instant};

use rayon::prelude::*;
use serde_json::{Map, Value, json};
use xxhash_rust::xxh3::Xxh3Default;

use super::chosen::Chosen;
use super::groups::Groups;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::hypergrad::WarmStart;
use crate::sweep::record::{pack, unpack};
use crate::sweep::study::hash_values;

/// The pause between two questions for what another process computes.
const PAUSE: Duration = Duration::from_millis(5);
/// The longest wait for another process, which may itself wait for this one: after it a batch is computed here
/// too. Its bits are the same.
const PATIENCE: Duration = Duration::from_secs(20);

/// The part of a tuning that is all of it.
pub(super) const WHOLE: &str = "whole";

/// A batch of points on one fold, which is kept as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// A hash of everything that decides its result, as hexadecimal digits.
    pub key: String,
    /// The part of the tuning that asks for it: `whole`, or `outer fold 1` and so on of the guard's nested folds.
    pub part: String,
    /// The fold of that part, from 0; of meta-learning the group of tasks.
    pub fold: usize,
    /// The hyperparameters of its points: a JSON array with an object for each.
    pub points: String,
    /// The device that computes.
    pub device: String,
}

/// The result of a batch, for a place that keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchResult {
    /// The criterion of every point on the fold: a JSON array, with null where there is none. Of a group of tasks
    /// it is the sum over them, divided by the number of all tasks.
    pub criteria: String,
    /// All of it.
    pub bytes: Vec<u8>,
    /// Seconds of work.
    pub seconds: f64,
}

/// An answer to who asks for a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchClaim {
    /// The bytes of its result.
    Known(Vec<u8>),
    /// It is this process's to do.
    Own,
    /// Another process does it.
    Elsewhere,
}

/// A place that keeps the evaluations of one tuning, and shares them among processes.
pub trait EvaluationStore: Debug + Sync {
    /// Leases a batch to this process, unless its result is known or another process has it.
    ///
    /// # Errors
    /// Where the place cannot be read or written, and for a result that is not what was kept.
    fn claim(&self, batch: &Batch) -> Result<BatchClaim>;

    /// Keeps the result of a batch.
    ///
    /// # Errors
    /// Where the place cannot be written.
    fn keep(&self, batch: &Batch, result: &BatchResult) -> Result<()>;

    /// Gives back a batch that was leased and is not done.
    ///
    /// # Errors
    /// Where the place cannot be written.
    fn give_back(&self, batch: &Batch) -> Result<()>;

    /// Gives back all that this process has leased and not done.
    ///
    /// # Errors
    /// Where the place cannot be written.
    fn release(&self) -> Result<()> {
        Ok(())
    }

    /// Whether what is kept is still where it was: a file that is deleted or replaced meanwhile is written to all
    /// the same, and lost at the end.
    fn is_in_place(&self) -> bool {
        true
    }

    /// The error of a result that cannot be read.
    fn unreadable(&self, batch: &Batch) -> Error;
}

/// The part of an outcome that a tuning uses: that of one point on one fold.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OnFold {
    pub(super) is_solved: bool,
    pub(super) criterion: f64,
    /// ∂E/∂ log λ of every variable; `None` without a derivative.
    pub(super) slope: Option<Vec<f64>>,
    pub(super) warm: WarmStart,
    pub(super) kink_margin: Option<f64>,
    /// The warning of coefficients that are not unique.
    pub(super) not_unique: Option<String>,
}

/// The points of a batch and the solutions that they start from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    /// The variables that slopes are in.
    pub(super) variables: &'a str,
    pub(super) points: &'a [Chosen],
    pub(super) starts: Starts<'a>,
    /// The tasks whose groups the folds are, for which a fold has the results of every point on every one of its
    /// tasks, task by task; `None` where a fold is one problem.
    pub(super) tasks: Option<Groups>,
}

/// The solutions that points start from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Starts<'a> {
    /// None: points are along paths from zero.
    FromZero,
    /// For each point one on every fold.
    OfPoints(&'a [&'a [WarmStart]]),
    /// For one point one of every task.
    OfTasks(&'a [WarmStart]),
}

impl<'a> Starts<'a> {
    /// Those of points, where there are some.
    pub(super) fn of_points(warm: Option<&'a [&'a [WarmStart]]>) -> Self {
        warm.map_or(Self::FromZero, Self::OfPoints)
    }
}

impl<'a> Request<'a> {
    /// The starts on a fold.
    fn starts_on(&self, fold: usize) -> Vec<&'a WarmStart> {
        match (self.starts, self.tasks) {
            (Starts::FromZero, _) => Vec::new(),
            (Starts::OfPoints(each), _) => each.iter().map(|start| &start[fold]).collect(),
            (Starts::OfTasks(each), Some(groups)) => each[groups.range(fold)].iter().collect(),
            (Starts::OfTasks(each), None) => each.iter().collect(),
        }
    }

    /// The criteria of its points on a fold with these results.
    fn criteria(&self, results: &[OnFold]) -> Vec<Option<f64>> {
        let points = self.points.len();
        let all = self.tasks.map_or(1, Groups::tasks) as f64;
        let of_point = |at: usize| {
            let own = results.iter().skip(at).step_by(points);
            let criteria = own.map(|result| result.is_solved.then_some(result.criterion));
            criteria.sum::<Option<f64>>().map(|sum| sum / all)
        };
        (0..points).map(of_point).collect()
    }
}

/// A part of a tuning whose evaluations are kept.
#[derive(Debug, Clone)]
pub(super) struct Kept<'a> {
    pub(super) store: &'a dyn EvaluationStore,
    /// A hash of everything that decides the results of the tuning's points.
    pub(super) study: String,
    pub(super) part: String,
    pub(super) device: String,
}

/// A batch that is asked for.
struct Asked<'a> {
    batch: Batch,
    request: Request<'a>,
    fold: usize,
}

impl Asked<'_> {
    /// Whether there are as many results as it has points and tasks.
    fn fits(&self, results: &[OnFold]) -> bool {
        let tasks = self
            .request
            .tasks
            .map_or(1, |groups| groups.range(self.fold).len());
        results.len() == tasks * self.request.points.len()
    }
}

impl Kept<'_> {
    /// The results on `folds` folds: those that are known, those that `solve` computes here, and those that other
    /// processes compute meanwhile.
    pub(super) fn results(
        &self,
        request: Request<'_>,
        folds: usize,
        control: &Control,
        solve: impl Fn(usize) -> Result<Vec<OnFold>> + Sync,
    ) -> Result<Vec<Vec<OnFold>>> {
        let found: Vec<Option<Vec<OnFold>>> = (0..folds)
            .into_par_iter()
            .map(|fold| self.result(&self.ask(request, fold), control, || solve(fold)))
            .collect::<Result<_>>()?;
        let awaited = found.into_iter().enumerate().map(|(fold, found)| {
            found.map_or_else(
                || self.wait(&self.ask(request, fold), control, || solve(fold)),
                Ok,
            )
        });
        awaited.collect()
    }

    /// The result of a batch; `None` where another process is at it.
    fn result(
        &self,
        asked: &Asked<'_>,
        control: &Control,
        solve: impl FnOnce() -> Result<Vec<OnFold>>,
    ) -> Result<Option<Vec<OnFold>>> {
        if control.should_stop() {
            return solve().map(Some);
        }
        match self.store.claim(&asked.batch)? {
            BatchClaim::Known(bytes) => match decoded(&bytes) {
                Some(results) if asked.fits(&results) => Ok(Some(results)),
                _ => Err(self.store.unreadable(&asked.batch)),
            },
            BatchClaim::Elsewhere => Ok(None),
            BatchClaim::Own => self.solved(asked, control, solve).map(Some),
        }
    }

    /// The result of a batch that is computed here, and kept.
    fn solved(
        &self,
        asked: &Asked<'_>,
        control: &Control,
        solve: impl FnOnce() -> Result<Vec<OnFold>>,
    ) -> Result<Vec<OnFold>> {
        let begin = Instant::now();
        let solved = solve();
        // What was stopped may have been cut short.
        match solved {
            Ok(results) if !control.should_stop() => {
                let result = BatchResult {
                    criteria: json!(asked.request.criteria(&results)).to_string(),
                    bytes: encoded(&results),
                    seconds: begin.elapsed().as_secs_f64(),
                };
                self.store.keep(&asked.batch, &result)?;
                Ok(results)
            }
            other => {
                self.store.give_back(&asked.batch)?;
                other
            }
        }
    }

    /// The result of a batch that another process has leased.
    fn wait(
        &self,
        asked: &Asked<'_>,
        control: &Control,
        solve: impl Fn() -> Result<Vec<OnFold>>,
    ) -> Result<Vec<OnFold>> {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            if let Some(results) = self.result(asked, control, &solve)? {
                return Ok(results);
            }
            std::thread::sleep(PAUSE);
        }
        self.solved(asked, control, solve)
    }

    fn ask<'r>(&self, request: Request<'r>, fold: usize) -> Asked<'r> {
        Asked {
            batch: self.batch(request, fold),
            request,
            fold,
        }
    }

    fn batch(&self, request: Request<'_>, fold: usize) -> Batch {
        let mut hash = Xxh3Default::new();
        for text in [&self.study, &self.part, &self.device, request.variables] {
            hash.write_u64(text.len() as u64);
            hash.write(text.as_bytes());
        }
        hash.write_u64(fold as u64);
        hash.write_u64(request.points.len() as u64);
        request.points.iter().for_each(|p| p.hash(&mut hash));
        for start in request.starts_on(fold) {
            hash_values(&mut hash, &start.w);
            hash_values(&mut hash, &start.v);
        }
        let points: Vec<Value> = request.points.iter().map(record).collect();
        Batch {
            key: format!("{:032x}", hash.digest128()),
            part: self.part.clone(),
            fold,
            points: Value::from(points).to_string(),
            device: self.device.clone(),
        }
    }
}

impl Chosen {
    /// Adds the bits of everything that it chooses to a hash.
    fn hash(&self, hash: &mut Xxh3Default) {
        let point = &self.point;
        hash.write_u64(point.l1.to_bits());
        hash.write_u64(point.l2.to_bits());
        hash.write_u64(point.target as u64);
        let delta = self.huber_delta.map(|delta| [delta]);
        for part in [
            point.strengths(),
            point.ridge(),
            point.prior(),
            point.weights(),
            point.criterion_weights(),
            delta.as_ref().map(<[f64; 1]>::as_slice),
            self.class_weights.as_deref(),
        ] {
            hash.write_u8(u8::from(part.is_some()));
            hash_values(hash, part.unwrap_or_default());
        }
    }
}

/// The hyperparameters of a point by their names, for readers.
fn record(chosen: &Chosen) -> Value {
    let point = &chosen.point;
    let each = |own: Option<&[f64]>, common: f64| own.map_or(json!(common), |own| json!(own));
    let mut record = Map::new();
    record.insert("l1".into(), each(point.strengths(), point.l1));
    record.insert("l2".into(), each(point.ridge(), point.l2));
    for (name, value) in [
        ("huber_delta", chosen.huber_delta.map(|delta| json!(delta))),
        (
            "class_weights",
            chosen.class_weights.as_deref().map(|w| json!(w)),
        ),
        ("prior", point.prior().map(|prior| json!(prior))),
    ] {
        record.extend(value.map(|value| (name.to_string(), value)));
    }
    Value::Object(record)
}

/// Results as bytes, every number with its bits: an array of numbers, and the warnings as JSON behind it.
fn encoded(results: &[OnFold]) -> Vec<u8> {
    let mut numbers = vec![results.len() as f64];
    for result in results {
        numbers.extend([f64::from(u8::from(result.is_solved)), result.criterion]);
        write_part(&mut numbers, result.slope.as_deref());
        let margin = result.kink_margin.map(|margin| [margin]);
        write_part(&mut numbers, margin.as_ref().map(<[f64; 1]>::as_slice));
        write_sparse(&mut numbers, &result.warm.w);
        write_sparse(&mut numbers, &result.warm.v);
    }
    let warnings: Vec<Option<&str>> = results.iter().map(|r| r.not_unique.as_deref()).collect();
    let mut bytes = pack(&[numbers.len() as f64]);
    bytes.extend(pack(&numbers));
    bytes.extend(json!(warnings).to_string().into_bytes());
    bytes
}

/// The inverse of [`encoded`]; `None` for bytes that it did not make.
fn decoded(bytes: &[u8]) -> Option<Vec<OnFold>> {
    let (length, rest) = bytes.split_at_checked(8)?;
    let length = count_of(*unpack(length).first()?)?;
    let (numbers, warnings) = rest.split_at_checked(length.checked_mul(8)?)?;
    let warnings: Vec<Option<String>> = serde_json::from_slice(warnings).ok()?;
    let numbers = unpack(numbers);
    let mut rest = numbers.iter().copied();
    let count = count_of(rest.next()?)?;
    if count != warnings.len() {
        return None;
    }
    let result = |not_unique: Option<String>| {
        let is_solved = rest.next()? == 1.0;
        Some(OnFold {
            is_solved,
            criterion: rest.next()?,
            slope: read_part(&mut rest)?,
            kink_margin: read_part(&mut rest)?
                .map(|margin| margin.first().copied().unwrap_or(f64::NAN)),
            warm: WarmStart {
                w: read_sparse(&mut rest)?,
                v: read_sparse(&mut rest)?,
            },
            not_unique,
        })
    };
    warnings.into_iter().map(result).collect()
}

/// A number of entries that was written as a number.
fn count_of(value: f64) -> Option<usize> {
    let is_count = value >= 0.0 && value.fract() == 0.0 && value < f64::from(u32::MAX);
    is_count.then_some(value as usize)
}

/// Appends numbers after their count; −1 where there are none to speak of.
fn write_part(numbers: &mut Vec<f64>, part: Option<&[f64]>) {
    numbers.push(part.map_or(-1.0, |part| part.len() as f64));
    numbers.extend_from_slice(part.unwrap_or_default());
}

fn read_part(numbers: &mut impl Iterator<Item = f64>) -> Option<Option<Vec<f64>>> {
    let count = numbers.next()?;
    if count == -1.0 {
        return Some(None);
    }
    let count = count_of(count)?;
    let part: Vec<f64> = numbers.take(count).collect();
    (part.len() == count).then_some(Some(part))
}

/// Appends a vector: its length, and place and value of every entry whose bits are not those of zero.
fn write_sparse(numbers: &mut Vec<f64>, values: &[f64]) {
    let entries = values.iter().enumerate();
    let entries: Vec<f64> = entries
        .filter(|(_, value)| value.to_bits() != 0)
        .flat_map(|(at, &value)| [at as f64, value])
        .collect();
    numbers.extend([values.len() as f64, entries.len() as f64]);
    numbers.extend(entries);
}

fn read_sparse(numbers: &mut impl Iterator<Item = f64>) -> Option<Vec<f64>> {
    let length = count_of(numbers.next()?)?;
    let count = count_of(numbers.next()?)?;
    let mut values = vec![0.0; length];
    for _ in 0..count / 2 {
        let at = count_of(numbers.next()?)?;
        *values.get_mut(at)? = numbers.next()?;
    }
    Some(values)
}

#[cfg(test)]
pub(super) mod tests;

//! The place that keeps the cells of a sweep: the memory of the process, or a store on the disk.

use std::collections::BTreeMap;
use std::path::Path;

use super::record::{Cell, NO_METHOD, Number, Plan, ROUGH, SINGULAR, Shard, Unit};
use crate::error::Result;
use crate::kinds::Status;

/// An answer to a worker that asks for units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Units that are this process's to do; all of one study and fold.
    Units(Vec<Unit>),
    /// All that is left is being done by other processes: these, by number and machine.
    Elsewhere(String),
    /// Nothing is left, or only what this process does already.
    Nothing,
}

/// The state of a sweep: how much is done, and how it ended.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    /// Units of the plan.
    pub units: usize,
    /// Units that are done.
    pub units_done: usize,
    /// Cells of the plan.
    pub cells: usize,
    /// Cells that are done.
    pub cells_done: usize,
    /// Finished cells by status, as (name, count), most frequent first.
    pub statuses: Vec<(String, usize)>,
    /// Seconds of work per device, as (name, units, seconds).
    pub devices: Vec<(String, usize, f64)>,
    /// Finished cells that have no hypergradient although one was asked for, as (why, count), most
    /// frequent first: `singular-hessian`, the status of one that failed, or `not-finite`.
    pub without_hypergradient: Vec<(String, usize)>,
}

/// The state of a shard of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardTally {
    /// The shard.
    pub shard: Shard,
    /// Its units.
    pub units: usize,
    /// Its units that are done.
    pub units_done: usize,
    /// Its cells.
    pub cells: usize,
    /// Its cells that are done.
    pub cells_done: usize,
}

impl ShardTally {
    /// The state of a shard of a plan, of whose units `done` says in their order which are done.
    #[must_use]
    pub fn of(plan: &Plan, shard: Shard, done: impl Iterator<Item = bool>) -> Self {
        let mut tally = Self {
            shard,
            units: 0,
            units_done: 0,
            cells: 0,
            cells_done: 0,
        };
        for (unit, done) in plan.units().zip(done).filter(|(u, _)| shard.holds(*u)) {
            let cells = plan.studies[unit.study].paths[unit.path].len();
            tally.units += 1;
            tally.cells += cells;
            if done {
                tally.units_done += 1;
                tally.cells_done += cells;
            }
        }
        tally
    }

    /// Whether all of the shard is done.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.units_done == self.units
    }
}

/// A place that keeps the cells of one plan.
///
/// # Errors
/// A store fails with [`crate::Error::Store`] when it cannot be read or written; memory never fails.
pub trait CellStore: Send {
    /// The file; `None` for a place that ends with the process.
    fn file(&self) -> Option<&Path>;

    /// Whether the path still stands for the file that was opened: a file that is deleted or replaced
    /// meanwhile is written to all the same, and lost at the end.
    fn is_in_place(&self) -> bool {
        true
    }

    /// Leases up to `count` open units of one fold to this process, units of the shard alone; those
    /// from number `first` on go before those of smaller numbers, so that workers that begin at
    /// different places seldom work on the same fold.
    fn claim_from(&mut self, count: usize, shard: Shard, first: usize) -> Result<Claim>;

    /// Keeps finished units, each with its cells in the order of its path; all of them or none.
    fn finish(&mut self, units: Vec<(Unit, Vec<Cell>)>, seconds: f64, device: &str) -> Result<()>;

    /// Tells processes on other machines that this one lives.
    fn beat(&mut self) -> Result<()> {
        Ok(())
    }

    /// Keeps which part of the plan this process is to do.
    fn note_shard(&mut self, _shard: Shard) -> Result<()> {
        Ok(())
    }

    /// Gives back what this process has leased and not done.
    fn release(&mut self) -> Result<()> {
        Ok(())
    }

    /// The state of the whole plan.
    fn tally(&self) -> Result<Tally>;

    /// The state of a shard of the plan.
    fn shard_tally(&self, plan: &Plan, shard: Shard) -> Result<ShardTally>;

    /// Visits the finished cells of a study in the order of the plan: point by point, fold by fold.
    fn for_each_cell(&self, study: usize, visit: &mut dyn FnMut(Cell) -> Result<()>) -> Result<()>;

    /// Visits point, fold and criterion of the finished cells of a study, in no particular order; NaN
    /// for a cell that failed.
    fn for_each_criterion(
        &self,
        study: usize,
        visit: &mut dyn FnMut(usize, usize, f64),
    ) -> Result<()>;
}

/// The cells of a sweep that ends with its process.
#[derive(Debug, Default)]
pub struct MemoryCells {
    units: Vec<(Unit, State)>,
    cells_planned: usize,
    /// Per study the finished cells by point and fold.
    cells: Vec<BTreeMap<(usize, usize), Cell>>,
    /// Per study whether hypergradients were asked for.
    differentiates: Vec<bool>,
    /// Units and seconds by device.
    devices: BTreeMap<String, (usize, f64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Leased,
    Done,
}

impl MemoryCells {
    /// A place for the cells of a plan of which nothing is done.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let differentiates = |settings: &str| settings.lines().all(|line| line != NO_METHOD);
        Self {
            units: plan.units().map(|unit| (unit, State::Open)).collect(),
            cells_planned: plan.cell_count(),
            cells: vec![BTreeMap::new(); plan.studies.len()],
            differentiates: plan
                .studies
                .iter()
                .map(|study| differentiates(&study.settings))
                .collect(),
            devices: BTreeMap::new(),
        }
    }

    /// All finished cells with the number of their study.
    fn all(&self) -> impl Iterator<Item = (usize, &Cell)> {
        let studies = self.cells.iter().enumerate();
        studies.flat_map(|(study, cells)| cells.values().map(move |cell| (study, cell)))
    }

    fn is_done(&self) -> impl Iterator<Item = bool> {
        self.units.iter().map(|(_, state)| *state == State::Done)
    }
}

/// The count of each text, most frequent first.
fn counted<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for text in texts {
        *counts.entry(text).or_default() += 1;
    }
    let mut counts: Vec<(String, usize)> = counts
        .into_iter()
        .map(|(t, n)| (t.to_string(), n))
        .collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

/// The reason why a cell has no hypergradient, where it has none.
fn missing_hypergradient(cell: &Cell) -> Option<&'static str> {
    let has_number = Number::HYPERGRADIENT
        .into_iter()
        .any(|number| cell.numbers.finite(number).is_some());
    if has_number
        || !cell.hypergradient_l1_vector.is_empty()
        || !cell.hypergradient_prior.is_empty()
        || cell
            .outcome
            .as_ref()
            .is_some_and(|o| o.hypergradient.is_some())
    {
        return None;
    }
    Some(match cell.status {
        _ if cell.warns_of(SINGULAR) => SINGULAR,
        Status::Converged => "not-finite",
        status => status.name(),
    })
}

impl CellStore for MemoryCells {
    fn file(&self) -> Option<&Path> {
        None
    }

    fn claim_from(&mut self, count: usize, shard: Shard, first: usize) -> Result<Claim> {
        let first = first.min(self.units.len());
        let (before, from) = self.units.split_at_mut(first);
        let mut units: Vec<Unit> = Vec::new();
        for (unit, state) in from.iter_mut().chain(before) {
            if *state != State::Open || !shard.holds(*unit) {
                continue;
            }
            let is_other = |first: &Unit| (first.study, first.fold) != (unit.study, unit.fold);
            if units.first().is_some_and(is_other) {
                break;
            }
            *state = State::Leased;
            units.push(*unit);
            if units.len() >= count {
                break;
            }
        }
        Ok(if units.is_empty() {
            Claim::Nothing
        } else {
            Claim::Units(units)
        })
    }

    fn finish(&mut self, units: Vec<(Unit, Vec<Cell>)>, seconds: f64, device: &str) -> Result<()> {
        let work = self.devices.entry(device.to_string()).or_default();
        work.0 += units.len();
        work.1 += seconds;
        for (unit, cells) in units {
            self.units[unit.number].1 = State::Done;
            let keyed = cells
                .into_iter()
                .map(|cell| ((cell.point, cell.fold), cell));
            self.cells[unit.study].extend(keyed);
        }
        Ok(())
    }

    fn tally(&self) -> Result<Tally> {
        let missing = self
            .all()
            .filter(|(study, _)| self.differentiates[*study])
            .filter_map(|(_, cell)| missing_hypergradient(cell));
        let devices = self.devices.iter();
        Ok(Tally {
            units: self.units.len(),
            units_done: self.is_done().filter(|done| *done).count(),
            cells: self.cells_planned,
            cells_done: self.cells.iter().map(BTreeMap::len).sum(),
            statuses: counted(self.all().map(|(_, cell)| cell.status.name())),
            devices: devices
                .map(|(name, (units, seconds))| (name.clone(), *units, *seconds))
                .collect(),
            without_hypergradient: counted(missing),
        })
    }

    fn shard_tally(&self, plan: &Plan, shard: Shard) -> Result<ShardTally> {
        Ok(ShardTally::of(plan, shard, self.is_done()))
    }

    fn for_each_cell(&self, study: usize, visit: &mut dyn FnMut(Cell) -> Result<()>) -> Result<()> {
        self.cells[study].values().cloned().try_for_each(visit)
    }

    fn for_each_criterion(
        &self,
        study: usize,
        visit: &mut dyn FnMut(usize, usize, f64),
    ) -> Result<()> {
        for cell in self.cells[study].values() {
            let is_usable = cell.status == Status::Converged || cell.warns_of(ROUGH);
            let criterion = cell.numbers.finite(Number::Criterion);
            visit(
                cell.point,
                cell.fold,
                criterion.filter(|_| is_usable).unwrap_or(f64::NAN),
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::record::{PlanFold, PlanPoint, Study};

    /// Two folds of two paths, of two points and of one.
    fn plan() -> Plan {
        let point = PlanPoint {
            l1: 1.0,
            l2: 0.0,
            ratio: None,
            target: 0,
        };
        let fold = |number| PlanFold {
            number,
            repeat: 0,
            training_rows: 2,
            held_out_rows: 1,
        };
        Plan {
            studies: vec![Study {
                targets: vec!["y".into()],
                points: vec![point; 3],
                folds: [0, 1].map(fold).to_vec(),
                paths: vec![vec![0, 2], vec![1]],
                ..Study::default()
            }],
            configuration: String::new(),
        }
    }

    fn claimed(cells: &mut MemoryCells, shard: Shard, first: usize) -> Vec<usize> {
        match cells.claim_from(9, shard, first).unwrap() {
            Claim::Units(units) => units.iter().map(|unit| unit.number).collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn units_are_claimed_once_fold_by_fold() {
        let mut cells = MemoryCells::new(&plan());
        assert_eq!(claimed(&mut cells, Shard::WHOLE, 2), [2, 3]);
        assert_eq!(claimed(&mut cells, Shard::WHOLE, 2), [0, 1]);
        assert!(claimed(&mut cells, Shard::WHOLE, 0).is_empty());
        let mut cells = MemoryCells::new(&plan());
        let second = Shard { index: 1, count: 2 };
        assert_eq!(claimed(&mut cells, second, 0), [1]);
        assert_eq!(claimed(&mut cells, second, 0), [3]);
        assert!(claimed(&mut cells, second, 0).is_empty());
    }

    #[test]
    fn finished_cells_are_counted_and_read_in_the_order_of_the_plan() {
        let plan = plan();
        let mut cells = MemoryCells::new(&plan);
        let cell = |point, fold, status, warnings: &str| Cell {
            point,
            fold,
            status,
            warnings: warnings.into(),
            ..Cell::default()
        };
        let units: Vec<Unit> = plan.units().collect();
        let mut with_gradient = cell(1, 0, Status::Converged, "");
        with_gradient.numbers[Number::HypergradientL2] = 1.0;
        with_gradient.numbers[Number::Criterion] = 2.0;
        let second = vec![
            cell(0, 1, Status::Stalled, ""),
            cell(2, 1, Status::Converged, "not-certified singular-hessian"),
        ];
        cells.finish(vec![(units[2], second)], 1.5, "cpu").unwrap();
        let first = vec![with_gradient];
        cells.finish(vec![(units[1], first)], 0.5, "cpu").unwrap();
        let tally = cells.tally().unwrap();
        assert_eq!((tally.units, tally.units_done), (4, 2));
        assert_eq!((tally.cells, tally.cells_done), (6, 3));
        let of = |list: &[(&str, usize)]| -> Vec<(String, usize)> {
            list.iter()
                .map(|(name, n)| ((*name).to_string(), *n))
                .collect()
        };
        assert_eq!(tally.statuses, of(&[("converged", 2), ("stalled", 1)]));
        let missing = of(&[("singular-hessian", 1), ("stalled", 1)]);
        assert_eq!(tally.without_hypergradient, missing);
        assert_eq!(tally.devices, [("cpu".to_string(), 2, 2.0)]);
        let mut seen = Vec::new();
        let mut visit = |cell: Cell| {
            seen.push((cell.point, cell.fold));
            Ok(())
        };
        cells.for_each_cell(0, &mut visit).unwrap();
        assert_eq!(seen, [(0, 1), (1, 0), (2, 1)]);
        let mut criteria = Vec::new();
        let mut visit = |point, fold, criterion: f64| criteria.push((point, fold, criterion));
        cells.for_each_criterion(0, &mut visit).unwrap();
        assert!(criteria[0].2.is_nan() && criteria[1] == (1, 0, 2.0));
        let shard = cells.shard_tally(&plan, Shard { index: 0, count: 2 });
        let shard = shard.unwrap();
        assert_eq!((shard.units, shard.units_done), (2, 1));
        assert_eq!((shard.cells, shard.cells_done), (4, 2));
    }
}

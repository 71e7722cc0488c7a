//! The records of a sweep as plain data: studies with their points and folds, units, cells.
//!
//! A *cell* is one point on one fold. A *unit* is a path of points on one fold: it is solved as a
//! whole and stored as a whole. Units are numbered study by study, fold by fold, path by path.

use std::hash::Hasher;
use std::ops::{Index, IndexMut};
use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3Default;

use crate::hypergrad::{Outcome, Part};
use crate::kinds::{Status, tag};
use crate::model::loss::Loss;

mod settings;

pub use settings::SearchKind;
pub(crate) use settings::{ADAPTIVE, FEATURES, NO_METHOD, RELAX, RESAMPLING};

/// The warning of a cell whose Hessian is singular.
pub(crate) const SINGULAR: &str = "singular-hessian";
/// The warning of a cell whose solution has converged, and its hypergradient has not.
pub(crate) const ROUGH: &str = "rough-hypergradient";

/// Everything that a sweep is going to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Its parts, at least one.
    pub studies: Vec<Study>,
    /// The effective configuration, as TOML.
    pub configuration: String,
}

/// One problem, one method, one data set: points times folds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Study {
    /// Its name.
    pub name: String,
    /// The source of the data.
    pub source: String,
    /// Everything that decides the results besides data, points and folds: `name = value` lines.
    pub settings: String,
    /// A hash of the data.
    pub fingerprint: String,
    /// A hash of which rows each fold holds out.
    pub folds_digest: String,
    /// The names of the targets.
    pub targets: Vec<String>,
    /// The number of rows of the data; 0 where that is not known.
    pub rows: usize,
    /// The names of the features; none where they are not known.
    pub features: Vec<String>,
    /// The names of the classes of every target, none of numbers; empty where they are not known.
    pub classes: Vec<Vec<String>>,
    /// The points, in the order of the plan.
    pub points: Vec<PlanPoint>,
    /// The folds, in the order of the plan.
    pub folds: Vec<PlanFold>,
    /// Per path its points, in the order in which they are solved.
    pub paths: Vec<Vec<u32>>,
}

/// A point of a study.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlanPoint {
    /// l1.
    pub l1: f64,
    /// λ₂.
    pub l2: f64,
    /// α and ρ, where the plan is in these.
    pub ratio: Option<(f64, f64)>,
    /// The number of its target.
    pub target: usize,
}

/// A fold of a study.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanFold {
    /// Its number: from 0, or as the user's file has it.
    pub number: i64,
    /// Its repetition, from 0.
    pub repeat: usize,
    /// Rows to learn from.
    pub training_rows: usize,
    /// Rows that are held out.
    pub held_out_rows: usize,
}

/// A part of a plan: the units whose number is `index` modulo `count`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Its number; only its value modulo `count` matters.
    pub index: usize,
    /// The number of shards, at least one.
    pub count: usize,
}

impl Shard {
    /// The whole plan.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// Whether a unit is the shard's.
    #[must_use]
    pub fn holds(self, unit: Unit) -> bool {
        let count = self.count.max(1);
        unit.number % count == self.index % count
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

/// A unit of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Unit {
    /// Its number in the plan.
    pub number: usize,
    /// Its study.
    pub study: usize,
    /// Its fold within the study.
    pub fold: usize,
    /// Its path within the study.
    pub path: usize,
}

impl Plan {
    /// Number of units.
    #[must_use]
    pub fn unit_count(&self) -> usize {
        self.studies.iter().map(Study::unit_count).sum()
    }

    /// Number of cells.
    #[must_use]
    pub fn cell_count(&self) -> usize {
        self.studies.iter().map(Study::cell_count).sum()
    }

    /// A hash of every part of the plan, by the part's name: together they cover all of it.
    pub(crate) fn digests(&self) -> [(&'static str, String); 5] {
        let mut parts = ["configuration", "studies", "targets", "points", "folds"]
            .map(|part| (part, Xxh3Default::new()));
        let [configuration, studies, targets, points, folds] = &mut parts;
        write_text(&mut configuration.1, &self.configuration);
        for study in &self.studies {
            for text in [
                &study.name,
                &study.source,
                &study.settings,
                &study.fingerprint,
                &study.folds_digest,
            ] {
                write_text(&mut studies.1, text);
            }
            // Stores of before have neither.
            if !study.features.is_empty() {
                studies.1.write_u64(study.rows as u64);
                for name in study.features.iter().chain(study.classes.iter().flatten()) {
                    write_text(&mut studies.1, name);
                }
            }
            targets.1.write_u64(study.targets.len() as u64);
            for name in &study.targets {
                write_text(&mut targets.1, name);
            }
            write_text(&mut points.1, &study.points_digest());
            for point in &study.points {
                match point.ratio {
                    None => points.1.write_u8(0),
                    Some((alpha, ratio)) => {
                        points.1.write_u8(1);
                        points.1.write_u64(bits(alpha));
                        points.1.write_u64(bits(ratio));
                    }
                }
            }
            folds.1.write_u64(study.folds.len() as u64);
            for fold in &study.folds {
                folds.1.write_i64(fold.number);
                for count in [fold.repeat, fold.training_rows, fold.held_out_rows] {
                    folds.1.write_u64(count as u64);
                }
            }
        }
        parts.map(|(part, hash)| (part, format!("{:032x}", hash.digest128())))
    }

    /// All units in order.
    pub fn units(&self) -> impl Iterator<Item = Unit> + '_ {
        let units = self.studies.iter().enumerate().flat_map(|(study, s)| {
            let paths = s.paths.len();
            (0..s.folds.len()).flat_map(move |fold| (0..paths).map(move |path| (study, fold, path)))
        });
        units.enumerate().map(|(number, (study, fold, path))| Unit {
            number,
            study,
            fold,
            path,
        })
    }
}

impl Study {
    /// Number of units.
    #[must_use]
    pub fn unit_count(&self) -> usize {
        self.folds.len() * self.paths.len()
    }

    /// Number of cells.
    #[must_use]
    pub fn cell_count(&self) -> usize {
        self.folds.len() * self.points.len()
    }

    /// A hash of points and paths.
    #[must_use]
    pub fn points_digest(&self) -> String {
        let mut hash = Xxh3Default::new();
        for point in &self.points {
            hash.write_u64(bits(point.l1));
            hash.write_u64(bits(point.l2));
            hash.write_u64(point.target as u64);
        }
        for path in &self.paths {
            hash.write_u64(path.len() as u64);
            path.iter().for_each(|&point| hash.write_u32(point));
        }
        format!("{:032x}", hash.digest128())
    }
}

/// The bits of a number as it reads back: a database has no negative zero.
fn bits(value: f64) -> u64 {
    (value + 0.0).to_bits()
}

/// Adds a text and its length: two texts are not one longer text.
fn write_text(hash: &mut Xxh3Default, text: &str) {
    hash.write_u64(text.len() as u64);
    hash.write(text.as_bytes());
}

tag! {
    /// The numbers of a cell, by name.
    pub enum Number {
        /// The criterion on the fold's held-out rows.
        Criterion = "criterion";
        /// Its derivative in l1, where that is one number.
        HypergradientL1 = "hypergradient_l1";
        /// Its derivative in λ₂.
        HypergradientL2 = "hypergradient_l2";
        /// Its derivative in the lower bound.
        HypergradientBoxLo = "hypergradient_box_lo";
        /// Its derivative in the upper bound.
        HypergradientBoxHi = "hypergradient_box_hi";
        /// Penalised coefficients that are not zero.
        Support = "support";
        /// The training objective.
        Objective = "objective";
        /// ‖Φ(w) − w‖/γ.
        Residual = "residual";
        /// The relative duality gap.
        DualityGap = "duality_gap";
        /// The relative residual of the adjoint system.
        LinearResidual = "linear_residual";
        /// The distance to the nearest kink.
        KinkMargin = "kink_margin";
        /// 1 where the support is certified, else 0.
        Certified = "certified";
        /// Steps of the solver.
        Steps = "steps";
        /// Steps of the linear solver.
        LinearSteps = "linear_steps";
        /// Mean squared error.
        Mse = "mse";
        /// Mean absolute error.
        Mae = "mae";
        /// Coefficient of determination; of a loss with a log link the share of the deviance that is
        /// explained, D².
        R2 = "r2";
        /// Share of correct labels.
        Accuracy = "accuracy";
        /// Mean over classes of the share of correct labels.
        BalancedAccuracy = "balanced_accuracy";
        /// F1 of the second class; its mean over classes where there are more than two.
        F1 = "f1";
        /// Area under the ROC curve; its mean over classes against the rest where there are more.
        Auc = "auc";
    }
}

impl Number {
    /// The parts of the hypergradient.
    pub const HYPERGRADIENT: [Self; 4] = [
        Self::HypergradientL1,
        Self::HypergradientL2,
        Self::HypergradientBoxLo,
        Self::HypergradientBoxHi,
    ];

    /// The metrics beside the criterion.
    pub const METRICS: [Self; 7] = [
        Self::Mse,
        Self::Mae,
        Self::R2,
        Self::Accuracy,
        Self::BalancedAccuracy,
        Self::F1,
        Self::Auc,
    ];

    /// Whether a larger value is a better model: of scores, not of errors.
    #[must_use]
    pub fn is_better_larger(self) -> bool {
        matches!(
            self,
            Self::R2 | Self::Accuracy | Self::BalancedAccuracy | Self::F1 | Self::Auc
        )
    }

    /// The metrics that a loss has.
    #[must_use]
    pub fn metrics_of(loss: Loss) -> &'static [Self] {
        match loss {
            loss if loss.predicts_numbers() => &[Self::Mse, Self::Mae, Self::R2],
            Loss::Logistic | Loss::Multinomial | Loss::SquaredHinge => {
                &[Self::Accuracy, Self::BalancedAccuracy, Self::F1, Self::Auc]
            }
            _ => &[],
        }
    }

    /// The number that is a part of the hypergradient, for a part that may be one number.
    #[must_use]
    pub fn of_part(part: Part) -> Option<Self> {
        Some(match part {
            Part::L1 => Self::HypergradientL1,
            Part::L2 => Self::HypergradientL2,
            Part::BoxLo => Self::HypergradientBoxLo,
            Part::BoxHi => Self::HypergradientBoxHi,
            Part::Prior
            | Part::SampleWeights
            | Part::ClassWeights
            | Part::Perturbation
            | Part::HuberDelta => {
                return None;
            }
        })
    }

    /// True for counts and truth values, which are whole.
    #[must_use]
    pub fn is_whole(self) -> bool {
        matches!(
            self,
            Self::Support | Self::Certified | Self::Steps | Self::LinearSteps
        )
    }
}

/// One value per [`Number`]; NaN where there is none.
#[derive(Debug, Clone, Copy)]
pub struct Numbers([f64; Number::ALL.len()]);

impl Default for Numbers {
    fn default() -> Self {
        Self([f64::NAN; Number::ALL.len()])
    }
}

impl Index<Number> for Numbers {
    type Output = f64;

    fn index(&self, number: Number) -> &f64 {
        &self.0[number as usize]
    }
}

impl IndexMut<Number> for Numbers {
    fn index_mut(&mut self, number: Number) -> &mut f64 {
        &mut self.0[number as usize]
    }
}

impl Numbers {
    /// The value where there is one that is finite.
    #[must_use]
    pub fn finite(&self, number: Number) -> Option<f64> {
        // A database has no negative zero: it would read back as another number.
        Some(self[number] + 0.0).filter(|value| value.is_finite())
    }
}

/// The result of a cell.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    /// The point within its study.
    pub point: usize,
    /// The fold within its study.
    pub fold: usize,
    /// The status of solver and linear solver.
    pub status: Status,
    /// Criterion, derivatives, diagnostics, metrics.
    pub numbers: Numbers,
    /// The kinds of warnings, separated by spaces.
    pub warnings: String,
    /// The derivatives in a vector of strengths, or empty.
    pub hypergradient_l1_vector: Vec<f64>,
    /// The derivatives in the prior mean, or empty.
    pub hypergradient_prior: Vec<f64>,
    /// The solution, where it was asked for: see [`pack_sparse`].
    pub solution: Vec<u8>,
    /// The whole outcome, where a sweep of a single fold ends with its process; a store does not keep
    /// it.
    pub outcome: Option<Arc<Outcome>>,
}

impl Cell {
    /// Whether it has a warning of a kind.
    #[must_use]
    pub fn warns_of(&self, kind: &str) -> bool {
        self.warnings.split(' ').any(|warning| warning == kind)
    }

    /// Whether the cell says nothing about its point: its solver did not converge, or its criterion is not
    /// finite. A converged solution with a rough hypergradient says what its criterion is.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        let is_solved = self.status == Status::Converged || self.warns_of(ROUGH);
        !is_solved || !self.numbers[Number::Criterion].is_finite()
    }

    /// Adds everything of this cell to a hash.
    pub(crate) fn hash(&self, hash: &mut Xxh3Default) {
        hash.write_u64(self.point as u64);
        hash.write_u64(self.fold as u64);
        hash.write(self.status.name().as_bytes());
        for number in Number::ALL {
            // Numbers that are not finite are stored as absent, and a zero without its sign.
            let value = self.numbers.finite(number).map(|value| value + 0.0);
            let bits = value.map_or(u64::MAX, f64::to_bits);
            hash.write_u64(bits);
        }
        hash.write(self.warnings.as_bytes());
        hash.write(&pack(&self.hypergradient_l1_vector));
        hash.write(&pack(&self.hypergradient_prior));
        hash.write(&self.solution);
    }
}

/// A hash of all cells of a unit, in the order of their points.
pub(crate) fn digest(cells: &[Cell]) -> String {
    let mut hash = Xxh3Default::new();
    cells.iter().for_each(|cell| cell.hash(&mut hash));
    format!("{:016x}", hash.digest())
}

/// Numbers as little-endian bytes.
pub(crate) fn pack(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// The inverse of [`pack`]; bytes that do not make a number are left out.
pub(crate) fn unpack(bytes: &[u8]) -> Vec<f64> {
    let chunks = bytes.chunks_exact(8);
    // infallible: chunks of eight
    chunks
        .map(|b| f64::from_le_bytes(b.try_into().expect("eight bytes")))
        .collect()
}

/// A solution as a sparse blob: the length as a little-endian u32, then index (u32) and value
/// (f64) of every entry that is not zero.
#[must_use]
pub fn pack_sparse(values: &[f64]) -> Vec<u8> {
    let mut bytes = (values.len() as u32).to_le_bytes().to_vec();
    for (at, &value) in values.iter().enumerate() {
        if value != 0.0 {
            bytes.extend_from_slice(&(at as u32).to_le_bytes());
            bytes.extend_from_slice(&value.to_le_bytes());
        }
    }
    bytes
}

/// The inverse of [`pack_sparse`]; `None` for bytes that it did not make.
#[must_use]
pub fn unpack_sparse(bytes: &[u8]) -> Option<Vec<f64>> {
    let (length, entries) = bytes.split_at_checked(4)?;
    let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
    if entries.len() % 12 != 0 || entries.len() / 12 > length {
        return None;
    }
    let mut values = vec![0.0; length];
    for entry in entries.chunks_exact(12) {
        let (at, value) = entry.split_at(4);
        let at = u32::from_le_bytes(at.try_into().ok()?) as usize;
        *values.get_mut(at)? = f64::from_le_bytes(value.try_into().ok()?);
    }
    Some(values)
}

#[cfg(test)]
mod tests;

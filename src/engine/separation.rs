//! Rows that a direction separates, classes or counts of zero, wholly or but for rows that it leaves where they are: along it
//! the loss falls without end, and there is no minimum to converge to.
//!
//! With a row a of every wrong class, a·w its margin over the right one, d is such a direction where
//! a·d ≥ 0 for all and > 0 for some. A count of zero has the margin −x·w; a row with a positive target has two,
//! x·w and −x·w, since it may not move at all. Candidates are w itself without what moves the rows that are
//! not far on their side; each is checked, so that what is found is one.

use crate::data::Matrix;

use super::diagnose::Evidence;
use super::sizes::Sizes;

/// Margins from which a row may count as far on its side.
const FAR: [f64; 7] = [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0];
/// Numbers of a margin's rows up to which directions are looked for.
const LARGEST: usize = 1 << 21;
/// The relative size of roundings of an orthogonalisation.
const NOTHING: f64 = 1e-9;

/// True where the loss surely falls without end along coordinates that pay nothing.
pub(super) fn is_separated(evidence: &Evidence<'_>, sizes: &Sizes) -> bool {
    let (problem, regularizer) = (evidence.problem, &evidence.regularizer);
    // A coordinate that has a ridge or pays a slope goes nowhere.
    let mut held = vec![false; evidence.w.len()];
    for (b, penalty) in regularizer.penalties.iter().enumerate() {
        for &j in regularizer.blocks.members(b) {
            held[j as usize] = !penalty.is_free() || regularizer.ridge(j as usize) > 0.0;
        }
    }
    let is_held = |j: usize| held[j];
    let is_free =
        problem.loss.may_fall_without_end() && (0..regularizer.penalized()).any(|j| !is_held(j));
    let (n, c) = (problem.train.rows(), problem.classes);
    let p = evidence.w.len();
    if !is_free || n * (c.max(2) - 1) * p > LARGEST {
        return false;
    }
    // In units in which columns have the size 1.
    let unit = |j: usize| match sizes.column(j / c) {
        0.0 => 1.0,
        size => size,
    };
    let w: Vec<f64> = evidence
        .w
        .iter()
        .enumerate()
        .map(|(j, w)| w * unit(j))
        .collect();
    let mut rows = margins(evidence, &unit);
    let reach: Vec<f64> = rows.iter().map(|a| inner(a, &w)).collect();
    let release = |x: &mut Vec<f64>| {
        let held = x.iter_mut().enumerate().filter(|(j, _)| is_held(*j));
        held.for_each(|(_, x)| *x = 0.0);
    };
    let mut free = w.clone();
    release(&mut free);
    rows.iter_mut().for_each(release);
    FAR.iter().any(|&far| {
        let near = rows.iter().zip(&reach).filter(|(_, m)| **m <= far);
        let direction = without(&free, near.map(|(a, _)| a.as_slice()));
        let moved: Vec<f64> = rows.iter().map(|a| inner(a, &direction)).collect();
        let most = moved.iter().copied().fold(0.0, f64::max);
        let least = moved.iter().copied().fold(f64::INFINITY, f64::min);
        inner(&direction, &direction) > 1e-6 * inner(&w, &w)
            && most > 0.0
            && least >= -NOTHING * most
    })
}

/// The row of every margin: of row i over every wrong class.
fn margins(evidence: &Evidence<'_>, unit: &dyn Fn(usize) -> f64) -> Vec<Vec<f64>> {
    let problem = evidence.problem;
    let (sample, c) = (&problem.train, problem.classes);
    let y = &sample.targets[evidence.point.target];
    let design = &sample.design;
    let columns = design.columns();
    let mut dense = match &design.matrix {
        Matrix::Dense(m) => m.values.clone(),
        matrix @ Matrix::Sparse(_) => {
            let mut values = vec![0.0; design.rows() * columns];
            matrix.for_each_entry(|i, j, x| values[i * columns + j] = x);
            values
        }
    };
    if let Some(rank_one) = &design.rank_one {
        for row in dense.chunks_exact_mut(columns) {
            for (j, x) in row.iter_mut().enumerate() {
                *x = (*x - rank_one.center[j]) * rank_one.inverse_scale[j];
            }
        }
    }
    let mut rows = Vec::new();
    for (i, x) in dense.chunks_exact(columns).enumerate() {
        if sample.weights[i] == 0.0 {
            continue;
        }
        if problem.loss.has_log_link() {
            let row = |sign: f64| (0..columns).map(|j| sign * x[j] / unit(j)).collect();
            rows.push(row(-1.0));
            if y[i] > 0.0 {
                rows.push(row(1.0));
            }
            continue;
        }
        if c == 1 {
            rows.push((0..columns).map(|j| y[i] * x[j] / unit(j)).collect());
            continue;
        }
        for wrong in (0..c).filter(|&k| k as f64 != y[i]) {
            let mut row = vec![0.0; columns * c];
            for j in 0..columns {
                row[j * c + y[i] as usize] = x[j] / unit(j * c);
                row[j * c + wrong] = -x[j] / unit(j * c);
            }
            rows.push(row);
        }
    }
    rows
}

/// w less its part in the span of rows.
fn without<'a>(w: &[f64], rows: impl Iterator<Item = &'a [f64]>) -> Vec<f64> {
    let mut basis: Vec<Vec<f64>> = Vec::new();
    for row in rows {
        let size = inner(row, row).sqrt();
        if size == 0.0 || basis.len() == w.len() {
            continue;
        }
        let scaled: Vec<f64> = row.iter().map(|x| x / size).collect();
        let rest = orthogonal(scaled, &basis);
        let left = inner(&rest, &rest).sqrt();
        if left > 1e-7 {
            basis.push(rest.iter().map(|x| x / left).collect());
        }
    }
    orthogonal(w.to_vec(), &basis)
}

/// x less its part in the span of an orthonormal basis; twice is enough.
fn orthogonal(mut x: Vec<f64>, basis: &[Vec<f64>]) -> Vec<f64> {
    for _ in 0..2 {
        for q in basis {
            let part = inner(&x, q);
            x.iter_mut().zip(q).for_each(|(x, q)| *x -= part * q);
        }
    }
    x
}

fn inner(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

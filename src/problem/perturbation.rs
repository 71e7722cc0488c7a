//! The perturbation of training rows, as an adversary adds it.

use crate::data::matrix::{Dense, Matrix, Sparse};
use crate::error::{Error, Result};

/// Additive perturbation of some training rows, in the data's units.
#[derive(Debug, Clone)]
pub struct Perturbation {
    /// The perturbed rows, from 0, each at most once.
    pub rows: Vec<usize>,
    /// The values added to them: rows × d.
    pub values: Dense,
}

/// The matrix with the perturbation added; a perturbed sparse row is stored in full.
pub(super) fn perturb(matrix: &Matrix, perturbation: &Perturbation) -> Result<Matrix> {
    let Perturbation { rows, values } = perturbation;
    let (n, d) = (matrix.rows(), matrix.columns());
    if values.rows != rows.len() || values.columns != d {
        return Err(Error::shape(
            "perturbation",
            format!("{} × {d}, one row per perturbed row", rows.len()),
            format!("{} × {}", values.rows, values.columns),
            "give one value per feature of every perturbed row",
        ));
    }
    if let Some(value) = values.values.iter().find(|v| !v.is_finite()) {
        return Err(Error::value(
            "perturbation",
            format!("holds {value}"),
            "give finite numbers",
        ));
    }
    let mut place = vec![usize::MAX; n];
    for (at, &row) in rows.iter().enumerate() {
        if row >= n {
            return Err(Error::value(
                "perturbed rows",
                format!("row {row} of {n}"),
                "count training rows from 0",
            ));
        }
        if place[row] != usize::MAX {
            return Err(Error::value(
                "perturbed rows",
                format!("row {row} is named twice"),
                "name each row once",
            ));
        }
        place[row] = at;
    }
    Ok(match matrix {
        Matrix::Dense(m) => {
            let mut m = m.clone();
            for (at, &row) in rows.iter().enumerate() {
                m.values[row * d..(row + 1) * d]
                    .iter_mut()
                    .zip(values.row(at))
                    .for_each(|(x, p)| *x += p);
            }
            Matrix::Dense(m)
        }
        Matrix::Sparse(m) => {
            let mut row_starts = vec![0];
            let (mut column_indices, mut entries) = (Vec::new(), Vec::new());
            for (i, &at) in place.iter().enumerate() {
                if at == usize::MAX {
                    m.row(i).for_each(|(j, x)| {
                        column_indices.push(j as u32);
                        entries.push(x);
                    });
                } else {
                    let mut full = values.row(at).to_vec();
                    m.row(i).for_each(|(j, x)| full[j] += x);
                    column_indices.extend(0..d as u32);
                    entries.extend(full);
                }
                row_starts.push(entries.len());
            }
            Matrix::Sparse(Sparse {
                rows: n,
                columns: d,
                row_starts,
                column_indices,
                values: entries,
            })
        }
    })
}

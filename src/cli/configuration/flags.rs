//! Flags of the problem that do not fit together, and what files beside them hold.

use crate::cli::arguments::{PenaltyName, ProblemArguments};
use crate::cli::failure::Failure;
use crate::data::matrix::{Dense, Matrix};
use crate::error::{Error, Result};

/// Flags of the problem that do not fit together.
pub(super) fn check_flags(arguments: &ProblemArguments) -> std::result::Result<(), Failure> {
    let penalty = arguments.penalty;
    let grouped = arguments.group_size.is_some() || arguments.groups.is_some();
    let has_groups = matches!(penalty, PenaltyName::Group | PenaltyName::SparseGroup);
    let message = match penalty {
        PenaltyName::Weighted if arguments.l1_file.is_none() => {
            "--penalty weighted needs its strengths; give them with --l1-file"
        }
        PenaltyName::Group if !grouped => {
            "--penalty group needs its groups; give --group-size or --groups"
        }
        PenaltyName::SparseGroup if !grouped => {
            "--penalty sparse-group needs its groups; give --group-size or --groups"
        }
        PenaltyName::Box if arguments.bounds.is_none() => {
            "--penalty box needs its bounds; give them with --box LO:HI"
        }
        _ if arguments.l1_file.is_some() && !(has_groups || penalty == PenaltyName::Weighted) => {
            "--l1-file is for the penalties weighted, group and sparse-group; name one with --penalty"
        }
        _ if arguments.group_weights.is_some() && !has_groups => {
            "--group-weights is for --penalty group or sparse-group; add one"
        }
        _ if grouped && !has_groups => {
            "--group-size and --groups are for --penalty group or sparse-group; add one"
        }
        _ if arguments.bounds.is_some() && penalty != PenaltyName::Box => {
            "--box is for --penalty box; add it"
        }
        PenaltyName::Nonneg if arguments.has_coefficient_bounds() => {
            "--penalty nonneg has bounds of its own; leave it out, and say by --coefficient-bounds or --positive what \
             is not to be negative"
        }
        _ if arguments.has_coefficient_bounds()
            && !matches!(penalty, PenaltyName::ElasticNet | PenaltyName::Weighted) =>
        {
            "--coefficient-bounds and --positive are for --penalty elastic-net or weighted; choose one of these"
        }
        _ => return Ok(()),
    };
    Err(Failure::usage(message))
}

/// Numbers that are to be whole and not negative.
pub(super) fn whole_numbers(values: &[f64], name: &str) -> Result<Vec<u32>> {
    let whole = |v: &f64| v.fract() == 0.0 && *v >= 0.0 && *v <= f64::from(u32::MAX);
    match values.iter().position(|value| !whole(value)) {
        None => Ok(values.iter().map(|&value| value as u32).collect()),
        Some(at) => Err(Error::value(
            name,
            format!("entry {} is {}", at + 1, values[at]),
            "give whole numbers, zero or more",
        )),
    }
}

/// A perturbation is stored in full: a row that it changes is dense afterwards.
pub(super) fn dense(matrix: Matrix) -> Dense {
    match matrix {
        Matrix::Dense(matrix) => matrix,
        sparse @ Matrix::Sparse(_) => {
            let (rows, columns) = (sparse.rows(), sparse.columns());
            let mut values = vec![0.0; rows * columns];
            sparse.for_each_entry(|i, j, value| values[i * columns + j] = value);
            Dense {
                rows,
                columns,
                values,
            }
        }
    }
}

//! Checks and conversions of sparse matrices as files hold them.

use super::array::Array;
use super::part::bad;
use crate::data::dataset::Labels;
use crate::data::matrix::Sparse;
use crate::error::Result;

/// Columns that a sparse file may have without an entry in most of them.
const FREE_WIDTH: usize = 1 << 20;
/// Columns per stored entry beyond [`FREE_WIDTH`].
const WIDTH_PER_ENTRY: usize = 64;

/// Refuses a number of columns out of all proportion to the entries: every column costs memory
/// (its name, its coefficient), so that a single mistyped index could exhaust it.
pub(super) fn check_width(columns: usize, entries: usize, source: &str) -> Result<()> {
    let allowed = entries
        .saturating_mul(WIDTH_PER_ENTRY)
        .saturating_add(FREE_WIDTH)
        .min(u32::MAX as usize - 1);
    if columns > allowed {
        return Err(bad(
            source,
            None,
            None,
            format!("there are {columns} columns for {entries} entries"),
            "check the largest index; renumber the features without gaps",
        ));
    }
    Ok(())
}

/// The arrays of a matrix as `scipy.sparse.save_npz` writes it.
pub(super) struct Compressed {
    /// `csr` or `csc`.
    pub format: Array,
    pub shape: Array,
    pub indptr: Array,
    pub indices: Array,
    pub data: Array,
}

impl Compressed {
    /// The matrix by rows, with ascending columns.
    ///
    /// # Errors
    /// [`crate::Error::Data`] when the arrays do not fit together or an entry occurs twice.
    pub fn into_sparse(self, source: &str) -> Result<Sparse> {
        let malformed = |what: &str| {
            bad(
                source,
                None,
                None,
                format!("the sparse matrix is inconsistent: {what}"),
                "write it again with scipy.sparse.save_npz",
            )
        };
        let by_columns = match &self.format.values {
            Labels::Text(format) if *format == ["csr"] => false,
            Labels::Text(format) if *format == ["csc"] => true,
            _ => {
                return Err(bad(
                    source,
                    None,
                    None,
                    "the sparse matrix is stored neither by rows nor by columns",
                    "convert it with tocsr() before saving it",
                ));
            }
        };
        let extents = whole(self.shape).ok_or_else(|| malformed("shape"))?;
        let starts = whole(self.indptr).ok_or_else(|| malformed("indptr"))?;
        let indices = whole(self.indices).ok_or_else(|| malformed("indices"))?;
        let Labels::Numbers(values) = self.data.values else {
            return Err(malformed("data"));
        };
        let (major, minor) = match extents.as_slice() {
            [rows, columns] if by_columns => (*columns, *rows),
            [rows, columns] => (*rows, *columns),
            _ => return Err(malformed("shape")),
        };
        if major == 0 || minor == 0 {
            return Err(bad(
                source,
                None,
                None,
                "the sparse matrix is empty",
                "give at least one row and one column",
            ));
        }
        check_width(minor, values.len(), source)?;
        if starts.len() != major + 1
            || starts[0] != 0
            || starts[major] != values.len()
            || !starts.is_sorted()
        {
            return Err(malformed("indptr"));
        }
        if indices.len() != values.len() || indices.iter().any(|&j| j >= minor) {
            return Err(malformed("indices"));
        }
        // Both conversions fit: the width is checked above, and no array has 2³² rows.
        let indices: Vec<u32> = indices.into_iter().map(|j| j as u32).collect();
        let matrix = Sparse {
            rows: major,
            columns: minor,
            row_starts: starts,
            column_indices: indices,
            values,
        };
        let matrix = sorted(matrix, source)?;
        Ok(if by_columns {
            matrix.transposed()
        } else {
            matrix
        })
    }
}

/// The same entries with the columns of every row ascending; an entry given twice is an error.
fn sorted(mut matrix: Sparse, source: &str) -> Result<Sparse> {
    for i in 0..matrix.rows {
        let mut entries: Vec<(usize, f64)> = matrix.row(i).collect();
        entries.sort_by_key(|&(j, _)| j);
        if entries.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(bad(
                source,
                None,
                None,
                "the sparse matrix has entries that occur twice",
                "call sum_duplicates() before saving it",
            ));
        }
        let start = matrix.row_starts[i];
        for (at, (j, value)) in entries.into_iter().enumerate() {
            matrix.column_indices[start + at] = j as u32;
            matrix.values[start + at] = value;
        }
    }
    Ok(matrix)
}

/// Entries that are whole and not negative.
fn whole(array: Array) -> Option<Vec<usize>> {
    let Labels::Numbers(values) = array.values else {
        return None;
    };
    values
        .into_iter()
        .map(|value| {
            (value >= 0.0 && value.fract() == 0.0 && value < 2f64.powi(53))
                .then_some(value as usize)
        })
        .collect()
}

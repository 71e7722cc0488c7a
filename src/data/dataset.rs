//! A data set: rows of features with their targets, names and weights.

use super::factor::Factor;
use super::matrix::Matrix;

/// Rows of data as a file or a pair of files holds them. All rows are in the same order.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// n × d features, in the file's units; every value is finite, or NaN where it is missing and missing
    /// cells are kept.
    pub matrix: Matrix,
    /// d names, from the file where it has some.
    pub feature_names: Vec<String>,
    /// The columns of text that some of the features stand for, in their order.
    pub factors: Vec<Factor>,
    /// The targets, n values each; none where the file has none.
    pub targets: Vec<Target>,
    /// One weight per row, where the file has a column of them.
    pub weights: Option<Vec<f64>>,
    /// One offset per row of the linear predictor, where there are some.
    pub offset: Option<Vec<f64>>,
    /// The names that are the file's own.
    pub named: Named,
    /// The file or files that the data are from, for messages and reports.
    pub source: String,
}

/// The names of a data set that are a file's own, and not made up by its reader.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Named {
    /// Those of the features.
    pub features: bool,
    /// Those of the targets.
    pub targets: bool,
}

/// One target of a data set.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Its name: the column's, the array's, or `y`.
    pub name: String,
    /// One value per row.
    pub values: Labels,
}

/// The values of a target: numbers, or the text of class labels.
#[derive(Debug, Clone, PartialEq)]
pub enum Labels {
    /// All values are numbers, and finite.
    Numbers(Vec<f64>),
    /// At least one value is not a number, or not one that f64 tells from all others: `01`, `1e3`,
    /// whole numbers from 2⁵³ on.
    Text(Vec<String>),
}

impl Dataset {
    /// Number of rows n.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.matrix.rows()
    }

    /// The rows with the given indices, in that order.
    ///
    /// # Panics
    /// When an index is not below [`Dataset::rows`].
    #[must_use]
    pub fn select_rows(&self, rows: &[usize]) -> Self {
        Self {
            matrix: self.matrix.select_rows(rows),
            feature_names: self.feature_names.clone(),
            factors: self.factors.clone(),
            targets: self
                .targets
                .iter()
                .map(|target| Target {
                    name: target.name.clone(),
                    values: target.values.select(rows),
                })
                .collect(),
            weights: self
                .weights
                .as_ref()
                .map(|weights| rows.iter().map(|&i| weights[i]).collect()),
            offset: self
                .offset
                .as_ref()
                .map(|offset| rows.iter().map(|&i| offset[i]).collect()),
            named: self.named,
            source: self.source.clone(),
        }
    }
}

impl Labels {
    /// Number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Numbers(values) => values.len(),
            Self::Text(values) => values.len(),
        }
    }

    /// True when there is no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values at the given rows.
    ///
    /// # Panics
    /// When a row is not below [`Labels::len`].
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        match self {
            Self::Numbers(values) => Self::Numbers(rows.iter().map(|&i| values[i]).collect()),
            Self::Text(values) => Self::Text(rows.iter().map(|&i| values[i].clone()).collect()),
        }
    }
}

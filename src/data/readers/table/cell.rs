//! The cells and rows that a format hands to a table.

use crate::data::readers::columns::Columns;
use crate::error::Result;
use crate::real::shortest;

/// A cell of a table.
// Fields are all that there is in a build without Parquet.
#[cfg_attr(not(feature = "parquet"), allow(dead_code))]
#[derive(Debug, Clone, Copy)]
pub(in crate::data::readers) enum Cell<'a> {
    /// A field of a text file: a number, a text, or a way of writing that it is missing.
    Field(&'a str),
    /// Nothing, where the format has a mark for that.
    Missing,
    /// A number; NaN is missing.
    Number(f64),
    /// A finite number of less than 64 bits, and that which its shortest text is, from it.
    Narrow(f64, fn(f64) -> f64),
    /// A whole number of 2⁵³ or more in magnitude.
    Whole(i128),
    /// True or False.
    Flag(bool),
    /// A text, whatever it looks like.
    Text(&'a str),
}

impl Cell<'_> {
    /// The text that is the cell's label or level.
    pub(super) fn text(self) -> String {
        match self {
            Self::Field(text) | Self::Text(text) => text.to_string(),
            Self::Missing => String::new(),
            Self::Number(value) => shortest(value),
            Self::Narrow(value, short) => shortest(short(value)),
            Self::Whole(value) => value.to_string(),
            // As pandas writes it.
            Self::Flag(value) => if value { "True" } else { "False" }.to_string(),
        }
    }
}

/// The place of a row in its file, from 1.
#[cfg_attr(not(feature = "parquet"), allow(dead_code))]
#[derive(Debug, Clone, Copy)]
pub(in crate::data::readers) enum Position {
    Line(u64),
    Row(usize),
}

/// A row of a table.
pub(in crate::data::readers) trait Row {
    /// Number of its cells.
    fn len(&self) -> usize;

    /// Cell j, or the error that it cannot be read.
    fn cell(&self, j: usize, columns: &Columns, source: &str) -> Result<Cell<'_>>;

    /// Its place; only errors ask.
    fn position(&self) -> Position;
}

/// True for a number written with commas between thousands, or with one for the decimal point.
pub(in crate::data::readers) fn has_thousands(text: &str) -> bool {
    text.contains(',') && text.replace(',', "").parse::<f64>().is_ok()
}

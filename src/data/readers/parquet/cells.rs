//! Values of a column as cells of the table.

use std::mem::take;

use ::parquet::basic::{ConvertedType, LogicalType, Type as Physical};
use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use ::parquet::data_type::{ByteArray, DataType};
use ::parquet::errors::{ParquetError, Result};
use ::parquet::schema::types::ColumnDescriptor;
use half::f16;

use crate::data::readers::array::EXACT;
use crate::data::readers::table::Cell;

/// The kind of the values of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Flag,
    Signed,
    Unsigned,
    Real,
    /// Of four bytes.
    Single,
    /// Of two bytes.
    Half,
    /// Whole numbers over 10 to the power of the scale.
    Decimal {
        scale: usize,
    },
    Text,
}

/// The refusal of a column.
pub(super) struct Refusal {
    pub(super) what: String,
    pub(super) remedy: &'static str,
}

impl Refusal {
    pub(super) fn of(held: &str) -> Self {
        Self {
            what: format!("the column holds {held}"),
            remedy: "leave it out (--drop), or write what it says as columns of numbers or text",
        }
    }
}

impl Kind {
    /// The kind of a column that is not nested.
    ///
    /// # Errors
    /// [`Refusal`] of values that are neither numbers nor text.
    pub(super) fn of(column: &ColumnDescriptor) -> std::result::Result<Self, Refusal> {
        let refused = |held: &str| Err(Refusal::of(held));
        let own = match column.physical_type() {
            Physical::BOOLEAN => Self::Flag,
            Physical::INT32 | Physical::INT64 => Self::Signed,
            Physical::FLOAT => Self::Single,
            Physical::DOUBLE => Self::Real,
            Physical::INT96 => return refused(TIMESTAMPS),
            Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY => {
                return Self::of_bytes(column);
            }
        };
        let is_decimal = matches!(column.logical_type_ref(), Some(LogicalType::Decimal(_)))
            || column.converted_type() == ConvertedType::DECIMAL;
        if is_decimal {
            return Self::decimal(column);
        }
        match column.logical_type_ref() {
            Some(LogicalType::Date) => refused(DATES),
            Some(LogicalType::Time(_)) => refused(TIMES),
            Some(LogicalType::Timestamp(_)) => refused(TIMESTAMPS),
            Some(LogicalType::Integer(integer)) if !integer.is_signed => Ok(Self::Unsigned),
            Some(LogicalType::Integer(_) | LogicalType::Unknown) => Ok(own),
            Some(_) => refused(OTHER),
            None => match column.converted_type() {
                ConvertedType::DATE => refused(DATES),
                ConvertedType::TIME_MILLIS | ConvertedType::TIME_MICROS => refused(TIMES),
                ConvertedType::TIMESTAMP_MILLIS | ConvertedType::TIMESTAMP_MICROS => {
                    refused(TIMESTAMPS)
                }
                ConvertedType::UINT_8
                | ConvertedType::UINT_16
                | ConvertedType::UINT_32
                | ConvertedType::UINT_64 => Ok(Self::Unsigned),
                _ => Ok(own),
            },
        }
    }

    fn of_bytes(column: &ColumnDescriptor) -> std::result::Result<Self, Refusal> {
        let is_variable = column.physical_type() == Physical::BYTE_ARRAY;
        match (column.logical_type_ref(), column.converted_type()) {
            (Some(LogicalType::Decimal(_)), _) | (None, ConvertedType::DECIMAL) => {
                Self::decimal(column)
            }
            (Some(LogicalType::Float16), _) if column.type_length() == 2 => Ok(Self::Half),
            (Some(LogicalType::String | LogicalType::Enum), _)
            | (None, ConvertedType::UTF8 | ConvertedType::ENUM)
                if is_variable =>
            {
                Ok(Self::Text)
            }
            (Some(LogicalType::Json), _) | (None, ConvertedType::JSON) => Err(Refusal::of("JSON")),
            (Some(LogicalType::Uuid), _) => Err(Refusal::of("identifiers (UUID)")),
            (None, ConvertedType::INTERVAL) => Err(Refusal::of(TIMES)),
            (None, ConvertedType::NONE) => Err(Refusal {
                what: "the column holds bytes that are not said to be text".into(),
                remedy: "leave it out (--drop), or write it as strings",
            }),
            _ => Err(Refusal::of(OTHER)),
        }
    }

    fn decimal(column: &ColumnDescriptor) -> std::result::Result<Self, Refusal> {
        match usize::try_from(column.type_scale()) {
            Ok(scale)
                if column.type_precision() <= MOST_DIGITS && column.type_scale() <= MOST_DIGITS =>
            {
                Ok(Self::Decimal { scale })
            }
            _ => Err(Refusal::of("decimals of more than 38 digits")),
        }
    }
}

const DATES: &str = "dates";
const TIMES: &str = "times or durations";
const TIMESTAMPS: &str = "timestamps";
const OTHER: &str = "values that are neither numbers nor text";

/// Decimal digits that 128 bits hold.
const MOST_DIGITS: i32 = 38;

/// The cells of some rows.
#[derive(Debug)]
enum Cells {
    /// NaN where they are missing.
    Numbers(Vec<f64>),
    Wholes(Vec<Option<i128>>),
    Flags(Vec<Option<bool>>),
    /// Numbers with the digits that they have.
    Fields(Vec<Option<String>>),
    Texts(Vec<Option<ByteArray>>),
}

/// A column that is being read.
pub(super) struct Reader {
    column: ColumnReader,
    kind: Kind,
    cells: Cells,
}

impl Reader {
    pub(super) fn new(column: ColumnReader, kind: Kind) -> Self {
        Self {
            column,
            kind,
            cells: Cells::Numbers(Vec::new()),
        }
    }

    /// Reads the next rows.
    ///
    /// # Errors
    /// [`ParquetError`] when the file is damaged or has fewer.
    pub(super) fn read(&mut self, rows: usize) -> Result<()> {
        let kind = self.kind;
        // Their memory is filled again.
        let numbers = match &mut self.cells {
            Cells::Numbers(values) => take(values),
            _ => Vec::new(),
        };
        self.cells = match &mut self.column {
            ColumnReader::BoolColumnReader(column) => {
                Cells::Flags(spread(next(column, rows)?, Some))
            }
            ColumnReader::Int32ColumnReader(column) => {
                let values = next(column, rows)?;
                match kind {
                    Kind::Decimal { scale } => Cells::Fields(spread(values, |value| {
                        Some(decimal(i128::from(value), scale))
                    })),
                    Kind::Unsigned => {
                        of_numbers(numbers, values, |value| f64::from(value.cast_unsigned()))
                    }
                    _ => of_numbers(numbers, values, f64::from),
                }
            }
            ColumnReader::Int64ColumnReader(column) => {
                let values = next(column, rows)?;
                match kind {
                    Kind::Decimal { scale } => Cells::Fields(spread(values, |value| {
                        Some(decimal(i128::from(value), scale))
                    })),
                    Kind::Unsigned => {
                        of_wholes(numbers, values, |value| i128::from(value.cast_unsigned()))
                    }
                    _ => of_wholes(numbers, values, i128::from),
                }
            }
            ColumnReader::FloatColumnReader(column) => {
                of_numbers(numbers, next(column, rows)?, f64::from)
            }
            ColumnReader::DoubleColumnReader(column) => {
                of_numbers(numbers, next(column, rows)?, |value| value)
            }
            ColumnReader::ByteArrayColumnReader(column) => {
                let values = next(column, rows)?;
                match kind {
                    Kind::Decimal { scale } => of_decimals(values, scale)?,
                    _ => Cells::Texts(spread(values, Some)),
                }
            }
            ColumnReader::FixedLenByteArrayColumnReader(column) => {
                let values = next(column, rows)?;
                match kind {
                    Kind::Decimal { scale } => of_decimals(values, scale)?,
                    _ => of_halves(numbers, values)?,
                }
            }
            ColumnReader::Int96ColumnReader(_) => return Err(of_other_kind()),
        };
        Ok(())
    }

    /// Cell i of the rows that are read.
    ///
    /// # Errors
    /// [`ParquetError`] for text that is not UTF-8.
    pub(super) fn cell(&self, i: usize) -> Result<Cell<'_>> {
        Ok(match &self.cells {
            Cells::Numbers(values) => match self.kind {
                Kind::Single if values[i].is_finite() => Cell::Narrow(values[i], of_single),
                Kind::Half if values[i].is_finite() => Cell::Narrow(values[i], of_half),
                _ => Cell::Number(values[i]),
            },
            Cells::Wholes(values) => match values[i] {
                None => Cell::Missing,
                Some(value) if is_exact(value) => Cell::Number(value as f64),
                Some(value) => Cell::Whole(value),
            },
            Cells::Flags(values) => values[i].map_or(Cell::Missing, Cell::Flag),
            Cells::Fields(values) => values[i].as_deref().map_or(Cell::Missing, Cell::Field),
            Cells::Texts(values) => match &values[i] {
                None => Cell::Missing,
                Some(bytes) => Cell::Text(bytes.as_utf8()?),
            },
        })
    }
}

/// Values of the next rows: those that are there, and where.
struct Values<T> {
    present: Vec<T>,
    /// One for each row, above 0 where it has a value; none where all have one.
    levels: Option<Vec<i16>>,
}

/// The values of exactly that many rows.
fn next<T: DataType>(column: &mut ColumnReaderImpl<T>, rows: usize) -> Result<Values<T::T>> {
    let (mut present, mut levels) = (Vec::new(), Vec::new());
    let (read, values, found) = column.read_records(rows, Some(&mut levels), None, &mut present)?;
    let there = levels.iter().filter(|&&level| level > 0).count();
    let is_whole = read == rows && present.len() == values;
    let fits = if levels.is_empty() {
        values == rows
    } else {
        levels.len() == rows && found == rows && there == values
    };
    if !(is_whole && fits) {
        return Err(ParquetError::General(
            "a column has fewer rows than the footer says".into(),
        ));
    }
    Ok(Values {
        levels: (there < rows && !levels.is_empty()).then_some(levels),
        present,
    })
}

/// One item for each row, the default where there is no value.
fn spread<T, U: Default + Clone>(values: Values<T>, of: impl Fn(T) -> U) -> Vec<U> {
    let mut present = values.present.into_iter();
    match values.levels {
        None => present.map(of).collect(),
        Some(levels) => levels
            .iter()
            .map(|&level| match level {
                0 => U::default(),
                _ => present.next().map_or_else(U::default, &of),
            })
            .collect(),
    }
}

fn of_numbers<T>(mut numbers: Vec<f64>, values: Values<T>, of: impl Fn(T) -> f64) -> Cells {
    numbers.clear();
    let mut present = values.present.into_iter().map(of);
    match values.levels {
        None => numbers.extend(present),
        Some(levels) => numbers.extend(levels.iter().map(|&level| match level {
            0 => f64::NAN,
            _ => present.next().unwrap_or(f64::NAN),
        })),
    }
    Cells::Numbers(numbers)
}

/// True for whole numbers that f64 tells apart.
fn is_exact(value: i128) -> bool {
    value.unsigned_abs() < EXACT as u128
}

fn of_wholes(numbers: Vec<f64>, values: Values<i64>, of: impl Fn(i64) -> i128) -> Cells {
    if values.present.iter().all(|&value| is_exact(of(value))) {
        return of_numbers(numbers, values, |value| value as f64);
    }
    Cells::Wholes(spread(values, |value| Some(of(value))))
}

/// The values that their bytes stand for, if all of them do.
fn of_bytes<T>(
    values: Values<impl Into<ByteArray>>,
    of: impl Fn(&[u8]) -> Option<T>,
) -> Result<Values<T>> {
    let of = |value: _| of(Into::<ByteArray>::into(value).data());
    let present: Option<Vec<T>> = values.present.into_iter().map(of).collect();
    Ok(Values {
        present: present.ok_or_else(of_other_kind)?,
        levels: values.levels,
    })
}

fn of_halves(numbers: Vec<f64>, values: Values<impl Into<ByteArray>>) -> Result<Cells> {
    let half = |bytes: &[u8]| Some(f16::from_le_bytes(bytes.try_into().ok()?));
    let values = of_bytes(values, half)?;
    Ok(of_numbers(numbers, values, f64::from))
}

fn of_decimals(values: Values<impl Into<ByteArray>>, scale: usize) -> Result<Cells> {
    let values = of_bytes(values, big_endian)?;
    Ok(Cells::Fields(spread(values, |value| {
        Some(decimal(value, scale))
    })))
}

/// The number in two's complement, most significant byte first, where 128 bits hold it.
fn big_endian(bytes: &[u8]) -> Option<i128> {
    let sign = if bytes.first()? & 0x80 == 0 { 0 } else { 0xff };
    let surplus = bytes.len().saturating_sub(16);
    let (above, own) = bytes.split_at(surplus);
    let mut all = [sign; 16];
    all[16 - own.len()..].copy_from_slice(own);
    let value = i128::from_be_bytes(all);
    let keeps_sign = (value < 0) == (sign == 0xff);
    (above.iter().all(|&byte| byte == sign) && keeps_sign).then_some(value)
}

/// A decimal with all its digits: 1234 of scale 2 is 12.34.
fn decimal(unscaled: i128, scale: usize) -> String {
    let sign = if unscaled < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    if fraction.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}

/// The number that the shortest text of a value of 32 bits is: 0.1 of 0.10000000149011612.
fn of_single(value: f64) -> f64 {
    (value as f32).to_string().parse().unwrap_or(value)
}

/// The same of 16 bits, which five digits tell apart.
fn of_half(value: f64) -> f64 {
    (0..5)
        .filter_map(|digits| format!("{value:.digits$e}").parse().ok())
        .find(|&short| f16::from_f64(short).to_f64() == value)
        .unwrap_or(value)
}

fn of_other_kind() -> ParquetError {
    ParquetError::General("a value is not of its column's type".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_have_their_digits() {
        assert_eq!(decimal(1234, 2), "12.34");
        assert_eq!(decimal(-5, 3), "-0.005");
        assert_eq!(decimal(-50, 0), "-50");
        assert_eq!(decimal(0, 2), "0.00");
        let most = "-170141183460469231731687303715884105.728";
        assert_eq!(decimal(i128::MIN, 3), most);
    }

    #[test]
    fn the_shortest_numbers_of_a_width_are_that_value_and_no_other() {
        for text in [
            "0.1",
            "-0.3",
            "0",
            "1",
            "0.333",
            "65500",
            "0.00006104",
            "6e-8",
            "2048",
        ] {
            let short: f64 = text.parse().unwrap();
            assert_eq!(of_half(f16::from_f64(short).to_f64()), short);
            assert_eq!(of_single(f64::from(short as f32)), short);
        }
        for bits in (0..0x7c00).step_by(7) {
            let value = f16::from_bits(bits).to_f64();
            assert_eq!(f16::from_f64(of_half(value)).to_f64(), value);
        }
    }

    #[test]
    fn numbers_of_any_width_are_those_of_their_bytes() {
        assert_eq!(big_endian(&[0x04, 0xd2]), Some(1234));
        assert_eq!(big_endian(&[0xff]), Some(-1));
        assert_eq!(big_endian(&[0xff; 20]), Some(-1));
        assert_eq!(big_endian(&i128::MIN.to_be_bytes()), Some(i128::MIN));
        let mut wide = vec![0; 4];
        wide.extend(i128::MAX.to_be_bytes());
        assert_eq!(big_endian(&wide), Some(i128::MAX));
        wide[4] = 0x80;
        assert_eq!(big_endian(&wide), None);
        assert_eq!(big_endian(&[]), None);
    }
}

//! Rows of an export as a Parquet file: optional columns of numbers and text, compressed by Snappy, which every
//! reader knows.

use std::io::{Error, ErrorKind, Write};
use std::sync::Arc;

use ::parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use ::parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use ::parquet::schema::types::Type;

use super::{Field, Kind, unwritable};
use crate::error::Result;

/// Rows of a row group: what is held in memory.
const GROUP: usize = 65_536;

/// Values of a column, those that are there.
enum Values {
    Real(Vec<f64>),
    Whole(Vec<i64>),
    Text(Vec<ByteArray>),
}

/// A column of the current row group.
struct Column {
    /// 1 for each row that has a value, and 0 for the others.
    levels: Vec<i16>,
    values: Values,
}

/// Writes rows as a Parquet file.
pub(super) struct Writer<'a, W: Write> {
    out: &'a mut W,
    /// Encodes into memory, which `out` takes after every row group.
    file: SerializedFileWriter<Vec<u8>>,
    columns: Vec<Column>,
    rows: usize,
}

impl<'a, W: Write> Writer<'a, W> {
    pub(super) fn new(out: &'a mut W, columns: &[(&'static str, Kind)]) -> Result<Self> {
        let fields = columns.iter().map(|&(name, kind)| {
            let (physical, logical) = match kind {
                Kind::Real => (Physical::DOUBLE, None),
                Kind::Whole => (Physical::INT64, None),
                Kind::Text | Kind::Vector => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            };
            Type::primitive_type_builder(name, physical)
                .with_repetition(Repetition::OPTIONAL)
                .with_logical_type(logical)
                .build()
                .map(Arc::new)
        });
        let fields = fields.collect::<std::result::Result<Vec<_>, _>>();
        let schema = fields.and_then(|fields| {
            Type::group_type_builder("schema")
                .with_fields(fields)
                .build()
        });
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(concat!("proxdiff version ", env!("CARGO_PKG_VERSION")).into())
            .build();
        let schema = Arc::new(schema.map_err(of_parquet)?);
        let file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties));
        let column = |&(_, kind): &(&'static str, Kind)| Column {
            levels: Vec::new(),
            values: match kind {
                Kind::Real => Values::Real(Vec::new()),
                Kind::Whole => Values::Whole(Vec::new()),
                Kind::Text | Kind::Vector => Values::Text(Vec::new()),
            },
        };
        Ok(Self {
            out,
            file: file.map_err(of_parquet)?,
            columns: columns.iter().map(column).collect(),
            rows: 0,
        })
    }

    pub(super) fn row(&mut self, fields: &[Field]) -> Result<()> {
        for (column, field) in self.columns.iter_mut().zip(fields) {
            column.levels.push(i16::from(*field != Field::Absent));
            match (field, &mut column.values) {
                (Field::Absent, _) => {}
                (Field::Real(value), Values::Real(values)) => values.push(*value),
                (Field::Whole(value), Values::Real(values)) => values.push(*value as f64),
                (Field::Whole(value), Values::Whole(values)) => values.push(*value),
                (field, Values::Text(values)) => {
                    values.push(ByteArray::from(field.as_text().into_bytes()));
                }
                (
                    field @ (Field::Real(_) | Field::Text(_) | Field::Vector(_)),
                    Values::Real(_) | Values::Whole(_),
                ) => {
                    let text = field.as_text();
                    let what = format!("{text:?} does not fit the type of its column");
                    return Err(unwritable(Error::new(ErrorKind::InvalidData, what)));
                }
            }
        }
        self.rows += 1;
        if self.rows == GROUP {
            self.close_group()?;
        }
        Ok(())
    }

    fn close_group(&mut self) -> Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        self.rows = 0;
        let mut group = self.file.next_row_group().map_err(of_parquet)?;
        for column in &mut self.columns {
            let Some(writer) = group.next_column().map_err(of_parquet)? else {
                break;
            };
            let levels = &column.levels;
            match &mut column.values {
                Values::Real(values) => write::<DoubleType>(writer, values, levels),
                Values::Whole(values) => write::<Int64Type>(writer, values, levels),
                Values::Text(values) => write::<ByteArrayType>(writer, values, levels),
            }
            .map_err(of_parquet)?;
            column.levels.clear();
        }
        group.close().map_err(of_parquet)?;
        self.pass_on()
    }

    /// Gives what is encoded to the destination.
    fn pass_on(&mut self) -> Result<()> {
        self.file.flush().map_err(unwritable)?;
        let encoded = std::mem::take(self.file.inner_mut());
        self.out.write_all(&encoded).map_err(unwritable)
    }

    pub(super) fn end(mut self) -> Result<()> {
        self.close_group()?;
        self.file.finish().map_err(of_parquet)?;
        self.pass_on()
    }
}

/// Writes a column of the row group, and empties it.
fn write<T: DataType>(
    mut writer: SerializedColumnWriter<'_>,
    values: &mut Vec<T::T>,
    levels: &[i16],
) -> std::result::Result<(), ParquetError> {
    writer
        .typed::<T>()
        .write_batch(values, Some(levels), None)?;
    values.clear();
    writer.close()
}

fn of_parquet(error: ParquetError) -> crate::error::Error {
    unwritable(Error::other(error))
}

#[cfg(test)]
mod tests {
    use ::parquet::file::reader::{FileReader, SerializedFileReader};

    use super::*;

    #[test]
    fn a_value_that_is_not_of_its_column_is_an_error() {
        for (kind, field) in [
            (Kind::Whole, Field::Real(1.5)),
            (Kind::Whole, Field::Text("one".into())),
            (Kind::Real, Field::Vector(vec![1.0])),
        ] {
            let mut bytes = Vec::new();
            let mut writer = Writer::new(&mut bytes, &[("n", kind)]).unwrap();
            let error = writer.row(std::slice::from_ref(&field)).unwrap_err();
            let text = format!("{error} {:?}", std::error::Error::source(&error));
            assert!(text.contains("does not fit"), "{field:?}: {text}");
        }
    }

    #[test]
    fn columns_keep_names_types_and_absent_cells_over_row_groups() {
        let columns = [
            ("l1", Kind::Real),
            ("fold", Kind::Whole),
            ("status", Kind::Text),
            ("vector", Kind::Vector),
        ];
        let rows = GROUP + 3;
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes, &columns).unwrap();
        for i in 0..rows {
            let text = Field::Text(format!("s{}", i % 3));
            let vector = match i % 2 {
                0 => Field::Absent,
                _ => Field::Vector(vec![0.5, i as f64]),
            };
            let real = Field::Real(i as f64 / 3.0);
            let row = [real, Field::Whole(i as i64 - 1), text, vector];
            writer.row(&row).unwrap();
        }
        writer.end().unwrap();
        let file = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
        let metadata = file.metadata();
        assert_eq!(metadata.num_row_groups(), 2);
        assert_eq!(metadata.file_metadata().num_rows(), rows as i64);
        let schema = metadata.file_metadata().schema();
        let fields: Vec<(&str, Physical, bool)> = schema
            .get_fields()
            .iter()
            .map(|field| (field.name(), field.get_physical_type(), field.is_optional()))
            .collect();
        let expected = [
            ("l1", Physical::DOUBLE, true),
            ("fold", Physical::INT64, true),
            ("status", Physical::BYTE_ARRAY, true),
            ("vector", Physical::BYTE_ARRAY, true),
        ];
        assert_eq!(fields, expected);
        let last = file.get_row_iter(None).unwrap().last().unwrap().unwrap();
        let i = rows - 1;
        let expected = format!(
            "{{l1: {:?}, fold: {}, status: \"s{}\", vector: null}}",
            i as f64 / 3.0,
            i - 1,
            i % 3
        );
        assert_eq!(last.to_string(), expected);
    }
}

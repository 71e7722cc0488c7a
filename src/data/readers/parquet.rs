//! Tables of Parquet files: typed columns, of which those in use are read, a few thousand rows at a time.
//!
//! A value is read as the same table as CSV has it, but for what the types say: text is text, whatever it
//! looks like, and only what is null is missing, or not a number.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use ::parquet::basic::Compression;
use ::parquet::column::reader::get_column_reader;
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::ParquetMetaDataReader;
use ::parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use ::parquet::file::reader::ChunkReader;
use ::parquet::file::serialized_reader::SerializedPageReader;
use bytes::Bytes;
use serde::Deserialize;

use super::access::{bytes_of, first_bytes, name_of, stream, unreadable};
use super::columns::{Columns, Purpose, Role, distinct_names};
use super::foreign;
use super::options::{Categorical, Format, ReadOptions};
use super::part::{Part, bad};
use super::table::{Cell, Position, Row, Table, is_nameless};
use crate::error::{Error, Result};

mod cells;
mod durations;
mod guard;
mod pages;

use cells::{Kind, Reader};
use guard::guarded;

/// Cells that are read at once.
const BATCH: usize = 1 << 17;

/// Reads the table in a file, of which no more is in memory than what is being decoded.
///
/// # Errors
/// [`Error::Io`], and as [`parse`].
pub(super) fn read_file(path: &Path, purpose: Purpose<'_>, options: &ReadOptions) -> Result<Part> {
    let source = name_of(path);
    if let Some(bytes) = stream(path)? {
        foreign::check(bytes, Format::Parquet, &source)?;
        return of_chunks(Bytes::from_static(bytes), &source, purpose, options);
    }
    let about = std::fs::metadata(path).map_err(|e| unreadable(path, e))?;
    if !about.is_file() {
        // Of a directory the error says what to give.
        bytes_of(path)?;
    }
    foreign::check(
        &first_bytes(path, foreign::ENOUGH)?,
        Format::Parquet,
        &source,
    )?;
    let file = File::open(path).map_err(|e| unreadable(path, e))?;
    of_chunks(file, &source, purpose, options)
}

/// Reads the table in `bytes` for the purpose.
///
/// # Errors
/// [`Error::Data`] with row, column and remedy.
pub(super) fn parse(
    bytes: &[u8],
    source: &str,
    purpose: Purpose<'_>,
    options: &ReadOptions,
) -> Result<Part> {
    of_chunks(Bytes::copy_from_slice(bytes), source, purpose, options)
}

fn of_chunks(
    chunks: impl ChunkReader + 'static,
    source: &str,
    purpose: Purpose<'_>,
    options: &ReadOptions,
) -> Result<Part> {
    let metadata = guarded(|| ParquetMetaDataReader::new().parse_and_finish(&chunks));
    let metadata = &metadata.map_err(|error| damaged(&error, source))?;
    let chunks = Arc::new(chunks);
    let Fields { fields, index } = fields_of(metadata, purpose, options, source)?;
    let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    let names = distinct_names(&names, None, source)?;
    let columns = Columns {
        count: fields.len(),
        names: Some(names),
        may_be_text: true,
        index,
    };
    let is_nameless = is_nameless(fields[0].name.as_bytes());
    let mut table = Table::new(&columns, is_nameless, purpose, options, source)?;
    let durations = durations::columns(metadata);
    let kinds: Vec<Option<Kind>> = fields
        .iter()
        .zip(table.roles())
        .enumerate()
        .map(|(j, (field, &role))| match role {
            Role::Ignored => Ok(None),
            _ => field
                .kind(metadata, &durations)
                .map(Some)
                .map_err(|refusal| {
                    let column = Some(columns.label(j));
                    bad(source, None, column, refusal.what, refusal.remedy)
                }),
        })
        .collect::<Result<_>>()?;
    let rows = rows_of(metadata, source)?;
    table.reserve(rows)?;
    let used = kinds.iter().flatten().count();
    let batch = (BATCH / used.max(1)).clamp(16, 8192);
    let mut before = 0;
    for group in 0..metadata.num_row_groups() {
        let fault = |error: ParquetError| damaged(&error, source);
        let rows_of_group = group_rows(metadata, group, source)?;
        let mut readers = Vec::with_capacity(fields.len());
        for (field, kind) in fields.iter().zip(&kinds) {
            readers.push(match kind {
                None => None,
                Some(kind) => {
                    let chunk = metadata.row_group(group).column(field.leaf);
                    check_compression(chunk, source)?;
                    let column = guarded(|| {
                        pages::check(chunks.as_ref(), chunk)?;
                        let own = Arc::clone(&chunks);
                        let pages = SerializedPageReader::new(own, chunk, rows_of_group, None)?;
                        Ok(get_column_reader(chunk.column_descr_ptr(), Box::new(pages)))
                    });
                    Some(Reader::new(column.map_err(fault)?, *kind))
                }
            });
        }
        let mut left = rows_of_group;
        while left > 0 {
            let count = left.min(batch);
            for (j, reader) in readers.iter_mut().enumerate() {
                let Some(reader) = reader else { continue };
                guarded(|| reader.read(count)).map_err(|error| {
                    let column = Some(columns.label(j));
                    bad(source, None, column, unreadable_column(&error), AGAIN)
                })?;
            }
            for i in 0..count {
                table.push(&RowOfBatch {
                    readers: &readers,
                    i,
                    number: before + i + 1,
                })?;
            }
            before += count;
            left -= count;
        }
    }
    table.finish()
}

/// A row among those that are read.
struct RowOfBatch<'a> {
    readers: &'a [Option<Reader>],
    i: usize,
    number: usize,
}

impl Row for RowOfBatch<'_> {
    fn len(&self) -> usize {
        self.readers.len()
    }

    fn cell(&self, j: usize, columns: &Columns, source: &str) -> Result<Cell<'_>> {
        let Some(reader) = &self.readers[j] else {
            return Ok(Cell::Missing);
        };
        reader.cell(self.i).map_err(|_| {
            bad(
                source,
                None,
                Some(columns.label(j)),
                format!("row {}: the text is not encoded as UTF-8", self.number),
                "write the column as strings",
            )
        })
    }

    fn position(&self) -> Position {
        Position::Row(self.number)
    }
}

/// A column of the table: a field of the schema's root, whose first leaf is at `leaf`.
struct FileField {
    name: String,
    leaf: usize,
    is_nested: bool,
}

impl FileField {
    fn kind(
        &self,
        metadata: &ParquetMetaData,
        durations: &[String],
    ) -> std::result::Result<Kind, cells::Refusal> {
        if durations.contains(&self.name) {
            return Err(cells::Refusal::of("durations"));
        }
        if self.is_nested {
            return Err(cells::Refusal::of(
                "nested values (a list, a map or a structure)",
            ));
        }
        Kind::of(&metadata.file_metadata().schema_descr().column(self.leaf))
    }
}

/// The fields of a table, and how many of them at the end are its index.
struct Fields {
    fields: Vec<FileField>,
    index: usize,
}

/// The fields in the order in which a CSV file has them: without the index of a table of pandas, or with all of it in
/// front. What a flag names of it stands behind, so that no other flag's position changes.
///
/// # Errors
/// [`Error::Data`] when there is none.
fn fields_of(
    metadata: &ParquetMetaData,
    purpose: Purpose<'_>,
    options: &ReadOptions,
    source: &str,
) -> Result<Fields> {
    let schema = metadata.file_metadata().schema_descr();
    let mut fields: Vec<FileField> = Vec::new();
    let mut last = None;
    for leaf in 0..schema.num_columns() {
        let root = schema.get_column_root_idx(leaf);
        if last == Some(root) {
            continue;
        }
        last = Some(root);
        let field = schema.get_column_root(leaf);
        fields.push(FileField {
            name: field.name().to_string(),
            leaf,
            is_nested: field.is_group() || schema.column(leaf).max_rep_level() > 0,
        });
    }
    let index = index_names(metadata);
    let (of_index, mut fields): (Vec<_>, Vec<_>) = fields
        .into_iter()
        .partition(|field| index.contains(&field.name));
    let is_only_index = fields.is_empty();
    let (kept, left_out): (Vec<_>, Vec<_>) = of_index.into_iter().partition(|field| {
        is_only_index || options.keep_index || is_asked_for(&field.name, purpose, options)
    });
    if let Some(field) = left_out.first() {
        log::warn!(
            "{source}: the index of the table (\"{}\") is left out; --keep-index takes it as the first column",
            field.name
        );
    }
    let mut index = 0;
    if is_only_index || options.keep_index {
        fields.splice(..0, kept);
    } else {
        index = kept.len();
        fields.extend(kept);
    }
    if fields.is_empty() {
        return Err(bad(
            source,
            None,
            None,
            "the file has no columns",
            "give at least one column",
        ));
    }
    Ok(Fields { fields, index })
}

/// True for a column that a flag, or other data, names for the purpose.
fn is_asked_for(name: &String, purpose: Purpose<'_>, options: &ReadOptions) -> bool {
    let expected = match purpose {
        Purpose::Model(model) => Some(model),
        _ => options.expected.as_ref(),
    };
    let is_level =
        matches!(&options.categorical, Categorical::Named(names) if names.contains(name));
    let is_of_features = is_level || options.only.contains(name) || options.ignore.contains(name);
    let is_named = match purpose {
        // All columns of a file of targets that names none are targets.
        Purpose::Targets => options.targets.contains(name),
        Purpose::Features => is_of_features,
        Purpose::Dataset | Purpose::Model(_) => is_of_features || options.targets.contains(name),
    };
    is_named
        || options.weights_column.as_ref() == Some(name)
        || options.group_column.as_ref() == Some(name)
        || expected.is_some_and(|expected| {
            expected.columns().contains(name) || expected.targets.contains(name)
        })
}

/// The text that the footer has for a key.
fn value_of<'a>(metadata: &'a ParquetMetaData, key: &str) -> Option<&'a str> {
    let pairs = metadata.file_metadata().key_value_metadata();
    let pair = pairs.into_iter().flatten().find(|pair| pair.key == key);
    pair?.value.as_deref()
}

/// The columns that pandas says are the index of its table.
fn index_names(metadata: &ParquetMetaData) -> Vec<String> {
    #[derive(Deserialize)]
    struct Pandas {
        /// Names, or descriptions of ranges that no column holds.
        index_columns: Vec<serde_json::Value>,
    }
    let pandas = value_of(metadata, "pandas");
    let pandas = pandas.and_then(|text| serde_json::from_str::<Pandas>(text).ok());
    let columns = pandas.map_or(Vec::new(), |pandas| pandas.index_columns);
    let name = |column: &serde_json::Value| column.as_str().map(str::to_string);
    columns.iter().filter_map(name).collect()
}

/// The number of rows, which the footer says in several places that must agree: nothing is reserved for a
/// number that one damaged byte has made.
///
/// # Errors
/// [`Error::Data`] when they do not, or there is none.
fn rows_of(metadata: &ParquetMetaData, source: &str) -> Result<usize> {
    let mut rows = 0usize;
    for group in 0..metadata.num_row_groups() {
        rows = rows.saturating_add(group_rows(metadata, group, source)?);
    }
    if usize::try_from(metadata.file_metadata().num_rows()).ok() != Some(rows) {
        return Err(disagreement(source));
    }
    if rows == 0 {
        return Err(bad(
            source,
            None,
            None,
            "the file has no row of data",
            "give at least one row",
        ));
    }
    Ok(rows)
}

fn group_rows(metadata: &ParquetMetaData, group: usize, source: &str) -> Result<usize> {
    let group = metadata.row_group(group);
    let rows = group.num_rows();
    let agrees = group.columns().iter().all(|column| {
        let is_flat = column.column_descr().max_rep_level() == 0;
        !is_flat || column.num_values() == rows
    });
    match usize::try_from(rows) {
        Ok(rows) if agrees => Ok(rows),
        _ => Err(disagreement(source)),
    }
}

/// Refuses a compression whose decoder is not built in.
fn check_compression(column: &ColumnChunkMetaData, source: &str) -> Result<()> {
    let name = match column.compression() {
        Compression::BROTLI(_) => "Brotli",
        Compression::LZO => "LZO",
        _ => return Ok(()),
    };
    Err(bad(
        source,
        None,
        None,
        format!("the columns are compressed by {name}"),
        "write the file compressed by zstd, snappy, gzip or lz4",
    ))
}

const AGAIN: &str = "copy the file again, or write it again";

fn disagreement(source: &str) -> Error {
    bad(
        source,
        None,
        None,
        "the Parquet file is damaged: its footer says different numbers of rows",
        AGAIN,
    )
}

fn unreadable_column(error: &ParquetError) -> String {
    format!("the Parquet file cannot be read: {}", plain(error))
}

fn damaged(error: &ParquetError, source: &str) -> Error {
    bad(source, None, None, unreadable_column(error), AGAIN)
}

/// The error's own words, in one line.
fn plain(error: &ParquetError) -> String {
    let text = match error {
        ParquetError::General(text) | ParquetError::NYI(text) | ParquetError::EOF(text) => {
            text.clone()
        }
        other => other.to_string(),
    };
    text.lines().next().unwrap_or_default().to_string()
}

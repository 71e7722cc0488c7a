//! A small writer of Parquet files: one page per column chunk, plain values, definition levels for
//! what is absent, no compression. Everything that reads Parquet reads this.
//!
//! The footer is Thrift's compact protocol: a field is a byte `(id delta << 4) | type` and its value;
//! integers are zigzag varints.

use std::io::Write;

use super::{Field, Kind, unwritable};
use crate::error::Result;

/// Rows of a row group: what is held in memory.
const GROUP: usize = 65_536;

/// Physical types of the format.
const INT64: i32 = 2;
const DOUBLE: i32 = 5;
const BYTE_ARRAY: i32 = 6;

/// A column of the current row group.
struct Column {
    name: &'static str,
    kind: Kind,
    /// Whether a row has a value, row by row.
    present: Vec<bool>,
    /// Plain values of those.
    values: Vec<u8>,
}

/// The place of a column chunk.
struct Chunk {
    offset: u64,
    size: u64,
    values: usize,
}

/// Writes rows as a Parquet file.
pub(super) struct Writer<'a, W: Write> {
    out: &'a mut W,
    written: u64,
    columns: Vec<Column>,
    rows: usize,
    groups: Vec<(usize, Vec<Chunk>)>,
}

impl<'a, W: Write> Writer<'a, W> {
    pub(super) fn new(out: &'a mut W, columns: &[(&'static str, Kind)]) -> Result<Self> {
        let column = |&(name, kind): &(&'static str, Kind)| Column {
            name,
            kind,
            present: Vec::new(),
            values: Vec::new(),
        };
        let mut writer = Self {
            out,
            written: 0,
            columns: columns.iter().map(column).collect(),
            rows: 0,
            groups: Vec::new(),
        };
        writer.write(b"PAR1")?;
        Ok(writer)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.written += bytes.len() as u64;
        self.out.write_all(bytes).map_err(unwritable)
    }

    pub(super) fn row(&mut self, fields: &[Field]) -> Result<()> {
        for (column, field) in self.columns.iter_mut().zip(fields) {
            column.present.push(*field != Field::Absent);
            match (field, column.kind) {
                (Field::Absent, _) => {}
                (Field::Real(value), _) => column.values.extend(value.to_le_bytes()),
                (Field::Whole(value), Kind::Whole) => column.values.extend(value.to_le_bytes()),
                (Field::Whole(value), _) => column.values.extend((*value as f64).to_le_bytes()),
                (Field::Text(_) | Field::Vector(_), _) => {
                    let text = field.as_text();
                    column.values.extend((text.len() as u32).to_le_bytes());
                    column.values.extend(text.as_bytes());
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
        let mut chunks = Vec::with_capacity(self.columns.len());
        for at in 0..self.columns.len() {
            let column = &mut self.columns[at];
            let present = std::mem::take(&mut column.present);
            let values = std::mem::take(&mut column.values);
            let mut page = levels(&present);
            page.extend(values);
            let mut header = Thrift::default();
            header.int(1, 0); // a data page
            header.int(2, page.len() as i64);
            header.int(3, page.len() as i64);
            header.open(5);
            header.int(1, present.len() as i64);
            header.int(2, 0); // plain
            header.int(3, 3); // definition levels by run length
            header.int(4, 3); // repetition levels likewise; there are none
            header.close();
            header.stop();
            let offset = self.written;
            self.write(&header.bytes)?;
            self.write(&page)?;
            chunks.push(Chunk {
                offset,
                size: self.written - offset,
                values: present.len(),
            });
        }
        self.groups.push((self.rows, chunks));
        self.rows = 0;
        Ok(())
    }

    pub(super) fn end(mut self) -> Result<()> {
        self.close_group()?;
        let footer = self.footer();
        self.write(&footer)?;
        self.write(&(footer.len() as u32).to_le_bytes())?;
        self.write(b"PAR1")
    }

    fn footer(&self) -> Vec<u8> {
        let mut t = Thrift::default();
        t.int(1, 1); // version
        t.list(2, self.columns.len() + 1);
        t.element();
        t.text(4, "schema");
        t.int(5, self.columns.len() as i64);
        t.stop_element();
        for column in &self.columns {
            t.element();
            t.int(1, i64::from(column.physical()));
            t.int(3, 1); // optional
            t.text(4, column.name);
            if column.physical() == BYTE_ARRAY {
                t.int(6, 0); // UTF-8
            }
            t.stop_element();
        }
        let rows: usize = self.groups.iter().map(|(rows, _)| rows).sum();
        t.long(3, rows as i64);
        t.list(4, self.groups.len());
        for (rows, chunks) in &self.groups {
            t.element();
            t.list(1, chunks.len());
            for (chunk, column) in chunks.iter().zip(&self.columns) {
                t.element();
                t.long(2, chunk.offset as i64);
                t.open(3);
                t.int(1, i64::from(column.physical()));
                t.ints(2, &[0, 3]); // plain, run length
                t.texts(3, &[column.name]);
                t.int(4, 0); // uncompressed
                t.long(5, chunk.values as i64);
                t.long(6, chunk.size as i64);
                t.long(7, chunk.size as i64);
                t.long(9, chunk.offset as i64);
                t.close();
                t.stop_element();
            }
            let size: u64 = chunks.iter().map(|chunk| chunk.size).sum();
            t.long(2, size as i64);
            t.long(3, *rows as i64);
            t.stop_element();
        }
        t.text(6, concat!("proxdiff version ", env!("CARGO_PKG_VERSION")));
        t.stop();
        t.bytes
    }
}

impl Column {
    fn physical(&self) -> i32 {
        match self.kind {
            Kind::Real => DOUBLE,
            Kind::Whole => INT64,
            Kind::Text | Kind::Vector => BYTE_ARRAY,
        }
    }
}

/// Definition levels of one bit: a length, then runs of `count << 1` and the value.
fn levels(present: &[bool]) -> Vec<u8> {
    let mut runs = Vec::new();
    let mut at = 0;
    while at < present.len() {
        let value = present[at];
        let length = present[at..].iter().take_while(|&&p| p == value).count();
        varint((length as u64) << 1, &mut runs);
        runs.push(u8::from(value));
        at += length;
    }
    let mut bytes = (runs.len() as u32).to_le_bytes().to_vec();
    bytes.extend(runs);
    bytes
}

fn varint(mut value: u64, bytes: &mut Vec<u8>) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// Thrift's compact protocol, as far as a footer needs it.
#[derive(Default)]
struct Thrift {
    bytes: Vec<u8>,
    /// The last field number of every open structure.
    last: Vec<i16>,
    current: i16,
}

impl Thrift {
    fn field(&mut self, id: i16, kind: u8) {
        let delta = id - self.current;
        // Fields ascend by less than 16 in everything that is written here.
        self.bytes.push(((delta as u8) << 4) | kind);
        self.current = id;
    }

    fn int(&mut self, id: i16, value: i64) {
        self.field(id, 5);
        varint(zigzag(value), &mut self.bytes);
    }

    fn long(&mut self, id: i16, value: i64) {
        self.field(id, 6);
        varint(zigzag(value), &mut self.bytes);
    }

    fn text(&mut self, id: i16, text: &str) {
        self.field(id, 8);
        self.plain_text(text);
    }

    fn plain_text(&mut self, text: &str) {
        varint(text.len() as u64, &mut self.bytes);
        self.bytes.extend(text.as_bytes());
    }

    fn head(&mut self, length: usize, kind: u8) {
        if length < 15 {
            self.bytes.push(((length as u8) << 4) | kind);
        } else {
            self.bytes.push(0xf0 | kind);
            varint(length as u64, &mut self.bytes);
        }
    }

    /// A list of structures: each is written between `element` and `stop_element`.
    fn list(&mut self, id: i16, length: usize) {
        self.field(id, 9);
        self.head(length, 12);
    }

    fn ints(&mut self, id: i16, values: &[i64]) {
        self.field(id, 9);
        self.head(values.len(), 5);
        for &value in values {
            varint(zigzag(value), &mut self.bytes);
        }
    }

    fn texts(&mut self, id: i16, texts: &[&str]) {
        self.field(id, 9);
        self.head(texts.len(), 8);
        texts.iter().for_each(|text| self.plain_text(text));
    }

    fn open(&mut self, id: i16) {
        self.field(id, 12);
        self.element();
    }

    fn close(&mut self) {
        self.stop_element();
    }

    fn element(&mut self) {
        self.last.push(self.current);
        self.current = 0;
    }

    fn stop_element(&mut self) {
        self.stop();
        self.current = self.last.pop().unwrap_or(0);
    }

    fn stop(&mut self) {
        self.bytes.push(0);
    }
}

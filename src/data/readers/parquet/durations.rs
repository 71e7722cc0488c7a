//! The columns of durations, which Parquet has no type for: writers leave whole numbers, and what they are in a key of
//! the footer.

use ::parquet::file::metadata::ParquetMetaData;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::value_of;

/// The names of the columns that pandas or the schema of Arrow says are durations.
pub(super) fn columns(metadata: &ParquetMetaData) -> Vec<String> {
    let mut names = of_pandas(metadata).unwrap_or_default();
    names.extend(of_arrow(metadata).unwrap_or_default());
    names
}

fn of_pandas(metadata: &ParquetMetaData) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    struct Pandas {
        columns: Vec<Column>,
    }
    #[derive(Deserialize)]
    struct Column {
        field_name: Option<String>,
        numpy_type: String,
    }
    let pandas: Pandas = serde_json::from_str(value_of(metadata, "pandas")?).ok()?;
    let columns = pandas.columns.into_iter();
    let durations = columns.filter(|column| column.numpy_type.starts_with("timedelta64"));
    Some(durations.filter_map(|column| column.field_name).collect())
}

/// The number of durations among the types of Arrow.
const DURATION: u8 = 18;

/// Of a message in Arrow's form of exchange: its header is a schema, the schema has fields, a field a name and a type.
fn of_arrow(metadata: &ParquetMetaData) -> Option<Vec<String>> {
    let bytes = STANDARD.decode(value_of(metadata, "ARROW:schema")?).ok()?;
    // Four bytes that continue, where there are some, and four of the length.
    let message = match bytes.strip_prefix(&[0xff; 4]) {
        Some(rest) => rest.get(4..)?,
        None => bytes.get(4..)?,
    };
    let schema = Place::root(message)?.field(2)?.referred()?;
    let fields = schema.field(1)?.referred()?;
    let mut names = Vec::new();
    for i in 0..fields.number()? {
        let field = fields.after(4 + 4 * i as usize).referred()?;
        if field.field(2).and_then(Place::byte) == Some(DURATION) {
            names.extend(field.field(0).and_then(|name| name.referred()?.text()));
        }
    }
    Some(names)
}

/// A place in a FlatBuffer, which refers to others by distances.
#[derive(Clone, Copy)]
struct Place<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Place<'a> {
    fn root(bytes: &'a [u8]) -> Option<Self> {
        Self { bytes, at: 0 }.referred()
    }

    fn after(self, distance: usize) -> Self {
        Self {
            at: self.at.saturating_add(distance),
            ..self
        }
    }

    fn some<const N: usize>(self) -> Option<[u8; N]> {
        self.bytes
            .get(self.at..self.at.checked_add(N)?)?
            .try_into()
            .ok()
    }

    fn byte(self) -> Option<u8> {
        self.some::<1>().map(|[byte]| byte)
    }

    fn number(self) -> Option<u32> {
        self.some().map(u32::from_le_bytes)
    }

    /// The place that the distance here refers to.
    fn referred(self) -> Option<Self> {
        Some(self.after(self.number()? as usize))
    }

    /// Field i of the table here, where it has one.
    fn field(self, i: usize) -> Option<Self> {
        let back = i32::from_le_bytes(self.some()?);
        let at = i64::try_from(self.at).ok()? - i64::from(back);
        let places = Self {
            at: usize::try_from(at).ok()?,
            ..self
        };
        let size = u16::from_le_bytes(places.some()?);
        let slot = 4 + 2 * i;
        if slot + 2 > usize::from(size) {
            return None;
        }
        let distance = u16::from_le_bytes(places.after(slot).some()?);
        (distance != 0).then(|| self.after(usize::from(distance)))
    }

    /// The text here: its length and its bytes.
    fn text(self) -> Option<String> {
        let start = self.after(4).at;
        let end = start.checked_add(self.number()? as usize)?;
        String::from_utf8(self.bytes.get(start..end)?.to_vec()).ok()
    }
}

//! Exports as tables of named columns.

use crate::support::ok;

/// The rows of a CSV text, by column name.
pub struct Table {
    names: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    pub fn parse(text: &str) -> Self {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let names = reader.headers().unwrap().iter().map(String::from).collect();
        let rows = reader
            .records()
            .map(|row| row.unwrap().iter().map(String::from).collect())
            .collect();
        Self { names, rows }
    }

    /// The cells of a store.
    pub fn cells(store: &str) -> Self {
        Self::parse(&ok(&["runs", "export", store]))
    }

    /// The points of a store.
    pub fn points(store: &str) -> Self {
        Self::parse(&ok(&["runs", "export", store, "--mean"]))
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn texts(&self, name: &str) -> Vec<&str> {
        let at = self.names.iter().position(|n| n == name);
        let at = at.unwrap_or_else(|| panic!("no column {name} in {:?}", self.names));
        self.rows.iter().map(|row| row[at].as_str()).collect()
    }

    /// The numbers of a column; NaN where it is empty.
    pub fn numbers(&self, name: &str) -> Vec<f64> {
        let number = |text: &str| {
            if text.is_empty() {
                f64::NAN
            } else {
                text.parse().unwrap()
            }
        };
        self.texts(name).into_iter().map(number).collect()
    }
}

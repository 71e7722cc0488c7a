//! The lines on which the settings of a configuration file stand, for messages.

use std::collections::BTreeMap;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use crate::cli::failure::Failure;
use crate::error::{Error, Place};

/// A part of a configuration file: its top level, or one of its studies.
#[derive(Debug, Clone, Default)]
pub struct Provenance {
    /// The file, and the study where there are several.
    place: String,
    /// The lines on which the settings of this part stand, by name.
    lines: BTreeMap<String, u64>,
}

impl Provenance {
    /// The top level of a file.
    pub fn of_file(path: &Path, text: &str) -> Self {
        let mut provenance = Self {
            place: path.display().to_string(),
            lines: BTreeMap::new(),
        };
        if let Ok(table) = DeTable::parse(text) {
            provenance.collect(text, table.get_ref());
        }
        provenance
    }

    /// A study of the file, by its number from 0: what it has in common with the others stands at
    /// the top.
    pub fn of_study(&self, text: &str, number: usize) -> Self {
        let mut provenance = self.clone();
        let name = DeTable::parse(text).ok().and_then(|table| {
            let studies = table.get_ref().get("study")?.get_ref().as_array()?;
            let study = studies.get(number)?.get_ref().as_table()?;
            provenance.collect(text, study);
            let name = study.get("name")?.get_ref().as_str()?;
            Some(name.to_string())
        });
        let name = name.unwrap_or_else(|| (number + 1).to_string());
        provenance.place = format!("{}, study {name}", self.place);
        provenance
    }

    /// The place of a setting; the whole part where no setting, or an unknown one, is named.
    pub fn of(&self, setting: Option<&str>) -> Place {
        Place {
            source: self.place.clone(),
            line: setting.and_then(|name| self.lines.get(name)).copied(),
            column: None,
        }
    }

    /// An error about a setting.
    pub fn error(&self, setting: Option<&str>, what: String, remedy: &str) -> Failure {
        Failure::from(Error::Data {
            place: self.of(setting),
            what,
            remedy: remedy.into(),
        })
    }

    /// The lines of a table, those of inner tables among them.
    fn collect(&mut self, text: &str, table: &DeTable<'_>) {
        for (key, value) in table.iter() {
            if let DeValue::Table(inner) = value.get_ref() {
                self.collect(text, inner);
            } else {
                let line = line_of(text, key.span().start);
                self.lines.insert(key.get_ref().replace('_', "-"), line);
            }
        }
    }
}

/// The line of a place in a text, from 1.
pub fn line_of(text: &str, at: usize) -> u64 {
    let before = text.as_bytes().iter().take(at);
    1 + before.filter(|&&byte| byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_found_on_their_lines() {
        let text =
            "cv = 5\n[space]\nl1_ratio = 0.5\n\n[[study]]\nname = \"a\"\n[[study]]\ncv = 3\n";
        let file = Provenance::of_file(Path::new("f.toml"), text);
        let show = |provenance: &Provenance, name| provenance.of(Some(name)).to_string();
        assert_eq!(show(&file, "cv"), "f.toml, line 1");
        assert_eq!(show(&file, "l1-ratio"), "f.toml, line 3");
        assert_eq!(show(&file, "loss"), "f.toml");
        assert_eq!(
            show(&file.of_study(text, 0), "cv"),
            "f.toml, study a, line 1"
        );
        assert_eq!(
            show(&file.of_study(text, 1), "cv"),
            "f.toml, study 2, line 8"
        );
        assert_eq!(
            show(&file.of_study(text, 0), "name"),
            "f.toml, study a, line 6"
        );
    }
}

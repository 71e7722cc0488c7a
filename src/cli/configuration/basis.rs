//! The data and the model of a study, for the head of a report.

use clap::ValueEnum;

use super::data::read_labels;
use super::study::Study;
use crate::data::labels::names_of;
use crate::error::Result;
use crate::report::Basis;
use crate::sweep::plan::loss_setting;

impl Study<'_> {
    /// The data and the model.
    pub fn basis(&self) -> Basis {
        let all = &self.tables().all;
        // A matrix that has been moved to its problem leaves none of its rows.
        let rows = all.targets.first().map(|target| target.values.len());
        let penalty = self.arguments.penalty.to_possible_value();
        Basis {
            data: all.source.clone(),
            rows: Some(rows.unwrap_or_else(|| all.rows())),
            columns: Some(all.feature_names.len()),
            loss: loss_setting(self.loss()),
            penalty: penalty.map_or(String::new(), |name| name.get_name().to_string()),
            seed: Some(self.data.seed),
        }
    }

    /// The name of what a fit of a target predicts: the target's, or of two classes the one that is found.
    pub fn found_name(&self, target: usize) -> String {
        let all = &self.tables().all.targets;
        let name = all.get(target).map_or("", |target| target.name.as_str());
        match self.classes.get(target).and_then(Option::as_ref) {
            Some(classes) if classes.names.len() == 2 => {
                format!("{name} {}", classes.names[1])
            }
            _ => name.to_string(),
        }
    }

    /// The names that the column of --id gives the rows, where there is one.
    ///
    /// # Errors
    /// Those of reading it.
    pub fn row_names(&self) -> Result<Option<Vec<String>>> {
        let Some(id) = &self.data.id else {
            return Ok(None);
        };
        let labels = read_labels(self.data, "--id", id, &self.tables().all)?;
        Ok(Some(names_of(&labels)))
    }
}

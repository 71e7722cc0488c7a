//! The plan of a tuning, by which a store knows its evaluations again.

use super::{Subject, Tuner};
use crate::error::{Error, Result};
use crate::hypergrad::Settings;
use crate::kinds::Method;
use crate::sweep::compress::Compression;
use crate::sweep::plan::without_points;
use crate::sweep::record::{Plan, SearchKind};
use crate::sweep::study::Study;
use crate::tune::kept::{Kept, WHOLE};
use crate::tune::restated::in_words;
use crate::tune::variable::Variable;

impl<'a> Tuner<'a> {
    /// The plan of the tuning: its data, its folds, and in the settings everything that decides what an evaluation is,
    /// the version of the program among it. It has no points: a search finds them. With other evaluations, threads
    /// and time the plan is the same; with anything else that changes a result it is another one.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a problem that cannot be stated again.
    pub fn plan(&self, configuration: String) -> Result<Plan> {
        let study = self.study()?;
        let study = match (study, &self.subject) {
            (Some(study), _) => study,
            (None, Subject::Problem(problem)) => std::borrow::Cow::Owned(self.restated(problem)?),
            (None, Subject::Study(study)) => std::borrow::Cow::Borrowed(*study),
        };
        self.plan_of(&study, configuration)
    }

    fn plan_of(&self, study: &Study, configuration: String) -> Result<Plan> {
        let settings = Settings {
            method: Some(self.resources.settings.method.unwrap_or(Method::AidCg)),
            ..self.resources.settings.clone()
        };
        let mut record = without_points(study, &settings, settings.precision);
        let mut lines = vec![SearchKind::Tuning.setting(), record.settings];
        lines.push(format!("version = {}", env!("CARGO_PKG_VERSION")));
        lines.push(format!("guard = {:?}", self.guard));
        if let Some(sure) = self.sure {
            lines.push(format!("criterion-rule = {sure:?}"));
        }
        lines.push(format!("at = {}", in_words(&self.rest)));
        if !self.starts.is_empty() {
            let starts: Vec<String> = self.starts.iter().map(in_words).collect();
            lines.push(format!("from = {}", starts.join("; ")));
        }
        let variables: Vec<String> = self.variables.iter().map(named).collect();
        lines.push(format!("tune = {}", variables.join(", ")));
        record.settings = lines.join("\n");
        Ok(Plan {
            studies: vec![record],
            configuration,
        })
    }

    /// The part of the tuning whose evaluations are kept, where a store keeps them.
    pub(super) fn kept(&self, study: Option<&Study>) -> Result<Option<Kept<'a>>> {
        let Some(store) = self.store else {
            return Ok(None);
        };
        let Some(study) = study else {
            return Err(Error::unsupported(
                "a store of a tuning without a study",
                "leave the store out",
            ));
        };
        let plan = self.plan_of(study, String::new())?;
        // Whether factors stand for the rows depends on how many evaluations there may be, which is no part of the
        // plan; their results have other last digits.
        let is_compressed = (self.folds.is_some() || matches!(self.subject, Subject::Study(_)))
            && self.sure.is_none()
            && Compression::pays(study, self.resources.max_evaluations);
        let mut study = plan.digests().map(|(_, digest)| digest).concat();
        if is_compressed {
            study.push_str("factors");
        }
        Ok(Some(Kept {
            store,
            study,
            part: self.part.clone(),
            device: self.resources.settings.device.name(),
        }))
    }
}

impl Kept<'_> {
    /// The same for the tunings within an outer fold of a guard, from 0.
    pub(in crate::tune) fn of_outer_fold(&self, number: usize) -> Self {
        Self {
            part: self.part_within(&format!("outer fold {}", number + 1)),
            ..self.clone()
        }
    }

    /// The name of a part within this one.
    pub(in crate::tune) fn part_within(&self, name: &str) -> String {
        match self.part.as_str() {
            WHOLE => name.to_string(),
            part => format!("{part}, {name}"),
        }
    }
}

/// A variable with its bounds, start and ties, where these are given.
fn named(variable: &Variable) -> String {
    let mut line = variable.hyperparameter.name().to_string();
    if let Some((lower, upper)) = variable.bounds {
        line.push_str(&format!(" within {lower}:{upper}"));
    }
    if let Some(start) = variable.start {
        line.push_str(&format!(" from {start}"));
    }
    if let Some(ties) = &variable.ties {
        let hash = xxhash_rust::xxh3::xxh3_64(bytemuck::cast_slice(ties));
        line.push_str(&format!(" tied ({hash:016x})"));
    }
    line
}

//! The plan of a meta-learning, by which a store knows its evaluations again.

use std::hash::Hasher;

use xxhash_rust::xxh3::Xxh3Default;

use super::learning::{MetaLearning, too_few};
use crate::error::Result;
use crate::hypergrad::Settings;
use crate::kinds::Method;
use crate::sweep::plan::without_points;
use crate::sweep::record::{Plan, PlanFold, SearchKind};
use crate::sweep::study::hash_values;
use crate::tune::groups::Groups;
use crate::tune::kept::Kept;
use crate::tune::restated::{in_words, restated};

impl<'a> MetaLearning<'a> {
    /// The plan of the learning: its tasks as one study, and in the settings everything that decides what an evaluation
    /// is, the version of the program among it. Its folds are groups of tasks. With other evaluations, threads and
    /// time the plan is the same, and with other tasks to compare on; with anything else that changes a result it is
    /// another one.
    ///
    /// # Errors
    /// [`Error::Value`](crate::Error::Value) without tasks; [`Error::Unsupported`](crate::Error::Unsupported) for a task
    /// that cannot be stated again.
    pub fn plan(&self, configuration: String) -> Result<Plan> {
        let [first, ..] = self.tasks else {
            return Err(too_few(0));
        };
        let settings = Settings {
            method: Some(self.resources.settings.method.unwrap_or(Method::AidCg)),
            ..self.resources.settings.clone()
        };
        let record = |task| -> Result<_> {
            let study = restated(task, None, &settings)?;
            Ok(without_points(&study, &settings, settings.precision))
        };
        let mut record_of_all = record(first)?;
        let mut hash = Xxh3Default::new();
        for task in self.tasks {
            let own = record(task)?;
            for text in [&own.settings, &own.fingerprint] {
                hash.write_u64(text.len() as u64);
                hash.write(text.as_bytes());
            }
            hash_values(&mut hash, &task.features().scale);
        }
        let names: Vec<&str> = self.variables.iter().map(|v| v.name()).collect();
        let lines = [
            SearchKind::MetaLearning.setting(),
            record_of_all.settings,
            format!("version = {}", env!("CARGO_PKG_VERSION")),
            format!("guard = {:?}", self.guard),
            format!("at = {}", in_words(&self.at)),
            format!("tune = {}", names.join(", ")),
            format!("tasks = {}", self.tasks.len() / self.splits.max(1)),
            format!("splits = {}", self.splits),
        ];
        record_of_all.settings = lines.join("\n");
        record_of_all.fingerprint = format!("{:032x}", hash.digest128());
        let groups = Groups::of(self.tasks.len());
        let fold = |group: usize| {
            let own = &self.tasks[groups.range(group)];
            PlanFold {
                number: group as i64,
                repeat: 0,
                training_rows: own.iter().map(|task| task.train().rows()).sum(),
                held_out_rows: own.iter().map(|task| task.criterion().sample.rows()).sum(),
            }
        };
        record_of_all.folds = (0..groups.count()).map(fold).collect();
        Ok(Plan {
            studies: vec![record_of_all],
            configuration,
        })
    }

    /// The part whose evaluations are kept, where a store keeps them.
    pub(super) fn kept(&self) -> Result<Option<Kept<'a>>> {
        let Some(store) = self.store else {
            return Ok(None);
        };
        let plan = self.plan(String::new())?;
        Ok(Some(Kept {
            store,
            study: plan.digests().map(|(_, digest)| digest).concat(),
            part: self.part.clone(),
            device: self.resources.settings.device.name(),
        }))
    }
}

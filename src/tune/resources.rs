//! The resources of a search: its budget, and how an evaluation is made.

use crate::control::Control;
use crate::error::{Error, Result};
use crate::hypergrad::Settings;

/// The budget of a search, the solver of its evaluations, and what stops it.
#[derive(Debug, Clone)]
pub(super) struct Resources {
    pub(super) max_evaluations: usize,
    pub(super) settings: Settings,
    pub(super) control: Control,
}

impl Resources {
    pub(super) fn new(max_evaluations: usize) -> Self {
        Self {
            max_evaluations,
            settings: Settings::default(),
            control: Control::new(),
        }
    }

    /// Refuses a budget of nothing.
    pub(super) fn check(&self, done: &str, default: usize) -> Result<()> {
        if self.max_evaluations > 0 {
            return Ok(());
        }
        Err(Error::value(
            "max-evaluations",
            format!("with 0 nothing can be {done}"),
            format!("allow 1 evaluation or more; {default} is the default"),
        ))
    }
}

/// The choices of a search that has `resources`.
macro_rules! resource_choices {
    ($max_evaluations:literal, $settings:literal, $control:literal) => {
        #[doc = $max_evaluations]
        pub fn max_evaluations(mut self, count: usize) -> Self {
            self.resources.max_evaluations = count;
            self
        }

        #[doc = $settings]
        pub fn settings(mut self, settings: &Settings) -> Self {
            self.resources.settings.clone_from(settings);
            self
        }

        #[doc = $control]
        pub fn control(mut self, control: &Control) -> Self {
            self.resources.control = control.clone();
            self
        }
    };
}
pub(super) use resource_choices;

//! The lines of a study's settings that are read again.

use super::{Plan, Study};
use crate::kinds::tag;
use crate::sweep::resamples::Resampling;

/// The line of a study's settings that asks for no hypergradient.
pub(crate) const NO_METHOD: &str = "method = none";
/// The beginning of the line of a study's settings that says the exponent of adaptive weights.
pub(crate) const ADAPTIVE: &str = "adaptive = ";
/// The beginnings of the lines of a study's settings that say how its resamples are drawn, and the names of
/// its features.
pub(crate) const RESAMPLING: &str = "resampling = ";
/// See [`RESAMPLING`].
pub(crate) const FEATURES: &str = "features = ";
/// The beginning of the line of a study's settings that says its loss.
const LOSS: &str = "loss = ";
/// The beginning of the line of a study's settings that says its penalty.
const PENALTY: &str = "penalty = ";
/// The line of a study's settings with intercepts.
const INTERCEPT: &str = "intercept = true";
/// The beginning of the line of a study's settings that says the share of a relaxed fit.
pub(crate) const RELAX: &str = "relax = ";

/// The beginning of the line of a study's settings that says that it has no points: a search finds them.
const COMMAND: &str = "command = ";

tag! {
    /// A search whose evaluations a store keeps, by its command.
    pub enum SearchKind {
        /// A tuning.
        Tuning = "tune";
        /// Meta-learning.
        MetaLearning = "meta";
    }
}

impl SearchKind {
    /// The line of a study's settings that says so.
    pub(crate) fn setting(self) -> String {
        format!("{COMMAND}{}", self.name())
    }

    /// The one that the lines of a study's settings say; `None` of a sweep.
    #[must_use]
    pub fn of_settings(settings: &str) -> Option<Self> {
        let mut lines = settings.lines();
        let command = lines.find_map(|line| line.strip_prefix(COMMAND))?;
        command.parse().ok()
    }

    /// The noun for it, without an article.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Tuning => "tuning",
            Self::MetaLearning => "meta-learning",
        }
    }

    /// The same at the beginning of a title.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Tuning => "Tuning",
            Self::MetaLearning => "Meta-learning",
        }
    }

    /// One such run, with its article.
    #[must_use]
    pub fn one(self) -> &'static str {
        match self {
            Self::Tuning => "a tuning",
            Self::MetaLearning => "a meta-learning",
        }
    }
}

impl Plan {
    /// The search whose evaluations its store keeps; `None` of a sweep.
    #[must_use]
    pub fn search(&self) -> Option<SearchKind> {
        self.studies.iter().find_map(Study::search)
    }
}

impl Study {
    /// The search that finds its points, whose evaluations a store keeps; `None` of a sweep.
    #[must_use]
    pub fn search(&self) -> Option<SearchKind> {
        SearchKind::of_settings(&self.settings)
    }

    /// Whether it has no points, and a store keeps the evaluations of a search.
    #[must_use]
    pub fn is_tuned(&self) -> bool {
        self.search().is_some()
    }

    /// The share φ of its relaxed fits, if they are relaxed.
    #[must_use]
    pub fn relax(&self) -> Option<f64> {
        self.setting(RELAX)?.parse().ok()
    }

    /// How features are chosen on resamples, if its folds are such.
    #[must_use]
    pub fn resampling(&self) -> Option<Resampling> {
        Some(Resampling {
            drawing: self.setting(RESAMPLING)?.parse().ok()?,
            features: serde_json::from_str(self.setting(FEATURES)?).ok()?,
        })
    }

    /// Its loss, as its settings say it.
    #[must_use]
    pub fn loss_setting(&self) -> Option<&str> {
        self.setting(LOSS)
    }

    /// Its penalty, as its settings say it.
    #[must_use]
    pub fn penalty_setting(&self) -> Option<&str> {
        self.setting(PENALTY)
    }

    /// Whether its strengths are weighed by first fits.
    #[must_use]
    pub fn is_adaptive(&self) -> bool {
        self.setting(ADAPTIVE).is_some()
    }

    /// Whether its folds are resamples.
    #[must_use]
    pub fn is_resampled(&self) -> bool {
        self.setting(RESAMPLING).is_some()
    }

    /// Whether its problems have intercepts.
    #[must_use]
    pub(crate) fn has_intercept(&self) -> bool {
        self.settings.lines().any(|line| line == INTERCEPT)
    }

    /// The rest of the first line of the settings that begins so.
    fn setting(&self, start: &str) -> Option<&str> {
        let mut lines = self.settings.lines();
        lines.find_map(|line| line.strip_prefix(start))
    }
}

//! The prior mean: numbers of a file, or a saved model.

use std::path::Path;

use super::Study;
use crate::cli::model::Model;
use crate::error::{Error, Result};
use crate::problem::PriorUnits;

impl Study<'_> {
    /// The prior mean that the flags name, and its units.
    pub(super) fn prior(&self, coordinates: usize) -> Result<(Option<Vec<f64>>, PriorUnits)> {
        match self.arguments.prior.as_deref() {
            None => Ok((None, PriorUnits::Scaled)),
            Some(path) if Model::is_named_by(path) => {
                Ok((Some(self.prior_of_model(path)?), PriorUnits::Data))
            }
            Some(path) => Ok((Some(self.numbers(path, coordinates)?), PriorUnits::Scaled)),
        }
    }

    /// The coefficients of a model.
    ///
    /// # Errors
    /// [`Error::Shape`] and [`Error::Unsupported`] for a model of other columns or classes, or of several
    /// targets; those of reading it.
    fn prior_of_model(&self, path: &Path) -> Result<Vec<f64>> {
        let model = Model::load(path)?;
        let name = || format!("prior {}", path.display());
        let ([target], [coefficients]) = (model.targets.as_slice(), model.coefficients.as_slice())
        else {
            return Err(Error::unsupported(
                format!("{} of {} targets", name(), model.targets.len()),
                "give a model of one target",
            ));
        };
        let train = &self.tables().all;
        let both_named = model.features_are_named == Some(true) && train.named.features;
        if model.feature_names.len() != train.feature_names.len()
            || (both_named && model.feature_names != train.feature_names)
        {
            return Err(Error::shape(
                name(),
                format!("the columns {}", train.feature_names.join(", ")),
                model.feature_names.join(", "),
                "give a model of the same columns in the same order",
            ));
        }
        let classes = self.classes.first().and_then(Option::as_ref);
        let classes = classes.map(|classes| classes.names.as_slice());
        if target.classes.as_deref() != classes {
            let text = |names: Option<&[String]>| names.map_or("numbers".into(), |n| n.join(", "));
            return Err(Error::shape(
                name(),
                text(classes),
                text(target.classes.as_deref()),
                "give a model of the same classes",
            ));
        }
        Ok(coefficients.clone())
    }
}

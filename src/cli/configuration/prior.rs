//! The prior mean that a saved model is.

use std::path::Path;

use super::Study;
use crate::cli::model::Model;
use crate::data::dataset::Dataset;
use crate::data::design;
use crate::error::{Error, Result};
use crate::problem::Specification;

impl Study<'_> {
    /// Takes the prior from a model, where there is one and the rows are there: its units are those of their
    /// scaled columns.
    pub(super) fn take_prior(&self, specification: &mut Specification) -> Result<()> {
        let path = self.arguments.prior.as_deref();
        let Some(path) = path.filter(|path| Model::is_named_by(path)) else {
            return Ok(());
        };
        if specification.train.matrix.rows() == 0 {
            return Ok(());
        }
        let classes = self.classes.first().and_then(Option::as_ref);
        let classes = classes.map(|classes| classes.names.as_slice());
        let own = of_model(path, &self.tables().all, classes, specification)?;
        specification.prior = Some(own);
        Ok(())
    }
}

/// The coefficients of a model as the prior mean of a problem, in units of its scaled columns.
///
/// # Errors
/// [`Error::Shape`] and [`Error::Unsupported`] for a model of other columns or classes, or of several
/// targets; those of reading it.
fn of_model(
    path: &Path,
    train: &Dataset,
    classes: Option<&[String]>,
    stated: &Specification,
) -> Result<Vec<f64>> {
    let model = Model::load(path)?;
    let name = || format!("prior {}", path.display());
    let ([target], [coefficients]) = (model.targets.as_slice(), model.coefficients.as_slice())
    else {
        return Err(Error::unsupported(
            format!("{} of {} targets", name(), model.targets.len()),
            "give a model of one target",
        ));
    };
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
    if target.classes.as_deref() != classes {
        let text = |names: Option<&[String]>| names.map_or("numbers".into(), |n| n.join(", "));
        return Err(Error::shape(
            name(),
            text(classes),
            text(target.classes.as_deref()),
            "give a model of the same classes",
        ));
    }
    let rows = stated.train.matrix.rows();
    let weight = |row: usize| {
        let own = stated.train.weights.as_ref().map_or(1.0, |w| w[row]);
        own * stated.weight_factors.as_ref().map_or(1.0, |f| f[row])
    };
    let weights: Vec<f64> = (0..rows).map(weight).collect();
    let scale = design::measure(&stated.train.matrix, &weights, stated.scaling).scale;
    let predictors = coefficients.len() / scale.len().max(1);
    let entries = coefficients.iter().enumerate();
    Ok(entries
        .map(|(at, c)| c * scale[at / predictors.max(1)])
        .collect())
}

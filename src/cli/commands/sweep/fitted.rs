//! The fits at the choices of a sweep, for its report: to all rows, and to those of every fold.

use crate::cli::output::{Coefficients, FittedTarget, Summary, coefficient_names};
use crate::cli::runtime::Runtime;
use crate::model::loss::Loss;
use crate::problem::Point;
use crate::sweep::held_out::Predicted;
use crate::sweep::record::Plan;
use crate::sweep::study::{FoldProblem, Study};

/// The remark where the fits at the choices were not made.
const STOPPED: &str = "the sweep was stopped before the fit at the best point was made, so that no coefficients and no held-out rows \
     are shown";

/// Per study the fits of its targets at their best points, or why a target has none; nothing to say without a
/// choice and of what has no rows. One that cannot be made is warned of: the results of the sweep are not lost to
/// its report.
pub(super) fn at_choices(
    plan: &Plan,
    studies: &[Study],
    runtime: &Runtime,
    summary: &Summary<'_>,
) -> Vec<Vec<Result<FittedTarget, String>>> {
    let of_study = |(number, study): (usize, &Study)| {
        let record = &plan.studies[number];
        let has_rows = study.specification.loss != Loss::Quadratic && !study.is_compressed;
        let of_target = |target: usize| -> Result<FittedTarget, String> {
            let mut choices = summary.choices(number).iter();
            let choice = choices.find(|choice| choice.target == target);
            let Some(choice) = choice.filter(|_| has_rows) else {
                return Err(String::new());
            };
            if runtime.control().should_stop() {
                return Err(STOPPED.into());
            }
            let best = &record.points[summary.summaries(number)[choice.best].point];
            let point = Point::new(best.l1, best.l2).of_target(target);
            let fitted = runtime.pool().install(|| fitted(study, &point, runtime));
            fitted.map_err(|error| {
                if runtime.control().should_stop() {
                    return STOPPED.into();
                }
                log::warn!("the report has no coefficients of {}: {error}", study.name);
                format!("no coefficients and no held-out rows are shown: {error}")
            })
        };
        (0..study.targets.len()).map(of_target).collect()
    };
    studies.iter().enumerate().map(of_study).collect()
}

/// The fit of a study at a point.
fn fitted(study: &Study, point: &Point, runtime: &Runtime) -> crate::error::Result<FittedTarget> {
    let target = point.target;
    let problem = FoldProblem::plain(study.whole()?);
    let outcome = study.fitted(&problem, point, runtime.control())?;
    let classes = study.classes.get(target).cloned().unwrap_or_default();
    let has_many = study.specification.loss == Loss::Multinomial;
    let names = coefficient_names(&study.features, has_many.then_some(classes.as_slice()));
    let name = study.targets.get(target).cloned().unwrap_or_default();
    let found = match classes.as_slice() {
        [_, second] => format!("{name} {second}"),
        _ => name.clone(),
    };
    Ok(FittedTarget {
        loss: study.specification.loss,
        target: name,
        classes,
        coefficients: Coefficients::of(&problem, &outcome, names, found),
        held_out: held_out(study, point, runtime)?,
    })
}

/// The held-out rows of every fold, or why there are none.
fn held_out(
    study: &Study,
    point: &Point,
    runtime: &Runtime,
) -> crate::error::Result<Result<Vec<Predicted>, String>> {
    if let Some(why) = FittedTarget::why_no_rows(study) {
        return Ok(Err(why));
    }
    study.predicted(point, runtime.control()).map(Ok)
}

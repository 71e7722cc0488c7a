//! The page of a fit, and the parts that it has in common with a sweep's: coefficients by name, held-out rows.

use super::coefficients::Coefficients;
use super::held_out::HeldOutRows;
use crate::cli::configuration::{Prepared, Study};
use crate::cli::failure::Failure;
use crate::cli::numbers::{rough, short, significant};
use crate::cli::output::chosen::{Chosen, choice_cells, title};
use crate::cli::output::names::coefficient_names;
use crate::cli::output::pages::{Chart, ReportFolder, sentence};
use crate::cli::output::scores::Tested;
use crate::hypergrad::Outcome;
use crate::model::loss::Loss;
use crate::report::Section;
use crate::sweep::held_out::Predicted;
use crate::sweep::study::Study as SweepStudy;

/// The remark where no row was held out.
const NOTHING_HELD_OUT: &str = "no row was held out: folds, as of --cv 5, or rows set aside show how the fit predicts rows that it has not seen";

/// A fit of one target, as a page shows it.
pub struct FittedTarget {
    /// The loss of the fit.
    pub loss: Loss,
    /// The name of the target.
    pub target: String,
    /// The names of its classes; empty for numbers.
    pub classes: Vec<String>,
    /// The coefficients.
    pub coefficients: Coefficients,
    /// Held-out rows of every fold as the fits to its other rows predict them; or why there are none.
    pub held_out: Result<Vec<Predicted>, String>,
}

impl FittedTarget {
    /// The reason why a page shows no held-out rows of a study; `None` where it has some.
    pub fn why_no_rows(study: &SweepStudy) -> Option<String> {
        if study.resampling.is_some() {
            let why =
                "resamples leave out some rows again and again, so that no held-out rows are shown";
            return Some(why.into());
        }
        (!study.holds_out_rows()).then(|| NOTHING_HELD_OUT.into())
    }

    /// The charts of the fit. `slug` makes the name of a file of that of a chart.
    pub fn charts(&self, slug: &dyn Fn(&str) -> String) -> Vec<Chart> {
        let mut charts = Vec::new();
        charts.extend(self.coefficients.chart(slug("coefficients")));
        if let Ok(parts) = &self.held_out {
            let chart = self.rows(parts, "held-out").chart(slug("held-out"));
            charts.extend(chart);
        }
        charts
    }

    /// Rows that the fit has not seen, with what names them.
    fn rows<'a>(&'a self, parts: &'a [Predicted], noun: &'static str) -> HeldOutRows<'a> {
        HeldOutRows {
            loss: self.loss,
            classes: &self.classes,
            target: &self.target,
            parts,
            noun,
        }
    }

    /// The remark on held-out rows that are not there.
    pub fn remark(&self) -> Option<Section> {
        let why = self.held_out.as_ref().err()?;
        (!why.is_empty()).then(|| sentence(why.clone()))
    }
}

/// A fit with what explains it.
pub struct FitPage<'a> {
    /// Data, names and classes.
    pub study: &'a Study<'a>,
    /// The problem on all rows.
    pub prepared: &'a Prepared,
    /// One outcome per target.
    pub outcomes: &'a [Outcome],
    /// The numbers on which the choices rest, where points were chosen.
    pub chosen: Option<&'a [Chosen]>,
    /// Per target the held-out rows of every fold, where the choice was made on them; or why there are none.
    pub held_out: &'a [Result<Vec<Predicted>, String>],
    /// Per target the scores on test rows; none without such.
    pub tested: &'a [Tested],
    /// Per target the test rows.
    pub predicted: &'a [Predicted],
    /// The number of rows that were set aside.
    pub set_aside: usize,
    /// The reason why no model was saved, where none was.
    pub not_saved: Option<String>,
}

impl FitPage<'_> {
    /// Writes the page.
    ///
    /// # Errors
    /// Those of [`ReportFolder::write`].
    pub fn write(&self, folder: &ReportFolder<'_>) -> Result<(), Failure> {
        let (mut sections, mut charts) = (Vec::new(), Vec::new());
        sections.extend(self.not_saved.clone().map(sentence));
        if let Some(chosen) = self.chosen
            && let Some(first) = chosen.first()
        {
            sections.push(sentence(title(first)));
            let (head, rows) = choice_cells(chosen);
            sections.push(Section::Table { head, rows });
        }
        sections.push(self.fits());
        for (number, outcome) in self.outcomes.iter().enumerate() {
            let fitted = self.fitted(number, outcome);
            if self.outcomes.len() > 1 {
                sections.push(Section::Heading(fitted.target.clone()));
            }
            sections.extend(fitted.remark());
            let slug = |chart: &str| format!("{}-{chart}", number + 1);
            let mut drawn = fitted.charts(&slug);
            let test = self.tested.get(number).zip(self.predicted.get(number));
            if let Some((tested, rows)) = test {
                let (head, row) = tested.cells();
                let rows_of = fitted.rows(std::slice::from_ref(rows), "test");
                drawn.extend(rows_of.chart(slug("test")));
                sections.push(Section::Text("Scores on test rows:".into()));
                sections.push(Section::Table {
                    head,
                    rows: vec![row],
                });
            }
            sections.extend(drawn.iter().map(Chart::section));
            sections.extend(fitted.coefficients.table());
            charts.extend(drawn);
        }
        let mut basis = self.study.basis();
        basis.rows = basis.rows.map(|rows| rows + self.set_aside);
        let title = format!("Fit of {}", self.study.source());
        folder.write(&title, vec![basis], sections, &charts)
    }

    fn fitted(&self, number: usize, outcome: &Outcome) -> FittedTarget {
        let study = self.study;
        let at = outcome.point.target;
        let classes = study.classes.get(at).and_then(Option::as_ref);
        let classes = classes.map_or(&[][..], |classes| &classes.names);
        let of_predictors = (study.predictors > 1).then_some(classes);
        let targets = study.target_names();
        let none = || Err(self.no_rows());
        FittedTarget {
            loss: study.loss(),
            target: targets.get(at).map_or(String::new(), ToString::to_string),
            classes: classes.to_vec(),
            coefficients: Coefficients::of(
                &self.prepared.problem,
                outcome,
                coefficient_names(study.feature_names(), of_predictors),
                study.found_name(at),
            ),
            held_out: self.held_out.get(number).cloned().unwrap_or_else(none),
        }
    }

    /// The remark where nothing was held out.
    fn no_rows(&self) -> String {
        if self.tested.is_empty() && self.study.loss() != Loss::Quadratic {
            NOTHING_HELD_OUT.into()
        } else {
            String::new()
        }
    }

    /// A table of the fits.
    fn fits(&self) -> Section {
        let targets = self.study.target_names();
        let row = |outcome: &Outcome| {
            let name = targets.get(outcome.point.target);
            vec![
                name.map_or(String::new(), ToString::to_string),
                short(outcome.point.l1),
                short(outcome.point.l2),
                significant(outcome.objective),
                outcome.support.to_string(),
                rough(outcome.residual),
                outcome.status.name().into(),
            ]
        };
        let rows = self.prepared.rows;
        let first = match self.set_aside {
            0 => "fit to all rows".into(),
            aside => format!("fit to {rows} of {} rows", rows + aside),
        };
        let others = ["l1", "l2", "objective", "support", "residual", "status"];
        let others = others.into_iter().map(String::from);
        Section::Table {
            head: std::iter::once(first).chain(others).collect(),
            rows: self.outcomes.iter().map(row).collect(),
        }
    }
}

//! The page of a cleaning: the most suspect rows, the weights, and the error along the way.

use super::of_rows;
use crate::cli::failure::Failure;
use crate::cli::numbers::{counted, rough, significant};
use crate::cli::output::cleaned::CleanedReport;
use crate::cli::output::pages::{Chart, ReportFolder, sentence};
use crate::report::{Axis, Bar, Mark, Plot, Section, Series, SignedBars, Theme};

/// The most rows of a table in a page.
const MOST_ROWS: usize = 1000;
/// The most bars of suspect rows.
const MOST_BARS: usize = 30;
/// Parts of the weights from 0 to 1.
const PARTS: usize = 10;
/// The most places of a curve.
const MOST_PLACES: usize = 400;

impl CleanedReport<'_> {
    /// Writes the page.
    ///
    /// # Errors
    /// Those of [`ReportFolder::write`].
    pub fn write_page(&self, folder: &ReportFolder<'_>) -> Result<(), Failure> {
        let mut charts = vec![self.evidence_bars(), self.histogram()];
        charts.extend(self.error_along_the_way());
        charts.extend(self.precision_and_recall());
        let (head, rows) = self.outcomes();
        let mut sections = vec![Section::Table { head, rows }];
        sections.extend(self.remarks().into_iter().map(sentence));
        sections.extend(charts.iter().map(Chart::section));
        sections.push(Section::Heading(of_rows(false).into()));
        let ranking = &self.found.ranking;
        let (head, rows) = self.suspect_cells(ranking.len().min(MOST_ROWS));
        sections.push(Section::Table { head, rows });
        if ranking.len() > MOST_ROWS {
            sections.push(Section::Text(format!(
                "The table has the {MOST_ROWS} most suspect rows of {}; --format csv writes all.",
                ranking.len()
            )));
        }
        let title = format!("Cleaning of {}", self.study.source());
        folder.write(&title, vec![self.study.basis()], sections, &charts)
    }

    fn evidence_bars(&self) -> Chart {
        let found = self.found;
        let bar = |&row: &usize| Bar {
            label: self.row_name(row),
            value: found.evidence[row],
            text: significant(found.evidence[row]),
        };
        let ranking = &found.ranking;
        let count = ranking.len().min(self.top).min(MOST_BARS);
        let bars = SignedBars {
            title: "Evidence against rows".into(),
            subtitle: format!(
                "the {count} most suspect of {}",
                counted(ranking.len(), "row")
            ),
            bars: ranking.iter().take(count).map(bar).collect(),
        };
        Chart {
            name: "evidence".into(),
            caption: "The most suspect rows, and the loss of each at the best fit.".into(),
            svg: Box::new(move |theme: Theme| bars.svg(theme)),
        }
    }

    /// How many rows have weights of each tenth.
    fn histogram(&self) -> Chart {
        let weights = &self.found.weights;
        let mut counts = [0usize; PARTS];
        for &weight in weights {
            counts[((weight * PARTS as f64) as usize).min(PARTS - 1)] += 1;
        }
        let bar = |(at, &count): (usize, &usize)| Bar {
            label: format!(
                "{:.1} to {:.1}",
                at as f64 / PARTS as f64,
                (at + 1) as f64 / PARTS as f64
            ),
            value: count as f64,
            text: count.to_string(),
        };
        let bars = SignedBars {
            title: "Weights of rows".into(),
            subtitle: format!("of {}", counted(weights.len(), "row")),
            bars: counts.iter().enumerate().map(bar).collect(),
        };
        Chart {
            name: "weights".into(),
            caption: "How many rows have a weight from 0 (left out) to 1 (kept).".into(),
            svg: Box::new(move |theme: Theme| bars.svg(theme)),
        }
    }

    /// The error on trusted rows by evaluation, with the fit that is kept.
    fn error_along_the_way(&self) -> Option<Chart> {
        let found = self.found;
        let steps = &found.steps;
        if steps.len() < 2 {
            return None;
        }
        let x = |value: usize| value as f64;
        // The descents go by the criterion.
        let kept = steps
            .iter()
            .min_by(|a, b| a.criterion.total_cmp(&b.criterion))
            .filter(|_| found.is_better);
        let plot = Plot {
            title: "Error along the way".into(),
            subtitle: format!(
                "{} on {}",
                self.error_name(),
                counted(found.judging_rows, "judging row")
            ),
            x: Axis::linear("fits"),
            y: Axis::linear(self.error_name()),
            series: vec![
                Series {
                    label: "with weights".into(),
                    x: steps.iter().map(|step| x(step.evaluation)).collect(),
                    y: steps.iter().map(|step| step.error).collect(),
                    markers: true,
                    ..Series::default()
                },
                Series {
                    label: "all rows".into(),
                    x: steps.iter().map(|step| x(step.evaluation)).collect(),
                    y: steps.iter().map(|_| found.first.error).collect(),
                    dashed: true,
                    ..Series::default()
                },
            ],
            marks: kept
                .map(|step| Mark {
                    x: x(step.evaluation),
                    label: "kept".into(),
                })
                .into_iter()
                .collect(),
            ..Plot::default()
        };
        Some(Chart {
            name: "error".into(),
            caption: if found.is_better {
                "The error on the trusted rows that judge, fit by fit: the fit that is marked is kept, and those after \
                 it fit these rows by chance."
            } else {
                "The error on the trusted rows that judge, fit by fit: none does better than all rows by more than \
                 chance, and all keep their weights."
            }
            .into(),
            svg: Box::new(move |theme: Theme| plot.svg(theme)),
        })
    }

    /// Precision against recall of the ranking, where it is known which rows are wrong.
    fn precision_and_recall(&self) -> Option<Chart> {
        let (wrong, detection) = (self.corrupted?, self.detection?);
        let all = wrong.iter().filter(|wrong| **wrong).count();
        if all == 0 {
            return None;
        }
        let mut hits = 0;
        let mut places: Vec<[f64; 2]> = Vec::new();
        for (at, &row) in self.found.ranking.iter().enumerate() {
            hits += usize::from(wrong[row]);
            places.push([hits as f64 / all as f64, hits as f64 / (at + 1) as f64]);
        }
        let each = places.len().div_ceil(MOST_PLACES).max(1);
        let last = places.len() - 1;
        let kept = |at: usize| at.is_multiple_of(each) || at == last;
        let shown: Vec<[f64; 2]> = (0..places.len())
            .filter(|&at| kept(at))
            .map(|at| places[at])
            .collect();
        let share = all as f64 / wrong.len() as f64;
        let plot = Plot {
            title: "Corrupted rows found".into(),
            subtitle: format!(
                "{all} of {} are known to be wrong",
                counted(wrong.len(), "row")
            ),
            x: Axis::linear("recall: share of them found").between(0.0, 1.0),
            y: Axis::linear("precision").between(0.0, 1.0),
            series: [
                Series {
                    label: "down the ranking".into(),
                    x: shown.iter().map(|place| place[0]).collect(),
                    y: shown.iter().map(|place| place[1]).collect(),
                    ..Series::default()
                },
                Series {
                    label: "weights below ½".into(),
                    x: vec![detection.recall],
                    y: vec![detection.precision],
                    markers: true,
                    ..Series::default()
                },
                Series {
                    label: "by chance".into(),
                    x: vec![0.0, 1.0],
                    y: vec![share, share],
                    dashed: true,
                    ..Series::default()
                },
            ]
            .into_iter()
            // No weight may be below ½: there is no place for them.
            .filter(|series| series.y.iter().all(|y| y.is_finite()))
            .collect(),
            ..Plot::default()
        };
        Some(Chart {
            name: "corrupted".into(),
            caption: format!(
                "Precision and recall of the rows that are known to be wrong. AUC of the evidence {}; weights below ½: \
                 precision {}, recall {}.",
                rough(detection.auc),
                rough(detection.precision),
                rough(detection.recall)
            ),
            svg: Box::new(move |theme: Theme| plot.svg(theme)),
        })
    }
}

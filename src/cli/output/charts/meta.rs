//! The page of meta-learning: errors on held-out tasks, the learning curve, the prior by name.

use super::coefficients::{Coefficient, Coefficients};
use super::equal::{NamedPoint, Words, against_equal};
use crate::cli::failure::Failure;
use crate::cli::numbers::{counted, significant};
use crate::cli::output::meta::{MetaReport, WAYS, errors};
use crate::cli::output::pages::{Chart, ReportFolder, sentence};
use crate::report::{Axis, Bar, Bars, Plot, Section, Series, Theme};
use crate::tune::MetaErrors;

/// The most held-out tasks of a table.
const MOST_ROWS: usize = 1000;

impl MetaReport<'_> {
    /// Writes the page.
    ///
    /// # Errors
    /// Those of [`ReportFolder::write`].
    pub fn write_page(&self, folder: &ReportFolder<'_>) -> Result<(), Failure> {
        let prior = self.named_prior();
        let mut charts = Vec::new();
        charts.extend(self.error_bars());
        charts.extend(self.learning_curve());
        charts.extend(self.task_by_task());
        charts.extend(prior.chart("prior".into()));
        let mut sections = vec![
            Section::Text(format!("{}.", self.title())),
            sentence(self.learned_line()),
        ];
        sections.extend(self.remarks().into_iter().map(sentence));
        sections.extend(charts.iter().map(Chart::section));
        sections.extend(self.table_of_tasks());
        sections.push(Section::Heading("The prior".into()));
        sections.extend(prior.table());
        let title = format!("Prior of the tasks of {}", self.study.source());
        folder.write(&title, vec![self.study.basis()], sections, &charts)
    }

    fn named_prior(&self) -> Coefficients {
        let pairs = self.coefficient_names().into_iter().zip(self.prior);
        let all = pairs.zip(&self.learned.prior);
        let scaled = self.study.scaling().standardize;
        Coefficients {
            all: all
                .map(|((name, &value), &own)| Coefficient {
                    name,
                    value,
                    standardized: scaled.then_some(own),
                })
                .collect(),
            title: "The prior",
            loss: self.study.loss(),
            target: self.study.found_name(0),
        }
    }

    /// The errors of all ways.
    fn error_bars(&self) -> Option<Chart> {
        let of = self.learned.error.as_ref()?;
        let ways = WAYS.iter().zip(errors(of));
        let bars = ways.filter_map(|((_, name), value)| {
            let value = value?;
            Some(Bar {
                label: (*name).into(),
                value,
                text: significant(value),
            })
        });
        let bars: Vec<Bar> = bars.collect();
        let bars = Bars {
            title: "Errors on held-out tasks".into(),
            subtitle: self.error_name().into(),
            full: bars.iter().map(|bar| bar.value).fold(0.0, f64::max),
            bars,
        };
        Some(Chart {
            name: "errors".into(),
            caption: format!(
                "The {} of each way to fit {} that nothing was learned from.",
                self.error_name(),
                counted(self.tasks.test_names.len(), "task")
            ),
            svg: Box::new(move |theme: Theme| bars.svg(theme)),
        })
    }

    /// The errors by the number of tasks that were learned from.
    fn learning_curve(&self) -> Option<Chart> {
        let last = self.learned.error.as_ref()?;
        if self.curve.is_empty() {
            return None;
        }
        let mut points: Vec<(usize, &MetaErrors)> = self
            .curve
            .iter()
            .map(|point| (point.tasks, &point.error))
            .collect();
        points.push((self.tasks.learned(), last));
        let line = |(at, (_, name)): (usize, &(&str, &str))| Series {
            label: (*name).into(),
            x: points.iter().map(|point| point.0 as f64).collect(),
            y: points
                .iter()
                .map(|point| errors(point.1)[at].unwrap_or(f64::NAN))
                .collect(),
            markers: true,
            dashed: at > 0,
            ..Series::default()
        };
        let series = WAYS.iter().enumerate().map(line);
        let plot = Plot {
            title: "Learning curve".into(),
            subtitle: "errors on held-out tasks by the number of tasks learned from".into(),
            x: Axis::log("tasks learned from"),
            y: Axis::linear(self.error_name()),
            series: series
                .filter(|s| s.y.iter().any(|y| y.is_finite()))
                .collect(),
            ..Plot::default()
        };
        Some(Chart {
            name: "curve".into(),
            caption: "How the errors fall with the number of tasks that are learned from.".into(),
            svg: Box::new(move |theme: Theme| plot.svg(theme)),
        })
    }

    /// Every held-out task: its error around the prior against that alone.
    fn task_by_task(&self) -> Option<Chart> {
        let all = self.by_task();
        let point = |(of, name): (&MetaErrors, &String)| NamedPoint {
            x: of.alone,
            y: of.meta,
            name: name.clone(),
        };
        let points = all.iter().zip(&self.tasks.test_names).map(point);
        let words = Words {
            title: "Held-out tasks".into(),
            subtitle: format!(
                "{} of each; below the line the prior helps",
                self.error_name()
            ),
            x: "the task alone".into(),
            y: "around the prior".into(),
            points: "tasks".into(),
            equal: "equal".into(),
        };
        let plot = against_equal(words, points.collect())?;
        Some(Chart {
            name: "tasks".into(),
            caption: "The error of every held-out task, fitted alone and around the prior.".into(),
            svg: Box::new(move |theme: Theme| plot.svg(theme)),
        })
    }

    fn table_of_tasks(&self) -> Vec<Section> {
        let all = self.by_task();
        if all.is_empty() {
            return Vec::new();
        }
        let is_known = errors(&all[0]).map(|error| error.is_some());
        let ways = WAYS.iter().zip(is_known).filter(|(_, known)| *known);
        let head = ways.map(|((_, name), _)| (*name).to_string());
        let row = |(name, of): (&String, &MetaErrors)| {
            let known = errors(of).into_iter().flatten();
            std::iter::once(name.clone())
                .chain(known.map(significant))
                .collect()
        };
        let rows = self.tasks.test_names.iter().zip(&all).take(MOST_ROWS);
        vec![
            Section::Heading("Held-out tasks".into()),
            Section::Table {
                head: std::iter::once("task".to_string()).chain(head).collect(),
                rows: rows.map(row).collect(),
            },
        ]
    }
}

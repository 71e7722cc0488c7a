//! The criterion along l1: a line for each l1 ratio, or for each l2, that the points have.

use std::collections::BTreeMap;

use super::{Along, Chart, View};
use crate::cli::numbers::short;
use crate::report::{Axis, Band, COLOURS, Mark, Plot, Series};
use crate::sweep::summary::PointSummary;

/// The most lines of a chart: as many as there are colours.
const MOST_LINES: usize = COLOURS;

/// The points that share what does not change along l1.
struct Line<'a> {
    /// Their l1 ratio, or their l2.
    value: f64,
    /// By increasing l1.
    points: Vec<&'a PointSummary>,
}

/// The lines of a chart.
struct Lines<'a> {
    /// The name of what tells them apart.
    name: &'static str,
    /// That of the best point first, then by increasing value.
    shown: Vec<Line<'a>>,
    /// The number of all.
    all: usize,
}

impl<'a> View<'a> {
    /// The mean criterion with its standard error along l1.
    pub(super) fn criterion_curve(&self) -> Option<Chart> {
        if self.along.points().len() < 2 {
            return None;
        }
        let plot = match self.lines() {
            Some(lines) => self.criterion_lines(&lines),
            None => self.criterion_of_one(),
        };
        let caption = "The mean criterion along l1 with its standard error, and the two choices.";
        Some(self.chart("criterion", caption, plot))
    }

    /// The criterion on the path of the best point, or of all points where they are on no path.
    fn criterion_of_one(&self) -> Plot {
        let along = &self.along;
        let side = |sign: f64| along.values(|s| self.mean(s) + sign * s.standard_error);
        // A point without one is a gap.
        let has_errors = along.points().iter().any(|s| s.standard_error.is_finite());
        let label = if has_errors {
            "mean over folds, with one standard error"
        } else {
            "criterion"
        };
        Plot {
            title: "Criterion".into(),
            subtitle: self.place(along),
            x: self.axis_l1(along),
            y: Axis::linear("criterion"),
            series: vec![Series {
                label: label.into(),
                x: along.values(|s| self.l1(s)),
                y: along.values(|s| self.mean(s)),
                band: has_errors.then(|| Band {
                    low: side(-1.0),
                    high: side(1.0),
                }),
                markers: along.has_markers(),
                ..Series::default()
            }],
            marks: self.marks(along),
            ..Plot::default()
        }
    }

    fn criterion_lines(&self, lines: &Lines<'_>) -> Plot {
        let name = lines.name;
        let line = |(at, line): (usize, &Line<'_>)| {
            let points = &line.points;
            let is_best = at == 0;
            let has_errors = is_best && points.iter().any(|s| s.standard_error.is_finite());
            let side = |sign: f64| {
                let values = points.iter();
                let value = |s: &&PointSummary| self.mean(s) + sign * s.standard_error;
                values.map(value).collect()
            };
            let own = format!("{name} {}", short(line.value));
            Series {
                label: match (is_best, has_errors) {
                    (true, true) => format!("{own} (best), with one std. error"),
                    (true, false) => format!("{own} (best)"),
                    _ => own,
                },
                short_label: short(line.value),
                x: points.iter().map(|s| self.l1(s)).collect(),
                y: points.iter().map(|s| self.mean(s)).collect(),
                band: has_errors.then(|| Band {
                    low: side(-1.0),
                    high: side(1.0),
                }),
                markers: points.len() <= 40,
                ..Series::default()
            }
        };
        let positive = |line: &Line<'_>| line.points.iter().all(|s| self.l1(s) > 0.0);
        let shown = lines.shown.len();
        let subtitle = if shown < lines.all {
            format!("a line each of {shown} of {} values of {name}", lines.all)
        } else {
            format!("a line for each {name}")
        };
        Plot {
            title: "Criterion".into(),
            subtitle: self.with_folds(subtitle),
            x: if lines.shown.iter().all(positive) {
                Axis::log("l1")
            } else {
                Axis::linear("l1")
            },
            y: Axis::linear("criterion"),
            series: lines.shown.iter().enumerate().map(line).collect(),
            marks: self.marks_of_choices(),
            names_at_ends: true,
        }
    }

    /// Vertical lines at the two choices.
    fn marks_of_choices(&self) -> Vec<Mark> {
        let mark = |at: usize, label: &str| Mark {
            x: self.l1(&self.summaries[at]),
            label: label.into(),
        };
        let sparse = self.choice.one_standard_error;
        let sparse = sparse.filter(|&at| at != self.choice.best);
        let best = [mark(self.choice.best, "best")];
        let sparse = sparse.map(|at| mark(at, "one std. error"));
        best.into_iter().chain(sparse).collect()
    }

    /// The lines of the target, where there are several.
    fn lines(&self) -> Option<Lines<'a>> {
        if !matches!(self.along, Along::Path(..)) {
            return None;
        }
        let points = &self.subject.study.points;
        let best = self.summaries[self.choice.best].point;
        let has_ratio = points[best].ratio.is_some();
        // No strength is a negative zero once it has been stored, so that bits order them.
        let value = |point: usize| {
            let point = &points[point];
            0.0 + point.ratio.map_or(point.l2, |(_, ratio)| ratio)
        };
        let mut all: BTreeMap<u64, Vec<&'a PointSummary>> = BTreeMap::new();
        for summary in self.summaries.iter().filter(|s| self.is_own(s)) {
            let key = value(summary.point).to_bits();
            all.entry(key).or_default().push(summary);
        }
        let best_value = value(best);
        let mut lines: Vec<Line<'a>> = all
            .into_iter()
            .map(|(bits, mut points)| {
                points.sort_by(|a, b| self.l1(a).total_cmp(&self.l1(b)));
                Line {
                    value: f64::from_bits(bits),
                    points,
                }
            })
            .filter(|line| line.points.len() > 1)
            .collect();
        let count = lines.len();
        let at = lines.iter().position(|line| line.value == best_value)?;
        let of_best = lines.remove(at);
        let others = lines.len();
        if others == 0 {
            return None;
        }
        let wanted = others.min(MOST_LINES - 1);
        // The first, the last, and evenly between them.
        let is_shown = |at: usize| {
            let of = |k: usize| k * (others - 1) / (wanted - 1).max(1);
            (0..wanted).any(|k| of(k) == at)
        };
        let mut at = 0;
        lines.retain(|_| {
            at += 1;
            is_shown(at - 1)
        });
        lines.insert(0, of_best);
        Some(Lines {
            name: if has_ratio { "l1 ratio" } else { "l2" },
            shown: lines,
            all: count,
        })
    }
}

//! The report of a sweep: charts as SVG and PNG files, and one self-contained page of all of them.

mod diagnostics;

use std::path::Path;

use super::numbers::{rough, short, significant};
use super::summary::Summary;
use super::write;
use crate::cli::failure::Failure;
use crate::error::Error;
use crate::report::{
    Axis, Band, Mark, Page, Plot, Ring, Section, Series, Surface, Theme, Tile, png,
};
use crate::store::{Number, PointSummary, Store, Study, unpack_sparse};
use crate::sweep::select::Choice;

/// Pixels per unit of an SVG in the PNG files.
const PNG_SCALE: f32 = 2.0;
/// The most coefficients that a chart of regularisation paths shows.
const MOST_PATHS: usize = 12;

/// A chart with its file's name.
struct Chart {
    name: String,
    caption: String,
    /// The SVG in a theme.
    svg: Box<dyn Fn(Theme) -> String>,
}

impl Chart {
    fn section(&self) -> Section {
        Section::Figure {
            svg: (self.svg)(Theme::Auto),
            caption: self.caption.clone(),
        }
    }
}

/// Writes report.html and every chart as SVG and PNG into a folder.
pub fn write_report(summary: &Summary<'_>, store: &Store, folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|source| Error::Io {
        path: folder.to_path_buf(),
        source,
        remedy: "choose a folder that can be made and written",
    })?;
    let mut sections = vec![Section::Text(progress(summary))];
    let mut charts = Vec::new();
    for (number, study) in summary.plan().studies.iter().enumerate() {
        for choice in summary.choices(number) {
            let view = View {
                number,
                study,
                summaries: summary.summaries(number),
                choice: *choice,
                store,
            };
            sections.push(Section::Heading(view.name()));
            sections.push(view.table());
            let found = view.diagnostics()?;
            let of_diagnostics = view.convergence(&found).into_iter();
            let of_diagnostics = of_diagnostics.chain([view.counts(&found)]);
            for chart in view.charts()?.into_iter().chain(of_diagnostics) {
                sections.push(chart.section());
                charts.push(chart);
            }
            sections.push(found.table());
        }
    }
    sections.push(Section::Heading("Time".into()));
    if let Some(chart) = diagnostics::timing(&summary.tally.devices) {
        sections.push(chart.section());
        charts.push(chart);
    }
    sections.push(devices(summary));
    let page = Page {
        title: "Sweep".into(),
        sections,
    };
    for chart in &charts {
        let file = |extension: &str| folder.join(format!("{}.{extension}", chart.name));
        write(&(chart.svg)(Theme::Auto), Some(&file("svg")))?;
        let bytes = png::from_svg(&(chart.svg)(Theme::Light), PNG_SCALE)?;
        let path = file("png");
        std::fs::write(&path, bytes).map_err(|e| Failure::unwritable(&path, e))?;
    }
    // Last, and moved into place: a reader of a running sweep never sees half a page.
    let (part, whole) = (folder.join("report.html.part"), folder.join("report.html"));
    write(&page.html(), Some(&part))?;
    std::fs::rename(&part, &whole).map_err(|e| Failure::unwritable(&whole, e))
}

fn progress(summary: &Summary<'_>) -> String {
    let tally = &summary.tally;
    let statuses: Vec<String> = tally
        .statuses
        .iter()
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    format!(
        "{} of {} cells are finished ({}).",
        tally.cells_done,
        tally.cells,
        if statuses.is_empty() {
            "none".into()
        } else {
            statuses.join(", ")
        }
    )
}

fn devices(summary: &Summary<'_>) -> Section {
    let rows = summary.tally.devices.iter().map(|(name, units, seconds)| {
        vec![
            name.clone(),
            units.to_string(),
            format!("{seconds:.2}"),
            significant(seconds / (*units).max(1) as f64),
        ]
    });
    Section::Table {
        head: ["device", "units", "seconds of work", "seconds per unit"]
            .map(String::from)
            .to_vec(),
        rows: rows.collect(),
    }
}

/// One target of one study.
struct View<'a> {
    number: usize,
    study: &'a Study,
    summaries: &'a [PointSummary],
    choice: Choice,
    store: &'a Store,
}

impl View<'_> {
    fn name(&self) -> String {
        let study = &self.study.name;
        if self.study.targets.len() > 1 {
            format!("{study}, target {}", self.study.targets[self.choice.target])
        } else {
            study.clone()
        }
    }

    /// A name for files: letters, digits and dashes.
    fn slug(&self, chart: &str) -> String {
        format!("{}-{}-{chart}", self.number + 1, self.choice.target + 1)
    }

    fn table(&self) -> Section {
        let row = |name: &str, at: usize| {
            let summary = &self.summaries[at];
            let point = &self.study.points[summary.point];
            let gradient = |n: Number| match summary.means.finite(n) {
                Some(value) => significant(value),
                None => "–".into(),
            };
            vec![
                name.to_string(),
                short(point.l1),
                short(point.l2),
                significant(summary.means[Number::Criterion]),
                rough(summary.standard_error),
                short(summary.means[Number::Support]),
                gradient(Number::HypergradientL1),
                gradient(Number::HypergradientL2),
            ]
        };
        let mut rows = vec![row("smallest mean", self.choice.best)];
        if let Some(at) = self.choice.one_standard_error {
            rows.push(row("one standard error", at));
        }
        Section::Table {
            head: [
                "choice",
                "l1",
                "l2",
                "criterion",
                "std. error",
                "support",
                "d/d l1",
                "d/d l2",
            ]
            .map(String::from)
            .to_vec(),
            rows,
        }
    }

    /// The summaries on the path of the best point, by increasing l1.
    fn path(&self) -> Vec<&PointSummary> {
        let best = self.summaries[self.choice.best].point as u32;
        let of_best = |path: &&Vec<u32>| path.contains(&best);
        let Some(path) = self.study.paths.iter().find(of_best) else {
            return Vec::new();
        };
        let mut found: Vec<&PointSummary> = self
            .summaries
            .iter()
            .filter(|summary| path.contains(&(summary.point as u32)))
            .collect();
        found.sort_by(|a, b| self.l1(a).total_cmp(&self.l1(b)));
        found
    }

    fn l1(&self, summary: &PointSummary) -> f64 {
        self.study.points[summary.point].l1
    }

    fn charts(&self) -> Result<Vec<Chart>, Failure> {
        let mut charts = Vec::new();
        charts.extend(self.criterion_curve());
        charts.extend(self.support_curve());
        charts.extend(self.surface());
        charts.extend(self.regularization_paths()?);
        Ok(charts)
    }

    fn axis_l1(&self, path: &[&PointSummary]) -> Axis {
        if path.iter().all(|summary| self.l1(summary) > 0.0) {
            Axis::log("l1")
        } else {
            Axis::linear("l1")
        }
    }

    fn place(&self) -> String {
        let point = &self.study.points[self.summaries[self.choice.best].point];
        match point.ratio {
            Some((_, ratio)) => format!("on the path of the best point, l1 ratio {}", short(ratio)),
            None => format!("on the path of the best point, l2 {}", short(point.l2)),
        }
    }

    /// Vertical lines at the two choices, where they are on the path.
    fn marks(&self, path: &[&PointSummary]) -> Vec<Mark> {
        let mark = |at: usize, label: &str| {
            let summary = &self.summaries[at];
            let on_path = path.iter().any(|p| p.point == summary.point);
            on_path.then(|| Mark {
                x: self.l1(summary),
                label: label.into(),
            })
        };
        let best = mark(self.choice.best, "best");
        let sparse = self
            .choice
            .one_standard_error
            .filter(|&at| at != self.choice.best)
            .and_then(|at| mark(at, "one std. error"));
        best.into_iter().chain(sparse).collect()
    }

    fn criterion_curve(&self) -> Option<Chart> {
        let path = self.path();
        if path.len() < 2 {
            return None;
        }
        let x: Vec<f64> = path.iter().map(|summary| self.l1(summary)).collect();
        let mean = |summary: &&PointSummary| summary.means[Number::Criterion];
        let y: Vec<f64> = path.iter().map(mean).collect();
        let side = |sign: f64| -> Vec<f64> {
            path.iter()
                .map(|summary| mean(summary) + sign * summary.standard_error)
                .collect()
        };
        let has_errors = path
            .iter()
            .all(|summary| summary.standard_error.is_finite());
        let label = if has_errors {
            "mean over folds, with one standard error"
        } else {
            "criterion"
        };
        let plot = Plot {
            title: "Criterion".into(),
            subtitle: self.place(),
            x: self.axis_l1(&path),
            y: Axis::linear("criterion"),
            series: vec![Series {
                label: label.into(),
                x,
                y,
                band: has_errors.then(|| Band {
                    low: side(-1.0),
                    high: side(1.0),
                }),
                markers: path.len() <= 40,
                ..Series::default()
            }],
            marks: self.marks(&path),
        };
        Some(self.chart(
            "criterion",
            "The criterion along l1, and the two choices.",
            plot,
        ))
    }

    fn support_curve(&self) -> Option<Chart> {
        let path = self.path();
        if path.len() < 2 {
            return None;
        }
        let plot = Plot {
            title: "Support".into(),
            subtitle: self.place(),
            x: self.axis_l1(&path),
            y: Axis::linear("coefficients that are not zero"),
            series: vec![Series {
                label: "mean over folds".into(),
                x: path.iter().map(|summary| self.l1(summary)).collect(),
                y: path.iter().map(|s| s.means[Number::Support]).collect(),
                markers: path.len() <= 40,
                ..Series::default()
            }],
            marks: self.marks(&path),
        };
        Some(self.chart(
            "support",
            "How many coefficients are not zero along l1.",
            plot,
        ))
    }

    fn chart(&self, name: &str, caption: &str, plot: Plot) -> Chart {
        Chart {
            name: self.slug(name),
            caption: caption.into(),
            svg: Box::new(move |theme| plot.svg(theme)),
        }
    }

    /// The criterion over both axes, with arrows along −λ·∂E/∂λ: descent in log space.
    fn surface(&self) -> Option<Chart> {
        let own: Vec<&PointSummary> = self
            .summaries
            .iter()
            .filter(|s| self.study.points[s.point].target == self.choice.target)
            .collect();
        let has_ratio = own
            .iter()
            .any(|s| self.study.points[s.point].ratio.is_some());
        let place = |summary: &PointSummary| {
            let point = &self.study.points[summary.point];
            match point.ratio {
                Some((alpha, ratio)) => (alpha, ratio),
                None => (point.l1, point.l2),
            }
        };
        let several = |values: Vec<f64>| values.windows(2).any(|pair| pair[0] != pair[1]);
        let is_plane = several(own.iter().map(|s| place(s).0).collect())
            && several(own.iter().map(|s| place(s).1).collect());
        if !is_plane {
            return None;
        }
        let positive = own.iter().all(|s| place(s).0 > 0.0 && place(s).1 > 0.0);
        let tile = |summary: &&PointSummary| {
            let (x, y) = place(summary);
            let point = &self.study.points[summary.point];
            let gradient =
                [Number::HypergradientL1, Number::HypergradientL2].map(|n| summary.means.finite(n));
            let arrow = match (gradient, point.ratio) {
                ([Some(a), Some(b)], None) if positive => Some((-a * point.l1, -b * point.l2)),
                ([Some(a), Some(b)], None) => Some((-a, -b)),
                // l1 = αρ, λ₂ = α(1 − ρ): d/d log α = l1 a + λ₂ b, d/dρ = α(a − b).
                ([Some(a), Some(b)], Some((alpha, _))) => {
                    Some((-(a * point.l1 + b * point.l2), -alpha * (a - b)))
                }
                _ => None,
            };
            Tile {
                x,
                y,
                value: summary.means[Number::Criterion],
                arrow,
            }
        };
        let ring = |at: usize, label: &str| {
            let (x, y) = place(&self.summaries[at]);
            Ring {
                x,
                y,
                label: label.into(),
            }
        };
        let mut rings = vec![ring(self.choice.best, "best")];
        if let Some(at) = self.choice.one_standard_error
            && at != self.choice.best
        {
            rings.push(ring(at, "one std. error"));
        }
        let axis = |name: &str, log: bool| {
            if log {
                Axis::log(name)
            } else {
                Axis::linear(name)
            }
        };
        let surface = Surface {
            title: "Criterion over both strengths".into(),
            subtitle: "dark is low; arrows point along the negative hypergradient".into(),
            value: "criterion".into(),
            x: axis(if has_ratio { "alpha" } else { "l1" }, positive),
            y: axis(
                if has_ratio { "l1 ratio" } else { "l2" },
                positive && !has_ratio,
            ),
            tiles: own.iter().map(tile).collect(),
            rings,
        };
        Some(Chart {
            name: self.slug("surface"),
            caption: "Mean criterion (colours by rank) with the direction of descent in logarithms of the strengths."
                .into(),
            svg: Box::new(move |theme| surface.svg(theme)),
        })
    }

    /// The largest coefficients along l1, means over folds; where solutions are kept.
    fn regularization_paths(&self) -> Result<Option<Chart>, Failure> {
        let path = self.path();
        let mut sums: std::collections::HashMap<usize, (Vec<f64>, usize)> =
            std::collections::HashMap::new();
        for summary in &path {
            sums.insert(summary.point, (Vec::new(), 0));
        }
        self.store.for_each_cell(self.number, |cell| {
            if let Some((sum, count)) = sums.get_mut(&cell.point)
                && let Some(solution) = unpack_sparse(&cell.solution)
            {
                if sum.is_empty() {
                    *sum = vec![0.0; solution.len()];
                }
                sum.iter_mut().zip(&solution).for_each(|(s, w)| *s += w);
                *count += 1;
            }
            Ok(())
        })?;
        let mean = |summary: &PointSummary, j: usize| match &sums[&summary.point] {
            (sum, count) if *count > 0 => sum.get(j).copied().unwrap_or(0.0) / *count as f64,
            _ => f64::NAN,
        };
        let length = sums.values().map(|(sum, _)| sum.len()).max().unwrap_or(0);
        if path.len() < 2 || length == 0 {
            return Ok(None);
        }
        let size = |j: usize| {
            path.iter()
                .map(|summary| mean(summary, j).abs())
                .fold(0.0, f64::max)
        };
        // The last entries are intercepts, which would dwarf the coefficients.
        let mut order: Vec<usize> = (0..length.saturating_sub(1)).collect();
        order.sort_by(|&a, &b| size(b).total_cmp(&size(a)));
        order.truncate(MOST_PATHS);
        let series = order.iter().map(|&j| Series {
            label: format!("coefficient {j}"),
            x: path.iter().map(|summary| self.l1(summary)).collect(),
            y: path.iter().map(|summary| mean(summary, j)).collect(),
            dashed: false,
            ..Series::default()
        });
        let plot = Plot {
            title: "Regularisation paths".into(),
            subtitle: format!("the {} largest, {}", order.len(), self.place()),
            x: self.axis_l1(&path),
            y: Axis::linear("coefficient, mean over folds"),
            series: series.collect(),
            marks: self.marks(&path),
        };
        Ok(Some(self.chart(
            "paths",
            "The largest coefficients along l1, in the data's units, counted from 0.",
            plot,
        )))
    }
}

//! The report of a sweep: charts as SVG and PNG files, and one self-contained page of all of them.

mod along;
mod cleaned;
mod coefficients;
mod curves;
mod diagnostics;
mod equal;
mod fit;
mod held_out;
mod influence;
mod meta;
mod stability;
mod tuned;

use along::Along;
pub use coefficients::Coefficients;
pub use fit::{FitPage, FittedTarget};

use super::names::coefficients_of_stored;
use super::pages::{Chart, ReportFolder, sentence};
use super::subject::subject;
use super::summary::Summary;
use super::table::missing_hypergradients;
use crate::cli::failure::Failure;
use crate::cli::numbers::{rough, short, significant};
use crate::report::{Axis, Basis, Mark, Plot, Ring, Section, Series, Surface, Theme, Tile};
use crate::sweep::cells::CellStore;
use crate::sweep::record::{Number, Plan, Study, unpack_sparse};
use crate::sweep::select::Choice;
use crate::sweep::summary::PointSummary;

/// The most coefficients that a chart of regularisation paths shows.
const MOST_PATHS: usize = 12;

/// Writes report.html and every chart as SVG and PNG into a folder. `fits` are those at the best points, per study
/// one for each target, or why there is none; without any where they are not to be shown.
pub fn write_report(
    summary: &Summary<'_>,
    store: &dyn CellStore,
    fits: &[Vec<Result<FittedTarget, String>>],
    folder: &ReportFolder<'_>,
) -> Result<(), Failure> {
    let mut sections = vec![Section::Text(progress(summary))];
    let tally = &summary.tally;
    let missing = missing_hypergradients(&tally.without_hypergradient, tally.cells_done, "cell");
    sections.extend(missing.map(sentence));
    let mut charts = Vec::new();
    for (number, study) in summary.plan().studies.iter().enumerate() {
        for target in 0..study.targets.len() {
            let subject = Subject {
                number,
                study,
                target,
                store,
                folds: summary.folds(number, target),
            };
            sections.push(Section::Heading(subject.name()));
            let found = subject.diagnostics()?;
            let of_target = |choice: &&Choice| choice.target == target;
            sections.extend(summary.failed_cells(number, target).map(sentence));
            let (mut drawn, mut tables) = (Vec::new(), Vec::new());
            if let Some(choice) = summary.choices(number).iter().find(of_target) {
                let view = View {
                    subject,
                    summaries: summary.summaries(number),
                    choice: *choice,
                    along: Along::of(study, summary.summaries(number), choice),
                };
                sections.extend(view.remarks().into_iter().map(Section::Text));
                sections.push(view.table());
                drawn.extend(view.charts()?);
                let fitted = fits.get(number).and_then(|fits| fits.get(target));
                match fitted {
                    Some(Ok(fitted)) => {
                        sections.extend(fitted.remark());
                        drawn.extend(fitted.charts(&|chart| subject.slug(chart)));
                    }
                    Some(Err(why)) if !why.is_empty() => sections.push(sentence(why.clone())),
                    _ => {}
                }
                let fitted = fitted.and_then(|fitted| fitted.as_ref().ok());
                drawn.extend(view.convergence(&found));
                tables.extend(
                    fitted
                        .into_iter()
                        .flat_map(|fitted| fitted.coefficients.table()),
                );
            }
            drawn.push(subject.counts(&found));
            sections.extend(drawn.iter().map(Chart::section));
            charts.extend(drawn);
            sections.append(&mut tables);
            sections.push(found.table());
        }
    }
    sections.push(Section::Heading("Time".into()));
    if let Some(chart) = diagnostics::timing(&summary.tally.devices) {
        sections.push(chart.section());
        charts.push(chart);
    }
    sections.push(devices(summary));
    let title = title(summary.plan());
    folder.write(&title, bases(summary.plan()), sections, &charts)
}

/// The heading of a table of rows, or of groups of rows.
fn of_rows(is_grouped: bool) -> &'static str {
    if is_grouped { "Groups of rows" } else { "Rows" }
}

/// The title of the report of a plan.
fn title(plan: &Plan) -> String {
    let names: Vec<&str> = plan
        .studies
        .iter()
        .map(|study| study.name.as_str())
        .collect();
    match names.as_slice() {
        [first, _, _, rest @ ..] if !rest.is_empty() => {
            format!("Sweep of {first} and {} other studies", names.len() - 1)
        }
        names => format!("Sweep of {}", names.join(", ")),
    }
}

/// The data and the models of a plan's studies.
fn bases(plan: &Plan) -> Vec<Basis> {
    let configuration: toml::Table = plan.configuration.parse().unwrap_or_default();
    let tables = configuration.get("study").and_then(toml::Value::as_array);
    let seed = |number: usize| {
        let own = tables.and_then(|tables| tables.get(number)?.as_table());
        let seed = own.unwrap_or(&configuration).get("seed")?.as_integer()?;
        u64::try_from(seed).ok()
    };
    // A hash behind the name says strengths and groups.
    let word = |text: Option<&str>| {
        let name = text.and_then(|text| text.split(" (").next());
        name.unwrap_or_default().to_string()
    };
    let of = |(number, study): (usize, &Study)| Basis {
        data: study.source.clone(),
        rows: (study.rows > 0).then_some(study.rows),
        columns: (!study.features.is_empty()).then_some(study.features.len()),
        loss: study.loss_setting().unwrap_or_default().to_string(),
        penalty: word(study.penalty_setting()),
        seed: seed(number),
    };
    plan.studies.iter().enumerate().map(of).collect()
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
#[derive(Clone, Copy)]
struct Subject<'a> {
    number: usize,
    study: &'a Study,
    target: usize,
    store: &'a dyn CellStore,
    /// The folds that means are over.
    folds: &'a [usize],
}

impl Subject<'_> {
    fn name(&self) -> String {
        subject(self.study, self.target)
    }

    /// A name for files: letters, digits and dashes.
    fn slug(&self, chart: &str) -> String {
        format!("{}-{}-{chart}", self.number + 1, self.target + 1)
    }

    /// "on m of K folds" while no point is finished on all.
    fn partial(&self) -> Option<String> {
        let (folds, all) = (self.folds.len(), self.study.folds.len());
        (folds < all).then(|| format!("on {folds} of {all} folds"))
    }
}

/// A target with its choice.
struct View<'a> {
    subject: Subject<'a>,
    summaries: &'a [PointSummary],
    choice: Choice,
    along: Along<'a>,
}

impl View<'_> {
    /// Remarks that come before the numbers.
    fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if let Some(partial) = self.subject.partial() {
            let of_target = |s: &&PointSummary| self.is_own(s);
            let points = self.summaries.iter().filter(of_target).count();
            remarks.push(format!(
                "No point is finished on all folds yet. Choices, means and charts are of the {points} \
                 points that are finished {partial}, the same ones for each."
            ));
        }
        if let Along::Points(shown, what, each) = &self.along {
            remarks.push(format!(
                "{what} differs from point to point, so that along l1 there are points without a \
                 line, and no regularisation paths."
            ));
            if *each > 1 {
                let shown = shown.len();
                remarks.push(format!(
                    "Charts along l1 show {shown} points: of every {each} neighbours the one with the smallest \
                     mean, and the choices."
                ));
            }
        }
        remarks
    }

    fn is_own(&self, summary: &PointSummary) -> bool {
        self.subject.study.points[summary.point].target == self.choice.target
    }

    fn table(&self) -> Section {
        let points = &self.subject.study.points;
        let has_ratio = points.iter().any(|point| point.ratio.is_some());
        let row = |name: &str, at: usize| {
            let summary = &self.summaries[at];
            let point = &points[summary.point];
            let gradient = |n: Number| match summary.means.finite(n) {
                Some(value) => significant(value),
                None => "–".into(),
            };
            let mut row = vec![name.to_string(), short(point.l1), short(point.l2)];
            if has_ratio {
                let (alpha, ratio) = point.ratio.unwrap_or((f64::NAN, f64::NAN));
                row.extend([short(alpha), short(ratio)]);
            }
            row.extend([
                significant(summary.means[Number::Criterion]),
                rough(summary.standard_error),
                short(summary.means[Number::Support]),
                gradient(Number::HypergradientL1),
                gradient(Number::HypergradientL2),
            ]);
            row
        };
        let mut rows = vec![row("smallest mean", self.choice.best)];
        if let Some(at) = self.choice.one_standard_error {
            rows.push(row("one standard error", at));
        }
        let mut head = vec!["choice", "l1", "l2"];
        if has_ratio {
            head.extend(["alpha", "l1 ratio"]);
        }
        head.extend(["criterion", "std. error", "support", "d/d l1", "d/d l2"]);
        Section::Table {
            head: head.into_iter().map(String::from).collect(),
            rows,
        }
    }

    /// The mean criterion, where it can be compared with that of the choices: over as many folds.
    fn mean(&self, summary: &PointSummary) -> f64 {
        if summary.failed == self.summaries[self.choice.best].failed {
            summary.means[Number::Criterion]
        } else {
            f64::NAN
        }
    }

    fn l1(&self, summary: &PointSummary) -> f64 {
        self.subject.study.points[summary.point].l1
    }

    fn charts(&self) -> Result<Vec<Chart>, Failure> {
        let mut charts = Vec::new();
        charts.extend(self.criterion_curve());
        charts.extend(self.support_curve());
        charts.extend(self.surface());
        charts.extend(self.regularization_paths()?);
        charts.extend(self.stability_paths()?);
        Ok(charts)
    }

    fn axis_l1(&self, along: &Along<'_>) -> Axis {
        if along.points().iter().all(|summary| self.l1(summary) > 0.0) {
            Axis::log("l1")
        } else {
            Axis::linear("l1")
        }
    }

    fn place(&self, along: &Along<'_>) -> String {
        let place = match along {
            Along::Path(_, shared) => format!("on the path of the best point, {shared}"),
            Along::Points(_, what, 1) => format!("all points; {what} differs from point to point"),
            Along::Points(_, what, each) => {
                format!("the best of every {each} points; {what} differs from point to point")
            }
        };
        self.with_folds(place)
    }

    /// A subtitle that says which folds it is of, while these are not all.
    fn with_folds(&self, subtitle: String) -> String {
        match self.subject.partial() {
            Some(partial) => format!("{subtitle}; {partial}"),
            None => subtitle,
        }
    }

    /// Vertical lines at the two choices, where they are among the points.
    fn marks(&self, along: &Along<'_>) -> Vec<Mark> {
        let mark = |at: usize, label: &str| {
            let summary = &self.summaries[at];
            let is_drawn = along.points().iter().any(|p| p.point == summary.point);
            is_drawn.then(|| Mark {
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

    fn support_curve(&self) -> Option<Chart> {
        let along = &self.along;
        if along.points().len() < 2 {
            return None;
        }
        let plot = Plot {
            title: "Support".into(),
            subtitle: self.place(along),
            x: self.axis_l1(along),
            y: Axis::linear("coefficients that are not zero"),
            series: vec![Series {
                label: "mean over folds".into(),
                x: along.values(|s| self.l1(s)),
                y: along.values(|s| s.means[Number::Support]),
                markers: along.has_markers(),
                ..Series::default()
            }],
            marks: self.marks(along),
            ..Plot::default()
        };
        Some(self.chart(
            "support",
            "How many coefficients are not zero along l1.",
            plot,
        ))
    }

    fn chart(&self, name: &str, caption: &str, plot: Plot) -> Chart {
        self.figure(name, caption, move |theme| plot.svg(theme))
    }

    fn figure(&self, name: &str, caption: &str, svg: impl Fn(Theme) -> String + 'static) -> Chart {
        let caption = match self.subject.partial() {
            Some(partial) => format!("{caption} Means are {partial}."),
            None => caption.into(),
        };
        Chart {
            name: self.subject.slug(name),
            caption,
            svg: Box::new(svg),
        }
    }

    /// The criterion over both axes, with arrows along −λ·∂E/∂λ: descent in log space.
    fn surface(&self) -> Option<Chart> {
        let points = &self.subject.study.points;
        let own: Vec<&PointSummary> = self.summaries.iter().filter(|s| self.is_own(s)).collect();
        let has_ratio = own.iter().any(|s| points[s.point].ratio.is_some());
        let place = |summary: &PointSummary| {
            let point = &points[summary.point];
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
        // Each axis for itself: an l2 of zero leaves l1 logarithmic. A ratio is linear always.
        let log_x = own.iter().all(|s| place(s).0 > 0.0);
        let log_y = !has_ratio && own.iter().all(|s| place(s).1 > 0.0);
        let tile = |summary: &&PointSummary| {
            let (x, y) = place(summary);
            let point = &points[summary.point];
            let gradient =
                [Number::HypergradientL1, Number::HypergradientL2].map(|n| summary.means.finite(n));
            let arrow = match gradient {
                [Some(a), Some(b)] => {
                    let (u, v) = match point.ratio {
                        // l1 = αρ, λ₂ = α(1 − ρ).
                        Some((alpha, ratio)) => (ratio * a + (1.0 - ratio) * b, alpha * (a - b)),
                        None => (a, b),
                    };
                    // d/d log λ = λ d/dλ.
                    let scale = |log: bool, value: f64| if log { value } else { 1.0 };
                    Some((-scale(log_x, x) * u, -scale(log_y, y) * v))
                }
                _ => None,
            };
            Tile {
                x,
                y,
                value: self.mean(summary),
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
            subtitle: self.with_folds("dark is low".into()),
            arrows: "arrows point along the negative hypergradient".into(),
            value: "criterion".into(),
            x: axis(if has_ratio { "alpha" } else { "l1" }, log_x),
            y: axis(if has_ratio { "l1 ratio" } else { "l2" }, log_y),
            tiles: own.iter().map(tile).collect(),
            rings,
            ..Surface::default()
        };
        Some(self.figure(
            "surface",
            "Mean criterion, colours by rank; arrows are the direction of descent in the coordinates \
             of the axes. Where there are more points than places, each tile is the lowest of its points.",
            move |theme| surface.svg(theme),
        ))
    }

    /// The largest coefficients along l1, means over folds; where solutions are kept.
    fn regularization_paths(&self) -> Result<Option<Chart>, Failure> {
        let along = &self.along;
        // Without a path there is nothing that coefficients could be followed along.
        let Along::Path(path, _) = along else {
            return Ok(None);
        };
        let mut sums: std::collections::HashMap<usize, (Vec<f64>, usize)> =
            std::collections::HashMap::new();
        for summary in path {
            sums.insert(summary.point, (Vec::new(), 0));
        }
        self.subject
            .store
            .for_each_cell(self.subject.number, &mut |cell| {
                if self.subject.folds.contains(&cell.fold)
                    && let Some((sum, count)) = sums.get_mut(&cell.point)
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
        let names = coefficients_of_stored(self.subject.study, self.choice.target, length);
        let mut order: Vec<usize> = (0..names.len()).collect();
        order.sort_by(|&a, &b| size(b).total_cmp(&size(a)));
        order.truncate(MOST_PATHS);
        let series = order.iter().map(|&j| Series {
            label: names[j].clone(),
            x: path.iter().map(|summary| self.l1(summary)).collect(),
            y: path.iter().map(|summary| mean(summary, j)).collect(),
            dashed: false,
            ..Series::default()
        });
        let plot = Plot {
            title: "Regularisation paths".into(),
            subtitle: format!("the {} largest, {}", order.len(), self.place(along)),
            x: self.axis_l1(along),
            y: Axis::linear("coefficient, mean over folds"),
            series: series.collect(),
            marks: self.marks(along),
            ..Plot::default()
        };
        Ok(Some(self.chart(
            "paths",
            "The largest coefficients along l1, in the data's units.",
            plot,
        )))
    }
}

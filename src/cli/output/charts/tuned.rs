//! The report of a tuning: the chosen hyperparameters, and the ways of all starts over the criterion.

mod ground;

use ground::ground;

use crate::cli::failure::Failure;
use crate::cli::numbers::{counted, rough, short, significant};
use crate::cli::output::names::{coefficient_names, ridge_names, strength_names};
use crate::cli::output::pages::{Chart, ReportFolder, sentence};
use crate::cli::output::tuned::{TunedReport, values_text};
use crate::report::{
    Axis, Bar, Bars, Mark, Plot, Ring, Section, Series, SignedBars, Surface, Theme, Tile, Trail,
};
use crate::tune::{EvaluatedPlace, Hyperparameter, Start, TunedVariable};

/// The most starts that are drawn: the best ones.
const MOST_STARTS: usize = 8;
/// The most bars of a vector: half of them its largest entries, half its smallest.
const MOST_BARS: usize = 24;
impl TunedReport<'_> {
    /// Writes the page; `places` are those that were evaluated, where they can be drawn.
    ///
    /// # Errors
    /// Those of [`ReportFolder::write`].
    pub fn write_page(
        &self,
        places: &[EvaluatedPlace],
        folder: &ReportFolder<'_>,
    ) -> Result<(), Failure> {
        let view = View {
            report: self,
            places,
        };
        let charts = view.charts();
        let mut sections = vec![view.hyperparameters()];
        let remarks = self.tuned.remarks.iter().cloned();
        sections.extend(remarks.map(sentence));
        sections.push(Section::Heading("Outcome".into()));
        sections.push(view.outcome());
        sections.push(Section::Heading("Search".into()));
        sections.extend(charts.iter().map(Chart::section));
        sections.push(view.starts());
        let title = format!("Tuning of {}", self.study.source());
        folder.write(&title, vec![self.study.basis()], sections, &charts)
    }
}

struct View<'a> {
    report: &'a TunedReport<'a>,
    places: &'a [EvaluatedPlace],
}

/// The name of a start in legends.
fn name_of(at: usize, start: &Start) -> String {
    format!("start {} ({})", at + 1, start.status.name())
}

fn table(head: &[&str], rows: Vec<Vec<String>>) -> Section {
    Section::Table {
        head: head.iter().map(|name| (*name).to_string()).collect(),
        rows,
    }
}

impl View<'_> {
    /// The chosen hyperparameters, with the slopes that are left.
    fn hyperparameters(&self) -> Section {
        let tuned = self.report.tuned;
        let row = |variable: &TunedVariable| {
            let slopes = variable.projected_slopes();
            let largest = slopes.max_by(|a, b| a.abs().total_cmp(&b.abs()));
            vec![
                variable.hyperparameter.name().to_string(),
                values_text(&variable.values),
                rough(largest.unwrap_or_default()),
                short(variable.lower),
                short(variable.upper),
            ]
        };
        let mut rows: Vec<Vec<String>> = tuned.variables.iter().map(row).collect();
        let problem = &self.report.prepared.problem.problem;
        let is_tuned = |name: Hyperparameter| {
            let mut all = tuned.variables.iter().map(|v| v.hyperparameter.in_common());
            all.any(|other| other == name)
        };
        let point = &tuned.point;
        for (name, value, is_there) in [
            (
                Hyperparameter::L1,
                point.l1,
                problem.penalty().has_strength(),
            ),
            (Hyperparameter::L2, point.l2, true),
        ] {
            if is_there && !is_tuned(name) {
                let fixed = ["–", "fixed", "fixed"].map(String::from);
                let named = [name.name().to_string(), short(value)];
                rows.push(named.into_iter().chain(fixed).collect());
            }
        }
        table(
            &[
                "hyperparameter",
                "value",
                "projected slope",
                "lower bound",
                "upper bound",
            ],
            rows,
        )
    }

    /// The criterion and what else is known of the best point.
    fn outcome(&self) -> Section {
        let (report, tuned) = (self.report, self.report.tuned);
        let mut rows = vec![
            ("status".to_string(), tuned.status.name().to_string()),
            ("evaluations".into(), tuned.evaluations.to_string()),
        ];
        let what = if report.folds > 1 {
            format!("criterion, the mean over {} folds", report.folds)
        } else {
            "criterion".into()
        };
        rows.push((what, significant(tuned.criterion)));
        let mut add = |name: &str, value: Option<f64>| {
            let value = value.filter(|value| value.is_finite());
            rows.extend(value.map(|value| (name.to_string(), significant(value))));
        };
        add(
            "nested estimate, on rows that nothing was tuned on",
            tuned.nested_criterion,
        );
        add(
            "criterion of the best point without vectors",
            tuned.scalar_criterion,
        );
        add("largest projected slope", Some(tuned.projected_slope));
        add("with the guard's penalty", tuned.penalized_slope);
        add("distance to the nearest kink", tuned.kink_margin);
        add(
            "approximate leave-one-out of the refit",
            report.information.alo,
        );
        if let Some((criterion, scores)) = report.test {
            let rows_of_test = counted(scores.rows(), "test row");
            add(&format!("criterion on {rows_of_test}"), Some(*criterion));
            for (name, value) in scores.named() {
                add(&format!("{name} on {rows_of_test}"), value);
            }
        }
        let support = format!(
            "{} of {}",
            report.refit.support,
            report.prepared.problem.problem.penalized()
        );
        rows.push((
            "coefficients of the refit that are not zero".into(),
            support,
        ));
        let rows = rows.into_iter().map(|(name, value)| vec![name, value]);
        table(&["quantity", "value"], rows.collect())
    }

    fn starts(&self) -> Section {
        let row = |(at, start): (usize, &Start)| {
            vec![
                (at + 1).to_string(),
                start.status.name().to_string(),
                start.evaluations.to_string(),
                significant(start.criterion),
                start
                    .trajectory
                    .first()
                    .map_or_else(|| "–".into(), |first| significant(first.criterion)),
            ]
        };
        let starts = self.report.tuned.starts.iter().enumerate();
        table(
            &[
                "start",
                "status",
                "evaluations",
                "criterion",
                "at its beginning",
            ],
            starts.map(row).collect(),
        )
    }

    fn charts(&self) -> Vec<Chart> {
        let mut charts = Vec::new();
        match self.places.first().map(|place| place.variables.len()) {
            Some(1) => charts.extend(self.line()),
            Some(2) => charts.extend(self.surface()),
            _ => {}
        }
        charts.extend(self.descents());
        let variables = self.report.tuned.variables.iter().enumerate();
        charts.extend(variables.filter_map(|(at, variable)| self.bars(at, variable)));
        charts
    }

    /// The names of the numbers of a place: the variables, or what vectors of them have in common.
    fn names(&self, count: usize) -> Vec<&'static str> {
        let common = self.report.named.iter().map(|name| name.in_common());
        let mut names: Vec<Hyperparameter> = common.filter(|name| !name.is_vector()).collect();
        names.sort_by_key(|name| Hyperparameter::ALL.iter().position(|other| other == name));
        if names.len() > count {
            names.retain(|name| name.is_strength());
        }
        names.iter().map(|name| name.name()).collect()
    }

    /// The starts whose places have so many numbers, with their numbers among all.
    fn drawn(&self, count: usize) -> impl Iterator<Item = (usize, &Start)> {
        let starts = self.report.tuned.starts.iter().enumerate();
        let is_own = move |(_, start): &(usize, &Start)| {
            start
                .trajectory
                .first()
                .is_some_and(|first| first.variables.len() == count)
        };
        starts.filter(is_own).take(MOST_STARTS)
    }

    /// The stage of the places, where more is tuned than their numbers: what it leaves out is fixed at its start, and
    /// vectors of strengths have a common one.
    fn stage(&self, count: usize) -> String {
        let shown = self.names(count);
        let fixed = self.report.named.iter().map(|name| name.in_common());
        let mut fixed: Vec<&str> = fixed
            .map(Hyperparameter::name)
            .filter(|name| !shown.contains(name))
            .collect();
        fixed.dedup();
        let is_common = |name: &Hyperparameter| name.is_vector() && name.is_strength();
        let is_of_common = self.report.named.iter().any(is_common);
        let mut text = String::new();
        if is_of_common {
            text.push_str(" of what all entries have in common");
        }
        if !fixed.is_empty() {
            text.push_str(&format!(
                ", with {} fixed at the start",
                fixed.join(" and ")
            ));
        }
        text
    }

    /// The criterion along the only variable.
    fn line(&self) -> Option<Chart> {
        let names = self.names(1);
        let name = *names.first()?;
        let mut places: Vec<&EvaluatedPlace> = self.places.iter().collect();
        places.sort_by(|a, b| a.variables[0].total_cmp(&b.variables[0]));
        let along = |of: fn(&EvaluatedPlace) -> f64| places.iter().map(|p| of(p)).collect();
        let mut series = vec![Series {
            label: "evaluated".into(),
            x: along(|place| place.variables[0]),
            y: along(|place| place.criterion),
            color: Some(6),
            ..Series::default()
        }];
        series.extend(self.drawn(1).map(|(at, start)| Series {
            label: name_of(at, start),
            x: start.trajectory.iter().map(|v| v.variables[0]).collect(),
            y: start.trajectory.iter().map(|v| v.criterion).collect(),
            markers: true,
            color: Some(at),
            ..Series::default()
        }));
        let best = places
            .iter()
            .min_by(|a, b| a.criterion.total_cmp(&b.criterion))?;
        let plot = Plot {
            title: format!("Criterion along {name}"),
            subtitle: format!("{}{}", counted(places.len(), "evaluation"), self.stage(1)),
            x: Axis::log(name),
            y: Axis::linear("criterion"),
            series,
            marks: vec![Mark {
                x: best.variables[0],
                label: "best".into(),
            }],
            ..Plot::default()
        };
        Some(chart(
            "criterion",
            "The criterion where it was evaluated, and the places that each start went to, every one better than all \
             before it.",
            move |theme| plot.svg(theme),
        ))
    }

    /// The criterion over both variables, with the ways of the starts and arrows along the negative hypergradient.
    fn surface(&self) -> Option<Chart> {
        let names = self.names(2);
        let [x_name, y_name] = names.as_slice() else {
            return None;
        };
        let tile = |place: &EvaluatedPlace| Tile {
            x: place.variables[0],
            y: place.variables[1],
            value: place.criterion,
            arrow: match place.slope.as_slice() {
                [u, v] => Some((-u, -v)),
                _ => None,
            },
        };
        let trail = |(at, start): (usize, &Start)| Trail {
            label: format!(
                "{}, criterion {}",
                name_of(at, start),
                significant(start.criterion)
            ),
            x: start.trajectory.iter().map(|v| v.variables[0]).collect(),
            y: start.trajectory.iter().map(|v| v.variables[1]).collect(),
        };
        let best = self
            .places
            .iter()
            .min_by(|a, b| a.criterion.total_cmp(&b.criterion))?;
        let surface = Surface {
            title: format!("Criterion over {x_name} and {y_name}"),
            subtitle: format!(
                "{}{}; dark is low",
                counted(self.places.len(), "evaluation"),
                self.stage(2)
            ),
            arrows: "arrows of descent".into(),
            value: "criterion".into(),
            x: Axis::log(*x_name),
            y: Axis::log(*y_name),
            tiles: self.places.iter().map(tile).collect(),
            rings: vec![Ring {
                x: best.variables[0],
                y: best.variables[1],
                label: "best".into(),
            }],
            ground: ground(self.places),
            trails: self.drawn(2).map(trail).collect(),
        };
        Some(chart(
            "surface",
            "Squares are evaluations, with the direction of descent in the logarithms of the axes; between them the \
             colours are those of nearby values and slopes. White lines are the ways of the starts, from where they \
             began to the dot where they ended.",
            move |theme| surface.svg(theme),
        ))
    }

    /// The best criterion of every start by its evaluations.
    fn descents(&self) -> Option<Chart> {
        let starts = self
            .report
            .tuned
            .starts
            .iter()
            .enumerate()
            .take(MOST_STARTS);
        let series = starts.map(|(at, start)| {
            let places = || start.trajectory.iter();
            let mut x: Vec<f64> = places().map(|v| v.evaluation as f64).collect();
            let mut y: Vec<f64> = places().map(|v| v.criterion).collect();
            if let Some(&last) = y.last() {
                x.push(start.evaluations as f64);
                y.push(last);
            }
            Series {
                label: name_of(at, start),
                x,
                y,
                markers: true,
                dashed: at % 2 == 1,
                ..Series::default()
            }
        });
        let series: Vec<Series> = series.filter(|series| series.x.len() > 1).collect();
        if series.is_empty() {
            return None;
        }
        let of_all = || series.iter().flat_map(|series| series.y.iter().copied());
        let (low, high) = of_all().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), y| {
            (low.min(y), high.max(y))
        });
        let y = if low > 0.0 && high > 10.0 * low {
            Axis::log("criterion")
        } else {
            Axis::linear("criterion")
        };
        let plot = Plot {
            title: "Descents".into(),
            subtitle: "the best criterion of every start so far".into(),
            x: Axis::linear("evaluations of the start"),
            y,
            series,
            ..Plot::default()
        };
        Some(chart(
            "descents",
            "The best criterion of every start by its own evaluations, those of the coarse stage not among them.",
            move |theme| plot.svg(theme),
        ))
    }

    /// The entries of a vector: all, or the largest and the smallest of many.
    fn bars(&self, number: usize, variable: &TunedVariable) -> Option<Chart> {
        let values = &variable.values;
        if values.len() < 2 {
            return None;
        }
        let names = self.entry_names(variable);
        let beginning = self.beginning(number, values.len());
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&a, &b| values[b].total_cmp(&values[a]).then(a.cmp(&b)));
        let left_out = order.len().saturating_sub(MOST_BARS);
        if left_out > 0 {
            order.drain(MOST_BARS / 2..MOST_BARS / 2 + left_out);
        }
        let name = variable.hyperparameter.name();
        let is_log = variable.hyperparameter.is_positive();
        let scale = if is_log {
            "lengths by logarithm"
        } else {
            "lengths by size"
        };
        let title = format!("Entries of {name}");
        let subtitle = match left_out {
            0 => format!("all {}; {scale}", values.len()),
            _ => format!(
                "the {} largest and smallest of {}; {scale}",
                MOST_BARS / 2,
                values.len()
            ),
        };
        let stem = format!("entries-{}", number + 1);
        let bar = |at: usize, value: f64, text: String| Bar {
            label: names[at].clone(),
            value,
            text,
        };
        if !is_log {
            let each = order.iter();
            let bars = SignedBars {
                title,
                subtitle,
                bars: each
                    .map(|&at| bar(at, values[at], short(values[at])))
                    .collect(),
            };
            return Some(chart(
                &stem,
                "The chosen values, the largest first, to either side of zero.",
                move |theme| bars.svg(theme),
            ));
        }
        let logs = || order.iter().map(|&at| values[at].ln());
        let low = logs().fold(f64::INFINITY, f64::min);
        let high = logs().fold(f64::NEG_INFINITY, f64::max);
        // A logarithm has no zero: the smallest of them is seen too.
        let share = |value: f64| match high - low {
            span if span > 0.0 => 0.04 + 0.96 * (value.ln() - low) / span,
            _ => 1.0,
        };
        let text = |at: usize| match beginning {
            Some(begin) => format!("{}, at first {}", short(values[at]), short(begin[at])),
            None => short(values[at]),
        };
        let each = order.iter();
        let bars = Bars {
            title,
            subtitle,
            full: 1.0,
            bars: each
                .map(|&at| bar(at, share(values[at]), text(at)))
                .collect(),
        };
        Some(chart(
            &stem,
            "The chosen values, the largest first, beside those where the best start began.",
            move |theme| bars.svg(theme),
        ))
    }

    /// The values of a vector where the best start began.
    fn beginning(&self, number: usize, count: usize) -> Option<&[f64]> {
        let tuned = self.report.tuned;
        let first = tuned.starts.first()?.trajectory.first()?;
        let before = tuned.variables[..number]
            .iter()
            .map(|v| v.values.len())
            .sum();
        first.variables.get(before..before + count)
    }

    /// The names of the entries of a vector.
    fn entry_names(&self, variable: &TunedVariable) -> Vec<String> {
        let (report, count) = (self.report, variable.values.len());
        let classes = report.study.classes.first().and_then(Option::as_ref);
        let of_predictors = classes.filter(|_| report.study.predictors > 1);
        let of_predictors = of_predictors.map(|classes| classes.names.as_slice());
        let coefficients = coefficient_names(report.study.feature_names(), of_predictors);
        let problem = &report.prepared.problem.problem;
        let names = match variable.hyperparameter {
            Hyperparameter::ClassWeights | Hyperparameter::L2Class => {
                classes.map_or_else(Vec::new, |classes| classes.names.clone())
            }
            Hyperparameter::L1Each | Hyperparameter::L1Group => {
                strength_names(problem, coefficients)
            }
            Hyperparameter::L2Each | Hyperparameter::L2Group => ridge_names(problem, coefficients),
            _ => coefficients,
        };
        if names.len() == count {
            return names;
        }
        // Ties: an entry is of several coefficients.
        (0..count).map(|at| format!("entry {at}")).collect()
    }
}

fn chart(name: &str, caption: &str, svg: impl Fn(Theme) -> String + 'static) -> Chart {
    Chart {
        name: name.into(),
        caption: caption.into(),
        svg: Box::new(svg),
    }
}

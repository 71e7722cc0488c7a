//! Diagnostics of solver and derivatives: counts, and how far they converged.

use std::collections::HashMap;

use super::{Chart, Subject, View};
use crate::cli::failure::Failure;
use crate::cli::numbers::{rough, short};
use crate::kinds::Status;
use crate::report::{Axis, Bar, Bars, Plot, Section, Series, Theme};
use crate::sweep::record::{Number, SINGULAR};
use crate::sweep::summary::PointSummary;

/// The measures of convergence, and what to call them.
const MEASURES: [(Number, &str); 3] = [
    (Number::Residual, "residual"),
    (Number::DualityGap, "duality gap"),
    (Number::LinearResidual, "linear residual"),
];

/// Diagnostics of all finished cells of one target.
#[derive(Debug, Default)]
pub struct Diagnostics {
    cells: usize,
    not_converged: usize,
    uncertified: usize,
    singular: usize,
    steps: f64,
    /// Per point the largest of every measure over its folds; NaN where there is none.
    largest: HashMap<usize, [f64; 3]>,
}

impl Subject<'_> {
    /// Reads the diagnostics of this target's cells.
    pub fn diagnostics(&self) -> Result<Diagnostics, Failure> {
        let mut found = Diagnostics::default();
        self.store.for_each_cell(self.number, &mut |cell| {
            if self.study.points[cell.point].target != self.target {
                return Ok(());
            }
            found.cells += 1;
            found.not_converged += usize::from(cell.status != Status::Converged);
            found.uncertified += usize::from(cell.numbers[Number::Certified] == 0.0);
            found.singular += usize::from(cell.warns_of(SINGULAR));
            found.steps += cell.numbers.finite(Number::Steps).unwrap_or(0.0);
            let largest = found.largest.entry(cell.point).or_insert([f64::NAN; 3]);
            for (largest, (number, _)) in largest.iter_mut().zip(MEASURES) {
                // A maximum with NaN is the other number.
                *largest = largest.max(cell.numbers[number]);
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Counts of cells that need a second look.
    pub fn counts(&self, found: &Diagnostics) -> Chart {
        let bar = |label: &str, count: usize| Bar {
            label: label.into(),
            value: count as f64,
            text: format!("{count} of {}", found.cells),
        };
        let bars = Bars {
            title: "Diagnostics".into(),
            subtitle: format!("of {} finished cells", found.cells),
            full: found.cells as f64,
            bars: vec![
                bar("not converged", found.not_converged),
                bar("support not certified", found.uncertified),
                bar("singular Hessian: no hypergradient", found.singular),
            ],
        };
        bars_chart(
            self.slug("diagnostics"),
            "How many cells did not converge, or have a hypergradient that may be one of several.",
            bars,
        )
    }
}

impl View<'_> {
    /// Convergence of the solutions along l1.
    pub fn convergence(&self, found: &Diagnostics) -> Option<Chart> {
        let along = &self.along;
        let value = |summary: &PointSummary, at: usize| {
            let largest = found.largest.get(&summary.point);
            largest.map_or(f64::NAN, |largest| largest[at])
        };
        let series: Vec<Series> = MEASURES
            .iter()
            .enumerate()
            .map(|(at, (_, name))| Series {
                label: (*name).into(),
                x: along.values(|summary| self.l1(summary)),
                y: along.values(|summary| value(summary, at)),
                markers: along.has_markers(),
                dashed: at == 2,
                color: Some(at),
                ..Series::default()
            })
            .filter(|series| series.y.iter().any(|&y| y > 0.0))
            .collect();
        if along.points().len() < 2 || series.is_empty() {
            return None;
        }
        let plot = Plot {
            title: "Convergence".into(),
            subtitle: self.place(along),
            x: self.axis_l1(along),
            y: Axis::log("largest of the folds"),
            series,
            marks: self.marks(along),
            ..Plot::default()
        };
        Some(self.chart(
            "convergence",
            "Residual of the solution, duality gap and residual of the adjoint system along l1; \
             what is exactly zero, or not known, does not show.",
            plot,
        ))
    }
}

impl Diagnostics {
    /// The same in numbers.
    pub fn table(&self) -> Section {
        let largest = |at: usize| {
            let all = self.largest.values().map(|largest| largest[at]);
            rough(all.fold(0.0, f64::max))
        };
        let row = |name: &str, value: String| vec![name.to_string(), value];
        Section::Table {
            head: vec!["diagnostic".into(), "value".into()],
            rows: vec![
                row("cells", self.cells.to_string()),
                row("not converged", self.not_converged.to_string()),
                row("support not certified", self.uncertified.to_string()),
                row(
                    "singular Hessian: no hypergradient",
                    self.singular.to_string(),
                ),
                row("largest residual", largest(0)),
                row("largest duality gap", largest(1)),
                row("largest linear residual", largest(2)),
                row(
                    "mean steps of the solver",
                    short(self.steps / self.cells.max(1) as f64),
                ),
            ],
        }
    }
}

/// The seconds of work per device; `None` before anything is done.
pub fn timing(devices: &[(String, usize, f64)]) -> Option<Chart> {
    let bar = |(name, units, seconds): &(String, usize, f64)| Bar {
        label: name.clone(),
        value: *seconds,
        text: format!("{seconds:.2} s in {units} units"),
    };
    let most = devices.iter().map(|device| device.2).fold(0.0, f64::max);
    let bars = Bars {
        title: "Time per device".into(),
        subtitle: "seconds of work, added up over threads and processes".into(),
        full: most,
        bars: devices.iter().map(bar).collect(),
    };
    (!devices.is_empty()).then(|| {
        let caption = "The seconds that each device worked on the finished units.";
        bars_chart("timing".into(), caption, bars)
    })
}

fn bars_chart(name: String, caption: &str, bars: Bars) -> Chart {
    Chart {
        name,
        caption: caption.into(),
        svg: Box::new(move |theme: Theme| bars.svg(theme)),
    }
}

//! Figures and the page of an experiment.

use super::record::{Curve, CurveMethod, Record, Setting};
use crate::report::{Axis, Band, Head, Mark, Page, Plot, Section, Series, Theme};

/// The figure of one setting: error against x, both as the experiment counts them.
#[must_use]
pub fn plot(record: &Record, setting: &Setting) -> Plot {
    let steps = record.experiment == "deterministic";
    let series = setting.curves.iter().map(series).collect();
    let floor = if steps { 1e-15 } else { 0.0 };
    let lowest = setting
        .curves
        .iter()
        .flat_map(|curve| curve.low.iter().copied())
        .filter(|&error| error > floor)
        .fold(f64::INFINITY, f64::min);
    let highest = setting
        .curves
        .iter()
        .flat_map(|curve| curve.high.iter().copied())
        .filter(|error| error.is_finite())
        .fold(0.0, f64::max);
    let y = Axis::log("normalised error ‖g − ∇f‖ / ‖∇f‖");
    Plot {
        title: match record.experiment {
            "deterministic" => "Error of the hypergradient after t steps".into(),
            _ => "Error of the hypergradient against samples used".into(),
        },
        subtitle: format!(
            "l1 = {}, l2 = {}; {} of {} coefficients on the support",
            setting.l1, setting.l2, setting.support, setting.coordinates
        ),
        x: if steps {
            Axis::linear("steps t")
        } else {
            Axis::log("samples used")
        },
        // A few wild values must not squeeze the rest.
        y: if lowest < highest {
            y.between(lowest, highest.min(100.0))
        } else {
            y
        },
        series,
        marks: setting
            .support_identified_at
            .map(|t| Mark {
                x: t as f64,
                label: format!("support identified at t = {t}"),
            })
            .into_iter()
            .collect(),
        ..Plot::default()
    }
}

fn series(curve: &Curve) -> Series {
    let has_band = curve.rms.is_some();
    Series {
        label: curve.method.label().into(),
        x: curve.x.clone(),
        y: curve.error.clone(),
        band: has_band.then(|| Band {
            low: curve.low.clone(),
            high: curve.high.clone(),
        }),
        markers: has_band && curve.x.len() <= 40,
        dashed: matches!(
            curve.method,
            CurveMethod::AidCg | CurveMethod::SidConstant | CurveMethod::NsidConstant
        ),
        ..Series::default()
    }
}

/// The page with every figure and the numbers behind it.
#[must_use]
pub fn page(record: &Record) -> Page {
    let mut sections = vec![Section::Text(format!(
        "{}. {} arithmetic on {}, {:.1} s. The method is that of R. Grazzi, M. Pontil and S. Salzo, \
         Nonsmooth Implicit Differentiation, ICML 2024.",
        record.design, record.precision, record.device, record.seconds
    ))];
    sections.extend(record.notes.iter().cloned().map(Section::Text));
    for setting in &record.settings {
        sections.push(Section::Heading(format!(
            "l1 = {}, l2 = {}",
            setting.l1, setting.l2
        )));
        sections.push(Section::Figure {
            svg: plot(record, setting).svg(Theme::Auto),
            caption: caption(record, setting),
        });
        sections.push(table(record, setting));
    }
    Page {
        head: Head {
            title: format!("proxdiff: the {} experiment", record.experiment),
            ..Head::default()
        },
        sections,
    }
}

fn caption(record: &Record, setting: &Setting) -> String {
    let mut text = match record.experiment {
        "deterministic" => String::from(
            "Implicit methods linearise at w_t and take t products; ITD differentiates the t steps.",
        ),
        _ => String::from(
            "Lines are medians over the seeds, bands reach from the 10 % to the 90 % quantile.",
        ),
    };
    if let Some(t) = setting.support_identified_at {
        text += &format!(" Before t = {t} the support still changes, and errors do not fall.");
    }
    text
}

/// Rows of the table: at most this many, evenly chosen.
const TABLE_ROWS: usize = 11;

fn table(record: &Record, setting: &Setting) -> Section {
    let mut head = vec![record.x.to_string()];
    head.extend(setting.curves.iter().map(|c| c.method.label().to_string()));
    // Curves may have x of their own: every curve has its value at the last of its x at or before.
    let longest = setting.curves.iter().max_by_key(|curve| curve.x.len());
    let xs = longest.map_or(&[][..], |curve| &curve.x);
    let count = TABLE_ROWS.min(xs.len());
    let rows = (0..count)
        .map(|row| {
            let x = xs[row * (xs.len() - 1) / (count - 1).max(1)];
            let mut cells = vec![format!("{x}")];
            cells.extend(setting.curves.iter().map(|curve| {
                let at = curve.x.partition_point(|&other| other <= x);
                match at.checked_sub(1).map(|at| curve.error[at]) {
                    Some(error) if error.is_finite() => format!("{error:.2e}"),
                    _ => "–".into(),
                }
            }));
            cells
        })
        .collect();
    Section::Table { head, rows }
}

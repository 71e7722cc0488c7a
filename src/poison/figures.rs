//! Figures and the page of a measurement of robustness.

use super::{AtBudget, Defended, Measured, Measurement};
use crate::data::Dense;
use crate::error::{Error, Result};
use crate::report::image::{self, Picture};
use crate::report::{Axis, Band, Head, Page, Plot, Section, Series, Theme};

/// A defence by its name in figures, and the scores that it leads to.
type Defence = (&'static str, fn(&Defended) -> Option<Measured>);

/// The defences.
const DEFENCES: [Defence; 3] = [
    ("tuned anew", |d| d.retuned.map(|found| found.scores)),
    ("TRIM", |d| d.trim.map(|found| found.scores)),
    ("clean", |d| d.clean.map(|found| found.scores)),
];

/// Error or accuracy against the budget of a poisoning: clean, moved at random, poisoned; and poisoned under
/// each defence.
#[must_use]
pub fn robustness(measurement: &Measurement) -> Plot {
    let classifies = measurement.clean.validation.accuracy.is_some();
    let shown = |measured: &Measured| measured.test.unwrap_or(measured.validation).headline();
    let mut x = vec![0.0];
    x.extend(measurement.budgets.iter().map(|at| at.budget));
    let clean = shown(&measurement.clean);
    let curve = |label: &str, of: &dyn Fn(&AtBudget) -> (f64, f64, f64)| {
        let all: Vec<(f64, f64, f64)> = std::iter::once((clean, clean, clean))
            .chain(measurement.budgets.iter().map(of))
            .collect();
        Series {
            label: label.into(),
            x: x.clone(),
            y: all.iter().map(|v| v.0).collect(),
            band: Some(Band {
                low: all.iter().map(|v| v.1).collect(),
                high: all.iter().map(|v| v.2).collect(),
            }),
            markers: true,
            ..Series::default()
        }
    };
    let spread = |worst: &Measured, measured: &[Measured]| {
        let values: Vec<f64> = measured.iter().map(shown).collect();
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (shown(worst), low, high)
    };
    let rows = if measurement.clean.test.is_some() {
        "test rows"
    } else {
        "validation rows"
    };
    let what = if classifies {
        "accuracy"
    } else {
        "root mean square error"
    };
    let defended = DEFENCES.iter().filter_map(|(name, scores)| {
        let of = |defended: &Option<Defended>| {
            defended
                .as_ref()
                .and_then(scores)
                .map(|found| shown(&found))
        };
        let at_zero = std::iter::once(of(&measurement.defended));
        let all = at_zero.chain(measurement.budgets.iter().map(|at| of(&at.defended)));
        let all: Vec<Option<f64>> = all.collect();
        all.iter().any(Option::is_some).then(|| Series {
            label: format!("poisoned, {name}"),
            x: x.clone(),
            y: all.iter().map(|value| value.unwrap_or(f64::NAN)).collect(),
            markers: true,
            ..Series::default()
        })
    });
    Plot {
        title: "Robustness against perturbed training rows".into(),
        subtitle: format!(
            "{} rows moved; {what} on {rows}, bands over restarts",
            measurement.rows.len()
        ),
        x: Axis::linear("budget per row"),
        y: Axis::linear(what),
        series: [
            curve("moved at random", &|at| {
                spread(&at.worst_random, &at.random)
            }),
            curve("poisoned", &|at| spread(&at.poisoned, &at.attacks)),
        ]
        .into_iter()
        .chain(defended)
        .collect(),
        marks: Vec::new(),
        ..Plot::default()
    }
}

/// Pictures that a grid shows, in as many columns.
const PICTURES: usize = 10;

/// A grid for image data: rows as they are, as poisoned at the largest budget, and the difference,
/// for the rows that matter most. `None` where the width does not divide the features.
///
/// # Errors
/// Those of the image encoder.
pub fn picture_grid(x: &Dense, measurement: &Measurement, width: usize) -> Result<Option<Vec<u8>>> {
    let Some(last) = measurement.budgets.last() else {
        return Ok(None);
    };
    let d = x.columns;
    if width == 0 || !d.is_multiple_of(width) {
        return Err(Error::value(
            "image width",
            format!("{width} does not divide the {d} features"),
            "give the number of pixels in a row of a picture",
        ));
    }
    let (low, high) = x
        .values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &x| {
            (low.min(x), high.max(x))
        });
    let grey = |x: f64| (x - low) / (high - low);
    let places: Vec<(usize, usize)> = measurement
        .row_slopes
        .iter()
        .take(PICTURES)
        .filter_map(|&(row, _)| {
            let at = measurement.rows.iter().position(|&other| other == row)?;
            Some((row, at))
        })
        .collect();
    let moved = |at: usize| &last.perturbation.values[at * d..(at + 1) * d];
    let picture = |values: Vec<f64>| Picture { width, values };
    let clean = places
        .iter()
        .map(|&(row, _)| picture(x.row(row).iter().map(|&x| grey(x)).collect()));
    let poisoned = places.iter().map(|&(row, at)| {
        let sum = x.row(row).iter().zip(moved(at)).map(|(x, p)| grey(x + p));
        picture(sum.collect())
    });
    let difference = places.iter().map(|&(_, at)| {
        let shift = moved(at).iter().map(|p| 0.5 + 0.5 * p / last.budget);
        picture(shift.collect())
    });
    let all: Vec<Picture> = clean.chain(poisoned).chain(difference).collect();
    image::grid(&all, places.len().max(1), (168 / width).max(1)).map(Some)
}

/// The page of a poisoning measurement.
#[must_use]
pub fn robustness_page(measurement: &Measurement, source: &str, grid: Option<Vec<u8>>) -> Page {
    let mut sections = vec![
        Section::Text(format!(
            "{source}. {} training rows were moved within a budget: at random by the whole of it, \
             and along the hypergradient of the validation loss. The model was trained anew on each result. This \
             measures the robustness of a model of one's own.",
            measurement.rows.len()
        )),
        Section::Figure {
            svg: robustness(measurement).svg(Theme::Auto),
            caption:
                "Lines: the worst random move and the worst attack on validation rows, of as many \
                      of each."
                    .into(),
        },
    ];
    let number = |value: f64| format!("{value:.4}");
    let index = |value: Option<f64>| value.map_or("–".into(), |value| format!("{value:.2}"));
    let mut rows = Vec::new();
    let mut row = |name: String, measured: &Measured| {
        rows.push(vec![
            name,
            number(measured.validation.loss),
            number(measured.validation.headline()),
            measured
                .test
                .map_or("–".into(), |test| number(test.headline())),
            measured.features.to_string(),
            index(measured.stability.jaccard),
            index(measured.stability.kuncheva),
        ]);
    };
    row("clean".into(), &measurement.clean);
    for (name, scores) in &DEFENCES {
        if let Some(found) = measurement.defended.as_ref().and_then(scores) {
            row(format!("clean, {name}"), &found);
        }
    }
    for at in &measurement.budgets {
        for (run, measured) in at.random.iter().enumerate() {
            row(format!("{} at random, {}", at.budget, run + 1), measured);
        }
        for (run, measured) in at.attacks.iter().enumerate() {
            row(format!("{} attack {}", at.budget, run + 1), measured);
        }
        let defended = [("at random", &at.defended_random), ("attack", &at.defended)];
        for (what, defended) in defended {
            for (name, scores) in &DEFENCES {
                if let Some(found) = defended.as_ref().and_then(scores) {
                    row(format!("{} worst {what}, {name}", at.budget), &found);
                }
            }
        }
    }
    sections.push(Section::Table {
        head: [
            "model",
            "validation loss",
            "validation",
            "test",
            "features",
            "Jaccard",
            "Kuncheva",
        ]
        .map(String::from)
        .to_vec(),
        rows,
    });
    if let Some(png) = grid {
        sections.push(Section::Image {
            png,
            caption:
                "The rows that matter most: as they are, as poisoned at the largest budget, and \
                      what was added (grey: nothing)."
                    .into(),
        });
    }
    Page {
        head: Head {
            title: "proxdiff: robustness against poisoned training rows".into(),
            ..Head::default()
        },
        sections,
    }
}

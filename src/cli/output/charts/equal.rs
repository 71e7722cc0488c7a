//! Points with two numbers of one unit, and the line on which these are equal.

use crate::report::{Axis, Plot, Series};

/// A point of the chart.
pub(super) struct NamedPoint {
    /// The number along x.
    pub x: f64,
    /// The number along y.
    pub y: f64,
    /// Its name, for who points at it.
    pub name: String,
}

/// The words of the chart.
pub(super) struct Words {
    /// The title.
    pub title: String,
    /// One line more.
    pub subtitle: String,
    /// The numbers along x.
    pub x: String,
    /// The numbers along y.
    pub y: String,
    /// The points.
    pub points: String,
    /// The line of equal numbers.
    pub equal: String,
}

/// Draws the points whose numbers are finite; `None` where there are none.
pub(super) fn against_equal(words: Words, points: Vec<NamedPoint>) -> Option<Plot> {
    let mut series = Series {
        label: words.points,
        markers: true,
        is_faint: true,
        ..Series::default()
    };
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for point in points {
        if point.x.is_finite() && point.y.is_finite() {
            low = low.min(point.x).min(point.y);
            high = high.max(point.x).max(point.y);
            // A gap after each: no line joins them.
            series.x.extend([point.x, f64::NAN]);
            series.y.extend([point.y, f64::NAN]);
            series.names.extend([point.name, String::new()]);
        }
    }
    (low <= high).then(|| Plot {
        title: words.title,
        subtitle: words.subtitle,
        x: Axis::linear(words.x),
        y: Axis::linear(words.y),
        series: vec![
            series,
            Series {
                label: words.equal,
                x: vec![low, high],
                y: vec![low, high],
                dashed: true,
                ..Series::default()
            },
        ],
        ..Plot::default()
    })
}

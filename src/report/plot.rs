//! Line plots as SVG: log axes, bands, markers, vertical marks, a legend.
//!
//! A plot is readable without colour (the order of the legend and dashes tell curves apart), on a
//! phone (large type, legend below the title) and, with [`Theme::Auto`], on light and dark pages.

use super::axis::{Axis, Frame, Label};
use super::paint::{Paint, Theme};
use super::sheet::{begin, escape, number, text, width};

/// A lower and an upper curve, filled in between.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Band {
    /// One value per x.
    pub low: Vec<f64>,
    /// One value per x.
    pub high: Vec<f64>,
}

/// A curve; or points, where a NaN stands between every two values.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    /// Its name in the legend.
    pub label: String,
    /// Its name at its end, in [`Plot::names_at_ends`]; none where it has none.
    pub short_label: String,
    /// The position along x.
    pub x: Vec<f64>,
    /// The values; one that the axis cannot show interrupts the curve. A value between two gaps is drawn as
    /// a marker, its part of the band as a bar.
    pub y: Vec<f64>,
    /// The band around it.
    pub band: Option<Band>,
    /// Draw a marker at every value.
    pub markers: bool,
    /// Draw dashes.
    pub dashed: bool,
    /// Draw markers so that many on each other are seen to be many.
    pub is_faint: bool,
    /// Its colour's place in the palette; `None` takes the series' own place.
    pub color: Option<usize>,
    /// The names of its values, for who points at a marker; none, or one per value.
    pub names: Vec<String>,
}

/// A vertical line with a name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mark {
    /// The position along x.
    pub x: f64,
    /// Its name.
    pub label: String,
}

/// A plot.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plot {
    /// The title; also its name for readers who do not see it.
    pub title: String,
    /// One line more.
    pub subtitle: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The curves.
    pub series: Vec<Series>,
    /// Vertical lines.
    pub marks: Vec<Mark>,
    /// Write the names of curves at their ends too, where there is room.
    pub names_at_ends: bool,
}

const INNER_HEIGHT: f64 = 270.0;
/// The least room for the numbers and the title of the vertical axis.
const LEFT: f64 = 74.0;
/// Room for the title alone, and between numbers and axis.
const AXIS_TITLE: f64 = 32.0;
const BESIDE_AXIS: f64 = 8.0;
const RIGHT: f64 = 446.0;
const LEGEND_ROW: f64 = 24.0;

impl Plot {
    /// The plot as SVG text.
    #[must_use]
    pub fn svg(&self, theme: Theme) -> String {
        let paint = Paint { theme };
        let legend = self.legend_rows();
        let top = 62.0 + LEGEND_ROW * legend.len() as f64;
        let bottom = top + INNER_HEIGHT;
        let height = bottom + 58.0;
        let all = |f: &dyn Fn(&Series) -> Vec<f64>| -> Vec<f64> {
            self.series.iter().flat_map(f).collect()
        };
        let x = self.x.fit(
            all(&|series| series.x.clone())
                .into_iter()
                .chain(self.marks.iter().map(|mark| mark.x)),
        );
        let y = self.y.fit(
            all(&|series| {
                let band = series.band.clone().unwrap_or_default();
                [series.y.clone(), band.low, band.high].concat()
            })
            .into_iter(),
        );

        let mut out = begin(&paint, &self.title, &self.subtitle, height);
        out += &self.legend(&legend, &paint);
        let numbers = y.ticks(6).into_iter().filter_map(|tick| tick.label);
        let widest = numbers.map(|label| label_width(&label)).fold(0.0, f64::max);
        let left = LEFT.max(AXIS_TITLE + widest + BESIDE_AXIS);
        let map = Map {
            x,
            y,
            left,
            top,
            bottom,
        };
        out += &self.axes(&map, &paint);
        out += &self.curves(&map, &paint);
        out += &self.mark_names(&map, &paint);
        if self.names_at_ends {
            out += &self.end_names(&map, &paint);
        }
        out += "</svg>\n";
        out
    }

    fn color(&self, at: usize) -> usize {
        self.series[at].color.unwrap_or(at)
    }

    /// The legend's entries (series and x) row by row.
    fn legend_rows(&self) -> Vec<Vec<(usize, f64)>> {
        let mut rows: Vec<Vec<(usize, f64)>> = Vec::new();
        let mut at = f64::INFINITY;
        for (series, one) in self.series.iter().enumerate() {
            if one.label.is_empty() {
                continue;
            }
            let need = 34.0 + width(&one.label, 14.0) + 18.0;
            if at + need > RIGHT {
                rows.push(Vec::new());
                at = 14.0;
            }
            if let Some(row) = rows.last_mut() {
                row.push((series, at));
            }
            at += need;
        }
        rows
    }

    fn legend(&self, rows: &[Vec<(usize, f64)>], paint: &Paint) -> String {
        let mut out = String::new();
        for (at, row) in rows.iter().enumerate() {
            let y = 70.0 + LEGEND_ROW * at as f64;
            for &(series, x) in row {
                let one = &self.series[series];
                let has_line = self.has_line(one);
                if has_line {
                    out += &format!(
                        "<line x1=\"{x:.1}\" y1=\"{0:.1}\" x2=\"{1:.1}\" y2=\"{0:.1}\" stroke-width=\"3\" {2}{3}/>",
                        y - 5.0,
                        x + 27.0,
                        paint.stroke(self.color(series)),
                        dashes(one.dashed),
                    );
                }
                if one.markers || !has_line {
                    out += &marker(x + 13.5, y - 5.0, &paint.fill(self.color(series)));
                }
                out += &text(
                    x + 34.0,
                    y,
                    14.0,
                    "start",
                    &paint.ink(),
                    &escape(&one.label),
                );
            }
        }
        out
    }

    fn axes(&self, map: &Map, paint: &Paint) -> String {
        let (left, top, bottom) = (map.left, map.top, map.bottom);
        let mut out = String::new();
        for tick in map.y.ticks(6) {
            let y = map.at_y(tick.value);
            out += &line([left, y], [RIGHT, y], 1.0, &paint.grid(), "");
            if let Some(label) = &tick.label {
                let body = tick_label(label);
                out += &text(
                    left - BESIDE_AXIS,
                    y + 5.0,
                    14.0,
                    "end",
                    &paint.soft(),
                    &body,
                );
            }
        }
        for tick in map.x.ticks(5) {
            let x = map.at_x(tick.value);
            out += &line([x, top], [x, bottom], 1.0, &paint.grid(), "");
            if let Some(label) = &tick.label {
                let body = tick_label(label);
                out += &text(x, bottom + 21.0, 14.0, "middle", &paint.soft(), &body);
            }
        }
        out += &line([left, bottom], [RIGHT, bottom], 1.2, &paint.axis(), "");
        out += &line([left, top], [left, bottom], 1.2, &paint.axis(), "");
        let label = escape(&self.x.label);
        out += &text(
            (left + RIGHT) / 2.0,
            bottom + 46.0,
            15.0,
            "middle",
            &paint.ink(),
            &label,
        );
        out += &format!(
            "<text transform=\"translate(20 {:.1}) rotate(-90)\" text-anchor=\"middle\" {}>{}</text>",
            (top + bottom) / 2.0,
            paint.ink(),
            escape(&self.y.label)
        );
        for mark in self.marks.iter() {
            let x = map.at_x(mark.x);
            if x.is_finite() {
                let dashes = " stroke-dasharray=\"3 4\"";
                out += &line([x, top], [x, bottom], 1.5, &paint.axis(), dashes);
            }
        }
        out
    }

    /// The places of the names of vertical lines, those in the picture.
    fn mark_places(&self, map: &Map) -> Vec<MarkPlace<'_>> {
        let place = |(at, mark): (usize, &Mark)| {
            let x = map.at_x(mark.x);
            // The name stands on the side with more room, each mark's on a line of its own.
            let is_right = x < (map.left + RIGHT) / 2.0;
            x.is_finite().then(|| MarkPlace {
                x: if is_right { x + 7.0 } else { x - 7.0 },
                y: map.top + 18.0 + 19.0 * at as f64,
                anchor: if is_right { "start" } else { "end" },
                label: &self.marks[at].label,
            })
        };
        self.marks.iter().enumerate().filter_map(place).collect()
    }

    /// The names of vertical lines, over the curves.
    fn mark_names(&self, map: &Map, paint: &Paint) -> String {
        let name = |place: MarkPlace<'_>| {
            let label = escape(place.label);
            text(place.x, place.y, 14.0, place.anchor, &paint.halo(), &label)
        };
        self.mark_places(map).into_iter().map(name).collect()
    }

    fn curves(&self, map: &Map, paint: &Paint) -> String {
        let (left, top, bottom) = (map.left, map.top, map.bottom);
        let mut out = format!(
            "<clipPath id=\"inside\"><rect x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"/></clipPath>\
             <g clip-path=\"url(#inside)\">",
            top - 4.0,
            RIGHT - left + 4.0,
            bottom - top + 4.0
        );
        for (at, series) in self.series.iter().enumerate() {
            if let Some(band) = &series.band {
                out += &self.band(map, at, series, band, paint);
            }
        }
        for (at, series) in self.series.iter().enumerate() {
            let mut fill = paint.fill(self.color(at));
            if series.is_faint {
                fill += " fill-opacity=\"0.5\"";
            }
            for run in self.runs(&series.x, &[&series.y]) {
                // A line needs two ends; a value alone between gaps is seen as a marker.
                let has_line = run.len() >= 2;
                if has_line {
                    let points: Vec<String> = run
                        .clone()
                        .map(|i| map.point(series.x[i], series.y[i]))
                        .collect();
                    out += &format!(
                        "<polyline points=\"{}\" fill=\"none\" stroke-width=\"2.2\" \
                         stroke-linejoin=\"round\" stroke-linecap=\"round\" {}{}/>",
                        points.join(" "),
                        paint.stroke(self.color(at)),
                        dashes(series.dashed),
                    );
                }
                if series.markers || !has_line {
                    for i in run {
                        let place = [map.at_x(series.x[i]), map.at_y(series.y[i])];
                        out += &named_marker(place, &fill, &self.value(series, i));
                    }
                }
            }
        }
        out + "</g>"
    }

    /// The names of curves above their left ends, where these are apart from each other.
    fn end_names(&self, map: &Map, paint: &Paint) -> String {
        let mut out = String::new();
        let mut taken: Vec<Taken> = self.mark_places(map).iter().map(MarkPlace::taken).collect();
        for (at, series) in self.series.iter().enumerate() {
            let runs = self.runs(&series.x, &[&series.y]);
            let Some(first) = runs.first().filter(|run| run.len() >= 2) else {
                continue;
            };
            let i = first.start;
            let length = width(&series.short_label, 13.0);
            let (x, y) = (map.at_x(series.x[i]) + 4.0, map.at_y(series.y[i]) - 5.0);
            let is_inside = y - 12.0 > map.top && x + length < RIGHT;
            let own = Taken {
                left: x,
                right: x + length,
                y,
            };
            let is_free = taken.iter().all(|other| !own.meets(other));
            // Another curve that begins at the same place must not run through it.
            let is_clear = self.series.iter().enumerate().all(|(other, series)| {
                let begins = series.x.first().zip(series.y.first());
                let own = begins.map(|(&a, &b)| (map.at_x(a), map.at_y(b)));
                other == at
                    || own.is_none_or(|(a, b)| {
                        (a - x).abs() > length + 20.0 || b > y + 8.0 || b < y - 14.0
                    })
            });
            if series.short_label.is_empty() || !is_inside || !is_free || !is_clear {
                continue;
            }
            taken.push(own);
            let label = escape(&series.short_label);
            out += &text(x, y, 13.0, "start", &paint.fill(self.color(at)), &label);
        }
        out
    }

    /// A value of a curve in words.
    fn value(&self, series: &Series, at: usize) -> String {
        let [x, y] = [series.x[at], series.y[at]].map(number);
        if let Some(name) = series.names.get(at) {
            return format!("{name}: {} {x}, {} {y}", self.x.label, self.y.label);
        }
        let name = match series.label.as_str() {
            "" => &self.y.label,
            label => label,
        };
        format!("{} {x}: {name} {y}", self.x.label)
    }

    /// True unless every value stands alone.
    fn has_line(&self, series: &Series) -> bool {
        let runs = self.runs(&series.x, &[&series.y]);
        runs.is_empty() || runs.iter().any(|run| run.len() >= 2)
    }

    fn band(&self, map: &Map, at: usize, series: &Series, band: &Band, paint: &Paint) -> String {
        let mut out = String::new();
        for run in self.runs(&series.x, &[&band.low, &band.high]) {
            if run.len() < 2 {
                let stroke = paint.stroke(self.color(at));
                for i in run {
                    let x = map.at_x(series.x[i]);
                    let (low, high) = (map.at_y(band.low[i]), map.at_y(band.high[i]));
                    let pale = " stroke-opacity=\"0.4\"";
                    out += &line([x, low], [x, high], 1.5, &stroke, pale);
                }
                continue;
            }
            let up = run.clone().map(|i| map.point(series.x[i], band.low[i]));
            let down = run.rev().map(|i| map.point(series.x[i], band.high[i]));
            let points: Vec<String> = up.chain(down).collect();
            out += &format!(
                "<polygon points=\"{}\" fill-opacity=\"0.18\" {}/>",
                points.join(" "),
                paint.fill(self.color(at))
            );
        }
        out
    }

    /// The stretches of indices at which every value can be shown.
    fn runs(&self, x: &[f64], values: &[&Vec<f64>]) -> Vec<std::ops::Range<usize>> {
        let count = values
            .iter()
            .map(|v| v.len())
            .min()
            .unwrap_or(0)
            .min(x.len());
        let shows = |i: usize| self.x.shows(x[i]) && values.iter().all(|v| self.y.shows(v[i]));
        let mut runs = Vec::new();
        let mut start = None;
        for i in 0..=count {
            match (start, i < count && shows(i)) {
                (None, true) => start = Some(i),
                (Some(first), false) => {
                    runs.push(first..i);
                    start = None;
                }
                _ => {}
            }
        }
        runs
    }
}

/// The place of the name of a vertical line.
struct MarkPlace<'a> {
    x: f64,
    y: f64,
    anchor: &'static str,
    label: &'a str,
}

impl MarkPlace<'_> {
    fn taken(&self) -> Taken {
        let length = width(self.label, 14.0);
        let left = if self.anchor == "start" {
            self.x
        } else {
            self.x - length
        };
        Taken {
            left,
            right: left + length,
            y: self.y,
        }
    }
}

/// Room that a name takes, on the line at y.
struct Taken {
    left: f64,
    right: f64,
    y: f64,
}

impl Taken {
    fn meets(&self, other: &Self) -> bool {
        let is_beside = self.left > other.right + 4.0 || self.right + 4.0 < other.left;
        !is_beside && (self.y - other.y).abs() <= 16.0
    }
}

/// From values to places in the picture.
struct Map {
    x: Frame,
    y: Frame,
    left: f64,
    top: f64,
    bottom: f64,
}

impl Map {
    fn at_x(&self, value: f64) -> f64 {
        self.left + (RIGHT - self.left) * self.x.place(value)
    }

    fn at_y(&self, value: f64) -> f64 {
        self.bottom - (self.bottom - self.top) * self.y.place(value)
    }

    fn point(&self, x: f64, y: f64) -> String {
        format!("{:.1},{:.1}", self.at_x(x), self.at_y(y))
    }
}

/// The width of the label of a tick, roughly.
fn label_width(label: &Label) -> f64 {
    match label {
        Label::Plain(text) => width(text, 14.0),
        Label::Power(power) => width("10", 14.0) + width(&power.to_string(), 11.0),
    }
}

fn line(from: [f64; 2], to: [f64; 2], width: f64, stroke: &str, more: &str) -> String {
    format!(
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke-width=\"{width}\" {stroke}{more}/>",
        from[0], from[1], to[0], to[1]
    )
}

fn marker(x: f64, y: f64, fill: &str) -> String {
    format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.4\" {fill}/>")
}

/// A marker that shows its values where a pointer rests on it.
fn named_marker([x, y]: [f64; 2], fill: &str, name: &str) -> String {
    let name = escape(name);
    format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.4\" {fill}><title>{name}</title></circle>")
}

fn dashes(dashed: bool) -> &'static str {
    if dashed {
        " stroke-dasharray=\"7 5\""
    } else {
        ""
    }
}

pub(super) fn tick_label(label: &Label) -> String {
    match label {
        Label::Plain(text) => escape(text),
        Label::Power(power) => {
            let sign = if *power < 0 { "−" } else { "" };
            format!(
                "10<tspan dy=\"-6\" font-size=\"11\">{sign}{}</tspan>",
                power.unsigned_abs()
            )
        }
    }
}

#[cfg(test)]
mod tests;

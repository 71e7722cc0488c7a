//! A surface over two axes: a tile per point, coloured by its value, with an arrow of descent.

use super::axis::{Axis, Frame};
use super::paint::{GROUND, Paint, Theme};
use super::plot::{WIDTH, escape, tick_label};

/// A point of a surface.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tile {
    /// Where.
    pub x: f64,
    /// Where.
    pub y: f64,
    /// What; a tile without a finite value is left empty.
    pub value: f64,
    /// The direction of its arrow in the axes' own coordinates (logarithms on logarithmic axes);
    /// only the direction is drawn.
    pub arrow: Option<(f64, f64)>,
}

/// A ring around a point, with a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Ring {
    /// Where.
    pub x: f64,
    /// Where.
    pub y: f64,
    /// What is there.
    pub label: String,
}

/// A surface.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Surface {
    /// What it shows; also its name for readers who do not see it.
    pub title: String,
    /// One line more.
    pub subtitle: String,
    /// What the colour shows.
    pub value: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The points.
    pub tiles: Vec<Tile>,
    /// Points with a name.
    pub rings: Vec<Ring>,
}

const LEFT: f64 = 78.0;
const RIGHT: f64 = 560.0;
const TOP: f64 = 64.0;
const BOTTOM: f64 = 430.0;
/// Share of an axis that is left free at either end.
const MARGIN: f64 = 0.05;
/// Colours of the scale.
const STEPS: usize = 24;

/// From low (dark) to high (pale), told apart in grey too; after the ramp "viridis".
const RAMP: [(f64, f64, f64); 6] = [
    (68.0, 1.0, 84.0),
    (65.0, 68.0, 135.0),
    (42.0, 120.0, 142.0),
    (34.0, 168.0, 132.0),
    (122.0, 209.0, 81.0),
    (253.0, 231.0, 37.0),
];

/// The colour at a share of the ramp.
fn color(share: f64) -> String {
    let scaled = share.clamp(0.0, 1.0) * (RAMP.len() - 1) as f64;
    let at = (scaled as usize).min(RAMP.len() - 2);
    let (a, b, t) = (RAMP[at], RAMP[at + 1], scaled - at as f64);
    let mix = |a: f64, b: f64| (a + t * (b - a)).round() as u8;
    format!(
        "#{:02x}{:02x}{:02x}",
        mix(a.0, b.0),
        mix(a.1, b.1),
        mix(a.2, b.2)
    )
}

/// Both axes, fitted.
struct Map {
    x: Frame,
    y: Frame,
}

impl Map {
    fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (self.at_x(x), self.at_y(y))
    }

    /// Tiles reach past their places: these keep a margin to the axes.
    fn at_x(&self, x: f64) -> f64 {
        let share = MARGIN + (1.0 - 2.0 * MARGIN) * self.x.place(x);
        LEFT + share * (RIGHT - LEFT)
    }

    fn at_y(&self, y: f64) -> f64 {
        let share = MARGIN + (1.0 - 2.0 * MARGIN) * self.y.place(y);
        BOTTOM - share * (BOTTOM - TOP)
    }
}

impl Surface {
    /// The surface as SVG text.
    #[must_use]
    pub fn svg(&self, theme: Theme) -> String {
        let paint = Paint { theme };
        let map = Map {
            x: self.x.fit(self.tiles.iter().map(|tile| tile.x)),
            y: self.y.fit(self.tiles.iter().map(|tile| tile.y)),
        };
        let height = BOTTOM + 58.0;
        let title = escape(&self.title);
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
             aria-label=\"{title}\" font-family=\"DejaVu Sans, Helvetica, Arial, sans-serif\" \
             font-size=\"15\"><title>{title}</title>{}<rect width=\"{WIDTH}\" height=\"{height}\" {}/>\
             <text x=\"14\" y=\"26\" font-size=\"18\" {}>{title}</text>\
             <text x=\"14\" y=\"47\" font-size=\"14\" {}>{}</text>",
            paint.style(),
            paint.attribute("fill", GROUND, "ground"),
            paint.ink(),
            paint.soft(),
            escape(&self.subtitle)
        );
        out += &self.tiles(&map);
        out += &self.axes(&map, &paint);
        out += &self.rings(&map, &paint);
        out += &self.scale(&paint);
        out + "</svg>\n"
    }

    /// Finite values, ascending.
    fn values(&self) -> Vec<f64> {
        let mut values: Vec<f64> = self.tiles.iter().map(|t| t.value).collect();
        values.retain(|v| v.is_finite());
        values.sort_by(f64::total_cmp);
        values
    }

    /// The half distance between neighbouring values of an axis, in units of the picture.
    fn half_step(places: impl Iterator<Item = f64>, least: f64, most: f64) -> f64 {
        let mut places: Vec<f64> = places.collect();
        places.sort_by(f64::total_cmp);
        places.dedup_by(|a, b| (*a - *b).abs() < 0.5);
        let gaps = places.windows(2).map(|pair| pair[1] - pair[0]);
        (0.5 * gaps.fold(f64::INFINITY, f64::min)).clamp(least, most)
    }

    fn tiles(&self, map: &Map) -> String {
        let values = self.values();
        let place = |tile: &Tile| map.at(tile.x, tile.y);
        let half_x = Self::half_step(self.tiles.iter().map(|t| place(t).0), 2.0, 30.0);
        let half_y = Self::half_step(self.tiles.iter().map(|t| place(t).1), 2.0, 30.0);
        let mut out = String::new();
        let mut arrows = String::new();
        for tile in &self.tiles {
            let (x, y) = place(tile);
            if !(tile.value.is_finite() && x.is_finite() && y.is_finite()) {
                continue;
            }
            // By rank: a few bad points do not use up the colours.
            let below = values.partition_point(|v| *v < tile.value);
            let share = below as f64 / (values.len().max(2) - 1) as f64;
            out += &format!(
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{}\"/>",
                x - half_x,
                y - half_y,
                2.0 * half_x,
                2.0 * half_y,
                color(share)
            );
            if let Some((u, v)) = tile.arrow
                && half_x.min(half_y) >= 4.0
            {
                arrows += &arrow((x, y), (u, -v), 0.8 * half_x.min(half_y).min(14.0), share);
            }
        }
        out + &arrows
    }

    fn axes(&self, map: &Map, paint: &Paint) -> String {
        let mut out = String::new();
        for tick in map.y.ticks(7) {
            if let Some(label) = &tick.label {
                let y = map.at_y(tick.value);
                out += &format!(
                    "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"14\" text-anchor=\"end\" {}>{}</text>",
                    LEFT - 8.0,
                    y + 5.0,
                    paint.soft(),
                    tick_label(label)
                );
            }
        }
        for tick in map.x.ticks(6) {
            if let Some(label) = &tick.label {
                let x = map.at_x(tick.value);
                out += &format!(
                    "<text x=\"{x:.1}\" y=\"{:.1}\" font-size=\"14\" text-anchor=\"middle\" {}>{}</text>",
                    BOTTOM + 21.0,
                    paint.soft(),
                    tick_label(label)
                );
            }
        }
        out += &format!(
            "<path d=\"M{LEFT} {TOP}V{BOTTOM}H{RIGHT}\" fill=\"none\" stroke-width=\"1.2\" {}/>",
            paint.axis()
        );
        out += &format!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" {}>{}</text>",
            (LEFT + RIGHT) / 2.0,
            BOTTOM + 46.0,
            paint.ink(),
            escape(&self.x.label)
        );
        out += &format!(
            "<text transform=\"translate(20 {:.1}) rotate(-90)\" text-anchor=\"middle\" {}>{}</text>",
            (TOP + BOTTOM) / 2.0,
            paint.ink(),
            escape(&self.y.label)
        );
        out
    }

    fn rings(&self, map: &Map, paint: &Paint) -> String {
        let mut out = String::new();
        for (at, ring) in self.rings.iter().enumerate() {
            let (x, y) = map.at(ring.x, ring.y);
            let anchor = if x > (LEFT + RIGHT) / 2.0 {
                "end"
            } else {
                "start"
            };
            let shift = if anchor == "end" { -13.0 } else { 13.0 };
            out += &format!(
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"8\" fill=\"none\" stroke-width=\"6\" stroke=\"#ffffff\"/>\
                 <circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"8\" fill=\"none\" stroke-width=\"3\" {}/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" font-size=\"14\" font-weight=\"bold\" text-anchor=\"{anchor}\" \
                 fill=\"#ffffff\" stroke=\"#000000\" stroke-width=\"3\" paint-order=\"stroke\">{}</text>",
                paint.stroke(1),
                x + shift,
                y - 10.0 + 24.0 * at as f64,
                escape(&ring.label)
            );
        }
        out
    }

    /// The colours with their values, low at the bottom.
    fn scale(&self, paint: &Paint) -> String {
        let values = self.values();
        let (Some(low), Some(high)) = (values.first(), values.last()) else {
            return String::new();
        };
        let (left, width) = (RIGHT + 16.0, 14.0);
        let step = (BOTTOM - TOP) / STEPS as f64;
        let mut out = String::new();
        for at in 0..STEPS {
            out += &format!(
                "<rect x=\"{left}\" y=\"{:.1}\" width=\"{width}\" height=\"{:.1}\" fill=\"{}\"/>",
                BOTTOM - (at + 1) as f64 * step,
                step + 0.5,
                color((at as f64 + 0.5) / STEPS as f64)
            );
        }
        let middle = values[values.len() / 2];
        for (y, value) in [
            (BOTTOM, *low),
            ((TOP + BOTTOM) / 2.0, middle),
            (TOP + 12.0, *high),
        ] {
            out += &format!(
                "<text x=\"{:.1}\" y=\"{y:.1}\" font-size=\"12\" {}>{}</text>",
                left + width + 3.0,
                paint.soft(),
                short(value)
            );
        }
        out += &format!(
            "<text x=\"{WIDTH}\" y=\"{:.1}\" dx=\"-8\" font-size=\"12\" text-anchor=\"end\" {}>{}</text>",
            TOP - 8.0,
            paint.soft(),
            escape(&self.value)
        );
        out
    }
}

/// Three significant digits.
fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let magnitude = value.abs().log10().floor();
    if (-3.0..5.0).contains(&magnitude) {
        format!("{value:.*}", (2.0 - magnitude).max(0.0) as usize)
    } else {
        format!("{value:.1e}")
    }
}

/// An arrow of a length around a place; pale on dark tiles and dark on pale ones.
fn arrow((x, y): (f64, f64), (u, v): (f64, f64), length: f64, share: f64) -> String {
    let size = u.hypot(v);
    if !(size > 0.0 && size.is_finite()) {
        return String::new();
    }
    let (u, v) = (u / size * length, v / size * length);
    let ink = if share < 0.6 { "#ffffff" } else { "#000000" };
    let (tip_x, tip_y) = (x + u, y + v);
    let head = 0.45;
    let side = |sign: f64| {
        (
            tip_x - head * (u - sign * 0.6 * v),
            tip_y - head * (v + sign * 0.6 * u),
        )
    };
    let ((a, b), (c, d)) = (side(1.0), side(-1.0));
    format!(
        "<path d=\"M{:.1} {:.1}L{tip_x:.1} {tip_y:.1}M{a:.1} {b:.1}L{tip_x:.1} {tip_y:.1}L{c:.1} {d:.1}\" \
         fill=\"none\" stroke=\"{ink}\" stroke-width=\"1.4\"/>",
        x - u,
        y - v
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_surface_shows_its_finite_tiles() {
        let tile = |x: f64, y: f64, value: f64| Tile {
            x,
            y,
            value,
            arrow: Some((1.0, 0.0)),
        };
        let surface = Surface {
            title: "a < b".into(),
            x: Axis::log("l1"),
            y: Axis::log("l2"),
            tiles: vec![
                tile(1.0, 1.0, 3.0),
                tile(10.0, 1.0, 1.0),
                tile(1.0, 10.0, f64::NAN),
                tile(10.0, 10.0, 2.0),
            ],
            rings: vec![Ring {
                x: 10.0,
                y: 1.0,
                label: "best".into(),
            }],
            ..Surface::default()
        };
        let svg = surface.svg(Theme::Auto);
        // Three tiles, the ground and the scale.
        assert_eq!(svg.matches("<rect").count(), 3 + 1 + STEPS);
        assert_eq!(svg.matches("<path").count(), 3 + 1);
        assert!(svg.contains("a &lt; b") && svg.contains("best"));
        assert!(svg.contains(&color(0.0)) && svg.contains(&color(1.0)));
        assert!(!svg.contains("NaN"));
    }

    #[test]
    fn the_ramp_gets_brighter() {
        let brightness = |share: f64| {
            let text = color(share);
            let part = |at: usize| f64::from(u8::from_str_radix(&text[at..at + 2], 16).unwrap());
            0.3 * part(1) + 0.59 * part(3) + 0.11 * part(5)
        };
        let all: Vec<f64> = (0..=20)
            .map(|at| brightness(f64::from(at) / 20.0))
            .collect();
        assert!(all.is_sorted(), "{all:?}");
    }
}

//! A surface over two axes: a tile per point, coloured by its value, with an arrow of descent.

use super::axis::{Axis, Frame};
use super::label::{Bounds, Label, RING};
use super::paint::{Paint, Theme};
use super::plot::tick_label;
use super::sheet::{WIDTH, begin, escape, number, width as text_width};

mod ramp;

use ramp::color;

/// A point of a surface.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tile {
    /// The position along x.
    pub x: f64,
    /// The position along y.
    pub y: f64,
    /// The value; a tile without a finite one is left empty.
    pub value: f64,
    /// The direction of its arrow in the axes' own coordinates (logarithms on logarithmic axes);
    /// only the direction is drawn, and only as many arrows as there is room for.
    pub arrow: Option<(f64, f64)>,
}

/// A ring around a point, with a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Ring {
    /// The position along x.
    pub x: f64,
    /// The position along y.
    pub y: f64,
    /// Its name.
    pub label: String,
}

/// A way over the surface, such as that of a descent.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Trail {
    /// Its name, which shows where a pointer rests on its end.
    pub label: String,
    /// Its places along x, from its beginning to its end.
    pub x: Vec<f64>,
    /// Its places along y.
    pub y: Vec<f64>,
}

/// A surface.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Surface {
    /// The title; also its name for readers who do not see it.
    pub title: String,
    /// One line more.
    pub subtitle: String,
    /// The meaning of the arrows; it joins the subtitle where any is drawn.
    pub arrows: String,
    /// The title of the colours.
    pub value: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The points.
    pub tiles: Vec<Tile>,
    /// Points with a name.
    pub rings: Vec<Ring>,
    /// The values between points that are strewn, in rows and columns: the ground below these.
    pub ground: Vec<Tile>,
    /// Ways over it.
    pub trails: Vec<Trail>,
}

const LEFT: f64 = 74.0;
const RIGHT: f64 = 374.0;
const TOP: f64 = 74.0;
const BOTTOM: f64 = 344.0;
/// Share of an axis that is at least left free at either end.
const MARGIN: f64 = 0.05;
/// The smallest and the largest half side of a tile.
const HALF: (f64, f64) = (2.0, 30.0);
/// The half side of tiles that are strewn rather than in rows and columns.
const HALF_STREWN: f64 = 5.0;
/// The half length of arrows where tiles are smaller than these.
const ARROW: f64 = 7.0;
/// The frame.
const FRAME: Bounds = Bounds {
    left: LEFT,
    right: RIGHT,
    top: TOP,
    bottom: BOTTOM,
};
/// The most tiles that are drawn one by one: more than there are places for.
const MOST_TILES: usize = 20_000;
/// The most tiles that show their values.
const MOST_NAMED: usize = 1_000;
/// Colours of the scale.
const STEPS: usize = 24;

/// An axis in the picture: its frame, the room at its ends, and the half side of its tiles.
struct Side {
    frame: Frame,
    length: f64,
    margin: f64,
    half: f64,
}

impl Side {
    /// Tiles touch their nearest neighbours, and stay within the frame.
    fn new(frame: Frame, length: f64, values: &[f64], is_strewn: bool) -> Self {
        let least = MARGIN * length;
        let (margin, half) = if is_strewn {
            (least, HALF_STREWN)
        } else {
            let mut shares: Vec<f64> = values.iter().map(|&value| frame.place(value)).collect();
            shares.retain(|share| share.is_finite());
            shares.sort_by(f64::total_cmp);
            shares.dedup_by(|a, b| (*a - *b).abs() * length < 0.5);
            let gaps = shares.windows(2).map(|pair| pair[1] - pair[0]);
            // A single row is as high as one of two.
            let gap = gaps.fold(1.0, f64::min);
            let half = |room: f64| (0.5 * gap * room).clamp(HALF.0, HALF.1);
            // At h = ½ gap (length − 2 h) the outermost tiles end at the frame.
            let margin = (half(length / (1.0 + gap)) + 1.0).max(least);
            (margin, half(length - 2.0 * margin))
        };
        Self {
            frame,
            length,
            margin,
            half,
        }
    }

    fn at(&self, value: f64) -> f64 {
        self.margin + (self.length - 2.0 * self.margin) * self.frame.place(value)
    }
}

/// The tiles that are drawn.
struct Shown {
    /// Each with its place, and its value's share of the colours.
    tiles: Vec<(Tile, (f64, f64), f64)>,
    /// Their values, ascending.
    values: Vec<f64>,
    /// Whether a tile stands for several points.
    is_binned: bool,
}

impl Shown {
    /// A value's share of the colours: that of its rank.
    fn share(&self, value: f64) -> f64 {
        let below = self.values.partition_point(|v| *v < value);
        below as f64 / (self.values.len().max(2) - 1) as f64
    }
}

/// The tile with the smallest value of every square of the picture, in its middle.
fn binned(placed: Vec<(Tile, (f64, f64))>) -> Vec<(Tile, (f64, f64))> {
    let size = 2.0 * HALF.0;
    let columns = ((RIGHT - LEFT) / size).ceil() as usize;
    let rows = ((BOTTOM - TOP) / size).ceil() as usize;
    let mut bins: Vec<Option<Tile>> = vec![None; columns * rows];
    // Places lie within the frame; a negative number becomes a zero here.
    let number = |at: f64, count: usize| ((at / size) as usize).min(count - 1);
    for (tile, (x, y)) in placed {
        let bin = &mut bins[number(y - TOP, rows) * columns + number(x - LEFT, columns)];
        if bin.is_none_or(|kept| tile.value < kept.value) {
            *bin = Some(tile);
        }
    }
    let middle = |at: usize| (at as f64 + 0.5) * size;
    bins.into_iter()
        .enumerate()
        .filter_map(|(at, tile)| {
            let place = (LEFT + middle(at % columns), TOP + middle(at / columns));
            Some((tile?, place))
        })
        .collect()
}

impl Surface {
    /// The tiles, which show their values where a pointer rests on them.
    fn tiles(&self, shown: &Shown, map: &Map) -> String {
        let (mut half_x, mut half_y) = (map.x.half, map.y.half);
        if shown.is_binned && map.is_strewn {
            (half_x, half_y) = (HALF.0, HALF.0);
        }
        let mut rim = "";
        if !self.ground.is_empty() {
            // Small ones with a rim: their colours are those of the ground.
            (half_x, half_y) = (HALF.0, HALF.0);
            rim = " stroke=\"#000000\" stroke-opacity=\"0.45\" stroke-width=\"0.7\"";
        }
        let mut out = String::new();
        let is_named = shown.tiles.len() <= MOST_NAMED;
        for (tile, (x, y), share) in &shown.tiles {
            let name = if is_named {
                let [x, y, value] = [tile.x, tile.y, tile.value].map(number);
                let words = [
                    format!("{} {x}", self.x.label),
                    format!("{} {y}", self.y.label),
                    format!("{} {value}", self.value),
                ];
                format!("><title>{}</title></rect>", escape(&words.join(", ")))
            } else {
                "/>".into()
            };
            out += &format!(
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{}\"{rim}{name}",
                x - half_x,
                y - half_y,
                2.0 * half_x,
                2.0 * half_y,
                color(*share)
            );
        }
        out
    }
}

/// Both axes, fitted.
struct Map {
    x: Side,
    y: Side,
    is_strewn: bool,
}

impl Map {
    fn new(surface: &Surface) -> Self {
        let xs: Vec<f64> = surface.tiles.iter().map(|tile| tile.x).collect();
        let ys: Vec<f64> = surface.tiles.iter().map(|tile| tile.y).collect();
        let count = |values: &[f64]| {
            let mut values = values.to_vec();
            values.sort_by(f64::total_cmp);
            values.dedup();
            values.len()
        };
        // Drop rows and columns that are mostly empty.
        let is_strewn = 3 * xs.len() < 2 * count(&xs) * count(&ys);
        let (x, y) = (
            surface.x.fit(xs.iter().copied()),
            surface.y.fit(ys.iter().copied()),
        );
        Self {
            x: Side::new(x, RIGHT - LEFT, &xs, is_strewn),
            y: Side::new(y, BOTTOM - TOP, &ys, is_strewn),
            is_strewn,
        }
    }

    fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (self.at_x(x), self.at_y(y))
    }

    fn at_x(&self, x: f64) -> f64 {
        LEFT + self.x.at(x)
    }

    fn at_y(&self, y: f64) -> f64 {
        BOTTOM - self.y.at(y)
    }
}

impl Surface {
    /// The surface as SVG text.
    #[must_use]
    pub fn svg(&self, theme: Theme) -> String {
        let paint = Paint { theme };
        let map = Map::new(self);
        let shown = self.shown(&map);
        let arrows = self.arrows(&shown, &map, &paint);
        let mut subtitle = self.subtitle.clone();
        if shown.is_binned {
            subtitle = format!("{subtitle}; each tile is the lowest of its points");
        } else if !(arrows.is_empty() || self.arrows.is_empty()) {
            subtitle = format!("{subtitle}; {}", self.arrows);
        }
        let height = BOTTOM + 58.0;
        let mut out = begin(&paint, &self.title, &subtitle, height);
        out += &self.ground(&shown, &map);
        out += &self.tiles(&shown, &map);
        out += &format!("<g pointer-events=\"none\">{arrows}</g>");
        out += &self.axes(&map, &paint);
        out += &self.trails(&map);
        out += &self.rings(&map, &paint);
        out += &self.scale(&shown, &paint);
        out + "</svg>\n"
    }

    /// The tiles that can be shown, coloured by rank: a few bad points do not use up the colours.
    fn shown(&self, map: &Map) -> Shown {
        let all = self
            .tiles
            .iter()
            .map(|tile| (*tile, map.at(tile.x, tile.y)));
        let can_be_shown = |(tile, (x, y)): &(Tile, (f64, f64))| {
            tile.value.is_finite() && x.is_finite() && y.is_finite()
        };
        let mut placed: Vec<(Tile, (f64, f64))> = all.filter(can_be_shown).collect();
        let is_binned = placed.len() > MOST_TILES;
        if is_binned {
            placed = binned(placed);
        }
        // Points that crowd together, as descents' do, would use up the colours: the ground has them.
        let mut values: Vec<f64> = placed.iter().map(|(tile, _)| tile.value).collect();
        let of_ground = self.ground.iter().map(|tile| tile.value);
        let of_ground: Vec<f64> = of_ground.filter(|value| value.is_finite()).collect();
        if !of_ground.is_empty() {
            let (low, high) = (f64::INFINITY, f64::NEG_INFINITY);
            let low = values.iter().copied().fold(low, f64::min);
            let high = values.iter().copied().fold(high, f64::max);
            values = [of_ground, vec![low, high]].concat();
            values.retain(|value| value.is_finite());
        }
        values.sort_by(f64::total_cmp);
        let mut shown = Shown {
            tiles: Vec::new(),
            values,
            is_binned,
        };
        let tiles = placed.into_iter();
        let tiles = tiles.map(|(tile, place)| (tile, place, shown.share(tile.value)));
        shown.tiles = tiles.collect();
        shown
    }

    /// The values between the points, in the colours that a point of such a value has; each reaches to its
    /// neighbours.
    fn ground(&self, shown: &Shown, map: &Map) -> String {
        let places: Vec<(f64, f64)> = self.ground.iter().map(|t| map.at(t.x, t.y)).collect();
        let half = |of: fn(&(f64, f64)) -> f64| {
            let mut all: Vec<f64> = places.iter().map(of).filter(|v| v.is_finite()).collect();
            all.sort_by(f64::total_cmp);
            all.dedup_by(|a, b| (*a - *b).abs() < 0.05);
            let gaps = all.windows(2).map(|pair| pair[1] - pair[0]);
            // Neighbours overlap by a little: between them the page would shine through.
            0.5 * gaps.fold(2.0 * HALF.1, f64::min) + 0.15
        };
        let (half_x, half_y) = (half(|place| place.0), half(|place| place.1));
        let mut out = String::new();
        for (tile, (x, y)) in self.ground.iter().zip(&places) {
            if !(tile.value.is_finite() && x.is_finite() && y.is_finite()) {
                continue;
            }
            let (left, top) = ((x - half_x).max(LEFT), (y - half_y).max(TOP));
            let (right, bottom) = ((x + half_x).min(RIGHT), (y + half_y).min(BOTTOM));
            out += &format!(
                "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{}\"/>",
                (right - left).max(0.0),
                (bottom - top).max(0.0),
                color(shown.share(tile.value))
            );
        }
        out
    }

    /// Every way as a line, dark around pale so that it is seen on all colours, with a mark where it ends.
    fn trails(&self, map: &Map) -> String {
        let mut out = String::new();
        for trail in &self.trails {
            let places = trail.x.iter().zip(&trail.y);
            let places = places.map(|(&x, &y)| map.at(x, y));
            let places: Vec<(f64, f64)> = places
                .filter(|(x, y)| x.is_finite() && y.is_finite())
                .collect();
            let Some((x, y)) = places.last() else {
                continue;
            };
            let points: Vec<String> = places
                .iter()
                .map(|(x, y)| format!("{x:.1},{y:.1}"))
                .collect();
            // A way of one place has no line, which some that draw SVG refuse.
            let strokes: &[(f64, &str)] = if places.len() > 1 {
                &[(4.0, "#000000"), (2.0, "#ffffff")]
            } else {
                &[]
            };
            for (width, ink) in strokes {
                out += &format!(
                    "<polyline points=\"{}\" fill=\"none\" stroke-width=\"{width}\" stroke-linejoin=\"round\" \
                     stroke-linecap=\"round\" stroke=\"{ink}\"/>",
                    points.join(" ")
                );
            }
            out += &format!(
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.6\" fill=\"#ffffff\" stroke=\"#000000\" \
                 stroke-width=\"1.2\"><title>{}</title></circle>",
                escape(&trail.label)
            );
        }
        out
    }

    /// An arrow in every tile that has room for it; among smaller tiles arrows that keep clear of
    /// each other.
    fn arrows(&self, shown: &Shown, map: &Map, paint: &Paint) -> String {
        let half = map.x.half.min(map.y.half);
        let is_roomy = half >= 4.0 && !map.is_strewn;
        let length = if is_roomy {
            0.8 * half.min(14.0)
        } else {
            ARROW
        };
        let mut out = String::new();
        let mut drawn: Vec<(f64, f64)> = Vec::new();
        for &(tile, (x, y), share) in &shown.tiles {
            let Some((u, v)) = tile.arrow else { continue };
            let size = u.hypot(v);
            if !(size > 0.0 && size.is_finite()) {
                continue;
            }
            let (u, v) = (length * u / size, -length * v / size);
            let near = |&(a, b): &(f64, f64)| (a - x).hypot(b - y) < 3.0 * ARROW;
            if !is_roomy && drawn.iter().any(near) {
                continue;
            }
            drawn.push((x, y));
            // Pale on dark tiles and dark on pale ones.
            let ink = if share < 0.6 { "#ffffff" } else { "#000000" };
            let on_colours = format!("stroke=\"{ink}\"");
            // From the rim of a tile that is strewn.
            let beyond = |half: f64| {
                let start = 1.0 + half / length;
                [x + start * u, y + start * v]
            };
            out += &if !self.ground.is_empty() {
                arrow(beyond(HALF.0 + 1.0), [u, v], &on_colours)
            } else if map.is_strewn {
                arrow(beyond(HALF_STREWN), [u, v], &paint.axis())
            } else {
                arrow([x, y], [u, v], &on_colours)
            };
        }
        out
    }

    fn axes(&self, map: &Map, paint: &Paint) -> String {
        let mut out = String::new();
        for tick in map.y.frame.ticks(6) {
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
        for tick in map.x.frame.ticks(5) {
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
        let place = |ring: &Ring| <[f64; 2]>::from(map.at(ring.x, ring.y));
        let places: Vec<[f64; 2]> = self.rings.iter().map(place).collect();
        let mut labels: Vec<Label> = Vec::new();
        let (mut rings, mut names) = (String::new(), String::new());
        for (ring, &[x, y]) in self.rings.iter().zip(&places) {
            rings += &format!(
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{RING}\" fill=\"none\" stroke-width=\"6\" stroke=\"#ffffff\"/>\
                 <circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{RING}\" fill=\"none\" stroke-width=\"3\" {}/>",
                paint.stroke(1),
            );
            let label = Label::beside([x, y], &ring.label, &places, &labels, &FRAME);
            names += &format!(
                "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"14\" font-weight=\"bold\" text-anchor=\"middle\" \
                 fill=\"#ffffff\" stroke=\"#000000\" stroke-width=\"3\" paint-order=\"stroke\">{}</text>",
                label.x,
                label.y + 5.0,
                escape(&ring.label)
            );
            labels.push(label);
        }
        rings + &names
    }

    /// The colours with their values, low at the bottom.
    fn scale(&self, shown: &Shown, paint: &Paint) -> String {
        let values = &shown.values;
        let (Some(low), Some(high)) = (values.first(), values.last()) else {
            return String::new();
        };
        let (left, width) = (RIGHT + 12.0, 14.0);
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
            let label = short(value);
            let room = WIDTH - (left + width + 5.0);
            let size = (13.0 * room / text_width(&label, 13.0)).min(13.0);
            out += &format!(
                "<text x=\"{:.1}\" y=\"{y:.1}\" font-size=\"{size:.1}\" {}>{label}</text>",
                left + width + 3.0,
                paint.soft(),
            );
        }
        out += &format!(
            "<text x=\"{WIDTH}\" y=\"{:.1}\" dx=\"-8\" font-size=\"13\" text-anchor=\"end\" {}>{}</text>",
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
        format!("{value:.2e}")
    }
}

/// An arrow around a place, from −(u, v) to (u, v).
fn arrow([x, y]: [f64; 2], [u, v]: [f64; 2], stroke: &str) -> String {
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
         fill=\"none\" {stroke} stroke-width=\"1.4\"/>",
        x - u,
        y - v
    )
}

#[cfg(test)]
mod tests;

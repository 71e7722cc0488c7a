//! A surface over two axes: a tile per point, coloured by its value, with an arrow of descent.

use super::axis::{Axis, Frame};
use super::label::{Bounds, Label, RING};
use super::paint::{Paint, Theme};
use super::plot::tick_label;
use super::sheet::{WIDTH, begin, escape, number, width as text_width};

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
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{}\"{name}",
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
        out += &self.tiles(&shown, &map);
        out += &format!("<g pointer-events=\"none\">{arrows}</g>");
        out += &self.axes(&map, &paint);
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
        let mut values: Vec<f64> = placed.iter().map(|(tile, _)| tile.value).collect();
        values.sort_by(f64::total_cmp);
        let tiles = placed.into_iter().map(|(tile, place)| {
            let below = values.partition_point(|v| *v < tile.value);
            let share = below as f64 / (values.len().max(2) - 1) as f64;
            (tile, place, share)
        });
        Shown {
            tiles: tiles.collect(),
            values,
            is_binned,
        }
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
            out += &if map.is_strewn {
                // From the tile's rim over the ground.
                let start = 1.0 + HALF_STREWN / length;
                arrow([x + start * u, y + start * v], [u, v], &paint.axis())
            } else {
                // Pale on dark tiles and dark on pale ones.
                let ink = if share < 0.6 { "#ffffff" } else { "#000000" };
                arrow([x, y], [u, v], &format!("stroke=\"{ink}\""))
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

    fn grid(columns: usize, rows: usize) -> Surface {
        let tile = |at: usize| Tile {
            x: (at % columns) as f64,
            y: (at / columns) as f64,
            value: at as f64,
            arrow: Some((1.0, 1.0)),
        };
        Surface {
            tiles: (0..columns * rows).map(tile).collect(),
            subtitle: "dark is low".into(),
            arrows: "arrows of descent".into(),
            ..Surface::default()
        }
    }

    #[test]
    fn tiles_stay_within_the_frame() {
        for (columns, rows) in [(2, 2), (3, 5), (14, 6), (40, 2), (1, 7)] {
            let map = Map::new(&grid(columns, rows));
            let (left, low) = map.at(0.0, 0.0);
            let (right, high) = map.at((columns - 1) as f64, (rows - 1) as f64);
            let (x, y) = (map.x.half, map.y.half);
            assert!(left - x >= LEFT && right + x <= RIGHT, "{columns}");
            assert!(high - y >= TOP && low + y <= BOTTOM, "{rows}");
        }
    }

    #[test]
    fn a_tile_stands_for_its_points_where_there_are_too_many() {
        let surface = grid(1000, 300);
        let svg = surface.svg(Theme::Light);
        let drawn = svg.matches("<rect").count();
        assert!((2000..MOST_TILES).contains(&drawn), "{drawn}");
        assert!(svg.contains("each tile is the lowest of its points"));
        let map = Map::new(&surface);
        let shown = surface.shown(&map);
        // The lowest of all is drawn, and every tile's value is that of a point within it.
        assert_eq!(shown.values[0], 0.0);
        for (tile, (x, y), _) in &shown.tiles {
            let (a, b) = map.at(tile.x, tile.y);
            assert!((a - x).abs() <= HALF.0 && (b - y).abs() <= HALF.0);
        }
        assert!(!grid(100, 100).shown(&Map::new(&grid(100, 100))).is_binned);
    }

    #[test]
    fn arrows_are_spoken_of_where_they_are_drawn() {
        let said = |surface: &Surface| surface.svg(Theme::Light).contains("arrows of descent");
        let mut surface = grid(5, 4);
        assert!(said(&surface));
        // Narrow columns have arrows in some of them.
        let narrow = grid(150, 3);
        let svg = narrow.svg(Theme::Light);
        assert!(said(&narrow) && svg.matches("fill=\"none\" stroke=\"#").count() > 30);
        for tile in &mut surface.tiles {
            tile.arrow = None;
        }
        assert!(!said(&surface));
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

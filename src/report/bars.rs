//! Horizontal bars with names and values, as SVG.
//!
//! Names stand above their bars, so that long ones have room on a phone too.

use super::paint::{Paint, Theme};
use super::sheet::{begin, escape, shortened, width};

/// A bar.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bar {
    /// The name of what it counts.
    pub label: String,
    /// Its length; what is not finite, or negative, has none.
    pub value: f64,
    /// Its value in words.
    pub text: String,
}

/// Bars with a common scale.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bars {
    /// The title; also their name for readers who do not see them.
    pub title: String,
    /// One line more.
    pub subtitle: String,
    /// The value of a bar over the whole width.
    pub full: f64,
    /// From top to bottom.
    pub bars: Vec<Bar>,
}

const LEFT: f64 = 14.0;
const RIGHT: f64 = 446.0;
/// The height of the first name.
const TOP: f64 = 82.0;
/// From one name to the next.
const ROW: f64 = 54.0;
/// From a name to the middle of its bar.
const BELOW: f64 = 18.0;
const THICKNESS: f64 = 16.0;
/// The size of names and values.
const LETTERS: f64 = 15.0;

impl Bars {
    /// The bars as SVG text.
    #[must_use]
    pub fn svg(&self, theme: Theme) -> String {
        let paint = Paint { theme };
        let height = TOP + ROW * self.bars.len() as f64;
        let mut out = begin(&paint, &self.title, &self.subtitle, height);
        for (at, bar) in self.bars.iter().enumerate() {
            let y = TOP + ROW * at as f64;
            // The value is whole, and the name has the room beside it.
            let room = RIGHT - LEFT - width(&bar.text, LETTERS) - LETTERS;
            let name = shortened(&bar.label, room.max(0.0), LETTERS);
            let hover = if name == bar.label {
                String::new()
            } else {
                format!("<title>{}</title>", escape(&bar.label))
            };
            out += &format!(
                "<text x=\"{LEFT}\" y=\"{y}\" {0}>{hover}{1}</text>\
                 <text x=\"{RIGHT}\" y=\"{y}\" text-anchor=\"end\" {0}>{2}</text>",
                paint.ink(),
                escape(&name),
                escape(&bar.text)
            );
            out += &stripe(y + BELOW, RIGHT, &paint.grid());
            let length = self.share(bar.value) * (RIGHT - LEFT);
            if length > 0.0 {
                // A single one among thousands is seen too.
                out += &stripe(y + BELOW, LEFT + length.max(2.0), &paint.stroke(0));
            }
        }
        out + "</svg>\n"
    }

    fn share(&self, value: f64) -> f64 {
        let share = value / self.full;
        if share.is_finite() {
            share.clamp(0.0, 1.0)
        } else {
            0.0
        }
    }
}

fn stripe(y: f64, to: f64, stroke: &str) -> String {
    format!(
        "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{to:.1}\" y2=\"{y:.1}\" stroke-width=\"{THICKNESS}\" {stroke}/>"
    )
}

#[cfg(test)]
mod tests {
    use super::super::paint::GROUND;
    use super::*;

    /// The right ends of the stripes, two a bar: ground and bar.
    fn ends(bars: &Bars) -> Vec<f64> {
        let svg = bars.svg(Theme::Light);
        let parts = svg.split("x2=\"").skip(1);
        let number = |text: &str| text.split('"').next().unwrap().parse().unwrap();
        parts.map(number).collect()
    }

    fn bars(full: f64, values: &[f64]) -> Bars {
        let bar = |&value: &f64| Bar {
            label: "a < b".into(),
            value,
            text: format!("{value} of {full}"),
        };
        Bars {
            title: "T & U".into(),
            full,
            bars: values.iter().map(bar).collect(),
            ..Bars::default()
        }
    }

    #[test]
    fn lengths_are_shares_of_the_whole() {
        assert_eq!(ends(&bars(4.0, &[4.0, 1.0])), [RIGHT, RIGHT, RIGHT, 122.0]);
        // None at all, and one of a million.
        assert_eq!(ends(&bars(1e6, &[0.0, 1.0])), [RIGHT, RIGHT, 16.0]);
        assert_eq!(ends(&bars(0.0, &[0.0, f64::NAN])), [RIGHT, RIGHT]);
    }

    #[test]
    fn long_names_leave_the_values_their_room() {
        let mut bars = bars(2.0, &[1.0]);
        bars.bars[0].label = "neighbourhood=Northridge Heights and the whole of the East".into();
        let svg = bars.svg(Theme::Light);
        assert!(svg.contains("<title>neighbourhood=Northridge Heights and the whole of the East<"));
        let name = svg.split("</title>").nth(2).unwrap();
        let name = name.split('<').next().unwrap();
        assert!(name.contains('…'), "{name}");
        let both = width(name, LETTERS) + width("1 of 2", LETTERS);
        assert!(both < RIGHT - LEFT, "{name}");
    }

    #[test]
    fn names_are_escaped_and_themes_kept() {
        let svg = bars(2.0, &[1.0]).svg(Theme::Auto);
        assert!(svg.contains("T &amp; U") && svg.contains("a &lt; b") && svg.contains("1 of 2"));
        assert!(svg.contains("prefers-color-scheme:dark"));
        let dark = bars(2.0, &[1.0]).svg(Theme::Dark);
        assert!(dark.contains(GROUND.1) && !dark.contains(GROUND.0));
    }
}

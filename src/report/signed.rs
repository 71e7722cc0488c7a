//! Horizontal bars to either side of zero, a row each: a name, a bar, its value.

use super::bars::Bar;
use super::paint::{Paint, Theme};
use super::sheet::{begin, escape, shortened};

/// Bars to either side of zero with a common scale.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SignedBars {
    /// The title; also their name for readers who do not see them.
    pub title: String,
    /// One line more.
    pub subtitle: String,
    /// From top to bottom; what is not finite has no bar.
    pub bars: Vec<Bar>,
}

const LEFT: f64 = 14.0;
/// The right end of the names.
const NAMES: f64 = 158.0;
/// The ends of the bars, and of the values.
const BARS: [f64; 2] = [168.0, 366.0];
const RIGHT: f64 = 446.0;
/// The middle of the first row.
const TOP: f64 = 74.0;
/// From one row to the next.
const ROW: f64 = 24.0;
const THICKNESS: f64 = 13.0;
/// The size of names and values.
const LETTERS: f64 = 13.0;

impl SignedBars {
    /// The bars as SVG text.
    #[must_use]
    pub fn svg(&self, theme: Theme) -> String {
        let paint = Paint { theme };
        let height = TOP + ROW * self.bars.len() as f64;
        let mut out = begin(&paint, &self.title, &self.subtitle, height);
        let values = || self.bars.iter().map(|bar| bar.value);
        let finite = || values().filter(|value| value.is_finite());
        let low = finite().fold(0.0, f64::min);
        let high = finite().fold(0.0, f64::max);
        let unit = if high > low {
            (BARS[1] - BARS[0]) / (high - low)
        } else {
            0.0
        };
        let place = |value: f64| BARS[0] + (value - low) * unit;
        let zero = place(0.0);
        for (at, bar) in self.bars.iter().enumerate() {
            let y = TOP + ROW * at as f64;
            let name = shortened(&bar.label, NAMES - LEFT, LETTERS);
            let value = shortened(&bar.text, RIGHT - BARS[1] - 6.0, LETTERS);
            let baseline = y + 4.5;
            out += &format!(
                "<g><title>{}: {}</title>\
                 <text x=\"{NAMES}\" y=\"{baseline:.1}\" font-size=\"{LETTERS}\" text-anchor=\"end\" {ink}>{}</text>\
                 <text x=\"{RIGHT}\" y=\"{baseline:.1}\" font-size=\"{LETTERS}\" text-anchor=\"end\" {ink}>{}</text>",
                escape(&bar.label),
                escape(&bar.text),
                escape(&name),
                escape(&value),
                ink = paint.ink(),
            );
            if bar.value.is_finite() && bar.value != 0.0 && unit > 0.0 {
                let color = usize::from(bar.value < 0.0);
                let end = place(bar.value);
                // A small one is seen too.
                let end = zero + (end - zero).abs().max(1.5).copysign(bar.value);
                out += &format!(
                    "<line x1=\"{zero:.1}\" y1=\"{y:.1}\" x2=\"{end:.1}\" y2=\"{y:.1}\" \
                     stroke-width=\"{THICKNESS}\" {}/>",
                    paint.stroke(color)
                );
            }
            out += "</g>";
        }
        out += &format!(
            "<line x1=\"{zero:.1}\" y1=\"{:.1}\" x2=\"{zero:.1}\" y2=\"{:.1}\" stroke-width=\"1.2\" {}/>",
            TOP - 0.5 * ROW,
            height - 0.5 * ROW,
            paint.axis()
        );
        out + "</svg>\n"
    }
}

#[cfg(test)]
mod tests {
    use super::super::sheet::width;
    use super::*;

    fn bars(values: &[f64]) -> SignedBars {
        let bar = |&value: &f64| Bar {
            label: "a < b".into(),
            value,
            text: format!("{value}"),
        };
        SignedBars {
            title: "T & U".into(),
            bars: values.iter().map(bar).collect(),
            ..SignedBars::default()
        }
    }

    /// The ends of every bar, and of the line at zero last.
    fn ends(bars: &SignedBars) -> Vec<[f64; 2]> {
        let svg = bars.svg(Theme::Light);
        let number = |line: &str, name: &str| -> f64 {
            let text = line.split(&format!("{name}=\"")).nth(1).unwrap();
            text.split('"').next().unwrap().parse().unwrap()
        };
        let lines = svg.split("<line ").skip(1);
        lines
            .map(|line| [number(line, "x1"), number(line, "x2")])
            .collect()
    }

    #[test]
    fn bars_go_to_the_side_of_their_sign_in_proportion() {
        let found = ends(&bars(&[3.0, -1.0, 0.0, f64::NAN]));
        let [positive, negative, zero] = found[..] else {
            panic!("{found:?}");
        };
        assert_eq!(zero[0], zero[1]);
        assert_eq!((positive[0], negative[0]), (zero[0], zero[0]));
        assert_eq!((positive[1], negative[1]), (BARS[1], BARS[0]));
        assert!((positive[1] - zero[0] - 3.0 * (zero[0] - negative[1])).abs() < 0.3);
        // Nothing but zero has no bar, and of one sign all have the whole width.
        assert_eq!(ends(&bars(&[0.0])).len(), 1);
        assert_eq!(ends(&bars(&[2.0, 1.0]))[1], [BARS[0], BARS[0] + 99.0]);
    }

    #[test]
    fn long_names_are_shortened_and_whole_in_the_hover() {
        let mut bars = bars(&[1.0]);
        bars.bars[0].label = "neighbourhood=Northridge Heights & East".into();
        let svg = bars.svg(Theme::Auto);
        assert!(svg.contains("<title>neighbourhood=Northridge Heights &amp; East: 1</title>"));
        assert!(svg.contains("…") && svg.contains("prefers-color-scheme:dark"));
        for room in [60.0, 144.0] {
            assert!(width(&shortened(&bars.bars[0].label, room, LETTERS), LETTERS) <= room);
        }
        assert_eq!(shortened("bmi", 144.0, LETTERS), "bmi");
    }
}

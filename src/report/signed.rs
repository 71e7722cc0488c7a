//! Horizontal bars to either side of zero, a row each: a name, a bar, its value.

use super::bars::Bar;
use super::paint::{Paint, Theme};
use super::sheet::{begin, escape, shortened, width};

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
/// The ends of the bars, where the values leave them this room, and of the values.
const BARS: [f64; 2] = [168.0, 366.0];
const RIGHT: f64 = 446.0;
/// From the bars to the longest value.
const GAP: f64 = 6.0;
/// The least width of all bars.
const LEAST: f64 = 60.0;
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
        // A value is never shortened: without its digits it is another. The longest has its room.
        let texts = self.bars.iter().map(|bar| width(&bar.text, LETTERS));
        let longest = texts.fold(0.0, f64::max);
        let end = (RIGHT - GAP - longest).clamp(BARS[0] + LEAST, BARS[1]);
        let unit = if high > low {
            (end - BARS[0]) / (high - low)
        } else {
            0.0
        };
        let place = |value: f64| BARS[0] + (value - low) * unit;
        let zero = place(0.0);
        for (at, bar) in self.bars.iter().enumerate() {
            let y = TOP + ROW * at as f64;
            let name = shortened(&bar.label, NAMES - LEFT, LETTERS);
            let baseline = y + 4.5;
            out += &format!(
                "<g><title>{}: {}</title>\
                 <text x=\"{NAMES}\" y=\"{baseline:.1}\" font-size=\"{LETTERS}\" text-anchor=\"end\" {ink}>{}</text>\
                 <text x=\"{RIGHT}\" y=\"{baseline:.1}\" font-size=\"{LETTERS}\" text-anchor=\"end\" {ink}>{}</text>",
                escape(&bar.label),
                escape(&bar.text),
                escape(&name),
                escape(&bar.text),
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
    fn values_keep_all_their_digits_and_bars_make_room() {
        let texts = ["-0.00343069", "0.00118236", "-1.2346e-15"];
        let mut bars = bars(&[-0.003_430_69, 0.001_182_36, -1.2346e-15]);
        for (bar, text) in bars.bars.iter_mut().zip(texts) {
            bar.text = text.into();
        }
        let svg = bars.svg(Theme::Light);
        for text in texts {
            assert!(svg.contains(&format!(">{text}</text>")), "{svg}");
        }
        let rightmost = ends(&bars).into_iter().flatten().fold(0.0, f64::max);
        let longest = texts
            .map(|text| width(text, LETTERS))
            .into_iter()
            .fold(0.0, f64::max);
        assert!(rightmost + longest < RIGHT, "{rightmost} {longest}");
    }

    #[test]
    fn long_names_are_shortened_and_whole_in_the_hover() {
        let mut bars = bars(&[1.0]);
        bars.bars[0].label = "neighbourhood=Northridge Heights & East".into();
        let svg = bars.svg(Theme::Auto);
        assert!(svg.contains("<title>neighbourhood=Northridge Heights &amp; East: 1</title>"));
        assert!(svg.contains("…") && svg.contains("prefers-color-scheme:dark"));
        for name in [bars.bars[0].label.clone(), "d".repeat(60), "W".repeat(34)] {
            for room in [60.0, 144.0] {
                let shown = shortened(&name, room, LETTERS);
                assert!(width(&shown, LETTERS) <= room && shown.chars().count() > 3);
            }
        }
        assert_eq!(shortened("bmi", 144.0, LETTERS), "bmi");
    }
}

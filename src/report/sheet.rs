//! The beginning of every drawing: the sheet, its title and a line below.

use super::paint::{GROUND, Paint};

/// Width of a plot in its own units: on a phone, where it is a little smaller, letters can still be read.
pub(super) const WIDTH: f64 = 460.0;
/// Left and right of title and subtitle.
const MARGIN: f64 = 14.0;

/// The size below which a line is parted in two.
const LEGIBLE: f64 = 13.0;

/// The width of text of a size, roughly and rather too much; for what must not overlap.
pub(super) fn width(text: &str, size: f64) -> f64 {
    size * text.chars().map(share_of_size).sum::<f64>()
}

/// The width of a letter as a share of its size: at least that of the first font of [`begin`], which is the widest.
fn share_of_size(letter: char) -> f64 {
    match letter {
        'i' | 'j' | 'l' | 'I' | 'J' | '.' | ',' | ':' | ';' | '\'' | '|' | ' ' | '\u{2009}'
        | '·' => 0.34,
        'f' | 'r' | 't' | '(' | ')' | '[' | ']' | '-' | '/' | '!' | '²' => 0.42,
        'c' | 's' | 'z' | 'k' | 'x' | 'v' | 'y' | 'L' | 'F' | '_' => 0.6,
        'm' | 'w' | 'M' | 'W' | '%' | '@' | '…' | '—' => 1.0,
        '+' | '−' | '=' | '<' | '>' | '±' | '~' | '×' => 0.84,
        'A'..='Z' => 0.79,
        // Letters of the east fill a square.
        _ if letter >= '\u{1100}' && !('\u{2000}'..'\u{2e80}').contains(&letter) => 1.0,
        _ => 0.64,
    }
}

/// A text that fits a length, shortened in its middle if need be: names often differ at either end.
pub(super) fn shortened(text: &str, room: f64, size: f64) -> String {
    if width(text, size) <= room {
        return text.into();
    }
    let letters: Vec<char> = text.chars().collect();
    let shortened = |kept: usize| -> String {
        let head = kept.div_ceil(2);
        let tail = &letters[letters.len() - (kept - head)..];
        letters[..head].iter().chain(&['…']).chain(tail).collect()
    };
    // No letter is narrower than a third of its size.
    let most = letters.len().min((3.0 * room / size) as usize);
    let fits = |shortened: &String| width(shortened, size) <= room;
    let found = (0..most).rev().map(shortened).find(fits);
    found.unwrap_or_else(|| "…".into())
}

/// A size that brings text on one line, at most `largest`.
fn fitting(text: &str, largest: f64) -> f64 {
    let room = WIDTH - 2.0 * MARGIN;
    let size = (largest * room / width(text, largest)).clamp(8.0, largest);
    (10.0 * size).floor() / 10.0
}

/// Text in two lines, parted at the space that is nearest to its middle.
fn in_two(text: &str) -> (&str, &str) {
    let spaces = text.char_indices().filter(|(_, letter)| *letter == ' ');
    let middle = text.len() / 2;
    let nearest = spaces.min_by_key(|(at, _)| at.abs_diff(middle));
    nearest.map_or((text, ""), |(at, _)| (&text[..at], &text[at + 1..]))
}

/// Text that may stand in SVG and HTML.
#[must_use]
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // Characters that XML does not allow.
            c if c.is_control() && !matches!(c, '\n' | '\t') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A number of six digits, for people.
pub(super) fn number(value: f64) -> String {
    let rounded: f64 = format!("{value:.5e}").parse().unwrap_or(value);
    match rounded.abs() {
        size if size == 0.0 || (1e-4..1e6).contains(&size) => rounded.to_string(),
        _ => format!("{rounded:e}"),
    }
}

/// A line of text; `body` is SVG already.
pub(super) fn text(x: f64, y: f64, size: f64, anchor: &str, fill: &str, body: &str) -> String {
    format!(
        "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" text-anchor=\"{anchor}\" {fill}>{body}</text>"
    )
}

/// The beginning of a drawing of this height, to be followed by its parts and the end of the SVG. The
/// title is also its name for readers who do not see it.
pub(super) fn begin(paint: &Paint, title: &str, subtitle: &str, height: f64) -> String {
    let sizes = [fitting(title, 18.0).max(LEGIBLE), fitting(subtitle, 14.0)];
    let shown = escape(&shortened(title, WIDTH - 2.0 * MARGIN, sizes[0]));
    let title = escape(title);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"{title}\" font-family=\"DejaVu Sans, Helvetica, Arial, sans-serif\" \
         font-size=\"15\"><title>{title}</title>{}<rect width=\"{WIDTH}\" height=\"{height}\" {}/>",
        paint.style(),
        paint.attribute("fill", GROUND, "ground"),
    );
    out += &text(MARGIN, 26.0, sizes[0], "start", &paint.ink(), &shown);
    if sizes[1] >= LEGIBLE {
        let subtitle = escape(subtitle);
        out += &text(MARGIN, 47.0, sizes[1], "start", &paint.soft(), &subtitle);
        return out;
    }
    let (first, second) = in_two(subtitle);
    let size = fitting(first, LEGIBLE).min(fitting(second, LEGIBLE));
    for (y, line) in [(42.0, first), (56.0, second)] {
        out += &text(MARGIN, y, size, "start", &paint.soft(), &escape(line));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::paint::Theme;
    use super::*;

    #[test]
    fn long_subtitles_have_two_lines_that_can_be_read() {
        let paint = Paint {
            theme: Theme::Light,
        };
        let long = "200 evaluations of what all entries have in common, with prior fixed at the start; dark is low";
        let svg = begin(&paint, "T", long, 100.0);
        assert_eq!(svg.matches("<text").count(), 3);
        assert!(svg.contains("font-size=\"13\""), "{svg}");
        assert_eq!(
            begin(&paint, "T", "short", 100.0).matches("<text").count(),
            2
        );
        assert_eq!(in_two("word"), ("word", ""));
    }
}

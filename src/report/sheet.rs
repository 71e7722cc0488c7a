//! The beginning of every drawing: the sheet, its title and a line below.

use super::paint::{GROUND, Paint};

/// Width of a plot in its own units.
pub(super) const WIDTH: f64 = 640.0;

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

/// A line of text; `body` is SVG already.
pub(super) fn text(x: f64, y: f64, size: f64, anchor: &str, fill: &str, body: &str) -> String {
    format!(
        "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" text-anchor=\"{anchor}\" {fill}>{body}</text>"
    )
}

/// The beginning of a drawing of this height, to be followed by its parts and the end of the SVG. The
/// title is also its name for readers who do not see it.
pub(super) fn begin(paint: &Paint, title: &str, subtitle: &str, height: f64) -> String {
    let (title, subtitle) = (escape(title), escape(subtitle));
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"{title}\" font-family=\"DejaVu Sans, Helvetica, Arial, sans-serif\" \
         font-size=\"15\"><title>{title}</title>{}<rect width=\"{WIDTH}\" height=\"{height}\" {}/>",
        paint.style(),
        paint.attribute("fill", GROUND, "ground"),
    );
    out += &text(14.0, 26.0, 18.0, "start", &paint.ink(), &title);
    out += &text(14.0, 47.0, 14.0, "start", &paint.soft(), &subtitle);
    out
}

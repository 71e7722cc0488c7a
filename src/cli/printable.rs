//! Text that a terminal shows and does not obey.

use std::borrow::Cow;

/// Text of one line that a terminal shows and does not obey: control characters and those that turn
/// the direction of writing are escaped, as `\u{1b}`.
///
/// Names of columns, classes, files and studies come from others' data.
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, is_unprintable)
}

/// The same for text of several lines: line breaks stay.
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c != '\n' && is_unprintable(c))
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_escaped(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped_and_the_rest_is_kept() {
        assert!(matches!(printable("höhe, \"cm\" ²"), Cow::Borrowed(_)));
        for (raw, shown) in [
            ("\x1b[2Ja", "\\u{1b}[2Ja"),
            ("a\nb\rc\td", "a\\nb\\rc\\td"),
            ("\u{9b}31m\u{7f}\u{7}", "\\u{9b}31m\\u{7f}\\u{7}"),
            ("a\u{202e}b\u{2066}", "a\\u{202e}b\\u{2066}"),
        ] {
            assert_eq!(printable(raw), shown);
        }
        assert_eq!(printable_lines("a\n\x1bb\n"), "a\n\\u{1b}b\n");
    }
}

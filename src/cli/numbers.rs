//! Numbers for people.

/// Six significant digits, in scientific notation where a fixed one would be long; a dash for what
/// is not finite.
pub fn significant(value: f64) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    if value == 0.0 {
        return "0".into();
    }
    let magnitude = value.abs().log10().floor() as i32;
    if (-4..6).contains(&magnitude) {
        let decimals = usize::try_from(5 - magnitude).unwrap_or(0);
        format!("{value:.decimals$}")
    } else {
        format!("{value:.4e}")
    }
}

/// The same without trailing zeros: for numbers that people have chosen.
pub fn short(value: f64) -> String {
    let text = significant(value);
    match text.split_once('e') {
        Some((digits, exponent)) => format!("{}e{exponent}", trimmed(digits)),
        None => trimmed(&text).to_string(),
    }
}

/// Without trailing zeros after the decimal point.
fn trimmed(digits: &str) -> &str {
    if digits.contains('.') {
        digits.trim_end_matches('0').trim_end_matches('.')
    } else {
        digits
    }
}

/// Two significant digits, of a number from ten on all before the point: for errors and residuals. In
/// scientific notation where the power of ten says it all.
pub fn rough(value: f64) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    if value == 0.0 {
        return "0".into();
    }
    // Rounded first: 9.96 is 10.
    let text = format!("{value:.1e}");
    let magnitude: Option<i32> = text
        .split_once('e')
        .and_then(|(_, power)| power.parse().ok());
    match magnitude {
        Some(magnitude @ -3..5) => {
            let decimals = usize::try_from(1 - magnitude).unwrap_or(0);
            format!("{value:.decimals$}")
        }
        _ => text,
    }
}

/// A count with its noun: `1 unit`, `2 units`.
pub fn counted(count: usize, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn computed_numbers_keep_their_zeros() {
        for (value, text) in [
            (0.5, "0.500000"),
            (1326.7, "1326.70"),
            (-1.0e7, "-1.0000e7"),
            (0.0, "0"),
            (f64::NEG_INFINITY, "–"),
        ] {
            assert_eq!(significant(value), text);
        }
    }

    #[test]
    fn short_numbers_keep_six_digits() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (0.5, "0.5"),
            (-123.456_789, "-123.457"),
            (123_456.7, "123457"),
            (1_234_567.0, "1.2346e6"),
            (1.0e6, "1e6"),
            (0.000_123_456_7, "0.000123457"),
            (-0.000_012_345_67, "-1.2346e-5"),
            (f64::NAN, "–"),
            (f64::INFINITY, "–"),
        ] {
            assert_eq!(short(value), text);
        }
        for (value, text) in [
            (1.26e-9, "1.3e-9"),
            (0.002_61, "0.0026"),
            (0.997, "1.0"),
            (9.96, "10"),
            (84.7, "85"),
            (-44_123.4, "-44123"),
            (99_999.0, "1.0e5"),
            (0.0, "0"),
            (f64::NAN, "–"),
        ] {
            assert_eq!(rough(value), text);
        }
    }
}

//! Parsers of flag values. A message says what is wrong and what to give instead, in one line.

use std::str::FromStr;

/// Strengths such as `0.1`, `0.1,0.01` or `log:1e-3:1:10`, finite and not negative.
#[derive(Debug, Clone, PartialEq)]
pub struct Strengths(pub Vec<f64>);

/// The most values that one list may name: a slip such as `log:1e-3:1:1e9` is a mistake.
const LONGEST_LIST: usize = 1_000_000;

impl FromStr for Strengths {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut values = Vec::new();
        for item in text.split(',') {
            match item.trim().strip_prefix("log:") {
                Some(range) => logarithmic(range, &mut values)?,
                None => values.push(strength(item.trim())?),
            }
            if values.len() > LONGEST_LIST {
                return Err(format!("more than {LONGEST_LIST} values; give fewer"));
            }
        }
        Ok(Self(values))
    }
}

/// N values from LO to HI, equally spaced in their logarithms; both ends are exact.
fn logarithmic(range: &str, values: &mut Vec<f64>) -> Result<(), String> {
    let parts: Vec<&str> = range.split(':').collect();
    let &[first, last, count] = parts.as_slice() else {
        return Err("a logarithmic grid is log:LO:HI:N; for example log:1e-3:1:10".into());
    };
    let (first, last) = (strength(first)?, strength(last)?);
    let count: usize = count
        .parse()
        .ok()
        .filter(|&n| n > 0 && n <= LONGEST_LIST)
        .ok_or_else(|| format!("'{count}' is not a number of values; give 1 or more"))?;
    if first == 0.0 || last == 0.0 {
        return Err("a logarithmic grid cannot hold 0; list 0 apart, as in 0,log:1e-3:1:10".into());
    }
    for at in 0..count {
        values.push(match at {
            0 => first,
            at if at + 1 == count => last,
            at => first * (last / first).powf(at as f64 / (count - 1) as f64),
        });
    }
    Ok(())
}

fn strength(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok(value),
        Ok(value) => Err(format!(
            "{value} is not a strength; give a finite number, zero or more"
        )),
        Err(_) => Err(format!(
            "'{text}' is not a number; give a strength, zero or more"
        )),
    }
}

/// A number that is finite and greater than zero.
pub fn positive(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err("give a finite number greater than zero".into()),
    }
}

/// A number that is finite and not negative.
pub fn not_negative(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok(value),
        _ => Err("give a finite number, zero or more".into()),
    }
}

/// A share of the rows: 0 or more, less than 1.
pub fn fraction(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(value) if (0.0..1.0).contains(&value) => Ok(value),
        _ => Err("give a share of the rows, 0 or more and less than 1".into()),
    }
}

/// 1 or −1.
pub fn sign(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(value) if value.abs() == 1.0 => Ok(value),
        _ => Err("give 1 or -1".into()),
    }
}

/// A count of 1 or more.
pub fn count(text: &str) -> Result<usize, String> {
    match text.trim().parse::<usize>() {
        Ok(value) if value > 0 => Ok(value),
        _ => Err("give a whole number, 1 or more".into()),
    }
}

/// A number of threads; 0 for all cores.
pub fn threads(text: &str) -> Result<usize, String> {
    match text.trim().parse::<usize>() {
        Ok(value) if value <= MOST_THREADS => Ok(value),
        _ => Err(format!(
            "give a whole number, 0 for all cores, at most {MOST_THREADS}"
        )),
    }
}

/// More threads than any machine has cores would only fail to start.
const MOST_THREADS: usize = 1024;

/// Bounds such as `0:1`; `-inf` and `inf` leave a side open.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The lower bound.
    pub lower: f64,
    /// The upper bound.
    pub upper: f64,
}

impl FromStr for Interval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let explain = || "give LO:HI with LO at most HI, as in 0:1 or -inf:2".to_string();
        let (lower, upper) = text.split_once(':').ok_or_else(explain)?;
        let lower: f64 = lower.trim().parse().map_err(|_| explain())?;
        let upper: f64 = upper.trim().parse().map_err(|_| explain())?;
        if lower <= upper && lower < f64::INFINITY && upper > f64::NEG_INFINITY {
            Ok(Self { lower, upper })
        } else {
            Err(explain())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_logarithmic_grids_mix() {
        let Strengths(values) = "0,log:1e-2:1:3, 5".parse().unwrap();
        assert_eq!(values.len(), 5);
        assert_eq!(
            (values[0], values[1], values[3], values[4]),
            (0.0, 1e-2, 1.0, 5.0)
        );
        assert!((values[2] - 0.1).abs() < 1e-15);
        assert_eq!("log:2:1:1".parse(), Ok(Strengths(vec![2.0])));
    }

    #[test]
    fn what_is_not_a_strength_is_refused_with_a_remedy() {
        for (text, part) in [
            ("-1", "-1 is not a strength"),
            ("nan", "NaN is not a strength"),
            ("inf", "inf is not a strength"),
            ("a", "'a' is not a number"),
            ("", "'' is not a number"),
            ("1,", "'' is not a number"),
            ("log:1:2", "log:LO:HI:N"),
            ("log:0:1:3", "cannot hold 0"),
            ("log:1:2:0", "'0' is not a number of values"),
            ("log:1:2:1000000000", "not a number of values"),
        ] {
            let message = text.parse::<Strengths>().unwrap_err();
            assert!(message.contains(part), "{text}: {message}");
            assert!(!message.contains('\n'));
        }
    }

    #[test]
    fn intervals_may_be_open_but_not_empty() {
        let interval: Interval = "-inf:2".parse().unwrap();
        assert_eq!((interval.lower, interval.upper), (f64::NEG_INFINITY, 2.0));
        for text in ["1", "2:1", "nan:1", "0:nan", "inf:inf", "a:b", ":"] {
            assert!(text.parse::<Interval>().is_err(), "{text}");
        }
    }

    #[test]
    fn scalars_keep_to_their_domains() {
        assert!(positive("1e-3").is_ok() && positive("0").is_err() && positive("inf").is_err());
        assert!(not_negative("0").is_ok() && not_negative("-1").is_err());
        assert!(fraction("0").is_ok() && fraction("1").is_err() && fraction("nan").is_err());
        assert!(sign("-1").is_ok() && sign("0").is_err());
        assert!(threads("0").is_ok() && threads("1025").is_err() && threads("-1").is_err());
        assert!(count("1").is_ok() && count("0").is_err() && count("1.5").is_err());
    }
}

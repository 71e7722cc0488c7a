//! Parsers of flag values. A message says what is wrong and what to give instead, in one line.

use std::str::FromStr;

use crate::sweep::record::Shard;
pub use crate::sweep::space::Axis as Strengths;

/// A number that is finite.
pub fn finite(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err("give a finite number".into()),
    }
}

/// A number that is finite and greater than zero.
pub fn positive(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err("give a finite number greater than zero".into()),
    }
}

/// A number between 1 and 2, both excluded.
pub fn between_one_and_two(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(value) if value > 1.0 && value < 2.0 => Ok(value),
        _ => Err(
            "give a number between 1 and 2; --loss poisson is that of 1, --loss gamma that of 2"
                .into(),
        ),
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

/// A count of 0 or more.
pub fn whole(text: &str) -> Result<usize, String> {
    let number = text.trim().parse::<usize>();
    number.map_err(|_| "give a whole number, 0 or more".into())
}

/// The seed of a generator.
pub fn seed(text: &str) -> Result<u64, String> {
    let number = text.trim().parse::<u64>();
    number.map_err(|_| "give a whole number from 0 to 18446744073709551615".into())
}

/// A part of a plan such as `0/4`. Job arrays count from 0 or from 1: both are taken, since only i
/// modulo N matters.
pub fn shard(text: &str) -> Result<Shard, String> {
    let parts = text.split_once('/').and_then(|(index, count)| {
        let shard = Shard {
            index: index.trim().parse().ok()?,
            count: count.trim().parse().ok()?,
        };
        let is_known = shard.count > 0 && shard.count <= MOST_SHARDS;
        (is_known && shard.index <= shard.count).then_some(shard)
    });
    parts.ok_or_else(|| {
        format!(
            "give i/N with i from 0 to N − 1, or from 1 to N, as the job array counts: 0/4 to 3/4, or 1/4 to \
             4/4; N is at most {MOST_SHARDS}"
        )
    })
}

/// No plan has so many parts that it would be worth while.
const MOST_SHARDS: usize = 1_000_000;

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
        let explain = || "give LO:HI with LO at most HI, as in 0.1:2".to_string();
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
        assert_eq!(shard("1/4"), Ok(Shard { index: 1, count: 4 }));
        assert_eq!(shard("4/4"), Ok(Shard { index: 4, count: 4 }), "from 1");
        assert!(shard("5/4").is_err() && shard("0/0").is_err() && shard("1").is_err());
        assert!(shard("1/1000000").is_ok() && shard("1/18446744073709551615").is_err());
        assert!(whole("0").is_ok() && whole("-1").is_err() && whole("a").is_err());
        assert!(seed("18446744073709551615").is_ok() && seed("18446744073709551616").is_err());
        assert!(count("1").is_ok() && count("0").is_err() && count("1.5").is_err());
    }
}

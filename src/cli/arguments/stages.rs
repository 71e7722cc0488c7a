//! Fits in two stages: adaptive and relaxed.

use std::str::FromStr;

use clap::Args;

use super::values;
use crate::sweep::stages::{Adaptive, FirstFit, Stages};

/// The stages of a fit beside its own.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Problem")]
pub struct StageArguments {
    /// Adaptive lasso: coefficient j has the strength l1/|w_j|^GAMMA, where w is a first fit to the same
    /// training rows; those that are zero in it are left out [GAMMA, if none is given: 1].
    #[arg(long, value_name = "GAMMA", num_args = 0..=1, require_equals = true,
          default_missing_value = "1", value_parser = values::positive)]
    pub adaptive: Option<f64>,

    /// First fit of --adaptive: ridge:L2, or lasso:SHARE with this share of the l1 at which all
    /// coefficients are zero [default: ridge:0.01].
    #[arg(long, value_name = "FIT", requires = "adaptive")]
    pub first_fit: Option<FirstFit>,

    /// Relaxed lasso: SHARE times the lasso plus (1 − SHARE) times the fit without l1 on its support, the
    /// ridge kept. Of several shares fit chooses one as it chooses a point; a sweep has a study of each
    /// [SHARES, if none are given: 0,0.25,0.5,0.75,1].
    #[arg(long, value_name = "SHARES", num_args = 0..=1, require_equals = true,
          default_missing_value = "0,0.25,0.5,0.75,1")]
    pub relax: Option<Shares>,
}

/// Shares of the lasso in a relaxed fit, from 0 to 1, each once.
#[derive(Debug, Clone, PartialEq)]
pub struct Shares(pub Vec<f64>);

impl FromStr for Shares {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let explain = || {
            "give shares of the lasso from 0 (no l1 on its support) to 1 (the lasso itself), each once, as in \
             0,0.5,1"
                .to_string()
        };
        let mut shares = Vec::new();
        for part in text.split(',') {
            let share: f64 = part.trim().parse().map_err(|_| explain())?;
            if !(0.0..=1.0).contains(&share) || shares.contains(&share) {
                return Err(explain());
            }
            shares.push(share);
        }
        Ok(Self(shares))
    }
}

impl StageArguments {
    /// The weights of a first fit, if there are to be some.
    pub fn adaptive(&self) -> Option<Adaptive> {
        self.adaptive.map(|gamma| Adaptive {
            gamma,
            first: self.first_fit.unwrap_or_default(),
        })
    }

    /// The stages, once for every share of the lasso.
    pub fn each(&self) -> Vec<Stages> {
        let adaptive = self.adaptive();
        let of = |relax: Option<f64>| Stages { adaptive, relax };
        match &self.relax {
            None => vec![of(None)],
            Some(Shares(shares)) => shares.iter().map(|&share| of(Some(share))).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_shares_and_each_is_there_once() {
        assert_eq!("0, 0.5,1".parse::<Shares>().unwrap().0, [0.0, 0.5, 1.0]);
        for text in ["", "a", "1.5", "-0.1", "0,0", "0.5,", "nan", "0:1:3"] {
            assert!(
                text.parse::<Shares>().unwrap_err().contains("0,0.5,1"),
                "{text}"
            );
        }
    }

    #[test]
    fn first_fits_read_back() {
        for text in ["ridge:0.01", "lasso:0.5"] {
            assert_eq!(text.parse::<FirstFit>().unwrap().to_string(), text);
        }
        for text in [
            "ridge",
            "ridge:0",
            "ridge:inf",
            "lasso:1",
            "lasso:0",
            "ols:1",
            "lasso:x",
        ] {
            assert!(
                text.parse::<FirstFit>().unwrap_err().contains("ridge:L2"),
                "{text}"
            );
        }
    }
}

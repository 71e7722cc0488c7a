//! The results of an experiment, as numbers.

use serde::Serialize;

/// The methods whose errors are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CurveMethod {
    /// Iterative differentiation.
    Itd,
    /// Implicit differentiation by fixed-point iteration.
    AidFp,
    /// Implicit differentiation by conjugate gradient on the support.
    AidCg,
    /// Conjugate gradient on the whole unsymmetric system, as in the literature.
    CgPlain,
    /// NSID with decreasing steps.
    NsidDecreasing,
    /// NSID with a constant step.
    NsidConstant,
    /// SID with decreasing steps.
    SidDecreasing,
    /// SID with a constant step.
    SidConstant,
}

impl CurveMethod {
    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Itd => "itd",
            Self::AidFp => "aid-fp",
            Self::AidCg => "aid-cg",
            Self::CgPlain => "cg-plain",
            Self::NsidDecreasing => "nsid-decreasing",
            Self::NsidConstant => "nsid-constant",
            Self::SidDecreasing => "sid-decreasing",
            Self::SidConstant => "sid-constant",
        }
    }

    /// The name in figures.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Itd => "ITD",
            Self::AidFp => "AID-FP",
            Self::AidCg => "AID-CG (on the support)",
            Self::CgPlain => "plain CG (literature, unsymmetric)",
            Self::NsidDecreasing => "NSID, decreasing steps",
            Self::NsidConstant => "NSID, constant step",
            Self::SidDecreasing => "SID, decreasing steps",
            Self::SidConstant => "SID, constant step",
        }
    }
}

/// The error of one method along a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Curve {
    /// The method.
    pub method: CurveMethod,
    /// The step t, or the number of samples used.
    pub x: Vec<f64>,
    /// ‖g − ∇f‖/‖∇f‖; over seeds its median.
    pub error: Vec<f64>,
    /// The lower end of the band over seeds (10 %); without seeds the error itself.
    pub low: Vec<f64>,
    /// The upper end of the band over seeds (90 %); without seeds the error itself.
    pub high: Vec<f64>,
    /// The root mean square over seeds, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rms: Option<Vec<f64>>,
}

impl Curve {
    /// A curve of a single run.
    #[must_use]
    pub fn single(method: CurveMethod, x: Vec<f64>, error: Vec<f64>) -> Self {
        Self {
            method,
            x,
            low: error.clone(),
            high: error.clone(),
            error,
            rms: None,
        }
    }

    /// A curve over seeds: `errors[i]` holds every seed's error at `x[i]`.
    #[must_use]
    pub fn over_seeds(method: CurveMethod, x: Vec<f64>, errors: &[Vec<f64>]) -> Self {
        let at = |share: f64| errors.iter().map(|e| quantile(e, share)).collect();
        let rms = |e: &Vec<f64>| (e.iter().map(|e| e * e).sum::<f64>() / e.len() as f64).sqrt();
        Self {
            method,
            x,
            error: at(0.5),
            low: at(0.1),
            high: at(0.9),
            rms: Some(errors.iter().map(rms).collect()),
        }
    }

    /// The first x at which the error is at or below a level.
    #[must_use]
    pub fn first_at(&self, level: f64) -> Option<f64> {
        let at = self.error.iter().position(|&error| error <= level)?;
        Some(self.x[at])
    }
}

/// The quantile of a sample, linear between its order statistics; NaN when it holds a NaN.
#[must_use]
pub fn quantile(values: &[f64], share: f64) -> f64 {
    if values.is_empty() || values.iter().any(|v| v.is_nan()) {
        return f64::NAN;
    }
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let place = share.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let (low, high) = (
        sorted[place.floor() as usize],
        sorted[place.ceil() as usize],
    );
    if low == high {
        return low;
    }
    low + (high - low) * place.fract()
}

/// The curves at one pair of strengths.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Setting {
    /// The l1 strength.
    pub l1: f64,
    /// The ridge strength λ₂.
    pub l2: f64,
    /// The step from which on the support of w_t is the solution's; `None` where it was not within
    /// the steps taken, or w was not computed along the way.
    pub support_identified_at: Option<usize>,
    /// Coordinates of the solution that are not zero.
    pub support: usize,
    /// All coordinates.
    pub coordinates: usize,
    /// γ of the map.
    pub step: f64,
    /// Its global contraction q.
    pub contraction: f64,
    /// The norm of the hypergradient that errors are relative to.
    pub hypergradient_norm: f64,
    /// One per method.
    pub curves: Vec<Curve>,
}

impl Setting {
    /// A method's curve.
    #[must_use]
    pub fn curve(&self, method: CurveMethod) -> Option<&Curve> {
        self.curves.iter().find(|curve| curve.method == method)
    }
}

/// The results of an experiment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Record {
    /// Version of this form.
    pub schema: u32,
    /// `deterministic`, `stochastic` or `poisoning`.
    pub experiment: &'static str,
    /// The problem, in words.
    pub design: String,
    /// The seed of the design and of all draws; `None` for the published design.
    pub seed: Option<u64>,
    /// The unit of x: steps, or samples.
    pub x: &'static str,
    /// The arithmetic: `f32` or `f64`.
    pub precision: &'static str,
    /// The device.
    pub device: String,
    /// Seconds of computation.
    pub seconds: f64,
    /// Choices that differ from the published ones, in words.
    pub notes: Vec<String>,
    /// One per pair of strengths.
    pub settings: Vec<Setting>,
}

impl Record {
    /// The form's version.
    pub const SCHEMA: u32 = 1;
}

/// ‖found − exact‖/‖exact‖.
#[must_use]
pub fn normalized_error(found: &[f64], exact: &[f64]) -> f64 {
    let square = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>();
    let difference = square(&mut found.iter().zip(exact).map(|(f, e)| f - e));
    (difference / square(&mut exact.iter().copied())).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_order_statistics() {
        let values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!(quantile(&values, 0.5), 2.5);
        assert_eq!((quantile(&values, 0.0), quantile(&values, 1.0)), (1.0, 4.0));
        assert!((quantile(&values, 0.1) - 1.3).abs() < 1e-12);
        assert!(quantile(&[1.0, f64::NAN], 0.5).is_nan() && quantile(&[], 0.5).is_nan());
        assert_eq!(quantile(&[f64::INFINITY; 2], 0.5), f64::INFINITY);
    }

    #[test]
    fn a_curve_over_seeds_has_its_median_inside_its_band() {
        let errors = vec![vec![1.0, 3.0, 2.0], vec![0.3, 0.1, 0.2]];
        let curve = Curve::over_seeds(CurveMethod::NsidDecreasing, vec![1.0, 2.0], &errors);
        assert_eq!(curve.error, [2.0, 0.2]);
        assert!(curve.low[0] < 2.0 && curve.high[0] > 2.0);
        assert!((curve.rms.as_ref().unwrap()[0] - (14.0f64 / 3.0).sqrt()).abs() < 1e-15);
        assert_eq!(curve.first_at(0.5), Some(2.0));
        assert_eq!(curve.first_at(0.1), None);
    }

    #[test]
    fn names_are_those_of_the_json() {
        for method in [CurveMethod::CgPlain, CurveMethod::NsidDecreasing] {
            let text = serde_json::to_string(&method).unwrap();
            assert_eq!(text, format!("\"{}\"", method.name()));
        }
    }
}

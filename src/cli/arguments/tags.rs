//! How the library's tags appear as flag values.

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::kinds::{Method, Precision, Preconditioner, Solver, Wrt};

impl ValueEnum for Method {
    fn value_variants<'a>() -> &'a [Self] {
        &[
            Self::ItdForward,
            Self::ItdReverse,
            Self::AidFp,
            Self::AidCg,
            Self::Direct,
            Self::Nsid,
            Self::Sid,
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self {
            Self::ItdForward => ("itd-forward", "iterative differentiation, forward mode"),
            Self::ItdReverse => ("itd-reverse", "iterative differentiation, reverse mode"),
            Self::AidFp => ("aid-fp", "implicit, adjoint by fixed-point iteration"),
            Self::AidCg => ("aid-cg", "implicit, adjoint by conjugate gradient"),
            Self::Direct => ("direct", "implicit, restricted system by Cholesky"),
            Self::Nsid => ("nsid", "stochastic implicit, exact outer map"),
            Self::Sid => ("sid", "stochastic implicit of the whole map, biased"),
        };
        Some(PossibleValue::new(name).help(help))
    }
}

impl ValueEnum for Solver {
    fn value_variants<'a>() -> &'a [Self] {
        &[
            Self::Auto,
            Self::Path,
            Self::Ista,
            Self::Fista,
            Self::Stochastic,
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self {
            Self::Auto => (
                "auto",
                "path on the CPU; ista where the method differentiates it",
            ),
            Self::Path => ("path", "coordinate descent and prox-Newton, polished"),
            Self::Ista => ("ista", "the Picard iteration"),
            Self::Fista => ("fista", "accelerated, with adaptive restart"),
            Self::Stochastic => ("stochastic", "stochastic proximal gradient on minibatches"),
        };
        Some(PossibleValue::new(name).help(help))
    }
}

impl ValueEnum for Wrt {
    fn value_variants<'a>() -> &'a [Self] {
        &[
            Self::L1,
            Self::L2,
            Self::Prior,
            Self::SampleWeights,
            Self::Perturbation,
            Self::BoxBounds,
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self {
            Self::L1 => ("l1", "the l1 strength or strengths"),
            Self::L2 => ("l2", "the ridge strength"),
            Self::Prior => ("prior", "the prior mean of the ridge term"),
            Self::SampleWeights => ("sample-weights", "the weights of the training rows"),
            Self::Perturbation => ("perturbation", "the perturbation of the named rows"),
            Self::BoxBounds => ("box", "both bounds of the box"),
        };
        Some(PossibleValue::new(name).help(help))
    }
}

impl ValueEnum for Preconditioner {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::None, Self::Diagonal, Self::Cholesky]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self {
            Self::None => ("none", "plain conjugate gradient"),
            Self::Diagonal => ("diagonal", "the diagonal of the restricted Hessian"),
            Self::Cholesky => (
                "cholesky",
                "the factor of the restricted Hessian, where there is one",
            ),
        };
        Some(PossibleValue::new(name).help(help))
    }
}

impl ValueEnum for Precision {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::F32, Self::F64]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

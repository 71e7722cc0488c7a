//! Plain tags that every layer may name: solvers, methods, hyperparameters, statuses.

/// A tag: an enum whose variants have names, and as values of flags a line of help.
///
/// `Variant = "name", "help"`, or `Variant = "name" ("flag"), "help"` where the flag's value is another
/// word than the name in outputs. It has `ALL`, `name`, `FromStr`, serde's traits and clap's `ValueEnum`.
macro_rules! tag {
    (
        $(#[$outer:meta])*
        pub enum $Tag:ident {
            $(
                $(#[$inner:meta])*
                $Variant:ident = $name:literal $(($flag:literal))? $(, $help:literal)? ;
            )+
        }
    ) => {
        $(#[$outer])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $Tag {
            $($(#[$inner])* $Variant,)+
        }

        impl $Tag {
            /// All variants in their order.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$Variant),+];

            /// The name in tables, JSON and stores.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$Variant => $name,)+
                }
            }

            /// The word that stands for it as the value of a flag.
            #[must_use]
            pub fn flag(self) -> &'static str {
                match self {
                    $(Self::$Variant => {
                        let words = [$name $(, $flag)?];
                        words[words.len() - 1]
                    })+
                }
            }
        }

        impl std::str::FromStr for $Tag {
            type Err = String;

            fn from_str(text: &str) -> std::result::Result<Self, String> {
                let known = |tag: &Self| tag.name() == text || tag.flag() == text;
                Self::ALL.into_iter().find(known).ok_or_else(|| {
                    let words = Self::ALL.map(Self::flag).join(", ");
                    format!("'{text}' is not known; give one of {words}")
                })
            }
        }

        impl serde::Serialize for $Tag {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl<'de> serde::Deserialize<'de> for $Tag {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        #[cfg(feature = "cli")]
        impl clap::ValueEnum for $Tag {
            fn value_variants<'a>() -> &'a [Self] {
                &Self::ALL
            }

            fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
                let value = clap::builder::PossibleValue::new(self.flag());
                Some(match self {
                    $(Self::$Variant => value$(.help($help))?,)+
                })
            }
        }
    };
}

pub(crate) use tag;

/// Methods of a builder that set fields of the same name, with the types of their arguments.
macro_rules! setters {
    ($($(#[$doc:meta])* $field:ident: $type:ty,)*) => {
        $(
            $(#[$doc])*
            #[must_use]
            pub fn $field(mut self, $field: $type) -> Self {
                self.$field = $field.into();
                self
            }
        )*
    };
}

pub(crate) use setters;

tag! {
    /// A way to compute the fixed point.
    #[derive(Default)]
    pub enum Solver {
        /// The fast path on the CPU; FISTA on a GPU.
        #[default]
        Auto = "auto", "path on the CPU; ista where the method differentiates it";
        /// Coordinate descent with working sets, prox-Newton around it, ending in a polish (CPU).
        Path = "path", "coordinate descent and prox-Newton, polished";
        /// Picard iteration w ← Φ(w), which for these maps is ISTA.
        Ista = "ista", "the Picard iteration";
        /// Accelerated proximal gradient with adaptive restart.
        Fista = "fista", "accelerated, with adaptive restart";
        /// Stochastic proximal gradient with decreasing steps on minibatches.
        Stochastic = "stochastic", "stochastic proximal gradient on minibatches";
    }
}

tag! {
    /// A way to compute the hypergradient (math: ITD, AID-FP, AID-CG, NSID of Grazzi et al. 2024).
    #[derive(Default)]
    pub enum Method {
        /// Iterative differentiation, tangents carried forward beside the Picard iteration.
        ItdForward = "itd-forward", "iterative differentiation, forward mode";
        /// Iterative differentiation, the Picard iteration differentiated backwards.
        ItdReverse = "itd-reverse", "iterative differentiation, reverse mode";
        /// Implicit differentiation, the adjoint by fixed-point (Neumann) iteration.
        AidFp = "aid-fp", "implicit, adjoint by fixed-point iteration";
        /// Implicit differentiation, the adjoint by conjugate gradient on the range of D.
        #[default]
        AidCg = "aid-cg", "implicit, adjoint by conjugate gradient";
        /// Implicit differentiation, the restricted system solved by Cholesky.
        Direct = "direct", "implicit, restricted system by Cholesky";
        /// Nonsmooth stochastic implicit differentiation.
        Nsid = "nsid", "stochastic implicit, exact outer map";
        /// Stochastic implicit differentiation of the whole map, biased for a nonsmooth prox.
        Sid = "sid", "stochastic implicit of the whole map, biased";
    }
}

tag! {
    /// A hyperparameter to differentiate with respect to.
    pub enum Wrt {
        /// The l1 strength: a scalar, or one per coordinate or group where the penalty has a vector.
        L1 = "l1", "the l1 strength or strengths";
        /// The ridge strength λ₂.
        L2 = "l2", "the ridge strength";
        /// The prior mean c of the ridge term.
        Prior = "prior", "the prior mean of the ridge term";
        /// The sample weights of the training rows.
        SampleWeights = "sample-weights", "the weights of the training rows";
        /// The factors of the classes' weights, in the order of the classes.
        ClassWeights = "class-weights", "the weights of the classes";
        /// The additive perturbation of the named training rows.
        Perturbation = "perturbation", "the perturbation of the named rows";
        /// The place δ from which on the Huber loss of the fit is linear.
        HuberDelta = "huber-delta", "the place where the Huber loss turns linear";
        /// The bounds of the box.
        BoxBounds = "box-bounds" ("box"), "both bounds of the box";
    }
}

tag! {
    /// The way in which a problem ended. An outcome, never an error.
    #[derive(Default)]
    pub enum Status {
        /// Not yet decided.
        #[default]
        Running = "running";
        /// The stop rule is met, or rounding allows no further progress at its level.
        Converged = "converged";
        /// The budget of steps or time ran out first, or the user interrupted.
        BudgetSpent = "budget-spent";
        /// No further progress, far from the tolerance.
        Stalled = "stalled";
        /// The iterates grow without bound.
        Diverged = "diverged";
        /// A NaN or an infinity appeared.
        NonFinite = "non-finite";
    }
}

impl Wrt {
    /// Whether the derivative in the weights of rows is needed.
    pub(crate) fn weighs_rows(self) -> bool {
        matches!(self, Self::SampleWeights | Self::ClassWeights)
    }
}

impl Status {
    /// The worse of two outcomes, in the order of the declaration.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        if (other as u8) > (self as u8) {
            other
        } else {
            self
        }
    }
}

tag! {
    /// The declared structure of a linear operator, so that a solver that needs more refuses it.
    #[derive(Default)]
    pub enum LinearStructure {
        /// Nothing.
        #[default]
        General = "general";
        /// Symmetric and positive definite.
        SymmetricPositiveDefinite = "symmetric-positive-definite";
    }
}

tag! {
    /// The preconditioner of the restricted conjugate gradient.
    #[derive(Default)]
    pub enum Preconditioner {
        /// Plain conjugate gradient.
        None = "none", "plain conjugate gradient";
        /// The diagonal of the restricted Hessian.
        Diagonal = "diagonal", "the diagonal of the restricted Hessian";
        /// Its Cholesky factor, which the path solver on the CPU leaves behind for supports of at most
        /// 2000 coordinates: a step or two then are enough. Elsewhere the diagonal.
        #[default]
        Cholesky = "cholesky", "the factor of the restricted Hessian, where there is one";
    }
}

tag! {
    /// The arithmetic of a computation.
    #[derive(Default)]
    pub enum Precision {
        /// 32 bits: what GPUs are fast at.
        F32 = "f32";
        /// 64 bits: the truth.
        #[default]
        F64 = "f64";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_flags_and_json_read_back() {
        assert_eq!(Wrt::BoxBounds.name(), "box-bounds");
        assert_eq!(Wrt::BoxBounds.flag(), "box");
        for wrt in Wrt::ALL {
            assert_eq!(wrt.name().parse(), Ok(wrt));
            assert_eq!(wrt.flag().parse(), Ok(wrt));
            let text = serde_json::to_string(&wrt).unwrap();
            assert_eq!(text, format!("\"{}\"", wrt.name()));
            assert_eq!(serde_json::from_str::<Wrt>(&text).unwrap(), wrt);
        }
        let error = "lasso".parse::<Solver>().unwrap_err();
        assert!(error.contains("auto, path, ista"), "{error}");
    }
}

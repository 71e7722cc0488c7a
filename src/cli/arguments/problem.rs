//! Loss, penalty, criterion and hyperparameters.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::values::{self, Interval, Strengths};
use crate::model::loss::Loss;

/// The losses by their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LossName {
    /// Half the squared error.
    Squared,
    /// Logistic regression, two classes.
    Logistic,
    /// Multinomial regression, two classes or more.
    Multinomial,
    /// Quadratic near zero, linear beyond --huber-delta.
    Huber,
    /// Half the squared hinge, two classes.
    SquaredHinge,
    /// The quadratic form ½wᵀQw − bᵀw: --x is Q, --y is b.
    Quadratic,
    /// Half the Poisson deviance of a mean exp(x·w): counts, or rates with exposures as weights.
    Poisson,
    /// Half the Gamma deviance of a mean exp(x·w): amounts greater than zero.
    Gamma,
    /// Half the Tweedie deviance of a mean exp(x·w), power --tweedie-power: amounts of which some are zero.
    Tweedie,
}

/// The numbers that shape losses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shapes {
    /// Huber's δ.
    pub huber_delta: f64,
    /// Tweedie's p.
    pub tweedie_power: f64,
}

impl Default for Shapes {
    fn default() -> Self {
        Self {
            huber_delta: 1.0,
            tweedie_power: 1.5,
        }
    }
}

impl LossName {
    /// The word of the flag.
    pub fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_string())
    }

    /// The library's loss.
    pub fn loss(self, shapes: Shapes) -> Loss {
        match self {
            Self::Squared => Loss::Squared,
            Self::Logistic => Loss::Logistic,
            Self::Multinomial => Loss::Multinomial,
            Self::Huber => Loss::Huber {
                delta: shapes.huber_delta,
            },
            Self::SquaredHinge => Loss::SquaredHinge,
            Self::Quadratic => Loss::Quadratic,
            Self::Poisson => Loss::Poisson,
            Self::Gamma => Loss::Gamma,
            Self::Tweedie => Loss::Tweedie {
                power: shapes.tweedie_power,
            },
        }
    }
}

/// The penalties by their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PenaltyName {
    /// l1 times the sum of absolute values.
    ElasticNet,
    /// One strength per coefficient, from --l1-file.
    Weighted,
    /// Group lasso: --group-size or --groups.
    Group,
    /// Sparse group lasso: the absolute values and the norms of the groups, --group-size or --groups.
    SparseGroup,
    /// l1 times the sum, no coefficient negative.
    Nonneg,
    /// Every coefficient within --box.
    Box,
}

/// The weights of groups' norms by their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GroupWeightsName {
    /// The square root of the number of coefficients.
    SqrtSize,
}

/// The problem that is solved.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Problem")]
pub struct ProblemArguments {
    /// Loss of the fit.
    #[arg(long, value_name = "LOSS", default_value = "squared")]
    pub loss: LossName,

    /// Where the Huber loss turns from quadratic to linear, in units of the target.
    #[arg(long, value_name = "DELTA", default_value_t = 1.0, value_parser = values::positive,
          allow_hyphen_values = true)]
    pub huber_delta: f64,

    /// The power p of the Tweedie loss, whose variance grows as the mean to the p: between 1 and 2.
    #[arg(long, value_name = "P", default_value_t = 1.5, value_parser = values::between_one_and_two,
          allow_hyphen_values = true)]
    pub tweedie_power: f64,

    /// Penalty of the fit; the ridge strength --l2 goes with every penalty.
    #[arg(long, value_name = "PENALTY", default_value = "elastic-net")]
    pub penalty: PenaltyName,

    /// Strengths of the penalty: a list such as 0.1,0.01, grids log:LO:HI:N, lin:LO:HI:N or
    /// frac:LO:HI:N or frac:X (in units of the smallest strength that makes all coefficients zero), or a mix;
    /// all pairs with --l2 are evaluated [default: with --l1-file 1, otherwise 0.1 of the smallest
    /// strength that makes all coefficients zero; sweep, and fit over folds: 12 values from that strength
    /// down to a thousandth of it].
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    pub l1: Option<Strengths>,

    /// Ridge strengths, a list or grid like --l1 [default: with --l2-file 1, otherwise 0.01;
    /// sweep, and fit over folds: 0.001,0.01,0.1,1].
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    pub l2: Option<Strengths>,

    /// File with one strength per coefficient (weighted) or per group (group), or one for the
    /// coefficients and one per group (sparse-group); --l1 multiplies it.
    #[arg(long, value_name = "FILE")]
    pub l1_file: Option<PathBuf>,

    /// File with one ridge strength per coefficient; or one per feature or per class (multinomial), or
    /// per group (group penalties), told by their number. --l2 multiplies it [default of --l2 then: 1].
    #[arg(long, value_name = "FILE")]
    pub l2_file: Option<PathBuf>,

    /// File with one number per coefficient: coefficients with equal numbers share an entry of --l2-file,
    /// the smallest number the first.
    #[arg(long, value_name = "FILE", requires = "l2_file")]
    pub l2_ties: Option<PathBuf>,

    /// Consecutive groups of this many coefficients.
    #[arg(long, value_name = "SIZE", value_parser = values::count, conflicts_with = "groups",
          allow_hyphen_values = true)]
    pub group_size: Option<usize>,

    /// File with one group number per coefficient; equal numbers form a group.
    #[arg(long, value_name = "FILE")]
    pub groups: Option<PathBuf>,

    /// Weights of the groups' norms, which --l1 multiplies: the square root of the number of a group's
    /// coefficients, as gglasso and grpreg have them [default: 1 for all].
    #[arg(long, value_name = "WEIGHTS", conflicts_with = "l1_file")]
    pub group_weights: Option<GroupWeightsName>,

    /// Bounds of every coefficient of the scaled columns, without l1; -inf and inf allowed.
    #[arg(long = "box", value_name = "LO:HI", allow_hyphen_values = true)]
    pub bounds: Option<Interval>,

    /// File with bounds of the coefficients in the data's units, beside l1: lines LOWER,UPPER in the order of
    /// the features, or NAME,LOWER,UPPER for those that have some; -inf, inf or nothing are no bounds.
    #[arg(long, value_name = "FILE")]
    pub coefficient_bounds: Option<PathBuf>,

    /// Features, or factors, whose coefficients are not to be negative, by name, separated by commas.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub positive: Vec<String>,

    /// File with the prior mean that the ridge term pulls to, one per coefficient of the scaled columns, or a
    /// saved model, whose coefficients it is [default: zero].
    #[arg(long, value_name = "FILE|MODEL")]
    pub prior: Option<PathBuf>,

    /// File with what is added to the rows named by --perturbed-rows, in the data's units.
    #[arg(long, value_name = "FILE", requires = "perturbed_rows")]
    pub perturbation: Option<PathBuf>,

    /// File with the numbers of the perturbed training rows, from 0.
    #[arg(long, value_name = "FILE", requires = "perturbation")]
    pub perturbed_rows: Option<PathBuf>,

    /// Loss of the criterion on the validation rows [default: the loss of the fit].
    #[arg(long, value_name = "LOSS")]
    pub criterion: Option<LossName>,

    /// 1, or -1 for an adversary whose criterion is minus the loss.
    #[arg(long, value_name = "SIGN", default_value_t = 1.0, value_parser = values::sign,
          allow_hyphen_values = true)]
    pub criterion_sign: f64,
}

impl ProblemArguments {
    /// Whether coefficients have bounds or signs of their own.
    pub fn has_coefficient_bounds(&self) -> bool {
        self.coefficient_bounds.is_some() || !self.positive.is_empty()
    }

    /// The numbers that shape the losses.
    pub fn shapes(&self) -> Shapes {
        Shapes {
            huber_delta: self.huber_delta,
            tweedie_power: self.tweedie_power,
        }
    }

    /// The loss of the fit.
    pub fn loss_of_fit(&self) -> Loss {
        self.loss.loss(self.shapes())
    }
}

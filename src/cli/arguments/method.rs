//! Solver, derivative and machine.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};

use super::values;
use crate::kinds::{Method, Precision, Preconditioner, Solver, Wrt};

/// Computation of the fixed point.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Solver")]
pub struct SolverArguments {
    /// Solver of the inner problem.
    #[arg(long, value_name = "SOLVER", default_value = "auto")]
    pub solver: Solver,

    /// Stop when the residual is below T times the gradient at zero [default: go to rounding].
    #[arg(long, value_name = "T", value_parser = values::not_negative, allow_hyphen_values = true)]
    pub tol: Option<f64>,

    /// The most steps of the solver, and of the linear solver.
    #[arg(long, value_name = "K", default_value_t = 100_000, value_parser = values::count,
          allow_hyphen_values = true)]
    pub max_steps: usize,

    /// Rows of a minibatch (stochastic solver, nsid, sid), at most all of them.
    #[arg(long, value_name = "ROWS", default_value_t = 100, value_parser = values::count,
          allow_hyphen_values = true)]
    pub minibatch: usize,

    /// Draw every minibatch independently instead of without replacement within an epoch.
    #[arg(long)]
    pub independent: bool,

    /// Stop this many seconds after the start and report what is known [default: no limit].
    #[arg(long, value_name = "SECONDS", value_parser = values::positive, allow_hyphen_values = true)]
    pub time_budget: Option<f64>,

    /// Exit with status 1 unless every point has converged.
    #[arg(long)]
    pub strict: bool,
}

/// A method of the hypergradient, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MethodChoice(pub Option<Method>);

impl MethodChoice {
    const NONE: &str = "none";

    fn parser() -> impl TypedValueParser<Value = Self> {
        let methods = Method::value_variants();
        let named = methods.iter().filter_map(Method::to_possible_value);
        let none =
            PossibleValue::new(Self::NONE).help("no hypergradient: the points are only solved");
        PossibleValuesParser::new(named.chain([none])).map(|name| Self(name.parse().ok()))
    }
}

/// Derivative of the solution.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Hypergradient")]
pub struct HypergradientArguments {
    /// Method of the hypergradient; none only solves.
    #[arg(long, value_name = "METHOD", default_value = "aid-cg", value_parser = MethodChoice::parser())]
    pub method: MethodChoice,

    /// Differentiate with respect to these, separated by commas [default: l1,l2, with
    /// --perturbation also perturbation; for the box penalty l2,box].
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub wrt: Vec<Wrt>,

    /// Differentiate only the last K steps (itd-reverse) [default: all].
    #[arg(long, value_name = "K", value_parser = values::count, allow_hyphen_values = true)]
    pub truncate: Option<usize>,

    /// Preconditioner of aid-cg; cholesky is the factor that the path solver leaves behind, and the
    /// diagonal where there is none.
    #[arg(long, value_name = "NAME", default_value = "cholesky")]
    pub preconditioner: Preconditioner,

    /// Steps of nsid and sid.
    #[arg(long, value_name = "K", default_value_t = 10_000, value_parser = values::count,
          allow_hyphen_values = true)]
    pub stochastic_steps: usize,

    /// Minibatches averaged before the outer derivative is frozen (nsid, sid) [default: one more
    /// than --stochastic-steps].
    #[arg(long, value_name = "J", value_parser = values::count, allow_hyphen_values = true)]
    pub freeze: Option<usize>,

    /// Constant step of nsid and sid, greater than 0 and at most 1 [default: decreasing steps].
    #[arg(long, value_name = "ETA", value_parser = values::positive, allow_hyphen_values = true,
          conflicts_with_all = ["multiplier", "shift"])]
    pub eta: Option<f64>,

    /// Factor m of the decreasing steps m·u/(shift·u + i), u = 2/(1 − q²) [default: 1].
    #[arg(long, value_name = "M", value_parser = values::positive, allow_hyphen_values = true)]
    pub multiplier: Option<f64>,

    /// Shift of the decreasing steps, at least the multiplier [default: twice the multiplier].
    #[arg(long, value_name = "S", value_parser = values::positive, allow_hyphen_values = true)]
    pub shift: Option<f64>,

    /// Also estimate the contraction and the error bound of the adjoint, and show all diagnostics.
    #[arg(long)]
    pub diagnostics: bool,
}

/// Machine and arithmetic.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Machine")]
pub struct RuntimeArguments {
    /// Worker threads; 0 takes all cores. Results do not depend on it.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = values::threads,
          allow_hyphen_values = true)]
    pub threads: usize,

    /// Precision of the result [default: f64; f32 where a GPU is asked for by name, number, `gpu` or
    /// `all`]. A GPU computes in f32; f64 is refined on the CPU from what it found.
    #[arg(long, value_name = "PRECISION")]
    pub precision: Option<Precision>,

    /// Refine a GPU's result to f64: the same as --precision f64.
    #[arg(long)]
    pub refine: bool,

    /// Device: cpu; gpu, the best adapter; an adapter's number or part of its name, as `proxdiff
    /// devices` lists them; all GPUs at once; several of these with commas between; auto, a hardware GPU where the work is large enough to
    /// pay, else the CPU.
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: String,

    /// How a GPU runs a recording: by the planner's rule, a dispatch per step over the whole batch, or
    /// workgroups that keep their problems.
    #[arg(long, value_name = "REGIME", default_value = "auto")]
    pub regime: Regime,

    /// How a GPU multiplies: f16 takes its matrix units, with both factors rounded to 11 bits.
    #[arg(long, value_name = "PRODUCTS", default_value = "f32")]
    pub products: Products,

    /// How a GPU stores a dense design: f16 halves its memory and rounds its entries to 11 bits.
    #[arg(long, value_name = "STORAGE", default_value = "f32")]
    pub design_storage: DesignStorage,
}

impl RuntimeArguments {
    /// True for a GPU that is asked for explicitly.
    pub fn asks_for_gpu(&self) -> bool {
        let named = |device: &str| !matches!(device.trim(), "cpu" | "auto");
        self.device.to_ascii_lowercase().split(',').any(named)
    }

    /// The precision of results.
    pub fn result_precision(&self) -> Precision {
        let default = if self.asks_for_gpu() && !self.refine {
            Precision::F32
        } else {
            Precision::F64
        };
        self.precision.unwrap_or(default)
    }
}

/// The regimes of [`crate::exec::gpu::Regime`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Regime {
    /// By the planner's rule.
    Auto,
    /// A dispatch per step.
    Matrix,
    /// A workgroup keeps its problems.
    Resident,
}

/// Arithmetic of products on a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Products {
    /// In f32.
    F32,
    /// By matrix units, from f16.
    F16,
}

/// Storage of a design on a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DesignStorage {
    /// Four bytes an entry.
    F32,
    /// Two bytes an entry.
    F16,
}

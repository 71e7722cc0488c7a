//! The report as one JSON object. Numbers are written so that they read back to the same bits;
//! what is not finite is null.

use std::borrow::Cow;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::report::Report;
use crate::hypergrad::{EngineName, Hypergradient, LogSlopes, Outcome, Part, PartValues};
use crate::kinds::{Method, Solver, Wrt};
use crate::model::loss::Loss;
use crate::problem::Problem;

/// The version of the JSON that this program writes; it changes when a reader would have to.
pub const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct ReportRecord<'a> {
    schema: u32,
    problem: ProblemRecord<'a>,
    settings: SettingsRecord<'a>,
    device: String,
    precision: &'a str,
    points: Vec<PointRecord<'a>>,
    #[serde(flatten)]
    beside: Option<&'a Map<String, Value>>,
}

#[derive(Serialize)]
pub(super) struct ProblemRecord<'a> {
    source: &'a str,
    loss: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    huber_delta: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tweedie_power: Option<f64>,
    penalty: &'a str,
    criterion: &'a str,
    criterion_sign: f64,
    intercept: bool,
    standardize: bool,
    rows: usize,
    validation_rows: usize,
    features: usize,
    feature_names: &'a [String],
    targets: Vec<&'a str>,
    /// Per target, in the order of the codes: −1 then 1, or 0, 1, ….
    #[serde(skip_serializing_if = "Option::is_none")]
    classes: Option<Vec<&'a [String]>>,
    /// The rows of the data that were not held out, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    training_rows: Option<&'a [usize]>,
}

#[derive(Serialize)]
struct SettingsRecord<'a> {
    solver: Solver,
    method: Option<Method>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wrt: Option<&'a [Wrt]>,
    tolerance: Option<f64>,
    max_steps: usize,
    seed: u64,
}

#[derive(Serialize)]
pub(super) struct PointRecord<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
    l1: f64,
    l2: f64,
    objective: f64,
    criterion: f64,
    hypergradient: Option<HypergradientRecord<'a>>,
    log_hypergradient: Option<LogRecord>,
    support: usize,
    residual: f64,
    duality_gap: Option<f64>,
    linear_residual: Option<f64>,
    kink_margin: Option<f64>,
    certified: bool,
    /// Present, if only as null, when it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    contraction: Option<Option<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    adjoint_error_estimate: Option<Option<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    engine: Option<EngineRecord>,
    steps: usize,
    linear_steps: usize,
    status: &'a str,
    warnings: Vec<WarningRecord<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    coefficients: Option<Vec<f64>>,
    /// Present, if only as null, beside the coefficients.
    #[serde(skip_serializing_if = "Option::is_none")]
    intercept: Option<Option<ScalarOrVector>>,
}

/// Derivatives in the logarithms of strengths; what was not asked for is absent.
#[derive(Serialize)]
struct LogRecord {
    #[serde(skip_serializing_if = "Option::is_none")]
    l1: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    l2: Option<f64>,
}

impl LogRecord {
    /// That of an outcome, where a strength was differentiated.
    fn of(problem: &Problem, outcome: &Outcome) -> Option<Self> {
        let gradient = outcome.hypergradient.as_ref()?;
        let LogSlopes { l1, l2 } = gradient.log_slopes(problem, &outcome.point);
        (l1.is_some() || l2.is_some()).then_some(Self { l1, l2 })
    }
}

#[derive(Serialize)]
struct EngineRecord {
    solve: &'static str,
    adjoint: Option<&'static str>,
}

/// A hypergradient by the names of its parts; what was not asked for is absent.
struct HypergradientRecord<'a> {
    gradient: &'a Hypergradient,
    /// Columns of a perturbed row.
    features: usize,
}

impl Serialize for HypergradientRecord<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for PartValues {
            part,
            values,
            is_scalar,
        } in self.gradient.parts()
        {
            match values {
                &[value] if is_scalar => map.serialize_entry(part.name(), &value)?,
                values if part == Part::Perturbation => {
                    let rows: Vec<&[f64]> = values.chunks(self.features.max(1)).collect();
                    map.serialize_entry(part.name(), &rows)?;
                }
                values => map.serialize_entry(part.name(), values)?,
            }
        }
        map.end()
    }
}

/// A number, or several.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum ScalarOrVector {
    Scalar(f64),
    Vector(Vec<f64>),
}

#[derive(Serialize)]
struct WarningRecord<'a> {
    kind: &'a str,
    message: Cow<'a, str>,
}

/// The report as JSON, with a line break at its end.
pub(super) fn render(report: &Report<'_>) -> String {
    let record = ReportRecord {
        schema: SCHEMA,
        problem: problem(report),
        settings: SettingsRecord {
            solver: report.settings.solver,
            method: report.settings.method,
            wrt: report
                .settings
                .method
                .map(|_| report.settings.wrt.as_slice()),
            tolerance: report.settings.tolerance,
            max_steps: report.settings.max_steps,
            seed: report.settings.stochastic.seed,
        },
        device: report.runtime.device(),
        precision: report.runtime.precision.name(),
        points: report
            .outcomes
            .iter()
            .map(|outcome| point(report, outcome))
            .collect(),
        beside: report.beside.map(|beside| &beside.fields),
    };
    one_line(&record)
}

/// Any record on one line.
pub fn one_line(record: &impl Serialize) -> String {
    // infallible: records have string keys and hold no maps or foreign types
    let mut text = serde_json::to_string(record).expect("a record of numbers and strings");
    text.push('\n');
    text
}

/// The problem of a report.
pub(super) fn problem<'a>(report: &'a Report<'_>) -> ProblemRecord<'a> {
    let (study, prepared) = (report.study, report.prepared);
    let problem = &prepared.problem.problem;
    let scaling = study.scaling();
    let huber_delta = |loss| match loss {
        Loss::Huber { delta } => Some(delta),
        _ => None,
    };
    let tweedie_power = |loss| match loss {
        Loss::Tweedie { power } => Some(power),
        _ => None,
    };
    let classes = study.classes.iter().map(|classes| {
        let classes = classes.as_ref()?;
        Some(classes.names.as_slice())
    });
    ProblemRecord {
        source: study.source(),
        loss: problem.loss.name(),
        huber_delta: huber_delta(problem.loss).or(huber_delta(problem.criterion.loss)),
        tweedie_power: tweedie_power(problem.loss).or(tweedie_power(problem.criterion.loss)),
        penalty: problem.penalty.name(),
        criterion: problem.criterion.loss.name(),
        criterion_sign: problem.criterion.sign.factor(),
        intercept: scaling.intercept,
        standardize: scaling.standardize,
        rows: prepared.rows,
        validation_rows: prepared.criterion_rows,
        features: problem.train.design.features(),
        feature_names: study.feature_names(),
        targets: study.target_names(),
        classes: classes.collect(),
        training_rows: report.prepared.training_rows.as_deref(),
    }
}

/// Intercepts as JSON has them: none, one number, or one for each predictor.
pub(super) fn intercept_value(intercepts: Vec<f64>, predictors: usize) -> Option<ScalarOrVector> {
    match (intercepts.as_slice(), predictors) {
        (&[], _) => None,
        (&[intercept], 1) => Some(ScalarOrVector::Scalar(intercept)),
        _ => Some(ScalarOrVector::Vector(intercepts)),
    }
}

/// A point of a report.
pub(super) fn point<'a>(report: &'a Report<'_>, outcome: &'a Outcome) -> PointRecord<'a> {
    let (coefficients, intercept) = if report.coefficients {
        let (coefficients, intercepts) = report
            .prepared
            .problem
            .in_data_units(&outcome.solution, outcome.point.target);
        let intercept = intercept_value(intercepts, report.study.predictors);
        (Some(coefficients), Some(intercept))
    } else {
        (None, None)
    };
    let on_request = report.settings.contraction;
    PointRecord {
        target: report.target(outcome),
        l1: outcome.point.l1,
        l2: outcome.point.l2,
        objective: outcome.objective,
        criterion: outcome.criterion,
        hypergradient: outcome
            .hypergradient
            .as_ref()
            .map(|gradient| HypergradientRecord {
                gradient,
                features: report.prepared.problem.problem.train.design.features(),
            }),
        log_hypergradient: LogRecord::of(&report.prepared.problem.problem, outcome),
        support: outcome.support,
        residual: outcome.residual,
        duality_gap: outcome.duality_gap,
        linear_residual: outcome.linear_residual,
        kink_margin: outcome.kink_margin,
        certified: outcome.certified,
        contraction: on_request.then_some(outcome.contraction),
        adjoint_error_estimate: on_request.then_some(outcome.adjoint_error_estimate),
        engine: on_request.then_some(EngineRecord {
            solve: outcome.engines.solve.name(),
            adjoint: outcome.engines.adjoint.map(EngineName::name),
        }),
        steps: outcome.steps,
        linear_steps: outcome.linear_steps,
        status: outcome.status.name(),
        warnings: outcome
            .warnings
            .iter()
            .map(|warning| WarningRecord {
                kind: warning.kind.name(),
                message: report.message(warning),
            })
            .collect(),
        coefficients,
        intercept,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hypergrad::Strengths;

    #[test]
    fn what_is_not_finite_is_null_and_what_was_not_asked_for_is_absent() {
        let gradient = Hypergradient {
            l1: Some(Strengths::Each(vec![f64::NAN, 0.1, f64::INFINITY])),
            l2: Some(f64::NEG_INFINITY.into()),
            perturbation: Some(vec![1.0, -2e-300]),
            ..Hypergradient::default()
        };
        let record = HypergradientRecord {
            gradient: &gradient,
            features: 2,
        };
        let text = r#"{"l1":[null,0.1,null],"l2":null,"perturbation":[[1.0,-2e-300]]}"#;
        assert_eq!(one_line(&record), format!("{text}\n"));
    }
}

//! The records of studies, points and shards in the JSON of sweeps.

use serde_json::{Map, Value, json};

use crate::hypergrad::Part;
use crate::sweep::cells::ShardTally;
use crate::sweep::record::{Number, Study};
use crate::sweep::summary::PointSummary;

/// The state of a shard, for JSON.
pub fn shard_record(tally: &ShardTally) -> Value {
    json!({
        "index": tally.shard.index,
        "count": tally.shard.count,
        "cells": tally.cells,
        "cells_done": tally.cells_done,
        "units": tally.units,
        "units_done": tally.units_done,
        "complete": tally.is_complete(),
    })
}

/// The record of a study of the plan.
pub(super) fn study_record(study: &Study) -> Value {
    let settings: Map<String, Value> = study
        .settings
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, value)| (name.to_string(), json!(value)))
        .collect();
    json!({
        "name": study.name,
        "source": study.source,
        "fingerprint": study.fingerprint,
        "targets": study.targets,
        "points": study.points.len(),
        "paths": study.paths.len(),
        "folds": study.folds.iter().map(|fold| json!({
            "fold": fold.number,
            "repeat": fold.repeat,
            "training_rows": fold.training_rows,
            "held_out_rows": fold.held_out_rows,
        })).collect::<Vec<Value>>(),
        "settings": settings,
    })
}

fn object_or_null(fields: Map<String, Value>) -> Value {
    if fields.is_empty() {
        Value::Null
    } else {
        Value::Object(fields)
    }
}

/// The record of a finished point.
pub(super) fn point_record(study: &Study, summary: &PointSummary) -> Map<String, Value> {
    let point = &study.points[summary.point];
    let numbers = summary.numbers();
    let mut gradient = Map::new();
    for part in Part::ALL {
        if let Some(value) = Number::of_part(part).and_then(|number| numbers.finite(number)) {
            gradient.insert(part.name().into(), json!(value));
        }
    }
    // Of several strengths a cell does not hold the strengths themselves.
    let along = [
        ("l1", Number::HypergradientL1, point.l1),
        ("l2", Number::HypergradientL2, point.l2),
    ];
    let along = along.into_iter().filter_map(|(name, number, strength)| {
        Some((name.to_string(), json!(strength * numbers.finite(number)?)))
    });
    let along: Map<String, Value> = along.collect();
    if !summary.hypergradient_l1_vector.is_empty() {
        gradient.insert("l1".into(), json!(summary.hypergradient_l1_vector));
    }
    let metrics: Map<String, Value> = Number::METRICS
        .into_iter()
        .filter_map(|n| Some((n.name().to_string(), json!(numbers.finite(n)?))))
        .collect();
    let warnings = summary.warnings.iter().map(|kind| json!({"kind": kind}));
    let certified = numbers.finite(Number::Certified).map(|share| share == 1.0);
    let fields = [
        ("point", json!(summary.point)),
        ("target", json!(study.targets[point.target])),
        ("l1", json!(point.l1)),
        ("l2", json!(point.l2)),
        ("alpha", json!(point.ratio.map(|ratio| ratio.0))),
        ("l1_ratio", json!(point.ratio.map(|ratio| ratio.1))),
        ("standard_error", json!(summary.standard_error)),
        ("hypergradient", object_or_null(gradient)),
        ("log_hypergradient", object_or_null(along)),
        ("certified", json!(certified)),
        ("status", json!(summary.status.name())),
        ("warnings", warnings.collect()),
        ("metrics", Value::Object(metrics)),
        ("folds", json!(summary.folds)),
        ("failed_folds", json!(summary.failed)),
        ("criteria", json!(summary.criteria)),
    ];
    let means = [
        Number::Criterion,
        Number::Objective,
        Number::Support,
        Number::Residual,
        Number::DualityGap,
        Number::LinearResidual,
        Number::KinkMargin,
        Number::Steps,
        Number::LinearSteps,
    ]
    .map(|number| (number.name(), json!(numbers.finite(number))));
    let all = fields.into_iter().chain(means);
    all.map(|(name, value)| (name.to_string(), value)).collect()
}

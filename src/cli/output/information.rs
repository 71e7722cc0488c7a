//! Criteria of fits to all rows at the points of a sweep.

use serde_json::{Map, Value, json};

use super::csv;
use super::subject::subject;
use crate::cli::numbers::{counted, short, significant};
use crate::cli::printable::printable;
use crate::hypergrad::{Information, NoInformation};
use crate::sweep::record::Study;

/// The criteria by which points are compared, and their names for people.
const COMPARED: [(&str, usize); 4] = [
    ("leave-one-out (approximate)", 0),
    ("GCV", 1),
    ("AIC", 2),
    ("BIC", 3),
];
/// The place of the degrees of freedom among the values.
const DEGREES: usize = 4;

/// The record of the criteria of a fit.
pub(super) fn record(own: &Information) -> Value {
    let numbers = Information::NAMES.into_iter().zip(own.values());
    let mut record: Map<String, Value> = numbers
        .map(|(name, value)| (name.into(), json!(value)))
        .collect();
    let missing = own.missing.map(NoInformation::reason);
    record.insert("missing".into(), json!(missing));
    Value::Object(record)
}

/// The columns of CSV for points in this order.
pub(super) fn columns(of_points: &[&Information]) -> Vec<csv::Column> {
    let column = |(at, name): (usize, &str)| {
        let values = of_points.iter().map(|own| own.values()[at]);
        let fields = values.map(|value| value.map(csv::number).unwrap_or_default());
        (name.to_string(), fields.collect())
    };
    Information::NAMES
        .into_iter()
        .enumerate()
        .map(column)
        .collect()
}

/// Where the points of a target have the smallest criteria, a line each, and how many have none.
pub(super) fn lines(study: &Study, target: usize, own: &[Information]) -> String {
    let of_target = || {
        let all = study.points.iter().zip(own);
        all.filter(|(point, _)| point.target == target)
    };
    let mut text = String::new();
    for (name, at) in COMPARED {
        let values = of_target().filter_map(|(point, own)| Some((own.values()[at]?, point, own)));
        let Some((value, point, own)) = values.min_by(|a, b| a.0.total_cmp(&b.0)) else {
            continue;
        };
        let degrees = own.values()[DEGREES].map_or(String::new(), |k| {
            format!(", with {} degrees of freedom", short(k))
        });
        text.push_str(&format!(
            "of fits to all rows: {name} is smallest, {}, at l1 {}, l2 {}{degrees}\n",
            significant(value),
            short(point.l1),
            short(point.l2),
        ));
    }
    let mut missing: Vec<(NoInformation, usize)> = Vec::new();
    for reason in of_target().filter_map(|(_, own)| own.missing) {
        match missing.iter_mut().find(|(other, _)| *other == reason) {
            Some((_, count)) => *count += 1,
            None => missing.push((reason, 1)),
        }
    }
    for (reason, count) in missing {
        let what = if reason == NoInformation::Leverage {
            "leave-one-out"
        } else {
            "criteria of its own rows"
        };
        text.push_str(&format!(
            "of fits to all rows: {} without {what}: {}\n",
            counted(count, "point"),
            reason.reason()
        ));
    }
    if text.is_empty() || study.targets.len() == 1 {
        return text;
    }
    let subject = printable(&subject(study, target)).into_owned();
    text.lines()
        .map(|line| format!("{subject}, {line}\n"))
        .collect()
}

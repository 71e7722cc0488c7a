//! `proxdiff runs compare`: two stores side by side, with what only one of them has.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use serde_json::{Value, json};

use crate::cli::failure::Failure;
use crate::cli::numbers::{counted, rough, short, significant};
use crate::cli::output::{checked, plain, swept, titled};
use crate::cli::printable::printable;
use crate::error::Error;
use crate::store::{self, Number, PlanPoint, PointSummary, summarize};
use crate::sweep::select::choose;

/// Points that a line of text names.
const NAMED: usize = 5;

/// A study in one of the stores.
struct Side<'a> {
    store: &'a Path,
    study: &'a store::Study,
    summaries: Vec<PointSummary>,
}

/// Points that one store has and the other lacks.
struct Lack {
    what: &'static str,
    /// The store that has it; `None` where neither does.
    has: Option<usize>,
    points: Vec<PlanPoint>,
}

/// Differences of the points that both stores have.
#[derive(Default)]
struct Differences {
    shared: usize,
    /// The largest relative difference, where anything can be compared.
    criterion: Option<f64>,
    hypergradient: Option<f64>,
    lacks: Vec<Lack>,
}

/// The text or, with `as_json`, the JSON of a comparison of studies of equal name.
pub fn compare(first: &Path, second: &Path, as_json: bool) -> Result<String, Failure> {
    let stores = [checked(first)?, checked(second)?];
    let remedy = "compare the stores of sweeps";
    let plans = [swept(&stores[0], remedy)?, swept(&stores[1], remedy)?];
    let pairs = pairs(&plans);
    if pairs.is_empty() {
        return Err(Failure::Library(Error::store(
            second,
            "it has no study of the same name",
            "compare stores of the same studies",
        )));
    }
    let paths = [first, second];
    let (mut text, mut records) = (String::new(), Vec::new());
    for &numbers in &pairs {
        let side = |at: usize| -> Result<Side<'_>, Failure> {
            let study = &plans[at].studies[numbers[at]];
            Ok(Side {
                store: paths[at],
                study,
                summaries: summarize(&stores[at], numbers[at], study)?,
            })
        };
        let sides = [side(0)?, side(1)?];
        let found = differences(&sides);
        if as_json {
            records.push(record(&sides, &found));
        } else {
            text.push_str(&described(&sides, &found));
        }
    }
    // Studies that have no twin.
    for (at, plan) in plans.iter().enumerate() {
        for (number, study) in plan.studies.iter().enumerate() {
            if pairs.iter().any(|pair| pair[at] == number) {
                continue;
            }
            let place = paths[at].display().to_string();
            let name = printable(&study.name);
            text.push_str(&format!("study {name} is in {place} alone\n"));
            records.push(json!({"study": study.name, "shared_points": 0, "only_in": place}));
        }
    }
    if as_json {
        return Ok(format!("{}\n", Value::from(records)));
    }
    Ok(text)
}

/// The studies of equal name, by their numbers in both plans; the only ones, whatever their names.
fn pairs(plans: &[store::Plan; 2]) -> Vec<[usize; 2]> {
    let [first, second] = plans;
    if let ([_], [_]) = (first.studies.as_slice(), second.studies.as_slice()) {
        return vec![[0, 0]];
    }
    let twin = |name: &str| second.studies.iter().position(|other| other.name == name);
    let studies = first.studies.iter().enumerate();
    studies
        .filter_map(|(at, study)| Some([at, twin(&study.name)?]))
        .collect()
}

/// A point by its strengths and its target: both plans may hold it in different places.
type Key = (u64, u64, usize);

fn key(point: &PlanPoint) -> Key {
    (point.l1.to_bits(), point.l2.to_bits(), point.target)
}

fn differences(sides: &[Side<'_>; 2]) -> Differences {
    let finished: [HashMap<Key, &PointSummary>; 2] = [0, 1].map(|at| {
        let side: &Side<'_> = &sides[at];
        let summaries = side.summaries.iter();
        summaries
            .map(|s| (key(&side.study.points[s.point]), s))
            .collect()
    });
    let planned: [HashSet<Key>; 2] = [0, 1].map(|at| {
        let side: &Side<'_> = &sides[at];
        side.study.points.iter().map(key).collect()
    });
    let mut found = Differences::default();
    let lacks = &mut found.lacks;
    let mut lack = |what, has, point: &PlanPoint| match lacks
        .iter_mut()
        .find(|l| l.what == what && l.has == has)
    {
        Some(lack) => lack.points.push(*point),
        None => lacks.push(Lack {
            what,
            has,
            points: vec![*point],
        }),
    };
    for (at, side) in sides.iter().enumerate() {
        for point in &side.study.points {
            let key = key(point);
            if !planned[1 - at].contains(&key) {
                lack("planned", Some(at), point);
                continue;
            }
            let (own, twin) = (finished[at].get(&key), finished[1 - at].get(&key));
            match (own, twin) {
                (Some(_), None) => lack("finished", Some(at), point),
                (Some(own), Some(twin)) if at == 0 => {
                    found.shared += 1;
                    let criterion = by_folds(own, twin);
                    let gradient = gradients(own, twin);
                    for (what, apart, largest) in [
                        ("with a criterion", criterion, &mut found.criterion),
                        ("with a hypergradient", gradient, &mut found.hypergradient),
                    ] {
                        match apart {
                            Apart::By(by) => *largest = Some(largest.map_or(by, |l| l.max(by))),
                            Apart::OnlyIn(has) => lack(what, Some(has), point),
                            Apart::InNeither => {}
                        }
                    }
                    if matches!(criterion, Apart::InNeither) {
                        lack("with a criterion", None, point);
                    }
                }
                _ => {}
            }
        }
    }
    found
}

/// The distance of a number of one store from that of the other.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Apart {
    /// Relative to the larger one.
    By(f64),
    /// One store alone has it.
    OnlyIn(usize),
    InNeither,
}

impl Apart {
    fn of(a: Option<f64>, b: Option<f64>) -> Self {
        match (a, b) {
            (Some(a), Some(b)) => {
                let scale = a.abs().max(b.abs());
                // Halves, so that opposite numbers near the largest do not overflow.
                let apart = 2.0 * (0.5 * a / scale - 0.5 * b / scale).abs();
                Self::By(if scale > 0.0 { apart } else { 0.0 })
            }
            (Some(_), None) => Self::OnlyIn(0),
            (None, Some(_)) => Self::OnlyIn(1),
            (None, None) => Self::InNeither,
        }
    }

    /// The two together: what one store lacks counts for more than any difference.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::By(a), Self::By(b)) => Self::By(a.max(b)),
            (Self::InNeither, any) | (any, Self::InNeither) => any,
            (Self::OnlyIn(_), _) => self,
            (_, Self::OnlyIn(_)) => other,
        }
    }
}

/// The criterion: a mean that lacks a fold is no twin of one that has it.
fn by_folds(own: &PointSummary, twin: &PointSummary) -> Apart {
    let value = |s: &PointSummary| s.means.finite(Number::Criterion);
    if own.criteria.len() != twin.criteria.len() {
        return match (own.failed > 0, twin.failed > 0) {
            (false, true) if value(own).is_some() => Apart::OnlyIn(0),
            (true, false) if value(twin).is_some() => Apart::OnlyIn(1),
            _ => Apart::of(value(own), value(twin)),
        };
    }
    let finite = |value: &f64| Some(*value).filter(|v| v.is_finite());
    let folds = own.criteria.iter().zip(&twin.criteria);
    let folds = folds.map(|(a, b)| Apart::of(finite(a), finite(b)));
    let one_sided = folds.fold(Apart::InNeither, |all, fold| match (all, fold) {
        (Apart::OnlyIn(_), _) => all,
        (_, Apart::OnlyIn(_)) => fold,
        _ => Apart::InNeither,
    });
    match one_sided {
        Apart::OnlyIn(_) => one_sided,
        _ => Apart::of(value(own), value(twin)),
    }
}

/// All parts of the hypergradient.
fn gradients(own: &PointSummary, twin: &PointSummary) -> Apart {
    let numbers =
        Number::HYPERGRADIENT.map(|n| Apart::of(own.means.finite(n), twin.means.finite(n)));
    let (a, b) = (&own.hypergradient_l1_vector, &twin.hypergradient_l1_vector);
    let size = |values: &[f64]| values.iter().map(|v| v.abs()).fold(0.0, f64::max);
    let vector = match (a.is_empty(), b.is_empty()) {
        (false, false) if a.len() == b.len() => {
            let apart: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
            let scale = size(a).max(size(b));
            Apart::By(if scale > 0.0 {
                size(&apart) / scale
            } else {
                0.0
            })
        }
        (false, false) => Apart::By(1.0),
        (false, true) => Apart::OnlyIn(0),
        (true, false) => Apart::OnlyIn(1),
        (true, true) => Apart::InNeither,
    };
    numbers.into_iter().fold(vector, Apart::and)
}

/// The best points of both, what is the same, and what differs, for people.
fn described(sides: &[Side<'_>; 2], found: &Differences) -> String {
    let mut table = plain(&[
        "store",
        "points",
        "l1",
        "l2",
        "criterion",
        "std. error",
        "support",
    ]);
    for side in sides {
        for choice in choose(side.study, &side.summaries) {
            let best = &side.summaries[choice.best];
            let point = &side.study.points[best.point];
            table.add_row([
                side.store.display().to_string(),
                side.summaries.len().to_string(),
                short(point.l1),
                short(point.l2),
                significant(best.means[Number::Criterion]),
                rough(best.standard_error),
                short(best.means[Number::Support]),
            ]);
        }
    }
    let study = sides[0].study;
    let mut text = titled(&format!("Best of {}", study.name), table, &[0]);
    let same = |equal: bool| if equal { "the same" } else { "different" };
    for (name, equal) in facts(sides) {
        text.push_str(&format!("{name}: {}\n", same(equal)));
    }
    if found.shared == 0 {
        text.push_str("no point is finished on all folds in both\n");
    } else {
        let apart = |value: Option<f64>| value.map_or_else(|| "–".into(), rough);
        text.push_str(&format!(
            "{} in both; largest relative difference of the criterion {}, of the hypergradient {}\n",
            counted(found.shared, "point"),
            apart(found.criterion),
            apart(found.hypergradient)
        ));
    }
    for lack in &found.lacks {
        let whose = match lack.has {
            Some(at) => format!("in {} alone", sides[at].store.display()),
            None => "in neither store".into(),
        };
        let mut names: Vec<String> = lack.points.iter().take(NAMED).map(name).collect();
        if lack.points.len() > NAMED {
            names.push(format!("and {} more", lack.points.len() - NAMED));
        }
        let count = counted(lack.points.len(), "point");
        text.push_str(&format!(
            "{count} {} {whose}: {}\n",
            lack.what,
            names.join("; ")
        ));
    }
    text
}

fn name(point: &PlanPoint) -> String {
    let target = match point.target {
        0 => String::new(),
        at => format!("target {at}, "),
    };
    format!("{target}l1 {}, l2 {}", short(point.l1), short(point.l2))
}

fn facts(sides: &[Side<'_>; 2]) -> [(&'static str, bool); 3] {
    let [a, b] = [sides[0].study, sides[1].study];
    [
        ("data", a.fingerprint == b.fingerprint),
        ("folds", a.folds_digest == b.folds_digest),
        ("settings", a.settings == b.settings),
    ]
}

/// The same for programs.
fn record(sides: &[Side<'_>; 2], found: &Differences) -> Value {
    let mut choices = Vec::new();
    for side in sides {
        for choice in choose(side.study, &side.summaries) {
            let best = &side.summaries[choice.best];
            let point = &side.study.points[best.point];
            choices.push(json!({
                "store": side.store.display().to_string(),
                "target": side.study.targets[choice.target],
                "l1": point.l1, "l2": point.l2,
                "criterion": best.means.finite(Number::Criterion),
            }));
        }
    }
    let lacks = found.lacks.iter().map(|lack| {
        let place = |at: usize| sides[at].store.display().to_string();
        let points = lack.points.iter().map(|point| {
            let target = &sides[lack.has.unwrap_or(0)].study.targets[point.target];
            json!({"target": target, "l1": point.l1, "l2": point.l2})
        });
        json!({
            "what": lack.what,
            "only_in": lack.has.map(place),
            "missing_in": lack.has.map(|at| place(1 - at)),
            "count": lack.points.len(),
            "points": points.collect::<Vec<Value>>(),
        })
    });
    let [data, folds, settings] = facts(sides).map(|(_, equal)| equal);
    json!({
        "study": sides[0].study.name, "shared_points": found.shared,
        "same_data": data, "same_folds": folds, "same_settings": settings,
        "largest_criterion_difference": found.criterion,
        "largest_hypergradient_difference": found.hypergradient,
        "one_sided": lacks.collect::<Vec<Value>>(),
        "best": choices,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_side_lacks_is_no_small_difference() {
        assert_eq!(Apart::of(Some(2.0), Some(1.0)), Apart::By(0.5));
        assert_eq!(Apart::of(Some(f64::MAX), Some(-f64::MAX)), Apart::By(2.0));
        assert_eq!(Apart::of(Some(0.0), Some(0.0)), Apart::By(0.0));
        assert_eq!(Apart::of(None, Some(0.0)), Apart::OnlyIn(1));
        let lacks = Apart::By(0.5).and(Apart::OnlyIn(0));
        assert_eq!(lacks.and(Apart::InNeither), Apart::OnlyIn(0));
        assert_eq!(Apart::InNeither.and(Apart::By(0.1)), Apart::By(0.1));
    }
}

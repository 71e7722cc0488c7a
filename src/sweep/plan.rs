//! From studies and spaces to a plan: points in order, and the paths that are units of work.
//!
//! Nothing here depends on what was computed before, or on the machine: the same studies make the
//! same plan, and a path is solved in the same order wherever it is solved.

use super::space::{Search, Space, SpacePoint};
use super::stages::Adaptive;
use super::study::Study;
use crate::error::Result;
use crate::hypergrad::Settings;
use crate::kinds::Precision;
use crate::model::loss::Loss;
use crate::model::penalty::Penalty;
use crate::sweep::record::{
    ADAPTIVE, FEATURES, NO_METHOD, Plan, PlanFold, PlanPoint, RELAX, RESAMPLING,
    Study as StudyRecord,
};

/// The longest path: what a killed process loses at most, per thread.
const LONGEST_PATH: usize = 256;
/// Points of a path where every point has its own λ₂.
const SAMPLED_PATH: usize = 16;

/// The part of a plan that a study is. `l1_max` is that of a target at a λ₂.
///
/// # Errors
/// Those of [`Space::points`].
pub fn plan_study(
    study: &Study,
    space: &Space,
    l1_max: &dyn Fn(usize, f64) -> f64,
) -> Result<StudyRecord> {
    let mut points = Vec::new();
    let mut paths = Vec::new();
    for target in 0..study.specification.train.targets.len() {
        let of_target = space.points(&|l2| l1_max(target, l2))?;
        let first = points.len();
        paths.extend(paths_of(&of_target, space.search, first));
        points.extend(of_target.iter().map(|point| PlanPoint {
            l1: point.l1,
            l2: point.l2,
            ratio: point.ratio,
            target,
        }));
    }
    Ok(StudyRecord {
        points,
        paths,
        ..without_points(study, &study.settings, study.precision)
    })
}

/// The record of a study with its folds and no points, solved with these settings.
pub(crate) fn without_points(
    study: &Study,
    settings: &Settings,
    precision: Precision,
) -> StudyRecord {
    let rows = study.rows();
    let folds = study
        .folds
        .iter()
        .map(|fold| {
            let held_out = match (&fold.held_out, &study.specification.validation) {
                (Some(held_out), _) => held_out.len(),
                (None, Some(validation)) => validation.matrix.rows(),
                (None, None) => rows,
            };
            PlanFold {
                number: fold.number,
                repeat: fold.repeat,
                training_rows: match &fold.training {
                    Some(training) => training.len(),
                    None => rows - fold.held_out.as_ref().map_or(0, Vec::len),
                },
                held_out_rows: held_out,
            }
        })
        .collect();
    StudyRecord {
        name: study.name.clone(),
        source: study.source.clone(),
        settings: setting_lines(study, settings, precision),
        fingerprint: study.fingerprint(),
        folds_digest: study.folds_digest(),
        targets: study.targets.clone(),
        rows,
        features: study.features.clone(),
        classes: study.classes.clone(),
        points: Vec::new(),
        folds,
        paths: Vec::new(),
    }
}

/// A plan of studies with its configuration.
#[must_use]
pub fn plan(studies: Vec<StudyRecord>, configuration: String) -> Plan {
    Plan {
        studies,
        configuration,
    }
}

/// Points of a series, or consecutive sampled points, in decreasing l1.
fn paths_of(points: &[SpacePoint], search: Search, first: usize) -> Vec<Vec<u32>> {
    let number = |at: usize| (first + at) as u32;
    let mut paths: Vec<Vec<u32>> = Vec::new();
    if search == Search::Grid {
        for (at, point) in points.iter().enumerate() {
            let series = point.series.unwrap_or(0);
            if paths.len() <= series {
                paths.resize(series + 1, Vec::new());
            }
            paths[series].push(number(at));
        }
    } else {
        let all: Vec<u32> = (0..points.len()).map(number).collect();
        paths.extend(all.chunks(SAMPLED_PATH).map(<[u32]>::to_vec));
    }
    let l1 = |point: &u32| points[*point as usize - first].l1;
    for path in &mut paths {
        path.sort_by(|a, b| l1(b).total_cmp(&l1(a)).then(a.cmp(b)));
    }
    paths
        .iter()
        .flat_map(|path| path.chunks(LONGEST_PATH).map(<[u32]>::to_vec))
        .collect()
}

/// A value as flags and JSON write it.
fn tag(value: &impl serde::Serialize) -> String {
    let text = serde_json::to_string(value).unwrap_or_default();
    text.replace('"', "")
}

/// A loss as a study's settings say it: its name, and what shapes it.
#[must_use]
pub fn loss_setting(loss: Loss) -> String {
    match loss {
        Loss::Huber { delta } => format!("huber (delta {delta})"),
        Loss::Tweedie { power } => format!("tweedie (power {power})"),
        loss => loss.name().to_string(),
    }
}

/// The line of a study's settings that says its penalty, with its strengths, groups and bounds.
#[must_use]
pub fn penalty_setting(penalty: &Penalty) -> String {
    match penalty {
        Penalty::ElasticNet | Penalty::NonNegative => format!("penalty = {}", penalty.name()),
        // Strengths, groups and bounds in full: they are short or hashed.
        other => {
            let text = format!("{other:?}");
            let hash = xxhash_rust::xxh3::xxh3_64(text.as_bytes());
            format!("penalty = {} ({hash:016x})", other.name())
        }
    }
}

/// Everything that decides results besides data, points and folds.
fn setting_lines(study: &Study, set: &Settings, precision: Precision) -> String {
    let s = &study.specification;
    let mut lines = vec![
        format!("loss = {}", loss_setting(s.loss)),
        penalty_setting(&s.penalty),
        format!(
            "criterion = {}",
            loss_setting(s.criterion.unwrap_or(s.loss))
        ),
        format!("criterion-sign = {}", s.sign.factor()),
        format!("intercept = {}", s.scaling.intercept),
        format!("standardize = {}", s.scaling.standardize),
        format!("precision = {}", precision.name()),
        format!("solver = {}", tag(&set.solver)),
        format!("tolerance = {}", tag(&set.tolerance)),
        format!("max-steps = {}", set.max_steps),
        format!("keep-solutions = {}", study.keep_solutions),
        format!("targets = {}", study.targets.join(" ")),
    ];
    if study.is_compressed {
        lines.push("rows = sums of squares".into());
    }
    if let Some(filling) = study.filling {
        lines.push(format!("missing = {}", filling.name()));
    }
    if let Some(Adaptive { gamma, first }) = study.stages.adaptive {
        lines.push(format!("{ADAPTIVE}{gamma}"));
        lines.push(format!("first-fit = {first}"));
    }
    if let Some(resampling) = &study.resampling {
        lines.push(format!("{RESAMPLING}{}", resampling.drawing));
        // One line of JSON, whatever is in a name.
        lines.push(format!(
            "{FEATURES}{}",
            serde_json::to_string(&resampling.features).unwrap_or_default()
        ));
    }
    if let Some(share) = study.stages.relax {
        lines.push(format!("{RELAX}{share}"));
    }
    match set.method {
        None => lines.push(NO_METHOD.into()),
        Some(method) => {
            lines.push(format!("method = {}", tag(&method)));
            lines.push(format!("wrt = {}", tag(&set.wrt)));
            lines.push(format!("truncate = {}", tag(&set.truncate)));
            lines.push(format!("preconditioner = {}", tag(&set.preconditioner)));
        }
    }
    if study.draws_minibatches() {
        lines.push(format!("minibatches = {:?}", set.stochastic));
    }
    let one_line = |line: &String| line.replace('\n', " ");
    lines.iter().map(one_line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::space::Axes;

    fn space(l1: &str, l2: &str, search: Search) -> Space {
        Space {
            axes: Axes::Strengths {
                l1: l1.parse().unwrap(),
                l2: l2.parse().unwrap(),
            },
            search,
            seed: 0,
        }
    }

    #[test]
    fn paths_cover_all_points_in_decreasing_l1() {
        for (space, count) in [
            (space("1,3,2", "0.1,0.2", Search::Grid), 2),
            (space("log:1:2:600", "0.1", Search::Grid), 3),
            (
                space("log:1:2:2", "lin:0:1:2", Search::Sobol { samples: 40 }),
                3,
            ),
        ] {
            let points = space.points(&|_| 1.0).unwrap();
            let paths = paths_of(&points, space.search, 5);
            assert_eq!(paths.len(), count);
            let mut all: Vec<u32> = paths.concat();
            for path in &paths {
                let l1: Vec<f64> = path.iter().map(|&p| points[p as usize - 5].l1).collect();
                assert!(l1.is_sorted_by(|a, b| a >= b), "{l1:?}");
            }
            all.sort_unstable();
            assert_eq!(all, (5..5 + points.len() as u32).collect::<Vec<_>>());
        }
    }
}

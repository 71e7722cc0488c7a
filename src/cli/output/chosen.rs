//! The held-out numbers on which the choice of a point rests.

use serde::Serialize;

use super::table::{plain, titled};
use crate::cli::numbers::{counted, rough, short, significant};

/// The point that was chosen for a target.
#[derive(Debug, Clone, Serialize)]
pub struct Chosen {
    /// The name of the target.
    pub target: String,
    /// The rule, as the flag names it.
    #[serde(rename = "choice")]
    pub rule: &'static str,
    /// The number by which it was chosen.
    pub by: &'static str,
    /// Its mean over the folds.
    pub mean: f64,
    /// The standard error of the mean; null with one fold.
    pub standard_error: f64,
    /// The number of folds.
    pub folds: usize,
    /// The rows of the only fold, where there is one.
    pub held_out_rows: Option<usize>,
    /// The number of points that it was chosen among.
    pub points: usize,
    /// Cells of these that failed: they are in no mean.
    pub failed_cells: usize,
    /// l1.
    pub l1: f64,
    /// λ₂.
    pub l2: f64,
    /// The share of the lasso, where fits are relaxed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relax: Option<f64>,
    /// α and the share of l1 in it, where the points are in these.
    pub alpha: Option<f64>,
    /// See `alpha`.
    pub l1_ratio: Option<f64>,
}

/// The head and the rows of a table of choices.
pub fn choice_cells(all: &[Chosen]) -> (Vec<String>, Vec<Vec<String>>) {
    let has_ratio = all.iter().any(|one| one.alpha.is_some());
    let mut header = Vec::new();
    if all.len() > 1 {
        header.push("target");
    }
    header.extend(["l1", "l2"]);
    if has_ratio {
        header.extend(["alpha", "l1 ratio"]);
    }
    let is_relaxed = all.iter().any(|one| one.relax.is_some());
    if is_relaxed {
        header.push("relax");
    }
    let by = all.first().map_or("criterion", |first| first.by);
    header.extend([by, "std. error", "folds"]);
    let cells = |one: &Chosen| {
        let mut row = Vec::new();
        if all.len() > 1 {
            row.push(one.target.clone());
        }
        row.extend([short(one.l1), short(one.l2)]);
        if has_ratio {
            row.extend([one.alpha, one.l1_ratio].map(|value| short(value.unwrap_or(f64::NAN))));
        }
        if is_relaxed {
            row.push(short(one.relax.unwrap_or(f64::NAN)));
        }
        row.push(significant(one.mean));
        row.push(rough(one.standard_error));
        row.push(one.folds.to_string());
        row
    };
    let header = header.into_iter().map(String::from).collect();
    (header, all.iter().map(cells).collect())
}

/// The choices as a table.
pub fn choices_table(all: &[Chosen]) -> String {
    let Some(first) = all.first() else {
        return String::new();
    };
    let (header, rows) = choice_cells(all);
    let mut table = plain(&header.iter().map(String::as_str).collect::<Vec<_>>());
    table.add_rows(rows);
    let left: &[usize] = if all.len() > 1 { &[0] } else { &[] };
    let mut text = titled(&title(first), table, left);
    let failed: usize = all.iter().map(|one| one.failed_cells).sum();
    if failed > 0 {
        text.push_str(&format!(
            "{} failed and {} in no mean; raise --max-steps, --l2 or --l1\n",
            counted(failed, "cell"),
            if failed == 1 { "is" } else { "are" }
        ));
    }
    text.push('\n');
    text
}

/// The rule and the rows of a choice in words.
pub(super) fn title(chosen: &Chosen) -> String {
    let rule = match chosen.rule {
        "one-se" => "the sparsest within one standard error of the best",
        "glmnet-1se" => "the strongest within one standard error of the best, on its path",
        _ => "the best",
    };
    let rows = match chosen.held_out_rows {
        Some(rows) => format!("on {rows} held-out rows"),
        None => format!("mean over {}", counted(chosen.folds, "fold")),
    };
    format!(
        "Chosen of {} by {}, {rows}: {rule}",
        counted(chosen.points, "point"),
        chosen.by.replace('_', " ")
    )
}

//! The folds that flags deal or name.

use super::data::{Tables, read_labels_of, side_options};
use super::defaults::REPEATS;
use super::study::Study;
use crate::cli::arguments::{DataArguments, FoldArguments};
use crate::cli::failure::Failure;
use crate::data::dataset::Labels;
use crate::data::readers;
use crate::error::{Error, Result};
use crate::sweep::folds::{Dealing, Fold, given_folds, k_folds};
use crate::sweep::ordered::{Scheme, contiguous_folds, folds_in_time};

/// Refuses a file with a number for each row that is kept where rows with missing cells are left out.
fn check_rows_of_file(kept: usize, all: usize) -> Result<()> {
    if kept == all {
        return Ok(());
    }
    Err(Error::shape(
        "--folds",
        format!("{all} numbers, one per row of the file, those that --missing drop leaves out too"),
        kept.to_string(),
        "give the fold of every row",
    ))
}

/// Refuses flags that say how rows are dealt where none are.
///
/// `is_resampled` where rows are drawn anew in place of folds: classes may be drawn each for itself.
pub fn check_dealing(own: &FoldArguments, is_resampled: bool) -> std::result::Result<(), Failure> {
    let stratifies = own.stratified && !is_resampled;
    let deals = stratifies || own.repeats.is_some() || own.group_column.is_some();
    let message = match own.cv {
        Some(scheme) if deals && !scheme.is_random() => format!(
            "--stratified, --repeats and --group-column say how rows are dealt at random, and --cv {scheme} takes \
             them in their order; write --cv {}, or leave these flags out",
            scheme.folds()
        ),
        Some(scheme) if own.gap.is_some() && !scheme.is_in_time() => format!(
            "--gap leaves rows out before those that a fold in time holds out, and --cv {scheme} has no such \
             folds; write --cv expanding:{}, or leave --gap out",
            scheme.folds()
        ),
        None if deals => {
            "--stratified, --repeats and --group-column say how --cv deals rows; add --cv K".into()
        }
        None if own.gap.is_some() => {
            "--gap is for folds in time; add --cv expanding:K or rolling:K:WIDTH".into()
        }
        _ => return Ok(()),
    };
    Err(Failure::usage(message))
}

/// The folds that flags deal or name, if any do.
pub fn dealt(
    own: &FoldArguments,
    data: &DataArguments,
    tables: &Tables,
) -> Result<Option<Vec<Fold>>> {
    let FoldArguments {
        cv,
        gap,
        stratified,
        repeats,
        group_column,
        folds,
    } = own;
    let rows = tables.all.rows();
    let seed = data.seed;
    if let Some(file) = folds {
        let rows_of_file = tables.rows_of_file();
        let labels = readers::read_labels(file, rows_of_file, &side_options(&data.file))?;
        if labels.len() == rows {
            // A file of the rows that are kept would be taken for one of all.
            check_rows_of_file(rows, rows_of_file)?;
        }
        return match tables.of_kept(labels) {
            Labels::Numbers(numbers) => given_folds(&numbers, rows).map(Some),
            Labels::Text(texts) => {
                let is_text = |text: &&String| text.trim().parse::<f64>().is_err();
                let first = texts.iter().find(is_text);
                Err(Error::value(
                    "--folds",
                    format!(
                        "{} holds the text '{}'",
                        file.display(),
                        first.map_or("", String::as_str)
                    ),
                    "give a whole number per row, or keep rows of one name together with \
                     --cv K --group-column FILE",
                ))
            }
        };
    }
    if let Some(cv) = *cv {
        let groups = match group_column {
            Some(name) => Some(read_labels_of(data, "--group-column", name, tables)?),
            None => None,
        };
        let dealing = match (&groups, stratified) {
            (Some(groups), _) => Dealing::Grouped(groups),
            (None, true) => Dealing::Stratified(&tables.all.targets[0].values),
            (None, false) => Dealing::Plain,
        };
        let gap = gap.unwrap_or(0);
        let folds = match cv {
            Scheme::Random { folds } => {
                k_folds(rows, folds, repeats.unwrap_or(REPEATS), dealing, seed)
            }
            Scheme::Contiguous { folds } => contiguous_folds(rows, folds),
            Scheme::Expanding { folds } => folds_in_time(rows, folds, None, gap),
            Scheme::Rolling { folds, width } => folds_in_time(rows, folds, Some(width), gap),
        };
        return folds.map(Some);
    }
    Ok(None)
}

/// The folds that flags deal or name, else the one that is held out.
pub(super) fn folds(
    own: &FoldArguments,
    data: &DataArguments,
    study: &Study<'_>,
) -> Result<Vec<Fold>> {
    let rows = study.tables().all.rows();
    if let Some(folds) = dealt(own, data, study.tables())? {
        return Ok(folds);
    }
    if !study.splits() {
        return Ok(vec![Fold::of_all_rows()]);
    }
    let every: Vec<usize> = (0..rows).collect();
    let (_, held_out) = study.hold_out(&every)?;
    Ok(vec![Fold {
        held_out: Some(held_out),
        ..Fold::of_all_rows()
    }])
}

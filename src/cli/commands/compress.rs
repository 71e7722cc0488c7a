//! `proxdiff compress`: sums of squares of a part of a data set, fold by fold.

use crate::cli::arguments::MissingName;
use crate::cli::arguments::compress::Arguments;
use crate::cli::configuration::{check_dealing, dealt, read_tables};
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::whole::write_whole;
use crate::data::labels::numbers;
use crate::error::Error;
use crate::problem::Rows;
use crate::sweep::factors::Factors;
use crate::sweep::ordered::Scheme;

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    check(arguments)?;
    let (data, own) = (&arguments.data, &arguments.folds);
    let tables = read_tables(data, own)?;
    let Some(folds) = dealt(own, data, &tables)? else {
        return Err(Failure::usage(
            "the rows are in no fold; give --cv K, or --folds FILE, the same folds for all parts",
        ));
    };
    let all = tables.all;
    let mut fold_of = vec![-1; all.rows()];
    for fold in &folds {
        for &row in fold.held_out.as_deref().unwrap_or_default() {
            fold_of[row] = fold.number;
        }
    }
    let names = all.targets.iter().map(|target| target.name.clone());
    let names = names.collect();
    let targets: Result<Vec<_>, Error> = all.targets.iter().map(numbers).collect();
    let rows = Rows {
        matrix: all.matrix,
        targets: targets?,
        weights: all.weights,
        offset: all.offset,
    };
    let factors = Factors::of(all.feature_names, names, &rows, &fold_of)?;
    let out = &arguments.out;
    write_whole(out, &factors.to_bytes())
        .map_err(|source| Failure::unwritable("--out", out, &source))?;
    let kept: usize = factors
        .folds
        .iter()
        .map(|fold| fold.few.matrix.rows())
        .sum();
    output::write(
        &format!(
            "{}: {} rows in {} folds, as {kept} rows of the same sums of squares\n",
            out.display(),
            fold_of.len(),
            folds.len()
        ),
        None,
    )
}

/// Refuses flags that sums of squares cannot follow.
fn check(arguments: &Arguments) -> Result<(), Failure> {
    let (data, folds) = (&arguments.data, &arguments.folds);
    let refuse = |message: &str| Err(Failure::usage(message));
    check_dealing(folds, false)?;
    if folds.cv.is_some_and(Scheme::is_in_time) {
        return refuse(
            "--cv: folds in time learn from some of the other rows alone, of which there are no sums; write --cv K, or \
             give --folds FILE",
        );
    }
    if folds.repeats.is_some() {
        return refuse("--repeats: a row is in one fold; leave it out");
    }
    if data.missing.and_then(MissingName::filling).is_some() {
        return refuse(
            "--missing: values are filled fold by fold, from rows of all parts; fill them in before, or leave their \
             rows out with --missing drop",
        );
    }
    let foreign = [
        ("--x-val", data.x_val.is_some()),
        ("--val-fraction", data.val_fraction.is_some()),
        ("--class-weights", data.class_weights.is_some()),
    ];
    if let Some((flag, _)) = foreign.iter().find(|(_, is_given)| *is_given) {
        return refuse(&format!(
            "{flag} has no part in sums of squares by fold; leave it out"
        ));
    }
    let later = [
        ("--no-intercept", data.no_intercept),
        ("--no-standardize", data.no_standardize),
    ];
    match later.iter().find(|(_, is_given)| *is_given) {
        Some((flag, _)) => refuse(&format!(
            "{flag} is said of the sweep; give it to 'sweep --factors'"
        )),
        None => Ok(()),
    }
}

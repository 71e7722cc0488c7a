//! Tuning an elastic net, and a lasso with a strength for each coefficient, on the embedded diabetes data.
//!
//! The criterion is the mean error over five folds. A strength for each coefficient fits the rows of the
//! criterion by chance: nested folds say how much of the gain is real, and the guard returns the best
//! common strength where the vector is not better on rows that nothing was tuned on.
//!
//! Run it with `cargo run --example tune_weighted_lasso`.

use proxdiff::data::{embedded, numbers};
use proxdiff::prelude::*;
use proxdiff::sweep::folds::{Dealing, k_folds};
use proxdiff::tune::{Guard, Tuned, Tuner, Variable};

fn main() -> Result<()> {
    let data = embedded::diabetes()?;
    let problem = Problem::elastic_net(&data.matrix, &numbers(&data.targets[0])?).build()?;
    let folds = k_folds(data.rows(), 5, 1, Dealing::Plain, 0)?;
    let tuner = Tuner::new(&problem).folds(folds);

    let elastic_net = tuner
        .clone()
        .variables([Variable::l1(), Variable::l2()])
        .run()?;
    print("elastic net", &elastic_net);

    let weighted = tuner.variables([Variable::l1_each()]);
    print("weighted lasso, guarded", &weighted.clone().run()?);
    print(
        "weighted lasso, not guarded",
        &weighted.guard(Guard::None).run()?,
    );
    Ok(())
}

fn print(name: &str, tuned: &Tuned) {
    println!(
        "{name}: {} after {} evaluations, criterion {:.2}",
        tuned.status.name(),
        tuned.evaluations,
        tuned.criterion
    );
    for variable in &tuned.variables {
        let values: Vec<String> = variable.values.iter().map(|v| format!("{v:.3}")).collect();
        println!(
            "  {} = {}",
            variable.hyperparameter.name(),
            values.join(" ")
        );
    }
    if let Some(nested) = tuned.nested_criterion {
        println!("  on rows that nothing was tuned on: {nested:.2}");
    }
    for remark in &tuned.remarks {
        println!("  {remark}");
    }
}

//! Hyperparameters that are no strengths: the prior, what it is at hypergrad, and bad input.

use serde_json::Value;

use super::{data, number};
use crate::support::{Folder, as_text, assert_close, columns, fails, json, numbers, ok, table};

/// A prior is tuned around that of the file, and has the criterion of hypergrad with it.
#[test]
fn a_prior_is_that_of_hypergrad() {
    let data = data(24, 4, 41);
    let own = ["--tune", "prior", "--l1", "0.05", "--l2", "0.5"];
    let found = json(&data.with("tune", &[&own[..], &["--guard", "none"]].concat()));
    let prior = numbers(&found["hyperparameters"]["prior"]);
    assert_eq!(prior.len(), 4);
    assert!(number(&found["criterion"]) < number(&found["scalar_criterion"]));
    let file = data.folder.npy("prior.npy", &[4], &prior);
    let fixed = ["--prior", &file, "--l1", "0.05", "--l2", "0.5"];
    let at = json(&data.with("hypergrad", &fixed));
    assert_close(
        &[number(&at["points"][0]["criterion"])],
        &[number(&found["criterion"])],
        1e-12,
    );
    assert_eq!(found["slope"]["prior"].as_array().map(Vec::len), Some(4));
    assert_eq!(found["bounds"]["prior"].as_array().map(Vec::len), Some(2));
    // From there nothing is left to be gained: the file is the start.
    let again = json(&data.with(
        "tune",
        &[&own[..], &["--guard", "none", "--prior", &file]].concat(),
    ));
    assert_close(
        &[number(&again["scalar_criterion"])],
        &[number(&found["criterion"])],
        1e-12,
    );
    assert_close(
        &[number(&again["criterion"])],
        &[number(&found["criterion"])],
        1e-6,
    );
    // A start of all entries; without tuning it, the prior of the file is shown.
    let from = [
        "--start",
        "prior=-0.1",
        "--bounds",
        "prior=-1:1",
        "--guard",
        "none",
    ];
    let from = json(&data.with("tune", &[&own[..], &from].concat()));
    let first = &from["starts"][0]["trajectory"][0]["hyperparameters"]["prior"];
    assert_close(&numbers(first), &[-0.1; 4], 1e-12);
    let fixed = json(&data.with("tune", &["--tune", "l1", "--l2", "0.5", "--prior", &file]));
    assert_eq!(numbers(&fixed["hyperparameters"]["prior"]), prior);
    let without = json(&data.with("tune", &["--tune", "l1", "--l2", "0.5"]));
    assert_eq!(without["hyperparameters"]["prior"], Value::Null);
}

/// δ of the Huber loss: the criterion keeps its own, and the refit has the tuned one.
#[test]
fn delta_is_that_of_hypergrad() {
    let data = data(40, 4, 43);
    let loss = ["--loss", "huber", "--criterion", "squared"];
    let own = ["--tune", "huber-delta", "--l1", "0.02", "--l2", "0.1"];
    let found = json(&data.with("tune", &[&own[..], &loss].concat()));
    let delta = number(&found["hyperparameters"]["huber_delta"]).to_string();
    assert_eq!(found["scalar_criterion"], Value::Null);
    for key in ["slope", "bounds"] {
        assert!(!found[key]["huber_delta"].is_null(), "{key}: {found}");
    }
    let at = [
        "--l1",
        "0.02",
        "--l2",
        "0.1",
        "--huber-delta",
        &delta,
        "--wrt",
        "huber-delta",
    ];
    let at = json(&data.with("hypergrad", &[&at[..], &loss, &["--coefficients"]].concat()));
    let at = &at["points"][0];
    let criterion = number(&at["criterion"]);
    assert_close(&[criterion], &[number(&found["criterion"])], 1e-12);
    let slope = number(&at["hypergradient"]["huber_delta"])
        * number(&found["hyperparameters"]["huber_delta"]);
    assert!((slope / criterion - number(&found["slope"]["huber_delta"])).abs() < 1e-9);
    // Held-out files: the refit is the same fit.
    assert_close(
        &numbers(&found["coefficients"]),
        &numbers(&at["coefficients"]),
        1e-9,
    );
    let three = json(&data.with(
        "tune",
        &[&["--tune", "huber-delta,l2,l1"][..], &loss].concat(),
    ));
    assert!(number(&three["criterion"]) <= number(&found["criterion"]));
    let fixed = json(&data.with("tune", &[&["--huber-delta", "0.7"][..], &loss].concat()));
    assert_eq!(fixed["hyperparameters"]["huber_delta"], 0.7);
}

/// Weights of classes: those of hypergrad with the same ones, whatever the files' own scale of them.
#[test]
fn weights_of_classes_are_those_of_hypergrad() {
    let folder = Folder::new();
    let file = folder.text(
        "data.csv",
        &columns(&table(80, 4), &["a", "b", "c", "label"]),
    );
    let fixed = [
        "--l1",
        "0.01",
        "--l2",
        "0.1",
        "--loss",
        "logistic",
        "--no-standardize",
    ];
    let own = ["--tune", "class-weights", "--val-fraction", "0.3"];
    let found = json(&[&["tune", &file][..], &own, &fixed].concat());
    let weights = numbers(&found["hyperparameters"]["class_weights"]);
    assert!(weights.len() == 2 && weights[0] == 1.0, "{weights:?}");
    assert_eq!(numbers(&found["slope"]["class_weights"]).len(), 2);
    assert!(number(&found["criterion"]) <= number(&found["scalar_criterion"]));
    let first = &found["starts"][0]["trajectory"][0]["hyperparameters"]["class_weights"];
    assert_eq!(numbers(first).len(), 2);
    let given = format!("no=2,yes={}", 2.0 * weights[1]);
    let at = [
        "--class-weights",
        &given,
        "--val-fraction",
        "0.3",
        "--wrt",
        "class-weights",
    ];
    let at = json(&[&["hypergrad", &file][..], &at, &fixed].concat());
    let at = &at["points"][0];
    let criterion = number(&at["criterion"]);
    assert_close(&[criterion], &[number(&found["criterion"])], 1e-9);
    let slopes = numbers(&at["hypergradient"]["class_weights"]);
    // Both are all but zero, as the slope has been brought there.
    let slope = slopes[1] * 2.0 * weights[1] / criterion;
    assert!(
        (slope - numbers(&found["slope"]["class_weights"])[1]).abs() < 1e-9,
        "{slope:e}"
    );
    // They multiply those that are given.
    let half = format!("no=1,yes={}", 0.5 * weights[1]);
    let half = ["--class-weights", &half];
    let again = json(&[&["tune", &file][..], &own, &fixed, &half].concat());
    let again = numbers(&again["hyperparameters"]["class_weights"]);
    assert_close(&[again[1]], &[2.0], 1e-4);
    // Folds, three classes, and l1 and l2 beside them.
    let file = folder.text(
        "kinds.csv",
        &columns(&table(80, 4), &["a", "b", "c", "kind"]),
    );
    let beside = [
        "--tune",
        "l1,l2,class-weights",
        "--loss",
        "multinomial",
        "--cv",
        "3",
    ];
    let found = json(&[&["tune", &file][..], &beside].concat());
    assert_eq!(numbers(&found["hyperparameters"]["class_weights"]).len(), 3);
    let plain = json(&["tune", &file, "--loss", "multinomial", "--cv", "3"]);
    assert!(number(&found["criterion"]) <= number(&plain["criterion"]) * (1.0 + 1e-6));
    assert_eq!(plain["hyperparameters"]["class_weights"], Value::Null);
}

/// The table names what is tuned, and the model predicts.
#[test]
fn tables_and_models_take_it() {
    let data = data(24, 4, 42);
    let model = as_text(&data.folder.path("model"));
    let own = ["--tune", "prior,l2", "--l1", "0.05", "--guard", "none"];
    let text = ok(&data.with("tune", &[&own[..], &["--model", &model]].concat()));
    assert!(
        text.contains("prior") && text.contains("without prior"),
        "{text}"
    );
    let csv = ok(&data.with("tune", &[&own[..], &["--format", "csv"]].concat()));
    assert!(
        csv.starts_with("start,status,evaluation,l2,prior,criterion\n"),
        "{csv}"
    );
    let x = data.train[1].as_str();
    let predicted = json(&["predict", "--x", x, "--model", &model]);
    assert_eq!(numbers(&predicted["targets"][0]["predictions"]).len(), 24);
}

#[test]
fn what_does_not_fit_is_one_line_with_its_remedy() {
    let folder = Folder::new();
    let text = table(30, 2);
    let file = folder.text("data.csv", &columns(&text, &["a", "b", "c", "y"]));
    for (flags, status, messages) in [
        (
            vec!["--tune", "prior", "--l2", "0"],
            1,
            ["prior: the criterion does not depend on it", "tune l2 too"],
        ),
        (
            vec![
                "--tune",
                "prior",
                "--start",
                "prior=2",
                "--bounds",
                "prior=-1:1",
            ],
            1,
            ["outside its bounds", "start within"],
        ),
        (
            vec!["--tune", "prior", "--start", "prior=nan"],
            2,
            ["prior=nan", "finite"],
        ),
        (
            vec!["--tune", "prior", "--bounds", "prior=-inf:1"],
            1,
            ["prior is to lie", "finite bounds"],
        ),
        (
            vec!["--tune", "prior", "--bounds", "prior=1:1"],
            1,
            ["leaves nothing to tune", "larger one"],
        ),
        (
            vec!["--tune", "huber-delta"],
            1,
            [
                "huber-delta: the criterion does not depend on it",
                "--loss huber",
            ],
        ),
        (
            vec![
                "--loss",
                "huber",
                "--tune",
                "huber-delta",
                "--bounds",
                "huber-delta=0:1",
            ],
            1,
            ["greater than zero", "logarithmic"],
        ),
        (
            vec![
                "--loss",
                "huber",
                "--tune",
                "huber-delta",
                "--start",
                "huber-delta=-1",
            ],
            2,
            ["huber-delta=-1", "greater than zero"],
        ),
        (
            vec!["--tune", "class-weights"],
            1,
            [
                "class-weights: the criterion does not depend on them",
                "a loss of classes",
            ],
        ),
        (
            vec!["--tune", "class-weights", "--start", "class-weights=0"],
            2,
            ["class-weights=0", "greater than zero"],
        ),
        (
            vec!["--tune", "l1", "--start", "prior=1"],
            2,
            ["not tuned", "add it to --tune"],
        ),
    ] {
        let arguments: Vec<&str> = ["tune", &file]
            .into_iter()
            .chain(flags.iter().copied())
            .collect();
        let line = fails(&arguments, status);
        for message in messages {
            assert!(line.contains(message), "{arguments:?}: {line}");
        }
    }
}

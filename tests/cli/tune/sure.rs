//! Stein's estimate as the criterion: no row is held out.

use serde_json::Value;

use super::{data, number};
use crate::support::{assert_close, fails, json, numbers, ok};

#[test]
fn no_row_is_held_out() {
    let data = data(60, 6, 51);
    let own = ["--criterion-rule", "sure", "--noise", "0.5"];
    let found = json(&data.rows_alone("tune", &own));
    assert_eq!(found["noise"], 0.5);
    let (criterion, risk) = (number(&found["criterion"]), number(&found["risk"]));
    assert_close(&[risk], &[2.0 * criterion - 0.25], 1e-12);
    assert_eq!(numbers(&found["fold_criteria"]), [criterion]);
    assert_eq!(
        (&found["test"], &found["nested_criterion"]),
        (&Value::Null, &Value::Null)
    );
    // Validation files are test rows, and change nothing.
    let with = json(&data.with("tune", &own));
    assert_eq!(with["criterion"], found["criterion"]);
    assert!(number(&with["test"]["mse"]) > 0.0);
    // The refit is that of all rows at the point.
    let point = &found["hyperparameters"];
    let (l1, l2) = (point["l1"].to_string(), point["l2"].to_string());
    let at = [
        "--l1",
        &l1,
        "--l2",
        &l2,
        "--val-fraction",
        "0",
        "--coefficients",
    ];
    let at = json(&data.rows_alone("hypergrad", &at));
    assert_close(
        &numbers(&found["coefficients"]),
        &numbers(&at["points"][0]["coefficients"]),
        1e-9,
    );
    // Estimated noise is near that of the data, 0.8 times a uniform number between −1 and 1; the table says it.
    let estimated = json(&data.rows_alone("tune", &["--criterion-rule", "sure"]));
    assert!(
        (number(&estimated["noise"]) - 0.46).abs() < 0.15,
        "{}",
        estimated["noise"]
    );
    let text = ok(&data.rows_alone("tune", &own));
    assert!(
        text.contains("Stein's estimate with noise 0.500000: risk "),
        "{text}"
    );
    let plain = json(&data.rows_alone("tune", &[]));
    assert_eq!(
        (&plain["noise"], &plain["risk"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn what_does_not_fit_is_one_line_with_its_remedy() {
    let data = data(12, 10, 52);
    for (flags, status, messages) in [
        (vec![], 1, ["too few to estimate it", "--noise"]),
        (vec!["--noise", "0"], 2, ["--noise", "greater than zero"]),
        (
            vec!["--noise", "1", "--cv", "3"],
            2,
            ["--cv holds rows out", "leave one"],
        ),
        (
            vec!["--noise", "1", "--val-fraction", "0.2"],
            2,
            ["--val-fraction holds rows out", "leave one"],
        ),
        (
            vec!["--noise", "1", "--loss", "huber"],
            1,
            ["Stein's estimate for a huber loss", "squared loss"],
        ),
        (
            vec!["--noise", "1", "--tune", "l1[]"],
            1,
            ["nested folds hold rows out", "--guard none"],
        ),
    ] {
        let rule = ["--criterion-rule", "sure"];
        let line = fails(
            &data.rows_alone("tune", &[&rule[..], &flags].concat()),
            status,
        );
        for message in messages {
            assert!(line.contains(message), "{flags:?}: {line}");
        }
    }
    let line = fails(&data.rows_alone("tune", &["--noise", "1"]), 2);
    assert!(
        line.contains("--noise is for") && line.contains("--criterion-rule sure"),
        "{line}"
    );
}

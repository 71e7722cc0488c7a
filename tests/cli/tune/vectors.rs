//! A strength for each coefficient: its guard, bounds, starts and slope.

use serde_json::Value;

use super::{Data, data, number};
use crate::support::{Folder, assert_close, columns, fails, json, numbers, ok, table};

/// The point of hypergrad with a strength for each coefficient, without ridge.
fn at_strengths(data: &Data, strengths: &[f64]) -> Value {
    let count = strengths.len() as u64;
    let file = data.folder.npy("strengths.npy", &[count], strengths);
    let flags = [
        "--penalty",
        "weighted",
        "--l1-file",
        &file,
        "--l1",
        "1",
        "--l2",
        "0",
    ];
    json(&data.with("hypergrad", &flags))["points"][0].clone()
}

/// One strength for each coefficient: an array, and the guard's word.
#[test]
fn a_strength_for_each_is_guarded() {
    let data = data(36, 8, 21);
    let own = ["--tune", "l1[]", "--l2", "0"];
    let found = json(&data.with("tune", &own));
    let guard = &found["guard"];
    let l1 = numbers(&found["hyperparameters"]["l1"]);
    assert_eq!(
        (guard["returns_scalar"].as_bool(), l1.len()),
        (Some(true), 1)
    );
    assert_eq!(found["nested_criterion"], guard["nested_scalar"]);
    assert_eq!(found["scalar_criterion"], found["criterion"]);
    assert_eq!(found["penalized_slope"], Value::Null);
    let free = json(&data.with("tune", &[&own[..], &["--guard", "none"]].concat()));
    assert_eq!(numbers(&free["hyperparameters"]["l1"]).len(), 8);
    assert_eq!(free["nested_criterion"], Value::Null);
    assert!(number(&free["criterion"]) <= number(&free["scalar_criterion"]));
    let remarks = free["remarks"].to_string();
    assert!(remarks.contains("without a guard"), "{remarks}");
    // It is the criterion of hypergrad at the same strengths.
    let strengths = numbers(&free["hyperparameters"]["l1"]);
    let at = at_strengths(&data, &strengths);
    assert_close(
        &[number(&at["criterion"])],
        &[number(&free["criterion"])],
        1e-9,
    );
    let file = data.folder.npy("ones.npy", &[8], &[1.0; 8]);
    for (flags, status, message) in [
        (&["--guard", "often"][..], 2, "auto, none"),
        (&["--tune", "l1[group]"], 1, "no such strengths"),
        (&["--tune", "l1,l1[]"], 1, "named twice"),
        (
            &["--tune", "l1[]", "--l1", "0.1"],
            2,
            "--l1 fixes what is tuned",
        ),
        (
            &[
                "--tune",
                "l1[]",
                "--penalty",
                "weighted",
                "--l1-file",
                &file,
            ],
            2,
            "--l1-file fixes what is tuned as l1[]",
        ),
        (
            &[
                "--tune",
                "l1[group]",
                "--penalty",
                "group",
                "--group-size",
                "4",
                "--l1-file",
                &file,
            ],
            2,
            "--start l1[group]=VALUE",
        ),
    ] {
        let line = fails(&data.with("tune", flags), status);
        assert!(line.contains(message), "{flags:?}: {line}");
    }
}

/// A start that is given for a vector is where its descent begins, the only one.
#[test]
fn a_vector_starts_where_it_is_told() {
    let data = data(36, 8, 22);
    let from = |start: &str| {
        let flags = [
            "--tune", "l1[]", "--l2", "0", "--guard", "none", "--start", start,
        ];
        let found = json(&data.with("tune", &flags));
        let first = &found["starts"][0]["trajectory"][0]["hyperparameters"]["l1"];
        numbers(first)
    };
    for (flag, start) in [("l1[]=0.3", 0.3), ("l1[]=0.01", 0.01)] {
        let first = from(flag);
        assert_eq!(first.len(), 8);
        for l1 in first {
            assert!((l1 - start).abs() < 1e-12 * start, "{l1} {start}");
        }
    }
    // The remedies name what is tuned.
    let own = ["--tune", "l1[]", "--l2", "0"];
    let fixed = fails(
        &data.with("tune", &[&own[..], &["--l1", "0.1"]].concat()),
        2,
    );
    assert!(fixed.contains("--start l1[]=VALUE"), "{fixed}");
    let other = fails(
        &data.with("tune", &[&own[..], &["--start", "l1=0.1"]].concat()),
        2,
    );
    assert!(other.contains("write l1[]=…"), "{other}");
}

/// The slope is that of the criterion, as hypergrad finds it; the guard's penalty balances it.
#[test]
fn the_slope_of_a_guarded_vector_is_that_of_the_criterion() {
    let data = data(36, 8, 0);
    let found = json(&data.with("tune", &["--tune", "l1[]", "--l2", "0"]));
    assert_eq!(found["guard"]["returns_scalar"], false);
    assert_eq!(found["status"], "stationary");
    assert_eq!(found["nested_criterion"], found["guard"]["nested_vector"]);
    let strengths = numbers(&found["hyperparameters"]["l1"]);
    let at = at_strengths(&data, &strengths);
    let criterion = number(&at["criterion"]);
    let slopes = numbers(&at["hypergradient"]["l1"]);
    let slopes: Vec<f64> = slopes
        .iter()
        .zip(&strengths)
        .map(|(slope, l1)| slope * l1 / criterion)
        .collect();
    let own = numbers(&found["slope"]["l1"]);
    assert_eq!(own.len(), 8);
    for (own, slope) in own.iter().zip(&slopes) {
        assert!((own - slope).abs() < 1e-9, "{own} {slope}");
    }
    let largest = slopes
        .iter()
        .fold(0.0f64, |most, slope| most.max(slope.abs()));
    assert!((number(&found["projected_slope"]) - largest).abs() < 1e-9);
    assert!(largest > 1e-3 && number(&found["penalized_slope"]) < 1e-5);
}

/// Two folds are guarded as more are.
#[test]
fn two_folds_are_guarded() {
    let data = data(36, 8, 2);
    let found = json(&data.rows_alone("tune", &["--tune", "l1[]", "--l2", "0", "--cv", "2"]));
    assert_eq!(found["guard"]["returns_scalar"], false);
    assert_eq!(numbers(&found["hyperparameters"]["l1"]).len(), 8);
    // Labels too, those of every class in every part.
    let folder = Folder::new();
    let text = table(60, 4);
    let file = folder.text("data.csv", &columns(&text, &["a", "b", "c", "label"]));
    let flags = [
        "tune",
        &file,
        "--loss",
        "logistic",
        "--cv",
        "2",
        "--stratified",
        "--tune",
        "l1[]",
        "--l2",
        "0.01",
        "--guard",
        "0.1",
    ];
    let found = json(&flags);
    assert!(number(&found["nested_criterion"]) > 0.0, "{found}");
}

/// Bounds of a vector hold for the common strength too, and are named as they are given.
#[test]
fn a_vector_keeps_its_bounds() {
    let data = data(36, 8, 22);
    for guard in ["auto", "none"] {
        let flags = [
            "--tune",
            "l1[]",
            "--l2",
            "0",
            "--bounds",
            "l1[]=0.2:0.3",
            "--guard",
            guard,
        ];
        let found = json(&data.with("tune", &flags));
        assert_eq!(found["bounds"]["l1"], serde_json::json!([0.2, 0.3]));
        for start in found["starts"].as_array().unwrap() {
            for place in start["trajectory"].as_array().unwrap() {
                for l1 in numbers(&place["hyperparameters"]["l1"]) {
                    assert!((0.2..=0.3).contains(&l1), "{l1}");
                }
            }
        }
        let remarks = found["remarks"].to_string();
        assert!(!remarks.contains("--bounds l1="), "{remarks}");
    }
}

/// A start that leads to a worse place than the common strength is reported, and not returned.
#[test]
fn a_bad_start_of_a_vector_is_no_loss() {
    let data = data(36, 8, 22);
    let own = [
        "--tune", "l1[]", "--l2", "0", "--guard", "none", "--start", "l1[]=1.2",
    ];
    let found = json(&data.with("tune", &own));
    assert_eq!(found["criterion"], found["scalar_criterion"]);
    assert_eq!(numbers(&found["hyperparameters"]["l1"]).len(), 1);
    let starts = found["starts"].as_array().unwrap();
    let lengths: Vec<usize> = starts
        .iter()
        .map(|start| numbers(&start["trajectory"][0]["hyperparameters"]["l1"]).len())
        .collect();
    assert_eq!(lengths, [1, 8]);
    assert!(number(&starts[0]["criterion"]) < number(&starts[1]["criterion"]));
    let remarks = found["remarks"].to_string();
    assert!(remarks.contains("no vector of strengths"), "{remarks}");
    let csv = ok(&data.with("tune", &[&own[..], &["--format", "csv"]].concat()));
    let fields = |line: &str| line.split(',').nth(3).unwrap().split(' ').count();
    assert_eq!(csv.lines().skip(1).map(fields).max(), Some(8));
    assert_eq!(csv.lines().nth(1).map(fields), Some(1));
}

/// A start of l2 alone leaves those of the vector to be found.
#[test]
fn a_start_of_l2_keeps_the_vectors_own() {
    let data = data(36, 8, 22);
    let flags = ["--tune", "l1[],l2", "--guard", "none", "--start", "l2=0.1"];
    let found = json(&data.with("tune", &flags));
    let starts = found["starts"].as_array().unwrap();
    let vectors: Vec<f64> = starts
        .iter()
        .map(|start| &start["trajectory"][0]["hyperparameters"])
        .filter(|first| numbers(&first["l1"]).len() == 8)
        .map(|first| number(&first["l2"]))
        .collect();
    assert_eq!(vectors.len(), 3);
    assert_close(&vectors, &[0.1; 3], 1e-12);
}

/// Evaluations that are left when the common strength is returned are spent on it.
#[test]
fn the_common_strength_has_all_evaluations() {
    let data = data(36, 8, 21);
    for budget in [6, 10, 16] {
        let most = budget.to_string();
        let found = json(&data.with("tune", &["--tune", "l1[],l2", "--max-evaluations", &most]));
        assert_eq!(found["guard"]["returns_scalar"], true);
        assert_eq!(found["status"], "budget-spent");
        assert_eq!(found["evaluations"], budget);
    }
}

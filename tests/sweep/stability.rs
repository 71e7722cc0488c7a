//! Stability selection: how often features are chosen on resamples.

use proxdiff::data::{Labels, Matrix, embedded};
use proxdiff::prelude::*;
use proxdiff::sweep::resamples::{Drawing, resampled_folds};
use serde_json::Value;

use crate::support::{Folder, assert_close, columns, fails, json, numbers, ok, run, table};

/// The shares and the mean criterion at a point, from a fit to the rows of each resample.
fn refitted(drawing: Drawing, count: usize, seed: u64, l1: f64, l2: f64) -> (Vec<f64>, f64) {
    let data = embedded::diabetes().unwrap();
    let Matrix::Dense(x) = &data.matrix else {
        panic!("dense");
    };
    let Labels::Numbers(y) = &data.targets[0].values else {
        panic!("numbers");
    };
    let mut shares = vec![0.0; x.columns];
    let mut sum = 0.0;
    for fold in resampled_folds(x.rows, count, drawing, None, seed).unwrap() {
        let pick = |rows: &[usize]| -> (Vec<Vec<f64>>, Vec<f64>) {
            let features = rows.iter().map(|&row| x.row(row).to_vec()).collect();
            (features, rows.iter().map(|&row| y[row]).collect())
        };
        let (a, b) = pick(fold.training.as_deref().unwrap());
        let (a_val, b_val) = pick(fold.held_out.as_deref().unwrap());
        let problem = Problem::elastic_net(&a, &b)
            .validation(&a_val, &b_val)
            .build()
            .unwrap();
        let outcome = &Evaluator::new(&problem).run(&[Point::new(l1, l2)]).unwrap()[0];
        for (share, w) in shares.iter_mut().zip(&outcome.solution) {
            *share += f64::from(u8::from(*w != 0.0)) / count as f64;
        }
        sum += outcome.criterion / count as f64;
    }
    (shares, sum)
}

#[test]
fn shares_are_those_of_fits_to_each_resample() {
    let cases = [
        (Drawing::Bootstrap, &["--bootstrap", "12"][..]),
        (Drawing::Subsamples, &["--subsamples", "12"]),
        (
            Drawing::ComplementaryPairs,
            &["--subsamples", "12", "--complementary"],
        ),
    ];
    for (drawing, flags) in cases {
        let base = ["sweep", "--l1", "4,16", "--l2", "0.1", "--seed", "5"];
        let report = json(&[&base[..], flags].concat());
        let found = &report["stability"][0];
        assert_eq!(found["drawing"], drawing.name());
        for (at, l1) in [(0, 4.0), (1, 16.0)] {
            let point = &found["points"][at];
            assert_eq!(
                (&point["l1"], &point["resamples"]),
                (&l1.into(), &12.into())
            );
            let (shares, criterion) = refitted(drawing, 12, 5, l1, 0.1);
            let own = numbers(&point["shares"]);
            for (own, share) in own.iter().zip(&shares) {
                assert!((own - share).abs() < 1e-12, "{own} {share}");
            }
            let mean = report["points"][at]["criterion"].as_f64().unwrap();
            assert_close(&[mean], &[criterion], 1e-9);
        }
        // Resamples overlap: there is no standard error, and no choice by one.
        assert!(report["best"]["standard_error"].is_null());
        assert!(report["one_standard_error"].is_null());
        let shares: Vec<Vec<f64>> = (0..2)
            .map(|at| numbers(&found["points"][at]["shares"]))
            .collect();
        for (j, feature) in found["features"].as_array().unwrap().iter().enumerate() {
            let largest = shares[0][j].max(shares[1][j]);
            assert_eq!(feature["largest_share"], largest);
        }
        assert_eq!(found["features"][2]["name"], "bmi");
    }
}

/// The entries of JSON that do not depend on who ran when.
fn numbers_of(report: &Value) -> [Value; 2] {
    [report["stability"].clone(), report["points"].clone()]
}

#[test]
fn a_store_keeps_what_is_chosen_and_shows_it() {
    let folder = Folder::new();
    let data = folder.text("d.csv", &columns(&table(80, 4), &["a", "b", "c", "kind"]));
    let store = folder.path("s.db").display().to_string();
    let report = folder.path("r").display().to_string();
    let flags = [
        "sweep",
        &data,
        "--loss",
        "multinomial",
        "--stratified",
        "--subsamples",
        "6",
        "--complementary",
        "--l1",
        "frac:0.9:0.05:6",
        "--l2",
        "0.01",
        "--method",
        "none",
    ];
    let memory = json(&flags);
    let stored = json(&[&flags[..], &["--store", &store, "--report", &report]].concat());
    assert_eq!(numbers_of(&stored), numbers_of(&memory));
    let shown = json(&["runs", "show", &store]);
    assert_eq!(numbers_of(&shown), numbers_of(&memory));
    let text = ok(&["runs", "show", &store]);
    assert!(text.contains("means over 6 resamples"), "{text}");
    assert!(
        text.contains("how often features are chosen on 6 resamples"),
        "{text}"
    );
    let svg = std::fs::read_to_string(folder.path("r/1-1-stability.svg")).unwrap();
    assert!(svg.contains("Stability paths") && !svg.contains("NaN"));
    // The first classes alone would hide a feature of another class.
    let chosen = &memory["stability"][0]["features"];
    assert!(
        chosen[0]["largest_share"].as_f64().unwrap() > 0.9,
        "{chosen}"
    );
    // Another drawing is another plan.
    let other = [
        &flags[..5],
        &["--subsamples", "6"],
        &flags[8..],
        &["--store", &store],
    ]
    .concat();
    assert!(fails(&other, 1).contains("plan"));
}

#[test]
fn resamples_that_cannot_be_drawn_are_refused() {
    let cases: [(&[&str], i32, &str); 10] = [
        (&["--bootstrap", "1"], 1, "at least 2"),
        (&["--bootstrap", "0"], 2, "1 or more"),
        (&["--subsamples", "5", "--complementary"], 1, "even number"),
        (&["--complementary"], 2, "--subsamples"),
        (&["--bootstrap", "4", "--complementary"], 2, "--bootstrap"),
        (&["--bootstrap", "9", "--cv", "3"], 2, "--cv"),
        (
            &["--bootstrap", "9", "--val-fraction", "0.2"],
            2,
            "--val-fraction",
        ),
        (&["--bootstrap", "9", "--repeats", "3"], 2, "add --cv K"),
        (
            &["--bootstrap", "9", "--polish"],
            2,
            "leave one of them out",
        ),
        (&["--bootstrap", "100000000"], 1, "too many"),
    ];
    for (flags, status, message) in cases {
        let line = fails(&[&["sweep"], flags].concat(), status);
        assert!(line.contains(message), "{flags:?}: {line}");
    }
    let output = run(&["fit", "--example", "--bootstrap", "9"]);
    assert_eq!(output.status.code(), Some(2));
}

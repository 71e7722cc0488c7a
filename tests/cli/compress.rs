//! Sums of squares of parts of a data set: a sweep on them is that on all rows.

use serde_json::{Map, Value};

use crate::support::{Folder, as_text, columns, fails, json, ok, table};

const NAMES: [&str; 4] = ["a", "b", "c", "y"];

/// A file of all rows, files of two parts, and their folds.
struct Parts {
    folder: Folder,
    whole: String,
    whole_folds: String,
    parts: Vec<(String, String)>,
}

impl Parts {
    fn new() -> Self {
        let folder = Folder::new();
        let all = columns(&table(240, 4), &NAMES);
        let (header, rows) = all.split_once('\n').unwrap();
        // A column far from zero.
        let far = |line: &str| {
            let (first, rest) = line.split_once(',').unwrap();
            format!("{},{rest}\n", 1e3 + first.parse::<f64>().unwrap())
        };
        let rows: Vec<String> = rows.lines().map(far).collect();
        let folds: Vec<String> = (0..240).map(|row| format!("{}\n", row % 5)).collect();
        let file = |name: &str, range: std::ops::Range<usize>| {
            let text = format!("{header}\n{}", rows[range.clone()].concat());
            (
                folder.text(&format!("{name}.csv"), &text),
                folder.text(&format!("{name}.txt"), &folds[range].concat()),
            )
        };
        let (whole, whole_folds) = file("whole", 0..240);
        let parts = vec![file("one", 0..97), file("two", 97..240)];
        Self {
            folder,
            whole,
            whole_folds,
            parts,
        }
    }

    fn out(&self, name: &str) -> String {
        as_text(&self.folder.path(name))
    }

    /// The files of the parts.
    fn factors(&self, flags: &[&str]) -> Vec<String> {
        let compress = |(at, (part, folds)): (usize, &(String, String))| {
            let out = self.out(&format!("{at}.factors"));
            let own = ["compress", part, "--folds", folds, "--out", &out];
            let said = ok(&[&own, flags].concat());
            assert!(said.contains("rows in 5 folds, as 25 rows"), "{said}");
            out
        };
        self.parts.iter().enumerate().map(compress).collect()
    }
}

/// A run that must fail with this status and these words.
fn refused(arguments: &[&str], status: i32, words: &str) {
    let sentence = fails(arguments, status);
    assert!(sentence.contains(words), "{sentence}");
}

/// Numbers that are equal to ten digits, in objects and lists of the same shape.
fn assert_same(found: &Value, expected: &Value, place: &str) {
    match (found, expected) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            let limit = 1e-10 * b.abs().max(1e-3);
            assert!((a - b).abs() <= limit, "{place}: {a} and {b}");
        }
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len(), "{place}");
            for (at, (a, b)) in a.iter().zip(b).enumerate() {
                assert_same(a, b, &format!("{place}[{at}]"));
            }
        }
        (Value::Object(a), Value::Object(b)) => {
            let keys = |object: &Map<String, Value>| object.keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(a), keys(b), "{place}");
            for (key, a) in a {
                assert_same(a, &b[key], &format!("{place} {key}"));
            }
        }
        (a, b) => assert_eq!(a, b, "{place}"),
    }
}

/// The same where the sweep on sums of squares has no mean absolute error.
fn assert_same_but_mae(found: &Value, expected: &Value, place: &str) {
    let mut expected = expected.clone();
    if let Some(numbers) = expected.as_object_mut() {
        numbers.remove("mae");
    }
    assert_same(found, &expected, place);
}

#[test]
fn a_sweep_on_sums_of_squares_is_that_on_all_rows() {
    let parts = Parts::new();
    let factors = parts.factors(&[]);
    let named: Vec<&str> = factors.iter().map(String::as_str).collect();
    let spaces: [&[&str]; 5] = [
        &["--l1", "frac:1:0.001:12", "--l2", "0,0.1"],
        &["--l1", "0.1,0.01", "--l2", "0.1", "--no-standardize"],
        &["--l1", "0.1,0.01", "--l2", "0.1", "--no-intercept"],
        &["--alpha", "frac:1:0.01:6", "--l1-ratio", "0.5"],
        &["--l1", "0.1,0.01", "--l2", "0.1", "--penalty", "nonneg"],
    ];
    for space in spaces {
        let own = ["sweep", &parts.whole, "--folds", &parts.whole_folds];
        let expected = json(&[&own, space].concat());
        let found = json(&[&["sweep", "--factors"], &named[..], space].concat());
        let (points, others) = (&found["points"], &expected["points"]);
        let points = points.as_array().unwrap();
        assert_eq!(points.len(), others.as_array().unwrap().len());
        for (at, point) in points.iter().enumerate() {
            let other = &others[at];
            for key in ["l1", "l2", "criterion", "standard_error", "support"] {
                assert!(!other[key].is_null(), "{key}");
                assert_same(&point[key], &other[key], &format!("{space:?} {at} {key}"));
            }
            let (own, of_all) = (&point["metrics"], &other["metrics"]);
            assert!(own["mse"].is_number() && own["r2"].is_number() && own["mae"].is_null());
            assert_same_but_mae(own, of_all, &format!("{space:?} {at} metrics"));
            assert_same(
                &point["hypergradient"],
                &other["hypergradient"],
                "hypergradient",
            );
        }
        for key in ["best", "one_standard_error"] {
            assert_same(&found[key]["l1"], &expected[key]["l1"], key);
        }
    }
}

#[test]
fn weights_are_those_of_the_rows() {
    let folder = Folder::new();
    let all = columns(&table(120, 5), &["a", "b", "c", "y"]);
    let weighted = |(row, line): (usize, &str)| match row {
        0 => format!("s,{line}\n"),
        _ => format!("{},{line}\n", row % 4),
    };
    let text: String = all.lines().enumerate().map(weighted).collect();
    let folds: String = (0..120).map(|row| format!("{}\n", row % 3)).collect();
    let (rows, folds) = (
        folder.text("rows.csv", &text),
        folder.text("folds.txt", &folds),
    );
    let out = as_text(&folder.path("rows.factors"));
    let own = [rows.as_str(), "--folds", &folds, "--sample-weights", "s"];
    ok(&[&["compress", "--out", &out], &own[..]].concat());
    let space = ["--l1", "0.1,0.01", "--l2", "0.05"];
    let expected = json(&[&["sweep"], &own[..], &space[..]].concat());
    let found = json(&[&["sweep", "--factors", &out], &space[..]].concat());
    for at in 0..2 {
        let (found, expected) = (&found["points"][at], &expected["points"][at]);
        for key in ["criterion", "standard_error", "metrics"] {
            assert_same_but_mae(&found[key], &expected[key], key);
        }
    }
}

#[test]
fn files_that_do_not_belong_together_are_refused() {
    let parts = Parts::new();
    let factors = parts.factors(&[]);
    let first = &factors[0];
    let (part, folds) = &parts.parts[1];
    let other = parts.out("other.factors");
    ok(&[
        "compress", part, "--folds", folds, "--drop", "a", "--out", &other,
    ]);
    refused(&["sweep", "--factors", first, &other], 1, "2 features, and");
    ok(&[
        "compress", part, "--folds", folds, "--target", "c", "--out", &other,
    ]);
    refused(
        &["sweep", "--factors", first, &other],
        1,
        "others: it has \"y\" where",
    );
    ok(&["compress", part, "--cv", "3", "--out", &other]);
    refused(
        &["sweep", "--factors", first, &other],
        1,
        "its folds are [0, 1, 2]",
    );
    refused(&["sweep", "--factors", first, first], 1, "the same rows as");
    refused(
        &["sweep", "--factors", first, part],
        1,
        "no sufficient statistics",
    );
    refused(
        &["sweep", "--factors", first, "none.factors"],
        1,
        "none.factors",
    );
    refused(
        &["sweep", "--factors", first, "--loss", "huber"],
        2,
        "squared loss",
    );
    refused(
        &["sweep", "--factors", first, "--cv", "5"],
        2,
        "does not go together with",
    );
    refused(
        &["sweep", part, "--factors", first],
        2,
        "does not go together with",
    );
    for flags in [
        &["--header", "yes"][..],
        &["--keep-index"],
        &["--data-format", "csv"],
        &["--delimiter", "tab"],
        &["--decimal", "comma"],
        &["--na", "?"],
        &["--unknown-levels", "zeros"],
        &["--categorical", "none"],
        &["--offset", "a"],
    ] {
        let sentence = fails(&[&["sweep", "--factors", first], flags].concat(), 2);
        assert!(
            sentence.contains("does not go together with") && sentence.contains(flags[0]),
            "{flags:?}: {sentence}"
        );
    }
    refused(
        &["sweep", "--factors", first, "--method", "nsid"],
        1,
        "minibatches",
    );
}

#[test]
fn rows_without_sums_are_refused() {
    let parts = Parts::new();
    let (part, _) = &parts.parts[0];
    let out = parts.out("x.factors");
    let cases: [(&[&str], &str); 13] = [
        (&[], "give --cv K, or --folds FILE"),
        (&["--gap", "1"], "--gap is for folds in time"),
        (&["--cv", "3", "--gap", "1"], "--gap leaves rows out"),
        (&["--stratified"], "say how --cv deals rows"),
        (&["--group-column", "a"], "say how --cv deals rows"),
        (&["--cv", "contiguous:3", "--stratified"], "dealt at random"),
        (&["--cv", "expanding:3"], "folds in time"),
        (&["--cv", "3", "--repeats", "2"], "--repeats"),
        (&["--cv", "3", "--missing", "mean"], "--missing drop"),
        (&["--cv", "3", "--no-intercept"], "sweep --factors"),
        (&["--cv", "3", "--no-standardize"], "sweep --factors"),
        (
            &["--cv", "3", "--class-weights", "balanced"],
            "--class-weights",
        ),
        (&["--val-fraction", "0.2"], "--val-fraction"),
    ];
    for (flags, message) in cases {
        refused(
            &[&["compress", part, "--out", &out], flags].concat(),
            2,
            message,
        );
    }
    let text = parts
        .folder
        .text("t.csv", "a,y\n1,low\n2,high\n3,low\n4,high\n");
    refused(
        &["compress", &text, "--cv", "2", "--out", &out],
        1,
        "not a number",
    );
    refused(
        &["compress", part, "--cv", "3", "--out", part],
        2,
        "overwrite",
    );
}

/// Texts that are read as labels where they are classes are numbers here, as for the sweep itself.
#[test]
fn numbers_in_any_form_are_targets() {
    let folder = Folder::new();
    let written = |row: usize| match row % 4 {
        0 => format!("0{row}"),
        1 => format!("{row}e+00"),
        2 => format!("{row}.1234567890123456"),
        _ => format!("1e+0{}", row % 5),
    };
    let line = |row: usize| format!("{},{},{}\n", row * 7 % 13, row * 5 % 11, written(row));
    let rows: String = (0..40).map(line).collect();
    let rows = folder.text("rows.csv", &format!("a,b,y\n{rows}"));
    let folds: String = (0..40).map(|row| format!("{}\n", row % 3)).collect();
    let folds = folder.text("folds.txt", &folds);
    let out = as_text(&folder.path("rows.factors"));
    ok(&["compress", &rows, "--folds", &folds, "--out", &out]);
    let space = ["--l1", "0.1", "--l2", "0.05"];
    let expected = json(&[&["sweep", &rows, "--folds", &folds], &space[..]].concat());
    let found = json(&[&["sweep", "--factors", &out], &space[..]].concat());
    for key in ["criterion", "standard_error"] {
        let (found, expected) = (&found["points"][0], &expected["points"][0]);
        assert_same(&found[key], &expected[key], key);
    }
}

#[test]
fn a_configuration_and_a_store_know_their_factors() {
    let parts = Parts::new();
    let factors = parts.factors(&[]);
    let (file, store) = (parts.out("sweep.toml"), parts.out("s.db"));
    let own = [
        "sweep",
        "--factors",
        &factors[0],
        &factors[1],
        "--l1",
        "0.1,0.01",
    ];
    let beside = ["--write-config", &file, "--store", &store];
    let first = json(&[&own[..], &beside[..]].concat());
    let again = json(&["sweep", "--config", &file]);
    assert_eq!(first["points"], again["points"]);
    let shown = json(&["runs", "show", &store]);
    assert_eq!(shown["points"], first["points"]);
    // Folds are those of the files, wherever others are asked for.
    let dealt = parts.folder.text("cv.toml", "cv = 5\n");
    refused(
        &["sweep", "--config", &dealt, "--factors", &factors[0]],
        2,
        "does not go together with",
    );
    refused(
        &["sweep", "--config", &file, "--cv", "5"],
        2,
        "does not go together with",
    );
}

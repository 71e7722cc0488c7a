//! Reading, weighting, splitting and naming data.

use serde_json::Value;

use crate::support::{Folder, assert_close, columns, fails, json, numbers, table};

/// Strengths at which every property of the solution shows, on the training rows themselves.
const AT: [&str; 7] = [
    "--l1",
    "0.05",
    "--l2",
    "0.1",
    "--val-fraction",
    "0",
    "--coefficients",
];

fn at<'a>(file: &'a str, more: &[&'a str]) -> Value {
    json(&[&["hypergrad", file][..], &AT, more].concat())
}

/// Coefficients, intercept and hypergradient of the first point.
fn result(report: &Value) -> Vec<f64> {
    let point = &report["points"][0];
    ["coefficients", "intercept"]
        .iter()
        .flat_map(|key| numbers(&point[key]))
        .chain(
            ["l1", "l2"]
                .iter()
                .flat_map(|key| numbers(&point["hypergradient"][key])),
        )
        .collect()
}

#[test]
fn a_weight_of_two_is_a_row_twice() {
    let folder = Folder::new();
    let text = columns(&table(30, 1), &["a", "b", "c", "y"]);
    let lines: Vec<&str> = text.lines().collect();
    let mut weighted = format!("{},weight\n", lines[0]);
    let mut repeated = format!("{}\n", lines[0]);
    let mut weights = String::new();
    for (at, line) in lines[1..].iter().enumerate() {
        let count = 1 + at % 2;
        weighted.push_str(&format!("{line},{count}\n"));
        weights.push_str(&format!("{count}\n"));
        repeated.push_str(&format!("{line}\n").repeat(count));
    }
    let repeated = result(&at(&folder.text("repeated.csv", &repeated), &[]));
    let column = folder.text("weighted.csv", &weighted);
    let flags = ["--sample-weights", "weight", "--target", "y"];
    assert_close(&result(&at(&column, &flags)), &repeated, 1e-8);
    let plain = folder.text("plain.csv", &text);
    let file = folder.text("weights.csv", &weights);
    assert_close(
        &result(&at(&plain, &["--sample-weights", &file])),
        &repeated,
        1e-8,
    );
    assert_ne!(result(&at(&plain, &[])), repeated);
    let line = fails(&["hypergrad", &plain, "--sample-weights", "mass"], 1);
    assert!(line.contains("mass"), "{line}");
}

#[test]
fn class_weights_weigh_training_rows() {
    let folder = Folder::new();
    let text = columns(&table(60, 2), &["a", "b", "c", "label"]);
    let file = folder.text("classes.csv", &text);
    let count = |label: &str| text.matches(label).count() as f64;
    let (no, yes) = (count(",no"), count(",yes"));
    let balanced = ["--loss", "logistic", "--class-weights", "balanced"];
    let weights = format!("no={},yes={}", 30.0 / no, 30.0 / yes);
    let listed = ["--loss", "logistic", "--class-weights", &weights];
    let plain = ["--loss", "logistic"];
    let found = result(&at(&file, &balanced));
    assert_close(&found, &result(&at(&file, &listed)), 1e-8);
    assert_ne!(found, result(&at(&file, &plain)));
    let unknown = [
        "hypergrad",
        &file,
        "--loss",
        "logistic",
        "--class-weights",
        "maybe=2",
    ];
    let line = fails(&unknown, 1);
    assert!(line.contains("maybe") && line.contains("\"yes\""), "{line}");
}

#[test]
fn labels_may_be_text_or_any_two_numbers() {
    let folder = Folder::new();
    let text = columns(&table(60, 3), &["a", "b", "c", "label"]);
    let words = folder.text("words.csv", &text);
    let numeric = text.replace(",no", ",3").replace(",yes", ",7.5");
    let numeric = folder.text("numeric.csv", &numeric);
    let signs = text.replace(",no", ",-1").replace(",yes", ",1");
    let signs = folder.text("signs.csv", &signs);
    for loss in ["logistic", "squared-hinge"] {
        let of_words = at(&words, &["--loss", loss]);
        assert_eq!(
            of_words["problem"]["classes"][0],
            serde_json::json!(["no", "yes"])
        );
        let of_numbers = at(&numeric, &["--loss", loss]);
        assert_eq!(
            of_numbers["problem"]["classes"][0],
            serde_json::json!(["3", "7.5"])
        );
        assert_eq!(result(&of_words), result(&of_numbers));
        assert_eq!(result(&of_words), result(&at(&signs, &["--loss", loss])));
    }
    let line = fails(&["hypergrad", &words], 1);
    assert!(line.contains("label"), "{line}");
}

#[test]
fn validation_files_are_matched_by_name_and_class() {
    let folder = Folder::new();
    let (train, other) = (table(60, 4), table(30, 5));
    let names = ["a", "b", "c", "kind"];
    let train = folder.text("train.csv", &columns(&train, &names));
    let ordered = folder.text("ordered.csv", &columns(&other, &names));
    let shuffled = folder.text("shuffled.csv", &columns(&other, &["c", "a", "b", "kind"]));
    let run = |file: &str| {
        let flags = ["--loss", "multinomial", "--l1", "0.01", "--l2", "0.1"];
        let report = json(&[&["hypergrad", &train, "--x-val", file][..], &flags].concat());
        assert_eq!(report["problem"]["validation_rows"], 30);
        report["points"][0].clone()
    };
    assert_eq!(run(&ordered), run(&shuffled));

    let unseen = columns(&other, &names).replace("low", "lower");
    let unseen = folder.text("unseen.csv", &unseen);
    let flags = [
        "hypergrad",
        &train,
        "--x-val",
        &unseen,
        "--loss",
        "multinomial",
    ];
    let line = fails(&flags, 1);
    assert!(line.contains("\"lower\""), "{line}");
}

#[test]
fn the_split_follows_the_seed() {
    let folder = Folder::new();
    let file = folder.text("data.csv", &columns(&table(80, 6), &["a", "b", "c", "y"]));
    let split =
        |more: &[&str]| json(&[&["hypergrad", &file][..], more].concat())["problem"].clone();
    let first = split(&["--val-fraction", "0.3"]);
    assert_eq!(
        (&first["rows"], &first["validation_rows"]),
        (&Value::from(56), &Value::from(24))
    );
    assert_eq!(first["training_rows"].as_array().unwrap().len(), 56);
    assert_eq!(split(&["--val-fraction", "0.3"]), first);
    assert_ne!(split(&["--val-fraction", "0.3", "--seed", "1"]), first);
    assert_eq!(split(&[])["validation_rows"], 20);
    assert!(
        split(&["--val-fraction", "0"])
            .get("training_rows")
            .is_none()
    );
}

#[test]
fn coefficients_are_in_the_units_of_the_data() {
    let folder = Folder::new();
    let file = folder.text("data.csv", &columns(&table(50, 7), &["a", "b", "c", "y"]));
    let zero = [
        "--l1",
        "0",
        "--l2",
        "0",
        "--val-fraction",
        "0",
        "--coefficients",
    ];
    let coefficients = |more: &[&str]| {
        let report = json(&[&["hypergrad", &file][..], &zero, more].concat());
        let point = &report["points"][0];
        [
            numbers(&point["coefficients"]),
            numbers(&point["intercept"]),
        ]
        .concat()
    };
    assert_close(
        &coefficients(&[]),
        &coefficients(&["--no-standardize"]),
        1e-6,
    );
}

#[test]
fn sparse_and_dense_data_agree() {
    let folder = Folder::new();
    let text = columns(&table(40, 8), &["a", "b", "c", "y"]);
    let sparse: String = text
        .lines()
        .skip(1)
        .map(|line| {
            let v: Vec<&str> = line.split(',').collect();
            format!("{} 1:{} 2:{} 3:{}\n", v[3], v[0], v[1], v[2])
        })
        .collect();
    let dense = folder.text("data.csv", &text);
    let sparse = folder.text("data.svm", &sparse);
    assert_close(&result(&at(&sparse, &[])), &result(&at(&dense, &[])), 1e-8);
}

#[test]
fn a_column_without_variance_is_a_warning_and_a_zero() {
    let folder = Folder::new();
    let text: String = columns(&table(40, 9), &["a", "b", "y"])
        .lines()
        .enumerate()
        .map(|(at, line)| {
            if at == 0 {
                format!("k,{line}\n")
            } else {
                format!("5,{line}\n")
            }
        })
        .collect();
    let file = folder.text("constant.csv", &text);
    let report = at(&file, &[]);
    let point = &report["points"][0];
    assert_eq!(point["coefficients"][0], 0.0);
    assert_eq!(point["warnings"][0]["kind"], "constant-column");
    assert!(point["warnings"][0]["message"].is_string());
}

#[test]
fn the_quadratic_form_takes_q_and_b() {
    let folder = Folder::new();
    let q = folder.npy("Q.npy", &[2, 2], &[2.0, 0.5, 0.5, 1.0]);
    let b = folder.npy("b.npy", &[2], &[1.0, 1.0]);
    let report = json(&[
        "hypergrad",
        "--x",
        &q,
        "--y",
        &b,
        "--loss",
        "quadratic",
        "--penalty",
        "box",
        "--box",
        "0:10",
        "--l2",
        "0",
        "--coefficients",
    ]);
    // Q⁻¹b, inside the box.
    let point = &report["points"][0];
    assert_close(
        &numbers(&point["coefficients"]),
        &[0.5 / 1.75, 1.5 / 1.75],
        1e-9,
    );
}

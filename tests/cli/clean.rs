//! `clean`: the contract of its JSON, the saved model, tables, bad input.

use serde_json::Value;

use crate::support::{Folder, fails, json, noise, numbers, ok};

const FEATURES: usize = 4;

/// Rows of two classes, every fifth label wrong, and trusted rows.
struct Files {
    folder: Folder,
    paths: [String; 4],
    wrong: Vec<bool>,
}

impl Files {
    fn new() -> Self {
        let folder = Folder::new();
        let label = |row: &[f64]| {
            if 2.0 * row[0] - row[1] > 0.0 {
                1.0
            } else {
                0.0
            }
        };
        let part = |rows: usize, seed: u64| -> (Vec<f64>, Vec<f64>) {
            let x = noise(rows * FEATURES, seed);
            let y = x.chunks(FEATURES).map(label).collect();
            (x, y)
        };
        let ((x, mut y), (x_val, y_val)) = (part(150, 1), part(60, 2));
        let wrong: Vec<bool> = (0..150).map(|i| i % 5 == 2).collect();
        for (y, _) in y.iter_mut().zip(&wrong).filter(|(_, wrong)| **wrong) {
            *y = 1.0 - *y;
        }
        let paths = [
            folder.npy("X.npy", &[150, 4], &x),
            folder.npy("y.npy", &[150], &y),
            folder.npy("Xval.npy", &[60, 4], &x_val),
            folder.npy("yval.npy", &[60], &y_val),
        ];
        Self {
            folder,
            paths,
            wrong,
        }
    }

    fn with<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let [x, y, x_val, y_val] = &self.paths;
        let files = [
            "clean", "--x", x, "--y", y, "--x-val", x_val, "--y-val", y_val, "--loss", "logistic",
        ];
        [&files[..], more].concat()
    }
}

#[test]
fn the_contract() {
    let data = Files::new();
    for l2 in ["tune", "0.05"] {
        let found = json(&data.with(&["--l2", l2, "--format", "json"]));
        assert_eq!(found["schema"], 2);
        let weights = numbers(&found["weights"]);
        assert_eq!(weights.len(), 150);
        assert!(weights.iter().all(|w| (0.0..=1.0).contains(w)));
        let ranking: Vec<usize> = numbers(&found["ranking"])
            .iter()
            .map(|r| *r as usize)
            .collect();
        let suspects = ranking[..30].iter().filter(|&&row| data.wrong[row]).count();
        assert!(suspects >= 24, "{suspects} of the first 30 are wrong");
        let mut sorted = ranking.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..150).collect::<Vec<_>>());
        let (l2_found, error) = (
            found["l2"].as_f64().unwrap(),
            found["validation_error"].as_f64().unwrap(),
        );
        assert!(l2 == "tune" || l2_found == 0.05);
        assert!((0.0..0.2).contains(&error) && error <= found["first"]["error"].as_f64().unwrap());

        // The weights reproduce the fit.
        let lines: String = weights.iter().map(|w| format!("{w}\n")).collect();
        let file = data.folder.text("weights.txt", &lines);
        let l2 = l2_found.to_string();
        let [x, y, _, _] = &data.paths;
        let model = data.folder.path("model");
        let fit = json(&[
            "fit",
            "--x",
            x,
            "--y",
            y,
            "--loss",
            "logistic",
            "--l1",
            "0",
            "--l2",
            &l2,
            "--no-standardize",
            "--sample-weights",
            &file,
            "--out",
            model.to_str().unwrap(),
            "--format",
            "json",
        ]);
        let again = json(&data.with(&["--l2", &l2, "--no-standardize", "--format", "json"]));
        assert_eq!(fit["points"][0]["status"], again["status"]);
    }
}

#[test]
fn known_corruption_is_measured_and_the_model_is_saved() {
    let data = Files::new();
    let lines: String = data
        .wrong
        .iter()
        .map(|w| format!("{}\n", u8::from(*w)))
        .collect();
    let truth = data.folder.text("wrong.txt", &lines);
    let model = data.folder.path("model");
    let model = model.to_str().unwrap();
    let more = ["--corrupted", &truth, "--model", model, "--format", "json"];
    let found = json(&data.with(&more));
    assert!(found["detection"]["auc"].as_f64().unwrap() > 0.9);
    let [_, _, x_val, _] = &data.paths;
    let predicted = json(&["predict", x_val, "--model", model, "--format", "json"]);
    assert_eq!(predicted["rows"], 60);

    let text = ok(&data.with(&["--corrupted", &truth, "--top", "3"]));
    assert!(text.contains("AUC of the evidence"), "{text}");
    assert!(
        text.contains("all rows") && text.contains("cleaned"),
        "{text}"
    );
    let csv = ok(&data.with(&["--corrupted", &truth, "--format", "csv"]));
    assert!(
        csv.starts_with("row,target,weight,evidence,rank,corrupted\n"),
        "{csv}"
    );
    assert_eq!(csv.lines().count(), 151);
}

#[test]
fn rows_have_their_numbers_in_the_data() {
    let found = json(&[
        "clean",
        "--example",
        "--max-evaluations",
        "6",
        "--format",
        "json",
    ]);
    let of = |name: &str| -> Vec<usize> {
        let values: &Value = &found[name];
        numbers(values).iter().map(|row| *row as usize).collect()
    };
    let (mut rows, mut ranking) = (of("rows"), of("ranking"));
    assert!(rows.len() < 442 && rows.iter().any(|&row| row > rows.len()));
    rows.sort_unstable();
    ranking.sort_unstable();
    assert_eq!(rows, ranking);
}

#[test]
fn bad_input_is_one_line_with_a_remedy() {
    let data = Files::new();
    let short = data.folder.text("short.txt", "0\n1\n");
    let words = data.folder.text("words.txt", &"maybe\n".repeat(150));
    for (more, expected) in [
        (vec!["--corrupted", short.as_str()], "150"),
        (vec!["--corrupted", words.as_str()], "give 0 or false"),
        (vec!["--l2", "0.1,1"], "gives 2 values"),
        (vec!["--l1", "0.1,1"], "gives 2 values"),
        (vec!["--l2", "-1"], "--l2"),
        (vec!["--precision", "f32"], "f64"),
    ] {
        let text = fails(
            &data.with(&more),
            if expected == "150" || expected == "f64" {
                1
            } else {
                2
            },
        );
        assert!(text.contains(expected), "{text}");
    }
    let [x, y, _, _] = &data.paths;
    let alone = [
        "clean",
        "--x",
        x,
        "--y",
        y,
        "--loss",
        "logistic",
        "--val-fraction",
        "0",
    ];
    let text = fails(&alone, 1);
    assert!(
        text.contains("training rows") && text.contains("--x-val"),
        "{text}"
    );
}

//! `proxdiff tune`: the contract of its JSON, agreement with hypergrad and sweep, models.

mod input;
mod others;
mod polish;
mod reports;
mod ridges;
pub mod stores;
mod sure;
mod vectors;

use serde_json::Value;

use crate::support::{Folder, as_text, assert_close, columns, json, noise, numbers, ok, table};

/// Training and validation rows of a linear model with noise, as files.
struct Data {
    folder: Folder,
    train: Vec<String>,
    validation: Vec<String>,
}

fn data(rows: usize, features: usize, seed: u64) -> Data {
    let folder = Folder::new();
    let files = |name: &str, rows: usize, seed: u64| {
        let x = noise(rows * features, seed);
        let e = noise(rows, seed + 1);
        let y: Vec<f64> = x
            .chunks(features)
            .zip(e)
            .map(|(x, e)| 2.0 * x[0] - 1.5 * x[1] + x[2] + 0.8 * e)
            .collect();
        let suffix = if name.is_empty() { "" } else { "-val" };
        [
            format!("--x{suffix}"),
            folder.npy(&format!("x{name}.npy"), &[rows as u64, features as u64], &x),
            format!("--y{suffix}"),
            folder.npy(&format!("y{name}.npy"), &[rows as u64], &y),
        ]
    };
    let train = files("", rows, seed).to_vec();
    let validation = files("v", rows / 2, seed + 7).to_vec();
    Data {
        folder,
        train,
        validation,
    }
}

impl Data {
    fn with<'a>(&'a self, command: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let own = self
            .train
            .iter()
            .chain(&self.validation)
            .map(String::as_str);
        std::iter::once(command)
            .chain(own)
            .chain(more.iter().copied())
            .collect()
    }

    fn rows_alone<'a>(&'a self, command: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let own = self.train.iter().map(String::as_str);
        std::iter::once(command)
            .chain(own)
            .chain(more.iter().copied())
            .collect()
    }
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn the_contract_of_its_json() {
    let data = data(40, 8, 2);
    let plain = ["--no-intercept", "--no-standardize"];
    let found = json(&data.with("tune", &[&["--tune", "l1,l2"][..], &plain].concat()));
    assert_eq!(found["schema"], 2);
    assert_eq!(found["status"], "stationary");
    assert!(number(&found["projected_slope"]) < 1e-5, "{found}");
    assert!(found["evaluations"].as_u64().unwrap() <= 400);
    for absent in [
        "nested_criterion",
        "scalar_criterion",
        "penalized_slope",
        "intercept",
    ] {
        assert_eq!(found[absent], Value::Null, "{absent}");
    }
    assert_eq!(numbers(&found["coefficients"]).len(), 8);
    let starts = found["starts"].as_array().unwrap();
    assert!(!starts.is_empty());
    assert_eq!(starts[0]["status"], found["status"]);
    let mut counted = found["coarse_evaluations"].as_u64().unwrap();
    for start in starts {
        assert_eq!(start["status"], "stationary", "{start}");
        counted += start["evaluations"].as_u64().unwrap();
        // The best so far never gets worse.
        let trajectory: Vec<f64> = start["trajectory"]
            .as_array()
            .unwrap()
            .iter()
            .map(|visited| number(&visited["criterion"]))
            .collect();
        assert!(trajectory.is_sorted_by(|a, b| a > b), "{trajectory:?}");
        assert_eq!(trajectory.last(), start["criterion"].as_f64().as_ref());
        assert!(number(&start["criterion"]) >= number(&starts[0]["criterion"]));
    }
    assert_eq!(found["evaluations"], counted);
    // The criterion and the slope are those of hypergrad at the same point.
    let point = &found["hyperparameters"];
    let (l1, l2) = (point["l1"].to_string(), point["l2"].to_string());
    let strengths = ["--l1", &l1, "--l2", &l2, "--coefficients"];
    let at = json(&data.with("hypergrad", &[&strengths[..], &plain].concat()));
    let at = &at["points"][0];
    // The tuner may take the rows by their factor: sums in another order.
    assert_close(
        &[number(&at["criterion"])],
        &[number(&found["criterion"])],
        1e-13,
    );
    assert_close(
        &numbers(&at["coefficients"]),
        &numbers(&found["coefficients"]),
        1e-12,
    );
    for name in ["l1", "l2"] {
        let slope =
            number(&at["hypergradient"][name]) * number(&point[name]) / number(&at["criterion"]);
        assert!((slope - number(&found["slope"][name])).abs() < 1e-12);
    }
}

/// No point of a fine sweep is better.
#[test]
fn the_best_is_at_least_that_of_a_fine_grid() {
    let data = data(30, 20, 3);
    for folds in [&[][..], &["--cv", "4"]] {
        let found = match folds {
            [] => json(&data.with("tune", folds)),
            _ => json(&data.rows_alone("tune", folds)),
        };
        let grid = [
            "--l1",
            "frac:0.9:1e-3:25",
            "--l2",
            "log:1e-4:10:12",
            "--best",
            "1",
        ];
        let sweep = match folds {
            [] => json(&data.with("sweep", &grid)),
            _ => json(&data.rows_alone("sweep", &[&grid[..], folds].concat())),
        };
        let best = number(&sweep["best"]["criterion"]);
        let criterion = number(&found["criterion"]);
        assert!(
            criterion <= best * (1.0 + 1e-6),
            "{criterion} {best} {folds:?}"
        );
    }
}

#[test]
fn with_folds_the_criterion_is_the_mean_that_sweep_shows() {
    let data = data(45, 6, 5);
    let labels: Vec<f64> = (0..45).map(|i| f64::from(i % 3)).collect();
    let file = data.folder.npy("folds.npy", &[45], &labels);
    for flags in [&["--cv", "5", "--seed", "3"][..], &["--folds", &file]] {
        let found = json(&data.rows_alone("tune", flags));
        let point = &found["hyperparameters"];
        let (l1, l2) = (point["l1"].to_string(), point["l2"].to_string());
        let own = ["--l1", &l1, "--l2", &l2];
        let sweep = json(&data.rows_alone("sweep", &[&own[..], flags].concat()));
        let mean = number(&sweep["best"]["criterion"]);
        assert_close(&[number(&found["criterion"])], &[mean], 1e-11);
        let folds = numbers(&found["fold_criteria"]);
        assert_close(
            &[folds.iter().sum::<f64>() / folds.len() as f64],
            &[mean],
            1e-11,
        );
        assert_eq!(found["test"], Value::Null);
        // Validation files are test rows beside folds: they change nothing that is tuned.
        let beside = json(&data.with("tune", flags));
        assert_eq!(beside["criterion"], found["criterion"]);
        assert_eq!(beside["coefficients"], found["coefficients"]);
        assert!(number(&beside["test"]["mse"]) > 0.0);
        // The refit is that of all rows.
        let fit = as_text(&data.folder.path("fit"));
        let fitted = json(&data.rows_alone(
            "fit",
            &[&own[..], &["--coefficients", "--out", &fit]].concat(),
        ));
        let coefficients = numbers(&fitted["points"][0]["coefficients"]);
        assert_close(&numbers(&found["coefficients"]), &coefficients, 1e-9);
    }
}

#[test]
fn the_same_bits_for_any_number_of_threads() {
    let data = data(40, 30, 9);
    for flags in [&[][..], &["--cv", "3"]] {
        let one = ok(&data.with(
            "tune",
            &[flags, &["--threads", "1", "--format", "json"]].concat(),
        ));
        let three = ok(&data.with(
            "tune",
            &[flags, &["--threads", "3", "--format", "json"]].concat(),
        ));
        assert_eq!(one, three);
    }
}

/// The names of what is tuned are a set.
#[test]
fn the_order_of_names_changes_nothing() {
    let data = data(30, 6, 12);
    for format in ["json", "csv", "table"] {
        let of = |names: &str| {
            let flags = [
                "--tune",
                names,
                "--max-evaluations",
                "40",
                "--format",
                format,
            ];
            ok(&data.with("tune", &flags))
        };
        assert_eq!(of("l1,l2"), of("l2,l1"));
    }
}

#[test]
fn budgets_starts_and_bounds_are_kept() {
    let data = data(40, 8, 11);
    for budget in ["1", "2", "9", "60"] {
        let found = json(&data.with("tune", &["--max-evaluations", budget]));
        let most: u64 = budget.parse().unwrap();
        assert!(found["evaluations"].as_u64().unwrap() <= most, "{found}");
        if most < 9 {
            assert_eq!(found["status"], "budget-spent");
        }
    }
    let own = [
        "--start",
        "l1=0.05,l2=0.2",
        "--bounds",
        "l1=0.01:0.1,l2=0.1:1",
    ];
    let found = json(&data.with("tune", &own));
    let starts = found["starts"].as_array().unwrap();
    assert_eq!((starts.len(), &found["coarse_evaluations"]), (1, &0.into()));
    let first = &starts[0]["trajectory"][0]["hyperparameters"];
    assert_close(
        &[number(&first["l1"]), number(&first["l2"])],
        &[0.05, 0.2],
        1e-12,
    );
    let (l1, l2) = (
        &found["hyperparameters"]["l1"],
        &found["hyperparameters"]["l2"],
    );
    assert!((0.01..=0.1).contains(&number(l1)) && (0.1..=1.0).contains(&number(l2)));
    // A bound that holds the best is named.
    let found = json(&data.with(
        "tune",
        &["--tune", "l1", "--l2", "0", "--bounds", "l1=0.5:0.8"],
    ));
    assert_eq!(
        (
            found["status"].as_str(),
            number(&found["hyperparameters"]["l1"])
        ),
        (Some("at-bound"), 0.5)
    );
    assert_eq!(found["hyperparameters"]["l2"], 0.0);
    let remark = found["remarks"][0].as_str().unwrap();
    assert!(
        remark.contains("the best l1 lies at its lower bound"),
        "{remark}"
    );
    // Where all coefficients are zero, the start is moved.
    let found = json(&data.with(
        "tune",
        &[
            "--start",
            "l1=1e3",
            "--bounds",
            "l1=1e-3:1e4",
            "--tune",
            "l1",
        ],
    ));
    assert!(
        found["remarks"][0]
            .as_str()
            .unwrap()
            .contains("all coefficients are zero")
    );
    assert!(number(&found["hyperparameters"]["l1"]) < 10.0);
}

#[test]
fn other_losses_and_penalties_are_tuned_too() {
    let folder = Folder::new();
    let text = table(80, 4);
    for (loss, target, status) in [
        ("logistic", "label", "stationary"),
        ("multinomial", "kind", "stationary-kink"),
        ("squared-hinge", "label", "stationary"),
        ("huber", "y", "stationary"),
    ] {
        let file = folder.text("data.csv", &columns(&text, &["a", "b", "c", target]));
        let found = json(&["tune", &file, "--loss", loss, "--cv", "3", "--seed", "2"]);
        assert_eq!(found["status"], status, "{loss}");
        let grid = json(&[
            "sweep",
            &file,
            "--loss",
            loss,
            "--cv",
            "3",
            "--seed",
            "2",
            "--l1",
            "frac:0.9:1e-3:12",
            "--l2",
            "log:1e-4:1:6",
        ]);
        let (own, best) = (
            number(&found["criterion"]),
            number(&grid["best"]["criterion"]),
        );
        assert!(own <= best, "{loss}: {own} {best}");
    }
    let file = folder.text("data.csv", &columns(&text, &["a", "b", "c", "y"]));
    let boxed = json(&["tune", &file, "--penalty", "box", "--box", "0:1"]);
    assert_eq!(boxed["hyperparameters"]["l1"], Value::Null);
    for penalty in [
        &["--penalty", "nonneg"][..],
        &["--penalty", "group", "--group-size", "3"],
    ] {
        let found = json(&[&["tune", &file][..], penalty].concat());
        assert!(number(&found["hyperparameters"]["l1"]) > 0.0);
    }
}

/// Criteria of the refit from its own rows: leave-one-out is that of as many folds as rows.
#[test]
fn the_refits_own_rows_estimate_the_criterion() {
    let data = data(40, 6, 13);
    let plain = "--no-standardize";
    let found = json(&data.rows_alone("tune", &["--cv", "5", plain]));
    let point = &found["hyperparameters"];
    let (l1, l2) = (point["l1"].to_string(), point["l2"].to_string());
    let each = ["--cv", "40", "--l1", &l1, "--l2", &l2, plain];
    let sweep = json(&data.rows_alone("sweep", &each));
    let expected = number(&sweep["best"]["criterion"]);
    let alo = number(&found["alo"]);
    assert!((alo / expected - 1.0).abs() < 0.02, "{alo} {expected}");
    let k = number(&found["degrees_of_freedom"]);
    let support = number(&found["support"]);
    assert!(k > 1.0 && k <= support + 1.0, "{k} {support}");
    let (aic, bic) = (number(&found["aic"]), number(&found["bic"]));
    assert_close(&[bic - aic], &[(40f64.ln() - 2.0) * k], 1e-9);
    assert!(number(&found["gcv"]) > 0.0);
    let text = ok(&data.rows_alone("tune", &["--cv", "5", plain]));
    assert!(
        text.contains("of the refit's own rows: leave-one-out"),
        "{text}"
    );
    let grouped = ["--penalty", "group", "--group-size", "3"];
    let found = json(&data.rows_alone("tune", &grouped));
    for absent in ["alo", "gcv", "aic", "bic", "degrees_of_freedom"] {
        assert_eq!(found[absent], Value::Null, "{absent}");
    }
}

#[test]
fn test_rows_and_a_model_that_predict_reads() {
    let folder = Folder::new();
    let file = folder.text("data.csv", &columns(&table(60, 6), &["a", "b", "c", "y"]));
    let model = as_text(&folder.path("model"));
    let printed = ok(&[
        "tune",
        &file,
        "--test-fraction",
        "0.25",
        "--model",
        &model,
        "--coefficients",
    ]);
    for part in [
        "criterion",
        "15 test rows",
        "coarse grid",
        "Model saved to",
        "intercept",
    ] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
    let found = json(&["tune", &file, "--test-fraction", "0.25"]);
    assert!(number(&found["test"]["r2"]) > 0.5);
    let features = folder.text("new.csv", &columns(&table(5, 8), &["a", "b", "c"]));
    let predicted = json(&["predict", &features, "--model", &model]);
    assert_eq!(numbers(&predicted["targets"][0]["predictions"]).len(), 5);
    let own = folder.text("test.csv", &columns(&table(20, 9), &["a", "b", "c", "y"]));
    let found = json(&["tune", &file, "--x-test", &own, "--cv", "3"]);
    assert!(number(&found["test"]["mse"]) > 0.0);
    let csv = ok(&["tune", &file, "--format", "csv"]);
    assert!(
        csv.starts_with("start,status,evaluation,l1,l2,criterion\n0,"),
        "{csv}"
    );
}

/// What `fit` warns of is said of the tuned point too.
#[test]
fn copies_of_columns_are_not_unique() {
    let folder = Folder::new();
    let (x, e) = (noise(3 * 40, 31), noise(40, 32));
    let twice: Vec<f64> = x.chunks(3).flat_map(|x| [x[0], x[1], x[2], x[0]]).collect();
    let y: Vec<f64> = x
        .chunks(3)
        .zip(e)
        .map(|(x, e)| 2.0 * x[0] + x[1] + 0.5 * e)
        .collect();
    let files = [
        folder.npy("x.npy", &[40, 4], &twice),
        folder.npy("y.npy", &[40], &y),
    ];
    let found = json(&[
        "tune", "--x", &files[0], "--y", &files[1], "--tune", "l1", "--l2", "0",
    ]);
    let remarks = found["remarks"].to_string();
    assert!(remarks.contains("not unique"), "{remarks}");
    // So does the table of a sweep over folds.
    let grid = ["--l1", "0.05", "--l2", "0", "--cv", "3"];
    let rows = ["sweep", "--x", &files[0], "--y", &files[1]];
    let text = ok(&[&rows[..], &grid].concat());
    assert!(text.contains("coefficients are not unique"), "{text}");
}

/// A best point at an edge of a sweep says where to go.
#[test]
fn a_sweep_says_when_its_best_point_is_at_an_edge() {
    let data = data(40, 6, 23);
    for folds in [&[][..], &["--cv", "3"]] {
        let at = |l1: &str| {
            let own = ["--l1", l1, "--l2", "0.001,0.002"];
            let flags = [&own[..], folds].concat();
            match folds {
                [] => ok(&data.with("sweep", &flags)),
                _ => ok(&data.rows_alone("sweep", &flags)),
            }
        };
        let text = at("1,0.9,0.8");
        assert!(
            text.contains("the best l1 is the smallest of the sweep"),
            "{text}"
        );
        assert!(!at("1,0.3,0.1,0.03,0.01,0.003,1e-3,1e-5").contains("the best l1 is"));
    }
}

//! `proxdiff tune`: the contract of its JSON, agreement with hypergrad and sweep, models, bad input.

use serde_json::Value;

use crate::support::{
    Folder, as_text, assert_close, columns, fails, json, noise, numbers, ok, table,
};

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

const STATUSES: [&str; 5] = [
    "stationary",
    "stationary-kink",
    "at-bound",
    "budget-spent",
    "flat",
];

#[test]
fn the_contract_of_its_json() {
    let data = data(40, 8, 1);
    let plain = ["--no-intercept", "--no-standardize"];
    let found = json(&data.with("tune", &[&["--tune", "l1,l2"][..], &plain].concat()));
    assert_eq!(found["schema"], 2);
    assert!(
        STATUSES.contains(&found["status"].as_str().unwrap()),
        "{found}"
    );
    assert!(found["evaluations"].as_u64().unwrap() <= 400);
    assert_eq!(found["nested_criterion"], Value::Null);
    assert_eq!(found["scalar_criterion"], Value::Null);
    assert_eq!(found["intercept"], Value::Null);
    assert_eq!(numbers(&found["coefficients"]).len(), 8);
    let starts = found["starts"].as_array().unwrap();
    assert!(!starts.is_empty());
    assert_eq!(starts[0]["status"], found["status"]);
    let mut counted = found["coarse_evaluations"].as_u64().unwrap();
    for start in starts {
        assert!(STATUSES.contains(&start["status"].as_str().unwrap()));
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
    if found["status"] == "stationary" {
        assert!(number(&found["projected_slope"]) < 1e-5, "{found}");
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
    for (loss, target, tolerance) in [
        ("logistic", "label", 1e-3),
        ("multinomial", "kind", 1e-3),
        ("squared-hinge", "label", 1e-3),
        ("huber", "y", 1e-3),
    ] {
        let file = folder.text("data.csv", &columns(&text, &["a", "b", "c", target]));
        let found = json(&["tune", &file, "--loss", loss, "--cv", "3", "--seed", "2"]);
        assert!(STATUSES.contains(&found["status"].as_str().unwrap()));
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
        assert!(own <= best * (1.0 + tolerance), "{loss}: {own} {best}");
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

#[test]
fn bad_input_is_one_line_with_its_remedy() {
    let folder = Folder::new();
    let text = table(30, 2);
    let file = folder.text("data.csv", &columns(&text, &["a", "b", "c", "y"]));
    let labels = folder.text("labels.csv", &columns(&text, &["a", "b", "c", "label"]));
    let numbers: Vec<String> = (0..30)
        .map(|i| if i == 0 { "0" } else { "-1" }.to_string())
        .collect();
    let one_row = folder.text("folds.txt", &(numbers.join("\n") + "\n"));
    let groups: Vec<String> = text
        .lines()
        .skip(1)
        .map(|line| if line.contains("yes") { "0" } else { "1" }.to_string())
        .collect();
    let by_class = folder.text("classes.txt", &(groups.join("\n") + "\n"));
    for (flags, status, messages) in [
        (
            vec!["--start", "l1=5", "--bounds", "l1=0.1:1"],
            1,
            ["outside its bounds", "start within"],
        ),
        (vec!["--start", "l1=0"], 2, ["l1=0", "greater than zero"]),
        (
            vec!["--bounds", "l1=1:1"],
            1,
            ["leaves nothing to tune", "larger one"],
        ),
        (vec!["--bounds", "l1=2:1"], 2, ["l1=2:1", "LO at most HI"]),
        (
            vec!["--bounds", "l1=0:1"],
            1,
            ["greater than zero", "logarithmic"],
        ),
        (
            vec!["--bounds", "l2=-1:1"],
            1,
            ["greater than zero", "logarithmic"],
        ),
        (vec!["--bounds", "0.1:1"], 2, ["NAME=VALUE", "l1=0.1"]),
        (
            vec!["--bounds", "l1=0.1:1,l1=0.2:1"],
            2,
            ["twice", "keep one"],
        ),
        (vec!["--tune", "l3"], 2, ["'l3' is not known", "l1, l2"]),
        (vec!["--tune", "l1,l1"], 1, ["named twice", "once"]),
        (
            vec!["--tune", "l1", "--bounds", "l2=0.1:1"],
            2,
            ["not tuned", "add it to --tune"],
        ),
        (
            vec!["--tune", "l1", "--start", "l2=0.1"],
            2,
            ["not tuned", "leave it out"],
        ),
        (
            vec!["--l1", "0.1"],
            2,
            ["--l1 fixes what is tuned", "--start l1="],
        ),
        (
            vec!["--tune", "l1", "--l2", "0.1,0.2"],
            2,
            ["--l2 gives 2 values", "give one"],
        ),
        (
            vec!["--max-evaluations", "0"],
            2,
            ["max-evaluations", "1 or more"],
        ),
        (
            vec!["--penalty", "box", "--box", "0:1", "--tune", "l1"],
            1,
            ["does not depend on it", "l2"],
        ),
        (
            vec!["--folds", &one_row, "--test-fraction", "0.2"],
            2,
            ["--test-fraction", "--x-test"],
        ),
        (vec!["--target", "a,y"], 2, ["one target", "--target"]),
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
    // A fold without a class.
    let line = fails(
        &["tune", &labels, "--loss", "logistic", "--folds", &by_class],
        1,
    );
    assert!(
        line.contains("1 of 2 classes") && line.contains("--stratified"),
        "{line}"
    );
    // Without a target that varies nothing depends on l1.
    let flat: String = text
        .lines()
        .map(|line| format!("{},1\n", line.split(',').next().unwrap()))
        .collect();
    let flat = folder.text("flat.csv", &flat.replacen("a,1", "a,t", 1));
    let output = crate::support::run(&["tune", &flat]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("does not depend on it") && said.contains("varies"),
        "{said}"
    );
}

#[test]
fn a_configuration_file_holds_the_flags() {
    let folder = Folder::new();
    let file = folder.text("data.csv", &columns(&table(40, 3), &["a", "b", "c", "y"]));
    let text = format!(
        "data = {file:?}\ncv = 4\nno-intercept = true\n[tuning]\ntune = [\"l1\", \"l2\"]\nbounds = \"l1=0.001:1\"\n"
    );
    let config = folder.text("tune.toml", &text);
    let written = as_text(&folder.path("effective.toml"));
    let found = json(&["tune", "--config", &config, "--write-config", &written]);
    let flags = [
        "tune",
        &file,
        "--cv",
        "4",
        "--no-intercept",
        "--bounds",
        "l1=0.001:1",
    ];
    assert_eq!(found, json(&flags));
    assert_eq!(found["intercept"], Value::Null);
    // The effective configuration makes the same tuning, and flags win.
    assert_eq!(json(&["tune", "--config", &written]), found);
    let other = json(&[
        "tune",
        "--config",
        &config,
        "--no-intercept=false",
        "--max-evaluations",
        "20",
    ]);
    assert!(other["intercept"].is_number() && other["evaluations"].as_u64().unwrap() <= 20);
    let wrong = folder.text("wrong.toml", "bound = \"l1=0.001:1\"\n");
    let line = fails(&["tune", "--config", &wrong], 1);
    assert!(
        line.contains("there is no setting \"bound\"") && line.contains("proxdiff tune"),
        "{line}"
    );
    let two = folder.text("two.toml", "[[study]]\ncv = 3\n[[study]]\ncv = 4\n");
    let line = fails(&["tune", "--config", &two], 2);
    assert!(line.contains("one study"), "{line}");
}

/// One strength for each coefficient: an array, and the guard's word.
#[test]
fn a_strength_for_each_is_guarded() {
    let data = data(36, 8, 21);
    let own = ["--tune", "l1[]", "--l2", "0"];
    let found = json(&data.with("tune", &own));
    let guard = &found["guard"];
    let l1 = numbers(&found["hyperparameters"]["l1"]);
    let returns_scalar = guard["returns_scalar"].as_bool().unwrap();
    assert_eq!(l1.len(), if returns_scalar { 1 } else { 8 });
    assert!(number(&found["nested_criterion"]) > 0.0 && number(&found["scalar_criterion"]) > 0.0);
    let free = json(&data.with("tune", &[&own[..], &["--guard", "none"]].concat()));
    assert_eq!(numbers(&free["hyperparameters"]["l1"]).len(), 8);
    assert_eq!(free["nested_criterion"], Value::Null);
    assert!(number(&free["criterion"]) <= number(&free["scalar_criterion"]));
    let remarks = free["remarks"].to_string();
    assert!(remarks.contains("without a guard"), "{remarks}");
    // It is the criterion of hypergrad at the same strengths.
    let strengths = numbers(&free["hyperparameters"]["l1"]);
    let file = data.folder.npy("strengths.npy", &[8], &strengths);
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
    let at = json(&data.with("hypergrad", &flags));
    assert_close(
        &[number(&at["points"][0]["criterion"])],
        &[number(&free["criterion"])],
        1e-9,
    );
    for (flags, status, message) in [
        (&["--guard", "often"][..], 2, "auto, none"),
        (&["--tune", "l1[group]"], 1, "no such strengths"),
        (&["--tune", "l1,l1[]"], 1, "named twice"),
        (
            &["--tune", "l1[]", "--l1", "0.1"],
            2,
            "--l1 fixes what is tuned",
        ),
    ] {
        let line = fails(&data.with("tune", flags), status);
        assert!(line.contains(message), "{flags:?}: {line}");
    }
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

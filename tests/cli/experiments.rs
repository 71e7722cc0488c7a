//! `reproduce` and `poison`: files, their contents, and refusals.

use std::path::Path;

use serde_json::Value;

use crate::support::{Folder, as_text, columns, fails, numbers, ok, run, table};

fn read(directory: &Path, file: &str) -> Vec<u8> {
    std::fs::read(directory.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn json(directory: &Path, file: &str) -> Value {
    serde_json::from_slice(&read(directory, file)).unwrap()
}

/// The lengths of every curve's lists agree, and the error lies in its band.
fn check_curves(setting: &Value, methods: &[&str]) {
    let curves = setting["curves"].as_array().unwrap();
    let found: Vec<&str> = curves
        .iter()
        .map(|c| c["method"].as_str().unwrap())
        .collect();
    assert_eq!(found, methods);
    for curve in curves {
        let [x, error, low, high] = ["x", "error", "low", "high"].map(|name| numbers(&curve[name]));
        assert!(x.len() == error.len() && low.len() == x.len() && high.len() == x.len());
        for i in 0..x.len() {
            assert!(low[i] <= error[i] && error[i] <= high[i]);
        }
        assert!(x.is_sorted());
    }
}

fn check_figures(directory: &Path, names: &[&str], page: &str) {
    for name in names {
        let svg = String::from_utf8(read(directory, &format!("{name}.svg"))).unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("<polyline") && !svg.contains("NaN"));
        assert!(read(directory, &format!("{name}.png")).starts_with(b"\x89PNG"));
    }
    let html = String::from_utf8(read(directory, page)).unwrap();
    assert!(html.contains("<svg") && html.contains("<table") && !html.contains("src=\"http"));
}

#[test]
fn the_deterministic_experiment_keeps_its_contract() {
    let folder = Folder::new();
    let out = as_text(&folder.path("results"));
    let text = ok(&["reproduce", "deterministic", "--out", &out]);
    assert!(
        text.contains("identified at t = 175") && text.contains("1e-8 at 382"),
        "{text}"
    );
    let directory = Path::new(&out);
    let record = json(directory, "deterministic.json");
    let settings = record["settings"].as_array().unwrap();
    assert_eq!(settings.len(), 2);
    for (setting, (l1, identified, count, last)) in settings
        .iter()
        .zip([(0.02, 175, 501, 500.0), (0.002, 587, 201, 1000.0)])
    {
        assert_eq!(
            (setting["l1"].as_f64(), setting["l2"].as_f64()),
            (Some(l1), Some(0.002))
        );
        assert_eq!(setting["support_identified_at"].as_u64(), Some(identified));
        check_curves(setting, &["itd", "aid-fp", "aid-cg", "cg-plain"]);
        let x = numbers(&setting["curves"][1]["x"]);
        assert_eq!((x.len(), x[0], x[x.len() - 1]), (count, 0.0, last));
    }
    check_figures(
        directory,
        &["deterministic-1", "deterministic-2"],
        "deterministic.html",
    );
}

#[test]
fn the_stochastic_experiments_write_their_curves() {
    let folder = Folder::new();
    let out = as_text(&folder.path("results"));
    let small = ["--runs", "2", "--steps", "60", "--out", &out];
    ok(&[
        &["reproduce", "stochastic", "--samples", "2000"],
        &small[..],
    ]
    .concat());
    ok(&[&["reproduce", "poisoning"], &small[..]].concat());
    let directory = Path::new(&out);
    for name in ["stochastic", "poisoning"] {
        let record = json(directory, &format!("{name}.json"));
        let setting = &record["settings"][0];
        let methods = [
            "aid-fp",
            "nsid-decreasing",
            "nsid-constant",
            "sid-decreasing",
            "sid-constant",
        ];
        check_curves(setting, &methods);
        assert!(record["seed"].as_u64() == Some(0) && record["seconds"].as_f64() > Some(0.0));
        check_figures(directory, &[name], &format!("{name}.html"));
    }
}

#[test]
fn poison_reports_and_saves_perturbed_data() {
    let folder = Folder::new();
    let data = folder.text("data.csv", &columns(&table(80, 3), &["a", "b", "y"]));
    let out = as_text(&folder.path("poison"));
    let flags = [
        "--budget", "0.2,0.5", "--steps", "3", "--share", "0.2", "--out", &out,
    ];
    let text = ok(&[&["poison", &data], &flags[..]].concat());
    for part in [
        "clean",
        "moved at random, worst of 2",
        "poisoned, worst of 2",
        "Rows that matter",
        "Features that",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let directory = Path::new(&out);
    let found = json(directory, "poison.json");
    // 80 rows: 16 test, a quarter of the others validates, 48 train, a fifth of them moves.
    assert_eq!(found["training_rows"].as_u64(), Some(48));
    assert_eq!(found["perturbed_rows"].as_u64(), Some(10));
    let budgets = found["budgets"].as_array().unwrap();
    assert_eq!(budgets.len(), 2);
    let loss = |value: &Value| value["validation"]["loss"].as_f64().unwrap();
    for at in budgets {
        assert!(loss(&at["poisoned"]) > loss(&found["clean"]));
        assert!(at["random"].as_array().unwrap().len() == 2 && at["poisoned"]["test"].is_object());
        let random = at["random"].as_array().unwrap().iter().map(loss);
        assert_eq!(loss(&at["worst_random"]), random.fold(0.0, f64::max));
    }
    check_figures(directory, &["poison"], "poison.html");
    let shape = |file: &str| {
        let bytes = read(directory, file);
        let array = npyz::NpyFile::new(&bytes[..]).unwrap();
        (array.shape().to_vec(), array.into_vec::<f64>().unwrap())
    };
    let ((x, _), (y, _), (rows, _)) = (shape("X.npy"), shape("y.npy"), shape("rows.npy"));
    assert_eq!((x, y, rows), (vec![48, 2], vec![48], vec![10]));
    let (p, values) = shape("perturbation.npy");
    assert_eq!(p, [10, 2]);
    assert!(values.iter().all(|v| v.abs() <= 0.5 + 1e-12) && values.iter().any(|v| v.abs() > 0.3));
}

/// Tables and numbers of a defender, for numbers and for classes.
#[test]
fn poison_shows_what_defences_make_of_it() {
    let folder = Folder::new();
    let data = folder.text("data.csv", &columns(&table(90, 3), &["a", "b", "y"]));
    let out = as_text(&folder.path("poison"));
    let flags = [
        "--budget",
        "0.5",
        "--steps",
        "3",
        "--share",
        "0.1",
        "--tune",
        "--defence",
        "trim,clean",
        "--out",
        &out,
    ];
    let text = ok(&[&["poison", &data], &flags[..]].concat());
    for part in [
        "Kuncheva",
        "Defences; root mean square error on test rows",
        "tuned anew",
        "TRIM",
        "Strengths tuned on the validation rows",
        "slope, tuned",
        "TRIM at budget 0.5: 5 rows left out",
        "clean at budget 0.5: mean weight",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let found = json(Path::new(&out), "poison.json");
    let at = &found["budgets"][0];
    let sets = [
        &found["defended"]["clean"],
        &at["defended"]["random"],
        &at["defended"]["poisoned"],
    ];
    for defended in sets {
        for defence in ["retuned", "trim", "clean"] {
            let scores = &defended[defence]["scores"];
            assert!(scores["test"]["rmse"].as_f64() > Some(0.0), "{defended}");
            assert!(scores["features"].as_u64() <= Some(2) && scores["stability"].is_object());
        }
        let retuned = &defended["retuned"];
        assert!(retuned["l2"].as_f64() > Some(0.0) && retuned["slope"].as_f64() > Some(0.0));
        assert!(retuned["slope_fixed"].as_f64() > Some(0.0));
        assert_eq!(defended["trim"]["discarded"].as_u64(), Some(5));
        let share = defended["clean"]["moved"].as_f64();
        assert!(share >= Some(0.0) && share <= Some(1.0), "{defended}");
    }
    assert_eq!(found["clean"]["stability"]["jaccard"].as_f64(), Some(1.0));
    // What is printed as JSON is what is saved; without a defence there is none.
    let flags = [
        "--budget", "0.5", "--steps", "2", "--format", "json", "--out", &out,
    ];
    let printed: Value =
        serde_json::from_str(&ok(&[&["poison", &data], &flags[..]].concat())).unwrap();
    assert_eq!(printed, json(Path::new(&out), "poison.json"));
    assert!(printed["defended"].is_null() && printed["budgets"][0]["defended"].is_null());
}

/// Rows are named as the report names them: by their place in the user's table.
#[test]
fn poison_moves_the_rows_that_are_named() {
    let folder = Folder::new();
    let data = folder.text("data.csv", &columns(&table(80, 3), &["a", "b", "y"]));
    let named = |rows: &str, name: &str| {
        let file = folder.text(&format!("{name}.csv"), rows);
        let out = as_text(&folder.path(name));
        let flags = [
            "--budget", "0.2", "--steps", "2", "--rows", &file, "--out", &out,
        ];
        run(&[&["poison", &data], &flags[..]].concat())
    };
    // Of all 80 rows 48 train: of each it is said whether it may move, and those that may are moved.
    let (mut moved, mut held_out) = (0, 0);
    for row in 0..16 {
        let name = format!("row{row}");
        let output = named(&format!("{row}\n"), &name);
        if output.status.success() {
            let found = json(&folder.path(&name), "poison.json");
            assert_eq!(found["row_slopes"][0]["row"].as_u64(), Some(row), "{found}");
            moved += 1;
        } else {
            let line = String::from_utf8(output.stderr).unwrap();
            assert!(line.contains("is no training row"), "{line}");
            held_out += 1;
        }
    }
    assert!(moved > 0 && held_out > 0, "{moved} and {held_out}");
}

#[test]
fn experiments_refuse_what_does_not_fit() {
    let folder = Folder::new();
    let out = as_text(&folder.path("out"));
    let refuse = |arguments: &[&str], status: i32, part: &str| {
        let line = fails(&[arguments, &["--out", &out]].concat(), status);
        assert!(line.contains(part), "{arguments:?}: {line}");
    };
    refuse(
        &["reproduce", "deterministic", "--precision", "f32"],
        2,
        "f64",
    );
    refuse(
        &["reproduce", "stochastic", "--samples", "5"],
        1,
        "at least 10",
    );
    let missing = [
        "reproduce",
        "poisoning",
        "--images",
        "none",
        "--labels",
        "none",
    ];
    refuse(&missing, 1, "none");
    refuse(
        &["poison", "--example", "--budget", "0"],
        1,
        "greater than zero",
    );
    refuse(&["poison", "--example", "--l1", "1,2"], 2, "single value");
    refuse(&["poison", "--example", "--format", "csv"], 2, "json");
    refuse(&["poison", "--example", "--tol", "0"], 2, "--tol");
    let in_no_time = ["poison", "--example", "--time-budget", "1e-9"];
    refuse(&in_no_time, 1, "interrupted");
    refuse(&["poison", "--example", "--defence", "none"], 2, "trim");
    let all = ["poison", "--example", "--share", "1", "--steps", "1"];
    let trimmed = [&all[..], &["--defence", "trim"]].concat();
    refuse(
        &trimmed,
        1,
        "--share: TRIM leaves out as many rows as moved",
    );
    refuse(&trimmed, 1, "give a smaller --share, or leave trim out");
    refuse(
        &["poison", "--example", "--val-fraction", "0"],
        2,
        "validation rows",
    );
    refuse(
        &["poison", "--example", "--criterion-sign", "-1"],
        2,
        "drop",
    );
    refuse(
        &["poison", "--example", "--rows", "no-such-file"],
        1,
        "no-such-file",
    );
    refuse(
        &["poison", "--example", "--image-width", "3"],
        1,
        "does not divide",
    );
    refuse(&["poison", "--example", "--range", "0:1"], 1, "outside");
    assert!(ok(&["poison", "--help"]).contains("measuring how robust a model of your own is"));
}

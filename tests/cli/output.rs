//! Tables, CSV, files, budgets, interruptions and closed pipes.

use std::io::Read;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

#[cfg(unix)]
use crate::support::interrupted;
use crate::support::{
    Folder, as_text, assert_close, fails, json, numbers, ok, program, run, words,
};

/// Far from converged: columns at their raw scale, and a tolerance that rounding never meets.
const SLOW: [&str; 8] = [
    "hypergrad",
    "--example",
    "--no-standardize",
    "--solver",
    "ista",
    "--l2=0",
    "--l1=0",
    "--tol=0",
];

#[test]
fn sweep_without_data_shows_the_best_points_of_the_embedded_data() {
    let text = ok(&["sweep"]);
    assert!(
        text.contains("diabetes") && text.contains("hypergradient"),
        "{text}"
    );
    assert_eq!(text.matches("converged").count(), 10, "{text}");
    assert_eq!(
        ok(&["sweep", "--best", "3"]).matches("converged").count(),
        3
    );

    let report = json(&["sweep", "--best", "4"]);
    let points = report["points"].as_array().unwrap();
    assert_eq!(points.len(), 48);
    let criterion = |point: &Value| point["criterion"].as_f64().unwrap();
    let smallest = points.iter().map(criterion).fold(f64::INFINITY, f64::min);
    assert_eq!(criterion(&report["best"]), smallest);
}

/// Without a method the numbers of the solutions are those with one, and derivatives are absent.
#[test]
fn no_method_only_solves() {
    let point = ["hypergrad", "--example", "--l1", "1,5", "--l2", "0.1"];
    let none = ["--method", "none"];
    let [with, without] = [json(&point), json(&[&point[..], &none].concat())];
    assert_eq!(with["settings"]["method"], "aid-cg");
    assert_eq!(without["settings"]["method"], Value::Null);
    for (with, without) in [0, 1].map(|k| (&with["points"][k], &without["points"][k])) {
        assert_eq!(with["criterion"], without["criterion"]);
        assert_eq!(with["objective"], without["objective"]);
        assert!(with["hypergradient"].is_object());
        assert_eq!(without["hypergradient"], Value::Null);
        assert_eq!(without["linear_residual"], Value::Null);
        assert_eq!(without["status"], "converged");
    }

    let grid = [
        "sweep",
        "--example",
        "--cv",
        "3",
        "--l1",
        "1,5",
        "--l2",
        "0.1",
    ];
    let [with, without] = [json(&grid), json(&[&grid[..], &none].concat())];
    assert_eq!(with["best"]["criteria"], without["best"]["criteria"]);
    assert!(with["best"]["hypergradient"].is_object());
    assert_eq!(without["best"]["hypergradient"], Value::Null);

    // A store of solutions is another plan than one of hypergradients.
    let folder = Folder::new();
    let store = as_text(&folder.path("s.db"));
    let stored = [&grid[..], &["--store", &store]].concat();
    ok(&[&stored[..], &none].concat());
    let message = fails(&stored, 1);
    assert!(message.contains("method = aid-cg"), "{message}");
}

/// A hold-out split and folds print one form: what has no meaning on a split is null there.
#[test]
fn sweeps_have_one_json_form() {
    let folder = Folder::new();
    let grid = ["sweep", "--l1", "1,2,5", "--l2", "0.1,1"];
    let store = as_text(&folder.path("s.db"));
    let keys =
        |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    let split = json(&grid);
    let folds = json(&[&grid[..], &["--cv", "3", "--store", &store]].concat());
    let kept = json(&["runs", "show", &store]);
    for (report, cells) in [(&split, 6), (&folds, 18), (&kept, 18)] {
        assert_eq!(report["schema"], 2);
        assert_eq!(report["statuses"]["converged"], cells);
        assert_eq!(report["cells"], cells);
        let points = report["points"].as_array().unwrap();
        assert_eq!(points.len(), 6);
        let best = &report["best"];
        assert_eq!(best, &points[best["point"].as_u64().unwrap() as usize]);
        for (at, point) in points.iter().enumerate() {
            assert_eq!(point["point"], at);
            assert_eq!(keys(point), keys(best));
            assert!(criterion_of(point) >= criterion_of(best));
            for name in ["objective", "criterion", "support", "residual", "steps"] {
                assert!(point[name].is_number(), "{name}: {point}");
            }
            for name in ["l1", "l2"] {
                let of = |record: &str| point[record][name].as_f64().unwrap();
                let expected = point[name].as_f64().unwrap() * of("hypergradient");
                let error = of("log_hypergradient") - expected;
                assert!(error.abs() <= 1e-14 * expected.abs(), "{point}");
            }
            assert!(point["metrics"]["mse"].is_f64(), "{point}");
        }
    }
    assert_eq!(keys(&split["best"]), keys(&folds["best"]));
    let missing = ["best", "one_standard_error", "points"];
    assert!(missing.iter().all(|name| split.get(name).is_some()));
    assert_eq!(split["one_standard_error"], Value::Null);
    assert_eq!(split["best"]["standard_error"], Value::Null);
    assert_eq!(split["best"]["folds"], 1);
    assert!(folds["best"]["standard_error"].is_f64());
    assert_eq!(keys(&folds["one_standard_error"]), keys(&folds["best"]));
    // The mean is over the folds.
    let criteria = numbers(&folds["best"]["criteria"]);
    let mean = criteria.iter().sum::<f64>() / 3.0;
    assert!((criterion_of(&folds["best"]) / mean - 1.0).abs() < 1e-14);
    for name in ["best", "one_standard_error", "points", "statuses"] {
        assert_eq!(kept[name], folds[name], "{name}");
    }
    // A split has the points of hypergrad.
    let at = ["hypergrad", "--example", "--l1", "1,2,5", "--l2", "0.1,1"];
    for (point, other) in split["points"]
        .as_array()
        .unwrap()
        .iter()
        .zip(json(&at)["points"].as_array().unwrap())
    {
        assert_eq!((&point["l1"], &point["l2"]), (&other["l1"], &other["l2"]));
        for name in ["objective", "criterion"] {
            assert_close(&numbers(&point[name]), &numbers(&other[name]), 1e-12);
        }
        assert_eq!(point["support"], other["support"]);
    }
}

fn criterion_of(point: &Value) -> f64 {
    point["criterion"].as_f64().unwrap()
}

/// What only a split can show: coefficients, and derivatives in rows.
#[test]
fn a_split_shows_coefficients_and_derivatives_in_rows() {
    let point = ["--l1", "1", "--l2", "0.1", "--wrt", "l1,sample-weights"];
    let with =
        |command: &[&'static str]| json(&[command, &point[..], &["--coefficients"]].concat());
    let sweep = with(&["sweep"]);
    let own = &with(&["hypergrad", "--example"])["points"][0];
    let found = &sweep["points"][0];
    for name in ["coefficients", "intercept"] {
        assert_close(&numbers(&found[name]), &numbers(&own[name]), 1e-12);
    }
    let of = |point: &Value| numbers(&point["hypergradient"]["sample_weights"]);
    assert_eq!(of(found).len(), 331);
    assert_close(&of(found), &of(own), 1e-9);
    assert_eq!(
        sweep["problem"]["feature_names"].as_array().unwrap().len(),
        10
    );
    let table = ok(&["sweep", "--l1", "1", "--l2", "0.1", "--coefficients"]);
    assert!(table.contains("Coefficients at l1 1, l2 0.1"), "{table}");
}

#[test]
fn the_default_grid_begins_where_all_coefficients_are_zero() {
    let report = json(&["sweep", "--l2", "0.1"]);
    let points = report["points"].as_array().unwrap();
    assert_eq!(points.len(), 12);
    assert_eq!(points[0]["support"], 0);
    assert_ne!(points[1]["support"], 0);
    let l1 = |at: usize| points[at]["l1"].as_f64().unwrap();
    assert!((l1(11) / l1(0) - 1e-3).abs() < 1e-12);
}

#[test]
fn tables_name_features_and_classes() {
    let text = ok(&["hypergrad", "--example", "--l1", "5", "--coefficients"]);
    for name in ["bmi", "intercept", "zero and not shown", "l1 5"] {
        assert!(text.contains(name), "{name}: {text}");
    }
    let text = ok(&["hypergrad", "--example", "--diagnostics"]);
    for name in [
        "duality gap",
        "kink margin",
        "contraction",
        "certified",
        "error estimate",
        "engine",
    ] {
        assert!(text.contains(name), "{name}: {text}");
    }
    let report = json(&["hypergrad", "--example", "--diagnostics"]);
    assert!(report["points"][0].get("contraction").is_some());
    assert!(report["points"][0].get("adjoint_error_estimate").is_some());
    let engine = &report["points"][0]["engine"];
    assert_eq!(engine["solve"], "path");
    assert_eq!(engine["adjoint"], "path");
}

#[test]
fn the_log_says_why_engines_were_not_chosen() {
    let output = program()
        .env("RUST_LOG", "debug")
        .args(["hypergrad", "--example", "--l1", "5", "--method", "aid-fp"])
        .output()
        .unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    for line in [
        "not by the engine fused-path: the settings name another method",
        "solving: by the engine path",
        "differentiating: not by the engine sampled: the settings name another method",
        "differentiating: by the engine recorded",
    ] {
        assert!(log.contains(line), "{line}: {log}");
    }
}

#[test]
fn csv_has_one_row_per_point_and_one_column_per_entry() {
    let folder = Folder::new();
    let strengths = folder.npy("s.npy", &[10], &[1.0; 10]);
    let weighted = words(
        "hypergrad --example --penalty weighted --l1-file {} --l1 1,2",
        &[&strengths],
    );
    let text = ok(&[&weighted[..], &["--format", "csv", "--coefficients"]].concat());
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 2);
    let column = |name: &str| {
        header
            .iter()
            .position(|h| h == name)
            .unwrap_or_else(|| panic!("{name}"))
    };
    for name in [
        "hypergradient_l1[bmi]",
        "hypergradient_l2",
        "coefficient[bmi]",
        "coefficient[intercept]",
    ] {
        rows[0][column(name)].parse::<f64>().unwrap();
    }
    assert_eq!(
        (&rows[1][column("l1")], &rows[1][column("status")]),
        ("2", "converged")
    );

    let report = json(&weighted);
    let gradient = numbers(&report["points"][1]["hypergradient"]["l1"]);
    assert_eq!(
        rows[1][column("hypergradient_l1[bmi]")].parse(),
        Ok(gradient[2])
    );
}

#[test]
fn out_writes_a_file_whose_extension_names_the_form() {
    let folder = Folder::new();
    let path = as_text(&folder.path("report.json"));
    assert_eq!(ok(&["hypergrad", "--example", "--out", &path]), "");
    let report: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(report["schema"], 1);
    let line = fails(
        &[
            "devices",
            "--out",
            &as_text(&folder.path("no/such/folder.csv")),
        ],
        1,
    );
    assert!(line.contains("--out"), "{line}");
}

#[test]
fn strict_turns_a_spent_budget_into_a_failure_after_printing() {
    let few = [&SLOW[..], &["--max-steps", "3", "--format", "json"]].concat();
    let report: Value = serde_json::from_str(&ok(&few)).unwrap();
    assert_eq!(report["points"][0]["status"], "budget-spent");

    let output = run(&[&few[..], &["--strict"]].concat());
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["points"][0]["status"], "budget-spent");
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(
        errors.contains("1 of 1 points did not converge"),
        "{errors}"
    );
    ok(&["hypergrad", "--example", "--strict"]);
}

#[test]
fn a_time_budget_ends_the_computation_with_what_is_known() {
    let more = [
        "--max-steps",
        "1000000000",
        "--time-budget",
        "0.3",
        "--format",
        "json",
    ];
    let sweep = [&["sweep"], &SLOW[2..]].concat();
    for words in [&SLOW[..], &sweep] {
        let report: Value = serde_json::from_str(&ok(&[words, &more].concat())).unwrap();
        let point = &report["points"][0];
        assert_eq!(point["status"], "budget-spent");
        assert!(point["criterion"].is_f64() && point["steps"].as_u64().unwrap() > 0);
    }
}

#[cfg(unix)]
#[test]
fn an_interruption_prints_what_is_known() {
    let sweep = [&["sweep"], &SLOW[2..]].concat();
    for words in [&SLOW[..], &sweep] {
        let mut child = program()
            .args(words)
            .args(["--max-steps", "1000000000", "--format", "json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_secs(2));
        assert!(
            child.try_wait().unwrap().is_none(),
            "it ended before the interruption"
        );
        let (errors, report) = interrupted(child);
        // Acknowledged at once, and what came of it at the end.
        let lines: Vec<&str> = errors.lines().collect();
        assert!(
            matches!(lines[..], [first, last] if first.starts_with("interrupted: ")
                && first.contains("again") && last.starts_with("error: interrupted")),
            "{errors}"
        );
        let point = &report["points"][0];
        assert_eq!(point["status"], "budget-spent");
        assert!(point["criterion"].is_f64(), "{point}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = program()
        // More than a pipe holds, so that the write cannot succeed.
        .args([
            "sweep",
            "--l1",
            "log:0.1:40:200",
            "--l2",
            "0.1,1",
            "--format",
            "json",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut errors = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut errors)
        .unwrap();
    assert_eq!(errors, "");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

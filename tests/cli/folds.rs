//! Folds of rows in their order: blocks, and folds in time, in every command that takes `--cv`.

use serde_json::Value;

use crate::support::{Folder, as_text, assert_close, columns, fails, json, run, table};

const DIABETES: &str = "src/data/embedded/diabetes.csv";

/// The criterion of every fold at a single point.
fn criteria(flags: &[&str]) -> Vec<f64> {
    let base = [
        "sweep", DIABETES, "--l1", "1", "--l2", "0.1", "--method", "none",
    ];
    let report = json(&[&base[..], flags].concat());
    let criteria = report["best"]["criteria"].as_array().unwrap();
    criteria.iter().map(|c| c.as_f64().unwrap()).collect()
}

/// `TimeSeriesSplit` and `KFold` of scikit-learn 1.9.1 with coordinate descent in NumPy to 1e-14.
#[test]
fn criteria_are_those_on_the_folds_of_scikit_learn() {
    let cases: [(&[&str], &[f64]); 3] = [
        (
            &["--cv", "rolling:4:150", "--gap", "10"],
            &[1757.14002687, 1567.74945592, 1545.26991131, 1548.30313775],
        ),
        (
            &["--cv", "expanding:5"],
            &[
                1794.88594815,
                1734.86691,
                1577.64819392,
                1517.90181398,
                1260.52611105,
            ],
        ),
        (
            &["--cv", "contiguous:4"],
            &[1514.97013569, 1572.50387513, 1480.1948296, 1410.49662143],
        ),
    ];
    for (flags, expected) in cases {
        assert_close(&criteria(flags), expected, 1e-10);
    }
}

#[test]
fn a_store_keeps_the_folds_and_a_fit_takes_its_choice() {
    let folder = Folder::new();
    let train = folder.text("t.csv", &columns(&table(90, 4), &["a", "b", "c", "y"]));
    let (store, model) = (as_text(&folder.path("s.db")), as_text(&folder.path("m")));
    let sweep = |gap: &str| {
        let flags = ["--cv", "expanding:4", "--gap", gap, "--method", "none"];
        [&["sweep", &train, "--store", &store], &flags[..]]
            .concat()
            .iter()
            .map(|word| (*word).to_string())
            .collect::<Vec<_>>()
    };
    let words = sweep("2");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let first = json(&words);
    assert_eq!(json(&words)["best"], first["best"], "nothing is left to do");
    let other = sweep("3");
    let other: Vec<&str> = other.iter().map(String::as_str).collect();
    assert!(fails(&other, 1).contains("plan"), "other folds");
    let fit = json(&["fit", "--from", &store, "--out", &model]);
    let direct = json(&[
        "fit",
        &train,
        "--cv",
        "expanding:4",
        "--gap",
        "2",
        "--out",
        &model,
    ]);
    assert_eq!(fit["choice"], direct["choice"]);
    assert_eq!(fit["points"], direct["points"]);
    assert_eq!(fit["choice"][0]["mean"], first["best"]["criterion"]);
    assert_eq!(fit["problem"]["rows"], 90, "the fit is to all rows");
}

#[test]
fn a_configuration_file_names_schemes() {
    let folder = Folder::new();
    let train = folder.text("t.csv", &columns(&table(60, 4), &["a", "b", "c", "y"]));
    let file = folder.text(
        "c.toml",
        &format!("data = \"{train}\"\ncv = \"rolling:3:20\"\ngap = 2\nmethod = \"none\"\n"),
    );
    let written = as_text(&folder.path("w.toml"));
    let own = json(&["sweep", "--config", &file, "--write-config", &written]);
    let flags = ["--cv", "rolling:3:20", "--gap", "2", "--method", "none"];
    let direct = json(&[&["sweep", &train], &flags[..]].concat());
    assert_eq!(own["points"], direct["points"]);
    assert_eq!(
        json(&["sweep", "--config", &written])["points"],
        own["points"]
    );
    // Another scheme on the command line takes the gap with it.
    let dealt = json(&["sweep", "--config", &file, "--cv", "4"]);
    let alone = json(&["sweep", &train, "--cv", "4", "--method", "none"]);
    assert_eq!(dealt["points"], alone["points"]);
}

#[test]
fn tune_takes_folds_in_time_and_its_guard_tunes_on_earlier_folds() {
    let folder = Folder::new();
    let train = folder.text(
        "t.csv",
        &columns(&table(120, 4), &["a", "b", "c", "y", "z"]),
    );
    let flags = ["--target", "y", "--cv", "expanding:4", "--gap", "1"];
    let tuned = json(&[&["tune", &train, "--max-evaluations", "60"], &flags[..]].concat());
    let point = &tuned["hyperparameters"];
    let (l1, l2) = (point["l1"].to_string(), point["l2"].to_string());
    let at = [
        "sweep", &train, "--l1", &l1, "--l2", &l2, "--method", "none",
    ];
    let swept = json(&[&at[..], &flags[..]].concat());
    assert_close(
        &[number(&tuned["criterion"])],
        &[number(&swept["best"]["criterion"])],
        1e-9,
    );
    let guarded = [
        "--tune",
        "l1[]",
        "--l2",
        "0.01",
        "--guard",
        "1",
        "--max-evaluations",
        "40",
    ];
    let two = ["tune", &train, "--target", "y", "--cv", "expanding:2"];
    let message = fails(&[&two[..], &guarded].concat(), 1);
    assert!(message.contains("1 of 2 folds in time"), "{message}");
    let output = run(&[&["tune", &train], &flags[..], &guarded].concat());
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{errors}");
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn test_rows_of_folds_in_time_are_the_last() {
    let folder = Folder::new();
    let text = columns(&table(60, 4), &["a", "b", "c", "y"]);
    let lines: Vec<&str> = text.lines().collect();
    let whole = folder.text("t.csv", &text);
    let last = [&lines[..1], &lines[49..]].concat().join("\n") + "\n";
    let last = folder.text("l.csv", &last);
    let model = as_text(&folder.path("m"));
    let flags = ["--cv", "expanding:3", "--out", &model];
    // A gap lies before the test rows too.
    for (gap, rows) in [("0", 48), ("5", 43)] {
        let flags = [&flags[..], &["--gap", gap]].concat();
        let first = folder.text("f.csv", &(lines[..=rows].join("\n") + "\n"));
        let drawn = json(&[&["fit", &whole, "--test-fraction", "0.2"], &flags[..]].concat());
        let given = json(&[&["fit", &first, "--x-test", &last], &flags[..]].concat());
        for key in ["choice", "points", "test"] {
            assert_eq!(drawn[key], given[key], "{key}, gap {gap}");
        }
    }
}

#[test]
fn what_does_not_fit_a_scheme_is_refused() {
    let cases: [(&[&str], i32, &str); 12] = [
        (&["--cv", "expanding"], 2, "rolling:K:WIDTH"),
        (&["--cv", "rolling:3"], 2, "rolling:K:WIDTH"),
        (&["--cv", "expanding:1"], 2, "2 or more"),
        (&["--cv", "5", "--gap", "2"], 2, "--cv expanding:5"),
        (
            &["--cv", "contiguous:5", "--gap", "2"],
            2,
            "leave --gap out",
        ),
        (&["--gap", "2"], 2, "add --cv expanding:K"),
        (&["--cv", "expanding:5", "--gap", "-1"], 2, "0 or more"),
        (
            &["--cv", "expanding:5", "--repeats", "2"],
            2,
            "write --cv 5",
        ),
        (
            &["--cv", "contiguous:5", "--stratified"],
            2,
            "in their order",
        ),
        (&["--cv", "expanding:441"], 1, "fewer folds"),
        (&["--cv", "expanding:5", "--gap", "80"], 1, "smaller gap"),
        (&["--cv", "contiguous:500"], 1, "500 folds of 442 rows"),
    ];
    for (flags, status, message) in cases {
        for command in ["sweep", "fit", "tune"] {
            let words = [&[command, DIABETES], flags].concat();
            let line = fails(&words, status);
            assert!(line.contains(message), "{words:?}: {line}");
        }
    }
}

//! Missing cells: filled with values of the training rows alone, left out, or an error.

use serde_json::Value;

use crate::support::{Folder, as_text, assert_close, fails, json, noise, numbers, ok, run};

const ROWS: usize = 80;
const WAYS: [&str; 3] = ["mean", "median", "indicator"];

/// Two features with holes, one without, and a target; NaN is a hole.
struct Table {
    rows: Vec<[f64; 4]>,
}

impl Table {
    fn of(rows: usize, seed: u64) -> Self {
        let x = noise(4 * rows, seed);
        let row = |i: usize| {
            let own = &x[4 * i..4 * i + 4];
            // Far from zero, so that a wrong value is seen.
            let (a, b, c) = (own[0] + 3.0, 2.0 * own[1] - 7.0, own[2]);
            let y = 2.0 * a - b + 0.5 * c + 0.3 * own[3];
            let hole = |at: usize, value: f64| if i % at == 1 { f64::NAN } else { value };
            [hole(7, a), hole(5, b), c, y]
        };
        Self {
            rows: (0..rows).map(row).collect(),
        }
    }

    fn select(&self, keep: impl Fn(usize) -> bool) -> Self {
        let rows = (0..self.rows.len()).filter(|&i| keep(i));
        Self {
            rows: rows.map(|i| self.rows[i]).collect(),
        }
    }

    fn text(&self) -> String {
        let cell = |v: &f64| {
            if v.is_nan() {
                String::new()
            } else {
                v.to_string()
            }
        };
        let line = |row: &[f64; 4]| row.iter().map(cell).collect::<Vec<_>>().join(",") + "\n";
        format!(
            "a,b,c,y\n{}",
            self.rows.iter().map(line).collect::<String>()
        )
    }

    /// The value of a column by a way of filling.
    fn value(&self, column: usize, way: &str) -> f64 {
        let mut cells: Vec<f64> = self.rows.iter().map(|row| row[column]).collect();
        cells.retain(|v| !v.is_nan());
        if way == "median" {
            cells.sort_by(f64::total_cmp);
            let n = cells.len();
            return 0.5 * (cells[(n - 1) / 2] + cells[n / 2]);
        }
        cells.iter().sum::<f64>() / cells.len() as f64
    }

    /// The rows filled as these training rows say, as text.
    fn filled(&self, training: &Self, way: &str) -> String {
        let values = [0, 1, 2].map(|j| training.value(j, way));
        let mut text = String::from("a,b,c,");
        text.push_str(if way == "indicator" {
            "am,bm,y\n"
        } else {
            "y\n"
        });
        for row in &self.rows {
            let x = |j: usize| if row[j].is_nan() { values[j] } else { row[j] };
            text.push_str(&format!("{},{},{},", x(0), x(1), x(2)));
            if way == "indicator" {
                let is = |j: usize| u8::from(row[j].is_nan());
                text.push_str(&format!("{},{},", is(0), is(1)));
            }
            text.push_str(&format!("{}\n", row[3]));
        }
        text
    }
}

/// The JSON and the only line on standard error of a command that leaves rows out.
fn warned(arguments: &[&str]) -> (Value, String) {
    let output = run(&[arguments, &["--format", "json"]].concat());
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
    assert!(errors.starts_with("[WARN ] "), "{errors}");
    (serde_json::from_slice(&output.stdout).unwrap(), errors)
}

fn coefficients(report: &Value) -> Vec<f64> {
    let mut all = numbers(&report["points"][0]["coefficients"]);
    all.extend(numbers(&report["points"][0]["intercept"]));
    all
}

#[test]
fn a_fit_fills_with_the_values_of_its_rows_and_the_model_with_the_same() {
    let folder = Folder::new();
    let (train, new) = (Table::of(ROWS, 1), Table::of(20, 2));
    let holes = folder.text("holes.csv", &train.text());
    let new_holes = folder.text("new.csv", &new.text());
    let [model, by_hand] = ["model", "by_hand"].map(|name| as_text(&folder.path(name)));
    for way in WAYS {
        let flags = ["--l1", "0.01", "--coefficients"];
        let fit = ["fit", &holes, "--missing", way, "--out", &model];
        let fit = json(&[&fit[..], &flags].concat());
        let filled = folder.text("filled.csv", &train.filled(&train, way));
        let expected = json(&[&["fit", &filled, "--out", &by_hand], &flags[..]].concat());
        assert_close(&coefficients(&fit), &coefficients(&expected), 1e-10);
        if way == "indicator" {
            let names = serde_json::json!(["a", "b", "c", "a=missing", "b=missing"]);
            assert_eq!(fit["problem"]["feature_names"], names);
        }
        // New rows are filled with the values of training.
        let predicted = json(&["predict", &new_holes, "--model", &model, "--target", "y"]);
        let filled = folder.text("filled.csv", &new.filled(&train, way));
        let of_hand = json(&["predict", &filled, "--model", &by_hand, "--target", "y"]);
        let values = |report: &Value| numbers(&report["targets"][0]["predictions"]);
        assert_close(&values(&predicted), &values(&of_hand), 1e-9);
        // So are test rows.
        let test = ["fit", &holes, "--missing", way, "--out", &model];
        let test = [&test[..], &flags, &["--x-test", &new_holes]].concat();
        let mut scores = json(&test)["test"][0].clone();
        scores.as_object_mut().unwrap().remove("target");
        assert_eq!(scores, predicted["targets"][0]["scores"]);
    }
    // Without holes the flag changes nothing.
    let whole = train.select(|i| i % 7 != 1 && i % 5 != 1);
    let whole = folder.text("whole.csv", &whole.text());
    for way in ["error", "mean", "median", "indicator", "drop"] {
        let flags = ["fit", &whole, "--l1", "0.01", "--out", &model];
        let own = json(&[&flags[..], &["--missing", way]].concat());
        assert_eq!(own, json(&flags), "{way}");
    }
}

#[test]
fn held_out_rows_are_filled_with_the_values_of_those_that_train() {
    let folder = Folder::new();
    let table = Table::of(ROWS, 3);
    let holes = folder.text("holes.csv", &table.text());
    for way in WAYS {
        let flags = ["--l1", "0.02", "--l2", "0.1"];
        let found = ["hypergrad", &holes, "--missing", way];
        let found = json(&[&found[..], &flags].concat());
        let rows: Vec<usize> = numbers(&found["problem"]["training_rows"])
            .into_iter()
            .map(|row| row as usize)
            .collect();
        let training = table.select(|i| rows.contains(&i));
        let held_out = table.select(|i| !rows.contains(&i));
        let train = folder.text("train.csv", &training.filled(&training, way));
        let validation = folder.text("validation.csv", &held_out.filled(&training, way));
        let expected = ["hypergrad", &train, "--x-val", &validation];
        let expected = json(&[&expected[..], &flags].concat());
        for key in ["criterion", "objective"] {
            let of = |report: &Value| numbers(&report["points"][0][key]);
            assert_close(&of(&found), &of(&expected), 1e-10);
        }
        // Files of their own.
        let train = folder.text("train.csv", &training.text());
        let validation = folder.text("validation.csv", &held_out.text());
        let own = [
            "hypergrad",
            &train,
            "--x-val",
            &validation,
            "--missing",
            way,
        ];
        let own = json(&[&own[..], &flags].concat());
        let of = |report: &Value| numbers(&report["points"][0]["criterion"]);
        assert_close(&of(&own), &of(&expected), 1e-10);
    }
}

#[test]
fn a_fold_is_filled_with_the_values_of_its_training_rows() {
    let folder = Folder::new();
    let table = Table::of(ROWS, 4);
    let fold_of = |row: usize| (row * 7 + row / 9) % 4;
    let folds: String = (0..ROWS).map(|row| format!("{}\n", fold_of(row))).collect();
    let folds = folder.text("folds.txt", &folds);
    let classes = |text: String| -> String {
        let label = |line: &str| {
            let (x, y) = line.rsplit_once(',').unwrap();
            match y.parse::<f64>() {
                Ok(y) => format!("{x},{}\n", if y > 13.0 { "high" } else { "low" }),
                Err(_) => format!("{line}\n"),
            }
        };
        text.lines().map(label).collect()
    };
    for (loss, metric) in [("squared", "mae"), ("huber", "mae"), ("logistic", "auc")] {
        let written = |text: String| {
            if loss == "logistic" {
                classes(text)
            } else {
                text
            }
        };
        let holes = folder.text("holes.csv", &written(table.text()));
        for way in WAYS {
            let flags = [
                "--loss", loss, "--method", "none", "--l1", "0.01", "--l2", "0.1,1",
            ];
            let found = ["sweep", &holes, "--missing", way, "--folds", &folds];
            let found = json(&[&found[..], &flags].concat());
            let mut metrics = [0.0; 2];
            for fold in 0..4 {
                let training = table.select(|i| fold_of(i) != fold);
                let held_out = table.select(|i| fold_of(i) == fold);
                let train = written(training.filled(&training, way));
                let train = folder.text("train.csv", &train);
                let validation = written(held_out.filled(&training, way));
                let validation = folder.text("validation.csv", &validation);
                let expected = ["sweep", &train, "--x-val", &validation];
                let expected = json(&[&expected[..], &flags].concat());
                for (at, metric_sum) in metrics.iter_mut().enumerate() {
                    let own = found["points"][at]["criteria"][fold].as_f64().unwrap();
                    let of = &expected["points"][at];
                    assert_close(&[own], &numbers(&of["criterion"]), 1e-9);
                    *metric_sum += of["metrics"][metric].as_f64().unwrap();
                }
            }
            for (at, sum) in metrics.iter().enumerate() {
                let own = numbers(&found["points"][at]["metrics"][metric]);
                assert_close(&own, &[sum / 4.0], 1e-9);
            }
        }
    }
}

#[test]
fn a_choice_over_folds_is_fitted_with_the_values_of_all_rows() {
    let folder = Folder::new();
    let table = Table::of(ROWS, 5);
    let holes = folder.text("holes.csv", &table.text());
    let [model, store] = ["model", "sweep.db"].map(|name| as_text(&folder.path(name)));
    let way = ["--missing", "median", "--cv", "4"];
    let flags = ["fit", &holes, "--out", &model, "--coefficients"];
    let fit = json(&[&flags[..], &way].concat());
    let sweep = ["sweep", &holes, "--method", "none", "--store", &store];
    let sweep = json(&[&sweep[..], &way].concat());
    assert_eq!(fit["choice"][0]["mean"], sweep["best"]["criterion"]);
    let [l1, l2] = ["l1", "l2"].map(|key| fit["points"][0][key].to_string());
    let alone = ["--missing", "median", "--l1", &l1, "--l2", &l2];
    let alone = json(&[&flags[..], &alone].concat());
    assert_eq!(fit["points"], alone["points"]);
    let stored = ["fit", "--from", &store, "--out", &model, "--coefficients"];
    assert_eq!(json(&stored), fit);
    // Another filling is another sweep.
    let other = ["sweep", &holes, "--method", "none", "--store", &store];
    let other = run(&[&other[..], &["--missing", "mean", "--cv", "4"]].concat());
    assert_eq!(other.status.code(), Some(1));
    // The tuner sees the same folds, and its model fills too.
    let test = folder.text("test.csv", &Table::of(30, 6).text());
    let tune = ["tune", &holes, "--model", &model, "--x-test", &test];
    let tune = json(&[&tune[..], &way, &["--max-evaluations", "15"]].concat());
    let predict = json(&["predict", &test, "--model", &model, "--target", "y"]);
    let own = |of: &Value| numbers(&of["mse"]);
    let scores = &predict["targets"][0]["scores"];
    assert_close(&own(&tune["test"]), &own(scores), 1e-10);
}

#[test]
fn rows_with_holes_are_left_out_with_what_belongs_to_them() {
    let folder = Folder::new();
    let table = Table::of(ROWS, 7);
    let keep = |i: usize| i % 7 != 1 && i % 5 != 1;
    let holes = folder.text("holes.csv", &table.text());
    let whole = folder.text("whole.csv", &table.select(keep).text());
    let model = as_text(&folder.path("model"));
    let file = |name: &str, of: &dyn Fn(usize) -> String| {
        let all: String = (0..ROWS).map(|i| of(i) + "\n").collect();
        let some: String = (0..ROWS)
            .filter(|&i| keep(i))
            .map(|i| of(i) + "\n")
            .collect();
        [
            folder.text(&format!("{name}.txt"), &all),
            folder.text(&format!("{name}-kept.txt"), &some),
        ]
    };
    let folds = file("folds", &|i| (i % 3).to_string());
    let weights = file("weights", &|i| (1 + i % 4).to_string());
    let groups = file("groups", &|i| format!("g{}", i / 6));
    let drop = ["--missing", "drop"];
    for (flag, files, more) in [
        ("--folds", &folds, &[][..]),
        ("--sample-weights", &weights, &["--cv", "3"]),
        ("--group-column", &groups, &["--cv", "3"]),
    ] {
        let found = ["fit", &holes, "--out", &model, flag, &files[0]];
        let (found, _) = warned(&[&found[..], &drop, more].concat());
        let expected = ["fit", &whole, "--out", &model, flag, &files[1]];
        let mut expected = json(&[&expected[..], more].concat());
        expected["problem"]["source"] = found["problem"]["source"].clone();
        assert_eq!(found, expected, "{flag}");
    }
    let (_, errors) = warned(&["fit", &holes, "--missing", "drop", "--out", &model]);
    let count = (0..ROWS).filter(|&i| !keep(i)).count();
    let line = format!("{count} of {ROWS} rows have missing values and are left out");
    assert!(errors.contains(&line), "{errors}");
    // Rows are called by their numbers in the file.
    let (split, _) = warned(&["hypergrad", &holes, "--missing", "drop"]);
    let rows = numbers(&split["problem"]["training_rows"]);
    assert!(rows.iter().all(|&row| keep(row as usize)));
    assert!(rows.iter().any(|&row| row as usize > ROWS - 10));
    // The file of folds is that of all rows.
    let short = run(&["fit", &holes, "--missing", "drop", "--folds", &folds[1]]);
    let errors = String::from_utf8(short.stderr).unwrap();
    assert_eq!(short.status.code(), Some(1), "{errors}");
    assert!(errors.contains("leaves out too"), "{errors}");
}

#[test]
fn a_factor_is_missing_as_a_whole() {
    let folder = Folder::new();
    let x = noise(60, 8);
    let city = |i: usize| ["", "Wien", "Graz", "Wien"][i % 4];
    let rows = |of: &dyn Fn(usize) -> String| -> String {
        (0..60)
            .map(|i| format!("{},{},{}\n", of(i), x[i], x[i] + (i % 4) as f64))
            .collect()
    };
    let holes = format!("city,p,y\n{}", rows(&|i| city(i).into()));
    let holes = folder.text("holes.csv", &holes);
    let model = as_text(&folder.path("model"));
    let share = |i: usize, level: &str, value: f64| match city(i) {
        "" => value,
        own => f64::from(u8::from(own == level)),
    };
    let wide = rows(&|i| {
        format!(
            "{},{}",
            share(i, "Graz", 1.0 / 3.0),
            share(i, "Wien", 2.0 / 3.0)
        )
    });
    let by_hand = folder.text("wide.csv", &format!("g,w,p,y\n{wide}"));
    let flags = ["--l1", "0.01", "--coefficients", "--out", &model];
    let named = ["--categorical", "city"];
    let expected = json(&[&["fit", by_hand.as_str()], &flags[..]].concat());
    let found = json(&[&["fit", &holes, "--missing", "mean"], &named[..], &flags].concat());
    assert_close(&coefficients(&found), &coefficients(&expected), 1e-9);
    let found = json(
        &[
            &["fit", &holes, "--missing", "indicator"],
            &named[..],
            &flags,
        ]
        .concat(),
    );
    assert_eq!(
        found["problem"]["feature_names"],
        serde_json::json!(["city=Graz", "city=Wien", "p", "city=missing"])
    );
    ok(&["predict", &holes, "--model", &model]);
    let (found, _) = warned(&[&["fit", &holes, "--missing", "drop"], &named[..], &flags].concat());
    assert_eq!(found["problem"]["rows"], 45);
}

#[test]
fn arrays_are_filled_as_text_is() {
    let folder = Folder::new();
    let table = Table::of(ROWS, 9);
    let holes = folder.text("holes.csv", &table.text());
    let model = as_text(&folder.path("model"));
    let flat = |columns: std::ops::Range<usize>| -> Vec<f64> {
        let rows = table.rows.iter();
        rows.flat_map(|row| row[columns.clone()].to_vec()).collect()
    };
    let x = folder.npy("x.npy", &[ROWS as u64, 3], &flat(0..3));
    let y = folder.npy("y.npy", &[ROWS as u64], &flat(3..4));
    let xy = folder.npy("xy.npy", &[ROWS as u64, 4], &flat(0..4));
    let flags = ["--l1", "0.01", "--coefficients", "--out", &model];
    for way in WAYS {
        let own = ["--missing", way];
        let of = |data: &[&str]| coefficients(&json(&[&["fit"], data, &own, &flags[..]].concat()));
        let expected = of(&[&holes]);
        assert_eq!(of(&["--x", &x, "--y", &y]), expected);
        assert_eq!(of(&[&xy]), expected);
        let of_arrays = ok(&["predict", "--x", &x, "--model", &model]);
        assert!(of_arrays.contains("60 more rows"), "{of_arrays}");
    }
    let mut bad = flat(3..4);
    bad[5] = f64::NAN;
    let y = folder.npy("bad.npy", &[ROWS as u64], &bad);
    let line = fails(&["fit", "--x", &x, "--y", &y, "--missing", "mean"], 1);
    assert!(line.contains("row 6 is NaN"), "{line}");
    let mut bad = flat(0..3);
    bad[7] = f64::INFINITY;
    let x = folder.npy("infinite.npy", &[ROWS as u64, 3], &bad);
    let line = fails(&["fit", "--x", &x, "--y", &y, "--missing", "mean"], 1);
    assert!(line.contains("row 3 is inf"), "{line}");
}

#[test]
fn what_cannot_be_filled_is_one_line() {
    let folder = Folder::new();
    let table = Table::of(ROWS, 10);
    let text = table.text();
    let holes = folder.text("holes.csv", &text);
    let model = as_text(&folder.path("model"));
    let line = |row: &str| row.rsplit_once(',').unwrap().1.to_string();
    let empty: String = text
        .lines()
        .skip(1)
        .map(|row| format!(",1,{}\n", line(row)))
        .collect();
    let empty = folder.text("empty.csv", &format!("a,b,y\n{empty}"));
    // One value in all, which one fold holds out.
    let rare = (0..ROWS).map(|i| format!("{},{i},{i}\n", if i == 0 { "1" } else { "" }));
    let rare = rare.collect::<String>();
    let rare = folder.text("rare.csv", &format!("a,b,y\n{rare}"));
    let target = folder.text("target.csv", "a,y\n1,2\n3,\n4,5\n");
    let folds: String = (0..ROWS).map(|i| format!("{}\n", i % 4)).collect();
    let folds = folder.text("folds.txt", &folds);
    for (arguments, status, parts) in [
        (
            &["fit", &holes][..],
            1,
            &["value is missing", "--missing"][..],
        ),
        (
            &["fit", &holes, "--missing", "error"],
            1,
            &["value is missing"],
        ),
        (
            &["fit", &empty, "--missing", "mean"],
            1,
            &["\"a\" is missing in every row", "--drop"],
        ),
        (
            &["fit", &empty, "--missing", "drop"],
            2,
            &["every row has missing values", "--missing mean"],
        ),
        (
            &["sweep", &rare, "--missing", "median", "--folds", &folds],
            1,
            &["column 1 of the features has no value", "fold 0", "--drop"],
        ),
        (
            &["fit", &target, "--missing", "mean"],
            1,
            &["value is missing"],
        ),
        (&["fit", &holes, "--missing", "zero"], 2, &["--missing"]),
        (
            &["poison", &holes, "--missing", "drop"],
            2,
            &["numbers in the file"],
        ),
        (
            &["clean", &holes, "--missing", "drop"],
            2,
            &["leave the rows out"],
        ),
        (
            &["meta", &holes, "--missing", "drop"],
            2,
            &["leave the rows out"],
        ),
        (
            &["influence", &holes, "--missing", "drop"],
            2,
            &["--missing"],
        ),
        (
            &[
                "hypergrad",
                &holes,
                "--missing",
                "drop",
                "--perturbation",
                &folds,
                "--perturbed-rows",
                &folds,
            ],
            2,
            &["--missing drop leaves rows out", "--missing mean"],
        ),
    ] {
        let place = if arguments[0] == "fit" {
            &["--out", model.as_str()][..]
        } else {
            &[]
        };
        let line = fails(&[arguments, place].concat(), status);
        for part in parts {
            assert!(line.contains(part), "{arguments:?}: {line}");
        }
    }
    // A model of whole rows knows no value for a hole.
    warned(&["fit", &holes, "--missing", "drop", "--out", &model]);
    let line = fails(&["predict", &holes, "--model", &model], 1);
    assert!(line.contains("value is missing"), "{line}");
    // The influence of rows that are filled is that of any rows.
    ok(&["influence", &holes, "--missing", "mean"]);
}

/// A column that is 2 wherever it is there: the values of any rows fill it with 2.
#[test]
fn weights_and_priors_are_learned_from_filled_rows() {
    let folder = Folder::new();
    let x = noise(4 * 120, 9);
    let text = |hole: &str| {
        let mut text = String::from("task,a,b,c,y\n");
        for (i, own) in x.chunks(4).enumerate() {
            // In some rows of one task it is another number, so that it varies.
            let a = match i % 5 {
                0 => hole.to_string(),
                1 if i % 2 == 0 => "2.5".into(),
                2 if i % 2 == 0 => "1.5".into(),
                _ => "2".into(),
            };
            let y = own[0] - own[1] + 0.1 * own[3];
            text.push_str(&format!("t{},{a},{},{},{y}\n", i % 6, own[0], own[1]));
        }
        text
    };
    let (holes, filled) = (
        folder.text("h.csv", &text("")),
        folder.text("f.csv", &text("2")),
    );
    let [model, new] = ["m", "n"].map(|name| as_text(&folder.path(name)));
    for flags in [
        &["clean", "--drop", "task", "--max-evaluations", "8"][..],
        &["meta", "--task", "task", "--max-evaluations", "8"],
    ] {
        let common = [&flags[..1], &["--target", "y"], &flags[1..]].concat();
        let with = |file: &str, more: &[&str]| {
            let mut report = json(&[&common[..1], &[file], &common[1..], more].concat());
            let problem = report.as_object_mut().unwrap();
            // The name of the file.
            problem.remove("problem");
            problem.remove("source");
            problem.remove("model");
            report
        };
        // The median of any half of these is 2.
        let own = with(&holes, &["--missing", "median", "--model", &model]);
        let by_hand = with(&filled, &["--model", &new]);
        assert_eq!(own, by_hand);
        let saved = std::fs::read_to_string(folder.path("m/model.json")).unwrap();
        let saved: Value = serde_json::from_str(&saved).unwrap();
        assert_eq!(saved["missing"]["values"][0], 2.0, "{}", flags[0]);
        assert!(fails(&[&common[..1], &[&holes], &common[1..]].concat(), 1).contains("missing"));
    }
}

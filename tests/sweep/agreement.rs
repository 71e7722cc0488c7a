//! One plan done in different ways has the same cells.

use crate::support::{Folder, fails, json, ok};
use crate::table::Table;

/// Linear data with a header, two groups and weights, made without a generator.
fn csv(rows: usize, columns: usize) -> String {
    let value = |i: usize, j: usize| {
        let phase = (i * 37 + j * 101 + i * i * j) % 1009;
        (phase as f64 / 1009.0 - 0.5) * 3.0 + (j as f64)
    };
    let names: Vec<String> = (0..columns).map(|j| format!("a{j}")).collect();
    let mut text = format!("{},w,y\n", names.join(","));
    for i in 0..rows {
        let x: Vec<f64> = (0..columns).map(|j| value(i, j)).collect();
        let y = 2.0 * x[0] - x[1] + 0.3 * value(i, columns + 3);
        let fields: Vec<String> = x.iter().map(f64::to_string).collect();
        text.push_str(&format!("{},{},{y}\n", fields.join(","), 1 + i % 3));
    }
    text
}

/// Every fold of a sweep, against hypergrad on files with the same rows: centring and scaling of each
/// fold's training rows alone, and the criterion by rows where the sweep may use factors of them.
#[test]
fn folds_are_separate_problems() {
    for extra in [
        &[][..],
        &["--no-intercept"],
        &["--no-standardize"],
        &["--sample-weights", "w"],
    ] {
        agrees_with_hypergrad(&csv(90, 4), extra, (1e-9, 1e-6));
    }
}

/// Folds that leave one row more, as many rows as there are columns with those of ones and of the target, or one fewer:
/// where factors of the rows begin to serve.
#[test]
fn folds_of_about_as_many_rows_as_columns_are_separate_problems() {
    for columns in 2..8 {
        for rows in [
            3 * (columns + 2) / 2,
            3 * (columns + 3) / 2,
            3 * (columns + 4) / 2,
        ] {
            for extra in [&[][..], &["--no-intercept"], &["--sample-weights", "w"]] {
                agrees_with_hypergrad(&csv(rows, columns), extra, (1e-9, 1e-6));
            }
        }
    }
}

/// Columns and a target far from zero lose nothing to the factors: what a fold's means take off is
/// taken off before.
#[test]
fn columns_far_from_zero_keep_their_digits() {
    let far = |line: &str| -> String {
        let fields: Vec<f64> = line
            .split(',')
            .map(|field| field.parse().unwrap())
            .collect();
        // Binary fractions: the same differences wherever they are.
        let at = |x: f64, origin: f64| (x * 1024.0).round() / 1024.0 + origin;
        let (a, b, c, d) = (fields[0], fields[1], fields[2], fields[3]);
        format!(
            "{},{},{c},{d},{},{}",
            at(a, 1e9),
            at(b, -3e10),
            fields[4],
            at(fields[5], 1e8)
        )
    };
    let text = csv(90, 4);
    let mut lines = text.lines();
    let header = lines.next().unwrap();
    let lines: Vec<String> = lines.map(far).collect();
    let text = format!("{header}\n{}\n", lines.join("\n"));
    for extra in [&[][..], &["--no-standardize"], &["--sample-weights", "w"]] {
        agrees_with_hypergrad(&text, extra, (1e-11, 1e-10));
    }
}

/// Holds every cell of a sweep over three folds to hypergrad: criterion and objective to the first
/// tolerance, hypergradients to the second.
fn agrees_with_hypergrad(text: &str, extra: &[&str], tolerances: (f64, f64)) {
    let folder = Folder::new();
    let rows = text.lines().count() - 1;
    let data = folder.text("data.csv", text);
    let fold_of = |i: usize| (i * 7) % 3;
    let folds: String = (0..rows).map(|i| format!("{}\n", fold_of(i))).collect();
    let folds = folder.text("folds.csv", &folds);
    let lines: Vec<&str> = text.lines().collect();
    let part = |name: &str, keep: &dyn Fn(usize) -> bool| {
        let chosen = (0..rows).filter(|&i| keep(i)).map(|i| lines[i + 1]);
        let all: Vec<&str> = std::iter::once(lines[0]).chain(chosen).collect();
        folder.text(name, &(all.join("\n") + "\n"))
    };
    let points = ["--l1", "0.5,0.05,0.01", "--l2", "0.01,0.1", "--target", "y"];
    let store = folder.path("s.db").display().to_string();
    let sweep = ["sweep", &data, "--folds", &folds, "--store", &store];
    ok(&[&sweep[..], &points, extra].concat());
    let cells = Table::cells(&store);
    assert_eq!(cells.len(), 18);
    for fold in 0..3 {
        let train = part("train.csv", &|i| fold_of(i) != fold);
        let held_out = part("held.csv", &|i| fold_of(i) == fold);
        let files = ["hypergrad", "--x", &train, "--x-val", &held_out];
        let report = json(&[&files[..], &points, extra].concat());
        for (at, point) in report["points"].as_array().unwrap().iter().enumerate() {
            let row = at * 3 + fold;
            let same = |name: &str, value: &serde_json::Value, tolerance: f64| {
                let (found, expected) = (cells.numbers(name)[row], value.as_f64().unwrap());
                assert!(
                    (found - expected).abs() <= tolerance * expected.abs().max(1e-6),
                    "{extra:?} fold {fold} point {at} {name}: {found} for {expected}"
                );
            };
            same("criterion", &point["criterion"], tolerances.0);
            same("objective", &point["objective"], tolerances.0);
            same("support", &point["support"], 0.0);
            same(
                "hypergradient_l1",
                &point["hypergradient"]["l1"],
                tolerances.1,
            );
            same(
                "hypergradient_l2",
                &point["hypergradient"]["l2"],
                tolerances.1,
            );
        }
    }
}

#[test]
fn threads_processes_and_shards_change_no_bit() {
    let folder = Folder::new();
    let data = folder.text("data.csv", &csv(120, 5));
    let sweep = |name: &str, extra: &[&str]| {
        let store = folder.path(name).display().to_string();
        let own = [
            "sweep",
            &data,
            "--target",
            "y",
            "--l1",
            "frac:1:1e-3:10",
            "--cv",
            "4",
        ];
        let rest = [
            "--l2",
            "0.001,0.01,0.1,1",
            "--repeats",
            "2",
            "--store",
            &store,
        ];
        ok(&[&own[..], &rest, extra].concat());
        store
    };
    let one = Table::cells(&sweep("one.db", &["--threads", "1"]));
    assert_eq!(one.len(), 10 * 4 * 8);
    let four = Table::cells(&sweep("four.db", &["--threads", "4"]));
    assert_eq!(one.rows, four.rows, "threads");

    let parts: Vec<String> = (0..3)
        .map(|i| sweep(&format!("part{i}.db"), &["--shard", &format!("{i}/3")]))
        .collect();
    let sizes: Vec<usize> = parts.iter().map(|part| Table::cells(part).len()).collect();
    assert_eq!(sizes.iter().sum::<usize>(), one.len());
    assert!(sizes.iter().all(|&size| size < one.len()));
    let merged = folder.path("merged.db").display().to_string();
    let names: Vec<&str> = parts.iter().map(String::as_str).collect();
    ok(&[&["runs", "merge"], &names[..], &["--out", &merged]].concat());
    assert_eq!(one.rows, Table::cells(&merged).rows, "shards");
    // Merging again adds nothing.
    let line = fails(&["runs", "merge", &parts[0], &merged, "--out", &merged], 1);
    assert!(line.contains("both an input and the output"), "{line}");
    let again = ok(&["runs", "merge", &parts[0], "--out", &merged]);
    assert!(again.starts_with("0 units added"), "{again}");
    assert!(ok(&["runs", "verify", &merged, &parts[1]]).contains("sound"));
}

#[test]
fn four_processes_on_one_store_divide_the_work() {
    let folder = Folder::new();
    // Some milliseconds of work in every unit: all four have begun before one has done them all.
    let data = folder.text("data.csv", &csv(600, 60));
    let arguments = |store: &str| -> Vec<String> {
        let all = [
            "sweep",
            &data,
            "--target",
            "y",
            "--loss",
            "huber",
            "--l1",
            "frac:1:1e-3:16",
            "--l2",
            "log:1e-3:1:24",
            "--cv",
            "4",
            "--threads",
            "1",
            "--store",
            store,
        ];
        all.iter().map(|s| (*s).to_string()).collect()
    };
    let alone = folder.path("alone.db").display().to_string();
    let words = arguments(&alone);
    ok(&words.iter().map(String::as_str).collect::<Vec<_>>());
    let shared = folder.path("shared.db").display().to_string();
    let children: Vec<_> = (0..4)
        .map(|_| {
            crate::support::program()
                .args(arguments(&shared))
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(Table::cells(&alone).rows, Table::cells(&shared).rows);
    let connection = rusqlite::Connection::open(&shared).unwrap();
    let count = |text: &str| -> i64 { connection.query_row(text, [], |row| row.get(0)).unwrap() };
    assert_eq!(
        count("SELECT COUNT(*) FROM sessions WHERE ended IS NOT NULL"),
        4
    );
    assert!(count("SELECT COUNT(DISTINCT session) FROM units WHERE done = 1") > 1);
    assert_eq!(count("SELECT COUNT(*) FROM units WHERE done = 1"), 96);
}

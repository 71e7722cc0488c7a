//! Stores: resumed, compared, exported, refused.

use serde_json::Value;

use crate::support::{Folder, fails, json, ok};
use crate::table::Table;

const SWEEP: [&str; 7] = [
    "sweep",
    "--cv",
    "3",
    "--l1",
    "frac:1e-2:1:4",
    "--l2",
    "0.01,0.1",
];

fn with_store<'a>(store: &'a str, extra: &[&'a str]) -> Vec<&'a str> {
    [&SWEEP[..], &["--store", store], extra].concat()
}

#[test]
fn a_finished_store_is_not_worked_on_again() {
    let folder = Folder::new();
    let store = folder.path("s.db").display().to_string();
    let first = json(&with_store(&store, &[]));
    let before = Table::cells(&store);
    let second = json(&with_store(&store, &[]));
    assert_eq!(first["best"], second["best"]);
    assert_eq!(before.rows, Table::cells(&store).rows);
    let sessions: Vec<Vec<String>> = {
        let connection = rusqlite::Connection::open(&store).unwrap();
        let text = "SELECT s.session, COUNT(u.unit) FROM sessions s LEFT JOIN units u
                    ON u.session = s.session GROUP BY s.session ORDER BY s.session";
        let mut query = connection.prepare(text).unwrap();
        let row = |row: &rusqlite::Row<'_>| {
            Ok(vec![
                row.get::<_, i64>(0)?.to_string(),
                row.get::<_, i64>(1)?.to_string(),
            ])
        };
        query
            .query_map([], row)
            .unwrap()
            .map(Result::unwrap)
            .collect()
    };
    assert_eq!(sessions, [["1", "6"], ["2", "0"]]);
}

#[test]
fn another_plan_or_other_data_are_refused() {
    let folder = Folder::new();
    let text = |scale: f64| -> String {
        let row = |i: i32| {
            let (a, b) = (f64::from(i * 13 % 17), f64::from(i * 7 % 11));
            format!("{a},{b},{}\n", scale * (a - 2.0 * b) + f64::from(i % 5))
        };
        "a,b,y\n".to_string() + &(0..40).map(row).collect::<String>()
    };
    let data = folder.text("data.csv", &text(1.0));
    let store = folder.path("s.db").display().to_string();
    let with = |extra: &[&'static str]| -> Vec<String> {
        let all = [
            &["sweep", &data, "--cv", "3", "--l1", "0.1"],
            extra,
            &["--store", &store],
        ];
        all.concat().iter().map(|s| (*s).to_string()).collect()
    };
    let words = |w: &[String]| -> Vec<String> { w.to_vec() };
    let run = |w: Vec<String>| ok(&w.iter().map(String::as_str).collect::<Vec<_>>());
    let refuse = |w: Vec<String>| fails(&w.iter().map(String::as_str).collect::<Vec<_>>(), 1);
    run(words(&with(&[])));
    let kept = Table::cells(&store).rows;
    for (extra, part) in [
        (&["--l2", "3"][..], "other points"),
        (&["--seed", "5"], "other folds"),
        (&["--loss", "huber"], "loss = huber"),
        (&["--method", "direct"], "method = direct"),
    ] {
        let message = refuse(with(extra));
        assert!(
            message.contains(part) && message.contains("--store"),
            "{message}"
        );
    }
    std::fs::write(&data, text(1.5)).unwrap();
    let message = refuse(with(&[]));
    assert!(
        message.contains("weights of rows or classes, have changed"),
        "{message}"
    );
    std::fs::write(&data, text(1.0)).unwrap();
    run(with(&[]));
    assert_eq!(kept, Table::cells(&store).rows);
}

#[test]
fn exports_hold_the_same_in_every_form() {
    let folder = Folder::new();
    let store = folder.path("s.db").display().to_string();
    ok(&with_store(&store, &[]));
    let cells = Table::cells(&store);
    assert_eq!(cells.len(), 24);
    let lines = folder.path("cells.jsonl").display().to_string();
    ok(&["runs", "export", &store, "--out", &lines]);
    let text = std::fs::read_to_string(&lines).unwrap();
    assert_eq!(text.lines().count(), 24);
    for (line, expected) in text.lines().zip(cells.numbers("criterion")) {
        let record: Value = serde_json::from_str(line).unwrap();
        assert_eq!(
            record["criterion"].as_f64().unwrap().to_bits(),
            expected.to_bits()
        );
        assert!(record["fold"].is_i64() && record["status"] == "converged");
        assert!(record["alpha"].is_null());
    }
    let parquet = folder.path("cells.parquet").display().to_string();
    ok(&["runs", "export", &store, "--out", &parquet]);
    let bytes = std::fs::read(&parquet).unwrap();
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    // The view has one row a cell too, for other programs.
    let connection = rusqlite::Connection::open(&store).unwrap();
    let mut query = connection
        .prepare("SELECT l1, fold, criterion, target FROM cells")
        .unwrap();
    let rows: Vec<(f64, i64, f64, String)> = query
        .query_map([], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(rows.len(), 24);
    for (row, expected) in rows.iter().zip(cells.numbers("criterion")) {
        assert_eq!(row.2.to_bits(), expected.to_bits());
        assert_eq!(row.3, "progression");
    }
    assert!(fails(&["runs", "export", &store, "--out", "cells.xls"], 2).contains(".parquet"));
}

#[test]
fn stores_are_listed_shown_and_compared() {
    let folder = Folder::new();
    let (a, b) = (
        folder.path("a.db").display().to_string(),
        folder.path("b.db").display().to_string(),
    );
    ok(&with_store(&a, &[]));
    ok(&with_store(&b, &["--precision", "f32"]));
    let place = folder.path("").display().to_string();
    let listed = ok(&["runs", "list", &place]);
    assert_eq!(listed.matches("complete").count(), 2, "{listed}");
    let shown = ok(&["runs", "show", &a]);
    assert!(
        shown.contains("Sessions") && shown.contains("24 of 24 cells"),
        "{shown}"
    );
    // No wall time: nobody knows how many worked side by side.
    assert!(
        shown.contains("24 converged; ") && shown.contains(" s of work in 6 units on cpu"),
        "{shown}"
    );
    let record = |store: &str| -> Value {
        let text = ok(&["runs", "show", store, "--format", "json"]);
        serde_json::from_str(&text).unwrap()
    };
    let shown = record(&a);
    assert!(shown["seconds"].is_null() && shown["precision"] == "f64");
    assert!(shown["work_seconds"].as_f64() > Some(0.0));
    assert_eq!(record(&b)["precision"], "f32");
    let compared = ok(&["runs", "compare", &a, &b]);
    assert!(compared.contains("8 points in both"), "{compared}");
    assert!(compared.contains("data: the same") && compared.contains("settings: different"));
    let report = ["runs", "compare", &a, &b, "--format", "json"];
    let report: Value = serde_json::from_str(&ok(&report)).unwrap();
    let difference = report[0]["largest_criterion_difference"].as_f64().unwrap();
    assert!(difference > 0.0 && difference < 1e-4, "{difference}");
}

/// Alters one number in a store, behind the program's back.
fn alter(store: &str) {
    let connection = rusqlite::Connection::open(store).unwrap();
    let change = "UPDATE results SET criterion = criterion + 1e-12 WHERE point = 3 AND fold = 1";
    assert_eq!(connection.execute(change, []).unwrap(), 1);
}

#[test]
fn a_changed_result_is_found_by_all_that_read_it() {
    let folder = Folder::new();
    let path = |name: &str| folder.path(name).display().to_string();
    let (store, other) = (path("s.db"), path("t.db"));
    ok(&with_store(&store, &[]));
    ok(&with_store(&other, &[]));
    let whole = Table::cells(&store).rows;
    alter(&store);
    let output = crate::support::run(&["runs", "verify", &store]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("holds other results"), "{text}");
    let (merged, out, report) = (path("m.db"), path("cells.csv"), path("report"));
    for words in [
        &with_store(&store, &[])[..],
        &["runs", "show", &store],
        &["runs", "show", &store, "--format", "json"],
        &["runs", "export", &store],
        &["runs", "export", &store, "--mean", "--out", &out],
        &["runs", "report", &store, "--out", &report],
        &["runs", "compare", &store, &other],
        &["runs", "compare", &other, &store],
        &["runs", "merge", &other, &store, "--out", &merged],
    ] {
        let message = fails(words, 1);
        // Point 3 is the second l1 with the second l2; paths are per l2: unit 1 + 2 of fold 1.
        for part in [
            "unit 3 (fold 1, 4 points: l1 from ",
            "l2 0.1) holds other results than were stored",
            "--repair",
            "from a copy",
        ] {
            assert!(message.contains(part), "{words:?}: {message}");
        }
    }
    for made in [merged, out, report] {
        assert!(!std::path::Path::new(&made).exists(), "{made}");
    }
    // The configuration is no result.
    ok(&["runs", "show", &store, "--configuration"]);

    let text = ok(&["runs", "verify", "--repair", &store]);
    assert!(text.contains("1 unit is open again"), "{text}");
    assert_eq!(Table::cells(&store).rows.len(), 20);
    ok(&with_store(&store, &[]));
    assert_eq!(Table::cells(&store).rows, whole);
    assert!(ok(&["runs", "verify", &store]).contains("6 units with 24 cells: sound"));
}

#[test]
fn cells_that_belong_to_no_finished_unit_are_found_and_removed() {
    let folder = Folder::new();
    let store = folder.path("s.db").display().to_string();
    ok(&with_store(&store, &[]));
    let connection = rusqlite::Connection::open(&store).unwrap();
    connection
        .execute(
            "UPDATE units SET done = 0, session = NULL WHERE unit = 2",
            [],
        )
        .unwrap();
    drop(connection);
    let message = fails(&["runs", "show", &store], 1);
    assert!(
        message.contains("there are 24 cells, the finished units have 20"),
        "{message}"
    );
    ok(&["runs", "verify", "--repair", &store]);
    ok(&with_store(&store, &[]));
    assert_eq!(Table::cells(&store).len(), 24);
}

#[test]
fn a_merge_that_fails_leaves_things_as_they_were() {
    let folder = Folder::new();
    let path = |name: &str| folder.path(name).display().to_string();
    let (first, second, out) = (path("1.db"), path("2.db"), path("out.db"));
    ok(&with_store(&first, &["--shard", "0/2"]));
    ok(&with_store(&second, &["--shard", "1/2"]));
    let changed = path("changed.db");
    std::fs::copy(&second, &changed).unwrap();
    alter(&changed);
    let other = path("other.db");
    ok(&[
        "sweep", "--cv", "3", "--l1", "1", "--l2", "1", "--store", &other,
    ]);
    let contradiction = path("contradiction.db");
    ok(&with_store(&contradiction, &[]));
    // Another result with a digest that fits it: only the comparison with a twin shows it.
    let connection = rusqlite::Connection::open(&contradiction).unwrap();
    let lie = "UPDATE units SET digest = (SELECT digest FROM units WHERE unit = 4) WHERE unit = 0";
    connection.execute(lie, []).unwrap();
    drop(connection);
    let missing = path("missing.db");
    let names = || -> Vec<String> {
        let entries = std::fs::read_dir(folder.path("")).unwrap();
        // SQLite's own files beside a store that was read are no stores.
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| !name.ends_with(".db-wal") && !name.ends_with(".db-shm"))
            .collect();
        names.sort();
        names
    };
    let bad: [&[&str]; 4] = [
        &[&first, &changed],
        &[&first, &other],
        &[&first, &contradiction],
        &[&first, &missing],
    ];
    let before = names();
    for stores in bad {
        fails(&[&["runs", "merge"], stores, &["--out", &out]].concat(), 1);
        assert_eq!(names(), before, "{stores:?}");
    }
    ok(&["runs", "merge", &first, "--out", &out]);
    let bytes = std::fs::read(&out).unwrap();
    let before = names();
    for stores in bad {
        fails(&[&["runs", "merge"], stores, &["--out", &out]].concat(), 1);
        assert_eq!(names(), before, "{stores:?}");
        assert!(std::fs::read(&out).unwrap() == bytes, "{stores:?}");
    }
    // What goes well adds to it.
    let text = ok(&["runs", "merge", &second, "--out", &out]);
    assert!(text.contains("3 units added"), "{text}");
    let whole = path("whole.db");
    ok(&with_store(&whole, &[]));
    assert_eq!(Table::cells(&out).rows, Table::cells(&whole).rows);
    // A place that cannot be written leaves nothing behind either.
    let nowhere = path("no/out.db");
    let message = fails(&["runs", "merge", &first, "--out", &nowhere], 1);
    assert!(message.contains("there is no folder"), "{message}");
}

#[test]
fn every_column_of_an_export_is_documented() {
    let folder = Folder::new();
    let store = folder.path("s.db").display().to_string();
    ok(&with_store(&store, &[]));
    let readme = std::fs::read_to_string("docs/sweeps.md").unwrap();
    let section = readme.split("**Columns of an export**").nth(1).unwrap();
    let rows = section.lines().skip_while(|line| !line.starts_with('|'));
    let table = rows.take_while(|line| line.starts_with('|')).skip(2);
    let mut documented = std::collections::BTreeSet::new();
    for line in table {
        let names = line.split('|').nth(1).unwrap();
        documented.extend(names.split('`').skip(1).step_by(2).map(str::to_string));
    }
    let of = |text: String| -> std::collections::BTreeSet<String> {
        let header = text.lines().next().unwrap();
        header.split(',').map(str::to_string).collect()
    };
    let cells = of(ok(&["runs", "export", &store]));
    let points = of(ok(&["runs", "export", &store, "--mean"]));
    let connection = rusqlite::Connection::open(&store).unwrap();
    let view = connection.prepare("SELECT * FROM cells").unwrap();
    let view: std::collections::BTreeSet<String> =
        view.column_names().map(str::to_string).collect();
    assert!(cells.is_subset(&view), "{cells:?} {view:?}");
    let all: std::collections::BTreeSet<String> =
        cells.union(&points).chain(&view).cloned().collect();
    assert_eq!(documented, all);
}

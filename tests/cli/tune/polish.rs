//! `proxdiff sweep --polish`: descents from the best points of every target.

use serde_json::Value;

use super::{data, number};
use crate::support::{Folder, as_text, assert_close, columns, fails, json, ok, run, table, warned};

/// Descents from the best points of a sweep end no higher, on a hold-out and over folds.
#[test]
fn a_sweep_is_polished() {
    let data = data(40, 8, 12);
    let grid = ["--l1", "frac:0.9:0.01:6", "--l2", "0.01,0.1"];
    for folds in [&[][..], &["--cv", "4"]] {
        let rows = if folds.is_empty() {
            data.with("sweep", &grid)
        } else {
            data.rows_alone("sweep", &grid)
        };
        let plain = [&rows[..], folds].concat();
        let before = json(&plain);
        assert_eq!(before["polished"], Value::Null);
        let found = json(&[&plain[..], &["--polish"]].concat());
        assert_eq!(found["best"], before["best"]);
        let [polished] = found["polished"].as_array().unwrap().as_slice() else {
            panic!("one target: {}", found["polished"]);
        };
        let criterion = number(&polished["criterion"]);
        assert!(criterion < number(&found["best"]["criterion"]));
        // It is the criterion of a sweep at that point.
        let l1 = number(&polished["hyperparameters"]["l1"]).to_string();
        let l2 = number(&polished["hyperparameters"]["l2"]).to_string();
        let there = ["--l1", &l1, "--l2", &l2];
        let rows = if folds.is_empty() {
            data.with("sweep", &there)
        } else {
            data.rows_alone("sweep", &there)
        };
        let there = json(&[&rows[..], folds].concat());
        let there = number(&there["best"]["criterion"]);
        assert_close(&[criterion], &[there], 1e-9);
    }
    let table = ok(&[
        "sweep",
        "--example",
        "--cv",
        "3",
        "--l1",
        "1,2",
        "--l2",
        "0.1",
        "--polish",
    ]);
    assert!(table.contains("2004): polished from"), "{table}");
}

/// What was not given several values keeps its own: a ridge stays without l1.
#[test]
fn what_the_sweep_holds_fixed_stays_fixed() {
    let data = data(40, 8, 13);
    let ridge = ["--l1", "0", "--l2", "log:0.001:1:5", "--polish"];
    let found = json(&data.with("sweep", &ridge));
    let polished = &found["polished"][0];
    assert_eq!(polished["hyperparameters"]["l1"], 0.0);
    assert!(number(&polished["criterion"]) < number(&found["best"]["criterion"]));
    let single = json(&data.with("sweep", &["--l1", "0.1", "--l2", "0.1", "--polish"]));
    let polished = &single["polished"][0];
    assert_eq!(polished["status"], Value::Null);
    assert_eq!(polished["criterion"], single["best"]["criterion"]);
    let remark = polished["remarks"][0].as_str().unwrap();
    assert!(remark.contains("one value of each strength"), "{remark}");
}

/// The bounds of the tuner keep it from no ridge at all, where the sweep's best point is.
#[test]
fn the_best_point_of_the_sweep_is_shown_where_nothing_is_better() {
    let folder = Folder::new();
    let x = [1.0, 2.0, -1.0, 0.5, 3.0, -2.0, 0.0, 1.5];
    let y: Vec<f64> = x.iter().map(|x| 2.0 * x).collect();
    let (x, y) = (
        folder.npy("x.npy", &[8, 1], &x),
        folder.npy("y.npy", &[8], &y),
    );
    let rows = ["sweep", "--x", &x, "--y", &y, "--l1", "0", "--l2", "0,1"];
    let found = json(&[&rows[..], &["--polish"]].concat());
    let polished = &found["polished"][0];
    assert_eq!(found["best"]["l2"], 0.0);
    assert_eq!(polished["hyperparameters"]["l2"], 0.0);
    assert_eq!(polished["criterion"], found["best"]["criterion"]);
    assert_eq!(polished["status"], Value::Null);
    let remark = polished["remarks"][0].as_str().unwrap();
    assert!(remark.contains("nothing better"), "{remark}");
}

/// A target that cannot be tuned takes nothing from the others.
#[test]
fn a_constant_target_is_no_reason_to_show_nothing() {
    let folder = Folder::new();
    let rows = columns(&table(40, 3), &["a", "b", "y"]);
    let mut text = String::new();
    for (at, line) in rows.lines().enumerate() {
        let more = if at == 0 { "flat" } else { "3" };
        text.push_str(&format!("{line},{more}\n"));
    }
    let file = folder.text("data.csv", &text);
    let grid = ["--l1", "0.01,0.1", "--l2", "0.01", "--polish"];
    let targets = ["sweep", &file, "--target", "y", "--target", "flat"];
    let words = [&targets[..], &grid].concat();
    let (found, warnings) = warned(&words);
    assert!(warnings.contains("does not vary"), "{warnings}");
    let polished = found["polished"].as_array().unwrap();
    assert_eq!(polished.len(), 2, "{polished:?}");
    assert_ne!(polished[0]["status"], Value::Null);
    assert_eq!(polished[1]["target"], "flat");
    assert_eq!(polished[1]["status"], Value::Null);
    let remark = polished[1]["remarks"][0].as_str().unwrap();
    assert!(remark.contains("cannot be polished"), "{remark}");
    assert_eq!(found["points"].as_array().unwrap().len(), 4);
    let shown = String::from_utf8(run(&words).stdout).unwrap();
    assert!(shown.contains("target flat: not polished"), "{shown}");
}

/// A sweep that has stopped is shown, polished or not.
#[test]
fn a_stopped_sweep_is_shown() {
    let data = data(40, 8, 14);
    let store = as_text(&data.folder.path("s.db"));
    let grid = [
        "--cv", "3", "--l1", "0.01,0.1", "--l2", "0.01,0.1", "--store", &store,
    ];
    let words = data.rows_alone("sweep", &grid);
    let before = json(&words);
    let stopped = ["--polish", "--time-budget", "1e-9", "--format", "json"];
    let output = run(&[&words[..], &stopped].concat());
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["best"], before["best"]);
    let polished = &found["polished"][0];
    assert_eq!(polished["status"], Value::Null);
    assert_eq!(polished["criterion"], before["best"]["criterion"]);
    let remark = polished["remarks"][0].as_str().unwrap();
    assert!(remark.contains("stopped before"), "{remark}");
}

#[test]
fn what_cannot_be_polished_is_refused_with_its_remedy() {
    let data = data(30, 4, 15);
    let store = as_text(&data.folder.path("s.db"));
    let table = as_text(&data.folder.path("t.csv"));
    for (flags, messages) in [
        (
            &["--store", &store, "--shard", "1/2"][..],
            ["--shard", "runs merge"],
        ),
        (&["--format", "csv"], ["--format csv", "--format json"]),
        (&["--out", &table], ["--format csv", "--format json"]),
    ] {
        let own = ["--cv", "2", "--l1", "0.01,0.1", "--l2", "0.1", "--polish"];
        let line = fails(&data.rows_alone("sweep", &[&own[..], flags].concat()), 2);
        for message in messages {
            assert!(line.contains(message), "{flags:?}: {line}");
        }
    }
}

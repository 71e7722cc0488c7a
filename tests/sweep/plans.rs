//! Spaces, folds and configuration through the command line.

use crate::support::{Folder, fails, json, noise, ok};
use crate::table::Table;

#[test]
fn fractions_are_of_the_whole_training_data() {
    let folder = Folder::new();
    let store = folder.path("s.db").display().to_string();
    let sweep = ["sweep", "--cv", "5", "--l1", "frac:0.01:1:3", "--l2", "0"];
    let summary = json(&[&sweep[..], &["--store", &store]].concat());
    // l1_max of the embedded data: the published grid starts there.
    let points = json(&["sweep", "--l2", "0.1", "--val-fraction", "0"]);
    let l1_max = points["points"][0]["l1"].as_f64().unwrap();
    let cells = Table::cells(&store);
    let l1 = cells.numbers("l1");
    assert_eq!(cells.len(), 15);
    assert!((l1[0] / l1_max - 0.01).abs() < 1e-12 && (l1[14] / l1_max - 1.0).abs() < 1e-12);
    assert_eq!(cells.texts("fold")[..6], ["0", "1", "2", "3", "4", "0"]);
    assert_eq!(summary["cells"], 15);
    assert_eq!(summary["complete"], true);
}

#[test]
fn means_and_choices_follow_from_the_cells() {
    let folder = Folder::new();
    let store = folder.path("s.db").display().to_string();
    let summary = json(&["sweep", "--cv", "4", "--repeats", "2", "--store", &store]);
    let (cells, points) = (Table::cells(&store), Table::points(&store));
    assert_eq!((cells.len(), points.len()), (48 * 8, 48));
    let criterion = cells.numbers("criterion");
    let gradient = cells.numbers("hypergradient_l1");
    let support = cells.numbers("support");
    let mean = |values: &[f64], at: usize| values[at * 8..at * 8 + 8].iter().sum::<f64>() / 8.0;
    for at in 0..48 {
        let expected = mean(&criterion, at);
        assert!((points.numbers("criterion")[at] / expected - 1.0).abs() < 1e-14);
        // Of the four folds of a repetition, averaged over both.
        let of_repeat = |folds: &[f64]| {
            let mean = folds.iter().sum::<f64>() / 4.0;
            let square: f64 = folds.iter().map(|c| (c - mean).powi(2)).sum();
            (square / 3.0).sqrt() / 4f64.sqrt()
        };
        let folds = &criterion[at * 8..at * 8 + 8];
        let error = (of_repeat(&folds[..4]) + of_repeat(&folds[4..])) / 2.0;
        assert!((points.numbers("standard_error")[at] / error - 1.0).abs() < 1e-12);
        let expected = mean(&gradient, at);
        assert!(
            (points.numbers("hypergradient_l1")[at] - expected).abs() <= 1e-12 * expected.abs()
        );
    }
    let means: Vec<f64> = (0..48).map(|at| mean(&criterion, at)).collect();
    let best = (0..48)
        .min_by(|&a, &b| means[a].total_cmp(&means[b]))
        .unwrap();
    assert_eq!(summary["best"]["point"], best);
    let limit = means[best] + points.numbers("standard_error")[best];
    let smallest = (0..48)
        .filter(|&at| means[at] <= limit)
        .map(|at| mean(&support, at))
        .fold(f64::INFINITY, f64::min);
    let choice = &summary["one_standard_error"];
    let (l1, l2) = (points.numbers("l1"), points.numbers("l2"));
    let expected = (0..48)
        .filter(|&at| means[at] <= limit && mean(&support, at) <= smallest + 0.5)
        .max_by(|&a, &b| l1[a].total_cmp(&l1[b]).then(l2[a].total_cmp(&l2[b])))
        .unwrap();
    assert_eq!(choice["point"], expected);
    assert!(choice["criterion"].as_f64().unwrap() <= limit);
    assert!(
        smallest < summary["best"]["support"].as_f64().unwrap(),
        "sparser"
    );
}

#[test]
fn groups_and_strata_come_from_the_data() {
    let folder = Folder::new();
    let mut text = "site,a,b,y\n".to_string();
    for i in 0..60u32 {
        let (a, b) = ((i * 17 % 23) as f64, (i * 29 % 31) as f64);
        let y = if a + 0.3 * b > 14.0 { "yes" } else { "no" };
        text.push_str(&format!("site{},{a},{b},{y}\n", i / 5));
    }
    let data = folder.text("data.csv", &text);
    let common = [
        "sweep", &data, "--loss", "logistic", "--l1", "0.05", "--l2", "0.1",
    ];
    let grouped = json(&[&common[..], &["--cv", "3", "--group-column", "site"]].concat());
    let folds = grouped["studies"][0]["folds"].as_array().unwrap();
    assert_eq!(folds.len(), 3);
    for fold in folds {
        assert_eq!(
            fold["held_out_rows"].as_u64().unwrap() % 5,
            0,
            "whole sites"
        );
    }
    let without = folder.text("two.csv", &text.replace("site", "").replace(",a", "site,a"));
    let stratified = [
        &common[..1],
        &[&without],
        &common[2..],
        &["--cv", "3", "--stratified"],
    ];
    let stratified = json(&stratified.concat());
    assert_eq!(stratified["complete"], true);
    let metrics = &stratified["best"]["metrics"];
    assert!(metrics["accuracy"].as_f64().unwrap() > 0.5);
    assert!(metrics["auc"].as_f64().unwrap() > 0.5);
}

#[test]
fn a_configuration_file_holds_the_same_as_flags() {
    let folder = Folder::new();
    let effective = folder.path("effective.toml").display().to_string();
    let by_flags = ["--l1", "1,0.1", "--l2", "0.01", "--cv", "3", "--seed", "4"];
    let config = folder.text(
        "sweep.toml",
        "cv = 5\nseed = 4\nno_standardize = false\n[space]\nl1 = [1, 0.1]\nl2 = 0.01\n",
    );
    let a = ok(&[&["sweep", "--format", "csv"], &by_flags[..]].concat());
    let file = ["sweep", "--format", "csv", "--config", &config, "--cv", "3"];
    let b = ok(&[&file[..], &["--write-config", &effective]].concat());
    assert_eq!(a, b, "the command line wins over the file");
    let c = ok(&["sweep", "--format", "csv", "--config", &effective]);
    assert_eq!(a, c, "the effective configuration repeats the sweep");
    let text = std::fs::read_to_string(&effective).unwrap();
    assert!(
        text.contains("max-steps = 100000"),
        "defaults are written: {text}"
    );

    let bad = folder.text("bad.toml", "l1 = [1]\nfrobnicate = 3\n");
    assert!(fails(&["sweep", "--config", &bad], 1).contains("no setting \"frobnicate\""));
    let broken = folder.text("broken.toml", "l1 = [1]\nl2 = = 3\n");
    assert!(fails(&["sweep", "--config", &broken], 1).contains("line 2"));
}

#[test]
fn several_problems_in_one_plan() {
    let folder = Folder::new();
    let config = folder.text(
        "sweep.toml",
        "cv = 3\nl1 = \"frac:0.01:1:4\"\nl2 = 0.1\n[[study]]\nname = \"plain\"\n\
         [[study]]\nname = \"robust\"\nloss = \"huber\"\nhuber-delta = 60\n\
         [[study]]\nname = \"positive\"\npenalty = \"nonneg\"\nmethod = \"direct\"\n",
    );
    let store = folder.path("s.db").display().to_string();
    let summary = json(&["sweep", "--config", &config, "--store", &store]);
    assert_eq!(summary["cells"], 36);
    assert_eq!(summary["best"], serde_json::Value::Null, "which study?");
    let choices = summary["choices"].as_array().unwrap();
    let names: Vec<&str> = choices
        .iter()
        .map(|c| c["study"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["plain", "robust", "positive"]);
    let cells = Table::cells(&store);
    assert_eq!(
        cells
            .texts("study")
            .iter()
            .filter(|s| **s == "robust")
            .count(),
        12
    );
    let alone = json(&["sweep", "--cv", "3", "--l1", "frac:0.01:1:4", "--l2", "0.1"]);
    assert_eq!(alone["best"]["criterion"], choices[0]["best"]["criterion"]);
    let configuration = ok(&["runs", "show", &store, "--configuration"]);
    assert_eq!(configuration.matches("[[study]]").count(), 3);
}

#[test]
fn random_and_sobol_points_fill_their_ranges() {
    for search in ["random", "sobol"] {
        let text = ok(&[
            "sweep",
            "--cv",
            "3",
            "--search",
            search,
            "--samples",
            "20",
            "--l1",
            "frac:1e-3:1:2",
            "--l2",
            "log:1e-3:1:2",
            "--format",
            "csv",
        ]);
        let cells = Table::parse(&text);
        assert_eq!(cells.len(), 60);
        let mut l2 = cells.numbers("l2");
        assert!(l2.iter().all(|l2| (1e-3..=1.0).contains(l2)));
        l2.sort_by(f64::total_cmp);
        l2.dedup();
        assert_eq!(l2.len(), 20);
    }
}

#[test]
fn flags_that_do_not_fit_are_refused() {
    let folder = Folder::new();
    let short = folder.text("folds.csv", "0\n1\n");
    for (arguments, status, part) in [
        (&["sweep", "--cv", "1"][..], 2, "2 or more"),
        (&["sweep", "--cv", "443"], 1, "at most as many"),
        (&["sweep", "--stratified"], 2, "add --cv K"),
        (
            &["sweep", "--cv", "3", "--val-fraction", "0.2"],
            2,
            "leave one of them out",
        ),
        (
            &["sweep", "--cv", "3", "--l1", "1", "--alpha", "1"],
            2,
            "leave one of them out",
        ),
        (&["sweep", "--folds", &short], 1, "one per row"),
        (
            &["sweep", "--cv", "3", "--samples", "5"],
            2,
            "--search random",
        ),
        (&["sweep", "--alpha", "1", "--l1-ratio", "0"], 1, "l1 ratio"),
        (
            &["sweep", "--cv", "3", "--wrt", "sample-weights"],
            1,
            "hypergrad",
        ),
        (&["sweep", "--shard", "3/2"], 2, "i/N"),
        (&["sweep", "--cv", "3", "--stratified"], 1, "class"),
        (
            &["sweep", "--cv", "3", "--group-column", "clinic"],
            1,
            "no such column",
        ),
    ] {
        let output = crate::support::run(arguments);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            output.status.code(),
            Some(status),
            "{arguments:?}: {errors}"
        );
        assert!(errors.contains(part), "{arguments:?}: {errors}");
    }
}

/// With l1 past l1_max nothing but the intercept is left, so that everything follows by hand.
#[test]
fn sample_weights_weigh_criterion_and_metrics_too() {
    let folder = Folder::new();
    let rows: Vec<(f64, f64, usize)> = (0..24u32)
        .map(|i| {
            let weight = [1.0, 3.0, 0.5, 2.0, 1.5][i as usize % 5];
            (f64::from(i * 7 % 24), weight, i as usize / 3 % 2)
        })
        .collect();
    let mut text = "a,y,kind,weight,fold\n".to_string();
    for (i, (y, weight, fold)) in rows.iter().enumerate() {
        let kind = if *y > 9.0 { "high" } else { "low" };
        text.push_str(&format!("{},{y},{kind},{weight},{fold}\n", i * i % 13));
    }
    let numbers = folder.text(
        "numbers.csv",
        &crate::support::columns(&text, &["a", "weight", "y"]),
    );
    let kinds = folder.text(
        "kinds.csv",
        &crate::support::columns(&text, &["a", "weight", "kind"]),
    );
    let folds = folder.text("folds.csv", &crate::support::columns(&text, &["fold"]));
    let cells = |flags: &[&str]| {
        let common = [
            "--folds", &folds, "--l1", "1e6", "--l2", "0", "--format", "csv",
        ];
        let weights = ["--sample-weights", "weight"];
        Table::parse(&ok(&[&["sweep"], flags, &common[..], &weights].concat()))
    };
    let (by_number, by_kind) = (cells(&[&numbers]), cells(&[&kinds, "--loss", "logistic"]));
    for fold in 0..2 {
        let part = |held_out: bool| {
            let rows = rows.iter();
            rows.filter(move |row| (row.2 == fold) == held_out)
        };
        let mean = |held_out: bool, value: &dyn Fn(f64) -> f64| {
            let sum: f64 = part(held_out).map(|row| row.1 * value(row.0)).sum();
            sum / part(held_out).map(|row| row.1).sum::<f64>()
        };
        let guess = mean(false, &|y| y);
        let mse = mean(true, &|y| (y - guess).powi(2));
        let mae = mean(true, &|y| (y - guess).abs());
        let share = mean(false, &|y| f64::from(y > 9.0));
        let log_loss = mean(true, &|y| -if y > 9.0 { share } else { 1.0 - share }.ln());
        let accuracy = mean(true, &|y| f64::from((y > 9.0) == (share > 0.5)));
        for (table, name, expected) in [
            (&by_number, "criterion", 0.5 * mse),
            (&by_number, "mse", mse),
            (&by_number, "mae", mae),
            (&by_kind, "criterion", log_loss),
            (&by_kind, "accuracy", accuracy),
        ] {
            let found = table.numbers(name)[fold];
            assert!(
                (found / expected - 1.0).abs() < 1e-9,
                "{name} of fold {fold}: {found} {expected}"
            );
        }
    }
    // The weights matter to this test.
    let plain = Table::parse(&ok(&[
        "sweep", &numbers, "--folds", &folds, "--l1", "1e6", "--l2", "0", "--format", "csv",
    ]));
    assert!((plain.numbers("mse")[0] / by_number.numbers("mse")[0] - 1.0).abs() > 1e-3);
}

#[test]
fn repetitions_deal_groups_anew() {
    let folder = Folder::new();
    let (groups, rows) = (10, 3 + 5 + 7 + 9 + 11 + 13 + 15 + 17 + 19 + 21);
    // Groups of ten sizes: dealt by size they would always lie the same.
    let names: Vec<String> = (0..groups)
        .flat_map(|g| std::iter::repeat_n(format!("g{g}"), 3 + 2 * g))
        .collect();
    let x = folder.npy("X.npy", &[rows, 3], &noise(rows as usize * 3, 1));
    let y = folder.npy("y.npy", &[rows], &noise(rows as usize, 2));
    let by = folder.path("groups.txt").display().to_string();
    std::fs::write(&by, names.join("\n")).unwrap();
    let text = ok(&[
        "sweep",
        "--x",
        &x,
        "--y",
        &y,
        "--cv",
        "4",
        "--group-column",
        &by,
        "--repeats",
        "5",
        "--l1",
        "0.1",
        "--l2",
        "0.1",
        "--format",
        "csv",
    ]);
    let table = Table::parse(&text);
    let mut criteria = table.texts("criterion");
    criteria.sort();
    criteria.dedup();
    assert!(criteria.len() > 15, "{criteria:?}");
}

#[test]
fn a_grid_too_large_is_refused_before_it_is_made() {
    let huge = [
        "sweep",
        "--cv",
        "3",
        "--l1",
        "log:1e-3:1:100000",
        "--l2",
        "log:1e-3:1:100000",
    ];
    let message = fails(&huge, 1);
    assert!(
        message.contains("10000000000 points") && message.contains("shorter lists"),
        "{message}"
    );
}

#[test]
fn what_a_summary_cannot_hold_is_refused() {
    let base = ["sweep", "--cv", "3", "--l1", "0.1", "--l2", "0.1"];
    for (extra, remedy) in [
        (&["--coefficients"][..], "--keep-solutions"),
        (&["--keep-solutions"], "--store FILE"),
        (&["--out", "cells.parquet"], "runs export"),
        (&["--out", "cells.jsonl"], "runs export"),
    ] {
        let message = fails(&[&base[..], extra].concat(), 1);
        assert!(
            message.contains(extra[0]) && message.contains(remedy),
            "{message}"
        );
    }
}

#[test]
fn messages_name_the_use_of_a_column_and_the_flag_at_hand() {
    let folder = Folder::new();
    let data = folder.text("data.csv", "a,b,y\n1,2,3\n2,3,4\n3,5,5\n4,1,7\n");
    let line = crate::support::fails(&["sweep", &data, "--cv", "2", "--group-column", "nope"], 1);
    for part in [
        "there is no column \"nope\" to use as the group column",
        "name one of \"a\", \"b\", \"y\"",
    ] {
        assert!(line.contains(part), "{line}");
    }
    let x = folder.text("x.csv", "a,b\n1,2\n2,3\n3,5\n4,1\n");
    let y = folder.text("y.csv", "y\n3\n4\n5\n7\n");
    let pair = ["sweep", "--x", &x, "--y", &y, "--cv", "2", "--group-column"];
    let line = crate::support::fails(&[&pair[..], &["nope"]].concat(), 1);
    assert!(line.contains("to use as the group column"), "{line}");
    // A column of the features is still found.
    ok(&[&pair[..], &["b", "--l1", "1", "--l2", "1"]].concat());

    let rows = ["sweep", "--wrt", "sample-weights", "--cv", "5"];
    let line = crate::support::fails(&rows, 1);
    assert!(
        line.starts_with("error: not supported: derivatives with respect to rows"),
        "{line}"
    );

    let store = |name: &str, l1: &str| {
        let store = folder.path(name).display().to_string();
        ok(&[
            "sweep", "--cv", "2", "--l1", l1, "--l2", "1", "--store", &store,
        ]);
        store
    };
    let (one, other) = (store("1.db", "1"), store("2.db", "2"));
    let out = folder.path("out.db").display().to_string();
    let nowhere = folder.path("no/out.db").display().to_string();
    for words in [
        &["runs", "merge", &one, &other, "--out", &out][..],
        &["runs", "merge", &one, "--out", &other],
        &["runs", "merge", &one, "--out", &nowhere],
    ] {
        let line = crate::support::fails(words, 1);
        assert!(
            line.contains("--out") && !line.contains("--store"),
            "{line}"
        );
    }
}

#[test]
fn a_fold_without_weight_is_named() {
    let folder = Folder::new();
    let data = folder.text("w.csv", "x,y,w\n1,2,0\n2,3,0\n3,5,1\n4,4,1\n5,7,1\n6,6,1\n");
    let numbers = folder.text("f.txt", "0\n0\n1\n1\n2\n2\n");
    let words = |folds| {
        [
            "sweep",
            &data,
            "--target",
            "y",
            "--sample-weights",
            "w",
            "--l1",
            "0.1",
            "--l2",
            "0.1",
            "--folds",
            folds,
        ]
        .map(str::to_string)
    };
    let all = words(&numbers);
    let line = fails(&all.iter().map(String::as_str).collect::<Vec<_>>(), 1);
    assert!(
        line.contains("held-out rows of fold 0 have the weight 0"),
        "{line}"
    );
    let numbers = folder.text("f.txt", "1\n1\n0\n0\n0\n0\n");
    let all = words(&numbers);
    let line = fails(&all.iter().map(String::as_str).collect::<Vec<_>>(), 1);
    assert!(
        line.contains("training rows of fold 0 have the weight 0"),
        "{line}"
    );
}

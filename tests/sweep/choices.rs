//! Which point a sweep takes: repeated folds, ridges, and cells that failed.

use serde_json::Value;

use crate::support::{Folder, json, ok};
use crate::table::Table;

#[test]
fn repeats_do_not_shrink_the_standard_error() {
    let error = |repeats: &str| {
        let words = [
            "sweep",
            "--cv",
            "10",
            "--repeats",
            repeats,
            "--l1",
            "frac:1e-2:1:20",
            "--l2",
            "0",
        ];
        let summary = json(&words);
        (
            summary["best"]["standard_error"].as_f64().unwrap(),
            summary["one_standard_error"]["l1"].as_f64().unwrap(),
        )
    };
    let (once, _) = error("1");
    for repeats in ["4", "30"] {
        let (often, l1) = error(repeats);
        assert!(
            (often / once - 1.0).abs() < 0.15,
            "{repeats}: {often} {once}"
        );
        // The one-SE choice does not creep to the best, which is near 1.
        assert!(l1 > 4.0, "{repeats}: {l1}");
    }
}

#[test]
fn a_ridge_has_a_one_standard_error_choice() {
    let folder = Folder::new();
    let bounds = ["--penalty", "box", "--box=-2:2"];
    for (name, more) in [("ridge.db", &["--l1", "0"][..]), ("box.db", &bounds)] {
        let store = folder.path(name).display().to_string();
        let words = [
            &[
                "sweep",
                "--cv",
                "10",
                "--l2",
                "log:1e-3:10:25",
                "--store",
                &store,
            ],
            more,
        ];
        let summary = json(&words.concat());
        let points = Table::points(&store);
        let (l2, means) = (points.numbers("l2"), points.numbers("criterion"));
        let best = (0..means.len())
            .min_by(|&a, &b| means[a].total_cmp(&means[b]))
            .unwrap();
        let limit = means[best] + points.numbers("standard_error")[best];
        let strongest = (0..l2.len())
            .filter(|&at| means[at] <= limit)
            .map(|at| l2[at])
            .fold(0.0, f64::max);
        assert_eq!(summary["one_standard_error"]["l2"], strongest, "{name}");
        assert!(strongest > l2[best], "{name}: {strongest}");
    }
}

/// The flags of a sweep of which some cells spend their budget and some do not, on two folds twice.
fn words(store: &str) -> Vec<&str> {
    vec![
        "sweep",
        "--cv",
        "2",
        "--repeats",
        "2",
        "--l1",
        "frac:1e-3:1:12",
        "--l2",
        "0",
        "--max-steps",
        "4",
        "--store",
        store,
    ]
}

#[test]
fn cells_that_failed_are_in_no_mean_and_no_choice() {
    let folder = Folder::new();
    let store = folder.path("s.db").display().to_string();
    let text = ok(&words(&store));
    let (cells, points) = (Table::cells(&store), Table::points(&store));
    let (criterion, status) = (cells.numbers("criterion"), cells.texts("status"));
    let failed: Vec<f64> = points.numbers("failed_folds");
    let folds = cells.len() / points.len();
    let mut partial = 0;
    for at in 0..points.len() {
        let good: Vec<f64> = (at * folds..(at + 1) * folds)
            .filter(|&cell| status[cell] == "converged")
            .map(|cell| criterion[cell])
            .collect();
        assert_eq!(points.numbers("folds")[at], good.len() as f64);
        assert_eq!(failed[at], (folds - good.len()) as f64);
        let mean = good.iter().sum::<f64>() / good.len() as f64;
        let found = points.numbers("criterion")[at];
        assert!(
            found == mean || (found.is_nan() && good.is_empty()),
            "{found} {mean}"
        );
        partial += usize::from(!good.is_empty() && good.len() < folds);
    }
    let count = failed.iter().sum::<f64>();
    let with_some = failed.iter().filter(|f| **f > 0.0).count();
    assert!(partial > 0 && with_some < points.len(), "{failed:?}");
    assert!(
        text.contains(&format!("{count} cells of {with_some} points failed")),
        "{text}"
    );
    assert!(text.contains("raise --max-steps"), "{text}");

    let summary = json(&words(&store));
    let best = summary["best"]["point"].as_u64().unwrap() as usize;
    assert_eq!(summary["best"]["failed_folds"], 0);
    let complete = |&at: &usize| failed[at] == 0.0;
    let means = points.numbers("criterion");
    let expected = (0..points.len())
        .filter(complete)
        .min_by(|&a, &b| means[a].total_cmp(&means[b]));
    assert_eq!(Some(best), expected);
    // The same without a store, from what is stored, and joined from shards.
    let mut plain = words(&store);
    plain.truncate(plain.len() - 2);
    let kept = json(&["runs", "show", &store]);
    let parts = ["0/3", "1/3", "2/3"].map(|shard| {
        let part = folder
            .path(&format!("{}.db", &shard[..1]))
            .display()
            .to_string();
        let mut words = plain.clone();
        words.extend(["--store", &part, "--shard", shard]);
        ok(&words);
        part
    });
    let joined = folder.path("joined.db").display().to_string();
    let mut merge = vec!["runs", "merge"];
    merge.extend(parts.iter().map(String::as_str));
    merge.extend(["--out", &joined]);
    ok(&merge);
    for other in [json(&plain), kept, json(&["runs", "show", &joined])] {
        for choice in ["best", "one_standard_error"] {
            assert_eq!(other[choice], summary[choice]);
        }
    }
    let report = folder.path("report");
    ok(&[
        "runs",
        "report",
        &store,
        "--out",
        &report.display().to_string(),
    ]);
    let page = std::fs::read_to_string(report.join("report.html")).unwrap();
    assert!(page.contains(&format!("{count} cells of {with_some} points failed")));
}

#[test]
fn points_that_did_not_converge_are_ranked_behind_those_that_did() {
    let words = [
        "sweep",
        "--l1",
        "frac:1e-3:1:12",
        "--l2",
        "0",
        "--max-steps",
        "4",
        "--best",
        "12",
    ];
    let text = ok(&words);
    let failed: Vec<bool> = text
        .lines()
        .skip(3)
        .filter_map(|line| line.split_whitespace().last())
        .filter(|word| ["converged", "budget-spent", "stalled"].contains(word))
        .map(|status| status != "converged")
        .collect();
    assert_eq!(failed.len(), 12, "{text}");
    assert!(
        failed.contains(&true) && failed.contains(&false),
        "{failed:?}"
    );
    assert!(failed.is_sorted(), "{failed:?}");
    // What failed is shown as it is, and is not the best.
    let found = json(&words);
    let points = found["points"].as_array().unwrap();
    let is_failed = |point: &&Value| point["status"] != "converged";
    let count = points.iter().filter(is_failed).count();
    assert_eq!(count, failed.iter().filter(|failed| **failed).count());
    for point in points.iter().filter(is_failed) {
        assert!(point["criterion"].is_f64() && point["failed_folds"] == 1);
    }
    assert_eq!(found["best"]["status"], "converged");
    let spent = points.len() - count;
    assert_eq!(found["statuses"]["converged"], spent);
}

#[test]
fn where_all_cells_failed_there_is_no_choice() {
    let folder = Folder::new();
    let store = folder.path("s.db").display().to_string();
    let words = [
        "sweep",
        "--cv",
        "3",
        "--l1",
        "0.5,1",
        "--l2",
        "0",
        "--solver",
        "ista",
        "--max-steps",
        "2",
        "--store",
        &store,
    ];
    let summary = json(&words);
    assert_eq!(summary["best"], Value::Null);
    assert_eq!(summary["one_standard_error"], Value::Null);
    let text = ok(&["runs", "show", &store]);
    assert!(
        text.contains("all cells failed, so there is no best point"),
        "{text}"
    );
    assert!(text.contains("6 budget-spent"), "{text}");
    ok(&[
        "runs",
        "report",
        &store,
        "--out",
        &folder.path("r").display().to_string(),
    ]);
    // The remedy works.
    let mut more = words;
    (more[10], more[12]) = ("100000", &*store);
    let other = folder.path("t.db").display().to_string();
    more[12] = &other;
    assert!(json(&more)["best"]["criterion"].as_f64().is_some());
}

#[test]
fn missing_hypergradients_are_counted_with_the_reason() {
    let folder = Folder::new();
    // More columns than rows: without ridge other coefficients fit as well, and the held-out rows tell
    // them apart.
    let row = |i: i32| {
        let features: Vec<String> = (1..16)
            .map(|j| (i * (j * j + 3) % 17 + i * j % 5).to_string())
            .collect();
        format!("{},{}\n", features.join(","), i * 5 % 7)
    };
    let rows: String = (0..12).map(row).collect();
    let names: Vec<String> = (1..16).map(|j| format!("x{j}")).collect();
    let data = folder.text("d.csv", &format!("{},y\n{rows}", names.join(",")));
    let space = ["sweep", &data, "--l1", "0", "--l2", "0,1"];
    let line = "no hypergradient at 1 of 2 points: 1 with a singular Hessian";
    assert!(ok(&space).contains(line), "{}", ok(&space));
    let cells = [&space[..], &["--cv", "3"]].concat();
    let line = "no hypergradient at 3 of 6 cells: 3 with a singular Hessian";
    assert!(ok(&cells).contains(line), "{}", ok(&cells));
    assert_eq!(
        json(&cells)["hypergradients_missing"]["singular-hessian"],
        3
    );
}

//! `influence`: the contract of its JSON, refits against files without the row, tables, bad input.

use serde_json::Value;

use crate::support::{Folder, as_text, columns, fails, json, noise, numbers, ok, table};

/// Four files of a linear model, and the rows that they hold.
struct Files {
    folder: Folder,
    x: Vec<f64>,
    y: Vec<f64>,
    paths: [String; 4],
}

const FEATURES: usize = 3;

impl Files {
    fn new(of_target: impl Fn(f64) -> f64) -> Self {
        let folder = Folder::new();
        let part = |rows: usize, seed: u64| {
            let (x, e) = (noise(rows * FEATURES, seed), noise(rows, seed + 50));
            let target = |(row, e): (&[f64], &f64)| of_target(2.0 * row[0] - row[1] + e);
            let y: Vec<f64> = x.chunks(FEATURES).zip(&e).map(target).collect();
            (x, y)
        };
        let ((x, y), (x_val, y_val)) = (part(20, 1), part(12, 2));
        let paths = [
            folder.npy("X.npy", &[20, 3], &x),
            folder.npy("y.npy", &[20], &y),
            folder.npy("Xval.npy", &[12, 3], &x_val),
            folder.npy("yval.npy", &[12], &y_val),
        ];
        Self {
            folder,
            x,
            y,
            paths,
        }
    }

    fn with<'a>(&'a self, command: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let [x, y, x_val, y_val] = &self.paths;
        let files = [
            command, "--x", x, "--y", y, "--x-val", x_val, "--y-val", y_val,
        ];
        [&files[..], more].concat()
    }

    /// The criterion of a fit without a row, from files that do not have it.
    fn criterion_without(&self, row: Option<usize>, flags: &[&str]) -> f64 {
        let kept: Vec<usize> = (0..self.y.len()).filter(|&i| Some(i) != row).collect();
        let rows = kept.len() as u64;
        let x: Vec<f64> = kept
            .iter()
            .flat_map(|&i| &self.x[i * FEATURES..][..FEATURES])
            .copied()
            .collect();
        let y: Vec<f64> = kept.iter().map(|&i| self.y[i]).collect();
        let x = self.folder.npy("part-X.npy", &[rows, 3], &x);
        let y = self.folder.npy("part-y.npy", &[rows], &y);
        let [_, _, x_val, y_val] = &self.paths;
        let files = [
            "hypergrad",
            "--x",
            &x,
            "--y",
            &y,
            "--x-val",
            x_val,
            "--y-val",
            y_val,
        ];
        json(&[&files[..], flags].concat())["points"][0]["criterion"]
            .as_f64()
            .unwrap()
    }
}

#[test]
fn the_contract() {
    for (loss, l1, l2) in [("squared", "0.05", "0.1"), ("logistic", "0", "0.1")] {
        let data = match loss {
            "logistic" => Files::new(f64::signum),
            _ => Files::new(|y| y),
        };
        let flags = [
            "--loss",
            loss,
            "--l1",
            l1,
            "--l2",
            l2,
            "--no-intercept",
            "--no-standardize",
        ];
        let found = json(&data.with("influence", &flags));
        assert_eq!(found["schema"], 2);
        assert_eq!(found["exact"], Value::Null);
        assert_eq!(found["rank_correlation"], Value::Null);
        assert_eq!(numbers(&found["influence"]).len(), 20);

        let exact = json(&data.with("influence", &[&flags[..], &["--exact", "--self"]].concat()));
        assert_eq!(exact["influence"], found["influence"]);
        assert!(exact["rank_correlation"].as_f64().unwrap() > 0.99);
        let refits = numbers(&exact["exact"]);
        let full = data.criterion_without(None, &flags);
        for (row, refit) in refits.iter().enumerate() {
            let expected = data.criterion_without(Some(row), &flags) - full;
            assert!(
                (refit - expected).abs() < 1e-10,
                "{loss} row {row}: {refit} {expected}"
            );
        }
        for name in ["leverage", "alo_residual", "self", "self_exact"] {
            assert_eq!(numbers(&exact[name]).len(), 20, "{name}");
        }
        assert_eq!(found["self"], Value::Null);
        let changes = exact["changes_support"].as_array().unwrap();
        assert!(changes.len() == 20 && changes.iter().all(Value::is_boolean));
        assert_eq!(exact["missing_refits"], 0);
    }
}

/// Leverages and what rests on them are null where a loss or penalty has none.
#[test]
fn what_does_not_exist_is_null() {
    let folder = Folder::new();
    let file = folder.text(
        "data.csv",
        &columns(&table(60, 4), &["a", "b", "c", "kind"]),
    );
    let own = ["influence", &file, "--l1", "0.01", "--l2", "0.1", "--self"];
    let found = json(&[&own[..], &["--loss", "multinomial", "--exact"]].concat());
    assert_eq!(found["estimate"], "adjoint");
    for name in ["leverage", "alo_residual", "self"] {
        assert_eq!(found[name], Value::Null, "{name}");
    }
    assert!(found["rank_correlation"].as_f64().unwrap() > 0.95);
    // A quarter of the rows is held out: the others have their numbers in the file.
    let rows = numbers(&found["rows"]);
    assert_eq!(rows.len(), 45);
    assert!(rows.windows(2).all(|pair| pair[0] < pair[1]) && rows[44] > 44.0);
    assert_eq!(found["validation_rows"], 15);
    assert_eq!(numbers(&found["self_exact"]).len(), 45);
}

#[test]
fn the_table_shows_both_ends() {
    let folder = Folder::new();
    let file = folder.text(
        "data.csv",
        &columns(&table(60, 4), &["a", "b", "c", "label"]),
    );
    let own = [
        "influence",
        &file,
        "--loss",
        "logistic",
        "--l1",
        "0.02",
        "--exact",
    ];
    let text = ok(&[&own[..], &["--top", "3"]].concat());
    assert!(text.contains("positive: the row helps"), "{text}");
    assert!(
        text.contains("mean logistic loss on 15 held-out rows"),
        "{text}"
    );
    assert!(
        text.contains("rank correlation with 45 refits: 0.9"),
        "{text}"
    );
    let shown: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("yes") || line.contains("no "))
        .collect();
    assert_eq!(shown.len(), 6, "{text}");
    assert!(text.lines().any(|line| line.trim_start().starts_with('…')));
    let csv = ok(&[&own[..], &["--format", "csv"]].concat());
    assert_eq!(csv.lines().count(), 46);
    assert!(csv.starts_with("row,target,influence,exact,leverage,alo_residual,changes_support\n"));

    let on_training = ok(&[&own[..6], &["--val-fraction", "0", "--top", "30"]].concat());
    assert!(
        on_training.contains("all 60 training rows"),
        "{on_training}"
    );
    assert!(
        on_training.contains("which a fit has seen"),
        "{on_training}"
    );
    assert!(!on_training.contains('…'));
}

#[test]
fn groups_of_rows_leave_together() {
    let folder = Folder::new();
    let text = columns(&table(48, 5), &["a", "b", "c", "y"]);
    let file = folder.text("data.csv", &text);
    let sites: String = (0..48).map(|i| format!("site {}\n", i % 6)).collect();
    let sites_file = folder.text("sites.csv", &format!("site\n{sites}"));
    let with_sites: String = text
        .lines()
        .zip(std::iter::once("site").chain(sites.lines()))
        .map(|(line, site)| format!("{site},{line}\n"))
        .collect();
    let with_sites = folder.text("with-sites.csv", &with_sites);
    let own = ["--l1", "0", "--l2", "0.1", "--exact"];
    let beside = json(&[&["influence", &file, "--row-groups", &sites_file][..], &own].concat());
    let within = json(
        &[
            &["influence", &with_sites, "--row-groups", "site"][..],
            &own,
        ]
        .concat(),
    );
    assert_eq!(beside["influence"], within["influence"]);
    assert_eq!(numbers(&beside["influence"]).len(), 6);
    // The ridge is exact for groups.
    assert!(beside["rank_correlation"].as_f64().unwrap() > 0.999_999);
    let groups = beside["groups"].as_array().unwrap();
    let rows: usize = groups
        .iter()
        .map(|group| group["rows"].as_array().unwrap().len())
        .sum();
    assert_eq!(rows, 36);
    let csv = ok(&[
        "influence",
        &file,
        "--row-groups",
        &sites_file,
        "--format",
        "csv",
    ]);
    assert!(
        csv.starts_with("group,influence\n") && csv.contains("\nsite 3,"),
        "{csv}"
    );
}

#[test]
fn bad_input_is_one_line() {
    let folder = Folder::new();
    let text = table(30, 6);
    let file = folder.text("data.csv", &columns(&text, &["a", "b", "c", "y", "z"]));
    let one = folder.text("one.csv", &columns(&text, &["a", "b", "c", "y"]));
    let sites = folder.text("sites.csv", &"1\n".repeat(30));
    let short = folder.text("short.csv", &"1\n".repeat(7));
    let form = folder.npy("Q.npy", &[2, 2], &[2.0, 0.0, 0.0, 1.0]);
    let b = folder.npy("b.npy", &[2], &[1.0, 1.0]);
    for (flags, status, word) in [
        (vec![file.as_str(), "--target", "y,z"], 2, "--target"),
        (vec![&one, "--l1", "0.1,0.2"], 2, "2 pairs"),
        (vec![&one, "--l2", "0.1,0.2"], 2, "one value each"),
        (vec![&one, "--row-groups", "nowhere"], 1, "nowhere"),
        (vec![&one, "--row-groups", &sites], 2, "one group"),
        (vec![&one, "--row-groups", &short], 1, "30"),
        (vec!["--example", "--row-groups", "site"], 1, "--row-groups"),
        (vec![&one, "--exact", "--precision", "f32"], 2, "f32"),
        (vec![&one, "--top", "0"], 2, "--top"),
        (
            vec!["--x", &form, "--y", &b, "--loss", "quadratic"],
            1,
            "has none",
        ),
    ] {
        let line = fails(&[&["influence"], flags.as_slice()].concat(), status);
        assert!(line.contains(word), "{line}");
    }
    let path = as_text(&folder.path("one.csv"));
    let line = fails(&["influence", &one, "--out", &path], 2);
    assert!(line.contains("overwrite"), "{line}");
}

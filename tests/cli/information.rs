//! `proxdiff sweep --information`: AIC, BIC, GCV and approximate leave-one-out beside the points of a sweep.

use serde_json::Value;

use crate::support::{Folder, assert_close, fails, json, ok, table};

const GRID: [&str; 5] = ["--example", "--l1", "0.5,1,4", "--l2", "0,0.1"];
const NAMES: [&str; 5] = ["alo", "gcv", "aic", "bic", "degrees_of_freedom"];

fn sweep(more: &[&str]) -> Value {
    json(&[&["sweep"], &GRID[..], more].concat())
}

/// The criteria of all points, one after the other.
fn criteria(found: &Value) -> Vec<f64> {
    let points = found["points"].as_array().unwrap();
    let of_point = |point: &Value| NAMES.map(|name| point["information"][name].as_f64().unwrap());
    points.iter().flat_map(of_point).collect()
}

/// They are of fits to all rows: folds change nothing, and `tune` shows the same at the same point.
#[test]
fn points_have_the_criteria_of_fits_to_all_rows() {
    let plain = sweep(&["--cv", "3"]);
    assert!(plain["points"][0].get("information").is_none());
    let three = sweep(&["--cv", "3", "--information"]);
    let five = sweep(&["--cv", "5", "--information"]);
    assert_eq!(three["best"]["criterion"], plain["best"]["criterion"]);
    assert_eq!(criteria(&three), criteria(&five));
    assert_eq!(criteria(&three).len(), 6 * NAMES.len());
    assert!(three["best"]["information"]["alo"].is_number());
    let tuned = json(&["tune", "--example", "--cv", "3", "--max-evaluations", "20"]);
    let place = |name: &str| tuned["hyperparameters"][name].to_string();
    let (l1, l2) = (place("l1"), place("l2"));
    let there = json(&[
        "sweep",
        "--example",
        "--cv",
        "3",
        "--l1",
        &l1,
        "--l2",
        &l2,
        "--information",
    ]);
    let own = NAMES.map(|name| tuned[name].as_f64().unwrap());
    assert_close(&criteria(&there), &own, 1e-9);
    // The best start is the chosen point.
    let start = &tuned["starts"][0]["information"];
    let of_start = NAMES.map(|name| start[name].as_f64().unwrap());
    assert_close(&of_start, &own, 1e-9);
    assert_eq!(tuned["information_missing"], Value::Null);
}

/// In CSV they are last columns, of a plain sweep and of one over folds; the others stay.
#[test]
fn csv_has_them_as_last_columns() {
    for folds in [&[][..], &["--cv", "3"]] {
        let of = |more: &[&str]| {
            let words = [&["sweep"], &GRID[..], folds, &["--format", "csv"], more].concat();
            ok(&words)
        };
        let (plain, with) = (of(&[]), of(&["--information"]));
        assert_eq!(plain.lines().count(), with.lines().count());
        for (plain, with) in plain.lines().zip(with.lines()) {
            let rest = with
                .strip_prefix(plain)
                .unwrap_or_else(|| panic!("{plain} in {with}"));
            assert_eq!(rest.matches(',').count(), NAMES.len());
        }
        let head = with.lines().next().unwrap();
        assert!(
            head.ends_with("alo,gcv,aic,bic,degrees_of_freedom"),
            "{head}"
        );
        assert!(!with.lines().nth(1).unwrap().ends_with(','));
    }
}

/// A table says where each is smallest; several targets have their own lines.
#[test]
fn a_table_says_where_they_are_smallest() {
    let words = [&["sweep"], &GRID[..], &["--cv", "3", "--information"]].concat();
    let text = ok(&words);
    for name in ["leave-one-out (approximate)", "GCV", "AIC", "BIC"] {
        assert!(
            text.contains(&format!("of fits to all rows: {name} is smallest, ")),
            "{text}"
        );
    }
    let found = sweep(&["--cv", "3", "--information"]);
    let points = found["points"].as_array().unwrap();
    let smallest = |name: &str| {
        let value = |point: &&Value| point["information"][name].as_f64().unwrap();
        points
            .iter()
            .min_by(|a, b| value(a).total_cmp(&value(b)))
            .unwrap()
    };
    let bic = smallest("bic");
    let line = text.lines().find(|line| line.contains(": BIC is")).unwrap();
    let place = ["l1", "l2"].map(|name| bic[name].as_f64().unwrap());
    let place = format!("at l1 {}, l2 {},", place[0], place[1]);
    assert!(line.contains(&place), "{line} {place}");
}

/// Where they have no meaning they are null, with the reason.
#[test]
fn what_has_none_is_null_with_the_reason() {
    let folder = Folder::new();
    let groups = folder.text("groups.txt", "0\n0\n1\n1\n1\n2\n2\n2\n3\n3\n");
    let words = [
        "--penalty",
        "group",
        "--groups",
        &groups,
        "--cv",
        "3",
        "--information",
    ];
    let found = sweep(&words);
    for point in found["points"].as_array().unwrap() {
        let own = &point["information"];
        assert!(NAMES.iter().all(|name| own[name].is_null()), "{own}");
        assert_eq!(own["missing"], "the penalty has norms of groups");
    }
    let text = ok(&[&["sweep"], &GRID[..], &words].concat());
    assert!(
        text.contains("6 points without criteria of its own rows: the penalty has norms of groups"),
        "{text}"
    );
    let csv = ok(&[&["sweep"], &GRID[..], &words, &["--format", "csv"]].concat());
    assert!(csv.lines().nth(1).unwrap().ends_with(",,,,,"));
}

/// They stand beside a store, and change nothing in it: an export keeps its columns.
#[cfg(feature = "store")]
#[test]
fn a_store_and_its_exports_stay_as_they_are() {
    let folder = Folder::new();
    let store = folder.path("sweep.db").display().to_string();
    let found = sweep(&["--cv", "3", "--information", "--store", &store]);
    assert_eq!(
        criteria(&found),
        criteria(&sweep(&["--cv", "3", "--information"]))
    );
    let again = sweep(&["--cv", "3", "--store", &store]);
    assert_eq!(again["best"]["criterion"], found["best"]["criterion"]);
    let out = folder.path("out.csv").display().to_string();
    ok(&["runs", "export", &store, "--out", &out]);
    let text = std::fs::read_to_string(&out).unwrap();
    assert!(!text.lines().next().unwrap().contains("alo"), "{text}");
}

#[test]
fn what_it_does_not_go_together_with_is_refused() {
    let folder = Folder::new();
    let file = folder.text("data.csv", &table(30, 3));
    let store = folder.path("sweep.db").display().to_string();
    for (more, remedy) in [
        (
            &["--shard", "0/2", "--store", &store][..],
            "'proxdiff runs merge'",
        ),
        (&["--adaptive", "--cv", "3"], "leave it out"),
        (&["--subsamples", "4"], "leave one of them out"),
    ] {
        let words = [
            &[
                "sweep",
                &file,
                "--l1",
                "0.1,0.2",
                "--l2",
                "0",
                "--information",
            ],
            more,
        ]
        .concat();
        let message = fails(&words, 2);
        assert!(
            message.contains("--information") && message.contains(remedy),
            "{message}"
        );
    }
}

/// Sums of squares have lost the rows: that is said before anything is read.
#[test]
fn sums_of_squares_have_none() {
    let folder = Folder::new();
    let row = |i: usize| {
        format!(
            "{},{},{}\n",
            (i * 7) % 11,
            (i % 4) as f64 / 10.0,
            (i * 5) % 6
        )
    };
    let rows: String = (0..40).map(row).collect();
    let file = folder.text("data.csv", &format!("a,b,y\n{rows}"));
    let factors = folder.path("part.factors").display().to_string();
    ok(&[
        "compress", &file, "--target", "y", "--cv", "3", "--out", &factors,
    ]);
    let words = ["sweep", "--factors", &factors, "--information"];
    let message = fails(&words, 2);
    assert!(message.contains("have lost them"), "{message}");
}

/// Offsets with a log link leave none, in `tune` too.
#[test]
fn tune_has_none_with_offsets_of_a_log_link() {
    let folder = Folder::new();
    let row = |i: usize| {
        format!(
            "{},{},{}\n",
            (i * 7) % 11,
            (i % 4) as f64 / 10.0,
            (i * 5) % 4
        )
    };
    let rows: String = (0..40).map(row).collect();
    let file = folder.text("data.csv", &format!("a,e,y\n{rows}"));
    let common = [
        "tune", &file, "--target", "y", "--loss", "poisson", "--cv", "3",
    ];
    let more = ["--offset", "e", "--max-evaluations", "10"];
    let tuned = json(&[&common[..], &more].concat());
    assert!(NAMES.iter().all(|name| tuned[*name].is_null()), "{tuned}");
    assert_eq!(
        tuned["information_missing"],
        "rows have offsets with a log link"
    );
}

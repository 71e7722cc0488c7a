//! `runs compare`: what only one of two stores has is counted and named.

use serde_json::Value;

use crate::support::{Folder, ok, run};

const SPACE: [&str; 8] = ["--cv", "2", "--l1", "0.1,1", "--l2", "0.1", "--name", "s"];

fn data(folder: &Folder, name: &str, scale: f64) -> String {
    let row = |i: i32| {
        let (a, b) = (f64::from(i * 13 % 17), f64::from(i * 7 % 11));
        format!("{a},{b},{}\n", scale * (a - 2.0 * b + f64::from(i % 5)))
    };
    let rows: String = (0..40).map(row).collect();
    folder.text(name, &format!("a,b,y\n{rows}"))
}

fn compare(first: &str, second: &str) -> (String, Value) {
    let words = ["runs", "compare", first, second];
    let text = ok(&words);
    let json = ok(&[&words[..], &["--format", "json"]].concat());
    (text, serde_json::from_str(&json).unwrap())
}

#[test]
fn a_criterion_that_is_missing_on_one_side_is_no_agreement() {
    let folder = Folder::new();
    let stores = [("a", 1.0), ("b", 1e200)].map(|(name, scale)| {
        let data = data(&folder, &format!("{name}.csv"), scale);
        let store = folder.path(&format!("{name}.db")).display().to_string();
        let words = [&["sweep", &data], &SPACE[..], &["--store", &store]].concat();
        assert_eq!(run(&words).status.code(), Some(0));
        store
    });
    for (first, second) in [(&stores[0], &stores[1]), (&stores[1], &stores[0])] {
        let (text, json) = compare(first, second);
        let alone = format!(
            "2 points with a criterion in {} alone: l1 0.1, l2 0.1",
            stores[0]
        );
        assert!(text.contains(&alone), "{text}");
        assert!(text.contains("difference of the criterion –"), "{text}");
        let record = &json[0];
        assert!(record["largest_criterion_difference"].is_null(), "{record}");
        let lack = &record["one_sided"][0];
        assert_eq!(lack["count"], 2);
        assert_eq!(lack["missing_in"], stores[1].as_str());
        assert_eq!(lack["points"][1]["l1"], 1.0);
    }
    let (text, json) = compare(&stores[1], &stores[1]);
    assert!(
        text.contains("2 points with a criterion in neither store"),
        "{text}"
    );
    assert_eq!(json[0]["one_sided"][0]["count"], 2);
}

#[test]
fn points_that_one_store_lacks_are_counted_and_named() {
    let folder = Folder::new();
    let data = data(&folder, "d.csv", 1.0);
    let store = |name: &str, space: &[&str]| {
        let store = folder.path(name).display().to_string();
        ok(&[&["sweep", &data], space, &["--store", &store]].concat());
        store
    };
    let whole = store("whole.db", &SPACE);
    // One fold of two: no point is finished on both.
    let part = store("part.db", &[&SPACE[..], &["--shard", "0/2"]].concat());
    let (text, _) = compare(&whole, &part);
    let alone = format!("2 points finished in {whole} alone: l1 0.1, l2 0.1; l1 1, l2 0.1");
    assert!(text.contains(&alone), "{text}");
    let mut more = SPACE;
    more[3] = "0.1,1,3,4,5,6,7,8";
    let more = store("more.db", &more);
    let (text, json) = compare(&whole, &more);
    assert!(text.contains("2 points in both; largest relative difference of the criterion 0"));
    let alone = format!("6 points planned in {more} alone: l1 3, l2 0.1");
    assert!(
        text.contains(&alone) && text.contains("and 1 more"),
        "{text}"
    );
    assert_eq!(
        json[0]["one_sided"][0]["points"].as_array().unwrap().len(),
        6
    );
    // A vector of hypergradients counts as much as a number.
    let folds = store("folds.db", &[&SPACE[..], &["--seed", "3"]].concat());
    let (_, json) = compare(&whole, &folds);
    assert!(
        json[0]["largest_hypergradient_difference"]
            .as_f64()
            .unwrap()
            > 1e-3
    );
}

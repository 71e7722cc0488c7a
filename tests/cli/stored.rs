//! `fit --from`: the point that a sweep in a store has chosen.

use serde_json::Value;

use crate::support::{Folder, as_text, columns, fails, json, ok, run, table};

/// A swept store of a table, its file and the flags of the sweep.
struct Swept {
    folder: Folder,
    train: String,
    store: String,
    model: String,
}

impl Swept {
    fn of(target: &str, more: &[&str]) -> Self {
        let folder = Folder::new();
        let train = folder.text(
            "train.csv",
            &columns(&table(90, 4), &["a", "b", "c", target]),
        );
        let (store, model) = (
            as_text(&folder.path("sweep.db")),
            as_text(&folder.path("model")),
        );
        let base = ["sweep", &train, "--store", &store, "--method", "none"];
        ok(&[&base[..], more].concat());
        Self {
            folder,
            train,
            store,
            model,
        }
    }

    fn fit(&self, more: &[&str]) -> Value {
        json(&[&["fit", "--from", &self.store, "--out", &self.model], more].concat())
    }

    fn fails(&self, more: &[&str], status: i32) -> String {
        let base = ["fit", "--from", &self.store, "--out", &self.model];
        let line = fails(&[&base[..], more].concat(), status);
        assert!(!self.folder.path("model/model.json").exists(), "{more:?}");
        line
    }
}

#[test]
fn the_point_of_a_store_is_fitted_as_that_of_a_choice() {
    let flags: [(&str, &[&str]); 3] = [
        ("y", &["--cv", "5", "--repeats", "2"]),
        (
            "label",
            &[
                "--cv",
                "4",
                "--stratified",
                "--loss",
                "logistic",
                "--class-weights",
                "balanced",
                "--alpha",
                "frac:1e-2:1:15",
                "--drop",
                "c",
            ],
        ),
        (
            "y",
            &[
                "--loss",
                "huber",
                "--l1",
                "0.01,0.1",
                "--no-intercept",
                "--cv",
                "3",
            ],
        ),
    ];
    for (target, flags) in flags {
        let swept = Swept::of(target, flags);
        for choice in ["best", "one-se", "glmnet-1se"] {
            let found = swept.fit(&["--choice", choice, "--coefficients"]);
            let saved = std::fs::read(swept.folder.path("model/coefficients.npy")).unwrap();
            let base = [
                "fit",
                &swept.train,
                "--out",
                &swept.model,
                "--choice",
                choice,
            ];
            let own = json(&[&base[..], &["--coefficients"], flags].concat());
            assert_eq!(found, own, "{choice}");
            let again = std::fs::read(swept.folder.path("model/coefficients.npy")).unwrap();
            assert_eq!(saved, again);
        }
    }
    let swept = Swept::of("label", &["--cv", "4", "--loss", "logistic"]);
    let test = ["--x-test", &swept.train, "--by", "auc"];
    let found = swept.fit(&test);
    let base = ["fit", &swept.train, "--out", &swept.model, "--cv", "4"];
    let own = json(&[&base[..], &["--loss", "logistic"], &test].concat());
    assert_eq!(found, own);
    assert!(found["test"][0]["auc"].as_f64().unwrap() > 0.8);
}

#[test]
fn a_store_of_a_split_has_its_best_point() {
    let swept = Swept::of("y", &["--l1", "0.001,0.1,1", "--l2", "0.01,1"]);
    let shown = json(&["runs", "show", &swept.store]);
    let found = swept.fit(&[]);
    assert_eq!(found["points"][0]["l1"], shown["best"]["l1"]);
    assert_eq!(found["choice"][0]["mean"], shown["best"]["criterion"]);
    // All rows are fitted to.
    assert_eq!(found["problem"]["rows"], 90);
}

#[test]
fn data_that_have_moved_are_named_and_other_data_refused() {
    let swept = Swept::of("y", &["--cv", "3"]);
    let text = std::fs::read_to_string(&swept.train).unwrap();
    let moved = swept.folder.text("moved.csv", &text);
    let expected = swept.fit(&[])["points"].clone();
    std::fs::remove_dir_all(swept.folder.path("model")).unwrap();
    let other = swept
        .folder
        .text("other.csv", &columns(&table(90, 5), &["a", "b", "c", "y"]));
    let line = swept.fails(&[&other], 1);
    for part in ["made with other data", "proxdiff fit DATA --from STORE"] {
        assert!(line.contains(part), "{line}");
    }
    std::fs::remove_file(&swept.train).unwrap();
    let gone = swept.fails(&[], 1);
    assert!(gone.contains("train.csv"), "{gone}");
    assert_eq!(
        swept.fit(&[&moved, "--tol", "1e-12"])["points"][0]["l1"],
        expected[0]["l1"]
    );
    assert_eq!(swept.fit(&[&moved])["points"], expected);
}

/// Files of the penalty hold what they did for the sweep, or the point that it has chosen is no choice.
#[test]
fn a_penalty_that_has_changed_is_refused() {
    let cases: [(&str, &[&str], [&str; 2], &str); 4] = [
        (
            "--l1-file",
            &["--penalty", "weighted"],
            ["1\n2\n1\n", "1\n0\n1\n"],
            "another penalty",
        ),
        (
            "--coefficient-bounds",
            &[],
            ["a,0,1\n", "a,-1,0\n"],
            "another penalty",
        ),
        (
            "--groups",
            &["--penalty", "group"],
            ["0\n0\n1\n", "0\n1\n1\n"],
            "another penalty",
        ),
        ("--l2-file", &[], ["1\n2\n1\n", "1\n3\n1\n"], "other data"),
    ];
    for (flag, more, [before, after], what) in cases {
        let folder = Folder::new();
        let own = folder.text("own.csv", before);
        let space = ["--l1", "0.1,0.01", "--cv", "3", flag, &own];
        let swept = Swept::of("y", &[&space, more].concat());
        let found = swept.fit(&[])["points"].clone();
        std::fs::remove_dir_all(swept.folder.path("model")).unwrap();
        folder.text("own.csv", after);
        let line = swept.fails(&[], 1);
        for part in [what, flag, own.as_str()] {
            assert!(line.contains(part), "{flag}: {line}");
        }
        folder.text("own.csv", before);
        assert_eq!(swept.fit(&[])["points"], found, "{flag}");
    }
}

#[test]
fn studies_of_a_store_are_named() {
    let folder = Folder::new();
    let text = columns(&table(60, 4), &["a", "b", "c", "y"]);
    let train = folder.text("train.csv", &text);
    let config = folder.text(
        "sweep.toml",
        &format!(
            "data = {train:?}\ncv = 3\nmethod = \"none\"\n[[study]]\nname = \"plain\"\n[[study]]\nname = \
             \"robust\"\nloss = \"huber\"\n"
        ),
    );
    let (store, model) = (
        as_text(&folder.path("s.db")),
        as_text(&folder.path("model")),
    );
    ok(&["sweep", "--config", &config, "--store", &store]);
    let fit = ["fit", "--from", &store, "--out", &model];
    for (study, loss) in [("plain", "squared"), ("robust", "huber")] {
        let found = json(&[&fit[..], &["--study", study]].concat());
        assert_eq!(found["problem"]["loss"], loss);
        let base = ["fit", &train, "--cv", "3", "--loss", loss, "--out", &model];
        assert_eq!(found, json(&base));
    }
    let line = fails(&fit, 2);
    assert!(line.contains("--study: plain, robust"), "{line}");
    let line = fails(&[&fit[..], &["--study", "gone"]].concat(), 2);
    assert!(line.contains("name one of: plain, robust"), "{line}");
}

#[test]
fn flags_that_a_store_decides_are_refused() {
    let swept = Swept::of("y", &["--cv", "3"]);
    for (more, status, parts) in [
        (
            &["--l1", "1"][..],
            2,
            &["--l1 cannot stand beside --from"][..],
        ),
        (&["--cv", "4"], 2, &["--cv cannot"]),
        (&["--loss", "huber"], 2, &["--loss cannot"]),
        (&["--target", "a"], 2, &["--target cannot"]),
        (&["--test-fraction", "0.2"], 2, &["--test-fraction cannot"]),
        (
            &["--by", "auc"],
            2,
            &["not defined for the squared loss", "mae"],
        ),
        (&["--study", "b"], 2, &["no study \"b\"", "name one of"]),
    ] {
        let line = swept.fails(more, status);
        for part in parts {
            assert!(line.contains(part), "{more:?}: {line}");
        }
    }
    let split = Swept::of("y", &["--l1", "0.1,1"]);
    let line = split.fails(&["--choice", "one-se"], 1);
    assert!(line.contains("one fold has no standard error"), "{line}");
    let gone = fails(&["fit", "--from", "gone.db", "--out", &split.model], 1);
    assert!(gone.contains("no such store"), "{gone}");
    let alone = fails(&["fit", &split.train, "--study", "a"], 2);
    assert!(alone.contains("--from"), "{alone}");
    // The model would lie in the place of the store.
    let place = run(&["fit", "--from", &split.store, "--out", &split.store]);
    assert_eq!(place.status.code(), Some(2));
}

#[test]
fn an_unfinished_store_is_said() {
    let folder = Folder::new();
    let text = columns(&table(60, 4), &["a", "b", "c", "y"]);
    let train = folder.text("train.csv", &text);
    let (store, model) = (
        as_text(&folder.path("s.db")),
        as_text(&folder.path("model")),
    );
    let base = ["sweep", &train, "--store", &store, "--method", "none"];
    // One fold in three of each path.
    ok(&[&base[..], &["--cv", "3", "--l2", "0.1", "--shard", "0/3"]].concat());
    let line = fails(&["fit", "--from", &store, "--out", &model], 1);
    assert!(line.contains("no point is done on all folds"), "{line}");
}

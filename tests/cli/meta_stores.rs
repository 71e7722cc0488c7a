//! `meta --store`: resumed after whatever ended it, shared by processes, and never a wrong hit.

use std::process::Stdio;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::Value;

use crate::meta::table;
#[cfg(unix)]
use crate::support::interrupted;
use crate::support::{Folder, as_text, fails, json, ok, program, run};
use crate::tune::stores::{check_kills, check_two_processes, count, finished, output_of, with};

/// Thirty tasks of four splits, learned from with a guard.
fn words(folder: &Folder, more: &[&str]) -> Vec<String> {
    let most = ["--max-evaluations", "40"];
    words_of(folder, &[&most[..], more].concat())
}

/// The same with the default of the evaluations.
fn words_of(folder: &Folder, more: &[&str]) -> Vec<String> {
    let file = folder.text("tasks.csv", &table(1.0));
    let own = "--target y --task task --format json";
    let words = ["meta", &file].into_iter().chain(own.split(' '));
    words
        .chain(more.iter().copied())
        .map(str::to_string)
        .collect()
}

fn fails_with(words: &[String]) -> String {
    fails(&words.iter().map(String::as_str).collect::<Vec<_>>(), 1)
}

#[test]
fn a_learning_that_was_killed_again_and_again_ends_with_the_same_bits() {
    let folder = Folder::new();
    check_kills(&words(&folder, &[]), &as_text(&folder.path("t.db")));
}

#[test]
fn two_processes_at_once_share_the_groups_and_end_with_the_same_bits() {
    let folder = Folder::new();
    check_two_processes(&words(&folder, &[]), &folder);
}

/// Groups of tasks, the fit of all rows, nested parts, and the points of the curve are parts of the store.
#[test]
fn a_curve_is_resumed_with_all_its_parts() {
    let folder = Folder::new();
    let plain = words_of(&folder, &["--curve", "--max-evaluations", "12"]);
    let undisturbed = output_of(&plain);
    let store = as_text(&folder.path("t.db"));
    let stored = with(&plain, &["--store", &store]);
    assert_eq!(output_of(&stored), undisturbed);
    for part in [
        "whole",
        "pooled",
        "outer fold 5",
        "4 tasks",
        "16 tasks, outer fold 1",
    ] {
        let text = format!("SELECT COUNT(*) FROM evaluations WHERE part = '{part}'");
        assert!(count(&store, &text) > 0, "{part}");
    }
    let groups = "SELECT COUNT(DISTINCT fold) FROM evaluations WHERE part = 'whole'";
    assert_eq!(count(&store, groups), 3, "24 tasks of four splits");
    let all = finished(&store);
    // Every third is forgotten: those behind it do not ask for others.
    let connection = Connection::open(&store).unwrap();
    let forget = "DELETE FROM evaluations WHERE number % 3 = 0";
    assert!(connection.execute(forget, []).unwrap() > 0);
    assert_eq!(output_of(&stored), undisturbed);
    assert_eq!(finished(&store), all);
}

#[test]
fn more_evaluations_go_on_in_the_same_store() {
    let folder = Folder::new();
    let all = words_of(&folder, &["--guard", "none"]);
    let few = with(&all, &["--max-evaluations", "40"]);
    let store = as_text(&folder.path("t.db"));
    output_of(&with(&few, &["--store", &store]));
    let before = finished(&store);
    let more = with(&all, &["--max-evaluations", "60"]);
    let resumed = output_of(&with(&more, &["--store", &store, "--threads", "1"]));
    assert_eq!(resumed, output_of(&more));
    let after = finished(&store);
    assert!(before.iter().all(|kept| after.contains(kept)));
}

#[test]
fn other_data_and_other_flags_are_another_learning() {
    let folder = Folder::new();
    let store = as_text(&folder.path("t.db"));
    let first = words_of(&folder, &["--max-evaluations", "12", "--store", &store]);
    output_of(&first);
    let kept = finished(&store);
    for (flags, words) in [
        (&["--tune", "prior", "--l2", "0.1"][..], "tune = prior"),
        (&["--guard", "none"], "this one has guard = None"),
        (&["--splits", "2"], "this one has splits = 2"),
        (&["--seed", "3"], "another plan; this one has seed = 3"),
        (&["--test-tasks", "0.4"], "test-tasks = 0.4"),
        (&["--no-intercept"], "this one has intercept = false"),
        (&["--tol", "1e-6"], "this one has tolerance = 1e-6"),
    ] {
        let error = fails_with(&with(&first, flags));
        assert!(error.contains(words), "{flags:?}: {error}");
    }
    // Other tasks of the same rows.
    let labels: String = (0..300).map(|row| format!("{}\n", row / 10)).collect();
    let labels = folder.text("labels.csv", &labels);
    let of_labels = |word: &String| match word.as_str() {
        "task" => labels.clone(),
        word => word.to_string(),
    };
    let relabelled: Vec<String> = first.iter().map(of_labels).collect();
    let error = fails_with(&with(&relabelled, &["--drop", "task"]));
    assert!(
        error.contains("with other tasks, or other weights of their rows"),
        "{error}"
    );
    // One number is another.
    let text = table(1.0);
    let (rest, last) = text.trim_end().rsplit_once(',').unwrap();
    let last = last.parse::<f64>().unwrap() + 1e-9;
    folder.text("tasks.csv", &format!("{rest},{last}\n"));
    let error = fails_with(&first);
    assert!(
        error.contains("the data, or the weights of rows or classes, have changed"),
        "{error}"
    );
    assert_eq!(finished(&store), kept);
}

#[test]
fn an_altered_evaluation_is_refused_and_can_be_computed_again() {
    let folder = Folder::new();
    let store = as_text(&folder.path("t.db"));
    let stored = words(&folder, &["--guard", "none", "--store", &store]);
    let whole = output_of(&stored);
    let all = finished(&store);
    let connection = Connection::open(&store).unwrap();
    let alteration = "UPDATE evaluations SET result = zeroblob(length(result)) WHERE number = 2";
    assert_eq!(connection.execute(alteration, []).unwrap(), 1);
    let error = fails_with(&stored);
    assert!(
        error.contains("holds another result than was stored"),
        "{error}"
    );
    assert_eq!(run(&["runs", "verify", &store]).status.code(), Some(1));
    let text = ok(&["runs", "verify", &store, "--repair"]);
    assert!(text.contains("1 batch is open again"), "{text}");
    assert_eq!(output_of(&stored), whole);
    assert_eq!(finished(&store), all);
}

#[test]
fn runs_know_a_learning() {
    let folder = Folder::new();
    let store = as_text(&folder.path("t.db"));
    let own = ["--guard", "none", "--store", &store];
    let found: Value = serde_json::from_str(&output_of(&words(&folder, &own))).unwrap();
    let listed: Value =
        serde_json::from_str(&ok(&["runs", "list", &store, "--format", "json"])).unwrap();
    assert_eq!(listed[0]["command"], "meta");
    assert_eq!(
        (&listed[0]["folds"], &listed[0]["complete"]),
        (&3.into(), &Value::Null)
    );
    assert!(ok(&["runs", "list", &store]).contains("meta-learning"));
    let shown = ok(&["runs", "show", &store]);
    assert!(
        shown.contains("Meta-learning of") && shown.contains("smallest mean over tasks so far"),
        "{shown}"
    );
    let configuration = ok(&["runs", "show", &store, "--configuration"]);
    assert!(configuration.contains("proxdiff meta"), "{configuration}");
    let shown = json(&["runs", "show", &store]);
    assert_eq!(shown["command"], "meta");
    // Without a guard the learned prior is returned, and its evaluation is the best of all.
    let best = shown["best"]["criterion"].as_f64().unwrap();
    let learned = found["criterion"].as_f64().unwrap();
    assert!(
        (best - learned).abs() <= 1e-12 * learned,
        "{best} {learned}"
    );
    let csv = ok(&["runs", "export", &store]);
    assert!(csv.starts_with("batch,part,fold,l1,l2,"), "{csv}");
    assert!(ok(&["runs", "verify", &store]).contains("of a meta-learning: sound"));
    let other = as_text(&folder.path("other.db"));
    for words in [
        &["runs", "merge", &store, "--out", &other][..],
        &["runs", "compare", &store, &store],
        &["runs", "export", &store, "--mean"],
    ] {
        let error = fails(words, 1);
        assert!(
            error.contains("it is the store of a meta-learning"),
            "{error}"
        );
    }
    // Nor does a tuning take it for its own.
    let tuning = ["tune", "--example", "--store", &store];
    let error = fails(&tuning, 1);
    assert!(
        error.contains("it is the store of a meta-learning, not of a tuning; name another file"),
        "{error}"
    );
}

#[cfg(unix)]
#[test]
fn an_interrupt_prints_the_best_and_says_how_to_go_on() {
    let folder = Folder::new();
    let words = words(&folder, &[]);
    let undisturbed = output_of(&words);
    let store = as_text(&folder.path("t.db"));
    let stored = with(&words, &["--store", &store]);
    let mut child = program()
        .args(&stored)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let of_guard = || -> i64 {
        let text = "SELECT COUNT(*) FROM evaluations WHERE done = 1 AND part LIKE 'outer%'";
        let connection = Connection::open(&store).unwrap();
        let count = connection.query_row(text, [], |row| row.get(0));
        // There is no table at first.
        count.unwrap_or(0)
    };
    // Then the guard is at work, and there is a best point.
    while !std::path::Path::new(&store).exists() || of_guard() == 0 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before");
        std::thread::sleep(Duration::from_millis(2));
    }
    let (errors, found) = interrupted(child);
    let words = format!("goes on from there with --store {store}");
    assert!(
        errors.contains("the best so far is printed") && errors.contains(&words),
        "{errors}"
    );
    assert_eq!(found["schema"], 2);
    assert_eq!(output_of(&stored), undisturbed);
}

#[test]
fn a_place_that_is_no_store_is_refused_before_anything_is_learned() {
    let folder = Folder::new();
    let text = folder.text(
        "notes.db",
        "no database, but a text that is long enough to be one\n",
    );
    for place in [
        text,
        as_text(&folder.path("nowhere/t.db")),
        as_text(&folder.path("")),
    ] {
        let error = fails_with(&words(&folder, &["--store", &place]));
        assert!(
            error.contains("--store") || error.contains(&place),
            "{error}"
        );
    }
    // The data are read, not written.
    let file = as_text(&folder.path("tasks.csv"));
    let own = words(&folder, &["--store", &file]);
    let output = run(&own.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(!output.status.success());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), table(1.0));
}

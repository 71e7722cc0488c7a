//! `tune --store`: resumed after whatever ended it, shared by processes, and never a wrong hit.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::Value;

use super::data;
#[cfg(unix)]
use crate::support::interrupted;
use crate::support::{Folder, as_text, fails, json, noise, ok, program, run};

/// A tuning over five folds of a logistic loss, which takes a while.
fn slow(folder: &Folder) -> Vec<String> {
    let (n, d) = (240, 24);
    let x = folder.npy("x.npy", &[n, d], &noise((n * d) as usize, 3));
    let labels: Vec<f64> = noise(n as usize, 4)
        .iter()
        .zip(noise((n * d) as usize, 3).chunks(d as usize))
        .map(|(e, x)| (x[0] - x[1] + 0.4 * e).signum())
        .collect();
    let y = folder.npy("y.npy", &[n], &labels);
    let words = format!("tune --x {x} --y {y} --loss logistic --cv 5 --format json");
    words.split(' ').map(str::to_string).collect()
}

pub fn output_of(words: &[String]) -> String {
    ok(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

pub fn with(words: &[String], more: &[&str]) -> Vec<String> {
    let more = more.iter().map(|word| (*word).to_string());
    words.iter().cloned().chain(more).collect()
}

/// The finished batches: key and digest.
pub fn finished(store: &str) -> Vec<(String, String)> {
    if !std::path::Path::new(store).exists() {
        return Vec::new();
    }
    let connection = Connection::open(store).unwrap();
    let text = "SELECT key, digest FROM evaluations WHERE done = 1 ORDER BY key";
    let Ok(mut query) = connection.prepare(text) else {
        // Killed before the table was made.
        return Vec::new();
    };
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.unwrap().map(Result::unwrap).collect()
}

pub fn count(store: &str, text: &str) -> i64 {
    let connection = Connection::open(store).unwrap();
    connection.query_row(text, [], |row| row.get(0)).unwrap()
}

#[test]
fn a_tuning_that_was_killed_again_and_again_ends_with_the_same_bits() {
    let folder = Folder::new();
    check_kills(&slow(&folder), &as_text(&folder.path("t.db")));
}

/// Checks that a command that is killed again and again ends with the bits that it has without a store.
pub fn check_kills(words: &[String], store: &str) {
    let begin = Instant::now();
    let undisturbed = output_of(words);
    let whole = begin.elapsed();
    let stored = with(words, &["--store", store]);
    let mut before = Vec::new();
    for moment in noise(8, 5) {
        let mut child = program()
            .args(&stored)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(whole.mul_f64(0.25 * (moment + 1.0)));
        child.kill().unwrap();
        child.wait().unwrap();
        let after = finished(store);
        assert!(before.iter().all(|kept| after.contains(kept)));
        before = after;
    }
    assert!(!before.is_empty(), "every kill came before the first batch");
    assert_eq!(output_of(&stored), undisturbed);
    let after = finished(store);
    assert!(before.iter().all(|kept| after.contains(kept)));
    // All is known now: nothing is computed, and nothing is added.
    assert_eq!(output_of(&stored), undisturbed);
    assert_eq!(finished(store), after);
    assert_eq!(
        count(store, "SELECT COUNT(*) FROM evaluations WHERE done = 0"),
        0
    );
    assert_eq!(ok(&["runs", "verify", store]).lines().count(), 1);
}

#[test]
fn two_processes_at_once_share_the_work_and_end_with_the_same_bits() {
    let folder = Folder::new();
    check_two_processes(&slow(&folder), &folder);
}

/// Checks that two processes at once end with the bits of one, and do the batches that one does.
pub fn check_two_processes(words: &[String], folder: &Folder) {
    let undisturbed = output_of(words);
    let store = as_text(&folder.path("t.db"));
    let stored = with(words, &["--store", &store, "--threads", "1"]);
    let start = || {
        program()
            .args(&stored)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let children = [start(), start()];
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), undisturbed);
    }
    // No batch twice, and as many as one process alone has.
    let alone = as_text(&folder.path("alone.db"));
    output_of(&with(words, &["--store", &alone]));
    assert_eq!(finished(&store), finished(&alone));
    assert_eq!(count(&store, "SELECT COUNT(*) FROM sessions"), 2);
}

/// A guarded vector asks for evaluations within nested folds too.
#[test]
fn a_guarded_vector_is_resumed_with_its_nested_folds() {
    let data = data(40, 8, 2);
    let store = as_text(&data.folder.path("t.db"));
    let own = [
        "--tune",
        "l1[]",
        "--l2",
        "0.01",
        "--max-evaluations",
        "60",
        "--format",
        "json",
    ];
    let plain = ok(&data.with("tune", &own));
    let stored = [&own[..], &["--store", &store]].concat();
    assert_eq!(ok(&data.with("tune", &stored)), plain);
    let parts = "SELECT COUNT(DISTINCT part) FROM evaluations";
    assert_eq!(count(&store, parts), 6, "the whole and five outer folds");
    let all = finished(&store);
    // Every third is forgotten: those behind it do not ask for others.
    let connection = Connection::open(&store).unwrap();
    connection
        .execute("DELETE FROM evaluations WHERE number % 3 = 0", [])
        .unwrap();
    assert!(finished(&store).len() < all.len());
    assert_eq!(ok(&data.with("tune", &stored)), plain);
    assert_eq!(finished(&store), all);
}

#[test]
fn other_data_and_other_flags_are_another_tuning() {
    let data = data(40, 8, 2);
    let store = as_text(&data.folder.path("t.db"));
    let first = data.with("tune", &["--store", &store]);
    ok(&first);
    let kept = finished(&store);
    for (flags, words) in [
        (
            &["--tune", "l1", "--l2", "0.1"][..],
            "this one has at = l1 0, l2 0.1, target 0, tune = l1",
        ),
        (
            &["--bounds", "l1=1e-3:1"],
            "another plan; this one has tune = l1 within 0.001:1, l2",
        ),
        (
            &["--no-intercept"],
            "another plan; this one has intercept = false",
        ),
        (
            &["--tol", "1e-6"],
            "another plan; this one has tolerance = 1e-6",
        ),
    ] {
        let error = fails(&[&first[..], flags].concat(), 1);
        assert!(error.contains(words), "{error}");
    }
    // The same names, one number of which is another.
    let mut values = noise(40 * 8, 2);
    values[17] += 1e-12;
    data.folder.npy("x.npy", &[40, 8], &values);
    let error = fails(&first, 1);
    assert!(
        error.contains(
            "the data, or the weights of rows or classes, have changed since the store was made"
        ),
        "{error}"
    );
    assert_eq!(finished(&store), kept);
}

/// What an evaluation is does not depend on how many there are: with more of them a tuning goes on.
#[test]
fn more_evaluations_go_on_in_the_same_store() {
    let data = data(40, 60, 2);
    let store = as_text(&data.folder.path("t.db"));
    let few = ["--max-evaluations", "210", "--format", "json"];
    let more = ["--max-evaluations", "400", "--format", "json"];
    ok(&data.with("tune", &[&few[..], &["--store", &store]].concat()));
    let before = finished(&store);
    let resumed = ok(&data.with("tune", &[&more[..], &["--store", &store]].concat()));
    assert_eq!(resumed, ok(&data.with("tune", &more)));
    let after = finished(&store);
    assert!(before.iter().all(|kept| after.contains(kept)));
}

#[test]
fn an_altered_evaluation_is_refused_and_can_be_computed_again() {
    let data = data(40, 8, 2);
    let store = as_text(&data.folder.path("t.db"));
    let words = data.with("tune", &["--format", "json", "--store", &store]);
    let whole = ok(&words);
    let all = finished(&store);
    for alteration in [
        "UPDATE evaluations SET result = zeroblob(length(result)) WHERE number = 2",
        "UPDATE evaluations SET criteria = '[0.1]' WHERE number = (SELECT MIN(number) FROM evaluations)",
        "UPDATE evaluations SET digest = NULL WHERE number = (SELECT MIN(number) FROM evaluations)",
        "UPDATE evaluations SET done = 7 WHERE number = (SELECT MIN(number) FROM evaluations)",
    ] {
        let connection = Connection::open(&store).unwrap();
        assert_eq!(connection.execute(alteration, []).unwrap(), 1);
        let error = fails(&words, 1);
        assert!(
            error.contains("holds another result than was stored"),
            "{error}"
        );
        let output = run(&["runs", "verify", &store]);
        assert_eq!(output.status.code(), Some(1), "{alteration}");
        let text = ok(&["runs", "verify", &store, "--repair"]);
        assert!(text.contains("1 batch is open again"), "{text}");
        assert_eq!(ok(&words), whole);
        assert_eq!(finished(&store), all);
    }
}

#[test]
fn runs_know_a_tuning() {
    let data = data(40, 8, 2);
    let store = as_text(&data.folder.path("t.db"));
    let found = json(&data.with("tune", &["--store", &store]));
    let listed: Value =
        serde_json::from_str(&ok(&["runs", "list", &store, "--format", "json"])).unwrap();
    let listed = &listed[0];
    assert_eq!(listed["command"], "tune");
    assert_eq!(listed["complete"], Value::Null);
    let known = listed["points"].as_u64().unwrap();
    assert!(known > 0 && known <= found["evaluations"].as_u64().unwrap());
    let shown = ok(&["runs", "show", &store]);
    assert!(
        shown.contains("Tuning of") && shown.contains("smallest criterion so far"),
        "{shown}"
    );
    assert!(ok(&["runs", "show", &store, "--configuration"]).contains("max-evaluations = 400"));
    let shown = json(&["runs", "show", &store]);
    let best = shown["best"]["criterion"].as_f64().unwrap();
    let tuned = found["criterion"].as_f64().unwrap();
    assert!((best - tuned).abs() <= 1e-6 * tuned, "{best} {tuned}");
    let csv = ok(&["runs", "export", &store]);
    assert!(
        csv.starts_with("batch,part,fold,l1,l2,criterion,device\n"),
        "{csv}"
    );
    assert_eq!(csv.lines().count() as u64, known + 1);
    let lines = ok(&["runs", "export", &store, "--format", "jsonl"]);
    assert_eq!(lines.lines().count() as u64, known);
    let other = as_text(&data.folder.path("other.db"));
    let folder = as_text(&data.folder.path("page"));
    for words in [
        &["runs", "merge", &store, "--out", &other][..],
        &["runs", "report", &store, "--out", &folder],
        &["runs", "compare", &store, &store],
        &["runs", "export", &store, "--mean"],
        &["fit", "--from", &store],
    ] {
        let error = fails(words, 1);
        assert!(error.contains("it is the store of a tuning"), "{error}");
    }
    // Nor does a sweep take it for its own, nor a tuning the store of a sweep.
    let error = fails(&data.with("sweep", &["--store", &store]), 1);
    let words = "it is the store of a tuning, not of a sweep; name another file";
    assert!(error.contains(words), "{error}");
    let swept = as_text(&data.folder.path("swept.db"));
    ok(&data.with("sweep", &["--l1", "0.1", "--store", &swept]));
    let error = fails(&data.with("tune", &["--store", &swept]), 1);
    let words = "it is the store of a sweep, not of a tuning; name another file";
    assert!(error.contains(words), "{error}");
}

/// Rows of unequal classes: with weights of the classes everything is another result.
fn unequal(folder: &Folder) -> String {
    let values = noise(60 * 4, 3);
    let rows = values.chunks(4).enumerate().map(|(i, x)| {
        let class = if i % 5 == 0 || x[0] > 0.9 {
            "yes"
        } else {
            "no"
        };
        format!("{},{},{},{},{class}\n", x[0], x[1], x[2], x[3])
    });
    let text: String = rows.collect();
    folder.text("unequal.csv", &format!("a,b,c,d,target\n{text}"))
}

#[test]
fn balanced_classes_are_another_study_in_tunings_and_sweeps() {
    let folder = Folder::new();
    let rows = unequal(&folder);
    let own = [
        rows.as_str(),
        "--target",
        "target",
        "--cv",
        "3",
        "--loss",
        "logistic",
    ];
    let balanced = ["--class-weights", "balanced"];
    for (command, flags) in [
        (
            "tune",
            &["--tune", "l2", "--l1", "0.05", "--bounds", "l2=1e-3:1"][..],
        ),
        ("sweep", &["--l1", "0.05", "--l2", "0.1"]),
    ] {
        let store = as_text(&folder.path(&format!("{command}.db")));
        let words = [&[command][..], &own, flags, &["--store", &store]].concat();
        ok(&words);
        let error = fails(&[&words[..], &balanced].concat(), 1);
        assert!(
            error.contains("weights of rows or classes, have changed"),
            "{error}"
        );
        // The plain one is known as before.
        ok(&words);
    }
    let store = as_text(&folder.path("balanced.db"));
    let grid = ["--l1", "0.05", "--l2", "0.1", "--store", &store];
    ok(&[&["sweep"][..], &own, &balanced, &grid].concat());
    ok(&["fit", "--from", &store]);
}

/// Factors of the folds pay for many evaluations alone; with and without them the plan is one.
#[test]
fn factors_of_the_folds_are_no_part_of_the_plan() {
    let data = data(300, 40, 2);
    let store = as_text(&data.folder.path("t.db"));
    let own = ["--cv", "3", "--format", "json"];
    let few = [&own[..], &["--max-evaluations", "4"]].concat();
    let words = |flags: &[&'static str]| -> Vec<String> {
        let all = data.rows_alone("tune", flags);
        all.into_iter().map(str::to_string).collect()
    };
    output_of(&with(&words(&few), &["--store", &store]));
    let resumed = output_of(&with(&words(&own), &["--store", &store]));
    assert_eq!(resumed, output_of(&words(&own)));
}

#[cfg(unix)]
#[test]
fn an_interrupt_prints_the_best_and_says_how_to_go_on() {
    let folder = Folder::new();
    let words = slow(&folder);
    let undisturbed = output_of(&words);
    let store = as_text(&folder.path("t.db"));
    let stored = with(&words, &["--store", &store]);
    let child = program()
        .args(&stored)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begin = Instant::now();
    // Then every fold has a first batch, and there is a best point.
    while finished(&store).len() < 8 && begin.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(2));
    }
    let (errors, found) = interrupted(child);
    assert!(
        errors.contains("the best point so far is printed"),
        "{errors}"
    );
    assert!(
        errors.contains(&format!("goes on from there with --store {store}")),
        "{errors}"
    );
    assert_eq!(found["status"], "budget-spent");
    assert!(found["criterion"].is_number());
    assert_eq!(
        count(&store, "SELECT COUNT(*) FROM evaluations WHERE done = 0"),
        0
    );
    assert_eq!(
        count(&store, "SELECT COUNT(*) FROM sessions WHERE ended IS NULL"),
        0
    );
    assert_eq!(output_of(&stored), undisturbed);
}

#[test]
fn places_that_take_no_store_are_named() {
    let data = data(40, 8, 2);
    let text = data.folder.text("notes.txt", "no database");
    let error = fails(&data.with("tune", &["--store", &text]), 1);
    assert!(
        error.contains("notes.txt") && error.contains("--store"),
        "{error}"
    );
    let missing = as_text(&data.folder.path("no/t.db"));
    let error = fails(&data.with("tune", &["--store", &missing]), 1);
    assert!(error.contains("there is no folder"), "{error}");
    let error = fails(&data.with("tune", &["--store", &data.train[1]]), 2);
    assert!(error.contains("is used by the same command"), "{error}");
}

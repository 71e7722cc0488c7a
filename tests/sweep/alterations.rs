//! A plan that was altered in the file is noticed by all that reads it, and not repaired.

use crate::support::{Folder, fails, ok, run};

/// A store of 8 points on 3 folds, six units.
fn store(folder: &Folder) -> String {
    let store = folder.path("s.db").display().to_string();
    let space = ["--alpha", "frac:1e-2:1:4", "--l1-ratio", "0.5,0.9"];
    ok(&[&["sweep", "--cv", "3", "--store", &store], &space[..]].concat());
    store
}

#[test]
fn an_altered_plan_is_found_by_all_that_read_it() {
    let folder = Folder::new();
    let store = store(&folder);
    let whole = std::fs::read(&store).unwrap();
    for (change, part) in [
        (
            "UPDATE points SET l1 = 5 WHERE point = 2",
            "the plan was altered: its points",
        ),
        (
            "UPDATE points SET alpha = 5 WHERE point = 2",
            "the plan was altered: its points",
        ),
        (
            "UPDATE points SET path = 1 - path",
            "the plan was altered: its points",
        ),
        (
            "UPDATE points SET target = 1",
            "point 0 has a target that is not there",
        ),
        (
            "UPDATE points SET path = 1000000000000",
            "on path 1000000000000, which is not there",
        ),
        ("UPDATE points SET l1 = 'much'", "the plan cannot be read"),
        (
            "DELETE FROM points WHERE point = 7",
            "the plan was altered: its points",
        ),
        (
            "DELETE FROM points WHERE point = 3",
            "point 3 of the plan is missing",
        ),
        (
            "UPDATE points SET point = 100 WHERE point = 7",
            "point 7 of the plan is missing",
        ),
        (
            "INSERT INTO points VALUES (9, 0, 0, 0, 0, 1, 1, NULL, NULL)",
            "there are 9 points, the studies have 8",
        ),
        (
            "UPDATE studies SET points_digest = 'x'",
            "do not match their digest",
        ),
        (
            "UPDATE studies SET settings = replace(settings, 'squared', 'huber')",
            "the plan was altered: its studies",
        ),
        (
            "UPDATE studies SET folds_digest = 'x'",
            "the plan was altered: its studies",
        ),
        ("DELETE FROM studies", "the plan has no study"),
        (
            "UPDATE targets SET name = 'weight'",
            "the plan was altered: its targets",
        ),
        (
            "UPDATE folds SET number = number + 1",
            "the plan was altered: its folds",
        ),
        (
            "UPDATE folds SET held_out_rows = 7",
            "the plan was altered: its folds",
        ),
        (
            "DELETE FROM folds WHERE fold = 2",
            "the plan was altered: its folds",
        ),
        (
            "DELETE FROM units WHERE unit = 5",
            "there are 5 units, the plan has 6",
        ),
        (
            "UPDATE units SET path = path + 2 WHERE unit = 1",
            "unit 1 is not that of the plan",
        ),
        (
            "UPDATE units SET unit = 17 WHERE unit = 5",
            "unit 5 is not that of the plan",
        ),
        (
            "UPDATE meta SET value = 'cv = 9' WHERE key = 'configuration'",
            "the plan was altered: its configuration",
        ),
        (
            "DELETE FROM meta",
            "the table meta has no row configuration",
        ),
        (
            "DELETE FROM meta WHERE key = 'version'",
            "the table meta has no row version",
        ),
        (
            "DELETE FROM meta WHERE key LIKE '%folds'",
            "the table meta has no digest of the folds",
        ),
        ("DROP TABLE targets", "the table targets is missing"),
        (
            "CREATE TRIGGER t AFTER UPDATE ON units BEGIN DELETE FROM results; END",
            "there is a trigger, t",
        ),
    ] {
        std::fs::write(&store, &whole).unwrap();
        let connection = rusqlite::Connection::open(&store).unwrap();
        connection.execute_batch(change).unwrap();
        drop(connection);
        let output = run(&["runs", "verify", &store]);
        let (text, errors) = (
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        );
        assert_eq!(output.status.code(), Some(1), "{change}");
        assert!(text.contains(part), "{change}: {text}");
        assert!(
            errors.contains("a plan cannot be repaired"),
            "{change}: {errors}"
        );
        for words in [
            &["runs", "show", &store][..],
            &["runs", "export", &store],
            &["runs", "merge", &store, "--out", "merged.db"],
        ] {
            let line = fails(words, 1);
            assert!(
                line.contains("a plan cannot be repaired"),
                "{change}: {line}"
            );
            assert!(!line.contains("runs verify"), "{change}: {line}");
        }
        let output = run(&["runs", "verify", "--repair", &store]);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{change}");
        assert!(
            errors.contains("a plan cannot be repaired"),
            "{change}: {errors}"
        );
    }
    std::fs::write(&store, &whole).unwrap();
    assert!(ok(&["runs", "verify", &store]).contains("6 units with 24 cells: sound"));
}

#[test]
fn views_and_indices_are_made_anew() {
    let folder = Folder::new();
    let store = store(&folder);
    let exported = ok(&["runs", "export", &store]);
    let view = "(SELECT sql FROM sqlite_schema WHERE name = 'cells')";
    for (change, fault) in [
        ("DROP VIEW cells", "the view cells is missing"),
        ("DROP INDEX open_units", "the index open_units is missing"),
        (
            &format!(
                "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace({view}, 'p.l1,', '2 * p.l1 AS l1,') \
                 WHERE name = 'cells'"
            ),
            "the view cells has another definition",
        ),
    ] {
        let connection = rusqlite::Connection::open(&store).unwrap();
        connection.execute_batch(change).unwrap();
        drop(connection);
        // They hold nothing: what is in the tables is as good as before.
        assert_eq!(ok(&["runs", "export", &store]), exported, "{change}");
        let output = run(&["runs", "verify", &store]);
        assert_eq!(output.status.code(), Some(1), "{change}");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("6 units with 24 cells: 1 fault"), "{text}");
        assert!(text.contains(fault), "{change}: {text}");
        let text = ok(&["runs", "verify", "--repair", &store]);
        assert!(text.contains("every unit is as it was stored"), "{text}");
        assert!(ok(&["runs", "verify", &store]).contains("sound"));
    }
    let connection = rusqlite::Connection::open(&store).unwrap();
    let count: i64 = connection
        .query_row("SELECT COUNT(*) FROM cells WHERE l1 > 0", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(count, 24);
}

#[test]
fn a_unit_that_nobody_has_done_is_opened_again() {
    let folder = Folder::new();
    let store = store(&folder);
    let connection = rusqlite::Connection::open(&store).unwrap();
    let change = "UPDATE units SET seconds = NULL WHERE unit = 1;
                  UPDATE units SET device = NULL WHERE unit = 2;
                  UPDATE sessions SET process = 'junk'";
    connection.execute_batch(change).unwrap();
    drop(connection);
    ok(&["runs", "list", &store]);
    let line = fails(&["runs", "show", &store], 1);
    assert!(line.contains("has no seconds or no device"), "{line}");
    let text = ok(&["runs", "verify", "--repair", &store]);
    assert!(text.contains("2 units are open again"), "{text}");
    ok(&["runs", "show", &store]);
}

#[test]
fn strengths_that_the_plan_does_not_have_are_no_strengths() {
    let folder = Folder::new();
    let store = folder.path("s.db").display().to_string();
    ok(&[
        "sweep", "--cv", "2", "--l1", "1", "--l2", "0.1", "--store", &store,
    ]);
    let connection = rusqlite::Connection::open(&store).unwrap();
    connection
        .execute_batch("UPDATE points SET alpha = 7")
        .unwrap();
    drop(connection);
    let line = fails(&["runs", "show", &store], 1);
    assert!(line.contains("alpha without an l1_ratio"), "{line}");
}

#[test]
fn what_others_add_to_the_file_does_no_harm() {
    let folder = Folder::new();
    let store = store(&folder);
    let connection = rusqlite::Connection::open(&store).unwrap();
    let more = "CREATE VIEW mine AS SELECT l1, criterion FROM cells;
                CREATE INDEX by_criterion ON results (criterion); ANALYZE;";
    connection.execute_batch(more).unwrap();
    drop(connection);
    assert!(ok(&["runs", "verify", &store]).contains("sound"));
    ok(&["runs", "export", &store]);
}

#[test]
fn a_unit_with_an_unknown_mark_is_opened_again() {
    let folder = Folder::new();
    let store = store(&folder);
    for mark in ["7", "'yes'"] {
        let connection = rusqlite::Connection::open(&store).unwrap();
        let change = format!("UPDATE units SET done = {mark} WHERE unit = 1");
        connection.execute_batch(&change).unwrap();
        drop(connection);
        let line = fails(&["runs", "show", &store], 1);
        assert!(
            line.contains("is marked as neither open nor done"),
            "{line}"
        );
        ok(&["runs", "verify", "--repair", &store]);
        ok(&[
            "sweep",
            "--cv",
            "3",
            "--store",
            &store,
            "--alpha",
            "frac:1e-2:1:4",
            "--l1-ratio",
            "0.5,0.9",
        ]);
        assert!(ok(&["runs", "verify", &store]).contains("6 units with 24 cells: sound"));
    }
}

/// A zero with a sign is a strength, and a database does not keep the sign.
#[test]
fn a_negative_zero_is_a_zero() {
    let folder = Folder::new();
    let store = folder.path("s.db").display().to_string();
    let words = [
        "sweep", "--cv", "2", "--l1", "1", "--l2=-0", "--store", &store,
    ];
    ok(&words);
    ok(&words);
    assert!(ok(&["runs", "verify", &store]).contains("sound"));
}

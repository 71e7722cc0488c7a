//! Parts of a plan for job arrays: how they are counted, and what is said of them.

use serde_json::Value;

use crate::support::{Folder, json, ok};
use crate::table::Table;

fn words<'a>(store: &'a str, shard: &'a str) -> Vec<&'a str> {
    let all = [
        "sweep",
        "--cv",
        "3",
        "--l1",
        "frac:1e-2:1:4",
        "--l2",
        "0.01,0.1",
        "--store",
        store,
    ];
    [&all[..], &["--shard", shard]].concat()
}

#[test]
fn arrays_may_count_from_zero_or_from_one() {
    let folder = Folder::new();
    let cells = |shard: &str| {
        let store = folder.path(&shard.replace('/', "-")).display().to_string();
        ok(&words(&store, shard));
        Table::cells(&store).rows
    };
    assert_eq!(cells("0/4"), cells("4/4"));
    assert_ne!(cells("0/4"), cells("1/4"));
}

#[test]
fn a_shard_is_called_that() {
    let folder = Folder::new();
    let path = |name: &str| folder.path(name).display().to_string();
    let (store, place) = (path("s.db"), path(""));
    // Six units of four cells: the units 1 and 5.
    let text = ok(&words(&store, "1/4"));
    assert!(text.contains("shard 1/4: 8 of 8 cells\n"), "{text}");
    assert!(
        text.contains("8 of 24 cells of the whole plan: 8 converged in"),
        "{text}"
    );
    assert!(
        text.contains("no point is done on all of its 3 folds yet"),
        "{text}"
    );
    let record = json(&words(&store, "1/4"));
    assert_eq!(record["shard"]["cells_done"], 8);
    assert_eq!(
        (&record["shard"]["index"], &record["shard"]["count"]),
        (&Value::from(1), &Value::from(4))
    );
    assert_eq!(
        (&record["shard"]["complete"], &record["complete"]),
        (&true.into(), &false.into())
    );

    let listed = || ok(&["runs", "list", &place]);
    assert!(listed().contains("shard 1/4 complete"), "{}", listed());
    assert!(ok(&["runs", "show", &store]).contains("1/4"));
    let records: Value =
        serde_json::from_str(&ok(&["runs", "list", &place, "--format", "json"])).unwrap();
    assert_eq!(records[0]["shards"][0]["complete"], true);
    assert_eq!(records[0]["complete"], false);
    // One that has been ended half-way.
    let connection = rusqlite::Connection::open(&store).unwrap();
    let undo = "UPDATE units SET done = 0 WHERE unit = 5; DELETE FROM results WHERE fold = 2;";
    connection.execute_batch(undo).unwrap();
    drop(connection);
    assert!(listed().contains("shard 1/4 unfinished"), "{}", listed());
    // A second shard in the same store, then all of it.
    ok(&words(&store, "2/4"));
    assert!(
        listed().contains("shard 1/4 unfinished, shard 2/4 complete"),
        "{}",
        listed()
    );
    let all = words(&store, "0/1");
    ok(&all[..all.len() - 2]);
    assert!(
        listed().contains("complete") && !listed().contains("shard"),
        "{}",
        listed()
    );
    // A sweep that is no shard says nothing of shards.
    let text = ok(&all[..all.len() - 2]);
    assert!(
        text.contains("24 of 24 cells: ") && !text.contains("shard"),
        "{text}"
    );
}

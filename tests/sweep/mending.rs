//! Stores that are damaged, moved, deleted or cannot be read: nothing of that goes by in silence, and no
//! repair costs a result.

use std::path::Path;
use std::process::{Command, Stdio};

use proxdiff::store::{Store, repair, verify};
use rusqlite::Connection;

use crate::destruction::{finished, long_sweep, with_small_disk};
use crate::support::{Folder, fails, ok, program, run};

const SWEEP: [&str; 7] = [
    "sweep",
    "--cv",
    "3",
    "--l1",
    "log:0.1:10:40",
    "--l2",
    "0.01,0.1",
];

/// A finished store of six units, and its path.
fn store(folder: &Folder, name: &str) -> String {
    let store = folder.path(name).display().to_string();
    ok(&[&SWEEP[..], &["--store", &store]].concat());
    store
}

fn page_of(store: &str, index: &str) -> usize {
    let connection = Connection::open(store).unwrap();
    let text = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
    connection
        .query_row(text, [index], |row| row.get(0))
        .unwrap()
}

/// Takes the rows that a filter names out of an index, and leaves them in their table.
fn forget(store: &str, index: &str, table: &str, filter: &str) {
    let connection = Connection::open(store).unwrap();
    let text = format!(
        "CREATE TEMP TABLE kept AS SELECT * FROM {table} WHERE {filter};
         CREATE TEMP TABLE entry AS SELECT * FROM sqlite_schema WHERE name = '{index}';
         DELETE FROM {table} WHERE {filter};
         PRAGMA writable_schema = ON;
         DELETE FROM sqlite_schema WHERE name = '{index}';
         PRAGMA writable_schema = RESET;
         INSERT INTO {table} SELECT * FROM kept;
         PRAGMA writable_schema = ON;
         INSERT INTO sqlite_schema SELECT * FROM entry;
         PRAGMA writable_schema = RESET;"
    );
    connection.execute_batch(&text).unwrap();
}

/// Nothing that reads the store takes it for sound; a repair makes it so, and every result is there.
fn is_mended(store: &str, exported: &str, what: &str) {
    let output = run(&["runs", "verify", store]);
    assert_eq!(output.status.code(), Some(1), "{what}");
    fails(&["runs", "export", store], 1);
    fails(&[&SWEEP[..], &["--store", store]].concat(), 1);
    let text = ok(&["runs", "verify", "--repair", store]);
    assert!(text.contains("every unit is as it was stored"), "{text}");
    assert!(
        ok(&["runs", "verify", store]).contains("6 units with 240 cells: sound"),
        "{what}"
    );
    assert_eq!(ok(&["runs", "export", store]), exported, "{what}");
    ok(&[&SWEEP[..], &["--store", store]].concat());
}

#[test]
fn a_repair_makes_damaged_indices_anew_and_keeps_every_result() {
    let folder = Folder::new();
    let store = store(&folder, "s.db");
    let whole = std::fs::read(&store).unwrap();
    let exported = ok(&["runs", "export", &store]);
    let size = 4096;
    for index in ["open_units", "units_by_place"] {
        let page = page_of(&store, index) - 1;
        let table_page = page_of(&store, "sessions") - 1;
        for damage in ["zero", "garbage", "another page"] {
            let mut bytes = whole.clone();
            let source = whole[table_page * size..][..size].to_vec();
            let place = &mut bytes[page * size..][..size];
            match damage {
                "zero" => place.fill(0),
                "garbage" => place.fill(0x5a),
                _ => place.copy_from_slice(&source),
            }
            std::fs::write(&store, &bytes).unwrap();
            is_mended(&store, &exported, &format!("{index}: {damage}"));
        }
    }
    // The index of results has no statement of its own.
    let page = page_of(&store, "sqlite_autoindex_results_1") - 1;
    let mut bytes = std::fs::read(&store).unwrap();
    bytes[page * size..][..size].fill(0);
    std::fs::write(&store, &bytes).unwrap();
    is_mended(&store, &exported, "results");

    std::fs::write(&store, &whole).unwrap();
    forget(&store, "units_by_place", "units", "unit IN (2, 3)");
    is_mended(&store, &exported, "entries are missing");
}

#[test]
fn a_repair_takes_no_unit_for_open_that_has_all_its_results() {
    let folder = Folder::new();
    let store = store(&folder, "s.db");
    let exported = ok(&["runs", "export", &store]);
    for mark in ["0", "7"] {
        let connection = Connection::open(&store).unwrap();
        let change = format!("UPDATE units SET done = {mark} WHERE unit IN (1, 4)");
        connection.execute_batch(&change).unwrap();
        drop(connection);
        is_mended(&store, &exported, mark);
    }
    // What is really damaged is opened, and nothing else.
    let connection = Connection::open(&store).unwrap();
    let change = "UPDATE results SET criterion = criterion + 1 WHERE point = 5 AND fold = 1";
    connection.execute_batch(change).unwrap();
    drop(connection);
    let before = finished(&store);
    assert!(ok(&["runs", "verify", "--repair", &store]).contains("1 unit is open again"));
    let after = finished(&store);
    assert_eq!((before.len(), after.len()), (6, 5));
    assert!(after.iter().all(|(unit, kept)| before[unit] == *kept));
    ok(&[&SWEEP[..], &["--store", &store]].concat());
    assert_eq!(ok(&["runs", "export", &store]), exported);
}

#[test]
fn a_repair_that_cannot_end_in_a_sound_store_changes_nothing() {
    let folder = Folder::new();
    let store = store(&folder, "s.db");
    let mut bytes = std::fs::read(&store).unwrap();
    let page = page_of(&store, "points") - 1;
    bytes[page * 4096..][..4096].fill(0);
    std::fs::write(&store, &bytes).unwrap();
    assert!(repair(Path::new(&store)).is_err());
    assert_eq!(std::fs::read(&store).unwrap(), bytes);
}

#[cfg(unix)]
#[test]
fn a_wal_that_cannot_be_used_is_no_silence() {
    let folder = Folder::new();
    let store = store(&folder, "s.db");
    let copy = folder.path("copy");
    std::fs::create_dir(&copy).unwrap();
    let connection = Connection::open(&store).unwrap();
    connection
        .execute_batch("PRAGMA wal_autocheckpoint = 0; UPDATE sessions SET beat = beat + 1;")
        .unwrap();
    for name in ["s.db", "s.db-wal"] {
        std::fs::copy(folder.path(name), copy.join(name)).unwrap();
    }
    drop(connection);
    let place = folder.path("disk");
    std::fs::create_dir(&place).unwrap();
    let program = assert_cmd::cargo::cargo_bin!("proxdiff")
        .display()
        .to_string();
    let link = folder.path("link.db");
    std::os::unix::fs::symlink(place.join("s.db"), &link).unwrap();
    let command = format!(
        "cp '{}'/* . && mount -o remount,ro . && for store in s.db '{}'; do for what in show verify export; do \
         {program} runs $what $store; echo status $?; done; done",
        copy.display(),
        link.display()
    );
    let Some(output) = with_small_disk(&place, 4000, &command) else {
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(text, "status 1\n".repeat(6), "{errors}");
    assert_eq!(
        errors.matches("s.db-wal holds results").count(),
        6,
        "{errors}"
    );
    // An empty one holds nothing, and where it can be used all is there.
    let command = format!(
        "cp '{0}'/s.db . && touch s.db-wal && mount -o remount,ro . && {program} runs verify s.db",
        copy.display()
    );
    let output = with_small_disk(&place, 4000, &command).unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("sound"), "{text}");
    ok(&["runs", "verify", &copy.join("s.db").display().to_string()]);
}

#[test]
fn a_merge_that_fails_leaves_nothing_and_names_the_full_disk() {
    let folder = Folder::new();
    let shards: Vec<String> = ["1/2", "2/2"]
        .iter()
        .enumerate()
        .map(|(at, shard)| {
            let store = folder.path(&format!("part-{at}.db")).display().to_string();
            let more = ["--repeats", "12", "--shard", shard, "--store", &store];
            ok(&[&SWEEP[..], &more].concat());
            store
        })
        .collect();
    let place = folder.path("disk");
    std::fs::create_dir(&place).unwrap();
    let program = assert_cmd::cargo::cargo_bin!("proxdiff")
        .display()
        .to_string();
    let command = format!(
        "{program} runs merge '{}' '{}' --out m.db; echo status $?; ls -A; \
         [ -e m.db ] && {program} runs verify m.db; true",
        shards[0], shards[1]
    );
    let mut results = Vec::new();
    for kilobytes in [200, 400, 600, 700, 800, 1000, 1400, 2000, 6000] {
        let Some(output) = with_small_disk(&place, kilobytes, &command) else {
            return;
        };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        let failed = text == "status 1\n";
        if failed {
            assert!(errors.contains("the disk is full"), "{kilobytes}: {errors}");
        } else {
            assert!(
                text.contains("status 0\nm.db\n") && text.contains("sound"),
                "{kilobytes}: {text} {errors}"
            );
        }
        results.push(failed);
    }
    // Room for the result is enough, and none is too little.
    assert!(results[0] && !results[8], "{results:?}");
    assert!(results.is_sorted_by(|a, b| a >= b), "{results:?}");
}

#[test]
fn what_a_killed_merge_has_left_is_removed_by_the_next() {
    let folder = Folder::new();
    let (one, out) = (store(&folder, "one.db"), folder.path("m.db"));
    let mut ended = Command::new("true").stdout(Stdio::null()).spawn().unwrap();
    let dead = ended.id();
    ended.wait().unwrap();
    let names = [
        format!(".m.db.{dead}.unfinished"),
        format!(".m.db.{dead}.unfinished-journal"),
        // A merge that still runs, another store's, and no merge's.
        format!(".m.db.{}.unfinished", std::process::id()),
        format!(".other.db.{dead}.unfinished"),
        ".m.db.mine.unfinished".to_string(),
    ];
    for name in &names {
        std::fs::write(folder.path(name), "x").unwrap();
    }
    ok(&["runs", "merge", &one, "--out", &out.display().to_string()]);
    let left: Vec<bool> = names.iter().map(|n| folder.path(n).exists()).collect();
    assert_eq!(left, [false, false, true, true, true]);
    assert!(
        verify(&Store::read(&out).unwrap())
            .unwrap()
            .faults
            .is_empty()
    );
    // A second name of an input is no other store.
    let hard = folder.path("hard.db");
    std::fs::hard_link(&one, &hard).unwrap();
    let line = fails(
        &["runs", "merge", &one, "--out", &hard.display().to_string()],
        1,
    );
    assert!(line.contains("both an input and the output"), "{line}");
}

#[test]
fn a_store_that_is_deleted_or_replaced_on_the_way_is_noticed() {
    let folder = Folder::new();
    let base = long_sweep(&folder);
    for replaced in [false, true] {
        let store = folder.path("gone.db");
        let words = [&base[..], &["--store".into(), store.display().to_string()]].concat();
        let child = program()
            .args(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        while finished(&store.display().to_string()).is_empty() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        for end in ["", "-wal", "-shm"] {
            std::fs::remove_file(format!("{}{end}", store.display())).unwrap();
        }
        if replaced {
            std::fs::write(&store, "another file").unwrap();
        }
        let output = child.wait_with_output().unwrap();
        let (text, errors) = (
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        );
        assert_eq!(output.status.code(), Some(1), "{errors}");
        assert!(errors.contains("was deleted or replaced"), "{errors}");
        assert!(text.contains("960 of 960 cells"), "{text}");
        assert!(!text.contains("Results are in"), "{text}");
        assert_eq!(store.exists(), replaced);
    }
}

#[test]
fn names_that_sqlite_takes_for_addresses_are_refused() {
    let folder = Folder::new();
    let slash = format!("{}/", folder.path("x.db").display());
    for name in [":memory:", "file:x.db", "file:x.db?mode=memory", &slash] {
        for words in [
            &[&SWEEP[..], &["--store", name]].concat()[..],
            &["runs", "show", name],
        ] {
            let output = program().args(words).current_dir(folder.path("")).output();
            let output = output.unwrap();
            let errors = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{name}: {errors}");
            assert!(errors.contains(" with --store"), "{errors}");
        }
    }
    assert_eq!(std::fs::read_dir(folder.path("")).unwrap().count(), 0);
    // The remedy works: it is a name as any other.
    let name = "./file:x.db?mode=memory";
    for words in [
        &[&SWEEP[..], &["--store", name]].concat()[..],
        &["runs", "verify", name],
    ] {
        let status = program()
            .args(words)
            .current_dir(folder.path(""))
            .stdout(Stdio::null())
            .status();
        assert!(status.unwrap().success());
    }
    assert!(folder.path("file:x.db?mode=memory").exists());
}

#[test]
fn who_waits_says_for_whom() {
    let folder = Folder::new();
    let store = store(&folder, "s.db");
    let connection = Connection::open(&store).unwrap();
    let elsewhere = "UPDATE units SET done = 0, digest = NULL, session = 1; DELETE FROM results;
                     UPDATE sessions SET ended = NULL, process = 4711, host = 'another';";
    connection.execute_batch(elsewhere).unwrap();
    drop(connection);
    let words = [&SWEEP[..], &["--store", &store, "--time-budget", "4.5"]].concat();
    let errors = crate::destruction::fails_with_output(&words);
    let said = "waiting for the units of process 4711 on another";
    assert_eq!(errors.matches(said).count(), 1, "{errors}");
    // A session that is nonsense holds nothing.
    let connection = Connection::open(&store).unwrap();
    connection
        .execute_batch("UPDATE sessions SET process = 'junk', beat = 'x' WHERE session = 1")
        .unwrap();
    drop(connection);
    ok(&[&SWEEP[..], &["--store", &store]].concat());
    assert_eq!(finished(&store).len(), 6);
}

#[test]
fn names_in_a_store_cannot_steer_a_terminal() {
    let folder = Folder::new();
    let store = folder.path("s.db").display().to_string();
    let name = "red \u{1b}[31m\u{9b}2J\u{7}\nsecond";
    let data = "a,\"b\u{1b}]0;x\u{7}\",y\n1,2,3\n2,1,4\n3,5,1\n4,1,2\n5,6,3\n6,2,9\n";
    let data = folder.text("d.csv", data);
    let words = [
        "sweep", &data, "--cv", "2", "--l1", "0.1", "--l2", "0.1", "--name", name,
    ];
    let mut texts = vec![ok(&[&words[..], &["--store", &store]].concat())];
    let commands: [&[&str]; 5] = [
        &["runs", "show", &store],
        &["runs", "list", &store],
        &["runs", "compare", &store, &store],
        &["runs", "verify", &store],
        &["runs", "show", "--configuration", &store],
    ];
    texts.extend(commands.iter().map(|words| ok(words)));
    for text in &texts {
        let steers = |c: char| c.is_control() && c != '\n';
        assert!(!text.contains(steers), "{text:?}");
    }
    // Where a line is one thing, a name is no second line.
    assert!(texts[..5].iter().all(|text| !text.contains("\nsecond")));
    // The configuration is what it was.
    let configuration: toml::Table = texts[5].parse().unwrap();
    assert_eq!(configuration["name"].as_str(), Some(name));
    assert!(texts[1].contains("red \\u{1b}[31m"), "{}", texts[1]);
}

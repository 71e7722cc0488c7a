//! A wall clock that jumps by years while a sweep runs, by libfaketime.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use proxdiff::store::{Store, verify};

use crate::destruction::{finished, long_sweep};
use crate::support::{Folder, ok};
use crate::table::Table;

/// The library that lies about the time; without it the test is skipped, unless
/// PROXDIFF_REQUIRE_FAKETIME is set.
fn library() -> Option<PathBuf> {
    let places = std::fs::read_dir("/usr/lib")
        .into_iter()
        .flatten()
        .flatten();
    let found = places
        .map(|place| place.path().join("faketime/libfaketime.so.1"))
        .find(|path| path.exists());
    if found.is_none() {
        assert!(
            std::env::var_os("PROXDIFF_REQUIRE_FAKETIME").is_none(),
            "libfaketime is not installed"
        );
        eprintln!("skipped: libfaketime is not installed");
    }
    found
}

#[test]
fn a_clock_that_jumps_changes_nothing() {
    let Some(library) = library() else { return };
    let folder = Folder::new();
    let base = long_sweep(&folder);
    let path = |name: &str| folder.path(name).display().to_string();
    let (undisturbed, store, clock) = (path("whole.db"), path("jumps.db"), path("clock"));
    let words = |store: &str| [&base[..], &["--store".into(), store.into()]].concat();
    ok(&words(&undisturbed)
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>());

    let mut jumps = ["+3000d\n", "-3000d\n"].iter().cycle();
    let mut jump = || {
        // In place of the old file at once: half a time is no time.
        std::fs::write(path("next"), jumps.next().unwrap()).unwrap();
        std::fs::rename(path("next"), &clock).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    };
    let start = || {
        Command::new(assert_cmd::cargo::cargo_bin!("proxdiff"))
            .args(words(&store))
            .env("LD_PRELOAD", &library)
            .env("FAKETIME_TIMESTAMP_FILE", &clock)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    jump();
    // One is killed, two go on side by side.
    let mut first = start();
    for _ in 0..10 {
        jump();
    }
    first.kill().unwrap();
    first.wait().unwrap();
    let mut others = [start(), start()];
    while others
        .iter_mut()
        .any(|child| child.try_wait().unwrap().is_none())
    {
        jump();
    }
    for child in others {
        let output = Child::wait_with_output(child).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{errors}");
    }

    // The clock did jump: units were finished years apart.
    let connection = rusqlite::Connection::open(&store).unwrap();
    let (from, to): (String, String) = connection
        .query_row(
            "SELECT MIN(finished), MAX(finished) FROM units",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    let year = |text: &str| text[..4].parse::<i32>().unwrap();
    assert!(year(&to) - year(&from) >= 15, "{from} {to}");
    assert_eq!(finished(&store).len(), 160);
    let found = verify(&Store::read(Path::new(&store)).unwrap()).unwrap();
    assert_eq!(found.faults, Vec::<String>::new());
    assert_eq!(Table::cells(&store).rows, Table::cells(&undisturbed).rows);
}

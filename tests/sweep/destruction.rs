//! What ends a sweep badly: signals, full and read-only disks, damaged files.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use proxdiff::store::{Store, verify};

use crate::support::{Folder, fails, noise, ok, program};
use crate::table::Table;

/// Arguments of a sweep of some seconds: 160 units.
pub fn long_sweep(folder: &Folder) -> Vec<String> {
    let (n, d) = (400, 30);
    let x = folder.npy("X.npy", &[n, d], &noise((n * d) as usize, 1));
    let labels: Vec<f64> = noise(n as usize, 2).iter().map(|v| v.signum()).collect();
    let y = folder.npy("y.npy", &[n], &labels);
    [
        "sweep",
        "--x",
        &x,
        "--y",
        &y,
        "--loss",
        "logistic",
        "--l1",
        "frac:1:1e-2:6",
        "--l2",
        "log:1e-3:1:40",
        "--cv",
        "4",
        "--threads",
        "2",
    ]
    .iter()
    .map(|s| (*s).to_string())
    .collect()
}

/// The finished units: number → (session, digest).
pub fn finished(store: &str) -> BTreeMap<i64, (i64, String)> {
    if !Path::new(store).exists() {
        return BTreeMap::new();
    }
    let connection = rusqlite::Connection::open(store).unwrap();
    let text = "SELECT unit, session, digest FROM units WHERE done = 1";
    let Ok(mut query) = connection.prepare(text) else {
        // Killed before the plan was written.
        return BTreeMap::new();
    };
    query
        .query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

#[test]
fn killed_fifty_times_nothing_is_lost_or_doubled() {
    let folder = Folder::new();
    let base = long_sweep(&folder);
    let undisturbed = folder.path("whole.db").display().to_string();
    let words = |store: &str| [&base[..], &["--store".into(), store.into()]].concat();
    let begin = Instant::now();
    let status = program()
        .args(words(&undisturbed))
        .stdout(Stdio::null())
        .status();
    assert!(status.unwrap().success());
    let whole = begin.elapsed();

    let store = folder.path("killed.db").display().to_string();
    // Moments from before the store is made until long after; together they leave work to the end.
    let moments = noise(50, 7);
    let mut before = BTreeMap::new();
    let (mut interrupted, mut progressed) = (0, 0);
    for moment in &moments {
        let wait = whole.mul_f64(0.06 * (moment + 1.0));
        let mut child = program()
            .args(words(&store))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(wait);
        let running = child.try_wait().unwrap().is_none();
        child.kill().unwrap();
        child.wait().unwrap();
        interrupted += usize::from(running);

        let after = finished(&store);
        for (unit, kept) in &before {
            assert_eq!(
                after.get(unit),
                Some(kept),
                "unit {unit} was lost or done again"
            );
        }
        progressed += usize::from(after.len() > before.len());
        if !after.is_empty() {
            let found = verify(&Store::read(Path::new(&store)).unwrap()).unwrap();
            assert_eq!(found.faults, Vec::<String>::new());
            assert_eq!(found.units, after.len());
        }
        before = after;
    }
    assert!(
        interrupted >= 10 && progressed >= 5,
        "{interrupted} {progressed}"
    );
    let status = program().args(words(&store)).stdout(Stdio::null()).status();
    assert!(status.unwrap().success());
    assert_eq!(Table::cells(&store).rows, Table::cells(&undisturbed).rows);
    let after = finished(&store);
    assert_eq!(after.len(), 160);
    assert!(before.iter().all(|(unit, kept)| after[unit] == *kept));
}

/// Runs a shell command in a mount namespace of its own with a small file system at `place`; `None`
/// where the system does not allow that.
pub fn with_small_disk(
    place: &Path,
    kilobytes: usize,
    command: &str,
) -> Option<std::process::Output> {
    let mount = format!(
        "mount -t tmpfs -o size={kilobytes}k tmpfs '{0}' && cd '{0}' && ",
        place.display()
    );
    let shell = |text: &str| {
        Command::new("unshare")
            .args(["-rm", "sh", "-c", text])
            .output()
    };
    let allowed = shell(&(mount.clone() + "true")).is_ok_and(|output| output.status.success());
    if !allowed {
        eprintln!("skipped: this system makes no mount namespaces");
        return None;
    }
    Some(shell(&(mount + command)).unwrap())
}

#[test]
fn a_full_disk_keeps_what_was_finished() {
    let folder = Folder::new();
    let base = long_sweep(&folder).join(" ");
    let place = folder.path("disk");
    std::fs::create_dir(&place).unwrap();
    let program = assert_cmd::cargo::cargo_bin!("proxdiff")
        .display()
        .to_string();
    let filled = folder.path("filled.db").display().to_string();
    // The store and what a crash would leave are copied out of the full file system.
    let command = format!(
        "{program} {base} --store s.db; echo status $?; cp s.db '{filled}'; \
         for part in s.db-wal s.db-shm; do [ -e $part ] && cp $part '{filled}'-${{part#s.db-}}; done; true"
    );
    let Some(output) = with_small_disk(&place, 400, &command) else {
        return;
    };
    let (text, errors) = (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    );
    assert!(text.contains("status 1"), "{text} {errors}");
    assert!(
        errors.contains("disk is full") && errors.contains("same command"),
        "{errors}"
    );
    let kept = finished(&filled);
    assert!(!kept.is_empty() && kept.len() < 160, "{} units", kept.len());
    let found = verify(&Store::read(Path::new(&filled)).unwrap()).unwrap();
    assert_eq!(found.faults, Vec::<String>::new());
    // With room again the same command goes on.
    let words: Vec<&str> = base.split(' ').chain(["--store", &filled]).collect();
    ok(&words);
    let after = finished(&filled);
    assert_eq!(after.len(), 160);
    assert!(kept.iter().all(|(unit, kept)| after[unit] == *kept));
}

#[test]
fn a_read_only_store_is_refused_but_can_be_read() {
    let folder = Folder::new();
    let place = folder.path("disk");
    std::fs::create_dir(&place).unwrap();
    let program = assert_cmd::cargo::cargo_bin!("proxdiff")
        .display()
        .to_string();
    let sweep = "sweep --cv 3 --l1 1,0.1 --l2 0.1 --store s.db";
    let command = format!(
        "{program} {sweep} > /dev/null && mount -o remount,ro . && \
         {{ {program} {sweep}; echo status $?; {program} runs export s.db | wc -l; {program} runs verify s.db; }}"
    );
    let Some(output) = with_small_disk(&place, 4000, &command) else {
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("status 1"), "{text} {errors}");
    assert!(errors.contains("cannot be written"), "{errors}");
    assert!(
        text.contains("7\n") && text.contains("sound"),
        "{text} {errors}"
    );
}

#[test]
fn a_damaged_store_is_refused_in_words() {
    let folder = Folder::new();
    let store = folder.path("s.db").display().to_string();
    let words = [
        "sweep",
        "--cv",
        "3",
        "--l1",
        "log:0.1:10:60",
        "--l2",
        "0.1",
        "--store",
        &store,
    ];
    ok(&words);
    let whole = std::fs::read(&store).unwrap();
    let mut beginning = whole.clone();
    beginning[..64].fill(b'x');
    let mut middle = whole.clone();
    let size = middle.len();
    middle[size / 3..size / 3 + 9000].fill(0x5a);
    for (bytes, parts) in [
        (beginning, ["no store", "--store"]),
        (middle, ["damaged", "copy"]),
        (whole[..size / 2].to_vec(), ["damaged", "copy"]),
        (b"l1,l2\n1,2\n".repeat(100), ["no store", "--store"]),
    ] {
        std::fs::write(&store, bytes).unwrap();
        let message = fails(&words, 1);
        for part in parts {
            assert!(message.contains(part), "{message}");
        }
    }
    std::fs::write(&store, &whole).unwrap();
    ok(&words);

    let other = folder.path("other.db").display().to_string();
    let connection = rusqlite::Connection::open(&other).unwrap();
    connection.execute_batch("CREATE TABLE t (x)").unwrap();
    drop(connection);
    let message = fails(&["sweep", "--cv", "3", "--store", &other], 1);
    assert!(message.contains("not a store of this program"), "{message}");
    let message = fails(&["sweep", "--cv", "3", "--store", "/nowhere/s.db"], 1);
    assert!(message.contains("there is no folder"), "{message}");
    assert!(fails(&["runs", "show", "/nowhere/s.db"], 1).contains("no such store"));
}

#[test]
fn leases_of_the_dead_are_taken_and_those_of_the_living_kept() {
    let folder = Folder::new();
    let store = folder.path("s.db").display().to_string();
    let sweep = ["sweep", "--cv", "3", "--l1", "1,0.1", "--l2", "0.1,1"];
    let words = [&sweep[..], &["--store", &store]].concat();
    ok(&words);
    let connection = rusqlite::Connection::open(&store).unwrap();
    // The state that a power failure leaves: a lease of a process that is gone.
    let open = "UPDATE units SET done = 0, session = 1; DELETE FROM results;
                UPDATE sessions SET ended = NULL, process_start = '1' WHERE session = 1;";
    connection.execute_batch(open).unwrap();
    ok(&words);
    let done = finished(&store);
    assert_eq!(done.len(), 6);
    assert!(done.values().all(|(session, _)| *session == 2));

    // A lease of another machine is not taken: the sweep waits, and ends when told to.
    let elsewhere = "UPDATE units SET done = 0, session = 1; DELETE FROM results;
                     UPDATE sessions SET ended = NULL, host = 'another' WHERE session = 1;";
    connection.execute_batch(elsewhere).unwrap();
    let waiting = [&words[..], &["--time-budget", "1"]].concat();
    let message = fails_with_output(&waiting);
    assert!(message.contains("0 of 12 cells"), "{message}");
    assert!(finished(&store).is_empty());

    // A clock that jumps does not matter: leases know no time of day.
    let jump =
        "UPDATE sessions SET started = '2999-01-01T00:00:00Z', host = (SELECT host FROM sessions
                WHERE session = 2) WHERE session = 1;";
    connection.execute_batch(jump).unwrap();
    ok(&words);
    assert_eq!(finished(&store).len(), 6);
}

/// Standard error of a run that prints its summary and fails.
pub fn fails_with_output(arguments: &[&str]) -> String {
    let output = crate::support::run(arguments);
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

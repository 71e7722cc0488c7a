//! Ctrl-C and its like: acknowledged at once, and what was finished kept.
#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::destruction::{finished, long_sweep};
use crate::support::{Folder, noise, ok, program};

fn start(words: &[String]) -> Child {
    program()
        .args(words)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn signal(child: &Child, name: &str) {
    let kill = Command::new("kill")
        .args([&format!("-{name}"), &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
}

/// Ends a child that a failed test leaves behind.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // Gone already, mostly.
        let _ = self.0.kill();
    }
}

/// How long a line is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// The lines of a child's standard error, as they come.
fn lines_of(child: &mut Child) -> Receiver<String> {
    let errors = BufReader::new(child.stderr.take().unwrap());
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in errors.lines().map_while(Result::ok) {
            // A test that has failed listens no more.
            let _ = sender.send(line);
        }
    });
    lines
}

/// Waits until a store has a finished unit.
fn wait_for_units(store: &str) {
    let begin = Instant::now();
    while finished(store).is_empty() && begin.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A sweep whose batches do not end: a residual of exactly zero is not reached.
fn endless_batches(folder: &Folder) -> Vec<String> {
    let (n, d) = (400, 60);
    let x = folder.npy("X.npy", &[n, d], &noise((n * d) as usize, 1));
    let labels: Vec<f64> = noise(n as usize, 2).iter().map(|v| v.signum()).collect();
    let y = folder.npy("y.npy", &[n], &labels);
    let words = format!(
        "sweep --x {x} --y {y} --loss logistic --l1 frac:0.5:1e-4:50 --l2 1e-5 --cv 2 --threads 1 \
         --solver fista --tol 0 --max-steps 1000000000"
    );
    words.split(' ').map(str::to_string).collect()
}

#[test]
fn an_interrupt_finishes_the_running_batches_and_says_how_to_resume() {
    let folder = Folder::new();
    let base = long_sweep(&folder);
    let store = folder.path("s.db").display().to_string();
    let words = [&base[..], &["--store".into(), store.clone()]].concat();
    let child = start(&words);
    wait_for_units(&store);
    signal(&child, "INT");
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    let lines: Vec<&str> = errors.lines().collect();
    assert!(
        matches!(lines[..], [first, last] if first.starts_with("interrupted: the running batches")
            && last.starts_with("error: interrupted: ") && last.contains("the same command")),
        "{errors}"
    );
    let done = finished(&store).len();
    assert!((1..160).contains(&done), "{done} units");
    let connection = rusqlite::Connection::open(&store).unwrap();
    let count = |text: &str| -> i64 { connection.query_row(text, [], |row| row.get(0)).unwrap() };
    assert_eq!(
        count("SELECT COUNT(*) FROM units WHERE done = 0 AND session IS NOT NULL"),
        0
    );
    ok(&words.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(finished(&store).len(), 160);
}

#[test]
fn a_second_interrupt_ends_at_once_and_says_how_to_resume() {
    let folder = Folder::new();
    let store = folder.path("s.db").display().to_string();
    let words = [
        &endless_batches(&folder)[..],
        &["--store".into(), store.clone()],
    ]
    .concat();
    for (session, name) in [(1, "INT"), (2, "TERM")] {
        let mut child = Ended(start(&words));
        let lines = lines_of(&mut child.0);
        // A batch begins when its units are leased.
        let begin = Instant::now();
        let leased = || {
            let connection = rusqlite::Connection::open(&store).ok()?;
            let text = "SELECT COUNT(*) FROM units WHERE session = ?1";
            connection
                .query_row(text, [session], |row| row.get::<_, i64>(0))
                .ok()
        };
        while leased().unwrap_or(0) == 0 && begin.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(5));
        }
        // Twice at the same moment is once: some programs signal a process and its group.
        signal(&child.0, name);
        signal(&child.0, name);
        let line = lines.recv_timeout(PATIENCE).unwrap();
        assert!(
            line.starts_with("interrupted: the running batches") && line.contains("again"),
            "{line}"
        );
        std::thread::sleep(Duration::from_millis(600));
        assert!(
            child.0.try_wait().unwrap().is_none(),
            "the batch had ended already"
        );
        signal(&child.0, name);
        let line = lines.recv_timeout(PATIENCE).unwrap();
        assert!(
            line.starts_with("error: ended at once; the same command goes on")
                && line.contains(&store),
            "{line}"
        );
        assert_eq!(child.0.wait().unwrap().code(), Some(1));
        assert!(lines.recv_timeout(PATIENCE).is_err(), "one line");
        assert!(finished(&store).is_empty());
    }
    let found = ok(&["runs", "verify", &store]);
    assert!(found.contains("0 units with 0 cells: sound"), "{found}");
}

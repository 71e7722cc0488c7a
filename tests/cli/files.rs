//! What is written: whole or not at all, never in the place of an input, tried before the work.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::{Folder, as_text, columns, fails, noise, ok, program, table};

/// The files of a folder and below, with their bytes.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.insert(as_text(&path), std::fs::read(&path).unwrap_or_default());
        }
    }
    found
}

/// Data, arrays, a store, a model and a configuration in a folder.
struct Inputs {
    folder: Folder,
    data: String,
    x: String,
    y: String,
    store: String,
    model: String,
}

fn inputs() -> Inputs {
    let folder = Folder::new();
    let rows = table(40, 3);
    let data = folder.text("d.csv", &columns(&rows, &["a", "b", "c", "y"]));
    let x = folder.npy("X.npy", &[40, 3], &noise(120, 1));
    let y = folder.npy("y.npy", &[40], &noise(40, 2));
    let store = as_text(&folder.path("s.db"));
    let model = as_text(&folder.path("m"));
    ok(&[
        "sweep", &data, "--cv", "2", "--l1", "0.1", "--l2", "0.1", "--store", &store,
    ]);
    ok(&["fit", &data, "--l1", "0.1", "--out", &model]);
    Inputs {
        folder,
        data,
        x,
        y,
        store,
        model,
    }
}

impl Inputs {
    fn path(&self, name: &str) -> String {
        as_text(&self.folder.path(name))
    }

    /// Refused as usage, in a line that names the flag, with every file as it was.
    fn refuses(&self, command: &str, flag: &str) {
        let before = contents(&self.folder.path("."));
        let line = fails(&command.split(' ').collect::<Vec<_>>(), 2);
        assert!(line.contains(flag), "{command}: {line}");
        assert!(
            line.contains("would overwrite it") || line.contains("would write the same"),
            "{command}: {line}"
        );
        assert!(contents(&self.folder.path(".")) == before, "{command}");
    }
}

#[test]
fn no_output_takes_the_place_of_an_input() {
    let i = inputs();
    let (data, x, y, store, model) = (&i.data, &i.x, &i.y, &i.store, &i.model);
    std::fs::hard_link(data, i.path("hard.csv")).unwrap();
    std::fs::hard_link(store, i.path("hard.db")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("d.csv", i.path("soft.csv")).unwrap();
    let (hard, hard_store) = (i.path("hard.csv"), i.path("hard.db"));
    let detour = i.path("m/../d.csv");
    for out in [data, &hard, &detour] {
        i.refuses(&format!("hypergrad {data} --l1 0.1 --out {out}"), "--out");
        i.refuses(&format!("sweep {data} --l1 0.1 --out {out}"), "--out");
        i.refuses(
            &format!("sweep {data} --cv 2 --write-config {out}"),
            "--write-config",
        );
        i.refuses(&format!("sweep {data} --cv 2 --store {out}"), "--store");
        i.refuses(
            &format!("predict {data} --model {model} --out {out}"),
            "--out",
        );
    }
    #[cfg(unix)]
    i.refuses(
        &format!("hypergrad {data} --out {}", i.path("soft.csv")),
        "--out",
    );
    for out in [store, &hard_store, &format!("{store}-wal")] {
        std::fs::write(i.path("s.db-wal"), "").unwrap();
        i.refuses(
            &format!("runs export {store} --out {out} --format csv"),
            "--out",
        );
    }
    std::fs::remove_file(i.path("s.db-wal")).unwrap();
    // Inputs that are named otherwise than by a path alone.
    let weights = i.folder.text("w.csv", &"1\n".repeat(40));
    i.refuses(
        &format!("sweep {data} --sample-weights {weights} --out {weights}"),
        "--out",
    );
    i.refuses(
        &format!("sweep {data} --cv 2 --group-column {weights} --out {weights}"),
        "--out",
    );
    i.refuses(
        &format!("sweep {data} --folds {weights} --out {weights}"),
        "--out",
    );
    // Folders that hold an input.
    let here = i.path(".");
    i.refuses(
        &format!("poison --x {x} --y {y} --budget 0.5 --out {here}"),
        "--out",
    );
    i.refuses(
        &format!("fit --x {x} --y {model}/coefficients.npy --out {model}"),
        "--out",
    );
    for file in ["coefficients.npy", "model.json"] {
        i.refuses(
            &format!("predict {data} --model {model} --out {model}/{file}"),
            "--out",
        );
        i.refuses(
            &format!("predict {data} --model {model}/model.json --out {model}/{file}"),
            "--out",
        );
    }
    for file in ["report.html", "criterion.svg", "criterion.png"] {
        let file = i.folder.text(file, &"1\n".repeat(40));
        i.refuses(
            &format!("sweep {data} --folds {file} --report {here}"),
            "--report",
        );
    }
    for name in [
        "poisoning.html",
        "poisoning-2.svg",
        "poisoning.json",
        "poisoning.png",
    ] {
        let file = i.folder.text(name, "no pictures");
        let command = format!("reproduce poisoning --images {file} --labels {y} --out {here}");
        i.refuses(&command, "--out");
    }
}

#[test]
fn a_configuration_names_inputs_and_outputs_too() {
    let i = inputs();
    let (data, store) = (&i.data, &i.store);
    let new = i.path("n.db");
    for (lines, flags, flag) in [
        (
            format!("data = '{data}'"),
            format!("--format csv --out {data}"),
            "--out",
        ),
        (
            format!("data = '{data}'\nout = '{data}'"),
            "--format csv".into(),
            "--out",
        ),
        (
            format!("data = '{data}'"),
            format!("--write-config {data}"),
            "--write-config",
        ),
        (
            format!("data = '{data}'\nstore = '{store}'"),
            format!("--format csv --out {store}"),
            "--out",
        ),
        (
            format!("data = '{data}'\nstore = '{new}'"),
            format!("--out {new}"),
            "--out",
        ),
        (
            format!("data = '{data}'\nreport = '{new}'"),
            format!("--store {new}"),
            "--store",
        ),
        // The second study reads what the run writes.
        (
            format!("example = true\n[[study]]\n[[study]]\nexample = false\ndata = '{data}'"),
            format!("--format csv --out {data}"),
            "--out",
        ),
    ] {
        let config = i
            .folder
            .text("c.toml", &format!("cv = 2\nl1 = 0.1\nl2 = 0.1\n{lines}\n"));
        i.refuses(&format!("sweep --config {config} {flags}"), flag);
        i.refuses(
            &format!("sweep --config {config} --store {config}"),
            "--store",
        );
    }
    // The configuration itself is replaced by the effective one, as before.
    let config = i.folder.text("c.toml", "cv = 2\nl1 = 0.1\nl2 = 0.1\n");
    ok(&["sweep", "--config", &config, "--write-config", &config]);
    let effective = std::fs::read_to_string(&config).unwrap();
    assert!(
        effective.contains("val-fraction") || effective.contains("repeats"),
        "{effective}"
    );
}

#[test]
fn outputs_do_not_take_each_others_places() {
    let i = inputs();
    let data = &i.data;
    let sweep = format!("sweep {data} --cv 2 --l1 0.1 --l2 0.1");
    let (a, r) = (i.path("new.db"), i.path("r"));
    i.refuses(&format!("{sweep} --store {a} --out {a}"), "--store");
    i.refuses(&format!("{sweep} --store {a} --out {a}-wal"), "--store");
    i.refuses(
        &format!("{sweep} --store {a} --write-config {a}"),
        "--store",
    );
    i.refuses(&format!("{sweep} --out {a} --write-config {a}"), "--out");
    i.refuses(&format!("{sweep} --report {r} --out {r}"), "--report");
    i.refuses(
        &format!("{sweep} --report {r} --out {r}/report.html"),
        "--report",
    );
    #[cfg(unix)]
    {
        // Names of what is not there yet.
        std::os::unix::fs::symlink("new.db", i.path("link.db")).unwrap();
        let link = i.path("link.db");
        i.refuses(&format!("{sweep} --store {a} --out {link}"), "--store");
        // What is thrown away may go to one place.
        ok(&[
            "sweep",
            data,
            "--cv",
            "2",
            "--l1",
            "0.1",
            "--l2",
            "0.1",
            "--out",
            "/dev/null",
            "--write-config",
            "/dev/null",
        ]);
    }
}

#[test]
fn a_place_that_cannot_be_written_is_told_before_anything_is_read() {
    let folder = Folder::new();
    let file = folder.text("file", "kept");
    let (missing, below) = (as_text(&folder.path("no.csv")), format!("{file}/below"));
    let nowhere = as_text(&folder.path("no/such"));
    let before = contents(&folder.path("."));
    for (command, flag) in [
        (format!("sweep {missing} --out {nowhere}"), "--out"),
        (format!("sweep {missing} --cv 2 --out {nowhere}"), "--out"),
        (
            format!(
                "sweep {missing} --cv 2 --out {}",
                as_text(&folder.path("."))
            ),
            "--out",
        ),
        (
            format!("sweep {missing} --cv 2 --store {nowhere}"),
            "--store",
        ),
        (
            format!("sweep {missing} --cv 2 --report {below}"),
            "--report",
        ),
        (
            format!("sweep {missing} --cv 2 --write-config {nowhere}"),
            "--write-config",
        ),
        (format!("hypergrad {missing} --out {nowhere}"), "--out"),
        (format!("predict {missing} --out {nowhere}"), "--out"),
        (format!("fit {missing} --out {below}"), "--out"),
        (format!("poison {missing} --out {below}"), "--out"),
        (
            format!("reproduce poisoning --images {missing} --labels {missing} --out {below}"),
            "--out",
        ),
        (
            format!("runs export {missing} --out {nowhere} --format csv"),
            "--out",
        ),
        (format!("runs report {missing} --out {below}"), "--out"),
    ] {
        let line = fails(&command.split(' ').collect::<Vec<_>>(), 1);
        assert!(line.contains("it cannot be written"), "{command}: {line}");
        assert!(
            line.contains(&format!("another place with {flag}")),
            "{command}: {line}"
        );
        assert!(contents(&folder.path(".")) == before, "{command}");
    }
    let line = fails(&["sweep", &missing, "--cv", "2", "--report", &file], 2);
    assert!(line.contains("name a directory"), "{line}");
    #[cfg(target_os = "linux")]
    for flag in ["--out", "--report", "--store", "--write-config"] {
        let line = fails(&["sweep", &missing, "--cv", "2", flag, "/proc/x"], 1);
        assert!(line.contains(flag), "{line}");
    }
}

#[test]
fn a_run_that_is_refused_leaves_nothing_and_truncates_nothing() {
    let folder = Folder::new();
    let missing = as_text(&folder.path("no.csv"));
    let kept = folder.text("kept.csv", "kept");
    let (store, report) = (as_text(&folder.path("s.db")), as_text(&folder.path("r")));
    let before = contents(&folder.path("."));
    for out in [&kept, &as_text(&folder.path("new.csv"))] {
        fails(
            &[
                "sweep", &missing, "--cv", "2", "--out", out, "--store", &store, "--report",
                &report,
            ],
            1,
        );
        fails(&["hypergrad", &missing, "--out", out], 1);
        fails(&["fit", &missing, "--out", &report], 1);
        fails(&["poison", &missing, "--out", &report], 1);
    }
    assert_eq!(contents(&folder.path(".")), before);
    assert!(!folder.path("r").exists());
}

/// Runs with a limit on the size of files, in blocks of 512 bytes, as a full disk would be one.
#[cfg(unix)]
fn with_small_files(blocks: usize, words: &[&str]) -> (Option<i32>, String, String) {
    let output = std::process::Command::new("sh")
        .args(["-c", &format!("ulimit -f {blocks}; exec \"$@\""), "sh"])
        .arg(program().get_program())
        .args(words)
        .env_remove("RUST_LOG")
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[cfg(unix)]
#[test]
fn what_cannot_be_written_whole_leaves_the_old_file_and_is_printed() {
    let folder = Folder::new();
    let (n, d) = (30, 400);
    let x = folder.npy("X.npy", &[n, d], &noise((n * d) as usize, 1));
    let y = folder.npy("y.npy", &[n], &noise(n as usize, 2));
    let data = ["--x", &x, "--y", &y, "--l1", "0.1", "--l2", "0.1"];
    let old = folder.text("old.json", "old");
    let model = as_text(&folder.path("m"));
    ok(&[&["fit"], &data[..], &["--out", &model]].concat());
    let new = folder.npy("new.npy", &[2, d], &noise(2 * d as usize, 3));
    let predictions = ok(&["predict", &new, "--model", &model, "--format", "csv"]);
    let before = contents(&folder.path("."));

    let other = ["--x", &x, "--y", &y, "--l1", "0.01", "--l2", "0.3"];
    let commands: [Vec<&str>; 4] = [
        [
            &["hypergrad"],
            &data[..],
            &["--coefficients", "--out", &old],
        ]
        .concat(),
        [&["sweep"], &data[..], &["--coefficients", "--out", &old]].concat(),
        [&["fit"], &other[..], &["--out", &model]].concat(),
        [&["poison"], &data[..], &["--steps", "1", "--out", &model]].concat(),
    ];
    for words in &commands {
        let (code, printed, errors) = with_small_files(2, words);
        assert_eq!(code, Some(1), "{words:?}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{words:?}: {errors}");
        assert!(
            errors.contains("it cannot be written"),
            "{words:?}: {errors}"
        );
        assert!(
            printed.contains("0.1") || printed.contains("0.01"),
            "{words:?}: {printed}"
        );
        assert!(!printed.contains("saved to"), "{words:?}: {printed}");
        let mut after = contents(&folder.path("."));
        // Files of a report of many files are whole one by one.
        after.retain(|name, _| before.contains_key(name) || name.contains("unfinished"));
        assert!(after == before, "{words:?}");
    }
    assert_eq!(
        ok(&["predict", &new, "--model", &model, "--format", "csv"]),
        predictions
    );

    // Also where a sweep has a summary to print.
    let report = as_text(&folder.path("r"));
    let sweep = [
        &["sweep", "--cv", "2"],
        &data[..],
        &["--out", &old, "--report", &report],
    ]
    .concat();
    let (code, printed, errors) = with_small_files(1, &sweep);
    assert_eq!(code, Some(1), "{errors}");
    assert!(
        printed.contains("l1") && printed.contains("criterion"),
        "{printed}"
    );
    assert!(errors.contains("it cannot be written"), "{errors}");
    assert_eq!(std::fs::read(&old).unwrap(), b"old");
}

#[cfg(target_os = "linux")]
#[test]
fn reading_that_waits_ends_at_the_first_interruption() {
    use std::time::{Duration, Instant};
    let folder = Folder::new();
    let pipe = as_text(&folder.path("pipe.csv"));
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    for command in ["fit", "hypergrad", "sweep", "poison"] {
        let out = as_text(&folder.path("out"));
        let mut child = program()
            .args([command, &pipe, "--out", &out])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let begin = Instant::now();
        // SIGTERM is signal 15: until the program answers it, it would end it by itself.
        let answers = || {
            let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()));
            let status = status.unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
            u64::from_str_radix(caught.unwrap().trim(), 16).unwrap() & (1 << 14) != 0
        };
        while !answers() && begin.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let kill = std::process::Command::new("kill")
            .arg(child.id().to_string())
            .status();
        assert!(kill.unwrap().success());
        let ended = loop {
            if child.try_wait().unwrap().is_some() {
                break true;
            }
            if begin.elapsed() > Duration::from_secs(60) {
                child.kill().unwrap();
                break false;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(ended, "{command}: {errors}");
        assert_eq!(output.status.code(), Some(1), "{command}: {errors}");
        assert!(
            errors.starts_with("error: interrupted before"),
            "{command}: {errors}"
        );
    }
}

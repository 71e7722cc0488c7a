//! The commands of README and docs run as they are written.
#![cfg(unix)]

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::program;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The documents for users.
fn documents() -> Vec<PathBuf> {
    let docs = std::fs::read_dir(root().join("docs")).unwrap();
    let mut documents: Vec<PathBuf> = docs.map(|entry| entry.unwrap().path()).collect();
    documents.sort();
    documents.insert(0, root().join("README.md"));
    documents
}

/// The lines of a document's shell blocks, and of the commands in its transcripts.
fn blocks(document: &Path) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(document).unwrap();
    let (mut blocks, mut block) = (Vec::new(), Vec::new());
    let mut kind: Option<&str> = None;
    for line in text.lines() {
        match (kind, line.strip_prefix("```")) {
            (None, name) => kind = name,
            (Some(_), Some(_)) => {
                kind = None;
                blocks.push(std::mem::take(&mut block));
            }
            (Some("sh"), None) => block.push(line.to_string()),
            (Some(_), None) => block.extend(line.strip_prefix("$ ").map(str::to_string)),
        }
    }
    blocks.retain(|block: &Vec<String>| block.iter().any(|line| line.contains("proxdiff")));
    blocks
}

/// A clone: the files that the commands name, and an empty folder for what they write.
fn clone_of(folder: &Path) {
    for name in ["src", "tests", "examples"] {
        symlink(root().join(name), folder.join(name)).unwrap();
    }
    // In place of what examples/mnist.sh obtains.
    std::fs::create_dir(folder.join("mnist")).unwrap();
    for (from, to) in [
        ("images", "train-images-idx3-ubyte"),
        ("labels", "train-labels-idx1-ubyte"),
    ] {
        let from = root().join(format!("src/data/embedded/digits-{from}.idx.gz"));
        std::fs::copy(from, folder.join("mnist").join(to)).unwrap();
    }
    std::fs::create_dir_all(folder.join(".local/share/bash-completion/completions")).unwrap();
}

/// Of a line the parts that are not the program's are left out, and experiments are made small.
fn made_small(line: &str) -> String {
    let starts = |word: &str| line.trim_start().starts_with(word);
    if ["cargo", "python3", "sh "].iter().any(|word| starts(word)) {
        return String::new();
    }
    if line.contains("log:0.1:10:100 --l2 log:1e-3:1:100") {
        return line.replace(":100", ":10");
    }
    let small = match line {
        _ if line.contains("reproduce stochastic") => " --runs 1 --steps 20 --samples 500",
        _ if line.contains("reproduce poisoning") => " --runs 1 --steps 20 --minibatch 50",
        _ => return line.to_string(),
    };
    let (command, rest) = line.split_once(" --out").unwrap();
    format!("{command}{small} --out{rest}")
}

fn has_gpu() -> bool {
    let output = program().arg("devices").output().unwrap();
    String::from_utf8_lossy(&output.stdout).contains("vulkan")
}

#[test]
fn commands_of_the_documents_run_as_written() {
    let binary = PathBuf::from(program().get_program());
    let path = std::env::join_paths(
        std::iter::once(binary.parent().unwrap().to_path_buf())
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    )
    .unwrap();
    let mut commands = 0;
    let documents = documents();
    let mut clone = tempfile::tempdir().unwrap();
    let mut of = None;
    for (document, block) in documents.iter().flat_map(|document| {
        blocks(document)
            .into_iter()
            .map(move |block| (document, block))
    }) {
        // Every document can be followed alone.
        if of != Some(document) {
            clone = tempfile::tempdir().unwrap();
            clone_of(clone.path());
            of = Some(document);
        }
        let script = block
            .iter()
            .map(|line| made_small(line))
            .collect::<Vec<_>>()
            .join("\n");
        // A placeholder stands for each of the methods.
        let scripts: Vec<String> = if script.contains("METHOD") {
            ["direct", "aid-cg", "aid-fp", "itd-forward", "itd-reverse"]
                .iter()
                .map(|method| script.replace("METHOD", method))
                .collect()
        } else {
            vec![script]
        };
        for script in scripts {
            if script.contains("--device gpu") && !has_gpu() {
                continue;
            }
            commands += script.matches("proxdiff ").count();
            let output = Command::new("bash")
                .args(["-e", "-c", &script])
                .current_dir(clone.path())
                .env("PATH", &path)
                .env("HOME", clone.path())
                .env_remove("RUST_LOG")
                .output()
                .unwrap();
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.success(),
                "{}: {script}\n{errors}",
                document.display()
            );
        }
    }
    // Three of them need a device.
    assert!(commands >= 27, "{commands} commands found");
}

/// True for words that say the same: the last digits, and residuals at rounding, are the machine's.
fn agree(shown: &str, found: &str) -> bool {
    let numbers = (shown.parse::<f64>(), found.parse::<f64>());
    shown == found
        || matches!(numbers, (Ok(a), Ok(b)) if (a - b).abs() <= (1e-3 * a.abs()).max(1e-9))
}

#[test]
fn the_readme_shows_what_its_commands_print() {
    let clone = tempfile::tempdir().unwrap();
    clone_of(clone.path());
    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    let transcripts = text.split("```text\n").skip(1);
    let mut lines = 0;
    for transcript in transcripts.map(|rest| rest.split("```").next().unwrap()) {
        for shown in transcript.split("$ proxdiff ").skip(1) {
            let (command, shown) = shown.split_once('\n').unwrap();
            let arguments: Vec<&str> = command.split(' ').collect();
            let output = program()
                .args(arguments)
                .current_dir(clone.path())
                .output()
                .unwrap();
            let found = String::from_utf8(output.stdout).unwrap();
            let words = |text: &str| -> Vec<String> {
                text.split_whitespace().map(str::to_string).collect()
            };
            for line in shown.lines() {
                let shown = words(line);
                let is_found = found.lines().any(|line| {
                    let found = words(line);
                    found.len() == shown.len() && shown.iter().zip(&found).all(|(a, b)| agree(a, b))
                });
                assert!(is_found, "{line}\nis not printed by {command}:\n{found}");
                lines += 1;
            }
        }
    }
    assert!(lines > 10, "{lines} lines compared");
}

/// The figure's script, in a clone with a program that answers at once.
#[test]
fn the_figure_never_takes_the_place_of_a_tracked_file() {
    let python = |folder: &Path, arguments: &[&str]| {
        let script = folder.join("examples/figure.py");
        let mut command = Command::new("python3");
        command
            .arg(script)
            .args(arguments)
            .current_dir(folder)
            .output()
    };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::create_dir_all(folder.join("examples/figures")).unwrap();
    std::fs::copy(
        root().join("examples/figure.py"),
        folder.join("examples/figure.py"),
    )
    .unwrap();
    let tracked = folder.join("examples/figures/hypergradient_error.svg");
    std::fs::write(&tracked, "as published").unwrap();
    let answer =
        r#"{"points": [{"hypergradient": {"l1": 1.0, "l2": 2.0}, "coefficients": [0.5, 0.0]}]}"#;
    // An error that is not zero can be drawn: the second decimal depends on the steps.
    let stub = format!(
        "#!/bin/sh\ncase \"$*\" in *--max-steps*) echo '{}';; *) echo '{answer}';; esac\n",
        answer.replace("2.0", "2.5")
    );
    let binary = folder.join("stub");
    std::fs::write(&binary, stub).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&binary, mode).unwrap();
    let git = |arguments: &[&str]| {
        Command::new("git")
            .args(arguments)
            .current_dir(folder)
            .output()
    };
    let (Ok(init), Ok(_)) = (
        git(&["init", "-q"]),
        Command::new("python3").arg("-V").output(),
    ) else {
        eprintln!("neither git nor python3: nothing is tested");
        return;
    };
    assert!(init.status.success());
    assert!(git(&["add", "examples"]).unwrap().status.success());

    let binary = binary.to_str().unwrap();
    let output = python(folder, &[binary]).unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let written = text
        .lines()
        .find_map(|line| line.strip_prefix("written: "))
        .unwrap();
    assert!(
        std::fs::read_to_string(written)
            .unwrap()
            .starts_with("<svg")
    );
    assert_eq!(std::fs::read_to_string(&tracked).unwrap(), "as published");

    let output = python(folder, &[binary, tracked.to_str().unwrap()]).unwrap();
    assert!(!output.status.success());
    assert_eq!(std::fs::read_to_string(&tracked).unwrap(), "as published");
}

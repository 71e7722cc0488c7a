//! Remedies can be followed: every flag that a message names is one of the command that prints it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::support::{Folder, as_text, columns, ok, run, table};

/// The long flags in a text.
fn flags(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("--") {
        let before = text[..at].chars().next_back();
        let name: String = text[at + 2..]
            .chars()
            .take_while(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-')
            .collect();
        let name = name.trim_end_matches('-');
        let starts = before.is_none_or(|c| !c.is_alphanumeric() && c != '-');
        if starts && name.starts_with(|c: char| c.is_ascii_lowercase()) {
            found.insert(format!("--{name}"));
        }
    }
    found
}

const COMMANDS: [&str; 14] = [
    "fit",
    "predict",
    "hypergrad",
    "sweep",
    "tune",
    "influence",
    "clean",
    "meta",
    "runs",
    "poison",
    "reproduce",
    "devices",
    "compress",
    "completions",
];

/// The flags of every command, those of its subcommands too.
fn flags_of_commands() -> BTreeMap<&'static str, BTreeSet<String>> {
    let help = |command: &'static str| {
        let text = ok(&[command, "--help"]);
        let mut all = flags(&text);
        let names = text
            .lines()
            .skip_while(|line| *line != "Commands:")
            .skip(1)
            .take_while(|line| !line.is_empty());
        for name in names.filter_map(|line| line.split_whitespace().next()) {
            if name != "help" {
                all.extend(flags(&ok(&[command, name, "--help"])));
            }
        }
        (command, all)
    };
    COMMANDS.into_iter().map(help).collect()
}

fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            // Comments are not messages.
            let code: Vec<&str> = code
                .lines()
                .filter(|l| !l.trim_start().starts_with("//"))
                .collect();
            found.push((
                path.display().to_string().replace('\\', "/"),
                code.join("\n"),
            ));
        }
    }
}

#[test]
fn flags_in_the_sources_exist() {
    let of_commands = flags_of_commands();
    let all: BTreeSet<&String> = of_commands.values().flatten().collect();
    let mut files = Vec::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut files,
    );
    let mut wrong = Vec::new();
    let mut seen = 0;
    // Style sheets have names of the same form.
    files.retain(|(file, _)| !file.ends_with("/src/report/html.rs"));
    for (file, code) in &files {
        for flag in flags(code) {
            seen += 1;
            if !all.contains(&flag) {
                wrong.push(format!("{file}: no command has {flag}"));
            }
            // What reads data speaks to every command that does; only predict has no targets.
            let reads = file.contains("/src/data/readers/");
            for command in ["fit", "hypergrad", "sweep", "poison", "predict"] {
                // A model has chosen its features.
                let of_training = ["--y", "--categorical", "--drop", "--only", "--missing"];
                let excepted = command == "predict" && of_training.contains(&flag.as_str());
                if reads && !excepted && !of_commands[command].contains(&flag) {
                    wrong.push(format!("{file}: {command} has no {flag}"));
                }
            }
            let own = file
                .rsplit_once("/src/cli/commands/")
                .map(|(_, name)| name.trim_end_matches(".rs"));
            if let Some(own) = own.and_then(|name| of_commands.get(name))
                && !own.contains(&flag)
                // Examples show other commands too.
                && !code.contains(&format!("proxdiff fit {flag}"))
            {
                wrong.push(format!("{file}: its command has no {flag}"));
            }
        }
    }
    assert!(seen > 100, "{seen} flags seen");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn flags_in_messages_are_those_of_the_command() {
    let of_commands = flags_of_commands();
    let folder = Folder::new();
    let text = columns(&table(30, 23), &["a", "b", "c", "y"]);
    let rows: String = text
        .lines()
        .skip(1)
        .map(|line| format!("{line}\n"))
        .collect();
    let file = folder.text("data.csv", &text);
    let plain = folder.text("plain.csv", &rows);
    let odd = folder.text("table.data", &text);
    let ragged = folder.text("ragged.csv", "a,b\n1,2\n3\n");
    let narrow = folder.text("narrow.csv", "a\n1\n2\n");
    let words = folder.text("words.csv", "a,b,y\n1,2,3\nx,5,6\n");
    let quotes = folder.text("quotes.csv", "a,b,y\n1,2,\"3\n4,5,6\n");
    let index = folder.text(
        "index.csv",
        ",a,b,c,y\n0,1,2,3,4\n1,3,4,5,1\n2,5,7,8,1\n3,1,9,8,2\n",
    );
    let unclear = folder.text("unclear.csv", "0,1\n3,2\n5,4\n1,3\n2,2\n4,5\n");
    let page = folder.text("page.csv", "<!DOCTYPE html><html>");
    let zip = folder.path("arrays.csv");
    std::fs::write(&zip, b"PK\x03\x04 .npy").unwrap();
    let zip = as_text(&zip);
    let model = as_text(&folder.path("model"));
    ok(&["fit", &file, "--l1", "0.1", "--l2", "0.1", "--out", &model]);
    let inputs = [
        &odd, &ragged, &narrow, &words, &quotes, &index, &unclear, &page, &zip, &plain,
    ];
    let mut messages = 0;
    let mut check = |arguments: &[&str]| {
        let output = run(arguments);
        let text = String::from_utf8(output.stderr).unwrap();
        messages += usize::from(!text.is_empty());
        // A path is no flag.
        let text = text.replace(&as_text(&folder.path("")), "");
        for flag in flags(&text) {
            // Another command is named in full.
            let is_of = |name: &&&str| text.contains(&format!("proxdiff {name} {flag}"));
            let command = COMMANDS.iter().find(is_of).unwrap_or(&arguments[0]);
            assert!(
                of_commands[command].contains(&flag),
                "{arguments:?}: no {flag}: {text}"
            );
        }
    };
    let out = as_text(&folder.path("other"));
    for input in inputs {
        check(&["predict", input, "--model", &model]);
        check(&["predict", input, "--model", &model, "--header", "no"]);
        check(&["fit", input, "--l1", "0.1", "--out", &out]);
        check(&[
            "fit", input, "--l1", "0.1", "--target", "gone", "--out", &out,
        ]);
        check(&["hypergrad", input, "--l1", "0.1", "--loss", "logistic"]);
        check(&["hypergrad", "--x", input, "--y", &narrow, "--l1", "0.1"]);
        check(&[
            "hypergrad",
            &file,
            "--l1",
            "0.1",
            "--loss",
            "multinomial",
            "--class-weights",
            "z=1",
        ]);
        check(&["hypergrad", "--x", &file, "--x-val", input, "--l1", "0.1"]);
        check(&["sweep", input, "--l1", "0.1", "--cv", "50"]);
        check(&["sweep", &file, "--l1", "0.1", "--folds", input]);
        check(&[
            "sweep",
            &file,
            "--l1",
            "0.1",
            "--cv",
            "3",
            "--group-column",
            input,
        ]);
        check(&[
            "poison",
            input,
            "--budget",
            "0.1",
            "--steps",
            "1",
            "--restarts",
            "1",
            "--out",
            &out,
        ]);
        check(&[
            "fit",
            &file,
            "--l1",
            "0.1",
            "--sample-weights",
            input,
            "--out",
            &out,
        ]);
        check(&["fit", &file, "--l1", "0.1", "--prior", input, "--out", &out]);
    }
    check(&["predict", &file, "--model", &out, "--proba"]);
    check(&["fit"]);
    check(&["fit", &file, "--l1", "x"]);
    check(&["fit", &file, "--penalty", "group"]);
    check(&["fit", &file, "--penalty", "weighted"]);
    check(&["fit", &file, "--penalty", "box"]);
    check(&[
        "hypergrad",
        &file,
        "--method",
        "itd-reverse",
        "--solver",
        "fista",
    ]);
    check(&["sweep", &file, "--alpha", "1", "--penalty", "box"]);
    check(&["sweep", &file, "--l1", "log:0:1:3"]);
    check(&["runs", "show", &as_text(&folder.path("none.db"))]);
    check(&["devices", "--device", "17"]);
    assert!(messages > 100, "{messages} messages seen");
}

//! Bad input, and configuration files.

use serde_json::Value;

use crate::support::{Folder, as_text, columns, fails, json, table};

#[test]
fn bad_input_is_one_line_with_its_remedy() {
    let folder = Folder::new();
    let text = table(30, 2);
    let file = folder.text("data.csv", &columns(&text, &["a", "b", "c", "y"]));
    let labels = folder.text("labels.csv", &columns(&text, &["a", "b", "c", "label"]));
    let numbers: Vec<String> = (0..30)
        .map(|i| if i == 0 { "0" } else { "-1" }.to_string())
        .collect();
    let one_row = folder.text("folds.txt", &(numbers.join("\n") + "\n"));
    let groups: Vec<String> = text
        .lines()
        .skip(1)
        .map(|line| if line.contains("yes") { "0" } else { "1" }.to_string())
        .collect();
    let by_class = folder.text("classes.txt", &(groups.join("\n") + "\n"));
    for (flags, status, messages) in [
        (
            vec!["--start", "l1=5", "--bounds", "l1=0.1:1"],
            1,
            ["outside its bounds", "start within"],
        ),
        (vec!["--start", "l1=0"], 2, ["l1=0", "greater than zero"]),
        (
            vec!["--bounds", "l1=1:1"],
            1,
            ["leaves nothing to tune", "larger one"],
        ),
        (vec!["--bounds", "l1=2:1"], 2, ["l1=2:1", "LO at most HI"]),
        (
            vec!["--bounds", "l1=0:1"],
            1,
            ["greater than zero", "logarithmic"],
        ),
        (
            vec!["--bounds", "l2=-1:1"],
            1,
            ["greater than zero", "logarithmic"],
        ),
        (vec!["--bounds", "0.1:1"], 2, ["NAME=VALUE", "l1=0.1"]),
        (
            vec!["--bounds", "l1=0.1:1,l1=0.2:1"],
            2,
            ["twice", "keep one"],
        ),
        (vec!["--tune", "l3"], 2, ["'l3' is not known", "l1, l2"]),
        (vec!["--tune", "l1,l1"], 1, ["named twice", "once"]),
        (
            vec!["--tune", "l1", "--bounds", "l2=0.1:1"],
            2,
            ["not tuned", "add it to --tune"],
        ),
        (
            vec!["--tune", "l1", "--start", "l2=0.1"],
            2,
            ["not tuned", "leave it out"],
        ),
        (
            vec!["--l1", "0.1"],
            2,
            ["--l1 fixes what is tuned", "--start l1="],
        ),
        (
            vec!["--tune", "l1", "--l2", "0.1,0.2"],
            2,
            ["--l2 gives 2 values", "give one"],
        ),
        (
            vec!["--max-evaluations", "0"],
            2,
            ["max-evaluations", "1 or more"],
        ),
        (
            vec!["--penalty", "box", "--box", "0:1", "--tune", "l1"],
            1,
            ["does not depend on it", "l2"],
        ),
        (
            vec!["--folds", &one_row, "--test-fraction", "0.2"],
            2,
            ["--test-fraction", "--x-test"],
        ),
        (vec!["--target", "a,y"], 2, ["one target", "--target"]),
    ] {
        let arguments: Vec<&str> = ["tune", &file]
            .into_iter()
            .chain(flags.iter().copied())
            .collect();
        let line = fails(&arguments, status);
        for message in messages {
            assert!(line.contains(message), "{arguments:?}: {line}");
        }
    }
    // A fold without a class.
    let line = fails(
        &["tune", &labels, "--loss", "logistic", "--folds", &by_class],
        1,
    );
    assert!(
        line.contains("1 of 2 classes") && line.contains("--stratified"),
        "{line}"
    );
    // Without a target that varies nothing depends on l1.
    let flat: String = text
        .lines()
        .map(|line| format!("{},1\n", line.split(',').next().unwrap()))
        .collect();
    let flat = folder.text("flat.csv", &flat.replacen("a,1", "a,t", 1));
    let output = crate::support::run(&["tune", &flat]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("does not depend on it") && said.contains("varies"),
        "{said}"
    );
}

#[test]
fn a_configuration_file_holds_the_flags() {
    let folder = Folder::new();
    let file = folder.text("data.csv", &columns(&table(40, 3), &["a", "b", "c", "y"]));
    let text = format!(
        "data = {file:?}\ncv = 4\nno-intercept = true\n[tuning]\ntune = [\"l1\", \"l2\"]\nbounds = \"l1=0.001:1\"\n"
    );
    let config = folder.text("tune.toml", &text);
    let written = as_text(&folder.path("effective.toml"));
    let found = json(&["tune", "--config", &config, "--write-config", &written]);
    let flags = [
        "tune",
        &file,
        "--cv",
        "4",
        "--no-intercept",
        "--bounds",
        "l1=0.001:1",
    ];
    assert_eq!(found, json(&flags));
    assert_eq!(found["intercept"], Value::Null);
    // The effective configuration makes the same tuning, and flags win.
    assert_eq!(json(&["tune", "--config", &written]), found);
    let other = json(&[
        "tune",
        "--config",
        &config,
        "--no-intercept=false",
        "--max-evaluations",
        "20",
    ]);
    assert!(other["intercept"].is_number() && other["evaluations"].as_u64().unwrap() <= 20);
    let wrong = folder.text("wrong.toml", "bound = \"l1=0.001:1\"\n");
    let line = fails(&["tune", "--config", &wrong], 1);
    assert!(
        line.contains("there is no setting \"bound\"") && line.contains("proxdiff tune"),
        "{line}"
    );
    let two = folder.text("two.toml", "[[study]]\ncv = 3\n[[study]]\ncv = 4\n");
    let line = fails(&["tune", "--config", &two], 2);
    assert!(line.contains("one study"), "{line}");
}

//! Parquet files in the place of CSV files: the same commands, the same bytes of output.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Folder, as_text, fails, ok, program, warned};

/// The same table in both formats, with missing cells or without.
struct Table {
    csv: String,
    parquet: String,
}

fn table(name: &str) -> Table {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    Table {
        csv: as_text(&root.join(format!("readers/tables/{name}.csv"))),
        parquet: as_text(&root.join(format!("fuzz/corpus/parquet/{name}.parquet"))),
    }
}

/// What a command prints, with the file's name and without times.
fn printed(arguments: &[&str], file: &str) -> String {
    let arguments: Vec<&str> = arguments
        .iter()
        .map(|&argument| if argument == "FILE" { file } else { argument })
        .collect();
    ok(&arguments).replace(file, "FILE")
}

const NUMBERS: &str = "float32,decimal,flag,float64";

#[test]
fn every_flag_of_tables_means_the_same_for_both_formats() {
    let folder = Folder::new();
    let Table { csv, parquet } = table("types");
    let column = |name: &str, values: &dyn Fn(usize) -> String| {
        let values: Vec<String> = (0..40).map(values).collect();
        folder.text(name, &format!("v\n{}\n", values.join("\n")))
    };
    let folds = column("folds.csv", &|i| (i % 4).to_string());
    let common = ["--target", "y", "--l1", "0.01", "--l2", "0.1"];
    let cases: &[&[&str]] = &[
        &["fit", "FILE", "--only", NUMBERS, "--folds", &folds],
        &[
            "hypergrad",
            "FILE",
            "--only",
            "city,kind,float64",
            "--categorical",
            "city,kind",
        ],
        &[
            "hypergrad",
            "FILE",
            "--only",
            "float64,flag",
            "--offset",
            "decimal",
        ],
        &[
            "hypergrad",
            "FILE",
            "--only",
            "float64,flag",
            "--sample-weights",
            "uint8",
        ],
        &[
            "sweep",
            "FILE",
            "--only",
            NUMBERS,
            "--group-column",
            "int8",
            "--cv",
            "3",
        ],
    ];
    for case in cases {
        // The JSON of a sweep has times.
        let format = if case[0] == "sweep" { "csv" } else { "json" };
        let arguments = [*case, &common, &["--format", format]].concat();
        let (found, expected) = (printed(&arguments, &parquet), printed(&arguments, &csv));
        assert_eq!(found, expected, "{case:?}");
    }
}

#[test]
fn missing_cells_are_filled_the_same_way() {
    let Table { csv, parquet } = table("nulls");
    let found = |file: &str, missing: &str| {
        let arguments = [
            "hypergrad",
            file,
            "--target",
            "y",
            "--only",
            "float64,decimal,kind",
            "--categorical",
            "kind",
            "--missing",
            missing,
            "--l1",
            "0.01",
            "--l2",
            "0.1",
        ];
        let (record, warning) = warned(&arguments);
        let named = |text: String| text.replace(file, "FILE");
        (named(record.to_string()), named(warning))
    };
    for missing in ["mean", "median", "drop", "indicator"] {
        let (own, of_text) = (found(&parquet, missing), found(&csv, missing));
        assert_eq!(own, of_text, "{missing}");
        assert_eq!(own.1.is_empty(), missing != "drop");
    }
    let arguments = [
        "fit", &parquet, "--target", "y", "--only", "float64", "--l1", "0.01",
    ];
    let message = fails(&arguments, 1);
    for part in [
        "nulls.parquet, column 11 (\"float64\")",
        "row ",
        "--missing",
    ] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_model_of_one_format_predicts_rows_of_the_other() {
    let folder = Folder::new();
    let Table { csv, parquet } = table("types");
    let model = as_text(&folder.path("m"));
    let flags = [
        "--target",
        "y",
        "--only",
        "float64,city,flag",
        "--categorical",
        "city",
        "--l1",
        "0.01",
    ];
    ok(&[&["fit", &csv, "--out", &model], &flags[..]].concat());
    let predict = |file: &str| {
        ok(&[
            "predict", file, "--model", &model, "--id", "int64", "--target", "y", "--format",
            "json",
        ])
    };
    assert_eq!(predict(&parquet), predict(&csv));
}

#[test]
fn standard_input_is_recognised() {
    let Table { parquet, .. } = table("types");
    let flags = [
        "--target", "y", "--only", NUMBERS, "--l1", "0.01", "--l2", "0.1", "--format", "json",
    ];
    let expected = printed(&[&["hypergrad", "FILE"], &flags[..]].concat(), &parquet);
    let mut piped = program();
    piped.arg("hypergrad").arg("-").args(flags);
    let mut piped = piped
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let bytes = std::fs::read(&parquet).unwrap();
    piped.stdin.take().unwrap().write_all(&bytes).unwrap();
    let output = piped.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let found = String::from_utf8(output.stdout).unwrap();
    assert_eq!(found.replace("standard input", "FILE"), expected);
}

#[cfg(unix)]
#[test]
fn pipes_with_a_name_are_recognised() {
    let Table { parquet, .. } = table("types");
    let flags = [
        "--target", "y", "--only", NUMBERS, "--l1", "0.01", "--l2", "0.1", "--format", "json",
    ];
    let expected = printed(&[&["hypergrad", "FILE"], &flags[..]].concat(), &parquet);
    let folder = Folder::new();
    let pipe = as_text(&folder.path("pipe"));
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let bytes = std::fs::read(&parquet).unwrap();
    let to = pipe.clone();
    let writer = std::thread::spawn(move || std::fs::write(to, bytes).unwrap());
    let found = printed(&[&["hypergrad", "FILE"], &flags[..]].concat(), &pipe);
    writer.join().unwrap();
    assert_eq!(found, expected);
}

#[test]
fn an_export_is_read_back() {
    let folder = Folder::new();
    let store = as_text(&folder.path("s.db"));
    let (csv, parquet) = (
        as_text(&folder.path("c.csv")),
        as_text(&folder.path("c.parquet")),
    );
    ok(&[
        "sweep",
        "--example",
        "--cv",
        "3",
        "--l1",
        "0.1,1",
        "--l2",
        "0.1,0.2",
        "--store",
        &store,
    ]);
    for out in [&csv, &parquet] {
        ok(&["runs", "export", &store, "--out", out]);
    }
    let arguments = [
        "hypergrad",
        "FILE",
        "--target",
        "criterion",
        "--only",
        "l1,l2,fold,support,mse",
        "--l1",
        "0.01",
        "--l2",
        "0.1",
        "--format",
        "json",
    ];
    assert_eq!(printed(&arguments, &parquet), printed(&arguments, &csv));
}

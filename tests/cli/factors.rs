//! Columns of text, columns that are left out, and texts in other forms, through the commands.

use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Folder, as_text, assert_close, fails, json, numbers, program, warned, words};

/// A table with a factor, a flag and an id; the rows with `keep` alone.
fn cities(keep: &dyn Fn(usize) -> bool) -> String {
    let rows = (0..40).filter(|&i| keep(i)).map(|i| {
        let city = ["Wien", "Graz", "Linz"][i * 7 % 3];
        let member = ["True", "False"][i % 2];
        let (age, noise) = ((i * 13 % 40) as f64, (i * 29 % 11) as f64);
        let y = age + 5.0 * (i * 7 % 3) as f64 + 0.1 * noise;
        format!("p{i},{age},{city},{member},{y}\n")
    });
    format!("who,age,city,member,y\n{}", rows.collect::<String>())
}

/// The JSON of a run that warns in one line, and that line.
fn warned_once(arguments: &[&str]) -> (Value, String) {
    let (report, errors) = warned(arguments);
    assert_eq!(errors.lines().count(), 1, "{errors}");
    (report, errors)
}

#[test]
fn a_factor_is_fitted_as_its_indicators_and_kept_in_the_model() {
    let folder = Folder::new();
    let file = folder.text("cities.csv", &cities(&|_| true));
    let out = as_text(&folder.path("model"));
    let at = |model| words("--l1 0.01 --l2 0.1 --coefficients --out {}", &[model]);
    let (report, line) = warned_once(&[&["fit", &file, "--drop", "who"][..], &at(&out)].concat());
    assert!(
        line.contains("\"city\" (3 levels)") && line.contains("--categorical none"),
        "{line}"
    );
    let names = ["age", "city=Graz", "city=Linz", "city=Wien", "member"];
    assert_eq!(report["problem"]["features"], 5);
    let head = std::fs::read_to_string(folder.path("model").join("model.json")).unwrap();
    let head: Value = serde_json::from_str(&head).unwrap();
    assert_eq!(head["feature_names"], serde_json::json!(names));
    assert_eq!(
        head["factors"][0]["levels"],
        serde_json::json!(["Graz", "Linz", "Wien"])
    );

    // The same by hand.
    let by_hand = cities(&|_| true);
    let by_hand: String = by_hand
        .lines()
        .skip(1)
        .map(|line| {
            let f: Vec<&str> = line.split(',').collect();
            let is = |level: &str| u8::from(f[2] == level);
            let member = u8::from(f[3] == "True");
            let (graz, linz, wien) = (is("Graz"), is("Linz"), is("Wien"));
            format!("{},{graz},{linz},{wien},{member},{}\n", f[1], f[4])
        })
        .collect();
    let by_hand = folder.text("hand.csv", &format!("{},y\n{by_hand}", names.join(",")));
    let other = as_text(&folder.path("other"));
    let expected = json(&[&["fit", &by_hand][..], &at(&other)].concat());
    let coefficients = |report: &Value| numbers(&report["points"][0]["coefficients"]);
    assert_eq!(coefficients(&report), coefficients(&expected));

    let new = folder.text(
        "new.csv",
        "member,city,age,who\nTrue,Wien,3,n1\nFalse,Graz,4,n2\n",
    );
    let predict = ["predict", &new, "--model", &out];
    let found = json(&[&predict[..], &["--id", "who"]].concat());
    assert_eq!(found["ids"], serde_json::json!(["n1", "n2"]));
    let hand = folder.text(
        "new-hand.csv",
        &format!("{}\n3,0,0,1,1\n4,1,0,0,0\n", names.join(",")),
    );
    let expected = json(&["predict", &hand, "--model", &other]);
    assert_eq!(found["targets"], expected["targets"]);
    let unknown = folder.text("unknown.csv", "member,city,age\nTrue,Salzburg,3\n");
    let predict = ["predict", &unknown, "--model", &out];
    let line = fails(&predict, 1);
    assert!(
        line.contains("Salzburg") && line.contains("--unknown-levels zeros"),
        "{line}"
    );
    json(&[&predict[..], &["--unknown-levels", "zeros"]].concat());
}

#[test]
fn folds_and_validation_files_take_the_levels_of_all_training_rows() {
    let folder = Folder::new();
    let file = folder.text("cities.csv", &cities(&|_| true));
    let sweep = [
        "sweep", &file, "--id", "who", "--cv", "4", "--l1", "0.1", "--l2", "0.1",
    ];
    let (swept, _) = warned_once(&sweep);
    assert_eq!(numbers(&swept["best"]["criteria"]).len(), 4);
    // The validation rows have two of the three levels.
    let some = folder.text("val.csv", &cities(&|i| i * 7 % 3 != 1));
    let at = ["--l1", "0.1", "--l2", "0.1", "--drop", "who"];
    let (report, line) = warned_once(&[&["hypergrad", &file, "--x-val", &some][..], &at].concat());
    assert!(line.contains("cities.csv"), "{line}");
    assert_eq!(report["problem"]["features"], 5);
    let criterion = |report: &Value| report["points"][0]["criterion"].as_f64().unwrap();
    // The rows that they are among the training rows, in another order of columns.
    let turned: String = cities(&|i| i * 7 % 3 != 1)
        .lines()
        .map(|line| {
            let f: Vec<&str> = line.split(',').collect();
            format!("{},{},{},{},{}\n", f[2], f[4], f[3], f[0], f[1])
        })
        .collect();
    let turned = folder.text("turned.csv", &turned);
    let (other, _) = warned_once(&[&["hypergrad", &file, "--x-val", &turned][..], &at].concat());
    assert_eq!(criterion(&other), criterion(&report));
    // Rows of one city are held out together, as by a file of the cities.
    let groups: Vec<&str> = (0..40)
        .map(|i| ["Wien", "Graz", "Linz"][i * 7 % 3])
        .collect();
    let groups = folder.text("groups.csv", &groups.join("\n"));
    let sweep = ["sweep", &file, "--cv", "3", "--l1", "0.1", "--l2", "0.1"];
    let criteria = |flags: &[&str]| {
        let (report, _) = warned(&[&sweep[..], flags].concat());
        numbers(&report["best"]["criteria"])
    };
    let grouped = criteria(&["--id", "who", "--group-column", "city"]);
    let by_file = ["--drop", "who,city", "--group-column", &groups];
    assert_eq!(grouped, criteria(&by_file));
    assert_ne!(grouped, criteria(&["--drop", "who,city"]));
}

#[test]
fn flags_of_columns_that_cannot_be_are_one_line() {
    let folder = Folder::new();
    let file = folder.text("cities.csv", &cities(&|_| true));
    for (flags, parts) in [
        (&["--drop", "town"][..], &["\"town\"", "\"city\""][..]),
        (&["--only", "town"], &["\"town\"", "a feature"]),
        (&["--id", "town"], &["\"town\""]),
        (&["--categorical", "town"], &["\"town\"", "a factor"]),
        (
            &["--categorical", "none", "--drop", "who"],
            &["\"Wien\"", "not a number", "--drop"],
        ),
        (&[], &["\"who\"", "text of its own", "--drop"]),
    ] {
        let line = fails(&[&["hypergrad", &file][..], flags].concat(), 1);
        for part in parts {
            assert!(line.contains(part), "{flags:?}: {line}");
        }
    }
    for (flags, part) in [
        (
            &["--delimiter", "ab"][..],
            "comma, semicolon, tab, pipe or blanks",
        ),
        (&["--decimal", "dot"], "--decimal"),
        (&["--unknown-levels", "some"], "--unknown-levels"),
        (&["--only", "age", "--drop", "who"], "--drop"),
    ] {
        let line = fails(&[&["hypergrad", &file][..], flags].concat(), 2);
        assert!(line.contains(part), "{flags:?}: {line}");
    }
    for (flag, name) in [("--drop", "age"), ("--categorical", "sex")] {
        let line = fails(&["hypergrad", "--example", flag, name], 2);
        assert!(
            line.contains(flag) && line.contains("give a data file"),
            "{line}"
        );
    }
    let array = folder.npy("d.npy", &[3, 2], &[1.0, 2.0, 3.0, 5.0, 4.0, 7.0]);
    let line = fails(&["hypergrad", &array, "--categorical", "0"], 1);
    assert!(line.contains("--categorical"), "{line}");
    // An index is one of the features' file.
    let x = folder.npy("x.npy", &[4, 2], &[9.0, 1.0, 8.0, 2.0, 9.0, 3.0, 7.0, 5.0]);
    let y = folder.npy("y.npy", &[4], &[1.0, 2.0, 4.0, 5.0]);
    let pair = [
        "hypergrad",
        "--x",
        &x,
        "--y",
        &y,
        "--drop",
        "0",
        "--val-fraction",
        "0",
    ];
    assert_eq!(json(&pair)["problem"]["features"], 1);
    let cut = folder.path("cut.csv.gz");
    std::fs::write(&cut, b"\x1f\x8b\x08\0\0\0").unwrap();
    let line = fails(&["hypergrad", &as_text(&cut)], 1);
    assert!(
        line.contains("cut.csv.gz") && line.contains("gzip stream"),
        "{line}"
    );
}

/// An archive of arrays, as `numpy.savez` writes them.
fn archive(folder: &Folder, name: &str, arrays: &[(&str, &[u64], &[f64])]) -> String {
    let path = folder.path(name);
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    for (array, shape, values) in arrays {
        let bytes = std::fs::read(folder.npy("part.npy", shape, values)).unwrap();
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file(format!("{array}.npy"), options).unwrap();
        zip.write_all(&bytes).unwrap();
    }
    zip.finish().unwrap();
    as_text(&path)
}

#[test]
fn options_of_columns_are_for_the_file_that_has_them() {
    let folder = Folder::new();
    let x: Vec<f64> = (0..48).map(|i| f64::from(i * 29 % 31)).collect();
    let y: Vec<f64> = (0..24).map(|i| f64::from(i * 17 % 13)).collect();
    let site: Vec<f64> = (0..24).map(|i| f64::from(i % 6)).collect();
    let data = archive(
        &folder,
        "data.npz",
        &[
            ("X", &[24, 2], &x),
            ("y", &[24], &y),
            ("site", &[24], &site),
        ],
    );
    let at = ["--l1", "0.1", "--l2", "0.1"];
    let sites: Vec<String> = site.iter().map(ToString::to_string).collect();
    let sites = folder.text("sites.csv", &sites.join("\n"));
    let of = |command: &str, flag: &str, groups: &str| {
        json(&[&[command, &data, flag, groups][..], &at].concat())
    };
    let criteria = |report: &Value| numbers(&report["best"]["criteria"]);
    let sweep = |groups: &str| {
        let cv = ["sweep", &data, "--cv", "3", "--group-column", groups];
        json(&[&cv[..], &at].concat())
    };
    assert_eq!(criteria(&sweep("site")), criteria(&sweep(&sites)));
    let by_column = of("influence", "--row-groups", "site");
    assert_eq!(by_column["groups"].as_array().unwrap().len(), 6);
    let by_file = of("influence", "--row-groups", &sites);
    assert_eq!(by_column["influence"], by_file["influence"]);
    // The array of the targets has no column to leave out.
    let rows: Vec<String> = x
        .chunks(2)
        .map(|row| format!("{},{}\n", row[0], row[1]))
        .collect();
    let table = folder.text("X.csv", &format!("a,b\n{}", rows.concat()));
    let y = folder.npy("y.npy", &[24], &y);
    let pair = ["hypergrad", "--x", &table, "--y", &y];
    let report = json(&[&pair[..], &["--drop", "a"], &at[..]].concat());
    assert_eq!(report["problem"]["features"], 1);
    let chosen = json(&[&pair[..], &["--only", "b"], &at[..]].concat());
    assert_eq!(chosen["points"], report["points"]);
}

#[test]
fn european_tables_and_standard_input_are_read_as_they_are() {
    let folder = Folder::new();
    let text = "a,b,y\n1.5,2,3.25\n2.5,1,4.5\n0.5,3,1.75\n3.5,3,7.5\n2.25,0.5,1.5\n";
    let plain = folder.text("plain.csv", text);
    let european = text.replace(',', ";").replace('.', ",");
    let european = folder.text("european.csv", &format!("sep=;\n{european}"));
    let at = ["--l1", "0.01", "--l2", "0.1", "--val-fraction", "0"];
    let points = |report: &Value| {
        let point = &report["points"][0];
        [
            numbers(&point["objective"]),
            numbers(&point["hypergradient"]["l1"]),
        ]
        .concat()
    };
    let expected = points(&json(&[&["hypergrad", &plain][..], &at].concat()));
    let european = [&["hypergrad", &european][..], &at].concat();
    let (found, line) = warned_once(&european);
    assert!(
        line.contains("european.csv") && line.contains("decimal marks"),
        "{line}"
    );
    assert_close(&points(&found), &expected, 1e-15);
    let found = json(&[&european[..], &["--decimal", "comma"]].concat());
    assert_close(&points(&found), &expected, 1e-15);
    let mut piped = program();
    piped.args(["hypergrad", "-", "--format", "json"]).args(at);
    piped.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut piped = piped.spawn().unwrap();
    let mut input = piped.stdin.take().unwrap();
    input.write_all(text.as_bytes()).unwrap();
    drop(input);
    let output = piped.wait_with_output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(points(&report), expected);
    assert_eq!(report["problem"]["source"], "standard input");
}

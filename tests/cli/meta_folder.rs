//! `meta` on a folder with a file for each task.

use std::io::Write;

use crate::meta::table;
use crate::support::{Folder, fails, json, noise, run, warned};

/// Cities, of which no file has all.
const CITIES: [&str; 12] = [
    "Bern", "Graz", "Linz", "Wien", "Rom", "Oslo", "Riga", "Bonn", "Kiel", "Genf", "Metz", "Lyon",
];

/// Ten tasks of eleven rows: numbers, a factor, missing cells. Every row is `a, city, b, y`.
fn tasks() -> Vec<Vec<[String; 4]>> {
    let (x, e) = (noise(330, 5), noise(110, 6));
    let row = |task: usize, row: usize| {
        let at = task * 11 + row;
        let (a, b) = (x[3 * at], 5.0 * x[3 * at + 1]);
        // The first file has a city for each row, the second none at all, the third one.
        let city = match task {
            0 => CITIES[row],
            1 => "",
            2 => CITIES[11],
            _ => CITIES[(at * 7 + row) % 12],
        };
        let y = (1.0 + 0.1 * task as f64) * a - b + 0.2 * city.len() as f64 + 0.3 * e[at];
        let b = if at % 13 == 4 {
            String::new()
        } else {
            b.to_string()
        };
        [a.to_string(), city.to_string(), b, y.to_string()]
    };
    (0..10)
        .map(|task| (0..11).map(|at| row(task, at)).collect())
        .collect()
}

/// A table of some columns of rows.
fn text(rows: &[[String; 4]], columns: &[usize], separator: &str) -> String {
    let names = ["a", "city", "b", "y"].map(String::from);
    let line = |row: &[String; 4]| {
        let cells: Vec<&str> = columns.iter().map(|&at| row[at].as_str()).collect();
        cells.join(separator) + "\n"
    };
    std::iter::once(&names).chain(rows).map(line).collect()
}

fn gzipped(text: &str) -> Vec<u8> {
    let mut stream = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    stream.write_all(text.as_bytes()).unwrap();
    stream.finish().unwrap()
}

#[test]
fn files_of_a_folder_are_one_file_with_a_column_of_tasks() {
    let (folder, one) = (Folder::new(), Folder::new());
    let mut whole = String::from("task,a,city,b,y\n");
    for (number, rows) in tasks().iter().enumerate() {
        // Columns in any order, other separators, compressed: what is read is the same.
        match number % 3 {
            0 => drop(folder.text(&format!("t{number}.csv"), &text(rows, &[0, 1, 2, 3], ","))),
            1 => drop(folder.text(&format!("t{number}.tsv"), &text(rows, &[3, 2, 1, 0], "\t"))),
            _ => {
                let bytes = gzipped(&text(rows, &[1, 0, 3, 2], ";"));
                std::fs::write(folder.path(&format!("t{number}.csv.gz")), bytes).unwrap();
            }
        }
        for row in rows {
            whole.push_str(&format!("t{number},{}\n", row.join(",")));
        }
    }
    folder.text(".hidden.csv", "no,table\n");
    let whole = one.text("all.csv", &whole);
    let data = folder.path("");
    let data = data.to_str().unwrap();
    for missing in ["mean", "indicator"] {
        let flags = [
            "--target",
            "y",
            "--missing",
            missing,
            "--max-evaluations",
            "20",
        ];
        let (expected, _) = warned(&[&["meta", &whole, "--task", "task"], &flags[..]].concat());
        let (found, warnings) = warned(&[&["meta", data], &flags[..]].concat());
        assert_eq!(found, expected, "{missing}");
        assert_eq!(found["test_tasks"].as_array().unwrap().len(), 2);
        let factors = warnings.matches("\"city\" (12 levels)").count();
        assert_eq!(factors, 1, "{warnings}");
    }
}

#[test]
fn a_task_may_be_a_column_of_every_file() {
    let (folder, one) = (Folder::new(), Folder::new());
    let whole = table(1.0);
    let (header, rows) = whole.split_once('\n').unwrap();
    let (first, second) = rows.split_at(rows.match_indices('\n').nth(99).unwrap().0 + 1);
    folder.text("1.csv", &format!("{header}\n{first}"));
    folder.text("2.csv", &format!("{header}\n{second}"));
    let whole = one.text("all.csv", &whole);
    let data = folder.path("");
    let flags = ["--target", "y", "--task", "task", "--max-evaluations", "20"];
    let of = |data: &str| json(&[&["meta", data], &flags[..]].concat());
    assert_eq!(of(data.to_str().unwrap()), of(&whole));
}

#[test]
fn sparse_files_have_the_width_of_the_widest() {
    let (folder, one) = (Folder::new(), Folder::new());
    let x = noise(120, 3);
    let mut rows = String::new();
    let mut labels = String::new();
    for task in 0..4 {
        let mut text = String::new();
        for at in 0..10 {
            let (a, b) = (x[3 * (10 * task + at)], x[3 * (10 * task + at) + 1]);
            let y = a + 2.0 * b + 0.1 * x[3 * (10 * task + at) + 2];
            // The second file has no entry in the last column.
            let last = if task == 1 {
                String::new()
            } else {
                format!(" 3:{b}")
            };
            text.push_str(&format!("{y} 1:{a}{last}\n"));
            labels.push_str(&format!("{task}\n"));
        }
        folder.text(&format!("{task}.svm"), &text);
        rows.push_str(&text);
    }
    let whole = one.text("all.svm", &rows);
    let labels = one.text("tasks.txt", &labels);
    let data = folder.path("");
    let expected = json(&["meta", &whole, "--task", &labels, "--test-tasks", "0"]);
    let found = json(&["meta", data.to_str().unwrap(), "--test-tasks", "0"]);
    assert_eq!(found, expected);
    assert_eq!(found["prior"].as_array().unwrap().len(), 3);
}

#[test]
fn files_without_data_are_left_out_with_a_warning() {
    let folder = Folder::new();
    for (number, rows) in tasks().iter().enumerate().skip(3) {
        folder.text(&format!("t{number}.csv"), &text(rows, &[0, 3], ","));
    }
    folder.text("notes", "where the data are from\n");
    std::fs::create_dir(folder.path("old")).unwrap();
    let data = folder.path("");
    let (found, warnings) = warned(&["meta", data.to_str().unwrap(), "--max-evaluations", "10"]);
    assert_eq!(found["tasks"], 7);
    for words in ["notes: the format is not known", "old: a folder"] {
        assert!(warnings.contains(words), "{warnings}");
    }
}

#[test]
fn bad_folders_are_one_line_with_a_remedy() {
    let good = || {
        let folder = Folder::new();
        folder.text("s1.csv", "a,b,y\n1,2,3\n2,1,4\n0,1,1\n");
        folder.text("s2.csv", "a,b,y\n1,3,3\n2,2,4\n0,4,1\n");
        folder
    };
    let fails = |folder: &Folder, more: &[&str], status: i32, words: &[&str]| {
        let data = folder.path("");
        let text = fails(&[&["meta", data.to_str().unwrap()], more].concat(), status);
        for words in words {
            assert!(text.contains(words), "{text}");
        }
    };
    let empty = Folder::new();
    fails(&empty, &[], 1, &["the folder has no data file"]);
    empty.text(".s1.csv", "a,y\n1,2\n");
    fails(&empty, &[], 1, &["the folder has no data file"]);
    empty.text("s1.csv", "a,y\n1,2\n2,3\n");
    fails(
        &empty,
        &[],
        2,
        &["1 task with 0.2 of them set aside", "give more tasks"],
    );
    let one = good();
    one.text("s3.csv", "a,y\n1,2\n3,3\n");
    fails(
        &one,
        &[],
        1,
        &["s3.csv", "there is no column \"b\"", "s1.csv", "--only"],
    );
    one.text("s3.csv", "c,a,b,y\n1,2,1,1\n3,3,4,2\n");
    fails(
        &one,
        &[],
        1,
        &["s3.csv", "there is a column \"c\"", "s1.csv"],
    );
    one.text("s3.csv", "b,y,a\n1,2,1\n3,3,4\n");
    fails(&one, &[], 1, &["s3.csv", "the target is \"a\"", "--target"]);
    one.text("s3.csv", "a,b,y\n1,low,2\n3,high,4\n");
    fails(
        &one,
        &[],
        1,
        &["s1.csv", "\"b\"", "the column holds numbers, and text in"],
    );
    one.text("s3.csv", "a,b,y\n1,2\n");
    fails(&one, &[], 1, &["s3.csv", "line 2"]);
    one.text("s3.csv", "a,b,y\n1,2,3\n");
    fails(&one, &[], 2, &["task s3 has one row"]);
    one.text("s3.csv", "");
    fails(&one, &[], 1, &["s3.csv", "the file is empty"]);
    one.text("s3.svm", "1 1:2 2:3\n");
    std::fs::remove_file(one.path("s3.csv")).unwrap();
    fails(
        &one,
        &[],
        1,
        &["s3.svm", "the features are sparse", "dense"],
    );
    std::fs::remove_file(one.path("s3.svm")).unwrap();
    std::fs::write(one.path("s3.xlsx"), b"PK\x03\x04 xl/workbook.xml").unwrap();
    fails(&one, &[], 1, &["s3.xlsx", "workbook"]);
    std::fs::remove_file(one.path("s3.xlsx")).unwrap();
    std::fs::write(one.path("s3.csv.gz"), b"\x1f\x8b no stream").unwrap();
    fails(&one, &[], 1, &["s3.csv.gz", "gzip"]);
    std::fs::remove_file(one.path("s3.csv.gz")).unwrap();
    one.text("s2.tsv", "a\tb\ty\n1\t2\t3\n");
    fails(&one, &[], 1, &["s2.csv", "s2.tsv", "the same name"]);
    // A file of rows has no tasks by itself, and other commands take no folder.
    let file = one.path("s1.csv");
    let text = crate::support::fails(&["meta", file.to_str().unwrap()], 2);
    assert!(text.contains("--task a column, or a folder"), "{text}");
    let refused = run(&["sweep", one.path("").to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
}

#[test]
fn identifiers_are_those_of_all_files_together() {
    let folder = Folder::new();
    let rows = |task: usize, name: &dyn Fn(usize) -> String| -> String {
        let row = |at: usize| format!("{},{},{}\n", at % 5, name(10 * task + at), at * task);
        format!("a,who,y\n{}", (0..10).map(row).collect::<String>())
    };
    for task in 0..4 {
        folder.text(&format!("{task}.csv"), &rows(task, &|at| format!("n{at}")));
    }
    let data = folder.path("");
    let text = fails(&["meta", data.to_str().unwrap()], 1);
    assert!(
        text.contains("\"who\"") && text.contains("every row has a text of its own"),
        "{text}"
    );
}

/// Writes files without names into one folder, and all their rows with a task as the last column into another; the
/// path of the latter.
fn with_tasks(folder: &Folder, one: &Folder, files: &[&str]) -> String {
    let mut whole = String::new();
    for (number, text) in files.iter().enumerate() {
        folder.text(&format!("{number}.csv"), text);
        for line in text.lines() {
            whole.push_str(&format!("{line},{number}\n"));
        }
    }
    one.text("all.csv", &whole)
}

#[test]
fn the_first_file_decides_on_the_header() {
    let (folder, one) = (Folder::new(), Folder::new());
    // The second file begins with cells that are missing, as a header over row numbers does.
    let files = [
        "1,u,4,3\n2,v,1,4\n0,u,2,1\n5,v,3,2\n",
        ",u,7,3\n,v,8,4\n,u,8,1\n,v,7,2\n",
        "3,u,1,2\n4,v,2,5\n1,u,6,1\n2,v,3,3\n",
    ];
    let whole = with_tasks(&folder, &one, &files);
    let data = folder.path("");
    let flags = [
        "--target",
        "3",
        "--missing",
        "mean",
        "--max-evaluations",
        "8",
        "--test-tasks",
        "0",
        "--categorical",
        "1",
    ];
    let of = |more: &[&str]| json(&[&["meta"], more, &flags[..]].concat());
    let expected = of(&[&whole, "--task", "4", "--header", "no"]);
    assert_eq!(of(&[data.to_str().unwrap()])["prior"], expected["prior"]);

    for (first, second) in [
        ("a,b,y\n1,2,3\n2,1,4\n3,5,1\n", "4,2,1\n2,3,1\n1,2,5\n"),
        ("4,2,1\n2,3,1\n1,2,5\n", "a,b,y\n1,2,3\n2,1,4\n3,5,1\n"),
    ] {
        let mixed = Folder::new();
        mixed.text("0.csv", first);
        mixed.text("1.csv", second);
        let text = fails(&["meta", mixed.path("").to_str().unwrap()], 1);
        assert!(
            text.contains("--header") && text.contains("1.csv"),
            "{text}"
        );
    }
}

#[test]
fn flags_and_labels_are_decided_by_all_files() {
    let of = |files: &[&str], more: &[&str]| {
        let (folder, one) = (Folder::new(), Folder::new());
        let mut whole = String::from("f,a,y,task\n");
        for (number, rows) in files.iter().enumerate() {
            folder.text(&format!("{number}.csv"), &format!("f,a,y\n{rows}"));
            for row in rows.lines() {
                whole.push_str(&format!("{row},{number}\n"));
            }
        }
        let whole = one.text("all.csv", &whole);
        let data = folder.path("");
        let own = [
            "--target",
            "y",
            "--max-evaluations",
            "8",
            "--test-tasks",
            "0",
        ];
        let of =
            |data: &[&str]| run(&[&["meta"], data, &own[..], more, &["--format", "json"]].concat());
        (
            of(&[data.to_str().unwrap()]),
            of(&[&whole, "--task", "task"]),
        )
    };
    let same = |files: &[&str], more: &[&str]| {
        let (folder, one) = of(files, more);
        assert!(folder.status.success(), "{folder:?}");
        assert_eq!(folder.stdout, one.stdout);
    };
    // True and False alone are 1 and 0; with a third text they are levels.
    let flags = "true,1,3\nfalse,2,4\ntrue,0,1\nfalse,3,2\n";
    same(&[flags, "False,1,2\nTrue,4,5\nfalse,2,2\nTrue,0,1\n"], &[]);
    same(&[flags, "true,1,2\nmaybe,4,5\nmaybe,2,2\ntrue,0,1\n"], &[]);
    // Numbers among them are an error in a folder as in a file.
    let (folder, one) = of(&[flags, "1,1,3\n0,2,4\n1,0,1\n"], &[]);
    assert!(!folder.status.success() && !one.status.success());
    let text = String::from_utf8_lossy(&folder.stderr).into_owned();
    assert!(text.contains("True or False in"), "{text}");
    // Labels are texts in all files where they are in one: "1" and "1.0" are two classes.
    let labels = [
        "1,1,1\n2,2,0\n3,5,1\n4,1,0\n".to_string(),
        "1,1,1.0\n2,2,0.0\n3,5,1.0\n4,1,0.0\n".to_string(),
        "1,1,yes\n2,2,no\n3,5,yes\n4,1,no\n".to_string(),
    ];
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    same(&labels, &["--loss", "multinomial", "--no-intercept"]);
}

#[test]
fn a_factor_that_a_file_lacks_keeps_its_place() {
    let (folder, one) = (Folder::new(), Folder::new());
    let files = [
        "1,u,3\n2,v,4\n0,u,1\n5,v,2\n",
        "1,,3\n2,,4\n0,,1\n4,,2\n",
        "1,u,3\n2,v,5\n0,v,1\n3,u,4\n",
    ];
    let whole = with_tasks(&folder, &one, &files);
    let data = folder.path("");
    let flags = [
        "--target",
        "2",
        "--missing",
        "mean",
        "--categorical",
        "1",
        "--max-evaluations",
        "8",
        "--test-tasks",
        "0",
        "--header",
        "no",
    ];
    let of = |more: &[&str]| json(&[&["meta"], more, &flags[..]].concat());
    let found = of(&[data.to_str().unwrap()]);
    assert_eq!(found["prior"], of(&[&whole, "--task", "3"])["prior"]);
}

#[test]
fn a_text_beside_the_data_is_told_how_to_be_left_out() {
    let folder = Folder::new();
    folder.text("a.csv", "a,y\n1,2\n2,3\n3,1\n");
    folder.text("b.csv", "a,y\n1,2\n2,3\n3,1\n");
    folder.text("README.txt", "Measured by hand.\nIn spring.\n");
    let text = fails(
        &["meta", folder.path("").to_str().unwrap(), "--target", "y"],
        1,
    );
    assert!(text.contains("hide it"), "{text}");
}

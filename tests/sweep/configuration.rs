//! Configuration files: what wins over what, and that the effective one is complete.

use std::path::Path;

use proxdiff::store::{Plan, Store};

use crate::support::{Folder, fails, ok};
use crate::table::Table;

fn plan_of(store: &str) -> Plan {
    Store::read(Path::new(store)).unwrap().plan().unwrap()
}

/// The cells of a sweep without a store, as text.
fn cells(arguments: &[&str]) -> String {
    ok(&[&["sweep", "--format", "csv"], arguments].concat())
}

fn fold_numbers(folder: &Folder, folds: usize) -> String {
    let text: String = (0..442).map(|row| format!("{}\n", row % folds)).collect();
    folder.text(&format!("folds-{folds}.csv"), &text)
}

#[test]
fn the_command_line_wins_where_flags_exclude_each_other() {
    let folder = Folder::new();
    let folds = fold_numbers(&folder, 4);
    let point = ["--l1", "2", "--l2", "0.1"];
    let of_cv = "cv = 5\nrepeats = 2\nseed = 3\n";
    let of_strengths = "cv = 3\nl1 = [1, 2]\nl2 = 0.1\n";
    let of_ratio = "cv = 3\nalpha = [1, 2]\nl1-ratio = 0.7\n";
    let of_folds = format!("folds = \"{folds}\"\nl1 = 2\nl2 = 0.1\n");
    for (file, flags, same) in [
        (
            of_cv,
            [&["--folds", &folds], &point[..]].concat(),
            [&["--folds", &folds, "--seed", "3"], &point[..]].concat(),
        ),
        (
            of_cv,
            [&["--val-fraction", "0.3"], &point[..]].concat(),
            [
                &["--val-fraction", "0.3", "--name", "x", "--seed", "3"],
                &point[..],
            ]
            .concat(),
        ),
        (
            &of_folds,
            vec!["--cv", "3"],
            [&["--cv", "3"], &point[..]].concat(),
        ),
        (
            of_strengths,
            vec!["--alpha", "1,2", "--l1-ratio", "0.5"],
            vec!["--cv", "3", "--alpha", "1,2", "--l1-ratio", "0.5"],
        ),
        (
            of_strengths,
            vec!["--l1-ratio", "0.5"],
            vec!["--cv", "3", "--l1-ratio", "0.5"],
        ),
        (
            of_ratio,
            point.to_vec(),
            [&["--cv", "3"], &point[..]].concat(),
        ),
        (of_ratio, vec!["--l1", "1"], vec!["--cv", "3", "--l1", "1"]),
        (
            "cv = 3\nsearch = \"sobol\"\nsamples = 5\nl1 = [1, 2]\nl2 = 1\n",
            vec!["--search", "grid"],
            vec!["--cv", "3", "--l1", "1,2", "--l2", "1"],
        ),
        (
            "cv = 3\npenalty = \"group\"\ngroup-size = 2\nl1 = 1\nl2 = 1\n",
            vec!["--penalty", "nonneg"],
            vec!["--cv", "3", "--penalty", "nonneg", "--l1", "1", "--l2", "1"],
        ),
    ] {
        let config = folder.text("sweep.toml", file);
        let found = cells(&[&["--config", &config], &flags[..]].concat());
        let plain = cells(&same);
        // A name is only a label.
        let unnamed =
            |text: String| text.replace("embedded diabetes data (Efron et al. 2004)", "x");
        assert_eq!(unnamed(found), unnamed(plain), "{file} {flags:?}");
    }
}

#[test]
fn a_flag_may_need_another_that_stands_in_the_file() {
    let folder = Folder::new();
    let x = folder.text("x.csv", "a\n1\n2\n3\n4\n");
    let y = folder.text("y.csv", "b\n1\n2\n2\n4\n");
    let config = folder.text(
        "sweep.toml",
        &format!("x = \"{x}\"\ncv = 2\nl1 = 0.1\nl2 = 0.1\n"),
    );
    let found = cells(&["--config", &config, "--y", &y]);
    let plain = cells(&[
        "--x", &x, "--y", &y, "--cv", "2", "--l1", "0.1", "--l2", "0.1",
    ]);
    assert_eq!(found, plain);
    // What is missing in both is still said.
    let bad = folder.text("bad.toml", "cv = 2\n");
    let line = fails(&["sweep", "--config", &bad, "--y", &y], 2);
    assert!(line.contains("--x <FILE> is missing"), "{line}");
}

#[test]
fn a_study_wins_over_the_top_of_its_file() {
    let folder = Folder::new();
    let folds = fold_numbers(&folder, 3);
    let config = folder.text(
        "sweep.toml",
        &format!(
            "cv = 5\nrepeats = 2\nl1 = 1\nl2 = 1\nno-intercept = true\n\
             [[study]]\nname = \"given\"\nfolds = \"{folds}\"\nno-intercept = false\n\
             [[study]]\nname = \"ratio\"\nalpha = 2\n"
        ),
    );
    let found = Table::parse(&cells(&["--config", &config]));
    let names = found.texts("study");
    assert_eq!(names.iter().filter(|name| **name == "given").count(), 3);
    assert_eq!(names.iter().filter(|name| **name == "ratio").count(), 10);
    let given = Table::parse(&cells(&["--folds", &folds, "--l1", "1", "--l2", "1"]));
    assert_eq!(found.texts("criterion")[..3], given.texts("criterion")[..]);
}

#[test]
fn switches_of_a_file_can_be_turned_off() {
    let folder = Folder::new();
    let config = folder.text(
        "sweep.toml",
        "cv = 3\nl1 = 1\nl2 = 1\nno-intercept = true\nno-standardize = true\n",
    );
    let common = ["--cv", "3", "--l1", "1", "--l2", "1"];
    let off = cells(&["--config", &config, "--no-intercept=false"]);
    let plain = cells(&[&common[..], &["--no-standardize"]].concat());
    assert_eq!(off, plain);
    assert_ne!(off, cells(&["--config", &config]));
    for (text, part) in [
        ("no-intercept = 1\n", "write true or false"),
        ("cv = true\n", "a number"),
        ("study = []\n", "[[study]]"),
    ] {
        let bad = folder.text("bad.toml", text);
        let line = fails(&["sweep", "--config", &bad], 1);
        assert!(line.contains(part) && line.contains("bad.toml"), "{line}");
    }
}

#[test]
fn the_effective_configuration_is_complete() {
    let folder = Folder::new();
    let text: String = (0..60)
        .map(|row| format!("{},{},{}\n", row % 7, row % 11, ["no", "yes"][row % 5 % 2]))
        .collect();
    let classes = folder.text("classes.csv", &format!("a,b,007\n{text}"));
    for (number, (flags, settings)) in [
        (
            &["--cv", "3"][..],
            &[
                "l1 = \"frac:1:1e-3:12\"",
                "l2 = \"0.001,0.01,0.1,1\"",
                "repeats = 1",
            ][..],
        ),
        (
            &["--name", "007"],
            &[
                "val-fraction = \"0.25\"",
                "example = true",
                "name = \"007\"",
            ],
        ),
        (
            &["--l1-ratio", "0.3,0.6", "--precision", "f32"],
            &["alpha = \"frac:1:1e-3:12\"", "precision = \"f32\""],
        ),
        (
            &["--alpha", "1"],
            &["l1-ratio = \"0.5\"", "precision = \"f64\""],
        ),
        (
            &["--search", "sobol", "--cv", "2"],
            &["samples = 64", "criterion = \"squared\""],
        ),
        (
            &["--penalty", "box", "--box", "-1:1", "--method", "nsid"],
            &["wrt = \"l2,box\"", "box = \"-1:1\""],
        ),
        (
            &[&classes, "--loss", "logistic", "--cv", "2", "--stratified"],
            &["criterion = \"logistic\"", "stratified = true"],
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let path = |name: &str| {
            folder
                .path(&format!("{number}-{name}"))
                .display()
                .to_string()
        };
        let (first, second, written) = (path("a.db"), path("b.db"), path("w.toml"));
        let keep = ["--store", &first, "--write-config", &written];
        // One unit is enough to have a plan.
        let some = ["--stochastic-steps", "50", "--shard", "0/1000"];
        ok(&[&["sweep"], flags, &keep[..], &some[..]].concat());
        let text = std::fs::read_to_string(&written).unwrap();
        for setting in settings {
            assert!(text.contains(setting), "{setting} in {text}");
        }
        assert_eq!(text, ok(&["runs", "show", &first, "--configuration"]));
        // The same plan in another store, and nothing to object in the same.
        let shard = ["--shard", "0/1000"];
        let again = ["sweep", "--config", &written, "--store", &second];
        ok(&[&again[..], &shard[..]].concat());
        let (plan, other) = (plan_of(&first), plan_of(&second));
        assert_eq!(plan.studies, other.studies, "{flags:?}");
        assert_eq!(
            plan.studies[0].points_digest(),
            other.studies[0].points_digest()
        );
        ok(&["sweep", "--config", &written, "--shard", "0/1000"]);
        // Written from what was written, nothing changes but the store's name.
        let twice = path("w2.toml");
        let same = ["sweep", "--config", &written, "--write-config", &twice];
        ok(&[&same[..], &shard[..]].concat());
        assert_eq!(text, std::fs::read_to_string(&twice).unwrap());
    }
}

#[test]
fn folds_and_groups_come_in_every_vector_format() {
    let folder = Folder::new();
    let numbers: Vec<f64> = (0..442).map(|row| f64::from(row % 3)).collect();
    let lines: String = numbers.iter().map(|n| format!("{n}\n")).collect();
    let row: Vec<String> = numbers.iter().map(f64::to_string).collect();
    let names: String = numbers.iter().map(|n| format!("clinic {n}\n")).collect();
    let files = [
        folder.text("plain.csv", &lines),
        folder.text("header.csv", &format!("fold\n{lines}")),
        folder.text("row.csv", &row.join(",")),
        folder.text("plain.txt", &lines),
        folder.npy("flat.npy", &[442], &numbers),
        folder.npy("column.npy", &[442, 1], &numbers),
    ];
    let point = ["--l1", "1", "--l2", "1"];
    let with = |flags: &[&str]| cells(&[flags, &point[..]].concat());
    let folds = with(&["--folds", &files[0]]);
    assert_eq!(Table::parse(&folds).texts("fold"), ["0", "1", "2"]);
    let groups = with(&["--cv", "3", "--group-column", &files[0]]);
    for file in &files[1..] {
        assert_eq!(folds, with(&["--folds", file]), "{file}");
        assert_eq!(
            groups,
            with(&["--cv", "3", "--group-column", file]),
            "{file}"
        );
    }
    // Names are groups too, with a header or without.
    let texts = [
        folder.text("names.csv", &names),
        folder.text("names.txt", &format!("clinic\n{names}")),
    ];
    let by_name = with(&["--cv", "3", "--group-column", &texts[0]]);
    assert_eq!(by_name, with(&["--cv", "3", "--group-column", &texts[1]]));
    let sizes = |text: &str| Table::parse(text).len();
    assert_eq!(sizes(&by_name), sizes(&groups));

    let half = folder.text("half.csv", &lines.replacen("1\n", "0.5\n", 1));
    let pairs = folder.text("pairs.csv", &lines.replace('\n', ",1\n"));
    let libsvm = folder.text("f.svm", &lines.replace('\n', " 1:1\n"));
    let short = folder.text("short.txt", &lines[..20]);
    for (file, part) in [
        (&half, "row 2 has 0.5"),
        (&texts[0], "'clinic 0'"),
        (&pairs, "442 × 2"),
        (&libsvm, "not one value per row"),
        (&short, "one per row"),
    ] {
        let line = fails(&[&["sweep", "--folds", file], &point[..]].concat(), 1);
        assert!(line.contains(part), "{file}: {line}");
    }
    for (file, part) in [
        (&pairs, "442 × 2"),
        (&libsvm, "not one value per row"),
        (&short, "one per row"),
    ] {
        let group = ["sweep", "--cv", "3", "--group-column", file];
        let line = fails(&[&group[..], &point[..]].concat(), 1);
        assert!(line.contains(part), "{file}: {line}");
    }
}

#[test]
fn a_sweep_has_one_store() {
    let folder = Folder::new();
    let (a, b) = (
        folder.path("a.db").display().to_string(),
        folder.path("b.db").display().to_string(),
    );
    let common = "cv = 2\nl1 = 1\nl2 = 1\n";
    let study = |name: &str, more: &str| format!("[[study]]\nname = \"{name}\"\n{more}\n");
    let of_store = |path: &str| format!("store = \"{path}\"");
    for (first, second, what) in [
        (
            of_store(&a),
            of_store(&b),
            format!("store is {b} here and {a}"),
        ),
        (
            String::new(),
            of_store(&b),
            format!("store is {b} here and not given"),
        ),
        (
            of_store(&a),
            String::new(),
            format!("store is not given here and {a}"),
        ),
        (
            "threads = 1".into(),
            "threads = 2".into(),
            "threads is 2 here and 1".into(),
        ),
    ] {
        let text = format!("{common}{}{}", study("one", &first), study("two", &second));
        let config = folder.text("sweep.toml", &text);
        let line = fails(&["sweep", "--config", &config], 1);
        for part in [
            &what[..],
            "sweep.toml, study two",
            "above the [[study]] tables",
        ] {
            assert!(line.contains(part), "{line}");
        }
        assert!(!Path::new(&a).exists() && !Path::new(&b).exists());
    }
    // The same in all, or one on the command line, is one store.
    let both = [study("one", &of_store(&a)), study("two", &of_store(&a))].concat();
    let config = folder.text("sweep.toml", &format!("{common}{both}"));
    ok(&["sweep", "--config", &config]);
    let both = [study("one", &of_store(&a)), study("two", "")].concat();
    let config = folder.text("sweep.toml", &format!("{common}{both}"));
    ok(&["sweep", "--config", &config, "--store", &b]);
    assert_eq!(Table::cells(&a).rows, Table::cells(&b).rows);
}

#[test]
fn errors_name_the_file_and_the_place_in_it() {
    let folder = Folder::new();
    let studies = "\n[[study]]\nname = \"plain\"\n[[study]]\nname = \"robust\"\n";
    for (text, status, parts) in [
        (
            "l1 = 1\ncv = \"many\"\n".to_string(),
            2,
            &["bad.toml, line 2: ", "--cv"][..],
        ),
        (
            "l1 = 1\ncv = 2\n\ncolour = 3\n".into(),
            1,
            &["bad.toml, line 4: ", "colour"],
        ),
        ("l1 = 1\n\ncv = [[\n".into(), 1, &["bad.toml, line "]),
        (
            format!("l1 = 1\ncv = 2\n{studies}huber_delta = -1\n"),
            2,
            &["bad.toml, study robust, line 8: ", "--huber-delta"],
        ),
        (
            format!("l1 = 1\ncv = 2\n{studies}loss = true\n"),
            1,
            &["bad.toml, study robust, line 8: ", "loss"],
        ),
        (
            format!("l1 = 1\ncv = 2\n{studies}data = \"no.csv\"\n"),
            1,
            &["bad.toml, study robust: no.csv"],
        ),
        (
            format!("l1 = 1\n{studies}stratified = true\n"),
            2,
            &["bad.toml, study robust: ", "add --cv K"],
        ),
    ] {
        let config = folder.text("bad.toml", &text);
        let line = fails(&["sweep", "--config", &config], status);
        for part in parts {
            assert!(line.contains(part), "{text}: {line}");
        }
    }
}

#[test]
fn tables_group_settings_and_nothing_is_given_twice() {
    let folder = Folder::new();
    let start = "cv = 3\nl1 = 0.1\nl2 = 0.1\n";
    for (rest, what) in [
        ("[zebra]\nl1 = 0.9\n", "there is no table \"zebra\""),
        (
            "zebra = { loss = \"huber\" }\n",
            "there is no table \"zebra\"",
        ),
        ("[space]\nl1 = 0.9\n", "l1 is given twice"),
        (
            "[space]\nl1_ratio = 0.9\n[problem]\nl1-ratio = 0.5\n",
            "l1-ratio is given twice",
        ),
        ("[space.inner]\nseed = 3\n", "there is no table \"inner\""),
        (
            "[[study]]\nname = \"a\"\n[study.more]\nloss = \"huber\"\n",
            "there is no table \"more\"",
        ),
    ] {
        let file = folder.text("t.toml", &format!("{start}{rest}"));
        let line = fails(&["sweep", "--config", &file], 1);
        assert!(line.contains(what), "{rest}: {line}");
        assert!(line.contains("t.toml"), "{rest}: {line}");
    }
    let file = folder.text(
        "t.toml",
        "cv = 3\n[space]\nl1 = 0.1\nl2 = 0.1\n[problem]\nloss = \"huber\"\n",
    );
    ok(&["sweep", "--config", &file]);
}

#[test]
fn no_output_takes_the_place_of_an_input() {
    let folder = Folder::new();
    let data = folder.text("own.csv", "x,y\n1,2\n2,3\n3,5\n4,4\n5,7\n6,6\n");
    let store = folder.path("s.db").display().to_string();
    let sweep = [
        "sweep", &data, "--target", "y", "--cv", "2", "--l1", "0.1", "--l2", "0.1",
    ];
    ok(&[&sweep[..], &["--store", &store]].concat());
    let before = std::fs::read(&data).unwrap();
    let stored = std::fs::read(&store).unwrap();
    for more in [
        &["--format", "csv", "--out", &data][..],
        &["--store", &store, "--format", "csv", "--out", &store],
        &["--store", &store, "--write-config", &store],
    ] {
        let line = fails(&[&sweep[..], more].concat(), 2);
        assert!(line.contains("name another file"), "{line}");
    }
    let line = fails(
        &["runs", "export", &store, "--format", "csv", "--out", &store],
        2,
    );
    assert!(line.contains("s.db is used by the same command"), "{line}");
    assert_eq!(std::fs::read(&data).unwrap(), before);
    assert_eq!(std::fs::read(&store).unwrap(), stored);
    // The effective configuration may replace the one that it is of.
    let file = folder.text("c.toml", "cv = 3\nl1 = 0.1\nl2 = 0.1\n");
    ok(&["sweep", "--config", &file, "--write-config", &file]);
    ok(&["sweep", "--config", &file]);
}

#[test]
fn a_budget_that_is_spent_is_no_interruption() {
    let folder = Folder::new();
    let store = folder.path("s.db").display().to_string();
    let line = fails(
        &[
            "sweep",
            "--cv",
            "5",
            "--loss",
            "huber",
            "--l1",
            "log:1e-3:1:400",
            "--l2",
            "log:1e-3:1:40",
            "--time-budget",
            "0.01",
            "--store",
            &store,
        ],
        1,
    );
    assert!(line.contains("--time-budget is spent"), "{line}");
    assert!(!line.contains("interrupted"), "{line}");
}

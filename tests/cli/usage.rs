//! Help, exit statuses, and the one line that says what is wrong.

use crate::support::{Folder, columns, fails, json, ok, program, run, table};

#[test]
fn every_command_explains_itself_with_examples() {
    let whole = ok(&["--help"]);
    for command in [
        "fit",
        "predict",
        "hypergrad",
        "sweep",
        "influence",
        "runs",
        "poison",
        "reproduce",
        "devices",
        "compress",
        "completions",
    ] {
        assert!(whole.contains(command));
        for flag in ["--help", "-h"] {
            let help = ok(&[command, flag]);
            assert!(help.contains("Examples:"), "{command}");
            assert!(help.contains(&format!("proxdiff {command}")), "{command}");
        }
    }
    assert!(whole.contains("Exit status"));
    assert!(ok(&["--version"]).starts_with("proxdiff "));
}

#[test]
fn every_flag_has_a_sentence() {
    for command in [
        "fit",
        "predict",
        "hypergrad",
        "sweep",
        "influence",
        "poison",
        "devices",
        "compress",
    ] {
        let help = ok(&[command, "--help"]);
        let lines: Vec<&str> = help.lines().collect();
        let flags: Vec<usize> = (0..lines.len())
            .filter(|&at| lines[at].starts_with("      --"))
            .collect();
        assert!(flags.len() >= 2, "{command}");
        for at in flags {
            let sentence = lines[at + 1].trim();
            assert!(sentence.len() > 10, "{command}: {} {sentence}", lines[at]);
        }
    }
}

#[test]
fn completions_are_scripts_that_know_the_flags() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = ok(&["completions", shell]);
        assert!(
            script.contains("proxdiff") && script.contains("val-fraction"),
            "{shell}"
        );
    }
    assert_eq!(run(&["completions", "cobol"]).status.code(), Some(2));
}

#[test]
fn devices_lists_the_cpu_first() {
    let text = ok(&["devices", "--no-measure"]);
    assert!(text.contains("cpu") && text.contains("threads"));
    let report = json(&["devices", "--no-measure"]);
    assert_eq!(report["devices"][0]["name"], "cpu");
    assert!(report["devices"][0]["threads"].as_u64().unwrap() >= 1);
    assert_eq!(
        report["devices"][0]["precisions"],
        serde_json::json!(["f32", "f64"])
    );
    let csv = ok(&["devices", "--no-measure", "--format", "csv"]);
    assert!(csv.starts_with("index,device"));
}

/// A Vulkan loader that is told of no driver finds no adapter, whatever the machine has.
fn without_driver(arguments: &[&str]) -> std::process::Output {
    std::process::Command::new(env!("CARGO_BIN_EXE_proxdiff"))
        .args(arguments)
        .env("VK_DRIVER_FILES", "/nonexistent")
        .env("VK_ICD_FILENAMES", "/nonexistent")
        .output()
        .unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn a_missing_gpu_is_one_line_with_a_remedy() {
    for device in ["gpu", "GeForce", "3", "all"] {
        let output = without_driver(&["hypergrad", "--example", "--device", device]);
        assert_eq!(output.status.code(), Some(1));
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(
            line.contains("no GPU adapter was found") && line.contains("use --device cpu"),
            "{line}"
        );
    }
    for device in ["cpu", "auto"] {
        let output = without_driver(&["hypergrad", "--example", "--device", device]);
        assert!(output.status.success());
    }
    let output = without_driver(&["devices"]);
    assert!(output.status.success());
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("No GPU adapter was found")
    );
}

#[test]
fn refine_and_precision_exclude_each_other() {
    fails(
        &["hypergrad", "--example", "--refine", "--precision", "f32"],
        2,
    );
}

#[test]
fn bad_values_are_one_line_and_status_2() {
    for (flag, value, part) in [
        ("--l1", "-1", "-1 is not a strength"),
        ("--l1", "nan", "NaN is not a strength"),
        ("--l1", "inf", "inf is not a strength"),
        ("--l1", "-inf", "-inf is not a strength"),
        ("--l1", "0.1,-0.1", "-0.1 is not a strength"),
        ("--l1", "", "'' is not a number"),
        ("--l1", "a", "'a' is not a number"),
        ("--l2", "-1e-3", "-0.001 is not a strength"),
        ("--l2", "NaN", "NaN is not a strength"),
        ("--l2", "log:1:2", "log:LO:HI:N"),
        ("--tol", "-1", "zero or more"),
        ("--max-steps", "0", "1 or more"),
        ("--max-steps", "-5", "1 or more"),
        ("--val-fraction", "1", "less than 1"),
        ("--val-fraction", "-0.5", "less than 1"),
        ("--criterion-sign", "2", "give 1 or -1"),
        ("--huber-delta", "0", "greater than zero"),
        ("--box", "2:1", "LO at most HI"),
        ("--box", "nan:1", "LO at most HI"),
        ("--time-budget", "-3", "greater than zero"),
        ("--minibatch", "0", "1 or more"),
        ("--threads", "-1", "0 for all cores"),
        ("--threads", "100000", "0 for all cores"),
        ("--eta", "-0.5", "greater than zero"),
        ("--class-weights", "a", "NAME=WEIGHT"),
        ("--data-format", "xls", "csv, npy, npz, libsvm"),
    ] {
        let line = fails(&["hypergrad", "--example", flag, value], 2);
        assert!(
            line.contains(flag) && line.contains(part),
            "{flag} {value}: {line}"
        );
    }
}

#[test]
fn flags_that_do_not_fit_together_are_status_2() {
    for (arguments, part) in [
        (&["hypergrad"][..], "give a data file"),
        (&["fit"], "give a data file"),
        (&["sweep", "--target", "y"], "give a data file"),
        (
            &["sweep", "--l1", "log:1:2:2000", "--l2", "log:1:2:2000"],
            "1000000 pairs",
        ),
        (
            &["hypergrad", "--example", "--penalty", "weighted"],
            "--l1-file",
        ),
        (
            &["hypergrad", "--example", "--penalty", "group"],
            "--group-size or --groups",
        ),
        (
            &["hypergrad", "--example", "--penalty", "box"],
            "--box LO:HI",
        ),
        (
            &["hypergrad", "--example", "--l1-file", "s.npy"],
            "weighted, group and sparse-group",
        ),
        (
            &["hypergrad", "--example", "--group-size", "2"],
            "--penalty group",
        ),
        (&["hypergrad", "--example", "--box", "0:1"], "--penalty box"),
        (&["hypergrad", "--example", "--wrt", "box"], "--penalty box"),
        (
            &["hypergrad", "--example", "--wrt", "huber-delta"],
            "--loss huber",
        ),
        (
            &["hypergrad", "--example", "--wrt", "class-weights"],
            "needs classes",
        ),
        (
            &["hypergrad", "--example", "--wrt", "perturbation"],
            "--perturbation",
        ),
    ] {
        let line = fails(arguments, 2);
        assert!(line.contains(part), "{arguments:?}: {line}");
    }
    for (arguments, part) in [
        (&["hypergrad", "--y", "y.npy"][..], "--x <FILE> is missing"),
        (
            &["hypergrad", "--example", "--l2-ties", "t.npy"],
            "--l2-file <FILE> is missing",
        ),
        (
            &["hypergrad", "a.csv", "--x", "x.npy"],
            "does not go together with",
        ),
        (
            &["hypergrad", "a.csv", "--example"],
            "does not go together with",
        ),
        (
            &["hypergrad", "a.csv", "--perturbation", "p.npy"],
            "--perturbed-rows <FILE> is missing",
        ),
        (
            &["hypergrad", "a.csv", "--loss", "hinge"],
            "give one of squared",
        ),
        (
            &["hypergrad", "a.csv", "--method", "magic"],
            "give one of itd-forward",
        ),
        (
            &[
                "hypergrad",
                "a.csv",
                "--x-val",
                "v.csv",
                "--val-fraction",
                "0.5",
            ],
            "leave one of them out",
        ),
    ] {
        let line = fails(arguments, 2);
        assert!(line.contains(part), "{arguments:?}: {line}");
    }
}

#[test]
fn words_that_cannot_be_understood_are_one_line_with_a_remedy() {
    for (arguments, part) in [
        (&[][..], "`proxdiff --help` lists the commands"),
        (&["explode"], "there is no command 'explode'"),
        (&["swep"], "did you mean sweep?"),
        (&["sweep", "--bogus"], "`proxdiff sweep --help`"),
        (&["sweep", "--precison", "f32"], "did you mean --precision?"),
        (&["sweep", "--cv"], "'--cv <K|SCHEME>' needs a value"),
        (
            &["sweep", "--cv", "3", "--cv", "4"],
            "'--cv <K|SCHEME>' is given more than once",
        ),
        (
            &["sweep", "--cv", "3", "--folds", "f.csv"],
            "does not go together with '--folds <FILE>'",
        ),
        (
            &["sweep", "--l1", "1", "--alpha", "1"],
            "does not go together with '--alpha <LIST>'",
        ),
        (&["sweep", "--stratified=maybe"], "give one of true, false"),
        (&["sweep", "a.csv", "b.csv"], "no flag or argument 'b.csv'"),
        (&["sweep", "--seed", "a"], "give a whole number"),
        (&["sweep", "--best", "-1"], "give a whole number, 0 or more"),
        (&["hypergrad", "--refine=2"], "takes no value"),
        (
            &["hypergrad", "--frobnicate"],
            "`proxdiff hypergrad --help`",
        ),
        (&["fit", "--l1"], "needs a value"),
        (&["fit", "--frobnicate"], "`proxdiff fit --help`"),
        (&["predict"], "<DATA> is missing"),
        (&["predict", "--frobnicate"], "`proxdiff predict --help`"),
        (&["poison", "--norm", "l3"], "give one of linf, l2"),
        (&["poison", "--frobnicate"], "`proxdiff poison --help`"),
        (&["reproduce"], "`proxdiff reproduce --help`"),
        (&["reproduce", "everything"], "no command 'everything'"),
        (
            &["reproduce", "stochastic", "--seed", "x"],
            "give a whole number",
        ),
        (&["devices", "--format", "xml"], "give one of table"),
        (&["completions", "cobol"], "give one of bash"),
        (&["completions"], "<SHELL> is missing"),
        (&["runs"], "`proxdiff runs --help` lists the commands"),
        (&["runs", "shw"], "did you mean show?"),
        (&["runs", "list", "--format", "csv"], "give one of table"),
        (&["runs", "show"], "<STORE> is missing"),
        (
            &["runs", "show", "s.db", "--best", "a"],
            "give a whole number",
        ),
        (&["runs", "compare", "a.db"], "<STORE> is missing"),
        (&["runs", "export"], "`proxdiff runs export --help`"),
        (&["runs", "report", "s.db"], "--out <FOLDER> is missing"),
        (&["runs", "verify"], "<STORE>... is missing"),
        (&["runs", "merge"], "<STORE>... is missing"),
    ] {
        let line = fails(arguments, 2);
        assert!(line.contains(part), "{arguments:?}: {line}");
        assert!(!line.contains("tip:") && !line.contains("Usage:"), "{line}");
    }
    assert!(run(&[]).stdout.is_empty());
}

#[test]
fn the_library_refuses_in_one_line_and_status_1() {
    for (more, part) in [
        (
            &["--method", "itd-reverse", "--solver", "fista"][..],
            "--solver ista",
        ),
        (&["--method", "aid-cg", "--truncate", "3"], "itd-reverse"),
        (
            &["--method", "nsid", "--multiplier", "2", "--shift", "1"],
            "a shift of at least the multiplier",
        ),
        (
            &["--penalty", "group", "--group-size", "3"],
            "3 does not divide the 10 coordinates",
        ),
        (&["--loss", "logistic"], "multinomial"),
        (
            &["--class-weights", "balanced"],
            "exactly one target of classes",
        ),
        (
            &["--criterion", "multinomial"],
            "multinomial goes with multinomial only",
        ),
    ] {
        let line = fails(&[&["hypergrad", "--example"], more].concat(), 1);
        assert!(line.contains(part), "{more:?}: {line}");
    }
    let line = fails(&["hypergrad", "no-such-file.csv"], 1);
    assert!(
        line.contains("no-such-file.csv") && line.contains("check the path"),
        "{line}"
    );
}

#[test]
fn side_files_of_the_wrong_shape_say_which_shape_fits() {
    let folder = Folder::new();
    let two = folder.npy("two.npy", &[2], &[1.0, 2.0]);
    let half = folder.npy("half.npy", &[10], &[0.5; 10]);
    let negative = folder.npy("negative.npy", &[10], &[-1.0; 10]);
    let matrix = folder.npy("matrix.npy", &[2, 3], &[0.0; 6]);
    for (more, part) in [
        (
            &["--penalty", "weighted", "--l1-file", &two][..],
            "expected 10, one per coordinate",
        ),
        (
            &["--penalty", "weighted", "--l1-file", &negative],
            "not negative",
        ),
        (
            &["--penalty", "group", "--groups", &two],
            "expected 10, one per coefficient",
        ),
        (&["--penalty", "group", "--groups", &half], "whole numbers"),
        (&["--prior", &two], "expected 10"),
        (
            &["--l2-file", &two],
            "expected 10 (one per coefficient), found 2",
        ),
        (&["--l2-file", &negative], "entry 1 is -1"),
        (&["--l2-file", &half, "--l2-ties", &half], "whole numbers"),
        (&["--sample-weights", &two], "expected 442"),
        (
            &[
                "--perturbation",
                &matrix,
                "--perturbed-rows",
                &two,
                "--val-fraction",
                "0",
            ],
            "expected 2 × 10",
        ),
        (
            &["--perturbation", &matrix, "--perturbed-rows", &two],
            "--val-fraction 0",
        ),
    ] {
        let line = fails(&[&["hypergrad", "--example"], more].concat(), 1);
        assert!(line.contains(part), "{more:?}: {line}");
    }
}

#[test]
fn bad_data_are_named_by_line_and_column() {
    let folder = Folder::new();
    let good = columns(&table(20, 1), &["a", "b", "y"]);
    let lines: Vec<&str> = good.lines().collect();
    let with = |name: &str, row: &str| {
        let mut lines = lines.clone();
        lines[6] = row;
        folder.text(name, &lines.join("\n"))
    };
    for (file, part) in [
        (with("missing.csv", "1,,2"), "column 2 (\"b\")"),
        (with("nan.csv", "1,NaN,2"), "column 2 (\"b\")"),
        (with("infinite.csv", "1,2,inf"), "column 3 (\"y\")"),
        (with("text.csv", "red,1,2"), "column 1 (\"a\")"),
        (with("short.csv", "1,2"), "line 7"),
    ] {
        let line = fails(&["hypergrad", &file], 1);
        assert!(line.contains("line 7") && line.contains(part), "{line}");
    }
    for (name, text) in [
        ("empty.csv", ""),
        ("header.csv", "a,b,y\n"),
        ("one.csv", "a,b,y\n1,2,3\n"),
    ] {
        let file = folder.text(name, text);
        fails(&["fit", &file, "--out", &file.replace(".csv", ".model")], 1);
    }
    let good = folder.text("good.csv", &good);
    let line = fails(&["hypergrad", &good, "--target", "price"], 1);
    assert!(line.contains("price") && line.contains("\"a\""), "{line}");
}

/// Lines of a paragraph are broken where the terminal ends, not where the source did.
#[test]
fn the_last_paragraphs_of_the_help_fill_their_lines() {
    for command in ["sweep", "fit", "poison", "predict", "reproduce"] {
        let mut program = program();
        let output = program
            .args([command, "--help"])
            .env("COLUMNS", "80")
            .output();
        let text = String::from_utf8(output.unwrap().stdout).unwrap();
        let paragraphs = text
            .rsplit("\nExamples:\n")
            .next()
            .unwrap()
            .split("\n\n")
            .skip(1);
        for paragraph in paragraphs {
            let lines: Vec<&str> = paragraph.trim_end().lines().collect();
            for pair in lines.windows(2) {
                let next = pair[1].split(' ').next().unwrap();
                assert!(pair[0].chars().count() <= 80, "{command}: {}", pair[0]);
                assert!(pair[0].len() + next.len() >= 80, "{command}: {paragraph}");
            }
        }
    }
}

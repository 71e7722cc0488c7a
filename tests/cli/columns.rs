//! What rows and columns of a file are taken for, through the commands; warnings and names as they
//! are shown.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{
    Folder, as_text, assert_close, columns, fails, json, noise, numbers, ok, run, table, warned,
};

fn fitted(folder: &Folder, name: &str, file: &str, more: &[&str]) -> (Vec<f64>, Value, String) {
    let out = as_text(&folder.path(name));
    let flags = [
        "fit",
        file,
        "--l1",
        "0.01",
        "--l2",
        "0.1",
        "--coefficients",
        "--out",
        &out,
    ];
    let (report, errors) = warned(&[&flags[..], more].concat());
    let point = &report["points"][0];
    let found = [
        numbers(&point["coefficients"]),
        numbers(&point["intercept"]),
    ]
    .concat();
    (found, report["problem"].clone(), errors)
}

/// A table's rows under another header.
fn under(header: &str, text: &str) -> String {
    let rows: Vec<&str> = text.lines().skip(1).collect();
    format!("{header}\n{}\n", rows.join("\n"))
}

#[test]
fn headers_of_numbers_are_headers_in_fit_and_predict() {
    let folder = Folder::new();
    let text = columns(&table(40, 11), &["a", "b", "c", "y"]);
    let words = folder.text("words.csv", &text);
    let (expected, ..) = fitted(&folder, "words", &words, &[]);
    for (at, header) in [
        "0,1,2,3",
        "2001,2002,2003,2004",
        "\"5\",\"5.5\",\"7\",\"1\"",
    ]
    .iter()
    .enumerate()
    {
        let file = folder.text(&format!("numbers{at}.csv"), &under(header, &text));
        let model = format!("model{at}");
        let (found, problem, errors) = fitted(&folder, &model, &file, &[]);
        assert_eq!(
            (found, problem["rows"].as_u64()),
            (expected.clone(), Some(40)),
            "{header}"
        );
        assert_eq!(errors, "");

        let names: Vec<&str> = header.split(',').collect();
        let swapped = columns(&under(header, &text), &[names[2], names[0], names[1]]);
        let predicted = |text: &str| {
            let file = folder.text("new.csv", text);
            let model = as_text(&folder.path(&model));
            numbers(&json(&["predict", &file, "--model", &model])["targets"][0]["predictions"])
        };
        let in_order = predicted(&columns(&under(header, &text), &names[..3]));
        assert_eq!(in_order.len(), 40);
        assert_eq!(predicted(&swapped), in_order);
    }
    let (_, problem, _) = fitted(
        &folder,
        "said",
        &words.replace("words", "numbers0"),
        &["--header", "no"],
    );
    assert_eq!(problem["rows"], 41);
}

#[test]
fn an_unclear_first_row_is_said() {
    let folder = Folder::new();
    let file = folder.text("unclear.csv", "0,1\n3,2\n5,4\n1,3\n2,2\n4,5\n");
    let (_, problem, errors) = fitted(&folder, "m", &file, &[]);
    assert_eq!(problem["rows"], 5);
    assert_eq!(errors.lines().count(), 1, "{errors}");
    assert!(
        errors.contains("--header no") && errors.contains("(0, 1)"),
        "{errors}"
    );
    let (_, problem, errors) = fitted(&folder, "m", &file, &["--header", "no"]);
    assert_eq!((problem["rows"].as_u64(), errors.as_str()), (Some(6), ""));
    // A series that begins at zero, and a first measurement that happens to be round.
    for first in ["0,1", "0,10,20", "1,250", "5,7,8,2"] {
        let fields = first.split(',').count();
        let below: String = (1..40)
            .map(|i| {
                let field = |j: usize| format!("{:.3}", (0.1 * i as f64 + j as f64).exp().sin());
                let row: Vec<String> = (0..fields).map(field).collect();
                row.join(",") + "\n"
            })
            .collect();
        let file = folder.text("series.csv", &format!("{first}\n{below}"));
        let (_, problem, errors) = fitted(&folder, "m", &file, &[]);
        let is_lost = problem["rows"] == 39;
        assert!(
            !is_lost || errors.contains("--header no"),
            "{first}: {errors}"
        );
    }
}

#[test]
fn the_target_of_held_out_files_is_found_by_name() {
    let folder = Folder::new();
    let (train, other) = (table(60, 12), table(30, 13));
    let names = ["a", "b", "c", "y"];
    let train = folder.text("train.csv", &columns(&train, &names));
    let good = folder.text("val.csv", &columns(&other, &names));
    let more = folder.text(
        "more.csv",
        &columns(&other, &["z", "label", "y", "c", "b", "a", "kind"]),
    );
    let lacking = folder.text("other.csv", &columns(&other, &["a", "b", "c", "z"]));
    let criterion = |file: &str| {
        let report = json(&[
            "hypergrad",
            "--x",
            &train,
            "--x-val",
            file,
            "--l1",
            "0.1",
            "--l2",
            "0.1",
        ]);
        numbers(&report["points"][0]["criterion"])
    };
    assert_eq!(criterion(&more), criterion(&good));
    let line = fails(
        &[
            "hypergrad",
            "--x",
            &train,
            "--x-val",
            &lacking,
            "--l1",
            "0.1",
        ],
        1,
    );
    assert!(
        line.contains("\"y\"") && line.contains("target of the training data"),
        "{line}"
    );

    let poison = |test: &str| {
        let flags = ["poison", "--x", &train, "--x-val", &good, "--x-test", test];
        let out = as_text(&folder.path("p"));
        let small = [
            "--budget",
            "0.5",
            "--steps",
            "2",
            "--restarts",
            "1",
            "--out",
            &out,
        ];
        let output = run(&[&flags[..], &small].concat());
        (output.status.code(), output.stdout)
    };
    assert_eq!(poison(&more), poison(&good));
    assert_eq!(poison(&good).0, Some(0));
    assert_eq!(poison(&lacking).0, Some(1));

    let pairs = |y: &[&str]| {
        let of = |text: &str, names: &[&str], name: &str| folder.text(name, &columns(text, names));
        let (t, v) = (table(60, 12), other.clone());
        let (x, xv) = (
            of(&t, &["a", "b", "c"], "x.csv"),
            of(&v, &["a", "b", "c"], "xv.csv"),
        );
        let (y, yv) = (of(&t, &["y", "z"], "y.csv"), of(&v, y, "yv.csv"));
        let flags = [
            "hypergrad",
            "--x",
            &x,
            "--y",
            &y,
            "--x-val",
            &xv,
            "--y-val",
            &yv,
        ];
        let report = json(&[&flags[..], &["--l1", "0.1", "--l2", "0.1"]].concat());
        report["points"].clone()
    };
    assert_eq!(pairs(&["z", "y"]), pairs(&["y", "z"]));
}

#[test]
fn names_like_x0_are_names() {
    let folder = Folder::new();
    let text = columns(&table(40, 14), &["a", "b", "c", "y"]);
    let train = folder.text("train.csv", &under("x0,x1,x2,price", &text));
    let model = as_text(&folder.path("m"));
    let fit = [
        "fit", &train, "--l1", "0.001", "--l2", "0.001", "--out", &model,
    ];
    warned(&fit);
    let lacking = folder.text("new.csv", "x0,x1,price\n1,2,3\n4,5,6\n");
    let line = fails(&["predict", &lacking, "--model", &model], 1);
    assert!(line.contains("\"x2\""), "{line}");
    let val = folder.text("val.csv", "x0,x1,x3,price\n1,2,3,4\n4,5,6,7\n");
    let line = fails(
        &["hypergrad", "--x", &train, "--x-val", &val, "--l1", "0.1"],
        1,
    );
    assert!(line.contains("\"x2\""), "{line}");
    // Without a header columns have no names, and none of the model.
    let plain = folder.text("plain.csv", "1,2,3\n4,5,6\n");
    let found = json(&["predict", &plain, "--model", &model]);
    assert_eq!(found["rows"], 2);
}

#[test]
fn row_numbers_are_left_out_with_a_warning() {
    let folder = Folder::new();
    let text = columns(&table(40, 15), &["a", "b", "c", "y"]);
    let plain = folder.text("plain.csv", &text);
    let indexed: String = text
        .lines()
        .enumerate()
        .map(|(i, line)| {
            if i == 0 {
                format!(",{line}\n")
            } else {
                format!("{},{line}\n", i - 1)
            }
        })
        .collect();
    let indexed = folder.text("indexed.csv", &indexed);
    let (expected, ..) = fitted(&folder, "plain", &plain, &[]);
    let (found, problem, errors) = fitted(&folder, "indexed", &indexed, &[]);
    assert_eq!(found, expected);
    assert_eq!(problem["feature_names"], serde_json::json!(["a", "b", "c"]));
    assert_eq!(errors.lines().count(), 1, "{errors}");
    for part in ["indexed.csv", "row numbers", "--keep-index", "column 1"] {
        assert!(errors.contains(part), "{errors}");
    }
    let (_, problem, errors) = fitted(&folder, "kept", &indexed, &["--keep-index"]);
    assert_eq!(
        (problem["features"].as_u64(), errors.as_str()),
        (Some(4), "")
    );
    // A column that is asked for is read once more, and said once.
    let flags = [
        "sweep",
        &indexed,
        "--target",
        "y",
        "--cv",
        "4",
        "--group-column",
        "c",
    ];
    let (_, errors) = warned(&[&flags[..], &["--l1", "0.1", "--l2", "0.1"]].concat());
    assert_eq!(errors.lines().count(), 1, "{errors}");
}

#[test]
fn labels_and_groups_of_many_digits_stay_apart() {
    let folder = Folder::new();
    let values = noise(120, 16);
    let rows = |label: &dyn Fn(usize) -> String| -> String {
        let row =
            |(i, v): (usize, &[f64])| format!("{},{},{},{}\n", v[0], v[1], v[0] - v[1], label(i));
        values.chunks(2).enumerate().map(row).collect()
    };
    let id = |k: usize| format!("123456789012345678{k}");
    let ids = folder.text("ids.csv", &format!("a,b,y,id\n{}", rows(&|i| id(i % 3))));
    let words = folder.text(
        "words.csv",
        &format!("a,b,y,id\n{}", rows(&|i| format!("P{}", i % 3))),
    );
    let objective = |file: &str| {
        let flags = [
            "fit",
            file,
            "--loss",
            "multinomial",
            "--l1",
            "0.01",
            "--l2",
            "0.1",
            "--out",
        ];
        let (report, _) = warned(&[&flags[..], &[&as_text(&folder.path("m"))]].concat());
        let classes = report["problem"]["classes"][0].as_array().unwrap().clone();
        (classes, numbers(&report["points"][0]["objective"]))
    };
    let (classes, found) = objective(&ids);
    assert_eq!(classes, [id(0), id(1), id(2)]);
    assert_eq!(found, objective(&words).1);

    let groups = folder.text("groups.csv", &format!("a,b,y,id\n{}", rows(&|i| id(i % 6))));
    let flags = [
        "sweep",
        &groups,
        "--target",
        "y",
        "--group-column",
        "id",
        "--cv",
        "6",
    ];
    let (report, _) = warned(&[&flags[..], &["--l1", "0.01", "--l2", "0.1"]].concat());
    assert_eq!(report["cells"], 6);
}

#[test]
fn weights_times_any_factor_give_the_same_model() {
    let folder = Folder::new();
    let values = noise(120, 17);
    let time = |v: f64| 1.7e12 + (50_000.0 * v).round();
    let text = |factor: f64| -> String {
        let row = |(i, v): (usize, &[f64])| {
            format!(
                "{},{},{}\n",
                time(v[0]),
                3.0 * v[0] + 0.2 * v[1],
                factor * (1 + i % 5) as f64
            )
        };
        let rows: String = values.chunks(2).enumerate().map(row).collect();
        format!("t,y,w\n{rows}")
    };
    let coefficient = |factor: f64| {
        let file = folder.text("weighted.csv", &text(factor));
        let flags = ["--target", "y", "--sample-weights", "w"];
        fitted(&folder, "m", &file, &flags).0[0]
    };
    let one = coefficient(1.0);
    for factor in [7.0, 0.001, 1e5] {
        assert_close(&[coefficient(factor)], &[one], 1e-9);
    }
}

#[test]
fn sparse_and_dense_columns_far_from_zero_agree() {
    let folder = Folder::new();
    let values = noise(160, 18);
    for mean in [1e3, 1e8, 1e11] {
        // Deviations that are exact at any of these means.
        let x = |v: f64| mean + (v * 4096.0).round() / 4096.0;
        let (mut dense, mut sparse) = (String::from("a,b,y\n"), String::new());
        for v in values.chunks(2) {
            let y = v[0] - 0.5 * v[1];
            dense.push_str(&format!("{},{},{y}\n", x(v[0]), v[1]));
            sparse.push_str(&format!("{y} 1:{} 2:{}\n", x(v[0]), v[1]));
        }
        let dense = fitted(&folder, "d", &folder.text("d.csv", &dense), &[]).0;
        let sparse = fitted(&folder, "s", &folder.text("s.svm", &sparse), &[]).0;
        assert_close(&sparse[..2], &dense[..2], 1e-9);
    }
}

#[test]
fn columns_that_do_not_vary_are_one_warning_and_no_wait() {
    let folder = Folder::new();
    let begin = Instant::now();
    let wide = folder.text("wide.svm", "1 1048576:1\n-1 1:2\n1 2:1\n-1 1:1.5\n");
    let out = as_text(&folder.path("m"));
    let output = run(&["fit", &wide, "--l1", "0.1", "--l2", "0.1", "--out", &out]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(text.contains("1048573 features do not vary ("), "{text}");
    assert!(text.lines().count() < 10, "{text}");
    let many = ["--l1", "log:0.01:1:8", "--l2", "0.1,0.2"];
    let narrow = folder.text(
        "narrow.svm",
        "1 20000:1\n-1 1:2\n1 2:1\n-1 1:1.5\n1 2:2\n-1 1:1\n",
    );
    for command in ["hypergrad", "sweep"] {
        let flags = [command, &narrow, "--val-fraction", "0", "--format", "json"];
        let output = run(&[&flags[..], &many].concat());
        assert_eq!(output.status.code(), Some(0));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let names = report["problem"]["feature_names"].to_string().len();
        assert!(
            output.stdout.len() < names + 50_000,
            "{} bytes",
            output.stdout.len()
        );
    }
    // Minutes and more where anything is quadratic in the columns.
    assert!(
        begin.elapsed() < Duration::from_secs(120),
        "{:?}",
        begin.elapsed()
    );
}

#[test]
fn warnings_call_columns_by_their_names() {
    let folder = Folder::new();
    let text: String = columns(&table(20, 19), &["a", "y"])
        .lines()
        .enumerate()
        .map(|(i, line)| {
            if i == 0 {
                format!("first,second,{line}\n")
            } else {
                format!("5,0,{line}\n")
            }
        })
        .collect();
    let file = folder.text("constant.csv", &text);
    let report = json(&["hypergrad", &file, "--l1", "0.1,0.2", "--l2", "0.1"]);
    for point in report["points"].as_array().unwrap() {
        let warnings = point["warnings"].as_array().unwrap();
        let constant: Vec<&Value> = warnings
            .iter()
            .filter(|w| w["kind"] == "constant-column")
            .collect();
        assert_eq!(constant.len(), 1);
        let message = constant[0]["message"].as_str().unwrap();
        assert!(
            message.starts_with("2 features do not vary ('first', 'second')"),
            "{message}"
        );
    }
}

#[test]
fn names_cannot_steer_the_terminal() {
    let folder = Folder::new();
    let text = columns(&table(30, 20), &["a", "b", "c", "kind"]);
    let hostile = "\x1b[2J\x1b]0;owned\x07";
    let text = under(
        &format!("a{hostile},b\u{9b}31m,\u{202e}c,k{hostile}"),
        &text,
    );
    let text = text.replace("middle", &format!("mid{hostile}"));
    let file = folder.text(&format!("d{hostile}.csv"), &text);
    let out = as_text(&folder.path(&format!("m{hostile}")));
    let clean = |arguments: &[&str], status: i32| {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}");
        for bytes in [output.stdout, output.stderr] {
            let text = String::from_utf8(bytes).unwrap();
            let raw = text
                .chars()
                .find(|&c| (c.is_control() && c != '\n') || c == '\u{202e}');
            assert_eq!(raw, None, "{text:?}");
        }
    };
    let model = ["--loss", "multinomial", "--l1", "0.01", "--l2", "0.1"];
    clean(
        &[&["fit", &file, "--coefficients", "--out", &out][..], &model].concat(),
        0,
    );
    clean(&["predict", &file, "--model", &out, "--proba"], 0);
    clean(
        &[&["hypergrad", &file, "--diagnostics"][..], &model].concat(),
        0,
    );
    clean(&[&["sweep", &file, "--cv", "3"][..], &model].concat(), 0);
    clean(&["fit", &file, "--target", &format!("gone{hostile}")], 1);
    clean(&["fit", &format!("{file}.gone")], 1);
    clean(&["fit", &file, "--header", hostile], 2);
    let index = folder.text(&format!("i{hostile}.csv"), ",a,y\n0,1,2\n1,3,4\n2,5,7\n");
    clean(&["fit", &index, "--l1", "0.1", "--out", &out], 0);
}

#[test]
fn side_files_heed_the_header_flag() {
    let folder = Folder::new();
    let text = columns(&table(30, 21), &["a", "b", "c", "y"]);
    let file = folder.text("data.csv", &text);
    let one_per_row = |value: &dyn Fn(usize) -> usize| -> String {
        (0..30).map(|i| format!("{}\n", value(i))).collect()
    };
    let weights = one_per_row(&|i| 1 + i % 3);
    let folds = one_per_row(&|i| i % 3);
    let with_header = |text: &str| format!("0\n{text}");
    let strengths = ["--l1", "0.1", "--l2", "0.1"];
    for header in ["auto", "yes"] {
        let sweep = |folds: &str| {
            let folds = folder.text("folds.csv", folds);
            let flags = ["sweep", &file, "--folds", &folds, "--header", header];
            json(&[&flags[..], &strengths].concat())["best"].clone()
        };
        assert_eq!(sweep(&with_header(&folds)), sweep(&folds), "{header}");
        let fit = |weights: &str| {
            let weights = folder.text("weights.csv", weights);
            let flags = ["--sample-weights", &weights, "--header", header];
            fitted(&folder, "m", &file, &flags).0
        };
        assert_eq!(fit(&with_header(&weights)), fit(&weights), "{header}");
    }
}

#[test]
fn class_weights_may_begin_with_a_sign() {
    let folder = Folder::new();
    let text = columns(&table(40, 22), &["a", "b", "c", "label"]);
    let text = text.replace(",no", ",-1").replace(",yes", ",1");
    let file = folder.text("signs.csv", &text);
    let fit = |flags: &[&str]| {
        fitted(
            &folder,
            "m",
            &file,
            &[&["--loss", "logistic"], flags].concat(),
        )
        .0
    };
    let found = fit(&["--class-weights", "-1=2,1=1"]);
    assert_eq!(found, fit(&["--class-weights=-1=2,1=1"]));
    assert_ne!(found, fit(&[]));
}

#[test]
fn an_intercept_that_does_not_exist_is_null() {
    let report = json(&[
        "hypergrad",
        "--example",
        "--l1",
        "1",
        "--no-intercept",
        "--coefficients",
    ]);
    let point = report["points"][0].as_object().unwrap();
    assert_eq!(point.get("intercept"), Some(&Value::Null));
    let report = json(&["hypergrad", "--example", "--l1", "1", "--no-intercept"]);
    assert!(
        !report["points"][0]
            .as_object()
            .unwrap()
            .contains_key("intercept")
    );
}

/// The criterion, the hypergradient and the saved model are of one model, where a prior holds the coefficient of a column
/// that does not vary in training; in the folds of a sweep too.
#[test]
fn a_prior_of_a_column_that_does_not_vary_counts_in_held_out_rows() {
    let folder = Folder::new();
    let x = folder.text("x.csv", "a,b\n1,2\n-1,2\n0.5,2\n2,2\n-2,2\n");
    let y = folder.text("y.csv", "y\n1.1\n-0.7\n0.2\n1.9\n-2.2\n");
    let x_val = folder.text("xv.csv", "a,b\n1,3\n-1,0\n0,5\n");
    let y_val = folder.text("yv.csv", "y\n1\n-1\n0.1\n");
    let rows = ["--x", &x, "--y", &y];
    let held_out = ["--x-val", &x_val, "--y-val", &y_val];
    let own = ["--l1", "0.01", "--l2", "0.1"];
    let model = as_text(&folder.path("model"));
    let prior = |b: f64| folder.text("c.txt", &format!("0.5\n{b}\n"));
    let at = |loss: &str, b: f64| {
        let words = ["hypergrad", "--loss", loss, "--prior", &prior(b)];
        let more = ["--coefficients", "--wrt", "l1,l2,prior"];
        json(&[&words[..], &rows, &held_out, &own, &more].concat())["points"][0].clone()
    };
    let criterion = |loss: &str, b: f64| at(loss, b)["criterion"].as_f64().unwrap();
    for loss in ["squared", "huber"] {
        let point = at(loss, 0.4);
        let warnings = point["warnings"].as_array().unwrap();
        let mut constant = warnings.iter().filter(|w| w["kind"] == "constant-column");
        let message = constant.next().unwrap()["message"].as_str().unwrap();
        let said = "'b' does not vary: its coefficient is held by the prior alone";
        assert!(message.contains(said), "{message}");
        // λ₂(w − c) + l1 = 0.
        assert_close(&numbers(&point["coefficients"][1]), &[0.3], 1e-12);
        let slope = (criterion(loss, 0.4 + 1e-5) - criterion(loss, 0.4 - 1e-5)) / 2e-5;
        assert_close(
            &numbers(&point["hypergradient"]["prior"][1]),
            &[slope],
            1e-8,
        );
    }
    ok(&[
        &["fit", "--prior", &prior(0.4)][..],
        &rows,
        &own,
        &["--out", &model],
    ]
    .concat());
    let predict = ["predict", "--x", &x_val, "--y", &y_val, "--model", &model];
    let scores = &json(&predict)["targets"][0]["scores"];
    assert_close(
        &numbers(&scores["loss"]),
        &[criterion("squared", 0.4)],
        1e-12,
    );

    // A fold of the same rows, where factors of the rows serve and where they do not.
    let table =
        "a,b,y\n1,2,1.1\n-1,2,-0.7\n0.5,2,0.2\n2,2,1.9\n-2,2,-2.2\n1,3,1\n-1,0,-1\n0,5,0.1\n";
    let table = folder.text("all.csv", table);
    let folds = folder.text("folds.csv", "-1\n-1\n-1\n-1\n-1\n0\n0\n0\n");
    for loss in ["squared", "huber"] {
        let words = [
            "sweep",
            &table,
            "--folds",
            &folds,
            "--loss",
            loss,
            "--prior",
            &prior(0.4),
        ];
        let found = json(&[&words[..], &own].concat());
        let of_fold = &found["best"]["criteria"][0];
        assert_close(&numbers(of_fold), &[criterion(loss, 0.4)], 1e-12);
    }
}

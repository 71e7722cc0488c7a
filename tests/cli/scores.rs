//! Scores of predictions against known targets, by their definitions.

use serde_json::Value;

use crate::support::{Folder, as_text, assert_close, columns, fails, json, numbers, ok, table};

/// A model of `target` fitted to one table, and the predictions of another.
fn predicted(folder: &Folder, target: &str, loss: &str, more: &[&str]) -> Value {
    let train = folder.text(
        "train.csv",
        &columns(&table(80, 21), &["a", "b", "c", target]),
    );
    let out = as_text(&folder.path("model"));
    let fit = ["fit", &train, "--loss", loss, "--l1", "0.02", "--l2", "0.1"];
    json(&[&fit[..], &["--out", &out]].concat());
    let test = folder.text("test.csv", &table(60, 22));
    json(&[&["predict", &test, "--model", &out][..], more].concat())["targets"][0].clone()
}

/// A column of the test table.
fn truth(name: &str) -> Vec<String> {
    let column = columns(&table(60, 22), &[name]);
    column.lines().skip(1).map(str::to_string).collect()
}

#[test]
fn regression_is_scored_by_its_errors() {
    let folder = Folder::new();
    let found = predicted(&folder, "y", "squared", &["--target", "y"]);
    let p = numbers(&found["predictions"]);
    let y: Vec<f64> = truth("y").iter().map(|y| y.parse().unwrap()).collect();
    let mean = |values: &dyn Fn(usize) -> f64| (0..60).map(values).sum::<f64>() / 60.0;
    let mse = mean(&|i| (p[i] - y[i]).powi(2));
    let centre = mean(&|i| y[i]);
    let expected = [
        mse / 2.0,
        mse,
        mse.sqrt(),
        mean(&|i| (p[i] - y[i]).abs()),
        1.0 - mse / mean(&|i| (y[i] - centre).powi(2)),
    ];
    let scores = &found["scores"];
    let names = ["loss", "mse", "rmse", "mae", "r2"];
    let values: Vec<f64> = names
        .iter()
        .flat_map(|name| numbers(&scores[name]))
        .collect();
    assert_close(&values, &expected, 1e-12);
    assert_eq!(scores["rows"], 60);
    // The same from a file of its own.
    let y = folder.text("y.csv", &columns(&table(60, 22), &["y"]));
    let of_file = predicted(&folder, "y", "squared", &["--y", &y]);
    assert_eq!(of_file["scores"], found["scores"]);
}

#[test]
fn targets_are_matched_by_name() {
    let folder = Folder::new();
    let train = columns(&table(80, 21), &["a", "b", "c", "y", "z"]);
    let train = folder.text("train.csv", &train);
    let out = as_text(&folder.path("model"));
    let fit = ["fit", &train, "--target", "y,z", "--l1", "0.02"];
    json(&[&fit[..], &["--out", &out]].concat());
    let text = table(60, 22);
    let test = folder.text("test.csv", &text);
    let scores = |file: &str, target: &str| {
        let report = json(&["predict", file, "--model", &out, "--target", target]);
        let of = |at: usize| report["targets"][at]["scores"].clone();
        [of(0), of(1)]
    };
    let expected = scores(&test, "y,z");
    for r2 in expected.iter().map(|scores| &scores["r2"]) {
        assert!(numbers(r2)[0] > 0.8, "{r2}");
    }
    assert_eq!(scores(&test, "z,y"), expected);
    // Columns of other names, and those of files without names, are in the order of the flag.
    let other = text.replacen("y,z", "price,rent", 1);
    let other = folder.text("other.csv", &other);
    assert_eq!(scores(&other, "price,rent"), expected);
    assert_ne!(scores(&other, "rent,price"), expected);
    let half = ["predict", &test, "--model", &out, "--target", "z,label"];
    let line = fails(&half, 1);
    assert!(
        line.contains("targets of the model") && line.contains("\"y\""),
        "{line}"
    );
}

#[test]
fn a_file_of_targets_is_written_as_that_of_the_features() {
    let folder = Folder::new();
    let expected = predicted(&folder, "y", "squared", &["--target", "y"]);
    let european = |text: &str| text.replace(',', ";").replace('.', ",");
    let test = folder.text("european.csv", &european(&table(60, 22)));
    let y = folder.text("y.csv", &european(&columns(&table(60, 22), &["y"])));
    let out = as_text(&folder.path("model"));
    let flags = ["--delimiter", "semicolon", "--decimal", "comma"];
    let predict = ["predict", &test, "--model", &out, "--y", &y];
    let found = json(&[&predict[..], &flags].concat());
    assert_eq!(found["targets"][0]["scores"], expected["scores"]);
}

#[test]
fn a_model_of_an_unknown_loss_has_no_scores() {
    let folder = Folder::new();
    predicted(&folder, "label", "logistic", &[]);
    let (test, out) = (
        as_text(&folder.path("test.csv")),
        as_text(&folder.path("model")),
    );
    let head = folder.path("model/model.json");
    let whole = std::fs::read_to_string(&head).unwrap();
    for (loss, part) in [
        ("cubic", "the loss \"cubic\" is not known"),
        ("squared", "does not go with the classes"),
    ] {
        std::fs::write(&head, whole.replace("\"logistic\"", &format!("\"{loss}\""))).unwrap();
        let line = fails(&["predict", &test, "--model", &out, "--target", "label"], 1);
        assert!(line.contains(part), "{line}");
    }
}

/// The share of pairs of a positive and another row that the scores put in order.
fn auc(scores: &[f64], positive: &dyn Fn(usize) -> bool) -> f64 {
    let (mut pairs, mut ordered) = (0.0, 0.0);
    for i in (0..scores.len()).filter(|&i| positive(i)) {
        for j in (0..scores.len()).filter(|&j| !positive(j)) {
            pairs += 1.0;
            ordered += match scores[i].total_cmp(&scores[j]) {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Less => 0.0,
            };
        }
    }
    ordered / pairs
}

#[test]
fn classes_are_scored_by_counts_and_order() {
    for (target, loss) in [("label", "logistic"), ("kind", "multinomial")] {
        let folder = Folder::new();
        let found = predicted(&folder, target, loss, &["--target", target, "--proba"]);
        let scores = &found["scores"];
        let text = |value: &Value| value.as_str().unwrap().to_string();
        let list =
            |value: &Value| -> Vec<String> { value.as_array().unwrap().iter().map(text).collect() };
        let (classes, p, y) = (
            list(&found["classes"]),
            list(&found["predictions"]),
            truth(target),
        );
        let count = |t: &str, q: &str| (0..60).filter(|&i| y[i] == t && p[i] == q).count();
        let confusion: Vec<Vec<usize>> = classes
            .iter()
            .map(|t| classes.iter().map(|q| count(t, q)).collect())
            .collect();
        assert_eq!(scores["confusion"], serde_json::json!(confusion));
        let right = (0..60).filter(|&i| y[i] == p[i]).count() as f64;
        assert!(right > 40.0 && right < 60.0, "{right}");
        let proba = numbers(&found["probabilities"]);
        let of_class = |k: usize| -> Vec<f64> {
            proba
                .iter()
                .skip(k)
                .step_by(classes.len())
                .copied()
                .collect()
        };
        let place = |i: usize| classes.iter().position(|class| *class == y[i]).unwrap();
        let loss_sum: f64 = (0..60).map(|i| -of_class(place(i))[i].ln()).sum();
        let aucs: Vec<f64> = (0..classes.len())
            .map(|k| auc(&of_class(k), &|i| y[i] == classes[k]))
            .collect();
        let mean_auc = aucs.iter().sum::<f64>() / aucs.len() as f64;
        let (mut recalls, mut f1s) = (Vec::new(), Vec::new());
        for (k, class) in scores["classes"].as_array().unwrap().iter().enumerate() {
            let hit = confusion[k][k] as f64;
            let rows: usize = confusion[k].iter().sum();
            let named: usize = confusion.iter().map(|row| row[k]).sum();
            let (precision, recall) = (hit / named as f64, hit / rows as f64);
            let f1 = 2.0 * precision * recall / (precision + recall);
            assert_eq!(class["class"], classes[k].as_str());
            assert_eq!(class["rows"], rows);
            let values = ["precision", "recall", "f1"].map(|name| numbers(&class[name])[0]);
            assert_close(&values, &[precision, recall, f1], 1e-12);
            recalls.push(recall);
            f1s.push(f1);
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        // Of two classes the second is the one that is looked for.
        let f1 = if classes.len() == 2 {
            f1s[1]
        } else {
            mean(&f1s)
        };
        let expected = [right / 60.0, mean(&recalls), f1, mean_auc, loss_sum / 60.0];
        let names = ["accuracy", "balanced_accuracy", "f1", "auc", "loss"];
        let values: Vec<f64> = names
            .iter()
            .flat_map(|name| numbers(&scores[name]))
            .collect();
        assert_close(&values, &expected, 1e-9);
    }
}

#[test]
fn tables_show_the_scores_and_bad_targets_are_one_line() {
    let folder = Folder::new();
    predicted(&folder, "label", "logistic", &[]);
    let (test, out) = (
        as_text(&folder.path("test.csv")),
        as_text(&folder.path("model")),
    );
    let predict = ["predict", &test, "--model", &out];
    let shown = ok(&[&predict[..], &["--target", "label"]].concat());
    for part in [
        "Scores of label",
        "balanced accuracy",
        "precision",
        "Confusion",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let csv = ok(&[&predict[..], &["--id", "kind", "--format", "csv"]].concat());
    assert!(csv.starts_with("kind,label\n"), "{csv}");
    for (flags, part) in [
        (
            &["--target", "a"][..],
            "no column \"a\" beside the features",
        ),
        (&["--target", "price"], "no column \"price\""),
        (&["--target", "kind"], "which training has not seen"),
        (&["--target", "label,kind"], "1 column(s), one per target"),
        (&["--id", "nobody"], "no column \"nobody\""),
    ] {
        let line = fails(&[&predict[..], flags].concat(), 1);
        assert!(line.contains(part), "{flags:?}: {line}");
    }
    let short = folder.text("short.csv", "yes\nno\n");
    let line = fails(&[&predict[..], &["--y", &short]].concat(), 1);
    assert!(
        line.contains("short.csv") && line.contains("60 rows"),
        "{line}"
    );
}

/// Columns may be named or counted, also one of each, and one column may be both.
#[test]
fn columns_are_named_or_counted() {
    let folder = Folder::new();
    predicted(&folder, "label", "logistic", &[]);
    let test = folder.path("test.csv");
    let header = std::fs::read_to_string(&test).unwrap();
    let header: Vec<&str> = header.lines().next().unwrap().split(',').collect();
    let index = |name: &str| {
        let at = header.iter().position(|column| *column == name).unwrap();
        at.to_string()
    };
    let (label, kind, a) = (index("label"), index("kind"), index("a"));
    let (test, out) = (as_text(&test), as_text(&folder.path("model")));
    let predict = ["predict", &test, "--model", &out];
    let with =
        |target: &str, id: &str| json(&[&predict[..], &["--target", target, "--id", id]].concat());
    let named = with("label", "kind");
    assert_ne!(named["ids"], Value::Null);
    for (target, id) in [("label", &kind[..]), (&label, "kind"), (&label, &kind)] {
        assert_eq!(with(target, id), named, "{target} {id}");
    }
    assert_eq!(with(&label, &label), with("label", "label"));
    let twice = [&predict[..], &["--target", "label", "--id", &a]].concat();
    let line = fails(&twice, 1);
    assert!(line.contains(&format!("no column \"{a}\"")), "{line}");
}

#[test]
fn fit_and_tune_score_test_rows_as_predict_does() {
    let folder = Folder::new();
    let whole = table(140, 12);
    let model = as_text(&folder.path("model"));
    for (target, loss) in [
        ("y", "squared"),
        ("y", "huber"),
        ("label", "logistic"),
        ("kind", "multinomial"),
        ("label", "squared-hinge"),
    ] {
        let text = columns(&whole, &["a", "b", "c", target]);
        let lines: Vec<&str> = text.lines().collect();
        let of = |rows: &[&str]| rows.join("\n") + "\n";
        let train = folder.text("train.csv", &of(&lines[..101]));
        let test = folder.text("test.csv", &of(&[&lines[..1], &lines[101..]].concat()));
        let fit = |more: &[&str]| {
            let base = ["fit", &train, "--loss", loss, "--out", &model, "--x-test"];
            json(&[&base[..], &[&test], more].concat())
        };
        for more in [&["--l1", "0.01"][..], &["--cv", "3"]] {
            let fitted = fit(more);
            let predict = ["predict", &test, "--model", &model, "--target", target];
            let mut expected = json(&predict)["targets"][0]["scores"].clone();
            expected["target"] = target.into();
            assert_eq!(fitted["test"], serde_json::json!([expected]), "{loss}");
            assert_eq!(fitted["problem"]["rows"], 100);
            // Test rows have no part in the fit.
            let alone = ["fit", &train, "--loss", loss, "--out", &model];
            let alone = json(&[&alone[..], more].concat());
            assert_eq!(alone["points"], fitted["points"]);
            assert!(alone.get("test").is_none());
        }
        let tune = ["tune", &train, "--loss", loss, "--x-test", &test, "--model"];
        let tune = json(&[&tune[..], &[&model, "--max-evaluations", "20"]].concat());
        let predict = ["predict", &test, "--model", &model, "--target", target];
        let scores = &json(&predict)["targets"][0]["scores"];
        let found = tune["test"].as_object().unwrap();
        assert!(found["criterion"].is_number());
        for (name, score) in scores.as_object().unwrap() {
            match (score.as_f64(), found[name].as_f64()) {
                (Some(score), Some(own)) => assert_close(&[own], &[score], 1e-11),
                _ => assert_eq!(score, &found[name], "{loss}: {name}"),
            }
        }
    }
}

#[test]
fn test_rows_are_set_aside_before_anything_is_chosen() {
    let folder = Folder::new();
    let train = folder.text("train.csv", &columns(&table(120, 8), &["a", "b", "c", "y"]));
    let model = as_text(&folder.path("model"));
    for more in [&["--l1", "0.01"][..], &["--l1", "0.01,0.1"], &["--cv", "4"]] {
        let base = ["fit", &train, "--out", &model, "--test-fraction", "0.25"];
        let fit = json(&[&base[..], more].concat());
        assert_eq!(fit["problem"]["rows"], 90, "{more:?}");
        assert_eq!(fit["test"][0]["rows"], 30);
        assert!(fit["test"][0]["r2"].as_f64().unwrap() > 0.5);
        let text = ok(&[&base[..], more].concat());
        assert!(text.contains("\n\nScores of y on test rows\n"), "{text}");
    }
    let weights = folder.text("w.csv", &format!("w\n{}", "2\n".repeat(120)));
    let base = ["fit", &train, "--out", &model, "--test-fraction", "0.25"];
    let plain = json(&[&base[..], &["--l1", "0.01"]].concat());
    let doubled = json(&[&base[..], &["--l1", "0.01", "--sample-weights", &weights]].concat());
    let r2 = |fit: &Value| fit["test"][0]["r2"].as_f64().unwrap();
    assert_close(&[r2(&doubled)], &[r2(&plain)], 1e-12);
    for (more, part) in [
        (
            &["--x-test", &train, "--test-fraction", "0.1"][..],
            "--test-fraction",
        ),
        (&["--y-test", &train], "--x-test"),
        (
            &["--test-fraction", "0.1", "--cv", "3", "--group-column", "a"],
            "--x-test",
        ),
        (&["--test-fraction", "0.1", "--folds", &weights], "--x-test"),
        (
            &["--test-fraction", "0.1", "--loss", "quadratic"],
            "leave --x-test",
        ),
    ] {
        let base = ["fit", train.as_str(), "--out", &model];
        let line = fails(&[&base[..], more].concat(), 2);
        assert!(line.contains(part), "{more:?}: {line}");
    }
}

//! `fit` saves a model and `predict` applies it.

use serde_json::Value;

use crate::support::{
    Folder, as_text, assert_close, columns, fails, json, numbers, ok, run, table,
};

#[test]
fn predictions_are_the_fitted_linear_function() {
    let folder = Folder::new();
    let table = table(60, 1);
    let train = folder.text("train.csv", &columns(&table, &["a", "b", "c", "y"]));
    let model = as_text(&folder.path("model"));
    let fit = json(&[
        "fit",
        &train,
        "--l1",
        "0.05",
        "--coefficients",
        "--out",
        &model,
    ]);
    assert!(fit["points"][0]["hypergradient"].is_null());
    let w = numbers(&fit["points"][0]["coefficients"]);
    let b = fit["points"][0]["intercept"].as_f64().unwrap();

    // Columns in another order, with one that the model does not know.
    let new = folder.text("new.csv", &columns(&table, &["c", "z", "a", "b"]));
    let report = json(&["predict", &new, "--model", &model]);
    assert_eq!(
        (&report["schema"], &report["rows"]),
        (&Value::from(1), &Value::from(60))
    );
    assert_eq!(report["targets"][0]["name"], "y");
    let found = numbers(&report["targets"][0]["predictions"]);
    let expected: Vec<f64> = columns(&table, &["a", "b", "c"])
        .lines()
        .skip(1)
        .map(|line| {
            let x: Vec<f64> = line.split(',').map(|v| v.parse().unwrap()).collect();
            b + x.iter().zip(&w).map(|(x, w)| x * w).sum::<f64>()
        })
        .collect();
    assert_close(&found, &expected, 1e-12);

    let csv = ok(&["predict", "--x", &new, "--model", &model, "--format", "csv"]);
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("y"));
    let read: Vec<f64> = lines.map(|line| line.parse().unwrap()).collect();
    assert_eq!(read, found);
    let text = ok(&["predict", &new, "--model", &model]);
    assert!(text.contains("40 more rows"), "{text}");
}

#[test]
fn classifiers_predict_labels_and_probabilities() {
    let folder = Folder::new();
    let table = table(90, 2);
    for (loss, target, classes) in [
        ("logistic", "label", &["no", "yes"][..]),
        ("multinomial", "kind", &["high", "low", "middle"]),
        ("multinomial", "label", &["no", "yes"]),
    ] {
        let train = folder.text("train.csv", &columns(&table, &["a", "b", "c", target]));
        let model = as_text(&folder.path("model"));
        ok(&[
            "fit", &train, "--loss", loss, "--l1", "0.001", "--l2", "0.001", "--out", &model,
        ]);
        let report = json(&["predict", &train, "--model", &model, "--proba"]);
        let predicted = &report["targets"][0];
        assert_eq!(predicted["classes"], serde_json::json!(classes));
        let truth = columns(&table, &[target]);
        let labels = predicted["predictions"].as_array().unwrap();
        let mut right = 0;
        for (at, (label, truth)) in labels.iter().zip(truth.lines().skip(1)).enumerate() {
            let p = numbers(&predicted["probabilities"][at]);
            assert!(p.iter().all(|p| (0.0..=1.0).contains(p)));
            assert_close(&[p.iter().sum()], &[1.0], 1e-14);
            let most = (0..p.len()).max_by(|&a, &b| p[a].total_cmp(&p[b])).unwrap();
            assert_eq!(label, classes[most]);
            right += usize::from(label == truth);
        }
        assert!(right > 60, "{loss} {target}: {right} of 90");
        let csv = ok(&[
            "predict", &train, "--model", &model, "--proba", "--format", "csv",
        ]);
        assert!(
            csv.starts_with(&format!("{target},{target}: {}", classes[0])),
            "{csv}"
        );
    }
}

#[test]
fn a_list_is_searched_on_held_out_rows_and_refitted_on_all() {
    let folder = Folder::new();
    let train = folder.text("train.csv", &columns(&table(80, 4), &["a", "b", "c", "y"]));
    let model = as_text(&folder.path("model"));
    let grid = ["--l1", "0.001,0.1,10", "--l2", "0.001,1"];
    let fit = json(&[&["fit", &train, "--out", &model][..], &grid].concat());
    assert_eq!(fit["points"].as_array().unwrap().len(), 1);
    assert_eq!(fit["problem"]["rows"], 80);
    let sweep = json(&[&["sweep", &train][..], &grid].concat());
    for key in ["l1", "l2"] {
        assert_eq!(fit["points"][0][key], sweep["best"][key]);
    }
}

#[test]
fn several_targets_make_one_model() {
    let folder = Folder::new();
    let train = folder.text(
        "train.csv",
        &columns(&table(50, 5), &["a", "b", "c", "y", "z"]),
    );
    let model = as_text(&folder.path("model"));
    ok(&["fit", &train, "--target", "z,y", "--out", &model]);
    let report = json(&["predict", &train, "--model", &model]);
    let names: Vec<&Value> = report["targets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| &t["name"])
        .collect();
    assert_eq!(names, ["y", "z"], "in the order of the file");
}

#[test]
fn sparse_data_keep_their_names_and_may_be_narrower() {
    let folder = Folder::new();
    let mut text = String::new();
    for (at, line) in columns(&table(40, 6), &["a", "b", "c", "y"])
        .lines()
        .skip(1)
        .enumerate()
    {
        let v: Vec<&str> = line.split(',').collect();
        let last = if at % 3 == 0 {
            format!(" 4:{}", v[2])
        } else {
            String::new()
        };
        text.push_str(&format!("{} 1:{} 2:{}{last}\n", v[3], v[0], v[1]));
    }
    let train = folder.text("train.svm", &text);
    let model = as_text(&folder.path("model"));
    ok(&["fit", &train, "--l1", "0.01", "--out", &model]);
    let narrow = folder.text("new.svm", "0 1:1\n0 2:0.5\n");
    let report = json(&["predict", &narrow, "--model", &model]);
    assert_eq!(numbers(&report["targets"][0]["predictions"]).len(), 2);
    let wide = folder.text("wide.svm", "0 1:1 9:1\n");
    fails(&["predict", &wide, "--model", &model], 1);
}

#[test]
fn what_does_not_fit_the_model_is_one_clear_line() {
    let folder = Folder::new();
    let table = table(30, 7);
    let train = folder.text("train.csv", &columns(&table, &["a", "b", "c", "y"]));
    let model = as_text(&folder.path("model"));
    let missing = fails(&["predict", &train, "--model", &model], 1);
    assert!(missing.contains("model.json"), "{missing}");
    ok(&["fit", &train, "--out", &model]);

    let fewer = folder.text("fewer.csv", &columns(&table, &["a", "b"]));
    let line = fails(&["predict", &fewer, "--model", &model], 1);
    assert!(
        line.contains("fewer.csv") && line.contains("\"c\""),
        "{line}"
    );
    let narrow = folder.npy("narrow.npy", &[2, 2], &[0.0; 4]);
    fails(&["predict", &narrow, "--model", &model], 1);
    let line = fails(&["predict", &train, "--model", &model, "--proba"], 1);
    assert!(line.contains("probabilities of a squared model"), "{line}");

    let head = folder.path("model/model.json");
    let text = std::fs::read_to_string(&head).unwrap();
    std::fs::write(&head, text.replace("\"schema\": 1", "\"schema\": 99")).unwrap();
    let line = fails(&["predict", &train, "--model", &model], 1);
    assert!(line.contains("schema 99"), "{line}");

    let line = fails(&["fit", &train, "--out", &narrow], 2);
    assert!(line.contains("name a directory"), "{line}");
    let line = fails(&["fit", &train, "--out", &train], 2);
    assert!(line.contains("would overwrite it"), "{line}");
}

#[test]
fn fit_says_where_the_model_is() {
    let folder = Folder::new();
    let model = as_text(&folder.path("some/model"));
    let text = ok(&["fit", "--example", "--coefficients", "--out", &model]);
    assert!(text.contains(&format!("Model saved to {model}")), "{text}");
    assert!(folder.path("some/model/model.json").is_file());
    assert!(folder.path("some/model/coefficients.npy").is_file());
}

#[test]
fn a_quadratic_form_has_nothing_to_predict() {
    let folder = Folder::new();
    let q = folder.npy("Q.npy", &[2, 2], &[2.0, 0.5, 0.5, 1.0]);
    let b = folder.npy("b.npy", &[2], &[1.0, 1.0]);
    let model = as_text(&folder.path("model"));
    let form = [
        "fit",
        "--x",
        &q,
        "--y",
        &b,
        "--loss",
        "quadratic",
        "--l1",
        "0.1",
    ];
    ok(&[&form[..], &["--out", &model]].concat());
    let line = fails(&["predict", &q, "--model", &model], 1);
    assert!(line.contains("no rows of features"), "{line}");
}

#[test]
fn a_fit_that_did_not_converge_is_shown_and_saved_only_by_force() {
    let folder = Folder::new();
    let train = folder.text("train.csv", &columns(&table(60, 1), &["a", "b", "c", "y"]));
    let model = as_text(&folder.path("model"));
    let head = folder.path("model/model.json");
    let fit = |more: &[&str]| {
        let base = ["fit", &train, "--l1", "0.001", "--l2", "0", "--out", &model];
        run(&[&base, more].concat())
    };
    let unfinished = ["--solver", "ista", "--max-steps", "2"];
    for format in ["table", "json"] {
        let output = fit(&[&unfinished[..], &["--format", format]].concat());
        let printed = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{errors}");
        assert!(printed.contains("budget-spent"), "{printed}");
        assert!(!printed.contains("saved"), "{printed}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
        for part in [
            "budget-spent",
            "no model was saved",
            "--max-steps",
            "--force",
        ] {
            assert!(errors.contains(part), "{errors}");
        }
        assert!(!head.exists());
    }
    // A model that is there stays.
    assert!(fit(&[]).status.success());
    let whole = std::fs::read_to_string(&head).unwrap();
    assert_eq!(fit(&unfinished).status.code(), Some(1));
    assert_eq!(std::fs::read_to_string(&head).unwrap(), whole);

    let forced = fit(&[&unfinished[..], &["--force"]].concat());
    assert_eq!(forced.status.code(), Some(0));
    let text = std::fs::read_to_string(&head).unwrap();
    assert!(text.contains("\"status\": \"budget-spent\""), "{text}");
    ok(&["predict", &train, "--model", &model]);
    // --strict judges what was saved by force all the same.
    let strict = fit(&[&unfinished[..], &["--force", "--strict"]].concat());
    assert_eq!(strict.status.code(), Some(1));
    // A model is replaced without a flag.
    assert!(fit(&["--force"]).status.success());
    assert_eq!(std::fs::read_to_string(&head).unwrap(), whole);
}

#[test]
fn coefficients_of_another_model_are_refused() {
    let folder = Folder::new();
    let train = folder.text("train.csv", &columns(&table(60, 1), &["a", "b", "c", "y"]));
    let model = as_text(&folder.path("model"));
    let file = folder.path("model/coefficients.npy");
    ok(&["fit", &train, "--l1", "1", "--out", &model]);
    let old = std::fs::read(&file).unwrap();
    ok(&["fit", &train, "--l1", "0.01", "--out", &model]);
    std::fs::write(&file, old).unwrap();
    let line = fails(&["predict", &train, "--model", &model], 1);
    assert!(
        line.contains("coefficients.npy") && line.contains("model.json"),
        "{line}"
    );
    let head = folder.path("model/model.json");
    let text = std::fs::read_to_string(&head).unwrap();
    let without: Vec<&str> = text
        .lines()
        .filter(|line| !line.contains("digest"))
        .collect();
    std::fs::write(&head, without.join("\n")).unwrap();
    ok(&["predict", &train, "--model", &model]);
}

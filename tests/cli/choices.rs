//! `fit` chooses among points over folds as `sweep` does, and fits the chosen one to all rows.

use serde_json::Value;

use crate::support::{
    Folder, as_text, assert_close, columns, fails, json, noise, numbers, ok, run, table,
};

/// A file of rows, and one of their folds.
fn data(folder: &Folder, target: &str) -> (String, String) {
    let table = table(90, 4);
    let train = folder.text("train.csv", &columns(&table, &["a", "b", "c", target]));
    let folds: String = (0..90).map(|row| format!("{}\n", row % 5)).collect();
    (train, folder.text("folds.txt", &folds))
}

/// The point of a summary of `sweep` by its own rule.
fn same_point(fit: &Value, chosen: &Value) {
    for key in ["l1", "l2"] {
        assert_eq!(fit["points"][0][key], chosen[key], "{key}");
        assert_eq!(fit["choice"][0][key], chosen[key], "{key}");
    }
}

#[test]
fn a_choice_over_folds_is_that_of_a_sweep() {
    let folder = Folder::new();
    let (train, folds) = data(&folder, "y");
    let model = as_text(&folder.path("model"));
    let spaces: [&[&str]; 4] = [
        &[],
        &["--l1", "0.001,0.03,0.1", "--l2", "0.001,1"],
        &["--alpha", "frac:1e-3:1:30", "--l1-ratio", "0.3,0.9"],
        &["--search", "sobol", "--samples", "20"],
    ];
    for space in spaces {
        for dealing in [&["--folds", &folds][..], &["--cv", "4", "--repeats", "2"]] {
            let flags = [&[train.as_str()], space, dealing].concat();
            let sweep = json(&[&["sweep", "--method", "none"], &flags[..]].concat());
            for (choice, key) in [("best", "best"), ("one-se", "one_standard_error")] {
                let own = ["fit", "--out", &model, "--choice", choice];
                let fit = json(&[&own, &flags[..]].concat());
                same_point(&fit, &sweep[key]);
                let found = &fit["choice"][0];
                assert_eq!(found["mean"], sweep[key]["criterion"]);
                assert_eq!(found["standard_error"], sweep[key]["standard_error"]);
                assert_eq!(found["folds"], sweep[key]["folds"]);
                assert_eq!(found["alpha"], sweep[key]["alpha"]);
                assert_eq!(
                    found["points"],
                    sweep["points"].as_array().unwrap().len(),
                    "of the sweep"
                );
                assert_eq!(
                    (&found["choice"], &found["by"]),
                    (&choice.into(), &"criterion".into())
                );
                assert_eq!(fit["problem"]["rows"], 90);
            }
        }
    }
}

#[test]
fn the_chosen_point_is_fitted_as_by_itself() {
    let folder = Folder::new();
    let (train, folds) = data(&folder, "label");
    let model = as_text(&folder.path("model"));
    let loss = ["--loss", "logistic", "--class-weights", "balanced"];
    let flags = [
        "fit",
        &train,
        "--folds",
        &folds,
        "--coefficients",
        "--out",
        &model,
    ];
    let fit = json(&[&flags[..], &loss].concat());
    let saved = std::fs::read(folder.path("model/coefficients.npy")).unwrap();
    let [l1, l2] = ["l1", "l2"].map(|key| fit["points"][0][key].to_string());
    let alone = [
        "fit",
        &train,
        "--l1",
        &l1,
        "--l2",
        &l2,
        "--coefficients",
        "--out",
        &model,
    ];
    let alone = json(&[&alone[..], &loss].concat());
    assert_eq!(fit["points"], alone["points"]);
    assert!(alone.get("choice").is_none());
    let own = std::fs::read(folder.path("model/coefficients.npy")).unwrap();
    assert_eq!(saved, own);
}

#[test]
fn a_metric_chooses_in_its_own_direction() {
    let folder = Folder::new();
    let (train, folds) = data(&folder, "label");
    let model = as_text(&folder.path("model"));
    let flags = [&train, "--loss", "logistic", "--folds", &folds];
    let sweep = json(&[&["sweep", "--method", "none"], &flags[..]].concat());
    let points = sweep["points"].as_array().unwrap();
    for by in ["auc", "accuracy", "balanced-accuracy", "f1"] {
        let own = ["fit", "--out", &model, "--by", by];
        let fit = json(&[&own, &flags[..]].concat());
        let key = by.replace('-', "_");
        let score = |point: &Value| point["metrics"][&key].as_f64().unwrap();
        let most = points.iter().map(score).fold(f64::NEG_INFINITY, f64::max);
        let found = &fit["choice"][0];
        assert_eq!(found["mean"], most, "{by}");
        assert_eq!(found["by"], key);
        let error = found["standard_error"].as_f64().unwrap();
        assert!(error > 0.0 && error < 0.2, "{by}: {error}");
    }
    let mae = ["fit", &train, "--target", "a", "--by", "mae", "--cv", "3"];
    let drop = ["--drop", "label", "--out", &model];
    let report = json(&[&mae[..], &drop].concat());
    let sweep = ["sweep", &train, "--target", "a", "--cv", "3", "--drop"];
    let sweep = json(&[&sweep[..], &["label", "--method", "none"]].concat());
    let errors = sweep["points"].as_array().unwrap().iter();
    let least = errors.map(|point| point["metrics"]["mae"].as_f64().unwrap());
    let least = least.fold(f64::INFINITY, f64::min);
    assert_eq!(report["choice"][0]["mean"], least);
}

#[test]
fn glmnet_s_choice_is_the_strongest_on_the_path_of_the_best() {
    let folder = Folder::new();
    let (train, folds) = data(&folder, "y");
    let model = as_text(&folder.path("model"));
    let flags = [
        &train,
        "--folds",
        &folds,
        "--alpha",
        "frac:1e-3:1:40",
        "--l1-ratio",
        "0.4,1",
    ];
    let sweep = json(&[&["sweep", "--method", "none"], &flags[..]].concat());
    let own = ["fit", "--out", &model, "--choice", "glmnet-1se"];
    let fit = json(&[&own, &flags[..]].concat());
    let best = &sweep["best"];
    let number = |value: &Value, key: &str| value[key].as_f64().unwrap();
    let limit = number(best, "criterion") + number(best, "standard_error");
    let on_path = sweep["points"].as_array().unwrap().iter();
    let within = on_path
        .filter(|point| point["l1_ratio"] == best["l1_ratio"])
        .filter(|point| number(point, "criterion") <= limit);
    let strongest = within.map(|point| number(point, "alpha"));
    let strongest = strongest.fold(0.0, f64::max);
    assert!(strongest > number(best, "alpha"));
    assert_eq!(fit["choice"][0]["alpha"], strongest);
    assert_eq!(fit["choice"][0]["l1_ratio"], best["l1_ratio"]);
}

#[test]
fn every_target_chooses_its_own() {
    let folder = Folder::new();
    let table = table(80, 9);
    let train = folder.text("train.csv", &columns(&table, &["a", "b", "c", "y", "z"]));
    let model = as_text(&folder.path("model"));
    let flags = ["--cv", "4", "--l1", "log:1e-3:10:12", "--l2", "0.01"];
    let both = ["fit", &train, "--target", "y,z", "--out", &model];
    let both = json(&[&both[..], &flags].concat());
    for (at, (target, other)) in [("y", "z"), ("z", "y")].into_iter().enumerate() {
        let own = [
            "fit", &train, "--target", target, "--drop", other, "--out", &model,
        ];
        let own = json(&[&own[..], &flags].concat());
        let of = |fit: &Value, at: usize| numbers(&fit["choice"][at]["mean"]);
        assert_close(&of(&both, at), &of(&own, 0), 1e-12);
        assert_eq!(both["choice"][at]["target"], target);
        assert_eq!(both["points"][at]["l1"], own["points"][0]["l1"]);
    }
    let text = ok(&[
        "fit", &train, "--target", "y,z", "--out", &model, "--cv", "4",
    ]);
    assert!(text.contains("mean over 4 folds"), "{text}");
    assert!(text.contains("std. error"), "{text}");
}

#[test]
fn a_hold_out_choice_shows_the_number_it_rests_on() {
    let folder = Folder::new();
    let (train, _) = data(&folder, "y");
    let model = as_text(&folder.path("model"));
    let grid = ["--l1", "0.001,0.1,10", "--l2", "0.001,1"];
    let fit = json(&[&["fit", &train, "--out", &model][..], &grid].concat());
    let sweep = json(&[&["sweep", &train][..], &grid].concat());
    let found = &fit["choice"][0];
    assert_eq!(found["mean"], sweep["best"]["criterion"]);
    assert!(found["standard_error"].is_null());
    assert_eq!(found["held_out_rows"], 23);
    // Strengths that no flag gives have one value without folds, and a grid with them.
    let points = |more: &[&str]| {
        let fit = ["fit", &train, "--out", &model, "--l1", "0.01,0.1"];
        json(&[&fit[..], more].concat())["choice"][0]["points"].clone()
    };
    assert_eq!(points(&[]), 2);
    assert_eq!(points(&["--cv", "3"]), 8);
}

#[test]
fn choices_that_cannot_be_are_one_line() {
    let folder = Folder::new();
    let (train, folds) = data(&folder, "y");
    let model = as_text(&folder.path("model"));
    let rare = {
        let x = noise(40, 3);
        let class = |row: usize| {
            if row == 7 || row == 9 {
                "rare"
            } else {
                "often"
            }
        };
        let rows = (0..40).map(|row| format!("{},{}\n", x[row], class(row)));
        folder.text(
            "rare.csv",
            &format!("p,label\n{}", rows.collect::<String>()),
        )
    };
    let one = folder.text(
        "one.txt",
        &(0..90)
            .map(|row| format!("{}\n", if row % 3 == 0 { 1 } else { -1 }))
            .collect::<String>(),
    );
    for (status, file, more, parts) in [
        (
            2,
            &train,
            &["--choice", "best", "--l1", "1"][..],
            &["--cv K", "--l1 log:"][..],
        ),
        (2, &train, &["--by", "mae"], &["--cv K"]),
        (
            2,
            &train,
            &["--choice", "one-se", "--l1", "0.1,1"],
            &["one-se needs a standard error", "--cv K"],
        ),
        (
            2,
            &train,
            &["--choice", "glmnet-1se", "--l1", "0.1,1"],
            &["glmnet-1se needs a standard error", "--folds FILE"],
        ),
        (
            2,
            &train,
            &["--cv", "3", "--by", "auc"],
            &["--by auc is not defined for the squared loss", "mae"],
        ),
        (
            2,
            &rare,
            &["--cv", "3", "--by", "mae", "--loss", "logistic"],
            &["not defined for the logistic loss", "auc"],
        ),
        (2, &train, &["--cv", "3", "--force"], &["drop --force"]),
        (
            2,
            &train,
            &["--cv", "3", "--val-fraction", "0.1"],
            &["--val-fraction"],
        ),
        (2, &train, &["--cv", "3", "--folds", &folds], &["--folds"]),
        (2, &train, &["--stratified"], &["add --cv K"]),
        (
            2,
            &train,
            &["--repeats", "2", "--l1", "1,2"],
            &["add --cv K"],
        ),
        (2, &train, &["--samples", "9"], &["--search random"]),
        (
            2,
            &train,
            &["--alpha", "1", "--penalty", "box", "--box", "0:1"],
            &["use --l2"],
        ),
        (2, &train, &["--alpha", "1", "--l1", "1"], &["--l1"]),
        (
            1,
            &train,
            &["--folds", &one, "--choice", "one-se"],
            &["one fold has no standard error", "--choice best"],
        ),
        (
            1,
            &rare,
            &[
                "--cv", "4", "--loss", "logistic", "--by", "auc", "--seed", "3",
            ],
            &["finite auc on every fold", "--stratified"],
        ),
        (
            1,
            &train,
            &[
                "--cv",
                "3",
                "--max-steps",
                "1",
                "--solver",
                "ista",
                "--l1",
                "1e-4",
            ],
            &["no point of y converged", "no model was saved"],
        ),
    ] {
        let base = ["fit", file, "--out", &model];
        let line = fails(&[&base, more].concat(), status);
        for part in parts {
            assert!(line.contains(part), "{more:?}: {line}");
        }
        assert!(!folder.path("model/model.json").exists(), "{more:?}");
    }
    let nothing = fails(&["fit", "--cv", "3", "--out", &model], 2);
    assert!(nothing.contains("no data"), "{nothing}");
    // One fold has a best point.
    assert!(
        run(&["fit", &train, "--folds", &one, "--out", &model])
            .status
            .success()
    );
}

#[test]
fn the_deviance_is_twice_the_criterion() {
    let folder = Folder::new();
    let model = as_text(&folder.path("model"));
    for (target, loss, other) in [
        ("y", "squared", Some("mse")),
        ("label", "logistic", None),
        ("kind", "multinomial", None),
    ] {
        let (train, folds) = data(&folder, target);
        let base = [
            "fit", &train, "--loss", loss, "--folds", &folds, "--out", &model,
        ];
        let by = |name: &str| json(&[&base[..], &["--by", name, "--choice", "one-se"]].concat());
        let (deviance, criterion) = (by("deviance"), by("criterion"));
        assert_eq!(deviance["points"], criterion["points"]);
        let [own, half] = [&deviance, &criterion].map(|report| report["choice"][0].clone());
        assert_eq!(own["by"], "deviance");
        for key in ["mean", "standard_error"] {
            assert_eq!(
                own[key].as_f64().unwrap(),
                2.0 * half[key].as_f64().unwrap()
            );
        }
        if let Some(other) = other {
            let other = by(other)["choice"][0]["mean"].as_f64().unwrap();
            assert_close(&[own["mean"].as_f64().unwrap()], &[other], 1e-9);
        }
    }
    let (train, folds) = data(&folder, "y");
    let base = ["fit", &train, "--folds", &folds, "--by", "deviance"];
    for (flags, message) in [
        (&["--loss", "huber"][..], "no likelihood"),
        (&["--criterion", "huber"], "leave them out"),
    ] {
        assert!(fails(&[&base[..], flags].concat(), 2).contains(message));
    }
}

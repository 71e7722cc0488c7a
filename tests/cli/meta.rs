//! `meta`: the contract of its JSON, the saved prior, tables, bad input.

use crate::support::{Folder, fails, json, noise, numbers, ok};

/// Thirty tasks of ten rows around 2 a − b, in a file with a column of tasks.
pub fn table(units: f64) -> String {
    let (x, e, w) = (noise(600, 1), noise(300, 2), noise(60, 3));
    let mut text = String::from("task,a,b,y\n");
    for row in 0..300 {
        let task = row % 30;
        let (a, b) = (x[2 * row], x[2 * row + 1]);
        let y = (2.0 + 0.3 * w[2 * task]) * a + (-1.0 + 0.3 * w[2 * task + 1]) * b + 0.5 * e[row];
        text.push_str(&format!("t{task},{},{b},{y}\n", a * units));
    }
    text
}

fn meta<'a>(file: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let own = ["meta", file, "--target", "y", "--task", "task"];
    [&own[..], more].concat()
}

#[test]
fn the_contract() {
    let folder = Folder::new();
    let file = folder.text("tasks.csv", &table(1.0));
    let found = json(&meta(
        &file,
        &["--tune", "prior,l2", "--test-tasks", "0.2", "--seed", "1"],
    ));
    assert_eq!((&found["schema"], &found["tasks"]), (&2.into(), &30.into()));
    assert_eq!(found["training_tasks"], 24);
    let prior = numbers(&found["prior"]);
    assert!(
        (prior[0] - 2.0).abs() < 0.3 && (prior[1] + 1.0).abs() < 0.3,
        "{prior:?}"
    );
    let error = |name: &str| found["error"][name].as_f64().unwrap();
    assert!(error("meta") < error("alone"));
    for name in ["pooled", "mean_of_solutions", "around_mean"] {
        assert!(error(name).is_finite());
    }
    assert_eq!(found["errors"].as_array().unwrap().len(), 6);
    let tasks: f64 = found["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["meta"].as_f64().unwrap())
        .sum();
    assert!((tasks / 6.0 - error("meta")).abs() < 1e-12);

    // A prior is in the data's units.
    let scaled = folder.text("scaled.csv", &table(100.0));
    let again = json(&meta(&scaled, &["--seed", "1"]));
    let other = numbers(&again["prior"]);
    assert!(
        (other[0] * 100.0 / prior[0] - 1.0).abs() < 1e-4,
        "{other:?} for {prior:?}"
    );
    assert!(
        (other[1] / prior[1] - 1.0).abs() < 1e-4,
        "{other:?} for {prior:?}"
    );
}

#[test]
fn the_prior_is_a_model() {
    let folder = Folder::new();
    let file = folder.text("tasks.csv", &table(1.0));
    let model = folder.path("prior");
    let model = model.to_str().unwrap();
    let found = json(&meta(&file, &["--model", model]));
    let new = folder.text("new.csv", "a,b\n1,0\n0,1\n0,0\n");
    let predicted = json(&["predict", &new, "--model", model]);
    let values = numbers(&predicted["targets"][0]["predictions"]);
    let (prior, intercept) = (
        numbers(&found["prior"]),
        found["intercept"].as_f64().unwrap(),
    );
    let expected = [prior[0] + intercept, prior[1] + intercept, intercept];
    for (value, expected) in values.iter().zip(expected) {
        assert!((value - expected).abs() < 1e-12);
    }
}

#[test]
fn a_fit_takes_the_prior_from_a_model() {
    let folder = Folder::new();
    // A heavy row, with which the scales of folds differ.
    let text = table(1.0) + "t0,30,1,60\n";
    let file = folder.text("tasks.csv", &text);
    let (prior, own) = (folder.path("prior"), folder.path("own"));
    let (prior, own) = (prior.to_str().unwrap(), own.to_str().unwrap());
    let found = json(&meta(&file, &["--model", prior]));
    let expected = numbers(&found["prior"]);
    let fit = |prior: &str, data: &str, more: &[&str]| {
        let flags = [
            "fit",
            data,
            "--target",
            "y",
            "--drop",
            "task",
            "--l1",
            "0",
            "--l2",
            "1e9",
            "--prior",
            prior,
            "--out",
            own,
            "--coefficients",
        ];
        json(&[&flags[..], more].concat())
    };
    // Where the ridge is all that counts the coefficients are the prior, in the data's units.
    for more in [&[][..], &["--no-standardize"], &["--l2", "1e9,1e10"]] {
        let more: Vec<&str> = more.to_vec();
        let fitted = if more.len() == 2 {
            json(&[
                "fit",
                &file,
                "--target",
                "y",
                "--drop",
                "task",
                "--l1",
                "0",
                "--l2",
                more[1],
                "--prior",
                prior,
                "--out",
                own,
                "--coefficients",
            ])
        } else {
            fit(prior, &file, &more)
        };
        let coefficients = numbers(&fitted["points"][0]["coefficients"]);
        for (w, c) in coefficients.iter().zip(&expected) {
            assert!((w - c).abs() < 1e-6, "{coefficients:?} for {expected:?}");
        }
    }
    // In folds each has the model itself, whatever the scale of its columns.
    let folds: String = (0..301).map(|row| format!("{}\n", row % 3)).collect();
    let folds = folder.text("folds.txt", &folds);
    let swept = |more: &[&str]| {
        let flags = [
            "sweep",
            &file,
            "--target",
            "y",
            "--drop",
            "task",
            "--l1",
            "0",
            "--l2",
            "1e10",
            "--prior",
            prior,
            "--folds",
            &folds,
            "--method",
            "none",
            "--no-intercept",
        ];
        let found = json(&[&flags[..], more].concat());
        found["best"]["criterion"].as_f64().unwrap()
    };
    let (scaled, plain) = (swept(&[]), swept(&["--no-standardize"]));
    assert!((scaled / plain - 1.0).abs() < 1e-6, "{scaled} for {plain}");
    let renamed = folder.text("renamed.csv", &text.replace("task,a,b", "task,b,a"));
    let text = fails(
        &[
            "fit",
            &renamed,
            "--target",
            "y",
            "--drop",
            "task",
            "--prior",
            prior,
            "--out",
            own,
            "--coefficients",
        ],
        1,
    );
    assert!(text.contains("same columns"), "{text}");
    let text = fails(&meta(&file, &["--prior", prior]), 2);
    assert!(text.contains("leave --prior out"), "{text}");
}

#[test]
fn tables_and_curves() {
    let folder = Folder::new();
    let file = folder.text("tasks.csv", &table(1.0));
    let text = ok(&meta(
        &file,
        &["--curve", "--tune", "prior,l1,l2", "--no-intercept"],
    ));
    for words in [
        "around the ",
        "each task alone",
        "one model of all rows",
        "tasks learned from",
        "the prior",
    ] {
        assert!(text.contains(words), "{text}");
    }
    let csv = ok(&meta(&file, &["--format", "csv"]));
    assert!(
        csv.starts_with("task,meta,alone,pooled,mean_of_solutions,around_mean\n"),
        "{csv}"
    );
    assert_eq!(csv.lines().count(), 7);
    let none = json(&meta(&file, &["--test-tasks", "0"]));
    assert!(none["error"].is_null() && none["tasks"] == 30);
}

#[test]
fn few_tasks_are_guarded() {
    let folder = Folder::new();
    let few: String = table(1.0)
        .lines()
        .enumerate()
        .filter(|(at, _)| *at == 0 || (at - 1) % 30 < 8)
        .map(|(_, line)| format!("{line}\n"))
        .collect();
    let file = folder.text("few.csv", &few);
    let found = json(&meta(&file, &[]));
    let nested = &found["nested"];
    let returned = nested["returns"].as_str().unwrap();
    for name in ["meta", "around_mean", "alone", "standard_error"] {
        assert!(nested[name].as_f64().unwrap() > 0.0, "{nested}");
    }
    assert_eq!(found["error"]["meta"], found["error"][returned]);
    let remark = found["remarks"][0].as_str().unwrap();
    assert!(
        remark.contains("on tasks that nothing was learned from"),
        "{remark}"
    );
    let table = ok(&meta(&file, &[]));
    assert!(table.contains("nothing was learned from"), "{table}");
    let free = json(&meta(&file, &["--guard", "none"]));
    assert!(free["nested"].is_null());
    // Strengths alone are few.
    assert!(json(&meta(&file, &["--tune", "l2"]))["nested"].is_null());
}

/// Tasks of eight rows around three coefficients that zero and few tasks' own fits are far from.
fn wide_tasks() -> String {
    let (x, e, w) = (noise(50 * 8 * 8, 11), noise(400, 12), noise(400, 13));
    let mut text = String::from("task,a,b,c,d,e,f,g,h,y\n");
    for row in 0..400 {
        let (task, own) = (row / 8, &x[8 * row..8 * row + 8]);
        let mean = [3.0, -2.0, 1.0, 0.0, 0.0, 2.0, -1.0, 0.5];
        let y: f64 = (0..8)
            .map(|j| (mean[j] + 0.2 * w[8 * task + j]) * own[j])
            .sum();
        let cells: Vec<String> = own.iter().map(ToString::to_string).collect();
        text.push_str(&format!(
            "{task},{},{}\n",
            cells.join(","),
            y + 0.3 * e[row]
        ));
    }
    text
}

#[test]
fn the_guard_judges_a_prior_that_was_learned_with_l1_too() {
    let folder = Folder::new();
    let file = folder.text("wide.csv", &wide_tasks());
    let own = [
        "--tune",
        "prior,l1,l2",
        "--val-fraction",
        "0.6",
        "--splits",
        "1",
        "--test-tasks",
        "0",
    ];
    let found = json(&meta(&file, &own));
    let nested = &found["nested"];
    assert_eq!(nested["returns"], "meta", "{nested}");
    assert!(nested["meta"].as_f64().unwrap() < nested["around_mean"].as_f64().unwrap());
    // Without evaluations that learn a prior nothing is compared.
    let few = json(&meta(
        &file,
        &[&own[..], &["--max-evaluations", "2"]].concat(),
    ));
    for name in ["meta", "around_mean", "alone", "standard_error"] {
        assert!(few["nested"][name].is_null(), "{}", few["nested"]);
    }
    assert_ne!(few["nested"]["returns"], "meta");
    let remark = few["remarks"].to_string();
    assert!(remark.contains("too few to compare"), "{remark}");
    // The line of what was learned names what is returned.
    let table = ok(&meta(
        &file,
        &[&own[..], &["--max-evaluations", "2"]].concat(),
    ));
    assert!(!table.contains("learned prior,"), "{table}");
}

/// One row of each task has a mark that is worth 3. Where that row is held out the mark does not vary in training, and
/// the prior alone knows it: an error of 9 on one of three rows in three tasks of ten would be left without it.
#[test]
fn held_out_rows_count_a_column_that_does_not_vary_in_their_task() {
    let folder = Folder::new();
    let mark = |(at, line): (usize, &str)| {
        let (row, y) = line.rsplit_once(',').unwrap();
        let Some(at) = at.checked_sub(1) else {
            return format!("{row},mark,y\n");
        };
        // Rows of a task are every thirtieth.
        let own = usize::from(at / 30 == at % 10);
        let y = y.parse::<f64>().unwrap() + 3.0 * own as f64;
        format!("{row},{own},{y}\n")
    };
    let text: String = table(1.0).lines().enumerate().map(mark).collect();
    let file = folder.text("marks.csv", &text);
    let found = json(&meta(&file, &["--guard", "none", "--test-tasks", "0.4"]));
    let prior = numbers(&found["prior"]);
    assert!((prior[2] - 3.0).abs() < 0.5, "{prior:?}");
    let error = |way: &str| found["error"][way].as_f64().unwrap();
    assert!(error("meta") < 0.6, "{}", found["error"]);
    assert!(error("alone") > 4.0 * error("meta"), "{}", found["error"]);
}

#[test]
fn bad_input_is_one_line_with_a_remedy() {
    let folder = Folder::new();
    let file = folder.text("tasks.csv", &table(1.0));
    let mut lone = table(1.0);
    lone.push_str("lonely,1,1,1\n");
    let lone = folder.text("lone.csv", &lone);
    let pair = format!("{}pair,1,1,1\npair,2,1,0.5\n", table(1.0));
    let pair = folder.text("pair.csv", &pair);
    let one = folder.text("one.csv", &table(1.0).replace("t1", "t").replace("t2", "t"));
    let labels: String = (0..40)
        .map(|i| format!("{},{},{}\n", i / 10, i % 7, i32::from(i < 10)))
        .collect();
    let classes = folder.text("classes.csv", &format!("task,a,y\n{labels}"));
    for (arguments, status, expected) in [
        (meta(&lone, &[]), 2, "task lonely has one row"),
        (
            meta(&pair, &[]),
            2,
            "task pair has 2 rows, and its fit would have one, where it needs two; leave tasks",
        ),
        (meta(&file, &["--test-tasks", "0.97"]), 2, "fewer than two"),
        (
            meta(&file, &["--tune", "prior,alpha"]),
            2,
            "name prior, l1 or l2",
        ),
        (meta(&file, &["--tune", "l2,l2"]), 1, "named twice"),
        (meta(&file, &["--guard", "0.1"]), 2, "give auto or none"),
        (meta(&file, &["--precision", "f32"]), 2, "give --refine"),
        (meta(&file, &["--l2", "0.1"]), 2, "fixes what is learned"),
        (meta(&file, &["--tune", "prior", "--l2", "0"]), 1, "l2 = 0"),
        (meta(&file, &["--val-fraction", "0"]), 2, "--val-fraction"),
        (meta(&file, &["--x-val", &file]), 2, "--x-val"),
        (meta(&classes, &["--loss", "logistic"]), 2, "task 0"),
        (
            vec!["meta", &file, "--target", "y", "--task", "school"],
            1,
            "school",
        ),
    ] {
        let text = fails(&arguments, status);
        assert!(text.contains(expected), "{arguments:?}: {text}");
    }
    assert!(ok(&meta(&one, &["--max-evaluations", "20"])).contains("held out"));
}

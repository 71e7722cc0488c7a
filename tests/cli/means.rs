//! Losses of a mean with a log link from the command line.

use crate::support::{Folder, as_text, assert_close, fails, json, noise, numbers, ok};

/// Counts, amounts and amounts with zeros of 80 rows.
fn table() -> String {
    let numbers = noise(80 * 4, 5);
    let mut text = String::from("a,b,count,amount,claim,signed,exposure\n");
    for row in numbers.chunks(4) {
        let (a, b) = (row[0], 2.0 * row[1]);
        let mean = (0.6 * a - 0.4 * b + 1.0).exp();
        let count = (mean * (1.0 + row[2])).round();
        let amount = mean * (0.6 + 0.3 * row[2]);
        let claim = if row[3] < -0.3 { 0.0 } else { amount };
        let exposure = 1.0 + 0.5 * row[3];
        text.push_str(&format!(
            "{a},{b},{count},{amount},{claim},{},{exposure}\n",
            amount - 1.0
        ));
    }
    text
}

/// The flags that choose a target of the table.
fn of(target: &str, loss: &str) -> Vec<String> {
    let others = ["count", "amount", "claim", "signed", "exposure"];
    let dropped: Vec<&str> = others.into_iter().filter(|name| *name != target).collect();
    [
        "--target",
        target,
        "--loss",
        loss,
        "--drop",
        &dropped.join(","),
    ]
    .map(String::from)
    .into()
}

const CASES: [(&str, &str); 3] = [
    ("count", "poisson"),
    ("amount", "gamma"),
    ("claim", "tweedie"),
];

#[test]
fn fits_predict_means_and_score_them() {
    let folder = Folder::new();
    let data = folder.text("data.csv", &table());
    for (target, loss) in CASES {
        let model = as_text(&folder.path(&format!("{loss}.model")));
        let flags = of(target, loss);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let more = [
            "--l1",
            "0.01",
            "--coefficients",
            "--out",
            &model,
            "--tweedie-power",
            "1.3",
        ];
        let fit = json(&[&["fit", &data][..], &flags, &more].concat());
        assert_eq!(fit["problem"]["loss"], loss);
        let is_tweedie = loss == "tweedie";
        assert_eq!(fit["problem"]["tweedie_power"] == 1.3, is_tweedie, "{fit}");
        let w = numbers(&fit["points"][0]["coefficients"]);
        let b = fit["points"][0]["intercept"].as_f64().unwrap();
        let expected: Vec<f64> = table()
            .lines()
            .skip(1)
            .map(|line| {
                let x: Vec<f64> = line.split(',').map(|v| v.parse().unwrap()).collect();
                (b + x[0] * w[0] + x[1] * w[1]).exp()
            })
            .collect();
        let found = json(&["predict", &data, "--model", &model, "--target", target]);
        let found = &found["targets"][0];
        assert_close(&numbers(&found["predictions"]), &expected, 1e-12);
        let scores = &found["scores"];
        for name in ["deviance", "mse", "rmse", "mae", "d2"] {
            assert!(scores[name].is_f64(), "{loss}: {found}");
        }
        let (loss_of_rows, deviance) = (&scores["loss"], &scores["deviance"]);
        assert_close(
            &[2.0 * loss_of_rows.as_f64().unwrap()],
            &numbers(deviance),
            1e-15,
        );
        assert!(scores["d2"].as_f64().unwrap() > 0.1, "{loss}: {scores}");
        assert!(scores["r2"].is_null());
        let text = ok(&["predict", &data, "--model", &model, "--target", target]);
        assert!(text.contains("deviance") && text.contains("d2"), "{text}");
        // An older program would take linear predictors for predictions.
        let head = std::fs::read_to_string(folder.path(&format!("{loss}.model/model.json")));
        let head: serde_json::Value = serde_json::from_str(&head.unwrap()).unwrap();
        assert_eq!(head["schema"], 2);
        assert_eq!(head["tweedie_power"] == 1.3, is_tweedie);
        // Scores of what the loss is not for.
        let error = fails(
            &["predict", &data, "--model", &model, "--target", "signed"],
            1,
        );
        assert!(
            error.contains("signed") || error.contains(target),
            "{error}"
        );
        assert!(error.contains("row "), "{error}");
    }
}

#[test]
fn every_command_takes_them() {
    let folder = Folder::new();
    let data = folder.text("data.csv", &table());
    for (target, loss) in CASES {
        let flags = of(target, loss);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let with = |command: &'static str, more: &[&'static str]| {
            json(&[&[command, data.as_str()][..], &flags, more].concat())
        };
        let one = ["--l1", "0.02", "--l2", "0.1"];
        let reference = with("hypergrad", &one);
        let reference = &reference["points"][0];
        assert_eq!(reference["status"], "converged", "{loss}");
        for method in ["aid-fp", "itd-forward", "itd-reverse"] {
            let found = with("hypergrad", &[&one[..], &["--method", method]].concat());
            for part in ["l1", "l2"] {
                let of = |point: &serde_json::Value| numbers(&point["hypergradient"][part]);
                assert_close(&of(&found["points"][0]), &of(reference), 1e-7);
            }
        }
        let swept = with("sweep", &["--cv", "4"]);
        let cell = &swept.to_string();
        assert!(cell.contains("\"r2\""), "{cell}");
        let tuned = with("tune", &["--tune", "l1,l2", "--cv", "4"]);
        assert!(tuned["status"].is_string(), "{tuned}");
        let influence = with("influence", &one);
        assert!(
            influence["rows"].is_array() || influence.is_object(),
            "{influence}"
        );
    }
    let model = as_text(&folder.path("chosen"));
    let flags = of("count", "poisson");
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let choose = [
        "--cv", "5", "--by", "r2", "--choice", "one-se", "--out", &model,
    ];
    let chosen = json(&[&["fit", &data][..], &flags, &choose].concat());
    assert_eq!(chosen["points"][0]["status"], "converged");
}

#[test]
fn bad_input_has_its_row_and_a_remedy() {
    let folder = Folder::new();
    let data = folder.text("data.csv", &table());
    let zeros = folder.text("zeros.csv", "a,y\n1,0\n2,0\n3,0\n4,0\n5,0\n6,0\n7,0\n8,0\n");
    let huge = folder.text(
        "huge.csv",
        "a,y\n1,1\n2,1e120\n3,2\n4,3\n5,4\n6,5\n7,6\n8,7\n",
    );
    let plain = ["--val-fraction", "0"];
    for (file, target, loss, more, parts) in [
        (
            &data,
            "signed",
            "poisson",
            &plain[..],
            ["row ", "zero or more", "drop or correct"],
        ),
        (
            &data,
            "signed",
            "tweedie",
            &plain,
            ["row ", "zero or more", "squared or huber"],
        ),
        (
            &data,
            "claim",
            "gamma",
            &plain,
            ["row ", "greater than zero", "tweedie"],
        ),
        (
            &zeros,
            "y",
            "poisson",
            &plain,
            ["all zero", "no best value", "--no-intercept"],
        ),
        (
            &huge,
            "y",
            "gamma",
            &plain,
            ["row 2 is 1e120", "1e100", "another unit"],
        ),
        (
            &data,
            "count",
            "poisson",
            &["--criterion", "squared"],
            ["squared criterion", "poisson fit", "log link"],
        ),
        (
            &data,
            "amount",
            "squared",
            &["--criterion", "gamma"],
            ["gamma criterion", "squared fit", "log link"],
        ),
        (
            &data,
            "count",
            "poisson",
            &["--solver", "stochastic"],
            ["stochastic", "poisson", "--solver path"],
        ),
        (
            &data,
            "claim",
            "tweedie",
            &["--tweedie-power", "2"],
            ["--tweedie-power", "between 1 and 2", "gamma"],
        ),
        (
            &data,
            "claim",
            "tweedie",
            &["--tweedie-power", "nan"],
            ["--tweedie-power", "between 1 and 2", "poisson"],
        ),
        (
            &data,
            "count",
            "poisson",
            &[
                "--penalty",
                "box",
                "--box",
                "0.1:1",
                "--method",
                "itd-forward",
            ],
            ["bounds", "zero is not within", "--solver path"],
        ),
    ] {
        let flags = if *file == data {
            of(target, loss)
        } else {
            ["--target", target, "--loss", loss]
                .map(String::from)
                .into()
        };
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let status = if more[0] == "--tweedie-power" { 2 } else { 1 };
        let error = fails(
            &[&["hypergrad", file.as_str()][..], &flags, more].concat(),
            status,
        );
        for part in parts {
            assert!(error.contains(part), "{loss} of {target}: {part}: {error}");
        }
    }
    let flags = of("count", "poisson");
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let out = as_text(&folder.path("model"));
    ok(&[&["fit", &data, "--out", &out][..], &flags].concat());
    let error = fails(&["predict", &data, "--model", &out, "--proba"], 1);
    assert!(
        error.contains("probabilities of a poisson model"),
        "{error}"
    );
}

/// The rows of a group of zeros are fitted as far as the penalty lets them, and without one it is said that
/// there is no minimum.
#[test]
fn a_level_of_zeros_is_like_a_class_that_is_separated() {
    let folder = Folder::new();
    let mut text = String::from("level,x,y\n");
    for (i, x) in noise(40, 8).into_iter().enumerate() {
        let level = usize::from(i % 4 == 0);
        let y = if level == 1 {
            0.0
        } else {
            (2.0 * (0.5 * x + 1.0).exp()).round()
        };
        text.push_str(&format!("{level},{x},{y}\n"));
    }
    let data = folder.text("data.csv", &text);
    let flags = [
        "--target",
        "y",
        "--loss",
        "poisson",
        "--val-fraction",
        "0",
        "--l1",
        "0",
    ];
    let free = crate::support::run(
        &[
            &["hypergrad", data.as_str(), "--l2", "0", "--format", "json"][..],
            &flags,
        ]
        .concat(),
    );
    let free: serde_json::Value = serde_json::from_slice(&free.stdout).unwrap();
    assert_ne!(free["points"][0]["status"], "converged", "{free}");
    let held = json(&[&["hypergrad", data.as_str(), "--l2", "0.001"][..], &flags].concat());
    assert_eq!(held["points"][0]["status"], "converged");
}

/// Rows of a level that has no count but zero: without l1 on what they choose, a relaxed fit has no minimum.
#[test]
fn relaxed_fits_of_an_empty_level_are_no_candidates() {
    let numbers = noise(60 * 2, 9);
    let mut text = String::from("level,b,count\n");
    for (i, row) in numbers.chunks(2).enumerate() {
        let level = i % 3 == 0;
        let count = if level {
            0.0
        } else {
            (2.0 + 2.0 * row[0] + row[1]).round().max(0.0)
        };
        text.push_str(&format!("{},{},{count}\n", u8::from(level), row[0]));
    }
    let folder = Folder::new();
    let data = folder.text("data.csv", &text);
    let model = as_text(&folder.path("model"));
    let flags = [
        "fit",
        &data,
        "--target",
        "count",
        "--loss",
        "poisson",
        "--l1",
        "frac:1:0.05:6",
        "--l2",
        "0",
        "--cv",
        "4",
        "--relax=0,1",
        "--out",
        &model,
    ];
    let fitted = json(&flags);
    let choice = &fitted["choice"][0];
    assert_eq!(choice["relax"], 1.0, "{choice}");
    assert_eq!(choice["folds"], 4, "{choice}");
    assert_eq!(choice["points"], 12, "{choice}");
    assert!(choice["failed_cells"].as_u64().unwrap() > 0, "{choice}");
}

#[test]
fn folds_that_train_on_zeros_alone_are_named() {
    let mut text = String::from("a,count\n");
    for i in 0..40 {
        text.push_str(&format!(
            "{},{}\n",
            (i * 7) % 11,
            if i < 20 { 0 } else { i % 4 }
        ));
    }
    let folder = Folder::new();
    let data = folder.text("data.csv", &text);
    let flags = [
        "sweep",
        &data,
        "--target",
        "count",
        "--loss",
        "poisson",
        "--cv",
        "expanding:3",
        "--l1",
        "0.1",
        "--l2",
        "0.1",
    ];
    let message = fails(&flags, 1);
    assert!(
        message.contains("fold 0") || message.contains("fold 1"),
        "{message}"
    );
    assert!(message.contains("only zeros of target count"), "{message}");
    assert!(message.contains("--no-intercept"), "{message}");
}

/// A box without zero: its minimum is above the level on which the step is known to hold.
#[test]
fn a_box_far_from_zero_has_no_certificate() {
    let numbers = noise(40, 3);
    let mut text = String::from("a,count\n");
    for (i, a) in numbers.iter().enumerate() {
        text.push_str(&format!("{a},{}\n", 1 + i % 3));
    }
    let folder = Folder::new();
    let data = folder.text("data.csv", &text);
    let flags = [
        "hypergrad",
        &data,
        "--target",
        "count",
        "--loss",
        "poisson",
        "--penalty",
        "box",
        "--box",
        "5:300",
        "--l2",
        "0.0001",
        "--no-intercept",
        "--no-standardize",
        "--val-fraction",
        "0.3",
    ];
    let point = &json(&flags)["points"][0];
    assert_eq!(point["status"], "converged", "{point}");
    assert_eq!(point["certified"], false, "{point}");
}

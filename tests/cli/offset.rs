//! `--offset`: what linear predictors have beside the coefficients, against NumPy and against what it stands for.

use serde_json::Value;

use crate::support::{
    DIABETES, Folder, as_text, assert_close, fails, fitted, json, noise, numbers,
};

/// A loss, its coefficients and intercept, deviance, D² and mean squared error.
type Case = (&'static str, [f64; 9], f64, [f64; 3]);

/// By Newton's method in NumPy to 1e-14, with s5 for the offset and the other columns standardised.
const CASES: [Case; 3] = [
    (
        "poisson",
        [
            -0.0002264171746483,
            -0.1525842769251,
            0.02948149684747,
            0.006823591814604,
            -0.02328727782568,
            0.02139471502941,
            0.01692677108978,
            0.01770863609419,
            0.001032639864249,
        ],
        0.04375273311836,
        [19.63833245968, 0.4719418744161, 2880.421576596],
    ),
    (
        "gamma",
        [
            -0.001279715628162,
            -0.1347935718163,
            0.02250201192144,
            0.00417156111642,
            -0.008463042996564,
            0.007203744828788,
            -0.001258175858162,
            -0.07576732128123,
            -0.002083020167477,
        ],
        0.9319835000416,
        [0.1803118797019, 0.2738308067207, 4215.435948287],
    ),
    (
        "tweedie",
        [
            -0.0006447552534991,
            -0.1598709546565,
            0.02824107554165,
            0.006446655626339,
            -0.0203030767998,
            0.01898492286441,
            0.01154363514734,
            -0.02135661174073,
            0.0001336093810141,
        ],
        0.3695885770427,
        [1.724945296683, 0.4193930884597, 2942.156051449],
    ),
];

#[test]
fn fits_with_an_offset_are_those_of_numpy() {
    let folder = Folder::new();
    let model = as_text(&folder.path("m"));
    for (loss, w, b, [deviance, d2, mse]) in CASES {
        let flags = [
            DIABETES, "--loss", loss, "--offset", "s5", "--l1", "0", "--l2", "0.1",
        ];
        let (found, intercept) = fitted(&flags);
        assert_close(&found, &w, 1e-8);
        assert_close(&[intercept], &[b], 1e-8);
        // The model knows its column, and predicts means beside it; D² is of the best intercept beside it.
        json(&[&["fit", "--out", &model], &flags[..]].concat());
        let report = json(&[
            "predict",
            DIABETES,
            "--model",
            &model,
            "--target",
            "progression",
        ]);
        let scores = &report["targets"][0]["scores"];
        let found = ["deviance", "d2", "mse"].map(|name| scores[name].as_f64().unwrap());
        assert_close(&found, &[deviance, d2, mse], 1e-8);
        let saved = std::fs::read_to_string(folder.path("m/model.json")).unwrap();
        let saved: Value = serde_json::from_str(&saved).unwrap();
        assert_eq!(
            (&saved["offset"], &saved["schema"]),
            (&"s5".into(), &3.into())
        );
        std::fs::remove_dir_all(folder.path("m")).unwrap();
    }
    for (loss, l1_max) in [("poisson", 26.06830298515), ("gamma", 0.1454092118583)] {
        let flags = [
            "--loss", loss, "--offset", "s5", "--l1", "frac:1", "--l2", "0",
        ];
        let report = json(&[&["fit", DIABETES, "--out", &model], &flags[..]].concat());
        assert_close(&numbers(&report["points"][0]["l1"]), &[l1_max], 1e-10);
        std::fs::remove_dir_all(folder.path("m")).unwrap();
    }
}

/// Counts with exposures: rates with the exposures as weights are the same model, whose strengths are those here
/// over the mean exposure.
fn counts() -> String {
    let mut text = String::from("a,b,count,rate,exposure,log,less,y,label\n");
    for row in noise(90 * 4, 9).chunks(4) {
        let (a, b, exposure) = (row[0], 2.0 * row[1], 1.5 + row[2]);
        let count = (exposure * (0.6 * a - 0.4 * b + 1.0).exp() * (1.0 + 0.5 * row[3])).round();
        let (log, y) = (exposure.ln(), a - b + row[3]);
        let label = if y > 0.0 { "yes" } else { "no" };
        text.push_str(&format!(
            "{a},{b},{count},{},{exposure},{log},{},{y},{label}\n",
            count / exposure,
            y - log
        ));
    }
    text
}

#[test]
fn an_offset_is_what_it_stands_for() {
    let folder = Folder::new();
    let data = folder.text("d.csv", &counts());
    let rows: Vec<Vec<f64>> = counts()
        .lines()
        .skip(1)
        .map(|line| {
            line.split(',')
                .take(8)
                .map(|v| v.parse().unwrap())
                .collect()
        })
        .collect();
    let mean = rows.iter().map(|row| row[4]).sum::<f64>() / rows.len() as f64;
    let common = [&data, "--only", "a,b", "--no-standardize"];
    let poisson = ["--loss", "poisson"];
    let with = [
        &[
            "--target", "count", "--offset", "log", "--l1", "0.02", "--l2", "0.05",
        ],
        &poisson[..],
    ];
    let (w, b) = fitted(&[&common[..], &with.concat()].concat());
    let (l1, l2) = ((0.02 / mean).to_string(), (0.05 / mean).to_string());
    let rates = [
        "--target",
        "rate",
        "--sample-weights",
        "exposure",
        "--l1",
        &l1,
        "--l2",
        &l2,
    ];
    let (rate_w, rate_b) = fitted(&[&common[..], &rates, &poisson].concat());
    assert_close(&w, &rate_w, 1e-9);
    assert_close(&[b], &[rate_b], 1e-9);
    // Of a loss of differences it is subtracted from the target, in fits, sweeps and their scores.
    for loss in ["squared", "huber"] {
        let more = [
            "--loss", loss, "--l1", "0.01,0.1", "--l2", "0.01", "--cv", "4",
        ];
        let run = |own: &[&str]| {
            let swept = json(&[&["sweep"], &common[..], own, &more].concat());
            let points = swept["points"].as_array().unwrap().clone();
            let of = |point: &Value| {
                let metrics = &point["metrics"];
                [&point["criterion"], &metrics["mse"], &metrics["r2"]].map(|n| numbers(n)[0])
            };
            points.iter().flat_map(of).collect::<Vec<f64>>()
        };
        let beside = run(&["--target", "y", "--offset", "log"]);
        assert_close(&beside, &run(&["--target", "less"]), 1e-9);
    }
    // Over folds, held-out deviances are those of means beside the offsets.
    let sweep = [
        "sweep",
        "--cv",
        "contiguous:3",
        "--target",
        "count",
        "--offset",
        "log",
    ];
    let more = [
        "--l1", "0.02", "--l2", "0.05", "--loss", "poisson", "--method", "none",
    ];
    let swept = json(&[&sweep[..], &common, &more].concat());
    let mut deviances = Vec::new();
    let mut errors = Vec::new();
    for fold in 0..3 {
        let held = |i: usize| i / 30 == fold;
        let header = "a,b,count,rate,exposure,log,less,y,label\n";
        let part = |out: bool| -> String {
            let all = counts();
            let lines = all
                .lines()
                .skip(1)
                .enumerate()
                .filter(|(i, _)| held(*i) == out);
            lines.fold(header.to_string(), |text, (_, line)| text + line + "\n")
        };
        let train = folder.text("t.csv", &part(false));
        let flags = [
            "--only",
            "a,b",
            "--no-standardize",
            "--target",
            "count",
            "--offset",
            "log",
        ];
        let (w, b) = fitted(&[&[train.as_str()], &flags[..], &more[..6]].concat());
        let own: Vec<&Vec<f64>> = (0..90).filter(|&i| held(i)).map(|i| &rows[i]).collect();
        let mean = |row: &Vec<f64>| (b + w[0] * row[0] + w[1] * row[1] + row[5]).exp();
        let half = |row: &&Vec<f64>| {
            let (y, mu) = (row[2], mean(row));
            let log = if y > 0.0 { y * (y / mu).ln() } else { 0.0 };
            log - y + mu
        };
        deviances.push(own.iter().map(half).sum::<f64>() / 30.0);
        errors.push(
            own.iter()
                .map(|row| (mean(row) - row[2]).powi(2))
                .sum::<f64>()
                / 30.0,
        );
    }
    let average = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
    let point = &swept["points"][0];
    assert_close(&numbers(&point["criterion"]), &[average(&deviances)], 1e-8);
    assert_close(
        &numbers(&point["metrics"]["mse"]),
        &[average(&errors)],
        1e-8,
    );
}

/// Hypergradients beside an offset are central differences of the criterion.
#[test]
fn hypergradients_beside_an_offset_are_differences() {
    let folder = Folder::new();
    let data = folder.text("d.csv", &counts());
    let at = |l1: f64, l2: f64| {
        let (l1, l2) = (l1.to_string(), l2.to_string());
        let flags = [
            "--only", "a,b", "--target", "count", "--offset", "log", "--loss", "poisson",
        ];
        let more = ["--l1", &l1, "--l2", &l2, "--wrt", "l1,l2"];
        json(&[&["hypergrad", &data], &flags[..], &more].concat())["points"][0].clone()
    };
    let value = |point: Value| point["criterion"].as_f64().unwrap();
    let point = at(0.05, 0.1);
    let differences = [
        (value(at(0.0501, 0.1)) - value(at(0.0499, 0.1))) / 2e-4,
        (value(at(0.05, 0.1001)) - value(at(0.05, 0.0999))) / 2e-4,
    ];
    let found = ["l1", "l2"].map(|name| numbers(&point["hypergradient"][name])[0]);
    assert_close(&found, &differences, 1e-5);
}

/// A file without names has its offsets in the same place, and a model of it predicts.
#[test]
fn files_without_names_predict_with_their_offsets() {
    let folder = Folder::new();
    let x = noise(60, 77);
    let row = |i: usize| [((i * 7) % 5) as f64, x[40 + i], x[i], x[20 + i]];
    let line = |i: usize| row(i).map(|value| value.to_string()).join(",") + "\n";
    let data = folder.text("h.csv", &(0..20).map(line).collect::<String>());
    let model = as_text(&folder.path("m"));
    let columns = ["--target", "0", "--offset", "1", "--loss", "poisson"];
    let flags = [
        "fit",
        &data,
        "--l1",
        "0.01",
        "--out",
        &model,
        "--coefficients",
    ];
    let fitted = json(&[&flags[..], &columns].concat());
    let point = &fitted["points"][0];
    let w = numbers(&point["coefficients"]);
    assert_eq!(w.len(), 2);
    let b = point["intercept"].as_f64().unwrap();
    let expected = (0..20).map(|i| {
        let [_, offset, first, second] = row(i);
        (offset + w[0] * first + w[1] * second + b).exp()
    });
    let predict = ["predict", &data, "--target", "0", "--model", &model];
    let predicted = json(&predict);
    let found = numbers(&predicted["targets"][0]["predictions"]);
    assert_close(&found, &expected.collect::<Vec<f64>>(), 1e-9);
}

#[test]
fn offsets_that_do_not_fit_are_refused() {
    let folder = Folder::new();
    let data = folder.text("d.csv", &counts());
    let model = as_text(&folder.path("m"));
    let fit = [
        "fit", &data, "--only", "a,b", "--l1", "0.1", "--out", &model,
    ];
    let cases: [(&[&str], i32, &str); 5] = [
        (
            &["--target", "label", "--loss", "logistic", "--offset", "log"],
            1,
            "offsets are for squared, huber",
        ),
        (
            &["--target", "y", "--offset", "none"],
            1,
            "there is no column \"none\"",
        ),
        (
            &["--target", "y", "--offset", "label"],
            1,
            "row 1 of the column \"label\" is",
        ),
        (&["--target", "y", "--offset", "y"], 1, "two uses"),
        (&["--target", "y", "--offset", "a"], 1, "two uses"),
    ];
    for (flags, status, text) in cases {
        let message = fails(&[&fit[..], flags].concat(), status);
        assert!(message.contains(text), "{flags:?}: {message}");
    }
    let message = fails(&["fit", "--example", "--offset", "age", "--out", &model], 2);
    assert!(
        message.contains("--offset names columns of a file"),
        "{message}"
    );
    // A model with an offset needs its column, and one without has none.
    let poisson = ["--target", "count", "--offset", "log", "--loss", "poisson"];
    json(&[&fit[..], &poisson].concat());
    let without = folder.text("w.csv", "a,b\n1,2\n");
    let message = fails(&["predict", &without, "--model", &model], 1);
    assert!(
        message.contains("\"log\"") && message.contains("--offset COLUMN"),
        "{message}"
    );
    let far = folder.text("f.csv", "a,b,log\n1,2,900\n");
    fails(&["predict", &far, "--model", &model], 1);
    let other = folder.text("o.csv", "a,b,days\n1,2,0.5\n");
    let found = json(&["predict", &other, "--model", &model, "--offset", "days"]);
    let zero = folder.text("z.csv", "a,b,log\n1,2,0\n");
    let plain = json(&["predict", &zero, "--model", &model]);
    let means = [&found, &plain].map(|report| numbers(&report["targets"][0]["predictions"])[0]);
    assert_close(&[means[0] / means[1]], &[0.5f64.exp()], 1e-12);
    let message = fails(
        &[
            "influence",
            &data,
            "--only",
            "a,b",
            "--target",
            "count",
            "--offset",
            "log",
            "--loss",
            "poisson",
        ],
        1,
    );
    assert!(message.contains("exposures as sample weights"), "{message}");
}

#[test]
fn offsets_have_as_many_digits_as_they_are_written_with() {
    let folder = Folder::new();
    let with = |name: &str, of: &dyn Fn(f64) -> String| {
        let rows = noise(40 * 3, 3);
        let row = |row: &[f64]| format!("{},{},{}\n", row[0], of(row[1]), row[2]);
        let rows: String = rows.chunks(3).map(row).collect();
        folder.text(name, &format!("a,off,y\n{rows}"))
    };
    let short = with("s.csv", &|v| v.to_string());
    let long = with("l.csv", &|v| format!("{v:.16e}"));
    let longer = with("m.csv", &|v| format!("{v:.17}0001"));
    let of = |file: &str| {
        let flags = [
            "--target", "y", "--offset", "off", "--l1", "0.1", "--l2", "0.1",
        ];
        json(&[&["hypergrad", file], &flags[..]].concat())["points"].clone()
    };
    let expected = of(&short);
    assert_eq!(of(&long), expected);
    assert!(of(&longer)[0]["criterion"].is_number());
    // A cell that is missing is one of the offset.
    let gap = with("g.csv", &|v| {
        if v > 0.0 {
            v.to_string()
        } else {
            String::new()
        }
    });
    let message = fails(
        &[
            "fit", &gap, "--target", "y", "--offset", "off", "--l1", "0.1",
        ],
        1,
    );
    assert!(
        message.contains("offset") && !message.contains("target"),
        "{message}"
    );
}

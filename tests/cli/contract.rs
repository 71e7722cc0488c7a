//! The JSON object of `hypergrad` that scripts rely on.

use serde_json::Value;

use crate::support::{Folder, assert_close, columns, fails, json, noise, numbers, ok, table};

/// Training and validation files: x, y, x-val, y-val.
struct Files {
    folder: Folder,
    flags: Vec<String>,
    d: usize,
}

impl Files {
    /// Gaussian-like regression data, or class numbers 0..classes.
    fn new(n: usize, d: usize, classes: Option<usize>) -> Self {
        let folder = Folder::new();
        let mut flags = Vec::new();
        for (x_flag, y_flag, rows, seed) in [("--x", "--y", n, 1), ("--x-val", "--y-val", n / 2, 2)]
        {
            let x = noise(rows * d, seed);
            let rest = noise(rows, seed + 10);
            let y: Vec<f64> = (0..rows)
                .map(|i| {
                    let z = x[i * d] - 0.5 * x[i * d + 1] + 0.3 * rest[i];
                    match classes {
                        None => z,
                        Some(c) => ((z + 1.0) * c as f64 / 2.0)
                            .floor()
                            .clamp(0.0, c as f64 - 1.0),
                    }
                })
                .collect();
            let x = folder.npy(
                &format!("{}.npy", &x_flag[2..]),
                &[rows as u64, d as u64],
                &x,
            );
            let y = folder.npy(&format!("{}.npy", &y_flag[2..]), &[rows as u64], &y);
            flags.extend([x_flag.to_string(), x, y_flag.to_string(), y]);
        }
        Self { folder, flags, d }
    }

    fn arguments<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let mut arguments = vec!["hypergrad"];
        arguments.extend(self.flags.iter().map(String::as_str));
        arguments.extend(more);
        arguments
    }

    fn json(&self, more: &[&str]) -> Value {
        json(&self.arguments(more))
    }
}

const RAW: [&str; 2] = ["--no-intercept", "--no-standardize"];

fn raw<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&RAW[..], more].concat()
}

#[test]
fn the_object_has_the_promised_keys_and_types() {
    let files = Files::new(30, 3, None);
    let more = raw(&[
        "--loss",
        "squared",
        "--penalty",
        "elastic-net",
        "--l1",
        "0.01",
        "--l2",
        "0.02",
        "--method",
        "aid-cg",
        "--device",
        "cpu",
        "--precision",
        "f64",
        "--coefficients",
    ]);
    let report = files.json(&more);
    assert_eq!(report["schema"], 1);
    assert!(report["problem"].is_object());
    assert!(report["device"].is_string());
    let points = report["points"].as_array().unwrap();
    assert_eq!(points.len(), 1);
    let point = &points[0];
    for key in ["l1", "l2", "objective", "criterion", "residual"] {
        assert!(point[key].is_f64(), "{key}: {}", point[key]);
    }
    for key in ["duality_gap", "linear_residual", "kink_margin"] {
        let value = point.get(key).unwrap_or_else(|| panic!("no {key}"));
        assert!(value.is_null() || value.is_f64(), "{key}: {value}");
    }
    for key in ["support", "steps"] {
        assert!(point[key].is_u64(), "{key}: {}", point[key]);
    }
    assert_eq!(point["status"], "converged");
    assert!(point["warnings"].is_array());
    assert!(point["hypergradient"]["l1"].is_f64() && point["hypergradient"]["l2"].is_f64());
    assert_eq!(point["coefficients"].as_array().unwrap().len(), 3);
    // What does not exist is null beside the coefficients.
    assert_eq!(point.get("intercept"), Some(&Value::Null));
    assert!(point.get("target").is_none());
    let without = files.json(&RAW);
    assert!(without["points"][0].get("coefficients").is_none());
}

#[test]
fn lists_make_all_pairs_with_l2_fastest() {
    let files = Files::new(30, 3, None);
    let report = files.json(&["--l1", "0.3,0.1", "--l2", "1,log:0.01:0.1:2"]);
    let points = report["points"].as_array().unwrap();
    let pairs: Vec<(f64, f64)> = points
        .iter()
        .map(|p| (p["l1"].as_f64().unwrap(), p["l2"].as_f64().unwrap()))
        .collect();
    assert_eq!(
        pairs,
        [
            (0.3, 1.0),
            (0.3, 0.01),
            (0.3, 0.1),
            (0.1, 1.0),
            (0.1, 0.01),
            (0.1, 0.1)
        ]
    );
}

/// One coefficient: w = (mean(xy) − l1)/(mean(x²) + l2) by hand.
#[test]
fn one_coefficient_agrees_with_the_closed_form() {
    let folder = Folder::new();
    let (x, y) = ([1.0, -2.0, 3.0, 0.5], [1.2, -1.5, 3.5, 0.1]);
    let (xv, yv) = ([2.0, -1.0, 0.7], [1.5, -1.4, 1.0]);
    let files = [
        folder.npy("x.npy", &[4, 1], &x),
        folder.npy("y.npy", &[4], &y),
        folder.npy("xv.npy", &[3, 1], &xv),
        folder.npy("yv.npy", &[3], &yv),
    ];
    let (l1, l2) = (0.25, 0.5);
    let mean =
        |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>() / a.len() as f64;
    let slope = mean(&x, &x) + l2;
    let w = (mean(&x, &y) - l1) / slope;
    let error: Vec<f64> = xv.iter().zip(&yv).map(|(x, y)| x * w - y).collect();
    let outer = mean(&error, &xv);
    let report = json(
        &[
            &["hypergrad", "--x", &files[0], "--y", &files[1]][..],
            &["--x-val", &files[2], "--y-val", &files[3], "--coefficients"][..],
            &["--l1", "0.25", "--l2", "0.5", RAW[0], RAW[1]][..],
        ]
        .concat(),
    );
    let point = &report["points"][0];
    assert_close(&numbers(&point["coefficients"]), &[w], 1e-13);
    assert_close(
        &numbers(&point["criterion"]),
        &[0.5 * mean(&error, &error)],
        1e-12,
    );
    let objective = 0.5 * mean(&y, &y) - w * mean(&x, &y) + 0.5 * slope * w * w + l1 * w;
    assert_close(&numbers(&point["objective"]), &[objective], 1e-12);
    let gradient = &point["hypergradient"];
    assert_close(&numbers(&gradient["l1"]), &[-outer / slope], 1e-10);
    assert_close(&numbers(&gradient["l2"]), &[-outer * w / slope], 1e-10);
    assert_eq!(point["support"], 1);
}

#[test]
fn weighted_strengths_give_an_array_with_respect_to_the_effective_strengths() {
    let files = Files::new(30, 3, None);
    let strengths = files.folder.npy("s.npy", &[3], &[0.02, 0.04, 0.0]);
    let common = raw(&[
        "--penalty",
        "weighted",
        "--l1-file",
        &strengths,
        "--l2",
        "0.1",
    ]);
    let report = files.json(&common);
    let point = &report["points"][0];
    assert_eq!(point["l1"], 1.0);
    assert_eq!(numbers(&point["hypergradient"]["l1"]).len(), 3);

    // The factor scales the strengths, but not the derivative, which is of their product.
    let doubled = files.folder.npy("s2.npy", &[3], &[0.01, 0.02, 0.0]);
    let more = raw(&[
        "--penalty",
        "weighted",
        "--l1-file",
        &doubled,
        "--l2",
        "0.1",
        "--l1",
        "2",
    ]);
    let other = files.json(&more);
    assert_close(
        &numbers(&other["points"][0]["hypergradient"]["l1"]),
        &numbers(&point["hypergradient"]["l1"]),
        1e-9,
    );
}

#[test]
fn ridge_strengths_give_an_array_with_respect_to_the_effective_ones() {
    let files = Files::new(30, 4, None);
    let file = |name: &str, values: &[f64]| files.folder.npy(name, &[values.len() as u64], values);
    let run = |more: &[&str]| files.json(&[&raw(&["--l1", "0.03"])[..], more].concat());
    let gradient = |report: &serde_json::Value| {
        let gradient = &report["points"][0]["hypergradient"];
        (numbers(&gradient["l1"]), numbers(&gradient["l2"]))
    };
    let each = file("each.npy", &[0.1, 0.3, 0.1, 0.3]);
    let report = run(&["--l2-file", &each]);
    assert_eq!(report["points"][0]["l2"], 1.0);
    let (l1, l2) = gradient(&report);
    assert_eq!(l2.len(), 4);

    // The factor scales them, but not the derivative.
    let halves = file("halves.npy", &[0.05, 0.15, 0.05, 0.15]);
    let other = gradient(&run(&["--l2-file", &halves, "--l2", "2"]));
    assert_close(&other.0, &l1, 1e-12);
    assert_close(&other.1, &l2, 1e-12);

    // Coefficients that share an entry add up.
    let two = file("two.npy", &[0.1, 0.3]);
    let ties = file("ties.npy", &[5.0, 9.0, 5.0, 9.0]);
    let tied = gradient(&run(&["--l2-file", &two, "--l2-ties", &ties]));
    assert_close(&tied.1, &[l2[0] + l2[2], l2[1] + l2[3]], 1e-12);

    // All equal, they are the common one.
    let equal = file("equal.npy", &[0.2; 4]);
    let equal = gradient(&run(&["--l2-file", &equal]));
    let common = gradient(&run(&["--l2", "0.2"]));
    assert_close(&equal.0, &common.0, 1e-12);
    assert_close(&[equal.1.iter().sum()], &common.1, 1e-12);
}

#[test]
fn ridge_strengths_of_features_and_classes_are_told_by_their_number() {
    let files = Files::new(60, 4, Some(3));
    let run = |strengths: &[f64]| {
        let name = format!("{}.npy", strengths.len());
        let file = files
            .folder
            .npy(&name, &[strengths.len() as u64], strengths);
        let more = ["--loss", "multinomial", "--l1", "0.01", "--l2-file", &file];
        let report = files.json(&raw(&more));
        let point = &report["points"][0];
        let gradient = numbers(&point["hypergradient"]["l2"]);
        (gradient, point["objective"].as_f64().unwrap())
    };
    let classes = [0.05, 0.1, 0.2];
    let features = [0.05, 0.1, 0.2, 0.4];
    let of_classes: Vec<f64> = (0..12).map(|at| classes[at % 3]).collect();
    let of_features: Vec<f64> = (0..12).map(|at| features[at / 3]).collect();
    let class = |at: usize| at % 3;
    let feature = |at: usize| at / 3;
    let places: [&dyn Fn(usize) -> usize; 2] = [&class, &feature];
    for (few, each, place) in [
        (&classes[..], of_classes, places[0]),
        (&features[..], of_features, places[1]),
    ] {
        let (found, objective) = run(few);
        let (all, same) = run(&each);
        assert!((objective - same).abs() < 1e-13);
        let mut sums = vec![0.0; few.len()];
        all.iter()
            .enumerate()
            .for_each(|(at, x)| sums[place(at)] += x);
        assert_close(&found, &sums, 1e-10);
    }
}

/// The number of strengths tells what they are of, and whether the first line is a header; where it cannot,
/// or the file is broken, that is said.
#[test]
fn what_a_file_of_ridge_strengths_means_is_never_guessed() {
    let multinomial = raw(&["--loss", "multinomial", "--l1", "0.01", "--l2-file"]);
    let files = Files::new(60, 4, Some(3));
    let at = |file: &str| {
        let report = files.json(&[&multinomial[..], &[file]].concat());
        let point = &report["points"][0];
        (
            point["objective"].as_f64().unwrap(),
            numbers(&point["hypergradient"]["l2"]),
        )
    };
    // A zero is the strength of a feature, not the header above those of the classes.
    let text = files.folder.text("zero.csv", "0\n0.1\n0.2\n0.4\n");
    let array = files.folder.npy("zero.npy", &[4], &[0.0, 0.1, 0.2, 0.4]);
    assert_eq!(at(&text), at(&array));
    // It is one where no kind has so many, and so is a name.
    let classes = files.folder.npy("classes.npy", &[3], &[0.1, 0.2, 0.4]);
    let named = files.folder.text("named.csv", "l2\n0.1\n0.2\n0.4\n");
    assert_eq!(at(&named), at(&classes));
    let features = files.folder.text("pandas.csv", "0\n0.1\n0.2\n0.4\n0.8\n");
    assert_eq!(at(&features).1.len(), 4);
    let broken = files.folder.text("broken.csv", "0.1\nabc\n0.4\n");
    let line = fails(
        &files.arguments(&[&multinomial[..], &[&broken]].concat()),
        1,
    );
    assert!(line.contains("abc"), "{line}");

    // As many features as classes.
    let square = Files::new(60, 3, Some(3));
    let three = square.folder.npy("three.npy", &[3], &[0.1, 0.2, 0.4]);
    let line = fails(
        &square.arguments(&[&multinomial[..], &[&three]].concat()),
        1,
    );
    assert!(
        line.contains("one per feature or one per class") && line.contains("--l2-ties"),
        "{line}"
    );
    let of_classes: Vec<f64> = (0..9).map(|at| f64::from(at % 3)).collect();
    let ties = square.folder.npy("ties.npy", &[9], &of_classes);
    let tied = [&multinomial[..], &[&three, "--l2-ties", &ties]].concat();
    let found = numbers(&square.json(&tied)["points"][0]["hypergradient"]["l2"]);
    assert_eq!(found.len(), 3);
    // Groups of one coefficient are no second meaning.
    let six = Files::new(30, 6, None);
    let each = six.folder.npy("six.npy", &[6], &[0.1; 6]);
    let group = ["--penalty", "group", "--group-size", "1", "--l1", "0.02"];
    let of_groups = raw(&[&group[..], &["--l2-file", &each]].concat());
    let found = numbers(&six.json(&of_groups)["points"][0]["hypergradient"]["l2"]);
    assert_eq!(found.len(), 6);
}

#[test]
fn groups_have_one_derivative_unless_they_have_strengths() {
    let files = Files::new(40, 6, None);
    let size = raw(&[
        "--penalty",
        "group",
        "--group-size",
        "3",
        "--l1",
        "0.02",
        "--l2",
        "0.1",
    ]);
    let report = files.json(&size);
    let scalar = report["points"][0]["hypergradient"]["l1"].as_f64().unwrap();

    let groups = files
        .folder
        .npy("g.npy", &[6], &[7.0, 7.0, 7.0, 9.0, 9.0, 9.0]);
    let strengths = files.folder.npy("s.npy", &[2], &[0.02, 0.02]);
    let named = raw(&[
        "--penalty",
        "group",
        "--groups",
        &groups,
        "--l1-file",
        &strengths,
    ]);
    let report = files.json(&[&named[..], &["--l2", "0.1"]].concat());
    let vector = numbers(&report["points"][0]["hypergradient"]["l1"]);
    assert_eq!(vector.len(), 2);
    assert_close(&[vector.iter().sum()], &[scalar], 1e-8);
}

#[test]
fn a_perturbation_adds_rows_of_derivatives() {
    let files = Files::new(30, 3, Some(3));
    let p = files
        .folder
        .npy("P.npy", &[2, 3], &[0.1, 0.0, -0.1, 0.2, 0.0, 0.0]);
    let rows = files.folder.npy("rows.npy", &[2], &[4.0, 20.0]);
    let report = files.json(&raw(&[
        "--loss",
        "multinomial",
        "--l1",
        "0.01",
        "--l2",
        "0.1",
        "--coefficients",
        "--perturbation",
        &p,
        "--perturbed-rows",
        &rows,
    ]));
    let point = &report["points"][0];
    let gradient = point["hypergradient"]["perturbation"].as_array().unwrap();
    assert_eq!(gradient.len(), 2);
    assert!(gradient.iter().all(|row| numbers(row).len() == 3));
    assert!(point["hypergradient"]["l1"].is_f64());
    assert_eq!(numbers(&point["coefficients"]).len(), files.d * 3);

    let adversary = files.json(&raw(&[
        "--loss",
        "multinomial",
        "--l1",
        "0.01",
        "--l2",
        "0.1",
        "--criterion-sign",
        "-1",
        "--perturbation",
        &p,
        "--perturbed-rows",
        &rows,
        "--wrt",
        "perturbation",
    ]));
    let opposite = &adversary["points"][0]["hypergradient"];
    assert!(opposite.get("l1").is_none());
    let negated: Vec<f64> = numbers(&opposite["perturbation"])
        .iter()
        .map(|v| -v)
        .collect();
    assert_close(
        &negated,
        &numbers(&point["hypergradient"]["perturbation"]),
        1e-9,
    );
}

#[test]
fn a_box_is_differentiated_with_respect_to_its_bounds() {
    let files = Files::new(30, 3, None);
    let more = raw(&["--penalty", "box", "--box", "-0.1:0.2", "--l2", "0.1"]);
    let report = files.json(&more);
    let gradient = report["points"][0]["hypergradient"].as_object().unwrap();
    let keys: Vec<&str> = gradient.keys().map(String::as_str).collect();
    assert_eq!(keys, ["box_hi", "box_lo", "l2"]);
}

#[test]
fn other_hyperparameters_come_when_asked_for() {
    let files = Files::new(30, 3, None);
    let report = files.json(&raw(&[
        "--l1",
        "0.01",
        "--l2",
        "0.1",
        "--wrt",
        "sample-weights,prior",
    ]));
    let gradient = &report["points"][0]["hypergradient"];
    assert_eq!(numbers(&gradient["sample_weights"]).len(), 30);
    assert_eq!(numbers(&gradient["prior"]).len(), 3);
    assert!(gradient.get("l1").is_none() && gradient.get("l2").is_none());
}

#[test]
fn multinomial_coefficients_are_features_by_classes_with_an_intercept_each() {
    let files = Files::new(40, 4, Some(3));
    let report = files.json(&["--loss", "multinomial", "--l1", "0.01", "--coefficients"]);
    let point = &report["points"][0];
    assert_eq!(numbers(&point["coefficients"]).len(), 12);
    let intercepts = numbers(&point["intercept"]);
    assert_eq!(intercepts.len(), 3);
    assert_eq!(
        report["problem"]["classes"][0],
        serde_json::json!(["0", "1", "2"])
    );
}

#[test]
fn every_method_agrees() {
    let files = Files::new(40, 4, None);
    let at = raw(&["--l1", "0.02", "--l2", "0.1"]);
    let reference = files.json(&[&at[..], &["--method", "direct"]].concat());
    let expected = &reference["points"][0]["hypergradient"];
    for method in ["aid-cg", "aid-fp", "itd-forward", "itd-reverse"] {
        let report = files.json(&[&at[..], &["--method", method]].concat());
        let found = &report["points"][0]["hypergradient"];
        for key in ["l1", "l2"] {
            assert_close(&numbers(&found[key]), &numbers(&expected[key]), 1e-7);
        }
    }
    for method in ["nsid", "sid"] {
        let more = [
            "--method",
            method,
            "--stochastic-steps",
            "2000",
            "--minibatch",
            "20",
        ];
        let report = files.json(&[&at[..], &more].concat());
        assert!(
            report["points"][0]["hypergradient"]["l1"].is_f64(),
            "{method}"
        );
    }
}

#[test]
fn single_precision_agrees_to_its_accuracy() {
    let files = Files::new(40, 4, None);
    let at = raw(&["--l1", "0.02", "--l2", "0.1"]);
    let double = files.json(&at);
    let single = files.json(&[&at[..], &["--precision", "f32"]].concat());
    assert_eq!(single["precision"], "f32");
    let of = |report: &Value| numbers(&report["points"][0]["hypergradient"]["l2"]);
    assert_close(&of(&single), &of(&double), 1e-4);
}

#[test]
fn several_targets_are_named_members_of_the_batch() {
    let folder = Folder::new();
    let table = table(60, 3);
    let both = folder.text("both.csv", &columns(&table, &["a", "b", "c", "y", "z"]));
    let at = [
        "--target",
        "y,z",
        "--l1",
        "0.1",
        "--l2",
        "0.01,0.1",
        "--coefficients",
    ];
    let report = json(&[&["hypergrad", &both][..], &at].concat());
    let points = report["points"].as_array().unwrap();
    let names: Vec<&str> = points
        .iter()
        .map(|p| p["target"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["y", "y", "z", "z"]);

    let one = folder.text("one.csv", &columns(&table, &["a", "b", "c", "z"]));
    let at = ["--l1", "0.1", "--l2", "0.01,0.1", "--coefficients"];
    let alone = json(&[&["hypergrad", &one][..], &at].concat());
    for at in 0..2 {
        let (joint, alone) = (&points[2 + at], &alone["points"][at]);
        assert_close(
            &numbers(&joint["coefficients"]),
            &numbers(&alone["coefficients"]),
            1e-9,
        );
        assert_close(
            &numbers(&joint["intercept"]),
            &numbers(&alone["intercept"]),
            1e-9,
        );
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let files = Files::new(60, 8, None);
    let at = [
        "--l1",
        "log:0.001:0.1:6",
        "--l2",
        "0.01,0.1",
        "--coefficients",
        "--format",
        "json",
    ];
    let one = ok(&files.arguments(&[&at[..], &["--threads", "1"]].concat()));
    let three = ok(&files.arguments(&[&at[..], &["--threads", "3"]].concat()));
    assert_eq!(one, three);
}

#[test]
fn numbers_read_back_to_the_same_bits() {
    let files = Files::new(30, 3, None);
    let report = files.json(&["--l1", "0.1000000000000000055511151231257827,1e-17"]);
    assert_eq!(
        report["points"][0]["l1"].as_f64().unwrap().to_bits(),
        0.1f64.to_bits()
    );
    assert_eq!(
        report["points"][1]["l1"].as_f64().unwrap().to_bits(),
        1e-17f64.to_bits()
    );
}

//! `--adaptive` and `--relax`: fits in two stages, beside a computation of their own in NumPy.

use serde_json::Value;

use crate::support::{
    DIABETES, Folder, as_text, assert_close, columns, fails, fitted, json, numbers, ok, table,
};

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

/// Coordinate descent in NumPy to 1e-15, on weights of a ridge by `solve` or of a lasso; the relaxed fit by
/// `solve` on the support.
#[test]
fn fits_in_two_stages_are_those_of_numpy() {
    let cases: [(&[&str], [f64; 10], f64); 6] = [
        (
            &["--l1", "20", "--l2", "0.1", "--adaptive"],
            [
                0.0,
                -10.73258786183,
                5.711810931781,
                0.9450276373828,
                -0.1682061341438,
                0.0,
                -0.1873962149553,
                2.886719469785,
                47.0734182596,
                0.0,
            ],
            -261.2971783945,
        ),
        (
            &["--l1", "300", "--l2", "0", "--adaptive=1.5"],
            [
                0.0,
                0.0,
                6.375952290219,
                0.5588284821822,
                -0.08157225795358,
                0.0,
                0.0,
                0.0,
                52.5721725673,
                0.0,
            ],
            -297.5092069194,
        ),
        (
            &[
                "--l1",
                "50",
                "--l2",
                "0.01",
                "--adaptive",
                "--first-fit",
                "lasso:0.1",
            ],
            [
                0.0,
                0.0,
                6.292010944437,
                0.6002973802995,
                0.0,
                0.0,
                -0.1929042438036,
                0.0,
                46.65860655035,
                0.0,
            ],
            -277.5969987796,
        ),
        (
            &["--l1", "2", "--l2", "0", "--relax=0.25"],
            [
                0.0,
                -20.43082613867,
                5.650386795575,
                1.052761011163,
                -0.170672854024,
                0.0,
                -0.844249977199,
                0.0,
                48.02122045785,
                0.2610418332401,
            ],
            -238.9354402188,
        ),
        (
            &["--l1", "5", "--l2", "0.1", "--relax=0"],
            [
                0.0,
                -19.63541975464,
                5.192862382416,
                1.021979578573,
                0.0,
                0.0,
                -0.9873006942286,
                0.0,
                39.11234038806,
                0.3244524141403,
            ],
            -214.7183397789,
        ),
        (
            &["--l1", "20", "--l2", "0", "--adaptive", "--relax=0.5"],
            [
                0.0,
                -16.77804006697,
                6.061299321024,
                1.055496944555,
                -0.3506466132082,
                0.0,
                0.0,
                7.075662622037,
                52.54451177911,
                0.0,
            ],
            -289.3610695262,
        ),
    ];
    for (flags, coefficients, intercept) in cases {
        let (own, constant) = fitted(&[&[DIABETES], flags].concat());
        assert_close(&own, &coefficients, 1e-10);
        assert_close(&[constant], &[intercept], 1e-11);
    }
}

#[test]
fn adaptive_weights_are_those_of_each_fold_and_are_held_fixed_by_derivatives() {
    let flags = [
        "--cv",
        "contiguous:4",
        "--l1",
        "20",
        "--l2",
        "0.1",
        "--adaptive",
    ];
    let report = json(&[&["sweep", DIABETES], &flags[..]].concat());
    let best = &report["best"];
    // NumPy, with the weights of each fold's training rows.
    assert_close(
        &numbers(&best["criteria"]),
        &[
            1494.300402092,
            1585.873295762,
            1495.553711135,
            1416.040793766,
        ],
        1e-11,
    );
    // Central differences of these with fixed weights.
    let slopes = &best["hypergradient"];
    assert_close(&[number(&slopes["l1"])], &[1.324203087733622], 1e-6);
    assert_close(&[number(&slopes["l2"])], &[179.30923129], 1e-5);
    // On one split too there is one derivative, in the factor.
    let split = json(&["sweep", DIABETES, "--l1", "20", "--l2", "0.1", "--adaptive"]);
    assert!(split["best"]["hypergradient"]["l1"].is_number());
}

/// The adaptive lasso is a lasso on columns times |w|^γ.
#[test]
fn an_adaptive_fit_is_a_lasso_on_scaled_columns() {
    let folder = Folder::new();
    let text = columns(&table(120, 4), &["a", "b", "c", "label"]);
    let data = folder.text("d.csv", &text);
    let plain = [
        "--loss",
        "logistic",
        "--no-standardize",
        "--target",
        "label",
    ];
    let with = |data: &str, more: &[&str]| fitted(&[&[data], &plain[..], more].concat());
    let (first, _) = with(&data, &["--l1", "0", "--l2", "0.05"]);
    let mut scaled = String::from("a,b,c,label\n");
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        for (field, w) in fields.iter().zip(&first) {
            let x: f64 = field.parse().unwrap();
            scaled.push_str(&format!("{},", x * w.abs().sqrt()));
        }
        scaled.push_str(&format!("{}\n", fields[3]));
    }
    let scaled = folder.text("s.csv", &scaled);
    let (lasso, constant) = with(&scaled, &["--l1", "0.01", "--l2", "0"]);
    let flags = [
        "--adaptive=0.5",
        "--first-fit",
        "ridge:0.05",
        "--l1",
        "0.01",
        "--l2",
        "0",
    ];
    let (adaptive, own) = with(&data, &flags);
    let expected: Vec<f64> = lasso
        .iter()
        .zip(&first)
        .map(|(c, w)| c * w.abs().sqrt())
        .collect();
    assert!(expected.iter().any(|w| *w != 0.0));
    assert_close(&adaptive, &expected, 1e-8);
    assert_close(&[own], &[constant], 1e-8);
}

#[test]
fn a_relaxed_fit_of_classes_is_that_of_its_columns() {
    let folder = Folder::new();
    let data = folder.text("d.csv", &columns(&table(120, 4), &["a", "b", "c", "label"]));
    let common = [data.as_str(), "--loss", "logistic", "--l2", "0.01"];
    let (lasso, _) = fitted(&[&common[..], &["--l1", "0.05"]].concat());
    let kept: Vec<&str> = ["a", "b", "c"]
        .into_iter()
        .zip(&lasso)
        .filter(|(_, w)| **w != 0.0)
        .map(|(name, _)| name)
        .collect();
    assert!((1..3).contains(&kept.len()), "{lasso:?}");
    let only = kept.join(",");
    let (free, constant) = fitted(&[&common[..], &["--l1", "0", "--only", &only]].concat());
    let (relaxed, own) = fitted(&[&common[..], &["--l1", "0.05", "--relax=0"]].concat());
    let on_support: Vec<f64> = relaxed.iter().copied().filter(|w| *w != 0.0).collect();
    assert_close(&on_support, &free, 1e-8);
    assert_close(&[own], &[constant], 1e-8);
}

/// Means of NumPy over `KFold(4)`.
const MEANS: [[f64; 4]; 3] = [
    [1484.7822011, 1473.187243688, 1526.771089678, 1550.742024656],
    [1481.906593448, 1478.0608963, 1529.415651916, 1594.224450547],
    [
        1479.873305917,
        1490.671120379,
        1564.838534095,
        1728.986567485,
    ],
];

#[test]
fn the_share_of_a_relaxed_fit_is_chosen_with_its_point() {
    let folder = Folder::new();
    let (store, model) = (as_text(&folder.path("s.db")), as_text(&folder.path("m")));
    let space = ["--cv", "contiguous:4", "--l1", "0.5,2,6,14", "--l2", "0"];
    let flags = [&[DIABETES], &space[..], &["--relax=0,0.5,1"]].concat();
    let fit = json(&[&["fit", "--out", &model], &flags[..]].concat());
    let choice = &fit["choice"][0];
    assert_eq!(
        (&choice["l1"], &choice["relax"]),
        (&2.0.into(), &0.0.into())
    );
    assert_eq!(choice["points"], 12);
    assert_close(&[number(&choice["mean"])], &[MEANS[0][1]], 1e-10);
    let saved = std::fs::read_to_string(folder.path("m/model.json")).unwrap();
    let saved: Value = serde_json::from_str(&saved).unwrap();
    assert_eq!(saved["targets"][0]["relax"], 0.0);

    // A sweep has a study of each, in memory and in a store.
    let base = [&["sweep", "--method", "none"], &flags[..]].concat();
    let swept = json(&base);
    let stored = json(&[&base[..], &["--store", &store]].concat());
    assert_eq!(swept["points"], stored["points"]);
    for (at, expected) in MEANS.iter().flatten().enumerate() {
        let point = &swept["points"][at];
        assert_close(&[number(&point["criterion"])], &[*expected], 1e-10);
    }
    let from = ["fit", "--from", &store, "--out", &model];
    assert!(fails(&from, 2).contains("3 studies"));
    let name = format!("{DIABETES} (relax 0.5)");
    let found = json(&[&from[..], &["--study", &name]].concat());
    assert_eq!(found["choice"][0]["relax"], 0.5);
    assert_close(
        &[number(&found["choice"][0]["mean"])],
        &[MEANS[1][1]],
        1e-10,
    );
    let direct = ["--l1", "2", "--l2", "0", "--relax=0.5"];
    let (own, _) = fitted(&[&[DIABETES], &direct[..]].concat());
    let again = json(&[&from[..], &["--study", &name, "--coefficients"]].concat());
    assert_eq!(numbers(&again["points"][0]["coefficients"]), own);
    // Among held-out rows alone a share is chosen as well.
    let split = json(&[
        "fit", DIABETES, "--l1", "2", "--l2", "0", "--relax", "--out", &model,
    ]);
    assert_eq!(split["choice"][0]["points"], 5);
}

#[test]
fn stages_that_are_not_defined_are_refused() {
    let folder = Folder::new();
    let two = folder.text("t.csv", &columns(&table(60, 4), &["a", "b", "c", "y", "z"]));
    let cases: [(&[&str], i32, &str); 12] = [
        (&["sweep", DIABETES, "--relax"], 1, "--method none"),
        (
            &["sweep", DIABETES, "--cv", "4", "--relax=0.5"],
            1,
            "--method none",
        ),
        (&["fit", DIABETES, "--relax=1.5"], 2, "from 0 (no l1"),
        (&["fit", DIABETES, "--adaptive=0"], 2, "greater than zero"),
        (
            &["fit", DIABETES, "--first-fit", "ridge:1"],
            2,
            "--adaptive",
        ),
        (
            &["fit", DIABETES, "--adaptive", "--first-fit", "ols"],
            2,
            "ridge:L2",
        ),
        (
            &["fit", DIABETES, "--adaptive", "--penalty", "nonneg"],
            1,
            "--penalty elastic-net",
        ),
        (
            &[
                "fit",
                DIABETES,
                "--relax=0",
                "--penalty",
                "group",
                "--group-size",
                "2",
            ],
            1,
            "elastic-net or weighted",
        ),
        (&["fit", DIABETES, "--adaptive", "--l1", "0"], 1, "l1 = 0"),
        (
            &["sweep", DIABETES, "--adaptive", "--cv", "3", "--l1", "0,1"],
            1,
            "l1 = 0",
        ),
        (
            &["fit", &two, "--target", "y,z", "--adaptive"],
            1,
            "name one with --target",
        ),
        (
            &["sweep", DIABETES, "--adaptive", "--polish"],
            2,
            "leave it out",
        ),
    ];
    for (words, status, message) in cases {
        let mut words = words.to_vec();
        let model = as_text(&folder.path("m"));
        if words[0] == "fit" {
            words.extend(["--out", &model]);
        }
        let line = fails(&words, status);
        assert!(line.contains(message), "{words:?}: {line}");
    }
}

#[test]
fn tune_is_not_advised_where_it_cannot_follow() {
    let flags = ["sweep", DIABETES, "--l1", "5,20", "--l2", "0.1"];
    let plain = ok(&flags);
    assert!(plain.contains("let 'proxdiff tune' find it"), "{plain}");
    let adaptive = ok(&[&flags[..], &["--adaptive"]].concat());
    assert!(adaptive.contains("extend --l1\n"), "{adaptive}");
}

//! Strengths that are relative to the data: l1_max at the point's own l2, and of a constant target.

use crate::support::{Folder, as_text, assert_close, fails, json, noise, numbers, ok, run};

fn rows(folder: &Folder, n: usize, d: usize, y: &[f64]) -> Vec<String> {
    let x = folder.npy("x.npy", &[n as u64, d as u64], &noise(n * d, 61));
    let y = folder.npy("y.npy", &[n as u64], y);
    ["--x", &x, "--y", &y].map(String::from).to_vec()
}

fn with<'a>(command: &'a str, flags: &'a [String], more: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec![command];
    all.extend(flags.iter().map(String::as_str));
    all.extend(more);
    all
}

/// A fraction of 1 is where all coefficients are zero, with a prior at every λ₂ another one.
#[test]
fn fractions_know_the_prior() {
    let folder = Folder::new();
    let (n, d) = (40, 3);
    let y: Vec<f64> = noise(n, 62).iter().map(|y| 2.0 * y + 1.0).collect();
    let flags = rows(&folder, n, d, &y);
    let prior = folder.npy("prior.npy", &[d as u64], &[3.0, -2.0, 0.5]);
    for penalty in [
        &[][..],
        &["--penalty", "group", "--group-size", "3"],
        &["--penalty", "nonneg"],
    ] {
        let own = [
            "--prior",
            &prior,
            "--l1",
            "frac:1:0.999:2",
            "--l2",
            "0,0.1,0.5,2",
            "--val-fraction",
            "0",
        ];
        let report = json(&with("hypergrad", &flags, &[&own[..], penalty].concat()));
        let points = report["points"].as_array().unwrap();
        assert_eq!(points.len(), 8);
        for (at, point) in points.iter().enumerate() {
            let support = point["support"].as_u64().unwrap();
            assert_eq!(support == 0, at < 4, "{penalty:?}: {point}");
        }
        let l1 = |at: usize| points[at]["l1"].as_f64().unwrap();
        assert!(l1(3) > 2.0 * l1(0), "λ₂c is most of it");
        // The default is a tenth of it, at the default l2.
        let own = ["--prior", &prior, "--val-fraction", "0"];
        let report = json(&with("hypergrad", &flags, &[&own[..], penalty].concat()));
        let l2 = report["points"][0]["l2"].to_string();
        let own = [&own[..], &["--l1", "frac:1:1:1", "--l2", &l2]].concat();
        let whole = json(&with("hypergrad", &flags, &[&own[..], penalty].concat()));
        let l1 = |report: &serde_json::Value| report["points"][0]["l1"].as_f64().unwrap();
        assert!((l1(&report) / l1(&whole) - 0.1).abs() < 1e-10);
    }
    // A sweep takes all rows; a single fold of all of them is the same problem.
    let own = [
        "--prior",
        &prior,
        "--l1",
        "frac:1:0.999:2",
        "--l2",
        "0.1,2",
        "--val-fraction",
        "0",
        "--format",
        "csv",
    ];
    let without_support = |text: &str| -> Vec<bool> {
        let lines: Vec<&str> = text.lines().collect();
        let names = lines[0].split(',');
        let place = names.clone().position(|name| name == "support").unwrap();
        let support = |line: &&str| line.split(',').nth(place).unwrap().parse::<f64>();
        lines[1..]
            .iter()
            .map(|line| support(line) == Ok(0.0))
            .collect()
    };
    let found = without_support(&ok(&with("sweep", &flags, &own)));
    assert_eq!(found, [true, true, false, false]);
    // α and ratio: l1 = α ρ at λ₂ = α (1 − ρ).
    let own = [
        "--prior",
        &prior,
        "--alpha",
        "frac:1:0.999:2",
        "--l1-ratio",
        "0.7,0.95",
        "--val-fraction",
        "0",
        "--format",
        "csv",
    ];
    let found = without_support(&ok(&with("sweep", &flags, &own)));
    assert_eq!(found, [true, true, false, false]);
}

/// A target far from zero varies as one near it does.
#[test]
fn a_target_far_from_zero_keeps_its_digits() {
    let folder = Folder::new();
    let n = 40;
    // Binary fractions: the same differences wherever they are.
    let y: Vec<f64> = noise(n, 63)
        .iter()
        .map(|y| (y * 1024.0).round() / 1024.0)
        .collect();
    let moved = |by: f64| -> Vec<f64> { y.iter().map(|y| y + by).collect() };
    for loss in ["squared", "huber"] {
        let at = |by: f64, solver: &str| {
            let flags = rows(&folder, n, 3, &moved(by));
            let own = [
                "--loss",
                loss,
                "--solver",
                solver,
                "--l1",
                "0.01",
                "--l2",
                "0.1",
                "--wrt",
                "l1,l2,sample-weights",
            ];
            json(&with("hypergrad", &flags, &own))["points"][0].take()
        };
        let near = at(0.0, "auto");
        for solver in ["auto", "fista"] {
            let far = at(1e9, solver);
            assert_eq!(far["status"], "converged");
            assert_close(
                &numbers(&far["criterion"]),
                &numbers(&near["criterion"]),
                1e-12,
            );
            for wrt in ["l1", "l2", "sample_weights"] {
                let of = |point: &serde_json::Value| numbers(&point["hypergradient"][wrt]);
                assert_close(&of(&far), &of(&near), 1e-9);
            }
        }
    }
}

/// What an intercept takes whole leaves no rounding to fit.
#[test]
fn a_target_that_does_not_vary_has_no_coefficients() {
    let folder = Folder::new();
    let out = as_text(&folder.path("model"));
    for value in [0.1, -3.7e9, 1e-7, 0.0] {
        let flags = rows(&folder, 30, 2, &[value; 30]);
        for loss in ["squared", "huber"] {
            for solver in ["auto", "fista"] {
                let own = [
                    "--loss",
                    loss,
                    "--solver",
                    solver,
                    "--coefficients",
                    "--out",
                    &out,
                ];
                let report = json(&with("fit", &flags, &own));
                let point = &report["points"][0];
                assert_eq!(
                    numbers(&point["coefficients"]),
                    [0.0, 0.0],
                    "{value} {loss} {solver}"
                );
                assert_eq!((&point["support"], &point["l1"]), (&0.into(), &0.0.into()));
                assert_eq!(point["intercept"].as_f64(), Some(value));
                assert_eq!(point["status"], "converged");
                let kinds = point["warnings"].as_array().unwrap();
                assert!(
                    kinds.iter().any(|w| w["kind"] == "constant-target"),
                    "{point}"
                );
            }
        }
        let own = [
            "--cv",
            "2",
            "--l1",
            "frac:1e-2:1:3",
            "--l2",
            "0.1",
            "--format",
            "csv",
        ];
        let output = run(&with("sweep", &flags, &own));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        assert_eq!(
            said.matches("the target y does not vary").count(),
            1,
            "{said}"
        );
        let text = String::from_utf8(output.stdout).unwrap();
        let l1 = text
            .lines()
            .skip(1)
            .map(|line| line.split(',').next().unwrap());
        assert!(l1.clone().count() == 6 && l1.clone().all(|l1| l1.parse::<f64>() == Ok(0.0)));
    }
    // Weights decide which rows vary.
    let mut y = vec![2.5; 30];
    y[7] = -4.0;
    let mut weights = vec![1.0; 30];
    weights[7] = 0.0;
    let flags = rows(&folder, 30, 2, &y);
    let weights = folder.npy("w.npy", &[30], &weights);
    let own = [
        "--sample-weights",
        &weights,
        "--coefficients",
        "--out",
        &out,
    ];
    let report = json(&with("fit", &flags, &own));
    let point = &report["points"][0];
    assert_eq!(numbers(&point["coefficients"]), [0.0, 0.0]);
    assert_eq!(point["intercept"].as_f64(), Some(2.5));
}

#[test]
fn alpha_and_its_share_of_l1_are_strengths_in_hypergrad_too() {
    let data = "src/data/embedded/diabetes.csv";
    let pairs = json(&["hypergrad", data, "--l1", "1,0.5", "--l2", "1"]);
    let one = json(&["hypergrad", data, "--alpha", "2", "--l1-ratio", "0.5"]);
    assert_eq!(one["points"][0], pairs["points"][0]);
    let two = json(&["hypergrad", data, "--alpha", "2,1", "--l1-ratio", "0.5"]);
    assert_eq!(two["points"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&two["points"][1]["l1"], &two["points"][1]["l2"]),
        (&0.5.into(), &0.5.into())
    );
    // Beyond the l1_max of the rows that train everything is zero.
    let zero = json(&["hypergrad", data, "--alpha", "frac:1", "--l1-ratio", "0.9"]);
    assert_eq!(zero["points"][0]["support"], 0);
    let drawn = [
        "hypergrad",
        data,
        "--l1",
        "log:0.1:1:2",
        "--search",
        "sobol",
        "--samples",
        "4",
    ];
    assert_eq!(json(&drawn)["points"].as_array().unwrap().len(), 4);
    for (flags, message) in [
        (&["--alpha", "1", "--l1", "1"][..], "--l1"),
        (
            &["--alpha", "1", "--penalty", "box", "--box", "0:1"],
            "not defined",
        ),
        (&["--samples", "4"], "random and sobol"),
    ] {
        let words = [&["hypergrad", data], flags].concat();
        assert!(fails(&words, 2).contains(message), "{words:?}");
    }
}

#[test]
fn weights_of_groups_are_the_roots_of_their_sizes() {
    let folder = Folder::new();
    let data = "src/data/embedded/diabetes.csv";
    let groups = folder.text("g.txt", "0\n0\n0\n1\n2\n2\n2\n2\n2\n1\n");
    let roots = [3.0f64, 2.0, 5.0].map(f64::sqrt);
    let each = folder.npy("s.npy", &[3], &roots);
    let shared = folder.npy("t.npy", &[4], &[&[1.0], &roots[..]].concat());
    for (penalty, file) in [("group", &each), ("sparse-group", &shared)] {
        let common = [
            "hypergrad",
            data,
            "--penalty",
            penalty,
            "--groups",
            &groups,
            "--l1",
            "3",
        ];
        let own = json(&[&common[..], &["--group-weights", "sqrt-size"]].concat());
        let by_file = json(&[&common[..], &["--l1-file", file]].concat());
        assert_eq!(own["points"], by_file["points"]);
        let plain = json(&common);
        assert_ne!(
            own["points"][0]["objective"],
            plain["points"][0]["objective"]
        );
    }
    let base = ["hypergrad", data, "--group-weights", "sqrt-size"];
    assert!(fails(&base, 2).contains("--penalty group"));
    let file = [
        "--penalty",
        "group",
        "--groups",
        &groups,
        "--l1-file",
        &each,
    ];
    assert!(fails(&[&base[..], &file].concat(), 2).contains("--l1-file"));
}

//! What is said of a point: certified, converged, bounded. None of it may be said too early.

use serde_json::Value;

use crate::support::{Folder, fails, json, noise, numbers, words};

/// Rows of noise with a target that depends on them, as two files' flags.
fn regression(folder: &Folder, n: usize, d: usize, seed: u64) -> Vec<String> {
    let x = noise(n * d, seed);
    let rest = noise(n, seed + 1);
    let y: Vec<f64> = (0..n)
        .map(|i| (0..d).map(|j| x[i * d + j] / (1.0 + j as f64)).sum::<f64>() + rest[i])
        .collect();
    let x = folder.npy(&format!("x{seed}.npy"), &[n as u64, d as u64], &x);
    let y = folder.npy(&format!("y{seed}.npy"), &[n as u64], &y);
    ["--x", &x, "--y", &y].map(String::from).to_vec()
}

fn point(flags: &[String], more: &[&str]) -> Value {
    let mut arguments = vec!["hypergrad", "--no-intercept", "--no-standardize"];
    arguments.extend(flags.iter().map(String::as_str));
    arguments.extend(more);
    json(&arguments)["points"][0].take()
}

fn is_certified(point: &Value) -> bool {
    point["certified"].as_bool().unwrap()
}

/// Rows lie on pieces of a Huber loss by w itself, which is farther off than u = T(w) is.
#[test]
fn a_row_beyond_the_kink_of_its_loss_is_not_certified_away() {
    let folder = Folder::new();
    let data = folder.text(
        "kink.csv",
        "x,y\n0.3410117172560307,0.19570766302969828\n1.5540813825052266,3.749175822194875\n\
         1.9396339654385548,2.2519019121421637\n",
    );
    let at = |tolerance: &str| {
        let more = [
            "hypergrad",
            &data,
            "--val-fraction",
            "0",
            "--loss",
            "huber",
            "--l1",
            "0",
            "--l2",
            "1.7515035911734678",
            "--no-intercept",
            "--no-standardize",
            "--solver",
            "ista",
            "--method",
            "direct",
            "--wrt",
            "l2",
            "--tol",
            tolerance,
        ];
        json(&more)["points"][0].take()
    };
    let (loose, exact) = (at("0.2"), at("1e-12"));
    let slope = |point: &Value| point["hypergradient"]["l2"].as_f64().unwrap();
    assert!((slope(&loose) - slope(&exact)).abs() > 0.1, "another piece");
    assert!(!is_certified(&loose));
    assert!(is_certified(&exact));
}

/// dE/dl1 at l1 = 0 takes the signs of w: it jumps where one of them changes.
#[test]
fn at_no_l1_its_derivative_is_certified_by_the_signs_alone() {
    let folder = Folder::new();
    let (mut wrong, mut certified) = (0, 0);
    for seed in 0..40 {
        let flags = regression(&folder, 12, 6, 100 + 2 * seed);
        let at = |tolerance: &str| {
            let more = [
                "--l1",
                "0",
                "--l2",
                "0.3",
                "--solver",
                "ista",
                "--tol",
                tolerance,
                "--coefficients",
                "--val-fraction",
                "0",
            ];
            point(&flags, &more)
        };
        let (loose, exact) = (at("0.1"), at("1e-13"));
        let w = numbers(&exact["coefficients"]);
        let margin = loose["kink_margin"].as_f64().unwrap();
        let smallest = |point: &Value| {
            let w = numbers(&point["coefficients"]);
            w.iter().fold(f64::INFINITY, |least, w| least.min(w.abs()))
        };
        // Both are over the same γ.
        let ratio = margin / exact["kink_margin"].as_f64().unwrap();
        assert!((ratio * smallest(&exact) / smallest(&loose) - 1.0).abs() < 1e-9);
        let signs_differ = numbers(&loose["coefficients"])
            .iter()
            .zip(&w)
            .any(|(a, b)| a.signum() != b.signum());
        wrong += i32::from(signs_differ);
        certified += i32::from(is_certified(&loose));
        assert!(!(signs_differ && is_certified(&loose)), "seed {seed}");
        assert!(is_certified(&exact), "seed {seed}");
    }
    assert!(wrong > 2 && certified > 2, "{wrong} {certified}");
    // Where l1 is not differentiated there is no kink.
    let flags = regression(&folder, 12, 6, 100);
    let without = point(&flags, &["--l1", "0", "--l2", "0.3", "--wrt", "l2"]);
    assert!(without["kink_margin"].is_null() && is_certified(&without));
}

/// With an intercept, which has no ridge, the gap certifies the support: never another than the solution's.
#[test]
fn a_free_intercept_leaves_a_certificate_by_the_gap() {
    let folder = Folder::new();
    let (mut wrong, mut certified) = (0, 0);
    for seed in 0..8 {
        let (n, d) = (30, 6);
        let x = noise(n * d, 300 + seed);
        let rest = noise(n, 400 + seed);
        let score = |i: usize| x[i * d] - 0.5 * x[i * d + 1] + 0.7 * rest[i] + 0.2;
        let class = |i: usize, classes: f64| {
            ((score(i) + 1.0) * 0.5 * classes)
                .clamp(0.0, classes - 1.0)
                .floor()
        };
        let design = folder.npy(&format!("x{seed}.npy"), &[n as u64, d as u64], &x);
        for (loss, penalty) in [
            ("logistic", "elastic-net"),
            ("logistic", "nonneg"),
            ("multinomial", "elastic-net"),
            ("multinomial", "group"),
            ("poisson", "elastic-net"),
        ] {
            let classes = if loss == "logistic" { 2.0 } else { 3.0 };
            let y: Vec<f64> = (0..n).map(|i| class(i, classes)).collect();
            let y = folder.npy(&format!("y{seed}.npy"), &[n as u64], &y);
            let at = |tolerance: &str| {
                let mut more = vec![
                    "hypergrad",
                    "--x",
                    &design,
                    "--y",
                    &y,
                    "--val-fraction",
                    "0",
                ];
                more.extend([
                    "--loss",
                    loss,
                    "--penalty",
                    penalty,
                    "--l1",
                    "0.05",
                    "--l2",
                    "0.1",
                ]);
                more.extend(["--solver", "ista", "--coefficients", "--tol", tolerance]);
                if penalty == "group" {
                    more.extend(["--group-size", "3"]);
                }
                json(&more)["points"][0].take()
            };
            // Within a group that is not zero signs are no kinks.
            let signs = |point: &Value| -> Vec<f64> {
                let w = numbers(&point["coefficients"]);
                let sign = |w: &f64| match *w {
                    0.0 => 0.0,
                    _ if penalty == "group" => 1.0,
                    w => w.signum(),
                };
                w.iter().map(sign).collect()
            };
            let exact = at("1e-13");
            assert!(is_certified(&exact), "{loss}, {penalty}, seed {seed}");
            for tolerance in ["0.1", "0.02", "4e-3", "1e-3", "1e-4", "1e-6"] {
                let loose = at(tolerance);
                let differs = signs(&loose) != signs(&exact);
                wrong += i32::from(differs);
                certified += i32::from(is_certified(&loose));
                assert!(
                    !(differs && is_certified(&loose)),
                    "{loss}, {penalty}, seed {seed}, {tolerance}"
                );
            }
        }
    }
    assert!(wrong > 10 && certified > 40, "{wrong} {certified}");
}

/// A few roundings beside a kink nobody can say which side is the right one.
#[test]
fn nothing_is_certified_within_rounding_of_a_kink() {
    let folder = Folder::new();
    for seed in 0..12 {
        let flags = regression(&folder, 9, 3, 300 + 2 * seed);
        let fraction =
            |l1: &str| point(&flags, &["--l1", l1, "--l2", "0.2", "--val-fraction", "0"]);
        // A fraction of 1 is a hair above l1_max: without the hair it is the kink.
        let above = fraction("frac:1:1:1")["l1"].as_f64().unwrap();
        let kink = above / (1.0 + 1e-12);
        for ulps in -4i64..=4 {
            let l1 = f64::from_bits((kink.to_bits() as i64 + ulps) as u64);
            let beside = fraction(&format!("{l1:e}"));
            assert!(!is_certified(&beside), "seed {seed}, {ulps}");
        }
        assert!(is_certified(&fraction(&format!("{:e}", 1.001 * kink))));
        assert!(is_certified(&fraction(&format!("{:e}", 0.999 * kink))));
    }
}

#[test]
fn a_stochastic_method_has_converged_where_its_residual_says_so() {
    let folder = Folder::new();
    let flags = regression(&folder, 40, 5, 7);
    let at = |more: &[&str]| {
        let own = ["--l1", "0.02", "--l2", "0.1", "--method", "nsid"];
        point(&flags, &[&own[..], more].concat())
    };
    let few = at(&["--stochastic-steps", "3", "--minibatch", "5"]);
    assert_eq!(few["status"], "budget-spent");
    assert!(few["hypergradient"]["l1"].is_f64(), "it is returned");
    let many = ["--stochastic-steps", "4000", "--minibatch", "10"];
    let long = at(&[&many[..], &["--tol", "0.1"]].concat());
    assert!(long["linear_residual"].as_f64().unwrap() < 0.1);
    assert_eq!(long["status"], "converged");
    let strict = at(&[&many[..], &["--tol", "1e-9"]].concat());
    assert_eq!(strict["status"], "budget-spent");
    let full = [
        "--stochastic-steps",
        "2000",
        "--minibatch",
        "30",
        "--eta",
        "1",
    ];
    assert_eq!(at(&full)["status"], "converged");
}

#[test]
fn the_contraction_of_several_classes_leaves_their_common_shift_out() {
    let folder = Folder::new();
    let n = 40;
    let x = noise(2 * n, 21);
    let rest = noise(n, 22);
    let class = |i: usize| {
        f64::from(i32::from(x[2 * i] + rest[i] > -0.4) + i32::from(x[2 * i] + rest[i] > 0.4))
    };
    let y: Vec<f64> = (0..n).map(class).collect();
    let x = folder.npy("x.npy", &[n as u64, 2], &x);
    let y = folder.npy("y.npy", &[n as u64], &y);
    let report = json(&words(
        "hypergrad --x {} --y {} --loss multinomial --l1 0.01 --l2 0.1 --diagnostics --method aid-fp --tol 1e-3",
        &[&x, &y],
    ));
    let point = &report["points"][0];
    let contraction = point["contraction"].as_f64().unwrap();
    assert!(contraction > 0.1 && contraction < 0.99, "{contraction}");
    let estimate = point["adjoint_error_estimate"].as_f64().unwrap();
    assert!(estimate > 0.0 && estimate < 1.0, "{estimate}");
}

/// Numbers that overflow are neither converged nor certified; what has no square is refused.
#[test]
fn what_is_not_finite_is_not_converged() {
    let folder = Folder::new();
    let arguments = |x: &str, y: &str, loss: &str| -> Vec<String> {
        let rows = [(1, 2, 1), (-2, 1, 3), (3, 1, 2), (1, 1, -1)];
        let rows = rows.map(|(a, b, c)| format!("{a}{x},{b}{x},{c}{y}\n"));
        let data = folder.text("d.csv", &format!("x,z,y\n{}", rows.concat()));
        let more = [
            "hypergrad",
            &data,
            "--val-fraction",
            "0",
            "--loss",
            loss,
            "--no-standardize",
            "--no-intercept",
            "--l1",
            "0",
            "--l2",
            "0",
        ];
        more.map(String::from).to_vec()
    };
    let mut seen = 0;
    for loss in ["squared", "huber"] {
        for (x, y) in [
            ("e160", ""),
            ("e-152", ""),
            ("", "e160"),
            ("e100", "e200"),
            ("", "e-120"),
        ] {
            let arguments = arguments(x, y, loss);
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let report = json(&arguments);
            let point = &report["points"][0];
            let is_null = ["objective", "criterion", "residual"]
                .iter()
                .any(|key| point[key].is_null());
            let status = &point["status"];
            seen += i32::from(is_null || status == "non-finite");
            assert!(
                !(is_null && status == "converged"),
                "{x} {y} {loss}: {point}"
            );
            if is_null || status == "non-finite" {
                assert!(!is_certified(point), "{x} {y} {loss}: {point}");
            }
        }
        for (x, y, part) in [("e-165", "", "feature 1"), ("", "e-165", "target 1")] {
            let arguments = arguments(x, y, loss);
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let message = fails(&arguments, 1);
            assert!(
                message.contains(part) && message.contains("unit"),
                "{message}"
            );
        }
    }
    assert!(seen >= 3, "{seen}");
}

/// Without a penalty the loss of classes that a plane separates, but for rows on it, has no minimum.
#[test]
fn separated_classes_do_not_converge() {
    let folder = Folder::new();
    let n = 30;
    for seed in 0..12 {
        let x = noise(3 * n, 400 + seed);
        let side = |i: usize| x[3 * i] + 0.5 * x[3 * i + 1] - 0.2;
        let mut rows: Vec<Vec<f64>> = (0..n).map(|i| x[3 * i..3 * i + 3].to_vec()).collect();
        let mut y: Vec<f64> = (0..n).map(|i| side(i).signum()).collect();
        // Twice the same row in both classes, which no plane separates.
        let overlaps = seed % 3 > 0;
        if overlaps {
            let nearest = (0..n)
                .min_by(|&a, &b| side(a).abs().total_cmp(&side(b).abs()))
                .unwrap();
            rows.push(rows[nearest].clone());
            y.push(-y[nearest]);
        }
        // And one on the wrong side: then there is a minimum, however far.
        let has_minimum = seed % 3 == 2;
        if has_minimum {
            let farthest = (0..n)
                .max_by(|&a, &b| side(a).abs().total_cmp(&side(b).abs()))
                .unwrap();
            y[farthest] = -y[farthest];
        }
        let x = folder.npy("x.npy", &[rows.len() as u64, 3], &rows.concat());
        let y = folder.npy("y.npy", &[y.len() as u64], &y);
        for more in [
            &[][..],
            &["--no-standardize"],
            &["--method", "itd-forward", "--max-steps", "2000"],
        ] {
            let own = [
                "hypergrad",
                "--x",
                &x,
                "--y",
                &y,
                "--loss",
                "logistic",
                "--l1",
                "0",
                "--l2",
                "0",
                "--val-fraction",
                "0",
            ];
            let point = json(&[&own[..], more].concat())["points"][0].take();
            if has_minimum {
                assert_ne!(point["status"], "diverged", "seed {seed}: {point}");
                assert!(
                    more.len() > 1 || point["status"] == "converged",
                    "seed {seed}: {point}"
                );
            } else {
                assert_ne!(point["status"], "converged", "seed {seed}: {point}");
                assert!(!is_certified(&point));
            }
        }
    }
}

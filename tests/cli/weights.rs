//! Derivatives in sample weights and perturbations against differences of the printed criterion.

use serde_json::Value;

use crate::support::{Folder, json, noise, numbers};

const ROWS: usize = 14;
const FEATURES: usize = 3;

/// A problem whose criterion is on its training rows.
struct Case {
    folder: Folder,
    flags: Vec<String>,
}

impl Case {
    fn new(loss: &str, more: &[&str]) -> Self {
        let folder = Folder::new();
        let x = noise(ROWS * FEATURES, 3);
        let rest = noise(ROWS, 4);
        let y: Vec<f64> = (0..ROWS)
            .map(|i| {
                let z = x[i * FEATURES] - 0.6 * x[i * FEATURES + 1] + 0.5 * rest[i];
                match loss {
                    "multinomial" => f64::from(i32::from(z > -0.3) + i32::from(z > 0.3)),
                    "logistic" | "squared-hinge" => z.signum(),
                    _ => z,
                }
            })
            .collect();
        let x = folder.npy("x.npy", &[ROWS as u64, FEATURES as u64], &x);
        let y = folder.npy("y.npy", &[ROWS as u64], &y);
        let own = [
            "hypergrad",
            "--x",
            &x,
            "--y",
            &y,
            "--loss",
            loss,
            "--val-fraction",
            "0",
            "--l1",
            "0.02",
            "--l2",
            "0.05",
        ];
        let flags = own.iter().chain(more).map(ToString::to_string).collect();
        Self { folder, flags }
    }

    fn run(&self, file: (&str, &[u64], &[f64]), more: &[&str]) -> Value {
        let (flag, shape, values) = file;
        let path = self
            .folder
            .npy(&format!("{}.npy", &flag[2..]), shape, values);
        let mut arguments: Vec<&str> = self.flags.iter().map(String::as_str).collect();
        arguments.extend([flag, &path]);
        arguments.extend(more);
        json(&arguments)["points"][0].take()
    }

    /// Central differences of the printed criterion in some entries of a file.
    fn differences(
        &self,
        (flag, shape, values): (&str, &[u64], &[f64]),
        more: &[&str],
    ) -> Vec<f64> {
        let step = 1e-4;
        let at = |entry: usize, by: f64| {
            let mut moved = values.to_vec();
            moved[entry] += by;
            let point = self.run((flag, shape, &moved), more);
            assert_eq!(point["status"], "converged");
            point["criterion"].as_f64().unwrap()
        };
        (0..values.len())
            .step_by(3)
            .map(|entry| (at(entry, step) - at(entry, -step)) / (2.0 * step))
            .collect()
    }
}

fn assert_slopes(found: &[f64], expected: &[f64], context: &str) {
    let size = expected.iter().fold(0.0f64, |size, e| size.max(e.abs()));
    assert!(size > 1e-3, "{context}: nothing to see");
    for (f, e) in found.iter().step_by(3).zip(expected) {
        assert!(
            (f - e).abs() <= 2e-6 * size,
            "{context}: {found:?} {expected:?}"
        );
    }
}

fn weights() -> Vec<f64> {
    noise(ROWS, 5).iter().map(|w| 1.5 + w).collect()
}

/// Means and scales are constants of a problem: without them the differences are exact.
const RAW: [&str; 2] = ["--no-intercept", "--no-standardize"];

#[test]
fn weights_move_a_criterion_on_the_training_rows() {
    let weights = weights();
    let file = ("--sample-weights", &[ROWS as u64][..], &weights[..]);
    for (loss, more) in [
        ("squared", &[][..]),
        ("squared", &["--criterion", "huber", "--criterion-sign=-1"]),
        ("huber", &["--huber-delta", "0.3"]),
        ("logistic", &["--penalty", "group", "--group-size", "1"]),
        ("logistic", &["--criterion", "squared-hinge"]),
        ("multinomial", &["--penalty", "nonneg"]),
        (
            "squared-hinge",
            &["--penalty", "box", "--box=-0.4:0.4", "--l1", "0"],
        ),
    ] {
        let case = Case::new(loss, &RAW);
        let mut own: Vec<&str> = more.to_vec();
        // A later flag would be a second one.
        if let Some(at) = own.iter().position(|flag| *flag == "--l1") {
            own.drain(at..at + 2);
        }
        let expected = case.differences(file, &own);
        for method in ["direct", "aid-cg", "aid-fp", "itd-forward", "itd-reverse"] {
            let more = [&own[..], &["--wrt", "sample-weights", "--method", method]].concat();
            let found = numbers(&case.run(file, &more)["hypergradient"]["sample_weights"]);
            assert_slopes(&found, &expected, &format!("{loss} {more:?}"));
        }
        // The minibatch of all rows with η = 1 is the fixed-point iteration.
        let more = [
            "--wrt",
            "sample-weights",
            "--method",
            "nsid",
            "--minibatch",
            "14",
            "--eta",
            "1",
            "--stochastic-steps",
            "3000",
        ];
        let found = case.run(file, &[&own[..], &more].concat());
        let found = numbers(&found["hypergradient"]["sample_weights"]);
        assert_slopes(&found, &expected, &format!("{loss} nsid"));
    }
}

#[test]
fn the_derivative_is_in_the_users_weights_and_not_in_those_times_the_classes() {
    let weights = weights();
    let file = ("--sample-weights", &[ROWS as u64][..], &weights[..]);
    for (loss, factors) in [
        ("logistic", "--class-weights=-1=0.5,1=3"),
        ("squared-hinge", "--class-weights=balanced"),
        ("multinomial", "--class-weights=0=2,2=0.25"),
    ] {
        let case = Case::new(loss, &RAW);
        let expected = case.differences(file, &[factors]);
        for method in ["direct", "itd-forward"] {
            let more = [factors, "--wrt", "sample-weights", "--method", method];
            let found = numbers(&case.run(file, &more)["hypergradient"]["sample_weights"]);
            assert_slopes(&found, &expected, &format!("{loss} {more:?}"));
        }
    }
}

/// A perturbation moves what is trained on and not the rows of the criterion.
#[test]
fn perturbations_do_not_move_a_criterion_on_the_training_rows() {
    for loss in ["squared", "logistic", "multinomial"] {
        let case = Case::new(loss, &RAW);
        let rows = case.folder.npy("rows.npy", &[2], &[1.0, 6.0]);
        let values = noise(2 * FEATURES, 9);
        let file = ("--perturbation", &[2, FEATURES as u64][..], &values[..]);
        let own = ["--perturbed-rows", &rows];
        let expected = case.differences(file, &own);
        let more = [&own[..], &["--wrt", "perturbation"]].concat();
        let found = numbers(&case.run(file, &more)["hypergradient"]["perturbation"]);
        assert_slopes(&found, &expected, loss);
    }
}

//! Which rows train: classes keep their share in a hold-out split, and a class without any is refused.

use crate::support::{Folder, fails, json, noise, run, words};

/// Two features and a label: many of `a` and `b`, and `rare` in the rows named.
fn labels(rows: usize, rare: &[usize]) -> String {
    let x = noise(2 * rows, 71);
    let mut text = String::from("p,q,label\n");
    for i in 0..rows {
        let class = match i % 3 {
            _ if rare.contains(&i) => "rare",
            0 => "a",
            _ => "b",
        };
        text.push_str(&format!("{},{},{class}\n", x[2 * i], x[2 * i + 1]));
    }
    text
}

#[test]
fn a_hold_out_split_leaves_every_class_to_train() {
    let folder = Folder::new();
    let data = folder.text("d.csv", &labels(40, &[5, 11]));
    let one = folder.text("one.csv", &labels(40, &[17]));
    for (data, command) in [(&data, "hypergrad"), (&one, "hypergrad"), (&data, "sweep")] {
        for seed in 0..12 {
            let seed = seed.to_string();
            let report = json(&words(
                "{} {} --loss multinomial --l1 0.01 --l2 0.1 --seed {}",
                &[command, data, &seed],
            ));
            let status = match command {
                "sweep" => &report["points"][0]["status"],
                _ => &report["points"][0]["status"],
            };
            assert_eq!(status, "converged", "seed {seed}");
        }
    }
    // 40 rows of 13, 25 and 2: ten are held out, and each class gives its share.
    let report = json(&words(
        "hypergrad {} --loss multinomial --l1 0.01 --l2 0.1",
        &[&data],
    ));
    assert_eq!(report["problem"]["rows"], 30);
    assert_eq!(report["problem"]["validation_rows"], 10);
    // Poisoning splits twice.
    for seed in ["0", "1", "2", "3", "4", "5"] {
        let out = crate::support::as_text(&folder.path("out"));
        let output = run(&words(
            "poison {} --loss multinomial --budget 0.1 --steps 1 --seed {} --out {}",
            &[&data, seed, &out],
        ));
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn a_class_that_nothing_trains_is_refused_where_it_has_an_intercept() {
    let folder = Folder::new();
    let data = folder.text("d.csv", &labels(40, &[5, 11]));
    let weight = |i: usize| if i == 5 || i == 11 { 0.0 } else { 1.0 };
    let weights: Vec<f64> = (0..40).map(weight).collect();
    let weights = folder.npy("w.npy", &[40], &weights);
    let common = ["--loss", "multinomial", "--l1", "0.01", "--l2", "0.1"];
    for more in [
        &["--sample-weights", &weights][..],
        &["--class-weights", "rare=0"],
    ] {
        for command in ["fit", "hypergrad", "sweep"] {
            let message = fails(&[&[command, &data], &common[..], more].concat(), 1);
            assert!(
                message.contains("2 of 3 classes"),
                "{command} {more:?}: {message}"
            );
            let cross = [&["sweep", &data, "--cv", "2"], &common[..], more].concat();
            assert!(fails(&cross, 1).contains("2 of 3 classes"));
        }
        // Without intercepts there is a best model.
        let out = crate::support::as_text(&folder.path("model"));
        let without = ["fit", &data, "--no-intercept", "--out", &out];
        let without = [&without[..], &common[..], more].concat();
        assert_eq!(json(&without)["points"][0]["status"], "converged");
    }
    // A training file of its own may lack a class that the validation file has.
    let binary = folder.text("b.csv", "p,label\n1,a\n2,b\n0.5,a\n1.5,b\n");
    let first = folder.npy("f.npy", &[4], &[1.0, 0.0, 1.0, 0.0]);
    let flags = [
        "fit",
        &binary,
        "--loss",
        "logistic",
        "--sample-weights",
        &first,
    ];
    assert!(fails(&flags, 1).contains("1 of 2 classes"));
}

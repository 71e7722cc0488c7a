//! Ridge strengths of each coefficient, group or class.

use serde_json::Value;

use super::{data, number};
use crate::support::{Folder, assert_close, columns, fails, json, numbers, table};

/// A ridge strength for each coefficient: an array, and the criterion of hypergrad at it.
#[test]
fn a_ridge_for_each_is_that_of_hypergrad() {
    let data = data(36, 6, 31);
    let own = ["--tune", "l2[]", "--l1", "0.05"];
    let found = json(&data.with("tune", &[&own[..], &["--guard", "none"]].concat()));
    let l2 = numbers(&found["hyperparameters"]["l2"]);
    assert_eq!(l2.len(), 6);
    assert_eq!(found["hyperparameters"]["l1"], 0.05);
    assert!(number(&found["criterion"]) <= number(&found["scalar_criterion"]));
    let file = data.folder.npy("l2.npy", &[6], &l2);
    let at = json(&data.with("hypergrad", &["--l1", "0.05", "--l2-file", &file]));
    let point = &at["points"][0];
    assert_close(
        &[number(&point["criterion"])],
        &[number(&found["criterion"])],
        1e-12,
    );
    // The slope of log E is that of hypergrad.
    let criterion = number(&point["criterion"]);
    let slopes = numbers(&point["hypergradient"]["l2"]);
    let logs: Vec<f64> = slopes
        .iter()
        .zip(&l2)
        .map(|(g, l2)| g * l2 / criterion)
        .collect();
    assert_close(&numbers(&found["slope"]["l2"]), &logs, 1e-9);

    let guarded = json(&data.with("tune", &own));
    assert_ne!(guarded["nested_criterion"], Value::Null);
    assert_ne!(guarded["guard"], Value::Null);
}

/// Coefficients with equal numbers in the file of ties share a strength, of l1 as of l2.
#[test]
fn tied_coefficients_share_a_strength() {
    let data = data(36, 6, 32);
    let ties = data
        .folder
        .npy("ties.npy", &[6], &[4.0, 7.0, 4.0, 7.0, 7.0, 4.0]);
    for (name, other) in [("l1", ["--l2", "0.1"]), ("l2", ["--l1", "0.05"])] {
        let own = ["--tune", &format!("{name}[]"), "--ties", &ties];
        let found = json(&data.with("tune", &[&own[..], &other].concat()));
        let all = numbers(&found["hyperparameters"][name]);
        assert_eq!(all.len(), 6);
        assert!(all[0] == all[2] && all[2] == all[5], "{all:?}");
        assert!(all[1] == all[3] && all[3] == all[4], "{all:?}");
        // Two variables: their slopes, and no guard.
        assert_eq!(numbers(&found["slope"][name]).len(), 2);
        assert_eq!(found["guard"], Value::Null);
        assert!(number(&found["criterion"]) <= number(&found["scalar_criterion"]));
    }
}

#[test]
fn classes_and_groups_have_ridges_of_their_own() {
    let folder = Folder::new();
    let text = table(80, 4);
    let file = folder.text("data.csv", &columns(&text, &["a", "b", "c", "kind"]));
    let found = json(&[
        "tune",
        &file,
        "--loss",
        "multinomial",
        "--tune",
        "l2[class]",
        "--l1",
        "0.01",
        "--cv",
        "3",
    ]);
    let classes = numbers(&found["hyperparameters"]["l2"]).len();
    assert_eq!(numbers(&found["coefficients"]).len(), 3 * classes);
    assert!(number(&found["criterion"]) <= number(&found["scalar_criterion"]));

    let data = data(36, 6, 33);
    let group = ["--penalty", "group", "--group-size", "3"];
    let more = ["--tune", "l1,l2[group]"];
    let found = json(&data.with("tune", &[&group[..], &more].concat()));
    let l2 = numbers(&found["hyperparameters"]["l2"]);
    assert_eq!(l2.len(), 2);
    let file = data.folder.npy("l2.npy", &[2], &l2);
    let l1 = number(&found["hyperparameters"]["l1"]).to_string();
    let at = [&group[..], &["--l1", &l1, "--l2-file", &file]].concat();
    let at = json(&data.with("hypergrad", &at));
    assert_close(
        &[number(&at["points"][0]["criterion"])],
        &[number(&found["criterion"])],
        1e-9,
    );
}

#[test]
fn what_does_not_fit_is_one_line_with_its_remedy() {
    let data = data(36, 6, 34);
    let six = data.folder.npy("six.npy", &[6], &[1.0; 6]);
    let two = data.folder.npy("two.npy", &[2], &[1.0; 2]);
    for (flags, status, message) in [
        (
            &["--tune", "l2[]", "--l2-file", &six][..],
            2,
            "--l2-file fixes what is tuned as l2[]",
        ),
        (
            &["--tune", "l2[]", "--l2", "1"],
            2,
            "--l2 fixes what is tuned",
        ),
        (&["--ties", &six], 2, "tune l1[] or l2[]"),
        (
            &["--tune", "l2[]", "--ties", &two],
            1,
            "expected 6, one per coefficient",
        ),
        (&["--tune", "l2[class]"], 1, "no such strengths"),
        (&["--tune", "l2[group]"], 1, "no such strengths"),
        (&["--tune", "l2,l2[]"], 1, "named twice"),
    ] {
        let line = fails(&data.with("tune", flags), status);
        assert!(line.contains(message), "{flags:?}: {line}");
    }
}

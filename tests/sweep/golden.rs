//! Against scikit-learn on the same folds, without standardisation: tests/golden/sweep/make.py.

use serde_json::Value;

use crate::support::{Folder, json, ok};
use crate::table::Table;

fn golden(name: &str) -> String {
    format!("{}/tests/golden/sweep/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn expected() -> Value {
    serde_json::from_str(&std::fs::read_to_string(golden("expected.json")).unwrap()).unwrap()
}

fn data(name: &str) -> Vec<String> {
    [("--x", "X"), ("--y", "y"), ("--folds", "folds")]
        .iter()
        .flat_map(|(flag, part)| [(*flag).to_string(), golden(&format!("{name}_{part}.npy"))])
        .chain(["--no-standardize".to_string()])
        .collect()
}

fn close(found: f64, expected: f64, tolerance: f64, what: &str) {
    let error = (found - expected).abs() / expected.abs().max(1e-3);
    assert!(error <= tolerance, "{what}: {found} for {expected}");
}

#[test]
fn elastic_net_paths_and_choice_are_those_of_elasticnetcv() {
    let golden = &expected()["enet"];
    let list = |name: &str| golden[name].to_string().replace(['[', ']'], "");
    let (alphas, ratios) = (list("alphas"), list("ratios"));
    let folder = Folder::new();
    let store = folder.path("enet.db").display().to_string();
    let data = data("enet");
    let mut arguments: Vec<&str> = data.iter().map(String::as_str).collect();
    arguments.insert(0, "sweep");
    arguments.extend(["--alpha", &alphas, "--l1-ratio", &ratios, "--store", &store]);
    let summary = json(&arguments);
    assert_eq!(summary["best"]["alpha"], golden["best_alpha"]);
    assert_eq!(summary["best"]["l1_ratio"], golden["best_ratio"]);
    assert_eq!(summary["statuses"]["converged"], 6 * 3 * 4);

    let cells = Table::cells(&store);
    let expected = golden["cells"].as_array().unwrap();
    assert_eq!(cells.len(), expected.len());
    for name in ["mse", "mae", "r2", "support"] {
        for (at, (found, cell)) in cells.numbers(name).iter().zip(expected).enumerate() {
            close(
                *found,
                cell[name].as_f64().unwrap(),
                1e-9,
                &format!("{name} of cell {at}"),
            );
        }
    }
    // The criterion is half the mean squared error, cell by cell the path of ElasticNetCV.
    let criterion = cells.numbers("criterion");
    for alpha in 0..6 {
        for ratio in 0..3 {
            for fold in 0..4 {
                let found = 2.0 * criterion[(alpha * 3 + ratio) * 4 + fold];
                let expected = golden["mse_path"][ratio][alpha][fold].as_f64().unwrap();
                close(found, expected, 1e-9, "mse path");
            }
        }
    }
}

fn as_numbers(values: &[Value]) -> Vec<f64> {
    values.iter().map(|v| v.as_f64().unwrap()).collect()
}

fn classes(name: &str, extra: &[&str]) {
    let golden = &expected()[name];
    let strengths = golden["strengths"].to_string().replace(['[', ']'], "");
    let folder = Folder::new();
    let store = folder.path("classes.db").display().to_string();
    let data = data(name);
    let mut arguments: Vec<&str> = data.iter().map(String::as_str).collect();
    arguments.insert(0, "sweep");
    arguments.extend([
        "--loss", name, "--l1", &strengths, "--l2", "0", "--store", &store,
    ]);
    arguments.extend(["--keep-solutions"]);
    arguments.extend(extra);
    ok(&arguments);
    let cells = Table::cells(&store);
    let expected = golden["cells"].as_array().unwrap();
    assert_eq!(cells.len(), expected.len());
    let metrics = [
        "criterion",
        "accuracy",
        "balanced_accuracy",
        "f1",
        "auc",
        "support",
    ];
    for name in metrics {
        for (at, (found, cell)) in cells.numbers(name).iter().zip(expected).enumerate() {
            close(
                *found,
                cell[name].as_f64().unwrap(),
                1e-9,
                &format!("{name} of cell {at}"),
            );
        }
    }
    let connection = rusqlite::Connection::open(&store).unwrap();
    let mut query = connection.prepare("SELECT solution FROM cells").unwrap();
    let blobs = query.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    for (blob, cell) in blobs.zip(expected) {
        let mut solution = proxdiff::store::unpack_sparse(&blob.unwrap()).unwrap();
        let numbers = |name: &str| cell[name].as_array().unwrap().clone();
        let mut coefficients = as_numbers(&numbers("coefficients"));
        let intercepts = as_numbers(&numbers("intercepts"));
        let first = coefficients.len();
        coefficients.extend(intercepts);
        if coefficients.len() - first > 1 {
            // A common shift of the intercepts changes no probability.
            for all in [&mut solution, &mut coefficients] {
                let own = &mut all[first..];
                let mean = own.iter().sum::<f64>() / own.len() as f64;
                own.iter_mut().for_each(|b| *b -= mean);
            }
        }
        assert_eq!(solution.len(), coefficients.len());
        for (found, expected) in solution.iter().zip(&coefficients) {
            assert!((found - expected).abs() < 1e-7, "{found} for {expected}");
        }
    }
}

#[test]
fn logistic_fits_are_those_of_saga() {
    classes("logistic", &[]);
}

#[test]
fn multinomial_fits_are_those_of_saga() {
    classes("multinomial", &[]);
}

//! What several test programs share: the golden cases.
#![allow(dead_code)] // each test program uses its own part

use std::fs;
use std::path::{Path, PathBuf};

use proxdiff::data::{Dense, Matrix, Scaling};
use proxdiff::loss::Loss;
use proxdiff::penalty::{Groups, Penalty};
use proxdiff::problem::{Perturbation, Rows};
use proxdiff::{Point, Problem, Specification};
use serde_json::Value;

/// A golden case: a problem and what is known of its points.
pub struct Case {
    pub name: String,
    pub problem: Problem,
    pub points: Vec<GoldenPoint>,
}

/// A point whose solution and hypergradient are known to near machine precision.
pub struct GoldenPoint {
    pub point: Point,
    /// The effective strengths of the weighted penalty.
    pub strengths: Option<Vec<f64>>,
    pub w: Vec<f64>,
    pub objective: f64,
    pub criterion: f64,
    pub support: usize,
    pub l1: Vec<f64>,
    pub l2: f64,
    pub perturbation: Option<Vec<f64>>,
    pub condition: f64,
    pub aidfp_iterations: f64,
}

pub fn golden_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

pub fn case_names() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(golden_dir())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("case.json").is_file())
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_string())
        .collect();
    names.sort();
    assert!(names.len() >= 17, "the golden cases are missing");
    names
}

/// An npy file of f64 or integers as (shape, values).
pub fn npy(path: &Path) -> (Vec<usize>, Vec<f64>) {
    let bytes = fs::read(path).unwrap();
    let file = npyz::NpyFile::new(&bytes[..]).unwrap();
    let shape = file.shape().iter().map(|&s| s as usize).collect();
    let values = match file.try_data::<f64>() {
        Ok(data) => data.map(Result::unwrap).collect(),
        Err(file) => file
            .into_vec::<i64>()
            .unwrap()
            .into_iter()
            .map(|v| v as f64)
            .collect(),
    };
    (shape, values)
}

pub fn matrix(path: &Path) -> Dense {
    let (shape, values) = npy(path);
    Dense::new(shape[0], shape[1], values).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().map(|v| v.as_f64().unwrap()).collect(),
        value => vec![value.as_f64().unwrap()],
    }
}

/// The case by name; a weighted case is a problem per point, so `index` says which.
pub fn case(name: &str, index: usize) -> Case {
    let dir = golden_dir().join(name);
    let json: Value =
        serde_json::from_str(&fs::read_to_string(dir.join("case.json")).unwrap()).unwrap();
    let loss = match json["loss"].as_str().unwrap() {
        "squared" => Loss::Squared,
        "logistic" => Loss::Logistic,
        "multinomial" => Loss::Multinomial,
        other => panic!("loss {other}"),
    };
    let x = matrix(&dir.join("X.npy"));
    let classes = json["n_classes"].as_u64().unwrap_or(1) as usize;
    let d = x.columns;
    let mut specification =
        Specification::new(loss, Matrix::Dense(x), vec![npy(&dir.join("y.npy")).1]);
    specification.classes = classes;
    specification.scaling = Scaling {
        intercept: false,
        standardize: false,
    };
    specification.validation = Some(Rows {
        matrix: Matrix::Dense(matrix(&dir.join("Xval.npy"))),
        targets: vec![npy(&dir.join("yval.npy")).1],
        weights: None,
        offset: None,
    });
    let sign = json["criterion_sign"].as_f64().unwrap_or(1.0);
    specification.sign = sign.try_into().unwrap();
    if let Some(rows) = json["poisoned_rows"].as_array() {
        specification.perturbation = Some(Perturbation {
            rows: rows.iter().map(|r| r.as_u64().unwrap() as usize).collect(),
            values: matrix(&dir.join("P.npy")),
        });
    }
    let penalty = json["penalty"].as_str().unwrap();
    let points: Vec<GoldenPoint> = json["points"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| {
            let l1 = numbers(&p["l1"]);
            let strengths = (penalty == "weighted").then(|| l1.clone());
            GoldenPoint {
                point: Point::new(
                    if strengths.is_some() { 1.0 } else { l1[0] },
                    p["l2"].as_f64().unwrap(),
                ),
                strengths,
                w: numbers(&p["w"]),
                objective: p["train_objective"].as_f64().unwrap(),
                criterion: p["criterion"].as_f64().unwrap(),
                support: p["support_size"].as_u64().unwrap() as usize,
                l1: numbers(&p["hypergradient"]["l1"]),
                l2: p["hypergradient"]["l2"].as_f64().unwrap(),
                perturbation: p["hypergradient"].get("P").map(numbers),
                condition: p["cond_support"].as_f64().unwrap_or(1.0),
                aidfp_iterations: p["aidfp_iters"].as_f64().unwrap_or(0.0),
            }
        })
        .collect();
    specification.penalty = match penalty {
        "elastic-net" => Penalty::ElasticNet,
        "weighted" => Penalty::Weighted {
            strengths: points[index].strengths.clone().unwrap(),
        },
        "group" => {
            let size = json["group_size"].as_u64().unwrap() as usize;
            Penalty::Group {
                groups: Groups::consecutive(d * classes, size).unwrap(),
                strengths: None,
            }
        }
        other => panic!("penalty {other}"),
    };
    Case {
        name: name.into(),
        problem: Problem::new(specification).unwrap(),
        points,
    }
}

/// Every case; weighted and perturbed cases once per point, with that point alone.
pub fn all_cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for name in case_names() {
        let first = case(&name, 0);
        if first.points[0].strengths.is_none() && first.problem.perturbed_rows().is_empty() {
            cases.push(first);
            continue;
        }
        for index in 0..first.points.len() {
            let mut one = case(&name, index);
            one.points = vec![one.points.swap_remove(index)];
            cases.push(one);
        }
    }
    cases
}

/// ‖a − b‖/‖b‖, or ‖a‖ where b = 0; NaN never passes as small.
pub fn relative_error(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "lengths");
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    let difference = norm(&mut a.iter().zip(b).map(|(a, b)| a - b));
    let size = norm(&mut b.iter().copied());
    let error = if size == 0.0 {
        difference
    } else {
        difference / size
    };
    if error.is_nan() { f64::INFINITY } else { error }
}

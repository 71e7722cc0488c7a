//! The golden cases: solutions to 1e-9, hypergradients to 1e-7 (f32: 1e-4 where well conditioned).

use std::path::PathBuf;

use serde_json::Value;

use crate::control::Control;
use crate::data::design::Scaling;
use crate::data::matrix::{Dense, Matrix};
use crate::kinds::{Preconditioner, Status};
use crate::model::loss::Loss;
use crate::model::penalty::{Groups, Penalty};
use crate::path::walk::Form;
use crate::path::{RestrictedMethod, RestrictedRequest, solve_restricted};
use crate::problem::{Perturbation, Point, Problem, Rows, Specification};
use crate::real::{Real, widen};

use super::cases::{
    adjoints, assert_converged, criterion, hypergradient, relative_error, solve_all, step_of,
};

const CASES: [&str; 17] = [
    "a_enet_published",
    "b_enet_400x60",
    "c_logistic_300x80",
    "d_multinomial_400x40x5",
    "e_weighted_200x50",
    "f_group_200x60",
    "g_poison_200x20x3",
    "h_breast_cancer",
    "h_diabetes",
    "i_constant_column",
    "i_duplicate_columns",
    "i_l1max_exact_kink",
    "i_l1max_logistic",
    "i_l1max_square",
    "i_lasso_l2_zero",
    "i_ridge_l1_zero",
    "i_wide_40x150",
];

fn folder(case: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(case)
}

/// A version 1 file of little-endian f64 in C order.
fn read_npy(case: &str, name: &str) -> Option<Dense> {
    let bytes = std::fs::read(folder(case).join(name)).ok()?;
    assert_eq!(&bytes[..7], b"\x93NUMPY\x01");
    let length = u16::from_le_bytes([bytes[8], bytes[9]]) as usize;
    let header = std::str::from_utf8(&bytes[10..10 + length]).unwrap();
    assert!(
        header.contains("'<f8'") && header.contains("'fortran_order': False"),
        "{header}"
    );
    let shape = header.split('(').nth(1).unwrap().split(')').next().unwrap();
    let shape: Vec<usize> = shape
        .split(',')
        .filter_map(|s| s.trim().parse().ok())
        .collect();
    let values: Vec<f64> = bytes[10 + length..]
        .chunks_exact(8)
        .map(|b| f64::from_le_bytes(b.try_into().unwrap()))
        .collect();
    Some(Dense::new(shape[0], shape.get(1).copied().unwrap_or(1), values).unwrap())
}

struct Case {
    json: Value,
    specification: Specification,
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().map(|v| v.as_f64().unwrap()).collect(),
        value => vec![value.as_f64().unwrap()],
    }
}

fn load(case: &str) -> Case {
    let json: Value =
        serde_json::from_slice(&std::fs::read(folder(case).join("case.json")).unwrap()).unwrap();
    let read = |name| read_npy(case, name).unwrap();
    let loss = match json["loss"].as_str().unwrap() {
        "squared" => Loss::Squared,
        "logistic" => Loss::Logistic,
        "multinomial" => Loss::Multinomial,
        other => panic!("{other}"),
    };
    let x = read("X.npy");
    let d = x.columns;
    let mut s = Specification::new(loss, Matrix::Dense(x), vec![read("y.npy").values]);
    s.scaling = Scaling {
        intercept: false,
        standardize: false,
    };
    s.classes = json["n_classes"].as_u64().unwrap_or(1) as usize;
    s.validation = Some(Rows {
        matrix: Matrix::Dense(read("Xval.npy")),
        targets: vec![read("yval.npy").values],
        weights: None,
        offset: None,
    });
    let sign = json["criterion_sign"].as_f64().unwrap_or(1.0);
    s.sign = sign.try_into().unwrap();
    if let Some(size) = json["group_size"].as_u64() {
        s.penalty = Penalty::Group {
            groups: Groups::consecutive(d, size as usize).unwrap(),
            strengths: None,
        };
    }
    if let Some(values) = read_npy(case, "P.npy") {
        let rows = json["poisoned_rows"].as_array().unwrap();
        s.perturbation = Some(Perturbation {
            rows: rows.iter().map(|r| r.as_u64().unwrap() as usize).collect(),
            values,
        });
    }
    Case {
        json,
        specification: s,
    }
}

/// Problems with their points: the weighted case has one problem per point.
fn problems(case: &Case) -> Vec<(Problem, Vec<Point>, Vec<&Value>)> {
    let points = case.json["points"].as_array().unwrap();
    let point = |l1: f64, p: &Value| Point::new(l1, p["l2"].as_f64().unwrap());
    if case.json["penalty"] == "weighted" {
        return points
            .iter()
            .map(|p| {
                let mut s = case.specification.clone();
                s.penalty = Penalty::Weighted {
                    strengths: numbers(&p["l1"]),
                };
                (Problem::new(s).unwrap(), vec![point(1.0, p)], vec![p])
            })
            .collect();
    }
    let problem = Problem::new(case.specification.clone()).unwrap();
    let all = points
        .iter()
        .map(|p| point(p["l1"].as_f64().unwrap(), p))
        .collect();
    vec![(problem, all, points.iter().collect())]
}

const METHODS: [RestrictedMethod; 3] = [
    RestrictedMethod::Direct,
    RestrictedMethod::Cg {
        preconditioner: Preconditioner::Diagonal,
    },
    RestrictedMethod::Cg {
        preconditioner: Preconditioner::None,
    },
];

fn check<R: Real>(form: Form, solution_tolerance: f64, tolerance: f64, largest_condition: f64) {
    let mut checked = 0;
    for name in CASES {
        let case = load(name);
        for (problem, points, expected) in problems(&case) {
            let solutions = solve_all::<R>(&problem, &points, form);
            assert_converged(&solutions);
            for (at, (s, e)) in solutions.iter().zip(&expected).enumerate() {
                if e["cond_support"].as_f64().unwrap() < largest_condition {
                    let error = relative_error(&widen(&s.w), &numbers(&e["w"]));
                    assert!(error <= solution_tolerance, "{name} {at}: {error:e}");
                }
            }
            for method in METHODS {
                for with_factors in [false, true] {
                    let adjoints = adjoints(&problem, &points, &solutions, method, with_factors);
                    for (at, (z, e)) in adjoints.iter().zip(&expected).enumerate() {
                        let place = format!("{name} {at} {method:?} {with_factors}");
                        assert_eq!(z.status, Status::Converged, "{place}");
                        if e["cond_support"].as_f64().unwrap() >= largest_condition {
                            continue;
                        }
                        let (mut found, l2) = hypergradient(
                            &problem,
                            &points[at],
                            &widen(&solutions[at].w),
                            &widen(&z.z),
                            step_of(&problem, &points[at]),
                        );
                        let mut wanted = numbers(&e["hypergradient"]["l1"]);
                        found.push(l2);
                        wanted.push(e["hypergradient"]["l2"].as_f64().unwrap());
                        let error = relative_error(&found, &wanted);
                        assert!(
                            error <= tolerance,
                            "{place}: {error:e} {found:?} {wanted:?}"
                        );
                        checked += 1;
                    }
                }
            }
        }
    }
    assert!(checked > 500, "{checked}");
}

#[test]
fn golden_in_gram_form() {
    check::<f64>(Form::Auto, 1e-9, 1e-7, f64::INFINITY);
}

#[test]
fn golden_in_residual_form() {
    check::<f64>(Form::Residual, 1e-9, 1e-7, f64::INFINITY);
}

#[test]
fn golden_in_single_precision() {
    check::<f32>(Form::Auto, 1e-4, 1e-4, 1e3);
}

/// Relative hypergradient error after 20 and after 40 products at a's second point.
#[test]
fn conjugate_gradient_does_not_stall() {
    let case = load("a_enet_published");
    let (problem, points, expected) = problems(&case).remove(0);
    let at = expected
        .iter()
        .position(|p| p["l1"] == 0.02 && p["l2"] == 0.002)
        .unwrap();
    let w = numbers(&expected[at]["w"]);
    let step = step_of(&problem, &points[at]);
    let (_, gradient) = criterion(&problem, 0, &w);
    let mut wanted = numbers(&expected[at]["hypergradient"]["l1"]);
    wanted.push(expected[at]["hypergradient"]["l2"].as_f64().unwrap());
    for (products, tolerance) in [(20, 1.2e-5), (40, 1e-11)] {
        let request = RestrictedRequest {
            points: &points[at..=at],
            w: std::slice::from_ref(&w),
            step: &[step],
            criterion_gradient: std::slice::from_ref(&gradient),
            factors: None,
            method: METHODS[2],
            tolerance: None,
            max_steps: products,
            control: &Control::new(),
        };
        let solved = solve_restricted(&problem, &request).unwrap();
        assert!(solved[0].steps <= products);
        let (mut found, l2) = hypergradient(&problem, &points[at], &w, &solved[0].z, step);
        found.push(l2);
        let error = relative_error(&found, &wanted);
        assert!(error <= tolerance, "{products} products: {error:e}");
        if products == 20 {
            assert_eq!(solved[0].status, Status::BudgetSpent);
        }
    }
}

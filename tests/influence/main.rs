//! Influences of training rows: refits by weights against refits of files without the rows, and estimates
//! against refits.

#[path = "../common/mod.rs"]
mod common;
mod ranks;

use common::{golden_dir, npy};
use proxdiff::data::{Dense, Matrix, Sparse, embedded, numbers};
use proxdiff::hypergrad::{EstimateKind, Influence, Influences};
use proxdiff::prelude::*;
use proxdiff::problem::ProblemBuilder;

/// Rows and targets, and those of the criterion.
struct Data {
    x: Vec<Vec<f64>>,
    y: Vec<f64>,
    x_val: Vec<Vec<f64>>,
    y_val: Vec<f64>,
}

impl Data {
    fn split(values: &[f64], features: usize, y: &[f64]) -> Self {
        let rows: Vec<Vec<f64>> = values.chunks(features).map(<[f64]>::to_vec).collect();
        let part = |held: bool| {
            let of = move |i: &usize| (i % 4 == 3) == held;
            let rows: Vec<Vec<f64>> = (0..y.len()).filter(of).map(|i| rows[i].clone()).collect();
            let y: Vec<f64> = (0..y.len()).filter(of).map(|i| y[i]).collect();
            (rows, y)
        };
        let ((x, y), (x_val, y_val)) = (part(false), part(true));
        Self { x, y, x_val, y_val }
    }

    fn diabetes() -> Self {
        let embedded = embedded::diabetes().unwrap();
        let Matrix::Dense(matrix) = &embedded.matrix else {
            panic!("rows in full")
        };
        let y = numbers(&embedded.targets[0]).unwrap();
        Self::split(&matrix.values, matrix.columns, &y)
    }

    fn breast_cancer() -> Self {
        let folder = golden_dir().join("h_breast_cancer");
        let (shape, values) = npy(&folder.join("X.npy"));
        let (_, y) = npy(&folder.join("y.npy"));
        Self::split(&values, shape[1], &y)
    }

    fn made(rows: usize, features: usize) -> Self {
        let entry = |i: usize, j: usize| ((i * 31 + j * 17 + i * j * 7) % 23) as f64 / 11.0 - 1.0;
        let x: Vec<f64> = (0..rows * features)
            .map(|at| entry(at / features, at % features))
            .collect();
        let target = |i: usize| 2.0 * entry(i, 0) - entry(i, 1) + entry(i, 90);
        Self::split(&x, features, &(0..rows).map(target).collect::<Vec<_>>())
    }

    fn without(&self, row: usize) -> Self {
        let mut rest = Self {
            x: self.x.clone(),
            y: self.y.clone(),
            x_val: self.x_val.clone(),
            y_val: self.y_val.clone(),
        };
        rest.x.remove(row);
        rest.y.remove(row);
        rest
    }
}

fn influences(problem: &Problem, point: &Point) -> Influences {
    let asked = Influence::new(problem, point.clone()).exact(true);
    asked.run().unwrap()
}

fn criterion(problem: &Problem, point: &Point) -> f64 {
    let evaluator = Evaluator::new(problem).method(None);
    evaluator.run(std::slice::from_ref(point)).unwrap()[0].criterion
}

/// A problem whose columns have no scale to hold.
type State = fn(&Data) -> ProblemBuilder;

fn plain(stated: ProblemBuilder, data: &Data) -> Problem {
    let stated = stated.intercept(false).standardize(false);
    stated.validation(&data.x_val, &data.y_val).build().unwrap()
}

#[test]
fn refits_by_weights_are_those_of_the_rows_that_remain() {
    let data = Data::made(40, 3);
    let labelled = |label: &dyn Fn(f64) -> f64| Data {
        y: data.y.iter().map(|&y| label(y)).collect(),
        y_val: data.y_val.iter().map(|&y| label(y)).collect(),
        x: data.x.clone(),
        x_val: data.x_val.clone(),
    };
    let classes = labelled(&|y| if y > 0.0 { 1.0 } else { -1.0 });
    let kinds = labelled(&|y| (y + 1.5).clamp(0.0, 2.0).floor());
    let cases: [(State, &Data, Point); 6] = [
        (
            |d| Problem::elastic_net(&d.x, &d.y),
            &data,
            Point::new(0.05, 0.1),
        ),
        (
            |d| Problem::huber(&d.x, &d.y, 0.5),
            &data,
            Point::new(0.0, 0.1),
        ),
        (
            |d| Problem::group(&d.x, &d.y, &[0, 0, 1]),
            &data,
            Point::new(0.05, 0.1),
        ),
        (
            |d| Problem::logistic(&d.x, &d.y),
            &classes,
            Point::new(0.02, 0.05),
        ),
        (
            |d| Problem::squared_hinge(&d.x, &d.y),
            &classes,
            Point::new(0.02, 0.05),
        ),
        (
            |d| Problem::multinomial(&d.x, &d.y),
            &kinds,
            Point::new(0.01, 0.05),
        ),
    ];
    for (state, data, point) in cases {
        let problem = plain(state(data), data);
        let found = influences(&problem, &point);
        let exact = found.exact.as_ref().unwrap();
        let full = criterion(&problem, &point);
        for row in 0..data.y.len() {
            let rest = data.without(row);
            let expected = criterion(&plain(state(&rest), &rest), &point) - full;
            assert!(
                (exact.influence[row] - expected).abs() < 1e-10,
                "{} row {row}: {} {expected}",
                problem.loss().name(),
                exact.influence[row]
            );
        }
        let correlation = found.rank_correlation().unwrap();
        assert!(
            correlation > 0.9,
            "{}: {correlation}",
            problem.loss().name()
        );
    }
}

/// The adjoint alone, where no system on the support is at hand: first order.
#[test]
fn the_adjoint_ranks_rows_too() {
    let data = Data::diabetes();
    let groups: Vec<u32> = (0..10).map(|j| j / 2).collect();
    let stated = Problem::group(&data.x, &data.y, &groups);
    let problem = stated.validation(&data.x_val, &data.y_val).build().unwrap();
    let point = Point::new(0.1 * problem.l1_max(0, 0.0), 0.1);
    let found = influences(&problem, &point);
    assert_eq!(found.kind, EstimateKind::Adjoint);
    assert_eq!(
        (&found.own, &found.leverage, &found.residuals),
        (&None, &None, &None)
    );
    assert!(found.rank_correlation().unwrap() > 0.99);
    // To first order: the slope of the criterion in the row's weight, by differences.
    let n = data.y.len();
    let with_weight = |row: usize, weight: f64| {
        let mut weights = vec![1.0; n];
        weights[row] = weight;
        criterion(&problem, &point.clone().with_weights(weights))
    };
    let largest = found
        .influence
        .iter()
        .fold(0.0f64, |max, e| max.max(e.abs()));
    for row in (0..n).step_by(41) {
        let step = 1e-3;
        let slope = (with_weight(row, 1.0 - step) - with_weight(row, 1.0 + step)) / (2.0 * step);
        let estimate = found.influence[row];
        assert!(
            (estimate - slope).abs() < 1e-5 * largest,
            "{row}: {estimate} {slope}"
        );
    }
}

#[test]
fn ridge_is_exact_for_rows_and_their_own_loss() {
    let data = Data::made(40, 5);
    let strengths = proxdiff::problem::RidgeStrengths::each(vec![0.1, 1.0, 0.3, 2.0, 0.0]);
    let stated = Problem::elastic_net(&data.x, &data.y).ridge(strengths.clone());
    let problem = stated.validation(&data.x_val, &data.y_val).build().unwrap();
    let found = influences(&problem, &Point::new(0.0, 0.2));
    let exact = found.exact.as_ref().unwrap();
    let own = found.own.as_ref().unwrap();
    for row in 0..data.y.len() {
        assert!((found.influence[row] - exact.influence[row]).abs() < 1e-10);
        assert!((own[row] - exact.own[row]).abs() < 1e-10);
        // Without the row its loss can only rise.
        assert!(own[row] > 0.0);
    }
    // By its own loss, ½r² with all rows, and by as much more without it.
    let residuals = found.residuals.as_ref().unwrap();
    for (row, residual) in residuals.iter().enumerate() {
        let stated = Problem::elastic_net(&data.x, &data.y).ridge(strengths.clone());
        let stated = stated.validation(&data.x[row..=row], &data.y[row..=row]);
        let with_all = criterion(&stated.build().unwrap(), &Point::new(0.0, 0.2));
        let expected = 2.0 * (with_all + exact.own[row]);
        assert!(
            (residual.powi(2) / expected - 1.0).abs() < 1e-8,
            "row {row}"
        );
    }
    let rest = data.without(3);
    // Unscaled columns: those of the rest are the same.
    let plain = |data: &Data| {
        let stated = Problem::elastic_net(&data.x, &data.y).ridge(strengths.clone());
        stated.intercept(false).standardize(false)
    };
    let one = Data {
        x: vec![data.x[3].clone()],
        y: vec![data.y[3]],
        ..data.without(3)
    };
    let alone = plain(&rest).validation(&one.x, &one.y).build().unwrap();
    let squared = 2.0 * criterion(&alone, &Point::new(0.0, 0.2));
    let unscaled = plain(&data).build().unwrap();
    let residuals = influences(&unscaled, &Point::new(0.0, 0.2)).residuals;
    assert!((residuals.unwrap()[3].powi(2) / squared - 1.0).abs() < 1e-9);
}

#[test]
fn groups_leave_as_a_whole() {
    let data = Data::made(40, 4);
    let n = data.y.len();
    let weights: Vec<f64> = (0..n).map(|i| [1.0, 2.0, 0.5][i % 3]).collect();
    let stated = Problem::elastic_net(&data.x, &data.y).sample_weights(&weights);
    let problem = stated.validation(&data.x_val, &data.y_val).build().unwrap();
    let groups: Vec<Vec<usize>> = (0..n / 3).map(|g| (3 * g..3 * g + 3).collect()).collect();
    let asked = Influence::new(&problem, Point::new(0.0, 0.1)).exact(true);
    let found = asked.clone().groups(groups.clone()).run().unwrap();
    let exact = found.exact.as_ref().unwrap();
    for (estimate, exact) in found.influence.iter().zip(&exact.influence) {
        assert!((estimate - exact).abs() < 1e-10, "{estimate} {exact}");
    }
    for (estimate, exact) in found.own.as_ref().unwrap().iter().zip(&exact.own) {
        assert!((estimate - exact).abs() < 1e-10, "{estimate} {exact}");
    }
    // One row a group is a row.
    let alone: Vec<Vec<usize>> = (0..n).map(|i| vec![i]).collect();
    let rows = asked.clone().run().unwrap();
    assert_eq!(
        asked.clone().groups(alone).run().unwrap().influence,
        rows.influence
    );
    for wrong in [vec![vec![0, n]], vec![vec![]], vec![vec![1, 1]]] {
        assert!(asked.clone().groups(wrong).run().is_err());
    }
}

/// Without the second group the last column is zero but for the rounding of what is subtracted.
#[test]
fn a_group_that_takes_a_column_with_it_keeps_its_first_order() {
    let column = |i: usize| [0.1, 0.3, 0.7, 1.1][i % 4];
    let x: Vec<Vec<f64>> = (0..12)
        .map(|i| {
            let own = if (4..8).contains(&i) { column(i) } else { 0.0 };
            vec![((i * 7) % 5) as f64 - 2.0, ((i * 3) % 4) as f64 / 3.0, own]
        })
        .collect();
    let y: Vec<f64> = (0..12).map(|i| ((i * 5) % 11) as f64 / 3.0).collect();
    let stated = Problem::elastic_net(&x, &y)
        .intercept(false)
        .standardize(false);
    let problem = stated.validation(&x, &y).build().unwrap();
    let groups: Vec<Vec<usize>> = (0..3).map(|g| (4 * g..4 * g + 4).collect()).collect();
    let asked = Influence::new(&problem, Point::new(0.0, 0.0)).groups(groups);
    let found = asked.run().unwrap();
    assert_eq!(found.kind, EstimateKind::Newton);
    let own = found.own.as_ref().unwrap();
    assert!(own[1].is_nan(), "{own:?}");
    assert!(own[0].is_finite() && own[2].is_finite());
    let slopes = found.outcome.hypergradient.as_ref().unwrap();
    let slopes = slopes.sample_weights.as_ref().unwrap();
    let first_order = -slopes[4..8].iter().sum::<f64>();
    assert!((found.influence[1] - first_order).abs() < 1e-14);
}

/// Rows of weight 0 leave the others equal weights, which are then not 1.
#[test]
fn equal_weights_among_zeros_are_exact_too() {
    let data = Data::made(40, 4);
    let weights: Vec<f64> = (0..data.y.len()).map(|i| (i % 3).min(1) as f64).collect();
    let stated = Problem::elastic_net(&data.x, &data.y).sample_weights(&weights);
    let problem = stated.validation(&data.x_val, &data.y_val).build().unwrap();
    let found = influences(&problem, &Point::new(0.0, 0.3));
    let exact = found.exact.as_ref().unwrap();
    for row in 0..data.y.len() {
        let (estimate, exact) = (found.influence[row], exact.influence[row]);
        assert!(
            (estimate - exact).abs() < 1e-10,
            "{row}: {estimate} {exact}"
        );
    }
}

/// Weights that differ: refits are those of the rows that remain, and the ridge's estimates are exact.
#[test]
fn unequal_weights_are_exact_for_the_ridge() {
    let data = Data::made(40, 4);
    let n = data.y.len();
    let weights: Vec<f64> = (0..n).map(|i| [1.0, 2.0, 0.5][i % 3]).collect();
    let state = |data: &Data, weights: &[f64]| {
        let stated = Problem::elastic_net(&data.x, &data.y).sample_weights(weights);
        plain(stated, data)
    };
    let problem = state(&data, &weights);
    let point = Point::new(0.02, 0.1);
    let found = influences(&problem, &point);
    let exact = found.exact.as_ref().unwrap();
    let full = criterion(&problem, &point);
    for row in 0..n {
        let mut rest = weights.clone();
        rest.remove(row);
        let expected = criterion(&state(&data.without(row), &rest), &point) - full;
        assert!((exact.influence[row] - expected).abs() < 1e-10, "row {row}");
    }
    // Strong ridges, and a row with most of all weight.
    let heavy: Vec<f64> = (0..n).map(|i| if i == 7 { 100.0 } else { 1.0 }).collect();
    for (weights, l2) in [(&weights, 0.1), (&weights, 100.0), (&heavy, 1.0)] {
        let found = influences(&state(&data, weights), &Point::new(0.0, l2));
        let exact = found.exact.as_ref().unwrap();
        for row in 0..n {
            let (estimate, exact) = (found.influence[row], exact.influence[row]);
            assert!(
                (estimate - exact).abs() < 1e-10,
                "λ₂ {l2}, row {row}: {estimate} {exact}"
            );
        }
    }
}

/// Penalties with bounds, weights of their own, and a criterion that is maximised.
#[test]
fn other_penalties_and_signs_are_refitted_and_ranked() {
    let data = Data::made(40, 4);
    let cases: [(&str, State, Point); 5] = [
        (
            "box",
            |d| Problem::elastic_net(&d.x, &d.y).bounds(-0.3, 0.9),
            Point::new(0.0, 0.1),
        ),
        (
            "non-negative",
            |d| Problem::non_negative(&d.x, &d.y),
            Point::new(0.03, 0.1),
        ),
        (
            "weighted",
            |d| Problem::weighted(&d.x, &d.y, &[0.0, 1.0, 2.0, 0.5]),
            Point::new(0.05, 0.1),
        ),
        (
            "without strength",
            |d| Problem::weighted(&d.x, &d.y, &[0.0, 1.0, 2.0, 0.5]),
            Point::new(0.0, 0.1),
        ),
        (
            "maximised",
            |d| Problem::elastic_net(&d.x, &d.y).sign(Sign::Maximize),
            Point::new(0.05, 0.1),
        ),
    ];
    for (name, state, point) in cases {
        let problem = plain(state(&data), &data);
        let found = influences(&problem, &point);
        assert_eq!(found.kind, EstimateKind::Newton, "{name}");
        let exact = found.exact.as_ref().unwrap();
        let solved = &found.outcome.solution;
        let full = criterion(&problem, &point);
        for row in 0..data.y.len() {
            let rest = data.without(row);
            let other = plain(state(&rest), &rest);
            let refitted = Evaluator::new(&other).method(None);
            let refitted = &refitted.run(std::slice::from_ref(&point)).unwrap()[0];
            let expected = refitted.criterion - full;
            let found = exact.influence[row];
            assert!(
                (found - expected).abs() < 1e-10,
                "{name} {row}: {found} {expected}"
            );
            let is_free = |w: &f64| *w != 0.0 && (name != "box" || (-0.3 < *w && *w < 0.9));
            let changes = solved
                .iter()
                .map(is_free)
                .ne(refitted.solution.iter().map(is_free));
            assert_eq!(exact.changes_support[row], changes, "{name} {row}");
        }
        let correlation = found.rank_correlation().unwrap();
        assert!(correlation > 0.95, "{name}: {correlation}");
    }
}

/// More products of held-out rows than are formed: the adjoint answers.
#[test]
fn a_criterion_of_very_many_rows_is_left_to_the_adjoint() {
    let (columns, rows) = (320, 200_000);
    let sparse = |rows: usize| {
        let value = |i: usize| ((i * 7) % 11) as f64 / 5.0 - 1.0;
        Matrix::Sparse(Sparse {
            rows,
            columns,
            row_starts: (0..=rows).collect(),
            column_indices: (0..rows).map(|i| ((i * 31) % columns) as u32).collect(),
            values: (0..rows).map(value).collect(),
        })
    };
    let y = |rows: usize| -> Vec<f64> { (0..rows).map(|i| (i % 5) as f64).collect() };
    let of = |held_out: usize| {
        let stated = Problem::elastic_net(&sparse(12), &y(12))
            .intercept(false)
            .standardize(false);
        let stated = stated.validation(&sparse(held_out), &y(held_out));
        let problem = stated.build().unwrap();
        Influence::new(&problem, Point::new(0.0, 0.1))
            .run()
            .unwrap()
    };
    assert_eq!(of(1000).kind, EstimateKind::Newton);
    assert_eq!(of(rows).kind, EstimateKind::Adjoint);
}

#[test]
fn rows_without_weight_have_no_influence() {
    let data = Data::made(24, 3);
    let mut weights = vec![1.0; data.y.len()];
    weights[5] = 0.0;
    let stated = Problem::elastic_net(&data.x, &data.y).sample_weights(&weights);
    let problem = stated.validation(&data.x_val, &data.y_val).build().unwrap();
    let found = influences(&problem, &Point::new(0.01, 0.1));
    let exact = found.exact.as_ref().unwrap();
    assert_eq!(
        (found.influence[5], exact.influence[5], exact.own[5]),
        (0.0, 0.0, 0.0)
    );
    assert!(found.influence[4] != 0.0 && exact.influence[4] != 0.0);
    assert_eq!(exact.missing, 0);
}

#[test]
fn what_cannot_be_fitted_is_missing() {
    let x = [[0.3], [1.0], [-1.0], [0.5], [2.0]];
    // The last row is alone in its class.
    let y = [-1.0, -1.0, -1.0, -1.0, 1.0];
    let problem = Problem::logistic(&x, &y).build().unwrap();
    let found = influences(&problem, &Point::new(0.0, 0.1));
    let exact = found.exact.as_ref().unwrap();
    assert_eq!(exact.missing, 1);
    assert!(exact.influence[4].is_nan() && exact.influence[0].is_finite());
    assert!(found.rank_correlation().is_some());
    let form = Problem::quadratic(&[[2.0, 0.0], [0.0, 1.0]], &[1.0, 1.0]);
    let form = form.build().unwrap();
    assert!(Influence::new(&form, Point::new(0.1, 0.0)).run().is_err());
    let own = Point::new(0.0, 0.1).with_weights(vec![1.0; 5]);
    assert!(Influence::new(&problem, own).run().is_err());
}

#[test]
fn sparse_rows_and_any_number_of_threads_change_nothing() {
    let data = Data::made(24, 5);
    let values: Vec<f64> = data.x.concat();
    let n = data.y.len();
    let sparse = Matrix::Sparse(Sparse {
        rows: n,
        columns: 5,
        row_starts: (0..=n).map(|i| 5 * i).collect(),
        column_indices: (0..5 * n as u32).map(|at| at % 5).collect(),
        values: values.clone(),
    });
    let dense = Matrix::Dense(Dense::new(n, 5, values).unwrap());
    let point = Point::new(0.05, 0.1);
    let of = |matrix: &Matrix| {
        influences(
            &Problem::elastic_net(matrix, &data.y).build().unwrap(),
            &point,
        )
    };
    let (a, b) = (of(&sparse), of(&dense));
    let (x, y) = (a.exact.as_ref().unwrap(), b.exact.as_ref().unwrap());
    for (found, expected) in [
        (&a.influence, &b.influence),
        (a.own.as_ref().unwrap(), b.own.as_ref().unwrap()),
        (&x.influence, &y.influence),
        (&x.own, &y.own),
    ] {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        }
    }
    let alone = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    let again = alone.install(|| of(&dense));
    assert_eq!(again.influence, b.influence);
    assert_eq!(again.exact, b.exact);
}

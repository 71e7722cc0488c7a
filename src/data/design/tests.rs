use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

/// The same random data dense and sparse: about half of the entries zero, column 1 constant, column
/// 2 all zeros, column 3 far from zero; weights with mean 1, some of them zero.
fn data(rows: usize, columns: usize, seed: u64) -> (Matrix, Matrix, Vec<f64>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut values = Vec::with_capacity(rows * columns);
    for _ in 0..rows {
        for j in 0..columns {
            let draw: f64 = rng.random_range(-1.0..1.0);
            values.push(match j {
                1 => 0.7,
                2 => 0.0,
                3 => 10.0 + draw,
                _ if draw < 0.0 => 0.0,
                _ => draw,
            });
        }
    }
    let mut weights: Vec<f64> = (0..rows)
        .map(|i| {
            if i % 5 == 4 {
                0.0
            } else {
                rng.random_range(0.1..3.0)
            }
        })
        .collect();
    let mean = weights.iter().sum::<f64>() / rows as f64;
    weights.iter_mut().for_each(|w| *w /= mean);

    let mut sparse = Sparse {
        rows,
        columns,
        row_starts: vec![0],
        column_indices: Vec::new(),
        values: Vec::new(),
    };
    for row in values.chunks(columns) {
        for (j, &value) in row.iter().enumerate() {
            if value != 0.0 {
                sparse.column_indices.push(j as u32);
                sparse.values.push(value);
            }
        }
        sparse.row_starts.push(sparse.values.len());
    }
    let dense = Dense {
        rows,
        columns,
        values,
    };
    (Matrix::Dense(dense), Matrix::Sparse(sparse), weights)
}

fn random(length: usize, seed: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..length).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// Largest difference, scaled by the largest entry; infinite where lengths differ or a NaN is.
fn difference(a: &[f64], b: &[f64]) -> f64 {
    if a.len() != b.len() || a.iter().chain(b).any(|v| !v.is_finite()) {
        return f64::INFINITY;
    }
    let scale = a.iter().fold(1.0f64, |m, v| m.max(v.abs()));
    a.iter()
        .zip(b)
        .fold(0.0f64, |m, (a, b)| m.max((a - b).abs()))
        / scale
}

const SCALINGS: [Scaling; 4] = [
    Scaling {
        intercept: true,
        standardize: true,
    },
    Scaling {
        intercept: true,
        standardize: false,
    },
    Scaling {
        intercept: false,
        standardize: true,
    },
    Scaling {
        intercept: false,
        standardize: false,
    },
];

#[test]
fn the_comparator_sees_what_is_wrong() {
    assert!(difference(&[1.0, 2.0], &[2.0, 1.0]) > 0.1);
    assert!(difference(&[1.0, 2.0], &[1.0]) > 0.1);
    assert!(difference(&[1.0, f64::NAN], &[1.0, f64::NAN]) > 0.1);
}

#[test]
fn dense_and_sparse_designs_agree() {
    for scaling in SCALINGS {
        for (rows, columns) in [(7, 5), (13, 4), (31, 17), (2, 6)] {
            let (dense, sparse, weights) = data(rows, columns, 3);
            let measured = measure(&dense, &weights, scaling);
            let of_sparse = measure(&sparse, &weights, scaling);
            assert!(difference(&measured.center, &of_sparse.center) < 1e-13);
            assert!(difference(&measured.scale, &of_sparse.scale) < 1e-13);
            assert_eq!(measured.constant, of_sparse.constant);

            let a = Design::scaled(dense.clone(), &measured, scaling.intercept);
            let b = Design::scaled(sparse.clone(), &measured, scaling.intercept);
            assert_eq!(a.columns(), columns + usize::from(scaling.intercept));
            assert_eq!((a.rows(), a.features()), (b.rows(), b.features()));
            assert!(matches!(b.matrix, Matrix::Sparse(_)));
            let (w, r) = (random(a.columns(), 5), random(rows, 6));
            assert!(difference(&a.apply(&w), &b.apply(&w)) < 1e-13);
            let (x, y) = (a.apply_transposed(&r), b.apply_transposed(&r));
            assert!(difference(&x, &y) < 1e-13, "{scaling:?} {rows} × {columns}");
        }
    }
}

#[test]
fn the_transposed_product_is_the_adjoint() {
    for scaling in SCALINGS {
        let (dense, sparse, weights) = data(23, 9, 11);
        let features = measure(&dense, &weights, scaling);
        for matrix in [&dense, &sparse] {
            let design = Design::scaled(matrix.clone(), &features, scaling.intercept);
            let (w, r) = (random(design.columns(), 1), random(design.rows(), 2));
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let (left, right) = (
                dot(&design.apply(&w), &r),
                dot(&w, &design.apply_transposed(&r)),
            );
            let size: f64 = design.apply(&w).iter().map(|v| v.abs()).sum();
            assert!((left - right).abs() < 1e-14 * size.max(1.0) * 10.0);
        }
    }
}

#[test]
fn columns_have_weighted_mean_zero_and_variance_one() {
    let (dense, _, weights) = data(40, 6, 2);
    let features = measure(&dense, &weights, SCALINGS[0]);
    let design = Design::scaled(dense.clone(), &features, true);
    let Matrix::Dense(x) = &design.matrix else {
        panic!("dense design expected")
    };
    for j in [0, 3, 4, 5] {
        let weighted = |power: i32| {
            (0..40)
                .map(|i| weights[i] * x.row(i)[j].powi(power))
                .sum::<f64>()
                / 40.0
        };
        assert!(weighted(1).abs() < 1e-13, "mean of column {j}");
        assert!((weighted(2) - 1.0).abs() < 1e-13, "variance of column {j}");
    }
    assert!((0..40).all(|i| x.row(i)[6] == 1.0));
}

#[test]
fn rows_of_weight_zero_do_not_count() {
    let (dense, sparse, weights) = data(20, 5, 8);
    let kept: Vec<usize> = (0..20).filter(|&i| weights[i] > 0.0).collect();
    let mean = 20.0 / kept.len() as f64;
    let of_kept: Vec<f64> = kept.iter().map(|&i| weights[i] / mean).collect();
    for matrix in [&dense, &sparse] {
        let all = measure(matrix, &weights, SCALINGS[0]);
        let some = measure(&matrix.select_rows(&kept), &of_kept, SCALINGS[0]);
        assert!(difference(&all.center, &some.center) < 1e-13);
        assert!(difference(&all.scale, &some.scale) < 1e-13);
        assert_eq!(all.constant, some.constant);
    }
}

#[test]
fn a_constant_column_is_dropped_when_centred_and_kept_when_not() {
    for sparse in [false, true] {
        let (dense, as_sparse, weights) = data(11, 5, 4);
        let matrix = if sparse { as_sparse } else { dense };
        for scaling in SCALINGS {
            let features = measure(&matrix, &weights, scaling);
            assert_eq!(features.constant, [1, 2]);
            assert_eq!(features.scale[1..3], [1.0, 1.0]);
            let design = Design::scaled(matrix.clone(), &features, scaling.intercept);
            let mut unit = vec![0.0; design.columns()];
            unit[1] = 1.0;
            let expected = if scaling.intercept { 0.0 } else { 0.7 };
            assert_eq!(design.apply(&unit), vec![expected; 11]);
            // Validation rows that do vary there are dropped too: the coefficient is zero.
            let varied = Matrix::Dense(Dense {
                rows: 1,
                columns: 5,
                values: vec![1.0, 99.0, 5.0, 1.0, 1.0],
            });
            let validation = Design::scaled(varied.clone(), &features, scaling.intercept);
            let expected = if scaling.intercept { 0.0 } else { 99.0 };
            assert_eq!(validation.apply(&unit), [expected]);
        }
    }
}

#[test]
fn extreme_columns_keep_a_finite_scale() {
    // The squares of these overflow and underflow.
    for size in [1e200, 1e-200] {
        let values = vec![size, -size, 2.0 * size, 0.0];
        let matrix = Matrix::Dense(Dense {
            rows: 4,
            columns: 1,
            values,
        });
        let features = measure(&matrix, &[1.0; 4], SCALINGS[0]);
        let expected = (1.25f64).sqrt() * size;
        assert!(
            (features.scale[0] / expected - 1.0).abs() < 1e-14,
            "{features:?}"
        );
    }
}

/// 40 rows whose first column is `mean` with deviations in units of 1/64, so that it is exact even at
/// 2⁴⁶, and the deviations; the second column keeps some zeros.
fn far_from_zero(mean: f64) -> (Matrix, Matrix, Vec<f64>) {
    let deviations: Vec<f64> = (0..40)
        .map(|i| f64::from((i * 37) % 101 - 50) / 64.0)
        .collect();
    let values: Vec<f64> = deviations
        .iter()
        .enumerate()
        .flat_map(|(i, v)| [mean + v, if i % 3 == 0 { 0.0 } else { 1.0 + v }])
        .collect();
    let (mut column_indices, mut stored, mut row_starts) = (Vec::new(), Vec::new(), vec![0]);
    for row in values.chunks(2) {
        for (j, &value) in row.iter().enumerate().filter(|(_, v)| **v != 0.0) {
            column_indices.push(j as u32);
            stored.push(value);
        }
        row_starts.push(stored.len());
    }
    let sparse = Sparse {
        rows: 40,
        columns: 2,
        row_starts,
        column_indices,
        values: stored,
    };
    let dense = Dense {
        rows: 40,
        columns: 2,
        values,
    };
    (Matrix::Dense(dense), Matrix::Sparse(sparse), deviations)
}

/// Σ w v / Σ w and the deviation about it, of numbers near zero.
fn moments(values: &[f64], weights: &[f64]) -> (f64, f64) {
    let total: f64 = weights.iter().sum();
    let mean = values.iter().zip(weights).map(|(v, w)| v * w).sum::<f64>() / total;
    let square = |(v, w): (&f64, &f64)| w * (v - mean).powi(2);
    let variance = values.iter().zip(weights).map(square).sum::<f64>() / total;
    (mean, variance.sqrt())
}

#[test]
fn deviations_of_columns_far_from_zero_are_exact_for_any_weights() {
    for mean in [0.0, 1e4, 2f64.powi(30), 2f64.powi(46)] {
        let (dense, sparse, deviations) = far_from_zero(mean);
        for factor in [1.0, 7.0, 1e-3] {
            let weights: Vec<f64> = (0..40).map(|i| factor * f64::from(1 + i % 4)).collect();
            let unit = weights.iter().sum::<f64>() / 40.0;
            let normalised: Vec<f64> = weights.iter().map(|w| w / unit).collect();
            let (_, expected) = moments(&deviations, &weights);
            for matrix in [&dense, &sparse] {
                let features = measure(matrix, &normalised, SCALINGS[0]);
                let relative = (features.scale[0] / expected - 1.0).abs();
                assert!(relative < 1e-13, "{mean} × {factor}: {relative:e}");
            }
        }
    }
}

#[test]
fn the_weight_of_few_missing_entries_is_not_rounded_away() {
    // One zero of a weight of 1e-15 in a column of ones: the variance is that weight's share.
    let mut weights = vec![1.0; 9];
    weights.push(1e-15);
    let mean = weights.iter().sum::<f64>() / 10.0;
    weights.iter_mut().for_each(|w| *w /= mean);
    let sparse = Matrix::Sparse(Sparse {
        rows: 10,
        columns: 1,
        row_starts: (0..10).chain([9]).collect(),
        column_indices: vec![0; 9],
        values: vec![1.0; 9],
    });
    let expected = (weights[9] / 10.0).sqrt();
    let found = measure(&sparse, &weights, SCALINGS[0]).scale[0];
    assert!(
        (found / expected - 1.0).abs() < 1e-3,
        "{found:e} {expected:e}"
    );
}

#[test]
fn sparse_columns_far_from_zero_are_centred_in_place() {
    for mean in [1e3, 2f64.powi(30), 2f64.powi(46)] {
        let (dense, sparse, _) = far_from_zero(mean);
        let features = measure(&dense, &[1.0; 40], SCALINGS[0]);
        let a = Design::scaled(dense.clone(), &features, true);
        let b = Design::scaled(sparse.clone(), &features, true);
        assert!(matches!(b.matrix, Matrix::Sparse(_)));
        let (w, r) = (random(3, 5), random(40, 6));
        assert!(difference(&a.apply(&w), &b.apply(&w)) < 1e-14);
        assert!(difference(&a.apply_transposed(&r), &b.apply_transposed(&r)) < 1e-13);
        assert!(difference(&a.row_squares(), &b.row_squares()) < 1e-13);
        // Validation rows may lack an entry that the training rows have.
        let hole = Matrix::Sparse(Sparse {
            rows: 3,
            columns: 2,
            row_starts: vec![0, 1, 1, 2],
            column_indices: vec![0, 0],
            values: vec![mean, mean + 1.0],
        });
        let found = Design::scaled(hole.clone(), &features, true).apply(&[1.0, 0.0, 0.0]);
        let expected: Vec<f64> = [mean, 0.0, mean + 1.0]
            .iter()
            .map(|v| (v - features.center[0]) / features.scale[0])
            .collect();
        assert!(
            difference(&found, &expected) < 1e-15,
            "{found:?} {expected:?}"
        );
    }
}

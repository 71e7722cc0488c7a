//! Losses row by row, and where hyperparameters enter the inner map.

use proxdiff::kernel::curvature::{APPLY_CURVATURE, CURVATURE, LOSS_VALUE, RESIDUAL};
use proxdiff::kernel::{cg, hyper};

use crate::compare::Sum;
use crate::harness::{Call, Draw, Entry, Given, table, word_table};
use crate::linear::{csr, expand};

/// The tags of the kernels: squared, logistic, multinomial, Huber, squared hinge, quadratic form, Poisson, Gamma,
/// Tweedie.
const MULTINOMIAL: usize = 2;
const POISSON: usize = 6;
const GAMMA: usize = 7;
const TWEEDIE: usize = 8;

/// A loss and its classes.
fn loss(draw: &Draw, with_form: bool) -> (usize, usize) {
    if draw.shape.c > 1 {
        (MULTINOMIAL, draw.shape.c)
    } else {
        let tags: &[usize] = if with_form {
            &[0, 1, 3, 4, 5, POISSON, GAMMA, TWEEDIE]
        } else {
            &[0, 1, 3, 4, POISSON, GAMMA, TWEEDIE]
        };
        (tags[draw.turn % tags.len()], 1)
    }
}

/// Predictors on a grid of eighths (kinks are hit), targets that fit, row scales and the loss's shape.
fn row_call(draw: &mut Draw, with_form: bool, output: usize) -> Call {
    let (tag, c) = loss(draw, with_form);
    let n = draw.shape.n;
    let y = draw.either_of(n, &mut |g| match tag {
        1 | 4 => [-1.0, 1.0][g.below(2)],
        MULTINOMIAL => g.below(c) as f64,
        POISSON => g.below(7) as f64,
        GAMMA => (1 + g.below(40)) as f64 / 8.0,
        TWEEDIE => g.below(40) as f64 / 8.0,
        _ => g.below(17) as f64 / 8.0 - 1.0,
    });
    let z = draw.own_of(n * c, &mut |g| g.below(49) as f64 / 8.0 - 3.0);
    let scale = draw.either(n);
    let rows = if output == 0 { 1 } else { n * c };
    Call {
        inputs: vec![
            z,
            y,
            scale,
            table(&[if tag == TWEEDIE { 1.25 } else { 0.75 }]),
        ],
        outputs: vec![draw.own(rows)],
        parameters: vec![n, c, tag],
    }
}

fn softmax(z: &[f64]) -> Vec<f64> {
    let total: f64 = z.iter().map(|z| z.exp()).sum();
    z.iter().map(|z| z.exp() / total).collect()
}

/// (value, slope, curvature) of one row of a loss with one predictor.
fn scalar(tag: usize, z: f64, y: f64, delta: f64) -> (f64, f64, f64) {
    let e = z - y;
    match tag {
        1 => {
            let p = 1.0 / (1.0 + (-z).exp());
            (
                (1.0 + (-y * z).exp()).ln(),
                -y / (1.0 + (y * z).exp()),
                p * (1.0 - p),
            )
        }
        3 if e.abs() > delta => (
            delta * e.abs() - 0.5 * delta * delta,
            delta * e.signum(),
            0.0,
        ),
        4 if y * z >= 1.0 => (0.0, 0.0, 0.0),
        4 => (0.5 * (1.0 - y * z).powi(2), -y * (1.0 - y * z), 1.0),
        _ => (0.5 * e * e, e, 1.0),
    }
}

/// The terms of (value, slope, curvature) of one row, which are one each but with a log link, whose formulas are
/// those of deviances.
fn terms(tag: usize, z: f64, y: f64, shape: f64) -> [Vec<f64>; 3] {
    let mean = z.exp();
    let own = |f: f64| if y > 0.0 { f } else { 0.0 };
    match tag {
        POISSON => [
            vec![own(y * (y / mean).ln()), -y, mean],
            vec![mean, -y],
            vec![mean],
        ],
        GAMMA => [
            vec![(mean / y).ln(), y / mean, -1.0],
            vec![1.0, -y / mean],
            vec![y / mean],
        ],
        TWEEDIE => {
            let (a, b) = (2.0 - shape, 1.0 - shape);
            let (up, down) = (mean.powf(a), y * mean.powf(b));
            [
                vec![own(y.powf(a)) / (a * b), -down / b, up / a],
                vec![up, -down],
                vec![a * up, -b * down],
            ]
        }
        _ => {
            let (value, slope, curvature) = scalar(tag, z, y, shape);
            [vec![value], vec![slope], vec![curvature]]
        }
    }
}

fn product_sizes(draw: &Draw) -> (usize, usize, usize) {
    (draw.shape.n, draw.shape.d, draw.shape.c)
}

/// Perturbed rows of n, in no order.
fn perturbed(draw: &mut Draw) -> Vec<usize> {
    let n = draw.shape.n;
    let mut rows: Vec<usize> = (0..n).collect();
    for at in 0..n {
        let other = at + draw.below(n - at);
        rows.swap(at, other);
    }
    rows.truncate(1 + n / 2);
    rows
}

/// The weight of x² in the Hessian's diagonal.
fn weight(h: f64, scale: f64, multinomial: usize) -> f64 {
    if multinomial == 0 {
        h
    } else {
        scale * h * (1.0 - h)
    }
}

/// The Hessian's diagonal; `rows` are h, the scale of rows and λ₂.
fn diagonal(x: &[f64], rows: &[Vec<f64>], p: &[usize], out: &mut [Sum]) {
    let [h, scale, l2] = rows else { unreachable!() };
    let (n, d, c) = (p[0], p[1], p[2]);
    for j in 0..d {
        for k in 0..c {
            let at = j * c + k;
            let ridge = if at < p[3] { l2[at * p[5]] } else { 0.0 };
            // Twice the size: a sparse design expands the square.
            out[j * c + k] = (0..n)
                .map(|i| weight(h[i * c + k], scale[i], p[4]) * x[i * d + j].powi(2))
                .chain([ridge])
                .collect();
        }
    }
}

/// Curvatures of rows, of which some have none.
fn curvatures(draw: &mut Draw, n: usize) -> Given {
    draw.own_of(n, &mut |g| {
        if g.below(3) == 0 {
            0.0
        } else {
            g.number().abs() + 0.1
        }
    })
}

fn diagonal_inputs(draw: &mut Draw) -> (Vec<Given>, Vec<usize>) {
    let (n, d, c) = product_sizes(draw);
    let multinomial = usize::from(c > 1);
    let h = draw.own_of(n * c, &mut |g| g.number().abs() / 2.0);
    let penalized = if draw.turn.is_multiple_of(2) {
        d * c
    } else {
        (d - 1) * c
    };
    let scale = draw.either(n);
    let (l2, stride) = draw.ridges(penalized);
    (
        vec![h, scale, l2],
        vec![n, d, c, penalized, multinomial, stride],
    )
}

pub fn entries() -> Vec<Entry> {
    vec![
        Entry {
            kernel: &RESIDUAL,
            draw: |g| row_call(g, true, 1),
            reference: |i, p, out| {
                let (c, tag) = (p[1], p[2]);
                for row in 0..p[0] {
                    let (z, y, s) = (&i[0][row * c..][..c], i[1][row], i[2][row]);
                    if tag == MULTINOMIAL {
                        for (k, q) in softmax(z).into_iter().enumerate() {
                            let label = if y == k as f64 { 1.0 } else { 0.0 };
                            out[0][row * c + k] = [s * q, -s * label].into_iter().collect();
                        }
                    } else {
                        out[0][row] = terms(tag, z[0], y, i[3][0])[1]
                            .iter()
                            .map(|t| s * t)
                            .collect();
                    }
                }
            },
        },
        Entry {
            kernel: &CURVATURE,
            draw: |g| row_call(g, false, 1),
            reference: |i, p, out| {
                let (c, tag) = (p[1], p[2]);
                for row in 0..p[0] {
                    let (z, y, s) = (&i[0][row * c..][..c], i[1][row], i[2][row]);
                    if tag == MULTINOMIAL {
                        softmax(z)
                            .into_iter()
                            .enumerate()
                            .for_each(|(k, q)| out[0][row * c + k] = Sum::of(q));
                    } else {
                        out[0][row] = terms(tag, z[0], y, i[3][0])[2]
                            .iter()
                            .map(|t| s * t)
                            .collect();
                    }
                }
            },
        },
        Entry {
            kernel: &LOSS_VALUE,
            draw: |g| row_call(g, false, 0),
            reference: |i, p, out| {
                let (c, tag) = (p[1], p[2]);
                let mut all = Vec::new();
                for row in 0..p[0] {
                    let (z, y, s) = (&i[0][row * c..][..c], i[1][row], i[2][row]);
                    if tag == MULTINOMIAL {
                        let total: f64 = z.iter().map(|z| z.exp()).sum();
                        all.extend([s * total.ln(), -s * z[y as usize]]);
                    } else {
                        all.extend(terms(tag, z[0], y, i[3][0])[0].iter().map(|t| s * t));
                    }
                }
                out[0][0] = all.into_iter().collect();
            },
        },
        Entry {
            kernel: &APPLY_CURVATURE,
            draw: |g| {
                let (tag, c) = loss(g, false);
                let n = g.shape.n;
                Call {
                    inputs: vec![g.own(n * c), g.either(n)],
                    outputs: vec![g.own(n * c)],
                    parameters: vec![n, c, tag],
                }
            },
            reference: |i, p, out| {
                let (c, tag) = (p[1], p[2]);
                for row in 0..p[0] {
                    let (h, s) = (&i[0][row * c..][..c], i[1][row]);
                    let q: Vec<f64> = out[0][row * c..][..c].iter().map(|q| q.value).collect();
                    for k in 0..c {
                        // Row k of diag(p) − ppᵀ times q, with the row's scale.
                        out[0][row * c + k] = if tag == MULTINOMIAL {
                            (0..c)
                                .map(|l| -s * h[k] * h[l] * q[l])
                                .chain([s * h[k] * q[k]])
                                .collect()
                        } else {
                            Sum::of(h[k] * q[k])
                        };
                    }
                }
            },
        },
        Entry {
            kernel: &hyper::RIDGE_VJP,
            draw: |g| {
                let q = g.shape.d * g.shape.c;
                let stride = g.below(2);
                Call {
                    inputs: vec![
                        g.own(q + 2),
                        g.own(q + 2),
                        g.either(q + 2),
                        g.own(1),
                        g.either(1),
                    ],
                    outputs: vec![g.own(if stride == 1 { q } else { 1 })],
                    parameters: vec![q, stride],
                }
            },
            reference: |i, p, out| {
                let factor = i[3][0] * i[4][0];
                for j in 0..p[0] {
                    let out = &mut out[0][j * p[1]];
                    out.add(-factor * i[0][j] * i[1][j]);
                    out.add(factor * i[2][j] * i[1][j]);
                }
            },
        },
        Entry {
            kernel: &hyper::PRIOR_VJP,
            draw: |g| {
                let q = g.shape.d * g.shape.c;
                let (l2, stride) = g.ridges(q);
                Call {
                    inputs: vec![g.own(q + 1), l2, g.own(1), g.either(1)],
                    outputs: vec![g.own(q)],
                    parameters: vec![q, stride],
                }
            },
            reference: |i, p, out| {
                let factor = i[3][0] * i[2][0];
                (0..p[0]).for_each(|j| out[0][j].add(factor * i[1][j * p[1]] * i[0][j]))
            },
        },
        Entry {
            kernel: &hyper::WEIGHT_VJP,
            draw: |g| {
                let (n, _, c) = product_sizes(g);
                Call {
                    inputs: vec![g.own(n * c), g.own(n * c), g.own(1), g.either(1)],
                    outputs: vec![g.own(n)],
                    parameters: vec![n, c],
                }
            },
            reference: |i, p, out| {
                for at in 0..p[0] * p[1] {
                    out[0][at / p[1]].add(-i[3][0] * i[2][0] * i[0][at] * i[1][at]);
                }
            },
        },
        Entry {
            kernel: &hyper::HUBER_VJP,
            draw: |g| {
                let n = g.shape.n;
                Call {
                    inputs: vec![g.own(n), curvatures(g, n), g.own(n), g.own(1), g.either(1)],
                    outputs: vec![g.own(1)],
                    parameters: vec![n],
                }
            },
            reference: |i, p, out| {
                for row in (0..p[0]).filter(|&row| i[1][row] == 0.0) {
                    out[0][0].add(-i[4][0] * i[3][0] * i[0][row] * i[2][row]);
                }
            },
        },
        Entry {
            kernel: &hyper::HUBER_TANGENT,
            draw: |g| {
                let n = g.shape.n;
                Call {
                    inputs: vec![g.own(n), curvatures(g, n), g.own(1)],
                    outputs: vec![g.own(n)],
                    parameters: vec![n],
                }
            },
            reference: |i, p, out| {
                for row in (0..p[0]).filter(|&row| i[1][row] == 0.0) {
                    out[0][row].add(i[2][0] * i[0][row]);
                }
            },
        },
        Entry {
            kernel: &hyper::PERTURBATION_VJP,
            draw: |g| {
                let (n, d, c) = product_sizes(g);
                let rows = perturbed(g);
                Call {
                    inputs: vec![
                        word_table(&rows),
                        g.own(n * c),
                        g.own(n * c),
                        g.own((d + 1) * c),
                        g.own((d + 1) * c),
                        g.own(1),
                        g.either(1),
                    ],
                    outputs: vec![g.own(rows.len() * d)],
                    parameters: vec![rows.len(), d, c],
                }
            },
            reference: |i, p, out| {
                let (d, c, factor) = (p[1], p[2], -i[5][0] * i[6][0]);
                for at in 0..p[0] {
                    let row = i[0][at] as usize;
                    for j in 0..d {
                        for k in 0..c {
                            out[0][at * d + j].add(factor * i[3][j * c + k] * i[1][row * c + k]);
                            out[0][at * d + j].add(factor * i[4][j * c + k] * i[2][row * c + k]);
                        }
                    }
                }
            },
        },
        Entry {
            kernel: &hyper::RIDGE_TANGENT,
            draw: |g| {
                let q = g.shape.d * g.shape.c;
                let (l2, stride) = g.ridges(q);
                let tangents = g.own(if stride == 1 { q } else { 1 });
                Call {
                    inputs: vec![
                        g.own(q + 1),
                        g.either(q + 1),
                        l2,
                        tangents,
                        g.either(q + 1),
                        g.own(1),
                    ],
                    outputs: vec![g.own(q + 1)],
                    parameters: vec![q, stride],
                }
            },
            reference: |i, p, out| {
                let gamma = i[5][0];
                for j in 0..p[0] {
                    let at = j * p[1];
                    out[0][j].add(-gamma * i[3][at] * i[0][j]);
                    out[0][j].add(gamma * i[3][at] * i[1][j]);
                    out[0][j].add(gamma * i[2][at] * i[4][j]);
                }
            },
        },
        Entry {
            kernel: &hyper::WEIGHT_TANGENT,
            draw: |g| {
                let (n, _, c) = product_sizes(g);
                Call {
                    inputs: vec![g.own(n * c), g.either(n)],
                    outputs: vec![g.own(n * c)],
                    parameters: vec![n, c],
                }
            },
            reference: |i, p, out| {
                (0..p[0] * p[1]).for_each(|at| out[0][at].add(i[0][at] * i[1][at / p[1]]))
            },
        },
        Entry {
            kernel: &hyper::PERTURBED_PRODUCT,
            draw: |g| {
                let (n, d, c) = product_sizes(g);
                let rows = perturbed(g);
                Call {
                    inputs: vec![
                        word_table(&rows),
                        g.either(rows.len() * d),
                        g.own((d + 1) * c),
                    ],
                    outputs: vec![g.own(n * c)],
                    parameters: vec![rows.len(), d, c],
                }
            },
            reference: |i, p, out| {
                let (d, c) = (p[1], p[2]);
                for at in 0..p[0] {
                    for (j, k) in (0..d * c).map(|e| (e / c, e % c)) {
                        out[0][i[0][at] as usize * c + k].add(i[1][at * d + j] * i[2][j * c + k]);
                    }
                }
            },
        },
        Entry {
            kernel: &hyper::PERTURBED_ADJOINT,
            draw: |g| {
                let (n, d, c) = product_sizes(g);
                let rows = perturbed(g);
                Call {
                    inputs: vec![word_table(&rows), g.either(rows.len() * d), g.own(n * c)],
                    outputs: vec![g.own((d + 1) * c)],
                    parameters: vec![rows.len(), d, c],
                }
            },
            reference: |i, p, out| {
                let (d, c) = (p[1], p[2]);
                for at in 0..p[0] {
                    for (j, k) in (0..d * c).map(|e| (e / c, e % c)) {
                        out[0][j * c + k].add(i[1][at * d + j] * i[2][i[0][at] as usize * c + k]);
                    }
                }
            },
        },
        Entry {
            kernel: &cg::HESSIAN_DIAGONAL,
            draw: |g| {
                let (n, d, c) = product_sizes(g);
                let x = g.shared(n * d);
                let (inputs, parameters) = diagonal_inputs(g);
                Call {
                    inputs: [vec![x], inputs].concat(),
                    outputs: vec![g.own(d * c)],
                    parameters,
                }
            },
            reference: |i, p, out| diagonal(&i[0], &i[1..], p, &mut out[0]),
        },
        Entry {
            kernel: &cg::SPARSE_HESSIAN_DIAGONAL,
            draw: |g| {
                let (n, d, c) = product_sizes(g);
                let matrix = csr(g, n, d).to_vec();
                let scaling = vec![g.shared(d), g.shared(d)];
                let (inputs, parameters) = diagonal_inputs(g);
                Call {
                    inputs: [matrix, scaling, inputs].concat(),
                    outputs: vec![g.own(d * c)],
                    parameters,
                }
            },
            reference: |i, p, out| {
                let (d, c) = (p[1], p[2]);
                let mut x = expand(&i[0], &i[1], &i[2], d);
                // x² − 2mx + m² in parts is as exact as their sizes allow.
                let sizes: Vec<f64> = x
                    .iter()
                    .enumerate()
                    .map(|(at, x)| ((x.abs() + i[3][at % d].abs()) * i[4][at % d]).powi(2))
                    .collect();
                x.iter_mut()
                    .enumerate()
                    .for_each(|(at, x)| *x = (*x - i[3][at % d]) * i[4][at % d]);
                diagonal(&x, &i[5..], p, &mut out[0]);
                for (at, sum) in out[0].iter_mut().enumerate() {
                    let (j, k) = (at / c, at % c);
                    sum.magnitude += (0..p[0])
                        .map(|row| {
                            (weight(i[5][row * c + k], i[6][row], p[4]) * sizes[row * d + j]).abs()
                        })
                        .sum::<f64>();
                }
            },
        },
    ]
}

//! Products, elementwise steps and reductions.

use proxdiff::kernel::{cg, criterion, hyper, product, sparse, step};

use crate::compare::Sum;
use crate::harness::{Call, Draw, Entry, Given, table, word_table};

/// A dense matrix with holes, by rows: starts, columns, values.
pub fn csr(draw: &mut Draw, rows: usize, columns: usize) -> [Given; 3] {
    let (mut starts, mut indices, mut values) = (vec![0], Vec::new(), Vec::new());
    for i in 0..rows {
        for j in 0..columns {
            if (draw.below(3) > 0) != (i % 4 == 3) {
                indices.push(j);
                values.push(draw.number());
            }
        }
        starts.push(indices.len());
    }
    // One entry that no row owns, so that the tables are never empty.
    indices.push(0);
    values.push(draw.number());
    [word_table(&starts), word_table(&indices), table(&values)]
}

/// The matrix of [`csr`], row-major.
pub fn expand(starts: &[f64], indices: &[f64], values: &[f64], columns: usize) -> Vec<f64> {
    let rows = starts.len() - 1;
    let mut dense = vec![0.0; rows * columns];
    for i in 0..rows {
        for at in starts[i] as usize..starts[i + 1] as usize {
            dense[i * columns + indices[at] as usize] += values[at];
        }
    }
    dense
}

fn entry(
    kernel: &'static proxdiff::exec::Kernel,
    draw: fn(&mut Draw) -> Call,
    reference: crate::harness::Reference,
) -> Entry {
    Entry {
        kernel,
        draw,
        reference,
    }
}

fn call(inputs: Vec<Given>, outputs: Vec<Given>, parameters: &[usize]) -> Call {
    Call {
        inputs,
        outputs,
        parameters: parameters.to_vec(),
    }
}

/// Coordinates with intercepts, and how many of them are penalised.
fn sizes(draw: &Draw) -> (usize, usize) {
    let (d, c) = (draw.shape.d, draw.shape.c);
    if draw.turn.is_multiple_of(2) {
        (d * c, d * c)
    } else {
        ((d + 1) * c, d * c)
    }
}

pub fn entries() -> Vec<Entry> {
    vec![
        entry(
            &product::DENSE_PRODUCT,
            |g| {
                let s = g.shape;
                call(
                    vec![g.shared(s.n * s.d), g.own(s.d * s.c)],
                    vec![g.own(s.n * s.c)],
                    &[s.n, s.d, s.c],
                )
            },
            |i, p, out| {
                for row in 0..p[0] {
                    for k in 0..p[2] {
                        out[0][row * p[2] + k] = (0..p[1])
                            .map(|j| i[0][row * p[1] + j] * i[1][j * p[2] + k])
                            .collect();
                    }
                }
            },
        ),
        entry(
            &product::DENSE_ADJOINT,
            |g| {
                let s = g.shape;
                call(
                    vec![g.shared(s.n * s.d), g.own(s.n * s.c)],
                    vec![g.own(s.d * s.c)],
                    &[s.n, s.d, s.c],
                )
            },
            |i, p, out| {
                for j in 0..p[1] {
                    for k in 0..p[2] {
                        out[0][j * p[2] + k] = (0..p[0])
                            .map(|row| i[0][row * p[1] + j] * i[1][row * p[2] + k])
                            .collect();
                    }
                }
            },
        ),
        entry(
            &sparse::SPARSE_PRODUCT,
            |g| {
                let s = g.shape;
                let [starts, indices, values] = csr(g, s.n, s.d);
                call(
                    vec![starts, indices, values, g.own(s.d * s.c)],
                    vec![g.own(s.n * s.c)],
                    &[s.n, s.c],
                )
            },
            |i, p, out| {
                let (c, d) = (p[1], i[3].len() / p[1]);
                let x = expand(&i[0], &i[1], &i[2], d);
                for row in 0..p[0] {
                    for k in 0..c {
                        out[0][row * c + k] =
                            (0..d).map(|j| x[row * d + j] * i[3][j * c + k]).collect();
                    }
                }
            },
        ),
        entry(
            &sparse::SCALE_AND_OFFSET,
            |g| {
                let s = g.shape;
                call(
                    vec![g.shared(s.d), g.shared(s.d), g.own(s.d * s.c)],
                    vec![g.own(s.d * s.c), g.own(s.c)],
                    &[s.d, s.c],
                )
            },
            |i, p, out| {
                for k in 0..p[1] {
                    for j in 0..p[0] {
                        out[0][j * p[1] + k] = Sum::of(i[2][j * p[1] + k] * i[1][j]);
                    }
                    out[1][k] = (0..p[0])
                        .map(|j| i[0][j] * i[2][j * p[1] + k] * i[1][j])
                        .collect();
                }
            },
        ),
        entry(
            &sparse::SUBTRACT_OFFSET,
            |g| {
                let s = g.shape;
                call(vec![g.own(s.c)], vec![g.own(s.n * s.c)], &[s.n, s.c])
            },
            |i, p, out| (0..p[0] * p[1]).for_each(|at| out[0][at].add(-i[0][at % p[1]])),
        ),
        entry(
            &sparse::CENTER_ADJOINT,
            |g| {
                let s = g.shape;
                call(
                    vec![g.shared(s.d), g.shared(s.d), g.own(s.n * s.c)],
                    vec![g.own(s.d * s.c)],
                    &[s.n, s.d, s.c],
                )
            },
            |i, p, out| {
                for j in 0..p[1] {
                    for k in 0..p[2] {
                        let before = out[0][j * p[2] + k].value;
                        let terms = (0..p[0]).map(|row| -i[0][j] * i[2][row * p[2] + k] * i[1][j]);
                        out[0][j * p[2] + k] = terms.chain([before * i[1][j]]).collect();
                    }
                }
            },
        ),
        entry(
            &step::GRADIENT_STEP,
            |g| {
                let (p, q) = sizes(g);
                let (l2, stride) = g.ridges(q);
                call(
                    vec![g.either(p), g.either(p), g.either(p), l2, g.either(1)],
                    vec![g.own(p)],
                    &[p, q, stride],
                )
            },
            |i, p, out| {
                for j in 0..p[0] {
                    let ridge = if j < p[1] { i[3][j * p[2]] } else { 0.0 };
                    let gamma = i[4][0];
                    out[0][j] = [
                        i[0][j],
                        -gamma * i[1][j],
                        -gamma * ridge * i[0][j],
                        gamma * ridge * i[2][j],
                    ]
                    .into_iter()
                    .collect();
                }
            },
        ),
        entry(
            &step::HESSIAN_STEP,
            |g| {
                let (p, q) = sizes(g);
                let (l2, stride) = g.ridges(q);
                call(
                    vec![g.own(p), g.own(p), g.either(p), l2, g.own(1)],
                    vec![g.own(p)],
                    &[p, q, stride],
                )
            },
            |i, p, out| {
                for j in 0..p[0] {
                    let ridge = if j < p[1] { i[3][j * p[2]] } else { 0.0 };
                    let gamma = i[4][0];
                    out[0][j] = [i[0][j], -gamma * i[1][j], -gamma * ridge * i[0][j], i[2][j]]
                        .into_iter()
                        .collect();
                }
            },
        ),
        entry(
            &step::RELAX,
            |g| {
                let (p, _) = sizes(g);
                call(vec![g.own(p), g.either(1)], vec![g.own(p)], &[p])
            },
            |i, p, out| {
                for j in 0..p[0] {
                    let (x, eta) = (out[0][j].value, i[1][0]);
                    out[0][j] = [x, -eta * x, eta * i[0][j]].into_iter().collect();
                }
            },
        ),
        entry(
            &step::COMBINE,
            |g| {
                let (p, _) = sizes(g);
                call(
                    vec![g.either(p), g.either(p), g.either(1)],
                    vec![g.own(p)],
                    &[p],
                )
            },
            |i, p, out| {
                (0..p[0])
                    .for_each(|j| out[0][j] = [i[0][j], i[2][0] * i[1][j]].into_iter().collect())
            },
        ),
        entry(
            &step::DOT,
            |g| {
                let (p, _) = sizes(g);
                call(vec![g.either(p), g.either(p)], vec![g.own(1)], &[p])
            },
            |i, p, out| out[0][0] = (0..p[0]).map(|j| i[0][j] * i[1][j]).collect(),
        ),
        entry(
            &step::DISTANCE,
            |g| {
                let (p, _) = sizes(g);
                let gamma = g.own_of(1, &mut |g| 0.1 + g.number().abs());
                call(vec![g.either(p), g.either(p), gamma], vec![g.own(1)], &[p])
            },
            |i, p, out| {
                let sum: f64 = (0..p[0]).map(|j| (i[0][j] - i[1][j]).powi(2)).sum();
                out[0][0] = Sum::of(sum.sqrt() / i[2][0]);
            },
        ),
        entry(
            &step::SELECT,
            |g| {
                let (p, _) = sizes(g);
                let all = g.turn % 3 == 0;
                let active = g.own_words(1, &mut |g| if all { 1.0 } else { g.below(2) as f64 });
                call(vec![g.own(p), active], vec![g.own(p)], &[p])
            },
            |i, p, out| {
                if i[1][0] != 0.0 {
                    (0..p[0]).for_each(|j| out[0][j] = Sum::of(i[0][j]));
                }
            },
        ),
        entry(
            &step::ACCUMULATE,
            |g| {
                let (p, _) = sizes(g);
                call(vec![g.own(p), g.either(1)], vec![g.own(p)], &[p])
            },
            |i, p, out| (0..p[0]).for_each(|j| out[0][j].add(i[1][0] * i[0][j])),
        ),
        entry(
            &step::ADD_RIDGE,
            |g| {
                let (p, q) = sizes(g);
                let (l2, stride) = g.ridges(q);
                call(
                    vec![g.own(p), g.own(p), l2],
                    vec![g.own(p)],
                    &[p, q, stride],
                )
            },
            |i, p, out| {
                for j in 0..p[0] {
                    let ridge = if j < p[1] { i[2][j * p[2]] } else { 0.0 };
                    out[0][j] = [i[1][j], ridge * i[0][j]].into_iter().collect();
                }
            },
        ),
        entry(
            &step::WORSE_RATIO,
            |g| {
                let mut value = |g: &mut Draw| {
                    if g.below(4) == 0 {
                        0.0
                    } else {
                        g.number().abs() + 0.01
                    }
                };
                let parts = (0..4).map(|_| g.either_of(1, &mut value)).collect();
                call(parts, vec![g.own(1)], &[])
            },
            |i, _, out| {
                let ratio = |a: f64, b: f64| if a == 0.0 { 0.0 } else { a / b };
                out[0][0] = Sum::of(ratio(i[0][0], i[1][0]).max(ratio(i[2][0], i[3][0])));
            },
        ),
        entry(
            &criterion::QUADRATIC_VALUE,
            |g| {
                let (p, _) = sizes(g);
                call(vec![g.own(p), g.own(p), g.either(p)], vec![g.own(1)], &[p])
            },
            |i, p, out| {
                out[0][0] = (0..p[0])
                    .flat_map(|j| [0.5 * i[0][j] * i[1][j], -i[0][j] * i[2][j]])
                    .collect();
            },
        ),
        entry(
            &criterion::SCALE,
            |g| {
                let (p, _) = sizes(g);
                call(vec![g.either(1)], vec![g.own(p)], &[p])
            },
            |i, p, out| (0..p[0]).for_each(|j| out[0][j] = Sum::of(i[0][0] * out[0][j].value)),
        ),
        entry(
            &hyper::SUBTRACT_SCALED,
            |g| {
                let (p, _) = sizes(g);
                call(vec![g.own(p), g.either(1)], vec![g.own(p)], &[p])
            },
            |i, p, out| (0..p[0]).for_each(|j| out[0][j].add(-i[1][0] * i[0][j])),
        ),
        entry(
            &cg::CG_ALPHA,
            |g| {
                let active = g.either_words(1, &mut |g| g.below(3) as f64);
                let sigma = g.own_of(1, &mut |g| if g.below(5) == 0 { 0.0 } else { g.number() });
                call(vec![g.own(1), sigma, active], vec![g.own(1), g.own(1)], &[])
            },
            |i, _, out| {
                let alpha = if i[2][0] != 0.0 && i[1][0] > 0.0 {
                    i[0][0] / i[1][0]
                } else {
                    0.0
                };
                out[0][0] = Sum::of(alpha);
                out[1][0] = Sum::of(-alpha);
            },
        ),
        entry(
            &cg::CG_BETA,
            |g| {
                let old = g.own_of(1, &mut |g| if g.below(4) == 0 { 0.0 } else { g.number() });
                call(vec![g.own(1)], vec![g.own(1), old], &[])
            },
            |i, _, out| {
                let old = out[1][0].value;
                out[0][0] = Sum::of(if old == 0.0 { 0.0 } else { i[0][0] / old });
                out[1][0] = Sum::of(i[0][0]);
            },
        ),
        entry(
            &cg::DIVIDE,
            |g| {
                let (p, _) = sizes(g);
                let diagonal = g.own_of(p, &mut |g| {
                    if g.below(4) == 0 {
                        0.0
                    } else {
                        g.number().abs() + 0.1
                    }
                });
                call(vec![g.own(p), diagonal], vec![g.own(p)], &[p])
            },
            |i, p, out| {
                for j in 0..p[0] {
                    let diagonal = if i[1][j] == 0.0 { 1.0 } else { i[1][j] };
                    out[0][j] = Sum::of(i[0][j] / diagonal);
                }
            },
        ),
        entry(
            &cg::CENTER_CLASSES,
            |g| {
                let (p, c) = ((g.shape.d + 1) * g.shape.c, g.shape.c);
                call(vec![], vec![g.own(p)], &[p, c])
            },
            |_, p, out| {
                let last: Vec<f64> = out[0][p[0] - p[1]..].iter().map(|x| x.value).collect();
                for k in 0..p[1] {
                    let mean = last.iter().map(|x| -x / p[1] as f64);
                    out[0][p[0] - p[1] + k] = mean.chain([last[k]]).collect();
                }
            },
        ),
        entry(
            &cg::SQUARE_ROOT,
            |g| call(vec![], vec![g.own_of(1, &mut |g| g.number().abs())], &[]),
            |_, _, out| out[0][0] = Sum::of(out[0][0].value.sqrt()),
        ),
    ]
}

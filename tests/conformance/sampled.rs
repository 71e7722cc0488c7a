//! Products with the rows of a minibatch.

use proxdiff::kernel::sampled::{
    ADVANCE, GATHER_ROWS, SAMPLED_ADJOINT, SAMPLED_PRODUCT, SAMPLED_SPARSE_ADJOINT,
    SAMPLED_SPARSE_PRODUCT,
};

use crate::compare::Sum;
use crate::harness::{Call, Draw, Entry, Given};
use crate::linear::{csr, expand};

const RING: usize = 3;

/// Rows of a ring of minibatches, and the step of all problems.
fn minibatch(draw: &mut Draw) -> (Given, Given, usize) {
    let n = draw.shape.n;
    let batch = 1 + draw.below(n.min(5));
    let rows = draw.either_words(batch * RING, &mut |g| g.below(n) as f64);
    let step = draw.turn;
    (rows, draw.own_words(1, &mut |_| step as f64), batch)
}

/// The rows that a step sees.
fn slot(rows: &[f64], counter: f64, batch: usize) -> Vec<usize> {
    rows[counter as usize % RING * batch..][..batch]
        .iter()
        .map(|&row| row as usize)
        .collect()
}

fn product(x: &[f64], rows: &[usize], w: &[f64], (d, c): (usize, usize), out: &mut [Sum]) {
    for (at, row) in rows.iter().enumerate() {
        for k in 0..c {
            out[at * c + k] = (0..d).map(|j| x[row * d + j] * w[j * c + k]).collect();
        }
    }
}

fn adjoint(x: &[f64], rows: &[usize], r: &[f64], (d, c): (usize, usize), out: &mut [Sum]) {
    for j in 0..d {
        for k in 0..c {
            out[j * c + k] = rows
                .iter()
                .enumerate()
                .map(|(at, row)| x[row * d + j] * r[at * c + k])
                .collect();
        }
    }
}

pub fn entries() -> Vec<Entry> {
    vec![
        Entry {
            kernel: &SAMPLED_PRODUCT,
            draw: |g| {
                let s = g.shape;
                let (rows, counter, batch) = minibatch(g);
                Call {
                    inputs: vec![g.shared(s.n * s.d), rows, counter, g.own(s.d * s.c)],
                    outputs: vec![g.own(batch * s.c)],
                    parameters: vec![batch, RING, s.d, s.c],
                }
            },
            reference: |i, p, out| {
                product(
                    &i[0],
                    &slot(&i[1], i[2][0], p[0]),
                    &i[3],
                    (p[2], p[3]),
                    &mut out[0],
                )
            },
        },
        Entry {
            kernel: &SAMPLED_ADJOINT,
            draw: |g| {
                let s = g.shape;
                let (rows, counter, batch) = minibatch(g);
                Call {
                    inputs: vec![g.shared(s.n * s.d), rows, counter, g.own(batch * s.c)],
                    outputs: vec![g.own(s.d * s.c)],
                    parameters: vec![batch, RING, s.d, s.c],
                }
            },
            reference: |i, p, out| {
                adjoint(
                    &i[0],
                    &slot(&i[1], i[2][0], p[0]),
                    &i[3],
                    (p[2], p[3]),
                    &mut out[0],
                )
            },
        },
        Entry {
            kernel: &SAMPLED_SPARSE_PRODUCT,
            draw: |g| {
                let s = g.shape;
                let (rows, counter, batch) = minibatch(g);
                let [starts, indices, values] = csr(g, s.n, s.d);
                Call {
                    inputs: vec![starts, indices, values, rows, counter, g.own(s.d * s.c)],
                    outputs: vec![g.own(batch * s.c)],
                    parameters: vec![batch, RING, s.c],
                }
            },
            reference: |i, p, out| {
                let d = i[5].len() / p[2];
                let x = expand(&i[0], &i[1], &i[2], d);
                product(
                    &x,
                    &slot(&i[3], i[4][0], p[0]),
                    &i[5],
                    (d, p[2]),
                    &mut out[0],
                );
            },
        },
        Entry {
            kernel: &SAMPLED_SPARSE_ADJOINT,
            draw: |g| {
                let s = g.shape;
                let (rows, counter, batch) = minibatch(g);
                let [starts, indices, values] = csr(g, s.n, s.d);
                // All rows and entries, or a later part of them, which is added.
                let (first, count) = match g.turn % 2 {
                    0 => (0, batch),
                    _ => (g.below(batch), 1 + g.below(batch)),
                };
                let (skip, take) = match g.turn % 3 {
                    0 => (0, s.d),
                    _ => (g.below(s.d), 1 + g.below(s.d)),
                };
                Call {
                    inputs: vec![starts, indices, values, rows, counter, g.own(batch * s.c)],
                    outputs: vec![g.own(s.d * s.c)],
                    parameters: vec![batch, RING, s.d, s.c, first, count, skip, take],
                }
            },
            reference: |i, p, out| {
                let (d, c) = (p[2], p[3]);
                // The entries of the window alone.
                let mut values = vec![0.0; i[2].len()];
                for ends in i[0].windows(2) {
                    let begin = ends[0] as usize + p[6];
                    let end = (ends[1] as usize).min(begin + p[7]);
                    let window = begin.min(end)..end;
                    values[window.clone()].copy_from_slice(&i[2][window]);
                }
                let x = expand(&i[0], &i[1], &values, d);
                let (first, last) = (p[4], p[0].min(p[4] + p[5]));
                let mut part: Vec<Sum> = vec![Sum::default(); d * c];
                let rows = &slot(&i[3], i[4][0], p[0])[first..last];
                adjoint(&x, rows, &i[5][first * c..], (d, c), &mut part);
                for (out, part) in out[0].iter_mut().zip(part) {
                    if first == 0 && p[6] == 0 {
                        *out = part;
                    } else {
                        out.value += part.value;
                        out.magnitude += part.magnitude;
                    }
                }
            },
        },
        Entry {
            kernel: &GATHER_ROWS,
            draw: |g| {
                let s = g.shape;
                let (rows, counter, batch) = minibatch(g);
                Call {
                    inputs: vec![g.either(s.n * s.c), rows, counter, g.shared(1)],
                    outputs: vec![g.own(batch * s.c)],
                    parameters: vec![batch, RING, s.c],
                }
            },
            reference: |i, p, out| {
                for (at, row) in slot(&i[1], i[2][0], p[0]).into_iter().enumerate() {
                    (0..p[2]).for_each(|k| {
                        out[0][at * p[2] + k] = Sum::of(i[3][0] * i[0][row * p[2] + k])
                    });
                }
            },
        },
        Entry {
            kernel: &ADVANCE,
            draw: |g| Call {
                outputs: vec![g.own_words(1, &mut |g| g.below(1 << 31) as f64)],
                ..Call::default()
            },
            reference: |_, _, out| out[0][0] = Sum::of(out[0][0].value + 1.0),
        },
    ]
}

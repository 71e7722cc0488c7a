//! The prox and everything taken from its derivative, against dense matrices built from the table
//! of penalties. Values are binary fractions, so that kinks are hit exactly, in both precisions.

use proxdiff::kernel::prox::{
    BOUND_VJP, LIFT, PROX, PROX_CURVATURE, PROX_DERIVATIVE, PROX_DIAGONAL, PROX_TANGENT,
    RANGE_PROJECTION, SHARED_STRENGTH_VJP, STRENGTH_VJP,
};
use proxdiff::kernel::trace::{PIECE_STORE, PIECE_VJP};

use crate::compare::Sum;
use crate::harness::{Call, Draw, Entry, Given, table, word_table};

#[path = "dense_penalty.rs"]
mod dense_penalty;

use dense_penalty::{BOUNDED, BOX, Dense, GROUP, NON_NEGATIVE, SOFT, SPARSE_GROUP};

const SLOTS: usize = 3;

/// Row j of a product M·v.
fn times(m: &[Vec<f64>], v: &[f64], j: usize) -> Sum {
    m[j].iter().zip(v).map(|(m, v)| m * v).collect()
}

/// The bindings of the family for a penalty in turn, and its sizes.
fn penalty(draw: &mut Draw, groups_too: bool) -> (Vec<Given>, [usize; 3], usize) {
    let tags: &[usize] = if groups_too {
        &[SOFT, GROUP, NON_NEGATIVE, BOX, SPARSE_GROUP, BOUNDED]
    } else {
        &[SOFT, NON_NEGATIVE, BOX]
    };
    let tag = tags[draw.turn % tags.len()];
    let q = draw.shape.d * draw.shape.c;
    let p = if draw.turn % 7 < 4 {
        q + draw.shape.c
    } else {
        q
    };
    // A partition in no order, groups of unequal size.
    let count = 1 + q / 3;
    let labels: Vec<usize> = (0..q)
        .map(|j| if j < count { j } else { draw.below(count) })
        .collect();
    let (mut order, mut starts) = (Vec::new(), vec![0]);
    for g in 0..count {
        order.extend((0..q).rev().filter(|&j| labels[j] == g));
        starts.push(order.len());
    }
    let entries = match tag {
        GROUP => count,
        SPARSE_GROUP => 1 + count,
        _ => q,
    };
    let u = draw.own_of(p, &mut |g| {
        if g.below(6) == 0 {
            0.0
        } else {
            g.below(33) as f64 / 8.0 - 2.0
        }
    });
    let strengths: Vec<f64> = (0..entries)
        .map(|_| [0.0, 0.5, 1.0, 2.0][draw.below(4)])
        .collect();
    let l1 = draw.own_of(1, &mut |g| [0.0, 0.5, 1.0, 2.0][g.below(4)]);
    let gamma = draw.own_of(1, &mut |g| [0.25, 0.5][g.below(2)]);
    let pairs = [
        [-0.5, 0.75],
        [0.0, 1.0],
        [f64::NEG_INFINITY, 0.5],
        [0.25, 1.0],
        [-1.0, 0.0],
        [-0.5, -0.25],
        [0.0, 0.0],
    ];
    let bounds = if tag == BOUNDED {
        (0..q).flat_map(|_| pairs[draw.below(7)]).collect()
    } else {
        pairs[draw.below(3)].to_vec()
    };
    let (order, starts) = if tag == GROUP || tag == SPARSE_GROUP {
        (order, starts)
    } else {
        (vec![0], vec![0])
    };
    let inputs = vec![
        u,
        table(&strengths),
        l1,
        gamma,
        table(&bounds),
        word_table(&order),
        word_table(&starts),
    ];
    (inputs, [p, q, tag], entries)
}

/// The number of bounds of a penalty of these sizes.
fn pairs([_, penalized, tag]: [usize; 3]) -> usize {
    if tag == BOUNDED { 2 * penalized } else { 2 }
}

/// A call with further vectors of p entries and one output of p entries.
fn vectors(draw: &mut Draw, more: usize) -> Call {
    let (mut inputs, size, _) = penalty(draw, true);
    for _ in 0..more {
        inputs.push(draw.own(size[0]));
    }
    Call {
        inputs,
        outputs: vec![draw.own(size[0])],
        parameters: size.to_vec(),
    }
}

/// A call with a vector of p entries and a factor, and an output for every strength.
fn strengths(draw: &mut Draw) -> Call {
    let (mut inputs, size, entries) = penalty(draw, true);
    inputs.extend([draw.own(size[0]), draw.either(1)]);
    Call {
        inputs,
        outputs: vec![draw.own(entries)],
        parameters: size.to_vec(),
    }
}

/// The piece of coordinate j as two bits.
fn piece(dense: &Dense, j: usize) -> usize {
    let u = dense.u[j];
    match dense.tag {
        BOX if u >= dense.bounds[1] => 1,
        BOX => 2 * usize::from(u <= dense.bounds[0]),
        _ if !dense.inside(j) => 0,
        _ if u > 0.0 => 1,
        _ if u < 0.0 => 2,
        _ => 3,
    }
}

pub fn entries() -> Vec<Entry> {
    vec![
        Entry {
            kernel: &PROX,
            draw: |g| vectors(g, 0),
            reference: |i, p, out| {
                let dense = Dense::new(i, p);
                for j in 0..dense.p {
                    let u = dense.u[j];
                    let magnitude = u.abs();
                    let value = if j >= dense.penalized {
                        u
                    } else {
                        match dense.tag {
                            SOFT => u.signum() * (u.abs() - dense.thresholds[j]).max(0.0),
                            NON_NEGATIVE => (u - dense.thresholds[j]).max(0.0),
                            BOX => u.max(dense.bounds[0]).min(dense.bounds[1]),
                            BOUNDED => {
                                let [lower, upper] = dense.bounds_of(j);
                                dense.shrunk(j).max(lower).min(upper)
                            }
                            _ => {
                                let g = (0..dense.groups.len())
                                    .find(|&g| dense.groups[g].contains(&j))
                                    .unwrap();
                                let s = dense.s(j);
                                if dense.active(g) && s != 0.0 {
                                    s - dense.threshold(g) * s / dense.norm(g)
                                } else {
                                    0.0
                                }
                            }
                        }
                    };
                    out[0][j] = Sum {
                        value,
                        magnitude: magnitude + value.abs(),
                    };
                }
            },
        },
        Entry {
            kernel: &PROX_DERIVATIVE,
            draw: |g| vectors(g, 1),
            reference: |i, p, out| {
                let dense = Dense::new(i, p);
                let (m, range) = (dense.derivative(), dense.range());
                for j in 0..p[0] {
                    out[0][j] = times(&m, &i[7], j);
                    // The terms of (1 − t)v are v and tv.
                    out[0][j].magnitude += range[j][j] * i[7][j].abs();
                }
            },
        },
        Entry {
            kernel: &RANGE_PROJECTION,
            draw: |g| vectors(g, 1),
            reference: |i, p, out| {
                let m = Dense::new(i, p).range();
                (0..p[0]).for_each(|j| out[0][j] = times(&m, &i[7], j));
            },
        },
        Entry {
            kernel: &PROX_CURVATURE,
            draw: |g| vectors(g, 1),
            reference: |i, p, out| {
                // out + (D⁺ − I)z/γ on the range.
                let dense = Dense::new(i, p);
                let (inverse, range) = (dense.inverse(), dense.range());
                for j in 0..p[0] {
                    let (a, b) = (times(&inverse, &i[7], j), times(&range, &i[7], j));
                    let change = Sum {
                        value: (a.value - b.value) / dense.gamma,
                        magnitude: (a.magnitude + b.magnitude) / dense.gamma,
                    };
                    out[0][j].value += change.value;
                    out[0][j].magnitude += change.conditioned(dense.condition()).magnitude;
                }
            },
        },
        Entry {
            kernel: &PROX_DIAGONAL,
            draw: |g| vectors(g, 0),
            reference: |i, p, out| {
                let dense = Dense::new(i, p);
                let (inverse, range) = (dense.inverse(), dense.range());
                for j in 0..p[0] {
                    if range[j][j] == 0.0 {
                        out[0][j] = Sum::of(1.0);
                    } else {
                        out[0][j].value += (inverse[j][j] - 1.0) / dense.gamma;
                        out[0][j].magnitude +=
                            (inverse[j][j] + 1.0) / dense.gamma * dense.condition();
                    }
                }
            },
        },
        Entry {
            kernel: &LIFT,
            draw: |g| vectors(g, 2),
            reference: |i, p, out| {
                let dense = Dense::new(i, p);
                let (inverse, range) = (dense.inverse(), dense.range());
                for j in 0..p[0] {
                    out[0][j] = if range[j][j] == 0.0 {
                        Sum::of(i[8][j])
                    } else {
                        times(&inverse, &i[7], j).conditioned(dense.condition())
                    };
                }
            },
        },
        Entry {
            kernel: &STRENGTH_VJP,
            draw: strengths,
            reference: |i, p, out| {
                // The strength that grouped coordinates share has a kernel of its own.
                let dense = Dense::new(i, p);
                for (j, row) in dense.strengths().iter().enumerate() {
                    row.iter()
                        .enumerate()
                        .skip(dense.first())
                        .for_each(|(at, m)| out[0][at].add(i[8][0] * m * i[7][j]));
                }
            },
        },
        Entry {
            kernel: &SHARED_STRENGTH_VJP,
            draw: strengths,
            reference: |i, p, out| {
                let dense = Dense::new(i, p);
                if dense.first() == 1 {
                    for (j, row) in dense.strengths().iter().enumerate() {
                        out[0][0].add(i[8][0] * row[0] * i[7][j]);
                    }
                }
            },
        },
        Entry {
            kernel: &PROX_TANGENT,
            draw: |g| {
                let (mut inputs, size, entries) = penalty(g, true);
                inputs.extend([g.own(entries), g.own(pairs(size))]);
                Call {
                    inputs,
                    outputs: vec![g.own(size[0])],
                    parameters: size.to_vec(),
                }
            },
            reference: |i, p, out| {
                let dense = Dense::new(i, p);
                let (strengths, bounds) = (dense.strengths(), dense.bound_columns());
                for j in 0..p[0] {
                    for (m, tangent) in [(&strengths, &i[7]), (&bounds, &i[8])] {
                        m[j].iter()
                            .zip(tangent)
                            .for_each(|(m, t)| out[0][j].add(m * t));
                    }
                }
            },
        },
        Entry {
            kernel: &BOUND_VJP,
            draw: |g| {
                let (mut inputs, size, _) = penalty(g, true);
                inputs.extend([g.own(size[0]), g.either(1)]);
                Call {
                    inputs,
                    outputs: vec![g.own(pairs(size))],
                    parameters: size.to_vec(),
                }
            },
            reference: |i, p, out| {
                for (j, row) in Dense::new(i, p).bound_columns().iter().enumerate() {
                    row.iter()
                        .enumerate()
                        .for_each(|(at, m)| out[0][at].add(i[8][0] * m * i[7][j]));
                }
            },
        },
        Entry {
            kernel: &PIECE_STORE,
            draw: |g| {
                let (mut inputs, [_, q, tag], _) = penalty(g, false);
                inputs.truncate(5);
                let step = g.turn;
                inputs.push(g.own_words(1, &mut |_| step as f64));
                let old = g.own_words(SLOTS * q.div_ceil(16), &mut |g| g.below(1 << 32) as f64);
                Call {
                    inputs,
                    outputs: vec![old],
                    parameters: vec![q, SLOTS, tag],
                }
            },
            reference: |i, p, out| {
                let mut inputs = i[..5].to_vec();
                inputs.extend([vec![0.0], vec![0.0]]);
                let dense = Dense::new(&inputs, &[p[0], p[0], p[2]]);
                let words = p[0].div_ceil(16);
                let at = i[5][0] as usize % SLOTS * words;
                for word in 0..words {
                    let bits = (16 * word..(16 * word + 16).min(p[0]))
                        .map(|j| piece(&dense, j) << (2 * (j - 16 * word)));
                    out[0][at + word] = Sum::of(bits.sum::<usize>() as f64);
                }
            },
        },
        Entry {
            kernel: &PIECE_VJP,
            draw: |g| {
                let (_, [p, q, tag], _) = penalty(g, false);
                let ring = g.own_words(SLOTS * q.div_ceil(16), &mut |g| g.below(1 << 32) as f64);
                let step = g.turn;
                let counter = g.own_words(1, &mut |_| step as f64);
                Call {
                    inputs: vec![ring, g.own(p), g.own(1), counter],
                    outputs: vec![g.own(p), g.own(if tag == BOX { 2 } else { q })],
                    parameters: vec![p, q, SLOTS, tag],
                }
            },
            reference: |i, p, out| {
                let at = i[3][0] as usize % SLOTS * p[1].div_ceil(16);
                for j in 0..p[0] {
                    let alpha = i[1][j];
                    if j >= p[1] {
                        out[0][j] = Sum::of(alpha);
                        continue;
                    }
                    let piece = i[0][at + j / 16] as usize >> (2 * (j % 16)) & 3;
                    let inside = (p[3] == BOX) == (piece == 0);
                    out[0][j] = Sum::of(if inside { alpha } else { 0.0 });
                    match (p[3] == BOX, piece) {
                        (true, 1) => out[1][1].add(alpha),
                        (true, 2) => out[1][0].add(alpha),
                        (false, 1) => out[1][j].add(-i[2][0] * alpha),
                        (false, 2) => out[1][j].add(i[2][0] * alpha),
                        _ => {}
                    }
                }
            },
        },
    ]
}

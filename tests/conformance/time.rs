//! Everything about time: trajectories, momentum, schedules and the stop rule.

use proxdiff::kernel::stop::{MOMENTUM, SCHEDULE, STOP};
use proxdiff::kernel::trace::{MASKED_COPY, RETREAT, RING_LOAD, RING_STORE, WINDOW};
use proxdiff::kinds::Status;

use crate::compare::Sum;
use crate::harness::{Call, Draw, Entry, table};

const SLOTS: usize = 3;

fn coordinates(draw: &Draw) -> usize {
    draw.shape.d * draw.shape.c
}

/// The stop rule: tolerance 1/8, rounding level 1/2, progress by a factor 3/4; scale 1.
const RULE: [f64; 4] = [0.125, 0.5, 0.75, 0.5e-3];
const WINDOW_STEPS: usize = 3;
const PATIENCE: usize = 6;

pub fn entries() -> Vec<Entry> {
    vec![
        Entry {
            kernel: &RING_STORE,
            draw: |g| {
                let (p, step) = (coordinates(g), g.turn);
                Call {
                    inputs: vec![g.own(p), g.own_words(1, &mut |_| step as f64)],
                    outputs: vec![g.own(p * SLOTS)],
                    parameters: vec![p, SLOTS],
                }
            },
            reference: |i, p, out| {
                let at = i[1][0] as usize % SLOTS * p[0];
                (0..p[0]).for_each(|j| out[0][at + j] = Sum::of(i[0][j]));
            },
        },
        Entry {
            kernel: &RING_LOAD,
            draw: |g| {
                let (p, step) = (coordinates(g), g.turn);
                Call {
                    inputs: vec![g.own(p * SLOTS), g.own_words(1, &mut |_| step as f64)],
                    outputs: vec![g.own(p)],
                    parameters: vec![p, SLOTS],
                }
            },
            reference: |i, p, out| {
                let at = i[1][0] as usize % SLOTS * p[0];
                (0..p[0]).for_each(|j| out[0][j] = Sum::of(i[0][at + j]));
            },
        },
        Entry {
            kernel: &RETREAT,
            draw: |g| Call {
                outputs: vec![g.own_words(1, &mut |g| 1.0 + g.below(1 << 31) as f64)],
                ..Call::default()
            },
            reference: |_, _, out| out[0][0] = Sum::of(out[0][0].value - 1.0),
        },
        Entry {
            kernel: &WINDOW,
            draw: |g| {
                let mut word = |g: &mut Draw| g.below(5) as f64;
                Call {
                    inputs: vec![
                        g.own_words(1, &mut word),
                        g.own_words(1, &mut word),
                        g.own_words(1, &mut word),
                    ],
                    outputs: vec![g.own_words(1, &mut word)],
                    parameters: vec![],
                }
            },
            reference: |i, _, out| {
                let inside = (i[0][0]..i[1][0]).contains(&i[2][0]);
                out[0][0] = Sum::of(if inside { 1.0 } else { 0.0 });
            },
        },
        Entry {
            kernel: &MASKED_COPY,
            draw: |g| {
                let p = coordinates(g);
                Call {
                    inputs: vec![g.own(p), g.own_words(1, &mut |g| g.below(2) as f64)],
                    outputs: vec![g.own(p)],
                    parameters: vec![p],
                }
            },
            reference: |i, p, out| (0..p[0]).for_each(|j| out[0][j] = Sum::of(i[0][j] * i[1][0])),
        },
        Entry {
            kernel: &MOMENTUM,
            draw: |g| {
                let p = coordinates(g);
                let active = g.own_words(1, &mut |g| g.below(3).min(1) as f64);
                let t = g.own_of(1, &mut |g| 1.0 + g.number().abs());
                // Binary fractions: the sign that decides about a restart is exact.
                let mut fraction = |g: &mut Draw| g.below(33) as f64 / 8.0 - 2.0;
                Call {
                    inputs: vec![g.own_of(p, &mut fraction), active],
                    outputs: vec![g.own_of(p, &mut fraction), g.own_of(p, &mut fraction), t],
                    parameters: vec![p],
                }
            },
            reference: |i, p, out| {
                if i[1][0] == 0.0 {
                    return;
                }
                let w = &i[0];
                let against: f64 = (0..p[0])
                    .map(|j| (out[0][j].value - w[j]) * (w[j] - out[1][j].value))
                    .sum();
                let t = out[2][0].value;
                let next = (1.0 + (1.0 + 4.0 * t * t).sqrt()) / 2.0;
                let (factor, next) = if against > 0.0 {
                    (0.0, 1.0)
                } else {
                    ((t - 1.0) / next, next)
                };
                for j in 0..p[0] {
                    out[0][j] = [w[j], factor * w[j], -factor * out[1][j].value]
                        .into_iter()
                        .collect();
                    out[1][j] = Sum::of(w[j]);
                }
                out[2][0] = Sum::of(next);
            },
        },
        Entry {
            kernel: &SCHEDULE,
            draw: |g| {
                let kappa = g.own_of(1, &mut |g| {
                    if g.below(3) == 0 {
                        -1.0
                    } else {
                        1.0 + g.number().abs()
                    }
                });
                Call {
                    inputs: vec![
                        g.own(1),
                        kappa,
                        g.own_words(1, &mut |g| g.below(1000) as f64),
                    ],
                    outputs: vec![g.own(1)],
                    parameters: vec![],
                }
            },
            reference: |i, _, out| {
                let (beta, kappa) = (i[0][0], i[1][0]);
                out[0][0] = Sum::of(if kappa < 0.0 {
                    beta
                } else {
                    beta / (kappa + i[2][0])
                });
            },
        },
        Entry {
            kernel: &STOP,
            draw: |g| {
                // Also so many that the last quarter is longer than the window.
                let steps = g.own_words(1, &mut |g| g.below(30) as f64);
                let residual = g.own_of(1, &mut |g| match g.below(8) {
                    0 => f64::NAN,
                    1 => f64::INFINITY,
                    2 => 0.125,
                    3 => 1e12,
                    _ => g.below(17) as f64 / 16.0,
                });
                let scale = g.own_of(1, &mut |g| g.below(2) as f64);
                // Some at rounding, from where a residual rises.
                let history = g.own_of(2, &mut |g| match g.below(3) {
                    0 => 1.0 / 4096.0,
                    _ => (1 + g.below(16)) as f64 / 16.0,
                });
                let tolerance = if g.turn % 3 == 0 { -1.0 } else { RULE[0] };
                let limit = g.own_words(1, &mut |g| (5 + g.below(30)) as f64);
                Call {
                    inputs: vec![
                        residual,
                        scale,
                        table(&[tolerance, RULE[1], RULE[2], RULE[3]]),
                        limit,
                    ],
                    outputs: vec![
                        g.own_words(1, &mut |g| g.below(4).min(1) as f64),
                        g.own_words(1, &mut |_| 0.0),
                        steps,
                        g.own_words(1, &mut |g| g.below(7) as f64),
                        history,
                    ],
                    parameters: vec![WINDOW_STEPS, PATIENCE],
                }
            },
            reference: |i, _, out| {
                if out[0][0].value == 0.0 {
                    return;
                }
                let (residual, scale, tolerance) = (i[0][0], i[1][0], i[2][0]);
                let steps = out[2][0].value + 1.0;
                let (mut first, mut best) = (out[4][0].value, out[4][1].value);
                if steps == 1.0 {
                    (first, best) = (residual, f64::INFINITY);
                }
                let mut idle = out[3][0].value + 1.0;
                if residual < RULE[2] * best {
                    (idle, best) = (0.0, residual);
                }
                let end = RULE[3] * scale;
                let is_past_its_end = tolerance >= 0.0
                    && best <= end
                    && residual > 1e2 * best
                    && residual <= 1e3 * end;
                let is_idle = idle >= WINDOW_STEPS as f64 && idle >= (steps / 4.0).floor();
                let status = if !residual.is_finite() {
                    Some(Status::NonFinite)
                } else if (tolerance >= 0.0 && residual <= tolerance * scale) || is_past_its_end {
                    Some(Status::Converged)
                } else if first > 0.0 && residual / first > 1e8 {
                    Some(Status::Diverged)
                } else if is_idle && best <= RULE[1] * scale {
                    Some(Status::Converged)
                } else if idle >= PATIENCE as f64 {
                    Some(Status::Stalled)
                } else if steps >= i[3][0] {
                    Some(Status::BudgetSpent)
                } else {
                    None
                };
                if let Some(status) = status {
                    out[0][0] = Sum::of(0.0);
                    out[1][0] = Sum::of(f64::from(status as u32));
                }
                out[2][0] = Sum::of(steps);
                out[3][0] = Sum::of(idle);
                out[4] = vec![Sum::of(first), Sum::of(best)];
            },
        },
    ]
}

//! Krylov methods on a cyclic system with a closed form.

use super::*;

/// (A x)_j = x_j − q·x_{j+1}, cyclic: normal, its eigenvalues on a circle around 1.
struct Cyclic {
    p: usize,
    q: f64,
    products: usize,
}

impl LinearOperator for Cyclic {
    fn size(&self) -> usize {
        self.p
    }

    fn structure(&self) -> LinearStructure {
        LinearStructure::General
    }

    fn apply(&mut self, x: &[f64], out: &mut [f64]) {
        self.products += 1;
        for j in 0..self.p {
            out[j] = x[j] - self.q * x[(j + 1) % self.p];
        }
    }
}

/// The solution of the cyclic system: x_j = Σ_k q^k b_{j+k} / (1 − q^p).
fn closed_form(operator: &Cyclic, b: &[f64]) -> Vec<f64> {
    let Cyclic { p, q, .. } = *operator;
    let sum = |j: usize| -> f64 { (0..p).map(|k| q.powi(k as i32) * b[(j + k) % p]).sum() };
    (0..p).map(|j| sum(j) / (1.0 - q.powi(p as i32))).collect()
}

fn rule(tolerance: Option<f64>, max_steps: usize) -> StopRule {
    StopRule {
        tolerance,
        max_steps,
    }
}

const GENERAL: [KrylovMethod; 3] = [
    KrylovMethod::Gmres { restart: 40 },
    KrylovMethod::Gmres { restart: 5 },
    KrylovMethod::Bicgstab,
];

fn right_hand_side(p: usize) -> Vec<f64> {
    (0..p).map(|j| (1.0 + j as f64).sin()).collect()
}

#[test]
fn methods_reach_rounding_and_count_their_products() {
    for method in GENERAL {
        for p in [1, 2, 17] {
            let mut operator = Cyclic {
                p,
                q: 0.8,
                products: 0,
            };
            let b = right_hand_side(p);
            let mut x = vec![0.0; p];
            let control = Control::new();
            let progress = solve(
                &mut operator,
                method,
                &b,
                &mut x,
                rule(None, 10_000),
                &control,
            )
            .unwrap();
            assert_eq!(progress.status, Status::Converged, "{method:?} {p}");
            assert_eq!(progress.steps, operator.products);
            for (x, expected) in x.iter().zip(closed_form(&operator, &b)) {
                assert!((x - expected).abs() < 1e-14 * 20.0, "{method:?} {p}");
            }
        }
    }
}

#[test]
fn a_tolerance_is_met_with_fewer_products_and_a_budget_is_kept() {
    for method in GENERAL {
        let mut operator = Cyclic {
            p: 60,
            q: 0.8,
            products: 0,
        };
        let b = right_hand_side(60);
        let run = |operator: &mut Cyclic, rule: StopRule| {
            let mut x = vec![0.0; 60];
            let progress = solve(operator, method, &b, &mut x, rule, &Control::new()).unwrap();
            let mut residual = vec![0.0; 60];
            operator.apply(&x, &mut residual);
            residual.iter_mut().zip(&b).for_each(|(r, b)| *r -= b);
            (progress, norm(&residual) / norm(&b))
        };
        let (exact, _) = run(&mut operator, rule(None, 10_000));
        let (loose, residual) = run(&mut operator, rule(Some(1e-4), 10_000));
        assert_eq!(loose.status, Status::Converged);
        assert!(loose.steps < exact.steps && residual <= 1e-4, "{method:?}");
        let (short, residual) = run(&mut operator, rule(None, 12));
        assert_eq!(short.status, Status::BudgetSpent);
        assert!(short.steps <= 12 && residual < 0.9, "{method:?} {residual}");
    }
}

#[test]
fn what_is_not_finite_and_what_is_zero_end_at_once() {
    for method in GENERAL {
        for (b, start, expected) in [
            ([f64::NAN, 1.0], [0.0; 2], Status::NonFinite),
            ([1.0; 2], [0.0, f64::INFINITY], Status::NonFinite),
            ([0.0; 2], [3.0; 2], Status::Converged),
        ] {
            let mut operator = Cyclic {
                p: 2,
                q: 0.5,
                products: 0,
            };
            let mut x = start;
            let control = Control::new();
            let progress =
                solve(&mut operator, method, &b, &mut x, rule(None, 100), &control).unwrap();
            assert_eq!(progress.status, expected, "{method:?} {b:?}");
            assert!(operator.products <= 1);
            assert_eq!(x == [0.0; 2], expected == Status::Converged);
        }
    }
}

#[test]
fn a_singular_operator_stalls() {
    for method in GENERAL {
        let mut operator = Cyclic {
            p: 4,
            q: 1.0,
            products: 0,
        };
        let mut x = vec![0.0; 4];
        let b = [1.0; 4];
        let control = Control::new();
        let progress = solve(
            &mut operator,
            method,
            &b,
            &mut x,
            rule(None, 1000),
            &control,
        )
        .unwrap();
        assert_eq!(progress.status, Status::Stalled, "{method:?}");
        assert!(x.iter().all(|x| x.is_finite()));
    }
}

#[test]
fn misuse_is_an_error() {
    let attempt = |method, b: &[f64]| {
        let mut operator = Cyclic {
            p: 2,
            q: 0.5,
            products: 0,
        };
        let mut x = [0.0; 2];
        solve(
            &mut operator,
            method,
            b,
            &mut x,
            rule(None, 9),
            &Control::new(),
        )
    };
    let cg = attempt(KrylovMethod::ConjugateGradient, &[1.0; 2]);
    assert!(matches!(cg, Err(Error::Unsupported { .. })));
    let short = attempt(KrylovMethod::Bicgstab, &[1.0]);
    assert!(matches!(short, Err(Error::Shape { .. })));
    let never = attempt(KrylovMethod::Gmres { restart: 0 }, &[1.0; 2]);
    assert!(matches!(never, Err(Error::Value { .. })));
}

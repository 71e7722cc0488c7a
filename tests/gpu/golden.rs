//! The golden cases on the device: every method in f32, and refined to f64.

use libtest_mimic::{Failed, Trial};
use proxdiff::Control;
use proxdiff::exec::Device;
use proxdiff::exec::gpu::GpuOptions;
use proxdiff::hypergrad::{Evaluator, Outcome, Settings};
use proxdiff::kinds::{Method, Precision, Solver, Status, Wrt};

use crate::common::{Case, GoldenPoint, all_cases, relative_error};
use crate::device;

/// The largest of the hypergradient's relative errors: (l1, l2) together, and the perturbation.
pub fn hypergradient_error(outcome: &Outcome, golden: &GoldenPoint) -> f64 {
    let Some(found) = &outcome.hypergradient else {
        return f64::INFINITY;
    };
    let flat = |l1: &[f64], l2: f64| l1.iter().copied().chain([l2]).collect::<Vec<f64>>();
    let l1 = found.l1.as_ref().map_or(&[][..], |l1| l1.as_slice());
    let mut error = relative_error(
        &flat(l1, found.l2_value().unwrap_or(f64::NAN)),
        &flat(&golden.l1, golden.l2),
    );
    if let (Some(expected), Some(found)) = (&golden.perturbation, &found.perturbation) {
        error = error.max(relative_error(found, expected));
    }
    error
}

struct Check {
    method: Method,
    solver: Solver,
    precision: Precision,
    tolerance: f64,
    applies: fn(&GoldenPoint) -> bool,
    at_least: usize,
}

impl Check {
    fn outcomes(&self, case: &Case) -> Vec<Outcome> {
        let mut settings = Settings::default()
            .method(self.method)
            .solver(self.solver)
            .device(Device::Gpu(device::open(GpuOptions::default())));
        if !case.problem.perturbed_rows().is_empty() && self.method != Method::ItdForward {
            settings.wrt.push(Wrt::Perturbation);
        }
        let points: Vec<_> = case
            .points
            .iter()
            .map(|golden| golden.point.clone())
            .collect();
        let control = Control::new();
        Evaluator::new(&case.problem)
            .settings(&settings)
            .precision(self.precision)
            .control(&control)
            .run(&points)
            .unwrap()
    }

    fn run(&self) -> Result<(), Failed> {
        let (mut checked, mut worst, mut failures) = (0, 0.0_f64, Vec::new());
        for mut case in all_cases() {
            case.points.retain(self.applies);
            if case.points.is_empty() {
                continue;
            }
            for (at, (outcome, golden)) in self.outcomes(&case).iter().zip(&case.points).enumerate()
            {
                checked += 1;
                let error = hypergradient_error(outcome, golden);
                worst = worst.max(error);
                let refined = self.precision == Precision::F64;
                let w = relative_error(&outcome.solution, &golden.w);
                if golden.condition >= 1e3 && !refined {
                    eprintln!(
                        "{}: condition {:.1e}, error {error:.1e}",
                        case.name, golden.condition
                    );
                }
                // Past 10³ an error may grow with the condition.
                let allowed = self.tolerance * (golden.condition / 1e3).max(1.0);
                let bad = error > if refined { self.tolerance } else { allowed }
                    || (refined && (w > 1e-9 || outcome.status != Status::Converged));
                if bad {
                    failures.push(format!(
                        "{} #{at} l1={} l2={}: hypergradient {error:.1e}, w {w:.1e}, {:?}, \
                         steps {}+{}, condition {:.1e}",
                        case.name,
                        golden.point.l1,
                        golden.point.l2,
                        outcome.status,
                        outcome.steps,
                        outcome.linear_steps,
                        golden.condition
                    ));
                }
            }
        }
        eprintln!("{checked} points, largest relative error {worst:.1e}");
        if checked < self.at_least {
            return Err(format!("only {checked} points were checked").into());
        }
        if failures.is_empty() {
            Ok(())
        } else {
            Err(format!("{} of {checked}:\n{}", failures.len(), failures.join("\n")).into())
        }
    }
}

/// Where f32 must give four digits.
fn well_conditioned(golden: &GoldenPoint) -> bool {
    golden.condition < 1e3
}

/// Where the condition of the restricted Hessian costs digits of f32.
fn ill_conditioned(golden: &GoldenPoint) -> bool {
    golden.condition >= 1e3
}

/// The same, where the Neumann series ends soon.
fn contracting(golden: &GoldenPoint) -> bool {
    golden.condition < 1e3 && golden.aidfp_iterations <= 500.0
}

/// The same, where Picard steps do.
fn quick(golden: &GoldenPoint) -> bool {
    golden.condition < 1e3 && golden.aidfp_iterations <= 120.0
}

/// Where f64 itself resolves nine digits of the hypergradient.
fn resolvable(golden: &GoldenPoint) -> bool {
    golden.condition < 1e5
}

pub fn trials() -> Vec<Trial> {
    let single = |name: &str, method, solver, applies, at_least| {
        let check = Check {
            method,
            solver,
            precision: Precision::F32,
            tolerance: 1e-4,
            applies,
            at_least,
        };
        Trial::test(format!("golden::{name}"), move || check.run())
    };
    let refined = Check {
        method: Method::AidCg,
        solver: Solver::Auto,
        precision: Precision::F64,
        tolerance: 1e-9,
        applies: resolvable,
        at_least: 50,
    };
    vec![
        single("aid_cg", Method::AidCg, Solver::Auto, well_conditioned, 50),
        single("aid_fp", Method::AidFp, Solver::Auto, contracting, 50),
        single("ista", Method::AidCg, Solver::Ista, quick, 20),
        single("itd_forward", Method::ItdForward, Solver::Auto, quick, 20),
        single("itd_reverse", Method::ItdReverse, Solver::Auto, quick, 20),
        single(
            "ill_conditioned",
            Method::AidCg,
            Solver::Auto,
            ill_conditioned,
            3,
        ),
        Trial::test("golden::refined", move || refined.run()),
    ]
}

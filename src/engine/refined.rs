//! The engine of mixed precision: a device's solutions in f32, refined in f64 on the CPU.
//!
//! The residual is formed in f64, and the support that the device found is corrected by Newton's
//! method until it is exact to rounding.

use crate::error::Result;
use crate::exec::Twinned;
use crate::kinds::Precision;

use super::interface::Engine;
use super::outcome::EngineName;
use super::outcome::WarmStart;
use super::path::Path;
use super::recorded::recordings::Recorded;
use super::request::{Reason, Request, Task, holds};
use super::solved::Solved;

/// f32 on a graphics device, then f64 on the CPU.
pub(super) struct Refined;

impl<R: Twinned> Engine<R> for Refined {
    fn name(&self) -> EngineName {
        EngineName::Refined
    }

    fn serves(&self, request: &Request<'_>) -> std::result::Result<(), Reason> {
        holds(request.task == Task::Solve, Reason::Task)?;
        holds(request.coarse.is_some(), Reason::Device)?;
        holds(R::PRECISION == Precision::F64, Reason::Precision)?;
        holds(request.is_on_a_path(), Reason::Solver)
    }

    fn solve(&self, request: &Request<'_>) -> Result<Vec<Solved<R>>> {
        let Some(settings) = request.coarse else {
            return Path.solve(request);
        };
        let uncounted = request.control.of_a_part();
        let coarse: Vec<Solved<f32>> = Recorded.solve(&Request {
            settings,
            control: &uncounted,
            ..*request
        })?;
        let starts: Vec<WarmStart> = coarse.into_iter().map(start).collect();
        Path.solve(&Request {
            warm: Some(&starts),
            ..*request
        })
    }

    fn counts_points(&self) -> bool {
        true
    }
}

/// A start for refinement; a solution that is not finite is as good as zero.
fn start(solved: Solved<f32>) -> WarmStart {
    let is_finite = solved.w.iter().all(|w| w.is_finite());
    WarmStart {
        w: if is_finite {
            solved.w
        } else {
            vec![0.0; solved.w.len()]
        },
        v: Vec::new(),
    }
}

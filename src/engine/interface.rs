//! The interface of an engine.

use crate::error::{Error, Result};
use crate::exec::Twinned;

use super::outcome::{EngineName, Outcome};
use super::recorded::batch::Batch;
use super::request::{Reason, Request};
use super::solved::{Differentiated, Solved};

/// One way to solve a batch, or to differentiate it, or both, in the arithmetic R.
///
/// An engine implements the tasks that it serves; the others are never asked of it.
pub(super) trait Engine<R: Twinned>: Sync {
    /// The engine's name.
    fn name(&self) -> EngineName;

    /// `Ok` where the engine does the request's task, else the reason why not.
    fn serves(&self, request: &Request<'_>) -> std::result::Result<(), Reason>;

    /// Outcomes of the points: `Task::Whole`. `None` leaves a point to the engines of the parts.
    ///
    /// # Errors
    /// When a device fails, or a combination is not defined.
    fn evaluate(&self, _request: &Request<'_>) -> Result<Vec<Option<Outcome>>> {
        Err(not_its_task(self.name()))
    }

    /// Solutions of all points: `Task::Solve`.
    ///
    /// # Errors
    /// Those of [`Engine::evaluate`].
    fn solve(&self, _request: &Request<'_>) -> Result<Vec<Solved<R>>> {
        Err(not_its_task(self.name()))
    }

    /// True where [`Engine::solve`] reports every point to the control as it ends.
    fn counts_points(&self) -> bool {
        false
    }

    /// Adjoints and hypergradients at the solutions, where `linearized` stands: `Task::Adjoint`.
    ///
    /// # Errors
    /// Those of [`Engine::evaluate`].
    fn adjoint(
        &self,
        _request: &Request<'_>,
        _linearized: &mut Batch<'_, R>,
        _solved: &[Solved<R>],
    ) -> Result<Vec<Differentiated>> {
        Err(not_its_task(self.name()))
    }
}

fn not_its_task(engine: EngineName) -> Error {
    Error::unsupported(
        format!("this part of a computation by the engine {}", engine.name()),
        "report a defect: an engine was chosen for what it does not serve",
    )
}

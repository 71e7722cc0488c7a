//! The list of all engines, which chooses.

use crate::exec::Twinned;

use super::fused::Fused;
use super::interface::Engine;
use super::path::Path;
use super::path_kernel::PathKernel;
use super::recorded::recordings::Recorded;
use super::refined::Refined;
use super::request::Request;
use super::sampled::adjoint::Sampled;

/// All engines, the most special first.
fn engines<R: Twinned>() -> [&'static dyn Engine<R>; 6] {
    [&Fused, &PathKernel, &Refined, &Path, &Sampled, &Recorded]
}

/// The first engine that serves the request; why those before it do not is logged.
pub(super) fn choose<R: Twinned>(request: &Request<'_>) -> Option<&'static dyn Engine<R>> {
    let task = request.task;
    for engine in engines::<R>() {
        let name = engine.name().name();
        match engine.serves(request) {
            Ok(()) => {
                log::debug!("{task}: by the engine {name}");
                return Some(engine);
            }
            Err(reason) => log::debug!("{task}: not by the engine {name}: {reason}"),
        }
    }
    None
}

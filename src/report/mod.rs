//! Figures and pages: SVG plots and bars, PNG images of them, and self-contained HTML.
//!
//! This room knows numbers and names, nothing of solvers.

pub mod axis;
pub mod bars;
pub mod html;
pub mod image;
mod label;
mod paint;
pub mod plot;
pub mod png;
mod sheet;
pub mod surface;

pub use axis::{Axis, Scale};
pub use bars::{Bar, Bars};
pub use html::{Page, Section};
pub use paint::Theme;
pub use plot::{Band, Mark, Plot, Series};
pub use surface::{Ring, Surface, Tile, Trail};

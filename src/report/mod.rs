//! Figures and pages: SVG plots and bars, PNG images of them, and self-contained HTML.
//!
//! This room knows numbers and names, nothing of solvers.

pub mod axis;
pub mod bars;
mod head;
pub mod html;
pub mod image;
mod label;
mod paint;
pub mod plot;
pub mod png;
mod sheet;
mod signed;
pub mod surface;

pub use axis::{Axis, Scale};
pub use bars::{Bar, Bars};
pub use head::{Basis, Head};
pub use html::{Page, Section};
pub use paint::{COLOURS, Theme};
pub use plot::{Band, Mark, Plot, Series};
pub use signed::SignedBars;
pub use surface::{Ring, Surface, Tile, Trail};

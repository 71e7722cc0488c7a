//! Tests of the path solver and its adjoint.

mod cases;
mod classes;
mod dependent;
mod edges;
mod golden;
mod kinked;
mod least_norm;
mod properties;
mod screening;

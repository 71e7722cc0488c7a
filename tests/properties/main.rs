//! Properties that hold for every loss, penalty and design: of the map, of the methods against
//! each other and against finite differences, and of iterative differentiation step by step.

mod differences;
mod edges;
mod engines;
mod itd;
mod map;
mod members;
mod methods;
mod optimality;
mod packing;
mod problems;
mod vectors;
mod vjp;

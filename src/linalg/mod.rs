//! Linear algebra: vectors, products, factors and Krylov methods, on slices.
//!
//! Own routines that a library has too stand here because they are faster where this crate uses
//! them; `cargo bench --bench path` has the figures (benches/RESULTS.md):
//!
//! | routine | instead of | benchmark |
//! | --- | --- | --- |
//! | `cholesky` up to 384 unknowns | faer's blocked factorisation | `path/lasso path`, `path/adjoint` |
//! | `products` | faer's matrix products with one column | `path/lasso path` |
//! | `vector` | iterators' sums | `path/residual form` |
//! | `cg`, `krylov` | faer has no GMRES, and its conjugate gradient no stop between products | `hypergrad` |

pub(crate) mod cg;
pub(crate) mod cholesky;
pub(crate) mod dependent;
pub(crate) mod dual;
pub mod krylov;
pub(crate) mod nearest;
pub(crate) mod products;
pub(crate) mod refine;
pub(crate) mod statistics;
pub(crate) mod vector;

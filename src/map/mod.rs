//! The fixed-point map Φ = G∘T of a batch of problems, and its linearisation.

mod fixed_point;
pub mod host;
pub mod hyper_sums;
pub mod loss_rows;
pub mod minibatch;
pub mod operator;
pub mod prox_grad;
pub mod sampled_rows;
pub mod spectrum;

pub use fixed_point::FixedPointMap;
pub use host::HostMap;
pub use prox_grad::ProxGrad;

//! The kernels: what each binds and its twin on the CPU.
//!
//! Shapes are per problem: `coordinates` is p = columns·c, `predictors` is n·c (c classes). A
//! tile's array holds [`LANES`](crate::exec::LANES) problems per row. Kernels that read the data
//! take it dense (row-major) or sparse (by rows and by columns).

pub mod cg;
pub mod criterion;
pub mod curvature;
pub mod hyper;
pub mod measure;
pub mod path_kernel;
pub mod product;
pub mod prox;
pub mod sampled;
pub mod sparse;
pub mod step;
pub mod stop;
pub mod trace;

/// Declares a kernel: a doc line, its constant, its twin, and the names of what it binds.
macro_rules! kernel {
    ($(#[$doc:meta])* $name:ident = $twin:ident($($input:ident),*) -> ($($output:ident),*) [$($parameter:ident),*]) => {
        $(#[$doc])*
        pub static $name: crate::exec::Kernel = crate::exec::Kernel {
            name: stringify!($twin),
            inputs: &[$(stringify!($input)),*],
            outputs: &[$(stringify!($output)),*],
            parameters: &[$(stringify!($parameter)),*],
            shader: include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/shaders/",
                stringify!($twin),
                ".wgsl"
            )),
            twin_f32: $twin::<f32>,
            twin_f64: $twin::<f64>,
        };
    };
}
pub(crate) use kernel;

/// Runs a body compiled for the widest vectors of this machine.
///
/// `FUSED` says whether a fused multiply-add is an instruction there, `BLOCK` how many rows of
/// lanes its registers hold as accumulators.
macro_rules! vectorized {
    (|$fused:ident, $block:ident| $body:expr) => {{
        match pulp::Arch::new() {
            #[cfg(target_arch = "x86_64")]
            pulp::Arch::V4(simd) => simd.vectorize(crate::linalg::vector::Work(
                #[inline(always)]
                || {
                    const $fused: bool = true;
                    const $block: usize = 8;
                    let _ = $block;
                    $body
                },
            )),
            #[cfg(target_arch = "x86_64")]
            pulp::Arch::V3(simd) => simd.vectorize(crate::linalg::vector::Work(
                #[inline(always)]
                || {
                    const $fused: bool = true;
                    const $block: usize = 2;
                    let _ = $block;
                    $body
                },
            )),
            _ => {
                const $fused: bool = cfg!(target_arch = "aarch64");
                const $block: usize = 2;
                let _ = $block;
                $body
            }
        }
    }};
}
pub(crate) use vectorized;

/// `sums[b] += factors(b)·row` for b in 0..BLOCK ≤ 8, written out: in a loop over b the compiler
/// vectorises across b, gathering, instead of across the problems.
macro_rules! accumulate_block {
    ($fused:ident, $block:ident, $sums:ident, $row:ident, |$b:ident| $factor:expr) => {
        crate::kernel::accumulate_block!(@each $fused, $block, $sums, $row, $b, $factor; 0 1 2 3 4 5 6 7)
    };
    (@each $fused:ident, $block:ident, $sums:ident, $row:ident, $b:ident, $factor:expr; $($at:literal)*) => {
        $(
            if $at < $block {
                let $b = $at;
                let factor = $factor;
                let sum: &mut crate::exec::Row<R> = &mut $sums[$at];
                for lane in 0..crate::exec::LANES {
                    sum[lane] = factor.multiply_add::<$fused>($row[lane], sum[lane]);
                }
            }
        )*
    };
}
pub(crate) use accumulate_block;

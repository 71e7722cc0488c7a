//! Every kernel against a naive reference in f64, one suite for every executor and precision.
//!
//! A case states what is bound and what must come out; [`harness::check`] runs it on an executor
//! and compares. Another executor joins by one more line of `suite!`.

mod comparator;
mod compare;
mod completeness;
mod harness;
mod linear;
#[cfg(feature = "gpu")]
mod noop;
mod penalties;
mod rows;
mod sampled;
mod time;

use harness::{check, entries};
use proxdiff::exec::CpuExecutor;

macro_rules! suite {
    ($name:ident, $real:ty, $make:expr) => {
        #[test]
        fn $name() {
            for entry in entries() {
                let checked = check::<$real, _>(&$make, |x| x, &|_| true, &entry);
                assert_eq!(checked, Ok(()));
            }
        }
    };
}

suite!(cpu_f64, f64, CpuExecutor::<f64>::new);
suite!(cpu_f32, f32, CpuExecutor::<f32>::new);

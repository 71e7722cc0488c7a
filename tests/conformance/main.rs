//! Every kernel against a naive reference in f64, one suite for every executor and precision.
//!
//! A case states what is bound and what must come out; [`harness::check`] runs it on an executor
//! and compares. Another executor joins by one more line of `suite!`.

mod compare;
mod completeness;
mod harness;
mod linear;
mod penalties;
mod rows;
mod sampled;
mod time;

use harness::{Entry, check};
use proxdiff::exec::{CpuExecutor, Executor};

/// Every kernel of the program with its cases.
fn entries() -> Vec<Entry> {
    [
        linear::entries(),
        penalties::entries(),
        rows::entries(),
        sampled::entries(),
        time::entries(),
    ]
    .concat()
}

macro_rules! suite {
    ($name:ident, $real:ty, $make:expr) => {
        #[test]
        fn $name() {
            for entry in entries() {
                check::<$real>(
                    &|problems| -> Box<dyn Executor<$real>> { $make(problems) },
                    &entry,
                );
            }
        }
    };
}

suite!(cpu_f64, f64, |problems| Box::new(CpuExecutor::<f64>::new(
    problems
)));
suite!(cpu_f32, f32, |problems| Box::new(CpuExecutor::<f32>::new(
    problems
)));

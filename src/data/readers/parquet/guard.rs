//! The decoder's panics as errors.
//!
//! The crate `parquet` checks most of what a file says, and asserts the rest: a page of codes without its dictionary,
//! a negative offset in the footer, a length beyond the page. Mutated files reach seven such places of version
//! 60.1. A damaged file must not end the program, so that the calls of the decoder, and no code of ours, run under
//! this guard. What they borrow is given up after a panic.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use ::parquet::errors::{ParquetError, Result};

thread_local! {
    static DECODES: Cell<bool> = const { Cell::new(false) };
}

/// Calls the decoder.
///
/// # Errors
/// Its own, and [`ParquetError::General`] in the place of a panic.
pub(super) fn guarded<T>(decode: impl FnOnce() -> Result<T>) -> Result<T> {
    silence();
    DECODES.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(decode));
    DECODES.set(false);
    outcome.unwrap_or_else(|panic| Err(ParquetError::General(message(panic.as_ref()))))
}

/// Panics of the decoder are told by the error alone; all others go to the hook that was there.
fn silence() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let earlier = take_hook();
        set_hook(Box::new(move |about| {
            if !DECODES.get() {
                earlier(about);
            }
        }));
    });
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("its pages contradict each other")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_and_the_next_call_is_free_of_it() {
        let fault = guarded::<()>(|| panic!("no dictionary of {}", 3));
        let fault = fault.unwrap_err().to_string();
        assert!(fault.contains("no dictionary of 3"), "{fault}");
        assert_eq!(guarded(|| Ok(7)).unwrap(), 7);
        assert!(!DECODES.get());
    }
}

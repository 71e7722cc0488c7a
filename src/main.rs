//! The `proxdiff` command.

/// Thousands of points are thousands of arrays: an allocator that keeps freed pages spares the
/// system most of its page faults.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of mimalloc.h, and how long freed pages are kept, in milliseconds: a batch
/// ends and the next begins in less.
const PURGE_DELAY: (libmimalloc_sys::mi_option_t, std::ffi::c_long) = (15, 1000);

fn main() -> std::process::ExitCode {
    // SAFETY: it stores a number, and no other thread runs yet.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY.0, PURGE_DELAY.1) };
    proxdiff::cli::run()
}

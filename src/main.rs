//! The `proxdiff` command.

/// Thousands of points are thousands of arrays: an allocator that keeps freed pages spares the
/// system most of its page faults.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of mimalloc.h: how long freed pages are kept, in milliseconds.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
/// A batch ends and the next begins in less.
const BETWEEN_BATCHES: std::ffi::c_long = 1000;
/// At the end the system takes all pages back at once.
const NEVER: std::ffi::c_long = -1;

/// Pages of two megabytes are cleared whole when their first byte is written, and an allocator of many
/// small pages writes few bytes of many: where memory is cold (a virtual machine's above all), that
/// costs more than the solves of a small sweep; large sweeps are as fast without them.
#[cfg(target_os = "linux")]
fn use_small_pages() {
    // SAFETY: the call takes five integers and changes a flag of this process alone; where it is not
    // known it fails and changes nothing.
    unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
}

#[cfg(not(target_os = "linux"))]
fn use_small_pages() {}

/// A file that grows past a limit (`ulimit -f`) is then an error of writing, which is told, where the
/// signal would end the process.
#[cfg(target_os = "linux")]
fn be_told_of_file_limits() {
    // SAFETY: to ignore a signal runs no code of this program, and no other thread runs yet.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

#[cfg(not(target_os = "linux"))]
fn be_told_of_file_limits() {}

fn main() -> std::process::ExitCode {
    use_small_pages();
    be_told_of_file_limits();
    // SAFETY: it stores a number, and no other thread runs yet.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, BETWEEN_BATCHES) };
    let status = proxdiff::cli::run(std::env::args_os().collect());
    // SAFETY: it stores a number that other threads, if there are any left, read as a whole.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, NEVER) };
    status.into()
}

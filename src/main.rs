//! The `proxdiff` command.

/// Thousands of points are thousands of arrays: an allocator that keeps freed pages spares the
/// system most of its page faults.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    proxdiff::cli::run()
}

//! The `proxdiff` command.

fn main() -> std::process::ExitCode {
    proxdiff::cli::run()
}

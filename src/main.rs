//! The `watchfire` command.

fn main() -> std::process::ExitCode {
    watchfire::cli::main()
}

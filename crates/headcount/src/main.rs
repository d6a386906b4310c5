//! The program `headcount`.

use std::process::ExitCode;

fn main() -> ExitCode {
    headcount::cli::main()
}

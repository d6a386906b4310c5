//! The program `headcount`.

use std::process::ExitCode;

// Of the processor time of a recorded check, malloc of glibc took a fifth; it kept what the dictionary no longer needed.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    headcount::cli::main()
}

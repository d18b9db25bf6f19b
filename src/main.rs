//! The binary: reads the command line and runs the command.

use std::process::ExitCode;

use clap::Parser;
use gatehouse::cli::{self, Cli};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            cli::say_failure(&error);
            ExitCode::FAILURE
        }
    }
}

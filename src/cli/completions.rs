//! `gatehouse completions`: what shells need to complete our command lines.

use std::io::{self, Write};

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Cli;

/// Print a script that makes a shell complete command lines of gatehouse
///
/// For example, in bash: `source <(gatehouse completions bash)`
#[derive(Debug, Args)]
pub struct CompletionsCommand {
    /// Which shell
    shell: Shell,
}

impl CompletionsCommand {
    /// Prints the script on standard output.
    pub fn run(self) -> anyhow::Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "gatehouse", &mut script);
        io::stdout().lock().write_all(&script)?;
        Ok(())
    }
}

//! `gatehouse access`: why somebody may or may not use git, who has access to what, and what was refused.

mod entries;
mod explain;
mod list;
mod refusals;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::config::Settings;

/// Explain who may fetch from and push to what, and why
#[derive(Debug, Args)]
pub struct AccessCommand {
    #[command(subcommand)]
    command: AccessSubcommand,
}

#[derive(Debug, Subcommand)]
enum AccessSubcommand {
    #[command(after_long_help = explain::EXIT_STATUS)]
    Explain(explain::ExplainCommand),
    #[command(after_long_help = list::EXIT_STATUS)]
    List(list::ListCommand),
    Refusals(refusals::RefusalsCommand),
}

impl AccessCommand {
    /// Does it; the exit status says what came of it.
    pub async fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        match self.command {
            AccessSubcommand::Explain(explain) => explain.run(settings).await,
            AccessSubcommand::List(list) => list.run(settings).await,
            AccessSubcommand::Refusals(refusals) => refusals.run(settings).await,
        }
    }
}

//! `gatehouse man`: manual pages.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, CommandFactory};
use clap_mangen::Man;

use super::Cli;

/// Print the manual page of gatehouse, or write the pages of all commands into a folder
///
/// For example: `gatehouse man | man -l -`
#[derive(Debug, Args)]
pub struct ManCommand {
    /// The folder, such as `/usr/local/share/man/man1`; it is made where it is missing
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl ManCommand {
    /// Prints the page, or writes the pages.
    pub fn run(self) -> anyhow::Result<()> {
        let Some(folder) = self.folder else { return Ok(io::stdout().lock().write_all(first_page()?.as_bytes())?) };
        let cannot = || format!("cannot write manual pages into {}", folder.display());
        fs::create_dir_all(&folder).with_context(cannot)?;
        clap_mangen::generate_to(Cli::command(), &folder).with_context(cannot)?;
        fs::write(folder.join("gatehouse.1"), first_page()?).with_context(cannot)
    }
}

/// The page of gatehouse itself. What its help says last has sections of its own, by the names that manuals have for them.
fn first_page() -> anyhow::Result<String> {
    let mut page = Vec::new();
    Man::new(Cli::command().disable_help_subcommand(true)).render(&mut page)?;
    let page = String::from_utf8(page)?;
    Ok(page.replace(".SH EXTRA\nOutput:\n", ".SH OUTPUT\n").replace("\n\nExit status:\n", "\n.SH \"EXIT STATUS\"\n"))
}

//! `gatehouse man`: manual pages.

use std::fs;
use std::io;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, CommandFactory};
use clap_mangen::Man;

use super::Cli;

/// Print the manual page of gatehouse, or write the pages of all commands into a folder
///
/// For example: gatehouse man | man -l -
#[derive(Debug, Args)]
pub struct ManCommand {
    /// The folder, such as /usr/local/share/man/man1; it is made where it is missing
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl ManCommand {
    /// Prints the page, or writes the pages.
    pub fn run(self) -> anyhow::Result<()> {
        match self.folder {
            None => Man::new(Cli::command()).render(&mut io::stdout().lock())?,
            Some(folder) => {
                let cannot = || format!("cannot write manual pages into {}", folder.display());
                fs::create_dir_all(&folder).with_context(cannot)?;
                clap_mangen::generate_to(Cli::command(), &folder).with_context(cannot)?;
            }
        }
        Ok(())
    }
}

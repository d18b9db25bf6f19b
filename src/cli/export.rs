//! `gatehouse export`: prints the state document of what is there.

use std::io::Write;

use anyhow::Context;
use clap::Args;

use crate::config::Settings;
use crate::document::export::{ExportSelection, export};
use crate::store::Db;

/// Print the state document of what is there
///
/// It is sorted and holds no secrets; `gatehouse apply` reads it, and finds nothing to change where it came from.
/// Options may be repeated; without any, everything is printed.
#[derive(Debug, Clone, Args)]
pub struct Export {
    /// A group with all that is in it, by its full path.
    #[arg(long = "group", value_name = "PATH")]
    pub groups: Vec<String>,
    /// A project, by its full path.
    #[arg(long = "project", value_name = "PATH")]
    pub projects: Vec<String>,
    /// A user, by name.
    #[arg(long = "user", value_name = "NAME")]
    pub users: Vec<String>,
}

impl Export {
    /// Prints the document to `out`.
    ///
    /// # Errors
    /// Where something that is named is not there, or the database fails.
    pub async fn run(self, settings: &Settings, out: &mut impl Write) -> anyhow::Result<()> {
        let db = Db::new(&settings.gatehouse.database)?;
        let mut conn = db.acquire().await.context("cannot reach the database")?;
        let Self { groups, projects, users } = self;
        let yaml = export(&mut conn, &ExportSelection { groups, projects, users }).await?;
        out.write_all(yaml.as_bytes())?;
        Ok(())
    }
}

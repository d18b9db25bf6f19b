//! `gatehouse schema`: JSON Schemas of what people write, for editors to complete and check.

use std::io::Write;

use clap::{Args, ValueEnum};

use crate::app;
use crate::config::Settings;
use crate::document;
use crate::document::state::StateDocument;

/// Print the JSON Schema of a document, for editors to complete and check it
#[derive(Debug, Clone, Args)]
pub struct SchemaCommand {
    /// Which document
    #[arg(value_enum)]
    pub document: SchemaKind,
}

/// The documents that have a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaKind {
    /// The settings file, `gitlab.yml`
    Settings,
    /// What `gatehouse apply` reads
    State,
    /// The HTTP API, as OpenAPI 3.1
    Openapi,
}

impl SchemaCommand {
    /// Prints the schema.
    ///
    /// # Errors
    /// Where `out` takes nothing.
    pub fn run(&self, out: &mut impl Write) -> anyhow::Result<()> {
        let schema = match self.document {
            SchemaKind::Settings => document::schema_of::<Settings>(),
            SchemaKind::State => document::schema_of::<StateDocument>(),
            SchemaKind::Openapi => serde_json::to_value(app::openapi("http://127.0.0.1:3001"))?,
        };
        writeln!(out, "{schema:#}")?;
        Ok(())
    }
}

//! `gatehouse schema`: JSON Schemas of what people write, for editors to complete and check.

use std::io::Write;

use clap::{Args, ValueEnum};

use super::state::Document;
use crate::document;

/// Print the JSON Schema of a document, so that editors complete and check it.
#[derive(Debug, Clone, Args)]
pub struct Schema {
    /// Which document.
    #[arg(value_enum)]
    pub document: Kind,
}

/// The documents that have a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// What `gatehouse apply` reads.
    State,
}

impl Schema {
    /// Prints the schema.
    ///
    /// # Errors
    /// Where `out` takes nothing.
    pub fn run(&self, out: &mut impl Write) -> anyhow::Result<()> {
        let schema = match self.document {
            Kind::State => document::schema_of::<Document>(),
        };
        writeln!(out, "{schema:#}")?;
        Ok(())
    }
}

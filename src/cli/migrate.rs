//! `gatehouse migrate`: brings the database's schema up to date.

use anyhow::Context;

use crate::config::Settings;
use crate::store::{self, Db};

/// Migrates, and says what was there to do.
pub async fn run(settings: &Settings) -> anyhow::Result<()> {
    let db = Db::new(&settings.gatehouse.database)?;
    let applied = store::prepare(&db, &settings.gatehouse.database)
        .await
        .context("cannot bring the database's schema up to date")?;
    match applied.as_slice() {
        [] => println!("the schema is up to date"),
        steps => steps.iter().for_each(|step| println!("applied {step}")),
    }
    Ok(())
}

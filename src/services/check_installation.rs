//! Verdicts on what serving needs beside the settings: the database, its schema, its role, and the Gitaly of each storage.

use std::time::Duration;

use futures_util::future::join_all;

use crate::config::Settings;
use crate::gitaly::{GitalyClient, GitalyError};
use crate::store::{self, Db};

/// What a storage may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A verdict: what is judged, and what there is to say where it is well, or why it is not.
#[derive(Debug)]
pub struct Verdict {
    /// What is judged.
    pub what: String,
    /// How it is.
    pub outcome: anyhow::Result<String>,
}

impl Verdict {
    fn new(what: impl Into<String>, outcome: anyhow::Result<String>) -> Self {
        Self { what: what.into(), outcome }
    }
}

/// Judges the database: that it answers, its schema, its role where there is a pooler, and the storages that it names.
pub async fn check_database(db: &Db, settings: &Settings) -> Vec<Verdict> {
    if let Err(error) = store::ping(db).await {
        return vec![Verdict::new("database", Err(error.into()))];
    }
    let mut verdicts = vec![Verdict::new("database", Ok(String::new()))];
    let schema = if db.is_read_only() {
        Ok("not compared, for the database takes no writes".to_owned())
    } else {
        schema(db).await
    };
    verdicts.push(Verdict::new("schema", schema));
    if settings.gatehouse.database.direct_url.is_some() {
        verdicts.push(Verdict::new("role", role(db, settings).await));
    }
    verdicts.push(Verdict::new("storages", storages_in_use(db, settings).await));
    verdicts
}

/// Judges the Gitaly of each storage, all of them at once.
pub async fn check_storages(gitaly: &GitalyClient, settings: &Settings) -> Vec<Verdict> {
    let names = settings.repositories.storages.keys();
    join_all(names.map(async |name| Verdict::new(format!("storage {name}"), storage(gitaly, name).await))).await
}

async fn schema(db: &Db) -> anyhow::Result<String> {
    let drift = store::drift::list(db).await?;
    if drift.is_empty() {
        return Ok(String::new());
    }
    let what = "departs from the migrations; `gatehouse migrate` applies those that it lacks";
    anyhow::bail!("{what}:\n  {}", drift.join("\n  "))
}

/// Whether the role's sessions are as they must be behind a pooler.
async fn role(db: &Db, settings: &Settings) -> anyhow::Result<String> {
    let names = store::role::list_differing(db, &settings.gatehouse.database).await?;
    if names.is_empty() {
        return Ok(String::new());
    }
    anyhow::bail!(
        "{} must be set for it, as a pooler passes no setting on; `gatehouse migrate` does so",
        names.join(", ")
    )
}

async fn storages_in_use(db: &Db, settings: &Settings) -> anyhow::Result<String> {
    let used = store::list_storages(db).await?.into_iter();
    let unknown: Vec<String> = used.filter(|name| !settings.repositories.storages.contains_key(name)).collect();
    if unknown.is_empty() {
        return Ok(String::new());
    }
    anyhow::bail!(
        "projects live on {}, which repositories.storages does not name; add it there, with its gitaly_address",
        unknown.join(", ")
    )
}

async fn storage(gitaly: &GitalyClient, name: &str) -> anyhow::Result<String> {
    let server = gitaly.server(name, PATIENCE).await.map_err(|error| {
        let place = format!("repositories.storages.{name}");
        match &error {
            GitalyError::Unavailable(_) | GitalyError::Deadline => {
                anyhow::anyhow!("{error}; start it, or correct {place}.gitaly_address")
            }
            GitalyError::Failed(status) if status.code() == tonic::Code::Unauthenticated => {
                anyhow::anyhow!("{error}; {place}.gitaly_token must be the token in its config.toml, `[auth]`")
            }
            _ => anyhow::anyhow!("{error}"),
        }
    })?;
    let here = format!("Gitaly {}, git {}", server.version, server.git_version);
    if server.storages.iter().any(|storage| storage == name) {
        return Ok(here);
    }
    let has = if server.storages.is_empty() { "none".to_owned() } else { server.storages.join(", ") };
    anyhow::bail!("{here} cannot read and write a storage of this name; those that it can: {has}")
}

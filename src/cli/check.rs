//! `gatehouse check`: a verdict a line on the settings, the secrets, the database, its schema and each storage.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use clap::builder::styling::AnsiColor;
use futures_util::future::join_all;
use serde_json::json;

use super::advice::{advice, told};
use super::output::{self, OutputArgs, OutputShape};
use crate::clock::Clock;
use crate::config::Settings;
use crate::crypto::secrets;
use crate::gitaly::{GitalyClient, GitalyError};
use crate::http::auth::{git_audit, kas};
use crate::lfs_files::LfsFiles;
use crate::store::{self, Db};

/// What a storage may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Judge all that serving needs: settings, secrets, the database and its schema, and the Gitaly of each storage
///
/// There is a line for each verdict. The exit status is 0 where all are good, and 1 where one is not.
#[derive(Debug, Args)]
pub struct CheckCommand {
    #[command(flatten)]
    output: OutputArgs,
}

impl CheckCommand {
    /// Judges everything that can be judged before serving. Fails where one verdict is not good.
    pub async fn run(self, config: Option<&Path>) -> anyhow::Result<ExitCode> {
        let mut report = CheckReport { shape: self.output.shape(), failed: false };
        match super::settings(config) {
            Ok(settings) => {
                report.say("settings", &Ok(String::new()))?;
                secrets(&mut report, &settings)?;
                database(&mut report, &settings).await?;
                storages(&mut report, &settings).await?;
                lfs(&mut report, &settings).await?;
            }
            Err(problems) => report.say("settings", &Err(problems))?,
        }
        Ok(if report.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

fn secrets(report: &mut CheckReport, settings: &Settings) -> io::Result<()> {
    let shell = &settings.gitlab_shell.secret_file;
    let kas = &settings.gitlab_kas.secret_file;
    let db_key_base = &settings.gatehouse.db_key_base_file;
    let found = |path: &Path| secrets::load(path).map(|_| path.display().to_string());
    report.say("secret of gitlab-shell", &found(shell))?;
    report.say(
        "secret of kas",
        &secrets::load(kas).and_then(|secret| kas::key(&secret)).map(|_| kas.display().to_string()),
    )?;
    let workhorse = &settings.workhorse.secret_file;
    // Only git over HTTP needs it, so an installation without Workhorse is whole.
    if workhorse.exists() {
        let verdict = secrets::load(workhorse).and_then(|secret| git_audit::key(&secret));
        report.say("secret of Workhorse", &verdict.map(|_| workhorse.display().to_string()))?;
    }
    report.say("db_key_base", &found(db_key_base))
}

async fn database(report: &mut CheckReport, settings: &Settings) -> io::Result<()> {
    let reached = async {
        let db = Db::new(&settings.gatehouse.database)?;
        store::ping(&db).await.map(|()| db)
    };
    let db = match reached.await {
        Ok(db) => db,
        Err(error) => return report.say("database", &Err(error.into())),
    };
    report.say("database", &Ok(String::new()))?;
    if db.is_read_only() {
        report.say("schema", &Ok("not compared, for the database takes no writes".to_owned()))?;
    } else {
        schema(report, &db).await?;
    }
    if settings.gatehouse.database.direct_url.is_some() {
        report.say("role", &role(&db, settings).await)?;
    }
    match store::list_storages(&db).await {
        Ok(used) => {
            let unknown: Vec<String> =
                used.into_iter().filter(|name| !settings.repositories.storages.contains_key(name)).collect();
            let verdict = if unknown.is_empty() {
                Ok(String::new())
            } else {
                Err(anyhow::anyhow!(
                    "projects live on {}, which repositories.storages does not name; add it there, with its gitaly_address",
                    unknown.join(", ")
                ))
            };
            report.say("storages", &verdict)
        }
        Err(error) => report.say("storages", &Err(error.into())),
    }
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

async fn schema(report: &mut CheckReport, db: &Db) -> io::Result<()> {
    match store::drift::list(db).await {
        Ok(drift) if drift.is_empty() => report.say("schema", &Ok(String::new()))?,
        Ok(drift) => {
            let drift = drift.join("\n  ");
            let what = "departs from the migrations; `gatehouse migrate` applies those that it lacks";
            report.say("schema", &Err(anyhow::anyhow!("{what}:\n  {drift}")))?;
        }
        Err(error) => report.say("schema", &Err(error.into()))?,
    }
    Ok(())
}

/// Whether LFS objects can be kept: their directory is looked at where it is there already, for the first object makes it.
async fn lfs(report: &mut CheckReport, settings: &Settings) -> io::Result<()> {
    let place = &settings.lfs.storage_path;
    if !settings.lfs.enabled || !place.exists() {
        return Ok(());
    }
    let tried = async {
        let files = LfsFiles::new(place)?;
        files.try_to_keep().await.map(|()| place.display().to_string())
    };
    report.say("LFS objects", &tried.await.map_err(anyhow::Error::from))
}

/// Asks the Gitaly of each storage, all of them at once.
async fn storages(report: &mut CheckReport, settings: &Settings) -> io::Result<()> {
    let gitaly = match GitalyClient::new(settings, &Clock::system()) {
        Ok(gitaly) => gitaly,
        Err(problems) => {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            return report.say("storages", &Err(anyhow::anyhow!("{}", problems.join("; "))));
        }
    };
    let names = settings.repositories.storages.keys();
    let verdicts = join_all(names.map(async |name| (name, storage(&gitaly, name).await))).await;
    for (name, verdict) in verdicts {
        report.say(&format!("storage {name}"), &verdict)?;
    }
    Ok(())
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

struct CheckReport {
    shape: OutputShape,
    failed: bool,
}

/// What the longest usual name takes.
const NAME_WIDTH: usize = 22;

impl CheckReport {
    fn say(&mut self, what: &str, verdict: &anyhow::Result<String>) -> io::Result<()> {
        self.failed |= verdict.is_err();
        let mut out = output::stdout();
        if self.shape == OutputShape::Json {
            let detail = verdict.as_ref().map_or_else(told, Clone::clone);
            let advice = verdict.as_ref().err().and_then(advice);
            let object = json!({ "check": what, "ok": verdict.is_ok(), "detail": detail, "advice": advice });
            return writeln!(out, "{object}");
        }
        let (good, bad) = (AnsiColor::Green.on_default(), AnsiColor::Red.on_default());
        let mut line = match (self.shape, verdict) {
            (OutputShape::Table, Ok(detail)) => format!("{what:NAME_WIDTH$}  {good}ok{good:#}      {detail}"),
            (OutputShape::Table, Err(error)) => format!("{what:NAME_WIDTH$}  {bad}FAILED{bad:#}  {}", told(error)),
            (_, Ok(detail)) if detail.is_empty() => format!("{what}: ok"),
            (_, Ok(detail)) => format!("{what}: ok ({detail})"),
            (_, Err(error)) => format!("{what}: FAILED: {}", told(error)),
        };
        if let Some(advice) = verdict.as_ref().err().and_then(advice) {
            let _ = write!(line, "\n  What would help: {advice}.");
        }
        writeln!(out, "{}", line.trim_end())
    }
}

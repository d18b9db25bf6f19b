//! `gatehouse check`: a verdict a line on the settings, the secrets, the database, its schema and each storage.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use clap::builder::styling::AnsiColor;
use serde_json::json;

use super::advice::{advice, told};
use super::output::{self, OutputArgs, OutputShape};
use crate::clock::Clock;
use crate::config::Settings;
use crate::crypto::secrets;
use crate::gitaly::GitalyClient;
use crate::http::auth::{git_audit, kas};
use crate::lfs_files::LfsFiles;
use crate::services::check_installation::{self, Verdict};
use crate::store::Db;

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
    let db = match Db::new(&settings.gatehouse.database) {
        Ok(db) => db,
        Err(error) => return report.say("database", &Err(error.into())),
    };
    report.say_all(&check_installation::check_database(&db, settings).await)
}

/// Whether LFS objects can be kept: their directory is looked at where it is there already, for the first object makes it.
async fn lfs(report: &mut CheckReport, settings: &Settings) -> io::Result<()> {
    let (directory, bucket) = (&settings.lfs.storage_path, &settings.lfs.object_store);
    if !settings.lfs.enabled || !(bucket.enabled || directory.exists()) {
        return Ok(());
    }
    let tried = async {
        LfsFiles::new(&settings.lfs)?.try_to_keep().await?;
        let place = directory.display().to_string();
        Ok(if bucket.enabled { format!("the bucket {}", bucket.remote_directory) } else { place })
    };
    report.say("LFS objects", &tried.await)
}

async fn storages(report: &mut CheckReport, settings: &Settings) -> io::Result<()> {
    match GitalyClient::new(settings, &Clock::system()) {
        Ok(gitaly) => report.say_all(&check_installation::check_storages(&gitaly, settings).await),
        Err(problems) => {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            report.say("storages", &Err(anyhow::anyhow!("{}", problems.join("; "))))
        }
    }
}

struct CheckReport {
    shape: OutputShape,
    failed: bool,
}

/// What the longest usual name takes.
const NAME_WIDTH: usize = 22;

impl CheckReport {
    fn say_all(&mut self, verdicts: &[Verdict]) -> io::Result<()> {
        verdicts.iter().try_for_each(|verdict| self.say(&verdict.what, &verdict.outcome))
    }

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

//! The command line: one file per command.

pub mod agent;
pub mod apply;
mod audit;
mod check;
mod export;
mod jobs;
mod ledger;
mod migrate;
mod schema;
mod scim;
mod serve;
mod token;
mod usage;

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};

use crate::config::Settings;
use crate::document::Problem;
use crate::server::InheritedListeners;

/// The settings file that is read where no other is named; it need not exist.
const DEFAULT_CONFIG: &str = "config/gitlab.yml";

/// GitLab's internal API, answered from PostgreSQL.
///
/// Gatehouse tells gitlab-shell and Gitaly who owns an SSH key, whether a fetch or a push may go on, and where the
/// repository is. Without a command it serves.
#[derive(Debug, Parser)]
#[command(version = version(), about, long_about, propagate_version = true, subcommand_required = false)]
pub struct Cli {
    /// The settings file, in the layout of GitLab's gitlab.yml. Every key can be overridden by the environment:
    /// GITLAB__HOST, GATEHOUSE__LISTEN, DATABASE_URL.
    #[arg(long, global = true, env = "GATEHOUSE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer clients until SIGTERM or Ctrl-C (the default)
    Serve,
    /// Bring the database's schema up to date, and stop
    Migrate,
    /// Judge the settings, the secrets, the database and its schema, a line each
    Check,
    /// Look after the job queue: what waits, what has failed and why
    #[command(subcommand)]
    Jobs(jobs::JobsCommand),
    /// Make the database agree with a state document
    Apply(apply::Apply),
    /// Print the state document of what is there
    Export(export::Export),
    /// Print the JSON Schema of a document, for editors
    Schema(schema::SchemaCommand),
    /// Print a token that is good for a minute, to call the API by hand
    #[command(long_about = token::LONG_ABOUT)]
    Token(token::CallerTokenCommand),
    Audit(audit::AuditCommand),
    Agent(agent::AgentCommand),
    Scim(scim::ScimCommand),
    Usage(usage::UsageCommand),
    Ledger(ledger::LedgerCommand),
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// Where it cannot do its work, with what would help.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        if let Some(Command::Check) = self.command {
            return runtime()?.block_on(check::run(self.config.as_deref()));
        }
        let settings = settings(self.config.as_deref())?;
        match self.command.unwrap_or(Command::Serve) {
            Command::Serve => {
                let inherited =
                    InheritedListeners::take().context("cannot take what the service manager handed over")?;
                let runtime = runtime()?;
                let served = runtime.block_on(serve::run(settings, inherited));
                // What is left was given its time: a thread that waits for a name server must not hold the end.
                runtime.shutdown_background();
                served
            }
            Command::Migrate => runtime()?.block_on(migrate::run(&settings)),
            Command::Jobs(jobs) => runtime()?.block_on(jobs.run(&settings)),
            Command::Apply(apply) => {
                runtime()?.block_on(apply.run(&settings, &mut io::stdout().lock(), &mut io::stderr().lock()))
            }
            Command::Export(export) => runtime()?.block_on(export.run(&settings, &mut io::stdout().lock())),
            Command::Schema(schema) => schema.run(&mut io::stdout().lock()),
            Command::Agent(agent) => runtime()?.block_on(agent.run(&settings)),
            Command::Audit(audit) => runtime()?.block_on(audit.run(&settings)),
            Command::Ledger(ledger) => runtime()?.block_on(ledger.run(&settings)),
            Command::Token(token) => token.run(&settings),
            Command::Scim(scim) => runtime()?.block_on(scim.run(&settings)),
            Command::Usage(usage) => runtime()?.block_on(usage.run(&settings)),
            Command::Check => unreachable!("answered above, because it judges the settings itself"),
        }?;
        Ok(ExitCode::SUCCESS)
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")
}

fn version() -> &'static str {
    concat!(env!("CARGO_PKG_VERSION"), " (", env!("GATEHOUSE_REVISION"), ")")
}

/// The settings of the file and the environment.
fn settings(config: Option<&Path>) -> anyhow::Result<Settings> {
    let (path, text) = settings_text(config)?;
    let environment =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Settings::load(&text, environment).or_else(|problems| bail!("{}", list(&path, &problems)))
}

fn settings_text(config: Option<&Path>) -> anyhow::Result<(PathBuf, String)> {
    let path = config.unwrap_or(Path::new(DEFAULT_CONFIG));
    match fs::read_to_string(path) {
        Ok(text) => Ok((path.to_owned(), text)),
        Err(error) if error.kind() == ErrorKind::NotFound && config.is_none() => Ok((path.to_owned(), String::new())),
        Err(error) => Err(error).with_context(|| format!("cannot read the settings file {}", path.display())),
    }
}

fn list(path: &Path, problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    format!("the settings in {} and the environment have problems:\n  {}", path.display(), lines.join("\n  "))
}

//! The command line: one file per command.

mod access;
mod advice;
pub mod agent;
pub mod apply;
mod audit;
mod check;
mod completions;
mod export;
mod init;
mod jobs;
mod ledger;
mod man;
mod migrate;
mod output;
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
use clap::builder::styling::AnsiColor;
use clap::{Parser, Subcommand};

use crate::config::Settings;
use crate::document::Problem;
use crate::server::InheritedListeners;

/// The settings file that is read where no other is named; it need not exist.
const DEFAULT_CONFIG: &str = "config/gitlab.yml";

/// What `gatehouse --help` says last.
const MANNERS: &str = "\
Output:
  What was asked for goes to standard output, everything else to standard
  error. On a terminal lists are tables with colours, which NO_COLOR=1 turns
  off; elsewhere an entry is a line with a tab between two cells, without a
  head. With --json an entry is a JSON object on a line of its own.

Exit status:
  0  Done. For `check`: every verdict is good. For `apply --dry-run`: the
     document can be applied; the output says whether that would change
     anything.
  1  It failed; standard error says why and what would help. For `check`: a
     verdict is not good. For `apply`, a dry run too: the document has
     problems, and nothing was changed.
  2  The command line is wrong. Nothing was done.";

/// GitLab's internal API, answered from PostgreSQL.
///
/// Gatehouse tells gitlab-shell and Gitaly who owns an SSH key, whether a fetch or a push may go on, and where the
/// repository is. Without a command it serves.
#[derive(Debug, Parser)]
#[command(version = version(), about, long_about, propagate_version = true, subcommand_required = false, after_long_help = MANNERS)]
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
    Check(check::CheckCommand),
    Init(init::InitCommand),
    #[command(subcommand)]
    Jobs(jobs::JobsCommand),
    Apply(apply::Apply),
    Export(export::Export),
    Schema(schema::SchemaCommand),
    /// Print a token to call the API by hand; make, list and revoke personal access tokens of users
    #[command(subcommand, long_about = token::LONG_ABOUT)]
    Token(token::TokenCommand),
    Access(access::AccessCommand),
    Audit(audit::AuditCommand),
    Agent(agent::AgentCommand),
    Scim(scim::ScimCommand),
    Usage(usage::UsageCommand),
    Ledger(ledger::LedgerCommand),
    Completions(completions::CompletionsCommand),
    Man(man::ManCommand),
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// Where it cannot do its work, with what would help.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.answer() {
            Err(error) if output::is_closed_pipe(&error) => Ok(ExitCode::SUCCESS),
            answered => answered,
        }
    }

    fn answer(self) -> anyhow::Result<ExitCode> {
        let config = self.config.as_deref();
        match self.command.unwrap_or(Command::Serve) {
            Command::Check(check) => return runtime()?.block_on(check.run(config)),
            Command::Access(access) => return runtime()?.block_on(access.run(&settings(config)?)),
            // These need no settings.
            Command::Completions(completions) => completions.run(),
            Command::Init(init) => init.run(),
            Command::Man(man) => man.run(),
            Command::Schema(schema) => schema.run(&mut io::stdout().lock()),
            command => command.run(settings(config)?),
        }?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Command {
    fn run(self, settings: Settings) -> anyhow::Result<()> {
        match self {
            Self::Serve => {
                let inherited =
                    InheritedListeners::take().context("cannot take what the service manager handed over")?;
                let runtime = runtime()?;
                let served = runtime.block_on(serve::run(settings, inherited));
                // What is left was given its time: a thread that waits for a name server must not hold the end.
                runtime.shutdown_background();
                served
            }
            Self::Migrate => runtime()?.block_on(migrate::run(&settings)),
            Self::Jobs(jobs) => runtime()?.block_on(jobs.run(&settings)),
            Self::Apply(apply) => {
                runtime()?.block_on(apply.run(&settings, &mut io::stdout().lock(), &mut io::stderr().lock()))
            }
            Self::Export(export) => runtime()?.block_on(export.run(&settings, &mut io::stdout().lock())),
            Self::Agent(agent) => runtime()?.block_on(agent.run(&settings)),
            Self::Audit(audit) => runtime()?.block_on(audit.run(&settings)),
            Self::Ledger(ledger) => runtime()?.block_on(ledger.run(&settings)),
            Self::Token(token) => runtime()?.block_on(token.run(&settings)),
            Self::Scim(scim) => runtime()?.block_on(scim.run(&settings)),
            Self::Usage(usage) => runtime()?.block_on(usage.run(&settings)),
            Self::Access(_)
            | Self::Check(_)
            | Self::Completions(_)
            | Self::Init(_)
            | Self::Man(_)
            | Self::Schema(_) => {
                unreachable!("answered before")
            }
        }
    }
}

/// Says on standard error why a command failed, and what would help.
pub fn say_failure(error: &anyhow::Error) {
    let style = AnsiColor::Red.on_default().bold();
    anstream::eprintln!("{style}gatehouse:{style:#} {}", advice::told(error));
    if let Some(advice) = advice::advice(error) {
        eprintln!("  What would help: {advice}.");
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
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("cannot read the settings file {}: it is not there; `gatehouse init` writes one", path.display())
        }
        Err(error) => Err(error).with_context(|| format!("cannot read the settings file {}", path.display())),
    }
}

fn list(path: &Path, problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    let path = path.display();
    format!(
        "the settings in {path} and the environment have problems:\n  {}\nCorrect them there; `gatehouse schema settings` \
         describes every key.",
        lines.join("\n  ")
    )
}

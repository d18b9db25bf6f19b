//! `gatehouse access explain`: may this actor fetch or push, and why?

use std::io::Write;
use std::process::ExitCode;

use anyhow::{anyhow, bail};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::app;
use crate::cli::output::{self, Cell, Listing, OutputArgs, OutputShape};
use crate::clock::Clock;
use crate::config::Settings;
use crate::document::Problem;
use crate::domain::access::{GitCommand, RuleVerdict, Verdict};
use crate::services::ask_access::{self, AskedActor, WrittenQuestion};
use crate::services::explain_access::{self, AccessExplanation, AskedChangeKind, ExplainError, ExplainedOutcome};
use crate::store::Db;

pub(super) const EXIT_STATUS: &str = "\
Exit status:
  0  The attempt may go on.
  1  It is denied.
  2  Nobody can say: there is no such user or key, or the database or the
     repository's Gitaly gives no answer.";

/// Explain why somebody may or may not fetch or push: every rule with what it said and what it looked at, and where the
/// level comes from
///
/// Nothing is changed: where a push would make a project, that is only said. A change of a ref in a word (create, update,
/// force, delete) is judged by who may make it; a change OLD..NEW also by what it brings along, for which the repository
/// is asked about its objects.
#[derive(Debug, Args)]
pub struct ExplainCommand {
    #[command(flatten)]
    actor: ActorArgs,
    /// The full path of the project (`g/p`, `g/p.wiki`), or what Gitaly calls it (`project-7`, `wiki-7`, `snippet-3`)
    #[arg(long, value_name = "PATH")]
    project: String,
    /// To fetch, or to push
    #[arg(long, value_enum)]
    action: AskedAction,
    /// The branch or tag that is pushed to, in full (refs/heads/main) or a branch's name alone
    #[arg(long = "ref", value_name = "NAME")]
    name: Option<String>,
    /// What becomes of the ref: create, update, force, delete, or OLD..NEW of two objects, of which one may be left out
    #[arg(long, value_name = "CHANGE", requires = "name", default_value = "update", value_parser = ask_access::parse_change)]
    change: AskedChangeKind,
    /// The way to git: ssh, http or web
    #[arg(long, default_value = "ssh", value_parser = ask_access::PROTOCOLS)]
    protocol: String,
    /// The scopes of the token that git shows over HTTP, with commas between them; left out, the token may do everything, or
    /// it is a password
    #[arg(long, value_name = "SCOPE", value_delimiter = ',')]
    scopes: Vec<String>,
    /// The address that the client comes from
    #[arg(long)]
    ip: Option<std::net::IpAddr>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Who is asked about.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct ActorArgs {
    /// A user: the username, or the id
    #[arg(long, value_name = "NAME|ID")]
    user: Option<String>,
    /// A user by username alone, as gitlab-shell names those who log in with a certificate
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// An SSH key of a user's: its id, or its fingerprint as `ssh-keygen -l` prints it (SHA256:…)
    #[arg(long, value_name = "FINGERPRINT|ID")]
    key: Option<String>,
    /// A deploy key, by the same
    #[arg(long, value_name = "FINGERPRINT|ID")]
    deploy_key: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum AskedAction {
    /// Fetch, clone or pull
    Pull,
    /// Push
    Push,
}

impl ExplainCommand {
    pub(super) async fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let shape = self.output.shape();
        match self.explain(settings).await {
            Ok(explanation) => {
                let mut out = output::stdout();
                match shape {
                    OutputShape::Json => writeln!(out, "{}", object(&explanation))?,
                    shape => write(out, shape, &explanation)?,
                }
                Ok(match explanation.outcome {
                    ExplainedOutcome::Allowed | ExplainedOutcome::AllowedAndMakes(_) => ExitCode::SUCCESS,
                    ExplainedOutcome::Denied(_) | ExplainedOutcome::Impossible(_) => ExitCode::FAILURE,
                    ExplainedOutcome::Unknown(_) => ExitCode::from(2),
                })
            }
            Err(error) => {
                crate::cli::say_failure(&error);
                Ok(ExitCode::from(2))
            }
        }
    }

    async fn explain(self, settings: &Settings) -> anyhow::Result<AccessExplanation> {
        let clock = Clock::system();
        let db = Db::new(&settings.gatehouse.database)?;
        let access = app::explainer(settings, &db, &clock).map_err(|problems| {
            let told: Vec<String> = problems.iter().map(Problem::to_string).collect();
            anyhow!("the settings have problems: {}", told.join("; "))
        })?;
        let written = WrittenQuestion {
            actor: self.actor.asked()?,
            project: &self.project,
            command: match self.action {
                AskedAction::Pull => GitCommand::Download,
                AskedAction::Push => GitCommand::Push,
            },
            protocol: &self.protocol,
            scopes: self.scopes,
            name: self.name.as_deref(),
            change: self.change,
            ip: self.ip,
        };
        let question = ask_access::read(&db, &written).await?;
        explain_access::explain(&access, &question, clock.now()).await.map_err(|error| match error {
            ExplainError::Store(error) => anyhow::Error::from(error).context("the database gives no answer"),
            error @ ExplainError::NoSuchActor(_) => error.into(),
        })
    }
}

impl ActorArgs {
    fn asked(&self) -> anyhow::Result<AskedActor<'_>> {
        Ok(match self {
            Self { user: Some(user), .. } => AskedActor::User(user),
            Self { username: Some(username), .. } => AskedActor::Username(username),
            Self { key: Some(key), .. } => AskedActor::Key(key),
            Self { deploy_key: Some(key), .. } => AskedActor::DeployKey(key),
            Self { user: None, username: None, key: None, deploy_key: None } => bail!("nobody is asked about"),
        })
    }
}

const HEAD: [&str; 4] = ["RULE", "VERDICT", "WHAT IT ASKS", "WHAT IT SAW"];

/// A table of the rules, the paths of the level, and last what becomes of the attempt.
fn write<W: Write>(mut out: W, shape: OutputShape, explanation: &AccessExplanation) -> anyhow::Result<()> {
    let rules: Vec<&RuleVerdict> = explanation.access.iter().chain(&explanation.refs).collect();
    Listing::new(&mut out, shape, HEAD).write(rules.iter().copied(), cells, verdict_object)?;
    if let Some(level) = &explanation.level {
        writeln!(out, "\nlevel: {}", level.kept)?;
        for path in &level.paths {
            writeln!(out, "  {path}")?;
        }
        for past in &level.past {
            writeln!(out, "  was: {past}")?;
        }
        if !level.is_true() {
            writeln!(
                out,
                "  A FAULT: memberships and shares give {}, but project_authorizations has {}, which decisions look at",
                level.given, level.kept
            )?;
        }
    }
    writeln!(out, "\n{}", told(explanation))?;
    Ok(())
}

/// What becomes of the attempt, and what would change that.
fn told(explanation: &AccessExplanation) -> String {
    match (&explanation.outcome, &explanation.remedy) {
        (ExplainedOutcome::Allowed, _) => "allowed".to_owned(),
        (ExplainedOutcome::AllowedAndMakes(what), _) => format!("allowed: the push makes the {what}"),
        (ExplainedOutcome::Denied(denial), remedy) => {
            let sentence = denial.to_string();
            let remedy = remedy.as_ref().map_or_else(String::new, |remedy| format!("\n{remedy}"));
            format!("denied by {}: {}{remedy}", denial.rule(), sentence.trim())
        }
        (ExplainedOutcome::Impossible(message), _) => format!("impossible: {}", message.trim()),
        (ExplainedOutcome::Unknown(reason), _) => format!("cannot say: {reason}"),
    }
}

fn cells(rule: &RuleVerdict) -> [Cell; 4] {
    let seen: Vec<String> = rule.facts.iter().map(|fact| format!("{}: {}", fact.name, fact.value)).collect();
    let asks = match &rule.name {
        Some(name) => format!("{name}: {}", rule.asks),
        None => rule.asks.to_owned(),
    };
    let verdict = match rule.verdict {
        Verdict::Passed => Cell::good(verdict_word(&rule.verdict)),
        Verdict::Denied(_) => Cell::bad(verdict_word(&rule.verdict)),
        Verdict::NotReached => Cell::from(verdict_word(&rule.verdict)),
    };
    [rule.rule.into(), verdict, asks.into(), seen.join("; ").into()]
}

fn verdict_word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Denied(_) => "denied",
        Verdict::NotReached => "not reached",
    }
}

fn verdict_object(rule: &RuleVerdict) -> Value {
    let facts: serde_json::Map<String, Value> =
        rule.facts.iter().map(|fact| (fact.name.to_owned(), Value::from(fact.value.as_str()))).collect();
    json!({
        "rule": rule.rule,
        "verdict": verdict_word(&rule.verdict).replace(' ', "_"),
        "asks": rule.asks,
        "ref": rule.name,
        "facts": facts,
    })
}

fn object(explanation: &AccessExplanation) -> Value {
    let (outcome, rule, message) = match &explanation.outcome {
        ExplainedOutcome::Allowed => ("allowed", None, None),
        ExplainedOutcome::AllowedAndMakes(what) => ("allowed", None, Some(format!("the push makes the {what}"))),
        ExplainedOutcome::Denied(denial) => ("denied", Some(denial.rule()), Some(denial.to_string())),
        ExplainedOutcome::Impossible(message) => ("denied", None, Some(message.clone())),
        ExplainedOutcome::Unknown(reason) => ("unknown", None, Some(reason.clone())),
    };
    let level = explanation.level.as_ref().map(|level| {
        json!({
            "given": level.given.to_string(),
            "kept": level.kept.to_string(),
            "fault": !level.is_true(),
            "paths": level.paths.iter().map(|path| json!({
                "level": path.level().to_string(),
                "gives": path.idle.is_none(),
                "words": path.to_string(),
            })).collect::<Vec<_>>(),
            "past": level.past,
        })
    });
    let rules: Vec<Value> = explanation.access.iter().chain(&explanation.refs).map(verdict_object).collect();
    json!({
        "outcome": outcome,
        "rule": rule,
        "message": message,
        "user": explanation.user.as_ref().map(|(id, name)| json!({"id": id.0, "username": name})),
        "project": explanation.project.as_ref().map(|(id, path)| json!({"id": id.0, "full_path": path})),
        "level": level,
        "rules": rules,
        "remedy": explanation.remedy.as_ref().map(|remedy| json!({
            "words": remedy.remedy.words,
            "level": remedy.remedy.level.map(|level| level.to_string()),
            "granters": remedy.granters.iter().map(|granter| &granter.username).collect::<Vec<_>>(),
        })),
    })
}

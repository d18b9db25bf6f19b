//! `gatehouse access explain`: may this actor fetch or push, and why?

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};
use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::app;
use crate::cli::output::{self, Cell, Listing, OutputArgs, OutputShape};
use crate::clock::Clock;
use crate::config::Settings;
use crate::document::Problem;
use crate::domain::access::refs::{ObjectId, RefName, is_ref};
use crate::domain::access::{AccessProtocol, AccessTarget, ActorName, ClientIp, GitCommand, RuleVerdict, Verdict};
use crate::domain::ids::{KeyId, UserId};
use crate::domain::repository::{GlRepository, RepositoryPath};
use crate::services::explain_access::{
    self, AccessExplanation, AccessQuestion, AskedChange, AskedChangeKind, ExplainError, ExplainedOutcome,
};
use crate::store::{Db, actors};

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
    #[arg(long, value_name = "CHANGE", requires = "name", default_value = "update", value_parser = change)]
    change: AskedChangeKind,
    /// The way to git: ssh, http or web
    #[arg(long, default_value = "ssh", value_parser = ["ssh", "http", "web"])]
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

fn change(text: &str) -> anyhow::Result<AskedChangeKind> {
    Ok(match text {
        "create" => AskedChangeKind::Create,
        "update" => AskedChangeKind::Update,
        "force" => AskedChangeKind::Force,
        "delete" => AskedChangeKind::Delete,
        range => {
            let (old, new) =
                range.split_once("..").ok_or_else(|| anyhow!("create, update, force, delete, or OLD..NEW"))?;
            let (old, new) = (object_id(old)?, object_id(new)?);
            if old.is_none() && new.is_none() {
                bail!("one of the two objects must be named");
            }
            AskedChangeKind::Between(old, new)
        }
    })
}

/// The object of a whole id; none where it is left out, or all zeros.
fn object_id(text: &str) -> anyhow::Result<Option<ObjectId>> {
    let whole = matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match text {
        "" => Ok(None),
        text if whole => Ok(ObjectId::parse(&text.to_ascii_lowercase())),
        text => bail!("{text} is no object id: 40 or 64 hex digits, as `git rev-parse` prints it"),
    }
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
        let (actor, deploy_key) = self.actor.find(&db).await?;
        let change = match (self.action, self.name) {
            (AskedAction::Push, Some(name)) => Some(AskedChange { name: ref_name(&name)?, kind: self.change }),
            (AskedAction::Pull, Some(_)) => bail!("--ref is for a push: what a fetch gets does not depend on refs"),
            (_, None) => None,
        };
        let question = AccessQuestion {
            actor,
            deploy_key,
            target: GlRepository::parse(&self.project)
                .map_or_else(|_| AccessTarget::Path(RepositoryPath::new(&self.project)), AccessTarget::Repository),
            command: match self.action {
                AskedAction::Pull => GitCommand::Download,
                AskedAction::Push => GitCommand::Push,
            },
            protocol: AccessProtocol::from(self.protocol.as_str()),
            scopes: self.scopes,
            client_ip: self.ip.map(|ip| ClientIp::Known(ip.to_canonical())),
            change,
        };
        explain_access::explain(&access, &question, clock.now()).await.map_err(|error| match error {
            ExplainError::Store(error) => anyhow::Error::from(error).context("the database gives no answer"),
            error @ ExplainError::NoSuchActor(_) => error.into(),
        })
    }
}

/// A ref in full, or a branch by its name.
fn ref_name(text: &str) -> anyhow::Result<RefName> {
    let full = if text.starts_with("refs/") { text.to_owned() } else { format!("refs/heads/{text}") };
    if !is_ref(&full) {
        bail!("{text} is no name that git gives to a ref");
    }
    Ok(RefName::parse(&full))
}

impl ActorArgs {
    /// Who is meant, and of a key whether it is to be a deploy key.
    async fn find(self, db: &Db) -> anyhow::Result<(ActorName, Option<bool>)> {
        if let Some(user) = self.user {
            let name = user.parse().map_or_else(|_| ActorName::Username(user), |id| ActorName::User(UserId(id)));
            return Ok((name, None));
        }
        if let Some(username) = self.username {
            return Ok((ActorName::Username(username), None));
        }
        let deploy = self.deploy_key.is_some();
        let key = self.key.or(self.deploy_key).context("nobody is asked about")?;
        let id = match key.parse::<i64>() {
            Ok(id) => id,
            Err(_) => find_key(db, &key).await?,
        };
        Ok((ActorName::Key(KeyId(id)), Some(deploy)))
    }
}

async fn find_key(db: &Db, fingerprint: &str) -> anyhow::Result<i64> {
    let digest = fingerprint.strip_prefix("SHA256:").and_then(|text| {
        let bytes = BASE64_STANDARD_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
        <[u8; 32]>::try_from(bytes).ok()
    });
    let digest = digest
        .with_context(|| format!("{fingerprint} is neither an id nor a fingerprint as `ssh-keygen -l` prints it"))?;
    let found = actors::find_login_key(db, &digest).await.context("the database gives no answer")?;
    found.map(|key| key.id).with_context(|| format!("no key that may authenticate has the fingerprint {fingerprint}"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_a_word_or_two_objects() {
        let (old, new) = ("a".repeat(40), "b".repeat(64));
        assert_eq!(change("force").unwrap(), AskedChangeKind::Force);
        assert_eq!(
            change(&format!("{old}..{new}")).unwrap(),
            AskedChangeKind::Between(ObjectId::parse(&old), ObjectId::parse(&new))
        );
        assert_eq!(change(&format!("..{new}")).unwrap(), AskedChangeKind::Between(None, ObjectId::parse(&new)));
        let zeros = "0".repeat(40);
        assert_eq!(change(&format!("{old}..{zeros}")).unwrap(), AskedChangeKind::Between(ObjectId::parse(&old), None));
        for bad in ["", "..", "rewrite", "abc..def", &format!("{zeros}..{zeros}"), &format!("{old}..{new}x")] {
            assert!(change(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_branch_may_be_named_without_its_beginning() {
        assert_eq!(ref_name("main").unwrap(), RefName::Branch("main".to_owned()));
        assert_eq!(ref_name("refs/tags/v1").unwrap(), RefName::Tag("v1".to_owned()));
        for bad in ["", "a b", "refs/heads/", "a..b"] {
            assert!(ref_name(bad).is_err(), "{bad}");
        }
    }
}

//! Why may this actor fetch or push, or why not? The rules of `/allowed`, each with what it said and what it saw, and
//! where the level comes from that they looked at. Nothing is changed: what a push would make is only said.

use chrono::{DateTime, Utc};

use super::check_access::AccessChecker;
use super::check_push::{self, PreReceiveHook, PushCheckError};
use super::create_pushed_project::{self, PushedProjectCreation};
use crate::domain::access::level_path::{LevelPath, level_of};
use crate::domain::access::push::{self, PushAnswers, PushQuestions, PushedRepository};
use crate::domain::access::refs::{ObjectId, RefName, RefUpdate};
use crate::domain::access::{
    self, AccessFacts, AccessProtocol, AccessRemedy, AccessTarget, ActorName, Attempt, ClientIp, Decision, Denial,
    GitAbilities, GitCommand, PushChanges, RuleVerdict, Verdict, may_make_repository,
};
use crate::domain::ids::{ProjectId, UserId};
use crate::domain::level::AccessLevel;
use crate::gitaly::CheckSteps;
use crate::store::level_paths::{self, Granter};
use crate::store::{self, access_facts};

/// An attempt that somebody asks about.
#[derive(Debug, Clone)]
pub struct AccessQuestion {
    /// Who.
    pub actor: ActorName,
    /// Of a key, whether it must be a deploy key or must not be one.
    pub deploy_key: Option<bool>,
    /// Which repository.
    pub target: AccessTarget,
    /// To fetch, or to push.
    pub command: GitCommand,
    /// By which way.
    pub protocol: AccessProtocol,
    /// The scopes of the token that they come with over HTTP; none for a password, or for all that they may do.
    pub scopes: Vec<String>,
    /// From where, where that matters.
    pub client_ip: Option<ClientIp>,
    /// Of a push, the ref and what becomes of it; without it, whether a push may begin is explained.
    pub change: Option<AskedChange>,
}

/// A change of a ref that somebody asks about.
#[derive(Debug, Clone)]
pub struct AskedChange {
    /// The ref.
    pub name: RefName,
    /// What becomes of it.
    pub kind: AskedChangeKind,
}

/// What becomes of the ref.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskedChangeKind {
    /// It is made. What it brings along is not looked at.
    Create,
    /// It goes forward. What it brings along is not looked at.
    Update,
    /// Its history is rewritten. What it brings along is not looked at.
    Force,
    /// It goes.
    Delete,
    /// From one object of the repository to another, either of which may be absent.
    Between(Option<ObjectId>, Option<ObjectId>),
}

/// What is said about an attempt.
#[derive(Debug)]
pub struct AccessExplanation {
    /// What becomes of it.
    pub outcome: ExplainedOutcome,
    /// The rules before git begins, in order.
    pub access: Vec<RuleVerdict>,
    /// The rules of the ref, in order; none where no ref was asked about, or the first rules refuse.
    pub refs: Vec<RuleVerdict>,
    /// The user who acts, with their name.
    pub user: Option<(UserId, String)>,
    /// The project that was found, with its full path.
    pub project: Option<(ProjectId, String)>,
    /// Where the user's level comes from; none where there is no user or no project.
    pub level: Option<ExplainedLevel>,
    /// What would let a refused attempt go on.
    pub remedy: Option<ExplainedRemedy>,
}

/// What becomes of an attempt.
#[derive(Debug)]
pub enum ExplainedOutcome {
    /// It may go on.
    Allowed,
    /// It may go on, and makes what it misses: a project, or its repository.
    AllowedAndMakes(&'static str),
    /// It may not, and this is what its user is told.
    Denied(Denial),
    /// What it needs cannot be made, and this is what its user is told.
    Impossible(String),
    /// Nobody can say, for this reason.
    Unknown(String),
}

/// The level that rules look at, and where it comes from.
#[derive(Debug)]
pub struct ExplainedLevel {
    /// What memberships and shares give today.
    pub given: AccessLevel,
    /// What is kept for decisions (`project_authorizations`).
    pub kept: AccessLevel,
    /// The ways in which it is given, the highest first; those that give nothing last.
    pub paths: Vec<LevelPath>,
    /// Memberships that are gone, newest first, as the audit events tell of them.
    pub past: Vec<String>,
}

/// What would let a refused attempt go on, and who can do that.
#[derive(Debug)]
pub struct ExplainedRemedy {
    /// What has to be done.
    pub remedy: AccessRemedy,
    /// Who can give the level that it needs.
    pub granters: Vec<Granter>,
}

impl ExplainedLevel {
    /// Whether what is kept is what is given. Where it is not, decisions are wrong.
    #[must_use]
    pub fn is_true(&self) -> bool {
        self.given == self.kept
    }
}

impl std::fmt::Display for ExplainedRemedy {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.remedy.words)?;
        if self.remedy.level.is_none() {
            return Ok(());
        }
        if self.granters.is_empty() {
            return out.write_str("; an administrator can give it, for nobody else here can");
        }
        let names: Vec<String> =
            self.granters.iter().map(|granter| format!("{} ({})", granter.username, granter.level)).collect();
        write!(out, "; who can give it: {}", names.join(", "))
    }
}

/// Why nothing can be explained.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Whoever is asked about does not exist.
    #[error("there is no such {0}")]
    NoSuchActor(&'static str),
}

/// What `/allowed` would say about the attempt at this time, and why.
pub async fn explain(
    access: &AccessChecker,
    question: &AccessQuestion,
    now: DateTime<Utc>,
) -> Result<AccessExplanation, ExplainError> {
    let mut attempt = Attempt {
        command: question.command,
        protocol: question.protocol.clone(),
        actor: question.actor.clone(),
        target: question.target.clone(),
        changes: if question.command == GitCommand::Push { PushChanges::Any } else { PushChanges::None },
        client_ip: question.client_ip,
        certified_by: None,
    };
    let mut connection = access.lookups.acquire().await?;
    let mut facts = access_facts::find(&mut connection, attempt.subject(), now, &access.settings).await?;
    drop(connection);
    if !question.scopes.is_empty() {
        facts.abilities = GitAbilities::of_scopes(question.scopes.iter().map(String::as_str));
    }
    check_actor(question, &facts)?;

    let decision = access::decide(&facts, &attempt);
    let mut explanation = AccessExplanation {
        outcome: ExplainedOutcome::Allowed,
        access: access::explain(&facts, &attempt),
        refs: Vec::new(),
        user: facts.user.as_ref().map(|user| (user.id, user.username.clone())),
        project: facts.project.as_ref().map(|project| (project.id, project.full_path.clone())),
        level: find_level(access, &facts).await?,
        remedy: None,
    };
    explanation.outcome = first_outcome(access, &facts, &attempt, decision).await?;
    let mut admitted = None;
    if let (ExplainedOutcome::Allowed, Some(change)) = (&explanation.outcome, &question.change) {
        // Gitaly's call tells no address and knows no certificate.
        attempt.client_ip = None;
        let judged = judge_change(access, &facts, &mut attempt, change).await?;
        admitted = judged.admitted;
        explanation.refs = judged.verdicts;
        explanation.outcome = judged.outcome;
    }
    if let ExplainedOutcome::Denied(denial) = &explanation.outcome {
        let remedy = access::remedy(&facts, &attempt, denial, admitted);
        let granters = match (remedy.level, &facts.project) {
            (Some(level), Some(project)) => level_paths::list_granters(&access.lookups, project.id, level).await?,
            _ => Vec::new(),
        };
        explanation.remedy = Some(ExplainedRemedy { remedy, granters });
    }
    Ok(explanation)
}

/// Clients may name anybody; whoever asks about somebody who is not there has misspelt them.
fn check_actor(question: &AccessQuestion, facts: &AccessFacts) -> Result<(), ExplainError> {
    if let (Some(wanted), Some(key)) = (question.deploy_key, &facts.key)
        && key.deploy != wanted
    {
        return Err(ExplainError::NoSuchActor(if wanted {
            "deploy key: it is a user's key"
        } else {
            "key of a user's: it is a deploy key"
        }));
    }
    match &question.actor {
        ActorName::Key(_) if facts.key.is_none() => Err(ExplainError::NoSuchActor("key that may authenticate")),
        ActorName::User(_) | ActorName::Username(_) | ActorName::Kerberos(_) | ActorName::Credential(_)
            if facts.user.is_none() =>
        {
            Err(ExplainError::NoSuchActor("user"))
        }
        ActorName::Key(_)
        | ActorName::User(_)
        | ActorName::Username(_)
        | ActorName::Kerberos(_)
        | ActorName::Credential(_)
        | ActorName::Nobody => Ok(()),
    }
}

/// What becomes of the first call, with what a push would make.
async fn first_outcome(
    access: &AccessChecker,
    facts: &AccessFacts,
    attempt: &Attempt,
    decision: Decision,
) -> Result<ExplainedOutcome, ExplainError> {
    if attempt.command == GitCommand::Push && facts.instance.read_only && !facts.settings.read_only {
        let reason = "the database takes no writes just now: it answers 503, and git may try again";
        return Ok(ExplainedOutcome::Unknown(reason.to_owned()));
    }
    if decision == Decision::Deny(Denial::NoSuchProject) {
        return Ok(match create_pushed_project::would_create(access, facts, attempt).await? {
            PushedProjectCreation::Created => ExplainedOutcome::AllowedAndMakes("project"),
            PushedProjectCreation::Refused => ExplainedOutcome::Denied(Denial::NoSuchProject),
            PushedProjectCreation::Denied(denial) => ExplainedOutcome::Denied(denial),
            PushedProjectCreation::Impossible(message) => ExplainedOutcome::Impossible(message),
        });
    }
    if may_make_repository(facts, attempt, &decision) {
        return Ok(ExplainedOutcome::AllowedAndMakes("repository"));
    }
    Ok(match decision {
        Decision::Allow => ExplainedOutcome::Allowed,
        Decision::Deny(denial) => ExplainedOutcome::Denied(denial),
    })
}

/// What the second call says.
struct JudgedChange {
    outcome: ExplainedOutcome,
    verdicts: Vec<RuleVerdict>,
    admitted: Option<AccessLevel>,
}

impl JudgedChange {
    fn unknown(reason: impl Into<String>) -> Self {
        Self { outcome: ExplainedOutcome::Unknown(reason.into()), verdicts: Vec::new(), admitted: None }
    }
}

async fn judge_change(
    access: &AccessChecker,
    facts: &AccessFacts,
    attempt: &mut Attempt,
    change: &AskedChange,
) -> Result<JudgedChange, ExplainError> {
    let update = change.update();
    let line = |id: &Option<ObjectId>| id.as_ref().map_or_else(|| ZERO.to_owned(), ToString::to_string);
    attempt.changes = PushChanges::Lines(format!("{} {} {}\n", line(&update.old), line(&update.new), update.name));
    let verdicts = access::explain(facts, attempt);
    if let Some(denial) = first_denial(&verdicts) {
        return Ok(JudgedChange { outcome: ExplainedOutcome::Denied(denial), verdicts, admitted: None });
    }
    let updates = [update];
    let gathered = async {
        let repository = check_push::find_repository(access, facts, &updates).await?;
        let questions = change.questions(push::questions(facts, &repository, &updates));
        let answers = if questions.is_empty() {
            PushAnswers::default()
        } else {
            let (hook, mut steps) = (PreReceiveHook::default(), CheckSteps::default());
            check_push::ask(access, facts, &questions, &updates, &hook, &mut steps).await?
        };
        Ok((repository, answers))
    };
    let (repository, mut answers) = match gathered.await {
        Ok(gathered) => gathered,
        Err(PushCheckError::Store(error)) => return Err(error.into()),
        Err(error @ (PushCheckError::Gitaly(_) | PushCheckError::Gone)) => {
            return Ok(JudgedChange::unknown(format!("the repository could not be asked: {error}")));
        }
    };
    change.assume(&mut answers, &updates[0]);
    let decision = push::decide(facts, attempt, &repository, &updates, &answers);
    let admitted = match &repository {
        PushedRepository::Project(facts) => push::least_level(facts, &updates[0].name),
        PushedRepository::Snippet | PushedRepository::Other => None,
    };
    if decision == Decision::Deny(Denial::ProtectedBranchFromUnknownCommit) && !change.is_exact() {
        return Ok(JudgedChange::unknown(
            "it depends on the commit that the branch begins with: name the change as OLD..NEW",
        ));
    }
    let mut verdicts = push::explain(facts, attempt, &repository, &updates, &answers);
    if !change.is_exact() {
        // Nobody named what is pushed, so the rules about it have not let it pass: they are not told.
        verdicts.retain(|verdict| {
            let known = verdict.name.is_some() || WITHOUT_CONTENT.contains(&verdict.rule);
            known || matches!(verdict.verdict, Verdict::Denied(_))
        });
    }
    let outcome = match decision {
        Decision::Allow => ExplainedOutcome::Allowed,
        Decision::Deny(denial) => ExplainedOutcome::Denied(denial),
    };
    Ok(JudgedChange { outcome, verdicts, admitted })
}

/// The rules of a push as a whole that need not know what it brings along.
const WITHOUT_CONTENT: [&str; 4] = ["snippet_branch", "invalid_regex", "branch_name_regex", "deny_delete_tag"];

/// The first denial of the list, which is the decision.
fn first_denial(verdicts: &[RuleVerdict]) -> Option<Denial> {
    verdicts.iter().find_map(|verdict| match &verdict.verdict {
        Verdict::Denied(denial) => Some(denial.clone()),
        Verdict::Passed | Verdict::NotReached => None,
    })
}

const ZERO: &str = "0000000000000000000000000000000000000000";
/// Objects that stand for those that nobody named. No question about them reaches Gitaly.
const SOME_OLD: &str = "1111111111111111111111111111111111111111";
const SOME_NEW: &str = "2222222222222222222222222222222222222222";

impl AskedChange {
    fn is_exact(&self) -> bool {
        matches!(self.kind, AskedChangeKind::Between(..))
    }

    fn update(&self) -> RefUpdate {
        let (old, new) = match &self.kind {
            AskedChangeKind::Create => (None, ObjectId::parse(SOME_NEW)),
            AskedChangeKind::Update | AskedChangeKind::Force => (ObjectId::parse(SOME_OLD), ObjectId::parse(SOME_NEW)),
            AskedChangeKind::Delete => (ObjectId::parse(SOME_OLD), None),
            AskedChangeKind::Between(old, new) => (old.clone(), new.clone()),
        };
        RefUpdate { old, new, name: self.name.clone() }
    }

    /// What is asked of the repository: nothing about objects that nobody named.
    fn questions(&self, questions: PushQuestions) -> PushQuestions {
        if self.is_exact() {
            return questions;
        }
        let PushQuestions { empty, default_branch, .. } = questions;
        PushQuestions { empty, default_branch, ..PushQuestions::default() }
    }

    /// What the words say of the objects.
    fn assume(&self, answers: &mut PushAnswers, update: &RefUpdate) {
        if self.kind == AskedChangeKind::Force
            && let Some((old, new)) = update.moved()
        {
            answers.diverged.insert((old.clone(), new.clone()));
        }
    }
}

async fn find_level(access: &AccessChecker, facts: &AccessFacts) -> Result<Option<ExplainedLevel>, ExplainError> {
    let (Some(user), Some(project)) = (&facts.user, &facts.project) else { return Ok(None) };
    let mut levels = level_paths::list(&access.lookups, &[(user.id, project.id)], facts.now.date_naive()).await?;
    let found = levels.pop().unwrap_or_default();
    let past = level_paths::list_past(&access.lookups, user.id, project.id).await?;
    Ok(Some(ExplainedLevel {
        given: level_of(&found.paths),
        kept: found.kept.unwrap_or(AccessLevel::NO_ACCESS),
        paths: found.paths,
        past,
    }))
}

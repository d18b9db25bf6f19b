//! What a push brings along: push rules, LFS objects, sizes (allowed.md 3.5).

mod expressions;
mod secret_files;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use self::expressions::{RuleExpression, must_match, must_not_match};
use super::push::PushAnswers;
use super::refs::{ObjectId, RefName, RefUpdate};
use super::rules::{SeenFact, VerdictList};
use super::{AccessFacts, AccessProtocol, AccessSettings, Denial};
use crate::domain::re2::{AnchorMode, Re2};

const MEBIBYTE: u64 = 1 << 20;

/// What the project, and what is above it, ask of a push.
#[derive(Debug, Clone, Default)]
pub struct ContentRules {
    /// The push rule that holds for the project.
    pub push_rule: Option<PushRule>,
    /// Whether LFS objects must be there before their pointers.
    pub lfs: bool,
    /// Files that others than whoever pushes have locked.
    pub locks: Vec<ForeignLock>,
    /// The size that the repository may have.
    pub size: Option<SizeLimit>,
    /// Who pushes, where the push rule asks.
    pub pusher: Pusher,
}

/// A file that somebody else has locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignLock {
    /// Its path.
    pub path: String,
    /// The username of who has it.
    pub username: String,
}

/// Who pushes, as commits are compared with them. Nobody has no name and no address.
#[derive(Debug, Clone, Default)]
pub struct Pusher {
    /// The name that people read.
    pub name: Option<String>,
    /// Confirmed addresses, in lower case.
    pub confirmed_emails: HashSet<String>,
    /// Addresses that wait to be confirmed, in lower case.
    pub unconfirmed_emails: HashSet<String>,
}

/// A row of `push_rules`. Expressions are as they were written.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a column of its own")]
pub struct PushRule {
    /// Names of branches must match.
    pub branch_name: Option<String>,
    /// Messages of commits must match.
    pub commit_message: Option<String>,
    /// Messages of commits must not match.
    pub commit_message_negative: Option<String>,
    /// Addresses of authors and committers must match.
    pub author_email: Option<String>,
    /// Names of added files must not match.
    pub file_name: Option<String>,
    /// Mebibytes of a file at most; 0 for any.
    pub max_file_size: u64,
    /// Commits must be signed off.
    pub reject_non_dco: bool,
    /// Commits must be signed.
    pub reject_unsigned: bool,
    /// Tags may not be deleted.
    pub deny_delete_tag: bool,
    /// Authors and committers must be users.
    pub member_check: bool,
    /// Names of added files must not be those of well-known secrets.
    pub prevent_secrets: bool,
    /// Addresses of committers must be confirmed ones of whoever pushes.
    pub committer_check: bool,
    /// Authors who commit themselves must be called as whoever pushes.
    pub committer_name_check: bool,
}

/// How large a repository is and may be, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SizeLimit {
    /// What it may be.
    pub limit: u64,
    /// What its objects took when they were last measured; none where nobody has measured them yet.
    pub repository: Option<u64>,
    /// What its LFS objects take.
    pub lfs: u64,
}

impl SizeLimit {
    fn needs_repository_size(self) -> bool {
        self.repository.is_none()
    }

    /// What it has in all.
    fn used(self, content: &PushContent) -> u64 {
        self.repository.unwrap_or(content.repository_size).saturating_add(self.lfs)
    }
}

/// What must be asked about the new objects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
pub struct ContentQuestions {
    /// The commits.
    pub commits: bool,
    /// The files that the commits add.
    pub added_files: bool,
    /// All files that they change.
    pub changed_files: bool,
    /// The files that are larger than so many bytes.
    pub files_above: Option<u64>,
    /// The LFS pointers.
    pub lfs_pointers: bool,
    /// How much the push takes on disk.
    pub size: bool,
    /// How much the repository takes without it.
    pub repository_size: bool,
    /// Which of the commits' addresses are users'.
    pub users: bool,
}

/// What was answered.
#[derive(Debug, Clone, Default)]
pub struct PushContent {
    /// The new commits, by id.
    pub commits: HashMap<ObjectId, PushedCommit>,
    /// The files that the new commits add.
    pub added_files: Vec<String>,
    /// All files that they change, where that was asked.
    pub changed_files: HashSet<String>,
    /// The new files that are too large, by path, or by id where no path is known.
    pub large_files: Vec<String>,
    /// Some pointer's LFS object is not the project's.
    pub lfs_objects_missing: bool,
    /// What the push takes on disk, in bytes.
    pub size: u64,
    /// What the repository takes without it, in bytes, where that was asked.
    pub repository_size: u64,
    /// The addresses among the commits' that are users'.
    pub users: HashSet<String>,
}

/// A commit, as far as rules look at it.
#[derive(Debug, Clone, Default)]
pub struct PushedCommit {
    /// The whole message.
    pub message: String,
    /// The name of who wrote it.
    pub author_name: String,
    /// The address of who wrote it.
    pub author_email: String,
    /// The address of who committed it.
    pub committer_email: String,
    /// The commits that it builds on.
    pub parents: Vec<ObjectId>,
    /// Whether it carries a signature.
    pub signed: bool,
}

impl ContentRules {
    /// Whether a rule makes an exception for the default branch.
    #[must_use]
    pub fn needs_default_branch(&self) -> bool {
        self.push_rule.as_ref().is_some_and(|rule| rule.branch_name.is_some())
    }
}

impl PushRule {
    fn needs_added_files(&self) -> bool {
        self.file_name.is_some() || self.prevent_secrets
    }

    /// The size that files must not have, in bytes.
    fn needs_files_above(&self) -> Option<u64> {
        Some(self.max_file_size * MEBIBYTE).filter(|bytes| *bytes > 0)
    }

    fn needs_commits(&self) -> bool {
        let expressions = [&self.commit_message, &self.commit_message_negative, &self.author_email];
        let committer = self.committer_check || self.committer_name_check;
        let flags = [self.reject_non_dco, self.reject_unsigned, self.member_check, committer];
        expressions.iter().any(|expression| expression.is_some()) || flags.contains(&true)
    }
}

/// What the rules will look at for these updates.
#[must_use]
pub fn questions(settings: &AccessSettings, rules: &ContentRules, updates: &[RefUpdate]) -> ContentQuestions {
    // What only goes away brings nothing along.
    if !adds(updates) {
        return ContentQuestions::default();
    }
    let rule = rules.push_rule.as_ref();
    let locks = needs_changed_files(settings, rules);
    ContentQuestions {
        commits: locks || rule.is_some_and(|rule| rule.needs_added_files() || rule.needs_commits()),
        added_files: rule.is_some_and(PushRule::needs_added_files),
        changed_files: locks,
        files_above: rule.and_then(PushRule::needs_files_above),
        lfs_pointers: needs_lfs_pointers(settings, rules),
        size: rules.size.is_some(),
        repository_size: rules.size.is_some_and(SizeLimit::needs_repository_size),
        users: rule.is_some_and(|rule| rule.member_check),
    }
}

/// Whether somebody else has locked a file, where locks hold.
fn needs_changed_files(settings: &AccessSettings, rules: &ContentRules) -> bool {
    needs_lfs_pointers(settings, rules) && !rules.locks.is_empty()
}

/// Both the installation and the project must have LFS.
fn needs_lfs_pointers(settings: &AccessSettings, rules: &ContentRules) -> bool {
    settings.lfs && rules.lfs
}

/// Whether the repository is full before anything is added to it.
#[must_use]
pub fn is_full(rules: &ContentRules, updates: &[RefUpdate], content: &PushContent) -> bool {
    adds(updates) && rules.size.is_some_and(|size| size.used(content) > size.limit)
}

/// What only takes branches and tags away may always go on.
fn adds(updates: &[RefUpdate]) -> bool {
    updates.iter().any(|update| !update.is_deletion())
}

/// Why the push may not bring along what it does.
#[must_use]
pub fn denial(
    facts: &AccessFacts,
    protocol: &AccessProtocol,
    rules: &ContentRules,
    updates: &[RefUpdate],
    answers: &PushAnswers,
) -> Option<Denial> {
    let content = &answers.content;
    lock_denial(&facts.settings, rules, content)
        .or_else(|| lfs_denial(&facts.settings, rules, content))
        .or_else(|| {
            let rule = rules.push_rule.as_ref()?;
            let web = *protocol == AccessProtocol::Web;
            let all = CompiledPushRule::new(rule, &rules.pusher, web, answers)
                .and_then(|rule| updates.iter().try_for_each(|update| rule.check_update(update)));
            all.err()
        })
        .or_else(|| size_denial(rules, updates, content))
}

/// What every rule says that is set: a push rule's settings by their names. They are asked commit by commit, so that one
/// which is named after the denial may have been asked of earlier commits.
pub(super) fn explain(
    facts: &AccessFacts,
    protocol: &AccessProtocol,
    rules: &ContentRules,
    updates: &[RefUpdate],
    answers: &PushAnswers,
    verdicts: &mut VerdictList,
) {
    let mut denial = denial(facts, protocol, rules, updates, answers);
    let set = rules_that_are_set(&facts.settings, rules);
    for (rule, asks, seen) in set {
        let refuses = denial.as_ref().is_some_and(|denial| denial.rule() == rule);
        verdicts.ask((rule, asks), None, || denial.take_if(|_| refuses), vec![seen]);
    }
}

/// The rules that are set, in the order in which they are asked: id, what it asks, and how it is set.
fn rules_that_are_set(settings: &AccessSettings, rules: &ContentRules) -> Vec<(&'static str, &'static str, SeenFact)> {
    let mut set = Vec::new();
    if needs_changed_files(settings, rules) {
        let locks = SeenFact::new("locked by others", rules.locks.len().to_string());
        set.push(("K2", "no file is changed that somebody else has locked", locks));
    }
    if needs_lfs_pointers(settings, rules) {
        set.push(("K3", "the LFS objects that are pointed to are the project's", SeenFact::new("LFS", "on")));
    }
    if let Some(rule) = &rules.push_rule {
        let pattern = |pattern: &Option<String>| pattern.as_deref().map(|text| SeenFact::new("pattern", text));
        let flag = |flag: bool| flag.then(|| SeenFact::new("set", "on"));
        let files = match (rule.prevent_secrets, &rule.file_name) {
            (true, Some(text)) => Some(SeenFact::new("pattern", format!("{text}, and names of well-known secrets"))),
            (true, None) => Some(SeenFact::new("pattern", "names of well-known secrets")),
            (false, _) => pattern(&rule.file_name),
        };
        let expressions = [
            &rule.branch_name,
            &rule.commit_message,
            &rule.commit_message_negative,
            &rule.author_email,
            &rule.file_name,
        ];
        let any = expressions.iter().any(|expression| expression.is_some());
        let size =
            Some(rule.max_file_size).filter(|size| *size > 0).map(|size| SeenFact::new("mebibytes", size.to_string()));
        let all = [
            ("invalid_regex", "the push rule's expressions can be read", flag(any)),
            ("branch_name_regex", "the branch's name matches", pattern(&rule.branch_name)),
            ("deny_delete_tag", "tags stay", flag(rule.deny_delete_tag)),
            ("commit_message_regex", "messages of commits match", pattern(&rule.commit_message)),
            ("commit_message_negative_regex", "messages do not match", pattern(&rule.commit_message_negative)),
            ("author_email_regex", "addresses of authors and committers match", pattern(&rule.author_email)),
            (
                "commit_committer_check",
                "committers use a confirmed address of the pusher's",
                flag(rule.committer_check),
            ),
            ("commit_committer_name_check", "authors are called like the pusher", flag(rule.committer_name_check)),
            ("reject_non_dco_commits", "commits are signed off", flag(rule.reject_non_dco)),
            ("reject_unsigned_commits", "commits are signed", flag(rule.reject_unsigned)),
            ("member_check", "authors and committers are users", flag(rule.member_check)),
            ("file_name_regex", "names of added files do not match", files),
            ("max_file_size", "files are no larger", size),
        ];
        set.extend(all.into_iter().filter_map(|(rule, asks, seen)| Some((rule, asks, seen?))));
    }
    if let Some(size) = rules.size {
        set.push((
            "K6",
            "the repository has room for the push",
            SeenFact::new("bytes allowed", size.limit.to_string()),
        ));
    }
    set
}

/// K2
fn lock_denial(settings: &AccessSettings, rules: &ContentRules, content: &PushContent) -> Option<Denial> {
    let mut locks = rules.locks.iter().filter(|_| needs_changed_files(settings, rules));
    let lock = locks.find(|lock| content.changed_files.contains(&lock.path))?;
    Some(Denial::FileLocked { path: lock.path.clone(), username: lock.username.clone() })
}

/// K3
fn lfs_denial(settings: &AccessSettings, rules: &ContentRules, content: &PushContent) -> Option<Denial> {
    (needs_lfs_pointers(settings, rules) && content.lfs_objects_missing).then_some(Denial::LfsObjectsMissing)
}

/// K6, after
fn size_denial(rules: &ContentRules, updates: &[RefUpdate], content: &PushContent) -> Option<Denial> {
    let size = rules.size.filter(|_| adds(updates))?;
    (size.used(content).saturating_add(content.size) > size.limit).then_some(Denial::RepositoryWouldBeFull)
}

/// A push rule whose expressions are ready, and what it is held against.
struct CompiledPushRule<'a> {
    rule: &'a PushRule,
    pusher: &'a Pusher,
    branch_name: Option<RuleExpression<'a>>,
    commit_message: Option<RuleExpression<'a>>,
    commit_message_negative: Option<RuleExpression<'a>>,
    author_email: Option<RuleExpression<'a>>,
    file_name: Option<RuleExpression<'a>>,
    web: bool,
    default_branch: Option<&'a str>,
    content: &'a PushContent,
}

impl<'a> CompiledPushRule<'a> {
    fn new(rule: &'a PushRule, pusher: &'a Pusher, web: bool, answers: &'a PushAnswers) -> Result<Self, Denial> {
        Ok(Self {
            rule,
            pusher,
            branch_name: RuleExpression::new(rule.branch_name.as_deref(), AnchorMode::Text)?,
            commit_message: RuleExpression::new(rule.commit_message.as_deref(), AnchorMode::Lines)?,
            commit_message_negative: RuleExpression::new(rule.commit_message_negative.as_deref(), AnchorMode::Lines)?,
            author_email: RuleExpression::new(rule.author_email.as_deref(), AnchorMode::Text)?,
            file_name: RuleExpression::new(rule.file_name.as_deref(), AnchorMode::Text)?,
            web,
            default_branch: answers.default_branch.as_deref(),
            content: &answers.content,
        })
    }

    fn check_update(&self, update: &RefUpdate) -> Result<(), Denial> {
        match &update.name {
            RefName::Branch(name) if !update.is_deletion() && self.default_branch != Some(name) => {
                must_match(self.branch_name.as_ref(), name, Denial::BranchNameRule)?;
            }
            RefName::Tag(_) if update.is_deletion() && self.rule.deny_delete_tag && !self.web => {
                return Err(Denial::TagDeletionDenied);
            }
            // A ref of any name brings its commits into the repository, and a branch may name them later.
            RefName::Branch(_) | RefName::Tag(_) | RefName::Other(_) => {}
        }
        let commits = self.commits_of(update);
        commits.iter().try_for_each(|commit| self.check_commit(commit))?;
        if !update.is_deletion() {
            self.check_file_names()?;
        }
        match self.content.large_files.first() {
            Some(path) if self.rule.max_file_size > 0 && !update.is_deletion() => {
                Err(Denial::FileTooLarge { path: path.clone(), mebibytes: self.rule.max_file_size })
            }
            _ => Ok(()),
        }
    }

    /// The new commits that the update's ref gains, from its tip back.
    fn commits_of(&self, update: &RefUpdate) -> Vec<&PushedCommit> {
        let mut seen = HashSet::new();
        let mut waiting: Vec<&ObjectId> = update.new.iter().collect();
        let mut commits = Vec::new();
        while let Some(id) = waiting.pop() {
            let Some((id, commit)) = self.content.commits.get_key_value(id) else { continue };
            if seen.insert(id) {
                waiting.extend(&commit.parents);
                commits.push(commit);
            }
        }
        commits
    }

    /// In GitLab's order.
    fn check_commit(&self, commit: &PushedCommit) -> Result<(), Denial> {
        let PushedCommit { message, author_email, committer_email, .. } = commit;
        must_match(self.commit_message.as_ref(), message, Denial::CommitMessageRule)?;
        must_not_match(self.commit_message_negative.as_ref(), message, Denial::CommitMessageNegativeRule)?;
        let email = self.author_email.as_ref();
        if !self.web {
            let refusal = |pattern| Denial::CommitterEmailRule { email: committer_email.clone(), pattern };
            must_match(email, committer_email, refusal)?;
        }
        let refusal = |pattern| Denial::AuthorEmailRule { email: author_email.clone(), pattern };
        must_match(email, author_email, refusal)?;
        self.check_committer(commit)?;
        if self.rule.reject_non_dco && !is_signed_off(message) {
            return Err(Denial::NotSignedOff);
        }
        if self.rule.reject_unsigned && !self.web && !commit.signed {
            return Err(Denial::NotSigned);
        }
        if self.rule.member_check && !self.web {
            let known = |email: &String| self.content.users.contains(&email.to_lowercase());
            if !known(author_email) {
                return Err(Denial::AuthorNotAMember(author_email.clone()));
            }
            if !known(committer_email) {
                return Err(Denial::CommitterNotAMember(committer_email.clone()));
            }
        }
        Ok(())
    }

    fn check_committer(&self, commit: &PushedCommit) -> Result<(), Denial> {
        let PushedCommit { author_name, author_email, committer_email, .. } = commit;
        let email = committer_email.to_lowercase();
        if self.rule.committer_check && !self.pusher.confirmed_emails.contains(&email) {
            let own = self.pusher.unconfirmed_emails.contains(&email);
            let refusal = if own { Denial::CommitterNotVerified } else { Denial::CommitterIsAnother };
            return Err(refusal(committer_email.clone()));
        }
        // Whoever commits the work of others leaves their names alone.
        let own_work = author_email == committer_email;
        if self.rule.committer_name_check && own_work && self.pusher.name.as_ref() != Some(author_name) {
            return Err(Denial::CommitterNameDiffers);
        }
        Ok(())
    }

    fn check_file_names(&self) -> Result<(), Denial> {
        self.content.added_files.iter().try_for_each(|path| {
            if let Some(pattern) = self.rule.prevent_secrets.then(|| secret_files::pattern_of(path)).flatten() {
                return Err(Denial::FileNameRule { path: path.clone(), pattern: pattern.to_owned() });
            }
            let refusal = |pattern| Denial::FileNameRule { path: path.clone(), pattern };
            must_not_match(self.file_name.as_ref(), path, refusal)
        })
    }
}

/// `Signed-off-by: Name <address>`, as `git commit --signoff` writes it.
fn is_signed_off(message: &str) -> bool {
    static SIGNED_OFF: LazyLock<Re2> =
        LazyLock::new(|| Re2::new("Signed-off-by:.+<.+@.+>", AnchorMode::Text).expect("a test uses it"));
    SIGNED_OFF.is_match(message)
}

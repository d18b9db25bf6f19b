//! What people read after a push, and in which order (shell.md 3.1 to 3.5).

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::glob;
use super::ids::UserId;
use super::level::{AccessLevel, FeatureLevel};
use super::push::{self, RefChange};
use super::push_options::PushOptions;
use super::repository::GlRepository;

/// Links at most. A mirror that pushes every branch gets no page of them.
const LINKS: usize = 100;

/// How Gitaly prints a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    /// As it is.
    Basic,
    /// Wrapped and centred between two rules.
    Alert,
}

/// A text for the person who pushes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushMessage {
    /// How it is printed.
    pub kind: MessageKind,
    /// The text.
    pub text: String,
}

/// What the messages depend on.
#[derive(Debug)]
pub struct MessageFacts {
    /// The installation's URL.
    pub url: String,
    /// Whether merge-request links are printed at all.
    pub links: bool,
    /// What was pushed to.
    pub repository: GlRepository,
    /// Whoever pushed, where they are known.
    pub user: Option<UserId>,
    /// The project that the repository belongs to, where it is known.
    pub project: Option<MessageProject>,
    /// The banners of now, oldest first.
    pub banners: Vec<PushBanner>,
    /// The iid and the target's path of each open merge request, by the source branch.
    pub merge_requests: BTreeMap<String, (String, i32)>,
    /// What was left for this person: that the repository has moved, or was created.
    pub stored: Vec<String>,
}

/// A project, as messages look at it.
#[derive(Debug)]
pub struct MessageProject {
    /// Its full path.
    pub path: String,
    /// Its branch that is the target of merge requests.
    pub default_branch: String,
    /// Whether it wants the links printed.
    pub prints_links: bool,
    /// Who uses its merge requests.
    pub merge_requests: FeatureLevel,
    /// What the person who pushes may do here.
    pub access: AccessLevel,
}

/// A banner of the command line.
#[derive(Debug)]
pub struct PushBanner {
    /// Its text, as it was written.
    pub message: String,
    /// Where it is shown; everywhere where this is none.
    pub target_path: Option<String>,
    /// To whom it is shown; to all where this is empty.
    pub target_access_levels: Vec<AccessLevel>,
}

/// The messages, in the order in which they are printed: alerts first, the last one added before the others.
#[must_use]
pub fn list(facts: &MessageFacts, changes: &str, options: &PushOptions) -> Vec<PushMessage> {
    let errors = option_errors(facts, options);
    // A link would say that there can be what the error says there cannot.
    let links = if errors.is_none() { links(facts, changes) } else { Vec::new() };
    let alerts = [banner(facts).map(str::to_owned), errors];
    let basics = links.into_iter().chain(facts.stored.iter().cloned());
    let alerts = alerts.into_iter().flatten().map(|text| PushMessage { kind: MessageKind::Alert, text });
    let messages = alerts.chain(basics.map(|text| PushMessage { kind: MessageKind::Basic, text }));
    messages.filter(|message| !message.text.trim_ascii().is_empty()).collect()
}

/// The branches that a link is printed for: there after the push, and not the target of merge requests themselves.
#[must_use]
pub fn linked_branches<'a>(facts: &MessageFacts, changes: &'a str) -> Vec<&'a str> {
    let GlRepository::Project(_) = facts.repository else { return Vec::new() };
    let Some(project) = &facts.project else { return Vec::new() };
    if !facts.links || !project.prints_links || project.merge_requests == FeatureLevel::Disabled {
        return Vec::new();
    }
    // GitLab leaves empty repositories out as well; after a push that left a branch behind, there is none.
    let branches = push::parse(changes).filter_map(|change: RefChange<'a>| change.pushed_branch());
    branches.filter(|branch| *branch != project.default_branch).take(LINKS).collect()
}

fn links(facts: &MessageFacts, changes: &str) -> Vec<String> {
    let branches = linked_branches(facts, changes);
    branches.into_iter().map(|branch| link(facts, branch)).collect()
}

fn link(facts: &MessageFacts, branch: &str) -> String {
    let url = &facts.url;
    if let Some((path, iid)) = facts.merge_requests.get(branch) {
        return format!("View merge request for {branch}:\n  {url}/{path}/-/merge_requests/{iid}");
    }
    let path = facts.project.as_ref().map_or("", |project| project.path.as_str());
    let encoded = utf8_percent_encode(branch, ENCODED);
    format!(
        "To create a merge request for {branch}, visit:\n  \
         {url}/{path}/-/merge_requests/new?merge_request%5Bsource_branch%5D={encoded}"
    )
}

/// What is encoded in a query: all but letters, digits and the four marks that no URL needs encoded.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Merge requests are not ours to make, so that asking for them always ends in a warning.
fn option_errors(facts: &MessageFacts, options: &PushOptions) -> Option<String> {
    if !options.ask_for_merge_requests() {
        return None;
    }
    let error = match (facts.repository, &facts.project) {
        (GlRepository::Project(_), None) => return None,
        (GlRepository::Project(_), Some(_)) if facts.user.is_none() => "User is required".to_owned(),
        (GlRepository::Project(_), Some(project)) => {
            format!("Merge requests are not enabled for project {}", project.path)
        }
        (
            GlRepository::Wiki(_) | GlRepository::GroupWiki(_) | GlRepository::Snippet(_) | GlRepository::Design(_),
            _,
        ) => "Push options are only supported for projects".to_owned(),
    };
    let given = options.raw.join("' '");
    Some(format!("WARNINGS:\nError encountered with push options '{given}': {error}"))
}

/// The newest banner for this path, or else the newest for every path.
fn banner(facts: &MessageFacts) -> Option<&str> {
    let access = facts.project.as_ref().map_or(AccessLevel::NO_ACCESS, |project| project.access);
    let shown =
        |banner: &&PushBanner| banner.target_access_levels.is_empty() || banner.target_access_levels.contains(&access);
    let here = |banner: &&PushBanner| match (&banner.target_path, &facts.project) {
        (Some(target), Some(project)) => is_at(target, &project.path),
        (Some(_) | None, _) => false,
    };
    let banners = || facts.banners.iter().rev().filter(shown);
    let chosen = banners().find(here).or_else(|| banners().find(|banner| banner.target_path.is_none()));
    chosen.map(|banner| banner.message.as_str())
}

/// Whether a target names the path. GitLab matches `/the/path`; a target without that slash means the same.
fn is_at(target: &str, path: &str) -> bool {
    let target = if target.starts_with(['/', '*']) { target.to_owned() } else { format!("/{target}") };
    glob::matches(&target.to_lowercase(), &format!("/{}", path.to_lowercase()))
}

#[cfg(test)]
mod tests;

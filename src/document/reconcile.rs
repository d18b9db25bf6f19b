//! `gatehouse apply`: makes the database agree with a state document, kind by kind, in one transaction.

use std::cmp::Reverse;
use std::fmt;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use sqlx::{Connection, PgConnection};

use super::kinds::access_tokens::{AccessTokenEntry, AccessTokens, StatedAccessToken};
use super::kinds::agent_tokens::{AgentTokens, StatedAgentToken};
use super::kinds::agents::{AgentAccess, AgentSet, StatedAgent};
use super::kinds::deploy_keys::{DeployKeys, StatedDeployKey};
use super::kinds::deploy_tokens::{DeployTokenEntry, DeployTokens, StatedDeployToken};
use super::kinds::emails::{EmailSet, StatedEmail};
use super::kinds::groups::{self, GroupEntry, GroupSet, StatedGroup};
use super::kinds::identities::{IdentitySet, StatedIdentity};
use super::kinds::keys::{StatedKey, UserKeys};
use super::kinds::members::{MemberSet, StatedMember};
use super::kinds::oauth_tokens::{OauthTokens, StatedOauthToken};
use super::kinds::projects::{self, AppliedProject, ProjectEntry, ProjectSet, StatedProject};
use super::kinds::protected_branches::{ProtectedBranches, StatedBranch};
use super::kinds::protected_tags::{ProtectedTags, StatedTag};
use super::kinds::repositories::RepositorySet;
use super::kinds::shares::ShareSet;
use super::kinds::tokens::{StatedToken, UserTokens};
use super::kinds::users::{self, StatedUser, UserEntry, UserSet};
use super::kinds::{
    add_on_purchases, broadcast_messages, forks, group_extras, hooks, merge_requests, minutes_packs, plans,
    reconciliations, scim, settings, snippets, storage_exclusions, subscriptions,
};
use super::object_kind::{EntryPosition, apply_kind};
use super::place::DocumentPlace;
use super::report::{ApplyReport, LineOrder, ReportPhase};
use super::run::ApplyRun;
use super::sources::ApplySources;
use super::state::{StateDocument, find_duplicates, move_sequences};
use super::words::Ensure;
use super::{Problem, refused};
use crate::domain::ids::NamespaceId;
use crate::domain::scim::ScimScope;
use crate::store::deploy_tokens::DeployTokenOwner;
use crate::store::members::MemberSource;
use crate::store::web_hooks::HookOwner;
use crate::store::{self, Error, Result, locks, saml_group_links};

/// Applies entries of which an installation has few, one after the other.
macro_rules! each {
    ($run:ident, $noun:literal, $phase:ident, $entries:ident, $apply:path) => {
        for (index, entry) in $entries.iter().enumerate() {
            let place = DocumentPlace::root($noun).item(index);
            $run.at(LineOrder { phase: ReportPhase::$phase, ..LineOrder::default() });
            let answer = $apply($run, &place, entry).await;
            $run.failed_at(&place, answer)?;
        }
    };
}

/// Why a document was not applied. Nothing was changed.
#[derive(Debug)]
pub enum ApplyFailure {
    /// Everything that is wrong with the document, sorted by place.
    Problems(Vec<Problem>),
    /// The database failed.
    Store(store::Error),
}

impl fmt::Display for ApplyFailure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Problems(problems) => {
                write!(out, "nothing was changed, for the document has ")?;
                match problems.len() {
                    1 => write!(out, "a mistake:")?,
                    count => write!(out, "{count} mistakes:")?,
                }
                problems.iter().try_for_each(|problem| write!(out, "\n  {problem}"))
            }
            Self::Store(error) => write!(out, "nothing was changed: {error}"),
        }
    }
}

impl std::error::Error for ApplyFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            Self::Problems(_) => None,
        }
    }
}

impl From<store::Error> for ApplyFailure {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

/// Makes the database agree with the document, in a transaction of its own that a dry run rolls back.
///
/// # Errors
/// Every problem of the document at once, or that the database failed. Nothing is changed then.
pub async fn apply(
    conn: &mut PgConnection,
    document: &str,
    sources: &ApplySources,
    db_key_base: &SecretString,
    now: DateTime<Utc>,
    dry_run: bool,
) -> std::result::Result<ApplyReport, ApplyFailure> {
    let document = read(document).map_err(ApplyFailure::Problems)?;
    let mut transaction = conn.begin().await.map_err(store::Error::from)?;
    let mut run = ApplyRun::new(&mut transaction, sources, db_key_base, now, dry_run);
    apply_document(&mut run, &document).await?;
    let report = run.into_report().map_err(ApplyFailure::Problems)?;
    let end = if dry_run { transaction.rollback().await } else { transaction.commit().await };
    end.map_err(store::Error::from)?;
    Ok(report)
}

/// The document, or every place where it departs from its schema.
///
/// # Errors
/// All of them, sorted by place.
pub fn read(text: &str) -> std::result::Result<StateDocument, Vec<Problem>> {
    let mut value = super::read(text).map_err(|problem| vec![problem])?;
    let mut problems = super::take_refused(&mut value, refused::REFUSED);
    match super::check(&value) {
        Ok(document) if problems.is_empty() => Ok(document),
        checked => {
            problems.extend(checked.err().into_iter().flatten());
            problems.sort();
            Err(problems)
        }
    }
}

/// Applies what the document states, as far as it has no problems: `run` has collected those.
async fn apply_document(run: &mut ApplyRun<'_>, document: &StateDocument) -> Result<()> {
    find_duplicates(run, document);
    match apply_in_order(run, document).await {
        // The entry is among the problems; see `Run::failed_at`.
        Err(Error::Duplicate(_)) if run.problems() > 0 => Ok(()),
        answer => answer,
    }
}

/// What frees names, addresses and keys comes before what takes them, and what is referred to before what refers.
async fn apply_in_order(run: &mut ApplyRun<'_>, document: &StateDocument) -> Result<()> {
    locks::take_apply(&mut *run.conn).await?;
    // All of it by name, so that a new key of the document cannot be forgotten here.
    let StateDocument {
        settings,
        users,
        groups,
        projects,
        snippets,
        plans,
        add_on_purchases,
        minutes_packs,
        reconciliations,
        storage_exclusions,
        subscriptions,
        scim_identities,
        hooks,
        broadcast_messages,
    } = document;
    // Before any row is written: providers hold what they change in the other order.
    let about_links = |group: &GroupEntry| group.ensure.is_absent() || !group.saml_group_links.is_empty();
    if groups.iter().any(about_links) || !scim_identities.is_empty() {
        saml_group_links::lock_links(&mut *run.conn).await?;
    }
    move_sequences(run, document).await?;

    if let Some(settings) = settings {
        run.at(LineOrder { phase: ReportPhase::Settings, ..LineOrder::default() });
        settings::apply(run, &DocumentPlace::root("settings"), settings).await?;
    }
    each!(run, "plans", Plans, plans, plans::apply);
    remove_projects(run, projects).await?;
    let mut applied_users = UserSet::new();
    apply_users(run, &mut applied_users, users).await?;
    apply_groups(run, groups).await?;
    apply_enterprise_groups(run, &mut applied_users, users).await?;
    apply_projects(run, projects).await?;
    each!(run, "snippets", Snippets, snippets, snippets::apply);
    each!(run, "add_on_purchases", Purchases, add_on_purchases, add_on_purchases::apply);
    each!(run, "minutes_packs", Purchases, minutes_packs, minutes_packs::apply);
    each!(run, "reconciliations", Purchases, reconciliations, reconciliations::apply);
    each!(run, "storage_exclusions", Purchases, storage_exclusions, storage_exclusions::apply);
    each!(run, "subscriptions", Subscriptions, subscriptions, subscriptions::apply);
    remove_groups(run, groups).await?;
    let place = DocumentPlace::root("scim_identities");
    run.at(LineOrder { phase: ReportPhase::ScimIdentities, ..LineOrder::default() });
    scim::apply(run, &place, ScimScope::Instance, "the instance", scim_identities).await?;
    run.at(LineOrder { phase: ReportPhase::Hooks, ..LineOrder::default() });
    hooks::apply(run, &DocumentPlace::root("hooks"), HookOwner::Instance, "the instance", hooks).await?;
    each!(run, "broadcast_messages", BroadcastMessages, broadcast_messages, broadcast_messages::apply);
    run.finish().await
}

/// Entries of a list with their positions, those alone that should exist, or that should not.
fn positions<'d, T>(
    noun: &str,
    phase: ReportPhase,
    entries: &'d [T],
    keep: impl Fn(&T) -> bool,
) -> Vec<(EntryPosition, &'d T)> {
    let place = DocumentPlace::root(noun);
    let kept = entries.iter().enumerate().filter(|(_, entry)| keep(entry));
    kept.map(|(index, entry)| {
        let order = LineOrder { phase, entry: index, ..LineOrder::default() };
        (EntryPosition { place: place.item(index), order }, entry)
    })
    .collect()
}

/// Positions of the parts of an entry: `users[3].keys[1]`.
fn parts<'d, T>(
    of: &EntryPosition,
    key: &str,
    part: u8,
    entries: &'d [T],
) -> impl Iterator<Item = (EntryPosition, &'d T)> {
    let (place, order) = (of.place.key(key), of.order.part(part));
    entries.iter().enumerate().map(move |(index, entry)| (EntryPosition { place: place.item(index), order }, entry))
}

async fn remove_projects(run: &mut ApplyRun<'_>, entries: &[ProjectEntry]) -> Result<()> {
    let absent = |project: &ProjectEntry| project.ensure.is_absent();
    for (position, project) in positions("projects", ReportPhase::RemovedProjects, entries, absent) {
        run.at(position.order);
        projects::remove(run, &position.place, project).await?;
    }
    Ok(())
}

async fn apply_users(run: &mut ApplyRun<'_>, users: &mut UserSet, entries: &[UserEntry]) -> Result<()> {
    let stated = |phase| {
        let all = positions("users", phase, entries, |_| true).into_iter();
        all.map(|(position, entry)| StatedUser { position, entry }).collect::<Vec<_>>()
    };
    let all = stated(ReportPhase::RemovedUsers);
    if all.is_empty() {
        return Ok(());
    }
    users.load_all(run, &all).await?;
    for user in all.iter().filter(|user| user.entry.ensure.is_absent()) {
        run.at(user.position.order);
        users.remove(run, user).await?;
    }
    let mut present = all;
    present.retain(|user| !user.entry.ensure.is_absent());
    apply_user_parts(run, users, &present, Ensure::Absent).await?;
    let mut present = stated(ReportPhase::Users);
    present.retain(|user| !user.entry.ensure.is_absent());
    apply_kind(run, users, &present).await?;
    apply_user_parts(run, users, &present, Ensure::Present).await
}

/// What belongs to users: all that should not exist, or all that should.
async fn apply_user_parts(
    run: &mut ApplyRun<'_>,
    users: &mut UserSet,
    stated: &[StatedUser<'_>],
    ensure: Ensure,
) -> Result<()> {
    let (mut emails, mut identities, mut keys) = (Vec::new(), Vec::new(), Vec::new());
    let (mut tokens, mut oauth_tokens) = (Vec::new(), Vec::new());
    for StatedUser { position, entry } in stated {
        let Some(user) = users.find(run, entry) else { continue };
        let whose = entry.username.as_str();
        let those = parts(position, "emails", 1, &entry.emails).filter(|(_, entry)| entry.ensure == ensure);
        emails.extend(those.map(|(position, entry)| StatedEmail { position, user, whose, entry }));
        let those = parts(position, "identities", 2, &entry.identities).filter(|(_, entry)| entry.ensure == ensure);
        identities.extend(those.map(|(position, entry)| StatedIdentity { position, user, whose, entry }));
        let those = parts(position, "keys", 3, &entry.keys).filter(|(_, entry)| entry.ensure == ensure);
        keys.extend(those.map(|(position, entry)| StatedKey::read(run, position, (user, whose), entry)));
        let all = &entry.personal_access_tokens;
        let those = parts(position, "personal_access_tokens", 4, all).filter(|(_, entry)| entry.ensure == ensure);
        tokens.extend(those.map(|(position, entry)| StatedToken::read(run, position, (user, whose), entry)));
        let those = parts(position, "oauth_tokens", 5, &entry.oauth_tokens).filter(|(_, entry)| entry.ensure == ensure);
        oauth_tokens.extend(those.map(|(position, entry)| StatedOauthToken::read(run, position, (user, whose), entry)));
    }
    apply_kind(run, &mut EmailSet::new(users.addresses()), &emails).await?;
    apply_kind(run, &mut IdentitySet::new(), &identities).await?;
    apply_kind(run, &mut UserKeys::new(), &keys).await?;
    apply_kind(run, &mut UserTokens::new(), &tokens).await?;
    apply_kind(run, &mut OauthTokens::new(), &oauth_tokens).await
}

/// Parents first; shares when all groups are there, for two groups may be shared with each other's neighbours.
async fn apply_groups(run: &mut ApplyRun<'_>, entries: &[GroupEntry]) -> Result<()> {
    let mut stated: Vec<StatedGroup<'_>> =
        positions("groups", ReportPhase::Groups, entries, |group| !group.ensure.is_absent())
            .into_iter()
            .map(|(position, entry)| StatedGroup { position, entry })
            .collect();
    stated.sort_by_key(|group| group.entry.depth());
    for (index, group) in stated.iter_mut().enumerate() {
        group.position.order.entry = index;
    }
    let mut rows = GroupSet::new();
    apply_kind(run, &mut rows, &stated).await?;
    let applied: Vec<(&StatedGroup<'_>, (NamespaceId, bool))> =
        stated.iter().filter_map(|group| Some((group, rows.find(group.entry)?))).collect();
    let (mut members, mut shares) = (Vec::new(), Vec::new());
    for (StatedGroup { position: EntryPosition { place, order }, entry }, found) in &applied {
        run.at(order.part(groups::part::EMAIL_DOMAINS));
        group_extras::apply_email_domains(run, entry, *found).await?;
        let source = MemberSource::Group(found.0);
        let order = order.part(groups::part::MEMBERS);
        members.extend(StatedMember::list(&place.key("members"), order, source, &entry.path, &entry.members));
        let order = LineOrder { phase: ReportPhase::GroupShares, ..order };
        shares.extend(StatedMember::list(&place.key("shared_with"), order, source, &entry.path, &entry.shared_with));
    }
    apply_kind(run, &mut MemberSet::default(), &members).await?;
    let mut tokens = TokensOfMany::default();
    for (StatedGroup { position, entry }, (id, _)) in &applied {
        let (owner, source) = (DeployTokenOwner::Group(*id), MemberSource::Group(*id));
        let parts = (groups::part::DEPLOY_TOKENS, groups::part::ACCESS_TOKENS);
        tokens.add(run, position, parts, (owner, source, &entry.path), (&entry.deploy_tokens, &entry.access_tokens));
    }
    tokens.apply(run).await?;
    for (StatedGroup { position: EntryPosition { place, order }, entry }, found) in &applied {
        run.at(order.part(groups::part::OTHERS));
        let answer = group_extras::apply_others(run, place, entry, *found).await;
        run.failed_at(place, answer)?;
    }
    apply_kind(run, &mut ShareSet::default(), &shares).await
}

/// The deploy tokens and access tokens of groups, or of projects.
#[derive(Default)]
struct TokensOfMany<'d> {
    deploy: Vec<StatedDeployToken<'d>>,
    access: Vec<StatedAccessToken<'d>>,
}

impl<'d> TokensOfMany<'d> {
    fn add(
        &mut self,
        run: &mut ApplyRun<'_>,
        position: &EntryPosition,
        (of_deploy, of_access): (u8, u8),
        (owner, source, whose): (DeployTokenOwner, MemberSource, &'d str),
        (deploy, access): (&'d [DeployTokenEntry], &'d [AccessTokenEntry]),
    ) {
        for (position, entry) in parts(position, "deploy_tokens", of_deploy, deploy) {
            self.deploy.push(StatedDeployToken::read(run, position, (owner, whose), entry));
        }
        for (position, entry) in parts(position, "access_tokens", of_access, access) {
            self.access.push(StatedAccessToken::read(run, position, (source, whose), entry));
        }
    }

    /// Those that go first: their texts may be given to others.
    async fn apply(mut self, run: &mut ApplyRun<'_>) -> Result<()> {
        self.deploy.sort_by_key(|token| !token.is_absent());
        self.access.sort_by_key(|token| !token.is_absent());
        apply_kind(run, &mut DeployTokens::new(), &self.deploy).await?;
        apply_kind(run, &mut AccessTokens::new(), &self.access).await
    }
}

async fn apply_enterprise_groups(run: &mut ApplyRun<'_>, users: &mut UserSet, entries: &[UserEntry]) -> Result<()> {
    let stated = |user: &UserEntry| !user.ensure.is_absent() && user.enterprise_group.is_some();
    for (position, entry) in positions("users", ReportPhase::EnterpriseGroups, entries, stated) {
        run.at(position.order);
        users::apply_enterprise_group(run, users, &StatedUser { position, entry }).await?;
    }
    Ok(())
}

async fn apply_projects(run: &mut ApplyRun<'_>, entries: &[ProjectEntry]) -> Result<()> {
    let stated: Vec<StatedProject<'_>> =
        positions("projects", ReportPhase::Projects, entries, |project| !project.ensure.is_absent())
            .into_iter()
            .map(|(position, entry)| StatedProject { position, entry })
            .collect();
    let mut rows = ProjectSet::new();
    apply_kind(run, &mut rows, &stated).await?;
    let applied = rows.applied(&stated);
    drop(rows);
    apply_kind(run, &mut RepositorySet::default(), &applied).await?;
    apply_project_members(run, &applied).await?;
    apply_protections(run, &applied).await?;
    let mut tokens = TokensOfMany::default();
    for project in &applied {
        let (owner, source) = (DeployTokenOwner::Project(project.id), project.member_source());
        let (entry, parts) = (project.entry, (projects::part::DEPLOY_TOKENS, projects::part::ACCESS_TOKENS));
        let whose = (owner, source, project.path());
        tokens.add(run, &project.position, parts, whose, (&entry.deploy_tokens, &entry.access_tokens));
    }
    tokens.apply(run).await?;
    forks::apply(run, &applied).await?;
    for project in &applied {
        let answer = projects::apply_others(run, project).await;
        run.failed_at(&project.position.place, answer)?;
    }
    let agents = apply_agents(run, &applied).await?;
    // When all projects exist.
    let access: Vec<StatedAgent<'_>> =
        agents.into_iter().filter(|agent| agent.entry.project_access.is_some()).map(StatedAgent::access).collect();
    apply_kind(run, &mut AgentAccess::default(), &access).await?;
    for project in applied.iter().filter(|project| !project.entry.merge_requests.is_empty()) {
        let EntryPosition { place, order } = &project.position;
        run.at(LineOrder { phase: ReportPhase::ProjectAccess, ..*order });
        let (id, requests) = (project.id, &project.entry.merge_requests);
        merge_requests::apply(run, &place.key("merge_requests"), id, project.path(), requests).await?;
    }
    Ok(())
}

async fn apply_project_members(run: &mut ApplyRun<'_>, projects: &[AppliedProject<'_>]) -> Result<()> {
    let (mut members, mut shares) = (Vec::new(), Vec::new());
    for project in projects {
        let EntryPosition { place, order } = &project.position;
        let (source, path, entry) = (project.member_source(), project.path(), project.entry);
        let order_of = |part| order.part(part);
        let (of_members, of_shares) = (order_of(projects::part::MEMBERS), order_of(projects::part::SHARES));
        members.extend(StatedMember::list(&place.key("members"), of_members, source, path, &entry.members));
        shares.extend(StatedMember::list(&place.key("shared_with"), of_shares, source, path, &entry.shared_with));
    }
    apply_kind(run, &mut MemberSet::default(), &members).await?;
    apply_kind(run, &mut ShareSet::default(), &shares).await
}

async fn apply_protections(run: &mut ApplyRun<'_>, projects: &[AppliedProject<'_>]) -> Result<()> {
    let (mut keys, mut branches, mut tags) = (Vec::new(), Vec::new(), Vec::new());
    for applied in projects {
        let (position, entry) = (&applied.position, applied.entry);
        let (project, whose) = (applied.id, applied.path());
        let part = projects::part::DEPLOY_KEYS;
        for (position, entry) in parts(position, "deploy_keys", part, &entry.deploy_keys) {
            keys.push(StatedDeployKey::read(run, position, applied, entry));
        }
        let part = projects::part::BRANCHES;
        let those = parts(position, "protected_branches", part, &entry.protected_branches);
        branches.extend(those.map(|(position, entry)| StatedBranch { position, project, whose, entry }));
        let part = projects::part::TAGS;
        let those = parts(position, "protected_tags", part, &entry.protected_tags);
        tags.extend(those.map(|(position, entry)| StatedTag { position, project, whose, entry }));
    }
    apply_kind(run, &mut DeployKeys::new(), &keys).await?;
    apply_kind(run, &mut ProtectedBranches::new(), &branches).await?;
    apply_kind(run, &mut ProtectedTags::new(), &tags).await
}

async fn apply_agents<'d>(run: &mut ApplyRun<'_>, projects: &[AppliedProject<'d>]) -> Result<Vec<StatedAgent<'d>>> {
    let stated: Vec<StatedAgent<'d>> =
        projects.iter().flat_map(|project| StatedAgent::list(project, projects::part::AGENTS)).collect();
    let mut agents = AgentSet::new();
    apply_kind(run, &mut agents, &stated).await?;
    let mut tokens: Vec<StatedAgentToken<'d>> = Vec::new();
    for agent in stated.iter().filter(|agent| !agent.entry.ensure.is_absent()) {
        if let Some(row) = agents.find(agent) {
            tokens.extend(StatedAgentToken::list(run, agent, row));
        }
    }
    apply_kind(run, &mut AgentTokens::new(), &tokens).await?;
    Ok(stated)
}

/// What is in a group goes before it.
async fn remove_groups(run: &mut ApplyRun<'_>, entries: &[GroupEntry]) -> Result<()> {
    let mut absent = positions("groups", ReportPhase::RemovedGroups, entries, |group| group.ensure.is_absent());
    absent.sort_by_key(|(_, group)| Reverse(group.depth()));
    for (index, (position, group)) in absent.into_iter().enumerate() {
        run.at(LineOrder { entry: index, ..position.order });
        groups::remove(run, &position.place, group).await?;
    }
    Ok(())
}

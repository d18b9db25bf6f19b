//! `groups:`, of any depth.

use std::collections::{BTreeMap, HashMap, HashSet};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::access_tokens::AccessTokenEntry;
use super::deploy_tokens::DeployTokenEntry;
use super::hooks;
use super::members::{MembershipEntry, check_members};
use super::names_within::NamesWithin;
use super::provisioned;
use super::push_rules::PushRulesEntry;
use super::saml_group_links::SamlGroupLinkEntry;
use super::scim::ScimIdentityEntry;
use super::security_policies::SecurityPoliciesEntry;
use crate::document::changes::FieldChanges;
use crate::document::object_kind::{EntryPosition, NewIds, ObjectKind, RowBatch};
use crate::document::place::DocumentPlace;
use crate::document::run::{ApplyRun, FoundRow};
use crate::document::words::{
    BranchProtectionWord, Ensure, GivenValue, LevelWord, ProjectCreationWord, ProtocolWord, StatedId, VisibilityWord,
    stated,
};
use crate::domain::full_path::{PathPosition, check_name, split};
use crate::domain::ids::NamespaceId;
use crate::services::{delete_places, place_groups};
use crate::store::Result;
use crate::store::namespaces::{self, GroupRow, GroupSettingsRow, PathOwner};
use crate::store::sets::groups::{self as group_sets, GroupRecord};

/// A group, found by its full path.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupEntry {
    /// The full path. With an id that exists, another path renames or moves the group and all in it.
    #[schemars(length(min = 1, max = 4096), extend("examples" = ["acme/platform"]))]
    pub path: String,
    /// Chosen on creation, and the same ever after.
    pub id: Option<StatedId>,
    /// The name that people read; the last part of the path where it is left out.
    #[schemars(length(min = 1, max = 255))]
    pub name: Option<String>,
    /// Who may see it; a new group is private, unless stated.
    pub visibility: Option<VisibilityWord>,
    /// Members of the group and of all in it.
    #[serde(default)]
    pub members: BTreeMap<String, MembershipEntry>,
    /// Other groups whose direct members get in.
    #[serde(default)]
    pub shared_with: BTreeMap<String, MembershipEntry>,
    /// Tokens that fetch from its projects and are nobody's, found by their name.
    #[serde(default)]
    pub deploy_tokens: Vec<DeployTokenEntry>,
    /// Tokens that are members, found by their name.
    #[serde(default)]
    pub access_tokens: Vec<AccessTokenEntry>,
    /// Projects of this group cannot be shared with other groups.
    pub share_with_group_lock: Option<bool>,
    /// Who may create projects.
    pub project_creation_level: Option<ProjectCreationWord>,
    /// Whether LFS is offered; null for what the group around it says.
    #[serde(default, deserialize_with = "stated")]
    pub lfs_enabled: Option<Option<bool>>,
    /// Days that a token of an enterprise user of a root group may live; null for what the instance says.
    #[serde(default, deserialize_with = "stated")]
    #[schemars(range(min = 1))]
    pub max_personal_access_token_lifetime: Option<Option<i32>>,
    /// How a new default branch is protected.
    pub default_branch_protection: Option<BranchProtectionWord>,
    /// The name of a new default branch; null for what the instance says.
    #[serde(default, deserialize_with = "stated")]
    #[schemars(length(min = 1, max = 255))]
    pub default_branch_name: Option<Option<String>>,
    /// Bytes; 0 is no limit, null what the instance says.
    #[serde(default, deserialize_with = "stated")]
    #[schemars(range(min = 0))]
    pub repository_size_limit: Option<Option<i64>>,
    /// The ways git may come in, of a root group.
    pub enabled_git_access_protocol: Option<ProtocolWord>,
    /// Only keys that an authority of the group signed, of a root group.
    pub enforce_ssh_certificates: Option<bool>,
    /// Refuses the tokens of the enterprise users of a root group, and gives them none.
    pub disable_personal_access_tokens: Option<bool>,
    /// The group and all in it are archived.
    pub archived: Option<bool>,
    /// The address ranges, all of them, from which a root group may be used; an empty list lifts the restriction.
    pub ip_allowlist: Option<Vec<String>>,
    /// The domains, all of them, of which new members of a root group, and of all in it, have addresses; an empty list
    /// lifts the restriction.
    #[schemars(inner(regex(pattern = r"^[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)+$"), length(max = 255)))]
    pub allowed_email_domains: Option<Vec<String>>,
    /// Who is told of pushes to its projects, and to those of the groups below it.
    #[serde(default)]
    pub hooks: Vec<hooks::HookEntry>,
    /// Single sign-on, of a root group.
    pub saml: Option<SamlEntry>,
    /// The token that the group's identity provider calls with; of top-level groups with `saml` alone.
    pub scim_token: Option<GivenValue>,
    /// Users as the group's identity provider knows them.
    #[serde(default)]
    pub scim_identities: Vec<ScimIdentityEntry>,
    /// What members of groups of the installation's identity provider get here.
    #[serde(default)]
    pub saml_group_links: Vec<SamlGroupLinkEntry>,
    /// Who may sign keys for members, of a root group.
    #[serde(default)]
    pub ssh_certificate_authorities: Vec<CertificateAuthorityEntry>,
    /// What commits and pushes must be like.
    pub push_rules: Option<PushRulesEntry>,
    /// Policies that have scans run, in all that is in the group.
    pub security_policies: Option<SecurityPoliciesEntry>,
    /// `absent` removes the group, once it has neither projects nor subgroups.
    #[serde(default)]
    pub ensure: Ensure,
}

/// A group's SAML provider.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "GitLab's own names")]
pub struct SamlEntry {
    pub ensure: Ensure,
    /// Whether it is in use.
    pub enabled: Option<bool>,
    /// Who joins by SCIM must be linked to an account at the provider. Git asks nobody for a session.
    pub enforced_sso: Option<bool>,
    pub default_membership_role: Option<LevelWord>,
}

/// A certificate authority, found by the fingerprint of its key.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateAuthorityEntry {
    /// The public key.
    #[schemars(extend("examples" = ["ssh-ed25519 AAAA… corp CA"]))]
    pub key: GivenValue,
    /// Chosen on creation.
    pub id: Option<StatedId>,
    /// The comment of the key where it is left out.
    #[schemars(length(min = 1, max = 256))]
    pub title: Option<String>,
    /// `absent` removes it.
    #[serde(default)]
    pub ensure: Ensure,
}

impl GroupEntry {
    /// How many groups are around it.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.path.matches('/').count()
    }
}

/// A group of the document, and where it stands. Groups around it stand before it.
pub(crate) struct StatedGroup<'d> {
    pub(crate) position: EntryPosition,
    pub(crate) entry: &'d GroupEntry,
}

/// The groups that a document states: their rows and settings.
pub(crate) struct GroupSet {
    records: HashMap<NamespaceId, GroupRecord>,
    /// Stated ids that namespaces have, of groups or not.
    taken: HashSet<i64>,
    names: NamesWithin,
    ids: NewIds,
    rows: RowBatch<GroupRow>,
    settings: BTreeMap<i64, GroupSettingsRow>,
    /// By path in lower case, the groups that exist when all is compared, and whether they are new.
    applied: HashMap<String, (NamespaceId, bool)>,
}

impl GroupSet {
    pub(crate) fn new() -> Self {
        Self {
            records: HashMap::new(),
            taken: HashSet::new(),
            names: NamesWithin::of("Group"),
            ids: NewIds::of("namespaces"),
            rows: RowBatch::default(),
            settings: BTreeMap::new(),
            applied: HashMap::new(),
        }
    }

    /// The group's id and whether it is new; nothing where the entry has a problem.
    pub(crate) fn find(&self, entry: &GroupEntry) -> Option<(NamespaceId, bool)> {
        self.applied.get(&entry.path.to_lowercase()).copied()
    }

    async fn diff_row(
        &mut self,
        run: &mut ApplyRun<'_>,
        place: &DocumentPlace,
        group: &GroupEntry,
    ) -> Result<Option<(NamespaceId, bool)>> {
        let (parent_path, last) = split(&group.path);
        let position = if parent_path.is_some() { PathPosition::Subgroup } else { PathPosition::Root };
        if let Err(reason) = check_name(last, position) {
            run.problem(&place.key("path"), reason.to_string());
            return Ok(None);
        }
        let parent = match parent_path {
            None => None,
            Some(path) => match run.group(&place.key("path"), path).await? {
                Some(parent) => Some(parent),
                None => return Ok(None),
            },
        };
        let by_path = match run.path_owner(&group.path).await? {
            Some(PathOwner::Group(id)) => Some(id.0),
            Some(PathOwner::Personal(_)) => {
                run.problem(&place.key("path"), format!("{} is a user", group.path));
                return Ok(None);
            }
            Some(PathOwner::Project(_)) => {
                run.problem(&place.key("path"), format!("{} is a project", group.path));
                return Ok(None);
            }
            None => None,
        };
        let stated = group.id.map(|id| id.0);
        let taken = stated.is_some_and(|id| self.taken.contains(&id));
        match run.identify(place, stated, by_path, taken) {
            None => Ok(None),
            Some(FoundRow::Missing(chosen)) => {
                let row = new_row(group, parent, last);
                let id = self.insert_row(run, place, group, chosen, row).await?;
                Ok(id.map(|id| (id, true)))
            }
            Some(FoundRow::Existing(id)) => {
                let id = self.update_row(run, place, group, NamespaceId(id), parent, last).await?;
                Ok(id.map(|id| (id, false)))
            }
        }
    }

    async fn insert_row(
        &mut self,
        run: &mut ApplyRun<'_>,
        place: &DocumentPlace,
        group: &GroupEntry,
        chosen: Option<i64>,
        row: GroupRow,
    ) -> Result<Option<NamespaceId>> {
        if !self.name_is_free(run, place, &row, None).await? {
            return Ok(None);
        }
        let id = NamespaceId(self.ids.next(run, chosen).await?);
        self.taken.insert(id.0);
        self.names.set(row.parent_id, &row.name, id);
        self.rows.insert(id.0, row.clone());
        let record = GroupRecord { row, path: group.path.clone(), settings: GroupSettingsRow::default() };
        self.records.insert(id, record);
        run.directory.set_owner(&group.path, PathOwner::Group(id));
        run.check_visibility(id, place);
        run.added(&format!("group {}", group.path));
        Ok(Some(id))
    }

    async fn update_row(
        &mut self,
        run: &mut ApplyRun<'_>,
        place: &DocumentPlace,
        group: &GroupEntry,
        id: NamespaceId,
        parent: Option<NamespaceId>,
        last: &str,
    ) -> Result<Option<NamespaceId>> {
        let Some(GroupRecord { row: before, path: path_before, settings }) = self.find_record(run, id).await? else {
            run.problem(&place.key("id"), format!("{id} is a namespace of a user or a project, not a group"));
            return Ok(None);
        };
        let mut row = before.clone();
        row.parent_id = parent.map(|id| id.0);
        last.clone_into(&mut row.path);
        let moved = row.parent_id != before.parent_id;
        if let Some(parent) = parent.filter(|_| moved) {
            // What was made by this run is looked at as well.
            self.write(run).await?;
            if namespaces::is_within(&mut *run.conn, parent, id).await? {
                run.problem(&place.key("path"), "would put the group into itself");
                return Ok(None);
            }
        }
        let mut changes = FieldChanges::default();
        changes.set("path", &mut path_before.clone(), Some(group.path.clone()));
        changes.append(group.put_into(&mut row));
        if changes.is_empty() {
            return Ok(Some(id));
        }
        let renamed = moved || row.path != before.path || row.name != before.name;
        if renamed {
            if !self.name_is_free(run, place, &row, Some(id)).await? {
                return Ok(None);
            }
            self.move_row(run, id, &before, &path_before, &row, group).await?;
        }
        self.rows.change(id.0, before.clone(), row.clone());
        if moved || row.visibility_level != before.visibility_level {
            run.check_visibility(id, place);
        }
        if row.share_with_group_lock != before.share_with_group_lock {
            for project_namespace in namespaces::list_project_namespaces(&mut *run.conn, id).await? {
                run.touch(project_namespace);
            }
        }
        self.records.insert(id, GroupRecord { row, path: group.path.clone(), settings });
        run.updated(&format!("group {}", group.path), &changes);
        Ok(Some(id))
    }

    /// Renames or moves a group with all that is in it. Later entries find everything at its new path.
    async fn move_row(
        &mut self,
        run: &mut ApplyRun<'_>,
        id: NamespaceId,
        before: &GroupRow,
        path_before: &str,
        row: &GroupRow,
        group: &GroupEntry,
    ) -> Result<()> {
        self.write(run).await?;
        if let Some(users) = place_groups::relocate(run.conn, id, before, row).await? {
            run.touch_users(users);
            run.touch(id);
        }
        self.names.forget(before.parent_id, &before.name);
        self.names.set(row.parent_id, &row.name, id);
        // What is in it has other paths now as well, and is looked up again when it is asked for.
        let below = format!("{path_before}/");
        self.records.retain(|_, record| !record.path.starts_with(&below));
        run.directory.forget_below(path_before);
        run.directory.forget_below(&group.path);
        Ok(())
    }

    /// The group, also where it is known by its path alone.
    async fn find_record(&mut self, run: &mut ApplyRun<'_>, id: NamespaceId) -> Result<Option<GroupRecord>> {
        if !self.records.contains_key(&id) {
            self.records.extend(group_sets::list(&mut *run.conn, &[id.0]).await?);
        }
        Ok(self.records.get(&id).cloned())
    }

    async fn name_is_free(
        &mut self,
        run: &mut ApplyRun<'_>,
        place: &DocumentPlace,
        row: &GroupRow,
        own: Option<NamespaceId>,
    ) -> Result<bool> {
        let other = self.names.find(run, row.parent_id, &row.name).await?.filter(|other| Some(*other) != own);
        if let Some(other) = other {
            run.problem(&place.key("name"), format!("{} is the name of group {other} beside it", row.name));
        }
        Ok(other.is_none())
    }

    fn diff_settings(&mut self, run: &mut ApplyRun<'_>, id: NamespaceId, group: &GroupEntry, is_new: bool) {
        let Some(record) = self.records.get_mut(&id) else { return };
        let row = &mut record.settings;
        let mut changes = FieldChanges::default();
        changes.small_word(
            "enabled_git_access_protocol",
            &mut row.enabled_git_access_protocol,
            group.enabled_git_access_protocol,
        );
        changes.set("enforce_ssh_certificates", &mut row.enforce_ssh_certificates, group.enforce_ssh_certificates);
        let tokens = group.disable_personal_access_tokens;
        changes.set("disable_personal_access_tokens", &mut row.disable_personal_access_tokens, tokens);
        changes.set("archived", &mut row.archived, group.archived);
        changes.set("default_branch_name", &mut row.default_branch_name, group.default_branch_name.clone());
        if !changes.is_empty() {
            self.settings.insert(id.0, row.clone());
            if !is_new {
                run.updated(&format!("settings of {}", group.path), &changes);
            }
        }
    }
}

impl ObjectKind for GroupSet {
    type Entry<'d> = StatedGroup<'d>;
    const NOUN: &'static str = "groups";

    fn position<'e>(entry: &'e Self::Entry<'_>) -> &'e EntryPosition {
        &entry.position
    }

    async fn load(&mut self, run: &mut ApplyRun<'_>, entries: &[Self::Entry<'_>]) -> Result<()> {
        let groups = || entries.iter().map(|group| group.entry);
        let paths = groups().flat_map(|group| std::iter::once(&*group.path).chain(split(&group.path).0));
        run.directory.load(run.conn, std::iter::empty(), paths).await?;
        let owners = groups().filter_map(|group| run.directory.known_owner(&group.path));
        let named = owners.filter_map(|owner| if let PathOwner::Group(id) = owner { Some(id.0) } else { None });
        let stated: Vec<i64> = groups().filter_map(|group| group.id).map(|id| id.0).collect();
        let ids: HashSet<i64> = named.chain(stated.iter().copied()).collect();
        self.taken = group_sets::list_ids(&mut *run.conn, &stated).await?.into_iter().collect();
        self.records = group_sets::list(&mut *run.conn, &ids.into_iter().collect::<Vec<_>>()).await?;
        let mut beside = Vec::new();
        for group in groups() {
            let (parent, last) = split(&group.path);
            if let Some(PathOwner::Group(parent)) = parent.and_then(|path| run.directory.known_owner(path)) {
                beside.push((parent.0, group.name.clone().unwrap_or_else(|| last.to_owned())));
            }
        }
        self.names.load(run, beside).await?;
        let is_new = |group: &&GroupEntry| group.id.is_none() && run.directory.known_owner(&group.path).is_none();
        let new = groups().filter(is_new).count();
        self.ids.reserve(run, new).await
    }

    async fn diff(&mut self, run: &mut ApplyRun<'_>, group: &Self::Entry<'_>) -> Result<()> {
        let StatedGroup { position: EntryPosition { place, .. }, entry } = group;
        let Some((id, is_new)) = self.diff_row(run, place, entry).await? else {
            run.failed(&entry.path);
            for (index, authority) in entry.ssh_certificate_authorities.iter().enumerate() {
                run.ssh_key(&place.key("ssh_certificate_authorities").item(index).key("key"), &authority.key);
            }
            return check_members(run, place, &entry.members, &entry.shared_with).await;
        };
        self.diff_settings(run, id, entry, is_new);
        self.applied.insert(entry.path.to_lowercase(), (id, is_new));
        run.name("groups", &entry.path, json!({ "id": id.0 }));
        Ok(())
    }

    async fn write(&mut self, run: &mut ApplyRun<'_>) -> Result<()> {
        let updates = self.rows.take_changes();
        if !updates.is_empty() {
            group_sets::update(&mut *run.conn, &updates).await?;
        }
        let inserts = self.rows.take_inserts();
        if !inserts.is_empty() {
            place_groups::insert(run.conn, &inserts).await?;
        }
        let settings: Vec<_> = std::mem::take(&mut self.settings).into_iter().collect();
        if !settings.is_empty() {
            group_sets::upsert_settings(&mut *run.conn, &settings).await?;
        }
        Ok(())
    }
}

fn new_row(group: &GroupEntry, parent: Option<NamespaceId>, last: &str) -> GroupRow {
    let mut row = GroupRow {
        name: last.to_owned(),
        path: last.to_owned(),
        parent_id: parent.map(|id| id.0),
        ..GroupRow::default()
    };
    group.put_into(&mut row);
    row
}

/// Removes a group that should not exist.
pub(crate) async fn remove(run: &mut ApplyRun<'_>, place: &DocumentPlace, group: &GroupEntry) -> Result<()> {
    let Some(PathOwner::Group(id)) = run.path_owner(&group.path).await? else { return Ok(()) };
    if group.id.is_some_and(|stated| stated.0 != id.0) {
        run.problem(&place.key("id"), format!("must be {id}, which it has, or be left out"));
        return Ok(());
    }
    let count = namespaces::count_children(&mut *run.conn, id).await?;
    if count > 0 {
        run.problem(place, format!("cannot be removed, for it holds projects or subgroups ({count})"));
        return Ok(());
    }
    // Projects and groups that are shared with this one lose its members.
    run.touch_before(&[id]).await?;
    provisioned::end(run, id, &group.path).await?;
    delete_places::delete_groups(run.conn, &[id]).await?;
    run.directory.forget_below(&group.path);
    run.removed(&format!("group {}", group.path));
    Ok(())
}

/// The parts of a group, in the order in which the report tells of them.
pub(crate) mod part {
    pub(crate) const EMAIL_DOMAINS: u8 = 1;
    pub(crate) const MEMBERS: u8 = 2;
    pub(crate) const OTHERS: u8 = 3;
    pub(crate) const DEPLOY_TOKENS: u8 = 4;
    pub(crate) const ACCESS_TOKENS: u8 = 5;
}

impl GroupEntry {
    fn put_into(&self, row: &mut GroupRow) -> FieldChanges {
        let mut changes = FieldChanges::default();
        changes.set("name", &mut row.name, self.name.clone());
        changes.word("visibility", &mut row.visibility_level, self.visibility);
        changes.set("share_with_group_lock", &mut row.share_with_group_lock, self.share_with_group_lock);
        changes.set("lfs_enabled", &mut row.lfs_enabled, self.lfs_enabled);
        let creation = self.project_creation_level;
        changes.optional_word("project_creation_level", &mut row.project_creation_level, creation);
        let lifetime = self.max_personal_access_token_lifetime;
        changes.set("max_personal_access_token_lifetime", &mut row.max_personal_access_token_lifetime, lifetime);
        let mut protection = row.default_branch_protection.map(i32::from);
        changes.optional_word("default_branch_protection", &mut protection, self.default_branch_protection);
        row.default_branch_protection = protection.and_then(|level| i16::try_from(level).ok());
        changes.set("repository_size_limit", &mut row.repository_size_limit, self.repository_size_limit);
        changes
    }
}

//! `groups:`, of any depth.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::hooks;
use super::members::{self, Membership};
use super::provisioned;
use super::push_rules::{self, PushRules};
use super::run::{Changes, Found, Place, Run};
use super::saml_group_links::{self, SamlGroupLink};
use super::scim::{self, ScimIdentity};
use super::security_policies::{self, SecurityPolicies};
use super::subscriptions;
use super::words::{BranchProtection, Ensure, Given, Id, Level, ProjectCreation, Protocol, Visibility, stated};
use crate::domain::full_path::{Position, check_name, split};
use crate::domain::ids::NamespaceId;
use crate::domain::scim::ScimScope;
use crate::store::members::Source;
use crate::store::namespaces::{self, GroupRow, Holder, SamlRow};
use crate::store::push_rules::PushRuleOwner;
use crate::store::security_policies as policy_files;
use crate::store::{self, Result, derived, keys, web_hooks};

/// A group, found by its full path.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The full path. With an id that exists, another path renames or moves the group and all in it.
    #[schemars(length(min = 1, max = 4096), extend("examples" = ["acme/platform"]))]
    pub path: String,
    /// Chosen on creation, and the same ever after.
    pub id: Option<Id>,
    /// The name that people read; the last part of the path where it is left out.
    #[schemars(length(min = 1, max = 255))]
    pub name: Option<String>,
    /// Who may see it; a new group is private, unless stated.
    pub visibility: Option<Visibility>,
    /// Members of the group and of all in it.
    #[serde(default)]
    pub members: BTreeMap<String, Membership>,
    /// Other groups whose direct members get in.
    #[serde(default)]
    pub shared_with: BTreeMap<String, Membership>,
    /// Projects of this group cannot be shared with other groups.
    pub share_with_group_lock: Option<bool>,
    /// Who may create projects.
    pub project_creation_level: Option<ProjectCreation>,
    /// Whether LFS is offered; null for what the group around it says.
    #[serde(default, deserialize_with = "stated")]
    pub lfs_enabled: Option<Option<bool>>,
    /// Days that a token of an enterprise user of a root group may live; null for what the instance says.
    #[serde(default, deserialize_with = "stated")]
    #[schemars(range(min = 1))]
    pub max_personal_access_token_lifetime: Option<Option<i32>>,
    /// How a new default branch is protected.
    pub default_branch_protection: Option<BranchProtection>,
    /// The name of a new default branch; null for what the instance says.
    #[serde(default, deserialize_with = "stated")]
    #[schemars(length(min = 1, max = 255))]
    pub default_branch_name: Option<Option<String>>,
    /// Bytes; 0 is no limit, null what the instance says.
    #[serde(default, deserialize_with = "stated")]
    #[schemars(range(min = 0))]
    pub repository_size_limit: Option<Option<i64>>,
    /// The ways git may come in, of a root group.
    pub enabled_git_access_protocol: Option<Protocol>,
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
    pub hooks: Vec<hooks::Hook>,
    /// Single sign-on, of a root group.
    pub saml: Option<Saml>,
    /// The token that the group's identity provider calls with; of top-level groups with `saml` alone.
    pub scim_token: Option<Given>,
    /// Users as the group's identity provider knows them.
    #[serde(default)]
    pub scim_identities: Vec<ScimIdentity>,
    /// What members of groups of the installation's identity provider get here.
    #[serde(default)]
    pub saml_group_links: Vec<SamlGroupLink>,
    /// Who may sign keys for members, of a root group.
    #[serde(default)]
    pub ssh_certificate_authorities: Vec<CertificateAuthority>,
    /// What commits and pushes must be like.
    pub push_rules: Option<PushRules>,
    /// Policies that have scans run, in all that is in the group.
    pub security_policies: Option<SecurityPolicies>,
    /// `absent` removes the group, once it has neither projects nor subgroups.
    #[serde(default)]
    pub ensure: Ensure,
}

/// A group's SAML provider.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "GitLab's own names")]
pub struct Saml {
    pub ensure: Ensure,
    pub enabled: Option<bool>,
    /// Who joins by SCIM must be linked to an account at the provider. Git asks nobody for a session.
    pub enforced_sso: Option<bool>,
    pub default_membership_role: Option<Level>,
}

/// A certificate authority, found by the fingerprint of its key.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateAuthority {
    /// The public key.
    #[schemars(extend("examples" = ["ssh-ed25519 AAAA… corp CA"]))]
    pub key: Given,
    /// Chosen on creation.
    pub id: Option<Id>,
    /// The comment of the key where it is left out.
    #[schemars(length(min = 1, max = 256))]
    pub title: Option<String>,
    /// `absent` removes it.
    #[serde(default)]
    pub ensure: Ensure,
}

impl Group {
    /// How many groups are around it.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.path.matches('/').count()
    }
}

/// Removes a group that should not exist.
pub async fn remove(run: &mut Run<'_>, place: &Place, group: &Group) -> Result<()> {
    let Some(Holder::Group(id)) = namespaces::find_holder(&mut *run.conn, &group.path).await? else { return Ok(()) };
    if group.id.is_some_and(|stated| stated.0 != id.0) {
        run.mistake(&place.key("id"), format!("must be {id}, which it has, or be left out"));
        return Ok(());
    }
    let count = namespaces::count_children(&mut *run.conn, id).await?;
    if count > 0 {
        run.mistake(place, format!("cannot be removed, for it holds projects or subgroups ({count})"));
        return Ok(());
    }
    // Projects and groups that are shared with this one lose its members.
    run.touch_before(id).await?;
    provisioned::end(run, id, &group.path).await?;
    subscriptions::end(run, id, &group.path).await?;
    store::saml_group_links::delete_all(&mut *run.conn, id).await?;
    namespaces::delete_group(run.conn, id).await?;
    run.removed(&format!("group {}", group.path));
    Ok(())
}

/// Brings a group about, all but its shares.
pub async fn bring(run: &mut Run<'_>, place: &Place, group: &Group) -> Result<()> {
    let Some((id, created)) = bring_row(run, place, group).await? else {
        run.unborn(&group.path);
        for (index, authority) in group.ssh_certificate_authorities.iter().enumerate() {
            run.ssh_key(&place.key("ssh_certificate_authorities").item(index).key("key"), &authority.key);
        }
        return members::check(run, place, &group.members, &group.shared_with).await;
    };
    bring_settings(run, id, group, created).await?;
    if group.depth() == 0 {
        bring_email_domains(run, id, group, created).await?;
    }
    members::bring(run, &place.key("members"), Source::Group(id), &group.path, &group.members).await?;
    if group.depth() > 0 {
        of_roots_alone(run, place, group);
    } else {
        bring_ip_allowlist(run, place, id, group, created).await?;
        if let Some(saml) = &group.saml {
            bring_saml(run, id, &group.path, saml).await?;
        }
        if let Some(token) = &group.scim_token {
            scim::bring_token(run, &place.key("scim_token"), ScimScope::Group(id), &group.path, token).await?;
        }
        let identities = &group.scim_identities;
        scim::bring(run, &place.key("scim_identities"), ScimScope::Group(id), &group.path, identities).await?;
    }
    let links = &group.saml_group_links;
    saml_group_links::bring(run, &place.key("saml_group_links"), id, &group.path, links).await?;
    let authorities = if group.depth() > 0 { Map::new() } else { bring_authorities(run, place, id, group).await? };
    if let Some(rules) = &group.push_rules {
        push_rules::bring(run, &place.key("push_rules"), PushRuleOwner::Group(id), &group.path, rules).await?;
    }
    if let Some(policies) = &group.security_policies {
        let owner = policy_files::Owner::Group(id);
        security_policies::bring(run, &place.key("security_policies"), owner, &group.path, policies).await?;
    }
    hooks::bring(run, &place.key("hooks"), web_hooks::Owner::Group(id), &group.path, &group.hooks).await?;
    let mut named = json!({ "id": id.0 });
    if !authorities.is_empty() {
        named["ssh_certificate_authorities"] = Value::Object(authorities);
    }
    run.name("groups", &group.path, named);
    Ok(())
}

/// Brings a group's shares in line, when all groups exist.
pub async fn bring_shares(run: &mut Run<'_>, place: &Place, group: &Group) -> Result<()> {
    let Some(Holder::Group(id)) = namespaces::find_holder(&mut *run.conn, &group.path).await? else { return Ok(()) };
    members::bring_shares(run, &place.key("shared_with"), Source::Group(id), &group.path, &group.shared_with).await
}

async fn bring_row(run: &mut Run<'_>, place: &Place, group: &Group) -> Result<Option<(NamespaceId, bool)>> {
    let what = format!("group {}", group.path);
    let (parent_path, last) = split(&group.path);
    let position = if parent_path.is_some() { Position::Subgroup } else { Position::Root };
    if let Err(reason) = check_name(last, position) {
        run.mistake(&place.key("path"), reason.to_string());
        return Ok(None);
    }
    let parent = match parent_path {
        None => None,
        Some(path) => match run.group(&place.key("path"), path).await? {
            Some(parent) => Some(parent),
            None => return Ok(None),
        },
    };
    let by_path = match namespaces::find_holder(&mut *run.conn, &group.path).await? {
        Some(Holder::Group(id)) => Some(id.0),
        Some(Holder::Personal(_)) => {
            run.mistake(&place.key("path"), format!("{} is a user", group.path));
            return Ok(None);
        }
        Some(Holder::Project(_)) => {
            run.mistake(&place.key("path"), format!("{} is a project", group.path));
            return Ok(None);
        }
        None => None,
    };
    let Some(found) = run.identify(place, "namespaces", group.id.map(|id| id.0), by_path).await? else {
        return Ok(None);
    };
    match found {
        Found::Nothing(chosen) => {
            let mut row = GroupRow {
                name: last.to_owned(),
                path: last.to_owned(),
                parent_id: parent.map(|id| id.0),
                subgroup_creation_level: Some(1),
                ..GroupRow::default()
            };
            group.put_into(&mut row);
            if !name_is_free(run, place, &row, None).await? {
                return Ok(None);
            }
            let id = namespaces::insert_group(&mut *run.conn, chosen.map(NamespaceId), &row).await?;
            derived::refresh_namespace(run.conn, id).await?;
            run.check_visibility(id, place);
            run.added(&what);
            Ok(Some((id, true)))
        }
        Found::Row(id) => {
            let id = update_row(run, place, group, NamespaceId(id), parent, last).await?;
            Ok(id.map(|id| (id, false)))
        }
    }
}

async fn update_row(
    run: &mut Run<'_>,
    place: &Place,
    group: &Group,
    id: NamespaceId,
    parent: Option<NamespaceId>,
    last: &str,
) -> Result<Option<NamespaceId>> {
    let Some(before) = namespaces::find_group(&mut *run.conn, id).await? else {
        run.mistake(&place.key("id"), format!("{id} is a namespace of a user or a project, not a group"));
        return Ok(None);
    };
    if let Some(parent) = parent
        && namespaces::is_within(&mut *run.conn, parent, id).await?
    {
        run.mistake(&place.key("path"), "would put the group into itself");
        return Ok(None);
    }
    let path_before = namespaces::find_path(&mut *run.conn, id).await?.unwrap_or_default();
    let mut row = before.clone();
    let mut changes = Changes::default();
    changes.set("path", &mut path_before.clone(), Some(group.path.clone()));
    last.clone_into(&mut row.path);
    row.parent_id = parent.map(|id| id.0);
    changes.append(group.put_into(&mut row));
    if changes.is_empty() {
        return Ok(Some(id));
    }
    if !name_is_free(run, place, &row, Some(id)).await? {
        return Ok(None);
    }
    let moved = row.parent_id != before.parent_id;
    if moved {
        derived::lock_root(run.conn, id).await?;
        run.touch_before(id).await?;
        run.touch(id);
    }
    namespaces::update_group(&mut *run.conn, id, &row).await?;
    if moved || row.path != before.path || row.name != before.name {
        derived::refresh_namespace(run.conn, id).await?;
    }
    if moved || row.visibility_level != before.visibility_level {
        run.check_visibility(id, place);
    }
    if row.share_with_group_lock != before.share_with_group_lock {
        for shadow in namespaces::list_shadows(&mut *run.conn, id).await? {
            run.touch(shadow);
        }
    }
    run.updated(&format!("group {}", group.path), &changes);
    Ok(Some(id))
}

async fn name_is_free(run: &mut Run<'_>, place: &Place, row: &GroupRow, own: Option<NamespaceId>) -> Result<bool> {
    let Some(parent) = row.parent_id else { return Ok(true) };
    let other = namespaces::find_id_by_name(&mut *run.conn, NamespaceId(parent), "Group", &row.name, own).await?;
    if let Some(other) = other {
        run.mistake(&place.key("name"), format!("{} is the name of group {other} beside it", row.name));
    }
    Ok(other.is_none())
}

impl Group {
    fn put_into(&self, row: &mut GroupRow) -> Changes {
        let mut changes = Changes::default();
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

async fn bring_settings(run: &mut Run<'_>, id: NamespaceId, group: &Group, created: bool) -> Result<()> {
    let mut row = namespaces::find_group_settings(&mut *run.conn, id).await?;
    let mut changes = Changes::default();
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
        namespaces::upsert_group_settings(&mut *run.conn, id, &row).await?;
        if !created {
            run.updated(&format!("settings of {}", group.path), &changes);
        }
    }
    Ok(())
}

/// What GitLab looks for at the root of a tree alone would have no effect further down.
fn of_roots_alone(run: &mut Run<'_>, place: &Place, group: &Group) {
    let stated = [
        ("enabled_git_access_protocol", group.enabled_git_access_protocol.is_some()),
        ("enforce_ssh_certificates", group.enforce_ssh_certificates.is_some()),
        ("disable_personal_access_tokens", group.disable_personal_access_tokens.is_some()),
        ("max_personal_access_token_lifetime", group.max_personal_access_token_lifetime.is_some()),
        ("ip_allowlist", group.ip_allowlist.is_some()),
        ("allowed_email_domains", group.allowed_email_domains.is_some()),
        ("saml", group.saml.is_some()),
        ("scim_token", group.scim_token.is_some()),
        ("scim_identities", !group.scim_identities.is_empty()),
        ("ssh_certificate_authorities", !group.ssh_certificate_authorities.is_empty()),
    ];
    for (key, _) in stated.into_iter().filter(|(_, stated)| *stated) {
        run.mistake(&place.key(key), "is for root groups: it holds for everything in them");
    }
}

async fn bring_ip_allowlist(
    run: &mut Run<'_>,
    place: &Place,
    id: NamespaceId,
    group: &Group,
    created: bool,
) -> Result<()> {
    let Some(stated) = &group.ip_allowlist else { return Ok(()) };
    let mut good = true;
    for (index, range) in stated.iter().enumerate() {
        good &= check_range(run, &place.key("ip_allowlist").item(index), range);
    }
    let mut wanted = stated.clone();
    wanted.sort();
    wanted.dedup();
    let mut ranges = namespaces::list_ip_ranges(&mut *run.conn, id).await?;
    ranges.sort();
    let mut changes = Changes::default();
    changes.set("ip_allowlist", &mut ranges, Some(wanted));
    if good && !changes.is_empty() {
        namespaces::replace_ip_ranges(run.conn, id, &ranges).await?;
        if !created {
            run.updated(&format!("group {}", group.path), &changes);
        }
    }
    Ok(())
}

async fn bring_email_domains(run: &mut Run<'_>, id: NamespaceId, group: &Group, created: bool) -> Result<()> {
    let Some(stated) = &group.allowed_email_domains else { return Ok(()) };
    let mut wanted: Vec<String> = stated.iter().map(|domain| domain.to_lowercase()).collect();
    wanted.sort();
    wanted.dedup();
    let mut domains = namespaces::list_email_domains(&mut *run.conn, id).await?;
    domains.sort();
    let mut changes = Changes::default();
    changes.set("allowed_email_domains", &mut domains, Some(wanted));
    if !changes.is_empty() {
        namespaces::replace_email_domains(run.conn, id, &domains).await?;
        if !created {
            run.updated(&format!("group {}", group.path), &changes);
        }
    }
    Ok(())
}

/// Whether the text is an address or a range of them; if not, there is a mistake.
pub fn check_range(run: &mut Run<'_>, place: &Place, range: &str) -> bool {
    let good = range.parse::<IpNet>().is_ok() || range.parse::<IpAddr>().is_ok();
    if !good {
        run.mistake(place, "must be an address or a range of addresses, for example 10.0.0.0/8");
    }
    good
}

async fn bring_saml(run: &mut Run<'_>, id: NamespaceId, path: &str, saml: &Saml) -> Result<()> {
    let what = format!("saml of {path}");
    let existing = namespaces::find_saml_provider(&mut *run.conn, id).await?;
    if saml.ensure.is_absent() {
        if let Some((provider, _)) = existing {
            namespaces::delete_saml_provider(&mut *run.conn, provider).await?;
            run.removed(&what);
        }
        return Ok(());
    }
    let provider = existing.as_ref().map(|(provider, _)| *provider);
    let mut row = existing.map_or_else(
        || SamlRow {
            enabled: true,
            sso_url: String::new(),
            certificate_fingerprint: String::new(),
            enforced_sso: false,
            git_check_enforced: false,
            default_membership_role: 10,
        },
        |(_, row)| row,
    );
    let mut changes = Changes::default();
    changes.set("enabled", &mut row.enabled, saml.enabled);
    changes.set("enforced_sso", &mut row.enforced_sso, saml.enforced_sso);
    changes.small_word("default_membership_role", &mut row.default_membership_role, saml.default_membership_role);
    match provider {
        None => {
            namespaces::insert_saml_provider(&mut *run.conn, id, &row).await?;
            run.added(&what);
        }
        Some(_) if changes.is_empty() => {}
        Some(provider) => {
            namespaces::update_saml_provider(&mut *run.conn, provider, &row).await?;
            run.updated(&what, &changes);
        }
    }
    Ok(())
}

async fn bring_authorities(
    run: &mut Run<'_>,
    place: &Place,
    id: NamespaceId,
    group: &Group,
) -> Result<Map<String, Value>> {
    let mut named = Map::new();
    for (index, authority) in group.ssh_certificate_authorities.iter().enumerate() {
        let place = place.key("ssh_certificate_authorities").item(index);
        let Some(key) = run.ssh_key(&place.key("key"), &authority.key) else { continue };
        let existing = keys::find_certificate_authority(&mut *run.conn, &key.sha256()).await?;
        let elsewhere = existing.as_ref().is_some_and(|row| row.namespace_id != id.0);
        if authority.ensure.is_absent() {
            if let Some(row) = existing.filter(|_| !elsewhere) {
                keys::delete_certificate_authority(&mut *run.conn, row.id).await?;
                run.removed(&format!("certificate authority {} of {}", row.title, group.path));
            }
            continue;
        }
        if elsewhere {
            run.mistake(&place.key("key"), "is an authority of another group already");
            continue;
        }
        let by_key = existing.as_ref().map(|row| row.id);
        let stated_id = authority.id.map(|id| id.0);
        let table = "group_ssh_certificates";
        let Some(found) = run.identify_fixed(&place, table, stated_id, by_key).await? else { continue };
        let usual = if key.comment().is_empty() { key.fingerprint() } else { key.comment().to_owned() };
        let mut title = existing.map_or(usual, |row| row.title);
        let mut changes = Changes::default();
        changes.set("title", &mut title, authority.title.clone());
        let what = format!("certificate authority {title} of {}", group.path);
        let row = match found {
            Found::Nothing(chosen) => {
                let row = keys::insert_certificate_authority(&mut *run.conn, chosen, id, &title, &key).await?;
                run.added(&what);
                row
            }
            Found::Row(row) => {
                if !changes.is_empty() {
                    keys::update_certificate_authority(&mut *run.conn, row, &title).await?;
                    run.updated(&what, &changes);
                }
                row
            }
        };
        named.insert(title, json!({ "id": row, "fingerprint": key.fingerprint() }));
    }
    Ok(named)
}

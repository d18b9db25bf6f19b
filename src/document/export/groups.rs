//! Exported groups.

use std::collections::HashMap;

use ipnet::IpNet;
use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use super::entry::{
    entry, membership, public_key, push_rules, put_list, put_map, security_policies, stated, text, translate, word,
};
use super::{ExportNames, tokens};
use crate::document::words::{BranchProtectionWord, LevelWord, ProjectCreationWord, ProtocolWord, VisibilityWord};
use crate::domain::ids::NamespaceId;
use crate::store::deploy_tokens::DeployTokenOwner;
use crate::store::exports::{self, OwnedEntries};
use crate::store::members::{self, MemberSource};
use crate::store::sets::groups::{self, GroupRecord};
use crate::store::{Result, push_rules as rules};

/// What few groups have, by the group's id.
struct GroupParts {
    ip_ranges: OwnedEntries,
    email_domains: OwnedEntries,
    saml: OwnedEntries,
    links: OwnedEntries,
    scim_identities: OwnedEntries,
    authorities: OwnedEntries,
    policies: OwnedEntries,
    deploy_tokens: HashMap<DeployTokenOwner, Vec<Value>>,
    access_tokens: HashMap<NamespaceId, Vec<Value>>,
    push_rules: HashMap<i64, Value>,
}

/// The groups of these ids, in this order.
pub(super) async fn list(conn: &mut PgConnection, names: &ExportNames, ids: &[i64]) -> Result<Vec<Value>> {
    let mut records = groups::list(&mut *conn, ids).await?;
    let sources: Vec<MemberSource> = ids.iter().map(|id| MemberSource::Group(NamespaceId(*id))).collect();
    let mut members = members_of(conn, names, &sources).await?;
    let mut shares = shares_of(conn, names, &sources).await?;
    let mut parts = GroupParts::load(conn, ids).await?;
    let mut entries = Vec::with_capacity(ids.len());
    for id in ids {
        let Some(record) = records.remove(&NamespaceId(*id)) else { continue };
        let source = MemberSource::Group(NamespaceId(*id));
        let mut entry = row(*id, &record);
        put_map(&mut entry, "members", members.remove(&source).unwrap_or_default());
        put_map(&mut entry, "shared_with", shares.remove(&source).unwrap_or_default());
        parts.put_into(&mut entry, *id, !record.path.contains('/'));
        entries.push(Value::Object(entry));
    }
    Ok(entries)
}

fn row(id: i64, record: &GroupRecord) -> Map<String, Value> {
    let (row, settings) = (&record.row, &record.settings);
    let of_root = |value: Value| if record.path.contains('/') { Value::Null } else { value };
    let lifetime = row.max_personal_access_token_lifetime.filter(|days| *days > 0);
    entry([
        ("path", json!(record.path)),
        ("id", json!(id)),
        ("name", text(&row.name)),
        ("visibility", word::<VisibilityWord>(row.visibility_level)),
        ("share_with_group_lock", json!(row.share_with_group_lock)),
        ("project_creation_level", row.project_creation_level.map_or(Value::Null, word::<ProjectCreationWord>)),
        ("lfs_enabled", json!(row.lfs_enabled)),
        ("max_personal_access_token_lifetime", of_root(json!(lifetime))),
        ("default_branch_protection", row.default_branch_protection.map_or(Value::Null, word::<BranchProtectionWord>)),
        ("default_branch_name", settings.default_branch_name.as_deref().map_or(Value::Null, text)),
        ("repository_size_limit", json!(row.repository_size_limit)),
        ("enabled_git_access_protocol", of_root(word::<ProtocolWord>(settings.enabled_git_access_protocol))),
        ("enforce_ssh_certificates", of_root(json!(settings.enforce_ssh_certificates))),
        ("disable_personal_access_tokens", of_root(json!(settings.disable_personal_access_tokens))),
        ("archived", json!(settings.archived)),
    ])
}

impl GroupParts {
    async fn load(conn: &mut PgConnection, ids: &[i64]) -> Result<Self> {
        let mut push_rules_of = HashMap::new();
        for (group, rule) in exports::list_group_push_rules(&mut *conn, ids).await? {
            if let Some(row) = rules::find(&mut *conn, rule).await? {
                push_rules_of.insert(group, push_rules(row));
            }
        }
        Ok(Self {
            ip_ranges: exports::list_ip_ranges(&mut *conn, ids).await?,
            email_domains: exports::list_email_domains(&mut *conn, ids).await?,
            saml: exports::list_saml_providers(&mut *conn, ids).await?,
            links: exports::list_saml_group_links(&mut *conn, ids).await?,
            scim_identities: exports::list_group_scim_identities(&mut *conn, ids).await?,
            authorities: exports::list_certificate_authorities(&mut *conn, ids).await?,
            policies: exports::list_group_policies(&mut *conn, ids).await?,
            deploy_tokens: tokens::deploy_tokens(
                conn,
                ids.iter().map(|id| DeployTokenOwner::Group(NamespaceId(*id))).collect(),
            )
            .await?,
            access_tokens: tokens::access_tokens(conn, ids).await?,
            push_rules: push_rules_of,
        })
    }

    fn put_into(&mut self, entry: &mut Map<String, Value>, id: i64, is_root: bool) {
        if is_root {
            let ranges = self.ip_ranges.remove(&id).unwrap_or_default();
            if ranges.iter().all(is_range) {
                put_list(entry, "ip_allowlist", ranges);
            }
            put_list(entry, "allowed_email_domains", self.email_domains.remove(&id).unwrap_or_default());
            if let Some(saml) = self.saml.remove(&id).and_then(|providers| providers.into_iter().next()) {
                let mut saml = stated(saml);
                translate::<LevelWord>(&mut saml, "default_membership_role");
                entry.insert("saml".to_owned(), Value::Object(saml));
            }
            put_list(entry, "scim_identities", self.scim_identities.remove(&id).unwrap_or_default());
            let mut authorities = self.authorities.remove(&id).unwrap_or_default();
            authorities.retain(|authority| authority["key"].as_str().and_then(public_key).is_some());
            put_list(entry, "ssh_certificate_authorities", authorities);
        }
        let links = self.links.remove(&id).unwrap_or_default().into_iter().map(|link| {
            let mut link = stated(link);
            translate::<LevelWord>(&mut link, "access_level");
            Value::Object(link)
        });
        put_list(entry, "saml_group_links", links.collect());
        let deploy_tokens = self.deploy_tokens.remove(&DeployTokenOwner::Group(NamespaceId(id)));
        put_list(entry, "deploy_tokens", deploy_tokens.unwrap_or_default());
        put_list(entry, "access_tokens", self.access_tokens.remove(&NamespaceId(id)).unwrap_or_default());
        if let Some(rules) = self.push_rules.remove(&id) {
            entry.insert("push_rules".to_owned(), rules);
        }
        if let Some(policies) = self.policies.get(&id).and_then(|files| security_policies(files.first()?)) {
            entry.insert("security_policies".to_owned(), policies);
        }
    }
}

fn is_range(range: &Value) -> bool {
    let text = range.as_str().unwrap_or_default();
    text.parse::<IpNet>().is_ok() || text.parse::<std::net::IpAddr>().is_ok()
}

/// Active members by what they are members of: username and level.
pub(super) async fn members_of(
    conn: &mut PgConnection,
    names: &ExportNames,
    sources: &[MemberSource],
) -> Result<HashMap<MemberSource, Map<String, Value>>> {
    let mut members: HashMap<MemberSource, Map<String, Value>> = HashMap::new();
    for ((source, user), row) in members::list(conn, sources, None).await? {
        let (Some(name), true) = (names.users.get(&user.0), row.active) else { continue };
        let membership = membership::<LevelWord>(row.grant.level, row.grant.expires_at);
        if !membership.is_null() {
            members.entry(source).or_default().insert(name.clone(), membership);
        }
    }
    Ok(members)
}

/// Shares by what is shared: path of the group and level.
pub(super) async fn shares_of(
    conn: &mut PgConnection,
    names: &ExportNames,
    sources: &[MemberSource],
) -> Result<HashMap<MemberSource, Map<String, Value>>> {
    let mut shares: HashMap<MemberSource, Map<String, Value>> = HashMap::new();
    for ((source, with), grant) in members::list_links(conn, sources).await? {
        let Some(path) = names.namespaces.get(&with.0) else { continue };
        let membership = membership::<LevelWord>(grant.level, grant.expires_at);
        if !membership.is_null() {
            shares.entry(source).or_default().insert(path.clone(), membership);
        }
    }
    Ok(shares)
}

//! What few groups have, and each of them has little of: it is applied entry by entry.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::json;

use super::groups::{GroupEntry, SamlEntry};
use super::{hooks, push_rules, saml_group_links, scim, security_policies};
use crate::document::changes::FieldChanges;
use crate::document::place::DocumentPlace;
use crate::document::run::{ApplyRun, FoundRow};
use crate::domain::ids::NamespaceId;
use crate::domain::scim::ScimScope;
use crate::store::namespaces::{self, SamlRow};
use crate::store::push_rules::PushRuleOwner;
use crate::store::security_policies as policy_files;
use crate::store::{Result, keys, web_hooks};

/// Applies the domains of which new members of a root group have addresses: before the members.
pub(crate) async fn apply_email_domains(
    run: &mut ApplyRun<'_>,
    group: &GroupEntry,
    (id, is_new): (NamespaceId, bool),
) -> Result<()> {
    let Some(stated) = group.allowed_email_domains.as_ref().filter(|_| group.depth() == 0) else { return Ok(()) };
    let mut wanted: Vec<String> = stated.iter().map(|domain| domain.to_lowercase()).collect();
    wanted.sort();
    wanted.dedup();
    let mut domains = namespaces::list_email_domains(&mut *run.conn, id).await?;
    domains.sort();
    let mut changes = FieldChanges::default();
    changes.set("allowed_email_domains", &mut domains, Some(wanted));
    if !changes.is_empty() {
        namespaces::replace_email_domains(run.conn, id, &domains).await?;
        if !is_new {
            run.updated(&format!("group {}", group.path), &changes);
        }
    }
    Ok(())
}

/// Applies what few groups have, and each of them has little of.
pub(crate) async fn apply_others(
    run: &mut ApplyRun<'_>,
    place: &DocumentPlace,
    group: &GroupEntry,
    (id, is_new): (NamespaceId, bool),
) -> Result<()> {
    if group.depth() > 0 {
        of_roots_alone(run, place, group);
    } else {
        apply_ip_allowlist(run, place, id, group, is_new).await?;
        if let Some(saml) = &group.saml {
            apply_saml(run, id, &group.path, saml).await?;
        }
        if let Some(token) = &group.scim_token {
            scim::apply_token(run, &place.key("scim_token"), ScimScope::Group(id), &group.path, token).await?;
        }
        let identities = &group.scim_identities;
        scim::apply(run, &place.key("scim_identities"), ScimScope::Group(id), &group.path, identities).await?;
    }
    let links = &group.saml_group_links;
    saml_group_links::apply(run, &place.key("saml_group_links"), id, &group.path, links).await?;
    if group.depth() == 0 {
        apply_authorities(run, place, id, group).await?;
    }
    if let Some(rules) = &group.push_rules {
        push_rules::apply(run, &place.key("push_rules"), PushRuleOwner::Group(id), &group.path, rules).await?;
    }
    if let Some(policies) = &group.security_policies {
        let owner = policy_files::PolicyOwner::Group(id);
        security_policies::apply(run, &place.key("security_policies"), owner, &group.path, policies).await?;
    }
    hooks::apply(run, &place.key("hooks"), web_hooks::HookOwner::Group(id), &group.path, &group.hooks).await
}

/// What GitLab looks for at the root of a tree alone would have no effect further down.
fn of_roots_alone(run: &mut ApplyRun<'_>, place: &DocumentPlace, group: &GroupEntry) {
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
        run.problem(&place.key(key), "is for root groups: it holds for everything in them");
    }
}

async fn apply_ip_allowlist(
    run: &mut ApplyRun<'_>,
    place: &DocumentPlace,
    id: NamespaceId,
    group: &GroupEntry,
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
    let mut changes = FieldChanges::default();
    changes.set("ip_allowlist", &mut ranges, Some(wanted));
    if good && !changes.is_empty() {
        namespaces::replace_ip_ranges(run.conn, id, &ranges).await?;
        if !created {
            run.updated(&format!("group {}", group.path), &changes);
        }
    }
    Ok(())
}

/// Whether the text is an address or a range of them; if not, there is a problem.
pub fn check_range(run: &mut ApplyRun<'_>, place: &DocumentPlace, range: &str) -> bool {
    let good = range.parse::<IpNet>().is_ok() || range.parse::<IpAddr>().is_ok();
    if !good {
        run.problem(place, "must be an address or a range of addresses, for example 10.0.0.0/8");
    }
    good
}

async fn apply_saml(run: &mut ApplyRun<'_>, id: NamespaceId, path: &str, saml: &SamlEntry) -> Result<()> {
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
    let mut changes = FieldChanges::default();
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

async fn apply_authorities(
    run: &mut ApplyRun<'_>,
    place: &DocumentPlace,
    id: NamespaceId,
    group: &GroupEntry,
) -> Result<()> {
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
            run.problem(&place.key("key"), "is an authority of another group already");
            continue;
        }
        let by_key = existing.as_ref().map(|row| row.id);
        let stated_id = authority.id.map(|id| id.0);
        let table = "group_ssh_certificates";
        let Some(found) = run.identify_fixed_row(&place, table, stated_id, by_key).await? else { continue };
        let usual = if key.comment().is_empty() { key.fingerprint() } else { key.comment().to_owned() };
        let mut title = existing.map_or(usual, |row| row.title);
        let mut changes = FieldChanges::default();
        changes.set("title", &mut title, authority.title.clone());
        let what = format!("certificate authority {title} of {}", group.path);
        let row = match found {
            FoundRow::Missing(chosen) => {
                let row = keys::insert_certificate_authority(&mut *run.conn, chosen, id, &title, &key).await?;
                run.added(&what);
                row
            }
            FoundRow::Existing(row) => {
                if !changes.is_empty() {
                    keys::update_certificate_authority(&mut *run.conn, row, &title).await?;
                    run.updated(&what, &changes);
                }
                row
            }
        };
        let value = json!({ "id": row, "fingerprint": key.fingerprint() });
        run.name_at(&["groups", &group.path, "ssh_certificate_authorities", &title], value);
    }
    Ok(())
}

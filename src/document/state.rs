//! The state document: its shape, and what must be true of it before the database is asked.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::kinds::{
    add_on_purchases, broadcast_messages, groups, hooks, minutes_packs, plans, projects, reconciliations, scim,
    settings, snippets, storage_exclusions, subscriptions, users,
};
use super::place::DocumentPlace;
use super::run::ApplyRun;
use super::words::StatedId;
use crate::store::{Result, ids};

/// A state document: what should exist. What it leaves out stays as it is.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StateDocument {
    /// The settings of the instance.
    pub settings: Option<settings::SettingsEntry>,
    /// Users, found by their name.
    pub users: Vec<users::UserEntry>,
    /// Groups, found by their full path.
    pub groups: Vec<groups::GroupEntry>,
    /// Projects, found by their full path.
    pub projects: Vec<projects::ProjectEntry>,
    /// Snippets, found by their id.
    pub snippets: Vec<snippets::SnippetEntry>,
    /// Plans, found by their name. The usual ones exist from the beginning.
    pub plans: Vec<plans::PlanEntry>,
    /// Which add-ons namespaces have bought, found by the namespace and the add-on.
    pub add_on_purchases: Vec<add_on_purchases::AddOnPurchaseEntry>,
    /// Packs of compute minutes, found by the ids of their purchases.
    pub minutes_packs: Vec<minutes_packs::MinutesPackEntry>,
    /// When the seats of namespaces are reckoned up next, found by the namespace.
    pub reconciliations: Vec<reconciliations::ReconciliationEntry>,
    /// Which namespaces have no limit on their storage, found by the namespace.
    pub storage_exclusions: Vec<storage_exclusions::StorageExclusionEntry>,
    /// What namespaces have subscribed to, found by the namespace.
    pub subscriptions: Vec<subscriptions::SubscriptionEntry>,
    /// Users as the identity provider of the whole installation knows them, found by their name.
    pub scim_identities: Vec<scim::ScimIdentityEntry>,
    /// Who is told of all pushes.
    pub hooks: Vec<hooks::HookEntry>,
    /// Messages to everyone, found by their text.
    pub broadcast_messages: Vec<broadcast_messages::BroadcastMessageEntry>,
}

/// A name or an id that two entries state would make the second undo the first.
pub(super) fn find_duplicates(run: &mut ApplyRun<'_>, document: &StateDocument) {
    fn check<'a, T: Ord>(
        run: &mut ApplyRun<'_>,
        noun: &str,
        key: &str,
        values: impl Iterator<Item = (usize, T)> + 'a,
        shown: impl Fn(&T) -> String,
    ) {
        let mut seen = BTreeMap::new();
        for (index, value) in values {
            if let Some(first) = seen.get(&value) {
                let place = DocumentPlace::root(noun).item(index).key(key);
                run.problem(&place, format!("{} is that of {noun}[{first}] as well", shown(&value)));
            } else {
                seen.insert(value, index);
            }
        }
    }
    let word = |text: &String| text.clone();
    let number = |id: &i64| id.to_string();
    let (users, groups, projects) = (&document.users, &document.groups, &document.projects);
    let lower = |text: &str| text.to_lowercase();
    check(run, "users", "username", users.iter().map(|user| lower(&user.username)).enumerate(), word);
    check(run, "groups", "path", groups.iter().map(|group| lower(&group.path)).enumerate(), word);
    check(run, "projects", "path", projects.iter().map(|project| lower(&project.path)).enumerate(), word);
    check(run, "plans", "name", document.plans.iter().map(|plan| plan.name.clone()).enumerate(), word);
    let purchase =
        |entry: &add_on_purchases::AddOnPurchaseEntry| format!("{} {}", lower(&entry.namespace), entry.add_on);
    check(run, "add_on_purchases", "add_on", document.add_on_purchases.iter().map(purchase).enumerate(), word);
    let xids = document.minutes_packs.iter().map(|pack| pack.purchase_xid.clone()).enumerate();
    check(run, "minutes_packs", "purchase_xid", xids, word);
    let namespaces = document.reconciliations.iter().map(|entry| lower(&entry.namespace)).enumerate();
    check(run, "reconciliations", "namespace", namespaces, word);
    let namespaces = document.storage_exclusions.iter().map(|entry| lower(&entry.namespace)).enumerate();
    check(run, "storage_exclusions", "namespace", namespaces, word);
    let namespaces = document.subscriptions.iter().map(|subscription| lower(&subscription.namespace)).enumerate();
    check(run, "subscriptions", "namespace", namespaces, word);
    let ids = |ids: Vec<Option<StatedId>>| ids.into_iter().enumerate().filter_map(|(index, id)| Some((index, id?.0)));
    check(run, "users", "id", ids(users.iter().map(|user| user.id).collect()), number);
    check(run, "groups", "id", ids(groups.iter().map(|group| group.id).collect()), number);
    check(run, "snippets", "id", document.snippets.iter().map(|snippet| snippet.id.0).enumerate(), number);
    check(run, "projects", "id", ids(projects.iter().map(|project| project.id).collect()), number);
}

/// Ids that the document chooses must not be handed out to its other entries, or to anybody later. Sequences are moved
/// past them first; a dry run or a problem leaves gaps behind, as any rollback does.
pub(super) async fn move_sequences(run: &mut ApplyRun<'_>, document: &StateDocument) -> Result<()> {
    let users = || document.users.iter();
    let groups = || document.groups.iter();
    let projects = || document.projects.iter();
    let largest = |ids: &mut dyn Iterator<Item = Option<StatedId>>| ids.flatten().map(|id| id.0).max();
    let tables = [
        ("users", largest(&mut users().map(|user| user.id))),
        ("emails", largest(&mut users().flat_map(|user| &user.emails).map(|email| email.id))),
        ("identities", largest(&mut users().flat_map(|user| &user.identities).map(|identity| identity.id))),
        (
            "keys",
            largest(
                &mut users()
                    .flat_map(|user| &user.keys)
                    .map(|key| key.id)
                    .chain(projects().flat_map(|project| &project.deploy_keys).map(|key| key.id)),
            ),
        ),
        (
            "personal_access_tokens",
            largest(
                &mut users()
                    .flat_map(|user| &user.personal_access_tokens)
                    .map(|token| token.id)
                    .chain(groups().flat_map(|group| &group.access_tokens).map(|token| token.id))
                    .chain(projects().flat_map(|project| &project.access_tokens).map(|token| token.id)),
            ),
        ),
        (
            "deploy_tokens",
            largest(
                &mut groups()
                    .flat_map(|group| &group.deploy_tokens)
                    .map(|token| token.id)
                    .chain(projects().flat_map(|project| &project.deploy_tokens).map(|token| token.id)),
            ),
        ),
        ("oauth_access_tokens", largest(&mut users().flat_map(|user| &user.oauth_tokens).map(|token| token.id))),
        ("namespaces", largest(&mut groups().map(|group| group.id))),
        (
            "group_ssh_certificates",
            largest(&mut groups().flat_map(|group| &group.ssh_certificate_authorities).map(|ca| ca.id)),
        ),
        ("projects", largest(&mut projects().map(|project| project.id))),
        (
            "protected_branches",
            largest(&mut projects().flat_map(|project| &project.protected_branches).map(|branch| branch.id)),
        ),
        ("protected_tags", largest(&mut projects().flat_map(|project| &project.protected_tags).map(|tag| tag.id))),
        (
            "error_tracking_client_keys",
            largest(
                &mut projects()
                    .filter_map(|project| project.error_tracking.as_ref())
                    .flat_map(|tracking| &tracking.client_keys)
                    .map(|key| key.id),
            ),
        ),
        ("scim_identities", largest(&mut document.scim_identities.iter().map(|identity| identity.id))),
        (
            "group_scim_identities",
            largest(&mut groups().flat_map(|group| &group.scim_identities).map(|identity| identity.id)),
        ),
        ("cluster_agents", largest(&mut projects().flat_map(|project| &project.agents).map(|agent| agent.id))),
        (
            "cluster_agent_tokens",
            largest(
                &mut projects()
                    .flat_map(|project| &project.agents)
                    .flat_map(|agent| &agent.tokens)
                    .map(|token| token.id),
            ),
        ),
        ("snippets", document.snippets.iter().map(|snippet| snippet.id.0).max()),
        ("plans", largest(&mut document.plans.iter().map(|plan| plan.id))),
        ("broadcast_messages", largest(&mut document.broadcast_messages.iter().map(|message| message.id))),
    ];
    for (table, id) in tables {
        if let Some(id) = id {
            ids::move_past(&mut *run.conn, table, id).await?;
        }
    }
    Ok(())
}

//! The state document: its shape, and how each noun of it is brought about.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::domain::scim::ScimScope;
use crate::store::web_hooks::Owner;
use crate::store::{self, Error, Result, ids, locks};

pub mod add_on_purchases;
pub mod agents;
pub mod broadcast_messages;
pub mod deploy_keys;
pub mod groups;
pub mod hooks;
pub mod keys;
pub mod members;
pub mod merge_requests;
pub mod minutes_packs;
pub mod plans;
pub mod projects;
pub mod protected_refs;
pub mod provisioned;
pub mod push_rules;
pub mod reconciliations;
pub mod refused;
pub mod run;
pub mod saml_group_links;
pub mod scim;
pub mod security_policies;
pub mod settings;
pub mod snippets;
pub mod storage_exclusions;
pub mod subscriptions;
pub mod tokens;
pub mod users;
pub mod words;

use run::{Place, Run};
use words::Id;

/// A state document: what should exist. What it leaves out stays as it is.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Document {
    /// The settings of the instance.
    pub settings: Option<settings::InstanceSettings>,
    /// Users, found by their name.
    pub users: Vec<users::User>,
    /// Groups, found by their full path.
    pub groups: Vec<groups::Group>,
    /// Projects, found by their full path.
    pub projects: Vec<projects::Project>,
    /// Snippets, found by their id.
    pub snippets: Vec<snippets::Snippet>,
    /// Plans, found by their name. The usual ones exist from the beginning.
    pub plans: Vec<plans::Plan>,
    /// Which add-ons namespaces have bought, found by the namespace and the add-on.
    pub add_on_purchases: Vec<add_on_purchases::AddOnPurchase>,
    /// Packs of compute minutes, found by the ids of their purchases.
    pub minutes_packs: Vec<minutes_packs::MinutesPack>,
    /// When the seats of namespaces are reckoned up next, found by the namespace.
    pub reconciliations: Vec<reconciliations::Reconciliation>,
    /// Which namespaces have no limit on their storage, found by the namespace.
    pub storage_exclusions: Vec<storage_exclusions::StorageExclusion>,
    /// What namespaces have subscribed to, found by the namespace.
    pub subscriptions: Vec<subscriptions::StatedSubscription>,
    /// Users as the identity provider of the whole installation knows them, found by their name.
    pub scim_identities: Vec<scim::ScimIdentity>,
    /// Who is told of all pushes.
    pub hooks: Vec<hooks::Hook>,
    /// Messages to everyone, found by their text.
    pub broadcast_messages: Vec<broadcast_messages::BroadcastMessage>,
}

/// Brings about what the document states, as far as it has no mistakes: `run` has collected those.
pub async fn bring_about(run: &mut Run<'_>, document: &Document) -> Result<()> {
    distinct(run, document);
    match in_order(run, document).await {
        // The entry is among the mistakes; see `Run::caught`.
        Err(Error::Duplicate(_)) if run.mistakes() > 0 => Ok(()),
        answer => answer,
    }
}

/// What frees names, addresses and keys comes before what takes them, and what is referred to before what refers.
async fn in_order(run: &mut Run<'_>, document: &Document) -> Result<()> {
    locks::take_apply(&mut *run.conn).await?;
    // Before any row is written: providers hold what they change in the other order.
    let about_links = |group: &groups::Group| group.ensure.is_absent() || !group.saml_group_links.is_empty();
    if document.groups.iter().any(about_links) || !document.scim_identities.is_empty() {
        store::saml_group_links::lock_links(&mut *run.conn).await?;
    }
    move_sequences(run, document).await?;
    let root = |noun: &str| Place::root(noun);

    if let Some(settings) = &document.settings {
        settings::bring(run, &root("settings"), settings).await?;
    }
    for (index, plan) in document.plans.iter().enumerate() {
        let place = root("plans").item(index);
        let answer = plans::bring(run, &place, plan).await;
        run.caught(&place, answer)?;
    }
    for (index, project) in document.projects.iter().enumerate().filter(|(_, project)| project.ensure.is_absent()) {
        let place = root("projects").item(index);
        let answer = projects::remove(run, &place, project).await;
        run.caught(&place, answer)?;
    }
    for (index, user) in document.users.iter().enumerate() {
        let place = root("users").item(index);
        let answer = users::remove(run, &place, user).await;
        run.caught(&place, answer)?;
    }
    for (index, user) in document.users.iter().enumerate().filter(|(_, user)| !user.ensure.is_absent()) {
        let place = root("users").item(index);
        let answer = users::bring(run, &place, user).await;
        run.caught(&place, answer)?;
    }
    groups_in_order(run, document).await?;
    for (index, user) in document.users.iter().enumerate().filter(|(_, user)| !user.ensure.is_absent()) {
        users::bring_enterprise_group(run, &root("users").item(index), user).await?;
    }
    for (index, project) in document.projects.iter().enumerate().filter(|(_, project)| !project.ensure.is_absent()) {
        let place = root("projects").item(index);
        let answer = projects::bring(run, &place, project).await;
        run.caught(&place, answer)?;
    }
    for (index, project) in document.projects.iter().enumerate().filter(|(_, project)| !project.ensure.is_absent()) {
        projects::bring_access(run, &root("projects").item(index), project).await?;
    }
    for (index, snippet) in document.snippets.iter().enumerate() {
        let place = root("snippets").item(index);
        let answer = snippets::bring(run, &place, snippet).await;
        run.caught(&place, answer)?;
    }
    purchases_in_order(run, document).await?;
    for (index, subscription) in document.subscriptions.iter().enumerate() {
        let place = root("subscriptions").item(index);
        let answer = subscriptions::bring(run, &place, subscription).await;
        run.caught(&place, answer)?;
    }
    let mut absent: Vec<_> = document.groups.iter().enumerate().filter(|(_, group)| group.ensure.is_absent()).collect();
    absent.sort_by_key(|(_, group)| std::cmp::Reverse(group.depth()));
    for (index, group) in absent {
        let place = root("groups").item(index);
        let answer = groups::remove(run, &place, group).await;
        run.caught(&place, answer)?;
    }
    let identities = &document.scim_identities;
    scim::bring(run, &root("scim_identities"), ScimScope::Instance, "the instance", identities).await?;
    hooks::bring(run, &root("hooks"), Owner::Instance, "the instance", &document.hooks).await?;
    for (index, message) in document.broadcast_messages.iter().enumerate() {
        let place = root("broadcast_messages").item(index);
        let answer = broadcast_messages::bring(run, &place, message).await;
        run.caught(&place, answer)?;
    }
    run.settle().await
}

/// What namespaces have bought, when they are all there.
async fn purchases_in_order(run: &mut Run<'_>, document: &Document) -> Result<()> {
    for (index, purchase) in document.add_on_purchases.iter().enumerate() {
        let place = Place::root("add_on_purchases").item(index);
        let answer = add_on_purchases::bring(run, &place, purchase).await;
        run.caught(&place, answer)?;
    }
    for (index, pack) in document.minutes_packs.iter().enumerate() {
        let place = Place::root("minutes_packs").item(index);
        let answer = minutes_packs::bring(run, &place, pack).await;
        run.caught(&place, answer)?;
    }
    for (index, reconciliation) in document.reconciliations.iter().enumerate() {
        let place = Place::root("reconciliations").item(index);
        let answer = reconciliations::bring(run, &place, reconciliation).await;
        run.caught(&place, answer)?;
    }
    for (index, exclusion) in document.storage_exclusions.iter().enumerate() {
        let place = Place::root("storage_exclusions").item(index);
        let answer = storage_exclusions::bring(run, &place, exclusion).await;
        run.caught(&place, answer)?;
    }
    Ok(())
}

/// Parents first; shares when all groups are there, for two groups may be shared with each other's neighbours.
async fn groups_in_order(run: &mut Run<'_>, document: &Document) -> Result<()> {
    let mut present: Vec<_> =
        document.groups.iter().enumerate().filter(|(_, group)| !group.ensure.is_absent()).collect();
    present.sort_by_key(|(_, group)| group.depth());
    for (index, group) in &present {
        let place = Place::root("groups").item(*index);
        let answer = groups::bring(run, &place, group).await;
        run.caught(&place, answer)?;
    }
    for (index, group) in &present {
        let place = Place::root("groups").item(*index);
        let answer = groups::bring_shares(run, &place, group).await;
        run.caught(&place, answer)?;
    }
    Ok(())
}

/// A name or an id that two entries state would make the second undo the first.
fn distinct(run: &mut Run<'_>, document: &Document) {
    fn check<'a, T: Ord>(
        run: &mut Run<'_>,
        noun: &str,
        key: &str,
        values: impl Iterator<Item = (usize, T)> + 'a,
        shown: impl Fn(&T) -> String,
    ) {
        let mut seen = std::collections::BTreeMap::new();
        for (index, value) in values {
            if let Some(first) = seen.get(&value) {
                let place = Place::root(noun).item(index).key(key);
                run.mistake(&place, format!("{} is that of {noun}[{first}] as well", shown(&value)));
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
    let purchase = |entry: &add_on_purchases::AddOnPurchase| format!("{} {}", lower(&entry.namespace), entry.add_on);
    check(run, "add_on_purchases", "add_on", document.add_on_purchases.iter().map(purchase).enumerate(), word);
    let xids = document.minutes_packs.iter().map(|pack| pack.purchase_xid.clone()).enumerate();
    check(run, "minutes_packs", "purchase_xid", xids, word);
    let namespaces = document.reconciliations.iter().map(|entry| lower(&entry.namespace)).enumerate();
    check(run, "reconciliations", "namespace", namespaces, word);
    let namespaces = document.storage_exclusions.iter().map(|entry| lower(&entry.namespace)).enumerate();
    check(run, "storage_exclusions", "namespace", namespaces, word);
    let namespaces = document.subscriptions.iter().map(|subscription| lower(&subscription.namespace)).enumerate();
    check(run, "subscriptions", "namespace", namespaces, word);
    let ids = |ids: Vec<Option<Id>>| ids.into_iter().enumerate().filter_map(|(index, id)| Some((index, id?.0)));
    check(run, "users", "id", ids(users.iter().map(|user| user.id).collect()), number);
    check(run, "groups", "id", ids(groups.iter().map(|group| group.id).collect()), number);
    check(run, "snippets", "id", document.snippets.iter().map(|snippet| snippet.id.0).enumerate(), number);
    check(run, "projects", "id", ids(projects.iter().map(|project| project.id).collect()), number);
}

/// Ids that the document chooses must not be handed out to its other entries, or to anybody later. Sequences are moved past
/// them first; a dry run or a mistake leaves gaps behind, as any rollback does.
async fn move_sequences(run: &mut Run<'_>, document: &Document) -> Result<()> {
    let users = || document.users.iter();
    let groups = || document.groups.iter();
    let projects = || document.projects.iter();
    let largest = |ids: &mut dyn Iterator<Item = Option<Id>>| ids.flatten().map(|id| id.0).max();
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
            largest(&mut users().flat_map(|user| &user.personal_access_tokens).map(|token| token.id)),
        ),
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

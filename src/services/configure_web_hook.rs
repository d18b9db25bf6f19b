//! Web hooks are made and changed. What one may be is the same for all who state one.

use std::net::IpAddr;

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgConnection;

use super::audited_change::AuditedChange;
use super::{ServiceError, ServiceResult};
use crate::crypto::attr_encrypted::ColumnKey;
use crate::domain::audit::EventName;
use crate::domain::egress::EgressPolicy;
use crate::domain::ids::WebHookId;
use crate::domain::web_hook::{HookSubscriptions, MOST_OF_GROUP, MOST_OF_PROJECT};
use crate::store::web_hooks::{self, HookDetails, HookOwner, HookRange, StoredHook, WebHook};
use crate::store::{self, locks};

/// What is said of a hook. What is left out stays as it is, and of a new hook is as it usually is.
#[derive(Debug, Clone, Default)]
pub struct HookChange {
    /// Where it posts to.
    pub url: Option<String>,
    /// What it sends as `X-Gitlab-Token`; null for nothing.
    pub token: Option<Option<SecretString>>,
    /// What people call it.
    pub name: Option<Option<String>>,
    /// What it is for.
    pub description: Option<Option<String>>,
    /// Whether it is told of pushes to branches.
    pub push_events: Option<bool>,
    /// Whether it is told of pushes of tags.
    pub tag_push_events: Option<bool>,
    /// Whether it is told of new alerts.
    pub alert_events: Option<bool>,
    /// Whether it is told of each push as a whole.
    pub repository_update_events: Option<bool>,
    /// The branches that it is told of; null for every branch.
    pub branch_filter: Option<Option<String>>,
    /// Whether the branches are not filtered at all.
    pub all_branches: Option<bool>,
    /// Whether the receiver's certificate must be good.
    pub enable_ssl_verification: Option<bool>,
    /// Events that never happen here.
    pub kept_events: Vec<(&'static str, bool)>,
}

/// Why a hook is not made or changed. `Display` is what clients read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HookFault {
    /// It is none of http or https.
    #[error("Invalid url given")]
    InvalidUrl,
    /// It leads where hooks may not go.
    #[error("Url is blocked: Requests to {0} are not allowed")]
    Blocked(&'static str),
    /// The owner has as many as it may have.
    #[error("Maximum number of {0} hooks ({1}) exceeded")]
    TooMany(&'static str, i64),
    /// A text that no column holds.
    #[error("{0} is too long (maximum is {1} characters)")]
    TooLong(&'static str, usize),
    /// No header can hold it.
    #[error("Token is invalid")]
    Token,
}

/// The URL in a text, where a hook can post to it.
///
/// # Errors
/// Where it is none of http or https.
pub fn parse_url(text: &str) -> Result<Url, HookFault> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.host().is_some() => Ok(url),
        _ => Err(HookFault::InvalidUrl),
    }
}

/// What a new hook is, before anything is said of it.
#[must_use]
pub fn usual(url: &str) -> WebHook {
    WebHook {
        url: url.into(),
        token: None,
        name: None,
        listening: HookSubscriptions { push_events: true, ..HookSubscriptions::default() },
        enable_ssl_verification: true,
    }
}

/// Makes a hook, by somebody who may: its id.
pub async fn add(
    change: &AuditedChange<'_>,
    owner: HookOwner,
    stated: &HookChange,
    key: &ColumnKey,
) -> ServiceResult<WebHookId, HookFault> {
    let mut transaction = change.begin().await?;
    let id = create(&mut transaction, owner, stated, key).await?;
    // A URL may hold a secret, and so the event says nothing of it.
    change.commit(transaction, EventName::WebHookCreated, (kind(owner), id.0, ""), "Created").await?;
    Ok(id)
}

/// Changes a hook, by somebody who may; false where the owner has no such hook.
pub async fn alter(
    change: &AuditedChange<'_>,
    owner: HookOwner,
    id: WebHookId,
    stated: &HookChange,
    key: &ColumnKey,
) -> ServiceResult<bool, HookFault> {
    let mut transaction = change.begin().await?;
    if update(&mut transaction, owner, id, stated, key).await?.is_none() {
        return Ok(false);
    }
    change.commit(transaction, EventName::WebHookUpdated, (kind(owner), id.0, ""), "Changed").await?;
    Ok(true)
}

/// Removes a hook, by somebody who may, with what waits to be delivered to it; false where the owner has no such hook.
pub async fn remove(change: &AuditedChange<'_>, owner: HookOwner, id: WebHookId) -> store::Result<bool> {
    let mut transaction = change.begin().await?;
    if !web_hooks::belongs_to(&mut *transaction, owner, id).await? || !web_hooks::delete(&mut *transaction, id).await? {
        return Ok(false);
    }
    change.commit(transaction, EventName::WebHookDestroyed, (kind(owner), id.0, ""), "Removed").await?;
    Ok(true)
}

fn kind(owner: HookOwner) -> &'static str {
    match owner {
        HookOwner::Project(_) => "ProjectHook",
        HookOwner::Group(_) => "GroupHook",
        HookOwner::Instance => "SystemHook",
    }
}

/// Makes a hook.
async fn create(
    conn: &mut PgConnection,
    owner: HookOwner,
    stated: &HookChange,
    key: &ColumnKey,
) -> ServiceResult<WebHookId, HookFault> {
    judge(conn, owner, stated).await?;
    lock_owner(conn, owner).await?;
    if let Some((noun, most)) = most_of(owner)
        && web_hooks::count(&mut *conn, owner).await? >= most
    {
        return Err(ServiceError::Refused(HookFault::TooMany(noun, most)));
    }
    let mut hook = usual(stated.url.as_deref().unwrap_or_default());
    let mut details = HookDetails::default();
    stated.put_into(&mut hook);
    stated.put_details(&mut details, &mut hook);
    let id = web_hooks::insert(&mut *conn, owner, &hook, key).await?;
    web_hooks::update_details(conn, id, &details).await?;
    Ok(id)
}

/// Changes a hook of the owner: what it is then. Nothing where there is no such hook.
async fn update(
    conn: &mut PgConnection,
    owner: HookOwner,
    id: WebHookId,
    stated: &HookChange,
    key: &ColumnKey,
) -> ServiceResult<Option<StoredHook>, HookFault> {
    if web_hooks::lock_health(&mut *conn, id).await?.is_none() {
        return Ok(None);
    }
    let found = web_hooks::list_stored(&mut *conn, owner, HookRange::one(id), key).await?.pop();
    let Some(mut stored) = found else { return Ok(None) };
    judge(conn, owner, stated).await?;
    stated.put_into(&mut stored.hook);
    stated.put_details(&mut stored.details, &mut stored.hook);
    web_hooks::update(&mut *conn, id, &stored.hook, key).await?;
    web_hooks::update_details(conn, id, &stored.details).await?;
    Ok(Some(stored))
}

async fn lock_owner(conn: &mut PgConnection, owner: HookOwner) -> store::Result<()> {
    match owner {
        HookOwner::Project(id) => locks::take_project(conn, id).await,
        HookOwner::Group(id) => locks::take_namespace(conn, id).await,
        HookOwner::Instance => Ok(()),
    }
}

fn most_of(owner: HookOwner) -> Option<(&'static str, i64)> {
    match owner {
        HookOwner::Project(_) => Some(("project", MOST_OF_PROJECT)),
        HookOwner::Group(_) => Some(("group", MOST_OF_GROUP)),
        HookOwner::Instance => None,
    }
}

async fn judge(conn: &mut PgConnection, owner: HookOwner, stated: &HookChange) -> ServiceResult<(), HookFault> {
    let refused = |fault| Err(ServiceError::Refused(fault));
    if let Some(fault) = stated.fault() {
        return refused(fault);
    }
    let Some(text) = &stated.url else { return Ok(()) };
    let url = parse_url(text).map_err(ServiceError::Refused)?;
    let egress = web_hooks::find_egress(conn, owner == HookOwner::Instance).await?;
    match blocked(&url, &egress) {
        Some(network) => refused(HookFault::Blocked(network)),
        None => Ok(()),
    }
}

/// The network that the URL's address, where it has one, lies in and that hooks may not reach. What a name leads to is
/// looked up at each delivery, and judged then.
fn blocked(url: &Url, egress: &EgressPolicy) -> Option<&'static str> {
    let host = url.host_str().unwrap_or_default();
    let address: IpAddr = host.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
    if egress.admits(host, address, url.port_or_known_default().unwrap_or(80)) {
        return None;
    }
    let address = address.to_canonical();
    Some(if address.is_loopback() || address.is_unspecified() { "localhost" } else { "the local network" })
}

impl HookChange {
    /// Writes what is said of a hook into it. A new URL without a token takes the old token away: it was for somebody
    /// else.
    pub fn put_into(&self, hook: &mut WebHook) {
        if let Some(url) = self.url.as_deref().filter(|url| !hook.has_url(url)) {
            hook.url = url.into();
            hook.token = None;
        }
        if let Some(token) = &self.token {
            hook.token.clone_from(token);
        }
        if let Some(name) = &self.name {
            hook.name.clone_from(name);
        }
        if let Some(filter) = &self.branch_filter {
            hook.listening.branch_filter.clone_from(filter);
        }
        let set = |flag: &mut bool, stated: Option<bool>| *flag = stated.unwrap_or(*flag);
        set(&mut hook.listening.push_events, self.push_events);
        set(&mut hook.listening.tag_push_events, self.tag_push_events);
        set(&mut hook.listening.alert_events, self.alert_events);
        set(&mut hook.listening.repository_update_events, self.repository_update_events);
        set(&mut hook.enable_ssl_verification, self.enable_ssl_verification);
    }

    fn put_details(&self, details: &mut HookDetails, hook: &mut WebHook) {
        if let Some(description) = &self.description {
            details.description.clone_from(description);
        }
        details.all_branches = self.all_branches.unwrap_or(details.all_branches);
        if details.all_branches {
            hook.listening.branch_filter = None;
        }
        for (event, on) in &self.kept_events {
            if *on {
                details.kept_events.insert((*event).to_owned());
            } else {
                details.kept_events.remove(*event);
            }
        }
    }

    fn fault(&self) -> Option<HookFault> {
        let long = |text: Option<&String>, name, most| {
            text.filter(|text| text.chars().count() > most).map(|_| HookFault::TooLong(name, most))
        };
        let token = self.token.iter().flatten().map(ExposeSecret::expose_secret);
        let unfit = |token: &str| reqwest::header::HeaderValue::from_str(token).is_err();
        long(self.url.as_ref(), "Url", 2048)
            .or_else(|| long(self.name.iter().flatten().next(), "Name", 255))
            .or_else(|| long(self.description.iter().flatten().next(), "Description", 2048))
            .or_else(|| long(self.branch_filter.iter().flatten().next(), "Push events branch filter", 5000))
            .or_else(|| token.into_iter().any(unfit).then_some(HookFault::Token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_url_without_a_token_takes_the_old_one_away() {
        let mut hook = usual("https://a.example/");
        hook.token = Some("secret".into());
        let change = |url: &str, token: Option<&str>| HookChange {
            url: Some(url.to_owned()),
            token: token.map(|token| Some(token.into())),
            ..HookChange::default()
        };
        let token = |hook: &WebHook| hook.token.as_ref().map(|token| token.expose_secret().to_owned());
        change("https://a.example/", None).put_into(&mut hook);
        assert_eq!(token(&hook).as_deref(), Some("secret"), "the same again is no news");
        change("https://b.example/", Some("other")).put_into(&mut hook);
        assert_eq!(token(&hook).as_deref(), Some("other"));
        change("https://c.example/", None).put_into(&mut hook);
        assert_eq!(token(&hook), None);
    }

    #[test]
    fn urls_are_judged_by_their_scheme_and_address() {
        for text in ["", "ftp://x", "hook", "http://", "file:///etc/passwd"] {
            assert_eq!(parse_url(text).unwrap_err(), HookFault::InvalidUrl, "{text}");
        }
        let judged = |text: &str, local| {
            blocked(&parse_url(text).unwrap(), &EgressPolicy { local, exceptions: vec!["10.9.9.9".to_owned()] })
        };
        assert_eq!(judged("http://127.0.0.1/", false), Some("localhost"));
        assert_eq!(judged("http://[::1]:80/", false), Some("localhost"));
        assert_eq!(judged("http://10.1.2.3/", false), Some("the local network"));
        assert_eq!(judged("http://10.9.9.9/", false), None);
        assert_eq!(judged("http://127.0.0.1/", true), None);
        assert_eq!(judged("http://names.are.judged.later/", false), None);
    }
}

//! `hooks:`, who is told of pushes: of one project's, of a group's, of all.

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use crate::document::place::DocumentPlace;
use crate::document::run::ApplyRun;
use crate::document::words::{Ensure, GivenValue, stated};
use crate::services::configure_web_hook::{self, HookChange};
use crate::store::Result;
use crate::store::web_hooks::{self, HookOwner, UpsertedHook};

/// A hook, found by its URL among those of its owner.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HookEntry {
    /// Where pushes are posted to.
    pub url: GivenValue,
    /// What is sent as `X-Gitlab-Token`; null for nothing.
    #[serde(default, deserialize_with = "stated")]
    pub token: Option<Option<GivenValue>>,
    /// Whether it is told of pushes to branches; a new hook is.
    pub push_events: Option<bool>,
    /// Whether it is told of pushes of tags; a new hook is not.
    pub tag_push_events: Option<bool>,
    /// Whether it is told of new alerts; a new hook is not.
    pub alert_events: Option<bool>,
    /// Whether it is told of each push as a whole; for hooks of the instance, and a new one is not.
    pub repository_update_events: Option<bool>,
    /// The branches that it is told of, by name or with `*`; null for every branch.
    #[serde(default, deserialize_with = "stated")]
    #[schemars(length(min = 1, max = 5000), extend("examples" = ["release/*"]))]
    pub push_events_branch_filter: Option<Option<String>>,
    /// Whether the receiver's certificate must be good; a new hook wants that.
    pub enable_ssl_verification: Option<bool>,
    /// `absent` removes the hook, with what waits to be delivered to it.
    #[serde(default)]
    pub ensure: Ensure,
}

/// Applies the hooks of an owner. `of` names the owner to people.
pub async fn apply(
    run: &mut ApplyRun<'_>,
    place: &DocumentPlace,
    owner: HookOwner,
    of: &str,
    hooks: &[HookEntry],
) -> Result<()> {
    for (index, hook) in hooks.iter().enumerate() {
        let place = place.item(index);
        let Some(url) = run.given(&place.key("url"), &hook.url) else { continue };
        match configure_web_hook::parse_url(&url) {
            Ok(parsed) => {
                // A URL may hold a secret; its host and the owner tell people enough.
                let what = format!("hook {} of {of}", parsed.host_str().unwrap_or_default());
                apply_one(run, &place, owner, &what, hook, &url).await?;
            }
            Err(_) => {
                run.problem(&place.key("url"), "must be an http or https URL, for example https://ci.example.com/hook");
            }
        }
    }
    Ok(())
}

async fn apply_one(
    run: &mut ApplyRun<'_>,
    place: &DocumentPlace,
    owner: HookOwner,
    what: &str,
    stated: &HookEntry,
    url: &str,
) -> Result<()> {
    let key = run.column_key();
    let known = web_hooks::list(&mut *run.conn, owner, &key).await?;
    let existing = known.into_iter().find(|(_, hook)| hook.has_url(url));
    if stated.ensure.is_absent() {
        if let Some((id, _)) = existing {
            web_hooks::delete(&mut *run.conn, id).await?;
            run.removed(what);
        }
        return Ok(());
    }
    let mut hook = existing.map_or_else(|| configure_web_hook::usual(url), |(_, hook)| hook);
    let token = stated
        .token
        .as_ref()
        .map(|token| token.as_ref().and_then(|given| run.given(&place.key("token"), given)).map(SecretString::from));
    if stated.repository_update_events == Some(true) && owner != HookOwner::Instance {
        run.problem(&place.key("repository_update_events"), "is for hooks of the instance: no other hears of them");
    }
    let change = HookChange {
        token,
        push_events: stated.push_events,
        tag_push_events: stated.tag_push_events,
        alert_events: stated.alert_events,
        repository_update_events: stated.repository_update_events,
        branch_filter: stated.push_events_branch_filter.clone(),
        enable_ssl_verification: stated.enable_ssl_verification,
        ..HookChange::default()
    };
    change.put_into(&mut hook);
    match web_hooks::upsert(&mut *run.conn, owner, &hook, &key).await?.1 {
        UpsertedHook::Created => run.added(what),
        UpsertedHook::Updated => run.changed(what),
        UpsertedHook::Unchanged => {}
    }
    Ok(())
}

//! `scim_token:` and `scim_identities:`, of groups and of the instance.

use schemars::JsonSchema;
use serde::Deserialize;

use super::run::{Changes, Place, Run};
use super::words::{Ensure, Given, Id};
use crate::domain::scim::ScimScope;
use crate::domain::scim::new_user::check_extern_uid;
use crate::domain::token;
use crate::store::{Result, scim_identities, scim_member_syncs, scim_tokens};

/// A user as an identity provider knows them, found by the user. The user is neither made nor changed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScimIdentity {
    /// The username.
    #[schemars(length(min = 1, max = 255))]
    pub user: String,
    /// Chosen on creation.
    pub id: Option<Id>,
    /// What the provider calls the user; a new identity needs it.
    #[schemars(length(min = 1, max = 255))]
    pub extern_uid: Option<String>,
    /// Whether the provider counts them as present; a new identity is, unless stated.
    pub active: Option<bool>,
    /// `absent` removes it.
    #[serde(default)]
    pub ensure: Ensure,
}

/// Makes the scope's token this one; the one before it is good no more.
pub async fn bring_token(
    run: &mut Run<'_>,
    place: &Place,
    scope: ScimScope,
    whose: &str,
    stated: &Given,
) -> Result<()> {
    let Some(text) = run.given(place, stated) else { return Ok(()) };
    let digest = token::sha256(&text);
    let known = scim_tokens::find_token(&mut *run.conn, scope).await?;
    if known.as_deref() == Some(digest.as_slice()) {
        return Ok(());
    }
    if scim_tokens::find_scope(&mut *run.conn, &digest).await?.is_some() {
        run.mistake(place, "is the SCIM token of another group, or of the instance");
        return Ok(());
    }
    scim_tokens::replace(&mut *run.conn, scope, &digest).await?;
    let what = format!("SCIM token of {whose}");
    if known.is_some() {
        run.changed(&format!("{what} replaced"));
    } else {
        run.added(&what);
    }
    Ok(())
}

/// Brings a scope's identities about; `whose` is the group's path, or the instance.
pub async fn bring(
    run: &mut Run<'_>,
    place: &Place,
    scope: ScimScope,
    whose: &str,
    stated: &[ScimIdentity],
) -> Result<()> {
    for (index, entry) in stated.iter().enumerate() {
        let place = place.item(index);
        let Some(user) = run.user(&place.key("user"), &entry.user).await? else { continue };
        let what = format!("SCIM identity of {} in {whose}", entry.user);
        let existing = scim_identities::find_by_user(&mut *run.conn, scope, user).await?;
        if entry.ensure.is_absent() {
            if let Some(row) = existing {
                scim_identities::delete(&mut *run.conn, scope, row.id).await?;
                if scope == ScimScope::Instance {
                    let groups = scim_member_syncs::delete_memberships_of(&mut *run.conn, user).await?;
                    for group in groups {
                        run.link(group);
                    }
                }
                run.removed(&what);
            }
            continue;
        }
        if let Some(stated) = entry.id
            && existing.as_ref().is_some_and(|row| row.id != stated.0)
        {
            run.mistake(&place.key("id"), "is not the one that the identity has");
            continue;
        }
        if let Some(extern_uid) = &entry.extern_uid {
            if let Err(refusal) = check_extern_uid(extern_uid) {
                run.mistake(&place.key("extern_uid"), refusal.to_string());
                continue;
            }
            let holder = scim_identities::find_user_id(&mut *run.conn, scope, extern_uid).await?;
            if holder.is_some_and(|holder| holder != user) {
                run.mistake(&place.key("extern_uid"), "is that of another user");
                continue;
            }
        }
        match (existing, &entry.extern_uid) {
            (None, None) => run.mistake(&place, "extern_uid is missing, which a new identity needs"),
            (None, Some(extern_uid)) => {
                let (id, active) = (entry.id.map(|id| id.0), entry.active.unwrap_or(true));
                scim_identities::insert(&mut *run.conn, scope, id, user, extern_uid, active).await?;
                run.added(&what);
            }
            (Some(mut row), _) => {
                let mut changes = Changes::default();
                changes.set("extern_uid", &mut row.extern_uid, entry.extern_uid.clone());
                changes.set("active", &mut row.active, entry.active);
                if !changes.is_empty() {
                    scim_identities::update(&mut *run.conn, scope, row.id, &row.extern_uid, row.active).await?;
                    run.updated(&what, &changes);
                }
            }
        }
    }
    Ok(())
}

//! `/admin/users`, `/admin/users/{id}`: accounts, and what they sign in with.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::error::AdminError;
use super::page::{
    ActionForm, Cell, Field, Filter, Page, Table, Tone, act, badge, code, day, link, local, state as state_cell, text,
    time, yes,
};
use super::{AdminState, acts, flash, id, level, list};
use crate::domain::ids::UserId;
use crate::domain::token::scopes_from_yaml;
use crate::domain::user_type::UserType;
use crate::http::auth::admin::{ActingAdmin, AdminCaller, AdminForm, AdminQuery};
use crate::services::block_user::{self, UserStateRefusal};
use crate::store::admin::users::{self, UserDetail, UserFilter, UserRow};

const STATES: [(&str, &str); 7] = [
    ("", "any"),
    ("active", "active"),
    ("blocked", "blocked"),
    ("ldap_blocked", "blocked by a provider"),
    ("blocked_pending_approval", "waits for approval"),
    ("deactivated", "deactivated"),
    ("banned", "banned"),
];

/// The users.
pub async fn list(
    State(state): State<AdminState>,
    caller: AdminCaller,
    query: AdminQuery,
) -> Result<Response, AdminError> {
    let wanted = query.get("state");
    let filter = UserFilter {
        search: query.get("search").to_owned(),
        state: STATES.iter().find(|(word, _)| !word.is_empty() && *word == wanted).map(|(word, _)| (*word).to_owned()),
        admins: query.get("admins") == "1",
    };
    let page = users::list(&state.db, &filter, &list::request(&query)).await?;
    let (before, after) = list::neighbours("/admin/users", &query, &page, UserRow::key);
    let rows = page.rows.into_iter().map(|user| {
        [
            link(format!("/admin/users/{}", user.id), user.username),
            text(user.name),
            text(user.email),
            state_cell(&user.state),
            kind(user.user_type, user.admin),
            day(user.last_activity_on),
        ]
    });
    let head = ["Username", "Name", "E-mail", "State", "Kind", "Last seen"];
    let table = Table::new("Users", &head, "No user is like that.").rows(rows).paged(before, after);
    let fields = vec![
        Field::search("search", "Username, or e-mail address", query.get("search")).hint("as it begins"),
        Field::choice("state", "State", wanted, &STATES),
        Field::choice("admins", "Rights", query.get("admins"), &[("", "any"), ("1", "administrators")]),
    ];
    Ok(Page::new("Users").filter(Filter::new("/admin/users", fields)).table(table).show(&caller))
}

fn kind(number: i16, admin: bool) -> Cell {
    let kind = UserType::from_number(number);
    match (admin, kind) {
        (true, _) => badge(Tone::Doubtful, "administrator"),
        (false, UserType::Human) => text("human"),
        (false, _) => text("machine"),
    }
}

/// A user.
pub async fn show(
    State(state): State<AdminState>,
    caller: AdminCaller,
    Path(user): Path<String>,
) -> Result<Response, AdminError> {
    let user_id = id(&user, "user")?;
    let today = state.clock.now().date_naive();
    let user = users::find(&state.db, user_id).await?.ok_or(AdminError::NoSuch("user"))?;
    let (keys, tokens, memberships, identities) = tokio::try_join!(
        users::list_keys(&state.db, user_id),
        users::list_tokens(&state.db, user_id),
        users::list_memberships(&state.db, user_id, today),
        users::list_identities(&state.db, user_id),
    )?;
    let back = format!("/admin/users/{user_id}");
    let mut key_table =
        Table::new("SSH keys", &["Key", "Fingerprint", "Last used", "Ends"], "They have none.").with_acts();
    for key in keys {
        let last = act(acts::key_form(key.id, &key.title, false, &back));
        key_table.row([
            text(key.title),
            code(key.fingerprint),
            local(key.last_used_at),
            key.expires_at.map_or_else(|| text("never"), |end| time(Some(end))),
            last,
        ]);
    }
    let head = ["Token", "Scopes", "Last used", "Ends", "State"];
    let mut token_table = Table::new("Personal access tokens", &head, "They have none.").with_acts();
    for token in tokens {
        let state = match (token.revoked, token.expires_at) {
            (true, _) => badge(Tone::Plain, "revoked"),
            (false, Some(end)) if end <= today => badge(Tone::Plain, "expired"),
            (false, _) => badge(Tone::Good, "good"),
        };
        let last = if token.revoked { text("") } else { act(acts::token_form(token.id, &token.name, &back)) };
        token_table.row([
            text(token.name),
            code(scopes_from_yaml(&token.scopes).join(", ")),
            time(token.last_used_at),
            token.expires_at.map_or_else(|| text("never"), |end| day(Some(end))),
            state,
            last,
        ]);
    }
    let memberships = memberships.into_iter().map(|member| {
        let place = if member.source_type == "Project" { "projects" } else { "groups" };
        let level = member
            .role
            .map_or_else(|| level(member.access_level), |role| format!("{} ({role})", level(member.access_level)));
        [
            link(format!("/admin/{place}/{}", member.source_id), member.path),
            text(level),
            member.expires_at.map_or_else(|| text("never"), |end| day(Some(end))),
            if member.active { badge(Tone::Good, "counts") } else { badge(Tone::Plain, "does not count") },
        ]
    });
    let memberships =
        Table::new("Memberships", &["Of", "Level", "Ends", "State"], "They are a member nowhere.").rows(memberships);
    let identities = identities.into_iter().map(|identity| [text(identity.provider), code(identity.extern_uid)]);
    let identities =
        Table::new("Identities", &["Provider", "Its name for them"], "No provider knows them.").rows(identities);
    let page = Page::new(user.username.clone())
        .facts("", facts(&user))
        .links(&[(&format!("/admin/audit?entity=User-{user_id}"), "Audit events")])
        .form(state_form(&user))
        .table(key_table)
        .table(token_table)
        .table(memberships)
        .table(identities);
    Ok(page.show(&caller))
}

fn state_form(user: &UserDetail) -> ActionForm {
    let to = |what| format!("/admin/users/{}/{what}", user.id);
    if matches!(user.state.as_str(), "blocked" | "banned" | "deactivated") {
        return ActionForm::new(to("unblock"), "Unblock", user.username.clone())
            .warned("They can sign in again, with the keys and tokens that they have.");
    }
    ActionForm::new(to("block"), "Block", user.username.clone())
        .warned("They are refused from the next request on, and so are their keys and tokens. What they own stays.")
}

/// Blocks a user.
pub async fn block(
    State(state): State<AdminState>,
    headers: HeaderMap,
    admin: ActingAdmin,
    _form: AdminForm,
    Path(user): Path<String>,
) -> Result<Response, AdminError> {
    let user = id(&user, "user")?;
    block_user::block(&state.db, UserId(user), &admin.administrator(), state.clock.now()).await?;
    Ok(flash::see_other(&state.auth, &headers, &format!("/admin/users/{user}"), "The user was blocked."))
}

/// Unblocks a user.
pub async fn unblock(
    State(state): State<AdminState>,
    headers: HeaderMap,
    admin: ActingAdmin,
    _form: AdminForm,
    Path(user): Path<String>,
) -> Result<Response, AdminError> {
    let user = id(&user, "user")?;
    block_user::unblock(&state.db, UserId(user), &admin.administrator(), state.clock.now()).await?;
    Ok(flash::see_other(&state.auth, &headers, &format!("/admin/users/{user}"), "The user was unblocked."))
}

impl From<UserStateRefusal> for AdminError {
    fn from(refusal: UserStateRefusal) -> Self {
        match refusal {
            UserStateRefusal::NoSuchUser => Self::NoSuch("user"),
            UserStateRefusal::Oneself => {
                Self::Refused("Nobody blocks themselves: another administrator can.".to_owned())
            }
            UserStateRefusal::State(state) => {
                Self::Refused(format!("The account is in the state {state}, from which there is no such way."))
            }
        }
    }
}

fn facts(user: &UserDetail) -> Vec<(&'static str, Cell)> {
    let second = match (user.otp, user.security_keys) {
        (false, 0) => badge(Tone::Doubtful, "none"),
        (true, 0) => text("one-time passwords"),
        (otp, keys) => text(format!("{}{keys} security keys", if otp { "one-time passwords, " } else { "" })),
    };
    let mut facts = vec![
        ("Name", text(user.name.clone())),
        ("E-mail", text(user.email.clone())),
        ("State", state_cell(&user.state)),
        ("Kind", kind(user.user_type, user.admin)),
        ("Auditor", yes(user.auditor)),
        ("External", yes(user.external)),
        ("Second factor", second),
        ("E-mail confirmed", local(user.confirmed_at)),
        ("Made", local(user.created_at)),
        ("Last seen", day(user.last_activity_on)),
        ("Id", text(user.id.to_string())),
    ];
    if let Some(group) = &user.enterprise_group {
        facts.push(("Managed by", text(group.clone())));
    }
    if user.locked_at.is_some() {
        facts.push(("Locked by wrong passwords", local(user.locked_at)));
    }
    facts
}

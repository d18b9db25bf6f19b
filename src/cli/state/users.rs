//! `users:`, with their addresses and identities.

use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::keys::{self, Key};
use super::provisioned;
use super::run::{Changes, Found, Place, Run};
use super::subscriptions;
use super::tokens::{self, PersonalAccessToken};
use super::words::{Ensure, Given, Id, stated};
use crate::domain::full_path::{Position, check_name};
use crate::domain::ids::UserId;
use crate::domain::two_factor::is_secret;
use crate::domain::user_type::UserType;
use crate::store::namespaces::Holder;
use crate::store::users::{self, UserRow};
use crate::store::{Result, derived, namespaces, two_factor};

/// A user, found by their name.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The name in URLs. With an id that exists, another name renames the user.
    #[schemars(length(min = 1, max = 255), extend("examples" = ["rubi"]))]
    pub username: String,
    /// Chosen on creation, and the same ever after.
    pub id: Option<Id>,
    /// The name that people read; the username where it is left out.
    #[schemars(length(min = 1, max = 255))]
    pub name: Option<String>,
    /// The first address; a new user needs one.
    #[schemars(regex(pattern = r"^[^@\s]+@[^@\s]+$"), length(max = 254), extend("examples" = ["rubi@example.com"]))]
    pub email: Option<String>,
    /// Whether the first address is confirmed, which every identity provider may then rely on. That of a new user is,
    /// unless stated.
    pub confirmed: Option<bool>,
    /// Further addresses.
    #[serde(default)]
    pub emails: Vec<Email>,
    /// Administers the instance.
    pub admin: Option<bool>,
    /// Reads everything.
    pub auditor: Option<bool>,
    /// Sees internal projects only as a member.
    pub external: Option<bool>,
    /// Whether they may sign in, and if not why.
    pub state: Option<State>,
    /// Projects in the personal namespace, at most.
    #[schemars(range(min = 0))]
    pub projects_limit: Option<i32>,
    /// Whether they have accepted the terms of service, which `settings.enforce_terms` asks for.
    pub terms_accepted: Option<bool>,
    /// The second factor; null takes it away.
    #[serde(default, deserialize_with = "stated")]
    pub two_factor: Option<Option<TwoFactor>>,
    /// SSH keys, found by their fingerprint.
    #[serde(default)]
    pub keys: Vec<Key>,
    /// Tokens, found by their name.
    #[serde(default)]
    pub personal_access_tokens: Vec<PersonalAccessToken>,
    /// Who they are at other providers, found by the provider.
    #[serde(default)]
    pub identities: Vec<Identity>,
    /// The root group that manages the account, and may vouch for it by SSH certificates; null for none.
    #[serde(default, deserialize_with = "stated")]
    #[schemars(length(min = 1, max = 255), extend("examples" = ["acme"]))]
    pub enterprise_group: Option<Option<String>>,
    /// `absent` removes the user and all that is theirs.
    #[serde(default)]
    pub ensure: Ensure,
}

/// One-time passwords.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TwoFactor {
    /// The secret that the user's authenticator holds, in base32.
    pub otp_secret: Given,
}

/// Whether a user may sign in, and if not why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "GitLab's own words")]
pub enum State {
    Active,
    Blocked,
    Deactivated,
    Banned,
    LdapBlocked,
    BlockedPendingApproval,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Blocked => "blocked",
            Self::Deactivated => "deactivated",
            Self::Banned => "banned",
            Self::LdapBlocked => "ldap_blocked",
            Self::BlockedPendingApproval => "blocked_pending_approval",
        }
    }
}

/// A further address, found by itself.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "GitLab's own names")]
pub struct Email {
    #[schemars(regex(pattern = r"^[^@\s]+@[^@\s]+$"), length(max = 254))]
    pub email: String,
    pub id: Option<Id>,
    pub confirmed: Option<bool>,
    #[serde(default)]
    pub ensure: Ensure,
}

/// Who a user is at another provider.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The provider's name.
    #[schemars(length(min = 1, max = 255), extend("examples" = ["kerberos"]))]
    pub provider: String,
    /// Chosen on creation.
    pub id: Option<Id>,
    /// The user's name there; a new identity needs one.
    #[schemars(length(min = 1, max = 255))]
    pub extern_uid: Option<String>,
    /// `absent` removes it.
    #[serde(default)]
    pub ensure: Ensure,
}

/// Removes an absent user, or of a present one what is absent: names, addresses and keys become free for others.
pub async fn remove(run: &mut Run<'_>, place: &Place, user: &User) -> Result<()> {
    let mut found = users::find_id_by_username(&mut *run.conn, &user.username).await?;
    if let (None, Some(id)) = (found, user.id) {
        // About to be renamed.
        found = users::find(&mut *run.conn, UserId(id.0)).await?.map(|_| UserId(id.0));
    }
    let Some(id) = found else { return Ok(()) };
    if user.ensure.is_absent() {
        return remove_user(run, place, user, id).await;
    }
    let whose = &user.username;
    for email in user.emails.iter().filter(|email| email.ensure.is_absent()) {
        if let Some(row) = users::find_email(&mut *run.conn, id, &email.email).await? {
            users::delete_email(&mut *run.conn, row.id).await?;
            run.removed(&format!("email {} of {whose}", email.email));
        }
    }
    for identity in user.identities.iter().filter(|identity| identity.ensure.is_absent()) {
        if let Some(row) = users::find_identity(&mut *run.conn, id, &identity.provider).await? {
            users::delete_identity(&mut *run.conn, row.id).await?;
            run.removed(&format!("identity {} of {whose}", identity.provider));
        }
    }
    keys::remove(run, &place.key("keys"), id, whose, &user.keys).await?;
    tokens::remove(run, id, whose, &user.personal_access_tokens).await
}

async fn remove_user(run: &mut Run<'_>, place: &Place, user: &User, id: UserId) -> Result<()> {
    if user.id.is_some_and(|stated| stated.0 != id.0) {
        run.mistake(&place.key("id"), format!("must be {id}, which it has, or be left out"));
        return Ok(());
    }
    if let Some(personal) = namespaces::find_personal(&mut *run.conn, id).await? {
        let count = namespaces::count_children(&mut *run.conn, personal.id).await?;
        if count > 0 {
            let reason = format!("cannot be removed, for the personal namespace holds projects ({count})");
            run.mistake(place, reason);
            return Ok(());
        }
        provisioned::end(run, personal.id, &user.username).await?;
        subscriptions::end(run, personal.id, &user.username).await?;
    }
    users::delete(run.conn, id).await?;
    run.removed(&format!("user {}", user.username));
    Ok(())
}

/// Brings a user about.
pub async fn bring(run: &mut Run<'_>, place: &Place, user: &User) -> Result<()> {
    let Some(id) = bring_row(run, place, user).await? else {
        run.unborn(&user.username);
        for (index, key) in user.keys.iter().enumerate() {
            if let Some(given) = &key.key {
                run.ssh_key(&place.key("keys").item(index).key("key"), given);
            }
        }
        for (index, token) in user.personal_access_tokens.iter().enumerate() {
            if let Some(given) = &token.token {
                run.given(&place.key("personal_access_tokens").item(index).key("token"), given);
            }
        }
        return Ok(());
    };
    run.know_user(&user.username, id);
    if user.confirmed == Some(true) && users::vouch_for_email(&mut *run.conn, id).await? {
        run.changed(&format!("user {} confirmed", user.username));
    }
    bring_namespace(run, id).await?;
    bring_terms(run, id, user).await?;
    bring_two_factor(run, place, id, user).await?;
    let mut named = Map::from_iter([("id".to_owned(), json!(id.0))]);
    let emails = bring_emails(run, &place.key("emails"), id, user).await?;
    let identities = bring_identities(run, &place.key("identities"), id, user).await?;
    let keys = keys::bring(run, &place.key("keys"), id, &user.username, &user.keys).await?;
    let tokens_place = place.key("personal_access_tokens");
    let tokens = tokens::bring(run, &tokens_place, id, &user.username, &user.personal_access_tokens).await?;
    let parts = [("emails", emails), ("identities", identities), ("keys", keys), ("personal_access_tokens", tokens)];
    named.extend(parts.into_iter().filter(|(_, map)| !map.is_empty()).map(|(key, map)| (key.to_owned(), map.into())));
    run.name("users", &user.username, Value::Object(named));
    Ok(())
}

/// Brings about which group manages a user's account, when all groups exist.
pub async fn bring_enterprise_group(run: &mut Run<'_>, place: &Place, user: &User) -> Result<()> {
    let Some(stated) = &user.enterprise_group else { return Ok(()) };
    let place = place.key("enterprise_group");
    let group = match stated {
        None => None,
        Some(path) if path.contains('/') => {
            run.mistake(&place, "must be a root group: it holds for everything in it");
            return Ok(());
        }
        Some(path) => match run.group(&place, path).await? {
            Some(group) => Some(group),
            None => return Ok(()),
        },
    };
    let Some(id) = run.user(&place, &user.username).await? else { return Ok(()) };
    let before = users::find_enterprise_group(&mut *run.conn, id).await?;
    if before == group {
        return Ok(());
    }
    users::update_enterprise_group(&mut *run.conn, id, group).await?;
    let mut changes = Changes::default();
    changes.note(&format!("enterprise_group {}", stated.as_deref().unwrap_or("none")));
    run.updated(&format!("user {}", user.username), &changes);
    Ok(())
}

async fn bring_row(run: &mut Run<'_>, place: &Place, user: &User) -> Result<Option<UserId>> {
    let what = format!("user {}", user.username);
    if let Err(reason) = check_name(&user.username, Position::Root) {
        run.mistake(&place.key("username"), reason.to_string());
        return Ok(None);
    }
    let by_name = users::find_id_by_username(&mut *run.conn, &user.username).await?.map(|id| id.0);
    let Some(found) = run.identify(place, "users", user.id.map(|id| id.0), by_name).await? else { return Ok(None) };
    let existing = match found {
        Found::Row(id) => users::find(&mut *run.conn, UserId(id)).await?,
        Found::Nothing(_) => None,
    };
    if !free_for(run, place, user, found).await? {
        return Ok(None);
    }
    let now = run.naive_now();
    let mut row = existing.clone().unwrap_or_else(|| new_row(user));
    let mut changes = Changes::default();
    changes.set("username", &mut row.username, Some(user.username.clone()));
    changes.set("name", &mut row.name, user.name.clone());
    changes.set("email", &mut row.email, user.email.clone());
    changes.set("admin", &mut row.admin, user.admin);
    changes.set("auditor", &mut row.auditor, user.auditor);
    changes.set("external", &mut row.external, user.external);
    changes.set("state", &mut row.state, user.state.map(|state| state.word().to_owned()));
    changes.set("projects_limit", &mut row.projects_limit, user.projects_limit);
    let confirmed = user.confirmed.or(existing.is_none().then_some(true));
    if let Some(confirmed) = confirmed.filter(|confirmed| *confirmed != row.confirmed_at.is_some()) {
        row.confirmed_at = confirmed.then_some(now);
        changes.note(if confirmed { "confirmed" } else { "no longer confirmed" });
    }
    if row.email.is_empty() && existing.is_none() {
        run.mistake(place, "email is missing, which a new user needs");
        return Ok(None);
    }
    match found {
        Found::Nothing(id) => {
            let id = users::insert(&mut *run.conn, id.map(UserId), &row).await?;
            run.added(&what);
            Ok(Some(id))
        }
        Found::Row(id) => {
            if let Some(before) = existing.filter(|_| !changes.is_empty()) {
                run.forget_user(&before.username);
                users::update(&mut *run.conn, UserId(id), &row).await?;
                run.updated(&what, &changes);
            }
            Ok(Some(UserId(id)))
        }
    }
}

fn new_row(user: &User) -> UserRow {
    UserRow {
        username: user.username.clone(),
        name: user.username.clone(),
        email: String::new(),
        state: State::Active.word().to_owned(),
        user_type: UserType::Human.number(),
        admin: false,
        auditor: false,
        external: false,
        can_create_group: true,
        projects_limit: 100_000,
        private_profile: false,
        confirmed_at: None,
    }
}

/// Whether nobody else has the name or the address.
async fn free_for(run: &mut Run<'_>, place: &Place, user: &User, found: Found) -> Result<bool> {
    let own = if let Found::Row(id) = found { Some(UserId(id)) } else { None };
    let own_namespace = match own {
        Some(id) => namespaces::find_personal(&mut *run.conn, id).await?.map(|personal| personal.id),
        None => None,
    };
    let mut free = true;
    match namespaces::find_holder(&mut *run.conn, &user.username).await? {
        Some(Holder::Personal(id)) if Some(id) == own_namespace => {}
        None => {}
        Some(_) => {
            run.mistake(&place.key("username"), format!("{} is the path of a group or of another user", user.username));
            free = false;
        }
    }
    if let Some(email) = &user.email
        && let Some(other) = users::find_id_by_email(&mut *run.conn, email).await?
        && Some(other) != own
    {
        let other = run.name_of(other).await?;
        run.mistake(&place.key("email"), format!("is an address of {other}"));
        free = false;
    }
    Ok(free)
}

async fn bring_namespace(run: &mut Run<'_>, id: UserId) -> Result<()> {
    let Some(row) = users::find(&mut *run.conn, id).await? else { return Ok(()) };
    let namespace = match namespaces::find_personal(&mut *run.conn, id).await? {
        None => namespaces::insert_personal(&mut *run.conn, id, &row.username, &row.name).await?,
        Some(personal) if personal.path == row.username && personal.name == row.name => return Ok(()),
        Some(personal) => {
            namespaces::update_personal(&mut *run.conn, personal.id, &row.username, &row.name).await?;
            personal.id
        }
    };
    derived::refresh_namespace(run.conn, namespace).await
}

async fn bring_terms(run: &mut Run<'_>, id: UserId, user: &User) -> Result<()> {
    let Some(stated) = user.terms_accepted else { return Ok(()) };
    let mut accepted = users::has_accepted_terms(&mut *run.conn, id).await?;
    let mut changes = Changes::default();
    changes.set("terms_accepted", &mut accepted, Some(stated));
    if !changes.is_empty() {
        users::set_accepted_terms(&mut *run.conn, id, accepted).await?;
        run.updated(&format!("user {}", user.username), &changes);
    }
    Ok(())
}

async fn bring_emails(run: &mut Run<'_>, place: &Place, id: UserId, user: &User) -> Result<Map<String, Value>> {
    let mut named = Map::new();
    for (index, email) in user.emails.iter().enumerate().filter(|(_, email)| !email.ensure.is_absent()) {
        let place = place.item(index);
        let what = format!("email {} of {}", email.email, user.username);
        let existing = users::find_email(&mut *run.conn, id, &email.email).await?;
        if existing.is_none() && users::find_id_by_email(&mut *run.conn, &email.email).await?.is_some() {
            run.mistake(&place.key("email"), "is an address of another user, or the first one of this user");
            continue;
        }
        let by_key = existing.as_ref().map(|row| row.id);
        let found = run.identify_fixed(&place, "emails", email.id.map(|id| id.0), by_key).await?;
        let row = match (found, existing) {
            (Some(Found::Nothing(chosen)), _) => {
                let confirmed_at = email.confirmed.unwrap_or(true).then_some(run.naive_now());
                let row = users::insert_email(&mut *run.conn, chosen, id, &email.email, confirmed_at).await?;
                run.added(&what);
                row
            }
            (Some(Found::Row(row)), Some(existing)) => {
                let differs = |confirmed: &bool| *confirmed != existing.confirmed_at.is_some();
                if let Some(confirmed) = email.confirmed.filter(differs) {
                    let confirmed_at = confirmed.then_some(run.naive_now());
                    users::update_email(&mut *run.conn, row, confirmed_at).await?;
                    let mut changes = Changes::default();
                    changes.note(if confirmed { "confirmed" } else { "no longer confirmed" });
                    run.updated(&what, &changes);
                }
                row
            }
            _ => continue,
        };
        named.insert(email.email.clone(), json!({ "id": row }));
    }
    Ok(named)
}

async fn bring_two_factor(run: &mut Run<'_>, place: &Place, id: UserId, user: &User) -> Result<()> {
    let Some(stated) = &user.two_factor else { return Ok(()) };
    let what = format!("second factor of {}", user.username);
    let seal = run.otp_seal();
    let known = two_factor::find_otp_secret(&mut *run.conn, &seal, id).await?;
    let Some(stated) = stated else {
        if known.is_some() {
            two_factor::delete_otp_secret(&mut *run.conn, id).await?;
            run.removed(&what);
        }
        return Ok(());
    };
    let place = place.key("two_factor").key("otp_secret");
    let Some(secret) = run.given(&place, &stated.otp_secret) else { return Ok(()) };
    if !is_secret(&secret) {
        run.mistake(&place, "must be base32, as an authenticator shows it, for example JBSWY3DPEHPK3PXP");
        return Ok(());
    }
    match known {
        Some(Ok(known)) if known.expose_secret() == secret => return Ok(()),
        Some(_) => run.changed(&what),
        None => run.added(&what),
    }
    two_factor::update_otp_secret(&mut *run.conn, &seal, id, &secret).await
}

async fn bring_identities(run: &mut Run<'_>, place: &Place, id: UserId, user: &User) -> Result<Map<String, Value>> {
    let mut named = Map::new();
    for (index, identity) in user.identities.iter().enumerate().filter(|(_, identity)| !identity.ensure.is_absent()) {
        let place = place.item(index);
        let what = format!("identity {} of {}", identity.provider, user.username);
        let existing = users::find_identity(&mut *run.conn, id, &identity.provider).await?;
        if let Some(extern_uid) = &identity.extern_uid
            && let Some(other) = users::find_id_by_identity(&mut *run.conn, &identity.provider, extern_uid).await?
            && other != id
        {
            let other = run.name_of(other).await?;
            run.mistake(&place.key("extern_uid"), format!("is that of {other}"));
            continue;
        }
        let by_key = existing.as_ref().map(|row| row.id);
        let found = run.identify_fixed(&place, "identities", identity.id.map(|id| id.0), by_key).await?;
        let row = match (found, existing) {
            (Some(Found::Nothing(chosen)), _) => {
                let Some(extern_uid) = &identity.extern_uid else {
                    run.mistake(&place, "extern_uid is missing, which a new identity needs");
                    continue;
                };
                let provider = &identity.provider;
                let row = users::insert_identity(&mut *run.conn, chosen, id, provider, extern_uid).await?;
                run.added(&what);
                row
            }
            (Some(Found::Row(row)), Some(mut existing)) => {
                let mut changes = Changes::default();
                changes.set("extern_uid", &mut existing.extern_uid, identity.extern_uid.clone());
                if !changes.is_empty() {
                    users::update_identity(&mut *run.conn, row, &existing.extern_uid).await?;
                    run.updated(&what, &changes);
                }
                row
            }
            _ => continue,
        };
        named.insert(identity.provider.clone(), json!({ "id": row }));
    }
    Ok(named)
}

//! `personal_access_tokens:`, of a user.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::run::{Changes, Found, Place, Run};
use super::words::{Day, Ensure, Given, Id, stated};
use crate::domain::ids::UserId;
use crate::domain::token;
use crate::store::Result;
use crate::store::tokens::{self, TokenRow};

/// A personal access token, found by its name.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PersonalAccessToken {
    /// What the user calls it.
    #[schemars(length(min = 1, max = 255))]
    pub name: String,
    /// Chosen on creation.
    pub id: Option<Id>,
    /// What the token may be used for; a new one needs this.
    pub scopes: Option<Vec<Scope>>,
    /// The first day on which it is refused; null for never. Left out, a new token lives as long as the instance allows.
    #[serde(default, deserialize_with = "stated")]
    pub expires_at: Option<Option<Day>>,
    /// The token itself. Left out, it is made and printed once.
    pub token: Option<Given>,
    /// Refused, though it has not expired.
    pub revoked: Option<bool>,
    /// `absent` removes it.
    #[serde(default)]
    pub ensure: Ensure,
}

/// What a token may be used for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(extend("enum" = [
    "api", "read_api", "read_user", "read_repository", "write_repository", "read_registry", "write_registry",
    "read_virtual_registry", "write_virtual_registry", "sudo", "admin_mode", "create_runner", "manage_runner",
    "ai_features", "k8s_proxy", "self_rotate", "read_service_ping"
]))]
pub struct Scope(String);

/// Removes the absent ones of a user's tokens.
pub async fn remove(run: &mut Run<'_>, user: UserId, whose: &str, stated: &[PersonalAccessToken]) -> Result<()> {
    for entry in stated.iter().filter(|token| token.ensure.is_absent()) {
        if let Some(row) = tokens::find(&mut *run.conn, user, &entry.name).await? {
            tokens::delete(&mut *run.conn, row.id).await?;
            run.removed(&format!("token {} of {whose}", entry.name));
        }
    }
    Ok(())
}

/// Brings a user's tokens about. The answer has their ids by name, and those that were made.
pub async fn bring(
    run: &mut Run<'_>,
    place: &Place,
    user: UserId,
    whose: &str,
    stated: &[PersonalAccessToken],
) -> Result<Map<String, Value>> {
    let mut named = Map::new();
    for (index, entry) in stated.iter().enumerate().filter(|(_, token)| !token.ensure.is_absent()) {
        let place = place.item(index);
        let what = format!("token {} of {whose}", entry.name);
        let existing = tokens::find(&mut *run.conn, user, &entry.name).await?;
        let by_key = existing.as_ref().map(|row| row.id);
        let stated_id = entry.id.map(|id| id.0);
        let Some(found) = run.identify_fixed(&place, "personal_access_tokens", stated_id, by_key).await? else {
            continue;
        };
        if existing.is_none() && entry.scopes.is_none() {
            run.mistake(&place, "scopes is missing, which a new token needs, for example [api]");
            continue;
        }
        let given = match &entry.token {
            Some(given) => match run.given(&place.key("token"), given) {
                Some(token) => Some(token),
                None => continue,
            },
            None => None,
        };
        let expires_at = run.optional_day(&place.key("expires_at"), entry.expires_at.as_ref());
        let minted = if existing.is_none() && given.is_none() { Some(mint(run, user).await?) } else { None };
        let digest = given.or(minted.clone()).map(|token| run.digest(&token));
        if let Some(digest) = &digest
            && let Some(other) = tokens::find_id_by_digest(&mut *run.conn, digest).await?
            && Some(other) != by_key
        {
            run.mistake(&place.key("token"), format!("is that of token {other} already"));
            continue;
        }
        let mut row = match existing {
            Some(row) => row,
            None => new_row(run, user, entry).await?,
        };
        let mut changes = Changes::default();
        if let Some(scopes) = &entry.scopes
            && let scopes = scopes.iter().map(|scope| scope.0.clone()).collect::<Vec<_>>()
            && token::scopes_from_yaml(&row.scopes) != scopes
        {
            let show = |text: &String| token::scopes_from_yaml(text).join(" ");
            changes.set_as("scopes", &mut row.scopes, Some(token::scopes_to_yaml(&scopes)), show);
        }
        changes.set("expires_at", &mut row.expires_at, expires_at);
        changes.set("revoked", &mut row.revoked, entry.revoked);
        if let Some(digest) = digest.filter(|digest| *digest != row.token_digest) {
            row.token_digest = digest;
            changes.note("token replaced");
        }
        let id = match found {
            Found::Nothing(_) => {
                let id = tokens::insert(&mut *run.conn, user, &row).await?;
                run.added(&what);
                id
            }
            Found::Row(id) => {
                if !changes.is_empty() {
                    tokens::update(&mut *run.conn, &row).await?;
                    run.updated(&what, &changes);
                }
                id
            }
        };
        let mut object = json!({ "id": id });
        if let Some(token) = minted {
            object["token"] = run.minted(&token);
        }
        named.insert(entry.name.clone(), object);
    }
    Ok(named)
}

async fn new_row(run: &mut Run<'_>, user: UserId, entry: &PersonalAccessToken) -> Result<TokenRow> {
    Ok(TokenRow {
        id: entry.id.map_or(0, |id| id.0),
        name: entry.name.clone(),
        token_digest: String::new(),
        scopes: token::scopes_to_yaml(&[]),
        // As long as the instance allows.
        expires_at: tokens::find_policy(&mut *run.conn, Some(user)).await?.last_day(run.today()),
        revoked: false,
    })
}

/// A token that nobody can guess: the instance's prefix and 20 characters.
async fn mint(run: &mut Run<'_>, user: UserId) -> Result<String> {
    let policy = tokens::find_policy(&mut *run.conn, Some(user)).await?;
    Ok(token::mint(&policy.prefix, rand::random()))
}

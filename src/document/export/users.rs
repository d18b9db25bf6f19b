//! Exported users.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use super::ExportNames;
use super::entry::{day, entry, public_key, put_list, text, word};
use crate::document::kinds::tokens::TokenScope;
use crate::document::words::KeyUsageWord;
use crate::domain::ids::UserId;
use crate::domain::token::scopes_from_yaml;
use crate::store::sets::users::UserRecord;
use crate::store::sets::{keys, tokens, users};
use crate::store::{Result, oauth_tokens as oauth};

/// The users of these ids, in this order.
pub(super) async fn list(conn: &mut PgConnection, names: &ExportNames, ids: &[i64]) -> Result<Vec<Value>> {
    let mut records = users::list(&mut *conn, ids).await?;
    let mut emails = emails(conn, ids).await?;
    let mut identities = identities(conn, ids).await?;
    let mut keys = user_keys(conn, ids).await?;
    let mut tokens = user_tokens(conn, ids).await?;
    let mut oauth_tokens = oauth_tokens(conn, ids).await?;
    let mut entries = Vec::with_capacity(ids.len());
    for id in ids {
        let Some(record) = records.remove(&UserId(*id)) else { continue };
        let mut entry = row(names, *id, &record);
        put_list(&mut entry, "emails", emails.remove(id).unwrap_or_default());
        put_list(&mut entry, "identities", identities.remove(id).unwrap_or_default());
        put_list(&mut entry, "keys", keys.remove(id).unwrap_or_default());
        put_list(&mut entry, "personal_access_tokens", tokens.remove(id).unwrap_or_default());
        put_list(&mut entry, "oauth_tokens", oauth_tokens.remove(id).unwrap_or_default());
        entries.push(Value::Object(entry));
    }
    Ok(entries)
}

fn row(names: &ExportNames, id: i64, record: &UserRecord) -> Map<String, Value> {
    let row = &record.row;
    let group = record.enterprise_group.and_then(|group| names.namespaces.get(&group.0));
    entry([
        ("username", json!(row.username)),
        ("id", json!(id)),
        ("name", text(&row.name)),
        ("email", text(&row.email)),
        ("confirmed", confirmed(record)),
        ("admin", json!(row.admin)),
        ("auditor", json!(row.auditor)),
        ("external", json!(row.external)),
        ("state", json!(row.state)),
        ("projects_limit", json!(row.projects_limit)),
        ("terms_accepted", json!(record.terms_accepted)),
        ("enterprise_group", json!(group.filter(|path| !path.contains('/')))),
    ])
}

/// An address that is confirmed on the word of a group's provider alone is not stated: to state it is to vouch for it.
fn confirmed(record: &UserRecord) -> Value {
    if record.confirmed_by_group_scim { Value::Null } else { json!(record.row.confirmed_at.is_some()) }
}

type UserLists = HashMap<i64, Vec<Value>>;

async fn emails(conn: &mut PgConnection, ids: &[i64]) -> Result<UserLists> {
    let mut lists = UserLists::new();
    let mut rows = users::list_emails(conn, ids).await?;
    rows.sort_by(|one, other| one.1.cmp(&other.1));
    for (user, email, row) in rows {
        let confirmed = row.confirmed_at.is_some();
        lists.entry(user.0).or_default().push(json!({ "email": email, "id": row.id, "confirmed": confirmed }));
    }
    Ok(lists)
}

async fn identities(conn: &mut PgConnection, ids: &[i64]) -> Result<UserLists> {
    let mut lists = UserLists::new();
    let mut seen = std::collections::HashSet::new();
    let mut rows = users::list_identities(conn, ids).await?;
    // Of several at one provider, applying looks at the oldest.
    rows.retain(|(user, provider, _)| !provider.is_empty() && seen.insert((*user, provider.clone())));
    rows.sort_by(|one, other| one.1.cmp(&other.1));
    for (user, provider, row) in rows {
        let fields = [("provider", json!(provider)), ("id", json!(row.id)), ("extern_uid", text(&row.extern_uid))];
        lists.entry(user.0).or_default().push(Value::Object(entry(fields)));
    }
    Ok(lists)
}

async fn user_keys(conn: &mut PgConnection, ids: &[i64]) -> Result<UserLists> {
    let mut lists = UserLists::new();
    for owned in keys::list_by_user(conn, ids).await? {
        let row = owned.row;
        if public_key(&row.key).is_none() {
            continue;
        }
        let key = entry([
            ("key", json!(row.key)),
            ("id", json!(row.id)),
            ("title", text(&row.title)),
            ("usage", word::<KeyUsageWord>(row.usage_type)),
            ("expires_at", day(row.expires_at)),
        ]);
        lists.entry(owned.user).or_default().push(Value::Object(key));
    }
    Ok(lists)
}

async fn user_tokens(conn: &mut PgConnection, ids: &[i64]) -> Result<UserLists> {
    let mut lists = UserLists::new();
    let mut seen = std::collections::HashSet::new();
    for (user, row) in tokens::list(conn, ids).await? {
        if row.name.is_empty() || !seen.insert((user, row.name.clone())) {
            continue;
        }
        let mut token = entry([
            ("name", json!(row.name)),
            ("id", json!(row.id)),
            ("scopes", json!(scopes_from_yaml(&row.scopes))),
            ("expires_at", json!(row.expires_at.map(|day| day.to_string()))),
            ("revoked", json!(row.revoked)),
        ]);
        // Null is said, for a new token without a date gets the longest that is allowed.
        token.entry("expires_at").or_insert(Value::Null);
        lists.entry(user.0).or_default().push(Value::Object(token));
    }
    Ok(lists)
}

async fn oauth_tokens(conn: &mut PgConnection, ids: &[i64]) -> Result<UserLists> {
    let mut lists = UserLists::new();
    let mut seen = std::collections::HashSet::new();
    for row in oauth::list(conn, ids).await? {
        let scopes: Vec<&str> = row.scopes.split(' ').filter(|scope| TokenScope::is_one(scope)).collect();
        let named = !row.application.is_empty() && seen.insert((row.user, row.application.clone()));
        // One with a scope that a document has no word for would change by being applied.
        if !named || scopes.is_empty() || scopes.join(" ") != row.scopes {
            continue;
        }
        lists.entry(row.user.0).or_default().push(json!({
            "application": row.application,
            "id": row.id,
            "scopes": scopes,
            "expires_in": row.expires_in,
            "revoked": row.revoked,
        }));
    }
    Ok(lists)
}

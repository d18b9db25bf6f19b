//! Exported deploy tokens and access tokens, of projects and groups.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};
use sqlx::PgConnection;

use super::entry::word;
use crate::document::kinds::deploy_tokens::last_day;
use crate::document::kinds::tokens::TokenScope;
use crate::document::words::LevelWord;
use crate::domain::deploy_token;
use crate::domain::ids::NamespaceId;
use crate::domain::token::scopes_from_yaml;
use crate::store::deploy_tokens::{self, DeployTokenOwner};
use crate::store::{Result, access_tokens};

/// Deploy tokens by what they are of; of several of one name, the one that applying looks at.
pub(super) async fn deploy_tokens(
    conn: &mut PgConnection,
    owners: Vec<DeployTokenOwner>,
) -> Result<HashMap<DeployTokenOwner, Vec<Value>>> {
    let mut lists: HashMap<DeployTokenOwner, Vec<Value>> = HashMap::new();
    let mut seen = HashSet::new();
    let mut rows = deploy_tokens::list(conn, &owners).await?;
    rows.sort_by_key(|(_, id, row)| (row.name.clone(), row.revoked, std::cmp::Reverse(*id)));
    for (owner, id, row) in rows {
        let scopes = row.scopes();
        if row.name.is_empty() || scopes.is_empty() || !seen.insert((owner, row.name.clone())) {
            continue;
        }
        let end = (row.expires_at != deploy_token::forever()).then(|| last_day(row.expires_at).to_string());
        lists.entry(owner).or_default().push(json!({
            "name": row.name,
            "id": id,
            "username": row.username,
            "scopes": scopes,
            "expires_at": end,
            "revoked": row.revoked,
        }));
    }
    Ok(lists)
}

/// Access tokens by the group, or by the project's namespace.
pub(super) async fn access_tokens(
    conn: &mut PgConnection,
    namespaces: &[i64],
) -> Result<HashMap<NamespaceId, Vec<Value>>> {
    let mut lists: HashMap<NamespaceId, Vec<Value>> = HashMap::new();
    let mut seen = HashSet::new();
    for (namespace, _, row, grant) in access_tokens::list_stated(conn, namespaces).await? {
        let (scopes, level) = (scopes_from_yaml(&row.scopes), word::<LevelWord>(grant.level));
        let worded = !scopes.is_empty() && scopes.iter().all(|scope| TokenScope::is_one(scope)) && !level.is_null();
        if row.name.is_empty() || !worded || !seen.insert((namespace, row.name.clone())) {
            continue;
        }
        lists.entry(namespace).or_default().push(json!({
            "name": row.name,
            "id": row.id,
            "level": level,
            "scopes": scopes,
            // Null is said, for a new token without a date gets the longest that is allowed.
            "expires_at": row.expires_at.map(|day| day.to_string()),
            "revoked": row.revoked,
        }));
    }
    Ok(lists)
}

//! `keys:`, the SSH keys of a user.

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::run::{Changes, Found, Place, Run};
use super::words::{Day, Ensure, Given, Id, KeyUsage, stated};
use crate::domain::ids::{KeyId, UserId};
use crate::store::Result;
use crate::store::keys::{self, KeyRow};

/// An SSH key, found by its fingerprint. To remove one, its title or its id is enough.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The public key: the line in the file that ends in `.pub`, or `$file:` with that file.
    #[schemars(extend("examples" = ["ssh-ed25519 AAAA… rubi@laptop"]))]
    pub key: Option<Given>,
    /// Chosen on creation.
    pub id: Option<Id>,
    /// The comment of the key where it is left out.
    #[schemars(length(min = 1, max = 255))]
    pub title: Option<String>,
    /// What the key is good for.
    pub usage: Option<KeyUsage>,
    /// The first day on which it is refused; null for never.
    #[serde(default, deserialize_with = "stated")]
    pub expires_at: Option<Option<Day>>,
    /// `absent` removes it.
    #[serde(default)]
    pub ensure: Ensure,
}

/// Removes the absent ones of a user's keys.
pub async fn remove(run: &mut Run<'_>, place: &Place, user: UserId, whose: &str, stated: &[Key]) -> Result<()> {
    for (index, key) in stated.iter().enumerate().filter(|(_, key)| key.ensure.is_absent()) {
        let place = place.item(index);
        let id = match (&key.key, &key.title, key.id) {
            (Some(given), _, _) => {
                let Some(key) = run.ssh_key(&place.key("key"), given) else { continue };
                let row = keys::find_by_fingerprint(&mut *run.conn, &key.sha256()).await?;
                row.filter(|row| row.user_id == Some(user.0) && row.kind.is_none()).map(|row| KeyId(row.id))
            }
            (None, Some(title), _) => match keys::list_by_title(&mut *run.conn, user, title).await?[..] {
                [] => None,
                [id] => Some(id),
                _ => {
                    run.mistake(&place.key("title"), format!("{whose} has several such keys; give the key itself"));
                    continue;
                }
            },
            (None, None, Some(id)) => keys::find_id_of_user(&mut *run.conn, KeyId(id.0), user).await?,
            (None, None, None) => {
                run.mistake(&place, "key is missing, or the title or the id of the one to remove");
                continue;
            }
        };
        if let Some(id) = id {
            let title = keys::find_title(&mut *run.conn, id).await?.unwrap_or_default();
            keys::delete(&mut *run.conn, id).await?;
            run.removed(&format!("key {title} of {whose}"));
        }
    }
    Ok(())
}

/// Brings a user's keys about. The answer has their ids by title.
pub async fn bring(
    run: &mut Run<'_>,
    place: &Place,
    user: UserId,
    whose: &str,
    stated: &[Key],
) -> Result<Map<String, Value>> {
    let mut named = Map::new();
    for (index, entry) in stated.iter().enumerate().filter(|(_, key)| !key.ensure.is_absent()) {
        let place = place.item(index);
        let Some(given) = &entry.key else {
            run.mistake(&place, "key is missing");
            continue;
        };
        let Some(key) = run.ssh_key(&place.key("key"), given) else { continue };
        let existing = keys::find_by_fingerprint(&mut *run.conn, &key.sha256()).await?;
        if let Some(row) = &existing
            && let Some(owner) = other_owner(run, row, user).await?
        {
            run.mistake(&place.key("key"), format!("is {owner} already, and may be there only once"));
            continue;
        }
        let by_key = existing.as_ref().map(|row| row.id);
        let Some(found) = run.identify_fixed(&place, "keys", entry.id.map(|id| id.0), by_key).await? else { continue };
        let expires_at = run.optional_day(&place.key("expires_at"), entry.expires_at.as_ref());
        let fingerprint = key.fingerprint();
        let mut row = existing.unwrap_or_else(|| KeyRow {
            id: entry.id.map_or(0, |id| id.0),
            user_id: Some(user.0),
            title: if key.comment().is_empty() { fingerprint.clone() } else { key.comment().to_owned() },
            key: key.text().to_owned(),
            kind: None,
            public: false,
            usage_type: 0,
            expires_at: None,
        });
        let mut changes = Changes::default();
        changes.set("title", &mut row.title, entry.title.clone());
        changes.set_as("key", &mut row.key, Some(key.text().to_owned()), |_| "comment".to_owned());
        changes.small_word("usage", &mut row.usage_type, entry.usage);
        changes.set("expires_at", &mut row.expires_at, expires_at.map(|day| day.map(midnight)));
        let what = format!("key {} of {whose}", row.title);
        let id = match found {
            Found::Nothing(_) => {
                let id = keys::insert(&mut *run.conn, &row, &key).await?;
                run.added(&what);
                id.0
            }
            Found::Row(id) => {
                if !changes.is_empty() {
                    keys::update(&mut *run.conn, &row).await?;
                    run.updated(&what, &changes);
                }
                id
            }
        };
        named.insert(row.title.clone(), json!({ "id": id, "fingerprint": fingerprint }));
    }
    Ok(named)
}

/// The start of a day in UTC, as a key's expiry is stored.
#[must_use]
pub fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(chrono::NaiveTime::MIN).and_utc()
}

async fn other_owner(run: &mut Run<'_>, row: &KeyRow, user: UserId) -> Result<Option<String>> {
    Ok(match (row.kind.as_deref(), row.user_id) {
        (Some("DeployKey"), _) => Some(format!("deploy key {}", row.id)),
        (_, Some(owner)) if owner == user.0 => None,
        (_, Some(owner)) => Some(format!("key {} of {}", row.id, run.name_of(UserId(owner)).await?)),
        (_, None) => Some(format!("key {}", row.id)),
    })
}

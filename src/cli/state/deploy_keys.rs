//! `deploy_keys:`, of a project.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::keys::midnight;
use super::run::{Changes, Found, Place, Run};
use super::words::{Day, Ensure, Given, Id, stated};
use crate::domain::ids::{KeyId, ProjectId, UserId};
use crate::domain::user_type::UserType;
use crate::store::keys::{self, KeyRow};
use crate::store::users::{self, UserRow};
use crate::store::{Result, projects};

/// A key that fetches from the project, and may push to it. It is found by its fingerprint; several projects may use it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeployKey {
    /// The public key: the line in the file that ends in `.pub`, or `$file:` with that file.
    #[schemars(extend("examples" = ["ssh-ed25519 AAAA… builder"]))]
    pub key: Option<Given>,
    /// Chosen on creation.
    pub id: Option<Id>,
    /// The comment of the key where it is left out.
    #[schemars(length(min = 1, max = 255))]
    pub title: Option<String>,
    /// Whether the key may push to this project.
    pub can_push: Option<bool>,
    /// Whether any project may enable the key.
    pub public: Option<bool>,
    /// The user as whom the key pushes; the project's creator where the key may push and has no owner, else the ghost user.
    pub owner: Option<String>,
    /// The first day on which it is refused; null for never.
    #[serde(default, deserialize_with = "stated")]
    pub expires_at: Option<Option<Day>>,
    /// `absent` takes the key from the project.
    #[serde(default)]
    pub ensure: Ensure,
}

/// Brings a project's deploy keys about; `whose` is its path. The answer has their ids by title.
pub async fn bring(
    run: &mut Run<'_>,
    place: &Place,
    project: ProjectId,
    whose: &str,
    stated: &[DeployKey],
) -> Result<Map<String, Value>> {
    let mut named = Map::new();
    for (index, entry) in stated.iter().enumerate() {
        let place = place.item(index);
        if entry.ensure.is_absent() {
            remove(run, &place, project, whose, entry).await?;
        } else if let Some((title, value)) = bring_one(run, &place, project, whose, entry).await? {
            named.insert(title, value);
        }
    }
    Ok(named)
}

async fn remove(run: &mut Run<'_>, place: &Place, project: ProjectId, whose: &str, entry: &DeployKey) -> Result<()> {
    let id = match (&entry.key, &entry.title) {
        (Some(given), _) => {
            let Some(key) = run.ssh_key(&place.key("key"), given) else { return Ok(()) };
            keys::find_by_fingerprint(&mut *run.conn, &key.sha256()).await?.map(|row| KeyId(row.id))
        }
        (None, Some(title)) => match keys::list_deploy_keys_by_title(&mut *run.conn, project, title).await?[..] {
            [] => None,
            [id] => Some(id),
            _ => {
                run.mistake(&place.key("title"), format!("{whose} has several such keys; give the key itself"));
                None
            }
        },
        (None, None) => {
            run.mistake(place, "key is missing, or the title of the one to remove");
            None
        }
    };
    let Some(id) = id else { return Ok(()) };
    if keys::find_deploy_key_push(&mut *run.conn, id, project).await?.is_some() {
        let title = keys::find_title(&mut *run.conn, id).await?.unwrap_or_default();
        keys::delete_deploy_key_project(run.conn, id, project).await?;
        run.removed(&format!("deploy key {title} of {whose}"));
    }
    Ok(())
}

async fn bring_one(
    run: &mut Run<'_>,
    place: &Place,
    project: ProjectId,
    whose: &str,
    entry: &DeployKey,
) -> Result<Option<(String, Value)>> {
    let Some(given) = &entry.key else {
        run.mistake(place, "key is missing");
        return Ok(None);
    };
    let Some(key) = run.ssh_key(&place.key("key"), given) else { return Ok(None) };
    let existing = keys::find_by_fingerprint(&mut *run.conn, &key.sha256()).await?;
    if existing.as_ref().is_some_and(|row| row.kind.as_deref() != Some("DeployKey")) {
        run.mistake(&place.key("key"), "is a user's key already, and may be there only once");
        return Ok(None);
    }
    let by_key = existing.as_ref().map(|row| row.id);
    let Some(found) = run.identify_fixed(place, "keys", entry.id.map(|id| id.0), by_key).await? else {
        return Ok(None);
    };
    let before = match &existing {
        Some(row) => keys::find_deploy_key_push(&mut *run.conn, KeyId(row.id), project).await?,
        None => None,
    };
    let mut can_push = before.unwrap_or(false);
    let mut changes = Changes::default();
    changes.set("can_push", &mut can_push, entry.can_push);
    let owner = match owner(run, place, (project, whose), entry, existing.as_ref(), can_push).await? {
        Owner::Stays => None,
        Owner::Is(user) => Some(user),
        Owner::Mistaken => return Ok(None),
    };
    let expires_at = run.optional_day(&place.key("expires_at"), entry.expires_at.as_ref());
    let fingerprint = key.fingerprint();
    let mut row = existing.unwrap_or_else(|| KeyRow {
        id: entry.id.map_or(0, |id| id.0),
        user_id: None,
        title: if key.comment().is_empty() { fingerprint.clone() } else { key.comment().to_owned() },
        key: key.text().to_owned(),
        kind: Some("DeployKey".to_owned()),
        public: false,
        usage_type: 0,
        expires_at: None,
    });
    changes.set("title", &mut row.title, entry.title.clone());
    changes.set_as("key", &mut row.key, Some(key.text().to_owned()), |_| "comment".to_owned());
    changes.set("public", &mut row.public, entry.public);
    changes.set("owner", &mut row.user_id, owner.map(|user| Some(user.0)));
    changes.set("expires_at", &mut row.expires_at, expires_at.map(|day| day.map(midnight)));
    let what = format!("deploy key {} of {whose}", row.title);
    let (id, created) = match found {
        Found::Nothing(_) => (keys::insert(&mut *run.conn, &row, &key).await?, true),
        Found::Row(id) => {
            if !changes.is_empty() {
                keys::update(&mut *run.conn, &row).await?;
            }
            (KeyId(id), false)
        }
    };
    if before != Some(can_push) {
        keys::upsert_deploy_key_project(&mut *run.conn, id, project, can_push).await?;
    }
    if created || before.is_none() {
        run.added(&what);
    } else if !changes.is_empty() {
        run.updated(&what, &changes);
    }
    Ok(Some((row.title, json!({ "id": id.0, "fingerprint": fingerprint }))))
}

/// Whose the key is from now on.
enum Owner {
    Stays,
    Is(UserId),
    Mistaken,
}

/// A key pushes with its owner's rights, and the ghost user has none: one that may push gets an owner who is somebody.
async fn owner(
    run: &mut Run<'_>,
    place: &Place,
    (project, whose): (ProjectId, &str),
    entry: &DeployKey,
    existing: Option<&KeyRow>,
    can_push: bool,
) -> Result<Owner> {
    let place = place.key("owner");
    let nobody = users::find_ghost(&mut *run.conn).await?;
    let somebody = |user: &UserId| Some(*user) != nobody;
    if let Some(username) = &entry.owner {
        let Some(user) = run.user(&place, username).await? else { return Ok(Owner::Mistaken) };
        if can_push && !somebody(&user) {
            run.mistake(&place, "is the ghost user, who may not push; name somebody who may");
            return Ok(Owner::Mistaken);
        }
        return Ok(Owner::Is(user));
    }
    let had = existing.and_then(|row| row.user_id).map(UserId).filter(somebody);
    match existing {
        Some(_) if had.is_some() || !can_push => return Ok(Owner::Stays),
        None if !can_push => return Ok(Owner::Is(ghost(run).await?)),
        _ => {}
    }
    let project = projects::find(&mut *run.conn, project).await?;
    let creator = project.and_then(|(_, row)| row.creator_id).map(UserId).filter(somebody);
    if creator.is_none() {
        run.mistake(&place, format!("is missing: the key pushes as its owner, and {whose} has no creator"));
    }
    Ok(creator.map_or(Owner::Mistaken, Owner::Is))
}

/// The ghost user, to whom belongs what has no owner; made when first needed.
async fn ghost(run: &mut Run<'_>) -> Result<UserId> {
    if let Some(id) = users::find_ghost(&mut *run.conn).await? {
        return Ok(id);
    }
    let mut username = "ghost".to_owned();
    let mut number = 0;
    while users::find_id_by_username(&mut *run.conn, &username).await?.is_some() {
        number += 1;
        username = format!("ghost{number}");
    }
    let row = UserRow {
        email: format!("{username}@ghost.invalid"),
        username,
        name: "Ghost User".to_owned(),
        state: "active".to_owned(),
        user_type: UserType::Ghost.number(),
        admin: false,
        auditor: false,
        external: false,
        can_create_group: false,
        projects_limit: 0,
        private_profile: false,
        confirmed_at: Some(run.naive_now()),
    };
    let id = users::insert(&mut *run.conn, None, &row).await?;
    run.added(&format!("user {}", row.username));
    Ok(id)
}

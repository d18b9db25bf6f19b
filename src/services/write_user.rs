//! An administrator makes an account, or changes one, over the REST API.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use sqlx::PgConnection;

use super::{ServiceError, ServiceResult, audit_log};
use crate::crypto::passwords;
use crate::domain::audit::{AuditEntity, EventName, RestAuthor};
use crate::domain::ids::UserId;
use crate::domain::record_faults::{RecordFaults, TAKEN};
use crate::domain::token;
use crate::domain::user_account;
use crate::domain::user_type::UserType;
use crate::store::locks::{WantedName, take_names};
use crate::store::rest::accounts::{self, AccountConflicts};
use crate::store::sets::users as user_sets;
use crate::store::users::UserRow;
use crate::store::{self, Db, audit_events, derived, namespaces, scim_users, users};

/// What is asked for; what is left out stays what it is.
#[derive(Debug, Default)]
pub struct UserWish {
    /// The first address.
    pub email: Option<String>,
    /// The name in URLs.
    pub username: Option<String>,
    /// The name that people read.
    pub name: Option<String>,
    /// The password; a new account without one gets one that nobody knows.
    pub password: Option<SecretString>,
    /// The address is taken for confirmed.
    pub confirmed: bool,
    /// Columns of rights, the same in the database.
    pub rights: UserRights,
    /// Texts of `users`: `note`, `public_email`, `commit_email`.
    pub columns: Map<String, Value>,
    /// Texts of `user_details`.
    pub details: Map<String, Value>,
    /// The user at a provider of the instance: the provider, and the name there.
    pub identity: Option<(String, String)>,
}

/// What an account may do.
#[derive(Debug, Clone, Default)]
pub struct UserRights {
    /// Administers the instance.
    pub admin: Option<bool>,
    /// Reads everything.
    pub auditor: Option<bool>,
    /// Sees internal projects only as a member.
    pub external: Option<bool>,
    /// May make groups.
    pub can_create_group: Option<bool>,
    /// Shows less of itself.
    pub private_profile: Option<bool>,
    /// Projects in the personal namespace at most.
    pub projects_limit: Option<i32>,
}

/// Why an account is neither made nor changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserWriteRefusal {
    /// There is no such account.
    NoSuchUser,
    /// Another user has the address.
    AddressTaken,
    /// Another user has the name.
    UsernameTaken,
    /// Something else is wrong with it.
    Faults(RecordFaults),
}

/// How many projects a new user may have.
const PROJECTS_LIMIT: i32 = 100_000;

/// A new account with its personal namespace.
pub async fn create(
    db: &Db,
    wish: UserWish,
    by: &RestAuthor,
    now: DateTime<Utc>,
) -> ServiceResult<UserId, UserWriteRefusal> {
    let password = hashed(wish.password.clone(), [&wish.username, &wish.name, &wish.email]).await?;
    let mut transaction = db.begin().await?;
    let conn = &mut *transaction;
    lock_names(conn, &wish).await?;
    let confirmed = wish.confirmed || !scim_users::confirms_addresses(&mut *conn).await?;
    let mut row = UserRow {
        username: String::new(),
        name: String::new(),
        email: String::new(),
        state: "active".to_owned(),
        user_type: UserType::Human.number(),
        admin: false,
        auditor: false,
        external: false,
        can_create_group: true,
        projects_limit: PROJECTS_LIMIT,
        private_profile: false,
        confirmed_at: confirmed.then(|| now.naive_utc()),
    };
    row.email = wish.email.clone().unwrap_or_default();
    wish.put_into(&mut row);
    judge(conn, None, &wish, &row, by).await?;
    let id = users::insert(&mut *conn, None, &row).await.map_err(taken_meanwhile)?;
    let namespace =
        namespaces::insert_personal(&mut *conn, id, &row.username, &row.name).await.map_err(taken_meanwhile)?;
    derived::refresh_namespace(conn, namespace).await.map_err(taken_meanwhile)?;
    let mut columns = wish.columns;
    columns.insert("created_by_id".to_owned(), by.acting().0.into());
    columns.insert("password_automatically_set".to_owned(), password.is_none().into());
    let hash = match password {
        Some(hash) => Some(hash),
        None => random_hash().await,
    };
    if let Some(hash) = hash {
        users::update_password(&mut *conn, id, &hash).await?;
    }
    finish(conn, id, columns, wish.details, wish.identity).await?;
    let entity = AuditEntity::User(id, row.username);
    let event = by.event(EventName::UserCreated, entity, format!("{} was added", row.name));
    audit_events::insert(&mut *conn, &event, now).await?;
    transaction.commit().await?;
    audit_log::log(&event);
    Ok(id)
}

/// Changes an account. Another username renames the personal namespace; whoever uses the former paths is led on.
pub async fn change(
    db: &Db,
    id: UserId,
    mut wish: UserWish,
    by: &RestAuthor,
    now: DateTime<Utc>,
) -> ServiceResult<(), UserWriteRefusal> {
    let before = users::find(db.pool(), id).await?.ok_or(ServiceError::Refused(UserWriteRefusal::NoSuchUser))?;
    let known = [Some(before.username), Some(before.name), Some(before.email)];
    let named = [&wish.username, &wish.name, &wish.email];
    let words = std::array::from_fn(|place| if named[place].is_some() { named[place] } else { &known[place] });
    let password = hashed(wish.password.clone(), words).await?;
    let mut transaction = db.begin().await?;
    let conn = &mut *transaction;
    lock_names(conn, &wish).await?;
    // The root of the namespace before its owner, as everywhere.
    let record = user_sets::list(&mut *conn, &[id.0]).await?.remove(&id);
    if let Some(personal) = record.and_then(|record| record.personal) {
        derived::lock_root(conn, personal.id).await?;
    }
    if !accounts::lock(&mut *conn, id).await? {
        return Err(ServiceError::Refused(UserWriteRefusal::NoSuchUser));
    }
    let record = user_sets::list(&mut *conn, &[id.0]).await?.remove(&id);
    let record = record.ok_or(ServiceError::Refused(UserWriteRefusal::NoSuchUser))?;
    let mut row = record.row.clone();
    wish.email.take_if(|email| email.to_lowercase() == row.email.to_lowercase());
    let confirms = scim_users::confirms_addresses(&mut *conn).await?;
    let mut columns = std::mem::take(&mut wish.columns);
    if let Some(email) = &wish.email {
        if wish.confirmed || !confirms {
            row.email.clone_from(email);
            row.confirmed_at = Some(now.naive_utc());
            columns.insert("unconfirmed_email".to_owned(), Value::Null);
        } else {
            columns.insert("unconfirmed_email".to_owned(), email.clone().into());
        }
    }
    wish.columns = columns;
    wish.put_into(&mut row);
    judge(conn, Some(id), &wish, &row, by).await?;
    let changed = row != record.row;
    if changed {
        let rows = [(id.0, record.row.clone(), row.clone())];
        user_sets::update(&mut *conn, &rows).await.map_err(taken_meanwhile)?;
    }
    if let Some(personal) = record.personal
        && (personal.path != row.username || personal.name != row.name)
    {
        namespaces::update_personal(&mut *conn, personal.id, &row.username, &row.name)
            .await
            .map_err(taken_meanwhile)?;
        derived::refresh_namespace(conn, personal.id).await.map_err(taken_meanwhile)?;
    }
    if let Some(hash) = password {
        users::update_password(&mut *conn, id, &hash).await?;
    }
    finish(conn, id, wish.columns, wish.details, wish.identity).await?;
    let event = by.event(EventName::UserUpdated, AuditEntity::User(id, row.username), "Account changed");
    audit_events::insert(&mut *conn, &event, now).await?;
    transaction.commit().await?;
    audit_log::log(&event);
    Ok(())
}

/// Takes away who the user is at a provider of the instance; false where that is nobody.
pub async fn delete_identity(
    db: &Db,
    id: UserId,
    provider: &str,
    by: &RestAuthor,
    now: DateTime<Utc>,
) -> store::Result<bool> {
    let mut transaction = db.begin().await?;
    let Some(row) = users::find(&mut *transaction, id).await? else { return Ok(false) };
    if !accounts::delete_identity(&mut *transaction, id, provider).await? {
        return Ok(false);
    }
    let entity = AuditEntity::User(id, row.username);
    let event = by.event(EventName::UserUpdated, entity, format!("Is nobody at {provider} any more"));
    audit_events::insert(&mut *transaction, &event, now).await?;
    transaction.commit().await?;
    audit_log::log(&event);
    Ok(true)
}

impl UserWish {
    fn put_into(&self, row: &mut UserRow) {
        fn put<T: Clone>(to: &mut T, wanted: Option<&T>) {
            if let Some(wanted) = wanted {
                to.clone_from(wanted);
            }
        }
        put(&mut row.username, self.username.as_ref());
        put(&mut row.name, self.name.as_ref());
        put(&mut row.admin, self.rights.admin.as_ref());
        put(&mut row.auditor, self.rights.auditor.as_ref());
        put(&mut row.external, self.rights.external.as_ref());
        put(&mut row.can_create_group, self.rights.can_create_group.as_ref());
        put(&mut row.private_profile, self.rights.private_profile.as_ref());
        put(&mut row.projects_limit, self.rights.projects_limit.as_ref());
    }
}

/// Keeps others waiting who are about to take the same names. Before any row is locked, as everywhere.
async fn lock_names(conn: &mut PgConnection, wish: &UserWish) -> store::Result<()> {
    let email = wish.email.as_deref().map(WantedName::Email);
    let username = wish.username.as_deref();
    let names = [email, username.map(WantedName::Username), username.map(WantedName::Path)];
    take_names(conn, &names.into_iter().flatten().collect::<Vec<_>>()).await
}

/// Refuses a wish that cannot be fulfilled, before anything is written.
async fn judge(
    conn: &mut PgConnection,
    own: Option<UserId>,
    wish: &UserWish,
    row: &UserRow,
    by: &RestAuthor,
) -> ServiceResult<(), UserWriteRefusal> {
    let mut faults = RecordFaults::default();
    if let Some(email) = &wish.email {
        user_account::check_address(&mut faults, email);
    }
    let renamed = wish.username.as_deref();
    if let Some(username) = renamed {
        user_account::check_username(&mut faults, username);
    }
    if let Some(name) = &wish.name {
        user_account::check_display_name(&mut faults, name);
    }
    if row.projects_limit < 0 {
        faults.add("projects_limit", "must be greater than or equal to 0");
    }
    if own == Some(by.acting()) && wish.rights.admin == Some(false) {
        faults.add("admin", "cannot be taken from yourself");
    }
    check_texts(&mut faults, wish);
    let conflicts = accounts::find_conflicts(&mut *conn, own, wish.email.as_deref(), renamed).await?;
    match conflicts {
        AccountConflicts { address: true, .. } => Err(ServiceError::Refused(UserWriteRefusal::AddressTaken)),
        AccountConflicts { username: true, .. } => Err(ServiceError::Refused(UserWriteRefusal::UsernameTaken)),
        AccountConflicts { path, .. } => {
            if path {
                faults.add("username", TAKEN);
            }
            refused(faults)
        }
    }
}

/// Columns of texts with how many characters each may have.
const TEXTS: [(&str, usize); 11] = [
    ("bio", 255),
    ("location", 255),
    ("linkedin", 500),
    ("twitter", 500),
    ("discord", 500),
    ("github", 500),
    ("website_url", 500),
    ("organization", 255),
    ("job_title", 200),
    ("pronouns", 50),
    ("note", 5_000),
];

fn check_texts(faults: &mut RecordFaults, wish: &UserWish) {
    for (name, most) in TEXTS {
        let text = wish.details.get(name).or_else(|| wish.columns.get(name)).and_then(Value::as_str);
        faults.check_length(name, text, most);
    }
}

/// Writes what is beside the row of the user, who is there by now.
async fn finish(
    conn: &mut PgConnection,
    id: UserId,
    columns: Map<String, Value>,
    details: Map<String, Value>,
    identity: Option<(String, String)>,
) -> ServiceResult<(), UserWriteRefusal> {
    for name in ["public_email", "commit_email"] {
        let address = columns.get(name).and_then(Value::as_str).filter(|address| !address.is_empty());
        if let Some(address) = address
            && !accounts::has_confirmed_address(&mut *conn, id, address).await?
        {
            return refused(RecordFaults::of(name, "must be an email you have verified"));
        }
    }
    accounts::write_columns(conn, id, columns, details).await?;
    if let Some((provider, extern_uid)) = identity
        && !accounts::upsert_identity(conn, id, &provider, &extern_uid).await?
    {
        return refused(RecordFaults::of("identities.extern_uid", TAKEN));
    }
    Ok(())
}

fn refused(faults: RecordFaults) -> ServiceResult<(), UserWriteRefusal> {
    faults.into_result().map_err(|faults| ServiceError::Refused(UserWriteRefusal::Faults(faults)))
}

/// The hash of a password that may be one. It takes its time, so nothing is locked meanwhile.
async fn hashed(
    password: Option<SecretString>,
    known: [&Option<String>; 3],
) -> ServiceResult<Option<String>, UserWriteRefusal> {
    let Some(password) = password else { return Ok(None) };
    let mut faults = RecordFaults::default();
    let known = known.map(|word| word.as_deref().unwrap_or_default());
    user_account::check_password(&mut faults, password.expose_secret(), known);
    refused(faults)?;
    let hash = tokio::task::spawn_blocking(move || passwords::hash(password.expose_secret())).await;
    if let Some(hash) = hash.ok().flatten() {
        Ok(Some(hash))
    } else {
        refused(RecordFaults::of("password", "is invalid"))?;
        Ok(None)
    }
}

/// The hash of a password that nobody knows.
async fn random_hash() -> Option<String> {
    let password = token::hex(&rand::random::<[u8; 32]>());
    tokio::task::spawn_blocking(move || passwords::hash(&password)).await.ok().flatten()
}

/// Of two who take the same name at once, the unique indexes let one through.
fn taken_meanwhile(error: store::Error) -> ServiceError<UserWriteRefusal> {
    match &error {
        store::Error::Duplicate(index) if index.contains("email") => {
            ServiceError::Refused(UserWriteRefusal::AddressTaken)
        }
        store::Error::Duplicate(_) => ServiceError::Refused(UserWriteRefusal::UsernameTaken),
        _ => error.into(),
    }
}

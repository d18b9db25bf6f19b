//! The ghost user, who owns what has no owner any more.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::domain::ids::UserId;
use crate::domain::user_type::UserType;
use crate::store::users::UserRow;
use crate::store::{Result, scim_users, users};

/// The row of a ghost of this name.
#[must_use]
pub fn row(username: String, now: DateTime<Utc>) -> UserRow {
    UserRow {
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
        confirmed_at: Some(now.naive_utc()),
    }
}

/// The ghost; made when first needed.
pub async fn find_or_make(conn: &mut PgConnection, now: DateTime<Utc>) -> Result<UserId> {
    if let Some(id) = users::find_ghost(&mut *conn).await? {
        return Ok(id);
    }
    let mut username = "ghost".to_owned();
    let mut number = 0;
    while !scim_users::is_username_free(&mut *conn, &username).await? {
        number += 1;
        username = format!("ghost{number}");
    }
    users::insert(&mut *conn, None, &row(username, now)).await
}

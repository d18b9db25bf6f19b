//! The account that an administrator acts as.

use sqlx::PgExecutor;

use super::RestName;
use crate::domain::access::UserState;
use crate::domain::ids::UserId;
use crate::domain::presented_token::TokenOwner;
use crate::domain::user_type::UserType;
use crate::store::Result;

/// The account of that id or username, whether it may act or not.
pub async fn find(db: impl PgExecutor<'_>, name: &RestName) -> Result<Option<TokenOwner>> {
    let row = sqlx::query!(
        r#"
        select
          id,
          coalesce(username, '') as "username!",
          state,
          user_type,
          admin,
          coalesce(external, false) as "external!"
        from users
        where id = $1
          or lower(username) = lower($2)
        "#,
        name.id(),
        name.path()
    );
    Ok(row.fetch_optional(db).await?.map(|row| TokenOwner {
        id: UserId(row.id),
        username: row.username,
        state: UserState::from(row.state.as_str()),
        kind: UserType::from_number(row.user_type),
        admin: row.admin,
        external: row.external,
    }))
}

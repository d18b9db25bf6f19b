//! Who asks for a credential of their own.

use sqlx::PgExecutor;

use super::Result;
use crate::domain::ids::{KeyId, UserId};
use crate::domain::requester::{Requester, RequesterAccount, RequesterKey, RequesterName};

/// Who asks, as far as we know them: the user, or the key and its owner. Blocked users are found too.
pub async fn find(db: impl PgExecutor<'_>, name: RequesterName) -> Result<Requester> {
    let (key, user) = match name {
        RequesterName::Key(id) => (Some(id.0), None),
        RequesterName::User(id) => (None, Some(id.0)),
        RequesterName::NoSuchUser | RequesterName::Nobody => return Ok(Requester { name, key: None, account: None }),
    };
    let row = sqlx::query!(
        r#"
        select
          key.id as "key_id?",
          key.type = 'DeployKey' as "deploy?",
          key.last_used_at as "last_used_at?",
          account.id as "user_id?",
          account.username as "username?",
          account.state = 'active' as "active?",
          account.locked_at as "locked_at?",
          account.otp_required_for_login or exists (
            select
            from webauthn_registrations
            where webauthn_registrations.user_id = account.id
          ) as "two_factor?"
        from (values ($1::bigint, $2::bigint)) as asked (key_id, user_id)
        left join keys as key
          on key.id = asked.key_id
          and key.usage_type in (0, 1)
        left join users as account on account.id = coalesce(asked.user_id, key.user_id)
        "#,
        key,
        user,
    )
    .fetch_one(db)
    .await?;
    Ok(Requester {
        name,
        key: row.key_id.map(|id| RequesterKey {
            id: KeyId(id),
            deploy: row.deploy.unwrap_or_default(),
            last_used_at: row.last_used_at.map(|at| at.and_utc()),
        }),
        account: row.user_id.map(|id| RequesterAccount {
            id: UserId(id),
            username: row.username.unwrap_or_default(),
            active: row.active.unwrap_or_default(),
            locked_at: row.locked_at.map(|at| at.and_utc()),
            two_factor: row.two_factor.unwrap_or_default(),
        }),
    })
}

//! The last call of each identity provider.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::Result;
use crate::domain::scim::ScimScope;

/// A call of an identity provider that showed its token.
#[derive(Debug, Clone)]
pub struct ScimCall {
    /// Whose users it is about.
    pub scope: ScimScope,
    /// When it was answered.
    pub called_at: DateTime<Utc>,
    /// `PATCH` and so on.
    pub method: String,
    /// The pattern of its route; its path where there is no such route.
    pub route: String,
    /// The status of the answer.
    pub status: u16,
}

/// Keeps these calls, one a scope, in place of what is known of earlier ones.
pub async fn upsert(db: impl PgExecutor<'_>, calls: &[ScimCall]) -> Result<()> {
    let group = |call: &ScimCall| match call.scope {
        ScimScope::Group(id) => Some(id.0),
        ScimScope::Instance => None,
    };
    let groups: Vec<Option<i64>> = calls.iter().map(group).collect();
    let times: Vec<DateTime<Utc>> = calls.iter().map(|call| call.called_at).collect();
    let methods: Vec<String> = calls.iter().map(|call| call.method.chars().take(16).collect()).collect();
    let routes: Vec<String> = calls.iter().map(|call| call.route.chars().take(255).collect()).collect();
    let statuses: Vec<i16> = calls.iter().map(|call| i16::try_from(call.status).unwrap_or_default()).collect();
    sqlx::query!(
        r#"
        insert into scim_calls (group_id, called_at, method, route, status)
        select called.*
        from unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::text[], $5::smallint[])
          as called (group_id, called_at, method, route, status)
        -- A group that is gone meanwhile has no last call.
        where called.group_id is null
          or exists (select from namespaces where namespaces.id = called.group_id)
        on conflict (group_id) do update
        set called_at = excluded.called_at, method = excluded.method, route = excluded.route, status = excluded.status
        where scim_calls.called_at <= excluded.called_at
        "#,
        groups.as_slice() as &[Option<i64>],
        times.as_slice(),
        methods.as_slice(),
        routes.as_slice(),
        statuses.as_slice(),
    )
    .execute(db)
    .await?;
    Ok(())
}

//! The certificate authorities of groups, and the users that they may vouch for.

use chrono::NaiveDate;
use sqlx::PgExecutor;

use super::Result;
use crate::domain::certificate::CertificateTrust;

/// The groups that trust the authority with this SHA-256 fingerprint, and what the user of that name or primary address
/// is to each.
pub async fn list_trust(
    db: impl PgExecutor<'_>,
    fingerprint: &[u8],
    user: &str,
    today: NaiveDate,
) -> Result<Vec<CertificateTrust>> {
    let rows = sqlx::query_as!(
        CertificateTrust,
        r#"
        select
          routes.path as "group",
          account.username as "username?",
          exists (
            select
            from members
            where members.user_id = account.id
              and members.source_type = 'Namespace'
              and members.source_id = any (namespaces.traversal_ids)
              and gatehouse_is_active_member(members, $3)
          ) as "member!",
          coalesce(user_details.enterprise_group_id = namespaces.id, false) as "enterprise!"
        from group_ssh_certificates
        join namespaces on namespaces.id = group_ssh_certificates.namespace_id
        join routes on routes.source_type = 'Namespace' and routes.source_id = namespaces.id
        left join lateral (
          select users.id, users.username
          from users
          where lower(users.username) = lower($2)
             or lower(users.email) = lower($2)
          order by lower(users.username) = lower($2) desc, users.id
          limit 1
        ) as account on true
        left join user_details on user_details.user_id = account.id
        where group_ssh_certificates.fingerprint = $1
        order by group_ssh_certificates.id
        "#,
        fingerprint,
        user,
        today,
    )
    .fetch_all(db)
    .await?;
    Ok(rows)
}

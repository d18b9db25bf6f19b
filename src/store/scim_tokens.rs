//! The tokens of identity providers, of which only digests are kept, and the groups that they are for.

use sqlx::PgExecutor;

use super::Result;
use crate::domain::ids::NamespaceId;
use crate::domain::level::AccessLevel;
use crate::domain::scim::ScimScope;
use crate::domain::scim::tenant::SamlProvider;

/// A group, as far as provisioning asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SamlGroupRow {
    /// `namespaces.id`
    pub id: NamespaceId,
    /// `namespaces.name`
    pub name: String,
    /// `routes.path`
    pub path: String,
    /// The top-level group around it, or itself.
    pub root: NamespaceId,
    /// Its SAML provider.
    pub saml: Option<SamlProvider>,
}

/// Whose users the token of that digest opens.
pub async fn find_scope(db: impl PgExecutor<'_>, digest: &[u8; 32]) -> Result<Option<ScimScope>> {
    let row = sqlx::query!(
        r#"
        select group_id as "group_id?"
        from group_scim_auth_access_tokens
        where token_encrypted = $1
        union all
        select group_id
        from scim_oauth_access_tokens
        where token_encrypted = encode($1, 'hex')
        limit 1
        "#,
        digest.as_slice()
    );
    let row = row.fetch_optional(db).await?;
    Ok(row.map(|row| row.group_id.map_or(ScimScope::Instance, |id| ScimScope::Group(NamespaceId(id)))))
}

/// Gives a scope this token; the one before it is good no more.
///
/// # Errors
/// Where the database does not answer, or has no such group.
pub async fn replace(db: impl PgExecutor<'_>, scope: ScimScope, digest: &[u8; 32]) -> Result<()> {
    match scope {
        ScimScope::Group(group) => {
            sqlx::query!(
                "
                insert into group_scim_auth_access_tokens (group_id, token_encrypted)
                values ($1, $2)
                on conflict (group_id) do update
                set token_encrypted = excluded.token_encrypted,
                    updated_at = now()
                ",
                group.0,
                digest.as_slice()
            )
            .execute(db)
            .await?;
        }
        ScimScope::Instance => {
            sqlx::query!(
                "
                insert into scim_oauth_access_tokens (token_encrypted)
                values (encode($1, 'hex'))
                on conflict ((group_id is null)) where group_id is null do update
                set token_encrypted = excluded.token_encrypted,
                    updated_at = now()
                ",
                digest.as_slice()
            )
            .execute(db)
            .await?;
        }
    }
    Ok(())
}

/// The group of that path in any letter case, or of that id where it is digits.
pub async fn find_group(db: impl PgExecutor<'_>, path: &str) -> Result<Option<SamlGroupRow>> {
    let id = path.bytes().all(|byte| byte.is_ascii_digit()).then(|| path.parse::<i64>().unwrap_or(0));
    let row = sqlx::query!(
        r#"
        select
          namespaces.id,
          namespaces.name,
          routes.path,
          coalesce(namespaces.traversal_ids[1], namespaces.id) as "root!",
          saml_providers.id as "saml_id?",
          saml_providers.enabled as "enabled?",
          saml_providers.enforced_sso as "enforced_sso?",
          saml_providers.default_membership_role as "default_role?",
          saml_providers.member_role_id as "member_role?"
        from namespaces
        join routes on routes.source_type = 'Namespace' and routes.source_id = namespaces.id
        left join saml_providers on saml_providers.group_id = namespaces.id and namespaces.parent_id is null
        where namespaces.type = 'Group'
          and (
            ($1::bigint is not null and namespaces.id = $1)
            or ($1::bigint is null and namespaces.id = (
              select source_id
              from routes
              where source_type = 'Namespace'
                and lower(path) = lower($2)
              order by path = $2 desc, id
              limit 1
            ))
          )
        order by saml_providers.id
        limit 1
        "#,
        id,
        path
    );
    let Some(row) = row.fetch_optional(db).await? else { return Ok(None) };
    let saml = row.saml_id.map(|id| SamlProvider {
        id,
        enabled: row.enabled.unwrap_or(false),
        enforced_sso: row.enforced_sso.unwrap_or(false),
        default_role: row.default_role.map_or(AccessLevel::GUEST, |level| AccessLevel(level.into())),
        member_role: row.member_role,
    });
    Ok(Some(SamlGroupRow {
        id: NamespaceId(row.id),
        name: row.name,
        path: row.path,
        root: NamespaceId(row.root),
        saml,
    }))
}

/// The SHA-256 of the scope's token.
pub async fn find_token(db: impl PgExecutor<'_>, scope: ScimScope) -> Result<Option<Vec<u8>>> {
    let digest = match scope {
        ScimScope::Group(group) => {
            sqlx::query_scalar!(
                "select token_encrypted from group_scim_auth_access_tokens where group_id = $1",
                group.0
            )
            .fetch_optional(db)
            .await?
        }
        ScimScope::Instance => sqlx::query_scalar!(
            r#"select decode(token_encrypted, 'hex') as "digest!" from scim_oauth_access_tokens where group_id is null"#
        )
        .fetch_optional(db)
        .await?,
    };
    Ok(digest)
}

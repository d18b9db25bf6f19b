//! Users as the public REST API shows them.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use sqlx::PgExecutor;

use super::RestName;
use crate::store::Result;

/// What everybody may know of a user.
#[derive(Debug, Clone)]
pub struct BasicUserRow {
    /// `users.id`
    pub id: i64,
    /// `users.username`
    pub username: String,
    /// `users.name`
    pub name: String,
    /// `users.state`
    pub state: String,
    /// `users.public_email`
    pub public_email: Option<String>,
    /// Whether too many wrong passwords locked the account.
    pub locked: bool,
    /// `users.updated_at`
    pub updated_at: Option<NaiveDateTime>,
}

/// These users, by their ids.
pub async fn list_basic(db: impl PgExecutor<'_>, ids: &[i64]) -> Result<HashMap<i64, BasicUserRow>> {
    let rows = sqlx::query_as!(
        BasicUserRow,
        r#"
        select
          id,
          coalesce(username, '') as "username!",
          coalesce(name, '') as "name!",
          state,
          nullif(public_email, '') as public_email,
          coalesce(locked_at > (now() at time zone 'utc') - interval '10 minutes', false) as "locked!",
          updated_at
        from users
        where id = any ($1)
        "#,
        ids
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (row.id, row)).collect())
}

/// The user of that id or username.
pub async fn find_basic(db: impl PgExecutor<'_>, name: &RestName) -> Result<Option<BasicUserRow>> {
    let row = sqlx::query_as!(
        BasicUserRow,
        r#"
        select
          id,
          coalesce(username, '') as "username!",
          coalesce(name, '') as "name!",
          state,
          nullif(public_email, '') as public_email,
          coalesce(locked_at > (now() at time zone 'utc') - interval '10 minutes', false) as "locked!",
          updated_at
        from users
        where id = $1
          or lower(username) = lower($2)
        "#,
        name.id(),
        name.path()
    );
    Ok(row.fetch_optional(db).await?)
}

/// All that is shown of a user to themself and to administrators.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "GitLab's columns")]
pub struct ProfileRow {
    /// What everybody may know.
    pub basic: BasicUserRow,
    /// `users.user_type`
    pub user_type: i16,
    /// `users.email`
    pub email: String,
    /// `users.commit_email`
    pub commit_email: Option<String>,
    /// `users.admin`
    pub admin: bool,
    /// `users.auditor`
    pub auditor: bool,
    /// `users.external`
    pub external: bool,
    /// `users.private_profile`
    pub private_profile: bool,
    /// `users.can_create_group`
    pub can_create_group: bool,
    /// `users.projects_limit`
    pub projects_limit: i32,
    /// Whether the account has a second factor.
    pub two_factor: bool,
    /// `users.note`
    pub note: Option<String>,
    /// `users.preferred_language`
    pub preferred_language: Option<String>,
    /// `users.created_at`
    pub created_at: Option<NaiveDateTime>,
    /// `users.confirmed_at`
    pub confirmed_at: Option<NaiveDateTime>,
    /// `users.current_sign_in_at`
    pub current_sign_in_at: Option<NaiveDateTime>,
    /// `users.last_sign_in_at`
    pub last_sign_in_at: Option<NaiveDateTime>,
    /// `users.sign_in_count`
    pub sign_in_count: i32,
    /// `users.last_activity_on`
    pub last_activity_on: Option<NaiveDate>,
    /// `users.created_by_id`
    pub created_by: Option<i64>,
    /// Their personal namespace.
    pub namespace: Option<i64>,
    /// What they say of themselves.
    pub texts: ProfileTexts,
    /// `user_details.provisioned_by_group_id`
    pub provisioned_by_group: Option<i64>,
    /// `user_details.enterprise_group_id`
    pub enterprise_group: Option<i64>,
    /// `user_details.enterprise_group_associated_at`
    pub enterprise_since: Option<DateTime<Utc>>,
}

/// What a user says of themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProfileTexts {
    /// `user_details.bio`
    pub bio: String,
    /// `user_details.location`
    pub location: String,
    /// `user_details.linkedin`
    pub linkedin: String,
    /// `user_details.twitter`
    pub twitter: String,
    /// `user_details.discord`
    pub discord: String,
    /// `user_details.github`
    pub github: String,
    /// `user_details.website_url`
    pub website_url: String,
    /// `user_details.organization`
    pub organization: String,
    /// `user_details.job_title`
    pub job_title: String,
    /// `user_details.pronouns`
    pub pronouns: String,
}

/// The profiles of these users, in the order of the ids; those that are gone meanwhile are left out.
pub async fn list_profiles(db: impl PgExecutor<'_>, ids: &[i64]) -> Result<Vec<ProfileRow>> {
    let rows = sqlx::query!(
        r#"
        select
          users.id,
          coalesce(users.username, '') as "username!",
          coalesce(users.name, '') as "name!",
          users.state,
          nullif(users.public_email, '') as public_email,
          coalesce(users.locked_at > (now() at time zone 'utc') - interval '10 minutes', false) as "locked!",
          users.updated_at,
          users.user_type,
          users.email,
          nullif(users.commit_email, '') as commit_email,
          users.admin,
          users.auditor,
          coalesce(users.external, false) as "external!",
          users.private_profile,
          users.can_create_group,
          users.projects_limit,
          users.otp_required_for_login or exists (
            select
            from webauthn_registrations
            where webauthn_registrations.user_id = users.id
          ) as "two_factor!",
          users.note,
          users.preferred_language,
          users.created_at,
          users.confirmed_at,
          users.current_sign_in_at,
          users.last_sign_in_at,
          users.sign_in_count,
          users.last_activity_on,
          users.created_by_id,
          (
            select namespaces.id
            from namespaces
            where namespaces.owner_id = users.id
              and namespaces.type = 'User'
            order by namespaces.id
            limit 1
          ) as "namespace?",
          coalesce(details.bio, '') as "bio!",
          coalesce(details.location, '') as "location!",
          coalesce(details.linkedin, '') as "linkedin!",
          coalesce(details.twitter, '') as "twitter!",
          coalesce(details.discord, '') as "discord!",
          coalesce(details.github, '') as "github!",
          coalesce(details.website_url, '') as "website_url!",
          coalesce(details.organization, '') as "organization!",
          coalesce(details.job_title, '') as "job_title!",
          coalesce(details.pronouns, '') as "pronouns!",
          details.provisioned_by_group_id as "provisioned_by_group?",
          details.enterprise_group_id as "enterprise_group?",
          details.enterprise_group_associated_at as "enterprise_since?"
        from unnest($1::bigint[]) with ordinality as wanted (id, place)
        join users on users.id = wanted.id
        left join user_details as details on details.user_id = users.id
        order by wanted.place
        "#,
        ids
    );
    let rows = rows.fetch_all(db).await?;
    let profiles = rows.into_iter().map(|row| ProfileRow {
        basic: BasicUserRow {
            id: row.id,
            username: row.username,
            name: row.name,
            state: row.state,
            public_email: row.public_email,
            locked: row.locked,
            updated_at: row.updated_at,
        },
        user_type: row.user_type,
        email: row.email,
        commit_email: row.commit_email,
        admin: row.admin,
        auditor: row.auditor,
        external: row.external,
        private_profile: row.private_profile,
        can_create_group: row.can_create_group,
        projects_limit: row.projects_limit,
        two_factor: row.two_factor,
        note: row.note,
        preferred_language: row.preferred_language,
        created_at: row.created_at,
        confirmed_at: row.confirmed_at,
        current_sign_in_at: row.current_sign_in_at,
        last_sign_in_at: row.last_sign_in_at,
        sign_in_count: row.sign_in_count,
        last_activity_on: row.last_activity_on,
        created_by: row.created_by_id,
        namespace: row.namespace,
        texts: ProfileTexts {
            bio: row.bio,
            location: row.location,
            linkedin: row.linkedin,
            twitter: row.twitter,
            discord: row.discord,
            github: row.github,
            website_url: row.website_url,
            organization: row.organization,
            job_title: row.job_title,
            pronouns: row.pronouns,
        },
        provisioned_by_group: row.provisioned_by_group,
        enterprise_group: row.enterprise_group,
        enterprise_since: row.enterprise_since,
    });
    Ok(profiles.collect())
}

/// Who a user is at a provider.
#[derive(Debug, Clone)]
pub struct UserIdentityRow {
    /// `identities.user_id`
    pub user: i64,
    /// `identities.provider`
    pub provider: String,
    /// `identities.extern_uid`
    pub extern_uid: String,
    /// `identities.saml_provider_id`
    pub saml_provider: Option<i64>,
}

/// Who these users are at providers.
pub async fn list_identities(db: impl PgExecutor<'_>, users: &[i64]) -> Result<Vec<UserIdentityRow>> {
    let rows = sqlx::query_as!(
        UserIdentityRow,
        r#"
        select
          user_id as "user!",
          coalesce(provider, '') as "provider!",
          coalesce(extern_uid, '') as "extern_uid!",
          saml_provider_id as saml_provider
        from identities
        where user_id = any ($1)
        order by id
        "#,
        users
    );
    Ok(rows.fetch_all(db).await?)
}

/// Who a user is to an identity provider that provisions.
#[derive(Debug, Clone)]
pub struct UserScimRow {
    /// `scim_identities.user_id`
    pub user: i64,
    /// `scim_identities.extern_uid`
    pub extern_uid: String,
    /// `scim_identities.group_id`
    pub group: Option<i64>,
    /// `scim_identities.active`
    pub active: bool,
}

/// Who these users are to identity providers that provision.
pub async fn list_scim_identities(db: impl PgExecutor<'_>, users: &[i64]) -> Result<Vec<UserScimRow>> {
    let rows = sqlx::query_as!(
        UserScimRow,
        r#"
        select user_id as "user!", extern_uid, group_id as "group", coalesce(active, false) as "active!"
        from scim_identities
        where user_id = any ($1)
        order by id
        "#,
        users
    );
    Ok(rows.fetch_all(db).await?)
}

//! A new account for a user that an identity provider takes on.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::provision_scim_user::ScimAccount;
use super::scim_error::ScimUserError;
use crate::domain::scim::new_user::NewScimUser;
use crate::domain::scim::refusal::ScimRefusal;
use crate::domain::scim::tenant::ScimTenant;
use crate::domain::scim::username;
use crate::domain::user_type::UserType;
use crate::store::users::UserRow;
use crate::store::{self, derived, namespaces, scim_users, users};

/// How many projects a new user may have.
const PROJECTS_LIMIT: i32 = 100_000;

/// Makes a user with a personal namespace, and for a group with an account at its SAML provider.
pub(super) async fn create_account(
    conn: &mut PgConnection,
    tenant: &ScimTenant,
    new_user: &NewScimUser,
    now: DateTime<Utc>,
) -> Result<ScimAccount, ScimUserError> {
    let name = new_user.full_name()?;
    if let ScimTenant::Group(group) = tenant
        && scim_users::has_saml_account(&mut *conn, group.provider.id, new_user.extern_uid()).await?
    {
        return Err(ScimRefusal::ExternUidTaken.into());
    }
    let username = find_free_username(conn, new_user, now).await?.ok_or(ScimRefusal::NoFreeUsername)?;
    let confirmed_at = (!scim_users::confirms_addresses(&mut *conn).await?).then(|| now.naive_utc());
    let row = UserRow {
        username: username.clone(),
        name: name.whole.clone().into_owned(),
        email: new_user.email().to_owned(),
        state: "active".to_owned(),
        user_type: UserType::Human.number(),
        admin: false,
        auditor: false,
        external: false,
        can_create_group: true,
        projects_limit: PROJECTS_LIMIT,
        private_profile: false,
        confirmed_at,
    };
    let id = users::insert(&mut *conn, None, &row).await?;
    let namespace = namespaces::insert_personal(&mut *conn, id, &username, &name.whole).await?;
    derived::refresh_namespace(conn, namespace).await?;
    scim_users::update_names(&mut *conn, id, &name).await?;
    if let ScimTenant::Group(group) = tenant {
        scim_users::upsert_provisioning_group(&mut *conn, id, group.id, confirmed_at, now).await?;
        scim_users::insert_saml_account(&mut *conn, id, group.provider.id, new_user.extern_uid()).await?;
    }
    Ok(ScimAccount { id, username })
}

/// The first user name to try that nobody has.
async fn find_free_username(
    conn: &mut PgConnection,
    new_user: &NewScimUser,
    now: DateTime<Utc>,
) -> store::Result<Option<String>> {
    for candidate in username::candidates(new_user.user_name(), now.timestamp()) {
        if scim_users::is_username_free(&mut *conn, &candidate).await? {
            return Ok(Some(candidate));
        }
    }
    Ok(None)
}

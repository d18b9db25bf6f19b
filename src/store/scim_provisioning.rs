//! SCIM: taking users on and off, in the one transaction that the caller opens and commits.
//!
//! Who asks for the same user waits for the other: by advisory locks before there is an identity, by the identity's row
//! afterwards. The unique indexes stand behind that; see [`super::Error::is_lost_race`].

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{PgConnection, PgExecutor};

use super::scim::{self, HeldIdentity};
use super::users::{self, UserRow};
use super::{Result, audit_events, derived, namespaces};
use crate::domain::audit::{Author, Entity, Event, EventName, Target};
use crate::domain::ids::{NamespaceId, UserId};
use crate::domain::level::AccessLevel;
use crate::domain::scim::ScimScope;
use crate::domain::scim::email_owner::{AccountKnownTo, EmailOwner};
use crate::domain::scim::new_user::{NewScimUser, check_extern_uid};
use crate::domain::scim::refusal::ScimRefusal;
use crate::domain::scim::tenant::{SamlGroup, ScimTenant};
use crate::domain::scim::username;

/// How it went.
#[derive(Debug)]
pub enum Outcome {
    /// All is written, these events too. The caller commits, and logs them.
    Done(Vec<Event>),
    /// A rule stands against it. The caller rolls back.
    Refused(ScimRefusal),
}

/// What should be different about an identity; `None` is left as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Taken on or off.
    pub active: Option<bool>,
    /// What the provider calls the user.
    pub extern_uid: Option<String>,
}

/// A user as far as rules look at them.
struct Person {
    id: UserId,
    username: String,
    email: String,
    is_bot: bool,
}

/// Takes somebody on: whoever has the identity already, else whoever has the address, else a new user.
///
/// # Errors
/// Where the database does not answer, or another writer was faster.
pub async fn provision(
    conn: &mut PgConnection,
    tenant: &ScimTenant,
    newcomer: &NewScimUser,
    now: DateTime<Utc>,
) -> Result<Outcome> {
    let scope = tenant.scope();
    lock(conn, scope, newcomer).await?;
    if let Some(held) = scim::hold(&mut *conn, scope, newcomer.extern_uid()).await? {
        // What the request says of somebody who is known already does not count, except that it takes them on.
        if !newcomer.active() {
            return Ok(Outcome::Done(Vec::new()));
        }
        return finish(conn, tenant, &held, &held.extern_uid, Some(true), now, true).await;
    }
    if let Err(refusal) = newcomer.check_identity() {
        return Ok(Outcome::Refused(refusal));
    }
    let (person, is_new) = match find_holder(&mut *conn, scope, newcomer.email()).await? {
        Some(holder) if scim::find_id_by_user(&mut *conn, scope, holder.id).await?.is_some() => {
            return Ok(Outcome::Refused(ScimRefusal::UserTaken));
        }
        Some(holder) if !holder.may_be_joined() => return Ok(Outcome::Refused(ScimRefusal::EmailTaken)),
        Some(EmailOwner { id, username, email, is_bot, .. }) => (Person { id, username, email, is_bot }, false),
        None => match insert_user(conn, tenant, newcomer, now).await? {
            Ok(person) => (person, true),
            Err(refusal) => return Ok(Outcome::Refused(refusal)),
        },
    };
    scim::insert(&mut *conn, scope, None, person.id, newcomer.extern_uid(), newcomer.active()).await?;
    let done = if newcomer.active() {
        match tenant {
            ScimTenant::Group(group) => join(conn, group, &person, now.date_naive()).await?,
            ScimTenant::Instance => Ok(()),
        }
    } else {
        take_off(conn, tenant, person.id, now.date_naive()).await?.map(|_| ())
    };
    if let Err(refusal) = done {
        return Ok(Outcome::Refused(refusal));
    }
    let message = if is_new { "User was provisioned by SCIM" } else { "User was linked by SCIM" };
    let event = event(tenant, EventName::UserProvisioned, Some(&person), message);
    audit_events::insert(&mut *conn, &event, now).await?;
    Ok(Outcome::Done(vec![event]))
}

/// Writes down that a provider was refused an account whose address is not shown to be the same person's. Called once the
/// transaction that found the account is over, for it wrote nothing.
pub async fn note_refused(
    db: impl PgExecutor<'_>,
    tenant: &ScimTenant,
    email: &str,
    now: DateTime<Utc>,
) -> Result<Event> {
    // The address, and neither id nor name: who reads the tenant's events may not know the account.
    let message = format!("Another account has the address {email} and was not joined: the address is not confirmed");
    let event = event(tenant, EventName::UserProvisioningRefused, None, &message);
    audit_events::insert(db, &event, now).await?;
    Ok(event)
}

/// Changes an identity that is held: first what it is called, then whether its user is taken on.
///
/// # Errors
/// Where the database does not answer, or another writer was faster.
pub async fn change(
    conn: &mut PgConnection,
    tenant: &ScimTenant,
    held: &HeldIdentity,
    change: &Change,
    now: DateTime<Utc>,
) -> Result<Outcome> {
    let extern_uid = change.extern_uid.as_deref().unwrap_or(&held.extern_uid);
    if extern_uid != held.extern_uid {
        if let Err(refusal) = check_extern_uid(extern_uid) {
            return Ok(Outcome::Refused(refusal));
        }
        let other = scim::find_user_id(&mut *conn, tenant.scope(), extern_uid).await?;
        if other.is_some_and(|other| other != held.user) {
            return Ok(Outcome::Refused(ScimRefusal::ExternUidTaken));
        }
    }
    finish(conn, tenant, held, extern_uid, change.active, now, false).await
}

/// Writes an identity, and takes its user on or off. With `rejoin` an active one is taken on where that came undone.
async fn finish(
    conn: &mut PgConnection,
    tenant: &ScimTenant,
    held: &HeldIdentity,
    extern_uid: &str,
    active: Option<bool>,
    now: DateTime<Utc>,
    rejoin: bool,
) -> Result<Outcome> {
    let today = now.date_naive();
    let person =
        Person { id: held.user, username: held.username.clone(), email: held.email.clone(), is_bot: held.is_bot };
    let name = match active {
        Some(true) if !held.active || rejoin => {
            let done = match tenant {
                ScimTenant::Group(group) => join(conn, group, &person, today).await?,
                ScimTenant::Instance if held.active => Ok(()),
                ScimTenant::Instance => {
                    unblock(&mut *conn, person.id).await?;
                    Ok(())
                }
            };
            if let Err(refusal) = done {
                return Ok(Outcome::Refused(refusal));
            }
            (!held.active).then_some((EventName::UserReactivated, "User was reactivated by SCIM"))
        }
        // Also of one who is off already: somebody may have let the user in by hand.
        Some(false) => match take_off(conn, tenant, person.id, today).await? {
            Ok(changed) if changed || held.active => {
                Some((EventName::UserDeprovisioned, "User was deprovisioned by SCIM"))
            }
            Ok(_) => None,
            Err(refusal) => return Ok(Outcome::Refused(refusal)),
        },
        Some(true) | None => None,
    };
    let active = active.unwrap_or(held.active);
    if active != held.active || extern_uid != held.extern_uid {
        scim::update(&mut *conn, tenant.scope(), held.id, extern_uid, active).await?;
    }
    let mut events = Vec::new();
    if let Some((name, message)) = name {
        let event = event(tenant, name, Some(&person), message);
        audit_events::insert(&mut *conn, &event, now).await?;
        events.push(event);
    }
    Ok(Outcome::Done(events))
}

/// Makes a member of somebody who is none, with the group's default role.
async fn join(
    conn: &mut PgConnection,
    group: &SamlGroup,
    person: &Person,
    today: NaiveDate,
) -> Result<std::result::Result<(), ScimRefusal>> {
    if is_member(&mut *conn, group.id, person.id, today).await? {
        return Ok(Ok(()));
    }
    if !admits_email(&mut *conn, group.id, &person.email).await? {
        return Ok(Err(ScimRefusal::EmailDomain));
    }
    if group.provider.enforced_sso && !person.is_bot && !is_linked(&mut *conn, group.provider.id, person.id).await? {
        return Ok(Err(ScimRefusal::NotLinked));
    }
    sqlx::query!(
        "
        insert into members (
          type, source_type, source_id, member_namespace_id, user_id, access_level, member_role_id, state
        )
        values ('GroupMember', 'Namespace', $1, $1, $2, $3, $4, 0)
        on conflict (source_type, source_id, user_id) where user_id is not null do update
        set access_level = excluded.access_level,
            member_role_id = excluded.member_role_id,
            expires_at = null,
            requested_at = null,
            invite_token = null,
            state = 0,
            updated_at = now() at time zone 'utc'
        where not gatehouse_is_active_member(members, $5)
        ",
        group.id.0,
        person.id.0,
        group.provider.default_role,
        group.provider.member_role,
        today
    )
    .execute(&mut *conn)
    .await?;
    derived::refresh_authorizations(conn, &[person.id], today).await?;
    Ok(Ok(()))
}

/// Ends what the tenant gives somebody; whether there was anything to end.
async fn take_off(
    conn: &mut PgConnection,
    tenant: &ScimTenant,
    user: UserId,
    today: NaiveDate,
) -> Result<std::result::Result<bool, ScimRefusal>> {
    match tenant {
        ScimTenant::Group(group) => {
            let owners = hold_owners(&mut *conn, group.id, today).await?;
            if matches!(&owners[..], [owner] if owner.user == user) {
                return Ok(Err(ScimRefusal::LastOwner));
            }
            let changed = delete_memberships(&mut *conn, group.id, user).await? > 0;
            if changed {
                derived::refresh_authorizations(conn, &[user], today).await?;
            }
            Ok(Ok(changed))
        }
        ScimTenant::Instance => {
            let changed = block(&mut *conn, user).await? > 0;
            delete_sessions(&mut *conn, user).await?;
            Ok(Ok(changed))
        }
    }
}

/// Whoever asks for this identity, this address or this user name waits until the transaction ends. One order for
/// everybody, so that no two wait for each other.
async fn lock(conn: &mut PgConnection, scope: ScimScope, newcomer: &NewScimUser) -> Result<()> {
    let scope = match scope {
        ScimScope::Group(group) => group.to_string(),
        ScimScope::Instance => "instance".to_owned(),
    };
    let name = username::candidates(newcomer.user_name(), 0).next().unwrap_or_default();
    let keys = [
        format!("scim {scope} {}", newcomer.extern_uid().to_lowercase()),
        format!("email {}", newcomer.email().to_lowercase()),
        format!("username {}", name.to_lowercase()),
    ];
    sqlx::query!(
        r#"
        select pg_advisory_xact_lock(key)::text as "void"
        from (
          select distinct hashtextextended(text, 0) as key
          from unnest($1::text[]) as text
          order by key
        ) as keys
        "#,
        &keys
    )
    .fetch_all(conn)
    .await?;
    Ok(())
}

/// A new user with a personal namespace, and for a group with an account at its SAML provider.
async fn insert_user(
    conn: &mut PgConnection,
    tenant: &ScimTenant,
    newcomer: &NewScimUser,
    now: DateTime<Utc>,
) -> Result<std::result::Result<Person, ScimRefusal>> {
    let name = match newcomer.new_name() {
        Ok(name) => name,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if let ScimTenant::Group(group) = tenant
        && has_account(&mut *conn, group.provider.id, newcomer.extern_uid()).await?
    {
        return Ok(Err(ScimRefusal::ExternUidTaken));
    }
    let mut free = None;
    for candidate in username::candidates(newcomer.user_name(), now.timestamp()) {
        if is_free(&mut *conn, &candidate).await? {
            free = Some(candidate);
            break;
        }
    }
    let Some(username) = free else { return Ok(Err(ScimRefusal::NoFreeUsername)) };
    let confirmed_at = (!confirms_addresses(&mut *conn).await?).then(|| now.naive_utc());
    let row = UserRow {
        username: username.clone(),
        name: name.whole.clone().into_owned(),
        email: newcomer.email().to_owned(),
        state: "active".to_owned(),
        user_type: 0,
        admin: false,
        auditor: false,
        external: false,
        can_create_group: true,
        projects_limit: 100_000,
        private_profile: false,
        confirmed_at,
    };
    let id = users::insert(&mut *conn, None, &row).await?;
    let namespace = namespaces::insert_personal(&mut *conn, id, &username, &name.whole).await?;
    derived::refresh_namespace(conn, namespace).await?;
    sqlx::query!(
        "
        update users
        set password_automatically_set = true,
            first_name = $2,
            last_name = $3
        where id = $1
        ",
        id.0,
        name.first,
        name.last
    )
    .execute(&mut *conn)
    .await?;
    if let ScimTenant::Group(group) = tenant {
        // The group manages the account that its provider made: it may vouch for it by SSH certificates.
        sqlx::query!(
        "
        insert into user_details (
          user_id, confirmed_by_group_scim_at, provisioned_by_group_id, enterprise_group_id, enterprise_group_associated_at
        )
        values ($1, $2, $3, $3, $4)
        on conflict (user_id) do update
        set confirmed_by_group_scim_at = excluded.confirmed_by_group_scim_at,
            provisioned_by_group_id = excluded.provisioned_by_group_id,
            enterprise_group_id = excluded.enterprise_group_id,
            enterprise_group_associated_at = excluded.enterprise_group_associated_at
        ",
            id.0,
            confirmed_at,
            group.id.0,
            now
        )
        .execute(&mut *conn)
        .await?;
        sqlx::query!(
            "
            insert into identities (user_id, provider, extern_uid, saml_provider_id)
            values ($1, 'group_saml', $2, $3)
            ",
            id.0,
            newcomer.extern_uid(),
            group.provider.id
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(Ok(Person { id, username, email: row.email, is_bot: false }))
}

/// Who has this address, be it the first or a further one, and first of all who has it confirmed. A further one must be:
/// anybody can add an address. Where an installation asks nobody to confirm, what a group's SCIM makes is confirmed as all
/// else is, but not to other groups: it is the word of one of them.
async fn find_holder(db: impl PgExecutor<'_>, scope: ScimScope, email: &str) -> Result<Option<EmailOwner>> {
    let group = match scope {
        ScimScope::Group(group) => Some(group.0),
        ScimScope::Instance => None,
    };
    let row = sqlx::query!(
        r#"
        with
        found as (
          select
            users.id,
            users.confirmed_at is not null
              and ($1::bigint is null or users.confirmed_at is distinct from user_details.confirmed_by_group_scim_at)
              as is_confirmed,
            1 as place
          from users
          left join user_details on user_details.user_id = users.id
          where lower(users.email) = lower($2)
          union all
          select user_id, true, 2
          from emails
          where lower(email) = lower($2)
            and confirmed_at is not null
          order by is_confirmed desc, place, id
          limit 1
        ),
        -- Whose each identity is; null stands for the installation.
        tenants as (
          select identity.group_id
          from found
          join group_scim_identities as identity on identity.user_id = found.id
          union all
          select identity.group_id
          from found
          join scim_identities as identity on identity.user_id = found.id
          union all
          select saml_providers.group_id
          from found
          join identities as identity on identity.user_id = found.id
          left join saml_providers on saml_providers.id = identity.saml_provider_id
          union all
          select user_details.provisioned_by_group_id
          from found
          join user_details on user_details.user_id = found.id
          where user_details.provisioned_by_group_id is not null
        )
        select
          users.id,
          coalesce(users.username, '') as "username!",
          users.email,
          users.user_type <> 0 as "is_bot!",
          found.is_confirmed as "is_confirmed!",
          exists (select from tenants where group_id is not distinct from $1::bigint) as "is_known_here!",
          exists (select from tenants where group_id is distinct from $1::bigint) as "is_known_elsewhere!"
        from found
        join users on users.id = found.id
        "#,
        group,
        email
    );
    let row = row.fetch_optional(db).await?;
    Ok(row.map(|row| EmailOwner {
        id: UserId(row.id),
        username: row.username,
        email: row.email,
        is_bot: row.is_bot,
        is_confirmed: row.is_confirmed,
        known: match (row.is_known_here, row.is_known_elsewhere) {
            (_, true) => AccountKnownTo::Others,
            (true, false) => AccountKnownTo::RequesterAlone,
            (false, false) => AccountKnownTo::Nobody,
        },
    }))
}

/// Whether no user, group or project has the name.
async fn is_free(db: impl PgExecutor<'_>, username: &str) -> Result<bool> {
    let free = sqlx::query_scalar!(
        r#"
        select not (
          exists (select from users where lower(username) = lower($1))
          or exists (select from namespaces where lower(path) = lower($1))
          or exists (select from namespaces where lower(name) = lower($1))
        ) as "free!"
        "#,
        username
    );
    Ok(free.fetch_one(db).await?)
}

/// Whether new users must show that an address is theirs.
async fn confirms_addresses(db: impl PgExecutor<'_>) -> Result<bool> {
    let setting = sqlx::query_scalar!(
        r#"
        select coalesce(email_confirmation_setting, 0) <> 0 as "confirms!"
        from application_settings
        order by id desc
        limit 1
        "#
    );
    Ok(setting.fetch_optional(db).await?.unwrap_or(false))
}

async fn is_member(db: impl PgExecutor<'_>, group: NamespaceId, user: UserId, today: NaiveDate) -> Result<bool> {
    let member = sqlx::query_scalar!(
        r#"
        select exists (
          select
          from members
          where source_type = 'Namespace'
            and source_id = $1
            and user_id = $2
            and gatehouse_is_active_member(members, $3)
        ) as "member!"
        "#,
        group.0,
        user.0,
        today
    );
    Ok(member.fetch_one(db).await?)
}

async fn admits_email(db: impl PgExecutor<'_>, group: NamespaceId, email: &str) -> Result<bool> {
    let domain = email.rsplit('@').next().unwrap_or_default();
    let admits = sqlx::query_scalar!(
        r#"
        select coalesce(bool_or(lower(domain) = lower($2)), true) as "admits!"
        from allowed_email_domains
        where group_id = $1
        "#,
        group.0,
        domain
    );
    Ok(admits.fetch_one(db).await?)
}

/// Whether somebody signs in with this id at the provider, in any letter case. An id that moved by `PATCH` stays theirs:
/// to give it to another user would let either sign in as the other.
async fn has_account(db: impl PgExecutor<'_>, provider: i64, extern_uid: &str) -> Result<bool> {
    let has = sqlx::query_scalar!(
        r#"
        select exists (
          select
          from identities
          where lower(extern_uid) = lower($2)
            and provider = 'group_saml'
            and saml_provider_id = $1
        ) as "has!"
        "#,
        provider,
        extern_uid
    );
    Ok(has.fetch_one(db).await?)
}

async fn is_linked(db: impl PgExecutor<'_>, provider: i64, user: UserId) -> Result<bool> {
    let linked = sqlx::query_scalar!(
        r#"select exists (select from identities where saml_provider_id = $1 and user_id = $2) as "linked!""#,
        provider,
        user.0
    );
    Ok(linked.fetch_one(db).await?)
}

/// Somebody who owns a group.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner {
    /// Who.
    pub user: UserId,
    /// The group that they are a member of: the group itself or one around it.
    pub of: NamespaceId,
}

/// The owners of a group, by itself or by a group around it, held: of two writers who take off an owner each, the later one
/// sees what the earlier one did.
pub(super) async fn hold_owners(db: impl PgExecutor<'_>, group: NamespaceId, today: NaiveDate) -> Result<Vec<Owner>> {
    let owners = sqlx::query!(
        r#"
        select members.user_id as "user_id!", members.source_id
        from members
        join users on users.id = members.user_id
        where members.source_type = 'Namespace'
          and members.source_id = any (array(select unnest(traversal_ids) from namespaces where id = $1))
          and members.access_level = $2
          and gatehouse_is_active_member(members, $3)
          and users.user_type <> 6
        order by members.id
        for update of members
        "#,
        group.0,
        AccessLevel::OWNER.0,
        today
    );
    let owner = |user, of| Owner { user: UserId(user), of: NamespaceId(of) };
    Ok(owners.fetch_all(db).await?.into_iter().map(|row| owner(row.user_id, row.source_id)).collect())
}

/// Ends the user's memberships and requests for access in a root group and in all below it.
async fn delete_memberships(db: impl PgExecutor<'_>, group: NamespaceId, user: UserId) -> Result<u64> {
    let deleted = sqlx::query!(
        "
        delete from members
        using namespaces
        where members.user_id = $2
          and namespaces.id = members.member_namespace_id
          and namespaces.traversal_ids[1] = $1
        ",
        group.0,
        user.0
    );
    Ok(deleted.execute(db).await?.rows_affected())
}

/// Shuts a user out, as a directory does. Who is shut out otherwise stays so.
async fn block(db: impl PgExecutor<'_>, user: UserId) -> Result<u64> {
    let blocked = sqlx::query!(
        "
        update users
        set state = 'ldap_blocked',
            updated_at = clock_timestamp() at time zone 'utc'
        where id = $1
          and state in ('active', 'deactivated')
        ",
        user.0
    );
    Ok(blocked.execute(db).await?.rows_affected())
}

/// Lets a user in whom a directory shut out. What an administrator decided stands.
async fn unblock(db: impl PgExecutor<'_>, user: UserId) -> Result<()> {
    sqlx::query!(
        "
        update users
        set state = 'active',
            updated_at = clock_timestamp() at time zone 'utc'
        where id = $1
          and state in ('ldap_blocked', 'deactivated')
        ",
        user.0
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Ends the sessions that one-time passwords opened for the user's keys.
async fn delete_sessions(db: impl PgExecutor<'_>, user: UserId) -> Result<()> {
    sqlx::query!("delete from otp_sessions where key_id in (select id from keys where user_id = $1)", user.0)
        .execute(db)
        .await?;
    Ok(())
}

fn event(tenant: &ScimTenant, name: EventName, target: Option<&Person>, message: &str) -> Event {
    let entity = match tenant {
        ScimTenant::Group(group) => Entity::Group(group.id, group.full_path.clone()),
        ScimTenant::Instance => Entity::Instance,
    };
    Event {
        name,
        author: Author::System,
        entity,
        target: target.map(|user| Target { kind: "User", id: user.id.0, details: user.username.clone() }),
        message: message.to_owned(),
        ip_address: None,
    }
}

//! Access tokens of projects and groups: made with a bot that has them, rotated, and taken back.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::audited_change::AuditedChange;
use super::{ServiceError, ServiceResult};
use crate::crypto::secrets::token_salt;
use crate::domain::access_token::{self, AccessTokenFault, KEPT_DAYS, TokenResource};
use crate::domain::audit::EventName;
use crate::domain::ids::{NamespaceId, ProjectId, UserId};
use crate::domain::level::AccessLevel;
use crate::domain::personal_access_token::EndsTooLate;
use crate::domain::rest_policy::{RestOperation, RestStanding};
use crate::domain::token;
use crate::domain::user_type::UserType;
use crate::store::access_tokens::{self, BotTokenRow, NewBot, WhichBotTokens};
use crate::store::members::{self, MemberGrant, MemberSource};
use crate::store::rest::{RestName, found};
use crate::store::tokens::{self, TokenRow};
use crate::store::users::{self, UserRow};
use crate::store::{self, Db, Transaction, derived, ids};

/// Bots that are removed at once.
const ENDED_AT_ONCE: i64 = 100;

/// The project or group of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenPlace {
    /// A project, and its project namespace.
    Project(ProjectId, NamespaceId),
    /// A group.
    Group(NamespaceId),
}

impl TokenPlace {
    /// The namespace that its bots are members of.
    #[must_use]
    pub fn namespace(self) -> NamespaceId {
        let (Self::Project(_, namespace) | Self::Group(namespace)) = self;
        namespace
    }

    /// What it is called.
    #[must_use]
    pub fn resource(self) -> TokenResource {
        match self {
            Self::Project(id, _) => TokenResource::Project(id.0),
            Self::Group(id) => TokenResource::Group(id.0),
        }
    }

    /// What those may do who manage its tokens.
    #[must_use]
    pub fn operation(self) -> RestOperation {
        match self {
            Self::Project(..) => RestOperation::ManageProjectAccessTokens,
            Self::Group(_) => RestOperation::ManageGroupAccessTokens,
        }
    }

    fn source(self) -> MemberSource {
        match self {
            Self::Project(id, namespace) => MemberSource::Project(id, namespace),
            Self::Group(id) => MemberSource::Group(id),
        }
    }
}

/// A token that is to be made.
#[derive(Debug, Clone)]
pub struct NewAccessToken {
    /// What it is called, and its bot.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What it may do.
    pub scopes: Vec<String>,
    /// The first day on which it is refused.
    pub expires_at: Option<NaiveDate>,
    /// What its bot is to the project or group.
    pub level: AccessLevel,
}

/// Who makes a token or has one made anew.
#[derive(Debug, Clone, Copy)]
pub struct TokenMaker {
    /// Whether they are an administrator.
    pub admin: bool,
    /// Whether they are a bot themselves.
    pub bot: bool,
    /// Whether they are an external user.
    pub external: bool,
}

/// What tokens are made with.
#[derive(Debug, Clone, Copy)]
pub struct TokenMint<'a> {
    /// What digests depend on.
    pub db_key_base: &'a SecretString,
    /// The host of the installation, in the addresses of bots.
    pub host: &'a str,
}

/// A token that was made: its text, which nobody will see again, and its row.
#[derive(Debug)]
pub struct IssuedAccessToken {
    /// The text.
    pub text: SecretString,
    /// The row.
    pub row: BotTokenRow,
}

/// Makes a token, with a bot that has it and is a member of the project or group.
pub async fn issue(
    change: &AuditedChange<'_>,
    mint: TokenMint<'_>,
    place: TokenPlace,
    new: &NewAccessToken,
    maker: TokenMaker,
) -> ServiceResult<IssuedAccessToken, AccessTokenFault> {
    if maker.bot {
        return Err(ServiceError::Refused(AccessTokenFault::NotPermitted(place.resource())));
    }
    let mut transaction = change.db.begin().await?;
    // Nobody changes what the maker is to it from here on. Who deletes it takes these locks in the same order.
    derived::lock_root(&mut transaction, place.namespace()).await?;
    change.keep(&mut transaction).await?;
    let standing = standing_now(change, &mut transaction, place, maker).await?;
    if !place.operation().allows(standing) {
        return Err(ServiceError::Refused(AccessTokenFault::NotPermitted(place.resource())));
    }
    if !access_token::covers(standing.level, standing.admin, new.level) {
        return Err(ServiceError::Refused(AccessTokenFault::LevelAboveOwn));
    }
    let policy = tokens::find_policy(&mut *transaction, None).await?;
    let expires_at = policy.end(new.expires_at, change.today()).map_err(too_late)?;
    let bot = make_bot(change, &mut transaction, mint, place, (new, maker)).await?;
    let text = SecretString::from(token::mint(&policy.prefix, rand::random()));
    let row = TokenRow {
        id: 0,
        name: new.name.clone(),
        token_digest: token::digest(text.expose_secret(), token_salt(mint.db_key_base)),
        scopes: token::scopes_to_yaml(&new.scopes),
        expires_at,
        revoked: false,
    };
    let id = access_tokens::insert(&mut *transaction, bot, &row, new.description.as_deref(), None).await?;
    let row = find_written(&mut transaction, place, id, change.today()).await?;
    let message = format!("Scopes: {}", new.scopes.join(", "));
    let object = ("PersonalAccessToken", id, new.name.as_str());
    change.commit(transaction, EventName::AccessTokenIssued, object, message).await?;
    Ok(IssuedAccessToken { text, row })
}

async fn make_bot(
    change: &AuditedChange<'_>,
    transaction: &mut Transaction,
    mint: TokenMint<'_>,
    place: TokenPlace,
    (new, maker): (&NewAccessToken, TokenMaker),
) -> store::Result<UserId> {
    let id = UserId(ids::take(&mut **transaction, "users", 1).await?[0]);
    let username = place.resource().bot_username(rand::random());
    let row = UserRow {
        email: format!("{username}@noreply.{}", mint.host),
        username,
        name: new.name.clone(),
        state: "active".to_owned(),
        user_type: UserType::ProjectBot.number(),
        admin: false,
        auditor: false,
        external: maker.external,
        can_create_group: false,
        projects_limit: 0,
        private_profile: false,
        confirmed_at: Some(change.now.naive_utc()),
    };
    let bot = NewBot { id, namespace: place.namespace(), creator: Some(change.user()), row };
    access_tokens::insert_bots(&mut **transaction, &[bot]).await?;
    // The token ends, and the membership does not: an ended token is listed with its level.
    let grant = MemberGrant { level: new.level.0, expires_at: None };
    members::upsert(&mut **transaction, &[(place.source(), id, grant)], Some(change.user())).await?;
    derived::refresh_authorizations(transaction, &[id], change.today()).await?;
    Ok(id)
}

/// Puts a new token in the place of one, with the same rights, and takes the old one back; nothing where the project or
/// group has no such token.
pub async fn rotate(
    change: &AuditedChange<'_>,
    mint: TokenMint<'_>,
    place: TokenPlace,
    id: i64,
    expires_at: Option<NaiveDate>,
    maker: TokenMaker,
) -> ServiceResult<Option<IssuedAccessToken>, AccessTokenFault> {
    let mut transaction = change.db.begin().await?;
    derived::lock_root(&mut transaction, place.namespace()).await?;
    change.keep(&mut transaction).await?;
    access_tokens::lock(&mut *transaction, id).await?;
    let Some(old) = find(&mut transaction, place, id, change.today()).await? else { return Ok(None) };
    if old.revoked {
        return Err(ServiceError::Refused(AccessTokenFault::Revoked));
    }
    let own = change.user() == old.user;
    let standing = standing_now(change, &mut transaction, place, maker).await?;
    let eligible = place.operation().allows(standing)
        && access_token::covers(standing.level, standing.admin, AccessLevel(old.access_level));
    if !own && !eligible {
        return Err(ServiceError::Refused(AccessTokenFault::NotEligible));
    }
    let policy = tokens::find_policy(&mut *transaction, None).await?;
    let end = access_token::rotated_end(expires_at, &policy, change.today()).map_err(too_late)?;
    let text = SecretString::from(token::mint(&policy.prefix, rand::random()));
    let row = TokenRow {
        id: 0,
        name: old.name.clone(),
        token_digest: token::digest(text.expose_secret(), token_salt(mint.db_key_base)),
        scopes: old.scopes.clone(),
        expires_at: end,
        revoked: false,
    };
    tokens::revoke(&mut *transaction, old.id).await?;
    let description = old.description.as_deref();
    let new = access_tokens::insert(&mut *transaction, old.user, &row, description, Some(old.id)).await?;
    let row = find_written(&mut transaction, place, new, change.today()).await?;
    let message = format!("In the place of token {}", old.id);
    let object = ("PersonalAccessToken", new, old.name.as_str());
    change.commit(transaction, EventName::AccessTokenRotated, object, message).await?;
    Ok(Some(IssuedAccessToken { text, row }))
}

/// Takes a token back; false where the project or group has no such token. Its bot stays for a while.
pub async fn revoke(change: &AuditedChange<'_>, place: TokenPlace, id: i64) -> store::Result<bool> {
    let mut transaction = change.begin().await?;
    access_tokens::lock(&mut *transaction, id).await?;
    let Some(token) = find(&mut transaction, place, id, change.today()).await? else { return Ok(false) };
    if tokens::revoke(&mut *transaction, id).await? {
        let object = ("PersonalAccessToken", id, token.name.as_str());
        change.commit(transaction, EventName::AccessTokenRevoked, object, "Revoked").await?;
    }
    Ok(true)
}

/// Removes bots whose last token ended so long ago that it is no longer listed: how many.
pub async fn remove_ended_bots(db: &Db, now: DateTime<Utc>) -> store::Result<u64> {
    let then = now - TimeDelta::days(KEPT_DAYS.try_into().unwrap_or(i64::MAX));
    let bots = access_tokens::list_ended_bots(db, then, ENDED_AT_ONCE).await?;
    let mut removed = 0;
    for bot in bots {
        let mut transaction = db.begin().await?;
        users::delete(&mut transaction, bot).await?;
        transaction.commit().await?;
        removed += 1;
    }
    Ok(removed)
}

/// What the maker is to the project or group by now.
async fn standing_now(
    change: &AuditedChange<'_>,
    transaction: &mut Transaction,
    place: TokenPlace,
    maker: TokenMaker,
) -> store::Result<RestStanding> {
    let (name, user) = (RestName::Id(place.resource().id()), change.user());
    let level = match place {
        TokenPlace::Project(..) => {
            found::find_project(&mut **transaction, &name, user).await?.map(|project| project.level)
        }
        TokenPlace::Group(_) => {
            found::find_group(&mut **transaction, &name, user, change.today()).await?.map(|group| group.level)
        }
    };
    Ok(RestStanding { level: level.unwrap_or(AccessLevel::NO_ACCESS), admin: maker.admin })
}

fn too_late(EndsTooLate(last): EndsTooLate) -> ServiceError<AccessTokenFault> {
    ServiceError::Refused(AccessTokenFault::TooLong(last))
}

async fn find(
    transaction: &mut Transaction,
    place: TokenPlace,
    id: i64,
    today: NaiveDate,
) -> store::Result<Option<BotTokenRow>> {
    Ok(access_tokens::list(&mut **transaction, place.namespace(), WhichBotTokens::one(id), today).await?.pop())
}

/// The token that was written just now.
async fn find_written(
    transaction: &mut Transaction,
    place: TokenPlace,
    id: i64,
    today: NaiveDate,
) -> store::Result<BotTokenRow> {
    // Its bot is a member, or the transaction would not have come this far.
    find(transaction, place, id, today).await?.ok_or_else(store::silence)
}

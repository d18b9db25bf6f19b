//! Who calls the public REST API: a user with a personal access token, or an administrator who acts as somebody else
//! (rest.md 1.2 to 1.4).

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use serde_json::{Map, Value};

use super::personal_access_token::{TokenAuth, TokenRefusal};
use crate::domain::audit::RestAuthor;
use crate::domain::ids::UserId;
use crate::domain::level::AccessLevel;
use crate::domain::presented_token::{TokenNeed, TokenOwner, TokenRejection};
use crate::domain::rest_policy::RestStanding;
use crate::domain::rest_scope::{self, ScopePass};
use crate::domain::user_type::UserType;
use crate::http::client_address::ClientAddresses;
use crate::http::error::ApiError;
use crate::http::grape::{BodyDoorkeeper, GrapeParameters};
use crate::http::rest::fault::RestRefusal;
use crate::services::acting_user::ActingUser;
use crate::store::rest::{RestName, callers};
use crate::store::tokens::KnownToken;

/// Shows that somebody called who may act, and whose token opens this request.
#[derive(Debug, Clone)]
pub struct RestCaller(Arc<CallerFacts>);

#[derive(Debug)]
struct CallerFacts {
    account: TokenOwner,
    admin: bool,
    token: KnownToken,
    pass: ScopePass,
    /// The administrator who acts as the account.
    sudoer: Option<(UserId, String)>,
    address: IpAddr,
}

impl RestCaller {
    /// As whom everything happens.
    #[must_use]
    pub fn id(&self) -> UserId {
        self.0.account.id
    }

    /// Their username.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.0.account.username
    }

    /// Whether they are an administrator, and may be one by this token.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.0.admin
    }

    /// Whether they are an external user.
    #[must_use]
    pub fn is_external(&self) -> bool {
        self.0.account.external
    }

    /// Whether it is the bot of a project's or group's access token.
    #[must_use]
    pub fn is_bot(&self) -> bool {
        self.0.account.kind == UserType::ProjectBot
    }

    /// Refuses bots: nothing that they make for themselves may outlive their token.
    ///
    /// # Errors
    /// 403 for bots
    pub fn no_bot(&self) -> Result<(), RestRefusal> {
        if self.is_bot() { Err(RestRefusal::Forbidden) } else { Ok(()) }
    }

    /// What kind of account it is.
    #[must_use]
    pub fn kind(&self) -> UserType {
        self.0.account.kind
    }

    /// The token that the request came with: the administrator's, where one acts as somebody else.
    #[must_use]
    pub fn token(&self) -> &KnownToken {
        &self.0.token
    }

    /// Whether the token is good for this request only if that is about the token itself.
    #[must_use]
    pub fn is_for_own_token_alone(&self) -> bool {
        self.0.pass == ScopePass::OwnToken
    }

    /// From where they call.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.0.address
    }

    /// What they are to something in which they have this level.
    #[must_use]
    pub fn standing(&self, level: AccessLevel) -> RestStanding {
        RestStanding { level, admin: self.is_admin() }
    }

    /// The visibilities that let them see what they do not belong to.
    #[must_use]
    pub fn open_levels(&self) -> Vec<i32> {
        if self.is_external() { vec![20] } else { vec![10, 20] }
    }

    /// Who acts, for what changes groups, projects and members.
    #[must_use]
    pub fn acting(&self) -> ActingUser {
        ActingUser { author: self.author(), admin: self.is_admin() }
    }

    /// Who is named as the author of what they do.
    #[must_use]
    pub fn author(&self) -> RestAuthor {
        let account = (self.id(), self.username().to_owned());
        let (author, on_behalf_of) = match &self.0.sudoer {
            Some(sudoer) => (sudoer.clone(), Some(account)),
            None => (account, None),
        };
        RestAuthor { id: author.0, username: author.1, on_behalf_of, ip_address: Some(self.address()) }
    }
}

impl<S: Sync> FromRequestParts<S> for RestCaller {
    type Rejection = RestRefusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, RestRefusal> {
        parts.extensions.get().cloned().ok_or(RestRefusal::Unauthorized)
    }
}

/// Shows that an administrator called.
#[derive(Debug, Clone)]
pub struct RestAdmin(RestCaller);

impl RestAdmin {
    /// Who it is.
    #[must_use]
    pub fn caller(&self) -> &RestCaller {
        &self.0
    }
}

impl<S: Sync> FromRequestParts<S> for RestAdmin {
    type Rejection = RestRefusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, RestRefusal> {
        let caller = RestCaller::from_request_parts(parts, state).await?;
        if caller.is_admin() { Ok(Self(caller)) } else { Err(RestRefusal::Forbidden) }
    }
}

/// What the layer checks against.
#[derive(Debug, Clone)]
pub struct RestAuth {
    /// Where tokens are known.
    pub tokens: TokenAuth,
    /// Where clients are.
    pub addresses: ClientAddresses,
}

impl RestAuth {
    async fn judge(&self, head: &Parts, parameters: &Map<String, Value>) -> Result<RestCaller, TokenRefusal> {
        let headers = &head.headers;
        let token = self.tokens.judge(parameters, headers, TokenNeed::Any).await?;
        let reads = matches!(head.method, Method::GET | Method::HEAD);
        let refused = |scope| TokenRefusal::of(TokenRejection::Scope(scope), &self.tokens.url);
        let pass = rest_scope::judge(&token.presented.scopes, reads, head.uri.path()).map_err(refused)?;
        let address = self.addresses.find(&head.extensions, headers);
        let owner = &token.presented.owner;
        let Some(named) = sudo(parameters, headers)? else {
            let (account, admin) = (owner.clone(), token.presented.is_administrators());
            return Ok(RestCaller(Arc::new(CallerFacts { account, admin, token, pass, sudoer: None, address })));
        };
        if !token.presented.is_administrators() {
            return Err(ApiError::Forbidden("Must be admin to use sudo").into());
        }
        if !token.presented.scopes.iter().any(|scope| scope == "sudo") {
            return Err(refused("sudo"));
        }
        let account = self.find_account(&named).await?;
        if let Some(denial) = account.denial() {
            return Err(TokenRefusal::of(TokenRejection::Account(denial), &self.tokens.url));
        }
        let admin = token.presented.makes_administrator(&account);
        let sudoer = Some((owner.id, owner.username.clone()));
        Ok(RestCaller(Arc::new(CallerFacts { account, admin, token, pass, sudoer, address })))
    }

    async fn find_account(&self, named: &str) -> Result<TokenOwner, TokenRefusal> {
        let found = match RestName::parse(named) {
            Some(name) => callers::find(self.tokens.db.pool(), &name).await?,
            None => None,
        };
        let unknown = || format!("404 User with ID or username '{named}' Not Found");
        found.ok_or_else(|| ApiError::Refused(StatusCode::NOT_FOUND, unknown()).into())
    }
}

/// As whom an administrator wants to act: the parameter goes before the header. One that names nobody is no reason to act
/// as the administrator.
///
/// # Errors
/// 400 for what is no text.
fn sudo(parameters: &Map<String, Value>, headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let odd = || ApiError::Invalid("sudo is invalid".to_owned());
    match parameters.get("sudo") {
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(Value::Null) | None => match headers.get("sudo") {
            Some(value) => value.to_str().map(|text| Some(text.to_owned())).map_err(|_| odd()),
            None => Ok(None),
        },
        Some(_) => Err(odd()),
    }
}

impl BodyDoorkeeper for RestAuth {
    /// Whoever has a token that is good for something: what it is good for is judged later.
    async fn admit_more(&self, head: &Parts) -> Result<(), TokenRefusal> {
        let parameters = GrapeParameters::in_query(head.uri.query().unwrap_or_default())?;
        self.tokens.judge(parameters.map(), &head.headers, TokenNeed::Any).await.map(drop)
    }
}

/// The layer of the whole API: leaves a [`RestCaller`] on the request, or refuses it.
///
/// # Errors
/// 401 without a good token; 403 where its scopes or its owner do not suffice, or the owner may not act as somebody
/// else; 404 where there is nobody to act as.
pub async fn require(State(auth): State<RestAuth>, request: Request, next: Next) -> Result<Response, TokenRefusal> {
    let (mut head, body) = request.into_parts();
    let parameters = head.extensions.get::<GrapeParameters>().map(|read| read.map().clone()).unwrap_or_default();
    let caller = auth.judge(&head, &parameters).await?;
    head.extensions.insert(caller);
    Ok(next.run(Request::from_parts(head, body)).await)
}

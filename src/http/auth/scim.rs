//! Identity providers: a bearer token that opens one group, or the installation (scim.md section 1).

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use axum::middleware::Next;
use axum::response::Response;

use crate::domain::scim::Scope;
use crate::domain::scim::tenant::Tenant;
use crate::domain::token;
use crate::http::scim::ScimSettings;
use crate::http::scim::address::{Address, Base, GroupName, Resource};
use crate::http::scim::error::ScimError;
use crate::store::{Db, scim};

/// The longest token that is looked up, in bytes.
const TOKEN_BYTES: usize = 255;
/// The longest URL that is read, in bytes.
const URL_BYTES: usize = 16 * 1024;

/// Shows that a client called with the token of the group or the installation that its URL names.
#[derive(Debug, Clone)]
pub struct ScimCaller {
    tenant: Tenant,
    resource: Resource,
    base: String,
}

impl ScimCaller {
    /// Whose users the client provisions.
    #[must_use]
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// What the URL names there.
    #[must_use]
    pub fn resource(&self) -> &Resource {
        &self.resource
    }

    /// The URL under which everything of the tenant is.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }
}

impl<S: Sync> FromRequestParts<S> for ScimCaller {
    type Rejection = ScimError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ScimError> {
        parts.extensions.get().cloned().ok_or(ScimError::Unauthorized)
    }
}

/// What the layer checks against.
#[derive(Debug, Clone)]
pub struct ScimAuth {
    /// Where tokens are known.
    pub db: Db,
    /// What is switched on.
    pub settings: ScimSettings,
}

impl ScimAuth {
    async fn admit(&self, uri: &Uri, headers: &HeaderMap) -> Result<ScimCaller, ScimError> {
        if uri.path_and_query().is_some_and(|text| text.as_str().len() > URL_BYTES) {
            return Err(ScimError::UriTooLong);
        }
        let address = Address::parse(uri.path()).ok_or(ScimError::NoSuchUrl)?;
        if matches!(address.base, Base::Group(..)) && !self.settings.groups {
            return Err(ScimError::Forbidden("Group SAML not enabled."));
        }
        let token = self.presented(uri, headers).ok_or(ScimError::Unauthorized)?;
        // The token goes first: who has none learns nothing about which groups there are.
        let opens = scim::find_scope_of_token(self.db.pool(), &token::sha256(&token)).await?;
        let opens = opens.ok_or(ScimError::Unauthorized)?;
        let tenant = match address.base {
            Base::Instance => self.instance(opens)?,
            Base::Group(said, name) => self.group(opens, said, name).await?,
        };
        let base = self.settings.base(&tenant);
        Ok(ScimCaller { tenant, resource: address.resource, base })
    }

    fn instance(&self, opens: Scope) -> Result<Tenant, ScimError> {
        if opens != Scope::Instance {
            return Err(ScimError::Unauthorized);
        }
        if !self.settings.instance {
            return Err(ScimError::Forbidden("Instance SAML not enabled."));
        }
        if !self.settings.licensed {
            return Err(ScimError::NoSuchFeature);
        }
        Ok(Tenant::Instance)
    }

    async fn group(&self, opens: Scope, said: String, name: Option<GroupName>) -> Result<Tenant, ScimError> {
        let found = match name {
            None => None,
            Some(GroupName::Id(id)) => scim::find_group_by_id(self.db.pool(), id).await?,
            Some(GroupName::Path(path)) => scim::find_group_by_path(self.db.pool(), &path).await?,
        };
        let group = found.ok_or_else(|| ScimError::NotFound("Group", said.clone()))?;
        let group = group.ok_or(ScimError::NoSaml(said))?;
        if opens != Scope::Group(group.id) {
            return Err(ScimError::Unauthorized);
        }
        Ok(Tenant::Group(group))
    }

    /// The token in the header, else in the query where that is allowed: GitLab's OAuth library reads both.
    fn presented(&self, uri: &Uri, headers: &HeaderMap) -> Option<String> {
        let token = bearer(headers).map(str::to_owned).or_else(|| {
            let query = uri.query().filter(|_| self.settings.token_parameters)?;
            let named = |name: &str| matches!(name, "access_token" | "bearer_token");
            form_urlencoded::parse(query.as_bytes()).find(|(name, _)| named(name)).map(|(_, token)| token.into_owned())
        });
        token.filter(|token| !token.is_empty() && token.len() <= TOKEN_BYTES)
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The layer: leaves a [`ScimCaller`] on the request, or refuses it.
///
/// # Errors
/// 401 without the token of the scope that the URL names; 403 and 404 where there is no such scope.
pub async fn require(State(auth): State<ScimAuth>, mut request: Request, next: Next) -> Result<Response, ScimError> {
    let caller = auth.admit(request.uri(), request.headers()).await?;
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

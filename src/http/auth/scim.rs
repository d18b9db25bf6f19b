//! Identity providers, who show the SCIM token of a group or of the installation.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use crate::domain::ids::NamespaceId;
use crate::domain::scim::ScimScope;
use crate::domain::scim::tenant::{SamlGroup, ScimTenant};
use crate::domain::token;
use crate::http::scim::error::ScimError;
use crate::http::scim::url::ScimBase;
use crate::http::scim::url::encoded;
use crate::store::Db;
use crate::store::scim_tokens;

/// Bytes of a token at most.
const TOKEN_BYTES: usize = 255;

/// Shows that the request came with the token of the scope that its URL is about.
#[derive(Debug, Clone)]
pub struct ScimCaller {
    scope: ScimScope,
    tenant: ScimTenant,
    base_url: String,
}

impl ScimCaller {
    /// Whose users the caller provisions.
    #[must_use]
    pub fn scope(&self) -> ScimScope {
        self.scope
    }

    /// The same, with the rules that hold there.
    #[must_use]
    pub fn tenant(&self) -> &ScimTenant {
        &self.tenant
    }

    /// Where the scope's resources are, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }
}

impl<S: Sync> FromRequestParts<S> for ScimCaller {
    type Rejection = ScimError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ScimError> {
        parts.extensions.get().cloned().ok_or(ScimError::Unauthorized)
    }
}

/// What callers are checked against.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct ScimAuth {
    /// Where tokens are known.
    pub db: Db,
    /// The URL of the API, up to and with `/api/scim/v2`.
    pub url: String,
    /// Whether groups may have SAML here.
    pub groups: bool,
    /// Whether the installation has SAML.
    pub instance: bool,
    /// Whether the licence covers SCIM for the installation.
    pub licensed: bool,
    /// Whether a token may stand in the query.
    pub token_in_query: bool,
}

impl ScimAuth {
    /// The caller of a request to this base (scim.md 1).
    ///
    /// # Errors
    /// The feature, the token, and whose token it is. What there is outside the tree of the token's own group, and how
    /// it is called, nobody learns: all of it is refused alike, be it there or not.
    pub async fn admit(&self, base: &ScimBase, headers: &HeaderMap, query: &str) -> Result<ScimCaller, ScimError> {
        if matches!(base, ScimBase::Group(_)) && !self.groups {
            return Err(ScimError::Forbidden("Group SAML not enabled."));
        }
        let token = self.presented(headers, query).ok_or(ScimError::Unauthorized)?;
        let opened =
            scim_tokens::find_scope(self.db.pool(), &token::sha256(&token)).await?.ok_or(ScimError::Unauthorized)?;
        match base {
            ScimBase::Group(path) => {
                let ScimScope::Group(own) = opened else { return Err(ScimError::Unauthorized) };
                let found = if is_path(path) { scim_tokens::find_group(self.db.pool(), path).await? } else { None };
                let group = match found {
                    Some(group) if group.id == own || group.root == own => group,
                    _ => return Err(self.nowhere(own, path).await?),
                };
                let Some(provider) = group.saml else { return Err(ScimError::NoSaml(path.clone())) };
                let base_url = format!("{}/groups/{}", self.url, encoded(&group.path));
                let group = SamlGroup { id: group.id, name: group.name, full_path: group.path, provider };
                Ok(ScimCaller { scope: opened, tenant: ScimTenant::Group(group), base_url })
            }
            ScimBase::Instance if opened != ScimScope::Instance => Err(ScimError::Unauthorized),
            ScimBase::Instance if !self.instance => Err(ScimError::Forbidden("Instance SAML not enabled.")),
            ScimBase::Instance if !self.licensed => Err(ScimError::NotLicensed),
            ScimBase::Instance => Ok(ScimCaller {
                scope: opened,
                tenant: ScimTenant::Instance,
                base_url: format!("{}/application", self.url),
            }),
        }
    }

    /// What is said of a path at which the token's group has nothing.
    async fn nowhere(&self, own: NamespaceId, path: &str) -> Result<ScimError, ScimError> {
        let own = scim_tokens::find_group(self.db.pool(), &own.to_string()).await?;
        let inside = own.is_some_and(|own| {
            let start = format!("{}/", own.path).to_ascii_lowercase();
            path.to_ascii_lowercase().starts_with(&start)
        });
        Ok(if inside { ScimError::NoSuchGroup(path.to_owned()) } else { ScimError::Unauthorized })
    }

    fn presented(&self, headers: &HeaderMap, query: &str) -> Option<String> {
        let bearer = || {
            let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
        };
        let parameter = || {
            let named = |name: &str| name == "access_token" || name == "bearer_token";
            let found = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| named(name));
            found.filter(|_| self.token_in_query).map(|(_, token)| token.into_owned())
        };
        bearer().or_else(parameter).filter(|token| !token.is_empty() && token.len() <= TOKEN_BYTES)
    }
}

fn is_path(path: &str) -> bool {
    let allowed = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '.' | '-');
    path.len() <= 4096 && path.split('/').all(|segment| !segment.is_empty() && segment.chars().all(allowed))
}

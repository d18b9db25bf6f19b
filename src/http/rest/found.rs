//! The project, group or user that a path names as `{id}`, where the caller may know of it (rest.md 1.5).
//!
//! Handlers take a [`FoundProject`] or a [`FoundGroup`] after their [`RestCaller`] and before their parameters: what is
//! unknown and what is invisible is refused alike, and before anything is said of parameters.

use std::ops::Deref;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::Method;
use axum::http::request::Parts;

use super::RestState;
use super::fault::RestRefusal;
use super::params::sent_url;
use crate::domain::level::AccessLevel;
use crate::domain::rest_policy::{self, RestOperation, RestSight, RestStanding};
use crate::http::auth::rest::RestCaller;
use crate::store::rest::RestName;
use crate::store::rest::found::{self, GroupFacts, ProjectFacts};
use crate::store::rest::users::{self, BasicUserRow};

/// A project that the caller sees.
#[derive(Debug, Clone)]
pub struct FoundProject {
    facts: ProjectFacts,
    standing: RestStanding,
}

impl Deref for FoundProject {
    type Target = ProjectFacts;

    fn deref(&self) -> &ProjectFacts {
        &self.facts
    }
}

impl FoundProject {
    /// What the caller is to it.
    #[must_use]
    pub fn standing(&self) -> RestStanding {
        self.standing
    }

    /// Refuses callers who may not do this here.
    ///
    /// # Errors
    /// 403
    pub fn require(&self, operation: RestOperation) -> Result<(), RestRefusal> {
        if operation.allows(self.standing) { Ok(()) } else { Err(RestRefusal::Forbidden) }
    }

    /// Whether the caller may read its code.
    #[must_use]
    pub fn may_read_code(&self) -> bool {
        rest_policy::may_read_code(self.standing, self.visibility, self.repository)
    }
}

/// A group that the caller sees.
#[derive(Debug, Clone)]
pub struct FoundGroup {
    facts: GroupFacts,
    standing: RestStanding,
}

impl Deref for FoundGroup {
    type Target = GroupFacts;

    fn deref(&self) -> &GroupFacts {
        &self.facts
    }
}

impl FoundGroup {
    /// What the caller is to it.
    #[must_use]
    pub fn standing(&self) -> RestStanding {
        self.standing
    }

    /// Refuses callers who may not do this here.
    ///
    /// # Errors
    /// 403
    pub fn require(&self, operation: RestOperation) -> Result<(), RestRefusal> {
        if operation.allows(self.standing) { Ok(()) } else { Err(RestRefusal::Forbidden) }
    }

    /// Refuses callers who may not do this here as if it were not there.
    ///
    /// # Errors
    /// 404 `Not Found`
    pub fn require_or_hide(&self, operation: RestOperation) -> Result<(), RestRefusal> {
        if operation.allows(self.standing) { Ok(()) } else { Err(RestRefusal::Hidden) }
    }
}

impl RestState {
    /// The project of that id or path, where the caller sees it; at a former path too, which `moved` tells.
    ///
    /// # Errors
    /// `404 Project Not Found`
    pub async fn find_project(&self, caller: &RestCaller, name: &str) -> Result<FoundProject, RestRefusal> {
        const GONE: RestRefusal = RestRefusal::NotFound("Project");
        let name = RestName::parse(name).ok_or(GONE)?;
        let facts = found::find_project(self.db.pool(), &name, caller.id()).await?.ok_or(GONE)?;
        let sight = RestSight {
            visibility: facts.visibility,
            member: facts.level > AccessLevel::NO_ACCESS,
            external: caller.is_external(),
            admin: caller.is_admin(),
        };
        if !sight.sees() || !facts.root.welcomes(caller.address(), &facts.globally_allowed) {
            return Err(GONE);
        }
        let standing = caller.standing(facts.level);
        Ok(FoundProject { facts, standing })
    }

    /// The group of that id or path, where the caller sees it.
    ///
    /// # Errors
    /// `404 Group Not Found`
    pub async fn find_group(&self, caller: &RestCaller, name: &str) -> Result<FoundGroup, RestRefusal> {
        const GONE: RestRefusal = RestRefusal::NotFound("Group");
        let name = RestName::parse(name).ok_or(GONE)?;
        let today = self.clock.now().date_naive();
        let facts = found::find_group(self.db.pool(), &name, caller.id(), today).await?.ok_or(GONE)?;
        let sight = RestSight {
            visibility: facts.visibility,
            member: facts.level > AccessLevel::NO_ACCESS || facts.belongs_below,
            external: caller.is_external(),
            admin: caller.is_admin(),
        };
        // Owners of the root group may still come in and mend a list of addresses that shuts them out.
        let mends = facts.parent.is_none() && facts.level >= AccessLevel::OWNER;
        if !sight.sees() || !(mends || facts.root.welcomes(caller.address(), &facts.globally_allowed)) {
            return Err(GONE);
        }
        let standing = caller.standing(facts.level);
        Ok(FoundGroup { facts, standing })
    }

    /// The caller's own row.
    ///
    /// # Errors
    /// 401 where the account is gone meanwhile.
    pub async fn caller_row(&self, caller: &RestCaller) -> Result<BasicUserRow, RestRefusal> {
        let row = users::find_basic(self.db.pool(), &RestName::Id(caller.id().0)).await?;
        row.ok_or(RestRefusal::Unauthorized)
    }

    /// The user of that id or username.
    ///
    /// # Errors
    /// `404 User Not Found`
    pub async fn find_user(&self, name: &str) -> Result<BasicUserRow, RestRefusal> {
        const GONE: RestRefusal = RestRefusal::NotFound("User");
        let name = RestName::parse(name).ok_or(GONE)?;
        users::find_basic(self.db.pool(), &name).await?.ok_or(GONE)
    }
}

impl FromRequestParts<RestState> for FoundProject {
    type Rejection = RestRefusal;

    /// Who asks for a project by a former path is sent to its id.
    async fn from_request_parts(parts: &mut Parts, state: &RestState) -> Result<Self, RestRefusal> {
        let caller = RestCaller::from_request_parts(parts, state).await?;
        let name = captured(parts, state, "id").await.unwrap_or_default();
        let project = state.find_project(&caller, &name).await?;
        if !project.moved {
            return Ok(project);
        }
        if parts.method != Method::GET {
            let said = "Non GET methods are not allowed for moved projects";
            return Err(RestRefusal::Message(axum::http::StatusCode::METHOD_NOT_ALLOWED, said.into()));
        }
        let url = sent_url(parts, state);
        let below = format!("{}/api/v4/projects/", state.url);
        let rest =
            url.strip_prefix(&below).and_then(|named| named.find('/').map(|at| &named[at..])).unwrap_or_default();
        let query = parts.uri.query().map_or_else(String::new, |query| format!("?{query}"));
        Err(RestRefusal::Moved(format!("{below}{}{rest}{query}", project.id)))
    }
}

impl FromRequestParts<RestState> for FoundGroup {
    type Rejection = RestRefusal;

    async fn from_request_parts(parts: &mut Parts, state: &RestState) -> Result<Self, RestRefusal> {
        let caller = RestCaller::from_request_parts(parts, state).await?;
        let name = captured(parts, state, "id").await.unwrap_or_default();
        state.find_group(&caller, &name).await
    }
}

/// The user whose id stands in the path as `{id}`.
#[derive(Debug, Clone)]
pub struct FoundUser(BasicUserRow);

impl Deref for FoundUser {
    type Target = BasicUserRow;

    fn deref(&self) -> &BasicUserRow {
        &self.0
    }
}

impl FromRequestParts<RestState> for FoundUser {
    type Rejection = RestRefusal;

    /// Here a name that is no number is as good as no route.
    async fn from_request_parts(parts: &mut Parts, state: &RestState) -> Result<Self, RestRefusal> {
        let name = captured(parts, state, "id").await.unwrap_or_default();
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(RestRefusal::NoSuchRoute);
        }
        state.find_user(&name).await.map(Self)
    }
}

/// The user whose id or username stands in the path as `{id}`.
#[derive(Debug, Clone)]
pub struct NamedUser(BasicUserRow);

impl Deref for NamedUser {
    type Target = BasicUserRow;

    fn deref(&self) -> &BasicUserRow {
        &self.0
    }
}

impl FromRequestParts<RestState> for NamedUser {
    type Rejection = RestRefusal;

    async fn from_request_parts(parts: &mut Parts, state: &RestState) -> Result<Self, RestRefusal> {
        let name = captured(parts, state, "id").await.unwrap_or_default();
        state.find_user(&name).await.map(Self)
    }
}

/// What stands in the path for a parameter, decoded once. A NUL and what is no text are the name of nothing.
pub async fn captured(parts: &mut Parts, state: &RestState, parameter: &str) -> Option<String> {
    let captured = RawPathParams::from_request_parts(parts, state).await.ok()?;
    captured.iter().find_map(|(name, value)| (name == parameter && !value.contains('\0')).then(|| value.to_owned()))
}

/// What stands in the path as `{id}`, where it is neither a project, a group nor a user.
#[derive(Debug, Clone)]
pub struct PathId(String);

impl PathId {
    /// The id that it is; nothing where it is none.
    #[must_use]
    pub fn number(&self) -> Option<i64> {
        let digits = !self.0.is_empty() && self.0.bytes().all(|byte| byte.is_ascii_digit());
        if digits { self.0.parse().ok() } else { None }
    }

    /// What it says.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl FromRequestParts<RestState> for PathId {
    type Rejection = RestRefusal;

    async fn from_request_parts(parts: &mut Parts, state: &RestState) -> Result<Self, RestRefusal> {
        Ok(Self(captured(parts, state, "id").await.unwrap_or_default()))
    }
}

/// What stands in the path as `{key}`: the second name of a path, such as a branch or a row's id.
#[derive(Debug, Clone)]
pub struct RowName(pub String);

impl RowName {
    /// The id that the name is; nothing where it is none.
    #[must_use]
    pub fn id(&self) -> Option<i64> {
        let digits = !self.0.is_empty() && self.0.bytes().all(|byte| byte.is_ascii_digit());
        if digits { self.0.parse().ok() } else { None }
    }
}

impl FromRequestParts<RestState> for RowName {
    type Rejection = RestRefusal;

    async fn from_request_parts(parts: &mut Parts, state: &RestState) -> Result<Self, RestRefusal> {
        captured(parts, state, "key").await.map(Self).ok_or(RestRefusal::NoSuchRow)
    }
}

/// What stands in the path as `{trigger}`: the event that a web hook is tested with.
#[derive(Debug, Clone)]
pub struct Trigger(pub String);

impl FromRequestParts<RestState> for Trigger {
    type Rejection = RestRefusal;

    async fn from_request_parts(parts: &mut Parts, state: &RestState) -> Result<Self, RestRefusal> {
        Ok(Self(captured(parts, state, "trigger").await.unwrap_or_default()))
    }
}

//! `GET /groups`: which groups are there for me? `POST /groups`: make one.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use utoipa::IntoParams;

use super::fields::{self, GroupParameters};
use super::refusal;
use crate::domain::ids::NamespaceId;
use crate::domain::level::AccessLevel;
use crate::http::auth::rest::RestCaller;
use crate::http::grape::ParameterReader;
use crate::http::rest::RestState;
use crate::http::rest::entities::VISIBILITY_WORDS;
use crate::http::rest::entities::group::{GroupDetailShape, GroupShape};
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::params::{PageQuery, RestParams};
use crate::services::write_group;
use crate::store::rest::groups::{self as rows, GroupFilter, GroupOrder, GroupScope};
use crate::store::rest::lists::{Direction, ListPart};
use crate::store::rest::users;
use crate::store::sets::groups as group_sets;

/// The orders of a list.
const ORDERS: &[(&str, GroupOrder)] = &[
    ("name", GroupOrder::Name),
    ("path", GroupOrder::Path),
    ("id", GroupOrder::Id),
    ("similarity", GroupOrder::Similarity),
];

/// The directions of a list.
pub const DIRECTIONS: &[(&str, Direction)] = &[("asc", Direction::Ascending), ("desc", Direction::Descending)];

/// Which groups a list shows, and how.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct GroupListQuery {
    /// Whether those are listed too that are open to the caller; administrators see all where it is not said.
    all_available: Option<bool>,
    /// Those alone that the caller owns.
    owned: Option<bool>,
    /// Those alone where the caller has this level or more: 5, 10, 15, 20, 30, 40 or 50.
    min_access_level: Option<i32>,
    /// A part of the name or path.
    search: Option<String>,
    /// `private`, `internal` or `public`
    visibility: Option<String>,
    /// Root groups alone.
    top_level_only: Option<bool>,
    /// Ids of groups that are left out.
    #[param(style = Form, explode = false)]
    skip_groups: Option<Vec<i64>>,
    /// `name`, `path`, `id` or `similarity`
    order_by: Option<String>,
    /// `asc` or `desc`
    sort: Option<String>,
    /// Whether sizes are shown, to administrators.
    statistics: Option<bool>,
}

/// What a request says of the groups that it wants to see, and whether it wants sizes.
fn filter(reader: &mut ParameterReader<'_>, caller: &RestCaller, scope: GroupScope) -> (GroupFilter, bool) {
    let available = reader.optional::<bool>("all_available").value();
    let owned = reader.optional::<bool>("owned").value() == Some(true);
    let least = reader.access_level("min_access_level", &[5, 10, 15, 20, 30, 40, 50]).value();
    let lowest = owned.then_some(AccessLevel::OWNER);
    let available = available.unwrap_or(caller.is_admin());
    let filter = GroupFilter {
        user: caller.id().0,
        all: caller.is_admin() && available,
        open: if available { caller.open_levels() } else { Vec::new() },
        least_level: least.max(lowest).map(|level| level.0),
        search: reader.optional::<String>("search").value().filter(|text| !text.is_empty()),
        visibility: reader.choice("visibility", VISIBILITY_WORDS).value(),
        top_level_only: reader.optional::<bool>("top_level_only").value() == Some(true),
        skip: reader.array("skip_groups").value().unwrap_or_default(),
        scope,
        closed_roots: Vec::new(),
        order: reader.choice("order_by", ORDERS).value().unwrap_or_default(),
        direction: reader.choice("sort", DIRECTIONS).value().unwrap_or_default(),
    };
    (filter, reader.optional::<bool>("statistics").value() == Some(true))
}

/// A page of the groups that the caller may see, and that the request asks for.
///
/// # Errors
/// 400 for parameters of the wrong shape.
pub async fn page(
    state: &RestState,
    caller: &RestCaller,
    params: &RestParams,
    scope: GroupScope,
) -> Result<Response, RestRefusal> {
    let ((mut filter, statistics), page) = params.read_list(|reader| filter(reader, caller, scope))?;
    filter.closed_roots = state.closed_roots(caller).await?;
    let part = ListPart { limit: page.limit(), offset: page.offset() };
    let listed = rows::list(&state.db, &filter, part, state.clock.now().date_naive()).await?;
    let (ids, more) = page.cut(listed.ids);
    let shapes = state.group_shapes(caller, &ids, statistics).await?;
    Ok(page.answer(&shapes, more, listed.total))
}

/// The groups that the caller belongs to; with `all_available` those too that are open to them.
#[utoipa::path(
    get,
    path = "/groups",
    params(GroupListQuery, PageQuery),
    responses((status = 200, body = [GroupShape]))
)]
pub async fn list(
    State(state): State<RestState>,
    caller: RestCaller,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    page(&state, &caller, &params, GroupScope::Everywhere).await
}

/// A new group, of which the caller becomes the owner.
#[utoipa::path(
    post,
    path = "/groups",
    request_body(content = GroupParameters, example = json!({ "name": "Acme", "path": "acme" })),
    responses((status = 201, body = GroupDetailShape))
)]
pub async fn create(
    State(state): State<RestState>,
    caller: RestCaller,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    let (stated, parent) = params.read(|reader| {
        let (name, path) = (reader.required::<String>("name").value(), reader.required::<String>("path").value());
        let parent = reader.optional::<i64>("parent_id").value();
        let mut stated = fields::read(reader, caller.is_admin());
        stated.name = Some(name.unwrap_or_default());
        stated.path = Some(path.unwrap_or_default());
        (stated, parent)
    })?;
    let parent = if let Some(id) = parent {
        Some(state.parent_for_groups(&caller, id).await?)
    } else {
        state.may_make_root_groups(&caller).await?;
        None
    };
    let made = write_group::create(&state.db, parent, &stated, &caller.acting(), state.clock.now()).await;
    let id = refusal::made(made)?;
    let detail = state.group_detail(&caller, id.0, AccessLevel::OWNER, true).await?;
    Ok((StatusCode::CREATED, Json(detail)).into_response())
}

impl RestState {
    /// The group, where the caller may make groups in it: its owner, and its maintainers where it says so.
    ///
    /// # Errors
    /// 404 where the caller does not see it; 403 where they may not.
    pub(super) async fn parent_for_groups(&self, caller: &RestCaller, id: i64) -> Result<NamespaceId, RestRefusal> {
        let parent = self.find_group(caller, &id.to_string()).await?;
        let row = group_sets::list(self.db.pool(), &[parent.id.0]).await?.remove(&parent.id);
        let maintainers = row.is_some_and(|record| record.row.subgroup_creation_level != Some(0));
        let least = if maintainers { AccessLevel::MAINTAINER } else { AccessLevel::OWNER };
        let standing = parent.standing();
        if standing.admin || standing.level >= least { Ok(parent.id) } else { Err(RestRefusal::Forbidden) }
    }

    /// Whether the caller makes groups outside of others.
    ///
    /// # Errors
    /// 403 where they do not.
    pub(super) async fn may_make_root_groups(&self, caller: &RestCaller) -> Result<(), RestRefusal> {
        if caller.is_admin() {
            return Ok(());
        }
        let profile = users::list_profiles(self.db.pool(), &[caller.id().0]).await?.pop();
        let may = profile.is_some_and(|profile| profile.can_create_group) && !caller.is_external();
        if may { Ok(()) } else { Err(RestRefusal::Forbidden) }
    }

    /// The root groups that do not let the caller in from where they call.
    ///
    /// # Errors
    /// Where the database gives no answer.
    pub async fn closed_roots(&self, caller: &RestCaller) -> Result<Vec<i64>, RestRefusal> {
        let roots = rows::list_restricted_roots(self.db.pool()).await?;
        let closed = roots.iter().filter(|(root, everywhere)| !root.welcomes(caller.address(), everywhere));
        Ok(closed.map(|(root, _)| root.id.0).collect())
    }
}

//! `GET /projects`: which projects are there for me? `POST /projects`: make one.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use utoipa::IntoParams;

use super::{fields, refuse_unsupported};
use crate::domain::ids::{NamespaceId, UserId};
use crate::domain::level::AccessLevel;
use crate::domain::project_creation::ProjectCreator;
use crate::http::auth::rest::RestCaller;
use crate::http::grape::ParameterReader;
use crate::http::layers::CorrelationId;
use crate::http::rest::RestState;
use crate::http::rest::entities::VISIBILITY_WORDS;
use crate::http::rest::entities::project::{ListedProject, ProjectExtras, ProjectShape};
use crate::http::rest::entities::settings::ProjectParameters;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::groups::list::DIRECTIONS;
use crate::http::rest::params::{PageQuery, RestPage, RestParams};
use crate::services::create_project::{self, WantedProject};
use crate::store::rest::lists::{Direction, ListPart};
use crate::store::rest::projects::{self as rows, ProjectFilter, ProjectOrder, ProjectScope};

/// The orders of a list. Nothing is counted that the last ones could sort by.
const ORDERS: &[(&str, ProjectOrder)] = &[
    ("created_at", ProjectOrder::CreatedAt),
    ("id", ProjectOrder::Id),
    ("name", ProjectOrder::Name),
    ("path", ProjectOrder::Path),
    ("updated_at", ProjectOrder::UpdatedAt),
    ("last_activity_at", ProjectOrder::LastActivityAt),
    ("similarity", ProjectOrder::Similarity),
    ("star_count", ProjectOrder::Id),
    ("storage_size", ProjectOrder::Id),
    ("repository_size", ProjectOrder::Id),
    ("wiki_size", ProjectOrder::Id),
    ("packages_size", ProjectOrder::Id),
];

/// Which projects a list shows, and how.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct ProjectListQuery {
    /// Those alone that the caller owns.
    owned: Option<bool>,
    /// Those alone that the caller is a member of.
    membership: Option<bool>,
    /// Those alone where the caller has this level or more: 5, 10, 15, 20, 30, 40 or 50.
    min_access_level: Option<i32>,
    /// `private`, `internal` or `public`
    visibility: Option<String>,
    /// Archived ones alone, or the others alone.
    archived: Option<bool>,
    /// A part of the name, the path or the description.
    search: Option<String>,
    /// Whether `search` looks at the full path too.
    search_namespaces: Option<bool>,
    /// Those of higher ids.
    id_after: Option<i64>,
    /// Those of lower ids.
    id_before: Option<i64>,
    /// Those that something was done with later: RFC 3339, or a day.
    last_activity_after: Option<String>,
    /// Those that something was done with earlier: RFC 3339, or a day.
    last_activity_before: Option<String>,
    /// Those that changed later: RFC 3339, or a day; `order_by` must be `updated_at`.
    updated_after: Option<String>,
    /// Those that changed earlier: RFC 3339, or a day; `order_by` must be `updated_at`.
    updated_before: Option<String>,
    /// Those where issues are switched on, or off.
    with_issues_enabled: Option<bool>,
    /// Those where merge requests are switched on, or off.
    with_merge_requests_enabled: Option<bool>,
    /// Nothing is starred here: true lists none.
    starred: Option<bool>,
    /// Nothing is imported here: true lists none.
    imported: Option<bool>,
    /// No project has topics here: any topic lists none.
    topic: Option<String>,
    /// Nobody looks for languages here: any language lists none.
    with_programming_language: Option<String>,
    /// For administrators: those on this storage alone.
    repository_storage: Option<String>,
    /// For administrators: those too that wait for their end.
    include_pending_delete: Option<bool>,
    /// Whether less is shown of each.
    simple: Option<bool>,
    /// Whether sizes are shown, to those who may see them.
    statistics: Option<bool>,
    /// `created_at` where it is not said, `id`, `name`, `path`, `updated_at`, `last_activity_at`, `similarity`,
    /// `star_count`, or one of `storage_size`, `repository_size`, `wiki_size` and `packages_size`
    order_by: Option<String>,
    /// `asc`, or `desc`, which it is where it is not said
    sort: Option<String>,
}

/// What a request says of the projects that it wants to see.
#[expect(clippy::struct_excessive_bools, reason = "each is a parameter of its own")]
struct ListWish {
    filter: ProjectFilter,
    simple: bool,
    statistics: bool,
    keyset: bool,
    /// Rows of a page by key are in this order alone.
    by_id: bool,
}

fn wish(reader: &mut ParameterReader<'_>, caller: &RestCaller, scope: ProjectScope) -> ListWish {
    let flag = |reader: &mut ParameterReader<'_>, name: &str| reader.optional::<bool>(name).value() == Some(true);
    let least = reader.access_level("min_access_level", &[5, 10, 15, 20, 30, 40, 50]).value();
    let owner = flag(reader, "owned").then_some(AccessLevel::OWNER);
    let member = flag(reader, "membership").then_some(AccessLevel::GUEST);
    let least = least.max(owner).max(member);
    let order = reader.choice("order_by", ORDERS).value();
    let language = reader.optional::<String>("with_programming_language").value();
    let language = language.is_some_and(|language| !language.is_empty());
    let nothing = flag(reader, "starred") || flag(reader, "imported") || language;
    let topics = reader.array::<String>("topic").value().unwrap_or_default();
    let storage = reader.optional::<String>("repository_storage").value();
    let pending = flag(reader, "include_pending_delete");
    let search = reader.optional::<String>("search").value().filter(|text| !text.is_empty());
    let moment = |reader: &mut ParameterReader<'_>, name: &str| reader.optional::<DateTime<Utc>>(name).value();
    let filter = ProjectFilter {
        user: caller.id().0,
        all: caller.is_admin(),
        open: caller.open_levels(),
        least_level: least.map(|level| level.0),
        scope,
        visibility: reader.choice("visibility", VISIBILITY_WORDS).value(),
        archived: reader.optional::<bool>("archived").value(),
        search,
        search_namespaces: flag(reader, "search_namespaces"),
        id_after: reader.optional::<i64>("id_after").value(),
        id_before: reader.optional::<i64>("id_before").value(),
        last_activity_after: moment(reader, "last_activity_after"),
        last_activity_before: moment(reader, "last_activity_before"),
        updated_after: moment(reader, "updated_after"),
        updated_before: moment(reader, "updated_before"),
        with_issues_enabled: reader.optional::<bool>("with_issues_enabled").value(),
        with_merge_requests_enabled: reader.optional::<bool>("with_merge_requests_enabled").value(),
        repository_storage: storage.filter(|_| caller.is_admin()),
        include_pending_delete: pending && caller.is_admin(),
        nothing,
        topics: topics.iter().map(|topic| topic.trim().to_owned()).filter(|topic| !topic.is_empty()).collect(),
        closed_roots: Vec::new(),
        order: order.unwrap_or_default(),
        direction: reader.choice("sort", DIRECTIONS).value().unwrap_or(Direction::Descending),
    };
    ListWish {
        by_id: order == Some(ProjectOrder::Id),
        filter,
        simple: flag(reader, "simple"),
        statistics: flag(reader, "statistics"),
        keyset: reader.optional::<String>("pagination").value().is_some_and(|kind| kind == "keyset"),
    }
}

/// A page of the projects that the caller sees, and that the request asks for.
///
/// # Errors
/// 400 for parameters of the wrong shape, and that contradict each other; 405 for pages by another key than the id.
pub async fn page(
    state: &RestState,
    caller: &RestCaller,
    params: &RestParams,
    scope: ProjectScope,
) -> Result<Response, RestRefusal> {
    let everywhere = scope == ProjectScope::Everywhere;
    let (mut wish, page) = params.read_list(|reader| wish(reader, caller, scope))?;
    let updated = wish.filter.updated_after.is_some() || wish.filter.updated_before.is_some();
    if updated && wish.filter.order != ProjectOrder::UpdatedAt {
        let reason = "`updated_at` filter and `updated_at` sorting must be paired";
        return Err(RestRefusal::BadRequest(reason.to_owned()));
    }
    wish.filter.closed_roots = state.closed_roots(caller).await?;
    if wish.keyset && everywhere {
        return page_by_key(state, caller, params, &wish, &page).await;
    }
    let part = ListPart { limit: page.limit(), offset: page.offset() };
    let listed = rows::list(&state.db, &wish.filter, part).await?;
    let (ids, more) = page.cut(listed.ids);
    if wish.simple {
        return Ok(page.answer(&state.simple_projects(caller, &ids).await?, more, listed.total));
    }
    let extras = ProjectExtras { permissions: true, statistics: wish.statistics };
    Ok(page.answer(&state.project_shapes(caller, &ids, extras).await?, more, listed.total))
}

async fn page_by_key(
    state: &RestState,
    caller: &RestCaller,
    params: &RestParams,
    wish: &ListWish,
    page: &RestPage,
) -> Result<Response, RestRefusal> {
    if !wish.by_id {
        let sentence = "Keyset pagination is not yet available for this type of request";
        return Err(RestRefusal::Error(StatusCode::METHOD_NOT_ALLOWED, sentence.into()));
    }
    let fetched = rows::list_by_key(&state.db, &wish.filter, page.limit()).await?;
    let (ids, more) = page.cut(fetched);
    let key = if wish.filter.direction == Direction::Ascending { "id_after" } else { "id_before" };
    let next = ids.last().filter(|_| more).map(|last| params.next_by_key(&[(key, last.to_string())]));
    let headers = next.unwrap_or_default();
    if wish.simple {
        return Ok((headers, Json(state.simple_projects(caller, &ids).await?)).into_response());
    }
    let extras = ProjectExtras { permissions: true, statistics: wish.statistics };
    Ok((headers, Json(state.project_shapes(caller, &ids, extras).await?)).into_response())
}

/// The projects that the caller sees.
#[utoipa::path(
    get,
    path = "/projects",
    params(
        ("pagination" = Option<String>, Query, description = "`keyset` for pages by id"),
        ProjectListQuery,
        PageQuery
    ),
    responses(
        (status = 200, body = [ListedProject]),
        (status = 405, body = crate::http::openapi::FailureResponse, description = "Pages by another key than the id")
    )
)]
pub async fn list(
    State(state): State<RestState>,
    caller: RestCaller,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    page(&state, &caller, &params, ProjectScope::Everywhere).await
}

/// A new project with its repository, in the caller's own namespace or in a group.
#[utoipa::path(
    post,
    path = "/projects",
    request_body(content = ProjectParameters, example = json!({ "name": "App", "path": "app", "namespace_id": 10 })),
    responses(
        (status = 201, body = ProjectShape),
        (status = 409, body = crate::http::openapi::FailureResponse, description = "Its repository is somebody else's")
    )
)]
pub async fn create(
    State(state): State<RestState>,
    caller: RestCaller,
    Extension(CorrelationId(request)): Extension<CorrelationId>,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    let maker = state.creator(&caller);
    make(&state, &caller, &params, maker, &request).await
}

/// Makes the project that the request states, as this user.
pub async fn make(
    state: &RestState,
    caller: &RestCaller,
    params: &RestParams,
    maker: ProjectCreator,
    request: &str,
) -> Result<Response, RestRefusal> {
    let (stated, namespace, storage) = params.read(|reader| {
        reader.at_least_one(&["name", "path"]);
        let storage = reader.optional::<String>("repository_storage").value();
        (fields::read(reader), reader.optional::<i64>("namespace_id").value(), storage)
    })?;
    refuse_unsupported(params)?;
    let wanted = WantedProject {
        namespace: namespace.map(NamespaceId),
        storage: storage.filter(|storage| caller.is_admin() && !storage.is_empty()),
        stated,
        maker,
        address: Some(caller.address()),
    };
    let (by, now) = (caller.acting(), state.clock.now());
    let id = create_project::create(&state.project_maker(), &wanted, &by, request, now).await?;
    let shape = state.project_shape(caller, id.0, ProjectExtras::default()).await?;
    Ok((StatusCode::CREATED, Json(shape)).into_response())
}

/// The user as a maker of projects: an administrator acts for them, with their own rights.
#[must_use]
pub fn maker_of(id: i64, admin: bool, external: bool) -> ProjectCreator {
    ProjectCreator { id: UserId(id), admin, external }
}

//! What is done with members of groups and projects alike.

use std::collections::{HashMap, HashSet};

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};

use super::refusal::sentence;
use crate::domain::ids::UserId;
use crate::domain::level::AccessLevel;
use crate::domain::member_change::WantedMembership;
use crate::http::auth::rest::RestCaller;
use crate::http::grape::ParameterReader;
use crate::http::rest::RestState;
use crate::http::rest::entities::member::MemberShape;
use crate::http::rest::entities::shapes_of;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::RowName;
use crate::http::rest::params::RestParams;
use crate::services::ServiceError;
use crate::services::manage_members::{self, MemberPlace};
use crate::store::members::MemberSource;
use crate::store::rest::lists::ListPart;
use crate::store::rest::members::{self as rows, MemberFilter};

/// The group or project whose members are meant.
#[derive(Debug, Clone)]
pub struct Place<'a> {
    /// What one is a member of.
    pub source: MemberSource,
    /// Its full path.
    pub path: &'a str,
    /// The levels that can be given there.
    pub levels: &'static [i32],
}

/// The levels that members of projects have, and those of groups.
pub const PROJECT_LEVELS: &[i32] = &[10, 15, 20, 30, 40, 50];
pub const GROUP_LEVELS: &[i32] = &[5, 10, 15, 20, 30, 40, 50];

/// Which members a list shows, and how.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct MemberListQuery {
    /// A part of the name or username.
    query: Option<String>,
    /// Ids of users: these alone.
    #[param(style = Form, explode = false)]
    user_ids: Option<Vec<i64>>,
    /// Ids of users that are left out.
    #[param(style = Form, explode = false)]
    skip_users: Option<Vec<i64>>,
    /// Whether it is shown who takes a seat.
    show_seat_info: Option<bool>,
}

/// Who becomes a member, and as what.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct MemberParameters {
    /// The user's id; or those of up to 100 users, with commas.
    user_id: Option<String>,
    /// In its place, the user's name.
    username: Option<String>,
    /// 10, 15, 20, 30, 40 or 50; in a group 5 too.
    access_level: i32,
    /// The day from which on it is over.
    #[schema(format = Date)]
    expires_at: Option<String>,
}

/// What becomes of a membership.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct MemberChanges {
    /// 10, 15, 20, 30, 40 or 50; in a group 5 too.
    access_level: i32,
    /// The day from which on it is over; null or an empty text for never.
    #[schema(format = Date)]
    expires_at: Option<String>,
}

/// What becomes of several who are named at once.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is answered")]
pub struct MembersAddedShape {
    /// `success` or `error`
    status: String,
    /// Why some are none, by their names; the others are members.
    #[schema(nullable = false)]
    message: Option<HashMap<String, String>>,
}

/// What is answered to who makes members.
#[derive(Debug)]
pub struct AddedMembers;

shapes_of! {
    /// The member; or what became of several who were named at once.
    AddedMembers: MemberShape, MembersAddedShape
}

/// A page of the members.
pub async fn page(
    state: &RestState,
    params: &RestParams,
    source: MemberSource,
    inherited: bool,
) -> Result<Response, RestRefusal> {
    let ((filter, seats), page) = params.read_list(|reader| {
        let filter = MemberFilter {
            inherited,
            search: reader.optional::<String>("query").value().filter(|text| !text.is_empty()),
            users: reader.array("user_ids").value(),
            skip: reader.array("skip_users").value().unwrap_or_default(),
        };
        (filter, reader.optional::<bool>("show_seat_info").value() == Some(true))
    })?;
    let part = ListPart { limit: page.limit(), offset: page.offset() };
    let today = state.clock.now().date_naive();
    let listed = rows::list(&state.db, source, &filter, part, today).await?;
    let total = match listed.first() {
        Some(row) => row.total,
        // Beyond the end nobody says how many there are.
        None if page.offset() == 0 => 0,
        None => {
            let first = ListPart { limit: 1, offset: 0 };
            rows::list(&state.db, source, &filter, first, today).await?.first().map_or(0, |row| row.total)
        }
    };
    let (listed, more) = page.cut(listed);
    let shapes = state.member_shapes(listed, seats).await?;
    Ok(page.answer(&shapes, more, total))
}

/// One member.
pub async fn show(
    state: &RestState,
    source: MemberSource,
    user: i64,
    inherited: bool,
) -> Result<MemberShape, RestRefusal> {
    let filter = MemberFilter { inherited, users: Some(vec![user]), ..MemberFilter::default() };
    let first = ListPart { limit: 1, offset: 0 };
    let found = rows::list(&state.db, source, &filter, first, state.clock.now().date_naive()).await?;
    state.member_shapes(found, false).await?.pop().ok_or(RestRefusal::NoSuchRow)
}

/// The user that a path names by an id.
pub fn named(name: &RowName) -> Result<i64, RestRefusal> {
    name.id().ok_or_else(|| RestRefusal::Parameters("user_id is invalid".to_owned()))
}

/// Users that one request makes members of, at most.
const MOST_AT_ONCE: usize = 100;

/// Who is to become a member.
enum NewMembers {
    One(String),
    Username(String),
    Several(Vec<String>),
}

fn members(reader: &mut ParameterReader<'_>) -> Option<NewMembers> {
    reader.exclusive(&["user_id", "username"]);
    let ids = reader.optional::<String>("user_id").value();
    let username = reader.optional::<String>("username").value();
    let Some(ids) = ids else {
        if username.is_none() {
            reader.at_least_one(&["user_id", "username"]);
        }
        return username.map(NewMembers::Username);
    };
    let parts: Vec<String> = ids.split(',').map(|part| part.trim().to_owned()).filter(|id| !id.is_empty()).collect();
    if parts.is_empty() || parts.iter().any(|part| !part.bytes().all(|byte| byte.is_ascii_digit())) {
        reader.refuse("user_id", "is invalid");
    }
    let mut parts = parts;
    let mut seen = HashSet::new();
    parts.retain(|part| seen.insert(part.clone()));
    if parts.len() > MOST_AT_ONCE {
        reader.refuse("user_id", &format!("is too long (maximum is {MOST_AT_ONCE})"));
    }
    if parts.len() > 1 { Some(NewMembers::Several(parts)) } else { Some(NewMembers::One(parts.concat())) }
}

fn level(reader: &mut ParameterReader<'_>, levels: &[i32]) -> AccessLevel {
    if !reader.names("access_level") {
        reader.refuse("access_level", "is missing");
    }
    reader.access_level("access_level", levels).value().unwrap_or(AccessLevel::NO_ACCESS)
}

/// Makes members of one user or of several.
pub async fn add(
    state: &RestState,
    caller: &RestCaller,
    place: &Place<'_>,
    params: &RestParams,
) -> Result<Response, RestRefusal> {
    let (new, wanted) = params.read(|reader| {
        let level = level(reader, place.levels);
        let expires_at = reader.optional::<NaiveDate>("expires_at").value();
        (members(reader), WantedMembership { level, expires_at })
    })?;
    match new {
        Some(NewMembers::Several(ids)) => add_several(state, caller, place, &ids, wanted).await,
        Some(NewMembers::One(id)) => add_one(state, caller, place, &id, wanted).await,
        // All digits, it would be taken for an id.
        Some(NewMembers::Username(name)) if name.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err(RestRefusal::NotFound("User"))
        }
        Some(NewMembers::Username(name)) => add_one(state, caller, place, &name, wanted).await,
        None => Err(RestRefusal::NotFound("User")),
    }
}

async fn add_one(
    state: &RestState,
    caller: &RestCaller,
    place: &Place<'_>,
    name: &str,
    wanted: WantedMembership,
) -> Result<Response, RestRefusal> {
    let user = state.find_user(name).await?;
    let acting = caller.acting();
    let managed = MemberPlace { source: place.source, path: place.path, by: &acting };
    let now = state.clock.now();
    manage_members::add(&state.db, &managed, (UserId(user.id), &user.username), wanted, now).await?;
    let shape = match show(state, place.source, user.id, false).await {
        Ok(shape) => Json(shape).into_response(),
        // Over at once.
        Err(RestRefusal::NoSuchRow) => Json(over(state, user, wanted, now)).into_response(),
        Err(refusal) => return Err(refusal),
    };
    Ok((StatusCode::CREATED, shape).into_response())
}

/// A membership that was over when it began.
fn over(
    state: &RestState,
    user: crate::store::rest::users::BasicUserRow,
    wanted: WantedMembership,
    now: DateTime<Utc>,
) -> MemberShape {
    MemberShape::ended(user, &state.url, wanted.level.0, wanted.expires_at, now)
}

async fn add_several(
    state: &RestState,
    caller: &RestCaller,
    place: &Place<'_>,
    ids: &[String],
    wanted: WantedMembership,
) -> Result<Response, RestRefusal> {
    let acting = caller.acting();
    let managed = MemberPlace { source: place.source, path: place.path, by: &acting };
    let mut faults = Map::new();
    for id in ids {
        let user = match state.find_user(id).await {
            Ok(user) => user,
            Err(RestRefusal::NotFound(_)) => {
                faults.insert(id.clone(), "404 User Not Found".into());
                continue;
            }
            Err(refusal) => return Err(refusal),
        };
        let member = (UserId(user.id), user.username.as_str());
        match manage_members::add(&state.db, &managed, member, wanted, state.clock.now()).await {
            Ok(()) => {}
            Err(ServiceError::Refused(denial)) => {
                faults.insert(user.username.clone(), sentence(&denial).into());
            }
            Err(error) => return Err(error.into()),
        }
    }
    let said = if faults.is_empty() {
        json!({ "status": "success" })
    } else {
        json!({ "status": "error", "message": Value::from(faults) })
    };
    Ok((StatusCode::CREATED, Json(said)).into_response())
}

/// Changes a membership.
pub async fn change(
    state: &RestState,
    caller: &RestCaller,
    place: &Place<'_>,
    user: &RowName,
    params: &RestParams,
) -> Result<Json<MemberShape>, RestRefusal> {
    let (level, end) =
        params.read(|reader| (level(reader, place.levels), reader.optional::<NaiveDate>("expires_at").stated()))?;
    let user = member(state, user).await?;
    let acting = caller.acting();
    let managed = MemberPlace { source: place.source, path: place.path, by: &acting };
    let (who, now) = ((UserId(user.id), user.username.as_str()), state.clock.now());
    manage_members::change(&state.db, &managed, who, level, end, now).await?;
    match show(state, place.source, user.id, false).await {
        Err(RestRefusal::NoSuchRow) => {
            let wanted = WantedMembership { level, expires_at: end.flatten() };
            Ok(Json(over(state, user, wanted, now)))
        }
        shown => shown.map(Json),
    }
}

/// Ends a membership.
pub async fn remove(
    state: &RestState,
    caller: &RestCaller,
    place: &Place<'_>,
    user: &RowName,
    params: &RestParams,
) -> Result<StatusCode, RestRefusal> {
    let skip = params.read(|reader| reader.optional::<bool>("skip_subresources").value() == Some(true))?;
    let user = member(state, user).await?;
    let acting = caller.acting();
    let managed = MemberPlace { source: place.source, path: place.path, by: &acting };
    let who = (UserId(user.id), user.username.as_str());
    manage_members::remove(&state.db, &managed, who, skip, state.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn member(state: &RestState, user: &RowName) -> Result<crate::store::rest::users::BasicUserRow, RestRefusal> {
    state.find_user(&named(user)?.to_string()).await.map_err(|refusal| match refusal {
        RestRefusal::NotFound(_) => RestRefusal::NoSuchRow,
        refusal => refusal,
    })
}

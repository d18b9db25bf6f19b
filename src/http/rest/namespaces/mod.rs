//! Namespaces: groups and personal namespaces alike (rest.md 13.1).

mod exists;
mod list;
mod one;

use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::RestState;
use crate::domain::level::AccessLevel;
use crate::http::auth::rest::RestCaller;
use crate::store::rest::namespaces::ListedNamespace;

/// The family's routes.
pub fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new().routes(routes!(list::list)).routes(routes!(one::show)).routes(routes!(exists::show))
}

/// A namespace.
#[derive(Debug, Serialize, ToSchema)]
pub struct NamespaceShape {
    id: i64,
    name: String,
    path: String,
    #[schema(example = "group")]
    kind: &'static str,
    full_path: String,
    parent_id: Option<i64>,
    /// Always null.
    avatar_url: Option<String>,
    web_url: String,
    #[serde(flatten)]
    #[schema(value_type = OwnedNamespace)]
    owned: Option<OwnedNamespace>,
    #[serde(flatten)]
    limited: Option<LimitedNamespace>,
}

/// What its owners see beside that.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnedNamespace {
    /// Members of it and of what is below.
    #[schema(required = false)]
    members_count_with_descendants: i64,
    #[schema(required = false)]
    billable_members_count: i64,
    #[schema(required = false)]
    plan: String,
    #[schema(required = false)]
    trial: bool,
    /// The last day of a trial.
    #[schema(format = Date)]
    trial_ends_on: Option<String>,
    #[schema(required = false)]
    seats_in_use: i32,
    #[schema(required = false)]
    max_seats_used: i32,
}

/// What administrators see beside that.
#[derive(Debug, Serialize, ToSchema)]
pub struct LimitedNamespace {
    shared_runners_minutes_limit: Option<i32>,
    extra_shared_runners_minutes_limit: Option<i32>,
    /// Megabytes.
    additional_purchased_storage_size: i64,
    additional_purchased_storage_ends_on: Option<String>,
}

impl NamespaceShape {
    fn of(row: ListedNamespace, caller: &RestCaller, url: &str) -> Self {
        let owns = caller.is_admin() || AccessLevel(row.level) >= AccessLevel::OWNER;
        let owned = owns.then(|| OwnedNamespace {
            members_count_with_descendants: row.members,
            billable_members_count: row.members,
            plan: row.plan.unwrap_or_else(|| "free".to_owned()),
            trial: row.trial.unwrap_or_default(),
            trial_ends_on: row.trial_ends_on.map(|day| day.to_string()),
            seats_in_use: row.seats_in_use.unwrap_or_default(),
            max_seats_used: row.max_seats_used.unwrap_or_default(),
        });
        let limited = caller.is_admin().then(|| LimitedNamespace {
            shared_runners_minutes_limit: row.shared_runners_minutes_limit,
            extra_shared_runners_minutes_limit: row.extra_shared_runners_minutes_limit,
            additional_purchased_storage_size: row.additional_purchased_storage_size,
            additional_purchased_storage_ends_on: row.additional_purchased_storage_ends_on.map(|day| day.to_string()),
        });
        let group = row.owner_id.is_none();
        Self {
            id: row.id,
            name: row.name,
            path: row.path,
            kind: if group { "group" } else { "user" },
            web_url: if group { format!("{url}/groups/{}", row.full_path) } else { format!("{url}/{}", row.full_path) },
            full_path: row.full_path,
            parent_id: row.parent_id,
            avatar_url: None,
            owned,
            limited,
        }
    }
}

//! A web hook as clients state it, and as they read it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use utoipa::openapi::schema::AllOfBuilder;
use utoipa::openapi::{ObjectBuilder, Ref, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::web_hook::{HookReadiness, KEPT_EVENTS};
use crate::http::grape::ParameterReader;
use crate::http::rest::entities::{local_moment, moment};
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::params::RestParams;
use crate::services::configure_web_hook::HookChange;
use crate::store::web_hooks::{HookOwner, StoredHook};

/// A web hook. Its token is never shown.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "GitLab's shape")]
pub struct HookShape {
    id: i64,
    url: String,
    name: Option<String>,
    description: Option<String>,
    #[schema(format = DateTime)]
    created_at: Option<String>,
    /// Of a hook of a project.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    project_id: Option<i64>,
    /// Of a hook of a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    group_id: Option<i64>,
    /// Of a hook of the installation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    organization_id: Option<i64>,
    push_events: bool,
    tag_push_events: bool,
    repository_update_events: bool,
    enable_ssl_verification: bool,
    /// `executable`, `temporarily_disabled` or `disabled`
    alert_status: &'static str,
    /// Until when nothing is sent, after failures.
    #[schema(format = DateTime)]
    disabled_until: Option<String>,
    /// The branches whose pushes are told.
    push_events_branch_filter: Option<String>,
    /// `wildcard` or `all_branches`
    branch_filter_strategy: &'static str,
    /// Always null.
    custom_webhook_template: Option<String>,
    /// Whether it has a secret token.
    token_present: bool,
    /// Always false.
    signing_token_present: bool,
    /// Always empty; left out of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    url_variables: Option<Vec<HookPart>>,
    /// Always empty; left out of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    custom_headers: Option<Vec<HookPart>>,
    /// `issues_events` and so on: what never happens here.
    #[serde(flatten)]
    #[schema(value_type = KeptEventsShape)]
    kept_events: BTreeMap<&'static str, bool>,
}

/// Whether a hook is told of what never happens here; of each kind of hook those that it may be told of.
#[derive(Debug)]
pub struct KeptEventsShape;

impl ToSchema for KeptEventsShape {}

impl PartialSchema for KeptEventsShape {
    fn schema() -> RefOr<Schema> {
        let flag = || ObjectBuilder::new().schema_type(Type::Boolean).description(Some("Kept, without effect"));
        let events = KEPT_EVENTS.iter().fold(ObjectBuilder::new(), |events, name| events.property(*name, flag()));
        events.description(Some("What never happens here, and is kept")).into()
    }
}

/// A part of requests that no hook has here.
#[derive(Debug, Serialize, ToSchema)]
pub struct HookPart {
    key: String,
}

/// What is said of a hook, and of events that never happen here and are kept.
#[derive(Debug)]
pub struct HookParameters;

impl ToSchema for HookParameters {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((HookOwnParameters::name().into_owned(), HookOwnParameters::schema()));
        schemas.push((KeptEventsShape::name().into_owned(), KeptEventsShape::schema()));
    }
}

impl PartialSchema for HookParameters {
    fn schema() -> RefOr<Schema> {
        let own = Ref::from_schema_name(HookOwnParameters::name());
        let all = AllOfBuilder::new().item(own).item(Ref::from_schema_name(KeptEventsShape::name()));
        all.description(Some("What is said of a hook, and of events that never happen here and are kept")).into()
    }
}

/// What is said of a hook itself.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct HookOwnParameters {
    url: String,
    /// What each delivery shows as `X-Gitlab-Token`.
    token: Option<String>,
    name: Option<String>,
    description: Option<String>,
    push_events: Option<bool>,
    tag_push_events: Option<bool>,
    repository_update_events: Option<bool>,
    enable_ssl_verification: Option<bool>,
    /// The branches whose pushes are told; a pattern where the strategy is `wildcard`.
    push_events_branch_filter: Option<String>,
    /// `wildcard` or `all_branches`
    branch_filter_strategy: Option<String>,
}

/// The events that hooks of this owner are kept to listen to.
fn kept_of(owner: HookOwner) -> impl Iterator<Item = &'static str> {
    KEPT_EVENTS.into_iter().filter(move |name| match owner {
        HookOwner::Project(_) => !matches!(*name, "subgroup_events" | "member_events" | "project_events"),
        HookOwner::Group(_) => *name != "resource_deploy_token_events",
        HookOwner::Instance => *name == "merge_requests_events",
    })
}

impl HookShape {
    /// The hook, with what only one alone is shown with where it is `alone`.
    pub fn of(stored: StoredHook, owner: HookOwner, alone: bool, now: DateTime<Utc>) -> Self {
        let StoredHook { id, created_at, health, hook, details, .. } = stored;
        let (project_id, group_id, organization_id) = match owner {
            HookOwner::Project(id) => (Some(id.0), None, None),
            HookOwner::Group(id) => (None, Some(id.0), None),
            HookOwner::Instance => (None, None, Some(1)),
        };
        let (alert_status, disabled_until) = match health.readiness(now) {
            HookReadiness::Ready => ("executable", None),
            HookReadiness::PausedUntil(until) => ("temporarily_disabled", Some(moment(until))),
            HookReadiness::Disabled => ("disabled", None),
        };
        Self {
            id: id.0,
            url: hook.url.expose_secret().to_owned(),
            name: hook.name,
            description: details.description,
            created_at: created_at.map(local_moment),
            project_id,
            group_id,
            organization_id,
            push_events: hook.listening.push_events,
            tag_push_events: hook.listening.tag_push_events,
            repository_update_events: hook.listening.repository_update_events,
            enable_ssl_verification: hook.enable_ssl_verification,
            alert_status,
            disabled_until,
            push_events_branch_filter: hook.listening.branch_filter,
            branch_filter_strategy: if details.all_branches { "all_branches" } else { "wildcard" },
            custom_webhook_template: None,
            token_present: hook.token.is_some(),
            signing_token_present: false,
            url_variables: alone.then(Vec::new),
            custom_headers: alone.then(Vec::new),
            kept_events: kept_of(owner).map(|name| (name, details.kept_events.contains(name))).collect(),
        }
    }
}

/// What a request says of a hook; of a `new` one it must say the URL.
///
/// # Errors
/// 400 with all that is wrong with the parameters, and for what is not supported.
pub fn stated(params: &RestParams, owner: HookOwner, new: bool) -> Result<HookChange, RestRefusal> {
    let change = params.read(|reader| declare(reader, owner, new))?;
    refuse_what_is_not_supported(params)?;
    Ok(change)
}

fn declare(reader: &mut ParameterReader<'_>, owner: HookOwner, new: bool) -> HookChange {
    let url = if new { Some(required_url(reader)) } else { reader.optional("url").value() };
    let filter = reader.optional::<String>("push_events_branch_filter").stated();
    let token = reader.optional::<String>("token").stated();
    HookChange {
        url,
        token: token.map(|token| token.filter(|token| !token.is_empty()).map(SecretString::from)),
        name: reader.optional("name").stated(),
        description: reader.optional("description").stated(),
        push_events: reader.optional("push_events").value(),
        tag_push_events: reader.optional("tag_push_events").value(),
        alert_events: None,
        repository_update_events: reader.optional("repository_update_events").value(),
        branch_filter: filter.map(|filter| filter.filter(|filter| !filter.is_empty())),
        all_branches: reader
            .choice("branch_filter_strategy", &[("wildcard", false), ("all_branches", true), ("regex", false)])
            .value(),
        enable_ssl_verification: reader.optional("enable_ssl_verification").value(),
        kept_events: kept_of(owner).filter_map(|name| Some((name, reader.optional::<bool>(name).value()?))).collect(),
    }
}

/// Grape says of a URL that is not there that it is missing, and no more.
fn required_url(reader: &mut ParameterReader<'_>) -> String {
    reader.required::<String>("url").value().unwrap_or_default()
}

/// What would promise something that no delivery keeps.
fn refuse_what_is_not_supported(params: &RestParams) -> Result<(), RestRefusal> {
    let refused = params.read(|reader| {
        let filled = |value: Option<&serde_json::Value>| match value {
            None | Some(serde_json::Value::Null) => false,
            Some(serde_json::Value::String(text)) => !text.is_empty(),
            Some(serde_json::Value::Array(values)) => !values.is_empty(),
            Some(serde_json::Value::Object(values)) => !values.is_empty(),
            Some(_) => true,
        };
        let names = ["signing_token", "custom_headers", "url_variables", "custom_webhook_template"];
        let regex = reader.value("branch_filter_strategy").and_then(serde_json::Value::as_str) == Some("regex");
        names.into_iter().find(|name| filled(reader.value(name))).or(regex.then_some("branch_filter_strategy regex"))
    })?;
    refused.map_or(Ok(()), |name| Err(RestRefusal::not_supported(name)))
}

//! `/admin/scim`, `/admin/scim/{scope}`: whose users identity providers manage, and the tokens that they call with. A scope
//! is the id of a group, or `instance`.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use chrono::{DateTime, Utc};

use super::error::AdminError;
use super::page::{ActionForm, Cell, Page, Table, Tone, act, badge, code, link, number, text, time};
use super::{AdminState, flash, id, level, list};
use crate::domain::ids::NamespaceId;
use crate::domain::scim::tenant::ScimTenant;
use crate::http::auth::admin::{ActingAdmin, AdminCaller, AdminForm, AdminQuery};
use crate::services::administer_scim;
use crate::services::scim_refusal::ScimUserRefusal;
use crate::store::admin::scim::{self, IdentityRow, ScopeRow};

/// The scopes.
pub async fn list(
    State(state): State<AdminState>,
    caller: AdminCaller,
    query: AdminQuery,
) -> Result<Response, AdminError> {
    let request = list::request(&query);
    let (groups, instance) = tokio::try_join!(scim::list_groups(&state.db, &request), scim::find_instance(&state.db))?;
    let (before, after) = list::neighbours("/admin/scim", &query, &groups, ScopeRow::key);
    let rows = [instance].into_iter().chain(groups.rows).map(|scope| {
        let place = scope.group_id.map_or_else(|| "instance".to_owned(), |group| group.to_string());
        let count = if scope.identities >= 1000 { text("1000 or more") } else { number(scope.identities) };
        [
            link(format!("/admin/scim/{place}"), scope.path),
            if scope.enabled { badge(Tone::Good, "on") } else { badge(Tone::Doubtful, "off") },
            count,
            time(scope.token_made_at),
            time(scope.changed_at),
            last_call(scope.called_at, scope.called, scope.status),
        ]
    });
    let head = ["Users of", "Single sign-on", "Identities", "Token made", "Last change by the provider", "Last call"];
    let table = Table::new("Scopes", &head, "There are none.").rows(rows).paged(before, after);
    let intro = "Of each provider the last call with its token is kept: the metrics count all by outcome, and the log has each.";
    Ok(Page::new("SCIM").intro(intro).table(table).show(&caller))
}

/// When, what, and what it was answered.
fn last_call(at: Option<DateTime<Utc>>, called: Option<String>, status: Option<i16>) -> Cell {
    let (Some(at), Some(called), Some(status)) = (at, called, status) else { return text("none yet") };
    let tone = if status < 400 { Tone::Good } else { Tone::Bad };
    [time(Some(at)), code(called), badge(tone, status.to_string())].concat()
}

/// A scope.
pub async fn show(
    State(state): State<AdminState>,
    caller: AdminCaller,
    Path(scope): Path<String>,
    query: AdminQuery,
) -> Result<Response, AdminError> {
    let tenant = tenant(&state, &scope).await?;
    let page_of = scim::list_identities(&state.db, tenant.scope(), &list::request(&query)).await?;
    let place = place(&tenant);
    let (before, after) = list::neighbours(&place, &query, &page_of, IdentityRow::key);
    let root = match &tenant {
        ScimTenant::Group(group) => Some(group.id.0),
        ScimTenant::Instance => None,
    };
    let links = scim::list_links(&state.db, root).await?;
    let head = ["Its name for them", "User", "State", "Changed"];
    let mut identities = Table::new("Users", &head, "It has taken nobody on.").with_acts().paged(before, after);
    for identity in page_of.rows {
        let last: Cell = if identity.active {
            let form = ActionForm::new(format!("{place}/deactivate"), "Deactivate", identity.extern_uid.clone());
            act(form.with("extern_uid", &identity.extern_uid).warned(
                "What this scope gives the user ends now, as if the provider had deactivated them. The provider may \
                 activate them again.",
            ))
        } else {
            text("")
        };
        identities.row([
            code(identity.extern_uid),
            link(format!("/admin/users/{}", identity.user_id), identity.username),
            if identity.active { badge(Tone::Good, "active") } else { badge(Tone::Plain, "inactive") },
            time(Some(identity.updated_at)),
            last,
        ]);
    }
    let links = links.into_iter().map(|link_of| {
        [
            text(link_of.name),
            link(format!("/admin/groups/{}", link_of.group_id), link_of.path),
            text(level(link_of.access_level.into())),
            if link_of.known { number(link_of.members) } else { text("not sent yet") },
        ]
    });
    let links =
        Table::new("Groups", &["Its group", "Makes members of", "Level", "Members"], "No group is linked.").rows(links);
    let form = ActionForm::new(format!("{place}/token"), "New token", "for the provider")
        .warned("The token before it is good no more, and the provider is refused until it has the new one.");
    Ok(Page::new(title(&tenant)).form(form).table(identities).table(links).show(&caller))
}

/// Makes a token, which is shown once: the answer is the page itself, and no other.
pub async fn new_token(
    State(state): State<AdminState>,
    admin: ActingAdmin,
    _form: AdminForm,
    Path(scope): Path<String>,
) -> Result<Response, AdminError> {
    let tenant = tenant(&state, &scope).await?;
    let (by, now) = (admin.administrator(), state.clock.now());
    let token = administer_scim::new_token(&state.db, &tenant, &by, rand::random(), now).await?;
    let base = match &tenant {
        ScimTenant::Group(group) => format!("groups/{}", group.full_path),
        ScimTenant::Instance => "application".to_owned(),
    };
    let url = format!("{}/api/scim/v2/{base}", state.settings.gitlab.url());
    let page = Page::new(format!("New token: {}", title(&tenant)))
        .intro("Give both to the identity provider now. The token is not shown again.")
        .secret("Token", &token)
        .facts("", [("URL", code(url)), ("Back", link(place(&tenant), title(&tenant)))]);
    Ok(page.show(admin.caller()))
}

/// Deactivates a user.
pub async fn deactivate(
    State(state): State<AdminState>,
    headers: HeaderMap,
    admin: ActingAdmin,
    form: AdminForm,
    Path(scope): Path<String>,
) -> Result<Response, AdminError> {
    let tenant = tenant(&state, &scope).await?;
    let (by, now, who) = (admin.administrator(), state.clock.now(), form.get("extern_uid"));
    administer_scim::deactivate(&state.db, &tenant, who, &by, now).await?;
    Ok(flash::see_other(&state.auth, &headers, &place(&tenant), &format!("{who} was deactivated.")))
}

impl From<ScimUserRefusal> for AdminError {
    fn from(refusal: ScimUserRefusal) -> Self {
        match refusal {
            ScimUserRefusal::NoSuchUser => Self::NoSuch("user of this provider"),
            ScimUserRefusal::OtherVersion => Self::Refused("The user has changed meanwhile.".to_owned()),
            ScimUserRefusal::Rule { refusal, .. } => Self::Refused(format!("It is refused: {refusal}.")),
        }
    }
}

async fn tenant(state: &AdminState, scope: &str) -> Result<ScimTenant, AdminError> {
    let group = if scope == "instance" { None } else { Some(NamespaceId(id(scope, "scope")?)) };
    administer_scim::find_tenant(&state.db, group).await?.ok_or(AdminError::NoSuch("scope"))
}

fn place(tenant: &ScimTenant) -> String {
    match tenant {
        ScimTenant::Group(group) => format!("/admin/scim/{}", group.id),
        ScimTenant::Instance => "/admin/scim/instance".to_owned(),
    }
}

fn title(tenant: &ScimTenant) -> String {
    match tenant {
        ScimTenant::Group(group) => format!("SCIM of {}", group.full_path),
        ScimTenant::Instance => "SCIM of the installation".to_owned(),
    }
}

//! `/admin/provisioning`: what the customers portal sold, and what came of it: a list for each kind of record.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::Value;

use super::error::AdminError;
use super::page::{ActionForm, Cell, Field, Page, Table, Tone, act, badge, code, day, number, text, time};
use super::{AdminState, flash, id, list};
use crate::domain::add_on::AddOn;
use crate::domain::audit::{AuditEntity, EventName};
use crate::domain::ids::NamespaceId;
use crate::domain::ledger::{LedgerActor, LedgerAuthor};
use crate::domain::provisioning::ProvisioningRefusal;
use crate::http::auth::admin::{ActingAdmin, AdminCaller, AdminForm, AdminQuery};
use crate::services::{audit_log, exclude_storage_limit};
use crate::store::admin::provisioning::{
    self, ExclusionRow, LedgerRow, MinutesRow, PurchaseRow, ReconciliationRow, SubscriptionRow,
};
use crate::store::provisioned_namespaces;

const LISTS: [(&str, &str); 6] = [
    ("/admin/provisioning", "Subscriptions"),
    ("/admin/provisioning/add_ons", "Add-ons"),
    ("/admin/provisioning/minutes", "Minutes"),
    ("/admin/provisioning/reconciliations", "Reconciliations"),
    ("/admin/provisioning/exclusions", "Storage exclusions"),
    ("/admin/provisioning/ledger", "Ledger"),
];

fn page(title: &str) -> Page {
    Page::new(title).links(&LISTS)
}

/// Subscriptions.
pub async fn subscriptions(
    State(state): State<AdminState>,
    caller: AdminCaller,
    query: AdminQuery,
) -> Result<Response, AdminError> {
    let page_of = provisioning::list_subscriptions(&state.db, &list::request(&query)).await?;
    let (before, after) = list::neighbours(LISTS[0].0, &query, &page_of, SubscriptionRow::key);
    let today = state.clock.now().date_naive();
    let rows = page_of.rows.into_iter().map(|row| {
        let over = row.end_date.is_some_and(|end| end < today);
        [
            text(row.namespace),
            text(row.plan),
            if row.trial { badge(Tone::Doubtful, "trial") } else { text("paid") },
            number(row.seats),
            number(row.seats_in_use),
            number(row.max_seats_used),
            day(row.start_date),
            if over {
                badge(Tone::Bad, row.end_date.map(|end| end.to_string()).unwrap_or_default())
            } else {
                day(row.end_date)
            },
        ]
    });
    let head = ["Namespace", "Plan", "Kind", "Seats", "Taken", "At most", "Began", "Ends"];
    let table = Table::new("Subscriptions", &head, "There are none.").rows(rows).paged(before, after);
    Ok(page("Provisioning").table(table).show(&caller))
}

/// Add-ons.
pub async fn add_ons(
    State(state): State<AdminState>,
    caller: AdminCaller,
    query: AdminQuery,
) -> Result<Response, AdminError> {
    let page_of = provisioning::list_purchases(&state.db, &list::request(&query)).await?;
    let (before, after) = list::neighbours(LISTS[1].0, &query, &page_of, PurchaseRow::key);
    let rows = page_of.rows.into_iter().map(|row| {
        let name = AddOn::NUMBERED.iter().find(|add_on| add_on.number() == row.add_on);
        [
            text(row.namespace),
            text(name.map_or_else(|| format!("add-on {}", row.add_on), |add_on| add_on.title())),
            number(row.quantity),
            if row.trial { badge(Tone::Doubtful, "trial") } else { text("paid") },
            day(Some(row.expires_on)),
            code(row.purchase_xid),
        ]
    });
    let head = ["Namespace", "Add-on", "Seats", "Kind", "Ends", "Purchase"];
    let table = Table::new("Purchases", &head, "There are none.").rows(rows).paged(before, after);
    Ok(page("Add-ons").table(table).show(&caller))
}

/// Packs of minutes.
pub async fn minutes(
    State(state): State<AdminState>,
    caller: AdminCaller,
    query: AdminQuery,
) -> Result<Response, AdminError> {
    let page_of = provisioning::list_minutes(&state.db, &list::request(&query)).await?;
    let (before, after) = list::neighbours(LISTS[2].0, &query, &page_of, MinutesRow::key);
    let rows = page_of
        .rows
        .into_iter()
        .map(|row| [text(row.namespace), number(row.number_of_minutes), day(row.expires_at), code(row.purchase_xid)]);
    let head = ["Namespace", "Minutes", "Ends", "Purchase"];
    let table = Table::new("Packs of minutes", &head, "There are none.").rows(rows).paged(before, after);
    Ok(page("Minutes").table(table).show(&caller))
}

/// Upcoming reconciliations.
pub async fn reconciliations(
    State(state): State<AdminState>,
    caller: AdminCaller,
    query: AdminQuery,
) -> Result<Response, AdminError> {
    let page_of = provisioning::list_reconciliations(&state.db, &list::request(&query)).await?;
    let (before, after) = list::neighbours(LISTS[3].0, &query, &page_of, ReconciliationRow::key);
    let rows = page_of
        .rows
        .into_iter()
        .map(|row| [text(row.namespace), day(Some(row.next_reconciliation_date)), day(Some(row.display_alert_from))]);
    let head = ["Namespace", "Day", "Told from"];
    let table = Table::new("Upcoming reconciliations", &head, "There are none.").rows(rows).paged(before, after);
    Ok(page("Reconciliations").table(table).show(&caller))
}

/// Namespaces without a limit on their storage.
pub async fn exclusions(
    State(state): State<AdminState>,
    caller: AdminCaller,
    query: AdminQuery,
) -> Result<Response, AdminError> {
    let page_of = provisioning::list_exclusions(&state.db, &list::request(&query)).await?;
    let (before, after) = list::neighbours(LISTS[4].0, &query, &page_of, ExclusionRow::key);
    let head = ["Namespace", "Reason", "Since"];
    let mut table = Table::new("Excluded from storage limits", &head, "None is.").with_acts().paged(before, after);
    for row in page_of.rows {
        let form = ActionForm::new(
            "/admin/provisioning/exclusions/remove",
            "Remove",
            format!("the exclusion of {}", row.namespace),
        )
        .with("namespace", row.namespace_id)
        .warned("The limit on the storage of this namespace holds again.");
        table.row([text(row.namespace), text(row.reason), time(Some(row.created_at)), act(form)]);
    }
    let mut page = page("Storage exclusions");
    if state.settings.gatehouse.check_namespace_plan {
        let form =
            ActionForm::new("/admin/provisioning/exclusions/add", "Exclude", "the namespace from its storage limit")
                .field(Field::required("namespace", "Top-level namespace: its full path or its id", ""))
                .field(Field::required("reason", "Reason", ""));
        page = page.form(form);
    } else {
        page = page.intro("Namespaces have no limits here: gatehouse.check_namespace_plan is off.");
    }
    Ok(page.table(table).show(&caller))
}

/// Excludes a namespace.
pub async fn add_exclusion(
    State(state): State<AdminState>,
    headers: HeaderMap,
    admin: ActingAdmin,
    form: AdminForm,
) -> Result<Response, AdminError> {
    if !state.settings.gatehouse.check_namespace_plan {
        return Err(AdminError::Refused(
            "Namespaces have no limits here: gatehouse.check_namespace_plan is off.".to_owned(),
        ));
    }
    let named = form.get("namespace");
    let found = provisioned_namespaces::find(&state.db, named).await?.ok_or(AdminError::NoSuch("namespace"))?;
    if !found.is_root() {
        return Err(AdminError::Refused("Only a top-level namespace can be excluded.".to_owned()));
    }
    let (author, now) = (author(admin.caller()), state.clock.now());
    exclude_storage_limit::exclude(&state.db, found.id, Some(form.get("reason")), &author, now).await?;
    let entity = AuditEntity::Group(found.id, found.name.clone());
    let event = admin.administrator().event(EventName::StorageExclusionAdded, entity, form.get("reason"));
    audit_log::record(&state.db, &event, now).await?;
    let said = format!("{} has no limit on its storage now.", found.name);
    Ok(flash::see_other(&state.auth, &headers, LISTS[4].0, &said))
}

/// Limits a namespace again.
pub async fn remove_exclusion(
    State(state): State<AdminState>,
    headers: HeaderMap,
    admin: ActingAdmin,
    form: AdminForm,
) -> Result<Response, AdminError> {
    let namespace = NamespaceId(form.number("namespace").ok_or(AdminError::NoSuch("namespace"))?);
    let (author, now) = (author(admin.caller()), state.clock.now());
    exclude_storage_limit::include(&state.db, namespace, &author, now).await?;
    let name =
        provisioned_namespaces::find_by_id(&state.db, namespace).await?.map(|found| found.name).unwrap_or_default();
    let entity = AuditEntity::Group(namespace, name.clone());
    let event = admin.administrator().event(EventName::StorageExclusionRemoved, entity, "The limit holds again");
    audit_log::record(&state.db, &event, now).await?;
    let said = format!("The limit on the storage of {name} holds again.");
    Ok(flash::see_other(&state.auth, &headers, LISTS[4].0, &said))
}

fn author(caller: &AdminCaller) -> LedgerAuthor {
    let session = caller.session();
    LedgerAuthor {
        actor: LedgerActor::Administrator(session.user, session.username.clone()),
        request_id: caller.correlation_id(),
    }
}

impl From<ProvisioningRefusal> for AdminError {
    fn from(refusal: ProvisioningRefusal) -> Self {
        match refusal {
            ProvisioningRefusal::NamespaceGone => Self::NoSuch("namespace"),
            ProvisioningRefusal::AlreadyExcluded => Self::Refused("This namespace is excluded already.".to_owned()),
            ProvisioningRefusal::NotExcluded => Self::Refused("This namespace is not excluded.".to_owned()),
            ProvisioningRefusal::ExclusionReason(complaint) => Self::Refused(format!("The reason {complaint}.")),
            other => Self::Refused(format!("It is refused: {other:?}.")),
        }
    }
}

/// The ledger.
pub async fn ledger(
    State(state): State<AdminState>,
    caller: AdminCaller,
    query: AdminQuery,
) -> Result<Response, AdminError> {
    let namespace = match query.get("namespace") {
        "" => None,
        text => Some(id(text, "namespace")?),
    };
    let page_of = provisioning::list_ledger(&state.db, namespace, &list::request(&query)).await?;
    let (before, after) = list::neighbours(LISTS[5].0, &query, &page_of, LedgerRow::key);
    let rows = page_of.rows.into_iter().map(|row| {
        [
            time(Some(row.created_at)),
            text(row.namespace),
            text(format!("{} {}", row.record_type.replace('_', " "), row.record_id)),
            changes(row.state_before.as_ref(), row.state_after.as_ref()),
            text(row.author_name),
        ]
    });
    let head = ["When", "Namespace", "Record", "Change", "By"];
    let table = Table::new("Ledger", &head, "It is empty.").rows(rows).paged(before, after);
    Ok(page("Ledger").table(table).show(&caller))
}

/// The fields that differ, from what to what.
fn changes(before: Option<&Value>, after: Option<&Value>) -> Cell {
    let field = |of: Option<&Value>, name: &str| of.and_then(|of| of.get(name)).cloned().unwrap_or(Value::Null);
    let names = [before, after].into_iter().flatten().filter_map(Value::as_object).flat_map(|of| of.keys());
    let names: std::collections::BTreeSet<&String> = names.collect();
    let word = match (before, after) {
        (None, _) => "made: ",
        (_, None) => "removed: ",
        _ => "",
    };
    let differ = names.into_iter().filter_map(|name| {
        let (from, to) = (field(before, name), field(after, name));
        let said = match (before, after) {
            (None, _) => format!("{name} {to}"),
            (_, None) => format!("{name} {from}"),
            _ => format!("{name} {from} → {to}"),
        };
        (from != to).then_some(said)
    });
    text(format!("{word}{}", differ.collect::<Vec<_>>().join(", ")))
}

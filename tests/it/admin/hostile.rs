//! Markup in every text that clients and the state document can write: pages show it as text.

use sqlx::PgPool;

use super::acting;
use super::pages::{add_the_rest, apply_the_demo, paths};
use crate::support::pushes::app_with_queue;

/// What would be an element, and an end of an attribute in either quotes.
const MARKUP: &str = "<b onmouseover=x>\"'&";

/// Texts that are words of ours, or of which something is made: with anything else in them nothing would be found.
const KEPT: [&str; 12] = [
    "admin_sessions.user_agent",
    "cluster_agent_tokens.token_encrypted",
    "graphile_worker",
    "members.source_type",
    "members.type",
    "namespaces.type",
    "personal_access_tokens.scopes",
    "personal_access_tokens.token_digest",
    "routes.source_type",
    "users.state",
    "web_hooks.type",
    "audit_events.details",
];

#[sqlx::test]
async fn every_text_from_outside_is_shown_as_text(pool: PgPool) {
    apply_the_demo(&pool);
    let app = app_with_queue(pool).await;
    add_the_rest(&app).await;
    let given = app.given();
    let mut browser = acting(&app).await;
    browser.get("/admin/users").await;
    let columns: String = given
        .value(
            "select string_agg(table_name || '.' || column_name, ' ' order by 1)
             from information_schema.columns
             join information_schema.tables using (table_schema, table_name)
             where table_schema = 'public'
               and table_type = 'BASE TABLE'
               and data_type in ('text', 'character varying')
               and table_name <> '_sqlx_migrations'",
        )
        .await;
    let mut refused = Vec::new();
    for column in columns.split(' ').filter(|column| !KEPT.contains(column)) {
        let (table, name) = column.split_once('.').unwrap();
        // What takes no such text is no way in.
        let update = format!("update {table} set {name} = coalesce({name}, '') || $markup${MARKUP}$markup$");
        if sqlx::query(sqlx::AssertSqlSafe(update)).execute(&app.pool).await.is_err() {
            refused.push(column.to_owned());
        }
    }
    for needed in [
        "users.username",
        "users.name",
        "users.email",
        "keys.title",
        "routes.path",
        "web_hooks.name",
        "web_hook_logs.response_body",
    ] {
        assert!(!refused.contains(&needed.to_owned()), "{needed}");
    }
    given
        .sql(&format!(
            "update graphile_worker._private_jobs set last_error = $markup${MARKUP}$markup$;
             insert into audit_events (author_id, author_name, entity_type, entity_path, entity_id, target_type, target_details, details)
             values (1, $markup${MARKUP}$markup$, 'User', $markup${MARKUP}$markup$, 1, 'Key', $markup${MARKUP}$markup$,
               E'---\\n:event_name: git_otp_refused\\n:custom_message: ' || to_json($markup${MARKUP}$markup$::text)::text || E'\\n');
             insert into provisioning_ledger_entries
               (created_at, namespace_id, record_type, record_id, state_after, author_type, author_name)
             values (now(), 1234, 'subscription', 1, jsonb_build_object('plan', $markup${MARKUP}$markup$::text), 'operator',
               $markup${MARKUP}$markup$)"
        ))
        .await;
    let mut shown = 0;
    let searched = form_urlencoded::byte_serialize(MARKUP.as_bytes()).collect::<String>();
    let searches = [
        format!("/admin/users?search={searched}&state={searched}"),
        format!("/admin/projects?search={searched}"),
        format!("/admin/groups?search={searched}"),
        format!("/admin/audit?event={searched}&since={searched}"),
        format!("/admin/sign_in?to={searched}"),
        "/admin/scim/instance".to_owned(),
    ];
    for path in paths().into_iter().chain(searches) {
        let page = browser.page(&path).await;
        if path.starts_with("/admin/audit.csv") {
            continue;
        }
        assert!(!page.contains("<b onmouseover"), "{path} takes it for an element:\n{page}");
        assert!(!page.contains("x>\"'&"), "{path} ends an attribute with it:\n{page}");
        let escaped = page.matches("&#60;b onmouseover").count();
        shown += escaped;
        if path == "/admin/users/7" || path == "/admin/projects/3" || path == "/admin/hooks/1" {
            assert!(escaped >= 5, "{path} shows {escaped} of them");
        }
    }
    assert!(shown > 100, "pages show {shown} of them");
    // What a form says comes back in the page after it, and in the audit events.
    let reply = browser.act("/admin/provisioning/exclusions/add", &[("namespace", MARKUP), ("reason", MARKUP)]).await;
    assert!(reply.status == 404 && !reply.text.contains("<b onmouseover"), "{}", reply.line());
    let page = browser.done("/admin/provisioning/exclusions/add", &[("namespace", "22"), ("reason", MARKUP)]).await;
    assert!(page.contains("&#60;b onmouseover") && !page.contains("<b onmouseover"), "{page}");
}

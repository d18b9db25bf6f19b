//! What forms do, and the audit event that each leaves.

use axum::body::Body;
use axum::http::Request;
use gatehouse::crypto::attr_encrypted::ColumnKey;
use gatehouse::domain::scim::ScimScope;
use gatehouse::domain::web_hook::HookSubscriptions;
use gatehouse::store::web_hooks::{self, HookOwner, WebHook};
use sqlx::PgPool;

use super::{Browser, acting, newest_event, words};
use crate::support::TestApp;
use crate::support::pushes::{NEW, OLD, Working, app_with_queue, report, until};
use crate::support::receiver::Receiver;

async fn own_token(app: &TestApp, token: &str) -> u16 {
    let request = Request::get("/api/v4/personal_access_tokens/self").header("private-token", token);
    app.send(request.body(Body::empty()).unwrap()).await.status.as_u16()
}

#[sqlx::test]
async fn a_user_is_blocked_and_unblocked(pool: PgPool) {
    let app = TestApp::new(pool);
    let mut browser = acting(&app).await;
    let rubi = app.given().user("rubi").await;
    app.given().personal_access_token(rubi, &app.secrets.db_key_base, "glpat-of-rubi", &["read_api"]).await;
    assert_eq!(own_token(&app, "glpat-of-rubi").await, 200);
    let path = format!("/admin/users/{rubi}");
    let page = browser.page(&path).await;
    assert!(page.contains(&format!("action=\"{path}/block\"")), "{page}");
    let page = browser.done(&format!("{path}/block"), &[]).await;
    assert!(page.contains("The user was blocked.") && page.contains("/unblock\""), "{page}");
    assert!(!browser.page(&path).await.contains("The user was blocked."), "it is said once");
    assert_eq!(newest_event(&app).await, "user_blocked root User");
    assert_eq!(own_token(&app, "glpat-of-rubi").await, 403);
    let reply = browser.act(&format!("{path}/block"), &[]).await;
    assert!(reply.status == 422 && reply.text.contains("state blocked"), "{}", reply.line());
    browser.done(&format!("{path}/unblock"), &[]).await;
    assert_eq!(newest_event(&app).await, "user_unblocked root User");
    assert_eq!(own_token(&app, "glpat-of-rubi").await, 200);
    app.given().user_is(rubi, "state = 'blocked_pending_approval'").await;
    for what in ["block", "unblock"] {
        assert_eq!(browser.act(&format!("{path}/{what}"), &[]).await.status, 422, "{what} of who was never let in");
    }
}

#[sqlx::test]
async fn nobody_blocks_themselves(pool: PgPool) {
    let app = TestApp::new(pool);
    let mut browser = acting(&app).await;
    let reply = browser.act("/admin/users/1/block", &[]).await;
    assert!(reply.status == 422 && reply.text.contains("Nobody blocks themselves"), "{}", reply.line());
}

#[sqlx::test]
async fn a_token_is_revoked_and_the_next_call_refused(pool: PgPool) {
    let app = TestApp::new(pool);
    let mut browser = acting(&app).await;
    let rubi = app.given().user("rubi").await;
    app.given().personal_access_token(rubi, &app.secrets.db_key_base, "glpat-of-rubi", &["read_api"]).await;
    let back = format!("/admin/users/{rubi}");
    let page = browser.done("/admin/tokens/revoke", &[("id", "3"), ("back", &back)]).await;
    assert!(page.contains("The token for a test of rubi was revoked.") && page.contains(">revoked<"), "{page}");
    assert_eq!(newest_event(&app).await, "personal_access_token_revoked root User PersonalAccessToken 3");
    assert_eq!(own_token(&app, "glpat-of-rubi").await, 401);
    assert_eq!(browser.act("/admin/tokens/revoke", &[("id", "3")]).await.status, 404, "it was done");
    let reply = browser.act("/admin/tokens/revoke", &[("id", "2"), ("back", "https://evil.example")]).await;
    assert_eq!(reply.headers["location"], "/admin/expiring", "nobody is sent elsewhere");
}

#[sqlx::test]
async fn a_key_is_removed_and_no_longer_known(pool: PgPool) {
    let app = TestApp::new(pool);
    let mut browser = acting(&app).await;
    let given = app.given();
    let rubi = given.user("rubi").await;
    let key = given.key(rubi, "laptop").await;
    let deploy = given.deploy_key(None, "builder").await;
    let project = given.project("g/p").await.deploys(deploy, true).await;
    let discover = async |key| app.get(&format!("/discover?key_id={key}")).await.text;
    assert!(discover(key).await.contains("rubi"));
    let page = browser.done("/admin/keys/remove", &[("id", &key.to_string()), ("back", "/admin/expiring/keys")]).await;
    assert!(page.contains("The key laptop was removed."), "{page}");
    assert_eq!(newest_event(&app).await, format!("key_removed root User Key {key}"));
    assert!(!discover(key).await.contains("rubi"));
    let back = format!("/admin/projects/{}", project.id);
    assert!(browser.page(&back).await.contains("SHA256:"));
    let page = browser.done("/admin/keys/remove", &[("id", &deploy.to_string()), ("back", &back)]).await;
    assert!(!page.contains("SHA256:"), "{page}");
    let left: i64 = given.value("select count(*) from deploy_keys_projects").await;
    assert_eq!(
        (left, newest_event(&app).await),
        (0, format!("key_removed root Gitlab::Audit::InstanceScope DeployKey {deploy}"))
    );
}

#[sqlx::test]
async fn dead_jobs_are_retried_and_dropped(pool: PgPool) {
    let app = app_with_queue(pool).await;
    let mut browser = acting(&app).await;
    let given = app.given();
    given
        .sql(
            "select graphile_worker.add_job('post_receive', '{\"push\":1}', max_attempts => 25) from generate_series(1, 3);
             update graphile_worker._private_jobs set attempts = max_attempts",
        )
        .await;
    let ids: Vec<String> = {
        let ids: String = given.value("select string_agg(id::text, ' ' order by id) from graphile_worker.jobs").await;
        ids.split(' ').map(str::to_owned).collect()
    };
    let page = browser.done("/admin/jobs/retry", &[("id", &ids[0])]).await;
    assert!(page.contains(&format!("Job {} will be tried again now.", ids[0])), "{page}");
    assert_eq!(newest_event(&app).await, format!("job_retried root Gitlab::Audit::InstanceScope Job {}", ids[0]));
    browser.done("/admin/jobs/drop", &[("id", &ids[1])]).await;
    assert_eq!(newest_event(&app).await, format!("job_dropped root Gitlab::Audit::InstanceScope Job {}", ids[1]));
    let left: String =
        given.value("select string_agg(attempts::text, ' ' order by id) from graphile_worker.jobs").await;
    assert_eq!(left, "0 25");
    let reply = browser.act("/admin/jobs/drop", &[("id", &ids[1])]).await;
    assert!(reply.status == 422 && reply.text.contains("is done, gone, or being worked on"), "{}", reply.line());
}

#[sqlx::test]
async fn a_hook_is_enabled_and_what_waits_is_delivered(pool: PgPool) {
    let app = app_with_queue(pool).await;
    let mut browser = acting(&app).await;
    let given = app.given();
    let project = given.project("g/p").await.id;
    given
        .sql(&format!(
            "insert into web_hooks (id, type, project_id, encrypted_url, encrypted_url_iv, recent_failures)
             values (7, 'ProjectHook', {project}, '', '', 40);
             insert into web_hook_deliveries (id, web_hook_id, trigger, event_uuid, request_data)
             values ('00000000-0000-0000-0000-000000000001', 7, 'push_hooks', gen_random_uuid(), '{{}}');
             select graphile_worker.add_job('deliver_webhook', '{{}}', job_key => '00000000-0000-0000-0000-000000000001');
             update graphile_worker._private_jobs set attempts = max_attempts"
        ))
        .await;
    let page = browser.done("/admin/hooks/redeliver", &[("id", "7")]).await;
    assert!(page.contains("One delivery of hook 7 is sent now."), "{page}");
    assert_eq!(newest_event(&app).await, "web_hook_redelivered root Gitlab::Audit::InstanceScope WebHook 7");
    let attempts: i32 = given.value("select max(attempts)::integer from graphile_worker.jobs").await;
    assert_eq!(attempts, 0);
    browser.done("/admin/hooks/enable", &[("id", "7"), ("back", "/admin/hooks/7")]).await;
    assert_eq!(newest_event(&app).await, "web_hook_enabled root Gitlab::Audit::InstanceScope WebHook 7");
    let failures: i32 = given.value("select recent_failures::integer from web_hooks").await;
    assert_eq!(failures, 0);
    assert_eq!(browser.act("/admin/hooks/enable", &[("id", "8")]).await.status, 404);
}

/// What a receiver has taken is sent again under the same name, once at a time.
#[sqlx::test]
async fn what_a_receiver_took_is_sent_again(pool: PgPool) {
    let app = app_with_queue(pool).await;
    let mut browser = acting(&app).await;
    let given = app.given();
    given.setting("allow_local_requests_from_web_hooks_and_services = true").await;
    let project = given.project("g/p").await.developer("rubi").await.id;
    let rubi = given.user("rubi").await;
    let receiver = Receiver::start().await;
    let key = ColumnKey::new(&app.secrets.db_key_base);
    let listening = HookSubscriptions { push_events: true, ..HookSubscriptions::default() };
    let hook =
        WebHook { url: receiver.url().into(), token: None, name: None, listening, enable_ssl_verification: true };
    let mut connection = app.pool.acquire().await.unwrap();
    web_hooks::upsert(&mut connection, HookOwner::Project(project), &hook, &key).await.unwrap();
    drop(connection);
    let push =
        report(&format!("project-{project}"), &format!("user-{rubi}"), &format!("{OLD} {NEW} refs/heads/main\n"));
    assert_eq!(app.post_receive(push).await.status, 200);
    let working = Working::on(&app);
    until(&app, "select count(*) from web_hook_logs", 1).await;
    working.drain().await;
    let (hook, log): (i64, i64) = {
        let row = sqlx::query_as("select web_hook_id, id from web_hook_logs").fetch_one(&app.pool).await;
        row.unwrap()
    };
    let page = browser.page(&format!("/admin/hooks/{hook}")).await;
    assert!(page.contains("Send again") && words(&page).contains("object_kind"), "{page}");
    let fields = [("id", &*hook.to_string()), ("log", &*log.to_string())];
    browser.done("/admin/hooks/resend", &fields).await;
    assert_eq!(
        newest_event(&app).await,
        format!("web_hook_redelivered root Gitlab::Audit::InstanceScope WebHook {hook}")
    );
    let waits = browser.act("/admin/hooks/resend", &fields).await;
    assert!(waits.status == 422 && waits.text.contains("waits to be delivered"), "{}", waits.line());
    let working = Working::on(&app);
    until(&app, "select count(*) from web_hook_logs", 2).await;
    working.drain().await;
    let [first, again] = &receiver.requests()[..] else { panic!("{:?}", receiver.requests()) };
    assert_eq!(first.json(), again.json());
    for name in ["idempotency-key", "x-gitlab-event-uuid", "x-gitlab-event"] {
        assert_eq!(first.header(name), again.header(name), "{name}");
    }
    assert_eq!(browser.act("/admin/hooks/resend", &[("id", &hook.to_string()), ("log", "999")]).await.status, 422);
}

#[sqlx::test]
async fn a_token_of_an_agent_is_revoked(pool: PgPool) {
    let app = TestApp::new(pool);
    let mut browser = acting(&app).await;
    let given = app.given();
    let project = given.project("g/p").await.id;
    let agent = given.agent(project, "prod", None).await;
    let token = given.agent_token(agent, &app.secrets.db_key_base, "glagent-one").await;
    let other = given.agent_token(agent, &app.secrets.db_key_base, "glagent-two").await;
    let page = browser.done("/admin/agents/revoke", &[("id", &token.to_string())]).await;
    assert!(page.contains("The token glagent-one of agent prod was revoked."), "{page}");
    assert_eq!(
        newest_event(&app).await,
        format!("cluster_agent_token_revoked root Project Clusters::AgentToken {token}")
    );
    let good: i64 = given.value("select id from cluster_agent_tokens where status = 0").await;
    assert_eq!(good, other, "the other one is left");
    assert_eq!(browser.act("/admin/agents/revoke", &[("id", &token.to_string())]).await.status, 404);
}

#[sqlx::test]
async fn a_namespace_is_excluded_from_its_storage_limit_and_limited_again(pool: PgPool) {
    let app = TestApp::new(pool);
    let mut browser = acting(&app).await;
    let given = app.given();
    let group = given.group("acme").await.0.to_string();
    given.group("acme/platform").await;
    let fields = [("namespace", "acme"), ("reason", "they pay for it")];
    let page = browser.done("/admin/provisioning/exclusions/add", &fields).await;
    assert!(page.contains("they pay for it"), "{page}");
    assert_eq!(newest_event(&app).await, "storage_exclusion_added root Group");
    let written: String =
        given.value("select author_type || ' ' || author_name from provisioning_ledger_entries").await;
    assert_eq!(written, "administrator root");
    for (namespace, reason, said) in [
        ("acme", "again", "excluded already"),
        ("acme/platform", "why", "top-level"),
        (group.as_str(), " ", "excluded already"),
    ] {
        let reply =
            browser.act("/admin/provisioning/exclusions/add", &[("namespace", namespace), ("reason", reason)]).await;
        assert!(reply.status == 422 && reply.text.contains(said), "{namespace}: {}", reply.line());
    }
    browser.done("/admin/provisioning/exclusions/remove", &[("namespace", &group)]).await;
    assert_eq!(newest_event(&app).await, "storage_exclusion_removed root Group");
    let reply = browser.act("/admin/provisioning/exclusions/remove", &[("namespace", &group)]).await;
    assert!(reply.status == 422 && reply.text.contains("not excluded"), "{}", reply.line());
}

#[sqlx::test]
async fn a_provider_gets_a_new_token_once_and_a_user_is_deactivated(pool: PgPool) {
    let app = TestApp::new(pool);
    let mut browser = acting(&app).await;
    let given = app.given();
    let group = given.scim_group("acme").await;
    given.scim_token(ScimScope::Group(group), "glsoat-before").await;
    let rubi = given.user("rubi").await;
    given
        .sql(&format!(
            "insert into group_scim_identities (group_id, user_id, extern_uid, active) values ({group}, {rubi}, 'rubi-there', true)"
        ))
        .await;
    let path = format!("/admin/scim/{group}");
    let reply = browser.act(&format!("{path}/token"), &[]).await;
    assert_eq!(reply.status, 200, "the page is the answer: {}", reply.line());
    let token = reply.text.split("value=\"glsoat-").nth(1).unwrap().split('"').next().unwrap();
    let token = format!("glsoat-{token}");
    assert_eq!(newest_event(&app).await, "scim_token_issued root Group");
    assert!(!browser.page(&path).await.contains(&token), "it is shown once");
    let call = async |token: &str| {
        let request = Request::get("/api/scim/v2/groups/acme/Users").header("authorization", format!("Bearer {token}"));
        app.send(request.body(Body::empty()).unwrap()).await.status.as_u16()
    };
    assert_eq!((call(&token).await, call("glsoat-before").await), (200, 401));
    until(&app, "select count(*) from scim_calls where status = 200", 1).await;
    let list = words(&browser.page("/admin/scim").await);
    assert!(list.contains("GET /api/scim/v2/groups/{path}/Users 200"), "{list}");
    let page = browser.done(&format!("{path}/deactivate"), &[("extern_uid", "rubi-there")]).await;
    assert!(page.contains("rubi-there was deactivated.") && page.contains(">inactive<"), "{page}");
    assert_eq!(newest_event(&app).await, "scim_user_deactivated root Group");
    assert_eq!(browser.act(&format!("{path}/deactivate"), &[("extern_uid", "nobody")]).await.status, 404);
}

#[sqlx::test]
async fn a_session_is_ended_by_another_one(pool: PgPool) {
    let app = TestApp::new(pool);
    let mut browser = acting(&app).await;
    let mut other = Browser::signed_in(&app, "glpat-looks").await;
    let id: i64 = app.given().value("select max(id) from admin_sessions").await;
    let page = browser.done("/admin/sessions/end", &[("id", &id.to_string())]).await;
    assert!(page.contains("The session was ended."), "{page}");
    assert_eq!(newest_event(&app).await, "admin_area_session_ended root User");
    assert_eq!(other.get("/admin").await.status, 303);
    assert_eq!(browser.act("/admin/sessions/end", &[("id", &id.to_string())]).await.status, 404);
}

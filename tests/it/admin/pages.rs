//! What the pages show of an installation that has something of everything.

use std::path::Path;

use sqlx::PgPool;

use super::{Browser, acting, words};
use crate::auth_matrix::admin::ROUTES;
use crate::support::pushes::app_with_queue;
use crate::support::{Installation, TestApp};

/// Brings the database into the state of the first try.
pub fn apply_the_demo(pool: &PgPool) {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/demo.yml");
    let applied = Installation::new(pool, "").run(&["apply", "-f", demo.to_str().unwrap()]);
    assert_eq!(applied.code, 0, "{}", applied.stderr);
}

/// Hooks with answers and deliveries, jobs of all states, findings, and a ledger: what no document states.
pub async fn add_the_rest(app: &TestApp) {
    let given = app.given();
    given
        .sql(
            "insert into web_hooks (id, type, project_id, name, encrypted_url, encrypted_url_iv, recent_failures, disabled_until)
             values (1, 'ProjectHook', 3, 'ci', '', '', 5, now() + interval '1 hour'), (2, 'ProjectHook', 3, 'off', '', '', 40, null)",
        )
        .await;
    given
        .sql(
            "insert into web_hooks (id, type, name, encrypted_url, encrypted_url_iv) values (3, 'SystemHook', 'all', '', '');
             insert into web_hooks (id, type, group_id, name, encrypted_url, encrypted_url_iv)
             values (4, 'GroupHook', 1234, 'group', '', '')",
        )
        .await;
    given
        .sql(
            "insert into web_hook_logs (web_hook_id, trigger, execution_duration, response_status, response_body)
             values (1, 'push_hooks', 0.25, '503', 'out of order');
             insert into web_hook_logs (web_hook_id, trigger, internal_error_message) values (1, 'push_hooks', 'no route');
             insert into web_hook_deliveries (web_hook_id, trigger, event_uuid, request_data)
             values (1, 'push_hooks', gen_random_uuid(), '{\"object_kind\":\"push\"}')",
        )
        .await;
    given
        .sql(
            "select graphile_worker.add_job('post_receive', '{\"push\":1}', max_attempts => 25);
             select graphile_worker.add_job('deliver_webhook', '{\"delivery\":\"x\"}', max_attempts => 10);
             update graphile_worker._private_jobs
             set attempts = max_attempts, last_error = 'TaskError(\"the receiver answered 404\")'
             where id = (select max(id) from graphile_worker._private_jobs)",
        )
        .await;
    given
        .sql(
            "insert into provisioning_ledger_entries
               (created_at, namespace_id, record_type, record_id, state_before, state_after, author_type, author_name)
             values (now(), 1234, 'subscription', 1, '{\"seats\": 5}', '{\"seats\": 7, \"plan\": \"gold\"}', 'operator', 'somebody')",
        )
        .await;
    given
        .sql(
            "insert into project_statistics (project_id, namespace_id, repository_size) values (3, 1234, 5242880)
             on conflict (project_id) do update set repository_size = 5242880",
        )
        .await;
    given
        .sql("update push_rules set author_email_regex = '@example.com$', deny_delete_tag = true where project_id = 7")
        .await;
    given
        .sql(
            "update keys set expires_at = now() + interval '5 days' where id = 7;
             update keys set created_at = now() - interval '100 days' where id = 11;
             insert into personal_access_tokens (user_id, name, expires_at) values (7, 'ends', current_date + 10);
             insert into personal_access_tokens (user_id, name, created_at) values (7, 'idle', now() - interval '100 days')",
        )
        .await;
}

/// Why somebody may push or not is explained, and what would help is a page away.
#[sqlx::test]
async fn an_attempt_is_explained(pool: PgPool) {
    let app = installation(pool).await;
    let mut browser = acting(&app).await;
    let page = browser.page("/admin/explain").await;
    assert!(page.contains("name=\"actor\"") && !words(&page).contains("Outcome"), "{page}");
    let allowed = words(&browser.page("/admin/explain?kind=user&actor=rubi&project=gnuwget/wget2&action=push").await);
    for said in ["Outcome allowed", "Level: owner", "Rules before git begins", "passed"] {
        assert!(allowed.contains(said), "{said}: {allowed}");
    }
    let path = "/admin/explain?actor=dana&project=gnuwget/wget2&action=push&ref=main&change=..2222222222222222222222222222222222222222";
    let unknown = words(&browser.page(path).await);
    assert!(unknown.contains("cannot say"), "no Gitaly answers here: {unknown}");
    app.given().sql("update keys set expires_at = '2026-01-01' where id = 7").await;
    let page = browser.page("/admin/explain?kind=key&actor=7&project=gnuwget/wget2&action=pull").await;
    let denied = words(&page);
    for said in ["Outcome denied", "By the rule D2b", "What would help", "not reached"] {
        assert!(denied.contains(said), "{said}: {denied}");
    }
    assert!(page.contains("href=\"/admin/projects/3\""), "{page}");
    for (query, status) in [
        ("actor=nobody&project=gnuwget/wget2", 404),
        ("kind=key&actor=SHA256:x&project=gnuwget/wget2", 422),
        ("actor=rubi&project=gnuwget/wget2&action=push&ref=a..b", 422),
        ("actor=rubi&project=gnuwget/wget2&action=push&ref=main&change=x", 422),
        ("actor=rubi&project=gnuwget/wget2&ip=x", 422),
    ] {
        assert_eq!(browser.get(&format!("/admin/explain?{query}")).await.status, status, "{query}");
    }
}

#[sqlx::test]
async fn what_was_refused_leads_to_its_explanation(pool: PgPool) {
    let app = installation(pool).await;
    let mut browser = acting(&app).await;
    app.given()
        .sql(
            "insert into access_refusals
               (created_at, rule, message, actor, user_id, username, target, project_id, command, protocol, ref_name, old_id,
                new_id, client_ip, correlation_id, skipped)
             values
               (now(), 'allowed-99', 'You may not push', 'key-7', 7, 'rubi', 'gnuwget/wget2', 3, 'git-receive-pack', 'ssh',
                'refs/heads/main', repeat('1', 40), repeat('2', 40), '192.0.2.7', 'abc', 12),
               (now(), 'allowed-13', 'No such project', 'username', null, null, 'nothing/there', null, 'git-upload-pack', 'http',
                null, null, null, null, 'def', 0)",
        )
        .await;
    let page = browser.page("/admin/refusals").await;
    let said = words(&page);
    for expected in [
        "rubi gnuwget/wget2 push refs/heads/main allowed-99",
        "12 more before it were not kept",
        "nothing/there fetch allowed-13",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    let link =
        page.split("href=\"").map(|rest| rest.split('"').next().unwrap()).find(|to| to.starts_with("/admin/explain?"));
    let link = page
        .split("href=\"")
        .map(|rest| rest.split('"').next().unwrap())
        .find(|to| to.contains("kind=key"))
        .or(link)
        .unwrap()
        .replace("&#38;", "&");
    for part in [
        "kind=key&actor=7",
        "project=gnuwget%2Fwget2",
        "action=push",
        "ref=refs%2Fheads%2Fmain",
        "change=111",
        "ip=192.0.2.7",
    ] {
        assert!(link.contains(part), "{part}: {link}");
    }
    assert!(words(&browser.page(&link).await).contains("Outcome"));
    for (query, shown) in
        [("rule=allowed-13", "def"), ("user=rubi", "abc"), ("project=gnuwget/wget2", "abc"), ("request=def", "def")]
    {
        let page = words(&browser.page(&format!("/admin/refusals?{query}")).await);
        let other = if shown == "abc" { "allowed-13 No such" } else { "You may not push" };
        assert!(page.contains(shown) && !page.contains(other), "{query}: {page}");
    }
    assert_eq!(browser.get("/admin/refusals?user=nobody").await.status, 404);
}

async fn installation(pool: PgPool) -> TestApp {
    apply_the_demo(&pool);
    let app = app_with_queue(pool).await;
    add_the_rest(&app).await;
    app
}

/// The pages, with the ids of something that is there.
pub fn paths() -> Vec<String> {
    let gets = ROUTES.iter().filter(|(method, _)| *method == "GET");
    let mut paths: Vec<String> = gets
        .flat_map(|(_, path)| {
            let ids: &[&str] = match *path {
                "/admin/agents/{id}" => &["1"],
                "/admin/groups/{id}" | "/admin/groups/{id}/members" => &["1234"],
                "/admin/hooks/{id}" => &["1", "2", "3", "4"],
                "/admin/projects/{id}" | "/admin/projects/{id}/members" => &["3", "7", "111"],
                "/admin/scim/{scope}" => &["instance"],
                "/admin/users/{id}" => &["1", "7", "29"],
                _ => &[""],
            };
            ids.iter().map(|id| path.replace("{id}", id).replace("{scope}", id)).collect::<Vec<_>>()
        })
        .collect();
    paths.push("/admin/explain?actor=29&project=project-3&action=push&ref=main&change=update".to_owned());
    paths.push("/admin/hooks?failing=1".to_owned());
    paths.push("/admin/jobs?state=dead".to_owned());
    paths
}

#[sqlx::test]
async fn every_page_is_there_and_has_one_heading(pool: PgPool) {
    let app = installation(pool).await;
    let mut browser = acting(&app).await;
    for path in paths() {
        let page = browser.page(&path).await;
        if path == "/admin/audit.csv" {
            continue;
        }
        assert_eq!(page.matches("<h1>").count(), 1, "{path}");
        assert_eq!(page.matches("<main id=\"main\"").count(), 1, "{path}");
        assert!(page.starts_with("<!doctype html>\n<html lang=\"en\">"), "{path}");
        let mut ids: Vec<&str> = page.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        let number = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), number, "{path}: an id stands twice");
        for label in page.split("<label for=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            assert!(ids.contains(&label), "{path}: a label for {label}");
        }
    }
}

#[sqlx::test]
async fn pages_say_what_there_is(pool: PgPool) {
    let app = installation(pool).await;
    let lfs = "insert into lfs_file_locks (project_id, user_id, path) select 3, id, 'model.bin' from users where username = 'rubi';
               with object as (insert into lfs_objects (oid, size) values (repeat('a', 64), 5) returning id)
               insert into lfs_objects_projects (lfs_object_id, project_id, repository_type)
               select id, 3, kind from object, (values (0), (1)) as kinds (kind)";
    app.given().sql(lfs).await;
    let mut browser = acting(&app).await;
    let expected: [(&str, &[&str]); 17] = [
        ("/admin", &["Version 0.2.0", "Jobs that are dead 1", "Storages", "default no answer", "Git refused"]),
        (
            "/admin/projects/3",
            &[
                "gnuwget/wget2",
                "5.0 MiB",
                "main maintainers developers no",
                "release/* nobody, deploy key builder",
                "v* maintainers",
                "builder SHA256:",
                "rubi active owner",
                "LFS objects 1",
                "model.bin rubi",
                "ci gnuwget/wget2 pushes pauses until",
            ],
        ),
        (
            "/admin/projects/7",
            &["Messages must match ^[A-Z]+-\\d+", "Removing tags is refused", "dana active maintainer"],
        ),
        (
            "/admin/groups/1234",
            &["A Namespace Name", "rubi active owner gnuwget (50)", "dana active developer gnuwget (30)"],
        ),
        (
            "/admin/users/7",
            &[
                "Dede Eichmann",
                "one-time passwords",
                "laptop SHA256:",
                "gnuwget owner never counts",
                "SCIM of test_group",
            ],
        ),
        ("/admin/users/1", &["Managed by gitlab-org"]),
        ("/admin/jobs?state=dead", &["dead deliver_webhook 10 of 10", "the receiver answered 404", "Retry", "Drop"]),
        ("/admin/hooks/1", &["no route", "503", "0.250 s out of order", "Deliver now", "{\"object_kind\":\"push\"}"]),
        ("/admin/agents", &["prod gnuwget/wget2 1 never none"]),
        ("/admin/provisioning", &["acme ultimate paid 25"]),
        ("/admin/provisioning/add_ons", &["acme Code Suggestions 10 paid 2027-07-15 A-S12345678"]),
        ("/admin/provisioning/minutes", &["acme 10000 2027-01-01"]),
        ("/admin/provisioning/exclusions", &["gnuwget a reason to exclude the Namespace", "Remove"]),
        ("/admin/provisioning/ledger?namespace=1234", &["plan null → \"gold\", seats 5 → 7 somebody"]),
        ("/admin/scim/instance", &["dana active", "Engineering test_group developer"]),
        ("/admin/expiring", &["ends rubi"]),
        ("/admin/expiring/unused_tokens", &["idle rubi never never"]),
    ];
    for (path, expected) in expected {
        let page = words(&browser.page(path).await).replace("&#34;", "\"").replace("&#38;", "&");
        for said in expected {
            assert!(page.contains(said), "{path} lacks {said}: {page}");
        }
    }
    assert!(words(&browser.page("/admin/expiring/keys").await).contains("laptop SSH key rubi"));
    assert!(words(&browser.page("/admin/expiring/unused_keys").await).contains("admin@example.com SSH key root"));
    let check = words(&browser.page("/admin/check").await);
    assert!(check.contains("database ok") && check.contains("storage default failed"), "{check}");
    let other = Browser::signed_in(&app, "glpat-looks").await;
    drop(other);
    let sessions = words(&browser.page("/admin/sessions").await);
    assert!(sessions.contains("this one") && sessions.contains("looks"), "{sessions}");
}

#[sqlx::test]
async fn the_binary_serves_the_admin_area_where_the_settings_say(pool: PgPool) {
    let app = TestApp::new(pool.clone());
    super::administrator(&app).await;
    let listen = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let installation = Installation::new(&pool, &format!("  admin: {{listen: '{listen}'}}\n"));
    let served = installation.serve();
    let mut stream = std::net::TcpStream::connect(listen).unwrap();
    std::io::Write::write_all(&mut stream, b"GET /admin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut said = String::new();
    std::io::Read::read_to_string(&mut stream, &mut said).unwrap();
    assert!(said.starts_with("HTTP/1.1 303") && said.contains("location: /admin/sign_in"), "{said}");
    assert!(served.log().contains("listening for administrators"), "{}", served.log());
}

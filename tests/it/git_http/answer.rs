//! What Workhorse is told when it may go on.

use gatehouse::domain::repository::hashed_path;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{Forge, PASSWORD, assert_allowed, assert_challenged};

/// http-11, http-13
#[sqlx::test]
async fn nobody_fetches_from_a_public_project(pool: PgPool) {
    let forge = Forge::begins(pool).await;
    let (project, group) = (forge.open.id, forge.group);
    let path = format!("{}.git", hashed_path("@hashed", project.0));
    let said = assert_allowed(&forge.fetch("g/open", None).await);
    assert_eq!(
        said,
        json!({
            "GL_ID": "", "GL_USERNAME": null, "GL_REPOSITORY": format!("project-{project}"), "ShowAllRefs": false,
            "NeedAudit": false, "ProjectID": project.0, "RootNamespaceID": group.0, "GitConfigOptions": [],
            "Repository": {
                "storage_name": "default", "relative_path": path, "git_object_directory": "",
                "git_alternate_object_directories": [], "gl_repository": format!("project-{project}"),
                "gl_project_path": "g/open"
            },
            "GitalyServer": {
                "address": "tcp://gitaly:8075", "token": null, "features": {},
                "call_metadata": { "remote_ip": "127.0.0.1" }
            }
        })
    );
    assert_eq!(assert_allowed(&forge.ask("POST", "/g/open.git/git-upload-pack", None).await), said);
}

/// http-13, http-25
#[sqlx::test]
async fn a_user_is_named_to_gitaly(pool: PgPool) {
    let forge = Forge::with(pool, "gitaly: {token: secret}").await;
    forge.given.setting("receive_max_input_size = 5").await;
    for reply in [
        forge.push("g/p", Some(("dev", PASSWORD))).await,
        forge.ask("POST", "/g/p.git/git-receive-pack", Some(("dev", PASSWORD))).await,
    ] {
        let said = assert_allowed(&reply);
        assert_eq!(said["GL_ID"], format!("user-{}", forge.dev));
        assert_eq!(said["GL_USERNAME"], "dev");
        assert_eq!(said["GitConfigOptions"], json!(["receive.maxInputSize=5242880"]));
        assert_eq!(said["GitalyServer"]["token"], "secret");
        let metadata = json!({ "user_id": format!("user-{}", forge.dev), "username": "dev", "remote_ip": "127.0.0.1" });
        assert_eq!(said["GitalyServer"]["call_metadata"], metadata);
    }
    forge.given.eventually("select last_activity_on is not null from users where username = 'dev'").await;
}

/// http-14
#[sqlx::test]
async fn a_wiki_is_no_project(pool: PgPool) {
    let forge = Forge::begins(pool).await;
    let project = forge.private.clone().with_wiki().await;
    let said = assert_allowed(&forge.fetch("g/p.wiki", Some(("dev", "T-dev"))).await);
    assert_eq!(said["GL_REPOSITORY"], format!("wiki-{}", project.id));
    assert!(said["Repository"]["relative_path"].as_str().unwrap().ends_with(".wiki.git"));
    assert_eq!((&said["ProjectID"], &said["RootNamespaceID"]), (&Value::Null, &Value::Null));
}

/// http-15
#[sqlx::test]
async fn a_snippet_is_read_by_its_author_and_by_anybody_if_it_is_public(pool: PgPool) {
    let forge = Forge::begins(pool).await;
    let snippet = forge.given.snippet(forge.dev, None).await;
    let path = format!("snippets/{snippet}");
    let said = assert_allowed(&forge.fetch(&path, Some(("dev", "T-dev"))).await);
    assert_eq!(said["GL_REPOSITORY"], format!("snippet-{snippet}"));
    assert_challenged(&forge.fetch(&path, None).await);
    forge.given.sql("update snippets set visibility_level = 20").await;
    assert_allowed(&forge.fetch(&path, None).await);
    let of_project = forge.given.snippet(forge.dev, Some(&forge.private)).await;
    forge.given.sql("update snippets set visibility_level = 20").await;
    assert_challenged(&forge.fetch(&format!("g/p/snippets/{of_project}"), None).await);
}

/// http-16
#[sqlx::test]
async fn workhorse_reports_what_is_audited(pool: PgPool) {
    let forge = Forge::with(pool, "gatehouse: {git_audit: true}").await;
    let said = assert_allowed(&forge.fetch("g/p", Some(("dev", "T-dev"))).await);
    assert_eq!(said["NeedAudit"], true);
    let report = json!({
        "action": "git-upload-pack", "protocol": "http", "gl_repository": said["GL_REPOSITORY"], "username": "dev",
        "identifier": said["GL_ID"], "changes": "_any"
    });
    let request = super::signed("POST", "/api/v4/internal/shellhorse/git_audit_event", None)
        .header("content-type", "application/json")
        .body(axum::body::Body::from(report.to_string()));
    assert_eq!(forge.app.send(request.unwrap()).await.status, 200);
    assert_eq!(forge.given.value::<i64>("select count(*) from audit_events where author_id > 0").await, 1);
}

/// http-17
#[sqlx::test]
async fn the_clients_address_is_told_by_proxies_that_are_trusted(pool: PgPool) {
    let forge = Forge::with(pool, "gitlab: {trusted_proxies: [10.0.0.0/8]}").await;
    let fetch = "/g/open.git/info/refs?service=git-upload-pack";
    for (header, address) in [
        ("192.0.2.1, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("junk", "127.0.0.1"),
        ("203.0.113.9:4711", "203.0.113.9"),
    ] {
        let said = assert_allowed(&forge.ask_from(header, "GET", fetch, None).await);
        assert_eq!(said["GitalyServer"]["call_metadata"]["remote_ip"], address, "{header}");
    }
}

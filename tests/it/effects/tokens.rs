//! Tokens and forks that a state document states, as git over HTTP meets them.

use axum::body::Body;
use serde_json::json;
use sqlx::PgPool;

use super::stated::{BASE, Stated};
use crate::git_http::signed;

impl Stated {
    /// Whether git may fetch from and push to a repository with this login: the statuses that Workhorse gets.
    async fn git(&self, repository: &str, login: &str, secret: &str) -> (u16, u16) {
        let ask = async |service: &str| {
            let path = format!("/{repository}.git/info/refs?service={service}");
            let request = signed("GET", &path, Some((login, secret)));
            self.app.send(request.body(Body::empty()).unwrap()).await.status.as_u16()
        };
        (ask("git-upload-pack").await, ask("git-receive-pack").await)
    }
}

#[sqlx::test]
async fn a_stated_deploy_token_opens_what_it_is_of(pool: PgPool) {
    let stated = Stated::new(pool);
    stated.says(BASE).await;
    let tokens = "
projects:
  - path: acme/web
    deploy_tokens:
      - {name: ci, id: 7, scopes: [read_repository], token: gldt-of-the-project}
      - {name: named, username: robot, scopes: [read_repository], token: gldt-of-robot}
      - {name: packages, scopes: [read_package_registry], token: gldt-of-packages}
      - {name: past, scopes: [read_repository], expires_at: 2020-01-01, token: gldt-past}
      - {name: back, scopes: [read_repository], revoked: true, token: gldt-back}
groups: [{path: acme, deploy_tokens: [{name: all, id: 20, scopes: [read_repository], token: gldt-of-the-group}]}]
";
    stated.says(tokens).await;
    for (login, secret, expected) in [
        ("gitlab+deploy-token-7", "gldt-of-the-project", (200, 403)),
        ("robot", "gldt-of-the-project", (401, 401)),
        ("robot", "gldt-of-robot", (200, 403)),
        ("gitlab+deploy-token-20", "gldt-of-the-group", (200, 403)),
        ("gitlab+deploy-token-21", "gldt-of-packages", (401, 401)),
        ("gitlab+deploy-token-22", "gldt-past", (401, 401)),
        ("gitlab+deploy-token-23", "gldt-back", (401, 401)),
    ] {
        assert_eq!(stated.git("acme/web", login, secret).await, expected, "{secret}");
    }
    // Of all of them the ids are known: the login is not what keeps the others out.
    let past: i64 = stated.app.given().value("select id from deploy_tokens where name = 'past'").await;
    stated.says("projects: [{path: acme/web, deploy_tokens: [{name: past, expires_at: null}]}]").await;
    let login = format!("gitlab+deploy-token-{past}");
    assert_eq!(stated.git("acme/web", &login, "gldt-past").await, (200, 403));
    stated.says("projects: [{path: acme/web, deploy_tokens: [{name: past, ensure: absent}]}]").await;
    assert_eq!(stated.git("acme/web", &login, "gldt-past").await, (401, 401));
}

#[sqlx::test]
async fn a_stated_access_token_is_a_member_of_its_own(pool: PgPool) {
    let stated = Stated::new(pool);
    stated.says(BASE).await;
    let tokens = "
projects:
  - path: acme/web
    access_tokens:
      - {name: pusher, id: 70, level: developer, scopes: [write_repository], expires_at: null, token: glpat-pusher}
      - {name: reader, level: developer, scopes: [read_repository], token: glpat-reader}
      - {name: guest, level: guest, scopes: [api], token: glpat-guest}
      - {name: past, level: developer, scopes: [api], expires_at: 2020-01-01, token: glpat-past}
      - {name: back, level: developer, scopes: [api], revoked: true, token: glpat-back}
groups: [{path: acme, access_tokens: [{name: all, level: developer, scopes: [api], token: glpat-of-the-group}]}]
";
    stated.says(tokens).await;
    for (secret, expected) in [
        ("glpat-pusher", (200, 200)),
        ("glpat-reader", (200, 403)),
        ("glpat-guest", (403, 403)),
        ("glpat-past", (401, 401)),
        ("glpat-back", (401, 401)),
        ("glpat-of-the-group", (200, 200)),
    ] {
        assert_eq!(stated.git("acme/web", "x", secret).await, expected, "{secret}");
    }
    // Another place's bot may be a member here like anybody: it is no token of this place.
    let guest = "insert into members (type, source_type, source_id, member_namespace_id, user_id, access_level)
                 select 'GroupMember', 'Namespace', namespaces.id, namespaces.id, users.id, 10
                 from namespaces, users where namespaces.path = 'acme' and namespaces.type = 'Group' and users.name = 'pusher'";
    stated.app.given().sql(guest).await;
    stated.says("groups: [{path: acme, access_tokens: [{name: pusher, ensure: absent}]}]").await;
    assert_eq!(stated.git("acme/web", "x", "glpat-pusher").await, (200, 200));
    stated.says("projects: [{path: acme/web, access_tokens: [{name: pusher, level: reporter}]}]").await;
    assert_eq!(stated.git("acme/web", "x", "glpat-pusher").await, (200, 403));
    stated.says("projects: [{path: acme/web, access_tokens: [{name: pusher, ensure: absent}]}]").await;
    assert_eq!(stated.git("acme/web", "x", "glpat-pusher").await, (401, 401));
    let bots = "select count(*) from users where user_type = 6";
    assert_eq!(stated.app.given().value::<i64>(bots).await, 5, "its bot went with it");
}

#[sqlx::test]
async fn a_stated_oauth_token_opens_git_for_its_user(pool: PgPool) {
    let stated = Stated::new(pool);
    stated.says(BASE).await;
    stated.says("projects: [{path: acme/web, members: {rubi: developer}}]").await;
    let tokens = "
users:
  - username: rubi
    oauth_tokens:
      - {application: ide, id: 30, scopes: [write_repository], token: of-the-ide}
      - {application: mirror, scopes: [read_repository], expires_in: null, token: of-the-mirror}
      - {application: back, scopes: [api], revoked: true, token: of-back}
";
    stated.says(tokens).await;
    assert_eq!(stated.git("acme/web", "oauth2", "of-the-ide").await, (200, 200));
    assert_eq!(stated.git("acme/web", "rubi", "of-the-mirror").await, (200, 403));
    assert_eq!(stated.git("acme/web", "oauth2", "of-back").await, (401, 401));
    let aged = "update oauth_access_tokens set created_at = created_at - interval '3 hours'";
    stated.app.given().sql(aged).await;
    assert_eq!(stated.git("acme/web", "oauth2", "of-the-ide").await, (401, 401), "it lived for two hours");
    assert_eq!(stated.git("acme/web", "rubi", "of-the-mirror").await, (200, 403));
    stated.says("users: [{username: rubi, oauth_tokens: [{application: mirror, ensure: absent}]}]").await;
    assert_eq!(stated.git("acme/web", "rubi", "of-the-mirror").await, (401, 401));
}

/// What a project's source has of LFS objects is the fork's at its first push.
#[sqlx::test]
async fn a_stated_fork_has_the_objects_of_its_source(pool: PgPool) {
    let stated = Stated::new(pool);
    stated.says(BASE).await;
    let given = stated.app.given();
    let fork = "
users: [{username: rubi, personal_access_tokens: [{name: git, scopes: [api], token: glpat-of-rubi}]}]
projects:
  - {path: acme/web, members: {rubi: developer}}
  - {path: acme/fork, forked_from: acme/web, members: {rubi: developer}}
";
    stated.says(fork).await;
    let oid = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    given
        .sql(&format!(
            "with object as (insert into lfs_objects (oid, size, file_store) values ('{oid}', 5, 2) returning id)
             insert into lfs_objects_projects (lfs_object_id, project_id, repository_type)
             select object.id, routes.source_id, 0
             from object, routes where routes.path = 'acme/web'"
        ))
        .await;
    let batch = async || {
        let body = json!({ "operation": "upload", "objects": [{ "oid": oid, "size": 5 }] });
        let request = axum::http::Request::builder()
            .method("POST")
            .uri("/acme/fork.git/info/lfs/objects/batch")
            .header("authorization", crate::git_http::basic("rubi", "glpat-of-rubi"));
        stated.app.send(request.body(Body::from(body.to_string())).unwrap()).await.json()
    };
    stated.says("projects: [{path: acme/fork, forked_from: null}]").await;
    assert!(batch().await["objects"][0]["actions"]["upload"].is_object(), "it is nobody's fork");
    stated.says("projects: [{path: acme/fork, forked_from: acme/web}]").await;
    assert!(batch().await["objects"][0]["actions"].is_null());
    let links = "select count(*) from lfs_objects_projects";
    assert_eq!(given.value::<i64>(links).await, 2);
}

//! Where objects are to be had and to be brought.

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{FORBIDDEN, LfsForge, NOT_FOUND, assert_lfs, oid};
use crate::git_http::{assert_challenged, basic};

const DEV: super::Login<'static> = Some(("dev", "T-dev"));

fn one(oid: &str, size: i64) -> Value {
    json!([{ "oid": oid, "size": size }])
}

/// The claims of the token in a header.
fn claims(authorization: &Value) -> Value {
    let encoded = authorization.as_str().unwrap().strip_prefix("Basic ").unwrap();
    let both = String::from_utf8(BASE64_STANDARD.decode(encoded).unwrap()).unwrap();
    let (_, token) = both.split_once(':').unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

/// http-61, http-70
#[sqlx::test]
async fn a_download_is_told_where_its_objects_are(pool: PgPool) {
    let lfs = LfsForge::begins(pool).await;
    let (here, absent) = (lfs.object(&lfs.forge.private, b"hello").await, oid(b"absent"));
    let objects = json!([{ "oid": here, "size": 5 }, { "oid": absent, "size": 6 }]);
    let reply = lfs.batch("g/p", "download", objects, DEV).await;
    let said = assert_lfs(&reply, 200);
    assert_eq!((&said["transfer"], &said["hash_algo"]), (&json!("basic"), &json!("sha256")));
    let first = &said["objects"][0];
    assert_eq!((&first["oid"], &first["size"], &first["authenticated"]), (&json!(here), &json!(5), &Value::Null));
    let action = &first["actions"]["download"];
    assert_eq!(action["href"], format!("http://localhost/g/p.git/gitlab-lfs/objects/{here}"));
    assert_eq!(
        said["objects"][1],
        json!({
            "oid": absent, "size": 6,
            "error": {
                "code": 404, "message": "Object does not exist on the server or you don't have permissions to access it"
            }
        })
    );

    let token = &action["header"]["Authorization"];
    let claims = claims(token);
    let project = lfs.forge.private.id;
    assert_eq!(claims["data"]["actor"], "dev");
    assert_eq!(claims["data"]["container_gid"], format!("gid://gitlab/Project/{project}"));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 7200);
    assert_eq!(action["expires_in"], 7200);
    // The token is for this download: for no upload, no other project, no git.
    let body = || axum::body::Body::from(json!({ "operation": "upload", "objects": one(&absent, 6) }).to_string());
    let upload = lfs.send_as("POST", "/g/p.git/info/lfs/objects/batch", body(), token).await;
    assert_eq!(upload.line(), FORBIDDEN);
    let lock = axum::body::Body::from(r#"{"path":"a.bin"}"#);
    assert_eq!(lfs.send_as("POST", "/g/p.git/info/lfs/locks", lock, token).await.line(), FORBIDDEN);
    assert_challenged(&lfs.send_as("POST", "/g/int.git/info/lfs/objects/batch", body(), token).await);
    let got =
        lfs.send_as("GET", &format!("/g/p.git/gitlab-lfs/objects/{here}"), axum::body::Body::empty(), token).await;
    assert_eq!(got.line(), "200 hello");
    // A request that came with such a token gets it back.
    let body = axum::body::Body::from(json!({ "operation": "download", "objects": one(&here, 5) }).to_string());
    let again = lfs.send_as("POST", "/g/p.git/info/lfs/objects/batch", body, token).await;
    assert_eq!(again.json()["objects"][0]["actions"]["download"]["header"]["Authorization"], *token);
    // It ends with the password that stands behind it.
    lfs.forge.password(lfs.forge.dev, "another").await;
    let gone =
        lfs.send_as("GET", &format!("/g/p.git/gitlab-lfs/objects/{here}"), axum::body::Body::empty(), token).await;
    assert_challenged(&gone);
}

/// http-44
#[sqlx::test]
async fn an_lfs_token_opens_no_git(pool: PgPool) {
    let lfs = LfsForge::begins(pool).await;
    let here = lfs.object(&lfs.forge.private, b"hello").await;
    let said = lfs.batch("g/p", "upload", one(&oid(b"new"), 3), DEV).await.json();
    let header = said["objects"][0]["actions"]["upload"]["header"]["Authorization"].clone();
    let decoded = BASE64_STANDARD.decode(header.as_str().unwrap().strip_prefix("Basic ").unwrap()).unwrap();
    let both = String::from_utf8(decoded).unwrap();
    let (login, token) = both.split_once(':').unwrap();
    assert_challenged(&lfs.forge.fetch("g/p", Some((login, token))).await);
    assert_eq!(lfs.get(&format!("/g/p.git/gitlab-lfs/objects/{here}"), Some((login, token))).await.status, 200);
}

/// http-62, http-63, http-67
#[sqlx::test]
async fn what_is_open_needs_no_token_and_what_is_missing_is_asked_for(pool: PgPool) {
    let lfs = LfsForge::begins(pool).await;
    let open = lfs.object(&lfs.forge.open, b"open").await;
    let said = assert_lfs(&lfs.batch("g/open", "download", one(&open, 4), None).await, 200);
    assert_eq!(said["objects"][0]["authenticated"], true);
    assert_eq!(said["objects"][0]["actions"]["download"]["header"], json!({}));

    let (here, absent) = (lfs.object(&lfs.forge.private, b"hello").await, oid(b"absent"));
    let objects = json!([{ "oid": here, "size": 5 }, { "oid": absent, "size": 6 }, { "oid": open, "size": 4 }]);
    let said = assert_lfs(&lfs.batch("g/p", "upload", objects, DEV).await, 200);
    assert_eq!(said["objects"][0], json!({ "oid": here, "size": 5 }));
    let upload = &said["objects"][1]["actions"]["upload"];
    assert_eq!(upload["href"], format!("http://localhost/g/p.git/gitlab-lfs/objects/{absent}/6"));
    assert_eq!(upload["header"]["Content-Type"], "application/octet-stream");
    assert_eq!(upload["header"]["Transfer-Encoding"], "chunked");
    assert!(said["objects"][2]["actions"]["upload"].is_object(), "another project's is nobody's here");
    assert_eq!(lfs.forge.given.value::<i64>("select count(*) from lfs_objects_projects").await, 2);
    // Where the file of an object is gone, it is asked for again.
    std::fs::remove_file(lfs.path(&here)).unwrap();
    let said = lfs.batch("g/p", "upload", one(&here, 5), DEV).await.json();
    assert!(said["objects"][0]["actions"]["upload"].is_object());
}

/// http-63, http-83
#[sqlx::test]
async fn a_fork_has_what_its_source_has_for_who_may_read_both(pool: PgPool) {
    let lfs = LfsForge::begins(pool).await;
    let fork = lfs.forge.given.project("g/fork").await.developer("dev").await.developer("out").await;
    let source = lfs.object(&lfs.forge.private, b"hello").await;
    let network = format!(
        "insert into fork_networks (id, root_project_id) values (1, {source});
         insert into fork_network_members (fork_network_id, project_id, forked_from_project_id)
         values (1, {source}, null), (1, {fork}, {source})",
        source = lfs.forge.private.id,
        fork = fork.id
    );
    lfs.forge.given.sql(&network).await;
    let path = format!("/g/fork.git/gitlab-lfs/objects/{source}");
    assert_eq!(lfs.get(&path, DEV).await.line(), "200 hello");
    assert_eq!(lfs.get(&path, Some(("out", "T-out"))).await.line(), NOT_FOUND);
    assert_eq!(lfs.batch("g/fork", "download", one(&source, 5), DEV).await.json()["objects"][0]["error"]["code"], 404);
    // Whoever may not read the source must bring the object.
    let said = lfs.batch("g/fork", "upload", one(&source, 5), Some(("out", "T-out"))).await.json();
    assert!(said["objects"][0]["actions"]["upload"].is_object());
    assert!(lfs.batch("g/fork", "upload", one(&source, 6), DEV).await.json()["objects"][0]["actions"].is_object());
    let said = lfs.batch("g/fork", "upload", one(&source, 5), DEV).await.json();
    assert_eq!(said["objects"][0], json!({ "oid": source, "size": 5 }));
    assert_eq!(lfs.get(&path, Some(("out", "T-out"))).await.line(), "200 hello");
    let sizes = format!("select lfs_objects_size from project_statistics where project_id = {}", fork.id);
    assert_eq!(lfs.forge.given.value::<i64>(&sizes).await, 5);
}

/// http-64, http-73
#[sqlx::test]
async fn a_batch_that_makes_no_sense_is_refused(pool: PgPool) {
    let lfs = LfsForge::begins(pool).await;
    let here = lfs.object(&lfs.forge.private, b"hello").await;
    for body in [
        json!({ "operation": "download", "objects": [] }),
        json!({ "operation": "download" }),
        json!({ "operation": "other", "objects": one(&here, 5) }),
        json!({ "operation": "download", "objects": "x" }),
        json!({}),
    ] {
        let reply = lfs.post("/g/p.git/info/lfs/objects/batch", body.clone(), DEV).await;
        assert_eq!(reply.line(), NOT_FOUND, "{body}");
        assert_lfs(&reply, 404);
    }
    let objects = json!([
        { "oid": here.to_uppercase(), "size": 5 }, { "oid": &here[1..], "size": 5 }, { "oid": here, "size": -1 },
        { "oid": here, "size": "5" }, { "oid": here, "size": 1.5 }, { "oid": here, "size": 18_446_744_073_709_551_615_u64 },
        { "size": 5 }, "x", null, { "oid": "../../../etc/passwd", "size": 1 }, { "oid": here, "size": 5 }
    ]);
    for operation in ["download", "upload"] {
        let said = assert_lfs(&lfs.batch("g/p", operation, objects.clone(), DEV).await, 200);
        let answered = said["objects"].as_array().unwrap();
        assert_eq!(answered.len(), 11);
        for object in &answered[..10] {
            assert_eq!(object["error"]["code"], 422, "{object}");
        }
        assert!(answered[10]["error"].is_null());
    }
    let hashed = json!({ "operation": "download", "objects": one(&here, 5), "hash_algo": "sha512" });
    assert_lfs(&lfs.post("/g/p.git/info/lfs/objects/batch", hashed, DEV).await, 409);
    let many: Vec<Value> = (0..10_001).map(|size| json!({ "oid": here, "size": size })).collect();
    assert_lfs(&lfs.batch("g/p", "download", many.clone().into(), DEV).await, 413);
    let most = lfs.batch("g/p", "download", many[1..].into(), DEV).await;
    assert_eq!(most.json()["objects"].as_array().unwrap().len(), 10_000);
    let other = json!({ "operation": "download", "objects": one(&here, 5), "transfers": ["ssh"] });
    assert_eq!(lfs.post("/g/p.git/info/lfs/objects/batch", other, DEV).await.json()["transfer"], "basic");
    for (body, status) in [("{", 400), ("[]", 400), ("x\0", 400), ("", 404)] {
        let reply = lfs.send("POST", "/g/p.git/info/lfs/objects/batch", body.to_owned().into(), DEV).await;
        assert_lfs(&reply, status);
    }
    let huge = format!("{{\"objects\": \"{}\"}}", "x".repeat(4 << 20));
    assert_lfs(&lfs.send("POST", "/g/p.git/info/lfs/objects/batch", huge.into(), DEV).await, 413);
}

/// http-65, http-68
#[sqlx::test]
async fn rights_are_those_of_git(pool: PgPool) {
    let lfs = LfsForge::begins(pool).await;
    let here = lfs.object(&lfs.forge.private, b"hello").await;
    let absent = oid(b"absent");
    let upload = async |repository: &str, name: &str| {
        let token = format!("T-{name}");
        lfs.batch(repository, "upload", one(&absent, 6), Some((name, &token))).await.line()
    };
    assert_eq!(upload("g/p", "rep").await, FORBIDDEN);
    assert_eq!(upload("g/p", "guest").await, NOT_FOUND);
    assert_eq!(upload("g/p", "out").await, NOT_FOUND);
    assert_eq!(upload("g/open", "out").await, FORBIDDEN);
    for repository in ["g/p", "g/open", "nope/nix"] {
        assert_challenged(&lfs.batch(repository, "upload", one(&absent, 6), None).await);
    }
    lfs.forge.token(lfs.forge.dev, "T-reads", "read_repository").await;
    assert_eq!(lfs.batch("g/p", "upload", one(&absent, 6), Some(("dev", "T-reads"))).await.line(), FORBIDDEN);
    lfs.forge.private.clone().is("archived = true").await;
    assert_eq!(lfs.batch("g/p", "upload", one(&absent, 6), DEV).await.line(), FORBIDDEN);
    assert_lfs(&lfs.batch("g/p", "download", one(&here, 5), DEV).await, 200);
    lfs.forge.private.clone().is("archived = false").await;
    lfs.forge.given.setting("maintenance_mode = true").await;
    let closed = lfs.batch("g/p", "upload", one(&absent, 6), DEV).await;
    assert_eq!(closed.line(), r#"403 {"message":"You cannot write to this read-only GitLab instance."}"#);
    lfs.forge.given.setting("maintenance_mode = false").await;
    // What closes git over HTTP does not close LFS, which SSH leads to as well.
    lfs.forge.given.setting("enabled_git_access_protocol = 'ssh'").await;
    assert_lfs(&lfs.batch("g/p", "upload", one(&absent, 6), DEV).await, 200);

    let id = lfs.forge.deploy_token("D1", Some(&lfs.forge.private)).await;
    let name = format!("gitlab+deploy-token-{id}");
    let token = Some((name.as_str(), "D1"));
    let said = assert_lfs(&lfs.batch("g/p", "download", one(&here, 5), token).await, 200);
    assert_eq!(said["objects"][0]["actions"]["download"]["header"]["Authorization"], basic(&name, "D1"));
    assert_eq!(lfs.batch("g/p", "upload", one(&absent, 6), token).await.line(), FORBIDDEN);
}

/// http-69
#[sqlx::test]
async fn a_deploy_key_that_came_over_ssh_does_what_it_may(pool: PgPool) {
    let lfs = LfsForge::begins(pool).await;
    let (given, app) = (&lfs.forge.given, &lfs.forge.app);
    let here = lfs.object(&lfs.forge.private, b"hello").await;
    let (reads, writes) = (given.deploy_key(None, "reads").await, given.deploy_key(None, "writes").await);
    given.sql("update users set state = 'active' where user_type = 5").await;
    lfs.forge.private.clone().deploys(reads, false).await.deploys(writes, true).await;
    let creator = given.user("creator").await;
    given.key_is(writes, &format!("user_id = {creator}")).await;
    for (key, uploads) in [(reads, false), (writes, true)] {
        let body = json!({ "operation": "download", "project": "g/p", "key_id": key.to_string() });
        let told = app.post("/lfs_authenticate", body).await.json();
        let (login, token) = (told["username"].as_str().unwrap(), told["lfs_token"].as_str().unwrap());
        assert_eq!(login, format!("lfs+deploy-key-{key}"));
        let expected = basic(login, token);
        let login = Some((login, token));
        let said = assert_lfs(&lfs.batch("g/p", "download", one(&here, 5), login).await, 200);
        let header = &said["objects"][0]["actions"]["download"]["header"]["Authorization"];
        assert_eq!(*header, expected, "a token that came is the one that goes");
        let upload = lfs.batch("g/p", "upload", one(&oid(b"new"), 3), login).await;
        assert_eq!(upload.status, if uploads { 200 } else { 403 }, "{}", upload.line());
    }
    assert_eq!(
        lfs.batch("g/p", "download", one(&here, 5), Some(("lfs+deploy-key-999999", "x"))).await.line(),
        NOT_FOUND
    );
}

/// http-71
#[sqlx::test]
async fn lfs_may_be_switched_off(pool: PgPool) {
    let mut lfs = LfsForge::begins(pool.clone()).await;
    let here = lfs.object(&lfs.forge.private, b"hello").await;
    let snippet = lfs.forge.given.snippet(lfs.forge.dev, None).await;
    assert_eq!(lfs.batch(&format!("snippets/{snippet}"), "download", one(&here, 5), DEV).await.line(), NOT_FOUND);
    assert_eq!(lfs.batch("nope/nix", "download", one(&here, 5), DEV).await.line(), NOT_FOUND);
    lfs.forge.private.clone().is("lfs_enabled = false").await;
    assert_eq!(lfs.batch("g/p", "download", one(&here, 5), DEV).await.line(), NOT_FOUND);
    lfs.forge.app = crate::support::TestApp::with(pool, "lfs: {enabled: false}");
    assert_eq!(
        lfs.batch("g/p", "download", one(&here, 5), DEV).await.line(),
        concat!(
            r#"501 {"message":"Git LFS is not enabled on this GitLab server, contact your admin.","#,
            r#""documentation_url":"http://localhost/help"}"#
        )
    );
    assert_challenged(&lfs.batch("g/p", "download", one(&here, 5), None).await);
}

/// http-74
#[sqlx::test]
async fn old_clients_are_told_to_be_renewed(pool: PgPool) {
    let lfs = LfsForge::begins(pool).await;
    let old = concat!(
        r#"501 {"message":"Server supports batch API only, please update your Git LFS client to version 1.0.1 and up.","#,
        r#""documentation_url":"http://localhost/help"}"#
    );
    assert_eq!(lfs.post("/g/p.git/info/lfs/objects", json!({}), DEV).await.line(), old);
    assert_eq!(lfs.get(&format!("/g/p.git/info/lfs/objects/{}", oid(b"x")), DEV).await.line(), old);
    assert_challenged(&lfs.post("/g/p.git/info/lfs/objects", json!({}), None).await);
}

#[sqlx::test]
async fn a_token_of_a_transfer_lives_as_long_as_the_settings_say(pool: PgPool) {
    let lfs = LfsForge::with(pool, "gatehouse: {lfs_transfer_token_lifetime: 600}").await;
    let here = lfs.object(&lfs.forge.private, b"hello").await;
    let said = lfs.batch("g/p", "download", one(&here, 5), DEV).await.json();
    assert_eq!(said["objects"][0]["actions"]["download"]["expires_in"], 600);
}

/// A project has so much room, and what it has already takes no more of it.
#[sqlx::test]
async fn a_project_that_is_full_takes_no_more(pool: PgPool) {
    let lfs = LfsForge::begins(pool).await;
    let here = lfs.object(&lfs.forge.private, b"hello").await;
    lfs.forge.private.clone().is("repository_size_limit = 10").await;
    let statistics = format!(
        "insert into project_statistics (project_id, namespace_id, repository_size, lfs_objects_size)
         values ({}, {}, 3, 5)",
        lfs.forge.private.id, lfs.forge.group
    );
    lfs.forge.given.sql(&statistics).await;
    assert_lfs(
        &lfs.batch("g/p", "upload", json!([{ "oid": here, "size": 5 }, { "oid": oid(b"ab"), "size": 2 }]), DEV).await,
        200,
    );
    let full = assert_lfs(&lfs.batch("g/p", "upload", one(&oid(b"abc"), 3), DEV).await, 406);
    assert!(full["message"].as_str().unwrap().contains("would exceed"), "{full}");
    lfs.forge.given.sql("update project_statistics set repository_size = 6").await;
    let full = assert_lfs(&lfs.batch("g/p", "upload", one(&oid(b"ab"), 2), DEV).await, 406);
    assert!(full["message"].as_str().unwrap().contains("has exceeded"), "{full}");
    let authorize = format!("/g/p.git/gitlab-lfs/objects/{}/2/authorize", oid(b"ab"));
    assert_eq!(lfs.forge.ask("PUT", &authorize, DEV).await.status, 406);
    assert_lfs(&lfs.batch("g/p", "download", one(&here, 5), DEV).await, 200);
}

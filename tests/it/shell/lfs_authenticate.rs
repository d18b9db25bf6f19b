//! `POST /lfs_authenticate`.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use gatehouse::domain::ids::KeyId;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{Given, Reply, TestApp};

const NO_LFS: &str = r#"404 {"message":"404 Not Found"}"#;
const NO_ACTOR: &str = r#"404 {"message":"404 Not found"}"#;

/// `rubi`, a key of theirs, and the project of the contract's cases.
async fn story(app: &TestApp) -> (Given, KeyId) {
    let given = app.given();
    given.project("gnuwget/wget2").await.with_wiki().await;
    let key = given.key(given.user("rubi").await, "laptop").await;
    (given, key)
}

/// gitlab-shell's question: every value a text.
async fn ask(app: &TestApp, project: &str, actor: (&str, &str)) -> Reply {
    let body = json!({ "operation": "download", "project": project, actor.0: actor.1 });
    app.post("/lfs_authenticate", body).await
}

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// shell-28
#[sqlx::test]
async fn a_user_gets_a_token_of_their_own(pool: PgPool) {
    let app = TestApp::with(pool, "gitlab: {host: git.example.com, port: 8443, https: true, relative_url_root: x/}");
    let (given, key) = story(&app).await;
    let reply = ask(&app, "gnuwget/wget2.git", ("key_id", &key.to_string())).await;
    assert_eq!(reply.status, 200);
    let answer = reply.json();
    assert_eq!(answer["username"], "rubi");
    assert_eq!(answer["repository_http_path"], "https://git.example.com:8443/x/gnuwget/wget2.git");
    assert_eq!(answer["expires_in"], 1800);
    let token = answer["lfs_token"].as_str().unwrap();
    let header = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    assert_eq!(header, json!({ "typ": "JWT", "alg": "HS256" }));
    let mut claims = claims(token);
    let jti = claims["jti"].take();
    assert_eq!(jti.as_str().unwrap().len(), 36, "a UUID");
    let iat = app.clock.now().timestamp();
    let project: i64 = given.value("select id from projects").await;
    let expected = json!({
        "data": { "actor": "rubi", "container_gid": format!("gid://gitlab/Project/{project}") },
        "jti": null, "iat": iat, "nbf": iat - 5, "exp": iat + 1800,
    });
    assert_eq!(claims, expected);
    given.eventually(&format!("select last_used_at is not null from keys where id = {key}")).await;
}

#[sqlx::test]
async fn the_life_of_a_token_is_a_setting(pool: PgPool) {
    let app = TestApp::with(pool, "gatehouse: {lfs_token_lifetime: 7200}");
    let (_, key) = story(&app).await;
    let answer = ask(&app, "gnuwget/wget2.git", ("key_id", &key.to_string())).await.json();
    let claims = claims(answer["lfs_token"].as_str().unwrap());
    let life = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert_eq!((life, &answer["expires_in"]), (7200, &7200.into()));
}

/// The form of the documentation's curl line.
#[sqlx::test]
async fn a_form_does_as_well(pool: PgPool) {
    let app = TestApp::new(pool);
    let (_, key) = story(&app).await;
    let reply = app.post_form("/lfs_authenticate", &format!("key_id={key}&project=gnuwget/wget2")).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["username"]), (200, &"rubi".into()));
}

/// shell-29
#[sqlx::test]
async fn a_deploy_key_gets_a_token_in_its_own_name(pool: PgPool) {
    let app = TestApp::new(pool);
    let (given, _) = story(&app).await;
    let key = given.deploy_key(None, "builder").await;
    let answer = ask(&app, "gnuwget/wget2.git", ("key_id", &key.to_string())).await.json();
    assert_eq!(answer["username"], format!("lfs+deploy-key-{key}"));
    let claims = claims(answer["lfs_token"].as_str().unwrap());
    assert_eq!(claims["data"]["actor"], format!("lfs+deploy-key-{key}"));
}

/// shell-31
#[sqlx::test]
async fn there_is_no_token_where_there_is_no_lfs(pool: PgPool) {
    let app = TestApp::new(pool.clone());
    let (given, key) = story(&app).await;
    let key = key.to_string();
    let asked = async |project: &str| ask(&app, project, ("key_id", &key)).await.line();
    for other in ["gnuwget/absent.git", "absent", "snippets/1", "gnuwget/wget2/snippets/1", "gnuwget/wget2.design"] {
        assert_eq!(asked(other).await, NO_LFS, "{other}");
    }
    given.sql("update namespaces set lfs_enabled = false where path = 'gnuwget'").await;
    assert_eq!(asked("gnuwget/wget2").await, NO_LFS, "off in the group");
    given.sql("update projects set lfs_enabled = true").await;
    assert!(asked("gnuwget/wget2").await.starts_with("200 "), "on in the project");
    given.sql("update projects set lfs_enabled = false").await;
    assert_eq!(asked("gnuwget/wget2").await, NO_LFS, "off in the project");
    given.sql("update projects set lfs_enabled = null; update namespaces set lfs_enabled = null").await;
    let off = TestApp::with(pool, "lfs: {enabled: false}");
    assert_eq!(ask(&off, "gnuwget/wget2", ("key_id", &key)).await.line(), NO_LFS, "off at all");
}

/// shell-32
#[sqlx::test]
async fn nobody_gets_no_token(pool: PgPool) {
    let app = TestApp::new(pool);
    let (given, key) = story(&app).await;
    let reply = app.post("/lfs_authenticate", json!({ "project": "gnuwget/wget2" })).await;
    assert_eq!(reply.line(), NO_ACTOR);
    for actor in [("key_id", "999999"), ("user_id", "deploy-token-5"), ("user_id", "999"), ("username", "noone")] {
        assert_eq!(ask(&app, "gnuwget/wget2", actor).await.line(), NO_ACTOR, "{actor:?}");
    }
    given.key_is(key, "user_id = null").await;
    assert_eq!(ask(&app, "gnuwget/wget2", ("key_id", &key.to_string())).await.line(), NO_ACTOR, "an orphan");
    let reply = app.post("/lfs_authenticate", json!({ "key_id": key.0 })).await;
    assert_eq!((reply.status.as_u16(), reply.message()), (400, "400 Bad request - project is missing".to_owned()));
}

/// shell-33: rights are looked at when the token is used
#[sqlx::test]
async fn whoever_may_not_see_the_project_gets_a_token_all_the_same(pool: PgPool) {
    let app = TestApp::new(pool);
    let (given, _) = story(&app).await;
    let eve = given.user("eve").await;
    given.user_is(eve, "external = true").await;
    for project in ["/gnuwget/wget2.git", "gnuwget/wget2", "GNUWGET/wget2"] {
        let reply = ask(&app, project, ("user_id", &eve.to_string())).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["username"]), (200, &"eve".into()), "{project}");
        assert_eq!(reply.json()["repository_http_path"], "http://localhost/gnuwget/wget2.git");
    }
}

#[sqlx::test]
async fn wikis_canonical_names_and_old_paths_lead_to_urls_of_today(pool: PgPool) {
    let app = TestApp::new(pool);
    let given = app.given();
    let project = given.project("g/p").await.moved_from("g/old").await;
    given.user("rubi").await;
    let url = async |body: Value| app.post("/lfs_authenticate", body).await.json()["repository_http_path"].clone();
    let by_path = async |project: &str| url(json!({ "username": "rubi", "project": project })).await;
    assert_eq!(by_path("g/old.git").await, "http://localhost/g/p.git");
    assert_eq!(by_path("g/p.wiki.git").await, "http://localhost/g/p.wiki.git");
    let by_name = json!({ "username": "rubi", "project": "x/y", "gl_repository": format!("project-{}", project.id) });
    assert_eq!(url(by_name).await, "http://localhost/g/p.git");
}

/// Tokens die with the password, because it is part of what they are signed with.
#[sqlx::test]
async fn a_new_password_signs_other_tokens(pool: PgPool) {
    let app = TestApp::new(pool);
    let (given, key) = story(&app).await;
    let rubi = given.user("rubi").await;
    let mut signatures = Vec::new();
    for password in ["", "$2a$10$aaaaaaaaaaaaaaaaaaaa", "$2a$10$bbbbbbbbbbbbbbbbbbbb"] {
        given.user_is(rubi, &format!("encrypted_password = '{password}'")).await;
        let answer = ask(&app, "gnuwget/wget2", ("key_id", &key.to_string())).await.json();
        let token = answer["lfs_token"].as_str().unwrap().to_owned();
        assert_ne!(claims(&token)["jti"], Value::Null);
        signatures.push(token);
    }
    signatures.dedup();
    assert_eq!(signatures.len(), 3);
}

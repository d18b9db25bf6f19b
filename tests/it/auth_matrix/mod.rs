//! Every route of the API, called by whoever must not: a table per area, a row per route that says how it refuses.

pub mod admin;
mod git_http;
mod gitlab_subscriptions;
mod kubernetes;
mod provisioning;
mod rest;
mod scim;
mod shell;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use axum::body::Body;
use axum::http::Request;
use gatehouse::domain::scim::ScimScope;
use secrecy::ExposeSecret;
use sqlx::PgPool;

use crate::support::{TestApp, customers_dot};
use crate::tidy::sources;

/// The areas; each has a file beside this one.
const AREAS: [&Area; 8] = [
    &git_http::AREA,
    &git_http::BESIDE,
    &gitlab_subscriptions::AREA,
    &kubernetes::AREA,
    &provisioning::AREA,
    &rest::AREA,
    &scim::AREA,
    &shell::AREA,
];

/// The headers that carry a credential somewhere.
const HEADERS: [&str; 7] = [
    "Authorization",
    "Gitlab-Agent-Api-Request",
    "Gitlab-Kas-Api-Request",
    "Gitlab-Shared-Secret",
    "Gitlab-Shell-Api-Request",
    "PRIVATE-TOKEN",
    "X-Customers-Dot-Internal-Token",
];

/// An area and who may call it.
struct Area {
    /// Where its routes are written.
    folder: &'static str,
    /// What stands before the paths of its routes.
    root: &'static str,
    /// Its routes: method, path as it is written, and what a caller without any credential hears.
    routes: &'static [(&'static str, &'static str, &'static str)],
    /// What a caller with a wrong credential in this header hears, where that is something else.
    otherwise: fn(path: &str, header: &str) -> Option<&'static str>,
    /// The credentials that open it, all of them together, by their names in `credentials`.
    opened_by: &'static [&'static str],
}

impl Area {
    fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        // A parameter of the path is whatever matches.
        let path: Vec<&str> = path.split('/').map(|step| if step.starts_with('{') { "1" } else { step }).collect();
        Request::builder().method(method).uri(format!("{}{}", self.mounted(), path.join("/")))
    }

    /// What stands before the paths of a request.
    fn mounted(&self) -> String {
        self.root.replace("{repository}", "matrix/agents")
    }
}

/// A good credential of every kind: its name, header and value.
async fn credentials(app: &TestApp) -> Vec<(&'static str, &'static str, String)> {
    let given = app.given();
    let admin = given.user("root").await;
    given.user_is(admin, "admin = true").await;
    let key = &app.secrets.db_key_base;
    let token = given.personal_access_token(admin, key, "glpat-of-an-administrator", &["api"]).await;
    let project = given.project("matrix/agents").await.id;
    let agent = given.agent(project, "prod", None).await;
    given.agent_token(agent, key, "glagent-of-the-matrix").await;
    given.scim_token(ScimScope::Instance, "glsoat-of-the-installation").await;
    vec![
        ("SCIM token", "Authorization", "Bearer glsoat-of-the-installation".to_owned()),
        ("agent", "Gitlab-Agent-Api-Request", "glagent-of-the-matrix".to_owned()),
        ("kas", "Gitlab-Kas-Api-Request", app.kas_token().expose_secret().to_owned()),
        ("basic", "Authorization", crate::git_http::basic("root", "glpat-of-an-administrator")),
        ("workhorse", "Gitlab-Workhorse-Api-Request", crate::git_http::workhorse_token()),
        ("shell", "Gitlab-Shell-Api-Request", app.token_with(&serde_json::json!({}))),
        ("personal access token", "PRIVATE-TOKEN", token),
        ("CustomersDot", "X-Customers-Dot-Internal-Token", customers_dot::token(app)),
    ]
}

#[sqlx::test]
async fn every_route_refuses_whoever_must_not_call_it(pool: PgPool) {
    let app = TestApp::with(pool, &customers_dot::settings());
    let wrong = app.wrong_tokens();
    let right = credentials(&app).await;
    for area in AREAS {
        for (method, path, refusal) in area.routes {
            let bare = area.request(method, path).body(Body::empty()).unwrap();
            assert_eq!(app.send(bare).await.line(), *refusal, "{method} {path}, bare");
            for header in HEADERS {
                let refusal = (area.otherwise)(path, header).unwrap_or(refusal);
                for (what, token) in &wrong {
                    // Wrong for the others.
                    if *what == "signed by kas" && area.opened_by.contains(&"kas") && header.contains("Kas") {
                        continue;
                    }
                    let request = area.request(method, path).header(header, token).body(Body::empty()).unwrap();
                    assert_eq!(app.send(request).await.line(), refusal, "{method} {path}, {header}: {what}");
                }
                // The right credential in any other place is none, nor is another's.
                for (name, place, token) in &right {
                    if area.opened_by.contains(name) && (*place == header || header == "Authorization") {
                        continue;
                    }
                    let request = area.request(method, path).header(header, token).body(Body::empty()).unwrap();
                    assert_eq!(app.send(request).await.line(), refusal, "{method} {path}, {header}: that of {name}");
                }
            }
        }
    }
}

#[sqlx::test]
async fn the_right_credential_opens_every_route(pool: PgPool) {
    let app = TestApp::with(pool, &customers_dot::settings());
    let right = credentials(&app).await;
    for area in AREAS {
        for (method, path, _) in area.routes.iter().filter(|(method, ..)| *method != "DELETE") {
            // A token that one may not see is answered like a credential that is not good (rest.md 5 and 12), and one that
            // is rotated is none any more.
            if ["_tokens/{id}", "_tokens/{key}", "/self/rotate"].iter().any(|part| path.contains(part)) {
                continue;
            }
            let mut request = area.request(method, path);
            for (name, header, token) in &right {
                if area.opened_by.contains(name) {
                    request = request.header(*header, token);
                }
            }
            let status = app.send(request.body(Body::empty()).unwrap()).await.status;
            assert_ne!(status, 401, "{method} {path}, with {:?}", area.opened_by);
        }
    }
}

/// PostgreSQL has no place for a NUL, so that one which gets there is a failure of ours.
#[sqlx::test]
async fn no_route_is_broken_by_a_nul(pool: PgPool) {
    let app = TestApp::with(pool, &customers_dot::settings());
    let right = credentials(&app).await;
    let forms = [
        ("application/json", r#"{"a":"\u0000","action":"git-upload-pack","agent_id":1}"#),
        (
            "application/json",
            r#"{"agent_config":"{\"a\":\"\\u0000\"}","agent_id":1,"packs":[{"purchase_xid":"\u0000"}]}"#,
        ),
        ("application/json", r#"{"userName":"\u0000","schemas":[],"filter":"userName eq \"\\u0000\""}"#),
        ("application/x-www-form-urlencoded", "project=a%00b&username=%00&reason=%00&%00=1"),
        (
            "multipart/form-data; boundary=b",
            "--b\r\nContent-Disposition: form-data; name=\"project\"\r\n\r\n\0\r\n--b--\r\n",
        ),
    ];
    let query = "username=%00&key=%00&filter=userName%20eq%20%22%00%22&id=%00&search=%00&attributes=%00";
    for area in AREAS {
        for (method, path, _) in area.routes {
            let with = |path: &str| {
                let mut request = Request::builder().method(*method).uri(format!("{}{path}", area.mounted()));
                for (name, header, token) in &right {
                    if area.opened_by.contains(name) {
                        request = request.header(*header, token);
                    }
                }
                request
            };
            let steps: Vec<&str> = path.split('/').map(|step| if step.starts_with('{') { "1" } else { step }).collect();
            let plain = steps.join("/");
            let mut requests = vec![with(&format!("{plain}?{query}")).body(Body::empty()).unwrap()];
            if path.contains('{') {
                let in_path = path.split('/').map(|step| if step.starts_with('{') { "a%00b" } else { step });
                let in_path = in_path.collect::<Vec<_>>().join("/");
                requests.push(with(&in_path).body(Body::empty()).unwrap());
            }
            for (media, body) in forms {
                requests.push(with(&plain).header("content-type", media).body(Body::from(body)).unwrap());
            }
            for request in requests {
                let asked = format!("{method} {} {:?}", request.uri(), request.headers().get("content-type"));
                let reply = app.send(request).await;
                // 501 says that something is not offered, whatever was sent.
                assert!(reply.status.as_u16() < 500 || reply.status == 501, "{asked}: {}", reply.line());
            }
        }
    }
}

/// The tables have a row for each route that describes itself, and none besides.
#[test]
fn the_tables_are_complete() {
    let document = serde_json::to_value(gatehouse::app::openapi("")).unwrap();
    let mut complaints = String::new();
    let mut told = BTreeSet::new();
    for area in AREAS {
        let tag = area.folder.rsplit('/').next().unwrap();
        let mut described = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            let Some(path) = path.strip_prefix(area.root) else { continue };
            for (method, operation) in item.as_object().unwrap() {
                if operation["tags"] == serde_json::json!([tag]) {
                    described.insert((method.to_uppercase(), path.to_owned()));
                }
            }
        }
        let rows: BTreeSet<_> =
            area.routes.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
        for (method, path) in described.difference(&rows) {
            writeln!(complaints, "{tag}: {method} {path} has no row").unwrap();
        }
        for (method, path) in rows.difference(&described) {
            writeln!(complaints, "{tag}: {method} {path} has a row and no route").unwrap();
        }
        told.insert(tag);
    }
    assert!(complaints.is_empty(), "{complaints}");
    // The operator's own listener asks for no credential.
    let tags = document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap());
    let all: BTreeSet<&str> = tags.filter(|tag| *tag != "monitoring").collect();
    assert_eq!(told, all, "an area has no table");
}

/// A route that is registered in another way would not be in the document.
#[test]
fn no_route_goes_undescribed() {
    let mut undescribed = String::new();
    for (name, text) in sources("src/http") {
        let text: String = text.split_whitespace().collect();
        for row in text.split(".route(\"").skip(1) {
            let (path, _) = row.split_once('"').unwrap();
            // The page that shows the document, and the pages for administrators, of which there is a table of their own.
            if !path.starts_with("/-/docs") && !name.starts_with("src/http/admin/") {
                writeln!(undescribed, "{name}: {path}").unwrap();
            }
        }
    }
    assert_eq!(undescribed, "");
}

//! What a document states is what clients meet.

use chrono::TimeDelta;
use gatehouse::document::RefusedKey;
use gatehouse::document::reconcile::{ApplyFailure, apply};
use gatehouse::document::refused::REFUSED;
use gatehouse::document::sources::ApplySources;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::apply::{KEY, fresh_key};
use crate::support::{Reply, TestApp, dsa_1024_key, rsa_key};

/// An application over a database that documents are applied to.
pub(super) struct Stated {
    pub(super) app: TestApp,
}

impl Stated {
    pub(super) fn new(pool: PgPool) -> Self {
        Self { app: TestApp::new(pool) }
    }

    async fn apply(&self, document: &str) -> Result<(), ApplyFailure> {
        let mut connection = self.app.pool.acquire().await.unwrap();
        let sources = ApplySources::new(|_| None, ".".into());
        let base = &self.app.secrets.db_key_base;
        apply(&mut connection, document, &sources, base, self.app.clock.now(), false).await.map(|_| ())
    }

    pub(super) async fn says(&self, document: &str) {
        self.apply(document).await.unwrap_or_else(|failure| panic!("{failure}"));
    }

    /// Every mistake of the document, a line each.
    async fn refuses(&self, document: &str) -> String {
        match self.apply(document).await {
            Err(ApplyFailure::Problems(mistakes)) => {
                mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
            }
            other => panic!("{other:?}"),
        }
    }

    async fn pulls(&self, actor: Value, project: &str) -> Reply {
        let mut body = json!({
            "action": "git-upload-pack", "project": project, "changes": "_any", "protocol": "ssh",
        });
        body.as_object_mut().unwrap().extend(actor.as_object().unwrap().clone());
        self.app.post("/allowed", body).await
    }

    /// `ok`, or the sentence that the user is shown.
    async fn hears(&self, actor: Value, project: &str) -> String {
        let reply = self.pulls(actor, project).await;
        if reply.status == 200 { "ok".to_owned() } else { reply.message() }
    }
}

pub(super) const BASE: &str = "
users:
  - {username: rubi, email: rubi@corp.example}
  - {username: dana, email: dana@home.example}
groups: [{path: acme, visibility: public}]
projects: [{path: acme/web, repository: present, members: {rubi: developer}}]
";

#[sqlx::test]
async fn each_type_of_key_may_be_forbidden(pool: PgPool) {
    let stated = Stated::new(pool);
    stated.says(BASE).await;
    let ecdsa_sk = "sk-ecdsa-sha2-nistp256@openssh.com AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb20AAAAIbmlzdHAyNTYAAABBBIELQJ2DgvaX1yQlKFokfWM2suuaCFI2qp0eJodHyg6O4ifxc3XpRKd1OS8dNYQtE/YjdXSrA+AOnMF5ns2Nkx4AAAAEc3NoOg==";
    let ed25519_sk = "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAICFo/k5LU8863u66YC9eUO2170QduohPURkQnbLa/dczAAAABHNzaDo=";
    let keys = [
        ("rsa", rsa_key(2048)),
        ("dsa", dsa_1024_key()),
        ("ecdsa", fresh_key("ecdsa", "256")),
        ("ed25519", KEY.to_owned()),
        ("ecdsa_sk", ecdsa_sk.to_owned()),
        ("ed25519_sk", ed25519_sk.to_owned()),
    ];
    for (id, (kind, key)) in (100..).zip(&keys) {
        let document = format!("users: [{{username: rubi, keys: [{{id: {id}, title: {kind}, key: '{key}'}}]}}]");
        stated.says(&document).await;
    }
    for (forbidden, _) in &keys {
        let restriction = |kind: &str| format!("{kind}: {}", if kind == *forbidden { "forbidden" } else { "any" });
        let all: Vec<String> = keys.iter().map(|(kind, _)| restriction(kind)).collect();
        stated.says(&format!("settings: {{key_restrictions: {{{}}}}}", all.join(", "))).await;
        for (id, (kind, _)) in (100..).zip(&keys) {
            let heard = stated.hears(json!({ "key_id": id }), "acme/web").await;
            let refused = heard.starts_with("Your SSH key type is forbidden. Must be ");
            assert_eq!(refused, kind == forbidden, "{kind} where {forbidden} is forbidden: {heard}");
            assert!(refused || heard == "ok", "{kind}: {heard}");
        }
    }
}

#[sqlx::test]
async fn keys_live_no_longer_than_the_instance_says(pool: PgPool) {
    let stated = Stated::new(pool);
    stated.says(BASE).await;
    let in_days = |days| (stated.app.clock.now() + TimeDelta::days(days)).date_naive();
    let keys = [
        (1, fresh_key("ed25519", "256"), "null".to_owned()),
        (2, fresh_key("ed25519", "256"), in_days(30).to_string()),
        (3, fresh_key("ed25519", "256"), in_days(400).to_string()),
    ];
    for (id, key, expires_at) in &keys {
        let key = format!("{{id: {id}, title: 'key {id}', key: '{key}', expires_at: {expires_at}}}");
        stated.says(&format!("users: [{{username: rubi, keys: [{key}]}}]")).await;
    }
    let heard = async || {
        let mut heard = Vec::new();
        for id in 1..=3 {
            heard.push(stated.hears(json!({ "key_id": id }), "acme/web").await);
        }
        heard
    };
    assert_eq!(heard().await, ["ok"; 3]);
    stated.says("settings: {max_ssh_key_lifetime: 90}").await;
    insta::assert_snapshot!(heard().await.join("\n"), @"
    Your SSH key has no expiration date but an expiration date is required for SSH keys on this instance. Contact the instance administrator.
    ok
    Your SSH key has an invalid expiration date. Set a shorter lifetime for the key or contact the instance administrator.
    ");
    stated.says("settings: {max_ssh_key_lifetime: null}").await;
    assert_eq!(heard().await, ["ok"; 3]);
}

#[sqlx::test]
async fn a_deploy_key_ends_like_any_key(pool: PgPool) {
    let stated = Stated::new(pool);
    stated.says(BASE).await;
    let with = |end: &str| {
        let key = format!("{{id: 9, title: builder, key: '{KEY}', owner: rubi, can_push: true, expires_at: {end}}}");
        format!("projects: [{{path: acme/web, deploy_keys: [{key}]}}]")
    };
    let builder = || json!({ "key_id": 9 });
    stated.says(&with("3000-01-01")).await;
    assert_eq!(stated.hears(builder(), "acme/web").await, "ok");
    stated.says(&with("2020-01-01")).await;
    assert_eq!(stated.hears(builder(), "acme/web").await, "Your SSH key has expired.");
}

#[sqlx::test]
async fn git_is_for_those_who_have_accepted_the_terms(pool: PgPool) {
    let stated = Stated::new(pool);
    stated.says(BASE).await;
    let rubi = || json!({ "username": "rubi" });
    stated.says("settings: {enforce_terms: true}").await;
    let heard = stated.hears(rubi(), "acme/web").await;
    assert!(heard.starts_with("You (@rubi) must accept the Terms of Service"), "{heard}");
    stated.says("users: [{username: rubi, terms_accepted: true}]").await;
    assert_eq!(stated.hears(rubi(), "acme/web").await, "ok");
    stated.says("users: [{username: rubi, terms_accepted: false}]").await;
    assert_eq!(stated.hears(rubi(), "acme/web").await, heard);
    stated.says("settings: {enforce_terms: false}").await;
    assert_eq!(stated.hears(rubi(), "acme/web").await, "ok");
}

#[sqlx::test]
async fn a_group_takes_members_of_its_own_domains(pool: PgPool) {
    let stated = Stated::new(pool);
    stated.says(BASE).await;
    stated.says("groups: [{path: acme, members: {dana: guest}}]").await;
    // Who is a member already stays one, at any level.
    stated.says("groups: [{path: acme, members: {dana: developer}, allowed_email_domains: [Corp.example]}]").await;
    let strangers = "
users: [{username: eve, email: eve@corp.example.org}, {username: max, email: max@CORP.example}]
groups:
  - {path: acme, members: {eve: guest, rubi: developer, dana: owner}}
  - {path: acme/inner, members: {eve: guest}}
projects: [{path: acme/web, members: {eve: reporter, max: reporter}}]
";
    insta::assert_snapshot!(stated.refuses(strangers).await, @"
    groups[0].members.eve: has no address in allowed_email_domains of the root group
    groups[1].members.eve: has no address in allowed_email_domains of the root group
    projects[0].members.eve: has no address in allowed_email_domains of the root group
    ");
    stated.says("groups: [{path: acme, allowed_email_domains: []}]").await;
    stated.says(strangers).await;
}

#[sqlx::test]
async fn new_projects_are_as_visible_as_the_instance_says(pool: PgPool) {
    let stated = Stated::new(pool);
    stated.says(BASE).await;
    stated
        .says("{settings: {default_project_visibility: internal}, projects: [{path: acme/fresh, repository: present}]}")
        .await;
    let dana = || json!({ "username": "dana" });
    assert_eq!(stated.hears(dana(), "acme/fresh").await, "ok");
    assert_ne!(stated.hears(dana(), "acme/web").await, "ok");
}

#[sqlx::test]
async fn a_hidden_project_is_found_again_when_it_is_shown(pool: PgPool) {
    let stated = Stated::new(pool);
    stated.says(BASE).await;
    let rubi = || json!({ "username": "rubi" });
    stated.says("projects: [{path: acme/web, hidden: true}]").await;
    let heard = stated.hears(rubi(), "acme/web").await;
    assert!(heard.starts_with("The project you were looking for could not be found"), "{heard}");
    stated.says("projects: [{path: acme/web, hidden: false}]").await;
    assert_eq!(stated.hears(rubi(), "acme/web").await, "ok");
}

#[sqlx::test]
async fn what_holds_for_a_root_group_alone_is_refused_below_it(pool: PgPool) {
    let stated = Stated::new(pool);
    let document = "
groups:
  - path: acme
  - path: acme/inner
    enabled_git_access_protocol: ssh
    enforce_ssh_certificates: true
    disable_personal_access_tokens: true
    max_personal_access_token_lifetime: 7
    allowed_email_domains: [corp.example]
    ip_allowlist: [10.0.0.0/8]
";
    let refusal = stated.refuses(document).await;
    assert_eq!(refusal.matches("is for root groups: it holds for everything in them").count(), 6, "{refusal}");
}

/// Ruling 19.
#[sqlx::test]
async fn what_nothing_would_follow_is_refused_with_the_reason(pool: PgPool) {
    let stated = Stated::new(pool);
    for RefusedKey { place, harmless, reason } in REFUSED {
        let refusal = format!("{}: is refused: {reason}", place.replace("[]", "[0]"));
        let values = match harmless {
            None => vec![json!(true), json!(false), json!(1), json!("x"), Value::Null],
            Some(harmless) => vec![json!(!harmless), json!(1), Value::Null],
        };
        for value in values {
            let document = stating(place, value).to_string();
            let found = stated.refuses(&document).await;
            assert!(found.lines().any(|line| line == refusal), "{document}:\n{found}");
        }
        if let Some(harmless) = harmless {
            let found = stated.apply(&stating(place, json!(harmless)).to_string()).await;
            let found = found.err().map(|failure| failure.to_string()).unwrap_or_default();
            assert!(!found.contains("is refused"), "{place}: {found}");
        }
    }
}

/// A document with this value at the place.
fn stating(place: &str, value: Value) -> Value {
    place.rsplit('.').fold(value, |inner, key| match key.strip_suffix("[]") {
        Some(key) => json!({ key: [inner] }),
        None => json!({ key: inner }),
    })
}

#[sqlx::test]
async fn a_password_opens_git_over_http_unless_the_instance_takes_none(pool: PgPool) {
    let stated = Stated::new(pool);
    stated.says(BASE).await;
    stated.says("users: [{username: rubi, password: correct horse}]").await;
    let fetch = async |password: &str| {
        let path = "/acme/web.git/info/refs?service=git-upload-pack";
        let request = crate::git_http::signed("GET", path, Some(("rubi", password)));
        stated.app.send(request.body(axum::body::Body::empty()).unwrap()).await.status.as_u16()
    };
    assert_eq!((fetch("correct horse").await, fetch("wrong horse").await), (200, 401));
    stated.says("settings: {password_authentication_enabled_for_git: false}").await;
    assert_eq!(fetch("correct horse").await, 401);
}

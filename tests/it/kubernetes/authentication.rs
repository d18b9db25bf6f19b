//! Who is kas, and who is an agent.

use axum::body::Body;
use chrono::TimeDelta;
use gatehouse::crypto::secrets::agent_token_forms;
use gatehouse::http::auth::kas;
use gatehouse::services;
use gatehouse::store::{Db, agent_tokens};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{Fixture, T1, TR};
use crate::support::{Reply, TestApp};

const REFUSED: &str = r#"401 {"message":"KAS JWT authentication invalid"}"#;
const UNAUTHORIZED: &str = r#"401 {"message":"401 Unauthorized"}"#;

async fn info(app: &TestApp, headers: &[(&str, &str)]) -> Reply {
    let mut request = app.bare("GET", "/kubernetes/agent_info");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.send(request.body(Body::empty()).unwrap()).await
}

fn signed(app: &TestApp, changes: &Value) -> String {
    let now = app.clock.now().timestamp();
    let mut claims = json!({ "iss": "gitlab-kas", "aud": ["gitlab"], "iat": now, "nbf": now - 5, "exp": now + 5 });
    claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let key = EncodingKey::from_secret(&kas::key(&app.secrets.kas).unwrap());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap()
}

/// kas-1, kas-2
#[sqlx::test]
async fn kas_signs_what_it_asks(pool: PgPool) {
    let Fixture { app, .. } = Fixture::new(pool).await;
    let bearer = format!("Bearer {T1}");
    let agent = ("authorization", bearer.as_str());
    assert_eq!(info(&app, &[agent]).await.line(), REFUSED);
    let now = app.clock.now().timestamp();
    let wrong = [
        json!({ "iss": "gitlab" }),
        json!({ "iss": null }),
        json!({ "aud": "x" }),
        json!({ "aud": null }),
        json!({ "exp": now }),
        json!({ "exp": now - 1 }),
        json!({ "nbf": now + 1 }),
        json!({ "exp": "soon" }),
    ];
    for claims in wrong {
        let token = signed(&app, &claims);
        assert_eq!(info(&app, &[(kas::TOKEN_HEADER, &token), agent]).await.line(), REFUSED, "{claims}");
    }
    // Another key, another algorithm, none at all.
    for (what, token) in app.wrong_tokens().into_iter().filter(|(what, _)| *what != "signed by kas") {
        assert_eq!(info(&app, &[(kas::TOKEN_HEADER, &token), agent]).await.line(), REFUSED, "{what}");
    }
    for claims in [json!({}), json!({ "exp": null, "nbf": null, "iat": null }), json!({ "exp": now + 1, "nbf": now })] {
        let token = signed(&app, &claims);
        assert_eq!(info(&app, &[(kas::TOKEN_HEADER, &token), agent]).await.status, 200, "{claims}");
    }
}

/// kas-3: the contract's own vector has neither beginning nor end.
#[sqlx::test]
async fn a_token_of_issuer_and_audience_alone_is_good(pool: PgPool) {
    const VECTOR: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJnaXRsYWIta2FzIiwiYXVkIjpbImdpdGxhYiJdfQ.8fixt4zSFtCw2AkvGuED65pT2tHSnIBCT3k3SdROw7U";
    let Fixture { app, .. } = Fixture::new(pool).await;
    let bearer = format!("Bearer {T1}");
    assert_eq!(info(&app, &[(kas::TOKEN_HEADER, VECTOR), ("authorization", &bearer)]).await.status, 200);
}

/// kas-4
#[sqlx::test]
async fn the_audience_may_be_a_text(pool: PgPool) {
    let Fixture { app, .. } = Fixture::new(pool).await;
    let token = signed(&app, &json!({ "aud": "gitlab" }));
    let bearer = format!("Bearer {T1}");
    assert_eq!(info(&app, &[(kas::TOKEN_HEADER, &token), ("authorization", &bearer)]).await.status, 200);
}

/// kas-5, kas-7, kas-8
#[sqlx::test]
async fn an_agent_has_a_token_of_its_own(pool: PgPool) {
    let Fixture { app, .. } = Fixture::new(pool).await;
    let token = signed(&app, &json!({}));
    let kas = (kas::TOKEN_HEADER, token.as_str());
    let (agentk, agent, bearer) = ("gitlab-agentk-api-request", "gitlab-agent-api-request", format!("Bearer {T1}"));
    let authorization = ("authorization", bearer.as_str());
    for headers in [
        vec![kas],
        vec![kas, (agent, TR)],
        vec![kas, (agent, "")],
        vec![kas, ("authorization", T1)],
        vec![kas, ("authorization", "Basic eDp5")],
        vec![kas, (agentk, "NONE"), authorization],
        vec![kas, (agent, "NONE"), authorization],
        vec![kas, (agentk, "NONE"), (agent, T1)],
    ] {
        assert_eq!(info(&app, &headers).await.line(), UNAUTHORIZED, "{headers:?}");
    }
    let (lower, other) = (format!("bearer {T1}"), format!("Token {T1}"));
    for headers in [
        vec![kas, (agent, T1)],
        vec![kas, (agentk, T1)],
        vec![kas, authorization],
        vec![kas, ("authorization", lower.as_str())],
        vec![kas, ("authorization", other.as_str())],
        vec![kas, (agentk, T1), ("authorization", "Bearer NONE")],
    ] {
        assert_eq!(info(&app, &headers).await.status, 200, "{headers:?}");
    }
}

/// A database that GitLab has written holds its own ciphertexts.
#[sqlx::test]
async fn a_token_that_gitlab_stored_is_known(pool: PgPool) {
    use gatehouse::domain::token::ciphertexts;
    use secrecy::ExposeSecret;
    let Fixture { app, prod, .. } = Fixture::new(pool).await;
    for (number, form) in ciphertexts("glagent-of-gitlab", app.secrets.db_key_base.expose_secret()).iter().enumerate() {
        let stored = format!(
            "update cluster_agent_tokens set token_encrypted = '{form}' where status = 0 and agent_id = {prod}"
        );
        app.given().sql(&stored).await;
        let token = signed(&app, &json!({}));
        let headers = [(kas::TOKEN_HEADER, token.as_str()), ("gitlab-agent-api-request", "glagent-of-gitlab")];
        assert_eq!(info(&app, &headers).await.status, 200, "form {number}");
    }
}

/// kas-10: the first use connects the agent; later ones are noted once a minute, and connect it after an hour of silence.
#[sqlx::test]
async fn the_use_of_a_token_is_noted(pool: PgPool) {
    let fixture = Fixture::new(pool).await;
    let (given, clock) = (fixture.app.given(), &fixture.app.clock);
    let noted = || async {
        let last = "select last_used_at from cluster_agent_tokens where name = 'glagent-of-prod'";
        let last: Option<chrono::DateTime<chrono::Utc>> = given.value(last).await;
        let events: i64 = given.value("select count(*) from agent_activity_events where kind = 1 and level = 1").await;
        (last, events)
    };
    assert_eq!(noted().await, (None, 0));
    let begun = clock.now();
    fixture.get("/agent_info", T1).await;
    fixture.get("/agent_info", T1).await;
    assert_eq!(noted().await, (Some(begun), 1));
    clock.set(clock.now() + TimeDelta::seconds(59));
    fixture.get("/agent_info", T1).await;
    assert_eq!(noted().await, (Some(begun), 1));
    clock.set(clock.now() + TimeDelta::seconds(1));
    fixture.get("/agent_info", T1).await;
    assert_eq!(noted().await, (Some(begun + TimeDelta::seconds(60)), 1));
    clock.set(clock.now() + TimeDelta::hours(1));
    fixture.get("/agent_info", T1).await;
    assert_eq!(noted().await, (Some(begun + TimeDelta::seconds(3660)), 2));
    assert_eq!(given.value::<i64>("select agent_token_id from agent_activity_events limit 1").await, 1);
}

/// kas-10: of uses at once, each a little later than the other by its server's clock, one connects the agent.
#[sqlx::test]
async fn uses_at_once_connect_an_agent_once(pool: PgPool) {
    let Fixture { app, prod, .. } = Fixture::new(pool.clone()).await;
    let second = app.given().agent_token(prod, &app.secrets.db_key_base, "glagent-second").await;
    let (db, key) = (Db::from(pool), &app.secrets.db_key_base);
    let known = agent_tokens::find_active(db.pool(), &agent_token_forms(T1, key)).await.unwrap().unwrap();
    let uses = (0..32).map(|number| {
        let id = if number % 2 == 0 { known.id } else { second };
        let (db, known) = (db.clone(), agent_tokens::KnownAgentToken { id, ..known.clone() });
        let now = app.clock.now() + TimeDelta::milliseconds(number);
        async move { services::agent_tokens::note_use(&db, &known, now).await.unwrap() }
    });
    futures_util::future::join_all(uses).await;
    assert_eq!(app.given().value::<i64>("select count(*) from agent_activity_events").await, 1);
}

#[sqlx::test]
async fn an_agent_keeps_its_newest_200_events(pool: PgPool) {
    let fixture = Fixture::new(pool).await;
    let given = fixture.app.given();
    given
        .sql(
            "insert into agent_activity_events (agent_id, kind, recorded_at)
             select agents.id, 0, now() - n * interval '1 day'
             from cluster_agents as agents, generate_series(1, 210) as n",
        )
        .await;
    fixture.get("/agent_info", T1).await;
    let counts: Vec<(String, i64)> = sqlx::query_as(
        "select agents.name, count(*) from agent_activity_events as events
         join cluster_agents as agents on agents.id = events.agent_id group by 1 order by 1",
    )
    .fetch_all(&given.pool)
    .await
    .unwrap();
    assert_eq!(counts, [("prod".to_owned(), 200), ("stage".to_owned(), 210)]);
}

/// kas-25: a body is read before anybody is known.
#[sqlx::test]
async fn a_body_that_cannot_be_read_is_refused_whoever_sends_it(pool: PgPool) {
    let Fixture { app, .. } = Fixture::new(pool).await;
    let post = |media: &'static str, body: Vec<u8>| {
        app.bare("POST", "/kubernetes/agent_configuration")
            .header("content-type", media)
            .body(Body::from(body))
            .unwrap()
    };
    let reply = app.send(post("application/json", b"{bad".to_vec())).await;
    assert_eq!((reply.status.as_u16(), reply.json()["error"].is_string()), (400, true));
    let reply = app.send(post("text/plain", b"x".to_vec())).await;
    assert_eq!(reply.line(), r#"415 {"error":"The provided content-type 'text/plain' is not supported."}"#);
    // A body that is longer than strangers' is read of kas alone.
    let long = || Body::from(vec![b' '; (1 << 20) + 1]);
    let stranger = app.bare("POST", "/kubernetes/agent_configuration").body(long()).unwrap();
    assert_eq!(app.send(stranger).await.line(), REFUSED);
    let kas = app.kas("POST", "/kubernetes/agent_configuration").body(long()).unwrap();
    assert_eq!(app.send(kas).await.status, 413);
    assert_eq!(app.send(post("application/json", b"{}".to_vec())).await.line(), REFUSED);
}

/// kas-50
#[sqlx::test]
async fn what_is_not_there_is_not_found(pool: PgPool) {
    let fixture = Fixture::new(pool).await;
    let reply = fixture.app.call_kas("POST", "/modules/unknown/", T1, json!({})).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["error"]), (404, &json!("404 Not Found")));
    assert_eq!(fixture.get("/agent_configuration", "").await.status, 405);
}

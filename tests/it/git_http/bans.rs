//! Addresses that guess are shut out for a while.

use chrono::TimeDelta;
use sqlx::PgPool;

use super::{Forge, PASSWORD, assert_allowed, assert_challenged, assert_refused};
use crate::support::{Reply, TestApp};

const SETTINGS: &str = "rack_attack: {git_basic_auth: {maxretry: 3, findtime: 60, bantime: 600}}";
const BANNED: &str = "Too many failed authentication attempts from this IP";
const HERE: &str = "203.0.113.9";

async fn fetch(forge: &Forge, address: &str, repository: &str, login: super::Login<'_>) -> Reply {
    let path = format!("/{repository}.git/info/refs?service=git-upload-pack");
    forge.ask_from(address, "GET", &path, login).await
}

/// http-46, http-47
#[sqlx::test]
async fn an_address_that_guesses_is_shut_out_for_a_while(pool: PgPool) {
    let forge = Forge::with(pool, SETTINGS).await;
    for guess in ["a", "b", "c"] {
        assert_challenged(&fetch(&forge, HERE, "g/p", Some((guess, "wrong"))).await);
    }
    for right in [PASSWORD, "T-dev"] {
        assert_refused(&fetch(&forge, HERE, "g/p", Some(("dev", right))).await, 403, BANNED);
    }
    assert_allowed(&fetch(&forge, HERE, "g/open", None).await);
    assert_allowed(&fetch(&forge, "198.51.100.7", "g/p", Some(("dev", PASSWORD))).await);
    // Another server knows of it too.
    let another = TestApp::with(forge.app.pool.clone(), SETTINGS);
    let request = super::signed("GET", "/g/p.git/info/refs?service=git-upload-pack", Some(("dev", "T-dev")))
        .header("x-forwarded-for", HERE);
    assert_eq!(another.send(request.body(axum::body::Body::empty()).unwrap()).await.status, 403);
    let events = "select string_agg(substring(details from 'git_http[a-z_]+'), ' ' order by id) from audit_events";
    assert_eq!(
        forge.given.value::<String>(events).await,
        "git_http_credential_refused git_http_credential_refused git_http_credential_refused git_http_address_banned"
    );
    later(&forge, 601);
    assert_allowed(&fetch(&forge, HERE, "g/p", Some(("dev", PASSWORD))).await);
}

#[sqlx::test]
async fn only_guesses_count(pool: PgPool) {
    let forge = Forge::with(pool, SETTINGS).await;
    for _ in 0..4 {
        assert_challenged(&fetch(&forge, HERE, "g/p", None).await);
        assert_challenged(&fetch(&forge, HERE, "g/p", Some(("dev", ""))).await);
        assert_challenged(&fetch(&forge, HERE, "g/p", Some(("gitlab-ci-token", "x"))).await);
        assert_challenged(&fetch(&forge, "127.0.0.1", "g/p", Some(("dev", "wrong"))).await);
    }
    assert_allowed(&fetch(&forge, HERE, "g/p", Some(("dev", "T-dev"))).await);
    assert_allowed(&fetch(&forge, "127.0.0.1", "g/p", Some(("dev", "T-dev"))).await);
    // The right password of an account with a second factor is counted like a wrong one.
    for _ in 0..3 {
        assert_challenged(&fetch(&forge, HERE, "g/p", Some(("tfa", PASSWORD))).await);
    }
    assert_refused(&fetch(&forge, HERE, "g/p", Some(("tfa", "T-tfa"))).await, 403, BANNED);
}

#[sqlx::test]
async fn a_success_clears_the_failures_of_its_own_login(pool: PgPool) {
    let forge = Forge::with(pool, SETTINGS).await;
    for login in ["dev", "other"] {
        assert_challenged(&fetch(&forge, HERE, "g/p", Some((login, "wrong"))).await);
    }
    assert_allowed(&fetch(&forge, HERE, "g/p", Some(("dev", PASSWORD))).await);
    assert_eq!(forge.given.value::<i64>("select count(*) from git_auth_failures").await, 1);
    // The other one's failure is still there.
    for _ in 0..2 {
        assert_challenged(&fetch(&forge, HERE, "g/p", Some(("third", "wrong"))).await);
    }
    assert_refused(&fetch(&forge, HERE, "g/p", Some(("dev", PASSWORD))).await, 403, BANNED);
}

#[sqlx::test]
async fn failures_are_forgotten_when_their_time_is_over(pool: PgPool) {
    let forge = Forge::with(pool, SETTINGS).await;
    for _ in 0..5 {
        assert_challenged(&fetch(&forge, HERE, "g/p", Some(("dev", "wrong"))).await);
        later(&forge, 31);
    }
    assert_allowed(&fetch(&forge, HERE, "g/p", Some(("dev", PASSWORD))).await);
}

#[sqlx::test]
async fn the_ban_may_be_switched_off_and_addresses_left_out(pool: PgPool) {
    let mut forge = Forge::begins(pool.clone()).await;
    for settings in ["maxretry: 1, enabled: false", "maxretry: 1, ip_whitelist: [203.0.113.0/24]"] {
        forge.app = TestApp::with(pool.clone(), &format!("rack_attack: {{git_basic_auth: {{{settings}}}}}"));
        for _ in 0..3 {
            assert_challenged(&fetch(&forge, HERE, "g/p", Some(("dev", "wrong"))).await);
        }
        assert_allowed(&fetch(&forge, HERE, "g/p", Some(("dev", "T-dev"))).await);
    }
}

fn later(forge: &Forge, seconds: i64) {
    forge.app.clock.set(forge.app.clock.now() + TimeDelta::seconds(seconds));
}

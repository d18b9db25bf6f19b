//! Whose a login and a password are, and what they open.

use sqlx::PgPool;

use super::{ACCESS_DENIED, Forge, PASSWORD, assert_allowed, assert_challenged, assert_refused, signed};
use crate::support::Reply;

const NO_PULL: &str = "You are not allowed to download code.";
const NO_PUSH: &str = "You are not allowed to upload code.";

/// http-19, http-20, http-21
#[sqlx::test]
async fn strangers_are_asked_who_they_are_wherever_not_all_is_open(pool: PgPool) {
    let forge = Forge::begins(pool).await;
    let hidden = forge.fetch("g/p", None).await;
    assert_challenged(&hidden);
    for repository in ["nope/nix", "g/int", "justname"] {
        let reply = forge.fetch(repository, None).await;
        assert_challenged(&reply);
        let named = |reply: &Reply| {
            let names = reply.headers.iter().filter(|(name, _)| *name != "x-request-id");
            names.map(|(name, value)| (name.clone(), value.clone())).collect::<Vec<_>>()
        };
        assert_eq!(named(&reply), named(&hidden), "{repository}");
    }
    assert_challenged(&forge.push("g/open", None).await);
    assert_challenged(&forge.ask("POST", "/g/open.git/git-receive-pack", None).await);
    assert_challenged(&forge.ask("GET", "/g/open.git/info/refs", None).await);
    assert_allowed(&forge.ask("POST", "/g/open.git/git-upload-pack", None).await);
    for level in [10, 0] {
        forge.open.clone().features(&format!("repository_access_level = {level}")).await;
        assert_challenged(&forge.ask("POST", "/g/open.git/git-upload-pack", None).await);
    }
}

/// http-22, http-23
#[sqlx::test]
async fn a_wrong_credential_is_worse_than_none(pool: PgPool) {
    let forge = Forge::begins(pool).await;
    assert_challenged(&forge.fetch("g/open", Some(("dev", "wrong"))).await);
    let fetch = async |repository: &str, header: &'static str, value: &str| {
        let path = format!("/{repository}.git/info/refs?service=git-upload-pack");
        let request = signed("GET", &path, None).header(header, value);
        forge.app.send(request.body(axum::body::Body::empty()).unwrap()).await
    };
    for garbage in ["Basic %%%", "Basic", "basic bm8gY29sb24="] {
        assert_challenged(&fetch("g/open", "authorization", garbage).await);
    }
    // What other areas read is nothing here.
    for (header, value) in [("authorization", "Bearer T-dev"), ("private-token", "T-dev"), ("job-token", "T-dev")] {
        assert_challenged(&fetch("g/p", header, value).await);
        assert_eq!(assert_allowed(&fetch("g/open", header, value).await)["GL_ID"], "");
    }
}

/// http-25, http-26, http-45
#[sqlx::test]
async fn a_password_opens_with_the_username_or_the_address(pool: PgPool) {
    let forge = Forge::begins(pool).await;
    for login in ["dev", "DEV", "Dev@Example.COM"] {
        assert_allowed(&forge.fetch("g/p", Some((login, PASSWORD))).await);
    }
    for (login, password) in [("dev", "x"), ("nobody", PASSWORD), ("", PASSWORD), ("dev@", PASSWORD), ("rep", PASSWORD)]
    {
        assert_challenged(&forge.fetch("g/p", Some((login, password))).await);
    }
    let hash = bcrypt::hash_with_salt(PASSWORD, 4, [9; 16]).unwrap();
    for version in [bcrypt::Version::TwoA, bcrypt::Version::TwoB, bcrypt::Version::TwoY] {
        let hash = hash.format_for_version(version);
        forge.given.user_is(forge.dev, &format!("encrypted_password = '{hash}'")).await;
        assert_allowed(&forge.fetch("g/p", Some(("dev", PASSWORD))).await);
    }
    forge.given.user_is(forge.dev, "encrypted_password = ''").await;
    assert_challenged(&forge.fetch("g/p", Some(("dev", ""))).await);
    assert_challenged(&forge.fetch("g/p", Some(("gitlab-ci-token", PASSWORD))).await);
}

/// http-27
#[sqlx::test]
async fn a_token_opens_with_any_login(pool: PgPool) {
    let forge = Forge::begins(pool).await;
    for login in ["dev", "x", "oauth2", "", "lfs+deploy-key-7", "rep"] {
        let said = assert_allowed(&forge.push("g/p", Some((login, "T-dev"))).await);
        assert_eq!(said["GL_ID"], format!("user-{}", forge.dev), "{login}");
    }
    forge.given.eventually("select bool_or(last_used_at is not null) from personal_access_tokens").await;
}

/// http-28, http-29
#[sqlx::test]
async fn the_scopes_of_a_token_limit_its_owner(pool: PgPool) {
    let forge = Forge::begins(pool).await;
    for (scope, fetch, push) in [
        ("read_repository", 200, 403),
        ("write_repository", 200, 200),
        ("read_api", 200, 403),
        ("api", 200, 200),
        ("read_user", 403, 403),
    ] {
        let token = format!("T-{scope}");
        forge.token(forge.dev, &token, scope).await;
        let login = Some(("dev", token.as_str()));
        let (fetched, pushed) = (forge.fetch("g/p", login).await, forge.push("g/p", login).await);
        assert_eq!((fetched.status.as_u16(), pushed.status.as_u16()), (fetch, push), "{scope}");
        if push == 403 {
            assert_refused(&pushed, 403, NO_PUSH);
            assert_refused(&forge.push("nope/nix", login).await, 403, NO_PUSH);
        }
        if fetch == 403 {
            assert_refused(&fetched, 403, NO_PULL);
            assert_refused(&forge.fetch("g/open", login).await, 403, NO_PULL);
        }
    }
    // One that is for registries alone is no token here.
    forge.token(forge.dev, "T-registry", "read_registry").await;
    assert_challenged(&forge.fetch("g/p", Some(("dev", "T-registry"))).await);
}

/// http-31
#[sqlx::test]
async fn a_token_that_has_ended_is_none(pool: PgPool) {
    let forge = Forge::with(pool.clone(), "gitlab: {impersonation_enabled: false}").await;
    let today = forge.app.clock.now().date_naive();
    for ended in ["revoked = true".to_owned(), format!("expires_at = '{today}'"), "impersonation = true".to_owned()] {
        let token = format!("T-{}", ended.len());
        forge.token(forge.dev, &token, "api").await;
        assert_allowed(&forge.fetch("g/p", Some(("dev", &token))).await);
        forge.token_is(&token, &ended).await;
        assert_challenged(&forge.fetch("g/p", Some(("dev", &token))).await);
    }
    forge.given.setting("disable_personal_access_tokens = true").await;
    assert_challenged(&forge.fetch("g/p", Some(("dev", "T-dev"))).await);
}

/// http-32, http-33
#[sqlx::test]
async fn a_second_factor_shuts_out_passwords_and_no_token(pool: PgPool) {
    let forge = Forge::begins(pool).await;
    assert_challenged(&forge.fetch("g/p", Some(("tfa", PASSWORD))).await);
    assert_challenged(&forge.fetch("g/p", Some(("tfa", "wrong"))).await);
    assert_allowed(&forge.fetch("g/p", Some(("tfa", "T-tfa"))).await);

    forge.given.setting("require_two_factor_authentication = true, two_factor_grace_period = 48").await;
    let began = |hours: i64| forge.app.clock.now().naive_utc() - chrono::TimeDelta::hours(hours);
    for (hours, status) in [(49, 401), (47, 200)] {
        forge.given.user_is(forge.dev, &format!("otp_grace_period_started_at = '{}'", began(hours))).await;
        assert_eq!(forge.fetch("g/p", Some(("dev", PASSWORD))).await.status, status);
        assert_allowed(&forge.fetch("g/p", Some(("dev", "T-dev"))).await);
    }
    forge.given.user_is(forge.dev, "otp_grace_period_started_at = null").await;
    assert_allowed(&forge.fetch("g/p", Some(("dev", PASSWORD))).await);
    forge.given.setting("require_two_factor_authentication = false").await;
    let of_group = format!(
        "require_two_factor_authentication_from_group = true, two_factor_grace_period = 1,
         otp_grace_period_started_at = '{}'",
        began(2)
    );
    forge.given.user_is(forge.dev, &of_group).await;
    assert_challenged(&forge.fetch("g/p", Some(("dev", PASSWORD))).await);
}

/// http-34
#[sqlx::test]
async fn passwords_may_be_closed_to_git(pool: PgPool) {
    let forge = Forge::begins(pool).await;
    forge.given.setting("password_authentication_enabled_for_git = false").await;
    let reply = forge.fetch("g/p", Some(("dev", PASSWORD))).await;
    assert_refused(&reply, 401, ACCESS_DENIED);
    assert!(!reply.headers.contains_key("www-authenticate"));
    assert_allowed(&forge.fetch("g/p", Some(("dev", "T-dev"))).await);
}

/// http-35, http-37
#[sqlx::test]
async fn an_account_that_is_shut_looks_like_a_wrong_password(pool: PgPool) {
    let forge = Forge::begins(pool).await;
    let now = forge.app.clock.now().naive_utc();
    forge.given.setting("email_confirmation_setting = 2").await;
    for (shut, usual) in [
        ("state = 'blocked'".to_owned(), "state = 'active'"),
        ("state = 'ldap_blocked'".to_owned(), "state = 'active'"),
        ("state = 'banned'".to_owned(), "state = 'active'"),
        ("state = 'blocked_pending_approval'".to_owned(), "state = 'active'"),
        (format!("locked_at = '{now}'"), "locked_at = null"),
        ("confirmed_at = null".to_owned(), "confirmed_at = '2020-01-01'"),
        ("user_type = 1".to_owned(), "user_type = 0"),
        (format!("password_expires_at = '{now}'"), "password_expires_at = null"),
    ] {
        forge.given.user_is(forge.dev, &shut).await;
        for secret in [PASSWORD, "T-dev"] {
            for repository in ["g/p", "nope/nix", "g/open"] {
                assert_challenged(&forge.fetch(repository, Some(("dev", secret))).await);
            }
        }
        forge.given.user_is(forge.dev, usual).await;
    }
    forge.given.user_is(forge.dev, &format!("password_expires_at = '{now}'")).await;
    let ldap =
        format!("insert into identities (user_id, provider, extern_uid) values ({}, 'ldapmain', 'uid=dev')", forge.dev);
    forge.given.sql(&ldap).await;
    assert_allowed(&forge.fetch("g/p", Some(("dev", "T-dev"))).await);
    forge.given.user_is(forge.dev, "password_expires_at = null, state = 'deactivated'").await;
    let reply = forge.fetch("g/p", Some(("dev", PASSWORD))).await;
    assert_eq!(reply.status, 403, "{}", reply.line());
    assert!(reply.text.starts_with("Your account has been deactivated"), "{}", reply.text);
}

/// http-38, http-39
#[sqlx::test]
async fn a_bot_is_somebody_in_its_own_projects_alone(pool: PgPool) {
    let forge = Forge::begins(pool).await;
    let bot = forge.given.user("bot").await;
    forge.given.user_is(bot, "user_type = 6").await;
    forge.private.clone().developer("bot").await;
    forge.given.project("g/other").await;
    forge.token(bot, "T-bot", "write_repository").await;
    let login = Some(("x", "T-bot"));
    assert_allowed(&forge.fetch("g/p", login).await);
    assert_allowed(&forge.push("g/p", login).await);
    for repository in ["g/other", "nope/nix"] {
        assert_challenged(&forge.fetch(repository, login).await);
    }
    assert_challenged(&forge.push("bot/fresh", login).await);
}

/// http-40, http-41
#[sqlx::test]
async fn a_deploy_token_fetches_from_its_project(pool: PgPool) {
    let forge = Forge::begins(pool).await;
    let id = forge.deploy_token("D1", Some(&forge.private)).await;
    let name = format!("gitlab+deploy-token-{id}");
    let login = Some((name.as_str(), "D1"));
    let said = assert_allowed(&forge.fetch("g/p", login).await);
    assert_eq!((&said["GL_ID"], &said["GL_USERNAME"]), (&format!("deploy-token-{id}").into(), &name.clone().into()));
    assert_refused(&forge.push("g/p", login).await, 403, NO_PUSH);
    assert_refused(&forge.push("g/p", login).await, 403, NO_PUSH);

    assert_challenged(&forge.fetch("g/p", Some(("other", "D1"))).await);
    for repository in ["g/int", "g/open", "nope/nix"] {
        assert_challenged(&forge.fetch(repository, login).await);
    }
    let now = forge.app.clock.now();
    for (bad, usual) in [
        ("revoked = true".to_owned(), "revoked = false"),
        (format!("expires_at = '{}'", now - chrono::TimeDelta::seconds(1)), "expires_at = '3000-01-01'"),
        ("read_repository = false, read_registry = true".to_owned(), "read_repository = true"),
        ("username = 'named'".to_owned(), "username = null"),
    ] {
        forge.given.sql(&format!("update deploy_tokens set {bad}")).await;
        assert_challenged(&forge.fetch("g/p", login).await);
        forge.given.sql(&format!("update deploy_tokens set {usual}")).await;
    }
    forge.given.sql(&format!("update deploy_tokens set expires_at = '{now}'")).await;
    assert_allowed(&forge.fetch("g/p", login).await);
    forge.private.clone().features("repository_access_level = 0").await;
    assert_challenged(&forge.fetch("g/p", login).await);

    let id = forge.deploy_token("D2", None).await;
    assert_allowed(&forge.fetch("g/int", Some((&format!("gitlab+deploy-token-{id}"), "D2"))).await);
}

/// http-43
#[sqlx::test]
async fn an_oauth_token_opens_what_its_scopes_say(pool: PgPool) {
    let forge = Forge::begins(pool).await;
    forge.oauth_token(forge.dev, "oauth-1", "read_repository").await;
    for login in ["oauth2", "dev"] {
        assert_allowed(&forge.fetch("g/p", Some((login, "oauth-1"))).await);
        assert_refused(&forge.push("g/p", Some((login, "oauth-1"))).await, 403, NO_PUSH);
    }
    let of_old = format!(
        "insert into oauth_access_tokens (resource_owner_id, token, scopes, expires_in)
         values ({}, 'plain-token', 'api read_user', null)",
        forge.dev
    );
    forge.given.sql(&of_old).await;
    assert_allowed(&forge.push("g/p", Some(("oauth2", "plain-token"))).await);
    forge.oauth_token(forge.dev, "oauth-2", "openid").await;
    assert_refused(&forge.fetch("g/p", Some(("oauth2", "oauth-2"))).await, 403, NO_PULL);
    let stored: String = forge.given.value("select token from oauth_access_tokens where scopes = 'openid'").await;
    assert_challenged(&forge.fetch("g/p", Some(("oauth2", &stored))).await);
    forge.given.sql("update oauth_access_tokens set created_at = created_at - interval '7200 s'").await;
    assert_challenged(&forge.fetch("g/p", Some(("oauth2", "oauth-1"))).await);
    assert_allowed(&forge.push("g/p", Some(("oauth2", "plain-token"))).await);
    forge.given.sql("update oauth_access_tokens set revoked_at = created_at").await;
    assert_challenged(&forge.push("g/p", Some(("oauth2", "plain-token"))).await);
}

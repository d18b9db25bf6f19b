//! On whose behalf: accounts, keys and deploy keys.

use sqlx::PgPool;

use super::{NO_DOWNLOAD, NO_PROJECT, Story, assert_allowed, assert_refused};

const NO_UPLOAD: &str = "You are not allowed to upload code for this project.";
const READ_ONLY_KEY: &str = "This deploy key does not have write access to this project.";
const BLOCKED: &str = "Your account has been blocked.";

/// allowed-8, allowed-9, allowed-10
#[sqlx::test]
async fn an_unknown_key_is_a_visitor(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/public").await.public().await;
    story.given.project("g/private").await;
    for key in ["0", "999999", "abc", ""] {
        let reply = story.ask("git-upload-pack", "g/public.git", &[("key_id", key)]).await;
        assert_allowed(&reply);
        let json = reply.json();
        assert_eq!(json["gl_id"], "");
        for absent in ["gl_username", "gl_key_type", "gl_key_id", "message"] {
            assert!(json.get(absent).is_none(), "{absent} in {json}");
        }
        let reply = story.ask("git-upload-pack", "g/private.git", &[("key_id", key)]).await;
        assert_refused(&reply, 404, NO_PROJECT);
        let reply = story.ask("git-receive-pack", "g/public.git", &[("key_id", key)]).await;
        assert_refused(&reply, 401, NO_UPLOAD);
    }
}

/// allowed-25, allowed-26
#[sqlx::test]
async fn a_blocked_user_is_told_so_whatever_they_ask_for(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("rubi/p").await;
    for state in ["blocked", "ldap_blocked", "banned"] {
        story.given.user_is(story.rubi, &format!("state = '{state}'")).await;
        assert_refused(&story.pull_path("rubi/p.git").await, 401, BLOCKED);
        assert_refused(&story.pull_path("rubi/absent.git").await, 401, BLOCKED);
    }
}

/// allowed-27, allowed-28
#[sqlx::test]
async fn an_account_that_sleeps_or_waits_is_told_how_it_wakes(pool: PgPool) {
    let story =
        Story::with(pool, "gitlab: {host: git.example.com, https: true, port: 443, relative_url_root: /x}").await;
    story.given.project("g/p").await.developer("rubi").await;
    story.given.user_is(story.rubi, "state = 'blocked_pending_approval'").await;
    let pending = "Your account is pending approval from your administrator and hence blocked.";
    assert_refused(&story.pull().await, 401, pending);
    story.given.user_is(story.rubi, "state = 'deactivated'").await;
    let asleep = "Your account has been deactivated by your administrator. \
                  Please log back in from a web browser to reactivate your account at https://git.example.com/x";
    assert_refused(&story.pull().await, 401, asleep);
}

/// allowed-29
#[sqlx::test]
async fn an_expired_password_stops_whoever_has_one(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.developer("rubi").await;
    story.given.user_is(story.rubi, "password_expires_at = '2020-01-01'").await;
    let expired = "Your password expired. Please access GitLab from a web browser to update your password.";
    assert_refused(&story.pull().await, 401, expired);
    let identity = "insert into identities (user_id, provider, extern_uid) values";
    story.given.sql(&format!("{identity} ({}, 'ldapmain', 'uid=rubi')", story.rubi)).await;
    assert_allowed(&story.pull().await);
}

#[sqlx::test]
async fn bots_that_work_for_people_use_git_and_those_of_the_installation_do_not(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.developer("rubi").await;
    for user_type in [0, 4, 6, 8, 13] {
        story.given.user_is(story.rubi, &format!("user_type = {user_type}")).await;
        assert_allowed(&story.pull().await);
    }
    for user_type in [1, 2, 3, 5, 7, 9, 10, 11, 15, 16, 17] {
        story.given.user_is(story.rubi, &format!("user_type = {user_type}")).await;
        assert_refused(&story.pull().await, 401, "This action cannot be performed by internal users");
    }
}

#[sqlx::test]
async fn terms_and_addresses_are_asked_for_where_the_settings_say_so(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.developer("rubi").await;
    story.given.setting("enforce_terms = true, email_confirmation_setting = 2").await;
    let terms = "You (@rubi) must accept the Terms of Service in order to perform this action. \
                 To accept these terms, please access GitLab from a web browser at http://localhost.";
    assert_refused(&story.pull().await, 401, terms);
    story.given.user_is(story.rubi, "accepted_term_id = 1, confirmed_at = null").await;
    let unconfirmed = "Your primary email address is not confirmed. Please check your inbox for the confirmation \
                       instructions. In case the link is expired, you can request a new confirmation email at \
                       http://localhost/users/confirmation/new";
    assert_refused(&story.pull().await, 401, unconfirmed);
    story.given.user_is(story.rubi, "confirmed_at = now(), locked_at = now()").await;
    assert_refused(&story.pull().await, 401, BLOCKED);
}

/// allowed-31, allowed-32
#[sqlx::test]
async fn a_key_warns_of_its_end_and_then_is_refused(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.developer("rubi").await;
    let expires = async |days: i64| {
        let at = story.given.now + chrono::TimeDelta::days(days);
        story.given.key_is(story.key, &format!("expires_at = '{at}'")).await;
        story.pull().await
    };
    assert_eq!(expires(8).await.json()["gl_console_messages"], serde_json::json!([]));
    let warned = expires(2).await;
    assert_allowed(&warned);
    let warning = "INFO: Your SSH key expires soon. Please generate a new key.";
    assert_eq!(warned.json()["gl_console_messages"], serde_json::json!([warning]));
    assert_refused(&expires(-1).await, 401, "Your SSH key has expired.");
}

/// allowed-35
#[sqlx::test]
async fn a_key_for_signing_alone_is_nobodys(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.developer("rubi").await;
    story.given.key_is(story.key, "usage_type = 2").await;
    assert_refused(&story.pull().await, 404, NO_PROJECT);
    story.given.key_is(story.key, "usage_type = 1").await;
    assert_allowed(&story.pull().await);
}

#[sqlx::test]
async fn a_key_whose_user_is_gone_is_nobodys(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.public().await;
    story.given.key_is(story.key, "user_id = null").await;
    let reply = story.pull().await;
    assert_allowed(&reply);
    assert_eq!(reply.json()["gl_id"], "");
    assert_refused(&story.push().await, 401, NO_UPLOAD);
}

/// allowed-37, allowed-38
#[sqlx::test]
async fn a_deploy_key_that_is_not_enabled_is_a_visitor(pool: PgPool) {
    let story = Story::begins(pool).await;
    let key = story.given.deploy_key(Some(story.rubi), "builder").await;
    // Its creator's own rights are not the key's.
    let project = story.given.project("g/p").await.maintainer("rubi").await;
    assert_refused(&story.key_pulls(key).await, 404, NO_PROJECT);
    let project = project.internal().await;
    assert_refused(&story.key_pulls(key).await, 404, NO_PROJECT);
    project.public().await;
    assert_allowed(&story.key_pulls(key).await);
    assert_refused(&story.key_pushes(key).await, 401, READ_ONLY_KEY);
}

/// allowed-39
#[sqlx::test]
async fn a_deploy_key_pushes_where_it_may(pool: PgPool) {
    let story = Story::begins(pool).await;
    let reader = story.given.deploy_key(Some(story.rubi), "reader").await;
    let writer = story.given.deploy_key(Some(story.rubi), "writer").await;
    story.given.project("g/p").await.deploys(reader, false).await.deploys(writer, true).await;
    story.given.project("g/other").await.deploys(reader, true).await;
    assert_refused(&story.key_pushes(reader).await, 401, READ_ONLY_KEY);
    let reply = story.key_pushes(writer).await;
    assert_allowed(&reply);
    let json = reply.json();
    assert_eq!(json["gl_id"], format!("user-{}", story.rubi));
    assert_eq!(json["gl_username"], "rubi");
    assert_eq!(json["gl_key_type"], "deploy_key");
    assert_eq!(json["gl_key_id"], writer.0);
}

/// allowed-40
#[sqlx::test]
async fn a_deploy_key_pulls_from_members_repositories_but_not_from_disabled_ones(pool: PgPool) {
    let story = Story::begins(pool).await;
    let key = story.given.deploy_key(Some(story.rubi), "builder").await;
    let project = story.given.project("g/p").await.deploys(key, false).await;
    let project = project.features("repository_access_level = 10").await;
    assert_allowed(&story.key_pulls(key).await);
    project.features("repository_access_level = 0").await;
    assert_refused(&story.key_pulls(key).await, 401, NO_DOWNLOAD);
}

#[sqlx::test]
async fn a_deploy_key_whose_creator_is_gone_or_blocked_goes_on_working(pool: PgPool) {
    let story = Story::begins(pool).await;
    let orphan = story.given.deploy_key(None, "orphan").await;
    let of_blocked = story.given.deploy_key(Some(story.rubi), "blocked").await;
    story.given.user_is(story.rubi, "state = 'blocked'").await;
    story.given.project("g/p").await.deploys(orphan, true).await.deploys(of_blocked, true).await;
    assert_allowed(&story.key_pushes(of_blocked).await);
    let reply = story.key_pushes(orphan).await;
    assert_allowed(&reply);
    assert_eq!(reply.json()["gl_id"], "", "there is no ghost user yet");
    let ghost = story.given.user("ghost").await;
    story.given.user_is(ghost, "user_type = 5").await;
    let json = story.key_pushes(orphan).await.json();
    assert_eq!((&json["gl_id"], &json["gl_username"]), (&format!("user-{ghost}").into(), &"ghost".into()));
}

#[sqlx::test]
async fn a_user_may_be_named_in_any_of_the_ways(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.reporter("rubi").await;
    let identity = "insert into identities (user_id, provider, extern_uid) values";
    story.given.sql(&format!("{identity} ({}, 'kerberos', 'rubi@EXAMPLE.COM')", story.rubi)).await;
    let (id, key) = (story.rubi.to_string(), story.key.to_string());
    let (by_user, by_key) = (format!("user-{id}"), format!("key-{key}"));
    let ways = [
        ("key_id", key.as_str()),
        ("user_id", &id),
        ("username", "rubi"),
        ("username", "RUBI"),
        ("identifier", &by_user),
        ("identifier", &by_key),
        ("krb5principal", "rubi@EXAMPLE.COM"),
    ];
    for (name, value) in ways {
        let reply = story.ask("git-upload-pack", "g/p.git", &[(name, value)]).await;
        assert_allowed(&reply);
        let json = reply.json();
        assert_eq!((&json["gl_id"], &json["gl_username"]), (&by_user.as_str().into(), &"rubi".into()), "{name}");
        let by_key = name == "key_id" || value.starts_with("key-");
        assert_eq!(json.get("gl_key_id").is_some(), by_key, "{name}");
    }
    // The first that is there decides, also when it names nobody.
    for first in ["krb5principal", "key_id", "user_id", "identifier"] {
        let reply = story.ask("git-upload-pack", "g/p.git", &[(first, "nobody-0"), ("username", "rubi")]).await;
        assert_refused(&reply, 404, NO_PROJECT);
    }
}

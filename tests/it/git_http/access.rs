//! The rules of `/allowed`, read for HTTP.

use sqlx::PgPool;

use super::{ACCESS_DENIED, Forge, NO_PROJECT, assert_allowed, assert_challenged, assert_refused};
use crate::support::TestGitaly;

/// http-49, http-50, http-51
#[sqlx::test]
async fn roles_decide_as_over_ssh(pool: PgPool) {
    let forge = Forge::begins(pool).await;
    let fetch = async |name: &str| forge.fetch("g/p", Some((name, &format!("T-{name}")))).await;
    assert_refused(&fetch("out").await, 404, NO_PROJECT);
    assert_refused(&fetch("guest").await, 403, "You are not allowed to download code from this project.");
    assert_allowed(&fetch("rep").await);
    let push = forge.push("g/p", Some(("rep", "T-rep"))).await;
    assert_refused(&push, 403, "You are not allowed to push code to this project.");
    let dev = Some(("dev", "T-dev"));
    assert_refused(&forge.fetch("nope/nix", dev).await, 404, NO_PROJECT);
    assert_refused(&forge.fetch("justname", dev).await, 404, "The namespace you were looking for could not be found.");
}

/// http-52, http-53
#[sqlx::test]
async fn what_is_missing_or_archived_is_said(pool: PgPool) {
    let forge = Forge::begins(pool).await;
    let dev = Some(("dev", "T-dev"));
    let wiki = forge.fetch("g/p.wiki", dev).await;
    assert_refused(&wiki, 404, "A repository for this wiki does not exist yet.");
    forge.private.clone().is("archived = true").await;
    assert_allowed(&forge.fetch("g/p", dev).await);
    assert_refused(&forge.push("g/p", dev).await, 403, "You can't push code to an archived project.");
    forge.private.clone().without_repository().await;
    assert_refused(&forge.fetch("g/p", dev).await, 404, "A repository for this project does not exist yet.");
}

/// http-55
#[sqlx::test]
async fn a_push_makes_a_project_and_says_why_it_cannot(pool: PgPool) {
    let gitaly = TestGitaly::start();
    let forge = Forge::with(pool, &gitaly.settings()).await;
    let dev = Some(("dev", "T-dev"));
    let said = assert_allowed(&forge.push("dev/fresh", dev).await);
    let path = said["Repository"]["relative_path"].as_str().unwrap();
    assert!(gitaly.storage().join(path).is_dir(), "the repository is on its storage");
    assert_eq!(assert_allowed(&forge.ask("POST", "/dev/fresh.git/git-receive-pack", dev).await), said);
    let message: String = forge.given.value("select message from post_push_messages where kind = 'created'").await;
    assert!(message.contains("git remote add origin http://localhost/dev/fresh.git\n"), "{message}");

    let reply = forge.push("dev/cannot_end_with_dot.", dev).await;
    assert_eq!(reply.status, 422, "{}", reply.line());
    assert!(reply.text.starts_with("Could not create project"), "{}", reply.text);
    assert_refused(&forge.push("g/not-mine/x", dev).await, 404, NO_PROJECT);
    assert_refused(&forge.fetch("dev/absent", dev).await, 404, NO_PROJECT);
    // Only users with the ability make any.
    forge.token(forge.dev, "T-reads", "read_repository").await;
    let reads = forge.push("dev/another", Some(("dev", "T-reads"))).await;
    assert_refused(&reads, 403, "You are not allowed to upload code.");
    assert_eq!(forge.given.value::<i64>("select count(*) from projects where path = 'another'").await, 0);
}

/// http-56
#[sqlx::test]
async fn a_moved_project_is_served_and_its_new_url_told(pool: PgPool) {
    let forge = Forge::begins(pool).await;
    forge.private.clone().moved_from("old/p").await;
    let dev = Some(("dev", "T-dev"));
    assert_allowed(&forge.fetch("old/p", dev).await);
    assert_allowed(&forge.push("old/p", dev).await);
    let message: String = forge.given.value("select message from post_push_messages where kind = 'moved'").await;
    assert_eq!(
        message,
        "Project 'old/p' was moved to 'g/p'.\n\nPlease update your Git remote:\n\n  \
         git remote set-url origin http://localhost/g/p.git\n"
    );
}

/// http-57
#[sqlx::test]
async fn a_request_without_a_service_is_refused(pool: PgPool) {
    let forge = Forge::begins(pool).await;
    let dev = Some(("dev", "T-dev"));
    for query in ["", "?service=git-implode-pack"] {
        let path = format!("/g/open.git/info/refs{query}");
        let reply = forge.ask("GET", &path, dev).await;
        assert_refused(&reply, 403, "The command you're trying to execute is not allowed.");
        assert_challenged(&forge.ask("GET", &path, None).await);
    }
    let design = forge.fetch("g/p.design", dev).await;
    assert_refused(&design, 403, "Designs are only accessible using the web interface");
}

/// http-58
#[sqlx::test]
async fn git_over_http_may_be_closed(pool: PgPool) {
    let forge = Forge::begins(pool.clone()).await;
    let dev = Some(("dev", "T-dev"));
    forge.given.setting("maintenance_mode = true").await;
    let push = forge.push("g/p", dev).await;
    let closed = "Git push is not allowed because this GitLab instance is currently in (read-only) maintenance mode.";
    assert_refused(&push, 403, closed);
    assert_allowed(&forge.fetch("g/p", dev).await);
    forge.given.setting("maintenance_mode = false, enabled_git_access_protocol = 'ssh'").await;
    assert_refused(&forge.fetch("g/p", dev).await, 403, "Git access over HTTP is not allowed");
    assert_refused(&forge.fetch("g/open", None).await, 401, ACCESS_DENIED);
    forge.given.setting("enabled_git_access_protocol = null").await;
    let of_group =
        format!("update namespace_settings set enabled_git_access_protocol = 1 where namespace_id = {}", forge.group);
    forge.given.sql(&of_group).await;
    assert_refused(&forge.fetch("g/open", None).await, 403, "Git access over HTTP is not allowed");
    forge.given.sql("update namespace_settings set enabled_git_access_protocol = 0").await;
    let settings = "gitlab_shell: {upload_pack: false, receive_pack: false}";
    let forge = Forge { app: crate::support::TestApp::with(pool, settings), ..forge };
    assert_refused(&forge.fetch("g/p", dev).await, 403, "Pulling over HTTP is not allowed.");
    assert_refused(&forge.push("g/p", dev).await, 403, "Pushing over HTTP is not allowed.");
}

/// http-59
#[sqlx::test]
async fn an_allow_list_looks_at_the_client_and_not_at_workhorse(pool: PgPool) {
    let forge = Forge::begins(pool).await;
    let list = format!("insert into ip_restrictions (group_id, range) values ({}, '203.0.113.0/24')", forge.group);
    forge.given.sql(&list).await;
    let id = forge.deploy_token("D1", Some(&forge.private)).await;
    let name = format!("gitlab+deploy-token-{id}");
    let fetch = "/g/p.git/info/refs?service=git-upload-pack";
    for login in [("dev", "T-dev"), (name.as_str(), "D1")] {
        assert_allowed(&forge.ask_from("203.0.113.9", "GET", fetch, Some(login)).await);
        assert_refused(&forge.ask_from("198.51.100.7", "GET", fetch, Some(login)).await, 404, NO_PROJECT);
    }
}

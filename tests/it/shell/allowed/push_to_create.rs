//! A push to a path without a project.

use sqlx::PgPool;

use super::{NO_PROJECT, Story, assert_allowed, assert_refused};
use crate::support::TestGitaly;
use crate::support::unchanged::everything;

async fn begins(pool: PgPool) -> (Story, TestGitaly) {
    let gitaly = TestGitaly::start();
    let story = Story::with(pool, &gitaly.settings()).await;
    (story, gitaly)
}

/// allowed-44
#[sqlx::test]
async fn a_push_into_the_own_namespace_makes_a_private_project(pool: PgPool) {
    let (story, gitaly) = begins(pool).await;
    let reply = story.asks("git-receive-pack", "rubi/fresh.git").await;
    assert_allowed(&reply);
    let json = reply.json();
    let id = json["gl_project_id"].as_i64().unwrap();
    assert_eq!(json["gl_repository"], format!("project-{id}"));
    assert_eq!(json["gl_project_path"], "rubi/fresh");
    let path = json["gitaly"]["repository"]["relative_path"].as_str().unwrap();
    assert!(gitaly.storage().join(path).is_dir(), "the repository is on its storage");
    assert_eq!(story.given.value::<i32>("select visibility_level from projects").await, 0);
    let message: String = story.given.value("select message from post_push_messages where kind = 'created'").await;
    assert_eq!(
        message,
        "\nThe private project rubi/fresh was successfully created.\n\nTo configure the remote, run:\n  \
         git remote add origin git@localhost:rubi/fresh.git\n\nTo view the project, visit:\n  http://localhost/rubi/fresh\n\n"
    );
    // The owner finds it again, and only the first push made it.
    assert_allowed(&story.asks("git-receive-pack", "rubi/fresh.git").await);
    assert_allowed(&story.pull_path("rubi/fresh").await);
    assert_eq!(story.given.value::<i64>("select count(*) from projects").await, 1);
    assert_eq!(story.given.value::<i32>("select access_level from project_authorizations").await, 50);
}

#[sqlx::test]
async fn a_push_over_http_is_told_the_clone_url_that_the_instance_states(pool: PgPool) {
    let (story, _gitaly) = begins(pool).await;
    story.given.setting("custom_http_clone_url_root = 'https://clone.example.com/git/'").await;
    let key = story.key.to_string();
    let more = [("key_id", key.as_str()), ("protocol", "http")];
    assert_allowed(&story.ask("git-receive-pack", "rubi/fresh.git", &more).await);
    let message: String = story.given.value("select message from post_push_messages where kind = 'created'").await;
    assert!(message.contains("git remote add origin https://clone.example.com/git/rubi/fresh.git\n"), "{message}");
    assert!(message.contains("visit:\n  http://localhost/rubi/fresh\n"), "{message}");

    story.given.sql("update routes set path = 'rubi/newer' where path = 'rubi/fresh'").await;
    let redirect =
        "insert into redirect_routes (source_id, source_type, path) select id, 'Project', 'rubi/fresh' from projects";
    story.given.sql(redirect).await;
    assert_allowed(&story.ask("git-upload-pack", "rubi/fresh.git", &more).await);
    let message: String = story.given.value("select message from post_push_messages where kind = 'moved'").await;
    assert!(message.ends_with("origin https://clone.example.com/git/rubi/newer.git\n"), "{message}");
    let body = serde_json::json!({ "operation": "download", "project": "rubi/newer", "key_id": key });
    let lfs = story.app.post("/lfs_authenticate", body).await.json();
    assert_eq!(lfs["repository_http_path"], "https://clone.example.com/git/rubi/newer.git");
}

/// allowed-45
#[sqlx::test]
async fn a_name_that_no_project_can_have_is_told(pool: PgPool) {
    let (story, gitaly) = begins(pool).await;
    for name in ["cannot_end_with_dot.", "new", "New", "wikis", "a b"] {
        let reply = story.asks("git-receive-pack", &format!("rubi/{name}.git")).await;
        assert_eq!(reply.status, 422, "{name}");
        assert!(reply.message().starts_with("Could not create project: Path "), "{}", reply.text);
    }
    assert_eq!(story.given.value::<i64>("select count(*) from projects").await, 0);
    assert_eq!(gitaly.methods(), Vec::<&str>::new());
}

/// allowed-46, allowed-47
#[sqlx::test]
async fn nothing_is_made_where_the_user_may_not_or_does_not_push(pool: PgPool) {
    let (story, gitaly) = begins(pool).await;
    story.given.group("othergroup").await;
    story.given.user("dana").await;
    assert_refused(&story.asks("git-receive-pack", "othergroup/fresh.git").await, 404, NO_PROJECT);
    assert_refused(&story.asks("git-receive-pack", "dana/fresh.git").await, 404, NO_PROJECT);
    assert_refused(&story.asks("git-receive-pack", "nowhere/fresh.git").await, 404, NO_PROJECT);
    assert_refused(&story.pull_path("rubi/fresh.git").await, 404, NO_PROJECT);
    assert_eq!(story.asks("git-receive-pack", "snippets/x.git").await.status, 404);
    assert_eq!(story.asks("git-receive-pack", "rubi/snippets/x.git").await.status, 404);
    let deploy_key = story.given.deploy_key(Some(story.rubi), "builder").await;
    let key = deploy_key.to_string();
    assert_eq!(story.ask("git-receive-pack", "rubi/fresh.git", &[("key_id", &key)]).await.status, 404);
    story.given.user_is(story.rubi, "projects_limit = 0").await;
    assert_refused(&story.asks("git-receive-pack", "rubi/fresh.git").await, 404, NO_PROJECT);
    assert_eq!(story.given.value::<i64>("select count(*) from projects").await, 0);
    assert_eq!(gitaly.methods(), Vec::<&str>::new());
}

#[sqlx::test]
async fn a_group_lets_its_developers_make_projects(pool: PgPool) {
    let (story, _gitaly) = begins(pool).await;
    let group = story.given.group("acme/platform").await;
    let member = format!(
        "insert into members (type, source_type, source_id, member_namespace_id, user_id, access_level)
         select 'GroupMember', 'Namespace', id, id, {}, 30 from namespaces where path = 'acme'",
        story.rubi
    );
    story.given.sql(&member).await;
    assert_allowed(&story.asks("git-receive-pack", "acme/platform/fresh").await);
    assert_eq!(story.given.value::<i32>("select access_level from project_authorizations").await, 30);
    story.given.sql(&format!("update namespaces set project_creation_level = 1 where id = {group}")).await;
    assert_refused(&story.asks("git-receive-pack", "acme/platform/other").await, 404, NO_PROJECT);
}

#[sqlx::test]
async fn a_gitaly_that_is_down_leaves_nothing_behind(pool: PgPool) {
    let (story, mut gitaly) = begins(pool).await;
    gitaly.stop();
    let before = everything(&story.app.pool, gitaly.storage()).await;
    // No 5xx: gitlab-shell would try again and then show none of it.
    let sentence = "Could not create project: The git server, Gitaly, is not available at this time. \
                    Please contact your administrator.";
    assert_refused(&story.asks("git-receive-pack", "rubi/fresh.git").await, 422, sentence);
    assert_eq!(everything(&story.app.pool, gitaly.storage()).await, before);
    assert_eq!(story.given.value::<i64>("select count(*) from projects").await, 0);
    gitaly.restart();
    assert_allowed(&story.asks("git-receive-pack", "rubi/fresh.git").await);
}

#[sqlx::test]
async fn of_many_pushes_at_once_one_makes_the_project(pool: PgPool) {
    let (story, gitaly) = begins(pool).await;
    let body = serde_json::json!({
        "action": "git-receive-pack", "project": "rubi/fresh.git", "changes": "_any", "protocol": "ssh",
        "key_id": story.key.to_string(),
    });
    let replies = futures_util::future::join_all((0..16).map(|_| story.app.post("/allowed", body.clone()))).await;
    for reply in &replies {
        assert_allowed(reply);
        assert_eq!(reply.json()["gl_project_id"], replies[0].json()["gl_project_id"]);
    }
    assert_eq!(story.given.value::<i64>("select count(*) from projects").await, 1);
    assert_eq!(gitaly.count("CreateRepository"), 1);
}

#[sqlx::test]
async fn twenty_pushes_at_once_make_no_more_projects_than_their_user_may_have(pool: PgPool) {
    let (story, gitaly) = begins(pool).await;
    story.given.user_is(story.rubi, "projects_limit = 2").await;
    let body = |number: usize| {
        serde_json::json!({
            "action": "git-receive-pack", "project": format!("rubi/p{number}.git"), "changes": "_any",
            "protocol": "ssh", "key_id": story.key.to_string(),
        })
    };
    let replies = futures_util::future::join_all((0..20).map(|number| story.app.post("/allowed", body(number)))).await;
    let made = replies.iter().filter(|reply| reply.status == 200).count();
    assert_eq!((made, story.given.value::<i64>("select count(*) from projects").await), (2, 2));
    for reply in replies.iter().filter(|reply| reply.status != 200) {
        assert_refused(reply, 404, NO_PROJECT);
    }
    assert_eq!(gitaly.count("CreateRepository"), 2, "whoever is one too many makes no repository");
}

/// Parameters beside the usual ones.
type Asked = Vec<(&'static str, String)>;

/// Whatever would refuse a push to the project refuses to make it, and nothing is made on the way.
#[sqlx::test]
async fn who_would_not_be_let_in_makes_nothing(pool: PgPool) {
    let (story, gitaly) = begins(pool).await;
    let group = story.given.group("acme").await;
    story.given.group("acme/platform").await;
    let member = format!(
        "insert into members (type, source_type, source_id, member_namespace_id, user_id, access_level)
         values ('GroupMember', 'Namespace', {group}, {group}, {}, 40)",
        story.rubi
    );
    story.given.sql(&member).await;
    let key = story.key.to_string();
    let with_key = |more: &[(&'static str, &'static str)]| {
        more.iter().map(|(name, value)| (*name, (*value).to_owned())).chain([("key_id", key.clone())]).collect()
    };
    let other_namespace = "You are not allowed to access projects in this namespace.";
    let restrict = format!("insert into ip_restrictions (group_id, range) values ({group}, '10.0.0.0/8')");
    let settings = |assignment: &str, namespace: &str| {
        format!(
            "update namespace_settings set {assignment} where namespace_id = (select source_id from routes where path = '{namespace}')"
        )
    };
    let certified = vec![("username", "rubi".to_owned()), ("namespace_path", "other".to_owned())];
    let cases: [(String, Asked, String, u16, &str); 7] = [
        (
            restrict.clone(),
            with_key(&[("check_ip", "192.0.2.1")]),
            "delete from ip_restrictions".to_owned(),
            404,
            NO_PROJECT,
        ),
        (restrict, with_key(&[("check_ip", "nonsense")]), "delete from ip_restrictions".to_owned(), 404, NO_PROJECT),
        (String::new(), certified, String::new(), 401, other_namespace),
        (
            settings("enforce_ssh_certificates = true", "acme"),
            with_key(&[]),
            settings("enforce_ssh_certificates = false", "acme"),
            401,
            other_namespace,
        ),
        (
            settings("archived = true", "acme"),
            with_key(&[]),
            settings("archived = false", "acme"),
            401,
            "You can't push code to an archived project.",
        ),
        (
            settings("archived = true", "acme/platform"),
            with_key(&[]),
            settings("archived = false", "acme/platform"),
            401,
            "You can't push code to an archived project.",
        ),
        (
            settings("enabled_git_access_protocol = 2", "acme"),
            with_key(&[]),
            settings("enabled_git_access_protocol = 0", "acme"),
            401,
            "Git access over SSH is not allowed",
        ),
    ];
    for (given, more, then, status, message) in cases {
        story.given.sql(&given).await;
        let before = everything(&story.app.pool, gitaly.storage()).await;
        let mut body = serde_json::json!({
            "action": "git-receive-pack", "project": "acme/platform/fresh.git", "changes": "_any", "protocol": "ssh",
        });
        for (name, value) in more {
            body[name] = value.into();
        }
        assert_refused(&story.app.post("/allowed", body).await, status, message);
        assert_eq!(everything(&story.app.pool, gitaly.storage()).await, before, "{message}");
        story.given.sql(&then).await;
    }
    assert_eq!(gitaly.methods(), Vec::<&str>::new());
    assert_allowed(&story.asks("git-receive-pack", "acme/platform/fresh.git").await);
}

//! Which repository is meant.

use sqlx::PgPool;

use super::{NO_PROJECT, Story, assert_allowed, assert_refused};

const NO_NAMESPACE: &str = "The namespace you were looking for could not be found.";
const NO_SNIPPET: &str = "The snippet you were looking for could not be found.";

/// allowed-13, allowed-47
#[sqlx::test]
async fn a_project_that_does_not_exist_is_not_found_nor_made_by_a_pull(pool: PgPool) {
    let story = Story::begins(pool).await;
    assert_refused(&story.pull_path("project/does-not-exist.git").await, 404, NO_PROJECT);
    assert_refused(&story.pull_path("rubi/new.git").await, 404, NO_PROJECT);
    assert_eq!(story.given.value::<i64>("select count(*) from projects").await, 0);
}

/// allowed-14
#[sqlx::test]
async fn a_path_without_a_namespace_says_so(pool: PgPool) {
    let story = Story::begins(pool).await;
    for path in ["justname", "justname.git", "/var/opt/git data/x.git", "g//p", "api/v4"] {
        assert_refused(&story.pull_path(path).await, 404, NO_NAMESPACE);
    }
}

/// allowed-15
#[sqlx::test]
async fn a_path_may_be_spelt_in_many_ways(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.developer("rubi").await;
    for path in ["/g/p.git", "g/p", "G/P", "/G/p.git", "g/P.git"] {
        let reply = story.pull_path(path).await;
        assert_allowed(&reply);
        assert_eq!(reply.json()["gl_project_path"], "g/p", "{path}");
    }
    assert_eq!(story.given.value::<i64>("select count(*) from post_push_messages").await, 0, "nothing has moved");
}

/// allowed-16
#[sqlx::test]
async fn an_old_path_leads_to_the_project_and_leaves_a_message(pool: PgPool) {
    let story = Story::with(pool, "gitlab: {host: git.example.com}\ngitlab_shell: {ssh_port: 2222}").await;
    let project = story.given.project("g/p").await.developer("rubi").await.with_wiki().await;
    project.clone().moved_from("g/old").await;
    let reply = story.pull_path("g/Old.git").await;
    assert_allowed(&reply);
    assert_eq!(reply.json()["gl_project_path"], "g/p");
    let message: String = story.given.value("select message from post_push_messages where kind = 'moved'").await;
    insta::assert_snapshot!(message, @"
    Project 'g/Old' was moved to 'g/p'.

    Please update your Git remote:

      git remote set-url origin ssh://git@git.example.com:2222/g/p.git
    ");
    let row = format!(
        "select count(*) from post_push_messages where user_id = {} and gl_repository = 'project-{}'
         and expires_at = '{}'",
        story.rubi,
        project.id,
        story.given.now + chrono::TimeDelta::minutes(5)
    );
    assert_eq!(story.given.value::<i64>(&row).await, 1, "one message, for five minutes");

    // Whoever pushed by HTTP goes on by HTTP, and a later message takes the place of the first.
    let key = story.key.to_string();
    let more = [("key_id", key.as_str()), ("protocol", "http")];
    assert_allowed(&story.ask("git-receive-pack", "g/old", &more).await);
    let message: String = story.given.value("select message from post_push_messages").await;
    assert!(message.contains("Project 'g/old' was moved to 'g/p'"), "{message}");
    assert!(message.ends_with("  git remote set-url origin http://git.example.com/g/p.git\n"), "{message}");

    assert_allowed(&story.pull_path("g/old.wiki.git").await);
    let wiki = format!("select message from post_push_messages where gl_repository = 'wiki-{}'", project.id);
    let message: String = story.given.value(&wiki).await;
    assert!(message.starts_with("Wiki 'g/old.wiki' was moved to 'g/p.wiki'."), "{message}");
}

#[sqlx::test]
async fn whoever_may_not_come_in_is_not_told_that_it_has_moved(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.moved_from("g/old").await;
    assert_refused(&story.pull_path("g/old.git").await, 404, NO_PROJECT);
    assert_eq!(story.given.value::<i64>("select count(*) from post_push_messages").await, 0);
}

#[sqlx::test]
async fn a_path_of_today_wins_over_a_path_of_old(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.moved_from("g/old").await;
    story.given.project("g/old").await.developer("rubi").await;
    let reply = story.pull_path("g/old.git").await;
    assert_allowed(&reply);
    assert_eq!(reply.json()["gl_project_path"], "g/old");
}

#[sqlx::test]
async fn a_canonical_name_wins_over_a_path(pool: PgPool) {
    let story = Story::begins(pool).await;
    let project = story.given.project("g/p").await.developer("rubi").await.with_wiki().await;
    let key = story.key.to_string();
    for (name, path) in [("project", "g/p"), ("wiki", "g/p.wiki")] {
        let name = format!("{name}-{}", project.id);
        let more = [("key_id", key.as_str()), ("gl_repository", &name)];
        let reply = story.ask("git-upload-pack", "/var/opt/gitaly data/x.git", &more).await;
        assert_allowed(&reply);
        assert_eq!((&reply.json()["gl_repository"], &reply.json()["gl_project_path"]), (&name.into(), &path.into()));
    }
    for (name, sentence) in [
        ("project-999", NO_NAMESPACE),
        ("wiki-999", "The wiki you were looking for could not be found."),
        ("group-999-wiki", "The wiki you were looking for could not be found."),
        ("snippet-999", NO_SNIPPET),
    ] {
        let reply = story.ask("git-upload-pack", "g/p.git", &[("key_id", &key), ("gl_repository", name)]).await;
        assert_refused(&reply, 404, sentence);
    }
}

#[sqlx::test]
async fn a_project_that_is_named_like_a_wiki_is_a_project(pool: PgPool) {
    let story = Story::begins(pool).await;
    let wiki_by_name = story.given.project("g/p.wiki").await.developer("rubi").await;
    story.given.project("g/p").await.developer("rubi").await.with_wiki().await;
    let reply = story.pull_path("g/p.wiki.git").await;
    assert_allowed(&reply);
    assert_eq!(reply.json()["gl_repository"], format!("project-{}", wiki_by_name.id));
    assert_eq!(reply.json()["gl_project_path"], "g/p.wiki");
}

#[sqlx::test]
async fn a_project_that_is_named_like_a_snippet_is_a_project(pool: PgPool) {
    let story = Story::begins(pool).await;
    let project = story.given.project("g/snippets/2024").await.developer("rubi").await;
    let reply = story.pull_path("g/snippets/2024.git").await;
    assert_allowed(&reply);
    assert_eq!(reply.json()["gl_repository"], format!("project-{}", project.id));
}

/// Ruling 21: each feature that a request names has its own level, which holds for strangers, members and authors alike.
#[sqlx::test]
async fn the_level_of_a_feature_holds_for_its_repository(pool: PgPool) {
    let story = Story::begins(pool).await;
    let project = story.given.project("g/p").await.with_wiki().await;
    story.given.sql("update projects set visibility_level = 20").await;
    let dana = story.given.user("dana").await;
    let snippet = story.given.snippet(dana, Some(&project)).await;
    story.given.sql("update snippets set visibility_level = 20").await;
    let features = [
        ("repository", "g/p.git".to_owned(), "You are not allowed to download code from this project."),
        ("wiki", "g/p.wiki.git".to_owned(), "You are not allowed to download files from this wiki."),
        ("snippets", format!("g/p/snippets/{snippet}.git"), "You are not allowed to read this snippet."),
    ];
    let set = async |feature: &str, level: &str| {
        story.given.sql("delete from project_features").await;
        let sql = "insert into project_features (project_id, $_access_level) select id, # from projects";
        story.given.sql(&sql.replace('$', feature).replace('#', level)).await;
    };
    for (feature, path, sentence) in &features {
        for level in ["20", "30"] {
            set(feature, level).await;
            assert_allowed(&story.pull_path(path).await);
        }
        for level in ["10", "0"] {
            set(feature, level).await;
            assert_refused(&story.pull_path(path).await, 401, sentence);
        }
    }
    let project = project.guest("rubi").await;
    for (feature, path, sentence) in &features {
        set(feature, "10").await;
        assert_allowed(&story.pull_path(path).await);
        set(feature, "0").await;
        assert_refused(&story.pull_path(path).await, 401, sentence);
    }
    drop(project);
}

#[sqlx::test]
async fn a_projects_snippet_is_found_below_its_project_alone(pool: PgPool) {
    let story = Story::begins(pool).await;
    let project = story.given.project("g/p").await.reporter("rubi").await.moved_from("g/old").await;
    story.given.project("g/q").await.maintainer("rubi").await;
    let dana = story.given.user("dana").await;
    let snippet = story.given.snippet(dana, Some(&project)).await;
    let personal = story.given.snippet(dana, None).await;
    for path in [format!("g/p/snippets/{snippet}.git"), format!("g/old/snippets/{snippet}.git")] {
        let reply = story.pull_path(&path).await;
        assert_allowed(&reply);
        assert_eq!(reply.json()["gl_repository"], format!("snippet-{snippet}"));
        assert_eq!(reply.json()["gl_project_path"], format!("g/p/snippets/{snippet}"));
    }
    // Somebody's own snippet is no member's of any project, whatever path it is asked for by.
    for path in [
        format!("snippets/{snippet}"),
        format!("g/q/snippets/{snippet}"),
        format!("g/p/snippets/{personal}"),
        format!("g/q/snippets/{personal}"),
    ] {
        for action in ["git-upload-pack", "git-receive-pack"] {
            let reply = story.asks(action, &path).await;
            assert_eq!(reply.status, 404, "{action} {path}: {}", reply.text);
        }
    }
    let reply = story.pull_path(&format!("snippets/{personal}")).await;
    assert_refused(&reply, 401, "You are not allowed to read this snippet.");
}

#[sqlx::test]
async fn the_author_of_a_snippet_reads_and_writes_it(pool: PgPool) {
    let story = Story::begins(pool).await;
    let snippet = story.given.snippet(story.rubi, None).await;
    let reply = story.asks("git-receive-pack", &format!("snippets/{snippet}.git")).await;
    assert_allowed(&reply);
    let json = reply.json();
    assert_eq!(json["gl_project_path"], format!("snippets/{snippet}"));
    assert!(json.get("gl_project_id").is_none() && json.get("gl_root_namespace_id").is_none(), "{json}");
    assert!(json["gitaly"]["repository"]["relative_path"].as_str().unwrap().starts_with("@snippets/"), "{json}");
    let key = story.given.deploy_key(Some(story.rubi), "builder").await;
    let by_deploy_key = [("key_id", &*key.to_string())];
    let reply = story.ask("git-upload-pack", &format!("snippets/{snippet}"), &by_deploy_key).await;
    assert_refused(&reply, 401, "The authentication mechanism is not supported.");
}

/// allowed-53
#[sqlx::test]
async fn designs_are_for_the_web_alone(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.developer("rubi").await;
    let sentence = "Designs are only accessible using the web interface";
    let key = story.key.to_string();
    for action in ["git-upload-pack", "git-receive-pack"] {
        let reply = story.ask(action, "g/p.git", &[("key_id", &key), ("gl_repository", "design-1")]).await;
        assert_refused(&reply, 401, sentence);
    }
    assert_refused(&story.pull_path("g/p.design.git").await, 401, sentence);
    story.given.user_is(story.rubi, "admin = true").await;
    let more = [("key_id", key.as_str()), ("gl_repository", "design-1"), ("protocol", "web")];
    let reply = story.ask("git-upload-pack", "g/p.git", &more).await;
    assert_refused(&reply, 401, "You are not allowed to manage designs of this project");
}

//! `gatehouse access explain`: the rules, the level's paths, the end, and the exit status.

use gatehouse::domain::repository::hashed_path;
use serde_json::json;
use sqlx::PgPool;

use super::{company, company_with, explain, last, object};
use crate::support::git::Author;
use crate::support::{TestApp, TestGitaly};

#[sqlx::test]
async fn a_level_comes_with_every_path_that_gives_it(pool: PgPool) {
    let installation = company(&pool).await;
    let given = TestApp::new(pool).given();
    given.sql("update members set created_at = '2026-03-01'").await;
    let paths = |user: &str| {
        let ran = explain(&installation, &["--user", user, "--action", "pull"]);
        let lines = ran.stdout.lines().skip_while(|line| !line.starts_with("level: "));
        format!("{user}: {} {}", ran.code, lines.collect::<Vec<_>>().join("\n"))
    };
    let told = ["olga", "dana", "rita", "lina", "gone", "stranger", "boss"].map(paths).join("\n\n");
    insta::assert_snapshot!(told, @r"
    olga: 0 level: owner
      owner: owner of `acme` since 2026-03-01

    allowed

    dana: 0 level: developer
      developer: developer of `acme` since 2026-03-01

    allowed

    rita: 0 level: reporter
      reporter: maintainer of `partner` since 2026-03-01; `acme` is shared with `partner`, capped at reporter

    allowed

    lina: 0 level: developer
      developer: owner of `links` since 2026-03-01; `acme/tools/web` is shared with `links`, capped at developer

    allowed

    gone: 0 level: maintainer
      maintainer: maintainer of `acme/tools/web` since 2026-03-01, expires 2030-01-01

    allowed

    stranger: 1 level: no access

    denied by D10: The project you were looking for could not be found or you don't have permission to view it.
    needs reporter; who can give it: olga (owner), gone (maintainer)

    boss: 0 level: no access

    allowed
    ");
}

#[sqlx::test]
async fn a_denial_is_the_last_line_but_one_and_what_would_help_the_last(pool: PgPool) {
    let installation = company(&pool).await;
    let ran = explain(&installation, &["--user", "rita", "--action", "push"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stdout.contains("\ndenied by P5: You are not allowed to push code to this project.\n"), "{ran:?}");
    assert_eq!(last(&ran), "needs developer; who can give it: olga (owner), gone (maintainer)");
    let rules: Vec<&str> = ran.stdout.lines().filter_map(|line| line.split_once('\t').map(|(rule, _)| rule)).collect();
    assert_eq!(rules.last(), Some(&"P5"), "{ran:?}");
    // What it names is given, and the attempt goes on.
    let given = TestApp::new(pool.clone()).given();
    crate::apply::applied(&pool, "projects: [{path: acme/tools/web, members: {rita: developer}}]").await;
    assert_eq!(explain(&installation, &["--user", "rita", "--action", "push"]).code, 0);
    given.sql("update projects set archived = true").await;
    let ran = explain(&installation, &["--user", "rita", "--action", "push"]);
    assert!(ran.code == 1 && last(&ran).starts_with("an owner takes the project"), "{ran:?}");
    assert_eq!(explain(&installation, &["--user", "rita", "--action", "pull"]).code, 0);
}

#[sqlx::test]
async fn a_push_to_a_ref_is_judged_by_who_may_make_it(pool: PgPool) {
    let gitaly = TestGitaly::start();
    let installation = company_with(&pool, &gitaly).await;
    let id: i64 = sqlx::query_scalar("select id from projects where path = 'web'").fetch_one(&pool).await.unwrap();
    let repository = gitaly.repository(&format!("{}.git", hashed_path("@hashed", id)));
    let olga = "olga";
    let base = repository.commit("main", &[("a", "1")], "one");
    let push = |user: &str, name: &str, change: &str| {
        explain(&installation, &["--user", user, "--action", "push", "--ref", name, "--change", change])
    };
    for (user, name, change, code, rule) in [
        ("dana", "main", "update", 1, "R13"),
        ("dana", "topic", "update", 0, ""),
        ("dana", "topic", "force", 0, ""),
        ("dana", "main", "delete", 1, "R2"),
        (olga, "main", "update", 0, ""),
        (olga, "main", "force", 1, "R5"),
        ("dana", "refs/tags/v1", "create", 0, ""),
        ("rita", "topic", "create", 1, "P5"),
    ] {
        let ran = push(user, name, change);
        assert_eq!(ran.code, code, "{user} {name} {change}: {ran:?}");
        assert!(rule.is_empty() || ran.stdout.contains(&format!("denied by {rule}: ")), "{user} {name}: {ran:?}");
    }
    assert_eq!(
        last(&push("dana", "main", "update")),
        "needs maintainer; who can give it: olga (owner), gone (maintainer)"
    );

    // What nobody named has passed no rule.
    let ruled = "insert into push_rules (project_id, commit_message_regex, branch_name_regex) values ($1, 'X', '.')";
    sqlx::query(ruled).bind(id).execute(&pool).await.unwrap();
    let unnamed = push("dana", "topic", "update").stdout;
    assert!(unnamed.contains("branch_name_regex") && !unnamed.contains("commit_message_regex"), "{unnamed}");
    sqlx::query("delete from push_rules").execute(&pool).await.unwrap();

    // Two objects are looked at as a push of them would be.
    let dana = || Author { name: "Dana", email: "dana@example.com" };
    let next = repository.write_commit(dana(), std::slice::from_ref(&base), &[("a", "2")], "two");
    let other = repository.write_commit(dana(), &[], &[("b", "1")], "other");
    assert_eq!(push(olga, "main", &format!("{base}..{next}")).code, 0);
    assert_eq!(push(olga, "main", &format!("{base}..{other}")).code, 1);
    let rewritten = push(olga, "main", &format!("{base}..{other}"));
    assert!(rewritten.stdout.contains("rewrites history: yes"), "{rewritten:?}");
    drop(gitaly);
    let unknown = push(olga, "main", &format!("{base}..{next}"));
    assert!(
        unknown.code == 2 && unknown.stdout.contains("cannot say: the repository could not be asked"),
        "{unknown:?}"
    );
}

#[sqlx::test]
async fn keys_are_named_by_fingerprint_or_id(pool: PgPool) {
    let installation = company(&pool).await;
    let id: i64 = sqlx::query_scalar("select id from keys").fetch_one(&pool).await.unwrap();
    let print = "SHA256:";
    let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICjfNdcL0RdkcBY5dtdZOxkqS3T36GUQuW5B1sdZk+SP";
    let fingerprint = gatehouse::domain::ssh_key::PublicKey::parse(line).unwrap().fingerprint();
    assert!(fingerprint.starts_with(print));
    for key in [&fingerprint, &id.to_string()] {
        let ran = explain(&installation, &["--deploy-key", key, "--action", "push"]);
        assert_eq!(ran.code, 0, "{key}: {ran:?}");
        let wrong = explain(&installation, &["--key", key, "--action", "push"]);
        assert!(wrong.code == 2 && wrong.stderr.contains("it is a deploy key"), "{wrong:?}");
    }
    for (arguments, words) in [
        (["--user", "nobody", "--action", "pull"], "there is no such user"),
        (["--key", "99", "--action", "pull"], "there is no such key"),
        (["--key", "SHA256:short", "--action", "pull"], "neither an id nor a fingerprint"),
        (["--key", &format!("SHA256:{}", "A".repeat(43)), "--action", "pull"], "no key that may authenticate"),
    ] {
        let ran = explain(&installation, &arguments);
        assert!(ran.code == 2 && ran.stderr.contains(words), "{arguments:?}: {ran:?}");
    }
}

#[sqlx::test]
async fn an_address_and_a_protocol_are_part_of_the_question(pool: PgPool) {
    let installation = company(&pool).await;
    crate::apply::applied(&pool, "groups: [{path: acme, ip_allowlist: [10.0.0.0/8]}]").await;
    let from = |more: &[&str]| explain(&installation, &[&["--user", "dana", "--action", "pull"], more].concat());
    assert_eq!(from(&[]).code, 0);
    assert_eq!(from(&["--ip", "10.1.2.3"]).code, 0);
    let outside = from(&["--ip", "192.0.2.1"]);
    assert!(outside.code == 1 && outside.stdout.contains("denied by D10"), "{outside:?}");
    assert!(outside.stdout.contains("address: 192.0.2.1; addresses let in: 10.0.0.0/8"), "{outside:?}");
    assert!(last(&outside).starts_with("come from an address that the top-level group lets in"), "{outside:?}");
    TestApp::new(pool).given().setting("enabled_git_access_protocol = 'http'").await;
    assert_eq!(from(&[]).code, 1);
    assert_eq!(from(&["--protocol", "http"]).code, 0);
}

#[sqlx::test]
async fn what_is_kept_and_not_given_is_told_as_a_fault(pool: PgPool) {
    let installation = company(&pool).await;
    let given = TestApp::new(pool).given();
    given
        .sql(
            "update project_authorizations set access_level = 40
             where user_id = (select id from users where username = 'dana')",
        )
        .await;
    let ran = explain(&installation, &["--user", "dana", "--action", "push"]);
    let fault = "A FAULT: memberships and shares give developer, but project_authorizations has maintainer";
    assert!(ran.stdout.contains(fault), "{ran:?}");
    let told = object(&explain(&installation, &["--user", "dana", "--action", "push", "--json"]));
    assert_eq!(told["level"]["fault"], json!(true));
    assert_eq!((&told["outcome"], &told["user"]["username"]), (&json!("allowed"), &json!("dana")));
    assert_eq!(told["project"]["full_path"], json!("acme/tools/web"));
    assert_eq!(told["rules"].as_array().unwrap().last().unwrap()["rule"], json!("P5"));
}

#[sqlx::test]
async fn a_push_that_would_make_a_project_is_told_and_makes_nothing(pool: PgPool) {
    let installation = company(&pool).await;
    let asks = |user: &str, path: &str| {
        installation.run(&["access", "explain", "--user", user, "--action", "push", "--project", path])
    };
    let made = asks("olga", "acme/site");
    assert!(made.code == 0 && last(&made) == "allowed: the push makes the project", "{made:?}");
    let reserved = asks("olga", "acme/new");
    assert!(
        reserved.code == 1 && last(&reserved).starts_with("impossible: Could not create project: Path"),
        "{reserved:?}"
    );
    let refused = asks("stranger", "acme/site");
    assert!(refused.code == 1 && refused.stdout.contains("denied by D9b"), "{refused:?}");
    let projects: i64 = sqlx::query_scalar("select count(*) from projects").fetch_one(&pool).await.unwrap();
    assert_eq!(projects, 1);
    sqlx::query("delete from project_repositories").execute(&pool).await.unwrap();
    let missing = asks("dana", "acme/tools/web");
    assert!(missing.code == 0 && last(&missing) == "allowed: the push makes the repository", "{missing:?}");
}

/// The row of an expired membership is gone within a minute; why somebody was let in before is asked later.
#[sqlx::test]
async fn a_membership_that_ended_is_remembered(pool: PgPool) {
    let installation = company(&pool).await;
    let given = TestApp::new(pool.clone()).given();
    given.sql("update members set expires_at = '2026-01-31' where expires_at is not null").await;
    let ran = explain(&installation, &["--user", "gone", "--action", "push"]);
    assert!(ran.stdout.contains("nothing: maintainer of `acme/tools/web`"), "{ran:?}");
    assert!(ran.stdout.contains("; expired on 2026-01-31"), "{ran:?}");
    let db = pool.into();
    let today = chrono::Utc::now().date_naive();
    gatehouse::services::expire_memberships::expire_memberships(&db, today).await.unwrap();
    let ran = explain(&installation, &["--user", "gone", "--action", "push"]);
    assert_eq!(ran.code, 1);
    let was = "  was: `acme/tools/web`: Membership as maintainer expired on 2026-01-31\n";
    assert!(ran.stdout.contains(was), "{ran:?}");
}

#[sqlx::test]
async fn bad_questions_are_refused_before_anything_is_asked(pool: PgPool) {
    let installation = company(&pool).await;
    for arguments in [
        &["--action", "pull"][..],
        &["--user", "a", "--key", "1", "--action", "pull"],
        &["--user", "dana", "--action", "clone"],
        &["--user", "dana", "--action", "push", "--change", "force"],
        &["--user", "dana", "--action", "push", "--ref", "main", "--change", "sideways"],
        &["--user", "dana", "--action", "push", "--ref", "a b"],
        &["--user", "dana", "--action", "pull", "--ref", "main"],
        &["--user", "dana", "--action", "pull", "--ip", "nowhere"],
        &["--user", "dana", "--action", "pull", "--protocol", "carrier"],
    ] {
        let ran = explain(&installation, arguments);
        assert!(ran.code == 2 && ran.stdout.is_empty() && !ran.stderr.is_empty(), "{arguments:?}: {ran:?}");
    }
    let nul = explain(&installation, &["--user", "da\u{fffd}na", "--action", "pull"]);
    assert_eq!(nul.code, 2, "{nul:?}");
}

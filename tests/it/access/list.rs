//! `gatehouse access list`: everybody and everything with its reasons, and what has changed since.

use std::fs;

use serde_json::Value;
use sqlx::PgPool;

use super::company;
use crate::apply::applied;
use crate::support::TestApp;

#[sqlx::test]
async fn a_project_lists_everybody_with_level_and_reasons(pool: PgPool) {
    let installation = company(&pool).await;
    let given = TestApp::new(pool.clone()).given();
    given.sql("update members set created_at = '2026-03-01'").await;
    given.sql("update deploy_keys_projects set created_at = '2026-03-01'").await;
    given.sql("update projects set visibility_level = 10").await;
    let ran = installation.run(&["access", "list", "--project", "ACME/tools/web"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    insta::assert_snapshot!(ran.stdout.replace('\t', "  "), @r"
    everybody  every user who is not external    acme/tools/web  reads what is open  the project is internal
    user  olga  active  acme/tools/web  owner  owner: owner of `acme` since 2026-03-01
    user  dana  active  acme/tools/web  developer  developer: developer of `acme` since 2026-03-01
    user  rita  active  acme/tools/web  reporter  reporter: maintainer of `partner` since 2026-03-01; `acme` is shared with `partner`, capped at reporter
    user  lina  active  acme/tools/web  developer  developer: owner of `links` since 2026-03-01; `acme/tools/web` is shared with `links`, capped at developer
    user  gone  active  acme/tools/web  maintainer  maintainer: maintainer of `acme/tools/web` since 2026-03-01, expires 2030-01-01
    user  boss  active  acme/tools/web  administrator  administrators reach everything
    user  looker  active  acme/tools/web  auditor  auditors read everything
    deploy_key  builder    acme/tools/web  writes  enabled since 2026-03-01
    ");
    let lines = installation.run(&["access", "list", "--project", "acme/tools/web", "--json"]);
    let first: Value = serde_json::from_str(lines.stdout.lines().next().unwrap()).unwrap();
    assert_eq!(first["kind"], "everybody");
    let nothing = installation.run(&["access", "list", "--project", "acme/none"]);
    assert!(nothing.code == 1 && nothing.stderr.contains("there is no project acme/none"), "{nothing:?}");
}

#[sqlx::test]
async fn a_user_lists_every_project(pool: PgPool) {
    let installation = company(&pool).await;
    applied(&pool, "projects: [{path: dana/own}, {path: acme/other}]").await;
    let level = |user: &str| {
        let ran = installation.run(&["access", "list", "--user", user]);
        assert_eq!(ran.code, 0, "{ran:?}");
        let short = ran.stdout.lines().map(|line| line.split('\t').skip(3).take(2).collect::<Vec<_>>().join(": "));
        short.collect::<Vec<_>>()
    };
    let mut dana = level("dana");
    dana.sort();
    assert_eq!(dana, ["acme/other: developer", "acme/tools/web: developer", "dana/own: owner"]);
    assert_eq!(level("lina"), ["acme/tools/web: developer"]);
    assert_eq!(level("boss"), ["*: administrator"]);
    assert_eq!(level("looker"), ["*: auditor"]);
    assert!(level("stranger").is_empty());
}

#[sqlx::test]
async fn an_earlier_list_is_compared_with_today(pool: PgPool) {
    let installation = company(&pool).await;
    for shape in ["--csv", "--json"] {
        let earlier = installation.run(&["access", "list", "--project", "acme/tools/web", shape]);
        let file = installation.folder.join(format!("earlier{shape}"));
        fs::write(&file, &earlier.stdout).unwrap();
        let diff = || {
            let file = file.to_str().unwrap();
            installation.run(&["access", "list", "--project", "acme/tools/web", "--diff", file])
        };
        let same = diff();
        assert_eq!((same.code, same.stdout.as_str()), (0, ""), "{shape}: {same:?}");
        let document = "groups: [{path: acme, members: {dana: maintainer, rita: guest, olga: owner}}]";
        applied(&pool, document).await;
        let given = TestApp::new(pool.clone()).given();
        given.sql("delete from project_group_links").await;
        given
            .sql("delete from project_authorizations where user_id = (select id from users where username = 'lina')")
            .await;
        let changed = diff();
        assert_eq!(changed.code, 3);
        let told: Vec<String> =
            changed.stdout.lines().map(|line| line.split('\t').collect::<Vec<_>>()[..5].join(" ")).collect();
        assert_eq!(
            told,
            [
                "changed user dana acme/tools/web developer → maintainer",
                "changed user rita acme/tools/web reporter",
                "removed user lina acme/tools/web developer",
            ],
            "{shape}: {changed:?}"
        );
        // As it was, for the other shape.
        applied(&pool, super::COMPANY).await;
        given.sql("delete from members where user_id = (select id from users where username = 'rita') and access_level = 10").await;
        applied(&pool, super::SHARES).await;
        applied(&pool, "projects: [{path: acme/tools/web, shared_with: {links: developer}}]").await;
    }
    let broken = installation.folder.join("broken");
    fs::write(&broken, "kind,id\n").unwrap();
    let ran = installation.run(&["access", "list", "--user", "dana", "--diff", broken.to_str().unwrap()]);
    assert!(ran.code == 1 && ran.stderr.contains("other columns"), "{ran:?}");
    let missing = installation.run(&["access", "list", "--user", "dana", "--diff", "nowhere"]);
    assert!(missing.code == 1 && missing.stderr.contains("cannot read nowhere"), "{missing:?}");
}

/// What the list computes from memberships and shares is what `apply` keeps, whoever is asked about.
#[sqlx::test]
async fn nothing_differs_from_what_is_kept(pool: PgPool) {
    let installation = company(&pool).await;
    applied(&pool, "projects: [{path: dana/own, shared_with: {partner: owner}}, {path: acme/other}]").await;
    applied(&pool, "groups: [{path: acme/tools, share_with_group_lock: true}]").await;
    for user in ["olga", "dana", "rita", "lina", "gone", "stranger", "boss"] {
        let ran = installation.run(&["access", "list", "--user", user]);
        assert!(ran.code == 0 && !ran.stdout.contains("a fault"), "{ran:?}");
    }
}

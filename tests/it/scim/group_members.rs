//! Members of the provider's groups: the memberships that these give and end in the linked groups.

use std::sync::Arc;

use gatehouse::domain::ids::{NamespaceId, UserId};
use gatehouse::store::derived;
use serde_json::json;
use sqlx::PgPool;
use tokio::task::JoinSet;

use super::groups::{OTHER, UID, group, installation, members};
use crate::support::pushes::{WAITING, Working, until};

#[sqlx::test]
async fn members_come_and_go_in_every_linked_group(pool: PgPool) {
    let scim = installation(pool).await;
    let group = scim.link("gnuwget", "Engineering", 30).await;
    let other = scim.link("other", "Engineering", 20).await;
    scim.given.project("gnuwget/wget2").await;
    scim.tie("Engineering", UID).await;
    let working = Working::on(&scim.app);
    scim.add(UID, "D R").await;
    assert_eq!(scim.levels(group).await, "dana 30, rubi 30");
    assert_eq!(scim.levels(other).await, "dana 20, rubi 20");
    let reaches =
        "select count(*) from project_authorizations join users on users.id = user_id where username = 'dana'";
    assert_eq!(scim.given.value::<i64>(reaches).await, 1);

    let operations = json!([
        {"op": "remove", "path": "members[value eq \"d\"]"},
        {"op": "add", "path": "members", "value": members("S")},
        {"op": "add", "path": "externalId", "value": "whatever"},
    ]);
    assert_eq!(scim.patch_group(UID, operations).await.status, 204);
    assert_eq!(scim.members_of(UID).await, "R S");
    assert_eq!(scim.levels(group).await, "rubi 30, sid 30");
    assert_eq!(scim.levels(other).await, "rubi 20, sid 20");
    assert_eq!(scim.given.value::<i64>(reaches).await, 0, "access goes with the membership");

    let body = json!({"schemas": [], "displayName": "Engineering", "members": members("D S")});
    let reply = scim.send("PUT", &format!("/Groups/{UID}"), body.to_string()).await;
    assert_eq!((reply.status.as_u16(), reply.json().get("members")), (200, None), "{}", reply.text);
    assert_eq!(scim.levels(group).await, "dana 30, sid 30");
    let reply = scim.send("PUT", &format!("/Groups/{UID}?attributes=members"), body.to_string()).await;
    assert_eq!(reply.json()["members"].as_array().unwrap().len(), 2);
    let body = json!({"schemas": [], "displayName": "Engineering"});
    assert_eq!(scim.send("PUT", &format!("/Groups/{UID}"), body.to_string()).await.status, 200);
    assert_eq!(scim.levels(group).await, "");
    working.drain().await;
}

#[sqlx::test]
async fn several_links_give_the_highest_level_that_is_left(pool: PgPool) {
    let scim = installation(pool).await;
    let group = scim.link("gnuwget", "Engineering", 30).await;
    scim.link("gnuwget", "Leads", 40).await;
    scim.tie("Engineering", UID).await;
    scim.tie("Leads", OTHER).await;
    scim.given.sql(&member(group, "rubi", 50)).await;
    scim.given.sql(&member(group, "sid", 50)).await;
    let working = Working::on(&scim.app);
    scim.add(UID, "D R").await;
    scim.add(OTHER, "D").await;
    assert_eq!(scim.levels(group).await, "dana 40, rubi 50, sid 50", "who has more keeps it");
    scim.remove(OTHER, "D").await;
    assert_eq!(scim.levels(group).await, "dana 30, rubi 50, sid 50");
    // Nobody goes whom the provider did not put in.
    scim.remove(UID, "S").await;
    assert_eq!(scim.levels(group).await, "dana 30, rubi 50, sid 50");
    scim.remove(UID, "D R").await;
    assert_eq!(scim.levels(group).await, "sid 50");
    // The last owner stays.
    scim.add(UID, "S").await;
    scim.remove(UID, "S").await;
    assert_eq!(scim.levels(group).await, "sid 50");
    working.drain().await;
}

/// Who comes as the new owner counts before the old one goes; and whoever stayed for want of another goes when one comes.
#[sqlx::test]
async fn ownership_is_handed_over(pool: PgPool) {
    let scim = installation(pool).await;
    let group = scim.link("gnuwget", "Admins", 50).await;
    scim.tie("Admins", UID).await;
    let working = Working::on(&scim.app);
    scim.add(UID, "D").await;
    assert_eq!(scim.levels(group).await, "dana 50");
    let body = json!({"schemas": [], "displayName": "Admins", "members": members("R")}).to_string();
    assert_eq!(scim.send("PUT", &format!("/Groups/{UID}"), body).await.status, 200);
    assert_eq!(scim.levels(group).await, "rubi 50");
    assert_eq!(scim.patch_group(UID, json!([{"op": "remove", "path": "members"}])).await.status, 204);
    assert_eq!(scim.levels(group).await, "rubi 50", "the last owner stays");
    let replace = json!([{"op": "replace", "path": "members", "value": members("S")}]);
    assert_eq!(scim.patch_group(UID, replace).await.status, 204);
    assert_eq!(scim.levels(group).await, "sid 50");
    working.drain().await;
}

/// An owner of the root owns what is below, so that an owner there can go.
#[sqlx::test]
async fn owners_of_a_group_around_count(pool: PgPool) {
    let scim = installation(pool).await;
    let root = scim.given.group("gnuwget").await;
    let sub = scim.link("gnuwget/sub", "Engineering", 30).await;
    scim.tie("Engineering", UID).await;
    let working = Working::on(&scim.app);
    scim.add(UID, "D R").await;
    assert_eq!(scim.levels(sub).await, "dana 30, rubi 30");
    scim.given.sql(&member(root, "dana", 50)).await;
    scim.given.sql(&format!("update members set access_level = 50 where source_id = {sub}")).await;
    scim.remove(UID, "D R").await;
    assert_eq!((scim.levels(root).await, scim.levels(sub).await), ("dana 50".to_owned(), String::new()));
    working.drain().await;
}

#[sqlx::test]
async fn what_is_below_goes_too_but_for_what_the_provider_gives_there(pool: PgPool) {
    let scim = installation(pool).await;
    let group = scim.link("gnuwget", "Engineering", 30).await;
    let sub = scim.given.group("gnuwget/sub").await;
    let linked = scim.link("gnuwget/linked", "Leads", 40).await;
    scim.tie("Engineering", UID).await;
    scim.tie("Leads", OTHER).await;
    let working = Working::on(&scim.app);
    scim.add(UID, "D").await;
    scim.add(OTHER, "D").await;
    assert_eq!(scim.levels(linked).await, "dana 40");
    scim.given.sql(&member(sub, "dana", 40)).await;
    scim.remove(UID, "D").await;
    assert_eq!((scim.levels(group).await, scim.levels(sub).await), (String::new(), String::new()));
    assert_eq!(scim.levels(linked).await, "dana 40");
    working.drain().await;
}

#[sqlx::test]
async fn the_rules_of_a_root_group_hold_for_those_who_come(pool: PgPool) {
    let scim = installation(pool).await;
    let group = scim.link("gnuwget", "Engineering", 30).await;
    scim.tie("Engineering", UID).await;
    let working = Working::on(&scim.app);
    scim.given
        .sql(&format!("insert into allowed_email_domains (group_id, domain) values ({group}, 'corp.example')"))
        .await;
    scim.given.sql("update users set email = 'dana@CORP.example' where username = 'dana'").await;
    scim.add(UID, "D R").await;
    assert_eq!(scim.levels(group).await, "dana 30");
    // The rules are about coming in: who is in is left with what is due.
    scim.link("gnuwget", "Leads", 40).await;
    scim.tie("Leads", OTHER).await;
    scim.add(OTHER, "D").await;
    assert_eq!(scim.levels(group).await, "dana 40");
    scim.given.sql("update users set email = 'dana@elsewhere.example' where username = 'dana'").await;
    scim.remove(OTHER, "D").await;
    assert_eq!(scim.levels(group).await, "dana 30");
    // Single sign-on for all: nobody who has no account at the group's own provider.
    scim.given.sql("delete from allowed_email_domains").await;
    let provider = format!(
        "insert into saml_providers (group_id, enabled, enforced_sso, sso_url, certificate_fingerprint)
         values ({group}, true, true, 'https://idp.example/sso', 'x')"
    );
    scim.given.sql(&provider).await;
    scim.add(UID, "S").await;
    assert_eq!(scim.levels(group).await, "dana 30");
    // After the first sign-in the provider says it again. Whom the group's own provider took off stays off.
    let account = |name: &str| {
        format!(
            "insert into identities (user_id, provider, extern_uid, saml_provider_id)
             select users.id, 'group_saml', '{name}', saml_providers.id from users, saml_providers
             where username = '{name}' and saml_providers.group_id = {group}"
        )
    };
    scim.given.sql(&account("sid")).await;
    scim.given.sql(&account("rubi")).await;
    let off = format!(
        "insert into group_scim_identities (group_id, user_id, extern_uid, active)
         select {group}, id, 'r', false from users where username = 'rubi'"
    );
    scim.given.sql(&off).await;
    scim.add(UID, "S R").await;
    assert_eq!(scim.levels(group).await, "dana 30, sid 30");
    working.drain().await;
}

#[sqlx::test]
async fn racing_changes_end_as_one_after_the_other_would(pool: PgPool) {
    let scim = Arc::new(installation(pool).await);
    let group = scim.link("gnuwget", "Engineering", 30).await;
    scim.link("gnuwget", "Leads", 40).await;
    scim.tie("Leads", OTHER).await;
    let mut tasks = JoinSet::new();
    for _ in 0..16 {
        let one = Arc::clone(&scim);
        tasks.spawn(async move { one.send("POST", "/Groups", group_body()).await.status.as_u16() });
    }
    assert_eq!(tasks.join_all().await, vec![201; 16]);
    let working = Working::on(&scim.app);
    let mut tasks = JoinSet::new();
    for number in 0..32 {
        let one = Arc::clone(&scim);
        tasks.spawn(async move {
            let uid = if number % 2 == 0 { UID } else { OTHER };
            let op = if number % 4 < 2 { "add" } else { "remove" };
            let operations = json!([{"op": op, "path": "members", "value": members("D R S")}]);
            one.patch_group(uid, operations).await.status.as_u16()
        });
    }
    assert_eq!(tasks.join_all().await, vec![204; 32]);
    let in_both = async |uid: &str| scim.members_of(uid).await.len() == 5;
    let expected = match (in_both(UID).await, in_both(OTHER).await) {
        (_, true) => "dana 40, rubi 40, sid 40",
        (true, false) => "dana 30, rubi 30, sid 30",
        (false, false) => "",
    };
    assert_eq!(scim.levels(group).await, expected);
    working.drain().await;
}

fn group_body() -> String {
    group("Engineering", UID).to_string()
}

/// More users than one transaction takes, and authorizations as if computed anew.
#[sqlx::test]
async fn a_large_group_is_brought_in_line(pool: PgPool) {
    let scim = installation(pool).await;
    let group = scim.link("gnuwget", "Engineering", 30).await;
    scim.given.project("gnuwget/wget2").await;
    scim.given
        .sql(
            "insert into users (username, name, email) select 'u' || n, 'u' || n, 'u' || n || '@x.example'
             from generate_series(1, 1200) as n;
             insert into scim_identities (user_id, extern_uid, active)
             select id, username, true from users where username ~ '^u[0-9]'",
        )
        .await;
    scim.tie("Engineering", UID).await;
    let ids: Vec<String> = (1..=1200).map(|number| format!("u{number}")).collect();
    scim.add(UID, &ids.join(" ")).await;
    let working = Working::on(&scim.app);
    until(&scim.app, WAITING, 0).await;
    let count = format!("select count(*) from members where source_id = {group} and access_level = 30");
    assert_eq!(scim.given.value::<i64>(&count).await, 1200);
    let authorized = "select count(*) from project_authorizations";
    assert_eq!(scim.given.value::<i64>(authorized).await, 1200);
    assert_eq!(scim.patch_group(UID, json!([{"op": "remove", "path": "members"}])).await.status, 204);
    until(&scim.app, WAITING, 0).await;
    assert_eq!(scim.given.value::<i64>(&count).await, 0);
    assert_eq!(scim.given.value::<i64>(authorized).await, 0);
    working.drain().await;
}

fn member(group: NamespaceId, username: &str, level: i32) -> String {
    format!(
        "insert into members (type, source_type, source_id, member_namespace_id, user_id, access_level)
         select 'GroupMember', 'Namespace', {group}, {group}, id, {level} from users where username = '{username}'"
    )
}

/// What the job leaves is what a computation from nothing gives.
#[sqlx::test]
async fn authorizations_are_those_of_the_memberships(pool: PgPool) {
    let scim = installation(pool).await;
    scim.link("gnuwget", "Engineering", 30).await;
    scim.given.project("gnuwget/wget2").await;
    scim.tie("Engineering", UID).await;
    scim.add(UID, "D R").await;
    let working = Working::on(&scim.app);
    until(&scim.app, WAITING, 0).await;
    working.drain().await;
    let rows = "select coalesce(string_agg(concat_ws(' ', user_id, project_id, access_level), ', '
                                           order by user_id, project_id), '') from project_authorizations";
    let before: String = scim.given.value(rows).await;
    let users: Vec<i64> = sqlx::query_scalar("select id from users").fetch_all(&scim.app.pool).await.unwrap();
    let users: Vec<UserId> = users.into_iter().map(UserId).collect();
    let mut connection = scim.app.pool.acquire().await.unwrap();
    let today = scim.app.clock.now().date_naive();
    derived::refresh_authorizations(&mut connection, &users, today).await.unwrap();
    assert_eq!(before, scim.given.value::<String>(rows).await);
    assert_ne!(before, "");
}

//! Groups over REST.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::world::{FORBIDDEN, World};
use crate::support::pushes::{Working, app_with_queue, until};
use crate::support::{Reply, TestApp};

/// The ids of a list.
pub fn ids(reply: &Reply) -> Vec<i64> {
    let rows = reply.json();
    rows.as_array()
        .unwrap_or_else(|| panic!("no list: {}", reply.line()))
        .iter()
        .map(|row| row["id"].as_i64().unwrap())
        .collect()
}

/// What gitlab-shell is told of a push by this user.
pub async fn push(app: &TestApp, user: i64, project: &str) -> u16 {
    let body = json!({
        "action": "git-receive-pack", "project": format!("{project}.git"), "changes": "_any", "protocol": "ssh",
        "user_id": user,
    });
    app.post("/allowed", body).await.status.as_u16()
}

/// rest-37
#[sqlx::test]
async fn who_makes_a_group_owns_it_and_external_users_make_none(pool: PgPool) {
    let world = World::new(pool).await;
    let made = world.json("own", "POST", "/groups", json!({ "name": "Tools", "path": "tools" })).await;
    assert_eq!(made.status.as_u16(), 201, "{}", made.line());
    let group = made.json();
    assert_eq!((&group["full_path"], &group["visibility"]), (&json!("tools"), &json!("private")));
    assert_eq!((&group["lfs_enabled"], &group["emails_enabled"]), (&json!(true), &json!(true)));
    let member = world.call("own", "GET", &format!("/groups/{}/members/2", group["id"])).await.json();
    assert_eq!((&member["access_level"], &member["created_by"]["id"]), (&json!(50), &json!(2)));
    assert_eq!(world.json("ext", "POST", "/groups", json!({ "name": "x", "path": "x" })).await.line(), FORBIDDEN);
    world.given().sql("update users set can_create_group = false where id = 6").await;
    assert_eq!(world.json("out", "POST", "/groups", json!({ "name": "x", "path": "x" })).await.line(), FORBIDDEN);
    let nothing = world.json("own", "POST", "/groups", json!({})).await;
    assert_eq!(nothing.line(), r#"400 {"error":"name is missing, path is missing"}"#);
    assert_eq!(world.events().await, ["group_created"]);
}

/// rest-38
#[sqlx::test]
async fn a_new_group_is_refused_in_one_text(pool: PgPool) {
    let world = World::new(pool).await;
    let make = async |path: &str| world.json("own", "POST", "/groups", json!({ "name": "x", "path": path })).await;
    let taken = r#"400 {"message":"Failed to save group {:path=>[\"has already been taken\"]}"}"#;
    assert_eq!(make("acme").await.line(), taken);
    assert_eq!(make("ACME").await.line(), taken);
    let odd = make("-x").await;
    assert_eq!(odd.status.as_u16(), 400);
    assert!(odd.message().starts_with("Failed to save group {:path=>[\"can contain only letters"), "{}", odd.line());
    assert!(make("admin").await.message().contains("admin is a reserved name"));
    assert_eq!(world.given().value::<i64>("select count(*) from namespaces where type = 'Group'").await, 3);
}

/// rest-39
#[sqlx::test]
async fn a_group_says_who_makes_groups_in_it(pool: PgPool) {
    let world = World::new(pool).await;
    let make = async |path: &str| {
        let body = json!({ "name": path, "path": path, "parent_id": 10 });
        world.json("mai", "POST", "/groups", body).await
    };
    world.given().sql("update namespaces set subgroup_creation_level = 0 where id = 10").await;
    assert_eq!(make("a").await.line(), FORBIDDEN);
    world.given().sql("update namespaces set subgroup_creation_level = 1 where id = 10").await;
    let made = make("a").await;
    assert_eq!((made.status.as_u16(), &made.json()["full_path"]), (201, &json!("acme/a")));
    let body = json!({ "name": "a", "path": "b", "parent_id": 10 });
    let named = world.json("mai", "POST", "/groups", body).await;
    assert_eq!(named.line(), r#"400 {"message":"Failed to save group {:name=>[\"has already been taken\"]}"}"#);
    let unseen = world.json("out", "POST", "/groups", json!({ "name": "x", "path": "x", "parent_id": 10 })).await;
    assert_eq!(unseen.line(), r#"404 {"message":"404 Group Not Found"}"#);
}

/// rest-40
#[sqlx::test]
async fn a_group_is_seen_by_no_more_people_than_the_one_around_it(pool: PgPool) {
    let world = World::new(pool).await;
    let body = json!({ "name": "x", "path": "x", "parent_id": 10, "visibility": "public" });
    let refused = world.json("own", "POST", "/groups", body).await;
    let sentence = "public is not allowed since the parent group has a private visibility.";
    assert!(refused.message().contains(sentence), "{}", refused.line());
    let inside = "private is not allowed since this group contains projects with higher visibility.";
    let lowered = world.json("own", "PUT", "/groups/12", json!({ "visibility": "private" })).await;
    assert_eq!(lowered.json()["message"], json!({ "visibility_level": [inside] }));
    let word = world.json("own", "PUT", "/groups/12", json!({ "visibility": "secret" })).await;
    assert_eq!(word.line(), r#"400 {"error":"visibility does not have a valid value"}"#);
}

/// rest-41
#[sqlx::test]
async fn lists_hold_what_one_belongs_to_and_what_is_open_on_demand(pool: PgPool) {
    let world = World::new(pool).await;
    let list = async |who: &str, query: &str| ids(&world.call(who, "GET", &format!("/groups{query}")).await);
    assert_eq!(list("dev", "").await, [10, 11]);
    assert_eq!(list("out", "").await, Vec::<i64>::new());
    assert_eq!(list("out", "?all_available=true").await, [12]);
    assert_eq!(list("root", "").await, [10, 12, 11]);
    assert_eq!(list("own", "?owned=true").await, [10, 12, 11]);
    assert_eq!(list("mai", "?owned=true").await, Vec::<i64>::new());
    assert_eq!(list("mai", "?min_access_level=40").await, [10, 11]);
    assert_eq!(list("dev", "?search=SUB").await, [11]);
    assert_eq!(list("dev", "?search=ac").await, Vec::<i64>::new(), "short texts are whole names");
    assert_eq!(list("dev", "?top_level_only=true").await, [10]);
    assert_eq!(list("root", "?visibility=public").await, [12]);
    assert_eq!(list("root", "?order_by=id&sort=desc").await, [12, 11, 10]);
    assert_eq!(list("dev", "?per_page=1&page=2").await, [11]);
    // Who belongs to a project sees the groups around it.
    world.project_member(21, 6, 30).await;
    assert_eq!(list("out", "").await, [10, 11]);
}

/// rest-13
#[sqlx::test]
async fn groups_are_left_out_in_every_form(pool: PgPool) {
    let world = World::new(pool).await;
    for query in ["skip_groups[]=10&skip_groups[]=11", "skip_groups=10,11", "skip_groups[0]=10&skip_groups[1]=11"] {
        assert_eq!(ids(&world.call("root", "GET", &format!("/groups?{query}")).await), [12], "{query}");
    }
}

#[sqlx::test]
async fn what_is_in_a_group_is_listed_by_levels(pool: PgPool) {
    let world = World::new(pool).await;
    world.json("own", "POST", "/groups", json!({ "name": "deep", "path": "deep", "parent_id": 11 })).await;
    let list = async |path: &str| world.call("dev", "GET", path).await;
    assert_eq!(ids(&list("/groups/acme/subgroups").await), [11]);
    assert_eq!(ids(&list("/groups/10/descendant_groups").await).len(), 2);
    assert_eq!(ids(&list("/groups/10/projects").await), [20]);
    assert_eq!(ids(&list("/groups/10/projects?include_subgroups=true&order_by=id&sort=asc").await), [20, 21]);
    assert_eq!(ids(&list("/groups/11/projects?include_ancestor_groups=true&order_by=id&sort=asc").await), [20, 21]);
    let detail = list("/groups/10").await.json();
    assert_eq!(detail["projects"][0]["id"], 20);
    assert!(detail.get("ip_restriction_ranges").is_none(), "for owners alone");
    assert!(list("/groups/10?with_projects=false").await.json().get("projects").is_none());
    assert_eq!(world.call("out", "GET", "/groups/10").await.line(), r#"404 {"message":"404 Group Not Found"}"#);
}

/// rest-43
#[sqlx::test]
async fn owners_alone_change_and_delete_a_group(pool: PgPool) {
    let world = World::new(pool).await;
    assert_eq!(world.json("mai", "PUT", "/groups/10", json!({ "description": "x" })).await.line(), FORBIDDEN);
    assert_eq!(world.call("mai", "DELETE", "/groups/10").await.line(), FORBIDDEN);
    assert_eq!(world.events().await, Vec::<String>::new());
}

/// rest-44
#[sqlx::test]
async fn kept_settings_are_read_back_each_alone(pool: PgPool) {
    let world = World::new(pool).await;
    let settings = [
        ("description", json!("tools")),
        ("share_with_group_lock", json!(true)),
        ("membership_lock", json!(true)),
        ("require_two_factor_authentication", json!(true)),
        ("two_factor_grace_period", json!(12)),
        ("project_creation_level", json!("maintainer")),
        ("subgroup_creation_level", json!("owner")),
        ("auto_devops_enabled", json!(true)),
        ("mentions_disabled", json!(true)),
        ("lfs_enabled", json!(false)),
        ("request_access_enabled", json!(false)),
        ("default_branch", json!("trunk")),
        ("default_branch_protection", json!(1)),
        ("shared_runners_setting", json!("disabled_and_overridable")),
        ("max_artifacts_size", json!(7)),
        ("emails_enabled", json!(false)),
        ("show_diff_preview_in_email", json!(false)),
        ("only_allow_merge_if_pipeline_succeeds", json!(true)),
        ("allow_merge_on_skipped_pipeline", json!(true)),
        ("only_allow_merge_if_all_discussions_are_resolved", json!(true)),
        ("math_rendering_limits_enabled", json!(false)),
        ("lock_math_rendering_limits_enabled", json!(true)),
        ("prevent_forking_outside_group", json!(true)),
        ("prevent_sharing_groups_outside_hierarchy", json!(true)),
        ("wiki_access_level", json!("private")),
        ("enabled_git_access_protocol", json!("ssh")),
        ("ip_restriction_ranges", json!("127.0.0.0/8")),
        ("allowed_email_domains_list", json!("example.com")),
    ];
    for (name, value) in settings {
        let put = world.json("own", "PUT", "/groups/10", json!({ name: value })).await;
        assert_eq!((put.status.as_u16(), &put.json()[name]), (200, &value), "{name} {}", put.line());
    }
    let detail = world.call("own", "GET", "/groups/10").await.json();
    assert_eq!(detail["emails_disabled"], true);
    // The new form goes before the old one, and keeps the parts that are not said.
    let defaults = json!({ "default_branch_protection_defaults": { "code_owner_approval_required": true } });
    let put = world.json("own", "PUT", "/groups/10", defaults).await.json();
    assert_eq!(put["default_branch_protection_defaults"]["code_owner_approval_required"], true);
    let form = "/groups/10?default_branch_protection_defaults[allow_force_push]=true";
    let put = world.call("own", "PUT", form).await.json();
    assert_eq!(put["default_branch_protection_defaults"]["allow_force_push"], true);
    assert_eq!(put["default_branch_protection_defaults"]["code_owner_approval_required"], true);
    // What promises protection is taken and forgotten.
    let promise = json!({ "unique_project_download_limit": 3 });
    let put = world.json("own", "PUT", "/groups/10", promise).await;
    assert!(put.status.is_success() && put.json().get("unique_project_download_limit").is_none());
    // Of a group that has another around it, what holds for whole trees is refused.
    let below = world.json("own", "PUT", "/groups/11", json!({ "ip_restriction_ranges": "10.0.0.0/8" })).await;
    assert_eq!(below.status.as_u16(), 400);
    let odd = world.json("own", "PUT", "/groups/10", json!({ "ip_restriction_ranges": "everywhere" })).await;
    assert_eq!(odd.json()["message"]["ip_restriction_ranges"][0], "everywhere is an invalid IP address range");
}

#[sqlx::test]
async fn a_group_gets_another_path_with_all_that_is_in_it(pool: PgPool) {
    let world = World::new(pool).await;
    let put = world.json("own", "PUT", "/groups/acme", json!({ "path": "corp", "name": "Corp" })).await.json();
    assert_eq!((&put["full_path"], &put["name"]), (&json!("corp"), &json!("Corp")));
    assert_eq!(world.call("dev", "GET", "/projects/corp%2Fsub%2Flib").await.json()["id"], 21);
    let moved = world.call("dev", "GET", "/projects/acme%2Fapp?x=1").await;
    assert_eq!(moved.status.as_u16(), 301);
    assert_eq!(moved.headers["location"], "http://localhost/api/v4/projects/20?x=1");
    let taken = world.json("own", "PUT", "/groups/10", json!({ "path": "pub" })).await;
    assert_eq!(taken.line(), r#"400 {"message":{"path":["has already been taken"]}}"#);
}

/// rest-45
#[sqlx::test]
async fn a_group_is_shared_once(pool: PgPool) {
    let world = World::new(pool).await;
    let share = json!({ "group_id": 10, "group_access": 30 });
    let shared = world.json("own", "POST", "/groups/12/share", share.clone()).await;
    assert_eq!(shared.status.as_u16(), 201);
    assert_eq!(shared.json()["shared_with_groups"][0]["group_access_level"], 30);
    let twice = world.json("own", "POST", "/groups/12/share", share.clone()).await;
    let sentence = "Shared group The group has already been shared with this group";
    assert_eq!((twice.status.as_u16(), twice.message()), (409, sentence.to_owned()));
    assert_eq!(world.json("dev", "POST", "/groups/12/share", share).await.line(), r#"404 {"message":"Not Found"}"#);
    let level = "select access_level from project_authorizations where user_id = 4 and project_id = 22";
    assert_eq!(world.given().value::<i32>(level).await, 30);
    assert_eq!(world.call("own", "DELETE", "/groups/12/share/10").await.line(), "204 ");
    assert_eq!(world.given().value::<i64>(&format!("select count(*) from ({level}) as rows")).await, 0);
    let gone = world.call("own", "DELETE", "/groups/12/share/10").await;
    assert_eq!(gone.line(), r#"404 {"message":"404 Group Link Not Found"}"#);
    let itself = world.json("own", "POST", "/groups/11/share", json!({ "group_id": 10, "group_access": 30 })).await;
    assert_eq!(itself.status.as_u16(), 400);
    let names = ["group_share_with_group_link_created", "group_share_with_group_link_removed"];
    assert_eq!(world.events().await, names);
}

/// rest-46
#[sqlx::test]
async fn a_root_group_keeps_its_shares_within_it(pool: PgPool) {
    let world = World::new(pool).await;
    let lock = json!({ "prevent_sharing_groups_outside_hierarchy": true });
    world.json("own", "PUT", "/groups/10", lock).await;
    let share = json!({ "group_id": 12, "group_access": 30 });
    assert_eq!(world.json("own", "POST", "/groups/10/share", share).await.line(), r#"404 {"message":"Not Found"}"#);
}

/// rest-47
#[sqlx::test]
async fn a_group_moves_to_the_root(pool: PgPool) {
    let world = World::new(pool).await;
    let into_itself = world.json("own", "POST", "/groups/10/transfer", json!({ "group_id": 11 })).await;
    assert_eq!(into_itself.status.as_u16(), 400, "{}", into_itself.line());
    let there = world.json("own", "POST", "/groups/11/transfer", json!({ "group_id": 10 })).await;
    assert_eq!(there.message(), "Transfer failed: Group is already associated to the parent group.");
    let moved = world.call("own", "POST", "/groups/11/transfer").await;
    assert_eq!((moved.status.as_u16(), &moved.json()["full_path"]), (201, &json!("sub")), "{}", moved.line());
    let owner = world.call("own", "GET", "/groups/11/members/2").await.json();
    assert_eq!(owner["access_level"], 50, "the mover owns what nobody owned");
    let lost = "select count(*) from project_authorizations where project_id = 21 and user_id = 4";
    assert_eq!(world.given().value::<i64>(lost).await, 0);
    let twice = world.json("own", "POST", "/groups/11/transfer", json!({ "group_id": 11 })).await;
    assert_eq!(twice.status.as_u16(), 400, "{}", twice.line());
}

/// rest-49
#[sqlx::test]
async fn nobody_pushes_to_what_is_archived(pool: PgPool) {
    let world = World::new(pool).await;
    let call = async |verb: &str| world.call("own", "POST", &format!("/groups/10/{verb}")).await;
    let archived = call("archive").await;
    assert_eq!((archived.status.as_u16(), &archived.json()["archived"]), (200, &json!(true)));
    let again = r#"422 {"message":"422 Unprocessable Entity - Group is already archived!"}"#;
    assert_eq!(call("archive").await.line(), again);
    assert_ne!(push(&world.app, 4, "acme/app").await, 200);
    assert_eq!(call("unarchive").await.status.as_u16(), 200);
    let again = r#"422 {"message":"422 Unprocessable Entity - Group is not archived!"}"#;
    assert_eq!(call("unarchive").await.line(), again);
    assert_eq!(push(&world.app, 4, "acme/app").await, 200);
    assert_eq!(world.call("mai", "POST", "/groups/10/archive").await.line(), FORBIDDEN);
}

/// rest-50
#[sqlx::test]
async fn a_deleted_group_is_gone_with_all_that_was_in_it(pool: PgPool) {
    let world = World::of(app_with_queue(pool).await).await;
    let given = world.given();
    given
        .sql(
            "insert into gitlab_subscriptions (namespace_id, hosted_plan_id, seats, start_date, trial)
             select 10, id, 5, '2026-01-01', false from plans where name = 'premium'",
        )
        .await;
    let paid = "This group can't be removed because it is linked to a subscription.";
    let refused = world.call("own", "DELETE", "/groups/10").await;
    assert_eq!((refused.status.as_u16(), refused.message()), (400, paid.to_owned()));
    given.sql("update gitlab_subscriptions set trial = true where namespace_id = 10").await;
    given
        .sql(
            "insert into users (id, username, email, user_type) values (60, 'bot', 'b@x.org', 6), (61, 'other', 'o@x.org', 6);
             insert into user_details (user_id, bot_namespace_id) values (60, 30), (61, 12);
             insert into project_group_links (project_id, group_id, group_access) values (22, 11, 30)",
        )
        .await;
    world.refresh().await;
    assert_eq!(world.call("own", "DELETE", "/groups/10").await.line(), r#"202 {"message":"202 Accepted"}"#);
    for path in ["/groups/10", "/groups/11", "/projects/20", "/projects/acme%2Fsub%2Flib"] {
        assert_eq!(world.call("root", "GET", path).await.status.as_u16(), 404, "{path}");
    }
    assert_eq!(given.value::<i64>("select count(*) from users where user_type = 6").await, 1, "its bots go with it");
    let reached = "select count(*) from project_authorizations where project_id = 22 and user_id = 4";
    assert_eq!(given.value::<i64>(reached).await, 0, "and what its members had by it");
    assert_eq!(given.value::<i64>("select count(*) from removed_repositories").await, 2);
    let ended = "select count(*) from provisioning_ledger_entries where record_type ilike '%subscription%'";
    assert!(given.value::<i64>(ended).await > 0, "the ledger knows how it ended");
    let again = world.json("own", "POST", "/groups", json!({ "name": "acme", "path": "acme" })).await;
    assert_eq!(again.status.as_u16(), 201, "name and path are free at once");
    let gone = ["project_destroyed", "project_destroyed", "group_destroyed", "group_destroyed", "group_created"];
    assert_eq!(world.events().await, gone);
}

#[sqlx::test]
async fn an_instance_may_wait_before_it_deletes_a_group(pool: PgPool) {
    let world = World::of(app_with_queue(pool).await).await;
    world.given().setting("deletion_adjourned_period = 7").await;
    let remove = async |path: &str| world.call("own", "DELETE", path).await;
    assert_eq!(remove("/groups/11?permanently_remove=true&full_path=acme/sub").await.status.as_u16(), 400);
    assert_eq!(remove("/groups/11").await.status.as_u16(), 202);
    let marked = world.call("own", "GET", "/groups/11").await.json();
    assert_eq!(marked["marked_for_deletion_on"], "2026-06-01");
    assert_eq!(marked["full_path"], "acme/sub-deletion_scheduled-11");
    assert_ne!(push(&world.app, 4, "acme/sub-deletion_scheduled-11/lib").await, 200);
    assert_eq!(remove("/groups/11").await.status.as_u16(), 400, "marked again");
    world.app.clock.set("2026-06-07T10:00:00Z".parse().unwrap());
    let due = async || {
        let db = gatehouse::store::Db::from(world.app.pool.clone());
        gatehouse::services::delete_group_or_project::delete_due(&db, world.app.clock.now()).await.unwrap()
    };
    assert_eq!(due().await, 0);
    world.app.clock.set("2026-06-08T10:00:00Z".parse().unwrap());
    assert_eq!(due().await, 1);
    assert_eq!(world.call("own", "GET", "/groups/11").await.status.as_u16(), 404);
    assert_eq!(remove("/groups/12").await.status.as_u16(), 202);
    let root = remove("/groups/12?permanently_remove=true&full_path=pub-deletion_scheduled-12").await;
    assert_eq!(root.message(), "`permanently_remove` option is only available for subgroups.");
}

#[sqlx::test]
async fn a_row_that_changed_meanwhile_is_not_deleted(pool: PgPool) {
    let world = World::of(app_with_queue(pool).await).await;
    let request = |since: &str| {
        axum::http::Request::builder()
            .method("DELETE")
            .uri("/api/v4/groups/12")
            .header("private-token", "T_own")
            .header("if-unmodified-since", since)
            .body(axum::body::Body::empty())
            .unwrap()
    };
    let refused = world.app.send(request("Mon, 01 Jan 2001 00:00:00 GMT")).await;
    assert_eq!(refused.line(), r#"412 {"message":"412 Precondition Failed"}"#);
    assert_eq!(world.app.send(request("Fri, 01 Jan 2100 00:00:00 GMT")).await.status.as_u16(), 202);
}

#[sqlx::test]
async fn repositories_of_deleted_groups_leave_their_storages(pool: PgPool) {
    let gitaly = crate::support::TestGitaly::start();
    let app = crate::support::pushes::app_with_queue_and(pool, &gitaly.settings()).await;
    let world = World::of(app).await;
    gitaly.repository("disk/20.git");
    gitaly.repository("disk/21.git");
    let working = Working::on(&world.app);
    assert_eq!(world.call("own", "DELETE", "/groups/10").await.status.as_u16(), 202);
    until(&world.app, "select count(*) from removed_repositories", 0).await;
    assert!(!gitaly.storage().join("disk/20.git").exists() && !gitaly.storage().join("disk/21.git").exists());
    working.drain().await;
}

#[sqlx::test]
async fn an_administrator_moves_a_project_into_a_group(pool: PgPool) {
    let world = World::new(pool).await;
    assert_eq!(world.call("own", "POST", "/groups/12/projects/20").await.line(), FORBIDDEN);
    let moved = world.call("root", "POST", "/groups/12/projects/acme%2Fapp").await;
    assert_eq!(moved.status.as_u16(), 201, "{}", moved.line());
    assert_eq!(world.call("own", "GET", "/projects/20").await.json()["path_with_namespace"], "pub/app");
    let values: Vec<Value> = moved.json()["projects"].as_array().unwrap().clone();
    assert_eq!(values.len(), 2);
}

#[sqlx::test]
async fn paths_have_an_end_also_below(pool: PgPool) {
    let world = World::new(pool).await;
    let long = "x".repeat(251);
    let body = json!({ "name": "x", "path": long, "parent_id": 10 });
    let refused = world.json("own", "POST", "/groups", body).await;
    assert!(refused.message().contains("is too long (maximum is 255 characters)"), "{}", refused.line());
    let renamed = world.json("own", "PUT", "/groups/10", json!({ "path": long })).await;
    assert_eq!(renamed.json()["message"]["path"][0], "is too long (maximum is 255 characters)", "what is below it");
    let branch = world.json("own", "PUT", "/groups/10", json!({ "default_branch": "a b" })).await;
    assert_eq!(branch.status.as_u16(), 400, "{}", branch.line());
}

#[sqlx::test]
async fn what_is_paid_for_stays_where_it_is(pool: PgPool) {
    let world = World::of(app_with_queue(pool).await).await;
    world
        .given()
        .sql(
            "insert into gitlab_subscriptions (namespace_id, hosted_plan_id, seats, start_date, trial)
             select 11, id, 5, '2026-01-01', false from plans where name = 'premium';
             insert into gitlab_subscriptions (namespace_id, hosted_plan_id, seats, start_date, trial)
             select 12, id, 5, '2026-01-01', false from plans where name = 'premium';
             update namespaces set visibility_level = 20 where id = 10",
        )
        .await;
    assert_eq!(world.call("own", "DELETE", "/groups/10").await.status.as_u16(), 400, "what is in it is paid");
    let moved = world.json("own", "POST", "/groups/12/transfer", json!({ "group_id": 10 })).await;
    assert_eq!(moved.message(), "Transfer failed: Group is linked to a subscription.");
}

#[sqlx::test]
async fn a_word_of_the_web_application_is_no_root(pool: PgPool) {
    let world = World::new(pool).await;
    let body = json!({ "name": "users", "path": "users", "parent_id": 10 });
    let id = world.json("own", "POST", "/groups", body).await.json()["id"].as_i64().unwrap();
    let moved = world.call("own", "POST", &format!("/groups/{id}/transfer")).await;
    assert_eq!(moved.message(), "Transfer failed: Path users is a reserved name");
}

//! Projects over REST.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sqlx::PgPool;
use tonic::Status;

use super::groups::{ids, push};
use super::world::{FORBIDDEN, World};
use crate::support::pushes::{Working, app_with_queue, app_with_queue_and, until};
use crate::support::{Reply, TestGitaly};

/// The world before a Gitaly, with personal namespaces of `root` and `dev`.
async fn begins(pool: PgPool) -> (World, TestGitaly) {
    let gitaly = TestGitaly::start();
    let world = World::of(app_with_queue_and(pool, &gitaly.settings()).await).await;
    personal(&world).await;
    (world, gitaly)
}

async fn personal(world: &World) {
    world
        .given()
        .sql(
            "insert into namespaces (id, name, path, type, owner_id, traversal_ids)
             values (41, 'Root', 'root', 'User', 1, '{41}'), (44, 'Dev', 'dev', 'User', 4, '{44}');
             insert into routes (source_id, source_type, path, name, namespace_id)
             values (41, 'Namespace', 'root', 'Root', 41), (44, 'Namespace', 'dev', 'Dev', 44)",
        )
        .await;
}

async fn make(world: &World, who: &str, body: Value) -> Reply {
    world.json(who, "POST", "/projects", body).await
}

/// rest-4, rest-5
#[sqlx::test]
async fn a_project_is_found_by_id_and_path_by_those_who_see_it(pool: PgPool) {
    let world = World::new(pool).await;
    for name in ["acme%2Fapp", "ACME%2FApp", "20"] {
        let reply = world.call("dev", "GET", &format!("/projects/{name}")).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["id"]), (200, &json!(20)), "{name}");
    }
    assert_eq!(world.call("out", "GET", "/projects/20").await.line(), r#"404 {"message":"404 Project Not Found"}"#);
    assert_eq!(world.call("gue", "GET", "/projects/20").await.status.as_u16(), 200);
}

/// rest-9
#[sqlx::test]
async fn heads_of_answers_are_had_alone(pool: PgPool) {
    let world = World::new(pool).await;
    let list = world.call("root", "HEAD", "/projects").await;
    assert_eq!((list.line().as_str(), list.headers["x-total"].to_str().unwrap()), ("200 ", "3"));
    let one = world.call("root", "HEAD", "/projects/20").await;
    assert_eq!((one.line().as_str(), one.headers["content-type"].to_str().unwrap()), ("200 ", "application/json"));
}

async fn with_many(world: &World) {
    world
        .given()
        .sql(
            "insert into namespaces (id, name, path, type, parent_id, traversal_ids)
             select 1000 + n, 'prj' || n, 'prj' || n, 'Project', 10, array[10, 1000 + n] from generate_series(1, 45) as n;
             insert into projects (id, name, path, namespace_id, project_namespace_id, storage_version)
             select 1000 + n, 'prj' || n, 'prj' || n, 10, 1000 + n, 2 from generate_series(1, 45) as n;
             insert into routes (source_id, source_type, path, name, namespace_id)
             select 1000 + n, 'Project', 'acme/prj' || n, 'acme / prj' || n, 1000 + n from generate_series(1, 45) as n",
        )
        .await;
}

/// rest-8
#[sqlx::test]
async fn links_lead_on_with_all_parameters_but_tokens(pool: PgPool) {
    let world = World::new(pool).await;
    with_many(&world).await;
    let query = "search=prj&simple=true&per_page=20&page=2&private_token=T_root";
    let reply = world.call("root", "GET", &format!("/projects?{query}")).await;
    assert_eq!(ids(&reply).len(), 20);
    assert_eq!(
        (&reply.headers["x-total"], &reply.headers["x-next-page"]),
        (&"45".parse().unwrap(), &"3".parse().unwrap())
    );
    let link = reply.headers["link"].to_str().unwrap();
    let next = "<http://localhost/api/v4/projects?search=prj&simple=true&page=3&per_page=20>; rel=\"next\"";
    assert!(link.contains(next), "{link}");
    assert!(reply.json()[0].get("archived").is_none(), "little is asked for");
}

/// rest-10, rest-11
#[sqlx::test]
async fn pages_by_key_lead_to_each_project_once(pool: PgPool) {
    let world = World::new(pool).await;
    with_many(&world).await;
    let (mut seen, mut sizes) = (BTreeSet::new(), Vec::new());
    let mut path = "/projects?pagination=keyset&order_by=id&sort=desc&search=prj".to_owned();
    loop {
        let reply = world.call("root", "GET", &path).await;
        assert!(!reply.headers.contains_key("x-total"));
        sizes.push(ids(&reply).len());
        seen.extend(ids(&reply));
        let Some(link) = reply.headers.get("link").map(|link| link.to_str().unwrap().to_owned()) else { break };
        assert!(link.contains("id_before=") && link.ends_with("; rel=\"next\""), "{link}");
        path = link.trim_start_matches("<http://localhost/api/v4").split_once('>').unwrap().0.to_owned();
    }
    assert_eq!((sizes, seen.len()), (vec![20, 20, 5], 45));
    let by_name = world.call("root", "GET", "/projects?pagination=keyset&order_by=name").await;
    let error = "Keyset pagination is not yet available for this type of request";
    assert_eq!(by_name.line(), format!(r#"405 {{"error":"{error}"}}"#));
}

/// rest-61
#[sqlx::test]
async fn a_project_is_made_in_ones_own_namespace(pool: PgPool) {
    let (world, gitaly) = begins(pool).await;
    let made = make(&world, "dev", json!({ "name": "My App" })).await;
    assert_eq!(made.status.as_u16(), 201, "{}", made.line());
    let project = made.json();
    assert_eq!((&project["path_with_namespace"], &project["visibility"]), (&json!("dev/my-app"), &json!("private")));
    assert_eq!((&project["empty_repo"], &project["default_branch"]), (&json!(true), &json!("main")));
    assert_eq!(project["owner"]["username"], "dev");
    let id = project["id"].as_i64().unwrap();
    let member = world.call("dev", "GET", &format!("/projects/{id}/members/4")).await.json();
    assert_eq!(member["access_level"], 50);
    let owner = world.call("root", "DELETE", &format!("/projects/{id}/members/4")).await;
    assert_eq!(owner.line(), FORBIDDEN, "the owner of the namespace stays");
    assert_eq!(gitaly.count("CreateRepository"), 1);
    assert_eq!(world.given().value::<i64>("select count(*) from removed_repositories").await, 0);
    let nothing = make(&world, "dev", json!({})).await;
    let error = "name, path are missing, at least one parameter must be provided";
    assert_eq!(nothing.line(), format!(r#"400 {{"error":"{error}"}}"#));
    let foreign = make(&world, "dev", json!({ "name": "x", "namespace_id": 12 })).await;
    assert_eq!(foreign.line(), r#"400 {"message":{"namespace":["is not valid"]}}"#);
    let taken = make(&world, "dev", json!({ "name": "My App" })).await;
    let both = json!({ "path": ["has already been taken"], "name": ["has already been taken"] });
    assert_eq!((taken.status.as_u16(), &taken.json()["message"]), (400, &both));
    let path = make(&world, "dev", json!({ "path": "x.git" })).await.json();
    assert!(path["message"]["path"][0].as_str().unwrap().starts_with("can contain only letters"));
    assert_eq!(
        make(&world, "dev", json!({ "path": "tree" })).await.json()["message"]["path"][0],
        "tree is a reserved name"
    );
    assert_eq!(push(&world.app, 4, "dev/my-app").await, 200);
    let of_user = ids(&world.call("dev", "GET", "/users/dev/projects").await);
    assert_eq!(of_user, [id]);
    assert_eq!(world.events().await, ["project_created"]);
}

/// rest-62
#[sqlx::test]
async fn a_user_has_as_many_projects_as_they_may(pool: PgPool) {
    let (world, gitaly) = begins(pool).await;
    world.given().sql("update users set projects_limit = 1 where id = 4").await;
    assert_eq!(make(&world, "dev", json!({ "name": "one" })).await.status.as_u16(), 201);
    let full = make(&world, "dev", json!({ "name": "two" })).await;
    let sentence = "Your project limit is 1 projects! Please contact your administrator to increase it";
    assert_eq!((full.status.as_u16(), &full.json()["error"]), (403, &json!([sentence])));
    assert_eq!(gitaly.count("CreateRepository"), 1, "decided before the first effect");
    let by_admin = world.json("root", "POST", "/projects/user/4", json!({ "name": "two" })).await;
    assert_eq!(by_admin.status.as_u16(), 403);
    world.given().sql("update users set projects_limit = 9 where id = 4").await;
    let by_admin = world.json("root", "POST", "/projects/user/4", json!({ "name": "two" })).await;
    assert_eq!(by_admin.json()["path_with_namespace"], "dev/two", "{}", by_admin.line());
    assert_eq!(world.json("dev", "POST", "/projects/user/4", json!({ "name": "x" })).await.line(), FORBIDDEN);
}

/// rest-63
#[sqlx::test]
async fn a_project_is_seen_by_no_more_people_than_its_group(pool: PgPool) {
    let (world, _gitaly) = begins(pool).await;
    let open = make(&world, "own", json!({ "name": "x", "namespace_id": 10, "visibility": "public" })).await;
    let sentence = "public is not allowed in a private group.";
    assert_eq!(open.json()["message"], json!({ "visibility_level": [sentence] }));
    let put = world.json("own", "PUT", "/projects/20", json!({ "visibility": "public" })).await;
    assert_eq!(put.json()["message"], json!({ "visibility_level": [sentence] }));
    let by_maintainer = world.json("mai", "PUT", "/projects/20", json!({ "visibility": "internal" })).await;
    assert_eq!(by_maintainer.line(), FORBIDDEN);
}

/// rest-64
#[sqlx::test]
async fn a_storage_that_gives_no_answer_leaves_nothing(pool: PgPool) {
    let (world, gitaly) = begins(pool).await;
    gitaly.fail("CreateRepository", Status::unavailable("down"));
    let refused = make(&world, "own", json!({ "name": "x", "namespace_id": 10 })).await;
    assert_eq!(refused.status.as_u16(), 503, "{}", refused.line());
    assert_eq!(world.given().value::<i64>("select count(*) from projects").await, 3);
    assert_eq!(world.events().await, Vec::<String>::new());
    let other = json!({ "name": "y", "namespace_id": 10, "repository_storage": "elsewhere" });
    let made = make(&world, "root", other).await;
    assert_eq!((made.status.as_u16(), &made.json()["empty_repo"]), (201, &json!(true)), "{}", made.line());
    assert_eq!(made.json()["repository_storage"], "elsewhere");
    let missing = "select count(*) from missing_repositories";
    assert_eq!(world.given().value::<i64>(missing).await, 1, "it is made once its storage has an address");
}

/// A repository of a project that never came to be is removed, and one that has branches is not.
#[sqlx::test]
async fn an_orphaned_repository_is_removed_unless_it_has_branches(pool: PgPool) {
    let (world, gitaly) = begins(pool).await;
    gitaly.repository("orphan.git");
    let kept = gitaly.repository("kept.git");
    kept.commit("main", &[("a", "1")], "first");
    world
        .given()
        .sql(
            "insert into removed_repositories (id, storage, relative_path, gl_repository, gl_project_path, only_empty)
             values (1, 'default', 'orphan.git', 'project-8', 'x', true),
                    (2, 'default', 'kept.git', 'project-9', 'y', true),
                    (3, 'default', 'disk/20.git', 'project-20', 'acme/app', false)",
        )
        .await;
    gitaly.repository("disk/20.git");
    let db = gatehouse::store::Db::from(world.app.pool.clone());
    for row in 1..=3 {
        gatehouse::services::remove_repository::remove(&db, &world.app.gitaly, row).await.unwrap();
    }
    let there = ["orphan.git", "kept.git", "disk/20.git"].map(|path| gitaly.storage().join(path).exists());
    assert_eq!(there, [false, true, true], "a project has the last one");
    assert_eq!(world.given().value::<i64>("select count(*) from removed_repositories").await, 0);
}

/// rest-65
#[sqlx::test]
async fn a_new_repository_begins_with_the_branch_that_is_asked_for(pool: PgPool) {
    let (world, _gitaly) = begins(pool).await;
    let made = make(&world, "own", json!({ "name": "x", "namespace_id": 10, "default_branch": "trunk" })).await.json();
    assert_eq!(made["default_branch"], "trunk");
    let id = made["id"].as_i64().unwrap();
    let kept = format!("select name from project_default_branches where project_id = {id}");
    assert_eq!(world.given().value::<String>(&kept).await, "trunk");
    let odd = make(&world, "own", json!({ "name": "y", "namespace_id": 10, "default_branch": "a b" })).await;
    assert_eq!(odd.json()["message"], json!({ "default_branch": ["is not a valid branch name"] }));
    let other = world.json("own", "PUT", &format!("/projects/{id}"), json!({ "default_branch": "stem" })).await;
    assert_eq!(other.json()["default_branch"], "stem", "an empty repository takes any: {}", other.line());
}

#[sqlx::test]
async fn head_names_a_branch_that_is_there(pool: PgPool) {
    let (world, gitaly) = begins(pool).await;
    let hashed = gatehouse::domain::repository::hashed_path("@hashed", 20);
    gitaly.repository(&format!("{hashed}.git")).commit("main", &[("a", "1")], "first");
    let absent = world.json("mai", "PUT", "/projects/20", json!({ "default_branch": "nope" })).await;
    let base = "Could not set the default branch. Do you have a branch named 'nope' in your repository?";
    assert_eq!(
        (absent.status.as_u16(), &absent.json()["message"]),
        (400, &json!({ "base": [base] })),
        "{}",
        absent.line()
    );
    let there = world.json("mai", "PUT", "/projects/20", json!({ "default_branch": "main" })).await;
    assert_eq!(there.json()["default_branch"], "main", "{}", there.line());
}

/// rest-67
#[sqlx::test]
async fn a_project_shows_what_one_may_see(pool: PgPool) {
    let world = World::new(pool).await;
    let guest = world.call("gue", "GET", "/projects/20").await.json();
    assert!(guest.get("default_branch").is_none() && guest.get("runners_token").is_none());
    let permissions = json!({
        "project_access": null, "group_access": { "access_level": 10, "notification_level": 3 },
    });
    assert_eq!(guest["permissions"], permissions);
    let maintainer = world.call("mai", "GET", "/projects/20?statistics=true").await.json();
    assert_eq!((&maintainer["default_branch"], &maintainer["runners_token"]), (&json!("main"), &json!(null)));
    assert!(maintainer.as_object().unwrap().contains_key("runners_token") && maintainer["statistics"].is_object());
    assert!(maintainer.get("repository_storage").is_none());
    assert_eq!(world.call("root", "GET", "/projects/20").await.json()["repository_storage"], "default");
    assert_eq!(maintainer["ssh_url_to_repo"], "git@localhost:acme/app.git");
    assert_eq!(maintainer["http_url_to_repo"], "http://localhost/acme/app.git");
    assert_eq!(maintainer["namespace"]["web_url"], "http://localhost/groups/acme");
    assert_eq!(maintainer["ci_id_token_sub_claim_components"], json!(["project_path", "ref_type", "ref"]));
}

/// rest-68
#[sqlx::test]
async fn lists_go_by_authorizations(pool: PgPool) {
    let world = World::new(pool).await;
    let list = async |who: &str, query: &str| {
        ids(&world.call(who, "GET", &format!("/projects?order_by=id&sort=asc&{query}")).await)
    };
    assert_eq!(list("dev", "owned=true").await, Vec::<i64>::new());
    assert_eq!(list("own", "owned=true").await, [20, 21, 22]);
    assert_eq!(list("dev", "membership=true").await, [20, 21]);
    assert_eq!(list("dev", "min_access_level=40").await, Vec::<i64>::new());
    assert_eq!(list("mai", "min_access_level=40").await, [20, 21]);
    assert_eq!(list("dev", "").await, [20, 21, 22], "what is public, too");
    assert_eq!(list("out", "").await, [22]);
    assert_eq!(list("root", "").await, [20, 21, 22]);
    assert_eq!(list("root", "membership=true").await, Vec::<i64>::new());
}

#[sqlx::test]
async fn each_filter_of_a_list_leaves_something_out(pool: PgPool) {
    let world = World::new(pool).await;
    world
        .given()
        .sql(
            "update projects set archived = true, description = 'Lorem ipsum', last_activity_at = '2026-05-01',
               updated_at = '2026-05-01' where id = 20;
             update projects set last_activity_at = '2026-01-01', updated_at = '2026-01-01' where id in (21, 22);
             update project_features set issues_access_level = 0, merge_requests_access_level = 0 where project_id = 22;
             update projects set repository_storage = 'second' where id = 21",
        )
        .await;
    let list =
        async |query: &str| ids(&world.call("root", "GET", &format!("/projects?order_by=updated_at&{query}")).await);
    let cases: [(&str, &[i64]); 17] = [
        ("visibility=public", &[22]),
        ("archived=true", &[20]),
        ("archived=false", &[22, 21]),
        ("search=IPSUM", &[20]),
        ("search=acme%2Fsub", &[]),
        ("search=acme%2Fsub&search_namespaces=true", &[21]),
        ("id_after=21", &[22]),
        ("id_before=21", &[20]),
        ("last_activity_after=2026-04-01", &[20]),
        ("last_activity_before=2026-04-01T00:00:00Z", &[22, 21]),
        ("updated_after=2026-04-01", &[20]),
        ("updated_before=2026-04-01", &[22, 21]),
        ("with_issues_enabled=true", &[20, 21]),
        ("with_merge_requests_enabled=false", &[22]),
        ("repository_storage=second", &[21]),
        ("starred=true", &[]),
        ("topic=x", &[]),
    ];
    for (query, found) in cases {
        assert_eq!(list(query).await, found, "{query}");
    }
    for (order, first) in [("name", 22), ("path", 22), ("last_activity_at", 20), ("similarity&search=app", 20)] {
        let reply = world.call("root", "GET", &format!("/projects?order_by={order}&sort=desc")).await;
        assert_eq!(ids(&reply).first(), Some(&first), "{order}");
    }
}

/// rest-69
#[sqlx::test]
async fn the_filter_by_changes_wants_their_order(pool: PgPool) {
    let world = World::new(pool).await;
    let list = async |query: &str| world.call("root", "GET", &format!("/projects?{query}")).await;
    let paired = "400 Bad request - `updated_at` filter and `updated_at` sorting must be paired";
    assert_eq!(list("updated_after=2026-01-01").await.line(), format!(r#"400 {{"message":"{paired}"}}"#));
    assert_eq!(list("updated_after=2026-01-01&order_by=updated_at").await.status.as_u16(), 200);
    assert_eq!(list("order_by=x").await.line(), r#"400 {"error":"order_by does not have a valid value"}"#);
    assert_eq!(list("updated_after=yesterday").await.line(), r#"400 {"error":"updated_after is invalid"}"#);
}

/// rest-70
#[sqlx::test]
async fn nobody_pushes_to_an_archived_project(pool: PgPool) {
    let world = World::new(pool).await;
    let call = async |verb: &str| world.call("own", "POST", &format!("/projects/20/{verb}")).await;
    for _ in 0..2 {
        let archived = call("archive").await;
        assert_eq!((archived.status.as_u16(), &archived.json()["archived"]), (201, &json!(true)));
    }
    assert_ne!(push(&world.app, 4, "acme/app").await, 200);
    assert_eq!(call("unarchive").await.status.as_u16(), 201);
    assert_eq!(push(&world.app, 4, "acme/app").await, 200);
    assert_eq!(world.call("mai", "POST", "/projects/20/archive").await.line(), FORBIDDEN);
    assert_eq!(world.events().await, ["project_archived", "project_unarchived"]);
}

/// rest-71
#[sqlx::test]
async fn a_project_moves_to_another_namespace(pool: PgPool) {
    let world = World::new(pool).await;
    let moved = world.json("own", "PUT", "/projects/20/transfer", json!({ "namespace": "pub" })).await;
    assert_eq!(
        (moved.status.as_u16(), &moved.json()["path_with_namespace"]),
        (200, &json!("pub/app")),
        "{}",
        moved.line()
    );
    assert_ne!(push(&world.app, 4, "acme/app").await, 200, "dev lost it");
    assert_eq!(push(&world.app, 2, "acme/app").await, 200, "the old path leads on");
    let there = world.json("own", "PUT", "/projects/20/transfer", json!({ "namespace": 12 })).await;
    let sentence = r#"Failed to transfer project {:new_namespace=>["Project is already in this namespace."]}"#;
    assert_eq!((there.status.as_u16(), there.message()), (400, sentence.to_owned()));
    let unknown = world.json("own", "PUT", "/projects/20/transfer", json!({ "namespace": "nope" })).await;
    assert_eq!(unknown.line(), r#"404 {"message":"404 Namespace Not Found"}"#);
    assert_eq!(
        world.json("mai", "PUT", "/projects/21/transfer", json!({ "namespace": "pub" })).await.line(),
        FORBIDDEN
    );
    let wide = world.json("own", "PUT", "/projects/22/transfer", json!({ "namespace": "acme" })).await;
    assert!(wide.message().contains("public is not allowed in a private group."), "{}", wide.line());
}

/// rest-73
#[sqlx::test]
async fn an_instance_may_wait_before_it_deletes_a_project(pool: PgPool) {
    let world = World::of(app_with_queue(pool).await).await;
    world.given().setting("deletion_adjourned_period = 7").await;
    let remove = async |query: &str| world.call("own", "DELETE", &format!("/projects/20{query}")).await;
    let early = remove("?permanently_remove=true&full_path=acme/app").await;
    assert_eq!(early.message(), "Project must be marked for deletion first.");
    assert_eq!(remove("").await.status.as_u16(), 202);
    let marked = world.call("own", "GET", "/projects/20").await.json();
    assert_eq!(marked["marked_for_deletion_on"], "2026-06-01");
    let path = marked["path_with_namespace"].as_str().unwrap().to_owned();
    assert_eq!(path, "acme/app-deletion_scheduled-20");
    assert_ne!(push(&world.app, 4, &path).await, 200);
    assert_eq!(remove("").await.message(), "Project has been already marked for deletion");
    let wrong = remove("?permanently_remove=true&full_path=acme/app").await;
    assert_eq!(wrong.status.as_u16(), 400);
    assert_eq!(remove(&format!("?permanently_remove=true&full_path={path}")).await.status.as_u16(), 202);
    assert_eq!(remove("").await.line(), r#"404 {"message":"404 Project Not Found"}"#);
    assert_eq!(world.events().await, ["project_destroyed", "project_destroyed"]);
}

#[sqlx::test]
async fn a_deleted_project_leaves_nothing_of_its_own(pool: PgPool) {
    let (world, gitaly) = begins(pool).await;
    let working = Working::on(&world.app);
    let given = world.given();
    let public = given.deploy_key(None, "public").await;
    let own = given.deploy_key(None, "own").await;
    given
        .sql(&format!(
            "update keys set public = true where id = {public};
             insert into deploy_keys_projects (deploy_key_id, project_id) values ({public}, 20), ({own}, 20);
             insert into deploy_tokens (id, name, username, token_encrypted, expires_at, deploy_token_type)
             values (1, 't', 'u', 'x', '3000-01-01', 2);
             insert into project_deploy_tokens (project_id, deploy_token_id) values (20, 1);
             insert into users (id, username, email, user_type) values (60, 'bot', 'b@x.org', 6);
             insert into user_details (user_id, bot_namespace_id) values (60, 30);
             insert into project_wiki_repositories (project_id) values (20)"
        ))
        .await;
    given.personal_access_token(gatehouse::domain::ids::UserId(60), world.key(), "T_bot", &["api"]).await;
    gitaly.repository("disk/20.git");
    let reply = world.call("own", "DELETE", "/projects/20").await;
    assert_eq!(reply.line(), r#"202 {"message":"202 Accepted"}"#);
    assert_eq!(world.call("T_bot", "GET", "/user").await.status.as_u16(), 401, "dead when 202 is answered");
    assert_eq!(given.value::<i64>("select count(*) from deploy_tokens").await, 0);
    assert_eq!(given.value::<i64>("select count(*) from keys where type = 'DeployKey'").await, 1);
    assert_eq!(given.value::<String>("select title from keys where type = 'DeployKey'").await, "laptop");
    let again = make(&world, "own", json!({ "name": "app", "namespace_id": 10 })).await;
    assert_eq!(again.status.as_u16(), 201, "name and path are free: {}", again.line());
    until(&world.app, "select count(*) from removed_repositories", 0).await;
    assert!(!gitaly.storage().join("disk/20.git").exists());
    assert_eq!(gitaly.count("RemoveRepository"), 2, "the wiki's too");
    working.drain().await;
}

/// rest-74
#[sqlx::test]
async fn a_project_is_shared_with_a_group(pool: PgPool) {
    let world = World::new(pool).await;
    let share = async |who: &str, level: i32| {
        let body = json!({ "group_id": 12, "group_access": level });
        world.json(who, "POST", "/projects/20/share", body).await
    };
    assert_eq!(share("mai", 50).await.line(), FORBIDDEN);
    let shared = share("mai", 30).await;
    let keys: Vec<String> = shared.json().as_object().unwrap().keys().cloned().collect();
    assert_eq!((shared.status.as_u16(), keys.len()), (201, 5), "{}", shared.line());
    assert_eq!(share("mai", 30).await.line(), r#"409 {"message":"Group already shared with this group"}"#);
    assert_eq!(world.call("mai", "GET", "/projects/20").await.json()["shared_with_groups"][0]["group_id"], 12);
    assert_eq!(world.call("mai", "DELETE", "/projects/20/share/12").await.line(), "204 ");
    let gone = world.call("mai", "DELETE", "/projects/20/share/12").await;
    assert_eq!(gone.line(), r#"404 {"message":"404 Group Link Not Found"}"#);
    assert_eq!(share("own", 50).await.status.as_u16(), 201);
    assert_eq!(world.call("mai", "DELETE", "/projects/20/share/12").await.line(), FORBIDDEN);
    world.json("own", "PUT", "/groups/10", json!({ "share_with_group_lock": true })).await;
    world.call("own", "DELETE", "/projects/20/share/12").await;
    let locked = share("own", 30).await;
    assert_eq!(locked.line(), r#"400 {"message":"The project sharing with group is disabled"}"#);
}

/// rest-75
#[sqlx::test]
async fn a_project_says_which_groups_it_is_in_and_where_it_is_stored(pool: PgPool) {
    let world = World::new(pool).await;
    assert_eq!(ids(&world.call("dev", "GET", "/projects/21/groups").await), [10, 11]);
    assert_eq!(ids(&world.call("dev", "GET", "/projects/21/groups?skip_groups=10&search=su").await), [11]);
    assert_eq!(world.call("dev", "GET", "/projects/20/storage").await.line(), FORBIDDEN);
    let storage = world.call("root", "GET", "/projects/20/storage").await.json();
    assert!(storage["disk_path"].as_str().unwrap().starts_with("@hashed/"), "{storage}");
    assert_eq!((&storage["project_id"], &storage["repository_storage"]), (&json!(20), &json!("default")));
}

#[sqlx::test]
async fn kept_settings_of_projects_are_read_back_each_alone(pool: PgPool) {
    use gatehouse::domain::kept_settings::{KeptKind, OF_PROJECTS};
    let world = World::new(pool).await;
    for setting in OF_PROJECTS {
        let value = match setting.kind {
            KeptKind::Flag(usual) => json!(!usual),
            KeptKind::Number(_) => json!(7),
            KeptKind::Text(..) => json!("text"),
            KeptKind::Word(usual, words) => json!(words[(usual + 1) % words.len()]),
            KeptKind::Texts(_) => json!(["a"]),
        };
        let put = world.json("mai", "PUT", "/projects/20", json!({ setting.name: value })).await;
        assert_eq!((put.status.as_u16(), &put.json()[setting.name]), (200, &value), "{} {}", setting.name, put.line());
    }
    let levels =
        [("issues_access_level", "private"), ("wiki_access_level", "disabled"), ("pages_access_level", "public")];
    for (name, level) in levels {
        let put = world.json("mai", "PUT", "/projects/20", json!({ name: level })).await;
        assert_eq!(put.json()[name], level, "{}", put.line());
    }
    let project = world.json("mai", "PUT", "/projects/20", json!({ "issues_enabled": "False" })).await.json();
    assert_eq!((&project["issues_enabled"], &project["issues_access_level"]), (&json!(false), &json!("disabled")));
    assert_eq!(project["wiki_enabled"], false);
    let topics = json!({ "topics": ["Rust", " git ", "rust", ""] });
    let put = world.json("mai", "PUT", "/projects/20", topics).await.json();
    assert_eq!((&put["topics"], &put["tag_list"]), (&json!(["Rust", "git"]), &json!(["Rust", "git"])));
    let simple = world.call("mai", "GET", "/projects?simple=true&topic=GIT,rust").await;
    assert_eq!((ids(&simple), &simple.json()[0]["topics"]), (vec![20], &put["topics"]));
    assert!(ids(&world.call("mai", "GET", "/projects?topic=git,other").await).is_empty());
    let put = world.json("mai", "PUT", "/projects/20", json!({ "tag_list": "" })).await.json();
    assert_eq!(put["topics"], json!([]));
    let long = world.json("mai", "PUT", "/projects/20", json!({ "topics": ["x".repeat(256)] })).await;
    assert_eq!(long.line(), r#"400 {"error":"topics is too long (maximum is 255 characters)"}"#);
    let unknown = world.json("mai", "PUT", "/projects/20", json!({ "x": 1 })).await;
    assert!(unknown.json()["error"].as_str().unwrap().ends_with("at least one parameter must be provided"));
    let refused = world.json("own", "PUT", "/projects/20", json!({ "name": "app", "mirror": true })).await;
    assert_eq!(refused.line(), r#"400 {"message":"400 Bad request - mirror is not supported"}"#);
    assert_eq!(world.json("dev", "PUT", "/projects/20", json!({ "name": "x" })).await.line(), FORBIDDEN);
    let renamed = world.json("mai", "PUT", "/projects/20", json!({ "path": "web", "description": "new" })).await.json();
    assert_eq!((&renamed["path_with_namespace"], &renamed["description"]), (&json!("acme/web"), &json!("new")));
    assert_eq!(world.events().await, ["project_path_updated"]);
}

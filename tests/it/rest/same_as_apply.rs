//! What is stated by calls and what is stated by a document is the same: a series of calls, and the document that says
//! where it ends, leave equal rows (rest.md 15).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::json;
use sqlx::PgPool;

use super::world::World;
use crate::apply::applied;

const LEVELS: [(i32, &str); 4] = [(0, "none"), (30, "developer"), (40, "maintainer"), (60, "admin")];
const NAMES: [&str; 4] = ["main", "rel/*", "v1", "*-stable"];

/// Numbers that are the same in every run of a seed.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % most
    }
}

/// What a project says in the end.
#[derive(Default)]
struct End {
    branches: BTreeMap<&'static str, (usize, usize, bool)>,
    tags: BTreeMap<&'static str, usize>,
    rule: Option<(bool, usize)>,
}

impl End {
    fn document(&self) -> String {
        let mut document = "projects:\n  - path: pub/site\n".to_owned();
        let mut list = |key: &str, entries: Vec<String>| {
            if !entries.is_empty() {
                writeln!(document, "    {key}: [{}]", entries.join(", ")).unwrap();
            }
        };
        let word = |level: usize| LEVELS[level].1;
        let branch = |(name, (push, merge, force)): (&&str, &(usize, usize, bool))| {
            format!("{{name: '{name}', push: [{}], merge: [{}], allow_force_push: {force}}}", word(*push), word(*merge))
        };
        list("protected_branches", self.branches.iter().map(branch).collect());
        let tag = |(name, create): (&&str, &usize)| format!("{{name: '{name}', create: [{}]}}", word(*create));
        list("protected_tags", self.tags.iter().map(tag).collect());
        if let Some((deny_delete_tag, size)) = self.rule {
            writeln!(document, "    push_rules: {{deny_delete_tag: {deny_delete_tag}, max_file_size: {size}}}")
                .unwrap();
        }
        document
    }
}

async fn step(world: &World, numbers: &mut Numbers, end: &mut End) {
    let name = NAMES[numbers.below(NAMES.len())];
    let path = name.replace('/', "%2F").replace('*', "%2A");
    let (one, other, flag) = (numbers.below(4), numbers.below(4), numbers.below(2) == 1);
    match numbers.below(7) {
        0 | 1 => {
            let body = json!({
                "name": name,
                "push_access_level": LEVELS[one].0,
                "merge_access_level": LEVELS[other].0,
                "allow_force_push": flag,
            });
            let reply = world.json("mai", "POST", "/projects/20/protected_branches", body).await;
            assert_eq!(
                reply.status.as_u16(),
                if end.branches.contains_key(name) { 409 } else { 201 },
                "{}",
                reply.text
            );
            end.branches.entry(name).or_insert((one, other, flag));
        }
        2 => {
            let path = format!("/projects/20/protected_branches/{path}");
            let reply = world.json("mai", "PATCH", &path, json!({ "allow_force_push": flag })).await;
            assert_eq!(
                reply.status.as_u16(),
                if end.branches.contains_key(name) { 200 } else { 404 },
                "{}",
                reply.text
            );
            end.branches.entry(name).and_modify(|branch| branch.2 = flag);
        }
        3 => {
            let reply = world.call("mai", "DELETE", &format!("/projects/20/protected_branches/{path}")).await;
            assert_eq!(reply.status.as_u16(), if end.branches.remove(name).is_some() { 204 } else { 404 });
        }
        4 => {
            let body = json!({ "name": name, "create_access_level": LEVELS[one].0 });
            let reply = world.json("mai", "POST", "/projects/20/protected_tags", body).await;
            assert_eq!(reply.status.as_u16(), if end.tags.contains_key(name) { 422 } else { 201 }, "{}", reply.text);
            end.tags.entry(name).or_insert(one);
        }
        5 => {
            let reply = world.call("mai", "DELETE", &format!("/projects/20/protected_tags/{path}")).await;
            assert_eq!(reply.status.as_u16(), if end.tags.remove(name).is_some() { 204 } else { 404 });
        }
        _ => {
            let method = if end.rule.is_some() { "PUT" } else { "POST" };
            let body = json!({ "deny_delete_tag": flag, "max_file_size": one });
            let reply = world.json("mai", method, "/projects/20/push_rule", body).await;
            assert!(reply.status.is_success(), "{}", reply.text);
            end.rule = Some((flag, one));
        }
    }
}

/// What a project's rules say, without ids and stamps.
async fn rows(world: &World, project: i64) -> String {
    world
        .given()
        .value(&format!(
            "select coalesce(string_agg(line, E'\\n' order by line), '')
             from (
               select concat_ws(' ', 'branch', name, allow_force_push, code_owner_approval_required, 'push', push.access_level,
                 'merge', merge.access_level, num_nulls(push.user_id, push.group_id, push.deploy_key_id)) as line
               from protected_branches
               join protected_branch_push_access_levels as push on push.protected_branch_id = protected_branches.id
               join protected_branch_merge_access_levels as merge on merge.protected_branch_id = protected_branches.id
               where project_id = {project}
               union all
               select concat_ws(' ', 'tag', name, access_level)
               from protected_tags
               join protected_tag_create_access_levels as levels on levels.protected_tag_id = protected_tags.id
               where protected_tags.project_id = {project}
               union all
               select (to_jsonb(push_rules) - 'id' - 'project_id' - 'created_at' - 'updated_at')::text
               from push_rules
               where project_id = {project}
             ) as lines"
        ))
        .await
}

#[sqlx::test]
async fn a_series_of_calls_and_the_document_of_its_end_leave_equal_rows(pool: PgPool) {
    let world = World::new(pool).await;
    let (mut numbers, mut end, mut compared) = (Numbers(7), End::default(), [false; 3]);
    for round in 0..4 {
        for _ in 0..25 {
            step(&world, &mut numbers, &mut end).await;
        }
        // The document of the round before says more than this one, unless it starts anew.
        world
            .given()
            .sql(
                "delete from protected_branches where project_id = 22;
                 delete from protected_tags where project_id = 22;
                 delete from push_rules where project_id = 22",
            )
            .await;
        applied(&world.app.pool, &end.document()).await;
        assert_eq!(rows(&world, 20).await, rows(&world, 22).await, "round {round}: {}", end.document());
        let there = [!end.branches.is_empty(), !end.tags.is_empty(), end.rule.is_some()];
        compared.iter_mut().zip(there).for_each(|(compared, there)| *compared |= there);
    }
    assert_eq!(compared, [true; 3], "something was never compared");
}

//! Derived rows: whatever happens to groups, projects, memberships and shares, refreshing what a change can reach gives the
//! same rows as computing everything anew.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate};
use gatehouse::domain::ids::{NamespaceId, UserId};
use gatehouse::store::derived::{expire, lock_root, refresh_authorizations, refresh_namespace, users_reaching};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sqlx::{AssertSqlSafe, PgConnection, PgPool};

const USERS: i64 = 6;
const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
const LEVELS: [i32; 7] = [5, 10, 15, 20, 30, 40, 50];

fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, 21).unwrap()
}

#[sqlx::test]
async fn refreshing_what_a_change_reaches_equals_computing_everything_anew(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    for user in 1..=USERS {
        execute(&mut conn, &format!("insert into users (id, username, email) values ({user}, 'u{user}', 'u{user}@x')"))
            .await;
        let namespace = scalar(&mut conn, &format!("insert into namespaces (type, owner_id, name, path) values ('User', {user}, 'u{user}', 'u{user}') returning id")).await;
        refresh_namespace(&mut conn, NamespaceId(namespace)).await.unwrap();
    }
    let mut random = StdRng::seed_from_u64(20_261_121);
    let mut routes = World::load(&mut conn).await.routes();
    let mut redirects: BTreeMap<String, (String, i64)> = BTreeMap::new();
    for step in 0..400 {
        let what = change(&mut conn, &mut random).await;
        let world = World::load(&mut conn).await;
        let now = world.routes();
        for (source, (path, ..)) in &now {
            redirects.remove(path);
            if let Some((old, ..)) = routes.get(source).filter(|(old, ..)| old != path) {
                redirects.insert(old.clone(), source.clone());
            }
        }
        redirects.retain(|path, _| now.values().all(|(taken, ..)| taken != path));
        routes = now;
        world.compare(&mut conn, &routes, &redirects, &format!("step {step}: {what}")).await;
    }
    assert!(redirects.len() > 5 && routes.len() > 20, "too little happened");
}

/// Some change, and the refreshes that its writer owes.
#[expect(clippy::too_many_lines, reason = "an arm for each change that there is")]
async fn change(conn: &mut PgConnection, random: &mut StdRng) -> String {
    let groups = ids(conn, "select id from namespaces where type = 'Group' order by id").await;
    let homes = ids(conn, "select id from namespaces where type <> 'Project' order by id").await;
    let projects = ids(conn, "select id from projects order by id").await;
    let user = UserId(random.random_range(1..=USERS));
    let level = one(random, &LEVELS);
    let expires = match random.random_range(0..4) {
        0 => format!("'{}'", today()),
        1 => format!("'{}'", today() + Days::new(1)),
        _ => "null".to_owned(),
    };
    let name = one(random, &NAMES);
    let group = pick(random, &groups);
    let project = pick(random, &projects);
    match (random.random_range(0..13), group, project) {
        (0 | 1, parent, _) => {
            let parent = parent.filter(|_| random.random_range(0..4) > 0);
            if taken(conn, parent, name).await {
                return "nothing".to_owned();
            }
            let parent = parent.map_or("null".to_owned(), |id| id.to_string());
            let id = scalar(conn, &format!("insert into namespaces (type, name, path, parent_id) values ('Group', '{name}', '{name}', {parent}) returning id")).await;
            refresh_namespace(conn, NamespaceId(id)).await.unwrap();
            format!("group {id} in {parent}")
        }
        (2 | 3, _, _) => {
            let home = pick(random, &homes).unwrap();
            if taken(conn, Some(home), name).await {
                return "nothing".to_owned();
            }
            let shadow = scalar(conn, &format!("insert into namespaces (type, name, path, parent_id) values ('Project', '{name}', '{name}', {home}) returning id")).await;
            execute(conn, &format!("insert into projects (name, path, namespace_id, project_namespace_id) values ('{name}', '{name}', {home}, {shadow})")).await;
            refresh_namespace(conn, NamespaceId(shadow)).await.unwrap();
            reached(conn, &[home], &[]).await;
            format!("project in {home}")
        }
        (4 | 5, Some(group), _) => {
            member(conn, random, "Namespace", group, group, user, level, &expires).await;
            format!("{user} in group {group} at {level} until {expires}")
        }
        (6, _, Some(project)) => {
            let shadow = scalar(conn, &format!("select project_namespace_id from projects where id = {project}")).await;
            member(conn, random, "Project", project, shadow, user, level, &expires).await;
            format!("{user} in project {project} at {level} until {expires}")
        }
        (7, Some(group), Some(project)) => {
            if random.random_range(0..3) == 0 {
                let before = users_reaching(&mut *conn, &[NamespaceId(group)]).await.unwrap();
                execute(
                    conn,
                    &format!("delete from project_group_links where project_id = {project} and group_id = {group}"),
                )
                .await;
                refresh_authorizations(conn, &before, today()).await.unwrap();
                return format!("no share of project {project} with {group}");
            }
            execute(conn, &format!("insert into project_group_links (project_id, group_id, group_access, expires_at) values ({project}, {group}, {level}, {expires}) on conflict (project_id, group_id) do update set group_access = excluded.group_access, expires_at = excluded.expires_at")).await;
            reached(conn, &[group], &[]).await;
            format!("share of project {project} with {group} at {level} until {expires}")
        }
        (8, Some(group), _) => {
            let with = pick(random, &groups).unwrap();
            if with == group {
                return "nothing".to_owned();
            }
            let before = users_reaching(&mut *conn, &[NamespaceId(with)]).await.unwrap();
            execute(conn, &format!("insert into group_group_links (shared_group_id, shared_with_group_id, group_access, expires_at) values ({group}, {with}, {level}, {expires}) on conflict (shared_group_id, shared_with_group_id) do update set group_access = excluded.group_access, expires_at = excluded.expires_at")).await;
            refresh_authorizations(conn, &before, today()).await.unwrap();
            format!("share of group {group} with {with} at {level} until {expires}")
        }
        (9, Some(group), _) => {
            execute(
                conn,
                &format!("update namespaces set share_with_group_lock = not share_with_group_lock where id = {group}"),
            )
            .await;
            let shadows =
                ids(conn, &format!("select project_namespace_id from projects where namespace_id = {group}")).await;
            reached(conn, &shadows, &[]).await;
            format!("lock of {group}")
        }
        (10 | 11, Some(group), _) => {
            let parent = pick(random, &groups).filter(|_| random.random_range(0..3) > 0);
            let parent_text = parent.map_or("null".to_owned(), |id| id.to_string());
            let inside = ids(conn, &format!("select id from namespaces where {group} = any (traversal_ids)")).await;
            if parent.is_some_and(|parent| inside.contains(&parent)) || taken(conn, parent, name).await {
                return "nothing".to_owned();
            }
            lock_root(conn, NamespaceId(group)).await.unwrap();
            let before = users_reaching(&mut *conn, &[NamespaceId(group)]).await.unwrap();
            execute(conn, &format!("update namespaces set parent_id = {parent_text}, path = '{name}', name = '{name}' where id = {group}")).await;
            refresh_namespace(conn, NamespaceId(group)).await.unwrap();
            reached(conn, &[group], &before).await;
            format!("group {group} to {parent_text} as {name}")
        }
        (12, _, Some(project)) => {
            let home = pick(random, &homes).unwrap();
            if taken(conn, Some(home), name).await {
                return "nothing".to_owned();
            }
            let shadow = scalar(conn, &format!("select project_namespace_id from projects where id = {project}")).await;
            let before = users_reaching(&mut *conn, &[NamespaceId(shadow)]).await.unwrap();
            execute(
                conn,
                &format!(
                    "update projects set namespace_id = {home}, path = '{name}', name = '{name}' where id = {project}"
                ),
            )
            .await;
            execute(
                conn,
                &format!(
                    "update namespaces set parent_id = {home}, path = '{name}', name = '{name}' where id = {shadow}"
                ),
            )
            .await;
            refresh_namespace(conn, NamespaceId(shadow)).await.unwrap();
            reached(conn, &[shadow], &before).await;
            format!("project {project} to {home} as {name}")
        }
        _ => "nothing".to_owned(),
    }
}

#[expect(clippy::too_many_arguments, reason = "the columns of a membership")]
async fn member(
    conn: &mut PgConnection,
    random: &mut StdRng,
    source_type: &str,
    source: i64,
    namespace: i64,
    user: UserId,
    level: i32,
    expires: &str,
) {
    execute(
        conn,
        &format!(
            "delete from members where source_type = '{source_type}' and source_id = {source} and user_id = {user}"
        ),
    )
    .await;
    let (requested, state) = match random.random_range(0..8) {
        0 => ("now()", "0"),
        1 => ("null", "1"),
        _ => ("null", "0"),
    };
    if random.random_range(0..5) > 0 {
        execute(conn, &format!("insert into members (type, source_type, source_id, member_namespace_id, user_id, access_level, expires_at, requested_at, state) values ('x', '{source_type}', {source}, {namespace}, {user}, {level}, {expires}, {requested}, {state})")).await;
    }
    refresh_authorizations(conn, &[user], today()).await.unwrap();
}

async fn reached(conn: &mut PgConnection, namespaces: &[i64], before: &[UserId]) {
    let namespaces: Vec<NamespaceId> = namespaces.iter().copied().map(NamespaceId).collect();
    let mut users = users_reaching(&mut *conn, &namespaces).await.unwrap();
    users.extend(before);
    refresh_authorizations(conn, &users, today()).await.unwrap();
}

/// All that derived rows derive from.
struct World {
    namespaces: BTreeMap<i64, Namespace>,
    /// Projects by id: home and shadow.
    projects: BTreeMap<i64, (i64, i64)>,
    /// Active memberships: is it of a project, of which source, who, level.
    members: Vec<(bool, i64, i64, i32)>,
    project_links: Vec<(i64, i64, i32)>,
    group_links: Vec<(i64, i64, i32)>,
}

struct Namespace {
    kind: String,
    name: String,
    path: String,
    parent: Option<i64>,
    owner: Option<i64>,
    lock: bool,
}

type Routes = BTreeMap<(String, i64), (String, String, i64)>;

impl World {
    async fn load(conn: &mut PgConnection) -> Self {
        type Row = (i64, String, String, String, Option<i64>, Option<i64>, bool);
        type Member = (String, i64, i64, i32, Option<NaiveDate>, bool, Option<i16>);
        type Link = (i64, i64, i32, Option<NaiveDate>);
        let namespaces: Vec<Row> =
            sqlx::query_as("select id, type, name, path, parent_id, owner_id, share_with_group_lock from namespaces")
                .fetch_all(&mut *conn)
                .await
                .unwrap();
        let projects: Vec<(i64, i64, i64)> =
            sqlx::query_as("select id, namespace_id, project_namespace_id from projects")
                .fetch_all(&mut *conn)
                .await
                .unwrap();
        let members: Vec<Member> = sqlx::query_as("select source_type, source_id, user_id, access_level, expires_at, requested_at is null, state from members")
            .fetch_all(&mut *conn)
            .await
            .unwrap();
        let project_links: Vec<Link> =
            sqlx::query_as("select project_id, group_id, group_access, expires_at from project_group_links")
                .fetch_all(&mut *conn)
                .await
                .unwrap();
        let group_links: Vec<Link> = sqlx::query_as(
            "select shared_group_id, shared_with_group_id, group_access::int, expires_at from group_group_links",
        )
        .fetch_all(&mut *conn)
        .await
        .unwrap();
        let live = |expires: Option<NaiveDate>| expires.is_none_or(|day| day > today());
        let links = |rows: Vec<Link>| {
            rows.into_iter().filter(|row| live(row.3) && row.2 > 5).map(|row| (row.0, row.1, row.2)).collect()
        };
        Self {
            namespaces: namespaces
                .into_iter()
                .map(|(id, kind, name, path, parent, owner, lock)| {
                    (id, Namespace { kind, name, path, parent, owner, lock })
                })
                .collect(),
            projects: projects.into_iter().map(|(id, home, shadow)| (id, (home, shadow))).collect(),
            members: members
                .into_iter()
                .filter(|row| live(row.4) && row.5 && row.6.unwrap_or(0) == 0 && row.3 > 5)
                .map(|row| (row.0 == "Project", row.1, row.2, row.3))
                .collect(),
            project_links: links(project_links),
            group_links: links(group_links),
        }
    }

    /// The namespace and those around it, the root first.
    fn chain(&self, id: i64) -> Vec<i64> {
        let mut chain = vec![id];
        while let Some(parent) = self.namespaces[chain.last().unwrap()].parent {
            chain.push(parent);
        }
        chain.reverse();
        chain
    }

    fn routes(&self) -> Routes {
        let shadows: BTreeMap<i64, i64> = self.projects.iter().map(|(id, (_, shadow))| (*shadow, *id)).collect();
        self.namespaces
            .keys()
            .map(|id| {
                let source =
                    shadows.get(id).map_or(("Namespace".to_owned(), *id), |project| ("Project".to_owned(), *project));
                let chain = self.chain(*id);
                let path: Vec<_> = chain.iter().map(|id| self.namespaces[id].path.as_str()).collect();
                let name: Vec<_> = chain.iter().map(|id| self.namespaces[id].name.as_str()).collect();
                (source, (path.join("/"), name.join(" / "), *id))
            })
            .collect()
    }

    /// The user's level in a group, from the group itself and those around it.
    fn group_level(&self, user: i64, group: i64) -> i32 {
        let direct = |group: i64| {
            let own = |member: &&(bool, i64, i64, i32)| !member.0 && member.1 == group && member.2 == user;
            self.members.iter().filter(own).map(|member| member.3).max().unwrap_or(0)
        };
        let levels = self.chain(group).into_iter().flat_map(|around| {
            let shared = self.group_links.iter().filter(move |link| link.0 == around);
            shared.map(|link| direct(link.1).min(link.2)).chain([direct(around)]).collect::<Vec<_>>()
        });
        levels.max().unwrap_or(0)
    }

    fn project_level(&self, user: i64, project: i64) -> i32 {
        let (home, _) = self.projects[&project];
        let namespace = &self.namespaces[&home];
        let direct = |member: &&(bool, i64, i64, i32)| member.0 && member.1 == project && member.2 == user;
        let mut levels: Vec<i32> = self.members.iter().filter(direct).map(|member| member.3).collect();
        if namespace.kind == "User" && namespace.owner == Some(user) {
            levels.push(50);
        }
        if namespace.kind == "Group" {
            levels.push(self.group_level(user, home));
        }
        if !namespace.lock {
            let links = self.project_links.iter().filter(|link| link.0 == project);
            levels.extend(links.map(|link| self.group_level(user, link.1).min(link.2)));
        }
        levels.into_iter().max().unwrap_or(0)
    }

    async fn compare(
        &self,
        conn: &mut PgConnection,
        routes: &Routes,
        redirects: &BTreeMap<String, (String, i64)>,
        after: &str,
    ) {
        let stored: Vec<(i64, Vec<i64>)> =
            sqlx::query_as("select id, traversal_ids from namespaces order by id").fetch_all(&mut *conn).await.unwrap();
        for (id, traversal_ids) in stored {
            assert_eq!(traversal_ids, self.chain(id), "traversal_ids of {id} after {after}");
        }
        let stored: Vec<(String, i64, String, String, i64)> =
            sqlx::query_as("select source_type, source_id, path, name, namespace_id from routes")
                .fetch_all(&mut *conn)
                .await
                .unwrap();
        let stored: Routes = stored.into_iter().map(|row| ((row.0, row.1), (row.2, row.3, row.4))).collect();
        assert_eq!(&stored, routes, "routes after {after}");
        let stored: Vec<(String, String, i64)> =
            sqlx::query_as("select path, source_type, source_id from redirect_routes")
                .fetch_all(&mut *conn)
                .await
                .unwrap();
        let stored: BTreeMap<_, _> = stored.into_iter().map(|row| (row.0, (row.1, row.2))).collect();
        assert_eq!(&stored, redirects, "redirects after {after}");
        let stored: Vec<(i64, i64, i32, Option<bool>)> =
            sqlx::query_as("select user_id, project_id, access_level, is_unique from project_authorizations")
                .fetch_all(&mut *conn)
                .await
                .unwrap();
        let stored: BTreeSet<_> = stored.into_iter().collect();
        let wanted: BTreeSet<_> = (1..=USERS)
            .flat_map(|user| self.projects.keys().map(move |project| (user, *project)))
            .map(|(user, project)| (user, project, self.project_level(user, project), Some(true)))
            .filter(|row| row.2 > 0)
            .collect();
        assert_eq!(stored, wanted, "authorizations after {after}");
    }
}

#[sqlx::test]
async fn expired_members_and_shares_are_removed_with_what_they_gave(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    for user in 1..=3 {
        execute(&mut conn, &format!("insert into users (id, username, email) values ({user}, 'u{user}', 'u{user}@x')"))
            .await;
    }
    for (group, path) in [(10, "a"), (11, "b"), (12, "c")] {
        execute(
            &mut conn,
            &format!("insert into namespaces (id, type, name, path) values ({group}, 'Group', '{path}', '{path}')"),
        )
        .await;
    }
    execute(&mut conn, "insert into namespaces (id, type, name, path, parent_id) values (20, 'Project', 'p', 'p', 10)")
        .await;
    execute(
        &mut conn,
        "insert into projects (id, name, path, namespace_id, project_namespace_id) values (1, 'p', 'p', 10, 20)",
    )
    .await;
    let yesterday = today() - Days::new(1);
    for (user, group, expires) in
        [(1, 10, format!("'{}'", today())), (2, 11, "null".to_owned()), (3, 12, "null".to_owned())]
    {
        execute(&mut conn, &format!("insert into members (type, source_type, source_id, member_namespace_id, user_id, access_level, expires_at) values ('GroupMember', 'Namespace', {group}, {group}, {user}, 40, {expires})")).await;
    }
    execute(
        &mut conn,
        &format!("insert into project_group_links (project_id, group_id, expires_at) values (1, 11, '{}')", today()),
    )
    .await;
    execute(
        &mut conn,
        &format!(
            "insert into group_group_links (shared_group_id, shared_with_group_id, expires_at) values (10, 12, '{}')",
            today()
        ),
    )
    .await;
    let users = [UserId(1), UserId(2), UserId(3)];
    refresh_authorizations(&mut conn, &users, yesterday).await.unwrap();
    assert_eq!(
        ids(&mut conn, "select access_level::bigint from project_authorizations order by user_id").await,
        [40, 30, 30]
    );

    assert_eq!(expire(&mut conn, yesterday).await.unwrap(), 0);
    // Another server that holds the rows is not waited for.
    let mut other = pool.begin().await.unwrap();
    sqlx::query("select id from members for update").fetch_all(&mut *other).await.unwrap();
    assert_eq!(expire(&mut conn, today()).await.unwrap(), 2);
    other.rollback().await.unwrap();
    assert_eq!(ids(&mut conn, "select user_id from project_authorizations").await, [1]);
    assert_eq!(expire(&mut conn, today()).await.unwrap(), 1);
    assert_eq!(expire(&mut conn, today()).await.unwrap(), 0);
    assert_eq!(ids(&mut conn, "select user_id from project_authorizations").await, [0; 0]);
    assert_eq!(ids(&mut conn, "select user_id from members order by 1").await, [2, 3]);
}

async fn taken(conn: &mut PgConnection, parent: Option<i64>, name: &str) -> bool {
    let parent = parent.map_or("null".to_owned(), |id| id.to_string());
    let query = format!("select id from namespaces where parent_id is not distinct from {parent} and path = '{name}'");
    !ids(conn, &query).await.is_empty()
}

fn one<T: Copy>(random: &mut StdRng, of: &[T]) -> T {
    of[random.random_range(0..of.len())]
}

fn pick(random: &mut StdRng, of: &[i64]) -> Option<i64> {
    (!of.is_empty()).then(|| one(random, of))
}

async fn ids(conn: &mut PgConnection, query: &str) -> Vec<i64> {
    sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_all(conn).await.unwrap()
}

async fn scalar(conn: &mut PgConnection, query: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_one(conn).await.unwrap()
}

async fn execute(conn: &mut PgConnection, query: &str) {
    sqlx::query(AssertSqlSafe(query.to_owned())).execute(conn).await.unwrap();
}

/// The function that says who is an active member stands in queries as if it were spelt there: no call is left, and the
/// index that counts seats serves it.
#[sqlx::test]
async fn the_meaning_of_an_active_member_is_written_into_queries(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    execute(&mut conn, "set enable_seqscan = off").await;
    let query = "explain (costs off) select user_id from members
                 where member_namespace_id = 1 and access_level > 5 and gatehouse_is_active_member(members, '2026-11-21')";
    let plan: Vec<String> = sqlx::query_scalar(query).fetch_all(&mut *conn).await.unwrap();
    insta::assert_snapshot!(plan.join("\n"), @"
    Index Only Scan using gatehouse_members_on_member_namespace_id_for_seats on members
      Index Cond: (member_namespace_id = 1)
      Filter: ((expires_at IS NULL) OR (expires_at > '2026-11-21'::date))
    ");
}

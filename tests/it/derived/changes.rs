//! Changes that happen to groups, projects, memberships and shares, each with the refreshes that its writer owes.

use chrono::Days;
use gatehouse::domain::ids::{NamespaceId, UserId};
use gatehouse::store::derived::{lock_root, refresh_authorizations, refresh_namespace, users_reaching};
use rand::RngExt;
use rand::rngs::StdRng;
use sqlx::PgConnection;

use super::{USERS, execute, ids, scalar, today};

const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
const LEVELS: [i32; 7] = [5, 10, 15, 20, 30, 40, 50];

/// Where changes happen, and what chooses them.
pub struct Changes<'a> {
    pub conn: &'a mut PgConnection,
    pub random: &'a mut StdRng,
}

/// What somebody is given: a level, and until when, as SQL spells it.
struct Grant {
    level: i32,
    expires: String,
}

impl Changes<'_> {
    /// Makes a change and says what it was; nothing where the chosen one cannot happen.
    pub async fn one(&mut self) -> Option<String> {
        let groups = ids(self.conn, "select id from namespaces where type = 'Group' order by id").await;
        let homes = ids(self.conn, "select id from namespaces where type <> 'Project' order by id").await;
        let projects = ids(self.conn, "select id from projects order by id").await;
        let user = UserId(self.random.random_range(1..=USERS));
        let grant = self.grant();
        let name = self.choose(&NAMES);
        let (group, project) = (self.pick(&groups), self.pick(&projects));
        match (self.random.random_range(0..13), group, project) {
            (0 | 1, parent, _) => {
                let parent = parent.filter(|_| self.random.random_range(0..4) > 0);
                self.new_group(parent, name).await
            }
            (2 | 3, _, _) => {
                let home = self.pick(&homes)?;
                self.new_project(home, name).await
            }
            (4 | 5, Some(group), _) => {
                self.member("Namespace", group, group, user, &grant).await;
                Some(format!("{user} in group {group} at {grant}"))
            }
            (6, _, Some(project)) => {
                let namespace = self.namespace_of(project).await;
                self.member("Project", project, namespace, user, &grant).await;
                Some(format!("{user} in project {project} at {grant}"))
            }
            (7, Some(group), Some(project)) if self.random.random_range(0..3) == 0 => {
                self.unshare_project(project, group).await
            }
            (7, Some(group), Some(project)) => self.share_project(project, group, &grant).await,
            (8, Some(group), _) => {
                let with = self.pick(&groups)?;
                self.share_group(group, with, &grant).await
            }
            (9, Some(group), _) => self.toggle_lock(group).await,
            (10 | 11, Some(group), _) => {
                let parent = self.pick(&groups).filter(|_| self.random.random_range(0..3) > 0);
                self.move_group(group, parent, name).await
            }
            (12, _, Some(project)) => {
                let home = self.pick(&homes)?;
                self.move_project(project, home, name).await
            }
            _ => None,
        }
    }

    fn grant(&mut self) -> Grant {
        let level = self.choose(&LEVELS);
        let expires = match self.random.random_range(0..4) {
            0 => format!("'{}'", today()),
            1 => format!("'{}'", today() + Days::new(1)),
            _ => "null".to_owned(),
        };
        Grant { level, expires }
    }

    async fn new_group(&mut self, parent: Option<i64>, name: &str) -> Option<String> {
        self.free(parent, name).await?;
        let parent = or_null(parent);
        let made = format!(
            "insert into namespaces (type, name, path, parent_id) values ('Group', '{name}', '{name}', {parent}) returning id"
        );
        let id = scalar(self.conn, &made).await;
        refresh_namespace(self.conn, NamespaceId(id)).await.unwrap();
        Some(format!("group {id} in {parent}"))
    }

    async fn new_project(&mut self, home: i64, name: &str) -> Option<String> {
        self.free(Some(home), name).await?;
        let made = format!(
            "insert into namespaces (type, name, path, parent_id) values ('Project', '{name}', '{name}', {home}) returning id"
        );
        let namespace = scalar(self.conn, &made).await;
        let made = format!(
            "insert into projects (name, path, namespace_id, project_namespace_id)
             values ('{name}', '{name}', {home}, {namespace})"
        );
        execute(self.conn, &made).await;
        refresh_namespace(self.conn, NamespaceId(namespace)).await.unwrap();
        self.refresh_who_reach(&[home], &[]).await;
        Some(format!("project in {home}"))
    }

    /// A membership of another level, of a state that does not count, or none any more.
    async fn member(&mut self, source_type: &str, source: i64, namespace: i64, user: UserId, grant: &Grant) {
        let gone = format!(
            "delete from members where source_type = '{source_type}' and source_id = {source} and user_id = {user}"
        );
        execute(self.conn, &gone).await;
        let (requested, state) = match self.random.random_range(0..8) {
            0 => ("now()", "0"),
            1 => ("null", "1"),
            _ => ("null", "0"),
        };
        if self.random.random_range(0..5) > 0 {
            let Grant { level, expires } = grant;
            let made = format!(
                "insert into members (type, source_type, source_id, member_namespace_id, user_id, access_level, expires_at,
                                      requested_at, state)
                 values ('x', '{source_type}', {source}, {namespace}, {user}, {level}, {expires}, {requested}, {state})"
            );
            execute(self.conn, &made).await;
        }
        refresh_authorizations(self.conn, &[user], today()).await.unwrap();
    }

    async fn unshare_project(&mut self, project: i64, group: i64) -> Option<String> {
        let before = users_reaching(&mut *self.conn, &[NamespaceId(group)]).await.unwrap();
        let gone = format!("delete from project_group_links where project_id = {project} and group_id = {group}");
        execute(self.conn, &gone).await;
        refresh_authorizations(self.conn, &before, today()).await.unwrap();
        Some(format!("no share of project {project} with {group}"))
    }

    async fn share_project(&mut self, project: i64, group: i64, grant: &Grant) -> Option<String> {
        let Grant { level, expires } = grant;
        let made = format!(
            "insert into project_group_links (project_id, group_id, group_access, expires_at)
             values ({project}, {group}, {level}, {expires})
             on conflict (project_id, group_id)
             do update set group_access = excluded.group_access, expires_at = excluded.expires_at"
        );
        execute(self.conn, &made).await;
        self.refresh_who_reach(&[group], &[]).await;
        Some(format!("share of project {project} with {group} at {grant}"))
    }

    async fn share_group(&mut self, group: i64, with: i64, grant: &Grant) -> Option<String> {
        if with == group {
            return None;
        }
        let before = users_reaching(&mut *self.conn, &[NamespaceId(with)]).await.unwrap();
        let Grant { level, expires } = grant;
        let made = format!(
            "insert into group_group_links (shared_group_id, shared_with_group_id, group_access, expires_at)
             values ({group}, {with}, {level}, {expires})
             on conflict (shared_group_id, shared_with_group_id)
             do update set group_access = excluded.group_access, expires_at = excluded.expires_at"
        );
        execute(self.conn, &made).await;
        refresh_authorizations(self.conn, &before, today()).await.unwrap();
        Some(format!("share of group {group} with {with} at {grant}"))
    }

    async fn toggle_lock(&mut self, group: i64) -> Option<String> {
        let toggled =
            format!("update namespaces set share_with_group_lock = not share_with_group_lock where id = {group}");
        execute(self.conn, &toggled).await;
        let inside = format!("select project_namespace_id from projects where namespace_id = {group}");
        let inside = ids(self.conn, &inside).await;
        self.refresh_who_reach(&inside, &[]).await;
        Some(format!("lock of {group}"))
    }

    async fn move_group(&mut self, group: i64, parent: Option<i64>, name: &str) -> Option<String> {
        let inside = format!("select id from namespaces where {group} = any (traversal_ids)");
        let inside = ids(self.conn, &inside).await;
        if parent.is_some_and(|parent| inside.contains(&parent)) {
            return None;
        }
        self.free(parent, name).await?;
        let parent = or_null(parent);
        lock_root(self.conn, NamespaceId(group)).await.unwrap();
        let before = users_reaching(&mut *self.conn, &[NamespaceId(group)]).await.unwrap();
        let moved =
            format!("update namespaces set parent_id = {parent}, path = '{name}', name = '{name}' where id = {group}");
        execute(self.conn, &moved).await;
        refresh_namespace(self.conn, NamespaceId(group)).await.unwrap();
        self.refresh_who_reach(&[group], &before).await;
        Some(format!("group {group} to {parent} as {name}"))
    }

    async fn move_project(&mut self, project: i64, home: i64, name: &str) -> Option<String> {
        self.free(Some(home), name).await?;
        let namespace = self.namespace_of(project).await;
        let before = users_reaching(&mut *self.conn, &[NamespaceId(namespace)]).await.unwrap();
        for moved in [
            format!("update projects set namespace_id = {home}, path = '{name}', name = '{name}' where id = {project}"),
            format!(
                "update namespaces set parent_id = {home}, path = '{name}', name = '{name}' where id = {namespace}"
            ),
        ] {
            execute(self.conn, &moved).await;
        }
        refresh_namespace(self.conn, NamespaceId(namespace)).await.unwrap();
        self.refresh_who_reach(&[namespace], &before).await;
        Some(format!("project {project} to {home} as {name}"))
    }

    /// Refreshes whoever reaches the namespaces now, and those who did before.
    async fn refresh_who_reach(&mut self, namespaces: &[i64], before: &[UserId]) {
        let namespaces: Vec<NamespaceId> = namespaces.iter().copied().map(NamespaceId).collect();
        let mut users = users_reaching(&mut *self.conn, &namespaces).await.unwrap();
        users.extend(before);
        refresh_authorizations(self.conn, &users, today()).await.unwrap();
    }

    async fn namespace_of(&mut self, project: i64) -> i64 {
        scalar(self.conn, &format!("select project_namespace_id from projects where id = {project}")).await
    }

    /// Something where the name is free in the parent.
    async fn free(&mut self, parent: Option<i64>, name: &str) -> Option<()> {
        let parent = or_null(parent);
        let taken =
            format!("select id from namespaces where parent_id is not distinct from {parent} and path = '{name}'");
        ids(self.conn, &taken).await.is_empty().then_some(())
    }

    fn choose<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.random.random_range(0..of.len())]
    }

    fn pick(&mut self, of: &[i64]) -> Option<i64> {
        (!of.is_empty()).then(|| self.choose(of))
    }
}

impl std::fmt::Display for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} until {}", self.level, self.expires)
    }
}

fn or_null(id: Option<i64>) -> String {
    id.map_or_else(|| "null".to_owned(), |id| id.to_string())
}

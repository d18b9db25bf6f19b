//! Derived rows computed anew, the plain way: what they derive from is read into memory and followed in loops.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use sqlx::PgConnection;

use super::{USERS, today};

/// All that derived rows derive from.
pub struct World {
    namespaces: BTreeMap<i64, Namespace>,
    /// Projects by id: home and project namespace.
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

/// What each group, user and project is called, by kind and id: path, name, namespace.
pub type Routes = BTreeMap<(String, i64), (String, String, i64)>;

impl World {
    /// What the database holds now.
    pub async fn load(conn: &mut PgConnection) -> Self {
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
            projects: projects.into_iter().map(|(id, home, namespace)| (id, (home, namespace))).collect(),
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

    /// The routes that follow from it.
    pub fn routes(&self) -> Routes {
        let project_namespaces: BTreeMap<i64, i64> =
            self.projects.iter().map(|(id, (_, namespace))| (*namespace, *id)).collect();
        self.namespaces
            .keys()
            .map(|id| {
                let source = project_namespaces
                    .get(id)
                    .map_or(("Namespace".to_owned(), *id), |project| ("Project".to_owned(), *project));
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

    /// Compares every derived row with what follows from the others.
    pub async fn compare(
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

//! Which projects are forks of which.

use sqlx::{PgConnection, PgExecutor};

use super::Result;
use crate::domain::ids::ProjectId;

/// The projects that these are forks of; those that are none are left out.
pub async fn list_sources(db: impl PgExecutor<'_>, projects: &[i64]) -> Result<Vec<(ProjectId, ProjectId)>> {
    let rows = sqlx::query!(
        r#"
        select project_id, forked_from_project_id as "source!"
        from fork_network_members
        where project_id = any ($1)
          and forked_from_project_id is not null
        "#,
        projects
    );
    let rows = rows.fetch_all(db).await?;
    Ok(rows.into_iter().map(|row| (ProjectId(row.project_id), ProjectId(row.source))).collect())
}

/// Makes the project a fork of another one. Forks of its own, where it was the first of its network, come with it. False
/// where the other one is a fork of this one, at whatever distance.
pub async fn upsert(conn: &mut PgConnection, project: ProjectId, source: ProjectId) -> Result<bool> {
    let descends = sqlx::query_scalar!(
        r#"
        with recursive above as (
          select $2::bigint as project_id
          union
          select members.forked_from_project_id
          from above
          join fork_network_members as members on members.project_id = above.project_id
          where members.forked_from_project_id is not null
        )
        select exists (select from above where project_id = $1) as "descends!"
        "#,
        project.0,
        source.0
    );
    if descends.fetch_one(&mut *conn).await? {
        return Ok(false);
    }
    let network =
        sqlx::query_scalar!("select fork_network_id from fork_network_members where project_id = $1", source.0);
    let network = match network.fetch_optional(&mut *conn).await? {
        Some(network) => network,
        None => {
            sqlx::query_scalar!(
                r#"
                with network as (
                  insert into fork_networks (root_project_id)
                  values ($1)
                  on conflict (root_project_id) do update
                  set root_project_id = excluded.root_project_id
                  returning id
                )
                insert into fork_network_members (fork_network_id, project_id)
                select id, $1
                from network
                returning fork_network_id
                "#,
                source.0
            )
            .fetch_one(&mut *conn)
            .await?
        }
    };
    sqlx::query!(
        "
        update fork_network_members
        set fork_network_id = $2
        where fork_network_id = (select id from fork_networks where root_project_id = $1)
        ",
        project.0,
        network
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("delete from fork_networks where root_project_id = $1 and id <> $2", project.0, network)
        .execute(&mut *conn)
        .await?;
    sqlx::query!(
        "
        insert into fork_network_members (fork_network_id, project_id, forked_from_project_id)
        values ($1, $2, $3)
        on conflict (project_id) do update
        set fork_network_id = excluded.fork_network_id,
          forked_from_project_id = excluded.forked_from_project_id
        ",
        network,
        project.0,
        source.0
    )
    .execute(conn)
    .await?;
    Ok(true)
}

/// Makes the project no fork of any other.
pub async fn delete(db: impl PgExecutor<'_>, project: ProjectId) -> Result<()> {
    sqlx::query!("delete from fork_network_members where project_id = $1", project.0).execute(db).await?;
    Ok(())
}

//! Plans that a root namespace can subscribe to.

use sqlx::PgExecutor;

use super::Result;

/// A plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRow {
    /// `plans.id`
    pub id: i64,
    /// `plans.title`
    pub title: String,
}

/// The plan of that name.
pub async fn find_by_name(db: impl PgExecutor<'_>, name: &str) -> Result<Option<PlanRow>> {
    let row =
        sqlx::query_as!(PlanRow, r#"select id, coalesce(title, '') as "title!" from plans where name = $1"#, name);
    Ok(row.fetch_optional(db).await?)
}

/// The name of the plan with that id.
pub async fn find_name(db: impl PgExecutor<'_>, id: i64) -> Result<Option<String>> {
    let name = sqlx::query_scalar!(r#"select coalesce(name, '') as "name!" from plans where id = $1"#, id);
    Ok(name.fetch_optional(db).await?)
}

/// A new plan, with the given id or the next one.
///
/// # Errors
/// [`super::Error::Duplicate`] where the name is taken.
pub async fn insert(db: impl PgExecutor<'_>, id: Option<i64>, name: &str, title: &str) -> Result<i64> {
    let id = sqlx::query_scalar!(
        "
        insert into plans (id, name, title)
        values (coalesce($1, nextval('plans_id_seq')), $2, $3)
        returning id
        ",
        id,
        name,
        title
    );
    Ok(id.fetch_one(db).await?)
}

/// Writes a plan's name and title.
///
/// # Errors
/// [`super::Error::Duplicate`] where the name is taken.
pub async fn update(db: impl PgExecutor<'_>, id: i64, name: &str, title: &str) -> Result<()> {
    sqlx::query!(
        "
        update plans
        set name = $2,
            title = $3,
            updated_at = now() at time zone 'utc'
        where id = $1
        ",
        id,
        name,
        title
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Removes a plan.
pub async fn delete(db: impl PgExecutor<'_>, id: i64) -> Result<()> {
    sqlx::query!("delete from plans where id = $1", id).execute(db).await?;
    Ok(())
}

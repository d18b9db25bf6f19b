//! What sessions of our role are like by themselves. A pooler that hands out connections a transaction at a time passes
//! no setting on, so what every statement relies on is set for the role, in this database alone.

use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection};

use super::{Db, Result, db, migrate};
use crate::config::DatabaseSettings;

/// Names of settings of the role that are not as they must be behind a pooler.
pub async fn list_differing(db: &Db, settings: &DatabaseSettings) -> Result<Vec<&'static str>> {
    let mut connection = db.session().await?.connect().await?;
    Ok(find_differing(&mut connection, settings).await?.into_iter().map(|(name, _)| name).collect())
}

async fn find_differing(
    connection: &mut PgConnection,
    settings: &DatabaseSettings,
) -> Result<Vec<(&'static str, String)>> {
    let set = sqlx::query_scalar!(
        r#"select unnest(setconfig) as "setting!"
           from pg_db_role_setting
           join pg_database on pg_database.oid = setdatabase
           join pg_roles on pg_roles.oid = setrole
           where datname = current_database()
             and rolname = current_user"#
    );
    let set = set.fetch_all(connection).await?;
    let wanted = db::role_settings(settings);
    Ok(wanted.into_iter().filter(|(name, value)| !set.contains(&format!("{name}={value}"))).collect())
}

/// Sets what differs, for connections that are made from now on, and names it.
async fn set_differing(db: &Db, settings: &DatabaseSettings) -> Result<Vec<&'static str>> {
    let mut connection = db.session().await?.connect().await?;
    let differing = find_differing(&mut connection, settings).await?;
    let statements = sqlx::query_scalar!(
        r#"select format('alter role current_user in database %I set %I = %L', current_database(), name, value) as "statement!"
           from unnest($1::text[], $2::text[]) as setting (name, value)"#,
        &differing.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>(),
        &differing.iter().map(|(_, value)| value.clone()).collect::<Vec<_>>(),
    );
    for statement in statements.fetch_all(&mut connection).await? {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
    }
    Ok(differing.into_iter().map(|(name, _)| name).collect())
}

/// Brings the schema up to date, and where a pooler is in between, what our role's sessions are like. Names the migrations
/// that were applied.
pub async fn prepare(db: &Db, settings: &DatabaseSettings) -> anyhow::Result<Vec<String>> {
    let applied = migrate(db).await?;
    if settings.direct_url.is_some() && !db.is_read_only() {
        let set = set_differing(db, settings).await?;
        if !set.is_empty() {
            tracing::info!(
                settings = set.join(", "),
                "set for our role in this database, for a pooler passes no setting on"
            );
        }
    }
    Ok(applied)
}

//! Whether a database has the schema that the migrations make.

use std::collections::BTreeMap;

use sqlx::{Connection, PgConnection};

use super::{Db, MIGRATIONS, Result};

/// Every way in which the database lacks what the migrations make: a migration that is not applied, a column that is
/// missing or of another type, an index that is gone. Tables and columns beyond ours are none of our business.
///
/// The migrations run in a schema of their own, in a transaction that is rolled back, and the two are compared.
///
/// # Errors
/// Where the database does not answer, or does not let us make that schema.
pub async fn list(db: &Db) -> Result<Vec<String>> {
    let mut connection = db.acquire().await?;
    let ours = catalogue(&mut connection).await?;
    let mut transaction = connection.begin().await?;
    sqlx::raw_sql("create schema gatehouse_expected; set local search_path to gatehouse_expected")
        .execute(&mut *transaction)
        .await?;
    for migration in MIGRATIONS.iter() {
        sqlx::raw_sql(migration.sql.clone()).execute(&mut *transaction).await?;
    }
    let expected = catalogue(&mut transaction).await?;
    transaction.rollback().await?;
    let differences = expected.iter().filter_map(|(name, expected)| match ours.get(name) {
        Some(found) if found == expected => None,
        Some(found) => Some(format!("{name} is {found} and should be {expected}")),
        None => Some(format!("{name} is missing")),
    });
    Ok(differences.collect())
}

/// The columns and indexes of the current schema, by name.
async fn catalogue(connection: &mut PgConnection) -> Result<BTreeMap<String, String>> {
    let rows = sqlx::query!(
        r#"
        select
          'column ' || pg_class.relname || '.' || attname as "name!",
          format_type(atttypid, atttypmod) || case when attnotnull then ' not null' else '' end as "kind!"
        from pg_attribute
        join pg_class on pg_class.oid = attrelid
        where pg_class.relnamespace = current_schema()::regnamespace
          and pg_class.relkind in ('r', 'p')
          and pg_class.relname <> '_sqlx_migrations'
          and attnum > 0
          and not attisdropped
        union all
        select
          'index ' || pg_class.relname,
          pg_am.amname || case when indisunique then ' unique' else '' end
        from pg_index
        join pg_class on pg_class.oid = indexrelid
        join pg_am on pg_am.oid = pg_class.relam
        where pg_class.relnamespace = current_schema()::regnamespace
          and pg_class.relname not like '\_sqlx\_%'
        "#
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.name, row.kind)).collect())
}

//! Everything that a request could have changed: what is refused must leave all of it as it was.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};
use sqlx::PgPool;

/// What is noted of a request whatever its verdict: when a credential was last used, and when its owner was last seen.
const STAMPS: [(&str, &str); 3] =
    [("keys", "last_used_at"), ("users", "last_activity_on"), ("personal_access_tokens", "last_used_at")];
/// What is written of refusals on purpose.
const LEDGERS: [&str; 2] = ["audit_events", "access_refusals"];

/// Every table and every file, each by a digest of its contents.
pub async fn everything(pool: &PgPool, storage: &Path) -> BTreeMap<String, String> {
    let mut all = tables(pool).await;
    files(storage, storage, &mut all);
    all
}

async fn tables(pool: &PgPool) -> BTreeMap<String, String> {
    let tables: Vec<(String, String)> = sqlx::query_as(
        "select table_schema::text, table_name::text
         from information_schema.tables
         where table_type = 'BASE TABLE'
           and table_schema not in ('pg_catalog', 'information_schema')",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let mut query = String::new();
    for (schema, table) in tables.iter().filter(|(_, table)| !LEDGERS.contains(&table.as_str())) {
        let stamps: Vec<&str> = STAMPS.iter().filter(|(of, _)| of == table).map(|(_, column)| *column).collect();
        let row = format!("(to_jsonb(t) - '{{{}}}'::text[])::text", stamps.join(","));
        let union = if query.is_empty() { "" } else { " union all " };
        write!(
            query,
            "{union}select '{schema}.{table}', md5(coalesce(string_agg({row}, '/' order by {row}), '')) \
             from \"{schema}\".\"{table}\" as t"
        )
        .unwrap();
    }
    let digests: Vec<(String, String)> = sqlx::query_as(sqlx::AssertSqlSafe(query)).fetch_all(pool).await.unwrap();
    assert!(digests.len() > 50, "the tables are looked at");
    digests.into_iter().collect()
}

fn files(root: &Path, folder: &Path, all: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().display().to_string();
        if path.is_dir() {
            all.insert(name, "a folder".to_owned());
            files(root, &path, all);
        } else if path.is_file() {
            all.insert(name, format!("{:x?}", Sha256::digest(fs::read(&path).unwrap())));
        }
    }
}

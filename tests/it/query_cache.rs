//! What `.sqlx` recorded of every query is what a freshly migrated database says of it.

use std::fs;
use std::path::Path;

use serde_json::Value;
use sqlx::{AssertSqlSafe, Executor, PgPool, SqlSafeStr, SqlStr};

use crate::tidy::sources;

fn recorded() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".sqlx");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: &Path| serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    files.map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), read(&path))).collect()
}

/// Types of parameters; names and types of columns, and whether they may be null. That is read off a plan, which varies,
/// and counts only where the column's name does not say it with a `!` or a `?`.
fn shape(describe: &Value) -> Value {
    let columns = describe["columns"].as_array().unwrap().iter().zip(describe["nullable"].as_array().unwrap());
    let columns: Vec<Value> = columns
        .map(|(column, nullable)| {
            let name = column["name"].as_str().unwrap();
            let said = name.split(':').next().unwrap_or_default().ends_with(['!', '?']);
            let nullable = if said { &Value::Null } else { nullable };
            serde_json::json!([name, column["type_info"], nullable])
        })
        .collect();
    serde_json::json!([describe["parameters"], columns])
}

#[sqlx::test]
async fn every_recorded_query_is_described_as_it_was(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    for (file, recorded) in recorded() {
        let sql: SqlStr = AssertSqlSafe(recorded["query"].as_str().unwrap().to_owned()).into_sql_str();
        let described = (&mut *connection).describe(sql).await.unwrap_or_else(|error| panic!("{file}: {error}"));
        let described = serde_json::to_value(described).unwrap();
        assert_eq!(shape(&described), shape(&recorded["describe"]), "{file} is out of date");
    }
}

/// A query that was changed leaves its old record behind; the build does not mind, but the reader would.
#[test]
fn no_record_is_of_a_query_that_is_gone() {
    let plain = |text: &str| text.replace("\\\"", "\"").split_whitespace().collect::<Vec<_>>().join(" ");
    let rust = sources("src").into_iter().map(|(_, text)| plain(&text));
    let sql = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store")).unwrap();
    let sql = sql.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end == "sql"));
    // Statements over the table of a scope are put together of literals; see store/scim.rs.
    let scopes = [
        ("group_scim_identities", "identity.group_id = $1"),
        ("scim_identities", "identity.group_id is null and $1::bigint is null"),
    ];
    let rust = rust.flat_map(|text| {
        let joined = text.replace("r#\"", "\"").replace("\"#", "\"");
        let of_scope = scopes
            .map(|(table, condition)| joined.replace("\", TABLE, \"", table).replace("\", IN_SCOPE, \"", condition));
        [text].into_iter().chain(of_scope)
    });
    let texts: Vec<String> = rust.chain(sql.map(|path| plain(&fs::read_to_string(path).unwrap()))).collect();
    for (file, recorded) in recorded() {
        let query = plain(recorded["query"].as_str().unwrap());
        assert!(texts.iter().any(|text| text.contains(&query)), "{file} is of no query any more: {query}");
    }
}

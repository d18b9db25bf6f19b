//! PgBouncer in between, which hands a connection to PostgreSQL out for each transaction.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gatehouse::config::Settings;
use gatehouse::store;
use gatehouse::store::Db;
use sqlx::{ConnectOptions, PgPool};

use crate::database::Story;
use crate::support::cluster::as_postgres;
use crate::support::git::Folder;
use crate::support::pushes::{WAITING, Working, until};

/// A PgBouncer in transaction mode before the test's database; none where there is no such program, or it is too old to
/// know prepared statements (1.21).
struct Pooler {
    folder: Folder,
    process: Child,
}

impl Pooler {
    fn before(pool: &PgPool) -> Option<Self> {
        let program = std::env::var_os("PGBOUNCER").map_or_else(|| PathBuf::from("pgbouncer"), PathBuf::from);
        let version = Command::new(&program).arg("--version").output().ok()?;
        let version = String::from_utf8_lossy(&version.stdout).into_owned();
        let minor = version.split(['.', '\n']).nth(1).and_then(|minor| minor.parse::<u32>().ok());
        if minor.is_none_or(|minor| minor < 21) {
            return None;
        }
        let options = pool.connect_options();
        let (name, port) = (options.get_database().unwrap(), options.get_port());
        let place = options.get_socket().map_or(options.get_host().to_owned(), |folder| folder.display().to_string());
        let folder = Folder::new();
        let home = folder.path().display();
        let settings = format!(
            "[databases]\n{name} = host={place} port={port} dbname={name} user={}\n[pgbouncer]\nlisten_addr =\n\
             listen_port = 6432\nunix_socket_dir = {home}\nauth_type = any\npool_mode = transaction\n\
             max_prepared_statements = 200\ndefault_pool_size = 3\nmax_client_conn = 200\nlogfile = {home}/log\n",
            options.get_username()
        );
        fs::write(folder.path().join("pgbouncer.ini"), settings).unwrap();
        Command::new("chmod").arg("0777").arg(folder.path()).status().unwrap();
        let mut command = as_postgres(&program);
        command.arg(folder.path().join("pgbouncer.ini")).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().unwrap();
        let begun = Instant::now();
        while !folder.path().join(".s.PGSQL.6432").exists() {
            assert!(begun.elapsed() < Duration::from_secs(5), "PgBouncer starts");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(Self { folder, process })
    }

    fn url(&self, pool: &PgPool) -> String {
        let options = (*pool.connect_options()).clone().socket(self.folder.path()).port(6432);
        options.to_url_lossy().to_string()
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Every area answers through it, all at once and over and over, and jobs are heard of at once.
#[sqlx::test]
async fn a_pooler_in_between_changes_nothing(pool: PgPool) {
    let Some(pooler) = Pooler::before(&pool) else {
        eprintln!("left out: there is no pgbouncer of 1.21 or later");
        return;
    };
    let direct = pool.connect_options().to_url_lossy().to_string();
    let yaml = format!("gatehouse: {{database: {{direct_url: '{direct}'}}}}");
    let url = pooler.url(&pool);
    let settings = Settings::load(&yaml, [("DATABASE_URL".to_owned(), url.clone())]).unwrap();
    let database = &settings.gatehouse.database;
    let db = Db::beside(database, 4).unwrap();
    let mut differing = store::role::list_differing(&db, database).await.unwrap();
    differing.sort_unstable();
    assert_eq!(differing, ["jit", "lock_timeout", "plan_cache_mode", "statement_timeout"]);
    store::prepare(&db, database).await.unwrap();
    assert!(store::role::list_differing(&db, database).await.unwrap().is_empty());
    // Connections that PgBouncer has made by now are older than what was set.
    let end = "select pg_terminate_backend(pid) from pg_stat_activity
               where datname = current_database() and pid <> pg_backend_pid() and state = 'idle'";
    sqlx::query(end).execute(&pool).await.unwrap();

    let story = Story::begins(pool.clone(), &url, &yaml).await;
    for _ in 0..20 {
        story.all_is_well().await;
    }
    let shown = async |what: &'static str| sqlx::query_scalar::<_, String>(what).fetch_one(db.pool()).await.unwrap();
    assert_eq!(shown("show plan_cache_mode").await, "force_generic_plan");
    assert_eq!(shown("show statement_timeout").await, "5s");
    let mut transaction = db.begin().await.unwrap();
    let within: String = sqlx::query_scalar("show lock_timeout").fetch_one(&mut *transaction).await.unwrap();
    assert_eq!(within, "5s");
    drop(transaction);

    let working = Working::over(&story.app, db.clone());
    until(&story.app, WAITING, 0).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let begun = Instant::now();
    crate::database::a_push(&story).await;
    until(&story.app, "select count(*) from events", 1 + 20).await;
    assert!(begun.elapsed() < Duration::from_secs(2), "heard of by LISTEN, past the pooler: {:?}", begun.elapsed());
    working.drain().await;
}

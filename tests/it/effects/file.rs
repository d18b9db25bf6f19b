//! What the settings file says is what the server does, where no test of an area shows it.

use std::time::Duration;

use gatehouse::config::Settings;
use gatehouse::crypto::secrets::Secrets;
use gatehouse::store::budgets::DbBudgets;
use secrecy::ExposeSecret;
use serde_json::json;
use sqlx::PgPool;

use crate::support::git::Folder;
use crate::support::pushes::{NEW, WAITING, ZERO, app_with_queue, database_url, report, until};
use crate::support::{Installation, TestApp};

#[sqlx::test]
async fn each_area_has_the_connections_that_the_settings_say(pool: PgPool) {
    let app = TestApp::new(pool);
    let file = "gatehouse:
  limits: {push_check_timeout: 1}
  database:
    acquire_timeout: 1
    statement_timeout: 7
    lock_timeout: 3
    access_connections: 1
    connections: {lookups: 2, pushes: 1, provisioning: 2, scim: 1, kubernetes: 3, upkeep: 2}
";
    let url = database_url(&app).await;
    let settings = Settings::load(file, [("DATABASE_URL".to_owned(), url)]).unwrap();
    let budgets = DbBudgets::new(&settings).unwrap();
    let areas = budgets.each().map(|(name, db)| async move {
        let (mut held, mut refused) = (Vec::new(), 0);
        for _ in 0..4 {
            match db.acquire().await {
                Ok(connection) => held.push(connection),
                Err(_) => refused += 1,
            }
        }
        assert_eq!(held.len() + refused, 4);
        format!("{name} {}", held.len())
    });
    let areas = futures_util::future::join_all(areas).await;
    assert_eq!(areas.join(", "), "access 1, lookups 2, pushes 1, provisioning 2, scim 1, kubernetes 3, upkeep 2");

    let shown = async |what: &'static str| {
        let mut connection = budgets.provisioning.acquire().await.unwrap();
        sqlx::query_scalar::<_, String>(what).fetch_one(&mut *connection).await.unwrap()
    };
    assert_eq!(shown("show statement_timeout").await, "7s");
    assert_eq!(shown("show lock_timeout").await, "3s");
    let here: String = app.given().value("select current_database()::text").await;
    assert_eq!(shown("select current_database()::text").await, here);
    budgets.close().await;
}

#[test]
fn secrets_are_read_from_the_files_that_the_settings_name() {
    let folder = Folder::new();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let kas = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let workhorse = "d29ya2hvcnNlIHNpZ25zIHdpdGggMzIgYnl0ZXMgISE=";
    let base = "a db key base that is long enough to be one, as it seems to me";
    for (name, secret) in [("shell", "the shell's own secret, of 32 bytes"), ("kas", kas), ("workhorse", workhorse)] {
        std::fs::write(path(name), secret).unwrap();
    }
    std::fs::write(path("base"), base).unwrap();
    let file = format!(
        "gitlab_shell: {{secret_file: '{}'}}\ngitlab_kas: {{secret_file: '{}'}}\nworkhorse: {{secret_file: '{}'}}\n\
         gatehouse: {{db_key_base_file: '{}'}}\n",
        path("shell"),
        path("kas"),
        path("workhorse"),
        path("base")
    );
    let secrets = Secrets::load_or_create(&Settings::load(&file, []).unwrap()).unwrap();
    let read =
        [&secrets.shell, &secrets.kas, &secrets.workhorse, &secrets.db_key_base].map(ExposeSecret::expose_secret);
    assert_eq!(read, ["the shell's own secret, of 32 bytes", kas, workhorse, base]);
}

#[sqlx::test]
async fn ssh_clone_urls_are_made_of_user_host_and_port(pool: PgPool) {
    for (file, url) in [
        ("ssh_user: forge, ssh_host: ssh.example.com, ssh_port: 2222", "ssh://forge@ssh.example.com:2222/g/p.git"),
        ("ssh_user: forge, ssh_host: ssh.example.com", "forge@ssh.example.com:g/p.git"),
        ("ssh_user: git", "git@git.example.com:g/p.git"),
    ] {
        let app = TestApp::with(pool.clone(), &format!("gitlab: {{host: git.example.com}}\ngitlab_shell: {{{file}}}"));
        let given = app.given();
        if given.value::<i64>("select count(*) from projects").await == 0 {
            given.project("g/p").await.developer("rubi").await.moved_from("g/old").await;
        }
        let ask = json!({
            "action": "git-upload-pack", "project": "g/old", "changes": "_any", "protocol": "ssh", "username": "rubi",
        });
        assert_eq!(app.post("/allowed", ask).await.status, 200);
        let message: String = given.value("select message from post_push_messages").await;
        assert!(message.ends_with(&format!("origin {url}\n")), "{message}");
    }
}

#[sqlx::test]
async fn a_server_may_leave_the_jobs_to_others(pool: PgPool) {
    let app = app_with_queue(pool).await;
    let project = app.given().project("g/p").await.id;
    let idle = Installation::new(&app.pool, "  jobs: {concurrency: 0}\n").serve();
    let report = report(&format!("project-{project}"), "user-1", &format!("{ZERO} {NEW} refs/heads/x\n"));
    assert_eq!(app.post_receive(report).await.status, 200);
    tokio::time::sleep(Duration::from_millis(700)).await;
    until(&app, WAITING, 1).await;
    let _busy = Installation::new(&app.pool, "  jobs: {concurrency: 1}\n").serve();
    until(&app, WAITING, 0).await;
    drop(idle);
}

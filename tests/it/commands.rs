//! The command line: help, versions, settings with mistakes, `token`, `check` and `migrate`.

use std::fs;
use std::time::{Duration, Instant};

use sqlx::PgPool;

use crate::support::{Installation, TestApp, TestGitaly, unmigrate};

const NOWHERE: &str = "postgres://nobody@localhost/nothing?host=/nonexistent";

fn installation(settings: &str) -> Installation {
    Installation::at(NOWHERE.to_owned(), settings)
}

#[test]
fn help_names_every_command_and_says_what_it_does() {
    let installation = installation("");
    let help = installation.run(&["--help"]);
    assert_eq!(help.code, 0);
    for words in
        ["serve ", "migrate ", "check ", "token ", "--config <FILE>", "GATEHOUSE_CONFIG", "Without a command it serves"]
    {
        assert!(help.stdout.contains(words), "{words} in {}", help.stdout);
    }
    let token = installation.run(&["help", "token"]);
    assert!(
        token.stdout.contains("curl -H \"Gitlab-Shell-Api-Request: $(gatehouse token shell)\""),
        "{}",
        token.stdout
    );
    let wrong = installation.run(&["serv"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.stderr.contains("serve"), "the nearest command is suggested: {}", wrong.stderr);
    for arguments in [&["--version"][..], &["token", "--version"]] {
        let version = installation.run(arguments);
        assert!(version.stdout.contains(&format!("{} (", env!("CARGO_PKG_VERSION"))), "{version:?}");
    }
}

#[test]
fn settings_with_mistakes_are_refused_with_all_of_them() {
    let installation = installation("  lisetn: 1\n  limits: {connections: 0}\ngitlab: {port: http}\n");
    for command in [&["serve"][..], &[], &["migrate"], &["token", "shell"]] {
        let ran = installation.run(command);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{command:?}");
        assert!(
            ran.stderr.ends_with("\nCorrect them there; `gatehouse schema settings` describes every key.\n"),
            "{ran:?}"
        );
        let mistakes: Vec<&str> = ran.stderr.lines().skip(1).filter(|line| line.starts_with(' ')).collect();
        insta::allow_duplicates! {
            insta::assert_snapshot!(mistakes.join("\n"), @"
            gatehouse.limits.connections: must be at least 1
            gatehouse.lisetn: unknown key; did you mean `listen`?
            gitlab.port: must be integer, for example 443
            ");
        }
    }
    let checked = installation.run(&["check"]);
    assert_eq!(checked.code, 1);
    assert!(checked.stdout.starts_with("settings: FAILED: ") && checked.stdout.contains("lisetn"), "{checked:?}");
    fs::remove_file(installation.folder.join("gitlab.yml")).unwrap();
    let ran = installation.run(&["token", "shell"]);
    assert!(ran.code == 1 && ran.stderr.contains("cannot read the settings file"), "{ran:?}");
}

#[sqlx::test]
async fn a_token_of_the_command_line_is_taken(pool: PgPool) {
    let served = Installation::new(&pool, "").serve();
    let mut wire = served.connect();
    assert_eq!(wire.ask("GET", "/api/v4/internal/check", &served.signature(), "").status, 200);
    let kas = served.installation.run(&["token", "kas"]);
    assert_eq!((kas.code, kas.stdout.lines().count(), kas.stderr.as_str()), (0, 1, ""), "a token and nothing else");
    let header = format!("Gitlab-Shell-Api-Request: {}\r\n", kas.stdout.trim());
    assert_eq!(wire.ask("GET", "/api/v4/internal/check", &header, "").status, 401);
    fs::write(served.installation.folder.join("kas"), "not 32 bytes").unwrap();
    let broken = served.installation.run(&["token", "kas"]);
    assert!(broken.code == 1 && broken.stderr.contains("secret of kas"), "{broken:?}");
    assert!(!broken.stderr.contains("not 32 bytes"), "a secret is not printed: {broken:?}");
    fs::write(served.installation.folder.join("shell"), " \n").unwrap();
    let empty = served.installation.run(&["token", "shell"]);
    assert!(empty.code == 1 && empty.stderr.contains("is empty"), "{empty:?}");
}

#[sqlx::test]
async fn check_judges_all_that_serving_needs(pool: PgPool) {
    let mut gitaly = TestGitaly::start();
    let installation = Installation::new(&pool, &gitaly.settings());
    let verdicts = |installation: &Installation| {
        let ran = installation.run(&["check"]);
        (ran.code, ran.stdout.replace(&installation.folder.display().to_string(), "FOLDER"))
    };
    let (code, said) = verdicts(&installation);
    assert_eq!(code, 0, "{said}");
    insta::assert_snapshot!(said, @"
    settings: ok
    secret of gitlab-shell: ok (FOLDER/shell)
    secret of kas: ok (FOLDER/kas)
    db_key_base: ok (FOLDER/base)
    database: ok
    schema: ok
    storages: ok
    storage default: ok (Gitaly 16.8.0, git 2.43.0)
    ");
    gitaly.stop();
    fs::remove_file(installation.folder.join("shell")).unwrap();
    fs::write(installation.folder.join("kas"), "x").unwrap();
    let given = crate::support::TestApp::new(pool.clone()).given();
    given.project("g/p").await.is("repository_storage = 'second'").await;
    given.sql("alter table keys drop column last_used_at; drop index index_on_routes_lower_path").await;
    let (code, said) = verdicts(&installation);
    assert_eq!(code, 1);
    let (said, storage) = said.trim_end().rsplit_once('\n').unwrap();
    assert!(storage.starts_with("storage default: FAILED: Gitaly is not available: "), "{storage}");
    insta::assert_snapshot!(said, @"
    settings: ok
    secret of gitlab-shell: FAILED: cannot read the secret file FOLDER/shell: it is not there; `gatehouse serve` and `gatehouse apply` make it
    secret of kas: FAILED: the secret of kas must be 32 bytes in base64, as `openssl rand -base64 32` prints them: Invalid input length: 1
    db_key_base: ok (FOLDER/base)
    database: ok
    schema: FAILED: departs from the migrations; `gatehouse migrate` applies those that it lacks:
      column keys.last_used_at is missing
      index gatehouse_keys_by_last_use is missing
      index index_on_routes_lower_path is missing
    storages: FAILED: projects live on second, which repositories.storages does not name; add it there, with its gitaly_address
    ");
    let (code, said) = verdicts(&self::installation("  database: {acquire_timeout: 1}\n"));
    assert!(code == 1 && said.contains("\ndatabase: FAILED: the database is not available"), "{said}");
}

/// Every storage is asked, and within a bound: the one that answers, the one that says nothing, the one of another name.
#[sqlx::test]
async fn check_asks_each_storage(pool: PgPool) {
    let gitaly = TestGitaly::start();
    // Nobody accepts here, so a dial hangs or is answered by silence.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = gitaly.address();
    let storages = format!(
        "repositories: {{storages: {{default: {{gitaly_address: '{at}'}}, other: {{gitaly_address: '{at}'}}, \
         silent: {{gitaly_address: 'tcp://{}'}}}}}}\n",
        silent.local_addr().unwrap()
    );
    let installation = Installation::new(&pool, &storages);
    let check = || {
        let ran = installation.run(&["check"]);
        let lines: Vec<_> = ran.stdout.lines().filter(|line| line.starts_with("storage ")).map(str::to_owned).collect();
        (ran.code, lines)
    };
    let begun = Instant::now();
    let (code, lines) = check();
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    assert_eq!((code, lines.len()), (1, 3), "{lines:?}");
    assert_eq!(lines[0], "storage default: ok (Gitaly 16.8.0, git 2.43.0)");
    let others = "storage other: FAILED: Gitaly 16.8.0, git 2.43.0 cannot read and write a storage of this name; those that \
                  it can: default";
    assert_eq!(lines[1], others);
    assert!(lines[2].starts_with("storage silent: FAILED: Gitaly "), "{}", lines[2]);
    fs::write(gitaly.storage().join("read-only"), "").unwrap();
    assert!(check().1[0].ends_with("those that it can: none"));
    gitaly.fail("ServerInfo", tonic::Status::unauthenticated("authentication required"));
    assert!(check().1[0].starts_with("storage default: FAILED: Gitaly failed: "));
}

#[sqlx::test(migrations = false)]
async fn migrate_says_what_it_did(pool: PgPool) {
    unmigrate(&pool).await;
    let installation = Installation::new(&pool, "");
    let first = installation.run(&["migrate"]);
    assert!(first.code == 0 && first.stdout.starts_with("applied 0001 accounts\n"), "{first:?}");
    let second = installation.run(&["migrate"]);
    assert_eq!((second.code, second.stdout.as_str()), (0, "the schema is up to date\n"));
}

#[sqlx::test]
async fn missing_secrets_are_made_and_kept_to_their_owner(pool: PgPool) {
    use std::os::unix::fs::PermissionsExt;
    let installation = Installation::new(&pool, "");
    for name in ["shell", "kas", "base"] {
        fs::remove_file(installation.folder.join(name)).unwrap();
    }
    let served = installation.serve();
    assert_eq!(served.connect().ask("GET", "/api/v4/internal/check", &served.signature(), "").status, 200);
    for (name, length) in [("shell", 32), ("kas", 44), ("base", 128)] {
        let path = served.installation.folder.join(name);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
        assert_eq!(fs::read_to_string(&path).unwrap().len(), length, "{name}");
    }
    assert_eq!(served.installation.run(&["token", "kas"]).code, 0);
}

#[sqlx::test]
async fn two_servers_do_not_share_a_socket(pool: PgPool) {
    let served = Installation::new(&pool, "").serve();
    let second = served.installation.run(&["serve"]);
    assert_eq!(second.code, 1);
    assert!(second.stderr.contains("another server listens on this socket"), "{second:?}");
    assert_eq!(served.connect().ask("GET", "/api/v4/internal/check", &served.signature(), "").status, 200);
}

/// A token of the command line lets its agent in until it is taken back; a third active one is refused.
#[sqlx::test]
async fn tokens_of_agents_are_made_and_taken_back(pool: PgPool) {
    let app = TestApp::new(pool.clone());
    let project = app.given().project("acme/infra").await.id;
    app.given().agent(project, "prod", None).await;
    app.given()
        .sql("insert into project_default_branches (project_id, name, known_at) select id, 'main', now() from projects")
        .await;
    let installation = Installation::new(&pool, "");
    let new = |name: &str| installation.run(&["agent", "token", "new", "acme/infra", "prod", "--name", name]);
    let (first, second, third) = (new("first"), new("second"), new("third"));
    assert_eq!((first.code, second.code, third.code), (0, 0, 1), "{third:?}");
    assert!(third.stderr.contains("has 2 active tokens"), "{third:?}");
    let served = installation.serve();
    let status = |token: &str| {
        let kas = served.installation.run(&["token", "kas"]).stdout;
        let headers =
            format!("Gitlab-Kas-Api-Request: {}\r\nGitlab-Agent-Api-Request: {}\r\n", kas.trim(), token.trim());
        served.connect().ask("GET", "/api/v4/internal/kubernetes/agent_info", &headers, "").status
    };
    assert_eq!((status(&first.stdout), status(&second.stdout), status("glagent-none")), (200, 200, 401));
    let revoked = served.installation.run(&["agent", "token", "revoke", "acme/infra", "prod", "--name", "first"]);
    assert_eq!((revoked.code, revoked.stderr.as_str()), (0, "revoked token first of agent prod\n"));
    assert_eq!((status(&first.stdout), status(&second.stdout)), (401, 200));
    let again = served.installation.run(&["agent", "token", "revoke", "acme/infra", "prod", "--name", "first"]);
    assert_eq!(again.code, 1);
    let events: Vec<String> =
        sqlx::query_scalar("select details from audit_events order by id").fetch_all(&pool).await.unwrap();
    assert_eq!(events.len(), 3);
    assert!(events[2].contains("cluster_agent_token_revoked") && !events.concat().contains("glagent"), "{events:?}");
}

#[sqlx::test]
async fn tokens_of_users_are_made_listed_and_revoked(pool: PgPool) {
    let app = TestApp::new(pool.clone());
    let given = app.given();
    given.user("rubi").await;
    given.project("acme/web").await.developer("rubi").await;
    let served = Installation::new(&pool, "").serve();
    let run = |arguments: &[&str]| served.installation.run(&[&["token"][..], arguments].concat());
    let end = (app.clock.now() + chrono::TimeDelta::days(30)).date_naive().to_string();
    let scopes = "read_repository,read_api";
    let made = run(&["new", "RUBI", "--name", "laptop", "--scopes", scopes, "--expires-at", &end]);
    assert_eq!(made.code, 0, "{made:?}");
    assert_eq!(made.stdout.lines().count(), 1, "the token and nothing else: {made:?}");
    assert!(made.stderr.contains(&format!("laptop of RUBI, refused from {end} on; it is not shown again")), "{made:?}");
    let token = made.stdout.trim().to_owned();
    let opened =
        served.connect().ask("GET", "/api/v4/personal_access_tokens/self", &format!("PRIVATE-TOKEN: {token}\r\n"), "");
    assert_eq!((opened.status, &opened.json()["name"]), (200, &"laptop".into()));

    let json = run(&["new", "rubi", "--name", "ci", "--scopes", "api", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((&json["username"], &json["scopes"]), (&"rubi".into(), &serde_json::json!(["api"])));
    assert!(json["token"].as_str().unwrap().starts_with("glpat-"), "{json}");
    let listed = run(&["list", "rubi"]);
    assert_eq!(listed.stdout.lines().count(), 2, "{listed:?}");
    assert!(listed.stdout.contains(&format!("\tlaptop\tread_repository read_api\tgood\t{end}\t")), "{listed:?}");
    assert!(!listed.stdout.contains(&token), "no list shows a token");

    let id = json["id"].to_string();
    let revoked = run(&["revoke", &id]);
    assert_eq!((revoked.code, revoked.stderr.as_str()), (0, &*format!("revoked token {id}, ci of rubi\n")));
    let again = run(&["revoke", &id, "999999"]);
    assert!(again.code == 1 && again.stderr.contains(&format!("{id}, 999999")), "{again:?}");
    assert_eq!(run(&["list", "rubi"]).stdout.lines().count(), 1);
    let all = run(&["list", "rubi", "--all", "--json"]);
    assert!(all.stdout.lines().count() == 2 && all.stdout.contains(r#""revoked":true"#), "{all:?}");
    let events = "select string_agg(details, ' ' order by id) from audit_events";
    let events: String = given.value(events).await;
    assert_eq!(events.matches("personal_access_token_issued").count(), 2, "{events}");
    assert_eq!(events.matches("personal_access_token_revoked").count(), 1, "{events}");

    for (arguments, words) in [
        (&["new", "nobody", "--name", "x", "--scopes", "api"][..], "there is no user nobody"),
        (&["new", "rubi", "--name", "x", "--scopes", "everything"], "Invalid scope: 'everything'"),
        (&["new", "rubi", "--name", " ", "--scopes", "api"], "No token name specified"),
        (&["new", "rubi", "--name", "x", "--scopes", "api", "--expires-at", "soon"], "Invalid token expiry date"),
        (&["list", "nobody"], "there is no user nobody"),
    ] {
        let refused = run(arguments);
        assert!(refused.code == 1 && refused.stdout.is_empty() && refused.stderr.contains(words), "{refused:?}");
    }
    given.sql("update users set state = 'blocked' where username = 'rubi'").await;
    let blocked = run(&["new", "rubi", "--name", "x", "--scopes", "api"]);
    assert!(blocked.code == 1 && blocked.stderr.contains("rubi may have no token"), "{blocked:?}");
}

//! How commands behave: what they print where, how they end, what they say would help; and `init`, `completions`, `man`.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;
use sqlx::PgPool;

use crate::support::{Installation, TestApp, TestGitaly, unmigrate};

/// The command in a folder with neither settings nor secrets.
fn bare(installation: &Installation, arguments: &[&str]) -> Command {
    let mut command = installation.command(arguments);
    command.env_remove("GATEHOUSE_CONFIG").env_remove("DATABASE_URL");
    command
}

fn ran(command: &mut Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let [said, complained] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (output.status.code().unwrap(), said, complained)
}

/// The two files are enough for an installation, once it is said where PostgreSQL and Gitaly are.
#[sqlx::test(migrations = false)]
async fn what_init_writes_works(pool: PgPool) {
    unmigrate(&pool).await;
    let gitaly = TestGitaly::start();
    let installation = Installation::new(&pool, "");
    let run = |arguments: &[&str]| {
        let mut command = installation.command(arguments);
        command.env_remove("GATEHOUSE_CONFIG").env("REPOSITORIES__STORAGES__DEFAULT__GITALY_ADDRESS", gitaly.address());
        ran(&mut command)
    };
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGyxHgpraOrShdfywQtjKJAon2hdMzMFgHcpCga9wXgi \"me\"\n";
    fs::write(installation.folder.join("id.pub"), key).unwrap();
    let (code, said, complained) = run(&["init", "--key", "id.pub"]);
    assert_eq!((code, complained.as_str()), (0, ""), "{said}");
    assert!(said.starts_with("wrote config/gitlab.yml\nwrote config/state.yml\n"), "{said}");
    let mut done = Vec::new();
    for line in said.lines().filter_map(|line| line.trim().strip_prefix("gatehouse ")) {
        let line = line.split('#').next().unwrap().replace('\'', "");
        let words: Vec<&str> = line.split_whitespace().collect();
        if words[0] != "serve" {
            let (code, said, complained) = run(&words);
            assert_eq!(code, 0, "{line}: {said}{complained}");
        }
        done.push(words[0].to_owned());
    }
    assert_eq!(done, ["migrate", "apply", "check", "serve"]);
    let (_, _, again) = run(&["apply", "-f", "config/state.yml", "--dry-run"]);
    assert!(again.ends_with("nothing to change\n"), "{again}");
    assert!(gitaly.storage().join("@hashed").exists(), "the project has a repository");
    let keys: i64 = sqlx::query_scalar("select count(*) from keys").fetch_one(&pool).await.unwrap();
    assert_eq!(keys, 1);
}

#[test]
fn init_overwrites_nothing_unless_it_is_told_to() {
    let installation = Installation::at(String::new(), "");
    let (code, said, _) = ran(&mut bare(&installation, &["init", "here"]));
    assert!(code == 0 && said.contains("export GATEHOUSE_CONFIG='here/gitlab.yml'"), "{said}");
    let state = installation.folder.join("here/state.yml");
    fs::remove_file(installation.folder.join("here/gitlab.yml")).unwrap();
    fs::write(&state, "users: []\n").unwrap();
    let (code, said, complained) = ran(&mut bare(&installation, &["init", "here"]));
    assert_eq!((code, said.as_str()), (1, ""));
    assert!(complained.contains("here/state.yml is there already") && complained.contains("--force"), "{complained}");
    assert!(!installation.folder.join("here/gitlab.yml").exists(), "it is both or none");
    assert_eq!(ran(&mut bare(&installation, &["init", "here", "--force"])).0, 0);
    assert_eq!(fs::read_to_string(&state).unwrap(), include_str!("../../config/first-state.yml"));
    fs::write(installation.folder.join("private"), "-----BEGIN OPENSSH PRIVATE KEY-----\n").unwrap();
    for (file, words) in [("private", "ends in .pub"), ("nowhere.pub", "ssh-keygen makes")] {
        let (code, _, complained) = ran(&mut bare(&installation, &["init", "there", "--key", file]));
        assert!(code == 1 && complained.contains(words), "{complained}");
    }
    assert!(!installation.folder.join("there").exists());
}

/// Commands that say something about the program itself ask for no settings.
#[test]
fn completions_and_manuals_are_printed() {
    let installation = Installation::at(String::new(), "  lisetn: 1\n");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = installation.run(&["completions", shell]);
        assert!(ran.code == 0 && ran.stdout.contains("ledger") && ran.stderr.is_empty(), "{shell}: {ran:?}");
    }
    assert_eq!(installation.run(&["completions", "cmd"]).code, 2);
    let page = installation.run(&["man"]);
    assert!(page.code == 0 && page.stdout.contains(".TH gatehouse 1"), "{page:?}");
    assert!(page.stdout.contains(".SH \"EXIT STATUS\"\n") && page.stdout.contains("GATEHOUSE_CONFIG"), "{page:?}");
    assert_eq!(installation.run(&["man", "share/man1"]).code, 0);
    for name in ["gatehouse.1", "gatehouse-serve.1", "gatehouse-jobs-list.1", "gatehouse-agent-token-new.1"] {
        let page = fs::read_to_string(installation.folder.join("share/man1").join(name)).unwrap();
        assert!(page.contains(".SH SYNOPSIS"), "{page}");
    }
    for document in ["state", "settings"] {
        let schema: Value = serde_json::from_str(&installation.run(&["schema", document]).stdout).unwrap();
        assert!(schema["properties"].is_object());
    }
}

#[test]
fn help_says_how_commands_end() {
    let help = Installation::at(String::new(), "").run(&["--help"]).stdout;
    for words in
        ["Exit status:\n  0  Done.", "\n  1  It failed", "\n  2  The command line is wrong", "NO_COLOR", "--json"]
    {
        assert!(help.contains(words), "{words} in {help}");
    }
}

/// As `gatehouse man | head -1` does it.
#[test]
fn a_reader_may_leave() {
    let installation = Installation::at(String::new(), "");
    for arguments in [&["man"][..], &["schema", "state"], &["completions", "bash"]] {
        let mut child = installation.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), String::new()));
    }
}

/// With `--json` each command prints a JSON object a line; in a pipe, lines with tabs; both without colours.
#[sqlx::test]
async fn lists_are_for_programs_where_nobody_looks(pool: PgPool) {
    let gitaly = TestGitaly::start();
    let given = TestApp::new(pool.clone()).given();
    given.project("g/p").await.developer("rubi").await;
    let author =
        "insert into audit_events (author_id, author_name, entity_type, entity_id, entity_path, details, created_at)
                  values (1, E'ru\\tbi', 'User', 1, 'rubi', E'---\\n:event_name: login\\n', '2026-11-21 04:00')";
    given.sql(author).await;
    let installation = Installation::new(&pool, &gitaly.settings());
    assert_eq!(installation.run(&["serve", "--no-such"]).code, 2);
    let lines = |arguments: &[&str]| {
        let ran = installation.run(arguments);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{arguments:?}");
        assert!(!ran.stdout.contains('\x1b'));
        ran.stdout.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let events = lines(&["audit", "tail"]);
    assert_eq!(events, ["2026-11-21T04:00:00Z\tlogin\tru bi\tUser rubi\t-\t\t"]);
    let json = |arguments: &[&str]| -> Vec<Value> {
        lines(arguments).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let events = json(&["audit", "tail", "--json"]);
    assert_eq!((events.len(), &events[0]["author"]), (1, &Value::from("ru\tbi")));
    let verdicts = json(&["check", "--json"]);
    assert_eq!(verdicts[0]["check"], "settings");
    assert!(verdicts.len() > 6 && verdicts.iter().all(|verdict| verdict["ok"] == true), "{verdicts:#?}");
    assert_eq!(json(&["usage", "--json"]).len(), 1);
    assert_eq!(lines(&["usage", "--month", "2026-10"])[1], "gitops_sync\t2026-10\t0");
    for arguments in
        [&["jobs", "hooks", "--json"][..], &["ledger", "g", "--json"], &["scim", "list", "--instance", "--json"]]
    {
        assert_eq!(json(arguments), Vec::<Value>::new(), "{arguments:?}");
    }
    let empty = installation.run(&["ledger", "g"]);
    assert_eq!((empty.code, &*empty.stdout, &*empty.stderr), (0, "", "nothing was provisioned\n"));
    fs::remove_file(installation.folder.join("shell")).unwrap();
    let failed = installation.run(&["check", "--json"]);
    let verdict: Value = serde_json::from_str(failed.stdout.lines().nth(1).unwrap()).unwrap();
    assert_eq!((failed.code, &verdict["ok"]), (1, &Value::from(false)), "{failed:?}");
}

/// A terminal gets colours and tables, and `NO_COLOR` leaves the tables.
#[sqlx::test]
async fn lists_are_tables_on_a_terminal(pool: PgPool) {
    let installation = Installation::new(&pool, "");
    let on_terminal = |arguments: &[&str], no_color: &str| {
        let command = installation.command(arguments);
        let mut terminal = Command::new("python3");
        let code = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
        terminal.args(["-c", code]).arg(command.get_program()).args(command.get_args());
        terminal.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        terminal.env("TERM", "xterm").env("NO_COLOR", no_color).current_dir(&installation.folder).stdin(Stdio::null());
        let (code, said, complained) = ran(&mut terminal);
        assert_eq!(complained, "");
        (code, said.replace("\r\n", "\n"))
    };
    let (code, coloured) = on_terminal(&["check"], "");
    assert_eq!(code, 1, "there is no Gitaly: {coloured}");
    assert!(coloured.starts_with("settings                \x1b[32mok\x1b[0m\n"), "{coloured:?}");
    assert!(coloured.contains("\x1b[31mFAILED\x1b[0m"), "{coloured:?}");
    let (_, plain) = on_terminal(&["usage", "--month", "2026-10"], "1");
    let (head, rest) = plain.split_once('\n').unwrap();
    assert!(head.starts_with("COUNTER   ") && head.ends_with("PERIOD   COUNT"), "{plain}");
    assert!(rest.starts_with("flux_git_push_notifications_total   ") && !plain.contains('\x1b'), "{plain}");
}

/// Mistakes that everybody makes once are answered with what to do.
#[sqlx::test(migrations = false)]
async fn errors_say_what_would_help(pool: PgPool) {
    unmigrate(&pool).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap();
    let installation = Installation::new(&pool, "");
    let complaint = |command: &mut Command| {
        let (code, _, complained) = ran(command);
        assert_eq!(code, 1, "{complained}");
        complained
    };
    let helps = |complained: &str, words: &str| {
        assert!(complained.starts_with("gatehouse: ") && complained.contains(words), "{words} in {complained}");
    };
    fs::write(installation.folder.join("state.yml"), "users: [{username: dana, email: dana@example.com}]\n").unwrap();
    for arguments in
        [&["jobs", "list"][..], &["audit", "tail"], &["export"], &["usage"], &["apply", "--file", "state.yml"]]
    {
        helps(&complaint(&mut installation.command(arguments)), "run `gatehouse migrate`");
    }
    let checked = installation.run(&["check"]).stdout;
    assert!(checked.contains("schema: FAILED: ") && checked.contains("gatehouse migrate"), "{checked}");
    let url = |url: &str| {
        let mut command = installation.command(&["audit", "tail"]);
        command.env("DATABASE_URL", url).env("GATEHOUSE__DATABASE__ACQUIRE_TIMEOUT", "1");
        complaint(&mut command)
    };
    let right =
        installation.command(&[]).get_envs().find(|(name, _)| *name == "DATABASE_URL").unwrap().1.unwrap().to_owned();
    let right = right.into_string().unwrap();
    let (_, database) = right.split_once('?').unwrap_or((&right, "")).0.rsplit_once('/').unwrap();
    helps(&url(&right.replace(database, "no_such_database")), "createdb");
    helps(&url("postgres://nobody@localhost/nothing?host=/nonexistent"), "start PostgreSQL, or say where it is");
    helps(&url("postgres://nobody@localhost:port/nothing"), "DATABASE_URL");
    helps(&url("mysql://localhost/nothing"), "gatehouse schema settings");
    assert_eq!(installation.run(&["migrate"]).code, 0);
    let mut second = installation.command(&["serve"]);
    helps(&complaint(second.env("GATEHOUSE__LISTEN", listen.to_string())), "choose another address (gatehouse.listen");
    helps(
        &complaint(&mut bare(&installation, &["token", "shell", "--config", "nowhere.yml"])),
        "`gatehouse init` writes one",
    );
    helps(&complaint(&mut bare(&installation, &["token", "shell"])), "`gatehouse serve` and `gatehouse apply` make it");
    helps(&complaint(&mut installation.command(&["ledger", "nowhere"])), "is found by its id");
}

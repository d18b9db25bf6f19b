//! The OpenAPI document: committed as the routes make it, clean, true of the built server, and good to make clients of.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use gatehouse::http::auth::kas;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;
use sqlx::PgPool;

use crate::support::{
    DB_KEY_BASE, Installation, KAS_SECRET, Served, TestApp, TestGitaly, WORKHORSE_SECRET, customers_dot,
};

const COMMITTED: &str = "docs/openapi.json";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where `bin/test` puts what these tests need; it says so in `OPENAPI_TOOLS`, and then it must be there.
fn tools() -> Option<PathBuf> {
    let told = std::env::var_os("OPENAPI_TOOLS").map(PathBuf::from);
    let usual = root().join(".gatehouse/openapi");
    let found = told.or_else(|| usual.join("node/node_modules").exists().then_some(usual));
    if found.is_none() {
        println!("skipped: no tools here; bin/test installs them into .gatehouse/openapi");
    }
    found
}

fn succeeds(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (said, errors) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {status}\n{said}\n{errors}");
    said.into_owned()
}

#[test]
fn the_committed_document_is_that_of_the_routes() {
    let made = succeeds(Command::new(env!("CARGO_BIN_EXE_gatehouse")).args(["schema", "openapi"]));
    let committed = root().join(COMMITTED);
    if std::env::var_os("GATEHOUSE_BLESS").is_some() {
        std::fs::write(&committed, &made).unwrap();
    }
    let text = std::fs::read_to_string(&committed).unwrap_or_default();
    assert!(text == made, "{COMMITTED} is not what the routes say: GATEHOUSE_BLESS=1 bin/test openapi writes it anew");
}

#[test]
fn linters_have_nothing_to_say() {
    let Some(tools) = tools() else { return };
    let program = |name: &str| Command::new(tools.join("node/node_modules/.bin").join(name));
    let document = root().join(COMMITTED);
    // What git-lfs asked before it had batches is refused to all; and `/projects/user/{id}` is GitLab's.
    let skipped = ["--skip-rule=operation-2xx-response", "--skip-rule=no-ambiguous-paths"];
    let redocly = ["lint", "--format=json"].into_iter().chain(skipped);
    let redocly = succeeds(program("redocly").args(redocly).arg(&document).current_dir(&tools));
    let redocly: serde_json::Value =
        serde_json::from_str(&redocly).unwrap_or_else(|error| panic!("{error}: {redocly}"));
    assert_eq!(redocly["totals"], json!({ "errors": 0, "warnings": 0, "ignored": 0 }), "{redocly:#}");
    let ruleset = root().join("tests/openapi/spectral.yaml");
    let spectral = ["lint", "--fail-severity=hint", "--format=text", "--ruleset"];
    succeeds(program("spectral").args(spectral).arg(ruleset).arg(document));
}

/// The built server with the demo, CustomersDot, a Gitaly, and a credential of each kind.
struct DescribedServer {
    served: Served,
    _gitaly: TestGitaly,
    environment: Vec<(&'static str, String)>,
}

impl DescribedServer {
    async fn start(pool: &PgPool) -> Self {
        let gitaly = TestGitaly::start();
        let settings = customers_dot::settings();
        let ours = settings.trim_start_matches("gatehouse: {").trim_end_matches('}');
        let more = "check_namespace_plan: true\n  features: {cilium_alerts: true}";
        let settings = format!("  {ours}}}\n  {more}\n{}", gitaly.settings());
        let (installation, listen) = Installation::new(pool, &settings).on_tcp();
        let applied = installation.run(&["apply", "-f", root().join("config/demo.yml").to_str().unwrap()]);
        assert_eq!(applied.code, 0, "{applied:?}");
        std::fs::write(installation.folder.join(".gitlab_workhorse_secret"), WORKHORSE_SECRET).unwrap();
        let app = TestApp::new(pool.clone());
        let (given, key) = (app.given(), &DB_KEY_BASE.into());
        let admin = given.user("root").await;
        let token = given.personal_access_token(admin, key, "glpat-of-an-administrator", &["api"]).await;
        let environment = vec![
            ("GATEHOUSE_URL", format!("http://{listen}")),
            ("MONITORING_URL", format!("http://{}", installation.metrics)),
            ("SHELL_TOKEN", app.token_with(&json!({ "exp": app.clock.now().timestamp() + 3600 }))),
            ("KAS_TOKEN", kas_token()),
            ("CUSTOMERS_DOT_TOKEN", customers_dot_token(&app)),
            ("WORKHORSE_TOKEN", crate::git_http::workhorse_token()),
            ("GIT_LOGIN", crate::git_http::basic("root", &token)),
            ("PERSONAL_ACCESS_TOKEN", token),
        ];
        Self { served: installation.serve(), _gitaly: gitaly, environment }
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.current_dir(&self.served.installation.folder);
        command
    }
}

/// A token of CustomersDot's that outlives the test.
fn customers_dot_token(app: &TestApp) -> String {
    let mut claims = customers_dot::claims(app);
    claims["exp"] = json!(app.clock.now().timestamp() + 3600);
    customers_dot::sign(&claims, Algorithm::EdDSA, "ed")
}

/// A token of kas that does not expire while the test runs.
fn kas_token() -> String {
    let key = EncodingKey::from_secret(&kas::key(&KAS_SECRET.into()).unwrap());
    jsonwebtoken::encode(&Header::default(), &json!({ "iss": kas::ISSUER, "aud": kas::AUDIENCE }), &key).unwrap()
}

/// All operations with documented examples, with values at the ends of their ranges, and with random ones: the seed is
/// fixed, or `SCHEMATHESIS_SEED`.
#[sqlx::test]
async fn the_server_answers_as_the_document_says(pool: PgPool) {
    let Some(tools) = tools() else { return };
    let server = DescribedServer::start(&pool).await;
    let seed = std::env::var("SCHEMATHESIS_SEED").unwrap_or_else(|_| "1".to_owned());
    let examples = std::env::var("SCHEMATHESIS_EXAMPLES").unwrap_or_else(|_| "8".to_owned());
    let ran = server
        .command(tools.join("python/bin/st"))
        .arg("--config-file")
        .arg(root().join("tests/openapi/schemathesis.toml"))
        .args(["run", "--exclude-tag=monitoring", "--no-shrink", "--no-color"])
        .args(["--seed", &seed, "--max-examples", &examples])
        .arg(root().join(COMMITTED))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    let log = server.served.log();
    let failures: Vec<&str> = log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).collect();
    assert!(ran.status.success(), "{said}\n{}\n{failures:#?}", String::from_utf8_lossy(&ran.stderr));
    println!("{}", said.trim_end().rsplit("\n\n").take(3).collect::<Vec<_>>().join("\n"));
}

#[sqlx::test]
async fn clients_made_of_the_document_reach_every_area(pool: PgPool) {
    let Some(tools) = tools() else { return };
    let server = DescribedServer::start(&pool).await;
    let here = &server.served.installation.folder;
    let sources = root().join("tests/openapi");
    succeeds(
        server
            .command(tools.join("python/bin/openapi-python-client"))
            .args(["generate", "--meta=none", "--output-path=gatehouse_client", "--path"])
            .arg(root().join(COMMITTED))
            .env("PATH", format!("{}:{}", tools.join("python/bin").display(), std::env::var("PATH").unwrap())),
    );
    succeeds(server.command(tools.join("python/bin/python")).arg(sources.join("client.py")).env("PYTHONPATH", here));

    std::os::unix::fs::symlink(tools.join("node/node_modules"), here.join("node_modules")).unwrap();
    std::fs::write(here.join("package.json"), r#"{"type":"module"}"#).unwrap();
    std::fs::copy(sources.join("client.ts"), here.join("client.ts")).unwrap();
    let program = |name: &str| server.command(tools.join("node/node_modules/.bin").join(name));
    succeeds(program("openapi-typescript").arg(root().join(COMMITTED)).args(["--output", "gatehouse.d.ts"]));
    let checked = ["--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "nodenext"];
    succeeds(program("tsc").args(checked).args(["--types", "node", "client.ts"]));
    succeeds(program("tsx").arg("client.ts"));
}

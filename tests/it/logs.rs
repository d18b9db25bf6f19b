//! The log tells what happened to each request, and none of the secrets that were in it.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{DB_KEY_BASE, Installation, KAS_SECRET, SHELL_SECRET, Served, TestApp, key_body};

/// Every kind of request, and the words in them that nobody may read afterwards.
async fn full_run(served: &Served, pool: PgPool) -> Vec<String> {
    let app = TestApp::new(pool);
    let given = app.given();
    given.project("g/p").await.developer("rubi").await.moved_from("g/old").await;
    let rubi = given.user("rubi").await;
    given.user_is(rubi, "encrypted_password = '$2a$10$a-password-hash'").await;
    let key = given.key(rubi, "laptop").await;

    let signature = served.signature();
    let json = "Content-Type: application/json\r\n";
    let encoded = BASE64_STANDARD.encode(SHELL_SECRET);
    let body = key_body("laptop");
    let allowed = |project: &str| {
        json!({ "action": "git-receive-pack", "changes": "_any", "protocol": "ssh", "project": project, "key_id": key.0,
                "env": "an-environment-of-gitaly" })
        .to_string()
    };
    let mut secrets = vec![
        SHELL_SECRET.to_owned(),
        encoded.clone(),
        KAS_SECRET.to_owned(),
        DB_KEY_BASE.to_owned(),
        "a-token-of-gitaly".to_owned(),
        "a-password-hash".to_owned(),
        body[20..].to_owned(),
        "a-wrong-secret".to_owned(),
        "a-wrong-token".to_owned(),
        "an-environment-of-gitaly".to_owned(),
        signature.trim().rsplit('.').next().unwrap().to_owned(),
    ];
    let ask = |method: &str, path: &str, headers: &str, body: &str, status: u16| {
        let mut wire = served.connect();
        let headers = format!("X-Request-Id: run-{status}\r\n{headers}");
        let answer = wire.ask(method, &format!("/api/v4/internal{path}"), &headers, body);
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        answer
    };
    let signed = format!("{signature}{json}");
    ask("GET", "/check", &signature, "", 200);
    ask("GET", "/discover?username=rubi", &signature, "", 200);
    ask("GET", &format!("/authorized_keys?key={}", body.replace('+', "%2B")), &signature, "", 200);
    ask("POST", "/allowed", &signed, &allowed("g/p.git"), 200);
    ask("POST", "/allowed", &signed, &allowed("g/old.git"), 200);
    ask("POST", "/allowed", &signed, &allowed("g/absent.git"), 404);
    let answer = ask("POST", "/lfs_authenticate", &signed, &allowed("g/p.git"), 200);
    secrets.push(answer.json()["lfs_token"].as_str().unwrap().rsplit('.').next().unwrap().to_owned());
    ask("POST", "/allowed", &signed, r#"{"key_id":"a-wrong-secret"#, 400);
    ask("POST", "/allowed", &signed, r#"{"username":"a-wrong-secret\u0000"}"#, 400);
    ask("POST", "/allowed", "Gitlab-Shell-Api-Request: a-wrong-token\r\n", "", 401);
    ask("GET", "/check?secret_token=a-wrong-secret", "", "", 401);
    ask("GET", "/check", &format!("Gitlab-Shared-Secret: {encoded}\r\n"), "", 200);
    ask("GET", &format!("/check?secret_token={SHELL_SECRET}"), "", "", 200);
    ask("POST", "/lfs_authenticate", json, &json!({ "secret_token": SHELL_SECRET, "project": "x/y" }).to_string(), 404);
    ask("GET", &format!("/nothing?secret_token={SHELL_SECRET}"), &signature, "", 404);
    ask("POST", "/discover", &signed, "{}", 405);
    // The database fails under a request, and what it says goes to the log.
    given.sql("alter table users rename column name to nom").await;
    ask("GET", "/discover?username=rubi", &signature, "", 500);
    given.sql("alter table users rename column nom to name").await;
    secrets
}

fn assert_silent(log: &str, secrets: &[String]) {
    assert!(log.lines().count() > 16, "{log}");
    for secret in secrets {
        let told: Vec<&str> = log.lines().filter(|line| line.contains(secret.as_str())).collect();
        assert!(told.is_empty(), "{secret} was logged:\n{}", told.join("\n"));
    }
}

const LEGACY: &str = "  legacy_shared_secret: true\n";

#[sqlx::test]
async fn lines_for_people_keep_every_secret(pool: PgPool) {
    let settings = format!("{LEGACY}  log: {{level: debug}}\n");
    let mut served = Installation::new(&pool, &settings).serve();
    let secrets = full_run(&served, pool).await;
    served.terminate();
    assert_eq!(served.ended(), 0);
    let log = served.log();
    assert_silent(&log, &secrets);
    assert!(!log.contains('\u{1b}'), "a file gets no colours");
    let failed: Vec<&str> = log.lines().filter(|line| line.contains("ERROR")).collect();
    assert_eq!(failed.len(), 1, "a failure is logged once:\n{}", failed.join("\n"));
    assert!(failed[0].contains("run-500") && failed[0].contains("column users.name does not exist"), "{}", failed[0]);
}

#[sqlx::test]
async fn lines_for_machines_are_json_with_the_name_of_their_request(pool: PgPool) {
    let settings = format!("{LEGACY}  log: {{level: debug, format: json}}\n");
    let mut served = Installation::new(&pool, &settings).serve();
    let secrets = full_run(&served, pool).await;
    served.terminate();
    assert_eq!(served.ended(), 0);
    let log = served.log();
    assert_silent(&log, &secrets);
    let lines: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect();
    let answered: Vec<&Value> = lines.iter().filter(|line| line["message"] == "answered").collect();
    assert_eq!(answered.len(), 17, "one line for each request");
    for line in answered {
        let status = line["status"].as_u64().unwrap();
        assert_eq!(line["span"]["correlation_id"], format!("run-{status}"), "{line}");
        assert!(
            line["duration_us"].is_u64() && line["span"]["route"].is_string() && line["timestamp"].is_string(),
            "{line}"
        );
    }
    let error = lines.iter().find(|line| line["level"] == "ERROR").unwrap();
    assert_eq!(error["span"]["correlation_id"], "run-500", "{error}");
}

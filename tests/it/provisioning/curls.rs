//! The curl lines of GitLab's documentation, word for word but for the host and the token, against a server that listens.

use std::process::Command;

use gatehouse::config::Limits;
use gatehouse::server::{self, Listener};
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::World;

/// A server over the contract's world, for a shell.
pub struct Live {
    pub world: World,
    port: u16,
    _stop: watch::Sender<bool>,
}

impl Live {
    pub async fn new(pool: PgPool) -> Self {
        let world = World::new(pool).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(server::serve(Listener::Tcp(listener), world.app.router.clone(), Limits::default(), stopped));
        Self { world, port, _stop: stop }
    }

    /// What a shell makes of a printed line: the status and the body of the answer.
    pub async fn run(&self, line: &str) -> String {
        let line = line.replace("https://gitlab.com", &format!("http://127.0.0.1:{}", self.port));
        let line = line.replace("http://localhost:3000", &format!("http://127.0.0.1:{}", self.port));
        let line = line.replace("<admin_access_token>", &self.world.token);
        let line = line.replace("<admin access token>", &self.world.token);
        let line = line.replace("<your_access_token>", &self.world.token);
        let line = line.replacen("curl ", "curl --silent --show-error --write-out '\\n%{http_code}' ", 1);
        let output = tokio::task::spawn_blocking(move || Command::new("sh").arg("-c").arg(line).output());
        let output = output.await.unwrap().expect("a shell runs");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let (body, status) = text.rsplit_once('\n').unwrap();
        format!("{status} {body}")
    }
}

/// The chapter on subscriptions is the same in every version of the documentation that has it.
#[sqlx::test]
async fn subscriptions(pool: PgPool) {
    let live = Live::new(pool).await;
    let made = live.run(r#"curl --request POST --header "TOKEN: <admin_access_token>" "https://gitlab.com/api/v4/namespaces/1234/gitlab_subscription?start_date="2020-07-15"&plan="premium"&seats=10""#).await;
    assert_eq!(
        made,
        r#"201 {"plan":{"code":"premium","name":"premium","trial":false,"auto_renew":null,"upgradable":true,"exclude_guests":false},"usage":{"seats_in_subscription":10,"seats_in_use":0,"max_seats_used":0,"seats_owed":0},"billing":{"subscription_start_date":"2020-07-15","subscription_end_date":null,"trial_ends_on":null}}"#
    );
    // The answer that is printed after the next line is that of a subscription in its course.
    live.world
        .given()
        .sql("update gitlab_subscriptions set end_date = '2021-07-15', seats = 80, seats_in_use = 82, max_seats_used = 82, seats_owed = 2")
        .await;
    let changed = live.run(r#"curl --request PUT --header "TOKEN: <admin_access_token>" "https://gitlab.com/api/v4/namespaces/1234/gitlab_subscription?max_seats_used=0""#).await;
    let expected = r#"200 {"plan":{"code":"premium","name":"premium","trial":false,"auto_renew":null,"upgradable":true,"exclude_guests":false},"usage":{"seats_in_subscription":80,"seats_in_use":82,"max_seats_used":0,"seats_owed":2},"billing":{"subscription_start_date":"2020-07-15","subscription_end_date":"2021-07-15","trial_ends_on":null}}"#;
    assert_eq!(changed, expected);
    let shown = live.run(r#"curl --header "TOKEN: <admin_access_token>" "https://gitlab.com/api/v4/namespaces/1234/gitlab_subscription""#).await;
    assert_eq!(shown, expected);
}

/// The namespaces that the chapters on minutes, reconciliations and exclusions name.
async fn with_namespaces(pool: PgPool) -> Live {
    let live = Live::new(pool).await;
    live.world
        .given()
        .sql(
            "insert into namespaces (id, name, path, type, visibility_level, traversal_ids)
             select id, 'N' || id, 'n' || id, 'Group', 0, array[id] from unnest(array[123, 321, 127, 129]) as id",
        )
        .await;
    live
}

/// The chapter on add-ons is the same in the two versions that have it.
#[sqlx::test]
async fn add_on_purchases(pool: PgPool) {
    let live = Live::new(pool).await;
    let answer = |quantity: u8| {
        format!(
            r#"{{"namespace_id":1234,"namespace_name":"A Namespace Name","add_on":"Code Suggestions","quantity":{quantity},"expires_on":"2024-07-15","purchase_xid":"A-S12345678"}}"#
        )
    };
    let made = live.run(r#"curl --request POST --header "PRIVATE-TOKEN: <admin_access_token>" "https://gitlab.com/api/v4/namespaces/1234/subscription_add_on_purchase/code_suggestions?&quantity=10&expires_on="2024-07-15"&purchase_xid="A-S12345678"""#).await;
    assert_eq!(made, format!("201 {}", answer(10)));
    let changed = live.run(r#"curl --request PUT --header "PRIVATE-TOKEN: <admin_access_token>" "https://gitlab.com/api/v4/namespaces/1234/subscription_add_on_purchase/code_suggestions?&quantity=15&expires_on="2024-07-15"&purchase_xid="A-S12345678"""#).await;
    assert_eq!(changed, format!("200 {}", answer(15)));
    let shown = live.run(r#"curl --header "PRIVATE-TOKEN: <admin_access_token>" "https://gitlab.com/api/v4/namespaces/1234/subscription_add_on_purchase/code_suggestions""#).await;
    assert_eq!(shown, format!("200 {}", answer(15)));
}

/// provisioning-57, provisioning-64
#[sqlx::test]
async fn compute_minutes(pool: PgPool) {
    let live = with_namespaces(pool).await;
    let credited = live
        .run(
            r#"curl --request POST \
  --url "http://localhost:3000/api/v4/namespaces/123/minutes" \
  --header 'Content-Type: application/json' \
  --header 'PRIVATE-TOKEN: <admin access token>' \
  --data '{
    "packs": [
      {
        "number_of_minutes": 10000,
        "expires_at": "2022-01-01",
        "purchase_xid": "46952fe69bebc1a4de10b2b4ff439d0c"
      }
    ]
  }'"#,
        )
        .await;
    assert_eq!(
        credited,
        r#"201 [{"namespace_id":123,"expires_at":"2022-01-01","number_of_minutes":10000,"purchase_xid":"46952fe69bebc1a4de10b2b4ff439d0c"}]"#
    );
    let moved = live
        .run(
            r#"curl --request PATCH \
  --url "http://localhost:3000/api/v4/namespaces/123/minutes/move/321" \
  --header 'PRIVATE-TOKEN: <admin access token>'"#,
        )
        .await;
    assert_eq!(moved, r#"202 {"message":"202 Accepted"}"#);
    let home: i64 = live.world.given().value("select namespace_id from ci_minutes_additional_packs").await;
    assert_eq!(home, 321);
}

/// provisioning-67, provisioning-74
#[sqlx::test]
async fn upcoming_reconciliations(pool: PgPool) {
    let live = with_namespaces(pool).await;
    let written = live
        .run(
            r#"curl --request PUT --header "PRIVATE-TOKEN: <admin_access_token>" --header "Content-Type: application/json" \
     --data '{"upcoming_reconciliations": [{"namespace_id": 127, "next_reconciliation_date": "13 Jun 2021", "display_alert_from": "06 Jun 2021"}, {"namespace_id": 129, "next_reconciliation_date": "12 Jun 2021", "display_alert_from": "05 Jun 2021"}]}' \
     "https://gitlab.com/api/v4/internal/upcoming_reconciliations""#,
        )
        .await;
    assert_eq!(written, "200 200");
    let removal = r#"curl --request DELETE \
  --url "http://localhost:3000/api/v4/internal/upcoming_reconciliations?namespace_id=22" \
  --header 'PRIVATE-TOKEN: <admin_access_token>'"#;
    assert_eq!(live.run(removal).await, r#"404 {"message":"404 Not Found"}"#, "22 has none");
    live.world.given().sql("update upcoming_reconciliations set namespace_id = 22 where namespace_id = 127").await;
    assert_eq!(live.run(removal).await, "204 ");
}

/// The documentation leaves `/api` out of these addresses; without it they are nowhere.
#[sqlx::test]
async fn storage_limit_exclusions(pool: PgPool) {
    let live = with_namespaces(pool).await;
    let addressed = |line: &str| line.replace("https://gitlab.com/v4/", "https://gitlab.com/api/v4/");
    let creation = r#"curl --request POST \
  --url "https://gitlab.com/v4/namespaces/123/storage/limit_exclusion" \
  --header 'Content-Type: application/json' \
  --header 'PRIVATE-TOKEN: <admin access token>' \
  --data '{
    "reason": "a reason to exclude the Namespace"
  }'"#;
    assert!(live.run(creation).await.starts_with("404 "));
    let made = live.run(&addressed(creation)).await;
    let id: i64 = live.world.given().value("select id from namespaces_storage_limit_exclusions").await;
    let exclusion = format!(
        r#"{{"id":{id},"namespace_id":123,"namespace_name":"N123","reason":"a reason to exclude the Namespace"}}"#
    );
    assert_eq!(made, format!("201 {exclusion}"));
    let list = r#"curl --request GET \
  --url "https://gitlab.com/v4/namespaces/storage/limit_exclusions" \
  --header 'PRIVATE-TOKEN: <admin access token>'"#;
    assert_eq!(live.run(&addressed(list)).await, format!("200 [{exclusion}]"));
    let removal = r#"curl --request DELETE \
  --url "https://gitlab.com/v4/namespaces/123/storage/limit_exclusion" \
  --header 'PRIVATE-TOKEN: <admin access token>'"#;
    assert_eq!(live.run(&addressed(removal)).await, "204 ");
}

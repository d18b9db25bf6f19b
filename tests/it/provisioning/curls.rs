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
        let line = line.replace("<admin_access_token>", &self.world.token);
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

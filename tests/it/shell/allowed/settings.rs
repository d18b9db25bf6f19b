//! What the instance and the top-level group restrict.

use sqlx::PgPool;

use super::{NO_PROJECT, Story, assert_allowed, assert_refused};
use crate::support::{dsa_1024_key, rsa_key};

/// allowed-22, allowed-23
#[sqlx::test]
async fn the_instance_may_close_a_protocol(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.developer("rubi").await;
    let key = story.key.to_string();
    story.given.setting("enabled_git_access_protocol = 'http'").await;
    assert_refused(&story.pull().await, 401, "Git access over SSH is not allowed");
    assert_refused(&story.push().await, 401, "Git access over SSH is not allowed");
    story.given.setting("enabled_git_access_protocol = 'ssh'").await;
    assert_allowed(&story.pull().await);
    let by_http = story.ask("git-upload-pack", "g/p.git", &[("key_id", &key), ("protocol", "http")]).await;
    assert_refused(&by_http, 401, "Git access over HTTP is not allowed");
    let by_web = story.ask("git-upload-pack", "g/p.git", &[("key_id", &key), ("protocol", "web")]).await;
    assert_allowed(&by_web);
    for open in ["''", "null"] {
        story.given.setting(&format!("enabled_git_access_protocol = {open}")).await;
        assert_allowed(&story.pull().await);
    }
}

#[sqlx::test]
async fn the_top_level_group_may_close_a_protocol(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/s/p").await.developer("rubi").await;
    let close = async |group: &str, protocol: i16| {
        let id = story.given.group(group).await;
        let sql = "update namespace_settings set enabled_git_access_protocol";
        story.given.sql(&format!("{sql} = {protocol} where namespace_id = {id}")).await;
        story.pull_path("g/s/p.git").await
    };
    assert_allowed(&close("g/s", 2).await);
    assert_allowed(&close("g", 1).await);
    assert_refused(&close("g", 2).await, 401, "Git access over SSH is not allowed");
}

/// allowed-33, allowed-34
#[sqlx::test]
async fn a_key_that_the_instance_no_longer_takes_is_told_what_would_do(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.developer("rubi").await;
    let rsa = story.given.key_line(story.rubi, &rsa_key(2048)).await;
    assert_allowed(&story.key_pulls(rsa).await);
    story.given.setting("rsa_key_restriction = 2048").await;
    assert_allowed(&story.key_pulls(rsa).await);
    story.given.setting("rsa_key_restriction = 4096").await;
    assert_refused(&story.key_pulls(rsa).await, 401, "Your SSH key must be at least 4096 bits.");
    story.given.setting("rsa_key_restriction = -1").await;
    let sentence = "Your SSH key type is forbidden. Must be ECDSA, ED25519, ECDSA_SK, or ED25519_SK.";
    assert_refused(&story.key_pulls(rsa).await, 401, sentence);
    assert_allowed(&story.pull().await);
    // Deploy keys are keys too.
    story.given.key_is(rsa, "type = 'DeployKey'").await;
    assert_refused(&story.key_pulls(rsa).await, 401, sentence);
}

/// DSA is forbidden by default, where keys are otherwise not looked into.
#[sqlx::test]
async fn a_dsa_key_is_refused_by_default(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.developer("rubi").await;
    let dsa = story.given.key_line(story.rubi, &dsa_1024_key()).await;
    let sentence = "Your SSH key type is forbidden. Must be RSA, ECDSA, ED25519, ECDSA_SK, or ED25519_SK.";
    assert_refused(&story.key_pulls(dsa).await, 401, sentence);
    story.given.setting("dsa_key_restriction = 0").await;
    assert_allowed(&story.key_pulls(dsa).await);
}

/// allowed-77
#[sqlx::test]
async fn the_largest_push_is_an_option_of_git(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.developer("rubi").await;
    let both = ["uploadpack.allowFilter=true", "uploadpack.allowAnySHA1InWant=true"];
    assert_eq!(story.push().await.json()["git_config_options"], serde_json::json!(both));
    story.given.setting("receive_max_input_size = 0").await;
    assert_eq!(story.push().await.json()["git_config_options"], serde_json::json!(both));
    story.given.setting("receive_max_input_size = 1").await;
    let all = [both[0], both[1], "receive.maxInputSize=1048576"];
    assert_eq!(story.push().await.json()["git_config_options"], serde_json::json!(all));
    assert_eq!(story.pull().await.json()["git_config_options"], serde_json::json!(all));
    story.given.setting("receive_max_input_size = 2147483647").await;
    assert_eq!(story.push().await.json()["git_config_options"][2], "receive.maxInputSize=2251799812636672");
}

#[sqlx::test]
async fn the_options_of_git_may_be_configured_away(pool: PgPool) {
    let story = Story::with(pool, "gatehouse: {git_config_options: []}").await;
    story.given.project("g/p").await.developer("rubi").await;
    assert_eq!(story.pull().await.json()["git_config_options"], serde_json::json!([]));
}

#[sqlx::test]
async fn git_over_http_may_be_switched_off_by_direction(pool: PgPool) {
    let story = Story::with(pool, "gitlab_shell: {upload_pack: false, receive_pack: false}").await;
    story.given.project("g/p").await.developer("rubi").await;
    let key = story.key.to_string();
    let by_http = [("key_id", key.as_str()), ("protocol", "http")];
    let reply = story.ask("git-upload-pack", "g/p.git", &by_http).await;
    assert_refused(&reply, 401, "Pulling over HTTP is not allowed.");
    let reply = story.ask("git-receive-pack", "g/p.git", &by_http).await;
    assert_refused(&reply, 401, "Pushing over HTTP is not allowed.");
    assert_allowed(&story.push().await);
}

#[sqlx::test]
async fn an_allow_list_hides_the_group_from_other_addresses(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/s/p").await.developer("rubi").await;
    let group = story.given.group("g").await;
    let restrict = "insert into ip_restrictions (group_id, range) values";
    let ranges = ["10.0.0.0/8", "2001:db8::1", "fe80::/10"];
    for range in ranges {
        story.given.sql(&format!("{restrict} ({group}, '{range}')")).await;
    }
    story.given.setting("globally_allowed_ips = '192.0.2.0/24, 198.51.100.7'").await;
    let key = story.key.to_string();
    let from = async |ip: &str| story.ask("git-upload-pack", "g/s/p.git", &[("key_id", &key), ("check_ip", ip)]).await;
    for welcome in [
        "10.9.8.7",
        "2001:db8::1",
        "192.0.2.99",
        "198.51.100.7",
        "",
        "::ffff:10.0.0.1",
        "::ffff:198.51.100.7",
        "fe80::1%eth0",
        "fe80::1",
    ] {
        assert_allowed(&from(welcome).await);
    }
    for unwelcome in [
        "11.9.8.7",
        "2001:db8::2",
        "198.51.100.8",
        "localhost",
        "10.9.8.7, 1.1.1.1",
        "::ffff:11.9.8.7",
        "2001:db8::2%eth0",
        "10.9.8.7%eth0",
    ] {
        assert_refused(&from(unwelcome).await, 404, NO_PROJECT);
    }
    assert_allowed(&story.asks("git-upload-pack", "g/s/p.git").await);
    story.given.user_is(story.rubi, "auditor = true").await;
    assert_allowed(&from("11.9.8.7").await);
}

#[sqlx::test]
async fn a_certificate_opens_its_own_group_alone(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/s/p").await.developer("rubi").await;
    let certified = async |namespace: &str| {
        let more = [("username", "rubi"), ("namespace_path", namespace)];
        story.ask("git-upload-pack", "g/s/p.git", &more).await
    };
    let reply = certified("g").await;
    assert_allowed(&reply);
    assert!(reply.json().get("gl_key_type").is_none(), "a certificate is no key: {}", reply.text);
    let sentence = "You are not allowed to access projects in this namespace.";
    assert_refused(&certified("other").await, 401, sentence);
    let group = story.given.group("g").await;
    let enforce = "update namespace_settings set enforce_ssh_certificates = true where namespace_id";
    story.given.sql(&format!("{enforce} = {group}")).await;
    assert_refused(&story.pull_path("g/s/p.git").await, 401, sentence);
    assert_allowed(&certified("g").await);
}

/// allowed-80
#[sqlx::test]
async fn one_actor_asks_about_one_project_so_often_a_minute(pool: PgPool) {
    let story = Story::begins(pool).await;
    story.given.project("g/p").await.developer("rubi").await;
    story.given.project("g/other").await.developer("rubi").await;
    story.given.setting("gitlab_shell_operation_limit = 1").await;
    let ask = async |project: &str| {
        let body = serde_json::json!({
            "action": "git-upload-pack", "project": project, "changes": "_any", "protocol": "ssh",
            "key_id": story.key.to_string(),
        });
        story.app.post("/allowed", body).await
    };
    assert_allowed(&ask("g/p").await);
    let second = ask("g/p").await;
    let sentence = "This endpoint has been requested too many times. Try again later.";
    assert_eq!(second.status, 429);
    assert_eq!(second.json(), serde_json::json!({ "message": { "error": sentence } }));
    assert_allowed(&ask("g/other").await);
    story.given.setting("gitlab_shell_operation_limit = 0").await;
    assert_allowed(&ask("g/p").await);
}

/// The project is counted, not the spellings of its path; and whoever asks, not the spellings of their name.
#[sqlx::test]
async fn other_spellings_are_no_other_allowance(pool: PgPool) {
    let story = Story::begins(pool).await;
    let project = story.given.project("g/p").await.developer("rubi").await.moved_from("old/p").await;
    story.given.setting("gitlab_shell_operation_limit = 1").await;
    assert_allowed(&story.pull_once(&[("project", "g/p")]).await);
    for spelling in ["g/p", "/g/p.git", "G/P", "g/P.git", "old/p", "OLD/p.git"] {
        assert_eq!(story.pull_once(&[("project", spelling)]).await.status, 429, "{spelling}");
    }
    let named = format!("project-{}", project.id);
    assert_eq!(story.pull_once(&[("gl_repository", &named)]).await.status, 429);
    assert_allowed(&story.pull_once(&[("project", "g/p"), ("username", "rubi")]).await);
    for spelling in ["rubi", "RUBI", "Rubi"] {
        assert_eq!(story.pull_once(&[("project", "g/p"), ("username", spelling)]).await.status, 429, "{spelling}");
    }
    // A path that names nothing is counted as it is written, but for its letters' case.
    assert_eq!(story.pull_once(&[("project", "g/none")]).await.status, 404);
    assert_eq!(story.pull_once(&[("project", "G/None.git")]).await.status, 429);
}

impl Story {
    /// One fetch, by `rubi`'s key unless somebody is named.
    async fn pull_once(&self, more: &[(&str, &str)]) -> crate::support::Reply {
        let mut body = serde_json::json!({ "action": "git-upload-pack", "changes": "_any", "protocol": "ssh" });
        if more.iter().all(|(name, _)| *name != "username") {
            body["key_id"] = self.key.to_string().into();
        }
        for (name, value) in more {
            body[*name] = (*value).into();
        }
        self.app.post("/allowed", body).await
    }
}

//! Which files are locked, and by whom.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::{FORBIDDEN, LfsForge, NOT_FOUND, assert_lfs};
use crate::git_http::assert_challenged;

const DEV: super::Login<'static> = Some(("dev", "T-dev"));
const TFA: super::Login<'static> = Some(("tfa", "T-tfa"));

async fn lock(lfs: &LfsForge, path: &str, login: super::Login<'_>) -> crate::support::Reply {
    lfs.post("/g/p.git/info/lfs/locks", json!({ "path": path, "ref": { "name": "refs/heads/main" } }), login).await
}

/// http-86
#[sqlx::test]
async fn a_file_is_locked_once(pool: PgPool) {
    let lfs = LfsForge::begins(pool).await;
    let made = assert_lfs(&lock(&lfs, "a.bin", DEV).await, 201);
    let at = lfs.forge.app.clock.now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let id = made["lock"]["id"].as_str().unwrap();
    assert_eq!(made["lock"], json!({ "id": id, "path": "a.bin", "locked_at": at, "owner": { "name": "dev" } }));
    for login in [DEV, TFA] {
        let taken = assert_lfs(&lock(&lfs, "a.bin", login).await, 409);
        assert_eq!((&taken["message"], &taken["lock"]), (&json!("already locked"), &made["lock"]));
        assert_eq!(taken["documentation_url"], "http://localhost/help");
    }
    assert_eq!(lock(&lfs, "b.bin", Some(("rep", "T-rep"))).await.line(), FORBIDDEN);
    assert_eq!(lock(&lfs, "b.bin", Some(("guest", "T-guest"))).await.line(), NOT_FOUND);
    assert_challenged(&lock(&lfs, "b.bin", None).await);
    let twins = [lock(&lfs, "twin", DEV), lock(&lfs, "twin", TFA)];
    let twins = futures_util::future::join_all(twins).await;
    let mut statuses: Vec<u16> = twins.iter().map(|reply| reply.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    for path in [String::new(), "x".repeat(512), "a\0b".to_owned()] {
        assert_lfs(&lock(&lfs, &path, DEV).await, 422);
    }
    assert_lfs(&lock(&lfs, &"ä".repeat(511), DEV).await, 201);
    assert_lfs(&lfs.post("/g/p.git/info/lfs/locks", json!({}), DEV).await, 422);
}

/// http-87
#[sqlx::test]
async fn a_pusher_sees_which_locks_are_their_own(pool: PgPool) {
    let lfs = LfsForge::begins(pool).await;
    assert_lfs(&lock(&lfs, "a.bin", DEV).await, 201);
    assert_lfs(&lock(&lfs, "b.bin", TFA).await, 201);
    let verify =
        async |body: Value, login: super::Login<'_>| lfs.post("/g/p.git/info/lfs/locks/verify", body, login).await;
    let said = assert_lfs(&verify(json!({}), DEV).await, 200);
    assert_eq!((&said["ours"][0]["path"], &said["theirs"][0]["path"]), (&json!("a.bin"), &json!("b.bin")));
    assert!(said.get("next_cursor").is_none());
    assert_eq!(verify(json!({}), Some(("rep", "T-rep"))).await.line(), FORBIDDEN);

    assert_lfs(&lock(&lfs, "c.bin", DEV).await, 201);
    let first = assert_lfs(&verify(json!({ "limit": 2 }), DEV).await, 200);
    let cursor = first["next_cursor"].as_str().unwrap();
    assert_eq!(first["ours"].as_array().unwrap().len() + first["theirs"].as_array().unwrap().len(), 2);
    let rest = assert_lfs(&verify(json!({ "limit": 2, "cursor": cursor }), DEV).await, 200);
    assert_eq!(rest["ours"][0]["path"], "c.bin");
    assert!(rest.get("next_cursor").is_none());
    assert_lfs(&verify(json!({ "cursor": "x" }), DEV).await, 422);

    let list = async |query: &str| {
        let reply = lfs.get(&format!("/g/p.git/info/lfs/locks{query}"), Some(("rep", "T-rep"))).await;
        let locks = assert_lfs(&reply, 200)["locks"].as_array().unwrap().clone();
        locks.iter().map(|lock| lock["path"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(list("").await, ["a.bin", "b.bin", "c.bin"]);
    assert_eq!(list("?path=b.bin").await, ["b.bin"]);
    assert_eq!(list(&format!("?id={}", said["ours"][0]["id"].as_str().unwrap())).await, ["a.bin"]);
    assert_eq!(list("?limit=1").await, ["a.bin"]);
    let odd = lfs.get("/g/p.git/info/lfs/locks?path=%00", DEV).await;
    assert_lfs(&odd, 422);
}

/// http-88
#[sqlx::test]
async fn a_lock_is_removed_by_its_owner_or_by_force(pool: PgPool) {
    let lfs = LfsForge::begins(pool).await;
    lfs.forge.private.clone().maintainer("boss").await;
    let boss = lfs.forge.given.user("boss").await;
    lfs.forge.token(boss, "T-boss", "api").await;
    let unlock = async |id: &str, force: bool, login: super::Login<'_>| {
        lfs.post(&format!("/g/p.git/info/lfs/locks/{id}/unlock"), json!({ "force": force }), login).await
    };
    let id = |reply: &crate::support::Reply| reply.json()["lock"]["id"].as_str().unwrap().to_owned();
    let own = id(&lock(&lfs, "a.bin", DEV).await);
    assert_eq!(assert_lfs(&unlock(&own, false, DEV).await, 200)["lock"]["path"], "a.bin");
    let foreign = id(&lock(&lfs, "a.bin", DEV).await);
    let refused = assert_lfs(&unlock(&foreign, false, TFA).await, 403);
    assert_eq!(refused["message"], "'a.bin' is locked by @dev");
    let refused = assert_lfs(&unlock(&foreign, true, TFA).await, 403);
    assert_eq!(refused["message"], "You must have maintainer access to force delete a lock");
    assert_lfs(&unlock(&foreign, true, Some(("boss", "T-boss"))).await, 200);
    for unknown in [foreign.as_str(), "999999", "x", "99999999999999999999"] {
        assert_eq!(assert_lfs(&unlock(unknown, true, DEV).await, 404)["message"], "Lock not found");
    }
    assert_eq!(lfs.forge.given.value::<i64>("select count(*) from lfs_file_locks").await, 0);
}

//! `GET /discover`.

use sqlx::PgPool;

use crate::support::TestApp;

/// shell-23
#[sqlx::test]
async fn a_key_names_its_user(pool: PgPool) {
    let app = TestApp::new(pool);
    let given = app.given();
    given.sql("select setval('users_id_seq', 6)").await;
    let rubi = given.user("rubi").await;
    given.user_is(rubi, "name = 'Dede Eichmann', state = 'blocked'").await;
    let key = given.key(rubi, "laptop").await;
    given.key_is(key, "expires_at = '2020-01-01'").await;
    let expected = r#"200 {"id":7,"name":"Dede Eichmann","username":"rubi"}"#;
    for way in [
        format!("key_id={key}"),
        "user_id=7".to_owned(),
        "username=rubi".to_owned(),
        "username=RUBI".to_owned(),
        "identifier=user-7".to_owned(),
        format!("identifier=key-{key}"),
        format!("key_id={key}&username=somebody-else"),
    ] {
        assert_eq!(app.get(&format!("/discover?{way}")).await.line(), expected, "{way}");
    }
}

/// shell-25, shell-26
#[sqlx::test]
async fn whoever_is_not_known_is_null(pool: PgPool) {
    let app = TestApp::new(pool);
    let given = app.given();
    let rubi = given.user("rubi").await;
    let for_signing = given.key(rubi, "signing").await;
    given.key_is(for_signing, "usage_type = 2").await;
    let orphan = given.key(rubi, "orphan").await;
    given.key_is(orphan, "user_id = null").await;
    for way in [
        String::new(),
        "?username=noone".to_owned(),
        "?key_id=abc".to_owned(),
        "?key_id=".to_owned(),
        "?key_id=99999999999999999999".to_owned(),
        format!("?key_id={for_signing}"),
        format!("?key_id={orphan}"),
        format!("?key_id={for_signing}&username=rubi"),
        "?key_id=999999&username=rubi".to_owned(),
        "?identifier=deploy-token-5&username=rubi".to_owned(),
    ] {
        assert_eq!(app.get(&format!("/discover{way}")).await.line(), "200 null", "{way}");
    }
}

#[sqlx::test]
async fn a_deploy_key_names_its_creator_or_the_ghost(pool: PgPool) {
    let app = TestApp::new(pool);
    let given = app.given();
    let rubi = given.user("rubi").await;
    let of_rubi = given.deploy_key(Some(rubi), "first").await;
    let of_nobody = given.deploy_key(None, "second").await;
    assert_eq!(app.get(&format!("/discover?key_id={of_rubi}")).await.json()["username"], "rubi");
    assert_eq!(app.get(&format!("/discover?key_id={of_nobody}")).await.line(), "200 null");
    let ghost = given.user("ghost").await;
    given.user_is(ghost, "user_type = 5").await;
    assert_eq!(app.get(&format!("/discover?key_id={of_nobody}")).await.json()["username"], "ghost");
}

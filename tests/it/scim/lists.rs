//! `GET /Users`: pages, and the filters that identity providers send.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::Scim;

fn page(reply: &Value) -> (i64, i64, i64, usize) {
    let number = |name: &str| reply[name].as_i64().unwrap_or_else(|| panic!("{name} is no integer: {reply}"));
    (number("totalResults"), number("itemsPerPage"), number("startIndex"), reply["Resources"].as_array().unwrap().len())
}

/// scim-20, scim-31
#[sqlx::test]
async fn a_page_has_a_hundred_users_at_most_and_a_blank_filter_is_none(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    let people =
        "insert into users (username, name, email) select 'u' || n, 'U', n || '@x.y' from generate_series(1, 150) n";
    scim.given.sql(people).await;
    let identities = format!(
        "insert into group_scim_identities (group_id, user_id, extern_uid, active)
         select {}, id, 'uid-' || id, true from users where username like 'u%'",
        scim.group
    );
    scim.given.sql(&identities).await;
    for (query, expected) in [
        ("?count=500", (150, 100, 1, 100)),
        ("?filter=", (150, 20, 1, 20)),
        ("?filter=%20", (150, 20, 1, 20)),
        ("?count=many&startIndex=first&aadOptscim062020", (150, 20, 1, 20)),
    ] {
        let reply = scim.get(&format!("/Users{query}")).await;
        assert_eq!((reply.status.as_u16(), page(&reply.json())), (200, expected), "{query}");
    }
}

/// scim-23, scim-26
#[sqlx::test]
async fn a_user_is_looked_up_and_whoever_is_not_there_is_an_empty_page(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    scim.identity("dana", "0b1d561c-21ff-4092-beab-8154b17f82f2").await;
    for filter in [
        "id%20eq%20%220b1d561c-21ff-4092-beab-8154b17f82f2%22",
        "id+eq+%220b1d561c-21ff-4092-beab-8154b17f82f2%22",
        "id+eq+0b1d561c-21ff-4092-beab-8154b17f82f2",
    ] {
        let json = scim.get(&format!("/Users?filter={filter}")).await.json();
        assert_eq!(page(&json), (1, 20, 1, 1), "{filter}");
        assert_eq!(json["Resources"][0]["id"], json!("0b1d561c-21ff-4092-beab-8154b17f82f2"));
    }
    let ghost = scim.get("/Users?filter=userName%20eq%20%22ghost@x.y%22&startIndex=1&count=100").await;
    assert_eq!((ghost.status.as_u16(), page(&ghost.json())), (200, (0, 100, 1, 0)));
}

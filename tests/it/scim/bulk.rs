//! `POST /Bulk` of the installation: many requests in one.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::{Scim, detail, example_with, work_email};
use crate::support::Reply;

impl Scim {
    async fn bulk(&self, body: &Value) -> Reply {
        self.send("POST", "/Bulk", body.to_string()).await
    }

    /// The answers to operations: status, and what it is called or where it is.
    async fn statuses(&self, operations: &Value) -> Vec<String> {
        let reply = self.bulk(&json!({ "Operations": operations })).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        assert_eq!(reply.json()["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:BulkResponse"]));
        let answers = reply.json()["Operations"].as_array().unwrap().clone();
        let shown = answers.iter().map(|answer| {
            let text = |name: &str| answer[name].as_str().unwrap_or("-").to_owned();
            let place = text("location").replace("http://localhost/api/scim/v2/application", "");
            format!("{} {} {} {place}", text("method"), text("status"), text("bulkId"))
        });
        shown.collect()
    }
}

fn user(id: &str) -> Value {
    let address = format!("{}@x.example", id.replace(' ', "-"));
    example_with(&json!({"externalId": id, "userName": id, "emails": work_email(&address)}))
}

/// RFC 7644, section 3.7: what is made is referred to before and after.
#[sqlx::test]
async fn users_and_their_group_are_made_in_one_request(pool: PgPool) {
    gatehouse::store::jobs::migrate(&gatehouse::store::Db::from(pool.clone())).await.unwrap();
    let scim = Scim::of_instance(pool).await;
    let group = scim.given.group("gnuwget").await;
    scim.given
        .sql(&format!(
            "insert into saml_group_links (group_id, saml_group_name, access_level) values ({group}, 'E', 30)"
        ))
        .await;
    let uid = "0b1d561c-21ff-4092-beab-8154b17f82f2";
    let operations = json!([
        {"method": "POST", "path": "/Groups", "bulkId": "g", "data": {
            "displayName": "E", "externalId": uid, "members": [{"value": "bulkId:one"}, {"value": "bulkId:two"}]}},
        {"method": "POST", "path": "/Users", "bulkId": "one", "data": user("a b")},
        {"method": "post", "path": "/Users/", "bulkId": "two", "data": user("two")},
        {"method": "PATCH", "path": "/Users/bulkId:one", "data": {"Operations": [
            {"op": "replace", "path": "active", "value": false}]}},
        {"method": "PATCH", "path": "/Groups/bulkId:g", "data": {"schemas": [], "Operations": [
            {"op": "remove", "path": "members[value eq \"bulkId:two\"]"}]}},
        {"method": "PATCH", "path": "/Groups/bulkId:g", "data": {"schemas": [], "Operations": [
            {"op": "add", "path": "members", "value": [{"value": "bulkId:late"}]}]}},
        {"method": "POST", "path": "/Users", "bulkId": "late", "data": user("late")},
        {"method": "PATCH", "path": "/Groups/bulkId:g", "data": {"schemas": [], "Operations": [
            {"op": "remove", "path": "members", "value": [{"value": "late"}]}]}},
    ]);
    assert_eq!(
        scim.statuses(&operations).await,
        [
            format!("POST 201 g /Groups/{uid}"),
            "POST 201 one /Users/a%20b".to_owned(),
            "POST 201 two /Users/two".to_owned(),
            "PATCH 204 - /Users/a%20b".to_owned(),
            format!("PATCH 204 - /Groups/{uid}"),
            format!("PATCH 204 - /Groups/{uid}"),
            "POST 201 late /Users/late".to_owned(),
            format!("PATCH 204 - /Groups/{uid}"),
        ]
    );
    assert!(!scim.is_active("a%20b").await);
    assert_eq!(scim.get(&format!("/Groups/{uid}")).await.json()["members"][0]["value"], "a b");
    assert_eq!(scim.get(&format!("/Groups/{uid}")).await.json()["members"].as_array().unwrap().len(), 1);
}

#[sqlx::test]
async fn each_operation_stands_or_falls_alone(pool: PgPool) {
    let scim = Scim::of_instance(pool).await;
    scim.example().await;
    let version = scim.get("/Users/test_uid").await.headers["etag"].to_str().unwrap().to_owned();
    let operations = json!([
        {"method": "DELETE", "path": "/Users/nobody"},
        {"method": "PUT", "path": "/Users/test_uid", "version": "W/\"0\"", "data": {"active": false}},
        {"method": "PUT", "path": "/Users/test_uid", "version": version, "data": {"externalId": "moved"}},
        {"method": "POST", "path": "/Users", "bulkId": "x", "data": {"userName": "x"}},
        {"method": "PATCH", "path": "/Users/bulkId:x", "data": {"Operations": []}},
        {"method": "PATCH", "path": "/Users/bulkId:unknown", "data": {"Operations": []}},
        {"method": "POST", "path": "/Users", "bulkId": "round", "data": {"userName": "bulkId:about"}},
        {"method": "POST", "path": "/Users", "bulkId": "about", "data": {"userName": "bulkId:round"}},
        {"method": "POST", "path": "/Bulk", "bulkId": "again", "data": {"Operations": []}},
        {"method": "DELETE", "path": "/Users"},
        {"method": "DELETE", "path": "/ServiceProviderConfig"},
        {"method": "DELETE", "path": "/Users/moved"},
    ]);
    assert_eq!(
        scim.statuses(&operations).await,
        [
            "DELETE 404 - /Users/nobody",
            "PUT 412 - /Users/test_uid",
            "PUT 200 - /Users/moved",
            "POST 412 x -",
            "PATCH 409 - /Users/bulkId:x",
            "PATCH 409 - /Users/bulkId:unknown",
            "POST 409 round -",
            "POST 409 about -",
            "POST 501 again -",
            "DELETE 405 - /Users",
            "DELETE 404 - /ServiceProviderConfig",
            "DELETE 204 - /Users/moved",
        ]
    );
    let reply = scim.bulk(&json!({"Operations": [{"method": "DELETE", "path": "/Users/nobody"}]})).await;
    let response = &reply.json()["Operations"][0]["response"];
    assert_eq!(response["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
    assert_eq!(response["detail"], "Resource nobody not found");
}

#[sqlx::test]
async fn the_rest_is_left_undone_after_as_many_failures_as_the_client_allows(pool: PgPool) {
    let scim = Scim::of_instance(pool).await;
    let operations = json!([
        {"method": "POST", "path": "/Users", "bulkId": "a", "data": user("a")},
        {"method": "DELETE", "path": "/Users/nobody"},
        {"method": "POST", "path": "/Users", "bulkId": "b", "data": user("b")},
        {"method": "DELETE", "path": "/Users/nobody"},
        {"method": "POST", "path": "/Users", "bulkId": "c", "data": user("c")},
    ]);
    let reply = scim.bulk(&json!({"failOnErrors": 2, "Operations": operations})).await;
    assert_eq!(reply.json()["Operations"].as_array().unwrap().len(), 4);
    assert_eq!(scim.get("/Users").await.json()["totalResults"], 2);
}

#[sqlx::test]
async fn what_is_no_bulk_request_is_refused_as_a_whole(pool: PgPool) {
    let scim = Scim::of_instance(pool).await;
    let post = json!({"method": "POST", "path": "/Users", "bulkId": "a", "data": user("a")});
    let delete = json!({"method": "DELETE", "path": "/Users/x"});
    for (body, status) in [
        (json!({}), 400),
        (json!({"Operations": {}}), 400),
        (json!({"Operations": [post, post]}), 400),
        (json!({"Operations": [post, {"method": "POST", "path": "/Users", "data": {}}]}), 400),
        (json!({"Operations": [{"method": "GET", "path": "/Users/x"}]}), 400),
        (json!({"Operations": [{"method": "PUT", "path": "/Users/x"}]}), 400),
        (json!({"Operations": [{"method": "DELETE", "path": "Users/x"}]}), 400),
        (json!({"Operations": [5]}), 400),
        (json!({"Operations": [{"method": "POST", "path": "/Users/.search", "bulkId": "a", "data": {}}]}), 400),
        (json!({"Operations": [{"method": "DELETE", "path": "/Users/x", "version": true}]}), 400),
        (json!({"Operations": [{"method": "DELETE", "path": "/Users/x", "version": "a\nb"}]}), 400),
        (json!({"failOnErrors": 0, "Operations": []}), 400),
        (json!({"failOnErrors": "x", "Operations": []}), 400),
        (json!({"Operations": vec![&delete; 101]}), 413),
        (json!({"Operations": [{"method": "DELETE", "path": "/Users/x", "data": "x".repeat(1 << 20)}]}), 413),
        (json!({"Operations": vec![&delete; 100]}), 200),
        (json!({"Operations": []}), 200),
    ] {
        let reply = scim.bulk(&body).await;
        assert_eq!(reply.status, status, "{}", reply.text);
        if status != 200 {
            detail(&reply);
        }
    }
    assert_eq!(scim.get("/Users").await.json()["totalResults"], 0, "nothing is half done");
    let config = scim.get("/ServiceProviderConfig").await.json();
    assert_eq!(config["bulk"], json!({"supported": true, "maxOperations": 100, "maxPayloadSize": 1_048_576}));
    assert_eq!(scim.get("/Bulk").await.status, 405);
}

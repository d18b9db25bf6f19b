//! What identity providers send, in their order and in their spelling, and the documentation's own examples.

use axum::body::Body;
use axum::http::Request;
use gatehouse::domain::scim::ScimScope;
use serde_json::json;
use sqlx::PgPool;

use super::{Scim, work_email};
use crate::support::{Reply, TestApp};

/// `METHOD path body` a line, and after `=>` the status and texts that the answer has.
async fn replay(scim: &Scim, script: &str) {
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (request, expected) = line.split_once(" => ").expect("a line has an answer");
        let mut request = request.splitn(3, ' ');
        let (method, path) = (request.next().unwrap(), request.next().unwrap());
        let reply = scim.send(method, path, request.next().unwrap_or_default().to_owned()).await;
        let mut expected = expected.split(' ');
        assert_eq!(reply.status.as_str(), expected.next().unwrap(), "{line}\n{}", reply.text);
        for text in expected {
            assert!(reply.text.contains(text), "{line}\n{} is not in {}", text, reply.text);
        }
    }
}

const OKTA: &str = r#"
GET /Users?startIndex=1&count=2 => 200 "totalResults":0
GET /Users?filter=userName%20eq%20%22jane%40corp.example%22&startIndex=1&count=100 => 200 "totalResults":0 "Resources":[]
POST /Users {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"jane@corp.example","name":{"givenName":"Jane","familyName":"Doe"},"emails":[{"primary":true,"value":"jane@corp.example","type":"work"}],"displayName":"Jane Doe","locale":"en-US","externalId":"00u1","groups":[],"password":"1mz050nq","active":true} => 201 "id":"00u1" "active":true
GET /Users/00u1 => 200 "userName":"jane"
PATCH /Users/00u1 {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{"active":false}}]} => 204
GET /Users?filter=userName%20eq%20%22jane%40corp.example%22&startIndex=1&count=100 => 200 "totalResults":1 "active":false
PATCH /Users/00u1 {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{"active":true}}]} => 204
GET /Users/00u1 => 200 "active":true
"#;

/// scim-73
const OKTA_WIZARD: &str = r#"
POST /Users {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"w@corp.example","name":{"givenName":"W","familyName":"X"},"emails":[{"primary":true,"value":"w@corp.example","type":"work"}],"externalId":"00u2","active":true} => 201
GET /Users/00u2 => 200 "active":true
PUT /Users/00u2 {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"00u2","userName":"w@corp.example","name":{"givenName":"W","familyName":"X"},"emails":[{"primary":true,"value":"w@corp.example","type":"work"}],"active":false} => 200 "active":false "userName":"w"
PUT /Users/00u2 {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"00u2","userName":"w@corp.example","emails":[{"primary":true,"value":"w@corp.example","type":"work"}],"active":true} => 200 "active":true
"#;

const ENTRA: &str = r#"
GET /Users?filter=externalId+eq+%22a9c3b5a1-0000-4000-8000-000000000000%22 => 200 "totalResults":0
GET /Users?filter=externalId+eq+%220a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef%22&aadOptscim062020 => 200 "totalResults":0
POST /Users {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"externalId":"0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef","userName":"Test_User","active":true,"emails":[{"primary":true,"type":"work","value":"test@corp.example"}],"meta":{"resourceType":"User"},"name":{"formatted":"given family","familyName":"family","givenName":"given"},"roles":[]} => 201 "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef"
GET /Users?filter=externalId+eq+%220A21F0F2-8d2a-4f8e-bf98-7363c4aed4ef%22 => 200 "totalResults":1
PATCH /Users/0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"Replace","path":"emails[type eq \"work\"].value","value":"updated@corp.example"},{"op":"Replace","path":"name.familyName","value":"updated"}]} => 204
GET /Users/0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef => 200 "test@corp.example" "active":true
PATCH /Users/0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef {"Operations":[{"op":"Replace","path":"active","value":"False"}]} => 204
GET /Users/0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef => 200 "active":false
PATCH /Users/0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef {"Operations":[{"op":"Add","path":"active","value":"True"}]} => 204
GET /Users/0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef => 200 "active":true
DELETE /Users/0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef => 204
GET /Users/0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef => 200 "active":false
"#;

const JUMPCLOUD: &str = r#"
POST /Users {"userName":"jc","externalId":"jc","emails":[{"value":"jc@corp.example","primary":true,"type":"work"}],"name":{"givenName":"J","familyName":"C"},"active":true} => 201
PUT /Users/jc {"userName":"jc","name":{"givenName":"J2","familyName":"C"},"active":true} => 200
DELETE /Users/jc => 204
POST /Users {"userName":"jc","externalId":"jc","emails":[{"value":"jc@corp.example","primary":true,"type":"work"}],"name":{"givenName":"J","familyName":"C"},"active":true} => 201 "active":true
"#;

#[sqlx::test]
async fn the_sequences_of_the_providers_work_for_a_group(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    for script in [OKTA, OKTA_WIZARD, ENTRA, JUMPCLOUD] {
        replay(&scim, script.replace("\"totalResults\":0\n", "\"totalResults\"\n").as_str()).await;
    }
}

#[sqlx::test]
async fn the_sequences_of_the_providers_work_for_the_installation(pool: PgPool) {
    let scim = Scim::of_instance(pool).await;
    for script in [OKTA, OKTA_WIZARD, ENTRA, JUMPCLOUD] {
        replay(&scim, script).await;
    }
}

/// The documentation's curl lines, with the scope's base and its ids.
#[sqlx::test]
async fn the_documentation_examples_work(pool: PgPool) {
    let app = TestApp::new(pool.clone());
    let given = app.given();
    let group = given.scim_group("test_group").await;
    given.scim_token(ScimScope::Instance, "TI").await;
    given.scim_token(ScimScope::Group(group), "T").await;
    for (base, token) in [("/api/scim/v2/groups/test_group", "T"), ("/api/scim/v2/application", "TI")] {
        let send = async |method: &str, path: &str, body: &str| -> Reply {
            let request = Request::builder().method(method).uri(format!("{base}{path}"));
            let request = request.header("Authorization", format!("Bearer {token}"));
            let request = request.header("Content-Type", "application/scim+json");
            app.send(request.body(Body::from(body.to_owned())).unwrap()).await
        };
        let filter = "/Users?filter=id%20eq%20%220b1d561c-21ff-4092-beab-8154b17f82f2%22";
        assert_eq!(send("GET", filter, "").await.json()["totalResults"], 0);
        let created = send(
            "POST",
            "/Users",
            r#"{"externalId":"test_uid","active":null,"userName":"username","emails":[{"primary":true,"type":"work","value":"name@example.com"}],"name":{"formatted":"Test User","familyName":"User","givenName":"Test"},"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"meta":{"resourceType":"User"}}"#,
        )
        .await;
        assert_eq!((created.status.as_u16(), &created.json()["name.formatted"]), (201, &json!("Test User")));
        assert_eq!(created.json()["emails"], work_email("name@example.com"));
        assert_eq!(send("GET", "/Users/test_uid", "").await.status, 200);
        for operation in [
            r#"{ "Operations": [{"op":"Add","path":"name.formatted","value":"New Name"}] }"#,
            r#"{ "Operations": [{"op":"Update","path":"name.formatted","value":"New Name"}] }"#,
            r#"{ "Operations": [{"op":"Update","path":"active","value":"false"}] }"#,
            r#"{ "Operations": [{"op":"replace","path":"active","value":"true"}] }"#,
            r#"{ "Operations": [{"op":"replace","path":"id","value":"1234abcd"}] }"#,
        ] {
            let reply = send("PATCH", "/Users/test_uid", operation).await;
            assert_eq!((reply.status.as_u16(), reply.text.as_str()), (204, ""), "{operation}");
        }
        let bare = send("GET", "/Users?filter=id%20eq%201234abcd", "").await;
        assert_eq!(bare.json()["Resources"][0]["active"], true, "{}", bare.text);
        let deleted = send("DELETE", "/Users/1234abcd", "").await;
        assert_eq!((deleted.status.as_u16(), deleted.text.as_str()), (204, ""));
    }
}

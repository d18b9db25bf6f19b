//! `/Groups` of the installation: what the provider sees, and what its members get here.

use std::sync::Arc;

use gatehouse::domain::ids::{NamespaceId, UserId};
use gatehouse::store::{self, Db, derived, saml_group_links};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::task::JoinSet;

use super::{Scim, detail};
use crate::support::Reply;
use crate::support::pushes::{WAITING, Working, until};

const UID: &str = "0b1d561c-21ff-4092-beab-8154b17f82f2";
const OTHER: &str = "f0b1d561-21ff-4092-beab-8154b17f82f2";

/// The client of an installation with a job queue, where dana, rubi and sid are known to the provider by their initials.
async fn installation(pool: PgPool) -> Scim {
    store::jobs::migrate(&Db::from(pool.clone())).await.unwrap();
    let scim = Scim::of_instance(pool).await;
    for name in ["dana", "rubi", "sid"] {
        scim.identity(name, &name[..1].to_uppercase()).await;
    }
    scim
}

impl Scim {
    /// A SAML group link of a group, which is made if need be.
    async fn link(&self, path: &str, name: &str, level: i32) -> NamespaceId {
        let group = self.given.group(path).await;
        let sql = format!(
            "insert into saml_group_links (group_id, saml_group_name, access_level) values ({group}, '{name}', {level})"
        );
        self.given.sql(&sql).await;
        group
    }

    /// Ties the provider's group to the links of a name.
    async fn tie(&self, name: &str, uid: &str) {
        let reply = self.send("POST", "/Groups", group(name, uid).to_string()).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["id"]), (201, &json!(uid)), "{}", reply.text);
    }

    async fn patch_group(&self, uid: &str, operations: Value) -> Reply {
        let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations});
        self.send("PATCH", &format!("/Groups/{uid}"), body.to_string()).await
    }

    async fn add(&self, uid: &str, ids: &str) {
        let reply = self.patch_group(uid, json!([{"op": "add", "path": "members", "value": members(ids)}])).await;
        assert_eq!((reply.status.as_u16(), reply.text.as_str()), (204, ""));
    }

    async fn remove(&self, uid: &str, ids: &str) {
        let reply = self.patch_group(uid, json!([{"op": "Remove", "path": "members", "value": members(ids)}])).await;
        assert_eq!((reply.status.as_u16(), reply.text.as_str()), (204, ""));
    }

    /// The ids in a group, as they are shown.
    async fn members_of(&self, uid: &str) -> String {
        let reply = self.get(&format!("/Groups/{uid}")).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        let members = reply.json()["members"].as_array().unwrap().clone();
        members.iter().map(|member| member["value"].as_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    /// The direct members of a group here, after all jobs.
    async fn levels(&self, group: NamespaceId) -> String {
        until(&self.app, WAITING, 0).await;
        let sql = format!(
            "select coalesce(string_agg(username || ' ' || access_level, ', ' order by username), '')
             from members join users on users.id = user_id
             where source_type = 'Namespace' and source_id = {group}"
        );
        self.given.value(&sql).await
    }
}

fn group(name: &str, uid: &str) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": name, "externalId": uid})
}

fn members(ids: &str) -> Value {
    ids.split_whitespace().map(|id| json!({ "value": id })).collect()
}

#[sqlx::test]
async fn a_group_is_tied_to_the_links_of_its_name_and_shown(pool: PgPool) {
    let scim = installation(pool).await;
    scim.link("gnuwget", "Engineering", 30).await;
    scim.link("gnuwget/sub", "Engineering", 40).await;
    scim.link("gnuwget", "Operations", 20).await;

    let reply = scim.send("POST", "/Groups", group("Engineering", UID).to_string()).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    let place = format!("http://localhost/api/scim/v2/application/Groups/{UID}");
    assert_eq!(reply.headers["location"], place.as_str());
    let body = reply.json();
    assert_eq!(body["meta"]["version"], reply.headers["etag"].to_str().unwrap());
    assert_eq!(
        body,
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "id": UID, "externalId": UID,
            "displayName": "Engineering", "members": [],
            "meta": {
                "resourceType": "Group", "location": place, "version": body["meta"]["version"],
                "created": body["meta"]["created"], "lastModified": body["meta"]["lastModified"],
            },
        })
    );
    let tied = "select count(*) from saml_group_links where scim_group_uid is not null";
    assert_eq!(scim.given.value::<i64>(tied).await, 2);

    scim.add(UID, "D r nobody").await;
    let shown = scim.get(&format!("/Groups/{}", UID.to_uppercase())).await.json();
    assert_eq!(
        shown["members"],
        json!([
            {"value": "D", "$ref": "http://localhost/api/scim/v2/application/Users/D", "display": "Dana", "type": "User"},
            {"value": "R", "$ref": "http://localhost/api/scim/v2/application/Users/R", "display": "Rubi", "type": "User"},
        ])
    );
    assert_ne!(shown["meta"]["version"], body["meta"]["version"]);
    let shown = scim.get(&format!("/Groups/{UID}?attributes=members.value")).await.json();
    assert_eq!(shown["members"], json!([{"value": "D"}, {"value": "R"}]));
    assert_eq!(shown.get("displayName"), None);
}

#[sqlx::test]
async fn what_cannot_be_tied_is_refused_in_gitlabs_words(pool: PgPool) {
    let scim = installation(pool).await;
    scim.link("gnuwget", "Engineering", 30).await;
    scim.link("gnuwget", "Operations", 30).await;
    scim.tie("Engineering", UID).await;
    for (body, status, expected) in [
        (json!({}), 400, "displayName is missing"),
        (json!({"displayName": null, "externalId": UID}), 400, "displayName is missing"),
        (json!({"displayName": " "}), 412, "Missing params: [:saml_group_name]"),
        (json!({"displayName": "Engineering", "externalId": "okta-1"}), 412, "Invalid UUID for scim_group_uid"),
        (json!({"displayName": "Engineering", "externalId": ""}), 412, "Invalid UUID for scim_group_uid"),
        (group("engineering", OTHER), 412, "No matching SAML group found with name: engineering"),
        (group("Operations", UID), 409, "Scim group uid has already been taken"),
        (json!({"displayName": "Operations", "members": "x"}), 400, "members cannot be read"),
    ] {
        let reply = scim.send("POST", "/Groups", body.to_string()).await;
        assert_eq!((reply.status.as_u16(), detail(&reply).as_str()), (status, expected), "{body}");
    }
    for path in [OTHER, "1", "0b1d561c21ff4092beab8154b17f82f2", "a/b"] {
        let reply = scim.get(&format!("/Groups/{path}")).await;
        assert_eq!((reply.status.as_u16(), detail(&reply)), (404, format!("Group {path} not found")));
        let body = json!({"schemas": [], "displayName": "x", "Operations": []}).to_string();
        for method in ["PUT", "PATCH", "DELETE"] {
            assert_eq!(
                scim.send(method, &format!("/Groups/{path}"), body.clone()).await.status,
                404,
                "{method} {path}"
            );
        }
    }
    let reply = scim.send("PATCH", &format!("/Groups/{UID}"), r#"{"schemas": []}"#).await;
    assert_eq!((reply.status.as_u16(), detail(&reply).as_str()), (400, "Operations is missing"));
    let reply = scim.send("PUT", &format!("/Groups/{UID}"), "{}").await;
    assert_eq!((reply.status.as_u16(), detail(&reply).as_str()), (400, "schemas is missing, displayName is missing"));
    let reply = scim.send("POST", &format!("/Groups/{UID}"), "{}").await;
    assert_eq!(
        (reply.status.as_u16(), &reply.headers["allow"]),
        (405, &"GET, HEAD, PUT, PATCH, DELETE, OPTIONS".parse().unwrap())
    );
}

/// Okta sends no `externalId`, and the members at once.
#[sqlx::test]
async fn to_ask_again_changes_nothing(pool: PgPool) {
    let scim = installation(pool).await;
    let group = scim.link("gnuwget", "Engineering", 30).await;
    let body = json!({"displayName": "Engineering", "members": members("D R")}).to_string();
    let first = scim.send("POST", "/Groups", body.clone()).await.json();
    let again = scim.send("POST", "/Groups", body).await.json();
    assert_eq!(first, again);
    let id = first["id"].as_str().unwrap();
    assert_eq!(uuid::Uuid::parse_str(id).unwrap().get_version_num(), 4);
    let working = Working::on(&scim.app);
    assert_eq!(scim.levels(group).await, "dana 30, rubi 30");
    // The provider made its group anew: who is in it stays until it says otherwise.
    scim.tie("Engineering", UID).await;
    assert_eq!(scim.get(&format!("/Groups/{id}")).await.status, 404);
    assert_eq!(scim.members_of(UID).await, "D R");
    scim.remove(UID, "D").await;
    assert_eq!(scim.levels(group).await, "rubi 30");
    working.drain().await;
}

#[sqlx::test]
async fn groups_are_listed_page_by_page_and_found_by_name(pool: PgPool) {
    let scim = installation(pool).await;
    for (number, name) in ["A", "B", "C", "untied"].iter().enumerate() {
        scim.link("gnuwget", name, 30).await;
        scim.link("acme", name, 40).await;
        if *name != "untied" {
            scim.tie(name, &format!("00000000-0000-4000-8000-00000000000{number}")).await;
        }
    }
    scim.add("00000000-0000-4000-8000-000000000001", "D").await;
    let listed = async |query: &str| {
        let reply = scim.get(&format!("/Groups{query}")).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        let body = reply.json();
        let names = body["Resources"].as_array().unwrap().iter();
        let names: Vec<_> = names.map(|group| group["displayName"].as_str().unwrap_or("-").to_owned()).collect();
        let number = |name: &str| body[name].as_i64().unwrap();
        (names.join(" "), number("totalResults"), number("startIndex"), number("itemsPerPage"))
    };
    let is = |names: &str, total, start, count| (names.to_owned(), total, start, count);
    assert_eq!(listed("").await, is("A B C", 3, 1, 20));
    assert_eq!(listed("?startIndex=2&count=1").await, is("B", 3, 2, 1));
    assert_eq!(listed("?startIndex=9").await, is("", 3, 9, 20));
    assert_eq!(listed("?sortBy=displayName&sortOrder=descending").await, is("C B A", 3, 1, 20));
    assert_eq!(listed("?sortBy=displayName&startIndex=3").await, is("C", 3, 3, 20));
    assert_eq!(listed("?sortBy=meta.created&sortOrder=descending&count=1").await, is("C", 3, 1, 1));
    assert_eq!(listed("?count=0").await, is("", 3, 1, 0));
    assert_eq!(listed("?filter=displayName%20eq%20%22B%22").await, is("B", 1, 1, 20));
    assert_eq!(listed("?filter=displayName+eq+'B'&excludedAttributes=members").await, is("B", 1, 1, 20));
    assert_eq!(listed("?filter=displayName+eq+%22b%22").await, is("", 0, 1, 20));
    assert_eq!(listed("?filter=displayName+eq+%22untied%22").await, is("", 0, 1, 20));
    for filter in ["displayName co \"B\"", "id eq \"x\"", "displayName eq \"A\" or displayName eq \"B\"", "(("] {
        let query: String = form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        let reply = scim.get(&format!("/Groups?filter={query}")).await;
        assert_eq!((reply.status.as_u16(), detail(&reply).as_str()), (412, "Unsupported Filter"), "{filter}");
        assert_eq!(reply.json()["scimType"], "invalidFilter");
    }
    let resources = async |query: &str| scim.get(&format!("/Groups{query}")).await.json()["Resources"].clone();
    assert_eq!(resources("").await[1]["members"][0]["value"], "D");
    assert_eq!(resources("?excludedAttributes=members").await[1].get("members"), None);
    let body = json!({"filter": "displayName eq \"B\"", "attributes": ["displayName"]});
    let reply = scim.send("POST", "/Groups/.search", body.to_string()).await;
    assert_eq!(reply.json()["Resources"][0]["displayName"], "B");
    assert_eq!(reply.json()["Resources"][0].get("members"), None);
}

/// RFC 7644, section 3.4.3: at the root, users come before groups.
#[sqlx::test]
async fn a_search_at_the_root_finds_both_types(pool: PgPool) {
    let scim = installation(pool).await;
    for (number, name) in ["Dana", "Operations"].iter().enumerate() {
        scim.link("gnuwget", name, 30).await;
        scim.tie(name, &format!("00000000-0000-4000-8000-00000000000{number}")).await;
    }
    let found = async |body: Value| {
        let reply = scim.send("POST", "/.search", body.to_string()).await;
        let body = reply.json();
        let names = body["Resources"].as_array().into_iter().flatten();
        let names: Vec<_> = names.map(|found| found["displayName"].as_str().unwrap_or("-").to_owned()).collect();
        format!("{} {} of {} {}", reply.status.as_u16(), names.join(" "), body["totalResults"], body["itemsPerPage"])
    };
    assert_eq!(found(json!({})).await, "200 Dana Rubi Sid Dana Operations of 5 20");
    assert_eq!(found(json!({"startIndex": 3, "count": 2})).await, "200 Sid Dana of 5 2");
    assert_eq!(found(json!({"startIndex": 5, "count": 2})).await, "200 Operations of 5 2");
    assert_eq!(found(json!({"count": 0})).await, "200  of 5 0");
    assert_eq!(found(json!({"filter": "displayName eq Dana"})).await, "200 Dana Dana of 2 20");
    assert_eq!(found(json!({"filter": "userName eq rubi"})).await, "200 Rubi of 1 20");
    assert_eq!(found(json!({"filter": "nickName eq rubi"})).await, "412  of null null");
}

#[sqlx::test]
async fn members_come_and_go_in_every_linked_group(pool: PgPool) {
    let scim = installation(pool).await;
    let group = scim.link("gnuwget", "Engineering", 30).await;
    let other = scim.link("other", "Engineering", 20).await;
    scim.given.project("gnuwget/wget2").await;
    scim.tie("Engineering", UID).await;
    let working = Working::on(&scim.app);
    scim.add(UID, "D R").await;
    assert_eq!(scim.levels(group).await, "dana 30, rubi 30");
    assert_eq!(scim.levels(other).await, "dana 20, rubi 20");
    let reaches =
        "select count(*) from project_authorizations join users on users.id = user_id where username = 'dana'";
    assert_eq!(scim.given.value::<i64>(reaches).await, 1);

    let operations = json!([
        {"op": "remove", "path": "members[value eq \"d\"]"},
        {"op": "add", "path": "members", "value": members("S")},
        {"op": "add", "path": "externalId", "value": "whatever"},
    ]);
    assert_eq!(scim.patch_group(UID, operations).await.status, 204);
    assert_eq!(scim.members_of(UID).await, "R S");
    assert_eq!(scim.levels(group).await, "rubi 30, sid 30");
    assert_eq!(scim.levels(other).await, "rubi 20, sid 20");
    assert_eq!(scim.given.value::<i64>(reaches).await, 0, "access goes with the membership");

    let body = json!({"schemas": [], "displayName": "Engineering", "members": members("D S")});
    let reply = scim.send("PUT", &format!("/Groups/{UID}"), body.to_string()).await;
    assert_eq!((reply.status.as_u16(), reply.json().get("members")), (200, None), "{}", reply.text);
    assert_eq!(scim.levels(group).await, "dana 30, sid 30");
    let reply = scim.send("PUT", &format!("/Groups/{UID}?attributes=members"), body.to_string()).await;
    assert_eq!(reply.json()["members"].as_array().unwrap().len(), 2);
    let body = json!({"schemas": [], "displayName": "Engineering"});
    assert_eq!(scim.send("PUT", &format!("/Groups/{UID}"), body.to_string()).await.status, 200);
    assert_eq!(scim.levels(group).await, "");
    working.drain().await;
}

#[sqlx::test]
async fn several_links_give_the_highest_level_that_is_left(pool: PgPool) {
    let scim = installation(pool).await;
    let group = scim.link("gnuwget", "Engineering", 30).await;
    scim.link("gnuwget", "Leads", 40).await;
    scim.tie("Engineering", UID).await;
    scim.tie("Leads", OTHER).await;
    scim.given.sql(&member(group, "rubi", 50)).await;
    scim.given.sql(&member(group, "sid", 50)).await;
    let working = Working::on(&scim.app);
    scim.add(UID, "D R").await;
    scim.add(OTHER, "D").await;
    assert_eq!(scim.levels(group).await, "dana 40, rubi 50, sid 50", "who has more keeps it");
    scim.remove(OTHER, "D").await;
    assert_eq!(scim.levels(group).await, "dana 30, rubi 50, sid 50");
    // Nobody goes whom the provider did not put in.
    scim.remove(UID, "S").await;
    assert_eq!(scim.levels(group).await, "dana 30, rubi 50, sid 50");
    scim.remove(UID, "D R").await;
    assert_eq!(scim.levels(group).await, "sid 50");
    // The last owner stays.
    scim.add(UID, "S").await;
    scim.remove(UID, "S").await;
    assert_eq!(scim.levels(group).await, "sid 50");
    working.drain().await;
}

/// Who comes as the new owner counts before the old one goes; and whoever stayed for want of another goes when one comes.
#[sqlx::test]
async fn ownership_is_handed_over(pool: PgPool) {
    let scim = installation(pool).await;
    let group = scim.link("gnuwget", "Admins", 50).await;
    scim.tie("Admins", UID).await;
    let working = Working::on(&scim.app);
    scim.add(UID, "D").await;
    assert_eq!(scim.levels(group).await, "dana 50");
    let body = json!({"schemas": [], "displayName": "Admins", "members": members("R")}).to_string();
    assert_eq!(scim.send("PUT", &format!("/Groups/{UID}"), body).await.status, 200);
    assert_eq!(scim.levels(group).await, "rubi 50");
    assert_eq!(scim.patch_group(UID, json!([{"op": "remove", "path": "members"}])).await.status, 204);
    assert_eq!(scim.levels(group).await, "rubi 50", "the last owner stays");
    let replace = json!([{"op": "replace", "path": "members", "value": members("S")}]);
    assert_eq!(scim.patch_group(UID, replace).await.status, 204);
    assert_eq!(scim.levels(group).await, "sid 50");
    working.drain().await;
}

/// An owner of the root owns what is below, so that an owner there can go.
#[sqlx::test]
async fn owners_of_a_group_around_count(pool: PgPool) {
    let scim = installation(pool).await;
    let root = scim.given.group("gnuwget").await;
    let sub = scim.link("gnuwget/sub", "Engineering", 30).await;
    scim.tie("Engineering", UID).await;
    let working = Working::on(&scim.app);
    scim.add(UID, "D R").await;
    assert_eq!(scim.levels(sub).await, "dana 30, rubi 30");
    scim.given.sql(&member(root, "dana", 50)).await;
    scim.given.sql(&format!("update members set access_level = 50 where source_id = {sub}")).await;
    scim.remove(UID, "D R").await;
    assert_eq!((scim.levels(root).await, scim.levels(sub).await), ("dana 50".to_owned(), String::new()));
    working.drain().await;
}

#[sqlx::test]
async fn what_is_below_goes_too_but_for_what_the_provider_gives_there(pool: PgPool) {
    let scim = installation(pool).await;
    let group = scim.link("gnuwget", "Engineering", 30).await;
    let sub = scim.given.group("gnuwget/sub").await;
    let linked = scim.link("gnuwget/linked", "Leads", 40).await;
    scim.tie("Engineering", UID).await;
    scim.tie("Leads", OTHER).await;
    let working = Working::on(&scim.app);
    scim.add(UID, "D").await;
    scim.add(OTHER, "D").await;
    assert_eq!(scim.levels(linked).await, "dana 40");
    scim.given.sql(&member(sub, "dana", 40)).await;
    scim.remove(UID, "D").await;
    assert_eq!((scim.levels(group).await, scim.levels(sub).await), (String::new(), String::new()));
    assert_eq!(scim.levels(linked).await, "dana 40");
    working.drain().await;
}

#[sqlx::test]
async fn the_rules_of_a_root_group_hold_for_those_who_come(pool: PgPool) {
    let scim = installation(pool).await;
    let group = scim.link("gnuwget", "Engineering", 30).await;
    scim.tie("Engineering", UID).await;
    let working = Working::on(&scim.app);
    scim.given
        .sql(&format!("insert into allowed_email_domains (group_id, domain) values ({group}, 'corp.example')"))
        .await;
    scim.given.sql("update users set email = 'dana@CORP.example' where username = 'dana'").await;
    scim.add(UID, "D R").await;
    assert_eq!(scim.levels(group).await, "dana 30");
    // The rules are about coming in: who is in is left with what is due.
    scim.link("gnuwget", "Leads", 40).await;
    scim.tie("Leads", OTHER).await;
    scim.add(OTHER, "D").await;
    assert_eq!(scim.levels(group).await, "dana 40");
    scim.given.sql("update users set email = 'dana@elsewhere.example' where username = 'dana'").await;
    scim.remove(OTHER, "D").await;
    assert_eq!(scim.levels(group).await, "dana 30");
    // Single sign-on for all: nobody who has no account at the group's own provider.
    scim.given.sql("delete from allowed_email_domains").await;
    let provider = format!(
        "insert into saml_providers (group_id, enabled, enforced_sso, sso_url, certificate_fingerprint)
         values ({group}, true, true, 'https://idp.example/sso', 'x')"
    );
    scim.given.sql(&provider).await;
    scim.add(UID, "S").await;
    assert_eq!(scim.levels(group).await, "dana 30");
    // After the first sign-in the provider says it again. Whom the group's own provider took off stays off.
    let account = |name: &str| {
        format!(
            "insert into identities (user_id, provider, extern_uid, saml_provider_id)
             select users.id, 'group_saml', '{name}', saml_providers.id from users, saml_providers
             where username = '{name}' and saml_providers.group_id = {group}"
        )
    };
    scim.given.sql(&account("sid")).await;
    scim.given.sql(&account("rubi")).await;
    let off = format!(
        "insert into group_scim_identities (group_id, user_id, extern_uid, active)
         select {group}, id, 'r', false from users where username = 'rubi'"
    );
    scim.given.sql(&off).await;
    scim.add(UID, "S R").await;
    assert_eq!(scim.levels(group).await, "dana 30, sid 30");
    working.drain().await;
}

/// A group's members keep what they have when the provider lets go of it; who had been taken out before is out.
#[sqlx::test]
async fn a_group_that_is_deleted_is_untied(pool: PgPool) {
    let scim = installation(pool).await;
    let group = scim.link("gnuwget", "Engineering", 30).await;
    scim.tie("Engineering", UID).await;
    scim.add(UID, "D R").await;
    let working = Working::on(&scim.app);
    assert_eq!(scim.levels(group).await, "dana 30, rubi 30");
    working.drain().await;

    scim.remove(UID, "R").await;
    scim.add(UID, "S").await;
    let reply = scim.send("DELETE", &format!("/Groups/{UID}"), "").await;
    assert_eq!((reply.status.as_u16(), reply.text.as_str()), (204, ""));
    assert_eq!(scim.send("DELETE", &format!("/Groups/{UID}"), "").await.status, 404);
    assert_eq!(scim.given.value::<i64>("select count(*) from scim_group_memberships").await, 0);
    let working = Working::on(&scim.app);
    assert_eq!(scim.levels(group).await, "dana 30");
    working.drain().await;
    assert_eq!(scim.given.value::<i64>("select count(*) from scim_member_syncs").await, 0);
    scim.tie("Engineering", OTHER).await;
    assert_eq!(scim.members_of(OTHER).await, "");
}

/// A list of members whose links went with their groups is not taken up again.
#[sqlx::test]
async fn a_group_that_comes_back_is_empty(pool: PgPool) {
    let scim = installation(pool).await;
    let group = scim.link("gnuwget", "Engineering", 30).await;
    scim.tie("Engineering", UID).await;
    scim.add(UID, "D").await;
    scim.given.sql(&format!("delete from namespaces where id = {group}")).await;
    assert_eq!(scim.get(&format!("/Groups/{UID}")).await.status, 404);
    scim.link("new", "Engineering", 30).await;
    scim.tie("Engineering", UID).await;
    assert_eq!(scim.members_of(UID).await, "");
}

/// `gatehouse apply` holds the links: a change of members waits for it, and sees what it did.
#[sqlx::test]
async fn changes_wait_for_whoever_changes_the_links(pool: PgPool) {
    let scim = Arc::new(installation(pool).await);
    scim.link("gnuwget", "Engineering", 30).await;
    scim.tie("Engineering", UID).await;
    let other = scim.given.group("other").await;
    let mut apply = scim.app.pool.begin().await.unwrap();
    saml_group_links::lock_links(&mut *apply).await.unwrap();
    saml_group_links::insert(&mut *apply, other, "Engineering", 20).await.unwrap();
    let provider = Arc::clone(&scim);
    let waiting = tokio::spawn(async move { provider.add(UID, "D").await });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert!(!waiting.is_finished());
    apply.commit().await.unwrap();
    waiting.await.unwrap();
    let working = Working::on(&scim.app);
    assert_eq!(scim.levels(other).await, "dana 20");
    working.drain().await;
}

#[sqlx::test]
async fn a_change_of_another_version_is_refused(pool: PgPool) {
    let scim = installation(pool).await;
    scim.link("gnuwget", "Engineering", 30).await;
    scim.tie("Engineering", UID).await;
    let version = scim.get(&format!("/Groups/{UID}")).await.headers["etag"].to_str().unwrap().to_owned();
    scim.add(UID, "D").await;
    let with = async |method: &str, header: &str, version: &str| {
        let body = json!({"schemas": [], "displayName": "x", "Operations": []}).to_string();
        let request = axum::http::Request::builder().method(method).uri(format!("{}/Groups/{UID}", scim.base));
        let request = request.header("authorization", "Bearer TI").header(header, version);
        scim.app.send(request.body(body.into()).unwrap()).await.status.as_u16()
    };
    for method in ["PUT", "PATCH", "DELETE"] {
        assert_eq!(with(method, "if-match", &version).await, 412, "{method}");
    }
    assert_eq!(scim.members_of(UID).await, "D");
    let version = scim.get(&format!("/Groups/{UID}")).await.headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(with("GET", "if-none-match", &version).await, 304);
    assert_eq!(with("DELETE", "if-match", &version).await, 204);
}

#[sqlx::test]
async fn racing_changes_end_as_one_after_the_other_would(pool: PgPool) {
    let scim = Arc::new(installation(pool).await);
    let group = scim.link("gnuwget", "Engineering", 30).await;
    scim.link("gnuwget", "Leads", 40).await;
    scim.tie("Leads", OTHER).await;
    let mut tasks = JoinSet::new();
    for _ in 0..16 {
        let one = Arc::clone(&scim);
        tasks.spawn(async move { one.send("POST", "/Groups", group_body()).await.status.as_u16() });
    }
    assert_eq!(tasks.join_all().await, vec![201; 16]);
    let working = Working::on(&scim.app);
    let mut tasks = JoinSet::new();
    for number in 0..32 {
        let one = Arc::clone(&scim);
        tasks.spawn(async move {
            let uid = if number % 2 == 0 { UID } else { OTHER };
            let op = if number % 4 < 2 { "add" } else { "remove" };
            let operations = json!([{"op": op, "path": "members", "value": members("D R S")}]);
            one.patch_group(uid, operations).await.status.as_u16()
        });
    }
    assert_eq!(tasks.join_all().await, vec![204; 32]);
    let in_both = async |uid: &str| scim.members_of(uid).await.len() == 5;
    let expected = match (in_both(UID).await, in_both(OTHER).await) {
        (_, true) => "dana 40, rubi 40, sid 40",
        (true, false) => "dana 30, rubi 30, sid 30",
        (false, false) => "",
    };
    assert_eq!(scim.levels(group).await, expected);
    working.drain().await;
}

fn group_body() -> String {
    group("Engineering", UID).to_string()
}

/// More users than one transaction takes, and authorizations as if computed anew.
#[sqlx::test]
async fn a_large_group_is_brought_in_line(pool: PgPool) {
    let scim = installation(pool).await;
    let group = scim.link("gnuwget", "Engineering", 30).await;
    scim.given.project("gnuwget/wget2").await;
    scim.given
        .sql(
            "insert into users (username, name, email) select 'u' || n, 'u' || n, 'u' || n || '@x.example'
             from generate_series(1, 1200) as n;
             insert into scim_identities (user_id, extern_uid, active)
             select id, username, true from users where username ~ '^u[0-9]'",
        )
        .await;
    scim.tie("Engineering", UID).await;
    let ids: Vec<String> = (1..=1200).map(|number| format!("u{number}")).collect();
    scim.add(UID, &ids.join(" ")).await;
    let working = Working::on(&scim.app);
    until(&scim.app, WAITING, 0).await;
    let count = format!("select count(*) from members where source_id = {group} and access_level = 30");
    assert_eq!(scim.given.value::<i64>(&count).await, 1200);
    let authorized = "select count(*) from project_authorizations";
    assert_eq!(scim.given.value::<i64>(authorized).await, 1200);
    assert_eq!(scim.patch_group(UID, json!([{"op": "remove", "path": "members"}])).await.status, 204);
    until(&scim.app, WAITING, 0).await;
    assert_eq!(scim.given.value::<i64>(&count).await, 0);
    assert_eq!(scim.given.value::<i64>(authorized).await, 0);
    working.drain().await;
}

/// scim-77: a group's own scope has no groups.
#[sqlx::test]
async fn the_scope_of_a_group_has_none(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    for (method, path) in [("GET", "/Groups"), ("POST", "/Groups"), ("GET", "/Groups/x"), ("POST", "/Groups/.search")] {
        let reply = scim.send(method, path, "{}").await;
        assert_eq!((reply.status.as_u16(), detail(&reply).as_str()), (404, "Not Found"), "{method} {path}");
    }
    assert_eq!(scim.get("/ResourceTypes/Group").await.status, 404);
}

fn member(group: NamespaceId, username: &str, level: i32) -> String {
    format!(
        "insert into members (type, source_type, source_id, member_namespace_id, user_id, access_level)
         select 'GroupMember', 'Namespace', {group}, {group}, id, {level} from users where username = '{username}'"
    )
}

/// What the job leaves is what a computation from nothing gives.
#[sqlx::test]
async fn authorizations_are_those_of_the_memberships(pool: PgPool) {
    let scim = installation(pool).await;
    scim.link("gnuwget", "Engineering", 30).await;
    scim.given.project("gnuwget/wget2").await;
    scim.tie("Engineering", UID).await;
    scim.add(UID, "D R").await;
    let working = Working::on(&scim.app);
    until(&scim.app, WAITING, 0).await;
    working.drain().await;
    let rows = "select coalesce(string_agg(concat_ws(' ', user_id, project_id, access_level), ', '
                                           order by user_id, project_id), '') from project_authorizations";
    let before: String = scim.given.value(rows).await;
    let users: Vec<i64> = sqlx::query_scalar("select id from users").fetch_all(&scim.app.pool).await.unwrap();
    let users: Vec<UserId> = users.into_iter().map(UserId).collect();
    let mut connection = scim.app.pool.acquire().await.unwrap();
    let today = scim.app.clock.now().date_naive();
    derived::refresh_authorizations(&mut connection, &users, today).await.unwrap();
    assert_eq!(before, scim.given.value::<String>(rows).await);
    assert_ne!(before, "");
}

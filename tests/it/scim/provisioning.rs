//! `POST /Users`: who is taken on, as whom, and who is not.

use gatehouse::domain::scim::ScimScope;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{Scim, detail, example, example_with, work_email};
use crate::apply::applied;
use crate::support::TestApp;

/// scim-37, scim-33
#[sqlx::test]
async fn a_new_user_gets_all_that_belongs_to_one(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    let reply = scim.post(&example()).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    let place = "http://localhost/api/scim/v2/groups/acme/Users/test_uid";
    assert_eq!(reply.headers["location"], place);
    assert_eq!(reply.headers["content-type"], "application/scim+json; charset=utf-8");
    let mut body = reply.json();
    let meta = body["meta"].take();
    assert_eq!((&meta["resourceType"], &meta["location"]), (&json!("User"), &json!(place)));
    assert_eq!(meta["version"], reply.headers["etag"].to_str().unwrap());
    body.as_object_mut().unwrap().remove("meta");
    assert_eq!(
        body,
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": "test_uid", "externalId": "test_uid",
            "active": true, "name.formatted": "Test User", "displayName": "Test User", "userName": "username",
            "name": {"formatted": "Test User", "givenName": "Test", "familyName": "User"},
            "emails": [{"type": "work", "value": "name@example.com", "primary": true}],
        })
    );
    assert_eq!(scim.level("username").await, Some(30));
    let rows: String = scim
        .given
        .value(
            "select concat_ws(' ', state, confirmed_at is not null, password_automatically_set, encrypted_password = '',
               user_details.provisioned_by_group_id = saml_providers.group_id, identities.provider,
               identities.extern_uid, namespaces.path, routes.path, identities.saml_provider_id = saml_providers.id)
             from users
             join user_details on user_details.user_id = users.id
             join identities on identities.user_id = users.id
             join namespaces on namespaces.owner_id = users.id
             join routes on routes.namespace_id = namespaces.id
             cross join saml_providers
             where username = 'username'",
        )
        .await;
    assert_eq!(rows, "active t t t t group_saml test_uid username username t");
    let event: String = scim
        .given
        .value(
            "select concat_ws(' ', author_name, entity_type, entity_path, target_type, target_details,
               details like '%:event_name: user_provisioned_by_scim%') from audit_events",
        )
        .await;
    assert_eq!(event, "(System) Group acme User username t");
    let shown = scim.get("/Users/TEST_UID").await;
    assert_eq!((shown.status.as_u16(), shown.json()), (200, reply.json()));
}

/// scim-38
#[sqlx::test]
async fn the_path_may_end_in_a_slash(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    assert_eq!(scim.send("POST", "/Users/", example().to_string()).await.status, 201);
}

/// scim-39, scim-40
#[sqlx::test]
async fn a_request_may_be_repeated_also_after_the_end(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    scim.example().await;
    let before = scim.counts().await;
    let again = scim.post(&example_with(&json!({"externalId": "TEST_UID", "userName": "other"}))).await;
    assert_eq!((again.status.as_u16(), &again.json()["id"]), (201, &json!("test_uid")));
    assert_eq!(scim.counts().await, before);

    assert_eq!(scim.delete("test_uid").await.status, 204);
    assert_eq!(scim.level("username").await, None);
    let back = scim.post(&example()).await;
    assert_eq!((back.status.as_u16(), &back.json()["active"]), (201, &json!(true)));
    assert_eq!(scim.level("username").await, Some(30));
    assert_eq!(scim.counts().await, before);
}

/// scim-41
#[sqlx::test]
async fn whoever_has_the_address_is_linked(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    scim.given.user("dana").await;
    let reply = scim.post(&example_with(&json!({"emails": work_email("Dana@Example.com")}))).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["userName"]), (201, &json!("dana")), "{}", reply.text);
    assert_eq!(reply.json()["displayName"], "Dana");
    assert_eq!(scim.level("dana").await, Some(30));
    assert_eq!(scim.counts().await, "1 1 0 1");
    let provisioned: i64 = scim.given.value("select count(provisioned_by_group_id) from user_details").await;
    assert_eq!(provisioned, 0, "a user who was here before belongs to no group");
}

/// An unconfirmed address may be anybody's; a role is not taken back.
#[sqlx::test]
async fn a_further_address_counts_once_it_is_confirmed(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    scim.member("dana", 50).await;
    let dana = scim.given.user("dana").await;
    scim.given.sql(&format!("insert into emails (user_id, email) values ({dana}, 'dana@home.example')")).await;
    let stranger = example_with(&json!({"emails": work_email("dana@home.example"), "externalId": "stranger"}));
    assert_eq!(scim.post(&stranger).await.json()["userName"], "username");
    scim.given.sql("delete from users where username = 'username'").await;
    scim.given.sql("delete from namespaces where path = 'username'").await;
    scim.given.sql("update emails set confirmed_at = now()").await;
    let reply = scim.post(&example_with(&json!({"emails": work_email("DANA@home.example")}))).await;
    assert_eq!(reply.json()["userName"], "dana", "{}", reply.text);
    assert_eq!(scim.level("dana").await, Some(50));
}

/// Ruling 17: whose account an address is, is known where it is confirmed, or where the tenant alone knows the account.
#[sqlx::test]
async fn an_account_is_joined_only_where_it_is_known_whose_it_is(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    let other = scim.given.group("other").await;
    let dana = scim.given.user("dana").await;
    let body = example_with(&json!({"emails": work_email("Dana@example.com")}));
    let refused = async |why: &str| {
        let before = scim.counts().await;
        let events: i64 = scim.given.value("select count(*) from audit_events").await;
        let reply = scim.post(&body).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["scimType"]), (409, &json!("uniqueness")), "{why}");
        assert!(detail(&reply).ends_with(": Email has already been taken"), "{why}: {}", reply.text);
        assert!(!reply.text.contains("dana"), "the name is not said: {}", reply.text);
        assert_eq!(scim.counts().await, before, "{why}");
        let event: String = scim
            .given
            .value(
                "select concat_ws(' ', count(*) over (), entity_path, target_type, target_id, target_details,
                   details like '%:event_name: user_provisioning_by_scim_refused%'
                     and details like '%Dana@example.com%' and details not like '%dana%')
                 from audit_events order by id desc limit 1",
            )
            .await;
        assert_eq!(event, format!("{} acme t", events + 1), "{why}");
    };
    let link = async |group: &str| {
        let sql = format!(
            "insert into identities (user_id, provider, extern_uid, saml_provider_id)
             values ({dana}, 'group_saml', 'x', (select id from saml_providers where group_id = {group}))"
        );
        scim.given.sql(&sql).await;
    };
    scim.given
        .sql(&format!(
            "insert into saml_providers (group_id, enabled, sso_url, certificate_fingerprint)
             values ({other}, true, 'https://idp.example', 'x')"
        ))
        .await;
    scim.given.sql("update users set confirmed_at = null").await;
    refused("nobody showed that the address is theirs").await;
    link(&other.to_string()).await;
    refused("another tenant knows the account").await;
    link(&scim.group.to_string()).await;
    refused("another tenant knows the account too").await;
    scim.given.sql(&format!("delete from identities where extern_uid = 'x' and saml_provider_id <> (select id from saml_providers where group_id = {})", scim.group)).await;
    scim.given
        .sql(&format!("insert into identities (user_id, provider, extern_uid) values ({dana}, 'kerberos', 'x')"))
        .await;
    refused("the installation knows the account").await;
    scim.given.sql("delete from identities where provider = 'kerberos'").await;
    let reply = scim.post(&body).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["userName"]), (201, &json!("dana")), "this tenant's alone");
}

/// The word of one group's provider is no proof to another group: neither where the installation asks for a confirmation,
/// nor where it takes every address for confirmed.
#[sqlx::test]
async fn what_one_group_says_of_an_address_does_not_count_for_another(pool: PgPool) {
    let acme = Scim::of_group(pool.clone()).await;
    let other = acme.given.group("corp-b").await;
    acme.given
        .sql(&format!(
            "insert into saml_providers (group_id, enabled, sso_url, certificate_fingerprint, default_membership_role)
             values ({other}, true, 'https://idp.example', 'x', 30)"
        ))
        .await;
    acme.given.scim_token(ScimScope::Group(other), "B").await;
    acme.given.scim_token(ScimScope::Instance, "TI").await;
    let client = async |group, base, token| {
        let app = TestApp::new(pool.clone());
        Scim { given: app.given(), app, group, base, token }
    };
    let corp_b = client(other, "/api/scim/v2/groups/corp-b", "B").await;
    let instance = client(other, "/api/scim/v2/application", "TI").await;
    for (setting, id, of_instance) in [("0", "a", 201), ("2", "b", 409)] {
        acme.given.sql(&format!("update application_settings set email_confirmation_setting = {setting}")).await;
        let email = format!("{id}@corp-b.example");
        let body = example_with(&json!({"externalId": id, "userName": id, "emails": work_email(&email)}));
        assert_eq!(acme.post(&body).await.status, 201);
        let before = acme.counts().await;
        let reply = corp_b.post(&body).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["scimType"]), (409, &json!("uniqueness")), "{}", reply.text);
        assert_eq!((corp_b.level(id).await, acme.counts().await), (None, before));
        // The installation is told no more than it holds for true of everybody.
        assert_eq!(instance.post(&body).await.status, of_instance, "{setting}");
        // Whose it is, the operator can say.
        applied(&pool, &format!("users: [{{username: {id}, confirmed: true}}]")).await;
        let reply = corp_b.post(&body).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["userName"]), (201, &json!(id)), "{}", reply.text);
        assert_eq!(corp_b.level(id).await, Some(30));
    }
}

/// scim-43
#[sqlx::test]
async fn one_person_has_one_identity_in_a_scope(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    scim.example().await;
    let reply = scim.post(&example_with(&json!({"externalId": "other_uid"}))).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["scimType"]), (409, &json!("uniqueness")));
    let detail = detail(&reply);
    assert!(
        detail.starts_with("Error saving user with {") && detail.ends_with(": User has already been taken"),
        "{detail}"
    );
}

/// An id that somebody signs in with is nobody else's, also after it moved in SCIM.
#[sqlx::test]
async fn an_account_at_the_provider_is_given_to_one_user_alone(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    scim.example().await;
    let moves = json!([{"op": "replace", "path": "id", "value": "moved"}]);
    assert_eq!(scim.patch("test_uid", &moves).await.status, 204);
    let before = scim.counts().await;
    let other = json!({"externalId": "TEST_UID", "userName": "other", "emails": work_email("other@x.example")});
    let reply = scim.post(&example_with(&other)).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["scimType"]), (409, &json!("uniqueness")), "{}", reply.text);
    assert!(detail(&reply).ends_with(": Extern uid has already been taken"), "{}", reply.text);
    assert_eq!(scim.counts().await, before, "nobody is half made");
}

/// scim-44, scim-45
#[sqlx::test]
async fn a_user_name_that_is_taken_or_kept_gets_a_number(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    scim.given.user("username").await;
    scim.given.group("Group").await;
    for (index, (given, made)) in [
        ("USERNAME@corp.example", "USERNAME1"),
        ("admin@x.y", "admin1"),
        ("a__b..git", "a_b"),
        ("a__b", "a_b1"),
        ("日本", "blank"),
        ("group", "group1"),
    ]
    .into_iter()
    .enumerate()
    {
        let body = json!({"externalId": format!("uid-{index}"), "userName": given, "emails": work_email(&format!("{index}@x.example"))});
        let reply = scim.post(&example_with(&body)).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["userName"]), (201, &json!(made)), "{given}: {}", reply.text);
    }
}

/// scim-46, scim-47, scim-53, scim-87
#[sqlx::test]
async fn what_no_user_can_be_made_of_is_refused_and_leaves_nothing(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    for (changes, reason) in [
        (json!({"externalId": null}), "Missing params: [:extern_uid]"),
        (json!({"emails": null}), "Missing params: [:email]"),
        (json!({"userName": null}), "Missing params: [:username]"),
        (
            json!({"externalId": null, "emails": [], "userName": null}),
            "Missing params: [:extern_uid, :email, :username]",
        ),
        (json!({"emails": work_email("")}), "Email can't be blank"),
        (json!({"emails": work_email("nobody")}), "Email is invalid"),
        (json!({"emails": work_email(" a@x.example")}), "Email is invalid"),
        (json!({"name": {"givenName": "x".repeat(128)}}), "First name is too long (maximum is 127 characters)"),
        (json!({"externalId": " "}), "Extern uid can't be blank"),
        (json!({"externalId": "x".repeat(256)}), "Extern uid is too long (maximum is 255 characters)"),
        (json!({"userName": "x".repeat(900_000)}), "Username is too long (maximum is 255 characters)"),
        (json!({"name": {"formatted": "x".repeat(256)}}), "Name is too long (maximum is 255 characters)"),
        (json!({"name": null}), "Name can't be blank"),
    ] {
        let mut body = example_with(&changes);
        body["password"] = "s3cret".into();
        let reply = scim.post(&body).await;
        let detail = detail(&reply);
        assert_eq!((reply.status.as_u16(), &reply.json()["scimType"]), (412, &json!("invalidValue")), "{detail}");
        assert!(detail.ends_with(&format!(": {reason}")), "{detail}");
        assert!(detail.len() < 3000 && !detail.contains("s3cret"), "{detail}");
        assert!(detail.contains("[FILTERED]"), "{detail}");
    }
    assert_eq!(scim.counts().await, "0 0 0 0");
}

/// scim-55, scim-49
#[sqlx::test]
async fn what_is_not_kept_is_passed_over(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User",
                    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
        "externalId": "0a21f0f2", "userName": "jane@corp.example", "active": true, "roles": [], "groups": [],
        "emails": [{"type": "home", "value": "h@x.example"}, {"type": "work", "value": "jane@corp.example"}],
        "name": {"givenName": "Jane", "familyName": "Doe"}, "displayName": "JD", "password": "s3cret", "locale": "en-US",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "x"},
    });
    let reply = scim.post(&body).await;
    let user = reply.json();
    let name = json!({"formatted": "JD", "givenName": "Jane", "familyName": "Doe"});
    assert_eq!((reply.status.as_u16(), &user["name"]), (201, &name), "{}", reply.text);
    assert_eq!(user["emails"][0]["value"], "jane@corp.example");
    let names: Vec<&String> = user.as_object().unwrap().keys().collect();
    let kept = [
        "active",
        "displayName",
        "emails",
        "externalId",
        "id",
        "meta",
        "name",
        "name.formatted",
        "schemas",
        "userName",
    ];
    assert_eq!(names, kept);
}

/// scim-51
#[sqlx::test]
async fn a_group_may_admit_addresses_of_some_domains_alone(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    scim.given
        .sql(&format!("insert into allowed_email_domains (group_id, domain) values ({}, 'Corp.example')", scim.group))
        .await;
    let reply = scim.post(&example()).await;
    assert_eq!(reply.status, 412);
    assert!(
        detail(&reply)
            .ends_with("The member's email address is not allowed for this group. Check with your administrator.")
    );
    assert_eq!(scim.counts().await, "0 0 0 0", "no user is left behind");
    assert_eq!(scim.post(&example_with(&json!({"emails": work_email("a@corp.EXAMPLE")}))).await.status, 201);
}

/// scim-52
#[sqlx::test]
async fn enforced_single_sign_on_wants_an_account_at_the_provider(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    scim.given.sql("update saml_providers set enforced_sso = true").await;
    let dana = scim.given.user("dana").await;
    let body = example_with(&json!({"emails": work_email("dana@example.com")}));
    let reply = scim.post(&body).await;
    assert_eq!(reply.status, 412);
    assert!(detail(&reply).contains("is not linked to a SAML account or has an inactive SCIM identity."));
    assert_eq!(scim.counts().await, "1 0 0 0");
    let link = "insert into identities (user_id, provider, extern_uid, saml_provider_id)
                select user_id, 'group_saml', 'x', id from saml_providers, (values ($)) as t (user_id)";
    scim.given.sql(&link.replace('$', &dana.to_string())).await;
    assert_eq!(scim.post(&body).await.status, 201);
    assert_eq!(
        scim.post(&example_with(&json!({"externalId": "new"}))).await.status,
        201,
        "a new user gets one at once"
    );
}

/// Departure 11: a user may be made for later.
#[sqlx::test]
async fn somebody_may_be_made_inactive(pool: PgPool) {
    let scim = Scim::of_group(pool.clone()).await;
    let reply = scim.post(&example_with(&json!({"active": false}))).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["active"]), (201, &json!(false)));
    assert_eq!((scim.level("username").await, scim.state("username").await.as_str()), (None, "active"));
    assert_eq!(scim.post(&example_with(&json!({"active": "perhaps"}))).await.status, 400);

    scim.given.scim_token(ScimScope::Instance, "TI").await;
    let scim = Scim { base: "/api/scim/v2/application", token: "TI", ..scim };
    let other = example_with(
        &json!({"active": "False", "externalId": "o", "userName": "o", "emails": work_email("o@x.example")}),
    );
    assert_eq!(scim.post(&other).await.json()["active"], json!(false));
    assert_eq!(scim.state("o").await, "ldap_blocked");
}

/// The installation gives neither memberships nor SAML identities.
#[sqlx::test]
async fn the_installation_takes_on_users_alone(pool: PgPool) {
    let scim = Scim::of_instance(pool).await;
    let reply = scim.post(&example()).await;
    assert_eq!(reply.headers["location"], "http://localhost/api/scim/v2/application/Users/test_uid");
    assert_eq!(scim.counts().await, "1 1 0 0");
    let provisioned: i64 = scim.given.value("select count(provisioned_by_group_id) from user_details").await;
    assert_eq!(provisioned, 0);
    assert_eq!(scim.post(&example()).await.status, 201);
    let other: Value = example_with(&json!({"externalId": "other"}));
    assert_eq!(scim.post(&other).await.status, 409);
}

//! Two tenants who mean each other harm: whatever they ask, neither gains a member, an identity or a name of the other's.

use gatehouse::domain::ids::NamespaceId;
use gatehouse::domain::scim::ScimScope;
use gatehouse::store::{Db, jobs};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{Scim, work_email};
use crate::support::Reply;
use crate::support::pushes::{WAITING, Working, until};

const SCRIPTS: u64 = 6;
const STEPS: u32 = 60;

/// One of the two: where it asks, and the word that is in every name that it gives.
#[derive(Clone, Copy)]
struct ScimTenant {
    base: &'static str,
    token: &'static str,
    mark: &'static str,
    /// The group whose members it may make.
    group: NamespaceId,
}

#[sqlx::test]
async fn two_groups_gain_nothing_of_each_other(pool: PgPool) {
    let scim = Scim::of_group(pool).await;
    let other = scim.given.group("beta").await;
    scim.given.scim_token(ScimScope::Group(other), "B").await;
    scim.given
        .sql(&format!(
            "insert into saml_providers (group_id, enabled, sso_url, certificate_fingerprint, default_membership_role)
             values ({other}, true, 'https://idp.example', 'x', 30)"
        ))
        .await;
    let acme = ScimTenant { base: "/api/scim/v2/groups/acme", token: "T", mark: "alpha", group: scim.group };
    let beta = ScimTenant { base: "/api/scim/v2/groups/beta", token: "B", mark: "omega", group: other };
    // Where addresses are to be confirmed, and where all are taken for confirmed.
    play(scim, [acme, beta], &[2, 0]).await;
}

#[sqlx::test]
async fn a_group_and_the_installation_gain_nothing_of_each_other(pool: PgPool) {
    jobs::migrate(&Db::from(pool.clone())).await.unwrap();
    let scim = Scim::of_instance(pool).await;
    let linked = scim.given.group("linked").await;
    scim.given
        .sql(&format!(
            "insert into saml_group_links (group_id, saml_group_name, access_level) values ({linked}, 'all', 30)"
        ))
        .await;
    let acme = ScimTenant { base: "/api/scim/v2/groups/acme", token: "T", mark: "alpha", group: scim.group };
    let whole = ScimTenant { base: "/api/scim/v2/application", token: "TI", mark: "omega", group: linked };
    let working = Working::on(&scim.app);
    play(scim, [acme, whole], &[2, 1]).await;
    working.drain().await;
}

/// Plays random scripts, in turn under each of these settings of confirming addresses.
async fn play(mut scim: Scim, tenants: [ScimTenant; 2], settings: &[i16]) {
    let mut done = Vec::new();
    for (script, setting) in (0..SCRIPTS).zip(settings.iter().cycle()) {
        scim.given.sql(&format!("update application_settings set email_confirmation_setting = {setting}")).await;
        let mut random = StdRng::seed_from_u64(script);
        for step in 0..STEPS {
            let tenant = tenants[random.random_range(0..2)];
            let [first, second] = tenants;
            let other = if tenant.mark == first.mark { second } else { first };
            scim = Scim { base: tenant.base, token: tenant.token, ..scim };
            let (what, reply) = ask(&scim, tenant, &mut random, script, step).await;
            let place = format!("script {script}, step {step}: {} {what}", tenant.mark);
            assert!(!reply.status.is_server_error(), "{place}: {}", reply.text);
            let read = [&what, &reply.text];
            assert!(!read.iter().any(|text| text.contains(other.mark)), "{place} learns a name: {}", reply.text);
            done.push(format!("{} {} {}", tenant.mark, what.split(' ').next().unwrap(), reply.status.as_u16()));
            if tenant.token == "TI" {
                until(&scim.app, WAITING, 0).await;
            }
            for tenant in tenants {
                assert_eq!(strangers(&scim, tenant).await, "", "{place}: what {} has gained", tenant.mark);
            }
        }
    }
    for happened in ["POST 201", "POST 409", "PATCH 204", "PUT 200", "DELETE 204", "GET 200"] {
        for tenant in tenants {
            assert!(done.contains(&format!("{} {happened}", tenant.mark)), "{} {happened} never happened", tenant.mark);
        }
    }
    let noted: i64 = scim
        .given
        .value("select count(*) from audit_events where details like '%user_provisioning_by_scim_refused%'")
        .await;
    assert!(noted > 5, "{noted} refusals are noted");
}

/// What a tenant has of users whom it did not make: identities, accounts at its provider, memberships.
async fn strangers(scim: &Scim, tenant: ScimTenant) -> String {
    let group = tenant.group;
    let identities = if tenant.token == "TI" {
        "select 'identity ' || extern_uid, user_id from scim_identities".to_owned()
    } else {
        format!("select 'identity ' || extern_uid, user_id from group_scim_identities where group_id = {group}")
    };
    let sql = format!(
        "with gained (what, user_id) as (
           {identities}
           union all
           select 'account ' || identities.extern_uid, identities.user_id
           from identities join saml_providers on saml_providers.id = saml_provider_id where group_id = {group}
           union all
           select 'member ' || access_level, user_id from members
           where source_type = 'Namespace' and source_id = {group}
           union all
           select 'managed', user_id from user_details where {group} in (enterprise_group_id, provisioned_by_group_id)
         )
         select coalesce(string_agg(what || ' ' || users.name, ', '), '')
         from gained join users on users.id = user_id
         where users.name not like '{}%'",
        tenant.mark
    );
    scim.given.value(&sql).await
}

/// Something that a client may ask. The two share addresses, ids and user names, for each knows what the other's users are
/// called outside.
async fn ask(scim: &Scim, tenant: ScimTenant, random: &mut StdRng, script: u64, step: u32) -> (String, Reply) {
    let mut pick = |most: u32| random.random_range(0..most);
    let (id, email) = (format!("uid-{script}-{}", pick(5)), format!("p{}@corp-{script}.example", pick(5)));
    let (active, name, kind) = (pick(3) > 0, format!("person{script}{}", pick(4)), pick(14));
    let other_id = format!("UID-{script}-{}", pick(5));
    let somebody = json!({
        "externalId": id, "userName": name, "emails": work_email(&email), "active": active,
        "displayName": format!("{} {step}", tenant.mark),
    });
    let filters = [
        format!("userName eq \"{email}\""),
        format!("userName eq \"{name}\""),
        format!("userName eq \"{id}\""),
        format!("emails eq \"{email}\""),
        "displayName co \"a\"".to_owned(),
        format!("not (userName eq \"{name}\")"),
        "name.givenName pr and emails.value sw \"p\"".to_owned(),
    ];
    let filter = &filters[pick(7) as usize];
    match kind {
        0..=4 => (format!("POST {somebody}"), scim.post(&somebody).await),
        5 | 6 => {
            let value =
                json!({"externalId": other_id, "active": active, "emails": work_email(&email), "userName": name});
            let reply = scim.patch(&id, &json!([{"op": "replace", "value": value}])).await;
            (format!("PATCH {id} {value}"), reply)
        }
        7 => (format!("PUT {id} {somebody}"), scim.put(&id, &somebody).await),
        8 => (format!("DELETE {id}"), scim.delete(&id).await),
        9 => (format!("GET {id}"), scim.get(&format!("/Users/{id}")).await),
        10 | 11 => {
            let encoded: String = form_urlencoded::byte_serialize(filter.as_bytes()).collect();
            (format!("GET {filter}"), scim.get(&format!("/Users?filter={encoded}&count=100")).await)
        }
        12 => {
            // Anybody can add an address to an account of theirs, and put somebody else's there.
            let claim = format!(
                "insert into emails (user_id, email)
                 select max(id), '{email}' from users where name like '{}%' having max(id) is not null
                 on conflict do nothing",
                tenant.mark
            );
            scim.given.sql(&claim).await;
            (format!("claims {email}"), scim.get("/Users?count=100").await)
        }
        _ => {
            let uid = "0b1d561c-21ff-4092-beab-8154b17f82f2";
            let operations: Value = json!({"Operations": [
                {"method": "POST", "path": "/Groups", "bulkId": "g", "data": {"displayName": "all", "externalId": uid}},
                {"method": "POST", "path": "/Users", "bulkId": "u", "data": somebody},
                {"method": "PATCH", "path": format!("/Groups/{uid}"), "data": {"schemas": [], "Operations": [
                    {"op": "add", "path": "members", "value": [{"value": "bulkId:u"}, {"value": id}, {"value": other_id}]},
                ]}},
                {"method": "PATCH", "path": format!("/Groups/{uid}"), "data": {"schemas": [], "Operations": [
                    {"op": "add", "path": "members", "value": [{"value": email}, {"value": other_id}]},
                ]}},
            ]});
            let reply = scim.send("POST", "/Bulk", operations.to_string()).await;
            assert!(matches!(reply.status.as_u16(), 200 | 501), "{}", reply.text);
            let groups = scim.get("/Groups?count=100").await;
            (format!("Bulk {} {}", reply.text.replace(' ', ""), operations), groups)
        }
    }
}

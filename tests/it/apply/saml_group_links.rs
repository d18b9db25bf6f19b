//! `saml_group_links:`, with and without members who came by SCIM.

use sqlx::PgPool;

use super::{applied, refused, rows};

const UID: &str = "0b1d561c-21ff-4092-beab-8154b17f82f2";
const HOME: &str = "
users: [{username: dana, email: dana@example.com}, {username: rubi, email: rubi@example.com}]
groups: [{path: acme, saml_group_links: [{saml_group_name: Eng, access_level: maintainer}]}, {path: acme/sub}]
scim_identities: [{user: dana, extern_uid: d}]
";

async fn members(pool: &PgPool) -> String {
    let sql = "select concat_ws(' ', routes.path, username, access_level)
               from members join users on users.id = user_id join routes on routes.source_id = members.source_id
               where routes.source_type = 'Namespace' and members.source_type = 'Namespace' order by 1";
    rows(pool, sql).await
}

async fn run(pool: &PgPool, sql: &str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(pool).await.unwrap();
}

#[sqlx::test]
async fn links_come_change_and_go_and_members_follow(pool: PgPool) {
    let lines = applied(&pool, HOME).await.lines().join("\n");
    assert!(lines.contains("+ SAML group link Eng of acme"), "{lines}");
    run(
        &pool,
        &format!(
            "update saml_group_links set scim_group_uid = '{UID}';
             insert into scim_group_memberships (user_id, scim_group_uid)
             select id, '{UID}' from users where username in ('dana', 'rubi');
             insert into members (type, source_type, source_id, member_namespace_id, user_id, access_level)
             select 'GroupMember', 'Namespace', namespaces.id, namespaces.id, users.id, level
             from namespaces, users, (values ('dana', 40), ('rubi', 50)) as levels (name, level)
             where namespaces.path = 'acme' and users.username = levels.name"
        ),
    )
    .await;

    let lower = "groups: [{path: acme, saml_group_links: [{saml_group_name: Eng, access_level: reporter}]}]";
    let lines = applied(&pool, lower).await.lines().join("\n");
    assert!(lines.contains("~ SAML group link Eng of acme access_level maintainer → reporter"), "{lines}");
    assert_eq!(members(&pool).await, "acme dana 20\nacme rubi 50", "who has more than the link gave keeps it");

    // A link of a name that is tied already, in a group that is new: the members come along.
    let more = "
groups: [{path: acme/sub, saml_group_links: [{saml_group_name: Eng, access_level: developer}]},
         {path: new, saml_group_links: [{saml_group_name: Eng, access_level: guest}]}]";
    applied(&pool, more).await;
    assert_eq!(
        members(&pool).await,
        "acme dana 20\nacme rubi 50\nacme/sub dana 30\nacme/sub rubi 30\nnew dana 10\nnew rubi 10"
    );

    let gone = "
groups: [{path: acme, saml_group_links: [{saml_group_name: Eng, ensure: absent}]},
         {path: acme/sub, saml_group_links: [{saml_group_name: Eng, ensure: absent}]}]";
    let lines = applied(&pool, gone).await.lines().join("\n");
    assert!(lines.contains("- SAML group link Eng of acme/sub"), "{lines}");
    assert_eq!(rows(&pool, "select count(*)::text from scim_group_memberships").await, "2");
    applied(&pool, "groups: [{path: new, saml_group_links: [{saml_group_name: Eng, ensure: absent}]}]").await;
    assert_eq!(
        rows(&pool, "select count(*)::text from scim_group_memberships").await,
        "0",
        "nobody knows the group now"
    );
    assert!(members(&pool).await.starts_with("acme dana 20"), "members keep what they have");
}

/// A user whom the provider does not know any more is in none of its groups; a group that goes takes its links along.
#[sqlx::test]
async fn identities_and_groups_take_memberships_along(pool: PgPool) {
    applied(&pool, HOME).await;
    run(
        &pool,
        &format!(
            "update saml_group_links set scim_group_uid = '{UID}';
             insert into scim_group_memberships (user_id, scim_group_uid)
             select id, '{UID}' from users where username in ('dana', 'rubi');
             insert into members (type, source_type, source_id, member_namespace_id, user_id, access_level)
             select 'GroupMember', 'Namespace', namespaces.id, namespaces.id, users.id, 40
             from namespaces, users where namespaces.path = 'acme' and users.username = 'dana'"
        ),
    )
    .await;
    applied(&pool, "scim_identities: [{user: dana, ensure: absent}]").await;
    assert_eq!(members(&pool).await, "");
    assert_eq!(rows(&pool, "select count(*)::text from scim_group_memberships").await, "1");
    applied(&pool, "groups: [{path: acme/sub, ensure: absent}, {path: acme, ensure: absent}]").await;
    assert_eq!(rows(&pool, "select count(*)::text from scim_group_memberships").await, "0");
}

#[sqlx::test]
async fn a_link_needs_a_name_and_a_level(pool: PgPool) {
    let mistakes = refused(
        &pool,
        "groups: [{path: acme, saml_group_links: [
            {saml_group_name: Eng}, {saml_group_name: ' ', access_level: guest}, {saml_group_name: Eng, access_level: guest}]}]",
    )
    .await;
    assert!(mistakes.contains("access_level is missing"), "{mistakes}");
    assert!(mistakes.contains("[1].saml_group_name"), "{mistakes}");
    assert!(mistakes.contains("Eng is that of saml_group_links[0] as well"), "{mistakes}");
}

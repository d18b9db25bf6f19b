//! Lists of users: what each filter finds, in which order, and on which page.

use gatehouse::domain::ids::UserId;
use gatehouse::domain::scim::ScimScope;
use gatehouse::domain::scim::filter::ScimFilter;
use gatehouse::domain::scim::search::{ScimUserOrder, condition};
use gatehouse::store::Db;
use gatehouse::store::scim_search::{self, FoundScimUsers, ScimPage};
use sqlx::PgPool;

use crate::support::TestApp;

/// A scope with people in it.
struct Story {
    pool: PgPool,
    scope: ScimScope,
}

impl Story {
    async fn of_a_group(pool: &PgPool) -> Self {
        let group = TestApp::new(pool.clone()).given().group("acme").await;
        Self { pool: pool.clone(), scope: ScimScope::Group(group) }
    }

    fn of_the_instance(pool: &PgPool) -> Self {
        Self { pool: pool.clone(), scope: ScimScope::Instance }
    }

    /// A user with an identity here.
    async fn person(&self, username: &str, extern_uid: &str) -> UserId {
        let user = TestApp::new(self.pool.clone()).given().user(username).await;
        let (table, group) = match self.scope {
            ScimScope::Group(group) => ("group_scim_identities", Some(group.0)),
            ScimScope::Instance => ("scim_identities", None),
        };
        let sql = format!("insert into {table} (group_id, user_id, extern_uid, active) values ($1, $2, $3, true)");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(group).bind(user.0).bind(extern_uid);
        query.execute(&self.pool).await.unwrap();
        user
    }

    async fn people(&self, count: usize) {
        sqlx::query("insert into users (username, name, email) select 'p' || n, 'P', 'p' || n || '@example.com' from generate_series(1, $1) n")
            .bind(i32::try_from(count).unwrap())
            .execute(&self.pool)
            .await
            .unwrap();
        let ScimScope::Group(group) = self.scope else { panic!("people are of a group") };
        sqlx::query("insert into group_scim_identities (group_id, user_id, extern_uid) select $1, id, 'uid-' || username from users where name = 'P' order by id")
            .bind(group.0)
            .execute(&self.pool)
            .await
            .unwrap();
    }

    async fn run(&self, sql: &'static str) {
        sqlx::raw_sql(sql).execute(&self.pool).await.unwrap();
    }

    async fn list(&self, filter: &str, order: ScimUserOrder, offset: i64, limit: i64) -> FoundScimUsers {
        let condition = (!filter.is_empty()).then(|| {
            let filter = ScimFilter::parse(filter).unwrap_or_else(|error| panic!("{filter}: {error}"));
            condition(&filter).unwrap_or_else(|error| panic!("{filter}: {error}"))
        });
        let db = Db::from(self.pool.clone());
        scim_search::list(&db, self.scope, condition.as_ref(), order, ScimPage { offset, limit }).await.unwrap()
    }

    /// The ids that a filter finds.
    async fn found(&self, filter: &str) -> String {
        let found = self.list(filter, ScimUserOrder::default(), 0, 100).await;
        assert_eq!(found.total, i64::try_from(found.users.len()).unwrap(), "{filter}");
        ids(&found)
    }

    async fn sorted(&self, by: &str, order: &str) -> String {
        ids(&self.list("", ScimUserOrder::parse(Some(by), Some(order)), 0, 100).await)
    }
}

fn ids(found: &FoundScimUsers) -> String {
    found.users.iter().map(|user| user.extern_uid.as_str()).collect::<Vec<_>>().join(" ")
}

/// scim-25, scim-27, scim-28, scim-32
#[sqlx::test]
async fn equality_finds_one_in_any_letter_case(pool: PgPool) {
    for story in [Story::of_a_group(&pool).await, Story::of_the_instance(&pool)] {
        story.person("jane", "uid-1").await;
        story.person("bob", "AbC").await;
        TestApp::new(pool.clone()).given().user("stranger").await;
        for (filter, expected) in [
            (r#"externalId eq "aBc""#, "AbC"),
            (r#"EXTERNALID EQ "abc""#, "AbC"),
            ("id eq abc", "AbC"),
            (r#"userName eq "jane""#, "uid-1"),
            (r#"userName eq "JANE""#, "uid-1"),
            (r#"userName eq "Jane@Example.com""#, "uid-1"),
            (r#"userName eq "uid-1""#, "uid-1"),
            (r#"userName eq "stranger""#, ""),
            (r#"userName eq "stranger@example.com""#, ""),
            // Another company's jane is another person.
            (r#"userName eq "jane@elsewhere.example""#, ""),
            (r#"emails[type eq "work"].value eq "Jane@example.com""#, "uid-1"),
            (r#"emails[type eq "home"].value eq "jane@example.com""#, ""),
            (r#"emails eq "jane@example.com""#, "uid-1"),
            (r#"emails.value eq "jane""#, ""),
            (r#"userName eq "jane" and active eq true"#, "uid-1"),
            (r#"userName eq "jane" and active eq "False""#, ""),
            (r#"userName eq "jane" or id eq "abc""#, "uid-1 AbC"),
        ] {
            assert_eq!(story.found(filter).await, expected, "{filter}");
        }
    }
}

#[sqlx::test]
async fn a_user_name_means_the_identity_of_that_id_before_the_user_of_that_name(pool: PgPool) {
    let story = Story::of_a_group(&pool).await;
    story.person("jane", "bob").await;
    story.person("bob", "uid-2").await;
    assert_eq!(story.found("userName eq bob").await, "bob");
    story
        .run("insert into emails (user_id, email) select id, 'Bob@home.example' from users where username = 'bob'")
        .await;
    assert_eq!(story.found("userName eq bob@home.example").await, "", "an address that is not confirmed is anybody's");
    story.run("update emails set confirmed_at = now()").await;
    assert_eq!(story.found("userName eq bob@home.example").await, "uid-2");
}

#[sqlx::test]
async fn every_operator_compares_as_the_rfc_says(pool: PgPool) {
    let story = Story::of_a_group(&pool).await;
    story.person("ann", "a").await;
    story.person("bo_b", "b").await;
    story.person("bobo", "c").await;
    story
        .run(
            "update users set name = 'Ann van Dyke', updated_at = '2024-05-01 10:00:00.1239' where username = 'ann';
             update users set name = null where username = 'bobo';
             update users set name = 'Bob%', updated_at = '2024-05-01' where username = 'bo_b';
             update group_scim_identities set active = false where extern_uid = 'b';
             update group_scim_identities set active = null where extern_uid = 'c';
             update group_scim_identities
             set updated_at = '2024-04-01', created_at = timestamptz '2024-04-01' + id * interval '1 day'",
        )
        .await;
    for (filter, expected) in [
        ("userName co O", "b c"),
        ("userName co _", "b"),
        ("userName sw BO", "b c"),
        ("userName ew o", "c"),
        (r#"userName ew """#, "a b c"),
        ("userName gt ann", "b c"),
        ("userName ge ann", "a b c"),
        ("userName lt bobo and userName le bobo", "a b"),
        ("userName ne ann", "b c"),
        ("userName pr", "a b c"),
        ("id gt a and id lt c", "b"),
        ("externalId ne a", "b c"),
        ("displayName eq \"ann VAN dyke\"", "a"),
        ("displayName ne \"ann van dyke\"", "b c"),
        ("displayName co %", "b"),
        ("name.formatted pr", "a b"),
        ("not (name.formatted pr)", "c"),
        ("name.formatted eq null", "c"),
        ("name.givenName eq ann", "a"),
        ("name.familyName eq \"van dyke\"", "a"),
        ("name[familyName pr and givenName sw a]", "a"),
        ("emails co example.com", "a b c"),
        ("emails[value sw bo and primary eq true]", "b c"),
        ("active eq true", "a c"),
        ("active ne true", "b"),
        ("active eq false or userName eq ann", "a b"),
        ("not (active eq true or userName eq ann)", "b"),
        ("userName co o and (active eq false or id eq a)", "b"),
        (r#"meta.lastModified eq "2024-05-01T10:00:00.123Z""#, "a"),
        (r#"meta.lastModified gt "2024-05-01T10:00:00.123Z""#, "c"),
        (r#"meta.lastModified le "2024-05-01T12:00:00.123+02:00""#, "a b"),
        (r#"meta.created lt "2024-01-01T00:00:00Z""#, ""),
        (r#"meta.resourceType eq "User" and schemas co "core:2.0""#, "a b c"),
    ] {
        assert_eq!(story.found(filter).await, expected, "{filter}");
    }
}

/// scim-81
#[sqlx::test]
async fn what_is_sql_or_a_pattern_elsewhere_is_a_text_here(pool: PgPool) {
    let story = Story::of_a_group(&pool).await;
    story.person("abc", "uid").await;
    for filter in [
        r#"id eq "' OR 1=1--""#,
        r#"id eq "%""#,
        r#"userName eq "a_c""#,
        r#"userName sw "%""#,
        r#"emails co "\\""#,
        r#"displayName ew "_""#,
        r#"id eq "x') or ('' = '""#,
    ] {
        assert_eq!(story.found(filter).await, "", "{filter}");
    }
    assert_eq!(story.found(r#"id eq "UID""#).await, "uid");
}

#[sqlx::test]
async fn a_list_goes_by_what_was_asked_for(pool: PgPool) {
    let story = Story::of_a_group(&pool).await;
    story.person("cleo", "1").await;
    story.person("Abel", "3").await;
    story.person("bert", "2").await;
    story
        .run(
            "update users set name = 'Same', updated_at = '2020-01-01';
             update group_scim_identities set updated_at = timestamptz '2024-01-01' - extern_uid::int * interval '1 day'",
        )
        .await;
    assert_eq!(story.sorted("title", "descending").await, "1 3 2", "the order in which they came");
    assert_eq!(story.sorted("userName", "").await, "3 2 1");
    assert_eq!(story.sorted("userName", "descending").await, "1 2 3");
    assert_eq!(story.sorted("id", "ascending").await, "1 2 3");
    assert_eq!(story.sorted("emails.value", "").await, "3 2 1");
    assert_eq!(story.sorted("displayName", "").await, "1 3 2", "equals stay in the order in which they came");
    assert_eq!(story.sorted("meta.lastModified", "").await, "3 2 1");
    assert_eq!(story.sorted("meta.lastModified", "descending").await, "1 2 3");
    story.run("update group_scim_identities set created_at = timestamptz '2024-01-01' + extern_uid::int * interval '1 day'").await;
    assert_eq!(story.sorted("meta.created", "descending").await, "3 2 1");
    story.run("update users set username = 'ABC' where username = 'cleo'").await;
    assert_eq!(story.sorted("userName", "").await, "1 3 2", "a new name counts at once");
}

/// scim-17, scim-21, scim-22
#[sqlx::test]
async fn pages_together_are_the_whole_list(pool: PgPool) {
    let story = Story::of_a_group(&pool).await;
    story.people(25).await;
    Story::of_the_instance(&pool).person("elsewhere", "other").await;
    for order in [ScimUserOrder::default(), ScimUserOrder::parse(Some("userName"), Some("descending"))] {
        let whole = ids(&story.list("", order, 0, 100).await);
        assert_eq!(whole.split(' ').count(), 25);
        for size in [1, 7, 10, 20, 25] {
            let mut pages = Vec::new();
            for offset in (0..30).step_by(size) {
                let page = story.list("", order, i64::try_from(offset).unwrap(), i64::try_from(size).unwrap()).await;
                assert_eq!((page.total, page.users.len()), (25, size.min(25_usize.saturating_sub(offset))));
                pages.extend((!page.users.is_empty()).then(|| ids(&page)));
            }
            assert_eq!(pages.join(" "), whole, "in pages of {size}");
        }
    }
    let filtered = story.list("userName sw p1", ScimUserOrder::default(), 2, 3).await;
    assert_eq!((ids(&filtered).as_str(), filtered.total), ("uid-p11 uid-p12 uid-p13", 11));
}

/// scim-19
#[sqlx::test]
async fn a_page_of_nothing_counts(pool: PgPool) {
    let story = Story::of_a_group(&pool).await;
    assert_eq!(story.list("", ScimUserOrder::default(), 0, 0).await.total, 0);
    assert_eq!(story.list("", ScimUserOrder::default(), 5, 5).await.total, 0);
    story.people(3).await;
    let found = story.list("userName ne p2", ScimUserOrder::default(), 0, 0).await;
    assert_eq!((found.users.len(), found.total), (0, 2));
    assert_eq!(story.list("", ScimUserOrder::default(), i64::MAX - 100, 100).await.total, 3);
}

#[sqlx::test]
async fn who_is_in_two_scopes_is_found_in_each_by_the_id_that_it_gave(pool: PgPool) {
    let (group, instance) = (Story::of_a_group(&pool).await, Story::of_the_instance(&pool));
    group.person("jane", "g").await;
    instance.person("jane", "i").await;
    assert_eq!(
        (group.found("userName eq jane").await, instance.found("userName eq jane").await),
        ("g".into(), "i".into())
    );
    assert_eq!((group.found("id eq i").await, instance.found("userName eq g").await), (String::new(), String::new()));
    // GitLab's older rows of groups stand in the instance's table.
    sqlx::query("update scim_identities set group_id = (select id from namespaces where path = 'acme')")
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!((instance.found("").await, instance.found("userName eq jane").await), (String::new(), String::new()));
}

#[sqlx::test]
async fn equality_is_answered_by_indexes(pool: PgPool) {
    let story = Story::of_a_group(&pool).await;
    story.people(3000).await;
    story.run("analyze").await;
    let reads = "select coalesce(sum(seq_tup_read), 0)::bigint from pg_stat_user_tables where relname in ('group_scim_identities', 'users', 'emails')";
    let seq_reads = async || -> i64 {
        sqlx::query("select pg_stat_force_next_flush()").execute(&pool).await.unwrap();
        sqlx::query_scalar(reads).fetch_one(&pool).await.unwrap()
    };
    // What other connections have read is told late: a look counts where nothing else is told meanwhile.
    let mut read = -1;
    for _ in 0..10 {
        let before = seq_reads().await;
        for filter in [
            "id eq uid-p17",
            "externalId eq uid-p17",
            "userName eq uid-p17",
            "userName eq p17",
            "userName eq p17@example.com",
            r#"emails[type eq "work"].value eq "p17@example.com""#,
            "userName eq p17 and active eq false",
            r#"id eq uid-p17 or emails eq "p17@example.com""#,
        ] {
            assert_eq!(story.found(filter).await, "uid-p17", "{filter}");
        }
        read = seq_reads().await - before;
        if read == 0 {
            break;
        }
    }
    assert_eq!(read, 0, "a table was read from its start to its end");
}

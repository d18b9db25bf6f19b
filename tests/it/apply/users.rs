//! `users:`, with keys, tokens, addresses and identities.

use base64::prelude::{BASE64_STANDARD, Engine};
use sha2::{Digest, Sha256};
use sqlx::PgPool;

use super::{KEY, applied, fresh_key, refused, rows, run};

fn digest(token: &str) -> String {
    BASE64_STANDARD.encode(Sha256::digest(format!("{token}0123456789abcdef0123456789abcdef")))
}

#[sqlx::test]
async fn a_user_comes_changes_and_goes(pool: PgPool) {
    let user = "users: [{username: rubi, id: 7, name: Dede Eichmann, email: rubi@example.com}]";
    let report = applied(&pool, user).await;
    assert_eq!(report.lines(), ["+ user rubi"]);
    assert_eq!(report.to_json()["users"]["rubi"]["id"], 7);
    let namespace = "
        select concat_ws(' ', type, owner_id, visibility_level, routes.path, routes.name, traversal_ids = array[namespaces.id])
        from namespaces
        join routes on routes.namespace_id = namespaces.id";
    assert_eq!(rows(&pool, namespace).await, "User 7 20 rubi Dede Eichmann t");

    let report = applied(&pool, "users: [{username: RUBI, name: Dede, state: blocked, admin: true}]").await;
    insta::assert_snapshot!(report.lines().join("\n"), @"~ user RUBI username rubi → RUBI, name Dede Eichmann → Dede, admin false → true, state active → blocked");
    assert_eq!(rows(&pool, namespace).await, "User 7 20 RUBI Dede t");

    let report = applied(&pool, "users: [{username: rubi, ensure: absent}]").await;
    assert_eq!(report.lines(), ["- user rubi"]);
    assert_eq!(rows(&pool, "select path from routes union select username from users").await, "");
}

#[sqlx::test]
async fn ids_are_used_on_creation_and_sequences_move_past_them(pool: PgPool) {
    applied(&pool, "users: [{username: a, email: a@x}, {username: b, id: 2, email: b@x}, {username: c, email: c@x}]")
        .await;
    let report = applied(&pool, "users: [{username: d, email: d@x}]").await;
    assert!(report.to_json()["users"]["d"]["id"].as_i64().unwrap() > 2);
    let mistakes = refused(&pool, "users: [{username: b, id: 9}, {username: z, id: 2}]").await;
    insta::assert_snapshot!(mistakes, @"users[0].id: must be 2, which it has, or be left out");
}

#[sqlx::test]
async fn an_id_under_another_name_renames_and_leaves_redirects(pool: PgPool) {
    applied(&pool, "{users: [{username: rubi, id: 7, email: r@x}], projects: [{path: rubi/web, repository: present}]}")
        .await;
    let report = applied(&pool, "users: [{username: ruby, id: 7}]").await;
    assert_eq!(report.lines(), ["~ user ruby username rubi → ruby"]);
    assert_eq!(rows(&pool, "select path from routes order by 1").await, "ruby\nruby/web");
    assert_eq!(rows(&pool, "select path from redirect_routes order by 1").await, "rubi\nrubi/web");
    // A new holder of a path ends the redirect.
    applied(&pool, "users: [{username: rubi, email: new@x}]").await;
    assert_eq!(rows(&pool, "select path from redirect_routes order by 1").await, "rubi/web");
}

#[sqlx::test]
async fn two_entries_that_mean_one_user_are_a_mistake(pool: PgPool) {
    applied(&pool, "users: [{username: rubi, id: 7, email: r@x}]").await;
    let twice = "users: [{username: rubi, admin: true}, {username: ruby, id: 7}]";
    assert_eq!(refused(&pool, twice).await, "users[1].id: 7 is that of users[0] as well");
    // Once renamed, a user leaves the name to another.
    let report = applied(&pool, "users: [{username: ruby, id: 7}, {username: rubi, email: new@x}]").await;
    assert_eq!(report.lines(), ["~ user ruby username rubi → ruby", "+ user rubi"]);
}

#[sqlx::test]
async fn keys_of_every_type_are_stored_with_their_fingerprint(pool: PgPool) {
    let mut keys = vec![
        fresh_key("ed25519", "256"),
        fresh_key("ecdsa", "256"),
        fresh_key("ecdsa", "384"),
        fresh_key("ecdsa", "521"),
        fresh_key("rsa", "2048"),
        fresh_key("dsa", "1024"),
    ];
    keys.push("sk-ecdsa-sha2-nistp256@openssh.com AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb20AAAAIbmlzdHAyNTYAAABBBIELQJ2DgvaX1yQlKFokfWM2suuaCFI2qp0eJodHyg6O4ifxc3XpRKd1OS8dNYQtE/YjdXSrA+AOnMF5ns2Nkx4AAAAEc3NoOg==".to_owned());
    keys.push("sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAICFo/k5LU8863u66YC9eUO2170QduohPURkQnbLa/dczAAAABHNzaDo=".to_owned());
    let entries: Vec<String> =
        keys.iter().enumerate().map(|(n, key)| format!("  - {{title: k{n}, key: '{key}'}}\n")).collect();
    let entries = entries.concat();
    let report = applied(&pool, &format!("users:\n- username: rubi\n  email: r@x\n  keys:\n{entries}")).await;
    assert_eq!(report.changes(), 1 + keys.len());
    for (number, key) in keys.iter().enumerate() {
        let body = BASE64_STANDARD.decode(key.split(' ').nth(1).unwrap()).unwrap();
        let stored: (String, Vec<u8>, Option<String>) =
            sqlx::query_as("select key, fingerprint_sha256, type from keys where title = $1")
                .bind(format!("k{number}"))
                .fetch_one(&pool)
                .await
                .unwrap();
        assert_eq!(stored, (key.clone(), Sha256::digest(body).to_vec(), None));
    }
}

#[sqlx::test]
async fn a_key_comes_changes_and_goes(pool: PgPool) {
    let with = |rest: &str| format!("users: [{{username: rubi, email: r@x, keys: [{{key: '{KEY} rubi', {rest}}}]}}]");
    let report = applied(&pool, &with("id: 11, expires_at: 2027-01-01")).await;
    assert_eq!(report.lines(), ["+ user rubi", "+ key rubi of rubi"]);
    assert_eq!(
        rows(&pool, "select concat_ws(' ', id, usage_type, expires_at at time zone 'utc') from keys").await,
        "11 0 2027-01-01 00:00:00"
    );
    let report = applied(&pool, &with("title: laptop, usage: signing, expires_at: null")).await;
    insta::assert_snapshot!(report.lines().join("\n"), @"~ key laptop of rubi title rubi → laptop, usage auth_and_signing → signing, expires_at 2027-01-01 00:00:00 UTC → unset");
    let report = applied(&pool, "users: [{username: rubi, keys: [{title: laptop, ensure: absent}]}]").await;
    assert_eq!(report.lines(), ["- key laptop of rubi"]);
    assert_eq!(rows(&pool, "select title from keys").await, "");
}

/// What goes is gone for the entries that follow.
#[sqlx::test]
async fn keys_go_one_after_the_other(pool: PgPool) {
    let other = fresh_key("ed25519", "256");
    let both = format!(
        "users: [{{username: rubi, email: r@x, keys: [{{title: laptop, key: '{KEY}', id: 11}}, {{title: laptop, key: '{other}'}}]}}]"
    );
    let remove = |keys: &str| format!("users: [{{username: rubi, keys: [{keys}]}}]");
    let (key, title, id) =
        (format!("{{key: '{KEY}', ensure: absent}}"), "{title: laptop, ensure: absent}", "{id: 11, ensure: absent}");
    applied(&pool, &both).await;
    let report = applied(&pool, &remove(&format!("{key}, {title}"))).await;
    assert_eq!(report.lines(), ["- key laptop of rubi", "- key laptop of rubi"]);
    assert_eq!(rows(&pool, "select title from keys").await, "");
    applied(&pool, &both).await;
    applied(&pool, &remove(&format!("{{key: '{other}', ensure: absent}}"))).await;
    let report = applied(&pool, &remove(&format!("{key}, {title}, {id}"))).await;
    assert_eq!(report.lines(), ["- key laptop of rubi"]);
}

#[sqlx::test]
async fn a_key_of_another_user_is_a_mistake_and_may_move_when_removed_there(pool: PgPool) {
    applied(&pool, &format!("users: [{{username: rubi, email: r@x, keys: [{{title: k, key: '{KEY}'}}]}}]")).await;
    let dana = format!("{{username: dana, email: d@x, keys: [{{title: k, key: '{KEY}'}}]}}");
    insta::assert_snapshot!(refused(&pool, &format!("users: [{dana}]")).await, @"users[0].keys[0].key: is key 1 of user rubi already, and may be there only once");
    let report =
        applied(&pool, &format!("users: [{dana}, {{username: rubi, keys: [{{title: k, ensure: absent}}]}}]")).await;
    assert_eq!(report.lines(), ["- key k of rubi", "+ user dana", "+ key k of dana"]);
}

#[sqlx::test]
async fn tokens_are_digested_and_those_that_are_made_are_printed_once(pool: PgPool) {
    let document = "
users:
  - username: rubi
    email: r@x
    personal_access_tokens:
      - {name: given, scopes: [api, read_user], expires_at: 2027-01-01, token: glpat-example}
      - {name: environment, scopes: [api], expires_at: null, token: '$env:TOKEN'}
      - {name: file, scopes: [], token: '$file:token.txt'}
      - {name: made, scopes: [read_api]}
";
    let report = run(&pool, document, false).await.unwrap_or_else(|failure| panic!("{failure}"));
    let tokens = &report.to_json()["users"]["rubi"]["personal_access_tokens"];
    let made = tokens["made"]["token"].as_str().unwrap().to_owned();
    assert!(made.starts_with("glpat-") && made.len() == 26, "{made}");
    assert_eq!(tokens["given"]["token"], serde_json::Value::Null);
    let query = "
        select concat_ws(' ', name, replace(scopes, e'\n', '|'), expires_at)
        from personal_access_tokens
        order by id";
    insta::assert_snapshot!(rows(&pool, query).await, @"
    given ---|- api|- read_user| 2027-01-01
    environment ---|- api|
    file --- []| 2027-11-21
    made ---|- read_api| 2027-11-21
    ");
    let expected = ["glpat-example", "glpat-from-the-environment", "glpat-from-a-file", made.as_str()].map(digest);
    assert_eq!(rows(&pool, "select token_digest from personal_access_tokens order by id").await, expected.join("\n"));
    assert!(!report.lines().join("\n").contains(&made), "a secret among the lines");

    let again = applied(&pool, document).await;
    assert_eq!(again.changes(), 0);
    let changed = document.replace("glpat-example", "glpat-other").replace("[read_api]", "[api]");
    insta::assert_snapshot!(applied(&pool, &changed).await.lines().join("\n"), @"
    ~ token given of rubi token replaced
    ~ token made of rubi scopes read_api → api
    ");
    let gone = "users: [{username: rubi, personal_access_tokens: [{name: given, ensure: absent}]}]";
    assert_eq!(applied(&pool, gone).await.lines(), ["- token given of rubi"]);
}

#[sqlx::test]
async fn a_token_that_one_entry_gives_up_is_free_for_the_next(pool: PgPool) {
    let tokens = |tokens: &str| format!("users: [{{username: rubi, email: r@x, personal_access_tokens: [{tokens}]}}]");
    let with = |name: &str, token: &str| format!("{{name: {name}, scopes: [api], token: glpat-{token}}}");
    // The second row is the older one, so that the order of rows is not that of the document.
    applied(&pool, &tokens(&format!("{}, {}", with("b", "three"), with("a", "one")))).await;
    let moved = tokens(&format!("{}, {}, {}", with("a", "two"), with("b", "one"), with("c", "three")));
    insta::assert_snapshot!(run(&pool, &moved, false).await.unwrap().lines().join("\n"), @"
    ~ token a of rubi token replaced
    ~ token b of rubi token replaced
    + token c of rubi
    ");
    let expected = ["glpat-one", "glpat-two", "glpat-three"].map(digest);
    assert_eq!(rows(&pool, "select token_digest from personal_access_tokens order by id").await, expected.join("\n"));
    assert_eq!(run(&pool, &moved, false).await.unwrap().changes(), 0);
}

#[sqlx::test]
async fn a_secret_that_is_nowhere_is_a_mistake(pool: PgPool) {
    let document = "
users:
  - username: rubi
    email: r@x
    personal_access_tokens:
      - {name: a, scopes: [api], token: '$env:NOWHERE'}
      - {name: b, scopes: [api], token: '$file:/no/such/file'}
      - {name: c}
";
    insta::assert_snapshot!(refused(&pool, document).await, @"
    users[0].personal_access_tokens[0].token: the environment has no variable NOWHERE
    users[0].personal_access_tokens[1].token: cannot read /no/such/file: No such file or directory (os error 2)
    users[0].personal_access_tokens[2]: scopes is missing, which a new token needs, for example [api]
    ");
}

#[sqlx::test]
async fn addresses_and_identities_come_change_and_go(pool: PgPool) {
    let report = applied(
        &pool,
        "
users:
  - username: rubi
    email: r@x
    emails: [{email: rubi@home.example, confirmed: false}]
    identities: [{provider: kerberos, extern_uid: rubi@EXAMPLE.COM}]
",
    )
    .await;
    assert_eq!(report.changes(), 3);
    let report = applied(
        &pool,
        "
users:
  - username: rubi
    emails: [{email: Rubi@home.example, confirmed: true}]
    identities: [{provider: kerberos, extern_uid: ruby@EXAMPLE.COM}]
",
    )
    .await;
    insta::assert_snapshot!(report.lines().join("\n"), @"
    ~ email Rubi@home.example of rubi confirmed
    ~ identity kerberos of rubi extern_uid rubi@EXAMPLE.COM → ruby@EXAMPLE.COM
    ");
    let taken = "users: [{username: dana, email: rubi@home.example, identities: [{provider: kerberos, extern_uid: RUBY@example.com}]}]";
    insta::assert_snapshot!(refused(&pool, taken).await, @"users[0].email: is an address of user rubi");
    let gone = "
users:
  - username: rubi
    emails: [{email: rubi@home.example, ensure: absent}]
    identities: [{provider: kerberos, ensure: absent}]
";
    assert_eq!(applied(&pool, gone).await.changes(), 2);
}

#[sqlx::test]
async fn a_root_group_manages_an_account(pool: PgPool) {
    let document = "
users: [{username: rubi, email: r@x, enterprise_group: acme}, {username: dana, email: d@x, enterprise_group: null}]
groups: [{path: acme}, {path: acme/sub}]
";
    assert!(applied(&pool, document).await.lines().contains(&"~ user rubi enterprise_group acme".to_owned()));
    let managed = "select username || ' ' || path || ' ' || (enterprise_group_associated_at is not null)
                   from user_details join users on users.id = user_id join namespaces on namespaces.id = enterprise_group_id";
    assert_eq!(rows(&pool, managed).await, "rubi acme true");
    let wrong = "users: [{username: rubi, enterprise_group: acme/sub}, {username: dana, enterprise_group: nowhere}]";
    insta::assert_snapshot!(refused(&pool, wrong).await, @"
    users[0].enterprise_group: must be a root group: it holds for everything in it
    users[1].enterprise_group: there is no group nowhere
    ");
    let none = applied(&pool, "users: [{username: rubi, enterprise_group: null}]").await;
    assert_eq!(none.lines(), ["~ user rubi enterprise_group none"]);
    applied(&pool, "users: [{username: rubi, enterprise_group: acme}]").await;
    applied(&pool, "groups: [{path: acme/sub, ensure: absent}, {path: acme, ensure: absent}]").await;
    assert_eq!(rows(&pool, managed).await, "", "a group that is gone manages nobody");
}

#[sqlx::test]
async fn a_password_is_hashed_and_compared_with_what_is_there(pool: PgPool) {
    let stated = |password: &str| format!("users: [{{username: rubi, email: r@x, password: '{password}'}}]");
    assert_eq!(applied(&pool, &stated("correct horse")).await.lines(), ["+ user rubi", "+ password of rubi"]);
    let hash = rows(&pool, "select encrypted_password from users").await;
    assert!(hash.starts_with("$2a$10$"), "{hash}");
    assert!(applied(&pool, &stated("correct horse")).await.lines().is_empty());
    assert!(applied(&pool, &stated(&hash)).await.lines().is_empty());
    assert_eq!(applied(&pool, &stated("another horse")).await.lines(), ["~ password of rubi"]);
    assert_eq!(applied(&pool, &stated(&hash)).await.lines(), ["~ password of rubi"]);
    assert_eq!(rows(&pool, "select encrypted_password from users").await, hash);
    for bad in ["short", &"x".repeat(73)] {
        let mistakes = refused(&pool, &stated(bad)).await;
        assert!(mistakes.starts_with("users[0].password: must have 8 characters at least"), "{mistakes}");
    }
}

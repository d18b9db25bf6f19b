//! Lists go on from key to key, forwards and backwards, and a search is a part of a list.

use sqlx::PgPool;

use super::{Browser, acting};
use crate::support::TestApp;

/// The first cells of the rows of a page's first table.
fn heads(page: &str) -> Vec<String> {
    let cells = page.split("<th scope=\"row\">").skip(1).map(|rest| rest.split("</th>").next().unwrap());
    cells
        .map(|cell| {
            let mut text = String::new();
            let mut inside = false;
            for letter in cell.chars() {
                match letter {
                    '<' => inside = true,
                    '>' => inside = false,
                    letter if !inside => text.push(letter),
                    _ => {}
                }
            }
            text.trim().to_owned()
        })
        .collect()
}

fn neighbour(page: &str, which: &str) -> Option<String> {
    let (_, rest) = page.split_once(&format!("<a rel=\"{which}\" href=\""))?;
    Some(rest.split('"').next().unwrap().replace("&#38;", "&"))
}

/// All pages from this one on, and back again: what they show.
async fn walk(browser: &mut Browser<'_>, path: &str) -> (Vec<String>, usize) {
    let (mut seen, mut pages) = (Vec::new(), Vec::new());
    let mut next = Some(path.to_owned());
    while let Some(path) = next {
        let page = browser.page(&path).await;
        pages.push(heads(&page));
        seen.extend(heads(&page));
        next = neighbour(&page, "next");
        if next.is_none() {
            let mut at = neighbour(&page, "prev");
            for expected in pages.iter().rev().skip(1) {
                let page = browser.page(&at.expect("there is a page before")).await;
                assert_eq!(&heads(&page), expected, "backwards");
                at = neighbour(&page, "prev");
            }
            assert_eq!(at, None, "nothing is before the first page");
        }
        assert!(pages.len() < 50, "no end");
    }
    let number = pages.len();
    (seen, number)
}

#[sqlx::test]
async fn users_are_listed_by_name_page_by_page(pool: PgPool) {
    let app = TestApp::new(pool);
    let mut browser = acting(&app).await;
    let given = app.given();
    given
        .sql(
            "insert into users (username, name, email, confirmed_at)
             select case when n % 3 = 0 then 'User' else 'user' end || n, 'N', 'u' || n || '@example.com', now()
             from generate_series(1, 130) as n",
        )
        .await;
    for name in ["über", "_x", "Zoe"] {
        given.user(name).await;
    }
    let expected: Vec<String> = {
        let names: String =
            given.value("select string_agg(username, ' ' order by lower(username) collate \"C\", id) from users").await;
        names.split(' ').map(str::to_owned).collect()
    };
    let (seen, pages) = walk(&mut browser, "/admin/users").await;
    assert_eq!((seen, pages), (expected, 3));
    let (seen, _) = walk(&mut browser, "/admin/users?search=USER12").await;
    assert_eq!(
        seen,
        [
            "User12", "User120", "user121", "user122", "User123", "user124", "user125", "User126", "user127",
            "user128", "User129"
        ]
    );
    let (seen, _) = walk(&mut browser, "/admin/users?search=u77%40").await;
    assert_eq!(seen, ["user77"]);
    let (seen, _) = walk(&mut browser, "/admin/users?search=%C3%9CB").await;
    assert_eq!(seen, ["über"]);
    let (seen, _) = walk(&mut browser, "/admin/users?admins=1").await;
    assert_eq!(seen, ["root"]);
    given.sql("update users set state = 'blocked' where username like 'user1%'").await;
    let (seen, pages) = walk(&mut browser, "/admin/users?state=blocked").await;
    assert_eq!((seen.len(), pages), (29, 1), "{seen:?}");
}

#[sqlx::test]
async fn projects_groups_and_events_are_listed_page_by_page(pool: PgPool) {
    let app = TestApp::new(pool);
    let mut browser = acting(&app).await;
    let given = app.given();
    for number in 0..55 {
        given.project(&format!("acme/web{number:02}")).await;
        given.group(&format!("group{number:02}")).await;
    }
    given.project("other/web").await;
    let (seen, pages) = walk(&mut browser, "/admin/projects?search=acme/").await;
    let expected: Vec<String> = (0..55).map(|number| format!("acme/web{number:02}")).collect();
    assert_eq!((seen, pages), (expected, 2));
    let (seen, _) = walk(&mut browser, "/admin/projects?search=WEB").await;
    assert_eq!((seen.len(), seen[0].as_str()), (56, "other/web"), "by its own name, wherever it is");
    given.group("acme/platform").await;
    let (seen, _) = walk(&mut browser, "/admin/groups?search=plat").await;
    assert_eq!(seen, ["acme/platform"]);
    let (seen, _) = walk(&mut browser, "/admin/groups?search=acme/").await;
    assert_eq!(seen, ["acme/platform"]);
    let (seen, _) = walk(&mut browser, "/admin/groups?search=GROUP").await;
    assert_eq!(seen.len(), 55);
    given
        .sql(
            "insert into audit_events (author_id, author_name, entity_type, entity_id, details, created_at)
             select 1, 'root', 'User', 1, E'---\\n:event_name: git_otp_refused\\n', timestamp '2026-01-01' + n * interval '1 hour'
             from generate_series(1, 120) as n",
        )
        .await;
    let (seen, pages) = walk(&mut browser, "/admin/audit?event=git_otp_refused").await;
    assert_eq!((seen.len(), pages), (120, 3));
    assert_eq!(seen.first().map(String::as_str), Some("2026-01-06 00:00 UTC"), "the newest first");
    let (seen, _) = walk(&mut browser, "/admin/audit?since=2026-01-02&until=2026-01-02&author=root").await;
    assert_eq!(seen.len(), 24);
    let (seen, _) = walk(&mut browser, "/admin/audit?entity=User-1&event=git_otp_refused&until=2026-01-01").await;
    assert_eq!(seen.len(), 23);
    let file = browser.page("/admin/audit.csv?event=git_otp_refused").await;
    assert_eq!(file.lines().count(), 121);
    assert!(
        file.starts_with("time,event,by,on,with,from,message\r\n\"2026-01-06T00:00:00Z\",\"git_otp_refused\",\"root\""),
        "{file}"
    );
}

#[sqlx::test]
async fn a_place_that_is_none_is_the_beginning(pool: PgPool) {
    let app = TestApp::new(pool);
    let mut browser = acting(&app).await;
    // The last is a key of another list: base64 of `["n1"]`.
    for place in ["x", "%00", "bm8", "WyJuMSJd"] {
        for which in ["after", "before"] {
            let page = browser.page(&format!("/admin/users?{which}={place}")).await;
            assert_eq!(heads(&page), ["root"], "{which} {place}");
        }
    }
}

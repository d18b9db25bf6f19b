//! The Admin area as a browser sees it.

mod actions;
mod hostile;
mod lists;
mod pages;
mod refusals;
mod sign_in;

use std::collections::BTreeMap;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use gatehouse::domain::ids::UserId;
use gatehouse::http::layers::with_plain_path;
use tower::ServiceExt;

use crate::support::{Reply, TestApp};

/// A browser: it keeps cookies, and says where its forms come from.
pub struct Browser<'a> {
    app: &'a TestApp,
    cookies: BTreeMap<String, String>,
    /// The token of the forms of the page that was seen last.
    pub form_token: String,
}

impl<'a> Browser<'a> {
    pub fn new(app: &'a TestApp) -> Self {
        Self { app, cookies: BTreeMap::new(), form_token: String::new() }
    }

    /// A browser in which an administrator has signed in with this token.
    pub async fn signed_in(app: &'a TestApp, token: &str) -> Self {
        let mut browser = Self::new(app);
        let reply = browser.sign_in(token).await;
        assert_eq!(reply.status, 303, "{}", reply.line());
        browser.get("/admin/sessions").await;
        browser
    }

    pub async fn sign_in(&mut self, token: &str) -> Reply {
        self.post("/admin/sign_in", &[("token", token)]).await
    }

    fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Request::builder().method(method).uri(path).header("cookie", cookies.join("; ")).header("host", "admin.test")
    }

    pub async fn send(&mut self, request: Request<Body>) -> Reply {
        let response = self.app.admin.clone().oneshot(with_plain_path(request)).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let reply =
            Reply { status: parts.status, headers: parts.headers, text: String::from_utf8(body.to_vec()).unwrap() };
        for cookie in reply.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            let (name, rest) = cookie.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if cookie.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        if let Some((_, rest)) = reply.text.split_once("name=\"form_token\" value=\"") {
            rest.split('"').next().unwrap().clone_into(&mut self.form_token);
        }
        reply
    }

    pub async fn get(&mut self, path: &str) -> Reply {
        let request = self.request("GET", path).body(Body::empty()).unwrap();
        self.send(request).await
    }

    /// The page at a path, which is there.
    pub async fn page(&mut self, path: &str) -> String {
        let reply = self.get(path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.line());
        reply.text
    }

    /// Sends a form, without the token of its session.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let request = self.request("POST", path).header("sec-fetch-site", "same-origin");
        self.send(request.body(Body::from(form(fields))).unwrap()).await
    }

    /// Sends a form of the page that was seen last.
    pub async fn act(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let token = self.form_token.clone();
        let mut all = vec![("form_token", token.as_str())];
        all.extend(fields);
        self.post(path, &all).await
    }

    /// Sends a form that is taken, and reads the page that comes after it.
    pub async fn done(&mut self, path: &str, fields: &[(&str, &str)]) -> String {
        let reply = self.act(path, fields).await;
        assert_eq!(reply.status, 303, "{path}: {}", reply.line());
        let to = reply.headers["location"].to_str().unwrap().to_owned();
        self.page(&to).await
    }
}

pub fn form(fields: &[(&str, &str)]) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in fields {
        form.append_pair(name, value);
    }
    form.finish()
}

/// An administrator with a token that acts and one that looks.
pub async fn administrator(app: &TestApp) -> UserId {
    let given = app.given();
    let root = given.user("root").await;
    given.user_is(root, "admin = true").await;
    let key = &app.secrets.db_key_base;
    given.personal_access_token(root, key, "glpat-acts", &["api"]).await;
    given.personal_access_token(root, key, "glpat-looks", &["read_api"]).await;
    root
}

/// A browser of an administrator who may act.
pub async fn acting(app: &TestApp) -> Browser<'_> {
    administrator(app).await;
    Browser::signed_in(app, "glpat-acts").await
}

/// The newest audit event: its name, its author, and what was said.
pub async fn newest_event(app: &TestApp) -> String {
    let query = "select concat_ws(' ', substring(details from ':event_name: ([a-z_]+)'), author_name,
                   entity_type, target_type, target_id)
                 from audit_events order by id desc limit 1";
    app.given().value(query).await
}

/// A page without its tags, and its spaces as one.
pub fn words(page: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for letter in page.chars() {
        match letter {
            '<' => {
                inside = true;
                text.push(' ');
            }
            '>' => inside = false,
            letter if !inside => text.push(letter),
            _ => {}
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

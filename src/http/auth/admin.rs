//! Administrators in a browser: a session's cookie, and with each form the session's own token.
//!
//! A page is shown to an [`AdminCaller`], and something is done for an [`ActingAdmin`] alone; nothing but the layer here
//! makes either. A form that reaches a handler came from a page of ours, with its session's token ([`AdminForm`]).

use std::net::IpAddr;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{COOKIE, HOST, ORIGIN, SET_COOKIE, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Uri};
use axum::middleware::Next;
use axum::response::Response;
use ipnet::IpNet;
use subtle::ConstantTimeEq;

use crate::clock::Clock;
use crate::domain::admin_session::{LONGEST, SessionRight, form_token};
use crate::http::admin::error::AdminError;
use crate::http::admin::flash;
use crate::http::body::BegunBody;
use crate::http::client_address::PeerAddress;
use crate::http::layers::CorrelationId;
use crate::services::admin_sessions::{self, AdminClient, Administrator, OpenSession};
use crate::store::Db;

/// The field of a form that holds the session's token.
pub const FORM_TOKEN: &str = "form_token";
/// Bytes of a form at most.
const FORM_BYTES: usize = 64 << 10;

/// Shows that an administrator is signed in, who may look at everything.
#[derive(Debug, Clone)]
pub struct AdminCaller {
    session: OpenSession,
    form_token: String,
    path: String,
    flash: Option<String>,
    client: AdminClient,
    correlation_id: Option<String>,
}

impl AdminCaller {
    /// The session.
    #[must_use]
    pub fn session(&self) -> &OpenSession {
        &self.session
    }

    /// What their forms send beside the cookie.
    #[must_use]
    pub fn form_token(&self) -> &str {
        &self.form_token
    }

    /// Whether they may act.
    #[must_use]
    pub fn may_act(&self) -> bool {
        self.session.right == SessionRight::Acts
    }

    /// The path of the page that they look at.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What the page before this one has to say.
    #[must_use]
    pub fn flash(&self) -> Option<&str> {
        self.flash.as_deref()
    }

    /// Who they are, for the audit events.
    #[must_use]
    pub fn administrator(&self) -> Administrator {
        Administrator {
            id: self.session.user,
            username: self.session.username.clone(),
            ip_address: self.client.ip_address,
        }
    }

    /// The request's name in the logs.
    #[must_use]
    pub fn correlation_id(&self) -> Option<String> {
        self.correlation_id.clone()
    }
}

/// Shows that an administrator is signed in who may act.
#[derive(Debug, Clone)]
pub struct ActingAdmin(AdminCaller);

impl ActingAdmin {
    /// Who looks.
    #[must_use]
    pub fn caller(&self) -> &AdminCaller {
        &self.0
    }

    /// Who they are, for the audit events.
    #[must_use]
    pub fn administrator(&self) -> Administrator {
        self.0.administrator()
    }
}

impl<S: Sync> FromRequestParts<S> for AdminCaller {
    type Rejection = AdminError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, AdminError> {
        parts.extensions.get().cloned().ok_or(AdminError::SignedOut { to: None, in_place: false })
    }
}

impl<S: Sync> FromRequestParts<S> for ActingAdmin {
    type Rejection = AdminError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, AdminError> {
        let caller = AdminCaller::from_request_parts(parts, state).await?;
        if caller.may_act() { Ok(Self(caller)) } else { Err(AdminError::MayNotAct) }
    }
}

/// The fields of a form, which came with its session's token.
#[derive(Debug, Clone)]
pub struct AdminForm(FormFields);

impl AdminForm {
    /// The first field of that name, without white space around it; empty where there is none.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name)
    }

    /// The number in the first field of that name.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<i64> {
        self.0.get(name).parse().ok().filter(|number| *number > 0)
    }
}

impl<S: Sync> FromRequestParts<S> for AdminForm {
    type Rejection = AdminError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, AdminError> {
        parts.extensions.get().cloned().ok_or(AdminError::NotOurForm)
    }
}

/// Fields of a form or of a query, in their order. PostgreSQL has no place for a NUL, so that there is none in them.
#[derive(Debug, Clone, Default)]
pub struct FormFields(Vec<(String, String)>);

impl FormFields {
    /// Reads what a browser sends of a form.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        let plain = |text: &str| text.replace('\0', "");
        Self(form_urlencoded::parse(bytes).map(|(name, value)| (plain(&name), plain(&value))).collect())
    }

    /// The first field of that name, without white space around it; empty where there is none.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.trim())
    }
}

/// What callers are checked against.
#[derive(Debug, Clone)]
pub struct AdminAuth {
    /// Where sessions are known.
    pub db: Db,
    /// The clock.
    pub clock: Clock,
    /// The URL at which browsers reach the area, where a proxy stands before it.
    pub url: Option<String>,
    /// Proxies whose word counts about where a browser is.
    pub proxies: Vec<IpNet>,
}

impl AdminAuth {
    /// Whether browsers come by https: the settings say so, or the proxy does. Whoever lies about it spoils their own
    /// cookie alone.
    #[must_use]
    pub fn is_secure(&self, headers: &HeaderMap) -> bool {
        match &self.url {
            Some(url) => url.starts_with("https://"),
            None => text(headers, "x-forwarded-proto").is_some_and(|scheme| scheme.eq_ignore_ascii_case("https")),
        }
    }

    /// A cookie of that name which no script sees, and which comes with no request from another site.
    #[must_use]
    pub fn cookie(&self, headers: &HeaderMap, name: CookieName, value: &str, seconds: i64) -> HeaderValue {
        let secure = self.is_secure(headers);
        let (name, secure) = (name.text(secure), if secure { "; Secure" } else { "" });
        let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
        HeaderValue::from_str(&cookie).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    /// The cookie of a session that begins.
    #[must_use]
    pub fn session_cookie(&self, headers: &HeaderMap, secret: &str) -> HeaderValue {
        self.cookie(headers, CookieName::Session, secret, LONGEST.num_seconds())
    }

    /// The value of a cookie.
    fn read(&self, headers: &HeaderMap, name: CookieName) -> Option<String> {
        let name = name.text(self.is_secure(headers));
        let cookies = headers.get_all(COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
        let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
    }

    /// The browser at the other end. What a proxy says about it counts where the proxy's own address is one of those that
    /// the settings trust.
    #[must_use]
    pub fn client(&self, request: &Parts) -> AdminClient {
        let peer = request.extensions.get::<PeerAddress>().map(|PeerAddress(address)| *address);
        let trusted = |address: IpAddr| self.proxies.iter().any(|proxy| proxy.contains(&address));
        let forwarded = || {
            let hops = request.headers.get_all("x-forwarded-for").iter().filter_map(|hops| hops.to_str().ok());
            let hops: Vec<IpAddr> =
                hops.flat_map(|hops| hops.split(',')).filter_map(|hop| hop.trim().parse().ok()).collect();
            hops.iter().rev().find(|hop| !trusted(**hop)).or(hops.first()).copied()
        };
        let behind_proxy = peer.is_some_and(trusted);
        let agent = text(&request.headers, USER_AGENT.as_str()).unwrap_or_default();
        AdminClient {
            ip_address: if behind_proxy { forwarded().or(peer) } else { peer },
            user_agent: agent.chars().take(255).collect(),
        }
    }

    /// Whether a page of the area sent this form: the browser says so by `Sec-Fetch-Site`, or the origin that it names is
    /// the area's. A request that says neither is no browser's.
    #[must_use]
    pub fn is_from_here(&self, headers: &HeaderMap) -> bool {
        if let Some(site) = text(headers, "sec-fetch-site") {
            return site == "same-origin";
        }
        let Some(origin) = text(headers, ORIGIN.as_str()) else { return false };
        if let Some(url) = &self.url {
            return origin.eq_ignore_ascii_case(url);
        }
        let authority = origin.split_once("://").map(|(_, authority)| authority);
        let host = text(headers, HOST.as_str());
        host.is_some() && authority == host
    }
}

/// The cookies of the area.
#[derive(Debug, Clone, Copy)]
pub enum CookieName {
    /// The session.
    Session,
    /// What the next page has to say.
    Flash,
}

impl CookieName {
    /// Where the cookie is secure, its name makes browsers refuse one that another host or an insecure page sets.
    fn text(self, secure: bool) -> &'static str {
        match (self, secure) {
            (Self::Session, true) => "__Host-gatehouse_admin",
            (Self::Session, false) => "gatehouse_admin",
            (Self::Flash, true) => "__Host-gatehouse_flash",
            (Self::Flash, false) => "gatehouse_flash",
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The layer of all pages but the one that signs in: leaves an [`AdminCaller`] on the request, and with a form that came
/// from a page of ours an [`AdminForm`]; or refuses it.
///
/// # Errors
/// Without a session to the page that signs in; a form from elsewhere is refused.
pub async fn require(State(auth): State<AdminAuth>, request: Request, next: Next) -> Result<Response, AdminError> {
    let (mut parts, body) = request.into_parts();
    let signed_out = || {
        let read = matches!(parts.method, Method::GET | Method::HEAD);
        let to = parts.uri.path_and_query().filter(|_| read).map(ToString::to_string);
        AdminError::SignedOut { to, in_place: parts.headers.contains_key("hx-request") }
    };
    let secret = auth.read(&parts.headers, CookieName::Session).ok_or_else(signed_out)?;
    let found = admin_sessions::find(&auth.db, &secret, auth.clock.now()).await?;
    let Some(Ok(session)) = found else { return Err(signed_out()) };
    let flash = auth.read(&parts.headers, CookieName::Flash).and_then(|text| flash::decode(&text));
    let (form_token, path) = (form_token(&secret), parts.uri.path().to_owned());
    let body = if matches!(parts.method, Method::GET | Method::HEAD) {
        body
    } else {
        if !auth.is_from_here(&parts.headers) {
            return Err(AdminError::Foreign);
        }
        let fields = read_form(body).await?;
        if !bool::from(fields.get(FORM_TOKEN).as_bytes().ct_eq(form_token.as_bytes())) {
            return Err(AdminError::NotOurForm);
        }
        parts.extensions.insert(AdminForm(fields));
        axum::body::Body::empty()
    };
    let shown = flash.is_some() && parts.method == Method::GET && !parts.headers.contains_key("hx-request");
    let forget = shown.then(|| auth.cookie(&parts.headers, CookieName::Flash, "", 0));
    let client = auth.client(&parts);
    let correlation_id = parts.extensions.get().map(|CorrelationId(id)| id.clone());
    parts.extensions.insert(AdminCaller { session, form_token, path, flash, client, correlation_id });
    let mut response = next.run(Request::from_parts(parts, body)).await;
    if let Some(forget) = forget {
        response.headers_mut().append(SET_COOKIE, forget);
    }
    Ok(response)
}

/// The fields of a form.
pub async fn read_form(body: axum::body::Body) -> Result<FormFields, AdminError> {
    let bytes = BegunBody::read(body).await?.finish(FORM_BYTES).await?;
    Ok(FormFields::parse(&bytes))
}

/// The fields of a query.
#[derive(Debug, Clone, Default)]
pub struct AdminQuery {
    /// The query as it was sent.
    pub text: String,
    fields: FormFields,
}

impl AdminQuery {
    /// Reads the query of a URI.
    #[must_use]
    pub fn of(uri: &Uri) -> Self {
        let text = uri.query().unwrap_or_default();
        Self { text: text.to_owned(), fields: FormFields::parse(text.as_bytes()) }
    }

    /// The first field of that name, without white space around it; empty where there is none.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.fields.get(name)
    }
}

impl<S: Sync> FromRequestParts<S> for AdminQuery {
    type Rejection = AdminError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, AdminError> {
        Ok(Self::of(&parts.uri))
    }
}

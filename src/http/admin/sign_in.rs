//! `/admin/sign_in`, `/admin/sign_out`: a personal access token is exchanged for a session, and the session ends.

use askama::Template;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::response::{IntoResponse, Response};

use super::error::AdminError;
use super::page::html;
use super::{AdminState, assets, flash};
use crate::crypto::secrets::token_salt;
use crate::domain::presented_token::TokenRejection;
use crate::http::auth::admin::{AdminCaller, AdminForm, AdminQuery, CookieName, read_form};
use crate::services::ServiceError;
use crate::services::admin_sessions::{self, SignInRefusal};

#[derive(Template)]
#[template(path = "admin/sign_in.html")]
struct SignInTemplate<'a> {
    css: &'a str,
    to: &'a str,
    refusal: &'a str,
}

fn form(to: &str, refusal: &str) -> Response {
    html(SignInTemplate { css: &assets::CSS.url, to, refusal }.render())
}

/// The form.
pub async fn show(query: AdminQuery) -> Response {
    form(query.get("to"), "")
}

/// Signs in.
pub async fn create(State(state): State<AdminState>, request: Request) -> Result<Response, AdminError> {
    let (parts, body) = request.into_parts();
    if !state.auth.is_from_here(&parts.headers) {
        return Err(AdminError::Foreign);
    }
    let (client, now) = (state.auth.client(&parts), state.clock.now());
    if state.limiter.exceeded(client.ip_address, now) {
        metrics::counter!("gatehouse_admin_sign_ins_total", "outcome" => "limited").increment(1);
        return Err(AdminError::TooManyAttempts);
    }
    let fields = read_form(body).await?;
    let salt = token_salt(&state.db_key_base);
    let opened = admin_sessions::open(&state.db, fields.get("token"), salt, &client, rand::random(), now).await;
    let outcome = if opened.is_ok() { "signed_in" } else { "refused" };
    metrics::counter!("gatehouse_admin_sign_ins_total", "outcome" => outcome).increment(1);
    match opened {
        Ok(secret) => {
            let cookie = state.auth.session_cookie(&parts.headers, &secret);
            let to = Some(fields.get("to")).filter(|to| is_ours(to)).unwrap_or("/admin");
            Ok((StatusCode::SEE_OTHER, [(LOCATION, to.to_owned())], [(SET_COOKIE, cookie)]).into_response())
        }
        Err(ServiceError::Refused(refusal)) => {
            state.limiter.failed(client.ip_address, now);
            let mut response = form(fields.get("to"), sentence(&refusal));
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            Ok(response)
        }
        Err(ServiceError::Store(error)) => Err(error.into()),
    }
}

/// Ends the session.
pub async fn delete(
    State(state): State<AdminState>,
    headers: HeaderMap,
    caller: AdminCaller,
    _form: AdminForm,
) -> Result<Response, AdminError> {
    let (id, by) = (caller.session().id, caller.administrator());
    admin_sessions::end(&state.db, id, &by, "Signed out", state.clock.now()).await?;
    let mut response = flash::see_other(&state.auth, &headers, "/admin/sign_in", "");
    let gone = state.auth.cookie(&headers, CookieName::Session, "", 0);
    response.headers_mut().insert(SET_COOKIE, gone);
    Ok(response)
}

/// Whether an address is a page of the area: no other host, and no other scheme.
pub(super) fn is_ours(to: &str) -> bool {
    let rest = to.strip_prefix("/admin");
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
        && to.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

/// Who does not have the token learns nothing; who has it learns what is wrong with it.
fn sentence(refusal: &SignInRefusal) -> &'static str {
    match refusal {
        SignInRefusal::Unknown => "There is no such token.",
        SignInRefusal::Token(TokenRejection::Expired) => "This token has expired.",
        SignInRefusal::Token(TokenRejection::Revoked) => "This token was revoked.",
        SignInRefusal::Token(TokenRejection::Account(_)) => "The account of this token may not sign in now.",
        SignInRefusal::Token(TokenRejection::Scope(_)) => "This token lacks the scope read_api, or api.",
        SignInRefusal::Token(TokenRejection::NotAnAdmin) => "This token is not an administrator's.",
    }
}

#[cfg(test)]
mod tests {
    use super::is_ours;

    #[test]
    fn nobody_is_sent_elsewhere() {
        for ours in ["/admin", "/admin/users?search=a", "/admin?x=1"] {
            assert!(is_ours(ours), "{ours}");
        }
        for other in
            ["", "//evil.example", "/adminx", "https://evil.example/admin", "/admin\r\nSet-Cookie: a", "/\\evil"]
        {
            assert!(!is_ours(other), "{other}");
        }
    }
}

//! `POST /two_factor_push_otp_check`: has the user confirmed on their telephone? There is no provider that would ask
//! them.

use crate::domain::two_factor::TwoFactorRefusal;
use crate::http::auth::shell::ShellCaller;
use crate::http::openapi::SuccessResponse;

use super::actor::ActorRequest;
use super::repeatable::ShellAnswer;

/// At once that there is no such thing: gitlab-shell asks while it waits for the one-time password (shell.md 2.9).
#[utoipa::path(
    post,
    path = "/two_factor_push_otp_check",
    operation_id = "check_push_otp",
    request_body(content = Option<ActorRequest>, example = json!({ "key_id": "11" })),
    responses((
        status = 200,
        body = SuccessResponse,
        example = json!({ "success": false, "message": "Feature is not available" })
    ))
)]
pub async fn check(_caller: ShellCaller) -> ShellAnswer {
    ShellAnswer::refusal(TwoFactorRefusal::NotAvailable)
}

//! `POST /two_factor_push_otp_check`: has the user confirmed on their telephone? There is no provider that would ask
//! them.

use crate::domain::two_factor::TwoFactorRefusal;
use crate::http::auth::shell::ShellCaller;

use super::repeatable::ShellAnswer;

/// At once that there is no such thing: gitlab-shell asks while it waits for the one-time password (shell.md 2.9).
pub async fn check(_caller: ShellCaller) -> ShellAnswer {
    ShellAnswer::refusal(TwoFactorRefusal::NotAvailable)
}

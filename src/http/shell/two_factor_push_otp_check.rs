//! `POST /two_factor_push_otp_check`: has the user confirmed on their telephone? There is no provider that would ask them.

use crate::domain::two_factor::Refusal;
use crate::http::auth::shell::ShellCaller;

use super::replay::Answer;

/// At once that there is no such thing: gitlab-shell asks while it waits for the one-time password (shell.md 2.9).
pub async fn check(_caller: ShellCaller) -> Answer {
    Answer::refusal(Refusal::NotAvailable)
}

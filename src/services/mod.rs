//! Workflows: each is one transaction, or a stated order of them. A service asks `store` for rows and `domain` for decisions, and
//! is called by `http`, `background` and the commands alike.

pub mod check_access;
pub mod check_push;
pub mod create_personal_access_token;
pub mod create_pushed_project;
pub mod find_clone_url;
pub mod guard_call;
pub mod make_repository;
pub mod open_otp_session;
pub mod refresh_repository;
pub mod replace_recovery_codes;
pub mod report_push;
pub mod settle_default_branch;

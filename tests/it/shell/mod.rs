//! The shell area, as gitlab-shell and Gitaly see it.

mod allowed;
mod authorized_certs;
mod error_tracking_allowed;
mod git_audit_event;
mod lfs;
mod lfs_token_verify;
mod object_pool_members;
mod personal_access_token;
mod two_factor_config;
mod two_factor_manual_otp_check;
mod two_factor_push_otp_check;
mod two_factor_recovery_codes;

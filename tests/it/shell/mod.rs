//! The shell area, as gitlab-shell and Gitaly see it.

mod allowed;
mod authorized_certs;
mod authorized_keys;
mod check;
mod discover;
mod error_tracking_allowed;
mod git_audit_event;
mod legacy_secret;
mod lfs;
mod lfs_authenticate;
mod lfs_token_verify;
mod object_pool_members;
mod personal_access_token;
mod post_receive;
mod pre_receive;
mod transport;
mod two_factor_config;
mod two_factor_manual_otp_check;
mod two_factor_push_otp_check;
mod two_factor_recovery_codes;

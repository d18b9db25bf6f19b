//! The shell area: gitlab-shell and Gitaly call.

use super::Area;

const UNAUTHORIZED: &str = r#"401 {"message":"401 Unauthorized"}"#;
/// Where Workhorse may call too, whoever shows nothing of gitlab-shell's is taken for Workhorse.
const WORKHORSE: &str = r#"403 {"message":"403 Forbidden"}"#;

pub const AREA: Area = Area {
    folder: "src/http/shell",
    root: "/api/v4/internal",
    routes: &[
        ("GET", "/check", UNAUTHORIZED),
        ("GET", "/authorized_keys", UNAUTHORIZED),
        ("GET", "/discover", UNAUTHORIZED),
        ("POST", "/allowed", UNAUTHORIZED),
        ("POST", "/lfs_authenticate", UNAUTHORIZED),
        ("POST", "/pre_receive", UNAUTHORIZED),
        ("POST", "/post_receive", UNAUTHORIZED),
        ("GET", "/authorized_certs", UNAUTHORIZED),
        ("GET", "/gitaly/object_pool_members", UNAUTHORIZED),
        ("GET", "/lfs", UNAUTHORIZED),
        ("POST", "/lfs_token/verify", UNAUTHORIZED),
        ("POST", "/personal_access_token", UNAUTHORIZED),
        ("POST", "/two_factor_config", UNAUTHORIZED),
        ("POST", "/two_factor_manual_otp_check", UNAUTHORIZED),
        ("POST", "/two_factor_otp_check", UNAUTHORIZED),
        ("POST", "/two_factor_push_otp_check", UNAUTHORIZED),
        ("POST", "/two_factor_recovery_codes", UNAUTHORIZED),
        ("POST", "/error_tracking/allowed", UNAUTHORIZED),
        ("POST", "/shellhorse/git_audit_event", WORKHORSE),
    ],
    otherwise: |path, header| {
        (path == "/shellhorse/git_audit_event" && header == "Gitlab-Shell-Api-Request").then_some(UNAUTHORIZED)
    },
    opened_by: &["shell"],
};

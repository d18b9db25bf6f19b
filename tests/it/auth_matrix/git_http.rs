//! Git over HTTP: Workhorse asks, for somebody with a credential or for nobody.

use super::Area;

const UNSIGNED: &str = "403 The request is not signed by GitLab Workhorse";

/// What git-lfs asks by itself needs a credential, and no proof of Workhorse.
const DENIED: &str = concat!(
    "401 HTTP Basic: Access denied. If a password was provided for Git authentication, the password was incorrect or ",
    "you're required to use a token instead of a password. If a token was provided, it was either incorrect, expired, ",
    "or improperly scoped. See ",
    "http://localhost/help/topics/git/troubleshooting_git.md#error-on-git-fetch-http-basic-access-denied"
);

pub const AREA: Area = Area {
    folder: "src/http/git_http",
    root: "/{repository}.git",
    routes: &[
        ("GET", "/info/refs", UNSIGNED),
        ("POST", "/git-upload-pack", UNSIGNED),
        ("POST", "/git-receive-pack", UNSIGNED),
        ("PUT", "/gitlab-lfs/objects/{oid}/{size}/authorize", UNSIGNED),
        ("POST", "/info/lfs/objects/batch", DENIED),
        ("POST", "/info/lfs/objects", DENIED),
        ("GET", "/info/lfs/objects/{oid}", DENIED),
        ("GET", "/info/lfs/locks", DENIED),
        ("POST", "/info/lfs/locks", DENIED),
        ("POST", "/info/lfs/locks/verify", DENIED),
        ("POST", "/info/lfs/locks/{id}/unlock", DENIED),
        ("GET", "/gitlab-lfs/objects/{oid}", DENIED),
        ("PUT", "/gitlab-lfs/objects/{oid}/{size}", DENIED),
    ],
    otherwise: |_, _| None,
    opened_by: &["workhorse", "basic"],
};

/// What lies beside the repositories.
pub const BESIDE: Area = Area {
    folder: "src/http/git_http",
    root: "/api/v4",
    routes: &[("GET", "/geo/proxy", r#"403 {"message":"403 Forbidden"}"#)],
    otherwise: |_, _| None,
    opened_by: &["workhorse"],
};

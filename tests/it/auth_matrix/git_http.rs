//! Git over HTTP: Workhorse asks, for somebody with a credential or for nobody.

use super::Area;

const UNSIGNED: &str = "403 The request is not signed by GitLab Workhorse";

pub const AREA: Area = Area {
    folder: "src/http/git_http",
    root: "/{repository}.git",
    routes: &[
        ("GET", "/info/refs", UNSIGNED),
        ("POST", "/git-upload-pack", UNSIGNED),
        ("POST", "/git-receive-pack", UNSIGNED),
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

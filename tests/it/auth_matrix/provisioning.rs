//! The provisioning area: administrators call, and the customers portal.

use super::Area;

const UNAUTHORIZED: &str = r#"401 {"message":"401 Unauthorized"}"#;

pub const AREA: Area = Area {
    folder: "src/http/provisioning",
    root: "/api/v4",
    routes: &[
        ("GET", "/namespaces/{id}/gitlab_subscription", UNAUTHORIZED),
        ("POST", "/namespaces/{id}/gitlab_subscription", UNAUTHORIZED),
        ("PUT", "/namespaces/{id}/gitlab_subscription", UNAUTHORIZED),
    ],
    otherwise: |_, _| None,
    opened_by: &["personal access token", "customers portal"],
};

//! The provisioning area: administrators call, and CustomersDot.

use super::Area;

const UNAUTHORIZED: &str = r#"401 {"message":"401 Unauthorized"}"#;

pub const AREA: Area = Area {
    folder: "src/http/provisioning",
    root: "/api/v4",
    routes: &[
        ("PUT", "/namespaces/{id}", UNAUTHORIZED),
        ("GET", "/namespaces/{id}/gitlab_subscription", UNAUTHORIZED),
        ("POST", "/namespaces/{id}/gitlab_subscription", UNAUTHORIZED),
        ("PUT", "/namespaces/{id}/gitlab_subscription", UNAUTHORIZED),
        ("GET", "/namespaces/storage/limit_exclusions", UNAUTHORIZED),
        ("POST", "/namespaces/{id}/minutes", UNAUTHORIZED),
        ("PATCH", "/namespaces/{id}/minutes/move/{target_id}", UNAUTHORIZED),
        ("POST", "/namespaces/{id}/storage/limit_exclusion", UNAUTHORIZED),
        ("DELETE", "/namespaces/{id}/storage/limit_exclusion", UNAUTHORIZED),
        ("GET", "/namespaces/{id}/subscription_add_on_purchase/{add_on_name}", UNAUTHORIZED),
        ("POST", "/namespaces/{id}/subscription_add_on_purchase/{add_on_name}", UNAUTHORIZED),
        ("PUT", "/namespaces/{id}/subscription_add_on_purchase/{add_on_name}", UNAUTHORIZED),
        ("PUT", "/internal/upcoming_reconciliations", UNAUTHORIZED),
        ("DELETE", "/internal/upcoming_reconciliations", UNAUTHORIZED),
    ],
    otherwise: |_, _| None,
    opened_by: &["personal access token", "CustomersDot"],
};

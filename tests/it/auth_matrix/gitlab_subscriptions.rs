//! The newer mounts of provisioning: CustomersDot calls, and nobody else.

use super::Area;

const UNAUTHORIZED: &str = r#"401 {"message":"401 Unauthorized"}"#;

pub const AREA: Area = Area {
    folder: "src/http/provisioning/gitlab_subscriptions",
    root: "/api/v4/internal/gitlab_subscriptions",
    routes: &[
        ("GET", "/namespaces/{id}", UNAUTHORIZED),
        ("PUT", "/namespaces/{id}", UNAUTHORIZED),
        ("GET", "/namespaces/{id}/owners", UNAUTHORIZED),
        ("POST", "/namespaces/{id}/provision", UNAUTHORIZED),
        ("GET", "/namespaces/{id}/user_permissions/{user_id}", UNAUTHORIZED),
        ("GET", "/users/{user_id}", UNAUTHORIZED),
        ("GET", "/namespaces/{id}/gitlab_subscription", UNAUTHORIZED),
        ("POST", "/namespaces/{id}/gitlab_subscription", UNAUTHORIZED),
        ("PUT", "/namespaces/{id}/gitlab_subscription", UNAUTHORIZED),
        ("POST", "/namespaces/{id}/minutes", UNAUTHORIZED),
        ("PATCH", "/namespaces/{id}/minutes/move/{target_id}", UNAUTHORIZED),
        ("POST", "/namespaces/{id}/subscription_add_on_purchases", UNAUTHORIZED),
        ("GET", "/namespaces/{id}/subscription_add_on_purchases/{add_on_name}", UNAUTHORIZED),
        ("PUT", "/namespaces/{id}/upcoming_reconciliations", UNAUTHORIZED),
        ("DELETE", "/namespaces/{id}/upcoming_reconciliations", UNAUTHORIZED),
    ],
    otherwise: |_, _| None,
    opened_by: &["CustomersDot"],
};

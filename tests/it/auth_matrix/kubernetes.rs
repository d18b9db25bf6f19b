//! The area of kas. What agents ask needs a token of theirs beside the token of kas.

use super::Area;

const REFUSED: &str = r#"401 {"message":"KAS JWT authentication invalid"}"#;

pub const AREA: Area = Area {
    folder: "src/http/kubernetes",
    root: "/api/v4/internal",
    routes: &[
        ("GET", "/agents/agentk/agent_info", REFUSED),
        ("GET", "/kubernetes/agent_info", REFUSED),
        ("GET", "/kubernetes/project_info", REFUSED),
        ("GET", "/kubernetes/verify_project_access", REFUSED),
        ("POST", "/kubernetes/modules/cilium_alert", REFUSED),
        ("PUT", "/kubernetes/modules/starboard_vulnerability", REFUSED),
        ("POST", "/kubernetes/modules/starboard_vulnerability/scan_result", REFUSED),
        ("GET", "/kubernetes/modules/starboard_vulnerability/policies_configuration", REFUSED),
        ("GET", "/kubernetes/modules/starboard_vulnerability/scan_execution_policies", REFUSED),
        ("POST", "/kubernetes/agent_configuration", REFUSED),
        ("POST", "/kubernetes/agent_events", REFUSED),
        ("POST", "/kubernetes/usage_metrics", REFUSED),
        ("POST", "/kubernetes/authorize_proxy_user", REFUSED),
        ("GET", "/kubernetes/receptive_agents", REFUSED),
    ],
    otherwise: |_, _| None,
    opened_by: &["agent", "kas"],
};

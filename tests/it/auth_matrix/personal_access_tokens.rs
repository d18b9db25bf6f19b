//! Personal access tokens: users call with them, about them.

use super::Area;

const UNAUTHORIZED: &str = r#"401 {"message":"401 Unauthorized"}"#;

pub const AREA: Area = Area {
    folder: "src/http/personal_access_tokens",
    root: "/api/v4/personal_access_tokens",
    routes: &[("GET", "/self", UNAUTHORIZED), ("DELETE", "/self", UNAUTHORIZED)],
    otherwise: |_, _| None,
    opened_by: &["personal access token"],
};

//! SCIM: identity providers call. Its own tests ask the same of a group's token.

use super::Area;

const UNAUTHORIZED: &str = concat!(
    r#"401 {"detail":"401 Unauthorized","message":"401 Unauthorized","#,
    r#""schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"401"}"#
);

pub const AREA: Area = Area {
    folder: "src/http/scim",
    root: "/api/scim/v2/application",
    routes: &[
        ("POST", "/.search", UNAUTHORIZED),
        ("POST", "/Bulk", UNAUTHORIZED),
        ("GET", "/Groups", UNAUTHORIZED),
        ("POST", "/Groups", UNAUTHORIZED),
        ("POST", "/Groups/.search", UNAUTHORIZED),
        ("GET", "/Groups/{id}", UNAUTHORIZED),
        ("PUT", "/Groups/{id}", UNAUTHORIZED),
        ("PATCH", "/Groups/{id}", UNAUTHORIZED),
        ("DELETE", "/Groups/{id}", UNAUTHORIZED),
        ("GET", "/ResourceTypes", UNAUTHORIZED),
        ("GET", "/ResourceTypes/{id}", UNAUTHORIZED),
        ("GET", "/Schemas", UNAUTHORIZED),
        ("GET", "/Schemas/{urn}", UNAUTHORIZED),
        ("GET", "/ServiceProviderConfig", UNAUTHORIZED),
        ("GET", "/Users", UNAUTHORIZED),
        ("POST", "/Users", UNAUTHORIZED),
        ("POST", "/Users/.search", UNAUTHORIZED),
        ("GET", "/Users/{id}", UNAUTHORIZED),
        ("PUT", "/Users/{id}", UNAUTHORIZED),
        ("PATCH", "/Users/{id}", UNAUTHORIZED),
        ("DELETE", "/Users/{id}", UNAUTHORIZED),
    ],
    otherwise: |_, _| None,
    opened_by: &["SCIM token"],
};

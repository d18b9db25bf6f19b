//! What the document of the API says of all of SCIM's routes, and of the two bases that they are under.

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{Content, ObjectBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Required, Type};
use utoipa_axum::router::OpenApiRouter;

use super::{GROUP_BASE, INSTANCE_BASE, ScimState};
use crate::http::openapi::{BEARER, RouteGroup, operations_mut};

const JSON: &str = "application/json";
const SCIM_JSON: &str = "application/scim+json";

/// How any request may be refused.
const ALL: RouteGroup = RouteGroup {
    tag: "scim",
    security: &[&[BEARER]],
    failures: &[
        (401, "The token is missing, unknown, or not of this base"),
        (403, "SAML is not switched on here"),
        (404, "There is no such resource, group or URL, or the licence does not cover SCIM"),
        (414, "The URL has more than 16 KiB"),
        (503, "The database does not answer, or there is too much to do: try again after `Retry-After` seconds"),
    ],
    failure: "ScimErrorResponse",
    also_refused_as: &[],
    content: SCIM_JSON,
    also_sent_as: &[SCIM_JSON],
};

/// How a request with a body may be refused besides.
const WITH_BODY: RouteGroup = RouteGroup {
    failures: &[
        (400, "The body is no JSON object, nests too deep, or has a value that cannot be understood"),
        (408, "The body came too slowly"),
        (413, "The body has more than 1 MiB, or more operations than a request may have"),
        (415, "The body is of a type other than JSON"),
    ],
    ..ALL
};

/// The document of the routes that each base has.
pub fn document(of_group: OpenApiRouter<ScimState>, of_instance: OpenApiRouter<ScimState>) -> OpenApi {
    let mut of_group = described(of_group);
    for item in of_group.paths.paths.values_mut() {
        item.parameters = Some(vec![group_path().into()]);
    }
    OpenApiBuilder::new().build().nest(GROUP_BASE, of_group).nest(INSTANCE_BASE, described(of_instance))
}

fn described(router: OpenApiRouter<ScimState>) -> OpenApi {
    let mut openapi = router.into_openapi();
    if let Some(components) = &mut openapi.components {
        // It stands inside the list that is made of it, and nobody refers to it.
        components.schemas.remove("ScimResource");
    }
    openapi.paths.paths.values_mut().flat_map(operations_mut).for_each(|(_, operation)| describe(operation));
    openapi
}

fn describe(operation: &mut Operation) {
    if operation.request_body.is_some() {
        WITH_BODY.describe(operation);
    }
    ALL.describe(operation);
    // Only what is about one resource knows versions.
    let of_one = operation.parameters.iter().flatten().any(has_versions);
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        if let Some(content) = response.content.swap_remove(JSON) {
            response.content.insert(SCIM_JSON.to_owned(), content);
        }
        let mut header = |name: &str, description: &str| {
            let text = ObjectBuilder::new().schema_type(Type::String).build();
            let header = HeaderBuilder::new().schema(Some(text)).description(Some(description)).build();
            response.headers.insert(name.to_owned(), header.into());
        };
        match status.as_str() {
            "200" | "304" if of_one => header("ETag", "The resource's version"),
            "201" => {
                header("ETag", "The resource's version");
                header("Location", "The resource's URL");
            }
            "401" => header("WWW-Authenticate", "`Bearer`"),
            // The limit of a request's time is that of all areas, and speaks as they do.
            "408" | "503" => {
                let plain = Content::new(Some(Ref::from_schema_name("FailureResponse")));
                response.content.insert(JSON.to_owned(), plain.into());
            }
            _ => {}
        }
    }
}

fn has_versions(parameter: &RefOr<Parameter>) -> bool {
    matches!(parameter, RefOr::T(parameter) if ["If-Match", "If-None-Match"].contains(&parameter.name.as_str()))
}

fn group_path() -> Parameter {
    ParameterBuilder::new()
        .name("path")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some("The group's path in any letter case, with `%2F` or a slash in it, or the group's id"))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .example(Some("acme".into()))
        .build()
}

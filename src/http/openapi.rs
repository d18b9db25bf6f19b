//! What the OpenAPI document says of many routes alike: who may call, how the layers around them refuse, and how
//! parameters may be sent. What one endpoint does is said where it is handled.

use axum::http::StatusCode;
use serde_json::{Value, json};
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::info::{ContactBuilder, InfoBuilder, LicenseBuilder};
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::{ArrayBuilder, SchemaType};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::server::Server;
use utoipa::openapi::tag::{Tag, TagBuilder};
use utoipa::openapi::{
    ComponentsBuilder, Content, Info, ObjectBuilder, OneOfBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Response,
    ResponseBuilder, Schema, Type,
};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use super::wire::{GitText, GitTexts, WireText, WireTexts};

/// The token that gitlab-shell and Gitaly sign.
pub const SHELL: &str = "shell";
/// The secret itself, of clients that are older than the token.
pub const SHARED_SECRET: &str = "shared_secret";
/// The token that kas signs.
pub const KAS: &str = "kas";
/// The token of an agent for Kubernetes.
pub const AGENT: &str = "agent";
/// A personal access token.
pub const PERSONAL_ACCESS_TOKEN: &str = "personal_access_token";
/// The token that CustomersDot signs.
pub const CUSTOMERS_DOT: &str = "customers_dot";
/// The token of the error-tracking service.
pub const ERROR_TRACKING: &str = "error_tracking";
/// The token that Workhorse signs.
pub const WORKHORSE: &str = "workhorse";
/// A login, with a password or a token.
pub const BASIC: &str = "basic";
/// A bearer token: of a SCIM scope, or a personal access token.
pub const BEARER: &str = "bearer";

/// The credentials that clients have, by their names in the document.
#[must_use]
pub fn security_schemes() -> [(&'static str, SecurityScheme); 10] {
    let header = |name: &str, description: &str| {
        SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(name, description)))
    };
    let basic = HttpBuilder::new()
        .scheme(HttpAuthScheme::Basic)
        .description(Some("A login with a password, a personal access token, a deploy token or an OAuth access token."))
        .build();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("The token of a SCIM scope; elsewhere a personal access token."))
        .build();
    [
        (
            SHELL,
            header("Gitlab-Shell-Api-Request", "A JWT (HS256) under the secret that gitlab-shell and Gitaly share."),
        ),
        (SHARED_SECRET, header("Gitlab-Shared-Secret", "That secret in base64, where the settings allow it.")),
        (KAS, header("Gitlab-Kas-Api-Request", "A JWT (HS256) under the secret of kas.")),
        (AGENT, header("Gitlab-Agent-Api-Request", "The token of an agent, beside that of kas.")),
        (PERSONAL_ACCESS_TOKEN, header("PRIVATE-TOKEN", "A personal access token.")),
        (
            CUSTOMERS_DOT,
            header("X-Customers-Dot-Internal-Token", "A JWT (RS256) under a key that CustomersDot publishes."),
        ),
        (
            ERROR_TRACKING,
            header("Gitlab-Error-Tracking-Token", "The token that the instance keeps for error tracking."),
        ),
        (WORKHORSE, header("Gitlab-Workhorse-Api-Request", "A JWT (HS256) under the secret of Workhorse.")),
        (BASIC, SecurityScheme::Http(basic)),
        (BEARER, SecurityScheme::Http(bearer)),
    ]
}

/// The document of all areas, each with where it is mounted, for the installation at this URL.
#[must_use]
pub fn document(url: &str, areas: impl IntoIterator<Item = (String, OpenApi)>) -> OpenApi {
    let components = ComponentsBuilder::new().schemas_from_iter(schema_of::<FailureResponse>());
    let mut document = OpenApiBuilder::new()
        .info(info())
        .servers(Some([Server::new(url)]))
        .tags(Some(TAGS.map(|(name, description)| tag(name, description))))
        .components(Some(components.build()))
        .build();
    for (mount, area) in areas {
        // Of a path that two areas have, each with methods of its own, only the latter's would be left.
        let before = document.paths.paths.clone();
        document = document.nest(mount, area);
        for (path, item) in before {
            document.paths.paths.entry(path).or_default().merge_operations(item);
        }
    }
    for (name, scheme) in security_schemes() {
        document.components.get_or_insert_default().add_security_scheme(name, scheme);
    }
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations_mut(item) {
            operation.operation_id = Some(operation_id(method, path));
            tidy(operation);
        }
    }
    document
}

/// A name for programs that are generated from the document: `get_internal_kubernetes_agent_info`.
fn operation_id(method: &str, path: &str) -> String {
    let path = path.strip_prefix("/api/v4").or_else(|| path.strip_prefix("/api")).unwrap_or(path);
    let words = path.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let words = words.filter(|word| !word.is_empty() && *word != "v2");
    words.fold(method.to_owned(), |id, word| id + "_" + &word.to_ascii_lowercase())
}

/// A schema with those that it refers to.
fn schema_of<T: ToSchema>() -> Vec<(String, RefOr<Schema>)> {
    let mut schemas = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut schemas);
    schemas
}

fn info() -> Info {
    let contact = ContactBuilder::new().name(Some("The Gatehouse authors")).build();
    let license = LicenseBuilder::new().name("MIT").identifier(Some("MIT")).build();
    InfoBuilder::new()
        .title("Gatehouse")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .contact(Some(contact))
        .license(Some(license))
        .build()
}

const ABOUT: &str = "GitLab's internal API, answered from PostgreSQL: what gitlab-shell, Gitaly, kas, CustomersDot and \
    SCIM clients ask.\n\nWhere a request has a body, its parameters may come in the query, in a form or in JSON alike, \
    and the body wins; `x-parameters-in` says so at each operation. A list is `name[]` once for each member in a query or \
    a form.";

/// The areas, as the tags of their operations.
const TAGS: [(&str, &str); 8] = [
    ("shell", "What gitlab-shell and Gitaly ask"),
    ("git_http", "What Workhorse and git-lfs ask for git over HTTP"),
    ("kubernetes", "What kas asks, for itself and for agents"),
    ("provisioning", "What CustomersDot and administrators give to namespaces"),
    ("gitlab_subscriptions", "The newer mounts of the same, for CustomersDot alone"),
    ("scim", "Users and groups of identity providers"),
    ("rest", "What clients ask that manage users, groups and projects"),
    ("monitoring", "What operators ask, on a listener of their own"),
];

fn tag(name: &str, description: &str) -> Tag {
    TagBuilder::new().name(name).description(Some(description)).build()
}

/// Leaves out of a description what is written for programmers of the server alone.
fn tidy(operation: &mut Operation) {
    if let Some(description) = &mut operation.description
        && let Some(end) = description.find("# Errors")
    {
        description.truncate(end);
        let trimmed = description.trim_end().len();
        description.truncate(trimmed);
    }
    operation.description.take_if(|description| description.is_empty());
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            let status = status.parse::<StatusCode>().ok();
            status
                .and_then(|status| status.canonical_reason())
                .unwrap_or_default()
                .clone_into(&mut response.description);
        }
    }
    if let Some(summary) = &mut operation.summary {
        *summary = summary.replace('\n', " ");
        operation.description.get_or_insert_with(|| summary.clone());
    }
}

/// What routes have in common that lie behind the same layers.
#[derive(Debug)]
pub struct RouteGroup {
    /// The area's name.
    pub tag: &'static str,
    /// The credentials that open the routes: one of these lists, and all of its members.
    pub security: &'static [&'static [&'static str]],
    /// How the layers refuse, and what any handler may meet.
    pub failures: &'static [(u16, &'static str)],
    /// The schema of a refusal.
    pub failure: &'static str,
    /// Other forms in which refusals may come: schema and type.
    pub also_refused_as: &'static [(&'static str, &'static str)],
    /// The type of a body, either way.
    pub content: &'static str,
    /// Other types in which a request may send the same.
    pub also_sent_as: &'static [&'static str],
}

/// How the plain areas refuse.
pub const PLAIN_FAILURES: &[(u16, &str)] = &[
    (400, "A parameter is missing, or the body or a parameter cannot be read"),
    (401, "The credential is missing or not good here"),
    (404, "There is no such record, or none that the caller may see"),
    (408, "The body came too slowly"),
    (413, "The body is larger than the settings allow"),
    (415, "The body is of a type that carries no parameters"),
    (503, "The database does not answer, or there is too much to do: try again after `Retry-After` seconds"),
];

/// How areas refuse whose callers are users with tokens.
pub const TOKEN_FAILURES: &[(u16, &str)] = &[
    (400, "A parameter is missing or of the wrong type, or what it asks for cannot be"),
    (401, "The token is missing, unknown, expired or revoked"),
    (403, "The token's scopes or its owner do not allow it"),
    (404, "There is no such record, or none that the caller may see"),
    (408, "The body came too slowly"),
    (413, "The body is larger than the settings allow"),
    (415, "The body is of a type that carries no parameters"),
    (503, "The database does not answer, or there is too much to do: try again after `Retry-After` seconds"),
];

/// The types in which parameters may come beside JSON.
pub const FORMS: &[&str] = &["application/x-www-form-urlencoded", "multipart/form-data"];

impl RouteGroup {
    /// The router, with what the group has in common said of each of its routes.
    #[must_use]
    pub fn on<S: Clone + Send + Sync + 'static>(&self, mut router: OpenApiRouter<S>) -> OpenApiRouter<S> {
        router
            .get_openapi_mut()
            .paths
            .paths
            .values_mut()
            .flat_map(operations_mut)
            .for_each(|(_, operation)| self.describe(operation));
        router
    }

    /// Says of an operation what the group has in common.
    pub fn describe(&self, operation: &mut Operation) {
        operation.tags = Some(vec![self.tag.to_owned()]);
        let alternative = |schemes: &&[&str]| {
            let none = SecurityRequirement::default();
            schemes.iter().fold(none, |all, scheme| all.add(*scheme, Vec::<String>::new()))
        };
        operation.security = Some(self.security.iter().map(alternative).collect());
        for (status, description) in self.failures {
            let failure = || self.refusal(*status, description).into();
            operation.responses.responses.entry(status.to_string()).or_insert_with(failure);
        }
        if let Some(RefOr::T(body)) = &mut operation.request_body
            && let Some(json) = body.content.get("application/json").cloned()
        {
            for media in self.also_sent_as {
                body.content.entry((*media).to_owned()).or_insert_with(|| json.clone());
            }
            if self.also_sent_as == FORMS {
                let ways = Extensions::builder().add("x-parameters-in", json!(["query", "form", "json"])).build();
                body.extensions.get_or_insert_default().merge(ways);
            }
        }
    }

    fn refusal(&self, status: u16, description: &str) -> Response {
        let schema = Ref::from_schema_name(self.failure);
        let mut response =
            ResponseBuilder::new().description(description).content(self.content, Content::new(Some(schema)));
        for (schema, content) in self.also_refused_as {
            response = response.content(*content, Content::new(Some(Ref::from_schema_name(*schema))));
        }
        if status != 503 {
            return response.build();
        }
        let seconds = ObjectBuilder::new().schema_type(Type::Integer).build();
        response.header("Retry-After", HeaderBuilder::new().schema(Some(seconds)).build()).build()
    }
}

/// The same routes under another path too.
pub fn also_at<S>(path: &str, (schemas, mut paths, router): UtoipaMethodRouter<S>) -> UtoipaMethodRouter<S> {
    if let Some(item) = paths.paths.values().next().cloned() {
        paths.paths.insert(path.to_owned(), item);
    }
    (schemas, paths, router)
}

/// The operations of a path with their methods.
pub fn operations_mut(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    let all = [("get", get), ("put", put), ("post", post), ("delete", delete), ("patch", patch)];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// How the plain areas say what is wrong: clients show `message`; `error` stands beside it, or in its place, where
/// GitLab's API framework speaks.
#[derive(Debug, ToSchema)]
pub struct FailureResponse {
    /// What is wrong, for people to read; of a record, the names of its values with what is wrong with each.
    #[schema(value_type = Option<FailureMessage>)]
    pub message: Option<Value>,
    /// The same in the words of GitLab's API framework.
    pub error: Option<String>,
    /// What is wrong with a token, as OAuth has it.
    pub error_description: Option<String>,
    /// The scope that would do.
    pub scope: Option<String>,
    /// False, where the endpoint has such a key.
    pub status: Option<bool>,
}

/// A 200 of the endpoints that tell gitlab-shell in their answer whether they did what it asked for.
#[derive(Debug, ToSchema)]
pub struct SuccessResponse {
    /// Whether it was done.
    pub success: bool,
    /// Why not, where it was not.
    pub message: Option<String>,
    /// Whether git asks the user for a second factor.
    pub two_factor_required: Option<bool>,
    /// New codes, shown once.
    pub recovery_codes: Option<Vec<String>>,
    /// A new token, shown once.
    pub token: Option<String>,
    /// What the token may be used for.
    pub scopes: Option<Vec<String>>,
    /// The first day on which the token is refused.
    pub expires_at: Option<String>,
}

/// A sentence, or what is wrong with each value of a record.
#[derive(Debug)]
pub struct FailureMessage;

impl ToSchema for FailureMessage {}

impl PartialSchema for FailureMessage {
    fn schema() -> RefOr<Schema> {
        let either = [Type::String, Type::Object].into_iter().collect::<Vec<_>>();
        ObjectBuilder::new()
            .schema_type(SchemaType::from_iter(either))
            .description(Some("A sentence, or what is wrong with each value of a record"))
            .into()
    }
}

fn lenient(description: &str) -> RefOr<Schema> {
    let types = [Type::String, Type::Integer, Type::Number, Type::Boolean];
    ObjectBuilder::new().schema_type(SchemaType::from_iter(types)).description(Some(description)).into()
}

fn lenient_list(description: &str) -> RefOr<Schema> {
    let list = ArrayBuilder::new().items(lenient("One of them")).build();
    OneOfBuilder::new()
        .item(list)
        .item(ObjectBuilder::new().schema_type(Type::String))
        .description(Some(description))
        .into()
}

impl ToSchema for WireText {}

impl PartialSchema for WireText {
    fn schema() -> RefOr<Schema> {
        lenient("A text; a number or a truth value is read as the text that it is written as")
    }
}

impl ToSchema for WireTexts {}

impl PartialSchema for WireTexts {
    fn schema() -> RefOr<Schema> {
        lenient_list("A list of texts, or one text alone; in a form or a query `name[]` once for each")
    }
}

impl ToSchema for GitText {}

impl PartialSchema for GitText {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String);
        text.description(Some("What git wrote; bytes that are no UTF-8 are read as U+FFFD")).into()
    }
}

impl ToSchema for GitTexts {}

impl PartialSchema for GitTexts {
    fn schema() -> RefOr<Schema> {
        lenient_list("What git wrote: a list of texts, or one text alone")
    }
}

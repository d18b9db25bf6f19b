//! What a request says of an account that is to be made or changed.

use secrecy::SecretString;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::http::grape::{OptionalParameter, ParameterReader};
use crate::services::write_user::{UserRights, UserWish};

/// What may be said of an account.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct UserParameters {
    email: Option<String>,
    username: Option<String>,
    name: Option<String>,
    password: Option<String>,
    /// No mail leaves us: a password that nobody knows is set.
    reset_password: Option<bool>,
    /// A password that nobody knows.
    force_random_password: Option<bool>,
    /// Of a new account: its address is taken for confirmed.
    skip_confirmation: Option<bool>,
    /// Of a new address: it is taken for confirmed.
    skip_reconfirmation: Option<bool>,
    admin: Option<bool>,
    auditor: Option<bool>,
    external: Option<bool>,
    can_create_group: Option<bool>,
    private_profile: Option<bool>,
    projects_limit: Option<i32>,
    /// With `extern_uid`: who the user is at this provider.
    provider: Option<String>,
    extern_uid: Option<String>,
    note: Option<String>,
    public_email: Option<String>,
    commit_email: Option<String>,
    bio: Option<String>,
    location: Option<String>,
    linkedin: Option<String>,
    twitter: Option<String>,
    discord: Option<String>,
    github: Option<String>,
    website_url: Option<String>,
    organization: Option<String>,
    job_title: Option<String>,
    pronouns: Option<String>,
}

const DETAILS: [&str; 10] = [
    "bio",
    "location",
    "linkedin",
    "twitter",
    "discord",
    "github",
    "website_url",
    "organization",
    "job_title",
    "pronouns",
];

/// Reads all but what a new account needs in another way.
pub fn declare(reader: &mut ParameterReader<'_>) -> UserWish {
    let mut columns = Map::new();
    for name in ["note", "public_email", "commit_email"] {
        put_text(reader, name, &mut columns);
    }
    let mut details = Map::new();
    for name in DETAILS {
        put_text(reader, name, &mut details);
    }
    let provider: OptionalParameter<String> = reader.optional("provider");
    let extern_uid: OptionalParameter<String> = reader.optional("extern_uid");
    reader.all_or_none(&["provider", "extern_uid"]);
    let filled = |text: OptionalParameter<String>| text.value().filter(|text| !text.is_empty());
    UserWish {
        email: reader.optional("email").value(),
        username: reader.optional("username").value(),
        name: reader.optional("name").value(),
        password: reader.optional::<String>("password").value().map(SecretString::from),
        confirmed: false,
        rights: UserRights {
            admin: reader.optional("admin").value(),
            auditor: reader.optional("auditor").value(),
            external: reader.optional("external").value(),
            can_create_group: reader.optional("can_create_group").value(),
            private_profile: reader.optional("private_profile").value(),
            projects_limit: reader.optional("projects_limit").value(),
        },
        columns,
        details,
        identity: filled(provider).zip(filled(extern_uid)),
    }
}

/// A text that the request names; null clears it.
fn put_text(reader: &mut ParameterReader<'_>, name: &str, texts: &mut Map<String, Value>) {
    if let Some(text) = reader.optional::<String>(name).stated() {
        texts.insert(name.to_owned(), text.unwrap_or_default().into());
    }
}

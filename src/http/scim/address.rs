//! Where a SCIM request goes: the group or the installation, and the resource there, out of the path as it was sent.
//!
//! Paths of groups nest, with slashes as they are or encoded, and ids may hold anything. So the path is taken apart
//! here, before anything is decoded, and each part is decoded once.

use percent_encoding::percent_decode_str;

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Whose users.
    pub base: Base,
    /// Which of the endpoints there.
    pub resource: Resource,
}

/// Whose users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// Those of a group, by its full path or its id. A path that no group can have is `None` beside the text.
    Group(String, Option<GroupName>),
    /// Those of the installation.
    Instance,
}

/// What a group is called in a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupName {
    /// By its id.
    Id(i64),
    /// By its full path.
    Path(String),
}

/// What is below a base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// `/Users`
    Users,
    /// `/Users/…`
    User(String),
    /// `/Users/.search`
    UserSearch,
    /// `/.search`
    Search,
    /// `/Groups`
    Groups,
    /// `/Groups/…`
    Group(String),
    /// `/Groups/.search`
    GroupSearch,
    /// `/ServiceProviderConfig`
    ServiceProviderConfig,
    /// `/ResourceTypes`, `/ResourceTypes/…`
    ResourceTypes(Option<String>),
    /// `/Schemas`, `/Schemas/…`
    Schemas(Option<String>),
    /// `/Bulk`
    Bulk,
    /// `/Me`
    Me,
    /// Nothing.
    Nothing,
}

/// The words that end a group's path.
const WORDS: [&str; 8] =
    ["Users", "Groups", "Schemas", "ResourceTypes", "ServiceProviderConfig", "Bulk", "Me", ".search"];

impl Address {
    /// The address in a path below `/api/scim/v2`; `None` where it is neither a group's nor the installation's.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let path = path.trim_start_matches('/');
        let (mount, rest) = path.split_once('/').unwrap_or((path, ""));
        match mount {
            "application" => Some(Self { base: Base::Instance, resource: resource(rest.trim_start_matches('/')) }),
            "groups" => Some(group(rest)),
            _ => None,
        }
    }
}

fn group(path: &str) -> Address {
    let (mut steps, mut rest) = (Vec::new(), path);
    while !rest.is_empty() {
        let (step, after) = rest.split_once('/').unwrap_or((rest, ""));
        if !steps.is_empty() && WORDS.contains(&step) {
            break;
        }
        if !step.is_empty() {
            steps.push(step);
        }
        rest = after;
    }
    let said = percent_decode_str(&steps.join("/")).decode_utf8_lossy().into_owned();
    Address { base: Base::Group(said.clone(), group_name(&said)), resource: resource(rest) }
}

/// The name, where a group can have it.
fn group_name(said: &str) -> Option<GroupName> {
    if !said.is_empty() && said.bytes().all(|byte| byte.is_ascii_digit()) {
        return said.parse().ok().map(GroupName::Id);
    }
    let good = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '.' | '-');
    let path: Vec<&str> = said.split('/').filter(|step| !step.is_empty()).collect();
    (!path.is_empty() && said.len() <= 4096 && path.iter().all(|step| step.chars().all(good)))
        .then(|| GroupName::Path(path.join("/")))
}

fn resource(path: &str) -> Resource {
    let (word, rest) = path.split_once('/').unwrap_or((path, ""));
    // Clients join paths with a slash too many.
    let rest = rest.trim_end_matches('/');
    let one = |collection: Resource, search: Resource, named: fn(String) -> Resource| match rest.trim_start_matches('/')
    {
        "" => collection,
        ".search" => search,
        // What is no text, and what no column holds, is nobody's id.
        rest => decoded(rest).map_or(Resource::Nothing, named),
    };
    let optional = |named: fn(Option<String>) -> Resource| match rest {
        "" => named(None),
        rest => decoded(rest).map_or(Resource::Nothing, |rest| named(Some(rest))),
    };
    match word {
        "Users" => one(Resource::Users, Resource::UserSearch, Resource::User),
        "Groups" => one(Resource::Groups, Resource::GroupSearch, Resource::Group),
        "ResourceTypes" => optional(Resource::ResourceTypes),
        "Schemas" => optional(Resource::Schemas),
        _ if !rest.is_empty() => Resource::Nothing,
        "ServiceProviderConfig" => Resource::ServiceProviderConfig,
        ".search" => Resource::Search,
        "Bulk" => Resource::Bulk,
        "Me" => Resource::Me,
        _ => Resource::Nothing,
    }
}

fn decoded(text: &str) -> Option<String> {
    let text = percent_decode_str(text).decode_utf8().ok()?;
    (!text.contains('\0')).then(|| text.into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(path: &str) -> (String, Resource) {
        let address = Address::parse(path).unwrap();
        let base = match address.base {
            Base::Instance => "instance".to_owned(),
            Base::Group(_, Some(GroupName::Path(path))) => path,
            Base::Group(_, Some(GroupName::Id(id))) => format!("#{id}"),
            Base::Group(said, None) => format!("? {said}"),
        };
        (base, address.resource)
    }

    fn user(id: &str) -> Resource {
        Resource::User(id.to_owned())
    }

    /// scim-13, scim-14
    #[test]
    fn a_path_names_a_group_and_what_is_there() {
        for (path, base, resource) in [
            ("/groups/acme/Users", "acme", Resource::Users),
            ("/groups/acme/Users/", "acme", Resource::Users),
            ("/groups/acme//Users//", "acme", Resource::Users),
            ("/groups/acme%2Fsub/Users", "acme/sub", Resource::Users),
            ("/groups/acme/sub/Users/x", "acme/sub", user("x")),
            ("/groups/Users/Users/x", "Users", user("x")),
            ("/groups/acme.corp/Users/CN=x,O=y", "acme.corp", user("CN=x,O=y")),
            ("/groups/12/Users/a/b", "#12", user("a/b")),
            ("/groups/acme/Users/a%2Fb/", "acme", user("a/b")),
            ("/groups/acme/Users/a%252Fb", "acme", user("a%2Fb")),
            ("/groups/acme/Users/../../x", "acme", user("../../x")),
            ("/groups/acme/Users/me.json", "acme", user("me.json")),
            ("/groups/acme/Users/Users", "acme", user("Users")),
            ("/groups/acme/Users/%00", "acme", Resource::Nothing),
            ("/groups/acme/Users/%ff", "acme", Resource::Nothing),
            ("/groups/acme/Users/.search", "acme", Resource::UserSearch),
            ("/groups/acme/.search", "acme", Resource::Search),
            ("/groups/acme/Schemas/urn:x:User", "acme", Resource::Schemas(Some("urn:x:User".to_owned()))),
            ("/groups/acme/xyz", "acme/xyz", Resource::Nothing),
            ("/groups/acme", "acme", Resource::Nothing),
            ("/groups/a%20b/Users", "? a b", Resource::Users),
            ("/groups/a%00/Users", "? a\0", Resource::Users),
            ("/groups/99999999999999999999/Users", "? 99999999999999999999", Resource::Users),
            ("/application/Users/x", "instance", user("x")),
            ("/application/Groups", "instance", Resource::Groups),
            ("/application/xyz", "instance", Resource::Nothing),
            ("/application/Bulk/x", "instance", Resource::Nothing),
        ] {
            assert_eq!(parsed(path), (base.to_owned(), resource), "{path}");
        }
        assert_eq!(Address::parse("/somewhere/Users"), None);
    }

    proptest! {
        #[test]
        fn any_path_is_taken_apart(path in "/(groups|application)/[\\PC/%]{0,40}") {
            let _ = Address::parse(&path);
        }
    }
}

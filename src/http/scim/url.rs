//! The URL of a SCIM request: whose users it is about, and what of them.

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScimUrl {
    /// Whose users.
    pub base: ScimBase,
    /// The path below the base as the routes have it: one segment for an id, whatever it contains.
    pub path: String,
}

/// Whose users a URL is about, as the URL has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScimBase {
    /// A group, by its path or its id.
    Group(String),
    /// The installation.
    Instance,
}

/// Characters of an id at most: `extern_uid` holds no more.
const ID_CHARS: usize = 255;
/// What a group's path ends before.
const RESOURCES: [&str; 8] =
    ["Users", "Groups", "Schemas", "ResourceTypes", "ServiceProviderConfig", "Bulk", "Me", ".search"];

impl ScimUrl {
    /// Reads the path behind `/api/scim/v2`, as it was sent. `None` where nothing can be there.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let (mount, rest) = split(path);
        match mount {
            "application" => Some(Self { base: ScimBase::Instance, path: below(rest)? }),
            "groups" => {
                let (mut group, mut rest) = (Vec::new(), rest);
                loop {
                    let (segment, after) = split(rest);
                    if segment.is_empty() || (!group.is_empty() && RESOURCES.contains(&segment)) {
                        break;
                    }
                    group.push(segment);
                    rest = after;
                }
                let group = percent_decode_str(&group.join("/")).decode_utf8().ok()?.into_owned();
                (!group.is_empty()).then(|| Some(Self { base: ScimBase::Group(group), path: below(rest)? }))?
            }
            _ => None,
        }
    }
}

/// The first segment that is not empty, and what follows it.
fn split(path: &str) -> (&str, &str) {
    let path = path.trim_start_matches('/');
    path.find('/').map_or((path, ""), |slash| path.split_at(slash))
}

/// A path below a base as the routes have it. An id may contain slashes, and is one segment of it. `None` where nothing
/// can be there.
#[must_use]
pub fn below(rest: &str) -> Option<String> {
    let (resource, after) = split(rest);
    let after = after.strip_prefix('/').unwrap_or(after);
    if after.is_empty() {
        return Some(format!("/{resource}"));
    }
    if matches!(resource, "Users" | "Groups") && after == ".search" {
        return Some(format!("/{resource}/.search"));
    }
    let id = percent_decode_str(after).decode_utf8().ok()?;
    if id.contains('\0') || id.chars().count() > ID_CHARS {
        return None;
    }
    Some(format!("/{resource}/{}", encoded(&id)))
}

/// An id as one segment of a path.
#[must_use]
pub fn encoded(id: &str) -> String {
    utf8_percent_encode(id, NON_ALPHANUMERIC).to_string().replace("%2D", "-").replace("%2E", ".").replace("%5F", "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str) -> Option<(String, String)> {
        ScimUrl::parse(path).map(|target| match target.base {
            ScimBase::Group(group) => (group, target.path),
            ScimBase::Instance => ("-".to_owned(), target.path),
        })
    }

    fn is(path: &str, base: &str, below: &str) {
        assert_eq!(read(path), Some((base.to_owned(), below.to_owned())), "{path}");
    }

    #[test]
    fn a_group_path_ends_before_a_resource_and_an_id_is_all_that_follows_users() {
        is("/application/Users", "-", "/Users");
        is("/application//Users/", "-", "/Users");
        is("/groups/acme/Users", "acme", "/Users");
        is("/groups/acme//Users/", "acme", "/Users");
        is("/groups/acme%2Fsub/Users", "acme/sub", "/Users");
        is("/groups/acme/sub.x/Users/1", "acme/sub.x", "/Users/1");
        is("/groups/Users/Users/Groups", "Users", "/Users/Groups");
        is("/groups/acme/Users/a/b.json", "acme", "/Users/a%2Fb.json");
        is("/groups/acme/Users/CN=x%2CO=y%2F", "acme", "/Users/CN%3Dx%2CO%3Dy%2F");
        is("/groups/acme/Users/%E6%97%A5", "acme", "/Users/%E6%97%A5");
        is("/groups/acme/Users/..%2f..%2Fx", "acme", "/Users/..%2F..%2Fx");
        is("/groups/acme/.search", "acme", "/.search");
        is("/groups/acme/Users/.search", "acme", "/Users/.search");
        is("/application/Groups/.search", "-", "/Groups/.search");
        is("/groups/acme/Schemas/urn:x:User", "acme", "/Schemas/urn%3Ax%3AUser");
        is("/groups/acme", "acme", "/");
        for path in ["", "/", "/groups", "/groups/", "/other/Users", "/application/Users/%ff", "/application/Users/%00"]
        {
            assert_eq!(read(path), None, "{path}");
        }
        assert_eq!(read(&format!("/application/Users/{}", "x".repeat(256))), None);
        is(&format!("/application/Users/{}", "x".repeat(255)), "-", &format!("/Users/{}", "x".repeat(255)));
    }

    proptest::proptest! {
        #[test]
        fn any_path_is_read_or_refused(path in "(/groups/|/application/)?\\PC*") {
            let _ = ScimUrl::parse(&path);
        }
    }
}

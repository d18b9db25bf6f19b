//! What the scopes of a token open of the public REST API (rest.md 1.3).

/// How far a token opens a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScopePass {
    /// Whatever its owner may do.
    Whole,
    /// If it is about this very token, and for nothing else.
    OwnToken,
}

/// How far these scopes open a request of the path, which stands below `/api/v4`; `reads` where it changes nothing.
///
/// # Errors
/// The scopes that would do, as the client is told.
pub fn judge(scopes: &[String], reads: bool, path: &str) -> Result<ScopePass, &'static str> {
    let has = |scope: &str| scopes.iter().any(|held| held == scope);
    if has("api") || (reads && has("read_api")) {
        return Ok(ScopePass::Whole);
    }
    let steps: Vec<&str> = path.split('/').filter(|step| !step.is_empty()).collect();
    match steps.as_slice() {
        ["personal_access_tokens", "self"] => return Ok(ScopePass::Whole),
        ["personal_access_tokens", "self", "rotate"] | [_, _, "access_tokens", _, "rotate"] if !reads => {
            return if has("self_rotate") { Ok(ScopePass::OwnToken) } else { Err("api self_rotate") };
        }
        ["user" | "users" | "version" | "metadata", ..] if reads => {
            return if has("read_user") { Ok(ScopePass::Whole) } else { Err("api read_api read_user") };
        }
        _ => {}
    }
    Err(if reads { "api read_api" } else { "api" })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn what_each_scope_opens() {
        let requests = [
            (true, "/projects/1"),
            (false, "/projects/1"),
            (true, "/user"),
            (true, "/users/1/keys"),
            (false, "/users"),
            (true, "/version"),
            (true, "/personal_access_tokens/self"),
            (false, "/personal_access_tokens/self"),
            (false, "/personal_access_tokens/self/rotate"),
            (false, "/personal_access_tokens/7/rotate"),
            (false, "/projects/1/access_tokens/7/rotate"),
        ];
        let mut table = String::new();
        for (reads, path) in requests {
            let mark = |scope: &str| match judge(&[scope.to_owned()], reads, path) {
                Ok(ScopePass::Whole) => "yes",
                Ok(ScopePass::OwnToken) => "own",
                Err(_) => "-",
            };
            let marks: Vec<&str> =
                ["api", "read_api", "read_user", "self_rotate", "read_repository"].map(mark).to_vec();
            let method = if reads { "read" } else { "write" };
            writeln!(table, "{method} {path}: {}", marks.join(" ")).unwrap();
        }
        insta::assert_snapshot!(table, @"
        read /projects/1: yes yes - - -
        write /projects/1: yes - - - -
        read /user: yes yes yes - -
        read /users/1/keys: yes yes yes - -
        write /users: yes - - - -
        read /version: yes yes yes - -
        read /personal_access_tokens/self: yes yes yes yes yes
        write /personal_access_tokens/self: yes yes yes yes yes
        write /personal_access_tokens/self/rotate: yes - - own -
        write /personal_access_tokens/7/rotate: yes - - - -
        write /projects/1/access_tokens/7/rotate: yes - - own -
        ");
    }
}

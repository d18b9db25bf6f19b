//! The parameters that name on whose behalf git acts, as every shell endpoint takes them (shell.md 1.8).

use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::domain::access::ActorName;
use crate::domain::ids::{KeyId, UserId};
use crate::domain::requester::RequesterName;
use crate::http::wire::WireText;

/// The parameters. The first that is there wins, and does not fall through when it names nobody.
#[derive(Debug, Default, Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
pub struct ActorRequest {
    krb5principal: Option<WireText>,
    key_id: Option<WireText>,
    user_id: Option<WireText>,
    identifier: Option<WireText>,
    username: Option<WireText>,
}

impl ActorRequest {
    /// Who asks for a credential of their own: a key, or a user by id, and nobody else (shell.md 2.6).
    #[must_use]
    pub fn requester(&self) -> RequesterName {
        match (&self.krb5principal, &self.key_id, &self.user_id) {
            (None, Some(key), _) => key.id().map_or(RequesterName::Nobody, |id| RequesterName::Key(KeyId(id))),
            (None, None, Some(user)) => {
                user.id().map_or(RequesterName::NoSuchUser, |id| RequesterName::User(UserId(id)))
            }
            (Some(_), _, _) | (None, None, None) => RequesterName::Nobody,
        }
    }
}

impl From<ActorRequest> for ActorName {
    fn from(request: ActorRequest) -> Self {
        if let Some(principal) = request.krb5principal {
            Self::Kerberos(principal.0)
        } else if let Some(key) = request.key_id {
            key.id().map_or(Self::Nobody, |id| Self::Key(KeyId(id)))
        } else if let Some(user) = request.user_id {
            user.id().map_or(Self::Nobody, |id| Self::User(UserId(id)))
        } else if let Some(identifier) = request.identifier {
            Self::identified(&identifier.0)
        } else if let Some(username) = request.username {
            Self::Username(username.0)
        } else {
            Self::Nobody
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(json: &str) -> ActorName {
        serde_json::from_str::<ActorRequest>(json).unwrap().into()
    }

    #[test]
    fn the_first_parameter_wins_whatever_it_names() {
        assert_eq!(named(r#"{"key_id":"11","username":"rubi"}"#), ActorName::Key(KeyId(11)));
        assert_eq!(named(r#"{"key_id":"abc","username":"rubi"}"#), ActorName::Nobody);
        assert_eq!(named(r#"{"key_id":null,"user_id":7}"#), ActorName::User(UserId(7)));
        assert_eq!(named(r#"{"krb5principal":"r@X","key_id":1}"#), ActorName::Kerberos("r@X".to_owned()));
        assert_eq!(named(r#"{"username":"rubi"}"#), ActorName::Username("rubi".to_owned()));
        assert_eq!(named("{}"), ActorName::Nobody);
    }

    #[test]
    fn an_identifier_names_a_user_or_a_key() {
        assert_eq!(named(r#"{"identifier":"user-7"}"#), ActorName::User(UserId(7)));
        assert_eq!(named(r#"{"identifier":"key-11","username":"x"}"#), ActorName::Key(KeyId(11)));
        for other in ["deploy-token-5", "user-", "user-0", "user-x", "", "-7"] {
            assert_eq!(named(&format!(r#"{{"identifier":"{other}"}}"#)), ActorName::Nobody, "{other}");
        }
    }
}

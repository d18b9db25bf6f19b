//! Somebody whom a client wants to take on: what must be said of them.

use super::refusal::Refusal;

/// The longest of each text, in characters.
const MAX_LENGTH: usize = 255;

/// What a client says; `None` is what it leaves out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// `externalId`
    pub extern_uid: Option<String>,
    /// `userName`
    pub user_name: Option<String>,
    /// The address that counts.
    pub email: Option<String>,
    /// What people read.
    pub name: Option<String>,
    /// `active`
    pub active: bool,
}

/// Somebody with an id, a user name and an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newcomer {
    extern_uid: String,
    user_name: String,
    email: String,
    name: Option<String>,
    active: bool,
}

impl Newcomer {
    /// Somebody of whom enough is said to look them up.
    ///
    /// # Errors
    /// [`Refusal::Missing`] where it is not.
    pub fn new(said: Said) -> Result<Self, Refusal> {
        match (said.extern_uid, said.email, said.user_name) {
            (Some(extern_uid), Some(email), Some(user_name)) => {
                Ok(Self { extern_uid, user_name, email: email.trim().to_owned(), name: said.name, active: said.active })
            }
            (extern_uid, email, user_name) => {
                let missing = [
                    ("extern_uid", extern_uid.is_none()),
                    ("email", email.is_none()),
                    ("username", user_name.is_none()),
                ];
                Err(Refusal::Missing(
                    missing.into_iter().filter(|(_, missing)| *missing).map(|(name, _)| name).collect(),
                ))
            }
        }
    }

    /// What the provider calls them.
    #[must_use]
    pub fn extern_uid(&self) -> &str {
        &self.extern_uid
    }

    /// What a user name is made of.
    #[must_use]
    pub fn user_name(&self) -> &str {
        &self.user_name
    }

    /// Their address.
    #[must_use]
    pub fn email(&self) -> &str {
        &self.email
    }

    /// Whether they may begin at once.
    #[must_use]
    pub fn active(&self) -> bool {
        self.active
    }

    /// Whether an identity can be made of it.
    ///
    /// # Errors
    /// What stands against it.
    pub fn check_identity(&self) -> Result<(), Refusal> {
        check_extern_uid(&self.extern_uid)?;
        check_email(&self.email)
    }

    /// The name of a new user.
    ///
    /// # Errors
    /// Where no user can be made of what is said.
    pub fn new_name(&self) -> Result<&str, Refusal> {
        let name = self.name.as_deref().ok_or(Refusal::Blank("Name"))?;
        at_most("Name", name)?;
        at_most("Username", &self.user_name)?;
        Ok(name)
    }
}

/// Whether an identity can have this id.
///
/// # Errors
/// Where it cannot.
pub fn check_extern_uid(text: &str) -> Result<(), Refusal> {
    if text.trim().is_empty() {
        return Err(Refusal::Blank("Extern uid"));
    }
    at_most("Extern uid", text)
}

fn check_email(text: &str) -> Result<(), Refusal> {
    if text.is_empty() {
        return Err(Refusal::Blank("Email"));
    }
    let good = text.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && !domain.is_empty() && !domain.contains('@') && !domain.starts_with('.')
    });
    let odd = |char: char| char.is_whitespace() || char.is_control() || matches!(char, '<' | '>' | ',' | ';');
    if !good || text.contains(odd) || text.chars().count() > 254 {
        return Err(Refusal::BadEmail);
    }
    Ok(())
}

fn at_most(what: &'static str, text: &str) -> Result<(), Refusal> {
    if text.chars().count() > MAX_LENGTH { Err(Refusal::TooLong(what, MAX_LENGTH)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(extern_uid: &str, email: &str, name: &str) -> Said {
        let text = |text: &str| Some(text.to_owned());
        Said { extern_uid: text(extern_uid), user_name: text("u"), email: text(email), name: text(name), active: true }
    }

    /// scim-46
    #[test]
    fn what_is_missing_is_named_in_gitlabs_order() {
        let all = Newcomer::new(Said::default()).unwrap_err();
        assert_eq!(all.to_string(), "Missing params: [:extern_uid, :email, :username]");
        let some = Newcomer::new(Said { user_name: None, ..said("x", "a@b.c", "N") }).unwrap_err();
        assert_eq!(some.to_string(), "Missing params: [:username]");
    }

    /// scim-47, scim-87
    #[test]
    fn values_have_a_shape() {
        let refusal = |extern_uid: &str, email: &str| {
            let newcomer = Newcomer::new(said(extern_uid, email, "N")).unwrap();
            newcomer.check_identity().map_or_else(|refusal| refusal.to_string(), |()| "good".to_owned())
        };
        assert_eq!(refusal("x", "a@b.c"), "good");
        assert_eq!(refusal("x", ""), "Email can't be blank");
        assert_eq!(refusal(" ", "a@b.c"), "Extern uid can't be blank");
        assert_eq!(refusal(&"x".repeat(256), "a@b.c"), "Extern uid is too long (maximum is 255 characters)");
        for email in ["a", "@b", "a@", "a@b@c", "a b@c", "a@b\n", "<a@b>", "a@.b"] {
            assert_eq!(refusal("x", &format!("{email}\u{1}")), "Email is invalid", "{email:?}");
        }
        for email in ["a", "@b", "a@", "a@b@c", "a b@c", "<a@b>", "a@.b", "a,b@c"] {
            assert_eq!(refusal("x", email), "Email is invalid", "{email:?}");
        }
    }
}

//! A new user, as a client describes one: what must be said, and what a user can be made of.

use std::borrow::Cow;

use super::refusal::ScimRefusal;

/// The longest of each text, in characters.
const MAX_LENGTH: usize = 255;
/// The longest part of a name: two of them, joined, are no longer than a name.
const MAX_PART_LENGTH: usize = 127;

/// What a client says; `None` is what it leaves out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScimUserAttributes {
    /// `externalId`
    pub extern_uid: Option<String>,
    /// `userName`
    pub user_name: Option<String>,
    /// The address that counts.
    pub email: Option<String>,
    /// What people read.
    pub name: ScimNameAttributes,
    /// `active`
    pub active: bool,
}

/// What a client calls somebody; `None` is what it leaves out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScimNameAttributes {
    /// `name.formatted`
    pub formatted: Option<String>,
    /// `displayName`
    pub display: Option<String>,
    /// `name.givenName`
    pub given: Option<String>,
    /// `name.familyName`
    pub family: Option<String>,
}

impl ScimNameAttributes {
    /// The whole name: the first of the texts that says something, else its parts, joined.
    fn whole(&self) -> Option<Cow<'_, str>> {
        let [formatted, display, given, family] = [&self.formatted, &self.display, &self.given, &self.family]
            .map(|text| text.as_deref().filter(|text| !text.trim().is_empty()));
        match (formatted.or(display), given, family) {
            (Some(name), _, _) => Some(name.into()),
            (None, Some(given), Some(family)) => Some(format!("{} {}", given.trim(), family.trim()).into()),
            (None, Some(part), None) | (None, None, Some(part)) => Some(part.trim().into()),
            (None, None, None) => None,
        }
    }
}

/// The names of a new user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullName<'a> {
    /// `users.name`
    pub whole: Cow<'a, str>,
    /// `users.first_name`, as it was sent.
    pub first: Option<&'a str>,
    /// `users.last_name`, as it was sent.
    pub last: Option<&'a str>,
}

/// Somebody with an id, a user name and an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewScimUser {
    extern_uid: String,
    user_name: String,
    email: String,
    name: ScimNameAttributes,
    active: bool,
}

impl NewScimUser {
    /// The user, where the client has sent an id, a user name and an address.
    ///
    /// # Errors
    /// [`ScimRefusal::Missing`] where one of them is missing.
    pub fn new(said: ScimUserAttributes) -> Result<Self, ScimRefusal> {
        match (said.extern_uid, said.email, said.user_name) {
            (Some(extern_uid), Some(email), Some(user_name)) => {
                Ok(Self { extern_uid, user_name, email, name: said.name, active: said.active })
            }
            (extern_uid, email, user_name) => {
                let missing = [
                    ("extern_uid", extern_uid.is_none()),
                    ("email", email.is_none()),
                    ("username", user_name.is_none()),
                ];
                Err(ScimRefusal::Missing(
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
    pub fn check_identity(&self) -> Result<(), ScimRefusal> {
        check_extern_uid(&self.extern_uid)?;
        check_email(&self.email)
    }

    /// The names of a new user.
    ///
    /// # Errors
    /// Where no user can be made of what is said.
    pub fn full_name(&self) -> Result<FullName<'_>, ScimRefusal> {
        let ScimNameAttributes { given, family, .. } = &self.name;
        let (whole, first, last) = (self.name.whole(), given.as_deref(), family.as_deref());
        let whole = whole.ok_or(ScimRefusal::Blank("Name"))?;
        at_most("Name", &whole, MAX_LENGTH)?;
        at_most("First name", first.unwrap_or_default(), MAX_PART_LENGTH)?;
        at_most("Last name", last.unwrap_or_default(), MAX_PART_LENGTH)?;
        at_most("Username", &self.user_name, MAX_LENGTH)?;
        Ok(FullName { whole, first, last })
    }
}

/// Whether an identity can have this id.
pub fn check_extern_uid(text: &str) -> Result<(), ScimRefusal> {
    if text.trim().is_empty() {
        return Err(ScimRefusal::Blank("Extern uid"));
    }
    at_most("Extern uid", text, MAX_LENGTH)
}

fn check_email(text: &str) -> Result<(), ScimRefusal> {
    if text.is_empty() {
        return Err(ScimRefusal::Blank("Email"));
    }
    let good = text.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && !domain.is_empty() && !domain.contains('@') && !domain.starts_with('.')
    });
    let odd = |char: char| char.is_whitespace() || char.is_control() || matches!(char, '<' | '>' | ',' | ';');
    if !good || text.contains(odd) || text.chars().count() > 254 {
        return Err(ScimRefusal::BadEmail);
    }
    Ok(())
}

fn at_most(what: &'static str, text: &str, length: usize) -> Result<(), ScimRefusal> {
    if text.chars().count() > length { Err(ScimRefusal::TooLong(what, length)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(extern_uid: &str, email: &str, name: &str) -> ScimUserAttributes {
        let text = |text: &str| Some(text.to_owned());
        let name = ScimNameAttributes { formatted: text(name), ..ScimNameAttributes::default() };
        ScimUserAttributes {
            extern_uid: text(extern_uid),
            user_name: text("u"),
            email: text(email),
            name,
            active: true,
        }
    }

    /// scim-46
    #[test]
    fn what_is_missing_is_named_in_gitlabs_order() {
        let all = NewScimUser::new(ScimUserAttributes::default()).unwrap_err();
        assert_eq!(all.to_string(), "Missing params: [:extern_uid, :email, :username]");
        let some = NewScimUser::new(ScimUserAttributes { user_name: None, ..said("x", "a@b.c", "N") }).unwrap_err();
        assert_eq!(some.to_string(), "Missing params: [:username]");
    }

    /// scim-47, scim-87
    #[test]
    fn values_have_a_shape() {
        let refusal = |extern_uid: &str, email: &str| {
            let new_user = NewScimUser::new(said(extern_uid, email, "N")).unwrap();
            new_user.check_identity().map_or_else(|refusal| refusal.to_string(), |()| "good".to_owned())
        };
        assert_eq!(refusal("x", "a@b.c"), "good");
        assert_eq!(refusal("x", ""), "Email can't be blank");
        assert_eq!(refusal(" ", "a@b.c"), "Extern uid can't be blank");
        assert_eq!(refusal(&"x".repeat(256), "a@b.c"), "Extern uid is too long (maximum is 255 characters)");
        for email in ["a", "@b", "a@", "a@b@c", "a b@c", "a@b\n", "<a@b>", "a@.b"] {
            assert_eq!(refusal("x", &format!("{email}\u{1}")), "Email is invalid", "{email:?}");
        }
        for email in ["a", "@b", "a@", "a@b@c", "a b@c", " a@b.c", "a@b.c\u{3000}", "<a@b>", "a@.b", "a,b@c"] {
            assert_eq!(refusal("x", email), "Email is invalid", "{email:?}");
        }
    }

    #[test]
    fn a_new_user_is_what_was_sent() {
        for active in [true, false] {
            let sent = ScimUserAttributes { active, ..said("U", "a@b.c", "N") };
            let new_user = NewScimUser::new(sent).unwrap();
            let texts = (new_user.extern_uid(), new_user.user_name(), new_user.email());
            assert_eq!((texts, new_user.active()), (("U", "u", "a@b.c"), active));
        }
    }

    #[test]
    fn an_address_has_254_characters_at_most() {
        let check = |length: usize| {
            let email = format!("{}@b.c", "ä".repeat(length - 4));
            NewScimUser::new(said("x", &email, "N")).unwrap().check_identity()
        };
        assert_eq!(check(254), Ok(()));
        assert_eq!((check(255), check(256)), (Err(ScimRefusal::BadEmail), Err(ScimRefusal::BadEmail)));
    }

    /// Ruling 22, scim-49
    #[test]
    fn a_name_is_what_was_sent_and_its_parts_are_joined_where_nothing_else_says_it() {
        let names = |[formatted, display, given, family]: [&str; 4]| {
            let text = |text: &str| (text != "-").then(|| text.to_owned());
            let (formatted, display, given, family) = (text(formatted), text(display), text(given), text(family));
            let name = ScimNameAttributes { formatted, display, given, family };
            let new_user = NewScimUser::new(ScimUserAttributes { name, ..said("x", "a@b.c", "") }).unwrap();
            new_user.full_name().map_or_else(
                |refusal| refusal.to_string(),
                |name| format!("{} | {} | {}", name.whole, name.first.unwrap_or("-"), name.last.unwrap_or("-")),
            )
        };
        let long = |length: usize| "x".repeat(length);
        for (sent, kept) in [
            (["F", "D", "G", "L"], "F | G | L"),
            ([" ", "D", "G", "L"], "D | G | L"),
            (["-", "", "Mary Jane", "van der Berg"], "Mary Jane van der Berg | Mary Jane | van der Berg"),
            (["-", "-", "", "Solo"], "Solo |  | Solo"),
            (["-", "-", "Solo", "-"], "Solo | Solo | -"),
            (["-", "-", " G ", "L"], "G L |  G  | L"),
            ([" F ", "-", "-", "-"], " F  | - | -"),
            (["-", "-", " ", ""], "Name can't be blank"),
            (["-", "-", "-", "-"], "Name can't be blank"),
            (["F", "-", &long(128), "-"], "First name is too long (maximum is 127 characters)"),
            (["F", "-", "-", &long(128)], "Last name is too long (maximum is 127 characters)"),
            ([&long(256), "-", "G", "L"], "Name is too long (maximum is 255 characters)"),
        ] {
            assert_eq!(names(sent), kept, "{sent:?}");
        }
        assert!(names(["-", "-", &long(127), &long(127)]).starts_with(&long(127)));
    }
}

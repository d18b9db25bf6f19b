//! Passwords, hashed as Devise hashes them: bcrypt, without a pepper.

/// bcrypt's cost, Devise's own default.
const COST: u32 = 10;

/// The hash of a password, in the version that Devise writes.
#[must_use]
pub fn hash(password: &str) -> Option<String> {
    let hash = bcrypt::hash_with_salt(password, COST, rand::random()).ok()?;
    Some(hash.format_for_version(bcrypt::Version::TwoA))
}

/// Whether the text is such a hash, of any version.
#[must_use]
pub fn is_hash(text: &str) -> bool {
    let version = ["$2a$", "$2b$", "$2y$"].iter().any(|version| text.starts_with(version));
    version && text.len() == 60
}

/// Whether the hash is the password's. What is no hash of bcrypt is nobody's.
#[must_use]
pub fn matches(password: &str, hash: &str) -> bool {
    bcrypt::verify(password, hash).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_its_passwords_and_nobody_elses() {
        let hash = hash("correct horse").unwrap();
        assert!(is_hash(&hash) && hash.starts_with("$2a$10$"), "{hash}");
        assert!(matches("correct horse", &hash) && !matches("wrong horse", &hash));
        assert!(!is_hash("correct horse") && !matches("x", "") && !matches("x", "$pbkdf2-sha512$x"));
    }
}

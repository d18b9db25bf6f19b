//! Sealing: what must be read again lies encrypted in the database.
//!
//! The scheme is ours. AES-256-GCM under a key that HKDF-SHA256 derives from the instance's `db_key_base`, a salt of
//! the value's own, and the purpose. The place of the value is authenticated with it, so that a ciphertext which is
//! copied to another row does not open there. A ciphertext names the `db_key_base` that it was made with by an id, so
//! that a change of it is told from damage: `gatehouse-1:<key id>:<base64>`.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::prelude::{BASE64_STANDARD, Engine};
use hkdf::Hkdf;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

const SCHEME: &str = "gatehouse-1";

/// Seals and opens values of one purpose.
#[derive(Debug, Clone)]
pub struct Seal {
    db_key_base: SecretString,
    purpose: &'static str,
}

/// A value as it lies in the database: three texts, as GitLab keeps its encrypted attributes in three columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedValue {
    /// The scheme, the id of the `db_key_base`, and the ciphertext.
    pub ciphertext: String,
    /// The nonce, in base64.
    pub iv: String,
    /// The salt of the key, in base64.
    pub salt: String,
}

/// Why a sealed value stays closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnsealError {
    /// Another program wrote it, such as GitLab.
    #[error("it was not sealed by Gatehouse")]
    Foreign,
    /// The instance's secret has changed since.
    #[error("it was sealed under another db_key_base")]
    OtherKey,
    /// It was changed, or belongs to another place.
    #[error("it is damaged or belongs elsewhere")]
    Damaged,
}

impl Seal {
    /// The seal of OTP secrets, `users.encrypted_otp_secret`.
    #[must_use]
    pub fn of_otp_secrets(db_key_base: &SecretString) -> Self {
        Self { db_key_base: db_key_base.clone(), purpose: "otp secret" }
    }

    /// The seal of answers that are kept for retries, `idempotent_responses.body`.
    #[must_use]
    pub fn of_answers(db_key_base: &SecretString) -> Self {
        Self { db_key_base: db_key_base.clone(), purpose: "answer" }
    }

    /// The value, sealed for a place such as `users/7`.
    ///
    /// # Panics
    /// Never: AES-GCM seals values of any length that fits in memory.
    #[must_use]
    pub fn close(&self, value: &str, place: &str) -> SealedValue {
        let (salt, iv) = (rand::random::<[u8; 16]>(), rand::random::<[u8; 12]>());
        let payload = Payload { msg: value.as_bytes(), aad: place.as_bytes() };
        let ciphertext = self.cipher(&salt).encrypt(&Nonce::from(iv), payload).expect("a value is short enough");
        SealedValue {
            ciphertext: format!("{SCHEME}:{}:{}", self.key_id(), BASE64_STANDARD.encode(ciphertext)),
            iv: BASE64_STANDARD.encode(iv),
            salt: BASE64_STANDARD.encode(salt),
        }
    }

    /// The value that was sealed for this place.
    ///
    /// # Errors
    /// Where it was not, or not by us.
    pub fn open(&self, sealed: &SealedValue, place: &str) -> Result<SecretString, UnsealError> {
        let mut parts = sealed.ciphertext.splitn(3, ':');
        let (Some(SCHEME), Some(key_id), Some(ciphertext)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(UnsealError::Foreign);
        };
        if key_id != self.key_id() {
            return Err(UnsealError::OtherKey);
        }
        let bytes = |text: &str| BASE64_STANDARD.decode(text).map_err(|_| UnsealError::Damaged);
        let iv: [u8; 12] = bytes(&sealed.iv)?.try_into().map_err(|_| UnsealError::Damaged)?;
        let ciphertext = bytes(ciphertext)?;
        let payload = Payload { msg: &ciphertext, aad: place.as_bytes() };
        let cipher = self.cipher(&bytes(&sealed.salt)?);
        let value = cipher.decrypt(&Nonce::from(iv), payload).map_err(|_| UnsealError::Damaged)?;
        String::from_utf8(value).map(SecretString::from).map_err(|_| UnsealError::Damaged)
    }

    fn cipher(&self, salt: &[u8]) -> Aes256Gcm {
        let mut key = [0; 32];
        Hkdf::<Sha256>::new(Some(salt), self.db_key_base.expose_secret().as_bytes())
            .expand(format!("{SCHEME} {}", self.purpose).as_bytes(), &mut key)
            .expect("HKDF-SHA256 makes keys of 32 bytes");
        Aes256Gcm::new(&key.into())
    }

    /// Eight hex digits that say which `db_key_base` it is and nothing more of it.
    fn key_id(&self) -> String {
        let digest =
            Sha256::new().chain_update(format!("{SCHEME} key id ")).chain_update(self.db_key_base.expose_secret());
        let id = u32::from_be_bytes(digest.finalize()[..4].try_into().expect("four bytes were taken"));
        format!("{id:08x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_opens_where_it_was_sealed_for_and_nowhere_else() {
        let seal = Seal::of_otp_secrets(&"one".into());
        let sealed = seal.close("JBSWY3DPEHPK3PXP", "users/7");
        assert_eq!(seal.open(&sealed, "users/7").unwrap().expose_secret(), "JBSWY3DPEHPK3PXP");
        assert_ne!(seal.close("JBSWY3DPEHPK3PXP", "users/7"), sealed);
        assert_eq!(seal.open(&sealed, "users/8").unwrap_err(), UnsealError::Damaged);
        assert_eq!(Seal::of_answers(&"one".into()).open(&sealed, "users/7").unwrap_err(), UnsealError::Damaged);
        assert_eq!(Seal::of_otp_secrets(&"two".into()).open(&sealed, "users/7").unwrap_err(), UnsealError::OtherKey);
        let foreign = SealedValue { ciphertext: "aGVsbG8=\n".to_owned(), ..sealed.clone() };
        assert_eq!(seal.open(&foreign, "users/7").unwrap_err(), UnsealError::Foreign);
        let broken = SealedValue { iv: "x".to_owned(), ..sealed };
        assert_eq!(seal.open(&broken, "users/7").unwrap_err(), UnsealError::Damaged);
    }
}

//! Columns that GitLab encrypts, each value with an initialization vector of its own in the column beside it.

use aes_gcm::aead::Aead;
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use base64::prelude::{BASE64_STANDARD, Engine};
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// The key of such columns: the instance's `db_key_base`, brought to 32 bytes.
#[derive(Clone)]
pub struct ColumnKey {
    cipher: Aes256Gcm,
    fingerprints: Hmac<Sha256>,
}

/// A value as its two columns hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncryptedColumns {
    /// base64 of ciphertext and tag: `encrypted_url`
    pub text: String,
    /// base64 of 12 bytes: `encrypted_url_iv`
    pub iv: String,
}

/// The columns do not hold what this key encrypts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a value cannot be decrypted: is this the db_key_base that it was encrypted with?")]
pub struct UndecryptableColumns;

impl ColumnKey {
    /// The key: cut after 32 bytes, or filled up with the digit zero.
    ///
    /// # Panics
    /// Never: AES-256 takes 32 bytes.
    #[must_use]
    pub fn new(db_key_base: &SecretString) -> Self {
        let mut key = [b'0'; 32];
        for (slot, byte) in key.iter_mut().zip(db_key_base.expose_secret().bytes()) {
            *slot = byte;
        }
        Self {
            cipher: Aes256Gcm::new_from_slice(&key).expect("AES-256 takes 32 bytes"),
            fingerprints: Hmac::new_from_slice(&key).expect("HMAC takes a key of any length"),
        }
    }

    /// The value, encrypted anew: the same text never looks the same.
    ///
    /// # Panics
    /// Never: AES-GCM encrypts any text that fits into memory.
    #[must_use]
    pub fn encrypt(&self, text: &str) -> EncryptedColumns {
        let iv: [u8; 12] = rand::random();
        let encrypted = self.cipher.encrypt(&Nonce::from(iv), text.as_bytes()).expect("AES-GCM encrypts any text");
        EncryptedColumns { text: BASE64_STANDARD.encode(encrypted), iv: BASE64_STANDARD.encode(iv) }
    }

    /// A short text that is the same for the same value, and says it to nobody without the key: values are told apart
    /// by it, and not read again.
    #[must_use]
    pub fn fingerprint(&self, text: &str) -> String {
        let hash = self.fingerprints.clone().chain_update(text).finalize().into_bytes();
        BASE64_STANDARD.encode(&hash[..12])
    }

    /// The value that the columns hold. GitLab breaks its base64 into lines.
    ///
    /// # Errors
    /// Where they were not written with this key.
    pub fn decrypt(&self, text: &str, iv: &str) -> Result<SecretString, UndecryptableColumns> {
        let bytes = |text: &str| {
            let letters: String = text.split_ascii_whitespace().collect();
            BASE64_STANDARD.decode(letters).map_err(|_| UndecryptableColumns)
        };
        let iv: [u8; 12] = bytes(iv)?.try_into().map_err(|_| UndecryptableColumns)?;
        let plain = self.cipher.decrypt(&Nonce::from(iv), bytes(text)?.as_slice()).map_err(|_| UndecryptableColumns)?;
        String::from_utf8(plain).map(SecretString::from).map_err(|_| UndecryptableColumns)
    }
}

impl std::fmt::Debug for ColumnKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("ColumnKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encrypted_is_read_back_and_by_nobody_else() {
        let key = ColumnKey::new(&"short".into());
        let one = key.encrypt("https://ci.example.com/hook?token=1");
        assert_ne!(one, key.encrypt("https://ci.example.com/hook?token=1"));
        let broken = format!("{}\n{}\n", &one.text[..8], &one.text[8..]);
        assert_eq!(key.decrypt(&broken, &one.iv).unwrap().expose_secret(), "https://ci.example.com/hook?token=1");
        let other = ColumnKey::new(&"another".into());
        assert_eq!(other.decrypt(&one.text, &one.iv).unwrap_err(), UndecryptableColumns);
        assert_eq!(key.decrypt("", "").unwrap_err(), UndecryptableColumns);
        assert!(key.decrypt(&key.encrypt("").text, "!").is_err());
    }

    #[test]
    fn only_the_first_32_bytes_count() {
        let key = |text: &str| ColumnKey::new(&text.into());
        let one = key(&"k".repeat(40)).encrypt("x");
        assert!(key(&"k".repeat(128)).decrypt(&one.text, &one.iv).is_ok());
        assert!(key(&"k".repeat(31)).decrypt(&one.text, &one.iv).is_err());
    }
}

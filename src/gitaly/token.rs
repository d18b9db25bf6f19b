//! The token that a call bears: Gitaly's version 2, which proves the secret without sending it.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// The value of `authorization` at this moment. Gitaly takes it for 30 seconds, so every call is given its own.
pub fn bearer(secret: &SecretString, now: DateTime<Utc>) -> String {
    let time = now.timestamp().to_string();
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).expect("HMAC accepts a key of any length");
    mac.update(time.as_bytes());
    let signature = Bytes::copy_from_slice(&mac.finalize().into_bytes());
    format!("Bearer v2.{signature:x}.{time}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf 1700000000 | openssl dgst -sha256 -hmac 'the secret token'`
    #[test]
    fn the_signature_is_that_of_openssl() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        assert_eq!(
            bearer(&"the secret token".into(), now),
            "Bearer v2.08b369fb51d4ea94225217750f9f3862c57c0919df4380d7de22100e56a3a2bc.1700000000"
        );
    }
}

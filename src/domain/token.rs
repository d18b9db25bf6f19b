//! The tokens that GitLab hands out: how one is made, and what is stored of it.

use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use sha2::{Digest, Sha256};

/// A token that nobody can guess: the prefix and 20 characters, none of which looks like another one.
#[must_use]
pub fn mint(prefix: &str, random: [u8; 15]) -> String {
    let random = BASE64_URL_SAFE_NO_PAD.encode(random);
    let letters = random.chars().map(|letter| match letter {
        'l' => 's',
        'I' => 'x',
        'O' => 'y',
        '0' => 'z',
        letter => letter,
    });
    prefix.chars().chain(letters).collect()
}

/// What is stored of a personal access token, and found by equality; `salt` is the beginning of the `db_key_base`.
#[must_use]
pub fn digest(token: &str, salt: &str) -> String {
    BASE64_STANDARD.encode(Sha256::new().chain_update(token).chain_update(salt).finalize())
}

/// What is stored of a token that is found by equality and is never shown again.
#[must_use]
pub fn sha256(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// Bytes as hexadecimal digits in small letters.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

/// What may be stored of a token that GitLab encrypts, in its current form and in the older one. Both are made of the
/// token and the `db_key_base` alone, so that a token is found by equality.
///
/// # Panics
/// Never: AES-GCM seals tokens of any length that fits in memory.
#[must_use]
pub fn ciphertexts(token: &str, db_key_base: &str) -> [String; 2] {
    let hash = Sha256::digest(token);
    let hash = u64::from_be_bytes([0, 0, hash[0], hash[1], hash[2], hash[3], hash[4], hash[5]]);
    let hash = format!("{hash:012x}");
    let nonce: [u8; 12] = padded(&hash);
    let seal = |nonce: [u8; 12]| {
        let cipher = Aes256Gcm::new(&padded::<32>(db_key_base).into());
        BASE64_STANDARD.encode(cipher.encrypt(&Nonce::from(nonce), token.as_bytes()).expect("a token is short"))
    };
    [format!("|{}{hash}", seal(nonce)), seal(padded(db_key_base))]
}

/// The first `N` bytes of the text; where it has fewer, zeros follow.
fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [b'0'; N];
    bytes.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
    bytes
}

/// Scopes as GitLab's serializer writes them.
#[must_use]
pub fn scopes_to_yaml(scopes: &[String]) -> String {
    if scopes.is_empty() {
        return "--- []\n".to_owned();
    }
    scopes.iter().fold("---\n".to_owned(), |text, scope| text + "- " + scope + "\n")
}

/// The scopes in such a text. GitLab's own may be Ruby symbols, with a colon before them.
#[must_use]
pub fn scopes_from_yaml(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| line.strip_prefix("- "))
        .map(|scope| scope.trim().trim_start_matches(':').trim_matches(['"', '\'']).to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_its_prefix_and_twenty_clear_letters() {
        let token = mint("glpat-", [0; 15]);
        assert_eq!(token, "glpat-AAAAAAAAAAAAAAAAAAAA");
        for byte in 0..=255 {
            let token = mint("", [byte; 15]);
            assert!(token.len() == 20 && !token.contains(['l', 'I', 'O', '0']), "{token}");
        }
    }

    #[test]
    fn a_digest_is_that_of_gitlab() {
        // printf '%s' 'glpat-example0123456789abcdef0123456789abcdef' | openssl dgst -sha256 -binary | base64
        let expected = "aiMkr8g6guDCQKkj2xZO0rNOFKaFqKciX42T1OlxZKU=";
        assert_eq!(digest("glpat-example", "0123456789abcdef0123456789abcdef"), expected);
    }

    #[test]
    fn a_ciphertext_is_the_same_each_time() {
        let [current, older] = ciphertexts("secret", "short");
        assert_eq!([current.clone(), older.clone()], ciphertexts("secret", "short"));
        // sha256("secret") starts with these digits.
        assert!(current.starts_with('|') && current.ends_with("2bb80d537b1d"), "{current}");
        assert_ne!(current, older);
    }

    #[test]
    fn scopes_are_read_as_ruby_writes_them() {
        let scopes = vec!["api".to_owned(), "read_user".to_owned()];
        assert_eq!(scopes_from_yaml(&scopes_to_yaml(&scopes)), scopes);
        assert_eq!(scopes_from_yaml("---\n- :api\n- 'read_user'\n"), scopes);
        assert!(scopes_from_yaml("--- []\n").is_empty());
    }
}

//! A public SSH key: its kind and size, which an instance may restrict, and its fingerprint, by which it is found.

use std::fmt;

use ssh_key::public::KeyData;
use ssh_key::{Algorithm, EcdsaCurve, Fingerprint, HashAlg, Mpint};

/// A public key of a kind that OpenSSH uses for logins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    text: String,
    data: KeyData,
    kind: KeyKind,
}

/// What a key is, as the key restrictions of an instance tell keys apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// `ssh-rsa`
    Rsa,
    /// `ssh-dss`, which OpenSSH no longer makes
    Dsa,
    /// `ecdsa-sha2-nistp256`, `-nistp384` and `-nistp521`
    Ecdsa,
    /// `ssh-ed25519`
    Ed25519,
    /// `sk-ecdsa-sha2-nistp256@openssh.com`, kept on a security key
    EcdsaSk,
    /// `sk-ssh-ed25519@openssh.com`, kept on a security key
    Ed25519Sk,
}

impl KeyKind {
    /// Every kind, in the order in which a refusal names those that are open.
    pub const ALL: [Self; 6] = [Self::Rsa, Self::Dsa, Self::Ecdsa, Self::Ed25519, Self::EcdsaSk, Self::Ed25519Sk];
}

impl fmt::Display for KeyKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Rsa => "RSA",
            Self::Dsa => "DSA",
            Self::Ecdsa => "ECDSA",
            Self::Ed25519 => "ED25519",
            Self::EcdsaSk => "ECDSA_SK",
            Self::Ed25519Sk => "ED25519_SK",
        })
    }
}

/// Why a text is no public key. The text itself is left out: it may be a private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAKey {
    /// A private key was given.
    #[error("is a private key; give the public half, the line in the file that ends in .pub")]
    Private,
    /// More than one line.
    #[error("must be one line")]
    SeveralLines,
    /// A certificate, which is made from a key.
    #[error("is a certificate; give the public key that it certifies")]
    Certificate,
    /// A key type that no OpenSSH offers for logins.
    #[error("is of no key type of OpenSSH's (rsa, ecdsa, ed25519, ecdsa-sk, ed25519-sk)")]
    UnknownKind,
    /// The right words with the wrong contents.
    #[error("is not a public key in OpenSSH's format: type, base64 and an optional comment")]
    Malformed,
}

impl PublicKey {
    /// The key in a line of OpenSSH's format, `ssh-ed25519 AAAA… comment`.
    pub fn parse(text: &str) -> Result<Self, NotAKey> {
        let line = text.trim();
        if line.contains("PRIVATE KEY-----") {
            return Err(NotAKey::Private);
        }
        if line.contains(['\n', '\r', '\0']) {
            return Err(NotAKey::SeveralLines);
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let [name, body, ..] = words[..] else { return Err(NotAKey::Malformed) };
        if name.ends_with("-cert-v01@openssh.com") {
            return Err(NotAKey::Certificate);
        }
        let kind = kind_named(name).ok_or(NotAKey::UnknownKind)?;
        let key = ssh_key::PublicKey::from_openssh(&format!("{name} {body}")).map_err(|_| NotAKey::Malformed)?;
        Ok(Self { text: words.join(" "), data: key.key_data().clone(), kind })
    }

    /// What the key is.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The size that restrictions look at: of an RSA or DSA key its modulus, of others their curve.
    #[must_use]
    pub fn bits(&self) -> u32 {
        match &self.data {
            KeyData::Rsa(key) => bit_length(&key.n),
            KeyData::Dsa(key) => bit_length(&key.p),
            KeyData::Ecdsa(key) => match key.curve() {
                EcdsaCurve::NistP256 => 256,
                EcdsaCurve::NistP384 => 384,
                EcdsaCurve::NistP521 => 521,
            },
            // What is left lies on a curve of 256 bits.
            _ => 256,
        }
    }

    /// The digest that OpenSSH prints after `SHA256:`, as raw bytes.
    ///
    /// # Panics
    /// Never: a fingerprint of this kind has such a digest.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        self.data.fingerprint(HashAlg::Sha256).sha256().expect("a SHA-256 fingerprint was asked for")
    }

    /// The fingerprint as OpenSSH prints it: `SHA256:` and base64.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        Fingerprint::Sha256(self.sha256()).to_string()
    }

    /// The key as one line, its words a space apart.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What follows the key in its line, often the address of its owner; empty where nothing does.
    #[must_use]
    pub fn comment(&self) -> &str {
        self.text.splitn(3, ' ').nth(2).unwrap_or_default()
    }
}

fn kind_named(name: &str) -> Option<KeyKind> {
    match name.parse().ok()? {
        Algorithm::Rsa { hash: None } => Some(KeyKind::Rsa),
        Algorithm::Dsa => Some(KeyKind::Dsa),
        Algorithm::Ecdsa { .. } => Some(KeyKind::Ecdsa),
        Algorithm::Ed25519 => Some(KeyKind::Ed25519),
        Algorithm::SkEcdsaSha2NistP256 => Some(KeyKind::EcdsaSk),
        Algorithm::SkEd25519 => Some(KeyKind::Ed25519Sk),
        _ => None,
    }
}

fn bit_length(number: &Mpint) -> u32 {
    let bytes = number.as_positive_bytes().unwrap_or_default();
    let leading_zeros = bytes.first().map_or(0, |byte| byte.leading_zeros());
    u32::try_from(bytes.len()).map_or(u32::MAX, |length| length.saturating_mul(8)).saturating_sub(leading_zeros)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ9Kz3dOa9o36qMmtTs+n51FI2XAuJi5CC/2gHeqFVQ5";

    #[test]
    fn a_key_is_normalised_to_one_line() {
        let key = PublicKey::parse(&format!("  {}\tdana  on laptop \n", ED25519.replace(' ', "  "))).unwrap();
        assert_eq!(key.text(), format!("{ED25519} dana on laptop"));
        assert_eq!((key.kind(), key.bits(), key.comment()), (KeyKind::Ed25519, 256, "dana on laptop"));
        assert_eq!(PublicKey::parse(ED25519).unwrap().sha256(), key.sha256());
    }

    #[test]
    fn keys_on_security_keys_are_read() {
        // From OpenSSH's own regress/unittests/sshkey/testdata.
        let ecdsa = "sk-ecdsa-sha2-nistp256@openssh.com AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb20AAAAIbmlzdHAyNTYAAABBBIELQJ2DgvaX1yQlKFokfWM2suuaCFI2qp0eJodHyg6O4ifxc3XpRKd1OS8dNYQtE/YjdXSrA+AOnMF5ns2Nkx4AAAAEc3NoOg==";
        let ed25519 = "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAICFo/k5LU8863u66YC9eUO2170QduohPURkQnbLa/dczAAAABHNzaDo=";
        let kind = |text| PublicKey::parse(text).map(|key| (key.kind(), key.bits()));
        assert_eq!(kind(ecdsa), Ok((KeyKind::EcdsaSk, 256)));
        assert_eq!(kind(ed25519), Ok((KeyKind::Ed25519Sk, 256)));
    }

    #[test]
    fn what_is_no_public_key_says_why() {
        let why = |text: &str| PublicKey::parse(text).unwrap_err();
        assert_eq!(why("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n"), NotAKey::Private);
        assert_eq!(why(&format!("{ED25519}\n{ED25519}")), NotAKey::SeveralLines);
        assert_eq!(why("ssh-ed25519-cert-v01@openssh.com AAAA"), NotAKey::Certificate);
        assert_eq!(why("ssh-ed448 AAAA"), NotAKey::UnknownKind);
        assert_eq!(why("command=\"x\" ssh-ed25519 AAAA"), NotAKey::UnknownKind);
        assert_eq!(why(&ED25519.replace("ssh-ed25519", "ssh-rsa")), NotAKey::Malformed);
        for text in ["", "ssh-ed25519", "ssh-ed25519 AAAA", "ssh-rsa ÄÖÜ"] {
            assert_eq!(why(text), NotAKey::Malformed, "{text}");
        }
    }
}

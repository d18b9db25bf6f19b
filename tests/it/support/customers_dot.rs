//! CustomersDot: its keys, and tokens that it signs.

use std::path::PathBuf;
use std::sync::LazyLock;

use gatehouse::http::auth::customers_dot;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::TestApp;

/// Where the tests' CustomersDot is.
pub const URL: &str = "https://customers.example.com";

/// A file with CustomersDot's keys, made once for all tests.
static JWKS: LazyLock<PathBuf> = LazyLock::new(|| {
    let file = std::env::temp_dir().join(format!("gatehouse-customers-dot-{}.json", std::process::id()));
    std::fs::write(&file, jwks(&[("rsa", Algorithm::RS256), ("ed", Algorithm::EdDSA)]).to_string()).unwrap();
    file
});

/// Settings with which CustomersDot's tokens are good.
pub fn settings() -> String {
    format!("gatehouse: {{customers_dot: {{url: '{URL}', jwks_file: '{}'}}}}", JWKS.display())
}

/// The published keys of these names.
pub fn jwks(keys: &[(&str, Algorithm)]) -> Value {
    let keys = keys.iter().map(|(id, algorithm)| {
        let mut jwk = Jwk::from_encoding_key(&key(*algorithm), *algorithm).unwrap();
        jwk.common.key_id = Some((*id).to_owned());
        serde_json::to_value(jwk).unwrap()
    });
    json!({ "keys": keys.collect::<Vec<_>>() })
}

/// The claims that CustomersDot signs now.
pub fn claims(app: &TestApp) -> Value {
    json!({
        "iss": format!("{URL}/"),
        "aud": customers_dot::AUDIENCE,
        "sub": customers_dot::SUBJECT,
        "exp": app.clock.now().timestamp() + 300,
    })
}

/// A token of CustomersDot's.
pub fn token(app: &TestApp) -> String {
    sign(&claims(app), Algorithm::EdDSA, "ed")
}

/// Any claims, signed with CustomersDot's key of that algorithm.
pub fn sign(claims: &Value, algorithm: Algorithm, id: &str) -> String {
    let mut header = Header::new(algorithm);
    header.kid = Some(id.to_owned());
    jsonwebtoken::encode(&header, claims, &key(algorithm)).unwrap()
}

/// CustomersDot's private key: nobody's but the tests'.
fn key(algorithm: Algorithm) -> EncodingKey {
    match algorithm {
        Algorithm::EdDSA => {
            let pkcs8 = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
            EncodingKey::from_ed_der(&[pkcs8, [7; 32].as_slice()].concat())
        }
        Algorithm::HS256 => EncodingKey::from_secret(b"a secret"),
        _ => EncodingKey::from_rsa_der(include_bytes!("customers_dot.der")),
    }
}

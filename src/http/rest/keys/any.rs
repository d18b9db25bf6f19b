//! `GET /keys/:id` and `/keys?fingerprint=`: whose key is this?

use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::auth::rest::RestAdmin;
use crate::http::rest::RestState;
use crate::http::rest::entities::key::KeyShape;
use crate::http::rest::entities::local_moment;
use crate::http::rest::entities::user::SelfShape;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::RowName;
use crate::http::rest::params::RestParams;
use crate::store::rest::keys::{self, KeyQuestion};

/// A key and whose it is, or which projects deploy with it.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyResponse {
    #[serde(flatten)]
    key: KeyShape,
    /// Whose it is; null of a key for deployment.
    user: Option<SelfShape>,
    /// Of a key for deployment: which projects deploy with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    deploy_keys_projects: Option<Vec<KeyUseShape>>,
}

/// That a project deploys with a key.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyUseShape {
    id: i64,
    deploy_key_id: i64,
    project_id: i64,
    /// Whether it may push there.
    can_push: bool,
    #[schema(format = DateTime)]
    created_at: Option<String>,
    #[schema(format = DateTime)]
    updated_at: Option<String>,
}

/// A key by its id.
///
/// # Errors
/// 404 where there is none.
#[utoipa::path(
    get,
    path = "/keys/{key}",
    params(("key" = i64, Path, description = "The key's id")),
    responses((status = 200, body = KeyResponse))
)]
pub async fn show(
    State(state): State<RestState>,
    _admin: RestAdmin,
    key: RowName,
) -> Result<Json<KeyResponse>, RestRefusal> {
    answer(&state, KeyQuestion::Id(key.id().ok_or(RestRefusal::NotFound("Key"))?)).await
}

/// A key by its fingerprint: `SHA256:` and base64, or MD5 in pairs of digits.
///
/// # Errors
/// 400 for what is no fingerprint, 404 where no key has it.
#[utoipa::path(
    get,
    path = "/keys",
    params(("fingerprint" = String, Query, description = "Of the key")),
    responses((status = 200, body = KeyResponse))
)]
pub async fn search(
    State(state): State<RestState>,
    _admin: RestAdmin,
    params: RestParams,
) -> Result<Json<KeyResponse>, RestRefusal> {
    let fingerprint = params.read(|reader| reader.filled::<String>("fingerprint"))?;
    let question = question(&fingerprint)
        .ok_or_else(|| RestRefusal::Message(axum::http::StatusCode::BAD_REQUEST, "Failed to return the key".into()))?;
    answer(&state, question).await
}

async fn answer(state: &RestState, question: KeyQuestion) -> Result<Json<KeyResponse>, RestRefusal> {
    let row = keys::find(state.db.pool(), &question).await?.ok_or(RestRefusal::NotFound("Key"))?;
    let owner = match row.user_id {
        Some(id) => state.self_shapes(&[id]).await?.pop(),
        None => None,
    };
    let uses = if row.deploy { Some(keys::list_uses(state.db.pool(), row.id).await?) } else { None };
    let uses = uses.map(|uses| {
        let shape = |used: keys::KeyUse| KeyUseShape {
            id: used.id,
            deploy_key_id: used.deploy_key_id,
            project_id: used.project_id,
            can_push: used.can_push,
            created_at: used.created_at.map(local_moment),
            updated_at: used.updated_at.map(local_moment),
        };
        uses.into_iter().map(shape).collect()
    });
    let name = owner.as_ref().map(|owner| owner.name().to_owned()).unwrap_or_default();
    let key = if row.deploy { KeyShape::as_given(row) } else { state.key_shape(row, &name) };
    Ok(Json(KeyResponse { key, user: owner, deploy_keys_projects: uses }))
}

/// Clients that do not encode a `+` send a blank.
fn question(fingerprint: &str) -> Option<KeyQuestion> {
    let text = fingerprint.trim();
    if let Some(digest) = text.strip_prefix("SHA256:") {
        let digest = digest.replace(' ', "+");
        let bytes =
            BASE64_STANDARD_NO_PAD.decode(digest.trim_end_matches('=')).or_else(|_| BASE64_STANDARD.decode(&digest));
        return bytes.ok().filter(|bytes| bytes.len() == 32).map(KeyQuestion::Sha256);
    }
    let text = text.strip_prefix("MD5:").unwrap_or(text).to_ascii_lowercase();
    let pairs: Vec<&str> = text.split(':').collect();
    let is_pair = |pair: &&str| pair.len() == 2 && pair.bytes().all(|digit| digit.is_ascii_hexdigit());
    (pairs.len() == 16 && pairs.iter().all(is_pair)).then_some(KeyQuestion::Md5(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_of_one_of_two_kinds() {
        let digest = "nUhzNyftwADy8AH3wFY31tAKs7HufskYTte2aXo/lCg";
        let asked = question(&format!("SHA256:{digest}"));
        assert!(matches!(&asked, Some(KeyQuestion::Sha256(bytes)) if bytes.len() == 32));
        assert_eq!(question(&format!("SHA256:{digest}=")), asked);
        let plus = digest.replace("/lCg", "+lCg");
        assert_eq!(question(&format!("SHA256:{}", plus.replace('+', " "))), question(&format!("SHA256:{plus}")));
        let md5 = "ba:81:59:68:d7:6c:cb:a0:5b:14:6e:91:d4:76:b6:a5";
        assert_eq!(question(md5), Some(KeyQuestion::Md5(md5.to_owned())));
        assert_eq!(question(&format!("MD5:{}", md5.to_uppercase())), Some(KeyQuestion::Md5(md5.to_owned())));
        for text in ["", "SHA256:", "SHA256:AAAA", "ba:81", &md5.replace(':', "-"), &md5.replace("ba", "xx")] {
            assert_eq!(question(text), None, "{text}");
        }
    }
}

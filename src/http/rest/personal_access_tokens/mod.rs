//! Personal access tokens and impersonation tokens (rest.md 5).

mod create;
mod impersonation;
mod list;
mod one;
mod own;
mod rotate;

use axum::http::StatusCode;
use chrono::NaiveDate;
use secrecy::ExposeSecret;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::RestState;
use super::entities::token::TokenShape;
use super::fault::RestRefusal;
use crate::domain::ids::UserId;
use crate::domain::personal_access_token::ALL_SCOPES;
use crate::http::auth::rest::RestCaller;
use crate::http::grape::ParameterReader;
use crate::services::personal_tokens::{self, MintedToken, TokenWish, TokenWishRefusal};
use crate::store::rest::tokens;

/// The family's routes.
pub fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
        .routes(routes!(list::list))
        .routes(routes!(own::show, own::revoke))
        .routes(routes!(rotate::rotate_own))
        .routes(routes!(one::show, one::revoke))
        .routes(routes!(rotate::rotate))
        .routes(routes!(create::create))
        .routes(routes!(create::create_own))
        .routes(routes!(impersonation::list, impersonation::create))
        .routes(routes!(impersonation::show, impersonation::revoke))
}

/// What is said of a token that is made.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct TokenParameters {
    name: String,
    description: Option<String>,
    /// A list, or one text with commas.
    scopes: Vec<String>,
    /// The day from which on it is dead; as late as it may be, where none is named.
    #[schema(format = Date)]
    expires_at: Option<String>,
}

fn declare(reader: &mut ParameterReader<'_>, user: UserId, impersonation: bool) -> TokenWish {
    let scopes = if reader.names("scopes") {
        reader.choices("scopes", &ALL_SCOPES).value().unwrap_or_default()
    } else {
        reader.required::<String>("scopes");
        Vec::new()
    };
    TokenWish {
        user,
        name: reader.required::<String>("name").value().unwrap_or_default(),
        description: reader.optional("description").value(),
        scopes,
        expires_at: reader.optional::<NaiveDate>("expires_at").value(),
        impersonation,
    }
}

impl RestState {
    /// The token as it is today.
    async fn token_shape(&self, id: i64) -> Result<TokenShape, RestRefusal> {
        let row = tokens::find(self.db.pool(), id).await?.ok_or(RestRefusal::NothingFound)?;
        Ok(TokenShape::of(row, self.clock.now().date_naive()))
    }

    async fn minted_shape(&self, minted: MintedToken) -> Result<TokenShape, RestRefusal> {
        Ok(self.token_shape(minted.id).await?.with_text(minted.text.expose_secret()))
    }

    async fn make_token(&self, wish: TokenWish, by: &RestCaller) -> Result<TokenShape, RestRefusal> {
        let (late, now) = (if wish.impersonation { StatusCode::BAD_REQUEST } else { LATE }, self.clock.now());
        let made = personal_tokens::create(&self.db, &self.secrets.db_key_base, wish, &by.author(), now).await;
        let minted = made.map_err(|error| match error {
            crate::services::ServiceError::Refused(TokenWishRefusal::TooLong(last)) => too_long(late, last),
            error => error.into(),
        })?;
        self.minted_shape(minted).await
    }
}

/// The status for a token that would live too long.
const LATE: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;

fn too_long(status: StatusCode, last: NaiveDate) -> RestRefusal {
    RestRefusal::Message(status, format!("Expiration date must be before {last}").into())
}

impl From<TokenWishRefusal> for RestRefusal {
    fn from(refusal: TokenWishRefusal) -> Self {
        match refusal {
            TokenWishRefusal::NoSuchUser => Self::NotFound("User"),
            TokenWishRefusal::NoSuchToken => Self::NothingFound,
            TokenWishRefusal::Disabled => Self::Forbidden,
            TokenWishRefusal::Revoked => Self::BadRequest("Token already revoked".to_owned()),
            TokenWishRefusal::TooLong(last) => too_long(StatusCode::BAD_REQUEST, last),
            TokenWishRefusal::Faults(faults) => faults.into(),
        }
    }
}

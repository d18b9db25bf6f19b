//! SSH keys of users, and any key by its fingerprint (rest.md 4).

mod any;
mod of_user;
mod own;

use chrono::{DateTime, Utc};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::RestState;
use super::entities::key::{KeyShape, USAGES};
use super::fault::RestRefusal;
use super::precondition::UnmodifiedSince;
use crate::domain::ids::{KeyId, UserId};
use crate::http::auth::rest::RestCaller;
use crate::http::grape::ParameterReader;
use crate::services::revoke_credential;
use crate::services::user_keys::{self, KeyWish, UserRowRefusal};
use crate::store::rest::keys::{self, KeyQuestion, ListedKey};
use crate::store::rest::users::BasicUserRow;

/// The family's routes.
pub fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
        .routes(routes!(of_user::list, of_user::create))
        .routes(routes!(of_user::show, of_user::delete))
        .routes(routes!(own::list, own::create))
        .routes(routes!(own::show, own::delete))
        .routes(routes!(any::search))
        .routes(routes!(any::show))
}

impl From<UserRowRefusal> for RestRefusal {
    fn from(refusal: UserRowRefusal) -> Self {
        match refusal {
            UserRowRefusal::NoSuchUser => Self::NotFound("User"),
            UserRowRefusal::Faults(faults) => faults.into(),
        }
    }
}

/// What is said of a key that is added.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct KeyParameters {
    title: String,
    /// The line of the file that ends in `.pub`.
    key: String,
    /// RFC 3339, or a day.
    expires_at: Option<String>,
    /// `auth_and_signing`, `auth` or `signing`
    usage_type: Option<String>,
}

fn declare(reader: &mut ParameterReader<'_>) -> KeyWish {
    let usages: Vec<(&str, i16)> = USAGES.into_iter().zip(0..).collect();
    KeyWish {
        title: reader.required::<String>("title").value().unwrap_or_default(),
        key: reader.required::<String>("key").value().unwrap_or_default(),
        expires_at: reader.optional::<DateTime<Utc>>("expires_at").value(),
        usage_type: reader.choice("usage_type", &usages).value().unwrap_or_default(),
    }
}

impl RestState {
    fn key_shape(&self, row: ListedKey, owner: &str) -> KeyShape {
        KeyShape::of(row, owner, &self.settings.gitlab.host)
    }

    async fn keys_of(&self, owner: &BasicUserRow) -> Result<Vec<KeyShape>, RestRefusal> {
        let rows = keys::list_of_user(self.db.pool(), UserId(owner.id)).await?;
        Ok(rows.into_iter().map(|row| self.key_shape(row, &owner.name)).collect())
    }

    async fn key_of(&self, owner: &BasicUserRow, id: Option<i64>) -> Result<KeyShape, RestRefusal> {
        let row = self.row_of(owner, id).await?;
        Ok(self.key_shape(row, &owner.name))
    }

    async fn row_of(&self, owner: &BasicUserRow, id: Option<i64>) -> Result<ListedKey, RestRefusal> {
        const GONE: RestRefusal = RestRefusal::NotFound("Key");
        let question = KeyQuestion::Id(id.ok_or(GONE)?);
        let row = keys::find(self.db.pool(), &question).await?;
        row.filter(|row| !row.deploy && row.user_id == Some(owner.id)).ok_or(GONE)
    }

    async fn add_key(&self, owner: &BasicUserRow, wish: KeyWish, by: &RestCaller) -> Result<KeyShape, RestRefusal> {
        let id = user_keys::add_key(&self.db, UserId(owner.id), wish, &by.author(), self.clock.now()).await?;
        self.key_of(owner, Some(id)).await
    }

    async fn remove_key(
        &self,
        owner: &BasicUserRow,
        id: Option<i64>,
        unmodified: UnmodifiedSince,
        by: &RestCaller,
    ) -> Result<(), RestRefusal> {
        const GONE: RestRefusal = RestRefusal::NotFound("Key");
        let row = self.row_of(owner, id).await?;
        unmodified.check(row.updated_at)?;
        let now = self.clock.now();
        revoke_credential::remove_key(&self.db, KeyId(row.id), &by.author(), now).await?.ok_or(GONE)?;
        Ok(())
    }
}

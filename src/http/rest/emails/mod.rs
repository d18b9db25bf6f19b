//! Further addresses of users (rest.md 4).

mod of_user;
mod own;

use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::RestState;
use super::entities::local_moment;
use super::fault::RestRefusal;
use super::precondition::UnmodifiedSince;
use crate::domain::ids::UserId;
use crate::http::auth::rest::RestCaller;
use crate::services::user_keys;
use crate::store::rest::keys::{self, ListedEmail};

/// The family's routes.
pub fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
        .routes(routes!(of_user::list, of_user::create))
        .routes(routes!(of_user::show, of_user::delete))
        .routes(routes!(own::list, own::create))
        .routes(routes!(own::show, own::delete))
}

/// What is said of an address that is added.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct EmailParameters {
    email: String,
    /// An administrator's word that it is the user's.
    skip_confirmation: Option<bool>,
}

/// A further address.
#[derive(Debug, Serialize, ToSchema)]
pub struct EmailShape {
    id: i64,
    email: String,
    /// Null where it waits to be confirmed.
    #[schema(format = DateTime)]
    confirmed_at: Option<String>,
}

impl From<ListedEmail> for EmailShape {
    fn from(row: ListedEmail) -> Self {
        Self { id: row.id, email: row.email, confirmed_at: row.confirmed_at.map(local_moment) }
    }
}

impl RestState {
    async fn emails_of(&self, user: UserId) -> Result<Vec<EmailShape>, RestRefusal> {
        let rows = keys::list_emails(self.db.pool(), user).await?;
        Ok(rows.into_iter().map(EmailShape::from).collect())
    }

    async fn email_of(&self, user: UserId, id: Option<i64>) -> Result<EmailShape, RestRefusal> {
        let rows = self.emails_of(user).await?;
        rows.into_iter().find(|row| Some(row.id) == id).ok_or(RestRefusal::NotFound("Email"))
    }

    async fn add_email(
        &self,
        user: UserId,
        email: &str,
        confirmed: bool,
        by: &RestCaller,
    ) -> Result<EmailShape, RestRefusal> {
        let row = user_keys::add_email(&self.db, user, email, confirmed, &by.author(), self.clock.now()).await?;
        Ok(row.into())
    }

    async fn remove_email(
        &self,
        user: UserId,
        id: Option<i64>,
        unmodified: UnmodifiedSince,
        by: &RestCaller,
    ) -> Result<(), RestRefusal> {
        const GONE: RestRefusal = RestRefusal::NotFound("Email");
        let rows = keys::list_emails(self.db.pool(), user).await?;
        let row = rows.into_iter().find(|row| Some(row.id) == id).ok_or(GONE)?;
        unmodified.check(row.updated_at)?;
        let removed = user_keys::remove_email(&self.db, user, row.id, &by.author(), self.clock.now()).await?;
        if removed { Ok(()) } else { Err(GONE) }
    }
}

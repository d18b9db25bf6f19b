//! Members of groups and projects (rest.md 7).

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::user::BasicUser;
use super::{local_moment, moment};
use crate::http::rest::RestState;
use crate::http::rest::fault::RestRefusal;
use crate::store::rest::members::MemberShapeRow;
use crate::store::rest::users::{self, BasicUserRow};

/// A membership, and whose it is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MemberShape {
    #[serde(flatten)]
    user: BasicUser,
    /// 5, 10, 15, 20, 30, 40 or 50
    access_level: i32,
    #[schema(format = DateTime)]
    created_at: Option<String>,
    /// Who made the membership, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    created_by: Option<BasicUser>,
    /// The day from which on it is over.
    #[schema(format = Date)]
    expires_at: Option<String>,
    /// Of the enterprise users of the root group alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    email: Option<String>,
    /// Where it is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    is_using_seat: Option<bool>,
    /// Always `active`.
    membership_state: &'static str,
    /// Always null: there are no roles but the levels.
    #[schema(value_type = Option<Object>)]
    member_role: Option<i64>,
}

impl MemberShape {
    /// A membership that is over already.
    #[must_use]
    pub fn ended(
        user: BasicUserRow,
        url: &str,
        access_level: i32,
        expires_at: Option<NaiveDate>,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            user: BasicUser::of(user, url),
            access_level,
            created_at: Some(moment(now)),
            created_by: None,
            expires_at: expires_at.map(|day| day.to_string()),
            email: None,
            is_using_seat: None,
            membership_state: "active",
            member_role: None,
        }
    }
}

impl RestState {
    /// These memberships, with who made them.
    ///
    /// # Errors
    /// Where the database gives no answer.
    pub async fn member_shapes(
        &self,
        rows: Vec<MemberShapeRow>,
        show_seat: bool,
    ) -> Result<Vec<MemberShape>, RestRefusal> {
        let makers: Vec<i64> = rows.iter().filter_map(|row| row.created_by_id).collect();
        let makers = users::list_basic(self.db.pool(), &makers).await?;
        let shape = |row: MemberShapeRow| MemberShape {
            user: BasicUser::of(row.basic(), &self.url),
            access_level: row.level,
            created_at: row.created_at.map(local_moment),
            created_by: row
                .created_by_id
                .and_then(|id| makers.get(&id).cloned())
                .map(|row| BasicUser::of(row, &self.url)),
            expires_at: row.expires_at.map(|day| day.to_string()),
            email: row.email,
            is_using_seat: show_seat.then_some(row.seated),
            membership_state: "active",
            member_role: None,
        };
        Ok(rows.into_iter().map(shape).collect())
    }
}

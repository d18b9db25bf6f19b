//! `POST /namespaces/:id/minutes`: packs of compute minutes for the namespace (provisioning.md 4.1).

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::NaiveDate;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::ProvisioningState;
use super::namespace::NamespaceName;
use crate::domain::minutes::{MinutesPack, PackRequest};
use crate::http::auth::provisioning::Provisioner;
use crate::http::error::ApiError;
use crate::http::grape::{GrapeParameters, OptionalParameter, ParameterReader};
use crate::services::credit_minutes;

/// Packs of a request at most.
const MOST_PACKS: usize = 1000;

/// A pack that the namespace has.
#[derive(Debug, Serialize, ToSchema)]
pub struct PackResponse {
    namespace_id: i64,
    expires_at: Option<NaiveDate>,
    number_of_minutes: i32,
    purchase_xid: Option<String>,
}

impl From<MinutesPack> for PackResponse {
    fn from(pack: MinutesPack) -> Self {
        Self {
            namespace_id: pack.namespace.0,
            expires_at: pack.expires_at,
            number_of_minutes: pack.number_of_minutes,
            purchase_xid: pack.purchase_xid,
        }
    }
}

/// The packs, 1,000 at most.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct PacksParameters {
    #[schema(max_items = 1000)]
    packs: Vec<PackParameters>,
}

/// A pack.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct PackParameters {
    number_of_minutes: Option<i32>,
    expires_at: Option<NaiveDate>,
    purchase_xid: Option<String>,
}

/// Credits the namespace with all packs, or with none. A purchase that it was credited with before is shown as it is,
/// so a request may be sent again.
///
/// # Errors
/// 400 for parameters of the wrong shape, and where a pack cannot be credited; the client is not told why.
#[utoipa::path(
    post,
    path = "/namespaces/{id}/minutes",
    params(("id" = String, Path, description = "The namespace: its id or its full path")),
    request_body(
        content = PacksParameters,
        example = json!({
            "packs": [{ "number_of_minutes": 10000, "expires_at": "2027-01-01", "purchase_xid": "C-00123456" }]
        })
    ),
    responses((
        status = 201,
        body = Vec<PackResponse>,
        example = json!([{
            "namespace_id": 1234, "expires_at": "2027-01-01", "number_of_minutes": 10000, "purchase_xid": "C-00123456"
        }])
    ))
)]
pub async fn create(
    State(state): State<ProvisioningState>,
    provisioner: Provisioner,
    name: NamespaceName,
    parameters: GrapeParameters,
) -> Result<(StatusCode, Json<Vec<PackResponse>>), ApiError> {
    let wanted = parameters.read(declare)?;
    let namespace = name.find(&state.db).await?;
    let (author, now) = (provisioner.author(), state.clock.now());
    let packs = credit_minutes::credit(&state.db, namespace.id, &wanted, author, now).await?;
    for pack in &packs {
        tracing::info!(
            namespace.id = namespace.id.0,
            purchase_xid = pack.purchase_xid,
            minutes = pack.number_of_minutes,
            "the namespace has a pack of minutes"
        );
    }
    Ok((StatusCode::CREATED, Json(packs.into_iter().map(PackResponse::from).collect())))
}

/// Field by field over all packs, for that is the order in which GitLab says what is wrong.
fn declare(reader: &mut ParameterReader<'_>) -> Vec<PackRequest> {
    const PACKS: &str = "packs";
    if reader.value(PACKS) == Some(&Value::Null) {
        reader.refuse(PACKS, "is invalid");
        return Vec::new();
    }
    if let Some(Value::Array(packs)) = reader.value(PACKS) {
        let numbered = packs.iter().take(MOST_PACKS).enumerate();
        let strangers: Vec<usize> = numbered.filter(|(_, pack)| !pack.is_object()).map(|(at, _)| at).collect();
        // GitLab takes what is no object for one that lacks all and has it of the wrong type.
        for field in ["number_of_minutes", "expires_at", "purchase_xid"] {
            for at in &strangers {
                reader.refuse(&format!("{PACKS}[{at}][{field}]"), "is missing");
                reader.refuse(&format!("{PACKS}[{at}][{field}]"), "is invalid");
            }
        }
        if !strangers.is_empty() {
            return Vec::new();
        }
    }
    let minutes: Vec<OptionalParameter<i32>> =
        reader.required_objects(PACKS, MOST_PACKS, |pack| pack.required("number_of_minutes"));
    let dates: Vec<OptionalParameter<NaiveDate>> =
        reader.required_objects(PACKS, MOST_PACKS, |pack| pack.required("expires_at"));
    let xids: Vec<OptionalParameter<String>> =
        reader.required_objects(PACKS, MOST_PACKS, |pack| pack.required("purchase_xid"));
    let packs = minutes.into_iter().zip(dates).zip(xids);
    let wanted = |((minutes, date), xid): (
        (OptionalParameter<i32>, OptionalParameter<NaiveDate>),
        OptionalParameter<String>,
    )| PackRequest {
        number_of_minutes: minutes.value(),
        expires_at: date.value(),
        purchase_xid: xid.value(),
    };
    packs.map(wanted).collect()
}

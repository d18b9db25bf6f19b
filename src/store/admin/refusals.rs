//! Refused attempts as administrators search them.

use crate::store::access_refusals::{self, KeptRefusal, RefusalFilter, RefusalRow};
use crate::store::paging::{self, KeyOrder, KeyValue, Page, PageRequest};
use crate::store::{Db, Result};

/// What the list is sorted by.
#[must_use]
pub fn key(refusal: &KeptRefusal) -> Vec<KeyValue> {
    vec![KeyValue::Number(refusal.id)]
}

/// A page of the refusals that the filter lets through, the newest first.
pub async fn list(db: &Db, filter: &RefusalFilter, request: &PageRequest) -> Result<Page<KeptRefusal>> {
    let select = access_refusals::select(filter);
    let page: Page<RefusalRow> =
        paging::fetch(db, select, KeyOrder { columns: &["id"], descending: true }, request).await?;
    let rows = page.rows.into_iter().map(KeptRefusal::from).collect();
    Ok(Page { rows, has_before: page.has_before, has_after: page.has_after })
}

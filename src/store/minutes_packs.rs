//! Packs of compute minutes.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{PgConnection, PgExecutor};

use super::{Result, ledger};
use crate::domain::ids::NamespaceId;
use crate::domain::ledger::{LedgerAuthor, LedgerEntry, LedgerRecord};
use crate::domain::minutes::{KnownPacks, MinutesPack, NewPack};

/// The packs of these purchases, wherever they are.
pub async fn list_by_xids(db: impl PgExecutor<'_>, xids: &[String]) -> Result<KnownPacks> {
    let rows = sqlx::query_as!(
        PackRow,
        "
        select id, namespace_id, number_of_minutes, expires_at, purchase_xid
        from ci_minutes_additional_packs
        where purchase_xid = any ($1)
        ",
        xids
    );
    let rows = rows.fetch_all(db).await?;
    Ok(rows.into_iter().filter_map(|row| Some((row.purchase_xid.clone()?, row.pack()))).collect())
}

/// The pack of that purchase, which nobody else changes until the transaction ends.
pub async fn find_for_update(db: impl PgExecutor<'_>, xid: &str) -> Result<Option<MinutesPack>> {
    let row = sqlx::query_as!(
        PackRow,
        "
        select id, namespace_id, number_of_minutes, expires_at, purchase_xid
        from ci_minutes_additional_packs
        where purchase_xid = $1
        for update
        ",
        xid
    );
    Ok(row.fetch_optional(db).await?.map(PackRow::pack))
}

/// The namespace's packs, which nobody else changes until the transaction ends.
pub async fn list_for_update(db: impl PgExecutor<'_>, namespace: NamespaceId) -> Result<Vec<MinutesPack>> {
    let rows = sqlx::query_as!(
        PackRow,
        "
        select id, namespace_id, number_of_minutes, expires_at, purchase_xid
        from ci_minutes_additional_packs
        where namespace_id = $1
        order by id
        for update
        ",
        namespace.0
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(PackRow::pack).collect())
}

#[derive(Debug)]
struct PackRow {
    id: i64,
    namespace_id: i64,
    number_of_minutes: i32,
    expires_at: Option<NaiveDate>,
    purchase_xid: Option<String>,
}

impl PackRow {
    fn pack(self) -> MinutesPack {
        MinutesPack {
            id: self.id,
            namespace: NamespaceId(self.namespace_id),
            number_of_minutes: self.number_of_minutes,
            expires_at: self.expires_at,
            purchase_xid: self.purchase_xid,
        }
    }
}

/// Inserts the packs whose purchases are not known, and writes them down in the ledger. They go in the order of their
/// ids: two requests that share some wait for each other in one direction only.
pub async fn insert(
    conn: &mut PgConnection,
    namespace: NamespaceId,
    packs: &[NewPack],
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> Result<()> {
    let minutes: Vec<i32> = packs.iter().map(|pack| pack.number_of_minutes).collect();
    let dates: Vec<NaiveDate> = packs.iter().map(|pack| pack.expires_at).collect();
    let xids: Vec<String> = packs.iter().map(|pack| pack.purchase_xid.clone()).collect();
    let rows = sqlx::query_as!(
        PackRow,
        r#"
        insert into ci_minutes_additional_packs (namespace_id, number_of_minutes, expires_at, purchase_xid)
        select $1, pack.number_of_minutes, pack.expires_at, pack.purchase_xid
        from unnest($2::integer[], $3::date[], $4::text[]) as pack (number_of_minutes, expires_at, purchase_xid)
        order by pack.purchase_xid collate "C"
        on conflict (purchase_xid) do nothing
        returning id, namespace_id, number_of_minutes, expires_at, purchase_xid
        "#,
        namespace.0,
        &minutes,
        &dates,
        &xids,
    );
    let packs = rows.fetch_all(&mut *conn).await?.into_iter().map(PackRow::pack);
    let entries: Vec<LedgerEntry> =
        packs.map(|pack| LedgerEntry { after: Some(pack.fields()), ..entry(&pack) }).collect();
    ledger::insert(conn, author, now, &entries).await
}

/// Moves all packs of a namespace to another; the transaction has both locked. How many they were.
pub async fn move_all(
    conn: &mut PgConnection,
    source: NamespaceId,
    target: NamespaceId,
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> Result<usize> {
    let rows = sqlx::query_as!(
        PackRow,
        "
        update ci_minutes_additional_packs
        set namespace_id = $2
        where namespace_id = $1
        returning id, namespace_id, number_of_minutes, expires_at, purchase_xid
        ",
        source.0,
        target.0,
    );
    let mut packs: Vec<MinutesPack> = rows.fetch_all(&mut *conn).await?.into_iter().map(PackRow::pack).collect();
    packs.sort_by_key(|pack| pack.id);
    let moved = |pack: &MinutesPack| {
        let leaves = LedgerEntry { namespace: source, before: Some(pack.fields()), ..entry(pack) };
        let arrives = LedgerEntry { after: Some(pack.fields()), ..entry(pack) };
        [leaves, arrives]
    };
    let entries: Vec<LedgerEntry> = packs.iter().flat_map(moved).collect();
    ledger::insert(conn, author, now, &entries).await?;
    Ok(packs.len())
}

/// Changes what a locked pack holds, and writes down what it was and is. It stays where it is.
pub async fn change(
    conn: &mut PgConnection,
    before: &MinutesPack,
    after: &MinutesPack,
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update ci_minutes_additional_packs set number_of_minutes = $2, expires_at = $3 where id = $1",
        after.id,
        after.number_of_minutes,
        after.expires_at,
    )
    .execute(&mut *conn)
    .await?;
    let entry = LedgerEntry { before: Some(before.fields()), after: Some(after.fields()), ..entry(after) };
    ledger::insert(conn, author, now, &[entry]).await
}

/// Removes a locked pack, and writes down what it was.
pub async fn delete(
    conn: &mut PgConnection,
    pack: &MinutesPack,
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!("delete from ci_minutes_additional_packs where id = $1", pack.id).execute(&mut *conn).await?;
    let entry = LedgerEntry { before: Some(pack.fields()), ..entry(pack) };
    ledger::insert(conn, author, now, &[entry]).await
}

fn entry(pack: &MinutesPack) -> LedgerEntry {
    LedgerEntry { namespace: pack.namespace, record: LedgerRecord::MinutesPack, id: pack.id, before: None, after: None }
}

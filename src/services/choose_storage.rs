//! Which storage takes a new repository?

use rand::seq::IndexedRandom;

use crate::store::{Db, Result, project_creation};

/// One of the storages that take new repositories, by their weights; `default` where the instance gives no weights.
/// `storages` are those that the settings know, in order.
pub(super) async fn choose(db: &Db, storages: &[String]) -> Result<Option<String>> {
    let weights = project_creation::list_storage_weights(db.pool()).await?;
    let known: Vec<(String, f64)> = weights.into_iter().filter(|(name, _)| storages.contains(name)).collect();
    let chosen = known.choose_weighted(&mut rand::rng(), |(_, weight)| *weight).ok().map(|(name, _)| name.clone());
    let first = || storages.iter().find(|name| *name == "default").or(storages.first());
    Ok(chosen.or_else(|| first().cloned()))
}

//! What somebody can do about an error that a command ended with.

use std::io;

use crate::store::fault::DatabaseRemedy;

/// An error and what led to it, each once: many errors say what their cause says.
#[must_use]
pub fn told(error: &anyhow::Error) -> String {
    error.chain().skip(1).fold(error.to_string(), |told, cause| match cause.to_string() {
        cause if told.ends_with(&cause) => told,
        cause => format!("{told}: {cause}"),
    })
}

/// A sentence on what would help, where more can be said than the error itself says.
#[must_use]
pub fn advice(error: &anyhow::Error) -> Option<&'static str> {
    error.chain().find_map(|cause| DatabaseRemedy::of(cause).map(about_the_database).or_else(|| about_a_file(cause)))
}

fn about_the_database(remedy: DatabaseRemedy) -> &'static str {
    match remedy {
        DatabaseRemedy::Address => {
            "start PostgreSQL, or say where it is: DATABASE_URL=postgres://USER:PASSWORD@HOST:PORT/DATABASE, or \
             gatehouse.database.url in the settings file (`gatehouse init` writes one); then try `gatehouse check`"
        }
        DatabaseRemedy::Creation => "create the database with PostgreSQL's createdb, then run `gatehouse migrate`",
        DatabaseRemedy::Credentials => {
            "correct user and password in DATABASE_URL (gatehouse.database.url), or create that user with PostgreSQL's \
             createuser"
        }
        DatabaseRemedy::Migration => "run `gatehouse migrate`: the database lacks tables of this version",
    }
}

fn about_a_file(cause: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    match cause.downcast_ref::<io::Error>()?.kind() {
        io::ErrorKind::AddrInUse => Some(
            "another process listens there: stop it, or choose another address (gatehouse.listen, gatehouse.socket, \
             gatehouse.metrics_listen)",
        ),
        io::ErrorKind::PermissionDenied => {
            Some("run this as the user who may, usually the one that `gatehouse serve` runs as, or change the rights")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store;

    #[test]
    fn a_cause_is_told_once_and_helps() {
        let error = store::Error::from(sqlx::Error::PoolTimedOut);
        let error = anyhow::Error::from(error).context("cannot read the queue");
        let words =
            "cannot read the queue: the database is not available: pool timed out while waiting for an open connection";
        assert_eq!(told(&error), words);
        assert!(advice(&error).unwrap().starts_with("start PostgreSQL"));
        assert_eq!(advice(&anyhow::anyhow!("no such thing")), None);
    }
}

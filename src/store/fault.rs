//! What an error tells about the database: the one place that reads PostgreSQL's codes for it (SQLSTATE).

use std::borrow::Cow;
use std::io;

use sqlx::postgres::PgDatabaseError;

/// Why a statement got no answer, and with that what may be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementFault {
    /// It is the statement's own: it would fail on any connection, at any time.
    Statement,
    /// Others were in the way: a lock that was held for too long, a deadlock, a statement that took too long. The
    /// connection is as good as before, and nothing was done.
    Contention,
    /// It is about the state of the database or the connection, and the statement was not executed: the same again is
    /// right, on another connection.
    NotExecuted,
    /// The connection was lost before the answer came. Whether the statement was executed, nobody knows.
    Unanswered,
}

impl StatementFault {
    /// What this error is about.
    #[must_use]
    pub fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => {
                let code = error.code().unwrap_or(Cow::Borrowed(""));
                let routine = error.try_downcast_ref::<PgDatabaseError>().and_then(PgDatabaseError::routine);
                Self::of_sqlstate(&code, routine)
            }
            // What cannot be written at all did not arrive; a connection that was never made executed nothing.
            sqlx::Error::Io(error)
                if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::NotConnected) =>
            {
                Self::NotExecuted
            }
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::BeginFailed => Self::NotExecuted,
            sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed => {
                Self::Unanswered
            }
            _ => Self::Statement,
        }
    }

    /// The same, of a code of PostgreSQL's, and the routine of its source that raised it where that is known.
    #[must_use]
    pub fn of_sqlstate(code: &str, routine: Option<&str>) -> Self {
        match code {
            // Serialization, deadlock, a lock that was not had in time, a statement that was cancelled.
            "40001" | "40P01" | "55P03" | "57014" => Self::Contention,
            // A database that takes no writes now; a transaction or session that was ended for idling; a connection that
            // remembers a statement that the database has forgotten, or that reads another table by now.
            "25006" | "25P03" | "25P04" | "26000" | "42P05" => Self::NotExecuted,
            "0A000" if routine == Some("RevalidateCachedQuery") => Self::NotExecuted,
            // A pooler between us and PostgreSQL says so when it loses the server in the middle.
            code if code.starts_with("08") => Self::Unanswered,
            // Who may log in, and where to (28, 3D); no memory, disk or connections left (53); not accepting connections
            // (55000); shutting down, starting, dropped (57P); the operating system failed it (58).
            code if ["28", "3D", "53", "55000", "57P", "58"].iter().any(|class| code.starts_with(class)) => {
                Self::NotExecuted
            }
            _ => Self::Statement,
        }
    }

    /// Whether the connection that said so is not to be used again.
    #[must_use]
    pub fn ends_connection(self) -> bool {
        matches!(self, Self::NotExecuted | Self::Unanswered)
    }
}

/// What an operator does about a database that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseRemedy {
    /// Start it, or correct its address.
    Address,
    /// Create it.
    Creation,
    /// Correct who logs in.
    Credentials,
    /// Bring its schema up to date.
    Migration,
}

impl DatabaseRemedy {
    /// What helps against this error, where it is one of the database's and something does.
    #[must_use]
    pub fn of(error: &(dyn std::error::Error + 'static)) -> Option<Self> {
        match error.downcast_ref::<sqlx::Error>()? {
            sqlx::Error::Database(error) => match error.code()?.as_ref() {
                "3D000" => Some(Self::Creation),
                // A table, a column, a schema or a function that is not there.
                "42P01" | "42703" | "3F000" | "42883" => Some(Self::Migration),
                code if code.starts_with("28") => Some(Self::Credentials),
                _ => None,
            },
            // What `unreachable` made of an error.
            sqlx::Error::Io(error) => match error.get_ref() {
                Some(inner) => Some(Self::of(inner).unwrap_or(Self::Address)),
                None => Some(Self::Address),
            },
            sqlx::Error::Configuration(_) | sqlx::Error::PoolTimedOut | sqlx::Error::Tls(_) => Some(Self::Address),
            _ => None,
        }
    }
}

/// An error of the attempt to connect, whatever PostgreSQL called it: nothing that was to be asked is to blame.
pub(super) fn unreachable(error: sqlx::Error) -> sqlx::Error {
    match error {
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => error,
        error => sqlx::Error::Io(io::Error::new(io::ErrorKind::NotConnected, error)),
    }
}

/// Whether this is about a connection that could not be had, not about one that was lost.
pub(super) fn is_unreachable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => true,
        sqlx::Error::Io(error) => error.kind() == io::ErrorKind::NotConnected,
        _ => false,
    }
}

/// A statement that the database is silent about.
pub(crate) fn silence() -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, "no answer in time"))
}

/// A database that takes no writes for a moment.
pub(super) fn read_only() -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::BrokenPipe, "the database takes no writes"))
}

/// A database that has become a standby: what is asked of it may be out of date.
pub(super) fn standby() -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::BrokenPipe, "the database has become a standby"))
}

/// What a write by itself ends with where the database is declared to take none.
#[derive(Debug, thiserror::Error)]
#[error("the database takes no writes")]
struct DeclaredReadOnly;

/// A write to a database that is declared to take none.
pub(super) fn declared_read_only() -> sqlx::Error {
    sqlx::Error::AnyDriverError(Box::new(DeclaredReadOnly))
}

/// Whether the write was refused because the database is declared to take none.
pub(super) fn is_declared_read_only(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::AnyDriverError(error) if error.is::<DeclaredReadOnly>())
}

/// What a write by itself ends with where nobody knows whether it was executed.
#[derive(Debug, thiserror::Error)]
#[error("nobody knows whether it was executed: {0}")]
struct UndeterminedWrite(sqlx::Error);

/// A write by itself that got no answer.
pub(super) fn undetermined(error: sqlx::Error) -> sqlx::Error {
    sqlx::Error::AnyDriverError(Box::new(UndeterminedWrite(error)))
}

/// Whether nobody knows whether a write by itself was executed.
pub(super) fn is_undetermined(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::AnyDriverError(error) if error.is::<UndeterminedWrite>())
}

/// Whether a statement by itself met a transaction that has failed, which is none of its own.
pub(super) fn is_aborted(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.code().as_deref() == Some("25P02"))
}

/// Whether PostgreSQL refused to write.
pub(super) fn is_read_only(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.code().as_deref() == Some("25006"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_about_the_statement_others_or_the_database() {
        let of = |code: &str| StatementFault::of_sqlstate(code, None);
        for code in ["23505", "23503", "42P01", "42601", "22P02", "21000", "25P02", "0A000", "42501", "XX000", ""] {
            assert_eq!(of(code), StatementFault::Statement, "{code}");
        }
        for code in ["40001", "40P01", "55P03", "57014"] {
            assert_eq!(of(code), StatementFault::Contention, "{code}");
        }
        let state = [
            "25006", "25P03", "26000", "28000", "28P01", "3D000", "42P05", "53100", "53200", "53300", "55000", "57P01",
            "57P02", "57P03", "57P04", "57P05", "58000", "58030",
        ];
        for code in state {
            assert_eq!(of(code), StatementFault::NotExecuted, "{code}");
        }
        for code in ["08000", "08003", "08006", "08P01"] {
            assert_eq!(of(code), StatementFault::Unanswered, "{code}");
        }
        assert_eq!(StatementFault::of_sqlstate("0A000", Some("RevalidateCachedQuery")), StatementFault::NotExecuted);
    }

    #[test]
    fn what_did_not_go_out_was_not_executed() {
        let of = |kind: io::ErrorKind| StatementFault::of(&sqlx::Error::Io(kind.into()));
        assert_eq!(of(io::ErrorKind::BrokenPipe), StatementFault::NotExecuted);
        for kind in [io::ErrorKind::ConnectionReset, io::ErrorKind::UnexpectedEof, io::ErrorKind::TimedOut] {
            assert_eq!(of(kind), StatementFault::Unanswered, "{kind}");
        }
        assert_eq!(StatementFault::of(&sqlx::Error::RowNotFound), StatementFault::Statement);
    }

    #[test]
    fn a_connection_that_could_not_be_made_blames_no_statement() {
        // Whatever the code: no right to connect is 42501, which is a statement's fault elsewhere.
        let error = unreachable(sqlx::Error::Configuration("no right to connect".into()));
        assert_eq!((StatementFault::of(&error), is_unreachable(&error)), (StatementFault::NotExecuted, true));
        assert!(error.to_string().contains("no right to connect"), "{error}");
    }
}

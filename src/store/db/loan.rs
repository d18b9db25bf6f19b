//! Connections on loan, and transactions.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use deadpool::managed::Object;
use sqlx::postgres::PgTransactionManager;
use sqlx::{Connection as _, PgConnection};
use sqlx_core::transaction::TransactionManager;
use tokio::time::timeout;

use super::connector::Connector;
use crate::store::fault::{self, StatementFault};
use crate::store::{Error, Result, is_read_only};

/// How long giving a connection back may take before it is thrown away.
const RETURN: Duration = Duration::from_secs(2);

/// A connection on loan. One that may still have an answer on the way is asked whether it lives before anybody else gets
/// it; and giving it back has an end too, for that question may be never answered.
pub struct Connection {
    session: Option<Object<Connector>>,
    state: LoanState,
}

/// What becomes of a connection that is given back now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LoanState {
    /// All that was asked of it was answered: the next one may have it.
    Quiet,
    /// An answer may be on the way: it is asked whether it lives first.
    Used,
    /// A transaction is being begun, and nobody knows whether it is: it is nobody's any more.
    Beginning,
}

impl Connection {
    pub(super) fn new(session: Object<Connector>) -> Self {
        Self { session: Some(session), state: LoanState::Quiet }
    }

    /// Not to be used by anybody again.
    pub fn discard(mut self) {
        self.close();
    }

    fn close(&mut self) {
        if let Some(session) = self.session.take() {
            drop(Object::take(session));
        }
    }

    /// All that was asked of it was answered.
    pub(super) fn is_quiet(&mut self) {
        self.state = LoanState::Quiet;
    }

    /// A transaction is begun on it. Where that is cut short, a rollback would come before the beginning.
    pub(super) fn is_beginning(&mut self) -> &mut PgConnection {
        self.state = LoanState::Beginning;
        &mut self.session.as_mut().expect(ON_LOAN).connection
    }

    /// The transaction is begun.
    pub(super) fn has_begun(&mut self) {
        self.state = LoanState::Used;
    }
}

const ON_LOAN: &str = "the connection is there until it is given back";

impl Deref for Connection {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.session.as_ref().expect(ON_LOAN).connection
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut PgConnection {
        if self.state == LoanState::Quiet {
            self.state = LoanState::Used;
        }
        &mut self.session.as_mut().expect(ON_LOAN).connection
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Connection")
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let Some(mut session) = self.session.take() else { return };
        let runtime = tokio::runtime::Handle::try_current();
        match (self.state, runtime) {
            (LoanState::Quiet, _) => session.free_since = Instant::now(),
            (LoanState::Used, Ok(runtime)) => {
                runtime.spawn(async move {
                    if let Ok(Ok(())) = timeout(RETURN, session.connection.ping()).await {
                        session.free_since = Instant::now();
                    } else {
                        drop(Object::take(session));
                    }
                });
            }
            (LoanState::Used | LoanState::Beginning, _) => drop(Object::take(session)),
        }
    }
}

/// A transaction, rolled back unless it is committed.
#[derive(Debug)]
pub struct Transaction {
    connection: Connection,
    deadline: Duration,
    open: bool,
}

impl Transaction {
    /// The transaction that was begun on this connection.
    pub(super) fn begun(connection: Connection, deadline: Duration) -> Self {
        Self { connection, deadline, open: true }
    }

    /// Makes everything true that was done in it.
    ///
    /// # Errors
    /// [`Error::Unknown`] where the database did not say whether it did.
    pub async fn commit(mut self) -> Result<()> {
        let committed = timeout(self.deadline, PgTransactionManager::commit(&mut self.connection)).await;
        let error = match committed.unwrap_or_else(|_| Err(fault::silence())) {
            Ok(()) => {
                self.connection.is_quiet();
                self.open = false;
                return Ok(());
            }
            Err(error) => error,
        };
        if StatementFault::of(&error).ends_connection() {
            self.connection.close();
            self.open = false;
            return Err(Error::Unknown(error));
        }
        Err(error.into())
    }
}

impl Deref for Transaction {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        let Some(session) = self.connection.session.take() else { return };
        let mut connection = Connection { session: Some(session), state: LoanState::Beginning };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        // Until the rollback is answered, it is nobody's.
        PgTransactionManager::start_rollback(connection.is_beginning());
        // Who rolls back may have been refused by a server that takes no writes any more; a fresh connection finds the one
        // that does.
        runtime.spawn(async move {
            match timeout(RETURN, is_read_only(connection.is_beginning())).await {
                Ok(Ok(false)) => connection.is_quiet(),
                Ok(Ok(true) | Err(_)) | Err(_) => connection.discard(),
            }
        });
    }
}

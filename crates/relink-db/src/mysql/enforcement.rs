//! Foreign keys out of force. InnoDB checks row by row and defers nothing; what it has is `foreign_key_checks`, which is
//! the session's, not the transaction's, and which validates nothing when it comes back.

use super::MySqlDatabase;
use crate::{DbError, DbErrorKind};

impl MySqlDatabase {
    /// The answer to a request to defer.
    pub(super) fn cannot_defer() -> DbError {
        DbError::new(DbErrorKind::Unsupported, "MySQL and MariaDB cannot defer a foreign key")
    }

    /// Switches foreign keys off for the session.
    pub(super) async fn suspend_foreign_keys(&mut self) -> Result<(), DbError> {
        self.session.run("SET foreign_key_checks = 0").await?;
        self.suspended = true;
        Ok(())
    }

    /// Switches them on again, if they were switched off. Ends of transactions do this too, as the server does not.
    pub(super) async fn resume_foreign_keys(&mut self) -> Result<(), DbError> {
        if self.suspended {
            self.session.run("SET foreign_key_checks = 1").await?;
            self.suspended = false;
        }
        Ok(())
    }
}

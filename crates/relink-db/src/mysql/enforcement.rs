//! Foreign keys out of force. InnoDB checks row by row and defers nothing; what it has is `foreign_key_checks`, which is
//! the session's, not the transaction's, and which validates nothing when it comes back.

use relink_model::Relation;

use super::MySqlDatabase;
use crate::{DbError, DbErrorKind};

impl MySqlDatabase {
    /// The answer to a request to defer.
    pub(super) fn cannot_defer() -> DbError {
        DbError::new(DbErrorKind::Unsupported, "MySQL and MariaDB cannot defer a foreign key")
    }

    /// The answer to a request to disable triggers: where there are some, nobody can.
    pub(super) fn refuse_triggers(relations: &[&Relation]) -> Result<(), DbError> {
        let Some(relation) = relations.iter().find(|relation| !relation.triggers.is_empty()) else { return Ok(()) };
        let message = format!("MySQL and MariaDB cannot disable triggers, and {} has some", relation.name);
        let mut error = DbError::new(DbErrorKind::Unsupported, message);
        error.relation = Some(relation.name.to_string());
        Err(error)
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

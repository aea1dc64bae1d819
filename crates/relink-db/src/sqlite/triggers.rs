//! Triggers that stand back for a transaction: SQLite cannot disable one, so they are dropped, and created again from the very text that
//! the schema holds.

use relink_model::{Relation, Value};
use sqlx::{AssertSqlSafe, SqliteConnection, sqlite::SqliteArguments};

use super::{dialect::quote, error::statement_error, read};
use crate::DbError;

/// What a transaction dropped.
#[derive(Debug, Default)]
pub(super) struct Silenced {
    triggers: Vec<String>,
    /// Savepoints with what was dropped at each, which going back to one brings back.
    savepoints: Vec<(String, Vec<String>)>,
}

impl Silenced {
    /// Drops the triggers of these relations.
    pub(super) async fn drop_triggers(
        &mut self,
        connection: &mut SqliteConnection,
        relations: &[&Relation],
    ) -> Result<(), DbError> {
        for relation in relations {
            // In the order of their creation, in which they are created again: triggers of one event fire in an order that follows from it.
            let sql = "SELECT name, sql FROM main.sqlite_schema WHERE type = 'trigger' AND lower(tbl_name) = lower(?) ORDER BY rowid";
            let name = [Value::Text(relation.name.name.clone())];
            for row in read::query(connection, sql, read::arguments(name.iter())?).await? {
                let [Value::Text(name), Value::Text(sql)] = row.as_slice() else { continue };
                run(connection, &format!("DROP TRIGGER main.{}", quote(name))).await?;
                self.triggers.push(sql.clone());
            }
        }
        Ok(())
    }

    /// Creates them again.
    pub(super) async fn create_triggers(&mut self, connection: &mut SqliteConnection) -> Result<(), DbError> {
        for sql in &self.triggers {
            run(connection, sql).await?;
        }
        self.triggers.clear();
        Ok(())
    }

    /// A savepoint was set.
    pub(super) fn savepoint(&mut self, name: &str) {
        self.savepoints.push((name.to_owned(), self.triggers.clone()));
    }

    /// The transaction went back to a savepoint, which stays.
    pub(super) fn rolled_back_to(&mut self, name: &str) {
        if let Some(index) = self.savepoints.iter().rposition(|(set, _)| set == name) {
            self.savepoints.truncate(index + 1);
            self.triggers.clone_from(&self.savepoints[index].1);
        }
    }

    /// A savepoint was forgotten, and with it those after it.
    pub(super) fn released(&mut self, name: &str) {
        if let Some(index) = self.savepoints.iter().rposition(|(set, _)| set == name) {
            self.savepoints.truncate(index);
        }
    }
}

async fn run(connection: &mut SqliteConnection, sql: &str) -> Result<(), DbError> {
    // Not as a script: what stands in the schema is one statement, semicolons and all.
    let query = sqlx::query_with(AssertSqlSafe(sql), SqliteArguments::default()).persistent(false);
    query.execute(connection).await.map(drop).map_err(statement_error)
}

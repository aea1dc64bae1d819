//! Deferred foreign keys: those declared INITIALLY DEFERRED, and all of them after `PRAGMA defer_foreign_keys`.
//!
//! SQLite only counts the violations of deferred keys and looks at the count at COMMIT; it neither names the rows nor can it be asked
//! without committing. So the violations are counted per key before (when the transaction begins, or when deferral does), and again
//! when the constraints shall fire: what was broken before stays nobody's fault, what is new is an error that names rows. Only then is
//! the pragma switched off, which clears SQLite's own count; after a violation it stays on, so that a COMMIT would still fail.
//!
//! Keys cannot be suspended: `PRAGMA foreign_keys` does nothing inside a transaction.

use std::collections::BTreeMap;

use relink_model::Value;
use sqlx::SqliteConnection;

use super::{
    error::statement_error,
    read::{self, query_plain},
};
use crate::{DbError, DbErrorKind, ResultRow};

/// Rows that a violation names at most.
const ROWS_NAMED_MAX: usize = 5;

/// Violations per relation and key (numbered as in `pragma_foreign_key_list`).
type Violations = BTreeMap<(String, i64), i64>;

/// Which tables are looked at, as a condition on their stored SQL: a key is declared deferred only where the word stands. (It may
/// stand there for another reason; then a table is looked at in vain.)
#[derive(Clone, Copy)]
enum Scope {
    All,
    DeclaredDeferred,
    Others,
}

impl Scope {
    fn condition(self) -> &'static str {
        match self {
            Self::All => "m.type = 'table' AND m.sql LIKE '%REFERENCES%'",
            Self::DeclaredDeferred => "m.type = 'table' AND m.sql LIKE '%REFERENCES%' AND m.sql LIKE '%DEFERRED%'",
            Self::Others => "m.type = 'table' AND m.sql LIKE '%REFERENCES%' AND m.sql NOT LIKE '%DEFERRED%'",
        }
    }
}

/// What a transaction knows of violations that are older than it, or than its deferral.
#[derive(Debug)]
pub(super) struct Deferral {
    /// Before the transaction, in tables with keys that are declared deferred.
    declared: Violations,
    /// Before `defer`, in all other tables; `None` while the pragma is off.
    others: Option<Violations>,
}

impl Deferral {
    /// At the beginning of a transaction.
    pub(super) async fn begin(connection: &mut SqliteConnection) -> Result<Self, DbError> {
        Ok(Self { declared: violations(connection, Scope::DeclaredDeferred).await?, others: None })
    }

    /// Defers every foreign key until [`Self::check`].
    pub(super) async fn defer(&mut self, connection: &mut SqliteConnection) -> Result<(), DbError> {
        if self.others.is_none() {
            self.others = Some(violations(connection, Scope::Others).await?);
            pragma(connection, "PRAGMA defer_foreign_keys = ON").await?;
        }
        Ok(())
    }

    /// Fails if a deferred key has more violations than before; ends deferral otherwise.
    pub(super) async fn check(&mut self, connection: &mut SqliteConnection) -> Result<(), DbError> {
        let scope = if self.others.is_some() { Scope::All } else { Scope::DeclaredDeferred };
        let others = self.others.iter().flatten();
        let before: BTreeMap<_, _> = self.declared.iter().chain(others).collect();
        for (key, rows) in &violations(connection, scope).await? {
            let old = before.get(key).copied().copied().unwrap_or(0);
            if *rows > old {
                return Err(violation(connection, &key.0, key.1, rows - old).await?);
            }
        }
        if self.others.take().is_some() {
            pragma(connection, "PRAGMA defer_foreign_keys = OFF").await?;
        }
        Ok(())
    }
}

/// The error for that foreign keys cannot be suspended.
pub(super) fn cannot_suspend() -> DbError {
    DbError::new(DbErrorKind::Unsupported, "SQLite cannot switch foreign keys off inside a transaction")
}

async fn pragma(connection: &mut SqliteConnection, sql: &'static str) -> Result<(), DbError> {
    sqlx::raw_sql(sql).execute(connection).await.map(|_| ()).map_err(statement_error)
}

async fn violations(connection: &mut SqliteConnection, scope: Scope) -> Result<Violations, DbError> {
    let condition = scope.condition();
    let together = format!(
        "SELECT c.\"table\", c.fkid, count(*) FROM sqlite_schema AS m JOIN pragma_foreign_key_check(m.name) AS c \
         WHERE {condition} GROUP BY 1, 2"
    );
    if let Ok(rows) = query_plain(connection, &together).await {
        return Ok(counted(rows));
    }
    // One key whose referenced columns are not unique ("foreign key mismatch") ends the whole check. Table by table it
    // costs its own table only, and SQLite refuses every write to that one anyway.
    let tables = format!("SELECT m.name FROM sqlite_schema AS m WHERE {condition}");
    let mut found = Violations::new();
    for table in query_plain(connection, &tables).await? {
        let one = "SELECT \"table\", fkid, count(*) FROM pragma_foreign_key_check(?) GROUP BY 1, 2";
        if let Ok(rows) = read::query(connection, one, read::arguments(table.iter())?).await {
            found.extend(counted(rows));
        }
    }
    Ok(found)
}

fn counted(rows: Vec<ResultRow>) -> Violations {
    let entry = |row: ResultRow| match row.as_slice() {
        [Value::Text(table), Value::Int(key), Value::Int(rows)] => Some(((table.clone(), *key), *rows)),
        _ => None,
    };
    rows.into_iter().filter_map(entry).collect()
}

/// The error for new violations of one key.
async fn violation(connection: &mut SqliteConnection, relation: &str, key: i64, rows: i64) -> Result<DbError, DbError> {
    let parameters = [Value::Text(relation.to_owned()), Value::Int(key)];
    let definition = "SELECT \"from\", \"table\" FROM pragma_foreign_key_list(?) WHERE id = ? ORDER BY seq";
    let definition = read::query(connection, definition, read::arguments(parameters.iter())?).await?;
    let columns: Vec<String> = definition.iter().map(|row| row[0].to_string()).collect();
    let referenced = definition.first().map(|row| row[1].to_string()).unwrap_or_default();
    let named = format!("SELECT rowid FROM pragma_foreign_key_check(?) WHERE fkid = ? LIMIT {ROWS_NAMED_MAX}");
    let named = read::query(connection, &named, read::arguments(parameters.iter())?).await?;
    // A WITHOUT ROWID table has no row ids to name.
    let row_ids: Vec<String> = named.iter().filter(|row| !row[0].is_null()).map(|row| row[0].to_string()).collect();
    let columns_shown = columns.join(", ");
    let mut error = DbError::new(
        DbErrorKind::ForeignKeyViolation,
        format!("{rows} new rows of {relation} whose ({columns_shown}) has no row in {referenced}"),
    );
    error.relation = Some(relation.to_owned());
    error.column = Some(columns_shown).filter(|_| columns.len() == 1);
    error.detail = (!row_ids.is_empty()).then(|| format!("row ids without a target: {}", row_ids.join(", ")));
    Ok(error)
}

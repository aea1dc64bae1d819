//! The counter of AUTOINCREMENT tables, which lives in `sqlite_sequence`. A rowid alias without AUTOINCREMENT has none: it
//! takes the highest row id plus one.
//!
//! Inserts move the counter by themselves and a rollback restores it, so a rehearsal differs in nothing.

use relink_model::{Relation, Value};
use sqlx::SqliteConnection;

use super::{
    ddl,
    dialect::quote,
    read::{self, query_one},
};
use crate::{DbError, NumberingState};

/// The counter as it stands.
pub(super) async fn state(connection: &mut SqliteConnection, relation: &Relation) -> Result<NumberingState, DbError> {
    match counters(connection, relation).await? {
        // SQLite itself takes the higher of the two.
        Some(counters) => Ok(NumberingState { next: Some(counters.stored.max(counters.highest).saturating_add(1)) }),
        None => Ok(NumberingState { next: None }),
    }
}

/// Puts the counter past the highest value, where it is not: rows whose counter was deleted, or loaded while the table had none.
pub(super) async fn advance(connection: &mut SqliteConnection, relation: &Relation) -> Result<NumberingState, DbError> {
    if let Some(counters) = counters(connection, relation).await?
        && counters.highest > counters.stored
    {
        let name = Value::Text(relation.name.name.clone());
        // The table has no key on the name, so there is no upsert.
        for (sql, parameters) in [
            ("DELETE FROM sqlite_sequence WHERE name = ?", vec![name.clone()]),
            ("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", vec![name, Value::Int(counters.highest)]),
        ] {
            read::query(connection, sql, read::arguments(parameters.iter())?).await?;
        }
    }
    state(connection, relation).await
}

struct Counters {
    /// In `sqlite_sequence`.
    stored: i64,
    /// In the column.
    highest: i64,
}

/// Both counters of an AUTOINCREMENT table; `None` for any other.
async fn counters(connection: &mut SqliteConnection, relation: &Relation) -> Result<Option<Counters>, DbError> {
    let Some(column) = relation.numbered_column() else { return Ok(None) };
    let name = [Value::Text(relation.name.name.clone())];
    let sql = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ? COLLATE NOCASE";
    let Some(Value::Text(create)) = query_one(connection, sql, &name).await? else { return Ok(None) };
    if !ddl::table(&create).autoincrement {
        return Ok(None);
    }
    let number = |value| match value {
        Some(Value::Int(number)) => number,
        _ => 0,
    };
    // The stored value is text or NULL only if somebody wrote it by hand.
    let stored = query_one(connection, "SELECT max(seq) FROM sqlite_sequence WHERE name = ?", &name).await?;
    let highest = format!("SELECT max({}) FROM {}", quote(&column.name), quote(&relation.name.name));
    let highest = query_one(connection, &highest, &[]).await?;
    Ok(Some(Counters { stored: number(stored), highest: number(highest) }))
}

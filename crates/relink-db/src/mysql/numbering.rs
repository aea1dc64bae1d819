//! `AUTO_INCREMENT` counters.
//!
//! InnoDB moves a counter itself when an explicit value is inserted, and a rollback does not move it back. `ALTER TABLE
//! ... AUTO_INCREMENT` can, but commits the open transaction: it is used outside of one only.

use relink_model::{Relation, TypeKind, Value};

use super::MySqlDatabase;
use crate::{DbError, DbErrorKind, Dialect, NumberingState};

impl MySqlDatabase {
    /// What the counter hands out next, as far as 64 bits with sign can say.
    pub(super) async fn counter(&mut self, relation: &Relation) -> Result<NumberingState, DbError> {
        let next = self.counter_wide(relation).await?;
        Ok(NumberingState { next: next.map(|next| i64::try_from(next).unwrap_or(i64::MAX)) })
    }

    /// Checks that the counter stands past the highest value. Nothing needs moving, and within a transaction nothing could be.
    pub(super) async fn counter_past_highest(&mut self, relation: &Relation) -> Result<NumberingState, DbError> {
        let Some(column) = relation.numbered_column() else { return Ok(NumberingState { next: None }) };
        let next = self.counter_wide(relation).await?;
        let sql = format!(
            "SELECT MAX({}) FROM {}",
            self.dialect.quote(&column.name),
            self.dialect.quote_relation(&relation.name)
        );
        let rows = self.session.query(&sql, &[]).await?;
        let highest = rows.first().and_then(|row| row.first()).and_then(whole);
        if let (Some(next), Some(highest)) = (next, highest) {
            // Where the type ends, the counter ends too.
            if next <= highest && highest < type_max(&column.data_type.kind) {
                let mut error = DbError::new(
                    DbErrorKind::Other,
                    format!("AUTO_INCREMENT of {} is {next}, not past {highest}, its highest value", relation.name),
                );
                error.relation = Some(relation.name.to_string());
                error.column = Some(column.name.clone());
                return Err(error);
            }
        }
        Ok(NumberingState { next: next.map(|next| i64::try_from(next).unwrap_or(i64::MAX)) })
    }

    /// Puts a counter back that rolled-back inserts moved. InnoDB itself never goes below the highest value.
    pub(super) async fn counter_back(&mut self, relation: &Relation, state: &NumberingState) -> Result<(), DbError> {
        let Some(next) = state.next else { return Ok(()) };
        if self.counter(relation).await?.next == Some(next) {
            return Ok(());
        }
        let sql = format!("ALTER TABLE {} AUTO_INCREMENT = {next}", self.dialect.quote_relation(&relation.name));
        self.session.run(&sql).await.map(drop)
    }

    async fn counter_wide(&mut self, relation: &Relation) -> Result<Option<i128>, DbError> {
        let sql = "SELECT AUTO_INCREMENT FROM information_schema.TABLES \
                   WHERE TABLE_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ?";
        let namespace = relation.name.namespace.clone().map_or(Value::Null, Value::Text);
        let rows = self.session.query(sql, &[namespace, Value::Text(relation.name.name.clone())]).await?;
        Ok(rows.first().and_then(|row| row.first()).and_then(whole))
    }
}

fn whole(value: &Value) -> Option<i128> {
    match value {
        Value::Int(number) => Some(i128::from(*number)),
        Value::Bool(truth) => Some(i128::from(*truth)),
        // Unsigned numbers past 63 bits, and what counts in a DOUBLE or DECIMAL column.
        Value::Text(text) => text.parse().ok(),
        Value::Float(number) => Some(*number as i128),
        Value::Null | Value::Bytes(_) => None,
    }
}

fn type_max(kind: &TypeKind) -> i128 {
    match kind {
        TypeKind::Boolean => 127,
        TypeKind::Integer { bits, unsigned } => (1 << (i128::from(*bits) - i128::from(!unsigned))) - 1,
        _ => i128::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_value_of_a_type_is_known() {
        let max = |bits, unsigned| type_max(&TypeKind::Integer { bits, unsigned });
        assert_eq!(max(8, false), 127);
        assert_eq!(max(8, true), 255);
        assert_eq!(max(64, true), i128::from(u64::MAX));
        assert_eq!(max(64, false), i128::from(i64::MAX));
    }
}

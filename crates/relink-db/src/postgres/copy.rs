//! `COPY ... FROM STDIN`, in its text format.
//!
//! A value goes over as what its type's input function reads, which is what the placeholders of an insert cast it with, so that both
//! ways store the same.

use std::fmt::Write as _;

use relink_model::{TypeKind, Value};
use sqlx::{AssertSqlSafe, postgres::PgArguments};

use super::{
    PostgresConnection, bind,
    dialect::{literal, quote},
    error,
};
use crate::{
    DbError, DbErrorKind, Dialect, InsertColumn, InsertTarget,
    statement::{BindClass, hex},
};

/// Bytes sent at a time.
const CHUNK_BYTES: usize = 64 << 10;

impl PostgresConnection {
    /// See [`crate::Connection::insert_bulk`].
    pub(super) async fn copy_rows(&mut self, target: &InsertTarget, rows: &[Vec<Value>]) -> Result<u64, DbError> {
        if target.columns.is_empty() || rows.is_empty() {
            return self.insert_rows(target, rows).await;
        }
        self.refuse_rules(target).await?;
        let columns: Vec<String> = target.columns.iter().map(|column| quote(&column.name)).collect();
        let relation = self.dialect.quote_relation(&target.relation);
        let sql = format!("COPY {relation} ({}) FROM STDIN", columns.join(", "));
        let namespace = self.default_namespace.as_deref();
        let failed = |failure| error::convert(failure, namespace);
        let mut copy = self.connection.copy_in_raw(&sql).await.map_err(failed)?;
        let mut buffer = String::with_capacity(CHUNK_BYTES * 2);
        for row in rows {
            if let Err(unfit) = encode_row(&mut buffer, target, row) {
                // The server answers with an error, as it was asked to, and the error at hand says more than another.
                let _ = copy.abort("a value cannot be sent").await;
                return Err(unfit);
            }
            if buffer.len() >= CHUNK_BYTES {
                copy.send(buffer.as_bytes()).await.map_err(failed)?;
                buffer.clear();
            }
        }
        copy.send(buffer.as_bytes()).await.map_err(failed)?;
        copy.finish().await.map_err(failed)
    }

    /// COPY passes rules by without a word.
    async fn refuse_rules(&mut self, target: &InsertTarget) -> Result<(), DbError> {
        let relation = literal(&self.dialect.quote_relation(&target.relation));
        let sql = format!(
            "SELECT r.rulename::text FROM pg_catalog.pg_rewrite AS r WHERE r.ev_class = pg_catalog.to_regclass({relation}) \
             AND r.ev_type = '3' AND r.ev_enabled <> 'D' LIMIT 1"
        );
        match self.fetch(AssertSqlSafe(sql), PgArguments::default()).await?.first().map(Vec::as_slice) {
            Some([rule]) => {
                let message = format!("COPY into {} would pass by the rule {rule}", target.relation);
                let mut error = DbError::new(DbErrorKind::Unsupported, message);
                error.relation = Some(target.relation.to_string());
                Err(error)
            }
            _ => Ok(()),
        }
    }
}

fn encode_row(buffer: &mut String, target: &InsertTarget, row: &[Value]) -> Result<(), DbError> {
    debug_assert_eq!(row.len(), target.columns.len(), "one value per column");
    for (index, (column, value)) in target.columns.iter().zip(row).enumerate() {
        if index > 0 {
            buffer.push('\t');
        }
        encode(buffer, column, value).map_err(|mut error| {
            error.relation = Some(target.relation.to_string());
            error.column = Some(column.name.clone());
            error
        })?;
    }
    buffer.push('\n');
    Ok(())
}

fn encode(buffer: &mut String, column: &InsertColumn, value: &Value) -> Result<(), DbError> {
    if value.is_null() {
        buffer.push_str("\\N");
        return Ok(());
    }
    match BindClass::of(&column.data_type) {
        BindClass::Boolean => buffer.push(if bind::boolean(value)? { 't' } else { 'f' }),
        BindClass::Integer => write!(buffer, "{}", bind::integer(value)?).expect("a String takes everything"),
        BindClass::Float => {
            let narrow = matches!(column.data_type.kind, TypeKind::Float { bits: 32 });
            buffer.push_str(&float(bind::float(value)?, narrow));
        }
        BindClass::Bytes => {
            buffer.push_str("\\\\x");
            buffer.push_str(&hex(bind::bytes(value)?));
        }
        BindClass::Text | BindClass::Dynamic => escape(buffer, &bind::text(value)?),
    }
    Ok(())
}

/// The shortest digits that read back as the same number. A `real` is read from the digits of the real itself: those of the double next to it may
/// be nearer to another. What a real cannot hold keeps its digits, for the server to refuse.
fn float(number: f64, narrow: bool) -> String {
    let real = number as f32;
    let is_held = real.is_infinite() == number.is_infinite() && (real == 0.0) == (number == 0.0);
    if narrow && is_held { real.to_string() } else { number.to_string() }
}

fn escape(buffer: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '\\' => buffer.push_str("\\\\"),
            '\n' => buffer.push_str("\\n"),
            '\r' => buffer.push_str("\\r"),
            '\t' => buffer.push_str("\\t"),
            other => buffer.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use relink_model::{ColumnType, RelationName};

    use super::*;

    fn line(kind: &TypeKind, value: Value) -> String {
        let data_type = ColumnType { declared: String::new(), kind: kind.clone() };
        let columns = vec![InsertColumn { name: "c".into(), data_type }];
        let target = InsertTarget { relation: RelationName::new("t"), columns, overrides_identity: false };
        let mut buffer = String::new();
        encode_row(&mut buffer, &target, &[value]).expect("it can be sent");
        buffer
    }

    #[test]
    fn what_means_something_to_copy_is_escaped() {
        let text = TypeKind::Text { max_chars: None, max_bytes: None, fixed: false };
        assert_eq!(line(&text, Value::Text("\\N\t\\.\n\r\u{b}".into())), "\\\\N\\t\\\\.\\n\\r\u{b}\n");
        assert_eq!(line(&text, Value::Text(String::new())), "\n");
        assert_eq!(line(&text, Value::Null), "\\N\n");
        assert_eq!(line(&TypeKind::Bytes { max_bytes: None }, Value::Bytes(vec![0, 92])), "\\\\x005c\n");
    }

    #[test]
    fn floats_are_written_such_that_the_same_number_is_read() {
        assert_eq!(float(0.1, false), "0.1");
        assert_eq!(float(-0.0, true), "-0");
        assert_eq!(float(f64::NEG_INFINITY, true), "-inf");
        assert_eq!(float(f64::from(0.1_f32), true), "0.1");
        // Too large, and too small, for a real.
        assert!(float(1e39, true).len() > 38 && float(1e-50, true).ends_with("01"));
        // Halfway between two reals: the even one, as a cast of the double takes it.
        let halfway = f64::from(16_777_216.0_f32) + 1.0;
        assert_eq!(float(halfway, true), "16777216");
    }
}

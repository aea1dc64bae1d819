//! What only the database can tell of a record: whether it meets the condition of `--where`, and whether it is among the rows that a partial unique
//! index is about.

use std::{collections::HashMap, sync::Arc};

use relink_db::{DbErrorKind, ResultRow};
use relink_model::{Relation, RelationId, Value};

use super::Scanner;
use crate::{
    Error,
    decode::{Cell, Row},
    index::IndexId,
    selection::Condition,
    shape::Shape,
    stream::Chunk,
};

const SAVEPOINT: &str = "relink_predicate";

impl Scanner<'_> {
    /// Takes out of a chunk what the selection leaves out, and notes of the others which partial indexes they are not in.
    pub(super) async fn ask_conditions(&mut self, id: RelationId, mut chunk: Chunk) -> Result<Chunk, Error> {
        if let Some(chosen) = self.chosen {
            chunk.retain(|(row, _)| {
                let holds = chosen.holds(id, row.ordinal);
                if !holds {
                    self.decoder.left_out.add(id, row.ordinal);
                }
                holds
            });
        }
        let conditions = self.decoder.selected.conditions(id).to_vec();
        let registry = Arc::clone(&self.registry);
        let partial: Vec<(IndexId, &String)> = registry
            .of_relation(id)
            .iter()
            .filter_map(|index| Some((*index, registry.spec(*index).predicate.as_ref()?)))
            .collect();
        if chunk.is_empty() || conditions.is_empty() && partial.is_empty() {
            return Ok(chunk);
        }
        let mut by_shape: HashMap<*const Shape, Vec<usize>> = HashMap::new();
        for (at, (row, _)) in chunk.iter().enumerate() {
            by_shape.entry(Arc::as_ptr(&row.shape)).or_default().push(at);
        }
        let catalog = Arc::clone(&self.catalog);
        let relation = catalog.relation(id);
        let mut groups: Vec<Vec<usize>> = by_shape.into_values().collect();
        groups.sort_unstable();
        let mut out = vec![false; chunk.len()];
        for group in groups {
            let shape = Arc::clone(&chunk[group[0]].0.shape);
            let columns: Vec<String> =
                shape.columns.iter().map(|column| relation.columns[*column].name.clone()).collect();
            let values = |row: &Row| -> Vec<Value> {
                row.cells.iter().map(|cell| cell.value().cloned().unwrap_or(Value::Null)).collect()
            };
            let rows: Vec<Vec<Value>> = group.iter().map(|at| values(&chunk[*at].0)).collect();
            let selected = self.select(relation, &columns, &rows, &conditions).await?;
            for ((at, selected), unsettled) in group.iter().zip(selected).zip(unsettled(&chunk, &group, relation)) {
                if let Some(condition) = conditions.iter().find(|condition| speaks_of(&condition.sql, &unsettled)) {
                    return Err(Error::Config(vec![condition.mistake(format!(
                        "the export names the row that {} refers to by its natural key: the id is not known yet",
                        unsettled.join(", ")
                    ))]));
                }
                out[*at] = !selected;
                // What refers by natural key refers to something, but to what is not known yet.
                let outside = partial.iter().filter(|(_, predicate)| speaks_of(predicate, &unsettled));
                chunk[*at].0.outside = outside.map(|(index, _)| *index).collect();
            }
            for (index, predicate) in &partial {
                let inside = self.inside(relation, &columns, &rows, predicate).await?;
                for (at, _) in group.iter().zip(inside).filter(|(_, inside)| !inside) {
                    chunk[*at].0.outside.push(*index);
                }
            }
        }
        let mut out = out.into_iter();
        chunk.retain(|(row, _)| {
            let out = out.next().unwrap_or(false);
            if out {
                self.decoder.left_out.add(id, row.ordinal);
            }
            !out
        });
        Ok(chunk)
    }

    /// Whether each row meets all conditions.
    async fn select(
        &mut self,
        relation: &Relation,
        columns: &[String],
        rows: &[Vec<Value>],
        conditions: &[Condition],
    ) -> Result<Vec<bool>, Error> {
        let mut selected = vec![true; rows.len()];
        for condition in conditions {
            let sql = std::slice::from_ref(&condition.sql);
            let answers = self.connection.evaluate(relation, columns, rows, sql).await;
            let answers = answers.map_err(|error| match error.kind {
                DbErrorKind::ConnectionLost | DbErrorKind::Contention => Error::Db(error),
                // The SQL is right, as was asked before; for the values of some record it has no answer.
                _ => Error::Config(vec![condition.mistake(error.message)]),
            })?;
            for (selected, answer) in selected.iter_mut().zip(&answers) {
                *selected &= is_true(answer);
            }
        }
        Ok(selected)
    }

    /// Whether each row is among those that a partial index is about. Where the database cannot tell, the index is left to it.
    async fn inside(
        &mut self,
        relation: &Relation,
        columns: &[String],
        rows: &[Vec<Value>],
        predicate: &str,
    ) -> Result<Vec<bool>, Error> {
        self.connection.savepoint(SAVEPOINT).await?;
        let inside = match self.connection.evaluate(relation, columns, rows, &[predicate.to_owned()]).await {
            Ok(answers) => answers.iter().map(is_true).collect(),
            Err(error) if error.blames_rows() => {
                self.connection.rollback_to(SAVEPOINT).await?;
                vec![false; rows.len()]
            }
            Err(error) => return Err(error.into()),
        };
        self.connection.release(SAVEPOINT).await?;
        Ok(inside)
    }
}

/// The columns of each of these rows whose values are natural keys as yet.
fn unsettled<'c>(chunk: &Chunk, group: &[usize], relation: &'c Relation) -> Vec<Vec<&'c str>> {
    let of_row = |row: &Row| -> Vec<&'c str> {
        let cells = row.shape.columns.iter().zip(&row.cells);
        let natural = cells.filter(|(_, cell)| matches!(cell, Cell::Natural(_)));
        natural.map(|(column, _)| relation.columns[*column].name.as_str()).collect()
    };
    group.iter().map(|at| of_row(&chunk[*at].0)).collect()
}

/// Whether an SQL expression names one of these columns, as far as can be told without parsing it.
fn speaks_of(sql: &str, columns: &[&str]) -> bool {
    let mut words = sql.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'));
    !columns.is_empty() && words.any(|word| columns.iter().any(|column| word.eq_ignore_ascii_case(column)))
}

/// Whether the one value of an answer is true.
fn is_true(answer: &ResultRow) -> bool {
    match answer.first() {
        Some(Value::Bool(answer)) => *answer,
        Some(Value::Int(answer)) => *answer != 0,
        Some(Value::Float(answer)) => *answer != 0.0,
        Some(Value::Text(answer)) => answer == "true" || answer == "t",
        _ => false,
    }
}

//! What only the server can tell: it is asked for the written value in the form in which it would give it back.

use std::collections::{HashMap, HashSet};

use relink_db::{Connection, DbError, DbErrorKind};
use relink_model::{Column, Relation, Value};

use super::{Difference, Expected};
use crate::compare::{self, Verdict};

/// Values that go to the server at once.
const VALUES_MAX: usize = 500;
const SAVEPOINT: &str = "relink_verify";

/// Settles the differences that are unsure: each becomes the same or different.
pub(super) async fn settle(
    connection: &mut dyn Connection,
    relation: &Relation,
    batch: &Expected,
    differences: &mut [Difference],
) -> Result<(), DbError> {
    for (at, column) in batch.columns.iter().enumerate() {
        let column = &relation.columns[*column];
        let mut unsure: Vec<&mut Difference> =
            differences.iter_mut().filter(|found| found.at == at && found.verdict == Verdict::Unsure).collect();
        if unsure.is_empty() {
            continue;
        }
        let written = unsure.iter().map(|found| &batch.rows[found.row].values[at]);
        let forms = forms(connection, relation, column, written).await?;
        for found in &mut unsure {
            let form = forms.get(&text(&batch.rows[found.row].values[at]));
            let same = form.is_some_and(|form| compare::same(column, form, &found.read) == Verdict::Same);
            found.verdict = if same { Verdict::Same } else { Verdict::Different };
        }
    }
    Ok(())
}

/// Each of the values, by its text, in the form in which the server gives it back from this column. Values that it does not take are left out.
pub(super) async fn forms<'a>(
    connection: &mut dyn Connection,
    relation: &Relation,
    column: &Column,
    values: impl Iterator<Item = &'a Value>,
) -> Result<HashMap<String, Value>, DbError> {
    let mut seen = HashSet::new();
    let distinct: Vec<Vec<Value>> =
        values.filter(|value| !value.is_null() && seen.insert(text(value))).map(|value| vec![value.clone()]).collect();
    let (names, read) = ([column.name.clone()], [connection.dialect().read_expression("", column)]);
    let mut forms = HashMap::with_capacity(distinct.len());
    let mut lists: Vec<&[Vec<Value>]> = distinct.chunks(VALUES_MAX).collect();
    while let Some(list) = lists.pop() {
        connection.savepoint(SAVEPOINT).await?;
        match connection.evaluate(relation, &names, list, &read).await {
            Ok(rows) => {
                for (value, form) in list.iter().zip(rows) {
                    forms.extend(form.into_iter().next().map(|form| (text(&value[0]), form)));
                }
            }
            // A trigger may have put another value in the place of one that the server would not have taken.
            Err(error) if is_about_values(error.kind) => {
                connection.rollback_to(SAVEPOINT).await?;
                if list.len() > 1 {
                    let (left, right) = list.split_at(list.len() / 2);
                    lists.extend([left, right]);
                }
            }
            Err(error) => return Err(error),
        }
        connection.release(SAVEPOINT).await?;
    }
    Ok(forms)
}

fn is_about_values(kind: DbErrorKind) -> bool {
    matches!(kind, DbErrorKind::InvalidValue | DbErrorKind::Raised | DbErrorKind::Unsupported | DbErrorKind::Other)
}

/// Tells values apart.
pub(super) fn text(value: &Value) -> String {
    format!("{value:?}")
}

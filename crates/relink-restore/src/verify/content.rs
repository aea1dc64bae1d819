//! Rows of relations without any key: nothing names them but what they hold, so that what was written must be there as often as it was
//! written at least.

use std::collections::{HashMap, HashSet};

use relink_db::{Connection, Lookup, ResultRow};
use relink_model::{Column, Relation, TypeKind, Value};
use relink_records::{Comparison, Key};

use super::{Expected, Verifier, normal};
use crate::{
    Error,
    compare::{self, Verdict},
    findings::Findings,
};

impl Verifier<'_> {
    /// Looks for each row of the batch among the rows of the relation.
    pub(super) async fn read_back_by_content(
        &mut self,
        connection: &mut dyn Connection,
        batch: &Expected,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        let definition = self.catalog.relation(batch.relation);
        // A computed column says nothing that the others do not.
        let positions: Vec<usize> =
            (0..batch.columns.len()).filter(|at| definition.columns[batch.columns[*at]].generated.is_none()).collect();
        let columns: Vec<&Column> = positions.iter().map(|at| &definition.columns[batch.columns[*at]]).collect();
        let mut expected: Vec<Vec<Value>> = batch.rows.iter().map(|row| super::pick(&row.values, &positions)).collect();
        let rows = candidates(connection, definition, &columns, &expected).await?;
        as_the_server_writes(connection, definition, &columns, &mut expected).await?;

        let exact: Vec<usize> = (0..columns.len()).filter(|at| has_one_form(&columns[*at].data_type.kind)).collect();
        let comparisons: Vec<Comparison> = exact.iter().map(|at| Comparison::of(columns[*at])).collect();
        let key_of = |values: &[Value]| Key::with_nulls(exact.iter().map(|at| &values[*at]).zip(&comparisons));
        let mut there: HashMap<Key, Vec<ResultRow>> = HashMap::new();
        for row in rows {
            there.entry(key_of(&row)).or_default().push(row);
        }
        for (row, expected) in expected.iter().enumerate() {
            let equal = |found: &ResultRow| {
                let mut pairs = columns.iter().zip(expected.iter().zip(found));
                pairs.all(|(column, (written, read))| compare::same(column, written, read) == Verdict::Same)
            };
            let rows = there.get_mut(&key_of(expected));
            let taken = rows.and_then(|rows| Some(rows.swap_remove(rows.iter().position(equal)?)));
            if taken.is_none() {
                self.missing(batch, row, findings)?;
                continue;
            }
            let compared = self.compared(batch.relation);
            compared.rows += 1;
            compared.values += columns.len() as u64;
        }
        Ok(())
    }
}

/// Rows of the relation that may be those of the batch, with the values of these columns in this order: one pass over the relation, where it
/// has no index.
async fn candidates(
    connection: &mut dyn Connection,
    relation: &Relation,
    columns: &[&Column],
    expected: &[Vec<Value>],
) -> Result<Vec<ResultRow>, Error> {
    let mut matched: Vec<usize> = (0..columns.len()).filter(|at| has_equality(&columns[*at].data_type.kind)).collect();
    // A list of single values is far cheaper than one of tuples; where one column tells most rows apart, it will do.
    let distinct = |at: usize| expected.iter().map(|row| format!("{:?}", row[at])).collect::<HashSet<_>>().len();
    match matched.iter().map(|at| (distinct(*at), *at)).max() {
        None => {
            let dialect = connection.dialect();
            let list: Vec<String> = columns.iter().map(|column| dialect.read_expression("t", column)).collect();
            let sql = format!("SELECT {} FROM {} AS t", list.join(", "), dialect.own_rows(relation));
            return Ok(connection.query(&sql, &[]).await?);
        }
        Some((distinct, at)) if distinct * 2 > expected.len() => matched = vec![at],
        Some(_) => {}
    }
    let selected: Vec<usize> = (0..columns.len()).filter(|at| !matched.contains(at)).collect();
    let names = |positions: &[usize]| positions.iter().map(|at| columns[*at].name.clone()).collect::<Vec<_>>();
    let comparisons: Vec<Comparison> = matched.iter().map(|at| Comparison::of(columns[*at])).collect();
    let mut seen = HashSet::new();
    let keys = expected.iter().map(|row| super::pick(row, &matched));
    let keys: Vec<Vec<Value>> = keys.filter(|key| seen.insert(Key::with_nulls(key.iter().zip(&comparisons)))).collect();
    let (match_columns, select) = (names(&matched), names(&selected));
    let lookup = Lookup::new(relation, &match_columns, &select);
    let mut rows = connection.lookup(&lookup, &keys).await?;
    let order: Vec<usize> = matched.into_iter().chain(selected).collect();
    for row in &mut rows {
        let mut ordered = vec![Value::Null; columns.len()];
        for (at, value) in order.iter().zip(row.drain(..)) {
            ordered[*at] = value;
        }
        *row = ordered;
    }
    Ok(rows)
}

/// Brings the values that only the server reads into the form in which it gives them back.
async fn as_the_server_writes(
    connection: &mut dyn Connection,
    relation: &Relation,
    columns: &[&Column],
    rows: &mut [Vec<Value>],
) -> Result<(), Error> {
    for (at, column) in columns.iter().enumerate() {
        if matches!(column.data_type.kind, TypeKind::Other | TypeKind::Interval | TypeKind::Array { .. }) {
            let forms = normal::forms(connection, relation, column, rows.iter().map(|row| &row[at])).await?;
            for row in rows.iter_mut() {
                if let Some(form) = forms.get(&normal::text(&row[at])) {
                    row[at] = form.clone();
                }
            }
        }
    }
    Ok(())
}

/// Types that every database compares, and whose equal values look the same.
fn has_equality(kind: &TypeKind) -> bool {
    has_one_form(kind) || matches!(kind, TypeKind::Date | TypeKind::Timestamp { .. })
}

/// Types whose equal values have one form, as far as [`Comparison`] tells.
fn has_one_form(kind: &TypeKind) -> bool {
    matches!(
        kind,
        TypeKind::Boolean
            | TypeKind::Integer { .. }
            | TypeKind::Decimal { .. }
            | TypeKind::Text { .. }
            | TypeKind::Uuid
            | TypeKind::Enum { .. }
    )
}

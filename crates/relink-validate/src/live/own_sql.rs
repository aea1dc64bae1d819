//! The user's own SQL.

use relink_db::{Connection, DbError, DbErrorKind};
use relink_model::{Column, ColumnType, TypeKind, Value};

use super::run::{Found, count, gone};
use super::texts::exact;
use crate::plan::{Check, test::Test};
use crate::report::Sample;

/// The user's own query. It is asked as a part of another one, so that it can be nothing but a query: what ends the transaction, or writes, is an error. It
/// runs in the same transaction, which can only read.
pub(crate) async fn run(
    connection: &mut dyn Connection,
    check: &Check,
    sql: &str,
    samples_max: usize,
) -> Result<Found, DbError> {
    let Test::Sql(test) = &check.test else { return Err(gone(check)) };
    let mistake = |message: String| DbError::new(DbErrorKind::Other, message);
    // A line break ends a comment at the end.
    let from = format!("FROM ({}\n) AS relink_query", sql.trim().trim_end_matches(';'));
    let names = connection.result_columns(&format!("SELECT * {from}")).await?;
    if let Some(twice) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
        let name = twice.1;
        return Err(mistake(format!("two columns of the query are called {name}: give them names of their own (AS)")));
    }
    // Whatever the query answers is read as text where it has no native form.
    let data_type = ColumnType { declared: String::new(), kind: TypeKind::Other };
    let read = |name: &String| {
        let column = Column { name: name.clone(), data_type: data_type.clone(), ..Column::default() };
        connection.dialect().read_expression("relink_query", &column)
    };
    let read: Vec<String> = names.iter().map(read).collect();
    let select = format!("SELECT {} {from}", read.join(", "));
    if let Some(expected) = &test.value {
        let rows = connection.query(&format!("{select} LIMIT 2"), &[]).await?;
        let found = match rows.as_slice() {
            [row] if row.len() == 1 => row[0].to_string(),
            _ => return Err(mistake("the query does not answer one value".to_owned())),
        };
        let number = |text: &str| relink_rules::decimal::parse(text);
        let same = found == *expected || number(&found).is_some() && number(&found) == number(expected);
        let mut outcome = Found { total: Some(1), ..Found::default() };
        if !same {
            (outcome.failed, outcome.failed_distinct) = (1, 1);
            outcome.problems.insert(format!("the answer is {found}"), 1);
        }
        return Ok(outcome);
    }
    let failed = count(connection, &format!("SELECT COUNT(*) {from}"), &[]).await?;
    let mut found = Found { failed, failed_distinct: failed, total: Some(failed), ..Found::default() };
    if failed > 0 && samples_max > 0 {
        let rows = connection.query(&format!("{select} LIMIT {samples_max}"), &[]).await?;
        let one = |row: &Vec<Value>| Sample {
            key: names.iter().cloned().zip(row.iter().map(exact)).collect(),
            ..Sample::default()
        };
        found.samples = rows.iter().map(one).collect();
    }
    Ok(found)
}

//! Expressions over rows that are in no relation. They stand in a temporary table for as long as it takes: only a table's columns
//! have affinity and collation, and turn values into what the relation would hold.

use relink_model::{Column, Relation, Value};
use sqlx::{AssertSqlSafe, SqliteConnection, sqlite::SqliteArguments};

use super::{
    dialect::{SqliteDialect, quote},
    error::statement_error,
    lookup::repeated,
    read,
    types::{Affinity, affinity},
    write,
};
use crate::{
    DbError, Dialect as _, ResultRow,
    statement::{columns, enclosed, free_name, one_for_each, rows_per_statement},
};

const TABLE: &str = "temp.relink_evaluation";

/// Rows of one statement at most.
const ROWS_MAX: usize = 8_192;

/// See [`crate::Connection::evaluate`].
pub(super) async fn evaluate(
    connection: &mut SqliteConnection,
    dialect: &SqliteDialect,
    relation: &Relation,
    given: &[String],
    rows: &[Vec<Value>],
    expressions: &[String],
) -> Result<Vec<ResultRow>, DbError> {
    let given = columns(relation, given)?;
    if expressions.is_empty() || rows.is_empty() {
        return Ok(vec![Vec::new(); rows.len()]);
    }
    // A connection that only reads may write nothing, not even what is its own and gone with it.
    let query_only = read::query_one(connection, "PRAGMA query_only", &[]).await? == Some(Value::Int(1));
    if query_only {
        run(connection, "PRAGMA query_only = OFF").await?;
    }
    let evaluated = through_table(connection, dialect, relation, &given, rows, expressions).await;
    let dropped = run(connection, &format!("DROP TABLE IF EXISTS {TABLE}")).await;
    if query_only {
        run(connection, "PRAGMA query_only = ON").await?;
    }
    let evaluated = evaluated?;
    dropped?;
    one_for_each(evaluated, rows.len())
}

async fn through_table(
    connection: &mut SqliteConnection,
    dialect: &SqliteDialect,
    relation: &Relation,
    given: &[&Column],
    rows: &[Vec<Value>],
    expressions: &[String],
) -> Result<Vec<ResultRow>, DbError> {
    let place = quote(&free_name(relation, "place"));
    let definitions: Vec<String> = relation.columns.iter().map(|column| definition(relation, column)).collect();
    run(connection, &format!("CREATE TABLE {TABLE} ({place} INTEGER PRIMARY KEY, {})", definitions.join(", "))).await?;
    let names = given.iter().map(|column| quote(&column.name));
    let names: Vec<String> = [place.clone()].into_iter().chain(names).collect();
    let row = format!("({})", repeated("?", given.len() + 1));
    let chunk_rows = rows_per_statement(given.len() + 1, dialect.capabilities().parameters_max, ROWS_MAX);
    for (chunk, rows) in rows.chunks(chunk_rows).enumerate() {
        let mut arguments = SqliteArguments::default();
        for (index, row) in rows.iter().enumerate() {
            read::add(&mut arguments, &Value::Int((chunk * chunk_rows + index) as i64))?;
            for value in row {
                read::add(&mut arguments, value)?;
            }
        }
        let sql = format!("INSERT INTO {TABLE} ({}) VALUES {}", names.join(", "), repeated(&row, rows.len()));
        write::run_once(connection, &sql, arguments).await?;
    }
    let read: Vec<String> = expressions.iter().map(|expression| enclosed(expression)).collect();
    let alias = quote(&relation.name.name);
    let sql = format!("SELECT {} FROM {TABLE} AS {alias} ORDER BY {alias}.{place}", read.join(", "));
    read::query(connection, &sql, SqliteArguments::default()).await
}

/// A column of the same affinity and collation, without anything that would refuse a value.
fn definition(relation: &Relation, column: &Column) -> String {
    let declared = &column.data_type.declared;
    let data_type = match affinity(declared) {
        _ if relation.strict && declared.eq_ignore_ascii_case("any") => "",
        Affinity::Integer => " INTEGER",
        Affinity::Text => " TEXT",
        Affinity::Blob => "",
        Affinity::Real => " REAL",
        Affinity::Numeric => " NUMERIC",
    };
    let collation = column.collation.as_ref().map(|name| format!(" COLLATE {}", quote(name))).unwrap_or_default();
    format!("{}{data_type}{collation}", quote(&column.name))
}

async fn run(connection: &mut SqliteConnection, sql: &str) -> Result<(), DbError> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop).map_err(statement_error)
}

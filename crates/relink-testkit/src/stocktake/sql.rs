//! Writes rows as `INSERT` statements, in the literals of each database. For small data: large data goes through
//! the databases' own bulk paths (see `csv`).

use std::fmt::Write as _;
use std::io::{self, Write};

use super::Stocktake;
use super::cell::{Cell, push_cents, push_date, push_hex, push_timestamp, push_uuid};
use super::schema::Table;

/// Rows of one statement at most.
const STATEMENT_ROWS_MAX: usize = 100;

/// The databases that the application runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
    /// MariaDB and MySQL.
    Mysql,
}

impl Database {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Sqlite, Self::Postgres, Self::Mysql];

    /// As in file names: `sqlite`, `postgres`, `mysql`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
        }
    }

    /// The application's schema, `testdata/stocktake/schema/<name>.sql`.
    pub fn schema(self) -> &'static str {
        match self {
            Self::Sqlite => include_str!("../../../../testdata/stocktake/schema/sqlite.sql"),
            Self::Postgres => include_str!("../../../../testdata/stocktake/schema/postgres.sql"),
            Self::Mysql => include_str!("../../../../testdata/stocktake/schema/mysql.sql"),
        }
    }

    /// An identifier, quoted. The application's names hold no quotes.
    pub(super) fn quote(self, identifier: &str) -> String {
        match self {
            Self::Mysql => format!("`{identifier}`"),
            Self::Sqlite | Self::Postgres => format!("\"{identifier}\""),
        }
    }

    /// Appends a value as a literal.
    pub(super) fn push_literal(self, out: &mut String, cell: &Cell) {
        match cell {
            Cell::Null => out.push_str("NULL"),
            Cell::Bool(value) => out.push_str(match (self, value) {
                (Self::Postgres, true) => "true",
                (Self::Postgres, false) => "false",
                (_, true) => "1",
                (_, false) => "0",
            }),
            Cell::Int(value) => out.push_str(&value.to_string()),
            Cell::Float(value) => write!(out, "{value:?}").expect("a String takes every write"),
            Cell::Text(text) => self.push_text(out, text),
            Cell::Json(value) => self.push_text(out, &value.to_string()),
            Cell::Bytes(bytes) => {
                out.push_str(if self == Self::Postgres { "'\\x" } else { "x'" });
                push_hex(out, bytes);
                out.push('\'');
            }
            Cell::Cents(cents) => push_cents(out, *cents),
            Cell::Date(days) => quoted(out, |out| push_date(out, *days)),
            Cell::Timestamp(micros) => quoted(out, |out| {
                push_timestamp(out, *micros, ' ');
                if self == Self::Postgres {
                    out.push_str("+00");
                }
            }),
            Cell::Uuid(uuid) => quoted(out, |out| push_uuid(out, *uuid)),
        }
    }

    fn push_text(self, out: &mut String, text: &str) {
        out.push('\'');
        for character in text.chars() {
            match character {
                '\'' => out.push_str("''"),
                // MariaDB reads backslash escapes in its default SQL mode.
                '\\' if self == Self::Mysql => out.push_str("\\\\"),
                other => out.push(other),
            }
        }
        out.push('\'');
    }
}

fn quoted(out: &mut String, push: impl FnOnce(&mut String)) {
    out.push('\'');
    push(out);
    out.push('\'');
}

/// Writes every row as `INSERT` statements, tables in [`Table::ALL`]'s order. Rows of a table come in the order of
/// their ids, so the server must accept a child before its parent within the transaction.
pub fn write_rows(stocktake: &Stocktake, database: Database, out: &mut impl Write) -> io::Result<()> {
    for table in Table::ALL {
        let columns: Vec<&str> = table.spec().columns.iter().map(|column| column.name).collect();
        let mut rows = Vec::new();
        stocktake.for_each(table, |row| {
            rows.push(row.to_vec());
            if rows.len() == STATEMENT_ROWS_MAX {
                write_insert(out, database, table, &columns, &rows)?;
                rows.clear();
            }
            Ok::<_, io::Error>(())
        })?;
        if !rows.is_empty() {
            write_insert(out, database, table, &columns, &rows)?;
        }
    }
    Ok(())
}

/// Writes one multi-row `INSERT`.
pub(super) fn write_insert(
    out: &mut impl Write,
    database: Database,
    table: Table,
    columns: &[&str],
    rows: &[Vec<Cell>],
) -> io::Result<()> {
    let columns: Vec<String> = columns.iter().map(|column| database.quote(column)).collect();
    let mut statement = format!("INSERT INTO {} ({}) VALUES", database.quote(table.spec().name), columns.join(", "));
    for (nth, row) in rows.iter().enumerate() {
        statement.push_str(if nth == 0 { "\n    (" } else { ",\n    (" });
        for (nth, cell) in row.iter().enumerate() {
            if nth > 0 {
                statement.push_str(", ");
            }
            database.push_literal(&mut statement, cell);
        }
        statement.push(')');
    }
    statement.push_str(";\n");
    out.write_all(statement.as_bytes())
}

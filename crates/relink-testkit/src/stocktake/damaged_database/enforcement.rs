//! How each database is made to look away while the damage is planted, and to look as if nothing had been afterwards.

use std::fmt::Write as _;

use super::rows::planted;
use super::{BROKEN_CHECKS, BROKEN_NOT_NULL, BROKEN_UNIQUE, UNVALIDATED, check_name, unique_name};
use crate::stocktake::schema::Table;

fn quoted_columns(columns: &[&str]) -> String {
    columns.iter().map(|column| format!("\"{column}\"")).collect::<Vec<_>>().join(", ")
}

/// `CREATE INDEX "name" ON "table" ("columns")`
fn create_index(kind: &str, table: Table, columns: &[&str]) -> String {
    let (name, table) = (unique_name(table, columns), table.spec().name);
    format!("CREATE {kind} \"{name}\" ON \"{table}\" ({})", quoted_columns(columns))
}

/// Rewrites the stored definition of a table or index, and has SQLite read it again.
fn rewrite_sqlite_schema(script: &mut String, name: &str, old: &str, new: &str) {
    writeln!(
        script,
        "PRAGMA writable_schema = ON;\nUPDATE sqlite_schema SET sql = replace(sql, '{old}', '{new}') WHERE name = '{name}';\n\
         PRAGMA writable_schema = RESET;"
    )
    .expect("a String takes every write");
}

pub(super) fn before_sqlite(script: &mut String) {
    script.push_str("PRAGMA foreign_keys = OFF;\nPRAGMA ignore_check_constraints = ON;\n");
    for (table, columns, _) in BROKEN_UNIQUE {
        let name = unique_name(table, columns);
        writeln!(script, "DROP INDEX \"{name}\";\n{};", create_index("INDEX", table, columns))
            .expect("a String takes every write");
    }
    let (table, column) = BROKEN_NOT_NULL;
    let (strict, lax) = (format!("\"{column}\" varchar(254) NOT NULL"), format!("\"{column}\" varchar(254) NULL"));
    rewrite_sqlite_schema(script, table.spec().name, &strict, &lax);
}

pub(super) fn after_sqlite(script: &mut String) {
    for (table, columns, _) in BROKEN_UNIQUE {
        rewrite_sqlite_schema(script, &unique_name(table, columns), "CREATE INDEX", "CREATE UNIQUE INDEX");
    }
    let (table, column) = BROKEN_NOT_NULL;
    let (strict, lax) = (format!("\"{column}\" varchar(254) NOT NULL"), format!("\"{column}\" varchar(254) NULL"));
    rewrite_sqlite_schema(script, table.spec().name, &lax, &strict);
    script.push_str("PRAGMA ignore_check_constraints = OFF;\n");
}

pub(super) fn before_postgres(script: &mut String) {
    script.push_str("SET client_encoding = 'UTF8';\nSET session_replication_role = replica;\n");
    let mut drop = |table: Table, constraint: &str| {
        writeln!(script, "ALTER TABLE \"{}\" DROP CONSTRAINT \"{constraint}\";", table.spec().name)
            .expect("a String takes every write");
    };
    for (table, columns, _) in BROKEN_UNIQUE {
        drop(table, &unique_name(table, columns));
    }
    for (table, column, _) in BROKEN_CHECKS {
        drop(table, &check_name(table, column));
    }
    let (table, column, _) = UNVALIDATED;
    drop(table, &format!("{}_{column}_fk", table.spec().name));
    let (table, column) = BROKEN_NOT_NULL;
    writeln!(script, "ALTER TABLE \"{}\" ALTER COLUMN \"{column}\" DROP NOT NULL;", table.spec().name)
        .expect("a String takes every write");
}

pub(super) fn after_postgres(script: &mut String) {
    let mut line = |text: String| {
        script.push_str(&text);
        script.push('\n');
    };
    for (table, columns, distrusted) in BROKEN_UNIQUE {
        let name = unique_name(table, columns);
        line(format!("{};", create_index("INDEX", table, columns)));
        // Invalid is what a failed CREATE UNIQUE INDEX CONCURRENTLY leaves; valid and wrong is what a changed collation
        // makes.
        let valid = if distrusted { ", indisvalid = false" } else { "" };
        line(format!("UPDATE pg_index SET indisunique = true{valid} WHERE indexrelid = '\"{name}\"'::regclass;"));
    }
    for (table, column, expression) in BROKEN_CHECKS {
        let (table, name) = (table.spec().name, check_name(table, column));
        line(format!("ALTER TABLE \"{table}\" ADD CONSTRAINT \"{name}\" CHECK ({expression}) NOT VALID;"));
    }
    let (table, column, referenced) = UNVALIDATED;
    let table = table.spec().name;
    line(format!(
        "ALTER TABLE \"{table}\" ADD CONSTRAINT \"{table}_{column}_fk\"\n    \
         FOREIGN KEY (\"{column}\") REFERENCES \"{referenced}\" (\"id\") NOT VALID;"
    ));
    let (table, column) = BROKEN_NOT_NULL;
    line(format!(
        "UPDATE pg_attribute SET attnotnull = true WHERE attrelid = '\"{}\"'::regclass AND attname = '{column}';",
        table.spec().name
    ));
    let mut tables: Vec<&str> = planted().iter().map(|row| row.table.spec().name).collect();
    tables.sort_unstable();
    tables.dedup();
    for table in tables {
        line(format!("SELECT setval(pg_get_serial_sequence('\"{table}\"', 'id'), max(id)) FROM \"{table}\";"));
    }
    line("RESET session_replication_role;".to_owned());
}

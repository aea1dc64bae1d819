//! Writes the rows as one CSV file per table, with a script for each database that loads them through its own bulk
//! path: PostgreSQL `\copy`, MariaDB `LOAD DATA LOCAL INFILE`, the SQLite shell's `.import`. The scripts name the files
//! without a directory: run them where the files are. They load into an empty schema with every constraint in place, in
//! one transaction.
//!
//! One file serves all three: booleans are 0 and 1, timestamps are UTC without saying so, bytes are `\x` and
//! hexadecimal digits, NULL is an empty field without quotes (an empty text has them).

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::Stocktake;
use super::cell::{Cell, push_cents, push_date, push_hex, push_timestamp, push_uuid};
use super::schema::{Column, Table};
use super::sql::Database;

/// The photos for SQLite, whose `.import` knows no bytes.
const PHOTOS: &str = "stocktake_item.photo.sql";

/// Writes `<table>.csv` for each table, and `load.<database>.sql` for each database.
pub fn write(stocktake: &Stocktake, directory: &Path) -> io::Result<()> {
    for table in Table::ALL {
        let name = format!("{}.csv", table.spec().name);
        let mut out = BufWriter::with_capacity(1 << 20, File::create(directory.join(name))?);
        write_table(stocktake, table, &mut out)?;
        out.flush()?;
    }
    let mut photos = BufWriter::new(File::create(directory.join(PHOTOS))?);
    write_photos(stocktake, &mut photos)?;
    photos.flush()?;
    for database in Database::ALL {
        let script = match database {
            Database::Sqlite => sqlite_script(),
            Database::Postgres => postgres_script(),
            Database::Mysql => mysql_script(),
        };
        std::fs::write(directory.join(format!("load.{}.sql", database.name())), script)?;
    }
    Ok(())
}

fn write_table(stocktake: &Stocktake, table: Table, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}", column_names(table).join(","))?;
    let mut line = String::new();
    let mut write_row = |row: &[Cell]| {
        line.clear();
        for (nth, cell) in row.iter().enumerate() {
            if nth > 0 {
                line.push(',');
            }
            push_field(&mut line, cell);
        }
        line.push('\n');
        out.write_all(line.as_bytes())
    };
    if table == Table::Category {
        // InnoDB checks each row as it comes, so parents go first here.
        return stocktake.categories_parents_first().try_for_each(|id| write_row(&stocktake.category_row(id)));
    }
    stocktake.for_each(table, write_row)
}

fn write_photos(stocktake: &Stocktake, out: &mut impl Write) -> io::Result<()> {
    let mut statement = String::new();
    stocktake.for_each(Table::Item, |row| {
        let photo = row.iter().find(|cell| matches!(cell, Cell::Bytes(_)));
        if let (Some(photo), Cell::Int(id)) = (photo, &row[0]) {
            statement.clear();
            Database::Sqlite.push_literal(&mut statement, photo);
            writeln!(out, "UPDATE stocktake_item SET photo = {statement} WHERE id = {id};")?;
        }
        Ok(())
    })
}

fn push_field(line: &mut String, cell: &Cell) {
    match cell {
        Cell::Null => {}
        Cell::Bool(value) => line.push(if *value { '1' } else { '0' }),
        Cell::Int(value) => line.push_str(&value.to_string()),
        Cell::Float(value) => write!(line, "{value:?}").expect("a String takes every write"),
        Cell::Cents(cents) => push_cents(line, *cents),
        Cell::Text(text) => push_text(line, text),
        Cell::Json(value) => push_text(line, &value.to_string()),
        Cell::Date(days) => push_date(line, *days),
        Cell::Timestamp(micros) => push_timestamp(line, *micros, ' '),
        Cell::Uuid(uuid) => push_uuid(line, *uuid),
        Cell::Bytes(bytes) => {
            line.push_str("\\x");
            push_hex(line, bytes);
        }
    }
}

fn push_text(line: &mut String, text: &str) {
    if !text.is_empty() && !text.contains([',', '"', '\n', '\r', '\\']) {
        line.push_str(text);
        return;
    }
    line.push('"');
    line.push_str(&text.replace('"', "\"\""));
    line.push('"');
}

fn column_names(table: Table) -> Vec<&'static str> {
    table.spec().columns.iter().map(|column| column.name).collect()
}

fn postgres_script() -> String {
    let mut script = String::from("-- psql -v ON_ERROR_STOP=1 -d DATABASE -f load.postgres.sql\n");
    script.push_str("SET client_encoding = 'UTF8';\nSET TimeZone = 'UTC';\nBEGIN;\n");
    for table in Table::ALL {
        let name = table.spec().name;
        writeln!(
            script,
            "\\copy {name} ({}) FROM '{name}.csv' WITH (FORMAT csv, HEADER)",
            column_names(table).join(", ")
        )
        .expect("a String takes every write");
    }
    for table in Table::ALL {
        let name = table.spec().name;
        writeln!(script, "SELECT setval(pg_get_serial_sequence('{name}', 'id'), max(id)) FROM {name};")
            .expect("a String takes every write");
    }
    script.push_str("COMMIT;\n");
    script
}

fn mysql_script() -> String {
    let mut script =
        String::from("-- mariadb --local-infile=1 DATABASE < load.mysql.sql\nSET NAMES utf8mb4;\nSTART TRANSACTION;\n");
    for table in Table::ALL {
        // A document comes before its versions, and InnoDB defers nothing: its current version follows below.
        let later = if table == Table::Document { "current_version_id" } else { "" };
        script.push_str(&load_data(table.spec().name, table, table.spec().name, |column| column.name != later));
    }
    script
        .push_str("CREATE TEMPORARY TABLE current_version (id bigint PRIMARY KEY, current_version_id bigint NULL);\n");
    script.push_str(&load_data("current_version", Table::Document, "stocktake_document", |column| {
        matches!(column.name, "id" | "current_version_id")
    }));
    script.push_str(
        "UPDATE stocktake_document JOIN current_version USING (id)\n    \
         SET stocktake_document.current_version_id = current_version.current_version_id;\nCOMMIT;\n",
    );
    script
}

/// `LOAD DATA` of a table's file into `target`, into those of its columns that `wanted` takes.
fn load_data(target: &str, table: Table, file: &str, wanted: impl Fn(&Column) -> bool) -> String {
    let mut fields = Vec::new();
    let mut assignments = Vec::new();
    for column in table.spec().columns {
        let name = column.name;
        if !wanted(column) {
            fields.push("@skipped".to_owned());
        } else if column.nullable {
            fields.push(format!("@{name}"));
            assignments.push(match name {
                "photo" => "photo = IF(@photo = '', NULL, UNHEX(SUBSTR(@photo, 3)))".to_owned(),
                _ => format!("{name} = NULLIF(@{name}, '')"),
            });
        } else {
            fields.push(name.to_owned());
        }
    }
    let assignments =
        if assignments.is_empty() { String::new() } else { format!("\n    SET {}", assignments.join(", ")) };
    format!(
        "LOAD DATA LOCAL INFILE '{file}.csv' INTO TABLE {target} CHARACTER SET utf8mb4\n    \
         FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"' ESCAPED BY '' LINES TERMINATED BY '\\n' IGNORE 1 LINES\n    \
         ({}){assignments};\n",
        fields.join(", ")
    )
}

fn sqlite_script() -> String {
    let mut script = String::from(
        "-- sqlite3 DATABASE < load.sqlite.sql\nPRAGMA foreign_keys = OFF;\nPRAGMA cache_size = -262144;\nBEGIN;\n",
    );
    for table in Table::ALL {
        let name = table.spec().name;
        // Empty barcodes would collide, and empty JSON would break its CHECK, before they could become NULL.
        if matches!(table, Table::Item | Table::AuditEntry) {
            script.push_str(&import_by_way_of_a_temporary_table(table));
            continue;
        }
        writeln!(script, ".import --csv --skip 1 {name}.csv {name}").expect("a String takes every write");
        // `.import` knows no NULL.
        for column in table.spec().columns.iter().filter(|column| column.nullable) {
            writeln!(script, "UPDATE {name} SET {column} = NULL WHERE {column} = '';", column = column.name)
                .expect("a String takes every write");
        }
    }
    script.push_str("COMMIT;\n");
    script
}

fn import_by_way_of_a_temporary_table(table: Table) -> String {
    let (name, columns) = (table.spec().name, table.spec().columns);
    let selected: Vec<String> = columns
        .iter()
        .map(|column| match column.name {
            "photo" => "NULL".to_owned(),
            name if column.nullable => format!("nullif({name}, '')"),
            name => name.to_owned(),
        })
        .collect();
    let photos = if table == Table::Item { format!(".read {PHOTOS}\n") } else { String::new() };
    format!(
        "CREATE TEMP TABLE imported ({names});\n.import --csv --skip 1 --schema temp {name}.csv imported\n\
         INSERT INTO {name} ({names})\n    SELECT {}\n    FROM imported;\nDROP TABLE temp.imported;\n{photos}",
        selected.join(", "),
        names = column_names(table).join(", "),
    )
}

//! The committed files of `testdata/stocktake`: which there are, and how each is made.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Serialize;

use super::sql::{self, Database};
use super::{SEED, Stocktake, damaged_database, damaged_export, django, tables};

/// Records of the committed clean files.
pub const RECORDS: u64 = 2000;

/// The clean Django dump.
pub const DJANGO: &str = "clean.django.json";

/// Its indentation, as `dumpdata --indent 1` lays it out.
pub const DJANGO_INDENT: usize = 1;

/// The clean table map.
pub const TABLES: &str = "clean.tables.json";

/// Its indentation, as `JSON.stringify(backup, null, 1)` lays it out.
pub const TABLES_INDENT: usize = 1;

/// A Django dump with damage.
pub const DIRTY_DJANGO: &str = "dirty.django.json";

/// What must be found in it.
pub const DIRTY_DJANGO_EXPECTED: &str = "dirty.django.expected.json";

/// A small SQLite database with damage.
pub const DIRTY_DATABASE: &str = "dirty.db";

/// What must be found in a database with damage.
pub const DIRTY_DATABASE_EXPECTED: &str = "dirty.expected.json";

/// Clean records of [`DIRTY_DATABASE`].
const DIRTY_DATABASE_RECORDS: u64 = 500;

/// Makes the text files, by name.
pub fn text_files(stocktake: &Stocktake) -> io::Result<Vec<(&'static str, Vec<u8>)>> {
    let mut django_dump = Vec::new();
    let options = django::Options { natural_foreign: true, indent: DJANGO_INDENT };
    django::write(stocktake, &mut django_dump, options)?;
    let mut table_map = Vec::new();
    tables::write(stocktake, &mut table_map, TABLES_INDENT)?;
    let mut dirty_dump = Vec::new();
    let dirty_findings = damaged_export::write(&mut dirty_dump)?;
    Ok(vec![
        (DJANGO, django_dump),
        (TABLES, table_map),
        (DIRTY_DJANGO, dirty_dump),
        (DIRTY_DJANGO_EXPECTED, pretty(&dirty_findings)?),
        ("dirty.sqlite.sql", damaged_database::script(Database::Sqlite).into_bytes()),
        ("dirty.postgres.sql", damaged_database::script(Database::Postgres).into_bytes()),
        ("dirty.mysql.sql", damaged_database::script(Database::Mysql).into_bytes()),
        (DIRTY_DATABASE_EXPECTED, pretty(&damaged_database::expected())?),
    ])
}

/// JSON for people and for diffs.
fn pretty(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The statements that make [`DIRTY_DATABASE`], for the `sqlite3` program: small pages, the schema, clean rows, the
/// damage.
pub fn dirty_database_script() -> io::Result<Vec<u8>> {
    let clean = Stocktake::new(SEED, DIRTY_DATABASE_RECORDS);
    // Newer shells protect the stored schema by default, which the damage rewrites.
    let mut script = b".dbconfig defensive off\nPRAGMA page_size = 1024;\nBEGIN;\n".to_vec();
    script.extend_from_slice(Database::Sqlite.schema().as_bytes());
    sql::write_rows(&clean, Database::Sqlite, &mut script)?;
    script.extend_from_slice(b"COMMIT;\n");
    script.extend_from_slice(damaged_database::script(Database::Sqlite).as_bytes());
    Ok(script)
}

/// Makes [`DIRTY_DATABASE`] at `path` with the `sqlite3` program; `false` where that is not installed.
///
/// # Errors
/// Where the program refuses a statement.
pub fn write_dirty_database(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let started = Command::new("sqlite3").arg("-bail").arg(path).stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
    let mut shell = match started {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        started => started?,
    };
    let mut stdin = shell.stdin.take().expect("its standard input was piped");
    stdin.write_all(&dirty_database_script()?)?;
    drop(stdin);
    let status = shell.wait()?;
    if status.success() { Ok(true) } else { Err(io::Error::other(format!("sqlite3 failed: {status}"))) }
}

/// Writes every generated file into `directory`; returns the names of those that could not be made here.
pub fn write(stocktake: &Stocktake, directory: &Path) -> io::Result<Vec<&'static str>> {
    for (name, bytes) in text_files(stocktake)? {
        fs::write(directory.join(name), bytes)?;
    }
    let made = write_dirty_database(&directory.join(DIRTY_DATABASE))?;
    Ok(if made { Vec::new() } else { vec![DIRTY_DATABASE] })
}

//! A database's own bulk path: its command line program, loading the generated CSV files with the generated script into the schema
//! with all constraints and indexes in place, in one transaction, in the order of the foreign keys.

use std::{io, path::Path, process::Command};

use percent_encoding::percent_decode_str;
use url::Url;

use crate::measure::feed;

/// The page cache that relink gives SQLite, so that both sides have the same.
const SQLITE_CACHE: &str = "PRAGMA cache_size = -262144";

/// What the bulk path of a dialect is called.
pub fn bulk_name(dialect: &str) -> &'static str {
    match dialect {
        "sqlite" => "sqlite3 .import",
        "postgres" => "psql \\copy",
        _ => "LOAD DATA LOCAL INFILE",
    }
}

/// The program that loads `load.<dialect>.sql` of the directory into the database.
///
/// # Errors
/// Where the URL or the script cannot be read.
pub fn bulk_load(dialect: &str, url: &str, directory: &Path) -> io::Result<Command> {
    let script = directory.join(format!("load.{dialect}.sql"));
    let mut command = match dialect {
        "sqlite" => {
            let mut command = Command::new("sqlite3");
            command.args(["-batch", "-bail", "-init", "/dev/null", "-cmd", SQLITE_CACHE]);
            command.arg(url.trim_start_matches("sqlite:"));
            command
        }
        "postgres" => psql(parsed(url)?),
        _ => mariadb(&parsed(url)?),
    };
    feed(&mut command, &script)?;
    // The scripts name their files without a folder.
    command.current_dir(directory);
    Ok(command)
}

fn parsed(url: &str) -> io::Result<Url> {
    // Without the text itself, which may hold a password.
    Url::parse(url).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, format!("the server's URL: {error}")))
}

fn psql(mut url: Url) -> Command {
    let mut command = Command::new("psql");
    if let Some(password) = url.password() {
        command.env("PGPASSWORD", decoded(password));
        // Only a URL that cannot have a password refuses to lose it.
        let _ = url.set_password(None);
    }
    command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url.as_str(), "-f", "-"]);
    command
}

fn mariadb(url: &Url) -> Command {
    let mut command = Command::new("mariadb");
    command.args(["--no-defaults", "--default-character-set=utf8mb4", "--local-infile=1"]);
    match url.query_pairs().find(|(name, _)| name == "socket") {
        Some((_, socket)) => command.arg(format!("--socket={socket}")),
        None => command.args(["--protocol=tcp", "--host", url.host_str().unwrap_or("127.0.0.1")]),
    };
    if let Some(port) = url.port() {
        command.arg(format!("--port={port}"));
    }
    if !url.username().is_empty() {
        command.arg(format!("--user={}", decoded(url.username())));
    }
    if let Some(password) = url.password() {
        command.env("MYSQL_PWD", decoded(password));
    }
    command.arg(decoded(url.path().trim_start_matches('/')));
    command
}

fn decoded(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into_owned()
}

//! Opening a SQLite file: options, session settings, and the file that this connection itself created.

use std::{
    fs::OpenOptions,
    io::ErrorKind,
    path::{Path, PathBuf},
    time::Duration,
};

use relink_model::{ServerInfo, Value};
use sqlx::{
    ConnectOptions as _, Connection as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteSynchronous},
};

use super::{error::connect_error, read::query_one};
use crate::{Access, DbError, DbErrorKind};

/// How long a statement waits for another connection's lock before it fails as contention.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Page cache in KiB. Random inserts into large indexes fit in it, and SQLite takes the memory as it needs it.
const CACHE_WRITE_KIB: u32 = 256 * 1024;
const CACHE_READ_KIB: u32 = 64 * 1024;

/// An open connection.
pub(super) struct Opened {
    pub(super) connection: SqliteConnection,
    pub(super) server: ServerInfo,
    /// The file, where this connection created it.
    pub(super) created: Option<PathBuf>,
}

/// Opens the file.
pub(super) async fn open(path: &Path, access: Access) -> Result<Opened, DbError> {
    let created = if access == Access::ReadOnly { false } else { make_sure_it_is_writable(path, access)? };
    let opened = establish(path, access).await;
    match opened {
        Ok((connection, server)) => Ok(Opened { connection, server, created: created.then(|| path.to_owned()) }),
        Err(error) => {
            if created {
                remove(path)?;
            }
            Err(error)
        }
    }
}

/// Removes a database file and what SQLite keeps beside it.
pub(super) fn remove(path: &Path) -> Result<(), DbError> {
    for suffix in ["", "-journal", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match std::fs::remove_file(&name) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                let mut failed = DbError::new(
                    DbErrorKind::Other,
                    format!("failed to remove {}: {error}", Path::new(&name).display()),
                );
                failed.source = Some(Box::new(error));
                return Err(failed);
            }
            _ => {}
        }
    }
    Ok(())
}

/// Checks that the file can be written, and creates it where that is asked for; says whether it did. SQLite itself would open an
/// unwritable file for reading without a word, and fail at the first write.
fn make_sure_it_is_writable(path: &Path, access: Access) -> Result<bool, DbError> {
    if is_memory(path) {
        return Ok(false);
    }
    let refused = |error: std::io::Error| {
        let kind = match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem if path.exists() => DbErrorKind::ReadOnly,
            _ => DbErrorKind::Connect,
        };
        let message = match error.kind() {
            ErrorKind::NotFound if access == Access::ReadWrite => format!("{}: no such file", path.display()),
            _ => format!("{}: {error}", path.display()),
        };
        let mut refused = DbError::new(kind, message);
        refused.source = Some(Box::new(error));
        refused
    };
    // `create_new` tells for certain who made the file; an empty file is an empty database to SQLite.
    if access == Access::Create {
        match OpenOptions::new().write(true).create_new(true).open(path) {
            Ok(_) => return Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(refused(error)),
        }
    }
    OpenOptions::new().append(true).open(path).map(|_| false).map_err(refused)
}

async fn establish(path: &Path, access: Access) -> Result<(SqliteConnection, ServerInfo), DbError> {
    let shown = path.display().to_string();
    let cache = if access == Access::ReadOnly { CACHE_READ_KIB } else { CACHE_WRITE_KIB };
    let mut options = SqliteConnectOptions::new()
        .filename(literal_name(path))
        .read_only(access == Access::ReadOnly)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        // The file's own journal mode stays as it is; a commit must survive a power cut in each of them.
        .synchronous(SqliteSynchronous::Full)
        // Negative: KiB. Temporary tables and sorts stay on disk beyond their cache, so that memory is bounded.
        .pragma("cache_size", format!("-{cache}"))
        .statement_cache_capacity(64)
        .row_buffer_size(512)
        .disable_statement_logging();
    if access == Access::ReadOnly {
        options = options.pragma("query_only", "ON");
    }
    let mut connection = options.connect().await.map_err(|error| connect_error(&shown, error))?;
    // Opening reads nothing yet: a file that is no database shows itself at the first query of its schema.
    let version =
        query_one(&mut connection, "SELECT sqlite_version() FROM (SELECT count(*) FROM sqlite_schema)", &[]).await;
    match version {
        Ok(version) => {
            let version = match version {
                Some(Value::Text(version)) => version,
                _ => String::new(),
            };
            Ok((connection, ServerInfo { product: "SQLite".to_owned(), version, database: shown }))
        }
        Err(mut error) => {
            // The error of interest is the one at hand.
            let _ = connection.close().await;
            if error.kind == DbErrorKind::Other {
                error.kind = DbErrorKind::Connect;
            }
            error.message = format!("{shown}: {}", error.message);
            Err(error)
        }
    }
}

fn is_memory(path: &Path) -> bool {
    path.as_os_str() == ":memory:"
}

/// The path such that SQLite takes it for a path: a name that starts with `file:` would be read as a URI.
fn literal_name(path: &Path) -> PathBuf {
    match path.to_str() {
        Some(name) if name.starts_with("file:") => Path::new(".").join(path),
        _ => path.to_owned(),
    }
}

//! Connecting, and the session settings that exactness needs.
//!
//! The database must exist: relink creates tables through a schema script, never a database.

use std::time::Duration;

use relink_model::{ServerInfo, Value};
use sqlx::{ConnectOptions, mysql::MySqlConnectOptions};

use super::{
    MySqlDatabase,
    dialect::{MySqlDialect, Product},
    read,
    session::Session,
};
use crate::{
    Access, DatabaseUrl, DbError, DbErrorKind,
    statement::{SqlBuilder, StatementCache},
};

/// A server that does not answer within this time counts as not reachable.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// The SQL mode: everything that turns a silent change of a value into an error, and `0` as an ordinary number for an
/// `AUTO_INCREMENT` column. `ANSI_QUOTES`, `NO_BACKSLASH_ESCAPES` and `PAD_CHAR_TO_FULL_LENGTH` stay out.
const SQL_MODE: &str = "STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,\
                        NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO";

/// Connects and puts the session in order.
pub(super) async fn connect(url: &DatabaseUrl, access: Access) -> Result<MySqlDatabase, DbError> {
    let options = options(url)?;
    let connecting = tokio::time::timeout(CONNECT_TIMEOUT, Session::connect(&options)).await;
    let mut session = connecting.map_err(|_| {
        let seconds = CONNECT_TIMEOUT.as_secs();
        DbError::new(DbErrorKind::Connect, format!("the server did not answer within {seconds} seconds"))
    })??;

    let facts = "SELECT VERSION(), DATABASE(), @@collation_database, @@max_allowed_packet";
    let facts = session.query(facts, &[]).await?;
    let fact = |index: usize| facts.first().and_then(|row| row.get(index));
    let fact_text = |index: usize| fact(index).and_then(read::text).unwrap_or_default();
    let dialect = MySqlDialect::new(&fact_text(0), fact_text(2));
    let server = ServerInfo {
        product: match dialect.product {
            Product::MySql => "MySQL".to_owned(),
            Product::MariaDb => "MariaDB".to_owned(),
        },
        version: fact_text(0),
        database: fact_text(1),
    };
    let packet_bytes_max = match fact(3) {
        Some(Value::Int(bytes)) => usize::try_from(*bytes).unwrap_or(usize::MAX),
        _ => 1024 * 1024,
    };
    apply_settings(&mut session, &dialect, access).await?;
    Ok(MySqlDatabase {
        session,
        dialect,
        server,
        url: url.clone(),
        access,
        packet_bytes_max,
        statements: StatementCache::new(SqlBuilder::MySql),
        suspended: false,
        routines_before: None,
    })
}

/// Closes the connection.
pub(super) async fn close(database: MySqlDatabase) -> Result<(), DbError> {
    database.session.close().await
}

/// Puts the session's settings in force, at the start and after a script that may have changed them.
pub(super) async fn apply_settings(
    session: &mut Session,
    dialect: &MySqlDialect,
    access: Access,
) -> Result<(), DbError> {
    for sql in settings(dialect, access) {
        session.run(&sql).await?;
    }
    Ok(())
}

fn options(url: &DatabaseUrl) -> Result<MySqlConnectOptions, DbError> {
    let DatabaseUrl::MySql { url } = url else {
        return Err(DbError::new(DbErrorKind::Unsupported, "not a mysql:// or mariadb:// URL"));
    };
    let mut url = url.clone();
    // Neither scheme is special to the URL standard, so one may stand for the other.
    url.set_scheme("mysql").expect("mariadb and mysql are both ordinary schemes");
    // An error here may quote a parameter's value, so it is not passed on.
    let options = MySqlConnectOptions::from_url(&url).map_err(|_| {
        DbError::new(
            DbErrorKind::Connect,
            "a parameter of the database URL (ssl-mode, ...) has a value that is not known",
        )
    })?;
    // An IPv6 address stands in brackets in a URL, and nowhere else.
    let host = options.get_host().trim_matches(['[', ']']).to_owned();
    Ok(options
        .host(&host)
        .charset("utf8mb4")
        .set_names(false)
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .timezone(None))
}

fn settings(dialect: &MySqlDialect, access: Access) -> [String; 2] {
    let mut variables = vec![
        "NAMES utf8mb4".to_owned(),
        format!("sql_mode = '{SQL_MODE}'"),
        "time_zone = '+00:00'".to_owned(),
        "autocommit = 1".to_owned(),
        "completion_type = 0".to_owned(),
        "foreign_key_checks = 1".to_owned(),
        "unique_checks = 1".to_owned(),
        // `id IS NULL` would otherwise find the row inserted last.
        "sql_auto_is_null = 0".to_owned(),
        "sql_safe_updates = 0".to_owned(),
        "sql_big_selects = 1".to_owned(),
        "sql_select_limit = 18446744073709551615".to_owned(),
        // The connection idles while a large export is read and checked.
        "wait_timeout = 28800".to_owned(),
    ];
    match dialect.product {
        Product::MariaDb => {
            variables.push("check_constraint_checks = 1".to_owned());
            if dialect.version >= (10, 4, 0) {
                // A long list is to be compared with the column as a short one is, not joined as a relation of its own.
                variables.push("in_predicate_conversion_threshold = 0".to_owned());
            }
        }
        // MySQL 8 otherwise shows counters and row estimates that are up to a day old.
        Product::MySql if dialect.version >= (8, 0, 0) => {
            variables.push("information_schema_stats_expiry = 0".to_owned());
        }
        Product::MySql => {}
    }
    let mode = if access == Access::ReadOnly { "READ ONLY" } else { "READ WRITE" };
    [
        format!("SET {}", variables.join(", ")),
        format!("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, {mode}"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options_of(url: &str) -> Result<MySqlConnectOptions, DbError> {
        options(&url.parse().expect("a database URL"))
    }

    #[test]
    fn mariadb_urls_and_sockets_are_understood() {
        let options = options_of("mariadb://app:s3cret@db:3307/shop?socket=/run/my.sock").expect("valid options");
        assert_eq!((options.get_host(), options.get_port()), ("db", 3307));
        assert_eq!((options.get_username(), options.get_database()), ("app", Some("shop")));
        assert_eq!(options.get_socket().map(|path| path.display().to_string()).as_deref(), Some("/run/my.sock"));
    }

    #[test]
    fn an_ipv6_host_loses_its_brackets() {
        assert_eq!(options_of("mysql://app@[::1]:3307/shop").expect("valid options").get_host(), "::1");
    }

    #[test]
    fn a_bad_parameter_is_refused_without_showing_the_password() {
        let error = options_of("mysql://app:s3cret@db/shop?ssl-mode=s3cret").expect_err("no such mode");
        assert_eq!(error.kind, DbErrorKind::Connect);
        assert!(!format!("{error} {error:?}").contains("s3cret"));
    }

    #[test]
    fn only_variables_that_the_product_knows_are_set() {
        let maria = settings(&MySqlDialect::new("10.11.19-MariaDB", "utf8mb4_bin"), Access::ReadOnly);
        assert!(maria[0].contains("check_constraint_checks = 1"));
        assert!(maria[1].ends_with("READ ONLY"));
        let mysql = settings(&MySqlDialect::new("8.0.36", "utf8mb4_bin"), Access::ReadWrite);
        assert!(!mysql[0].contains("check_constraint_checks"));
        assert!(mysql[1].ends_with("READ WRITE"));
    }
}

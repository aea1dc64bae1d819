//! Connecting: options from the URL, and the session settings that exactness needs.
//!
//! The driver reads what libpq would also read (`PGPASSWORD`, `~/.pgpass`, ...) where the URL is silent.

use std::time::Duration;

use relink_model::ServerInfo;
use sqlx::{ConnectOptions, Connection as _, PgConnection, Row, postgres::PgConnectOptions};

use super::{PostgresConnection, PostgresDialect, enforcement::EnforcementState, error};
use crate::{
    Access, Connection, DatabaseUrl, DbError, DbErrorKind,
    statement::{SqlBuilder, StatementCache},
};

/// How long a server may take to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Prepared statements that are kept on the server. A multi-row insert holds thousands of parameters, and a restore
/// works on one relation at a time, so few are worth keeping.
const PREPARED_MAX: usize = 64;

/// The oldest server whose catalogs introspection reads (`attgenerated`, `collisdeterministic`).
const VERSION_MIN: i32 = 120_000;

/// In force for the whole session, whatever the role's, the database's or the server's configuration says. Server-side
/// statement logging is none of relink's business and stays as it is.
///
/// `iso_8601` is the interval style that other programs read back (`P1DT2H`); input of every style is understood
/// either way. Warnings are not asked for: nobody reads them, and a COPY whose triggers warn would wait for somebody who does. The one style that is avoided is `sql_standard`, under which the sign of `-1 02:03:04` covers all of it.
const SESSION: &str = "SET TimeZone = 'UTC'; \
    SET DateStyle = 'ISO, YMD'; \
    SET IntervalStyle = 'iso_8601'; \
    SET extra_float_digits = 1; \
    SET bytea_output = 'hex'; \
    SET standard_conforming_strings = on; \
    SET client_encoding = 'UTF8'; \
    SET xmloption = content; \
    SET client_min_messages = error; \
    SET statement_timeout = 0; \
    SET idle_in_transaction_session_timeout = 0";

/// Connects.
pub(crate) async fn connect(url: &DatabaseUrl, access: Access) -> Result<Box<dyn Connection>, DbError> {
    let DatabaseUrl::Postgres { url: parsed } = url else {
        return Err(DbError::new(DbErrorKind::Unsupported, "this is not a PostgreSQL URL"));
    };
    let options = PgConnectOptions::from_url(parsed)
        .map_err(|source| {
            let mut failure = error::convert_connect(source);
            failure.message = format!("the database URL {url} is not understood: {}", failure.message);
            failure
        })?
        .statement_cache_capacity(PREPARED_MAX)
        .disable_statement_logging();
    let options = if options.get_application_name().is_some() { options } else { options.application_name("relink") };
    let mut connection = tokio::time::timeout(CONNECT_TIMEOUT, PgConnection::connect_with(&options))
        .await
        .map_err(|_| {
            let seconds = CONNECT_TIMEOUT.as_secs();
            DbError::new(DbErrorKind::Connect, format!("{url} did not answer within {seconds} seconds"))
        })?
        .map_err(error::convert_connect)?;
    apply_session(&mut connection, access).await?;

    let row = sqlx::query(
        "SELECT pg_catalog.current_setting('server_version_num')::int4, pg_catalog.current_setting('server_version'), \
         pg_catalog.current_database()::text, current_user::text, pg_catalog.current_schema()::text",
    )
    .persistent(false)
    .fetch_one(&mut connection)
    .await
    .map_err(error::convert_connect)?;
    let read = |index| row.try_get::<Option<String>, _>(index).map_err(error::convert_connect);
    let version: i32 = row.try_get(0).map_err(error::convert_connect)?;
    let server = ServerInfo {
        product: "PostgreSQL".to_owned(),
        version: read(1)?.unwrap_or_default(),
        database: read(2)?.unwrap_or_default(),
    };
    if version < VERSION_MIN {
        return Err(DbError::new(
            DbErrorKind::Unsupported,
            format!("PostgreSQL {} is older than 12, the oldest version that relink knows", server.version),
        ));
    }
    Ok(Box::new(PostgresConnection {
        role: read(3)?.unwrap_or_default(),
        default_namespace: read(4)?,
        connection,
        url: url.clone(),
        access,
        dialect: PostgresDialect::new(),
        server,
        version,
        transaction: None,
        statements: StatementCache::new(SqlBuilder::Postgres),
        enforcement: EnforcementState::default(),
        savepoints: Vec::new(),
    }))
}

/// Puts relink's session settings in force.
async fn apply_session(connection: &mut PgConnection, access: Access) -> Result<(), DbError> {
    sqlx::raw_sql(SESSION).execute(&mut *connection).await.map_err(|error| error::convert(error, None))?;
    if access == Access::ReadOnly {
        sqlx::raw_sql("SET default_transaction_read_only = on")
            .execute(connection)
            .await
            .map_err(|error| error::convert(error, None))?;
    }
    Ok(())
}

impl PostgresConnection {
    /// Undoes what a script did to the session: pg_dump's scripts empty the search path, older ones switch
    /// `standard_conforming_strings` off, and both settings outlive the script.
    pub(super) async fn restore_session(&mut self) -> Result<(), DbError> {
        self.run("RESET ALL").await?;
        apply_session(&mut self.connection, self.access).await
    }
}

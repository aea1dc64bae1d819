//! What a driver error means: SQLSTATE to [`DbErrorKind`], with the constraint, table, column and detail that the
//! server names in fields of their own. Message text is passed on and never interpreted.

use relink_model::RelationName;
use sqlx::postgres::PgDatabaseError;

use crate::{DbError, DbErrorKind};

/// Converts a driver error. A relation in `default_namespace` is named without it, as everywhere in relink.
pub(super) fn convert(error: sqlx::Error, default_namespace: Option<&str>) -> DbError {
    let mut converted = match &error {
        sqlx::Error::Database(database) => match database.try_downcast_ref::<PgDatabaseError>() {
            Some(fields) => from_fields(fields, default_namespace),
            None => DbError::new(DbErrorKind::Other, one_line(database.message())),
        },
        sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed | sqlx::Error::Tls(_) => {
            DbError::new(DbErrorKind::ConnectionLost, one_line(&error.to_string()))
        }
        // The driver refuses a value that the protocol cannot carry (1 GB and more).
        sqlx::Error::Encode(_) => DbError::new(DbErrorKind::InvalidValue, one_line(&error.to_string())),
        _ => DbError::new(DbErrorKind::Other, one_line(&error.to_string())),
    };
    converted.source = Some(Box::new(error));
    converted
}

/// Converts an error of the attempt to connect, where a broken connection means that there never was one.
pub(super) fn convert_connect(error: sqlx::Error) -> DbError {
    let mut converted = convert(error, None);
    if converted.kind == DbErrorKind::ConnectionLost || converted.kind == DbErrorKind::Other {
        converted.kind = DbErrorKind::Connect;
    }
    converted
}

fn from_fields(fields: &PgDatabaseError, default_namespace: Option<&str>) -> DbError {
    let detail: Vec<String> = [fields.detail(), fields.hint()].into_iter().flatten().map(one_line).collect();
    DbError {
        kind: kind(fields.code()),
        message: one_line(fields.message()),
        code: Some(fields.code().to_owned()),
        constraint: fields.constraint().map(str::to_owned),
        relation: fields.table().map(|table| match fields.schema() {
            Some(schema) if Some(schema) != default_namespace => RelationName::qualified(schema, table).to_string(),
            _ => table.to_owned(),
        }),
        column: fields.column().map(str::to_owned),
        detail: (!detail.is_empty()).then(|| detail.join("; ")),
        source: None,
    }
}

/// The kind behind a SQLSTATE.
fn kind(code: &str) -> DbErrorKind {
    use DbErrorKind as Kind;
    match code {
        "23505" => Kind::UniqueViolation,
        "23503" | "23001" => Kind::ForeignKeyViolation,
        "23502" => Kind::NotNullViolation,
        "23514" | "44000" => Kind::CheckViolation,
        "23P01" => Kind::ExclusionViolation,
        "25006" => Kind::ReadOnly,
        "42501" => Kind::PermissionDenied,
        // Lock not available; deadlocks and serialization failures are class 40.
        "55P03" => Kind::Contention,
        "3D000" => Kind::Refused,
        // Too many connections; starting up.
        "53300" | "57P03" => Kind::Connect,
        // Shut down by an administrator, by a crash, because the database is gone, by an idle timeout.
        "57P01" | "57P02" | "57P04" | "57P05" => Kind::ConnectionLost,
        // An index row larger than a page allows: the row's value is to blame.
        "54000" => Kind::InvalidValue,
        _ => match code.get(..2) {
            Some("08") => Kind::ConnectionLost,
            Some("0A") => Kind::Unsupported,
            Some("22") => Kind::InvalidValue,
            Some("28") => Kind::Refused,
            Some("40") => Kind::Contention,
            // PL/pgSQL's own errors, and the classes for what triggers and external routines raise.
            Some("P0" | "09" | "38" | "39") => Kind::Raised,
            _ => Kind::Other,
        },
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_come_from_the_sqlstate() {
        for (code, expected) in [
            ("23505", DbErrorKind::UniqueViolation),
            ("23503", DbErrorKind::ForeignKeyViolation),
            ("23502", DbErrorKind::NotNullViolation),
            ("23514", DbErrorKind::CheckViolation),
            ("23P01", DbErrorKind::ExclusionViolation),
            ("22P02", DbErrorKind::InvalidValue),
            ("22001", DbErrorKind::InvalidValue),
            ("25006", DbErrorKind::ReadOnly),
            ("28P01", DbErrorKind::Refused),
            ("3D000", DbErrorKind::Refused),
            ("40001", DbErrorKind::Contention),
            ("40P01", DbErrorKind::Contention),
            ("55P03", DbErrorKind::Contention),
            ("42501", DbErrorKind::PermissionDenied),
            ("57P01", DbErrorKind::ConnectionLost),
            ("08006", DbErrorKind::ConnectionLost),
            ("P0001", DbErrorKind::Raised),
            ("0A000", DbErrorKind::Unsupported),
            ("42P01", DbErrorKind::Other),
        ] {
            assert_eq!(kind(code), expected, "{code}");
        }
    }

    #[test]
    fn messages_stay_on_one_line() {
        assert_eq!(one_line("a\n\tb  c\n"), "a b c");
    }

    #[test]
    fn a_broken_pipe_is_a_lost_connection_and_at_connect_an_unreachable_server() {
        let broken = || sqlx::Error::Io(std::io::ErrorKind::BrokenPipe.into());
        assert_eq!(convert(broken(), None).kind, DbErrorKind::ConnectionLost);
        assert_eq!(convert_connect(broken()).kind, DbErrorKind::Connect);
    }
}

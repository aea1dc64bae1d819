//! SQLite's errors by their extended result codes.
//!
//! Codes decide the kind. Relation and column have no carrier but the message (`UNIQUE constraint failed: t.a, t.b`), so they
//! are read from it where its form leaves no doubt, and left out otherwise.

use sqlx::error::DatabaseError;

use crate::{DbError, DbErrorKind};

/// An error of a statement on an open connection.
pub(super) fn statement_error(error: sqlx::Error) -> DbError {
    if let sqlx::Error::Database(database) = &error {
        let mut mapped = from_database(database.as_ref());
        mapped.source = Some(Box::new(error));
        return mapped;
    }
    let kind = match &error {
        sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed => DbErrorKind::ConnectionLost,
        sqlx::Error::Encode(_) | sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => DbErrorKind::InvalidValue,
        _ => DbErrorKind::Other,
    };
    let mut mapped = DbError::new(kind, one_line(&error.to_string()));
    mapped.source = Some(Box::new(error));
    mapped
}

/// An error while opening: whatever is not said more precisely means that the file could not be opened.
pub(super) fn connect_error(path: &str, error: sqlx::Error) -> DbError {
    let mut mapped = statement_error(error);
    if matches!(mapped.kind, DbErrorKind::Other | DbErrorKind::ConnectionLost) {
        mapped.kind = DbErrorKind::Connect;
    }
    mapped.message = format!("{path}: {}", mapped.message);
    mapped
}

fn from_database(error: &dyn DatabaseError) -> DbError {
    let code = error.code().and_then(|code| code.parse::<u32>().ok()).unwrap_or(0);
    let mut mapped = DbError::new(kind(code), one_line(error.message()));
    mapped.code = Some(code.to_string());
    if let Some((_, named)) = mapped.message.split_once(" constraint failed: ").map(|(a, b)| (a, b.to_owned())) {
        match mapped.kind {
            DbErrorKind::UniqueViolation | DbErrorKind::NotNullViolation => name_columns(&mut mapped, &named),
            // The constraint's name, or its expression where it has none.
            DbErrorKind::CheckViolation => mapped.constraint = Some(named),
            _ => {}
        }
    } else if code == SQLITE_CONSTRAINT_DATATYPE
        && let Some((_, named)) = mapped.message.clone().rsplit_once(" column ")
    {
        name_columns(&mut mapped, named);
    }
    mapped
}

const SQLITE_CONSTRAINT_DATATYPE: u32 = 3091;

/// The kind of an extended result code; its low byte is the primary code.
fn kind(code: u32) -> DbErrorKind {
    match (code & 0xff, code >> 8) {
        (19, 1) => DbErrorKind::CheckViolation,
        (19, 3) => DbErrorKind::ForeignKeyViolation,
        (19, 5) => DbErrorKind::NotNullViolation,
        (19, 6 | 8 | 10) => DbErrorKind::UniqueViolation,
        (19, 7) => DbErrorKind::Raised,
        // A STRICT table's type; text in an INTEGER PRIMARY KEY; a value beyond the length limit.
        (19, 12) | (18 | 20, _) => DbErrorKind::InvalidValue,
        (5 | 6, _) => DbErrorKind::Contention,
        (8, _) => DbErrorKind::ReadOnly,
        (3 | 23, _) => DbErrorKind::PermissionDenied,
        // Cannot open; not a database.
        (14 | 26, _) => DbErrorKind::Connect,
        _ => DbErrorKind::Other,
    }
}

/// Takes relation and column from `t.a, t.b` or `index 'name'`.
fn name_columns(error: &mut DbError, named: &str) {
    if let Some(index) = named.strip_prefix("index '").and_then(|rest| rest.strip_suffix('\'')) {
        error.constraint = Some(index.to_owned());
        return;
    }
    let mut columns = named.split(", ").map(|part| part.split_once('.'));
    // A dot within a name would make the split a guess.
    let Some(Some((relation, column))) =
        columns.next().filter(|_| named.split(", ").all(|p| p.matches('.').count() == 1))
    else {
        return;
    };
    error.relation = Some(relation.to_owned());
    if columns.next().is_none() {
        error.column = Some(column.to_owned());
    }
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_decide_the_kind() {
        for (code, expected) in [
            (2067, DbErrorKind::UniqueViolation),
            (1555, DbErrorKind::UniqueViolation),
            (787, DbErrorKind::ForeignKeyViolation),
            (1299, DbErrorKind::NotNullViolation),
            (275, DbErrorKind::CheckViolation),
            (1811, DbErrorKind::Raised),
            (3091, DbErrorKind::InvalidValue),
            (20, DbErrorKind::InvalidValue),
            (517, DbErrorKind::Contention),
            (1032, DbErrorKind::ReadOnly),
            (14, DbErrorKind::Connect),
            (26, DbErrorKind::Connect),
            (1, DbErrorKind::Other),
        ] {
            assert_eq!(kind(code), expected, "{code}");
        }
    }

    #[test]
    fn names_are_taken_only_where_the_message_leaves_no_doubt() {
        let named = |text: &str| {
            let mut error = DbError::new(DbErrorKind::UniqueViolation, "");
            name_columns(&mut error, text);
            (error.relation, error.column, error.constraint)
        };
        assert_eq!(named("t.a"), (Some("t".into()), Some("a".into()), None));
        assert_eq!(named("t.a, t.b"), (Some("t".into()), None, None));
        assert_eq!(named("a.b.c"), (None, None, None));
        assert_eq!(named("index 'lower_email'"), (None, None, Some("lower_email".into())));
    }
}

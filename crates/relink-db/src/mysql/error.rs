//! Server errors by kind. The kind comes from the error number, then from the SQLSTATE; the message is read only for
//! the names in it (constraint, relation, column), which decorate reports and decide nothing: a server whose
//! messages are in another language gives the same kinds without the names.

use crate::{DbError, DbErrorKind};

/// Whether text that a column's character set cannot hold was compared with it ("Illegal mix of collations", by the number
/// of operands).
pub(super) fn is_illegal_collation_mix(error: &DbError) -> bool {
    matches!(error.code.as_deref(), Some("1267" | "1270" | "1271"))
}

/// Whether an explicit conversion met text that the character set cannot hold, which MariaDB makes an error of statements that write.
/// (Text that is assigned to a column is another error.)
pub(super) fn is_unconvertible_key(error: &DbError) -> bool {
    error.code.as_deref() == Some("1977")
}

/// Turns a driver's error into ours.
pub(super) fn from_sqlx(error: sqlx::Error) -> DbError {
    let lost = |error: sqlx::Error| {
        let mut lost = DbError::new(DbErrorKind::ConnectionLost, one_line(&error.to_string()));
        lost.source = Some(Box::new(error));
        lost
    };
    match error {
        sqlx::Error::Database(error) => match error.try_downcast::<sqlx::mysql::MySqlDatabaseError>() {
            Ok(error) => from_server(*error),
            Err(error) => DbError::new(DbErrorKind::Other, one_line(error.message())),
        },
        error @ (sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed) => lost(error),
        error => {
            let mut other = DbError::new(DbErrorKind::Other, one_line(&error.to_string()));
            other.source = Some(Box::new(error));
            other
        }
    }
}

/// The same while connecting, when an error means that there is no connection.
pub(super) fn from_connecting(error: sqlx::Error) -> DbError {
    let mut error = from_sqlx(error);
    error.kind = match error.kind {
        // "Access denied to database" is a missing privilege later on.
        DbErrorKind::PermissionDenied | DbErrorKind::Refused => DbErrorKind::Refused,
        _ => DbErrorKind::Connect,
    };
    error
}

fn from_server(error: sqlx::mysql::MySqlDatabaseError) -> DbError {
    let number = error.number();
    let names = Names::read(number, error.message());
    DbError {
        kind: kind(number, error.code().unwrap_or_default()),
        message: one_line(error.message()),
        code: Some(number.to_string()),
        constraint: names.constraint,
        relation: names.relation,
        column: names.column,
        detail: None,
        source: Some(Box::new(error)),
    }
}

fn kind(number: u16, sqlstate: &str) -> DbErrorKind {
    match number {
        1045 | 1049 | 1129 | 1130 | 1251 | 1524 | 1698 | 1820 | 1862 | 2059 | 3118 | 3955 | 4151 => {
            DbErrorKind::Refused
        }
        1040 | 1203 => DbErrorKind::Connect,
        1044 | 1141 | 1142 | 1143 | 1227 | 1370 | 1410 | 1419 => DbErrorKind::PermissionDenied,
        1036 | 1223 | 1290 | 1792 | 1836 => DbErrorKind::ReadOnly,
        1053 | 1152 | 1158..=1161 | 1184 | 1927 | 2006 | 2013 | 4031 => DbErrorKind::ConnectionLost,
        1020 | 1205 | 1213 | 3058 | 3572 => DbErrorKind::Contention,
        1022 | 1062 | 1169 | 1586 | 1859 => DbErrorKind::UniqueViolation,
        1216 | 1217 | 1451 | 1452 => DbErrorKind::ForeignKeyViolation,
        1048 | 1263 | 1364 => DbErrorKind::NotNullViolation,
        3819 => DbErrorKind::CheckViolation,
        // MySQL has another error of this number, about tablespaces.
        4025 if sqlstate == "23000" => DbErrorKind::CheckViolation,
        1118
        | 1153
        | 1264
        | 1265
        | 1292
        | 1300
        | 1365..=1367
        | 1406
        | 1411
        | 1416
        | 1441
        | 1525
        | 1690
        | 3037
        | 3140
        | 3141
        | 3143..=3147
        | 3156 => DbErrorKind::InvalidValue,
        1642..=1644 => DbErrorKind::Raised,
        _ => match sqlstate.get(..2) {
            Some("08") => DbErrorKind::ConnectionLost,
            Some("22") => DbErrorKind::InvalidValue,
            Some("28") => DbErrorKind::Refused,
            Some("40") => DbErrorKind::Contention,
            Some("45") => DbErrorKind::Raised,
            _ => DbErrorKind::Other,
        },
    }
}

/// Names that a message holds.
#[derive(Debug, Default, PartialEq)]
struct Names {
    constraint: Option<String>,
    relation: Option<String>,
    column: Option<String>,
}

impl Names {
    fn read(number: u16, message: &str) -> Self {
        match number {
            1022 | 1062 | 1586 => {
                // The entry itself may hold quotes; the key's name is what the last pair holds.
                let key = message.trim_end().strip_suffix('\'').and_then(|rest| rest.rsplit_once('\''));
                match key.map(|(_, key)| key) {
                    // MySQL 8.0.19 and later put the relation in front.
                    Some(key) => match key.split_once('.') {
                        Some((relation, key)) => {
                            Self { constraint: Some(key.to_owned()), relation: Some(relation.to_owned()), column: None }
                        }
                        None => Self { constraint: Some(key.to_owned()), ..Self::default() },
                    },
                    None => Self::default(),
                }
            }
            // (`db`.`referencing`, CONSTRAINT `name` FOREIGN KEY (`column`) REFERENCES ...
            1451 | 1452 => {
                let quoted = |text: &str| backticked(text).into_iter().next();
                let (before, after) = message.split_once("CONSTRAINT").unwrap_or((message, ""));
                let columns = after.split_once("FOREIGN KEY (").and_then(|(_, rest)| rest.split_once(')'));
                let columns = columns.map(|(columns, _)| backticked(columns)).unwrap_or_default();
                Self {
                    constraint: quoted(after),
                    relation: backticked(before).pop(),
                    // Naming one of several columns would blame the wrong one.
                    column: if columns.len() == 1 { columns.into_iter().next() } else { None },
                }
            }
            // CONSTRAINT `name` failed for `db`.`relation`; a column's own check is called `relation.column`.
            4025 => {
                let names = backticked(message);
                Self { constraint: names.first().cloned(), relation: names.get(2).cloned(), column: None }
            }
            3819 => Self { constraint: single_quoted(message), ..Self::default() },
            1048 | 1263 | 1264 | 1265 | 1292 | 1364 | 1366 | 1406 | 1411 => Self::of_column(message),
            _ => Self::default(),
        }
    }

    /// `for column 'x'`, or `` for column `db`.`relation`.`x` `` (MariaDB). The last such words count, as the value
    /// before them may hold the same ones.
    fn of_column(message: &str) -> Self {
        let after = ["column ", "Column ", "Field "].iter().find_map(|word| message.rsplit_once(word));
        let Some((_, after)) = after else { return Self::default() };
        if after.starts_with('`') {
            let mut names = backticked(after);
            Self { column: names.pop(), relation: names.pop(), constraint: None }
        } else {
            Self { column: single_quoted(after), ..Self::default() }
        }
    }
}

fn single_quoted(message: &str) -> Option<String> {
    let (_, rest) = message.split_once('\'')?;
    Some(rest.split_once('\'')?.0.to_owned())
}

/// The identifiers in backticks, unquoted.
fn backticked(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut chars = text.chars().peekable();
    while chars.by_ref().any(|c| c == '`') {
        let mut name = String::new();
        while let Some(c) = chars.next() {
            if c == '`' && chars.next_if_eq(&'`').is_none() {
                break;
            }
            name.push(c);
        }
        names.push(name);
    }
    names
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(constraint: &str, relation: &str, column: &str) -> Names {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Names { constraint: some(constraint), relation: some(relation), column: some(column) }
    }

    #[test]
    fn kinds_come_from_numbers_and_then_from_the_sqlstate() {
        assert_eq!(kind(1062, "23000"), DbErrorKind::UniqueViolation);
        assert_eq!(kind(1452, "23000"), DbErrorKind::ForeignKeyViolation);
        assert_eq!(kind(4025, "23000"), DbErrorKind::CheckViolation);
        assert_eq!(kind(4025, "HY000"), DbErrorKind::Other);
        assert_eq!(kind(1644, "45000"), DbErrorKind::Raised);
        assert_eq!(kind(9999, "45123"), DbErrorKind::Raised);
        assert_eq!(kind(9999, "22003"), DbErrorKind::InvalidValue);
        assert_eq!(kind(1213, "40001"), DbErrorKind::Contention);
        assert_eq!(kind(1146, "42S02"), DbErrorKind::Other);
    }

    #[test]
    fn names_are_read_from_the_message() {
        assert_eq!(Names::read(1062, "Duplicate entry 'it's' for key 'code'"), names("code", "", ""));
        assert_eq!(Names::read(1062, "Duplicate entry '5' for key 'item.PRIMARY'"), names("PRIMARY", "item", ""));
        assert_eq!(
            Names::read(
                1452,
                "Cannot add or update a child row: a foreign key constraint fails (`shop`.`line`, CONSTRAINT `line_fk` \
                 FOREIGN KEY (`item_id`) REFERENCES `item` (`id`))"
            ),
            names("line_fk", "line", "item_id")
        );
        assert_eq!(Names::read(4025, "CONSTRAINT `positive` failed for `shop`.`line`"), names("positive", "line", ""));
        assert_eq!(Names::read(3819, "Check constraint 'positive' is violated."), names("positive", "", ""));
        assert_eq!(Names::read(1048, "Column 'name' cannot be null"), names("", "", "name"));
        assert_eq!(Names::read(1364, "Field 'name' doesn't have a default value"), names("", "", "name"));
        assert_eq!(
            Names::read(1366, "Incorrect integer value: 'column 'x'' for column `shop`.`line`.`qty` at row 1"),
            names("", "line", "qty")
        );
        assert_eq!(Names::read(1292, "Incorrect datetime value: 'a' for column 'at' at row 1"), names("", "", "at"));
        assert_eq!(Names::read(1062, "une clef en double"), Names::default());
    }
}

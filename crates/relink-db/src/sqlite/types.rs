//! Declared types of SQLite columns: what people mean by them, and the affinity that SQLite makes of them.
//!
//! SQLite enforces neither size nor sign (save in STRICT tables, which know five types), so integers are 64 bits with
//! sign whatever the declaration says, and lengths are only reported.

use relink_model::{ColumnType, TypeKind};

/// How SQLite converts a value that is stored in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Affinity {
    /// `INT` in the name: text that looks numeric becomes a number.
    Integer,
    /// `CHAR`, `CLOB`, `TEXT`: numbers become text.
    Text,
    /// `BLOB`, or no type: nothing changes.
    Blob,
    /// `REAL`, `FLOA`, `DOUB`: as numeric, and integers become floats.
    Real,
    /// Everything else: text that looks numeric becomes a number.
    Numeric,
}

/// The affinity by SQLite's own rules, in their order (https://www.sqlite.org/datatype3.html, section 3.1).
pub(super) fn affinity(declared: &str) -> Affinity {
    let upper = declared.to_ascii_uppercase();
    let has = |parts: &[&str]| parts.iter().any(|part| upper.contains(part));
    if has(&["INT"]) {
        Affinity::Integer
    } else if has(&["CHAR", "CLOB", "TEXT"]) {
        Affinity::Text
    } else if has(&["BLOB"]) || upper.trim().is_empty() {
        Affinity::Blob
    } else if has(&["REAL", "FLOA", "DOUB"]) {
        Affinity::Real
    } else {
        Affinity::Numeric
    }
}

/// The type of a column declared so. In a STRICT table `ANY` keeps values as they are.
pub(super) fn column_type(declared: &str) -> ColumnType {
    ColumnType { declared: declared.to_owned(), kind: kind(declared) }
}

fn kind(declared: &str) -> TypeKind {
    let lower = declared.to_ascii_lowercase();
    let (name, parameters) = match lower.split_once('(') {
        Some((name, rest)) => match rest.split_once(')') {
            Some((inner, tail)) => (format!("{name} {tail}"), inner.to_owned()),
            None => (name.to_owned(), rest.to_owned()),
        },
        None => (lower, String::new()),
    };
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut numbers = parameters.split(',').map(|part| part.trim().parse::<i64>().ok());
    let (first, second) = (numbers.next().flatten(), numbers.next().flatten());
    let text = TypeKind::Text { max_chars: first.and_then(|n| u64::try_from(n).ok()), max_bytes: None, fixed: false };
    let integer = TypeKind::Integer { bits: 64, unsigned: false };
    match name.as_str() {
        // The last three hold "int" and have INTEGER affinity, yet mean no number.
        "" | "any" | "interval" | "point" | "multipoint" => TypeKind::Dynamic,
        "bool" | "boolean" => TypeKind::Boolean,
        // What MySQL and the frameworks that grew up with it write for booleans.
        "tinyint" if first == Some(1) => TypeKind::Boolean,
        "datetime" | "timestamp" | "timestamp without time zone" | "datetime2" | "smalldatetime" => {
            TypeKind::Timestamp { zoned: false, precision: 6 }
        }
        "timestamptz" | "timestamp with time zone" | "datetimeoffset" => {
            TypeKind::Timestamp { zoned: true, precision: 6 }
        }
        "date" => TypeKind::Date,
        "time" | "time without time zone" => TypeKind::Time { zoned: false, precision: 6 },
        "timetz" | "time with time zone" => TypeKind::Time { zoned: true, precision: 6 },
        "decimal" | "dec" | "numeric" | "number" | "money" | "decimal unsigned" | "numeric unsigned" => {
            let precision = first.and_then(|n| u32::try_from(n).ok());
            let scale = second.or(precision.map(|_| 0)).and_then(|n| i32::try_from(n).ok());
            TypeKind::Decimal { precision, scale, special: false, unsigned: false }
        }
        "json" | "jsonb" => TypeKind::Json,
        "serial" | "bigserial" | "smallserial" | "year" => integer,
        "string" | "uuid" | "guid" | "uniqueidentifier" | "enum" | "xml" | "inet" | "cidr" => text,
        "binary" | "varbinary" | "bytea" | "image" => TypeKind::Bytes { max_bytes: None },
        _ => match affinity(declared) {
            Affinity::Integer => integer,
            Affinity::Text => text,
            Affinity::Blob => TypeKind::Bytes { max_bytes: None },
            Affinity::Real => TypeKind::Float { bits: 64 },
            Affinity::Numeric => TypeKind::Dynamic,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_types_mean_what_people_write_them_for() {
        let integer = || TypeKind::Integer { bits: 64, unsigned: false };
        let text = |max_chars| TypeKind::Text { max_chars, max_bytes: None, fixed: false };
        let decimal = |precision, scale| TypeKind::Decimal { precision, scale, special: false, unsigned: false };
        let timestamp = |zoned| TypeKind::Timestamp { zoned, precision: 6 };
        for (declared, expected) in [
            ("bool", TypeKind::Boolean),
            ("BOOLEAN", TypeKind::Boolean),
            ("tinyint(1)", TypeKind::Boolean),
            ("tinyint(4)", integer()),
            ("INTEGER", integer()),
            ("bigint unsigned", integer()),
            ("UNSIGNED BIG INT", integer()),
            ("smallint unsigned", integer()),
            ("int(11) unsigned", integer()),
            ("datetime", timestamp(false)),
            ("datetime(6)", timestamp(false)),
            ("TIMESTAMP WITH TIME ZONE", timestamp(true)),
            ("date", TypeKind::Date),
            ("time", TypeKind::Time { zoned: false, precision: 6 }),
            ("decimal", decimal(None, None)),
            ("decimal(10, 2)", decimal(Some(10), Some(2))),
            ("NUMERIC(8)", decimal(Some(8), Some(0))),
            ("real", TypeKind::Float { bits: 64 }),
            ("double precision", TypeKind::Float { bits: 64 }),
            ("float(24)", TypeKind::Float { bits: 64 }),
            ("varchar(50)", text(Some(50))),
            ("character varying(20)", text(Some(20))),
            ("NVARCHAR(160)", text(Some(160))),
            ("char(32)", text(Some(32))),
            ("longtext", text(None)),
            ("CLOB", text(None)),
            ("uuid", text(None)),
            ("BLOB", TypeKind::Bytes { max_bytes: None }),
            ("longblob", TypeKind::Bytes { max_bytes: None }),
            ("varbinary(16)", TypeKind::Bytes { max_bytes: None }),
            ("jsonb", TypeKind::Json),
            ("", TypeKind::Dynamic),
            ("geometry", TypeKind::Dynamic),
        ] {
            assert_eq!(kind(declared), expected, "{declared}");
        }
    }

    #[test]
    fn affinity_follows_the_order_of_sqlites_rules() {
        assert_eq!(affinity("CHARINT"), Affinity::Integer);
        assert_eq!(affinity("FLOATING POINT"), Affinity::Integer);
        assert_eq!(affinity("TEXTBLOB"), Affinity::Text);
        assert_eq!(affinity("STRING"), Affinity::Numeric);
        assert_eq!(affinity("uuid"), Affinity::Numeric);
        assert_eq!(affinity(""), Affinity::Blob);
        assert_eq!(affinity("double"), Affinity::Real);
    }
}

//! `COLUMN_TYPE` as `information_schema` prints it, turned into a [`ColumnType`].
//!
//! It looks at the type alone; that a MariaDB `longtext` holds JSON is told by the column's CHECK, which
//! `inspect` passes in.

use relink_model::{ColumnType, TypeKind};

/// Bytes that the largest BLOB and TEXT types hold.
const LONG_BYTES_MAX: u64 = u32::MAX as u64;

/// Classifies a column type. `json_checked` says that a CHECK keeps the column to valid JSON, as MariaDB does for
/// the alias `JSON`.
pub(super) fn column_type(declared: &str, json_checked: bool) -> ColumnType {
    let parts = TypeParts::of(declared);
    let kind = if json_checked && matches!(text_kind(&parts), Some(TypeKind::Text { .. })) {
        TypeKind::Json
    } else {
        kind(&parts)
    };
    ColumnType { declared: declared.to_owned(), kind }
}

/// A declared type taken apart: `decimal(10,2) unsigned` is `decimal`, `10,2`, unsigned.
struct TypeParts<'a> {
    name: String,
    parameters: &'a str,
    unsigned: bool,
}

impl<'a> TypeParts<'a> {
    fn of(declared: &'a str) -> Self {
        let name_end = declared.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(declared.len());
        let (name, rest) = declared.split_at(name_end);
        // Labels of an enum may hold parentheses and words, but nothing that counts stands behind the last one.
        let (parameters, attributes) = match (rest.trim_start().strip_prefix('('), rest.rfind(')')) {
            (Some(_), Some(end)) => {
                let start = rest.find('(').map_or(0, |start| start + 1);
                (&rest[start..end], &rest[end + 1..])
            }
            _ => ("", rest),
        };
        // What follows may hold a comment, such as `/* mariadb-5.3 */` after an old temporal type.
        let attributes = attributes.split("/*").next().unwrap_or_default().to_ascii_lowercase();
        let unsigned = attributes.split_whitespace().any(|word| word == "unsigned");
        Self { name: name.to_ascii_lowercase(), parameters, unsigned }
    }

    /// The first parameter as a number.
    fn length(&self) -> Option<u64> {
        self.numbers().0
    }

    /// Both parameters as numbers.
    fn numbers(&self) -> (Option<u64>, Option<u64>) {
        let mut numbers = self.parameters.split(',').map(|part| part.trim().parse().ok());
        (numbers.next().flatten(), numbers.next().flatten())
    }

    /// Digits of the second.
    fn precision(&self) -> u8 {
        self.length().map_or(0, |digits| digits.min(6) as u8)
    }
}

fn kind(parts: &TypeParts<'_>) -> TypeKind {
    let integer = |bits| TypeKind::Integer { bits, unsigned: parts.unsigned };
    let bytes = |max_bytes| TypeKind::Bytes { max_bytes: Some(max_bytes) };
    match parts.name.as_str() {
        // BOOLEAN is an alias of tinyint(1), and the display width is all that is left of it.
        "tinyint" if parts.length() == Some(1) => TypeKind::Boolean,
        "tinyint" => integer(8),
        "smallint" => integer(16),
        "mediumint" => integer(24),
        "int" | "integer" => integer(32),
        "bigint" => integer(64),
        "year" => TypeKind::Integer { bits: 16, unsigned: true },
        // A parameter of text would be taken as the bits of its characters, so BIT(n) is bytes, as drivers return it.
        "bit" if parts.length().unwrap_or(1) == 1 => TypeKind::Boolean,
        "bit" => bytes(parts.length().unwrap_or(1).div_ceil(8)),
        "float" => TypeKind::Float { bits: 32 },
        "double" | "real" => TypeKind::Float { bits: 64 },
        "decimal" | "numeric" | "dec" | "fixed" => {
            let (precision, scale) = parts.numbers();
            TypeKind::Decimal {
                precision: Some(precision.unwrap_or(10) as u32),
                scale: Some(scale.unwrap_or(0) as i32),
                special: false,
                unsigned: parts.unsigned,
            }
        }
        "binary" | "varbinary" => bytes(parts.length().unwrap_or(1)),
        "tinyblob" => bytes(255),
        "blob" => bytes(65_535),
        "mediumblob" => bytes(16_777_215),
        "longblob" => bytes(LONG_BYTES_MAX),
        "date" => TypeKind::Date,
        "time" => TypeKind::Time { zoned: false, precision: parts.precision() },
        "datetime" => TypeKind::Timestamp { zoned: false, precision: parts.precision() },
        "timestamp" => TypeKind::Timestamp { zoned: true, precision: parts.precision() },
        "json" => TypeKind::Json,
        "uuid" => TypeKind::Uuid,
        "enum" => TypeKind::Enum { labels: labels(parts.parameters) },
        "set" => TypeKind::Set { labels: labels(parts.parameters) },
        _ => text_kind(parts).unwrap_or(TypeKind::Other),
    }
}

fn text_kind(parts: &TypeParts<'_>) -> Option<TypeKind> {
    let chars = |fixed| TypeKind::Text { max_chars: Some(parts.length().unwrap_or(1)), max_bytes: None, fixed };
    let bytes = |max_bytes| TypeKind::Text { max_chars: None, max_bytes: Some(max_bytes), fixed: false };
    Some(match parts.name.as_str() {
        "char" => chars(true),
        "varchar" => chars(false),
        "tinytext" => bytes(255),
        "text" => bytes(65_535),
        "mediumtext" => bytes(16_777_215),
        "longtext" => bytes(LONG_BYTES_MAX),
        _ => return None,
    })
}

/// The labels of `'a','it''s','back\\slash'`: a quote is doubled, and the server writes backslash, newline, carriage
/// return and NUL with a backslash.
fn labels(text: &str) -> Vec<String> {
    let mut labels = Vec::new();
    let mut chars = text.chars().peekable();
    while chars.by_ref().any(|c| c == '\'') {
        let mut label = String::new();
        while let Some(c) = chars.next() {
            match c {
                '\'' if chars.peek() == Some(&'\'') => {
                    chars.next();
                    label.push('\'');
                }
                '\'' => break,
                '\\' => match chars.next() {
                    Some('n') => label.push('\n'),
                    Some('r') => label.push('\r'),
                    Some('0') => label.push('\0'),
                    Some(other) => label.push(other),
                    None => {}
                },
                c => label.push(c),
            }
        }
        labels.push(label);
    }
    labels
}

/// Whether a type is `YEAR`, which is a whole number with rules of its own.
pub(super) fn is_year(data_type: &ColumnType) -> bool {
    data_type.declared.to_ascii_lowercase().starts_with("year")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(declared: &str) -> TypeKind {
        column_type(declared, false).kind
    }

    #[test]
    fn integers_know_their_width_and_sign() {
        assert_eq!(kind_of("int(10) unsigned zerofill"), TypeKind::Integer { bits: 32, unsigned: true });
        assert_eq!(kind_of("bigint"), TypeKind::Integer { bits: 64, unsigned: false });
        assert_eq!(kind_of("mediumint(8)"), TypeKind::Integer { bits: 24, unsigned: false });
        assert_eq!(kind_of("tinyint(4)"), TypeKind::Integer { bits: 8, unsigned: false });
        assert_eq!(kind_of("year(4)"), TypeKind::Integer { bits: 16, unsigned: true });
    }

    #[test]
    fn one_digit_and_one_bit_are_booleans_and_more_bits_are_bytes() {
        assert_eq!(kind_of("tinyint(1)"), TypeKind::Boolean);
        assert_eq!(kind_of("bit(1)"), TypeKind::Boolean);
        assert_eq!(kind_of("bit(9)"), TypeKind::Bytes { max_bytes: Some(2) });
    }

    #[test]
    fn decimals_keep_precision_scale_and_sign() {
        assert_eq!(
            kind_of("decimal(10,2) unsigned"),
            TypeKind::Decimal { precision: Some(10), scale: Some(2), special: false, unsigned: true }
        );
    }

    #[test]
    fn only_timestamp_is_an_instant() {
        assert_eq!(kind_of("timestamp(6)"), TypeKind::Timestamp { zoned: true, precision: 6 });
        assert_eq!(kind_of("datetime /* mariadb-5.3 */"), TypeKind::Timestamp { zoned: false, precision: 0 });
        assert_eq!(kind_of("time(3)"), TypeKind::Time { zoned: false, precision: 3 });
    }

    #[test]
    fn labels_come_out_unquoted() {
        assert_eq!(
            kind_of(r"enum('a','it''s','b\\s','l\nb','x),(y')"),
            TypeKind::Enum { labels: ["a", "it's", r"b\s", "l\nb", "x),(y"].map(str::to_owned).to_vec() }
        );
        assert_eq!(kind_of("set('','unsigned')"), TypeKind::Set { labels: vec![String::new(), "unsigned".into()] });
    }

    #[test]
    fn json_is_a_type_or_a_checked_text() {
        assert_eq!(kind_of("json"), TypeKind::Json);
        assert_eq!(column_type("longtext", true).kind, TypeKind::Json);
        assert_eq!(column_type("blob", true).kind, TypeKind::Bytes { max_bytes: Some(65_535) });
    }

    #[test]
    fn text_and_blobs_know_their_limits() {
        assert_eq!(kind_of("varchar(40)"), TypeKind::Text { max_chars: Some(40), max_bytes: None, fixed: false });
        assert_eq!(kind_of("char(2)"), TypeKind::Text { max_chars: Some(2), max_bytes: None, fixed: true });
        assert_eq!(kind_of("text"), TypeKind::Text { max_chars: None, max_bytes: Some(65_535), fixed: false });
        assert_eq!(kind_of("varbinary(16)"), TypeKind::Bytes { max_bytes: Some(16) });
        assert_eq!(kind_of("inet6"), TypeKind::Other);
    }
}

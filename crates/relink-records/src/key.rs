//! Keys as they are compared in memory: tuples of values in one canonical form.

use std::borrow::Cow;

use relink_model::{Column, TypeKind, Value};

/// How the values of a column are compared: as its database does, as far as that can be told without asking it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Numbers that differ in their scale only are equal.
    decimal: bool,
    /// Text that is a whole number counts as the number: the column makes one of it (SQLite, where a reference may be text).
    integer: bool,
    case: Case,
    /// Trailing blanks do not count.
    padded: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Case {
    #[default]
    Exact,
    /// SQLite's NOCASE knows ASCII only.
    Ascii,
    Unicode,
}

/// Up to here a double holds every whole number.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

impl Comparison {
    /// As this column's type and collation have it.
    pub fn of(column: &Column) -> Self {
        let case = match &column.collation {
            _ if !column.case_insensitive => Case::Exact,
            Some(collation) if collation.eq_ignore_ascii_case("NOCASE") => Case::Ascii,
            _ => Case::Unicode,
        };
        let kind = &column.data_type.kind;
        let decimal = matches!(kind, TypeKind::Decimal { .. });
        let integer = matches!(kind, TypeKind::Integer { .. });
        Self { decimal, integer, case, padded: matches!(kind, TypeKind::Text { fixed: true, .. }) }
    }

    /// Whether the database may call values equal that are not seen to be so here.
    pub fn is_loose(self) -> bool {
        self.case == Case::Unicode
    }

    /// The number that a text counts as.
    fn number(self, text: &str) -> Option<i64> {
        if !self.integer {
            return None;
        }
        let text = text.trim_matches(|c: char| c.is_ascii_whitespace());
        let whole = |number: &f64| number.fract() == 0.0 && number.abs() < EXACT_MAX;
        text.parse().ok().or_else(|| text.parse().ok().filter(whole).map(|number: f64| number as i64))
    }

    fn text(self, text: &str) -> Cow<'_, str> {
        if self.decimal {
            return Cow::Borrowed(plain_decimal(text));
        }
        let text = if self.padded { text.trim_end_matches(' ') } else { text };
        match self.case {
            Case::Exact => Cow::Borrowed(text),
            Case::Ascii => Cow::Owned(text.to_ascii_lowercase()),
            Case::Unicode => Cow::Owned(text.to_lowercase()),
        }
    }
}

/// A key's values in canonical form: equal keys are equal bytes. Single integers, by far the most frequent keys, stay integers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// A single integer column.
    Int(i64),
    /// Anything else, each part tagged and length-prefixed so that no two tuples share an encoding.
    Bytes(Box<[u8]>),
}

impl Key {
    /// The key of these values, or `None` where a part is NULL.
    pub fn of<'a>(parts: impl Iterator<Item = (&'a Value, &'a Comparison)> + Clone) -> Option<Self> {
        let mut rest = parts.clone();
        if let (Some((value, comparison)), None) = (rest.next(), rest.next())
            && !comparison.decimal
        {
            match value {
                Value::Int(value) => return Some(Self::Int(*value)),
                Value::Bool(value) => return Some(Self::Int(i64::from(*value))),
                Value::Text(text) => {
                    if let Some(number) = comparison.number(text) {
                        return Some(Self::Int(number));
                    }
                }
                _ => {}
            }
        }
        let mut bytes = Vec::with_capacity(24);
        for (value, comparison) in parts {
            encode(value, *comparison, &mut bytes)?;
        }
        Some(Self::Bytes(bytes.into_boxed_slice()))
    }

    /// As [`Self::of`], with NULL as a value of its own: for natural keys, whose NULL parts match NULL.
    pub fn with_nulls<'a>(parts: impl Iterator<Item = (&'a Value, &'a Comparison)> + Clone) -> Self {
        if let Some(key) = Self::of(parts.clone()) {
            return key;
        }
        let mut bytes = Vec::with_capacity(24);
        for (value, comparison) in parts {
            if encode(value, *comparison, &mut bytes).is_none() {
                bytes.push(b'n');
            }
        }
        Self::Bytes(bytes.into_boxed_slice())
    }
}

fn encode(value: &Value, comparison: Comparison, bytes: &mut Vec<u8>) -> Option<()> {
    let mut tagged = |tag: u8, content: &[u8]| {
        bytes.push(tag);
        write_length(content.len(), bytes);
        bytes.extend_from_slice(content);
    };
    match value {
        Value::Null => return None,
        // A database without decimals of its own gives back a number.
        Value::Int(value) if comparison.decimal => tagged(b't', value.to_string().as_bytes()),
        Value::Float(value) if comparison.decimal => tagged(b't', plain_decimal(&value.to_string()).as_bytes()),
        Value::Bool(value) => tagged(b'i', &i64::from(*value).to_le_bytes()),
        Value::Int(value) => tagged(b'i', &value.to_le_bytes()),
        // -0.0 and 0.0 are one key to every database.
        Value::Float(value) => tagged(b'f', &(value + 0.0).to_bits().to_le_bytes()),
        Value::Text(text) => match comparison.number(text) {
            Some(number) => tagged(b'i', &number.to_le_bytes()),
            None => tagged(b't', comparison.text(text).as_bytes()),
        },
        Value::Bytes(content) => tagged(b'b', content),
    }
    Some(())
}

/// Decimals that differ in trailing zeros only are one key.
fn plain_decimal(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// A length in groups of seven bits, the lowest first: parts are short, and one byte is most often enough.
fn write_length(mut length: usize, bytes: &mut Vec<u8>) {
    while length >= 0x80 {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(kind: TypeKind, collation: Option<&str>) -> Comparison {
        let mut column = Column { case_insensitive: collation.is_some(), ..Column::default() };
        column.data_type.kind = kind;
        column.collation = collation.map(str::to_owned);
        Comparison::of(&column)
    }

    fn key(parts: &[(Value, Comparison)]) -> Option<Key> {
        Key::of(parts.iter().map(|(value, comparison)| (value, comparison)))
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn no_two_tuples_share_a_key() {
        let plain = column(TypeKind::Other, None);
        let pair = |a: &str, b: &str| key(&[(text(a), plain), (text(b), plain)]).expect("no NULL");
        assert_ne!(pair("ab", "c"), pair("a", "bc"));
        assert_ne!(pair("", "x"), pair("x", ""));
        assert_ne!(key(&[(text("5"), plain)]), key(&[(Value::Int(5), plain)]));
        assert_eq!(key(&[(Value::Bool(true), plain)]), key(&[(Value::Int(1), plain)]));
    }

    #[test]
    fn decimals_are_one_key_whatever_their_scale_and_carrier() {
        let decimal = column(TypeKind::Decimal { precision: None, scale: None, special: false, unsigned: false }, None);
        let of = |value: Value| key(&[(value, decimal)]);
        assert_eq!(of(text("12.30")), of(text("12.3")));
        assert_eq!(of(text("12.0")), of(Value::Int(12)));
        assert_eq!(of(text("12.50")), of(Value::Float(12.5)));
        assert_ne!(of(text("120")), of(text("12")));
    }

    #[test]
    fn text_is_a_number_where_the_column_makes_one_of_it() {
        let integer = column(TypeKind::Integer { bits: 64, unsigned: false }, None);
        let plain = column(TypeKind::Other, None);
        assert_eq!(key(&[(text("5"), integer)]), key(&[(Value::Int(5), integer)]));
        assert_eq!(
            key(&[(text("5"), integer), (text("5"), plain)]),
            key(&[(Value::Int(5), integer), (text("5"), plain)])
        );
        assert_eq!(key(&[(text("5.0"), integer)]), key(&[(Value::Int(5), integer)]));
        assert_ne!(key(&[(text("5.5"), integer)]), key(&[(Value::Int(5), integer)]));
        assert_ne!(key(&[(text("5 apples"), integer)]), key(&[(Value::Int(5), integer)]));
        assert_ne!(key(&[(text("5"), plain)]), key(&[(Value::Int(5), plain)]));
    }

    #[test]
    fn text_is_compared_as_its_collation_does() {
        let plain = TypeKind::Text { max_chars: None, max_bytes: None, fixed: false };
        let same =
            |comparison: Comparison, a: &str, b: &str| key(&[(text(a), comparison)]) == key(&[(text(b), comparison)]);
        assert!(!same(column(plain.clone(), None), "usd", "USD"));
        assert!(same(column(plain.clone(), Some("NOCASE")), "usd", "USD"));
        assert!(!same(column(plain.clone(), Some("NOCASE")), "é", "É"));
        assert!(same(column(plain, Some("utf8mb4_general_ci")), "é", "É"));
        assert!(same(column(TypeKind::Text { max_chars: Some(5), max_bytes: None, fixed: true }, None), "ab", "ab   "));
    }

    #[test]
    fn a_null_part_makes_no_key_unless_nulls_count() {
        let plain = column(TypeKind::Other, None);
        let parts = [(Value::Null, plain), (Value::Int(1), plain)];
        assert_eq!(key(&parts), None);
        let with = |parts: &[(Value, Comparison)]| Key::with_nulls(parts.iter().map(|(value, how)| (value, how)));
        assert_eq!(with(&parts), with(&parts));
        assert_ne!(with(&parts), with(&[(Value::Int(1), plain), (Value::Null, plain)]));
    }
}

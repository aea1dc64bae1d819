//! What JSON values look like, and which types of columns such values are usually kept in.

use relink_export::{JsonKind, RawJson};
use relink_model::TypeKind;
use relink_records::coerce;

/// What a JSON value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    Null,
    Boolean,
    Integer,
    Number,
    Empty,
    IntegerText,
    NumberText,
    Date,
    Time,
    DateTime,
    Uuid,
    Text,
    List,
    Object,
}

impl Look {
    const ALL: [Self; 14] = [
        Self::Null,
        Self::Boolean,
        Self::Integer,
        Self::Number,
        Self::Empty,
        Self::IntegerText,
        Self::NumberText,
        Self::Date,
        Self::Time,
        Self::DateTime,
        Self::Uuid,
        Self::Text,
        Self::List,
        Self::Object,
    ];

    pub(crate) fn of(json: &RawJson<'_>) -> Self {
        match json.kind() {
            JsonKind::Null => Self::Null,
            JsonKind::True | JsonKind::False => Self::Boolean,
            JsonKind::Number if json.text().bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') => Self::Integer,
            JsonKind::Number | JsonKind::NonFinite => Self::Number,
            JsonKind::Array => Self::List,
            JsonKind::Object => Self::Object,
            // What is told here is written without escapes.
            JsonKind::String => Self::of_text(&json.text()[1..json.text().len() - 1]),
        }
    }

    fn of_text(text: &str) -> Self {
        let bytes = text.as_bytes();
        let shaped = |shape: &str| {
            bytes.len() >= shape.len()
                && shape.bytes().zip(bytes).all(|(wanted, byte)| match wanted {
                    b'0' => byte.is_ascii_digit(),
                    b'T' => matches!(byte, b'T' | b't' | b' '),
                    _ => wanted == *byte,
                })
        };
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        if text.is_empty() {
            Self::Empty
        } else if !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
            Self::IntegerText
        } else if coerce::equal_numbers(text, text) {
            Self::NumberText
        } else if shaped("0000-00-00T00:00") {
            Self::DateTime
        } else if shaped("0000-00-00") && bytes.len() == 10 {
            Self::Date
        } else if shaped("00:00:00") || shaped("00:00") && bytes.len() == 5 {
            Self::Time
        } else if bytes.len() == 36
            && bytes.iter().enumerate().all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => *byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            })
        {
            Self::Uuid
        } else {
            Self::Text
        }
    }

    /// In the plural, for messages.
    fn words(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "booleans",
            Self::Integer => "whole numbers",
            Self::Number => "numbers with a fraction or exponent",
            Self::Empty => "empty texts",
            Self::IntegerText => "whole numbers as text",
            Self::NumberText => "numbers as text",
            Self::Date => "dates",
            Self::Time => "times of day",
            Self::DateTime => "dates with a time",
            Self::Uuid => "UUIDs",
            Self::Text => "texts",
            Self::List => "lists",
            Self::Object => "objects",
        }
    }

    /// Whether a column of this type is the one that such values are usually kept in.
    fn is_at_home_in(self, kind: &TypeKind) -> bool {
        match self {
            Self::Null => true,
            Self::Boolean => matches!(kind, TypeKind::Boolean),
            Self::Integer => matches!(kind, TypeKind::Integer { .. }),
            Self::Number => matches!(kind, TypeKind::Decimal { .. } | TypeKind::Float { .. }),
            Self::IntegerText | Self::NumberText => matches!(kind, TypeKind::Decimal { .. }),
            Self::Date => matches!(kind, TypeKind::Date),
            Self::Time => matches!(kind, TypeKind::Time { .. }),
            Self::DateTime => matches!(kind, TypeKind::Timestamp { .. }),
            Self::Uuid => matches!(kind, TypeKind::Uuid | TypeKind::Text { .. }),
            Self::Empty | Self::Text => matches!(kind, TypeKind::Text { .. } | TypeKind::Enum { .. }),
            Self::List => matches!(kind, TypeKind::Array { .. } | TypeKind::Json),
            Self::Object => matches!(kind, TypeKind::Json),
        }
    }
}

/// How many values have which look.
#[derive(Clone, Debug, Default)]
pub(super) struct Looks([u64; Look::ALL.len()]);

impl Looks {
    pub(super) fn add(&mut self, look: Look) {
        self.0[look as usize] += 1;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(mine, more)| *mine += more);
    }

    pub(super) fn seen(&self) -> impl Iterator<Item = (Look, u64)> {
        Look::ALL.into_iter().zip(self.0).filter(|(_, count)| *count > 0)
    }

    pub(super) fn count(&self, look: Look) -> u64 {
        self.0[look as usize]
    }

    /// Values that are not null.
    pub(super) fn values(&self) -> u64 {
        self.0.iter().sum::<u64>() - self.count(Look::Null)
    }

    pub(super) fn are_only(&self, look: Look) -> bool {
        self.values() > 0 && self.values() == self.count(look)
    }

    pub(super) fn are_at_home_in(&self, kind: &TypeKind) -> bool {
        self.values() > 0 && self.seen().all(|(look, _)| look.is_at_home_in(kind))
    }

    /// `3 texts, 1 list`, the most frequent first.
    pub(super) fn describe(&self) -> String {
        let mut seen: Vec<(Look, u64)> = self.seen().filter(|(look, _)| *look != Look::Null).collect();
        seen.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let described: Vec<String> = match seen[..] {
            [(look, _)] => vec![look.words().to_owned()],
            _ => seen.iter().map(|(look, count)| format!("{count} {}", look.words())).collect(),
        };
        described.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(json: &str) -> Look {
        Look::of(&RawJson::parse(json, 8).expect("the test's JSON is valid"))
    }

    #[test]
    fn values_are_told_by_their_form() {
        for (json, expected) in [
            ("null", Look::Null),
            ("true", Look::Boolean),
            ("-12", Look::Integer),
            ("1.0", Look::Number),
            ("NaN", Look::Number),
            (r#""""#, Look::Empty),
            (r#""12""#, Look::IntegerText),
            (r#""-1.5e3""#, Look::NumberText),
            (r#""2024-01-31""#, Look::Date),
            (r#""2024-01-31T10:00:00Z""#, Look::DateTime),
            (r#""2024-01-31 10:00""#, Look::DateTime),
            (r#""10:00""#, Look::Time),
            (r#""10:00:00.5""#, Look::Time),
            (r#""123e4567-e89b-12d3-a456-426614174000""#, Look::Uuid),
            (r#""-""#, Look::Text),
            (r#""é""#, Look::Text),
            (r#""2024-01-3x""#, Look::Text),
            ("[1]", Look::List),
            ("{}", Look::Object),
        ] {
            assert_eq!(look(json), expected, "{json}");
        }
    }

    #[test]
    fn every_look_has_a_place_of_its_own_to_be_counted() {
        let mut looks = Looks::default();
        for look in Look::ALL {
            looks.add(look);
        }
        assert!(looks.seen().eq(Look::ALL.map(|look| (look, 1))));
        assert_eq!(looks.values(), Look::ALL.len() as u64 - 1);
    }

    #[test]
    fn what_is_seen_is_described_the_most_frequent_first() {
        let mut looks = Looks::default();
        for json in ["1", "null", r#""a""#, r#""b""#] {
            looks.add(look(json));
        }
        assert_eq!(looks.describe(), "2 texts, 1 whole numbers");
        assert!(!looks.are_only(Look::Text) && !looks.are_at_home_in(&TypeKind::Date));
    }
}

//! The identity of values: two of them are the same key where their bytes are. Numbers are the same whatever zeros they are written with, texts
//! letter by letter, dates by what they say.

use bigdecimal::BigDecimal;
use jiff::Timestamp;
use relink_model::Value;

use crate::{
    dates::{self, Reading},
    decimal,
    expression::{
        Bound, Datum, Fault, Kind, Moment,
        evaluate::{Place, instant},
    },
    fold::Fold,
};

/// One part of a key.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// A column as it is. Whatever it holds is an identity: nothing here is a fault.
    Column {
        /// Its index among the relation's columns.
        index: usize,
        /// What it holds; `None` where it holds anything.
        kind: Option<Kind>,
        /// A text that is a number counts as one, as where a column of numbers is compared with one of text.
        loose: bool,
        /// Blanks at the end do not count (`CHAR(n)`).
        padded: bool,
        /// Case does not count, by the column's own collation.
        ci: bool,
    },
    /// An expression.
    Expression(Bound),
}

impl Part {
    /// Appends the part's bytes; false for NULL.
    ///
    /// # Errors
    /// An expression over a value that is not what its column says.
    pub fn write<'r>(
        &self,
        at: &Moment,
        value: &dyn Fn(usize) -> &'r Value,
        into: &mut Vec<u8>,
    ) -> Result<bool, Fault> {
        match self {
            Self::Column { index, kind, loose, padded, ci } => {
                Ok(identity(value(*index), *kind, *loose, *padded, *ci, at, into))
            }
            Self::Expression(bound) => Ok(encode(&bound.value(at, value)?, at, into)),
        }
    }

    /// The whole number that it is, where a column holds one: told without writing its bytes, which [`whole_number`] reads as the same.
    pub fn whole<'r>(&self, value: &dyn Fn(usize) -> &'r Value) -> Option<i64> {
        match self {
            Self::Column { index, kind: Some(Kind::Number | Kind::Boolean) | None, .. } => match value(*index) {
                Value::Int(number) => Some(*number),
                _ => None,
            },
            _ => None,
        }
    }

    /// The columns that it reads.
    pub fn columns(&self) -> Vec<usize> {
        match self {
            Self::Column { index, .. } => vec![*index],
            Self::Expression(bound) => bound.columns().into_iter().map(|(index, _)| index).collect(),
        }
    }
}

fn identity(
    value: &Value,
    kind: Option<Kind>,
    loose: bool,
    padded: bool,
    ci: bool,
    at: &Moment,
    into: &mut Vec<u8>,
) -> bool {
    let text = |text: &str, into: &mut Vec<u8>| {
        let text = if padded { text.trim_end_matches(' ') } else { text };
        if ci { tagged(b't', Fold::Ci.apply(text).as_bytes(), into) } else { tagged(b't', text.as_bytes(), into) }
    };
    match (value, kind) {
        (Value::Null, _) => return false,
        (Value::Bytes(bytes), _) => tagged(b'b', bytes, into),
        (Value::Int(number), Some(Kind::Number | Kind::Boolean) | None) => {
            tagged(b'n', number.to_string().as_bytes(), into);
        }
        (Value::Bool(truth), Some(Kind::Number | Kind::Boolean) | None) => {
            tagged(b'n', if *truth { b"1" } else { b"0" }, into);
        }
        (Value::Text(written), Some(Kind::Number)) => number(written, into).unwrap_or_else(|| text(written, into)),
        (Value::Text(written), _) if loose => number(written, into).unwrap_or_else(|| text(written, into)),
        (Value::Float(_), Some(Kind::Number | Kind::Boolean) | None) => match decimal::of_value(value) {
            Some(found) => exact(&found, into),
            None => text(&value.to_string(), into),
        },
        (_, Some(Kind::Moment)) => match dates::read(value) {
            Reading::Instant(instant) => moment(&Datum::Instant(instant), at, into),
            Reading::Wall(wall) => moment(&Datum::Wall(wall), at, into),
            Reading::Day(day) => tagged(b'd', day.to_string().as_bytes(), into),
            _ => text(&value.to_string(), into),
        },
        (Value::Text(written), _) => text(written, into),
        (other, _) => text(&other.to_string(), into),
    }
    true
}

/// Appends the bytes of a datum; false for NULL.
pub fn encode(datum: &Datum, at: &Moment, into: &mut Vec<u8>) -> bool {
    match datum {
        Datum::Null => return false,
        Datum::Boolean(truth) => tagged(b'n', if *truth { b"1" } else { b"0" }, into),
        Datum::Number(number) => exact(number, into),
        Datum::Infinite(positive) => tagged(b'n', if *positive { b"inf" } else { b"-inf" }, into),
        Datum::Text(text) => tagged(b't', text.as_bytes(), into),
        Datum::Day(day) => tagged(b'd', day.to_string().as_bytes(), into),
        Datum::Wall(_) | Datum::Instant(_) => moment(datum, at, into),
        Datum::Never(after) => tagged(b'i', if *after { b"inf" } else { b"-inf" }, into),
    }
    true
}

fn number(written: &str, into: &mut Vec<u8>) -> Option<()> {
    // Most numbers are whole and written plainly: their text is their identity.
    let digits = written.strip_prefix('-').unwrap_or(written).as_bytes();
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) && digits[0] != b'0';
    if plain || written == "0" {
        tagged(b'n', written.as_bytes(), into);
        return Some(());
    }
    decimal::parse(written).map(|number| exact(&number, into))
}

fn exact(number: &BigDecimal, into: &mut Vec<u8>) {
    tagged(b'n', decimal::plain(&number.normalized()).as_bytes(), into);
}

fn moment(datum: &Datum, at: &Moment, into: &mut Vec<u8>) {
    match instant(datum, at) {
        Some(Place::At(instant)) => {
            let nanoseconds = Timestamp::as_nanosecond(instant);
            tagged(b'i', nanoseconds.to_string().as_bytes(), into);
        }
        Some(Place::Before(wall)) => tagged(b'i', format!("-{wall}").as_bytes(), into),
        Some(Place::After(wall)) => tagged(b'i', format!("+{wall}").as_bytes(), into),
        None => tagged(b'i', b"?", into),
    }
}

/// The whole number that the bytes of a single part are; `None` for anything else, and for several parts.
pub fn whole_number(bytes: &[u8]) -> Option<i64> {
    let (b'n', rest) = bytes.split_first()? else { return None };
    let (length, content) = rest.split_first_chunk()?;
    if u64::from_le_bytes(*length) != content.len() as u64 {
        return None;
    }
    std::str::from_utf8(content).ok()?.parse().ok()
}

/// A length before the content keeps the parts of a key apart.
fn tagged(tag: u8, content: &[u8], into: &mut Vec<u8>) {
    into.push(tag);
    into.extend_from_slice(&(content.len() as u64).to_le_bytes());
    into.extend_from_slice(content);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(value: &Value, kind: Option<Kind>, loose: bool) -> Vec<u8> {
        let at = Moment::of("2026-11-20T12:00:00Z".parse().expect("a time"), None);
        let part = Part::Column { index: 0, kind, loose, padded: false, ci: false };
        let mut into = Vec::new();
        assert!(part.write(&at, &|_| value, &mut into).expect("no fault"));
        into
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn numbers_are_one_whatever_they_are_written_like_and_never_rounded() {
        let number = Some(Kind::Number);
        let one = bytes(&Value::Int(1), number, false);
        for same in [text("1"), text("1.00"), text("01"), Value::Float(1.0), text("1e0")] {
            assert_eq!(bytes(&same, number, false), one, "{same:?}");
        }
        assert_eq!(bytes(&Value::Float(-0.0), number, false), bytes(&Value::Int(0), number, false));
        assert_ne!(
            bytes(&text("9007199254740993"), number, false),
            bytes(&Value::Float(9_007_199_254_740_992.0), number, false)
        );
        assert_ne!(bytes(&text("1"), Some(Kind::Text), false), one, "a text is no number");
        assert_eq!(bytes(&text("01"), Some(Kind::Text), true), one, "unless it is compared with one");
        assert_eq!(bytes(&text("abc"), Some(Kind::Text), true), bytes(&text("abc"), Some(Kind::Text), false));
        assert_ne!(bytes(&Value::Bytes(b"a".to_vec()), None, false), bytes(&text("a"), None, false));
    }

    #[test]
    fn a_whole_number_is_told_from_its_bytes_and_without_them() {
        let number = Some(Kind::Number);
        for (value, whole) in [
            (Value::Int(-7), Some(-7)),
            (Value::Int(i64::MIN), Some(i64::MIN)),
            (text("-7.00"), Some(-7)),
            (text("9223372036854775808"), None),
            (text("0.5"), None),
            (text("abc"), None),
            (Value::Bytes(b"7".to_vec()), None),
        ] {
            assert_eq!(whole_number(&bytes(&value, number, false)), whole, "{value:?}");
            let part = Part::Column { index: 0, kind: number, loose: false, padded: false, ci: false };
            let told = part.whole(&|_| &value);
            assert!(told.is_none() || told == whole, "{value:?}");
        }
        let mut two = bytes(&Value::Int(1), number, false);
        two.extend(bytes(&Value::Int(2), number, false));
        assert_eq!(whole_number(&two), None, "several parts are no number");
    }

    #[test]
    fn moments_are_one_by_what_they_say() {
        let moment = Some(Kind::Moment);
        assert_eq!(
            bytes(&text("2026-01-05T10:00:00Z"), moment, false),
            bytes(&text("2026-01-05 12:00:00+02"), moment, false)
        );
        assert_eq!(
            bytes(&text("2026-01-05 10:00"), moment, false),
            bytes(&text("2026-01-05T10:00:00Z"), moment, false),
            "UTC where nothing is said"
        );
        assert_ne!(bytes(&text("2026-01-05"), moment, false), bytes(&text("2026-01-05 00:00:00"), moment, false));
    }
}

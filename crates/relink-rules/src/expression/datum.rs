//! Values as expressions see them.

use bigdecimal::{BigDecimal, ToPrimitive as _};
use jiff::{Timestamp, civil};
use relink_model::Value;

use super::Kind;
use crate::{
    dates::{self, Reading},
    decimal,
};

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Datum {
    /// NULL, or what cannot be told.
    Null,
    /// True or false.
    Boolean(bool),
    /// An exact number.
    Number(BigDecimal),
    /// An infinity of a floating point column: a number that is only compared. True: the positive one.
    Infinite(bool),
    /// Text.
    Text(String),
    /// A calendar day.
    Day(civil::Date),
    /// Date and time without a zone.
    Wall(civil::DateTime),
    /// A point in time.
    Instant(Timestamp),
    /// Before or after every moment. True: after.
    Never(bool),
}

/// Why a row cannot be judged although no value is missing: a value that is not what its column says. It is a finding of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// In words, without the value: `text where a number belongs`.
    pub problem: String,
}

impl Fault {
    pub(super) fn new(problem: impl Into<String>) -> Self {
        Self { problem: problem.into() }
    }
}

impl From<BigDecimal> for Datum {
    fn from(number: BigDecimal) -> Self {
        Self::Number(number)
    }
}

impl Datum {
    /// A whole number; `None` where it is none.
    pub fn whole(&self) -> Option<i64> {
        match self {
            Self::Number(number) => number.to_i64(),
            _ => None,
        }
    }

    /// As a report writes it; `None` for NULL.
    pub fn text(&self) -> Option<String> {
        Some(match self {
            Self::Null => return None,
            Self::Boolean(truth) => truth.to_string(),
            Self::Number(number) => decimal::plain(&number.normalized()),
            Self::Infinite(positive) | Self::Never(positive) => {
                if *positive { "infinity" } else { "-infinity" }.to_owned()
            }
            Self::Text(text) => text.clone(),
            Self::Day(day) => day.to_string(),
            Self::Wall(wall) => wall.to_string(),
            Self::Instant(instant) => instant.to_string(),
        })
    }

    /// Reads a stored value as what the expression needs of it.
    pub fn read(value: &Value, kind: Kind) -> Result<Self, Fault> {
        match (kind, value) {
            (_, Value::Null) => Ok(Self::Null),
            (Kind::Number, value) => number(value),
            (Kind::Boolean, Value::Bool(value)) => Ok(Self::Boolean(*value)),
            (Kind::Boolean, Value::Int(value @ (0 | 1))) => Ok(Self::Boolean(*value == 1)),
            (Kind::Boolean, _) => Err(Fault::new("neither true nor false")),
            (Kind::Text, Value::Text(text)) => Ok(Self::Text(text.clone())),
            (Kind::Text, Value::Bytes(_)) => Err(Fault::new("bytes where text belongs")),
            // Where anything can be stored, a number in a column of text is what it reads as.
            // Of bytes nothing is asked but whether they are there.
            (Kind::Text | Kind::Bytes, other) => Ok(Self::Text(other.to_string())),
            (Kind::Moment, value) => match dates::read(value) {
                Reading::Instant(instant) => Ok(Self::Instant(instant)),
                Reading::Wall(wall) => Ok(Self::Wall(wall)),
                Reading::Day(day) => Ok(Self::Day(day)),
                Reading::Infinity => Ok(Self::Never(true)),
                Reading::MinusInfinity => Ok(Self::Never(false)),
                // `03/04/2020` is one of two days: which one nobody can tell.
                Reading::Either(..) => Ok(Self::Null),
                Reading::Unreadable => Err(Fault::new("not a date")),
            },
        }
    }
}

fn number(value: &Value) -> Result<Datum, Fault> {
    match value {
        Value::Float(number) if number.is_infinite() => Ok(Datum::Infinite(*number > 0.0)),
        // How PostgreSQL's numeric writes it.
        Value::Text(text) if text == "Infinity" => Ok(Datum::Infinite(true)),
        Value::Text(text) if text == "-Infinity" => Ok(Datum::Infinite(false)),
        other => decimal::of_value(other).map(Datum::Number).ok_or_else(|| Fault::new("not a number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_what_its_column_says_is_a_fault() {
        let text = |text: &str| Value::Text(text.to_owned());
        for (value, kind) in [
            (text("abc"), Kind::Number),
            (text("1,000.00"), Kind::Number),
            (Value::Float(f64::NAN), Kind::Number),
            (text("NaN"), Kind::Number),
            (Value::Int(2), Kind::Boolean),
            (text("yesterday"), Kind::Moment),
            (text("0000-00-00"), Kind::Moment),
            (Value::Bytes(vec![1]), Kind::Text),
        ] {
            assert!(Datum::read(&value, kind).is_err(), "{value:?}");
        }
        assert_eq!(Datum::read(&text("03/04/2020"), Kind::Moment), Ok(Datum::Null));
        assert_eq!(Datum::read(&Value::Float(f64::INFINITY), Kind::Number), Ok(Datum::Infinite(true)));
        assert_eq!(Datum::read(&Value::Int(7), Kind::Text), Ok(Datum::Text("7".to_owned())));
    }
}

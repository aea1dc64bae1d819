//! Expressions over the columns of one row: conditions and amounts.
//!
//! [`parse`] reads the text, [`Expression::bind`] settles what each name is and what kind of value stands where, [`Bound::judge`] and [`Bound::value`] say
//! what a row comes to. NULL is unknown, and unknown makes unknown, save where the other side of an `and` or `or` decides. A value that is not what its
//! column says (text in a column of numbers, NaN) is a [`Fault`] of the row, and never passes in silence.

mod bind;
mod datum;
pub(crate) mod evaluate;
mod parse;
mod rule;
mod total;

use std::ops::Range;

use bigdecimal::BigDecimal;
use serde::Serialize;

pub use self::{
    bind::{BindError, Bound, BoundNode, Column, Kind},
    datum::{Datum, Fault},
    evaluate::{Judged, Moment, ordering},
    parse::{normalised, parse},
    rule::{
        Alike, AmountBy, Bounds, Key, Reference, Spans, parse_amount_by, parse_bounds, parse_duration, parse_fresh,
        parse_key, parse_moment, parse_reference, parse_spans, path_of, paths_of,
    },
    total::{Sum, Tolerance, Total, parse_sum, parse_tolerance, parse_total},
};
use crate::{Pattern, fold::Fold};

/// A dotted name: `column`, `table.column` or `namespace.table.column`.
pub type Path = Vec<String>;

/// An expression as written, with its place in the text (bytes).
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    /// What it is.
    pub node: Node,
    /// Where it stands.
    pub span: Range<usize>,
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// `null`
    Null,
    /// `true`, `false`
    Boolean(bool),
    /// `12.50`
    Number(BigDecimal),
    /// `'text'`
    Text(String),
    /// `now`
    Now,
    /// A column.
    Column(Path),
    /// `-x`
    Negative(Box<Expression>),
    /// `not x`
    Not(Box<Expression>),
    /// `a + b`
    Arithmetic(Arithmetic, Box<Expression>, Box<Expression>),
    /// `a <= b`
    Comparison(Comparison, Box<Expression>, Box<Expression>),
    /// `a and b`
    And(Box<Expression>, Box<Expression>),
    /// `a or b`
    Or(Box<Expression>, Box<Expression>),
    /// `a is null`
    IsNull(Box<Expression>),
    /// `a in (b, c)`
    In(Box<Expression>, Vec<Expression>),
    /// `a matches 'pattern'`
    Matches(Box<Expression>, Pattern),
    /// `round(a, 2)`
    Call(Function, Vec<Expression>),
    /// `(a)`
    Group(Box<Expression>),
}

/// What joins two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Arithmetic {
    /// `+`
    Plus,
    /// `-`
    Minus,
    /// `*`
    Times,
    /// `/`: twenty digits after the point, the last one rounded half to even. A division by zero is a fault.
    By,
}

/// What compares two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`, `<>`
    Different,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

impl Comparison {
    /// Whether two comparisons may follow each other: `a < b <= c`.
    fn continues(self, other: Self) -> bool {
        let rising = |comparison| matches!(comparison, Self::Less | Self::AtMost);
        let falling = |comparison| matches!(comparison, Self::Greater | Self::AtLeast);
        rising(self) && rising(other) || falling(self) && falling(other) || self == Self::Equal && other == Self::Equal
    }
}

/// A function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Function {
    /// `abs(number)`
    Abs,
    /// `sign(number)`: -1, 0 or 1.
    Sign,
    /// `round(number)`, `round(number, digits)`: half away from zero.
    Round,
    /// `length(text)`: its characters (Unicode scalar values).
    Length,
    /// `lower(text)`: by Unicode, whatever the locale.
    Lower,
    /// `upper(text)`
    Upper,
    /// `coalesce(a, b)`: the first that is not NULL.
    Coalesce,
    /// `date(moment)`: its day.
    Date,
    /// `ci`, `trim`, `squash`, `nfc`, `digits`.
    Fold(Fold),
}

impl Function {
    /// By its name.
    fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "abs" => Self::Abs,
            "sign" => Self::Sign,
            "round" => Self::Round,
            "length" => Self::Length,
            "lower" => Self::Lower,
            "upper" => Self::Upper,
            "coalesce" => Self::Coalesce,
            "date" => Self::Date,
            other => Self::Fold(Fold::of_name(other)?),
        })
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Abs => "abs",
            Self::Sign => "sign",
            Self::Round => "round",
            Self::Length => "length",
            Self::Lower => "lower",
            Self::Upper => "upper",
            Self::Coalesce => "coalesce",
            Self::Date => "date",
            Self::Fold(fold) => fold.name(),
        }
    }
}

/// Text that is no expression: what was expected, and at which character (from 1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// What would have been right.
    pub expected: String,
    /// The character's ordinal, from 1.
    pub at: usize,
}

impl SyntaxError {
    /// At a byte of a text.
    fn at(text: &str, byte: usize, expected: impl Into<String>) -> Self {
        let at = text.get(..byte).map_or(0, |before| before.chars().count()) + 1;
        Self { expected: expected.into(), at }
    }
}

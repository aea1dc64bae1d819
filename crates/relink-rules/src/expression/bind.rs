//! What each name of an expression is, and which kind of value stands where: settled once, before any row is judged.

use std::ops::Range;

use bigdecimal::ToPrimitive as _;
use relink_model::{TypeKind, Value};
use serde::Serialize;

use super::{Arithmetic, Comparison, Datum, Expression, Function, Node, Path};
use crate::{Pattern, decimal};

/// The kind of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// True or false.
    Boolean,
    /// A number.
    Number,
    /// Text, and whatever else is only compared letter by letter (UUIDs, enums, network addresses).
    Text,
    /// A day, or a day and a time.
    Moment,
    /// Bytes: there or not, and no more is asked of them.
    Bytes,
}

impl Kind {
    /// Of a column's type; `None` where a column holds anything, so that what it is compared with tells.
    pub fn of(kind: &TypeKind) -> Option<Self> {
        Some(match kind {
            TypeKind::Boolean => Self::Boolean,
            TypeKind::Integer { .. } | TypeKind::Float { .. } | TypeKind::Decimal { .. } => Self::Number,
            TypeKind::Date | TypeKind::Timestamp { .. } => Self::Moment,
            TypeKind::Bytes { .. } => Self::Bytes,
            TypeKind::Dynamic => return None,
            _ => Self::Text,
        })
    }

    fn described(self) -> &'static str {
        match self {
            Self::Boolean => "true or false",
            Self::Number => "a number",
            Self::Text => "text",
            Self::Moment => "a date",
            Self::Bytes => "bytes",
        }
    }
}

/// A column as a name finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its index among the relation's columns.
    pub index: usize,
    /// Its kind; `None` where it holds anything.
    pub kind: Option<Kind>,
}

/// A name that names nothing, or a value where another kind of value belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BindError {
    /// No such column.
    Unknown(Path),
    /// What was expected, and where (bytes of the text).
    Kind {
        /// In words.
        expected: String,
        /// Where.
        span: Range<usize>,
    },
}

/// An expression whose names and kinds are settled.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// What it is.
    pub node: BoundNode,
    /// The kind of its value.
    pub kind: Kind,
}

/// What a bound expression is.
#[derive(Clone, Debug, PartialEq)]
pub enum BoundNode {
    /// A constant.
    Constant(Datum),
    /// The instant that counts as now.
    Now,
    /// The value of a column, by its index.
    Column(usize),
    /// `-x`
    Negative(Box<Bound>),
    /// `not x`
    Not(Box<Bound>),
    /// Two numbers.
    Arithmetic(Arithmetic, Box<Bound>, Box<Bound>),
    /// Two values of one kind.
    Comparison(Comparison, Box<Bound>, Box<Bound>),
    /// Both.
    And(Box<Bound>, Box<Bound>),
    /// Either.
    Or(Box<Bound>, Box<Bound>),
    /// It is NULL.
    IsNull(Box<Bound>),
    /// It equals one of these.
    In(Box<Bound>, Vec<Bound>),
    /// Its whole text matches.
    Matches(Box<Bound>, Pattern),
    /// A function.
    Call(Function, Vec<Bound>),
}

impl Expression {
    /// Settles names and kinds; `wanted` is the kind of the whole. `column` finds a column by its path.
    pub fn bind(&self, wanted: Kind, column: &dyn Fn(&Path) -> Option<Column>) -> Result<Bound, BindError> {
        let bound = Binder { column }.bind(self, Some(wanted))?;
        if bound.kind == wanted { Ok(bound) } else { Err(self.is_no(wanted)) }
    }

    /// Settles names and kinds of an expression that may be of any kind.
    pub fn bind_any(&self, column: &dyn Fn(&Path) -> Option<Column>) -> Result<Bound, BindError> {
        Binder { column }.bind(self, None)
    }

    /// Calls `visit` with every column, left to right.
    pub fn columns<'a>(&'a self, visit: &mut dyn FnMut(&'a Path)) {
        match &self.node {
            Node::Null | Node::Boolean(_) | Node::Number(_) | Node::Text(_) | Node::Now => {}
            Node::Column(path) => visit(path),
            Node::Negative(a) | Node::Not(a) | Node::IsNull(a) | Node::Matches(a, _) | Node::Group(a) => {
                a.columns(visit);
            }
            Node::Arithmetic(_, a, b) | Node::Comparison(_, a, b) | Node::And(a, b) | Node::Or(a, b) => {
                a.columns(visit);
                b.columns(visit);
            }
            Node::In(a, values) => {
                a.columns(visit);
                for value in values {
                    value.columns(visit);
                }
            }
            Node::Call(_, arguments) => {
                for argument in arguments {
                    argument.columns(visit);
                }
            }
        }
    }

    fn is_no(&self, wanted: Kind) -> BindError {
        BindError::Kind { expected: wanted.described().to_owned(), span: self.span.clone() }
    }
}

impl Bound {
    /// The columns, each once, in the order of their indexes, with the kind that they are read as.
    pub fn columns(&self) -> Vec<(usize, Kind)> {
        let mut found = Vec::new();
        self.visit(&mut |bound| {
            if let BoundNode::Column(index) = bound.node
                && !found.contains(&(index, bound.kind))
            {
                found.push((index, bound.kind));
            }
        });
        found.sort_unstable_by_key(|(index, kind)| (*index, *kind as u8));
        found
    }

    /// Calls `visit` with this and everything in it.
    pub fn visit<'a>(&'a self, visit: &mut dyn FnMut(&'a Self)) {
        visit(self);
        match &self.node {
            BoundNode::Constant(_) | BoundNode::Now | BoundNode::Column(_) => {}
            BoundNode::Negative(a) | BoundNode::Not(a) | BoundNode::IsNull(a) | BoundNode::Matches(a, _) => {
                a.visit(visit);
            }
            BoundNode::Arithmetic(_, a, b)
            | BoundNode::Comparison(_, a, b)
            | BoundNode::And(a, b)
            | BoundNode::Or(a, b) => {
                a.visit(visit);
                b.visit(visit);
            }
            BoundNode::In(a, values) => {
                a.visit(visit);
                for value in values {
                    value.visit(visit);
                }
            }
            BoundNode::Call(_, arguments) => {
                for argument in arguments {
                    argument.visit(visit);
                }
            }
        }
    }

    /// Both conditions.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::condition(BoundNode::And(Box::new(self), Box::new(other)))
    }

    /// Every row for which the condition does not hold, also where it is unknown.
    #[must_use]
    pub fn negated(self) -> Self {
        let unknown = Self::condition(BoundNode::IsNull(Box::new(self.clone())));
        let not = Self::condition(BoundNode::Not(Box::new(self)));
        Self::condition(BoundNode::Or(Box::new(unknown), Box::new(not)))
    }

    fn constant(datum: Datum, kind: Kind) -> Self {
        Self { node: BoundNode::Constant(datum), kind }
    }

    fn condition(node: BoundNode) -> Self {
        Self { node, kind: Kind::Boolean }
    }

    fn number(node: BoundNode) -> Self {
        Self { node, kind: Kind::Number }
    }
}

struct Binder<'a> {
    column: &'a dyn Fn(&Path) -> Option<Column>,
}

impl Binder<'_> {
    /// Binds an expression; `wanted` is what it is taken for where it could be anything.
    fn bind(&self, expression: &Expression, wanted: Option<Kind>) -> Result<Bound, BindError> {
        Ok(match &expression.node {
            Node::Group(inner) => self.bind(inner, wanted)?,
            Node::Null => Bound::constant(Datum::Null, wanted.unwrap_or(Kind::Text)),
            Node::Boolean(value) => Bound::constant(Datum::Boolean(*value), Kind::Boolean),
            Node::Number(number) => Bound::constant(Datum::Number(number.clone()), Kind::Number),
            Node::Text(text) => Self::text(expression, text, wanted)?,
            Node::Now => Bound { node: BoundNode::Now, kind: Kind::Moment },
            Node::Column(path) => {
                let found = (self.column)(path).ok_or_else(|| BindError::Unknown(path.clone()))?;
                let kind = found.kind.or(wanted).unwrap_or(Kind::Text);
                Bound { node: BoundNode::Column(found.index), kind }
            }
            Node::Negative(a) => match self.of(a, Kind::Number)? {
                Bound { node: BoundNode::Constant(Datum::Number(number)), .. } => {
                    Bound::constant(Datum::Number(-number), Kind::Number)
                }
                bound => Bound::number(BoundNode::Negative(Box::new(bound))),
            },
            Node::Not(a) => Bound::condition(BoundNode::Not(Box::new(self.of(a, Kind::Boolean)?))),
            Node::Arithmetic(sign, a, b) => {
                let (a, b) = (self.of(a, Kind::Number)?, self.of(b, Kind::Number)?);
                Bound::number(BoundNode::Arithmetic(*sign, Box::new(a), Box::new(b)))
            }
            Node::Comparison(comparison, a, b) => {
                Self::refuse_null(expression, [a, b])?;
                let kind = self.common(std::iter::once(&**a).chain([&**b]))?;
                Self::refuse_bytes(expression, kind)?;
                let (a, b) = (self.of(a, kind)?, self.of(b, kind)?);
                let ordered = !matches!(comparison, Comparison::Equal | Comparison::Different);
                if ordered && kind == Kind::Boolean {
                    let expected = "= or !=: of true and false neither is less".to_owned();
                    return Err(BindError::Kind { expected, span: expression.span.clone() });
                }
                Bound::condition(BoundNode::Comparison(*comparison, Box::new(a), Box::new(b)))
            }
            Node::And(a, b) => {
                let (a, b) = (self.of(a, Kind::Boolean)?, self.of(b, Kind::Boolean)?);
                Bound::condition(BoundNode::And(Box::new(a), Box::new(b)))
            }
            Node::Or(a, b) => {
                let (a, b) = (self.of(a, Kind::Boolean)?, self.of(b, Kind::Boolean)?);
                Bound::condition(BoundNode::Or(Box::new(a), Box::new(b)))
            }
            Node::IsNull(a) => Bound::condition(BoundNode::IsNull(Box::new(self.bind(a, None)?))),
            Node::In(a, values) => {
                let kind = self.common(std::iter::once(&**a).chain(values))?;
                Self::refuse_bytes(expression, kind)?;
                let values = values.iter().map(|value| self.of(value, kind)).collect::<Result<_, _>>()?;
                Bound::condition(BoundNode::In(Box::new(self.of(a, kind)?), values))
            }
            Node::Matches(a, pattern) => {
                Bound::condition(BoundNode::Matches(Box::new(self.of(a, Kind::Text)?), pattern.clone()))
            }
            Node::Call(function, arguments) => self.call(expression, *function, arguments, wanted)?,
        })
    }

    /// Nothing is equal to NULL, nor anything else but unknown.
    fn refuse_null(expression: &Expression, sides: [&Expression; 2]) -> Result<(), BindError> {
        let is_null = |side: &Expression| {
            let mut inner = side;
            while let Node::Group(within) = &inner.node {
                inner = within;
            }
            inner.node == Node::Null
        };
        if !sides.into_iter().any(is_null) {
            return Ok(());
        }
        let expected = "\"is null\" or \"is not null\": what is compared with null is unknown for every row".to_owned();
        Err(BindError::Kind { expected, span: expression.span.clone() })
    }

    /// Bytes are not compared.
    fn refuse_bytes(expression: &Expression, kind: Kind) -> Result<(), BindError> {
        if kind != Kind::Bytes {
            return Ok(());
        }
        let expected = "\"is null\" or \"is not null\": bytes are not compared".to_owned();
        Err(BindError::Kind { expected, span: expression.span.clone() })
    }

    /// Binds what has to be of one kind.
    fn of(&self, expression: &Expression, kind: Kind) -> Result<Bound, BindError> {
        let bound = self.bind(expression, Some(kind))?;
        if bound.kind == kind { Ok(bound) } else { Err(expression.is_no(kind)) }
    }

    /// The kind of values that are compared with each other: that of the first whose kind does not hang on the others'.
    fn common<'e>(&self, expressions: impl Iterator<Item = &'e Expression>) -> Result<Kind, BindError> {
        for expression in expressions {
            if let Some(kind) = self.own_kind(expression)? {
                return Ok(kind);
            }
        }
        Ok(Kind::Text)
    }

    /// The kind of an expression, where it does not hang on what stands beside it.
    fn own_kind(&self, expression: &Expression) -> Result<Option<Kind>, BindError> {
        Ok(match &expression.node {
            Node::Group(inner) => self.own_kind(inner)?,
            Node::Null | Node::Text(_) => None,
            Node::Column(path) => (self.column)(path).ok_or_else(|| BindError::Unknown(path.clone()))?.kind,
            Node::Call(Function::Coalesce, arguments) => {
                let mut kinds = arguments.iter().map(|argument| self.own_kind(argument));
                kinds.find_map(Result::transpose).transpose()?
            }
            Node::Number(_) | Node::Negative(_) | Node::Arithmetic(..) => Some(Kind::Number),
            Node::Now => Some(Kind::Moment),
            Node::Call(function, _) => Some(match function {
                Function::Abs | Function::Sign | Function::Round | Function::Length => Kind::Number,
                Function::Date => Kind::Moment,
                Function::Lower | Function::Upper | Function::Fold(_) | Function::Coalesce => Kind::Text,
            }),
            Node::Boolean(_)
            | Node::Not(_)
            | Node::Comparison(..)
            | Node::And(..)
            | Node::Or(..)
            | Node::IsNull(_)
            | Node::In(..)
            | Node::Matches(..) => Some(Kind::Boolean),
        })
    }

    /// A text in quotes is a date or a number where one belongs.
    fn text(expression: &Expression, text: &str, wanted: Option<Kind>) -> Result<Bound, BindError> {
        let value = Value::Text(text.to_owned());
        match wanted {
            // A number alone is no date to a reader, whatever it could be in a column.
            Some(Kind::Moment) => match Datum::read(&value, Kind::Moment) {
                _ if text.chars().all(|c| c.is_ascii_digit()) => Err(expression.is_no(Kind::Moment)),
                Ok(datum @ (Datum::Day(_) | Datum::Wall(_) | Datum::Instant(_) | Datum::Never(_))) => {
                    Ok(Bound::constant(datum, Kind::Moment))
                }
                _ => Err(BindError::Kind {
                    expected: "a date such as '2026-11-20' or '2026-11-20T04:00:00Z'".to_owned(),
                    span: expression.span.clone(),
                }),
            },
            Some(Kind::Number) => match decimal::parse(text) {
                Some(number) => Ok(Bound::constant(Datum::Number(number), Kind::Number)),
                None => Err(expression.is_no(Kind::Number)),
            },
            _ => Ok(Bound::constant(Datum::Text(text.to_owned()), Kind::Text)),
        }
    }

    fn call(
        &self,
        expression: &Expression,
        function: Function,
        arguments: &[Expression],
        wanted: Option<Kind>,
    ) -> Result<Bound, BindError> {
        let wrong = |expected: &str| BindError::Kind {
            expected: format!("{}({expected})", function.name()),
            span: expression.span.clone(),
        };
        let one = |kind: Kind, what: &str| match arguments {
            [only] => Ok(vec![self.of(only, kind)?]),
            _ => Err(wrong(what)),
        };
        let (arguments, kind) = match function {
            Function::Abs | Function::Sign => (one(Kind::Number, "number")?, Kind::Number),
            Function::Round => match arguments {
                [amount] => (vec![self.of(amount, Kind::Number)?], Kind::Number),
                [amount, digits] => {
                    let is_digits = matches!(&digits.node, Node::Number(digits)
                        if digits.is_integer() && digits.to_u32().is_some_and(|digits| digits <= DIGITS_MAX));
                    if !is_digits {
                        return Err(wrong("number, digits from 0 to 20"));
                    }
                    (vec![self.of(amount, Kind::Number)?, self.of(digits, Kind::Number)?], Kind::Number)
                }
                _ => return Err(wrong("number, digits")),
            },
            Function::Length => (one(Kind::Text, "text")?, Kind::Number),
            Function::Lower | Function::Upper | Function::Fold(_) => (one(Kind::Text, "text")?, Kind::Text),
            Function::Date => (one(Kind::Moment, "moment")?, Kind::Moment),
            Function::Coalesce => {
                if arguments.len() < 2 {
                    return Err(wrong("value, value"));
                }
                let own = self.own_kind(expression)?;
                let kind = own.or(wanted).unwrap_or(Kind::Text);
                let bound = arguments.iter().map(|argument| self.of(argument, kind)).collect::<Result<_, _>>()?;
                (bound, kind)
            }
        };
        Ok(Bound { node: BoundNode::Call(function, arguments), kind })
    }
}

/// Digits after the point that a number is rounded to, at most.
const DIGITS_MAX: u32 = 20;

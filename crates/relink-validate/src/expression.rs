//! The amounts of totals: what is summed over lines, as far as SQL and exact decimals agree on it.
//!
//! Writes SQL, and evaluates exactly. It knows no catalog: whoever uses it resolves the names.

use bigdecimal::BigDecimal;
use relink_rules::{
    decimal,
    expression::{Arithmetic, Node, Path},
};

/// An arithmetic expression over columns.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expression {
    /// A literal.
    Number(BigDecimal),
    /// A column.
    Column(Path),
    /// `-x`.
    Negation(Box<Expression>),
    /// Two operands.
    Operation(Operator, Box<Expression>, Box<Expression>),
}

/// What joins two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    /// `+`
    Plus,
    /// `-`
    Minus,
    /// `*`
    Times,
}

impl Expression {
    /// Of an expression of the rules' language; an error is the place (bytes) of what an amount is not made of.
    pub(crate) fn of(expression: &relink_rules::Expression) -> Result<Self, usize> {
        let of = |expression: &relink_rules::Expression| Self::of(expression).map(Box::new);
        Ok(match &expression.node {
            Node::Group(inner) => Self::of(inner)?,
            Node::Number(number) => Self::Number(number.clone()),
            Node::Column(path) => Self::Column(path.clone()),
            Node::Negative(operand) => Self::Negation(of(operand)?),
            Node::Arithmetic(Arithmetic::Plus, a, b) => Self::Operation(Operator::Plus, of(a)?, of(b)?),
            Node::Arithmetic(Arithmetic::Minus, a, b) => Self::Operation(Operator::Minus, of(a)?, of(b)?),
            Node::Arithmetic(Arithmetic::Times, a, b) => Self::Operation(Operator::Times, of(a)?, of(b)?),
            _ => return Err(expression.span.start),
        })
    }

    /// Calls `visit` with every column, left to right.
    pub(crate) fn columns<'a>(&'a self, visit: &mut dyn FnMut(&'a Path)) {
        match self {
            Self::Number(_) => {}
            Self::Column(path) => visit(path),
            Self::Negation(operand) => operand.columns(visit),
            Self::Operation(_, left, right) => {
                left.columns(visit);
                right.columns(visit);
            }
        }
    }

    /// SQL, with `column` writing each column.
    pub(crate) fn sql(&self, column: &dyn Fn(&Path) -> String) -> String {
        match self {
            Self::Number(number) => decimal::plain(number),
            Self::Column(path) => column(path),
            // A space keeps a negative operand from making `--`, which starts a comment.
            Self::Negation(operand) => format!("(- {})", operand.sql(column)),
            Self::Operation(operator, left, right) => {
                let sign = match operator {
                    Operator::Plus => "+",
                    Operator::Minus => "-",
                    Operator::Times => "*",
                };
                format!("({} {sign} {})", left.sql(column), right.sql(column))
            }
        }
    }

    /// SQL of an upper bound of the expression's parts, whatever their signs: what rounding errors are relative to.
    pub(crate) fn magnitude_sql(&self, column: &dyn Fn(&Path) -> String) -> String {
        match self {
            Self::Number(number) => decimal::plain(&number.abs()),
            Self::Column(path) => format!("ABS({})", column(path)),
            Self::Negation(operand) => operand.magnitude_sql(column),
            Self::Operation(operator, left, right) => {
                let sign = if *operator == Operator::Times { "*" } else { "+" };
                format!("({} {sign} {})", left.magnitude_sql(column), right.magnitude_sql(column))
            }
        }
    }

    /// The exact value, with `column` giving each column's; `None` where one of them is NULL.
    pub(crate) fn evaluate(&self, column: &dyn Fn(&Path) -> Option<BigDecimal>) -> Option<BigDecimal> {
        Some(match self {
            Self::Number(number) => number.clone(),
            Self::Column(path) => column(path)?,
            Self::Negation(operand) => -operand.evaluate(column)?,
            Self::Operation(operator, left, right) => {
                let (left, right) = (left.evaluate(column)?, right.evaluate(column)?);
                match operator {
                    Operator::Plus => left + right,
                    Operator::Minus => left - right,
                    Operator::Times => left * right,
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Result<Expression, usize> {
        Expression::of(&relink_rules::parse_total(text).expect("parses").amount)
    }

    fn sql(text: &str) -> String {
        amount(text).expect("an amount").sql(&|path| path.join("."))
    }

    #[test]
    fn products_bind_tighter_and_signs_stay_readable_sql() {
        assert_eq!(sql("t = sum(l.a - l.b * (1 - l.c)) by o"), "(l.a - (l.b * (1 - l.c)))");
        assert_eq!(sql("t = sum(l.a + -l.b) by o"), "(l.a + (- l.b))");
        assert_eq!(sql("t = sum(--l.a) by o"), "(- (- l.a))");
    }

    #[test]
    fn what_rounds_or_is_no_number_is_no_amount() {
        assert_eq!(amount("t = sum(l.a / 2) by o"), Err(8));
        assert_eq!(amount("t = sum(l.a + round(l.b)) by o"), Err(14));
        assert_eq!(amount("t = sum('5') by o"), Err(8));
    }

    #[test]
    fn evaluates_exactly_and_null_makes_null() {
        let amount = amount("t = sum(l.a * l.b - 0.05) by o").expect("an amount");
        let value =
            |a: &'static str| move |path: &Path| if path[1] == "a" { decimal::parse(a) } else { decimal::parse("3") };
        assert_eq!(amount.evaluate(&value("0.1")), decimal::parse("0.25"));
        assert_eq!(amount.evaluate(&value("none")), None);
    }
}

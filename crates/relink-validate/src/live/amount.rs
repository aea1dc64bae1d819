//! The amounts of totals: what is summed over lines, as far as SQL and exact decimals agree on it.
//!
//! Writes SQL, and evaluates exactly. It knows no catalog: whoever uses it resolves the names.

use bigdecimal::BigDecimal;
use relink_model::Relation;
use relink_rules::{
    decimal,
    expression::{Arithmetic, Bound, BoundNode, Datum, Path},
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
    /// Of an amount over a relation's columns; `None` where it is made of what SQL would round.
    pub(crate) fn of(bound: &Bound, relation: &Relation) -> Option<Self> {
        let of = |bound: &Bound| Self::of(bound, relation).map(Box::new);
        Some(match &bound.node {
            BoundNode::Constant(Datum::Number(number)) => Self::Number(number.clone()),
            BoundNode::Column(index) => Self::Column(vec![relation.columns[*index].name.clone()]),
            BoundNode::Negative(operand) => Self::Negation(of(operand)?),
            BoundNode::Arithmetic(Arithmetic::Plus, a, b) => Self::Operation(Operator::Plus, of(a)?, of(b)?),
            BoundNode::Arithmetic(Arithmetic::Minus, a, b) => Self::Operation(Operator::Minus, of(a)?, of(b)?),
            BoundNode::Arithmetic(Arithmetic::Times, a, b) => Self::Operation(Operator::Times, of(a)?, of(b)?),
            _ => return None,
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

    /// Digits before and after the point that its values have at most, with `column` giving each column's; `None` where nothing bounds them.
    pub(crate) fn length(&self, column: &dyn Fn(&Path) -> Option<(u32, u32)>) -> Option<(u32, u32)> {
        Some(match self {
            Self::Number(number) => {
                let fraction = u32::try_from(number.fractional_digit_count().max(0)).ok()?;
                (u32::try_from(number.digits()).ok()?, fraction)
            }
            Self::Column(path) => column(path)?,
            Self::Negation(operand) => operand.length(column)?,
            Self::Operation(operator, left, right) => {
                let ((whole, fraction), (wholes, fractions)) = (left.length(column)?, right.length(column)?);
                match operator {
                    Operator::Times => (whole + wholes, fraction + fractions),
                    Operator::Plus | Operator::Minus => (whole.max(wholes) + 1, fraction.max(fractions)),
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use relink_model::Column as Definition;
    use relink_rules::expression::{Column, Kind};

    use super::*;

    fn relation() -> Relation {
        let column = |name: &str| Definition { name: name.to_owned(), ..Definition::default() };
        Relation { columns: vec![column("a"), column("b"), column("c")], ..Relation::default() }
    }

    fn amount(text: &str) -> Option<Expression> {
        let relation = relation();
        let column =
            |path: &Path| relation.column(&path[0]).map(|(index, _)| Column { index, kind: Some(Kind::Number) });
        let bound = relink_rules::parse(text).expect("parses").bind(Kind::Number, &column).expect("binds");
        Expression::of(&bound, &relation)
    }

    fn sql(text: &str) -> String {
        amount(text).expect("an amount").sql(&|path| path.join("."))
    }

    #[test]
    fn products_bind_tighter_and_signs_stay_readable_sql() {
        assert_eq!(sql("a - b * (1 - c)"), "(a - (b * (1 - c)))");
        assert_eq!(sql("a + -b"), "(a + (- b))");
        assert_eq!(sql("--a"), "(- (- a))");
    }

    #[test]
    fn what_rounds_is_left_to_exact_arithmetic() {
        assert_eq!(amount("a / 2"), None);
        assert_eq!(amount("a + round(b)"), None);
    }

    #[test]
    fn a_product_is_as_long_as_its_factors_together() {
        let length = |text: &str, of: Option<(u32, u32)>| amount(text).expect("an amount").length(&|_| of);
        assert_eq!(length("a * b - 0.05", Some((8, 2))), Some((17, 4)));
        assert_eq!(length("-a + 100", Some((8, 2))), Some((9, 2)));
        assert_eq!(length("a * 2", None), None);
    }
}

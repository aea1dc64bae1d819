//! `total = sum(lines.quantity * lines.price) by order_id +- 0.01 where lines.kind = 'sale'`: what a total is the sum of.

use bigdecimal::{BigDecimal, ToPrimitive as _, Zero as _};
use winnow::stream::Stream as _;

use super::{
    Expression, Node, Path, SyntaxError,
    parse::{Input, Parsed, Trouble, is_at, is_word, parsed, path, symbol, word},
    rule::{filter, number, paths, summand},
};

/// A total, as written.
#[derive(Clone, Debug, PartialEq)]
pub struct Total {
    /// The column of the header that holds the total.
    pub column: Path,
    /// The sum.
    pub sum: Sum,
    /// The columns of the line table that name the header.
    pub by: Vec<Path>,
    /// Which lines count.
    pub filter: Option<Expression>,
    /// By how much the total may differ from the sum.
    pub tolerance: Tolerance,
}

/// A sum over lines.
#[derive(Clone, Debug, PartialEq)]
pub struct Sum {
    /// What is summed; of a count, 1.
    pub amount: Expression,
    /// `count(lines)`: the table that is counted.
    pub counted: Option<Path>,
    /// `round(sum(...), 2)`: how many digits the sum is rounded to.
    pub digits: Option<i64>,
}

/// By how much two amounts may differ.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tolerance {
    /// So much; or so many hundredths of the sum.
    pub amount: BigDecimal,
    /// In hundredths of the sum: beside a sum of zero every difference counts.
    pub percent: bool,
}

/// Parses a total.
pub fn parse_total(text: &str) -> Result<Total, SyntaxError> {
    parsed(text, total, "\"+-\" and a tolerance, \"where\", or the end")
}

/// Parses the right side of a total: `sum(lines.amount)`, `round(sum(lines.amount), 2)`, `count(lines)`.
pub fn parse_sum(text: &str) -> Result<Sum, SyntaxError> {
    parsed(text, sum, "the end")
}

/// Parses `0.01` or `0.5%`.
pub fn parse_tolerance(text: &str) -> Result<Tolerance, SyntaxError> {
    parsed(text, tolerance, "\"%\", or the end")
}

fn total(input: &mut Input<'_>) -> Parsed<Total> {
    let column = expected_path(input, "the column of the total")?;
    symbol("=")(input)?;
    let sum = sum(input)?;
    word("by", "\"by\"")(input)?;
    let by = paths(input, "a column of the line table")?;
    // Before the condition, in which a sign would join two amounts.
    let tolerance = signed_tolerance(input)?;
    let filter = filter(input)?;
    Ok(Total { column, sum, by, filter, tolerance })
}

fn sum(input: &mut Input<'_>) -> Parsed<Sum> {
    let is_next = |input: &Input<'_>, name: &str| input.peek_token().is_some_and(|token| is_word(&token.what, name));
    if is_next(input, "round") {
        word("round", "")(input)?;
        symbol("(")(input)?;
        let inner = sum(input)?;
        let mut digits = 0;
        if is_at(input, ",") {
            symbol(",")(input)?;
            digits = number(input)?.to_i64().unwrap_or(0);
        }
        symbol(")")(input)?;
        return Ok(Sum { digits: Some(digits), ..inner });
    }
    if is_next(input, "count") {
        word("count", "")(input)?;
        symbol("(")(input)?;
        let table = expected_path(input, "the table that is counted")?;
        symbol(")")(input)?;
        let one = Expression { node: Node::Number(BigDecimal::from(1)), span: 0..0 };
        return Ok(Sum { amount: one, counted: Some(table), digits: None });
    }
    word("sum", "\"sum\"")(input)?;
    Ok(Sum { amount: summand(input)?, counted: None, digits: None })
}

fn expected_path(input: &mut Input<'_>, expected: &'static str) -> Parsed<Path> {
    path(input).map(|(path, _)| path).map_err(|_| Trouble::expecting(input, expected))
}

/// `+- 0.01` or `± 0.01`; nothing where nothing is said.
fn signed_tolerance(input: &mut Input<'_>) -> Parsed<Tolerance> {
    if is_at(input, "±") {
        symbol("±")(input)?;
    } else if is_at(input, "+") {
        symbol("+")(input)?;
        symbol("-")(input)?;
    } else {
        return Ok(Tolerance { amount: BigDecimal::zero(), percent: false });
    }
    tolerance(input)
}

fn tolerance(input: &mut Input<'_>) -> Parsed<Tolerance> {
    let amount = number(input).map_err(|_| Trouble::expecting(input, "a tolerance such as 0.01"))?;
    let percent = is_at(input, "%");
    if percent {
        symbol("%")(input)?;
    }
    Ok(Tolerance { amount, percent })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decimal;

    #[test]
    fn parses_a_total_with_its_tolerance() {
        for sign in ["+-", "+ -", "±"] {
            let text = format!("total = sum(order_lines.quantity * order_lines.price) by order_id {sign} 0.01");
            let total = parse_total(&text).expect("parses");
            assert_eq!(total.column, ["total"]);
            assert_eq!(total.by, [["order_id"]]);
            assert_eq!(Some(total.tolerance.amount), decimal::parse("0.01"));
        }
        let total = parse_total("\"grand total\" = SUM(l.a) BY (tenant, l.no)").expect("parses");
        assert!(total.tolerance == Tolerance::default());
        assert_eq!(total.by, [vec!["tenant"], vec!["l", "no"]]);
        assert_eq!(total.column, ["grand total"]);
    }

    #[test]
    fn sums_are_rounded_counted_and_filtered() {
        let total =
            parse_total("tax = round(sum(l.net * l.rate), 2) by o +- 0.5% where l.kind = 'sale'").expect("parses");
        assert_eq!((total.sum.digits, total.tolerance.percent, total.filter.is_some()), (Some(2), true, true));
        let total = parse_total("n = count(order_lines) by order_id").expect("parses");
        assert_eq!(total.sum.counted, Some(vec!["order_lines".to_owned()]));
        assert!(parse_tolerance("0.1%").expect("parses").percent);
    }

    #[test]
    fn an_error_says_where_and_what_was_expected() {
        for (text, at, expected) in [
            ("total sum(l.a) by o", 7, "\"=\""),
            ("= sum(l.a) by o", 1, "the column of the total"),
            ("total = avg(l.a) by o", 9, "\"sum\""),
            ("total = sum(l.a", 16, "\")\" or an operator"),
            ("total = sum(l.a) o", 18, "\"by\""),
            ("total = sum(l.a) by 5", 21, "a column of the line table"),
            ("total = sum(l.a) by o +- x", 26, "a tolerance such as 0.01"),
            ("total = sum(l.a) by o 0.1", 23, "\"+-\" and a tolerance, \"where\", or the end"),
            ("\"total = sum(l.a) by o", 1, "a closing quote to this one"),
            ("ü = sum(1.2.3)", 9, "a number such as 0.01"),
        ] {
            let error = parse_total(text).expect_err(text);
            assert_eq!((error.at, error.expected.as_str()), (at, expected), "{text}");
        }
    }
}

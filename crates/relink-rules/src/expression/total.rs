//! `total = sum(lines.quantity * lines.price) by order_id +- 0.01`: what a total is the sum of.

use bigdecimal::{BigDecimal, Zero as _};
use winnow::{Parser as _, combinator::separated, stream::Stream as _};

use super::{
    Expression, Path, SyntaxError,
    parse::{Input, Parsed, Trouble, What, amount, is_at, parsed, path, symbol, word},
};

/// A total, as written.
#[derive(Clone, Debug, PartialEq)]
pub struct Total {
    /// The column of the header that holds the total.
    pub column: Path,
    /// What is summed over the lines.
    pub amount: Expression,
    /// The columns of the line table that name the header.
    pub by: Vec<Path>,
    /// By how much the total may differ from the sum.
    pub tolerance: BigDecimal,
}

/// Parses a total.
pub fn parse_total(text: &str) -> Result<Total, SyntaxError> {
    parsed(text, total, "\"+-\" and a tolerance, or the end")
}

fn total(input: &mut Input<'_>) -> Parsed<Total> {
    let column = expected_path(input, "the column of the total")?;
    symbol("=")(input)?;
    word("sum", "\"sum\"")(input)?;
    symbol("(")(input)?;
    let summed = amount(input)?;
    symbol(")")(input)?;
    word("by", "\"by\"")(input)?;
    let by = columns(input)?;
    let tolerance = tolerance(input)?;
    Ok(Total { column, amount: summed, by, tolerance })
}

fn expected_path(input: &mut Input<'_>, expected: &'static str) -> Parsed<Path> {
    let (path, _) = path(input).map_err(|_| Trouble::expecting(input, expected))?;
    Ok(path)
}

/// `column` or `(column, column)`.
fn columns(input: &mut Input<'_>) -> Parsed<Vec<Path>> {
    let column = |input: &mut Input<'_>| expected_path(input, "a column of the line table");
    if !is_at(input, "(") {
        return Ok(vec![column(input)?]);
    }
    symbol("(")(input)?;
    let columns: Vec<Path> = separated(1.., column, symbol(",")).parse_next(input)?;
    symbol(")")(input)?;
    Ok(columns)
}

/// `+- 0.01` or `± 0.01`; nothing where nothing is said.
fn tolerance(input: &mut Input<'_>) -> Parsed<BigDecimal> {
    if is_at(input, "±") {
        symbol("±")(input)?;
    } else if is_at(input, "+") {
        symbol("+")(input)?;
        symbol("-")(input)?;
    } else {
        return Ok(BigDecimal::zero());
    }
    let start = input.checkpoint();
    if let Some(What::Number(number)) = input.next_token().map(|token| &token.what) {
        return Ok(number.clone());
    }
    input.reset(&start);
    Err(Trouble::expecting(input, "a tolerance such as 0.01"))
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
            assert_eq!(Some(total.tolerance), decimal::parse("0.01"));
        }
        let total = parse_total("\"grand total\" = SUM(l.a) BY (tenant, l.no)").expect("parses");
        assert!(total.tolerance.is_zero());
        assert_eq!(total.by, [vec!["tenant"], vec!["l", "no"]]);
        assert_eq!(total.column, ["grand total"]);
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
            ("total = sum(l.a) by o 0.1", 23, "\"+-\" and a tolerance, or the end"),
            ("\"total = sum(l.a) by o", 1, "a closing quote to this one"),
            ("ü = sum(1.2.3)", 9, "a number such as 0.01"),
        ] {
            let error = parse_total(text).expect_err(text);
            assert_eq!((error.at, error.expected.as_str()), (at, expected), "{text}");
        }
    }
}

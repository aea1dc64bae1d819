//! The short forms of rules that are more than a condition: references, keys, spans, bounds of a count, amounts per key.

use bigdecimal::{BigDecimal, ToPrimitive as _};
use winnow::{Parser as _, combinator::separated, stream::Stream as _};

use super::{
    Comparison, Expression, Function, Node, Path, SyntaxError,
    parse::{Input, Parsed, Trouble, What, amount, is_at, is_word, parsed, path, quoted, symbol, whole, word},
};
use crate::fold::Fold;

/// `(tenant_id, store_no) -> stores(tenant_id, no) where active match full as ci`
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// The referencing columns.
    pub columns: Vec<Path>,
    /// The referenced table.
    pub table: Path,
    /// The referenced columns, position for position.
    pub referenced: Vec<String>,
    /// Which rows refer.
    pub filter: Option<Expression>,
    /// `simple`, `full` or `strict`, where the rule says it.
    pub matching: Option<&'static str>,
    /// How both sides are made alike before they are compared.
    pub alike: Vec<Alike>,
}

/// How the two sides of a reference are made alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alike {
    /// As texts, so.
    Fold(Fold),
    /// As texts, letter by letter.
    Text,
    /// As numbers: `'007'` is 7.
    Number,
}

/// `ci(email), tenant_id nulls equal where active`
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// The parts: what no two rows share all of.
    pub parts: Vec<Expression>,
    /// NULL equals NULL.
    pub nulls_equal: bool,
    /// Which rows are concerned.
    pub filter: Option<Expression>,
}

/// `room_id, floor: starts_at..ends_at where cancelled = false`
#[derive(Clone, Debug, PartialEq)]
pub struct Spans {
    /// What makes a group; all rows are one where it is empty.
    pub per: Vec<Expression>,
    /// The first moment, or number.
    pub start: Expression,
    /// The one after the last.
    pub end: Expression,
    /// Which rows are concerned.
    pub filter: Option<Expression>,
}

/// `sum(movements.quantity * sign(movements.direction)) by movements.product_id`, `products.stock by products.id`
#[derive(Clone, Debug, PartialEq)]
pub struct AmountBy {
    /// What is summed, or the amount itself.
    pub amount: Expression,
    /// It is summed over the rows of a key.
    pub summed: bool,
    /// The columns of the key.
    pub by: Vec<Path>,
    /// Which rows count.
    pub filter: Option<Expression>,
}

/// Lowest and highest number of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// At least so many.
    pub least: Option<u64>,
    /// At most so many.
    pub most: Option<u64>,
}

/// Parses a reference.
pub fn parse_reference(text: &str) -> Result<Reference, SyntaxError> {
    parsed(text, reference, "\"where\", \"match\", \"as\", or the end")
}

/// Parses a key.
pub fn parse_key(text: &str) -> Result<Key, SyntaxError> {
    parsed(text, key, "\",\", \"nulls equal\", \"where\", or the end")
}

/// Parses spans.
pub fn parse_spans(text: &str) -> Result<Spans, SyntaxError> {
    parsed(text, spans, "\"where\", or the end")
}

/// Parses an amount and its key.
pub fn parse_amount_by(text: &str) -> Result<AmountBy, SyntaxError> {
    parsed(text, amount_by, "\"where\", or the end")
}

/// Parses `>= 1000`, `= 5`, `between 10 and 20`.
pub fn parse_bounds(text: &str) -> Result<Bounds, SyntaxError> {
    parsed(text, bounds, "the end")
}

/// Parses `created_at within 26h`: the column, and how many seconds.
pub fn parse_fresh(text: &str) -> Result<(String, i64), SyntaxError> {
    let expected = "a column and how recent it must be, such as \"created_at within 26h\" (s, m, h or d)";
    let error = || SyntaxError { expected: expected.to_owned(), at: 1 };
    let (column, rest) = name_before(text, " within ").ok_or_else(error)?;
    let span = rest.trim_start().strip_prefix("within ").ok_or_else(error)?;
    let seconds = parse_duration(span.trim()).ok_or_else(error)?;
    Ok((column, seconds))
}

/// Parses `column` or `column +5m`: the column, and how many seconds, where it says that.
pub fn parse_moment(text: &str) -> Option<(String, Option<i64>)> {
    let (column, rest) = name_before(text, "+")?;
    let seconds = match rest.trim() {
        "" => None,
        rest => Some(parse_duration(rest.strip_prefix('+')?.trim())?),
    };
    (!column.is_empty()).then_some((column, seconds))
}

/// A name at the start of a text, in quotes or as it stands up to the last of `until`; and what comes behind it.
fn name_before<'t>(text: &'t str, until: &str) -> Option<(String, &'t str)> {
    let text = text.trim_start();
    if text.starts_with('"') {
        return quoted(text, '"').map(|(name, length)| (name, &text[length..]));
    }
    let (name, rest) = text.split_at(text.rfind(until).unwrap_or(text.len()));
    Some((name.trim().to_owned(), rest))
}

/// A dotted name that is a text of its own: with quotes as everywhere, or as it stands, parted at its dots.
pub fn path_of(text: &str) -> Path {
    let quoted = parsed(text, |input| expected_path(input, ""), "");
    quoted.unwrap_or_else(|_| text.split('.').map(|part| part.trim().to_owned()).collect())
}

/// `column` or `(column, column)`, each as [`path_of`] reads it.
pub fn paths_of(text: &str) -> Vec<Path> {
    let quoted = parsed(text, |input| paths(input, ""), "");
    quoted.unwrap_or_else(|_| text.trim_matches(['(', ')', ' ']).split(',').map(path_of).collect())
}

/// `90s`, `5m`, `26h`, `3d`: seconds.
pub fn parse_duration(text: &str) -> Option<i64> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let number: i64 = text[..end].parse().ok()?;
    let unit = match text[end..].trim() {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    number.checked_mul(unit)
}

fn expected_path(input: &mut Input<'_>, expected: &'static str) -> Parsed<Path> {
    path(input).map(|(path, _)| path).map_err(|_| Trouble::expecting(input, expected))
}

/// `column` or `(column, column)`.
pub(super) fn paths(input: &mut Input<'_>, expected: &'static str) -> Parsed<Vec<Path>> {
    if !is_at(input, "(") {
        return Ok(vec![expected_path(input, expected)?]);
    }
    symbol("(")(input)?;
    let paths =
        separated(1.., |input: &mut Input<'_>| expected_path(input, expected), symbol(",")).parse_next(input)?;
    symbol(")")(input)?;
    Ok(paths)
}

/// `where condition`, where it stands there.
pub(super) fn filter(input: &mut Input<'_>) -> Parsed<Option<Expression>> {
    if !is_next(input, "where") {
        return Ok(None);
    }
    word("where", "")(input)?;
    whole(input).map(Some)
}

fn is_next(input: &Input<'_>, wanted: &str) -> bool {
    input.peek_token().is_some_and(|token| is_word(&token.what, wanted))
}

/// How sides are made alike, by name.
const NAMES: &[&str] = &["ci", "trim", "squash", "nfc", "digits", "text", "num"];

fn reference(input: &mut Input<'_>) -> Parsed<Reference> {
    const TARGET: &str = "what it refers to, such as customers.id or stores(tenant, no)";
    let columns = paths(input, "the columns that refer")?;
    symbol("->")(input)?;
    let mut table = expected_path(input, TARGET)?;
    let referenced = if is_at(input, "(") {
        paths(input, "a column of the other table")?.into_iter().map(|path| path.join(".")).collect()
    } else {
        let column = table.pop().filter(|_| !table.is_empty());
        vec![column.ok_or_else(|| Trouble::expecting(input, TARGET))?]
    };
    if columns.len() != referenced.len() {
        return Err(Trouble::expecting(input, "as many columns on both sides"));
    }
    let mut rule = Reference { columns, table, referenced, filter: None, matching: None, alike: Vec::new() };
    loop {
        if is_next(input, "where") && rule.filter.is_none() {
            rule.filter = filter(input)?;
        } else if is_next(input, "match") && rule.matching.is_none() {
            word("match", "")(input)?;
            rule.matching = Some(one_of(input, &["simple", "full", "strict"], "\"simple\", \"full\" or \"strict\"")?);
        } else if is_next(input, "as") && rule.alike.is_empty() {
            word("as", "")(input)?;
            loop {
                rule.alike.push(
                    match one_of(
                        input,
                        NAMES,
                        "\"ci\", \"trim\", \"squash\", \"nfc\", \"digits\", \"text\" or \"num\"",
                    )? {
                        "text" => Alike::Text,
                        "num" => Alike::Number,
                        name => Alike::Fold(Fold::of_name(name).expect("a fold's name")),
                    },
                );
                if !is_at(input, ",") {
                    break;
                }
                symbol(",")(input)?;
            }
        } else {
            return Ok(rule);
        }
    }
}

fn one_of(input: &mut Input<'_>, words: &[&'static str], expected: &'static str) -> Parsed<&'static str> {
    let found = words.iter().find(|wanted| is_next(input, wanted));
    let found = found.ok_or_else(|| Trouble::expecting(input, expected))?;
    input.next_token();
    Ok(found)
}

fn key(input: &mut Input<'_>) -> Parsed<Key> {
    let mut parts: Vec<Expression> = separated(1.., amount, symbol(",")).parse_next(input)?;
    // `(a, b)` is read as a group by nobody: one group of several columns is written without parentheses, or with.
    if let [Expression { node: Node::Group(inner), .. }] = parts.as_slice() {
        parts = vec![inner.as_ref().clone()];
    }
    let mut nulls_equal = false;
    if is_next(input, "nulls") {
        word("nulls", "")(input)?;
        nulls_equal = one_of(input, &["equal", "distinct"], "\"equal\" or \"distinct\"")? == "equal";
    }
    Ok(Key { parts, nulls_equal, filter: filter(input)? })
}

fn spans(input: &mut Input<'_>) -> Parsed<Spans> {
    let first: Vec<Expression> = separated(1.., amount, symbol(",")).parse_next(input)?;
    let (per, start) = if is_at(input, ":") {
        symbol(":")(input)?;
        (first, amount(input)?)
    } else {
        match <[Expression; 1]>::try_from(first) {
            Ok([start]) => (Vec::new(), start),
            Err(_) => {
                return Err(Trouble::expecting(input, "\":\" and the span, such as \"room_id: starts_at..ends_at\""));
            }
        }
    };
    symbol("..")(input)?;
    Ok(Spans { per, start, end: amount(input)?, filter: filter(input)? })
}

fn amount_by(input: &mut Input<'_>) -> Parsed<AmountBy> {
    let summed = is_next(input, "sum");
    let amount = if summed {
        word("sum", "")(input)?;
        summand(input)?
    } else {
        amount(input)?
    };
    word("by", "\"by\" and the columns of the key")(input)?;
    let by = paths(input, "a column of the key")?;
    Ok(AmountBy { amount, summed, by, filter: filter(input)? })
}

/// `(amount)`, behind `sum`.
pub(super) fn summand(input: &mut Input<'_>) -> Parsed<Expression> {
    symbol("(")(input)?;
    let amount = amount(input)?;
    symbol(")")(input)?;
    Ok(amount)
}

fn bounds(input: &mut Input<'_>) -> Parsed<Bounds> {
    const EXPECTED: &str = "how many rows, such as \">= 1000\" or \"between 10 and 20\"";
    if is_next(input, "between") {
        word("between", "")(input)?;
        let least = rows(input)?;
        word("and", "\"and\"")(input)?;
        return Ok(Bounds { least: Some(least), most: Some(rows(input)?) });
    }
    let comparison = match input.next_token().map(|token| &token.what) {
        Some(What::Symbol("=")) => Comparison::Equal,
        Some(What::Symbol("<")) => Comparison::Less,
        Some(What::Symbol("<=")) => Comparison::AtMost,
        Some(What::Symbol(">")) => Comparison::Greater,
        Some(What::Symbol(">=")) => Comparison::AtLeast,
        _ => return Err(Trouble::expecting(input, EXPECTED)),
    };
    let number = rows(input)?;
    Ok(match comparison {
        Comparison::Less => Bounds { least: None, most: number.checked_sub(1) },
        Comparison::AtMost => Bounds { least: None, most: Some(number) },
        Comparison::Greater => Bounds { least: Some(number.saturating_add(1)), most: None },
        Comparison::AtLeast => Bounds { least: Some(number), most: None },
        _ => Bounds { least: Some(number), most: Some(number) },
    })
}

fn rows(input: &mut Input<'_>) -> Parsed<u64> {
    number(input).and_then(|number| {
        number.to_u64().filter(|_| number.is_integer()).ok_or_else(|| Trouble::expecting(input, "a number of rows"))
    })
}

pub(super) fn number(input: &mut Input<'_>) -> Parsed<BigDecimal> {
    let start = input.checkpoint();
    if let Some(What::Number(number)) = input.next_token().map(|token| &token.what) {
        return Ok(number.clone());
    }
    input.reset(&start);
    Err(Trouble::expecting(input, "a number such as 0.01"))
}

impl Expression {
    /// This expression, folded.
    #[must_use]
    pub fn folded(self, fold: Fold) -> Self {
        let span = self.span.clone();
        Self { node: Node::Call(Function::Fold(fold), vec![self]), span }
    }

    /// A column.
    pub fn column(path: Path) -> Self {
        Self { node: Node::Column(path), span: 0..0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_have_conditions_and_ways_of_being_alike() {
        let rule = parse_reference("customer_id -> customers.id").expect("parses");
        assert_eq!(
            (rule.columns, rule.table, rule.referenced),
            (vec![vec!["customer_id".to_owned()]], vec!["customers".to_owned()], vec!["id".to_owned()])
        );
        let rule = parse_reference("(tenant, no) -> s.stores(tenant, no) match full").expect("parses");
        assert_eq!((rule.table, rule.matching), (vec!["s".to_owned(), "stores".to_owned()], Some("full")));
        let rule = parse_reference("coupon -> coupons.code where coupon != '' as ci, trim").expect("parses");
        assert!(rule.filter.is_some());
        assert_eq!(rule.alike, [Alike::Fold(Fold::Ci), Alike::Fold(Fold::Trim)]);
        for (text, at, expected) in [
            ("customer_id customers.id", 13, "\"->\""),
            ("customer_id -> customers", 25, "what it refers to, such as customers.id or stores(tenant, no)"),
            ("(a, b) -> t(a)", 15, "as many columns on both sides"),
            ("a -> t.b match half", 16, "\"simple\", \"full\" or \"strict\""),
            ("a -> t.b whre x", 10, "\"where\", \"match\", \"as\", or the end"),
        ] {
            let error = parse_reference(text).expect_err(text);
            assert_eq!((error.at, error.expected.as_str()), (at, expected), "{text}");
        }
    }

    #[test]
    fn a_moment_is_a_column_and_some_slack_and_a_name_stands_in_quotes_or_not() {
        let of = |column: &str, slack: Option<i64>| Some((column.to_owned(), slack));
        assert_eq!(parse_moment("created_at"), of("created_at", None));
        assert_eq!(parse_moment("ordered at +2h"), of("ordered at", Some(7200)));
        assert_eq!(parse_moment("d+1d"), of("d", Some(86_400)));
        assert_eq!(parse_moment(" \"a +1d\" +1h"), of("a +1d", Some(3600)));
        assert_eq!(parse_moment("\"a +1d\""), of("a +1d", None));
        for bad in ["", "+5m", "d +", "d +5", "d +5y", "d +m", "d +99999999999999999999d", "\"d\" 5m", "\"d"] {
            assert_eq!(parse_moment(bad), None, "{bad}");
        }
        assert_eq!(path_of("\"a.b\".c"), ["a.b", "c"]);
        assert_eq!(path_of("my table.c d"), ["my table", "c d"]);
        assert_eq!(path_of("by"), ["by"]);
        assert_eq!(paths_of("(a, \"b, c\")"), [["a"], ["b, c"]]);
        assert_eq!(paths_of("a b"), [["a b"]]);
    }

    #[test]
    fn keys_have_parts_that_are_folded_and_rows_that_they_are_about() {
        let key = parse_key("tenant_id, ci(trim(email)) nulls equal where active = true").expect("parses");
        assert_eq!((key.parts.len(), key.nulls_equal, key.filter.is_some()), (2, true, true));
        assert_eq!(parse_key("(email)").expect("parses").parts.len(), 1);
        assert!(parse_key("email nulls same").expect_err("no").expected.contains("equal"));
    }

    #[test]
    fn spans_counts_and_amounts_per_key() {
        let spans = parse_spans("room_id, floor: starts_at..ends_at").expect("parses");
        assert_eq!(spans.per.len(), 2);
        assert!(parse_spans("starts_at .. ends_at").expect("parses").per.is_empty());
        assert!(parse_spans("a..b where c = 1").expect("parses").filter.is_some());
        assert!(parse_spans("a..b").expect("parses").filter.is_none());
        assert_eq!(parse_bounds(">= 1000"), Ok(Bounds { least: Some(1000), most: None }));
        assert_eq!(parse_bounds("between 1 and 2"), Ok(Bounds { least: Some(1), most: Some(2) }));
        assert_eq!(parse_bounds("< 5"), Ok(Bounds { least: None, most: Some(4) }));
        assert!(parse_bounds("many").is_err());
        assert_eq!(parse_fresh("created_at within 26h"), Ok(("created_at".to_owned(), 93_600)));
        assert_eq!(parse_fresh("\"at \"\"it\"\" within \" within 1s"), Ok(("at \"it\" within ".to_owned(), 1)));
        assert!(parse_fresh("created_at within soon").is_err());
        let amount =
            parse_amount_by("sum(m.qty * sign(m.direction)) by m.product_id where m.kind != 'x'").expect("parses");
        assert!(amount.summed && amount.filter.is_some());
        let plain = parse_amount_by("products.stock by products.id").expect("parses");
        assert!(!plain.summed);
    }
}

//! The small language of totals: `total = sum(lines.quantity * lines.price) by order_id +- 0.01`.
//!
//! Parses, writes SQL, and evaluates exactly. It knows no catalog: whoever uses it resolves the names.

use std::{iter::Peekable, str::CharIndices};

use bigdecimal::{BigDecimal, Zero};

use relink_rules::decimal;

/// How deep parentheses and signs may nest: the parser and the evaluator recurse.
const DEPTH_MAX: usize = 64;

/// How many words and signs a total may have: a long chain of sums nests as deep as it is long.
const TOKENS_MAX: usize = 1000;

/// A total, as written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Total {
    /// The column of the header that holds the total.
    pub(crate) column: Path,
    /// What is summed over the lines.
    pub(crate) amount: Expression,
    /// The columns of the line table that name the header.
    pub(crate) by: Vec<Path>,
    /// By how much the total may differ from the sum.
    pub(crate) tolerance: BigDecimal,
}

/// A dotted name: `column`, `table.column` or `namespace.table.column`.
pub(crate) type Path = Vec<String>;

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

/// Text that does not parse: what was expected, and at which character (from 1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    /// What would have parsed.
    pub(crate) expected: String,
    /// The character's ordinal, from 1.
    pub(crate) at: usize,
}

impl Expression {
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

/// Parses a total.
pub(crate) fn parse_total(text: &str) -> Result<Total, SyntaxError> {
    let mut parser = Parser { text, tokens: tokenize(text)?, next: 0 };
    let column = parser.path("the column of the total")?;
    parser.symbol("=")?;
    parser.word("sum")?;
    parser.symbol("(")?;
    let amount = parser.sum(0)?;
    parser.symbol(")")?;
    parser.word("by")?;
    let by = parser.paths()?;
    let tolerance = if matches!(parser.peek(), Some(Token::Symbol("+-" | "±"))) {
        parser.next += 1;
        parser.number("a tolerance such as 0.01")?
    } else {
        BigDecimal::zero()
    };
    if parser.peek().is_some() {
        return Err(parser.expected("\"+-\" and a tolerance, or the end"));
    }
    Ok(Total { column, amount, by, tolerance })
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Name(String),
    /// A name in double quotes is never a word of the language.
    Quoted(String),
    Number(BigDecimal),
    Symbol(&'static str),
}

fn tokenize(text: &str) -> Result<Vec<(usize, Token)>, SyntaxError> {
    let mut tokens = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some(&(offset, first)) = chars.peek() {
        let token = match first {
            c if c.is_whitespace() => {
                chars.next();
                continue;
            }
            '"' => quoted_name(text, &mut chars)?,
            c if c.is_alphabetic() || c == '_' => {
                let end = take_while(text, &mut chars, |c| c.is_alphanumeric() || matches!(c, '_' | '$'));
                Token::Name(text[offset..end].to_owned())
            }
            c if c.is_ascii_digit() => {
                let end = take_while(text, &mut chars, |c| c.is_ascii_digit() || c == '.');
                let number = decimal::parse(&text[offset..end]);
                Token::Number(number.ok_or_else(|| error_at(text, offset, "a number such as 0.01"))?)
            }
            _ => {
                chars.next();
                Token::Symbol(match first {
                    '+' if chars.next_if(|(_, c)| *c == '-').is_some() => "+-",
                    '±' => "±",
                    '+' => "+",
                    '-' => "-",
                    '*' => "*",
                    '(' => "(",
                    ')' => ")",
                    '=' => "=",
                    '.' => ".",
                    ',' => ",",
                    _ => return Err(error_at(text, offset, "a name, a number, or one of + - * ( ) . , =")),
                })
            }
        };
        if tokens.len() == TOKENS_MAX {
            return Err(error_at(text, offset, "a shorter expression"));
        }
        tokens.push((offset, token));
    }
    Ok(tokens)
}

fn take_while(text: &str, chars: &mut Peekable<CharIndices<'_>>, wanted: impl Fn(char) -> bool) -> usize {
    while chars.next_if(|(_, c)| wanted(*c)).is_some() {}
    chars.peek().map_or(text.len(), |(offset, _)| *offset)
}

/// A name in double quotes; `""` stands for one.
fn quoted_name(text: &str, chars: &mut Peekable<CharIndices<'_>>) -> Result<Token, SyntaxError> {
    let start = chars.next().map_or(0, |(offset, _)| offset);
    let mut name = String::new();
    while let Some((_, c)) = chars.next() {
        if c != '"' {
            name.push(c);
        } else if chars.next_if(|(_, c)| *c == '"').is_some() {
            name.push('"');
        } else {
            return Ok(Token::Quoted(name));
        }
    }
    Err(error_at(text, start, "a closing quote to this one"))
}

fn error_at(text: &str, offset: usize, expected: &str) -> SyntaxError {
    SyntaxError { expected: expected.to_owned(), at: text[..offset].chars().count() + 1 }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<(usize, Token)>,
    next: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(_, token)| token)
    }

    fn expected(&self, what: &str) -> SyntaxError {
        let offset = self.tokens.get(self.next).map_or(self.text.len(), |(offset, _)| *offset);
        error_at(self.text, offset, what)
    }

    fn symbol(&mut self, wanted: &'static str) -> Result<(), SyntaxError> {
        if self.peek() != Some(&Token::Symbol(wanted)) {
            return Err(self.expected(&format!("{wanted:?}")));
        }
        self.next += 1;
        Ok(())
    }

    fn word(&mut self, wanted: &str) -> Result<(), SyntaxError> {
        if !matches!(self.peek(), Some(Token::Name(name)) if name.eq_ignore_ascii_case(wanted)) {
            return Err(self.expected(&format!("{wanted:?}")));
        }
        self.next += 1;
        Ok(())
    }

    fn number(&mut self, what: &str) -> Result<BigDecimal, SyntaxError> {
        let Some(Token::Number(number)) = self.peek() else {
            return Err(self.expected(what));
        };
        let number = number.clone();
        self.next += 1;
        Ok(number)
    }

    fn path(&mut self, what: &str) -> Result<Path, SyntaxError> {
        let mut path = Vec::new();
        loop {
            match self.peek() {
                Some(Token::Name(name) | Token::Quoted(name)) => path.push(name.clone()),
                _ => return Err(self.expected(what)),
            }
            self.next += 1;
            if self.peek() != Some(&Token::Symbol(".")) {
                return Ok(path);
            }
            self.next += 1;
        }
    }

    /// `column` or `(column, column)`.
    fn paths(&mut self) -> Result<Vec<Path>, SyntaxError> {
        const WHAT: &str = "a column of the line table";
        if self.peek() != Some(&Token::Symbol("(")) {
            return Ok(vec![self.path(WHAT)?]);
        }
        self.next += 1;
        let mut paths = vec![self.path(WHAT)?];
        while self.peek() == Some(&Token::Symbol(",")) {
            self.next += 1;
            paths.push(self.path(WHAT)?);
        }
        self.symbol(")")?;
        Ok(paths)
    }

    fn sum(&mut self, depth: usize) -> Result<Expression, SyntaxError> {
        let mut left = self.product(depth)?;
        loop {
            // `a +-b` is a plus and a sign, so a minus; only after `by` does `+-` introduce the tolerance.
            let operator = match self.peek() {
                Some(Token::Symbol("+")) => Operator::Plus,
                Some(Token::Symbol("-" | "+-")) => Operator::Minus,
                _ => return Ok(left),
            };
            self.next += 1;
            let right = self.product(depth)?;
            left = Expression::Operation(operator, Box::new(left), Box::new(right));
        }
    }

    fn product(&mut self, depth: usize) -> Result<Expression, SyntaxError> {
        let mut left = self.operand(depth)?;
        while self.peek() == Some(&Token::Symbol("*")) {
            self.next += 1;
            let right = self.operand(depth)?;
            left = Expression::Operation(Operator::Times, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn operand(&mut self, depth: usize) -> Result<Expression, SyntaxError> {
        if depth > DEPTH_MAX {
            return Err(self.expected("a simpler expression: this one nests too deep"));
        }
        match self.peek() {
            Some(Token::Number(_)) => Ok(Expression::Number(self.number("a number")?)),
            Some(Token::Symbol("(")) => {
                self.next += 1;
                let inner = self.sum(depth + 1)?;
                self.symbol(")")?;
                Ok(inner)
            }
            Some(Token::Symbol("-")) => {
                self.next += 1;
                Ok(Expression::Negation(Box::new(self.operand(depth + 1)?)))
            }
            _ => Ok(Expression::Column(self.path("table.column, a number or \"(\"")?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sql(text: &str) -> String {
        let total = parse_total(text).expect("parses");
        total.amount.sql(&|path| path.join("."))
    }

    #[test]
    fn parses_a_total_with_its_tolerance() {
        let total =
            parse_total("total = sum(order_lines.quantity * order_lines.price) by order_id +- 0.01").expect("parses");
        assert_eq!(total.column, ["total"]);
        assert_eq!(total.by, [["order_id"]]);
        assert_eq!(Some(total.tolerance), decimal::parse("0.01"));
        assert_eq!(total.amount.sql(&|path| path.join(".")), "(order_lines.quantity * order_lines.price)");
    }

    #[test]
    fn the_default_tolerance_is_zero_and_composite_keys_are_listed() {
        let total = parse_total("\"grand total\" = SUM(l.a) BY (tenant, l.no)").expect("parses");
        assert!(total.tolerance.is_zero());
        assert_eq!(total.by, [vec!["tenant"], vec!["l", "no"]]);
        assert_eq!(total.column, ["grand total"]);
    }

    #[test]
    fn products_bind_tighter_and_signs_stay_readable_sql() {
        assert_eq!(sql("t = sum(l.a - l.b * (1 - l.c)) by o"), "(l.a - (l.b * (1 - l.c)))");
        assert_eq!(sql("t = sum(l.a +-l.b) by o"), "(l.a - l.b)");
        assert_eq!(sql("t = sum(--l.a) by o"), "(- (- l.a))");
    }

    #[test]
    fn an_error_says_where_and_what_was_expected() {
        for (text, at, expected) in [
            ("total sum(l.a) by o", 7, "\"=\""),
            ("total = avg(l.a) by o", 9, "\"sum\""),
            ("total = sum(l.a", 16, "\")\""),
            ("total = sum(l.a / 2) by o", 17, "a name, a number, or one of + - * ( ) . , ="),
            ("total = sum(l.a) by o +- x", 26, "a tolerance such as 0.01"),
            ("total = sum(l.a) by o 0.1", 23, "\"+-\" and a tolerance, or the end"),
            ("\"total = sum(l.a) by o", 1, "a closing quote to this one"),
            ("ü = sum(1.2.3)", 9, "a number such as 0.01"),
        ] {
            let error = parse_total(text).expect_err(text);
            assert_eq!((error.at, error.expected.as_str()), (at, expected), "{text}");
        }
    }

    #[test]
    fn nesting_ten_thousand_deep_is_an_error_and_no_crash() {
        for open in ["(", "-", "1 + "] {
            let text = format!("t = sum({}l.a) by o", open.repeat(10_000));
            assert_eq!(parse_total(&text).expect_err("too long").expected, "a shorter expression");
            let text = format!("t = sum({}l.a) by o", open.repeat(400));
            assert_eq!(parse_total(&text).is_err(), open != "1 + ");
        }
    }

    #[test]
    fn evaluates_exactly_and_null_makes_null() {
        let total = parse_total("t = sum(l.a * l.b - 0.05) by o").expect("parses");
        let value =
            |a: &'static str| move |path: &Path| if path[1] == "a" { decimal::parse(a) } else { decimal::parse("3") };
        assert_eq!(total.amount.evaluate(&value("0.1")), decimal::parse("0.25"));
        assert_eq!(total.amount.evaluate(&value("none")), None);
    }
}

//! The grammar, over winnow: a Pratt parser over tokens.
//!
//! ```text
//! or < and < not < comparison, is null, in, between, matches < + - < * / < sign
//! ```

use std::{cell::RefCell, ops::Range};

use winnow::{
    Parser as _,
    combinator::{Infix, Postfix, Prefix, alt, expression, fail, opt, repeat, separated},
    error::ParserError,
    stream::{Stateful, Stream as _, TokenSlice},
    token::any,
};

use super::{Arithmetic, Comparison, Expression, Function, Node, Path, SyntaxError};
use crate::{Pattern, decimal};

/// How deep parentheses and signs may nest: parsing and judging recurse.
const DEPTH_MAX: usize = 64;

/// How many words and signs an expression may have: a long chain nests as deep as it is long.
const TOKENS_MAX: usize = 1_000;

/// Words of the language, which name no column unless quoted.
const WORDS: &[&str] =
    &["and", "or", "not", "is", "null", "in", "between", "matches", "true", "false", "now", "by", "where"];

/// What an expression begins with.
const OPERAND: &str = "a column, a number, a 'text' or \"(\"";

/// Parses an expression.
pub fn parse(text: &str) -> Result<Expression, SyntaxError> {
    parsed(text, whole, "an operator, or the end")
}

/// Parses a whole text; `end` is what may stand behind what was parsed.
pub(super) fn parsed<T>(
    text: &str,
    mut grammar: impl FnMut(&mut Input<'_>) -> Parsed<T>,
    end: &'static str,
) -> Result<T, SyntaxError> {
    let tokens = tokens(text)?;
    check_depth(text, &tokens)?;
    let furthest = RefCell::new(None);
    let mut input = Input { input: TokenSlice::new(&tokens), state: Furthest(&furthest) };
    let result = grammar(&mut input)
        .and_then(|result| if input.eof_offset() == 0 { Ok(result) } else { Err(Trouble::expecting(&input, end)) });
    result.map_err(|last: Trouble| {
        let counts = |found: &Trouble| found.refusal.is_some() || found.left < last.left || last.expected.is_empty();
        let furthest = furthest.take().filter(counts);
        let trouble = furthest.unwrap_or(last);
        if let Some((expected, byte)) = trouble.refusal {
            return SyntaxError::at(text, byte, expected);
        }
        let byte = tokens.get(tokens.len() - trouble.left).map_or(text.len(), |token| token.span.start);
        SyntaxError::at(text, byte, if trouble.expected.is_empty() { OPERAND } else { trouble.expected })
    })
}

/// A text of the language without what says nothing: blanks, the case of words, quotes around a name that needs none, zeros behind a number.
pub fn normalised(text: &str) -> String {
    let Ok(tokens) = tokens(text) else { return text.split_whitespace().collect::<Vec<_>>().join(" ") };
    let written = |token: &Token| match &token.what {
        What::Word(word) if is_reserved(word) => word.to_ascii_lowercase(),
        What::Word(name) => name.clone(),
        What::Quoted(name) => {
            let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
            let plain = name.starts_with(|c: char| c.is_alphabetic() || c == '_') && name.chars().all(is_part);
            if plain && !is_reserved(name) { name.clone() } else { format!("{name:?}") }
        }
        What::Number(number) => decimal::plain(&number.normalized()),
        What::Text(text) => format!("'{text}'"),
        What::Symbol("<>") => "!=".to_owned(),
        What::Symbol(symbol) => (*symbol).to_owned(),
    };
    tokens.iter().map(written).collect::<Vec<_>>().join(" ")
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) what: What,
    span: Range<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    /// A word, as it stands.
    Word(String),
    /// A name in double quotes is never a word of the language.
    Quoted(String),
    Number(bigdecimal::BigDecimal),
    /// In single quotes; `''` stands for one.
    Text(String),
    Symbol(&'static str),
}

const SYMBOLS: &[&str] =
    &["<=", ">=", "<>", "!=", "->", "..", "=", "<", ">", "+", "-", "*", "/", "(", ")", ",", ".", "±", "%", ":"];

fn tokens(text: &str) -> Result<Vec<Token>, SyntaxError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let while_ = |wanted: &dyn Fn(char) -> bool| rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        let (what, length) = match first {
            c if c.is_whitespace() => {
                at += c.len_utf8();
                continue;
            }
            '"' | '\'' => {
                let (content, length) =
                    quoted(rest, first).ok_or_else(|| SyntaxError::at(text, at, "a closing quote to this one"))?;
                (if first == '"' { What::Quoted(content) } else { What::Text(content) }, length)
            }
            c if c.is_alphabetic() || c == '_' => {
                let length = while_(&|c| c.is_alphanumeric() || matches!(c, '_' | '$'));
                (What::Word(rest[..length].to_owned()), length)
            }
            c if c.is_ascii_digit() => {
                let length = while_(&|c| c.is_ascii_digit() || c == '.');
                let length = rest[..length].find("..").unwrap_or(length);
                let number = decimal::parse(&rest[..length]);
                (What::Number(number.ok_or_else(|| SyntaxError::at(text, at, "a number such as 0.01"))?), length)
            }
            _ => match SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
                Some(symbol) => (What::Symbol(symbol), symbol.len()),
                None => return Err(SyntaxError::at(text, at, "a name, a number, a 'text' or an operator")),
            },
        };
        if tokens.len() == TOKENS_MAX {
            return Err(SyntaxError::at(text, at, "a shorter expression"));
        }
        tokens.push(Token { what, span: at..at + length });
        at += length;
    }
    Ok(tokens)
}

/// The content of a quoted stretch at the start of a text, with the quote doubled inside standing for one; and its length.
pub(super) fn quoted(rest: &str, quote: char) -> Option<(String, usize)> {
    let mut content = String::new();
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c != quote {
            content.push(c);
        } else if chars.next_if(|(_, next)| *next == quote).is_some() {
            content.push(quote);
        } else {
            return Some((content, at + quote.len_utf8()));
        }
    }
    None
}

/// Refuses what nests too deep before anything recurses into it.
fn check_depth(text: &str, tokens: &[Token]) -> Result<(), SyntaxError> {
    let (mut open, mut signs) = (0_usize, 0_usize);
    for token in tokens {
        match &token.what {
            What::Symbol("(") => open += 1,
            What::Symbol(")") => open = open.saturating_sub(1),
            _ => {}
        }
        let prefix = matches!(&token.what, What::Symbol("-")) || is_word(&token.what, "not");
        signs = if prefix { signs + 1 } else { 0 };
        if open + signs > DEPTH_MAX {
            return Err(SyntaxError::at(text, token.span.start, "a simpler expression: this one nests too deep"));
        }
    }
    Ok(())
}

/// Whether a word is one of the language, and no name.
fn is_reserved(word: &str) -> bool {
    WORDS.iter().any(|reserved| word.eq_ignore_ascii_case(reserved))
}

pub(super) fn is_word(what: &What, word: &str) -> bool {
    matches!(what, What::Word(found) if found.eq_ignore_ascii_case(word))
}

pub(super) type Input<'a> = Stateful<TokenSlice<'a, Token>, Furthest<'a>>;

/// The trouble that came furthest: backtracking forgets it, and it is the one to tell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Furthest<'a>(&'a RefCell<Option<Trouble>>);

/// Where parsing ended, and what would have been right there. Of two, that counts which came further.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    /// Tokens that are left.
    left: usize,
    expected: &'static str,
    /// A message of its own, and the byte that it is about.
    refusal: Option<(String, usize)>,
}

impl Trouble {
    pub(super) fn expecting(input: &Input<'_>, expected: &'static str) -> Self {
        Self { left: input.eof_offset(), expected, refusal: None }.noted(input)
    }

    /// One of several things that could stand there: their name together says more.
    fn unspoken(input: &Input<'_>) -> Self {
        Self { left: input.eof_offset(), expected: "", refusal: None }
    }

    /// Whatever is read after it, this is what is wrong.
    fn refusing(input: &Input<'_>, expected: String, byte: usize) -> Self {
        Self { left: 0, expected: "", refusal: Some((expected, byte)) }.noted(input)
    }

    fn noted(self, input: &Input<'_>) -> Self {
        let mut furthest = input.state.0.borrow_mut();
        let counts = |other: &Self| other.refusal.is_none() && (self.left < other.left || self.refusal.is_some());
        if furthest.as_ref().is_none_or(counts) {
            *furthest = Some(self.clone());
        }
        self
    }
}

impl<'a> ParserError<Input<'a>> for Trouble {
    type Inner = Self;

    fn from_input(input: &Input<'a>) -> Self {
        Self::unspoken(input)
    }

    fn or(self, other: Self) -> Self {
        match (&self.refusal, &other.refusal) {
            (Some(_), _) => self,
            (_, Some(_)) => other,
            _ if other.left < self.left || other.left == self.left && self.expected.is_empty() => other,
            _ => self,
        }
    }

    fn into_inner(self) -> Result<Self::Inner, Self> {
        Ok(self)
    }
}

pub(super) type Parsed<T> = Result<T, Trouble>;

pub(super) fn is_at(input: &Input<'_>, wanted: &'static str) -> bool {
    input.peek_token().is_some_and(|token| token.what == What::Symbol(wanted))
}

pub(super) fn symbol<'a>(wanted: &'static str) -> impl FnMut(&mut Input<'a>) -> Parsed<Range<usize>> {
    move |input| match input.peek_token() {
        Some(token) if token.what == What::Symbol(wanted) => {
            let span = token.span.clone();
            input.next_token();
            Ok(span)
        }
        _ => Err(Trouble::expecting(input, quoted_symbol(wanted))),
    }
}

/// A symbol as messages name it.
fn quoted_symbol(symbol: &'static str) -> &'static str {
    match symbol {
        "(" => "\"(\"",
        ")" => "\")\" or an operator",
        "," => "\",\"",
        "=" => "\"=\"",
        "->" => "\"->\"",
        ".." => "\"..\"",
        ":" => "\":\"",
        _ => "an operator",
    }
}

pub(super) fn word<'a>(
    wanted: &'static str,
    expected: &'static str,
) -> impl FnMut(&mut Input<'a>) -> Parsed<Range<usize>> {
    move |input| match input.peek_token() {
        Some(token) if is_word(&token.what, wanted) => {
            let span = token.span.clone();
            input.next_token();
            Ok(span)
        }
        _ if expected.is_empty() => Err(Trouble::unspoken(input)),
        _ => Err(Trouble::expecting(input, expected)),
    }
}

pub(super) fn whole(input: &mut Input<'_>) -> Parsed<Expression> {
    expression(operand).prefix(prefix).infix(infix).postfix(postfix).parse_next(input)
}

/// An amount: what stands beside a comparison.
pub(super) fn amount(input: &mut Input<'_>) -> Parsed<Expression> {
    expression(operand).prefix(sign).infix(arithmetic).parse_next(input)
}

fn joined(a: &Expression, b: &Expression) -> Range<usize> {
    a.span.start..b.span.end
}

fn sign<'a>(input: &mut Input<'a>) -> Parsed<Prefix<Input<'a>, Expression, Trouble>> {
    if !is_at(input, "-") {
        return Err(Trouble::unspoken(input));
    }
    symbol("-")(input)?;
    Ok(Prefix(70, |_: &mut Input<'a>, a: Expression| {
        let span = a.span.clone();
        Ok(Expression { node: Node::Negative(Box::new(a)), span })
    }))
}

fn prefix<'a>(input: &mut Input<'a>) -> Parsed<Prefix<Input<'a>, Expression, Trouble>> {
    if word("not", "")(input).is_ok() {
        return Ok(Prefix(30, |_: &mut Input<'a>, a: Expression| {
            let span = a.span.clone();
            Ok(Expression { node: Node::Not(Box::new(a)), span })
        }));
    }
    sign(input)
}

macro_rules! operation {
    ($make:expr) => {
        |_: &mut Input<'a>, a: Expression, b: Expression| {
            let span = joined(&a, &b);
            Ok(Expression { node: $make(Box::new(a), Box::new(b)), span })
        }
    };
}

fn arithmetic<'a>(input: &mut Input<'a>) -> Parsed<Infix<Input<'a>, Expression, Trouble>> {
    let start = input.checkpoint();
    let token = any.parse_next(input)?;
    Ok(match &token.what {
        What::Symbol("+") => Infix::Left(50, operation!(|a, b| Node::Arithmetic(Arithmetic::Plus, a, b))),
        What::Symbol("-") => Infix::Left(50, operation!(|a, b| Node::Arithmetic(Arithmetic::Minus, a, b))),
        What::Symbol("*") => Infix::Left(60, operation!(|a, b| Node::Arithmetic(Arithmetic::Times, a, b))),
        What::Symbol("/") => Infix::Left(60, operation!(|a, b| Node::Arithmetic(Arithmetic::By, a, b))),
        _ => {
            input.reset(&start);
            return fail.parse_next(input);
        }
    })
}

fn infix<'a>(input: &mut Input<'a>) -> Parsed<Infix<Input<'a>, Expression, Trouble>> {
    if let Ok(found) = arithmetic(input) {
        return Ok(found);
    }
    macro_rules! compare {
        ($comparison:expr) => {
            Infix::Left(40, |input: &mut Input<'a>, a, b| compared(input, $comparison, a, b))
        };
    }
    let start = input.checkpoint();
    let token = any.parse_next(input)?;
    Ok(match &token.what {
        What::Symbol("=") => compare!(Comparison::Equal),
        What::Symbol("!=" | "<>") => compare!(Comparison::Different),
        What::Symbol("<") => compare!(Comparison::Less),
        What::Symbol("<=") => compare!(Comparison::AtMost),
        What::Symbol(">") => compare!(Comparison::Greater),
        What::Symbol(">=") => compare!(Comparison::AtLeast),
        word if is_word(word, "and") => Infix::Left(20, operation!(Node::And)),
        word if is_word(word, "or") => Infix::Left(10, operation!(Node::Or)),
        _ => {
            input.reset(&start);
            return fail.parse_next(input);
        }
    })
}

/// `a < b`; and `a < b <= c` as `a < b and b <= c`.
fn compared(input: &Input<'_>, comparison: Comparison, a: Expression, b: Expression) -> Parsed<Expression> {
    let span = joined(&a, &b);
    let last = match &a.node {
        Node::Comparison(before, _, middle) => Some((*before, middle)),
        Node::And(_, last) => match &last.node {
            Node::Comparison(before, _, middle) => Some((*before, middle)),
            _ => None,
        },
        _ => None,
    };
    let node = match last {
        None => Node::Comparison(comparison, Box::new(a), Box::new(b)),
        Some((before, middle)) if before.continues(comparison) => {
            let link = joined(middle, &b);
            let next = Node::Comparison(comparison, middle.clone(), Box::new(b));
            Node::And(Box::new(a), Box::new(Expression { node: next, span: link }))
        }
        Some(_) => return Err(Trouble::expecting(input, "\"and\": these comparisons do not go one way")),
    };
    Ok(Expression { node, span })
}

fn postfix<'a>(input: &mut Input<'a>) -> Parsed<Postfix<Input<'a>, Expression, Trouble>> {
    let start = input.checkpoint();
    let not = opt(word("not", "")).parse_next(input)?.is_some();
    let Some(token) = input.next_token() else {
        input.reset(&start);
        return fail.parse_next(input);
    };
    Ok(match &token.what {
        found if !not && is_word(found, "is") => Postfix(40, is_null),
        found if is_word(found, "in") && not => Postfix(40, |input, a| Ok(negated(is_in(input, a)?))),
        found if is_word(found, "in") => Postfix(40, is_in),
        found if is_word(found, "between") && not => Postfix(40, |input, a| Ok(negated(is_between(input, a)?))),
        found if is_word(found, "between") => Postfix(40, is_between),
        found if is_word(found, "matches") && not => Postfix(40, |input, a| Ok(negated(matches(input, a)?))),
        found if is_word(found, "matches") => Postfix(40, matches),
        _ => {
            input.reset(&start);
            return fail.parse_next(input);
        }
    })
}

fn negated(a: Expression) -> Expression {
    let span = a.span.clone();
    Expression { node: Node::Not(Box::new(a)), span }
}

fn is_null(input: &mut Input<'_>, a: Expression) -> Parsed<Expression> {
    let not = opt(word("not", "")).parse_next(input)?.is_some();
    let end = word("null", "\"null\" or \"not null\"")(input)?.end;
    let span = a.span.start..end;
    let made = Expression { node: Node::IsNull(Box::new(a)), span };
    Ok(if not { negated(made) } else { made })
}

fn is_in(input: &mut Input<'_>, a: Expression) -> Parsed<Expression> {
    symbol("(")(input)?;
    let values: Vec<Expression> = separated(1.., amount, symbol(",")).parse_next(input)?;
    let end = symbol(")")(input)?.end;
    let span = a.span.start..end;
    Ok(Expression { node: Node::In(Box::new(a), values), span })
}

/// `a between b and c` is `b <= a and a <= c`.
fn is_between(input: &mut Input<'_>, a: Expression) -> Parsed<Expression> {
    // It stands in both comparisons, and of conditions neither is less than another.
    let is_amount = matches!(
        a.node,
        Node::Number(_)
            | Node::Text(_)
            | Node::Now
            | Node::Column(_)
            | Node::Negative(_)
            | Node::Arithmetic(..)
            | Node::Call(..)
    );
    if !is_amount {
        return Err(Trouble::refusing(input, "a column or an amount before \"between\"".to_owned(), a.span.start));
    }
    let low = amount(input)?;
    word("and", "\"and\"")(input)?;
    let high = amount(input)?;
    let span = joined(&a, &high);
    let at_least = Expression {
        node: Node::Comparison(Comparison::AtLeast, Box::new(a.clone()), Box::new(low)),
        span: span.clone(),
    };
    let at_most =
        Expression { node: Node::Comparison(Comparison::AtMost, Box::new(a), Box::new(high)), span: span.clone() };
    let node = Node::Group(Box::new(Expression {
        node: Node::And(Box::new(at_least), Box::new(at_most)),
        span: span.clone(),
    }));
    Ok(Expression { node, span })
}

fn matches(input: &mut Input<'_>, a: Expression) -> Parsed<Expression> {
    let before = input.checkpoint();
    let Some(Token { what: What::Text(source), span }) = input.next_token() else {
        input.reset(&before);
        return Err(Trouble::expecting(input, "a pattern in single quotes"));
    };
    let pattern = Pattern::new(source)
        .map_err(|why| Trouble::refusing(input, format!("a pattern, and this is none ({why})"), span.start))?;
    let span = a.span.start..span.end;
    Ok(Expression { node: Node::Matches(Box::new(a), pattern), span })
}

fn operand(input: &mut Input<'_>) -> Parsed<Expression> {
    alt((group, literal, call, column)).parse_next(input).map_err(|trouble: Trouble| {
        let own = Trouble::expecting(input, OPERAND);
        trouble.or(own)
    })
}

fn group(input: &mut Input<'_>) -> Parsed<Expression> {
    if !is_at(input, "(") {
        return Err(Trouble::unspoken(input));
    }
    let start = symbol("(")(input)?.start;
    let inner = whole(input)?;
    let end = symbol(")")(input)?.end;
    Ok(Expression { node: Node::Group(Box::new(inner)), span: start..end })
}

fn literal(input: &mut Input<'_>) -> Parsed<Expression> {
    let start = input.checkpoint();
    let Some(token) = input.next_token() else { return fail.parse_next(input) };
    let node = match &token.what {
        What::Number(number) => Node::Number(number.clone()),
        What::Text(text) => Node::Text(text.clone()),
        found if is_word(found, "null") => Node::Null,
        found if is_word(found, "true") => Node::Boolean(true),
        found if is_word(found, "false") => Node::Boolean(false),
        found if is_word(found, "now") => Node::Now,
        _ => {
            input.reset(&start);
            return fail.parse_next(input);
        }
    };
    Ok(Expression { node, span: token.span.clone() })
}

fn call(input: &mut Input<'_>) -> Parsed<Expression> {
    let start = input.checkpoint();
    let (Some(name), Some(Token { what: What::Symbol("("), .. })) = (input.next_token(), input.next_token()) else {
        input.reset(&start);
        return fail.parse_next(input);
    };
    let What::Word(written) = &name.what else {
        input.reset(&start);
        return fail.parse_next(input);
    };
    if is_reserved(written) {
        input.reset(&start);
        return fail.parse_next(input);
    }
    let Some(function) = Function::of_name(&written.to_ascii_lowercase()) else {
        const KNOWN: &str =
            "a function: abs, ci, coalesce, date, digits, length, lower, nfc, round, sign, squash, trim, upper";
        return Err(Trouble::refusing(input, KNOWN.to_owned(), name.span.start));
    };
    let arguments: Vec<Expression> = separated(1.., amount, symbol(",")).parse_next(input)?;
    let end = symbol(")")(input)?.end;
    Ok(Expression { node: Node::Call(function, arguments), span: name.span.start..end })
}

fn column(input: &mut Input<'_>) -> Parsed<Expression> {
    let (path, span) = path(input)?;
    Ok(Expression { node: Node::Column(path), span })
}

/// `column`, `table.column`, `namespace.table.column`.
pub(super) fn path(input: &mut Input<'_>) -> Parsed<(Path, Range<usize>)> {
    let (first, start) = name(input)?;
    let rest: Vec<(String, Range<usize>)> = repeat(0.., |input: &mut Input<'_>| {
        if is_at(input, ".") { symbol(".")(input).and_then(|_| name(input)) } else { Err(Trouble::unspoken(input)) }
    })
    .parse_next(input)?;
    let end = rest.last().map_or(start.end, |(_, span)| span.end);
    Ok((std::iter::once(first).chain(rest.into_iter().map(|(name, _)| name)).collect(), start.start..end))
}

fn name(input: &mut Input<'_>) -> Parsed<(String, Range<usize>)> {
    let is_name = |what: &What| match what {
        What::Quoted(_) => true,
        What::Word(word) => !is_reserved(word),
        _ => false,
    };
    match input.peek_token() {
        Some(token) if is_name(&token.what) => {
            let (What::Quoted(name) | What::Word(name)) = &token.what else { return fail.parse_next(input) };
            input.next_token();
            Ok((name.clone(), token.span.clone()))
        }
        _ => Err(Trouble::unspoken(input)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::Fold;

    /// In a form that shows how operators bind.
    fn shape(expression: &Expression) -> String {
        let pair = |sign: &str, a: &Expression, b: &Expression| format!("({} {sign} {})", shape(a), shape(b));
        let all = |values: &[Expression]| values.iter().map(shape).collect::<Vec<_>>().join(", ");
        match &expression.node {
            Node::Null => "null".to_owned(),
            Node::Boolean(value) => value.to_string(),
            Node::Number(number) => decimal::plain(number),
            Node::Text(text) => format!("'{text}'"),
            Node::Now => "now".to_owned(),
            Node::Column(path) => path.join("."),
            Node::Negative(a) => format!("-{}", shape(a)),
            Node::Not(a) => format!("not {}", shape(a)),
            Node::Arithmetic(Arithmetic::Plus, a, b) => pair("+", a, b),
            Node::Arithmetic(Arithmetic::Minus, a, b) => pair("-", a, b),
            Node::Arithmetic(Arithmetic::Times, a, b) => pair("*", a, b),
            Node::Arithmetic(Arithmetic::By, a, b) => pair("/", a, b),
            Node::Comparison(comparison, a, b) => {
                let sign = match comparison {
                    Comparison::Equal => "=",
                    Comparison::Different => "!=",
                    Comparison::Less => "<",
                    Comparison::AtMost => "<=",
                    Comparison::Greater => ">",
                    Comparison::AtLeast => ">=",
                };
                pair(sign, a, b)
            }
            Node::And(a, b) => pair("and", a, b),
            Node::Or(a, b) => pair("or", a, b),
            Node::IsNull(a) => format!("{} is null", shape(a)),
            Node::In(a, values) => format!("{} in [{}]", shape(a), all(values)),
            Node::Matches(a, pattern) => format!("{} matches '{pattern}'", shape(a)),
            Node::Call(function, arguments) => format!("{}({})", function.name(), all(arguments)),
            Node::Group(a) => shape(a),
        }
    }

    fn shown(text: &str) -> String {
        parse(text).map_or_else(|error| format!("{}: {}", error.at, error.expected), |parsed| shape(&parsed))
    }

    #[test]
    fn operators_bind_as_in_sql() {
        for (text, expected) in [
            ("a = 1 or b = 2 and not c = 3", "((a = 1) or ((b = 2) and not (c = 3)))"),
            ("a + b * -c - d / 2", "((a + (b * -c)) - (d / 2))"),
            ("(a + b) * c >= 10.50", "(((a + b) * c) >= 10.50)"),
            ("total >= 0 or kind = 'refund'", "((total >= 0) or (kind = 'refund'))"),
            ("a is null and b is not null", "(a is null and not b is null)"),
            ("status not in ('a', 'it''s') ", "not status in ['a', 'it's']"),
            ("not a between 1 and 2 + 3 and b", "(not ((a >= 1) and (a <= (2 + 3))) and b)"),
            ("a <= b <= c", "((a <= b) and (b <= c))"),
            ("a < b <= c < d", "(((a < b) and (b <= c)) and (c < d))"),
            ("(a < b) = c", "((a < b) = c)"),
            ("sku matches '^[A-Z]+$'", "sku matches '^[A-Z]+$'"),
            ("ROUND(l.qty * l.price, 2) <> \"from\".\"a \"\"b\"", "(round((l.qty * l.price), 2) != from.a \"b)"),
            ("ci(email) = ci(login)", "(ci(email) = ci(login))"),
            ("created_at <= now", "(created_at <= now)"),
            ("NOT (a AND b)", "not (a and b)"),
            ("- -a = --1", "(--a = --1)"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
        let call = parse("ci(a)").expect("parses");
        assert!(matches!(call.node, Node::Call(Function::Fold(Fold::Ci), _)));
    }

    #[test]
    fn an_error_says_where_and_what_was_expected() {
        for (text, expected) in [
            ("", "1: a column, a number, a 'text' or \"(\""),
            ("a = ", "5: a column, a number, a 'text' or \"(\""),
            ("a = 1 b", "7: an operator, or the end"),
            ("(a = 1", "7: \")\" or an operator"),
            ("a in 1", "6: \"(\""),
            ("a in (1, )", "10: a column, a number, a 'text' or \"(\""),
            ("a is 5", "6: \"null\" or \"not null\""),
            ("a between 1 or 2", "13: \"and\""),
            ("a between 1 and 2 between 1 and 2", "1: a column or an amount before \"between\""),
            ("a < b > c", "10: \"and\": these comparisons do not go one way"),
            ("é ~ 1", "3: a name, a number, a 'text' or an operator"),
            ("a = 'x", "5: a closing quote to this one"),
            ("a = 1.2.3", "5: a number such as 0.01"),
            ("a matches b", "11: a pattern in single quotes"),
            (
                "median(a) > 1",
                "1: a function: abs, ci, coalesce, date, digits, length, lower, nfc, round, sign, squash, trim, upper",
            ),
            ("not (a >) or b", "9: a column, a number, a 'text' or \"(\""),
            ("a in (1) and not (b = )", "23: a column, a number, a 'text' or \"(\""),
            ("where = 1", "1: a column, a number, a 'text' or \"(\""),
        ] {
            assert_eq!(shown(text), expected, "{text:?}");
        }
        assert!(shown("a matches '['").starts_with("11: a pattern, and this is none"));
    }

    #[test]
    fn what_says_the_same_is_the_same_text() {
        assert_eq!(normalised("total>1.0 AND kind <> 'A  b'"), normalised("\"total\"  > 1 and kind != 'A  b'"));
        for (one, other) in
            [("a = 'x'", "a = 'X'"), ("a > 1", "a > 2"), ("\"a b\" > 1", "a b > 1"), ("a", "A"), ("'a", "\"a")]
        {
            assert_ne!(normalised(one), normalised(other), "{one} {other}");
        }
    }

    #[test]
    fn nesting_ten_thousand_deep_is_an_error_and_no_crash() {
        for open in ["(", "-", "not ", "abs(", "1 + "] {
            let long = shown(&format!("{}a", open.repeat(10_000)));
            assert!(long.ends_with("a shorter expression"), "{open}: {long}");
            let deep = shown(&format!("{}a", open.repeat(400)));
            assert_eq!(deep.ends_with("nests too deep"), open != "1 + ", "{open}: {deep}");
        }
    }
}

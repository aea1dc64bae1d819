//! Conditions and amounts out of a schema's own SQL, as far as the rules' language says surely the same.
//!
//! SQL has its own reader here, for much of it looks like the rules' language and means something else: `/` of whole numbers, `1 < n < 5`, a cast that
//! rounds or cuts, `lower` by a locale. What is not named here is left to a database.

use bigdecimal::{BigDecimal, ToPrimitive as _};

use crate::{
    decimal,
    expression::{Arithmetic, Comparison, Expression, Function, Node},
};

/// What a column holds, as far as its comparisons are surely the same in the database and here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// True or false.
    Truth,
    /// Whole numbers that are calculated with exactly.
    Whole,
    /// Decimals that are calculated with exactly.
    Exact,
    /// Numbers that are kept as 64-bit floats: compared, and not calculated with.
    Float,
    /// Text that is equal where every letter is.
    Text {
        /// Whether `length` counts all of its characters.
        counted: bool,
    },
    /// Days.
    Day,
    /// Date and time without a zone.
    Wall,
    /// Points in time.
    Instant,
    /// Anything else: it is there or not.
    Other,
}

/// How deep parentheses may nest: reading recurses.
const DEPTH_MAX: usize = 32;

/// How many words and signs there may be.
const TOKENS_MAX: usize = 500;

/// Digits up to which a decimal literal is the shortest of its 64-bit float.
const FLOAT_DIGITS_MAX: u64 = 15;

/// Words that name no column unless quoted.
const RESERVED: &[&str] = &[
    "all",
    "and",
    "any",
    "array",
    "between",
    "case",
    "cast",
    "collate",
    "current_date",
    "current_time",
    "current_timestamp",
    "current_user",
    "distinct",
    "else",
    "end",
    "exists",
    "false",
    "from",
    "glob",
    "in",
    "is",
    "isnull",
    "like",
    "localtime",
    "localtimestamp",
    "not",
    "notnull",
    "now",
    "null",
    "or",
    "regexp",
    "select",
    "session_user",
    "some",
    "then",
    "true",
    "user",
    "when",
    "xor",
];

/// A CHECK, a predicate or a part of an index in the rules' language; `None` where it is not sure that it means the same there. `column` says by what
/// name a column goes, and what it holds.
pub fn of_sql(text: &str, column: &dyn Fn(&str) -> Option<(String, Held)>) -> Option<Expression> {
    let tokens = tokens(text)?;
    let mut reader = Reader { tokens: &tokens, at: 0, depth: 0, column };
    let read = reader.either()?;
    (reader.at == tokens.len()).then_some(read.expression)
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Quoted(String),
    Number(BigDecimal),
    Text(String),
    Symbol(&'static str),
}

const SYMBOLS: &[&str] = &["::", "<=", ">=", "<>", "!=", "=", "<", ">", "+", "-", "*", "(", ")", "[", "]", ",", "."];

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = |wanted: &dyn Fn(char) -> bool| rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        let (token, length) = match first {
            // What a backslash means differs.
            '\'' => {
                let (content, length) = quoted(rest, first)?;
                (Token::Text(content), length)
            }
            '"' | '`' => {
                let (content, length) = quoted(rest, first)?;
                (Token::Quoted(content), length)
            }
            c if c.is_alphabetic() || c == '_' => {
                let length = length(&|c| c.is_alphanumeric() || matches!(c, '_' | '$'));
                (Token::Word(rest[..length].to_owned()), length)
            }
            c if c.is_ascii_digit() => {
                let length = length(&|c| c.is_ascii_digit() || c == '.');
                (Token::Number(decimal::parse(&rest[..length])?), length)
            }
            _ if rest.starts_with("--") => return None,
            _ => {
                let symbol = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol))?;
                (Token::Symbol(symbol), symbol.len())
            }
        };
        tokens.push(token);
        rest = &rest[length..];
        // `1e5`, `0x1F`, `E'a'`, `_utf8mb4'a'`, `'a''b'` in pieces: what follows at once without a sign between is one thing, and none that is read here.
        let glued = |c: char| c.is_alphanumeric() || matches!(c, '_' | '\'' | '"' | '`');
        if !matches!(tokens.last(), Some(Token::Symbol(_))) && rest.starts_with(glued) || tokens.len() > TOKENS_MAX {
            return None;
        }
        rest = rest.trim_start();
    }
    Some(tokens)
}

/// What stands in quotes at the start of a text, and how long that is with them.
fn quoted(rest: &str, quote: char) -> Option<(String, usize)> {
    let mut content = String::new();
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => return None,
            _ if c != quote => content.push(c),
            _ if chars.next_if(|(_, next)| *next == quote).is_some() => content.push(quote),
            _ => return Some((content, at + 1)),
        }
    }
    None
}

/// What has been read.
struct Read {
    expression: Expression,
    what: What,
}

#[derive(Clone, Copy, PartialEq)]
enum What {
    /// A column, or what is made of columns.
    Held(Held),
    /// A number as written, with so many digits.
    Number(u64),
    /// A text as written.
    Text,
    Null,
}

impl Read {
    fn new(node: Node, what: What) -> Self {
        Self { expression: Expression { node, span: 0..0 }, what }
    }

    fn truth(node: Node) -> Self {
        Self::new(node, What::Held(Held::Truth))
    }

    fn number(number: BigDecimal) -> Self {
        let digits = number.normalized().digits();
        Self::new(Node::Number(number), What::Number(digits))
    }

    fn text(text: String) -> Self {
        Self::new(Node::Text(text), What::Text)
    }

    /// As a condition.
    fn condition(self) -> Option<Box<Expression>> {
        matches!(self.what, What::Held(Held::Truth) | What::Null).then(|| Box::new(self.expression))
    }

    fn is_whole_literal(&self) -> bool {
        matches!(&self.expression.node, Node::Number(number) if number.is_integer())
    }

    /// True or false where a number stands for them.
    fn truthful(self) -> Self {
        let number = match &self.expression.node {
            Node::Number(number) if number.is_integer() => number.to_u8(),
            _ => None,
        };
        match number {
            Some(number @ (0 | 1)) => Self::truth(Node::Boolean(number == 1)),
            _ => self,
        }
    }
}

/// Whether two values are compared here as in the database.
fn comparable(one: &Read, other: &Read, ordered: bool) -> bool {
    use Held::{Day, Exact, Float, Instant, Text, Truth, Wall, Whole};
    match (one.what, other.what) {
        (What::Null, _)
        | (_, What::Null)
        | (What::Held(Whole | Exact) | What::Number(_), What::Held(Whole | Exact) | What::Number(_)) => true,
        (What::Held(one @ (Float | Day | Wall | Instant)), What::Held(other)) => one == other,
        (What::Held(Float), What::Number(digits)) | (What::Number(digits), What::Held(Float)) => {
            digits <= FLOAT_DIGITS_MAX
        }
        // Texts stand in an order that hangs on the collation.
        (What::Held(Text { .. }) | What::Text, What::Held(Text { .. }) | What::Text)
        | (What::Held(Truth), What::Held(Truth)) => !ordered,
        (What::Held(Day), What::Text) => is_day(&other.expression),
        (What::Text, What::Held(Day)) => is_day(&one.expression),
        (What::Held(Wall), What::Text) => is_wall(&other.expression),
        (What::Text, What::Held(Wall)) => is_wall(&one.expression),
        _ => false,
    }
}

/// Whether a text has the shape of another, in which `0` stands for any digit.
fn has_shape(expression: &Expression, shape: &str) -> bool {
    let Node::Text(text) = &expression.node else { return false };
    let fits = |(c, of): (char, char)| if of == '0' { c.is_ascii_digit() } else { c == of };
    text.len() == shape.len() && text.chars().zip(shape.chars()).all(fits)
}

fn is_day(expression: &Expression) -> bool {
    has_shape(expression, "0000-00-00")
}

fn is_wall(expression: &Expression) -> bool {
    has_shape(expression, "0000-00-00 00:00:00")
}

struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
    depth: usize,
    column: &'a dyn Fn(&str) -> Option<(String, Held)>,
}

impl Reader<'_> {
    fn is_symbol(&mut self, symbol: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some(Token::Symbol(other)) if *other == symbol);
        self.at += usize::from(found);
        found
    }

    fn is_word(&mut self, word: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some(Token::Word(other)) if other.eq_ignore_ascii_case(word));
        self.at += usize::from(found);
        found
    }

    fn symbol(&mut self, symbol: &str) -> Option<()> {
        self.is_symbol(symbol).then_some(())
    }

    fn either(&mut self) -> Option<Read> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return None;
        }
        let mut read = self.both()?;
        while self.is_word("or") {
            read = Read::truth(Node::Or(read.condition()?, self.both()?.condition()?));
        }
        self.depth -= 1;
        Some(read)
    }

    fn both(&mut self) -> Option<Read> {
        let mut read = self.not()?;
        while self.is_word("and") {
            read = Read::truth(Node::And(read.condition()?, self.not()?.condition()?));
        }
        Some(read)
    }

    fn not(&mut self) -> Option<Read> {
        if self.is_word("not") {
            // Twice in a row is seldom meant, and would recurse without an end.
            return Some(Read::truth(Node::Not(self.compared()?.condition()?)));
        }
        self.compared()
    }

    /// One comparison at most: of several in a row each database makes something else.
    fn compared(&mut self) -> Option<Read> {
        let one = self.sum()?;
        if self.is_word("is") {
            let not = self.is_word("not");
            if !self.is_word("null") {
                return None;
            }
            return Some(negated_if(not, Node::IsNull(Box::new(one.expression))));
        }
        let not = self.is_word("not");
        if self.is_word("in") {
            self.symbol("(")?;
            let values = self.list(")")?;
            return among(one, values, not);
        }
        if self.is_word("between") {
            let from = self.sum()?;
            if !self.is_word("and") {
                return None;
            }
            let to = self.sum()?;
            if !comparable(&one, &from, true) || !comparable(&one, &to, true) {
                return None;
            }
            let one = Box::new(one.expression);
            let side = |comparison, bound: Read| {
                let node = Node::Comparison(comparison, one.clone(), Box::new(bound.expression));
                Box::new(Expression { node, span: 0..0 })
            };
            let both = Node::And(side(Comparison::AtLeast, from), side(Comparison::AtMost, to));
            return Some(negated_if(not, both));
        }
        if not {
            return None;
        }
        let comparison = match self.tokens.get(self.at) {
            Some(Token::Symbol("=")) => Comparison::Equal,
            Some(Token::Symbol("<>" | "!=")) => Comparison::Different,
            Some(Token::Symbol("<")) => Comparison::Less,
            Some(Token::Symbol("<=")) => Comparison::AtMost,
            Some(Token::Symbol(">")) => Comparison::Greater,
            Some(Token::Symbol(">=")) => Comparison::AtLeast,
            _ => return Some(one),
        };
        self.at += 1;
        if comparison == Comparison::Equal && self.is_word("any") {
            let values = self.array()?;
            return among(one, values, false);
        }
        if comparison == Comparison::Different && self.is_word("all") {
            let values = self.array()?;
            return among(one, values, true);
        }
        let (one, other) = levelled(one, self.sum()?);
        let ordered = !matches!(comparison, Comparison::Equal | Comparison::Different);
        comparable(&one, &other, ordered)
            .then(|| Read::truth(Node::Comparison(comparison, Box::new(one.expression), Box::new(other.expression))))
    }

    /// `(ARRAY['a'::character varying, 'b'::character varying])::text[]` behind `ANY` or `ALL`, in parentheses.
    fn array(&mut self) -> Option<Vec<Read>> {
        self.symbol("(")?;
        let inner = self.is_symbol("(");
        if !self.is_word("array") {
            return None;
        }
        self.symbol("[")?;
        let mut values = self.list("]")?;
        if inner {
            self.symbol(")")?;
        }
        while self.is_symbol("::") {
            let name = self.type_name()?;
            self.symbol("[")?;
            self.symbol("]")?;
            values = values.into_iter().map(|value| cast(value, &name)).collect::<Option<_>>()?;
        }
        self.symbol(")")?;
        Some(values)
    }

    /// Values up to what closes the list.
    fn list(&mut self, end: &str) -> Option<Vec<Read>> {
        let mut values = vec![self.sum()?];
        while self.is_symbol(",") {
            values.push(self.sum()?);
        }
        self.symbol(end)?;
        Some(values)
    }

    fn sum(&mut self) -> Option<Read> {
        let mut read = self.product()?;
        loop {
            let sign = if self.is_symbol("+") {
                Arithmetic::Plus
            } else if self.is_symbol("-") {
                Arithmetic::Minus
            } else {
                return Some(read);
            };
            let other = self.product()?;
            read = calculated(sign, read, other)?;
        }
    }

    fn product(&mut self) -> Option<Read> {
        let mut read = self.signed()?;
        while self.is_symbol("*") {
            let other = self.signed()?;
            read = calculated(Arithmetic::Times, read, other)?;
        }
        Some(read)
    }

    fn signed(&mut self) -> Option<Read> {
        if !self.is_symbol("-") {
            return self.cast();
        }
        let read = self.cast()?;
        match (read.expression.node, read.what) {
            (Node::Number(number), _) => Some(Read::number(-number)),
            (node, what @ What::Held(Held::Whole | Held::Exact)) => {
                Some(Read::new(Node::Negative(Box::new(Expression { node, span: 0..0 })), what))
            }
            _ => None,
        }
    }

    fn cast(&mut self) -> Option<Read> {
        let mut read = self.operand()?;
        while self.is_symbol("::") {
            let name = self.type_name()?;
            read = cast(read, &name)?;
        }
        Some(read)
    }

    /// The words of a type that has no parameters.
    fn type_name(&mut self) -> Option<String> {
        let mut words: Vec<String> = Vec::new();
        while let Some(Token::Word(word)) = self.tokens.get(self.at) {
            let word = word.to_ascii_lowercase();
            let follows = matches!(
                (words.last().map(String::as_str), word.as_str()),
                (None, _)
                    | (Some("character"), "varying")
                    | (Some("double"), "precision")
                    | (Some("timestamp"), "without")
                    | (Some("without"), "time")
                    | (Some("time"), "zone")
            );
            if !follows {
                break;
            }
            words.push(word);
            self.at += 1;
        }
        let has_parameters = matches!(self.tokens.get(self.at), Some(Token::Symbol("(")));
        (!words.is_empty() && !has_parameters).then(|| words.join(" "))
    }

    fn operand(&mut self) -> Option<Read> {
        let token = self.tokens.get(self.at)?;
        self.at += 1;
        match token {
            Token::Number(number) => Some(Read::number(number.clone())),
            Token::Text(text) => Some(Read::text(text.clone())),
            Token::Symbol("(") => {
                let read = self.either()?;
                self.symbol(")")?;
                Some(read)
            }
            Token::Symbol(_) => None,
            Token::Quoted(name) => self.named(name),
            Token::Word(word) => {
                let lower = word.to_ascii_lowercase();
                match lower.as_str() {
                    "null" => return Some(Read::new(Node::Null, What::Null)),
                    "true" => return Some(Read::truth(Node::Boolean(true))),
                    "false" => return Some(Read::truth(Node::Boolean(false))),
                    _ if RESERVED.contains(&lower.as_str()) => return None,
                    _ => {}
                }
                if self.is_symbol("(") {
                    let arguments = self.list(")")?;
                    return called(&lower, arguments);
                }
                self.named(word)
            }
        }
    }

    /// A column, perhaps behind its table's name.
    fn named(&mut self, first: &str) -> Option<Read> {
        let mut name = first;
        while self.is_symbol(".") {
            match self.tokens.get(self.at)? {
                Token::Word(word) | Token::Quoted(word) => name = word,
                _ => return None,
            }
            self.at += 1;
        }
        if matches!(self.tokens.get(self.at), Some(Token::Symbol("(" | "["))) {
            return None;
        }
        let (name, held) = (self.column)(name)?;
        Some(Read::new(Node::Column(vec![name]), What::Held(held)))
    }
}

fn negated_if(not: bool, node: Node) -> Read {
    if not { Read::truth(Node::Not(Box::new(Expression { node, span: 0..0 }))) } else { Read::truth(node) }
}

/// Where a number stands for true or false beside a column of them.
fn levelled(one: Read, other: Read) -> (Read, Read) {
    match (one.what, other.what) {
        (What::Held(Held::Truth), What::Number(_)) => (one, other.truthful()),
        (What::Number(_), What::Held(Held::Truth)) => (one.truthful(), other),
        _ => (one, other),
    }
}

fn among(one: Read, values: Vec<Read>, not: bool) -> Option<Read> {
    let mut one = one;
    let mut found = Vec::with_capacity(values.len());
    for value in values {
        let (wanted, value) = levelled(one, value);
        if !comparable(&wanted, &value, false) {
            return None;
        }
        one = wanted;
        found.push(value.expression);
    }
    Some(negated_if(not, Node::In(Box::new(one.expression), found)))
}

fn calculated(sign: Arithmetic, one: Read, other: Read) -> Option<Read> {
    let kind = |read: &Read| match read.what {
        What::Held(held @ (Held::Whole | Held::Exact)) => Some(held),
        What::Number(_) if read.is_whole_literal() => Some(Held::Whole),
        What::Number(_) => Some(Held::Exact),
        _ => None,
    };
    let held = match (kind(&one)?, kind(&other)?) {
        (Held::Whole, Held::Whole) => Held::Whole,
        // A database without decimals would calculate with floats.
        _ if one.what == What::Held(Held::Exact) || other.what == What::Held(Held::Exact) => Held::Exact,
        _ => return None,
    };
    let node = Node::Arithmetic(sign, Box::new(one.expression), Box::new(other.expression));
    Some(Read::new(node, What::Held(held)))
}

/// A cast that changes nothing.
fn cast(read: Read, to: &str) -> Option<Read> {
    let text = matches!(to, "text" | "character varying" | "varchar");
    let whole = matches!(to, "integer" | "bigint" | "smallint");
    let exact = matches!(to, "numeric" | "decimal");
    match read.what {
        What::Null => Some(read),
        What::Text => {
            let Node::Text(written) = &read.expression.node else { return None };
            let number = || decimal::parse(written).map(Read::number);
            match to {
                _ if text => Some(read),
                "date" if is_day(&read.expression) => Some(read),
                "timestamp without time zone" if is_wall(&read.expression) => Some(read),
                _ if whole => number().filter(Read::is_whole_literal),
                _ if exact || to == "double precision" => number(),
                _ => None,
            }
        }
        What::Number(_) => (exact || to == "double precision" || whole && read.is_whole_literal()).then_some(read),
        What::Held(held) => {
            let becomes = match held {
                Held::Text { .. } if text => held,
                Held::Whole if to == "bigint" => held,
                Held::Whole | Held::Exact if exact => Held::Exact,
                Held::Float if to == "double precision" => held,
                Held::Day if to == "date" => held,
                Held::Wall if to == "timestamp without time zone" => held,
                _ => return None,
            };
            Some(Read { what: What::Held(becomes), ..read })
        }
    }
}

fn called(name: &str, arguments: Vec<Read>) -> Option<Read> {
    let (function, what) = match (name, arguments.as_slice()) {
        ("abs", [Read { what: what @ What::Held(Held::Whole | Held::Exact), .. }]) => (Function::Abs, *what),
        ("round", [Read { what: what @ What::Held(Held::Exact), .. }]) => (Function::Round, *what),
        ("round", [Read { what: what @ What::Held(Held::Exact), .. }, digits]) if digits.is_whole_literal() => {
            (Function::Round, *what)
        }
        (
            "length" | "char_length" | "character_length",
            [Read { what: What::Held(Held::Text { counted: true }), .. }],
        ) => (Function::Length, What::Held(Held::Whole)),
        ("coalesce", [first, rest @ ..]) if !rest.is_empty() => {
            let What::Held(held @ (Held::Whole | Held::Exact | Held::Text { .. })) = first.what else { return None };
            let fits = |other: &Read| match held {
                Held::Text { .. } => matches!(other.what, What::Text | What::Held(Held::Text { .. })),
                Held::Whole => other.is_whole_literal() || other.what == What::Held(Held::Whole),
                _ => matches!(other.what, What::Number(_) | What::Held(Held::Whole | Held::Exact)),
            };
            if !rest.iter().all(fits) {
                return None;
            }
            (Function::Coalesce, What::Held(held))
        }
        _ => return None,
    };
    let arguments = arguments.into_iter().map(|argument| argument.expression).collect();
    Some(Read::new(Node::Call(function, arguments), what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::{Bound, Column, Kind, Path};

    /// `n` whole, `num` exact, `f` float, `s` text, `c` padded text, `b` truth, `d` day, `w` date and time, `z` instant.
    fn read(sql: &str) -> Option<Expression> {
        of_sql(sql, &|name| {
            let held = match name.to_ascii_lowercase().as_str() {
                "n" | "m" | "now" | "matches" => Held::Whole,
                "num" => Held::Exact,
                "f" => Held::Float,
                "s" => Held::Text { counted: true },
                "u" => Held::Text { counted: false },
                "c" | "j" => Held::Other,
                "b" => Held::Truth,
                "d" | "e" => Held::Day,
                "w" => Held::Wall,
                "z" => Held::Instant,
                _ => return None,
            };
            Some((name.to_ascii_lowercase(), held))
        })
    }

    #[test]
    fn what_surely_means_the_same_is_read() {
        for (sql, rule) in [
            ("n > 0", "n > 0"),
            ("(N >= 0)", "n >= 0"),
            ("((n >= 1) AND (n <= 5)) OR n IS NULL", "((n >= 1) and (n <= 5)) or n is null"),
            ("n BETWEEN 1 AND 5 AND NOT m = 2", "(n >= 1 and n <= 5) and not m = 2"),
            ("n NOT IN (1, 2, NULL)", "not n in (1, 2, null)"),
            ("n <> ALL (ARRAY[1, 2])", "not n in (1, 2)"),
            ("n > '-5'::integer", "n > -5"),
            ("(num >= (0)::numeric)", "num >= 0"),
            ("num = '0.50'::numeric and (n)::numeric < num", "num = 0.50 and n < num"),
            ("num * 2 - n >= -1", "num * 2 - n >= -1"),
            ("f >= (0.1)::double precision", "f >= 0.1"),
            ("((s)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[]))", "s in ('a', 'b')"),
            ("(s = ANY (ARRAY['a'::text, 'it''s'::text]))", "s in ('a', 'it''s')"),
            ("s <> '::integer = ANY (ARRAY[1])'", "s <> '::integer = ANY (ARRAY[1])'"),
            ("length((s)::text) > 2", "length(s) > 2"),
            ("COALESCE(n, 0) + abs(m) > 1", "coalesce(n, 0) + abs(m) > 1"),
            ("round(num, 1) = num", "round(num, 1) = num"),
            ("b = 1 and b in (0, 1) and b", "b = true and b in (false, true) and b"),
            ("(b IS NOT NULL) = (c IS NULL)", "(not b is null) = (c is null)"),
            ("d >= '2020-01-01'::date and e >= d", "d >= '2020-01-01' and e >= d"),
            ("w < '2020-01-01 00:00:00'::timestamp without time zone", "w < '2020-01-01 00:00:00'"),
            ("t.n > 0 and `n` < 9 and \"n\" <> 4", "n > 0 and n < 9 and n <> 4"),
        ] {
            let found = read(sql).unwrap_or_else(|| panic!("not read: {sql}"));
            let wanted = crate::parse(rule).unwrap_or_else(|error| panic!("{rule}: {error:?}"));
            assert_eq!(bound(&found), bound(&wanted), "{sql}");
        }
    }

    /// What it says, however it is written.
    fn bound(expression: &Expression) -> Bound {
        let names = ["n", "m", "num", "f", "s", "c", "b", "d", "e", "w"];
        let column = |path: &Path| {
            let index = names.iter().position(|name| [*name] == path.as_slice())?;
            let kind = match names[index] {
                "s" | "c" => Kind::Text,
                "b" => Kind::Boolean,
                "d" | "e" | "w" => Kind::Moment,
                _ => Kind::Number,
            };
            Some(Column { index, kind: Some(kind) })
        };
        expression.bind(Kind::Boolean, &column).unwrap_or_else(|error| panic!("{expression:?}: {error:?}"))
    }

    #[test]
    fn what_may_mean_something_else_is_left_to_a_database() {
        for sql in [
            // Casts that round, cut or lose blanks.
            "(num)::integer = num",
            "num::numeric(10,0) = num",
            "(s)::varchar(3) = s",
            "(c)::text = 'ab'",
            "n::smallint = n",
            "'a'::character varying(3) = s",
            // Division, remainders, floats and what has more digits than they.
            "n / 2 > 1",
            "n % 2 = 0",
            "f * 2 > 1",
            "f + 0.1 = 0.3",
            "0.1 + 0.2 = 0.3",
            "f > 0.12345678901234567",
            "f > n",
            "round(f) = f",
            // Texts by a collation, a locale or a pattern; text beside numbers.
            "s > 'a'",
            "c = 'a'",
            "upper(s) = s",
            "lower(s) = s",
            "length(u) > 2",
            "s LIKE 'a%'",
            "s GLOB 'a*'",
            "s ~ '^x'",
            "s COLLATE \"C\" = 'a'",
            "s = 5",
            "n = '5'",
            "s = 'a\\'",
            "s = E'a'",
            "s = _utf8mb4'a'",
            // Dates beside what is no plain date.
            "d > '2020-1-1'",
            "w > '2020-01-01'",
            "z > '2020-01-01 00:00:00'",
            "w > d",
            "d > CURRENT_DATE",
            "date(w) = d",
            // What SQL reads otherwise.
            "1 < n < 5",
            "n = m = 1",
            "n > 1 -- 1",
            "n > 1e3",
            "now > 1",
            "n",
            "n and b",
            "b > 0",
            "b = 2",
            "not not b",
            "n > 0 +",
            "(n > 0",
            "nobody > 0",
            "json_valid(`j`)",
            "(SELECT 1)",
            "s = \"a\"",
            "case when b then true else false end",
            "",
        ] {
            // Whether a bare amount is a condition is for whoever binds it.
            assert!(sql == "n" || read(sql).is_none(), "{sql}: {:?}", read(sql));
        }
        let deep = format!("{}n > 0{}", "(".repeat(5_000), ")".repeat(5_000));
        assert!(read(&deep).is_none());
        assert!(read(&"not ".repeat(5_000)).is_none());
    }
}

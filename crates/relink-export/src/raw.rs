//! A JSON value as the text that it is written in. No number is parsed, no object is built: whoever knows the
//! receiving column decides what the text means.

use std::{borrow::Cow, ops::Range};

use crate::{
    TextError, TextProblem,
    scan::{Scanner, Stop, SyntaxError, SyntaxProblem, first_char},
    unescape::unescape,
};

/// What kind of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JsonKind {
    /// `null`
    Null,
    /// `true`
    True,
    /// `false`
    False,
    /// A number; its text is exact.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
    /// `NaN`, `Infinity` or `-Infinity`, as Python writes them: no JSON, but what dumps hold.
    NonFinite,
}

impl JsonKind {
    /// With its article, for messages: `a number`.
    pub fn described(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::True => "true",
            Self::False => "false",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
            Self::NonFinite => "a number that is not finite",
        }
    }

    /// The kind of a valid value that begins with these bytes.
    pub(crate) fn of(value: &[u8]) -> Self {
        match value {
            [b'{', ..] => Self::Object,
            [b'[', ..] => Self::Array,
            [b'"', ..] => Self::String,
            [b't', ..] => Self::True,
            [b'f', ..] => Self::False,
            [b'n', ..] => Self::Null,
            [b'N' | b'I', ..] | [b'-', b'I', ..] => Self::NonFinite,
            _ => Self::Number,
        }
    }
}

/// A valid JSON value: the exact slice of the export, without white space around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawJson<'a> {
    text: &'a str,
    offset: u64,
    cell: bool,
}

impl<'a> RawJson<'a> {
    /// A value that the scanner has passed.
    pub(crate) fn scanned(text: &'a str, offset: u64) -> Self {
        Self { text, offset, cell: false }
    }

    /// A cell of a CSV file, as the JSON value that stands for it; `offset` is that of the cell.
    pub(crate) fn cell(text: &'a str, offset: u64) -> Self {
        Self { text, offset, cell: true }
    }

    /// Checks that `text` is one JSON value, white space around it allowed, nested `depth_max` deep at most. For
    /// values that do not come from an export; offsets count from the start of `text`.
    pub fn parse(text: &'a str, depth_max: usize) -> Result<Self, SyntaxError> {
        let mut open = Vec::new();
        let mut scanner = Scanner::new(text.as_bytes(), &mut open, depth_max, true);
        let start = scanner.space(0);
        let end = scanner.value(start).map_err(|stop| match stop {
            Stop::More => SyntaxError { offset: text.len(), problem: SyntaxProblem::Ends },
            Stop::Syntax(error) => error,
        })?;
        let rest = scanner.space(end);
        if rest < text.len() {
            let problem = SyntaxProblem::TrailingText(first_char(&text.as_bytes()[rest..]));
            return Err(SyntaxError { offset: rest, problem });
        }
        Ok(Self { text: &text[start..end], offset: start as u64, cell: false })
    }

    /// What kind of value it is.
    pub fn kind(&self) -> JsonKind {
        JsonKind::of(self.text.as_bytes())
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        self.kind() == JsonKind::Null
    }

    /// The text as it is written, strings with their quotes and escapes.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// Whether it is a cell of a CSV file: a string whatever the value is, or null for an empty cell without quotes.
    pub fn is_cell(&self) -> bool {
        self.cell
    }

    /// The export's offset of the value's first byte; see [`Source::place`](crate::Source::place).
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The text that a string stands for, escapes resolved.
    pub fn as_str(&self) -> Result<Cow<'a, str>, TextError> {
        if self.kind() != JsonKind::String {
            return Err(TextError { offset: self.offset, problem: TextProblem::NotAString });
        }
        unescape(&self.text[1..self.text.len() - 1], self.offset + 1)
    }

    /// The elements of an array; none for any other kind.
    pub fn elements(&self) -> Elements<'a> {
        Elements(Walk::new(*self, JsonKind::Array))
    }

    /// The members of an object, each as its name (a string) and its value, in the order of the text, duplicates
    /// included; none for any other kind.
    pub fn entries(&self) -> Entries<'a> {
        Entries(Walk::new(*self, JsonKind::Object))
    }

    /// The text without insignificant white space, numbers and strings exactly as they are written.
    pub fn compact(&self) -> String {
        let bytes = self.text.as_bytes();
        let mut compact = String::with_capacity(bytes.len());
        let mut kept_from = 0;
        let mut pos = 0;
        while let Some(byte) = bytes.get(pos) {
            match byte {
                b'"' => pos = end_of_string(bytes, pos),
                b' ' | b'\n' | b'\r' | b'\t' => {
                    compact.push_str(&self.text[kept_from..pos]);
                    pos += 1;
                    kept_from = pos;
                }
                _ => pos += 1,
            }
        }
        compact.push_str(&self.text[kept_from..]);
        compact
    }
}

/// The end of the valid string whose opening quote is at `at`.
fn end_of_string(bytes: &[u8], at: usize) -> usize {
    let mut pos = at + 1;
    while let Some(found) = memchr::memchr2(b'"', b'\\', &bytes[pos..]) {
        pos += found + 1;
        if bytes[pos - 1] == b'"' {
            return pos;
        }
        pos += 1;
    }
    bytes.len()
}

/// A walk over the values inside a valid array or object.
#[derive(Clone, Debug)]
struct Walk<'a> {
    of: RawJson<'a>,
    pos: usize,
    open: Vec<u8>,
}

impl<'a> Walk<'a> {
    fn new(of: RawJson<'a>, kind: JsonKind) -> Self {
        let pos = if of.kind() == kind { 1 } else { of.text.len() };
        Self { of, pos, open: Vec::new() }
    }

    /// The next value, past the punctuation before it; `None` at the closing bracket.
    fn value(&mut self) -> Option<RawJson<'a>> {
        let bytes = self.of.text.as_bytes();
        while let Some(b' ' | b'\n' | b'\r' | b'\t' | b',' | b':') = bytes.get(self.pos) {
            self.pos += 1;
        }
        let start = self.pos;
        // A valid value has as many brackets as it has, so no bound is needed; the closing bracket ends the walk.
        let end = Scanner::new(bytes, &mut self.open, usize::MAX, true).value(start).ok()?;
        self.pos = end;
        Some(self.slice(start..end))
    }

    fn slice(&self, range: Range<usize>) -> RawJson<'a> {
        RawJson { text: &self.of.text[range.clone()], offset: self.of.offset + range.start as u64, cell: false }
    }
}

/// The elements of an array. See [`RawJson::elements`].
#[derive(Clone, Debug)]
pub struct Elements<'a>(Walk<'a>);

impl<'a> Iterator for Elements<'a> {
    type Item = RawJson<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.value()
    }
}

/// The members of an object. See [`RawJson::entries`].
#[derive(Clone, Debug)]
pub struct Entries<'a>(Walk<'a>);

impl<'a> Iterator for Entries<'a> {
    type Item = (RawJson<'a>, RawJson<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        Some((self.0.value()?, self.0.value()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> RawJson<'_> {
        RawJson::parse(text, 64).unwrap()
    }

    #[test]
    fn tells_the_kinds_apart() {
        for (text, kind) in [
            ("null", JsonKind::Null),
            ("true", JsonKind::True),
            ("false", JsonKind::False),
            ("-0.10e+5", JsonKind::Number),
            ("\"\"", JsonKind::String),
            ("[]", JsonKind::Array),
            ("{}", JsonKind::Object),
            ("NaN", JsonKind::NonFinite),
            ("Infinity", JsonKind::NonFinite),
            ("-Infinity", JsonKind::NonFinite),
        ] {
            assert_eq!(parse(text).kind(), kind, "{text}");
        }
    }

    #[test]
    fn walks_arrays_and_objects_with_offsets() {
        let array = parse(" [ 1 , [2, 3] ,\"a,]\" ] ");
        let elements: Vec<_> = array.elements().map(|value| (value.offset(), value.text())).collect();
        assert_eq!(elements, [(3, "1"), (7, "[2, 3]"), (15, "\"a,]\"")]);
        let object = parse(r#"{"a" : {"b":1}, "a":null}"#);
        let entries: Vec<_> = object.entries().map(|(key, value)| (key.as_str().unwrap(), value.text())).collect();
        assert_eq!(entries, [("a".into(), r#"{"b":1}"#), ("a".into(), "null")]);
        assert_eq!(parse("[]").elements().count() + parse("{ }").entries().count() + parse("7").elements().count(), 0);
    }

    #[test]
    fn compacts_only_what_is_insignificant() {
        assert_eq!(
            parse("{\r\n\t\"a b\\\" \": [ 1.50 ,\t2e5, \"\\\\\" ] , \"c\" : NaN }").compact(),
            "{\"a b\\\" \":[1.50,2e5,\"\\\\\"],\"c\":NaN}"
        );
    }

    #[test]
    fn refuses_what_is_no_json_with_the_offset() {
        use SyntaxProblem as P;
        for (text, offset, problem) in [
            ("", 0, P::Ends),
            ("[1, 2", 5, P::Ends),
            ("\"abc", 4, P::Ends),
            ("tru", 3, P::Ends),
            ("[1,]", 2, P::TrailingComma),
            ("{\"a\":1,}", 6, P::TrailingComma),
            ("[1 2]", 3, P::ExpectedComma { found: '2', closer: ']' }),
            ("{\"a\":1]", 6, P::ExpectedComma { found: ']', closer: '}' }),
            ("{\"a\" 1}", 5, P::ExpectedColon('1')),
            ("{a:1}", 1, P::ExpectedKey('a')),
            ("{'a':1}", 1, P::SingleQuotes),
            ("[1, // one\n2]", 4, P::Comment),
            ("[01]", 1, P::Number),
            ("[1.]", 1, P::Number),
            ("[.5]", 1, P::Number),
            ("[+1]", 1, P::Number),
            ("-", 0, P::Number),
            ("[1e]", 1, P::Number),
            ("[0x10]", 1, P::Number),
            ("[True]", 1, P::Word),
            ("[nulls]", 1, P::Word),
            ("[nil]", 1, P::Word),
            ("[undefined]", 1, P::Word),
            ("\"a\nb\"", 2, P::ControlCharacter(b'\n')),
            ("\"abcdefghijk\u{1}b\"", 12, P::ControlCharacter(1)),
            (r#""a\x""#, 2, P::Escape('x')),
            (r#""a\u12g4""#, 2, P::UnicodeEscape),
            ("[\u{e9}]", 1, P::ExpectedValue('\u{e9}')),
            ("1 2", 2, P::TrailingText('2')),
            ("]", 0, P::ExpectedValue(']')),
        ] {
            assert_eq!(RawJson::parse(text, 64), Err(SyntaxError { offset, problem }), "{text}");
        }
        let deep = "[".repeat(10_000);
        let problem = P::TooDeep;
        assert_eq!(RawJson::parse(&deep, 64), Err(SyntaxError { offset: 64, problem }));
    }
}

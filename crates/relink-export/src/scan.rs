//! The JSON scanner: strict about the grammar, generous about nothing but Python's `NaN`, `Infinity` and
//! `-Infinity`. It finds where a value ends and builds no values; nesting is kept on a heap stack, so depth never
//! costs call stack. UTF-8 is not its business.
//!
//! The general JSON crates were no fit: they bound depth by recursion at 128 or 200 levels, or accept non-UTF-8 or
//! trailing text when skipping, and none can say "more bytes are needed" at the end of a window.

use std::{fmt, ops::Range};

use thiserror::Error;

/// JSON text that breaks the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{problem}")]
pub struct SyntaxError {
    /// Bytes from the start of the text that was scanned.
    pub offset: usize,
    /// What is wrong there.
    pub problem: SyntaxProblem,
}

/// How JSON text breaks the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyntaxProblem {
    /// Something else stands where a value must begin.
    ExpectedValue(char),
    /// Something else stands where a member's name must begin.
    ExpectedKey(char),
    /// Something else stands where the `:` after a member's name must be.
    ExpectedColon(char),
    /// Something else stands where a `,` or the closing bracket must be.
    ExpectedComma {
        /// What was found.
        found: char,
        /// The bracket that would close what is open.
        closer: char,
    },
    /// A comma before a closing bracket.
    TrailingComma,
    /// `//`, `/*` or `#`.
    Comment,
    /// Text in single quotes.
    SingleQuotes,
    /// A number that JSON does not allow: `01`, `1.`, `+1`, `.5`, `0x1`.
    Number,
    /// A bare word that is not `true`, `false` or `null`.
    Word,
    /// A control character inside a string, which JSON wants escaped.
    ControlCharacter(u8),
    /// A backslash with something after it that is no escape.
    Escape(char),
    /// `\u` without four hexadecimal digits.
    UnicodeEscape,
    /// The text ends inside the value.
    Ends,
    /// Brackets are nested deeper than is allowed.
    TooDeep,
    /// Text after the end of the value.
    TrailingText(char),
}

impl fmt::Display for SyntaxProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ExpectedValue(found) => write!(f, "expected a value, found {found:?}"),
            Self::ExpectedKey(found) => write!(f, "expected a member's name in double quotes, found {found:?}"),
            Self::ExpectedColon(found) => write!(f, "expected ':' after the member's name, found {found:?}"),
            Self::ExpectedComma { found, closer } => write!(f, "expected ',' or '{closer}', found {found:?}"),
            Self::TrailingComma => f.write_str("a comma before the closing bracket"),
            Self::Comment => f.write_str("a comment; JSON has none"),
            Self::SingleQuotes => f.write_str("single quotes; JSON strings stand in double quotes"),
            Self::Number => f.write_str("not a number that JSON allows"),
            Self::Word => f.write_str("a bare word that is not true, false or null"),
            Self::ControlCharacter(b'\n' | b'\r') => f.write_str("a line break inside a string"),
            Self::ControlCharacter(byte) => write!(f, "the control character U+{byte:04X} inside a string"),
            Self::Escape(found) => write!(f, "a backslash before {found:?} is no escape"),
            Self::UnicodeEscape => f.write_str("\\u without four hexadecimal digits"),
            Self::Ends => f.write_str("the text ends inside the value"),
            Self::TooDeep => f.write_str("nested too deeply"),
            Self::TrailingText(found) => write!(f, "text after the end of the value, beginning with {found:?}"),
        }
    }
}

/// Why a scan stopped before the end of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The bytes end before the value does; with more of them the scan can be tried again.
    More,
    /// The grammar is broken.
    Syntax(SyntaxError),
}

/// One member of a scanned object; ranges count from the start of the scanned bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// The name between its quotes, escapes as written.
    pub(crate) key: Range<usize>,
    /// The value, without white space around it.
    pub(crate) value: Range<usize>,
}

/// Scans values in `bytes`.
pub(crate) struct Scanner<'b> {
    bytes: &'b [u8],
    /// The closing brackets that are owed.
    open: &'b mut Vec<u8>,
    depth_max: usize,
    /// Whether the end of `bytes` is the end of the text: a number may end there.
    complete: bool,
}

impl<'b> Scanner<'b> {
    /// `open` is scratch space, handed in so that its allocation is reused.
    pub(crate) fn new(bytes: &'b [u8], open: &'b mut Vec<u8>, depth_max: usize, complete: bool) -> Self {
        open.clear();
        Self { bytes, open, depth_max, complete }
    }

    /// The scanned bytes.
    pub(crate) fn bytes(&self) -> &'b [u8] {
        self.bytes
    }

    /// The end of the value whose first byte is at `at`.
    pub(crate) fn value(&mut self, at: usize) -> Result<usize, Stop> {
        let base = self.open.len();
        let mut pos = at;
        'value: loop {
            match self.byte(pos)? {
                b'"' => pos = self.string(pos)?,
                b'{' => {
                    self.push(b'}', pos)?;
                    pos = self.space(pos + 1);
                    if self.byte(pos)? != b'}' {
                        pos = self.key(pos)?.1;
                        continue 'value;
                    }
                    self.open.pop();
                    pos += 1;
                }
                b'[' => {
                    self.push(b']', pos)?;
                    pos = self.space(pos + 1);
                    if self.byte(pos)? != b']' {
                        continue 'value;
                    }
                    self.open.pop();
                    pos += 1;
                }
                b'-' | b'0'..=b'9' => pos = self.number(pos)?,
                b't' => pos = self.word(pos, b"true")?,
                b'f' => pos = self.word(pos, b"false")?,
                b'n' => pos = self.word(pos, b"null")?,
                b'N' => pos = self.word(pos, b"NaN")?,
                b'I' => pos = self.word(pos, b"Infinity")?,
                _ => return Err(self.unexpected(pos, SyntaxProblem::ExpectedValue)),
            }
            loop {
                if self.open.len() == base {
                    return Ok(pos);
                }
                let closer = self.open[self.open.len() - 1];
                pos = self.space(pos);
                let found = self.byte(pos)?;
                if found == b',' {
                    pos = self.after_comma(pos, closer)?;
                    if closer == b'}' {
                        pos = self.key(pos)?.1;
                    }
                    continue 'value;
                }
                if found != closer {
                    return Err(self.expected_comma(pos, closer));
                }
                self.open.pop();
                pos += 1;
            }
        }
    }

    /// The end of the object whose `{` is at `at`. `each` gets every member's name (without quotes) and where its
    /// value begins, and returns the value's end.
    pub(crate) fn object(
        &mut self,
        at: usize,
        mut each: impl FnMut(&mut Self, Range<usize>, usize) -> Result<usize, Stop>,
    ) -> Result<usize, Stop> {
        self.push(b'}', at)?;
        let mut pos = self.space(at + 1);
        if self.byte(pos)? == b'}' {
            self.open.pop();
            return Ok(pos + 1);
        }
        loop {
            let (key, value_at) = self.key(pos)?;
            // `each` must see a byte: the value's kind is decided by its first.
            self.byte(value_at)?;
            pos = each(self, key, value_at)?;
            pos = self.space(pos);
            match self.byte(pos)? {
                b',' => pos = self.after_comma(pos, b'}')?,
                b'}' => {
                    self.open.pop();
                    return Ok(pos + 1);
                }
                _ => return Err(self.expected_comma(pos, b'}')),
            }
        }
    }

    /// The end of the object at `at`, its members appended to `into`.
    pub(crate) fn members(&mut self, at: usize, into: &mut Vec<Member>) -> Result<usize, Stop> {
        self.object(at, |scanner, key, value_at| {
            let end = scanner.value(value_at)?;
            into.push(Member { key, value: value_at..end });
            Ok(end)
        })
    }

    /// The first position at or after `pos` that is no white space.
    pub(crate) fn space(&self, pos: usize) -> usize {
        let mut pos = pos;
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.bytes.get(pos) {
            pos += 1;
        }
        pos
    }

    fn push(&mut self, closer: u8, pos: usize) -> Result<(), Stop> {
        if self.open.len() >= self.depth_max {
            return Err(stop(pos, SyntaxProblem::TooDeep));
        }
        self.open.push(closer);
        Ok(())
    }

    fn byte(&self, pos: usize) -> Result<u8, Stop> {
        self.bytes.get(pos).copied().ok_or(Stop::More)
    }

    /// From a comma at `pos` to what follows it.
    fn after_comma(&self, pos: usize, closer: u8) -> Result<usize, Stop> {
        let next = self.space(pos + 1);
        if self.byte(next)? == closer {
            return Err(stop(pos, SyntaxProblem::TrailingComma));
        }
        Ok(next)
    }

    /// A member's name with its colon: the range between the quotes, and where the value begins.
    fn key(&self, pos: usize) -> Result<(Range<usize>, usize), Stop> {
        if self.byte(pos)? != b'"' {
            return Err(self.unexpected(pos, SyntaxProblem::ExpectedKey));
        }
        let end = self.string(pos)?;
        let colon = self.space(end);
        if self.byte(colon)? != b':' {
            return Err(self.unexpected(colon, SyntaxProblem::ExpectedColon));
        }
        Ok((pos + 1..end - 1, self.space(colon + 1)))
    }

    /// The end of the string whose opening quote is at `at`.
    fn string(&self, at: usize) -> Result<usize, Stop> {
        let mut pos = at + 1;
        loop {
            pos = end_of_plain_text(self.bytes, pos);
            match self.byte(pos)? {
                b'"' => return Ok(pos + 1),
                b'\\' => pos = self.escape(pos)?,
                control => return Err(stop(pos, SyntaxProblem::ControlCharacter(control))),
            }
        }
    }

    fn escape(&self, at: usize) -> Result<usize, Stop> {
        match self.byte(at + 1)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(at + 2),
            b'u' => {
                for pos in at + 2..at + 6 {
                    if !self.byte(pos)?.is_ascii_hexdigit() {
                        return Err(stop(at, SyntaxProblem::UnicodeEscape));
                    }
                }
                Ok(at + 6)
            }
            _ => {
                let found = self.char_at(at + 1);
                Err(stop(at, SyntaxProblem::Escape(found)))
            }
        }
    }

    fn number(&self, at: usize) -> Result<usize, Stop> {
        let mut pos = at;
        if self.bytes[pos] == b'-' {
            pos += 1;
            if self.byte_or_end(pos, at)? == b'I' {
                return self.word(pos, b"Infinity");
            }
        }
        match self.byte_or_end(pos, at)? {
            b'0' => pos += 1,
            b'1'..=b'9' => pos = self.digits(pos),
            _ => return Err(stop(at, SyntaxProblem::Number)),
        }
        if self.bytes.get(pos) == Some(&b'.') {
            pos = self.some_digits(pos + 1, at)?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(pos) {
            pos += 1;
            if let b'+' | b'-' = self.byte_or_end(pos, at)? {
                pos += 1;
            }
            pos = self.some_digits(pos, at)?;
        }
        match self.bytes.get(pos) {
            None if !self.complete => Err(Stop::More),
            Some(byte) if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'-' | b'_') => {
                Err(stop(at, SyntaxProblem::Number))
            }
            _ => Ok(pos),
        }
    }

    fn digits(&self, mut pos: usize) -> usize {
        while self.bytes.get(pos).is_some_and(u8::is_ascii_digit) {
            pos += 1;
        }
        pos
    }

    fn some_digits(&self, pos: usize, number: usize) -> Result<usize, Stop> {
        if !self.byte_or_end(pos, number)?.is_ascii_digit() {
            return Err(stop(number, SyntaxProblem::Number));
        }
        Ok(self.digits(pos))
    }

    /// The byte at `pos` inside the number at `number`, which cannot end here.
    fn byte_or_end(&self, pos: usize, number: usize) -> Result<u8, Stop> {
        match self.bytes.get(pos) {
            Some(&byte) => Ok(byte),
            None if self.complete => Err(stop(number, SyntaxProblem::Number)),
            None => Err(Stop::More),
        }
    }

    fn word(&self, at: usize, word: &[u8]) -> Result<usize, Stop> {
        let end = at + word.len();
        let there = &self.bytes[at..end.min(self.bytes.len())];
        if !word.starts_with(there) {
            return Err(stop(at, SyntaxProblem::Word));
        }
        match self.bytes.get(end) {
            _ if there.len() < word.len() => Err(Stop::More),
            None if !self.complete => Err(Stop::More),
            Some(byte) if byte.is_ascii_alphanumeric() || *byte == b'_' => Err(stop(at, SyntaxProblem::Word)),
            _ => Ok(end),
        }
    }

    fn expected_comma(&self, pos: usize, closer: u8) -> Stop {
        self.unexpected(pos, |found| SyntaxProblem::ExpectedComma { found, closer: char::from(closer) })
    }

    fn unexpected(&self, pos: usize, expected: impl FnOnce(char) -> SyntaxProblem) -> Stop {
        stop(pos, misplaced(self.char_at(pos), expected))
    }

    fn char_at(&self, pos: usize) -> char {
        let end = self.bytes.len().min(pos + 4);
        first_char(&self.bytes[pos.min(end)..end])
    }
}

/// What is wrong with a character that does not belong where it stands: the usual mistakes have names of their own,
/// else it is not what was expected.
pub(crate) fn misplaced(found: char, expected: impl FnOnce(char) -> SyntaxProblem) -> SyntaxProblem {
    let problem = expected(found);
    let value = matches!(problem, SyntaxProblem::ExpectedValue(_));
    match found {
        '/' | '#' => SyntaxProblem::Comment,
        '\'' => SyntaxProblem::SingleQuotes,
        '+' | '.' if value => SyntaxProblem::Number,
        'a'..='z' | 'A'..='Z' | '_' if value => SyntaxProblem::Word,
        _ => problem,
    }
}

/// The first character of `bytes`, which may be cut after it.
pub(crate) fn first_char(bytes: &[u8]) -> char {
    bytes.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next()).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn stop(offset: usize, problem: SyntaxProblem) -> Stop {
    Stop::Syntax(SyntaxError { offset, problem })
}

/// The first position at or after `pos` of a quote, a backslash or a control character; `bytes.len()` without one.
///
/// Eight bytes at a time: each term has the top bit of a byte set where that byte matches. Borrows in the
/// subtractions can set it wrongly only above a right match, and the lowest one is taken.
fn end_of_plain_text(bytes: &[u8], pos: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    let zero_byte = |word: u64| word.wrapping_sub(ONES) & !word & TOPS;

    let mut pos = pos;
    while let Some(chunk) = bytes.get(pos..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let quote = zero_byte(word ^ (ONES * u64::from(b'"')));
        let backslash = zero_byte(word ^ (ONES * u64::from(b'\\')));
        let control = word.wrapping_sub(ONES * 0x20) & !word & TOPS;
        let found = quote | backslash | control;
        if found != 0 {
            return pos + (found.trailing_zeros() / 8) as usize;
        }
        pos += 8;
    }
    while let Some(&byte) = bytes.get(pos) {
        if byte == b'"' || byte == b'\\' || byte < 0x20 {
            break;
        }
        pos += 1;
    }
    pos
}

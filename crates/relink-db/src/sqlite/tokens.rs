//! SQL text of SQLite as tokens, and a reader over them: quoted names in each of their four ways, comments, nested
//! parentheses. It knows no grammar; that is [`super::ddl`].

use std::ops::Range;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A bare word or number.
    Word,
    /// `"name"`, `` `name` `` or `[name]`.
    QuotedName,
    /// `'text'` or `x'00'`; SQLite takes text for a name where only a name can stand.
    Literal,
    /// One character.
    Symbol,
}

#[derive(Clone, Copy, Debug)]
/// One token of a text.
pub(super) struct Token<'a> {
    /// What it is.
    pub(super) kind: Kind,
    /// As it stands.
    pub(super) text: &'a str,
    start: usize,
}

impl Token<'_> {
    pub(super) fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    pub(super) fn is_symbol(&self, symbol: &str) -> bool {
        self.kind == Kind::Symbol && self.text == symbol
    }

    /// Where it begins in the text.
    pub(super) fn start(&self) -> usize {
        self.start
    }

    /// Where it ends in the text.
    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// The name that this token stands for.
    pub(super) fn name(&self) -> String {
        let inner = || &self.text[1..self.text.len().max(2) - 1];
        match (self.kind, self.text.as_bytes()[0]) {
            (Kind::QuotedName, b'[') => inner().to_owned(),
            (Kind::QuotedName, b'`') => inner().replace("``", "`"),
            (Kind::QuotedName, _) => inner().replace("\"\"", "\""),
            (Kind::Literal, b'\'') => inner().replace("''", "'"),
            _ => self.text.to_owned(),
        }
    }
}

pub(super) fn tokenize(sql: &str) -> Vec<Token<'_>> {
    let bytes = sql.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let kind = match bytes[at] {
            byte if byte.is_ascii_whitespace() => {
                at += 1;
                continue;
            }
            b'-' if bytes.get(at + 1) == Some(&b'-') => {
                at = bytes[at..].iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |length| at + length);
                continue;
            }
            b'/' if bytes.get(at + 1) == Some(&b'*') => {
                at = sql[at + 2..].find("*/").map_or(bytes.len(), |length| at + 2 + length + 2);
                continue;
            }
            quote @ (b'"' | b'`') => {
                at = quoted_end(bytes, at, quote);
                Kind::QuotedName
            }
            b'[' => {
                at = bytes[at..].iter().position(|&byte| byte == b']').map_or(bytes.len(), |length| at + length + 1);
                Kind::QuotedName
            }
            b'\'' => {
                at = quoted_end(bytes, at, b'\'');
                Kind::Literal
            }
            b'x' | b'X' if bytes.get(at + 1) == Some(&b'\'') => {
                at = quoted_end(bytes, at + 1, b'\'');
                Kind::Literal
            }
            byte if is_word_byte(byte) => {
                at += bytes[at..].iter().take_while(|&&byte| is_word_byte(byte)).count();
                Kind::Word
            }
            _ => {
                at += 1;
                Kind::Symbol
            }
        };
        tokens.push(Token { kind, text: &sql[start..at], start });
    }
    tokens
}

/// SQLite's identifier characters: every byte from 0x80 counts as a letter.
fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || byte >= 0x80
}

/// The end of a quoted text that starts at `start`; a doubled quote stands for itself.
fn quoted_end(bytes: &[u8], start: usize, quote: u8) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        if bytes[at] == quote {
            if bytes.get(at + 1) != Some(&quote) {
                return at + 1;
            }
            at += 1;
        }
        at += 1;
    }
    bytes.len()
}

/// Tokens with a position.
pub(super) struct Reader<'a> {
    sql: &'a str,
    pub(super) tokens: Vec<Token<'a>>,
    pub(super) at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(sql: &'a str) -> Self {
        Self { sql, tokens: tokenize(sql), at: 0 }
    }

    pub(super) fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.at).copied()
    }

    pub(super) fn next(&mut self) -> Option<Token<'a>> {
        let token = self.peek();
        self.at += 1;
        token
    }

    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.is_word(word));
        self.at += usize::from(found);
        found
    }

    pub(super) fn at_open(&self) -> bool {
        self.peek().is_some_and(|token| token.is_symbol("("))
    }

    /// Passes over everything before this bare word, and over the word; groups are passed over whole.
    pub(super) fn skip_past_word(&mut self, word: &str) -> bool {
        while let Some(token) = self.peek() {
            if token.is_symbol("(") {
                self.group();
                continue;
            }
            self.at += 1;
            if token.is_word(word) {
                return true;
            }
        }
        false
    }

    /// `IF NOT EXISTS` and a name with an optional schema before it.
    pub(super) fn object_name(&mut self) {
        if self.take_word("if") {
            self.take_word("not");
            self.take_word("exists");
        }
        self.at += 1;
        if self.peek().is_some_and(|token| token.is_symbol(".")) {
            self.at += 2;
        }
    }

    /// Passes over a parenthesized group, if one stands here; returns the range of the tokens inside.
    pub(super) fn group(&mut self) -> Range<usize> {
        if !self.at_open() {
            return 0..0;
        }
        let start = self.at + 1;
        let mut depth = 0_usize;
        while let Some(token) = self.next() {
            if token.is_symbol("(") {
                depth += 1;
            } else if token.is_symbol(")") {
                depth -= 1;
                if depth == 0 {
                    return start..self.at - 1;
                }
            }
        }
        start.min(self.tokens.len())..self.tokens.len()
    }

    /// The text of these tokens, comments between them included.
    pub(super) fn text(&self, range: Range<usize>) -> String {
        match self.tokens.get(range) {
            Some([first, .., last]) => self.sql[first.start..last.end()].to_owned(),
            Some([only]) => only.text.to_owned(),
            _ => String::new(),
        }
    }

    /// Splits at the commas that stand outside of inner groups.
    pub(super) fn split(&self, range: Range<usize>) -> Vec<Range<usize>> {
        let mut parts = Vec::new();
        let (mut start, mut depth) = (range.start, 0_usize);
        for index in range.clone() {
            let token = self.tokens[index];
            if token.is_symbol("(") {
                depth += 1;
            } else if token.is_symbol(")") {
                depth = depth.saturating_sub(1);
            } else if depth == 0 && token.is_symbol(",") {
                parts.push(start..index);
                start = index + 1;
            }
        }
        if start < range.end {
            parts.push(start..range.end);
        }
        parts
    }

    /// The first name of each part of a column list.
    pub(super) fn names(&self, range: Range<usize>) -> Vec<String> {
        self.split(range).into_iter().filter_map(|part| self.tokens.get(part.start)).map(Token::name).collect()
    }
}

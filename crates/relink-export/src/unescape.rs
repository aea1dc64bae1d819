//! The text that a JSON string stands for. Lone surrogates (`\ud800`) stand for no text: they are errors here, and
//! only here, because a column that keeps JSON as it is may hold them.

use std::borrow::Cow;

use thiserror::Error;

/// A JSON value that is no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{problem}")]
pub struct TextError {
    /// Bytes from the start of the export's text.
    pub offset: u64,
    /// Why it is no text.
    pub problem: TextProblem,
}

/// Why a JSON value is no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TextProblem {
    /// It is not a string.
    #[error("not a string")]
    NotAString,
    /// An escape for half a character, without its other half.
    #[error("the escape \\u{0:04x} is half of a character, and its other half is missing")]
    LoneSurrogate(u16),
}

/// Resolves the escapes of `inner`, a valid JSON string without its quotes, which stands at `offset`.
pub(crate) fn unescape(inner: &str, offset: u64) -> Result<Cow<'_, str>, TextError> {
    let Some(first) = memchr::memchr(b'\\', inner.as_bytes()) else {
        return Ok(Cow::Borrowed(inner));
    };
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    let mut next = Some(first);
    while let Some(at) = next {
        text.push_str(&rest[..at]);
        let escape = &rest[at..];
        let (character, length) = match escape.as_bytes().get(1) {
            Some(b'u') => unicode_escape(escape).map_err(|unit| TextError {
                offset: offset + (inner.len() - escape.len()) as u64,
                problem: TextProblem::LoneSurrogate(unit),
            })?,
            Some(b'b') => ('\u{8}', 2),
            Some(b'f') => ('\u{c}', 2),
            Some(b'n') => ('\n', 2),
            Some(b'r') => ('\r', 2),
            Some(b't') => ('\t', 2),
            // `"`, `\` and `/` stand for themselves; the scanner let nothing else through.
            other => (other.map_or('\\', |&byte| char::from(byte)), escape.len().min(2)),
        };
        text.push(character);
        rest = &escape[length..];
        next = memchr::memchr(b'\\', rest.as_bytes());
    }
    text.push_str(rest);
    Ok(Cow::Owned(text))
}

/// The character of the `\uXXXX` (or the pair of them) at the start of `escape`, and its length; else the lone unit.
fn unicode_escape(escape: &str) -> Result<(char, usize), u16> {
    let first = code_unit(escape).unwrap_or(0xFFFD);
    if let Some(character) = char::from_u32(u32::from(first)) {
        return Ok((character, 6));
    }
    let second = escape.get(6..).and_then(code_unit).ok_or(first)?;
    match char::decode_utf16([first, second]).next() {
        Some(Ok(character)) => Ok((character, 12)),
        _ => Err(first),
    }
}

fn code_unit(escape: &str) -> Option<u16> {
    u16::from_str_radix(escape.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolves_every_escape() {
        assert_eq!(unescape("plain", 0), Ok(Cow::Borrowed("plain")));
        assert_eq!(
            unescape(r#"a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00z\u0000"#, 0).unwrap(),
            "a\"\\/\u{8}\u{c}\n\r\t\u{e9}\u{1f600}z\0"
        );
    }

    #[test]
    fn refuses_half_of_a_pair_with_its_offset() {
        let lone = |unit| TextProblem::LoneSurrogate(unit);
        for (text, at, unit) in [
            (r"\ud800", 0, 0xd800),
            (r"ab\udc00", 2, 0xdc00),
            (r"\ud83dx", 0, 0xd83d),
            (r"\ud83d\n", 0, 0xd83d),
            (r"\n\ud83d\ud83d\ude00", 2, 0xd83d),
        ] {
            assert_eq!(unescape(text, 100), Err(TextError { offset: 100 + at, problem: lone(unit) }), "{text}");
        }
    }
}

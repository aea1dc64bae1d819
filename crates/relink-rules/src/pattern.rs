//! Patterns that a whole text matches.

use std::fmt;

use regex::{Regex, RegexBuilder};

/// Bytes that a compiled pattern may take.
const SIZE_MAX: usize = 1 << 20;

/// A regular expression that a text matches as a whole, a line break at its end included. The syntax is that of Rust's `regex`: time is linear in the
/// text, whatever the pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    source: String,
    compiled: Regex,
}

impl Pattern {
    /// Compiles a pattern; the error says what is wrong with it, in one line.
    pub fn new(source: &str) -> Result<Self, String> {
        // Alone, it must be a pattern as well: `a)(b` is none, and what is wrong is told of what was written.
        RegexBuilder::new(source).size_limit(SIZE_MAX).build().map_err(|error| told(&error))?;
        let whole = format!(r"\A(?:{source})\z");
        let compiled = RegexBuilder::new(&whole).size_limit(SIZE_MAX).build().map_err(|error| told(&error))?;
        Ok(Self { source: source.to_owned(), compiled })
    }

    /// Whether the whole text matches.
    pub fn matches(&self, text: &str) -> bool {
        self.compiled.is_match(text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

/// The last line of the library's message, which names the cause.
fn told(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.trim().trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_matches_as_a_whole_and_in_one_way_everywhere() {
        let sku = Pattern::new(r"[A-Z]{3}-\d+").expect("a pattern");
        assert!(sku.matches("ABC-12"));
        for text in ["ABC-12\n", "xABC-12", "ABC-", "abc-12", "ABC-12\nABC-13"] {
            assert!(!sku.matches(text), "{text:?}");
        }
        assert!(Pattern::new("^a|b$").expect("a pattern").matches("b"));
    }

    #[test]
    fn a_pattern_that_is_none_is_refused_in_one_line() {
        for bad in ["[", "a)(b", "(?<", "a{99999999}"] {
            let why = Pattern::new(bad).expect_err(bad);
            assert!(!why.is_empty() && !why.contains('\n'), "{why:?}");
            assert!(!why.contains(r"\A"), "{why:?}");
        }
    }
}

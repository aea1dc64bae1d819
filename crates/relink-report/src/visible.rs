//! Text of the data made safe to show: on one line, with nothing hidden in it, and never longer than a reader can take.
//!
//! A name or a value may hold anything: line feeds, escape sequences of a terminal, characters that turn the direction of writing around, a megabyte of
//! text. XML cannot even carry most control characters. What could not be seen, or would move what stands beside it, is written as an escape.

use std::{borrow::Cow, fmt::Write as _};

/// Characters of a sentence at most.
pub(crate) const PROSE_CHARS_MAX: usize = 2_000;

/// Characters of an SQL statement at most.
pub(crate) const SQL_CHARS_MAX: usize = 20_000;

/// A sentence, a name or a path on one line.
pub(crate) fn line(text: &str) -> String {
    shown(text, PROSE_CHARS_MAX, false)
}

/// A statement with its line feeds and tabulators.
pub(crate) fn block(text: &str) -> String {
    shown(text.trim_end(), SQL_CHARS_MAX, true)
}

/// A value of the data: as [`line()`], and quoted where its ends would not be seen, or where it could be taken for what it is not.
pub(crate) fn value(text: Option<&str>, chars_max: usize) -> String {
    let Some(text) = text else { return "NULL".to_owned() };
    let blank_ends = text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace);
    if text.is_empty() || text == "NULL" || blank_ends {
        cut(Cow::Owned(format!("'{}'", shown(text, chars_max, false))), chars_max)
    } else {
        shown(text, chars_max, false)
    }
}

/// A text as TOML writes it, with nothing hidden in it; never cut.
pub(crate) fn toml(text: &str) -> String {
    let mut written = "\"".to_owned();
    let mut before = '\0';
    for c in text.chars() {
        match c {
            '"' | '\\' => written.extend(['\\', c]),
            _ if c.is_control() || is_hidden(c, before) => {
                let _ = match u32::from(c) {
                    code @ ..=0xffff => write!(written, "\\u{code:04x}"),
                    code => write!(written, "\\U{code:08x}"),
                };
            }
            _ => written.push(c),
        }
        before = c;
    }
    written.push('"');
    written
}

fn shown(text: &str, chars_max: usize, lines: bool) -> String {
    let mut written = String::with_capacity(text.len().min(chars_max));
    let mut before = '\0';
    // What is cut off is not even looked at.
    for c in text.chars().take(chars_max + 1) {
        if lines && matches!(c, '\n' | '\t') {
            written.push(c);
        } else if c.is_control() {
            written.extend(c.escape_default());
        } else if is_hidden(c, before) {
            written.extend(c.escape_unicode());
        } else {
            written.push(c);
        }
        before = c;
    }
    cut(Cow::Owned(written), chars_max)
}

/// Characters that nobody sees, or that change how others are shown.
fn is_hidden(c: char, before: char) -> bool {
    match c {
        // Joiners make one sign of several in emoji and are part of how some languages are written; elsewhere they hide.
        '\u{200c}' | '\u{200d}' => before.is_ascii(),
        '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{fdd0}'..='\u{fdef}'
        | '\u{e0000}'..='\u{e007f}' => true,
        // The last two of each plane are no characters; XML has no way to write the first two of them.
        _ => u32::from(c) & 0xfffe == 0xfffe,
    }
}

/// At most so many characters, the last one `…` where some are missing.
fn cut(text: Cow<'_, str>, chars_max: usize) -> String {
    if text.chars().nth(chars_max).is_none() {
        return text.into_owned();
    }
    text.chars().take(chars_max.saturating_sub(1)).chain(std::iter::once('…')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_hides_or_moves_is_left() {
        assert_eq!(line("a\n\u{1b}[31m\tb\u{7f}\u{85}"), "a\\n\\u{1b}[31m\\tb\\u{7f}\\u{85}");
        assert_eq!(line("in\u{202e}voice\u{feff}"), "in\\u{202e}voice\\u{feff}");
        assert_eq!(line("\u{ffff}\u{fffe}\0"), "\\u{ffff}\\u{fffe}\\u{0}");
        assert_eq!(line("שלום 👩\u{200d}🚀 é"), "שלום 👩\u{200d}🚀 é");
        assert_eq!(line("ad\u{200d}min"), "ad\\u{200d}min");
        assert_eq!(block("SELECT 1\n\tFROM a\u{0}\n"), "SELECT 1\n\tFROM a\\u{0}");
    }

    #[test]
    fn a_text_in_toml_reads_back_as_itself() {
        assert_eq!(
            toml("check:a(\"b\" \\ 'c')\n\u{202e}\u{e0001}é"),
            r#""check:a(\"b\" \\ 'c')\u000a\u202e\U000e0001é""#
        );
    }

    #[test]
    fn a_value_that_could_be_mistaken_is_quoted_and_a_long_one_is_cut() {
        assert_eq!(value(None, 40), "NULL");
        assert_eq!(value(Some("NULL"), 40), "'NULL'");
        assert_eq!(value(Some(""), 40), "''");
        assert_eq!(value(Some(" x"), 40), "' x'");
        assert_eq!(value(Some("abc"), 3), "abc");
        assert_eq!(value(Some("abcd"), 3), "ab…");
        assert_eq!(value(Some(&" ".repeat(1_000_000)), 5).chars().count(), 5);
        assert_eq!(line(&"x".repeat(1_000_000)).chars().count(), PROSE_CHARS_MAX);
    }
}

//! How texts are made alike before they are compared: the same in every database, and in none. SQL's own functions differ (SQLite's `lower` knows
//! ASCII only, `trim` leaves tabs and no-break spaces), so that these are never left to it.

use caseless::Caseless as _;
use serde::Serialize;
use unicode_normalization::UnicodeNormalization as _;

/// A way to make texts alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fold {
    /// Letters of either case are one: Unicode's full case folding of the NFC form, without a locale (`ß` is `ss`; `İ` is not `i`).
    Ci,
    /// Without white space at both ends, tabs and no-break spaces among it.
    Trim,
    /// As `trim`, with each stretch of white space inside as one blank.
    Squash,
    /// The NFC form: composed and decomposed accents are one.
    Nfc,
    /// The digits alone.
    Digits,
}

impl Fold {
    /// By the name that it has in rules.
    pub fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "ci" => Self::Ci,
            "trim" => Self::Trim,
            "squash" => Self::Squash,
            "nfc" => Self::Nfc,
            "digits" => Self::Digits,
            _ => return None,
        })
    }

    /// The name that it has in rules.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ci => "ci",
            Self::Trim => "trim",
            Self::Squash => "squash",
            Self::Nfc => "nfc",
            Self::Digits => "digits",
        }
    }

    /// The folded text.
    pub fn apply(self, text: &str) -> String {
        match self {
            Self::Ci => text.nfc().default_case_fold().nfc().collect(),
            Self::Trim => text.trim().to_owned(),
            Self::Squash => text.split_whitespace().collect::<Vec<_>>().join(" "),
            Self::Nfc => text.nfc().collect(),
            Self::Digits => text.chars().filter(char::is_ascii_digit).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_either_case_are_one_in_every_script() {
        for (one, other) in [("ÉCOLE", "école"), ("Straße", "STRASSE"), ("ΣΊΣΥΦΟΣ", "σίσυφος"), ("e\u{301}", "É")]
        {
            assert_eq!(Fold::Ci.apply(one), Fold::Ci.apply(other), "{one} {other}");
        }
        for (one, other) in [("İ", "i"), ("ı", "i"), ("é", "e")] {
            assert_ne!(Fold::Ci.apply(one), Fold::Ci.apply(other), "{one} {other}");
        }
    }

    #[test]
    fn white_space_is_more_than_blanks() {
        assert_eq!(Fold::Trim.apply("\t a\u{a0} b \u{3000}\n"), "a\u{a0} b");
        assert_eq!(Fold::Squash.apply("\t a\u{a0} b \u{3000}\n"), "a b");
        assert_eq!(Fold::Digits.apply("DE-12 34/5"), "12345");
        assert_eq!(Fold::Nfc.apply("e\u{301}"), "é");
    }
}

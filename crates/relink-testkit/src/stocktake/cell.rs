//! One value of a generated row, and the text forms that all writers share. How a form is quoted is the writers'
//! business.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::Value;

/// Microseconds of a day.
pub(super) const DAY: i64 = 86_400_000_000;

/// One value of a generated row.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// SQL NULL.
    Null,
    /// A boolean.
    Bool(bool),
    /// A whole number; also every reference.
    Int(i64),
    /// An IEEE 754 double.
    Float(f64),
    /// A decimal with two digits after the point, in hundredths.
    Cents(i64),
    /// Text.
    Text(Cow<'static, str>),
    /// Days since 1970-01-01.
    Date(i64),
    /// Microseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
    /// A UUID.
    Uuid(u128),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A JSON document.
    Json(Value),
}

impl Cell {
    /// Text from anything that is text.
    pub(super) fn text(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Text(text.into())
    }

    /// NULL for `None`.
    pub(super) fn optional<T>(value: Option<T>, cell: impl FnOnce(T) -> Self) -> Self {
        value.map_or(Self::Null, cell)
    }
}

/// Appends `1234.50` for 123450.
pub(super) fn push_cents(out: &mut String, cents: i64) {
    let sign = if cents < 0 { "-" } else { "" };
    let cents = cents.unsigned_abs();
    write!(out, "{sign}{}.{:02}", cents / 100, cents % 100).expect("a String takes every write");
}

/// Appends `2024-02-29`.
pub(super) fn push_date(out: &mut String, days: i64) {
    let (year, month, day) = civil(days);
    write!(out, "{year:04}-{month:02}-{day:02}").expect("a String takes every write");
}

/// Appends `2024-02-29T12:00:00.000001`, with `separator` for the `T` and without a fraction when it is zero.
pub(super) fn push_timestamp(out: &mut String, micros: i64, separator: char) {
    push_date(out, micros.div_euclid(DAY));
    let of_day = micros.rem_euclid(DAY);
    let (seconds, fraction) = (of_day / 1_000_000, of_day % 1_000_000);
    write!(out, "{separator}{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
        .expect("a String takes every write");
    if fraction != 0 {
        write!(out, ".{fraction:06}").expect("a String takes every write");
    }
}

/// Appends the hyphenated lower-case form.
pub(super) fn push_uuid(out: &mut String, uuid: u128) {
    let hex = format!("{uuid:032x}");
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    out.push_str(&parts.join("-"));
}

/// Appends two hexadecimal digits for each byte.
pub(super) fn push_hex(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        write!(out, "{byte:02x}").expect("a String takes every write");
    }
}

/// Days since 1970-01-01 of a calendar date (Howard Hinnant's `days_from_civil`; years from 0 on).
pub(super) const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year / 400, year % 400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The calendar date of days since 1970-01-01 (Howard Hinnant's `civil_from_days`).
const fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + (month <= 2) as i64, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(push: impl FnOnce(&mut String)) -> String {
        let mut out = String::new();
        push(&mut out);
        out
    }

    #[test]
    fn text_forms_are_exact() {
        assert_eq!(form(|out| push_cents(out, -5)), "-0.05");
        assert_eq!(form(|out| push_cents(out, 123_450)), "1234.50");
        assert_eq!(form(|out| push_date(out, days_from_civil(2024, 2, 29))), "2024-02-29");
        assert_eq!(form(|out| push_date(out, days_from_civil(2099, 12, 31))), "2099-12-31");
        assert_eq!(form(|out| push_timestamp(out, DAY + 1, 'T')), "1970-01-02T00:00:00.000001");
        assert_eq!(form(|out| push_timestamp(out, DAY - 1_000_000, ' ')), "1970-01-01 23:59:59");
        assert_eq!(form(|out| push_uuid(out, 0x10)), "00000000-0000-0000-0000-000000000010");
        assert_eq!(form(|out| push_hex(out, &[0, 255])), "00ff");
    }
}

//! Sums of differences: exact decimals, as they stand in the report.

use std::str::FromStr as _;

use bigdecimal::BigDecimal;
use relink_validate::{Report, Status};

use crate::words;

/// Digits of a number that is added at most. Nobody has such sums; a hand-made report might have such texts.
const DIGITS_MAX: usize = 100;

/// What the totals of a report are off by.
pub(crate) struct Stake {
    /// The sum with its thousands apart.
    pub(crate) sum: String,
    /// Checks that it comes from.
    pub(crate) checks: u64,
    /// Checks whose difference is no plain number.
    pub(crate) unread: u64,
}

/// The sum over all failing checks; `None` where none of them is about amounts.
pub(crate) fn at_stake(report: &Report) -> Option<Stake> {
    let failing = report.checks.iter().filter(|check| check.status == Status::Fail);
    let differences: Vec<&str> = failing.filter_map(|check| check.difference.as_deref()).collect();
    let checks = differences.iter().filter(|text| number(text).is_some()).count();
    let unread = (differences.len() - checks) as u64;
    Some(Stake { sum: sum(differences.into_iter())?, checks: checks as u64, unread })
}

/// The sum of those that are plain numbers; `None` where none is.
pub(crate) fn sum<'a>(differences: impl Iterator<Item = &'a str>) -> Option<String> {
    let numbers = differences.filter_map(number);
    let sum = numbers.reduce(|sum, number| sum + number)?;
    let text = sum.to_plain_string();
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), None), |(whole, part)| (whole, Some(part)));
    let fraction = fraction.map_or_else(String::new, |digits| format!(".{digits}"));
    Some(format!("{}{fraction}", words::thousands(whole)))
}

/// Digits with at most one point. An exponent could stand for a number that fills all memory.
fn number(text: &str) -> Option<BigDecimal> {
    let plain =
        text.len() <= DIGITS_MAX && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
    if plain { BigDecimal::from_str(text).ok().map(|number| number.abs()) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_exact_and_hold_only_plain_numbers() {
        assert_eq!(sum(["0.10", "0.20", "-1234567"].into_iter()).as_deref(), Some("1 234 567.30"));
        assert_eq!(sum(["1e999999999", "NaN", "", "1.2.3", "--"].into_iter()), None);
        assert_eq!(sum(std::iter::empty()), None);
    }
}

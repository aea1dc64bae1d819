//! Intervals as PostgreSQL keeps them: months, days and a time, each with its own sign. Input comes in ISO 8601, in words, or as Django
//! prints durations; output in ISO 8601.

use super::{Verdict, temporal};

const NANOS_PER_SECOND: i128 = 1_000_000_000;

/// The parts that are kept apart: a month has no fixed number of days, a day no fixed number of hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Parts {
    months: i128,
    days: i128,
    nanos: i128,
}

pub(super) fn compare(written: &str, read: &str) -> Verdict {
    match (parse(written), parse(read)) {
        (Some(written), Some(read)) => Verdict::of(written == read),
        _ => Verdict::Unsure,
    }
}

/// `None` for what only the server reads: fractions of months and days, styles that other databases write.
fn parse(text: &str) -> Option<Parts> {
    let text = text.trim();
    match text.strip_prefix('P') {
        Some(designated) => iso(designated),
        None => words(text),
    }
}

/// `1Y2M3DT4H5M6.7S`, behind the `P`.
fn iso(text: &str) -> Option<Parts> {
    let (date, time) = text.split_once('T').unwrap_or((text, ""));
    let mut parts = Parts::default();
    for (part, in_time) in [(date, false), (time, true)] {
        let mut rest = part;
        while !rest.is_empty() {
            let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
            let unit = match (&rest[end..=end], in_time) {
                ("Y", false) => "year",
                ("M", false) => "month",
                ("W", false) => "week",
                ("D", false) => "day",
                ("H", true) => "hour",
                ("M", true) => "minute",
                ("S", true) => "second",
                _ => return None,
            };
            parts.add(&rest[..end], unit)?;
            rest = &rest[end + 1..];
        }
    }
    Some(parts)
}

/// `1 year 2 mons -3 days 04:05:06.7`, `1 02:03:04`, `3 hours ago`.
fn words(text: &str) -> Option<Parts> {
    let text = text.strip_prefix('@').unwrap_or(text);
    let mut words = text.split_ascii_whitespace().peekable();
    let mut parts = Parts::default();
    words.peek()?;
    while let Some(word) = words.next() {
        if word == "ago" && words.peek().is_none() {
            return Some(Parts { months: -parts.months, days: -parts.days, nanos: -parts.nanos });
        }
        if word.contains(':') {
            let (negative, clock) = split_sign(word);
            let nanos = temporal::clock(clock)?;
            parts.nanos += if negative { -nanos } else { nanos };
            continue;
        }
        // `5days` and `5 days`.
        let end = word.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(word.len());
        let (amount, attached) = word.split_at(end);
        let unit = if attached.is_empty() {
            match words.peek() {
                // A number alone before a clock is days; at the end, seconds.
                Some(next) if next.contains(':') => "day",
                Some(_) => words.next()?,
                None => "second",
            }
        } else {
            attached
        };
        parts.add(amount, &unit.to_ascii_lowercase())?;
    }
    Some(parts)
}

impl Parts {
    fn add(&mut self, amount: &str, unit: &str) -> Option<()> {
        let (negative, amount) = split_sign(amount);
        let nanos = temporal::seconds(amount)?;
        let signed = |amount: i128| if negative { -amount } else { amount };
        let integral = || (nanos % NANOS_PER_SECOND == 0).then(|| signed(nanos / NANOS_PER_SECOND));
        match unit {
            "y" | "yr" | "yrs" | "year" | "years" => self.months += integral()? * 12,
            "mon" | "mons" | "month" | "months" => self.months += integral()?,
            "w" | "week" | "weeks" => self.days += integral()? * 7,
            "d" | "day" | "days" => self.days += integral()?,
            "h" | "hr" | "hrs" | "hour" | "hours" => self.nanos += signed(nanos) * 3_600,
            "m" | "min" | "mins" | "minute" | "minutes" => self.nanos += signed(nanos) * 60,
            "s" | "sec" | "secs" | "second" | "seconds" => self.nanos += signed(nanos),
            "ms" | "msec" | "msecs" | "millisecond" | "milliseconds" => self.nanos += signed(nanos) / 1_000,
            "us" | "usec" | "usecs" | "microsecond" | "microseconds" => self.nanos += signed(nanos) / 1_000_000,
            _ => return None,
        }
        Some(())
    }
}

fn split_sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

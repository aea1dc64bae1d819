//! Dates, times of day and timestamps in all the forms that databases and frameworks write.

use jiff::{
    civil::Date,
    tz::{Offset, TimeZone},
};
use relink_records::coerce::{parse_offset, split_offset};

const NANOS_PER_SECOND: i128 = 1_000_000_000;
const NANOS_PER_DAY: i128 = 86_400 * NANOS_PER_SECOND;

/// Whether two dates or timestamps are one moment. A date is its midnight. A reading without offset is in UTC, as all that
/// relink writes is; to a reading with an offset of its own, nothing says so.
pub(super) fn is_same_moment(written: &str, read: &str) -> bool {
    let (Some((written, written_offset)), Some((read, read_offset))) = (moment(written), moment(read)) else {
        return false;
    };
    let comparable = match (written_offset, read_offset) {
        (Some(_), Some(_)) | (None, None) => true,
        (Some(offset), None) | (None, Some(offset)) => offset == Offset::UTC,
    };
    comparable && written == read
}

/// Whether two times of day are the same, offset included: `time with time zone` keeps it.
pub(super) fn is_same_time(written: &str, read: &str) -> bool {
    match (time(written), time(read)) {
        (Some(written), Some(read)) => written == read,
        _ => false,
    }
}

/// Nanoseconds since 1970 in UTC, and the offset written.
fn moment(text: &str) -> Option<(i128, Option<Offset>)> {
    let (day, rest) = match text.split_once(['T', 't', ' ']) {
        Some((day, rest)) => (day, Some(rest)),
        None => (text, None),
    };
    let date: Date = day.parse().ok()?;
    let (clock, offset) = rest.map_or(Some((0, None)), time)?;
    let midnight = date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_nanosecond();
    if !(0..=NANOS_PER_DAY).contains(&clock) {
        return None;
    }
    let ahead = offset.map_or(0, |offset: Offset| i128::from(offset.seconds()) * NANOS_PER_SECOND);
    Some((midnight + clock - ahead, offset))
}

fn time(text: &str) -> Option<(i128, Option<Offset>)> {
    // MySQL's TIME is a span of hours and may be negative.
    let (negative, text) = match text.strip_prefix('-') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let (reading, offset) = split_offset(text);
    let nanos = clock(reading)?;
    let offset = match offset {
        Some(offset) => Some(parse_offset(offset).ok()?),
        None => None,
    };
    Some((if negative { -nanos } else { nanos }, offset))
}

/// `H:MM[:SS[.fraction]]` in nanoseconds; hours may pass the day.
pub(super) fn clock(text: &str) -> Option<i128> {
    let mut parts = text.split(':');
    let (hours, minutes) = (whole(parts.next()?)?, whole(parts.next()?)?);
    let nanos = parts.next().map_or(Some(0), seconds)?;
    if parts.next().is_some() || minutes > 59 || nanos >= 60 * NANOS_PER_SECOND {
        return None;
    }
    Some((hours * 60 + minutes) * 60 * NANOS_PER_SECOND + nanos)
}

/// Seconds with a fraction of nine digits at most, in nanoseconds.
pub(super) fn seconds(text: &str) -> Option<i128> {
    let (integral, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction = fraction.trim_end_matches('0');
    let nanos = if fraction.is_empty() {
        0
    } else if fraction.len() <= 9 {
        whole(&format!("{fraction:0<9}"))?
    } else {
        return None;
    };
    Some(whole(integral)?.checked_mul(NANOS_PER_SECOND)? + nanos)
}

/// Digits alone.
pub(super) fn whole(text: &str) -> Option<i128> {
    let digits = !text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

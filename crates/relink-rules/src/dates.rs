//! Dates and times out of text and numbers, by their detected form. A date is never compared as text, and where a form leaves open which
//! day is meant, both readings are kept.

use jiff::{Timestamp, civil, tz::TimeZone};
use relink_model::Value;

/// What a stored value says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// A point in time.
    Instant(Timestamp),
    /// Date and time without a zone.
    Wall(civil::DateTime),
    /// A calendar day.
    Day(civil::Date),
    /// `03/04/2020`: one of these days, the earlier first.
    Either(civil::Date, civil::Date),
    /// `infinity`: later than everything.
    Infinity,
    /// `-infinity`: earlier than everything.
    MinusInfinity,
    /// No date in any form that is known.
    Unreadable,
}

impl Reading {
    /// The point in time, in a zone; of a day, its end. `None` where it could be one of several, or is none.
    pub fn instant(&self, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Instant(instant) => Some(*instant),
            Self::Wall(wall) => zone.to_timestamp(*wall).ok(),
            Self::Day(day) => zone.to_timestamp(day.at(23, 59, 59, 0)).ok(),
            Self::Infinity => Some(Timestamp::MAX),
            Self::MinusInfinity => Some(Timestamp::MIN),
            Self::Either(..) | Self::Unreadable => None,
        }
    }
}

/// The latest moment that a past date may have, in each form a date comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// As a point in time.
    pub instant: Timestamp,
    /// As a date and time without a zone.
    pub wall: civil::DateTime,
    /// As a day.
    pub day: civil::Date,
}

impl Deadline {
    /// Of an instant. Timestamps without a zone are read in `zone`, else in UTC. Days are those of `zone`, else the latest that it is
    /// anywhere on Earth (UTC+14).
    pub fn of(instant: Timestamp, zone: Option<&TimeZone>) -> Self {
        let wall = zone.map_or_else(|| instant.to_zoned(TimeZone::UTC), |zone| instant.to_zoned(zone.clone()));
        let latest = TimeZone::fixed(jiff::tz::offset(14));
        let day = if zone.is_some() { wall.date() } else { instant.to_zoned(latest).date() };
        Self { instant, wall: wall.datetime(), day }
    }

    /// As [`Deadline::of`], of what must lie ahead: a day does as long as it is not over, in `zone`, else anywhere on Earth (UTC-12).
    pub fn ahead(instant: Timestamp, zone: Option<&TimeZone>) -> Self {
        let of = Self::of(instant, zone);
        let earliest = instant.to_zoned(TimeZone::fixed(jiff::tz::offset(-12)));
        let today = if zone.is_some() { of.day } else { earliest.date() };
        Self { day: today.yesterday().unwrap_or(today), ..of }
    }

    /// Whether a reading lies after it; `None` where that cannot be told.
    pub fn is_before(&self, reading: &Reading) -> Option<bool> {
        match reading {
            Reading::Instant(instant) => Some(*instant > self.instant),
            Reading::Wall(wall) => Some(*wall > self.wall),
            Reading::Day(day) => Some(*day > self.day),
            Reading::Either(earlier, later) if (*earlier > self.day) == (*later > self.day) => Some(*later > self.day),
            Reading::Infinity => Some(true),
            Reading::MinusInfinity => Some(false),
            Reading::Either(..) | Reading::Unreadable => None,
        }
    }
}

/// Reads a stored value.
pub fn read(value: &Value) -> Reading {
    let found = match value {
        Value::Int(number) => from_whole(*number),
        Value::Float(number) => from_float(*number),
        Value::Text(text) => from_text(text.trim()),
        Value::Null | Value::Bool(_) | Value::Bytes(_) => None,
    };
    found.unwrap_or(Reading::Unreadable)
}

/// `20261120`, or seconds, milliseconds or microseconds since 1970 by their size: seconds reach the year 5138 before
/// milliseconds leave 1973.
fn from_whole(number: i64) -> Option<Reading> {
    if (19_000_101..=22_001_231).contains(&number)
        && let Ok(day) = civil::Date::new((number / 10_000) as i16, (number / 100 % 100) as i8, (number % 100) as i8)
    {
        return Some(Reading::Day(day));
    }
    let instant = match number.unsigned_abs() {
        0..100_000_000_000 => Timestamp::from_second(number),
        100_000_000_000..100_000_000_000_000 => Timestamp::from_millisecond(number),
        100_000_000_000_000..100_000_000_000_000_000 => Timestamp::from_microsecond(number),
        _ => return None,
    };
    instant.ok().map(Reading::Instant)
}

/// SQLite's own convention for REAL is the Julian day number; whatever cannot be one is seconds since 1970.
fn from_float(number: f64) -> Option<Reading> {
    const UNIX_EPOCH: f64 = 2_440_587.5;
    const SECONDS_PER_DAY: f64 = 86_400.0;
    if number == f64::INFINITY {
        return Some(Reading::Infinity);
    }
    let seconds = if (1_721_059.5..5_373_484.5).contains(&number) {
        (number - UNIX_EPOCH) * SECONDS_PER_DAY
    } else if number.fract() == 0.0 && number.abs() < 9e15 {
        return from_whole(number as i64);
    } else {
        number
    };
    let milliseconds = (seconds * 1000.0).round();
    (milliseconds.abs() < 1e15).then(|| Timestamp::from_millisecond(milliseconds as i64).ok().map(Reading::Instant))?
}

fn from_text(text: &str) -> Option<Reading> {
    match text.to_ascii_lowercase().as_str() {
        "infinity" | "+infinity" => return Some(Reading::Infinity),
        "-infinity" => return Some(Reading::MinusInfinity),
        _ => {}
    }
    if let Ok(number) = text.parse::<i64>() {
        return from_whole(number);
    }
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(end) => (&text[..end], Some(text[end + 1..].trim_start())),
        None => (text, None),
    };
    let days = days(date)?;
    let Some(time) = time else {
        return Some(match days {
            (day, None) => Reading::Day(day),
            (one, Some(other)) => Reading::Either(one.min(other), one.max(other)),
        });
    };
    let (clock, offset_seconds) = clock(time)?;
    match (days, offset_seconds) {
        ((one, Some(other)), _) => Some(Reading::Either(one.min(other), one.max(other))),
        ((day, None), None) => Some(Reading::Wall(day.to_datetime(clock))),
        ((day, None), Some(seconds)) => {
            let zone = TimeZone::fixed(jiff::tz::Offset::from_seconds(seconds).ok()?);
            Some(match zone.to_timestamp(day.to_datetime(clock)) {
                Ok(instant) => Reading::Instant(instant),
                // Past the last point in time that has one, as what applications write for "never".
                Err(_) if day.year() > 0 => Reading::Infinity,
                Err(_) => Reading::MinusInfinity,
            })
        }
    }
}

/// The day that a text of three numbers means, or both where day and month could change places.
fn days(text: &str) -> Option<(civil::Date, Option<civil::Date>)> {
    let separator = ['-', '/', '.'].into_iter().find(|separator| text.matches(*separator).count() == 2)?;
    let parts: Vec<&str> = text.split(separator).collect();
    if parts.iter().any(|part| part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit())) {
        return None;
    }
    let number = |part: &str| part.parse::<i16>().ok();
    let (first, second, third) = (number(parts[0])?, number(parts[1])?, number(parts[2])?);
    let date = |year: i16, month: i16, day: i16| {
        civil::Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
    };
    match (parts[0].len(), parts[2].len()) {
        (4, 1 | 2) => Some((date(first, second, third)?, None)),
        (1 | 2, 4) => {
            let day_first = date(third, second, first);
            // Points stand between day, month and year wherever they are used.
            let month_first = if separator == '.' { None } else { date(third, first, second) };
            match (day_first, month_first) {
                (Some(one), Some(other)) if one != other => Some((one, Some(other))),
                (Some(day), _) | (None, Some(day)) => Some((day, None)),
                (None, None) => None,
            }
        }
        _ => None,
    }
}

/// `HH:MM[:SS[.fraction]]` and an optional zone as seconds east of UTC.
fn clock(text: &str) -> Option<(civil::Time, Option<i32>)> {
    let zone_start = text.find(['Z', 'z', '+', '-', 'U']).unwrap_or(text.len());
    let offset = match &text[zone_start..] {
        "" => None,
        "Z" | "z" | "UTC" => Some(0),
        zone => Some(offset_seconds(zone)?),
    };
    let time = text[..zone_start].trim_end();
    let (whole, fraction) = time.split_once(['.', ',']).unwrap_or((time, ""));
    let mut parts = whole.split(':');
    let mut next = || parts.next().map(two_digits);
    let hour = next()??;
    let minute = next()??;
    let second = match next() {
        Some(second) => second?,
        None => 0,
    };
    if parts.next().is_some() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanoseconds: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    // A leap second counts as the last second of its minute.
    let time =
        civil::Time::new(hour, minute, second.min(if second == 60 { 59 } else { second }), nanoseconds.parse().ok()?);
    Some((time.ok()?, offset))
}

/// `+02:00`, `-0330`, `+02`.
fn offset_seconds(zone: &str) -> Option<i32> {
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits = zone[1..].replace(':', "");
    let (hours, minutes) = match digits.len() {
        2 => (digits.as_str(), "00"),
        4 => (&digits[..2], digits.get(2..)?),
        _ => return None,
    };
    let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
    (minutes < 60).then_some(sign * (i32::from(hours) * 3600 + i32::from(minutes) * 60))
}

fn two_digits(text: &str) -> Option<i8> {
    (matches!(text.len(), 1 | 2) && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Reading {
        read(&Value::Text(text.to_owned()))
    }

    fn day(year: i16, month: i8, day: i8) -> civil::Date {
        civil::date(year, month, day)
    }

    fn instant(text: &str) -> Reading {
        Reading::Instant(text.parse().expect("RFC 3339"))
    }

    #[test]
    fn dates_are_read_by_their_form_and_not_compared_as_text() {
        assert_eq!(text("2026-01-05"), Reading::Day(day(2026, 1, 5)));
        assert_eq!(text("2026-1-5"), Reading::Day(day(2026, 1, 5)));
        assert_eq!(text("31/12/2020"), Reading::Day(day(2020, 12, 31)));
        assert_eq!(text("12/31/2020"), Reading::Day(day(2020, 12, 31)));
        assert_eq!(text("5.1.2026"), Reading::Day(day(2026, 1, 5)));
        assert_eq!(text("20261120"), Reading::Day(day(2026, 11, 20)));
        assert_eq!(text("03/04/2020"), Reading::Either(day(2020, 3, 4), day(2020, 4, 3)));
        assert_eq!(text("2026-01-05 10:20"), Reading::Wall(day(2026, 1, 5).at(10, 20, 0, 0)));
        assert_eq!(text("2026-01-05 10:20:30.25"), Reading::Wall(day(2026, 1, 5).at(10, 20, 30, 250_000_000)));
        assert_eq!(text("2026-01-05T10:20:30Z"), instant("2026-01-05T10:20:30Z"));
        assert_eq!(text("2026-01-05 10:20:30+02:00"), instant("2026-01-05T08:20:30Z"));
        assert_eq!(text("2026-01-05T10:20:30.5-0330"), instant("2026-01-05T13:50:30.5Z"));
        assert_eq!(text("infinity"), Reading::Infinity);
    }

    #[test]
    fn what_is_no_date_is_said_to_be_none() {
        for bad in [
            "",
            "soon",
            "2026-13-01",
            "2026-02-30",
            "0000-00-00",
            "2026-01-05 25:00",
            "2026-01-05 10",
            "2026-01-05 garbage",
            "1/2/3",
            "32.1.2026",
            "2026-01-05T10:20+1:2:3",
            "2026-01-05 10:20:30 +02:99",
            "99999999999999999999",
        ] {
            assert_eq!(text(bad), Reading::Unreadable, "{bad}");
        }
        assert_eq!(read(&Value::Bytes(b"2026-01-05".to_vec())), Reading::Unreadable);
    }

    #[test]
    fn epoch_numbers_are_told_apart_by_their_size() {
        assert_eq!(read(&Value::Int(1_893_456_000)), instant("2030-01-01T00:00:00Z"));
        assert_eq!(read(&Value::Int(1_893_456_000_000)), instant("2030-01-01T00:00:00Z"));
        assert_eq!(read(&Value::Int(1_893_456_000_000_000)), instant("2030-01-01T00:00:00Z"));
        assert_eq!(read(&Value::Float(2_440_587.5)), instant("1970-01-01T00:00:00Z"));
        assert_eq!(read(&Value::Float(1_893_456_000.5)), instant("2030-01-01T00:00:00.5Z"));
        assert_eq!(read(&Value::Int(i64::MAX)), Reading::Unreadable);
    }

    #[test]
    fn a_day_is_judged_by_the_latest_date_on_earth_unless_a_zone_is_set() {
        let now: Timestamp = "2026-11-20T11:00:00Z".parse().expect("RFC 3339");
        let earth = Deadline::of(now, None);
        assert_eq!(earth.day, day(2026, 11, 21), "it is tomorrow in Kiritimati");
        assert_eq!(earth.is_before(&Reading::Day(day(2026, 11, 21))), Some(false));
        assert_eq!(earth.is_before(&Reading::Day(day(2026, 11, 22))), Some(true));
        let utc = Deadline::of(now, Some(&TimeZone::UTC));
        assert_eq!(utc.is_before(&Reading::Day(day(2026, 11, 21))), Some(true));
    }

    #[test]
    fn a_reading_that_could_be_either_side_of_now_is_not_judged() {
        let deadline = Deadline::of("2026-11-20T00:00:00Z".parse().expect("RFC 3339"), Some(&TimeZone::UTC));
        assert_eq!(deadline.is_before(&text("12/11/2026")), None, "12 November or 11 December");
        assert_eq!(deadline.is_before(&text("03/04/2020")), Some(false));
        assert_eq!(deadline.is_before(&text("03/04/2030")), Some(true));
    }

    #[test]
    fn a_wall_clock_reading_is_utc_unless_a_zone_is_set() {
        let now: Timestamp = "2026-11-20T00:00:00Z".parse().expect("RFC 3339");
        let reading = text("2026-11-20 05:00:00");
        assert_eq!(Deadline::of(now, None).is_before(&reading), Some(true));
        let tokyo = TimeZone::get("Asia/Tokyo").expect("a known zone");
        assert_eq!(Deadline::of(now, Some(&tokyo)).is_before(&reading), Some(false));
    }
}

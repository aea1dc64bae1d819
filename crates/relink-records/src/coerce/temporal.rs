//! Dates and times. A reading without zone stays as it stands; the host's zone is never used; digits of the second that the
//! column would round away are refused.

use jiff::{
    SignedDuration, Span, Timestamp,
    civil::{Date, DateTime, Time},
    tz::{Offset, TimeZone},
};

use super::{Rules, Unfit};

/// `YYYY-MM-DD`; a date-time is taken where its time is midnight exactly, as JavaScript writes dates.
pub(super) fn date(text: &str, rules: &Rules) -> Result<String, Unfit> {
    if let Some(infinity) = infinity(text, rules) {
        return Ok(infinity);
    }
    let (day, time) = match text.split_once(['T', ' ']) {
        Some((day, time)) => (day, Some(time)),
        None => (text, None),
    };
    let date = parse_date(day, rules)?;
    if let Some(time) = time {
        let (clock, offset) = split_offset(time);
        let (clock, _) = parse_clock(clock).ok_or_else(|| Unfit::new("is not a date"))?;
        if let Some(local) = local_midnight(date.to_datetime(clock), offset, rules) {
            return Ok(local.to_string());
        }
        if clock != Time::midnight() || offset.is_some_and(|offset| offset != "Z" && offset != "+00:00") {
            return Err(Unfit::with_help(
                "has a time of day that the date column would lose",
                "if it is midnight in the zone of the program that wrote it, set `timezone` under [run] to that zone",
            ));
        }
    }
    Ok(date.to_string())
}

/// The day of an instant that is midnight in the configured zone: so JavaScript writes a day that its driver took for the local midnight.
fn local_midnight(reading: DateTime, offset: Option<&str>, rules: &Rules) -> Option<Date> {
    let zone = rules.timezone.as_ref().filter(|_| !rules.django && matches!(offset, Some("Z" | "+00:00")))?;
    let local = zone.to_datetime(Offset::UTC.to_timestamp(reading).ok()?);
    (reading.time() != Time::midnight() && local.time() == Time::midnight()).then(|| local.date())
}

/// `HH:MM[:SS[.ffffff]]`, with an offset only where the column keeps one. Prisma writes a time without zone as an instant of the first day
/// of 1970.
pub(super) fn time(text: &str, zoned: bool, precision: u8, rules: &Rules) -> Result<String, Unfit> {
    let of_prisma = text.strip_prefix("1970-01-01T").and_then(|clock| clock.strip_suffix('Z'));
    let text = of_prisma.filter(|_| !zoned && !rules.django).unwrap_or(text);
    let (clock, offset) = split_offset(text);
    if clock == "24:00:00" && !zoned && offset.is_none() {
        return Ok(clock.to_owned());
    }
    let (clock, digits) = parse_clock(clock).ok_or_else(|| Unfit::new("is not a time of day"))?;
    check_precision(digits, precision)?;
    match (offset, zoned) {
        (None, false) => Ok(format_clock(clock)),
        (Some(offset), true) => Ok(format!("{}{}", format_clock(clock), format_offset(parse_offset(offset)?))),
        (Some(_), false) => Err(Unfit::new("has a time zone that the column would lose")),
        (None, true) => Err(Unfit::new("has no time zone, and the column wants one")),
    }
}

/// Date and time. An instant that goes into a column without zone is written in UTC, as Django and the JavaScript drivers mean it.
pub(super) fn timestamp(text: &str, zoned: bool, precision: u8, rules: &Rules) -> Result<String, Unfit> {
    if let Some(infinity) = infinity(text, rules) {
        return Ok(infinity);
    }
    let (day, rest) = match text.split_once(['T', ' ', 't']) {
        Some((day, rest)) => (day, Some(rest)),
        None => (text, None),
    };
    let date = parse_date(day, rules)?;
    let (clock, offset) = rest.map_or(("00:00:00", None), split_offset);
    let (clock, digits) = parse_clock(clock).ok_or_else(|| Unfit::new("is not a date and time"))?;
    check_precision(digits, precision)?;
    let reading = date.to_datetime(clock);
    let instant = match offset {
        Some(offset) => Some(to_utc(reading, parse_offset(offset)?)?),
        None => None,
    };
    match (instant, zoned) {
        (Some(utc), false) if rules.django || matches!(offset, Some("Z" | "z" | "+00:00" | "+00")) => {
            Ok(format_reading(utc))
        }
        (Some(_), false) => Err(Unfit::with_help(
            "has an offset, and the column keeps none: which reading is meant is not known",
            "export it in UTC (Z) or without offset",
        )),
        (Some(utc), true) => Ok(format!("{}+00:00", format_reading(utc))),
        (None, false) => Ok(format_reading(reading)),
        (None, true) => {
            let Some(zone) = &rules.timezone else {
                return Err(Unfit::with_help(
                    "has no time zone, and the column holds instants",
                    "set `timezone` under [run] in the configuration to the zone that the export means",
                ));
            };
            let instant = zone.to_ambiguous_timestamp(reading).unambiguous().map_err(|_| {
                Unfit::new(
                    "falls into a change of clocks of the configured time zone: which instant is meant is not known",
                )
            })?;
            Ok(format!("{}+00:00", format_reading(TimeZone::UTC.to_datetime(instant))))
        }
    }
}

/// A duration in microseconds: as Django dumps it (`[-]DAYS HH:MM:SS[.ffffff]`, where the sign belongs to the days alone), or ISO 8601.
pub(super) fn duration_microseconds(text: &str) -> Result<i64, Unfit> {
    let unfit = || Unfit::new("is not a duration of days, hours, minutes and seconds");
    if text.contains(':') {
        let (days, clock) = text.split_once(' ').unwrap_or(("0", text));
        let days: i64 = days.parse().map_err(|_| unfit())?;
        let (clock, digits) = parse_clock(clock).ok_or_else(unfit)?;
        check_precision(digits, 6)?;
        let seconds = i64::from(clock.hour()) * 3_600 + i64::from(clock.minute()) * 60 + i64::from(clock.second());
        let micros = seconds * 1_000_000 + i64::from(clock.subsec_nanosecond()) / 1_000;
        let days = days.checked_mul(86_400_000_000).and_then(|days| days.checked_add(micros));
        return days.ok_or_else(|| Unfit::new("is out of range"));
    }
    let span: Span = text.parse().map_err(|_| unfit())?;
    if span.get_years() != 0 || span.get_months() != 0 {
        return Err(unfit());
    }
    let days = i64::from(span.get_weeks()) * 7 + i64::from(span.get_days());
    let clock = span.weeks(0).days(0);
    let duration: SignedDuration = clock.try_into().map_err(|_| unfit())?;
    if duration.subsec_nanos() % 1_000 != 0 {
        return Err(Unfit::new("has digits past the microsecond that would be lost"));
    }
    i64::try_from(duration.as_micros())
        .ok()
        .and_then(|micros| days.checked_mul(86_400_000_000)?.checked_add(micros))
        .ok_or_else(|| Unfit::new("is out of range"))
}

fn infinity(text: &str, rules: &Rules) -> Option<String> {
    (rules.capabilities.temporals_hold_infinity && matches!(text, "infinity" | "-infinity")).then(|| text.to_owned())
}

fn parse_date(text: &str, rules: &Rules) -> Result<Date, Unfit> {
    let shape = text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(i, byte)| if i == 4 || i == 7 { byte == b'-' } else { byte.is_ascii_digit() });
    if !shape {
        return Err(Unfit::new("is not a date (YYYY-MM-DD)"));
    }
    if text == "0000-00-00" {
        return Err(Unfit::with_help(
            "is MySQL's zero date, which is no date",
            "decide what it stands for and mend it in the source",
        ));
    }
    let date: Date = text.parse().map_err(|_| Unfit::new("is not a day of the calendar"))?;
    let (first, last) = rules.capabilities.years;
    if date.year() < first || date.year() > last {
        return Err(Unfit::new(format!("is out of range: this database holds the years {first} to {last}")));
    }
    Ok(date)
}

/// `HH:MM[:SS[.f...]]` and the number of significant digits of the second's fraction.
fn parse_clock(text: &str) -> Option<(Time, u8)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = whole.split(':');
    let mut part = || -> Option<i8> {
        let part = parts.next()?;
        (part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| part.parse().ok())?
    };
    let (hour, minute) = (part()?, part()?);
    let second = if whole.len() > 5 { part()? } else { 0 };
    if parts.next().is_some() || text.contains('.') && (whole.len() != 8 || fraction.is_empty()) {
        return None;
    }
    let significant = fraction.trim_end_matches('0');
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) || significant.len() > 9 {
        return None;
    }
    let nanos: i32 = if significant.is_empty() { 0 } else { format!("{significant:0<9}").parse().ok()? };
    Some((Time::new(hour, minute, second, nanos).ok()?, significant.len() as u8))
}

fn check_precision(digits: u8, precision: u8) -> Result<(), Unfit> {
    if digits > precision {
        return Err(Unfit::new(format!("has {digits} digits of a second, and the column keeps {precision}")));
    }
    Ok(())
}

/// Splits `10:00:00+05:30` into clock and offset; `Z` counts as an offset.
pub fn split_offset(text: &str) -> (&str, Option<&str>) {
    match text.find(['Z', 'z', '+', '-']) {
        Some(at) => (text[..at].trim_end(), Some(&text[at..])),
        None => (text, None),
    }
}

/// An offset such as `Z`, `+02`, `+0530` or `-08:00`.
pub fn parse_offset(text: &str) -> Result<Offset, Unfit> {
    let unfit = || Unfit::new(format!("has an offset {text:?} that is not understood"));
    if text.eq_ignore_ascii_case("z") {
        return Ok(Offset::UTC);
    }
    let digits: String = text[1..].chars().filter(|c| *c != ':').collect();
    if !matches!(digits.len(), 2 | 4 | 6) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(unfit());
    }
    let part = |range: std::ops::Range<usize>| digits.get(range).map_or(0, |text| text.parse::<i32>().unwrap_or(0));
    let seconds = part(0..2) * 3_600 + part(2..4) * 60 + part(4..6);
    Offset::from_seconds(if text.starts_with('-') { -seconds } else { seconds }).map_err(|_| unfit())
}

fn to_utc(reading: DateTime, offset: Offset) -> Result<DateTime, Unfit> {
    let instant: Timestamp = offset.to_timestamp(reading).map_err(|_| Unfit::new("is out of range"))?;
    Ok(TimeZone::UTC.to_datetime(instant))
}

fn format_offset(offset: Offset) -> String {
    let seconds = offset.seconds();
    let sign = if seconds < 0 { '-' } else { '+' };
    let seconds = seconds.abs();
    format!("{sign}{:02}:{:02}", seconds / 3_600, seconds / 60 % 60)
}

fn format_clock(clock: Time) -> String {
    let base = format!("{:02}:{:02}:{:02}", clock.hour(), clock.minute(), clock.second());
    match clock.subsec_nanosecond() {
        0 => base,
        nanos if nanos % 1_000 == 0 => format!("{base}.{:06}", nanos / 1_000),
        nanos => format!("{base}.{nanos:09}"),
    }
}

/// `YYYY-MM-DD HH:MM:SS[.ffffff]`.
fn format_reading(reading: DateTime) -> String {
    format!("{} {}", reading.date(), format_clock(reading.time()))
}

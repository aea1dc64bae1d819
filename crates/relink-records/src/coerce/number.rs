//! Booleans and numbers. Numbers are read from their text; only floating point columns see floating point.

use relink_export::{JsonKind, RawJson};
use relink_model::Value;

use super::{Rules, Unfit, content, describe, string, temporal};

pub(super) fn boolean(json: &RawJson<'_>) -> Result<Value, Unfit> {
    let unfit = || Unfit::new("is not a boolean (true, false, 0 or 1)");
    match json.kind() {
        JsonKind::True => Ok(Value::Bool(true)),
        JsonKind::False => Ok(Value::Bool(false)),
        JsonKind::Number => match json.text() {
            "0" => Ok(Value::Bool(false)),
            "1" => Ok(Value::Bool(true)),
            _ => Err(unfit()),
        },
        JsonKind::String => match string(json, "a boolean")?.to_ascii_lowercase().as_str() {
            "true" | "t" | "1" => Ok(Value::Bool(true)),
            "false" | "f" | "0" => Ok(Value::Bool(false)),
            _ => Err(unfit()),
        },
        // What JSON.stringify makes of a bit(1) column.
        JsonKind::Object => match content::buffer(json) {
            Some(Ok(bytes)) if bytes == [0] => Ok(Value::Bool(false)),
            Some(Ok(bytes)) if bytes == [1] => Ok(Value::Bool(true)),
            _ => Err(unfit()),
        },
        _ => Err(unfit()),
    }
}

pub(super) fn integer(json: &RawJson<'_>, bits: u8, unsigned: bool, rules: &Rules) -> Result<Value, Unfit> {
    let text = match json.kind() {
        JsonKind::Number => json.text().to_owned(),
        JsonKind::String => {
            let text = string(json, "a whole number")?;
            // Django stores durations as microseconds where the database has no interval type.
            if rules.django && bits == 64 && (text.contains(':') || text.trim_start_matches('-').starts_with('P')) {
                return temporal::duration_microseconds(&text).map(Value::Int);
            }
            text
        }
        JsonKind::True | JsonKind::False if !rules.capabilities.enforces_types => {
            return Ok(Value::Int(i64::from(json.kind() == JsonKind::True)));
        }
        JsonKind::Object if !rules.django => big_number(json)?,
        kind => return Err(Unfit::new(format!("is {}, not a whole number", describe(kind)))),
    };
    let plain = plain(&text).ok_or_else(|| Unfit::new("is not a whole number"))?;
    if plain.fraction.bytes().any(|digit| digit != b'0') {
        return Err(Unfit::new("is not a whole number: its fraction would be lost"));
    }
    let digits = plain.whole.trim_start_matches('0');
    let value: i128 = if digits.is_empty() { 0 } else { digits.parse().map_err(|_| out_of_range(bits, unsigned))? };
    let value = if plain.negative { -value } else { value };
    let (low, high) =
        if unsigned { (0, (1_i128 << bits) - 1) } else { (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1) };
    if value < low || value > high {
        return Err(out_of_range(bits, unsigned));
    }
    // Unsigned values past i64 travel as text, which the server reads exactly.
    Ok(i64::try_from(value).map_or_else(|_| Value::Text(value.to_string()), Value::Int))
}

fn out_of_range(bits: u8, unsigned: bool) -> Unfit {
    let sign = if unsigned { "unsigned" } else { "signed" };
    Unfit::new(format!("is out of range for a {sign} {bits}-bit whole number"))
}

pub(super) fn float(json: &RawJson<'_>, bits: u8, rules: &Rules) -> Result<Value, Unfit> {
    let text = match json.kind() {
        JsonKind::Number | JsonKind::NonFinite => json.text().to_owned(),
        JsonKind::String => string(json, "a number")?,
        JsonKind::Object if !rules.django => big_number(json)?,
        kind => return Err(Unfit::new(format!("is {}, not a number", describe(kind)))),
    };
    let special = match text.trim_start_matches('-') {
        "NaN" => Some(f64::NAN),
        "Infinity" | "inf" if text.starts_with('-') => Some(f64::NEG_INFINITY),
        "Infinity" | "inf" => Some(f64::INFINITY),
        _ => None,
    };
    if let Some(value) = special {
        return if rules.capabilities.floats_hold_specials {
            Ok(Value::Float(value))
        } else {
            Err(Unfit::new("cannot be held: this database has no NaN or infinity"))
        };
    }
    if plain(&text).is_none() {
        return Err(Unfit::new("is not a number"));
    }
    let value: f64 = text.parse().map_err(|_| Unfit::new("is not a number"))?;
    if !is_kept(&text, value, bits) {
        return Err(Unfit::new(format!("has more digits than a {bits}-bit float keeps: it would be rounded")));
    }
    let finite = if bits == 32 { (value as f32).is_finite() } else { value.is_finite() };
    if finite { Ok(Value::Float(value)) } else { Err(Unfit::new(format!("is out of range for a {bits}-bit float"))) }
}

/// Whether a float keeps a number: whole numbers exactly; others to the digits that such floats are printed with (9 and 17), or to the
/// very digits that they print.
fn is_kept(text: &str, value: f64, bits: u8) -> bool {
    let Some(given) = plain(text) else { return false };
    let value = if bits == 32 { f64::from(value as f32) } else { value };
    let (Some(back), Some(shortest)) = (
        plain(&format!("{value:e}")),
        plain(&if bits == 32 { format!("{:e}", value as f32) } else { format!("{value:e}") }),
    ) else {
        return true;
    };
    if given.significant() == back.significant() || given.significant() == shortest.significant() {
        return true;
    }
    let whole = given.fraction.bytes().all(|digit| digit == b'0');
    !whole && given.significant().1.len() <= if bits == 32 { 9 } else { 17 }
}

/// Whether a double keeps every digit of a number; for columns that keep whatever they are given.
pub(super) fn double_keeps(text: &str, value: f64) -> bool {
    let (given, back) = (plain(text), plain(&format!("{value:e}")));
    given.zip(back).is_some_and(|(given, back)| given.significant() == back.significant())
}

pub(super) fn decimal(
    json: &RawJson<'_>,
    precision: Option<u32>,
    scale: Option<i32>,
    special: bool,
    unsigned: bool,
    rules: &Rules,
) -> Result<Value, Unfit> {
    let text = match json.kind() {
        JsonKind::Number | JsonKind::NonFinite => json.text().to_owned(),
        JsonKind::String => string(json, "a decimal number")?,
        JsonKind::Object if !rules.django => big_number(json)?,
        kind => return Err(Unfit::new(format!("is {}, not a decimal number", describe(kind)))),
    };
    if text == "NaN" {
        return if special { Ok(Value::Text(text)) } else { Err(Unfit::new("cannot be held by this column")) };
    }
    let plain = plain(&text).ok_or_else(|| Unfit::new("is not a decimal number"))?;
    if unsigned && plain.negative {
        return Err(Unfit::new("is negative, and the column is unsigned"));
    }
    if let Some(precision) = precision {
        let scale = scale.unwrap_or(0);
        let kept = usize::try_from(scale).unwrap_or(0);
        // A negative scale keeps whole tens, hundreds, ... only.
        let unkept = usize::try_from(-i64::from(scale)).unwrap_or(0);
        let lost =
            plain.fraction.bytes().skip(kept).chain(plain.whole.bytes().rev().take(unkept)).any(|digit| digit != b'0');
        if lost {
            return Err(Unfit::new(format!(
                "has digits past those that numeric({precision},{scale}) keeps: they would be rounded away"
            )));
        }
        let whole = plain.whole.trim_start_matches('0').len() as i64;
        let room = i64::from(precision) - i64::from(scale);
        // With a scale beyond the precision the first digits after the point must be zeros.
        let zeros = usize::try_from(-room).unwrap_or(0);
        let leading = plain.fraction.bytes().take(zeros).any(|digit| digit != b'0');
        if whole > room.max(0) || leading {
            return Err(Unfit::new(format!("is out of range for numeric({precision},{scale})")));
        }
    }
    let sign = if plain.negative { "-" } else { "" };
    let whole = plain.whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let fraction = match (precision, scale) {
        // Trailing zeros past the scale are no digits that could be lost.
        (Some(_), Some(scale)) => &plain.fraction[..plain.fraction.len().min(usize::try_from(scale).unwrap_or(0))],
        _ => plain.fraction.as_str(),
    };
    Ok(Value::Text(if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }))
}

/// The number that an object of decimal.js (`{"s":1,"e":2,"d":[123,4560000]}`) or bignumber.js (`c` for `d`) holds, as its text: sign,
/// power of ten of the first digit, and the digits in words of 7 or 14. That is what a copy of such an object becomes; itself it becomes a
/// string.
fn big_number(json: &RawJson<'_>) -> Result<String, Unfit> {
    let unfit = || Unfit::new("is an object, not a number");
    let (mut negative, mut exponent, mut words) = (None, None, None);
    for (name, value) in json.entries() {
        match name.as_str().map_err(|_| unfit())?.as_ref() {
            "s" if matches!(value.text(), "1" | "-1") => negative = Some(value.text() == "-1"),
            "e" => exponent = Some(value.text().parse::<i64>().map_err(|_| unfit())?),
            "d" => words = Some((7, value)),
            "c" => words = Some((14, value)),
            _ => return Err(unfit()),
        }
    }
    let (Some(negative), Some(exponent), Some((width, words))) = (negative, exponent, words) else {
        return Err(unfit());
    };
    let mut digits = String::new();
    for (position, word) in words.elements().enumerate() {
        let text = word.text();
        let canonical = text == "0" || !text.starts_with('0');
        let fits = !text.is_empty() && text.len() <= width && text.bytes().all(|byte| byte.is_ascii_digit());
        if !fits || !canonical {
            return Err(unfit());
        }
        if position > 0 {
            digits.extend(std::iter::repeat_n('0', width - text.len()));
        }
        digits.push_str(text);
    }
    if digits.is_empty() || (digits.len() > 1 && digits.starts_with('0')) {
        return Err(unfit());
    }
    let (first, rest) = digits.split_at(1);
    Ok(format!("{}{first}.{rest}e{exponent}", if negative { "-" } else { "" }))
}

/// Whether two numbers have the same value, whatever zeros and exponents they are written with.
pub fn equal_numbers(a: &str, b: &str) -> bool {
    plain(a).zip(plain(b)).is_some_and(|(a, b)| a.significant() == b.significant())
}

/// A number times `10^power`, where that is a whole number.
pub(crate) fn scaled(text: &str, power: usize) -> Option<i128> {
    let plain = plain(text)?;
    let fraction = plain.fraction.trim_end_matches('0');
    if fraction.len() > power {
        return None;
    }
    let value: i128 = format!("{}{fraction:0<power$}", plain.whole).parse().ok()?;
    Some(if plain.negative { -value } else { value })
}

/// A number's digits without exponent.
struct Plain {
    negative: bool,
    whole: String,
    fraction: String,
}

impl Plain {
    /// Sign, digits without zeros at either end, and the power of ten of the last digit: equal for equal numbers.
    fn significant(&self) -> (bool, String, i64) {
        let digits = format!("{}{}", self.whole, self.fraction);
        let trimmed = digits.trim_end_matches('0');
        let power = (digits.len() - trimmed.len()) as i64 - self.fraction.len() as i64;
        let trimmed = trimmed.trim_start_matches('0');
        if trimmed.is_empty() { (false, String::new(), 0) } else { (self.negative, trimmed.to_owned(), power) }
    }
}

/// Exponents past this would make megabytes of zeros of a few bytes of input.
const EXPONENT_MAX: i64 = 2_000;

/// Reads `[+-]digits[.digits][e[+-]digits]`; `None` for anything else.
fn plain(text: &str) -> Option<Plain> {
    let (negative, rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() && fraction.is_empty() || !digits(whole) || !digits(fraction) || exponent.abs() > EXPONENT_MAX {
        return None;
    }
    let (mut whole, mut fraction) = (whole.to_owned(), fraction.to_owned());
    if exponent > 0 {
        let shift = exponent as usize;
        let moved = shift.min(fraction.len());
        whole.push_str(&fraction[..moved]);
        whole.extend(std::iter::repeat_n('0', shift - moved));
        fraction.drain(..moved);
    } else if exponent < 0 {
        let shift = exponent.unsigned_abs() as usize;
        let padded = format!("{}{whole}", "0".repeat(shift.saturating_sub(whole.len())));
        let (left, right) = padded.split_at(padded.len() - shift);
        fraction = format!("{right}{fraction}");
        left.clone_into(&mut whole);
    }
    Some(Plain { negative, whole, fraction })
}

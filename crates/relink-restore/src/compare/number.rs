//! Numbers by value: exact, whatever carries them.

use relink_model::Value;

/// Whether two numbers are equal to the last digit; scales do not count. A float stands for the decimal that it prints as, which is how a
/// database without decimals keeps them.
pub(super) fn is_same(written: &Value, read: &Value) -> bool {
    match (exact(written), exact(read)) {
        (Some(written), Some(read)) => written == read,
        _ => written == read,
    }
}

/// Whether two floats of this width are equal to the bit. A database that keeps no sign of zero has lost nothing that compares.
pub(super) fn is_same_float(written: &Value, read: &Value, bits: u8) -> bool {
    let (Some(written), Some(read)) = (float(written), float(read)) else { return written == read };
    let equal = if bits == 32 {
        (written as f32).to_bits() == (read as f32).to_bits()
    } else {
        written.to_bits() == read.to_bits()
    };
    equal || written.is_nan() && read.is_nan() || written == 0.0 && read == 0.0 && read.is_sign_positive()
}

/// The value as a double, where it is one exactly.
fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Float(value) => Some(*value),
        Value::Int(value) => Some(*value as f64).filter(|float| *float as i128 == i128::from(*value)),
        Value::Null | Value::Bool(_) | Value::Text(_) | Value::Bytes(_) => None,
    }
}

/// A number as its sign, its digits without zeros at either end, and the power of ten of the last one: equal for equal numbers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Exact {
    negative: bool,
    digits: String,
    power: i64,
}

fn exact(value: &Value) -> Option<Exact> {
    match value {
        Value::Bool(value) => parse(if *value { "1" } else { "0" }),
        Value::Int(value) => parse(&value.to_string()),
        Value::Float(value) => parse(&format!("{value:e}")),
        Value::Text(text) => parse(text),
        Value::Null | Value::Bytes(_) => None,
    }
}

/// Reads `[+-]digits[.digits][e[+-]digits]`; `None` for anything else. Exponents are never written out as zeros.
pub(super) fn parse(text: &str) -> Option<Exact> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let length = digits.len();
    digits.truncate(digits.trim_end_matches('0').len());
    let zeros = (length - digits.len()) as i64;
    let digits = digits.trim_start_matches('0').to_owned();
    if digits.is_empty() {
        return Some(Exact { negative: false, digits, power: 0 });
    }
    let power = exponent.checked_sub(fraction.len() as i64)?.checked_add(zeros)?;
    Some(Exact { negative: text.starts_with('-'), digits, power })
}

//! Exact decimal numbers out of stored values. Knows nothing of checks.

use std::str::FromStr;

use bigdecimal::BigDecimal;
use relink_model::Value;

/// The longest text that is read as a number: longer ones are no quantities, and arithmetic on them has no bound.
const CHARS_MAX: usize = 400;

/// The largest exponent, either way: `1e999999999` would make arithmetic take all memory.
const EXPONENT_MAX: i32 = 400;

/// So many digits always fit a machine's number.
const DIGITS_MACHINE: usize = 18;

/// A plain decimal number (`-12.50`, `+3`, `.5`, `1e3`): no separators, no spaces, no words.
pub fn parse(text: &str) -> Option<BigDecimal> {
    if text.len() > CHARS_MAX {
        return None;
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let only_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !only_digits(whole) || !only_digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    if exponent.is_none() && whole.len() + fraction.len() <= DIGITS_MACHINE {
        let units = whole.bytes().chain(fraction.bytes()).fold(0, |units, digit| units * 10 + i64::from(digit - b'0'));
        let units = if mantissa.starts_with('-') { -units } else { units };
        return Some(BigDecimal::new(units.into(), fraction.len() as i64));
    }
    if exponent.is_some_and(|text| !text.parse::<i32>().is_ok_and(|value| value.abs() <= EXPONENT_MAX)) {
        return None;
    }
    BigDecimal::from_str(text).ok()
}

/// The number that a stored value is: a float's shortest decimal, so that a stored 0.3 is three tenths.
/// `None` for NULL, for what is not finite, and for what is no number.
pub fn of_value(value: &Value) -> Option<BigDecimal> {
    match value {
        Value::Int(value) => Some(BigDecimal::from(*value)),
        Value::Float(value) => parse(&format!("{value:e}")),
        Value::Text(text) => parse(text),
        Value::Bool(value) => Some(BigDecimal::from(i64::from(*value))),
        Value::Null | Value::Bytes(_) => None,
    }
}

/// As SQL and people write it, without an exponent.
pub fn plain(number: &BigDecimal) -> String {
    number.to_plain_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_decimals_are_numbers() {
        for good in ["0", "-12.50", "+3", ".5", "5.", "1e3", "9007199254740993.0"] {
            assert!(parse(good).is_some(), "{good}");
        }
        for bad in ["", "abc", "1,000.00", " 1", "1_000", "0x10", "1e999999999", "NaN", "inf", "-", ".", "1.2.3", "١"]
        {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn short_numbers_are_read_as_long_ones_are() {
        for text in
            ["0", "-0", "+3", ".5", "5.", "-12.50", "0.000", "999999999999999999", "-0.00000000000000001", "007.10"]
        {
            let library = BigDecimal::from_str(text).expect("a number");
            let own = parse(text).expect("a number");
            assert_eq!(own.as_bigint_and_exponent(), library.as_bigint_and_exponent(), "{text}");
        }
    }

    #[test]
    fn a_float_is_its_shortest_decimal() {
        assert_eq!(of_value(&Value::Float(0.3)), parse("0.3"));
        assert_ne!(of_value(&Value::Float(0.1 + 0.2)), parse("0.3"));
        assert_eq!(of_value(&Value::Float(1e300)), parse("1e300"));
        assert_eq!(of_value(&Value::Float(f64::INFINITY)), None);
    }
}

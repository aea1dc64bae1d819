//! What a row comes to.

use std::cmp::Ordering;

use bigdecimal::{BigDecimal, RoundingMode, Signed as _, ToPrimitive as _, Zero as _, num_bigint::BigInt};
use jiff::{Timestamp, civil, tz::TimeZone};
use relink_model::Value;

use super::{Arithmetic, Bound, BoundNode, Comparison, Datum, Fault, Function};

/// Digits after the point of a quotient.
const QUOTIENT_DIGITS: i64 = 20;

/// The instant that counts as now, and the zone of readings without one.
#[derive(Clone, Debug)]
pub struct Moment {
    /// Now.
    pub now: Timestamp,
    /// What a date and time without a zone means.
    pub zone: TimeZone,
}

/// What a condition says of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// It holds.
    Holds,
    /// It does not hold.
    Fails,
    /// A NULL leaves it open.
    Unknown,
    /// A value is not what its column says.
    Faulty(Fault),
}

impl Bound {
    /// Judges a row; `value` gives the stored value of a column by its index.
    pub fn judge<'r>(&self, at: &Moment, value: &dyn Fn(usize) -> &'r Value) -> Judged {
        match self.value(at, value) {
            Ok(Datum::Boolean(true)) => Judged::Holds,
            Ok(Datum::Boolean(false)) => Judged::Fails,
            Ok(_) => Judged::Unknown,
            Err(fault) => Judged::Faulty(fault),
        }
    }

    /// The value for a row as a sum over rows takes it: `sum(a - b)` is `sum(a) - sum(b)`, in which a side that is NULL counts as nothing. NULL where all
    /// sides are.
    pub fn summand<'r>(&self, at: &Moment, value: &dyn Fn(usize) -> &'r Value) -> Result<Datum, Fault> {
        let terms = self.terms();
        if let [_] = terms.as_slice() {
            return self.value(at, value);
        }
        let (mut sum, mut any) = (Datum::Number(BigDecimal::zero()), false);
        for (sign, term) in terms {
            match term.value(at, value)? {
                Datum::Null => {}
                found => {
                    any |= !matches!(term.node, BoundNode::Constant(_));
                    sum = calculated(sign, sum, found)?;
                }
            }
        }
        Ok(if any { sum } else { Datum::Null })
    }

    /// What is added and taken away.
    pub fn terms(&self) -> Vec<(Arithmetic, &Self)> {
        let mut terms = Vec::new();
        self.collect_terms(Arithmetic::Plus, &mut terms);
        terms
    }

    /// The value for a row.
    pub fn value<'r>(&self, at: &Moment, value: &dyn Fn(usize) -> &'r Value) -> Result<Datum, Fault> {
        let of = |bound: &Self| bound.value(at, value);
        Ok(match &self.node {
            BoundNode::Constant(datum) => datum.clone(),
            BoundNode::Now => Datum::Instant(at.now),
            BoundNode::Column(index) => Datum::read(value(*index), self.kind)?,
            BoundNode::Negative(a) => match of(a)? {
                Datum::Number(number) => Datum::Number(-number),
                Datum::Infinite(positive) => Datum::Infinite(!positive),
                other => other,
            },
            BoundNode::Not(a) => match of(a)? {
                Datum::Boolean(value) => Datum::Boolean(!value),
                other => other,
            },
            BoundNode::Arithmetic(sign, a, b) => calculated(*sign, of(a)?, of(b)?)?,
            BoundNode::Comparison(comparison, a, b) => {
                truth(ordering(&of(a)?, &of(b)?, at).map(|ordering| comparison.holds(ordering)))
            }
            BoundNode::And(a, b) => decided(of(a), of(b), false)?,
            BoundNode::Or(a, b) => decided(of(a), of(b), true)?,
            BoundNode::IsNull(a) => Datum::Boolean(match &a.node {
                // A column is asked itself: what it holds is there, whatever it is.
                BoundNode::Column(index) => value(*index).is_null(),
                _ => matches!(of(a), Ok(Datum::Null)),
            }),
            BoundNode::In(a, values) => {
                let wanted = of(a)?;
                let mut open = false;
                for candidate in values {
                    match ordering(&wanted, &of(candidate)?, at) {
                        Some(Ordering::Equal) => return Ok(Datum::Boolean(true)),
                        Some(_) => {}
                        None => open = true,
                    }
                }
                truth((!open).then_some(false))
            }
            BoundNode::Matches(a, pattern) => match of(a)? {
                Datum::Text(text) => Datum::Boolean(pattern.matches(&text)),
                _ => Datum::Null,
            },
            BoundNode::Call(function, arguments) => called(*function, arguments, at, value)?,
        })
    }
}

impl Bound {
    fn collect_terms<'a>(&'a self, sign: Arithmetic, terms: &mut Vec<(Arithmetic, &'a Self)>) {
        let opposite = if sign == Arithmetic::Plus { Arithmetic::Minus } else { Arithmetic::Plus };
        match &self.node {
            BoundNode::Arithmetic(Arithmetic::Plus, a, b) => {
                a.collect_terms(sign, terms);
                b.collect_terms(sign, terms);
            }
            BoundNode::Arithmetic(Arithmetic::Minus, a, b) => {
                a.collect_terms(sign, terms);
                b.collect_terms(opposite, terms);
            }
            BoundNode::Negative(a) => a.collect_terms(opposite, terms),
            _ => terms.push((sign, self)),
        }
    }
}

impl Comparison {
    /// Whether it holds between two values in this order.
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Different => ordering.is_ne(),
            Self::Less => ordering.is_lt(),
            Self::AtMost => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::AtLeast => ordering.is_ge(),
        }
    }
}

fn truth(value: Option<bool>) -> Datum {
    value.map_or(Datum::Null, Datum::Boolean)
}

/// `and` and `or`: one side that `decides` is enough, whatever the other is; else a fault counts before what is unknown.
fn decided(a: Result<Datum, Fault>, b: Result<Datum, Fault>, decides: bool) -> Result<Datum, Fault> {
    let decisive = |side: &Result<Datum, Fault>| matches!(side, Ok(Datum::Boolean(value)) if *value == decides);
    if decisive(&a) || decisive(&b) {
        return Ok(Datum::Boolean(decides));
    }
    Ok(match (a?, b?) {
        (Datum::Boolean(_), Datum::Boolean(_)) => Datum::Boolean(!decides),
        _ => Datum::Null,
    })
}

fn calculated(sign: Arithmetic, a: Datum, b: Datum) -> Result<Datum, Fault> {
    let (a, b) = match (a, b) {
        (Datum::Null, _) | (_, Datum::Null) => return Ok(Datum::Null),
        (Datum::Number(a), Datum::Number(b)) => (a, b),
        _ => return Err(Fault::new("not a finite number")),
    };
    Ok(Datum::Number(match sign {
        Arithmetic::Plus => a + b,
        Arithmetic::Minus => a - b,
        Arithmetic::Times => a * b,
        Arithmetic::By if b.is_zero() => return Err(Fault::new("a division by zero")),
        Arithmetic::By => quotient(&a, &b),
    }))
}

/// A quotient of so many digits after the point, rounded half to even; the divisor is not zero.
fn quotient(a: &BigDecimal, b: &BigDecimal) -> BigDecimal {
    let ((a, a_scale), (b, b_scale)) = (a.as_bigint_and_exponent(), b.as_bigint_and_exponent());
    let shift = QUOTIENT_DIGITS + b_scale - a_scale;
    let power = |digits: i64| BigInt::from(10).pow(u32::try_from(digits.unsigned_abs()).unwrap_or(u32::MAX));
    let (dividend, divisor) = if shift >= 0 { (a * power(shift), b) } else { (a, b * power(shift)) };
    let (mut whole, rest) = (&dividend / &divisor, &dividend % &divisor);
    let one = if (dividend.is_negative()) == (divisor.is_negative()) { BigInt::from(1) } else { BigInt::from(-1) };
    let half = (rest.abs() * 2_u8).cmp(&divisor.abs());
    if half.is_gt() || half.is_eq() && (&whole % 2_u8) != BigInt::zero() {
        whole += one;
    }
    BigDecimal::new(whole, QUOTIENT_DIGITS)
}

/// How two values of one kind compare; `None` where one of them is missing.
pub fn ordering(a: &Datum, b: &Datum, at: &Moment) -> Option<Ordering> {
    match (a, b) {
        (Datum::Null, _) | (_, Datum::Null) => None,
        (Datum::Number(a), Datum::Number(b)) => Some(a.cmp(b)),
        (Datum::Boolean(a), Datum::Boolean(b))
        | (Datum::Infinite(a), Datum::Infinite(b))
        | (Datum::Never(a), Datum::Never(b)) => Some(a.cmp(b)),
        (Datum::Infinite(positive) | Datum::Never(positive), _) => {
            Some(if *positive { Ordering::Greater } else { Ordering::Less })
        }
        (_, Datum::Infinite(positive) | Datum::Never(positive)) => {
            Some(if *positive { Ordering::Less } else { Ordering::Greater })
        }
        (Datum::Text(a), Datum::Text(b)) => Some(a.cmp(b)),
        // A day ends when the next one begins: a moment on it is on it, and neither before nor after.
        (Datum::Day(a), b) => Some(a.cmp(&day(b, at)?)),
        (a, Datum::Day(b)) => Some(day(a, at)?.cmp(b)),
        (Datum::Wall(a), Datum::Wall(b)) => Some(a.cmp(b)),
        (a, b) => Some(instant(a, at)?.cmp(&instant(b, at)?)),
    }
}

/// The day of a moment.
fn day(datum: &Datum, at: &Moment) -> Option<civil::Date> {
    match datum {
        Datum::Day(day) => Some(*day),
        Datum::Wall(wall) => Some(wall.date()),
        Datum::Instant(instant) => Some(instant.to_zoned(at.zone.clone()).date()),
        _ => None,
    }
}

/// Where a moment stands among all points in time: those past the last that there is come after it, in their own order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Before(civil::DateTime),
    At(Timestamp),
    After(civil::DateTime),
}

/// The point in time of a moment.
pub(crate) fn instant(datum: &Datum, at: &Moment) -> Option<Place> {
    match datum {
        Datum::Instant(instant) => Some(Place::At(*instant)),
        Datum::Wall(wall) => Some(match at.zone.to_timestamp(*wall) {
            Ok(instant) => Place::At(instant),
            Err(_) if wall.year() > 0 => Place::After(*wall),
            Err(_) => Place::Before(*wall),
        }),
        _ => None,
    }
}

fn called<'r>(
    function: Function,
    arguments: &[Bound],
    at: &Moment,
    value: &dyn Fn(usize) -> &'r Value,
) -> Result<Datum, Fault> {
    if function == Function::Coalesce {
        for argument in arguments {
            let found = argument.value(at, value)?;
            if found != Datum::Null {
                return Ok(found);
            }
        }
        return Ok(Datum::Null);
    }
    let Some(first) = arguments.first() else { return Ok(Datum::Null) };
    let first = first.value(at, value)?;
    if first == Datum::Null {
        return Ok(Datum::Null);
    }
    Ok(match (function, first) {
        (Function::Abs, Datum::Number(number)) => Datum::Number(number.abs()),
        (Function::Abs, Datum::Infinite(_)) => Datum::Infinite(true),
        (Function::Sign, Datum::Number(number)) => Datum::Number(number.signum()),
        (Function::Sign, Datum::Infinite(positive)) => Datum::Number(BigDecimal::from(if positive { 1 } else { -1 })),
        (Function::Round, Datum::Number(number)) => {
            let digits = match arguments.get(1).map(|digits| &digits.node) {
                Some(BoundNode::Constant(Datum::Number(digits))) => digits.to_i64().unwrap_or(0),
                _ => 0,
            };
            Datum::Number(number.with_scale_round(digits, RoundingMode::HalfUp))
        }
        (Function::Round, infinite @ Datum::Infinite(_)) => infinite,
        (Function::Length, Datum::Text(text)) => Datum::Number(BigDecimal::from(text.chars().count() as u64)),
        (Function::Lower, Datum::Text(text)) => Datum::Text(text.to_lowercase()),
        (Function::Upper, Datum::Text(text)) => Datum::Text(text.to_uppercase()),
        (Function::Fold(fold), Datum::Text(text)) => Datum::Text(fold.apply(&text)),
        (Function::Date, never @ Datum::Never(_)) => never,
        (Function::Date, moment) => day(&moment, at).map_or(Datum::Null, Datum::Day),
        _ => return Err(Fault::new(format!("nothing that {} is of", function.name()))),
    })
}

impl Moment {
    /// Of an instant, with UTC where nothing else is said.
    pub fn of(now: Timestamp, zone: Option<TimeZone>) -> Self {
        Self { now, zone: zone.unwrap_or(TimeZone::UTC) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        decimal,
        expression::{BindError, Column, Kind, parse},
    };

    const COLUMNS: &[(&str, Option<Kind>)] = &[
        ("n", Some(Kind::Number)),
        ("m", Some(Kind::Number)),
        ("t", Some(Kind::Text)),
        ("b", Some(Kind::Boolean)),
        ("d", Some(Kind::Moment)),
        ("e", Some(Kind::Moment)),
        ("any", None),
        ("raw", Some(Kind::Bytes)),
    ];

    fn bind(text: &str, kind: Kind) -> Result<Bound, BindError> {
        let column = |path: &super::super::Path| {
            let index = COLUMNS.iter().position(|(name, _)| [*name] == path.as_slice())?;
            Some(Column { index, kind: COLUMNS[index].1 })
        };
        parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}")).bind(kind, &column)
    }

    fn moment() -> Moment {
        Moment::of("2026-11-20T12:00:00Z".parse().expect("a time"), None)
    }

    /// Judges with the values named: `n=5`.
    fn judge(text: &str, values: &[(&str, Value)]) -> Judged {
        let bound = bind(text, Kind::Boolean).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        bound.judge(&moment(), &|index| {
            let named = values.iter().find(|(name, _)| *name == COLUMNS[index].0);
            named.map_or(&Value::Null, |(_, value)| value)
        })
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn null_makes_unknown_unless_the_other_side_decides() {
        use Judged::{Fails, Holds, Unknown};
        let one = [("n", Value::Int(1))];
        for (expression, expected) in [
            ("n = 1", Holds),
            ("m = 1", Unknown),
            ("not m = 1", Unknown),
            ("m is null", Holds),
            ("n is null", Fails),
            ("m is not null", Fails),
            ("n = 1 or m = 1", Holds),
            ("m = 1 or n = 2", Unknown),
            ("n = 2 and m = 1", Fails),
            ("n = 1 and m = 1", Unknown),
            ("n in (1, null)", Holds),
            ("n in (2, null)", Unknown),
            ("n not in (2, null)", Unknown),
            ("n not in (2, 3)", Holds),
            ("m in (1)", Unknown),
            ("null", Unknown),
            ("coalesce(m, n) = 1", Holds),
            ("n between 0 and 1", Holds),
            ("n between 2 and m", Fails),
            ("n between 0 and m", Unknown),
            ("t matches '.*'", Unknown),
            ("(m = 1 or n = 1) is null", Fails),
            ("(m = 1 and n = 1) is null", Holds),
            ("(n in (1, null)) is null", Fails),
            ("m + 1 is null", Holds),
        ] {
            assert_eq!(judge(expression, &one), expected, "{expression}");
        }
    }

    #[test]
    fn numbers_are_exact() {
        let values = [("n", text("0.1")), ("m", Value::Float(0.2))];
        for expression in [
            "n + m = 0.3",
            "n * m = 0.02",
            "-n < 0",
            "round(2.5) = 3 and round(-2.5) = -3 and round(0.125, 2) = 0.13",
            "1 / 3 = 0.33333333333333333333",
            "2 / 3 = 0.66666666666666666667 and -2 / 3 = -0.66666666666666666667",
            "abs(3 / 7 * 7 - 3) < 0.0000000000000000001",
            "1000000000000000000000 * 1000000000000000000000 / 3 * 3 - 1000000000000000000000 * 1000000000000000000000 > -1",
            "5 / 100000000000000000000 / 10 = 0",
            "9007199254740993 - 9007199254740992 = 1",
            "1.10 = 1.1",
            "abs(-n) = n and sign(-m) = -1 and sign(0.0) = 0",
            "n = '0.10'",
        ] {
            assert_eq!(judge(expression, &values), Judged::Holds, "{expression}");
        }
    }

    #[test]
    fn what_is_no_number_is_a_fault_and_passes_nowhere_unless_it_does_not_matter() {
        let values = [("n", Value::Float(f64::NAN)), ("m", text("1,000"))];
        let faulty = |problem: &str| Judged::Faulty(Fault::new(problem));
        assert_eq!(judge("n >= 0", &values), faulty("not a number"));
        assert_eq!(judge("not n >= 0", &values), faulty("not a number"));
        assert_eq!(judge("m > 0 or t is null", &values), Judged::Holds);
        assert_eq!(judge("m > 0 and t is null", &values), faulty("not a number"));
        assert_eq!(judge("m is not null", &values), Judged::Holds);
        assert_eq!(judge("1 / 0 = 1", &values), faulty("a division by zero"));
        let infinite = [("n", Value::Float(f64::INFINITY))];
        assert_eq!(judge("n > 5 and -n < 5", &infinite), Judged::Holds);
        assert_eq!(judge("n - n = 0", &infinite), faulty("not a finite number"));
    }

    #[test]
    fn texts_are_compared_letter_by_letter() {
        let values = [("t", text("École "))];
        for (expression, expected) in [
            ("t = 'École'", false),
            ("trim(t) = 'École'", true),
            ("t = 'école '", false),
            ("ci(trim(t)) = ci('ÉCOLE')", true),
            ("lower(t) = 'école '", true),
            ("length(t) = 6", true),
            ("t matches '[É].+'", true),
            ("t in ('a', 'École ')", true),
        ] {
            let judged = if expected { Judged::Holds } else { Judged::Fails };
            assert_eq!(judge(expression, &values), judged, "{expression}");
        }
    }

    #[test]
    fn a_day_holds_all_its_moments_and_zones_count() {
        let values = [("d", text("2024-12-31 23:59:59.999999")), ("e", text("2026-11-20T13:59:00+02:00"))];
        for (expression, expected) in [
            ("d <= '2024-12-31'", true),
            ("d > '2024-12-31'", false),
            ("d < '2025-01-01'", true),
            ("e < now", true),
            ("e >= '2026-11-20T11:59:00Z'", true),
            ("date(e) = date(now)", true),
            ("d <= e <= now", true),
        ] {
            let judged = if expected { Judged::Holds } else { Judged::Fails };
            assert_eq!(judge(expression, &values), judged, "{expression}");
        }
        assert_eq!(judge("d < now", &[("d", text("31 December"))]), Judged::Faulty(Fault::new("not a date")));
        assert_eq!(judge("d < now", &[("d", text("infinity"))]), Judged::Fails);
        // What applications write for "never", past the last point in time that has one.
        for never in ["9999-12-31 23:59:59", "9999-12-31T23:59:59Z", "9999-12-31 23:59:59.999999+00", "9999-12-31"] {
            assert_eq!(judge("d > now", &[("d", text(never))]), Judged::Holds, "{never}");
        }
    }

    #[test]
    fn a_column_that_holds_anything_is_what_it_is_compared_with() {
        let of = |value: Value| [("any", value)];
        assert_eq!(judge("any > 5", &of(text("10"))), Judged::Holds);
        assert_eq!(judge("any = 'ten'", &of(text("ten"))), Judged::Holds);
        assert_eq!(judge("any < now", &of(Value::Int(20_200_101))), Judged::Holds);
        assert_eq!(judge("any = true", &of(Value::Int(1))), Judged::Holds);
        assert_eq!(judge("any > 5", &of(text("ten"))), Judged::Faulty(Fault::new("not a number")));
    }

    #[test]
    fn kinds_that_do_not_go_together_are_refused() {
        let expected = |text: &str, kind| match bind(text, kind) {
            Err(BindError::Kind { expected, .. }) => expected,
            Err(BindError::Unknown(path)) => format!("unknown {}", path.join(".")),
            Ok(bound) => panic!("{text}: {bound:?}"),
        };
        for (text, kind, wanted) in [
            ("n + 1", Kind::Boolean, "true or false"),
            ("n = t", Kind::Boolean, "a number"),
            ("t + 1 = 2", Kind::Boolean, "a number"),
            ("n and b", Kind::Boolean, "true or false"),
            ("b < true", Kind::Boolean, "= or !=: of true and false neither is less"),
            ("d < 'tomorrow'", Kind::Boolean, "a date such as '2026-11-20' or '2026-11-20T04:00:00Z'"),
            ("n > 'many'", Kind::Boolean, "a number"),
            ("n matches 'a'", Kind::Boolean, "text"),
            ("round(n, m) = 1", Kind::Boolean, "round(number, digits from 0 to 20)"),
            ("abs(n, m) = 1", Kind::Boolean, "abs(number)"),
            ("coalesce(n) = 1", Kind::Boolean, "coalesce(value, value)"),
            ("nobody = 1", Kind::Boolean, "unknown nobody"),
            ("n > 1", Kind::Number, "a number"),
            (
                "n = null",
                Kind::Boolean,
                "\"is null\" or \"is not null\": what is compared with null is unknown for every row",
            ),
            (
                "(null) != t",
                Kind::Boolean,
                "\"is null\" or \"is not null\": what is compared with null is unknown for every row",
            ),
            ("d > '2024'", Kind::Boolean, "a date"),
            ("raw = 'a'", Kind::Boolean, "\"is null\" or \"is not null\": bytes are not compared"),
            ("trim(raw) = 'a'", Kind::Boolean, "text"),
        ] {
            assert_eq!(expected(text, kind), wanted, "{text}");
        }
    }

    #[test]
    fn in_a_sum_over_rows_a_side_that_is_null_counts_as_nothing() {
        let number = |text: &str| Datum::Number(decimal::parse(text).expect("a number"));
        for (expression, n, m, expected) in [
            ("n - m", Value::Int(10), Value::Null, number("10")),
            ("n - m", Value::Null, Value::Int(7), number("-7")),
            ("n - (m - 1)", Value::Null, Value::Int(7), number("-6")),
            ("-(n - m)", Value::Null, Value::Int(7), number("7")),
            ("n - m", Value::Null, Value::Null, Datum::Null),
            ("n + 5", Value::Null, Value::Null, Datum::Null),
            ("n * m", Value::Int(10), Value::Null, Datum::Null),
            ("-n", Value::Int(10), Value::Null, number("-10")),
            ("n", Value::Null, Value::Int(1), Datum::Null),
        ] {
            let bound = bind(expression, Kind::Number).expect("an amount");
            let values = [n, m];
            assert_eq!(bound.summand(&moment(), &|index| &values[index]), Ok(expected), "{expression} {values:?}");
        }
    }

    #[test]
    fn an_amount_is_an_exact_number() {
        let bound = bind("n * m - 0.05", Kind::Number).expect("an amount");
        let values = [text("0.1"), Value::Int(3)];
        assert_eq!(
            bound.value(&moment(), &|index| &values[index]),
            Ok(Datum::Number(decimal::parse("0.25").expect("a number")))
        );
        assert_eq!(bound.columns(), [(0, Kind::Number), (1, Kind::Number)]);
    }
}

//! Exact sums: most amounts have few digits, and few enough to need no allocation.

use bigdecimal::{BigDecimal, ToPrimitive as _, num_bigint::BigInt};

/// An exact decimal number.
#[derive(Clone, Debug)]
pub(super) enum Exact {
    /// So many units, and digits after the point.
    Small(i128, u8),
    /// Anything else.
    Big(Box<BigDecimal>),
}

/// Digits after the point of a small one at most.
const SCALE_MAX: i64 = 24;

impl Exact {
    pub(super) const ZERO: Self = Self::Small(0, 0);

    pub(super) fn of(number: &BigDecimal) -> Self {
        let (units, scale) = number.as_bigint_and_exponent();
        match (units.to_i128(), u8::try_from(scale)) {
            (Some(units), Ok(scale)) if i64::from(scale) <= SCALE_MAX => Self::Small(units, scale),
            _ => Self::Big(Box::new(number.clone())),
        }
    }

    pub(super) fn number(&self) -> BigDecimal {
        match self {
            Self::Small(units, scale) => BigDecimal::new(BigInt::from(*units), i64::from(*scale)),
            Self::Big(number) => number.as_ref().clone(),
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        if let (Self::Small(a, a_scale), Self::Small(b, b_scale)) = (&*self, other) {
            let scale = (*a_scale).max(*b_scale);
            let raised =
                |units: i128, from: u8| 10_i128.checked_pow(u32::from(scale - from)).and_then(|p| units.checked_mul(p));
            if let Some(sum) = raised(*a, *a_scale).zip(raised(*b, *b_scale)).and_then(|(a, b)| a.checked_add(b)) {
                *self = Self::Small(sum, scale);
                return;
            }
        }
        *self = Self::Big(Box::new(self.number() + other.number()));
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use super::*;

    #[test]
    fn sums_are_exact_whatever_their_size() {
        for (a, b, sum) in [
            ("0.1", "0.2", "0.3"),
            ("1", "-1.000", "0"),
            ("170141183460469231731687303715884105727", "1", "170141183460469231731687303715884105728"),
            ("1e-30", "1", "1.000000000000000000000000000001"),
            ("1e40", "0.01", "10000000000000000000000000000000000000000.01"),
        ] {
            let mut total = Exact::of(&BigDecimal::from_str(a).expect("a number"));
            total.add(&Exact::of(&BigDecimal::from_str(b).expect("a number")));
            assert_eq!(total.number(), BigDecimal::from_str(sum).expect("a number"), "{a} + {b}");
        }
    }
}

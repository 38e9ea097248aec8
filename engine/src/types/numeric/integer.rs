//! Integers that are 128 bits wide while they can be and big where they must.

use std::cmp::Ordering;

use num_bigint::{BigInt, Sign};

/// An integer; [`Int::Big`] only holds what doesn't fit into [`Int::Small`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Int {
    /// Fits 128 bits.
    Small(i128),
    /// Doesn't.
    Big(BigInt),
}

/// The powers of ten that fit.
const POWERS: [i128; 39] = {
    let mut powers = [1i128; 39];
    let mut i = 1;
    while i < 39 {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

/// `10^n`
pub(crate) fn pow10(n: u32) -> Int {
    match POWERS.get(n as usize) {
        Some(power) => Int::Small(*power),
        None => Int::Big(BigInt::from(10).pow(n)),
    }
}

impl From<i128> for Int {
    fn from(value: i128) -> Self {
        Int::Small(value)
    }
}

impl From<BigInt> for Int {
    fn from(value: BigInt) -> Self {
        match i128::try_from(&value) {
            Ok(small) => Int::Small(small),
            Err(_) => Int::Big(value),
        }
    }
}

impl Int {
    pub(crate) fn big(&self) -> BigInt {
        match self {
            Int::Small(value) => BigInt::from(*value),
            Int::Big(value) => value.clone(),
        }
    }

    pub(crate) fn to_i128(&self) -> Option<i128> {
        match self {
            Int::Small(value) => Some(*value),
            Int::Big(_) => None,
        }
    }

    pub(crate) fn sign(&self) -> i32 {
        match self {
            Int::Small(value) => value.signum() as i32,
            Int::Big(value) => match value.sign() {
                Sign::Minus => -1,
                Sign::NoSign => 0,
                Sign::Plus => 1,
            },
        }
    }

    /// From decimal digits; the empty text is 0.
    pub(crate) fn parse(digits: &str) -> Option<Int> {
        if digits.is_empty() {
            return Some(Int::Small(0));
        }
        if digits.len() <= 38 {
            return digits.parse().ok().map(Int::Small);
        }
        BigInt::parse_bytes(digits.as_bytes(), 10).map(Int::from)
    }

    /// The decimal digits of the absolute value.
    pub(crate) fn magnitude_text(&self) -> String {
        match self {
            Int::Small(value) => value.unsigned_abs().to_string(),
            Int::Big(value) => value.magnitude().to_string(),
        }
    }

    /// How many decimal digits the absolute value has; 0 has one.
    pub(crate) fn digits(&self) -> usize {
        match self {
            Int::Small(value) => {
                value.unsigned_abs().checked_ilog10().map_or(1, |l| l as usize + 1)
            }
            Int::Big(value) => value.magnitude().to_string().len(),
        }
    }

    pub(crate) fn negate(&self) -> Int {
        match self {
            Int::Small(value) => match value.checked_neg() {
                Some(negated) => Int::Small(negated),
                None => Int::Big(-BigInt::from(*value)),
            },
            Int::Big(value) => Int::from(-value.clone()),
        }
    }

    pub(crate) fn abs(&self) -> Int {
        if self.sign() < 0 { self.negate() } else { self.clone() }
    }

    pub(crate) fn add(&self, other: &Int) -> Int {
        if let (Int::Small(a), Int::Small(b)) = (self, other)
            && let Some(sum) = a.checked_add(*b)
        {
            return Int::Small(sum);
        }
        Int::from(self.big() + other.big())
    }

    pub(crate) fn sub(&self, other: &Int) -> Int {
        if let (Int::Small(a), Int::Small(b)) = (self, other)
            && let Some(difference) = a.checked_sub(*b)
        {
            return Int::Small(difference);
        }
        Int::from(self.big() - other.big())
    }

    pub(crate) fn mul(&self, other: &Int) -> Int {
        if let (Int::Small(a), Int::Small(b)) = (self, other)
            && let Some(product) = a.checked_mul(*b)
        {
            return Int::Small(product);
        }
        Int::from(self.big() * other.big())
    }

    /// Quotient toward zero and remainder; the divisor isn't 0.
    pub(crate) fn div_rem(&self, other: &Int) -> (Int, Int) {
        if let (Int::Small(a), Int::Small(b)) = (self, other)
            && let (Some(quotient), Some(rest)) = (a.checked_div(*b), a.checked_rem(*b))
        {
            return (Int::Small(quotient), Int::Small(rest));
        }
        let (a, b) = (self.big(), other.big());
        let quotient = &a / &b;
        let rest = a - &quotient * b;
        (Int::from(quotient), Int::from(rest))
    }

    pub(crate) fn div_trunc(&self, other: &Int) -> Int {
        self.div_rem(other).0
    }

    /// Quotient rounded half away from zero; the divisor isn't 0.
    pub(crate) fn div_round(&self, other: &Int) -> Int {
        let (quotient, rest) = self.div_rem(other);
        let twice = rest.abs().mul(&Int::Small(2));
        if twice.cmp(&other.abs()) == Ordering::Less {
            return quotient;
        }
        let step = if self.sign() * other.sign() < 0 { -1 } else { 1 };
        quotient.add(&Int::Small(step))
    }

    /// Base-10000 digits of the absolute value, least significant first, none for 0.
    pub(crate) fn groups(&self) -> Vec<u16> {
        let mut groups = Vec::new();
        match self {
            Int::Small(value) => {
                let mut rest = value.unsigned_abs();
                while rest > u128::from(u64::MAX) {
                    groups.push((rest % 10_000) as u16);
                    rest /= 10_000;
                }
                let mut rest = rest as u64;
                while rest > 0 {
                    groups.push((rest % 10_000) as u16);
                    rest /= 10_000;
                }
            }
            Int::Big(value) => {
                let text = value.magnitude().to_string();
                let bytes = text.as_bytes();
                let mut end = bytes.len();
                while end > 0 {
                    let start = end.saturating_sub(4);
                    let group = bytes[start..end]
                        .iter()
                        .fold(0u16, |sum, digit| sum * 10 + u16::from(digit - b'0'));
                    groups.push(group);
                    end = start;
                }
            }
        }
        groups
    }

    /// From base-10000 digits, most significant first; `None` for digits that aren't.
    pub(crate) fn from_groups(groups: impl ExactSizeIterator<Item = u16>) -> Option<Int> {
        if groups.len() <= 9 {
            let mut value = 0i128;
            for group in groups {
                if group > 9999 {
                    return None;
                }
                value = value * 10_000 + i128::from(group);
            }
            return Some(Int::Small(value));
        }
        let mut text = String::with_capacity(groups.len() * 4);
        for group in groups {
            if group > 9999 {
                return None;
            }
            text.push_str(&format!("{group:04}"));
        }
        Int::parse(text.trim_start_matches('0'))
    }
}

impl PartialOrd for Int {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Int {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Int::Small(a), Int::Small(b)) => a.cmp(b),
            _ => self.big().cmp(&other.big()),
        }
    }
}

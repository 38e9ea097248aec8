//! The four operations and their kin, with PostgreSQL's result scales.

use super::{
    DIGITS_PER_GROUP, Decimal, Int, MAX_DISPLAY_SCALE, MAX_INTEGER_DIGITS, MAX_SCALE,
    MIN_SIGNIFICANT_DIGITS, Numeric, overflow, pow10,
};
use crate::error::{Error, Result};

impl Numeric {
    pub(crate) fn negate(&self) -> Numeric {
        match self {
            Numeric::NaN => Numeric::NaN,
            Numeric::Infinity => Numeric::NegativeInfinity,
            Numeric::NegativeInfinity => Numeric::Infinity,
            Numeric::Finite(d) => Numeric::new(d.int.negate(), d.scale),
        }
    }

    pub(crate) fn abs(&self) -> Numeric {
        if self.sign() < 0 { self.negate() } else { self.clone() }
    }

    pub(crate) fn add(&self, other: &Numeric) -> Result<Numeric> {
        match (self, other) {
            (Numeric::Finite(a), Numeric::Finite(b)) => checked(a.add(b)),
            (Numeric::NaN, _) | (_, Numeric::NaN) => Ok(Numeric::NaN),
            (Numeric::Infinity, Numeric::NegativeInfinity)
            | (Numeric::NegativeInfinity, Numeric::Infinity) => Ok(Numeric::NaN),
            (Numeric::Finite(_), infinite) | (infinite, _) => Ok(infinite.clone()),
        }
    }

    pub(crate) fn sub(&self, other: &Numeric) -> Result<Numeric> {
        self.add(&other.negate())
    }

    pub(crate) fn mul(&self, other: &Numeric) -> Result<Numeric> {
        match (self, other) {
            (Numeric::Finite(a), Numeric::Finite(b)) => {
                let product = Decimal { int: a.int.mul(&b.int), scale: a.scale + b.scale };
                checked(if product.scale > MAX_SCALE { product.round(MAX_SCALE) } else { product })
            }
            (Numeric::NaN, _) | (_, Numeric::NaN) => Ok(Numeric::NaN),
            _ => Ok(match self.sign() * other.sign() {
                0 => Numeric::NaN,
                1 => Numeric::Infinity,
                _ => Numeric::NegativeInfinity,
            }),
        }
    }

    pub(crate) fn div(&self, other: &Numeric) -> Result<Numeric> {
        match (self, other) {
            (Numeric::NaN, _) | (_, Numeric::NaN) => Ok(Numeric::NaN),
            (Numeric::Finite(a), Numeric::Finite(b)) => {
                if b.int.sign() == 0 {
                    return Err(Error::division_by_zero());
                }
                checked(a.div(b, division_scale(a, b)))
            }
            (Numeric::Finite(_), _) => Ok(Numeric::ZERO),
            (_, Numeric::Finite(b)) if b.int.sign() == 0 => Err(Error::division_by_zero()),
            (_, Numeric::Finite(_)) => Ok(match self.sign() * other.sign() {
                1 => Numeric::Infinity,
                _ => Numeric::NegativeInfinity,
            }),
            _ => Ok(Numeric::NaN),
        }
    }

    /// `div(a, b)`: the quotient cut to an integer.
    pub(crate) fn div_trunc(&self, other: &Numeric) -> Result<Numeric> {
        match (self, other) {
            (Numeric::Finite(a), Numeric::Finite(b)) => {
                if b.int.sign() == 0 {
                    return Err(Error::division_by_zero());
                }
                let scale = a.scale.max(b.scale);
                let int = a.round(scale).int.div_trunc(&b.round(scale).int);
                checked(Decimal { int, scale: 0 })
            }
            _ => self.div(other),
        }
    }

    pub(crate) fn rem(&self, other: &Numeric) -> Result<Numeric> {
        match (self, other) {
            (Numeric::NaN, _) | (_, Numeric::NaN) => Ok(Numeric::NaN),
            (_, Numeric::Finite(b)) if b.int.sign() == 0 => Err(Error::division_by_zero()),
            (Numeric::Finite(a), Numeric::Finite(b)) => {
                let scale = a.scale.max(b.scale);
                Ok(Numeric::new(a.round(scale).int.div_rem(&b.round(scale).int).1, scale))
            }
            (Numeric::Finite(_), _) => Ok(self.clone()),
            _ => Ok(Numeric::NaN),
        }
    }

    /// `round(n, scale)`
    pub(crate) fn round(&self, scale: i32) -> Numeric {
        self.map(|d| d.round(scale.clamp(-MAX_SCALE, MAX_SCALE)))
    }

    /// `trunc(n, scale)`
    pub(crate) fn truncate(&self, scale: i32) -> Numeric {
        self.map(|d| d.truncate(scale.clamp(-MAX_SCALE, MAX_SCALE)))
    }

    pub(crate) fn floor(&self) -> Numeric {
        self.map(|d| {
            let cut = d.truncate(0);
            let below = d.int.sign() < 0 && cut.round(d.scale).int != d.int;
            Decimal { int: if below { cut.int.sub(&Int::Small(1)) } else { cut.int }, scale: 0 }
        })
    }

    pub(crate) fn ceil(&self) -> Numeric {
        self.negate().floor().negate()
    }

    fn map(&self, f: impl FnOnce(&Decimal) -> Decimal) -> Numeric {
        match self {
            Numeric::Finite(d) => Numeric::Finite(f(d)),
            other => other.clone(),
        }
    }

    /// Greatest common divisor; the scale of the finer operand.
    pub(crate) fn gcd(&self, other: &Numeric) -> Numeric {
        let (Numeric::Finite(a), Numeric::Finite(b)) = (self, other) else { return Numeric::NaN };
        let scale = a.scale.max(b.scale);
        let (mut x, mut y) = (a.round(scale).int.abs(), b.round(scale).int.abs());
        while y.sign() != 0 {
            let rest = x.div_rem(&y).1;
            x = std::mem::replace(&mut y, rest);
        }
        Numeric::new(x, scale)
    }

    /// Least common multiple.
    pub(crate) fn lcm(&self, other: &Numeric) -> Result<Numeric> {
        let (Numeric::Finite(a), Numeric::Finite(b)) = (self, other) else {
            return Ok(Numeric::NaN);
        };
        let scale = a.scale.max(b.scale);
        if a.int.sign() == 0 || b.int.sign() == 0 {
            return Ok(Numeric::new(0, scale));
        }
        let Numeric::Finite(gcd) = self.gcd(other) else { return Ok(Numeric::NaN) };
        let product = a.round(scale).int.div_trunc(&gcd.int).mul(&b.round(scale).int);
        checked(Decimal { int: product.abs(), scale })
    }
}

impl Decimal {
    pub(crate) fn add(&self, other: &Decimal) -> Decimal {
        let scale = self.scale.max(other.scale);
        if self.scale == other.scale {
            return Decimal { int: self.int.add(&other.int), scale };
        }
        Decimal { int: self.round(scale).int.add(&other.round(scale).int), scale }
    }

    /// The quotient rounded to a scale; the divisor isn't 0.
    pub(crate) fn div(&self, other: &Decimal, scale: i32) -> Decimal {
        // a/10^s / (b/10^t) * 10^scale = a * 10^(scale + t - s) / b
        let shift = scale + other.scale - self.scale;
        let int = if shift >= 0 {
            self.int.mul(&pow10(shift as u32)).div_round(&other.int)
        } else {
            self.int.div_round(&other.int.mul(&pow10(shift.unsigned_abs())))
        };
        Decimal { int, scale }
    }
}

/// PostgreSQL's select_div_scale.
fn division_scale(a: &Decimal, b: &Decimal) -> i32 {
    let ((weight1, first1), (weight2, first2)) = (a.first_group(), b.first_group());
    let mut weight = weight1 - weight2;
    if first1 <= first2 {
        weight -= 1;
    }
    (MIN_SIGNIFICANT_DIGITS - weight * DIGITS_PER_GROUP)
        .max(a.scale)
        .max(b.scale)
        .clamp(0, MAX_DISPLAY_SCALE)
}

/// Refuses what has too many digits before the point.
pub(super) fn checked(d: Decimal) -> Result<Numeric> {
    if let Int::Big(_) = d.int
        && d.int.digits() as i64 - i64::from(d.scale) > MAX_INTEGER_DIGITS
    {
        return Err(overflow());
    }
    Ok(Numeric::Finite(d))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(text: &str) -> Numeric {
        Numeric::parse(text).unwrap()
    }

    #[test]
    fn scales_are_postgresql_s() {
        assert_eq!(n("1").div(&n("3")).unwrap().to_string(), "0.33333333333333333333");
        assert_eq!(n("10").div(&n("4")).unwrap().to_string(), "2.5000000000000000");
        assert_eq!(n("1000000").div(&n("7")).unwrap().to_string(), "142857.142857142857");
        assert_eq!(n("1.10").mul(&n("2.0")).unwrap().to_string(), "2.200");
        assert_eq!(n("7.5").rem(&n("2")).unwrap().to_string(), "1.5");
        assert_eq!(n("-7.5").floor().to_string(), "-8");
        assert_eq!(n("-7.5").ceil().to_string(), "-7");
        assert_eq!(n("2.5").round(0).to_string(), "3");
        assert_eq!(n("-2.5").round(0).to_string(), "-3");
        assert!(n("1").div(&n("0")).is_err());
    }
}

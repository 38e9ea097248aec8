//! Roots, powers and logarithms: fixed-point series with guard digits, rounded to the scales that
//! PostgreSQL chooses.

use num_bigint::BigInt;

use super::arithmetic::checked;
use super::{Decimal, Int, MAX_DISPLAY_SCALE, MIN_SIGNIFICANT_DIGITS, Numeric, overflow, pow10};
use crate::error::{Error, Result, SqlState};

/// Digits computed beyond the asked scale.
const GUARD_DIGITS: i32 = 12;
/// Values with a decimal exponent beyond this are taken apart before their logarithm is taken.
const FAR_EXPONENT: i32 = 40;
/// Powers whose natural logarithm is beyond this overflow.
const MAX_LN_OF_RESULT: f64 = 6020.0;
#[expect(clippy::approx_constant, reason = "PostgreSQL's estimates have these digits")]
const LOG10_E: f64 = 0.434_294_481_903_252;
#[expect(clippy::approx_constant, reason = "PostgreSQL's estimates have these digits")]
const LN_10: f64 = 2.302_585_092_994_046;

impl Numeric {
    /// # Errors
    /// 2201F for negative values.
    pub(crate) fn sqrt(&self) -> Result<Numeric> {
        let d = match self {
            Numeric::Finite(d) if d.int.sign() >= 0 => d,
            Numeric::NaN | Numeric::Infinity => return Ok(self.clone()),
            _ => {
                return Err(Error::new(
                    SqlState::INVALID_ARGUMENT_FOR_POWER_FUNCTION,
                    "cannot take square root of a negative number",
                ));
            }
        };
        let (weight, _) = d.first_group();
        let scale = chosen_scale(MIN_SIGNIFICANT_DIGITS - (weight * 2 + 1), &[d]);
        // One more digit, then rounded half away: the root of a decimal is never a tie.
        let widened = d.round(2 * (scale + 1) + d.scale % 2).int.big();
        let shift = 2 * (scale + 1) + d.scale % 2;
        let even = if shift % 2 == 0 { widened } else { widened * 10 };
        let root = Decimal { int: Int::from(even.sqrt()), scale: (shift + shift % 2) / 2 };
        Ok(Numeric::Finite(root.round(scale)))
    }

    /// # Errors
    /// 2201E for zero and negative values.
    pub(crate) fn ln(&self) -> Result<Numeric> {
        let d = match self {
            Numeric::NaN | Numeric::Infinity => return Ok(self.clone()),
            Numeric::NegativeInfinity => return Err(bad_logarithm(-1)),
            Numeric::Finite(d) => d,
        };
        if d.int.sign() <= 0 {
            return Err(bad_logarithm(d.int.sign()));
        }
        let scale = chosen_scale(MIN_SIGNIFICANT_DIGITS - ln_weight(d), &[d]);
        Ok(Numeric::Finite(ln(d, scale)))
    }

    /// The logarithm of `self` to a base.
    ///
    /// # Errors
    /// 2201E for zero and negative values, 22012 for base 1.
    pub(crate) fn log(&self, base: &Numeric) -> Result<Numeric> {
        let (d, b) = match (self, base) {
            (Numeric::Finite(d), Numeric::Finite(b)) => (d, b),
            (Numeric::NaN, _) | (_, Numeric::NaN) => return Ok(Numeric::NaN),
            _ => {
                for side in [base, self] {
                    if side.sign() <= 0 {
                        return Err(bad_logarithm(side.sign()));
                    }
                }
                return Ok(match (self, base) {
                    (Numeric::Infinity, Numeric::Infinity) => Numeric::NaN,
                    (Numeric::Infinity, _) => Numeric::Infinity,
                    _ => Numeric::ZERO,
                });
            }
        };
        for side in [b, d] {
            if side.int.sign() <= 0 {
                return Err(bad_logarithm(side.int.sign()));
            }
        }
        let weight = ln_weight(d) - ln_weight(b);
        let scale = chosen_scale(MIN_SIGNIFICANT_DIGITS - weight, &[b, d]);
        let inner = scale + GUARD_DIGITS + ln_weight(b).abs() + ln_weight(d).abs();
        let (numerator, denominator) = (ln(d, inner), ln(b, inner));
        if denominator.int.sign() == 0 {
            return Err(Error::division_by_zero());
        }
        Ok(Numeric::Finite(numerator.div(&denominator, scale)))
    }

    /// # Errors
    /// 22003 when the result is too big.
    pub(crate) fn exp(&self) -> Result<Numeric> {
        let d = match self {
            Numeric::NaN | Numeric::Infinity => return Ok(self.clone()),
            Numeric::NegativeInfinity => return Ok(Numeric::ZERO),
            Numeric::Finite(d) => d,
        };
        let value = self.to_f64();
        let weight = (value * LOG10_E).clamp(-2000.0, 2000.0);
        let scale = chosen_scale(MIN_SIGNIFICANT_DIGITS - weight as i32, &[d]);
        if value > MAX_LN_OF_RESULT * 50.0 {
            return Err(overflow());
        }
        if value < -MAX_LN_OF_RESULT {
            return Ok(Numeric::new(0, scale));
        }
        checked(exp(d, scale))
    }

    /// # Errors
    /// 2201F for a negative base with a fractional exponent and for zero to a negative power,
    /// 22003 when the result is too big.
    pub(crate) fn power(&self, exponent: &Numeric) -> Result<Numeric> {
        let (base, exponent) = match (self, exponent) {
            (Numeric::Finite(a), Numeric::Finite(b)) => (a, b),
            _ => return self.special_power(exponent),
        };
        let whole = exponent.clone().trimmed();
        let whole = if whole.scale == 0 { whole.int.to_i128() } else { None };
        if base.int.sign() == 0 && exponent.int.sign() < 0 {
            return Err(power_error("zero raised to a negative power is undefined"));
        }
        if base.int.sign() < 0 && exponent.clone().trimmed().scale > 0 {
            return Err(power_error(
                "a negative number raised to a non-integer power yields a complex result",
            ));
        }
        match whole.map(i32::try_from) {
            Some(Ok(whole)) => integer_power(base, whole),
            _ => fractional_power(base, exponent),
        }
    }

    /// Powers that NaN and the infinities take part in, by IEEE's rules as PostgreSQL's.
    fn special_power(&self, exponent: &Numeric) -> Result<Numeric> {
        let one = Numeric::from(1);
        if *exponent == Numeric::ZERO || *self == one {
            return Ok(one);
        }
        let fractional = matches!(exponent, Numeric::Finite(d) if d.clone().trimmed().scale > 0);
        if *self == Numeric::NegativeInfinity && fractional {
            return Err(power_error(
                "a negative number raised to a non-integer power yields a complex result",
            ));
        }
        let value = self.to_f64().powf(exponent.to_f64());
        if *self == Numeric::ZERO && *exponent == Numeric::NegativeInfinity {
            return Err(power_error("zero raised to a negative power is undefined"));
        }
        Ok(if value.is_nan() {
            Numeric::NaN
        } else if value.is_infinite() {
            if value > 0.0 { Numeric::Infinity } else { Numeric::NegativeInfinity }
        } else {
            Numeric::from(value as i64)
        })
    }
}

fn power_error(message: &str) -> Error {
    Error::new(SqlState::INVALID_ARGUMENT_FOR_POWER_FUNCTION, message)
}

fn bad_logarithm(sign: i32) -> Error {
    let what = if sign == 0 { "zero" } else { "a negative number" };
    Error::new(SqlState::INVALID_ARGUMENT_FOR_LOGARITHM, format!("cannot take logarithm of {what}"))
}

fn chosen_scale(wanted: i32, operands: &[&Decimal]) -> i32 {
    operands.iter().fold(wanted, |scale, d| scale.max(d.scale)).clamp(0, MAX_DISPLAY_SCALE)
}

/// PostgreSQL's estimate_ln_dweight: the decimal weight of the logarithm.
fn ln_weight(d: &Decimal) -> i32 {
    let one = Decimal { int: Int::Small(1), scale: 0 };
    let value = Numeric::Finite(d.clone());
    let near = |text: &str| Numeric::parse(text).expect("a constant");
    if value >= near("0.9") && value <= near("1.1") {
        let rest = d.add(&Decimal { int: one.int.negate(), scale: 0 });
        if rest.int.sign() == 0 {
            return 0;
        }
        let (weight, first) = rest.first_group();
        return weight * 4 + f64::from(first).log10() as i32;
    }
    // The first two base-10000 digits.
    let text = d.int.magnitude_text();
    let (weight, first) = d.first_group();
    let lead = first.to_string().len();
    let more = text.trim_end_matches('0').len() > lead;
    let (digits, weight) = if more {
        let second: String =
            text.chars().skip(lead).chain(std::iter::repeat('0')).take(4).collect();
        (f64::from(first) * 10_000.0 + second.parse().unwrap_or(0.0), weight * 4 - 4)
    } else {
        (f64::from(first), weight * 4)
    };
    let ln = digits.ln() + f64::from(weight) * LN_10;
    ln.abs().log10() as i32
}

/// The natural logarithm of a positive decimal.
fn ln(d: &Decimal, scale: i32) -> Decimal {
    let exponent = d.exponent();
    if exponent.abs() <= FAR_EXPONENT {
        return near_ln(d, scale);
    }
    // ln(m * 10^e) = ln(m) + e * ln(10)
    let inner = scale.max(0) + GUARD_DIGITS;
    let mantissa = Decimal { int: d.int.clone(), scale: d.scale + exponent };
    let ten = near_ln(&Decimal { int: Int::Small(10), scale: 0 }, inner);
    let powers = Decimal { int: ten.int.mul(&Int::Small(exponent.into())), scale: ten.scale };
    near_ln(&mantissa, inner).add(&powers).round(scale.max(0))
}

/// As [`ln`], for values not too far from 1.
fn near_ln(d: &Decimal, scale: i32) -> Decimal {
    // Roots until the value is near 1; each doubles the error.
    let precision = scale.max(0) + GUARD_DIGITS + d.exponent().abs() / 3 + 20;
    let one = pow10(precision as u32).big();
    let mut x = d.round(precision + (-d.exponent()).max(0)).int.big();
    let mut scale_x = precision + (-d.exponent()).max(0);
    let mut doublings = 0u32;
    let near = |x: &BigInt, s: i32| {
        let unit = pow10(s as u32).big();
        x * 10 >= &unit * 9 && x * 10 <= &unit * 11
    };
    while !near(&x, scale_x) {
        x = (x * pow10(scale_x as u32).big()).sqrt();
        doublings += 1;
    }
    if scale_x > precision {
        x /= pow10((scale_x - precision) as u32).big();
        scale_x = precision;
    }
    debug_assert_eq!(scale_x, precision);
    // ln x = 2 artanh((x - 1) / (x + 1))
    let z = ((&x - &one) * &one) / (&x + &one);
    let z2 = (&z * &z) / &one;
    let (mut sum, mut term, mut k) = (z.clone(), z, 3u32);
    while term.magnitude().bits() > 0 {
        term = (&term * &z2) / &one;
        sum += &term / k;
        k += 2;
    }
    let int = (sum * 2) << doublings;
    Decimal { int: Int::from(int), scale: precision }.round(scale.max(0))
}

/// e to the power of a decimal.
fn exp(d: &Decimal, scale: i32) -> Decimal {
    let weight = (Numeric::Finite(d.clone()).to_f64() * LOG10_E) as i32;
    let precision = (scale + weight.max(0) + GUARD_DIGITS + 20).max(30);
    let one = pow10(precision as u32).big();
    let mut x = d.round(precision).int.big();
    // Halve until small, square as often afterwards; each squaring doubles the error.
    let mut halvings = 0u32;
    while &x * BigInt::from(100) > one || &x * BigInt::from(-100) > one {
        x /= 2;
        halvings += 1;
    }
    let precision_lost = halvings as i32 / 3 + 1;
    if precision_lost > 20 + GUARD_DIGITS / 2 {
        // Far arguments: begin again with more digits.
        return exp_wide(d, scale, precision + precision_lost);
    }
    Decimal { int: Int::from(exp_series(&x, &one, halvings)), scale: precision }.round(scale)
}

fn exp_wide(d: &Decimal, scale: i32, precision: i32) -> Decimal {
    let one = pow10(precision as u32).big();
    let mut x = d.round(precision).int.big();
    let mut halvings = 0u32;
    while &x * BigInt::from(100) > one || &x * BigInt::from(-100) > one {
        x /= 2;
        halvings += 1;
    }
    Decimal { int: Int::from(exp_series(&x, &one, halvings)), scale: precision }.round(scale)
}

fn exp_series(x: &BigInt, one: &BigInt, squarings: u32) -> BigInt {
    let (mut sum, mut term, mut k) = (one + x, x.clone(), 2u32);
    while term.magnitude().bits() > 0 {
        term = (&term * x) / one / k;
        sum += &term;
        k += 1;
    }
    for _ in 0..squarings {
        sum = (&sum * &sum) / one;
    }
    sum
}

fn integer_power(base: &Decimal, exponent: i32) -> Result<Numeric> {
    let weight = if base.int.sign() == 0 {
        0.0
    } else {
        let text = base.int.magnitude_text();
        let lead: String = text.chars().take(17).collect();
        let lead_log = lead.parse::<f64>().unwrap_or(1.0).log10();
        f64::from(exponent) * (lead_log + (text.len() - lead.len()) as f64 - f64::from(base.scale))
    };
    if weight > 131_072.0 {
        return Err(overflow());
    }
    let scale = chosen_scale(MIN_SIGNIFICANT_DIGITS, &[base]);
    if weight + 1.0 < f64::from(-MAX_DISPLAY_SCALE) {
        return Ok(Numeric::new(0, scale));
    }
    let exact = |times: u32| Decimal {
        int: Int::from(base.int.big().pow(times)),
        scale: base.scale * times as i32,
    };
    let magnitude = exponent.unsigned_abs();
    let digits = base.int.digits() as u64 * u64::from(magnitude);
    let result = if digits <= 100_000 {
        let power = exact(magnitude);
        if exponent >= 0 {
            power.round(scale)
        } else {
            Decimal { int: Int::Small(1), scale: 0 }.div(&power, scale)
        }
    } else {
        rounded_power(base, exponent, scale, weight)
    };
    checked(result)
}

/// Squares and multiplies with as many digits as the result needs.
fn rounded_power(base: &Decimal, exponent: i32, scale: i32, weight: f64) -> Decimal {
    let significant = scale + weight.max(0.0) as i32 + GUARD_DIGITS + 20;
    let keep = |d: Decimal| {
        let scale = significant - d.exponent();
        if scale < d.scale && scale > 0 { d.round(scale) } else { d }
    };
    let product = |a: &Decimal, b: &Decimal| {
        keep(Decimal { int: a.int.mul(&b.int), scale: a.scale + b.scale })
    };
    let mut result = Decimal { int: Int::Small(1), scale: 0 };
    let (mut square, mut rest) = (base.clone(), exponent.unsigned_abs());
    while rest > 0 {
        if rest & 1 == 1 {
            result = product(&result, &square);
        }
        rest >>= 1;
        if rest > 0 {
            square = product(&square, &square);
        }
    }
    if exponent < 0 {
        return Decimal { int: Int::Small(1), scale: 0 }.div(&result, scale);
    }
    result.round(scale)
}

fn fractional_power(base: &Decimal, exponent: &Decimal) -> Result<Numeric> {
    if base.int.sign() == 0 {
        return Ok(Numeric::new(0, MIN_SIGNIFICANT_DIGITS));
    }
    let positive = Decimal { int: base.int.abs(), scale: base.scale };
    let product = |scale: i32| {
        let ln = ln(&positive, scale);
        Decimal { int: ln.int.mul(&exponent.int), scale: ln.scale + exponent.scale }
    };
    let rough = product((8 - ln_weight(&positive)).max(0));
    let value = Numeric::Finite(rough).to_f64();
    if value.abs() > MAX_LN_OF_RESULT {
        if value > 0.0 {
            return Err(overflow());
        }
        return Ok(Numeric::new(0, MAX_DISPLAY_SCALE));
    }
    let weight = (value * LOG10_E) as i32;
    let scale = chosen_scale(MIN_SIGNIFICANT_DIGITS - weight, &[base, exponent]);
    let inner = scale + weight.max(0) + GUARD_DIGITS + exponent.int.digits() as i32 + 4;
    checked(exp(&product(inner), scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(text: &str) -> Numeric {
        Numeric::parse(text).unwrap()
    }

    #[test]
    fn as_postgresql_prints_them() {
        assert_eq!(n("2").sqrt().unwrap().to_string(), "1.414213562373095");
        assert_eq!(n("0.04").sqrt().unwrap().to_string(), "0.20000000000000000");
        assert_eq!(n("2").ln().unwrap().to_string(), "0.6931471805599453");
        assert_eq!(n("1").exp().unwrap().to_string(), "2.7182818284590452");
        assert_eq!(n("100").log(&n("10")).unwrap().to_string(), "2.0000000000000000");
        assert_eq!(n("2").power(&n("3")).unwrap().to_string(), "8.0000000000000000");
        assert_eq!(n("2").power(&n("0.5")).unwrap().to_string(), "1.4142135623730950");
        assert_eq!(n("2").power(&n("-2")).unwrap().to_string(), "0.2500000000000000");
    }
}

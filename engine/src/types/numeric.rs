//! `numeric`: decimals of any size with a display scale, NaN and the infinities.
//!
//! In memory a finite value is an integer and the number of its digits after the point; kept, it
//! is the order-preserving form of the contract (class byte, weight, base-10000 digits, scale),
//! see [`Numeric::to_bytes`].

use std::cmp::Ordering;
use std::str::FromStr;

use num_bigint::BigInt;

use super::names::numeric_typmod;
use crate::error::{Error, Result, SqlState};

mod arithmetic;
mod integer;
mod transcendental;

pub(crate) use integer::{Int, pow10};

/// Digits after the point that a division gives at least.
const MIN_SIGNIFICANT_DIGITS: i32 = 16;
/// The largest scale that operations choose.
const MAX_DISPLAY_SCALE: i32 = 1000;
/// The largest scale a value may have.
const MAX_SCALE: i32 = 16_383;
/// The most digits before the point.
const MAX_INTEGER_DIGITS: i64 = 131_072;
/// Base-10000 digits of the kept form stand for this many decimal ones.
const DIGITS_PER_GROUP: i32 = 4;

const CLASS_NEGATIVE_INFINITY: u8 = 0x10;
const CLASS_NEGATIVE: u8 = 0x20;
const CLASS_ZERO: u8 = 0x30;
const CLASS_POSITIVE: u8 = 0x40;
const CLASS_INFINITY: u8 = 0x50;
const CLASS_NAN: u8 = 0x60;

/// A value of type numeric.
#[derive(Clone, Debug)]
pub(crate) enum Numeric {
    /// Not a number: equal to itself, above everything.
    NaN,
    /// Positive infinity.
    Infinity,
    /// Negative infinity.
    NegativeInfinity,
    /// A decimal.
    Finite(Decimal),
}

/// `int / 10^scale`; `scale` is the display scale.
#[derive(Clone, Debug)]
pub(crate) struct Decimal {
    pub(crate) int: Int,
    pub(crate) scale: i32,
}

impl Numeric {
    pub(crate) const ZERO: Numeric = Numeric::Finite(Decimal { int: Int::Small(0), scale: 0 });

    /// `int / 10^scale`
    pub(crate) fn new(int: impl Into<Int>, scale: i32) -> Numeric {
        Numeric::Finite(Decimal { int: int.into(), scale })
    }

    /// Whether it is neither NaN nor infinite.
    pub(crate) fn is_finite(&self) -> bool {
        matches!(self, Numeric::Finite(_))
    }

    /// -1, 0 or 1; NaN counts as positive.
    pub(crate) fn sign(&self) -> i32 {
        match self {
            Numeric::NaN | Numeric::Infinity => 1,
            Numeric::NegativeInfinity => -1,
            Numeric::Finite(d) => d.int.sign(),
        }
    }

    /// Reads PostgreSQL's text form.
    ///
    /// # Errors
    /// 22P02, or 22003 where a value has too many digits.
    pub(crate) fn parse(text: &str) -> Result<Numeric> {
        let invalid = || Error::invalid_text_representation("numeric", text);
        let trimmed = text.trim_matches(is_space);
        match trimmed.to_ascii_lowercase().as_str() {
            "nan" => return Ok(Numeric::NaN),
            "infinity" | "+infinity" | "inf" | "+inf" => return Ok(Numeric::Infinity),
            "-infinity" | "-inf" => return Ok(Numeric::NegativeInfinity),
            _ => {}
        }
        let (negative, unsigned) = match trimmed.as_bytes().first() {
            Some(b'-') => (true, &trimmed[1..]),
            Some(b'+') => (false, &trimmed[1..]),
            _ => (false, trimmed),
        };
        let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
            Some(at) => {
                let digits = &unsigned[at + 1..];
                let exponent = i64::from_str(digits).map_err(|_| invalid())?;
                (&unsigned[..at], exponent)
            }
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
            return Err(invalid());
        }
        let mut digits = format!("{whole}{fraction}");
        if exponent.abs() > MAX_INTEGER_DIGITS * 2 {
            return Err(overflow());
        }
        let mut scale = fraction.len() as i64 - exponent;
        if scale < 0 {
            if digits.trim_start_matches('0').is_empty() {
                digits.clear();
            }
            digits.extend(std::iter::repeat_n('0', (-scale) as usize));
            scale = 0;
        }
        if digits.len() as i64 - scale > MAX_INTEGER_DIGITS || scale > i64::from(MAX_SCALE) {
            return Err(overflow());
        }
        let int = Int::parse(&digits).ok_or_else(invalid)?;
        let int = if negative { int.negate() } else { int };
        Ok(Numeric::new(int, scale as i32))
    }

    /// Rounds to a type modifier's scale and checks its precision.
    ///
    /// # Errors
    /// 22003 `numeric field overflow`.
    pub(crate) fn with_typmod(self, typmod: i32) -> Result<Numeric> {
        let Some((precision, scale)) = numeric_typmod(typmod) else { return Ok(self) };
        let too_big = |detail: String| {
            Err(Error::numeric_out_of_range("numeric field overflow").with_detail(detail))
        };
        match self {
            Numeric::NaN => Ok(Numeric::NaN),
            Numeric::Infinity | Numeric::NegativeInfinity => too_big(format!(
                "A field with precision {precision}, scale {scale} cannot hold an infinite value."
            )),
            Numeric::Finite(d) => {
                let rounded = d.round(scale);
                let whole_digits = precision - scale;
                if rounded.int.digits() as i32 - rounded.scale > whole_digits
                    && rounded.int.sign() != 0
                {
                    return too_big(format!(
                        "A field with precision {precision}, scale {scale} must round to an \
                         absolute value less than {}.",
                        match whole_digits {
                            0 => "1".to_owned(),
                            n => format!("10^{n}"),
                        }
                    ));
                }
                Ok(Numeric::Finite(rounded))
            }
        }
    }

    /// Appends PostgreSQL's text form.
    pub(crate) fn write(&self, out: &mut impl std::fmt::Write) -> std::fmt::Result {
        match self {
            Numeric::NaN => out.write_str("NaN"),
            Numeric::Infinity => out.write_str("Infinity"),
            Numeric::NegativeInfinity => out.write_str("-Infinity"),
            Numeric::Finite(d) => d.write(out),
        }
    }

    /// The nearest float.
    pub(crate) fn to_f64(&self) -> f64 {
        match self {
            Numeric::NaN => f64::NAN,
            Numeric::Infinity => f64::INFINITY,
            Numeric::NegativeInfinity => f64::NEG_INFINITY,
            Numeric::Finite(d) => d.to_string().parse().unwrap_or(f64::NAN),
        }
    }

    /// From a float with the digits that PostgreSQL keeps (15, or 6 for float4).
    pub(crate) fn from_f64(value: f64, significant: usize) -> Numeric {
        if value.is_nan() {
            Numeric::NaN
        } else if value.is_infinite() {
            if value > 0.0 { Numeric::Infinity } else { Numeric::NegativeInfinity }
        } else {
            let text = format!("{value:.*e}", significant - 1);
            let parsed = Numeric::parse(&text).unwrap_or(Numeric::ZERO);
            parsed.trimmed()
        }
    }

    /// Without trailing zeros after the point.
    pub(crate) fn trimmed(self) -> Numeric {
        match self {
            Numeric::Finite(d) => Numeric::Finite(d.trimmed()),
            other => other,
        }
    }

    /// Rounded half away from zero, if it fits.
    pub(crate) fn to_i128(&self) -> Option<i128> {
        match self {
            Numeric::Finite(d) => d.round(0).int.to_i128(),
            _ => None,
        }
    }

    /// Rounded to an integer of a type.
    ///
    /// # Errors
    /// 22003 when out of range, 0A000 for NaN and the infinities, as PostgreSQL.
    pub(crate) fn to_integer<T: TryFrom<i128>>(&self, type_name: &str) -> Result<T> {
        let special = |what: &str| {
            Error::feature_not_supported(format!("cannot convert {what} to {type_name}"))
        };
        match self {
            Numeric::NaN => Err(special("NaN")),
            Numeric::Infinity | Numeric::NegativeInfinity => Err(special("infinity")),
            Numeric::Finite(_) => self
                .to_i128()
                .and_then(|v| T::try_from(v).ok())
                .ok_or_else(|| Error::numeric_out_of_range(format!("{type_name} out of range"))),
        }
    }

    /// The kept form: class byte, weight and digits (complemented when negative), display scale.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let d = match self {
            Numeric::NaN => return vec![CLASS_NAN, 0, 0],
            Numeric::Infinity => return vec![CLASS_INFINITY, 0, 0],
            Numeric::NegativeInfinity => return vec![CLASS_NEGATIVE_INFINITY, 0, 0],
            Numeric::Finite(d) => d,
        };
        let scale = (d.scale as u16).to_be_bytes();
        if d.int.sign() == 0 {
            return vec![CLASS_ZERO, scale[0], scale[1]];
        }
        let (weight, groups) = d.groups();
        let negative = d.int.sign() < 0;
        let mut bytes = Vec::with_capacity(groups.len() * 2 + 7);
        bytes.push(if negative { CLASS_NEGATIVE } else { CLASS_POSITIVE });
        bytes.extend_from_slice(&((weight + 0x8000) as u16).to_be_bytes());
        for group in groups {
            bytes.extend_from_slice(&(group + 1).to_be_bytes());
        }
        bytes.extend_from_slice(&[0, 0]);
        if negative {
            bytes[1..].iter_mut().for_each(|b| *b = !*b);
        }
        bytes.extend_from_slice(&scale);
        bytes
    }

    /// Bytes of PostgreSQL's own form: its length, a short or a long header, and two for every
    /// four digits.
    pub(crate) fn varlena_bytes(&self) -> u64 {
        let Numeric::Finite(decimal) = self else { return 6 };
        let (weight, groups) = match decimal.int.sign() {
            0 => (0, 0),
            _ => {
                let (weight, groups) = decimal.groups();
                (weight, groups.len() as u64)
            }
        };
        let short = (-64..=63).contains(&weight) && decimal.scale <= 63;
        4 + if short { 2 } else { 4 } + 2 * groups
    }

    /// Reads the kept form.
    ///
    /// # Errors
    /// XX001 for bytes that [`Numeric::to_bytes`] doesn't write.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Numeric> {
        let corrupt = || Error::new(SqlState::DATA_CORRUPTED, "corrupt numeric value");
        let [class, middle @ .., s1, s0] = bytes else { return Err(corrupt()) };
        let scale = i32::from(u16::from_be_bytes([*s1, *s0]));
        let negative = match *class {
            CLASS_NAN => return Ok(Numeric::NaN),
            CLASS_INFINITY => return Ok(Numeric::Infinity),
            CLASS_NEGATIVE_INFINITY => return Ok(Numeric::NegativeInfinity),
            CLASS_ZERO => return Ok(Numeric::new(0i128, scale)),
            CLASS_NEGATIVE => true,
            CLASS_POSITIVE => false,
            _ => return Err(corrupt()),
        };
        if middle.len() < 4 || middle.len() % 2 != 0 {
            return Err(corrupt());
        }
        let word = |i: usize| {
            let raw = u16::from_be_bytes([middle[i * 2], middle[i * 2 + 1]]);
            if negative { !raw } else { raw }
        };
        let weight = i32::from(word(0)) - 0x8000;
        let count = middle.len() / 2 - 2;
        let groups = (0..count).map(|i| word(i + 1).wrapping_sub(1));
        let decimal = Decimal::from_groups(negative, weight, groups, scale);
        decimal.map(Numeric::Finite).ok_or_else(corrupt)
    }

    /// Reads PostgreSQL's binary form (`numeric_recv`).
    ///
    /// # Errors
    /// 22P03
    pub(crate) fn from_wire(bytes: &[u8]) -> Result<Numeric> {
        let invalid = |what: &str| {
            Error::invalid_binary_representation(format!(
                "invalid {what} in external \"numeric\" value"
            ))
        };
        let word = |i: usize| u16::from_be_bytes([bytes[i * 2], bytes[i * 2 + 1]]);
        if bytes.len() < 8 || bytes.len() < 8 + usize::from(word(0)) * 2 {
            return Err(super::binary::too_short());
        }
        let (count, weight, sign, scale) = (word(0), word(1) as i16, word(2), word(3));
        if bytes.len() != 8 + usize::from(count) * 2 {
            return Err(Error::invalid_binary_representation("incorrect binary data format"));
        }
        match sign {
            0x0000 | 0x4000 => {}
            0xC000 => return Ok(Numeric::NaN),
            0xD000 => return Ok(Numeric::Infinity),
            0xF000 => return Ok(Numeric::NegativeInfinity),
            _ => return Err(invalid("sign")),
        }
        if scale > 0x3FFF {
            return Err(invalid("scale"));
        }
        let groups: Vec<u16> = (0..usize::from(count)).map(|i| word(i + 4)).collect();
        if groups.iter().any(|g| *g > 9999) {
            return Err(invalid("digit"));
        }
        Decimal::from_groups(
            sign == 0x4000,
            i32::from(weight),
            groups.into_iter(),
            i32::from(scale),
        )
        .map(Numeric::Finite)
        .ok_or_else(|| invalid("value"))
    }

    /// Appends PostgreSQL's binary form (`numeric_send`), straight from the kept one.
    pub(crate) fn write_wire(kept: &[u8], out: &mut impl bytes::BufMut) {
        let Some((class, rest)) = kept.split_first() else { return };
        let (middle, scale) = rest.split_at(rest.len().saturating_sub(2));
        // PostgreSQL keeps the infinities in its short form, where a bit of the sign is one of the
        // scale's, too.
        let special = |out: &mut _, sign: u16| put_words(out, &[0, 0, sign, (sign >> 7) & 0x20]);
        let negative = match *class {
            CLASS_NAN => return special(out, 0xC000),
            CLASS_INFINITY => return special(out, 0xD000),
            CLASS_NEGATIVE_INFINITY => return special(out, 0xF000),
            CLASS_NEGATIVE => true,
            CLASS_POSITIVE => false,
            _ => {
                put_words(out, &[0, 0, 0]);
                out.put_slice(scale);
                return;
            }
        };
        let words = || {
            middle.chunks_exact(2).map(|pair| {
                let raw = u16::from_be_bytes([pair[0], pair[1]]);
                if negative { !raw } else { raw }
            })
        };
        let count = (middle.len() / 2).saturating_sub(2);
        let weight = words().next().unwrap_or(0x8000).wrapping_sub(0x8000);
        put_words(out, &[count as u16, weight, if negative { 0x4000 } else { 0 }]);
        out.put_slice(scale);
        for word in words().skip(1).take(count) {
            out.put_u16(word.wrapping_sub(1));
        }
    }
}

fn put_words(out: &mut impl bytes::BufMut, words: &[u16]) {
    for word in words {
        out.put_u16(*word);
    }
}

/// What C's isspace accepts.
pub(crate) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

/// `value overflows numeric format`
pub(crate) fn overflow() -> Error {
    Error::numeric_out_of_range("value overflows numeric format")
}

impl Decimal {
    /// Weight of the first base-10000 digit, and the digits without zeros at either end.
    fn groups(&self) -> (i32, Vec<u16>) {
        let pad = (DIGITS_PER_GROUP - self.scale % DIGITS_PER_GROUP) % DIGITS_PER_GROUP;
        let mut groups = self.int.mul(&pow10(pad as u32)).groups();
        // Least significant first; the fraction has this many.
        let fraction = (self.scale + pad) / DIGITS_PER_GROUP;
        let weight = groups.len() as i32 - 1 - fraction;
        let zeros = groups.iter().take_while(|g| **g == 0).count();
        groups.drain(..zeros);
        groups.reverse();
        (weight, groups)
    }

    fn from_groups(
        negative: bool,
        weight: i32,
        groups: impl ExactSizeIterator<Item = u16>,
        scale: i32,
    ) -> Option<Decimal> {
        let count = groups.len() as i32;
        let int = Int::from_groups(groups)?;
        let exponent = DIGITS_PER_GROUP * (weight - count + 1) + scale;
        let int = if exponent >= 0 {
            int.mul(&pow10(exponent as u32))
        } else {
            int.div_trunc(&pow10(exponent.unsigned_abs()))
        };
        Some(Decimal { int: if negative { int.negate() } else { int }, scale })
    }

    fn write(&self, out: &mut impl std::fmt::Write) -> std::fmt::Result {
        if self.int.sign() < 0 {
            out.write_char('-')?;
        }
        let digits = self.int.magnitude_text();
        let scale = self.scale as usize;
        if scale == 0 {
            return out.write_str(&digits);
        }
        if digits.len() <= scale {
            out.write_str("0.")?;
            for _ in 0..scale - digits.len() {
                out.write_char('0')?;
            }
            return out.write_str(&digits);
        }
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        write!(out, "{whole}.{fraction}")
    }

    /// Rounds half away from zero to a scale; a negative one rounds before the point.
    pub(crate) fn round(&self, scale: i32) -> Decimal {
        self.rescale(scale, Int::div_round)
    }

    /// Cuts to a scale.
    pub(crate) fn truncate(&self, scale: i32) -> Decimal {
        self.rescale(scale, |a, b| a.div_trunc(b))
    }

    fn rescale(&self, scale: i32, divide: fn(&Int, &Int) -> Int) -> Decimal {
        let int = if scale >= self.scale {
            self.int.mul(&pow10((scale - self.scale) as u32))
        } else {
            divide(&self.int, &pow10((self.scale - scale) as u32))
        };
        if scale < 0 {
            return Decimal { int: int.mul(&pow10(scale.unsigned_abs())), scale: 0 };
        }
        Decimal { int, scale }
    }

    /// Without trailing zeros after the point.
    pub(crate) fn trimmed(mut self) -> Decimal {
        while self.scale > 0 {
            let (quotient, rest) = self.int.div_rem(&Int::Small(10));
            if rest.sign() != 0 {
                break;
            }
            self.int = quotient;
            self.scale -= 1;
        }
        self
    }

    /// Decimal exponent of the first digit that isn't zero.
    fn exponent(&self) -> i32 {
        self.int.digits() as i32 - 1 - self.scale
    }

    /// Weight and value of the first base-10000 digit.
    fn first_group(&self) -> (i32, i32) {
        if self.int.sign() == 0 {
            return (0, 0);
        }
        let exponent = self.exponent();
        let weight = exponent.div_euclid(DIGITS_PER_GROUP);
        let wanted = exponent.rem_euclid(DIGITS_PER_GROUP) + 1;
        let text = self.int.magnitude_text();
        let first: String =
            text.chars().chain(std::iter::repeat('0')).take(wanted as usize).collect();
        (weight, first.parse().unwrap_or(0))
    }
}

impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.write(f)
    }
}

impl std::fmt::Display for Numeric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.write(f)
    }
}

impl PartialEq for Numeric {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Numeric {}

impl PartialOrd for Numeric {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Numeric {
    fn cmp(&self, other: &Self) -> Ordering {
        let class = |n: &Numeric| match n {
            Numeric::NegativeInfinity => 0,
            Numeric::Finite(_) => 1,
            Numeric::Infinity => 2,
            Numeric::NaN => 3,
        };
        match (self, other) {
            (Numeric::Finite(a), Numeric::Finite(b)) => {
                let scale = a.scale.max(b.scale);
                a.round(scale).int.cmp(&b.round(scale).int)
            }
            _ => class(self).cmp(&class(other)),
        }
    }
}

impl From<i64> for Numeric {
    fn from(value: i64) -> Self {
        Numeric::new(i128::from(value), 0)
    }
}

impl From<i32> for Numeric {
    fn from(value: i32) -> Self {
        Numeric::new(i128::from(value), 0)
    }
}

impl From<i128> for Numeric {
    fn from(value: i128) -> Self {
        Numeric::new(value, 0)
    }
}

impl From<BigInt> for Numeric {
    fn from(value: BigInt) -> Self {
        Numeric::new(Int::from(value), 0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn n(text: &str) -> Numeric {
        Numeric::parse(text).unwrap()
    }

    #[test]
    fn text_forms() {
        for (written, printed) in [
            ("1.50", "1.50"),
            ("-0.001", "-0.001"),
            ("1e3", "1000"),
            ("1.5e-3", "0.0015"),
            ("  12 ", "12"),
            (".5", "0.5"),
            ("5.", "5"),
            ("-inf", "-Infinity"),
            ("nan", "NaN"),
            ("0.00", "0.00"),
            ("123456789012345678901234567890123456789012345.6789", ""),
        ] {
            let expected = if printed.is_empty() { written } else { printed };
            assert_eq!(n(written).to_string(), expected);
        }
        assert!(Numeric::parse("1.2.3").is_err());
        assert!(Numeric::parse("").is_err());
        assert!(Numeric::parse("e5").is_err());
    }

    #[test]
    fn typmods() {
        let typmod = super::super::names::make_numeric_typmod(4, 2).unwrap();
        assert_eq!(n("1.005").with_typmod(typmod).unwrap().to_string(), "1.01");
        assert!(n("99.995").with_typmod(typmod).is_err());
        let negative = super::super::names::make_numeric_typmod(3, -2).unwrap();
        assert_eq!(n("12345").with_typmod(negative).unwrap().to_string(), "12300");
    }

    fn any_numeric() -> impl Strategy<Value = Numeric> {
        prop_oneof![
            4 => (any::<i128>(), 0..40i32).prop_map(|(i, s)| Numeric::new(i, s)),
            4 => (any::<i32>(), 0..9i32).prop_map(|(i, s)| Numeric::new(i128::from(i), s)),
            1 => "[1-9][0-9]{40,90}\\.[0-9]{0,30}".prop_map(|s| Numeric::parse(&s).unwrap()),
            1 => Just(Numeric::NaN),
            1 => Just(Numeric::Infinity),
            1 => Just(Numeric::NegativeInfinity),
        ]
    }

    proptest! {
        #[test]
        fn kept_form_comes_back(a in any_numeric()) {
            let back = Numeric::from_bytes(&a.to_bytes()).unwrap();
            prop_assert_eq!(back.to_string(), a.to_string());
        }

        #[test]
        fn kept_form_orders_as_values(a in any_numeric(), b in any_numeric()) {
            let (x, y) = (a.to_bytes(), b.to_bytes());
            prop_assert_eq!(x[..x.len() - 2].cmp(&y[..y.len() - 2]), a.cmp(&b));
        }

        #[test]
        fn wire_form_comes_back(a in any_numeric()) {
            let mut wire = Vec::new();
            Numeric::write_wire(&a.to_bytes(), &mut wire);
            prop_assert_eq!(Numeric::from_wire(&wire).unwrap().to_string(), a.to_string());
        }

        #[test]
        fn text_form_comes_back(a in any_numeric()) {
            prop_assert_eq!(n(&a.to_string()).to_string(), a.to_string());
        }
    }
}

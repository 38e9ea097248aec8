//! numeric as plain decimal text and back.
//!
//! In memory a numeric is its sort key followed by the display scale (see `FORMAT.md`). Parquet
//! readers know nothing of that, and `DECIMAL` stops at 38 digits and has no NaN, so segments hold
//! PostgreSQL's own decimal text. The way there and back keeps value and display scale.

use crate::error::{Error, Result};

const NEGATIVE_INFINITY: u8 = 0x10;
const NEGATIVE: u8 = 0x20;
const ZERO: u8 = 0x30;
const POSITIVE: u8 = 0x40;
const POSITIVE_INFINITY: u8 = 0x50;
const NAN: u8 = 0x60;

/// Decimal digits in one digit of the sort key.
const DIGIT_DECIMALS: usize = 4;

/// Appends the decimal text of a numeric's in-memory form.
pub(crate) fn to_text(bytes: &[u8], out: &mut String) -> Result<()> {
    let bad = || Error::corrupt("a numeric value is malformed");
    let (&class, rest) = bytes.split_first().ok_or_else(bad)?;
    let (body, scale) = rest.split_last_chunk::<2>().ok_or_else(bad)?;
    let scale = usize::from(u16::from_be_bytes(*scale));
    match class {
        NAN => out.push_str("NaN"),
        POSITIVE_INFINITY => out.push_str("Infinity"),
        NEGATIVE_INFINITY => out.push_str("-Infinity"),
        ZERO => {
            out.push('0');
            if scale > 0 {
                out.push('.');
                out.extend(std::iter::repeat_n('0', scale));
            }
        }
        POSITIVE | NEGATIVE => {
            let negative = class == NEGATIVE;
            let unit = |pair: &[u8]| {
                let raw = u16::from_be_bytes([pair[0], pair[1]]);
                if negative { !raw } else { raw }
            };
            if body.len() < 6 || body.len() % 2 != 0 {
                return Err(bad());
            }
            let weight = i32::from(unit(&body[..2])) - 0x8000;
            let mut digits = Vec::with_capacity(body.len() / 2);
            let (inner, terminator) = body[2..].split_at(body.len() - 4);
            if unit(terminator) != 0 {
                return Err(bad());
            }
            for pair in inner.chunks_exact(2) {
                let digit = unit(pair);
                if !(1..=10_000).contains(&digit) {
                    return Err(bad());
                }
                digits.push(digit - 1);
            }
            if negative {
                out.push('-');
            }
            push_digits(weight, &digits, scale, out);
        }
        _ => return Err(bad()),
    }
    Ok(())
}

/// Writes base-10000 digits, the first of which has the weight 10000^`weight`.
fn push_digits(weight: i32, digits: &[u16], scale: usize, out: &mut String) {
    let at = |w: i32| {
        let index = weight - w;
        usize::try_from(index).ok().and_then(|i| digits.get(i)).copied().unwrap_or(0)
    };
    if weight < 0 {
        out.push('0');
    } else {
        out.push_str(&at(weight).to_string());
        for w in (0..weight).rev() {
            out.push_str(&format!("{:04}", at(w)));
        }
    }
    let lowest = weight - i32::try_from(digits.len()).unwrap_or(i32::MAX) + 1;
    let held = usize::try_from(-lowest).unwrap_or(0);
    let mut fraction = String::with_capacity(held.max(scale.div_ceil(DIGIT_DECIMALS)) * 4);
    let mut w = -1;
    while fraction.len() < scale || w >= lowest {
        fraction.push_str(&format!("{:04}", at(w)));
        w -= 1;
    }
    // A scale smaller than the digits held does not occur; were it to, digits win over scale.
    let needed = fraction.trim_end_matches('0').len().max(scale);
    fraction.truncate(needed);
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(&fraction);
    }
}

/// Appends the in-memory form of a decimal text that [`to_text`] wrote.
pub(crate) fn from_text(text: &str, out: &mut Vec<u8>) -> Result<()> {
    let special = match text {
        "NaN" => Some(NAN),
        "Infinity" => Some(POSITIVE_INFINITY),
        "-Infinity" => Some(NEGATIVE_INFINITY),
        _ => None,
    };
    if let Some(class) = special {
        out.extend([class, 0, 0]);
        return Ok(());
    }
    let bad = || Error::corrupt(format!("a segment holds {text:?} where a numeric belongs"));
    let (negative, plain) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = plain.split_once('.').unwrap_or((plain, ""));
    if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return Err(bad());
    }
    let scale = u16::try_from(fraction.len()).map_err(|_| bad())?;
    let lead = (DIGIT_DECIMALS - whole.len() % DIGIT_DECIMALS) % DIGIT_DECIMALS;
    let tail = (DIGIT_DECIMALS - fraction.len() % DIGIT_DECIMALS) % DIGIT_DECIMALS;
    let decimals = std::iter::repeat_n(b'0', lead)
        .chain(whole.bytes())
        .chain(fraction.bytes())
        .chain(std::iter::repeat_n(b'0', tail));
    let mut digits = Vec::with_capacity((whole.len() + fraction.len()) / DIGIT_DECIMALS + 2);
    let mut digit = 0_u16;
    for (i, decimal) in decimals.enumerate() {
        digit = digit * 10 + u16::from(decimal - b'0');
        if i % DIGIT_DECIMALS == DIGIT_DECIMALS - 1 {
            digits.push(digit);
            digit = 0;
        }
    }
    let skipped = digits.iter().take_while(|d| **d == 0).count();
    let end = digits.iter().rposition(|d| *d != 0).map_or(0, |last| last + 1);
    if end == 0 {
        out.push(ZERO);
    } else {
        let weight = (whole.len() + lead) / DIGIT_DECIMALS;
        let weight = i64::try_from(weight).map_err(|_| bad())?
            - 1
            - i64::try_from(skipped).map_err(|_| bad())?;
        let weight = u16::try_from(weight + 0x8000).map_err(|_| bad())?;
        let flip = |unit: u16| if negative { !unit } else { unit };
        out.push(if negative { NEGATIVE } else { POSITIVE });
        out.extend(flip(weight).to_be_bytes());
        for digit in &digits[skipped..end] {
            out.extend(flip(digit + 1).to_be_bytes());
        }
        out.extend(flip(0).to_be_bytes());
    }
    out.extend(scale.to_be_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        from_text(text, &mut bytes).unwrap();
        let mut back = String::new();
        to_text(&bytes, &mut back).unwrap();
        assert_eq!(back, text);
        bytes
    }

    #[test]
    fn known_values() {
        for text in ["0", "0.00", "1", "-1", "10000", "0.0001", "0.00010", "-123456789.5", "NaN"] {
            round_trip(text);
        }
        round_trip("Infinity");
        round_trip("-Infinity");
        round_trip(&format!("1{}.{}1", "0".repeat(60), "0".repeat(60)));
        assert_eq!(round_trip("1.50"), [0x40, 0x80, 0, 0, 2, 0x13, 0x89, 0, 0, 0, 2]);
        assert_eq!(round_trip("-1"), [0x20, 0x7f, 0xff, 0xff, 0xfd, 0xff, 0xff, 0, 0]);
        assert!(from_text("1x", &mut Vec::new()).is_err());
        assert!(to_text(&[0x40, 1], &mut String::new()).is_err());
    }

    proptest! {
        #[test]
        fn order_and_scale_survive(a in -1_000_000_000_i64..1_000_000_000, b in -1_000_000_000_i64..1_000_000_000, scale in 0_usize..9) {
            let text = |v: i64| {
                let digits = format!("{:0width$}", v.unsigned_abs(), width = scale + 1);
                let (whole, fraction) = digits.split_at(digits.len() - scale);
                let sign = if v < 0 { "-" } else { "" };
                if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
            };
            let (ka, kb) = (round_trip(&text(a)), round_trip(&text(b)));
            prop_assert_eq!(ka[..ka.len() - 2].cmp(&kb[..kb.len() - 2]), a.cmp(&b));
        }

        #[test]
        fn garbage_is_an_error_not_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            let _ = to_text(&bytes, &mut String::new());
        }
    }
}

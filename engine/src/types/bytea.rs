//! Text forms of bytea: hex and escape.

use std::fmt::Write;

use super::settings::ByteaOutput;
use crate::error::{Error, Result, SqlState};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Reads both forms.
///
/// # Errors
/// 22P02 for nonsense, 22023 for bad hex digits.
pub(crate) fn parse(text: &str) -> Result<Vec<u8>> {
    if let Some(hex) = text.strip_prefix("\\x") {
        return parse_hex(hex);
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'\\' {
            out.push(bytes[at]);
            at += 1;
            continue;
        }
        match bytes[at + 1..] {
            [b'\\', ..] => {
                out.push(b'\\');
                at += 2;
            }
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
                out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                at += 4;
            }
            _ => {
                return Err(Error::new(
                    SqlState::INVALID_TEXT_REPRESENTATION,
                    "invalid input syntax for type bytea",
                ));
            }
        }
    }
    Ok(out)
}

/// Reads pairs of hex digits, perhaps with space between pairs.
pub(crate) fn parse_hex(hex: &str) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(hex.len() / 2);
    let mut high: Option<u8> = None;
    for c in hex.chars() {
        if high.is_none() && super::numeric::is_space(c) {
            continue;
        }
        let digit = c.to_digit(16).ok_or_else(|| {
            Error::invalid_parameter_value(format!("invalid hexadecimal digit: \"{c}\""))
        })? as u8;
        match high.take() {
            None => high = Some(digit),
            Some(first) => out.push(first << 4 | digit),
        }
    }
    if high.is_some() {
        return Err(Error::invalid_parameter_value(
            "invalid hexadecimal data: odd number of digits",
        ));
    }
    Ok(out)
}

/// Appends the text form.
pub(crate) fn write(bytes: &[u8], form: ByteaOutput, out: &mut impl Write) -> std::fmt::Result {
    match form {
        ByteaOutput::Hex => {
            out.write_str("\\x")?;
            write_hex(bytes, out)
        }
        ByteaOutput::Escape => write_escape(bytes, out),
    }
}

/// Appends hex digits.
pub(crate) fn write_hex(bytes: &[u8], out: &mut impl Write) -> std::fmt::Result {
    let mut buffer = [0u8; 128];
    for chunk in bytes.chunks(64) {
        for (i, byte) in chunk.iter().enumerate() {
            buffer[i * 2] = HEX[usize::from(byte >> 4)];
            buffer[i * 2 + 1] = HEX[usize::from(byte & 15)];
        }
        let text = std::str::from_utf8(&buffer[..chunk.len() * 2]).expect("hex digits are ASCII");
        out.write_str(text)?;
    }
    Ok(())
}

/// Appends octal escapes for what isn't printable ASCII.
pub(crate) fn write_escape(bytes: &[u8], out: &mut impl Write) -> std::fmt::Result {
    for byte in bytes {
        match byte {
            b'\\' => out.write_str("\\\\")?,
            0x20..=0x7e => out.write_char(char::from(*byte))?,
            _ => write!(out, "\\{byte:03o}")?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn both_forms_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for form in [ByteaOutput::Hex, ByteaOutput::Escape] {
                let mut text = String::new();
                write(&bytes, form, &mut text).unwrap();
                prop_assert_eq!(&parse(&text).unwrap(), &bytes);
            }
        }
    }
}

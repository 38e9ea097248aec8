//! Text forms of uuid.

use std::fmt::Write;

use crate::error::{Error, Result};

/// Reads 32 hex digits with hyphens after any group of four, perhaps in braces.
///
/// # Errors
/// 22P02
pub(crate) fn parse(text: &str) -> Result<[u8; 16]> {
    let invalid = || Error::invalid_text_representation("uuid", text);
    let inner = match text.strip_prefix('{') {
        Some(rest) => rest.strip_suffix('}').ok_or_else(invalid)?,
        None => text,
    };
    let mut out = [0u8; 16];
    let mut digits = 0usize;
    let mut hyphen_allowed = false;
    for c in inner.chars() {
        if c == '-' && hyphen_allowed && digits < 32 {
            hyphen_allowed = false;
            continue;
        }
        let digit = c.to_digit(16).ok_or_else(invalid)? as u8;
        let byte = out.get_mut(digits / 2).ok_or_else(invalid)?;
        *byte = *byte << 4 | digit;
        digits += 1;
        hyphen_allowed = digits.is_multiple_of(4);
    }
    if digits != 32 || inner.ends_with('-') {
        return Err(invalid());
    }
    Ok(out)
}

/// Appends the canonical form.
pub(crate) fn write(bytes: &[u8], out: &mut impl Write) -> std::fmt::Result {
    for (i, group) in [0..4, 4..6, 6..8, 8..10, 10..16].into_iter().enumerate() {
        if i > 0 {
            out.write_char('-')?;
        }
        super::bytea::write_hex(bytes.get(group).unwrap_or_default(), out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let canonical = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
        for text in [
            canonical,
            "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
            "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
            "a0eebc999c0b4ef8bb6d6bb9bd380a11",
            "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11",
        ] {
            let mut out = String::new();
            write(&parse(text).unwrap(), &mut out).unwrap();
            assert_eq!(out, canonical);
        }
        assert!(parse("a0eebc99").is_err());
        assert!(parse("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1").is_err());
    }
}

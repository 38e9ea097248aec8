//! Digests, encodings and the functions of bytea.

use base64::Engine as _;
use sha2::Digest as _;

use super::kernel::{Bool, Bytea, Int4, Int8, Text};
use super::registry::Implementations;
use crate::error::{Error, Result, SqlState};
use crate::types::bytea;

/// Base64 lines are this long, as PostgreSQL breaks them.
const BASE64_LINE: usize = 76;

pub(super) fn register(all: &mut Implementations) {
    all.f1::<Text, Text>("md5(text)", |v| Ok(hex(&md5(v.as_bytes()))));
    all.f1::<Bytea, Text>("md5(bytea)", |v| Ok(hex(&md5(v))));
    all.f1::<Bytea, Bytea>("sha224(bytea)", |v| Ok(sha2::Sha224::digest(v).to_vec()));
    all.f1::<Bytea, Bytea>("sha256(bytea)", |v| Ok(sha2::Sha256::digest(v).to_vec()));
    all.f1::<Bytea, Bytea>("sha384(bytea)", |v| Ok(sha2::Sha384::digest(v).to_vec()));
    all.f1::<Bytea, Bytea>("sha512(bytea)", |v| Ok(sha2::Sha512::digest(v).to_vec()));
    all.f2::<Bytea, Text, Text>("encode(bytea,text)", encode);
    all.f2::<Text, Text, Bytea>("decode(text,text)", decode);
    for name in ["length(bytea)", "octet_length(bytea)"] {
        all.f1::<Bytea, Int4>(name, |v| Ok(v.len() as i32));
    }
    all.f1::<Bytea, Int4>("bit_length(bytea)", |v| super::text::bit_length(v.len()));
    all.f1::<Bytea, Int8>("bit_count(bytea)", |v| {
        Ok(v.iter().map(|b| i64::from(b.count_ones())).sum())
    });
    all.f2::<Bytea, Bytea, Bytea>("byteacat(bytea,bytea)", |a, b| Ok([a, b].concat()));
    all.f2::<Bytea, Bytea, Int4>("byteacmp(bytea,bytea)", |a, b| Ok(a.cmp(b) as i32));
    all.f2::<Bytea, Bytea, Int4>("position(bytea,bytea)", |all, part| {
        Ok(find(all, part).map_or(0, |at| at as i32 + 1))
    });
    for name in ["substr(bytea,int4,int4)", "substring(bytea,int4,int4)"] {
        all.f3::<Bytea, Int4, Int4, Bytea>(name, |v, from, count| {
            let (start, end) = super::text::range(from, Some(count))?;
            Ok(slice(v, start, end).to_vec())
        });
    }
    for name in ["substr(bytea,int4)", "substring(bytea,int4)"] {
        all.f2::<Bytea, Int4, Bytea>(name, |v, from| {
            let (start, end) = super::text::range(from, None)?;
            Ok(slice(v, start, end).to_vec())
        });
    }
    all.f4::<Bytea, Bytea, Int4, Int4, Bytea>("overlay(bytea,bytea,int4,int4)", overlay);
    all.f3::<Bytea, Bytea, Int4, Bytea>("overlay(bytea,bytea,int4)", |v, new, from| {
        overlay(v, new, from, new.len() as i32)
    });
    all.f2::<Bytea, Bytea, Bytea>("btrim(bytea,bytea)", |v, set| Ok(trim(v, set, true, true)));
    all.f2::<Bytea, Bytea, Bytea>("ltrim(bytea,bytea)", |v, set| Ok(trim(v, set, true, false)));
    all.f2::<Bytea, Bytea, Bytea>("rtrim(bytea,bytea)", |v, set| Ok(trim(v, set, false, true)));
    single_bytes_and_bits(all);
    conversions(all);
    for (name, wanted) in [("bytealike(bytea,bytea)", true), ("byteanlike(bytea,bytea)", false)] {
        let kernel: fn(&[u8], &[u8]) -> Result<bool> = if wanted {
            |v, pattern| super::like::bytes_like(v, pattern)
        } else {
            |v, pattern| super::like::bytes_like(v, pattern).map(|m| !m)
        };
        all.f2::<Bytea, Bytea, Bool>(name, kernel);
    }
}

fn single_bytes_and_bits(all: &mut Implementations) {
    all.f2::<Bytea, Int4, Int4>("get_byte(bytea,int4)", |v, n| {
        Ok(i32::from(v[index(n.into(), v.len())?]))
    });
    all.f3::<Bytea, Int4, Int4, Bytea>("set_byte(bytea,int4,int4)", |v, n, byte| {
        let mut out = v.to_vec();
        out[index(n.into(), v.len())?] = byte as u8;
        Ok(out)
    });
    all.f2::<Bytea, Int8, Int4>("get_bit(bytea,int8)", |v, n| {
        let at = index(n, v.len() * 8)?;
        Ok(i32::from(v[at / 8] >> (at % 8) & 1))
    });
    all.f3::<Bytea, Int8, Int4, Bytea>("set_bit(bytea,int8,int4)", |v, n, bit| {
        let at = index(n, v.len() * 8)?;
        let mut out = v.to_vec();
        match bit {
            0 => out[at / 8] &= !(1 << (at % 8)),
            1 => out[at / 8] |= 1 << (at % 8),
            _ => return Err(Error::invalid_parameter_value("new bit must be 0 or 1")),
        }
        Ok(out)
    });
}

fn conversions(all: &mut Implementations) {
    all.f2::<Bytea, Text, Text>("convert_from(bytea,name)", |v, from| {
        Encoding::named(from, "source")?.decode(v)
    });
    all.f2::<Text, Text, Bytea>("convert_to(text,name)", |v, to| {
        Encoding::named(to, "destination")?.encode(v)
    });
    all.f3::<Bytea, Text, Text, Bytea>("convert(bytea,name,name)", |v, from, to| {
        let (from, to) = (Encoding::named(from, "source"), Encoding::named(to, "destination")?);
        to.encode(&from?.decode(v)?)
    });
}

#[derive(Clone, Copy)]
enum Encoding {
    Utf8,
    Latin1,
}

impl Encoding {
    /// `side` is the word for the message: source or destination.
    fn named(name: &str, side: &str) -> Result<Encoding> {
        let plain = name.to_ascii_lowercase().replace(['-', '_'], "");
        match plain.as_str() {
            "utf8" | "unicode" => Ok(Encoding::Utf8),
            "latin1" | "iso88591" => Ok(Encoding::Latin1),
            _ if crate::settings::is_encoding(&plain) => {
                Err(Error::feature_not_supported(format!("encoding \"{name}\" is not supported")))
            }
            _ => Err(Error::invalid_parameter_value(format!(
                "invalid {side} encoding name \"{name}\""
            ))),
        }
    }

    fn decode(self, bytes: &[u8]) -> Result<String> {
        match self {
            Encoding::Utf8 if bytes.contains(&0) => Err(Error::invalid_encoding(&[0])),
            Encoding::Utf8 => crate::types::binary::utf8(bytes).map(str::to_owned),
            Encoding::Latin1 if bytes.contains(&0) => Err(Error::new(
                SqlState::CHARACTER_NOT_IN_REPERTOIRE,
                "invalid byte sequence for encoding \"LATIN1\": 0x00",
            )),
            Encoding::Latin1 => Ok(bytes.iter().copied().map(char::from).collect()),
        }
    }

    fn encode(self, text: &str) -> Result<Vec<u8>> {
        match self {
            Encoding::Utf8 => Ok(text.as_bytes().to_vec()),
            Encoding::Latin1 => text
                .chars()
                .map(|c| {
                    u8::try_from(u32::from(c)).map_err(|_| {
                        let mut bytes = [0; 4];
                        let shown: String = c
                            .encode_utf8(&mut bytes)
                            .bytes()
                            .map(|byte| format!("0x{byte:02x} "))
                            .collect();
                        Error::new(
                            SqlState::UNTRANSLATABLE_CHARACTER,
                            format!(
                                "character with byte sequence {}in encoding \"UTF8\" has no \
                                 equivalent in encoding \"LATIN1\"",
                                shown
                            ),
                        )
                    })
                })
                .collect(),
        }
    }
}

fn find(all: &[u8], part: &[u8]) -> Option<usize> {
    if part.is_empty() {
        return Some(0);
    }
    all.windows(part.len()).position(|w| w == part)
}

fn overlay(v: &[u8], new: &[u8], from: i32, count: i32) -> Result<Vec<u8>> {
    if from <= 0 {
        return Err(Error::new(SqlState::SUBSTRING_ERROR, "negative substring length not allowed"));
    }
    let after = super::text::overlay_end(from, count)?;
    Ok([slice(v, 0, from as usize - 1), new, slice(v, after, usize::MAX)].concat())
}

fn slice(v: &[u8], start: usize, end: usize) -> &[u8] {
    &v[start.min(v.len())..end.min(v.len())]
}

fn trim(v: &[u8], set: &[u8], left: bool, right: bool) -> Vec<u8> {
    let mut v = v;
    while left && v.first().is_some_and(|b| set.contains(b)) {
        v = &v[1..];
    }
    while right && v.last().is_some_and(|b| set.contains(b)) {
        v = &v[..v.len() - 1];
    }
    v.to_vec()
}

fn index(n: i64, length: usize) -> Result<usize> {
    usize::try_from(n).ok().filter(|n| *n < length).ok_or_else(|| {
        Error::new(
            SqlState::ARRAY_SUBSCRIPT_ERROR,
            format!("index {n} out of valid range, 0..{}", length as i64 - 1),
        )
    })
}

fn unknown_encoding(name: &str) -> Error {
    Error::invalid_parameter_value(format!("unrecognized encoding: \"{name}\""))
}

fn encode(v: &[u8], form: &str) -> Result<String> {
    let mut out = String::new();
    match form.to_ascii_lowercase().as_str() {
        "hex" => return Ok(hex(v)),
        "base64" => {
            let text = base64::engine::general_purpose::STANDARD.encode(v);
            for (i, line) in text.as_bytes().chunks(BASE64_LINE).enumerate() {
                if i > 0 {
                    out.push('\n');
                }
                out.extend(line.iter().map(|b| char::from(*b)));
            }
        }
        "escape" => {
            for byte in v {
                match byte {
                    b'\\' => out.push_str("\\\\"),
                    0 | 0x80.. => out.push_str(&format!("\\{byte:03o}")),
                    _ => out.push(char::from(*byte)),
                }
            }
        }
        _ => return Err(unknown_encoding(form)),
    }
    Ok(out)
}

fn decode(v: &str, form: &str) -> Result<Vec<u8>> {
    match form.to_ascii_lowercase().as_str() {
        "hex" => bytea::parse_hex(v),
        "base64" => {
            let compact: String = v.chars().filter(|c| !c.is_ascii_whitespace()).collect();
            base64::engine::general_purpose::STANDARD
                .decode(compact)
                .map_err(|_| Error::invalid_parameter_value("invalid base64 end sequence"))
        }
        "escape" => bytea::parse(v),
        _ => Err(unknown_encoding(form)),
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    bytea::write_hex(bytes, &mut out).expect("writing to a string doesn't fail");
    out
}

/// RFC 1321.
fn md5(input: &[u8]) -> [u8; 16] {
    const SHIFTS: [[u32; 4]; 4] =
        [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];
    let mut state: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    let mut message = input.to_vec();
    message.push(0x80);
    while message.len() % 64 != 56 {
        message.push(0);
    }
    message.extend_from_slice(&(input.len() as u64).wrapping_mul(8).to_le_bytes());
    for block in message.chunks_exact(64) {
        let word = |i: usize| {
            u32::from_le_bytes([block[i * 4], block[i * 4 + 1], block[i * 4 + 2], block[i * 4 + 3]])
        };
        let [mut a, mut b, mut c, mut d] = state;
        for i in 0..64usize {
            let (f, g) = match i / 16 {
                0 => ((b & c) | (!b & d), i),
                1 => ((d & b) | (!d & c), (5 * i + 1) % 16),
                2 => (b ^ c ^ d, (3 * i + 5) % 16),
                _ => (c ^ (b | !d), (7 * i) % 16),
            };
            let constant = (((i + 1) as f64).sin().abs() * 4_294_967_296.0) as u32;
            let sum = a.wrapping_add(f).wrapping_add(constant).wrapping_add(word(g));
            (a, d, c) = (d, c, b);
            b = b.wrapping_add(sum.rotate_left(SHIFTS[i / 16][i % 4]));
        }
        for (total, part) in state.iter_mut().zip([a, b, c, d]) {
            *total = total.wrapping_add(part);
        }
    }
    let mut out = [0; 16];
    for (chunk, word) in out.chunks_exact_mut(4).zip(state) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests() {
        assert_eq!(hex(&md5(b"")), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(
            hex(&md5(b"The quick brown fox jumps over the lazy dog")),
            "9e107d9d372bb6826bd81d3542a419d6"
        );
    }
}

//! `anyelement` and its kin: what a call makes of them.

use super::resolve::common_type;
use crate::error::{Error, Result};
use crate::types::{Oid, PgType, format_type};

/// Whether a declared type stands for one that the call decides.
pub(crate) fn is_polymorphic(oid: Oid) -> bool {
    is_simple(oid) || is_compatible(oid)
}

fn is_simple(oid: Oid) -> bool {
    matches!(oid, Oid::ANYELEMENT | Oid::ANYARRAY | Oid::ANYNONARRAY | Oid::ANYENUM)
}

fn is_compatible(oid: Oid) -> bool {
    matches!(oid, Oid::ANYCOMPATIBLE | Oid::ANYCOMPATIBLEARRAY | Oid::ANYCOMPATIBLENONARRAY)
}

fn element(oid: Oid) -> Option<Oid> {
    PgType::plain(oid).list_element().map(|t| t.oid)
}

fn array(oid: Oid) -> Option<Oid> {
    // An array over arrays is the same array type with one dimension more.
    PgType::plain(oid).array().map(|t| t.oid)
}

/// Whether the given types can stand for the polymorphic ones together.
pub(crate) fn consistent(given: &[Oid], declared: &[Oid]) -> bool {
    if !declared.iter().any(|t| is_polymorphic(*t)) {
        return true;
    }
    let pairs = || given.iter().zip(declared).filter(|(g, _)| **g != Oid::UNKNOWN);
    for (given, declared) in pairs() {
        let fits = match *declared {
            Oid::ANYARRAY | Oid::ANYCOMPATIBLEARRAY => element(*given).is_some(),
            Oid::ANYNONARRAY | Oid::ANYCOMPATIBLENONARRAY => element(*given).is_none(),
            Oid::ANYENUM => false,
            _ => true,
        };
        if !fits {
            return false;
        }
    }
    simple_element(given, declared).is_ok()
        && (!declared.iter().any(|t| is_compatible(*t))
            || compatible_element(given, declared).is_ok())
}

/// The element type that the simple family agrees on, `None` when all are unknown.
fn simple_element(given: &[Oid], declared: &[Oid]) -> Result<Option<Oid>> {
    let mut agreed: Option<Oid> = None;
    for (given, declared) in given.iter().zip(declared) {
        if *given == Oid::UNKNOWN || !is_simple(*declared) {
            continue;
        }
        let this = match *declared {
            Oid::ANYARRAY => element(*given).ok_or_else(|| {
                Error::datatype_mismatch(format!(
                    "argument declared anyarray is not an array but type {}",
                    format_type(*given, -1)
                ))
            })?,
            _ => *given,
        };
        match agreed {
            None => agreed = Some(this),
            Some(before) if before == this => {}
            Some(before) => {
                return Err(Error::datatype_mismatch(
                    "arguments declared \"anyelement\" are not all alike",
                )
                .with_detail(format!(
                    "{} versus {}",
                    format_type(before, -1),
                    format_type(this, -1)
                )));
            }
        }
    }
    Ok(agreed)
}

fn compatible_element(given: &[Oid], declared: &[Oid]) -> Result<Oid> {
    let mut types = Vec::new();
    for (given, declared) in given.iter().zip(declared) {
        match *declared {
            Oid::ANYCOMPATIBLEARRAY if *given != Oid::UNKNOWN => {
                types.push(PgType::plain(element(*given).unwrap_or(*given)));
            }
            Oid::ANYCOMPATIBLE | Oid::ANYCOMPATIBLENONARRAY => types.push(PgType::plain(*given)),
            _ => {}
        }
    }
    Ok(common_type("arguments", &types)?.oid)
}

/// The types the arguments are cast to and the type of the result.
///
/// # Errors
/// 42804 when the given types leave a polymorphic one open.
pub(crate) fn enforce(given: &[Oid], declared: &[Oid], ret: Oid) -> Result<(Vec<Oid>, Oid)> {
    let open = || {
        Error::datatype_mismatch(
            "could not determine polymorphic type because input has type unknown",
        )
    };
    let uses = |family: fn(Oid) -> bool| family(ret) || declared.iter().any(|t| family(*t));
    let simple = if uses(is_simple) { simple_element(given, declared)? } else { None };
    let compatible = match uses(is_compatible) {
        true => Some(compatible_element(given, declared)?),
        false => None,
    };
    let actual = |declared: Oid, given: Option<Oid>| -> Result<Oid> {
        let found = match declared {
            Oid::ANYELEMENT | Oid::ANYNONARRAY | Oid::ANYENUM => simple,
            Oid::ANYARRAY => match (simple, given) {
                // The vectors stay what they are: they are kept like arrays.
                (_, Some(oid @ (Oid::INT2VECTOR | Oid::OIDVECTOR))) => Some(oid),
                (element, _) => element.and_then(array),
            },
            Oid::ANYCOMPATIBLE | Oid::ANYCOMPATIBLENONARRAY => compatible,
            Oid::ANYCOMPATIBLEARRAY => compatible.and_then(array),
            Oid::ANY => match given {
                Some(Oid::UNKNOWN) => Some(Oid::TEXT),
                other => other,
            },
            other => Some(other),
        };
        found.ok_or_else(open)
    };
    let types = given
        .iter()
        .zip(declared)
        .map(|(given, declared)| actual(*declared, Some(*given)))
        .collect::<Result<Vec<Oid>>>()?;
    Ok((types, actual(ret, None)?))
}

//! Names of objects in the cold tier.
//!
//! A name a client chose (a user, a schema, a table) becomes exactly one component of a path by an
//! injective escape: `[a-z0-9_-]` stand for themselves, every other byte is `%XX`. Upper case is
//! escaped as well, since some file systems fold it. A component that would be too long for a file
//! system ends in `~` and the SHA-256 of the whole name; `~` is never produced by the escape, so a
//! shortened name cannot meet one that was not shortened. No component is empty, `.` or `..`, none
//! contains a separator, hence no name can leave its place.

use crate::id::RelationId;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// Longest component made of one name, in bytes. File systems stop at 255.
const COMPONENT_BYTES_MAX: usize = 240;
/// Longest half of `<schema>.<table>`, in bytes: both halves and the dot stay under 255.
const HALF_BYTES_MAX: usize = 118;
/// `~` and a SHA-256 in hexadecimal.
const HASH_BYTES: usize = 65;

/// The escaped form of a user's name: one path component.
pub(crate) fn user_component(name: &str) -> String {
    escape(name, COMPONENT_BYTES_MAX)
}

/// The component of a relation's directory, `<schema>.<table>` with both halves escaped.
///
/// A name with no dot or several cannot be split without doubt (`a.b` + `c` or `a` + `b.c`), so
/// it is escaped whole and carries the relation's id.
pub(crate) fn relation_component(directory: &str, relation: RelationId) -> String {
    match directory.split_once('.') {
        Some((schema, table)) if !table.contains('.') => {
            format!("{}.{}", escape(schema, HALF_BYTES_MAX), escape(table, HALF_BYTES_MAX))
        }
        _ => format!("{}~{}", escape(directory, COMPONENT_BYTES_MAX - 11), relation.0),
    }
}

/// `batch-000001.parquet`.
pub(crate) fn segment_name(number: u64) -> String {
    format!("batch-{number:06}.parquet")
}

/// The number in a segment's file name, `None` for other files.
pub(crate) fn segment_number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("batch-")?.strip_suffix(".parquet")?;
    if digits.len() < 6 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

fn escape(name: &str, max: usize) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => out.push(char::from(byte)),
            _ => _ = write!(out, "%{byte:02X}"),
        }
    }
    if out.is_empty() {
        // A lone `%` is not the escape of anything.
        out.push('%');
    }
    if out.len() <= max {
        return out;
    }
    let mut cut = max - HASH_BYTES;
    // An escape is not cut in half, so that the readable part stays readable.
    for back in 1..=2 {
        if out.as_bytes()[cut - back] == b'%' {
            cut -= back;
            break;
        }
    }
    out.truncate(cut);
    out.push('~');
    for byte in Sha256::digest(name.as_bytes()) {
        _ = write!(out, "{byte:02x}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn component_is_safe(component: &str) {
        assert!(!component.is_empty() && component.len() <= 255, "{component}");
        assert!(component != "." && component != "..", "{component}");
        assert!(!component.contains('/') && !component.contains('\\') && !component.contains('\0'));
        assert!(!component.starts_with('.'), "{component}");
        assert!(object_store::path::Path::parse(component).is_ok(), "{component}");
    }

    #[test]
    fn names_stay_in_their_place() {
        for name in ["", ".", "..", "/", "../x", "a/b", "\0", "A", "a", "é", "e\u{301}", "%41"] {
            component_is_safe(&user_component(name));
            component_is_safe(&relation_component(name, RelationId(7)));
            component_is_safe(&relation_component(&format!("{name}.{name}"), RelationId(7)));
        }
        assert_eq!(user_component("alice"), "alice");
        assert_eq!(user_component("Alice"), "%41lice");
        assert_eq!(relation_component("public.messages", RelationId(1)), "public.messages");
        assert_eq!(segment_number(&segment_name(12)), Some(12));
        assert_eq!(segment_number(&segment_name(12_345_678)), Some(12_345_678));
        assert_eq!(segment_number("batch-1.parquet"), None);
    }

    #[test]
    fn long_names_differ() {
        let long = "x".repeat(4096);
        let other = format!("{}y", "x".repeat(4095));
        component_is_safe(&user_component(&long));
        assert_ne!(user_component(&long), user_component(&other));
        let table = relation_component(&format!("{long}.{other}"), RelationId(1));
        component_is_safe(&table);
        assert_ne!(table, relation_component(&format!("{other}.{long}"), RelationId(1)));
    }

    proptest! {
        #[test]
        fn two_names_never_share_a_directory(a in any::<String>(), b in any::<String>()) {
            component_is_safe(&user_component(&a));
            // Case-folding file systems must keep them apart as well.
            let same = user_component(&a).eq_ignore_ascii_case(&user_component(&b));
            prop_assert_eq!(same, a == b);
            let (ra, rb) = (RelationId(1), RelationId(2));
            let ta = relation_component(&a, ra);
            component_is_safe(&ta);
            if a != b {
                prop_assert_ne!(ta, relation_component(&b, rb));
            }
        }

        #[test]
        fn unusual_names_too(a in "[.%~/a-cA-C]{0,6}", b in "[.%~/a-cA-C]{0,6}") {
            let same = user_component(&a).eq_ignore_ascii_case(&user_component(&b));
            prop_assert_eq!(same, a == b);
            if a != b {
                let (ta, tb) = (relation_component(&a, RelationId(1)), relation_component(&b, RelationId(2)));
                prop_assert!(!ta.eq_ignore_ascii_case(&tb));
            }
        }
    }
}

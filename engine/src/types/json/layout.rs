//! PostgreSQL's binary form of a document (jsonb.h), as far as it shows: how large it is, and where
//! in it an object is, which is what `.keyvalue()` of jsonpath tells objects apart by.

use super::Json;
use crate::types::numeric::Numeric;

/// Between the ids of one document's objects and the next one's.
const IDS_PER_DOCUMENT: u64 = 10_000_000_000;
/// A container's header, and the entry of each key, value or element.
const WORD: u64 = 4;

/// Bytes of a document: its length, then the container.
pub(crate) fn jsonb_bytes(document: &Json) -> u64 {
    let mut walk = Walk { target: &Json::Null, at: 0 };
    match document {
        Json::Array(_) | Json::Object(_) => walk.container(document),
        // A scalar is the only element of an array made for it.
        scalar => {
            walk.at = 2 * WORD;
            walk.value(scalar)
        }
    };
    WORD + walk.at
}

/// The id of an object inside the document or the variables.
pub(crate) fn object_id(object: &Json, document: &Json, variables: &Json) -> Option<u64> {
    let find = |root: &Json| {
        let mut walk = Walk { target: object, at: 0 };
        walk.container(root)
    };
    find(document).or_else(|| find(variables).map(|at| at + IDS_PER_DOCUMENT))
}

struct Walk<'j> {
    target: &'j Json,
    /// Bytes from the start of the outermost container.
    at: u64,
}

impl Walk<'_> {
    fn align(&mut self) {
        self.at = self.at.next_multiple_of(WORD);
    }

    /// Passes a container, or says where the target in it starts.
    fn container(&mut self, value: &Json) -> Option<u64> {
        self.align();
        if std::ptr::eq(value, self.target) {
            return Some(self.at);
        }
        match value {
            Json::Object(members) => {
                self.at += WORD + 2 * WORD * members.len() as u64;
                self.at += members.iter().map(|(key, _)| key.len() as u64).sum::<u64>();
                members.iter().find_map(|(_, value)| self.value(value))
            }
            Json::Array(items) => {
                self.at += WORD + WORD * items.len() as u64;
                items.iter().find_map(|item| self.value(item))
            }
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => None,
        }
    }

    fn value(&mut self, value: &Json) -> Option<u64> {
        match value {
            Json::Null | Json::Bool(_) => None,
            Json::String(text) => {
                self.at += text.len() as u64;
                None
            }
            Json::Number(text) => {
                self.align();
                self.at += Numeric::parse(text).map_or(0, |number| number.varlena_bytes());
                None
            }
            Json::Array(_) | Json::Object(_) => self.container(value),
        }
    }
}

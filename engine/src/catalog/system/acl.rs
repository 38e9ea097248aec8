//! Access control lists as text.

use super::rows::Cell;
use crate::{
    catalog::{
        Grant,
        part::{CatalogView, quote_identifier},
    },
    types::Oid,
};

/// `aclitem[]`: NULL where nothing was ever granted.
pub(super) fn items(view: &CatalogView, grants: Option<&Vec<Grant>>) -> Cell {
    let Some(grants) = grants else { return Cell::Null };
    let name = |oid: Oid| match oid {
        Oid(0) => String::new(),
        oid => quote_identifier(&view.role_name(oid)),
    };
    let texts: Vec<String> = grants
        .iter()
        .map(|grant| {
            format!("{}={}/{}", name(grant.grantee), grant.privileges, name(grant.grantor))
        })
        .collect();
    Cell::Texts(texts)
}

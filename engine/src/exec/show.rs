//! SHOW.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};

use crate::{
    analyze::OutputColumn,
    error::Result,
    exec::returning::output_schema,
    session::{Portal, Session, Started, Tag},
    settings::{self, SETTINGS},
    statement::Name,
    types::{Oid, PgType},
};

fn text_columns(names: &[&str]) -> Arc<[OutputColumn]> {
    let ty = PgType::plain(Oid::TEXT);
    names
        .iter()
        .map(|name| OutputColumn { name: (*name).to_owned(), ty, table: Oid(0), attnum: 0 })
        .collect()
}

/// The columns of SHOW.
pub(crate) fn output(session: &Session, name: &Name) -> Result<Arc<[OutputColumn]>> {
    Ok(match name {
        Name::All => text_columns(&["name", "setting", "description"]),
        Name::One(name) => {
            let name = settings::canonical(name)?;
            session.state.show(&name)?;
            let spelling = settings::definition(&name).map_or(name.as_str(), |d| d.spelling);
            text_columns(&[spelling])
        }
    })
}

/// Runs SHOW.
pub(crate) fn run(session: &mut Session, name: &Name, portal: &mut Portal) -> Result<Started> {
    let output = output(session, name)?;
    let mut columns: Vec<Vec<String>> = vec![Vec::new(); output.len()];
    match name {
        Name::One(name) => columns[0].push(session.state.show(name)?),
        Name::All => {
            for definition in SETTINGS {
                columns[0].push(definition.spelling.to_owned());
                columns[1].push(session.state.show(definition.name)?);
                columns[2].push(definition.description.to_owned());
            }
        }
    }
    let columns = columns.into_iter().map(|c| Arc::new(StringArray::from(c)) as ArrayRef).collect();
    let batch = RecordBatch::try_new(output_schema(&output)?, columns)?;
    portal.tag = Tag::new("SHOW");
    Ok(portal.ready([batch]))
}

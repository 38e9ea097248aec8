//! TRUNCATE: the rows of the own namespace (of a shared table: all rows).

use super::{DdlContext, change, grammar::Truncate, names, rows, sequence};
use crate::{catalog::RelationBody, error::Result};

pub(super) async fn run(truncate: &Truncate, ctx: &mut dyn DdlContext) -> Result<String> {
    for name in &truncate.names {
        let relation = names::relation(ctx, name)?;
        names::check_table(&relation)?;
        ctx.view().check_relation(&relation, "D")?;
        let namespace = change::own_namespace(ctx, &relation);
        ctx.lock_rows(&relation).await?;
        let layout = rows::layout_of(&relation)?;
        ctx.changes().1.truncate(&namespace, &layout);
        if truncate.restart_identity {
            for owned in sequence::owned_sequences(&ctx.view(), relation.oid, None) {
                if let RelationBody::Sequence(parameters) = &owned.body {
                    let start = parameters.start;
                    sequence::set(ctx, &owned, start);
                }
            }
        }
    }
    Ok("TRUNCATE TABLE".to_owned())
}

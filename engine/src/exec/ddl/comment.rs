//! COMMENT ON.

use super::{
    DdlContext, change,
    grammar::{Comment, CommentObject, RelationWord},
    names,
};
use crate::{
    catalog::{Class, Description, store::Place},
    error::{Error, Result},
    types::Oid,
};

pub(super) async fn run(comment: &Comment, ctx: &mut dyn DdlContext) -> Result<String> {
    let text = comment.text.clone().unwrap_or_default();
    let tag = || Ok("COMMENT".to_owned());
    let (class, oid, sub) = match &comment.object {
        CommentObject::Refused(message) => {
            return Err(Error::feature_not_supported(message.clone()));
        }
        CommentObject::Role(name) => {
            let view = ctx.view();
            let role = view.role_by_name(name).ok_or_else(|| Error::undefined_role(name))?;
            if !view.cluster.is_admin_of(view.role, role.oid) {
                let what = format!("role \"{name}\"");
                return Err(Error::insufficient_privilege(&what));
            }
            cluster(ctx, Class::Role, role.oid, text).await?;
            return tag();
        }
        CommentObject::Database(name) => {
            let view = ctx.view();
            let database = view
                .cluster
                .database_by_name(name)
                .ok_or_else(|| Error::undefined_database(name))?;
            if !view.is_owner(database.owner) {
                return Err(Error::must_be_owner(&format!("database {name}")));
            }
            let oid = database.oid;
            cluster(ctx, Class::Database, oid, text).await?;
            return tag();
        }
        object => find(ctx, object)?,
    };
    change::lock(ctx, Place::of(oid)).await?;
    let description = Description { class, oid, sub, text };
    change::write(ctx, |writer| writer.put_description(&description))?;
    tag()
}

async fn cluster(ctx: &mut dyn DdlContext, class: Class, oid: Oid, text: String) -> Result<()> {
    ctx.lock_catalog(crate::catalog::store::CLUSTER_NAMESPACE).await?;
    let description = Description { class, oid, sub: 0, text };
    change::write(ctx, |writer| writer.put_cluster_description(&description))
}

fn find(ctx: &dyn DdlContext, object: &CommentObject) -> Result<(Class, Oid, i32)> {
    let view = ctx.view();
    match object {
        CommentObject::Relation { word: RelationWord::Index, name } => {
            let (table, index) = names::index(ctx, name)?;
            if !view.is_owner(table.owner) {
                return Err(Error::must_be_owner(&format!("index {}", index.name)));
            }
            Ok((Class::Relation, index.oid, 0))
        }
        CommentObject::Relation { word, name } => {
            let relation = names::relation(ctx, name)?;
            names::check_word(&relation, *word)?;
            if *word == RelationWord::Table {
                names::check_table(&relation)?;
            }
            view.check_owner(&relation)?;
            Ok((Class::Relation, relation.oid, 0))
        }
        CommentObject::Column { relation, column } => {
            let relation = names::relation(ctx, relation)?;
            view.check_owner(&relation)?;
            let attnum = names::require_attnum(&relation, column)?;
            Ok((Class::Relation, relation.oid, i32::from(attnum)))
        }
        CommentObject::Constraint { name, relation } => {
            let relation = names::relation(ctx, relation)?;
            view.check_owner(&relation)?;
            let found = relation.constraints().iter().find(|constraint| constraint.name == *name);
            let constraint = found.ok_or_else(|| {
                Error::new(
                    crate::error::SqlState::UNDEFINED_OBJECT,
                    format!("constraint \"{name}\" for table \"{}\" does not exist", relation.name),
                )
            })?;
            Ok((Class::Constraint, constraint.oid, 0))
        }
        CommentObject::Schema(name) => {
            let schema = view.schema(name)?;
            if !view.is_owner(schema.owner) {
                return Err(Error::must_be_owner(&format!("schema {name}")));
            }
            Ok((Class::Schema, schema.oid, 0))
        }
        CommentObject::Role(_) | CommentObject::Database(_) | CommentObject::Refused(_) => {
            Err(Error::internal("handled by the caller"))
        }
    }
}

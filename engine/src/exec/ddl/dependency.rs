//! Who needs whom: what DROP must ask before it drops.
//!
//! Dependencies aren't stored. They follow from the definitions: a view names relations in its
//! query (sequences in calls as well), a default names sequences, a sequence belongs to a column, an index to its table. Only
//! objects of the same part count: what a role keeps in private never shows, nor does it hold
//! back what others drop.

use std::{collections::HashSet, ops::ControlFlow, sync::Arc};

use datafusion::sql::sqlparser::{
    ast::{self, visit_expressions, visit_relations},
    parser::Parser,
};

use super::expression;
use crate::statement::POSTGRES;
use crate::{
    catalog::{
        Relation, RelationBody, TableKind,
        layout::attribute_place,
        part::{CatalogView, Part},
        store::Place,
    },
    error::{Error, Result},
    types::Oid,
};

/// The part an object lives in.
pub(super) fn part_of(view: &CatalogView, oid: Oid) -> &Arc<Part> {
    match Place::of(oid) {
        Place::Shared => &view.shared,
        Place::Private => &view.private,
    }
}

/// Views whose query names `relation`.
pub(super) fn views_on(view: &CatalogView, relation: Oid) -> Vec<Arc<Relation>> {
    let mut found: Vec<_> = part_of(view, relation)
        .relations()
        .filter(|candidate| relations_of_view(view, candidate).contains(&relation))
        .cloned()
        .collect();
    found.sort_by_key(|relation| relation.oid);
    found
}

/// Views that name a column of `relation`, or might.
pub(super) fn views_on_column(
    view: &CatalogView,
    relation: Oid,
    column: &str,
) -> Vec<Arc<Relation>> {
    let mut found = views_on(view, relation);
    found.retain(|candidate| match &candidate.body {
        RelationBody::View { query, .. } => {
            parse_query(query).is_ok_and(|query| names_column(&query, column))
        }
        RelationBody::Table { .. } | RelationBody::Sequence(_) | RelationBody::System => false,
    });
    found
}

fn names_column(query: &ast::Query, column: &str) -> bool {
    visit_expressions(query, |expression| {
        let last = match expression {
            ast::Expr::Identifier(ident) => Some(ident),
            ast::Expr::CompoundIdentifier(parts) => parts.last(),
            _ => None,
        };
        match last {
            Some(ident) if ident.value == column => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    })
    .is_break()
}

/// What a view's query names.
pub(super) fn relations_of_view(view: &CatalogView, relation: &Relation) -> Vec<Oid> {
    let RelationBody::View { query, search_path } = &relation.body else { return Vec::new() };
    match parse_query(query) {
        Ok(query) => relations_of(view, &query, search_path),
        Err(_) => Vec::new(),
    }
}

/// What a query names, seen along a path as views keep it.
pub(super) fn relations_of(view: &CatalogView, query: &ast::Query, path: &[String]) -> Vec<Oid> {
    let ctes = cte_names(query);
    let mut found = Vec::new();
    let _ = visit_relations(query, |name| {
        let parts: Vec<String> = name
            .0
            .iter()
            .filter_map(|part| part.as_ident())
            .map(|ident| match ident.quote_style {
                Some(_) => ident.value.clone(),
                None => ident.value.to_lowercase(),
            })
            .collect();
        let (schema, name) = match parts.as_slice() {
            [name] if ctes.contains(name) => return ControlFlow::Continue(()),
            [name] => (None, name),
            [.., schema, name] => (Some(schema.as_str()), name),
            [] => return ControlFlow::Continue(()),
        };
        if let Some(relation) = view.find_stored(schema, name, path)
            && !found.contains(&relation.oid)
        {
            found.push(relation.oid);
        }
        ControlFlow::<()>::Continue(())
    });
    let _ = visit_expressions(query, |inner| {
        if let Some(text) = expression::named_relation(inner)
            && let Some(relation) = relation_named(view, &text, path)
            && !found.contains(&relation.oid)
        {
            found.push(relation.oid);
        }
        ControlFlow::<()>::Continue(())
    });
    found
}

/// What a constant of type regclass names; those of kept queries are numbers.
fn relation_named(view: &CatalogView, text: &str, path: &[String]) -> Option<Arc<Relation>> {
    if let Ok(number) = text.parse() {
        return view.relation_by_oid(Oid(number));
    }
    let (schema, name) = crate::catalog::regnames::split(text).ok()?;
    view.find_relation(schema.as_deref(), &name, path)
}

fn cte_names(query: &ast::Query) -> HashSet<String> {
    use datafusion::sql::sqlparser::ast::{Visit, Visitor};
    struct Ctes(HashSet<String>);
    impl Visitor for Ctes {
        type Break = ();

        fn pre_visit_query(&mut self, query: &ast::Query) -> ControlFlow<()> {
            for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
                let ident = &cte.alias.name;
                self.0.insert(match ident.quote_style {
                    Some(_) => ident.value.clone(),
                    None => ident.value.to_lowercase(),
                });
            }
            ControlFlow::Continue(())
        }
    }
    let mut ctes = Ctes(HashSet::new());
    let _ = query.visit(&mut ctes);
    ctes.0
}

/// Parses the query of a view.
pub(super) fn parse_query(text: &str) -> Result<Box<ast::Query>> {
    Parser::new(&POSTGRES)
        .try_with_sql(text)
        .and_then(|mut parser| parser.parse_query())
        .map_err(|error| Error::internal(format!("a view's query: {error}")))
}

/// Columns whose default names a relation: `(table, attnum)`.
pub(super) fn defaults_on(view: &CatalogView, named: Oid) -> Vec<(Arc<Relation>, i16)> {
    let mut found = Vec::new();
    for relation in part_of(view, named).relations() {
        for (attnum, column) in relation.live_columns() {
            let Some(default) = &column.default else { continue };
            if expression::sequences(default).contains(&named) {
                found.push((Arc::clone(relation), attnum));
            }
        }
    }
    found.sort_by_key(|(relation, attnum)| (relation.oid, *attnum));
    found
}

/// Generated columns that name a column of their own table.
pub(super) fn generated_from(relation: &Relation, attnum: i16) -> Vec<i16> {
    relation
        .live_columns()
        .filter(|(_, column)| column.generated)
        .filter(|(_, column)| {
            let text = column.default.as_deref().unwrap_or_default();
            expression::columns_of_text(relation, text).contains(&attnum)
        })
        .map(|(number, _)| number)
        .collect()
}

/// `table t`, `view s.v`, as PostgreSQL describes objects in details.
pub(super) fn describe(view: &CatalogView, relation: &Relation, path: &[String]) -> String {
    format!("{} {}", relation.kind_word(), view.display_name(relation, path))
}

/// `column a of table t`.
pub(super) fn describe_column(
    view: &CatalogView,
    relation: &Relation,
    attnum: i16,
    path: &[String],
) -> String {
    let column = &relation.columns[attribute_place(attnum)].name;
    format!("column {column} of {}", describe(view, relation, path))
}

/// 42P16 where something for all would depend on what only one role sees.
pub(super) fn check_seen_by_all(view: &CatalogView, relations: &[Oid]) -> Result<()> {
    for oid in relations {
        if let Some(relation) = view.relation_by_oid(*oid)
            && relation.kind == TableKind::Private
        {
            return Err(Error::new(
                crate::error::SqlState::INVALID_OBJECT_DEFINITION,
                format!(
                    "relation \"{}\" is private: what is for all can't depend on it",
                    relation.name
                ),
            ));
        }
    }
    Ok(())
}

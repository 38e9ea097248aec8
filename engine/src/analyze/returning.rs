//! RETURNING, and what INSERT, UPDATE and DELETE have in common.

use std::sync::Arc;

use datafusion::{
    arrow::datatypes::Field,
    common::{Column, TableReference},
    logical_expr::{Expr, expr::ScalarFunction},
    prelude::lit,
    scalar::ScalarValue,
    sql::sqlparser::ast,
};

use super::{
    OutputColumn, ReturningList,
    binder::{Binder, Rowset, Typed},
    expression::Clause,
    lower::Below,
    names::{At, column_name, fold},
    raised::Raised,
    scope::{FromItem, Scope, ScopeColumn, ScopeTable},
    subquery::{has_subquery, outer_references},
};
use crate::{
    catalog::{Identity, Relation, RelationBody, part::Named},
    error::{Error, Result, SqlState},
    functions::session::{sequence::IDENTITY_VALUE, session_function},
    types::{Oid, PgType},
};

/// RETURNING with subqueries: a query over the rows that the change leaves in a slot.
pub(super) struct Returned {
    pub(super) slot: usize,
    pub(super) rows: Rowset,
}

impl Binder<'_> {
    /// RETURNING over the columns of `item`. With subqueries it is a query over the change's rows,
    /// left in [`Binder::returned`], and the change itself returns what the query reads.
    pub(super) fn bind_returning(
        &mut self,
        returning: Option<&Vec<ast::SelectItem>>,
        item: &FromItem,
    ) -> Result<Option<ReturningList>> {
        let Some(list) = returning else { return Ok(None) };
        let outputs = self.returning_list(list, item)?;
        if !outputs.iter().any(|(expr, _)| has_subquery(expr)) {
            return Ok(Some(outputs));
        }
        let mut read: ReturningList = Vec::new();
        for column in item.columns.iter().chain(item.tables.iter().flat_map(|t| &t.columns)) {
            if !read.iter().any(|(expr, _)| *expr == column.expr) {
                let output = OutputColumn {
                    name: column.name.clone(),
                    ty: column.ty,
                    table: column.table,
                    attnum: column.attnum,
                };
                read.push((column.expr.clone(), output));
            }
        }
        let missable = item.tables.iter().filter(|table| table.nullable);
        for Typed { expr, ty } in missable.filter_map(ScopeTable::presence) {
            let output = OutputColumn { name: String::new(), ty, table: Oid::INVALID, attnum: 0 };
            read.push((expr, output));
        }
        let slot = self.fresh_slot();
        let rows = self.over_returned(list, item, &read, slot)?;
        self.returned = Some(Returned { slot, rows });
        Ok(Some(read))
    }

    /// The list as a query over a slot with the columns of `read`.
    fn over_returned(
        &mut self,
        list: &[ast::SelectItem],
        item: &FromItem,
        read: &ReturningList,
        slot: usize,
    ) -> Result<Rowset> {
        let fields = read
            .iter()
            .enumerate()
            .map(|(i, (_, column))| Ok(Field::new(format!("s{i}"), column.ty.arrow()?, true)))
            .collect::<Result<Vec<Field>>>()?;
        let (plan, qualifier) = self.slot_scan(slot, fields)?;
        let read_again = |wanted: &Expr| {
            let place = read.iter().position(|(expr, _)| expr == wanted).unwrap_or_default();
            let table = TableReference::bare(qualifier.clone());
            Expr::Column(Column::new(Some(table), format!("s{place}")))
        };
        let in_slot =
            |column: &ScopeColumn| ScopeColumn { expr: read_again(&column.expr), ..column.clone() };
        let presence = |table: &ScopeTable| {
            let known = table.presence().filter(|_| table.nullable)?;
            Some(Typed::new(read_again(&known.expr), known.ty))
        };
        let table = |table: &ScopeTable| ScopeTable {
            columns: table.columns.iter().map(in_slot).collect(),
            base: None,
            presence: presence(table),
            ..table.clone()
        };
        let rows = FromItem {
            plan: plan.clone(),
            tables: item.tables.iter().map(table).collect(),
            columns: item.columns.iter().map(in_slot).collect(),
        };
        let (exprs, outputs): (Vec<Expr>, Vec<OutputColumn>) =
            self.returning_list(list, &rows)?.into_iter().unzip();
        let (plan, exprs) = self.place(plan, exprs, Below::Project)?;
        self.project_outputs(plan, exprs.into_iter().zip(outputs).collect())
    }

    fn returning_list(
        &mut self,
        list: &[ast::SelectItem],
        item: &FromItem,
    ) -> Result<ReturningList> {
        let raised = Raised::of(Clause::Returning);
        let scope = Scope { raised: Some(&raised), ..Scope::of(item, None) };
        let mut outputs = Vec::with_capacity(list.len());
        for entry in list {
            let (expr, alias) = match entry {
                ast::SelectItem::UnnamedExpr(expr) => (expr, None),
                ast::SelectItem::ExprWithAlias { expr, alias } => (expr, Some(fold(alias))),
                star => {
                    for column in self.expand_star(star, item, &scope)? {
                        let output = OutputColumn {
                            name: column.name,
                            ty: column.ty,
                            table: column.table,
                            attnum: column.attnum,
                        };
                        outputs.push((column.expr, output));
                    }
                    continue;
                }
            };
            let typed = self.expression(expr, &scope, Clause::Returning)?;
            let typed = self.resolve_unknown(typed)?;
            let from = item
                .columns
                .iter()
                .chain(item.tables.iter().flat_map(|table| &table.columns))
                .find(|column| column.expr == typed.expr);
            let (table, attnum) =
                from.map_or((Oid::INVALID, 0), |column| (column.table, column.attnum));
            let name = alias.unwrap_or_else(|| column_name(expr));
            outputs.push((typed.expr, OutputColumn { name, ty: typed.ty, table, attnum }));
        }
        Ok(outputs)
    }

    /// The table that a change is about.
    ///
    /// # Errors
    /// 42809 and 55000 for relations that rows can't be changed in.
    pub(super) fn target(&mut self, name: &ast::ObjectName, word: &str) -> Result<Arc<Relation>> {
        let place = self.places.start(name);
        let relation = self.named_relation(name).map_err(|error| self.or_index(name, error))?;
        match &relation.body {
            RelationBody::Table { .. } => Ok(relation),
            RelationBody::View { .. } => {
                let verb = match word {
                    "INSERT" => "insert into",
                    "UPDATE" => "update",
                    _ => "delete from",
                };
                Err(Error::object_not_in_prerequisite_state(format!(
                    "cannot {verb} view \"{}\"",
                    relation.name
                ))
                .at_place(place))
            }
            RelationBody::Sequence(_) => Err(Error::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("cannot change sequence \"{}\"", relation.name),
            )
            .at_place(place)),
            RelationBody::System => {
                Err(Error::insufficient_privilege(&format!("table {}", relation.name)))
            }
        }
    }

    /// Remembers that a change reads its target where `exprs` have columns of it, which take
    /// SELECT: those of the scan `qualifier`, `a<attnum>` and `n<attnum>` without a qualifier.
    pub(super) fn note_read<'e>(
        &mut self,
        target: &Arc<Relation>,
        qualifier: Option<&str>,
        exprs: impl IntoIterator<Item = &'e Expr>,
    ) {
        let is_ours = |column: &Column| match &column.relation {
            Some(table) => qualifier == Some(table.table()),
            None => column.name.starts_with(['a', 'n']),
        };
        let reads = |expr: &Expr| {
            expr.column_refs().into_iter().any(is_ours)
                || outer_references(expr).iter().any(is_ours)
        };
        if exprs.into_iter().any(reads) {
            self.note_relation(target);
        }
    }

    /// 42809 in the place of 42P01 where the name is an index's.
    fn or_index(&self, name: &ast::ObjectName, error: Error) -> Error {
        let Ok((schema, table)) = super::names::schema_and_name(name, self.env.database_name)
        else {
            return error;
        };
        let named = self.env.catalog.find_named(schema.as_deref(), &table, &self.search_path);
        match named {
            Some(Named::Index { .. }) if error.sqlstate == SqlState::UNDEFINED_TABLE => {
                Error::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{table}\" is an index"))
            }
            _ => error,
        }
    }

    /// The live column with a name: attribute number and place among the live columns.
    pub(super) fn target_column(
        &self,
        relation: &Relation,
        ident: &ast::Ident,
    ) -> Result<(i16, usize)> {
        let name = fold(ident);
        relation
            .live_columns()
            .enumerate()
            .find(|(_, (_, column))| column.name == name && !column.hidden)
            .map(|(index, (attnum, _))| (attnum, index))
            .ok_or_else(|| {
                Error::undefined_column_of(&name, &relation.name)
                    .at_place(self.places.span(ident.span))
            })
    }

    /// See [`super::column_default`].
    pub(super) fn column_default(&mut self, relation: &Arc<Relation>, attnum: i16) -> Result<Expr> {
        let attribute = relation
            .live_columns()
            .find(|(number, _)| *number == attnum)
            .map(|(_, attribute)| attribute)
            .ok_or_else(|| Error::internal("the default of a dropped column"))?;
        if attribute.generated {
            return null_of(attribute.ty);
        }
        if attribute.identity != Identity::No {
            return self.identity_value(relation, attnum, &attribute.name, attribute.ty);
        }
        let Some(text) = &attribute.default else { return null_of(attribute.ty) };
        let tree = super::parse_expression(text)?;
        let (name, ty) = (attribute.name.clone(), attribute.ty);
        let path = self.search_path.clone();
        let expr = self.in_view(None, &path, |binder| {
            let typed = binder.expression(&tree, &Scope::empty(None), Clause::Standalone)?;
            binder.assign(typed, &name, ty, None)
        })?;
        Ok(expr)
    }

    /// The next value of the sequence behind an identity column.
    fn identity_value(
        &mut self,
        relation: &Arc<Relation>,
        attnum: i16,
        column: &str,
        ty: PgType,
    ) -> Result<Expr> {
        let owner = Some((relation.oid, attnum));
        let sequence = self
            .env
            .catalog
            .relations()
            .find(|other| match &other.body {
                RelationBody::Sequence(sequence) => sequence.owned_by == owner,
                _ => false,
            })
            .map(|sequence| sequence.oid)
            .ok_or_else(|| {
                Error::internal(format!("identity column \"{column}\" has lost its sequence"))
            })?;
        let oid = lit(ScalarValue::UInt32(Some(sequence.0)));
        let (regclass, int8) = (PgType::plain(Oid::REGCLASS), PgType::plain(Oid::INT8));
        let next = session_function(IDENTITY_VALUE, &[regclass], int8)
            .ok_or_else(|| Error::internal("identity columns have no function"))?;
        let value = Expr::ScalarFunction(ScalarFunction::new_udf(next, vec![oid]));
        self.assign(Typed::new(value, int8), column, ty, None)
    }
}

impl Binder<'_> {
    /// `SET ...`: (attribute number, index among the live columns, new value) in the order written.
    pub(super) fn bind_assignments(
        &mut self,
        target: &Arc<Relation>,
        assignments: &[ast::Assignment],
        scope: &Scope<'_>,
    ) -> Result<Vec<(i16, usize, Expr)>> {
        let mut bound: Vec<(i16, usize, Expr)> = Vec::new();
        for assignment in assignments {
            let (columns, values): (Vec<&ast::ObjectName>, Vec<Assigned<'_>>) =
                match &assignment.target {
                    ast::AssignmentTarget::ColumnName(name) => {
                        (vec![name], vec![Assigned::Tree(&assignment.value)])
                    }
                    ast::AssignmentTarget::Tuple(names) => {
                        let values = self.assigned_row(names.len(), &assignment.value, scope)?;
                        (names.iter().collect(), values)
                    }
                };
            for (name, value) in columns.into_iter().zip(values) {
                let (attnum, index, expr) = self.bind_assignment(target, name, value, scope)?;
                if bound.iter().any(|(known, ..)| *known == attnum) {
                    let column = super::names::parts(name)?.pop().unwrap_or_default();
                    return Err(Error::syntax_error(format!(
                        "multiple assignments to same column \"{column}\""
                    ))
                    .at_place(self.places.start(name)));
                }
                bound.push((attnum, index, expr));
            }
        }
        Ok(bound)
    }

    /// The values of `SET (a, b) = ...`.
    fn assigned_row<'e>(
        &mut self,
        wanted: usize,
        value: &'e ast::Expr,
        scope: &Scope<'_>,
    ) -> Result<Vec<Assigned<'e>>> {
        let place = self.places.start(value);
        let mut inner = value;
        while let ast::Expr::Nested(next) = inner {
            inner = next;
        }
        let values: Vec<Assigned<'e>> = match super::operators::row_members(inner) {
            Some(members) => members.into_iter().map(Assigned::Tree).collect(),
            None => match inner {
                ast::Expr::Subquery(query) => {
                    self.row_subquery(query, scope)?.into_iter().map(Assigned::Value).collect()
                }
                // (a) = (1)
                other if wanted == 1 => vec![Assigned::Tree(other)],
                _ => {
                    return Err(Error::feature_not_supported(
                        "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() \
                         expression",
                    )
                    .at_place(place));
                }
            },
        };
        if values.len() != wanted {
            return Err(Error::syntax_error("number of columns does not match number of values")
                .at_place(place));
        }
        Ok(values)
    }

    fn bind_assignment(
        &mut self,
        target: &Arc<Relation>,
        name: &ast::ObjectName,
        value: Assigned<'_>,
        scope: &Scope<'_>,
    ) -> Result<(i16, usize, Expr)> {
        let place = self.places.start(name);
        let [ast::ObjectNamePart::Identifier(ident)] = name.0.as_slice() else {
            let column = super::names::parts(name)?.remove(0);
            return Err(Error::undefined_column_of(&column, &target.name).at_place(place));
        };
        let (attnum, index) = self.target_column(target, ident)?;
        if let Assigned::Tree(tree) = value
            && is_default(tree)
        {
            return Ok((attnum, index, self.column_default(target, attnum)?));
        }
        let (_, attribute) =
            target.live_columns().nth(index).ok_or_else(|| Error::internal("a column got lost"))?;
        if let Some(detail) = refuses_values(target, attnum) {
            return Err(generated_always("update", &attribute.name, &detail).at_place(place));
        }
        let (typed, value_place) = match value {
            Assigned::Tree(tree) => {
                (self.expression(tree, scope, Clause::Set)?, self.places.start(tree))
            }
            Assigned::Value(typed) => (typed, place),
        };
        let expr = self.assign(typed, &attribute.name, attribute.ty, value_place)?;
        Ok((attnum, index, expr))
    }
}

/// What is assigned: not analysed yet, or a column of a subquery.
enum Assigned<'e> {
    Tree(&'e ast::Expr),
    Value(Typed),
}

/// NULL of a type.
pub(super) fn null_of(ty: PgType) -> Result<Expr> {
    Ok(Expr::Literal(ScalarValue::try_from(&ty.arrow()?)?, None))
}

/// Whether an expression is the word DEFAULT.
pub(super) fn is_default(expr: &ast::Expr) -> bool {
    matches!(expr, ast::Expr::Identifier(ident)
        if ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("default"))
}

/// 428C9: only DEFAULT may be given.
pub(super) fn generated_always(verb: &str, column: &str, detail: &str) -> Error {
    let message = match verb {
        "insert" => format!("cannot insert a non-DEFAULT value into column \"{column}\""),
        _ => format!("column \"{column}\" can only be updated to DEFAULT"),
    };
    Error::new(SqlState::GENERATED_ALWAYS, message).with_detail(detail)
}

/// Why a column takes no value.
pub(super) fn refuses_values(relation: &Relation, attnum: i16) -> Option<String> {
    let (_, column) = relation.live_columns().find(|(number, _)| *number == attnum)?;
    if column.generated {
        Some(format!("Column \"{}\" is a generated column.", column.name))
    } else if column.identity == Identity::Always {
        Some(format!(
            "Column \"{}\" is an identity column defined as GENERATED ALWAYS.",
            column.name
        ))
    } else {
        None
    }
}

//! What names mean inside one SELECT: the columns and tables of its FROM, and those around it.

use std::sync::Arc;

use datafusion::{
    arrow::datatypes::Field,
    common::{Column, TableReference},
    logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder},
};

use super::{OutputColumn, binder::Typed, raised::Raised};
use crate::{
    catalog::Relation,
    error::{Error, Result},
    types::{Oid, PgType},
};

/// A column that an expression may name.
#[derive(Clone, Debug)]
pub(super) struct ScopeColumn {
    pub(super) name: String,
    pub(super) expr: Expr,
    pub(super) ty: PgType,
    pub(super) table: Oid,
    pub(super) attnum: i16,
}

impl ScopeColumn {
    /// A column of the analyser's making called `internal` inside the plan.
    pub(super) fn computed(name: String, internal: &str, ty: PgType) -> Self {
        let expr = Expr::Column(Column::new_unqualified(internal));
        ScopeColumn { name, expr, ty, table: Oid::INVALID, attnum: 0 }
    }
}

/// A table of FROM under the name that qualifies its columns.
#[derive(Clone, Debug)]
pub(super) struct ScopeTable {
    pub(super) alias: String,
    /// The schema, for `schema.table.column`; only without an alias.
    pub(super) schema: Option<String>,
    pub(super) columns: Vec<ScopeColumn>,
    /// A base table, and the qualifier of its scan.
    pub(super) base: Option<(Arc<Relation>, String)>,
    /// Whether the columns are those of a single function: then the table's name is a column.
    pub(super) function: bool,
    /// Whether an outer join may leave its columns NULL.
    pub(super) nullable: bool,
    /// What is NULL where an outer join found no row, for a table without key.
    pub(super) presence: Option<Typed>,
    /// The names of the members of its row, where an alias of a column doesn't change them.
    pub(super) members: Option<Vec<String>>,
    /// A subquery or view: locking its rows would lock those of the tables inside.
    pub(super) locks_inside: bool,
}

impl ScopeTable {
    /// The names of the members of its row.
    pub(super) fn member_names(&self) -> Vec<String> {
        let names = self.columns.iter().map(|column| column.name.clone());
        self.members.clone().unwrap_or_else(|| names.collect())
    }

    /// What is NULL where an outer join found no row: the key that a scan of the table has, or a
    /// column for the purpose.
    pub(super) fn presence(&self) -> Option<Typed> {
        let is_scan = |qualifier: &str| {
            matches!(self.columns.first().map(|column| &column.expr), Some(Expr::Column(column))
                if column.relation.as_ref().is_some_and(|r| r.table() == qualifier))
        };
        match &self.base {
            Some((relation, qualifier)) if relation.layout.is_some() && is_scan(qualifier) => {
                Some(Typed::new(super::update::key_column(qualifier), PgType::BYTEA))
            }
            _ => self.presence.clone(),
        }
    }
}

/// One item of FROM, or all of it: a plan and what its columns are called.
#[derive(Clone, Debug)]
pub(super) struct FromItem {
    pub(super) plan: LogicalPlan,
    pub(super) tables: Vec<ScopeTable>,
    /// What unqualified names and `*` see: merged columns of USING once and first.
    pub(super) columns: Vec<ScopeColumn>,
}

impl FromItem {
    /// The same on the side of an outer join that may be missing, with a column, called `name`
    /// inside, that tells whether a row is there, for the tables whose rows nothing else tells.
    pub(super) fn with_presence(mut self, name: &str) -> Result<Self> {
        for table in &mut self.tables {
            table.nullable = true;
        }
        let lacks = |table: &ScopeTable| !table.function && table.presence().is_none();
        if !self.tables.iter().any(lacks) {
            return Ok(self);
        }
        let here = datafusion::prelude::lit(true).alias(name);
        let (input, mut columns) = match self.plan {
            LogicalPlan::Projection(projection) => (projection.input, projection.expr),
            plan => {
                let columns = plan.schema().columns().into_iter().map(Expr::Column).collect();
                (Arc::new(plan), columns)
            }
        };
        columns.push(here);
        let input = LogicalPlanBuilder::from(Arc::unwrap_or_clone(input));
        self.plan = input.project(columns)?.build()?;
        for table in self.tables.iter_mut().filter(|table| lacks(table)) {
            let column = Expr::Column(Column::new_unqualified(name));
            table.presence = Some(Typed::new(column, PgType::BOOL));
        }
        Ok(self)
    }
}

/// The names visible at one level of a query, and the levels around it.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) tables: &'a [ScopeTable],
    pub(super) columns: &'a [ScopeColumn],
    /// What is there and can't be named from here: what only LATERAL sees. For errors.
    pub(super) hidden: &'a [ScopeTable],
    pub(super) parent: Option<&'a Scope<'a>>,
    /// The aggregates that subqueries compute at this level.
    pub(super) raised: Option<&'a Raised>,
}

impl<'a> Scope<'a> {
    /// No tables, inside `parent`.
    pub(super) fn empty(parent: Option<&'a Scope<'a>>) -> Self {
        Scope { tables: &[], columns: &[], hidden: &[], parent, raised: None }
    }

    /// No tables, inside `parent` and beside tables that can't be named.
    pub(super) fn beside(hidden: &'a [ScopeTable], parent: Option<&'a Scope<'a>>) -> Self {
        Scope { tables: &[], columns: &[], hidden, parent, raised: None }
    }

    pub(super) fn of(item: &'a FromItem, parent: Option<&'a Scope<'a>>) -> Self {
        Scope { tables: &item.tables, columns: &item.columns, hidden: &[], parent, raised: None }
    }

    /// This level and those around it.
    pub(super) fn levels(&self) -> impl Iterator<Item = &Scope<'a>> {
        std::iter::successors(Some(self), |scope| scope.parent)
    }

    /// Whether a column of a plan is one of this level's.
    pub(super) fn owns(&self, column: &Column) -> bool {
        let is_it = |own: &ScopeColumn| matches!(&own.expr, Expr::Column(c) if c == column);
        self.columns.iter().any(is_it)
            || self.tables.iter().any(|table| table.columns.iter().any(is_it))
            || self.raised.is_some_and(|raised| raised.has(column))
    }

    /// The column that an unqualified name means, innermost level first.
    ///
    /// # Errors
    /// 42702 when a level has two of them.
    pub(super) fn column(&self, name: &str) -> Result<Option<ScopeColumn>> {
        let mut level = Some(self);
        let mut depth = 0;
        while let Some(scope) = level {
            let mut found = scope.columns.iter().filter(|column| column.name == name);
            if let Some(first) = found.next() {
                if found.next().is_some() {
                    return Err(Error::ambiguous_column(name));
                }
                return seen_from(first, depth).map(Some);
            }
            if name == "tableoid"
                && let Some(column) = scope.tables.iter().find_map(table_oid)
            {
                return Ok(Some(column));
            }
            level = scope.parent;
            depth += 1;
        }
        Ok(None)
    }

    /// The column that `table.name` or `schema.table.name` means.
    ///
    /// # Errors
    /// 42703 when the table is there and the column isn't, 42P01 when the table isn't.
    pub(super) fn qualified(
        &self,
        schema: Option<&str>,
        table: &str,
        name: &str,
    ) -> Result<ScopeColumn> {
        let Some((entry, depth)) = self.table(schema, table)? else {
            return Err(self.missing_table(table));
        };
        let mut found = entry.columns.iter().filter(|column| column.name == name);
        match found.next() {
            Some(_) if found.next().is_some() => Err(Error::ambiguous_column(name)),
            Some(column) => seen_from(column, depth),
            None if name == "tableoid" => {
                table_oid(entry).ok_or_else(|| Error::undefined_qualified_column(table, name))
            }
            None => Err(Error::undefined_qualified_column(table, name)),
        }
    }

    /// The table with this name and how many levels out it is.
    pub(super) fn table(
        &self,
        schema: Option<&str>,
        name: &str,
    ) -> Result<Option<(&'a ScopeTable, usize)>> {
        let mut level = Some(*self);
        let mut depth = 0;
        while let Some(scope) = level {
            let mut found = scope.tables.iter().filter(|table| {
                table.alias == name && schema.is_none_or(|s| table.schema.as_deref() == Some(s))
            });
            if let Some(first) = found.next() {
                if found.next().is_some() {
                    return Err(Error::new(
                        crate::error::SqlState::AMBIGUOUS_ALIAS,
                        format!("table reference \"{name}\" is ambiguous"),
                    ));
                }
                return Ok(Some((first, depth)));
            }
            level = scope.parent.copied();
            depth += 1;
        }
        Ok(None)
    }

    /// Tables that are there and out of reach, at any level.
    fn out_of_reach(&self) -> impl Iterator<Item = &'a ScopeTable> {
        std::iter::successors(Some(*self), |scope| scope.parent.copied())
            .flat_map(|scope| scope.hidden)
    }

    /// 42P01, with a hint where the table has an alias.
    pub(super) fn missing_table(&self, name: &str) -> Error {
        let hidden = self.out_of_reach().find(|table| {
            let is_base = |(relation, _): &(Arc<Relation>, String)| relation.name == name;
            table.alias == name || table.base.as_ref().is_some_and(is_base)
        });
        if let Some(table) = hidden {
            return Error::new(
                crate::error::SqlState::UNDEFINED_TABLE,
                format!("invalid reference to FROM-clause entry for table \"{name}\""),
            )
            .with_hint(format!(
                "There is an entry for table \"{}\", but it cannot be referenced from this part \
                 of the query.",
                table.alias
            ));
        }
        let aliased = self.tables.iter().find(|table| {
            table.base.as_ref().is_some_and(|(relation, _)| relation.name == name)
                && table.alias != name
        });
        match aliased {
            Some(table) => Error::new(
                crate::error::SqlState::UNDEFINED_TABLE,
                format!("invalid reference to FROM-clause entry for table \"{name}\""),
            )
            .with_hint(format!(
                "Perhaps you meant to reference the table alias \"{}\".",
                table.alias
            )),
            None => Error::missing_from_entry(name),
        }
    }

    /// What 42703 says about an unqualified name, with PostgreSQL's hint where a near one exists.
    pub(super) fn undefined(&self, name: &str) -> Error {
        let error = Error::undefined_column(name);
        let has = |table: &&ScopeTable| table.columns.iter().any(|column| column.name == name);
        if let Some(table) = self.out_of_reach().find(has) {
            return error.with_hint(format!(
                "There is a column named \"{name}\" in table \"{}\", but it cannot be referenced \
                 from this part of the query.",
                table.alias
            ));
        }
        let near = self.tables.iter().flat_map(|table| {
            table.columns.iter().map(move |column| (distance(&column.name, name), table, column))
        });
        let best = near.min_by_key(|(distance, ..)| *distance);
        match best {
            Some((d, table, column)) if d <= 3 && d * 2 <= name.chars().count() => {
                error.with_hint(format!(
                    "Perhaps you meant to reference the column \"{}.{}\".",
                    table.alias, column.name
                ))
            }
            _ => error,
        }
    }
}

/// A column as an expression `depth` levels further in refers to it.
fn seen_from(column: &ScopeColumn, depth: usize) -> Result<ScopeColumn> {
    if depth == 0 {
        return Ok(column.clone());
    }
    Ok(ScopeColumn { expr: outer(column.expr.clone(), column.ty)?, ..column.clone() })
}

/// Turns the columns of an expression into references from inside a subquery. `ty` is the type
/// of the whole expression.
pub(super) fn outer(expr: Expr, ty: PgType) -> Result<Expr> {
    match expr {
        Expr::Column(column) => {
            let field = Arc::new(Field::new(column.name.clone(), ty.arrow()?, true));
            Ok(Expr::OuterReferenceColumn(field, column))
        }
        outer @ (Expr::OuterReferenceColumn(..) | Expr::Literal(..)) => Ok(outer),
        _ => Err(Error::feature_not_supported(
            "a column merged by FULL JOIN ... USING can't be used inside a subquery",
        )),
    }
}

/// `tableoid` is the same for all rows of a table.
fn table_oid(table: &ScopeTable) -> Option<ScopeColumn> {
    let (relation, _) = table.base.as_ref()?;
    Some(ScopeColumn {
        name: "tableoid".to_owned(),
        expr: datafusion::prelude::lit(relation.oid.0),
        ty: PgType::OID,
        table: relation.oid,
        attnum: -6,
    })
}

/// The live columns of a base table as a scan under `qualifier` has them.
pub(crate) fn scan_columns(
    relation: &Relation,
    qualifier: Option<&str>,
) -> Vec<(OutputColumn, Expr)> {
    relation
        .live_columns()
        .map(|(attnum, attribute)| {
            let column = match qualifier {
                Some(qualifier) => {
                    Column::new(Some(TableReference::bare(qualifier)), format!("a{attnum}"))
                }
                None => Column::new_unqualified(format!("a{attnum}")),
            };
            let output = OutputColumn {
                name: attribute.name.clone(),
                ty: attribute.ty,
                table: relation.oid,
                attnum,
            };
            (output, Expr::Column(column))
        })
        .collect()
}

/// Those of [`scan_columns`] that may be named.
pub(super) fn named_columns(relation: &Relation, qualifier: Option<&str>) -> Vec<ScopeColumn> {
    let is_shown =
        |attnum: i16| !relation.columns[crate::catalog::layout::attribute_place(attnum)].hidden;
    scan_columns(relation, qualifier)
        .into_iter()
        .filter(|(output, _)| is_shown(output.attnum))
        .map(ScopeColumn::from)
        .collect()
}

impl From<(OutputColumn, Expr)> for ScopeColumn {
    fn from((output, expr): (OutputColumn, Expr)) -> Self {
        let OutputColumn { name, ty, table, attnum } = output;
        ScopeColumn { name, expr, ty, table, attnum }
    }
}

/// Levenshtein's distance, for hints.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substitute = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, internal: &str) -> ScopeColumn {
        ScopeColumn::computed(name.to_owned(), internal, PgType::INT4)
    }

    #[test]
    fn inner_names_hide_outer_ones() {
        let outer_columns = [column("a", "c1"), column("b", "c2")];
        let outer_scope = Scope { columns: &outer_columns, ..Scope::empty(None) };
        let inner_columns = [column("a", "c3"), column("x", "c4"), column("x", "c5")];
        let scope = Scope { columns: &inner_columns, ..Scope::empty(Some(&outer_scope)) };
        assert!(
            matches!(scope.column("a").unwrap().unwrap().expr, Expr::Column(c) if c.name == "c3")
        );
        assert!(matches!(
            scope.column("b").unwrap().unwrap().expr,
            Expr::OuterReferenceColumn(_, c) if c.name == "c2"
        ));
        assert_eq!(scope.column("x").unwrap_err().sqlstate.as_str(), "42702");
        assert!(scope.column("z").unwrap().is_none());
    }

    #[test]
    fn hints_are_near() {
        assert_eq!(distance("body", "bdoy"), 2);
        assert_eq!(distance("", "abc"), 3);
    }
}

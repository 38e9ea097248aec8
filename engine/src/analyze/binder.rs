//! What the analysis of one statement knows and collects.

use std::sync::Arc;

use datafusion::{
    common::Column,
    logical_expr::{Expr, LogicalPlan},
    sql::sqlparser::{ast, tokenizer::Span},
};

use super::{
    BoundStage, Environment, Named, OutputColumn, Parameters,
    coerce::Coercion,
    expression::Clause,
    names::{At, Places},
    returning::Returned,
    scope::{FromItem, Scope, named_columns},
};
use crate::{
    catalog::Relation,
    error::{Error, Result, SqlState},
    types::{Oid, PgType},
};

/// Deepest nesting of expressions and queries that analysis follows.
const MAX_DEPTH: usize = 400;
/// Deepest nesting of views in views.
const MAX_VIEW_DEPTH: usize = 32;
/// As in the wire protocol.
const MAX_PARAMETERS: usize = 65_535;

/// The analysis of one statement.
pub(crate) struct Binder<'a> {
    pub(super) env: &'a Environment<'a>,
    /// Changes while a view's text is analysed.
    pub(super) search_path: Vec<String>,
    pub(super) places: Places<'a>,
    pub(super) params: &'a mut Parameters,
    pub(super) ctes: Vec<Cte>,
    /// The WINDOW clause of the SELECT at hand.
    pub(super) windows: Vec<ast::NamedWindowDefinition>,
    /// Whether correlated subqueries are run row by row instead of becoming joins.
    pub(super) apply_subqueries: bool,
    /// Whether the rows of a simple query are to say which rows of its tables they are.
    pub(super) for_cursor: bool,
    pub(super) relations: Vec<Named>,
    /// Who owns the view whose text is being read.
    view_owner: Option<Oid>,
    /// `OVERRIDING SYSTEM VALUE` of the INSERT at hand.
    pub(super) overrides_system: bool,
    /// RETURNING with subqueries, of the change at hand.
    pub(super) returned: Option<Returned>,
    /// What runs by itself.
    pub(super) stages: Vec<BoundStage>,
    slots: usize,
    /// Inside the recursive term of WITH RECURSIVE.
    pub(super) in_recursion: bool,
    /// A subquery that failed is looked at again, for a better error.
    pub(super) explains_error: bool,
    correlated: bool,
    untyped_parameters: bool,
    counter: usize,
    depth: usize,
    view_depth: usize,
}

/// An expression with its PostgreSQL type. `unknown` for literals and parameters that have none
/// yet: they take the one their context asks for.
#[derive(Clone, Debug)]
pub(crate) struct Typed {
    pub(crate) expr: Expr,
    pub(crate) ty: PgType,
}

impl Typed {
    pub(super) fn new(expr: Expr, ty: PgType) -> Self {
        Typed { expr, ty }
    }
}

/// A query's rows: a plan, and what its columns are.
#[derive(Clone, Debug)]
pub(crate) struct Rowset {
    pub(crate) plan: LogicalPlan,
    /// The plan's first columns; columns that only its maker knows may follow.
    pub(crate) columns: Vec<RowColumn>,
}

/// A column of a [`Rowset`].
#[derive(Clone, Debug)]
pub(crate) struct RowColumn {
    pub(crate) output: OutputColumn,
    /// Its name inside the plan, without qualifier.
    pub(crate) internal: String,
    /// The literal or parameter it is made of, while its type is unknown.
    pub(crate) unknown: Option<Expr>,
}

impl RowColumn {
    pub(crate) fn expr(&self) -> Expr {
        Expr::Column(Column::new_unqualified(&self.internal))
    }

    pub(super) fn typed(&self) -> Typed {
        match &self.unknown {
            Some(literal) => Typed::new(literal.clone(), PgType::UNKNOWN),
            None => Typed::new(self.expr(), self.output.ty),
        }
    }
}

/// A query of WITH, as its references see it.
#[derive(Clone, Debug)]
pub(super) struct Cte {
    pub(super) name: String,
    pub(super) body: CteBody,
}

#[derive(Clone, Debug)]
pub(super) enum CteBody {
    Rows(Rowset),
    /// A change: its slot, and the columns of RETURNING.
    Stage {
        slot: usize,
        columns: Option<Vec<OutputColumn>>,
    },
    /// A query further down the same WITH: what stands before can't see it.
    Later,
    /// A reference to itself inside its recursive term.
    Recursive {
        table: String,
        columns: Vec<OutputColumn>,
    },
    /// A reference where recursion isn't allowed.
    Forbidden(&'static str),
}

impl<'a> Binder<'a> {
    pub(crate) fn new(
        env: &'a Environment<'a>,
        text: &'a str,
        params: &'a mut Parameters,
        apply_subqueries: bool,
    ) -> Self {
        Binder {
            env,
            search_path: env.search_path.to_vec(),
            places: Places::new(text),
            params,
            ctes: Vec::new(),
            windows: Vec::new(),
            apply_subqueries,
            for_cursor: false,
            relations: Vec::new(),
            view_owner: None,
            overrides_system: false,
            returned: None,
            stages: Vec::new(),
            slots: 0,
            in_recursion: false,
            explains_error: false,
            correlated: false,
            untyped_parameters: false,
            counter: 0,
            depth: 0,
            view_depth: 0,
        }
    }

    /// A column name that no other column of the statement has.
    pub(super) fn fresh(&mut self) -> String {
        self.counter += 1;
        format!("c{}", self.counter)
    }

    /// A qualifier for a scan.
    pub(super) fn fresh_table(&mut self) -> String {
        self.counter += 1;
        format!("t{}", self.counter)
    }

    /// A slot that nothing else of the statement has.
    pub(super) fn fresh_slot(&mut self) -> usize {
        self.slots += 1;
        self.slots
    }

    /// Remembers that a relation is read.
    pub(super) fn note_relation(&mut self, relation: &Arc<Relation>) {
        let (by, in_view) = (self.view_owner, self.view_depth > 0);
        let is_known = |known: &Named| {
            known.relation.oid == relation.oid && known.by == by && known.in_view == in_view
        };
        if !self.relations.iter().any(is_known) {
            self.relations.push(Named { relation: Arc::clone(relation), by, in_view });
        }
    }

    pub(super) fn note_correlated(&mut self) {
        self.correlated = true;
    }

    /// Whether a subquery was left for the optimizer to turn into a join.
    pub(super) fn has_correlated_joins(&self) -> bool {
        self.correlated
    }

    /// Remembers that a parameter stands somewhere without its type.
    pub(super) fn note_untyped_parameter(&mut self) {
        self.untyped_parameters = true;
    }

    /// Whether a parameter stands somewhere without the type it got later.
    pub(super) fn has_untyped_parameters(&self) -> bool {
        self.untyped_parameters
    }

    /// Runs `f` one level deeper.
    pub(super) fn nested<T>(&mut self, f: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= MAX_DEPTH {
            return Err(Error::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded")
                .with_hint(format!("Expressions and queries nest at most {MAX_DEPTH} deep.")));
        }
        self.depth += 1;
        let result = f(self);
        self.depth -= 1;
        result
    }

    /// Runs `f` as a text stored with `search_path` would run; of a view, with its owner where it
    /// lends his rights.
    pub(super) fn in_view<T>(
        &mut self,
        owner: Option<Oid>,
        search_path: &[String],
        f: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        if self.view_depth >= MAX_VIEW_DEPTH {
            return Err(Error::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded")
                .with_hint(format!("Views nest at most {MAX_VIEW_DEPTH} deep.")));
        }
        let path = std::mem::replace(&mut self.search_path, search_path.to_vec());
        let ctes = std::mem::take(&mut self.ctes);
        let places = std::mem::replace(&mut self.places, Places::nowhere());
        let view_owner = std::mem::replace(&mut self.view_owner, owner);
        self.view_depth += 1;
        let result = f(self);
        self.view_depth -= 1;
        self.view_owner = view_owner;
        self.search_path = path;
        self.ctes = ctes;
        self.places = places;
        result
    }

    /// The relation that a name in the statement means: one that it reads.
    pub(super) fn relation(&mut self, name: &ast::ObjectName) -> Result<Arc<Relation>> {
        let relation = self.named_relation(name)?;
        self.note_relation(&relation);
        Ok(relation)
    }

    /// As [`Binder::relation`], whether it is read or not.
    pub(super) fn named_relation(&mut self, name: &ast::ObjectName) -> Result<Arc<Relation>> {
        let place = self.places.start(name);
        let (schema, table) =
            super::names::schema_and_name(name, self.env.database_name).at_place(place)?;
        let catalog = self.env.catalog;
        if self.view_depth > 0 {
            return catalog
                .find_stored(schema.as_deref(), &table, &self.search_path)
                .ok_or_else(|| Error::undefined_table(&table));
        }
        catalog.relation(schema.as_deref(), &table, &self.search_path).at_place(place)
    }

    /// `$n`, typed as far as its type is known.
    pub(super) fn parameter(&mut self, name: &str, span: Span) -> Result<Typed> {
        let place = self.places.span(span);
        let number: usize = name
            .strip_prefix('$')
            .and_then(|digits| digits.parse().ok())
            .filter(|n| (1..=MAX_PARAMETERS).contains(n))
            .ok_or_else(|| {
                Error::new(SqlState::UNDEFINED_PARAMETER, format!("there is no parameter {name}"))
                    .at_place(place)
            })?;
        if self.params.types.len() < number {
            self.params.types.resize(number, None);
        }
        let known = self.params.types[number - 1].filter(|ty| !ty.is_unknown());
        Ok(match known {
            Some(ty) => Typed::new(super::coerce::placeholder(number, ty)?, ty),
            None => Typed::new(
                Expr::Placeholder(datafusion::logical_expr::expr::Placeholder::new_with_field(
                    format!("${number}"),
                    None,
                )),
                PgType::UNKNOWN,
            ),
        })
    }

    /// Checks that every parameter got a type.
    pub(super) fn finish_parameters(&mut self) -> Result<()> {
        match self.params.types.iter().position(|ty| ty.is_none_or(PgType::is_unknown)) {
            Some(index) => Err(Error::indeterminate_parameter(index + 1)),
            None => Ok(()),
        }
    }

    /// See [`super::bind_expression`].
    pub(super) fn bind_standalone(
        &mut self,
        expression: &ast::Expr,
        relation: Option<&Arc<Relation>>,
        target: Option<PgType>,
    ) -> Result<(Expr, PgType)> {
        let item = match relation {
            Some(relation) => Some(unqualified_row(relation)?),
            None => None,
        };
        let scope = match &item {
            Some(item) => Scope::of(item, None),
            None => Scope::empty(None),
        };
        let typed = self.expression(expression, &scope, Clause::Standalone)?;
        let place = self.places.start(expression);
        let typed = match target {
            Some(ty) => {
                let from = typed.ty;
                self.coerce(typed, ty, Coercion::Assignment).at_place(place)?.ok_or_else(|| {
                    Error::datatype_mismatch(format!(
                        "expression is of type {} but {} is needed",
                        from.name(),
                        ty.name()
                    ))
                    .at_place(place)
                })?
            }
            None => self.resolve_unknown(typed)?,
        };
        if super::subquery::has_subquery(&typed.expr) {
            return Err(Error::feature_not_supported("cannot use subquery in this expression")
                .at_place(place));
        }
        Ok((typed.expr, typed.ty))
    }
}

/// The row of a relation as a scope whose columns are `a<attnum>` without qualifier.
pub(super) fn unqualified_row(relation: &Arc<Relation>) -> Result<FromItem> {
    let columns = named_columns(relation, None);
    let plan = datafusion::logical_expr::LogicalPlanBuilder::empty(true).build()?;
    let table = super::scope::ScopeTable {
        alias: relation.name.clone(),
        schema: None,
        columns: columns.clone(),
        base: Some((Arc::clone(relation), String::new())),
        function: false,
        nullable: false,
        presence: None,
        members: None,
        locks_inside: false,
    };
    Ok(FromItem { plan, tables: vec![table], columns })
}

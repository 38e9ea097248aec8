//! FROM: tables, views, subqueries, functions, and how they are joined.

use std::sync::Arc;

use datafusion::{
    common::{
        Column, TableReference,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    datasource::provider_as_source,
    logical_expr::{Case, Expr, JoinType, LogicalPlan, LogicalPlanBuilder},
    prelude::lit,
    sql::sqlparser::{ast, parser::Parser},
};

use super::{
    OutputColumn,
    apply::apply_lateral,
    binder::{Binder, Cte, CteBody, Rowset, Typed},
    compared::compared_names,
    expression::Clause,
    lower::Below,
    names::{At, fold},
    query::{Outer, too_many_aliases},
    raised::Raised,
    scope::{FromItem, Scope, ScopeColumn, ScopeTable, named_columns},
    subquery::{
        has_exactly, has_subquery, is_subquery, outer_references, plan_outer_references,
        refer_from_inside, unnest_lists,
    },
};
use crate::{
    catalog::{Relation, RelationBody, TableKind},
    error::{Error, Result, SqlState},
    plan::RelationSource,
    types::{Oid, PgType},
};

/// The kind of a join with what makes rows match.
struct JoinKind<'j> {
    ty: JoinType,
    constraint: &'j ast::JoinConstraint,
}

impl Binder<'_> {
    /// All of FROM. Without one: a single row without columns.
    pub(super) fn bind_from(
        &mut self,
        from: &[ast::TableWithJoins],
        outer: Outer<'_>,
    ) -> Result<FromItem> {
        let mut whole: Option<FromItem> = None;
        for item in from {
            let next = self.bind_joined(item, whole.as_ref(), outer)?;
            whole = Some(match whole {
                None => next,
                Some(left) => self.cross(left, next)?,
            });
        }
        match whole {
            Some(item) => Ok(item),
            None => Ok(FromItem {
                plan: LogicalPlanBuilder::empty(true).build()?,
                tables: Vec::new(),
                columns: Vec::new(),
            }),
        }
    }

    /// The target of a change with the items of its FROM or USING.
    pub(super) fn bind_from_beside(
        &mut self,
        first: FromItem,
        others: &[ast::TableWithJoins],
    ) -> Result<FromItem> {
        let mut whole = first;
        for (i, item) in others.iter().enumerate() {
            // The target itself is out of LATERAL's reach.
            let next = self.bind_joined(item, (i > 0).then_some(&whole), None)?;
            whole = self.cross(whole, next)?;
        }
        Ok(whole)
    }

    /// `a JOIN b ... JOIN c ...`; `left` are the items before it, for LATERAL.
    fn bind_joined(
        &mut self,
        item: &ast::TableWithJoins,
        left: Option<&FromItem>,
        outer: Outer<'_>,
    ) -> Result<FromItem> {
        let mut joined = self.bind_factor(&item.relation, left, outer)?;
        for join in &item.joins {
            joined = self.bind_join(joined, left, join, outer)?;
        }
        Ok(joined)
    }

    fn bind_join(
        &mut self,
        left: FromItem,
        before: Option<&FromItem>,
        join: &ast::Join,
        outer: Outer<'_>,
    ) -> Result<FromItem> {
        use ast::JoinOperator as J;
        let none = ast::JoinConstraint::None;
        let kind = match &join.join_operator {
            J::Join(constraint) | J::Inner(constraint) => {
                JoinKind { ty: JoinType::Inner, constraint }
            }
            J::Left(constraint) | J::LeftOuter(constraint) => {
                JoinKind { ty: JoinType::Left, constraint }
            }
            J::Right(constraint) | J::RightOuter(constraint) => {
                JoinKind { ty: JoinType::Right, constraint }
            }
            J::FullOuter(constraint) => JoinKind { ty: JoinType::Full, constraint },
            J::CrossJoin(ast::JoinConstraint::None) => {
                JoinKind { ty: JoinType::Inner, constraint: &none }
            }
            _ => return Err(Error::syntax_error_near("JOIN")),
        };
        let is_cross = matches!(&join.join_operator, J::CrossJoin(_));
        if !is_cross && matches!(kind.constraint, ast::JoinConstraint::None) {
            return Err(Error::syntax_error("a join needs ON, USING or NATURAL"));
        }
        // What LATERAL on the right may name: the left side, and what stands before both.
        let around = match before {
            None => left.clone(),
            Some(before) => FromItem {
                plan: left.plan.clone(),
                tables: before.tables.iter().chain(&left.tables).cloned().collect(),
                columns: before.columns.iter().chain(&left.columns).cloned().collect(),
            },
        };
        let right = self.bind_factor(&join.relation, Some(&around), outer)?;
        check_aliases(&left, &right)?;
        let left = self.nullable_if(left, matches!(kind.ty, JoinType::Right | JoinType::Full))?;
        let right = self.nullable_if(right, matches!(kind.ty, JoinType::Left | JoinType::Full))?;
        if self.is_lateral(&right.plan, &left.plan)? {
            return self.lateral_join(left, right, &kind, outer);
        }
        match kind.constraint {
            ast::JoinConstraint::None => self.cross(left, right),
            ast::JoinConstraint::On(condition) => {
                let merged = beside(&left, &right);
                let hidden = before.map_or(&[][..], |before| before.tables.as_slice());
                let raised = Raised::of(Clause::On);
                let scope = Scope { hidden, raised: Some(&raised), ..Scope::of(&merged, outer) };
                let place = self.places.start(condition);
                let typed = self.expression(condition, &scope, Clause::On)?;
                let on = self.condition(typed, "JOIN/ON").at_place(place)?;
                let plan = self.join_plans(left.plan, right.plan, kind.ty, on)?;
                Ok(FromItem { plan, ..merged })
            }
            ast::JoinConstraint::Using(columns) => {
                let mut names = Vec::with_capacity(columns.len());
                for column in columns {
                    names.push(super::names::parts(column)?.pop().unwrap_or_default());
                }
                self.join_using(left, right, kind.ty, &names)
            }
            ast::JoinConstraint::Natural => {
                let names: Vec<String> = left
                    .columns
                    .iter()
                    .map(|column| column.name.clone())
                    .filter(|name| right.columns.iter().any(|column| column.name == *name))
                    .collect();
                self.join_using(left, right, kind.ty, &names)
            }
        }
    }

    /// An item on the side of an outer join that may be missing.
    fn nullable_if(&mut self, item: FromItem, nullable: bool) -> Result<FromItem> {
        match nullable {
            true => item.with_presence(&self.fresh()),
            false => Ok(item),
        }
    }

    /// Items of FROM beside each other; a lateral one is applied to each row on its left.
    fn cross(&mut self, left: FromItem, right: FromItem) -> Result<FromItem> {
        check_aliases(&left, &right)?;
        let merged = beside(&left, &right);
        let plan = match self.is_lateral(&right.plan, &left.plan)? {
            true => self.apply_or_unnest(left.plan, right.plan, false)?,
            false => LogicalPlanBuilder::from(left.plan).cross_join(right.plan)?.build()?,
        };
        Ok(FromItem { plan, ..merged })
    }

    fn join_plans(
        &mut self,
        left: LogicalPlan,
        right: LogicalPlan,
        ty: JoinType,
        on: Expr,
    ) -> Result<LogicalPlan> {
        if ty == JoinType::Inner && (has_subquery(&on) || on.contains_outer()) {
            let plan = LogicalPlanBuilder::from(left).cross_join(right)?.build()?;
            return self.filter(plan, on);
        }
        let columns: Vec<Expr> = [&left, &right]
            .into_iter()
            .flat_map(|side| side.schema().columns())
            .map(Expr::Column)
            .collect();
        if spans_sides(&on, &left, &right)? {
            return match ty {
                JoinType::Left => self.join_by_row(left, right, on),
                JoinType::Right => self.join_by_row(right, left, on),
                _ => Err(Error::feature_not_supported(
                    "a subquery over both sides in the condition of a FULL JOIN is not supported",
                )),
            };
        }
        let (left, right, on) = self.place_in_sides(left, right, on)?;
        let plan = LogicalPlanBuilder::from(left).join_on(right, ty, [on])?.build()?;
        match plan.schema().fields().len() > columns.len() {
            true => Ok(LogicalPlanBuilder::from(plan).project(columns)?.build()?),
            false => Ok(plan),
        }
    }

    /// Computes the subqueries in the condition of an outer join on the side they depend on.
    fn place_in_sides(
        &mut self,
        left: LogicalPlan,
        right: LogicalPlan,
        on: Expr,
    ) -> Result<(LogicalPlan, LogicalPlan, Expr)> {
        let (mut left, mut right, mut on) = (left, right, on);
        for subquery in subqueries(&on)? {
            let side = match depends_on(&subquery, &right) {
                true => &mut right,
                false => &mut left,
            };
            let (plan, placed) = self.place(side.clone(), vec![subquery.clone()], Below::Other)?;
            *side = plan;
            let value = placed.into_iter().next().expect("one expression");
            let put = |node: Expr| match node == subquery {
                true => Ok(Transformed::new(value.clone(), true, TreeNodeRecursion::Jump)),
                false => Ok(Transformed::no(node)),
            };
            on = on.transform_down(put)?.data;
        }
        Ok((left, right, on))
    }

    /// An outer join that looks for the partners of each row by itself. Those without stay.
    fn join_by_row(
        &mut self,
        kept: LogicalPlan,
        partners: LogicalPlan,
        on: Expr,
    ) -> Result<LogicalPlan> {
        let on = on.transform_down(|node| {
            let Expr::Column(column) = &node else { return Ok(Transformed::no(node)) };
            match has_exactly(kept.schema(), column) {
                true => Ok(Transformed::yes(refer_from_inside(node, kept.schema())?)),
                false => Ok(Transformed::no(node)),
            }
        })?;
        let partners = self.filter(partners, on.data)?;
        apply_lateral(kept, partners, true)
    }

    /// USING and NATURAL: the columns named come once, first, and from the side that has them.
    fn join_using(
        &mut self,
        left: FromItem,
        right: FromItem,
        ty: JoinType,
        names: &[String],
    ) -> Result<FromItem> {
        let mut conditions = Vec::with_capacity(names.len());
        let mut pairs = Vec::with_capacity(names.len());
        for name in names {
            let a = using_column(&left.columns, name, "left")?;
            let b = using_column(&right.columns, name, "right")?;
            // Types without a common one fail as such, before an operator is missed.
            let both = [Typed::new(a.expr.clone(), a.ty), Typed::new(b.expr.clone(), b.ty)];
            self.unify("JOIN/USING", &mut both.to_vec(), None)?;
            let typed = self.operator(
                "=",
                Typed::new(a.expr.clone(), a.ty),
                Typed::new(b.expr.clone(), b.ty),
                None,
            )?;
            conditions.push(typed.expr);
            pairs.push((a, b));
        }
        let rest_of = |item: &FromItem| -> Vec<ScopeColumn> {
            item.columns.iter().filter(|c| !names.contains(&c.name)).cloned().collect()
        };
        let (left_rest, right_rest) = (rest_of(&left), rest_of(&right));
        let tables: Vec<ScopeTable> = left.tables.iter().chain(&right.tables).cloned().collect();
        let mut plan = match conditions.is_empty() {
            true if ty == JoinType::Inner => {
                LogicalPlanBuilder::from(left.plan).cross_join(right.plan)?.build()?
            }
            _ => {
                let on = super::operators::all_of(conditions);
                self.join_plans(left.plan, right.plan, ty, on)?
            }
        };
        let mut columns = Vec::new();
        let mut computed = Vec::new();
        for (a, b) in pairs {
            let mut members =
                vec![Typed::new(a.expr.clone(), a.ty), Typed::new(b.expr.clone(), b.ty)];
            let common = self.unify("JOIN/USING", &mut members, None)?;
            let simple = match ty {
                JoinType::Right if b.ty.oid == common.oid => Some(b.clone()),
                JoinType::Inner | JoinType::Left if a.ty.oid == common.oid => Some(a.clone()),
                _ => None,
            };
            columns.push(match simple {
                Some(column) => column,
                None => {
                    let second = members.pop().expect("two members").expr;
                    let first = members.pop().expect("two members").expr;
                    let value = match ty {
                        JoinType::Right => second,
                        JoinType::Full => Expr::Case(Case::new(
                            None,
                            vec![(Box::new(first.clone().is_not_null()), Box::new(first))],
                            Some(Box::new(second)),
                        )),
                        _ => first,
                    };
                    let name = self.fresh();
                    computed.push(value.alias(&name));
                    ScopeColumn::computed(a.name.clone(), &name, common)
                }
            });
        }
        if !computed.is_empty() {
            let mut all: Vec<Expr> =
                plan.schema().columns().into_iter().map(Expr::Column).collect();
            all.extend(computed);
            plan = LogicalPlanBuilder::from(plan).project(all)?.build()?;
        }
        columns.extend(left_rest);
        columns.extend(right_rest);
        Ok(FromItem { plan, tables, columns })
    }

    /// Whether the right side takes columns from the left.
    fn is_lateral(&self, right: &LogicalPlan, left: &LogicalPlan) -> Result<bool> {
        let outer = plan_outer_references(right)?;
        Ok(outer.iter().any(|expr| match expr {
            Expr::OuterReferenceColumn(_, column) => has_exactly(left.schema(), column),
            _ => false,
        }))
    }

    fn lateral_join(
        &mut self,
        left: FromItem,
        right: FromItem,
        kind: &JoinKind<'_>,
        outer: Outer<'_>,
    ) -> Result<FromItem> {
        let keep = match kind.ty {
            JoinType::Inner => false,
            JoinType::Left => true,
            _ => {
                return Err(Error::new(
                    SqlState::INVALID_COLUMN_REFERENCE,
                    "the combining JOIN type must be INNER or LEFT for a LATERAL reference",
                ));
            }
        };
        let merged = beside(&left, &right);
        let condition = match kind.constraint {
            ast::JoinConstraint::None => None,
            ast::JoinConstraint::On(condition) => Some(condition),
            _ => {
                return Err(Error::feature_not_supported(
                    "USING and NATURAL with a LATERAL item are not supported",
                ));
            }
        };
        let always = matches!(condition, Some(ast::Expr::Value(value))
            if value.value == ast::Value::Boolean(true));
        let plan = match condition {
            None => self.apply_or_unnest(left.plan, right.plan, keep)?,
            Some(_) if always => self.apply_or_unnest(left.plan, right.plan, keep)?,
            Some(condition) => {
                let place = self.places.start(condition);
                let raised = Raised::of(Clause::On);
                let around = Scope { raised: Some(&raised), ..Scope::of(&left, outer) };
                let inside = Scope { raised: Some(&raised), ..Scope::of(&right, Some(&around)) };
                let typed = self.expression(condition, &inside, Clause::On)?;
                let on = self.condition(typed, "JOIN/ON").at_place(place)?;
                let right_plan = self.filter(right.plan, on)?;
                apply_lateral(left.plan, right_plan, keep)?
            }
        };
        Ok(FromItem { plan, ..merged })
    }

    /// A function over columns on the left is unnested beside them; anything else is run for each
    /// row.
    fn apply_or_unnest(
        &mut self,
        left: LogicalPlan,
        right: LogicalPlan,
        keep: bool,
    ) -> Result<LogicalPlan> {
        if !keep && let Some(plan) = unnest_beside(&left, &right)? {
            return Ok(plan);
        }
        apply_lateral(left, right, keep)
    }

    fn bind_factor(
        &mut self,
        factor: &ast::TableFactor,
        left: Option<&FromItem>,
        outer: Outer<'_>,
    ) -> Result<FromItem> {
        self.nested(|binder| binder.bind_factor_here(factor, left, outer))
    }

    fn bind_factor_here(
        &mut self,
        factor: &ast::TableFactor,
        left: Option<&FromItem>,
        outer: Outer<'_>,
    ) -> Result<FromItem> {
        let lateral_scope = left.map(|item| Scope::of(item, outer));
        let lateral: Outer<'_> = match &lateral_scope {
            Some(scope) => Some(scope),
            None => outer,
        };
        match factor {
            ast::TableFactor::Table {
                name,
                alias,
                args: None,
                version: None,
                sample: None,
                json_path: None,
                with_ordinality: false,
                ..
            } => {
                super::names::check_no_clause(name).at_place(self.places.start(name))?;
                self.bind_table_name(name, alias.as_ref(), true)
            }
            ast::TableFactor::Table { name, alias, args: Some(args), with_ordinality, .. } => self
                .bind_table_function(name, &args.args, *with_ordinality, alias.as_ref(), lateral),
            ast::TableFactor::Function { name, args, with_ordinality, alias, .. } => {
                self.bind_table_function(name, args, *with_ordinality, alias.as_ref(), lateral)
            }
            ast::TableFactor::UNNEST {
                alias,
                array_exprs,
                with_ordinality,
                with_offset: false,
                ..
            } => self.bind_unnest(array_exprs, *with_ordinality, alias.as_ref(), lateral),
            ast::TableFactor::Derived { lateral: is_lateral, subquery, alias, sample: None } => {
                let scope = if *is_lateral { lateral } else { outer };
                let rows = match self.bind_query(subquery, scope, true) {
                    Ok(rows) => rows,
                    Err(error) => return Err(self.without_lateral(subquery, left, outer, error)),
                };
                self.derived(rows, alias.as_ref())
            }
            ast::TableFactor::NestedJoin { table_with_joins, alias } => {
                let item = self.bind_joined(table_with_joins, left, outer)?;
                match alias {
                    None => Ok(item),
                    Some(alias) => {
                        let name = fold(&alias.name);
                        let columns = aliased(item.columns, &alias.columns, &name)?;
                        let table = ScopeTable {
                            alias: name,
                            schema: None,
                            columns: columns.clone(),
                            base: None,
                            function: false,
                            nullable: false,
                            // Its row is one of NULLs where it isn't there.
                            presence: Some(Typed::new(lit(true), PgType::BOOL)),
                            members: None,
                            locks_inside: false,
                        };
                        Ok(FromItem { plan: item.plan, tables: vec![table], columns })
                    }
                }
            }
            ast::TableFactor::Table { sample: Some(_), .. } => {
                Err(Error::feature_not_supported("TABLESAMPLE is not supported"))
            }
            other => Err(Error::feature_not_supported(format!("{other} in FROM is not supported"))),
        }
    }

    /// The error of a subquery of FROM, in the words for one that LATERAL might have helped.
    fn without_lateral(
        &mut self,
        subquery: &ast::Query,
        left: Option<&FromItem>,
        outer: Outer<'_>,
        error: Error,
    ) -> Error {
        let misses =
            matches!(error.sqlstate, SqlState::UNDEFINED_TABLE | SqlState::UNDEFINED_COLUMN);
        // Once is enough: the levels around would each look again.
        let Some(left) = left.filter(|_| misses && !self.explains_error) else { return error };
        let scope = Scope::beside(&left.tables, outer);
        self.explains_error = true;
        let explained = self.bind_query(subquery, Some(&scope), true).err();
        self.explains_error = false;
        explained.unwrap_or(error)
    }

    /// A subquery of FROM under its alias.
    fn derived(&mut self, rows: Rowset, alias: Option<&ast::TableAlias>) -> Result<FromItem> {
        let Some(alias) = alias else {
            return Err(Error::syntax_error("subquery in FROM must have an alias")
                .with_hint("For example, FROM (SELECT ...) [AS] foo."));
        };
        let name = fold(&alias.name);
        let columns = rows
            .columns
            .iter()
            .map(|column| ScopeColumn {
                name: column.output.name.clone(),
                expr: column.expr(),
                ty: column.output.ty,
                table: column.output.table,
                attnum: column.output.attnum,
            })
            .collect();
        let columns = aliased(columns, &alias.columns, &name)?;
        let mut item = single_table(rows.plan, name, None, columns, None);
        item.tables[0].locks_inside = true;
        Ok(item)
    }

    /// A name in FROM: a query of WITH, a table, a view.
    pub(super) fn bind_table_name(
        &mut self,
        name: &ast::ObjectName,
        alias: Option<&ast::TableAlias>,
        allow_cte: bool,
    ) -> Result<FromItem> {
        let _ = allow_cte;
        if let [ast::ObjectNamePart::Identifier(ident)] = name.0.as_slice() {
            let wanted = fold(ident);
            let reachable = |cte: &&Cte| !matches!(cte.body, CteBody::Later);
            let mut named = self.ctes.iter().rev().filter(|cte| cte.name == wanted);
            if let Some(cte) = named.find(reachable).cloned() {
                return self.bind_cte(&wanted, cte.body, alias);
            }
        }
        let place = self.places.start(name);
        let (schema, _) =
            super::names::schema_and_name(name, self.env.database_name).at_place(place)?;
        let relation = self.relation(name).map_err(|error| self.or_later(name, error))?;
        let alias_name = alias.map_or_else(|| relation.name.clone(), |alias| fold(&alias.name));
        let names = alias.map_or(&[][..], |alias| &alias.columns);
        let schema = match alias {
            Some(_) => None,
            None => Some(schema.unwrap_or_else(|| self.env.catalog.schema_name(relation.schema))),
        };
        match &relation.body {
            RelationBody::View { query, search_path } => {
                let rows = self.bind_view(&relation, query, search_path)?;
                let columns: Vec<ScopeColumn> = rows
                    .columns
                    .iter()
                    .zip(relation.live_columns())
                    .map(|(column, (attnum, attribute))| ScopeColumn {
                        name: attribute.name.clone(),
                        expr: column.expr(),
                        ty: column.output.ty,
                        table: relation.oid,
                        attnum,
                    })
                    .collect();
                let members = member_names(&columns);
                let columns = aliased(columns, names, &alias_name)?;
                let mut item = single_table(rows.plan, alias_name, schema, columns, None);
                item.tables[0].locks_inside = true;
                item.tables[0].members = Some(members);
                Ok(item)
            }
            RelationBody::Table { .. } | RelationBody::System => {
                let (plan, qualifier) = self.scan(&relation)?;
                let columns = named_columns(&relation, Some(&qualifier));
                let members = member_names(&columns);
                let columns = aliased(columns, names, &alias_name)?;
                let base = Some((relation, qualifier));
                let mut item = single_table(plan, alias_name, schema, columns, base);
                item.tables[0].members = Some(members);
                Ok(item)
            }
            RelationBody::Sequence(_) => {
                let rows = self.sequence_row(&relation)?;
                let columns = rows
                    .columns
                    .iter()
                    .map(|c| ScopeColumn::from((c.output.clone(), c.expr())))
                    .collect();
                let columns = aliased(columns, names, &alias_name)?;
                Ok(single_table(rows.plan, alias_name, schema, columns, None))
            }
        }
    }

    /// What 42P01 adds where a query of WITH has the name and can't be seen from here.
    fn or_later(&self, name: &ast::ObjectName, error: Error) -> Error {
        let [ast::ObjectNamePart::Identifier(ident)] = name.0.as_slice() else { return error };
        let wanted = fold(ident);
        let is_later = error.sqlstate == SqlState::UNDEFINED_TABLE
            && self.ctes.iter().any(|cte| cte.name == wanted);
        match is_later {
            true => error
                .with_detail(format!(
                    "There is a WITH item named \"{wanted}\", but it cannot be referenced from \
                     this part of the query."
                ))
                .with_hint(
                    "Use WITH RECURSIVE, or re-order the WITH items to remove forward references.",
                ),
            false => error,
        }
    }

    /// `SELECT * FROM sequence`: its state.
    fn sequence_row(&mut self, relation: &Arc<Relation>) -> Result<Rowset> {
        let schema = self.env.catalog.schema_name(relation.schema);
        let quoted = format!("\"{schema}\".\"{}\"", relation.name);
        let last = self.call(
            "pg_sequence_last_value",
            vec![Typed::new(lit(relation.oid.0), PgType::plain(Oid::REGCLASS))],
            None,
        )?;
        let start = match &relation.body {
            RelationBody::Sequence(sequence) => sequence.start,
            _ => return Err(Error::internal(format!("{quoted} is not a sequence"))),
        };
        let value = Expr::Case(Case::new(
            None,
            vec![(Box::new(last.expr.clone().is_not_null()), Box::new(last.expr.clone()))],
            Some(Box::new(lit(start))),
        ));
        let output = |name: &str, ty: PgType, attnum: i16| OutputColumn {
            name: name.to_owned(),
            ty,
            table: relation.oid,
            attnum,
        };
        let plan = LogicalPlanBuilder::empty(true).build()?;
        self.project_outputs(
            plan,
            vec![
                (value, output("last_value", PgType::INT8, 1)),
                (lit(0_i64), output("log_cnt", PgType::INT8, 2)),
                (last.expr.is_not_null(), output("is_called", PgType::BOOL, 3)),
            ],
        )
    }

    /// A scan of a base table and the qualifier of its columns.
    pub(super) fn scan(&mut self, relation: &Arc<Relation>) -> Result<(LogicalPlan, String)> {
        let qualifier = self.fresh_table();
        let source = provider_as_source(Arc::new(RelationSource::new(Arc::clone(relation))?));
        let plan = LogicalPlanBuilder::scan(TableReference::bare(qualifier.clone()), source, None)?
            .build()?;
        Ok((plan, qualifier))
    }

    fn bind_view(
        &mut self,
        relation: &Arc<Relation>,
        query: &str,
        search_path: &[String],
    ) -> Result<Rowset> {
        let broken = |what: String| {
            Error::internal(format!("the text of view \"{}\" is damaged: {what}", relation.name))
        };
        let statements = Parser::parse_sql(&crate::statement::POSTGRES, query)
            .map_err(|error| broken(error.to_string()))?;
        let [ast::Statement::Query(parsed)] = statements.as_slice() else {
            return Err(broken("not one query".to_owned()));
        };
        // Whoever may read a view of shared rows reads what its owner may.
        let lender = (relation.kind == TableKind::Shared).then_some(relation.owner);
        let rows =
            self.in_view(lender, search_path, |binder| binder.bind_query(parsed, None, true))?;
        // `SELECT *` of a table that got more columns since still means those of its time.
        let live: Vec<PgType> = relation.live_columns().map(|(_, column)| column.ty).collect();
        if rows.columns.len() < live.len() {
            return Err(broken("it has lost columns".to_owned()));
        }
        Ok(rows)
    }

    /// A reference to a query of WITH: its plan under names of its own.
    fn bind_cte(
        &mut self,
        name: &str,
        body: CteBody,
        alias: Option<&ast::TableAlias>,
    ) -> Result<FromItem> {
        let alias_name = alias.map_or_else(|| name.to_owned(), |alias| fold(&alias.name));
        let names = alias.map_or(&[][..], |alias| &alias.columns);
        let rows = match body {
            CteBody::Rows(rows) => {
                let exprs = rows.columns.iter().map(|c| (c.expr(), c.output.clone())).collect();
                self.project_outputs(rows.plan, exprs)?
            }
            CteBody::Stage { slot, columns } => self.read_stage(name, slot, columns)?,
            CteBody::Recursive { table, columns } => self.work_table(&table, columns)?,
            CteBody::Later => return Err(Error::undefined_table(name)),
            CteBody::Forbidden(place) => {
                return Err(Error::new(
                    SqlState::INVALID_RECURSION,
                    format!("recursive reference to query \"{name}\" must not appear {place}"),
                ));
            }
        };
        let columns = rows
            .columns
            .iter()
            .map(|column| ScopeColumn {
                name: column.output.name.clone(),
                expr: column.expr(),
                ty: column.output.ty,
                table: column.output.table,
                attnum: column.output.attnum,
            })
            .collect();
        let columns = aliased(columns, names, &alias_name)?;
        Ok(single_table(rows.plan, alias_name, None, columns, None))
    }

    /// The rows that the last round of a recursive query made.
    fn work_table(&mut self, table: &str, columns: Vec<OutputColumn>) -> Result<Rowset> {
        use datafusion::arrow::datatypes::{Field, Schema};
        let fields = columns
            .iter()
            .enumerate()
            .map(|(i, column)| Ok(Field::new(format!("r{}", i + 1), column.ty.arrow()?, true)))
            .collect::<Result<Vec<Field>>>()?;
        let schema = Arc::new(Schema::new(fields));
        let provider = datafusion::datasource::cte_worktable::CteWorkTable::new(table, schema);
        let plan = LogicalPlanBuilder::scan(
            TableReference::bare(table),
            provider_as_source(Arc::new(provider)),
            None,
        )?
        .build()?;
        let exprs = columns
            .into_iter()
            .enumerate()
            .map(|(i, output)| {
                let column = Column::new(Some(TableReference::bare(table)), format!("r{}", i + 1));
                (Expr::Column(column), output)
            })
            .collect();
        self.project_outputs(plan, exprs)
    }
}

/// `unnest(t.a)` beside `t`: the list is a column of `t`'s rows.
fn unnest_beside(left: &LogicalPlan, right: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    let (projection, unnest) = match right {
        LogicalPlan::Projection(projection) => match projection.input.as_ref() {
            LogicalPlan::Unnest(unnest) => (Some(projection), unnest),
            _ => return Ok(None),
        },
        LogicalPlan::Unnest(unnest) => (None, unnest),
        _ => return Ok(None),
    };
    let LogicalPlan::Projection(lists) = unnest.input.as_ref() else { return Ok(None) };
    let LogicalPlan::EmptyRelation(_) = lists.input.as_ref() else { return Ok(None) };
    let mut names = Vec::with_capacity(lists.expr.len());
    let mut exprs = Vec::with_capacity(lists.expr.len());
    for expr in &lists.expr {
        let Expr::Alias(alias) = expr else { return Ok(None) };
        if has_subquery(&alias.expr) {
            return Ok(None);
        }
        names.push(alias.name.clone());
        // What the left doesn't have comes from further out and stays a reference.
        let inner = alias.expr.as_ref().clone().transform(|node| {
            Ok(match node {
                Expr::OuterReferenceColumn(_, column) if left.schema().has_column(&column) => {
                    Transformed::yes(Expr::Column(column))
                }
                other => Transformed::no(other),
            })
        })?;
        exprs.push(inner.data);
    }
    let plan = unnest_lists(left.clone(), exprs, &names, false)?;
    let Some(projection) = projection else { return Ok(Some(plan)) };
    let mut all: Vec<Expr> = left.schema().columns().into_iter().map(Expr::Column).collect();
    all.extend(projection.expr.iter().cloned());
    Ok(Some(LogicalPlanBuilder::from(plan).project(all)?.build()?))
}

pub(super) fn single_table(
    plan: LogicalPlan,
    alias: String,
    schema: Option<String>,
    columns: Vec<ScopeColumn>,
    base: Option<(Arc<Relation>, String)>,
) -> FromItem {
    let table = ScopeTable {
        alias,
        schema,
        columns: columns.clone(),
        base,
        function: false,
        nullable: false,
        presence: None,
        members: None,
        locks_inside: false,
    };
    FromItem { plan, tables: vec![table], columns }
}

/// The subqueries of a condition, each with what it is compared with.
fn subqueries(on: &Expr) -> Result<Vec<Expr>> {
    let mut found = Vec::new();
    on.apply(|node| {
        Ok(match is_subquery(node) || compared_names(node).is_some() {
            true => {
                found.push(node.clone());
                TreeNodeRecursion::Jump
            }
            false => TreeNodeRecursion::Continue,
        })
    })?;
    Ok(found)
}

/// Whether a subquery takes columns from a side of a join.
fn depends_on(subquery: &Expr, side: &LogicalPlan) -> bool {
    let outer = outer_references(subquery);
    let mut used = outer.iter().chain(subquery.column_refs());
    used.any(|column| has_exactly(side.schema(), column))
}

/// Whether the condition of a join has a subquery that takes columns from both of its sides.
fn spans_sides(on: &Expr, left: &LogicalPlan, right: &LogicalPlan) -> Result<bool> {
    let spans = |subquery: &Expr| depends_on(subquery, left) && depends_on(subquery, right);
    Ok(subqueries(on)?.iter().any(spans))
}

/// The names of two items together; the plan is the left one's until they are joined.
fn beside(left: &FromItem, right: &FromItem) -> FromItem {
    FromItem {
        plan: left.plan.clone(),
        tables: left.tables.iter().chain(&right.tables).cloned().collect(),
        columns: left.columns.iter().chain(&right.columns).cloned().collect(),
    }
}

/// 42712 when both sides have a table of one name.
fn check_aliases(left: &FromItem, right: &FromItem) -> Result<()> {
    for table in &right.tables {
        let twice = left.tables.iter().any(|other| {
            other.alias == table.alias
                && (other.schema.is_none()
                    || table.schema.is_none()
                    || other.schema == table.schema)
        });
        if twice {
            return Err(Error::duplicate_alias(&table.alias));
        }
    }
    Ok(())
}

fn member_names(columns: &[ScopeColumn]) -> Vec<String> {
    columns.iter().map(|column| column.name.clone()).collect()
}

/// Gives columns the names of an alias list.
pub(super) fn aliased(
    mut columns: Vec<ScopeColumn>,
    names: &[ast::TableAliasColumnDef],
    table: &str,
) -> Result<Vec<ScopeColumn>> {
    if names.len() > columns.len() {
        return Err(too_many_aliases(table, columns.len(), names.len()));
    }
    for (column, alias) in columns.iter_mut().zip(names) {
        column.name = fold(&alias.name);
    }
    Ok(columns)
}

fn using_column<'c>(columns: &'c [ScopeColumn], name: &str, side: &str) -> Result<&'c ScopeColumn> {
    let mut found = columns.iter().filter(|column| column.name == name);
    match (found.next(), found.next()) {
        (Some(column), None) => Ok(column),
        (Some(_), Some(_)) => Err(Error::new(
            SqlState::AMBIGUOUS_COLUMN,
            format!("common column name \"{name}\" appears more than once in {side} table"),
        )),
        (None, _) => Err(Error::new(
            SqlState::UNDEFINED_COLUMN,
            format!("column \"{name}\" specified in USING clause does not exist in {side} table"),
        )),
    }
}

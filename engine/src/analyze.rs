//! Parse analysis: gives every name and expression of a statement its PostgreSQL meaning.
//!
//! The tree that sqlparser made goes in; out comes a DataFusion plan whose every operator,
//! function and cast has been chosen by PostgreSQL's rules (chapter "Type Conversion"), so that
//! DataFusion has nothing left to guess. DataFusion's own SQL planner is not used.
//!
//! * Inside plans every column has a name of the analyser's making: `a<attnum>` qualified by
//!   `t<n>` for columns of a base table, `c<n>` for all else. What the user sees (name, type,
//!   origin) travels beside the plan as [`OutputColumn`]s, so duplicate names never matter.
//! * Nothing of a session is inside: what depends on the session is a function that asks the
//!   `ExecutionContext` when it is evaluated.
//! * Whatever equality can't be told from the bytes of a value (numeric with its display scale,
//!   for one) is compared, grouped and joined by a normalising key, see `keys`.
//!
//! In reading order: [`binder`] holds what one statement's analysis knows; [`query`], [`select`],
//! [`from`] build plans; [`expression`] types expressions with the help of [`coerce`];
//! [`grouping`] and [`windows`] place aggregates and window functions; [`apply`] runs what can't
//! be turned into joins; [`insert`], [`update`], [`delete`] plan the read half of changes;
//! [`stage`] sets apart what of a statement runs by itself.

use std::sync::Arc;

use datafusion::{
    logical_expr::{Expr, LogicalPlan, SortExpr},
    sql::sqlparser::ast,
};

use crate::{
    catalog::{Relation, part::CatalogView},
    error::{Error, Result},
    types::{Oid, PgType},
};

pub(crate) mod apply;
mod binder;
mod calls;
mod coerce;
mod compared;
mod computed;
pub(crate) mod constants;
mod delete;
mod expression;
mod frames;
mod from;
mod grouping;
mod insert;
mod keys;
mod limits;
mod literals;
mod locks;
mod lower;
mod names;
mod once;
mod operators;
mod query;
mod raised;
mod records;
mod recursion;
mod returning;
mod rows;
mod scope;
mod select;
pub(crate) mod series;
mod sliding;
mod stage;
mod subquery;
mod table_function;
mod typename;
mod update;
mod windows;

use binder::Binder;
pub(crate) use names::parts as name_parts;
pub(crate) use typename::resolve_type;

/// What names mean to the statement being analysed.
pub(crate) struct Environment<'a> {
    /// The session's catalog.
    pub(crate) catalog: &'a Arc<CatalogView>,
    /// Schemas to look in, in order, `pg_catalog` made explicit.
    pub(crate) search_path: &'a [String],
    /// The database of the session: the only one that a name may be qualified with.
    pub(crate) database_name: &'a str,
}

/// Types of a statement's parameters, `$1` first: given by Parse, completed by analysis.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parameters {
    /// `None`: not known yet.
    pub(crate) types: Vec<Option<PgType>>,
    /// Set where a definition is analysed to be kept.
    pub(crate) constants: Option<constants::Constants>,
}

/// A column of the result.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OutputColumn {
    pub(crate) name: String,
    pub(crate) ty: PgType,
    /// The table it comes from unchanged; 0 when computed.
    pub(crate) table: Oid,
    /// Its attribute number there; 0 when computed.
    pub(crate) attnum: i16,
}

/// An analysed statement. Every other kind of statement runs from its tree.
#[derive(Debug)]
pub(crate) enum Analyzed {
    Query(Box<BoundQuery>),
    Insert(BoundInsert),
    Update(BoundUpdate),
    Delete(BoundDelete),
    Staged(BoundStaged),
}

/// A statement parts of which run by themselves.
#[derive(Debug)]
pub(crate) struct BoundStaged {
    /// A stage reads only slots of stages before it.
    pub(crate) stages: Vec<BoundStage>,
    /// Never `Staged`.
    pub(crate) main: Box<Analyzed>,
}

/// A part that runs by itself.
#[derive(Debug)]
pub(crate) struct BoundStage {
    /// Never `Staged`.
    pub(crate) statement: Analyzed,
    /// Where its rows go.
    pub(crate) slot: usize,
    /// Whether anything reads them.
    pub(crate) is_read: bool,
}

impl Analyzed {
    /// The columns of the rows that a change returns.
    fn returned(&self) -> Option<Vec<OutputColumn>> {
        let returning = match self {
            Analyzed::Insert(insert) => &insert.returning,
            Analyzed::Update(update) => &update.returning,
            Analyzed::Delete(delete) => &delete.returning,
            Analyzed::Query(query) => return Some(query.output.clone()),
            Analyzed::Staged(_) => return None,
        };
        let list = returning.as_ref()?;
        Some(list.iter().map(|(_, output)| output.clone()).collect())
    }

    /// All plans in it.
    fn plans(&self) -> Vec<&LogicalPlan> {
        match self {
            Analyzed::Query(query) => vec![&query.plan],
            Analyzed::Insert(insert) => {
                let source = match &insert.source {
                    InsertSource::Plan(plan) => Some(plan),
                    InsertSource::Values(_) => None,
                };
                let conflict = match &insert.on_conflict {
                    Some(BoundConflict {
                        action:
                            ConflictAction::Update { new: ConflictValues::Plan { plan, .. }, .. },
                        ..
                    }) => Some(plan.as_ref()),
                    _ => None,
                };
                source.into_iter().chain(conflict).collect()
            }
            Analyzed::Update(update) => vec![&update.plan],
            Analyzed::Delete(delete) => vec![&delete.plan],
            Analyzed::Staged(staged) => staged
                .stages
                .iter()
                .map(|stage| &stage.statement)
                .chain([staged.main.as_ref()])
                .flat_map(Analyzed::plans)
                .collect(),
        }
    }
}

/// SELECT, VALUES, TABLE.
#[derive(Clone, Debug)]
pub(crate) struct BoundQuery {
    /// Its columns are those of `output` in order, then one key column for each of `locks`.
    pub(crate) plan: LogicalPlan,
    pub(crate) output: Vec<OutputColumn>,
    /// The same query for the short path, if it is that simple.
    pub(crate) simple: Option<SimpleQuery>,
    /// With locks, LIMIT is the plan's root: it counts the rows that could be locked.
    pub(crate) locks: Vec<BoundLock>,
    /// Of a cursor: the tables whose rows it stands on, each with the column of its `_key`.
    pub(crate) row_keys: Vec<(Arc<Relation>, usize)>,
    /// All base tables and views named anywhere: for privileges, locks and the plan cache.
    pub(crate) relations: Vec<Named>,
    /// The query is `SELECT f(...), ...` without FROM, and `f` waits or acts by itself: then these
    /// are its targets, and the plan only has their types.
    pub(crate) awaited: Option<Vec<AwaitedTarget>>,
    /// The command tag before the number of rows.
    pub(crate) tag: &'static str,
}

/// A relation that a statement reads.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) relation: Arc<Relation>,
    /// The owner of the view whose text names it, by whose privileges it is read.
    pub(crate) by: Option<Oid>,
    /// A view's text names it, not the statement itself.
    pub(crate) in_view: bool,
}

/// A query over one base table (or none) without aggregate, window, DISTINCT, subquery, set
/// operation or set-returning function. Expressions are over columns `a<attnum>` without
/// qualifier.
#[derive(Clone, Debug)]
pub(crate) struct SimpleQuery {
    pub(crate) relation: Option<Arc<Relation>>,
    pub(crate) filter: Option<Expr>,
    pub(crate) projection: Vec<Expr>,
    pub(crate) order: Vec<SortExpr>,
    pub(crate) limit: Option<Expr>,
    pub(crate) offset: Option<Expr>,
}

/// A target of a query that the executor awaits, one after the other.
#[derive(Clone, Debug)]
pub(crate) enum AwaitedTarget {
    Call(StatementFunction),
    /// Over no columns.
    Value(Expr),
}

/// A function that needs more than its arguments: it is awaited by the executor.
#[derive(Clone, Debug)]
pub(crate) struct StatementFunction {
    pub(crate) name: String,
    /// Over no columns.
    pub(crate) arguments: Vec<Expr>,
}

/// `FOR UPDATE` and its kin, for one relation.
#[derive(Clone, Debug)]
pub(crate) struct BoundLock {
    pub(crate) relation: Arc<Relation>,
    pub(crate) strength: LockStrength,
    pub(crate) wait: LockWait,
    /// Index in the plan's output of the relation's `_key`.
    pub(crate) key_column: usize,
}

/// Row lock modes, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LockStrength {
    KeyShare,
    Share,
    NoKeyUpdate,
    Update,
}

/// What to do about a row that somebody else has locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockWait {
    Block,
    NoWait,
    SkipLocked,
}

/// What RETURNING gives.
pub(crate) type ReturningList = Vec<(Expr, OutputColumn)>;

/// INSERT.
#[derive(Clone, Debug)]
pub(crate) struct BoundInsert {
    pub(crate) target: Arc<Relation>,
    pub(crate) source: InsertSource,
    pub(crate) on_conflict: Option<BoundConflict>,
    /// Over `a<attnum>` of the row that was stored.
    pub(crate) returning: Option<ReturningList>,
    pub(crate) relations: Vec<Named>,
    /// What PostgreSQL finds wrong when it plans the statement, not when it analyses it.
    pub(crate) planning_error: Option<Error>,
}

/// Where the rows come from: all live columns of the target in order, defaults filled in.
/// Generated columns are NULL here.
#[derive(Clone, Debug)]
pub(crate) enum InsertSource {
    /// Rows of expressions over no columns, without subqueries.
    Values(Vec<Vec<Expr>>),
    Plan(LogicalPlan),
}

/// `ON CONFLICT`. Expressions are over `a<attnum>` (the row that is there) and `e<attnum>` (the
/// row proposed).
#[derive(Clone, Debug)]
pub(crate) struct BoundConflict {
    /// Indexes into the target's `indexes()` whose violation is meant; `None`: any.
    pub(crate) arbiter: Option<Vec<usize>>,
    pub(crate) action: ConflictAction,
}

/// What to do with a row that is there already.
#[derive(Clone, Debug)]
pub(crate) enum ConflictAction {
    Nothing,
    Update {
        /// Indexes among the live columns of what is assigned.
        columns: Vec<usize>,
        new: ConflictValues,
    },
}

/// What the assigned columns of a row that is there already get, in their order.
#[derive(Clone, Debug)]
pub(crate) enum ConflictValues {
    Expressions {
        values: Vec<Expr>,
        filter: Option<Expr>,
    },
    /// With subqueries: a plan over the slot that holds `a<attnum>` and `e<attnum>`. It yields
    /// the values and, last, the filter's truth.
    Plan {
        slot: usize,
        plan: Box<LogicalPlan>,
    },
}

/// UPDATE. `plan` yields `_key`, the old row `a<attnum>`, the new row `n<attnum>` (live columns,
/// NULL for generated ones), then what RETURNING needs.
#[derive(Clone, Debug)]
pub(crate) struct BoundUpdate {
    pub(crate) target: Arc<Relation>,
    pub(crate) plan: LogicalPlan,
    pub(crate) simple: Option<SimpleChange>,
    /// Attribute numbers that SET names.
    pub(crate) assigned: Vec<i16>,
    /// `WHERE CURRENT OF` this cursor.
    pub(crate) current_of: Option<String>,
    /// Over the plan's columns: `n<attnum>` is the new row.
    pub(crate) returning: Option<ReturningList>,
    pub(crate) relations: Vec<Named>,
}

/// DELETE. `plan` yields `_key`, the old row `a<attnum>` (live columns), then what RETURNING
/// needs.
#[derive(Clone, Debug)]
pub(crate) struct BoundDelete {
    pub(crate) target: Arc<Relation>,
    pub(crate) plan: LogicalPlan,
    pub(crate) simple: Option<SimpleChange>,
    /// `WHERE CURRENT OF` this cursor.
    pub(crate) current_of: Option<String>,
    /// Over the plan's columns.
    pub(crate) returning: Option<ReturningList>,
    pub(crate) relations: Vec<Named>,
}

/// A change without other tables and subqueries, over `a<attnum>` without qualifier.
#[derive(Clone, Debug)]
pub(crate) struct SimpleChange {
    pub(crate) filter: Option<Expr>,
    /// The new row, one expression per live column; empty for DELETE.
    pub(crate) new_row: Vec<Expr>,
}

/// Analyses a query or a change. Parameters whose types were unknown have one afterwards.
///
/// `text` is what the tree was parsed from: error positions are places in it.
pub(crate) fn analyze(
    statement: &ast::Statement,
    text: &str,
    env: &Environment<'_>,
    params: &mut Parameters,
) -> Result<Analyzed> {
    analyze_for(statement, text, env, params, false)
}

/// [`analyze`] for a cursor, which knows the row it stands on where its query is that simple.
pub(crate) fn analyze_cursor(
    statement: &ast::Statement,
    text: &str,
    env: &Environment<'_>,
    params: &mut Parameters,
) -> Result<Analyzed> {
    analyze_for(statement, text, env, params, true)
}

fn analyze_for(
    statement: &ast::Statement,
    text: &str,
    env: &Environment<'_>,
    params: &mut Parameters,
    for_cursor: bool,
) -> Result<Analyzed> {
    let given = params.clone();
    let mut attempt = Attempt { apply_subqueries: false, retyped: false, for_cursor };
    match analyze_once(statement, text, env, params, attempt)? {
        Some(analyzed) => Ok(analyzed),
        None => {
            *params = given;
            attempt.apply_subqueries = true;
            analyze_once(statement, text, env, params, attempt)?
                .ok_or_else(|| Error::internal("a correlated subquery was not planned"))
        }
    }
}

/// How an analysis goes about it.
#[derive(Clone, Copy)]
struct Attempt {
    apply_subqueries: bool,
    /// The types of all parameters are known from an analysis before.
    retyped: bool,
    for_cursor: bool,
}

/// `None`: the optimizer couldn't turn a correlated subquery into a join, and it has to be
/// applied row by row.
fn analyze_once(
    statement: &ast::Statement,
    text: &str,
    env: &Environment<'_>,
    params: &mut Parameters,
    attempt: Attempt,
) -> Result<Option<Analyzed>> {
    let mut binder = Binder::new(env, text, params, attempt.apply_subqueries);
    binder.for_cursor = attempt.for_cursor;
    let main = match statement {
        ast::Statement::Query(query) => binder.bind_statement_query(query)?,
        ast::Statement::Insert(_) | ast::Statement::Update(_) | ast::Statement::Delete(_) => {
            binder.bind_change(statement)?
        }
        _ => return Err(Error::feature_not_supported("this statement can't be planned")),
    };
    let analyzed = binder.with_stages(main);
    binder.finish_parameters()?;
    if binder.has_untyped_parameters() && !attempt.retyped {
        let again = Attempt { retyped: true, ..attempt };
        return analyze_once(statement, text, env, params, again);
    }
    if binder.has_correlated_joins() && !attempt.apply_subqueries {
        let mut plans = analyzed.plans().into_iter();
        if !plans.all(crate::plan::decorrelates) {
            return Ok(None);
        }
    }
    Ok(Some(analyzed))
}

/// Analyses a stand-alone expression over the row of `relation` (columns `a<attnum>` without
/// qualifier; none when `relation` is `None`) and casts it to `target` as an assignment.
///
/// Serves CHECK, DEFAULT, GENERATED, `ALTER ... USING`, COPY's WHERE and SUBSCRIBE's predicates.
pub(crate) fn bind_expression(
    expression: &ast::Expr,
    text: &str,
    relation: Option<&Arc<Relation>>,
    target: Option<PgType>,
    env: &Environment<'_>,
    params: &mut Parameters,
) -> Result<(Expr, PgType)> {
    let mut binder = Binder::new(env, text, params, false);
    let bound = binder.bind_standalone(expression, relation, target)?;
    binder.finish_parameters()?;
    Ok(bound)
}

/// [`bind_expression`] for a text kept in the catalog, without parameters.
pub(crate) fn bind_expression_text(
    text: &str,
    relation: Option<&Arc<Relation>>,
    target: Option<PgType>,
    env: &Environment<'_>,
) -> Result<(Expr, PgType)> {
    let expression = parse_expression(text)?;
    bind_expression(&expression, text, relation, target, env, &mut Parameters::default())
}

/// The name that PostgreSQL gives to what an index computes.
pub(crate) fn name_of_expression(expression: &ast::Expr) -> String {
    match names::column_name(expression).as_str() {
        "?column?" => "expr".to_owned(),
        name => name.to_owned(),
    }
}

/// [`name_of_expression`] of a text kept in the catalog.
pub(crate) fn index_column_name(text: Option<&str>) -> String {
    let tree = text.and_then(|text| parse_expression(text).ok());
    tree.map_or_else(|| "expr".to_owned(), |tree| name_of_expression(&tree))
}

/// Parses a stand-alone expression.
pub(crate) fn parse_expression(text: &str) -> Result<ast::Expr> {
    use datafusion::sql::sqlparser::{parser::Parser, tokenizer::Tokenizer};
    let dialect = crate::statement::POSTGRES;
    let tokens = Tokenizer::new(&dialect, text).tokenize_with_location();
    tokens
        .map_err(Into::into)
        .and_then(|tokens| {
            let tokens = crate::statement::for_parser(tokens);
            Parser::new(&dialect).with_tokens_with_locations(tokens).parse_expr()
        })
        .map_err(|error| Error::syntax_error(error.to_string()))
}

/// The value that the column with number `attnum` gets when a row doesn't give one: its default,
/// the next value of its identity sequence, or NULL. Over no columns.
pub(crate) fn column_default(
    relation: &Arc<Relation>,
    attnum: i16,
    env: &Environment<'_>,
) -> Result<Expr> {
    let mut params = Parameters::default();
    Binder::new(env, "", &mut params, false).column_default(relation, attnum)
}

/// Constant rows as a plan; columns are `column1` on.
fn values_plan(types: &[PgType], rows: Vec<Vec<Expr>>) -> Result<LogicalPlan> {
    use datafusion::{
        arrow::datatypes::{Field, Schema},
        common::DFSchema,
        logical_expr::Values,
    };
    let fields = types
        .iter()
        .enumerate()
        .map(|(i, ty)| Ok(Field::new(format!("column{}", i + 1), ty.arrow()?, true)))
        .collect::<Result<Vec<Field>>>()?;
    let schema = Arc::new(DFSchema::try_from(Schema::new(fields))?);
    Ok(LogicalPlan::Values(Values { schema, values: rows }))
}

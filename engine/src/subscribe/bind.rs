//! From the statement to something that can be evaluated on row images.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use datafusion::{
    common::{
        ScalarValue,
        tree_node::{TreeNode, TreeNodeRecursion},
    },
    logical_expr::{Expr, Volatility},
    sql::sqlparser::ast,
};
use kalamdb_storage::Position;

use super::grammar::{self, OptionName, Start, SubscribeStatement, Value};
use crate::{
    analyze::{
        Analyzed, BoundQuery, Environment, Named, OutputColumn, Parameters, SimpleQuery, analyze,
    },
    catalog::{Relation, RelationBody, TableKind},
    error::{Error, Result},
    exec::{access::KeyAccess, evaluate::Evaluator},
    types::{Oid, PgType, input_scalar},
};

/// Heartbeats come this often unless HEARTBEAT says otherwise.
const DEFAULT_HEARTBEAT: Duration = Duration::from_secs(15);
/// Neither heartbeats nor markers by interval come more often.
const MIN_INTERVAL: Duration = Duration::from_millis(10);

/// An analysed SUBSCRIBE of class (a). Nothing of a session is in it.
#[derive(Debug)]
pub(crate) struct BoundSubscribe {
    /// The table.
    pub(crate) relation: Arc<Relation>,
    /// The table and the views it was reached through: for privileges.
    pub(crate) relations: Vec<Named>,
    /// The columns of the stream.
    pub(crate) output: Arc<[OutputColumn]>,
    pub(crate) text: Arc<str>,
    /// Attribute numbers that the query reads, ascending: the form of rows for the evaluators.
    pub(super) used: Vec<i16>,
    pub(super) filter: Option<Evaluator>,
    /// Where the rows of the snapshot are, if the filter fixes a key.
    pub(super) access: Option<KeyAccess>,
    pub(super) projection: Evaluator,
    /// How many of `output` are the query's.
    pub(super) columns: usize,
    /// The result holds the table's key, so a row can be found again.
    pub(super) is_keyed: bool,
    pub(super) with_old: bool,
    pub(super) with_count: bool,
    statement: SubscribeStatement,
}

/// What the clauses come to once parameters have values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) start: StartAt,
    pub(super) snapshot: bool,
    pub(super) progress: Progress,
    /// `None`: no heartbeats.
    pub(super) heartbeat: Option<Duration>,
    pub(super) up_to: Option<Position>,
    /// Begin again with a snapshot where the log doesn't reach back far enough.
    pub(super) reset_when_expired: bool,
}

/// [`Start`] with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StartAt {
    Head,
    After(Position),
    AsOf(Position),
    AsOfAtLeast(Position),
}

/// When markers come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Off,
    /// After each commit that the query shows.
    Each,
    /// At most once in this time.
    Every(Duration),
}

/// Analyses the text of a SUBSCRIBE statement. `params` are complete afterwards.
///
/// # Errors
/// Whatever the query's analysis says; 0A000 for what subscriptions don't do yet, 42601 and 22023
/// for clauses.
pub(crate) fn bind(
    text: &str,
    env: &Environment<'_>,
    params: &mut Parameters,
) -> Result<BoundSubscribe> {
    let statement = grammar::parse(text)?;
    let query = ast::Statement::Query(statement.query.clone());
    let Analyzed::Query(query) = analyze(&query, text, env, params)? else {
        return Err(Error::internal("a query was analysed as something else"));
    };
    let (simple, relation) = class_a(&query)?;
    let mut used = BTreeSet::new();
    for expr in simple.projection.iter().chain(&simple.filter) {
        check(expr, &mut used)?;
    }
    statement.type_parameters(params);
    let types: Vec<PgType> = params.types.iter().map(|ty| ty.unwrap_or(PgType::TEXT)).collect();
    let used: Vec<i16> = used.into_iter().collect();
    let row = used
        .iter()
        .map(|attnum| Ok((format!("a{attnum}"), attribute(&relation, *attnum)?.ty.arrow()?)))
        .collect::<Result<Vec<_>>>()?;
    let filter = match &simple.filter {
        Some(filter) => Some(Evaluator::new(std::slice::from_ref(filter), &row, &types)?),
        None => None,
    };
    let with_old = statement.switch(OptionName::Old)?;
    let with_count = statement.switch(OptionName::Count)?;
    Ok(BoundSubscribe {
        output: output(&query.output, with_old, with_count).into(),
        text: text.into(),
        used,
        filter,
        access: KeyAccess::find(&relation, simple.filter.as_ref(), &types)?,
        projection: Evaluator::new(&simple.projection, &row, &types)?,
        columns: query.output.len(),
        is_keyed: is_keyed(&relation, &query.output),
        with_old,
        with_count,
        relations: query.relations,
        relation,
        statement,
    })
}

impl BoundSubscribe {
    /// What EXPLAIN shows, line by line.
    pub(crate) fn explain(&self) -> Vec<String> {
        let name = |attnum: &i16| {
            attribute(&self.relation, *attnum).map_or_else(|_| String::new(), |a| a.name.clone())
        };
        let used: Vec<String> = self.used.iter().map(name).collect();
        let key = match self.relation.primary_key() {
            None => "none".to_owned(),
            Some(key) => {
                let columns: Vec<String> = key.columns.iter().map(|c| name(&c.attnum)).collect();
                columns.join(", ")
            }
        };
        let filter = if self.filter.is_some() { "on old and new image" } else { "none" };
        vec![
            "Subscribe (class a: one table, filter, projection)".to_owned(),
            format!("  Table: {}", self.relation.name),
            format!("  Key: {key}{}", if self.is_keyed { "" } else { " (not in the result)" }),
            format!("  Relevant columns: {}", used.join(", ")),
            format!("  Filter: {filter}"),
        ]
    }

    /// The clauses with the values of parameters.
    pub(super) fn terms(&self, parameters: &[ScalarValue]) -> Result<Terms> {
        self.statement.terms(parameters)
    }
}

/// The attribute with this number.
pub(super) fn attribute(relation: &Relation, attnum: i16) -> Result<&crate::catalog::Attribute> {
    usize::try_from(attnum - 1)
        .ok()
        .and_then(|place| relation.columns.get(place))
        .ok_or_else(|| Error::internal(format!("relation has no attribute {attnum}")))
}

/// The query as one over a table with filter and projection, if it is that.
fn class_a(query: &BoundQuery) -> Result<(&SimpleQuery, Arc<Relation>)> {
    let refuse = |what: &str| {
        Error::feature_not_supported(format!("SUBSCRIBE to {what} is not supported yet"))
            .with_hint("Subscribe to one table with a filter and a projection.")
    };
    if !query.locks.is_empty() {
        return Err(Error::feature_not_supported("SUBSCRIBE takes no row locks"));
    }
    let simple = query.simple.as_ref().filter(|_| query.awaited.is_none());
    let Some(simple) = simple else {
        return Err(refuse("a query with joins, aggregates, subqueries or set operations"));
    };
    if !simple.order.is_empty() || simple.limit.is_some() || simple.offset.is_some() {
        return Err(refuse("a query with ORDER BY, LIMIT or OFFSET"));
    }
    let Some(relation) = &simple.relation else {
        return Err(refuse("a query without a table"));
    };
    let is_table = matches!(relation.body, RelationBody::Table { .. });
    if !is_table || relation.kind == TableKind::System {
        return Err(refuse("a system relation"));
    }
    Ok((simple, Arc::clone(relation)))
}

/// Functions of the statement's time: a subscription has no such moment.
const CLOCK_FUNCTIONS: [&str; 9] = [
    "now",
    "current_date",
    "current_time",
    "current_timestamp",
    "localtime",
    "localtimestamp",
    "transaction_timestamp",
    "statement_timestamp",
    "clock_timestamp",
];

/// Collects the attributes an expression reads, and refuses what has no one value per row.
fn check(expr: &Expr, used: &mut BTreeSet<i16>) -> Result<()> {
    let mut refused = None;
    expr.apply(|node| {
        match node {
            Expr::Column(column) => {
                let attnum = column.name.strip_prefix('a').and_then(|digits| digits.parse().ok());
                match attnum {
                    Some(attnum) => {
                        used.insert(attnum);
                    }
                    None => refused = Some("system columns".to_owned()),
                }
            }
            Expr::ScalarFunction(call) => {
                let name = call.func.name();
                let is_volatile = call.func.signature().volatility == Volatility::Volatile;
                if is_volatile || CLOCK_FUNCTIONS.contains(&name) {
                    refused = Some(format!("the function {name}"));
                }
            }
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    match refused {
        None => Ok(()),
        Some(what) => Err(Error::feature_not_supported(format!("SUBSCRIBE can't follow {what}"))
            .with_detail("The value may change without a commit.")),
    }
}

/// Whether all columns of the primary key are in the result as they are.
fn is_keyed(relation: &Relation, output: &[OutputColumn]) -> bool {
    relation.primary_key().is_some_and(|key| {
        key.columns.iter().all(|part| {
            output.iter().any(|column| column.table == relation.oid && column.attnum == part.attnum)
        })
    })
}

fn output(query: &[OutputColumn], with_old: bool, with_count: bool) -> Vec<OutputColumn> {
    let made = |name: String, ty| OutputColumn { name, ty, table: Oid::INVALID, attnum: 0 };
    let mut columns = vec![made("_pos".into(), PgType::INT8), made("_op".into(), PgType::TEXT)];
    if with_count {
        columns.push(made("_n".into(), PgType::INT8));
    }
    columns.extend(query.iter().cloned());
    if with_old {
        columns.extend(query.iter().map(|c| made(format!("old_{}", c.name), c.ty)));
    }
    columns
}

impl SubscribeStatement {
    /// Parameters in our clauses: positions are int8, the rest text.
    fn type_parameters(&self, params: &mut Parameters) {
        let start = match &self.start {
            Start::Head => None,
            Start::After(value) | Start::AsOf(value) | Start::AsOfAtLeast(value) => Some(value),
        };
        let positions = start.into_iter().chain(&self.up_to).map(|value| (value, PgType::INT8));
        let options =
            self.options.iter().filter_map(|(_, value)| value.as_ref()).map(|v| (v, PgType::TEXT));
        for (value, ty) in positions.chain(options) {
            let Value::Parameter(number) = value else { continue };
            if params.types.len() < *number {
                params.types.resize(*number, None);
            }
            params.types[*number - 1].get_or_insert(ty);
        }
    }

    fn option(&self, name: OptionName) -> Option<Option<&Value>> {
        let (_, value) = self.options.iter().find(|(other, _)| *other == name)?;
        Some(value.as_ref())
    }

    /// An option that decides the columns, so it can't be a parameter.
    fn switch(&self, name: OptionName) -> Result<bool> {
        match self.option(name) {
            None => Ok(false),
            Some(None) => Ok(true),
            Some(Some(Value::Text(text))) => boolean(text),
            Some(Some(Value::Parameter(_))) => Err(Error::feature_not_supported(
                "a SUBSCRIBE option that decides the columns can't be a parameter",
            )),
        }
    }

    fn terms(&self, parameters: &[ScalarValue]) -> Result<Terms> {
        let value = |value: &Value| match value {
            Value::Text(text) => Ok(text.clone()),
            Value::Parameter(number) => parameter_text(parameters, *number),
        };
        let option = |name| match self.option(name) {
            None => Ok(None),
            Some(None) => Ok(Some(None)),
            Some(Some(given)) => value(given).map(|text| Some(Some(text))),
        };
        let at = |given: &Value| position(&value(given)?);
        let start = match &self.start {
            Start::Head => StartAt::Head,
            Start::After(given) => StartAt::After(at(given)?),
            Start::AsOf(given) => StartAt::AsOf(at(given)?),
            Start::AsOfAtLeast(given) => StartAt::AsOfAtLeast(at(given)?),
        };
        let is_after = matches!(start, StartAt::After(_));
        let snapshot = match option(OptionName::Snapshot)? {
            None => !is_after,
            Some(None) => true,
            Some(Some(text)) => boolean(&text)?,
        };
        if snapshot && is_after {
            return Err(Error::invalid_parameter_value(
                "AFTER and the option SNAPSHOT exclude each other",
            ));
        }
        let progress = match option(OptionName::Progress)? {
            None | Some(None) => Progress::Each,
            Some(Some(text)) => match boolean(&text) {
                Ok(true) => Progress::Each,
                Ok(false) => Progress::Off,
                Err(_) => Progress::Every(duration(&text)?),
            },
        };
        let heartbeat = match option(OptionName::Heartbeat)? {
            None | Some(None) => Some(DEFAULT_HEARTBEAT),
            Some(Some(text)) if matches!(text.as_str(), "0" | "off" | "false") => None,
            Some(Some(text)) => Some(duration(&text)?),
        };
        let reset_when_expired = match option(OptionName::OnExpired)? {
            None => true,
            Some(Some(text)) if text.eq_ignore_ascii_case("reset") => true,
            Some(Some(text)) if text.eq_ignore_ascii_case("error") => false,
            Some(_) => {
                return Err(Error::invalid_parameter_value(
                    "the option ON_EXPIRED is 'reset' or 'error'",
                ));
            }
        };
        let up_to = self.up_to.as_ref().map(at).transpose()?;
        Ok(Terms { start, snapshot, progress, heartbeat, up_to, reset_when_expired })
    }
}

fn parameter_text(parameters: &[ScalarValue], number: usize) -> Result<String> {
    let missing = || Error::undefined_parameter(number);
    match parameters.get(number - 1).ok_or_else(missing)? {
        ScalarValue::Int64(Some(value)) => Ok(value.to_string()),
        ScalarValue::Int32(Some(value)) => Ok(value.to_string()),
        ScalarValue::Int16(Some(value)) => Ok(value.to_string()),
        ScalarValue::Boolean(Some(value)) => Ok(value.to_string()),
        ScalarValue::Utf8(Some(value)) => Ok(value.clone()),
        value if value.is_null() => {
            Err(Error::invalid_parameter_value("a clause of SUBSCRIBE can't be NULL"))
        }
        _ => Err(Error::invalid_parameter_value(
            "a clause of SUBSCRIBE takes a parameter of type bigint or text",
        )),
    }
}

fn position(text: &str) -> Result<Position> {
    let number: i64 =
        text.trim().parse().map_err(|_| Error::invalid_text_representation("bigint", text))?;
    if number < 0 {
        return Err(Error::invalid_parameter_value("a position can't be negative"));
    }
    Ok(Position(number))
}

fn boolean(text: &str) -> Result<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "on" | "1" | "t" | "yes" => Ok(true),
        "false" | "off" | "0" | "f" | "no" => Ok(false),
        _ => Err(Error::invalid_text_representation("boolean", text)),
    }
}

/// An interval's text as a time to wait.
pub(crate) fn duration(text: &str) -> Result<Duration> {
    let settings = crate::types::FormatSettings::default();
    let ScalarValue::IntervalMonthDayNano(Some(interval)) =
        input_scalar(PgType::INTERVAL, text, &settings)?
    else {
        return Err(Error::internal("an interval is kept as something else"));
    };
    let days = i64::from(interval.months) * 30 + i64::from(interval.days);
    let nanoseconds = days
        .checked_mul(86_400_000_000_000)
        .and_then(|days| days.checked_add(interval.nanoseconds))
        .and_then(|all| u64::try_from(all).ok());
    match nanoseconds.map(Duration::from_nanos) {
        Some(duration) if duration >= MIN_INTERVAL => Ok(duration),
        _ => Err(Error::invalid_parameter_value(format!(
            "the interval must be at least {} ms",
            MIN_INTERVAL.as_millis()
        ))),
    }
}

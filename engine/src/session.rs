//! One connection: statements come in, rows and effects come out, transactions go on between them.
//!
//! The methods follow the extended protocol, of which a simple query is a shorter form: parse,
//! bind, execute, rows, complete, sync. A [`Portal`] is one execution; its rows are pulled. What
//! ends a transaction happens in [`Session::complete`], [`Session::sync`] and [`Session::fail`],
//! whose futures run to their end; any other future may be dropped, and `fail` follows.

use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use datafusion::common::ScalarValue;

use crate::{
    catalog::{part::CatalogView, store::SessionCatalog},
    engine::Engine,
    error::{Error, Result, SqlState},
    exec::{self, cursor::Cursor, ddl::OnCommit, staged::Stages},
    listen::Listening,
    prepared::Prepared as PreparedPlan,
    session::{objects::Kept, state::SessionState},
    settings::Effective,
    statement::{self, Literal, Statement, Template},
    txn::{Phase, Transaction},
    types::{Format, FormatSettings, Oid, PgType},
};

mod lifecycle;
pub(crate) mod objects;
mod portal;
pub(crate) mod state;
mod transaction;

pub use portal::{Batch, CopyShape, Field, Portal, Started, Tag};
pub(crate) use portal::{Ending, Rows, in_context};
pub(crate) use transaction::{ends_failed_block, now_us};

/// One connection's SQL.
pub struct Session {
    pub(crate) engine: Arc<Engine>,
    pub(crate) state: Arc<SessionState>,
    pub(crate) transaction: Transaction,
    /// The catalog of `current_user`'s namespace.
    pub(crate) catalog: Arc<SessionCatalog>,
    pub(crate) listening: Listening,
    /// Made by SQL's PREPARE.
    pub(crate) prepared: HashMap<String, Kept>,
    pub(crate) cursors: HashMap<String, Cursor>,
    /// What the stages of the present statement share, while they run.
    pub(crate) stages: Option<Box<Stages>>,
    /// What COMMIT does to temporary tables, by the role whose they are: private numbers are
    /// given in each namespace anew.
    pub(crate) on_commit: HashMap<(Oid, Oid), OnCommit>,
    /// Roles in whose namespaces the session has made temporary objects.
    pub(crate) temporary_for: Vec<Oid>,
    pub(crate) discards: Vec<Discard>,
    /// The statements that the protocol keeps by a name.
    pub(crate) protocol_statements: HashMap<String, Kept>,
    /// What Parse has just made, until it has a name.
    just_prepared: Option<Arc<PreparedPlan>>,
    /// Whether the present statement runs in a portal of the extended protocol.
    in_portal: bool,
    /// Names of the portals that the protocol keeps.
    pub(crate) protocol_portals: std::collections::HashSet<String>,
    /// What the client was told of the settings, as of a version of the state.
    reported: HashMap<String, String>,
    reported_version: u64,
    registration: u64,
}

/// A statement that was parsed and, unless it is one of a script, analysed.
#[derive(Clone)]
pub struct Prepared {
    pub(crate) statement: Option<Arc<Statement>>,
    pub(crate) plan: Option<Arc<PreparedPlan>>,
    parameters: Arc<[u32]>,
    fields: Option<Arc<[Field]>>,
    literals: Option<Arc<Literals>>,
}

/// A simple query whose statement has parameters in place of its literals.
struct Literals {
    /// Those of one row after the other.
    values: Vec<Literal>,
    rows: usize,
    /// The text as it came.
    sql: String,
}

/// What the parameters of a statement are given.
#[derive(Clone, Copy, Debug)]
pub struct Arguments<'a> {
    /// The portal's name in the protocol, for CONTEXT.
    pub portal: &'a str,
    /// None (all text), one for all, or one per value.
    pub formats: &'a [Format],
    /// The values, `None` for NULL.
    pub values: &'a [Option<&'a [u8]>],
}

/// What SQL dropped of the protocol's objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Discard {
    /// One prepared statement.
    Statement(String),
    /// All of them.
    AllStatements,
    /// One portal.
    Portal(String),
    /// All of them.
    AllPortals,
}

/// Where the session stands, for ReadyForQuery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    /// Outside a transaction block.
    Idle,
    /// Inside one.
    InTransaction,
    /// Inside one that has failed.
    Failed,
}

/// The session's timeouts; `None` is never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// For one statement.
    pub statement: Option<Duration>,
    /// Between statements outside a transaction.
    pub idle: Option<Duration>,
    /// Between statements in a transaction.
    pub idle_in_transaction: Option<Duration>,
}

/// Who connects, and how.
#[derive(Clone, Debug)]
pub struct Connect {
    /// The authenticated role.
    pub user: String,
    /// The database asked for.
    pub database: String,
    /// Settings of the start-up packet, its `options` already split into them.
    pub settings: Vec<(String, String)>,
    /// `pg_backend_pid()`.
    pub process_id: i32,
    /// The client's address.
    pub address: Option<SocketAddr>,
    /// The server's address that the client has come to.
    pub server_address: Option<SocketAddr>,
}

/// Longest script in statements.
const MAX_SCRIPT_STATEMENTS: usize = 1_000_000;

/// A parameter whose value can't be read.
struct Misread {
    index: usize,
    format: Format,
    error: Error,
}

impl Misread {
    /// The error with PostgreSQL's CONTEXT. It shows no more of a text than
    /// `log_parameter_max_length_on_error` allows, which is nothing by default.
    fn in_context(self, portal: &str) -> Error {
        let mut context = self.error.context.clone().map_or_else(String::new, |inner| inner + "\n");
        let portal = match portal {
            "" => "unnamed portal".to_owned(),
            name => format!("portal \"{name}\""),
        };
        context += &format!("{portal} parameter ${}", self.index + 1);
        if self.format == Format::Text {
            context += " = '...'";
        }
        self.error.with_context(context)
    }
}

/// 22P03 where a value of a fixed length has bytes left over.
fn check_left_over(index: usize, format: Format, ty: PgType, value: Option<&[u8]>) -> Result<()> {
    let length = usize::try_from(ty.length()).ok().filter(|_| ty.oid != Oid::NAME);
    match (format, value, length) {
        (Format::Binary, Some(value), Some(length)) if value.len() > length => {
            Err(Error::invalid_binary_representation(format!(
                "incorrect binary data format in bind parameter {}",
                index + 1
            )))
        }
        _ => Ok(()),
    }
}

impl Prepared {
    /// One that is not analysed.
    fn parsed(statement: Option<Arc<Statement>>) -> Self {
        Prepared { statement, plan: None, parameters: Arc::default(), fields: None, literals: None }
    }

    /// Type OIDs of the parameters.
    pub fn parameters(&self) -> &[u32] {
        &self.parameters
    }

    /// The columns of its rows, if it returns some.
    pub fn fields(&self) -> Option<Arc<[Field]>> {
        self.fields.clone()
    }
}

/// Parsing and preparing.
impl Session {
    /// Parses all statements of a simple query before any of them runs.
    pub fn parse_script(&mut self, sql: &str) -> Result<Vec<Prepared>> {
        self.note_query(sql);
        if let Some((statement, template)) = self.engine.plans.template(sql) {
            self.tell_truncated(&statement);
            let Template { literals: values, rows, .. } = template;
            let literals = Literals { values, rows, sql: sql.to_owned() };
            let prepared = Prepared::parsed(Some(statement));
            return Ok(vec![Prepared { literals: Some(Arc::new(literals)), ..prepared }]);
        }
        let statements = self.engine.plans.script(sql)?;
        if statements.len() > MAX_SCRIPT_STATEMENTS {
            return Err(Error::program_limit_exceeded("too many statements in one query"));
        }
        statements.iter().for_each(|statement| self.tell_truncated(statement));
        let parsed = |statement: &Arc<Statement>| Prepared::parsed(Some(Arc::clone(statement)));
        Ok(statements.iter().map(parsed).collect())
    }

    fn tell_truncated(&self, statement: &Statement) {
        statement.notices().for_each(|notice| self.state.notice(notice));
    }

    /// Parses and analyses at most one statement. `types` may be shorter than the list of
    /// parameters; 0 stands for a type to be inferred.
    pub async fn prepare(&mut self, sql: &str, types: &[u32]) -> Result<Prepared> {
        self.note_query(sql);
        let Some(statement) = self.engine.plans.single(sql)? else {
            return Ok(Prepared::parsed(None));
        };
        self.tell_truncated(&statement);
        exec::check_phase(self, &statement)?;
        self.begin_implicit().await?;
        let plan = exec::prepare(self, &statement, types, true).await?;
        let output = exec::output(self, &plan)?;
        self.just_prepared = Some(Arc::clone(&plan));
        Ok(Prepared {
            statement: Some(statement),
            parameters: plan.parameters.iter().map(|ty| ty.oid.0).collect(),
            fields: output.map(|output| plan.fields(&output)),
            plan: Some(plan),
            literals: None,
        })
    }

    /// Makes a portal of a prepared statement and its parameters.
    pub async fn bind(
        &mut self,
        prepared: &Prepared,
        arguments: Arguments<'_>,
        result_formats: &[Format],
    ) -> Result<Portal> {
        let (Some(statement), Some(plan)) = (&prepared.statement, &prepared.plan) else {
            return Ok(Portal::empty());
        };
        exec::check_phase(self, statement)?;
        self.begin_implicit().await?;
        let plan = self.current_plan(statement, plan).await?;
        self.in_portal = true;
        let format = |i| format_at(arguments.formats, i);
        let given = arguments.values.iter().enumerate().map(|(i, value)| (format(i), *value));
        let parameters = self.decode_parameters(&plan, given);
        let parameters = parameters.map_err(|misread| misread.in_context(arguments.portal))?;
        let mut portal = self.portal(plan, parameters, result_formats)?;
        if let statement::Parsed::Execute { name, .. } = &statement.body
            && portal.fields.is_some()
        {
            portal.changed = exec::prepare::current(self, name).await.err();
        }
        // What a cursor returns is the cursor's affair.
        let is_fetch = matches!(statement.body, statement::Parsed::Fetch(_));
        if !is_fetch && !same_fields(portal.fields.as_ref(), prepared.fields.as_ref()) {
            return Err(Error::feature_not_supported("cached plan must not change result type"));
        }
        Ok(portal)
    }

    fn decode_parameters<'a>(
        &self,
        plan: &PreparedPlan,
        given: impl ExactSizeIterator<Item = (Format, Option<&'a [u8]>)>,
    ) -> Result<Vec<ScalarValue>, Misread> {
        // Several rows of them come one after the other.
        let types = plan.parameters.iter().cycle();
        let effective = self.state.effective();
        // For `now` and `today`.
        let start_time = Some(self.transaction.start_time);
        let settings = FormatSettings { now_us: start_time, ..effective.format.clone() };
        let view = self.view();
        let names = crate::functions::session::names::Scope {
            view: &view,
            path: Arc::clone(&effective.search_path),
        };
        let mut parameters = Vec::with_capacity(given.len());
        for (index, ((format, value), ty)) in given.zip(types).enumerate() {
            // Names of the catalog mean something to the session alone.
            let named = match (format, value.and_then(|value| std::str::from_utf8(value).ok())) {
                (Format::Text, Some(text)) => names.parameter(*ty, text),
                _ => None,
            };
            let parameter = match named {
                Some(parameter) => parameter,
                None => check_left_over(index, format, *ty, value)
                    .and_then(|()| crate::types::decode_parameter(*ty, format, value, &settings)),
            };
            parameters.push(parameter.map_err(|error| Misread { index, format, error })?);
        }
        Ok(parameters)
    }

    /// Makes the portal of one statement of a simple query.
    pub async fn start_simple(&mut self, prepared: &Prepared, is_last: bool) -> Result<Portal> {
        let Some(statement) = &prepared.statement else { return Ok(Portal::empty()) };
        exec::check_phase(self, statement)?;
        self.begin_implicit().await?;
        self.in_portal = false;
        let mut portal = match &prepared.literals {
            Some(literals) => self.start_template(statement, literals).await?,
            None => self.start_parsed(statement).await?,
        };
        portal.ends_query = is_last;
        Ok(portal)
    }

    /// A portal of the plan that all texts share which differ in their literals only. Where that
    /// doesn't work out the text itself says why, or is right after all.
    async fn start_template(
        &mut self,
        statement: &Arc<Statement>,
        literals: &Literals,
    ) -> Result<Portal> {
        let row = &literals.values[..literals.values.len() / literals.rows];
        let types: Vec<u32> = row.iter().map(|literal| literal.ty.0).collect();
        let plan = exec::prepare(self, statement, &types, true).await;
        // Who has waited in vain doesn't wait again.
        if let Err(error) = &plan
            && matches!(error.sqlstate, SqlState::LOCK_NOT_AVAILABLE | SqlState::DEADLOCK_DETECTED)
        {
            return Err(error.clone());
        }
        if let Some(portal) = plan.ok().and_then(|plan| self.portal_of_literals(plan, literals)) {
            return Ok(portal);
        }
        let script = self.engine.plans.script(&literals.sql)?;
        let Some(own) = script.first() else { return Ok(Portal::empty()) };
        let portal = self.start_parsed(own).await?;
        self.engine.plans.forget_template(statement);
        Ok(portal)
    }

    fn portal_of_literals(&self, plan: Arc<PreparedPlan>, literals: &Literals) -> Option<Portal> {
        let values = literals.values.iter().map(|literal| literal.value.as_deref());
        let given = values.map(|value| (Format::Text, value.map(str::as_bytes)));
        let parameters = self.decode_parameters(&plan, given).ok()?;
        if literals.rows == 1 {
            return self.portal(plan, parameters, &[]).ok();
        }
        let width = literals.values.len() / literals.rows;
        if !plan.body.takes_rows() || plan.parameters.len() != width {
            return None;
        }
        let column = |place| {
            let values = parameters.iter().skip(place).step_by(width).cloned();
            ScalarValue::iter_to_array(values).ok()
        };
        let columns = (0..width).map(column).collect::<Option<Vec<_>>>()?;
        let mut portal = self.portal(plan, Vec::new(), &[]).ok()?;
        portal.parameter_rows = Some((literals.rows, columns));
        Some(portal)
    }

    async fn start_parsed(&mut self, statement: &Arc<Statement>) -> Result<Portal> {
        let plan = exec::prepare(self, statement, &[], false)
            .await
            .map_err(|error| error.shifted(statement.offset))?;
        if !plan.parameters.is_empty() {
            return Err(Error::undefined_parameter(1));
        }
        let mut portal = self.portal(plan, Vec::new(), &[])?;
        portal.offset = statement.offset;
        Ok(portal)
    }

    fn portal(
        &self,
        plan: Arc<PreparedPlan>,
        parameters: Vec<ScalarValue>,
        formats: &[Format],
    ) -> Result<Portal> {
        let output = exec::output(self, &plan)?;
        plan.check_constants()?;
        Ok(Portal::new(plan, parameters, output, formats.to_vec()))
    }

    /// The plan, made anew if what it was made for has changed.
    async fn current_plan(
        &mut self,
        statement: &Arc<Statement>,
        plan: &Arc<PreparedPlan>,
    ) -> Result<Arc<PreparedPlan>> {
        if plan.is_current(&self.view(), &self.state.effective().search_path)
            && exec::settle::lock(self, &plan.body).await?
        {
            return Ok(Arc::clone(plan));
        }
        let types: Vec<u32> = plan.parameters.iter().map(|ty| ty.oid.0).collect();
        exec::prepare(self, statement, &types, true).await
    }
}

/// Running.
impl Session {
    /// Starts a portal.
    pub async fn execute(&mut self, portal: &mut Portal) -> Result<Started> {
        let offset = portal.offset;
        let started = exec::run(self, portal).await.map_err(|error| error.shifted(offset))?;
        Ok(started)
    }

    /// Whether a suspended portal may go on: in a failed block it waits for a ROLLBACK TO.
    pub fn resume(&self) -> Result<()> {
        match self.transaction.phase {
            Phase::Failed => Err(Error::in_failed_transaction()),
            Phase::Idle | Phase::Implicit | Phase::Block => Ok(()),
        }
    }

    /// The next rows, in batches of any size but 0.
    pub async fn next(&mut self, portal: &mut Portal) -> Result<Option<Batch>> {
        portal.next(self).await
    }

    /// Data of COPY FROM STDIN.
    pub async fn copy_data(&mut self, portal: &mut Portal, data: Bytes) -> Result<()> {
        exec::copy::data(self, portal, &data).await
    }

    /// The end of the data of COPY FROM STDIN.
    pub async fn copy_done(&mut self, portal: &mut Portal) -> Result<()> {
        exec::copy::done(self, portal).await
    }

    /// The error that the client's giving up COPY FROM STDIN ends with.
    pub fn copy_given_up(&self, portal: &Portal, reason: &str) -> Error {
        exec::copy::given_up(portal, reason)
    }

    /// Ends the portal's work: its effects join the transaction, which ends here if the portal is
    /// transaction control or the last of a simple query.
    pub async fn complete(&mut self, portal: &mut Portal) -> Result<Tag> {
        self.complete_portal(portal).await
    }

    /// Where the session stands.
    pub fn transaction_status(&self) -> TransactionStatus {
        match self.transaction.phase {
            Phase::Idle | Phase::Implicit => TransactionStatus::Idle,
            Phase::Block => TransactionStatus::InTransaction,
            Phase::Failed => TransactionStatus::Failed,
        }
    }

    /// Columns of an SQL cursor, if there is one of this name.
    pub fn cursor_fields(&self, name: &str) -> Option<Arc<[Field]>> {
        self.cursors.get(name).map(|cursor| Field::of(&cursor.output))
    }

    /// A portal of an SQL cursor's next rows, at most `limit`, if there is one of this name.
    pub fn cursor_portal(&mut self, name: &str, limit: Option<u64>) -> Option<Portal> {
        exec::cursor::portal(self, name, limit)
    }

    /// Closes the SQL cursor of this name, if there is one.
    pub fn close_cursor(&mut self, name: &str) {
        self.cursors.remove(name);
    }

    /// Settings whose new values the client is to be told.
    pub fn take_parameter_changes(&mut self) -> Vec<(String, String)> {
        let mut changes = Vec::new();
        let version = self.state.version();
        if version != self.reported_version {
            self.reported_version = version;
            for (name, value) in self.state.reported() {
                if self.reported.get(&name) != Some(&value) {
                    self.reported.insert(name.clone(), value.clone());
                    changes.push((name, value));
                }
            }
        }
        changes.extend(
            self.state.take_told().into_iter().filter(|(name, _)| name == "commit_position"),
        );
        changes
    }

    /// Notices and warnings that arose.
    pub fn take_notices(&mut self) -> Vec<Error> {
        self.state.take_notices()
    }

    /// The protocol keeps the statement that was prepared last under this name.
    pub fn statement_named(&mut self, name: &str) {
        if let Some(plan) = self.just_prepared.take() {
            let kept = self.keep(plan);
            self.protocol_statements.insert(name.to_owned(), kept);
        }
    }

    /// The protocol has dropped the statement of this name.
    pub fn statement_closed(&mut self, name: &str) {
        self.protocol_statements.remove(name);
    }

    /// The protocol keeps a portal under this name now.
    pub fn portal_named(&mut self, name: &str) {
        self.protocol_portals.insert(name.to_owned());
    }

    /// The protocol has dropped the portal of this name.
    pub fn portal_closed(&mut self, name: &str) {
        self.protocol_portals.remove(name);
    }

    /// What SQL dropped of the protocol's objects.
    pub fn take_discards(&mut self) -> Vec<Discard> {
        std::mem::take(&mut self.discards)
    }

    /// The timeouts as they are set now.
    pub fn timeouts(&self) -> Timeouts {
        let effective = self.state.effective();
        Timeouts {
            statement: effective.statement_timeout,
            idle: effective.idle_timeout,
            idle_in_transaction: effective.idle_in_transaction_timeout,
        }
    }

    /// What names mean now.
    pub(crate) fn view(&self) -> Arc<CatalogView> {
        self.transaction.catalog.view()
    }

    pub(crate) fn effective(&self) -> Arc<Effective> {
        self.state.effective()
    }
}

/// Mostly the very same list, as long as the plan is the same. Which table the columns come from
/// doesn't matter.
fn same_fields(a: Option<&Arc<[Field]>>, b: Option<&Arc<[Field]>>) -> bool {
    let same = |(a, b): (&Field, &Field)| a.name == b.name && a.ty == b.ty;
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => {
            Arc::ptr_eq(a, b) || a.len() == b.len() && a.iter().zip(b.iter()).all(same)
        }
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// The protocol's rule: no format means text, one is for all.
fn format_at(formats: &[Format], index: usize) -> Format {
    match formats {
        [] => Format::Text,
        [one] => *one,
        many => many.get(index).copied().unwrap_or(Format::Text),
    }
}

const _: fn() = || {
    fn is_send<T: Send>() {}
    is_send::<Session>();
};

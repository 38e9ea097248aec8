//! COPY between a client and a table, a query or a subscription.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use datafusion::{common::tree_node::TreeNode, logical_expr::Expr};

use crate::{
    analyze::{Environment, Parameters, bind_expression, column_default},
    catalog::{Relation, RelationBody},
    context::ExecutionContext,
    copy::{CopyBatch, CopyFormat, CopyIn, CopyMessages, CopyOptions, CopyOut},
    error::{Error, Result, SqlState},
    exec::{
        self,
        evaluate::{Evaluator, filter_batch, row_columns},
        insert::insert_batch,
        rules::Rules,
        write::Writer,
    },
    locks::Mode,
    session::{CopyShape, Portal, Rows, Session, Started, Tag},
    statement::{AtServer, Copy, CopySource, Parsed, Statement, parse_single},
    types::{Format, PgType},
};

/// A COPY under way.
pub(crate) enum CopyState {
    In(Box<CopyingIn>),
    Out(Box<CopyingOut>),
}

impl CopyState {
    pub(crate) fn is_subscription(&self) -> bool {
        matches!(self, CopyState::Out(out) if matches!(out.rows, Rows::Subscription(_)))
    }

    /// The next messages of COPY TO STDOUT.
    pub(crate) async fn next(&mut self, session: &mut Session) -> Result<Option<CopyMessages>> {
        match self {
            CopyState::Out(out) => out.next(session).await,
            CopyState::In(_) => Ok(None),
        }
    }
}

/// COPY FROM STDIN.
pub(crate) struct CopyingIn {
    reader: CopyIn,
    writer: Writer,
    rules: Rules,
    context: Arc<ExecutionContext>,
    /// For each live column: where it comes from.
    sources: Vec<Source>,
    defaults: Evaluator,
    filter: Option<Evaluator>,
    rows: u64,
    /// What FREEZE fails with once the client is told to send.
    refused: Option<Error>,
}

enum Source {
    /// A column of the data.
    Data(usize),
    /// A place in `defaults`.
    Default(usize),
}

/// COPY TO STDOUT.
pub(crate) struct CopyingOut {
    writer: CopyOut,
    rows: Rows,
    count: u64,
    started: bool,
    ended: bool,
    tag: Arc<std::sync::atomic::AtomicU64>,
}

/// Runs COPY as far as it goes without the client.
pub(crate) async fn run(
    session: &mut Session,
    copy: &Copy,
    portal: &mut Portal,
) -> Result<Started> {
    if let Some(place) = copy.at_server {
        return Err(refuse_at_server(session, place, copy.from));
    }
    let options = CopyOptions::new(&copy.options, copy.from)?;
    let format = match options.format {
        CopyFormat::Binary => Format::Binary,
        CopyFormat::Text | CopyFormat::Csv => Format::Text,
    };
    if copy.from {
        return copy_in(session, copy, &options, format, portal).await;
    }
    let columns = match &copy.source {
        CopySource::Table { schema, name, columns } => {
            let statement = table_query(session, schema.as_deref(), name, columns).await?;
            start_query(session, &statement, portal).await?
        }
        CopySource::Query(statement) => start_query(session, statement, portal).await?,
        CopySource::Subscribe(statement) => {
            let subscription = exec::subscribe::open_inner(session, statement)?;
            let output = Arc::clone(subscription.output());
            portal.rows = Rows::Subscription(subscription);
            output.iter().map(|column| (column.name.clone(), column.ty)).collect()
        }
    };
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    options.check_columns(&names, None)?;
    let count = u16::try_from(columns.len())
        .map_err(|_| Error::program_limit_exceeded("too many columns for COPY"))?;
    let settings = session.effective().format.clone();
    let counter = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let out = CopyingOut {
        writer: CopyOut::new(&options, columns, &settings)?,
        rows: std::mem::replace(&mut portal.rows, Rows::None),
        count: 0,
        started: false,
        ended: false,
        tag: Arc::clone(&counter),
    };
    portal.rows = Rows::CopyOut(Box::new(CopyState::Out(Box::new(out))));
    portal.copied = Some(counter);
    portal.tag = Tag::new("COPY");
    Ok(Started::CopyOut(CopyShape { format, columns: count }))
}

/// 42501 as in PostgreSQL; 0A000 for those who may do it there.
fn refuse_at_server(session: &Session, place: AtServer, from: bool) -> Error {
    let (role, what) = match (place, from) {
        (AtServer::Program, _) => ("pg_execute_server_program", "to or from an external program"),
        (AtServer::File, true) => ("pg_read_server_files", "from a file"),
        (AtServer::File, false) => ("pg_write_server_files", "to a file"),
    };
    let view = session.view();
    let may = view
        .cluster
        .role_by_name(role)
        .is_some_and(|found| view.cluster.has_privileges_of(view.role, found.oid));
    let error = match may {
        true => Error::feature_not_supported(format!("COPY {what} is not supported")),
        false => Error::new(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!("must be superuser or have privileges of the {role} role to COPY {what}"),
        ),
    };
    error.with_hint(
        "Anyone can COPY to stdout or from stdin. psql's \\copy command also works for anyone.",
    )
}

/// `COPY table TO` is `SELECT columns FROM table`, whose rows a view may not have.
async fn table_query(
    session: &mut Session,
    schema: Option<&str>,
    name: &str,
    columns: &[String],
) -> Result<Arc<Statement>> {
    let relation = exec::settle::lock_one(session, schema, name, Mode::AccessShare).await?;
    match relation.body {
        RelationBody::Table { .. } | RelationBody::System => {}
        RelationBody::View { .. } => {
            return Err(Error::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("cannot copy from view \"{name}\""),
            )
            .with_hint("Try the COPY (SELECT ...) TO variant."));
        }
        RelationBody::Sequence(_) => {
            return Err(Error::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("cannot copy from sequence \"{name}\""),
            ));
        }
    }
    let quote = crate::catalog::part::quote_identifier;
    let list = target_columns(&relation, columns)?
        .iter()
        .map(|(_, name, _)| quote(name))
        .collect::<Vec<_>>()
        .join(", ");
    let text = format!("SELECT {list} FROM {}", session.view().qualified_name(&relation));
    parse_single(&text)?.ok_or_else(|| Error::internal("a query without text"))
}

async fn start_query(
    session: &mut Session,
    statement: &Arc<Statement>,
    portal: &mut Portal,
) -> Result<Vec<(String, PgType)>> {
    let Parsed::Plannable(_) = &statement.body else {
        return Err(Error::syntax_error("COPY takes a query"));
    };
    let plan = exec::prepare(session, statement, &[], false).await?;
    if !plan.parameters.is_empty() {
        return Err(Error::undefined_parameter(1));
    }
    let Some(output) = plan.output() else {
        return Err(Error::feature_not_supported("COPY query must have a RETURNING clause"));
    };
    exec::run_body(session, &plan.body, portal).await?;
    Ok(output.iter().map(|column| (column.name.clone(), column.ty)).collect())
}

impl CopyingOut {
    async fn next(&mut self, session: &mut Session) -> Result<Option<CopyMessages>> {
        if self.ended {
            return Ok(None);
        }
        if !self.started {
            self.started = true;
            if let Some(header) = self.writer.header() {
                return Ok(Some(header));
            }
        }
        let batch = match &mut self.rows {
            Rows::Ready(batches) => batches.pop_front(),
            Rows::Stream(stream, context) => {
                let batch = futures::StreamExt::next(stream).await.transpose()?;
                session.absorb_effects(context)?;
                batch
            }
            Rows::Subscription(subscription) => subscription.next().await?,
            Rows::None | Rows::Cursor(_) | Rows::CopyIn(_) | Rows::CopyOut(_) => None,
        };
        match batch {
            Some(batch) => {
                self.count += batch.num_rows() as u64;
                self.tag.store(self.count, std::sync::atomic::Ordering::Release);
                self.writer.write(&batch).map(Some)
            }
            None => {
                self.ended = true;
                Ok(self.writer.trailer())
            }
        }
    }
}

async fn copy_in(
    session: &mut Session,
    copy: &Copy,
    options: &CopyOptions,
    format: Format,
    portal: &mut Portal,
) -> Result<Started> {
    let CopySource::Table { schema, name, columns } = &copy.source else {
        return Err(Error::syntax_error("COPY FROM takes a table"));
    };
    let mode = Mode::RowExclusive;
    let relation = exec::settle::lock_one(session, schema.as_deref(), name, mode).await?;
    let view = session.view();
    let search_path = Arc::clone(&session.effective().search_path);
    if !matches!(relation.body, RelationBody::Table { .. }) {
        let message = format!("cannot copy to {} \"{name}\"", relation.kind_word());
        return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message));
    }
    session.check_changeable(&relation, "COPY FROM")?;
    exec::enter_change(session, &relation, "a", &[]).await?;
    let targets = target_columns(&relation, columns)?;
    let names: Vec<&str> = targets.iter().map(|(_, name, _)| name.as_str()).collect();
    let all: Vec<&str> = relation.shown_columns().map(|(_, column)| &*column.name).collect();
    options.check_columns(&names, Some((name, &all)))?;
    let context = session.execution_context();
    let env = Environment {
        catalog: &view,
        search_path: &search_path,
        database_name: &session.state.database_name,
    };
    let (sources, defaults) = sources(&relation, &targets, &env)?;
    let filter = match &copy.filter {
        Some(filter) => {
            let mut none = Parameters::default();
            let ty = Some(PgType::BOOL);
            let (expr, _) = bind_expression(filter, "", Some(&relation), ty, &env, &mut none)?;
            check_filter(&expr, &relation)?;
            Some(Evaluator::new(&[expr], &row_columns(&relation, 'a')?, &[])?)
        }
        None => None,
    };
    let refused = match options.freeze {
        true => check_freeze(session, &relation).err(),
        false => None,
    };
    let typed = targets.iter().map(|(_, name, ty)| (name.clone(), *ty)).collect();
    let copying = CopyingIn {
        reader: CopyIn::new(options, name, typed, context.format.clone())?,
        writer: Writer::new(session, &relation)?,
        rules: Rules::new(&relation, &env)?,
        context,
        sources,
        defaults: Evaluator::new(&defaults, &[], &[])?,
        filter,
        rows: 0,
        refused,
    };
    let columns = u16::try_from(targets.len())
        .map_err(|_| Error::program_limit_exceeded("too many columns for COPY"))?;
    portal.rows = Rows::CopyIn(Box::new(CopyState::In(Box::new(copying))));
    portal.tag = Tag::new("COPY 0");
    Ok(Started::CopyIn(CopyShape { format, columns }))
}

/// FREEZE asks for what is done anyway where nobody else sees the table's rows.
fn check_freeze(session: &Session, relation: &Relation) -> Result<()> {
    let namespace = session.view().namespace_of(relation);
    if session.transaction.has_new(namespace, relation) {
        return Ok(());
    }
    Err(Error::new(
        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
        "cannot perform COPY FREEZE because the table was not created or truncated in the \
         current subtransaction",
    ))
}

/// 42P10 for a generated column, which is computed after WHERE has chosen.
fn check_filter(filter: &Expr, relation: &Relation) -> Result<()> {
    for (attnum, column) in relation.live_columns().filter(|(_, column)| column.generated) {
        let named = |node: &Expr| {
            Ok(matches!(node, Expr::Column(found) if found.name == format!("a{attnum}")))
        };
        if filter.exists(named)? {
            return Err(Error::new(
                SqlState::INVALID_COLUMN_REFERENCE,
                "generated columns are not supported in COPY FROM WHERE conditions",
            )
            .with_detail(format!("Column \"{}\" is a generated column.", column.name)));
        }
    }
    Ok(())
}

/// (attnum, name, type) of the columns that are copied.
fn target_columns(relation: &Relation, names: &[String]) -> Result<Vec<(i16, String, PgType)>> {
    if names.is_empty() {
        let all = relation.shown_columns().filter(|(_, column)| !column.generated);
        return Ok(all.map(|(n, column)| (n, column.name.clone(), column.ty)).collect());
    }
    let mut found: Vec<(i16, String, PgType)> = Vec::with_capacity(names.len());
    for name in names {
        let column = relation.shown_columns().find(|(_, column)| column.name == *name);
        let (attnum, column) =
            column.ok_or_else(|| Error::undefined_column_of(name, &relation.name))?;
        if column.generated {
            return Err(Error::new(
                SqlState::INVALID_COLUMN_REFERENCE,
                format!("column \"{name}\" is a generated column"),
            )
            .with_detail("Generated columns cannot be used in COPY."));
        }
        if found.iter().any(|(other, ..)| *other == attnum) {
            return Err(Error::column_twice(name));
        }
        found.push((attnum, name.clone(), column.ty));
    }
    Ok(found)
}

fn sources(
    relation: &Arc<Relation>,
    targets: &[(i16, String, PgType)],
    env: &Environment<'_>,
) -> Result<(Vec<Source>, Vec<Expr>)> {
    let mut defaults = Vec::new();
    let mut sources = Vec::new();
    for (attnum, _) in relation.live_columns() {
        match targets.iter().position(|(target, ..)| *target == attnum) {
            Some(place) => sources.push(Source::Data(place)),
            None => {
                sources.push(Source::Default(defaults.len()));
                defaults.push(column_default(relation, attnum, env)?);
            }
        }
    }
    Ok((sources, defaults))
}

/// Data of COPY FROM STDIN.
pub(crate) async fn data(session: &mut Session, portal: &mut Portal, data: &[u8]) -> Result<()> {
    let Rows::CopyIn(state) = &mut portal.rows else { return Ok(()) };
    let CopyState::In(copying) = &mut **state else { return Ok(()) };
    copying.refused.clone().map_or(Ok(()), Err)?;
    copying.reader.push(data)?;
    copying.store(session).await
}

/// What the client's giving up ends with.
pub(crate) fn given_up(portal: &Portal, reason: &str) -> Error {
    match &portal.rows {
        Rows::CopyIn(state) => match &**state {
            CopyState::In(copying) => copying.reader.given_up(reason),
            CopyState::Out(_) => Error::query_canceled_by_copy(reason),
        },
        _ => Error::query_canceled_by_copy(reason),
    }
}

/// The end of the data.
pub(crate) async fn done(session: &mut Session, portal: &mut Portal) -> Result<()> {
    let Rows::CopyIn(state) = &mut portal.rows else { return Ok(()) };
    let CopyState::In(copying) = &mut **state else { return Ok(()) };
    copying.reader.finish();
    copying.store(session).await?;
    portal.tag = Tag::new(format!("COPY {}", copying.rows));
    Ok(())
}

impl CopyingIn {
    async fn store(&mut self, session: &mut Session) -> Result<()> {
        self.refused.clone().map_or(Ok(()), Err)?;
        while let Some(batch) = self.reader.next_batch()? {
            self.store_batch(session, &batch).await?;
        }
        Ok(())
    }

    async fn store_batch(&mut self, session: &mut Session, batch: &CopyBatch) -> Result<()> {
        let rows = batch.rows.num_rows();
        let defaults = self.defaults.evaluate(&self.context, &[], rows, &[])?;
        let columns: Vec<ArrayRef> = self
            .sources
            .iter()
            .map(|source| match source {
                Source::Data(place) => Arc::clone(batch.rows.column(*place)),
                Source::Default(place) => Arc::clone(&defaults[*place]),
            })
            .collect();
        let (columns, rows) = self.filtered(columns, rows)?;
        let (writer, rules, context) = (&mut self.writer, &self.rules, &self.context);
        let stored = insert_batch(session, writer, rules, context, columns, rows).await;
        stored.map_err(|(error, place)| {
            // With WHERE the place is one among the rows that are left.
            let place = if self.filter.is_some() { batch.rows.num_rows() - 1 } else { place };
            // Unique indexes speak when the rows of a batch are stored, apart from their lines.
            let is_stored = error.sqlstate == SqlState::UNIQUE_VIOLATION;
            error.with_context(match is_stored {
                true => batch.line_context(place),
                false => batch.context(place),
            })
        })?;
        self.rows += rows as u64;
        Ok(())
    }

    fn filtered(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<(Vec<ArrayRef>, usize)> {
        let Some(filter) = &self.filter else { return Ok((columns, rows)) };
        let batch = RecordBatch::try_new(self.writer.layout.schema(), columns)?;
        let batch = filter_batch(filter, &self.context, &batch, &[])?;
        Ok((batch.columns().to_vec(), batch.num_rows()))
    }
}

//! One execution of a statement: what it was given, what it returns, how far it has come.

use std::{borrow::Cow, collections::VecDeque, sync::Arc};

use arrow::array::{ArrayRef, RecordBatch};
use bytes::BytesMut;
use datafusion::common::ScalarValue;
use futures::StreamExt;

use crate::{
    analyze::OutputColumn,
    context::ExecutionContext,
    copy::CopyMessages,
    error::{Error, Result},
    exec::{copy::CopyState, cursor::Fetching, select::RowStream},
    prepared::Prepared as PreparedPlan,
    session::Session,
    subscribe::Subscription,
    types::{BoundEncoder, Format, Oid, PgType, RowEncoder},
};

/// One execution of a statement.
pub struct Portal {
    pub(crate) plan: Option<Arc<PreparedPlan>>,
    pub(crate) parameters: Vec<ScalarValue>,
    /// In their place, where there is a set of them for each of so many rows: a column for each.
    pub(crate) parameter_rows: Option<(usize, Vec<ArrayRef>)>,
    pub(crate) output: Option<Arc<[OutputColumn]>>,
    pub(crate) fields: Option<Arc<[Field]>>,
    pub(crate) formats: Vec<Format>,
    /// Why `fields` may not be told: the statement that EXECUTE names is another now.
    pub(crate) changed: Option<Error>,
    /// It is the last statement of a simple query, whose end commits.
    pub(crate) ends_query: bool,
    /// Its rows are being made: an error from here on comes after their description.
    pub(crate) has_begun: bool,
    /// Where its text begins in the script, for error positions.
    pub(crate) offset: u32,
    pub(crate) rows: Rows,
    pub(crate) tag: Tag,
    pub(crate) ending: Ending,
    /// Rows that COPY TO has sent.
    pub(crate) copied: Option<Arc<std::sync::atomic::AtomicU64>>,
    encoder: Option<Arc<RowEncoder>>,
}

/// Rows that are still to come.
pub(crate) enum Rows {
    None,
    Ready(VecDeque<RecordBatch>),
    /// What its expressions ask of the transaction is in the context.
    Stream(RowStream, Arc<ExecutionContext>),
    Subscription(Box<Subscription>),
    /// What is still to be fetched of a cursor.
    Cursor(Box<Fetching>),
    CopyOut(Box<CopyState>),
    CopyIn(Box<CopyState>),
}

/// What [`Session::complete`] does to the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    None,
    Commit { chain: bool },
    Rollback { chain: bool },
}

/// What a portal does once it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// It returns rows.
    Rows,
    /// It is done.
    Done,
    /// There was no statement.
    Empty,
    /// It takes COPY data.
    CopyIn(CopyShape),
    /// It returns COPY data.
    CopyOut(CopyShape),
}

/// What CopyInResponse and CopyOutResponse say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyShape {
    /// Of all columns.
    pub format: Format,
    /// How many columns.
    pub columns: u16,
}

/// What CommandComplete says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tag {
    /// Such as `INSERT 0 5`, or `SELECT`, which a count follows.
    pub text: Cow<'static, str>,
    /// The number of rows sent follows.
    pub counts_rows: bool,
}

impl Tag {
    pub(crate) fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Tag { text: text.into(), counts_rows: false }
    }

    pub(crate) fn counting(text: &'static str) -> Self {
        Tag { text: text.into(), counts_rows: true }
    }
}

/// A column of a result, as RowDescription tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Name.
    pub name: Arc<str>,
    /// Type and modifier.
    pub ty: PgType,
    /// OID of the table it comes from, else 0.
    pub table: u32,
    /// Its attribute number there, else 0.
    pub attnum: i16,
}

impl Field {
    pub(crate) fn of(output: &Arc<[OutputColumn]>) -> Arc<[Field]> {
        output
            .iter()
            .map(|column| Field {
                name: column.name.as_str().into(),
                ty: column.ty,
                table: column.table.0,
                attnum: column.attnum,
            })
            .collect()
    }
}

/// Some rows, ready to be encoded one by one.
pub enum Batch {
    /// Rows of a result.
    Rows {
        /// How many.
        rows: usize,
        /// Their encoder, bound to the columns.
        encoder: BoundEncoder,
    },
    /// COPY data.
    Copy(CopyMessages),
}

impl Batch {
    /// Rows, or messages of COPY data.
    pub fn rows(&self) -> usize {
        match self {
            Batch::Rows { rows, .. } => *rows,
            Batch::Copy(messages) => messages.len(),
        }
    }

    /// Appends one row: for each column its length and its bytes; of COPY just the bytes.
    pub fn encode_row(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        match self {
            Batch::Rows { encoder, .. } => encoder.encode_row(row, out),
            Batch::Copy(messages) => {
                out.extend_from_slice(messages.message(row));
                Ok(())
            }
        }
    }
}

impl Portal {
    pub(crate) fn empty() -> Self {
        Portal {
            plan: None,
            parameters: Vec::new(),
            parameter_rows: None,
            output: None,
            fields: None,
            formats: Vec::new(),
            ends_query: false,
            has_begun: false,
            offset: 0,
            rows: Rows::None,
            tag: Tag::default(),
            ending: Ending::None,
            copied: None,
            changed: None,
            encoder: None,
        }
    }

    pub(crate) fn new(
        plan: Arc<PreparedPlan>,
        parameters: Vec<ScalarValue>,
        output: Option<Arc<[OutputColumn]>>,
        formats: Vec<Format>,
    ) -> Self {
        let fields = output.as_ref().map(|output| plan.fields(output));
        Portal { plan: Some(plan), parameters, fields, output, formats, ..Portal::empty() }
    }

    /// The columns of its rows, if it returns some.
    pub fn fields(&self) -> Option<Arc<[Field]>> {
        self.fields.clone()
    }

    /// What Describe fails with.
    ///
    /// # Errors
    /// Those of analysing anew the statement that EXECUTE names.
    pub fn check_description(&self) -> Result<()> {
        self.changed.clone().map_or(Ok(()), Err)
    }

    /// Whether its rows were being made when it failed.
    pub fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Whether its rows come for ever.
    pub fn is_subscription(&self) -> bool {
        match &self.rows {
            Rows::Subscription(_) => true,
            Rows::CopyOut(copy) => copy.is_subscription(),
            Rows::None | Rows::Ready(_) | Rows::Stream(..) | Rows::Cursor(_) | Rows::CopyIn(_) => {
                false
            }
        }
    }

    /// The rows are there already.
    pub(crate) fn ready(&mut self, batches: impl IntoIterator<Item = RecordBatch>) -> Started {
        self.rows = Rows::Ready(batches.into_iter().filter(|b| b.num_rows() > 0).collect());
        Started::Rows
    }

    /// Prepares the encoder, once the session's format settings of this moment are known.
    pub(crate) fn bind_encoder(&mut self, session: &Session) -> Result<()> {
        let Some(output) = &self.output else { return Ok(()) };
        let is_binary = |place| super::format_at(&self.formats, place) == Format::Binary;
        let record = output
            .iter()
            .position(|column| matches!(column.ty.oid, Oid::RECORD | Oid::RECORD_ARRAY));
        if record.is_some_and(is_binary) {
            return Err(Error::feature_not_supported("rows as values have no binary format here")
                .with_hint("Ask for text, or cast the row to text."));
        }
        let columns: Vec<(PgType, Format)> = output
            .iter()
            .enumerate()
            .map(|(i, column)| (column.ty, super::format_at(&self.formats, i)))
            .collect();
        let effective = session.state.effective();
        self.encoder = Some(Arc::new(RowEncoder::new(&columns, &effective.format)));
        Ok(())
    }

    pub(super) async fn next(&mut self, session: &mut Session) -> Result<Option<Batch>> {
        let batch = match &mut self.rows {
            Rows::None | Rows::CopyIn(_) => return Ok(None),
            Rows::CopyOut(copy) => return Ok(copy.next(session).await?.map(Batch::Copy)),
            Rows::Ready(batches) => batches.pop_front(),
            Rows::Stream(stream, context) => {
                let batch = stream.next().await.transpose()?;
                session.absorb_effects(context)?;
                batch
            }
            Rows::Subscription(subscription) => subscription.next().await?,
            Rows::Cursor(fetching) => fetching.next(session).await?,
        };
        let Some(batch) = batch else { return Ok(None) };
        let encoder =
            self.encoder.as_ref().ok_or_else(|| Error::internal("a portal has no encoder"))?;
        let columns = self.with_names(session, batch.columns());
        Ok(Some(Batch::Rows { rows: batch.num_rows(), encoder: encoder.bind(&columns)? }))
    }

    /// Columns of `regclass` and its kin show names in the text format.
    fn with_names(&self, session: &Session, columns: &[ArrayRef]) -> Vec<ArrayRef> {
        let Some(output) = &self.output else { return columns.to_vec() };
        let path = Arc::clone(&session.effective().search_path);
        let mut shown = columns.to_vec();
        for (place, (array, column)) in shown.iter_mut().zip(output.iter()).enumerate() {
            let text = super::format_at(&self.formats, place) == Format::Text;
            if text && crate::functions::session::names::is_named(column.ty) {
                let view = session.view();
                let names = crate::functions::session::names::column_as_text(
                    &view, &path, column.ty, array,
                );
                if let Some(names) = names {
                    *array = names;
                }
            }
        }
        shown
    }
}

/// A stream of batches that is polled inside its statement's context.
pub(crate) fn in_context(
    context: Arc<ExecutionContext>,
    mut stream: datafusion::execution::SendableRecordBatchStream,
) -> futures::stream::BoxStream<'static, Result<RecordBatch>> {
    futures::stream::poll_fn(move |cx| context.enter(|| stream.poll_next_unpin(cx)))
        .map(|batch| batch.map_err(Error::from))
        .boxed()
}

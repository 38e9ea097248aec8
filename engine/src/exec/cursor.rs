//! DECLARE, FETCH, MOVE, CLOSE.
//!
//! A cursor is a query's stream with a place in it. It goes forward only, so that it costs no more
//! than its next batch, unless it was declared SCROLL: then the rows that were passed are kept, up
//! to a limit. A held cursor keeps its snapshot when its transaction ends.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arrow::array::{Array, AsArray, RecordBatch};
use futures::StreamExt;
use kalamdb_storage::Key;

use crate::{
    analyze::OutputColumn,
    catalog::Relation,
    error::{Error, Result, SqlState},
    exec::{self, select::RowStream, subscribe},
    prepared::Body,
    session::{Discard, Field, Portal, Rows, Session, Started, Tag, now_us},
    statement::{CursorQuery, Declare, Fetch, FetchDirection, Name, Statement},
    subscribe::Subscription,
    txn::Phase,
    types::Oid,
};

/// Cursors open in one session.
const MAX_CURSORS: usize = 10_000;
/// Rows that a scrollable cursor keeps, in bytes.
const MAX_SCROLL_BYTES: usize = 256 << 20;

/// An open cursor.
pub(crate) struct Cursor {
    pub(crate) output: Arc<[OutputColumn]>,
    pub(crate) statement: Arc<str>,
    source: Source,
    pub(crate) hold: bool,
    /// The transaction that declared it has committed.
    committed: bool,
    scroll: bool,
    /// Scrollable: all rows seen. Else: rows pulled and not yet fetched.
    rows: VecDeque<RecordBatch>,
    kept_bytes: usize,
    /// Rows passed; with SCROLL the number of the present row, 0 before the first.
    place: i64,
    /// Tables whose rows it stands on, each with the column of its `_key` in `rows`.
    row_keys: Vec<(Arc<Relation>, usize)>,
    /// The keys of the row it stands on, in the order of `row_keys`.
    current: Option<Vec<Option<Key>>>,
    /// Microseconds since 1970.
    pub(crate) created: i64,
    /// `current_user` at that time.
    pub(crate) role: Oid,
    pub(crate) may_scroll: bool,
}

enum Source {
    Rows(RowStream),
    /// The mutex is never contended; it makes the session `Sync`.
    Subscription(Box<Mutex<Subscription>>),
    /// Read to its end.
    Ended,
}

impl Cursor {
    pub(crate) fn survives(&mut self, committed: bool) -> bool {
        self.committed |= committed && self.hold;
        self.hold && self.committed
    }

    pub(crate) fn is_held(&self) -> bool {
        self.hold && self.committed
    }

    async fn pull(&mut self) -> Result<Option<RecordBatch>> {
        let batch = match &mut self.source {
            Source::Rows(stream) => stream.next().await.transpose()?,
            Source::Subscription(subscription) => {
                subscription.get_mut().unwrap_or_else(PoisonError::into_inner).next().await?
            }
            Source::Ended => None,
        };
        if batch.is_none() {
            self.source = Source::Ended;
        }
        Ok(batch)
    }

    /// Some of the next `limit` rows, without keeping them; `None` at the end.
    async fn forward(&mut self, limit: u64) -> Result<Option<RecordBatch>> {
        if limit == 0 {
            return Ok(None);
        }
        let next = match self.rows.pop_front() {
            Some(batch) => Some(batch),
            None => self.pull().await?,
        };
        let Some(batch) = next else {
            self.stand_on_last(&[]);
            return Ok(None);
        };
        let rows = batch.num_rows();
        let taken = usize::try_from(limit).unwrap_or(usize::MAX).min(rows);
        if taken < rows {
            self.rows.push_front(batch.slice(taken, rows - taken));
        }
        self.place += taken as i64;
        let batch = batch.slice(0, taken);
        self.stand_on_last(std::slice::from_ref(&batch));
        Ok(Some(batch))
    }

    /// Passes over the next `limit` rows and tells how many there were.
    async fn skip(&mut self, limit: u64) -> Result<u64> {
        let mut passed = 0;
        while let Some(batch) = self.forward(limit - passed).await? {
            passed += batch.num_rows() as u64;
        }
        Ok(passed)
    }

    /// Of a subscription: waits for the first rows at most so long, then takes what is there.
    async fn forward_within(&mut self, n: u64, timeout: Duration) -> Result<Vec<RecordBatch>> {
        if self.rows.is_empty() {
            match tokio::time::timeout(timeout, self.pull()).await {
                Ok(Ok(Some(batch))) => self.rows.push_back(batch),
                Ok(Ok(None)) | Err(_) => return Ok(Vec::new()),
                Ok(Err(error)) => return Err(error),
            }
        }
        let mut ready: u64 = self.rows.iter().map(|batch| batch.num_rows() as u64).sum();
        while ready < n {
            let Some(next) = futures::FutureExt::now_or_never(self.pull()) else { break };
            match next? {
                Some(batch) => {
                    ready += batch.num_rows() as u64;
                    self.rows.push_back(batch);
                }
                None => break,
            }
        }
        let mut left = n.min(ready);
        let mut taken = Vec::new();
        while let Some(batch) = self.forward(left).await? {
            left -= batch.num_rows() as u64;
            taken.push(batch);
        }
        Ok(taken)
    }

    /// Scrollable cursors: makes sure row number `upto` is kept, if there is one. Returns how many
    /// rows are kept.
    async fn keep(&mut self, upto: i64) -> Result<i64> {
        let mut kept: i64 = self.rows.iter().map(|batch| batch.num_rows() as i64).sum();
        while kept < upto {
            let Some(batch) = self.pull().await? else { break };
            kept += batch.num_rows() as i64;
            self.kept_bytes += batch.get_array_memory_size();
            if self.kept_bytes > MAX_SCROLL_BYTES {
                return Err(Error::new(
                    SqlState::CONFIGURATION_LIMIT_EXCEEDED,
                    format!("a scrollable cursor keeps at most {MAX_SCROLL_BYTES} bytes of rows"),
                )
                .with_hint("Declare it NO SCROLL."));
            }
            self.rows.push_back(batch);
        }
        Ok(kept)
    }

    /// Row number `place` of a scrollable cursor, from 1.
    fn row(&self, place: i64) -> Option<RecordBatch> {
        let mut before = 0;
        for batch in &self.rows {
            let rows = batch.num_rows() as i64;
            if place > before && place <= before + rows {
                return Some(batch.slice((place - before - 1) as usize, 1));
            }
            before += rows;
        }
        None
    }

    async fn scroll(&mut self, direction: FetchDirection) -> Result<Vec<RecordBatch>> {
        let batches = self.scroll_to(direction).await?;
        let present = self.row(self.place);
        self.stand_on_last(present.as_slice());
        batches.into_iter().map(|batch| self.shown(batch)).collect()
    }

    async fn scroll_to(&mut self, direction: FetchDirection) -> Result<Vec<RecordBatch>> {
        match direction {
            FetchDirection::Forward(0) => Ok(self.row(self.place).into_iter().collect()),
            FetchDirection::Forward(n) if n > 0 => self.scroll_forward(n).await,
            FetchDirection::ForwardAll => self.scroll_forward(i64::MAX).await,
            FetchDirection::Forward(n) => Ok(self.scroll_backward(-n)),
            FetchDirection::BackwardAll => Ok(self.scroll_backward(i64::MAX)),
            FetchDirection::Absolute(n) => {
                let place = if n >= 0 {
                    n
                } else {
                    let kept = self.keep(i64::MAX).await?;
                    (kept + 1 + n).max(0)
                };
                self.go(place).await
            }
            FetchDirection::Relative(n) => {
                let place = self.place.saturating_add(n).max(0);
                self.go(place).await
            }
        }
    }

    async fn go(&mut self, place: i64) -> Result<Vec<RecordBatch>> {
        let kept = self.keep(place).await?;
        self.place = place.min(kept + 1);
        Ok(self.row(self.place).into_iter().collect())
    }

    async fn scroll_forward(&mut self, n: i64) -> Result<Vec<RecordBatch>> {
        let last = self.place.saturating_add(n);
        let kept = self.keep(last).await?;
        let rows = (self.place + 1..=last.min(kept)).filter_map(|place| self.row(place)).collect();
        self.place = last.min(kept + 1);
        Ok(rows)
    }

    fn scroll_backward(&mut self, n: i64) -> Vec<RecordBatch> {
        let last = self.place.saturating_sub(n).max(0);
        let from = last.max(1);
        let rows = (from..self.place).rev().filter_map(|place| self.row(place)).collect();
        self.place = last;
        rows
    }

    /// Whether a forward-only cursor can go there.
    fn forward_count(&self, direction: FetchDirection) -> Result<u64> {
        let backward = || {
            Error::object_not_in_prerequisite_state("cursor can only scan forward")
                .with_hint("Declare it with SCROLL option to enable backward scan.")
        };
        match direction {
            FetchDirection::Forward(n) => u64::try_from(n).map_err(|_| backward()),
            FetchDirection::ForwardAll => Ok(u64::MAX),
            FetchDirection::BackwardAll => Err(backward()),
            FetchDirection::Absolute(_) | FetchDirection::Relative(_) => Err(backward()),
        }
    }

    /// Rows in the form of `output`.
    fn shown(&self, batch: RecordBatch) -> Result<RecordBatch> {
        if self.row_keys.is_empty() {
            return Ok(batch);
        }
        let places: Vec<usize> = (0..self.output.len()).collect();
        Ok(batch.project(&places)?)
    }

    /// The cursor stands on the last of these rows; without one, before the first or past the end.
    fn stand_on_last(&mut self, batches: &[RecordBatch]) {
        if self.row_keys.is_empty() {
            return;
        }
        let last = batches.iter().rev().find(|batch| batch.num_rows() > 0);
        self.current = last.map(|batch| self.keys_at(batch, batch.num_rows() - 1));
    }

    fn keys_at(&self, batch: &RecordBatch, row: usize) -> Vec<Option<Key>> {
        let key = |column: usize| {
            let keys = batch.column(column).as_binary_opt::<i32>()?;
            keys.is_valid(row).then(|| Key::from_bytes(keys.value(row).to_vec().into()))
        };
        self.row_keys.iter().map(|(_, column)| key(*column)).collect()
    }

    /// Goes to where the rows of this direction begin, and tells how many of the next ones they
    /// are.
    async fn approach(&mut self, direction: FetchDirection) -> Result<u64> {
        // One row further, or to a row further on, is forward as well.
        let direction = match direction {
            FetchDirection::Absolute(n) if n > self.place => {
                self.skip((n - self.place - 1) as u64).await?;
                FetchDirection::Forward(1)
            }
            FetchDirection::Relative(n) if n > 0 => {
                self.skip((n - 1) as u64).await?;
                FetchDirection::Forward(1)
            }
            other => other,
        };
        self.forward_count(direction)
    }
}

/// What FETCH, or Execute of a cursor's name, has still to return. The rows are pulled with the
/// portal, so that FETCH ALL costs no more than its next batch.
pub(crate) struct Fetching {
    name: String,
    left: u64,
    /// Where the cursor must be: a suspended portal can't go on after another FETCH.
    place: i64,
}

impl Fetching {
    pub(crate) async fn next(&mut self, session: &mut Session) -> Result<Option<RecordBatch>> {
        if self.left == 0 {
            return Ok(None);
        }
        let cursor = session
            .cursors
            .get_mut(&self.name)
            .ok_or_else(|| Error::undefined_cursor(&self.name))?;
        if cursor.place != self.place {
            let message = format!("cursor \"{}\" was moved by another statement", self.name);
            return Err(Error::object_not_in_prerequisite_state(message));
        }
        let batch = cursor.forward(self.left).await?;
        self.place = cursor.place;
        self.left = match &batch {
            Some(batch) => self.left - batch.num_rows() as u64,
            None => 0,
        };
        batch.map(|batch| cursor.shown(batch)).transpose()
    }
}

/// DECLARE.
pub(crate) async fn declare(
    session: &mut Session,
    declare: &Declare,
    portal: &mut Portal,
) -> Result<Started> {
    if !declare.hold && session.transaction.phase != Phase::Block {
        return Err(Error::no_active_transaction("DECLARE CURSOR"));
    }
    if declare.binary {
        return Err(Error::feature_not_supported("DECLARE BINARY CURSOR is not supported")
            .with_hint("Ask for binary results in the extended protocol."));
    }
    let taken = session.protocol_portals.contains(&declare.name);
    if taken || session.cursors.contains_key(&declare.name) {
        return Err(Error::duplicate_cursor(&declare.name));
    }
    if session.cursors.len() >= MAX_CURSORS {
        return Err(Error::new(
            SqlState::CONFIGURATION_LIMIT_EXCEEDED,
            format!("a session has at most {MAX_CURSORS} cursors open"),
        ));
    }
    let mut row_keys = Vec::new();
    let (output, source, statement) = match &declare.query {
        CursorQuery::Query(statement) => {
            let (output, source, keys) = open(session, statement, portal).await?;
            row_keys = keys;
            (output, source, Arc::clone(&statement.text))
        }
        CursorQuery::Subscribe(_) if declare.scroll == Some(true) => {
            return Err(Error::feature_not_supported(
                "DECLARE SCROLL CURSOR ... SUBSCRIBE is not supported",
            )
            .with_detail("A subscription only goes forward."));
        }
        CursorQuery::Subscribe(statement) => {
            let subscription = subscribe::open_inner(session, statement)?;
            (
                Arc::clone(subscription.output()),
                Source::Subscription(Box::new(Mutex::new(*subscription))),
                Arc::clone(&statement.text),
            )
        }
    };
    let cursor = Cursor {
        output,
        statement: session.source_of(&statement),
        source,
        hold: declare.hold,
        committed: false,
        scroll: declare.scroll == Some(true),
        rows: VecDeque::new(),
        kept_bytes: 0,
        place: 0,
        row_keys,
        current: None,
        created: now_us(),
        role: session.state.current_user(),
        may_scroll: declare.scroll == Some(true),
    };
    session.cursors.insert(declare.name.clone(), cursor);
    portal.tag = Tag::new("DECLARE CURSOR");
    Ok(Started::Done)
}

/// What a query gives to the cursor over it: its columns, its rows, and where their keys are.
type Opened = (Arc<[OutputColumn]>, Source, Vec<(Arc<Relation>, usize)>);

async fn open(
    session: &mut Session,
    statement: &Arc<Statement>,
    portal: &mut Portal,
) -> Result<Opened> {
    let types = portal.plan.as_ref().map_or(Vec::new(), |plan| plan.parameters.clone());
    let body = exec::prepare_cursor(session, statement, &types).await?;
    if let Body::Staged(staged) = &body
        && staged.has_changes()
    {
        return Err(Error::feature_not_supported(
            "DECLARE CURSOR must not contain data-modifying statements in WITH",
        ));
    }
    let query = match &body {
        Body::Query(query) => query,
        Body::Staged(staged) if let Body::Query(query) = &staged.main => query,
        _ => return Err(Error::syntax_error("DECLARE CURSOR takes a query")),
    };
    query.constant_error.clone().map_or(Ok(()), Err)?;
    let mut inner = Portal::empty();
    inner.parameters = std::mem::take(&mut portal.parameters);
    exec::run_body(session, &body, &mut inner).await?;
    let source = match inner.rows {
        Rows::Stream(stream, context) => {
            Source::Rows(exec::select::without_effects(stream, context))
        }
        Rows::Ready(rows) => {
            Source::Rows(RowStream::new(futures::stream::iter(rows.into_iter().map(Ok))))
        }
        _ => Source::Ended,
    };
    Ok((Arc::clone(&query.output), source, query.row_keys.clone()))
}

/// The key of the row of `target` that a cursor stands on, for WHERE CURRENT OF.
///
/// # Errors
/// 34000 there is no such cursor, 24000 it doesn't stand on a row of the table.
pub(crate) fn current_row(session: &Session, name: &str, target: &Relation) -> Result<Key> {
    let cursor = session.cursors.get(name).ok_or_else(|| Error::undefined_cursor(name))?;
    let invalid = |message: String| Error::new(SqlState::INVALID_CURSOR_STATE, message);
    if cursor.is_held() {
        return Err(invalid(format!("cursor \"{name}\" is held from a previous transaction")));
    }
    let place = cursor.row_keys.iter().position(|(relation, _)| relation.oid == target.oid);
    let Some(place) = place else {
        return Err(invalid(format!(
            "cursor \"{name}\" is not a simply updatable scan of table \"{}\"",
            target.name
        )));
    };
    let current = cursor.current.as_ref().and_then(|keys| keys[place].clone());
    current.ok_or_else(|| invalid(format!("cursor \"{name}\" is not positioned on a row")))
}

/// The columns FETCH returns, if there is such a cursor.
pub(crate) fn output(session: &Session, fetch: &Fetch) -> Option<Arc<[OutputColumn]>> {
    session.cursors.get(&fetch.name).map(|cursor| Arc::clone(&cursor.output))
}

/// FETCH and MOVE.
pub(crate) async fn fetch(
    session: &mut Session,
    fetch: &Fetch,
    portal: &mut Portal,
) -> Result<Started> {
    let timeout = match &fetch.timeout {
        Some(text) => Some(subscribe::interval(text)?),
        None => None,
    };
    if session.protocol_portals.contains(&fetch.name) {
        let message = format!("portal \"{}\" is no SQL cursor", fetch.name);
        return Err(Error::feature_not_supported(message).with_hint("Use Execute."));
    }
    let cursor =
        session.cursors.get_mut(&fetch.name).ok_or_else(|| Error::undefined_cursor(&fetch.name))?;
    if !fetch.only_move && portal.output.as_ref() != Some(&cursor.output) {
        return Err(Error::feature_not_supported("cached plan must not change result type"));
    }
    let is_subscription = matches!(cursor.source, Source::Subscription(_));
    let batches = if cursor.scroll {
        cursor.scroll(fetch.direction).await?
    } else if is_subscription {
        let forever = Duration::from_secs(u64::from(u32::MAX));
        let left = cursor.approach(fetch.direction).await?;
        cursor.forward_within(left, timeout.unwrap_or(forever)).await?
    } else {
        let left = cursor.approach(fetch.direction).await?;
        if fetch.only_move {
            portal.tag = Tag::new(format!("MOVE {}", cursor.skip(left).await?));
            return Ok(Started::Done);
        }
        let place = cursor.place;
        portal.tag = Tag::counting("FETCH");
        portal.rows = Rows::Cursor(Box::new(Fetching { name: fetch.name.clone(), left, place }));
        return Ok(Started::Rows);
    };
    if fetch.only_move {
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        portal.tag = Tag::new(format!("MOVE {rows}"));
        return Ok(Started::Done);
    }
    portal.tag = Tag::counting("FETCH");
    Ok(portal.ready(batches))
}

/// The protocol's portal of a cursor's next rows.
pub(crate) fn portal(session: &Session, name: &str, limit: Option<u64>) -> Option<Portal> {
    let cursor = session.cursors.get(name)?;
    let mut portal = Portal::empty();
    portal.output = Some(Arc::clone(&cursor.output));
    portal.fields = Some(Field::of(&cursor.output));
    portal.tag = Tag::counting("SELECT");
    let (left, place) = (limit.unwrap_or(u64::MAX), cursor.place);
    portal.rows = Rows::Cursor(Box::new(Fetching { name: name.to_owned(), left, place }));
    Some(portal)
}

/// Starts a portal that has no statement: an empty one, or one of a cursor.
pub(crate) async fn start(session: &mut Session, portal: &mut Portal) -> Result<Started> {
    let Rows::Cursor(fetching) = &mut portal.rows else { return Ok(Started::Empty) };
    if session.transaction.phase == Phase::Failed {
        return Err(Error::in_failed_transaction());
    }
    session.begin_implicit().await?;
    if let Some(cursor) = session.cursors.get_mut(&fetching.name)
        && cursor.scroll
    {
        let limit = i64::try_from(fetching.left).unwrap_or(i64::MAX);
        let batches = cursor.scroll(FetchDirection::Forward(limit)).await?;
        portal.ready(batches);
    }
    portal.bind_encoder(session)?;
    Ok(Started::Rows)
}

/// CLOSE; it also closes a portal of the protocol that has the name.
pub(crate) fn close(session: &mut Session, name: &Name, portal: &mut Portal) -> Result<Started> {
    match name {
        Name::All => {
            session.cursors.clear();
            session.discards.push(Discard::AllPortals);
            portal.tag = Tag::new("CLOSE CURSOR ALL");
        }
        Name::One(name) => {
            if session.protocol_portals.remove(name) {
                session.discards.push(Discard::Portal(name.clone()));
            } else if session.cursors.remove(name).is_none() {
                return Err(Error::undefined_cursor(name));
            }
            portal.tag = Tag::new("CLOSE CURSOR");
        }
    }
    Ok(Started::Done)
}

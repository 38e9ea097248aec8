//! VACUUM, ANALYZE, CHECKPOINT.

use std::{collections::HashSet, sync::Arc};

use arrow::array::{Array, ArrayRef};
use futures::StreamExt;
use kalamdb_storage::ScanSpec;

use crate::{
    catalog::{
        ColumnStatistic, Relation, RelationBody, Statistic, TableKind,
        store::{Place, Writer as Definitions},
    },
    error::{Error, Result, SqlState},
    exec::write::Writer,
    session::{Portal, Session, Started, Tag, now_us},
    statement::{MaintainedRelation, Maintenance},
    txn::Phase,
};

/// Rows whose distinct values ANALYZE counts exactly; beyond, it extrapolates.
const SAMPLE_ROWS: u64 = 30_000;

/// VACUUM compacts the cold tier of the own rows; ANALYZE counts them.
pub(crate) async fn run(
    session: &mut Session,
    work: &Maintenance,
    portal: &mut Portal,
) -> Result<Started> {
    if let Some(error) = &work.wrong {
        return Err(error.clone());
    }
    if work.vacuum && session.transaction.phase == Phase::Block {
        return Err(Error::active_transaction("VACUUM"));
    }
    for (relation, columns) in relations(session, work)? {
        let writer = Writer::new(session, &relation)?;
        if work.vacuum {
            vacuum(session, work, &relation, &writer).await?;
        }
        if work.analyze {
            let schema = session.view().schema_name(relation.schema);
            tell(session, work, || format!("analyzing \"{schema}.{}\"", relation.name));
            let (rows, sampled) = analyze(session, &relation, &columns, &writer).await?;
            tell(session, work, || {
                format!(
                    "\"{}\": scanned {rows} live rows; {sampled} rows in sample of distinct values",
                    relation.name
                )
            });
        }
    }
    portal.tag = Tag::new(if work.vacuum { "VACUUM" } else { "ANALYZE" });
    Ok(Started::Done)
}

/// What VERBOSE asks for.
fn tell(session: &Session, work: &Maintenance, message: impl FnOnce() -> String) {
    if work.verbose {
        session.state.notice(Error::info(message()));
    }
}

async fn vacuum(
    session: &Session,
    work: &Maintenance,
    relation: &Relation,
    writer: &Writer,
) -> Result<()> {
    let view = session.view();
    let (database, schema) = (view.database_name(), view.schema_name(relation.schema));
    let name = format!("{database}.{schema}.{}", relation.name);
    tell(session, work, || format!("vacuuming \"{name}\""));
    let done = writer.namespace.compact(&writer.layout).await?;
    tell(session, work, || match done.merged {
        0 => format!("finished vacuuming \"{name}\": no segments to merge"),
        merged => format!(
            "finished vacuuming \"{name}\": segments: {merged} merged into {}\nrows: {} remain in \
             them, {} bytes",
            done.segments, done.rows, done.bytes
        ),
    });
    Ok(())
}

/// The named tables, or all that the role may maintain, and which columns of each are looked at;
/// PostgreSQL warns about the others.
fn relations(session: &Session, work: &Maintenance) -> Result<Vec<(Arc<Relation>, Vec<i16>)>> {
    let view = session.view();
    let verb = if work.vacuum { "vacuum" } else { "analyze" };
    let may = |relation: &Relation| match relation.kind {
        TableKind::User | TableKind::Private => true,
        TableKind::Shared => view.is_owner(relation.owner) || view.owns_database(view.role),
        TableKind::System => false,
    };
    if work.relations.is_empty() {
        let tables = view.relations().filter(|relation| relation.layout.is_some());
        let mine = tables.filter(|relation| may(relation));
        return mine.map(|relation| Ok((Arc::clone(relation), columns(relation, &[])?))).collect();
    }
    let search_path = Arc::clone(&session.effective().search_path);
    let mut found = Vec::new();
    for MaintainedRelation { schema, name, columns: wanted } in &work.relations {
        let relation = view.relation(schema.as_deref(), name, &search_path)?;
        if !matches!(relation.body, RelationBody::Table { .. }) || !may(&relation) {
            let message = match relation.body {
                RelationBody::Table { .. } => {
                    format!("skipping \"{name}\" --- only table or database owner can {verb} it")
                }
                _ => format!(
                    "skipping \"{name}\" --- cannot {verb} non-tables or special system tables"
                ),
            };
            session.state.notice(Error::new(SqlState::WARNING, message));
            continue;
        }
        let columns = columns(&relation, wanted)?;
        found.push((relation, columns));
    }
    Ok(found)
}

/// The attnums of the named columns; no name means all.
fn columns(relation: &Relation, names: &[String]) -> Result<Vec<i16>> {
    if names.is_empty() {
        return Ok(relation.live_columns().map(|(attnum, _)| attnum).collect());
    }
    let mut found = Vec::new();
    for name in names {
        let column = relation.live_columns().find(|(_, column)| column.name == *name);
        let (attnum, _) = column.ok_or_else(|| {
            Error::new(
                SqlState::UNDEFINED_COLUMN,
                format!("column \"{name}\" of relation \"{}\" does not exist", relation.name),
            )
        })?;
        if found.contains(&attnum) {
            return Err(Error::new(
                SqlState::DUPLICATE_COLUMN,
                format!(
                    "column \"{name}\" of relation \"{}\" appears more than once",
                    relation.name
                ),
            ));
        }
        found.push(attnum);
    }
    Ok(found)
}

/// Counts rows, and NULLs, widths and distinct values of `wanted` columns, and keeps them in the
/// catalog; what is known about the other columns stays. Gives the number of rows, and of those in
/// which distinct values were counted.
async fn analyze(
    session: &mut Session,
    relation: &Arc<Relation>,
    wanted: &[i16],
    writer: &Writer,
) -> Result<(u64, u64)> {
    let context = session.execution_context();
    let mut columns: Vec<Counter> =
        relation.live_columns().map(|(attnum, _)| Counter::new(attnum)).collect();
    let (mut rows, mut bytes) = (0_u64, 0_u64);
    let spec = ScanSpec::new(writer.layout.live().to_vec());
    let writes = Some(Arc::clone(&context.writes));
    let layout = Arc::clone(&writer.layout);
    let mut batches = writer.namespace.scan(context.snapshot.clone(), writes, layout, spec);
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        for (counter, column) in columns.iter_mut().zip(batch.columns()) {
            counter.add(column, rows)?;
        }
        rows += batch.num_rows() as u64;
        bytes += batch.get_array_memory_size() as u64;
    }
    let mut found: Vec<ColumnStatistic> = columns
        .into_iter()
        .filter(|counter| wanted.contains(&counter.attnum))
        .map(|counter| counter.finish(rows))
        .collect();
    if let Some(before) = session.view().statistic(relation.oid) {
        let others = before.columns.iter().filter(|column| !wanted.contains(&column.attnum));
        found.extend(others.cloned());
        found.sort_by_key(|column| column.attnum);
    }
    let statistic =
        Statistic { relation: relation.oid, rows, bytes, analyzed_at: now_us(), columns: found };
    let place = match relation.kind {
        TableKind::Shared => Place::Shared,
        TableKind::User | TableKind::Private | TableKind::System => Place::Private,
    };
    let part = place.namespace(&session.view());
    session.lock_catalog(part).await?;
    let catalogs = Arc::clone(&session.engine.catalogs);
    let transaction = &mut session.transaction;
    let writes = Arc::make_mut(&mut transaction.writes);
    let mut definitions = Definitions { catalogs, transaction: &mut transaction.catalog, writes };
    definitions.put_statistic(place, statistic)?;
    Ok((rows, rows.min(SAMPLE_ROWS)))
}

/// What is found about one column.
struct Counter {
    attnum: i16,
    nulls: u64,
    bytes: u64,
    sampled: u64,
    distinct: HashSet<Vec<u8>>,
}

impl Counter {
    fn new(attnum: i16) -> Self {
        Counter { attnum, nulls: 0, bytes: 0, sampled: 0, distinct: HashSet::new() }
    }

    fn add(&mut self, column: &ArrayRef, rows_before: u64) -> Result<()> {
        self.nulls += column.null_count() as u64;
        self.bytes += column.to_data().get_slice_memory_size()? as u64;
        if rows_before >= SAMPLE_ROWS {
            return Ok(());
        }
        let sample = column.len().min((SAMPLE_ROWS - rows_before) as usize);
        let converter = arrow::row::RowConverter::new(vec![arrow::row::SortField::new(
            column.data_type().clone(),
        )]);
        // What has no row form (an interval) has no count of distinct values.
        let Ok(converter) = converter else { return Ok(()) };
        let rows = converter.convert_columns(&[column.slice(0, sample)])?;
        for (row, value) in rows.iter().enumerate() {
            if column.is_valid(row) {
                self.sampled += 1;
                self.distinct.insert(value.as_ref().to_vec());
            }
        }
        Ok(())
    }

    /// As `pg_stats`: many distinct values are given as a negative fraction of the rows.
    fn finish(self, rows: u64) -> ColumnStatistic {
        let distinct = self.distinct.len() as f64;
        let fraction = if self.sampled == 0 { 0.0 } else { distinct / self.sampled as f64 };
        let filled = rows - self.nulls;
        ColumnStatistic {
            attnum: self.attnum,
            null_fraction: if rows == 0 { 0.0 } else { self.nulls as f64 / rows as f64 },
            average_width: if filled == 0 { 0 } else { (self.bytes / rows.max(1)) as u32 },
            distinct: if fraction > 0.1 { -fraction } else { distinct },
        }
    }
}

/// CHECKPOINT: what was committed without sync is on the device afterwards.
pub(crate) async fn checkpoint(session: &mut Session, portal: &mut Portal) -> Result<Started> {
    if !session.view().cluster.is_superuser(session.state.current_user()) {
        return Err(Error::new(
            SqlState::INSUFFICIENT_PRIVILEGE,
            "must be superuser or have privileges of pg_checkpoint to do CHECKPOINT",
        ));
    }
    session.engine.store.sync_wal().await?;
    portal.tag = Tag::new("CHECKPOINT");
    Ok(Started::Done)
}

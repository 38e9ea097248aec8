//! EXPLAIN: which way a statement takes, and DataFusion's plan where it takes that one.

use std::{sync::Arc, time::Instant};

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::common::ScalarValue;

use crate::{
    analyze::OutputColumn,
    error::{Error, Result},
    exec::{self, returning::output_schema},
    prepared::{Body, Prepared},
    session::{Portal, Rows, Session, Started, Tag},
    statement::Explain,
    types::{Oid, PgType},
};

/// The one column.
pub(crate) fn output() -> Arc<[OutputColumn]> {
    let column = OutputColumn {
        name: "QUERY PLAN".to_owned(),
        ty: PgType::plain(Oid::TEXT),
        table: Oid(0),
        attnum: 0,
    };
    Arc::new([column])
}

/// Runs EXPLAIN.
pub(crate) async fn run(
    session: &mut Session,
    explain: &Explain,
    portal: &mut Portal,
) -> Result<Started> {
    let plan = exec::inner_plan(session, portal, &explain.statement).await?;
    let parameters = std::mem::take(&mut portal.parameters);
    let mut lines = describe(session, &plan, &parameters)?;
    if explain.analyze {
        let (rows, milliseconds) = analyze(session, &plan, parameters).await?;
        lines.push(format!("Rows: {rows}"));
        lines.push(format!("Execution Time: {milliseconds:.3} ms"));
    }
    let column = Arc::new(StringArray::from(lines)) as ArrayRef;
    let batch = RecordBatch::try_new(output_schema(&output())?, vec![column])?;
    portal.tag = Tag::new("EXPLAIN");
    Ok(portal.ready([batch]))
}

fn describe(
    session: &mut Session,
    plan: &Prepared,
    parameters: &[ScalarValue],
) -> Result<Vec<String>> {
    let context = session.execution_context();
    let physical = |logical| context.enter(|| crate::plan::describe(logical, parameters.to_vec()));
    Ok(match &plan.body {
        Body::Query(query) => match &query.short {
            Some(short) => vec![short.describe()],
            None => physical(&query.plan)?,
        },
        Body::Insert(insert) => {
            let mut lines = vec![format!("Insert on {}", insert.target.name)];
            match insert.source_plan() {
                Some(source) => lines.extend(indent(physical(source)?)),
                None => lines.push("  ->  Short Path Values".to_owned()),
            }
            lines
        }
        Body::Update(change) | Body::Delete(change) => {
            let verb = if matches!(plan.body, Body::Update(_)) { "Update" } else { "Delete" };
            let mut lines = vec![format!("{verb} on {}", change.target.name)];
            match &change.access {
                Some(_) => lines.push("  ->  Short Path Get by primary key".to_owned()),
                None => lines.extend(indent(physical(&change.plan)?)),
            }
            lines
        }
        Body::Subscribe(bound) => bound.explain(),
        Body::Utility => {
            return Err(Error::syntax_error("EXPLAIN takes a query or a change"));
        }
    })
}

fn indent(lines: Vec<String>) -> impl Iterator<Item = String> {
    lines.into_iter().map(|line| format!("  {line}"))
}

/// Runs the statement for its time; its effects stay.
async fn analyze(
    session: &mut Session,
    plan: &Arc<Prepared>,
    parameters: Vec<ScalarValue>,
) -> Result<(u64, f64)> {
    let start = Instant::now();
    let mut inner = Portal::empty();
    inner.parameters = parameters;
    match &plan.body {
        Body::Query(query) => exec::select::run(session, query, &mut inner).await?,
        Body::Insert(insert) => exec::insert::run(session, insert, &mut inner).await?,
        Body::Update(change) | Body::Delete(change) => {
            exec::update::run(session, change, &mut inner).await?
        }
        Body::Subscribe(_) => {
            return Err(Error::feature_not_supported("EXPLAIN ANALYZE of SUBSCRIBE never ends"));
        }
        Body::Utility => Started::Done,
    };
    let mut rows = 0;
    match inner.rows {
        Rows::Ready(batches) => rows += batches.iter().map(|b| b.num_rows() as u64).sum::<u64>(),
        Rows::Stream(mut stream, _) => {
            while let Some(batch) = futures::StreamExt::next(&mut stream).await {
                rows += batch?.num_rows() as u64;
            }
        }
        _ => {}
    }
    Ok((rows, start.elapsed().as_secs_f64() * 1e3))
}

//! EXPLAIN: which way a statement takes, and DataFusion's plan where it takes that one.

use std::{sync::Arc, time::Instant};

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::common::ScalarValue;

use crate::{
    analyze::OutputColumn,
    catalog::part::CatalogView,
    context::ExecutionContext,
    error::{Error, Result},
    exec::{self, prepare, returning::output_schema},
    prepared::{Body, Prepared},
    session::{Portal, Rows, Session, Started, Tag},
    statement::{Explain, Parsed},
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
    if let Some(error) = &explain.wrong {
        return Err(error.clone());
    }
    let start = Instant::now();
    let (plan, parameters) = match &explain.statement.body {
        Parsed::Execute { name, arguments } => prepare::bind(session, name, arguments).await?,
        _ => {
            let plan = exec::inner_plan(session, portal, &explain.statement).await?;
            (plan, std::mem::take(&mut portal.parameters))
        }
    };
    let planning = milliseconds(start);
    check_allowed(&session.view(), &plan.body)?;
    let context = session.execution_context();
    let mut lines = describe(&plan.body, &context, &parameters)?;
    let mut execution = None;
    if explain.analyze {
        let (rows, milliseconds) = analyze(session, &plan, parameters).await?;
        lines.push(format!("Rows: {rows}"));
        execution = Some(milliseconds);
    }
    if explain.summary {
        lines.push(format!("Planning Time: {planning:.3} ms"));
        lines.extend(execution.map(|time| format!("Execution Time: {time:.3} ms")));
    }
    let column = Arc::new(StringArray::from(lines)) as ArrayRef;
    let batch = RecordBatch::try_new(output_schema(&output())?, vec![column])?;
    portal.tag = Tag::new("EXPLAIN");
    Ok(portal.ready([batch]))
}

/// A plan tells of views and tables: whoever may not run the statement doesn't see it.
fn check_allowed(view: &CatalogView, body: &Body) -> Result<()> {
    let (target, letters, relations) = match body {
        Body::Query(query) => (None, "", &query.relations),
        Body::Insert(insert) => (Some(&insert.target), insert.letters(), &insert.relations),
        Body::Update(change) | Body::Delete(change) => {
            (Some(&change.target), change.letter(), &change.relations)
        }
        Body::Subscribe(bound) => (None, "", &bound.relations),
        Body::Staged(staged) => {
            let stages = staged.stages.iter().map(|stage| &stage.body);
            return stages.chain([&staged.main]).try_for_each(|body| check_allowed(view, body));
        }
        Body::Utility => return Ok(()),
    };
    if let Some(target) = target {
        view.check_schema_of(target)?;
        view.check_relation(target, letters)?;
    }
    relations.iter().try_for_each(|named| view.check_named(named))
}

fn describe(
    body: &Body,
    context: &Arc<ExecutionContext>,
    parameters: &[ScalarValue],
) -> Result<Vec<String>> {
    let physical = |logical| context.enter(|| crate::plan::describe(logical, parameters.to_vec()));
    Ok(match body {
        Body::Query(query) => match &query.short {
            Some(short) => vec![short.describe()],
            None => physical(&query.plan.logical)?,
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
            let verb = if matches!(body, Body::Update(_)) { "Update" } else { "Delete" };
            let mut lines = vec![format!("{verb} on {}", change.target.name)];
            match &change.access {
                Some(_) => lines.push("  ->  Short Path Get by primary key".to_owned()),
                None => lines.extend(indent(physical(&change.plan.logical)?)),
            }
            lines
        }
        Body::Subscribe(bound) => bound.explain(),
        Body::Staged(staged) => {
            let mut lines = describe(&staged.main, context, parameters)?;
            for stage in &staged.stages {
                lines.push(format!("  Stage {}", stage.slot));
                lines.extend(indent(indent(describe(&stage.body, context, parameters)?)));
            }
            lines
        }
        Body::Utility => {
            return Err(Error::syntax_error("EXPLAIN takes a query or a change"));
        }
    })
}

fn indent(lines: impl IntoIterator<Item = String>) -> impl Iterator<Item = String> {
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
    if let Body::Subscribe(_) = &plan.body {
        return Err(Error::feature_not_supported("EXPLAIN ANALYZE of SUBSCRIBE never ends"));
    }
    exec::run_body(session, &plan.body, &mut inner).await?;
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
    Ok((rows, milliseconds(start)))
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

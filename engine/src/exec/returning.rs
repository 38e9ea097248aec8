//! RETURNING: expressions over the rows that a change stored or removed.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch, RecordBatchOptions},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use datafusion::{common::ScalarValue, logical_expr::Expr};

use crate::{
    analyze::{OutputColumn, ReturningList},
    context::ExecutionContext,
    error::Result,
    exec::evaluate::Evaluator,
    types::PgType,
};

/// A compiled RETURNING list.
#[derive(Debug)]
pub(crate) struct Returning {
    pub(crate) output: Arc<[OutputColumn]>,
    schema: SchemaRef,
    evaluator: Evaluator,
}

impl Returning {
    pub(crate) fn new(
        list: ReturningList,
        columns: &[(String, DataType)],
        parameters: &[PgType],
    ) -> Result<Self> {
        let (exprs, output): (Vec<Expr>, Vec<OutputColumn>) = list.into_iter().unzip();
        let schema = output_schema(&output)?;
        let evaluator = Evaluator::new(&exprs, columns, parameters)?;
        Ok(Returning { output: output.into(), schema, evaluator })
    }

    pub(crate) fn rows(
        &self,
        context: &Arc<ExecutionContext>,
        columns: &[ArrayRef],
        rows: usize,
        parameters: &[ScalarValue],
    ) -> Result<RecordBatch> {
        let values = self.evaluator.evaluate(context, columns, rows, parameters)?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), values, &options)?)
    }
}

/// The Arrow schema of result columns, by place rather than by name: names may repeat.
pub(crate) fn output_schema(output: &[OutputColumn]) -> Result<SchemaRef> {
    let fields = output
        .iter()
        .enumerate()
        .map(|(i, column)| Ok(Field::new(format!("c{i}"), column.ty.arrow()?, true)))
        .collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(Schema::new(fields)))
}

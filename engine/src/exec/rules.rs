//! What a row must satisfy before it is stored: generated columns, NOT NULL, CHECK.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, RecordBatch},
    datatypes::DataType,
};

use crate::{
    analyze::{Environment, bind_expression_text},
    catalog::{ConstraintKind, Relation},
    context::ExecutionContext,
    error::{Error, Result},
    exec::evaluate::{Evaluator, row_columns},
    types::{FormatSettings, PgType},
};

/// A table's rules, compiled once per plan.
#[derive(Debug)]
pub(crate) struct Rules {
    relation: Arc<Relation>,
    schema_name: String,
    /// (live column, its expression).
    generated: Vec<(usize, Evaluator)>,
    /// Live columns.
    not_null: Vec<usize>,
    /// Sorted by name, as PostgreSQL checks them.
    checks: Vec<(String, Evaluator)>,
}

/// A row in an error's DETAIL is cut after this many characters per value, as in PostgreSQL.
const MAX_DETAIL_CHARACTERS: usize = 64;

impl Rules {
    pub(crate) fn new(relation: &Arc<Relation>, env: &Environment<'_>) -> Result<Self> {
        let columns = row_columns(relation, 'a')?;
        let compile = |text: &str, ty: PgType| -> Result<Evaluator> {
            let (expr, _) = bind_expression_text(text, Some(relation), Some(ty), env)?;
            Evaluator::new(&[expr], &columns, &[])
        };
        let mut generated = Vec::new();
        let mut not_null = Vec::new();
        for (place, (_, column)) in relation.live_columns().enumerate() {
            if let (true, Some(text)) = (column.generated, &column.default) {
                generated.push((place, compile(text, column.ty)?));
            }
            if column.not_null {
                not_null.push(place);
            }
        }
        let mut checks = Vec::new();
        for constraint in relation.constraints() {
            if let ConstraintKind::Check { expression, .. } = &constraint.kind {
                checks.push((constraint.name.clone(), compile(expression, PgType::BOOL)?));
            }
        }
        checks.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(Rules {
            relation: Arc::clone(relation),
            schema_name: env.catalog.schema_name(relation.schema),
            generated,
            not_null,
            checks,
        })
    }

    /// Fills generated columns in, then checks. Gives the rows as they are to be stored.
    pub(crate) fn apply(
        &self,
        context: &Arc<ExecutionContext>,
        mut columns: Vec<ArrayRef>,
        rows: usize,
    ) -> Result<RecordBatch> {
        for (place, evaluator) in &self.generated {
            let values = evaluator.evaluate(context, &columns, rows, &[])?;
            columns[*place] = values.into_iter().next().expect("one expression gives one column");
        }
        for place in &self.not_null {
            let column = &columns[*place];
            if column.null_count() > 0 {
                let row = (0..rows).find(|row| column.is_null(*row)).unwrap_or(0);
                let (_, attribute) =
                    self.relation.live_columns().nth(*place).expect("a live column's place");
                let text = self.describe(&columns, row, &context.format);
                return Err(Error::not_null_violation(
                    &self.schema_name,
                    &self.relation.name,
                    &attribute.name,
                    &text,
                ));
            }
        }
        for (name, evaluator) in &self.checks {
            let truth = evaluator.predicate(context, &columns, rows, &[])?;
            let fails = |row: &usize| truth.is_valid(*row) && !truth.value(*row);
            if let Some(row) = (0..rows).find(fails) {
                let text = self.describe(&columns, row, &context.format);
                return Err(Error::check_violation(
                    &self.schema_name,
                    &self.relation.name,
                    name,
                    &text,
                ));
            }
        }
        let layout = self.relation.layout.as_ref().expect("a table has a layout");
        Ok(RecordBatch::try_new_with_options(
            layout.schema(),
            columns,
            &arrow::array::RecordBatchOptions::new().with_row_count(Some(rows)),
        )?)
    }

    /// The first of some rows that [`Rules::apply`] refuses.
    pub(crate) fn failing_row(
        &self,
        context: &Arc<ExecutionContext>,
        columns: &[ArrayRef],
        rows: usize,
    ) -> usize {
        let fails = |row: &usize| {
            let one = columns.iter().map(|column| column.slice(*row, 1)).collect();
            self.apply(context, one, 1).is_err()
        };
        (0..rows).find(fails).unwrap_or(rows.saturating_sub(1))
    }

    /// `(1, abc, null)`: the row of a violation.
    fn describe(&self, columns: &[ArrayRef], row: usize, format: &FormatSettings) -> String {
        let texts: Vec<String> = self
            .relation
            .live_columns()
            .zip(columns)
            .filter(|((_, attribute), _)| !attribute.hidden)
            .map(|((_, attribute), column)| {
                let ty = attribute.ty;
                if column.is_null(row) {
                    return "null".to_owned();
                }
                let text = value_text(ty, column, row, format);
                if text.chars().count() > MAX_DETAIL_CHARACTERS {
                    let cut: String = text.chars().take(MAX_DETAIL_CHARACTERS).collect();
                    format!("{cut}...")
                } else {
                    text
                }
            })
            .collect();
        format!("({})", texts.join(", "))
    }
}

/// A value as text; what can't be printed is left out of the message rather than failing it.
pub(crate) fn value_text(
    ty: PgType,
    column: &ArrayRef,
    row: usize,
    format: &FormatSettings,
) -> String {
    if column.data_type() == &DataType::Null || column.is_null(row) {
        return "null".to_owned();
    }
    crate::types::output::text_of(ty, column, row, format).ok().flatten().unwrap_or_default()
}

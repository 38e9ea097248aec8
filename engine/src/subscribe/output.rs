//! The rows of the stream: `_pos`, `_op`, the query's columns, with OLD their former values.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch, StringArray, new_null_array},
    compute::interleave,
    datatypes::{Field, Schema, SchemaRef},
};
use kalamdb_storage::Position;

use super::{BoundSubscribe, fold::Fold};
use crate::error::Result;

/// The form of the stream's rows.
#[derive(Debug)]
pub(super) struct Shape {
    schema: SchemaRef,
    /// One NULL of each of the query's columns.
    nulls: Vec<ArrayRef>,
    with_old: bool,
    with_count: bool,
}

/// `_op`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Snapshot,
    Insert,
    Update,
    Delete,
    Truncate,
    Commit,
    Heartbeat,
    Reset,
}

/// Rows being put together. Data come from the images that matched.
#[derive(Debug, Default)]
pub(super) struct Rows {
    positions: Vec<i64>,
    ops: Vec<&'static str>,
    counts: Vec<Option<i64>>,
    data: Vec<Source>,
    old: Vec<Source>,
}

/// Which image a row's data come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Null,
    Old(usize),
    New(usize),
}

impl Op {
    fn as_str(self) -> &'static str {
        match self {
            Op::Snapshot => "snapshot",
            Op::Insert => "insert",
            Op::Update => "update",
            Op::Delete => "delete",
            Op::Truncate => "truncate",
            Op::Commit => "commit",
            Op::Heartbeat => "heartbeat",
            Op::Reset => "reset",
        }
    }
}

impl Shape {
    pub(super) fn new(bound: &BoundSubscribe) -> Result<Shape> {
        let fields = bound
            .output
            .iter()
            .map(|column| Ok(Field::new(&column.name, column.ty.arrow()?, true)))
            .collect::<Result<Vec<_>>>()?;
        let first = 2 + usize::from(bound.with_count);
        let nulls = fields[first..first + bound.columns]
            .iter()
            .map(|field| new_null_array(field.data_type(), 1))
            .collect();
        Ok(Shape {
            schema: Arc::new(Schema::new(fields)),
            nulls,
            with_old: bound.with_old,
            with_count: bound.with_count,
        })
    }
}

impl Rows {
    pub(super) fn len(&self) -> usize {
        self.ops.len()
    }

    /// A row of the snapshot, at `place` among the new images.
    pub(super) fn snapshot(&mut self, position: Position, place: usize) {
        self.push(position, Op::Snapshot, Source::New(place), Source::Null);
    }

    /// The rows for a change; how many they are.
    pub(super) fn change(&mut self, position: Position, fold: Fold) -> i64 {
        match fold {
            Fold::Nothing => return 0,
            Fold::Insert { new } => {
                self.push(position, Op::Insert, Source::New(new), Source::Null);
            }
            Fold::Delete { old } => {
                self.push(position, Op::Delete, Source::Old(old), Source::Old(old));
            }
            Fold::Update { old, new } => {
                self.push(position, Op::Update, Source::New(new), Source::Old(old));
            }
            Fold::Replace { old, new } => {
                self.push(position, Op::Delete, Source::Old(old), Source::Old(old));
                self.push(position, Op::Insert, Source::New(new), Source::Null);
                return 2;
            }
        }
        1
    }

    pub(super) fn truncate(&mut self, position: Position) {
        self.push(position, Op::Truncate, Source::Null, Source::Null);
    }

    /// A marker; `count` is the rows since the last one.
    pub(super) fn marker(&mut self, position: Position, op: Op, count: Option<i64>) {
        self.push(position, op, Source::Null, Source::Null);
        if let Some(last) = self.counts.last_mut() {
            *last = count;
        }
    }

    fn push(&mut self, position: Position, op: Op, data: Source, old: Source) {
        self.positions.push(position.0);
        self.ops.push(op.as_str());
        self.counts.push(None);
        self.data.push(data);
        self.old.push(old);
    }

    /// The batch; `olds` and `news` are the query's columns for the images that matched.
    pub(super) fn finish(
        self,
        shape: &Shape,
        olds: &[ArrayRef],
        news: &[ArrayRef],
    ) -> Result<RecordBatch> {
        let mut arrays: Vec<ArrayRef> =
            vec![Arc::new(Int64Array::from(self.positions)), Arc::new(StringArray::from(self.ops))];
        if shape.with_count {
            arrays.push(Arc::new(Int64Array::from(self.counts)));
        }
        let sources = if shape.with_old { vec![&self.data, &self.old] } else { vec![&self.data] };
        for rows in sources {
            for (column, null) in shape.nulls.iter().enumerate() {
                arrays.push(gather(rows, null, olds.get(column), news.get(column))?);
            }
        }
        Ok(RecordBatch::try_new(Arc::clone(&shape.schema), arrays)?)
    }
}

fn gather(
    rows: &[Source],
    null: &ArrayRef,
    old: Option<&ArrayRef>,
    new: Option<&ArrayRef>,
) -> Result<ArrayRef> {
    let arrays = [null.as_ref(), old.unwrap_or(null).as_ref(), new.unwrap_or(null).as_ref()];
    let places: Vec<(usize, usize)> = rows
        .iter()
        .map(|source| match source {
            Source::Null => (0, 0),
            Source::Old(place) => (1, *place),
            Source::New(place) => (2, *place),
        })
        .collect();
    Ok(interleave(&arrays, &places)?)
}

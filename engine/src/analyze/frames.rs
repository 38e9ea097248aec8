//! The frames of windows: DataFusion's where they are PostgreSQL's, else computed from columns.

use std::sync::Arc;

use datafusion::{
    common::tree_node::TreeNode,
    logical_expr::{
        Expr, SortExpr, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowUDF,
        expr::ScalarFunction,
    },
    scalar::ScalarValue,
    sql::sqlparser::ast,
};

use super::{
    binder::{Binder, Typed},
    coerce::Coercion,
    expression::Clause,
    names::At,
    scope::Scope,
};
use crate::{
    error::{Error, Result, SqlState},
    functions::window::{
        framed::{Computed, Edge, Frame, framed},
        limit,
    },
    types::{Oid, PgType},
};

pub(super) enum Framing {
    Native(WindowFrame),
    Computed(ComputedFrame),
}

/// A frame whose bounds come as arguments of the function over it.
pub(super) struct ComputedFrame {
    frame: Frame,
    /// Order, limits and offsets, in the order in which [`Frame`] reads them.
    parts: Vec<Expr>,
}

impl ComputedFrame {
    /// The function over the frame, and its arguments.
    pub(super) fn over(
        self,
        computed: Computed,
        mut args: Vec<Expr>,
        filter: Option<Expr>,
        ret: PgType,
    ) -> Result<(Arc<WindowUDF>, Vec<Expr>)> {
        let ret = match &computed {
            // Counts come as unsigned numbers, and are cast around the call.
            Computed::Window(udwf)
                if matches!(udwf.name(), "row_number" | "rank" | "dense_rank" | "ntile") =>
            {
                datafusion::arrow::datatypes::DataType::UInt64
            }
            _ => ret.arrow()?,
        };
        let frame = Frame { arguments: args.len(), filtered: filter.is_some(), ..self.frame };
        args.extend(filter);
        args.extend(self.parts);
        Ok((framed(computed, frame, ret), args))
    }
}

/// One end of a frame, with its offset.
struct Bound {
    edge: Edge,
    offset: Option<Typed>,
}

impl Bound {
    /// As DataFusion takes it, where the offset is known and valid.
    fn native(&self) -> Option<WindowFrameBound> {
        let unbounded = ScalarValue::UInt64(None);
        let offset = match &self.offset {
            None => None,
            Some(offset) => Some(known_offset(offset)?),
        };
        Some(match (self.edge, offset) {
            (Edge::CurrentRow, _) => WindowFrameBound::CurrentRow,
            (Edge::Following, Some(offset)) => WindowFrameBound::Following(offset),
            (_, Some(offset)) => WindowFrameBound::Preceding(offset),
            (_, None) => WindowFrameBound::Preceding(unbounded),
        })
    }
}

impl Binder<'_> {
    /// `first` is the first item of ORDER BY.
    pub(super) fn frame(
        &mut self,
        frame: &ast::WindowFrame,
        order_by: &[SortExpr],
        first: Option<Typed>,
        scope: &Scope<'_>,
    ) -> Result<Framing> {
        let units = match frame.units {
            ast::WindowFrameUnits::Rows => WindowFrameUnits::Rows,
            ast::WindowFrameUnits::Range => WindowFrameUnits::Range,
            ast::WindowFrameUnits::Groups => WindowFrameUnits::Groups,
        };
        check(frame, order_by.len())?;
        let ty = first.as_ref().map(|first| first.ty);
        let start = self.bound(&frame.start_bound, (units, ty), scope)?;
        let end = match &frame.end_bound {
            Some(bound) => self.bound(bound, (units, ty), scope)?,
            None => Bound { edge: Edge::CurrentRow, offset: None },
        };
        if units == WindowFrameUnits::Range && order_by.is_empty() {
            // All rows are peers.
            return Ok(Framing::Native(WindowFrame::new(None)));
        }
        if let Some(native) = native(units, frame, &start, &end) {
            return Ok(Framing::Native(native));
        }
        self.computed_frame(units, [start, end], order_by, first).map(Framing::Computed)
    }

    fn bound(
        &mut self,
        bound: &ast::WindowFrameBound,
        of: (WindowFrameUnits, Option<PgType>),
        scope: &Scope<'_>,
    ) -> Result<Bound> {
        let (edge, offset) = match bound {
            ast::WindowFrameBound::CurrentRow => (Edge::CurrentRow, None),
            ast::WindowFrameBound::Preceding(None) | ast::WindowFrameBound::Following(None) => {
                (Edge::Unbounded, None)
            }
            ast::WindowFrameBound::Preceding(Some(offset)) => (Edge::Preceding, Some(offset)),
            ast::WindowFrameBound::Following(Some(offset)) => (Edge::Following, Some(offset)),
        };
        let offset = match offset {
            Some(offset) => Some(self.offset(offset, of, scope)?),
            None => None,
        };
        Ok(Bound { edge, offset })
    }

    /// An offset in the type in which it is added.
    fn offset(
        &mut self,
        offset: &ast::Expr,
        (units, order_type): (WindowFrameUnits, Option<PgType>),
        scope: &Scope<'_>,
    ) -> Result<Typed> {
        let place = self.places.start(offset);
        let typed = self.expression(offset, scope, Clause::Window)?;
        if typed.expr.any_column_refs() {
            let message = format!("argument of {units} must not contain variables");
            return Err(Error::new(SqlState::INVALID_COLUMN_REFERENCE, message).at_place(place));
        }
        let given = typed.ty;
        let mismatch = || offset_mismatch(units, order_type, given).at_place(place);
        let (WindowFrameUnits::Range, Some(column)) = (units, order_type) else {
            let number = self.coerce(typed, PgType::INT8, Coercion::Assignment);
            return number.at_place(place)?.ok_or_else(mismatch);
        };
        let ty = range_offset_type(column).at_place(place)?;
        // Text is read in the type of the column.
        let typed = match given.is_unknown() && ty == PgType::INT8 {
            true => self.coerce_argument(typed, PgType::plain(column.oid)).at_place(place)?,
            false => typed,
        };
        self.coerce(typed, ty, Coercion::Implicit).at_place(place)?.ok_or_else(mismatch)
    }

    fn computed_frame(
        &mut self,
        units: WindowFrameUnits,
        [start, end]: [Bound; 2],
        order_by: &[SortExpr],
        first: Option<Typed>,
    ) -> Result<ComputedFrame> {
        let descending = order_by.first().is_some_and(|sort| !sort.asc);
        let frame = Frame {
            units,
            start: start.edge,
            end: end.edge,
            descending,
            nulls_first: order_by.first().is_some_and(|sort| sort.nulls_first),
            time_of_day: first.as_ref().is_some_and(|first| first.ty.oid == Oid::TIME),
            arguments: 0,
            filtered: false,
            keys: order_by.len(),
        };
        let bounds = [start, end];
        let mut parts: Vec<Expr> = order_by.iter().map(|sort| sort.expr.clone()).collect();
        let has_limits = bounds.iter().any(|bound| bound.offset.is_some());
        if let (WindowFrameUnits::Range, Some(value), true) = (units, first, has_limits) {
            let value = self.movable(value)?;
            parts = vec![limit_key(value.clone())?];
            for (Bound { edge, offset }, is_end) in bounds.iter().zip([false, true]) {
                let Some(offset) = offset else { continue };
                let subtracts = (*edge == Edge::Preceding) != descending;
                let is_upper = is_end != descending;
                let limit = self.limit(value.clone(), offset.clone(), (subtracts, is_upper))?;
                parts.push(limit);
            }
        }
        let offsets = bounds.into_iter().filter_map(|bound| bound.offset);
        parts.extend(offsets.map(|offset| offset.expr));
        Ok(ComputedFrame { frame, parts })
    }

    /// A value in the type in which an offset is added to it.
    fn movable(&mut self, typed: Typed) -> Result<Typed> {
        match typed.ty.oid {
            Oid::DATE => self.cast(typed, PgType::TIMESTAMP),
            Oid::FLOAT4 => self.cast(typed, PgType::FLOAT8),
            Oid::INT2 | Oid::INT4 => self.cast(typed, PgType::INT8),
            _ => Ok(typed),
        }
    }

    /// The key of the value that a row's frame reaches to, upwards or downwards.
    fn limit(
        &mut self,
        value: Typed,
        offset: Typed,
        (subtracts, is_upper): (bool, bool),
    ) -> Result<Expr> {
        let ty = value.ty;
        let limit = match limit(ty.oid, subtracts, is_upper) {
            Some(udf) => {
                let call = ScalarFunction::new_udf(udf, vec![value.expr, offset.expr]);
                // What limits of these types are kept as has the order of the values.
                let ty = if ty.oid == Oid::TIME { PgType::INT8 } else { ty };
                Typed::new(Expr::ScalarFunction(call), ty)
            }
            None => self.operator(if subtracts { "-" } else { "+" }, value, offset, None)?,
        };
        super::keys::key(limit.expr, limit.ty)
    }
}

/// What is compared with the values that frames reach to.
fn limit_key(value: Typed) -> Result<Expr> {
    let nothing = match value.ty.oid {
        Oid::TIME => ScalarValue::new_interval_mdn(0, 0, 0),
        _ => ScalarValue::Int64(Some(0)),
    };
    match (value.ty.oid, limit(value.ty.oid, false, false)) {
        (Oid::TIME | Oid::INT8, Some(udf)) => {
            let nothing = Expr::Literal(nothing, None);
            let call = ScalarFunction::new_udf(udf, vec![value.expr, nothing]);
            Ok(Expr::ScalarFunction(call))
        }
        _ => super::keys::key(value.expr, value.ty),
    }
}

fn check(frame: &ast::WindowFrame, order_columns: usize) -> Result<()> {
    use ast::WindowFrameBound as Bound;
    let windowing = |message: &str| Err(Error::new(SqlState::WINDOWING_ERROR, message));
    if frame.units == ast::WindowFrameUnits::Groups && order_columns == 0 {
        return windowing("GROUPS mode requires an ORDER BY clause");
    }
    if has_range_offset(frame) && order_columns != 1 {
        return windowing(
            "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column",
        );
    }
    match (&frame.start_bound, frame.end_bound.as_ref().unwrap_or(&Bound::CurrentRow)) {
        (Bound::Following(None), _) => windowing("frame start cannot be UNBOUNDED FOLLOWING"),
        (_, Bound::Preceding(None)) => windowing("frame end cannot be UNBOUNDED PRECEDING"),
        (Bound::CurrentRow, Bound::Preceding(_)) => {
            windowing("frame starting from current row cannot have preceding rows")
        }
        (Bound::Following(_), Bound::Preceding(_) | Bound::CurrentRow) => {
            windowing("frame starting from following row cannot have preceding rows")
        }
        _ => Ok(()),
    }
}

/// DataFusion's frame: one whose offsets are known numbers of rows or groups.
fn native(
    units: WindowFrameUnits,
    frame: &ast::WindowFrame,
    start: &Bound,
    end: &Bound,
) -> Option<WindowFrame> {
    // What DataFusion adds to a value overflows, is in UTC, and takes infinities for numbers.
    if has_range_offset(frame) {
        return None;
    }
    let first = start.native()?;
    let last = match end.edge {
        Edge::Unbounded => WindowFrameBound::Following(ScalarValue::UInt64(None)),
        _ => end.native()?,
    };
    let is_backwards = match (&first, &last) {
        (WindowFrameBound::Preceding(a), WindowFrameBound::Preceding(b)) => !a.is_null() && a < b,
        (WindowFrameBound::Following(a), WindowFrameBound::Following(b)) => !b.is_null() && a > b,
        _ => false,
    };
    if is_backwards {
        return None;
    }
    Some(WindowFrame::new_bounds(units, first, last))
}

/// The value of a constant offset that is neither NULL nor negative.
fn known_offset(offset: &Typed) -> Option<ScalarValue> {
    let is_parameter = |part: &Expr| Ok(matches!(part, Expr::Placeholder(_)));
    if offset.expr.exists(is_parameter).ok()? {
        return None;
    }
    let value = crate::plan::constant(&offset.expr).ok()?;
    match value {
        ScalarValue::Int64(Some(n)) => u64::try_from(n).ok().map(ScalarValue::from),
        _ => None,
    }
}

/// Whether a bound is so and so far from the current row's value.
pub(super) fn has_range_offset(frame: &ast::WindowFrame) -> bool {
    let is_offset = |bound: &ast::WindowFrameBound| {
        matches!(
            bound,
            ast::WindowFrameBound::Preceding(Some(_)) | ast::WindowFrameBound::Following(Some(_))
        )
    };
    frame.units == ast::WindowFrameUnits::Range
        && (is_offset(&frame.start_bound) || frame.end_bound.as_ref().is_some_and(is_offset))
}

/// The type of what is added to a column of a type.
fn range_offset_type(column: PgType) -> Result<PgType> {
    Ok(match column.oid {
        Oid::INT2 | Oid::INT4 | Oid::INT8 => PgType::INT8,
        Oid::FLOAT4 | Oid::FLOAT8 => PgType::FLOAT8,
        Oid::NUMERIC => PgType::plain(Oid::NUMERIC),
        Oid::DATE | Oid::TIMESTAMP | Oid::TIMESTAMPTZ | Oid::TIME | Oid::INTERVAL => {
            PgType::INTERVAL
        }
        _ => {
            return Err(Error::feature_not_supported(format!(
                "RANGE with offset PRECEDING/FOLLOWING is not supported for column type {}",
                column.name()
            )));
        }
    })
}

fn offset_mismatch(units: WindowFrameUnits, column: Option<PgType>, offset: PgType) -> Error {
    match (units, column) {
        (WindowFrameUnits::Range, Some(column)) => Error::feature_not_supported(format!(
            "RANGE with offset PRECEDING/FOLLOWING is not supported for column type {} and \
             offset type {}",
            column.name(),
            offset.name()
        ))
        .with_hint("Cast the offset value to an appropriate type."),
        _ => Error::datatype_mismatch(format!(
            "argument of {} must be type bigint, not type {}",
            if units == WindowFrameUnits::Rows { "ROWS" } else { "GROUPS" },
            offset.name()
        )),
    }
}

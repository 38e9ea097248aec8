//! The catalog of functions, operators and casts, and how an expression's overloads are resolved.
//!
//! Every row of PostgreSQL's pg_proc, pg_operator and pg_cast over our types is here, so that
//! overloads resolve exactly as there; those without an [`Implementation`] of ours say 0A000 when
//! they are chosen. A binder asks [`resolve_function`], [`resolve_operator`] or [`find_cast`],
//! casts its arguments to the types in the answer and calls [`ResolvedCall::scalar`] (or takes the
//! aggregate, window or set implementation out of it).
//!
//! What the text of values depends on (time zone, date order) reaches functions marked
//! `needs_time_zone` as a trailing text argument, see `FormatSettings::to_argument`.

use std::sync::Arc;

use datafusion::logical_expr::{
    AggregateUDF, Expr, Operator as NativeOperator, ScalarUDF, WindowUDF,
};

use crate::error::Result;
use crate::types::{Oid, PgType};

mod aggregate;
mod arithmetic;
pub(crate) mod array;
mod bytes;
pub(crate) mod cast;
mod column_size;
pub(crate) mod compare;
mod datetime;
mod datetime_format;
mod format;
mod formatting;
#[cfg(test)]
mod golden;
mod hash;
mod identifier;
pub(crate) mod json;
pub(crate) mod kernel;
mod like;
mod limit;
mod math;
mod number_format;
pub(crate) mod polymorphic;
mod quantified;
pub(crate) mod random;
pub(crate) mod record;
pub(crate) mod regex;
pub(crate) mod registry;
pub(crate) mod resolve;
pub(crate) mod session;
mod set;
pub(crate) mod text;
mod unicode;
mod uuid;
pub(crate) mod window;

pub(crate) use aggregate::{count, is_ordered_set};
pub(crate) use limit::within_limits;
pub(crate) use registry::registry;
pub(crate) use resolve::{
    ResolvedCall, ResolvedCast, common_type, distinct_from, find_cast, resolve_function,
    resolve_function_named, resolve_operator, resolve_quantified, sort_key,
};

/// Fills in everything that is implemented.
fn register_all(all: &mut registry::Implementations) {
    compare::register(all);
    arithmetic::register(all);
    math::register(all);
    text::register(all);
    bytes::register(all);
    like::register(all);
    regex::register(all);
    datetime::register(all);
    formatting::register(all);
    number_format::register(all);
    datetime_format::register(all);
    array::register(all);
    json::register(all);
    uuid::register(all);
    hash::register(all);
    column_size::register(all);
    identifier::register(all);
    random::register(all);
    unicode::register(all);
    set::register(all);
    aggregate::register(all);
    window::register(all);
    cast::register(all);
}

/// What a function makes of its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FunctionKind {
    /// One value per row.
    Scalar,
    /// One value per group.
    Aggregate,
    /// One value per row, out of its window.
    Window,
    /// Any number of rows per row: the implementation is a scalar function that gives a list (of
    /// structs when there are several columns), which the binder unnests.
    Set,
}

/// `pg_proc.provolatile`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Volatility {
    /// `i`
    Immutable,
    /// `s`
    Stable,
    /// `v`
    Volatile,
}

/// One row of pg_proc.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) oid: Oid,
    pub(crate) name: &'static str,
    /// `pg_proc.proargtypes`: the input arguments.
    pub(crate) args: Vec<Oid>,
    /// Element type of the last argument where it is VARIADIC ([`Oid::ANY`] for `VARIADIC "any"`).
    pub(crate) variadic: Option<Oid>,
    pub(crate) ret: Oid,
    pub(crate) kind: FunctionKind,
    pub(crate) volatility: Volatility,
    pub(crate) strict: bool,
    /// Names of the input arguments, empty when they have none.
    pub(crate) arg_names: Vec<&'static str>,
    /// Default values of the last arguments, as SQL.
    pub(crate) defaults: Vec<&'static str>,
    /// Names and types of the result's columns where it has several (or a named one).
    pub(crate) out_columns: Vec<(&'static str, Oid)>,
    /// `pg_proc.prosrc`
    pub(crate) source: &'static str,
    /// Whether a text argument with the session's settings follows the others.
    pub(crate) needs_time_zone: bool,
    pub(crate) implementation: Implementation,
}

/// How a function runs.
#[derive(Clone)]
pub(crate) enum Implementation {
    /// Known to PostgreSQL, not to us: 0A000.
    Missing,
    /// Evaluated by the session layer, which goes by the name.
    Session,
    /// A scalar (or list-giving set) function.
    Udf(Arc<ScalarUDF>),
    /// An operator of DataFusion that is exactly PostgreSQL's on our Arrow types.
    Native(NativeOperator),
    /// A rewriting.
    Expr(fn(Vec<Expr>) -> Expr),
    /// An aggregate, also over windows.
    Udaf(Arc<AggregateUDF>),
    /// A window function.
    Udwf(Arc<WindowUDF>),
    /// Made for the types of a call; [`ResolvedCall`] holds what it makes.
    Poly(fn(&[PgType], PgType) -> Result<Implementation>),
}

impl std::fmt::Debug for Implementation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Implementation::Missing => f.write_str("Missing"),
            Implementation::Session => f.write_str("Session"),
            Implementation::Udf(udf) => write!(f, "Udf({})", udf.name()),
            Implementation::Native(op) => write!(f, "Native({op})"),
            Implementation::Expr(_) => f.write_str("Expr"),
            Implementation::Udaf(udf) => write!(f, "Udaf({})", udf.name()),
            Implementation::Udwf(udf) => write!(f, "Udwf({})", udf.name()),
            Implementation::Poly(_) => f.write_str("Poly"),
        }
    }
}

/// One row of pg_operator.
#[derive(Debug)]
pub(crate) struct Operator {
    pub(crate) oid: Oid,
    pub(crate) name: &'static str,
    /// [`Oid::INVALID`] for a prefix operator.
    pub(crate) left: Oid,
    pub(crate) right: Oid,
    pub(crate) result: Oid,
    pub(crate) commutator: Oid,
    pub(crate) negator: Oid,
    pub(crate) can_hash: bool,
    pub(crate) can_merge: bool,
    /// The function that computes it.
    pub(crate) function: Oid,
}

/// One row of pg_cast.
#[derive(Debug)]
pub(crate) struct Cast {
    pub(crate) oid: Oid,
    pub(crate) source: Oid,
    pub(crate) target: Oid,
    /// [`Oid::INVALID`] for casts that change nothing or go through text.
    pub(crate) function: Oid,
    pub(crate) context: CastContext,
    pub(crate) method: CastMethod,
}

/// Where a cast may happen by itself; a later one allows the earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CastContext {
    /// Anywhere.
    Implicit,
    /// In assignments to columns.
    Assignment,
    /// Where it is written.
    Explicit,
}

/// `pg_cast.castmethod`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CastMethod {
    /// `f`
    Function,
    /// `i`: through the text form.
    InOut,
    /// `b`: the same bytes.
    Binary,
}

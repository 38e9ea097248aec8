//! Window functions: DataFusion's, where they are PostgreSQL's.
//!
//! Where the result types differ (row_number is bigint, ntile integer), the ResolvedCall's type is
//! PostgreSQL's and the binder casts the window's result to it. DataFusion's lag, lead, ntile and
//! nth_value take literals beside the value; for anything else there are those of `per_row`, which
//! look at the argument in each row and need the whole partition for that.

use std::sync::Arc;

use datafusion::functions_window::cume_dist::cume_dist_udwf;
use datafusion::functions_window::lead_lag::{lag_udwf, lead_udwf};
use datafusion::functions_window::nth_value::{first_value_udwf, last_value_udwf, nth_value_udwf};
use datafusion::functions_window::ntile::ntile_udwf;
use datafusion::functions_window::rank::{dense_rank_udwf, percent_rank_udwf, rank_udwf};
use datafusion::functions_window::row_number::row_number_udwf;
use datafusion::logical_expr::{Expr, WindowUDF};
use datafusion::scalar::ScalarValue;

pub(crate) use limits::limit;

use super::Implementation;
use super::registry::Implementations;

pub(crate) mod framed;
mod limits;
mod per_row;

pub(super) fn register(all: &mut Implementations) {
    let plain = [
        ("row_number()", row_number_udwf()),
        ("rank()", rank_udwf()),
        ("dense_rank()", dense_rank_udwf()),
        ("percent_rank()", percent_rank_udwf()),
        ("cume_dist()", cume_dist_udwf()),
        ("ntile(int4)", ntile_udwf()),
        ("lag(anyelement)", lag_udwf()),
        ("lag(anyelement,int4)", lag_udwf()),
        ("lag(anycompatible,int4,anycompatible)", lag_udwf()),
        ("lead(anyelement)", lead_udwf()),
        ("lead(anyelement,int4)", lead_udwf()),
        ("lead(anycompatible,int4,anycompatible)", lead_udwf()),
        ("first_value(anyelement)", first_value_udwf()),
        ("last_value(anyelement)", last_value_udwf()),
        ("nth_value(anyelement,int4)", nth_value_udwf()),
    ];
    for (signature, udwf) in plain {
        all.add(signature, Implementation::Udwf(udwf));
    }
}

/// The function that takes these arguments: the one given, or one that reads them row by row.
pub(crate) fn chosen(udwf: &Arc<WindowUDF>, args: &[Expr]) -> Arc<WindowUDF> {
    let is_literal = |expr: &Expr| matches!(expr, Expr::Literal(..));
    let counts = |expr: Option<&Expr>| matches!(expr, Some(Expr::Literal(ScalarValue::Int32(Some(n)), _)) if *n > 0);
    let is_native = match udwf.name() {
        "lag" | "lead" => {
            args.len() == 1 || (counts(args.get(1)) && args.iter().skip(2).all(is_literal))
        }
        "ntile" => counts(args.first()),
        "nth_value" => counts(args.get(1)),
        _ => true,
    };
    if is_native { Arc::clone(udwf) } else { per_row::udwf(udwf) }
}

//! pg_proc, pg_operator, pg_cast, pg_aggregate: from the registry of functions.

use std::sync::Arc;

use super::rows::{Filter, Rows};
use crate::{
    catalog::part::{BOOTSTRAP_ROLE, PG_CATALOG},
    context::ExecutionContext,
    error::Result,
    functions::{CastContext, CastMethod, Function, FunctionKind, Volatility, registry},
    types::Oid,
};

/// The language `internal`.
const INTERNAL: Oid = Oid(12);

pub(super) fn functions(
    _: &Arc<ExecutionContext>,
    filter: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    match (filter.oid("oid"), filter.text("proname")) {
        (Some(oid), _) => registry().function(oid).into_iter().for_each(|f| function(f, rows)),
        (None, Some(name)) => registry().functions_named(name).for_each(|f| function(f, rows)),
        (None, None) => registry().functions().iter().for_each(|f| function(f, rows)),
    }
    Ok(())
}

fn function(function: &Function, rows: &mut Rows<'_>) {
    let oids = |list: &[Oid]| list.iter().map(|oid| i64::from(oid.0)).collect::<Vec<i64>>();
    let names: Vec<String> = function.arg_names.iter().map(|name| (*name).to_owned()).collect();
    let count = |n: usize| i64::try_from(n).unwrap_or(0);
    rows.add()
        .set("oid", function.oid)
        .set("proname", function.name)
        .set("pronamespace", PG_CATALOG)
        .set("proowner", BOOTSTRAP_ROLE)
        .set("prolang", INTERNAL)
        .set("procost", 1.0)
        .set("prorows", if function.kind == FunctionKind::Set { 1000.0 } else { 0.0 })
        .set("provariadic", function.variadic.unwrap_or_default())
        .set(
            "prokind",
            match function.kind {
                FunctionKind::Scalar | FunctionKind::Set => 'f',
                FunctionKind::Aggregate => 'a',
                FunctionKind::Window => 'w',
            },
        )
        .set("proisstrict", function.strict)
        .set("proretset", function.kind == FunctionKind::Set)
        .set(
            "provolatile",
            match function.volatility {
                Volatility::Immutable => 'i',
                Volatility::Stable => 's',
                Volatility::Volatile => 'v',
            },
        )
        .set("proparallel", 's')
        .set("pronargs", count(function.args.len()))
        .set("pronargdefaults", count(function.defaults.len()))
        .set("prorettype", function.ret)
        .set("proargtypes", oids(&function.args))
        .set("proargnames", (!names.is_empty()).then_some(names))
        .set("prosrc", function.source);
}

pub(super) fn operators(
    _: &Arc<ExecutionContext>,
    _: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    for operator in registry().operators() {
        rows.add()
            .set("oid", operator.oid)
            .set("oprname", operator.name)
            .set("oprnamespace", PG_CATALOG)
            .set("oprowner", BOOTSTRAP_ROLE)
            .set("oprkind", if operator.left == Oid(0) { 'l' } else { 'b' })
            .set("oprcanmerge", operator.can_merge)
            .set("oprcanhash", operator.can_hash)
            .set("oprleft", operator.left)
            .set("oprright", operator.right)
            .set("oprresult", operator.result)
            .set("oprcom", operator.commutator)
            .set("oprnegate", operator.negator)
            .set("oprcode", operator.function);
    }
    Ok(())
}

pub(super) fn casts(_: &Arc<ExecutionContext>, _: &Filter<'_>, rows: &mut Rows<'_>) -> Result<()> {
    for cast in registry().casts() {
        rows.add()
            .set("oid", cast.oid)
            .set("castsource", cast.source)
            .set("casttarget", cast.target)
            .set("castfunc", cast.function)
            .set(
                "castcontext",
                match cast.context {
                    CastContext::Implicit => 'i',
                    CastContext::Assignment => 'a',
                    CastContext::Explicit => 'e',
                },
            )
            .set(
                "castmethod",
                match cast.method {
                    CastMethod::Function => 'f',
                    CastMethod::InOut => 'i',
                    CastMethod::Binary => 'b',
                },
            );
    }
    Ok(())
}

pub(super) fn aggregates(
    _: &Arc<ExecutionContext>,
    filter: &Filter<'_>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    let wanted = filter.oid("aggfnoid");
    let all = registry().functions().iter();
    for function in all.filter(|f| f.kind == FunctionKind::Aggregate) {
        if wanted.is_some_and(|oid| oid != function.oid) {
            continue;
        }
        let ordered_set = matches!(function.name, "percentile_cont" | "percentile_disc" | "mode");
        rows.add()
            .set("aggfnoid", function.oid)
            .set("aggkind", if ordered_set { 'o' } else { 'n' })
            .set("aggfinalmodify", 'r')
            .set("aggmfinalmodify", 'r')
            .set("aggtranstype", Oid::INTERNAL);
    }
    Ok(())
}

//! What PostgreSQL 15 makes of thousands of calls, operators, casts and aggregates
//! (`golden.tsv`), held against ours.
//!
//! A line is a case, a tab, and PostgreSQL's `type:text` or `ERROR sqlstate message`. A case is
//! `fn|name|args`, `op|name|left|right`, `cast|type|arg`, `set|name|args` or
//! `agg|name|type|elements|args`, an argument `type:text`. The session's zone is America/New_York.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ListArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema};
use datafusion::common::DFSchema;
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, col, lit};
use datafusion::physical_expr::create_physical_expr;
use datafusion::prelude::SessionContext;

use super::resolve::ResolvedCall;
use super::{CastContext, Implementation, find_cast, resolve_function, resolve_operator};
use crate::error::{Error, Result, SqlState};
use crate::types::output::text_of;
use crate::types::{FormatSettings, PgType, TimeZone, input_array, input_scalar, parse_type_name};

const ZONE: &str = "America/New_York";

fn settings() -> FormatSettings {
    FormatSettings { time_zone: TimeZone::parse(ZONE).unwrap(), ..FormatSettings::default() }
}

struct Argument {
    ty: PgType,
    text: Option<String>,
}

impl Argument {
    fn parse(spec: &str) -> Argument {
        let (ty, text) = spec.split_once(':').unwrap();
        let ty = parse_type_name(if ty == "char" { "\"char\"" } else { ty }).unwrap();
        Argument { ty, text: (text != "\\N").then(|| text.to_owned()) }
    }

    /// The argument as an expression of a type.
    fn expr(&self, to: PgType, context: CastContext) -> Result<Expr> {
        let base = if self.ty.is_unknown() { PgType::plain(to.oid) } else { self.ty };
        let value = match &self.text {
            Some(text) => input_scalar(base, text, &settings())?,
            None => crate::types::input::null_scalar(base)?,
        };
        let cast = find_cast(base, to, context)?.ok_or_else(|| {
            Error::cannot_coerce(&PgType::plain(self.ty.oid).name(), &PgType::plain(to.oid).name())
        })?;
        cast.apply(Expr::Literal(value, None), &lit(ZONE))
    }
}

fn exprs(args: &[Argument], types: &[PgType]) -> Result<Vec<Expr>> {
    args.iter().zip(types).map(|(a, t)| a.expr(*t, CastContext::Implicit)).collect()
}

fn evaluate(expr: &Expr) -> Result<ArrayRef> {
    let schema = DFSchema::empty();
    let props = ExecutionProps::new();
    let physical =
        create_physical_expr(expr, &schema, &props, &PhysicalPlanningContext::default())?;
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let empty = Arc::new(Schema::empty());
    let batch = RecordBatch::try_new_with_options(empty, vec![], &options)?;
    Ok(physical.evaluate(&batch)?.into_array(1)?)
}

fn shown(ty: PgType, array: &ArrayRef) -> Result<String> {
    let name = PgType::plain(ty.oid).name();
    let text = text_of(ty, array, 0, &settings())?.unwrap_or_else(|| "\\N".to_owned());
    Ok(format!("{name}:{text}"))
}

fn scalar(call: &ResolvedCall, args: &[Argument]) -> Result<String> {
    let expr = call.scalar(exprs(args, &call.args)?, &lit(ZONE))?;
    shown(call.ret, &evaluate(&expr)?)
}

fn set(call: &ResolvedCall, args: &[Argument]) -> Result<String> {
    let expr = call.scalar(exprs(args, &call.args)?, &lit(ZONE))?;
    let lists = evaluate(&expr)?;
    let lists = lists.as_any().downcast_ref::<ListArray>().unwrap();
    let items = lists.value(0);
    let texts = (0..items.len())
        .map(|row| Ok(text_of(call.ret, &items, row, &settings())?.unwrap_or_default()))
        .collect::<Result<Vec<String>>>()?;
    Ok(if texts.is_empty() { "text:\\N".to_owned() } else { format!("text:{}", texts.join("~")) })
}

fn aggregate(name: &str, ty: &str, elements: &str, more: &[Argument]) -> Result<String> {
    let ty = parse_type_name(ty)?;
    let mut types = vec![ty];
    types.extend(more.iter().map(|a| a.ty));
    let call = resolve_function(name, &types)?;
    let texts = crate::types::array::parse(&format!("{{{elements}}}"), ',')?;
    let column = input_array(ty, texts.iter().map(|t| t.as_deref()), &settings())?;
    let schema = Arc::new(Schema::new(vec![Field::new("x", column.data_type().clone(), true)]));
    let batch = RecordBatch::try_new(schema, vec![column])?;
    let from = find_cast(ty, call.args[0], CastContext::Implicit)?.unwrap();
    let mut args = vec![from.apply(col("x"), &lit(ZONE))?];
    args.extend(exprs(more, &call.args[1..])?);
    let Implementation::Udaf(udaf) = &call.implementation else {
        return Err(Error::internal("not an aggregate"));
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let batches = runtime.block_on(async {
        let frame = SessionContext::new().read_batch(batch)?;
        frame.aggregate(vec![], vec![udaf.call(args).alias("r")])?.collect().await
    })?;
    shown(call.ret, batches[0].column(0))
}

fn run(case: &str) -> Result<String> {
    let parts: Vec<&str> = case.split('|').collect();
    let arguments = |from: usize| -> Vec<Argument> {
        parts[from..].iter().filter(|p| !p.is_empty()).map(|p| Argument::parse(p)).collect()
    };
    match parts[0] {
        "fn" | "set" => {
            let args = arguments(2);
            let types: Vec<PgType> = args.iter().map(|a| a.ty).collect();
            let call = resolve_function(parts[1], &types)?;
            if parts[0] == "fn" { scalar(&call, &args) } else { set(&call, &args) }
        }
        "op" => {
            let args = arguments(2);
            let left = (args.len() == 2).then(|| args[0].ty);
            let name = if parts[1] == "~~CAT" { "||" } else { parts[1] };
            let call = resolve_operator(name, left, args[args.len() - 1].ty)?;
            scalar(&call, &args)
        }
        "cast" => {
            let to = parse_type_name(parts[1])?;
            let expr = Argument::parse(parts[2]).expr(to, CastContext::Explicit)?;
            shown(to, &evaluate(&expr)?)
        }
        "agg" => aggregate(parts[1], parts[2], parts[3], &arguments(4)),
        other => panic!("no kind {other}"),
    }
}

/// The last digits of transcendental functions are the C library's.
fn nearly(got: &str, expected: &str) -> bool {
    let value = |text: &str| text.strip_prefix("double precision:")?.parse::<f64>().ok();
    match (value(got), value(expected)) {
        (Some(a), Some(b)) => (a - b).abs() <= b.abs() * 1e-15,
        _ => false,
    }
}

/// Cases in which we differ knowingly; why is said in the crate's documentation of types.
fn differs_knowingly(expected: &str, got: &Result<String>) -> bool {
    match got {
        Err(error) => {
            error.sqlstate == SqlState::FEATURE_NOT_SUPPORTED && !expected.contains("ERROR 0A000")
        }
        Ok(_) => false,
    }
}

#[test]
fn as_postgresql_15() {
    let (mut wrong, mut refused, mut right) = (Vec::new(), Vec::new(), 0);
    for line in include_str!("golden.tsv").lines() {
        let (case, expected) = line.split_once('\t').unwrap();
        let case = case.replace("\\n", "\n");
        let got = std::panic::catch_unwind(|| run(&case))
            .unwrap_or_else(|_| Err(Error::internal("panicked")));
        let printed = match &got {
            Ok(text) => text.replace('\n', "\\n").replace('\t', "\\t"),
            Err(error) => format!("ERROR {} {}", error.sqlstate, error.message),
        };
        if printed == expected || nearly(&printed, expected) {
            right += 1;
        } else if differs_knowingly(expected, &got) {
            refused.push(format!("{case}\t{expected}\t{printed}"));
        } else {
            wrong.push(format!("{case}\n    expected {expected}\n    got      {printed}"));
        }
    }
    let report = std::env::var_os("GOLDEN_REPORT");
    if let Some(path) = report {
        std::fs::write(
            path,
            format!("{}\n--- refused\n{}\n", wrong.join("\n"), refused.join("\n")),
        )
        .unwrap();
    }
    assert!(
        wrong.is_empty(),
        "{} wrong, {} refused, {right} right:\n{}",
        wrong.len(),
        refused.len(),
        wrong[..wrong.len().min(40)].join("\n")
    );
}

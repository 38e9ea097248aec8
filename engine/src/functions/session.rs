//! Functions that ask the session: who it is, its settings, its catalog, its sequences, the time.
//!
//! They find the session by `ExecutionContext::current()` when they are evaluated, so that plans
//! can be shared. None is immutable, so none is evaluated before.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int16Array, Int32Array, Int64Array,
        ListBuilder, StringArray, StringBuilder, TimestampMicrosecondBuilder, UInt32Array,
    },
    datatypes::{DataType, Int16Type, Int32Type, Int64Type, UInt32Type},
};
use datafusion::logical_expr::{Expr, ScalarUDF, expr::ScalarFunction};

use super::{
    FunctionKind, Volatility,
    kernel::{Arg, Call, Kernel, scalar_udf},
    registry,
};
use crate::{
    context::ExecutionContext,
    error::{Error, Result},
    types::{Oid, PgType, builtin, list_of},
};

mod advisory;
pub(crate) mod definition;
pub(crate) mod identity;
pub(crate) mod names;
mod privilege;
pub(crate) mod sequence;
mod signal;
pub(crate) mod size;

/// The settings that text forms depend on, as functions marked `needs_time_zone` get them.
pub(crate) fn time_zone_argument() -> Expr {
    let kernel: Kernel = Arc::new(|_: &Call| {
        let context = current()?;
        let text = context.format.to_argument();
        Ok(Arc::new(StringArray::from(vec![text])) as ArrayRef)
    });
    let udf = scalar_udf(
        "kalam_time_zone()",
        Vec::new(),
        DataType::Utf8,
        Volatility::Stable,
        false,
        kernel,
    );
    Expr::ScalarFunction(ScalarFunction::new_udf(udf, Vec::new()))
}

/// The implementation of a function of the session, `None` where there is none.
pub(crate) fn session_function(name: &str, args: &[PgType], ret: PgType) -> Option<Arc<ScalarUDF>> {
    if name == "pg_typeof" {
        return args.first().map(|ty| type_of(ty.oid));
    }
    let body = body(name)?;
    let entry = registry().functions_named(name).next();
    let element = ret.arrow().ok()?;
    // A set is a list per row, which the binder unnests.
    let ret = match entry.map(|function| function.kind) {
        Some(FunctionKind::Set) => list_of(element),
        _ => element,
    };
    let volatility = match name {
        "nextval"
        | sequence::IDENTITY_VALUE
        | "setval"
        | "set_config"
        | "clock_timestamp"
        | "timeofday"
        | "pg_notify" => Volatility::Volatile,
        _ => match entry.map(|function| function.volatility) {
            Some(Volatility::Volatile) => Volatility::Volatile,
            _ => Volatility::Stable,
        },
    };
    let types: Vec<&str> =
        args.iter().map(|ty| builtin(ty.oid).map_or("?", |entry| entry.name)).collect();
    let id = format!("{name}({})", types.join(","));
    let strict = !matches!(name, "set_config" | "pg_notify" | "format_type");
    Some(rowwise(&id, ret, volatility, strict, body))
}

/// Whether [`session_function`] knows a function of this name.
pub(crate) fn is_session_function(name: &str) -> bool {
    name == "pg_typeof" || body(name).is_some()
}

/// `pg_typeof`: known before any value is.
fn type_of(ty: Oid) -> Arc<ScalarUDF> {
    let kernel: Kernel =
        Arc::new(move |call: &Call| Ok(Arc::new(UInt32Array::from(vec![ty.0; call.rows])) as _));
    let (id, ret) = (format!("pg_typeof({ty})"), DataType::UInt32);
    scalar_udf(&id, Vec::new(), ret, Volatility::Stable, false, kernel)
}

/// `f() IS NULL` (or, `negated`, IS NOT NULL) where `f` returns void, which isn't NULL.
pub(crate) fn void_test(negated: bool) -> Arc<ScalarUDF> {
    let kernel: Kernel =
        Arc::new(
            move |call: &Call| Ok(Arc::new(BooleanArray::from(vec![negated; call.rows])) as _),
        );
    let id = format!("kalam_void_test({negated})");
    let types = vec![DataType::Null];
    scalar_udf(&id, types, DataType::Boolean, Volatility::Volatile, false, kernel)
}

/// The cast between texts and names of the catalog: text to `regclass` and its kin, and back.
pub(crate) fn session_cast(from: PgType, to: PgType) -> Option<Arc<ScalarUDF>> {
    let is_name = |ty: PgType| super::resolve::is_named_object(ty.oid);
    let id = format!("kalam_cast({},{})", from.oid, to.oid);
    let ret = to.arrow().ok()?;
    if is_name(to) && ret == DataType::UInt32 {
        let body = names::input(to.oid)?;
        return Some(rowwise(&id, ret, Volatility::Stable, true, body));
    }
    if is_name(from) && ret == DataType::Utf8 {
        let body = names::output(from.oid)?;
        return Some(rowwise(&id, ret, Volatility::Stable, true, body));
    }
    let of_names = from.element().is_some_and(is_name);
    (of_names && ret == DataType::Utf8).then(|| array_to_text(&id, from))
}

/// The text form of an array of names of the catalog.
fn array_to_text(id: &str, from: PgType) -> Arc<ScalarUDF> {
    let kernel: Kernel = Arc::new(move |call: &Call| {
        let context = current()?;
        let path = &context.session.effective().search_path;
        let arg = call.args.first().ok_or_else(|| Error::internal("a cast lacks its argument"))?;
        let named = names::column_as_text(&context.catalog, path, from, &arg.array)
            .ok_or_else(|| unexpected(&arg.array))?;
        let lists = named.as_list::<i32>();
        let text = |row| {
            let at = arg.index(row);
            lists.is_valid(at).then(|| {
                let items = lists.value(at);
                let items = items.as_string::<i32>().iter().map(|item| item.map(str::to_owned));
                crate::types::array::text_of(&items.collect::<Vec<_>>())
            })
        };
        Ok(Arc::new((0..call.rows).map(text).collect::<StringArray>()) as ArrayRef)
    });
    scalar_udf(id, Vec::new(), DataType::Utf8, Volatility::Stable, true, kernel)
}

/// One call, one row.
type Body = fn(&Row<'_>) -> Result<Value>;

fn body(name: &str) -> Option<Body> {
    identity::body(name)
        .or_else(|| advisory::body(name))
        .or_else(|| sequence::body(name))
        .or_else(|| names::body(name))
        .or_else(|| definition::body(name))
        .or_else(|| privilege::body(name))
        .or_else(|| size::body(name))
        .or_else(|| signal::body(name))
}

/// What a function gives for one row.
#[derive(Clone, Debug)]
enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Oid(u32),
    Text(String),
    /// Microseconds since 1970.
    Time(i64),
    Texts(Vec<String>),
}

impl Value {
    fn text(text: Option<impl Into<String>>) -> Value {
        text.map_or(Value::Null, |text| Value::Text(text.into()))
    }
}

/// The arguments of one row, and the session.
struct Row<'a> {
    args: &'a [Arg],
    row: usize,
    context: &'a Arc<ExecutionContext>,
}

impl Row<'_> {
    fn len(&self) -> usize {
        self.args.len()
    }

    fn is_null(&self, place: usize) -> bool {
        self.args.get(place).is_none_or(|arg| arg.array.is_null(arg.index(self.row)))
    }

    fn is_text(&self, place: usize) -> bool {
        self.args.get(place).is_some_and(|arg| arg.array.data_type() == &DataType::Utf8)
    }

    fn text(&self, place: usize) -> Result<&str> {
        let arg = self.arg(place)?;
        let texts = arg.array.as_string_opt::<i32>().ok_or_else(|| unexpected(&arg.array))?;
        Ok(texts.value(arg.index(self.row)))
    }

    fn bool(&self, place: usize) -> Result<bool> {
        let arg = self.arg(place)?;
        let values = arg.array.as_boolean_opt().ok_or_else(|| unexpected(&arg.array))?;
        Ok(values.value(arg.index(self.row)))
    }

    /// Any integer, an OID as well.
    fn int(&self, place: usize) -> Result<i64> {
        let arg = self.arg(place)?;
        let at = arg.index(self.row);
        let array = &arg.array;
        match array.data_type() {
            DataType::Int16 => Ok(i64::from(array.as_primitive::<Int16Type>().value(at))),
            DataType::Int32 => Ok(i64::from(array.as_primitive::<Int32Type>().value(at))),
            DataType::Int64 => Ok(array.as_primitive::<Int64Type>().value(at)),
            DataType::UInt32 => Ok(i64::from(array.as_primitive::<UInt32Type>().value(at))),
            _ => Err(unexpected(array)),
        }
    }

    fn oid(&self, place: usize) -> Result<Oid> {
        let value = self.int(place)?;
        u32::try_from(value)
            .or_else(|_| i32::try_from(value).map(|value| value as u32))
            .map(Oid)
            .map_err(|_| Error::numeric_out_of_range("OID out of range"))
    }

    fn arg(&self, place: usize) -> Result<&Arg> {
        self.args.get(place).ok_or_else(|| Error::internal("a session function lacks an argument"))
    }
}

fn unexpected(array: &ArrayRef) -> Error {
    Error::internal(format!("a session function got {}", array.data_type()))
}

/// The context, which is there wherever expressions of sessions are evaluated.
fn current() -> Result<Arc<ExecutionContext>> {
    ExecutionContext::current()
        .ok_or_else(|| Error::internal("a session function was evaluated outside of a session"))
}

fn rowwise(
    id: &str,
    ret: DataType,
    volatility: Volatility,
    strict: bool,
    body: Body,
) -> Arc<ScalarUDF> {
    let shape = ret.clone();
    let kernel: Kernel = Arc::new(move |call: &Call| {
        let context = current()?;
        let mut values = Vec::with_capacity(call.rows);
        for at in 0..call.rows {
            let row = Row { args: &call.args, row: at, context: &context };
            let null = strict && (0..row.len()).any(|place| row.is_null(place));
            values.push(if null { Value::Null } else { body(&row)? });
        }
        build(&shape, values)
    });
    scalar_udf(id, Vec::new(), ret, volatility, strict, kernel)
}

fn build(ty: &DataType, values: Vec<Value>) -> Result<ArrayRef> {
    Ok(match ty {
        DataType::Boolean => {
            let of = |value| if let Value::Bool(value) = value { Ok(value) } else { Err(value) };
            Arc::new(BooleanArray::from(optional(ty, values, of)?))
        }
        DataType::Int16 => Arc::new(Int16Array::from(integers(ty, values, |v| v as i16)?)),
        DataType::Int32 => Arc::new(Int32Array::from(integers(ty, values, |v| v as i32)?)),
        DataType::Int64 => Arc::new(Int64Array::from(integers(ty, values, |v| v)?)),
        DataType::UInt32 => Arc::new(UInt32Array::from(integers(ty, values, |v| v as u32)?)),
        DataType::Float64 => {
            let of = |value| if let Value::Float(value) = value { Ok(value) } else { Err(value) };
            Arc::new(Float64Array::from(optional(ty, values, of)?))
        }
        DataType::Timestamp(..) => {
            let values = integers(ty, values, |v| v)?;
            let mut builder =
                TimestampMicrosecondBuilder::with_capacity(values.len()).with_data_type(ty.clone());
            for value in values {
                builder.append_option(value);
            }
            Arc::new(builder.finish())
        }
        DataType::Utf8 => {
            let of = |value| if let Value::Text(text) = value { Ok(text) } else { Err(value) };
            Arc::new(StringArray::from(optional(ty, values, of)?))
        }
        DataType::List(_) => {
            let of = |value| if let Value::Texts(texts) = value { Ok(texts) } else { Err(value) };
            let mut builder = ListBuilder::new(StringBuilder::new());
            for texts in optional(ty, values, of)? {
                builder.append_option(texts.map(|texts| texts.into_iter().map(Some)));
            }
            Arc::new(builder.finish())
        }
        DataType::Null => Arc::new(arrow::array::NullArray::new(values.len())),
        other => {
            return Err(Error::internal(format!("no session function gives {other}")));
        }
    })
}

fn integers<T>(ty: &DataType, values: Vec<Value>, of: fn(i64) -> T) -> Result<Vec<Option<T>>> {
    optional(ty, values, |value| match value {
        Value::Int(value) | Value::Time(value) => Ok(of(value)),
        Value::Oid(value) => Ok(of(value.into())),
        other => Err(other),
    })
}

/// What `of` makes of the values that aren't NULL; it hands back those of another type.
fn optional<T>(
    ty: &DataType,
    values: Vec<Value>,
    of: impl Fn(Value) -> Result<T, Value>,
) -> Result<Vec<Option<T>>> {
    values
        .into_iter()
        .map(|value| match value {
            Value::Null => Ok(None),
            value => of(value).map(Some).map_err(|value| {
                Error::internal(format!(
                    "a session function gave {value:?} where {ty} was promised"
                ))
            }),
        })
        .collect()
}

//! Documents made of values: `to_jsonb`, `jsonb_build_object`, `jsonb_agg` and their kin.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility as NativeVolatility,
};

use crate::error::{Error, Result, SqlState};
use crate::functions::{Implementation, Volatility, record};
use crate::types::{DateStyle, FormatSettings, Oid, PgType, json, output::Column};

use super::super::aggregate::{arranged, arranged_state};
use super::super::kernel::{Call, scalar_udf};
use super::super::registry::Implementations;

/// json is written with this spacing by the builders, jsonb is brought into its normal form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Json,
    Jsonb,
}

impl Kind {
    fn finish(self, text: String) -> Result<String> {
        match self {
            Kind::Json => Ok(text),
            Kind::Jsonb => json::to_jsonb_text(&text),
        }
    }
}

pub(super) fn register(all: &mut Implementations) {
    use Implementation::Poly;
    all.add_zoned("to_json(anyelement)", Poly(|t, _| value(t, Kind::Json)));
    all.add_zoned("to_jsonb(anyelement)", Poly(|t, _| value(t, Kind::Jsonb)));
    all.add_zoned("row_to_json(record)", Poly(|t, _| value(t, Kind::Json)));
    all.add_zoned("row_to_json(record,bool)", Poly(row_in_lines));
    all.add_zoned("array_to_json(anyarray)", Poly(|t, _| value(t, Kind::Json)));
    all.add_zoned("array_to_json(anyarray,bool)", Poly(array_in_lines));
    all.add_zoned("json_build_array(any)", Poly(|t, _| array(t, Kind::Json)));
    all.add_zoned("json_build_array()", Poly(|t, _| array(t, Kind::Json)));
    all.add_zoned("jsonb_build_array(any)", Poly(|t, _| array(t, Kind::Jsonb)));
    all.add_zoned("jsonb_build_array()", Poly(|t, _| array(t, Kind::Jsonb)));
    all.add_zoned("json_build_object(any)", Poly(|t, _| object(t, Kind::Json)));
    all.add_zoned("json_build_object()", Poly(|t, _| object(t, Kind::Json)));
    all.add_zoned("jsonb_build_object(any)", Poly(|t, _| object(t, Kind::Jsonb)));
    all.add_zoned("jsonb_build_object()", Poly(|t, _| object(t, Kind::Jsonb)));
    all.add_zoned("json_agg(anyelement)", Poly(|t, _| Ok(aggregate(t, Kind::Json, false))));
    all.add_zoned("jsonb_agg(anyelement)", Poly(|t, _| Ok(aggregate(t, Kind::Jsonb, false))));
    all.add_zoned("json_object_agg(any,any)", Poly(|t, _| Ok(aggregate(t, Kind::Json, true))));
    all.add_zoned("jsonb_object_agg(any,any)", Poly(|t, _| Ok(aggregate(t, Kind::Jsonb, true))));
}

/// Appends one value as JSON.
pub(crate) fn write_value(
    ty: PgType,
    column: &ArrayRef,
    bound: &Column,
    row: usize,
    settings: &FormatSettings,
    out: &mut String,
) -> Result<()> {
    if bound.is_null(row) {
        out.push_str("null");
        return Ok(());
    }
    if let Some(element) = ty.list_element() {
        let items = column.as_list::<i32>().value(row);
        let bound = Column::bind(element, &items)?;
        out.push('[');
        for item in 0..items.len() {
            if item > 0 {
                out.push(',');
            }
            write_value(element, &items, &bound, item, settings, out)?;
        }
        out.push(']');
        return Ok(());
    }
    if ty == PgType::RECORD {
        out.push_str(record::json_of(column.as_string::<i32>().value(row)));
        return Ok(());
    }
    let mut text = String::new();
    // Whatever DateStyle says, JSON has ISO dates.
    let iso;
    let settings = match ty.oid {
        Oid::DATE | Oid::TIMESTAMP | Oid::TIMESTAMPTZ if settings.date_style != DateStyle::Iso => {
            iso = FormatSettings { date_style: DateStyle::Iso, ..settings.clone() };
            &iso
        }
        _ => settings,
    };
    bound.write_text(row, settings, &mut text).map_err(|_| crate::types::output::corrupt(ty))?;
    match ty.oid {
        Oid::BOOL => out.push_str(if text == "t" { "true" } else { "false" }),
        Oid::JSON | Oid::JSONB => out.push_str(&text),
        Oid::INT2 | Oid::INT4 | Oid::INT8 | Oid::FLOAT4 | Oid::FLOAT8 | Oid::NUMERIC
            if text.bytes().all(|b| !b.is_ascii_alphabetic() || b == b'e') =>
        {
            out.push_str(&text);
        }
        Oid::TIMESTAMP | Oid::TIMESTAMPTZ => {
            let _ = json::write_string(&iso_8601(&text, ty.oid), out);
        }
        _ => {
            let _ = json::write_string(&text, out);
        }
    }
    Ok(())
}

/// `2024-01-01T10:00:00+02:00`: JSON wants a T, and minutes in the zone.
fn iso_8601(text: &str, oid: Oid) -> String {
    let mut text = text.replacen(' ', "T", 1);
    let zone = text.rfind(['+', '-']).filter(|at| *at > 10 && oid == Oid::TIMESTAMPTZ);
    if let Some(zone) = zone
        && !text[zone..].contains(':')
        && !text.ends_with("BC")
    {
        text.push_str(":00");
    }
    text
}

/// The arguments of a call, bound to their types; the settings come last.
struct Arguments<'a> {
    call: &'a Call,
    types: &'a [PgType],
    bound: Vec<Column>,
    settings: FormatSettings,
}

impl<'a> Arguments<'a> {
    fn new(call: &'a Call, types: &'a [PgType]) -> Result<Self> {
        let bound = types
            .iter()
            .zip(&call.args)
            .map(|(ty, arg)| Column::bind(*ty, &arg.array))
            .collect::<Result<Vec<_>>>()?;
        let settings = match call.args.get(types.len()) {
            Some(arg) => {
                let texts = super::super::kernel::downcast::<StringArray>(&arg.array)?;
                FormatSettings::cached(texts.value(0))?
            }
            None => FormatSettings::default(),
        };
        Ok(Arguments { call, types, bound, settings })
    }

    fn write(&self, argument: usize, row: usize, out: &mut String) -> Result<()> {
        let arg = &self.call.args[argument];
        let row = arg.index(row);
        let bound = &self.bound[argument];
        write_value(self.types[argument], &arg.array, bound, row, &self.settings, out)
    }

    /// An argument as an object's key.
    fn write_key(&self, argument: usize, row: usize, out: &mut String) -> Result<()> {
        let row = self.call.args[argument].index(row);
        if self.bound[argument].is_null(row) {
            return Err(Error::invalid_parameter_value(format!(
                "argument {} cannot be null",
                argument + 1
            ))
            .with_hint("Object keys should be text."));
        }
        let mut text = String::new();
        self.bound[argument]
            .write_text(row, &self.settings, &mut text)
            .map_err(|_| crate::types::output::corrupt(self.types[argument]))?;
        let _ = json::write_string(&text, out);
        Ok(())
    }
}

/// A function of any arguments that writes one text per row.
fn writer(
    name: &str,
    types: &[PgType],
    kind: Kind,
    write: impl Fn(&Arguments<'_>, usize, &mut String) -> Result<()> + Send + Sync + 'static,
    strict: bool,
) -> Result<Implementation> {
    let types = types.to_vec();
    let oids: Vec<u32> = types.iter().map(|ty| ty.oid.0).collect();
    let id = format!("{name}({kind:?}{oids:?})");
    let mut args = types.iter().map(|ty| ty.arrow()).collect::<Result<Vec<DataType>>>()?;
    args.push(DataType::Utf8);
    let kernel = Arc::new(move |call: &Call| -> Result<ArrayRef> {
        let arguments = Arguments::new(call, &types)?;
        let mut out = StringBuilder::new();
        for row in 0..call.rows {
            let mut all = arguments.bound.iter().zip(&call.args);
            let is_null = strict && all.any(|(bound, arg)| bound.is_null(arg.index(row)));
            if is_null {
                out.append_null();
                continue;
            }
            let mut text = String::new();
            write(&arguments, row, &mut text)?;
            out.append_value(kind.finish(text)?);
        }
        Ok(Arc::new(out.finish()))
    });
    let udf = scalar_udf(&id, args, DataType::Utf8, Volatility::Stable, false, kernel);
    Ok(Implementation::Udf(udf))
}

fn value(types: &[PgType], kind: Kind) -> Result<Implementation> {
    writer("to_json", types, kind, |arguments, row, out| arguments.write(0, row, out), true)
}

/// With the flag each member on a line of its own.
fn row_in_lines(types: &[PgType], _: PgType) -> Result<Implementation> {
    writer(
        "row_to_json",
        types,
        Kind::Json,
        |arguments, row, out| {
            let flag = &arguments.call.args[1];
            let pretty = flag.array.as_boolean().value(flag.index(row));
            let mut json = String::new();
            arguments.write(0, row, &mut json)?;
            match pretty {
                true => in_lines(&json, out),
                false => out.push_str(&json),
            }
            Ok(())
        },
        true,
    )
}

/// An object with a line for each of its members.
fn in_lines(json: &str, out: &mut String) {
    let (mut depth, mut is_text, mut is_escaped) = (0, false, false);
    for c in json.chars() {
        out.push(c);
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_text => is_escaped = true,
            '"' => is_text = !is_text,
            _ if is_text => {}
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            ',' if depth == 1 => out.push_str("\n "),
            _ => {}
        }
    }
}

/// With the flag each element on a line of its own.
fn array_in_lines(types: &[PgType], _: PgType) -> Result<Implementation> {
    writer(
        "array_to_json",
        types,
        Kind::Json,
        |arguments, row, out| {
            let flag = &arguments.call.args[1];
            let pretty = flag.array.as_boolean().value(flag.index(row));
            let array = &arguments.call.args[0];
            let at = array.index(row);
            let items = array.array.as_list::<i32>().value(at);
            let element = arguments.types[0]
                .list_element()
                .ok_or_else(|| Error::internal("array_to_json of no array"))?;
            let bound = Column::bind(element, &items)?;
            out.push('[');
            for item in 0..items.len() {
                if item > 0 {
                    out.push_str(if pretty { ",\n " } else { "," });
                }
                write_value(element, &items, &bound, item, &arguments.settings, out)?;
            }
            out.push(']');
            Ok(())
        },
        true,
    )
}

fn array(types: &[PgType], kind: Kind) -> Result<Implementation> {
    let count = types.len();
    writer(
        "json_build_array",
        types,
        kind,
        move |arguments, row, out| {
            out.push('[');
            for argument in 0..count {
                if argument > 0 {
                    out.push_str(", ");
                }
                arguments.write(argument, row, out)?;
            }
            out.push(']');
            Ok(())
        },
        false,
    )
}

fn object(types: &[PgType], kind: Kind) -> Result<Implementation> {
    let count = types.len();
    writer(
        "json_build_object",
        types,
        kind,
        move |arguments, row, out| {
            if !count.is_multiple_of(2) {
                return Err(odd_number(kind));
            }
            out.push('{');
            for argument in (0..count).step_by(2) {
                if argument > 0 {
                    out.push_str(", ");
                }
                arguments.write_key(argument, row, out)?;
                out.push_str(" : ");
                arguments.write(argument + 1, row, out)?;
            }
            out.push('}');
            Ok(())
        },
        false,
    )
}

/// Raised where rows are made: PostgreSQL's function looks at its arguments when it is called.
fn odd_number(kind: Kind) -> Error {
    let name = match kind {
        Kind::Json => "json_build_object",
        Kind::Jsonb => "jsonb_build_object",
    };
    Error::invalid_parameter_value("argument list must have even number of elements").with_hint(
        format!("The arguments of {name}() must consist of alternating keys and values."),
    )
}

fn aggregate(types: &[PgType], kind: Kind, keyed: bool) -> Implementation {
    let name = match (kind, keyed) {
        (Kind::Json, false) => "json_agg",
        (Kind::Jsonb, false) => "jsonb_agg",
        (Kind::Json, true) => "json_object_agg",
        (Kind::Jsonb, true) => "jsonb_object_agg",
    };
    let types: Arc<[PgType]> = types.into();
    let signature = Signature::variadic_any(NativeVolatility::Stable);
    Implementation::Udaf(Arc::new(AggregateUDF::new_from_impl(JsonAggregate {
        name,
        types,
        kind,
        keyed,
        signature,
    })))
}

/// json_agg and json_object_agg for arguments of certain types.
#[derive(Debug, PartialEq, Eq, Hash)]
struct JsonAggregate {
    name: &'static str,
    types: Arc<[PgType]>,
    kind: Kind,
    keyed: bool,
    signature: Signature,
}

impl JsonAggregate {
    /// The arguments, and the settings behind them.
    fn inputs(&self) -> Vec<PgType> {
        self.types.iter().copied().chain([PgType::TEXT]).collect()
    }
}

impl AggregateUDFImpl for JsonAggregate {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DataFusionResult<DataType> {
        Ok(DataType::Utf8)
    }

    fn state_fields(
        &self,
        args: StateFieldsArgs<'_>,
    ) -> DataFusionResult<Vec<arrow::datatypes::FieldRef>> {
        let arranged = arranged_state(&args, &self.inputs(), true);
        let types = arranged.map_err(Error::into_datafusion)?.unwrap_or(vec![DataType::Utf8]);
        let field = |(i, ty)| {
            Arc::new(arrow::datatypes::Field::new(format!("{}[{i}]", args.name), ty, true))
        };
        Ok(types.into_iter().enumerate().map(field).collect())
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> DataFusionResult<Box<dyn Accumulator>> {
        let (types, kind, keyed) = (Arc::clone(&self.types), self.kind, self.keyed);
        let make = Arc::new(move || -> Box<dyn Accumulator> {
            let types = Arc::clone(&types);
            Box::new(Collected { types, kind, keyed, text: String::new(), any: false })
        });
        arranged(&args, &self.inputs(), true, make)
    }

    /// The accumulator sorts what doesn't come sorted, so it is the same either way.
    fn with_beneficial_ordering(
        self: Arc<Self>,
        _beneficial_ordering: bool,
    ) -> DataFusionResult<Option<Arc<dyn AggregateUDFImpl>>> {
        Ok(Some(self))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::SoftRequirement
    }
}

/// The elements so far, with commas between them.
#[derive(Debug)]
struct Collected {
    types: Arc<[PgType]>,
    kind: Kind,
    keyed: bool,
    text: String,
    any: bool,
}

/// A document that an aggregate makes is at most this long, in bytes.
const MAX_DOCUMENT_BYTES: usize = 256 << 20;

impl Collected {
    /// Rows and arrays come each on a line of its own.
    fn separator(&self) -> &'static str {
        let ty = self.types[0];
        match self.kind == Kind::Json && !self.keyed {
            true if ty == PgType::RECORD || ty.list_element().is_some() => ", \n ",
            _ => ", ",
        }
    }

    fn add(&mut self, values: &[ArrayRef]) -> Result<()> {
        let rows = values.first().map_or(0, |column| column.len());
        let settings = match values.get(self.types.len()) {
            Some(texts) if rows > 0 => FormatSettings::cached(texts.as_string::<i32>().value(0))?,
            _ => FormatSettings::default(),
        };
        let bound = self
            .types
            .iter()
            .zip(values)
            .map(|(ty, column)| Column::bind(*ty, column))
            .collect::<Result<Vec<_>>>()?;
        for row in 0..rows {
            if self.any {
                self.text.push_str(self.separator());
            }
            self.any = true;
            let mut value = 0;
            if self.keyed {
                if bound[0].is_null(row) {
                    return Err(Error::new(
                        SqlState::INVALID_PARAMETER_VALUE,
                        "field name must not be null",
                    ));
                }
                let mut key = String::new();
                bound[0]
                    .write_text(row, &settings, &mut key)
                    .map_err(|_| crate::types::output::corrupt(self.types[0]))?;
                let _ = json::write_string(&key, &mut self.text);
                self.text.push_str(" : ");
                value = 1;
            }
            let ty = self.types[value];
            write_value(ty, &values[value], &bound[value], row, &settings, &mut self.text)?;
            if self.text.len() > MAX_DOCUMENT_BYTES {
                return Err(Error::program_limit_exceeded("a JSON document is too long"));
            }
        }
        Ok(())
    }
}

impl Accumulator for Collected {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DataFusionResult<()> {
        self.add(values).map_err(Error::into_datafusion)
    }

    fn evaluate(&mut self) -> DataFusionResult<ScalarValue> {
        if !self.any {
            return Ok(ScalarValue::Utf8(None));
        }
        let (open, close) = match (self.keyed, self.kind) {
            (true, Kind::Json) => ("{ ", " }"),
            (true, Kind::Jsonb) => ("{", "}"),
            (false, _) => ("[", "]"),
        };
        let text = format!("{open}{}{close}", self.text);
        let text = self.kind.finish(text).map_err(Error::into_datafusion)?;
        Ok(ScalarValue::Utf8(Some(text)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.text.capacity()
    }

    fn state(&mut self) -> DataFusionResult<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::Utf8(self.any.then(|| self.text.clone()))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DataFusionResult<()> {
        for text in states[0].as_string::<i32>().iter().flatten() {
            if self.any {
                self.text.push_str(self.separator());
            }
            self.any = true;
            self.text.push_str(text);
        }
        Ok(())
    }
}

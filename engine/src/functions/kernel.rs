//! From a plain Rust function over values to a vectorised scalar function.
//!
//! [`SqlType`] says how one PostgreSQL type is read from and built into Arrow; `k1` .. `k6` lift a
//! function over values to one over columns. An argument that is a constant stays one value. A
//! NULL in any argument gives NULL, unless the argument is [`Maybe`]; a result of type [`Opt`] may
//! be NULL. [`Kernel`]s of other shapes get the columns themselves.

use std::any::Any;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, BooleanArray, BooleanBuilder,
    FixedSizeBinaryArray, FixedSizeBinaryBuilder, ListArray, PrimitiveArray, PrimitiveBuilder,
    StringArray, StringBuilder, new_empty_array, new_null_array,
};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Float32Type, Float64Type, Int16Type, Int32Type,
    Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, Time64MicrosecondType,
    TimestampMicrosecondType, UInt32Type,
};
use datafusion::common::ScalarValue;
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility as NativeVolatility,
};

use super::registry::Implementations;
use super::{Implementation, Volatility};
use crate::error::{Error, Result};
use crate::types::numeric::Numeric;
use crate::types::{FormatSettings, timestamp_type};

/// One argument: a column, or one value for all rows.
#[derive(Clone)]
pub(crate) struct Arg {
    pub(crate) array: ArrayRef,
    pub(crate) constant: bool,
}

impl Arg {
    /// Where the value of a row is in the array.
    pub(crate) fn index(&self, row: usize) -> usize {
        if self.constant { 0 } else { row }
    }

    /// The column with as many values as there are rows.
    pub(crate) fn expanded(&self, rows: usize) -> Result<ArrayRef> {
        if !self.constant || rows == 1 {
            return Ok(Arc::clone(&self.array));
        }
        let indices = arrow::array::UInt32Array::from(vec![0; rows]);
        Ok(arrow::compute::take(&self.array, &indices, None)?)
    }
}

/// What a kernel is called with.
pub(crate) struct Call {
    pub(crate) args: Vec<Arg>,
    pub(crate) rows: usize,
}

/// Computes a column of `rows` values.
pub(crate) type Kernel = Arc<dyn Fn(&Call) -> Result<ArrayRef> + Send + Sync>;

/// A scalar function of ours.
#[derive(Clone)]
pub(crate) struct PgScalar {
    /// Unique: the signature with its types.
    id: String,
    name: String,
    signature: Signature,
    args: Vec<DataType>,
    ret: DataType,
    strict: bool,
    /// Has a value for all arguments, never an error.
    total: bool,
    kernel: Kernel,
}

impl std::fmt::Debug for PgScalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.id)
    }
}

impl PartialEq for PgScalar {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.ret == other.ret
    }
}

impl Eq for PgScalar {}

impl Hash for PgScalar {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

/// Makes a scalar function. `id` is its signature with types and must be unique; the part before
/// the parenthesis is its name. `args` are the Arrow types of the arguments; where there are more
/// arguments than types, the last type repeats.
pub(crate) fn scalar_udf(
    id: &str,
    args: Vec<DataType>,
    ret: DataType,
    volatility: Volatility,
    strict: bool,
    kernel: Kernel,
) -> Arc<ScalarUDF> {
    let name = id.split('(').next().unwrap_or(id).to_owned();
    let volatility = match volatility {
        Volatility::Immutable => NativeVolatility::Immutable,
        Volatility::Stable => NativeVolatility::Stable,
        Volatility::Volatile => NativeVolatility::Volatile,
    };
    let types = TypeSignature::OneOf(vec![TypeSignature::Nullary, TypeSignature::VariadicAny]);
    Arc::new(ScalarUDF::new_from_impl(PgScalar {
        id: id.to_owned(),
        name,
        signature: Signature::new(types, volatility),
        args,
        ret,
        strict,
        total: false,
        kernel,
    }))
}

/// The same function where the catalog calls it stable: it isn't evaluated when a query is
/// planned, nor allowed in an index, whatever its implementation needs.
pub(crate) fn stable(udf: &Arc<ScalarUDF>) -> Arc<ScalarUDF> {
    match of_ours(udf) {
        Some(scalar) if scalar.signature.volatility == NativeVolatility::Immutable => {
            let types = scalar.signature.type_signature.clone();
            let signature = Signature::new(types, NativeVolatility::Stable);
            Arc::new(ScalarUDF::new_from_impl(PgScalar { signature, ..scalar.clone() }))
        }
        _ => Arc::clone(udf),
    }
}

/// The same function, known to have a value for all arguments, never an error.
pub(crate) fn total(udf: &Arc<ScalarUDF>) -> Arc<ScalarUDF> {
    match of_ours(udf) {
        Some(scalar) => {
            Arc::new(ScalarUDF::new_from_impl(PgScalar { total: true, ..scalar.clone() }))
        }
        None => Arc::clone(udf),
    }
}

/// Whether a function is known to have a value for all arguments.
pub(crate) fn is_total(udf: &ScalarUDF) -> bool {
    of_ours(udf).is_some_and(|scalar| scalar.total)
}

fn of_ours(udf: &ScalarUDF) -> Option<&PgScalar> {
    let inner: &dyn Any = udf.inner().as_ref();
    inner.downcast_ref()
}

impl PgScalar {
    /// What it does with columns.
    pub(crate) fn kernel(&self) -> Kernel {
        Arc::clone(&self.kernel)
    }

    fn argument(&self, position: usize, value: ColumnarValue) -> DataFusionResult<Arg> {
        let (array, constant) = match value {
            ColumnarValue::Array(array) => (array, false),
            ColumnarValue::Scalar(value) => (value.to_array()?, true),
        };
        let wanted = self.args.get(position).or(self.args.last());
        let array = match wanted {
            Some(wanted) if array.data_type() == &DataType::Null && wanted != &DataType::Null => {
                new_null_array(wanted, array.len())
            }
            _ => array,
        };
        Ok(Arg { array, constant })
    }
}

impl ScalarUDFImpl for PgScalar {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DataFusionResult<DataType> {
        Ok(self.ret.clone())
    }

    fn is_strict(&self) -> bool {
        self.strict
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DataFusionResult<ColumnarValue> {
        let rows = args.number_rows;
        if rows == 0 {
            // Kernels may look at the first value of what is the same for all rows.
            return Ok(ColumnarValue::Array(new_empty_array(&self.ret)));
        }
        let arguments = args
            .args
            .into_iter()
            .enumerate()
            .map(|(i, value)| self.argument(i, value))
            .collect::<DataFusionResult<Vec<Arg>>>()?;
        let constant = self.signature.volatility != NativeVolatility::Volatile
            && arguments.iter().all(|a| a.constant);
        let call = Call { args: arguments, rows: if constant { 1 } else { rows } };
        let result = (self.kernel)(&call).map_err(Error::into_datafusion)?;
        if constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?));
        }
        Ok(ColumnarValue::Array(result))
    }
}

/// How a PostgreSQL type is read from and built into Arrow.
pub(crate) trait SqlType: 'static {
    /// The array.
    type Array: Array + 'static;
    /// A value as functions get it.
    type In<'a>;
    /// A value as functions give it.
    type Out;
    /// Builds a column.
    type Builder;

    /// The Arrow type.
    fn data_type() -> DataType;

    /// The value of a row, `None` for a NULL that makes the result NULL.
    fn get(array: &Self::Array, row: usize) -> Result<Option<Self::In<'_>>>;

    /// An empty builder.
    fn builder(rows: usize) -> Self::Builder;

    /// Appends a value, or NULL.
    fn push(builder: &mut Self::Builder, value: Option<Self::Out>);

    /// The column.
    fn finish(builder: Self::Builder) -> ArrayRef;
}

macro_rules! primitive_types {
    ($($name:ident: $arrow:ty, $native:ty, $data_type:expr;)*) => {
        $(
            /// The PostgreSQL type of this name.
            pub(crate) struct $name;

            impl SqlType for $name {
                type Array = PrimitiveArray<$arrow>;
                type In<'a> = $native;
                type Out = $native;
                type Builder = PrimitiveBuilder<$arrow>;

                fn data_type() -> DataType {
                    $data_type
                }

                fn get(array: &Self::Array, row: usize) -> Result<Option<$native>> {
                    Ok(array.is_valid(row).then(|| array.value(row)))
                }

                fn builder(rows: usize) -> Self::Builder {
                    PrimitiveBuilder::with_capacity(rows).with_data_type($data_type)
                }

                fn push(builder: &mut Self::Builder, value: Option<$native>) {
                    builder.append_option(value);
                }

                fn finish(mut builder: Self::Builder) -> ArrayRef {
                    Arc::new(builder.finish())
                }
            }
        )*
    };
}

primitive_types! {
    Int2: Int16Type, i16, DataType::Int16;
    Int4: Int32Type, i32, DataType::Int32;
    Int8: Int64Type, i64, DataType::Int64;
    OidType: UInt32Type, u32, DataType::UInt32;
    Float4: Float32Type, f32, DataType::Float32;
    Float8: Float64Type, f64, DataType::Float64;
    Date: Date32Type, i32, DataType::Date32;
    Time: Time64MicrosecondType, i64, Time64MicrosecondType::DATA_TYPE;
    TimeTz: Int64Type, i64, DataType::Int64;
    Timestamp: TimestampMicrosecondType, i64, timestamp_type(false);
    TimestampTz: TimestampMicrosecondType, i64, timestamp_type(true);
    Interval: IntervalMonthDayNanoType, IntervalMonthDayNano, IntervalMonthDayNanoType::DATA_TYPE;
}

/// bool
pub(crate) struct Bool;

impl SqlType for Bool {
    type Array = BooleanArray;
    type In<'a> = bool;
    type Out = bool;
    type Builder = BooleanBuilder;

    fn data_type() -> DataType {
        DataType::Boolean
    }

    fn get(array: &BooleanArray, row: usize) -> Result<Option<bool>> {
        Ok(array.is_valid(row).then(|| array.value(row)))
    }

    fn builder(rows: usize) -> BooleanBuilder {
        BooleanBuilder::with_capacity(rows)
    }

    fn push(builder: &mut BooleanBuilder, value: Option<bool>) {
        builder.append_option(value);
    }

    fn finish(mut builder: BooleanBuilder) -> ArrayRef {
        Arc::new(builder.finish())
    }
}

/// Everything kept as text.
pub(crate) struct Text;

impl SqlType for Text {
    type Array = StringArray;
    type In<'a> = &'a str;
    type Out = String;
    type Builder = StringBuilder;

    fn data_type() -> DataType {
        DataType::Utf8
    }

    fn get(array: &StringArray, row: usize) -> Result<Option<&str>> {
        Ok(array.is_valid(row).then(|| array.value(row)))
    }

    fn builder(rows: usize) -> StringBuilder {
        StringBuilder::with_capacity(rows, rows * 16)
    }

    fn push(builder: &mut StringBuilder, value: Option<String>) {
        builder.append_option(value);
    }

    fn finish(mut builder: StringBuilder) -> ArrayRef {
        Arc::new(builder.finish())
    }
}

/// bytea
pub(crate) struct Bytea;

impl SqlType for Bytea {
    type Array = BinaryArray;
    type In<'a> = &'a [u8];
    type Out = Vec<u8>;
    type Builder = BinaryBuilder;

    fn data_type() -> DataType {
        DataType::Binary
    }

    fn get(array: &BinaryArray, row: usize) -> Result<Option<&[u8]>> {
        Ok(array.is_valid(row).then(|| array.value(row)))
    }

    fn builder(rows: usize) -> BinaryBuilder {
        BinaryBuilder::with_capacity(rows, rows * 16)
    }

    fn push(builder: &mut BinaryBuilder, value: Option<Vec<u8>>) {
        builder.append_option(value);
    }

    fn finish(mut builder: BinaryBuilder) -> ArrayRef {
        Arc::new(builder.finish())
    }
}

/// numeric
pub(crate) struct Num;

impl SqlType for Num {
    type Array = BinaryArray;
    type In<'a> = Numeric;
    type Out = Numeric;
    type Builder = BinaryBuilder;

    fn data_type() -> DataType {
        DataType::Binary
    }

    fn get(array: &BinaryArray, row: usize) -> Result<Option<Numeric>> {
        if array.is_null(row) {
            return Ok(None);
        }
        Numeric::from_bytes(array.value(row)).map(Some)
    }

    fn builder(rows: usize) -> BinaryBuilder {
        BinaryBuilder::with_capacity(rows, rows * 12)
    }

    fn push(builder: &mut BinaryBuilder, value: Option<Numeric>) {
        match value {
            Some(value) => builder.append_value(value.to_bytes()),
            None => builder.append_null(),
        }
    }

    fn finish(mut builder: BinaryBuilder) -> ArrayRef {
        Arc::new(builder.finish())
    }
}

/// uuid
pub(crate) struct Uuid;

impl SqlType for Uuid {
    type Array = FixedSizeBinaryArray;
    type In<'a> = &'a [u8];
    type Out = [u8; 16];
    type Builder = FixedSizeBinaryBuilder;

    fn data_type() -> DataType {
        DataType::FixedSizeBinary(16)
    }

    fn get(array: &FixedSizeBinaryArray, row: usize) -> Result<Option<&[u8]>> {
        Ok(array.is_valid(row).then(|| array.value(row)))
    }

    fn builder(rows: usize) -> FixedSizeBinaryBuilder {
        FixedSizeBinaryBuilder::with_capacity(rows, 16)
    }

    fn push(builder: &mut FixedSizeBinaryBuilder, value: Option<[u8; 16]>) {
        match value {
            Some(value) => builder.append_value(value).expect("16 bytes into a width of 16"),
            None => builder.append_null(),
        }
    }

    fn finish(mut builder: FixedSizeBinaryBuilder) -> ArrayRef {
        Arc::new(builder.finish())
    }
}

/// A list of texts; as an argument and as a result.
pub(crate) struct TextList;

impl SqlType for TextList {
    type Array = ListArray;
    type In<'a> = Vec<Option<String>>;
    type Out = Vec<Option<String>>;
    type Builder = arrow::array::ListBuilder<StringBuilder>;

    fn data_type() -> DataType {
        crate::types::list_of(DataType::Utf8)
    }

    fn get(array: &ListArray, row: usize) -> Result<Option<Vec<Option<String>>>> {
        if array.is_null(row) {
            return Ok(None);
        }
        let items = array.value(row);
        let items = downcast::<StringArray>(&items)?;
        Ok(Some(items.iter().map(|item| item.map(str::to_owned)).collect()))
    }

    fn builder(rows: usize) -> Self::Builder {
        arrow::array::ListBuilder::with_capacity(StringBuilder::new(), rows)
    }

    fn push(builder: &mut Self::Builder, value: Option<Vec<Option<String>>>) {
        match value {
            Some(items) => {
                for item in items {
                    builder.values().append_option(item);
                }
                builder.append(true);
            }
            None => builder.append(false),
        }
    }

    fn finish(mut builder: Self::Builder) -> ArrayRef {
        Arc::new(builder.finish())
    }
}

/// The trailing settings argument.
pub(crate) struct Settings;

impl SqlType for Settings {
    type Array = StringArray;
    type In<'a> = FormatSettings;
    type Out = std::convert::Infallible;
    type Builder = ();

    fn data_type() -> DataType {
        DataType::Utf8
    }

    fn get(array: &StringArray, row: usize) -> Result<Option<FormatSettings>> {
        if array.is_null(row) {
            return Ok(Some(FormatSettings::default()));
        }
        FormatSettings::cached(array.value(row)).map(Some)
    }

    fn builder(_: usize) {}

    fn push((): &mut (), _: Option<std::convert::Infallible>) {}

    fn finish((): ()) -> ArrayRef {
        arrow::array::make_array(arrow::array::ArrayData::new_empty(&DataType::Null))
    }
}

/// An argument whose NULL the function sees.
pub(crate) struct Maybe<T>(std::marker::PhantomData<T>);

impl<T: SqlType> SqlType for Maybe<T> {
    type Array = T::Array;
    type In<'a> = Option<T::In<'a>>;
    type Out = T::Out;
    type Builder = T::Builder;

    fn data_type() -> DataType {
        T::data_type()
    }

    fn get(array: &T::Array, row: usize) -> Result<Option<Option<T::In<'_>>>> {
        T::get(array, row).map(Some)
    }

    fn builder(rows: usize) -> T::Builder {
        T::builder(rows)
    }

    fn push(builder: &mut T::Builder, value: Option<T::Out>) {
        T::push(builder, value);
    }

    fn finish(builder: T::Builder) -> ArrayRef {
        T::finish(builder)
    }
}

/// A result that may be NULL.
pub(crate) struct Opt<T>(std::marker::PhantomData<T>);

impl<T: SqlType> SqlType for Opt<T> {
    type Array = T::Array;
    type In<'a> = T::In<'a>;
    type Out = Option<T::Out>;
    type Builder = T::Builder;

    fn data_type() -> DataType {
        T::data_type()
    }

    fn get(array: &T::Array, row: usize) -> Result<Option<T::In<'_>>> {
        T::get(array, row)
    }

    fn builder(rows: usize) -> T::Builder {
        T::builder(rows)
    }

    fn push(builder: &mut T::Builder, value: Option<Option<T::Out>>) {
        T::push(builder, value.flatten());
    }

    fn finish(builder: T::Builder) -> ArrayRef {
        T::finish(builder)
    }
}

/// The array as the type that the planner promised.
pub(crate) fn downcast<A: Array + 'static>(array: &ArrayRef) -> Result<&A> {
    let any: &dyn Any = array.as_any();
    any.downcast_ref::<A>().ok_or_else(|| {
        Error::internal(format!(
            "an argument of type {} where {} was expected",
            array.data_type(),
            std::any::type_name::<A>()
        ))
    })
}

macro_rules! lift {
    ($lift:ident, $add:ident, $zoned:ident, $($T:ident $i:tt),+) => {
        /// Lifts a function over values to columns.
        pub(crate) fn $lift<$($T: SqlType,)+ R: SqlType>(
            f: for<'a> fn($($T::In<'a>),+) -> Result<R::Out>,
        ) -> Kernel {
            Arc::new(move |call: &Call| {
                let args = &call.args;
                let arrays = ($(downcast::<$T::Array>(&args[$i].array)?,)+);
                let mut builder = R::builder(call.rows);
                for row in 0..call.rows {
                    let value = ($($T::get(arrays.$i, args[$i].index(row))?,)+);
                    #[allow(non_snake_case, reason = "named for the type parameters")]
                    let result = match value {
                        ($(Some($T),)+) => Some(f($($T),+)?),
                        _ => None,
                    };
                    R::push(&mut builder, result);
                }
                Ok(R::finish(builder))
            })
        }

        impl Implementations {
            /// Registers a function over values.
            pub(crate) fn $add<$($T: SqlType,)+ R: SqlType>(
                &mut self,
                signature: &str,
                f: for<'a> fn($($T::In<'a>),+) -> Result<R::Out>,
            ) {
                let types = vec![$($T::data_type()),+];
                self.kernel(signature, types, R::data_type(), $lift::<$($T,)+ R>(f));
            }

            /// Registers a function over values whose last argument is the settings.
            #[allow(dead_code, reason = "not every number of arguments has such a function")]
            pub(crate) fn $zoned<$($T: SqlType,)+ R: SqlType>(
                &mut self,
                signature: &str,
                f: for<'a> fn($($T::In<'a>),+) -> Result<R::Out>,
            ) {
                let types = vec![$($T::data_type()),+];
                let kernel = $lift::<$($T,)+ R>(f);
                let ret = R::data_type();
                let udf = scalar_udf(signature, types, ret, Volatility::Immutable, false, kernel);
                self.add_zoned(signature, Implementation::Udf(udf));
            }
        }
    };
}

lift!(k1, f1, z1, A 0);
lift!(k2, f2, z2, A 0, B 1);
lift!(k3, f3, z3, A 0, B 1, C 2);
lift!(k4, f4, z4, A 0, B 1, C 2, D 3);
lift!(k5, f5, z5, A 0, B 1, C 2, D 3, E 4);
lift!(k6, f6, z6, A 0, B 1, C 2, D 3, E 4, F 5);
lift!(k7, f7, z7, A 0, B 1, C 2, D 3, E 4, F 5, G 6);

impl Implementations {
    /// Registers a kernel.
    pub(crate) fn kernel(
        &mut self,
        signature: &str,
        args: Vec<DataType>,
        ret: DataType,
        kernel: Kernel,
    ) {
        let udf = scalar_udf(signature, args, ret, Volatility::Immutable, false, kernel);
        self.add(signature, Implementation::Udf(udf));
    }
}

/// Two columns of one primitive type, row by row, without a call per value.
pub(crate) fn arithmetic<P, R, F>(f: F) -> Kernel
where
    P: ArrowPrimitiveType,
    R: ArrowPrimitiveType,
    F: Fn(P::Native, P::Native) -> Result<R::Native> + Send + Sync + 'static,
{
    Arc::new(move |call: &Call| {
        let left = call.args[0].array.as_primitive_opt::<P>();
        let right = call.args[1].array.as_primitive_opt::<P>();
        let (Some(left), Some(right)) = (left, right) else {
            return Err(Error::internal("arithmetic over other types than promised"));
        };
        let wrap = |r: Result<R::Native>| r.map_err(Error::into_arrow);
        let result: PrimitiveArray<R> = match (call.args[0].constant, call.args[1].constant) {
            (true, false) if left.is_null(0) => PrimitiveArray::new_null(call.rows),
            (false, true) if right.is_null(0) => PrimitiveArray::new_null(call.rows),
            (true, false) => {
                let a = left.value(0);
                right.try_unary(|b| wrap(f(a, b)))?
            }
            (false, true) => {
                let b = right.value(0);
                left.try_unary(|a| wrap(f(a, b)))?
            }
            _ => arrow::compute::try_binary(left, right, |a, b| wrap(f(a, b)))?,
        };
        Ok(Arc::new(result))
    })
}

//! `+ - * / % ^`, signs and bits of the number types.

use std::ops::{BitAnd, BitOr, BitXor};

use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
};

use super::kernel::{Float4, Float8, Int2, Int4, Int8, Kernel, Num, arithmetic};
use super::registry::Implementations;
use crate::error::{Error, Result, SqlState};

fn overflow<T>(type_name: &str) -> Result<T> {
    Err(Error::numeric_out_of_range(format!("{type_name} out of range")))
}

macro_rules! integers {
    (
        $all:ident, $name:literal, $type_name:literal, $marker:ty, $arrow:ty,
        $native:ty as $wide:ty, $data:expr
    ) => {
        let ty = $name;
        let add = |all: &mut Implementations, op: &str, kernel: Kernel| {
            all.kernel(&format!("{ty}{op}({ty},{ty})"), vec![$data, $data], $data, kernel);
        };
        let or = |v: Option<$native>| v.map_or_else(|| overflow($type_name), Ok);
        add($all, "pl", arithmetic::<$arrow, $arrow, _>(move |a, b| or(a.checked_add(b))));
        add($all, "mi", arithmetic::<$arrow, $arrow, _>(move |a, b| or(a.checked_sub(b))));
        add($all, "mul", arithmetic::<$arrow, $arrow, _>(move |a, b| or(a.checked_mul(b))));
        add(
            $all,
            "div",
            arithmetic::<$arrow, $arrow, _>(move |a, b| match b {
                0 => Err(Error::division_by_zero()),
                b => or(a.checked_div(b)),
            }),
        );
        let rem: fn($native, $native) -> Result<$native> = |a, b| match b {
            0 => Err(Error::division_by_zero()),
            // The smallest number by -1 overflows in the processor, not in arithmetic.
            -1 => Ok(0),
            b => Ok(a % b),
        };
        add($all, "mod", arithmetic::<$arrow, $arrow, _>(rem));
        $all.kernel(
            &format!("mod({ty},{ty})"),
            vec![$data, $data],
            $data,
            arithmetic::<$arrow, $arrow, _>(rem),
        );
        add($all, "and", arithmetic::<$arrow, $arrow, _>(|a, b| Ok(a.bitand(b))));
        add($all, "or", arithmetic::<$arrow, $arrow, _>(|a, b| Ok(a.bitor(b))));
        add($all, "xor", arithmetic::<$arrow, $arrow, _>(|a, b| Ok(a.bitxor(b))));
        add($all, "larger", arithmetic::<$arrow, $arrow, _>(|a, b| Ok(a.max(b))));
        add($all, "smaller", arithmetic::<$arrow, $arrow, _>(|a, b| Ok(a.min(b))));
        $all.f1::<$marker, $marker>(&format!("{ty}um({ty})"), |v| {
            v.checked_neg().map_or_else(|| overflow($type_name), Ok)
        });
        $all.f1::<$marker, $marker>(&format!("{ty}up({ty})"), Ok);
        $all.f1::<$marker, $marker>(&format!("{ty}not({ty})"), |v| Ok(!v));
        for name in [&format!("{ty}abs({ty})"), &format!("abs({ty})")] {
            $all.f1::<$marker, $marker>(name, |v| {
                v.checked_abs().map_or_else(|| overflow($type_name), Ok)
            });
        }
        // Shifts by the width or more wrap, as in the processor, which has none under 32 bits.
        $all.f2::<$marker, Int4, $marker>(&format!("{ty}shl({ty},int4)"), |v, n| {
            Ok(<$wide>::from(v).wrapping_shl(n as u32) as $native)
        });
        $all.f2::<$marker, Int4, $marker>(&format!("{ty}shr({ty},int4)"), |v, n| {
            Ok(<$wide>::from(v).wrapping_shr(n as u32) as $native)
        });
    };
}

macro_rules! floats {
    ($all:ident, $name:literal, $marker:ty, $arrow:ty, $data:expr) => {
        let ty = $name;
        let add = |all: &mut Implementations, op: &str, kernel: Kernel| {
            all.kernel(&format!("{ty}{op}({ty},{ty})"), vec![$data, $data], $data, kernel);
        };
        add($all, "pl", checked::<$arrow>(|a, b| a + b, Kind::Sum));
        add($all, "mi", checked::<$arrow>(|a, b| a - b, Kind::Sum));
        add($all, "mul", checked::<$arrow>(|a, b| a * b, Kind::Product));
        add($all, "div", checked::<$arrow>(|a, b| a / b, Kind::Quotient));
        add(
            $all,
            "larger",
            arithmetic::<$arrow, $arrow, _>(|a, b| {
                Ok(if super::compare::float_order(a.into(), b.into()).is_ge() { a } else { b })
            }),
        );
        add(
            $all,
            "smaller",
            arithmetic::<$arrow, $arrow, _>(|a, b| {
                Ok(if super::compare::float_order(a.into(), b.into()).is_le() { a } else { b })
            }),
        );
        $all.f1::<$marker, $marker>(&format!("{ty}um({ty})"), |v| Ok(-v));
        $all.f1::<$marker, $marker>(&format!("{ty}up({ty})"), Ok);
        for name in [&format!("{ty}abs({ty})"), &format!("abs({ty})")] {
            $all.f1::<$marker, $marker>(name, |v| Ok(v.abs()));
        }
    };
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Sum,
    Product,
    Quotient,
}

/// Float arithmetic that refuses overflow, underflow and division by zero.
fn checked<P>(f: fn(P::Native, P::Native) -> P::Native, kind: Kind) -> Kernel
where
    P: ArrowPrimitiveType,
    P::Native: Into<f64> + PartialEq,
{
    arithmetic::<P, P, _>(move |a, b| {
        let (x, y): (f64, f64) = (a.into(), b.into());
        if kind == Kind::Quotient && y == 0.0 && !x.is_nan() {
            return Err(Error::division_by_zero());
        }
        let result = f(a, b);
        let r: f64 = result.into();
        if r.is_infinite() && x.is_finite() && y.is_finite() {
            return Err(Error::numeric_out_of_range("value out of range: overflow"));
        }
        let vanished = match kind {
            Kind::Sum => false,
            Kind::Product => x != 0.0 && y != 0.0,
            Kind::Quotient => x != 0.0 && y.is_finite(),
        };
        if r == 0.0 && vanished {
            return Err(Error::numeric_out_of_range("value out of range: underflow"));
        }
        Ok(result)
    })
}

/// `x ^ y` of floats with PostgreSQL's errors.
pub(super) fn float_power(x: f64, y: f64) -> Result<f64> {
    let bad =
        |message: &str| Err(Error::new(SqlState::INVALID_ARGUMENT_FOR_POWER_FUNCTION, message));
    if x == 0.0 && y < 0.0 {
        return bad("zero raised to a negative power is undefined");
    }
    if x < 0.0 && y.is_finite() && y.fract() != 0.0 {
        return bad("a negative number raised to a non-integer power yields a complex result");
    }
    let result = x.powf(y);
    if result.is_infinite() && x.is_finite() && y.is_finite() {
        return Err(Error::numeric_out_of_range("value out of range: overflow"));
    }
    if result == 0.0 && x != 0.0 && x.is_finite() && y.is_finite() {
        return Err(Error::numeric_out_of_range("value out of range: underflow"));
    }
    Ok(result)
}

pub(super) fn register(all: &mut Implementations) {
    register_integers(all);
    floats!(all, "float4", Float4, Float32Type, DataType::Float32);
    floats!(all, "float8", Float8, Float64Type, DataType::Float64);
    for name in ["dpow(float8,float8)", "pow(float8,float8)", "power(float8,float8)"] {
        all.f2::<Float8, Float8, Float8>(name, float_power);
    }
    register_numeric(all);
}

fn register_integers(all: &mut Implementations) {
    integers!(all, "int2", "smallint", Int2, Int16Type, i16 as i32, DataType::Int16);
    integers!(all, "int4", "integer", Int4, Int32Type, i32 as i32, DataType::Int32);
    integers!(all, "int8", "bigint", Int8, Int64Type, i64 as i64, DataType::Int64);
    macro_rules! gcd {
        ($ty:literal, $type_name:literal, $marker:ty, $native:ty) => {
            fn gcd(a: $native, b: $native) -> Result<$native> {
                let (mut x, mut y) = (a.unsigned_abs(), b.unsigned_abs());
                while y != 0 {
                    (x, y) = (y, x % y);
                }
                <$native>::try_from(x).or_else(|_| overflow($type_name))
            }
            all.f2::<$marker, $marker, $marker>(concat!("gcd(", $ty, ",", $ty, ")"), gcd);
            all.f2::<$marker, $marker, $marker>(concat!("lcm(", $ty, ",", $ty, ")"), |a, b| {
                if a == 0 || b == 0 {
                    return Ok(0);
                }
                let product = (a / gcd(a, b)?).checked_mul(b).and_then(<$native>::checked_abs);
                product.map_or_else(|| overflow($type_name), Ok)
            });
        };
    }
    {
        gcd!("int4", "integer", Int4, i32);
    }
    {
        gcd!("int8", "bigint", Int8, i64);
    }
}

fn register_numeric(all: &mut Implementations) {
    all.f2::<Num, Num, Num>("numeric_add(numeric,numeric)", |a, b| a.add(&b));
    all.f2::<Num, Num, Num>("numeric_sub(numeric,numeric)", |a, b| a.sub(&b));
    all.f2::<Num, Num, Num>("numeric_mul(numeric,numeric)", |a, b| a.mul(&b));
    all.f2::<Num, Num, Num>("numeric_div(numeric,numeric)", |a, b| a.div(&b));
    for name in ["numeric_mod(numeric,numeric)", "mod(numeric,numeric)"] {
        all.f2::<Num, Num, Num>(name, |a, b| a.rem(&b));
    }
    for name in ["div(numeric,numeric)", "numeric_div_trunc(numeric,numeric)"] {
        all.f2::<Num, Num, Num>(name, |a, b| a.div_trunc(&b));
    }
    for name in ["numeric_power(numeric,numeric)", "pow(numeric,numeric)", "power(numeric,numeric)"]
    {
        all.f2::<Num, Num, Num>(name, |a, b| a.power(&b));
    }
    all.f2::<Num, Num, Num>("numeric_larger(numeric,numeric)", |a, b| Ok(a.max(b)));
    all.f2::<Num, Num, Num>("numeric_smaller(numeric,numeric)", |a, b| Ok(a.min(b)));
    all.f2::<Num, Num, Int4>("numeric_cmp(numeric,numeric)", |a, b| Ok(a.cmp(&b) as i32));
    all.f1::<Num, Num>("numeric_uminus(numeric)", |v| Ok(v.negate()));
    all.f1::<Num, Num>("numeric_uplus(numeric)", Ok);
    all.f1::<Num, Num>("numeric_abs(numeric)", |v| Ok(v.abs()));
    all.f1::<Num, Num>("abs(numeric)", |v| Ok(v.abs()));
    all.f2::<Num, Num, Num>("gcd(numeric,numeric)", |a, b| Ok(a.gcd(&b)));
    all.f2::<Num, Num, Num>("lcm(numeric,numeric)", |a, b| a.lcm(&b));
}

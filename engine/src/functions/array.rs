//! Arrays: the constructor, subscripts, operators and functions.
//!
//! All are made for the element type of a call. Elements are compared by their keys
//! (`compare::Keyer`), moved by `take` and `concat`.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanBuilder, Int32Array, Int32Builder, ListArray, StringArray,
    StringBuilder, UInt32Array, UInt32Builder,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field};
use datafusion::logical_expr::ScalarUDF;

use super::compare::Keyer;
use super::kernel::{Call, Kernel, downcast, scalar_udf};
use super::registry::Implementations;
use super::{Implementation, Volatility};
use crate::error::{Error, Result, SqlState};
use crate::types::output::Column;
use crate::types::{Oid, PgType, list_of};

/// Arrays hold at most this many elements.
const MAX_ELEMENTS: usize = 1 << 27;

/// `ARRAY[...]` of elements of one type, all cast to it.
pub(crate) fn construct(element: PgType) -> Arc<ScalarUDF> {
    let arrow = element.arrow().unwrap_or(DataType::Null);
    let ret = list_of(arrow.clone());
    let inner = arrow.clone();
    let kernel: Kernel = Arc::new(move |call: &Call| {
        if call.args.is_empty() {
            let values = arrow::array::new_empty_array(&inner);
            return list(values, vec![0; call.rows], None);
        }
        let columns: Vec<&dyn Array> = call.args.iter().map(|a| a.array.as_ref()).collect();
        let indices: Vec<(usize, usize)> = (0..call.rows)
            .flat_map(|row| call.args.iter().enumerate().map(move |(i, a)| (i, a.index(row))))
            .collect();
        let values = arrow::compute::interleave(&columns, &indices)?;
        list(values, vec![call.args.len(); call.rows], None)
    });
    let id = format!("array({})", element.oid);
    scalar_udf(&id, vec![arrow], ret, Volatility::Immutable, false, kernel)
}

fn list(values: ArrayRef, lengths: Vec<usize>, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
    let field = Arc::new(Field::new("item", values.data_type().clone(), true));
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(ListArray::try_new(field, offsets, values, nulls)?))
}

/// `array[n]` for an int4 subscript; NULL beyond the ends.
pub(crate) fn subscript(array: PgType) -> Result<Arc<ScalarUDF>> {
    let element = element_of(array)?;
    // The vectors count from 0.
    let lower = i64::from(element_lower(array));
    let kernel: Kernel = Arc::new(move |call: &Call| {
        let lists: &ListArray = downcast(&call.args[0].array)?;
        let subscripts: &Int32Array = downcast(&call.args[1].array)?;
        let mut indices = UInt32Builder::with_capacity(call.rows);
        for row in 0..call.rows {
            let (i, j) = (call.args[0].index(row), call.args[1].index(row));
            let at = if lists.is_null(i) || subscripts.is_null(j) {
                None
            } else {
                let at = i64::from(subscripts.value(j)) - lower;
                let inside = (0..i64::from(lists.value_length(i))).contains(&at);
                inside.then(|| lists.value_offsets()[i] as u32 + at as u32)
            };
            indices.append_option(at);
        }
        Ok(arrow::compute::take(lists.values(), &indices.finish(), None)?)
    });
    let id = format!("subscript({})", array.oid);
    let args = vec![array.arrow()?, DataType::Int32];
    Ok(scalar_udf(&id, args, element.arrow()?, Volatility::Immutable, true, kernel))
}

/// `array[m:n]`; the bounds are int4, NULL where they are left out is not NULL's meaning here: pass
/// the smallest and largest int4 instead.
pub(crate) fn slice(array: PgType) -> Result<Arc<ScalarUDF>> {
    element_of(array)?;
    let lower = i64::from(element_lower(array));
    let kernel: Kernel = Arc::new(move |call: &Call| {
        let from: &Int32Array = downcast(&call.args[1].array)?;
        let to: &Int32Array = downcast(&call.args[2].array)?;
        rebuild(call, |row, start, length| {
            let (i, j) = (call.args[1].index(row), call.args[2].index(row));
            if from.is_null(i) || to.is_null(j) {
                return Ok(None);
            }
            let first = (i64::from(from.value(i)) - lower).max(0);
            let last = (i64::from(to.value(j)) - lower).min(length as i64 - 1);
            Ok(Some((first..=last).map(|n| (start as i64 + n) as u32).collect()))
        })
    });
    let id = format!("slice({})", array.oid);
    let arrow = array.arrow()?;
    let args = vec![arrow.clone(), DataType::Int32, DataType::Int32];
    Ok(scalar_udf(&id, args, arrow, Volatility::Immutable, true, kernel))
}

fn element_lower(array: PgType) -> i32 {
    i32::from(!matches!(array.oid, Oid::INT2VECTOR | Oid::OIDVECTOR))
}

fn element_of(array: PgType) -> Result<PgType> {
    array.list_element().ok_or_else(|| {
        Error::datatype_mismatch(format!(
            "cannot subscript type {} because it does not support subscripting",
            array.name()
        ))
    })
}

/// New lists out of the elements of the first argument's: `pick` gives their places from the row,
/// the place of the first element and the number of elements; `None` is NULL.
fn rebuild(
    call: &Call,
    mut pick: impl FnMut(usize, usize, usize) -> Result<Option<Vec<u32>>>,
) -> Result<ArrayRef> {
    let lists: &ListArray = downcast(&call.args[0].array)?;
    let (mut indices, mut lengths, mut valid) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..call.rows {
        let i = call.args[0].index(row);
        let picked = if lists.is_null(i) {
            None
        } else {
            pick(row, lists.value_offsets()[i] as usize, lists.value_length(i) as usize)?
        };
        valid.push(picked.is_some());
        let picked = picked.unwrap_or_default();
        lengths.push(picked.len());
        indices.extend(picked);
    }
    let values = arrow::compute::take(lists.values(), &UInt32Array::from(indices), None)?;
    list(values, lengths, Some(NullBuffer::from(valid)))
}

/// New lists out of elements of several arrays: `build` pushes (array, place) pairs.
fn assemble(
    sources: &[&dyn Array],
    rows: usize,
    mut build: impl FnMut(usize, &mut Vec<(usize, usize)>) -> Result<bool>,
) -> Result<ArrayRef> {
    let (mut indices, mut lengths, mut valid) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..rows {
        let before = indices.len();
        valid.push(build(row, &mut indices)?);
        lengths.push(indices.len() - before);
    }
    let values = if indices.is_empty() {
        arrow::array::new_empty_array(sources[0].data_type())
    } else {
        arrow::compute::interleave(sources, &indices)?
    };
    list(values, lengths, Some(NullBuffer::from(valid)))
}

type Make = fn(&[PgType], PgType) -> Result<Implementation>;

pub(super) fn register(all: &mut Implementations) {
    let poly: &[(&str, Make)] = &[
        ("array_append(anycompatiblearray,anycompatible)", |t, r| append(t, r, false)),
        ("array_prepend(anycompatible,anycompatiblearray)", |t, r| append(t, r, true)),
        ("array_cat(anycompatiblearray,anycompatiblearray)", concat),
        ("array_length(anyarray,int4)", |t, r| measure(t, r, "array_length")),
        ("array_upper(anyarray,int4)", |t, r| measure(t, r, "array_upper")),
        ("array_lower(anyarray,int4)", |t, r| measure(t, r, "array_lower")),
        ("array_ndims(anyarray)", |t, r| measure(t, r, "array_ndims")),
        ("array_dims(anyarray)", dims),
        ("cardinality(anyarray)", |t, r| measure(t, r, "cardinality")),
        ("arraycontains(anyarray,anyarray)", |t, r| relation(t, r, Relation::Contains)),
        ("arraycontained(anyarray,anyarray)", |t, r| relation(t, r, Relation::Contained)),
        ("arrayoverlap(anyarray,anyarray)", |t, r| relation(t, r, Relation::Overlaps)),
        ("array_position(anycompatiblearray,anycompatible)", position),
        ("array_position(anycompatiblearray,anycompatible,int4)", position),
        ("array_positions(anycompatiblearray,anycompatible)", positions),
        ("array_remove(anycompatiblearray,anycompatible)", remove),
        ("array_replace(anycompatiblearray,anycompatible,anycompatible)", replace),
        ("array_fill(anyelement,_int4)", fill),
        ("trim_array(anyarray,int4)", trim),
        ("array_larger(anyarray,anyarray)", |t, r| extreme(t, r, true)),
        ("array_smaller(anyarray,anyarray)", |t, r| extreme(t, r, false)),
        ("unnest(anyarray)", unnest),
        ("generate_subscripts(anyarray,int4)", subscripts),
        ("generate_subscripts(anyarray,int4,bool)", subscripts),
    ];
    for (signature, make) in poly {
        all.add(signature, Implementation::Poly(*make));
    }
    all.add_zoned("array_to_string(anyarray,text)", Implementation::Poly(to_string));
    all.add_zoned("array_to_string(anyarray,text,text)", Implementation::Poly(to_string));
}

fn udf(name: &str, types: &[PgType], ret: DataType, kernel: Kernel) -> Result<Implementation> {
    let oids: Vec<String> = types.iter().map(|t| t.oid.to_string()).collect();
    let id = format!("{name}({})", oids.join(","));
    let args = types.iter().map(|t| t.arrow()).collect::<Result<Vec<_>>>()?;
    let udf = scalar_udf(&id, args, ret, Volatility::Immutable, false, kernel);
    Ok(Implementation::Udf(udf))
}

fn append(types: &[PgType], ret: PgType, prepend: bool) -> Result<Implementation> {
    let name = if prepend { "array_prepend" } else { "array_append" };
    let kernel: Kernel = Arc::new(move |call: &Call| {
        let (at, of) = if prepend { (1, 0) } else { (0, 1) };
        let (array, item) = (&call.args[at], &call.args[of]);
        let lists: &ListArray = downcast(&array.array)?;
        assemble(&[lists.values().as_ref(), item.array.as_ref()], call.rows, |row, out| {
            let i = array.index(row);
            if prepend {
                out.push((1, item.index(row)));
            }
            if lists.is_valid(i) {
                let offsets = lists.value_offsets();
                out.extend((offsets[i]..offsets[i + 1]).map(|n| (0, n as usize)));
            }
            if !prepend {
                out.push((1, item.index(row)));
            }
            Ok(true)
        })
    });
    udf(name, types, ret.arrow()?, kernel)
}

fn concat(types: &[PgType], ret: PgType) -> Result<Implementation> {
    let kernel: Kernel = Arc::new(|call: &Call| {
        let (a, b) = (&call.args[0], &call.args[1]);
        let (left, right): (&ListArray, &ListArray) = (downcast(&a.array)?, downcast(&b.array)?);
        assemble(&[left.values().as_ref(), right.values().as_ref()], call.rows, |row, out| {
            let mut any = false;
            for (source, lists, i) in [(0, left, a.index(row)), (1, right, b.index(row))] {
                if lists.is_valid(i) {
                    any = true;
                    let offsets = lists.value_offsets();
                    out.extend((offsets[i]..offsets[i + 1]).map(|n| (source, n as usize)));
                }
            }
            Ok(any)
        })
    });
    udf("array_cat", types, ret.arrow()?, kernel)
}

/// Lengths and bounds; NULL for empty arrays except cardinality.
fn measure(types: &[PgType], _: PgType, name: &'static str) -> Result<Implementation> {
    let lower = element_lower(types[0]);
    let kernel: Kernel = Arc::new(move |call: &Call| {
        let lists: &ListArray = downcast(&call.args[0].array)?;
        let mut out = Int32Builder::with_capacity(call.rows);
        for row in 0..call.rows {
            let i = call.args[0].index(row);
            if lists.is_null(i) {
                out.append_null();
                continue;
            }
            let length = lists.value_length(i);
            let dimension = match call.args.get(1) {
                None => Some(1),
                Some(arg) => {
                    let dimensions: &Int32Array = downcast(&arg.array)?;
                    let j = arg.index(row);
                    dimensions.is_valid(j).then(|| dimensions.value(j))
                }
            };
            out.append_option(match (name, dimension) {
                ("cardinality", _) => Some(length),
                (_, Some(1)) if length > 0 => Some(match name {
                    "array_length" => length,
                    "array_upper" => length + lower - 1,
                    "array_lower" => lower,
                    _ => 1,
                }),
                _ => None,
            });
        }
        Ok(Arc::new(out.finish()))
    });
    udf(name, types, DataType::Int32, kernel)
}

fn dims(types: &[PgType], _: PgType) -> Result<Implementation> {
    let lower = element_lower(types[0]);
    let kernel: Kernel = Arc::new(move |call: &Call| {
        let lists: &ListArray = downcast(&call.args[0].array)?;
        let texts = (0..call.rows).map(|row| {
            let i = call.args[0].index(row);
            (lists.is_valid(i) && lists.value_length(i) > 0)
                .then(|| format!("[{lower}:{}]", lists.value_length(i) + lower - 1))
        });
        Ok(Arc::new(texts.collect::<StringArray>()))
    });
    udf("array_dims", types, DataType::Utf8, kernel)
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Relation {
    Contains,
    Contained,
    Overlaps,
}

/// The keys of one row's elements; NULL elements are left out and counted by the flag.
fn element_keys(lists: &ListArray, keyer: &Keyer<'_>, i: usize) -> Result<(Vec<Vec<u8>>, bool)> {
    let offsets = lists.value_offsets();
    let (mut keys, mut has_null) = (Vec::new(), false);
    for at in offsets[i] as usize..offsets[i + 1] as usize {
        match keyer.key(lists.values(), at)? {
            Some(key) => keys.push(key),
            None => has_null = true,
        }
    }
    Ok((keys, has_null))
}

fn relation(types: &[PgType], _: PgType, kind: Relation) -> Result<Implementation> {
    let element = element_of(types[0])?;
    let kernel: Kernel = Arc::new(move |call: &Call| {
        let (left, right): (&ListArray, &ListArray) =
            (downcast(&call.args[0].array)?, downcast(&call.args[1].array)?);
        let left_keyer = Keyer::bind(element, left.values())?;
        let right_keyer = Keyer::bind(element, right.values())?;
        let mut out = BooleanBuilder::with_capacity(call.rows);
        for row in 0..call.rows {
            let (i, j) = (call.args[0].index(row), call.args[1].index(row));
            if left.is_null(i) || right.is_null(j) {
                out.append_null();
                continue;
            }
            let (a, a_null) = element_keys(left, &left_keyer, i)?;
            let (b, b_null) = element_keys(right, &right_keyer, j)?;
            // A NULL equals nothing, so what holds one is contained in nothing.
            out.append_value(match kind {
                Relation::Contains => !b_null && b.iter().all(|k| a.contains(k)),
                Relation::Contained => !a_null && a.iter().all(|k| b.contains(k)),
                Relation::Overlaps => a.iter().any(|k| b.contains(k)),
            });
        }
        Ok(Arc::new(out.finish()))
    });
    udf(&format!("array{kind:?}").to_lowercase(), types, DataType::Boolean, kernel)
}

/// The places (from 0) of a value in one row's elements; NULL equals NULL here.
fn places(
    lists: &ListArray,
    keyer: &Keyer<'_>,
    i: usize,
    wanted: Option<&[u8]>,
) -> Result<Vec<usize>> {
    let (start, end) = (lists.value_offsets()[i] as usize, lists.value_offsets()[i + 1] as usize);
    let mut found = Vec::new();
    for at in start..end {
        if keyer.key(lists.values(), at)?.as_deref() == wanted {
            found.push(at - start);
        }
    }
    Ok(found)
}

fn position(types: &[PgType], _: PgType) -> Result<Implementation> {
    let element = element_of(types[0])?;
    let lower = element_lower(types[0]);
    let kernel: Kernel = Arc::new(move |call: &Call| {
        let (array, item) = (&call.args[0], &call.args[1]);
        let lists: &ListArray = downcast(&array.array)?;
        let keyer = Keyer::bind(element, lists.values())?;
        let wanted = Keyer::bind(element, &item.array)?;
        let mut out = Int32Builder::with_capacity(call.rows);
        for row in 0..call.rows {
            let i = array.index(row);
            if lists.is_null(i) {
                out.append_null();
                continue;
            }
            let from = match call.args.get(2) {
                None => 0,
                Some(arg) => {
                    let starts: &Int32Array = downcast(&arg.array)?;
                    let j = arg.index(row);
                    if starts.is_null(j) {
                        return Err(Error::new(
                            SqlState::NULL_VALUE_NOT_ALLOWED,
                            "initial position must not be null",
                        ));
                    }
                    (i64::from(starts.value(j)) - i64::from(lower)).max(0) as usize
                }
            };
            let key = wanted.key(&item.array, item.index(row))?;
            let found = places(lists, &keyer, i, key.as_deref())?;
            let first = found.into_iter().find(|at| *at >= from);
            out.append_option(first.map(|at| at as i32 + lower));
        }
        Ok(Arc::new(out.finish()))
    });
    udf("array_position", types, DataType::Int32, kernel)
}

fn positions(types: &[PgType], ret: PgType) -> Result<Implementation> {
    let element = element_of(types[0])?;
    let kernel: Kernel = Arc::new(move |call: &Call| {
        let (array, item) = (&call.args[0], &call.args[1]);
        let lists: &ListArray = downcast(&array.array)?;
        let keyer = Keyer::bind(element, lists.values())?;
        let wanted = Keyer::bind(element, &item.array)?;
        let (mut values, mut lengths, mut valid) = (Vec::new(), Vec::new(), Vec::new());
        for row in 0..call.rows {
            let i = array.index(row);
            valid.push(lists.is_valid(i));
            let found = if lists.is_null(i) {
                Vec::new()
            } else {
                let key = wanted.key(&item.array, item.index(row))?;
                places(lists, &keyer, i, key.as_deref())?
            };
            lengths.push(found.len());
            values.extend(found.into_iter().map(|at| at as i32 + 1));
        }
        list(Arc::new(Int32Array::from(values)), lengths, Some(NullBuffer::from(valid)))
    });
    udf("array_positions", types, ret.arrow()?, kernel)
}

fn remove(types: &[PgType], ret: PgType) -> Result<Implementation> {
    let element = element_of(types[0])?;
    let kernel: Kernel = Arc::new(move |call: &Call| {
        let item = &call.args[1];
        let lists: &ListArray = downcast(&call.args[0].array)?;
        let keyer = Keyer::bind(element, lists.values())?;
        let wanted = Keyer::bind(element, &item.array)?;
        rebuild(call, |row, start, length| {
            let i = call.args[0].index(row);
            let key = wanted.key(&item.array, item.index(row))?;
            let out = places(lists, &keyer, i, key.as_deref())?;
            let kept = (0..length).filter(|n| !out.contains(n));
            Ok(Some(kept.map(|n| (start + n) as u32).collect()))
        })
    });
    udf("array_remove", types, ret.arrow()?, kernel)
}

fn replace(types: &[PgType], ret: PgType) -> Result<Implementation> {
    let element = element_of(types[0])?;
    let kernel: Kernel = Arc::new(move |call: &Call| {
        let (array, from, to) = (&call.args[0], &call.args[1], &call.args[2]);
        let lists: &ListArray = downcast(&array.array)?;
        let keyer = Keyer::bind(element, lists.values())?;
        let wanted = Keyer::bind(element, &from.array)?;
        assemble(&[lists.values().as_ref(), to.array.as_ref()], call.rows, |row, out| {
            let i = array.index(row);
            if lists.is_null(i) {
                return Ok(false);
            }
            let key = wanted.key(&from.array, from.index(row))?;
            let found = places(lists, &keyer, i, key.as_deref())?;
            let start = lists.value_offsets()[i] as usize;
            for n in 0..lists.value_length(i) as usize {
                if found.contains(&n) {
                    out.push((1, to.index(row)));
                } else {
                    out.push((0, start + n));
                }
            }
            Ok(true)
        })
    });
    udf("array_replace", types, ret.arrow()?, kernel)
}

fn fill(types: &[PgType], ret: PgType) -> Result<Implementation> {
    let kernel: Kernel = Arc::new(|call: &Call| {
        let (item, dimensions) = (&call.args[0], &call.args[1]);
        let lists: &ListArray = downcast(&dimensions.array)?;
        assemble(&[item.array.as_ref()], call.rows, |row, out| {
            let j = dimensions.index(row);
            if lists.is_null(j) {
                return Err(Error::new(
                    SqlState::NULL_VALUE_NOT_ALLOWED,
                    "dimension array or low bound array cannot be null",
                ));
            }
            let sizes = lists.value(j);
            let sizes: &Int32Array = downcast(&sizes)?;
            if sizes.len() > 1 {
                return Err(Error::feature_not_supported(
                    "arrays of more than one dimension are not supported",
                ));
            }
            if sizes.null_count() > 0 {
                return Err(Error::new(
                    SqlState::NULL_VALUE_NOT_ALLOWED,
                    "dimension values cannot be null",
                ));
            }
            let size = if sizes.is_empty() { 0 } else { sizes.value(0) };
            let count = usize::try_from(size).ok().filter(|count| *count < MAX_ELEMENTS);
            let count = count.ok_or_else(|| {
                Error::program_limit_exceeded("array size exceeds the maximum allowed (134217727)")
            })?;
            out.extend(std::iter::repeat_n((0, item.index(row)), count));
            Ok(true)
        })
    });
    udf("array_fill", types, ret.arrow()?, kernel)
}

fn trim(types: &[PgType], ret: PgType) -> Result<Implementation> {
    let kernel: Kernel = Arc::new(|call: &Call| {
        let counts: &Int32Array = downcast(&call.args[1].array)?;
        rebuild(call, |row, start, length| {
            let j = call.args[1].index(row);
            if counts.is_null(j) {
                return Ok(None);
            }
            let cut = usize::try_from(counts.value(j)).ok().filter(|n| *n <= length);
            let cut = cut.ok_or_else(|| {
                Error::new(
                    SqlState::ARRAY_SUBSCRIPT_ERROR,
                    format!("number of elements to trim must be between 0 and {length}"),
                )
            })?;
            Ok(Some((start as u32..(start + length - cut) as u32).collect()))
        })
    });
    udf("trim_array", types, ret.arrow()?, kernel)
}

fn extreme(types: &[PgType], ret: PgType, larger: bool) -> Result<Implementation> {
    let ty = types[0];
    let kernel: Kernel = Arc::new(move |call: &Call| {
        let (a, b) = (&call.args[0], &call.args[1]);
        let (left, right) = (Keyer::bind(ty, &a.array)?, Keyer::bind(ty, &b.array)?);
        let mut indices = Vec::with_capacity(call.rows);
        for row in 0..call.rows {
            let (i, j) = (a.index(row), b.index(row));
            let (x, y) = (left.key(&a.array, i)?, right.key(&b.array, j)?);
            let first = match (&x, &y) {
                (None, _) => true,
                (_, None) => false,
                (x, y) => (x >= y) == larger,
            };
            indices.push(if first { (0, i) } else { (1, j) });
        }
        Ok(arrow::compute::interleave(&[a.array.as_ref(), b.array.as_ref()], &indices)?)
    });
    udf(if larger { "array_larger" } else { "array_smaller" }, types, ret.arrow()?, kernel)
}

/// The list itself: the binder unnests what set-returning functions give.
fn unnest(types: &[PgType], _: PgType) -> Result<Implementation> {
    let kernel: Kernel = Arc::new(|call: &Call| call.args[0].expanded(call.rows));
    udf("unnest", types, types[0].arrow()?, kernel)
}

fn subscripts(types: &[PgType], _: PgType) -> Result<Implementation> {
    let lower = element_lower(types[0]);
    let kernel: Kernel = Arc::new(move |call: &Call| {
        let lists: &ListArray = downcast(&call.args[0].array)?;
        let dimensions: &Int32Array = downcast(&call.args[1].array)?;
        let (mut values, mut lengths) = (Vec::new(), Vec::new());
        for row in 0..call.rows {
            let (i, j) = (call.args[0].index(row), call.args[1].index(row));
            let count = if lists.is_valid(i) && dimensions.is_valid(j) && dimensions.value(j) == 1 {
                lists.value_length(i)
            } else {
                0
            };
            let reverse = match call.args.get(2) {
                None => false,
                Some(arg) => {
                    let flags: &arrow::array::BooleanArray = downcast(&arg.array)?;
                    flags.is_valid(arg.index(row)) && flags.value(arg.index(row))
                }
            };
            lengths.push(count as usize);
            if reverse {
                values.extend((lower..lower + count).rev());
            } else {
                values.extend(lower..lower + count);
            }
        }
        list(Arc::new(Int32Array::from(values)), lengths, None)
    });
    udf("generate_subscripts", types, list_of(DataType::Int32), kernel)
}

fn to_string(types: &[PgType], _: PgType) -> Result<Implementation> {
    let element = element_of(types[0])?;
    let count = types.len();
    let kernel: Kernel = Arc::new(move |call: &Call| {
        let settings = super::cast::settings_of(call)?;
        let lists: &ListArray = downcast(&call.args[0].array)?;
        let items = Column::bind(element, lists.values())?;
        let delimiters: &StringArray = downcast(&call.args[1].array)?;
        let mut out = StringBuilder::new();
        for row in 0..call.rows {
            let (i, j) = (call.args[0].index(row), call.args[1].index(row));
            if lists.is_null(i) || delimiters.is_null(j) {
                out.append_null();
                continue;
            }
            let null = match call.args.get(2).filter(|_| count > 2) {
                None => None,
                Some(arg) => {
                    let nulls: &StringArray = downcast(&arg.array)?;
                    let k = arg.index(row);
                    nulls.is_valid(k).then(|| nulls.value(k))
                }
            };
            let mut text = String::new();
            let mut first = true;
            let offsets = lists.value_offsets();
            for at in offsets[i] as usize..offsets[i + 1] as usize {
                if items.is_null(at) && null.is_none() {
                    continue;
                }
                if !std::mem::take(&mut first) {
                    text.push_str(delimiters.value(j));
                }
                match null {
                    Some(null) if items.is_null(at) => text.push_str(null),
                    _ => items
                        .write_text(at, &settings, &mut text)
                        .map_err(|_| crate::types::output::corrupt(element))?,
                }
            }
            out.append_value(text);
        }
        Ok(Arc::new(out.finish()))
    });
    let mut args = types.iter().map(|t| t.arrow()).collect::<Result<Vec<_>>>()?;
    args.push(DataType::Utf8);
    let id = format!("array_to_string({},{count})", types[0].oid);
    let udf = scalar_udf(&id, args, DataType::Utf8, Volatility::Immutable, false, kernel);
    Ok(Implementation::Udf(udf))
}

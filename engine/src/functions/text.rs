//! Functions of character strings.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, AsArray, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::logical_expr::ScalarUDF;

use super::kernel::{Bool, Call, Int4, Int8, Kernel, Maybe, Opt, Text, TextList, scalar_udf};
use super::registry::Implementations;
use super::{Implementation, Volatility};
use crate::error::{Error, Result, SqlState};
use crate::types::PgType;
use crate::types::output::Column;

/// A text longer than this is not made; PostgreSQL ends at 1 GB.
const MAX_TEXT_BYTES: usize = 256 << 20;

pub(super) fn register(all: &mut Implementations) {
    lengths(all);
    cases(all);
    parts(all);
    trims(all);
    builders(all);
    quotes(all);
    variadic(all);
}

fn lengths(all: &mut Implementations) {
    for name in ["length(text)", "char_length(text)", "character_length(text)", "textlen(text)"] {
        all.f1::<Text, Int4>(name, |v| Ok(char_count(v) as i32));
    }
    for name in ["length(bpchar)", "char_length(bpchar)", "character_length(bpchar)"] {
        all.f1::<Text, Int4>(name, |v| Ok(char_count(v.trim_end_matches(' ')) as i32));
    }
    for ty in ["text", "bpchar"] {
        all.f1::<Text, Int4>(&format!("octet_length({ty})"), |v| Ok(v.len() as i32));
    }
    all.f1::<Text, Int4>("bit_length(text)", |v| bit_length(v.len()));
    all.f1::<Text, Int4>("ascii(text)", |v| Ok(v.chars().next().map_or(0, |c| c as i32)));
    all.f1::<Int4, Text>("chr(int4)", |v| match u32::try_from(v) {
        Ok(0) => Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "null character not permitted")),
        Err(_) => Err(Error::invalid_parameter_value("character number must be positive")),
        Ok(code) => char::from_u32(code).map(String::from).ok_or_else(|| {
            Error::new(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                format!("requested character too large for encoding: {code}"),
            )
        }),
    });
    all.f1::<Int4, Text>("to_hex(int4)", |v| Ok(format!("{v:x}")));
    all.f1::<Int8, Text>("to_hex(int8)", |v| Ok(format!("{v:x}")));
}

/// The bits in so many bytes.
///
/// # Errors
/// 22003 for more than an integer counts.
pub(super) fn bit_length(bytes: usize) -> Result<i32> {
    let bits = i32::try_from(bytes).ok().and_then(|bytes| bytes.checked_mul(8));
    bits.ok_or_else(|| Error::numeric_out_of_range("integer out of range"))
}

pub(super) fn char_count(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().count() }
}

fn cases(all: &mut Implementations) {
    all.f1::<Text, Text>("lower(text)", |v| {
        Ok(if v.is_ascii() { v.to_ascii_lowercase() } else { simple_case(v, char::to_lowercase) })
    });
    all.f1::<Text, Text>("upper(text)", |v| {
        Ok(if v.is_ascii() { v.to_ascii_uppercase() } else { upper(v) })
    });
    all.f1::<Text, Text>("initcap(text)", |v| {
        let mut in_word = false;
        let mut out = String::with_capacity(v.len());
        for c in v.chars() {
            if in_word {
                push_case(c, c.to_lowercase(), &mut out);
            } else {
                push_case(c, c.to_uppercase(), &mut out);
            }
            in_word = c.is_alphanumeric();
        }
        Ok(out)
    });
    all.f1::<Text, Text>("reverse(text)", |v| Ok(v.chars().rev().collect()));
}

/// towupper maps one character to one character.
fn push_case(c: char, mut mapped: impl Iterator<Item = char>, out: &mut String) {
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => out.push(one),
        _ => out.push(c),
    }
}

fn simple_case(text: &str, map: fn(char) -> std::char::ToLowercase) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|c| push_case(c, map(c), &mut out));
    out
}

fn upper(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|c| push_case(c, c.to_uppercase(), &mut out));
    out
}

/// Start and end (from 0) of `substring(from, count)`, in characters or bytes.
///
/// # Errors
/// 22011 for a negative count.
pub(super) fn range(from: i32, count: Option<i32>) -> Result<(usize, usize)> {
    let start = i64::from(from) - 1;
    let end = match count {
        None => i64::MAX,
        Some(count) if count < 0 => {
            return Err(Error::new(
                SqlState::SUBSTRING_ERROR,
                "negative substring length not allowed",
            ));
        }
        Some(count) => start + i64::from(count),
    };
    let start = start.max(0);
    Ok((start as usize, end.max(start) as usize))
}

/// The characters from `start` up to `end`.
pub(super) fn char_slice(text: &str, start: usize, end: usize) -> &str {
    if text.is_ascii() {
        return &text[start.min(text.len())..end.min(text.len())];
    }
    let at = |n: usize| text.char_indices().nth(n).map_or(text.len(), |(at, _)| at);
    let from = at(start);
    if end == usize::MAX || end as u64 >= i64::MAX as u64 {
        return &text[from..];
    }
    let length =
        text[from..].char_indices().nth(end - start).map_or(text.len() - from, |(at, _)| at);
    &text[from..from + length]
}

fn parts(all: &mut Implementations) {
    for name in ["substr(text,int4,int4)", "substring(text,int4,int4)"] {
        all.f3::<Text, Int4, Int4, Text>(name, |v, from, count| {
            let (start, end) = range(from, Some(count))?;
            Ok(char_slice(v, start, end).to_owned())
        });
    }
    for name in ["substr(text,int4)", "substring(text,int4)"] {
        all.f2::<Text, Int4, Text>(name, |v, from| {
            let (start, end) = range(from, None)?;
            Ok(char_slice(v, start, end).to_owned())
        });
    }
    all.f2::<Text, Int4, Text>("left(text,int4)", |v, n| {
        let end = if n < 0 {
            char_count(v).saturating_sub(n.unsigned_abs() as usize)
        } else {
            n as usize
        };
        Ok(char_slice(v, 0, end).to_owned())
    });
    all.f2::<Text, Int4, Text>("right(text,int4)", |v, n| {
        let start = match n {
            // PostgreSQL negates the number, and the smallest has no positive one.
            i32::MIN => 0,
            n if n < 0 => n.unsigned_abs() as usize,
            n => char_count(v).saturating_sub(n as usize),
        };
        Ok(char_slice(v, start, usize::MAX).to_owned())
    });
    all.f2::<Text, Text, Int4>("position(text,text)", position);
    all.f2::<Text, Text, Int4>("strpos(text,text)", position);
    all.f2::<Text, Text, Bool>("starts_with(text,text)", |v, prefix| Ok(v.starts_with(prefix)));
    all.f3::<Text, Text, Int4, Text>("split_part(text,text,int4)", split_part);
    all.f2::<Maybe<Text>, Maybe<Text>, Opt<TextList>>("string_to_array(text,text)", |v, d| {
        Ok(v.map(|v| split(v, d, None)))
    });
    all.f3::<Maybe<Text>, Maybe<Text>, Maybe<Text>, Opt<TextList>>(
        "string_to_array(text,text,text)",
        |v, d, null| Ok(v.map(|v| split(v, d, null))),
    );
    all.f2::<Maybe<Text>, Maybe<Text>, Opt<TextList>>("string_to_table(text,text)", |v, d| {
        Ok(v.map(|v| split(v, d, None)))
    });
    all.f3::<Maybe<Text>, Maybe<Text>, Maybe<Text>, Opt<TextList>>(
        "string_to_table(text,text,text)",
        |v, d, null| Ok(v.map(|v| split(v, d, null))),
    );
    all.f4::<Text, Text, Int4, Int4, Text>("overlay(text,text,int4,int4)", overlay);
    all.f3::<Text, Text, Int4, Text>("overlay(text,text,int4)", |v, new, from| {
        overlay(v, new, from, char_count(new) as i32)
    });
}

fn position(text: &str, part: &str) -> Result<i32> {
    Ok(text.find(part).map_or(0, |at| char_count(&text[..at]) as i32 + 1))
}

fn split_part(text: &str, delimiter: &str, n: i32) -> Result<String> {
    if n == 0 {
        return Err(Error::invalid_parameter_value("field position must not be zero"));
    }
    if delimiter.is_empty() {
        return Ok(if n == 1 || n == -1 { text.to_owned() } else { String::new() });
    }
    let skipped = n.unsigned_abs() as usize - 1;
    let found = if n > 0 {
        text.split(delimiter).nth(skipped)
    } else {
        let fields: Vec<&str> = text.split(delimiter).collect();
        fields.len().checked_sub(skipped + 1).map(|at| fields[at])
    };
    Ok(found.unwrap_or("").to_owned())
}

fn split(text: &str, delimiter: Option<&str>, null: Option<&str>) -> Vec<Option<String>> {
    let item = |s: &str| (Some(s) != null).then(|| s.to_owned());
    if text.is_empty() {
        return Vec::new();
    }
    match delimiter {
        None => text.chars().map(|c| item(c.encode_utf8(&mut [0; 4]))).collect(),
        Some("") => vec![item(text)],
        Some(delimiter) => text.split(delimiter).map(item).collect(),
    }
}

fn overlay(text: &str, new: &str, from: i32, count: i32) -> Result<String> {
    if from <= 0 {
        return Err(Error::new(SqlState::SUBSTRING_ERROR, "negative substring length not allowed"));
    }
    let after = overlay_end(from, count)?;
    let head = char_slice(text, 0, from as usize - 1);
    Ok(format!("{head}{new}{}", char_slice(text, after, usize::MAX)))
}

/// How many characters or bytes the part ends behind that `overlay` replaces.
///
/// # Errors
/// 22003 where start and length together are no integer.
pub(super) fn overlay_end(from: i32, count: i32) -> Result<usize> {
    let end = from.checked_add(count);
    let end = end.ok_or_else(|| Error::numeric_out_of_range("integer out of range"))?;
    Ok(i64::from(end).saturating_sub(1).max(0) as usize)
}

fn trims(all: &mut Implementations) {
    all.f1::<Text, Text>("btrim(text)", |v| Ok(v.trim_matches(' ').to_owned()));
    all.f1::<Text, Text>("ltrim(text)", |v| Ok(v.trim_start_matches(' ').to_owned()));
    all.f1::<Text, Text>("rtrim(text)", |v| Ok(v.trim_end_matches(' ').to_owned()));
    all.f2::<Text, Text, Text>("btrim(text,text)", |v, set| {
        Ok(v.trim_matches(|c| set.contains(c)).to_owned())
    });
    all.f2::<Text, Text, Text>("ltrim(text,text)", |v, set| {
        Ok(v.trim_start_matches(|c| set.contains(c)).to_owned())
    });
    all.f2::<Text, Text, Text>("rtrim(text,text)", |v, set| {
        Ok(v.trim_end_matches(|c| set.contains(c)).to_owned())
    });
    all.f3::<Text, Int4, Text, Text>("lpad(text,int4,text)", |v, n, fill| pad(v, n, fill, true));
    all.f2::<Text, Int4, Text>("lpad(text,int4)", |v, n| pad(v, n, " ", true));
    all.f3::<Text, Int4, Text, Text>("rpad(text,int4,text)", |v, n, fill| pad(v, n, fill, false));
    all.f2::<Text, Int4, Text>("rpad(text,int4)", |v, n| pad(v, n, " ", false));
}

fn pad(text: &str, n: i32, fill: &str, left: bool) -> Result<String> {
    let wanted = n.max(0) as usize;
    check_length(wanted)?;
    let has = char_count(text);
    if has >= wanted || fill.is_empty() {
        return Ok(char_slice(text, 0, wanted.min(has)).to_owned());
    }
    let (missing, per_fill) = (wanted - has, char_count(fill));
    check_length(missing.div_ceil(per_fill).saturating_mul(fill.len()))?;
    let mut padding = fill.repeat(missing / per_fill);
    padding.push_str(char_slice(fill, 0, missing % per_fill));
    Ok(if left { padding + text } else { format!("{text}{padding}") })
}

/// 54000 for a value that would be larger than any may be.
pub(super) fn check_length(bytes: usize) -> Result<()> {
    if bytes > MAX_TEXT_BYTES {
        return Err(Error::program_limit_exceeded("requested length too large"));
    }
    Ok(())
}

fn builders(all: &mut Implementations) {
    all.f3::<Text, Text, Text, Text>("replace(text,text,text)", |v, from, to| {
        Ok(if from.is_empty() { v.to_owned() } else { v.replace(from, to) })
    });
    all.f3::<Text, Text, Text, Text>("translate(text,text,text)", |v, from, to| {
        let from: Vec<char> = from.chars().collect();
        let to: Vec<char> = to.chars().collect();
        Ok(v.chars()
            .filter_map(|c| match from.iter().position(|f| *f == c) {
                None => Some(c),
                Some(at) => to.get(at).copied(),
            })
            .collect())
    });
    all.f2::<Text, Int4, Text>("repeat(text,int4)", |v, n| {
        let n = n.max(0) as usize;
        check_length(v.len().saturating_mul(n))?;
        Ok(v.repeat(n))
    });
    let concat: fn(&str, &str) -> Result<String> = |a, b| Ok([a, b].concat());
    all.f2::<Text, Text, Text>("textcat(text,text)", concat);
    all.add_zoned("anytextcat(anynonarray,text)", Implementation::Poly(|t, _| with_text(t)));
    all.add_zoned("textanycat(text,anynonarray)", Implementation::Poly(|t, _| with_text(t)));
    all.f2::<Text, Text, Text>("text_larger(text,text)", |a, b| Ok(a.max(b).to_owned()));
    all.f2::<Text, Text, Text>("text_smaller(text,text)", |a, b| Ok(a.min(b).to_owned()));
    all.f2::<Text, Text, Int4>("bttextcmp(text,text)", |a, b| Ok(a.cmp(b) as i32));
    for (name, kernel) in [
        ("text_pattern_lt", (|a, b| Ok(a < b)) as fn(&str, &str) -> Result<bool>),
        ("text_pattern_le", |a, b| Ok(a <= b)),
        ("text_pattern_gt", |a, b| Ok(a > b)),
        ("text_pattern_ge", |a, b| Ok(a >= b)),
    ] {
        all.f2::<Text, Text, Bool>(&format!("{name}(text,text)"), kernel);
    }
    all.f1::<Text, Text>("unistr(text)", unistr);
}

/// `\XXXX`, `\+XXXXXX`, `\uXXXX`, `\UXXXXXXXX`
fn unistr(text: &str) -> Result<String> {
    let invalid = || {
        Error::new(SqlState::SYNTAX_ERROR, "invalid Unicode escape")
            .with_hint("Unicode escapes must be \\XXXX, \\+XXXXXX, \\uXXXX, or \\UXXXXXXXX.")
    };
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('\\') {
            out.push('\\');
            rest = after;
            continue;
        }
        let (skip, digits) = match rest.as_bytes().first() {
            Some(b'+') => (1, 6),
            Some(b'u') => (1, 4),
            Some(b'U') => (1, 8),
            _ => (0, 4),
        };
        let code = rest.get(skip..skip + digits).ok_or_else(invalid)?;
        let code = u32::from_str_radix(code, 16).map_err(|_| invalid())?;
        out.push(char::from_u32(code).ok_or_else(invalid)?);
        rest = &rest[skip + digits..];
    }
    out.push_str(rest);
    Ok(out)
}

/// `anything || text`
fn with_text(types: &[PgType]) -> Result<Implementation> {
    let types = types.to_vec();
    let id = format!("textcat({},{})", types[0].oid, types[1].oid);
    let args = arrow_types(&types)?;
    let kernel: Kernel = Arc::new(move |call: &Call| {
        let columns = columns(&types, call)?;
        let settings = super::cast::settings_of(call)?;
        let mut out = StringBuilder::with_capacity(call.rows, call.rows * 16);
        for row in 0..call.rows {
            let at = |i: usize| call.args[i].index(row);
            if columns.iter().enumerate().any(|(i, c)| c.is_null(at(i))) {
                out.append_null();
                continue;
            }
            for (i, column) in columns.iter().enumerate() {
                match call.args[i].array.as_boolean_opt() {
                    // A cast to text, which isn't boolean's output.
                    Some(values) => {
                        out.write_str(if values.value(at(i)) { "true" } else { "false" })
                    }
                    None => column.write_text(at(i), &settings, &mut out),
                }
                .map_err(|_| corrupt())?;
            }
            out.append_value("");
        }
        Ok(Arc::new(out.finish()))
    });
    Ok(Implementation::Udf(text_udf(&id, args, kernel)))
}

fn corrupt() -> Error {
    Error::new(SqlState::DATA_CORRUPTED, "corrupt value")
}

fn text_udf(id: &str, args: Vec<DataType>, kernel: Kernel) -> Arc<ScalarUDF> {
    scalar_udf(id, args, DataType::Utf8, Volatility::Immutable, false, kernel)
}

/// The Arrow types of arguments, settings included.
pub(super) fn arrow_types(types: &[PgType]) -> Result<Vec<DataType>> {
    types.iter().map(|t| t.arrow()).chain([Ok(DataType::Utf8)]).collect()
}

/// The arguments bound to their types; the last one, the settings, is left out.
pub(super) fn columns(types: &[PgType], call: &Call) -> Result<Vec<Column>> {
    types.iter().zip(&call.args).map(|(ty, arg)| Column::bind(*ty, &arg.array)).collect()
}

fn quotes(all: &mut Implementations) {
    all.f1::<Text, Text>("quote_ident(text)", |v| Ok(quote_ident(v)));
    all.f1::<Text, Text>("quote_literal(text)", |v| Ok(quote_literal(v)));
    all.f1::<Maybe<Text>, Text>("quote_nullable(text)", |v| {
        Ok(v.map_or_else(|| "NULL".to_owned(), quote_literal))
    });
    all.add_zoned(
        "quote_literal(anyelement)",
        Implementation::Poly(|types, _| quote_any(types, false)),
    );
    all.add_zoned(
        "quote_nullable(anyelement)",
        Implementation::Poly(|types, _| quote_any(types, true)),
    );
}

fn quote_any(types: &[PgType], nullable: bool) -> Result<Implementation> {
    let types = types.to_vec();
    let id = format!("quote({},{nullable})", types[0].oid);
    let args = arrow_types(&types)?;
    let kernel: Kernel = Arc::new(move |call: &Call| {
        let columns = columns(&types, call)?;
        let settings = super::cast::settings_of(call)?;
        let mut out = StringBuilder::new();
        for row in 0..call.rows {
            let at = call.args[0].index(row);
            if columns[0].is_null(at) {
                out.append_option(nullable.then_some("NULL"));
                continue;
            }
            let mut text = String::new();
            columns[0].write_text(at, &settings, &mut text).map_err(|_| corrupt())?;
            out.append_value(quote_literal(&text));
        }
        Ok(Arc::new(out.finish()))
    });
    Ok(Implementation::Udf(text_udf(&id, args, kernel)))
}

/// Words that need quotes as names although they look plain: PostgreSQL's keywords that are
/// reserved, or may not be functions' or types' or columns' names.
const QUOTED_KEYWORDS: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "between",
    "bigint",
    "binary",
    "bit",
    "boolean",
    "both",
    "case",
    "cast",
    "char",
    "character",
    "check",
    "coalesce",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "dec",
    "decimal",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "exists",
    "extract",
    "false",
    "fetch",
    "float",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "greatest",
    "group",
    "grouping",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "inout",
    "int",
    "integer",
    "intersect",
    "interval",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "least",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "national",
    "natural",
    "nchar",
    "none",
    "normalize",
    "not",
    "notnull",
    "null",
    "nullif",
    "numeric",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "out",
    "outer",
    "overlaps",
    "overlay",
    "placing",
    "position",
    "precision",
    "primary",
    "real",
    "references",
    "returning",
    "right",
    "row",
    "select",
    "session_user",
    "setof",
    "similar",
    "smallint",
    "some",
    "substring",
    "symmetric",
    "table",
    "tablesample",
    "then",
    "time",
    "timestamp",
    "to",
    "trailing",
    "treat",
    "trim",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "values",
    "varchar",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
    "xmlattributes",
    "xmlconcat",
    "xmlelement",
    "xmlexists",
    "xmlforest",
    "xmlnamespaces",
    "xmlparse",
    "xmlpi",
    "xmlroot",
    "xmlserialize",
    "xmltable",
];

/// A name as SQL writes it: quoted where it must be.
pub(crate) fn quote_ident(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && QUOTED_KEYWORDS.binary_search(&name).is_err();
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// A string literal.
pub(crate) fn quote_literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if text.contains('\\') {
        format!("E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

/// concat and concat_ws: arguments of any types, NULLs left out.
fn variadic(all: &mut Implementations) {
    all.add_zoned("concat(any)", Implementation::Poly(|types, _| concat(types, false)));
    all.add_zoned("concat_ws(text,any)", Implementation::Poly(|types, _| concat(types, true)));
    all.add_zoned("format(text,any)", Implementation::Poly(|types, _| super::format::make(types)));
    all.add_zoned("format(text)", Implementation::Poly(|types, _| super::format::make(types)));
    all.add("num_nulls(any)", Implementation::Poly(|types, _| count_nulls(types, true)));
    all.add("num_nonnulls(any)", Implementation::Poly(|types, _| count_nulls(types, false)));
}

fn concat(types: &[PgType], separated: bool) -> Result<Implementation> {
    let types = types.to_vec();
    let id = format!("concat{separated}({:?})", types.iter().map(|t| t.oid.0).collect::<Vec<_>>());
    let args = arrow_types(&types)?;
    let kernel: Kernel = Arc::new(move |call: &Call| {
        let columns = columns(&types, call)?;
        let settings = super::cast::settings_of(call)?;
        let mut out = StringBuilder::with_capacity(call.rows, call.rows * 16);
        for row in 0..call.rows {
            let at = |i: usize| call.args[i].index(row);
            let mut separator = String::new();
            if separated {
                if columns[0].is_null(at(0)) {
                    out.append_null();
                    continue;
                }
                columns[0].write_text(at(0), &settings, &mut separator).map_err(|_| corrupt())?;
            }
            let mut text = String::new();
            let mut first = true;
            for (i, column) in columns.iter().enumerate().skip(usize::from(separated)) {
                if column.is_null(at(i)) {
                    continue;
                }
                if !first {
                    text.push_str(&separator);
                }
                first = false;
                column.write_text(at(i), &settings, &mut text).map_err(|_| corrupt())?;
            }
            out.append_value(text);
        }
        Ok(Arc::new(out.finish()))
    });
    Ok(Implementation::Udf(text_udf(&id, args, kernel)))
}

fn count_nulls(types: &[PgType], nulls: bool) -> Result<Implementation> {
    let id = format!("num_nulls{nulls}({:?})", types.iter().map(|t| t.oid.0).collect::<Vec<_>>());
    let args = types.iter().map(|t| t.arrow()).collect::<Result<Vec<_>>>()?;
    let kernel: Kernel = Arc::new(move |call: &Call| {
        let counts = (0..call.rows).map(|row| {
            let is_null = |a: &&super::kernel::Arg| a.array.is_null(a.index(row)) == nulls;
            call.args.iter().filter(is_null).count() as i32
        });
        Ok(Arc::new(arrow::array::Int32Array::from_iter_values(counts)))
    });
    let udf = scalar_udf(&id, args, DataType::Int32, Volatility::Immutable, false, kernel);
    Ok(Implementation::Udf(udf))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_sorted() {
        assert!(QUOTED_KEYWORDS.is_sorted());
        assert_eq!(quote_ident("select"), "\"select\"");
        assert_eq!(quote_ident("Foo"), "\"Foo\"");
        assert_eq!(quote_ident("foo_1"), "foo_1");
        assert_eq!(quote_literal("it's \\"), "E'it''s \\\\'");
    }

    #[test]
    fn what_is_no_integer_is_refused() {
        assert_eq!(bit_length((1 << 28) - 1).unwrap(), i32::MAX - 7);
        assert!(bit_length(1 << 28).is_err());
        assert_eq!(overlay_end(1, i32::MIN).unwrap(), 0);
        assert_eq!(overlay_end(i32::MAX, 0).unwrap(), i32::MAX as usize - 1);
        assert!(overlay_end(i32::MAX, 1).is_err());
        assert_eq!(range(i32::MIN, Some(i32::MAX)).unwrap(), (0, 0));
    }
}

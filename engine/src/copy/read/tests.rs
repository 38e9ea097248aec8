//! Inputs and what PostgreSQL 15 makes of them, into `t(a int, b text)`.

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int32Type;

use super::*;

type Rows = Vec<(Option<i32>, Option<String>)>;

fn options(given: &str) -> CopyOptions {
    let given: Vec<(String, Vec<String>)> = given
        .split(';')
        .filter(|option| !option.is_empty())
        .map(|option| {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let value = if value.is_empty() { Vec::new() } else { vec![value.to_owned()] };
            (name.to_owned(), value)
        })
        .collect();
    CopyOptions::new(&given, true).unwrap()
}

/// Copies the data in pieces of `step` bytes.
fn copy(given: &str, data: &[u8], step: usize) -> (Rows, Option<Error>) {
    let columns = vec![("a".to_owned(), PgType::INT4), ("b".to_owned(), PgType::TEXT)];
    let mut copy = CopyIn::new(&options(given), "t", columns, FormatSettings::default()).unwrap();
    let mut rows = Rows::new();
    for piece in data.chunks(step) {
        copy.push(piece).unwrap();
        if let Some(error) = drain(&mut copy, &mut rows) {
            return (rows, Some(error));
        }
    }
    copy.finish();
    let error = drain(&mut copy, &mut rows);
    (rows, error)
}

fn drain(copy: &mut CopyIn, rows: &mut Rows) -> Option<Error> {
    loop {
        match copy.next_batch() {
            Ok(None) => return None,
            Err(error) => return Some(error),
            Ok(Some(batch)) => {
                let a = batch.rows.column(0).as_primitive::<Int32Type>();
                let b = batch.rows.column(1).as_string::<i32>();
                rows.extend((0..a.len()).map(|row| {
                    let text = b.is_valid(row).then(|| b.value(row).to_owned());
                    (a.is_valid(row).then(|| a.value(row)), text)
                }));
            }
        }
    }
}

fn row(a: i32, b: &str) -> (Option<i32>, Option<String>) {
    (Some(a), Some(b.to_owned()))
}

#[test]
fn rows() {
    let cases: Vec<(&str, &[u8], Rows)> = vec![
        ("", b"1\ta\n2\tb", vec![row(1, "a"), row(2, "b")]),
        ("", b"1\ta\n\\.\nfoo", vec![row(1, "a")]),
        ("", b"1\ta\n2\tb\\.\n", vec![row(1, "a"), row(2, "b")]),
        ("", b"\\.\r\n", vec![]),
        ("", b"\\N\t\\N\n", vec![(None, None)]),
        ("null=NULL", b"NULL\tNULL\n1\t\\NULL\n", vec![(None, None), row(1, "NULL")]),
        ("format=csv", b"1,\n2,\"\"\n", vec![(Some(1), None), row(2, "")]),
        ("format=csv", b"1,\"a\nb\"\n2,\"c\r\nd\"\n", vec![row(1, "a\nb"), row(2, "c\r\nd")]),
        ("format=csv", b"1,a\n\\.\n2,b\n", vec![row(1, "a")]),
        ("format=csv;header", b"x,y\n1,a\n", vec![row(1, "a")]),
        ("header=match", b"a\tb\n1\ta\n", vec![row(1, "a")]),
        ("header", b"", vec![]),
        ("format=csv;force_null=b;null=x", b"1,\"x\"\n", vec![(Some(1), None)]),
        ("format=csv;force_not_null=b;null=x", b"1,x\n2,\n", vec![row(1, "x"), row(2, "")]),
    ];
    for (given, data, expected) in cases {
        for step in 1..=data.len().max(1) {
            let (rows, error) = copy(given, data, step);
            assert_eq!(rows, expected, "{given} {data:?} {step}");
            assert!(error.is_none(), "{given} {data:?} {step} {error:?}");
        }
    }
}

#[expect(clippy::too_many_lines, reason = "a table of cases")]
#[test]
fn errors_say_what_and_where() {
    let long = format!("1\t{}\tz\n", "y".repeat(200));
    let shown = format!("COPY t, line 1: \"1\t{}...\"", "y".repeat(98));
    let cases: Vec<(&str, &[u8], &str, &str, &str)> = vec![
        ("", b"1\n", "22P04", "missing data for column \"b\"", "COPY t, line 1: \"1\""),
        (
            "",
            b"1\ta\tb\n",
            "22P04",
            "extra data after last expected column",
            "COPY t, line 1: \"1\ta\tb\"",
        ),
        ("", long.as_bytes(), "22P04", "extra data after last expected column", &shown),
        (
            "",
            b"1\ta\nx\tb\n",
            "22P02",
            "invalid input syntax for type integer: \"x\"",
            "COPY t, line 2, column a: \"x\"",
        ),
        (
            "",
            b"1\ta\n2\ta\xffb\n",
            "22021",
            "invalid byte sequence for encoding \"UTF8\": 0xff",
            "COPY t, line 2",
        ),
        (
            "",
            b"1\t\\xff\n",
            "22021",
            "invalid byte sequence for encoding \"UTF8\": 0xff",
            "COPY t, line 1: \"1\t\\xff\"",
        ),
        (
            "",
            b"1\ta\\0b\n",
            "22021",
            "invalid byte sequence for encoding \"UTF8\": 0x00",
            "COPY t, line 1: \"1\ta\\0b\"",
        ),
        (
            "",
            b"1\ta\n\n",
            "22P02",
            "invalid input syntax for type integer: \"\"",
            "COPY t, line 2, column a: \"\"",
        ),
        ("", b"1\ta\n\\.x\n", "22P04", "end-of-copy marker corrupt", "COPY t, line 2"),
        (
            "format=csv",
            b"1,\"a\n2,b\n",
            "22P04",
            "unterminated CSV quoted field",
            "COPY t, line 1: \"1,\"a\n2,b\n\"",
        ),
        (
            "format=csv",
            b"1,\"a\nb\"\n2,\"c\nd\"\nx,\"y\"\n",
            "22P02",
            "invalid input syntax for type integer: \"x\"",
            "COPY t, line 4, column a: \"x\"",
        ),
        (
            "header=match",
            b"a\tc\n1\ta\n",
            "22P04",
            "column name mismatch in header line field 2: got \"c\", expected \"b\"",
            "COPY t, line 1: \"a\tc\"",
        ),
        (
            "header=match",
            b"a\n1\ta\n",
            "22P04",
            "wrong number of fields in header line: got 1, expected 2",
            "COPY t, line 1: \"a\"",
        ),
    ];
    for (given, data, code, message, context) in cases {
        for step in [1, 3, data.len()] {
            let (_, error) = copy(given, data, step);
            let error = error.expect("an error");
            assert_eq!(error.sqlstate.as_str(), code, "{message}");
            assert_eq!(error.message, message);
            assert_eq!(error.context.as_deref(), Some(context), "{message} by {step}");
        }
    }
}

#[test]
fn rows_before_an_error_come_out_first() {
    let (rows, error) = copy("", b"1\ta\n2\tb\nx\tc\n", 100);
    assert_eq!(rows, [row(1, "a"), row(2, "b")]);
    assert!(error.is_some());
}

#[test]
fn batches_have_a_thousand_rows_and_know_their_lines() {
    let columns = vec![("a".to_owned(), PgType::INT4), ("b".to_owned(), PgType::TEXT)];
    let mut copy = CopyIn::new(&options(""), "t", columns, FormatSettings::default()).unwrap();
    let data: String = (1..=2500).map(|i| format!("{i}\trow {i}\n")).collect();
    copy.push(data.as_bytes()).unwrap();
    copy.finish();
    let mut sizes = Vec::new();
    while let Some(batch) = copy.next_batch().unwrap() {
        let first = sizes.iter().sum::<usize>() + 1;
        assert_eq!(batch.context(1), format!("COPY t, line {0}: \"{0}\trow {0}\"", first + 1));
        assert_eq!(batch.line_context(0), format!("COPY t, line {first}"));
        sizes.push(batch.rows.num_rows());
    }
    assert_eq!(sizes, [1000, 1000, 500]);
}

#[test]
fn binary() {
    let header = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
    let data = |rest: &[u8]| [&header[..], rest].concat();
    let one = b"\0\x02\0\0\0\x04\0\0\0\x07\0\0\0\x02ab";
    for step in [1, 4, 100] {
        let (rows, error) = copy("format=binary", &data(&[&one[..], b"\xff\xff"].concat()), step);
        assert_eq!((rows, error.is_none()), (vec![row(7, "ab")], true));
        let (rows, error) = copy("format=binary", &data(one), step);
        assert_eq!((rows, error.is_none()), (vec![row(7, "ab")], true));
    }
    let cases: &[(&[u8], &str, &str, Option<&str>)] = &[
        (b"abc", "22P04", "COPY file signature not recognized", None),
        (b"PGCOPY\n\xff\r\n\0", "22P04", "invalid COPY file header (missing flags)", None),
        (b"PGCOPY\n\xff\r\n\0\0\x01\0\0", "22P04", "invalid COPY file header (WITH OIDS)", None),
        (
            &data(b"\xff\xffx"),
            "22P04",
            "received copy data after EOF marker",
            Some("COPY t, line 1"),
        ),
        (&data(b"\0\x01"), "22P04", "row field count is 1, expected 2", Some("COPY t, line 1")),
        (
            &data(b"\0\x02\xff\xff\xff\xfe"),
            "22P04",
            "invalid field size",
            Some("COPY t, line 1, column a"),
        ),
        (
            &data(b"\0\x02\0\0\0\x04ab"),
            "22P04",
            "unexpected EOF in COPY data",
            Some("COPY t, line 1, column a"),
        ),
        (
            &data(b"\0\x02\0\0\0\x05\0\0\0\x07x\xff\xff\xff\xff"),
            "22P03",
            "incorrect binary data format",
            Some("COPY t, line 1, column a"),
        ),
        (
            &data(b"\0\x02\0\0\0\x04\0\0\0\x07\0\0\0\x01\xff"),
            "22021",
            "invalid byte sequence for encoding \"UTF8\": 0xff",
            Some("COPY t, line 1, column b"),
        ),
    ];
    for (input, code, message, context) in cases {
        let (_, error) = copy("format=binary", input, 100);
        let error = error.expect("an error");
        assert_eq!((error.sqlstate.as_str(), &*error.message), (*code, *message));
        assert_eq!(error.context.as_deref(), *context, "{message}");
    }
}

//! What is written, and that it is read back as it was.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Int32Array, StringArray};
use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::copy::CopyIn;

fn options(given: &[(&str, &str)], from: bool) -> CopyOptions {
    let given: Vec<(String, Vec<String>)> =
        given.iter().map(|(name, value)| ((*name).to_owned(), vec![(*value).to_owned()])).collect();
    CopyOptions::new(&given, from).unwrap()
}

fn columns() -> Vec<(String, PgType)> {
    vec![("a".into(), PgType::INT4), ("b".into(), PgType::TEXT), ("c".into(), PgType::BYTEA)]
}

type Row = (Option<i32>, Option<String>, Option<Vec<u8>>);

fn batch(rows: &[Row]) -> RecordBatch {
    let a: ArrayRef = Arc::new(Int32Array::from_iter(rows.iter().map(|row| row.0)));
    let b: ArrayRef = Arc::new(StringArray::from_iter(rows.iter().map(|row| row.1.as_deref())));
    let c: ArrayRef = Arc::new(BinaryArray::from_iter(rows.iter().map(|row| row.2.as_deref())));
    RecordBatch::try_from_iter_with_nullable([("a", a, true), ("b", b, true), ("c", c, true)])
        .unwrap()
}

fn write(given: &[(&str, &str)], rows: &[Row]) -> Vec<Bytes> {
    let settings = FormatSettings::default();
    let mut out = CopyOut::new(&options(given, false), columns(), &settings).unwrap();
    let mut parts = vec![out.header()];
    if !rows.is_empty() {
        parts.push(Some(out.write(&batch(rows)).unwrap()));
    }
    parts.push(out.trailer());
    let each = |part: CopyMessages| -> Vec<Bytes> {
        (0..part.len()).map(|at| Bytes::copy_from_slice(part.message(at))).collect()
    };
    parts.into_iter().flatten().flat_map(each).collect()
}

fn text(given: &[(&str, &str)], rows: &[Row]) -> String {
    String::from_utf8(write(given, rows).concat()).unwrap()
}

fn row(a: Option<i32>, b: Option<&str>) -> Row {
    (a, b.map(str::to_owned), Some(vec![0xff]))
}

#[test]
fn lines_are_postgres_own() {
    let rows = [row(Some(1), Some("x\ty\\z\n\u{1}")), row(None, Some("\\N"))];
    assert_eq!(text(&[], &rows), "1\tx\\ty\\\\z\\n\u{1}\t\\\\xff\n\\N\t\\\\N\t\\\\xff\n");
    let rows = [row(Some(1), Some("say \"hi\", you")), row(None, Some("")), row(Some(2), None)];
    assert_eq!(
        text(&[("format", "csv"), ("header", "true")], &rows),
        "a,b,c\n1,\"say \"\"hi\"\", you\",\\xff\n,\"\",\\xff\n2,,\\xff\n"
    );
    assert_eq!(
        text(&[("format", "csv"), ("force_quote", "b"), ("escape", "\\"), ("null", "-")], &rows),
        "1,\"say \\\"hi\\\", you\",\"\\\\xff\"\n-,\"\",\"\\\\xff\"\n2,-,\"\\\\xff\"\n"
            .replace("\"\\\\xff\"", "\\xff")
    );
}

#[test]
fn the_binary_header_travels_with_the_first_row() {
    let messages = write(&[("format", "binary")], &[row(Some(7), None)]);
    assert_eq!(messages.len(), 2);
    assert!(messages[0].starts_with(BINARY_HEADER));
    assert_eq!(&messages[0][BINARY_HEADER.len()..][..10], b"\0\x03\0\0\0\x04\0\0\0\x07");
    assert_eq!(&messages[1][..], b"\xff\xff");
    assert_eq!(write(&[("format", "binary")], &[])[0].len(), BINARY_HEADER.len() + 2);
}

fn read(given: &[(&str, &str)], data: &[u8], step: usize) -> Vec<RecordBatch> {
    let settings = FormatSettings::default();
    let mut copy = CopyIn::new(&options(given, true), "t", columns(), settings).unwrap();
    let mut batches = Vec::new();
    for piece in data.chunks(step) {
        copy.push(piece).unwrap();
        while let Some(batch) = copy.next_batch().unwrap() {
            batches.push(batch.rows);
        }
    }
    copy.finish();
    while let Some(batch) = copy.next_batch().unwrap() {
        batches.push(batch.rows);
    }
    batches
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        rows in prop::collection::vec(
            (
                prop::option::of(any::<i32>()),
                prop::option::of("[a-c,\"'\\\\\\.\t\r\n|Né\u{b}]{0,6}"),
                prop::option::of(prop::collection::vec(any::<u8>(), 0..5)),
            ),
            1..30,
        ),
        format in 0..5_usize,
        step in 1..50_usize,
    ) {
        let formats: [&[(&str, &str)]; 5] = [
            &[],
            &[("format", "csv")],
            &[("format", "csv"), ("escape", "\\"), ("delimiter", "|"), ("header", "true")],
            &[("format", "binary")],
            &[("delimiter", "|"), ("null", "NULL")],
        ];
        let given = formats[format];
        let data = write(given, &rows).concat();
        let batches = read(given, &data, step);
        prop_assert_eq!(batches.len(), 1);
        let expected = batch(&rows);
        prop_assert_eq!(batches[0].columns(), expected.columns());
    }
}

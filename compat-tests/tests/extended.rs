//! The extended protocol: message sequences, inferred parameter types, and every type's text and
//! binary form, as parameter and as result, held against PostgreSQL.

use kalamdb_compat_tests::render::{self, Leniency};
use kalamdb_compat_tests::server::{Product, Server};
use kalamdb_compat_tests::wire::{Backend, Client, Frontend};
use kalamdb_compat_tests::{check, tools, transcript};

#[test]
fn message_sequences_are_postgresqls() {
    let path = tools::crate_directory().join("wire/extended.txt");
    if let Err(differences) = transcript::run(&path) {
        panic!("\n{differences}");
    }
}

/// Statements whose parameters PostgreSQL types by their surroundings.
const INFERRED: &[&str] = &[
    "SELECT $1::int",
    "SELECT $1::int, $1",
    "SELECT $1 + 1",
    "SELECT $1 + 1.5",
    "SELECT 1::int8 * $1",
    "SELECT $1 || 'x'",
    "SELECT 'x' || $1",
    "SELECT $1",
    "SELECT $1, $2::date",
    "SELECT upper($1)",
    "SELECT length($1)",
    "SELECT coalesce($1, 5)",
    "SELECT coalesce($1, 'x')",
    "SELECT nullif($1, 2.5)",
    "SELECT CASE WHEN $1 THEN $2 ELSE 'no' END",
    "SELECT $1 = 5, $2 < 2.5, $3 <> now()",
    "SELECT $1 AND true, NOT $2",
    "SELECT $1 LIKE 'x%'",
    "SELECT $1 IN (1, 2)",
    "SELECT 1 IN ($1, $2)",
    "SELECT 5 BETWEEN $1 AND $2",
    "SELECT 1 = ANY($1)",
    "SELECT 'x' = ANY($1)",
    "SELECT 'x'::text = ALL($1)",
    "SELECT ARRAY[$1, 2]",
    "SELECT $1::int[]",
    "SELECT ($1::int[])[$2]",
    "SELECT now() - $1",
    "SELECT now() + $1",
    "SELECT $1::timestamptz - $2::timestamptz",
    "SELECT date_trunc('day', $1::timestamp)",
    "SELECT extract(year FROM $1::date)",
    "SELECT greatest($1, 1::int8)",
    "SELECT generate_series(1, $1)",
    "SELECT row_number() OVER () FROM generate_series($1, $2)",
    "SELECT $1::jsonb -> 'a'",
    "SELECT '{}'::jsonb -> $1",
    "SELECT '{}'::jsonb ->> $1::text",
    "SELECT '{}'::jsonb @> $1",
    "SELECT round($1, 2)",
    "SELECT abs($1::float8)",
    "SELECT substring($1 FROM $2 FOR $3)",
    "SELECT * FROM typed WHERE i4 = $1",
    "SELECT * FROM typed WHERE $1 = i8",
    "SELECT * FROM typed WHERE num > $1 AND t = $2 AND v = $3 AND c = $4",
    "SELECT * FROM typed WHERE b = $1 AND ba = $2 AND u = $3",
    "SELECT * FROM typed WHERE d = $1 AND ts < $2 AND tz >= $3 AND ti = $4 AND iv = $5",
    "SELECT * FROM typed WHERE i4 = ANY($1)",
    "SELECT * FROM typed WHERE t = ANY($1)",
    "SELECT * FROM typed WHERE u = ANY($1)",
    "SELECT * FROM typed WHERE i4 IN ($1, $2) OR arr = $3 OR j @> $4",
    "SELECT * FROM typed WHERE (i4, t) = ($1, $2)",
    "SELECT * FROM typed WHERE i4 + $1 > 5",
    "SELECT * FROM typed WHERE i2 = $1 AND f4 = $2 AND f8 = $3",
    "SELECT * FROM typed WHERE t LIKE $1 || '%'",
    "SELECT * FROM typed WHERE lower(t) = lower($1)",
    "SELECT * FROM typed WHERE i4 = $1 OR $1 IS NULL",
    "SELECT * FROM typed WHERE i4 = (SELECT max(i4) FROM typed WHERE t = $1)",
    "SELECT * FROM typed ORDER BY i4 LIMIT $1",
    "SELECT * FROM typed ORDER BY i4 LIMIT $1 OFFSET $2",
    "SELECT count(*), $1::text FROM typed GROUP BY 2",
    "INSERT INTO typed (i4, t, num) VALUES ($1, $2, $3)",
    "INSERT INTO typed (i4, i8) VALUES ($1, $2 + 1), ($3, $4) RETURNING i4",
    "INSERT INTO typed (i4, t) SELECT $1, $2",
    "INSERT INTO typed (i4, t) SELECT i4, $1 FROM typed WHERE i4 = $2",
    "INSERT INTO typed (i4, t) VALUES ($1, $2) ON CONFLICT (i4) DO UPDATE SET t = $3",
    "UPDATE typed SET t = $1, num = num + $2 WHERE i4 = $3",
    "UPDATE typed SET b = $1, j = $2, arr = $3 WHERE i4 = $4 RETURNING *",
    "UPDATE typed SET (t, v) = ($1, $2)",
    "DELETE FROM typed WHERE i4 = $1 AND tz < $2",
    "WITH x AS (SELECT $1::int AS a) SELECT a + $2 FROM x",
    "VALUES ($1, $2::int)",
    "SELECT $1::text UNION SELECT $2",
    "SELECT $2::int",
    "SELECT $1 IS NULL",
    "SELECT $1 + $2",
    "SELECT $1::int + $1::text::int",
];

const TYPED: &str = "CREATE TABLE typed (i4 int4 PRIMARY KEY, i2 int2, i8 int8, f4 float4, \
                     f8 float8, num numeric(8,2), t text, v varchar(5), c char(3), b bool, \
                     ba bytea, u uuid, d date, ts timestamp, tz timestamptz, ti time, \
                     iv interval, j jsonb, js json, arr int[], ta text[])";

#[test]
fn parameter_types_are_inferred_as_postgresql_does() {
    let (mut oracle, mut ours) = pair();
    let mut differences = String::new();
    let ask = |side: &mut Side, sql: &str| {
        let mut frames = Frontend::default();
        frames.parse("", sql, &[]);
        frames.describe(b'S', "");
        frames.sync();
        side.lines(&frames)
    };
    for side in [&mut oracle, &mut ours] {
        check::run(&mut side.client, TYPED).expect("the table is made");
    }
    for sql in INFERRED {
        let (expected, found) = (ask(&mut oracle, sql), ask(&mut ours, sql));
        if expected != found {
            differences += &format!("  {sql}\n{}", render::diff(&expected, &found));
        }
    }
    assert!(differences.is_empty(), "\n{differences}");
}

/// Types and values in their text form.
const VALUES: &[(&str, &[&str])] = &[
    ("bool", &["t", "f"]),
    ("int2", &["0", "-32768", "32767"]),
    ("int4", &["0", "-2147483648", "2147483647"]),
    ("int8", &["0", "-9223372036854775808", "9223372036854775807"]),
    ("float4", &["0", "-0", "1.5", "3.4028235e+38", "1e-45", "NaN", "Infinity", "-Infinity"]),
    ("float8", &["0.1", "-0", "1.7976931348623157e+308", "5e-324", "NaN", "-Infinity"]),
    (
        "numeric",
        &[
            "0",
            "0.00",
            "1",
            "-1.50",
            "10000",
            "123456789.000100",
            "1e-20",
            "NaN",
            "Infinity",
            "-Infinity",
            "99999999999999999999999999999999999999999999.5",
            "0.0001",
            "-10000.0001",
        ],
    ),
    ("numeric(6,2)", &["1.5", "-1234.567", "0"]),
    ("text", &["", "x", "with 'quotes' and \\", "日本語", "tab\tnewline\n"]),
    ("varchar(5)", &["abc", ""]),
    ("char(4)", &["ab", "abcd"]),
    ("name", &["a_name"]),
    ("bytea", &["\\x", "\\xdeadbeef00", "a\\000b"]),
    ("uuid", &["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]),
    ("json", &["{\"b\" : 1, \"a\":[]}", "null", "\"x\""]),
    ("jsonb", &["{\"b\" : 1, \"a\":[1, 2.50]}", "null", "\"x\"", "[]"]),
    ("date", &["2000-01-01", "1999-12-31", "2024-02-29", "0001-01-01 BC", "infinity", "-infinity"]),
    ("time", &["00:00:00", "23:59:59.999999", "24:00:00", "12:34:56.7"]),
    (
        "timestamp",
        &[
            "2000-01-01 00:00:00",
            "1999-12-31 23:59:59.999999",
            "infinity",
            "-infinity",
            "0044-03-15 12:00:00 BC",
        ],
    ),
    ("timestamptz", &["2024-07-01 12:34:56.789+02", "1969-12-31 23:59:59+00", "infinity"]),
    (
        "interval",
        &["0", "1 year 2 mons -3 days 04:05:06.789", "-1 day", "100 years", "00:00:00.000001"],
    ),
    ("int4[]", &["{}", "{1,2,NULL}", "{-1}"]),
    ("int8[]", &["{9223372036854775807}"]),
    ("text[]", &["{}", "{a,\"b,c\",NULL,\"\",\"q\\\"uote\"}"]),
    ("bool[]", &["{t,f,NULL}"]),
    ("numeric[]", &["{1.50,NaN,-3}"]),
    ("float8[]", &["{1.5,Infinity}"]),
    ("uuid[]", &["{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}"]),
    ("timestamptz[]", &["{\"2024-07-01 12:34:56.789+02\"}"]),
    ("date[]", &["{2024-02-29}"]),
    ("bytea[]", &["{\"\\\\xdead\"}"]),
    ("jsonb[]", &["{\"{\\\"a\\\": 1}\"}"]),
    ("varchar[]", &["{a,b}"]),
    ("interval[]", &["{\"1 day\"}"]),
    ("oid", &["0", "4294967295"]),
];

#[test]
fn every_type_has_postgresqls_text_and_binary_form() {
    let (mut oracle, mut ours) = pair();
    let mut differences = String::new();
    let mut compare = |sql: &str, parameter: &[u8], formats: (i16, i16)| {
        let mut frames = Frontend::default();
        frames.parse("", sql, &[]);
        frames.describe(b'S', "");
        frames.bind(("", ""), &[formats.0], &[Some(parameter.to_vec())], &[formats.1]);
        frames.execute("", 0);
        frames.sync();
        let (expected, found) = (oracle.lines(&frames), ours.lines(&frames));
        if expected != found {
            let shown = parameter.escape_ascii();
            differences +=
                &format!("  {sql} {formats:?} {shown}\n{}", render::diff(&expected, &found));
        }
        oracle.value(&frames)
    };
    for (name, values) in VALUES {
        let sql = format!("SELECT $1::{name}");
        for text in *values {
            compare(&sql, text.as_bytes(), (0, 0));
            let binary = compare(&sql, text.as_bytes(), (0, 1));
            let binary = binary.unwrap_or_else(|| panic!("{name} {text}: no binary value"));
            compare(&sql, &binary, (1, 0));
            compare(&sql, &binary, (1, 1));
        }
        // A value one byte short, and one of the wrong length, are errors and nothing worse.
        compare(&sql, &[0, 0, 0], (1, 0));
        compare(&sql, &[], (1, 0));
    }
    assert!(differences.is_empty(), "\n{differences}");
}

struct Side {
    server: Server,
    client: Client,
}

fn pair() -> (Side, Side) {
    let start = |product| {
        let server = Server::start(product).unwrap_or_else(|e| panic!("{product:?}: {e}"));
        let client = server.connect().expect("the superuser connects");
        Side { server, client }
    };
    (start(Product::Postgres), start(Product::peer()))
}

impl Side {
    /// The answer as lines; a connection that breaks is an answer, and is opened anew.
    fn lines(&mut self, frames: &Frontend) -> Vec<String> {
        let answer = self.client.send(frames).and_then(|()| self.client.until_ready());
        match answer {
            Ok(messages) => render::lines(&messages, Leniency::default(), &render::anybody),
            Err(error) => {
                self.client = self.server.connect().expect("the superuser connects again");
                vec![format!("the connection broke: {error}")]
            }
        }
    }

    fn value(&mut self, frames: &Frontend) -> Option<Vec<u8>> {
        self.client.send(frames).expect("the server listens");
        let messages = self.client.until_ready().expect("it answered this before");
        messages.into_iter().find_map(|message| match message {
            Backend::DataRow(values) => values.into_iter().next().flatten(),
            _ => None,
        })
    }
}

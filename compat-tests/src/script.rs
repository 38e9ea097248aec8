//! SQL scripts: statements with the line they stand on, and what comments say about them.
//!
//! A statement ends with `;` as in psql, `\;` joins two of them into one query string, and the
//! lines after `COPY ... FROM STDIN` up to `\.` are its data. These comments, each on a line
//! before the statement, change how it is run or compared:
//!
//! * `-- error: 23505` PostgreSQL fails with this SQLSTATE; without it, it must succeed; `any` where the
//!   two protocols differ.
//! * `-- unordered` the rows come in any order.
//! * `-- sqlstate-only` the words of the error or notice may differ.
//! * `-- normalize: pid` (or `oid`, `time`) digits in the values may differ.
//! * `-- position` the error's position is compared.
//! * `-- connection: b` runs it on another connection.
//! * `-- kalamdb: SET ...` runs on KalamDB alone, on the same connection before it.

use crate::render::Leniency;

/// One statement (or several joined by `\;`) of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The line it begins on, from 1.
    pub line: usize,
    /// Its text, without the last semicolon.
    pub text: String,
    /// Data for COPY FROM STDIN.
    pub data: Option<String>,
    /// Whether it is several statements in one string, which only the simple protocol takes.
    pub joined: bool,
    /// What the comments before it say.
    pub directives: Directives,
}

/// What the comments before a statement say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directives {
    /// The SQLSTATE PostgreSQL is known to answer.
    pub error: Option<String>,
    /// The order of rows doesn't matter.
    pub unordered: bool,
    /// The connection it runs on; the empty name is the first.
    pub connection: String,
    /// What KalamDB alone is sent before.
    pub kalamdb: Option<String>,
    /// What may differ.
    pub lenient: Leniency,
}

/// Splits a script.
///
/// # Errors
/// The line and what is wrong there: an unknown directive, an unfinished statement or COPY.
pub fn parse(script: &str) -> Result<Vec<Statement>, String> {
    let mut reader = Reader { rest: script, line: 1 };
    let mut statements = Vec::new();
    let mut connection = String::new();
    loop {
        let mut directives = Directives { connection, ..Directives::default() };
        while let Some(comment) = reader.comment_or_blank() {
            directives.read(comment.trim()).map_err(|e| format!("line {}: {e}", reader.line))?;
        }
        connection = directives.connection.clone();
        if reader.rest.is_empty() {
            return Ok(statements);
        }
        let line = reader.line;
        let (text, joined) =
            reader.statement().ok_or_else(|| format!("line {line}: no semicolon"))?;
        let upper = text.to_uppercase();
        let data = if upper.starts_with("COPY") && upper.contains("FROM STDIN") {
            reader.end_of_line();
            Some(reader.data().ok_or_else(|| format!("line {line}: COPY without \\."))?)
        } else {
            None
        };
        statements.push(Statement { line, text, data, joined, directives });
    }
}

impl Directives {
    fn read(&mut self, comment: &str) -> Result<(), String> {
        let (word, value) = comment.split_once(':').unwrap_or((comment, ""));
        let value = value.trim();
        match (word, value) {
            ("error", code) if code.len() == 5 || code == "any" => {
                self.error = Some(code.to_owned())
            }
            ("unordered", "") => self.unordered = true,
            ("sqlstate-only", "") => self.lenient.sqlstate_only = true,
            ("position", "") => self.lenient.position = true,
            ("normalize", "pid" | "oid" | "time") => self.lenient.digits = true,
            ("connection", name) => self.connection = name.to_owned(),
            ("kalamdb", sql) => self.kalamdb = Some(sql.to_owned()),
            ("error" | "unordered" | "sqlstate-only" | "normalize" | "position", _) => {
                return Err(format!("cannot read the directive {comment:?}"));
            }
            _ => {}
        }
        Ok(())
    }
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Reader<'a> {
    fn skip(&mut self, bytes: usize) -> &'a str {
        let (skipped, rest) = self.rest.split_at(bytes);
        self.line += skipped.matches('\n').count();
        self.rest = rest;
        skipped
    }

    /// Skips blanks and one comment line; `None` when a statement or the end follows.
    fn comment_or_blank(&mut self) -> Option<&'a str> {
        let blank = self.rest.len() - self.rest.trim_start().len();
        self.skip(blank);
        let comment = self.rest.strip_prefix("--")?;
        let end = comment.find('\n').map_or(comment.len(), |n| n + 1);
        self.skip(2 + end);
        Some(&comment[..end])
    }

    fn statement(&mut self) -> Option<(String, bool)> {
        let mut at = 0;
        let mut text = String::new();
        let mut joined = false;
        loop {
            let rest = &self.rest[at..];
            let c = rest.chars().next()?;
            if c == ';' {
                self.skip(at + 1);
                return Some((text.trim_end().to_owned(), joined));
            }
            if rest.starts_with("\\;") {
                text.push(';');
                joined = true;
                at += 2;
                continue;
            }
            let length = token_length(rest, &text);
            text.push_str(&rest[..length]);
            at += length;
        }
    }

    fn end_of_line(&mut self) {
        let end = self.rest.find('\n').map_or(self.rest.len(), |n| n + 1);
        self.skip(end);
    }

    fn data(&mut self) -> Option<String> {
        let mut data = String::new();
        while !self.rest.is_empty() {
            let end = self.rest.find('\n').map_or(self.rest.len(), |n| n + 1);
            let line = self.skip(end);
            if line.trim_end() == "\\." {
                return Some(data);
            }
            data.push_str(line);
        }
        None
    }
}

/// How many bytes stand together: a quoted string, a comment, or one character.
fn token_length(rest: &str, before: &str) -> usize {
    let bytes = rest.as_bytes();
    match bytes[0] {
        b'\'' => {
            let escapes = before.ends_with(['e', 'E'])
                && !before[..before.len() - 1].ends_with(|c: char| c.is_alphanumeric());
            quoted(bytes, b'\'', escapes)
        }
        b'"' => quoted(bytes, b'"', false),
        b'-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
        b'/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |n| n + 2),
        b'$' => {
            let name = rest[1..].find(|c: char| !(c.is_alphanumeric() || c == '_'));
            match name {
                Some(n) if bytes[n + 1] == b'$' && !bytes[1].is_ascii_digit() => {
                    let tag = &rest[..n + 2];
                    rest[tag.len()..].find(tag).map_or(rest.len(), |end| end + 2 * tag.len())
                }
                _ => 1,
            }
        }
        _ => rest.chars().next().map_or(1, char::len_utf8),
    }
}

fn quoted(bytes: &[u8], quote: u8, escapes: bool) -> usize {
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if escapes => at += 1,
            b if b == quote => return at + 1,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_at_semicolons_outside_quotes() {
        let script = "-- error: 42P01\nSELECT ';' , E'a\\';' FROM \"x;\"; -- unordered\nSELECT \
                      $t$;$t$, $1 \\; SELECT 2;\nCOPY t FROM STDIN;\n1\t2\n\\.\n";
        let statements = parse(script).unwrap();
        let texts: Vec<_> = statements.iter().map(|s| &*s.text).collect();
        assert_eq!(
            texts,
            [
                "SELECT ';' , E'a\\';' FROM \"x;\"",
                "SELECT $t$;$t$, $1 ; SELECT 2",
                "COPY t FROM STDIN"
            ]
        );
        assert_eq!(statements[0].line, 2);
        assert_eq!(statements[0].directives.error.as_deref(), Some("42P01"));
        assert!(statements[1].joined && statements[1].directives.unordered);
        assert_eq!(statements[2].data.as_deref(), Some("1\t2\n"));
    }
}

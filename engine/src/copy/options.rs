//! The options of COPY and the rules among them (PostgreSQL 15's `ProcessCopyOptions`).

use crate::error::{Error, Result, SqlState};

/// The options, complete with defaults and consistent with each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CopyOptions {
    pub(crate) format: CopyFormat,
    pub(crate) header: CopyHeader,
    pub(crate) delimiter: u8,
    pub(crate) null: String,
    pub(crate) quote: u8,
    pub(crate) escape: u8,
    pub(crate) force_quote: ColumnChoice,
    pub(crate) force_not_null: Vec<String>,
    pub(crate) force_null: Vec<String>,
    /// For a table that nobody else sees yet, where it asks for what is done anyway.
    pub(crate) freeze: bool,
}

/// `FORMAT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CopyFormat {
    Text,
    Csv,
    Binary,
}

/// `HEADER`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CopyHeader {
    Absent,
    Present,
    /// The names must be those of the columns.
    Match,
}

/// `FORCE_QUOTE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ColumnChoice {
    All,
    Some(Vec<String>),
}

/// What the statement says, before defaults and rules.
#[derive(Default)]
struct Given<'a> {
    format: Option<CopyFormat>,
    freeze: Option<bool>,
    delimiter: Option<&'a str>,
    null: Option<&'a str>,
    header: Option<CopyHeader>,
    quote: Option<&'a str>,
    escape: Option<&'a str>,
    force_quote: Option<ColumnChoice>,
    force_not_null: Option<Vec<String>>,
    force_null: Option<Vec<String>>,
    encoding: Option<()>,
}

impl CopyOptions {
    /// Reads the options as `statement` parsed them: names in lower case, each with its arguments.
    /// `from`: the data comes from the client.
    ///
    /// # Errors
    /// 42601, 22023 and 0A000 in PostgreSQL's words.
    pub(crate) fn new(options: &[(String, Vec<String>)], from: bool) -> Result<CopyOptions> {
        let mut given = Given::default();
        for (name, arguments) in options {
            given.read(name, arguments, from)?;
        }
        given.complete(from)
    }

    /// Checks that the columns in the FORCE options are among `copied`. `relation` names the table
    /// and all its columns when it is one that is copied.
    pub(crate) fn check_columns(
        &self,
        copied: &[&str],
        relation: Option<(&str, &[&str])>,
    ) -> Result<()> {
        let quoted: &[String] = match &self.force_quote {
            ColumnChoice::All => &[],
            ColumnChoice::Some(columns) => columns,
        };
        let lists = [
            ("FORCE_QUOTE", quoted),
            ("FORCE_NOT_NULL", &self.force_not_null[..]),
            ("FORCE_NULL", &self.force_null[..]),
        ];
        for (option, columns) in lists {
            for (i, column) in columns.iter().enumerate() {
                if columns[..i].contains(column) {
                    return Err(Error::column_twice(column));
                }
                if copied.contains(&column.as_str()) {
                    continue;
                }
                return Err(match relation {
                    Some((_, all)) if all.contains(&column.as_str()) => Error::new(
                        SqlState::INVALID_COLUMN_REFERENCE,
                        format!("{option} column \"{column}\" not referenced by COPY"),
                    ),
                    Some((table, _)) => Error::undefined_column_of(column, table),
                    None => Error::undefined_column(column),
                });
            }
        }
        Ok(())
    }

    /// Whether the values of `column` are quoted always.
    pub(super) fn is_force_quoted(&self, column: &str) -> bool {
        match &self.force_quote {
            ColumnChoice::All => true,
            ColumnChoice::Some(columns) => columns.iter().any(|name| name == column),
        }
    }
}

impl<'a> Given<'a> {
    fn read(&mut self, name: &str, arguments: &'a [String], from: bool) -> Result<()> {
        let text = || {
            arguments
                .first()
                .map(String::as_str)
                .ok_or_else(|| Error::syntax_error(format!("{name} requires a parameter")))
        };
        match name {
            "format" => set_once(&mut self.format, format_named(text()?)?),
            "freeze" => {
                let on = match arguments.first() {
                    None => true,
                    Some(value) => boolean(value)
                        .ok_or_else(|| Error::syntax_error("freeze requires a Boolean value"))?,
                };
                set_once(&mut self.freeze, on)
            }
            "delimiter" => set_once(&mut self.delimiter, text()?),
            "null" => set_once(&mut self.null, text()?),
            "header" => set_once(&mut self.header, header_choice(arguments.first(), from)?),
            "quote" => set_once(&mut self.quote, text()?),
            "escape" => set_once(&mut self.escape, text()?),
            "force_quote" => {
                let choice = match arguments {
                    [one] if one == "*" => ColumnChoice::All,
                    _ => ColumnChoice::Some(column_list(name, arguments)?),
                };
                set_once(&mut self.force_quote, choice)
            }
            "force_not_null" => set_once(&mut self.force_not_null, column_list(name, arguments)?),
            "force_null" => set_once(&mut self.force_null, column_list(name, arguments)?),
            "encoding" => {
                check_encoding(text()?)?;
                set_once(&mut self.encoding, ())
            }
            _ => Err(Error::syntax_error(format!("option \"{name}\" not recognized"))),
        }
    }

    fn complete(self, from: bool) -> Result<CopyOptions> {
        let format = self.format.unwrap_or(CopyFormat::Text);
        let csv = format == CopyFormat::Csv;
        let header = self.header.unwrap_or(CopyHeader::Absent);
        if format == CopyFormat::Binary {
            if self.delimiter.is_some() {
                return Err(Error::syntax_error("cannot specify DELIMITER in BINARY mode"));
            }
            if self.null.is_some() {
                return Err(Error::syntax_error("cannot specify NULL in BINARY mode"));
            }
        }
        let delimiter = self.delimiter.unwrap_or(if csv { "," } else { "\t" });
        let null = self.null.unwrap_or(if csv { "" } else { "\\N" });
        let delimiter = check_delimiter(delimiter, csv)?;
        if null.contains(['\r', '\n']) {
            return Err(Error::invalid_parameter_value(
                "COPY null representation cannot use newline or carriage return",
            ));
        }
        if format == CopyFormat::Binary && header != CopyHeader::Absent {
            return Err(Error::feature_not_supported("cannot specify HEADER in BINARY mode"));
        }
        let quote = one_byte("quote", self.quote, b'"', csv)?;
        if csv && quote == delimiter {
            return Err(Error::invalid_parameter_value(
                "COPY delimiter and quote must be different",
            ));
        }
        let escape = one_byte("escape", self.escape, quote, csv)?;
        only_for("force quote", self.force_quote.is_some(), csv, !from, "COPY TO")?;
        only_for("force not null", self.force_not_null.is_some(), csv, from, "COPY FROM")?;
        only_for("force null", self.force_null.is_some(), csv, from, "COPY FROM")?;
        if null.as_bytes().contains(&delimiter) {
            return Err(Error::feature_not_supported(
                "COPY delimiter must not appear in the NULL specification",
            ));
        }
        if csv && null.as_bytes().contains(&quote) {
            return Err(Error::feature_not_supported(
                "CSV quote character must not appear in the NULL specification",
            ));
        }
        Ok(CopyOptions {
            format,
            header,
            delimiter,
            null: null.to_owned(),
            quote,
            escape,
            force_quote: self.force_quote.unwrap_or(ColumnChoice::Some(Vec::new())),
            force_not_null: self.force_not_null.unwrap_or_default(),
            force_null: self.force_null.unwrap_or_default(),
            freeze: self.freeze.unwrap_or(false),
        })
    }
}

fn set_once<T>(place: &mut Option<T>, value: T) -> Result<()> {
    if place.is_some() {
        return Err(Error::syntax_error("conflicting or redundant options"));
    }
    *place = Some(value);
    Ok(())
}

fn format_named(name: &str) -> Result<CopyFormat> {
    match name {
        "text" => Ok(CopyFormat::Text),
        "csv" => Ok(CopyFormat::Csv),
        "binary" => Ok(CopyFormat::Binary),
        _ => Err(Error::invalid_parameter_value(format!("COPY format \"{name}\" not recognized"))),
    }
}

fn boolean(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "on" | "1" => Some(true),
        "false" | "off" | "0" => Some(false),
        _ => None,
    }
}

fn header_choice(argument: Option<&String>, from: bool) -> Result<CopyHeader> {
    let Some(value) = argument else { return Ok(CopyHeader::Present) };
    if value.eq_ignore_ascii_case("match") {
        if !from {
            return Err(Error::feature_not_supported(
                "cannot use \"match\" with HEADER in COPY TO",
            ));
        }
        return Ok(CopyHeader::Match);
    }
    match boolean(value) {
        Some(true) => Ok(CopyHeader::Present),
        Some(false) => Ok(CopyHeader::Absent),
        None => Err(Error::syntax_error("header requires a Boolean value or \"match\"")),
    }
}

fn column_list(option: &str, arguments: &[String]) -> Result<Vec<String>> {
    if arguments.is_empty() || arguments == ["*"] {
        return Err(Error::invalid_parameter_value(format!(
            "argument to option \"{option}\" must be a list of column names"
        )));
    }
    Ok(arguments.to_vec())
}

/// Encodings that PostgreSQL knows and we don't convert.
const OTHER_ENCODINGS: &[&str] = &[
    "sqlascii",
    "eucjp",
    "euccn",
    "euckr",
    "euctw",
    "eucjis2004",
    "muleinternal",
    "koi8r",
    "koi8",
    "koi8u",
    "big5",
    "gbk",
    "gb18030",
    "johab",
    "shiftjis2004",
    "sjis",
    "shiftjis",
    "uhc",
    "alt",
    "abc",
    "tcvn",
    "tcvn5712",
    "vscii",
];

fn check_encoding(name: &str) -> Result<()> {
    let clean: String =
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    if matches!(clean.as_str(), "utf8" | "unicode") {
        return Ok(());
    }
    let numbered = ["latin", "iso8859", "iso88591", "win", "windows"].iter().any(|family| {
        clean
            .strip_prefix(family)
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
    });
    if numbered || OTHER_ENCODINGS.contains(&clean.as_str()) {
        return Err(Error::feature_not_supported(format!("encoding \"{name}\" is not supported"))
            .with_hint("Data is copied as UTF8."));
    }
    Err(Error::invalid_parameter_value(
        "argument to option \"encoding\" must be a valid encoding name",
    ))
}

fn check_delimiter(delimiter: &str, csv: bool) -> Result<u8> {
    let &[byte] = delimiter.as_bytes() else {
        return Err(Error::feature_not_supported(
            "COPY delimiter must be a single one-byte character",
        ));
    };
    if matches!(byte, b'\r' | b'\n') {
        return Err(Error::invalid_parameter_value(
            "COPY delimiter cannot be newline or carriage return",
        ));
    }
    let is_taken = matches!(byte, b'\\' | b'.' | b'a'..=b'z' | b'0'..=b'9');
    if !csv && is_taken {
        return Err(Error::invalid_parameter_value(format!(
            "COPY delimiter cannot be \"{delimiter}\""
        )));
    }
    Ok(byte)
}

fn one_byte(what: &str, given: Option<&str>, default: u8, csv: bool) -> Result<u8> {
    let Some(text) = given else { return Ok(default) };
    if !csv {
        return Err(Error::feature_not_supported(format!(
            "COPY {what} available only in CSV mode"
        )));
    }
    match text.as_bytes() {
        &[byte] => Ok(byte),
        _ => Err(Error::feature_not_supported(format!(
            "COPY {what} must be a single one-byte character"
        ))),
    }
}

fn only_for(what: &str, given: bool, csv: bool, direction_fits: bool, fit: &str) -> Result<()> {
    if given && !csv {
        return Err(Error::feature_not_supported(format!(
            "COPY {what} available only in CSV mode"
        )));
    }
    if given && !direction_fits {
        return Err(Error::feature_not_supported(format!(
            "COPY {what} only available using {fit}"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(given: &[(&str, &[&str])], from: bool) -> Result<CopyOptions> {
        let given: Vec<(String, Vec<String>)> = given
            .iter()
            .map(|(name, arguments)| {
                ((*name).to_owned(), arguments.iter().map(|a| (*a).to_owned()).collect())
            })
            .collect();
        CopyOptions::new(&given, from)
    }

    #[test]
    fn defaults_depend_on_the_format() {
        let text = options(&[], true).unwrap();
        assert_eq!((text.delimiter, text.null.as_str()), (b'\t', "\\N"));
        let csv = options(&[("format", &["csv"]), ("quote", &["'"])], true).unwrap();
        assert_eq!((csv.delimiter, csv.null.as_str(), csv.escape), (b',', "", b'\''));
    }

    #[test]
    fn refusals_are_postgres_own() {
        /// The options, whether they are of COPY FROM, the SQLSTATE and the message.
        type Case<'a> = (&'a [(&'a str, &'a [&'a str])], bool, &'a str, &'a str);
        let cases: &[Case<'_>] = &[
            (&[("format", &["xml"])], false, "22023", "COPY format \"xml\" not recognized"),
            (
                &[("format", &["csv"]), ("format", &["text"])],
                false,
                "42601",
                "conflicting or redundant options",
            ),
            (&[("foo", &["1"])], false, "42601", "option \"foo\" not recognized"),
            (
                &[("header", &["match"])],
                false,
                "0A000",
                "cannot use \"match\" with HEADER in COPY TO",
            ),
            (&[("header", &["2"])], false, "42601", "header requires a Boolean value or \"match\""),
            (
                &[("format", &["binary"]), ("header", &[])],
                false,
                "0A000",
                "cannot specify HEADER in BINARY mode",
            ),
            (&[("delimiter", &["a"])], true, "22023", "COPY delimiter cannot be \"a\""),
            (
                &[("delimiter", &["é"])],
                true,
                "0A000",
                "COPY delimiter must be a single one-byte character",
            ),
            (&[("quote", &["x"])], true, "0A000", "COPY quote available only in CSV mode"),
            (
                &[("null", &["a\tb"])],
                true,
                "0A000",
                "COPY delimiter must not appear in the NULL specification",
            ),
            (
                &[("format", &["csv"]), ("force_quote", &["*"])],
                true,
                "0A000",
                "COPY force quote only available using COPY TO",
            ),
            (
                &[("format", &["csv"]), ("force_not_null", &["*"])],
                true,
                "22023",
                "argument to option \"force_not_null\" must be a list of column names",
            ),
            (
                &[("encoding", &["foo"])],
                true,
                "22023",
                "argument to option \"encoding\" must be a valid encoding name",
            ),
            (&[("delimiter", &[])], true, "42601", "delimiter requires a parameter"),
        ];
        for (given, from, code, message) in cases {
            let error = options(given, *from).unwrap_err();
            assert_eq!((error.sqlstate.as_str(), error.message.as_str()), (*code, *message));
        }
    }

    #[test]
    fn force_columns_must_be_copied() {
        let csv = options(&[("format", &["csv"]), ("force_null", &["b"])], true).unwrap();
        assert!(csv.check_columns(&["a", "b"], None).is_ok());
        let error = csv.check_columns(&["a"], Some(("t", &["a", "b"]))).unwrap_err();
        assert_eq!(error.message, "FORCE_NULL column \"b\" not referenced by COPY");
        let error = csv.check_columns(&["a"], Some(("t", &["a"]))).unwrap_err();
        assert_eq!(error.message, "column \"b\" of relation \"t\" does not exist");
    }
}

//! Names of types: what SQL may write, what `format_type` prints, and how modifiers are encoded.

use super::{Oid, PgType, VARHDRSZ, builtin, builtin_by_name};
use crate::error::{Error, Result, SqlState};

/// The longest varchar(n) and char(n).
const MAX_CHAR_LENGTH: i32 = 10_485_760;
/// The largest numeric precision and, since PostgreSQL 15, scale on either side.
const MAX_NUMERIC_PRECISION: i32 = 1000;

/// Fields of an interval's modifier, as PostgreSQL's INTERVAL_MASK bits.
pub(crate) mod interval_fields {
    pub(crate) const MONTH: i32 = 1 << 1;
    pub(crate) const YEAR: i32 = 1 << 2;
    pub(crate) const DAY: i32 = 1 << 3;
    pub(crate) const HOUR: i32 = 1 << 10;
    pub(crate) const MINUTE: i32 = 1 << 11;
    pub(crate) const SECOND: i32 = 1 << 12;
    pub(crate) const FULL: i32 = 0x7fff;
    pub(crate) const FULL_PRECISION: i32 = 0xffff;
}

/// Precision and scale of a numeric modifier.
pub(crate) fn numeric_typmod(typmod: i32) -> Option<(i32, i32)> {
    (typmod >= VARHDRSZ).then(|| {
        let bits = typmod - VARHDRSZ;
        // The scale is an 11-bit two's complement number.
        ((bits >> 16) & 0xffff, ((bits & 0x7ff) ^ 1024) - 1024)
    })
}

/// The modifier of numeric(precision, scale).
pub(crate) fn make_numeric_typmod(precision: i32, scale: i32) -> Result<i32> {
    if !(1..=MAX_NUMERIC_PRECISION).contains(&precision) {
        return Err(Error::invalid_parameter_value(format!(
            "NUMERIC precision {precision} must be between 1 and {MAX_NUMERIC_PRECISION}"
        )));
    }
    if !(-MAX_NUMERIC_PRECISION..=MAX_NUMERIC_PRECISION).contains(&scale) {
        return Err(Error::invalid_parameter_value(format!(
            "NUMERIC scale {scale} must be between -{MAX_NUMERIC_PRECISION} and \
             {MAX_NUMERIC_PRECISION}"
        )));
    }
    Ok(((precision << 16) | (scale & 0x7ff)) + VARHDRSZ)
}

/// The type's name with its modifier, as PostgreSQL's function `format_type` prints it.
pub(crate) fn format_type(oid: Oid, typmod: i32) -> String {
    if oid == Oid::INVALID {
        return "-".to_owned();
    }
    let Some(entry) = builtin(oid) else { return "???".to_owned() };
    if entry.delimiter_array() {
        return format!("{}[]", format_type(entry.element, typmod));
    }
    let length = |name: &str| match typmod {
        n if n > VARHDRSZ => format!("{name}({})", n - VARHDRSZ),
        _ => name.to_owned(),
    };
    let precision = |name: &str, suffix: &str| match typmod {
        n if n >= 0 => format!("{name}({n}){suffix}"),
        _ => format!("{name}{suffix}"),
    };
    match oid {
        Oid::BOOL => "boolean".to_owned(),
        Oid::INT2 => "smallint".to_owned(),
        Oid::INT4 => "integer".to_owned(),
        Oid::INT8 => "bigint".to_owned(),
        Oid::FLOAT4 => "real".to_owned(),
        Oid::FLOAT8 => "double precision".to_owned(),
        Oid::VARCHAR => length("character varying"),
        Oid::BPCHAR if typmod < 0 => "character".to_owned(),
        Oid::BPCHAR => length("character"),
        Oid::CHAR => "\"char\"".to_owned(),
        Oid::ANY => "\"any\"".to_owned(),
        Oid::TIME => precision("time", " without time zone"),
        Oid::TIMETZ => precision("time", " with time zone"),
        Oid::TIMESTAMP => precision("timestamp", " without time zone"),
        Oid::TIMESTAMPTZ => precision("timestamp", " with time zone"),
        Oid::INTERVAL => format_interval(typmod),
        Oid::NUMERIC => match numeric_typmod(typmod) {
            Some((precision, scale)) => format!("numeric({precision},{scale})"),
            None => "numeric".to_owned(),
        },
        _ => entry.name.to_owned(),
    }
}

fn format_interval(typmod: i32) -> String {
    use interval_fields::{DAY, FULL, FULL_PRECISION, HOUR, MINUTE, MONTH, SECOND, YEAR};
    if typmod < 0 {
        return "interval".to_owned();
    }
    let fields = match (typmod >> 16) & 0x7fff {
        FULL => "",
        x if x == YEAR => " year",
        x if x == MONTH => " month",
        x if x == DAY => " day",
        x if x == HOUR => " hour",
        x if x == MINUTE => " minute",
        x if x == SECOND => " second",
        x if x == YEAR | MONTH => " year to month",
        x if x == DAY | HOUR => " day to hour",
        x if x == DAY | HOUR | MINUTE => " day to minute",
        x if x == DAY | HOUR | MINUTE | SECOND => " day to second",
        x if x == HOUR | MINUTE => " hour to minute",
        x if x == HOUR | MINUTE | SECOND => " hour to second",
        x if x == MINUTE | SECOND => " minute to second",
        _ => "",
    };
    match typmod & 0xffff {
        FULL_PRECISION => format!("interval{fields}"),
        precision => format!("interval{fields}({precision})"),
    }
}

/// Reads a type as SQL writes it: `int`, `character varying(10)`, `timestamp(3) with time zone`,
/// `numeric(10,2)[]`, `pg_catalog.int4`, `"char"`, `interval day to second(3)`.
///
/// sqlparser's `DataType` prints itself in this form. The pseudo-types of identity columns
/// (`serial`, ...) are not types and unknown here.
///
/// # Errors
/// 42704 for an unknown name, 22023 for a modifier out of range, 42601 for nonsense.
pub(crate) fn parse_type_name(text: &str) -> Result<PgType> {
    let tokens = tokenize(text)?;
    let mut reader = Reader { tokens: &tokens, at: 0, text };
    let base = reader.base()?;
    let mut dimensions = 0;
    loop {
        if reader.take_symbol('[') {
            if let Some(Token::Number(_)) = reader.peek() {
                reader.at += 1;
            }
            if !reader.take_symbol(']') {
                return Err(reader.malformed());
            }
        } else if reader.take_word("array") {
            if reader.take_symbol('[') {
                reader.at += 1;
                if !reader.take_symbol(']') {
                    return Err(reader.malformed());
                }
            }
        } else {
            break;
        }
        dimensions += 1;
    }
    if reader.peek().is_some() {
        return Err(reader.malformed());
    }
    match dimensions {
        0 => Ok(base),
        _ => base.array().ok_or_else(|| Error::undefined_type(&format!("{}[]", base.name()))),
    }
}

#[derive(Debug, PartialEq)]
enum Token {
    Word(String),
    Quoted(String),
    Number(i32),
    Symbol(char),
}

fn tokenize(text: &str) -> Result<Vec<Token>> {
    let malformed = || Error::syntax_error(format!("invalid type name \"{text}\""));
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = if first == '"' {
            let mut name = String::new();
            let mut chars = rest.char_indices().skip(1).peekable();
            let close = loop {
                match chars.next() {
                    Some((_, '"')) if chars.peek().is_some_and(|(_, c)| *c == '"') => {
                        chars.next();
                        name.push('"');
                    }
                    Some((at, '"')) => break at + 1,
                    Some((_, c)) => name.push(c),
                    None => return Err(malformed()),
                }
            };
            tokens.push(Token::Quoted(name));
            close
        } else if first.is_alphabetic() || first == '_' {
            let end = rest
                .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
                .unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..end].to_lowercase()));
            end
        } else if first.is_ascii_digit() || first == '-' {
            let end = rest[1..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |i| i + 1);
            tokens.push(Token::Number(rest[..end].parse().map_err(|_| malformed())?));
            end
        } else {
            tokens.push(Token::Symbol(first));
            first.len_utf8()
        };
        rest = rest[end..].trim_start();
    }
    Ok(tokens)
}

struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
    text: &'a str,
}

impl Reader<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(w)) if w == word);
        self.at += usize::from(found);
        found
    }

    fn take_symbol(&mut self, symbol: char) -> bool {
        let found = self.peek() == Some(&Token::Symbol(symbol));
        self.at += usize::from(found);
        found
    }

    fn malformed(&self) -> Error {
        Error::syntax_error(format!("invalid type name \"{}\"", self.text))
    }

    fn base(&mut self) -> Result<PgType> {
        let word = match self.peek() {
            Some(Token::Word(word)) => word.clone(),
            Some(Token::Quoted(name)) => {
                let name = name.clone();
                self.at += 1;
                if self.take_symbol('.') {
                    return self.qualified(&name);
                }
                return self.catalog_name(&name);
            }
            _ => return Err(self.malformed()),
        };
        self.at += 1;
        if self.take_symbol('.') {
            return self.qualified(&word);
        }
        self.sql_name(&word)
    }

    fn qualified(&mut self, schema: &str) -> Result<PgType> {
        let name = match self.peek() {
            Some(Token::Word(name) | Token::Quoted(name)) => name.clone(),
            _ => return Err(self.malformed()),
        };
        self.at += 1;
        if schema != "pg_catalog" {
            return Err(Error::undefined_type(&format!("{schema}.{name}")));
        }
        self.catalog_name(&name)
    }

    /// A name as pg_type has it.
    fn catalog_name(&mut self, name: &str) -> Result<PgType> {
        let entry = builtin_by_name(name).ok_or_else(|| Error::undefined_type(name))?;
        let modifiers = self.modifiers()?;
        apply_modifiers(entry.oid, &modifiers)
    }

    fn sql_name(&mut self, word: &str) -> Result<PgType> {
        let oid = match word {
            "int" | "integer" => Oid::INT4,
            "smallint" => Oid::INT2,
            "bigint" => Oid::INT8,
            "boolean" => Oid::BOOL,
            "real" => Oid::FLOAT4,
            "double" => {
                if !self.take_word("precision") {
                    return Err(Error::undefined_type("double"));
                }
                Oid::FLOAT8
            }
            "float" => return self.float(),
            "decimal" | "dec" | "numeric" => Oid::NUMERIC,
            "character" | "char" | "nchar" => return self.character(),
            "national" => {
                let _ = self.take_word("character") || self.take_word("char");
                return self.character();
            }
            "varchar" => Oid::VARCHAR,
            "time" | "timestamp" => return self.time(word == "timestamp"),
            "interval" => return self.interval(),
            _ => return self.catalog_name(word),
        };
        let modifiers = self.modifiers()?;
        apply_modifiers(oid, &modifiers)
    }

    fn float(&mut self) -> Result<PgType> {
        let too = |what: &str| {
            Error::invalid_parameter_value(format!("precision for type float must be {what}"))
        };
        match self.modifiers()?[..] {
            [] | [25..=53] => Ok(PgType::FLOAT8),
            [1..=24] => Ok(PgType::FLOAT4),
            [n] if n < 1 => Err(too("at least 1 bit")),
            [_] => Err(too("less than 54 bits")),
            _ => Err(self.malformed()),
        }
    }

    /// `char` without a length is char(1), unlike `bpchar`.
    fn character(&mut self) -> Result<PgType> {
        let varying = self.take_word("varying");
        let modifiers = self.modifiers()?;
        match (varying, modifiers.is_empty()) {
            (true, _) => apply_modifiers(Oid::VARCHAR, &modifiers),
            (false, true) => apply_modifiers(Oid::BPCHAR, &[1]),
            (false, false) => apply_modifiers(Oid::BPCHAR, &modifiers),
        }
    }

    fn time(&mut self, with_date: bool) -> Result<PgType> {
        let mut modifiers = self.modifiers()?;
        let zoned = self.take_word("with");
        if zoned || self.take_word("without") {
            if !(self.take_word("time") && self.take_word("zone")) {
                return Err(self.malformed());
            }
            if modifiers.is_empty() {
                modifiers = self.modifiers()?;
            }
        }
        let oid = match (with_date, zoned) {
            (true, true) => Oid::TIMESTAMPTZ,
            (true, false) => Oid::TIMESTAMP,
            (false, true) => Oid::TIMETZ,
            (false, false) => Oid::TIME,
        };
        apply_modifiers(oid, &modifiers)
    }

    fn interval(&mut self) -> Result<PgType> {
        use interval_fields::{DAY, FULL, FULL_PRECISION, HOUR, MINUTE, MONTH, SECOND, YEAR};
        const ORDER: [(&str, i32); 6] = [
            ("year", YEAR),
            ("month", MONTH),
            ("day", DAY),
            ("hour", HOUR),
            ("minute", MINUTE),
            ("second", SECOND),
        ];
        let mut modifiers = self.modifiers()?;
        let find = |reader: &mut Self| ORDER.iter().position(|(name, _)| reader.take_word(name));
        let mut fields = FULL;
        if let Some(first) = find(self) {
            let mut last = first;
            if self.take_word("to") {
                last = find(self).filter(|l| *l > first).ok_or_else(|| self.malformed())?;
            }
            fields = ORDER[first..=last].iter().fold(0, |bits, (_, bit)| bits | bit);
            if modifiers.is_empty() {
                modifiers = self.modifiers()?;
            }
        }
        let precision = match modifiers[..] {
            [] if fields == FULL => return Ok(PgType::INTERVAL),
            [] => FULL_PRECISION,
            [precision] => checked_precision("INTERVAL", precision)?,
            _ => return Err(self.malformed()),
        };
        Ok(PgType::new(Oid::INTERVAL, (fields << 16) | precision))
    }

    fn modifiers(&mut self) -> Result<Vec<i32>> {
        let mut values = Vec::new();
        if !self.take_symbol('(') {
            return Ok(values);
        }
        loop {
            match self.peek() {
                Some(Token::Number(n)) => values.push(*n),
                _ => return Err(self.malformed()),
            }
            self.at += 1;
            if self.take_symbol(')') {
                return Ok(values);
            }
            if !self.take_symbol(',') {
                return Err(self.malformed());
            }
        }
    }
}

fn checked_precision(what: &str, precision: i32) -> Result<i32> {
    match precision {
        n if n < 0 => Err(Error::invalid_parameter_value(format!(
            "{what}({n}) precision must not be negative"
        ))),
        // PostgreSQL reduces what is too much, with a warning.
        n => Ok(n.min(6)),
    }
}

fn apply_modifiers(oid: Oid, modifiers: &[i32]) -> Result<PgType> {
    if modifiers.is_empty() {
        return Ok(PgType::plain(oid));
    }
    let one = |what: &str| match modifiers {
        [n] => Ok(*n),
        _ => Err(Error::invalid_parameter_value(format!("invalid {what} type modifier"))),
    };
    let typmod = match oid {
        Oid::VARCHAR | Oid::BPCHAR => {
            let name = if oid == Oid::VARCHAR { "varchar" } else { "char" };
            match one(name)? {
                n if n < 1 => {
                    return Err(Error::invalid_parameter_value(format!(
                        "length for type {name} must be at least 1"
                    )));
                }
                n if n > MAX_CHAR_LENGTH => {
                    return Err(Error::invalid_parameter_value(format!(
                        "length for type {name} cannot exceed {MAX_CHAR_LENGTH}"
                    )));
                }
                n => n + VARHDRSZ,
            }
        }
        Oid::NUMERIC => match modifiers {
            [precision] => make_numeric_typmod(*precision, 0)?,
            [precision, scale] => make_numeric_typmod(*precision, *scale)?,
            _ => return Err(Error::invalid_parameter_value("invalid NUMERIC type modifier")),
        },
        Oid::TIME | Oid::TIMETZ => checked_precision("TIME", one("TIME")?)?,
        Oid::TIMESTAMP | Oid::TIMESTAMPTZ => checked_precision("TIMESTAMP", one("TIMESTAMP")?)?,
        Oid::INTERVAL => {
            (interval_fields::FULL << 16) | checked_precision("INTERVAL", one("INTERVAL")?)?
        }
        _ => {
            let name = builtin(oid).map_or("", |t| t.name);
            return Err(Error::new(
                SqlState::SYNTAX_ERROR,
                format!("type modifier is not allowed for type \"{name}\""),
            ));
        }
    };
    Ok(PgType::new(oid, typmod))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_canonical() {
        for (written, printed) in [
            ("int", "integer"),
            ("BIGINT", "bigint"),
            ("varchar(10)", "character varying(10)"),
            ("character varying", "character varying"),
            ("char", "character(1)"),
            ("bpchar", "character"),
            ("\"char\"", "\"char\""),
            ("double precision", "double precision"),
            ("float(24)", "real"),
            ("numeric(10,2)", "numeric(10,2)"),
            ("numeric(5,-2)", "numeric(5,-2)"),
            ("decimal(4)", "numeric(4,0)"),
            (
                "timestamp(3) with time zone",
                "timestamp(3) without time zone".replace("out", "").as_str(),
            ),
            ("timestamptz", "timestamp with time zone"),
            ("timestamp", "timestamp without time zone"),
            ("interval day to second(3)", "interval day to second(3)"),
            ("interval(0)", "interval(0)"),
            ("text[]", "text[]"),
            ("int4[3][]", "integer[]"),
            ("varchar(3)[]", "character varying(3)[]"),
            ("pg_catalog.int8", "bigint"),
            ("regclass", "regclass"),
            ("_int4", "integer[]"),
        ] {
            assert_eq!(parse_type_name(written).unwrap().name(), printed, "{written}");
        }
        assert_eq!(*parse_type_name("nope").unwrap_err().message, *"type \"nope\" does not exist");
        assert!(parse_type_name("varchar(0)").is_err());
        assert!(parse_type_name("int4(3)").is_err());
    }
}

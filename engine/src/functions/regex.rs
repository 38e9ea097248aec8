//! POSIX regular expressions, run by the `regex` crate. What it doesn't have (back references,
//! lookaround) or PostgreSQL means differently is refused with 0A000.

use std::cell::RefCell;
use std::collections::HashMap;

use regex::{Captures, Regex, RegexBuilder};

use super::kernel::{Bool, Int4, Opt, Text, TextList};
use super::registry::Implementations;
use crate::error::{Error, Result, SqlState};
use crate::types::jsonpath::RegexFlags;

/// Compiled patterns kept per thread.
const CACHED_PATTERNS: usize = 64;
/// A pattern that compiles to more than this is refused.
const MAX_PROGRAM_BYTES: usize = 1 << 24;

/// How a pattern is to be read and used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Flags {
    ignore_case: bool,
    /// `n`: newlines end lines and aren't matched by `.`.
    lines: bool,
    /// `p`: newlines aren't matched by `.` only.
    partial_lines: bool,
    /// `w`: newlines end lines only.
    weird_lines: bool,
    expanded: bool,
    literal: bool,
    global: bool,
    /// The pattern is in the crate's own syntax.
    native: bool,
}

fn flags(text: &str) -> Result<Flags> {
    let mut flags = Flags::default();
    for c in text.chars() {
        match c {
            'i' => flags.ignore_case = true,
            'c' => flags.ignore_case = false,
            'n' | 'm' => flags.lines = true,
            'p' => flags.partial_lines = true,
            'w' => flags.weird_lines = true,
            's' => flags.lines = false,
            'x' => flags.expanded = true,
            't' => flags.expanded = false,
            'q' => flags.literal = true,
            'g' => flags.global = true,
            'e' => {}
            _ => {
                return Err(Error::invalid_parameter_value(format!(
                    "invalid regular expression option: \"{c}\""
                )));
            }
        }
    }
    Ok(flags)
}

fn invalid(message: &str) -> Error {
    Error::new(
        SqlState::INVALID_REGULAR_EXPRESSION,
        format!("invalid regular expression: {message}"),
    )
}

fn compile(pattern: &str, flags: Flags) -> Result<Regex> {
    thread_local! {
        static CACHE: RefCell<HashMap<(String, Flags), Regex>> = RefCell::new(HashMap::new());
    }
    let flags = Flags { global: false, ..flags };
    CACHE.with_borrow_mut(|cache| {
        if let Some(regex) = cache.get(&(pattern.to_owned(), flags)) {
            return Ok(regex.clone());
        }
        let regex = build(pattern, flags)?;
        if cache.len() >= CACHED_PATTERNS {
            cache.clear();
        }
        cache.insert((pattern.to_owned(), flags), regex.clone());
        Ok(regex)
    })
}

fn build(pattern: &str, mut flags: Flags) -> Result<Regex> {
    let mut pattern = pattern;
    if let Some(rest) = pattern.strip_prefix("***=") {
        flags.literal = true;
        pattern = rest;
    } else if let Some(rest) = pattern.strip_prefix("***:") {
        pattern = rest;
    }
    // `(?i)` and its kin at the start mean the flags above.
    let translated = if flags.literal {
        regex::escape(pattern)
    } else if flags.native {
        pattern.to_owned()
    } else {
        if let Some((letters, rest)) =
            pattern.strip_prefix("(?").and_then(|rest| rest.split_once(')'))
            && !letters.is_empty()
            && letters.bytes().all(|b| b.is_ascii_lowercase())
        {
            let embedded = self::flags(letters)?;
            flags.ignore_case |= embedded.ignore_case;
            flags.lines |= embedded.lines;
            flags.expanded |= embedded.expanded;
            pattern = rest;
        }
        translate(pattern)?
    };
    RegexBuilder::new(&translated)
        .case_insensitive(flags.ignore_case)
        .multi_line(flags.lines || flags.weird_lines)
        .dot_matches_new_line(!(flags.lines || flags.partial_lines))
        .ignore_whitespace(flags.expanded)
        .size_limit(MAX_PROGRAM_BYTES)
        .build()
        .map_err(|e| match e {
            regex::Error::CompiledTooBig(_) => invalid("regular expression is too complex"),
            other => {
                let text = other.to_string();
                let what = text.lines().last().unwrap_or_default();
                invalid(worded(what.trim_start_matches("error: ")))
            }
        })
}

/// PostgreSQL's words for the crate's.
fn worded(what: &str) -> &str {
    match what {
        "unclosed group" | "unopened group" => "parentheses () not balanced",
        "unclosed character class" => "brackets [] not balanced",
        "repetition operator missing expression" => "quantifier operand invalid",
        _ if what.starts_with("invalid character class range") => "invalid character range",
        _ if what.starts_with("invalid repetition count") => "invalid repetition count(s)",
        other => other,
    }
}

/// The pattern of a jsonpath's `like_regex`.
pub(crate) fn xquery(pattern: &str, flags: RegexFlags) -> Result<Regex> {
    let flags = Flags {
        ignore_case: flags.ignore_case,
        literal: flags.quote,
        partial_lines: !flags.dot_all && !flags.quote,
        weird_lines: flags.lines && !flags.quote,
        ..Flags::default()
    };
    compile(pattern, flags)
}

/// From PostgreSQL's syntax to the crate's.
fn translate(pattern: &str) -> Result<String> {
    let unsupported = |what: &str| {
        Err(Error::feature_not_supported(format!(
            "regular expressions with {what} are not supported"
        )))
    };
    let mut out = String::with_capacity(pattern.len() + 8);
    let chars: Vec<char> = pattern.chars().collect();
    let mut at = 0;
    while at < chars.len() {
        match chars[at] {
            '\\' => {
                let Some(next) = chars.get(at + 1) else {
                    return Err(invalid("invalid escape \\ sequence"));
                };
                at += 2;
                match next {
                    'm' => out.push_str(r"\b{start}"),
                    'M' => out.push_str(r"\b{end}"),
                    'y' => out.push_str(r"\b"),
                    'Y' => out.push_str(r"\B"),
                    'Z' => out.push_str(r"\z"),
                    'A' => out.push_str(r"\A"),
                    'e' => out.push_str(r"\x1b"),
                    'a' => out.push_str(r"\x07"),
                    'b' => out.push_str(r"\x08"),
                    'B' => out.push_str(r"\\"),
                    '0' => out.push_str(r"\x00"),
                    '1'..='9' => return unsupported("back references"),
                    c @ ('d' | 'D' | 'w' | 'W' | 's' | 'S' | 'n' | 'r' | 't' | 'f' | 'v' | 'x'
                    | 'u' | 'U') => {
                        out.push('\\');
                        out.push(*c);
                    }
                    c if c.is_alphanumeric() => return Err(invalid("invalid escape \\ sequence")),
                    c => {
                        out.push_str(&regex::escape(&c.to_string()));
                    }
                }
                continue;
            }
            '(' if chars.get(at + 1) == Some(&'?') => {
                match chars.get(at + 2) {
                    Some(':') => out.push_str("(?:"),
                    Some('=' | '!' | '<') => return unsupported("lookaround"),
                    _ => return Err(invalid("quantifier operand invalid")),
                }
                at += 3;
                continue;
            }
            '[' => {
                at = bracket(&chars, at, &mut out)?;
                continue;
            }
            '{' if !chars.get(at + 1).is_some_and(char::is_ascii_digit) => out.push_str("\\{"),
            '}' if !out_has_open_brace(&chars, at) => out.push_str("\\}"),
            c => out.push(c),
        }
        at += 1;
    }
    Ok(out)
}

/// Whether a closing brace ends a bound.
fn out_has_open_brace(chars: &[char], at: usize) -> bool {
    let before = chars[..at].iter().rposition(|c| !c.is_ascii_digit() && *c != ',');
    before.is_some_and(|i| chars[i] == '{' && i + 1 < at)
}

/// A bracket expression: only `\` escapes and `[:class:]` are special inside.
fn bracket(chars: &[char], start: usize, out: &mut String) -> Result<usize> {
    let rest: String = chars[start..].iter().collect();
    if rest.starts_with("[[:<:]]") {
        out.push_str(r"\b{start}");
        return Ok(start + 7);
    }
    if rest.starts_with("[[:>:]]") {
        out.push_str(r"\b{end}");
        return Ok(start + 7);
    }
    let mut at = start + 1;
    out.push('[');
    if chars.get(at) == Some(&'^') {
        out.push('^');
        at += 1;
    }
    if chars.get(at) == Some(&']') {
        out.push_str("\\]");
        at += 1;
    }
    loop {
        match chars.get(at) {
            None => return Err(invalid("brackets [] not balanced")),
            Some(']') => {
                out.push(']');
                return Ok(at + 1);
            }
            Some('[') => match chars.get(at + 1) {
                Some(':') => {
                    let end = chars[at..].windows(2).position(|w| w == [':', ']']);
                    // Skip the opening `[:` itself, which `:]` can't overlap.
                    let end = end.ok_or_else(|| invalid("brackets [] not balanced"))?;
                    out.extend(&chars[at..at + end + 2]);
                    at += end + 2;
                }
                Some('.' | '=') => {
                    return Err(Error::feature_not_supported(
                        "regular expressions with collating elements are not supported",
                    ));
                }
                _ => {
                    out.push_str("\\[");
                    at += 1;
                }
            },
            Some('\\') => {
                match chars.get(at + 1) {
                    Some(c @ ('d' | 'D' | 'w' | 'W' | 's' | 'S' | 'n' | 'r' | 't' | 'f' | 'v')) => {
                        out.push('\\');
                        out.push(*c);
                    }
                    Some(c) => out.push_str(&escape_in_class(*c)),
                    None => return Err(invalid("brackets [] not balanced")),
                }
                at += 2;
            }
            Some('-') => {
                out.push('-');
                at += 1;
            }
            Some(c) => {
                out.push_str(&escape_in_class(*c));
                at += 1;
            }
        }
    }
}

fn escape_in_class(c: char) -> String {
    if matches!(c, '&' | '~' | '^' | '[' | ']' | '\\' | '-') {
        format!("\\{c}")
    } else {
        c.to_string()
    }
}

pub(super) fn register(all: &mut Implementations) {
    operators(all);
    searches(all);
    counts(all);
    substrings(all);
    places(all);
    replacements(all);
}

fn operators(all: &mut Implementations) {
    type Match = fn(&str, &str) -> Result<bool>;
    fn is_match(text: &str, pattern: &str, ignore_case: bool) -> Result<bool> {
        Ok(compile(pattern, Flags { ignore_case, ..Flags::default() })?.is_match(text))
    }
    let kinds: [(&str, Match); 4] = [
        ("regexeq", |t, p| is_match(t, p, false)),
        ("regexne", |t, p| is_match(t, p, false).map(|m| !m)),
        ("icregexeq", |t, p| is_match(t, p, true)),
        ("icregexne", |t, p| is_match(t, p, true).map(|m| !m)),
    ];
    for ty in ["text", "name", "bpchar"] {
        for (suffix, kernel) in kinds {
            all.f2::<Text, Text, Bool>(&format!("{ty}{suffix}({ty},text)"), kernel);
        }
    }
    all.f2::<Text, Text, Bool>("regexp_like(text,text)", |t, p| is_match(t, p, false));
    all.f3::<Text, Text, Text, Bool>("regexp_like(text,text,text)", |t, p, f| {
        let flags = no_global(f, "regexp_like()")?;
        Ok(compile(p, flags)?.is_match(t))
    });
    all.f2::<Text, Text, Opt<Text>>("substring(text,text)", |t, p| {
        let regex = compile(p, Flags::default())?;
        Ok(regex.captures(t).and_then(|c| {
            let group = if c.len() > 1 { c.get(1) } else { c.get(0) };
            group.map(|m| m.as_str().to_owned())
        }))
    });
    all.f3::<Text, Text, Text, Opt<Text>>("substring(text,text,text)", similar_substring);
}

/// `substring(text SIMILAR pattern ESCAPE escape)`: what is between the separators, of which the
/// first comes as early as it can.
fn similar_substring(text: &str, pattern: &str, escape: &str) -> Result<Option<String>> {
    let parts = super::like::similar_parts(pattern, super::like::one_escape(escape)?)?;
    let parts = parts.iter().map(|part| translate(part)).collect::<Result<Vec<String>>>()?;
    let native = match parts.as_slice() {
        [before, inside] => format!("^(?U:{before})({inside})$"),
        [before, inside, after] => format!("^(?U:{before})({inside})(?:{after})$"),
        whole => format!("^({})$", whole.concat()),
    };
    let regex = compile(&native, Flags { native: true, ..Flags::default() })?;
    Ok(regex.captures(text).and_then(|found| found.get(1)).map(|part| part.as_str().to_owned()))
}

fn no_global(text: &str, function: &str) -> Result<Flags> {
    let flags = flags(text)?;
    if flags.global {
        return Err(Error::invalid_parameter_value(format!(
            "{function} does not support the \"global\" option"
        )));
    }
    Ok(flags)
}

/// The groups of a match, or the whole of it when there are none.
fn groups(captures: &Captures<'_>) -> Vec<Option<String>> {
    let from = usize::from(captures.len() > 1);
    captures.iter().skip(from).map(|g| g.map(|m| m.as_str().to_owned())).collect()
}

fn regexp_match(text: &str, pattern: &str, flags: Flags) -> Result<Option<Vec<Option<String>>>> {
    Ok(compile(pattern, flags)?.captures(text).map(|c| groups(&c)))
}

fn split(text: &str, pattern: &str, flags: Flags) -> Result<Vec<Option<String>>> {
    let regex = compile(pattern, flags)?;
    let mut out = Vec::new();
    let mut from = 0;
    for found in regex.find_iter(text) {
        // Empty matches at the ends or right after another match don't split.
        if found.is_empty()
            && (found.start() == 0
                || found.start() == text.len()
                || found.start() == from && from > 0)
        {
            continue;
        }
        out.push(Some(text[from..found.start()].to_owned()));
        from = found.end();
    }
    out.push(Some(text[from..].to_owned()));
    Ok(out)
}

fn searches(all: &mut Implementations) {
    all.f2::<Text, Text, Opt<TextList>>("regexp_match(text,text)", |t, p| {
        regexp_match(t, p, Flags::default())
    });
    all.f3::<Text, Text, Text, Opt<TextList>>("regexp_match(text,text,text)", |t, p, f| {
        let flags = flags(f)?;
        if flags.global {
            return Err(Error::invalid_parameter_value(
                "regexp_match() does not support the \"global\" option",
            )
            .with_hint("Use the regexp_matches function instead."));
        }
        regexp_match(t, p, flags)
    });
    for name in ["regexp_split_to_array(text,text)", "regexp_split_to_table(text,text)"] {
        all.f2::<Text, Text, TextList>(name, |t, p| split(t, p, Flags::default()));
    }
    for name in ["regexp_split_to_array(text,text,text)", "regexp_split_to_table(text,text,text)"] {
        all.f3::<Text, Text, Text, TextList>(name, |t, p, f| {
            split(t, p, no_global(f, "regexp_split_to_array()")?)
        });
    }
}

/// Which match of a pattern is meant, and which of its groups.
struct Wanted {
    /// The character from which on matches count, from 1.
    start: i32,
    /// Which match, from 1.
    n: i32,
    /// 0 for the whole match.
    group: i32,
}

impl Wanted {
    const FIRST: Wanted = Wanted { start: 1, n: 1, group: 0 };

    /// 22023 for numbers that mean nothing.
    fn check(&self) -> Result<()> {
        for (name, value, least) in
            [("start", self.start, 1), ("n", self.n, 1), ("subexpr", self.group, 0)]
        {
            if value < least {
                return Err(parameter(name, value));
            }
        }
        Ok(())
    }

    fn find<'t>(
        &self,
        text: &'t str,
        pattern: &str,
        flags: Flags,
    ) -> Result<Option<regex::Match<'t>>> {
        let from = text.len() - from_character(text, self.start)?.len();
        let regex = compile(pattern, flags)?;
        let found = Matches { regex: &regex, text, next: Some(from) }.nth(self.n as usize - 1);
        Ok(found.and_then(|captures| captures.get(self.group as usize)))
    }
}

/// All matches as PostgreSQL's functions count them: an empty one may follow another directly.
struct Matches<'r, 't> {
    regex: &'r Regex,
    text: &'t str,
    /// Where to look next, in bytes.
    next: Option<usize>,
}

impl<'t> Iterator for Matches<'_, 't> {
    type Item = Captures<'t>;

    fn next(&mut self) -> Option<Captures<'t>> {
        let captures = self.regex.captures_at(self.text, self.next?)?;
        let found = captures.get(0)?;
        self.next = match self.text[found.end()..].chars().next() {
            _ if !found.is_empty() => Some(found.end()),
            Some(c) => Some(found.end() + c.len_utf8()),
            None => None,
        };
        Some(captures)
    }
}

fn parameter(name: &str, value: i32) -> Error {
    Error::invalid_parameter_value(format!("invalid value for parameter \"{name}\": {value}"))
}

fn count(text: &str, pattern: &str, start: i32, flags: Flags) -> Result<i32> {
    let from = text.len() - from_character(text, start)?.len();
    let regex = compile(pattern, flags)?;
    Ok(Matches { regex: &regex, text, next: Some(from) }.count() as i32)
}

fn counts(all: &mut Implementations) {
    all.f2::<Text, Text, Int4>("regexp_count(text,text)", |t, p| count(t, p, 1, Flags::default()));
    all.f3::<Text, Text, Int4, Int4>("regexp_count(text,text,int4)", |t, p, start| {
        count(t, p, start, Flags::default())
    });
    all.f4::<Text, Text, Int4, Text, Int4>(
        "regexp_count(text,text,int4,text)",
        |t, p, start, f| {
            from_character(t, start)?;
            count(t, p, start, no_global(f, "regexp_count()")?)
        },
    );
}

fn substrings(all: &mut Implementations) {
    fn substr(text: &str, pattern: &str, wanted: &Wanted, flags: &str) -> Result<Option<String>> {
        wanted.check()?;
        let flags = no_global(flags, "regexp_substr()")?;
        Ok(wanted.find(text, pattern, flags)?.map(|found| found.as_str().to_owned()))
    }
    all.f2::<Text, Text, Opt<Text>>("regexp_substr(text,text)", |t, p| {
        substr(t, p, &Wanted::FIRST, "")
    });
    all.f3::<Text, Text, Int4, Opt<Text>>("regexp_substr(text,text,int4)", |t, p, start| {
        substr(t, p, &Wanted { start, ..Wanted::FIRST }, "")
    });
    all.f4::<Text, Text, Int4, Int4, Opt<Text>>(
        "regexp_substr(text,text,int4,int4)",
        |t, p, start, n| substr(t, p, &Wanted { start, n, group: 0 }, ""),
    );
    all.f5::<Text, Text, Int4, Int4, Text, Opt<Text>>(
        "regexp_substr(text,text,int4,int4,text)",
        |t, p, start, n, f| substr(t, p, &Wanted { start, n, group: 0 }, f),
    );
    all.f6::<Text, Text, Int4, Int4, Text, Int4, Opt<Text>>(
        "regexp_substr(text,text,int4,int4,text,int4)",
        |t, p, start, n, f, group| substr(t, p, &Wanted { start, n, group }, f),
    );
}

fn places(all: &mut Implementations) {
    /// `end`: 0 for where the match begins, 1 for where what follows it begins.
    fn instr(text: &str, pattern: &str, wanted: &Wanted, end: i32, flags: &str) -> Result<i32> {
        Wanted { group: 0, ..*wanted }.check()?;
        if !matches!(end, 0 | 1) {
            return Err(parameter("endoption", end));
        }
        wanted.check()?;
        let flags = no_global(flags, "regexp_instr()")?;
        let found = wanted.find(text, pattern, flags)?;
        let place = found.map(|found| if end == 0 { found.start() } else { found.end() });
        Ok(place.map_or(0, |at| super::text::char_count(&text[..at]) as i32 + 1))
    }
    all.f2::<Text, Text, Int4>("regexp_instr(text,text)", |t, p| {
        instr(t, p, &Wanted::FIRST, 0, "")
    });
    all.f3::<Text, Text, Int4, Int4>("regexp_instr(text,text,int4)", |t, p, start| {
        instr(t, p, &Wanted { start, ..Wanted::FIRST }, 0, "")
    });
    all.f4::<Text, Text, Int4, Int4, Int4>(
        "regexp_instr(text,text,int4,int4)",
        |t, p, start, n| instr(t, p, &Wanted { start, n, group: 0 }, 0, ""),
    );
    all.f5::<Text, Text, Int4, Int4, Int4, Int4>(
        "regexp_instr(text,text,int4,int4,int4)",
        |t, p, start, n, end| instr(t, p, &Wanted { start, n, group: 0 }, end, ""),
    );
    all.f6::<Text, Text, Int4, Int4, Int4, Text, Int4>(
        "regexp_instr(text,text,int4,int4,int4,text)",
        |t, p, start, n, end, f| instr(t, p, &Wanted { start, n, group: 0 }, end, f),
    );
    all.f7::<Text, Text, Int4, Int4, Int4, Text, Int4, Int4>(
        "regexp_instr(text,text,int4,int4,int4,text,int4)",
        |t, p, start, n, end, f, group| instr(t, p, &Wanted { start, n, group }, end, f),
    );
}

fn from_character(text: &str, from: i32) -> Result<&str> {
    if from < 1 {
        return Err(parameter("start", from));
    }
    Ok(super::text::char_slice(text, from as usize - 1, usize::MAX))
}

/// All matches for regexp_matches: one without the flag g.
pub(super) fn all_matches(
    text: &str,
    pattern: &str,
    flag_text: &str,
) -> Result<Vec<Vec<Option<String>>>> {
    let flags = flags(flag_text)?;
    let regex = compile(pattern, flags)?;
    let limit = if flags.global { usize::MAX } else { 1 };
    Ok(regex.captures_iter(text).take(limit).map(|c| groups(&c)).collect())
}

fn replacements(all: &mut Implementations) {
    all.f3::<Text, Text, Text, Text>("regexp_replace(text,text,text)", |t, p, r| {
        replace(t, p, r, Flags::default(), 1)
    });
    all.f4::<Text, Text, Text, Text, Text>("regexp_replace(text,text,text,text)", |t, p, r, f| {
        if f.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(Error::invalid_parameter_value(format!(
                "invalid regular expression option: \"{}\"",
                &f[..1]
            ))
            .with_hint(
                "If you meant to use regexp_replace() with a start parameter, cast the fourth \
                 argument to integer explicitly.",
            ));
        }
        let flags = flags(f)?;
        replace(t, p, r, flags, i32::from(!flags.global))
    });
    all.f4::<Text, Text, Text, Int4, Text>(
        "regexp_replace(text,text,text,int4)",
        |t, p, r, from| {
            let tail = from_character(t, from)?;
            let head = &t[..t.len() - tail.len()];
            Ok(head.to_owned() + &replace(tail, p, r, Flags::default(), 1)?)
        },
    );
    all.f5::<Text, Text, Text, Int4, Int4, Text>(
        "regexp_replace(text,text,text,int4,int4)",
        |t, p, r, from, n| {
            let tail = from_character(t, from)?;
            let head = &t[..t.len() - tail.len()];
            Ok(head.to_owned() + &replace(tail, p, r, Flags::default(), n)?)
        },
    );
}

/// Replaces the nth match, all for 0.
fn replace(text: &str, pattern: &str, with: &str, flags: Flags, nth: i32) -> Result<String> {
    let regex = compile(pattern, flags)?;
    if nth < 0 {
        return Err(parameter("n", nth));
    }
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for (i, captures) in regex.captures_iter(text).enumerate() {
        if nth > 0 && i as i32 + 1 != nth {
            continue;
        }
        let Some(whole) = captures.get(0) else { continue };
        out.push_str(&text[from..whole.start()]);
        expand(with, &captures, &mut out);
        from = whole.end();
        if nth > 0 {
            break;
        }
    }
    out.push_str(&text[from..]);
    Ok(out)
}

/// `\1` .. `\9` are groups, `\&` the whole match, `\\` a backslash.
fn expand(with: &str, captures: &Captures<'_>, out: &mut String) {
    let mut chars = with.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.peek().copied() {
            Some(digit @ '1'..='9') => {
                chars.next();
                let group = digit.to_digit(10).unwrap_or(0) as usize;
                out.push_str(captures.get(group).map_or("", |m| m.as_str()));
            }
            Some('&') => {
                chars.next();
                out.push_str(captures.get(0).map_or("", |m| m.as_str()));
            }
            Some('\\') => {
                chars.next();
                out.push('\\');
            }
            _ => out.push('\\'),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgresql_syntax() {
        let is = |t: &str, p: &str| compile(p, Flags::default()).unwrap().is_match(t);
        assert!(is("foo bar", r"\mbar\M"));
        assert!(is("a]b", "[]]"));
        assert!(is("x1", "^[[:alpha:]][[:digit:]]$"));
        assert!(is("a{b", "a{b"));
        assert!(!is("abc", "^b"));
        assert!(is("a\nb", "a.b"));
        assert!(compile(r"(a)\1", Flags::default()).is_err());
        assert_eq!(replace("abc", "(b)", r"<\1\&>", Flags::default(), 1).unwrap(), "a<bb>c");
        assert_eq!(split("a,b,,c", ",", Flags::default()).unwrap().len(), 4);
        assert_eq!(split("abc", "", Flags::default()).unwrap().len(), 3);
    }
}

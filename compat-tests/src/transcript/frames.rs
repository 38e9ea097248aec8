//! The `NAME> Message ...` lines of a transcript as frames.

use crate::wire::Frontend;

/// Adds the message that `line` describes.
pub(super) fn gather(frames: &mut Frontend, line: &str) -> Result<(), String> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match word {
        "Query" => frames.query(&unescaped(rest)),
        "Parse" => {
            let (name, sql) = rest.split_once(' ').unwrap_or((rest, ""));
            frames.parse(named(name), sql, &[]);
        }
        "ParseTyped" => {
            let (name, rest) = two(rest)?;
            let (oids, sql) = two(rest)?;
            let oids: Result<Vec<u32>, _> = oids.split(',').map(str::parse).collect();
            frames.parse(name, sql, &oids.map_err(|e| e.to_string())?);
        }
        "Bind" => bind(frames, rest)?,
        "Describe" => {
            let (kind, name) = two(rest)?;
            frames.describe(kind.as_bytes()[0], named(name));
        }
        "Close" => {
            let (kind, name) = two(rest)?;
            frames.close(kind.as_bytes()[0], named(name));
        }
        "Execute" => {
            let (portal, rows) = two(rest)?;
            frames.execute(portal, rows.parse().map_err(|_| "not a number".to_owned())?);
        }
        "Sync" => frames.sync(),
        "Flush" => frames.flush(),
        "CopyData" => frames.copy_data(unescaped(rest).as_bytes()),
        "CopyDone" => frames.copy_done(),
        "CopyFail" => frames.copy_fail(rest),
        "Terminate" => frames.terminate(),
        _ => return Err(format!("no message is called {word}")),
    }
    Ok(())
}

fn two(rest: &str) -> Result<(&str, &str), String> {
    let (first, rest) = rest.split_once(' ').ok_or("a word is missing")?;
    Ok((named(first), rest))
}

fn named(name: &str) -> &str {
    if name == "-" { "" } else { name }
}

fn bind(frames: &mut Frontend, rest: &str) -> Result<(), String> {
    let (portal, rest) = two(rest)?;
    let (statement, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let (formats, rest): (&[i16], _) = match rest.split_once(' ').unwrap_or((rest, "")) {
        ("binary", rest) => (&[1], rest),
        ("text", rest) => (&[0], rest),
        _ => (&[], rest),
    };
    let mut parameters = Vec::new();
    let mut rest = rest.trim_start();
    while !rest.is_empty() {
        let (value, next) = if let Some(quoted) = rest.strip_prefix('\'') {
            let end = quoted.find('\'').ok_or("a quote is missing")?;
            (Some(unescaped(&quoted[..end]).into_bytes()), &quoted[end + 1..])
        } else {
            let next = rest.strip_prefix("NULL").ok_or("neither a quoted value nor NULL")?;
            (None, next)
        };
        parameters.push(value);
        rest = next.trim_start();
    }
    frames.bind((portal, named(statement)), &[], &parameters, formats);
    Ok(())
}

fn unescaped(text: &str) -> String {
    text.replace("\\n", "\n").replace("\\t", "\t").replace("\\\\", "\\")
}

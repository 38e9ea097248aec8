//! The tables of functions, operators and casts, read once from the catalog's rows and joined with
//! our implementations.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::{
    Cast, CastContext, CastMethod, Function, FunctionKind, Implementation, Operator, Volatility,
};
use crate::types::{Oid, builtin};

/// Everything callable.
#[derive(Debug)]
pub(crate) struct Registry {
    functions: Vec<Function>,
    operators: Vec<Operator>,
    casts: Vec<Cast>,
    functions_by_oid: HashMap<u32, usize>,
    functions_by_name: HashMap<&'static str, Vec<usize>>,
    operators_by_oid: HashMap<u32, usize>,
    operators_by_name: HashMap<&'static str, Vec<usize>>,
    casts_by_types: HashMap<(u32, u32), usize>,
}

/// The one registry.
pub(crate) fn registry() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY.get_or_init(Registry::load)
}

impl Registry {
    /// All functions by OID.
    pub(crate) fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// All operators by OID.
    pub(crate) fn operators(&self) -> &[Operator] {
        &self.operators
    }

    /// All casts by OID.
    pub(crate) fn casts(&self) -> &[Cast] {
        &self.casts
    }

    /// The function with an OID.
    pub(crate) fn function(&self, oid: Oid) -> Option<&Function> {
        self.functions_by_oid.get(&oid.0).map(|&i| &self.functions[i])
    }

    /// The operator with an OID.
    pub(crate) fn operator(&self, oid: Oid) -> Option<&Operator> {
        self.operators_by_oid.get(&oid.0).map(|&i| &self.operators[i])
    }

    /// All overloads of a name (lower case, without schema).
    pub(crate) fn functions_named(&self, name: &str) -> impl Iterator<Item = &Function> {
        let found = self.functions_by_name.get(name).map_or(&[][..], Vec::as_slice);
        found.iter().map(|&i| &self.functions[i])
    }

    /// All overloads of an operator.
    pub(crate) fn operators_named(&self, name: &str) -> impl Iterator<Item = &Operator> {
        let found = self.operators_by_name.get(name).map_or(&[][..], Vec::as_slice);
        found.iter().map(|&i| &self.operators[i])
    }

    /// The cast from one type to another, as pg_cast has it.
    pub(crate) fn cast(&self, source: Oid, target: Oid) -> Option<&Cast> {
        self.casts_by_types.get(&(source.0, target.0)).map(|&i| &self.casts[i])
    }

    fn load() -> Registry {
        let implementations = Implementations::all();
        let mut functions: Vec<Function> =
            include_str!("pg_proc.tsv").lines().map(read_function).collect();
        for function in &mut functions {
            implementations.complete(function);
        }
        let operators: Vec<Operator> =
            include_str!("pg_operator.tsv").lines().map(read_operator).collect();
        let casts: Vec<Cast> = include_str!("pg_cast.tsv").lines().map(read_cast).collect();
        let mut functions_by_name: HashMap<&'static str, Vec<usize>> = HashMap::new();
        for (i, function) in functions.iter().enumerate() {
            functions_by_name.entry(function.name).or_default().push(i);
        }
        let mut operators_by_name: HashMap<&'static str, Vec<usize>> = HashMap::new();
        for (i, operator) in operators.iter().enumerate() {
            operators_by_name.entry(operator.name).or_default().push(i);
        }
        Registry {
            functions_by_oid: functions.iter().enumerate().map(|(i, f)| (f.oid.0, i)).collect(),
            functions_by_name,
            operators_by_oid: operators.iter().enumerate().map(|(i, o)| (o.oid.0, i)).collect(),
            operators_by_name,
            casts_by_types: casts
                .iter()
                .enumerate()
                .map(|(i, c)| ((c.source.0, c.target.0), i))
                .collect(),
            functions,
            operators,
            casts,
        }
    }
}

/// Our implementations by signature, `name(type,type)` with catalog names.
#[derive(Default)]
pub(crate) struct Implementations {
    by_signature: HashMap<String, (Implementation, bool)>,
}

impl Implementations {
    fn all() -> Implementations {
        let mut all = Implementations::default();
        super::register_all(&mut all);
        all
    }

    /// Adds an implementation for a signature such as `lower(text)`.
    pub(crate) fn add(&mut self, signature: &str, implementation: Implementation) {
        let old = self.by_signature.insert(signature.to_owned(), (implementation, false));
        debug_assert!(old.is_none(), "{signature} is implemented twice");
    }

    /// As [`Implementations::add`], for one that takes the settings as a trailing argument.
    pub(crate) fn add_zoned(&mut self, signature: &str, implementation: Implementation) {
        let old = self.by_signature.insert(signature.to_owned(), (implementation, true));
        debug_assert!(old.is_none(), "{signature} is implemented twice");
    }

    /// Marks functions that the session layer evaluates, all overloads of each name.
    fn complete(&self, function: &mut Function) {
        if let Some((implementation, zoned)) = self.by_signature.get(&signature(function)) {
            function.implementation = implementation.clone();
            function.needs_time_zone = *zoned;
        } else if super::session::is_session_function(function.name) {
            function.implementation = Implementation::Session;
        }
    }

    #[cfg(test)]
    pub(crate) fn signatures() -> Vec<String> {
        Self::all().by_signature.into_keys().collect()
    }
}

/// `name(type,type)` with catalog names.
pub(crate) fn signature(function: &Function) -> String {
    let args: Vec<&str> =
        function.args.iter().map(|oid| builtin(*oid).map_or("?", |t| t.name)).collect();
    format!("{}({})", function.name, args.join(","))
}

fn oid(text: &str) -> Oid {
    Oid(text.parse().expect("the catalog's rows hold numbers here"))
}

fn read_function(line: &'static str) -> Function {
    let fields: Vec<&'static str> = line.split('\t').collect();
    let oids = |text: &'static str| text.split_whitespace().map(oid).collect::<Vec<Oid>>();
    let args = oids(fields[8]);
    let variadic = match oid(fields[6]) {
        Oid::INVALID => None,
        element => Some(element),
    };
    let all_types = oids(fields[10]);
    let modes = fields[11].as_bytes();
    let names: Vec<&'static str> = fields[12].split(' ').filter(|n| !n.is_empty()).collect();
    let is_input = |i: usize| modes.get(i).is_none_or(|m| matches!(m, b'i' | b'b' | b'v'));
    let arg_names = if names.is_empty() {
        Vec::new()
    } else {
        names.iter().enumerate().filter(|(i, _)| is_input(*i)).map(|(_, n)| *n).collect()
    };
    let out_columns = modes
        .iter()
        .enumerate()
        .filter(|(_, mode)| matches!(mode, b'o' | b'b' | b't'))
        .map(|(i, _)| (names.get(i).copied().unwrap_or("column"), all_types[i]))
        .collect();
    let default_count: usize = fields[9].parse().expect("the catalog's rows hold numbers here");
    let defaults = split_defaults(fields[13]);
    debug_assert_eq!(defaults.len(), default_count, "{}", fields[1]);
    Function {
        oid: oid(fields[0]),
        name: fields[1],
        args,
        variadic,
        ret: oid(fields[7]),
        kind: match (fields[2], fields[5]) {
            ("a", _) => FunctionKind::Aggregate,
            ("w", _) => FunctionKind::Window,
            (_, "1") => FunctionKind::Set,
            _ => FunctionKind::Scalar,
        },
        volatility: match fields[3] {
            "i" => Volatility::Immutable,
            "s" => Volatility::Stable,
            _ => Volatility::Volatile,
        },
        strict: fields[4] == "1",
        arg_names,
        defaults,
        out_columns,
        source: fields[14],
        needs_time_zone: false,
        implementation: Implementation::Missing,
    }
}

/// Splits `false, '{}'::text[], 0` at top-level commas.
fn split_defaults(text: &'static str) -> Vec<&'static str> {
    let (mut parts, mut start, mut quoted) = (Vec::new(), 0, false);
    for (i, c) in text.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            ',' if !quoted => {
                parts.push(text[start..i].trim());
                start = i + 1;
            }
            _ => {}
        }
    }
    if !text.is_empty() {
        parts.push(text[start..].trim());
    }
    parts
}

fn read_operator(line: &'static str) -> Operator {
    let fields: Vec<&'static str> = line.split('\t').collect();
    Operator {
        oid: oid(fields[0]),
        name: fields[1],
        left: oid(fields[5]),
        right: oid(fields[6]),
        result: oid(fields[7]),
        commutator: oid(fields[8]),
        negator: oid(fields[9]),
        can_hash: fields[3] == "1",
        can_merge: fields[4] == "1",
        function: oid(fields[10]),
    }
}

fn read_cast(line: &'static str) -> Cast {
    let fields: Vec<&'static str> = line.split('\t').collect();
    Cast {
        oid: oid(fields[0]),
        source: oid(fields[1]),
        target: oid(fields[2]),
        function: oid(fields[3]),
        context: match fields[4] {
            "i" => CastContext::Implicit,
            "a" => CastContext::Assignment,
            _ => CastContext::Explicit,
        },
        method: match fields[5] {
            "f" => CastMethod::Function,
            "i" => CastMethod::InOut,
            _ => CastMethod::Binary,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_implementation_has_a_catalog_row() {
        let known: HashSet<String> = registry().functions().iter().map(signature).collect();
        let unknown: Vec<String> =
            Implementations::signatures().into_iter().filter(|s| !known.contains(s)).collect();
        assert!(unknown.is_empty(), "no such functions: {unknown:?}");
    }
}

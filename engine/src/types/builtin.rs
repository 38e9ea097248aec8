//! The builtin types, as in PostgreSQL 15's pg_type (`pg_type.tsv`, one row per type).

use std::collections::HashMap;
use std::sync::OnceLock;

use super::Oid;

/// Whether a type has values of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TypeKind {
    /// `b`: an ordinary type.
    Base,
    /// `p`: only in signatures.
    Pseudo,
}

/// One row of pg_type.
#[derive(Clone, Debug)]
pub(crate) struct BuiltinType {
    pub(crate) oid: Oid,
    pub(crate) name: &'static str,
    pub(crate) length: i16,
    pub(crate) by_value: bool,
    pub(crate) kind: TypeKind,
    /// `pg_type.typcategory`.
    pub(crate) category: u8,
    pub(crate) preferred: bool,
    pub(crate) delimiter: u8,
    pub(crate) array: Oid,
    pub(crate) element: Oid,
    pub(crate) align: u8,
    pub(crate) storage: u8,
    pub(crate) collation: Oid,
    pub(crate) input: &'static str,
    pub(crate) output: &'static str,
    pub(crate) receive: &'static str,
    pub(crate) send: &'static str,
    pub(crate) typmod_in: &'static str,
    pub(crate) typmod_out: &'static str,
}

impl BuiltinType {
    /// Whether it is a true array; the vectors are in category A as well.
    pub(crate) fn delimiter_array(&self) -> bool {
        self.length == -1 && self.input == "array_in"
    }
}

struct Table {
    types: Vec<BuiltinType>,
    by_oid: HashMap<u32, usize>,
    by_name: HashMap<&'static str, usize>,
}

/// All builtin types by OID.
pub(crate) fn builtins() -> &'static [BuiltinType] {
    &table().types
}

/// The type with an OID.
pub(crate) fn builtin(oid: Oid) -> Option<&'static BuiltinType> {
    let table = table();
    table.by_oid.get(&oid.0).map(|&i| &table.types[i])
}

/// The type with a catalog name (`int4`, `_int4`).
pub(crate) fn builtin_by_name(name: &str) -> Option<&'static BuiltinType> {
    let table = table();
    table.by_name.get(name).map(|&i| &table.types[i])
}

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        let types: Vec<BuiltinType> = include_str!("pg_type.tsv").lines().map(read).collect();
        let by_oid = types.iter().enumerate().map(|(i, t)| (t.oid.0, i)).collect();
        let by_name = types.iter().enumerate().map(|(i, t)| (t.name, i)).collect();
        Table { types, by_oid, by_name }
    })
}

fn read(line: &'static str) -> BuiltinType {
    let fields: Vec<&'static str> = line.split('\t').collect();
    let number = |i: usize| fields[i].parse::<i64>().expect("pg_type.tsv holds numbers here");
    let oid = |i: usize| Oid(number(i) as u32);
    let letter = |i: usize| fields[i].as_bytes()[0];
    BuiltinType {
        oid: oid(0),
        name: fields[1],
        length: number(2) as i16,
        by_value: fields[3] == "1",
        kind: if fields[4] == "p" { TypeKind::Pseudo } else { TypeKind::Base },
        category: letter(5),
        preferred: fields[6] == "1",
        delimiter: letter(7),
        array: oid(8),
        element: oid(9),
        align: letter(10),
        storage: letter(11),
        collation: oid(12),
        input: fields[13],
        output: fields[14],
        receive: fields[15],
        send: fields[16],
        typmod_in: fields[17],
        typmod_out: fields[18],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_and_elements_agree() {
        for entry in builtins().iter().filter(|t| t.array != Oid::INVALID) {
            if let Some(array) = builtin(entry.array) {
                assert_eq!(array.element, entry.oid, "{}", entry.name);
            }
        }
        assert_eq!(builtin_by_name("int4").unwrap().oid, Oid::INT4);
    }
}

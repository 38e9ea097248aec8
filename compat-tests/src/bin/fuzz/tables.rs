//! The tables that statements read and change, the same on both servers.

use std::collections::HashSet;

use rand::Rng;
use rand::rngs::StdRng;

use crate::types::{self, Type, quoted};

/// A table.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// The type of the column `id`, where there is one.
    pub(crate) id: Option<Type>,
    /// Further columns, each named for its type.
    pub(crate) columns: &'static [Type],
    /// The columns of the primary key, or none.
    pub(crate) key: &'static [&'static str],
    /// The columns of each index.
    pub(crate) indexes: &'static [&'static str],
    rows: usize,
    /// How much of it KalamDB keeps in segments.
    cold: Cold,
    /// Whether its values lie at the ends of their ranges as well.
    pub(crate) extremes: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cold {
    Nothing,
    All,
    /// Half of the rows, and changes above them.
    Half,
}

const NARROW: &[Type] =
    &[Type::Int4, Type::Int8, Type::Text, Type::Numeric, Type::Bool, Type::Date, Type::Int2];

/// Every table.
pub(crate) const ALL: &[Table] = &[
    Table {
        name: "t1",
        id: Some(Type::Int4),
        columns: types::ALL,
        key: &["id"],
        indexes: &["(a)", "(t, d)", "(n)"],
        rows: 24,
        cold: Cold::Nothing,
        extremes: false,
    },
    Table {
        name: "t2",
        id: None,
        columns: NARROW,
        key: &["a", "t"],
        indexes: &["(b)", "(d, bo)"],
        rows: 18,
        cold: Cold::All,
        extremes: false,
    },
    Table {
        name: "t3",
        id: Some(Type::Int8),
        columns: types::ALL,
        key: &["id"],
        indexes: &["(a)", "(u)"],
        rows: 16,
        cold: Cold::Half,
        extremes: false,
    },
    Table {
        name: "t4",
        id: None,
        columns: NARROW,
        key: &[],
        indexes: &[],
        rows: 14,
        cold: Cold::Nothing,
        extremes: false,
    },
    Table {
        name: "t5",
        id: Some(Type::Int4),
        columns: NARROW,
        key: &["id"],
        indexes: &[],
        rows: 0,
        cold: Cold::Nothing,
        extremes: false,
    },
    Table {
        name: "t6",
        id: Some(Type::Int4),
        columns: types::ALL,
        key: &["id"],
        indexes: &["(b)"],
        rows: 20,
        cold: Cold::Half,
        extremes: true,
    },
];

impl Table {
    /// The columns' names and types, `id` first.
    pub(crate) fn attributes(&self) -> Vec<(&'static str, Type)> {
        let id = self.id.map(|ty| ("id", ty));
        id.into_iter().chain(self.columns.iter().map(|ty| (ty.column(), *ty))).collect()
    }

    /// CREATE TABLE with its indexes, under a name.
    pub(crate) fn definition(&self, name: &str) -> Vec<String> {
        let mut parts: Vec<String> = self
            .attributes()
            .iter()
            .map(|(column, ty)| format!("{column} {}", ty.name()))
            .collect();
        if !self.key.is_empty() {
            parts.push(format!("PRIMARY KEY ({})", self.key.join(", ")));
        }
        let mut statements = vec![format!("CREATE TABLE {name} ({})", parts.join(", "))];
        for index in self.indexes {
            statements.push(format!("CREATE INDEX ON {name} {index}"));
        }
        statements
    }

    /// A row's values as SQL; the key's are never NULL.
    pub(crate) fn row(&self, id: usize, rng: &mut StdRng) -> Vec<String> {
        let mut values = Vec::new();
        for (column, ty) in self.attributes() {
            let value = if column == "id" {
                id.to_string()
            } else if !self.key.contains(&column) && rng.random_bool(0.15) {
                "NULL".to_owned()
            } else {
                ty.some_value(rng, self.extremes).map_or_else(|| "NULL".to_owned(), quoted)
            };
            values.push(value);
        }
        values
    }

    /// What makes the table and its rows; `kalam_flush` is for KalamDB alone.
    fn setup(&self, rng: &mut StdRng) -> Vec<String> {
        let name = self.name;
        let mut statements = self.definition(name);
        let mut rows = Vec::new();
        let mut keys = HashSet::new();
        for id in 1..=self.rows {
            let row = self.row(id, rng);
            let named = self.attributes().into_iter().zip(&row);
            let key: Vec<_> = named.filter(|((c, _), _)| self.key.contains(c)).collect();
            if self.key.is_empty() || keys.insert(format!("{key:?}")) {
                rows.push(format!("({})", row.join(", ")));
            }
        }
        let cold = match self.cold {
            Cold::Nothing => 0,
            Cold::Half => rows.len() / 2,
            Cold::All => rows.len(),
        };
        let flush = format!("SELECT kalam_flush('{name}')");
        let (cold, hot) = rows.split_at(cold);
        for (rows, then) in [(cold, Some(flush)), (hot, None)] {
            if !rows.is_empty() {
                statements.push(format!("INSERT INTO {name} VALUES\n{}", rows.join(",\n")));
                statements.extend(then);
            }
        }
        if self.cold == Cold::Half {
            statements.push(format!("UPDATE {name} SET a = 3 WHERE id % 5 = 1"));
            statements.push(format!("DELETE FROM {name} WHERE id % 7 = 2"));
        }
        statements
    }
}

/// What a fresh server is told, in order.
pub(crate) fn setup(rng: &mut StdRng) -> Vec<String> {
    ALL.iter().flat_map(|table| table.setup(rng)).collect()
}

/// Whether a statement is for KalamDB alone.
pub(crate) fn is_kalamdbs(sql: &str) -> bool {
    sql.starts_with("SELECT kalam_flush(")
}

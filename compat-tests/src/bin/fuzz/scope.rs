//! What an expression may name: the columns of FROM, and those of the queries around.

use crate::tables::Table;
use crate::tree::Node;
use crate::types::Type;

/// A column, or whatever stands for one: below GROUP BY also a key or an aggregate.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) node: Node,
    pub(crate) ty: Type,
}

/// An item of FROM.
#[derive(Debug, Clone)]
pub(crate) struct Relation {
    pub(crate) alias: String,
    pub(crate) columns: Vec<Column>,
    /// The columns that tell its rows apart as far as a query can; an order by them is total.
    pub(crate) key: Vec<Node>,
    /// Whether no two rows are equal in the key.
    pub(crate) unique: bool,
}

/// The columns of one query's FROM.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope<'a> {
    pub(crate) relations: Vec<Relation>,
    pub(crate) outer: Option<&'a Scope<'a>>,
}

impl Relation {
    /// A table under an alias.
    pub(crate) fn of_table(table: &Table, alias: &str) -> Relation {
        let name = |column: &str| Node::from(format!("{alias}.{column}"));
        let attributes = table.attributes();
        let all: Vec<&str> = attributes.iter().map(|(column, _)| *column).collect();
        let key: &[&str] = if table.key.is_empty() { &all } else { table.key };
        Relation {
            alias: alias.to_owned(),
            columns: attributes.iter().map(|(c, ty)| Column { node: name(c), ty: *ty }).collect(),
            key: key.iter().map(|column| name(column)).collect(),
            unique: !table.key.is_empty(),
        }
    }

    /// A derived table with the columns `c0`, `c1` and so on.
    pub(crate) fn of_query(types: &[Type], alias: &str) -> Relation {
        let name = |i: usize| Node::from(format!("{alias}.c{i}"));
        let columns = types.iter().enumerate();
        Relation {
            alias: alias.to_owned(),
            columns: columns.map(|(i, ty)| Column { node: name(i), ty: *ty }).collect(),
            key: (0..types.len()).map(name).collect(),
            unique: false,
        }
    }
}

impl<'a> Scope<'a> {
    /// The columns of this query.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &Column> {
        self.relations.iter().flat_map(|r| &r.columns)
    }

    /// The columns of this query that have a type.
    pub(crate) fn columns_of(&self, ty: Type) -> Vec<&Column> {
        self.columns().filter(|c| c.ty == ty).collect()
    }

    /// By what an order of this query's rows is total.
    pub(crate) fn key(&self) -> Vec<Node> {
        self.relations.iter().flat_map(|r| r.key.clone()).collect()
    }
}

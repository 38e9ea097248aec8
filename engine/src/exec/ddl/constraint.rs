//! A table in the making: columns, constraints, indexes and the sequences behind them.
//!
//! CREATE TABLE starts with an empty draft, ALTER TABLE with a copy of the definition.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast;

use super::{
    DdlContext, change, expression,
    grammar::{
        ColumnConstraint, ColumnDefinition, ColumnTypeName, ConstraintDefinition, Name,
        SequenceOption, TableConstraint,
    },
    names::{self, Chooser, Target},
    sequence,
};
use crate::{
    catalog::{
        Attribute, Constraint, ConstraintKind, Description, Identity, Index, IndexColumn, Relation,
        RelationBody, Schema, layout::attribute_place, part::CatalogView, store::Place,
    },
    error::{Error, Result, SqlState},
    types::{Oid, PgType, TypeKind, builtin},
};

/// Attributes of a table, dropped ones included.
const MAX_COLUMNS: usize = 1600;
/// Columns of an index.
const MAX_INDEX_COLUMNS: usize = 32;

pub(super) struct Draft {
    pub(super) relation: Relation,
    pub(super) schema: Arc<Schema>,
    pub(super) place: Place,
    pub(super) chooser: Chooser,
    /// Made along with the table.
    pub(super) sequences: Vec<Relation>,
    pub(super) descriptions: Vec<Description>,
    /// Constraints of columns, which follow when all columns are there.
    pending: Vec<Pending>,
    /// The table is being made, not changed: PostgreSQL words some errors differently.
    new: bool,
}

enum Pending {
    Key { name: Option<String>, columns: Vec<String>, primary: bool, nulls_distinct: bool },
    Check { name: Option<String>, column: Option<String>, expression: ast::Expr },
    Generated { column: String, expression: ast::Expr },
}

impl Draft {
    pub(super) async fn new_table(
        ctx: &mut dyn DdlContext,
        target: Target,
        name: &str,
        options: Vec<(String, String)>,
    ) -> Result<Draft> {
        let relation = Relation {
            oid: change::allocate(ctx, target.place).await?,
            row_type: change::allocate_row_type(ctx, target.place).await?,
            name: name.to_owned(),
            schema: target.schema.oid,
            owner: ctx.view().role,
            kind: target.kind,
            columns: Vec::new(),
            body: RelationBody::Table { constraints: Vec::new(), indexes: Vec::new() },
            grants: None,
            options,
            retyped_at: 0,
            layout: None,
        };
        let mut draft = Draft { new: true, ..Draft::of(relation, target.schema) };
        draft.chooser.take(name);
        Ok(draft)
    }

    pub(super) fn of(relation: Relation, schema: Arc<Schema>) -> Draft {
        Draft {
            place: Place::of(relation.oid),
            relation,
            schema,
            chooser: Chooser::default(),
            sequences: Vec::new(),
            descriptions: Vec::new(),
            pending: Vec::new(),
            new: false,
        }
    }

    /// Adds a column; its constraints wait for [`Draft::finish`].
    pub(super) async fn add_column(
        &mut self,
        ctx: &mut dyn DdlContext,
        definition: &ColumnDefinition,
    ) -> Result<()> {
        let name = &definition.name;
        names::check_column_name(name)?;
        if names::attnum(&self.relation, name).is_some() {
            return Err(Error::column_twice(name));
        }
        if self.relation.columns.len() >= MAX_COLUMNS {
            return Err(Error::new(
                SqlState::TOO_MANY_COLUMNS,
                format!("tables can have at most {MAX_COLUMNS} columns"),
            ));
        }
        let ty = match &definition.ty {
            ColumnTypeName::Type(ty) => *ty,
            ColumnTypeName::Serial(oid) => PgType::plain(*oid),
        };
        check_column_type(name, ty)?;
        self.relation.columns.push(Attribute {
            name: name.clone(),
            ty,
            not_null: false,
            dropped: false,
            default: None,
            identity: Identity::No,
            generated: false,
            missing: None,
            hidden: false,
        });
        if matches!(definition.ty, ColumnTypeName::Serial(_)) {
            self.serial(ctx, definition).await?;
        }
        self.column_constraints(ctx, definition, ty).await
    }

    async fn serial(
        &mut self,
        ctx: &mut dyn DdlContext,
        definition: &ColumnDefinition,
    ) -> Result<()> {
        let defaulted =
            definition.constraints.iter().any(|(_, c)| matches!(c, ColumnConstraint::Default(_)));
        if defaulted {
            return Err(self.twice("multiple default values", &definition.name));
        }
        let sequence = self.add_sequence(ctx, &definition.name, &[], false).await?;
        let column = self.last_column();
        column.not_null = true;
        column.default = Some(format!("nextval('{sequence}'::regclass)"));
        Ok(())
    }

    async fn column_constraints(
        &mut self,
        ctx: &mut dyn DdlContext,
        definition: &ColumnDefinition,
        ty: PgType,
    ) -> Result<()> {
        let column = definition.name.clone();
        let (mut null, mut not_null, mut default_seen) = (false, false, false);
        for (name, constraint) in &definition.constraints {
            match constraint {
                ColumnConstraint::Null => null = true,
                ColumnConstraint::NotNull => {
                    not_null = true;
                    self.last_column().not_null = true;
                }
                ColumnConstraint::Default(expression) => {
                    if std::mem::replace(&mut default_seen, true) {
                        return Err(self.twice("multiple default values", &column));
                    }
                    self.check_default_alone(&column)?;
                    self.last_column().default = expression::default(ctx, &column, ty, expression)?;
                }
                ColumnConstraint::PrimaryKey => self.pending.push(Pending::Key {
                    name: name.clone(),
                    columns: vec![column.clone()],
                    primary: true,
                    nulls_distinct: true,
                }),
                ColumnConstraint::Unique { nulls_distinct } => self.pending.push(Pending::Key {
                    name: name.clone(),
                    columns: vec![column.clone()],
                    primary: false,
                    nulls_distinct: *nulls_distinct,
                }),
                ColumnConstraint::Check(expression) => self.pending.push(Pending::Check {
                    name: name.clone(),
                    column: Some(column.clone()),
                    expression: expression.clone(),
                }),
                ColumnConstraint::Generated(expression) => {
                    if default_seen {
                        let both = "both default and generation expression";
                        return Err(self.twice(both, &column));
                    }
                    self.last_column().generated = true;
                    let expression = expression.clone();
                    self.pending.push(Pending::Generated { column: column.clone(), expression });
                }
                ColumnConstraint::Identity { always, options } => {
                    if default_seen {
                        return Err(self.twice("both default and identity", &column));
                    }
                    self.identity(ctx, &column, *always, options).await?;
                }
                ColumnConstraint::Refused(message) => {
                    return Err(Error::feature_not_supported(message.clone()));
                }
            }
        }
        if null && (not_null || self.last_column().not_null) {
            return Err(self.conflicting_null(&column));
        }
        Ok(())
    }

    /// Makes a column an identity column.
    pub(super) async fn identity(
        &mut self,
        ctx: &mut dyn DdlContext,
        column: &str,
        always: bool,
        options: &[SequenceOption],
    ) -> Result<()> {
        let place = attribute_place(names::require_attnum(&self.relation, column)?);
        let attribute = &self.relation.columns[place];
        if attribute.identity != Identity::No {
            return Err(self.twice("multiple identity specifications", column));
        }
        if attribute.default.is_some() {
            return Err(self.twice("both default and identity", column));
        }
        if !matches!(attribute.ty.oid, Oid::INT2 | Oid::INT4 | Oid::INT8) {
            return Err(Error::invalid_parameter_value(
                "identity column type must be smallint, integer, or bigint",
            ));
        }
        self.add_sequence(ctx, column, options, true).await?;
        let attribute = &mut self.relation.columns[place];
        attribute.not_null = true;
        attribute.identity = if always { Identity::Always } else { Identity::ByDefault };
        Ok(())
    }

    async fn add_sequence(
        &mut self,
        ctx: &mut dyn DdlContext,
        column: &str,
        options: &[SequenceOption],
        identity: bool,
    ) -> Result<Oid> {
        let (named, options): (Vec<_>, Vec<_>) = options
            .iter()
            .cloned()
            .partition(|option| identity && matches!(option, SequenceOption::Named(_)));
        let view = ctx.view();
        let name = match named.last() {
            Some(SequenceOption::Named(name)) => self.sequence_name(&view, name)?,
            _ => self.chooser.relation(&view, &self.schema, &self.relation.name, column, "seq"),
        };
        let attnum = names::require_attnum(&self.relation, column)?;
        let ty = self.relation.columns[attribute_place(attnum)].ty.oid;
        let owner = sequence::Owner { relation: self.relation.oid, attnum, identity };
        let target = Target {
            schema: Arc::clone(&self.schema),
            place: self.place,
            kind: self.relation.kind,
        };
        let made = sequence::make(ctx, &target, name, Some(ty), &options, Some(owner)).await?;
        let sequence = Relation { owner: self.relation.owner, ..made };
        let oid = sequence.oid;
        self.sequences.push(sequence);
        Ok(oid)
    }

    /// The name that SEQUENCE NAME gives, as dumps do.
    fn sequence_name(&self, view: &CatalogView, name: &Name) -> Result<String> {
        if name.schema.as_ref().is_some_and(|schema| *schema != self.schema.name) {
            return Err(Error::feature_not_supported(
                "the sequence of an identity column is in the schema of its table",
            ));
        }
        match names::existing(view, &self.schema, &name.name) {
            Some(_) => Err(Error::duplicate_table(&name.name)),
            None => Ok(name.name.clone()),
        }
    }

    /// Adds a table constraint, to be finished with the others.
    pub(super) fn add_constraint(&mut self, definition: &ConstraintDefinition) -> Result<()> {
        let name = definition.name.clone();
        self.pending.push(match &definition.kind {
            TableConstraint::PrimaryKey(columns) => {
                Pending::Key { name, columns: columns.clone(), primary: true, nulls_distinct: true }
            }
            TableConstraint::Unique { columns, nulls_distinct } => Pending::Key {
                name,
                columns: columns.clone(),
                primary: false,
                nulls_distinct: *nulls_distinct,
            },
            TableConstraint::Check(expression) => {
                Pending::Check { name, column: None, expression: expression.clone() }
            }
            TableConstraint::UsingIndex => {
                return Err(Error::feature_not_supported(
                    "a constraint using an existing index is not supported",
                ));
            }
            TableConstraint::Refused(message) => {
                return Err(Error::feature_not_supported(message.clone()));
            }
        });
        Ok(())
    }

    /// Adds what was collected, when all columns are there: generation expressions, checks, the
    /// primary key, the other keys.
    pub(super) async fn finish(&mut self, ctx: &mut dyn DdlContext) -> Result<()> {
        let mut pending = std::mem::take(&mut self.pending);
        let rank = |pending: &Pending| match pending {
            Pending::Generated { .. } => 0,
            Pending::Check { .. } => 1,
            Pending::Key { primary: true, .. } => 2,
            Pending::Key { primary: false, .. } => 3,
        };
        for one in &pending {
            let (Pending::Key { name: Some(name), .. } | Pending::Check { name: Some(name), .. }) =
                one
            else {
                continue;
            };
            self.chooser.take(name);
        }
        pending.sort_by_key(rank);
        for one in pending {
            match one {
                Pending::Generated { column, expression } => {
                    self.finish_generated(ctx, &column, &expression)?;
                }
                Pending::Check { name, column, expression } => {
                    self.check(ctx, name, column, &expression).await?;
                }
                Pending::Key { name, columns, primary, nulls_distinct } => {
                    self.key(ctx, name, &columns, primary, nulls_distinct).await?;
                }
            }
        }
        Ok(())
    }

    fn finish_generated(
        &mut self,
        ctx: &dyn DdlContext,
        column: &str,
        expression: &ast::Expr,
    ) -> Result<()> {
        let shape = Arc::new(self.relation.clone());
        let place = attribute_place(names::require_attnum(&self.relation, column)?);
        let ty = self.relation.columns[place].ty;
        let text = expression::generated(ctx, &shape, column, ty, expression)?;
        self.relation.columns[place].default = Some(text);
        Ok(())
    }

    async fn check(
        &mut self,
        ctx: &mut dyn DdlContext,
        name: Option<String>,
        column: Option<String>,
        tree: &ast::Expr,
    ) -> Result<()> {
        let shape = Arc::new(self.relation.clone());
        let text = expression::check(ctx, &shape, tree)?;
        let columns = expression::columns(&shape, tree);
        let name = match name {
            Some(name) => self.free_constraint(name)?,
            None => {
                let column = column.or_else(|| match columns.as_slice() {
                    [one] => Some(shape.columns[attribute_place(*one)].name.clone()),
                    _ => None,
                });
                self.chooser.constraint(&shape, column.as_deref().unwrap_or(""), "check")
            }
        };
        let oid = change::allocate(ctx, self.place).await?;
        let kind = ConstraintKind::Check { expression: text, columns };
        self.constraints_mut().push(Constraint { oid, name, kind });
        Ok(())
    }

    async fn key(
        &mut self,
        ctx: &mut dyn DdlContext,
        name: Option<String>,
        columns: &[String],
        primary: bool,
        nulls_distinct: bool,
    ) -> Result<()> {
        let attnums = self.key_columns(columns, primary)?;
        if primary {
            if self.relation.primary_key().is_some() {
                return Err(Error::new(
                    SqlState::INVALID_TABLE_DEFINITION,
                    format!(
                        "multiple primary keys for table \"{}\" are not allowed",
                        self.relation.name
                    ),
                ));
            }
            for attnum in &attnums {
                self.relation.columns[attribute_place(*attnum)].not_null = true;
            }
        } else if name.is_none() && nulls_distinct && self.has_key(&attnums) {
            // `a int UNIQUE PRIMARY KEY` makes one index in PostgreSQL as well.
            return Ok(());
        }
        let view = ctx.view();
        let name = match name {
            Some(name) => {
                if names::existing(&view, &self.schema, &name).is_some() {
                    return Err(Error::duplicate_table(&name));
                }
                self.free_constraint(name)?
            }
            None => {
                let (middle, label) =
                    if primary { (String::new(), "pkey") } else { (names::joined(columns), "key") };
                self.chooser.relation(&view, &self.schema, &self.relation.name, &middle, label)
            }
        };
        let index = Index {
            oid: change::allocate(ctx, self.place).await?,
            name: name.clone(),
            columns: ascending(&attnums),
            unique: true,
            primary,
            nulls_distinct,
            predicate: None,
            included: Vec::new(),
        };
        let kind = if primary {
            ConstraintKind::PrimaryKey { index: index.oid }
        } else {
            ConstraintKind::Unique { index: index.oid }
        };
        let oid = change::allocate(ctx, self.place).await?;
        self.indexes_mut().push(index);
        self.constraints_mut().push(Constraint { oid, name, kind });
        Ok(())
    }

    fn has_key(&self, attnums: &[i16]) -> bool {
        self.relation.indexes().iter().any(|index| {
            index.unique
                && index.nulls_distinct
                && index.predicate.is_none()
                && index.columns.iter().map(|column| column.attnum).eq(attnums.iter().copied())
        })
    }

    fn key_columns(&self, columns: &[String], primary: bool) -> Result<Vec<i16>> {
        let mut attnums = Vec::with_capacity(columns.len());
        for column in columns {
            let attnum = names::attnum(&self.relation, column).ok_or_else(|| match self.new {
                true => Error::new(
                    SqlState::UNDEFINED_COLUMN,
                    format!("column \"{column}\" named in key does not exist"),
                ),
                false => Error::undefined_column_of(column, &self.relation.name),
            })?;
            if attnums.contains(&attnum) {
                let kind = if primary { "primary key" } else { "unique" };
                return Err(Error::new(
                    SqlState::DUPLICATE_COLUMN,
                    format!("column \"{column}\" appears twice in {kind} constraint"),
                ));
            }
            check_key_type(self.relation.columns[attribute_place(attnum)].ty)?;
            attnums.push(attnum);
        }
        check_key_length(attnums.len())?;
        Ok(attnums)
    }

    fn free_constraint(&self, name: String) -> Result<String> {
        if !self.relation.constraints().iter().any(|constraint| constraint.name == name) {
            return Ok(name);
        }
        let message = match self.new {
            true => format!("check constraint \"{name}\" already exists"),
            false => format!(
                "constraint \"{name}\" for relation \"{}\" already exists",
                self.relation.name
            ),
        };
        Err(Error::new(SqlState::DUPLICATE_OBJECT, message))
    }

    fn check_default_alone(&self, column: &str) -> Result<()> {
        let attribute = self.relation.columns.last().expect("a column was just added");
        if attribute.generated {
            return Err(self.twice("both default and generation expression", column));
        }
        if attribute.identity != Identity::No {
            return Err(self.twice("both default and identity", column));
        }
        Ok(())
    }

    pub(super) fn constraints_mut(&mut self) -> &mut Vec<Constraint> {
        match &mut self.relation.body {
            RelationBody::Table { constraints, .. } => constraints,
            RelationBody::View { .. } | RelationBody::Sequence(_) | RelationBody::System => {
                unreachable!("only tables are drafted")
            }
        }
    }

    pub(super) fn indexes_mut(&mut self) -> &mut Vec<Index> {
        match &mut self.relation.body {
            RelationBody::Table { indexes, .. } => indexes,
            RelationBody::View { .. } | RelationBody::Sequence(_) | RelationBody::System => {
                unreachable!("only tables are drafted")
            }
        }
    }

    /// Writes the table with what was made along with it.
    pub(super) fn save(self, ctx: &mut dyn DdlContext) -> Result<Arc<Relation>> {
        change::write(ctx, |writer| {
            let relation = writer.put_relation(self.relation)?;
            for sequence in self.sequences {
                writer.put_relation(sequence)?;
            }
            for description in &self.descriptions {
                writer.put_description(description)?;
            }
            Ok(relation)
        })
    }

    fn last_column(&mut self) -> &mut Attribute {
        self.relation.columns.last_mut().expect("a column was just added")
    }

    fn twice(&self, what: &str, column: &str) -> Error {
        Error::syntax_error(format!(
            "{what} specified for column \"{column}\" of table \"{}\"",
            self.relation.name
        ))
    }

    fn conflicting_null(&self, column: &str) -> Error {
        Error::syntax_error(format!(
            "conflicting NULL/NOT NULL declarations for column \"{column}\" of table \"{}\"",
            self.relation.name
        ))
    }
}

pub(super) fn ascending(attnums: &[i16]) -> Vec<IndexColumn> {
    attnums
        .iter()
        .map(|attnum| IndexColumn { attnum: *attnum, descending: false, nulls_first: false })
        .collect()
}

/// 42P16 for a pseudo-type, 0A000 for a type that can't be stored.
pub(super) fn check_column_type(column: &str, ty: PgType) -> Result<()> {
    if builtin(ty.oid).is_some_and(|entry| entry.kind == TypeKind::Pseudo) || ty.is_unknown() {
        return Err(Error::new(
            SqlState::INVALID_TABLE_DEFINITION,
            format!("column \"{column}\" has pseudo-type {}", ty.name()),
        ));
    }
    ty.column_type().map(|_| ())
}

/// 42704 for a type whose values have no order.
pub(super) fn check_key_type(ty: PgType) -> Result<()> {
    let element = ty.element().map_or(ty.oid, |element| element.oid);
    if element != Oid::JSON {
        return Ok(());
    }
    Err(Error::new(
        SqlState::UNDEFINED_OBJECT,
        format!(
            "data type {} has no default operator class for access method \"btree\"",
            ty.name()
        ),
    )
    .with_hint(
        "You must specify an operator class for the index or define a default operator class for \
         the data type.",
    ))
}

pub(super) fn check_key_length(columns: usize) -> Result<()> {
    if columns > MAX_INDEX_COLUMNS {
        return Err(Error::new(
            SqlState::TOO_MANY_COLUMNS,
            format!("cannot use more than {MAX_INDEX_COLUMNS} columns in an index"),
        ));
    }
    Ok(())
}

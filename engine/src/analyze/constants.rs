//! Constants of a definition that is about to be kept.
//!
//! What a literal means may depend on the session's settings, its search path and the moment. A
//! definition means the same to everybody, so what its literals mean is decided when it is made,
//! as in PostgreSQL, and written back into its tree in a form that reads the same under any
//! settings: [`mark`] numbers the literals, analysis with [`Parameters::constants`] set collects
//! the values of those in question, [`Constants::write`] puts them in their places.
//!
//! [`Parameters::constants`]: super::Parameters::constants

use std::{collections::BTreeMap, ops::ControlFlow};

use datafusion::{
    common::{ScalarValue, metadata::FieldMetadata},
    logical_expr::Expr,
    sql::sqlparser::{
        ast::{self, VisitMut, VisitorMut},
        tokenizer::{Location, Span},
    },
};

use super::resolve_type;
use crate::{
    error::{Error, Result},
    types::{FormatSettings, Oid, PgType, builtin, input_scalar, output::text_of},
};

/// The line of numbered literals: no text has as many.
const MARK: u64 = u64::MAX;
const PLACE: &str = "place";

/// The constants of one definition.
#[derive(Clone, Debug)]
pub(crate) struct Constants {
    /// Those of the session that makes it.
    settings: FormatSettings,
    found: BTreeMap<u64, (PgType, String)>,
}

impl Constants {
    pub(crate) fn new(settings: FormatSettings) -> Self {
        Constants { settings, found: BTreeMap::new() }
    }

    /// The value of the literal at `place` as one of type `ty`; `None` where it never depends on
    /// anything. `named` is what the text names, for types of names.
    pub(super) fn decide(
        &mut self,
        place: u64,
        ty: PgType,
        text: &str,
        named: Option<ScalarValue>,
    ) -> Result<Option<ScalarValue>> {
        let (value, kept) = match named {
            Some(value) if matches!(ty.oid, Oid::REGCLASS | Oid::REGNAMESPACE) => {
                let kept = value.to_string();
                (value, kept)
            }
            Some(ScalarValue::UInt32(Some(oid)))
                if ty.oid == Oid::REGTYPE && builtin(Oid(oid)).is_some() =>
            {
                (ScalarValue::UInt32(Some(oid)), PgType::plain(Oid(oid)).name())
            }
            Some(_) if ty.oid == Oid::REGROLE => {
                return Err(Error::feature_not_supported(
                    "constant of the type regrole cannot be used here",
                ));
            }
            Some(value) => return Ok(Some(value)),
            None if !is_of_time(ty) => return Ok(None),
            None => {
                let value = input_scalar(ty, text, &self.settings)?;
                let kept = text_of(ty, &value.to_array()?, 0, &FormatSettings::default())?
                    .ok_or_else(|| Error::internal("a literal that is NULL"))?;
                (value, kept)
            }
        };
        let kept = (ty, kept);
        if self.found.get(&place).is_some_and(|other| *other != kept) {
            return Err(Error::feature_not_supported(format!(
                "a definition can't have the constant '{text}' as values of two types"
            )));
        }
        self.found.insert(place, kept);
        Ok(Some(value))
    }

    /// Writes what was decided into the tree that was analysed.
    pub(crate) fn write(&self, tree: &mut impl VisitMut) {
        let _ = tree.visit(&mut Write(self));
    }

    fn at(&self, value: &ast::ValueWithSpan) -> Option<&(PgType, String)> {
        place_of(value).and_then(|place| self.found.get(&place))
    }
}

/// Numbers the literals of a definition.
pub(crate) fn mark(tree: &mut impl VisitMut) {
    let _ = tree.visit(&mut Mark(0));
}

/// What the number of a literal is carried in until its type is known.
pub(super) fn tag(value: &ast::ValueWithSpan) -> Option<FieldMetadata> {
    let place = place_of(value)?;
    Some(BTreeMap::from([(PLACE.to_owned(), place.to_string())]).into())
}

/// The number in what [`tag`] made.
pub(super) fn tagged(metadata: Option<&FieldMetadata>) -> Option<u64> {
    metadata?.inner().get(PLACE)?.parse().ok()
}

fn place_of(value: &ast::ValueWithSpan) -> Option<u64> {
    (value.span.start.line == MARK).then_some(value.span.start.column)
}

/// Whether a type's values are moments, times or spans of time.
fn is_of_time(ty: PgType) -> bool {
    let element = ty.element().map_or(ty.oid, |element| element.oid);
    matches!(
        element,
        Oid::DATE | Oid::TIME | Oid::TIMETZ | Oid::TIMESTAMP | Oid::TIMESTAMPTZ | Oid::INTERVAL
    )
}

struct Mark(u64);

impl VisitorMut for Mark {
    type Break = ();

    fn pre_visit_value(&mut self, value: &mut ast::ValueWithSpan) -> ControlFlow<()> {
        self.0 += 1;
        let place = Location::new(MARK, self.0);
        value.span = Span::new(place, place);
        ControlFlow::Continue(())
    }
}

struct Write<'a>(&'a Constants);

impl VisitorMut for Write<'_> {
    type Break = ();

    /// Operands come before what they are operands of.
    fn post_visit_expr(&mut self, expression: &mut ast::Expr) -> ControlFlow<()> {
        match expression {
            ast::Expr::Value(value) => {
                if let Some((ty, text)) = self.0.at(value) {
                    *expression = cast(quoted(value, text), type_named(*ty));
                }
            }
            ast::Expr::TypedString(typed) => {
                if let Some((_, text)) = self.0.at(&typed.value) {
                    *expression = cast(quoted(&typed.value, text), typed.data_type.clone());
                }
            }
            // `'...'::date::date` and its kin, by the step before.
            ast::Expr::Cast { expr, data_type, .. } => {
                let ty = resolve_type(data_type).ok();
                if let ast::Expr::Cast { expr: inner, .. } = expr.as_mut()
                    && let ast::Expr::Value(value) = inner.as_ref()
                    && let Some((decided, _)) = self.0.at(value)
                    && ty.is_some_and(|ty| ty.oid == decided.oid)
                {
                    *expr = inner.clone();
                }
            }
            ast::Expr::Interval(interval) => {
                if matches!(interval.value.as_ref(), ast::Expr::Cast { .. }) {
                    *expression = interval.value.as_ref().clone();
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn quoted(value: &ast::ValueWithSpan, text: &str) -> ast::Expr {
    let value = ast::Value::SingleQuotedString(text.to_owned()).with_span(value.span);
    ast::Expr::Value(value)
}

/// `'-1'::integer` for a minus and a number, which PostgreSQL takes for one constant.
pub(crate) fn negative(operand: &ast::Expr) -> Option<ast::Expr> {
    let mut operand = operand;
    while let ast::Expr::Nested(inner) = operand {
        operand = inner;
    }
    let ast::Expr::Value(value) = operand else { return None };
    let ast::Value::Number(digits, _) = &value.value else { return None };
    let negative = super::operators::negative_number(digits).ok()?;
    let Expr::Literal(constant, _) = &negative.expr else { return None };
    let array = constant.to_array().ok()?;
    let text = text_of(negative.ty, &array, 0, &FormatSettings::default()).ok().flatten()?;
    Some(cast(quoted(value, &text), type_named(negative.ty)))
}

/// A type as a cast names it.
pub(crate) fn type_named(ty: PgType) -> ast::DataType {
    let ident = ast::ObjectNamePart::Identifier(ast::Ident::new(ty.name()));
    ast::DataType::Custom(ast::ObjectName(vec![ident]), Vec::new())
}

/// `operand::data_type`
pub(crate) fn cast(operand: ast::Expr, data_type: ast::DataType) -> ast::Expr {
    ast::Expr::Cast {
        kind: ast::CastKind::DoubleColon,
        expr: Box::new(operand),
        data_type,
        array: false,
        format: None,
    }
}

//! Casts that context asks for, and the types of literals and parameters that have none.

use std::sync::Arc;

use datafusion::{
    arrow::datatypes::Field,
    logical_expr::{
        Expr,
        expr::{Placeholder, ScalarFunction},
    },
    scalar::ScalarValue,
};

use super::{
    binder::{Binder, Typed},
    constants,
};
use crate::{
    error::{Error, Result, SqlState},
    functions::{CastContext, common_type, find_cast, session::names::Scope as Names},
    types::{DateOrder, FormatSettings, IntervalStyle, Oid, PgType, input_scalar},
};

/// Who asks for a cast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coercion {
    /// An operator, a function, a UNION.
    Implicit,
    /// A column that takes the value.
    Assignment,
    /// The user.
    Explicit,
}

impl From<Coercion> for CastContext {
    fn from(coercion: Coercion) -> Self {
        match coercion {
            Coercion::Implicit => CastContext::Implicit,
            Coercion::Assignment => CastContext::Assignment,
            Coercion::Explicit => CastContext::Explicit,
        }
    }
}

fn is_text(ty: PgType) -> bool {
    matches!(ty.oid, Oid::TEXT | Oid::VARCHAR | Oid::BPCHAR | Oid::NAME)
}

impl Binder<'_> {
    /// Casts to `target` if `coercion` allows it.
    pub(super) fn coerce(
        &mut self,
        typed: Typed,
        target: PgType,
        coercion: Coercion,
    ) -> Result<Option<Typed>> {
        if typed.ty.is_unknown() {
            return self.coerce_unknown(typed, target, coercion).map(Some);
        }
        if typed.ty == target || target.oid == Oid::ANY || target.is_unknown() {
            return Ok(Some(typed));
        }
        if typed.ty == PgType::RECORD && is_text(target) && coercion != Coercion::Implicit {
            let text = ScalarFunction::new_udf(crate::functions::record::text(), vec![typed.expr]);
            let text = Typed::new(Expr::ScalarFunction(text), PgType::TEXT);
            return self.coerce(text, target, coercion);
        }
        let Some(cast) = find_cast(typed.ty, target, coercion.into())? else {
            return Ok(None);
        };
        let expr = self.apply_cast(&cast, typed.expr, typed.ty, target)?;
        let kept = typed.ty.oid == target.oid && target.typmod < 0;
        let ty = if kept { typed.ty } else { target };
        Ok(Some(Typed::new(expr, ty)))
    }

    /// Casts because the operator or function chosen says so.
    pub(super) fn coerce_argument(&mut self, typed: Typed, target: PgType) -> Result<Typed> {
        let from = typed.ty;
        if let Some(typed) = self.coerce(typed.clone(), target, Coercion::Implicit)? {
            return Ok(typed);
        }
        // `text(5)` is a cast that looks like a call.
        self.coerce(typed, target, Coercion::Explicit)?.ok_or_else(|| {
            Error::internal(format!("no cast from {} to {}", from.name(), target.name()))
        })
    }

    /// `CAST(x AS target)`
    pub(super) fn cast(&mut self, typed: Typed, target: PgType) -> Result<Typed> {
        let from = typed.ty;
        // A literal stays one.
        if from.is_unknown() && target.is_unknown() && matches!(typed.expr, Expr::Literal(..)) {
            return Ok(typed);
        }
        self.coerce(typed, target, Coercion::Explicit)?
            .ok_or_else(|| Error::cannot_coerce(&from.name(), &target.name()))
    }

    /// Casts to boolean for a clause that needs one.
    pub(super) fn condition(&mut self, typed: Typed, clause: &str) -> Result<Expr> {
        let from = typed.ty;
        match self.coerce(typed, PgType::BOOL, Coercion::Assignment)? {
            Some(typed) => Ok(typed.expr),
            None => Err(Error::datatype_mismatch(format!(
                "argument of {clause} must be type boolean, not type {}",
                from.name()
            ))),
        }
    }

    /// Brings expressions to their common type and tells it.
    pub(super) fn unify(
        &mut self,
        context: &str,
        members: &mut [Typed],
        place: Option<u32>,
    ) -> Result<PgType> {
        use super::names::At;
        let types: Vec<PgType> = members.iter().map(|typed| typed.ty).collect();
        let ty = common_type(context, &types).at_place(place)?;
        for member in members.iter_mut() {
            let typed = std::mem::replace(
                member,
                Typed::new(Expr::Literal(ScalarValue::Null, None), PgType::UNKNOWN),
            );
            let from = typed.ty;
            *member =
                self.coerce(typed, ty, Coercion::Implicit).at_place(place)?.ok_or_else(|| {
                    Error::new(
                        SqlState::CANNOT_COERCE,
                        format!(
                            "{context} could not convert type {} to {}",
                            from.name(),
                            ty.name()
                        ),
                    )
                    .at_place(place)
                })?;
        }
        Ok(ty)
    }

    /// What is still of unknown type becomes text.
    pub(super) fn resolve_unknown(&mut self, typed: Typed) -> Result<Typed> {
        if typed.ty.is_unknown() {
            self.coerce_unknown(typed, PgType::TEXT, Coercion::Implicit)
        } else {
            Ok(typed)
        }
    }

    fn coerce_unknown(
        &mut self,
        typed: Typed,
        target: PgType,
        coercion: Coercion,
    ) -> Result<Typed> {
        if target.is_unknown() || target.oid == Oid::ANY {
            return self.coerce_unknown(typed, PgType::TEXT, coercion);
        }
        let base = PgType::plain(target.oid);
        let value = match typed.expr {
            Expr::Literal(ref value, _) if value.is_null() => {
                let null = ScalarValue::try_from(&target.arrow()?)?;
                return Ok(Typed::new(Expr::Literal(null, None), target));
            }
            Expr::Literal(ScalarValue::Utf8(Some(text)), tag) => {
                self.input_literal(&text, target, constants::tagged(tag.as_ref()))?
            }
            Expr::Placeholder(Placeholder { ref id, .. }) => {
                let number: usize = id
                    .trim_start_matches('$')
                    .parse()
                    .map_err(|_| Error::internal("a parameter without a number"))?;
                self.decide_parameter(number, base)?
            }
            other => {
                let text = Typed::new(other, PgType::TEXT);
                return self
                    .coerce(text, target, Coercion::Explicit)?
                    .ok_or_else(|| Error::cannot_coerce("text", &target.name()));
            }
        };
        if target.typmod < 0 || value.ty.typmod == target.typmod {
            return Ok(Typed::new(value.expr, target));
        }
        let from = value.ty;
        self.coerce(value, target, coercion.max_assignment())?
            .ok_or_else(|| Error::cannot_coerce(&from.name(), &target.name()))
    }

    /// A quoted literal read as a value of `target`'s type, without its length rule. `place` is
    /// its number in a definition.
    fn input_literal(&mut self, text: &str, target: PgType, place: Option<u64>) -> Result<Typed> {
        // An interval's fields say what a bare number means.
        let ty = match target.oid {
            Oid::INTERVAL => target,
            oid => PgType::plain(oid),
        };
        if let Some(place) = place
            && let Some(value) = self.definition_constant(place, ty, text)?
        {
            return Ok(Typed::new(Expr::Literal(value, None), ty));
        }
        if is_constant_input(ty.oid, text) {
            let value = input_scalar(ty, text, &FormatSettings::default())?;
            return Ok(Typed::new(Expr::Literal(value, None), ty));
        }
        if let Some(error) = never_a_moment(ty, text) {
            return Err(error);
        }
        // A name is looked up again when it is evaluated, but has to mean something now.
        let names = Names { view: self.env.catalog, path: self.search_path.as_slice().into() };
        if let Some(found) = names.parameter(ty, text) {
            found?;
        }
        let literal = Expr::Literal(ScalarValue::Utf8(Some(text.to_owned())), None);
        let cast = find_cast(PgType::UNKNOWN, ty, CastContext::Explicit)?
            .ok_or_else(|| Error::cannot_coerce("unknown", &ty.name()))?;
        let expr = self.apply_cast(&cast, literal, PgType::TEXT, ty)?;
        Ok(Typed::new(expr, ty))
    }

    /// The value of a definition's literal, where that is decided once.
    fn definition_constant(
        &mut self,
        place: u64,
        ty: PgType,
        text: &str,
    ) -> Result<Option<ScalarValue>> {
        let Some(constants) = &mut self.params.constants else { return Ok(None) };
        let names = Names { view: self.env.catalog, path: self.search_path.as_slice().into() };
        let named = names.parameter(ty, text).transpose()?;
        constants.decide(place, ty, text, named)
    }

    /// An untyped parameter takes the type that its context needs.
    fn decide_parameter(&mut self, number: usize, ty: PgType) -> Result<Typed> {
        let slot = self
            .params
            .types
            .get_mut(number - 1)
            .ok_or_else(|| Error::undefined_parameter(number))?;
        match *slot {
            Some(known) if !known.is_unknown() && known.oid != ty.oid => {
                return Err(Error::new(
                    SqlState::AMBIGUOUS_PARAMETER,
                    format!("inconsistent types deduced for parameter ${number}"),
                )
                .with_detail(format!("{} versus {}", known.name(), ty.name())));
            }
            _ => *slot = Some(ty),
        }
        Ok(Typed::new(placeholder(number, ty)?, ty))
    }
}

impl Coercion {
    /// A literal's length is checked as in an assignment unless the user cast it.
    fn max_assignment(self) -> Self {
        match self {
            Coercion::Implicit | Coercion::Assignment => Coercion::Assignment,
            Coercion::Explicit => Coercion::Explicit,
        }
    }
}

/// `$number` of a known type.
pub(super) fn placeholder(number: usize, ty: PgType) -> Result<Expr> {
    let field = Field::new("", ty.arrow()?, true);
    Ok(Expr::Placeholder(Placeholder::new_with_field(format!("${number}"), Some(Arc::new(field)))))
}

/// Whether a literal means the same value in every session and at every moment.
fn is_constant_input(oid: Oid, text: &str) -> bool {
    let element = PgType::plain(oid).element().map_or(oid, |element| element.oid);
    match element {
        _ if crate::functions::resolve::is_named_object(element) => {
            text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty()
        }
        Oid::DATE | Oid::TIMESTAMP => element == oid && is_iso(text),
        Oid::TIMESTAMPTZ => element == oid && is_iso(text) && has_zone(text),
        Oid::TIME | Oid::TIMETZ => element == oid && is_clock(text, oid == Oid::TIMETZ),
        Oid::INTERVAL => element == oid && is_same_in_every_style(text),
        _ => true,
    }
}

/// The error of a literal that isn't a date or a time in any session, whatever its settings.
fn never_a_moment(ty: PgType, text: &str) -> Option<Error> {
    let is_moment =
        matches!(ty.oid, Oid::DATE | Oid::TIME | Oid::TIMETZ | Oid::TIMESTAMP | Oid::TIMESTAMPTZ);
    if !is_moment {
        return None;
    }
    let mut last: Option<Error> = None;
    for date_order in [DateOrder::Dmy, DateOrder::Ymd, DateOrder::Mdy] {
        // Any moment will do for `now` and its kin.
        let settings = FormatSettings { date_order, now_us: Some(0), ..FormatSettings::default() };
        match input_scalar(ty, text, &settings) {
            // Where the settings decide what is wrong, the session's do.
            Err(error) if last.as_ref().is_none_or(|last| last.sqlstate == error.sqlstate) => {
                last = Some(error);
            }
            Ok(_) | Err(_) => return None,
        }
    }
    last
}

/// `2024-01-31`, perhaps with a time behind it and ` BC` at the end, or `infinity`.
fn is_iso(text: &str) -> bool {
    let text = text.trim();
    if is_infinite(text) {
        return true;
    }
    let text = text.strip_suffix(" BC").unwrap_or(text);
    let year = text.bytes().take_while(u8::is_ascii_digit).count();
    let Some((month_and_day, clock)) = text[year..].split_at_checked(6) else { return false };
    (4..=6).contains(&year)
        && month_and_day.bytes().enumerate().all(|(i, b)| match i {
            0 | 3 => b == b'-',
            _ => b.is_ascii_digit(),
        })
        && clock.bytes().all(|b| {
            b.is_ascii_digit() || matches!(b, b' ' | b':' | b'.' | b'+' | b'-' | b'T' | b'Z')
        })
}

/// Whether what [`is_iso`] took needs no time zone of the session's.
fn has_zone(text: &str) -> bool {
    let text = text.trim();
    let text = text.strip_suffix(" BC").unwrap_or(text);
    let clock = text.split_once([' ', 'T']).map_or("", |(_, clock)| clock);
    is_infinite(text) || text.ends_with('Z') || clock.contains(['+', '-'])
}

fn is_infinite(text: &str) -> bool {
    matches!(text, "infinity" | "-infinity")
}

/// `10:00:00.5`, with a time zone's offset behind it or without.
fn is_clock(text: &str, zoned: bool) -> bool {
    let bytes = text.trim().as_bytes();
    bytes.get(2) == Some(&b':')
        && bytes.iter().all(|b| b.is_ascii_digit() || matches!(b, b':' | b'.' | b'+' | b'-'))
        && bytes.iter().any(|b| matches!(b, b'+' | b'-')) == zoned
}

/// IntervalStyle decides how far a leading sign reaches.
fn is_same_in_every_style(text: &str) -> bool {
    let read = |interval_style| {
        let settings = FormatSettings { interval_style, ..FormatSettings::default() };
        input_scalar(PgType::plain(Oid::INTERVAL), text, &settings).ok()
    };
    !text.trim_start().starts_with('-')
        || read(IntervalStyle::Postgres) == read(IntervalStyle::SqlStandard)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_session_changes_is_constant() {
        assert!(is_constant_input(Oid::DATE, "2024-01-31"));
        assert!(!is_constant_input(Oid::DATE, "tomorrow"));
        assert!(!is_constant_input(Oid::DATE, "01/02/2024"));
        assert!(is_constant_input(Oid::TIMESTAMPTZ, "2024-01-31 10:00:00+02"));
        assert!(!is_constant_input(Oid::TIMESTAMPTZ, "2024-01-31 10:00:00"));
        assert!(is_constant_input(Oid::DATE, "0044-03-15 BC"));
        assert!(is_constant_input(Oid::TIMESTAMPTZ, "12024-01-31 10:00:00.5+00 BC"));
        assert!(is_constant_input(Oid::TIMESTAMPTZ, "-infinity"));
        assert!(!is_constant_input(Oid::TIMESTAMPTZ, "2024-01-31"));
        assert!(is_constant_input(Oid::TIME, "10:00:00"));
        assert!(!is_constant_input(Oid::TIMETZ, "10:00:00"));
        assert!(is_constant_input(Oid::TIMETZ, "10:00:00+02"));
        assert!(is_constant_input(Oid::INTERVAL, "-1 days"));
        assert!(is_constant_input(Oid::INTERVAL, "-1 days +02:00:00"));
        assert!(!is_constant_input(Oid::INTERVAL, "-1 days 02:00:00"));
        assert!(is_constant_input(Oid::INT4, "12"));
        assert!(!is_constant_input(Oid::REGCLASS, "pg_class"));
    }
}

//! Which overload a call means: PostgreSQL's chapter 10, "Type Conversion".

use std::sync::Arc;

use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, ScalarUDF, binary_expr};

use super::kernel::stable;
use super::polymorphic::{self, is_polymorphic};
use super::registry::{Registry, registry};
use super::{CastContext, CastMethod, Function, Implementation, Volatility, cast, compare};
use crate::error::{Error, Result, SqlState};
use crate::types::{
    FormatSettings, Oid, PgType, builtin, builtin_by_name, format_type, input_scalar, is_text_like,
};

/// A call whose overload has been chosen.
#[derive(Clone, Debug)]
pub(crate) struct ResolvedCall {
    pub(crate) function: &'static Function,
    /// The type each given argument must be cast to (implicitly) before it is passed.
    pub(crate) args: Vec<PgType>,
    /// The type of the result (of one row, for set-returning functions).
    pub(crate) ret: PgType,
    /// Never [`Implementation::Poly`] and never [`Implementation::Missing`].
    pub(crate) implementation: Implementation,
    /// Whether [`ResolvedCall::scalar`] appends the settings.
    pub(crate) needs_time_zone: bool,
    /// Defaults of the arguments that were not given, and where all go.
    order: Vec<ArgumentSource>,
    /// From which argument on the arguments become one array, with its element type.
    collect: Option<(usize, PgType)>,
}

#[derive(Clone, Debug)]
enum ArgumentSource {
    Given(usize),
    Default(Box<datafusion::scalar::ScalarValue>),
}

impl ResolvedCall {
    /// Completes the arguments (already cast to [`ResolvedCall::args`]): order of named ones,
    /// defaults, the array of a VARIADIC, the settings.
    pub(crate) fn arguments(&self, given: Vec<Expr>, time_zone: &Expr) -> Vec<Expr> {
        let mut args: Vec<Expr> = self
            .order
            .iter()
            .map(|source| match source {
                ArgumentSource::Given(i) => given[*i].clone(),
                ArgumentSource::Default(value) => Expr::Literal(value.as_ref().clone(), None),
            })
            .collect();
        if let Some((from, element)) = self.collect {
            let elements = args.split_off(from);
            args.push(call(&super::array::construct(element), elements));
        }
        if self.needs_time_zone {
            args.push(time_zone.clone());
        }
        args
    }

    /// The expression of a scalar or set-returning call (for the latter a list per row).
    ///
    /// # Errors
    /// XX000 when it is an aggregate, a window function or the session's.
    pub(crate) fn scalar(&self, given: Vec<Expr>, time_zone: &Expr) -> Result<Expr> {
        let mut args = self.arguments(given, time_zone);
        Ok(match &self.implementation {
            Implementation::Udf(udf) => call(udf, args),
            Implementation::Expr(rewrite) => rewrite(args),
            Implementation::Native(op) => match (args.pop(), args.pop()) {
                (Some(right), Some(left)) => binary_expr(left, *op, right),
                _ => return Err(Error::internal("a native operator needs two operands")),
            },
            Implementation::Missing
            | Implementation::Session
            | Implementation::Udaf(_)
            | Implementation::Udwf(_)
            | Implementation::Poly(_) => {
                let name = self.function.name;
                return Err(Error::internal(format!("{name} is not a scalar function here")));
            }
        })
    }
}

fn call(udf: &Arc<ScalarUDF>, args: Vec<Expr>) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(udf), args))
}

/// How a value gets from one type to another.
#[derive(Clone, Debug)]
pub(crate) struct ResolvedCast {
    pub(crate) implementation: CastImplementation,
    /// Whether the settings are its second argument.
    pub(crate) needs_time_zone: bool,
}

/// The step of a [`ResolvedCast`].
#[derive(Clone, Debug)]
pub(crate) enum CastImplementation {
    /// The same Arrow value under another type.
    Relabel,
    /// A function of the value.
    Udf(Arc<ScalarUDF>),
    /// Names of catalog objects (`regclass`, ...) from or to text: the session layer's.
    Session,
}

impl ResolvedCast {
    /// The expression of the cast.
    ///
    /// # Errors
    /// XX000 for casts of the session layer.
    pub(crate) fn apply(&self, arg: Expr, time_zone: &Expr) -> Result<Expr> {
        match &self.implementation {
            CastImplementation::Relabel => Ok(arg),
            CastImplementation::Udf(udf) if self.needs_time_zone => {
                Ok(call(udf, vec![arg, time_zone.clone()]))
            }
            CastImplementation::Udf(udf) => Ok(call(udf, vec![arg])),
            CastImplementation::Session => {
                Err(Error::internal("a cast of catalog names belongs to the session"))
            }
        }
    }
}

/// The cast from one type to another where `context` allows one.
pub(crate) fn find_cast(
    from: PgType,
    to: PgType,
    context: CastContext,
) -> Result<Option<ResolvedCast>> {
    let Some(method) = pathway(from.oid, to.oid, context) else { return Ok(None) };
    let typmod_matters = to.typmod >= 0 && (to.typmod != from.typmod || from.oid != to.oid);
    let relabel =
        || ResolvedCast { implementation: CastImplementation::Relabel, needs_time_zone: false };
    if method == Pathway::Same && !typmod_matters {
        return Ok(Some(relabel()));
    }
    let names = |oid: Oid| is_named_object(oid);
    let shows_names =
        from.element().is_some_and(|element| names(element.oid)) && is_text_like(to.oid);
    if method == Pathway::InOut && (names(from.oid) || names(to.oid) || shows_names) {
        let implementation = CastImplementation::Session;
        return Ok(Some(ResolvedCast { implementation, needs_time_zone: false }));
    }
    let explicit = context == CastContext::Explicit;
    Ok(Some(match cast::cast_udf(from, to, explicit)? {
        None => relabel(),
        Some((udf, needs_time_zone)) => {
            ResolvedCast { implementation: CastImplementation::Udf(udf), needs_time_zone }
        }
    }))
}

/// Types whose text form is a name in the catalog.
pub(crate) fn is_named_object(oid: Oid) -> bool {
    matches!(
        oid,
        Oid::REGCLASS
            | Oid::REGTYPE
            | Oid::REGPROC
            | Oid::REGPROCEDURE
            | Oid::REGOPER
            | Oid::REGOPERATOR
            | Oid::REGROLE
            | Oid::REGNAMESPACE
            | Oid::REGCONFIG
            | Oid::REGDICTIONARY
            | Oid::REGCOLLATION
    )
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pathway {
    Same,
    Binary,
    Function,
    InOut,
    Array,
}

fn pathway(from: Oid, to: Oid, context: CastContext) -> Option<Pathway> {
    if from == to {
        return Some(Pathway::Same);
    }
    if from == Oid::UNKNOWN {
        return Some(Pathway::InOut);
    }
    if let Some(cast) = registry().cast(from, to) {
        return (context >= cast.context).then_some(match cast.method {
            CastMethod::Function => Pathway::Function,
            CastMethod::InOut => Pathway::InOut,
            CastMethod::Binary => Pathway::Binary,
        });
    }
    match (from, to) {
        (Oid::OIDVECTOR, Oid::OID_ARRAY) | (Oid::INT2VECTOR, Oid::INT2_ARRAY) => {
            return Some(Pathway::Binary);
        }
        _ => {}
    }
    let (source, target) = (PgType::plain(from), PgType::plain(to));
    if let (Some(source), Some(target)) = (source.element(), target.element()) {
        return pathway(source.oid, target.oid, context).map(|_| Pathway::Array);
    }
    let is_string = |oid: Oid| category(oid) == b'S';
    let has_values = |oid: Oid| !matches!(category(oid), b'P') || oid == Oid::RECORD;
    if (context >= CastContext::Assignment && is_string(to) && has_values(from))
        || (context == CastContext::Explicit && is_string(from) && has_values(to))
    {
        return Some(Pathway::InOut);
    }
    None
}

fn category(oid: Oid) -> u8 {
    builtin(oid).map_or(b'X', |t| t.category)
}

fn is_preferred(category_wanted: u8, oid: Oid) -> bool {
    builtin(oid).is_some_and(|t| t.category == category_wanted && t.preferred)
}

fn can_coerce(from: Oid, to: Oid) -> bool {
    from == to
        || from == Oid::UNKNOWN
        || to == Oid::ANY
        || is_polymorphic(to)
        || pathway(from, to, CastContext::Implicit).is_some()
}

/// One way to call a function with the number of arguments given.
#[derive(Clone)]
struct Candidate<'a> {
    function: &'a Function,
    /// Declared types, one per given argument.
    args: Vec<Oid>,
    /// Where each argument of the function comes from.
    order: Vec<Option<usize>>,
    /// The first argument of an expanded VARIADIC.
    expanded: Option<usize>,
}

/// Resolves a call with positional arguments; see [`resolve_function_named`].
pub(crate) fn resolve_function(name: &str, args: &[PgType]) -> Result<ResolvedCall> {
    resolve_function_named(name, args, &[], false)
}

/// Resolves a call. `names` are the names of the last arguments (`f(1, b => 2)`), `variadic` says
/// that the last argument was written with VARIADIC. Untyped literals and parameters are
/// `unknown`.
///
/// # Errors
/// 42883 for no match, 42725 for several, 0A000 for functions of PostgreSQL's that aren't there.
pub(crate) fn resolve_function_named(
    name: &str,
    args: &[PgType],
    names: &[&str],
    variadic: bool,
) -> Result<ResolvedCall> {
    let registry = registry();
    let oids: Vec<Oid> = args.iter().map(|t| t.oid).collect();
    let candidates: Vec<Candidate<'static>> = registry
        .functions_named(name)
        .filter_map(|f| candidate(f, oids.len(), names, variadic))
        .collect();
    let candidates = prefer_unexpanded(candidates);
    let described = || describe_call(name, args, names);
    let chosen = match candidates.iter().find(|c| c.args == oids) {
        Some(exact) => exact.clone(),
        None => {
            if let Some(coercion) = as_type_coercion(name, args)? {
                return Ok(coercion);
            }
            match select(&candidates, &oids) {
                Selection::One(chosen) => chosen,
                Selection::None => return Err(Error::undefined_function(&described())),
                Selection::Many => return Err(Error::ambiguous_function(&described())),
            }
        }
    };
    finish(chosen, args)
}

fn describe_call(name: &str, args: &[PgType], names: &[&str]) -> String {
    let unnamed = args.len() - names.len();
    let types: Vec<String> = args
        .iter()
        .enumerate()
        .map(|(i, t)| match i.checked_sub(unnamed) {
            Some(n) => format!("{} => {}", names[n], format_type(t.oid, -1)),
            None => format_type(t.oid, -1),
        })
        .collect();
    format!("{name}({})", types.join(", "))
}

fn candidate<'a>(
    function: &'a Function,
    given: usize,
    names: &[&str],
    variadic: bool,
) -> Option<Candidate<'a>> {
    let declared = &function.args;
    if variadic && function.variadic.is_none() {
        return None;
    }
    if !names.is_empty() {
        return named_candidate(function, given, names);
    }
    if let (Some(element), false) = (function.variadic, variadic)
        && given >= declared.len()
    {
        let fixed = declared.len() - 1;
        let args = declared[..fixed]
            .iter()
            .copied()
            .chain(std::iter::repeat_n(element, given - fixed))
            .collect();
        let order = (0..given).map(Some).collect();
        // VARIADIC "any" takes the arguments as they are.
        let expanded = (element != Oid::ANY).then_some(fixed);
        return Some(Candidate { function, args, order, expanded });
    }
    if given > declared.len() || given + function.defaults.len() < declared.len() {
        return None;
    }
    let order = (0..declared.len()).map(|i| (i < given).then_some(i)).collect();
    Some(Candidate { function, args: declared[..given].to_vec(), order, expanded: None })
}

fn named_candidate<'a>(
    function: &'a Function,
    given: usize,
    names: &[&str],
) -> Option<Candidate<'a>> {
    let positional = given - names.len();
    let declared = function.args.len();
    if positional > declared || function.arg_names.len() != declared {
        return None;
    }
    let mut order: Vec<Option<usize>> =
        (0..declared).map(|i| (i < positional).then_some(i)).collect();
    for (n, name) in names.iter().enumerate() {
        let at = function.arg_names.iter().position(|a| a == name)?;
        if order[at].replace(positional + n).is_some() {
            return None;
        }
    }
    let first_default = declared - function.defaults.len();
    if order.iter().enumerate().any(|(i, from)| from.is_none() && i < first_default) {
        return None;
    }
    let mut args = vec![Oid::INVALID; given];
    for (i, from) in order.iter().enumerate() {
        if let Some(from) = from {
            args[*from] = function.args[i];
        }
    }
    Some(Candidate { function, args, order, expanded: None })
}

/// Among candidates with the same effective types the one without expansion wins.
fn prefer_unexpanded(candidates: Vec<Candidate<'_>>) -> Vec<Candidate<'_>> {
    let plain: Vec<Vec<Oid>> =
        candidates.iter().filter(|c| c.expanded.is_none()).map(|c| c.args.clone()).collect();
    candidates.into_iter().filter(|c| c.expanded.is_none() || !plain.contains(&c.args)).collect()
}

enum Selection<T> {
    None,
    One(T),
    Many,
}

/// What the choice among candidates looks at.
trait Declared: Clone {
    fn types(&self) -> &[Oid];
}

impl Declared for Candidate<'_> {
    fn types(&self) -> &[Oid] {
        &self.args
    }
}

impl Declared for (&'static super::Operator, Vec<Oid>) {
    fn types(&self) -> &[Oid] {
        &self.1
    }
}

/// PostgreSQL's func_match_argtypes and func_select_candidate.
fn select<C: Declared>(candidates: &[C], args: &[Oid]) -> Selection<C> {
    let coercible = |c: &C, args: &[Oid]| {
        c.types().len() == args.len()
            && args.iter().zip(c.types()).all(|(from, to)| can_coerce(*from, *to))
            && polymorphic::consistent(args, c.types())
    };
    let mut left: Vec<C> = candidates.iter().filter(|c| coercible(c, args)).cloned().collect();
    if left.len() > 1 {
        left = best_by(left, |c| {
            count(c, args, |given, declared| given != Oid::UNKNOWN && given == declared)
        });
    }
    if left.len() > 1 {
        left = best_by(left, |c| {
            count(c, args, |given, declared| {
                given != Oid::UNKNOWN
                    && (given == declared || is_preferred(category(given), declared))
            })
        });
    }
    if left.len() > 1 && args.contains(&Oid::UNKNOWN) {
        left = by_unknown_categories(left, args);
        if left.len() > 1 {
            left = by_known_type(left, args, coercible);
        }
    }
    match left.len() {
        0 => Selection::None,
        1 => Selection::One(left.remove(0)),
        _ => Selection::Many,
    }
}

fn count<C: Declared>(candidate: &C, args: &[Oid], matches: impl Fn(Oid, Oid) -> bool) -> usize {
    args.iter().zip(candidate.types()).filter(|(given, to)| matches(**given, **to)).count()
}

fn best_by<C>(candidates: Vec<C>, score: impl Fn(&C) -> usize) -> Vec<C> {
    let best = candidates.iter().map(&score).max().unwrap_or(0);
    candidates.into_iter().filter(|c| score(c) == best).collect()
}

/// Guesses a category for each unknown argument: string if any candidate takes one, else the one
/// all agree on; then keeps the candidates of that category, of its preferred type if some do.
fn by_unknown_categories<C: Declared>(candidates: Vec<C>, args: &[Oid]) -> Vec<C> {
    let mut slots: Vec<Option<(u8, bool)>> = vec![None; args.len()];
    for (i, _) in args.iter().enumerate().filter(|(_, t)| **t == Oid::UNKNOWN) {
        let mut conflict = false;
        for candidate in &candidates {
            let declared = candidate.types()[i];
            let (of, preferred) =
                builtin(declared).map_or((b'X', false), |t| (t.category, t.preferred));
            slots[i] = match slots[i] {
                None => Some((of, preferred)),
                Some((slot, seen)) if slot == of => Some((slot, seen || preferred)),
                Some(_) if of == b'S' => Some((of, preferred)),
                Some(slot) => {
                    conflict = true;
                    Some(slot)
                }
            };
        }
        if conflict && slots[i].is_some_and(|(slot, _)| slot != b'S') {
            return candidates;
        }
    }
    let fits = |candidate: &C| {
        slots.iter().zip(candidate.types()).all(|(slot, declared)| match slot {
            None => true,
            Some((of, preferred)) => {
                builtin(*declared).is_some_and(|t| t.category == *of && (!preferred || t.preferred))
            }
        })
    };
    let kept: Vec<C> = candidates.iter().filter(|c| fits(c)).cloned().collect();
    if kept.is_empty() { candidates } else { kept }
}

/// If all known arguments are of one type, the unknown ones may be as well.
fn by_known_type<C: Declared>(
    candidates: Vec<C>,
    args: &[Oid],
    coercible: impl Fn(&C, &[Oid]) -> bool,
) -> Vec<C> {
    let mut known = args.iter().filter(|t| **t != Oid::UNKNOWN);
    let Some(first) = known.next() else { return candidates };
    if !known.all(|t| t == first) {
        return candidates;
    }
    let assumed = vec![*first; args.len()];
    let fitting: Vec<C> = candidates.iter().filter(|c| coercible(c, &assumed)).cloned().collect();
    if fitting.len() == 1 { fitting } else { candidates }
}

/// `float8(x)` and `date('2024-01-01')` mean casts when no function of the name fits.
fn as_type_coercion(name: &str, args: &[PgType]) -> Result<Option<ResolvedCall>> {
    let ([from], Some(target)) = (args, builtin_by_name(name)) else { return Ok(None) };
    let to = PgType::plain(target.oid);
    if to.arrow().is_err() {
        return Ok(None);
    }
    let by_text = from.is_unknown() || category(from.oid) == b'S' || target.category == b'S';
    let allowed = match pathway(from.oid, to.oid, CastContext::Explicit) {
        Some(Pathway::Same | Pathway::Binary) => true,
        Some(Pathway::InOut) => by_text,
        Some(Pathway::Function | Pathway::Array) | None => false,
    };
    if !allowed || is_named_object(to.oid) {
        return Ok(None);
    }
    // An untyped literal is read as the type; what is called then is the identity.
    let function = registry()
        .functions_named("text")
        .next()
        .ok_or_else(|| Error::internal("the catalog has lost text(\"char\")"))?;
    let cast = if from.is_unknown() { None } else { cast::cast_udf(*from, to, true)? };
    let (implementation, needs_time_zone) = match cast {
        Some((udf, zoned)) => (Implementation::Udf(udf), zoned),
        None => (Implementation::Expr(|mut args| args.remove(0)), false),
    };
    Ok(Some(ResolvedCall {
        function,
        args: vec![if from.is_unknown() { to } else { *from }],
        ret: to,
        implementation,
        needs_time_zone,
        order: vec![ArgumentSource::Given(0)],
        collect: None,
    }))
}

fn finish(chosen: Candidate<'static>, args: &[PgType]) -> Result<ResolvedCall> {
    let function = chosen.function;
    let oids: Vec<Oid> = args.iter().map(|t| t.oid).collect();
    let (types, ret) = polymorphic::enforce(&oids, &chosen.args, function.ret)?;
    let keeps = |i: usize, t: Oid| if t == args[i].oid { args[i] } else { PgType::plain(t) };
    let types: Vec<PgType> = types.iter().enumerate().map(|(i, t)| keeps(i, *t)).collect();
    let first_default = function.args.len() - function.defaults.len();
    let mut order = Vec::with_capacity(chosen.order.len());
    for (i, source) in chosen.order.iter().enumerate() {
        order.push(match source {
            Some(given) => ArgumentSource::Given(*given),
            None => {
                let text = function.defaults[i - first_default];
                ArgumentSource::Default(Box::new(default_value(text, function.args[i])?))
            }
        });
    }
    let collect = chosen.expanded.map(|from| (from, PgType::plain(types[from].oid)));
    let call = ResolvedCall {
        function,
        args: types,
        ret: PgType::plain(ret),
        implementation: Implementation::Missing,
        needs_time_zone: function.needs_time_zone,
        order,
        collect,
    };
    implemented(call)
}

/// Fills in the implementation, through the function it is the same as where it has none.
fn implemented(mut call: ResolvedCall) -> Result<ResolvedCall> {
    let mut function = call.function;
    if let Some((same, args)) = widened(registry(), function) {
        call.args = args.iter().map(|t| PgType::plain(*t)).collect();
        call.needs_time_zone = same.needs_time_zone;
        function = same;
    }
    call.implementation = match &function.implementation {
        Implementation::Missing => return Err(missing(call.function)),
        Implementation::Poly(make) => {
            let mut types = call.args.clone();
            if let Some((from, element)) = call.collect {
                types.truncate(from);
                types.push(element.array().unwrap_or(element));
            }
            make(&types, call.ret)?
        }
        ready => ready.clone(),
    };
    if call.function.volatility == Volatility::Stable
        && let Implementation::Udf(udf) = &call.implementation
    {
        call.implementation = Implementation::Udf(stable(udf));
    }
    Ok(call)
}

fn missing(function: &Function) -> Error {
    let hypothetical = ["rank", "dense_rank", "percent_rank", "cume_dist"];
    if function.kind == super::FunctionKind::Aggregate && hypothetical.contains(&function.name) {
        let message = format!("hypothetical-set aggregate {} is not supported", function.name);
        return Error::feature_not_supported(message);
    }
    let args: Vec<String> = function.args.iter().map(|t| format_type(*t, -1)).collect();
    Error::feature_not_supported(format!(
        "function {}({}) is not supported",
        function.name,
        args.join(", ")
    ))
}

/// Functions over two types that are those of one type once the arguments are widened: int48eq is
/// int8eq, date_lt_timestamp is timestamp_lt, nameeqtext is texteq.
fn widened(
    registry: &'static Registry,
    function: &Function,
) -> Option<(&'static Function, Vec<Oid>)> {
    let [left, right] = function.args[..] else { return None };
    if left == right {
        return None;
    }
    let (wide, name) = match (left, right) {
        (Oid::INT2, Oid::INT4) => (Oid::INT4, function.name.replace("int24", "int4")),
        (Oid::INT4, Oid::INT2) => (Oid::INT4, function.name.replace("int42", "int4")),
        (Oid::INT2 | Oid::INT4, Oid::INT8) | (Oid::INT8, Oid::INT2 | Oid::INT4) => {
            let digits = function.name.get(3..5).filter(|d| d.contains('8'))?;
            (Oid::INT8, function.name.replace(digits, "8"))
        }
        (Oid::FLOAT4, Oid::FLOAT8) => (Oid::FLOAT8, function.name.replace("float48", "float8")),
        (Oid::FLOAT8, Oid::FLOAT4) => (Oid::FLOAT8, function.name.replace("float84", "float8")),
        (Oid::NAME, Oid::TEXT) | (Oid::TEXT, Oid::NAME) => {
            let name = function.name;
            let op = name.strip_prefix("name").or_else(|| name.strip_prefix("text"))?;
            let op = op.strip_suffix("text").or_else(|| op.strip_suffix("name"))?;
            let separator = if matches!(op, "eq" | "ne") { "" } else { "_" };
            (Oid::TEXT, format!("text{separator}{op}"))
        }
        (
            Oid::DATE | Oid::TIMESTAMP | Oid::TIMESTAMPTZ,
            Oid::DATE | Oid::TIMESTAMP | Oid::TIMESTAMPTZ,
        ) => {
            let zoned = left == Oid::TIMESTAMPTZ || right == Oid::TIMESTAMPTZ;
            let wide = if zoned { Oid::TIMESTAMPTZ } else { Oid::TIMESTAMP };
            let op = function.name.split('_').nth(1)?;
            let base = if zoned { "timestamptz" } else { "timestamp" };
            (wide, format!("{base}_{op}"))
        }
        _ => return None,
    };
    let same = registry.functions_named(&name).find(|f| f.args == [wide, wide])?;
    Some((same, vec![wide, wide]))
}

/// The value of a default such as `false`, `0` or `'NFC'::text`.
fn default_value(text: &str, oid: Oid) -> Result<datafusion::scalar::ScalarValue> {
    let literal = text.split("::").next().unwrap_or(text);
    let value = literal.trim_matches('\'');
    input_scalar(PgType::plain(oid), value, &FormatSettings::default())
}

/// Resolves an operator; `left` is `None` for a prefix operator.
///
/// # Errors
/// 42883 for no match, 42725 for several, 0A000 for operators of PostgreSQL's that aren't there.
pub(crate) fn resolve_operator(
    name: &str,
    left: Option<PgType>,
    right: PgType,
) -> Result<ResolvedCall> {
    let registry = registry();
    let name = if name == "!=" { "<>" } else { name };
    let args: Vec<PgType> = left.into_iter().chain([right]).collect();
    let given: Vec<Oid> = args.iter().map(|t| t.oid).collect();
    let candidates: Vec<(&'static super::Operator, Vec<Oid>)> = registry
        .operators_named(name)
        .filter(|op| (op.left == Oid::INVALID) == left.is_none())
        .map(|op| {
            let types = if left.is_some() { vec![op.left, op.right] } else { vec![op.right] };
            (op, types)
        })
        .collect();
    let assumed = match given[..] {
        [Oid::UNKNOWN, t] | [t, Oid::UNKNOWN] => vec![t, t],
        _ => given.clone(),
    };
    let described = || match left {
        Some(left) => {
            format!("{} {name} {}", format_type(left.oid, -1), format_type(right.oid, -1))
        }
        None => format!("{name} {}", format_type(right.oid, -1)),
    };
    let (operator, declared) = match candidates.iter().find(|(_, types)| *types == assumed) {
        Some(exact) => exact.clone(),
        None => match select(&candidates, &given) {
            Selection::One(chosen) => chosen,
            Selection::None => return Err(Error::undefined_operator(&described())),
            Selection::Many => return Err(Error::ambiguous_operator(&described())),
        },
    };
    let function = registry.function(operator.function).ok_or_else(|| {
        Error::feature_not_supported(format!("operator {} is not supported", described()))
    })?;
    let order = (0..declared.len()).map(Some).collect();
    let mut call = finish(Candidate { function, args: declared, order, expanded: None }, &args)?;
    if operator.result != function.ret && !is_polymorphic(operator.result) {
        call.ret = PgType::plain(operator.result);
    }
    Ok(call)
}

/// Resolves `left op ANY (array)` and `left op ALL (array)`; the call takes the left value and the
/// array.
///
/// # Errors
/// As [`resolve_operator`]; 42809 when the right side isn't an array or the operator not boolean.
pub(crate) fn resolve_quantified(
    name: &str,
    left: PgType,
    array: PgType,
    all: bool,
) -> Result<ResolvedCall> {
    let wrong = |what: &str| Error::new(SqlState::WRONG_OBJECT_TYPE, what);
    let element = if array.is_unknown() {
        PgType::UNKNOWN
    } else {
        array
            .list_element()
            .ok_or_else(|| wrong("op ANY/ALL (array) requires array on right side"))?
    };
    let mut call = resolve_operator(name, Some(left), element)?;
    if call.ret.oid != Oid::BOOL {
        return Err(wrong("op ANY/ALL (array) requires operator to yield boolean"));
    }
    let [left_type, element_type] = call.args[..] else {
        return Err(Error::internal("a binary operator with other than two arguments"));
    };
    let array_type = element_type.array().ok_or_else(|| {
        Error::undefined_object("array type of", &format_type(element_type.oid, -1))
    })?;
    call.implementation = Implementation::Udf(super::quantified::udf(&call, all)?);
    call.args = vec![left_type, array_type];
    Ok(call)
}

/// The type that the branches of a CASE, UNION, COALESCE, ARRAY, VALUES, GREATEST are brought to;
/// `context` is the word for the message.
///
/// # Errors
/// 42804 when there is none.
pub(crate) fn common_type(context: &str, types: &[PgType]) -> Result<PgType> {
    let mut known = types.iter().filter(|t| !t.is_unknown());
    let Some(first) = known.next() else { return Ok(PgType::TEXT) };
    let mut best = first.oid;
    for other in known.map(|t| t.oid) {
        if other == best {
            continue;
        }
        if category(other) != category(best) {
            return Err(Error::types_unmatched(
                context,
                &format_type(best, -1),
                &format_type(other, -1),
            ));
        }
        let forward = pathway(best, other, CastContext::Implicit).is_some();
        let back = pathway(other, best, CastContext::Implicit).is_some();
        if !is_preferred(category(best), best) && forward && !back {
            best = other;
        }
    }
    for other in types.iter().filter(|t| !t.is_unknown()) {
        if pathway(other.oid, best, CastContext::Implicit).is_none() {
            return Err(Error::new(
                SqlState::CANNOT_COERCE,
                format!(
                    "{context} could not convert type {} to {}",
                    format_type(other.oid, -1),
                    format_type(best, -1)
                ),
            ));
        }
    }
    // The modifier survives when all agree on type and modifier.
    let typmod = if types.iter().all(|t| t.oid == best && t.typmod == first.typmod) {
        first.typmod
    } else {
        -1
    };
    Ok(PgType::new(best, typmod))
}

/// A function of a value whose Arrow equality and order are PostgreSQL's equality and order of
/// the value, for grouping, DISTINCT, joins and sorting; `None` when the value itself is that.
pub(crate) fn sort_key(ty: PgType) -> Option<Arc<ScalarUDF>> {
    compare::sort_key(ty)
}

/// `left IS DISTINCT FROM right` for two expressions of one type.
pub(crate) fn distinct_from(ty: PgType, left: Expr, right: Expr) -> Expr {
    use datafusion::logical_expr::Operator;
    match sort_key(ty) {
        Some(key) => {
            binary_expr(call(&key, vec![left]), Operator::IsDistinctFrom, call(&key, vec![right]))
        }
        None => binary_expr(left, Operator::IsDistinctFrom, right),
    }
}

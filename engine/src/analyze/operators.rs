//! Operators, comparisons and what the grammar writes as operators.

use datafusion::{
    logical_expr::{Expr, Operator, binary_expr, expr::InList},
    sql::sqlparser::{ast, tokenizer::Span},
};

use super::{
    binder::{Binder, Typed},
    expression::Clause,
    literals,
    names::At,
    scope::Scope,
};
use crate::{
    error::{Error, Result, SqlState},
    functions::{common_type, distinct_from, resolve_operator, resolve_quantified},
    types::PgType,
};

impl Binder<'_> {
    /// `left op right` for operands whose meaning is known.
    pub(super) fn operator(
        &mut self,
        name: &str,
        left: Typed,
        right: Typed,
        place: Option<u32>,
    ) -> Result<Typed> {
        let call = resolve_operator(name, Some(left.ty), right.ty).at_place(place)?;
        if let ([a, b], Some(op)) = (call.args.as_slice(), comparison(name))
            && a.oid == b.oid
            && super::keys::needs_key(*a)
            && (op == Operator::Eq || is_column(&left) || is_column(&right))
        {
            // Native comparisons of keys are what joins and ranges are made of. Precision and length
            // of one side are nothing to the other.
            let ty = PgType::plain(a.oid);
            let left = self.coerce_argument(left, ty).at_place(place)?;
            let right = self.coerce_argument(right, ty).at_place(place)?;
            let (left, right) =
                (super::keys::key(left.expr, ty)?, super::keys::key(right.expr, ty)?);
            return Ok(Typed::new(column_first(binary_expr(left, op, right)), PgType::BOOL));
        }
        let typed = self.build_scalar(&call, vec![left, right]).at_place(place)?;
        Ok(Typed::new(column_first(typed.expr), typed.ty))
    }

    pub(super) fn binary(
        &mut self,
        whole: &ast::Expr,
        left: &ast::Expr,
        op: &ast::BinaryOperator,
        right: &ast::Expr,
        scope: &Scope<'_>,
        clause: Clause,
    ) -> Result<Typed> {
        match op {
            ast::BinaryOperator::And | ast::BinaryOperator::Or => {
                let conjunction = *op == ast::BinaryOperator::And;
                let word = if conjunction { "AND" } else { "OR" };
                let mut operands = Vec::new();
                for operand in chain(whole, op) {
                    let typed = self.expression(operand, scope, clause)?;
                    let place = self.places.start(operand);
                    operands.push(self.condition(typed, word).at_place(place)?);
                }
                let expr = if conjunction { all_of(operands) } else { any_of(operands) };
                Ok(Typed::new(expr, PgType::BOOL))
            }
            _ => {
                let name = symbol(op)
                    .ok_or_else(|| Error::syntax_error_near(&op.to_string()))
                    .at_place(self.places.start(left))?;
                if matches!(op, ast::BinaryOperator::Overlaps) {
                    return self.overlaps(left, right, scope, clause);
                }
                if let Some(members) = row_members(left) {
                    return self.row_comparison(&members, &name, right, scope, clause);
                }
                // Chains of one operator can be long; the left spine is walked, not recursed.
                let mut spine = vec![(op, right)];
                let mut first = left;
                while let ast::Expr::BinaryOp { left, op, right } = first
                    && !matches!(op, ast::BinaryOperator::And | ast::BinaryOperator::Or)
                    && row_members(left).is_none()
                {
                    spine.push((op, right.as_ref()));
                    first = left.as_ref();
                }
                let mut typed = self.expression(first, scope, clause)?;
                let mut left_literal = self.quoted_place(first);
                for (op, right) in spine.into_iter().rev() {
                    let name =
                        symbol(op).ok_or_else(|| Error::syntax_error_near(&op.to_string()))?;
                    let place = self.operator_place(first, right, &name);
                    let literal = self.quoted_place(right).or(left_literal.take());
                    let right = self.expression(right, scope, clause)?;
                    // A value that can't be read is the literal's fault.
                    typed = self
                        .operator(&name, typed, right, None)
                        .map_err(|error| match literal {
                            Some(literal) if error.sqlstate.class() == "22" => error.at(literal),
                            _ => error,
                        })
                        .at_place(place)?;
                }
                Ok(typed)
            }
        }
    }

    /// Where a literal stands that takes its type from what is around it.
    fn quoted_place(&self, expr: &ast::Expr) -> Option<u32> {
        match expr {
            ast::Expr::Value(value) => match value.value {
                ast::Value::SingleQuotedString(_)
                | ast::Value::EscapedStringLiteral(_)
                | ast::Value::DollarQuotedString(_) => self.places.span(value.span),
                _ => None,
            },
            _ => None,
        }
    }

    /// `(a, b) OVERLAPS (c, d)`
    fn overlaps(
        &mut self,
        left: &ast::Expr,
        right: &ast::Expr,
        scope: &Scope<'_>,
        clause: Clause,
    ) -> Result<Typed> {
        let place = self.places.start(left);
        let (Some(first), Some(second)) = (row_members(left), row_members(right)) else {
            return Err(Error::syntax_error_near("OVERLAPS").at_place(place));
        };
        let mut values = Vec::with_capacity(4);
        for member in first.into_iter().chain(second) {
            values.push(self.expression(member, scope, clause)?);
        }
        self.call("overlaps", values, place)
    }

    /// The parser doesn't keep an operator's place: it is looked for between its operands.
    fn operator_place(&self, left: &ast::Expr, right: &ast::Expr, name: &str) -> Option<u32> {
        use ast::Spanned;
        let (from, to): (Span, Span) = (left.span(), right.span());
        let start = self.places.position(from.end)?;
        let end = self.places.position(to.start)?;
        self.places.find(start, end, name).or_else(|| self.places.start(left))
    }

    pub(super) fn unary(
        &mut self,
        op: ast::UnaryOperator,
        operand: &ast::Expr,
        scope: &Scope<'_>,
        clause: Clause,
    ) -> Result<Typed> {
        let place = self.places.start(operand).map(|p| p.saturating_sub(1).max(1));
        if op == ast::UnaryOperator::Not {
            let typed = self.expression(operand, scope, clause)?;
            let expr = self.condition(typed, "NOT").at_place(self.places.start(operand))?;
            return Ok(Typed::new(Expr::Not(Box::new(expr)), PgType::BOOL));
        }
        if op == ast::UnaryOperator::Minus
            && let ast::Expr::Value(ast::ValueWithSpan {
                value: ast::Value::Number(digits, _), ..
            }) = operand
        {
            return negative_number(digits);
        }
        let name = match op {
            ast::UnaryOperator::Plus => "+",
            ast::UnaryOperator::Minus => "-",
            ast::UnaryOperator::BitwiseNot => "~",
            ast::UnaryOperator::PGAbs => "@",
            ast::UnaryOperator::PGSquareRoot => "|/",
            ast::UnaryOperator::PGCubeRoot => "||/",
            ast::UnaryOperator::PGPrefixFactorial => "!!",
            other => {
                return Err(Error::feature_not_supported(format!(
                    "prefix operator {other} is not supported"
                ))
                .at_place(place));
            }
        };
        let typed = self.expression(operand, scope, clause)?;
        let call = resolve_operator(name, None, typed.ty).at_place(place)?;
        self.build_scalar(&call, vec![typed]).at_place(place)
    }

    pub(super) fn distinct_test(
        &mut self,
        left: &ast::Expr,
        right: &ast::Expr,
        negated: bool,
        scope: &Scope<'_>,
        clause: Clause,
    ) -> Result<Typed> {
        let place = self.places.start(left);
        let pairs = match (row_members(left), row_members(right)) {
            (Some(a), Some(b)) if a.len() == b.len() => a.into_iter().zip(b).collect(),
            (None, None) => vec![(left, right)],
            _ => return Err(unequal_rows().at_place(place)),
        };
        let mut tests = Vec::new();
        for (left, right) in pairs {
            let left = self.expression(left, scope, clause)?;
            let right = self.expression(right, scope, clause)?;
            // Beside NULL it is a test of the row itself, not of its members.
            if let Some(row) = beside_null(&left, &right) {
                tests.push(row.clone().is_not_null());
                continue;
            }
            let call = resolve_operator("=", Some(left.ty), right.ty).at_place(place)?;
            let [left_type, right_type] = call.args[..] else {
                return Err(Error::internal("an operator with other than two arguments"));
            };
            let left = self.coerce_argument(left, left_type)?;
            let right = self.coerce_argument(right, right_type)?;
            tests.push(distinct_from(left_type, left.expr, right.expr));
        }
        let expr = any_of(tests);
        let expr = if negated { Expr::Not(Box::new(expr)) } else { expr };
        Ok(Typed::new(expr, PgType::BOOL))
    }

    pub(super) fn between(
        &mut self,
        operand: &ast::Expr,
        low: &ast::Expr,
        high: &ast::Expr,
        negated: bool,
        scope: &Scope<'_>,
        clause: Clause,
    ) -> Result<Typed> {
        let place = self.places.start(operand);
        let typed = self.expression(operand, scope, clause)?;
        let (symmetric, low) = match symmetric_bound(low) {
            Some(low) => (true, low),
            None => (false, low),
        };
        let low = self.expression(low, scope, clause)?;
        let high = self.expression(high, scope, clause)?;
        let (first, second) = if negated { ("<", ">") } else { (">=", "<=") };
        let mut test = |low: Typed, high: Typed| {
            let a = self.operator(first, typed.clone(), low, place)?.expr;
            // The first comparison may have told an untyped parameter's type.
            let typed = match typed.ty.is_unknown() {
                true => self.expression(operand, scope, clause)?,
                false => typed.clone(),
            };
            let b = self.operator(second, typed, high, place)?.expr;
            Ok::<Expr, Error>(if negated { any_of(vec![a, b]) } else { all_of(vec![a, b]) })
        };
        let expr = if symmetric {
            let tests = vec![test(low.clone(), high.clone())?, test(high, low)?];
            if negated { all_of(tests) } else { any_of(tests) }
        } else {
            test(low, high)?
        };
        Ok(Typed::new(expr, PgType::BOOL))
    }

    pub(super) fn in_list(
        &mut self,
        left: &ast::Expr,
        list: &[ast::Expr],
        negated: bool,
        scope: &Scope<'_>,
        clause: Clause,
    ) -> Result<Typed> {
        let place = self.places.start(left);
        let negate = |expr| if negated { Expr::Not(Box::new(expr)) } else { expr };
        if let Some(members) = row_members(left) {
            let mut tests = Vec::new();
            for row in list {
                tests.push(self.row_comparison(&members, "=", row, scope, clause)?.expr);
            }
            return Ok(Typed::new(negate(any_of(tests)), PgType::BOOL));
        }
        let left = self.expression(left, scope, clause)?;
        let mut members = Vec::with_capacity(list.len());
        for member in list {
            members.push(self.expression(member, scope, clause)?);
        }
        let types: Vec<PgType> =
            std::iter::once(left.ty).chain(members.iter().map(|member| member.ty)).collect();
        // A constant on the left is compared with one row's list only.
        let is_constant = |typed: &Typed| !typed.expr.any_column_refs();
        let is_list = !is_constant(&left) || members.iter().all(is_constant);
        let common = match common_type("IN", &types) {
            Ok(ty) if is_list && members.len() > 1 => Some(ty),
            _ => None,
        };
        let Some(ty) = common else {
            let mut tests = Vec::new();
            for member in members {
                tests.push(self.operator("=", left.clone(), member, place)?.expr);
            }
            return Ok(Typed::new(negate(any_of(tests)), PgType::BOOL));
        };
        // Says 42883 where the type has no equality.
        let call = resolve_operator("=", Some(ty), ty).at_place(place)?;
        let ty = call.args.first().copied().unwrap_or(ty);
        let left = self.coerce_argument(left, ty).at_place(place)?;
        let mut list = Vec::with_capacity(members.len());
        for member in members {
            let member = self.coerce_argument(member, ty).at_place(place)?;
            list.push(super::keys::key(member.expr, ty)?);
        }
        let expr = super::keys::key(left.expr, ty)?;
        let expr = Expr::InList(InList::new(Box::new(expr), list, negated));
        Ok(Typed::new(expr, PgType::BOOL))
    }

    pub(super) fn like(
        &mut self,
        op: &str,
        left: &ast::Expr,
        pattern: &ast::Expr,
        escape: Option<&ast::ValueWithSpan>,
        scope: &Scope<'_>,
        clause: Clause,
    ) -> Result<Typed> {
        if let (Some((array, all)), None) = (quantifier(pattern), escape) {
            return self.quantified_by_name(left, op, array, all, scope, clause);
        }
        let place = self.places.start(left);
        let left = self.expression(left, scope, clause)?;
        let mut pattern = self.expression(pattern, scope, clause)?;
        if let Some(escape) = escape {
            let escape = self.literal(escape)?;
            pattern = self.call("like_escape", vec![pattern, escape], place)?;
        }
        self.operator(op, left, pattern, place)
    }

    pub(super) fn similar(
        &mut self,
        negated: bool,
        left: &ast::Expr,
        pattern: &ast::Expr,
        escape: Option<&ast::ValueWithSpan>,
        scope: &Scope<'_>,
        clause: Clause,
    ) -> Result<Typed> {
        let place = self.places.start(left);
        let left = self.expression(left, scope, clause)?;
        let mut args = vec![self.expression(pattern, scope, clause)?];
        if let Some(escape) = escape {
            args.push(self.literal(escape)?);
        }
        let pattern = self.call("similar_to_escape", args, place)?;
        self.operator(if negated { "!~" } else { "~" }, left, pattern, place)
    }

    /// `left op ANY (right)`, an array or a subquery.
    pub(super) fn quantified(
        &mut self,
        left: &ast::Expr,
        op: &ast::BinaryOperator,
        right: &ast::Expr,
        all: bool,
        scope: &Scope<'_>,
        clause: Clause,
    ) -> Result<Typed> {
        let name = symbol(op).ok_or_else(|| Error::syntax_error_near(&op.to_string()))?;
        self.quantified_by_name(left, &name, right, all, scope, clause)
    }

    pub(super) fn quantified_by_name(
        &mut self,
        left: &ast::Expr,
        name: &str,
        right: &ast::Expr,
        all: bool,
        scope: &Scope<'_>,
        clause: Clause,
    ) -> Result<Typed> {
        let place = self.places.start(left);
        let mut inner = right;
        while let ast::Expr::Nested(next) = inner {
            inner = next;
        }
        if let ast::Expr::Subquery(query) = inner {
            return match (name, all) {
                ("=", false) | ("<>", true) => self.in_subquery(left, query, all, scope, clause),
                _ => self.quantified_subquery(left, name, query, all, scope, clause),
            };
        }
        let left = self.expression(left, scope, clause)?;
        let right = self.expression(right, scope, clause)?;
        let call = resolve_quantified(name, left.ty, right.ty, all).at_place(place)?;
        self.build_scalar(&call, vec![left, right]).at_place(place)
    }

    /// `(a, b) op (x, y)` or `(a, b) op (SELECT x, y ...)`
    fn row_comparison(
        &mut self,
        left: &[&ast::Expr],
        op: &str,
        right: &ast::Expr,
        scope: &Scope<'_>,
        clause: Clause,
    ) -> Result<Typed> {
        let place = left.first().and_then(|first| self.places.start(*first));
        if let Some(query) = as_query(right) {
            let mut values = Vec::with_capacity(left.len());
            for member in left {
                values.push(self.expression(member, scope, clause)?);
            }
            let row = self.row_subquery(query, scope)?;
            if row.len() != values.len() {
                return Err(super::subquery::column_count(row.len(), values.len())
                    .at_place(self.places.start(query)));
            }
            return self.compare_pairs(op, values.into_iter().zip(row).collect(), place);
        }
        let Some(right) = row_members(right) else {
            return Err(Error::feature_not_supported(
                "a row can be compared with a list of values only",
            )
            .at_place(place));
        };
        if left.len() != right.len() {
            return Err(unequal_rows().at_place(place));
        }
        let mut pairs = Vec::new();
        for (left, right) in left.iter().zip(right) {
            let left = self.expression(left, scope, clause)?;
            let right = self.expression(right, scope, clause)?;
            pairs.push((left, right));
        }
        self.compare_pairs(op, pairs, place)
    }

    /// Row comparison, column by column.
    pub(super) fn compare_pairs(
        &mut self,
        op: &str,
        pairs: Vec<(Typed, Typed)>,
        place: Option<u32>,
    ) -> Result<Typed> {
        let mut build = |name: &str, pair: &(Typed, Typed)| {
            Ok::<Expr, Error>(self.operator(name, pair.0.clone(), pair.1.clone(), place)?.expr)
        };
        let expr = match op {
            "=" => all_of(pairs.iter().map(|p| build("=", p)).collect::<Result<_>>()?),
            "<>" => any_of(pairs.iter().map(|p| build("<>", p)).collect::<Result<_>>()?),
            "<" | "<=" | ">" | ">=" => {
                let strict = &op[..1];
                let mut expr: Option<Expr> = None;
                for pair in pairs.iter().rev() {
                    expr = Some(match expr {
                        None => build(op, pair)?,
                        Some(rest) => any_of(vec![
                            build(strict, pair)?,
                            all_of(vec![build("=", pair)?, rest]),
                        ]),
                    });
                }
                expr.unwrap_or_else(|| literals::boolean(true))
            }
            _ => {
                return Err(Error::feature_not_supported(format!(
                    "could not determine interpretation of row comparison operator {op}"
                ))
                .at_place(place));
            }
        };
        Ok(Typed::new(expr, PgType::BOOL))
    }
}

/// `ALL (array)` after LIKE, which the parser takes for a call; and whether it is ALL.
fn quantifier(pattern: &ast::Expr) -> Option<(&ast::Expr, bool)> {
    let ast::Expr::Function(function) = pattern else { return None };
    let [ast::ObjectNamePart::Identifier(name)] = function.name.0.as_slice() else { return None };
    let all = match name.value.to_ascii_lowercase().as_str() {
        "all" => true,
        "any" | "some" => false,
        _ => return None,
    };
    let ast::FunctionArguments::List(list) = &function.args else { return None };
    match (name.quote_style, list.args.as_slice()) {
        (None, [ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(array))]) => {
            Some((array, all))
        }
        _ => None,
    }
}

/// The row that is compared with a NULL that is written out.
fn beside_null<'t>(left: &'t Typed, right: &'t Typed) -> Option<&'t Expr> {
    let is_null = |side: &Typed| {
        side.ty.is_unknown() && matches!(&side.expr, Expr::Literal(value, _) if value.is_null())
    };
    match (left.ty == PgType::RECORD, right.ty == PgType::RECORD) {
        (true, false) if is_null(right) => Some(&left.expr),
        (false, true) if is_null(left) => Some(&right.expr),
        _ => None,
    }
}

/// The lower bound of BETWEEN SYMMETRIC, which comes as a call.
fn symmetric_bound(low: &ast::Expr) -> Option<&ast::Expr> {
    let ast::Expr::Function(function) = low else { return None };
    let [ast::ObjectNamePart::Identifier(name)] = function.name.0.as_slice() else { return None };
    let ast::FunctionArguments::List(list) = &function.args else { return None };
    match list.args.as_slice() {
        [ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(low))]
            if name.value == crate::statement::SYMMETRIC =>
        {
            Some(low)
        }
        _ => None,
    }
}

fn unequal_rows() -> Error {
    Error::syntax_error("unequal number of entries in row expressions")
}

/// `-2147483648` is an integer although `2147483648` isn't.
pub(super) fn negative_number(digits: &str) -> Result<Typed> {
    use datafusion::scalar::ScalarValue;
    if digits == "2147483648" {
        return Ok(literals::int4(i32::MIN));
    }
    if digits == "9223372036854775808" {
        return Ok(Typed::new(
            Expr::Literal(ScalarValue::Int64(Some(i64::MIN)), None),
            PgType::INT8,
        ));
    }
    let positive = literals::number(digits)?;
    let value = match positive.expr {
        Expr::Literal(ScalarValue::Int32(Some(value)), _) => ScalarValue::Int32(Some(-value)),
        Expr::Literal(ScalarValue::Int64(Some(value)), _) => ScalarValue::Int64(Some(-value)),
        _ => crate::types::input_scalar(
            PgType::NUMERIC,
            &format!("-{digits}"),
            &crate::types::FormatSettings::default(),
        )?,
    };
    Ok(Typed::new(Expr::Literal(value, None), positive.ty))
}

/// The members of `(a, b)` and `ROW(a, b)`.
pub(super) fn row_members(expr: &ast::Expr) -> Option<Vec<&ast::Expr>> {
    match expr {
        ast::Expr::Tuple(members) => Some(members.iter().collect()),
        ast::Expr::Function(function)
            if function.name.0.len() == 1
                && function.over.is_none()
                && function.name.0[0].as_ident().is_some_and(|ident| {
                    ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("row")
                }) =>
        {
            let ast::FunctionArguments::List(list) = &function.args else { return None };
            list.args
                .iter()
                .map(|arg| match arg {
                    ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(expr)) => Some(expr),
                    _ => None,
                })
                .collect()
        }
        _ => None,
    }
}

/// The operands of `a AND b AND c`.
fn chain<'e>(whole: &'e ast::Expr, wanted: &ast::BinaryOperator) -> Vec<&'e ast::Expr> {
    let mut operands = Vec::new();
    let mut rest = vec![whole];
    while let Some(expr) = rest.pop() {
        match expr {
            ast::Expr::BinaryOp { left, op, right } if op == wanted => {
                rest.push(right);
                rest.push(left);
            }
            other => operands.push(other),
        }
    }
    operands
}

/// A conjunction as a tree of small depth.
pub(super) fn all_of(operands: Vec<Expr>) -> Expr {
    balanced(operands, Operator::And).unwrap_or_else(|| literals::boolean(true))
}

/// A disjunction as a tree of small depth.
pub(super) fn any_of(operands: Vec<Expr>) -> Expr {
    balanced(operands, Operator::Or).unwrap_or_else(|| literals::boolean(false))
}

fn balanced(mut operands: Vec<Expr>, op: Operator) -> Option<Expr> {
    while operands.len() > 1 {
        let mut next = Vec::with_capacity(operands.len().div_ceil(2));
        let mut rest = operands.into_iter();
        while let Some(left) = rest.next() {
            next.push(match rest.next() {
                Some(right) => binary_expr(left, op, right),
                None => left,
            });
        }
        operands = next;
    }
    operands.pop()
}

fn comparison(name: &str) -> Option<Operator> {
    Some(match name {
        "=" => Operator::Eq,
        "<>" => Operator::NotEq,
        "<" => Operator::Lt,
        "<=" => Operator::LtEq,
        ">" => Operator::Gt,
        ">=" => Operator::GtEq,
        _ => return None,
    })
}

fn is_column(typed: &Typed) -> bool {
    matches!(typed.expr, Expr::Column(_))
}

/// An operator's name in pg_operator.
pub(super) fn symbol(op: &ast::BinaryOperator) -> Option<String> {
    use ast::BinaryOperator as B;
    Some(
        match op {
            B::Plus => "+",
            B::Minus => "-",
            B::Multiply => "*",
            B::Divide => "/",
            B::Modulo => "%",
            B::StringConcat => "||",
            B::Gt => ">",
            B::Lt => "<",
            B::GtEq => ">=",
            B::LtEq => "<=",
            B::Eq => "=",
            B::NotEq => "<>",
            B::BitwiseOr => "|",
            B::BitwiseAnd => "&",
            B::BitwiseXor | B::PGExp => "^",
            B::PGBitwiseXor => "#",
            B::PGBitwiseShiftLeft => "<<",
            B::PGBitwiseShiftRight => ">>",
            B::PGOverlap => "&&",
            B::PGRegexMatch => "~",
            B::PGRegexIMatch => "~*",
            B::PGRegexNotMatch => "!~",
            B::PGRegexNotIMatch => "!~*",
            B::PGLikeMatch => "~~",
            B::PGILikeMatch => "~~*",
            B::PGNotLikeMatch => "!~~",
            B::PGNotILikeMatch => "!~~*",
            B::PGStartsWith => "^@",
            B::Arrow => "->",
            B::LongArrow => "->>",
            B::HashArrow => "#>",
            B::HashLongArrow => "#>>",
            B::AtAt => "@@",
            B::AtArrow => "@>",
            B::ArrowAt => "<@",
            B::HashMinus => "#-",
            B::AtQuestion => "@?",
            B::Question => "?",
            B::QuestionAnd => "?&",
            B::QuestionPipe => "?|",
            B::LtDashGt => "<->",
            B::PGCustomBinaryOperator(parts) => return parts.last().cloned(),
            B::Custom(name) => return Some(name.clone()),
            B::And
            | B::Or
            | B::Xor
            | B::Spaceship
            | B::DuckIntegerDivide
            | B::MyIntegerDivide
            | B::Match
            | B::Regexp
            | B::Assignment => return None,
            other => return Some(other.to_string()),
        }
        .to_owned(),
    )
}

/// Whether a result that must be boolean is one.
pub(super) fn wrong_operator() -> Error {
    Error::new(SqlState::WRONG_OBJECT_TYPE, "op ANY/ALL requires operator to yield boolean")
}

fn as_query(expr: &ast::Expr) -> Option<&ast::Query> {
    match expr {
        ast::Expr::Nested(inner) => as_query(inner),
        ast::Expr::Subquery(query) => Some(query),
        _ => None,
    }
}

/// A comparison of a constant with a column, the column on the left: DataFusion takes `4 = x` and
/// `x = 4` for conditions that contradict each other.
fn column_first(expr: Expr) -> Expr {
    match expr {
        Expr::BinaryExpr(test) if !test.left.any_column_refs() && test.right.any_column_refs() => {
            match test.op.swap() {
                Some(op) => binary_expr(*test.right, op, *test.left),
                None => Expr::BinaryExpr(test),
            }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_stay_shallow() {
        let operands: Vec<Expr> = (0..1000).map(|i| literals::boolean(i % 2 == 0)).collect();
        fn depth(expr: &Expr) -> usize {
            match expr {
                Expr::BinaryExpr(binary) => 1 + depth(&binary.left).max(depth(&binary.right)),
                _ => 0,
            }
        }
        assert_eq!(depth(&all_of(operands)), 10);
        assert_eq!(any_of(Vec::new()), literals::boolean(false));
    }

    #[test]
    fn the_smallest_integers_are_integers() {
        assert_eq!(negative_number("2147483648").unwrap().ty, PgType::INT4);
        assert_eq!(negative_number("9223372036854775808").unwrap().ty, PgType::INT8);
        assert_eq!(negative_number("1.5").unwrap().ty, PgType::NUMERIC);
    }
}

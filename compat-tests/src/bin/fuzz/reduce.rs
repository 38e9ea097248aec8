//! Makes a case that shows a difference as small as it gets.
//!
//! Cuts are tried from the outside in, and kept where the smaller case still differs in the same
//! way. Their number is bounded rather than their time, so that a seed always ends alike.

use crate::Result;
use crate::case::Case;
use crate::compare::{Kind, Outcome, Pair, Verdict};
use crate::report::words;
use crate::tree::{Node, Role};

/// Executions that the search for a smaller case may take.
const MAX_EXECUTIONS: u32 = 1200;
/// Parts of one role that are tried in the place of what they are in.
const MAX_STAND_INS: usize = 6;

/// The smallest case found that differs as `outcome` does, and how.
pub(crate) fn reduce(pair: &mut Pair, case: &Case, outcome: &Outcome) -> Result<(Case, Outcome)> {
    let mut reduction = Reduction {
        pair,
        case: case.clone(),
        outcome: outcome.clone(),
        executions: MAX_EXECUTIONS,
    };
    reduction.case.steps.truncate(outcome.step + 1);
    loop {
        let shrunk = reduction.drop_steps()? | reduction.shrink_steps()?;
        if !shrunk || reduction.executions == 0 {
            return Ok((reduction.case, reduction.outcome));
        }
    }
}

struct Reduction<'a> {
    pair: &'a mut Pair,
    case: Case,
    outcome: Outcome,
    /// Executions left.
    executions: u32,
}

impl Reduction<'_> {
    /// Keeps a smaller case if it differs in the same way.
    fn try_case(&mut self, candidate: Case) -> Result<bool> {
        if self.executions == 0 {
            return Ok(false);
        }
        let outcome = self.pair.run(&candidate)?;
        self.executions = self.executions.saturating_sub(outcome.executions.max(1));
        if !is_alike(&self.outcome, &outcome) {
            return Ok(false);
        }
        self.case = candidate;
        self.case.steps.truncate(outcome.step + 1);
        self.outcome = outcome;
        Ok(true)
    }

    fn drop_steps(&mut self) -> Result<bool> {
        let mut shrunk = false;
        let mut length = self.case.steps.len() / 2;
        while length > 0 {
            let mut start = 0;
            while start + length <= self.case.steps.len() {
                let range = start..start + length;
                let mut candidate = self.case.clone();
                let mut index = 0;
                candidate.steps.retain(|step| {
                    index += 1;
                    !(range.contains(&(index - 1)) && step.droppable)
                });
                let smaller = candidate.steps.len() < self.case.steps.len();
                if smaller && self.try_case(candidate)? {
                    shrunk = true;
                } else {
                    start += length;
                }
            }
            length /= 2;
        }
        Ok(shrunk)
    }

    fn shrink_steps(&mut self) -> Result<bool> {
        let mut shrunk = false;
        let mut step = 0;
        while step < self.case.steps.len() {
            let mut place = 0;
            while let Some(node) = nth(&self.case.steps.get(step).map(|s| &s.node), place) {
                let mut kept = false;
                for smaller in cuts(node) {
                    let mut candidate = self.case.clone();
                    replace_nth(&mut candidate.steps[step].node, &mut { place }, smaller);
                    if self.try_case(candidate)? {
                        kept = true;
                        break;
                    }
                }
                shrunk |= kept;
                // What took its place may be cut further.
                place += usize::from(!kept);
                if self.executions == 0 {
                    return Ok(shrunk);
                }
            }
            step += 1;
        }
        Ok(shrunk)
    }
}

fn is_alike(before: &Outcome, after: &Outcome) -> bool {
    before.verdict == after.verdict
        && match before.verdict {
            Verdict::Different(Kind::Rows | Kind::Order | Kind::Columns | Kind::Slow) => true,
            Verdict::Different(_) => words(before) == words(after),
            _ => false,
        }
}

/// The piece at a place, counted from the outside in and from left to right.
fn nth<'a>(root: &Option<&'a Node>, place: usize) -> Option<&'a Node> {
    let mut found = None;
    let mut count = 0;
    root.as_ref()?.visit(&mut |node| {
        if count == place {
            found = Some(node);
        }
        count += 1;
    });
    found
}

fn replace_nth(node: &mut Node, place: &mut usize, new: Node) -> Option<Node> {
    if *place == 0 {
        *node = new;
        return None;
    }
    let mut new = Some(new);
    for child in node.children_mut() {
        *place -= 1;
        new = replace_nth(child, place, new.take()?);
        new.as_ref()?;
    }
    new
}

/// What may stand in a piece's place, the shortest first.
fn cuts(node: &Node) -> Vec<Node> {
    match node {
        Node::Optional(inner) => {
            let mut cuts = vec![Node::empty()];
            cuts.push((**inner).clone());
            cuts
        }
        Node::List { items, separator, minimum } => {
            let mut cuts = Vec::new();
            let list = |items| Node::List { items, separator, minimum: *minimum };
            if items.len() > minimum + 1 {
                cuts.push(list(items[..*minimum].to_vec()));
                if *minimum == 1 {
                    cuts.extend(items[1..].iter().map(|item| list(vec![item.clone()])));
                }
            }
            let droppable = if *minimum == 1 { 0 } else { *minimum };
            for dropped in (droppable..items.len()).filter(|_| items.len() > *minimum) {
                let mut rest = items.clone();
                rest.remove(dropped);
                cuts.push(list(rest));
            }
            cuts
        }
        Node::Part { role, node: inner } => stand_ins(role, inner),
        Node::Text(_) | Node::Value(_) | Node::Sequence(_) => Vec::new(),
    }
}

fn stand_ins(role: &Role, inner: &Node) -> Vec<Node> {
    let mut found = Vec::new();
    if let Role::Value(ty) = role {
        // A constant is as small as it gets.
        if matches!(inner, Node::Value(_)) {
            return found;
        }
        let null = Node::from(format!("NULL::{}", ty.name()));
        if *inner != null {
            if *ty == crate::types::Type::Bool && *inner != Node::from("true") {
                found.push(Node::from("true").value(*ty));
            }
            found.push(null.value(*ty));
        }
    }
    let mut parts = Vec::new();
    inner.visit(&mut |node| match node {
        Node::Part { role: other, .. } if other == role => parts.push(node.clone()),
        _ => {}
    });
    if let Role::SortKey(_) = role {
        return Vec::new();
    }
    parts.truncate(MAX_STAND_INS);
    found.extend(parts);
    found
}

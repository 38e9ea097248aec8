//! What is run and compared as a whole: one statement, or a few that depend on each other.

use crate::tree::{Node, Value};

/// Statements that run in order on both servers, with what cleans up after them.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) steps: Vec<Step>,
    /// Run whatever happened, and not compared.
    pub(crate) cleanup: Vec<String>,
    pub(crate) protocol: Protocol,
    pub(crate) strictness: Strictness,
}

/// One statement.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) node: Node,
    /// Whether the steps around it make sense without it.
    pub(crate) droppable: bool,
}

/// How statements reach the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Simple queries with constants.
    Simple,
    /// Prepared statements whose constants are parameters, each run several times.
    Prepared {
        runs: u32,
        seed: u64,
        /// Whether the server is to infer the types of constants that are written without.
        inferred: bool,
    },
}

impl Protocol {
    /// The OID that Parse declares for a parameter, 0 where the server is to infer it.
    pub(crate) fn declared(self, value: &Value) -> u32 {
        match self {
            Protocol::Prepared { inferred: true, .. } if value.bare => 0,
            Protocol::Prepared { .. } | Protocol::Simple => value.ty.oid(),
        }
    }
}

/// How alike two answers must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// To the last digit; an error of one server alone is a difference.
    Exact,
    /// Of equal numbers either text may stand for a group, sums of floats may differ in the last
    /// digits, and an error that depends on which rows are looked at first may come on one server
    /// alone.
    Equal,
}

impl Case {
    /// A single query.
    pub(crate) fn query(node: Node, strictness: Strictness) -> Case {
        Case {
            steps: vec![Step { node, droppable: false }],
            cleanup: Vec::new(),
            protocol: Protocol::Simple,
            strictness,
        }
    }

    /// The same statements by another protocol.
    pub(crate) fn with(&self, protocol: Protocol) -> Case {
        Case { protocol, ..self.clone() }
    }

    /// The same statements with the constants of another run.
    pub(crate) fn at_run(&self, run: u32, seed: u64) -> Case {
        let mut case = self.clone();
        case.steps.iter_mut().for_each(|step| step.node.take_values(run, seed));
        case
    }

    /// Whether any constant can become a parameter.
    pub(crate) fn has_values(&self) -> bool {
        let mut found = false;
        for step in &self.steps {
            step.node.visit(&mut |node| found |= matches!(node, Node::Value(_)));
        }
        found
    }
}

impl Step {
    /// A statement that the others need.
    pub(crate) fn fixed(node: impl Into<Node>) -> Step {
        Step { node: node.into(), droppable: false }
    }

    /// A statement that may be left out.
    pub(crate) fn droppable(node: impl Into<Node>) -> Step {
        Step { node: node.into(), droppable: true }
    }
}

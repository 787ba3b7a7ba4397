//! The fields that are read and checked, but whose behaviour is still to come.
//!
//! To give one its behaviour, delete its line.

use crate::error::Refusal;
use crate::node::{Node, Value};

/// The paths of the fields; `*` is any name.
const FIELDS: &[&[&str]] = &[
    &["authorizer"],
    &["functions", "*", "maxConcurrency"],
    &["routes", "*", "throttlingBurstLimit"],
    &["routes", "*", "throttlingRateLimit"],
    &["stage", "throttlingBurstLimit"],
    &["stage", "throttlingRateLimit"],
];

/// Refuses the first of them in the file: a setting is never silently ignored.
pub(crate) fn refuse(root: &Node) -> Result<(), Refusal> {
    let first = FIELDS
        .iter()
        .filter_map(|field| find(root, field))
        .min_by_key(|node| node.line);
    match first {
        Some(node) => Err(Refusal::new(node.line, &node.path, "not yet supported")),
        None => Ok(()),
    }
}

/// The first node, from the top, that the path leads to.
fn find<'a>(node: &'a Node, path: &[&str]) -> Option<&'a Node> {
    let Some((step, path)) = path.split_first() else {
        return Some(node);
    };
    match &node.value {
        Value::Mapping(entries) => entries
            .iter()
            .filter(|(name, _)| name == step || *step == "*")
            .find_map(|(_, node)| find(node, path)),
        _ => None,
    }
}

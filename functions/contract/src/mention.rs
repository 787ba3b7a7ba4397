//! Finds each use of a function's name in the contract.

use crate::node::{Node, Value};

/// One use of a function's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mention {
    pub(crate) function: String,
    /// The route key, if a route uses the function.
    pub(crate) route_key: Option<String>,
    /// The path of the mapping with the field `function`: a route, `authorizer` or `push`.
    pub(crate) path: String,
    pub(crate) line: usize,
    /// The line of the field `function` itself.
    pub(crate) function_line: usize,
}

/// All mentions in file order. `root` must be a valid contract.
pub(crate) fn all(root: &Node) -> Vec<Mention> {
    entries(root)
        .iter()
        .flat_map(|(name, section)| match name.as_str() {
            "routes" => entries(section)
                .iter()
                .filter_map(|(key, route)| mention(route, Some(key)))
                .collect(),
            "authorizer" | "push" => Vec::from_iter(mention(section, None)),
            _ => Vec::new(),
        })
        .collect()
}

fn mention(node: &Node, route_key: Option<&String>) -> Option<Mention> {
    let function = node.entry("function")?;
    match &function.value {
        Value::Scalar { text, .. } => Some(Mention {
            function: text.clone(),
            route_key: route_key.cloned(),
            path: node.path.clone(),
            line: node.line,
            function_line: function.line,
        }),
        Value::List(_) | Value::Mapping(_) => None,
    }
}

fn entries(node: &Node) -> &[(String, Node)] {
    match &node.value {
        Value::Mapping(entries) => entries,
        Value::Scalar { .. } | Value::List(_) => &[],
    }
}

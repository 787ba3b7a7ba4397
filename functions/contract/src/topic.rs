//! Finds topics whose names collide in Kafka.

use std::collections::HashMap;

use crate::{
    error::{DocumentError, quote},
    name,
    node::{Node, Value},
};

/// Rejects a topic whose name differs from an earlier one only in `.` and `_`.
///
/// Metric names use `_` for both characters, so brokers refuse to create the second topic:
/// `org.apache.kafka.common.internals.Topic.hasCollision`. `root` must be a valid contract.
pub(crate) fn reject_collisions(root: &Node) -> Result<(), DocumentError> {
    let mut earlier = HashMap::new();
    for node in all(root) {
        let topic = name::topic(node)?;
        let first = earlier
            .entry(topic.replace('.', "_"))
            .or_insert_with(|| topic.clone());
        if *first != topic {
            let problem = format!("{} collides with {} in Kafka", quote(&topic), quote(first));
            return Err(node.reject(&problem, ADVICE));
        }
    }
    Ok(())
}

/// All topics in file order.
fn all(root: &Node) -> Vec<&Node> {
    let Value::Mapping(sections) = &root.value else {
        return Vec::new();
    };
    sections
        .iter()
        .flat_map(|(name, section)| match (name.as_str(), &section.value) {
            ("routes", Value::Mapping(routes)) => routes
                .iter()
                .filter_map(|(_, route)| route.entry("topic"))
                .collect(),
            ("push", Value::Mapping(fields)) => fields.iter().flat_map(topics_of_push).collect(),
            _ => Vec::new(),
        })
        .collect()
}

fn topics_of_push((name, node): &(String, Node)) -> Vec<&Node> {
    match (name.as_str(), &node.value) {
        ("topics", Value::List(topics)) => topics.iter().collect(),
        ("deadLetter", _) => vec![node],
        _ => Vec::new(),
    }
}

const ADVICE: &str = "use names that differ in more than `.` and `_`";

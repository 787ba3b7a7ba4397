//! Topics that Kafka would take for one.

use std::collections::HashMap;

use crate::{
    error::{DocumentError, shown},
    name,
    node::{Node, Value},
};

/// Refuses a topic whose name differs from an earlier one's in `.` and `_` only.
///
/// Kafka's metrics write both alike, so its brokers refuse to create the second:
/// `org.apache.kafka.common.internals.Topic.hasCollision`. `root` is a contract
/// that was read without fault.
pub(crate) fn refuse_collisions(root: &Node) -> Result<(), DocumentError> {
    let mut earlier = HashMap::new();
    for node in all(root) {
        let topic = name::topic(node)?;
        let first = earlier
            .entry(topic.replace('.', "_"))
            .or_insert_with(|| topic.clone());
        if *first != topic {
            let found = format!("{} beside {}", shown(&topic), shown(first));
            return Err(node.refuse(&found, EXPECTED));
        }
    }
    Ok(())
}

/// Every topic, from the top of the file.
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

const EXPECTED: &str = "topics that differ in more than `.` and `_` (these collide in Kafka)";

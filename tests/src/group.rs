//! Reads a consumer group's committed offsets and coordinator.

use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::{FindCoordinatorRequest, GroupId, OffsetFetchRequest, TopicName};
use kafka_protocol::protocol::StrBytes;

use crate::admin::ask_one;
use crate::wait::eventually;

/// Request versions that the embedded broker and Kafka 4 both support.
const FIND_COORDINATOR: i16 = 1;
const OFFSET_FETCH: i16 = 2;

/// The committed offsets of a topic's first partitions; -1 for a partition without one.
pub async fn committed(brokers: &str, group: &str, topic: &str, partitions: i32) -> Vec<i64> {
    let first = brokers.split(',').next().unwrap();
    let port = first.rsplit_once(':').unwrap().1.parse().unwrap();
    let find = FindCoordinatorRequest::default().with_key(text(group));
    let asked = OffsetFetchRequestTopic::default()
        .with_name(TopicName(text(topic)))
        .with_partition_indexes((0..partitions).collect());
    let fetch = OffsetFetchRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_topics(Some(vec![asked]));
    eventually("the offsets of a group", async || {
        let coordinator = ask_one(port, &find, FIND_COORDINATOR).await?;
        let port = u16::try_from(coordinator.port).ok()?;
        let answer = ask_one(port, &fetch, OFFSET_FETCH).await?;
        let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
        let offsets = partitions.map(|partition| partition.committed_offset);
        (answer.error_code == 0).then(|| offsets.collect())
    })
    .await
}

/// The node id of a group's coordinator, from the first broker that knows it.
pub async fn coordinator(brokers: &str, group: &str) -> i32 {
    let find = FindCoordinatorRequest::default().with_key(text(group));
    eventually("a coordinator", async || {
        for broker in brokers.split(',') {
            let port = broker.rsplit_once(':').unwrap().1.parse().unwrap();
            let found = ask_one(port, &find, FIND_COORDINATOR).await;
            if let Some(found) = found.filter(|found| found.error_code == 0) {
                return Some(found.node_id.0);
            }
        }
        None
    })
    .await
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

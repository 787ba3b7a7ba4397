//! Topics: metadata, creation, deletion, offsets and settings.

use kafka_protocol::{
    ResponseError,
    messages::{BrokerId, DeleteTopicsRequest, MetadataRequest, MetadataResponse},
};

use super::{Running, samples};
use crate::store::sample::records;

/// Returns the error code, name and number of partitions of each topic.
fn topics(response: &MetadataResponse) -> Vec<(i16, &str, usize)> {
    let topics = response.topics.iter();
    topics
        .map(|topic| {
            (
                topic.error_code,
                &***topic.name.as_ref().unwrap(),
                topic.partitions.len(),
            )
        })
        .collect()
}

#[tokio::test]
async fn metadata_returns_the_address_that_the_client_connected_to() {
    let broker = Running::start().await;
    let response = broker
        .connect()
        .await
        .call(9, &samples::metadata(&["t"]))
        .await;
    let node = &response.brokers[0];
    assert_eq!(response.brokers.len(), 1);
    assert_eq!(node.host.parse(), Ok(broker.address.ip()));
    assert_eq!(node.port, i32::from(broker.address.port()));
    assert_eq!(response.controller_id, node.node_id);
    for (index, partition) in (0..).zip(&response.topics[0].partitions) {
        assert_eq!(
            (partition.partition_index, partition.leader_id),
            (index, node.node_id)
        );
        assert_eq!(partition.isr_nodes, [node.node_id]);
    }
}

#[tokio::test]
async fn metadata_lists_all_topics_if_none_is_requested() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    let empty = MetadataRequest::default();
    let null = MetadataRequest::default().with_topics(None);
    assert_eq!(topics(&client.call(0, &empty).await), [(0, "t", 2)]);
    assert_eq!(topics(&client.call(1, &null).await), [(0, "t", 2)]);
    assert_eq!(topics(&client.call(9, &null).await), [(0, "t", 2)]);
    assert_eq!(topics(&client.call(1, &empty).await), []);
    assert_eq!(topics(&client.call(9, &empty).await), []);
}

#[tokio::test]
async fn metadata_creates_missing_topics_if_the_client_allows_it() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    let invalid = ResponseError::InvalidTopicException.code();
    let requested = samples::metadata(&["t", "u", "u"]).with_allow_auto_topic_creation(false);
    assert_eq!(
        topics(&client.call(9, &requested).await),
        [(0, "t", 2), (unknown, "u", 0)]
    );
    assert_eq!(
        topics(&client.call(9, &samples::metadata(&["u"])).await),
        [(0, "u", 3)]
    );
    assert_eq!(
        topics(&client.call(9, &requested).await),
        [(0, "t", 2), (0, "u", 3)]
    );
    assert_eq!(
        topics(&client.call(0, &samples::metadata(&["old"])).await),
        [(0, "old", 3)]
    );
    assert_eq!(
        topics(&client.call(9, &samples::metadata(&["no way"])).await),
        [(invalid, "no way", 0)]
    );
}

#[tokio::test]
async fn topics_are_created_as_requested_or_rejected_with_a_message() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    let mut check = async |name: &str, num_partitions, replication_factor, only_validate| {
        let mut request =
            samples::create_topics(name, num_partitions).with_validate_only(only_validate);
        request.topics.truncate(1);
        request.topics[0].replication_factor = replication_factor;
        let created = client.call(5, &request).await.topics.remove(0);
        match ResponseError::try_from_code(created.error_code) {
            None => Ok(created.num_partitions),
            Some(error) => {
                assert!(
                    created
                        .error_message
                        .is_some_and(|message| !message.is_empty())
                );
                Err(error)
            }
        }
    };
    assert_eq!(check("a", 4, 1, true).await, Ok(4));
    assert_eq!(check("a", 4, 1, false).await, Ok(4));
    assert_eq!(
        check("a", 4, 1, false).await,
        Err(ResponseError::TopicAlreadyExists)
    );
    assert_eq!(check("b", -1, -1, false).await, Ok(3));
    assert_eq!(
        check("c", 0, 1, false).await,
        Err(ResponseError::InvalidPartitions)
    );
    assert_eq!(
        check("c", -2, 1, false).await,
        Err(ResponseError::InvalidPartitions)
    );
    assert_eq!(
        check("c", 1, 3, false).await,
        Err(ResponseError::InvalidReplicationFactor)
    );
    assert_eq!(
        check("c", 20_000, 1, false).await,
        Err(ResponseError::PolicyViolation)
    );
    assert_eq!(
        check("c d", 1, 1, false).await,
        Err(ResponseError::InvalidTopicException)
    );
    assert_eq!(
        topics(
            &client
                .call(9, &MetadataRequest::default().with_topics(None))
                .await
        )
        .len(),
        3
    );
}

#[tokio::test]
async fn replicas_on_other_nodes_are_rejected() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    let mut request = samples::create_topics("a", 1);
    let created = client.call(5, &request).await;
    assert_eq!(
        (
            created.topics[1].error_code,
            created.topics[1].num_partitions
        ),
        (0, 2)
    );
    request.topics[1].name = samples::name("elsewhere");
    request.topics[1].assignments[0].broker_ids = vec![BrokerId(2)];
    let rejected = client.call(5, &request).await;
    assert_eq!(
        rejected.topics[1].error_code,
        ResponseError::InvalidReplicaAssignment.code()
    );
}

#[tokio::test]
async fn a_deleted_topic_is_unknown() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    client.produce(0, records(1).bytes()).await;
    let request = DeleteTopicsRequest::default()
        .with_topic_names(vec![samples::name("t"), samples::name("u")]);
    let deleted = client.call(5, &request).await;
    let errors: Vec<_> = deleted
        .responses
        .iter()
        .map(|topic| topic.error_code)
        .collect();
    assert_eq!(errors, [0, ResponseError::UnknownTopicOrPartition.code()]);
    let fetched = client.fetch(0, 0).await;
    assert_eq!(
        fetched.error_code,
        ResponseError::UnknownTopicOrPartition.code()
    );
}

#[tokio::test]
async fn offsets_are_listed_for_log_start_log_end_and_timestamps() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    client
        .produce(0, records(2).with_timestamps(1000, 1000).bytes())
        .await;
    client
        .produce(0, records(2).with_timestamps(2000, 2000).bytes())
        .await;
    assert_eq!(client.list_offset(0, -1).await, 4);
    assert_eq!(client.list_offset(0, -2).await, 0);
    assert_eq!(client.list_offset(0, 0).await, 0);
    assert_eq!(client.list_offset(0, 1001).await, 2);
    assert_eq!(client.list_offset(0, 2001).await, -1);
    let unknown = client.call(6, &samples::list_offsets("u", 0, -1)).await;
    let error_code = unknown.topics[0].partitions[0].error_code;
    assert_eq!(error_code, ResponseError::UnknownTopicOrPartition.code());
}

#[tokio::test]
async fn deleted_records_are_out_of_range() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    for _ in 0..3 {
        client.produce(0, records(2).bytes()).await;
    }
    let mut check = async |offset| {
        let response = client.call(2, &samples::delete_records(offset)).await;
        let partitions = &response.topics[0].partitions;
        assert_eq!(
            partitions[1].error_code,
            ResponseError::UnknownTopicOrPartition.code()
        );
        (partitions[0].error_code, partitions[0].low_watermark)
    };
    let out_of_range = ResponseError::OffsetOutOfRange.code();
    assert_eq!(check(3).await, (0, 3));
    assert_eq!(check(1).await, (0, 3));
    assert_eq!(check(7).await, (out_of_range, -1));
    assert_eq!(check(-2).await, (out_of_range, -1));
    assert_eq!(client.fetch(0, 2).await.error_code, out_of_range);
    assert_eq!(client.fetch(0, 3).await.error_code, 0);
    let everything = client.call(2, &samples::delete_records(-1)).await;
    assert_eq!(everything.topics[0].partitions[0].low_watermark, 6);
    assert_eq!(client.list_offset(0, -2).await, 6);
}

#[tokio::test]
async fn only_requested_settings_are_described() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    let mut check = async |resource_type, name: &str, keys: &[&str]| {
        let request = samples::describe_configs(resource_type, name, keys);
        let result = client.call(4, &request).await.results.remove(0);
        let settings = result.configs.iter();
        let settings = settings
            .map(|setting| format!("{}={}", setting.name, &**setting.value.as_ref().unwrap()));
        ResponseError::try_from_code(result.error_code).map_or_else(|| Ok(settings.collect()), Err)
    };
    let one = |setting: &str| Ok(vec![setting.to_owned()]);
    assert_eq!(
        check(2, "t", &["max.message.bytes", "x"]).await,
        one("max.message.bytes=1048588")
    );
    assert_eq!(
        check(4, "1", &["num.partitions"]).await,
        one("num.partitions=3")
    );
    assert_eq!(check(2, "t", &[]).await.map(|all: Vec<_>| all.len()), Ok(6));
    assert_eq!(
        check(2, "u", &[]).await,
        Err(ResponseError::UnknownTopicOrPartition)
    );
    assert_eq!(check(4, "2", &[]).await, Err(ResponseError::InvalidRequest));
    assert_eq!(check(8, "x", &[]).await, Err(ResponseError::InvalidRequest));
}

//! Requests as clients send them.

use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    messages::{
        ApiKey, ApiVersionsRequest, BrokerId, CreateTopicsRequest, DeleteGroupsRequest,
        DeleteRecordsRequest, DeleteTopicsRequest, DescribeConfigsRequest, DescribeGroupsRequest,
        FetchRequest, FindCoordinatorRequest, GroupId, HeartbeatRequest, InitProducerIdRequest,
        JoinGroupRequest, LeaveGroupRequest, ListGroupsRequest, ListOffsetsRequest,
        MetadataRequest, OffsetCommitRequest, OffsetFetchRequest, ProduceRequest, RequestHeader,
        SaslHandshakeRequest, SyncGroupRequest, TopicName,
        create_topics_request::{CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig},
        delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic},
        describe_configs_request::DescribeConfigsResource,
        fetch_request::{FetchPartition, FetchTopic, ForgottenTopic},
        join_group_request::JoinGroupRequestProtocol,
        list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
        metadata_request::MetadataRequestTopic,
        offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
        offset_fetch_request::OffsetFetchRequestTopic,
        produce_request::{PartitionProduceData, TopicProduceData},
        sync_group_request::SyncGroupRequestAssignment,
    },
    protocol::{Encodable, Request, StrBytes},
};

use crate::{request::SUPPORTED, store::sample::records};

pub(super) const CORRELATION_ID: i32 = 77;

/// Encodes a request without its length prefix.
pub(super) fn encode<R: Request>(version: i16, request: &R) -> Bytes {
    let api = ApiKey::try_from(R::KEY).unwrap();
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(CORRELATION_ID)
        .with_client_id(Some(StrBytes::from_static_str("test")));
    let mut bytes = BytesMut::new();
    header
        .encode(&mut bytes, api.request_header_version(version))
        .unwrap();
    request.encode(&mut bytes, version).unwrap();
    bytes.freeze()
}

/// Returns a request for every supported API and version. No array in it is empty.
pub(crate) fn all() -> Vec<(ApiKey, i16, Bytes)> {
    let versions = SUPPORTED
        .into_iter()
        .flat_map(|(api, versions)| versions.map(move |version| (api, version)));
    versions
        .map(|(api, version)| (api, version, one(api, version)))
        .collect()
}

fn one(api: ApiKey, version: i16) -> Bytes {
    match api {
        ApiKey::ApiVersions => encode(version, &api_versions(version)),
        ApiKey::CreateTopics => encode(version, &create_topics("created", 2).with_timeout_ms(5)),
        ApiKey::DeleteGroups => encode(
            version,
            &DeleteGroupsRequest::default().with_groups_names(vec![group("g"), group("h")]),
        ),
        ApiKey::DeleteRecords => encode(version, &delete_records(0)),
        ApiKey::DeleteTopics => encode(
            version,
            &DeleteTopicsRequest::default().with_topic_names(vec![name("t"), name("u")]),
        ),
        ApiKey::DescribeConfigs => {
            encode(version, &describe_configs(2, "t", &["retention.ms", "x"]))
        }
        ApiKey::DescribeGroups => encode(version, &describe_groups(&["g", "h"])),
        ApiKey::Fetch => encode(version, &fetch_all(version)),
        ApiKey::FindCoordinator => encode(
            version,
            &FindCoordinatorRequest::default().with_key(text("group")),
        ),
        ApiKey::Heartbeat => encode(version, &heartbeat("m", 1)),
        ApiKey::InitProducerId => encode(
            version,
            &InitProducerIdRequest::default().with_transactional_id(None),
        ),
        ApiKey::JoinGroup => encode(version, &join_group("")),
        ApiKey::LeaveGroup => encode(version, &leave_group("m")),
        ApiKey::ListGroups => encode(version, &ListGroupsRequest::default()),
        ApiKey::ListOffsets => encode(version, &list_offsets("t", 0, -1)),
        ApiKey::Metadata => encode(version, &metadata(&["t", "u"])),
        ApiKey::OffsetCommit => encode(version, &offset_commit("", -1, &[(0, 5), (9, 5)])),
        ApiKey::OffsetFetch => encode(version, &offset_fetch(Some(&[0, 1]))),
        ApiKey::Produce => encode(version, &produce("t", 0, 1, records(3).bytes())),
        ApiKey::SaslHandshake => encode(
            version,
            &SaslHandshakeRequest::default().with_mechanism(text("PLAIN")),
        ),
        ApiKey::SyncGroup => encode(version, &sync_group("m", 1, &[("m", b"a"), ("n", b"")])),
        unsupported => panic!("no sample request for {unsupported:?}"),
    }
}

pub(super) fn api_versions(version: i16) -> ApiVersionsRequest {
    let request = ApiVersionsRequest::default();
    if version < 3 {
        return request;
    }
    request
        .with_client_software_name(text("test"))
        .with_client_software_version(text("1"))
}

pub(super) fn metadata(topics: &[&str]) -> MetadataRequest {
    let topic = |topic: &&str| MetadataRequestTopic::default().with_name(Some(name(topic)));
    MetadataRequest::default().with_topics(Some(topics.iter().map(topic).collect()))
}

pub(super) fn create_topics(topic: &str, num_partitions: i32) -> CreateTopicsRequest {
    let config = CreatableTopicConfig::default()
        .with_name(text("retention.ms"))
        .with_value(Some(text("1")));
    let assigned = |index| {
        CreatableReplicaAssignment::default()
            .with_partition_index(index)
            .with_broker_ids(vec![BrokerId(1)])
    };
    CreateTopicsRequest::default().with_topics(vec![
        CreatableTopic::default()
            .with_name(name(topic))
            .with_num_partitions(num_partitions)
            .with_replication_factor(1)
            .with_configs(vec![config.clone(), config]),
        CreatableTopic::default()
            .with_name(name("assigned"))
            .with_num_partitions(-1)
            .with_replication_factor(-1)
            .with_assignments(vec![assigned(0), assigned(1)]),
    ])
}

pub(super) fn delete_records(offset: i64) -> DeleteRecordsRequest {
    let partition = |index| {
        DeleteRecordsPartition::default()
            .with_partition_index(index)
            .with_offset(offset)
    };
    let topic = DeleteRecordsTopic::default()
        .with_name(name("t"))
        .with_partitions(vec![partition(0), partition(9)]);
    DeleteRecordsRequest::default().with_topics(vec![topic])
}

pub(super) fn describe_configs(
    resource_type: i8,
    name: &str,
    keys: &[&str],
) -> DescribeConfigsRequest {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(resource_type)
        .with_resource_name(text(name))
        .with_configuration_keys(Some(keys.iter().map(|key| text(key)).collect()));
    DescribeConfigsRequest::default().with_resources(vec![resource])
}

pub(super) fn list_offsets(topic: &str, partition: i32, timestamp: i64) -> ListOffsetsRequest {
    let partition = ListOffsetsPartition::default()
        .with_partition_index(partition)
        .with_timestamp(timestamp);
    let topic = ListOffsetsTopic::default()
        .with_name(name(topic))
        .with_partitions(vec![partition]);
    ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_topics(vec![topic])
}

pub(super) fn produce(topic: &str, partition: i32, acks: i16, records: Bytes) -> ProduceRequest {
    let partition = PartitionProduceData::default()
        .with_index(partition)
        .with_records(Some(records));
    let topic = TopicProduceData::default()
        .with_name(name(topic))
        .with_partition_data(vec![partition]);
    ProduceRequest::default()
        .with_transactional_id(None)
        .with_acks(acks)
        .with_topic_data(vec![topic])
}

/// Fetches all records of one partition of topic `t` without waiting.
pub(super) fn fetch(partition: i32, offset: i64) -> FetchRequest {
    fetch_from(&[(partition, offset)])
}

/// Fetches all records of several partitions of topic `t` without waiting.
pub(super) fn fetch_from(positions: &[(i32, i64)]) -> FetchRequest {
    let partition = |(index, offset): &(i32, i64)| {
        FetchPartition::default()
            .with_partition(*index)
            .with_fetch_offset(*offset)
            .with_partition_max_bytes(i32::MAX)
    };
    let topic = FetchTopic::default()
        .with_topic(name("t"))
        .with_partitions(positions.iter().map(partition).collect());
    FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_min_bytes(1)
        .with_max_bytes(i32::MAX)
        .with_topics(vec![topic])
}

fn fetch_all(version: i16) -> FetchRequest {
    let request = fetch_from(&[(0, 0), (1, 0)]);
    if version < 7 {
        return request;
    }
    let forgotten = ForgottenTopic::default()
        .with_topic(name("t"))
        .with_partitions(vec![0, 1]);
    request.with_forgotten_topics_data(vec![forgotten])
}

/// Joins group `g` with two protocols.
pub(super) fn join_group(member: &str) -> JoinGroupRequest {
    let protocol = |name| {
        JoinGroupRequestProtocol::default()
            .with_name(text(name))
            .with_metadata(Bytes::from(format!("{name} of {member}")))
    };
    JoinGroupRequest::default()
        .with_group_id(group("g"))
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(-1)
        .with_member_id(text(member))
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol("range"), protocol("roundrobin")])
}

pub(super) fn sync_group(
    member: &str,
    generation: i32,
    assignments: &[(&str, &'static [u8])],
) -> SyncGroupRequest {
    let assignments = assignments.iter().map(|(member, assignment)| {
        SyncGroupRequestAssignment::default()
            .with_member_id(text(member))
            .with_assignment(Bytes::from_static(assignment))
    });
    SyncGroupRequest::default()
        .with_group_id(group("g"))
        .with_generation_id(generation)
        .with_member_id(text(member))
        .with_assignments(assignments.collect())
}

pub(super) fn heartbeat(member: &str, generation: i32) -> HeartbeatRequest {
    HeartbeatRequest::default()
        .with_group_id(group("g"))
        .with_generation_id(generation)
        .with_member_id(text(member))
}

pub(super) fn leave_group(member: &str) -> LeaveGroupRequest {
    LeaveGroupRequest::default()
        .with_group_id(group("g"))
        .with_member_id(text(member))
}

/// Commits offsets of group `g` for partitions of topic `t`.
pub(super) fn offset_commit(
    member: &str,
    generation: i32,
    offsets: &[(i32, i64)],
) -> OffsetCommitRequest {
    let partitions = offsets.iter().map(|(partition, offset)| {
        OffsetCommitRequestPartition::default()
            .with_partition_index(*partition)
            .with_committed_offset(*offset)
            .with_committed_metadata(Some(text("note")))
    });
    let topic = OffsetCommitRequestTopic::default()
        .with_name(name("t"))
        .with_partitions(partitions.collect());
    OffsetCommitRequest::default()
        .with_group_id(group("g"))
        .with_generation_id_or_member_epoch(generation)
        .with_member_id(text(member))
        .with_topics(vec![topic])
}

/// Fetches offsets of group `g` for partitions of topic `t`, or all offsets for `None`.
pub(super) fn offset_fetch(partitions: Option<&[i32]>) -> OffsetFetchRequest {
    let topic = |partitions: &[i32]| {
        let topic = OffsetFetchRequestTopic::default().with_name(name("t"));
        vec![topic.with_partition_indexes(partitions.to_vec())]
    };
    OffsetFetchRequest::default()
        .with_group_id(group("g"))
        .with_topics(partitions.map(topic))
}

pub(super) fn describe_groups(groups: &[&str]) -> DescribeGroupsRequest {
    DescribeGroupsRequest::default().with_groups(groups.iter().map(|id| group(id)).collect())
}

pub(super) fn group(id: &str) -> GroupId {
    GroupId(text(id))
}

pub(super) fn name(topic: &str) -> TopicName {
    TopicName(text(topic))
}

pub(super) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

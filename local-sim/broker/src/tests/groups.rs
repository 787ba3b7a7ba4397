//! Consumer groups: joins, assignments, fencing, committed offsets and administration.

use kafka_protocol::{
    ResponseError,
    messages::{
        DeleteGroupsRequest, DeleteTopicsRequest, JoinGroupRequest, JoinGroupResponse,
        ListGroupsRequest, SyncGroupRequest,
    },
};

use super::{Running, samples, wire::Wire};

const REBALANCE_TIMEOUT_MS: i32 = 15_000;

fn join(member: &str) -> JoinGroupRequest {
    samples::join_group(member).with_rebalance_timeout_ms(REBALANCE_TIMEOUT_MS)
}

/// Gets a member id and joins with it.
async fn joined(client: &mut Wire) -> JoinGroupResponse {
    let id = client.call(4, &join("")).await;
    assert_eq!(id.error_code, ResponseError::MemberIdRequired.code());
    let joined = client.call(4, &join(&id.member_id)).await;
    assert_eq!(joined.error_code, 0);
    assert_eq!(joined.member_id, id.member_id);
    joined
}

/// Joins as the only member and assigns everything to itself.
async fn join_alone(client: &mut Wire) -> JoinGroupResponse {
    let joined = joined(client).await;
    let member = &joined.member_id;
    let synced = client
        .call(
            2,
            &samples::sync_group(member, joined.generation_id, &[(member, b"all")]),
        )
        .await;
    assert_eq!(
        (synced.error_code, &synced.assignment[..]),
        (0, &b"all"[..])
    );
    joined
}

#[tokio::test]
async fn the_only_member_is_the_leader_and_gets_its_own_assignment() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    let joined = join_alone(&mut client).await;
    assert_eq!(joined.generation_id, 1);
    assert_eq!(joined.leader, joined.member_id);
    assert_eq!(joined.protocol_name.as_deref(), Some("range"));
    assert_eq!(joined.members.len(), 1);
    assert_eq!(joined.members[0].member_id, joined.member_id);
    let metadata = format!("range of {}", joined.member_id);
    assert_eq!(joined.members[0].metadata, metadata);
}

#[tokio::test]
async fn before_version_4_a_member_joins_without_a_second_request() {
    let broker = Running::start().await;
    for version in 0..=3 {
        let mut client = broker.connect().await;
        let joined = client.call(version, &join("")).await;
        assert_eq!(
            (joined.error_code, joined.generation_id),
            (0, 1 + 2 * i32::from(version))
        );
        let left = client
            .call(0, &samples::leave_group(&joined.member_id))
            .await;
        assert_eq!(left.error_code, 0);
    }
}

#[tokio::test]
async fn a_second_member_makes_the_first_rejoin_and_divide_the_partitions() {
    let broker = Running::start().await;
    let mut first = broker.connect().await;
    let mut second = broker.connect().await;
    let sole = join_alone(&mut first).await;
    let one = &sole.member_id;

    let two = second.call(4, &join("")).await.member_id;
    second.send(4, &join(&two)).await;
    let rebalance = ResponseError::RebalanceInProgress.code();
    // The second member's join may arrive after the first heartbeats.
    while first.call(2, &samples::heartbeat(one, 1)).await.error_code != rebalance {}
    let again = first.call(4, &join(one)).await;
    let joined = second.receive::<JoinGroupRequest>(4).await;
    assert_eq!((again.generation_id, joined.generation_id), (2, 2));
    assert_eq!((&again.leader, &joined.leader), (one, one));
    assert_eq!((again.members.len(), joined.members.len()), (2, 0));

    second.send(2, &samples::sync_group(&two, 2, &[])).await;
    let assignments: &[(&str, &'static [u8])] = &[(one, b"left"), (&two, b"right")];
    let synced = first
        .call(2, &samples::sync_group(one, 2, assignments))
        .await;
    assert_eq!(synced.assignment, "left");
    assert_eq!(
        second.receive::<SyncGroupRequest>(2).await.assignment,
        "right"
    );
    assert_eq!(
        first.call(2, &samples::heartbeat(one, 2)).await.error_code,
        0
    );
    assert_eq!(
        second
            .call(2, &samples::heartbeat(&two, 2))
            .await
            .error_code,
        0
    );

    assert_eq!(
        second.call(2, &samples::leave_group(&two)).await.error_code,
        0
    );
    assert_eq!(
        first.call(2, &samples::heartbeat(one, 2)).await.error_code,
        rebalance
    );
}

#[tokio::test]
async fn unknown_members_and_wrong_generations_are_rejected() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    let joined = join_alone(&mut client).await;
    let member = &*joined.member_id;
    let illegal = ResponseError::IllegalGeneration.code();
    let unknown = ResponseError::UnknownMemberId.code();
    for (id, generation, error) in [
        (member, 1, 0),
        (member, 2, illegal),
        (member, 0, illegal),
        ("stranger", 1, unknown),
        ("", -1, unknown),
    ] {
        let heartbeat = samples::heartbeat(id, generation);
        assert_eq!(client.call(2, &heartbeat).await.error_code, error, "{id}");
        let sync = samples::sync_group(id, generation, &[]);
        assert_eq!(client.call(2, &sync).await.error_code, error, "{id}");
        let commit = samples::offset_commit(id, generation, &[(0, 5)]);
        let committed = client.call(6, &commit).await;
        assert_eq!(committed.topics[0].partitions[0].error_code, error, "{id}");
    }
    assert_eq!(client.call(4, &join("stranger")).await.error_code, unknown);
    let left = client.call(2, &samples::leave_group("stranger")).await;
    assert_eq!(left.error_code, unknown);
}

#[tokio::test]
async fn an_invalid_join_is_rejected() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    join_alone(&mut client).await;
    let mut check = async |request: JoinGroupRequest| {
        let joined = client.call(4, &request).await;
        ResponseError::try_from_code(joined.error_code).expect("an error")
    };
    let inconsistent = ResponseError::InconsistentGroupProtocol;
    assert_eq!(check(join("").with_protocols(vec![])).await, inconsistent);
    assert_eq!(
        check(join("").with_protocol_type(samples::text(""))).await,
        inconsistent
    );
    assert_eq!(
        check(join("").with_protocol_type(samples::text("connect"))).await,
        inconsistent
    );
    let mut other = join("");
    other.protocols.truncate(1);
    other.protocols[0].name = samples::text("sticky");
    assert_eq!(check(other).await, inconsistent);
    for wrong in [-1, 0, 5_999, 1_800_001] {
        let request = join("").with_session_timeout_ms(wrong);
        assert_eq!(check(request).await, ResponseError::InvalidSessionTimeout);
    }
    let nameless = join("").with_group_id(samples::group(""));
    assert_eq!(check(nameless).await, ResponseError::InvalidGroupId);
    let mut heavy = join("");
    heavy.protocols[0].metadata = vec![0; 128 * 1024 + 1].into();
    assert_eq!(check(heavy).await, ResponseError::PolicyViolation);
}

/// Fetches the committed offset and metadata of partitions of topic `t`.
async fn fetched(
    client: &mut Wire,
    version: i16,
    partitions: Option<&[i32]>,
) -> Vec<(i64, String)> {
    let response = client
        .call(version, &samples::offset_fetch(partitions))
        .await;
    assert_eq!(response.error_code, 0);
    let topics = response.topics.into_iter();
    topics
        .flat_map(|topic| topic.partitions)
        .map(|it| {
            (
                it.committed_offset,
                it.metadata.unwrap_or_default().to_string(),
            )
        })
        .collect()
}

#[tokio::test]
async fn committed_offsets_are_fetched_in_every_version() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    let none = (-1, String::new());
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    assert_eq!(
        fetched(&mut client, 5, Some(&[0])).await,
        std::slice::from_ref(&none)
    );
    assert_eq!(fetched(&mut client, 5, None).await, []);
    for (version, offset) in (2..=6).zip(40..) {
        let commit = samples::offset_commit("", -1, &[(0, offset), (9, offset)]);
        let committed = client.call(version, &commit).await.topics.remove(0);
        let errors = committed.partitions.iter().map(|it| it.error_code);
        assert_eq!(errors.collect::<Vec<_>>(), [0, unknown]);
        let noted = (offset, "note".to_owned());
        for version in 1..=5 {
            let both = fetched(&mut client, version, Some(&[0, 1])).await;
            assert_eq!(both, [noted.clone(), none.clone()]);
        }
        for version in 2..=5 {
            let all = fetched(&mut client, version, None).await;
            assert_eq!(all, std::slice::from_ref(&noted));
        }
    }
}

#[tokio::test]
async fn offset_metadata_that_is_too_long_is_rejected() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    let mut commit = samples::offset_commit("", -1, &[(0, 5)]);
    commit.topics[0].partitions[0].committed_metadata = Some(samples::text(&"x".repeat(4097)));
    let committed = client.call(6, &commit).await;
    assert_eq!(
        committed.topics[0].partitions[0].error_code,
        ResponseError::OffsetMetadataTooLarge.code()
    );
}

#[tokio::test]
async fn deleting_a_topic_deletes_its_committed_offsets() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    client
        .call(6, &samples::offset_commit("", -1, &[(0, 5)]))
        .await;
    let delete = DeleteTopicsRequest::default().with_topic_names(vec![samples::name("t")]);
    client.call(5, &delete).await;
    assert_eq!(fetched(&mut client, 5, None).await, []);
}

#[tokio::test]
async fn groups_are_listed_described_and_deleted() {
    let broker = Running::start().await;
    let mut client = broker.connect().await;
    let joined = join_alone(&mut client).await;
    for version in 0..=2 {
        let listed = client
            .call(version, &ListGroupsRequest::default())
            .await
            .groups;
        let listed: Vec<_> = listed
            .iter()
            .map(|it| (&**it.group_id, &*it.protocol_type))
            .collect();
        assert_eq!(listed, [("g", "consumer")]);
    }
    for version in 0..=4 {
        let described = client
            .call(version, &samples::describe_groups(&["g", "h"]))
            .await
            .groups;
        assert_eq!(
            (&*described[0].group_state, &*described[1].group_state),
            ("Stable", "Dead")
        );
        assert_eq!(&*described[0].protocol_data, "range");
        let member = &described[0].members[0];
        assert_eq!(member.member_id, joined.member_id);
        assert_eq!(
            (&*member.client_id, &*member.client_host),
            ("test", "/127.0.0.1")
        );
        assert_eq!(member.member_assignment, "all");
    }
    let delete = DeleteGroupsRequest::default()
        .with_groups_names(vec![samples::group("g"), samples::group("h")]);
    let deleted = async |client: &mut Wire| {
        let results = client.call(1, &delete).await.results;
        results.iter().map(|it| it.error_code).collect::<Vec<_>>()
    };
    let not_found = ResponseError::GroupIdNotFound.code();
    assert_eq!(
        deleted(&mut client).await,
        [ResponseError::NonEmptyGroup.code(), not_found]
    );
    client
        .call(2, &samples::leave_group(&joined.member_id))
        .await;
    assert_eq!(deleted(&mut client).await, [0, not_found]);
    assert_eq!(
        client.call(2, &ListGroupsRequest::default()).await.groups,
        []
    );
}

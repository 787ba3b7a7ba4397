//! JoinGroup, SyncGroup, Heartbeat and LeaveGroup: the membership of a group.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::{
    ResponseError,
    messages::{
        HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse,
        LeaveGroupRequest, LeaveGroupResponse, SyncGroupRequest, SyncGroupResponse,
        join_group_request::JoinGroupRequestProtocol, join_group_response::JoinGroupResponseMember,
    },
};

use super::{code, text};
use crate::{
    cluster::Context,
    groups::{Client, Join, JoinError, Joined, Protocol, group::Identity},
    limits::REBALANCE_TIMEOUT_MAX,
};

/// Adds a client to a group, and responds when all members have joined.
pub(crate) async fn join_group(
    context: Context<'_>,
    request: JoinGroupRequest,
) -> JoinGroupResponse {
    let joining = context
        .cluster
        .groups
        .join(&request.group_id, join(context, &request));
    match joining.await {
        Ok(joined) => succeed(joined),
        Err(JoinError::MemberIdRequired(id)) => {
            fail(ResponseError::MemberIdRequired).with_member_id(text(&id))
        }
        Err(JoinError::Rejected(error)) => fail(error).with_member_id(request.member_id),
    }
}

fn join(context: Context<'_>, request: &JoinGroupRequest) -> Join {
    let session_timeout = millis(request.session_timeout_ms);
    // Copied, because slices would keep the whole request in memory.
    let protocol = |protocol: &JoinGroupRequestProtocol| Protocol {
        name: protocol.name.to_string(),
        metadata: Bytes::copy_from_slice(&protocol.metadata),
    };
    Join {
        member_id: request.member_id.to_string(),
        client: Client {
            id: context.client_id.to_owned(),
            host: format!("/{}", context.endpoints.client.ip()),
        },
        session_timeout,
        rebalance_timeout: match context.version {
            0 => session_timeout,
            _ => millis(request.rebalance_timeout_ms).min(REBALANCE_TIMEOUT_MAX),
        },
        protocol_type: request.protocol_type.to_string(),
        protocols: request.protocols.iter().map(protocol).collect(),
        requires_member_id: context.version >= MEMBER_ID_REQUIRED_SINCE,
    }
}

fn succeed(joined: Joined) -> JoinGroupResponse {
    let members = joined.members.into_iter().map(|(id, metadata)| {
        JoinGroupResponseMember::default()
            .with_member_id(text(&id))
            .with_metadata(metadata)
    });
    JoinGroupResponse::default()
        .with_generation_id(joined.generation)
        .with_protocol_name(Some(text(&joined.protocol)))
        .with_leader(text(&joined.leader))
        .with_member_id(text(&joined.member_id))
        .with_members(members.collect())
}

fn fail(error: ResponseError) -> JoinGroupResponse {
    JoinGroupResponse::default()
        .with_error_code(error.code())
        .with_generation_id(NO_GENERATION)
        .with_protocol_name(Some(text("")))
}

/// Accepts the leader's assignments, and responds with the member's own assignment.
pub(crate) async fn sync_group(
    context: Context<'_>,
    request: SyncGroupRequest,
) -> SyncGroupResponse {
    let assignments = request.assignments.iter().map(|it| {
        let assignment = Bytes::copy_from_slice(&it.assignment);
        (it.member_id.to_string(), assignment)
    });
    let identity = Identity {
        member: &request.member_id,
        generation: request.generation_id,
    };
    let groups = &context.cluster.groups;
    let assigned = groups.sync(&request.group_id, identity, assignments.collect());
    match assigned.await {
        Ok(assignment) => SyncGroupResponse::default().with_assignment(assignment),
        Err(error) => SyncGroupResponse::default().with_error_code(error.code()),
    }
}

/// Keeps a member's session alive.
pub(crate) fn heartbeat(context: Context<'_>, request: &HeartbeatRequest) -> HeartbeatResponse {
    let identity = Identity {
        member: &request.member_id,
        generation: request.generation_id,
    };
    let heard = context
        .cluster
        .groups
        .heartbeat(&request.group_id, identity);
    HeartbeatResponse::default().with_error_code(code(heard))
}

/// Ends a member's session.
pub(crate) fn leave_group(context: Context<'_>, request: &LeaveGroupRequest) -> LeaveGroupResponse {
    let groups = &context.cluster.groups;
    let left = groups.leave(&request.group_id, &request.member_id);
    LeaveGroupResponse::default().with_error_code(code(left))
}

fn millis(millis: i32) -> Duration {
    Duration::from_millis(millis.try_into().unwrap_or(0))
}

/// Since this version, clients join a second time with the member id they got (KIP-394).
const MEMBER_ID_REQUIRED_SINCE: i16 = 4;
const NO_GENERATION: i32 = -1;

//! ListGroups, DescribeGroups and DeleteGroups: the administration of groups.

use kafka_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse,
    GroupId, ListGroupsResponse,
    delete_groups_response::DeletableGroupResult,
    describe_groups_response::{DescribedGroup, DescribedGroupMember},
    list_groups_response::ListedGroup,
};

use super::{code, text};
use crate::{
    cluster::Context,
    groups::group::{Description, MemberDescription},
};

/// Lists all groups.
pub(crate) fn list_groups(context: Context<'_>) -> ListGroupsResponse {
    let groups = context.cluster.groups.list().into_iter();
    let groups = groups.map(|(id, protocol_type)| {
        ListedGroup::default()
            .with_group_id(GroupId(text(&id)))
            .with_protocol_type(text(&protocol_type))
    });
    ListGroupsResponse::default().with_groups(groups.collect())
}

/// Describes groups. As in Kafka, a group that does not exist has the state `Dead`.
pub(crate) fn describe_groups(
    context: Context<'_>,
    request: DescribeGroupsRequest,
) -> DescribeGroupsResponse {
    let groups = request.groups.into_iter().map(|id| {
        let described = context.cluster.groups.describe(&id);
        described.map_or_else(dead, describe).with_group_id(id)
    });
    DescribeGroupsResponse::default().with_groups(groups.collect())
}

/// Deletes groups. Each deletion succeeds or fails on its own.
pub(crate) fn delete_groups(
    context: Context<'_>,
    request: DeleteGroupsRequest,
) -> DeleteGroupsResponse {
    let results = request.groups_names.into_iter().map(|id| {
        let deleted = context.cluster.groups.delete(&id);
        DeletableGroupResult::default()
            .with_group_id(id)
            .with_error_code(code(deleted))
    });
    DeleteGroupsResponse::default().with_results(results.collect())
}

fn dead() -> DescribedGroup {
    DescribedGroup::default().with_group_state(text("Dead"))
}

fn describe(group: Description) -> DescribedGroup {
    let member = |member: MemberDescription| {
        DescribedGroupMember::default()
            .with_member_id(text(&member.id))
            .with_client_id(text(&member.client.id))
            .with_client_host(text(&member.client.host))
            .with_member_metadata(member.metadata)
            .with_member_assignment(member.assignment)
    };
    DescribedGroup::default()
        .with_group_state(text(group.state))
        .with_protocol_type(text(&group.protocol_type))
        .with_protocol_data(text(&group.protocol))
        .with_members(group.members.into_iter().map(member).collect())
}

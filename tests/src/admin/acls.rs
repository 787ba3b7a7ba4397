//! Creates and deletes the ACLs of a topic.

use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::{CreateAclsRequest, DeleteAclsRequest};

use super::{Admin, OF_TOPIC, text};

/// A version of both requests that Kafka 4 supports.
const ACLS: i16 = 2;

/// Matches the exact topic name (`PatternType`).
const LITERAL: i8 = 3;

/// `ANY` matches every ACL in a filter; `ALL` grants every operation (`AclOperation`).
const ANY: i8 = 1;
const ALL: i8 = 2;

/// The permission of an ACL (`AclPermissionType`).
const DENY: i8 = 2;
const ALLOW: i8 = 3;

/// An operation on a topic (`AclOperation`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Producing records.
    Write = 4,
    /// Reading the topic's metadata.
    Describe = 8,
}

impl Admin {
    /// Denies a user one operation on a topic.
    pub async fn deny(&self, username: &str, topic: &str, operation: Operation) {
        let rule = |operation, permission| {
            AclCreation::default()
                .with_resource_type(OF_TOPIC)
                .with_resource_name(text(topic))
                .with_resource_pattern_type(LITERAL)
                .with_principal(text(&format!("User:{username}")))
                .with_host(text("*"))
                .with_operation(operation)
                .with_permission_type(permission)
        };
        // Once a topic has an ACL, Kafka denies every operation that no ACL allows.
        let rules = vec![rule(ALL, ALLOW), rule(operation as i8, DENY)];
        let request = CreateAclsRequest::default().with_creations(rules);
        self.ask(&request, ACLS, |answer| {
            answer.results.iter().all(|it| it.error_code == 0)
        })
        .await;
    }

    /// Deletes all ACLs of a topic.
    pub async fn deny_nothing(&self, topic: &str) {
        let every_rule = DeleteAclsFilter::default()
            .with_resource_type_filter(OF_TOPIC)
            .with_resource_name_filter(Some(text(topic)))
            .with_pattern_type_filter(LITERAL)
            .with_principal_filter(None)
            .with_host_filter(None)
            .with_operation(ANY)
            .with_permission_type(ANY);
        let request = DeleteAclsRequest::default().with_filters(vec![every_rule]);
        self.ask(&request, ACLS, |answer| {
            answer.filter_results.iter().all(|it| it.error_code == 0)
        })
        .await;
    }
}

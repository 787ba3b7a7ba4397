//! `requestContext`: the part of an event that describes its API, its connection and itself.

use serde::Serialize;

use crate::{
    close::Closed,
    event::{
        caller::{Caller, Request, Stage},
        principal::{InEvent, Principal, User},
    },
    id::Id,
    time::request_time,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Context<'a> {
    route_key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorizer: Option<InEvent<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disconnect_status_code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<&'a Id>,
    event_type: &'static str,
    extended_request_id: &'a Id,
    request_time: String,
    message_direction: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    disconnect_reason: Option<&'a str>,
    stage: &'a str,
    connected_at: i64,
    request_time_epoch: i64,
    identity: Identity<'a>,
    request_id: &'a Id,
    domain_name: &'a str,
    connection_id: &'a Id,
    api_id: &'a str,
}

impl<'a> Context<'a> {
    pub(crate) fn new(
        stage: &'a Stage,
        caller: &'a Caller,
        route_key: &'a str,
        event_type: &'static str,
        request: &'a Request,
    ) -> Self {
        Self {
            route_key,
            authorizer: match caller.principal.as_deref() {
                Some(Principal::Custom(custom)) => Some(custom.in_event(event_type == "CONNECT")),
                Some(Principal::Iam(_)) | None => None,
            },
            disconnect_status_code: None,
            message_id: None,
            event_type,
            extended_request_id: &request.id,
            request_time: request_time(request.at),
            message_direction: "IN",
            disconnect_reason: None,
            stage: &stage.name,
            connected_at: caller.connected_at,
            request_time_epoch: request.at,
            identity: Identity::new(caller),
            request_id: &request.id,
            domain_name: &caller.domain_name,
            connection_id: &caller.connection_id,
            api_id: &stage.api_id,
        }
    }

    /// Adds the keys that only messages have.
    pub(crate) fn with_message(self, id: &'a Id) -> Self {
        Self {
            message_id: Some(id),
            ..self
        }
    }

    /// Adds the keys that only disconnects have.
    pub(crate) fn with_close(self, closed: &'a Closed) -> Self {
        Self {
            disconnect_status_code: Some(closed.code),
            disconnect_reason: Some(&closed.reason),
            ..self
        }
    }
}

/// The caller's identity. IAM's fields come first, in the order of older recorded events, which had
/// all of them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_arn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a str>,
    source_ip: &'a str,
}

impl<'a> Identity<'a> {
    fn new(caller: &'a Caller) -> Self {
        let user = caller.user();
        let of = |field: fn(&User) -> &'static str| user.map(field);
        Self {
            user_arn: of(|user| user.user_arn),
            account_id: of(|user| user.account_id),
            caller: of(|user| user.id),
            access_key: of(|user| user.access_key),
            user: of(|user| user.id),
            user_agent: caller.user_agent.as_deref(),
            source_ip: &caller.source_ip,
        }
    }
}

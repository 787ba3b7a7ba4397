//! The `$context` variables of an event.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-logging.html>

use crate::{
    event::{
        caller::{Caller, Request, Stage},
        principal::{Principal, User},
    },
    id::Id,
    time::request_time,
};

/// The values behind the `$context` variables of an event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Variables<'a> {
    pub(crate) stage: &'a Stage,
    pub(crate) caller: &'a Caller,
    pub(crate) request: &'a Request,
    /// `CONNECT`, `MESSAGE` or `DISCONNECT`.
    pub(crate) event_type: &'static str,
    /// `None` if no route matches the message.
    pub(crate) route_key: Option<&'a str>,
    /// Set for a message that a route matches.
    pub(crate) message_id: Option<&'a Id>,
}

impl Variables<'_> {
    /// The value of the variable `$context.{name}`; `None` if it has no value.
    pub(crate) fn find(&self, name: &str) -> Option<String> {
        let Self {
            stage,
            caller,
            request,
            ..
        } = self;
        Some(match name {
            "apiId" => stage.api_id.clone(),
            "connectedAt" => caller.connected_at.to_string(),
            "connectionId" => caller.connection_id.to_string(),
            "domainName" => caller.domain_name.clone(),
            "eventType" => self.event_type.to_owned(),
            "requestId" | "extendedRequestId" => request.id.to_string(),
            "messageDirection" => "IN".to_owned(),
            "messageId" => self.message_id?.to_string(),
            "requestTime" => request_time(request.at),
            "requestTimeEpoch" => request.at.to_string(),
            "routeKey" => self.route_key?.to_owned(),
            "stage" => stage.name.clone(),
            name => {
                if let Some(field) = name.strip_prefix("identity.") {
                    return identity(caller, field);
                }
                authorizer(caller, name.strip_prefix("authorizer.")?)?
            }
        })
    }
}

fn identity(caller: &Caller, field: &str) -> Option<String> {
    let of = |field: fn(&User) -> &'static str| caller.user().map(|user| field(user).to_owned());
    match field {
        "sourceIp" => Some(caller.source_ip.clone()),
        "userAgent" => caller.user_agent.clone(),
        "accessKey" => of(|user| user.access_key),
        "accountId" => of(|user| user.account_id),
        "caller" | "user" => of(|user| user.id),
        "userArn" => of(|user| user.user_arn),
        _ => None,
    }
}

fn authorizer(caller: &Caller, property: &str) -> Option<String> {
    let Some(Principal::Custom(custom)) = caller.principal.as_deref() else {
        return None;
    };
    match property {
        "principalId" => Some(custom.principal_id.clone()),
        "integrationLatency" => Some(custom.latency.to_string()),
        property => custom
            .context
            .iter()
            .find(|(name, _)| name == property)
            .map(|(_, value)| value.as_str().to_owned()),
    }
}

//! An event of a connection, independent of AWS's types.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::body::Body;

/// An event of a connection.
///
/// It is complete by construction, so no later step checks it again.
#[derive(Debug, Clone)]
pub struct Event {
    /// The connection.
    pub connection: Connection,
    /// The key of the route that the gateway selected.
    pub route_key: String,
    /// The gateway's request id, for its logs.
    pub request_id: Option<String>,
    /// When the gateway received it (`requestTimeEpoch`).
    pub at: DateTime<Utc>,
    /// The kind of event, with its data.
    pub kind: Kind,
}

/// The kind of event, with the data that only this kind has.
#[derive(Debug, Clone)]
pub enum Kind {
    /// A client asks to open the connection.
    Connect {
        /// The `Origin` of the page, if the client sent one.
        origin: Option<String>,
        /// The query parameters of the URL, including credentials.
        query: BTreeMap<String, Vec<String>>,
    },
    /// A client sent a message.
    Message {
        /// The gateway's id of the message.
        id: String,
        /// What the client sent.
        body: Body,
    },
    /// The connection is closed.
    Disconnect {
        /// The WebSocket close code.
        status_code: Option<i64>,
        /// The close reason, if there is one.
        reason: Option<String>,
    },
}

/// What every event says about its connection.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The gateway's id of the connection.
    pub id: String,
    /// The API that the client connected to.
    pub api_id: String,
    /// The stage of that API.
    pub stage: String,
    /// The host that the client connected to.
    pub domain_name: Option<String>,
    /// When the connection was opened.
    pub connected_at: DateTime<Utc>,
    /// The `identity` of the client by API Gateway's names, such as `sourceIp`. The API key is
    /// omitted, since it is a credential.
    pub identity: BTreeMap<&'static str, String>,
    /// The authorizer's context, with every value as text.
    pub authorizer: BTreeMap<String, String>,
}

impl Connection {
    /// The authenticated principal: the authorizer's, or with IAM the user's ARN.
    pub fn principal_id(&self) -> Option<&str> {
        self.authorizer
            .get("principalId")
            .or_else(|| self.identity.get("userArn"))
            .map(String::as_str)
            .filter(|principal| !principal.is_empty())
    }
}

impl Event {
    /// The `$context` variable of this name, as text.
    pub fn variable(&self, name: &str) -> Option<String> {
        if let Some(property) = name.strip_prefix("authorizer.") {
            return self.connection.authorizer.get(property).cloned();
        }
        if let Some(property) = name.strip_prefix("identity.") {
            return self.connection.identity.get(property).cloned();
        }
        match name {
            "apiId" => Some(self.connection.api_id.clone()),
            "connectedAt" => Some(millis(self.connection.connected_at)),
            "connectionId" => Some(self.connection.id.clone()),
            "domainName" => self.connection.domain_name.clone(),
            "eventType" => Some(self.kind.event_type().to_owned()),
            "messageDirection" => Some("IN".to_owned()),
            "messageId" => self.kind.message_id().map(str::to_owned),
            // The gateway gives both the same value.
            "requestId" | "extendedRequestId" => self.request_id.clone(),
            "requestTime" => Some(self.at.format("%d/%b/%Y:%H:%M:%S +0000").to_string()),
            "requestTimeEpoch" => Some(millis(self.at)),
            "routeKey" => Some(self.route_key.clone()),
            "stage" => Some(self.connection.stage.clone()),
            _ => None,
        }
    }
}

impl Kind {
    /// API Gateway's `eventType`.
    pub fn event_type(&self) -> &'static str {
        match self {
            Self::Connect { .. } => "CONNECT",
            Self::Message { .. } => "MESSAGE",
            Self::Disconnect { .. } => "DISCONNECT",
        }
    }

    /// The gateway's id of the message, if this is a message.
    pub fn message_id(&self) -> Option<&str> {
        match self {
            Self::Message { id, .. } => Some(id),
            Self::Connect { .. } | Self::Disconnect { .. } => None,
        }
    }
}

fn millis(time: DateTime<Utc>) -> String {
    time.timestamp_millis().to_string()
}

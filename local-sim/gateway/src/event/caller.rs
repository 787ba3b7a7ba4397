//! The inputs of an event: the connection, the request and the stage.

use std::collections::BTreeMap;

use local_sim_lambda::{ACCOUNT_ID, REGION};

use super::{
    multi_map::MultiMap,
    principal::{Principal, User},
};
use crate::id::Id;

/// The properties of a connection, which every event contains.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) connection_id: Id,
    /// Milliseconds since the epoch.
    pub(crate) connected_at: i64,
    /// The client's `Host` header, or the custom domain.
    pub(crate) domain_name: String,
    pub(crate) source_ip: String,
    /// `None` if the client sent none. The key is then missing in events.
    pub(crate) user_agent: Option<String>,
    /// `None` if the API has no authorizer.
    pub(crate) principal: Option<Box<Principal>>,
}

impl Caller {
    /// The IAM user, if the API uses `AWS_IAM`.
    pub(crate) fn user(&self) -> Option<&User> {
        match self.principal.as_deref() {
            Some(Principal::Iam(user)) => Some(user),
            Some(Principal::Custom(_)) | None => None,
        }
    }
}

/// One connect, message or disconnect of a client, and its time.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) id: Id,
    /// Milliseconds since the epoch.
    pub(crate) at: i64,
}

/// The stage of an API, which is the same in all events.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) api_id: String,
    pub(crate) name: String,
    pub(crate) variables: BTreeMap<String, String>,
}

impl Stage {
    /// The ARN that a policy must allow for a client to connect.
    pub(crate) fn method_arn(&self) -> String {
        let Self { api_id, name, .. } = self;
        format!("arn:aws:execute-api:{REGION}:{ACCOUNT_ID}:{api_id}/{name}/$connect")
    }
}

/// The headers and the query of a handshake, as events show them.
#[derive(Debug)]
pub(crate) struct Upgrade {
    pub(crate) headers: MultiMap,
    pub(crate) query: MultiMap,
}

//! A connection, what its client did, and the stage: what events are made from.

use std::collections::BTreeMap;

use local_sim_lambda::{ACCOUNT_ID, REGION};

use super::{
    multi_map::MultiMap,
    principal::{Principal, User},
};
use crate::id::Id;

/// What the gateway knows of a connection for as long as it lives; every event repeats it.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) connection_id: Id,
    /// Milliseconds since the epoch.
    pub(crate) connected_at: i64,
    /// The `Host` that the client asked for, or the custom domain.
    pub(crate) domain_name: String,
    pub(crate) source_ip: String,
    /// `None` where the client sent none; an event then has no such key.
    pub(crate) user_agent: Option<String>,
    /// `None` where nobody asks who it is.
    pub(crate) principal: Option<Box<Principal>>,
}

impl Caller {
    /// The IAM user, where the handshake was signed.
    pub(crate) fn user(&self) -> Option<&User> {
        match self.principal.as_deref() {
            Some(Principal::Iam(user)) => Some(user),
            Some(Principal::Custom(_)) | None => None,
        }
    }
}

/// One thing that a client did, and when.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) id: Id,
    /// Milliseconds since the epoch.
    pub(crate) at: i64,
}

/// What is the same in every event of an API's stage.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) api_id: String,
    pub(crate) name: String,
    pub(crate) variables: BTreeMap<String, String>,
}

impl Stage {
    /// What a policy must allow for somebody to connect.
    pub(crate) fn method_arn(&self) -> String {
        let Self { api_id, name, .. } = self;
        format!("arn:aws:execute-api:{REGION}:{ACCOUNT_ID}:{api_id}/{name}/$connect")
    }
}

/// What functions see of a handshake.
#[derive(Debug)]
pub(crate) struct Upgrade {
    pub(crate) headers: MultiMap,
    pub(crate) query: MultiMap,
}

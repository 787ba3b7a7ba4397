//! What a user may choose of the gateway; most of it is what AWS leaves unsaid.

use std::{path::PathBuf, sync::Arc};

use crate::observer::Observer;

/// The settings of an API that are not its contract's.
#[derive(Debug, Clone)]
pub struct Options {
    /// The stage's name.
    pub stage: String,
    /// A custom domain, in lower case: requests with this `Host` name no stage.
    pub domain_name: Option<String>,
    /// The file of the access log; `-` is standard error.
    pub access_log: Option<PathBuf>,
    /// The text of its lines, with `$context` variables.
    pub access_log_format: Option<String>,
    /// What numbers and booleans of an authorizer's context become.
    pub authorizer_context: AuthorizerContext,
    /// How a message is read for its route.
    pub json: JsonReading,
    /// Which signatures `@connections` demands.
    pub connections_auth: ConnectionsAuth,
    /// Whether the account's quotas hold: an account has more than one API.
    pub account_quotas: bool,
    /// Whether a client's ping or pong counts as traffic.
    pub ping_resets_idle: bool,
    /// What a client is told whose message is throttled.
    pub throttled_message: String,
    /// What becomes of bytes posted to a client that are no text.
    pub invalid_utf8: InvalidUtf8,
    /// What a GET of the socket's URL gets that asks for no WebSocket.
    pub plain_get: PlainGet,
    /// Who receives what happens on connections.
    pub observer: Option<Arc<dyn Observer>>,
}

/// What numbers and booleans of an authorizer's context become in events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorizerContext {
    /// Texts.
    Strings,
    /// What they are.
    Typed,
}

#[cfg(test)]
impl Options {
    /// As the command line has them by default.
    pub fn sample() -> Self {
        Self {
            stage: "dev".to_owned(),
            domain_name: None,
            access_log: None,
            access_log_format: None,
            authorizer_context: AuthorizerContext::Strings,
            json: JsonReading::Lenient,
            connections_auth: ConnectionsAuth::Signed,
            account_quotas: false,
            ping_resets_idle: true,
            throttled_message: "Too Many Requests".to_owned(),
            invalid_utf8: InvalidUtf8::Replace,
            plain_get: PlainGet::UpgradeRequired,
            observer: None,
        }
    }
}

/// How a message is read for its route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonReading {
    /// Names need no quotes.
    Lenient,
    /// As JSON.
    Strict,
}

/// Which signatures `@connections` demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionsAuth {
    /// Anybody's, well-formed and fresh; that of the simulator's own key must be right.
    Signed,
    /// That of the simulator's own key.
    Strict,
    /// None.
    Off,
}

/// What becomes of bytes posted to a client that are no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidUtf8 {
    /// They are sent, with U+FFFD in the place of what is wrong.
    Replace,
    /// They are refused with 400.
    Refuse,
}

/// What a GET of the socket's URL gets that asks for no WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainGet {
    /// 426.
    UpgradeRequired,
    /// 403.
    Forbidden,
}

//! The gateway's options. Most of them cover behavior that AWS does not document.

use std::{path::PathBuf, sync::Arc};

use crate::observer::Observer;

/// The settings of an API that its contract does not contain.
#[derive(Debug, Clone)]
pub struct Options {
    /// The name of the stage.
    pub stage: String,
    /// The custom domain in lower case. The path of a request with this `Host` does not contain the
    /// stage.
    pub domain_name: Option<String>,
    /// The file that the access log is written to; `-` is standard error.
    pub access_log: Option<PathBuf>,
    /// The format of an access log line: text with `$context` variables.
    pub access_log_format: Option<String>,
    /// How events show numbers and booleans of an authorizer's context.
    pub authorizer_context: AuthorizerContext,
    /// How strictly a message is parsed as JSON to select its route.
    pub json: JsonReading,
    /// Which signatures `@connections` requires.
    pub connections_auth: ConnectionsAuth,
    /// Whether the account's quotas apply. On AWS all APIs of an account share them.
    pub account_quotas: bool,
    /// Whether a ping or pong from the client resets the idle timeout.
    pub ping_resets_idle: bool,
    /// The `message` of the error frame that a throttled client receives.
    pub throttled_message: String,
    /// What happens to a posted body that is not valid UTF-8.
    pub invalid_utf8: InvalidUtf8,
    /// The response to a GET of the WebSocket URL that does not ask for an upgrade.
    pub plain_get: PlainGet,
    /// Who receives what happens on connections.
    pub observer: Option<Arc<dyn Observer>>,
}

/// How events show numbers and booleans of an authorizer's context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorizerContext {
    /// As strings.
    Strings,
    /// As numbers and booleans.
    Typed,
}

#[cfg(test)]
impl Options {
    /// The defaults of the command line.
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

/// How strictly a message is parsed as JSON to select its route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonReading {
    /// JSON whose member names may lack quotes.
    Lenient,
    /// JSON only.
    Strict,
}

/// Which signatures `@connections` requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionsAuth {
    /// A well-formed, unexpired signature of any key. One made with the simulator's own key is
    /// verified.
    Signed,
    /// A valid signature made with the simulator's own key.
    Strict,
    /// No signature.
    Off,
}

/// What happens to a posted body that is not valid UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidUtf8 {
    /// Invalid sequences are replaced with U+FFFD, and the message is sent.
    Replace,
    /// The request fails with 400.
    Refuse,
}

/// The response to a GET of the WebSocket URL that does not ask for an upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainGet {
    /// 426 Upgrade Required.
    UpgradeRequired,
    /// 403 Forbidden.
    Forbidden,
}

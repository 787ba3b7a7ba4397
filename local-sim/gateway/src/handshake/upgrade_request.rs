//! Validates an upgrade request before anything else happens.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    api::Api,
    http::{domain::Address, head::Head, refusal::HandshakeRefusal},
    limits::URL_BYTES_MAX,
};

/// A valid handshake for the WebSocket path.
#[derive(Debug)]
pub(crate) struct UpgradeRequest<'a> {
    pub(crate) domain_name: &'a str,
    /// `Sec-WebSocket-Key`, from which the response is derived.
    pub(crate) key: &'a str,
    /// As sent.
    pub(crate) query: &'a str,
}

impl<'a> UpgradeRequest<'a> {
    /// Parses the head of a request.
    ///
    /// # Errors
    /// The handshake is invalid, or its URL is too long or has another path.
    pub(crate) fn read(api: &'a Api, head: &'a Head) -> Result<Self, HandshakeRefusal> {
        if head.target.len() > URL_BYTES_MAX {
            return Err(HandshakeRefusal::url_too_long(head.target.len()));
        }
        let (path, query) = head.path_and_query();
        let domain = api.options.domain_name.as_deref();
        let address = Address::of(&api.stage.name, domain, head.header("host"), path);
        if !address.is_websocket_endpoint() {
            let why = format!("the path is {path}, expected {}", address.expected);
            return Err(HandshakeRefusal::new(403, "Forbidden", why));
        }
        Ok(Self {
            domain_name: address.domain_name,
            key: key(head)?,
            query,
        })
    }
}

/// Checks what RFC 6455 requires of a handshake; returns its key.
fn key(head: &Head) -> Result<&str, HandshakeRefusal> {
    if head.method != "GET" || !head.lists("connection", "upgrade") {
        let why = "a WebSocket handshake must be a GET with `Connection: Upgrade`";
        return Err(HandshakeRefusal::new(400, "Bad Request", why));
    }
    if head.header("sec-websocket-version") != Some("13") {
        let why = "Sec-WebSocket-Version is not 13";
        return Err(HandshakeRefusal::new(426, "Upgrade Required", why));
    }
    let is_key = |key: &&str| {
        STANDARD
            .decode(key)
            .is_ok_and(|bytes| bytes.len() == KEY_BYTES)
    };
    head.header("sec-websocket-key")
        .filter(is_key)
        .ok_or_else(|| {
            let why = "Sec-WebSocket-Key is not 16 bytes in base64";
            HandshakeRefusal::new(400, "Bad Request", why)
        })
}

/// The length of a decoded `Sec-WebSocket-Key`.
const KEY_BYTES: usize = 16;

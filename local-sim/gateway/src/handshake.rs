//! Turns an upgrade request into an open connection, or refuses it.

mod headers;
mod upgrade_request;

use std::{net::SocketAddr, sync::Arc};

use bytes::BytesMut;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tracing::{Instrument as _, info_span, warn};

use crate::{
    api::Api,
    authorizer,
    connection::{Connection, registry::PendingConnect, view::ConnectionChange},
    event::{
        self,
        caller::{Caller, Request, Upgrade},
    },
    handshake::upgrade_request::UpgradeRequest,
    http::{head::Head, refusal::HandshakeRefusal},
    limits::SUB_PROTOCOL_BYTES_MAX,
    log::{
        entry::{Entry, Steps},
        variables::Variables,
    },
    observer::Kind,
    routing::integration::integrate,
    socket,
    time::{http_date, now_ms},
};

/// Handles a handshake: opens the connection and spawns its task, or refuses the handshake.
///
/// `early` is what the client sent after its request.
pub(crate) async fn run(
    api: Arc<Api>,
    socket: TcpStream,
    peer: SocketAddr,
    head: Head,
    early: BytesMut,
) {
    match accept(&api, peer, &head).await {
        Ok(accepted) => {
            drop(head);
            // The connection gets a new task, which needs less memory than this one: most
            // connections are idle.
            let tasks = api.tasks.clone();
            let Accepted {
                caller,
                response,
                pending,
            } = accepted;
            let connection = Arc::new(Connection::new(caller));
            // Before the client can read the 101, the connection must accept posts.
            api.connections.insert(Arc::clone(&connection));
            drop(pending);
            api.notify(|| ConnectionChange::Opened(connection.view()));
            let api = Arc::clone(&api);
            let span = info_span!("connection", connection = %connection.id());
            tasks
                .spawn(socket::run::run(api, socket, connection, response, early).instrument(span));
        }
        Err(refusal) => refusal.send(socket).await,
    }
}

struct Accepted<'a> {
    caller: Caller,
    response: String,
    /// Marks `$connect` as running until the connection is registered.
    pending: PendingConnect<'a>,
}

/// Accepts or refuses a handshake, and writes it to the access log.
///
/// A malformed handshake has no ids, so the access log omits it.
async fn accept<'a>(
    api: &'a Api,
    peer: SocketAddr,
    head: &Head,
) -> Result<Accepted<'a>, HandshakeRefusal> {
    let upgrade_request = UpgradeRequest::read(api, head)?;
    let connected_at = now_ms();
    let mut caller = Caller {
        connection_id: api.ids.connection(connected_at),
        connected_at,
        domain_name: upgrade_request.domain_name.to_owned(),
        source_ip: peer.ip().to_canonical().to_string(),
        user_agent: head.header("user-agent").map(str::to_owned),
        principal: None,
    };
    let request = api.request();
    let pending = api.connections.begin_connect(caller.connection_id);
    let mut steps = Steps::default();
    let span = info_span!("handshake", connection = %caller.connection_id, request = %request.id);
    let admitting = admit(
        api,
        &mut caller,
        &request,
        head,
        &upgrade_request,
        &mut steps,
    );
    let outcome = admitting.instrument(span).await;
    let entry = Entry {
        variables: Variables {
            stage: &api.stage,
            caller: &caller,
            request: &request,
            event_type: "CONNECT",
            route_key: Some("$connect"),
            message_id: None,
        },
        status: outcome
            .as_ref()
            .map_or_else(HandshakeRefusal::status, |_| 200),
        error: outcome.as_ref().err().map(HandshakeRefusal::message),
        steps: &steps,
    };
    api.record(&entry, Kind::Connect);
    match outcome {
        Ok(sub_protocol) => Ok(Accepted {
            response: switching_protocols(upgrade_request.key, sub_protocol.as_deref()),
            caller,
            pending,
        }),
        Err(refusal) => Err(refusal.with_ids(caller.connection_id, request.id)),
    }
}

/// Throttles and authorizes the handshake, and runs `$connect`; returns the selected subprotocol.
async fn admit(
    api: &Api,
    caller: &mut Caller,
    request: &Request,
    head: &Head,
    upgrade_request: &UpgradeRequest<'_>,
    steps: &mut Steps,
) -> Result<Option<String>, HandshakeRefusal> {
    if let Err(throttled) = api.throttle.connect() {
        return Err(HandshakeRefusal::new(429, "Too Many Requests", throttled));
    }
    let upgrade = Upgrade {
        headers: headers::event_headers(head, caller),
        query: headers::query_parameters(upgrade_request.query),
    };
    let principal = authorizer::authorize(api, caller, request, head, &upgrade, steps).await?;
    caller.principal = principal.map(Box::new);
    connect(api, caller, request, &upgrade, head, steps).await
}

/// Invokes `$connect` if the route exists; returns the subprotocol that it selected.
async fn connect(
    api: &Api,
    caller: &Caller,
    request: &Request,
    upgrade: &Upgrade,
    head: &Head,
    steps: &mut Steps,
) -> Result<Option<String>, HandshakeRefusal> {
    let Some(route) = api.contract.routes.get("$connect") else {
        return Ok(None);
    };
    let function = &route.function;
    let event = event::connect(&api.stage, caller, request, upgrade);
    let integration = integrate(api, route, event).await;
    steps.integration = integration.step;
    let reply = integration.result.map_err(|error| {
        HandshakeRefusal::of_status(
            error.handshake_status(),
            format!("$connect: {function}: {error}"),
        )
    })?;
    if !reply.is_success() {
        let why = format!(
            "$connect: {function} replied with statusCode {}",
            reply.status_code
        );
        // Other codes are not valid for a refusal.
        let status = match reply.status_code {
            status @ 300..600 => status,
            _ => 502,
        };
        return Err(HandshakeRefusal::of_status(status, why));
    }
    let chosen = reply.sub_protocol();
    if let Some(name) = chosen.filter(|name| !is_sub_protocol(name)) {
        let why = format!(
            "$connect: {function} selected the invalid subprotocol {:?} of {} bytes \
             (use printable ASCII, at most {SUB_PROTOCOL_BYTES_MAX} bytes)",
            shorten(name),
            name.len()
        );
        return Err(HandshakeRefusal::of_status(502, why));
    }
    warn_of_sub_protocol(head, function, chosen);
    Ok(chosen.map(str::to_owned))
}

/// Warns if the selected subprotocol does not match the client's offer.
///
/// The gateway never echoes a subprotocol itself, and browsers close the connection on a mismatch.
fn warn_of_sub_protocol(head: &Head, function: &str, chosen: Option<&str>) {
    let name = "sec-websocket-protocol";
    let offered = head.header(name);
    match chosen {
        None if offered.is_some() => warn!(
            "the client offers the subprotocols {:?}, but {function} selected none, so most clients will close the \
             connection (reply with the header Sec-WebSocket-Protocol)",
            shorten(offered.unwrap_or_default())
        ),
        Some(chosen) if !head.lists(name, chosen) => warn!(
            "{function} selected the subprotocol {:?}, which the client does not offer, so most clients will close \
             the connection",
            shorten(chosen)
        ),
        _ => {}
    }
}

fn is_sub_protocol(name: &str) -> bool {
    let is_allowed = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    name.len() <= SUB_PROTOCOL_BYTES_MAX && name.bytes().all(is_allowed)
}

/// Shortens a name for the log.
fn shorten(name: &str) -> String {
    name.chars().take(LOGGED_CHARS_MAX).collect()
}

const LOGGED_CHARS_MAX: usize = 64;

fn switching_protocols(key: &str, sub_protocol: Option<&str>) -> String {
    let mut response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nDate: {}\r\nConnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-accept: {}\r\n",
        http_date(now_ms()),
        derive_accept_key(key.as_bytes())
    );
    if let Some(name) = sub_protocol {
        response.push_str(&format!("sec-websocket-protocol: {name}\r\n"));
    }
    response.push_str("\r\n");
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subprotocol_must_be_a_valid_header_value() {
        for (name, expected) in [
            ("graphql-transport-ws", true),
            ("two words", true),
            ("chat\r\nSet-Cookie: a=b", false),
            ("ž", false),
            (&"x".repeat(SUB_PROTOCOL_BYTES_MAX), true),
            (&"x".repeat(SUB_PROTOCOL_BYTES_MAX + 1), false),
        ] {
            assert_eq!(is_sub_protocol(name), expected, "{}", shorten(name));
        }
    }

    #[test]
    fn the_response_follows_rfc_6455() {
        let response = switching_protocols("dGhlIHNhbXBsZSBub25jZQ==", Some("chat"));
        assert!(
            response.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"),
            "{response}"
        );
        assert!(
            response.ends_with("sec-websocket-protocol: chat\r\n\r\n"),
            "{response}"
        );
    }
}

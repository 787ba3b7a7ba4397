//! From an upgrade request to an open connection, or to a refusal.

use std::{net::SocketAddr, sync::Arc};

use bytes::BytesMut;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{
    Gateway, connection,
    event::{self, Caller, MultiMap},
    head::Head,
    limits::URL_BYTES_MAX,
    refusal::Refusal,
    time::{http_date, now_ms},
};

/// Runs a client's whole connection: `$connect`, its messages, its close.
///
/// `early` is what the client sent behind its request.
pub(super) async fn run(
    gateway: Arc<Gateway>,
    mut socket: TcpStream,
    peer: SocketAddr,
    head: Head,
    early: BytesMut,
) {
    match accept(&gateway, peer, &head).await {
        Ok(accepted) => {
            drop(head);
            // A client that is gone by now is noticed by the connection, whose `$disconnect` is due all the same.
            let _ = socket.write_all(accepted.response.as_bytes()).await;
            connection::run(gateway, socket, accepted.caller, early).await;
        }
        Err(refusal) => refusal.send(socket).await,
    }
}

struct Accepted {
    caller: Caller,
    response: String,
}

async fn accept(gateway: &Gateway, peer: SocketAddr, head: &Head) -> Result<Accepted, Refusal> {
    let (key, query) = check(gateway, head)?;
    let connected_at = now_ms();
    let caller = Caller {
        connection_id: gateway.ids.connection(connected_at),
        connected_at,
        domain_name: head.header("host").unwrap_or_default().to_owned(),
        source_ip: peer.ip().to_string(),
        user_agent: head.header("user-agent").map(str::to_owned),
    };
    let sub_protocol = authorize(gateway, &caller, head, query).await?;
    Ok(Accepted {
        response: switching_protocols(key, sub_protocol.as_deref()),
        caller,
    })
}

/// Checks what the client asks for; gives the key to answer with and the query string.
fn check<'a>(gateway: &Gateway, head: &'a Head) -> Result<(&'a str, &'a str), Refusal> {
    let (path, query) = head.target.split_once('?').unwrap_or((&head.target, ""));
    let stage = &gateway.stage.name;
    if head.target.len() > URL_BYTES_MAX {
        let why = format!(
            "the URL has {} bytes, at most {URL_BYTES_MAX} are allowed",
            head.target.len()
        );
        return Err(Refusal::new(414, "Request-URI Too Long", why));
    }
    if path
        .strip_prefix('/')
        .map(|path| path.strip_suffix('/').unwrap_or(path))
        != Some(stage)
    {
        return Err(Refusal::new(
            403,
            "Forbidden",
            format!("the path is {path}, expected /{stage}"),
        ));
    }
    if head.method != "GET" || !head.lists("connection", "upgrade") {
        return Err(Refusal::new(
            400,
            "Bad Request",
            "a handshake is a GET with `Connection: Upgrade`",
        ));
    }
    if head.header("sec-websocket-version") != Some("13") {
        return Err(Refusal::new(
            426,
            "Upgrade Required",
            "Sec-WebSocket-Version is not 13",
        ));
    }
    match head.header("sec-websocket-key") {
        Some(key) if key.len() == ENCODED_KEY_BYTES => Ok((key, query)),
        _ => Err(Refusal::new(
            400,
            "Bad Request",
            "Sec-WebSocket-Key is not 16 bytes in base64",
        )),
    }
}

/// Runs `$connect`, where there is one; gives the sub-protocol that it chose.
async fn authorize(
    gateway: &Gateway,
    caller: &Caller,
    head: &Head,
    query: &str,
) -> Result<Option<String>, Refusal> {
    let Some(route) = gateway.contract.routes.get("$connect") else {
        return Ok(None);
    };
    let request = gateway.request();
    let refuse =
        |status, why: String| Refusal::of_connection(status, why, caller.connection_id, request.id);
    let event = event::connect(
        &gateway.stage,
        caller,
        &request,
        &headers(head, caller),
        &parameters(query),
    );
    let reply = gateway.integrate(route, event).await.map_err(|error| {
        error.log(&route.function);
        refuse(
            error.handshake_status(),
            format!("$connect: {} did not reply", route.function),
        )
    })?;
    if !reply.is_success() {
        let why = format!(
            "$connect: {} replied with statusCode {}",
            route.function, reply.status_code
        );
        // What is no status of a refusal cannot be passed on.
        let status = if (300..600).contains(&reply.status_code) {
            reply.status_code
        } else {
            502
        };
        return Err(refuse(status, why));
    }
    match reply.sub_protocol() {
        Some(name) if !name.bytes().all(|byte| byte.is_ascii_graphic()) => Err(refuse(
            502,
            format!(
                "$connect: {} replied with the sub-protocol {name:?}",
                route.function
            ),
        )),
        name => Ok(name.map(str::to_owned)),
    }
}

/// The headers as `$connect` sees them: by name in any case, without the hop's own, with the gateway's.
fn headers(head: &Head, caller: &Caller) -> MultiMap {
    let hop = [
        "connection",
        "upgrade",
        "content-length",
        "x-forwarded-for",
        "x-forwarded-port",
        "x-forwarded-proto",
    ];
    let is_own =
        |name: &str| hop.iter().any(|own| name.eq_ignore_ascii_case(own)) || is_trace_id(name);
    let passed = head
        .headers
        .iter()
        .filter(|(name, _)| !is_own(name))
        .cloned();
    let forwarded_for = match head.header("x-forwarded-for") {
        Some(before) => format!("{before}, {}", caller.source_ip),
        None => caller.source_ip.clone(),
    };
    let added = [
        ("X-Amzn-Trace-Id", trace_id(caller.connected_at)),
        ("X-Forwarded-For", forwarded_for),
        ("X-Forwarded-Port", "443".to_owned()),
        ("X-Forwarded-Proto", "https".to_owned()),
    ];
    let all = passed.chain(added.map(|(name, value)| (name.to_owned(), value)));
    let mut headers = group(all, str::eq_ignore_ascii_case);
    headers.sort_by_cached_key(|(name, _)| name.to_ascii_lowercase());
    headers
}

fn is_trace_id(name: &str) -> bool {
    name.eq_ignore_ascii_case("x-amzn-trace-id")
}

/// `Root=1-{8 hex digits of the second}-{24 random ones}`.
fn trace_id(ms: i64) -> String {
    format!("Root=1-{:08x}-{:024x}", ms / 1000, fastrand::u128(..) >> 32)
}

/// The query string's values, decoded, by name.
fn parameters(query: &str) -> MultiMap {
    group(
        form_urlencoded::parse(query.as_bytes()).into_owned(),
        |one, other| one == other,
    )
}

/// Puts values under their names, in the order in which names come first.
fn group(pairs: impl Iterator<Item = (String, String)>, same: fn(&str, &str) -> bool) -> MultiMap {
    let mut grouped = MultiMap::new();
    for (name, value) in pairs {
        match grouped.iter_mut().find(|(known, _)| same(known, &name)) {
            Some((_, values)) => values.push(value),
            None => grouped.push((name, vec![value])),
        }
    }
    grouped
}

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

/// A key is 16 bytes, in base64.
const ENCODED_KEY_BYTES: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_values_are_decoded_and_grouped() {
        let expected = [
            ("a", vec!["1 2", "x=y"]),
            ("A", vec![""]),
            ("b", vec!["\u{e9}"]),
        ];
        let expected = expected.map(|(name, values)| {
            (
                name.to_owned(),
                values.into_iter().map(str::to_owned).collect::<Vec<_>>(),
            )
        });
        assert_eq!(parameters("a=1+2&A=&b=%C3%A9&a=x%3Dy"), expected);
        assert_eq!(parameters(""), []);
    }

    #[test]
    fn a_trace_id_carries_the_second() {
        let id = trace_id(1_689_794_896_145);
        assert!(id.starts_with("Root=1-64b83950-"), "{id}");
        assert_eq!(id.len(), "Root=1-64b83950-42de8e247b4c2b43091ef67c".len());
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

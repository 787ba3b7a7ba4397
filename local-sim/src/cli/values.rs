//! Parsers for the values of options.

use std::{
    borrow::Cow,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    path::PathBuf,
};

use local_sim_gateway::{AuthorizerContext, ConnectionsAuth, InvalidUtf8, JsonReading, PlainGet};

use crate::log::LogFormat;

pub(super) fn stage(text: &str) -> Result<String, String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if matches!(text, "ping" | "sping") {
        return Err("`ping` and `sping` are API Gateway's own".to_owned());
    }
    if text.is_empty() || text.len() > STAGE_NAME_MAX || !text.chars().all(legal) {
        return Err(format!(
            "expected 1 to {STAGE_NAME_MAX} of letters, digits, `-` and `_`"
        ));
    }
    Ok(text.to_owned())
}

pub(super) fn domain_name(text: &str) -> Result<String, String> {
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    if text.len() > DOMAIN_NAME_MAX || !text.split('.').all(is_label) {
        return Err("expected a name such as `chat.example.com`, without a port".to_owned());
    }
    Ok(text.to_ascii_lowercase())
}

pub(super) fn json(text: &str) -> Result<JsonReading, String> {
    let words = [
        ("lenient", JsonReading::Lenient),
        ("strict", JsonReading::Strict),
    ];
    one_of(&words, text)
}

pub(super) fn authorizer_context(text: &str) -> Result<AuthorizerContext, String> {
    let words = [
        ("strings", AuthorizerContext::Strings),
        ("typed", AuthorizerContext::Typed),
    ];
    one_of(&words, text)
}

pub(super) fn connections_auth(text: &str) -> Result<ConnectionsAuth, String> {
    let words = [
        ("signed", ConnectionsAuth::Signed),
        ("strict", ConnectionsAuth::Strict),
        ("off", ConnectionsAuth::Off),
    ];
    one_of(&words, text)
}

pub(super) fn invalid_utf8(text: &str) -> Result<InvalidUtf8, String> {
    let words = [
        ("replace", InvalidUtf8::Replace),
        ("refuse", InvalidUtf8::Refuse),
    ];
    one_of(&words, text)
}

pub(super) fn plain_get(text: &str) -> Result<PlainGet, String> {
    let words = [
        ("426", PlainGet::UpgradeRequired),
        ("403", PlainGet::Forbidden),
    ];
    one_of(&words, text)
}

pub(super) fn log(text: &str) -> Result<LogFormat, String> {
    let words = [
        ("events", LogFormat::Events),
        ("lambda", LogFormat::Lambda),
        ("json", LogFormat::Json),
    ];
    one_of(&words, text)
}

/// The value of a word; the error lists all words.
fn one_of<T: Copy>(words: &[(&str, T)], text: &str) -> Result<T, String> {
    let found = words.iter().find(|(word, _)| *word == text);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let quoted: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        match quoted.as_slice() {
            [others @ .., last] => format!("expected {} or {last}", others.join(", ")),
            [] => String::new(),
        }
    })
}

pub(super) fn function(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = assignment(text, "NAME=PATH")?;
    Ok((name, path.into()))
}

pub(super) fn variable(text: &str) -> Result<(String, String), String> {
    assignment(text, "NAME=VALUE")
}

/// An address to listen on: `HOST:PORT`, `localhost:PORT`, and for loopback `:PORT` or `PORT`.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let expected = "expected an IP address and a port, such as 127.0.0.1:3001, or a port alone";
    with_loopback(text).parse().map_err(|_| expected.to_owned())
}

/// An address for the embedded broker. rskafka does not connect to a bare IPv6 address.
pub(super) fn kafka_listen(text: &str) -> Result<SocketAddr, String> {
    let address: Option<SocketAddrV4> = with_loopback(text).parse().ok();
    let expected = "expected an IPv4 address and a port, such as 127.0.0.1:9092, or a port alone";
    address.map(Into::into).ok_or_else(|| expected.to_owned())
}

/// Bootstrap brokers: `HOST:PORT`, and for loopback `:PORT` or `PORT`. A host name stays as it is, since certificates
/// are for names.
pub(super) fn brokers(text: &str) -> Result<String, String> {
    let broker = |it: &str| match it.trim() {
        name if name.starts_with("localhost:") => name.to_owned(),
        other => with_loopback(other).into_owned(),
    };
    Ok(text.split(',').map(broker).collect::<Vec<_>>().join(","))
}

/// Puts the loopback address before a port that stands alone, and in the place of `localhost`.
fn with_loopback(text: &str) -> Cow<'_, str> {
    let port = text
        .strip_prefix("localhost:")
        .or_else(|| text.strip_prefix(':'));
    match port.unwrap_or(text) {
        port if !port.is_empty() && port.bytes().all(|it| it.is_ascii_digit()) => {
            format!("{}:{port}", Ipv4Addr::LOCALHOST).into()
        }
        _ => text.into(),
    }
}

pub(super) fn concurrency(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|it| *it <= CONCURRENCY_MAX);
    count.ok_or_else(|| format!("expected a whole number up to {CONCURRENCY_MAX}"))
}

fn assignment(text: &str, expected: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !text.contains('\0') => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err(format!("expected {expected}")),
    }
}

/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>
const STAGE_NAME_MAX: usize = 128;
/// RFC 1035, section 2.3.4.
const DOMAIN_NAME_MAX: usize = 253;
/// More than any machine can run.
const CONCURRENCY_MAX: usize = 100_000;

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    #[test]
    fn a_port_alone_and_localhost_are_loopback() {
        let loopback = Ok(SocketAddr::from(([127, 0, 0, 1], 3001)));
        for text in ["127.0.0.1:3001", "localhost:3001", ":3001", "3001"] {
            assert_eq!(address(text), loopback, "{text}");
            assert_eq!(kafka_listen(text), loopback, "{text}");
        }
        let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, 3001));
        assert_eq!(address("[::1]:3001"), Ok(v6));
        for text in [
            "",
            ":",
            "localhost",
            "localhost:",
            "example.com:3001",
            "65536",
            "-1",
        ] {
            assert!(address(text).is_err(), "{text}");
        }
        assert!(kafka_listen("[::1]:9092").is_err());
    }

    #[test]
    fn the_words_of_an_option_are_listed() {
        assert!(matches!(
            connections_auth("strict"),
            Ok(ConnectionsAuth::Strict)
        ));
        let error = connections_auth("on").unwrap_err();
        assert_eq!(error, "expected `signed`, `strict` or `off`");
        assert_eq!(plain_get("404").unwrap_err(), "expected `426` or `403`");
    }

    #[test]
    fn brokers_may_have_names() {
        let check = |text| brokers(text).unwrap();
        assert_eq!(
            check("a.example:9092, :9093"),
            "a.example:9092,127.0.0.1:9093"
        );
        assert_eq!(check("localhost:1,[::1]:2"), "localhost:1,[::1]:2");
        assert_eq!(check("9092"), "127.0.0.1:9092");
    }
}

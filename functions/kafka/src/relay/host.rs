//! Broker addresses, and an encoding of IPv6 addresses for rskafka.
//!
//! rskafka splits `HOST:PORT` at the first colon. IPv6 addresses are therefore passed to it as
//! names such as `--1.ipv6-literal.net`, a convention of Windows. Connecting to a broker that
//! *advertises* a bare IPv6 address is not possible.

use std::fmt;

/// The suffix of an encoded address.
const SUFFIX: &str = ".ipv6-literal.net";

/// Encodes the host in `HOST:PORT` for rskafka.
pub(crate) fn encode_host(broker: &str) -> String {
    broker
        .strip_prefix('[')
        .and_then(|broker| broker.split_once("]:"))
        .map_or_else(
            || broker.to_owned(),
            |(address, port)| format!("{}{SUFFIX}:{port}", address.replace(':', "-")),
        )
}

/// Decodes the host in a SOCKS5 request of rskafka.
pub(super) fn decode_host(host: String) -> String {
    match host.strip_suffix(SUFFIX) {
        Some(address) => address.replace('-', ":"),
        None => host,
    }
}

/// A broker's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broker {
    /// A name, or an IP address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

impl Broker {
    /// Parses `HOST:PORT`.
    pub(super) fn parse(broker: &str) -> Self {
        let (host, port) = broker.rsplit_once(':').unwrap_or((broker, ""));
        Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            // Connecting to port 0 fails, and its error names the broker.
            port: port.parse().unwrap_or(0),
        }
    }
}

impl fmt::Display for Broker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(formatter, "[{}]:{}", self.host, self.port)
        } else {
            write!(formatter, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The encoded broker, and the decoded host.
    fn check(broker: &str) -> (String, String) {
        let encoded = encode_host(broker);
        let (host, _port) = encoded.split_once(':').expect("a host and a port");
        (encoded.clone(), decode_host(host.to_owned()))
    }

    #[test]
    fn an_ipv6_address_is_encoded_as_a_name_without_colons() {
        let pair = |encoded: &str, host: &str| (encoded.to_owned(), host.to_owned());
        assert_eq!(
            check("[::1]:9092"),
            pair("--1.ipv6-literal.net:9092", "::1")
        );
        assert_eq!(
            check("[2001:db8::7]:9092"),
            pair("2001-db8--7.ipv6-literal.net:9092", "2001:db8::7")
        );
    }

    #[test]
    fn names_and_ipv4_addresses_are_unchanged() {
        for host in ["b-1.kafka", "10.0.0.1"] {
            let broker = format!("{host}:9092");
            assert_eq!(check(&broker), (broker, host.to_owned()));
        }
    }

    #[test]
    fn a_broker_is_displayed_as_it_was_parsed() {
        for broker in ["b-1.kafka:9092", "10.0.0.1:9092", "[::1]:9092"] {
            assert_eq!(Broker::parse(broker).to_string(), broker);
        }
    }
}

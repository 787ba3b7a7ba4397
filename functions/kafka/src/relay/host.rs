//! Brokers by name or address, and IPv6 addresses as rskafka can hold them.
//!
//! rskafka takes what is before the first colon for the host, so it is given
//! IPv6 addresses as names: `--1.ipv6-literal.net`, as Windows does for the same
//! need. Brokers that *advertise* a bare IPv6 address cannot be connected with.

use std::fmt;

/// What stands behind an encoded address.
const SUFFIX: &str = ".ipv6-literal.net";

/// Encodes the host of a broker, `HOST:PORT`, for rskafka.
pub(crate) fn encode_host(broker: &str) -> String {
    broker
        .strip_prefix('[')
        .and_then(|broker| broker.split_once("]:"))
        .map_or_else(
            || broker.to_owned(),
            |(address, port)| format!("{}{SUFFIX}:{port}", address.replace(':', "-")),
        )
}

/// Decodes the host that rskafka asks for.
pub(super) fn decode_host(host: String) -> String {
    match host.strip_suffix(SUFFIX) {
        Some(address) => address.replace('-', ":"),
        None => host,
    }
}

/// A broker's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broker {
    /// A name, or an address in digits.
    pub(super) host: String,
    pub(super) port: u16,
}

impl Broker {
    /// The broker at `HOST:PORT`.
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

    /// What rskafka is told, and what is made of the host that it asks for.
    fn check(broker: &str) -> (String, String) {
        let told = encode_host(broker);
        let (host, _port) = told.split_once(':').expect("a host and a port");
        (told.clone(), decode_host(host.to_owned()))
    }

    #[test]
    fn an_address_with_colons_goes_through_as_a_name_without() {
        let told = |told: &str, host: &str| (told.to_owned(), host.to_owned());
        assert_eq!(
            check("[::1]:9092"),
            told("--1.ipv6-literal.net:9092", "::1")
        );
        assert_eq!(
            check("[2001:db8::7]:9092"),
            told("2001-db8--7.ipv6-literal.net:9092", "2001:db8::7")
        );
    }

    #[test]
    fn names_and_other_addresses_go_through_as_they_are() {
        for broker in ["b-1.kafka", "10.0.0.1"] {
            let told = format!("{broker}:9092");
            assert_eq!(check(&told), (told, broker.to_owned()));
        }
    }

    #[test]
    fn a_broker_reads_as_it_was_written() {
        for broker in ["b-1.kafka:9092", "10.0.0.1:9092", "[::1]:9092"] {
            assert_eq!(Broker::parse(broker).to_string(), broker);
        }
    }
}

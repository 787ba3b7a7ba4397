//! IPv6 addresses, disguised as names for as long as rskafka holds them: it
//! takes what is before the first colon for the host.
//!
//! The disguise is the one that Windows has for the same need, `--1.ipv6-literal.net`.
//! Brokers that *advertise* a bare IPv6 address cannot be connected with.

/// What stands behind the address.
const SUFFIX: &str = ".ipv6-literal.net";

/// A broker, `HOST:PORT`, as rskafka is told of it.
pub(crate) fn disguised(broker: &str) -> String {
    broker
        .strip_prefix('[')
        .and_then(|broker| broker.split_once("]:"))
        .map_or_else(
            || broker.to_owned(),
            |(address, port)| format!("{}{SUFFIX}:{port}", address.replace(':', "-")),
        )
}

/// The host that rskafka asks for.
pub(super) fn revealed(host: String) -> String {
    match host.strip_suffix(SUFFIX) {
        Some(address) => address.replace('-', ":"),
        None => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What rskafka is told, and what is made of the host that it asks for.
    fn check(broker: &str) -> (String, String) {
        let told = disguised(broker);
        let (host, _port) = told.split_once(':').expect("a host and a port");
        (told.clone(), revealed(host.to_owned()))
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
}

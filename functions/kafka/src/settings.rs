//! Settings from the `KAFKA_*` environment variables.

use std::net::Ipv6Addr;

use sluice_aws::{SettingsError, Variables};

use crate::security::Security;

/// The variable that lists the bootstrap brokers.
pub const BROKERS: &str = "KAFKA_BROKERS";

/// Where the cluster is, and how to connect to it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `KAFKA_BROKERS`: the bootstrap brokers, each `HOST:PORT`, at least one.
    pub brokers: Vec<String>,
    /// `KAFKA_SECURITY_PROTOCOL`, `KAFKA_SASL_*`, `KAFKA_SSL_CA`.
    pub security: Security,
}

impl Settings {
    /// Reads the settings. `lookup` returns the value of a variable by its name.
    ///
    /// # Errors
    /// A variable is missing or invalid. The error names the first such variable.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let found = lookup(BROKERS)
            .ok_or_else(|| SettingsError::new(BROKERS, "not set", BROKERS_EXPECTED))?;
        let brokers = brokers(&found).ok_or_else(|| invalid(&found))?;
        Ok(Self {
            security: Security::from_variables(&Variables(&lookup), &brokers)?,
            brokers,
        })
    }
}

/// The error for an invalid list. It does not quote a URL, which may contain a password.
fn invalid(found: &str) -> SettingsError {
    if found.contains('@') {
        return SettingsError::new(BROKERS, INVALID_UNQUOTED, BROKERS_EXPECTED);
    }
    SettingsError::quoting(BROKERS, found, BROKERS_EXPECTED)
}

const INVALID_UNQUOTED: &str = "invalid (value not shown because it may contain a password)";
const BROKERS_EXPECTED: &str = "a comma-separated list of HOST:PORT";

/// The longest host name: a SOCKS5 request has one byte for its length.
///
/// International names must be in their ASCII form (`xn--…`).
const HOST_BYTES_MAX: usize = 255;

/// Parses a comma-separated list; `None` if an entry is invalid.
fn brokers(list: &str) -> Option<Vec<String>> {
    list.split(',')
        .map(str::trim)
        .map(|broker| is_broker(broker).then(|| broker.to_owned()))
        .collect()
}

fn is_broker(broker: &str) -> bool {
    let Some((host, port)) = broker.rsplit_once(':') else {
        return false;
    };
    is_host(host)
        && port.bytes().all(|byte| byte.is_ascii_digit())
        && port.parse::<u16>().is_ok_and(|port| port != 0)
}

/// A name, an IPv4 address, or an IPv6 address in brackets.
fn is_host(host: &str) -> bool {
    match host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
    {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => {
            (1..=HOST_BYTES_MAX).contains(&host.len())
                && host
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: Option<&str>) -> Result<Vec<String>, String> {
        Settings::from_lookup(|name| value.filter(|_| name == BROKERS).map(str::to_owned))
            .map(|settings| settings.brokers)
            .map_err(|err| err.to_string())
    }

    #[test]
    fn brokers_are_hosts_with_ports() {
        assert_eq!(check(Some("a:1")), Ok(vec!["a:1".to_owned()]));
        assert_eq!(
            check(Some("b-1.kafka:9092, 10.0.0.1:9093,[::1]:9094")),
            Ok(vec![
                "b-1.kafka:9092".to_owned(),
                "10.0.0.1:9093".to_owned(),
                "[::1]:9094".to_owned()
            ])
        );
    }

    #[test]
    fn a_missing_variable_is_named() {
        assert_eq!(
            check(None),
            Err(
                "KAFKA_BROKERS is not set, expected a comma-separated list of HOST:PORT".to_owned()
            )
        );
    }

    #[test]
    fn an_invalid_value_is_quoted_in_the_error() {
        assert_eq!(
            check(Some("localhost")),
            Err(
                "KAFKA_BROKERS is \"localhost\", expected a comma-separated list of HOST:PORT"
                    .to_owned()
            )
        );
    }

    #[test]
    fn a_url_with_a_password_is_not_quoted_in_the_error() {
        assert_eq!(
            check(Some("kafka://user:hush@a:1")),
            Err("KAFKA_BROKERS is invalid (value not shown because it may contain a password), expected a comma-separated list of HOST:PORT".to_owned())
        );
    }

    #[test]
    fn an_invalid_list_is_an_error() {
        for wrong in [
            "",
            ",",
            "a:1,",
            "a",
            ":1",
            "a:",
            "a:0",
            "a:65536",
            "a:+1",
            "a:x",
            "::1:9092",
            "[::1:9092",
            "[host]:9092",
            "http://a:1",
            "kafka://user@a:1",
            "a b:1",
            "bücher.example:1",
            "a٣:1",
        ] {
            assert!(check(Some(wrong)).is_err(), "{wrong:?} was accepted");
        }
    }

    #[test]
    fn a_host_has_at_most_255_bytes() {
        let named = |len| check(Some(&format!("{}:1", "a".repeat(len))));
        assert!(named(255).is_ok());
        assert!(named(256).is_err_and(|error| error.starts_with("KAFKA_BROKERS is ")));
    }
}

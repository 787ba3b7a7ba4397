//! The errors of brokers, for the log.

use std::{collections::BTreeMap, error::Error, fmt, sync::Arc};

use super::{error::LinkError, host::Broker};

/// The last error of each broker that failed, up to eight brokers.
///
/// Displays as `: BROKER: ERROR; BROKER: ERROR`, to be appended to another error's text, or as
/// nothing if there are none.
#[derive(Debug, Clone, Default)]
pub struct BrokerErrors(BTreeMap<String, Arc<LinkError>>);

impl BrokerErrors {
    pub(super) fn of(broker: &Broker, error: LinkError) -> Self {
        Self([(broker.to_string(), Arc::new(error))].into())
    }

    pub(super) fn insert(&mut self, broker: &Broker, error: LinkError) {
        let broker = broker.to_string();
        if self.0.len() < BROKERS_MAX || self.0.contains_key(&broker) {
            self.0.insert(broker, Arc::new(error));
        }
    }

    pub(super) fn remove(&mut self, broker: &Broker) {
        self.0.remove(&broker.to_string());
    }
}

/// Keeps log lines at a readable length.
const BROKERS_MAX: usize = 8;

impl fmt::Display for BrokerErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (broker, error)) in self.0.iter().enumerate() {
            let separator = if at == 0 { ": " } else { "; " };
            write!(formatter, "{separator}{broker}: {error}")?;
            let mut cause = error.source();
            while let Some(error) = cause {
                write!(formatter, ": {error}")?;
                cause = error.source();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broker(port: u16) -> Broker {
        Broker {
            host: "b".to_owned(),
            port,
        }
    }

    #[test]
    fn each_broker_is_listed_with_its_last_error_up_to_the_maximum() {
        let mut errors = BrokerErrors::default();
        for port in 1..=20 {
            errors.insert(&broker(port), LinkError::Closed(1));
        }
        errors.insert(&broker(1), LinkError::Closed(7));

        let text = errors.to_string();

        let last = ": b:1: the broker closed the connection (unanswered requests: 7);";
        assert!(text.starts_with(last), "{text}");
        assert_eq!(text.matches("b:").count(), BROKERS_MAX);
    }
}

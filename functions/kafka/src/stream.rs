//! A raw connection to one broker, for requests that rskafka does not support.

use std::time::Duration;

use rskafka::client::ClientBuilder;
use tokio::time::timeout;

use crate::{
    client::{ConnectError, backoff, rejected},
    relay::{BrokerStream, FRAME_BYTES_MAX, Relay, encode_host, open},
    settings::Settings,
};

impl Settings {
    /// Connects to the broker at `HOST:PORT` and authenticates, or fails after `within`.
    ///
    /// The caller reads and writes the protocol's frames itself.
    ///
    /// # Errors
    /// There are no credentials, the broker rejected them, did not respond in time, or sent an
    /// invalid response.
    pub async fn stream(
        &self,
        broker: &str,
        client_id: &str,
        within: Duration,
    ) -> Result<BrokerStream, ConnectError> {
        let mut relay = None;
        let opened = timeout(within, self.open_stream(broker, client_id, &mut relay)).await;
        opened.unwrap_or_else(|_| {
            let brokers = relay.as_ref().map(|relay| relay.state.broker_errors());
            let brokers = brokers.unwrap_or_default();
            let rejected = relay.as_ref().and_then(rejected);
            Err(rejected.unwrap_or(ConnectError::Timeout { within, brokers }))
        })
    }

    /// Leaves the relay in `relay` if it is cancelled, for the reason why a broker did not respond.
    async fn open_stream(
        &self,
        broker: &str,
        client_id: &str,
        relay: &mut Option<Relay>,
    ) -> Result<BrokerStream, ConnectError> {
        let tls = self.security.tls();
        let Some(sasl) = self.security.sasl().await? else {
            return open(tls, broker).await.map_err(ConnectError::Unreachable);
        };
        let started = Relay::start_single(tls).await;
        let started = relay.insert(started.map_err(ConnectError::Relay)?);
        let client = ClientBuilder::new(vec![encode_host(broker)])
            .client_id(client_id)
            .max_message_size(FRAME_BYTES_MAX)
            .backoff_config(backoff(Duration::ZERO))
            .socks5_proxy(started.address.to_string())
            .sasl_config(sasl)
            .build()
            .await;
        let client = client.map_err(|error| {
            let brokers = started.state.broker_errors();
            rejected(started).unwrap_or(ConnectError::Failed { brokers, error })
        })?;
        drop(client);
        let brokers = started.state.broker_errors();
        let stream = match relay.take() {
            Some(relay) => relay.into_stream().await,
            None => None,
        };
        stream.ok_or(ConnectError::Unreachable(brokers))
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::security::Security;

    const WITHIN: Duration = Duration::from_secs(5);

    fn settings() -> Settings {
        Settings {
            brokers: Vec::new(),
            security: Security::default(),
        }
    }

    #[tokio::test]
    async fn the_broker_receives_exactly_what_the_caller_writes() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address).await else {
                // This machine has no IPv6.
                continue;
            };
            let broker = listener.local_addr().unwrap().to_string();
            let mut stream = settings().stream(&broker, "test", WITHIN).await.unwrap();
            let (mut accepted, _) = listener.accept().await.unwrap();

            stream.write_all(b"request").await.unwrap();
            stream.flush().await.unwrap();
            accepted.write_all(b"response").await.unwrap();
            drop(accepted.shutdown().await);

            let mut request = [0; 7];
            accepted.read_exact(&mut request).await.unwrap();
            let mut response = Vec::new();
            stream.read_to_end(&mut response).await.unwrap();
            assert_eq!((&request, &response[..]), (b"request", &b"response"[..]));
        }
    }

    #[tokio::test]
    async fn a_failed_connect_names_the_broker() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let broker = listener.local_addr().unwrap().to_string();
        drop(listener);
        let Err(error) = settings().stream(&broker, "test", WITHIN).await else {
            panic!("connected to a closed port");
        };
        let text = error.to_string();
        assert!(text.contains(&broker) && text.contains("refused"), "{text}");
    }
}

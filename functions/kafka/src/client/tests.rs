//! The errors of failed connects.

use sluice_aws::Variables;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::security::Security;

const WITHIN: Duration = Duration::from_millis(400);
/// How much longer than `WITHIN` a connect may take. `timeout` polls the connect before its timer,
/// so a test on a machine that was suspended does not fail.
const SLACK: Duration = Duration::from_millis(400);

async fn check(address: String, security: Security) -> ConnectError {
    let settings = Settings {
        brokers: vec![address],
        security,
    };
    timeout(WITHIN + SLACK, settings.connect("test", WITHIN))
        .await
        .expect("the connect ends in time")
        .expect_err("there is no Kafka broker")
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

#[tokio::test]
async fn a_refused_connection_is_reported_with_the_brokers_address() {
    let closed = listener().await.1;

    let error = check(closed.clone(), Security::default()).await;

    let text = error.to_string();
    assert!(text.contains(&closed), "{text}");
    assert!(text.contains("refused"), "{text}");
}

#[tokio::test]
async fn connecting_to_a_silent_broker_times_out() {
    let (_silent, address) = listener().await;

    let error = check(address, Security::default()).await;

    assert!(matches!(error, ConnectError::Timeout { .. }), "{error}");
}

fn sasl() -> Security {
    let lookup = |name: &str| {
        let found = match name {
            "KAFKA_SECURITY_PROTOCOL" => "SASL_PLAINTEXT",
            "KAFKA_SASL_MECHANISM" => "PLAIN",
            "KAFKA_SASL_USERNAME" => "user",
            "KAFKA_SASL_PASSWORD" => "password",
            _ => return None,
        };
        Some(found.to_owned())
    };
    Security::from_variables(&Variables(&lookup), &[]).unwrap()
}

/// Reads the client's next request and responds to it.
async fn respond(client: &mut TcpStream, response: &[u8]) {
    let length = client.read_u32().await.unwrap();
    let mut request = vec![0; length.try_into().unwrap()];
    client.read_exact(&mut request).await.unwrap();
    let length = u32::try_from(4 + response.len()).unwrap();
    let correlation_id = &request[4..8];
    let frame = [&length.to_be_bytes(), correlation_id, response].concat();
    client.write_all(&frame).await.unwrap();
}

/// An ApiVersions response with version 1 of SaslHandshake and SaslAuthenticate.
const VERSIONS: &[u8] = b"\0\0\x03\0\x11\0\x01\0\x01\0\0\x24\0\x01\0\x01\0\0\0\0\0\0";
const UNSUPPORTED_SASL_MECHANISM: &[u8] = b"\0\x21\0\0\0\x01\0\x05OTHER";

#[tokio::test]
async fn rejected_credentials_are_reported_even_if_a_later_attempt_times_out() {
    let (listener, address) = listener().await;
    let broker = async {
        let (mut client, _) = listener.accept().await.unwrap();
        respond(&mut client, VERSIONS).await;
        respond(&mut client, UNSUPPORTED_SASL_MECHANISM).await;
        // Later connections get no response.
        let _silent = listener.accept().await.unwrap();
        std::future::pending::<()>().await;
    };

    let error = tokio::select! {
        error = check(address, sasl()) => error,
        () = broker => unreachable!("the broker never returns"),
    };

    match error {
        ConnectError::Refused(refusal) => assert_eq!(refusal.code, 33),
        other => panic!("{other:?}"),
    }
}

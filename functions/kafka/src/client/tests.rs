//! What is said where there is no connection.

use sluice_aws::Variables;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::security::Security;

const WITHIN: Duration = Duration::from_millis(400);
/// What connecting may take longer. The connecting is looked at before the
/// clock is, so that a machine that stood still meanwhile is not held against it.
const SLACK: Duration = Duration::from_millis(400);

async fn check(address: String, security: Security) -> ConnectError {
    let settings = Settings {
        brokers: vec![address],
        security,
    };
    timeout(WITHIN + SLACK, settings.connect("test", WITHIN))
        .await
        .expect("an end in time")
        .expect_err("nothing there speaks Kafka")
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

#[tokio::test]
async fn nobody_listening_is_an_error_that_says_so() {
    let closed = listener().await.1;

    let error = check(closed.clone(), Security::default()).await;

    let text = error.to_string();
    assert!(text.contains(&closed), "{text}");
    assert!(text.contains("refused"), "{text}");
}

#[tokio::test]
async fn a_silent_broker_is_given_up_in_time() {
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

/// Answers the next request of a client.
async fn answer(client: &mut TcpStream, answer: &[u8]) {
    let length = client.read_u32().await.unwrap();
    let mut request = vec![0; length.try_into().unwrap()];
    client.read_exact(&mut request).await.unwrap();
    let length = u32::try_from(4 + answer.len()).unwrap();
    let correlation_id = &request[4..8];
    let frame = [&length.to_be_bytes(), correlation_id, answer].concat();
    client.write_all(&frame).await.unwrap();
}

/// SaslHandshake and SaslAuthenticate in version 1.
const VERSIONS: &[u8] = b"\0\0\x03\0\x11\0\x01\0\x01\0\0\x24\0\x01\0\x01\0\0\0\0\0\0";
const UNSUPPORTED_SASL_MECHANISM: &[u8] = b"\0\x21\0\0\0\x01\0\x05OTHER";

#[tokio::test]
async fn a_refusal_is_told_even_where_the_time_ran_out_on_another_attempt() {
    let (listener, address) = listener().await;
    let broker = async {
        let (mut client, _) = listener.accept().await.unwrap();
        answer(&mut client, VERSIONS).await;
        answer(&mut client, UNSUPPORTED_SASL_MECHANISM).await;
        // The next ones are left waiting.
        let _silent = listener.accept().await.unwrap();
        std::future::pending::<()>().await;
    };

    let error = tokio::select! {
        error = check(address, sasl()) => error,
        () = broker => unreachable!("it goes on"),
    };

    match error {
        ConnectError::Refused(refusal) => assert_eq!(refusal.code, 33),
        other => panic!("{other:?}"),
    }
}

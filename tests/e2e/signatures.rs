//! Who may use `@connections`: whoever signs, only the simulator's own key, or everybody.

use chrono::{TimeDelta, Utc};
use tests::client::Client;
use tests::consumer::Consumer;
use tests::http::{connection_url, send};
use tests::sigv4::Signer;
use tests::simulator::{Launch, Simulator};

/// A simulator that demands these signatures, a client of it, and the client's own URL.
async fn connected(mode: &str) -> (Simulator, Client, String) {
    let launch = Launch::default().option("--connections-auth", mode);
    let simulator = launch.start(&[]).await;
    let client = Client::connect(&simulator.websocket).await;
    let consumer = Consumer::connect(&simulator.kafka).await;
    let id = &consumer.records("ws.connections", 1).await[0].key;
    let url = connection_url(&simulator.connections, id);
    (simulator, client, url)
}

/// The status and the kind of error of a request to a connection, by who signs it.
async fn check_signature(url: &str, signer: Option<&Signer>) -> (u16, String) {
    let headers = signer.map(|signer| signer.headers("POST", url, b"hi"));
    let response = send("POST", url, &headers.unwrap_or_default(), b"hi").await;
    let kind = response.header("x-amzn-errortype").unwrap_or_default();
    (response.status, kind.to_owned())
}

/// What those are told whose request is signed by the simulator's own key, wrongly by it, by another key, for
/// another service, long ago, and not at all.
async fn signatures(mode: &str) -> [(u16, String); 5] {
    let (simulator, client, url) = connected(mode).await;
    let own = Signer::default();
    let wrong = Signer {
        secret_access_key: "guessed".to_owned(),
        ..own.clone()
    };
    let other = Signer {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        ..own.clone()
    };
    let elsewhere = Signer {
        service: "s3".to_owned(),
        ..own.clone()
    };
    let told = [
        check_signature(&url, Some(&own)).await,
        check_signature(&url, Some(&wrong)).await,
        check_signature(&url, Some(&other)).await,
        check_signature(&url, Some(&elsewhere)).await,
        check_signature(&url, None).await,
    ];
    drop(client);
    simulator.stop().await;
    told
}

fn refused(kind: &str) -> (u16, String) {
    (403, kind.to_owned())
}

#[tokio::test]
async fn requests_are_signed_and_by_the_own_key_rightly() {
    let sent = (200, String::new());
    assert_eq!(
        signatures("signed").await,
        [
            sent.clone(),
            refused("InvalidSignatureException"),
            sent,
            refused("InvalidSignatureException"),
            refused("MissingAuthenticationTokenException"),
        ]
    );
}

#[tokio::test]
async fn a_strict_gateway_knows_its_own_key_only() {
    assert_eq!(
        signatures("strict").await,
        [
            (200, String::new()),
            refused("InvalidSignatureException"),
            refused("UnrecognizedClientException"),
            refused("InvalidSignatureException"),
            refused("MissingAuthenticationTokenException"),
        ]
    );
}

#[tokio::test]
async fn signatures_can_be_left_out() {
    assert_eq!(
        signatures("off").await,
        [(); 5].map(|()| (200, String::new()))
    );
}

#[tokio::test]
async fn an_old_signature_is_refused() {
    let (simulator, _client, url) = connected("signed").await;
    let at = Utc::now() - TimeDelta::hours(1);
    let headers = Signer::default().headers_at(at, "GET", &url, b"");
    let response = send("GET", &url, &headers, b"").await;
    assert_eq!(response.status, 403);
    assert!(response.body.contains("Signature expired"), "{response:?}");
    simulator.stop().await;
}

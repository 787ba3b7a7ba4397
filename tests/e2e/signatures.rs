//! Signatures of requests to `@connections`, in every mode of `--connections-auth`.

use chrono::{TimeDelta, Utc};
use tests::{
    client::Client,
    consumer::Consumer,
    http::{connection_url, send},
    sigv4::Signer,
    simulator::{Launch, Simulator},
};

/// Returns a simulator with this `--connections-auth`, a client and its `@connections` URL.
async fn connected(mode: &str) -> (Simulator, Client, String) {
    let launch = Launch::default().option("--connections-auth", mode);
    let simulator = launch.start(&[]).await;
    let client = Client::connect(&simulator.websocket).await;
    let consumer = Consumer::connect(&simulator.kafka).await;
    let id = &consumer.records("ws.connections", 1).await[0].key;
    let url = connection_url(&simulator.connections, id);
    (simulator, client, url)
}

/// Posts to a connection, signed or not, and returns the status and the error type.
async fn post_as(url: &str, signer: Option<&Signer>) -> (u16, String) {
    let headers = signer.map(|signer| signer.headers("POST", url, b"hi"));
    let response = send("POST", url, &headers.unwrap_or_default(), b"hi").await;
    let kind = response.header("x-amzn-errortype").unwrap_or_default();
    (response.status, kind.to_owned())
}

/// Returns the response status and the error type for each kind of signature.
///
/// The kinds are, in order: the simulator's own key, its key id with a wrong secret, another key,
/// its key for another service, and no signature.
async fn responses(mode: &str) -> [(u16, String); 5] {
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
    let responses = [
        post_as(&url, Some(&own)).await,
        post_as(&url, Some(&wrong)).await,
        post_as(&url, Some(&other)).await,
        post_as(&url, Some(&elsewhere)).await,
        post_as(&url, None).await,
    ];
    drop(client);
    simulator.stop().await;
    responses
}

fn refused(kind: &str) -> (u16, String) {
    (403, kind.to_owned())
}

#[tokio::test]
async fn signed_mode_verifies_the_simulators_key_and_accepts_any_other() {
    let sent = (200, String::new());
    assert_eq!(
        responses("signed").await,
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
async fn strict_mode_accepts_the_simulators_key_only() {
    assert_eq!(
        responses("strict").await,
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
async fn with_auth_off_no_signature_is_needed() {
    assert_eq!(
        responses("off").await,
        [(); 5].map(|()| (200, String::new()))
    );
}

#[tokio::test]
async fn an_expired_signature_is_refused() {
    let (simulator, _client, url) = connected("signed").await;
    let at = Utc::now() - TimeDelta::hours(1);
    let headers = Signer::default().headers_at(at, "GET", &url, b"");
    let response = send("GET", &url, &headers, b"").await;
    assert_eq!(response.status, 403);
    assert!(response.body.contains("Signature expired"), "{response:?}");
    simulator.stop().await;
}

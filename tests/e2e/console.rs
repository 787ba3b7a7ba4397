//! The console: refusing other origins and malformed requests, and advancing the clock.

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use tests::{
    client::Client,
    consumer::Consumer,
    http::{Response, send},
    simulator::{Launch, Simulator},
};

/// Every endpoint of the console.
const ENDPOINTS: &[(&str, &str)] = &[
    ("GET", "/api/connections"),
    ("GET", "/api/environments"),
    ("GET", "/api/faults"),
    ("GET", "/api/invocations?function=message&limit=1"),
    ("GET", "/api/stream"),
    ("GET", "/api/time"),
    ("POST", "/api/connections/R1kmxc2VNjMCFIA="),
    ("POST", "/api/environments/message-0"),
    ("POST", "/api/faults"),
    ("POST", "/api/reset"),
    ("POST", "/api/time"),
];
/// The idle timeout of ten minutes, less ten seconds of slack for a busy machine.
const ALMOST_IDLE_SECONDS: u64 = 590;
const GOING_AWAY: u16 = 1001;

async fn start() -> Simulator {
    Launch::default().start(&[]).await
}

/// Sends a request to the console.
async fn ask(
    simulator: &Simulator,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Response {
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let url = format!("{}{path}", simulator.console);
    send(method, &url, &headers, body.as_bytes()).await
}

const JSON: (&str, &str) = ("Content-Type", "application/json");

#[tokio::test]
async fn the_clock_can_be_advanced_and_read() {
    let simulator = start().await;
    for (body, advanced) in [(r#"{"advance": 90}"#, 90.0), (r#"{"advance":0.5}"#, 90.5)] {
        let answer = ask(&simulator, "POST", "/api/time", &[JSON], body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let shown = ask(&simulator, "GET", "/api/time", &[], "").await;
        for answer in [answer, shown] {
            let json: Value = serde_json::from_str(&answer.body).unwrap();
            assert_eq!(json, json!({ "advanced": advanced }));
            assert!(answer.body.ends_with("}\n"), "{answer:?}");
        }
    }
    simulator.stop().await;
}

#[tokio::test]
async fn cross_origin_and_malformed_requests_get_the_right_status() {
    let simulator = start().await;
    let advance = r#"{"advance":600}"#;
    let mut client = Client::connect(&simulator.websocket).await;
    for (method, path, headers, body, status) in [
        (
            "POST",
            "/api/time",
            &[JSON, ("Host", "evil.example")][..],
            advance,
            403,
        ),
        (
            "POST",
            "/api/time",
            &[JSON, ("Origin", "http://evil.example")],
            advance,
            403,
        ),
        (
            "POST",
            "/api/time",
            &[JSON, ("Origin", "null")],
            advance,
            403,
        ),
        ("GET", "/api/time", &[("Host", "evil.example")], "", 403),
        ("POST", "/api/time", &[], advance, 415),
        (
            "POST",
            "/api/time",
            &[("Content-Type", "text/plain")],
            advance,
            415,
        ),
        ("POST", "/api/nothing", &[JSON], advance, 404),
        ("GET", "/", &[], "", 404),
        ("PUT", "/api/time", &[JSON], advance, 405),
        ("POST", "/api/time", &[JSON], "{}", 400),
        ("POST", "/api/time", &[JSON], r#"{"advance":-1}"#, 400),
        ("POST", "/api/time", &[JSON], "advance", 400),
    ] {
        let answer = ask(&simulator, method, path, headers, body).await;
        assert_eq!(
            answer.status, status,
            "{method} {path} {headers:?} {answer:?}"
        );
        let json: Value = serde_json::from_str(&answer.body).unwrap();
        assert!(json["message"].is_string(), "{answer:?}");
        if status == 400 {
            assert!(answer.body.contains("advance"), "{answer:?}");
        }
        if status == 405 {
            assert_eq!(answer.header("Allow"), Some("GET, POST"));
        }
    }
    let long = "x".repeat(100_000);
    let answer = ask(&simulator, "POST", "/api/time", &[JSON], &long).await;
    assert_eq!(answer.status, 413, "{answer:?}");
    // None of these requests advanced the clock, so the client is still connected.
    assert_eq!(client.ask(r#"{"id":1}"#).await["type"], "ack");
    simulator.stop().await;
}

/// Checks that a request gets this status and a JSON body with a message.
async fn check_refused(
    simulator: &Simulator,
    endpoint: (&str, &str),
    headers: &[(&str, &str)],
    body: &str,
    status: u16,
) {
    let (method, path) = endpoint;
    let answer = ask(simulator, method, path, headers, body).await;
    let request = format!("{method} {path} {headers:?}");
    assert_eq!(answer.status, status, "{request}: {answer:?}");
    let json: Value = serde_json::from_str(&answer.body).unwrap();
    assert!(json["message"].is_string(), "{request}: {answer:?}");
}

#[tokio::test]
async fn every_endpoint_refuses_other_origins_and_hosts() {
    let simulator = start().await;
    for &endpoint in ENDPOINTS {
        for elsewhere in [
            ("Origin", "http://evil.example"),
            ("Origin", "http://localhost:3000"),
            ("Origin", "null"),
            ("Host", "evil.example"),
            ("Host", "evil.example:3002"),
        ] {
            check_refused(&simulator, endpoint, &[JSON, elsewhere], "{}", 403).await;
        }
    }
    simulator.stop().await;
}

#[tokio::test]
async fn every_post_needs_a_json_content_type_and_a_json_object() {
    let simulator = start().await;
    let long = "x".repeat(100_000);
    for &endpoint in ENDPOINTS.iter().filter(|(method, _)| *method == "POST") {
        check_refused(&simulator, endpoint, &[], "{}", 415).await;
        check_refused(
            &simulator,
            endpoint,
            &[("Content-Type", "text/plain")],
            "{}",
            415,
        )
        .await;
        check_refused(&simulator, endpoint, &[JSON], "{", 400).await;
        check_refused(&simulator, endpoint, &[JSON], "", 400).await;
        check_refused(&simulator, endpoint, &[JSON], "[]", 400).await;
        check_refused(&simulator, endpoint, &[JSON], &long, 413).await;
    }
    assert_eq!(simulator.look("/api/faults").await, json!({ "seed": 0 }));
    simulator.stop().await;
}

#[tokio::test]
async fn every_405_lists_the_allowed_methods() {
    let simulator = start().await;
    for &(_, path) in ENDPOINTS {
        let methods = ENDPOINTS.iter().filter(|(_, other)| *other == path);
        let allowed = Vec::from_iter(methods.map(|(method, _)| *method)).join(", ");
        for method in ["PUT", "DELETE", "OPTIONS", "GET", "POST"] {
            if !allowed.contains(method) {
                let answer = ask(&simulator, method, path, &[JSON], "{}").await;
                assert_eq!(answer.status, 405, "{method} {path}: {answer:?}");
                assert_eq!(answer.header("Allow"), Some(allowed.as_str()), "{path}");
            }
        }
    }
    for path in [
        "/",
        "/api",
        "/api/",
        "/api/faults/",
        "/api/connections/a/b",
        "/api/reset/all",
        "/API/time",
    ] {
        check_refused(&simulator, ("GET", path), &[], "", 404).await;
    }
    simulator.stop().await;
}

#[tokio::test]
async fn timers_follow_the_advanced_clock_and_record_timestamps_do_not() {
    let simulator = start().await;
    simulator.advance(300 * 24 * 3600).await;
    let mut client = Client::connect(&simulator.websocket).await;
    simulator.advance(ALMOST_IDLE_SECONDS).await;
    assert_eq!(client.ask(r#"{"id":1}"#).await["type"], "ack");
    simulator.advance(2 * ALMOST_IDLE_SECONDS).await;
    assert_eq!(client.closed().await, GOING_AWAY);
    let consumer = Consumer::connect(&simulator.kafka).await;
    let mut records = consumer.records("ws.connections", 2).await;
    records.extend(consumer.records("ws.messages", 1).await);
    for record in records {
        let age = Utc::now() - record.timestamp;
        assert!(age.abs() < TimeDelta::hours(1), "{record:?}");
    }
    simulator.stop().await;
}

#[tokio::test]
async fn pings_reset_the_idle_timeout_unless_configured_not_to() {
    for (resets, alive) in [("true", true), ("false", false)] {
        let launch = Launch::default().option("--ping-resets-idle", resets);
        let simulator = launch.start(&[]).await;
        let mut client = Client::connect(&simulator.websocket).await;
        simulator.advance(ALMOST_IDLE_SECONDS).await;
        client.ping().await;
        simulator.advance(ALMOST_IDLE_SECONDS).await;
        if alive {
            assert_eq!(client.ask(r#"{"id":1}"#).await["type"], "ack");
        } else {
            assert_eq!(client.closed().await, GOING_AWAY);
        }
        simulator.stop().await;
    }
}

#[tokio::test]
async fn without_an_address_the_console_listens_on_a_free_port() {
    let one = Launch::default().without("--console").start(&[]).await;
    let other = Launch::default().without("--console").start(&[]).await;
    assert_ne!(one.console, other.console);
    for simulator in [one, other] {
        simulator.advance(1).await;
        simulator.stop().await;
    }
}

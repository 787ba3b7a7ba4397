//! Section 8: `@connections`.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tests::http::{Response, send};
use tests::net::Url;
use tests::sigv4::Signer;
use tests::wait::eventually;

use crate::api::{Api, STANDARD};
use crate::suite::{Test, on, simulated};

pub(crate) fn tests() -> Vec<Test> {
    vec![
        on!(STANDARD, r8_1_an_id_may_be_escaped_or_not),
        on!(STANDARD, r8_2_the_endpoint_is_the_stages_url),
        on!(STANDARD, r8_4_a_post_is_taken_with_an_empty_200),
        on!(STANDARD, r8_4_the_content_type_of_a_post_does_not_matter),
        on!(STANDARD, r8_5_a_get_describes_the_connection),
        on!(STANDARD, r8_5_a_get_leaves_an_unknown_user_agent_out),
        on!(STANDARD, r8_5_the_last_activity_is_that_of_either_side),
        on!(STANDARD, r8_6_a_delete_closes_with_an_empty_204),
        on!(STANDARD, r8_7_what_is_gone_has_an_empty_410),
        on!(STANDARD, r8_7_an_unknown_connection_is_gone),
        on!(STANDARD, r8_8_a_malformed_id_is_a_bad_request),
        on!(STANDARD, r8_8_an_id_that_is_escaped_twice_is_malformed),
        on!(STANDARD, r8_9_another_stage_is_forbidden),
        simulated!(r8_11_a_key_that_nobody_knows_may_be_forbidden),
        on!(STANDARD, r8_11_a_wrong_signature_is_forbidden),
        on!(STANDARD, r8_11_a_missing_signature_is_forbidden),
        on!(STANDARD, r8_11_an_old_signature_is_forbidden),
        simulated!(r8_11_a_signature_need_not_be_asked_for),
        on!(STANDARD, r8_12_a_longer_message_is_too_large),
        on!(STANDARD, r8_13_a_slow_reader_is_too_much),
        simulated!(r8_13_what_waits_for_a_slow_reader_has_512_kb_at_most),
        on!(STANDARD, r8_14_there_is_nothing_else_below_connections),
        on!(STANDARD, r8_16_a_post_does_not_wait_to_be_read),
        on!(STANDARD, r8_17_an_empty_post_is_an_empty_message),
        simulated!(r8_18_every_host_is_the_apis),
    ]
}

async fn r8_1_an_id_may_be_escaped_or_not(api: &Api) {
    let (mut socket, id) = api.witness().await;
    let escaped = api.connection_url(&id);
    for url in [
        escaped.clone(),
        escaped.replace("%3D", "="),
        escaped.replace('@', "%40"),
    ] {
        assert_eq!(api.call("POST", &url, b"hi").await.status, 200, "{url}");
        assert_eq!(socket.next().await, "hi");
    }
}

async fn r8_2_the_endpoint_is_the_stages_url(api: &Api) {
    let (mut socket, id) = api.witness().await;
    let report = socket.ask(&[]).await;
    let expected = format!(
        "://{}/{}",
        report.context("domainName"),
        report.context("stage")
    );
    assert!(
        api.endpoint.ends_with(&expected),
        "{} {expected}",
        api.endpoint
    );
    api.post(&id, "hi").await;
    assert_eq!(socket.next().await, "hi");
}

async fn r8_4_a_post_is_taken_with_an_empty_200(api: &Api) {
    let (mut socket, id) = api.witness().await;
    let response = api.manage("POST", &id, b"hi").await;
    assert_eq!((response.status, response.body.as_str()), (200, ""));
    assert_eq!(socket.next().await, "hi");
}

async fn r8_4_the_content_type_of_a_post_does_not_matter(api: &Api) {
    let (mut socket, id) = api.witness().await;
    let url = api.connection_url(&id);
    for kind in [
        "application/octet-stream",
        "application/json",
        "text/plain; charset=latin1",
    ] {
        let mut headers = api.signer.headers("POST", &url, "ž".as_bytes());
        headers.push(("Content-Type".to_owned(), kind.to_owned()));
        let response = send("POST", &url, &headers, "ž".as_bytes()).await;
        assert_eq!(response.status, 200, "{kind}");
        assert_eq!(socket.next().await, "ž", "{kind}");
    }
}

/// What a GET says of a connection.
async fn description(api: &Api, id: &str) -> Value {
    let response = api.manage("GET", id, b"").await;
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(response.header("content-type"), Some("application/json"));
    serde_json::from_str(&response.body).unwrap()
}

fn time(value: &Value) -> DateTime<Utc> {
    let text = value.as_str().unwrap_or_default();
    assert_eq!(text.len(), "2020-04-30T20:10:33.236Z".len(), "{text}");
    text.parse().unwrap()
}

async fn r8_5_a_get_describes_the_connection(api: &Api) {
    let mut socket = api.handshake().header("User-Agent", "wscat/6").open().await;
    let report = socket.ask(&[]).await;
    let json = description(api, &report.context("connectionId")).await;
    let names: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(names, ["connectedAt", "identity", "lastActiveAt"]);
    let identity = &report.event["requestContext"]["identity"];
    let expected = json!({"sourceIp": identity["sourceIp"], "userAgent": "wscat/6"});
    assert_eq!(json["identity"], expected);
    let connected = time(&json["connectedAt"]);
    let difference = connected.timestamp_millis() - report.number("connectedAt");
    assert!(difference.abs() <= 1000, "{json}");
    assert!(connected <= time(&json["lastActiveAt"]), "{json}");
}

async fn r8_5_a_get_leaves_an_unknown_user_agent_out(api: &Api) {
    let (_socket, id) = api.witness().await;
    let json = description(api, &id).await;
    assert_eq!(json["identity"].get("userAgent"), None, "{json}");
}

async fn r8_5_the_last_activity_is_that_of_either_side(api: &Api) {
    let (mut socket, id) = api.witness().await;
    let before = time(&description(api, &id).await["lastActiveAt"]);
    // Within the same millisecond the first would not be seen.
    let posted = eventually("a post is an activity", async || {
        api.post(&id, "hi").await;
        socket.next().await;
        let posted = time(&description(api, &id).await["lastActiveAt"]);
        (before < posted).then_some(posted)
    });
    let posted = posted.await;
    socket.ask(&[]).await;
    let sent = time(&description(api, &id).await["lastActiveAt"]);
    assert!(posted <= sent, "{posted} {sent}");
}

async fn r8_6_a_delete_closes_with_an_empty_204(api: &Api) {
    let (mut socket, id) = api.witness().await;
    let response = api.manage("DELETE", &id, b"").await;
    assert_eq!((response.status, response.body.as_str()), (204, ""));
    assert_eq!(socket.closed().await.code, 1000);
}

/// Checks the answer to whatever is asked of a connection that is no more.
async fn check_gone(api: &Api, id: &str) {
    for method in ["POST", "GET", "DELETE"] {
        let response = api.manage(method, id, b"").await;
        assert_eq!(
            (response.status, response.body.as_str()),
            (410, ""),
            "{method}"
        );
        assert_eq!(response.header("x-amzn-errortype"), Some("GoneException"));
    }
}

async fn r8_7_what_is_gone_has_an_empty_410(api: &Api) {
    let (mut socket, id) = api.witness().await;
    api.manage("DELETE", &id, b"").await;
    socket.closed().await;
    check_gone(api, &id).await;
}

async fn r8_7_an_unknown_connection_is_gone(api: &Api) {
    check_gone(api, "R1kmxc2VNjMCFIA=").await;
}

/// Checks a refusal in JSON, and its type.
#[track_caller]
fn check_refusal(response: &Response, status: u16, message: &str, error_type: &str) {
    let body: Value = serde_json::from_str(&response.body).unwrap_or_default();
    let found = body["message"].as_str().unwrap_or_default();
    assert_eq!(response.status, status, "{response:?}");
    assert!(found.starts_with(message), "{response:?}");
    assert_eq!(response.header("x-amzn-errortype"), Some(error_type));
}

async fn r8_8_a_malformed_id_is_a_bad_request(api: &Api) {
    for id in ["nobody", "R1kmxc2VNjMCFIA", "R1kmxc2VNj+CFIA="] {
        let response = api.manage("POST", id, b"hi").await;
        let message = format!("Invalid connectionId: {id}");
        check_refusal(&response, 400, &message, "BadRequestException");
    }
}

async fn r8_8_an_id_that_is_escaped_twice_is_malformed(api: &Api) {
    let (_socket, id) = api.witness().await;
    let url = api.connection_url(&id).replace('%', "%25");
    let response = api.call("POST", &url, b"hi").await;
    check_refusal(
        &response,
        400,
        "Invalid connectionId: ",
        "BadRequestException",
    );
}

async fn r8_9_another_stage_is_forbidden(api: &Api) {
    let (_socket, id) = api.witness().await;
    let url = api.connection_url(&id);
    let stage = format!("/{}/", api.stage());
    for url in [url.replace(&stage, "/nowhere/"), url.replace(&stage, "/")] {
        let response = api.call("POST", &url, b"hi").await;
        check_refusal(&response, 403, "Forbidden", "ForbiddenException");
        assert_eq!(response.body, r#"{"message":"Forbidden"}"#);
    }
}

async fn r8_11_a_key_that_nobody_knows_may_be_forbidden() {
    let api = STANDARD.simulate(&["--connections-auth", "strict"]).await;
    let (mut socket, id) = api.witness().await;
    api.post(&id, "hi").await;
    assert_eq!(socket.next().await, "hi");
    let stranger = Signer {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        ..Signer::default()
    };
    let url = api.connection_url(&id);
    let headers = stranger.headers("POST", &url, b"hi");
    let response = send("POST", &url, &headers, b"hi").await;
    assert_eq!(response.status, 403, "{response:?}");
    let message = "The security token included in the request is invalid.";
    assert!(response.body.contains(message), "{response:?}");
}

async fn r8_11_a_wrong_signature_is_forbidden(api: &Api) {
    let (_socket, id) = api.witness().await;
    let forger = Signer {
        secret_access_key: "guessed".to_owned(),
        ..api.signer.clone()
    };
    let url = api.connection_url(&id);
    let headers = forger.headers("POST", &url, b"hi");
    let response = send("POST", &url, &headers, b"hi").await;
    assert_eq!(response.status, 403, "{response:?}");
    let message = "The request signature we calculated does not match the signature you provided.";
    assert!(response.body.contains(message), "{response:?}");
    // Signed for another body than is sent.
    let headers = api.signer.headers("POST", &url, b"hi");
    let response = send("POST", &url, &headers, b"ho").await;
    assert_eq!(response.status, 403, "{response:?}");
}

async fn r8_11_a_missing_signature_is_forbidden(api: &Api) {
    let (_socket, id) = api.witness().await;
    let response = send("POST", &api.connection_url(&id), &[], b"hi").await;
    assert_eq!(response.status, 403, "{response:?}");
    assert!(
        response.body.contains("Missing Authentication Token"),
        "{response:?}"
    );
}

async fn r8_11_an_old_signature_is_forbidden(api: &Api) {
    let (_socket, id) = api.witness().await;
    let url = api.connection_url(&id);
    for shift in [TimeDelta::minutes(-10), TimeDelta::minutes(10)] {
        let headers = api
            .signer
            .headers_at(Utc::now() + shift, "POST", &url, b"hi");
        let response = send("POST", &url, &headers, b"hi").await;
        assert_eq!(response.status, 403, "{shift} {response:?}");
    }
}

async fn r8_11_a_signature_need_not_be_asked_for() {
    let api = STANDARD.simulate(&["--connections-auth", "off"]).await;
    let (mut socket, id) = api.witness().await;
    let response = send("POST", &api.connection_url(&id), &[], b"hi").await;
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(socket.next().await, "hi");
}

async fn r8_12_a_longer_message_is_too_large(api: &Api) {
    let (_socket, id) = api.witness().await;
    let long = "x".repeat(128 * 1024 + 1);
    let response = api.manage("POST", &id, long.as_bytes()).await;
    check_refusal(&response, 413, "", "PayloadTooLargeException");
}

async fn r8_13_a_slow_reader_is_too_much(api: &Api) {
    let (_unread, id) = api.witness().await;
    let long = "x".repeat(LONG);
    for _ in 0..POSTS_MAX {
        let response = api.manage("POST", &id, long.as_bytes()).await;
        if response.status != 200 {
            assert_eq!((response.status, response.body.as_str()), (429, ""));
            let error_type = response.header("x-amzn-errortype");
            assert_eq!(error_type, Some("LimitExceededException"));
            return;
        }
    }
    panic!("{POSTS_MAX} posts were taken that nobody read");
}

async fn r8_13_what_waits_for_a_slow_reader_has_512_kb_at_most() {
    let api = STANDARD.simulate(&[]).await;
    let (_unread, id) = api.witness().await;
    for length in [LONG, 1000] {
        let text = "x".repeat(length);
        let mut taken = 0;
        while api.manage("POST", &id, text.as_bytes()).await.status == 200 {
            taken += length;
            assert!(
                taken < POSTS_MAX * LONG,
                "{taken} bytes were taken that nobody read"
            );
        }
        // What the system has taken off the gateway's hands waits there no more.
        let simulator = api.simulator.as_ref().unwrap();
        let waiting = taken.saturating_sub(simulator.in_flight());
        assert!(waiting <= WAITING_MAX, "{waiting} of {taken} bytes wait");
    }
}

async fn r8_14_there_is_nothing_else_below_connections(api: &Api) {
    let (_socket, id) = api.witness().await;
    for url in [
        format!("{}/@connections", api.endpoint),
        format!("{}/more", api.connection_url(&id)),
    ] {
        let response = api.call("POST", &url, b"hi").await;
        assert!([403, 404].contains(&response.status), "{url} {response:?}");
    }
    let response = api.manage("PUT", &id, b"hi").await;
    assert!([403, 404].contains(&response.status), "{response:?}");
}

async fn r8_16_a_post_does_not_wait_to_be_read(api: &Api) {
    let (mut socket, id) = api.witness().await;
    for text in ["first", "second"] {
        api.post(&id, text).await;
    }
    // Only now does the client read.
    assert_eq!(socket.next().await, "first");
    assert_eq!(socket.next().await, "second");
}

async fn r8_17_an_empty_post_is_an_empty_message(api: &Api) {
    let (mut socket, id) = api.witness().await;
    api.post(&id, "").await;
    assert_eq!(socket.next().await, "");
}

async fn r8_18_every_host_is_the_apis() {
    let api = STANDARD.simulate(&[]).await;
    let (mut socket, id) = api.witness().await;
    let url = api.connection_url(&id);
    let path = Url::parse(&url).target;
    let other = format!("http://elsewhere.example.com{path}");
    // What is signed is the name that is asked for.
    let headers = api.signer.headers("POST", &other, b"hi");
    assert_eq!(send("POST", &url, &headers, b"hi").await.status, 200);
    assert_eq!(socket.next().await, "hi");
}

/// The largest message.
const LONG: usize = 128 * 1024;
/// What may wait for a client that does not read.
const WAITING_MAX: usize = 512 * 1024;
/// Posts of the largest size that fill any socket's buffers and the gateway's own.
const POSTS_MAX: usize = 500;

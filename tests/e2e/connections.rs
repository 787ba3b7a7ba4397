//! `@connections`: sending to a client, inspecting it and disconnecting it over plain HTTP.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tests::{
    client::Client,
    consumer::Consumer,
    http::{connection_url, request, send, signed},
    net::Url,
    raw::Raw,
    simulator::{Launch, Simulator},
};

/// One byte over the largest message that can be posted to a client.
const TOO_MANY_BYTES: usize = 128 * 1024 + 1;

/// Posts of the largest size: more than the socket's buffers and the gateway's queue hold.
const POSTS_MAX: usize = 500;
/// Longer than the gateway keeps an HTTP connection without a request open.
const KEEP_ALIVE_MAX: Duration = Duration::from_secs(90);
/// Messages that one client sends without waiting: more than the gateway handles at once.
const FLOOD: u64 = 2000;

/// Returns a simulator, a connected client and the client's `@connections` URL.
async fn connected() -> (Simulator, Client, String) {
    let simulator = Launch::default().start(&[]).await;
    let client = Client::connect(&simulator.websocket).await;
    let consumer = Consumer::connect(&simulator.kafka).await;
    let id = &consumer.records("ws.connections", 1).await[0].key;
    let url = connection_url(&simulator.connections, id);
    (simulator, client, url)
}

#[tokio::test]
async fn posts_reach_the_client_in_order() {
    let (simulator, mut client, url) = connected().await;
    for text in ["plain", r#"{"any":"JSON"}"#, "ž 馬 🐎", ""] {
        let response = signed("POST", &url, text).await;
        assert_eq!((response.status, response.body.as_str()), (200, ""));
        assert_eq!(client.next().await, text);
    }
    simulator.stop().await;
}

#[tokio::test]
async fn a_connection_id_may_be_percent_encoded_or_not() {
    let (simulator, mut client, url) = connected().await;
    for url in [url.replace("%3D", "="), url.replace('@', "%40")] {
        assert_eq!(signed("POST", &url, "hi").await.status, 200, "{url}");
        assert_eq!(client.next().await, "hi");
    }
    simulator.stop().await;
}

#[tokio::test]
async fn a_connection_can_be_inspected() {
    let (simulator, mut client, url) = connected().await;
    client.ask("active").await;
    let response = signed("GET", &url, "").await;
    assert_eq!(response.status, 200);
    let json: serde_json::Value = serde_json::from_str(&response.body).unwrap();
    let names: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(names, ["connectedAt", "identity", "lastActiveAt"]);
    assert_eq!(json["identity"]["sourceIp"], "127.0.0.1");
    let [connected, active] = ["connectedAt", "lastActiveAt"].map(|name| {
        let text = json[name].as_str().unwrap();
        assert_eq!(text.len(), "2020-04-30T20:10:33.236Z".len(), "{text}");
        text.parse::<DateTime<Utc>>().unwrap()
    });
    assert!(connected <= active, "{json}");
    simulator.stop().await;
}

#[tokio::test]
async fn a_deleted_connection_is_closed_recorded_and_answers_410() {
    let (simulator, mut client, url) = connected().await;
    let response = signed("DELETE", &url, "").await;
    assert_eq!((response.status, response.body.as_str()), (204, ""));
    assert_eq!(client.closed().await, 1000);
    let consumer = Consumer::connect(&simulator.kafka).await;
    let disconnect = consumer.records("ws.connections", 2).await[1].json();
    assert_eq!(disconnect["disconnectStatusCode"], 1000);
    assert_eq!(disconnect["disconnectReason"], "Connection Closed Normally");
    for method in ["POST", "GET", "DELETE"] {
        let response = signed(method, &url, "").await;
        assert_eq!(
            (response.status, response.body.as_str()),
            (410, ""),
            "{method}"
        );
        assert_eq!(response.header("x-amzn-errortype"), Some("GoneException"));
    }
    simulator.stop().await;
}

#[tokio::test]
async fn invalid_posts_are_refused_and_leave_the_client_connected() {
    let (simulator, mut client, url) = connected().await;
    let long = "x".repeat(TOO_MANY_BYTES);
    assert_eq!(signed("POST", &url, &long).await.status, 413);
    let malformed = format!("{}/not-an-id", simulator.connections);
    assert_eq!(signed("POST", &malformed, "hi").await.status, 400);
    let stage = url.replace("/dev/", "/other/");
    assert_eq!(signed("POST", &stage, "hi").await.status, 403);
    assert_eq!(
        client.ask(r#"{"id":"still here"}"#).await["id"],
        "still here"
    );
    simulator.stop().await;
}

#[tokio::test]
async fn posts_to_a_client_that_does_not_read_get_429_and_it_can_be_deleted() {
    let (simulator, client, url) = connected().await;
    let text = "x".repeat(TOO_MANY_BYTES - 1);
    let mut status = 200;
    for _ in 0..POSTS_MAX {
        status = signed("POST", &url, &text).await.status;
        if status != 200 {
            break;
        }
    }
    assert_eq!(status, 429);
    assert_eq!(signed("DELETE", &url, "").await.status, 204);
    assert_eq!(signed("GET", &url, "").await.status, 410);
    let consumer = Consumer::connect(&simulator.kafka).await;
    let disconnect = &consumer.records("ws.connections", 2).await[1];
    assert_eq!(disconnect.json()["disconnectStatusCode"], 1000);
    drop(client);
    simulator.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_does_not_affect_its_neighbours() {
    let (simulator, slow, url) = connected().await;
    let mut neighbour = Client::connect(&simulator.websocket).await;
    let consumer = Consumer::connect(&simulator.kafka).await;
    let records = consumer.records("ws.connections", 2).await;
    let urls = records
        .iter()
        .map(|record| connection_url(&simulator.connections, &record.key));
    let neighbour_url = urls.into_iter().find(|other| *other != url).unwrap();
    let text = "x".repeat(TOO_MANY_BYTES - 1);
    let mut refused = 0;
    for _ in 0..POSTS_MAX {
        refused += usize::from(signed("POST", &url, &text).await.status == 429);
        assert_eq!(signed("POST", &neighbour_url, "hi").await.status, 200);
        assert_eq!(neighbour.next().await, "hi");
        if refused == 20 {
            break;
        }
    }
    assert_eq!(refused, 20);
    assert_eq!(neighbour.ask(r#"{"id":"n"}"#).await["type"], "ack");
    drop(slow);
    simulator.stop().await;
}

#[tokio::test]
async fn slow_requests_get_400_or_are_cut_off() {
    let (simulator, mut client, url) = connected().await;
    let target = Url::parse(&url).target;
    let post = format!("POST {target} HTTP/1.1\r\nHost: slow\r\nContent-Length: 10\r\n\r\n");
    let put = format!("PUT {target} HTTP/1.1\r\nHost: slow\r\n\r\n");
    let late = "HTTP/1.1 400 ";
    let (no_body, half_a_body, half_a_head, idle_after_response) = tokio::join!(
        send_and_wait(&simulator, &post),
        send_and_wait(&simulator, format!("{post}hal")),
        send_and_wait(&simulator, &post[..post.len() - 2]),
        send_and_wait(&simulator, put),
    );
    for answer in [no_body, half_a_body] {
        assert!(
            answer.starts_with(late) && answer.contains("timed out after 10 s"),
            "{answer}"
        );
    }
    assert_eq!(half_a_head, "", "an incomplete request gets no response");
    // The gateway responded, and closed the connection when no second request came.
    assert!(
        idle_after_response.starts_with("HTTP/1.1 403 "),
        "{idle_after_response}"
    );
    assert_eq!(
        idle_after_response.matches("HTTP/1.1").count(),
        1,
        "{idle_after_response}"
    );
    client.ping().await;
    simulator.stop().await;
}

/// Sends `bytes` and nothing more, and returns the response until the gateway closes.
async fn send_and_wait(simulator: &Simulator, bytes: impl AsRef<[u8]>) -> String {
    let mut raw = Raw::connect(&simulator.websocket).await;
    raw.send(bytes.as_ref()).await;
    String::from_utf8(raw.rest_in(KEEP_ALIVE_MAX).await).unwrap()
}

#[tokio::test]
async fn messages_posted_before_a_delete_arrive_before_the_close() {
    let (simulator, mut client, url) = connected().await;
    for text in ["first", "second"] {
        assert_eq!(signed("POST", &url, text).await.status, 200);
    }
    assert_eq!(signed("DELETE", &url, "").await.status, 204);
    assert_eq!(client.next().await, "first");
    assert_eq!(client.next().await, "second");
    assert_eq!(client.closed().await, 1000);
    simulator.stop().await;
}

#[tokio::test]
async fn a_client_that_floods_is_answered_and_does_not_delay_others() {
    let simulator = Launch::default().start(&[]).await;
    let mut flooding = Client::connect(&simulator.websocket).await;
    let mut other = Client::connect(&simulator.websocket).await;
    for id in 0..FLOOD {
        flooding
            .send(&format!(r#"{{"action":"chat","id":{id}}}"#))
            .await;
    }
    assert_eq!(other.ask(r#"{"id":"o"}"#).await["type"], "ack");
    let mut answered = Vec::new();
    for _ in 0..FLOOD {
        let answer = flooding.next_json().await;
        assert_eq!(answer["type"], "ack", "{answer}");
        answered.push(answer["id"].as_u64().unwrap());
    }
    answered.sort_unstable();
    assert_eq!(answered, Vec::from_iter(0..FLOOD));
    simulator.stop().await;
}

#[tokio::test]
async fn invalid_connection_requests_are_refused_and_the_reason_is_logged() {
    let (simulator, client, url) = connected().await;
    for (method, url, status, body, why) in [
        (
            "POST",
            url.replace("%3D", "%253D"),
            400,
            r#"{"message":"Invalid connectionId: "#,
            "percent-encoded twice",
        ),
        (
            "PUT",
            url.clone(),
            403,
            r#"{"message":"No method found matching route "#,
            "expected POST, GET or DELETE",
        ),
        (
            "GET",
            simulator.connections.clone(),
            403,
            r#"{"message":"No method found matching route @connections for http method GET."}"#,
            "expected POST, GET or DELETE",
        ),
        (
            "POST",
            url.replace("/dev/", "/"),
            403,
            r#"{"message":"Forbidden"}"#,
            "expected @connections/{connectionId} below /dev",
        ),
    ] {
        let response = signed(method, &url, "").await;
        assert_eq!(response.status, status, "{method} {url} {response:?}");
        assert!(response.body.starts_with(body), "{response:?}");
        simulator.says(why).await;
    }
    drop(client);
    simulator.stop().await;
}

#[tokio::test]
async fn a_plain_get_of_the_websocket_url_gets_the_configured_status() {
    for (flag, status) in [("426", 426), ("403", 403)] {
        let launch = Launch::default().option("--plain-get", flag);
        let simulator = launch.start(&[]).await;
        let url = simulator.websocket.replace("ws://", "http://");
        assert_eq!(request("GET", &url, "").await.status, status);
        simulator.stop().await;
    }
}

#[tokio::test]
async fn invalid_utf8_is_replaced_or_refused_as_configured() {
    for (flag, status) in [("replace", 200), ("refuse", 400)] {
        let launch = Launch::default().option("--invalid-utf8", flag);
        let launch = launch.option("--connections-auth", "off");
        let simulator = launch.start(&[]).await;
        let mut client = Client::connect(&simulator.websocket).await;
        let consumer = Consumer::connect(&simulator.kafka).await;
        let id = &consumer.records("ws.connections", 1).await[0].key;
        let url = connection_url(&simulator.connections, id);
        let response = send("POST", &url, &[], b"a\xffb").await;
        assert_eq!(response.status, status);
        if status == 200 {
            assert_eq!(client.next().await, "a\u{fffd}b");
        }
        simulator.stop().await;
    }
}

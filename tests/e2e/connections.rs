//! `@connections`: sending to a client, looking at it and disconnecting it, over plain HTTP.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tests::client::Client;
use tests::consumer::Consumer;
use tests::http::{connection_url, request, send, signed};
use tests::net::Url;
use tests::raw::Raw;
use tests::simulator::{Launch, Simulator};

/// One byte more than a client can be sent.
const TOO_MANY_BYTES: usize = 128 * 1024 + 1;

/// Posts of the largest size that fill any socket's buffers and the gateway's queue.
const POSTS_MAX: usize = 500;
/// Longer than the gateway keeps a connection on which nobody asks for anything.
const KEEP_ALIVE_MAX: Duration = Duration::from_secs(90);
/// Messages of one client at once, far more than may be under way.
const FLOOD: u64 = 2000;

/// A simulator, a client of it, and the client's own URL.
async fn connected() -> (Simulator, Client, String) {
    let simulator = Launch::default().start(&[]).await;
    let client = Client::connect(&simulator.websocket).await;
    let consumer = Consumer::connect(&simulator.kafka).await;
    let id = &consumer.records("ws.connections", 1).await[0].key;
    let url = connection_url(&simulator.connections, id);
    (simulator, client, url)
}

#[tokio::test]
async fn what_is_posted_reaches_the_client_in_order() {
    let (simulator, mut client, url) = connected().await;
    for text in ["plain", r#"{"any":"JSON"}"#, "ž 馬 🐎", ""] {
        let response = signed("POST", &url, text).await;
        assert_eq!((response.status, response.body.as_str()), (200, ""));
        assert_eq!(client.next().await, text);
    }
    simulator.stop().await;
}

#[tokio::test]
async fn an_id_may_be_escaped_or_not() {
    let (simulator, mut client, url) = connected().await;
    for url in [url.replace("%3D", "="), url.replace('@', "%40")] {
        assert_eq!(signed("POST", &url, "hi").await.status, 200, "{url}");
        assert_eq!(client.next().await, "hi");
    }
    simulator.stop().await;
}

#[tokio::test]
async fn a_connection_can_be_looked_at() {
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
async fn a_deleted_connection_is_closed_recorded_and_gone() {
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
async fn what_cannot_be_sent_is_refused_and_harms_nobody() {
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
async fn a_client_that_does_not_read_can_be_told_nothing_more_but_can_be_deleted() {
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
async fn a_client_that_does_not_read_costs_its_neighbours_nothing() {
    let (simulator, slow, url) = connected().await;
    let mut neighbour = Client::connect(&simulator.websocket).await;
    let consumer = Consumer::connect(&simulator.kafka).await;
    let records = consumer.records("ws.connections", 2).await;
    let urls = records
        .iter()
        .map(|record| connection_url(&simulator.connections, &record.key));
    let near = urls.into_iter().find(|other| *other != url).unwrap();
    let text = "x".repeat(TOO_MANY_BYTES - 1);
    let mut refused = 0;
    for _ in 0..POSTS_MAX {
        refused += usize::from(signed("POST", &url, &text).await.status == 429);
        assert_eq!(signed("POST", &near, "hi").await.status, 200);
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
async fn who_takes_its_time_to_ask_is_told_so_or_cut_off() {
    let (simulator, mut client, url) = connected().await;
    let target = Url::parse(&url).target;
    let post = format!("POST {target} HTTP/1.1\r\nHost: slow\r\nContent-Length: 10\r\n\r\n");
    let put = format!("PUT {target} HTTP/1.1\r\nHost: slow\r\n\r\n");
    let late = "HTTP/1.1 400 ";
    let (no_body, half_a_body, half_a_head, nothing_more) = tokio::join!(
        slowly(&simulator, &post),
        slowly(&simulator, format!("{post}hal")),
        slowly(&simulator, &post[..post.len() - 2]),
        slowly(&simulator, put),
    );
    for answer in [no_body, half_a_body] {
        assert!(
            answer.starts_with(late) && answer.contains("timed out after 10 s"),
            "{answer}"
        );
    }
    assert_eq!(half_a_head, "", "who sends no request is owed no answer");
    // It was answered, and then waited for.
    assert!(nothing_more.starts_with("HTTP/1.1 403 "), "{nothing_more}");
    assert_eq!(
        nothing_more.matches("HTTP/1.1").count(),
        1,
        "{nothing_more}"
    );
    client.ping().await;
    simulator.stop().await;
}

/// Sends this, and nothing more; gives what comes until the gateway closes.
async fn slowly(simulator: &Simulator, bytes: impl AsRef<[u8]>) -> String {
    let mut raw = Raw::connect(&simulator.websocket).await;
    raw.send(bytes.as_ref()).await;
    String::from_utf8(raw.rest_in(KEEP_ALIVE_MAX).await).unwrap()
}

#[tokio::test]
async fn what_was_posted_before_a_delete_arrives_before_the_close() {
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
async fn a_client_that_floods_is_answered_and_keeps_nobody_waiting() {
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
async fn what_is_no_connection_says_so_and_says_why_on_the_log() {
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
async fn a_get_of_the_sockets_url_is_told_to_upgrade_or_that_it_may_not() {
    for (flag, status) in [("426", 426), ("403", 403)] {
        let launch = Launch::default().option("--plain-get", flag);
        let simulator = launch.start(&[]).await;
        let url = simulator.websocket.replace("ws://", "http://");
        assert_eq!(request("GET", &url, "").await.status, status);
        simulator.stop().await;
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_are_mended_or_refused() {
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

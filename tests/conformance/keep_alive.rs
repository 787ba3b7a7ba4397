//! Sections 7.4 and 7.5: what keeps a connection alive, in which order things happen, and binary data.

use std::fs;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tests::probe::Step;
use tests::simulator::none_left;
use tokio_tungstenite::tungstenite::Message;

use crate::api::{Api, PROBE, STANDARD};
use crate::suite::{Test, on, simulated};

pub(crate) fn tests() -> Vec<Test> {
    vec![
        simulated!(r7_4_1_data_in_either_direction_keeps_a_connection),
        on!(STANDARD, r7_4_2_a_ping_is_answered_and_is_no_event),
        simulated!(r7_4_2_a_ping_keeps_a_connection),
        simulated!(r7_4_2_a_ping_may_count_for_nothing),
        on!(STANDARD, r7_4_3_messages_of_one_connection_overlap),
        on!(
            STANDARD,
            r7_4_4_posts_that_wait_for_each_other_arrive_in_order
        ),
        simulated!(r7_4_5_a_new_version_keeps_connections_and_loses_no_message),
        on!(STANDARD, r7_5_1_a_binary_frame_invokes_nothing),
        on!(STANDARD, r7_5_3_what_is_posted_arrives_as_text),
        on!(STANDARD, r7_5_4_what_is_no_text_is_replaced),
        simulated!(r7_5_4_what_is_no_text_may_be_refused),
    ]
}

const NINE_MINUTES: Duration = Duration::from_mins(9);

async fn r7_4_1_data_in_either_direction_keeps_a_connection() {
    // Pings, which wait until a message has been read, count for nothing.
    let api = STANDARD.simulate(&["--ping-resets-idle", "false"]).await;
    let (mut socket, id) = api.witness().await;
    for round in 0..3 {
        api.advance(NINE_MINUTES).await;
        // Only from the gateway to the client …
        api.post(&id, "posted").await;
        assert_eq!(socket.next().await, "posted", "{round}");
        api.advance(NINE_MINUTES).await;
        // … and only from the client to the gateway.
        let silent = [Step::Reply(json!({"statusCode": 200}))];
        socket.order_on("one-way", &silent).await;
        socket.send_message(Message::Ping("x".into())).await;
        assert!(
            matches!(socket.next_message().await, Some(Message::Pong(_))),
            "{round}"
        );
    }
}

async fn r7_4_2_a_ping_is_answered_and_is_no_event(api: &Api) {
    let mut socket = api.connect().await;
    socket
        .send_message(Message::Ping("are you there".into()))
        .await;
    let answer = socket.next_message().await;
    assert_eq!(answer, Some(Message::Pong("are you there".into())));
    // Nothing was invoked: the next message is the answer to the next.
    let report = socket.ask(&[]).await;
    assert_ne!(report.event["body"], "are you there");
}

/// Whether a connection that only pings is still there after 18 minutes.
async fn survives_by_pings(api: &Api) -> bool {
    let mut socket = api.connect().await;
    socket.ask(&[]).await;
    for _ in 0..2 {
        api.advance(NINE_MINUTES).await;
        socket.send_message(Message::Ping("x".into())).await;
        match socket.next_message().await {
            Some(Message::Pong(_)) => {}
            Some(Message::Close(_)) => return false,
            other => panic!("{other:?}"),
        }
    }
    true
}

async fn r7_4_2_a_ping_keeps_a_connection() {
    assert!(survives_by_pings(&STANDARD.simulate(&[]).await).await);
}

async fn r7_4_2_a_ping_may_count_for_nothing() {
    let api = STANDARD.simulate(&["--ping-resets-idle", "false"]).await;
    assert!(!survives_by_pings(&api).await);
}

async fn r7_4_3_messages_of_one_connection_overlap(api: &Api) {
    let (mut gate, gate_id) = api.witness().await;
    let mut socket = api.connect().await;
    socket.order(&[Step::Await(gate_id), Step::Report]).await;
    // The second is answered while the first still runs …
    let second = socket.ask(&[]).await;
    assert!(!second.event["body"].as_str().unwrap().contains("await"));
    // … which ends only now.
    gate.close(1000, "").await;
    let first = socket.report().await;
    assert!(first.event["body"].as_str().unwrap().contains("await"));
}

async fn r7_4_4_posts_that_wait_for_each_other_arrive_in_order(api: &Api) {
    let (mut socket, id) = api.witness().await;
    for number in 0..20 {
        api.post(&id, &number.to_string()).await;
    }
    for number in 0..20 {
        assert_eq!(socket.next().await, number.to_string());
    }
}

async fn r7_4_5_a_new_version_keeps_connections_and_loses_no_message() {
    let folder = TempDir::new().unwrap();
    let program = folder.path().join("probe");
    fs::copy(PROBE, &program).unwrap();
    let api = STANDARD.simulate_watched(&program).await;
    let simulator = api.simulator.as_ref().unwrap();
    let (mut gate, gate_id) = api.witness().await;
    let mut socket = api.connect().await;
    let id = socket.connection_id().await;
    socket.order(&[Step::Await(gate_id), Step::Report]).await;
    // Whatever is answered now, the message before it has come in.
    socket.ask(&[]).await;
    let old = simulator.function("/probe");
    assert!(!old.is_empty());
    // The same program takes its place as a linker's would: what counts is which process answers.
    let next = folder.path().join("next");
    fs::copy(PROBE, &next).unwrap();
    fs::rename(&next, &program).unwrap();
    simulator.says("probe: reloaded").await;
    gate.close(1000, "").await;
    let kept = socket.report().await;
    assert!(kept.event["body"].as_str().unwrap().contains("await"));
    assert_eq!(kept.context("connectionId"), id);
    none_left(&old).await;
    assert_eq!(socket.ask(&[]).await.context("connectionId"), id);
}

async fn r7_5_1_a_binary_frame_invokes_nothing(api: &Api) {
    let (mut witness, id) = api.witness().await;
    let mut socket = api.connect().await;
    let told = json!({"do": [Step::Tell(id.clone())]}).to_string();
    socket
        .send_message(Message::binary(told.into_bytes()))
        .await;
    assert_eq!(socket.closed().await.code, 1003);
    // The next that is heard is another's.
    let report = witness.ask(&[]).await;
    assert_eq!(report.context("connectionId"), id);
}

async fn r7_5_3_what_is_posted_arrives_as_text(api: &Api) {
    let (mut socket, id) = api.witness().await;
    for text in ["plain", r#"{"any":"JSON"}"#, "ž 馬 🐎"] {
        api.post(&id, text).await;
        assert_eq!(socket.next().await, text);
    }
}

/// Half of a character.
const NO_TEXT: &[u8] = b"a\xc5b";

async fn r7_5_4_what_is_no_text_is_replaced(api: &Api) {
    let (mut socket, id) = api.witness().await;
    assert_eq!(api.manage("POST", &id, NO_TEXT).await.status, 200);
    assert_eq!(socket.next().await, "a\u{fffd}b");
}

async fn r7_5_4_what_is_no_text_may_be_refused() {
    let api = STANDARD.simulate(&["--invalid-utf8", "refuse"]).await;
    let (mut socket, id) = api.witness().await;
    assert_eq!(api.manage("POST", &id, NO_TEXT).await.status, 400);
    api.post(&id, "text").await;
    assert_eq!(socket.next().await, "text");
}

//! Sections 7.2 and 7.3: how connections end, and what `$disconnect` is told of it.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use tests::probe::Step;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::api::{Api, BARE, STANDARD, THROTTLED};
use crate::report::Report;
use crate::socket::{Closed, Socket, text_of};
use crate::suite::{Test, on, simulated};

pub(crate) fn tests() -> Vec<Test> {
    vec![
        on!(STANDARD, r7_2_1_a_deleted_connection_closes_with_1000),
        simulated!(r7_2_2_an_idle_connection_closes_with_1001),
        on!(STANDARD, r7_2_3_a_binary_frame_closes_with_1003),
        on!(STANDARD, r7_2_4_a_close_without_a_code_is_recorded_as_1005),
        on!(STANDARD, r7_2_5_a_lost_connection_is_recorded_as_1006),
        simulated!(r7_2_6_a_client_that_floods_is_closed_with_1008),
        on!(STANDARD, r7_2_7_what_is_too_big_closes_with_1009),
        simulated!(r7_2_9_the_end_of_the_gateway_closes_with_1012),
        on!(STANDARD, r7_2_10_a_clients_close_is_answered),
        on!(STANDARD, r7_2_11_nobody_else_chooses_the_code),
        on!(STANDARD, r7_2_12_what_is_no_frame_closes_with_1002),
        on!(STANDARD, r7_2_13_a_text_that_is_not_utf_8_closes_with_1007),
        on!(STANDARD, r7_3_1_after_the_end_nothing_can_be_posted),
        on!(STANDARD, r7_3_3_either_side_may_close),
        on!(STANDARD, r7_3_5_a_failed_disconnect_is_nobodys_concern),
        simulated!(r7_3_6_who_is_idle_or_old_is_going_away),
        on!(STANDARD, r7_3_7_a_closed_tab_gives_no_reason),
        on!(
            STANDARD,
            r7_3_8_a_close_without_a_code_has_a_reason_of_the_gateways
        ),
        on!(STANDARD, r7_3_9_code_and_reason_of_the_client_are_passed_on),
        on!(STANDARD, r7_3_10_a_deleted_connection_was_closed_normally),
        on!(STANDARD, r7_3_11_a_lost_connection_has_a_disconnect),
        on!(
            STANDARD,
            r7_3_12_what_breaks_the_rules_has_its_code_in_the_disconnect
        ),
        on!(STANDARD, r7_3_4_the_gateway_sends_no_pings),
        on!(STANDARD, r7_3_2_disconnect_waits_for_no_message),
    ]
}

/// A connection whose end is told to a witness.
struct Watched {
    socket: Socket,
    id: String,
    witness: Socket,
}

impl Watched {
    async fn open(api: &Api) -> Self {
        let (mut witness, id) = api.witness().await;
        let socket = api.handshake().told(&[Step::Tell(id)]).open().await;
        let connect = witness.report().await;
        Self {
            socket,
            id: connect.context("connectionId"),
            witness,
        }
    }

    /// The DISCONNECT event.
    async fn end(&mut self) -> Report {
        let report = self.witness.report().await;
        assert_eq!(report.context("eventType"), "DISCONNECT", "{}", report.text);
        assert_eq!(report.context("connectionId"), self.id);
        report
    }

    /// Checks what the DISCONNECT event says.
    async fn check(&mut self, code: i64, reason: &str) {
        let report = self.end().await;
        let found = (
            report.number("disconnectStatusCode"),
            report.context("disconnectReason"),
        );
        assert_eq!(found, (code, reason.to_owned()));
    }
}

async fn r7_2_1_a_deleted_connection_closes_with_1000(api: &Api) {
    let (mut socket, id) = api.witness().await;
    assert_eq!(api.manage("DELETE", &id, b"").await.status, 204);
    assert_eq!(socket.closed().await.code, 1000);
}

async fn r7_2_2_an_idle_connection_closes_with_1001() {
    let api = BARE.simulate(&[]).await;
    let mut socket = api.connect().await;
    socket.connection_id().await;
    api.advance(Duration::from_mins(11)).await;
    assert_eq!(socket.closed().await, going_away());
}

async fn r7_2_3_a_binary_frame_closes_with_1003(api: &Api) {
    let mut socket = api.connect().await;
    let binary = Message::binary(&b"\x00\x01"[..]);
    socket.send_message(binary).await;
    assert_eq!(socket.closed().await.code, 1003);
}

async fn r7_2_4_a_close_without_a_code_is_recorded_as_1005(api: &Api) {
    let mut watched = Watched::open(api).await;
    watched.socket.send_bare_close().await;
    let answer = watched.socket.next_message().await;
    // 1005 itself is never sent.
    assert!(matches!(answer, Some(Message::Close(None))), "{answer:?}");
    assert_eq!(watched.end().await.number("disconnectStatusCode"), 1005);
}

async fn r7_2_5_a_lost_connection_is_recorded_as_1006(api: &Api) {
    let Watched {
        socket,
        mut witness,
        ..
    } = Watched::open(api).await;
    drop(socket);
    assert_eq!(witness.report().await.number("disconnectStatusCode"), 1006);
}

async fn r7_2_6_a_client_that_floods_is_closed_with_1008() {
    let api = THROTTLED.simulate(&[]).await;
    let mut socket = api.connect().await;
    for _ in 0..FLOOD {
        socket.send("more").await;
    }
    let code = loop {
        match socket.next_message().await {
            Some(Message::Text(_)) => {}
            Some(Message::Close(Some(frame))) => break u16::from(frame.code),
            other => panic!("a close frame was expected, not {other:?}"),
        }
    };
    assert_eq!(code, 1008);
}

async fn r7_2_7_what_is_too_big_closes_with_1009(api: &Api) {
    let mut socket = api.connect().await;
    socket.send(&text_of("two-way", 32 * 1024 + 1)).await;
    assert_eq!(socket.closed().await.code, 1009);
}

async fn r7_2_9_the_end_of_the_gateway_closes_with_1012() {
    let api = STANDARD.simulate(&[]).await;
    let mut socket = api.connect().await;
    socket.ask(&[]).await;
    api.simulator.as_ref().unwrap().signal(Signal::TERM);
    assert_eq!(socket.closed().await.code, 1012);
}

async fn r7_2_10_a_clients_close_is_answered(api: &Api) {
    for code in [1000, 1001, 3000, 4999] {
        let answer = api.connect().await.close(code, "bye").await;
        let Some(Message::Close(Some(frame))) = answer else {
            panic!("a close frame was expected, not {answer:?}");
        };
        assert_eq!(u16::from(frame.code), code);
    }
}

async fn r7_2_11_nobody_else_chooses_the_code(api: &Api) {
    let (mut socket, id) = api.witness().await;
    // There is nothing in a request by which it could.
    let url = format!("{}?code=4001&reason=mine", api.connection_url(&id));
    let body = br#"{"code":4001,"reason":"mine"}"#;
    assert_eq!(api.call("DELETE", &url, body).await.status, 204);
    let closed = socket.closed().await;
    assert_eq!(closed.code, 1000);
    assert_ne!(closed.reason, "mine");
}

async fn r7_2_12_what_is_no_frame_closes_with_1002(api: &Api) {
    let mut socket = api.connect().await;
    // It continues nothing.
    let code = OpCode::Data(Data::Continue);
    socket.send_frame(code, true, b"more").await;
    assert_eq!(socket.closed().await.code, 1002);
}

async fn r7_2_13_a_text_that_is_not_utf_8_closes_with_1007(api: &Api) {
    let mut socket = api.connect().await;
    let code = OpCode::Data(Data::Text);
    socket.send_frame(code, true, b"\xc3\x28").await;
    assert_eq!(socket.closed().await.code, 1007);
}

async fn r7_3_1_after_the_end_nothing_can_be_posted(api: &Api) {
    let (mut witness, id) = api.witness().await;
    let post = Step::Post {
        to: None,
        text: "late".to_owned(),
    };
    let handshake = api.handshake().told(&[post, Step::Tell(id)]);
    let mut socket = handshake.open().await;
    witness.report().await;
    socket.close(1000, "").await;
    let report = witness.report().await;
    assert_eq!(report.context("eventType"), "DISCONNECT");
    let post = &report.posts[0];
    assert_eq!(
        (post.status, post.error_type.as_deref()),
        (410, Some("GoneException"))
    );
}

async fn r7_3_2_disconnect_waits_for_no_message(api: &Api) {
    let (mut gate, gate_id) = api.witness().await;
    let mut watched = Watched::open(api).await;
    let steps = [Step::Await(gate_id), Step::Report];
    watched.socket.order_on("one-way", &steps).await;
    watched.socket.close(1000, "").await;
    watched.end().await;
    gate.close(1000, "").await;
}

async fn r7_3_3_either_side_may_close(api: &Api) {
    let mut watched = Watched::open(api).await;
    watched.socket.close(1000, "").await;
    watched.end().await;
    let mut watched = Watched::open(api).await;
    api.manage("DELETE", &watched.id, b"").await;
    watched.end().await;
}

async fn r7_3_4_the_gateway_sends_no_pings(api: &Api) {
    let mut socket = api.connect().await;
    let report = socket.ask(&[]).await;
    let id = report.context("connectionId");
    api.post(&id, "posted").await;
    // Whatever comes, a ping would come as a message of its own.
    assert_eq!(socket.next().await, "posted");
    assert_eq!(socket.next_within(Duration::from_millis(200)).await, None);
}

async fn r7_3_5_a_failed_disconnect_is_nobodys_concern(api: &Api) {
    let (mut witness, id) = api.witness().await;
    // The steps fail the handshake as well, unless its query says otherwise.
    let handshake = api
        .doing(&[])
        .told(&[Step::Tell(id), Step::Throw("told to".to_owned())]);
    let mut socket = handshake.open().await;
    socket.close(1000, "").await;
    let first = witness.report().await;
    assert_eq!(first.context("eventType"), "DISCONNECT");
    // It is not tried again: the next that is heard is another's.
    assert_eq!(witness.ask(&[]).await.context("eventType"), "MESSAGE");
}

async fn r7_3_6_who_is_idle_or_old_is_going_away() {
    let api = STANDARD.simulate(&[]).await;
    let mut idle = Watched::open(&api).await;
    let mut old = Watched::open(&api).await;
    for minutes in [9, 2] {
        api.advance(Duration::from_mins(minutes)).await;
        old.socket.ask(&[]).await;
        old.witness.ask(&[]).await;
        idle.witness.ask(&[]).await;
    }
    idle.check(1001, "Going away").await;
    // Its witness goes as well, so only the frame can be seen.
    for _ in 0..13 {
        api.advance(Duration::from_mins(9)).await;
        old.socket.order(&[]).await;
        match old.socket.next_message().await {
            Some(Message::Text(_)) => {}
            Some(Message::Close(Some(frame))) => {
                assert_eq!(u16::from(frame.code), 1001);
                assert_eq!(frame.reason.as_str(), "Going away");
                return;
            }
            other => panic!("a close frame was expected, not {other:?}"),
        }
    }
    panic!("open for more than two hours");
}

async fn r7_3_7_a_closed_tab_gives_no_reason(api: &Api) {
    let mut watched = Watched::open(api).await;
    watched.socket.close(1001, "").await;
    watched.check(1001, "").await;
}

async fn r7_3_8_a_close_without_a_code_has_a_reason_of_the_gateways(api: &Api) {
    let mut watched = Watched::open(api).await;
    watched.socket.send_bare_close().await;
    watched
        .check(1005, "Client-side close frame status not set")
        .await;
}

async fn r7_3_9_code_and_reason_of_the_client_are_passed_on(api: &Api) {
    for (code, reason) in [(1000, "done"), (4001, "enough")] {
        let mut watched = Watched::open(api).await;
        watched.socket.close(code, reason).await;
        watched.check(code.into(), reason).await;
    }
}

async fn r7_3_10_a_deleted_connection_was_closed_normally(api: &Api) {
    let mut watched = Watched::open(api).await;
    api.manage("DELETE", &watched.id, b"").await;
    watched.check(1000, "Connection Closed Normally").await;
}

async fn r7_3_11_a_lost_connection_has_a_disconnect(api: &Api) {
    let Watched {
        socket,
        id,
        mut witness,
    } = Watched::open(api).await;
    drop(socket);
    let report = witness.report().await;
    assert_eq!(report.context("connectionId"), id);
    assert_eq!(report.number("disconnectStatusCode"), 1006);
    assert!(report.context_has("disconnectReason"), "{}", report.text);
}

async fn r7_3_12_what_breaks_the_rules_has_its_code_in_the_disconnect(api: &Api) {
    let mut watched = Watched::open(api).await;
    watched
        .socket
        .send_frame(OpCode::Data(Data::Binary), true, b"\x00")
        .await;
    assert_eq!(watched.end().await.number("disconnectStatusCode"), 1003);
    let mut watched = Watched::open(api).await;
    watched
        .socket
        .send(&json!("x".repeat(40_000)).to_string())
        .await;
    assert_eq!(watched.end().await.number("disconnectStatusCode"), 1009);
}

fn going_away() -> Closed {
    Closed {
        code: 1001,
        reason: "Going away".to_owned(),
    }
}

/// Messages that are far too many for the stage's bucket.
const FLOOD: usize = 400;

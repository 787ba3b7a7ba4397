//! Section 12: what nobody has told yet, where no other section has it.

use tests::probe::Step;

use crate::api::{Api, STANDARD};
use crate::suite::{Test, on};

pub(crate) fn tests() -> Vec<Test> {
    vec![
        on!(
            STANDARD,
            r12_7_a_repeated_query_parameter_shows_its_last_value
        ),
        on!(STANDARD, r12_8_an_empty_message_is_a_message),
        on!(STANDARD, r12_14_the_longest_reason_is_passed_on),
    ]
}

async fn r12_7_a_repeated_query_parameter_shows_its_last_value(api: &Api) {
    let (mut witness, id) = api.witness().await;
    let handshake = api.handshake().told(&[Step::Tell(id)]);
    let target = format!("/{}?a=1&b=2&a=3", api.stage());
    handshake.target(&target).open().await;
    let event = witness.report().await.event;
    assert_eq!(event["queryStringParameters"]["a"], "3");
}

async fn r12_8_an_empty_message_is_a_message(api: &Api) {
    let mut socket = api.connect().await;
    socket.send("").await;
    let report = socket.report().await;
    assert_eq!(report.event["body"], "");
    assert_eq!(report.context("routeKey"), "$default");
    // The other way, too.
    api.post(&report.context("connectionId"), "").await;
    assert_eq!(socket.next().await, "");
}

async fn r12_14_the_longest_reason_is_passed_on(api: &Api) {
    let (mut witness, id) = api.witness().await;
    let mut socket = api.handshake().told(&[Step::Tell(id)]).open().await;
    witness.report().await;
    // 125 bytes are all that a close frame has room for, with its code.
    let longest = format!("{}!", "ž".repeat(61));
    socket.close(4999, &longest).await;
    let report = witness.report().await;
    assert_eq!(report.context("disconnectReason"), longest);
}
